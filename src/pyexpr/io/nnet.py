"""The .nnet format of K. Julian (Stanford): fully connected ReLU networks as text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.activations import ReLU
from pyexpr.build import Builder
from pyexpr.network import Network

MAX_BYTES = 2**30


def load(path: str | os.PathLike[str], *, normalize: bool = False) -> Network:
    """The network in a .nnet file; its decimal numbers become the nearest float64.

    Parameters
    ----------
    path
        The file.
    normalize
        Whether the network takes inputs as they come, subtracts the file's means and divides by its
        ranges (as products with 1 / range, rounded), and turns its outputs back likewise. Without,
        it is what stands in the file's layers. Inputs are never clipped to the file's limits.

    Returns
    -------
    Network

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        The file is malformed.
    """
    source = Path(path)
    try:
        if source.stat().st_size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES} bytes")
        with source.open(encoding="ascii") as file:
            return _network(_rows(file), normalize)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)!r} holds no .nnet network: {error}") from error


def _rows(lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """The numbers of every line that is no comment, and which line it is."""
    for number, line in enumerate(lines, 1):
        if not line.startswith("//") and line.strip():
            yield number, [field.strip() for field in line.rstrip().rstrip(",").split(",")]


def _network(rows: Iterator[tuple[int, list[str]]], normalize: bool) -> Network:
    n_layers, n_in, n_out = (_size(field) for field in _row(rows, "sizes", 4)[:3])
    sizes = [_size(field) for field in _row(rows, "layer sizes", n_layers + 1)]
    if (sizes[0], sizes[-1]) != (n_in, n_out):
        raise ValueError(f"its layers lead from {sizes[0]} to {sizes[-1]}, not {n_in} to {n_out}")
    _row(rows, "flag", 1)
    for limit in ("lower limits", "upper limits"):
        _floats(rows, limit, n_in)
    means, ranges = (_floats(rows, what, n_in + 1) for what in ("means", "ranges"))
    if normalize and not ranges.all():
        raise ValueError("a range is zero")
    builder = Builder((n_in,))
    x = builder.input
    if normalize:
        x = builder.scale_shift(x, 1 / ranges[:-1], -means[:-1] / ranges[:-1])
    for layer, (width_in, width) in enumerate(pairwise(sizes)):
        if layer > 0:
            x = builder.activation(x, ReLU())
        weight = np.array([_floats(rows, "weights", width_in) for _ in range(width)])
        bias = np.array([_floats(rows, "biases", 1)[0] for _ in range(width)])
        x = builder.dense(x, weight, bias)
    if normalize:
        x = builder.scale_shift(x, ranges[-1:], means[-1:])
    return Network(builder.graph(x))


def _size(field: str) -> int:
    size = int(field)
    if size < 1:
        raise ValueError(f"a size is {size}")
    return size


def _row(rows: Iterator[tuple[int, list[str]]], what: str, length: int) -> list[str]:
    number, fields = next(rows, (0, []))
    if number == 0:
        raise ValueError(f"it ends where {what} should be")
    if len(fields) != length:
        raise ValueError(
            f"line {number} has {len(fields)} numbers; {length} {what} should be there"
        )
    return fields


def _floats(rows: Iterator[tuple[int, list[str]]], what: str, length: int) -> FloatArray:
    values = np.array([float(field) for field in _row(rows, what, length)])
    if not np.isfinite(values).all():
        raise ValueError(f"{what} are not finite")
    return values
