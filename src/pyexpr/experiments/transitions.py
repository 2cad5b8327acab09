"""How transitions follow length, depth and width: observation 1 and theorem 4 of Raghu et al."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr import theory
from pyexpr._arrays import FloatArray, integer
from pyexpr._progress import Progress
from pyexpr.counting import count_transitions
from pyexpr.cuda.devices import DeviceLike, find_device
from pyexpr.experiments.checks import hold
from pyexpr.experiments.judging import (
    NAMES,
    limit,
    percent,
    rate_a_layer,
    ratio_of_means,
    share,
    standard_error,
    verdict,
)
from pyexpr.experiments.result import Claim, Result, arguments_of
from pyexpr.experiments.sweep import sweep
from pyexpr.experiments.table import Table
from pyexpr.network import Network
from pyexpr.tracing.trace import trace
from pyexpr.trajectories import Arc

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Flags: TypeAlias = npt.NDArray[np.bool_]
Counts: TypeAlias = npt.NDArray[np.int64]

_FINITE = 0.05  # of a figure: what theory for infinite width may miss at these widths
_WIDE = 50  # neurons a layer from which such theory is compared
_STRAIGHT = 0.2  # of natural logarithms, how far from a straight line
_COLUMNS = (
    "activation", "width", "weight variance", "transitions by length", "s.e.", "predicted",
    "sign changes by length", "s.e. of it", "predicted of it", "growth a layer",
    "s.e. of growth", "in the last layer", "there, infinite width",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class TransitionsResult(Result):
    """Transitions of arcs through random networks, layer by layer.

    Attributes
    ----------
    activation : str [S]
    width : int64 [S]
    weight_variance : float64 [S]
        The S settings; there are no biases.
    lengths : float64 [S, networks, depth]
        Of the image before each layer: of the arc for the first one.
    transitions : int64 [S, networks, depth]
        In each layer.
    sign_changes : int64 [S, networks, depth]
        Of all pre-activations of each layer, which are as many random readouts of the image
        before it.
    expected : float64 [S, networks, depth]
        Transitions on these arcs in networks of infinite width, as
        `theory.expected_transitions` gives them.
    """

    name = "transitions"
    title = "Transitions against length, depth and width"

    activation: npt.NDArray[np.str_]
    width: Counts
    weight_variance: FloatArray
    lengths: FloatArray
    transitions: Counts
    sign_changes: Counts
    expected: FloatArray

    @property
    def first(self) -> int:
        """The layer, from 0, from which on lines are fitted: the input has another norm."""
        return int(self.transitions.shape[2]) // 3

    @property
    def slopes(self) -> tuple[FloatArray, FloatArray]:
        """Transitions of a layer by length before it, and standard errors: float64 [S] each.

        Of the line through the origin, over layers from `first` on.
        """
        return _slopes(self.transitions[:, :, self.first :], self.lengths[:, :, self.first :])

    @property
    def sign_slopes(self) -> tuple[FloatArray, FloatArray]:
        """Sign changes of one readout by length of its image, as `slopes`: float64 [S] each."""
        return _slopes(self._signs[:, :, self.first :], self.lengths[:, :, self.first :])

    @property
    def predicted(self) -> tuple[FloatArray, FloatArray]:
        """Both slopes in wide networks: float64 [S] each; nan where norms do not settle."""
        found = [_predicted(*setting) for setting in self._settings()]
        return np.array([a for a, _ in found]), np.array([b for _, b in found])

    @property
    def rates(self) -> tuple[FloatArray, FloatArray]:
        """What a layer multiplies transitions by, and its standard error: float64 [S] each.

        From the means of layer `first` and of the last one.
        """
        start, end = self.transitions[:, :, self.first], self.transitions[:, :, -1]
        return rate_a_layer(start, end, self.transitions.shape[2] - 1 - self.first)

    @property
    def table(self) -> Table:
        (slope, slope_error), (sign, sign_error) = self.slopes, self.sign_slopes
        (predicted, sign_predicted), (rate, rate_error) = self.predicted, self.rates
        in_last, foreseen = self.transitions[:, :, -1], self.expected[:, :, -1]
        typical = foreseen.mean(axis=1)
        typical[self._large_setting] = np.nan  # limits of large width and weights do not commute
        columns = (
            slope, slope_error, predicted, sign, sign_error, sign_predicted, rate, rate_error,
            in_last.mean(axis=1), typical,
        )  # fmt: skip
        rows = zip(self._settings(), zip(*columns, strict=True), strict=True)
        return Table(
            _COLUMNS,
            tuple((*setting, *map(_figure, figures)) for setting, figures in rows),
        )

    @property
    def claims(self) -> list[Claim]:
        return [
            self._linear(),
            self._slope(),
            self._exponential(),
            self._relu(),
            self._relu_count(),
            self._large(),
            self._width(),
        ]

    def plot(self) -> Figure:
        """Transitions and sign changes by length, transitions by layer, and by width."""
        from pyexpr.plot.style import new_figure

        figure = new_figure(9.6, 6.8, 2, 2)
        by_length, by_sign, by_layer, by_width = figure.axes
        slopes, sign_slopes = self.slopes[0], self.sign_slopes[0]
        predicted, sign_predicted = self.predicted
        self._draw_lines(by_length, self.transitions, slopes, predicted, "transitions in a layer")
        self._draw_lines(by_sign, self._signs, sign_slopes, sign_predicted, "sign changes")
        self._draw_layers(by_layer)
        self._draw_widths(by_width)
        return figure

    # --- claims ---

    def _linear(self) -> Claim:
        """Judged layer by layer: each one's own slope beside that of all."""
        which = self._wide
        off, error = self._off_line(self.transitions, self.slopes[0])
        sign_off, sign_error = self._off_line(self._signs, self.sign_slopes[0])
        off, error = np.stack([off, sign_off])[:, which], np.stack([error, sign_error])[:, which]
        reach = self._limit * error
        within = np.abs(off) <= reach + _FINITE
        before = self.lengths[which][:, :, self.first :].mean(axis=1)
        return Claim(
            "sign changes, and transitions, are proportional to the length of the image",
            f"hard-tanh, layers {self.first + 1} to {self.transitions.shape[2]}, where lengths "
            f"differ by a factor of up to {(before.max(axis=1) / before.min(axis=1)).max():.1f}: "
            f"layers are off the line through the origin by at most {percent(np.abs(off).max())}, "
            f"and {share(within)} of them by no more than chance and finite width explain",
            verdict(within, reach <= _FINITE),
            "saturated neurons keep images near a sphere, on which a curve meets random "
            "hyperplanes in proportion to its length",
        )

    def _slope(self) -> Claim:
        """Not of the paper, but of the theory that this package has."""
        which = self._wide
        measured, error = (np.stack(pair)[:, which] for pair in self._both_slopes())
        predicted = np.stack(self.predicted)[:, which]
        reach = self._limit * error / predicted
        within = np.abs(measured / predicted - 1) <= reach + _FINITE
        off = np.abs(measured / predicted - 1)
        return Claim(
            "the slope is that of Rice's formula, 1 / (pi |z|) for sign changes (theory here)",
            f"hard-tanh, widths of {self.width[which].min()} and more: off by at most "
            f"{percent(off[0].max())} for transitions and {percent(off[1].max())} for sign "
            f"changes; {share(within)} within {self._limit:.2g} standard errors and "
            f"{percent(_FINITE)}",
            verdict(within, reach <= _FINITE),
            "the formula is of infinite width; the paper observes the proportion without the "
            "constant",
        )

    def _exponential(self) -> Claim:
        """By growth, and by how well a straight line fits the logarithms."""
        which = self._wide
        rate, error = (column[which] for column in self.rates)
        growing = rate - self._limit * error > 1
        means = self.transitions[which][:, :, self.first :].mean(axis=1)
        worst = _off_straight(np.log(np.maximum(means, 1.0)))
        growth = verdict(growing)
        return Claim(
            "transitions grow exponentially with depth: hard-tanh",
            f"multiplied by {rate.min():.3f} to {rate.max():.3f} a layer, clearly growing in "
            f"{share(growing)} settings; straight lines on a logarithmic scale, off by at most "
            f"{worst:.2f}",
            "in part" if growth == "yes" and worst >= _STRAIGHT else growth,
            "they follow length, which grows for weight variances above 1",
        )

    def _relu(self) -> Claim:
        relu = self.activation == "relu"
        rate, error = (column[relu] for column in self.rates)
        growing = rate - self._limit * error > 1
        return Claim(
            "transitions grow exponentially with depth: ReLU too (the paper's theorem is of "
            "hard-tanh alone)",
            f"multiplied by {rate.min():.3f} to {rate.max():.3f} a layer (s.e. up to "
            f"{error.max():.3f}), clearly growing in {share(growing)} settings",
            verdict(growing),
            "counts depend on angles alone, which ReLU layers hardly change, whatever the weight "
            "variance: so there is no growth",
        )

    def _relu_count(self) -> Claim:
        """Not of the paper, but of the theory that this package has."""
        relu = self.activation == "relu"
        found, foreseen = (a[relu].sum(axis=2) for a in (self.transitions, self.expected))
        ratio, error = ratio_of_means(found, foreseen)
        reach = self._limit * error
        within = np.abs(ratio - 1) <= reach + _FINITE
        per_neuron = (found.mean(axis=1) / self.transitions.shape[2]) / self.width[relu]
        return Claim(
            "ReLU: a layer has width Theta / pi transitions, about width / 2 (theory here)",
            f"{per_neuron.min():.3f} to {per_neuron.max():.3f} a neuron; all layers together off "
            f"by at most {percent(np.abs(ratio - 1).max())}, {share(within)} within "
            f"{self._limit:.2g} standard errors and {percent(_FINITE)}",
            verdict(within, reach <= _FINITE),
            "Theta is the angle of the arc, near pi / 2; exact in the first layer, and in wide "
            "ones",
        )

    def _large(self) -> Claim:
        """Of the one setting with very large weights."""
        i = self._large_setting
        rate, error = (float(column[i]) for column in self.rates)
        width = int(self.width[i])
        stated, exact = math.sqrt(width), _limit_of_large_weights(width)
        reach = self._limit * error
        near = abs(rate - stated) <= reach <= _FINITE * stated
        return Claim(
            "very large weights: hard-tanh multiplies transitions by sqrt(k) a layer",
            f"by {rate:.3f} (s.e. {error:.3f}) at width {width} and weight variance "
            f"{self.weight_variance[i]:g}, where sqrt(k) = {stated:.3f}",
            "no" if rate + reach < stated else "yes" if near else "in part",
            "a neuron that flips turns the image by arccos(1 - 2 / k), so that the limit is "
            f"k arccos(1 - 2 / k) / pi = {exact:.3f}, about 2 / pi times sqrt(k); the O-notation "
            "hides that constant in every layer",
        )

    def _width(self) -> Claim:
        """Under exponential growth the logarithm would be as steep at the largest widths."""
        verdicts, texts = [], []
        for kind in ("hard_tanh", "relu"):
            which = self._by_width(kind)
            k = self.width[which].astype(np.float64)
            mean, relative = _mean(self.transitions[which].sum(axis=2))
            steps, errors = np.diff(np.log(mean)), np.hypot(relative[1:], relative[:-1])
            steep, steep_error = steps / np.diff(k), errors / np.diff(k)
            slack = self._limit * math.hypot(steep_error[0], steep_error[-1])
            verdicts.append(steep[-1] + slack < steep[0])
            powers = steps / np.diff(np.log(k))
            texts.append(f"{NAMES[kind]} k^{powers[0]:.2f} at first and k^{powers[-1]:.2f} at last")
        return Claim(
            "transitions do not grow exponentially with width",
            f"widths {k[0]:g} to {k[-1]:g}: {'; '.join(texts)}",
            verdict(np.array(verdicts)),
            "every neuron sees the same angles, so that counts are in proportion to the width",
        )

    # --- pictures ---

    def _draw_lines(
        self, ax: Axes, counts: FloatArray | Counts, slopes: FloatArray, predicted: FloatArray,
        title: str,
    ) -> None:  # fmt: skip
        from matplotlib.ticker import LogLocator, NullFormatter

        from pyexpr.plot.style import CYCLE, GREY, dress

        shown = np.flatnonzero(self._by_variance("hard_tanh"))
        for colour, i in zip(CYCLE, shown, strict=False):
            x = self.lengths[i].mean(axis=0)
            y, error = counts[i].mean(axis=0), standard_error(counts[i], axis=0)
            label = f"{self.weight_variance[i]:g}: {slopes[i]:.3g}, predicted {predicted[i]:.3g}"
            ax.plot(x, predicted[i] * x, "-", color=colour, linewidth=0.9)
            ax.errorbar(
                x, y, error, fmt="o", color=colour, markersize=3, linewidth=0.8, label=label
            )
        ax.set(xscale="log", yscale="log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.legend(
            frameon=False, fontsize="x-small", title="weight variance: slope",
            title_fontsize="x-small", loc="upper left",
        )  # fmt: skip
        ax.annotate(
            "lines: predicted, through the origin", (0.98, 0.03), xycoords="axes fraction",
            ha="right", fontsize="x-small", color=GREY,
        )  # fmt: skip
        width = self.parameters["width"]
        y_label = f"{title} of {width}" if counts is self.transitions else f"{title} of a readout"
        dress(
            ax, title=f"{title.capitalize()} by length, hard-tanh", x="length of the image before",
            y=y_label,
        )  # fmt: skip

    def _draw_layers(self, ax: Axes) -> None:
        from pyexpr.plot.style import CYCLE, DARK, dress

        tanh = np.flatnonzero(self._by_variance("hard_tanh"))
        curves = [*zip(tanh, CYCLE, strict=False)]
        curves += [(i, DARK) for i in np.flatnonzero(self._by_variance("relu"))]
        layers = 1 + np.arange(self.transitions.shape[2])
        for i, colour in curves:
            mean = self.transitions[i].mean(axis=0)
            label = f"{NAMES[str(self.activation[i])]}, {self.weight_variance[i]:g}"
            ax.plot(layers, self.expected[i].mean(axis=0), "--", color=colour, linewidth=0.9)
            ax.errorbar(
                layers, mean, standard_error(self.transitions[i], axis=0), fmt="o-", color=colour,
                markersize=3, linewidth=1.0, label=label,
            )  # fmt: skip
        ax.plot([], [], "--", color=DARK, linewidth=0.9, label="infinite width")
        ax.set_yscale("log")
        ax.set_xticks(layers)
        ax.legend(
            frameon=False, fontsize="x-small", title="activation, weight variance",
            title_fontsize="x-small", loc="upper left",
        )  # fmt: skip
        title = f"Against depth, width {self.parameters['width']}"
        dress(ax, title=title, x="layer", y="transitions in the layer")

    def _draw_widths(self, ax: Axes) -> None:
        from pyexpr.plot.style import BLUE, DARK, dress

        for kind, colour in (("hard_tanh", BLUE), ("relu", DARK)):
            which = self._by_width(kind)
            total, foreseen = (a[which].sum(axis=2) for a in (self.transitions, self.expected))
            ax.plot(self.width[which], foreseen.mean(axis=1), "--", color=colour, linewidth=0.9)
            mean, relative = _mean(total)
            label = f"{NAMES[kind]}, {self.weight_variance[which][0]:g}"
            ax.errorbar(
                self.width[which], mean, mean * relative, fmt="o-", color=colour, markersize=3,
                linewidth=1.0, label=label,
            )  # fmt: skip
        ax.plot([], [], "--", color=DARK, linewidth=0.9, label="infinite width")
        ax.set(xscale="log", yscale="log")
        ax.set_xticks(self.width[which], [f"{k:g}" for k in self.width[which]], minor=False)
        ax.set_xticks([], minor=True)
        ax.legend(
            frameon=False, fontsize="x-small", title="activation, weight variance",
            title_fontsize="x-small", loc="upper left",
        )  # fmt: skip
        title = f"Against width, depth {self.transitions.shape[2]}"
        dress(ax, title=title, x="width", y="transitions in all layers")

    # --- settings ---

    def _settings(self) -> list[tuple[str, int, float]]:
        columns = self.activation, self.width, self.weight_variance
        return [*zip(*(column.tolist() for column in columns), strict=True)]

    @property
    def _limit(self) -> float:
        """Standard errors over networks that make a figure clear."""
        return limit(self.transitions.shape[1])

    @property
    def _wide(self) -> Flags:
        """Hard-tanh settings that theory for infinite width is compared with, or all of them."""
        tanh: Flags = self.activation == "hard_tanh"
        tanh = tanh & (np.arange(len(tanh)) != self._large_setting)
        wide: Flags = tanh & (self.width >= _WIDE)
        return wide if bool(wide.any()) else tanh

    @property
    def _large_setting(self) -> int:
        """The one with very large weights is the last."""
        return len(self.activation) - 1

    def _by_variance(self, kind: str) -> Flags:
        which: Flags = (self.activation == kind) & (self.width == self.parameters["width"])
        which &= np.arange(len(which)) != self._large_setting
        return which

    def _by_width(self, kind: str) -> Counts:
        """Indices, by increasing width."""
        key = "weight_variance" if kind == "hard_tanh" else "relu_weight_variance"
        which = (self.activation == kind) & (self.weight_variance == self.parameters[key])
        which &= np.isin(self.width, self.parameters["widths"])
        which &= np.arange(len(which)) != self._large_setting
        found = np.flatnonzero(which)
        return found[np.argsort(self.width[found])]

    @property
    def _signs(self) -> FloatArray:
        """Sign changes of one readout: float64 [S, networks, depth]."""
        mean: FloatArray = self.sign_changes / self.width[:, None, None]
        return mean

    def _both_slopes(self) -> list[tuple[FloatArray, FloatArray]]:
        (slope, error), (sign, sign_error) = self.slopes, self.sign_slopes
        return [(slope, sign), (error, sign_error)]

    def _off_line(
        self, counts: FloatArray | Counts, slopes: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Of layers from `first` on, relative to the line: float64 [S, layers], with errors."""
        start = self.first
        line = slopes[:, None, None] * self.lengths[:, :, start:]
        ratio, error = ratio_of_means(
            np.swapaxes(counts[:, :, start:], 1, 2), np.swapaxes(line, 1, 2)
        )
        return ratio - 1, error


def transitions(
    *,
    weight_variances: Sequence[float] = (2.0, 4.0, 8.0),
    relu_weight_variance: float = 2.0,
    widths: Sequence[int] = (25, 50, 100, 200),
    width: int = 100,
    weight_variance: float = 4.0,
    depth: int = 8,
    large_width: int = 10,
    large_weight_variance: float = 1e4,
    networks: int = 30,
    seed: int = 0,
    executor: Executor | None = None,
    path: str | PathLike[str] | None = None,
    progress: Progress = False,
    device: DeviceLike = "cpu",
) -> TransitionsResult:
    """Transitions, sign changes and lengths along quarter arcs through random networks.

    Hard-tanh and ReLU, without biases. Every network has an arc of its own, between two standard
    normal points of as many dimensions as a layer has neurons. Counts are exact, lengths so up to
    rounding.

    Parameters
    ----------
    weight_variances
        Of hard-tanh at `width`.
    relu_weight_variance
        That of ReLU, whose counts do not depend on it.
    widths
        Of ReLU, and of hard-tanh at `weight_variance`; at least 3.
    width, weight_variance
        What is held where the other is varied.
    depth
        Hidden layers, at least 2.
    large_width, large_weight_variance
        Of hard-tanh with very large weights, where counts grow fast.
    networks
        Of every setting, at least 2.
    seed
        Network i of a setting is drawn by seed + i.
    executor, path, progress
        As for `sweep`.
    device
        As for `count_regions`. All processes of an executor use the same GPU, and have to be
        spawned, not forked.

    Returns
    -------
    TransitionsResult

    Raises
    ------
    TypeError, ValueError
        Fewer widths, layers or networks than that, or an unknown `device`.
    ImportError, RuntimeError
        `device` asks for a GPU, and none can be had: before anything is run. RuntimeError also
        where a network failed, such as one with a negative variance; see `sweep`.
    """
    find_device(device)
    parameters = arguments_of(locals())
    count, layers = integer("networks", networks, 2), integer("depth", depth, 2)
    first_seed = integer("seed", seed, 0)
    hold(parameters, weight_variances=1, widths=3)
    settings: dict[tuple[str, int, float], None] = {}
    settings |= dict.fromkeys(("hard_tanh", width, w) for w in weight_variances)
    settings |= dict.fromkeys(("hard_tanh", k, weight_variance) for k in widths)
    settings |= dict.fromkeys(("relu", k, relu_weight_variance) for k in (width, *widths))
    rows = [*settings, ("hard_tanh", large_width, large_weight_variance)]
    cells = [
        {"activation": kind, "width": k, "weight_variance": w, "depth": layers, "seed": s}
        for kind, k, w in rows
        for s in range(first_seed, first_seed + count)
    ]
    how = {"device": device}
    found = sweep(
        cells, transitions_on_arc, executor=executor, path=path, progress=progress, how=how
    )
    found.raise_failures()
    shape = len(rows), count, layers
    kinds, k, w = zip(*rows, strict=True)
    return TransitionsResult(
        parameters=parameters,
        activation=np.array(kinds),
        width=np.array(k, dtype=np.int64),
        weight_variance=np.array(w, dtype=np.float64),
        lengths=found.column("lengths").reshape(shape),
        transitions=found.column("transitions").reshape(shape),
        sign_changes=found.column("sign_changes").reshape(shape),
        expected=found.column("expected").reshape(shape),
    )


def transitions_on_arc(
    activation: str,
    width: int,
    weight_variance: float,
    depth: int,
    seed: int,
    device: DeviceLike = "cpu",
) -> dict[str, Any]:
    """One network without biases along one quarter arc, on one thread.

    The network and the arc are those of `random_network` with one output.

    Returns
    -------
    dict
        lengths of the image before each layer, transitions in it, sign_changes of all its
        pre-activations, and transitions expected on this arc: lists [depth].
    """
    for_network, for_points = np.random.SeedSequence(seed).spawn(2)
    sizes = [width] * (depth + 1) + [1]
    rng = np.random.default_rng(for_network)
    network = Network.random(sizes, activation, weight_variance, seed=rng)
    arc = Arc(*np.random.default_rng(for_points).standard_normal((2, width)))
    found = trace(network, arc, threads=1)
    return {
        "lengths": found.lengths.length[:depth],
        "transitions": found.transitions_per_layer,
        "sign_changes": [_sign_changes(network, layer, arc, device) for layer in range(depth)],
        "expected": theory.expected_transitions(
            sizes, arc, activation=activation, weight_variance=weight_variance
        ),
    }


def _sign_changes(network: Network, layer: int, arc: Arc, device: DeviceLike) -> int:
    """Of a layer's pre-activations: with ReLU in their place a sign change is a transition."""
    kept = network.layers[: layer + 1]
    weights = [(part.weight, part.bias) for part in kept]
    readout = np.ones((1, len(kept[-1].bias))), np.zeros(1)
    activations = [part.activation or "relu" for part in kept[:-1]]
    rectified = Network.dense([*weights, readout], [*activations, "relu"])
    counts = count_transitions(rectified, arc, per="layer", threads=1, device=device)
    return int(counts[-1])


@cache
def _predicted(kind: str, width: int, weight: float) -> tuple[float, float]:
    """Transitions of a layer, and sign changes of a readout, by length."""
    try:
        transitions_of_one = theory.transitions_per_length(width, kind, weight)
        return width * transitions_of_one, theory.sign_changes_per_length(width, kind, weight)
    except ValueError:  # norms settle at no positive number
        return math.nan, math.nan


def _limit_of_large_weights(width: int) -> float:
    """What a layer multiplies flips by when hard-tanh is a sign: one at a time."""
    return width * math.acos(1 - 2 / width) / math.pi if width > 1 else 1.0


def _slopes(counts: FloatArray | Counts, lengths: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Of lines through the origin, to [S, networks, layers]: float64 [S], with errors."""
    return ratio_of_means(counts.sum(axis=2), lengths.sum(axis=2))


def _mean(values: Counts) -> tuple[FloatArray, FloatArray]:
    """Over the last axis, with its relative standard error."""
    mean: FloatArray = values.mean(axis=-1)
    return mean, standard_error(values) / mean


def _off_straight(curves: FloatArray) -> float:
    """The largest distance of curves [C, n] from straight lines that fit them."""
    x = np.arange(curves.shape[1])
    start, slope = np.polynomial.polynomial.polyfit(x, curves.T, 1)
    return float(np.abs(start[:, None] + slope[:, None] * x - curves).max())


def _figure(number: float) -> float | None:
    return None if math.isnan(number) else float(number)
