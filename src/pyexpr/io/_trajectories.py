"""Trajectories as arrays, exactly: all pieces one after another, and their clock."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr._frozen import frozen
from pyexpr.io._archive import Array, require, typed
from pyexpr.trajectories import Line, Piece, Trajectory
from pyexpr.trajectories.bezier import MAX_DEGREE
from pyexpr.trajectories.clock import Clock

_PREFIX = "trajectory_"


def trajectory_arrays(trajectory: Trajectory) -> dict[str, Array]:
    """What `trajectory_from` reads. A Line stays one; of others the class is lost."""
    pieces, clock = trajectory.pieces, trajectory._clock
    arrays = {
        "shape": np.array(trajectory.shape, np.int64),
        "closed": np.array(trajectory.closed),
        "line": np.array(type(trajectory) is Line),
        "degree": np.array([piece.degree for piece in pieces]),
        "n_points": np.array([len(piece.points) for piece in pieces]),
        "points": np.concatenate([piece.points for piece in pieces]),
        "mixing": np.concatenate([piece.mixing.reshape(-1) for piece in pieces]),
        "weights": np.concatenate([piece.weights for piece in pieces]),
        "start": clock.starts,
        "end": clock.ends,
        "knots": clock.knots,
        "turns": clock.turns,
    }
    return {_PREFIX + name: array for name, array in arrays.items()}


def trajectory_from(arrays: Mapping[str, Array]) -> Trajectory:
    """The trajectory that some arrays describe.

    Raises
    ------
    One of MALFORMED
        Arrays are missing, of wrong types or shapes, or their pieces are none or do not join.
    """
    closed = bool(typed(arrays, _PREFIX + "closed", "b", 0))
    shape = tuple(typed(arrays, _PREFIX + "shape", "i", 1).tolist())
    pieces = _pieces(arrays)
    size = pieces[0].points.shape[1]
    require(min(shape, default=1) > 0 and np.prod(shape, dtype=object) == size, "shape")
    clock = _clock(arrays, pieces)
    if typed(arrays, _PREFIX + "line", "b", 0):
        require(len(pieces) == 1 and pieces[0].is_line and not closed, "line")
        x0, x1 = pieces[0].points
        return Line(x0.reshape(shape), x1.reshape(shape))
    neighbours = [*pairwise(pieces), *([(pieces[-1], pieces[0])] if closed else [])]
    require(all(_joined(*pair) for pair in neighbours), "points")
    return Trajectory(shape, pieces, clock, closed)


def _pieces(arrays: Mapping[str, Array]) -> list[Piece]:
    degree, n_points = (typed(arrays, _PREFIX + name, "i", 1) for name in ("degree", "n_points"))
    count = len(degree)
    require(count > 0 and degree.min() >= 1 and degree.max() <= MAX_DEGREE, "degree")
    require(len(n_points) == count and n_points.min() > 0, "n_points")
    weights, mixing = (_finite(arrays, name, 1) for name in ("weights", "mixing"))
    points = _finite(arrays, "points", 2)
    start, end = (_finite(arrays, name, 1) for name in ("start", "end"))
    require((weights > 0).all(), "weights")
    require(points.shape[1] > 0, "points")
    require(start.shape == end.shape == (count,), "start")
    parts = [
        _split("points", points, n_points),
        _split("mixing", mixing, n_points * (degree + 1)),
        _split("weights", weights, degree + 1),
    ]
    return [
        Piece(p, m.reshape(len(w), len(p)), w, *ends)
        for p, m, w, ends in zip(
            *parts, zip(start.tolist(), end.tolist(), strict=True), strict=True
        )
    ]


def _clock(arrays: Mapping[str, Array], pieces: list[Piece]) -> Clock:
    knots, turns = _finite(arrays, "knots", 1), typed(arrays, _PREFIX + "turns", "i", 1)
    require(len(knots) == len(pieces) + 1 and knots[0] == 0 and knots[-1] == 1, "knots")
    require(len(turns) == len(pieces) and set(turns.tolist()) <= {-1, 0, 1}, "turns")
    starts, ends = ([getattr(piece, name) for piece in pieces] for name in ("start", "end"))
    return Clock(knots, np.array(starts), np.array(ends), turns.astype(np.int64))


def _joined(before: Piece, after: Piece) -> bool:
    if before.is_line and after.is_line:
        return bool((before.points[1] == after.points[0]).all())
    return before.exact_position(before.end) == after.exact_position(after.start)


def _finite(arrays: Mapping[str, Array], name: str, ndim: int) -> FloatArray:
    array = frozen(typed(arrays, _PREFIX + name, "f", ndim).astype(np.float64))
    require(np.isfinite(array).all(), name)
    return array


def _split(name: str, array: FloatArray, counts: Array) -> list[FloatArray]:
    require(sum(counts.tolist()) == len(array), name)
    return np.split(array, np.cumsum(counts)[:-1])
