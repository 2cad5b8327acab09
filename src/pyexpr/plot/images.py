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
from pyexpr.network import Network, NetworkLike
from pyexpr.plot.evaluation import chosen, require_samples
from pyexpr.plot.style import COLUMN, GREY, PALE, colours_of_time, new_figure, spread
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
    images = _images(network, curve(t), [*shown], projection, seed)
    made = _new_axes(len(images), curve.closed) if panels is None else panels
    names = ["input", *(f"layer {i}" for i in shown)]
    for ax, image, name in zip(made, images, names, strict=True):
        _draw(ax, image, t, name, curve.closed)
    return made


def _images(
    network: Network, x: FloatArray, shown: list[int], projection: str, seed: int
) -> list[FloatArray]:
    """Of points [S, *input_shape]: [S, 2] for the input and every layer shown."""
    layers = network.graph.layers
    flat = x.reshape(len(x), -1)

    def project(number: int, values: FloatArray) -> FloatArray:
        if projection == "pca":
            return _by_variance(values)
        return _by_chance(values, np.random.default_rng([seed, number]))

    images = {-1: project(0, flat)}

    def activate(number: int, z: FloatArray) -> FloatArray:
        values = layers[number].evaluate(z)
        if number in shown:
            images[number] = project(1 + number, values)
        return values

    network.graph.evaluate(flat, activate)
    return [images[number] for number in (-1, *shown)]


def _by_variance(values: FloatArray) -> FloatArray:
    """To the plane of the two largest principal components, with the start at its upper right."""
    centred = values - values.mean(axis=0)
    if centred.shape[0] < centred.shape[1]:
        squares, vectors = np.linalg.eigh(centred @ centred.T)  # the smaller matrix
        image = vectors * np.sqrt(np.maximum(squares, 0))
    else:
        image = centred @ np.linalg.eigh(centred.T @ centred)[1]
    image = _plane(image[:, ::-1])
    return image * np.where(image[0] < 0, -1, 1)


def _by_chance(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    plane, _ = np.linalg.qr(rng.standard_normal((values.shape[1], 2)))
    return _plane(values @ plane)


def _plane(columns: FloatArray) -> FloatArray:
    """The first two, with zeros where there is only one."""
    image = np.zeros((len(columns), 2))
    width = min(2, columns.shape[1])
    image[:, :width] = columns[:, :width]
    return image


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


def _draw(ax: Axes, image: FloatArray, t: FloatArray, name: str, closed: bool) -> None:
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
