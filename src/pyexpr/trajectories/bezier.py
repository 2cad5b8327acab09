"""Bezier curves, polynomial or rational."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, real_array
from pyexpr._frozen import frozen
from pyexpr.trajectories.base import Trajectory
from pyexpr.trajectories.clock import Clock
from pyexpr.trajectories.piece import Piece
from pyexpr.trajectories.points import rows

MAX_DEGREE = 10


class Bezier(Trajectory):
    """x(t) = sum_i B_i(t) w_i P_i / sum_i B_i(t) w_i, with B_i the Bernstein polynomials.

    Parameters
    ----------
    control_points : array_like [d + 1, *shape]
        P, of a degree d from 1 to 10; the curve starts at the first and ends at the last.
    weights : array_like [d + 1]
        w, positive; all 1 if None.
    closed
        Whether it is a closed curve; the first and the last control point must then be equal.

    Raises
    ------
    TypeError
        An argument does not hold real numbers.
    ValueError
        A wrong shape or degree, weights that are not positive, a closed curve whose ends differ, or
        a number that is not finite or not exact in float64.
    """

    __slots__ = ()

    def __init__(
        self,
        control_points: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        closed: bool = False,
    ) -> None:
        points, shape = rows("control_points", control_points, 2)
        if len(points) - 1 > MAX_DEGREE:
            raise ValueError(
                f"control_points holds {len(points)} points, of degree {len(points) - 1}; the "
                f"highest degree is {MAX_DEGREE}, so chain several curves by Chain"
            )
        if closed and not np.array_equal(points[0], points[-1]):
            raise ValueError(
                "closed is True, but the first and the last of control_points differ; repeat the "
                "first at the end"
            )
        w = np.ones(len(points)) if weights is None else _weights(weights, len(points))
        piece = Piece(points, np.diag(w), w)
        super().__init__(shape, [piece], Clock.even(1), bool(closed))

    def _details(self) -> list[str]:
        return [f"degree={self.pieces[0].degree}"]


def _weights(weights: npt.ArrayLike, count: int) -> FloatArray:
    w = real_array("weights", weights, 1)
    if len(w) != count:
        raise ValueError(f"weights has {len(w)} numbers; control_points holds {count} points")
    if (w <= 0).any():
        raise ValueError(f"weights holds {w[w <= 0][0]}; every weight must be positive")
    return frozen(w)
