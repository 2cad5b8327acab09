"""How the output changes along a trace: forward passes with the intervals' letters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pyexpr._arrays import FloatArray, read_only
from pyexpr.tracing.masked import BLOCK, Masked, Numbers
from pyexpr.tracing.patterns import chosen, consecutive

if TYPE_CHECKING:
    from pyexpr.tracing.trace import Trace


def directional(trace: Trace, intervals: Numbers, directions: FloatArray) -> FloatArray:
    """What the affine maps of intervals [k] make of directions [k, n]: float64 [k, m]."""
    out = np.empty((len(intervals), math.prod(trace.network.output_shape)))
    order = np.argsort(intervals, kind="stable")
    step = _rows_of_block(trace)
    for block in np.split(order, range(step, len(order), step)):
        masked = Masked(trace.network, chosen(trace, intervals[block]))
        out[block] = masked.output(directions[block], with_bias=False)
    return out


def lines(trace: Trace) -> tuple[FloatArray, FloatArray]:
    """Intercepts and slopes in t on every interval of a segment: float64 [I, *output_shape].

    Raises
    ------
    ValueError
        The trajectory is no segment.
    """
    pieces = trace.trajectory.pieces
    if len(pieces) != 1 or not pieces[0].is_line:
        raise ValueError(
            f"the trajectory is {trace.trajectory!r}, along which the output need not be affine "
            "in t; there are derivative(t) and affine_map(i) instead of slopes and intercepts"
        )
    start, end = pieces[0].points[:1], pieces[0].points[1:]
    count, shape = trace.n_intervals, trace.network.output_shape
    intercepts, slopes = np.empty((2, count, math.prod(shape)))
    step = _rows_of_block(trace)
    for first in range(0, count, step):
        block = slice(first, min(first + step, count))
        masked = Masked(trace.network, consecutive(trace, first, block.stop - first))
        intercepts[block] = masked.output(start)
        slopes[block] = masked.output(end - start, with_bias=False)
    return read_only(intercepts.reshape(count, *shape)), read_only(slopes.reshape(count, *shape))


def _rows_of_block(trace: Trace) -> int:
    """How many intervals may have their letters in memory at once."""
    return max(1, BLOCK // max(1, trace.network.n_neurons))
