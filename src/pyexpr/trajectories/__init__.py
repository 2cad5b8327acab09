"""Curves through the input space, made of exact rational pieces."""

from pyexpr.trajectories.arc import Arc, Circle
from pyexpr.trajectories.base import Trajectory
from pyexpr.trajectories.bezier import Bezier
from pyexpr.trajectories.chain import Chain
from pyexpr.trajectories.line import Line, Polyline
from pyexpr.trajectories.piece import Piece
from pyexpr.trajectories.sampled import sample_path
from pyexpr.trajectories.spline import Spline

__all__ = [
    "Arc",
    "Bezier",
    "Chain",
    "Circle",
    "Line",
    "Piece",
    "Polyline",
    "Spline",
    "Trajectory",
    "sample_path",
]
