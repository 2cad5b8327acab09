"""The regions along a trajectory in files, however many there are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy.typing as npt

from pyexpr.io import _parquet
from pyexpr.io._replaced import replaced
from pyexpr.io._spool import Spool
from pyexpr.streaming.block import TRANSITION, RegionBlock


def save_regions(blocks: Iterable[RegionBlock], path: str | os.PathLike[str]) -> int:
    """Write regions, as `pyexpr.stream` yields them, to a file: all of them or nothing.

    Memory for one block at a time is needed.

    Parameters
    ----------
    blocks
        From region 0 on, without a gap.
    path
        Its suffix says the format.

        .parquet (needs pyarrow): a row for each region, with columns start, end, linear and
        transitions, a list of those at the region's end, each with fields layer, neuron, before
        and after; a row group for each block.

        .npz: arrays start, end, linear and transitions, as a RegionBlock has them, for `np.load`.
        While it is written, it takes up to twice the space on the disk.

    Returns
    -------
    int
        The number of regions.

    Raises
    ------
    ImportError
        The path ends in .parquet, and pyarrow is not installed.
    TypeError
        `blocks` holds something else.
    ValueError
        The path ends otherwise, or the blocks do not follow one another.
    OSError
        The file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise ValueError(f"path is {os.fspath(path)!r}; it must end in {' or '.join(_WRITERS)}")
    return _WRITERS[suffix](blocks, path)


def _save_parquet(blocks: Iterable[RegionBlock], path: str | os.PathLike[str]) -> int:
    _parquet.require()
    with replaced(path) as file, _parquet.writer(file) as write:
        count = 0
        for block in _consecutive(blocks):
            write(block)
            count += len(block)
    return count


def _save_npz(blocks: Iterable[RegionBlock], path: str | os.PathLike[str]) -> int:
    dtypes: dict[str, npt.DTypeLike] = {
        "start": "f8",
        "end": "f8",
        "linear": "i8",
        "transitions": TRANSITION,
    }
    with replaced(path) as file, Spool(Path(path).resolve().parent, dtypes) as spool:
        count = 0
        for block in _consecutive(blocks):
            for name in dtypes:
                spool.append(name, getattr(block, name))
            count += len(block)
        spool.write(file)
    return count


def _consecutive(blocks: Iterable[RegionBlock]) -> Iterator[RegionBlock]:
    """The blocks, checked."""
    following = 0
    for block in blocks:
        if not isinstance(block, RegionBlock):
            raise TypeError(
                f"blocks holds a {type(block).__name__}; it must hold RegionBlocks, as "
                "pyexpr.stream(net, trajectory) yields them"
            )
        if block.first != following:
            raise ValueError(
                f"blocks holds one that starts with region {block.first}, where region "
                f"{following} must follow"
            )
        following += len(block)
        yield block


_WRITERS = {".parquet": _save_parquet, ".npz": _save_npz}
