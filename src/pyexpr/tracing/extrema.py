"""Where along a trajectory an output is smallest or largest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.tracing.cells import Cells, cells

if TYPE_CHECKING:
    from pyexpr.tracing.trace import Trace

_NEGLIGIBLE = 1e-200  # of a polynomial's coefficients: its leading one is divided by


class Extremum(NamedTuple):
    """An output's smallest or largest value, and where it has it.

    Attributes
    ----------
    t : float
    value : float
    """

    t: float
    value: float


def largest(trace: Trace, output: int, sign: int) -> Extremum:
    """The largest value of sign times an output, among all places where it could be."""
    best = -np.inf, 0, trace.trajectory.pieces[0].start
    for block in cells(trace):
        u = np.concatenate([block.left, block.right[-1:], *_critical(block, output)])
        points = block.piece.position(u).reshape(-1, *trace.network.input_shape)
        values = sign * trace.network(points).reshape(len(u), -1)[:, output]
        i = int(values.argmax())
        if values[i] > best[0]:
            best = float(values[i]), block.number, float(u[i])
    value, piece, place = best
    return Extremum(float(trace.trajectory.parameter(piece, place)), sign * value)


def _critical(block: Cells, output: int) -> Iterator[FloatArray]:
    """u of the cells' interior where an output's derivative may vanish.

    The derivative is, up to a positive factor, the sum of c_k u^k (1 - u)^(2d - 2 - k) over the
    images c_k of the hodograph, and so a polynomial in u / (1 - u).
    """
    hodograph = block.piece.hodograph()
    if len(hodograph) == 1:
        return  # one sign on all of the piece
    images = [block.masked.output(vector[None], with_bias=False) for vector in hodograph]
    coefficients = np.stack([image[:, output] for image in images], axis=1)
    scale = np.abs(coefficients).max(axis=1, keepdims=True)
    coefficients[np.abs(coefficients) <= _NEGLIGIBLE * scale] = 0
    mixed = (coefficients.min(axis=1) < 0) & (coefficients.max(axis=1) > 0)
    for i in np.flatnonzero(mixed):
        # Of complex roots too: rounding makes them of real ones, and a place too many does no harm.
        ratio = np.roots(coefficients[i, ::-1]).real
        u = ratio[ratio > 0] / (1 + ratio[ratio > 0])
        yield u[(block.left[i] < u) & (u < block.right[i])]
