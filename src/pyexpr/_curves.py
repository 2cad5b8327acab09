"""What functions take as a trajectory, for the compiled core."""

from __future__ import annotations

import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import end_points, shape_of
from pyexpr.network import Network, NetworkLike, as_network
from pyexpr.trajectories import Line, Piece, Trajectory


def read_arguments(
    net: NetworkLike, trajectory: Trajectory | npt.ArrayLike, x1: npt.ArrayLike | None
) -> tuple[Network, Trajectory]:
    """The network and the trajectory through its inputs that are meant.

    Raises
    ------
    TypeError
        Neither a trajectory alone nor two points.
    TypeError, ValueError
        As the network and the points raise them.
    """
    if isinstance(trajectory, Trajectory):
        if x1 is not None:
            raise TypeError("x1 goes with a point, not with a trajectory; leave it out")
        network = as_network(net, input_shape=trajectory.shape)
        if trajectory.shape != network.input_shape:
            raise ValueError(
                f"trajectory has points of shape {trajectory.shape}, "
                f"but the network's input is {network.input_shape}"
            )
        return network, trajectory
    if x1 is None:
        raise TypeError(
            f"trajectory is a {type(trajectory).__name__}; it must be a trajectory such as "
            "pyexpr.Arc(x0, x1), or the first of two points, x0 and x1"
        )
    network = as_network(net, input_shape=shape_of(trajectory))
    x0, x1 = end_points(trajectory, x1, network.input_shape)
    return network, Line(x0.reshape(network.input_shape), x1.reshape(network.input_shape))


def core_piece(piece: Piece) -> _core.Piece:
    """The piece as the compiled core reads it."""
    if piece.is_line:
        return _core.line(*piece.points)
    return _core.rational_bezier(piece.points, piece.mixing, piece.weights, piece.start, piece.end)


def core_trajectory(trajectory: Trajectory) -> _core.Trajectory:
    """The trajectory as the compiled core reads it."""
    return _core.Trajectory([core_piece(piece) for piece in trajectory.pieces], trajectory.closed)
