"""Smooth curves through points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr._frozen import frozen
from pyexpr._text import plural
from pyexpr.trajectories.base import Trajectory
from pyexpr.trajectories.clock import Clock
from pyexpr.trajectories.piece import Piece
from pyexpr.trajectories.points import rows

# Three times the Bezier points of a cubic, from its ends p, q and its slopes there.
_HERMITE = frozen(np.array([[3.0, 0, 0, 0], [3, 0, 1, 0], [0, 3, 0, -1], [0, 3, 0, 0]]))
_LARGEST = 2.0**1000
_THREES = frozen(np.full(4, 3.0))


class Spline(Trajectory):
    """The cubic spline through points, in equal shares of t. Needs scipy.

    Its slopes at the points are the floats that scipy.interpolate.CubicSpline gives, not-a-knot or,
    if closed, periodic. The curve is exactly the piecewise cubic with these points and slopes: its
    tangent is continuous, and its curvature is up to the rounding of the slopes.

    Parameters
    ----------
    points : array_like [k, *shape]
        At least 2.
    closed
        Whether the curve returns smoothly to the first point.

    Raises
    ------
    ImportError
        scipy is not installed.
    TypeError
        `points` does not hold real numbers.
    ValueError
        A wrong shape, too few points, or a number that is not finite or not exact in float64.
    OverflowError
        A number beyond 2^1000, whose slopes might be beyond float64.
    """

    __slots__ = ()

    def __init__(self, points: npt.ArrayLike, closed: bool = False) -> None:
        knots, shape = rows("points", points, 2)
        if closed:
            knots = np.concatenate([knots, knots[:1]])
        slopes = _slopes(knots, closed)
        count = len(knots) - 1
        pieces = [
            Piece(np.concatenate([knots[i : i + 2], slopes[i : i + 2]]), _HERMITE, _THREES)
            for i in range(count)
        ]
        super().__init__(shape, pieces, Clock.even(count), bool(closed))

    def _details(self) -> list[str]:
        return [plural(len(self.pieces), "piece")]


def _slopes(knots: FloatArray, closed: bool) -> FloatArray:
    """At every knot, by the number of the knot: [k, n]."""
    try:
        from scipy.interpolate import CubicSpline
    except ImportError as error:
        raise ImportError(
            'Spline needs scipy; install it by: pip install "pyexpr-regions[spline]"'
        ) from error
    largest = np.abs(knots).max()
    if largest > _LARGEST:
        raise OverflowError(
            f"points holds {largest:.3g} in size; at most 2^1000 leaves room for the slopes"
        )
    numbers = np.arange(len(knots))
    spline = CubicSpline(numbers, knots, bc_type="periodic" if closed else "not-a-knot")
    slopes: FloatArray = np.array(spline(numbers, 1), dtype=np.float64)
    if closed:
        slopes[-1] = slopes[0]
    return slopes
