"""Blocks of regions as row groups of a parquet file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import IO, Any

import numpy as np

from pyexpr.streaming.block import RegionBlock

_FIELDS = ("layer", "neuron", "before", "after")


def require() -> None:
    """Raises ImportError if pyarrow is not installed."""
    try:
        import_module("pyarrow.parquet")
    except ImportError as error:
        raise ImportError(
            "a .parquet file needs pyarrow; install it by: "
            'pip install "pyexpr-regions[parquet]", or write a .npz file'
        ) from error


@contextmanager
def writer(file: IO[bytes]) -> Iterator[Callable[[RegionBlock], None]]:
    """What writes a block as a row group."""
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetWriter(file, pa.schema(_columns())) as to:

        def write(block: RegionBlock) -> None:
            to.write_table(_table(block), row_group_size=len(block))

        yield write


def _columns() -> dict[str, Any]:  # pyarrow ships no types
    import pyarrow as pa

    return {
        "start": pa.float64(),
        "end": pa.float64(),
        "linear": pa.int64(),
        "transitions": pa.list_(_transition()),
    }


def _transition() -> Any:
    import pyarrow as pa

    return pa.struct(
        {"layer": pa.int32(), "neuron": pa.int32(), "before": pa.int16(), "after": pa.int16()}
    )


def _table(block: RegionBlock) -> Any:
    import pyarrow as pa

    regions = block.first + np.arange(len(block) + 1)
    edges = np.searchsorted(block.transitions["region"], regions)
    fields = [np.ascontiguousarray(block.transitions[name]) for name in _FIELDS]
    changes = pa.StructArray.from_arrays(list(map(pa.array, fields)), fields=list(_transition()))
    lists = pa.ListArray.from_arrays(pa.array(edges, pa.int32()), changes)
    columns = [block.start, block.end, block.linear, lists]
    return pa.table(columns, schema=pa.schema(_columns()))
