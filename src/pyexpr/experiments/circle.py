"""What layers make of a circle, as in the first figure of Raghu et al. (2017)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, integer, not_negative
from pyexpr._progress import Progress
from pyexpr.experiments.judging import limit, rate_a_layer, standard_error, verdict
from pyexpr.experiments.result import Claim, Result, arguments_of
from pyexpr.experiments.sweep import sweep
from pyexpr.experiments.table import Table
from pyexpr.network import Network
from pyexpr.tracing.projections import layer_projections
from pyexpr.tracing.trace import trace
from pyexpr.trajectories import Circle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Counts: TypeAlias = npt.NDArray[np.int64]

_PANELS = 8  # images in a row, at most


@dataclass(frozen=True, eq=False, repr=False)
class CircleResult(Result):
    """A circle's image in the layers of random hard-tanh networks.

    Attributes
    ----------
    weight_variance : float64 [V]
        There are no biases.
    images : float64 [V, 1 + depth, samples, 2]
        Of the circle and its image in every layer, for the first network: coordinates in the
        plane in which the samples vary most, at evenly spread t.
    lengths : float64 [V, networks, 1 + depth]
        Of the circle and of its image in every layer, up to rounding.
    transitions : int64 [V, networks, depth]
        In each layer.
    regions : int64 [V, networks]
        Activation regions of the circle.
    """

    name = "circle"
    title = "The image of a circle in the layers of a random network"

    weight_variance: FloatArray
    images: FloatArray
    lengths: FloatArray
    transitions: Counts
    regions: Counts

    @property
    def length_rates(self) -> tuple[FloatArray, FloatArray]:
        """What a layer multiplies lengths by, and its standard error: float64 [V] each.

        From the input to the last layer.
        """
        return rate_a_layer(
            self.lengths[:, :, 0], self.lengths[:, :, -1], self.lengths.shape[2] - 1
        )

    @property
    def transition_rates(self) -> tuple[FloatArray, FloatArray]:
        """What a layer multiplies transitions by, from the first to the last: as lengths."""
        counts = self.transitions
        return rate_a_layer(counts[:, :, 0], counts[:, :, -1], counts.shape[2] - 1)

    @property
    def table(self) -> Table:
        depth = self.transitions.shape[2]
        rows = [
            (
                float(w), layer,
                float(lengths[layer].mean()), float(standard_error(lengths[layer])),
                float(counts[layer - 1].mean()) if layer else None,
                float(standard_error(counts[layer - 1])) if layer else None,
            )
            for w, lengths, counts in zip(
                self.weight_variance, self.lengths.swapaxes(1, 2),
                self.transitions.swapaxes(1, 2), strict=True,
            )
            for layer in range(depth + 1)
        ]  # fmt: skip
        names = "weight variance", "layer", "length", "s.e.", "transitions", "s.e. of them"
        return Table(names, tuple(rows))

    @property
    def claims(self) -> list[Claim]:
        return [self._longer(), self._tangled()]

    def plot(self) -> Figure:
        """The images, a row for each weight variance; lengths and transitions by layer."""
        from pyexpr.plot.style import new_figure, spread

        count, depth = len(self.weight_variance), self.transitions.shape[2]
        shown = spread(depth + 1, _PANELS)
        figure = new_figure(9.6, 1.45 * count + 2.6)
        figure.axes[0].remove()
        parts = figure.subfigures(2, 1, height_ratios=[1.45 * count, 2.6], squeeze=False)[:, 0]
        for i, row in enumerate(parts[0].subplots(count, len(shown), squeeze=False)):
            self._draw_images(row, i, shown)
        by_length, by_transitions = parts[1].subplots(1, 2)
        self._draw_curves(by_length, self.lengths, 0, "length of the image")
        self._draw_curves(by_transitions, self.transitions, 1, "transitions in the layer")
        by_length.legend(
            frameon=False, fontsize="x-small", title="weight variance", title_fontsize="x-small"
        )
        return figure

    # --- claims ---

    def _longer(self) -> Claim:
        rate, error = self.length_rates
        ratio = self.lengths[:, :, -1].mean(axis=1) / self.lengths[:, :, 0].mean(axis=1)
        return Claim(
            "the image of a circle becomes longer with depth",
            self._each(f"{a:.1f} times as long, {b:.2f} a layer" for a, b in _pairs(ratio, rate)),
            verdict(rate - limit(self.lengths.shape[1]) * error > 1),
            "the paper shows tanh, here it is hard-tanh, where lengths and counts can be exact; "
            "images shrink where the weight variance is below 1",
        )

    def _tangled(self) -> Claim:
        """By how often the image meets hyperplanes that do not depend on it."""
        rate, error = self.transition_rates
        counts = self.transitions.mean(axis=1)
        ends = _pairs(counts[:, 0], counts[:, -1])
        return Claim(
            "it becomes more tangled with depth",
            "thresholds of the layer's neurons, random hyperplanes for the image before it, are "
            "passed "
            + self._each(f"{a:.0f} times in the first layer, {b:.0f} in the last" for a, b in ends),
            verdict(rate - limit(self.lengths.shape[1]) * error > 1),
            "a convex curve in a plane meets a hyperplane twice at most, so that the circle itself "
            "is met as often as the first layer says",
        )

    def _each(self, texts: Iterable[str]) -> str:
        named = zip(self.weight_variance, texts, strict=True)
        return "; ".join(f"{text} (weight variance {w:g})" for w, text in named)

    # --- pictures ---

    def _draw_images(self, row: npt.NDArray[Any], i: int, shown: list[int]) -> None:
        from pyexpr.plot.images import draw_image

        t = np.linspace(0, 1, self.images.shape[2])
        for ax, layer in zip(row, shown, strict=True):
            name = f"layer {layer}" if layer else "input"
            draw_image(ax, self.images[i, layer], t, name, closed=True)
        row[0].set_ylabel(f"weight\nvariance {self.weight_variance[i]:g}", fontsize="small")

    def _draw_curves(self, ax: Axes, values: FloatArray | Counts, start: int, label: str) -> None:
        from matplotlib.ticker import LogLocator, NullFormatter

        from pyexpr.plot.style import CYCLE, dress

        layers = np.arange(start, start + values.shape[2])
        for colour, w, rows in zip(CYCLE, self.weight_variance, values, strict=False):
            errors = standard_error(rows, axis=0)
            ax.errorbar(
                layers, rows.mean(axis=0), errors, fmt="o-", color=colour, markersize=3,
                linewidth=1.0, label=f"{w:g}",
            )  # fmt: skip
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:,g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_xticks(layers)
        dress(ax, title=f"{label.capitalize()}, by layer", x="layer", y=label)


def circle(
    *,
    weight_variances: Sequence[float] = (2.0, 8.0),
    width: int = 100,
    depth: int = 7,
    samples: int = 2000,
    networks: int = 20,
    seed: int = 0,
    executor: Executor | None = None,
    path: str | PathLike[str] | None = None,
    progress: Progress = False,
) -> CircleResult:
    """A circle through random hard-tanh networks: images, and exact lengths and counts.

    The circle is around the origin, in a random plane, with a radius of sqrt(width): of standard
    normal points, about.

    Parameters
    ----------
    weight_variances
        At least one.
    width
        Of the input and of every layer, at least 2.
    depth
        Hidden layers, at least 2.
    samples
        Of every image, at least 2.
    networks
        Of every weight variance, at least 2; each with a circle of its own.
    seed
        Network i is drawn by seed + i.
    executor, path, progress
        As for `sweep`.

    Returns
    -------
    CircleResult

    Raises
    ------
    TypeError, ValueError
        Fewer of something than that, or a negative variance.
    RuntimeError
        A network failed; see `sweep`.
    """
    parameters = arguments_of(locals())
    k, layers = integer("width", width, 2), integer("depth", depth, 2)
    count, first_seed = integer("networks", networks, 2), integer("seed", seed, 0)
    points = integer("samples", samples, 2)
    variances = [not_negative("weight_variances", w) for w in weight_variances]
    if not variances:
        raise ValueError("weight_variances is empty; it must hold at least one")
    cells = [
        {"width": k, "depth": layers, "weight_variance": w, "seed": s}
        for w in variances
        for s in range(first_seed, first_seed + count)
    ]
    found = sweep(cells, circle_through, executor=executor, path=path, progress=progress)
    found.raise_failures()
    return CircleResult(
        parameters=parameters,
        weight_variance=np.array(variances),
        images=np.stack([_images(k, layers, w, first_seed, points) for w in variances]),
        lengths=found.column("lengths").reshape(len(variances), count, layers + 1),
        transitions=found.column("transitions").reshape(len(variances), count, layers),
        regions=found.column("regions").reshape(len(variances), count),
    )


def circle_through(width: int, depth: int, weight_variance: float, seed: int) -> dict[str, Any]:
    """One network and one circle, on one thread.

    Returns
    -------
    dict
        lengths of the circle and its images: list [1 + depth]; transitions: list [depth];
        regions, with constant activation patterns.
    """
    found = trace(*_drawn(width, depth, weight_variance, seed), threads=1)
    return {
        "lengths": found.lengths.length[:-1],
        "transitions": found.transitions_per_layer,
        "regions": found.n_regions,
    }


def _drawn(width: int, depth: int, weight_variance: float, seed: int) -> tuple[Network, Circle]:
    for_network, for_plane = np.random.SeedSequence(seed).spawn(2)
    rng = np.random.default_rng(for_network)
    network = Network.random([width] * (depth + 1) + [1], "hard_tanh", weight_variance, seed=rng)
    plane = np.linalg.qr(np.random.default_rng(for_plane).standard_normal((width, 2)))[0]
    u, v = math.sqrt(width) * plane.T
    return network, Circle(np.zeros(width), u, v)


def _images(width: int, depth: int, weight_variance: float, seed: int, samples: int) -> FloatArray:
    """In the input and in every layer, projected: float64 [1 + depth, samples, 2]."""
    network, curve = _drawn(width, depth, weight_variance, seed)
    points = curve(np.linspace(0, 1, samples))
    return np.stack(layer_projections(network, points, range(depth), "pca", seed))


def _pairs(a: FloatArray, b: FloatArray) -> list[tuple[float, float]]:
    return [*zip(a.tolist(), b.tolist(), strict=True)]
