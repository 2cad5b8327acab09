"""What the compiled core finds along a trajectory, in the words of traces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import FloatArray
from pyexpr.network import Network
from pyexpr.tracing.masked import Letters, Numbers
from pyexpr.trajectories import Trajectory

_BLOCK = 2**16  # breakpoints whose t is worked out at a time: it takes twenty times their memory


def times(trajectory: Trajectory, piece: Numbers, u: FloatArray, least: float = 0.0) -> FloatArray:
    """t of breakpoints in order along the trajectory, none below `least`: float64 [B].

    A breakpoint behind the last piece is the seam, at t = 1.
    """
    t = np.ones(len(u))
    inside = len(u) - seams(trajectory, piece)
    for begin in range(0, inside, _BLOCK):
        block = slice(begin, min(begin + _BLOCK, inside))
        t[block] = np.maximum(trajectory.parameter(piece[block], u[block]), least)
        least = t[block.stop - 1]
    return t


def seams(trajectory: Trajectory, piece: Numbers) -> int:
    """1 if the last of these breakpoints is the seam, else 0."""
    return int(len(piece) > 0 and piece[-1] == len(trajectory.pieces))


def with_letters(network: Network, transitions: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """A copy of transitions, with the letters of the layers instead of ones counted from 0."""
    out = np.zeros(len(transitions), transitions.dtype)  # a copy() leaves padding undefined
    out[...] = transitions
    first = np.array([layer.first_letter for layer in network.graph.layers], np.int16)
    for name in ("before", "after"):
        out[name] += first[out["layer"]]
    return out


def first_pattern(network: Network, raw: _core.Trace) -> Letters:
    """The letters on the first interval: int16 [n_neurons]."""
    first = np.array([layer.first_letter for layer in network.graph.layers], np.int16)
    letters: Letters = raw.first_pattern + np.repeat(first, network.neurons_per_layer)
    return letters
