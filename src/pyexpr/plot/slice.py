"""Regions of a network on a plane through its input space, sampled."""

from __future__ import annotations

import math
import operator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.patheffects import withStroke

from pyexpr._arrays import FloatArray, real_array, shape_of
from pyexpr._networks import NetworkLike, as_network
from pyexpr.network import Network
from pyexpr.plot.evaluation import blocks, letters_at
from pyexpr.plot.style import DARK, axes_of, dress
from pyexpr.tracing.masked import Masked
from pyexpr.trajectories import Trajectory
from pyexpr.trajectories.points import alike

Keys = npt.NDArray[np.uint64]

_SHADE = 0.35  # of boundaries
_SAME = 1e-9  # relative difference of slopes that are taken for the same
_CURVE_SAMPLES = 1000


def slice_regions(
    net: NetworkLike,
    origin: npt.ArrayLike,
    u: npt.ArrayLike,
    v: npt.ArrayLike,
    extent: tuple[float, float, float, float] = (-1.5, 1.5, -1.5, 1.5),
    resolution: int = 400,
    ax: Axes | None = None,
    kind: Literal["activation", "linear"] = "activation",
    trajectory: Trajectory | None = None,
) -> Axes:
    """Regions on the plane origin + a u + b v, a colour each, with dark boundaries.

    For orientation only: this picture samples, and misses what is between its samples, while
    counts are exact. Colours have no meaning, but are the same wherever a pattern comes back.

    Parameters
    ----------
    net
        Anything that `as_network` takes.
    origin, u, v : array_like [*input_shape]
        Real numbers that float64 holds exactly; u and v span the plane.
    extent
        The least and the largest a, then those of b.
    resolution
        Samples along either axis, at least 2.
    ax
        Where to draw; a new figure if None.
    kind
        "activation": where no neuron changes its letter. "linear": where the output, on this plane,
        is one affine function up to rounding.
    trajectory
        A curve to be drawn on top, projected orthogonally to the plane; a dot is at t = 0.

    Returns
    -------
    Axes
        x is a, y is b.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind or shape, u and v that are parallel, an extent without area,
        fewer than 2 samples, an unknown `kind`.
    """
    if kind not in ("activation", "linear"):
        raise ValueError(f'kind is {kind!r}; it must be "activation" or "linear"')
    network = as_network(net, input_shape=shape_of(origin))
    plane = _plane(network, origin, u, v)
    a, b = _grid(extent, resolution)
    drawn = None if trajectory is None else _projected(network, plane, trajectory)
    ax = axes_of(ax, 3.2)
    places = np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)
    keys = _patterns(network, plane, places)
    if kind == "linear":
        keys = _maps(network, plane, places, keys)
    colours = _colours(keys.reshape(len(b), len(a)))
    ax.imshow(colours, origin="lower", extent=extent, interpolation_stage="rgba")
    if drawn is not None:
        outline = [withStroke(linewidth=2.6, foreground="white")]
        ax.plot(*drawn.T, color=DARK, linewidth=1.2, path_effects=outline)
        ax.plot(*drawn[0], ".", color=DARK, markersize=8, markeredgecolor="white")
    ax.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
    dress(ax, title=f"{kind.capitalize()} regions, sampled", x="a, along u", y="b, along v")
    return ax


def _plane(
    network: Network, origin: npt.ArrayLike, u: npt.ArrayLike, v: npt.ArrayLike
) -> FloatArray:
    """The three as rows [3, n]."""
    rows, shape = alike(origin=origin, u=u, v=v)
    if shape != network.input_shape:
        raise ValueError(
            f"origin, u and v have shape {shape}, but the network's input is {network.input_shape}"
        )
    if np.linalg.matrix_rank(rows[1:]) < 2:
        raise ValueError("u and v are parallel; they must span a plane")
    return rows


def _grid(extent: object, resolution: int) -> tuple[FloatArray, FloatArray]:
    """The middles of the picture's points, along a and b."""
    bounds = real_array("extent", extent, 1)
    if len(bounds) != 4 or bounds[0] >= bounds[1] or bounds[2] >= bounds[3]:
        raise ValueError(f"extent is {extent!r}; it must be (a0, a1, b0, b1), a0 < a1 and b0 < b1")
    count = operator.index(resolution)
    if count < 2:
        raise ValueError(f"resolution is {count}; it must be at least 2")
    middles = (np.arange(count) + 0.5) / count
    a0, a1, b0, b1 = bounds
    return a0 + middles * (a1 - a0), b0 + middles * (b1 - b0)


def _projected(network: Network, plane: FloatArray, trajectory: Trajectory) -> FloatArray:
    """a and b along a curve: [S, 2]."""
    if not isinstance(trajectory, Trajectory):
        raise TypeError(f"trajectory is {type(trajectory).__name__}; it must be a trajectory")
    if trajectory.shape != network.input_shape:
        raise ValueError(
            f"trajectory has points of shape {trajectory.shape}, "
            f"but the network's input is {network.input_shape}"
        )
    points = trajectory(np.linspace(0, 1, _CURVE_SAMPLES)).reshape(_CURVE_SAMPLES, -1)
    coordinates: FloatArray = (points - plane[0]) @ np.linalg.pinv(plane[1:])
    return coordinates


def _points(plane: FloatArray, places: FloatArray) -> FloatArray:
    points: FloatArray = plane[0] + places @ plane[1:]
    return points


def _patterns(network: Network, plane: FloatArray, places: FloatArray) -> Keys:
    """A number for the pattern at every place."""
    keys = np.empty(len(places), dtype=np.uint64)
    for block in blocks(len(places), network):
        keys[block] = _hash(letters_at(network, _points(plane, places[block])))
    return keys


def _maps(network: Network, plane: FloatArray, places: FloatArray, patterns: Keys) -> Keys:
    """A number for the affine function of a and b at every place, once for each pattern."""
    _, first, which = np.unique(patterns, return_index=True, return_inverse=True)
    maps = np.empty((len(first), 3, math.prod(network.output_shape)))
    for block in blocks(len(first), network):
        masked = Masked(network, letters_at(network, _points(plane, places[first[block]])))
        for row, vector in enumerate(plane[:, None]):
            maps[block, row] = masked.output(vector, with_bias=row == 0)
    flat = maps.reshape(len(first), -1)
    scale = np.abs(flat).max(axis=0) * _SAME
    rounded = np.round(np.divide(flat, scale, out=np.zeros_like(flat), where=scale > 0))
    return _hash(rounded.astype(np.int64))[which.reshape(-1)]


def _hash(numbers: npt.NDArray[np.integer[Any]]) -> Keys:
    """Of every row, modulo 2^64."""
    factors = np.random.default_rng(0).integers(2**64, size=numbers.shape[1], dtype=np.uint64)
    keys: Keys = numbers.astype(np.uint64) @ factors
    return keys


def _colours(keys: Keys) -> FloatArray:
    """Pastels, darker where the neighbour to the left or below is in another region: [b, a, 3]."""
    hue, saturation, value = ((keys >> np.uint64(shift)) % 2**16 / 2**16 for shift in (48, 32, 16))
    hsv = np.stack([hue, 0.12 + 0.25 * saturation, 0.9 + 0.1 * value], axis=-1)
    edge = np.zeros(keys.shape, dtype=bool)
    edge[1:] |= keys[1:] != keys[:-1]
    edge[:, 1:] |= keys[:, 1:] != keys[:, :-1]
    colours: FloatArray = hsv_to_rgb(hsv)
    colours[edge] *= _SHADE + (1 - _SHADE) * edge.mean()  # so that many leave something to see
    return colours
