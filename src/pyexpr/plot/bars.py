"""How often the neurons of each layer switch."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from pyexpr._text import plural
from pyexpr.plot.evaluation import require_trace
from pyexpr.plot.style import BLUE, at_whole_numbers, axes_of, dress, say_empty, some_of
from pyexpr.tracing.trace import Trace


def transitions_per_layer(trace: Trace, ax: Axes | None = None) -> Axes:
    """A bar for every layer, as high as its number of transitions.

    Parameters
    ----------
    trace
        What `pyexpr.trace` returns.
    ax
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        x is the layer, counted from 0, y the number of transitions.

    Raises
    ------
    TypeError
        An argument of the wrong kind.
    """
    require_trace(trace)
    ax = axes_of(ax, 2.1)
    depth = len(trace.network.neurons_per_layer)
    counts = np.bincount(trace.transitions["layer"], minlength=depth)
    ax.bar(range(depth), counts, width=0.7, color=BLUE)
    dress(ax, title=plural(len(trace.transitions), "transition"), x="layer", y="transitions")
    ax.set_xticks(some_of(depth))
    at_whole_numbers(ax.yaxis)
    room = max(0.6, 2 - depth / 2)
    ax.set(xlim=(-room, max(1, depth) - 1 + room), ylim=(0, 1.05 * max([1, *counts])))
    if not depth:
        say_empty(ax)
    return ax
