"""What the theory is asked about, checked."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, real_number
from pyexpr._curves import Given
from pyexpr.network import _check_sizes, _integer
from pyexpr.trajectories import Line, Trajectory


def checked_sizes(sizes: object) -> list[int]:
    """[inputs, hidden..., outputs]; errors as `Network.random` raises them."""
    return _check_sizes(sizes)


def checked_width(name: str, width: object) -> int:
    """A positive integer."""
    return _integer(name, width, 1)


def checked_variance(name: str, value: object, *, positive: bool = False) -> float:
    """A finite number that is not negative; `positive`: nor zero."""
    variance = real_number(name, value)
    if variance < 0:
        raise ValueError(f"{name} is {variance}; it must not be negative")
    if positive and variance == 0:
        raise ValueError(f"{name} is 0; it must be positive")
    return variance


def checked_curve(inputs: int, trajectory: Given, x1: npt.ArrayLike | None) -> Trajectory:
    """A trajectory, or the segment between two points, through spaces of so many inputs.

    Raises
    ------
    TypeError
        Neither a trajectory alone nor two points.
    ValueError
        Points that `Line` refuses, or of another number of inputs.
    """
    if isinstance(trajectory, Trajectory):
        if x1 is not None:
            raise TypeError("x1 goes with a point, not with a trajectory; leave it out")
        curve = trajectory
    elif x1 is None:
        raise TypeError(
            f"trajectory is a {type(trajectory).__name__}; it must be a trajectory such as "
            "pyexpr.Arc(x0, x1), or the first of two points, x0 and x1"
        )
    else:
        curve = Line(trajectory, x1)
    if math.prod(curve.shape) != inputs:
        raise ValueError(
            f"trajectory has points of shape {curve.shape}, but sizes[0] is {inputs}; it must be "
            f"{math.prod(curve.shape)}, how many numbers a point holds"
        )
    return curve


def require_finite(numbers: FloatArray) -> FloatArray:
    """The same numbers, which must not have left float64.

    Raises
    ------
    OverflowError
    """
    if not np.isfinite(numbers).all():
        raise OverflowError(
            "the squares of the trajectory's points, or variances, are beyond float64; smaller "
            "ones will do"
        )
    return numbers
