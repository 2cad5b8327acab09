"""What functions take as a trajectory, for the compiled core."""

from __future__ import annotations

from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import FloatArray, end_points, shape_of
from pyexpr._batches import Batch, read_batch
from pyexpr._networks import NetworkLike, as_network
from pyexpr.network import Network
from pyexpr.trajectories import Line, Piece, Trajectory

Given: TypeAlias = Trajectory | npt.ArrayLike

_TWICE = "x1 goes with a point, not with a trajectory; leave it out"


def read_curve(
    net: NetworkLike, trajectory: Given, x1: npt.ArrayLike | None
) -> tuple[Network, _core.Trajectory | Batch]:
    """The network and the curve through its inputs that is meant, or the segments between rows of
    points, for the compiled core.

    Raises
    ------
    TypeError
        Neither a trajectory alone nor two points.
    TypeError, ValueError
        As the network and the points raise them.
    """
    if isinstance(trajectory, Trajectory):
        network, curve = read_arguments(net, trajectory, x1)
        return network, core_trajectory(curve)
    end = _second(trajectory, x1)
    network = as_network(net, input_shape=shape_of(trajectory))
    batch = read_batch(trajectory, end, network.input_shape)
    if batch is not None:
        return network, batch
    x0, x1 = end_points(trajectory, end, network.input_shape)
    return network, _core.Trajectory([_core.line(x0, x1)], False)


def read_arguments(
    net: NetworkLike, trajectory: Given, x1: npt.ArrayLike | None
) -> tuple[Network, Trajectory]:
    """The network and the trajectory; errors as for `read_curve`."""
    if not isinstance(trajectory, Trajectory):
        network, x0, end = _segment(net, trajectory, x1)
        return network, Line(x0.reshape(network.input_shape), end.reshape(network.input_shape))
    if x1 is not None:
        raise TypeError(_TWICE)
    network = as_network(net, input_shape=trajectory.shape)
    if trajectory.shape != network.input_shape:
        raise ValueError(
            f"trajectory has points of shape {trajectory.shape}, "
            f"but the network's input is {network.input_shape}"
        )
    return network, trajectory


def read_path(inputs: int, trajectory: Given, x1: npt.ArrayLike | None) -> Trajectory:
    """The trajectory, or the segment between two points, through spaces of so many inputs.

    Raises
    ------
    TypeError
        Neither a trajectory alone nor two points.
    ValueError
        Points that `Line` refuses, or of another number of inputs.
    """
    if isinstance(trajectory, Trajectory):
        if x1 is not None:
            raise TypeError(_TWICE)
        path = trajectory
    else:
        path = Line(trajectory, _second(trajectory, x1))
    if prod(path.shape) != inputs:
        raise ValueError(
            f"trajectory has points of shape {path.shape}, but the network has {inputs} inputs"
        )
    return path


def is_segment(trajectory: Given) -> bool:
    """Whether a pattern cannot come back on it."""
    if not isinstance(trajectory, Trajectory):
        return True
    return len(trajectory.pieces) == 1 and trajectory.pieces[0].is_line


def _segment(
    net: NetworkLike, x0: npt.ArrayLike, x1: npt.ArrayLike | None
) -> tuple[Network, FloatArray, FloatArray]:
    """The network and two points, flat."""
    end = _second(x0, x1)
    network = as_network(net, input_shape=shape_of(x0))
    return network, *end_points(x0, end, network.input_shape)


def _second(x0: npt.ArrayLike, x1: npt.ArrayLike | None) -> npt.ArrayLike:
    """Of two points."""
    if x1 is None:
        raise TypeError(
            f"trajectory is a {type(x0).__name__}; it must be a trajectory such as "
            "pyexpr.Arc(x0, x1), or the first of two points, x0 and x1"
        )
    return x1


def core_piece(piece: Piece) -> _core.Piece:
    """The piece as the compiled core reads it."""
    if piece.is_line:
        return _core.line(*piece.points)
    return _core.rational_bezier(piece.points, piece.mixing, piece.weights, piece.start, piece.end)


def core_trajectory(trajectory: Trajectory) -> _core.Trajectory:
    """The trajectory as the compiled core reads it."""
    pieces = trajectory.pieces
    if len(pieces) > 1 and all(piece.is_line for piece in pieces):
        corners = np.stack([*(piece.points[0] for piece in pieces), pieces[-1].points[-1]])
        return _core.polyline(corners, trajectory.closed)
    return _core.Trajectory([core_piece(piece) for piece in trajectory.pieces], trajectory.closed)
