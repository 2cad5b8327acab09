"""How fast trajectories grow with depth: theorem 3 and figure 1 of Raghu et al. (2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyexpr import theory
from pyexpr._arrays import FloatArray, integer
from pyexpr._progress import Progress
from pyexpr.experiments.checks import at_least, hold
from pyexpr.experiments.judging import NAMES, limit, percent, rate_a_layer, share, verdict
from pyexpr.experiments.random_network import random_network
from pyexpr.experiments.result import Claim, Result, arguments_of
from pyexpr.experiments.sweep import sweep
from pyexpr.experiments.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
_STRAIGHT = 0.2  # of natural logarithms, how far from a straight line
_FINITE = 0.025  # of a rate: what theory for infinite width may miss at width 100


@dataclass(frozen=True, eq=False, repr=False)
class GrowthResult(Result):
    """Lengths of the images of arcs, layer by layer.

    Attributes
    ----------
    activation : str [S]
    width : int64 [S]
    weight_variance, bias_variance : float64 [S]
        The S settings.
    lengths : float64 [S, networks, 1 + depth]
        Of the arc and of its image in every layer.
    """

    name = "growth"
    title = "Growth of trajectory length with depth"

    activation: npt.NDArray[np.str_]
    width: npt.NDArray[np.int64]
    weight_variance: FloatArray
    bias_variance: FloatArray
    lengths: FloatArray

    @property
    def first(self) -> int:
        """The layer from which on rates are measured: the first ones depend on the input's norm."""
        return int(self.lengths.shape[2]) // 2

    @property
    def rates(self) -> tuple[FloatArray, FloatArray]:
        """What a later layer multiplies lengths by, and its standard error: float64 [S] each.

        The mean of last lengths over that of lengths in layer `first`, to the power of one layer.
        """
        start, end = self.lengths[:, :, self.first], self.lengths[:, :, -1]
        return rate_a_layer(start, end, self.lengths.shape[2] - 1 - self.first)

    @property
    def expected(self) -> FloatArray:
        """float64 [S]: exact for ReLU at every width, of wide networks otherwise."""
        return np.array([_expected(*setting) for setting in self._settings()])

    @property
    def stated(self) -> FloatArray:
        """The base in the paper's theorem: float64 [S]."""
        return np.array([_stated(*setting) for setting in self._settings()])

    @property
    def lower(self) -> FloatArray:
        """A base that wide networks do reach: float64 [S]."""
        return np.array([_lower(*setting) for setting in self._settings()])

    @property
    def table(self) -> Table:
        measured, error = self.rates
        columns = (self.expected, self.stated, self.lower)
        rows = zip(*self._settings_by_column(), measured, error, *columns, strict=True)
        return Table(
            (
                *("activation", "width", "weight variance", "bias variance", "rate a layer"),
                *("s.e.", "expected", "stated in the paper", "corrected lower base"),
            ),
            tuple(
                (str(a), int(k), float(w), float(b), *map(float, figures))
                for a, k, w, b, *figures in rows
            ),
        )

    @property
    def claims(self) -> list[Claim]:
        claims = [self._exponential(), self._expectation()]
        if "hard_tanh" in self.activation:
            claims.append(self._reaches_stated())
        if "relu" in self.activation:
            claims.append(self._relu())
        return claims

    def plot(self) -> Figure:
        """Lengths by layer; rates against weight variance and width, beside their bases."""
        from pyexpr.plot.style import new_figure

        kinds = [*dict.fromkeys(self.activation.tolist())]
        figure = new_figure(9.6, 2.7 * len(kinds), len(kinds), 3)
        for row, kind in enumerate(kinds):
            by_layer, by_variance, by_width = figure.axes[3 * row : 3 * row + 3]
            self._draw_lengths(by_layer, kind)
            self._draw_rates(by_variance, kind, self.weight_variance, "weight variance")
            self._draw_rates(by_width, kind, self.width, "width")
            by_variance.legend(frameon=False, fontsize="x-small")
        return figure

    # --- claims ---

    @property
    def _limit(self) -> float:
        """Standard errors over networks that make a figure clear."""
        return limit(self.lengths.shape[1])

    def _exponential(self) -> Claim:
        """Judged by how well a straight line fits the logarithms in the later layers."""
        logarithms = np.log(self.lengths[:, :, self.first :].mean(axis=1))
        layers = np.arange(logarithms.shape[1])
        slopes = np.polynomial.polynomial.polyfit(layers, logarithms.T, 1)
        fits = slopes[0][:, None] + slopes[1][:, None] * layers
        off = np.abs(fits - logarithms).max(axis=1)
        rate, error = self.rates
        growing = rate - self._limit * error > 1
        return Claim(
            "lengths grow exponentially with depth",
            f"straight lines on a logarithmic scale, off by at most {off.max():.2f} in layers "
            f"{self.first} to {self.lengths.shape[2] - 1}; clear growth in {share(growing)} "
            "settings",
            verdict(growing & (off < _STRAIGHT)),
            "the law is exponential, but lengths shrink where the rate is below 1: ReLU needs a "
            "weight variance above 2, hard-tanh one above 1",
        )

    def _reaches_stated(self) -> Claim:
        tanh = self.activation == "hard_tanh"
        rate, error = self.rates
        reach = self._limit * error
        below = tanh & (rate < self.stated - reach)
        gap = (1 - rate / self.stated)[tanh]
        return Claim(
            "hard-tanh: the rate is at least the stated base",
            f"clearly below it in {below.sum()} of {tanh.sum()} settings; between "
            f"{percent(gap.min())} and {percent(gap.max())} below",
            "no" if below.any() else verdict((rate > self.stated - reach)[tanh]),
            "the base lacks a factor a layer that the O-notation hides: P(|h| < 1) is less than "
            "1 / sqrt(s_w^2 + s_b^2); the corrected base has it",
        )

    def _relu(self) -> Claim:
        relu = self.activation == "relu"
        rate, error = self.rates
        ratio = (rate / np.sqrt(self.weight_variance))[relu & (self.width >= 50)]
        off, reach = (rate - self.stated)[relu], self._limit * error[relu]
        return Claim(
            "ReLU: the rate is s_w sqrt(k) / sqrt(k + 1) (as recalled, the text is not at hand)",
            f"{ratio.min():.3f} to {ratio.max():.3f} s_w at widths of 50 and more"
            if len(ratio)
            else "measured at small widths only",
            "no" if (off < -reach).all() else verdict(np.abs(off) <= reach),
            "half of the neurons are off: the exact rate is s_w c_k, c_k -> 1 / sqrt(2)",
        )

    def _expectation(self) -> Claim:
        """Not of the paper, but of the theory that this package has."""
        rate, error = self.rates
        wide = (self.activation == "relu") | (self.width >= 100)
        off = np.abs(rate / self.expected - 1)[wide]
        reach = self._limit * error
        within = (np.abs(rate - self.expected) <= reach + _FINITE * self.expected)[wide]
        above = (rate >= self.lower - reach)[wide]
        return Claim(
            "the exact ReLU rate, and mean field for hard-tanh (theory here)",
            f"off by at most {percent(off.max(initial=0.0))} where ReLU or width >= 100; above the "
            f"corrected base in {share(above)} settings",
            verdict(within & above, (reach <= _FINITE * self.expected)[wide]),
            "mean field is of infinite width, and lies a little above at 100; yes would need every "
            f"rate to be certain within {percent(_FINITE)}",
        )

    # --- pictures ---

    def _draw_lengths(self, ax: Axes, kind: str) -> None:
        from pyexpr.plot.style import CYCLE, dress

        width = self.parameters["width"]
        shown = (self.activation == kind) & (self.width == width) & (self.bias_variance == 0)
        for colour, i in zip(CYCLE, np.flatnonzero(shown), strict=False):
            mean = (self.lengths[i] / self.lengths[i, :, :1]).mean(axis=0)
            ax.plot(mean, "o-", color=colour, markersize=2.5, linewidth=1.0)
            label = f"{self.weight_variance[i]:g}"
            ax.annotate(
                label, (len(mean) - 1, mean[-1]), (4, 0), textcoords="offset points",
                va="center", fontsize="x-small", color=colour,
            )  # fmt: skip
        ax.set_yscale("log")
        title = f"{NAMES.get(kind, kind)}, width {width}, by weight variance"
        dress(ax, title=title, x="layer", y="length / input length")

    def _draw_rates(self, ax: Axes, kind: str, against: npt.NDArray[Any], label: str) -> None:
        from pyexpr.plot.style import BLUE, DARK, GREY, RED, dress

        other = "weight_variance" if label == "width" else "width"
        held = self.parameters[other]
        shown = (self.activation == kind) & (getattr(self, other) == held)
        shown &= self.bias_variance == 0
        order = np.flatnonzero(shown)[np.argsort(against[shown])]
        rate, error = self.rates
        ax.plot(against[order], self.expected[order], color=BLUE, linewidth=1.0, label="expected")
        ax.plot(against[order], self.stated[order], "--", color=RED, linewidth=1.0, label="stated")
        if kind != "relu":
            ax.plot(
                against[order], self.lower[order], ":", color=GREY, linewidth=1.2, label="corrected"
            )
        ax.errorbar(
            against[order], rate[order], error[order], fmt="o", color=DARK, markersize=3,
            linewidth=1.0, label="measured", zorder=3,
        )  # fmt: skip
        ax.set_xscale("log")
        ax.set_xticks(against[order], [f"{value:g}" for value in against[order]], minor=False)
        ax.set_xticks([], minor=True)
        low, high = ax.get_ylim()
        if low < 1 < high:
            ax.axhline(1.0, color=GREY, linewidth=0.5)
        dress(ax, title=f"{other.replace('_', ' ')} {held:g}", x=label, y="rate a layer")

    # --- settings ---

    def _settings_by_column(self) -> tuple[npt.NDArray[Any], ...]:
        return self.activation, self.width, self.weight_variance, self.bias_variance

    def _settings(self) -> list[tuple[str, int, float, float]]:
        columns = (column.tolist() for column in self._settings_by_column())
        return [*zip(*columns, strict=True)]


