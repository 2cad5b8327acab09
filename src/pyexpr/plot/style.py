"""What the pictures look like, and new figures for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

COLUMN = 3.4  # inches, of a paper in two columns
DARK, GREY, PALE = "#333333", "#8c8c8c", "#dddddd"
BLUE, RED = "#3f6fa8", "#d1693f"
# Petroff's ten colours, told apart by the colour-blind too.
CYCLE = (
    "#3f90da", "#ffa90e", "#bd1f01", "#832db6", "#717581", "#a96b59", "#e76300", "#92dadd",
    "#b9ac70", "#94a4a2",
)  # fmt: skip
# Of a legend to the right of the axes.
BESIDE: dict[str, Any] = {
    "loc": "upper left",
    "bbox_to_anchor": (1.0, 1.0),
    "borderaxespad": 0.0,
    "frameon": False,
    "fontsize": "x-small",
    "title_fontsize": "x-small",
    "handlelength": 1.0,
    "labelspacing": 0.3,
}
_DPI = 200
_STEPS = [1, 2, 5, 10]
_MANY = 9  # entries of a legend


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> Figure:
    """One of pyplot's, with axes in rows and columns; sizes in inches."""
    from matplotlib import pyplot

    figure, _ = pyplot.subplots(
        rows, columns, figsize=(width, height), dpi=_DPI, layout="constrained", squeeze=False
    )
    return figure


def axes_of(ax: Axes | None, height: float, width: float = COLUMN) -> Axes:
    """The ones given, or those of a new figure.

    Raises
    ------
    TypeError
        `ax` is neither.
    """
    if ax is None:
        return new_figure(width, height).axes[0]
    if not isinstance(ax, Axes):
        raise TypeError(f"ax is {type(ax).__name__}; it must be matplotlib's Axes, or None")
    return ax


def dress(ax: Axes, *, title: str, x: str, y: str) -> None:
    """Title, labels and ticks in the sizes and weights of all pictures."""
    ax.set_title(title, fontsize="small", loc="left")
    ax.set_xlabel(x, fontsize="small")
    ax.set_ylabel(y, fontsize="small")
    ax.tick_params(which="both", labelsize="x-small", width=0.6, length=3, color=DARK)
    ax.tick_params(which="minor", length=1.5)
    ax.yaxis.get_offset_text().set_fontsize("x-small")
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_linewidth(0.6)


def at_whole_numbers(axis: Axis) -> None:
    """Ticks at round integers, with separators of thousands."""
    axis.set_major_locator(MaxNLocator("auto", integer=True, steps=_STEPS))
    axis.set_major_formatter("{x:,.0f}")


def share_limits(axes: Iterable[Axes]) -> None:
    """The same limits of y on all of them."""
    panels = [*axes]
    low, high = zip(*(ax.get_ylim() for ax in panels), strict=True)
    for ax in panels:
        ax.set_ylim(min(low), max(high))


def some_of(count: int) -> list[int]:
    """At most ten or so of range(count), at round distances from 0."""
    ticks = MaxNLocator(10, integer=True, steps=_STEPS).tick_values(0, max(1, count - 1))
    return [int(i) for i in ticks if 0 <= i < count]


def say_empty(ax: Axes) -> None:
    """Of a network without neurons."""
    ax.text(0.5, 0.5, "no hidden layers", ha="center", color=GREY, transform=ax.transAxes)
    ax.set_yticks([])


def side_legend(ax: Axes, colours: Iterable[tuple[str, str]], title: str | None = None) -> None:
    """Names and their colours, from top to bottom, beside the axes; only some of very many."""
    entries = [*colours]
    handles = [
        Patch(facecolor=entries[i][1], edgecolor=GREY, linewidth=0.4, label=entries[i][0])
        for i in spread(len(entries), _MANY)
    ]
    ax.legend(handles=handles, title=title, handleheight=1.0, **BESIDE)


def spread(count: int, most: int) -> list[int]:
    """Of range(count), at most this many, evenly, with the first and the last."""
    places = np.linspace(0, count - 1, min(count, most))
    return [int(i) for i in np.unique(places.round())]


def colours_of_letters(count: int) -> Colormap:
    """Off and on; low, middle and high; or a scale."""
    if count <= 2:
        return ListedColormap([PALE, BLUE])
    if count == 3:
        return ListedColormap([BLUE, "#f2efe9", RED])
    return mpl.colormaps["cividis"].resampled(count)


def colours_of_time(closed: bool) -> Colormap:
    """Along t; the same at both ends of a closed curve."""
    if not closed:
        return mpl.colormaps["viridis"]
    colours: npt.NDArray[np.float64] = mpl.colormaps["twilight_shifted"](np.arange(510))
    return ListedColormap(colours * [0.85, 0.85, 0.85, 1.0])
