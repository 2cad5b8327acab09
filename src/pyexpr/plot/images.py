"""What layers make of a trajectory, seen in two dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection

from pyexpr._arrays import FloatArray
from pyexpr._curves import read_arguments
from pyexpr._networks import NetworkLike
from pyexpr.plot.evaluation import chosen, require_samples
from pyexpr.plot.style import COLUMN, GREY, PALE, colours_of_time, new_figure, spread
from pyexpr.tracing.projections import layer_projections
from pyexpr.trajectories import Trajectory

AxesArray = npt.NDArray[Any]  # of Axes

_PANELS = 8  # by default
_COLUMNS = 4


def layer_images(
    net: NetworkLike,
    trajectory: Trajectory,
    layers: Iterable[int] | None = None,
    axes: AxesArray | None = None,
    *,
    projection: Literal["pca", "random"] = "pca",
    samples: int = 1000,
    seed: int = 0,
) -> AxesArray:
    """The image of a trajectory in the input space and in layers, projected to a plane each.

    As in figure 1 of Raghu et al. (2017). This picture samples: every curve is drawn straight
    between neighbouring samples. The number below a panel is the width of what it shows.

    Parameters
    ----------
    net
        Anything that `as_network` takes.
    trajectory
        A curve through the network's inputs.
    layers
        Counted from 0; if None, all of at most 7, or 7 that are evenly spread.
    axes : array of Axes [1 + layers]
        Where to draw, the input first; a new figure, with a colour bar of t, if None.
    projection
        "pca": to the plane in which the samples vary most. "random": to a random plane, uniformly.
    samples
        How many t, evenly spread, at least 2.
    seed
        Of the random planes.

    Returns
    -------
    array of Axes [1 + layers]
        Coordinates are those in the plane, in the units of the layer.

    Raises
    ------
    IndexError
        There is no such layer.
    TypeError, ValueError
        An argument of the wrong kind, or another number of axes.
    """
    network, curve = read_arguments(net, trajectory, None)
    if projection not in ("pca", "random"):
        raise ValueError(f'projection is {projection!r}; it must be "pca" or "random"')
    depth = len(network.graph.layers)
    shown = spread(depth, _PANELS - 1) if layers is None else chosen("layers", layers, depth)
    panels = _checked(axes, 1 + len(shown))
    t = np.linspace(0, 1, require_samples(samples))
    images = layer_projections(network, curve(t), shown, projection, seed)
    made = _new_axes(len(images), curve.closed) if panels is None else panels
    names = ["input", *(f"layer {i}" for i in shown)]
    for ax, image, name in zip(made, images, names, strict=True):
        draw_image(ax, image, t, name, curve.closed)
    return made


def _checked(axes: AxesArray | None, count: int) -> AxesArray | None:
    if axes is None:
        return None
    panels = np.array(axes, dtype=object).reshape(-1)
    if len(panels) != count or not all(isinstance(ax, Axes) for ax in panels):
        raise ValueError(
            f"axes must be {count} of matplotlib's Axes, for the input and {count - 1} layers"
        )
    return panels


def _new_axes(count: int, closed: bool) -> AxesArray:
    """In rows, with a colour bar of t."""
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = new_figure(COLUMN, 1.05 * rows * _COLUMNS / max(columns, 3), rows, columns)
    panels, spare = figure.axes[:count], figure.axes[count:]
    for ax in spare:
        ax.remove()
    bar = figure.colorbar(ScalarMappable(cmap=colours_of_time(closed)), ax=panels, aspect=15 * rows)
    bar.set_ticks([0, 1])
    bar.set_label("t", fontsize="small", labelpad=-2, rotation=0)
    bar.ax.tick_params(labelsize="x-small", length=0)
    bar.outline.set_visible(False)
    return np.array(panels, dtype=object)


def draw_image(ax: Axes, image: FloatArray, t: FloatArray, name: str, closed: bool) -> None:
    """A projected image [S, 2] of samples at t [S]."""
    segments = np.stack([image[:-1], image[1:]], axis=1)
    ax.add_collection(
        LineCollection(
            [*segments],
            array=(t[:-1] + t[1:]) / 2,
            cmap=colours_of_time(closed),
            linewidths=1.0,
            capstyle="round",
        )
    )
    low, high = image.min(axis=0), image.max(axis=0)
    width = float((high - low).max())
    half = 0.55 * width or 1.0
    x, y = (low + high) / 2
    ax.set(xlim=(x - half, x + half), ylim=(y - half, y + half), aspect="equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_color(PALE)
    ax.spines[:].set_linewidth(0.6)
    ax.set_title(name, fontsize="small")
    ax.set_xlabel(rf"$\leftrightarrow$ {width:.2g}", fontsize="x-small", color=GREY)
