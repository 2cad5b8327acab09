"""A trace at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyexpr.plot.growth import lengths
from pyexpr.plot.raster import transitions
from pyexpr.plot.values import output
from pyexpr.tracing.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def overview(trace: Trace) -> Figure:
    """A figure with who switches where, the output, and the length of each layer's image.

    Parameters
    ----------
    trace
        What `pyexpr.trace` returns, of a trajectory that has a length.

    Returns
    -------
    matplotlib.figure.Figure
        Of two columns' width; not registered with pyplot.

    Raises
    ------
    TypeError
        An argument of the wrong kind.
    ValueError
        The trajectory is one point.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5.2), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplot_mosaic(
        [["transitions", "transitions"], ["output", "lengths"]], height_ratios=[3, 2]
    )
    transitions(trace, axes["transitions"])
    output(trace, ax=axes["output"])
    lengths(trace, axes["lengths"])
    return figure
