"""Curves near a function that can only be evaluated."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, real_array, real_number
from pyexpr.trajectories.base import Trajectory
from pyexpr.trajectories.line import Polyline
from pyexpr.trajectories.points import require_numbers
from pyexpr.trajectories.spline import Spline

_FIRST_INTERVALS = 16
_NARROWEST = 2.0**-40
_CHECKED_AT = np.array([0.25, 0.5, 0.75])


def sample_path(
    function: Callable[[float], npt.ArrayLike],
    tolerance: float,
    *,
    kind: Literal["polyline", "spline"] = "polyline",
    max_points: int = 100_000,
    closed: bool = False,
) -> Trajectory:
    """A polyline or a spline near a function t -> point, with the function's own t.

    Counts are exact for the curve that this returns, which is within `tolerance` of the function
    as far as its samples see: at 1/4, 1/2 and 3/4 of every interval, of which there are at least
    16. What the function does between its samples is not seen.

    Parameters
    ----------
    function
        Takes a float from [0, 1], gives a point [*shape] of real numbers that float64 holds
        exactly.
    tolerance
        The largest distance at one t, in the Euclidean norm of flat points.
    kind
        "polyline": intervals are halved where they need it. "spline": all intervals are halved
        until all are near enough. Needs scipy.
    max_points
        The largest number of points that the curve may go through.
    closed
        Whether the curve is to be closed: the ends may then differ by up to `tolerance`, and the
        curve ends at the first. It is closed anyway if the ends are equal.

    Returns
    -------
    Polyline or Spline

    Raises
    ------
    ImportError
        A spline without scipy.
    TypeError
        `function` cannot be called, its points do not hold real numbers, or `max_points` is no
        integer.
    ValueError
        A tolerance that is not positive, an unknown `kind`, points that are not finite or change
        their shape, ends too far apart, or more points needed than `max_points`.
    """
    if kind not in ("polyline", "spline"):
        raise ValueError(f'kind is {kind!r}; it must be "polyline" or "spline"')
    samples = _Samples(function, _positive(tolerance), _at_least_two(max_points), closed)
    return _polyline(samples) if kind == "polyline" else _spline(samples)


class _Samples:
    """The function, checked and remembered; closed if its ends are one point."""

    def __init__(
        self,
        function: Callable[[float], npt.ArrayLike],
        tolerance: float,
        max_points: int,
        closed: bool,
    ) -> None:
        if not callable(function):
            raise TypeError(f"function is {function!r}; it must be callable, t -> point")
        self.function = function
        self.tolerance = tolerance
        self.max_points = max_points
        first = real_array("function(0.0)", function(0.0)).copy()
        require_numbers("function(0.0)", first.shape, first.shape)
        self.shape = first.shape
        self.points: dict[float, FloatArray] = {0.0: first.reshape(-1)}
        gap = float(np.linalg.norm(self(1.0) - self(0.0)))
        if closed and gap > tolerance:
            raise ValueError(
                f"closed is True, but function(0.0) and function(1.0) are {gap:.3g} apart, more "
                f"than the tolerance of {tolerance:.3g}"
            )
        self.closed = closed or gap == 0
        if self.closed:
            self.points[1.0] = self.points[0.0]

    def __call__(self, t: float) -> FloatArray:
        """The point at t, flat."""
        if t not in self.points:
            point = real_array(f"function({t})", self.function(t))
            if point.shape != self.shape:
                raise ValueError(
                    f"function({t}) has shape {point.shape}, but function(0.0) has {self.shape}; "
                    "all points must be alike"
                )
            self.points[t] = point.reshape(-1).copy()
        return self.points[t]

    def at(self, times: Iterable[float]) -> FloatArray:
        """[k, *shape]."""
        return np.stack([self(float(t)) for t in times]).reshape(-1, *self.shape)

    def require_room(self, count: int) -> None:
        if count > self.max_points:
            raise ValueError(
                f"tolerance is {self.tolerance:.3g}, which needs more than max_points = "
                f"{self.max_points} points; a larger tolerance or max_points will do"
            )


def _polyline(samples: _Samples) -> Polyline:
    grid = np.linspace(0, 1, _FIRST_INTERVALS + 1)
    knots, pending = [0.0], [float(t) for t in grid[:0:-1]]
    while pending:
        left, right = knots[-1], pending[-1]
        samples.require_room(len(knots) + len(pending))
        if _segment_fits(samples, left, right):
            knots.append(pending.pop())
        elif right - left < _NARROWEST:
            raise ValueError(
                f"function jumps by more than the tolerance of {samples.tolerance:.3g} near t = "
                f"{left}; a curve must be continuous"
            )
        else:
            pending.append((left + right) / 2)
    corners = knots[:-1] if samples.closed else knots
    return Polyline(samples.at(corners), samples.closed, knots=knots)


def _segment_fits(samples: _Samples, left: float, right: float) -> bool:
    start, end = samples(left), samples(right)
    return all(
        np.linalg.norm(samples(left + s * (right - left)) - ((1 - s) * start + s * end))
        <= samples.tolerance
        for s in _CHECKED_AT.tolist()
    )


def _spline(samples: _Samples) -> Spline:
    count = _FIRST_INTERVALS
    while True:
        samples.require_room(count + 1)
        knots = np.arange(count + 1) / count
        spline = Spline(samples.at(knots[:-1] if samples.closed else knots), samples.closed)
        checks = (np.arange(count)[:, None] + _CHECKED_AT).reshape(-1) / count
        apart = (spline(checks) - samples.at(checks)).reshape(len(checks), -1)
        if (np.linalg.norm(apart, axis=1) <= samples.tolerance).all():
            return spline
        count *= 2


def _positive(tolerance: float) -> float:
    number = real_number("tolerance", tolerance)
    if number <= 0:
        raise ValueError(f"tolerance is {number}; it must be positive")
    return number


def _at_least_two(max_points: int) -> int:
    try:
        count = operator.index(max_points)
    except TypeError as error:
        raise TypeError(f"max_points is {max_points!r}; it must be an integer") from error
    if count < 2:
        raise ValueError(f"max_points is {count}; it must be at least 2")
    return count
