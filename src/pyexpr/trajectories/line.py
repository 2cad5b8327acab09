"""Segments, alone and one after another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, real_array
from pyexpr._frozen import frozen
from pyexpr._text import plural
from pyexpr.trajectories.base import Trajectory
from pyexpr.trajectories.clock import Clock
from pyexpr.trajectories.piece import Piece
from pyexpr.trajectories.points import alike, rows

_ENDS, _ONES = frozen(np.eye(2)), frozen(np.ones(2))


class Line(Trajectory):
    """The segment x(t) = x0 + t (x1 - x0).

    Parameters
    ----------
    x0, x1 : array_like [*shape]
        Real numbers that float64 holds exactly; never modified.

    Raises
    ------
    TypeError
        A point does not hold real numbers.
    ValueError
        Shapes that differ, or a number that is not finite or not exact in float64.
    """

    __slots__ = ()

    def __init__(self, x0: npt.ArrayLike, x1: npt.ArrayLike) -> None:
        points, shape = alike(x0=x0, x1=x1)
        super().__init__(shape, [Piece(points, _ENDS, _ONES)], Clock.even(1))


class Polyline(Trajectory):
    """Segments from point to point, in equal shares of t unless knots are given.

    Parameters
    ----------
    points : array_like [k, *shape]
        At least 2; equal neighbours are allowed.
    closed
        Whether a last segment leads back to the first point.
    knots : array_like [k], or [k + 1] if closed
        Where t is at the points, from 0 to 1, increasing by at least 2^-52.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        A wrong shape, too few points, knots that do not increase from 0 to 1, or a number that is
        not finite or not exact in float64.
    """

    __slots__ = ()

    def __init__(
        self, points: npt.ArrayLike, closed: bool = False, *, knots: npt.ArrayLike | None = None
    ) -> None:
        corners, shape = rows("points", points, 2)
        if closed:
            corners = frozen(np.concatenate([corners, corners[:1]]))
        count = len(corners) - 1
        pieces = [Piece(corners[i : i + 2], _ENDS, _ONES) for i in range(count)]
        times = None if knots is None else _knots(knots, len(corners))
        super().__init__(shape, pieces, Clock.even(count, times), bool(closed))

    def _details(self) -> list[str]:
        return [plural(len(self.pieces), "segment")]


def _knots(knots: npt.ArrayLike, count: int) -> FloatArray:
    times = real_array("knots", knots, 1)
    if len(times) != count:
        raise ValueError(f"knots has {len(times)} numbers; the segments have {count} ends")
    if times[0] != 0 or times[-1] != 1 or (np.diff(times) <= 0).any():
        raise ValueError("knots must increase from 0 to 1")
    return times
