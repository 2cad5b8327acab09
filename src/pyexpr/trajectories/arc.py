"""Parts of ellipses, by quarters: cos and sin as rational functions of the half angle's tangent."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, real_number
from pyexpr._frozen import frozen
from pyexpr.trajectories.base import Trajectory
from pyexpr.trajectories.clock import Clock
from pyexpr.trajectories.piece import Piece
from pyexpr.trajectories.points import alike

_QUARTER = math.pi / 2
_GRID = 2.0**53
_LEAST = 2.0**-52
_WEIGHTS = frozen(np.array([1.0, 1.0, 2.0]))  # of 1 + u^2
_AXES = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])  # where quarters start and end


class Arc(Trajectory):
    """x(t) = cos(angle t) x0 + sin(angle t) x1, a part of an ellipse around the origin.

    With the default angle, the circular trajectory between two inputs of Raghu et al. (2017), "On
    the expressive power of deep neural networks". Every quarter is exactly that of the ellipse.
    If the angle is no multiple of pi / 2, the last part ends where the tangent of half its angle is
    the multiple of 2^-53 nearest to the one wanted: within rounding of the angle given.

    Parameters
    ----------
    x0, x1 : array_like [*shape]
        Real numbers that float64 holds exactly; never modified.
    angle
        In radians, at least 2^-52 and at most math.tau, which closes the curve; pi / 2 if None.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        Shapes that differ, a number that is not finite or not exact in float64, or another angle.
    """

    __slots__ = ("_angle",)

    _angle: float

    def __init__(self, x0: npt.ArrayLike, x1: npt.ArrayLike, angle: float | None = None) -> None:
        points, shape = alike(x0=x0, x1=x1)
        self._angle = _QUARTER if angle is None else _checked(angle)
        ends = _ends(self._angle)
        pieces = [Piece(points, _quarter(i), _WEIGHTS, 0.0, end) for i, end in enumerate(ends)]
        closed = self._angle == math.tau
        super().__init__(shape, pieces, _turning(ends, self._angle), closed)

    @property
    def angle(self) -> float:
        """In radians, as given."""
        return self._angle

    def _details(self) -> list[str]:
        return [f"angle={self._angle:.6g}"]


class Circle(Trajectory):
    """x(t) = center + cos(2 pi t) u + sin(2 pi t) v, an ellipse unless |u| = |v| and u v = 0.

    Parameters
    ----------
    center, u, v : array_like [*shape]
        Real numbers that float64 holds exactly; never modified.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        Shapes that differ, or a number that is not finite or not exact in float64.
    """

    __slots__ = ()

    def __init__(self, center: npt.ArrayLike, u: npt.ArrayLike, v: npt.ArrayLike) -> None:
        points, shape = alike(center=center, u=u, v=v)
        mixings = [frozen(np.column_stack([_WEIGHTS, _quarter(i)])) for i in range(4)]
        pieces = [Piece(points, mixing, _WEIGHTS) for mixing in mixings]
        super().__init__(shape, pieces, _turning([1.0] * 4, math.tau), closed=True)


def _checked(angle: float) -> float:
    radians = real_number("angle", angle)
    if not _LEAST <= radians <= math.tau:
        raise ValueError(
            f"angle is {radians!r}; it must be positive, at least 2^-52, and at most math.tau = "
            f"{math.tau!r}"
        )
    return radians


def _ends(angle: float) -> list[float]:
    """u at the end of every quarter, the last of which may be a part of one."""
    quarters = int(angle // _QUARTER)
    rest = angle - quarters * _QUARTER
    if quarters and rest / angle < _LEAST:
        return [1.0] * quarters
    return [1.0] * quarters + [min(round(math.tan(rest / 2) * _GRID), _GRID) / _GRID]


def _quarter(number: int) -> FloatArray:
    """The mixing of (1 - u^2) a + 2 u b, a quarter from the axis a to the axis b."""
    a, b = _AXES[number], _AXES[(number + 1) % 4]
    return frozen(np.array([a, a + b, 2 * b], dtype=np.float64))


def _turning(ends: list[float], angle: float) -> Clock:
    count = len(ends)
    knots = np.append(np.arange(count) * _QUARTER / angle, 1.0)
    return Clock(knots, np.zeros(count), np.array(ends), np.ones(count, np.int64))
