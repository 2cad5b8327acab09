"""Many segments in one call, for the compiled core."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, as_array, real_array, shape_of

Indices = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """Segments from row starts[i] of x0 to row ends[i] of x1.

    Attributes
    ----------
    x0, x1 : float64 [points, inputs]
    starts, ends : int64 [lines]
    """

    x0: FloatArray
    starts: Indices
    x1: FloatArray
    ends: Indices


def read_batch(x0: object, x1: object, shape: tuple[int, ...]) -> Batch | None:
    """The segments between rows of points of this shape; None if these are just two points.

    Raises
    ------
    TypeError
        Not real numbers.
    ValueError
        Other shapes, as many of one as of the other where neither is a single point; a number that
        is not finite or not exact in float64.
    """
    counts = [_count(value, shape) for value in (x0, x1)]
    if counts == [None, None]:
        return None
    for name, value, rows in (("x0", x0, counts[0]), ("x1", x1, counts[1])):
        if rows is None and shape_of(value) != shape:
            raise ValueError(
                f"{name} has shape {shape_of(value)}, but the network's input is {shape}"
            )
    lines = {count for count in counts if count is not None}
    if len(lines) > 1:
        raise ValueError(
            f"x0 has {counts[0]} points and x1 {counts[1]}; "
            "give as many of one as of the other, or a single point"
        )
    (count,) = lines
    indices = [
        np.zeros(count, np.int64) if points is None else np.arange(count) for points in counts
    ]
    return Batch(read_points("x0", x0, shape), indices[0], read_points("x1", x1, shape), indices[1])


def read_points(name: str, value: object, shape: tuple[int, ...]) -> FloatArray:
    """Points of this shape, or one, as rows: float64 [points, inputs]; errors name the row."""
    points = as_array(name, value)
    if points.dtype.kind == "f" and points.ndim > len(shape):
        finite = np.isfinite(points)
        if not finite.all():
            row = int(np.argwhere(~finite)[0, 0])
            wrong = points[row][~finite[row]][0]
            raise ValueError(f"{name}[{row}] holds {wrong}; every number must be finite")
    inputs = math.prod(shape)
    array = real_array(name, value)
    return array.reshape(array.size // inputs, inputs)


def _count(value: object, shape: tuple[int, ...]) -> int | None:
    """How many points these are; None if no row of points."""
    given = shape_of(value)
    if given is None or len(given) != len(shape) + 1 or given[1:] != shape:
        return None
    return given[0]
