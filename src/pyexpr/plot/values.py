"""A network's output along a trajectory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from pyexpr._arrays import FloatArray
from pyexpr._text import plural
from pyexpr.plot.evaluation import chosen, outputs_along, require_samples, require_trace
from pyexpr.plot.style import BESIDE, CYCLE, DARK, GREY, axes_of, dress
from pyexpr.tracing.trace import Trace
from pyexpr.trajectories import Trajectory

_RUG = 0.035  # of the axes' height, for each of its two rows
_DENSE = 500  # ticks of a row that need not be faint
_DOTS = 100  # bends that are worth one each on the curve


def output(
    trace: Trace,
    outputs: Iterable[int] | None = None,
    ax: Axes | None = None,
    samples: int = 1000,
) -> Axes:
    """The network's output along t, and where it bends.

    Below the curves, dark ticks are the breakpoints at which the network's output bends, and grey
    ones below them those at which neurons switch but the output does not bend. Up to 100 bends are
    dots on the curves too.

    Parameters
    ----------
    trace
        What `pyexpr.trace` returns.
    outputs
        Their numbers in the flat order, at most 10; the first 10 if None.
    ax
        Where to draw; a new figure if None.
    samples
        On a line or a polyline, curves are drawn through the breakpoints and corners alone, which
        is exact. On other trajectories, at this many t more, evenly spread.

    Returns
    -------
    Axes
        x is t, y the output.

    Raises
    ------
    IndexError
        There is no such output.
    TypeError, ValueError
        An argument of the wrong kind, no outputs or more than 10, fewer than 2 samples.
    """
    require_trace(trace)
    size = math.prod(trace.network.output_shape)
    shown = chosen("outputs", range(min(size, len(CYCLE))) if outputs is None else outputs, size)
    if len(shown) > len(CYCLE):
        raise ValueError(
            f"outputs has {len(shown)} numbers; at most {len(CYCLE)} can be told apart"
        )
    t = _grid(trace, require_samples(samples))
    values = outputs_along(trace.network, trace.trajectory, t)[:, shown]
    ax = axes_of(ax, 2.1)
    bends = trace.t[trace.bends]
    _draw_curves(ax, t, values, shown, bends if len(bends) <= _DOTS else bends[:0])
    _draw_rug(ax, bends, trace.t[~trace.bends])
    title = f"{plural(len(trace.t), 'breakpoint')}, {plural(len(bends), 'bend')}"
    dress(ax, title=title, x="t", y="output")
    if len(shown) > 1:
        ax.legend(**BESIDE, title="output")
    ax.set_xlim(0, 1)
    return ax


def _draw_curves(
    ax: Axes, t: FloatArray, values: FloatArray, numbers: list[int], dots: FloatArray
) -> None:
    marks = np.searchsorted(t, dots).tolist()
    style: dict[str, Any] = {"marker": ".", "markersize": 4, "markevery": marks} if marks else {}
    for column, number, colour in zip(values.T, numbers, CYCLE, strict=False):
        ax.plot(t, column, color=colour, linewidth=1.0, label=str(number), **style)


def _draw_rug(ax: Axes, bends: FloatArray, others: FloatArray) -> None:
    """Below the curves, for which room is made; the denser, the fainter."""
    rows = [(places, colour) for places, colour in ((others, GREY), (bends, DARK)) if len(places)]
    for row, (places, colour) in enumerate(rows):
        bottom = (0.5 + 1.3 * row) * _RUG
        ends = np.broadcast_to([[bottom], [bottom + _RUG]], (2, len(places)))
        ticks = np.stack([np.broadcast_to(places, ends.shape), ends], axis=-1)
        ax.add_collection(
            LineCollection(
                [*ticks.swapaxes(0, 1)],
                colors=colour,
                linewidths=0.5,
                alpha=max(0.03, min(1.0, _DENSE / len(places))),
                transform=ax.get_xaxis_transform(),
                rasterized=len(places) > _DENSE,
            ),
            autolim=False,
        )
    low, high = ax.get_ylim()
    ax.set_ylim(low - 1.5 * len(rows) * _RUG * (high - low), high)


def _grid(trace: Trace, samples: int) -> FloatArray:
    """Between which the output is drawn straight."""
    corners = _corners(trace.trajectory)
    straight = all(piece.is_line for piece in trace.trajectory.pieces)
    between = np.empty(0) if straight else np.linspace(0, 1, samples)
    return np.unique(np.concatenate([trace.nodes, corners, between]))


def _corners(trajectory: Trajectory) -> FloatArray:
    """Where pieces join."""
    starts = [piece.start for piece in trajectory.pieces]
    return trajectory.parameter(np.arange(len(starts)), starts)