def growth(
    *,
    activations: Sequence[str] = ("relu", "hard_tanh"),
    weight_variances: Sequence[float] = (1.0, 2.0, 4.0, 8.0, 16.0),
    bias_variances: Sequence[float] = (0.0, 1.0),
    widths: Sequence[int] = (10, 20, 50, 100, 200),
    width: int = 100,
    weight_variance: float = 4.0,
    depth: int = 10,
    networks: int = 30,
    seed: int = 0,
    executor: Executor | None = None,
    path: str | PathLike[str] | None = None,
    progress: Progress = False,
) -> GrowthResult:
    """Lengths of the image of a quarter arc in every layer of random networks.

    All weight and bias variances at one width, and all widths at one weight variance without
    biases. Every network has an arc of its own, between two standard normal points of as many
    dimensions as a layer has neurons. Lengths are exact up to rounding.

    Parameters
    ----------
    activations
        Of "relu" and "hard_tanh".
    weight_variances, bias_variances, widths
        What is varied, at least one of each.
    width, weight_variance
        What is held where the other is varied.
    depth
        Hidden layers, at least 2.
    networks
        Of every setting, at least 2.
    seed
        Network i of a setting is drawn by seed + i.
    executor, path, progress
        As for `sweep`.

    Returns
    -------
    GrowthResult

    Raises
    ------
    TypeError, ValueError
        Fewer of something than that, or an unknown activation.
    RuntimeError
        A network failed, such as one with a negative variance; see `sweep`.
    """
    parameters = arguments_of(locals())
    hold(parameters, activations=1, weight_variances=1, bias_variances=1, widths=1)
    if {*activations} - NAMES.keys():
        raise ValueError(f'activations is {activations!r}; it must hold "relu" or "hard_tanh"')
    at_least(parameters, width=1, depth=2, networks=2, seed=0)
    for each in widths:
        integer("widths", each, 1)
    varied = [(width, w, b) for w in weight_variances for b in bias_variances]
    varied += [(k, weight_variance, 0.0) for k in widths]
    settings = [*dict.fromkeys((kind, *rest) for kind in activations for rest in varied)]
    cells = [
        {
            "activation": kind, "width": k, "weight_variance": w, "bias_variance": b,
            "depth": depth, "outputs": 1, "seed": seed + i, "trajectory": "arc",
        }
        for kind, k, w, b in settings
        for i in range(networks)
    ]  # fmt: skip
    found = sweep(cells, random_network, executor=executor, path=path, progress=progress)
    found.raise_failures()
    lengths = found.column("lengths").reshape(len(settings), networks, depth + 2)
    kinds, k, w, b = zip(*settings, strict=True)
    return GrowthResult(
        parameters=parameters,
        activation=np.array(kinds),
        width=np.array(k, dtype=np.int64),
        weight_variance=np.array(w, dtype=np.float64),
        bias_variance=np.array(b, dtype=np.float64),
        lengths=lengths[:, :, :-1],
    )


def _expected(kind: str, width: int, weight: float, bias: float) -> float:
    if kind == "relu":
        return theory.relu_growth(width, weight)
    return theory.mean_field_growth(kind, weight, bias)


def _stated(kind: str, width: int, weight: float, bias: float) -> float:
    if kind == "relu":
        return math.sqrt(weight * width / (width + 1))
    return theory.stated_growth(width, weight, bias)


def _lower(kind: str, width: int, weight: float, bias: float) -> float:
    if kind == "relu":
        return theory.relu_growth(width, weight)
    return theory.lower_growth(weight, bias)
