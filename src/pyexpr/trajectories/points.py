"""Points as users give them: checked, copied, with their shape beside them."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from pyexpr._arrays import FloatArray, real_array
from pyexpr._frozen import frozen

Shape: TypeAlias = tuple[int, ...]


def alike(**values: object) -> tuple[FloatArray, Shape]:
    """Several points of one shape, as rows [k, n]; their names are for errors.

    Raises
    ------
    TypeError, ValueError
        As `real_array`, and for shapes that differ or hold no number.
    """
    points = {name: real_array(name, value) for name, value in values.items()}
    first, shape = next((name, point.shape) for name, point in points.items())
    for name, point in points.items():
        if point.shape != shape:
            raise ValueError(
                f"{name} has shape {point.shape}, but {first} has {shape}; they must be alike"
            )
    require_numbers(first, shape, shape)
    return frozen(np.stack([point.reshape(-1) for point in points.values()])), shape


def rows(name: str, value: object, least: int) -> tuple[FloatArray, Shape]:
    """Points [k, *shape] as rows [k, n], k at least `least`.

    Raises
    ------
    TypeError, ValueError
        As `real_array`, and for too few points or points that hold no number.
    """
    array = real_array(name, value)
    if array.ndim == 0:
        raise ValueError(f"{name} is a number; it must be an array of points [k, *shape]")
    if len(array) < least:
        raise ValueError(f"{name} holds {len(array)} points; at least {least} are needed")
    shape = array.shape[1:]
    require_numbers(name, array.shape, shape)
    return frozen(array.reshape(len(array), -1)), shape


def require_numbers(name: str, given: Shape, shape: Shape) -> None:
    """Refuse points of this shape, in what was given with that shape, if they hold none."""
    if 0 in shape:
        raise ValueError(f"{name} has shape {given}; a point must hold at least one number")
