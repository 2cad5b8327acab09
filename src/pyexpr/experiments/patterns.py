"""How many activation patterns there are: theorems 1 and 2 and figure 3 of Raghu et al. (2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr import bounds, constructions
from pyexpr._arrays import FloatArray, integer
from pyexpr._progress import Progress
from pyexpr.counting import count_patterns, count_regions, count_transitions
from pyexpr.cuda.devices import DeviceLike, find_device
from pyexpr.experiments.checks import hold
from pyexpr.experiments.judging import (
    NAMES,
    limit,
    percent,
    rate_a_layer,
    ratio_of_means,
    standard_error,
    verdict,
)
from pyexpr.experiments.result import Claim, Result, arguments_of
from pyexpr.experiments.sweep import sweep
from pyexpr.experiments.table import Entry, Table
from pyexpr.network import Network
from pyexpr.trajectories import Arc, Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Counts: TypeAlias = npt.NDArray[np.int64]

_ATTAINING = 3  # the least width whose networks can have (k + 1)^n patterns on a line
_UNITS, _LAYERS = 4, 3  # of the network on the plane, as in the paper's figure 3
_POWER = 0.25  # by which an exponent of width may differ from 1
_EXTENT = 2.0  # of the square on it, from its middle
_CURVES = ("line", "arc")


@dataclass(frozen=True, eq=False, repr=False)
class PatternsResult(Result):
    """Distinct activation patterns along lines and arcs, and those on a plane.

    Attributes
    ----------
    activation : str [S]
    width, depth : int64 [S]
        The S settings of random networks.
    distinct : int64 [S, networks, 2]
        Patterns along a line, and along a quarter arc.
    transitions : int64 [S, networks, 2]
        Along the same.
    attained : int64 [D]
        Patterns along a line of a network that is made to have many, with 1 to D layers of three
        ReLUs.
    slice_input : float64 [4, 2]
    slice_hidden : float64 [2, 4, 4]
    slice_bias : float64 [3, 4]
        Weights and biases of the hidden layers of a network on a plane.
    caps : int64 [2]
        Distinct patterns and transitions of a network that is made to have many regions on a
        circle, with layers of three ReLUs and one.
    chords : int64 [C]
        Activation regions of that network along chords of the plane whose ends have the same
        pattern.
    """

    name = "patterns"
    title = "Activation patterns and their bounds"

    activation: npt.NDArray[np.str_]
    width: Counts
    depth: Counts
    distinct: Counts
    transitions: Counts
    attained: Counts
    slice_input: FloatArray
    slice_hidden: FloatArray
    slice_bias: FloatArray
    caps: Counts
    chords: Counts

    @property
    def bounds(self) -> FloatArray:
        """Logarithms to base 10 of the most there can be on a line and on an arc: [S, 2]."""
        return np.array([_bounds(*setting) for setting in self._settings()])

    @property
    def stated(self) -> FloatArray:
        """Logarithms to base 10 of k^n, or (2 k)^n for hard-tanh: float64 [S].

        The paper's bound on a line, one input dimension, without a constant.
        """
        doubled = np.where(self.activation == "hard_tanh", 2.0, 1.0)
        return np.asarray(self.depth * np.log10(doubled * self.width), dtype=np.float64)

    @property
    def rates(self) -> tuple[FloatArray, FloatArray]:
        """By what a layer multiplies patterns on a line, from half of the depth on: [kinds] each.

        For ReLU and hard-tanh, with standard errors.
        """
        found = [self._rate(kind) for kind in ("relu", "hard_tanh")]
        return np.array([rate for rate, _ in found]), np.array([error for _, error in found])

    @property
    def table(self) -> Table:
        random = zip(
            self._settings(), self.distinct.mean(axis=1), self.distinct.max(axis=1),
            self.stated, self.bounds, strict=True,
        )  # fmt: skip
        rows: list[tuple[Entry, ...]] = [
            (
                f"random {kind}", k, n, float(mean[0]), int(most[0]), _power(stated),
                _power(bound[0]), float(mean[1]), int(most[1]), _power(bound[1]),
            )
            for (kind, k, n), mean, most, stated, bound in random
        ]  # fmt: skip
        k = _ATTAINING
        rows += [
            (f"{k} ReLUs, made", k, n, float(count), int(count), f"{k**n:,}",
             f"{bounds.line([1, *[k] * n, 1]):,}", None, None, None)
            for n, count in enumerate(self.attained.tolist(), 1)
        ]  # fmt: skip
        return Table(
            (
                "network", "width", "depth", "on a line", "most", "stated", "bound",
                "on an arc", "most on an arc", "bound for an arc",
            ),
            tuple(rows),
        )  # fmt: skip

    @property
    def claims(self) -> list[Claim]:
        return [
            self._stated(), self._tight(), self._hold(), self._random(), self._width_claim(),
            self._bijection(), self._convex(),
        ]  # fmt: skip

    def plot(self) -> Figure:
        """Patterns by depth, by width and of made networks; a plane, layer by layer."""
        from pyexpr.plot.style import new_figure

        figure = new_figure(9.6, 6.4, 2, 3)
        by_depth, by_width, made = figure.axes[:3]
        self._draw_random(by_depth, "depth")
        self._draw_random(by_width, "width")
        self._draw_made(made)
        for layers, ax in enumerate(figure.axes[3:], 1):
            self._draw_slice(ax, layers)
        return figure

    # --- claims ---

    def _stated(self) -> Claim:
        stated = [_ATTAINING**n for n in range(1, len(self.attained) + 1)]
        above = self.attained > stated
        n = len(stated)
        return Claim(
            "there are at most O(k^(m n)) patterns of ReLU; on a line, m = 1, k^n",
            f"{self.attained[-1]:,} > {stated[-1]:,} with {n} layers of {_ATTAINING}, "
            f"{self.attained[-1] / stated[-1]:.1f} times as many; above in {above.sum()} of "
            f"{len(above)} depths",
            "no" if above.any() else "yes",
            "the exact maximum on a line is (k + 1)^n from k = 3 on: the factor that the "
            "O-notation hides is (1 + 1/k)^n, exponential in depth; for m >= 2 no constant is "
            "needed",
        )

    def _tight(self) -> Claim:
        depths = range(1, len(self.attained) + 1)
        most = [bounds.line([1, *[_ATTAINING] * n, 1]) for n in depths]
        equal = self.attained == most
        return Claim(
            "the bound is tight",
            f"made networks of width {_ATTAINING} attain the exact bound (k + 1)^n on a line in "
            f"{equal.sum()} of {len(equal)} depths, with {self.attained[-1]:,} patterns at most",
            verdict(equal),
            "so of the exact bound on lines; whether that of higher dimensions is attained is not "
            "examined",
        )

    def _hold(self) -> Claim:
        """Not of the paper, but of the theory that this package has."""
        most = self.distinct.max(axis=1)
        below = np.log10(most) <= self.bounds + 1e-12
        share = np.log10(most) / self.bounds
        return Claim(
            "no network has more patterns than the exact bounds for lines and arcs (theory here)",
            f"{below.sum()} of {below.size} settings and curves; logarithms of the most found "
            f"are {share.min():.2f} to {share.max():.2f} of the bounds'",
            verdict(below),
            "proved; random networks stay far below what chosen weights attain",
        )

    def _random(self) -> Claim:
        (relu, tanh), (relu_error, tanh_error) = self.rates
        needed = np.array([self._least_rate("relu"), self._least_rate("hard_tanh")])
        reach = limit(self.distinct.shape[1]) * np.array([relu_error, tanh_error])
        grows = np.array([relu, tanh]) - reach > needed
        return Claim(
            "in random networks patterns along a curve grow exponentially with depth",
            f"multiplied on a line in later layers by {relu:.3f} (s.e. {relu_error:.3f}) a layer "
            f"of ReLU and by {tanh:.3f} ({tanh_error:.3f}) of hard-tanh, where a count in "
            f"proportion to depth is multiplied by {needed[0]:.3f}",
            verdict(grows),
            "every ReLU layer adds about as many patterns as the one before, and every hard-tanh "
            "layer with such weights a multiple",
        )

    def _width_claim(self) -> Claim:
        powers, told, texts = [], [], []
        for kind in ("relu", "hard_tanh"):
            which = self._varied("width", kind)
            narrow, wide = self.distinct[which[[0, -1]], :, 0]
            ratio, relative = ratio_of_means(wide, narrow)
            distance = math.log(self.width[which[-1]] / self.width[which[0]])
            power = math.log(float(ratio)) / distance
            error = float(relative / ratio) / distance
            reach = limit(len(narrow)) * error
            powers.append(abs(power - 1) <= _POWER + reach)
            told.append(reach <= _POWER)
            texts.append(f"{NAMES[kind]} k^{power:.2f} (s.e. {error:.2f})")
        depth = self.parameters["depth"]
        return Claim(
            "patterns grow with width by a power only",
            f"on a line, depth {depth}: {'; '.join(texts)}, where the bound is k^{depth}",
            verdict(np.array(powers), np.array(told)),
            "in proportion to width in random networks, as transitions do",
        )

    def _bijection(self) -> Claim:
        one_each = (self.distinct == self.transitions + 1).reshape(-1, 2)
        back = 1 - self.distinct[:, :, 1] / (self.transitions[:, :, 1] + 1)
        line, arc = one_each.mean(axis=0)
        distinct, changes = self.caps.tolist()
        return Claim(
            "every transition leads to a new pattern, if the trajectory is well-behaved",
            f"so on {percent(line)} of lines and {percent(arc)} of arcs through random networks, "
            f"where up to {percent(back.max())} of an arc's regions repeat a pattern; a made "
            f"network has {distinct} patterns in {changes} regions of a circle",
            "no" if line < 1 else "yes" if arc == 1 and distinct == changes else "in part",
            "cells are convex, so that a line never comes back to one; a curve may, and hardly "
            "does where there are many dimensions",
        )

    def _convex(self) -> Claim:
        inside = self.chords == 1
        return Claim(
            "patterns cut the input space into convex cells",
            f"{inside.sum()} of {len(inside)} random chords between points of one pattern stay in "
            "one region, counted exactly",
            verdict(inside) if inside.all() else "no",
            "cells are intersections of half-spaces: the boundaries of a layer bend only at those "
            "of earlier ones",
        )

    # --- pictures ---

    def _draw_random(self, ax: Axes, varied: str) -> None:
        from pyexpr.plot.style import BLUE, GREY, RED, dress

        for kind, colour in (("relu", BLUE), ("hard_tanh", RED)):
            which = self._varied(varied, kind)
            x = getattr(self, varied)[which]
            for curve, (marker, style) in enumerate((("o", "-"), ("^", ":"))):
                values = self.distinct[which, :, curve]
                ax.errorbar(
                    x, values.mean(axis=1), standard_error(values), fmt=marker + style,
                    color=colour, markersize=3, linewidth=1.0,
                    label=f"{NAMES[kind]}, {_CURVES[curve]}",
                )  # fmt: skip
                with np.errstate(over="ignore"):
                    most = 10.0 ** self.bounds[which, curve]
                ax.plot(x, most, style, color=colour, linewidth=0.7, alpha=0.6)
        ax.plot([], [], color=GREY, linewidth=0.7, label="thin: their bounds")
        ax.set_yscale("log")
        if varied == "width":
            ax.set_xscale("log")
        ax.set_xticks(x, [f"{value:g}" for value in x], minor=False)
        ax.set_xticks([], minor=True)
        if varied == "depth":
            ax.legend(frameon=False, fontsize="x-small", loc="upper left")
        other = "width" if varied == "depth" else "depth"
        title = f"Random networks, {other} {self.parameters[other]}"
        dress(ax, title=title, x=varied, y="distinct patterns")

    def _draw_made(self, ax: Axes) -> None:
        from pyexpr.plot.style import BLUE, DARK, RED, dress

        n = np.arange(1, len(self.attained) + 1)
        k = _ATTAINING
        ax.plot(n, (k + 1.0) ** n, color=BLUE, linewidth=1.0, label=f"exact bound, {k + 1}$^n$")
        ax.plot(n, float(k) ** n, "--", color=RED, linewidth=1.0, label=f"stated, {k}$^n$")
        ax.plot(n, self.attained, "o", color=DARK, markersize=3.5, label="counted")
        ax.set_yscale("log")
        ax.set_xticks(n)
        ax.legend(frameon=False, fontsize="x-small")
        dress(ax, title=f"Made networks, width {k}, on a line", x="depth n", y="distinct patterns")

    def _draw_slice(self, ax: Axes, layers: int) -> None:
        from pyexpr.plot.slice import slice_regions
        from pyexpr.plot.style import dress

        network = _network_on_plane(self._slice_weights()[:layers])
        extent = (-_EXTENT, _EXTENT, -_EXTENT, _EXTENT)
        slice_regions(network, [0, 0], [1, 0], [0, 1], extent, resolution=600, ax=ax)
        names = "layer 1" if layers == 1 else f"layers 1 to {layers}"
        dress(ax, title=f"Cells of {names}", x="input 1", y="input 2")

    # --- settings ---

    def _settings(self) -> list[tuple[str, int, int]]:
        columns = self.activation, self.width, self.depth
        return [*zip(*(column.tolist() for column in columns), strict=True)]

    def _varied(self, name: str, kind: str) -> Counts:
        """Indices, by increasing width or depth."""
        other = "width" if name == "depth" else "depth"
        wanted = self.parameters[f"{name}s"]
        which = (self.activation == kind) & (getattr(self, other) == self.parameters[other])
        found = np.flatnonzero(which & np.isin(getattr(self, name), wanted))
        return found[np.argsort(getattr(self, name)[found])]

    def _later(self, kind: str) -> Counts:
        """Two indices: of the largest depth, and of the one next to half of it."""
        which = self._varied("depth", kind)
        depths = self.depth[which]
        middle = np.argmin(np.abs(depths[:-1] - depths[-1] / 2))
        return np.array([which[middle], which[-1]])

    def _rate(self, kind: str) -> tuple[float, float]:
        """Of networks of two depths that share their first layers, seed by seed."""
        which = self._later(kind)
        start, end = self.distinct[which, :, 0]
        rate, error = rate_a_layer(start, end, int(np.diff(self.depth[which])[0]))
        return float(rate), float(error)

    def _least_rate(self, kind: str) -> float:
        """What it would be if patterns were in proportion to depth."""
        start, end = self.depth[self._later(kind)].tolist()
        return math.exp(math.log(end / start) / (end - start))

    def _slice_weights(self) -> list[tuple[FloatArray, FloatArray]]:
        return [*zip([self.slice_input, *self.slice_hidden], self.slice_bias, strict=True)]


def patterns(
    *,
    depths: Sequence[int] = (1, 2, 3, 4, 6, 8),
    widths: Sequence[int] = (10, 20, 50, 100, 200),
    width: int = 50,
    depth: int = 3,
    weight_variance: float = 2.0,
    tanh_weight_variance: float = 8.0,
    bias_variance: float = 0.1,
    made_depth: int = 8,
    chords: int = 2000,
    networks: int = 20,
    seed: int = 0,
    executor: Executor | None = None,
    path: str | PathLike[str] | None = None,
    progress: Progress = False,
    device: DeviceLike = "cpu",
) -> PatternsResult:
    """Distinct activation patterns of random networks along lines and arcs; exact counts.

    Every network has points of its own, standard normal ones of as many dimensions as a layer has
    neurons; the line and the quarter arc lie between them.

    Parameters
    ----------
    depths, widths
        What is varied, at least 2 of each.
    width, depth
        What is held where the other is varied.
    weight_variance, tanh_weight_variance, bias_variance
        Of ReLU, of hard-tanh and of both. Without biases a ReLU network has the patterns of a
        line on the arc.
    made_depth
        The most layers of three ReLUs, made to have 4^n patterns.
    chords
        How many points of a plane are drawn, to be joined with others of the same pattern.
    networks
        Of every setting, at least 2.
    seed
        Network i of a setting is drawn by seed + i, that on the plane by seed.
    executor, path, progress
        As for `sweep`.
    device
        As for `count_regions`. All processes of an executor use the same GPU, and have to be
        spawned, not forked.

    Returns
    -------
    PatternsResult

    Raises
    ------
    TypeError, ValueError
        Fewer of something than that, or an unknown `device`.
    ImportError, RuntimeError
        `device` asks for a GPU, and none can be had: before anything is run. RuntimeError also
        where a network failed, such as one with a negative variance; see `sweep`.
    """
    find_device(device)
    parameters = arguments_of(locals())
    count, first_seed = integer("networks", networks, 2), integer("seed", seed, 0)
    hold(parameters, depths=2, widths=2)
    for name, values in (("depths", depths), ("widths", widths)):
        for value in values:
            integer(name, value, 1)
    shapes = dict.fromkeys([*((width, n) for n in depths), *((k, depth) for k in widths)])
    variances = {"relu": weight_variance, "hard_tanh": tanh_weight_variance}
    settings = [(kind, *shape) for kind in variances for shape in shapes]
    cells = [
        {
            "activation": kind, "width": k, "depth": n, "weight_variance": variances[kind],
            "bias_variance": bias_variance, "seed": s,
        }
        for kind, k, n in settings
        for s in range(first_seed, first_seed + count)
    ]  # fmt: skip
    deepest = integer("made_depth", made_depth, 1)
    attained = [_attained(n, device) for n in range(1, deepest + 1)]
    weights = _random_on_plane(first_seed)
    on_plane = _network_on_plane(weights)
    places = integer("chords", chords, 1), 2
    points = np.random.default_rng([first_seed, 1]).uniform(-_EXTENT, _EXTENT, places)
    how = {"device": device}
    found = sweep(
        cells, patterns_on_curves, executor=executor, path=path, progress=progress, how=how
    )
    found.raise_failures()
    kinds, k, n = zip(*settings, strict=True)
    shape = len(settings), count, len(_CURVES)
    return PatternsResult(
        parameters=parameters,
        activation=np.array(kinds),
        width=np.array(k, dtype=np.int64),
        depth=np.array(n, dtype=np.int64),
        distinct=found.column("distinct").reshape(shape),
        transitions=found.column("transitions").reshape(shape),
        attained=np.array(attained, dtype=np.int64),
        slice_input=weights[0][0],
        slice_hidden=np.stack([weight for weight, _ in weights[1:]]),
        slice_bias=np.stack([bias for _, bias in weights]),
        caps=_caps(device),
        chords=_chords(on_plane, points, _letters(on_plane, points), device),
    )


def patterns_on_curves(
    activation: str,
    width: int,
    depth: int,
    weight_variance: float,
    bias_variance: float,
    seed: int,
    device: DeviceLike = "cpu",
) -> dict[str, Any]:
    """One network along a line and along a quarter arc between the same points, on one thread.

    Returns
    -------
    dict
        distinct patterns and transitions: [line, arc] each.
    """
    for_network, for_points = np.random.SeedSequence(seed).spawn(2)
    rng = np.random.default_rng(for_network)
    sizes = [width] * (depth + 1) + [1]
    network = Network.random(sizes, activation, weight_variance, bias_variance, seed=rng)
    ends = np.random.default_rng(for_points).standard_normal((2, width))
    curves = Line(*ends), Arc(*ends)
    return {
        name: [int(count(network, curve, threads=1, device=device)) for curve in curves]
        for name, count in (("distinct", count_patterns), ("transitions", count_transitions))
    }


def _bounds(kind: str, width: int, depth: int) -> list[float]:
    sizes = [width] * (depth + 1) + [1]
    return [
        bounds.line(sizes, activation=kind, log10=True),
        bounds.arc(sizes, activation=kind, log10=True),
    ]


def _attained(depth: int, device: DeviceLike) -> int:
    made = constructions.line([1, *[_ATTAINING] * depth, 1])
    return int(count_patterns(made.network, made.trajectory, threads=1, device=device))


def _caps(device: DeviceLike) -> Counts:
    made = constructions.circle([2, 3, 1, 1])
    counts = (
        count(made.network, made.trajectory, device=device)
        for count in (count_patterns, count_transitions)
    )
    return np.array([*map(int, counts)], dtype=np.int64)


def _random_on_plane(seed: int) -> list[tuple[FloatArray, FloatArray]]:
    """Hidden layers, with biases that put some boundaries near the middle."""
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[2])
    network = Network.random([2, *[_UNITS] * _LAYERS, 1], "relu", 2.0, 0.5, seed=rng)
    return [(layer.weight, layer.bias) for layer in network.layers[:-1]]


def _network_on_plane(weights: Sequence[tuple[FloatArray, FloatArray]]) -> Network:
    return Network.dense([*weights, (np.ones((1, _UNITS)), np.zeros(1))])


def _chords(
    network: Network,
    points: FloatArray,
    letters: npt.NDArray[np.bool_],
    device: DeviceLike = "cpu",
) -> Counts:
    """Activation regions on chords between points [B, 2] that have the same letters."""
    order = np.lexsort(letters.T)
    same = (letters[order[1:]] == letters[order[:-1]]).all(axis=1)
    starts, ends = points[order[:-1][same]], points[order[1:][same]]
    counts = count_regions(network, starts, ends, kind="activation", threads=1, device=device)
    return np.asarray(counts)


def _letters(network: Network, points: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether each neuron is on at points [B, 2]: bool [B, neurons]."""
    letters, h = [], points
    for layer in network.layers[:-1]:
        z = h @ layer.weight.T + layer.bias
        letters.append(z > 0)
        h = np.maximum(z, 0)
    return np.concatenate(letters, axis=1)


def _power(logarithm: float) -> str:
    """A number by its logarithm to base 10."""
    if logarithm < 6:
        return f"{round(10**logarithm):,}"
    whole = math.floor(logarithm)
    return f"{10 ** (logarithm - whole):.2f}e{whole}"
