"""How long the images of a trajectory are."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from pyexpr.plot.evaluation import require_trace
from pyexpr.plot.style import BLUE, axes_of, dress, some_of
from pyexpr.tracing.trace import Trace

_FEW = 30  # layers
_WIDE = 200.0
_BELOW = 1 - 1e-9  # there is no logarithm of 0


def lengths(trace: Trace, ax: Axes | None = None) -> Axes:
    """The length of the trajectory's image in every layer, by that of the trajectory.

    On a logarithmic scale; an image of length 0 is left out. Bars show the lengths' errors.

    Parameters
    ----------
    trace
        What `pyexpr.trace` returns.
    ax
        Where to draw; a new figure if None.

    Returns
    -------
    Axes
        x counts the input as 0, the layers from 1, then the output; y is the ratio.

    Raises
    ------
    TypeError
        An argument of the wrong kind.
    ValueError
        The trajectory is one point.
    """
    require_trace(trace)
    found = trace.lengths
    if not found.length[0]:
        raise ValueError("the trajectory is one point; lengths are by its own, which is 0")
    ax = axes_of(ax, 2.1)
    ratio = np.where(found.ratio > 0, found.ratio, np.nan)
    ax.set_yscale("log")
    size = 3 if len(ratio) <= _FEW else 1.5
    ax.plot(ratio, color=BLUE, linewidth=1.0, marker="o", markersize=size)
    if found.error.any():
        error = np.minimum(found.error / found.length[0], ratio * _BELOW)
        ax.errorbar(range(len(ratio)), ratio, error, fmt="none", ecolor=BLUE)
    dress(ax, title="Length of the image", x="layer", y="length / input length")
    _name_layers(ax, len(ratio) - 2)
    _name_ratios(ax)
    return ax


def _name_layers(ax: Axes, depth: int) -> None:
    """The input and the output at the ends, and some layers between."""
    numbers = some_of(depth)
    gap = numbers[1] / 2 if len(numbers) > 1 else 0
    named = [i for i in numbers if min(i + 1, depth - i) > gap]
    ax.set_xticks([0, *(i + 1 for i in named), depth + 1], ["in", *map(str, named), "out"])
    margin = 0.04 * (depth + 2)
    ax.set_xlim(-margin, depth + 1 + margin)


def _name_ratios(ax: Axes) -> None:
    """As numbers, not powers, unless they are of very different sizes."""
    low, high = ax.get_ylim()
    if high / low > _WIDE:
        return
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high / low > 5 else MaxNLocator(4))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())
