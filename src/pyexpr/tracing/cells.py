"""Where a trajectory is one piece and a network one affine map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.tracing.masked import BLOCK, Masked
from pyexpr.tracing.patterns import chosen

if TYPE_CHECKING:
    from pyexpr.tracing.trace import Trace
    from pyexpr.trajectories import Piece


@dataclass(frozen=True, eq=False)
class Cells:
    """Some cells of one piece, in order.

    Attributes
    ----------
    piece : Piece
    number : int
        The piece's.
    left, right : float64 [K]
        Where they start and end, in the piece's parameter u; left < right.
    masked : Masked
        The network with their letters.
    """

    piece: Piece
    number: int
    left: FloatArray
    right: FloatArray
    masked: Masked

    def __len__(self) -> int:
        return len(self.left)


def cells(trace: Trace) -> Iterator[Cells]:
    """All intervals of a trace, cut where pieces join, in blocks of bounded size."""
    pieces = trace.trajectory.pieces
    inside = trace.piece < len(pieces)  # all but a closed trajectory's seam
    piece, u = trace.piece[inside], trace.u[inside]
    size = max(1, trace.network.n_neurons, pieces[0].points.shape[1])
    for number, whole in enumerate(pieces):
        step = max(1, BLOCK // (size * (2 * whole.degree - 1)))  # room for the hodograph's images
        first, last = np.searchsorted(piece, [number, number + 1])
        nodes = np.concatenate([[whole.start], u[first:last], [whole.end]])
        wide = np.flatnonzero(np.diff(nodes) > 0)
        for block in np.split(wide, range(step, len(wide), step)):
            letters = chosen(trace, first + block)
            masked = Masked(trace.network, letters)
            yield Cells(whole, number, nodes[block], nodes[block + 1], masked)
