"""Noise in the weights of one layer of a trained network: what it does to the layers behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, not_negative, real_array
from pyexpr._networks import as_network
from pyexpr._progress import Progress
from pyexpr.experiments.checks import at_least
from pyexpr.experiments.data import DataSet, load_once, random_pairs
from pyexpr.experiments.judging import mean_and_error, rank_correlations, signs
from pyexpr.experiments.learning import one_thread, train
from pyexpr.experiments.modules import convolutional, weight_layers
from pyexpr.experiments.result import Claim, Result, Verdict, arguments_of
from pyexpr.experiments.sweep import sweep
from pyexpr.experiments.table import Table
from pyexpr.tracing.trace import trace

if TYPE_CHECKING:
    import torch
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import nn

_SCALINGS = ("absolute", "relative")
_RECALLED = 0.25, 4  # the paper's noise, and the later of the two layers it was shown for
_COLUMNS = (
    "scaling", "magnitude", "noisy layer", "accuracy", "s.e.", "drop", "disturbance of the output",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class NoiseResult(Result):
    """Accuracy, images and lengths under noise in one layer at a time.

    Layers are those with weights, of which there are L, the last one the readout. A layer's image
    is taken behind its activation; the last image is the output.

    Attributes
    ----------
    layer : str [L]
        The layers' names.
    scaling : str [M]
    magnitude : float64 [M]
        The M noises. The noise's standard deviation is the magnitude where `scaling` is "absolute",
        and so many times the layer's root mean square weight where it is "relative".
    weight : float64 [networks, L]
        Root mean square weights.
    train, clean : float64 [networks]
        Training and test accuracy without noise.
    accuracy : float64 [networks, M, L, draws]
        Test accuracy with noise, by the noisy layer.
    disturbance : float64 [networks, M, L, L]
        How far noise in a layer moves the test images' images in a layer, relative to their norm,
        both as root mean squares over test images; the mean over draws. 0 before the noisy layer.
    clean_lengths : float64 [networks, lines, L]
        Of the images of lines between test images, without noise.
    noisy_lengths : float64 [networks, lines, L, L]
        With relative noise of magnitude `traced` in a layer, in a layer; one draw a line.
    """

    name = "noise"
    title = "Noise in the weights of one layer"

    layer: npt.NDArray[np.str_]
    scaling: npt.NDArray[np.str_]
    magnitude: FloatArray
    weight: FloatArray
    train: FloatArray
    clean: FloatArray
    accuracy: FloatArray
    disturbance: FloatArray
    clean_lengths: FloatArray
    noisy_lengths: FloatArray

    @property
    def drops(self) -> FloatArray:
        """Of accuracy, the means over draws: float64 [networks, M, L]."""
        drops: FloatArray = self.clean[:, None, None] - self.accuracy.mean(axis=3)
        return drops

    @property
    def length_ratios(self) -> FloatArray:
        """Lengths with noise over those without, of all lines: float64 [networks, L, L]."""
        clean = self.clean_lengths.sum(axis=1)[:, None]
        ratios: FloatArray = self.noisy_lengths.sum(axis=1) / clean
        return ratios

    @property
    def table(self) -> Table:
        accuracy, error = mean_and_error(self.accuracy.mean(axis=3))
        drop, output = self.drops.mean(axis=0), self.disturbance[:, :, :, -1].mean(axis=0)
        return Table(
            _COLUMNS,
            tuple(
                (
                    str(self.scaling[m]), float(self.magnitude[m]), str(name),
                    *(float(figure[m, i]) for figure in (accuracy, error, drop, output)),
                )
                for m in range(len(self.magnitude))
                for i, name in enumerate(self.layer)
            ),
        )  # fmt: skip

    @property
    def claims(self) -> list[Claim]:
        return [
            *(self._susceptible(scaling) for scaling in _SCALINGS if scaling in self.scaling),
            *self._recalled(),
            *self._grows(),
            *self._remaining(),
            self._lengths(),
        ]

    def plot(self) -> Figure:
        """Accuracy by magnitude; drops by layer; disturbances and lengths in the layers behind."""
        from pyexpr.plot.style import new_figure

        figure = new_figure(9.8, 7.6, 3, 2)
        axes = iter(figure.axes)
        for scaling in _SCALINGS:
            self._draw_accuracy(next(axes), scaling)
        self._draw_drops(next(axes))
        self._draw_weights(next(axes))
        self._draw_disturbance(next(axes))
        self._draw_lengths(next(axes))
        return figure

    # --- claims ---

    def _susceptible(self, scaling: str) -> Claim:
        """Judged by drops that are averaged over magnitudes, network by network."""
        drops = self.drops[:, self.scaling == scaling].mean(axis=1)
        ranks = rank_correlations(drops)
        correlation, error = mean_and_error(ranks)
        first, others = drops[:, :1], drops[:, 1:]
        above = signs(first - others)
        found = [bool(signs(ranks) < 0), bool((above > 0).all())]
        verdict: Verdict = "in part" if any(found) or (above > 0).sum() > above.size / 2 else "no"
        mean = ", ".join(
            f"{name} {100 * drop:.1f}"
            for name, drop in zip(self.layer, drops.mean(axis=0), strict=True)
        )
        return Claim(
            f"early layers are the most susceptible to noise ({scaling} magnitudes)",
            f"mean drop of accuracy in points, over magnitudes: {mean}; the first layer's is "
            f"clearly larger than that of {(above > 0).sum()} of {above.size} others, and clearly "
            f"smaller than that of {(above < 0).sum()}; rank correlation with the layer "
            f"{correlation:.2f} +- {error:.2f}",
            "yes" if all(found) else verdict,
            self._why(scaling),
        )

    def _why(self, scaling: str) -> str:
        weights = self.weight.mean(axis=0)
        least, most = (
            f"{self.layer[i]} ({weights[i]:.2f})" for i in (weights.argmin(), weights.argmax())
        )
        if scaling == "absolute":
            return (
                "the same noise is another share of each layer's weights, whose root mean square "
                f"lies between that of {least} and that of {most}; where layers have unequal "
                "numbers of inputs this, and not the depth, may decide"
            )
        return (
            "noise is measured by each layer's own weights, so that layers of different sizes can "
            "be compared; clear is a level of 1 % by Student's t over networks"
        )

    def _recalled(self) -> list[Claim]:
        """If there is such a noise, and such a layer."""
        size, later = _RECALLED
        here = np.flatnonzero((self.scaling == "absolute") & (self.magnitude == size))
        if not here.size or len(self.layer) <= later:
            return []
        drops = self.drops[:, here[0]]
        (first, other), (first_error, other_error) = mean_and_error(drops[:, [0, later]])
        larger = signs(drops[:, 0] - drops[:, later]) > 0
        alike = first > 0.5 and other < 0.1
        found: Verdict = "in part" if larger or alike else "no"
        return [
            Claim(
                f"noise of {size:g} lowers accuracy by about 0.7 in the first layer and by 0.02 in "
                "the fifth (as recalled, the text is not at hand)",
                f"by {first:.3f} +- {first_error:.3f} in {self.layer[0]} and by {other:.3f} +- "
                f"{other_error:.3f} in {self.layer[later]}",
                "yes" if larger and alike else found,
                "another network on other data; the order of the two is what can be compared",
            )
        ]

    @property
    def _smallest(self) -> int | None:
        """The smallest relative noise: where the network answers to it linearly, if anywhere."""
        relative = np.flatnonzero(self.scaling == "relative")
        return int(relative[self.magnitude[relative].argmin()]) if relative.size else None

    def _grows(self) -> list[Claim]:
        m = self._smallest
        if m is None:
            return []
        last = len(self.layer) - 1
        here = np.arange(last)
        at, output = self.disturbance[:, m, here, here], self.disturbance[:, m, :last, -1]
        growth = np.log(output / at) / (last - here)
        factor, error = mean_and_error(growth.mean(axis=1))
        each = signs(growth)
        found: Verdict = "in part" if (each > 0).any() else "no"
        return [
            Claim(
                "a perturbation grows exponentially in the layers behind the one it is made in",
                "relative to the images' norm, it is multiplied by "
                f"{math.exp(factor):.3f} a layer (s.e. {100 * error:.1f} %); it clearly grows from "
                f"{(each > 0).sum()} of {last} layers to the output, and clearly shrinks from "
                f"{(each < 0).sum()}",
                "yes" if (each > 0).all() else found,
                "smallest relative noise; a ReLU network scales images and perturbations alike, "
                "and wide random ones bring directions together, so that perturbations should not "
                "outgrow images there; saturating layers can make them do so",
            )
        ]

    def _remaining(self) -> list[Claim]:
        m = self._smallest
        if m is None:
            return []
        output = np.log(self.disturbance[:, m, :, -1])
        behind = np.arange(output.shape[1])[::-1]
        slopes = np.polynomial.polynomial.polyfit(behind, output.T, 1)[1]
        slope, error = mean_and_error(slopes)
        steps = signs(output[:, :-1] - output[:, 1:])
        trend = int(signs(slopes))
        found: Verdict = "in part" if trend > 0 or (trend == 0 and (steps > 0).any()) else "no"
        return [
            Claim(
                "noise in a layer disturbs the output the more, the more layers follow it",
                "each layer more behind the noisy one multiplies the disturbance of the output by "
                f"{math.exp(slope):.3f} (s.e. {100 * error:.1f} %); of {steps.size} steps to an "
                f"earlier layer {(steps > 0).sum()} clearly raise it and {(steps < 0).sum()} "
                "clearly lower it",
                "yes" if trend > 0 and not (steps < 0).any() else found,
                "smallest relative noise, distances relative to the output's norm; later sums, and "
                "the means over 2 x 2, average noise out, which nothing does behind the readout",
            )
        ]

    def _lengths(self) -> Claim:
        """Not of the paper as such: what its measure says of its noise."""
        places = np.arange(len(self.layer))
        ratios = np.log(self.length_ratios)
        at, output = ratios[:, places, places], ratios[:, :, -1]
        (first, last), (first_error, last_error) = mean_and_error(output[:, [0, -2]])
        longer = signs(at)
        more = bool(signs(output[:, 0] - output[:, -2]) > 0)
        found: Verdict = "in part" if more or (longer > 0).any() else "no"
        independent = math.sqrt(1 + self.parameters["traced"] ** 2)
        return Claim(
            "noise lengthens trajectories, and that of the output the more, the earlier its layer "
            "is (not stated in the paper; two of its findings together suggest it)",
            f"noise clearly lengthens images in {(longer > 0).sum()} of {len(places)} noisy layers "
            f"themselves, by {math.exp(at.mean()):.3f} on average, where independent random "
            f"weights would give {independent:.3f}; that of the output is multiplied by "
            f"{math.exp(first):.3f} (s.e. {100 * first_error:.1f} %) from {self.layer[0]} and by "
            f"{math.exp(last):.3f} (s.e. {100 * last_error:.1f} %) from {self.layer[-2]}",
            "yes" if more and (longer > 0).all() else found,
            "exact lengths; noise adds to the variance of weights, and so to lengths, but also "
            "undoes what training has aligned",
        )

    # --- pictures ---

    def _colours(self) -> list[Any]:
        import matplotlib as mpl

        return [*mpl.colormaps["viridis"](np.linspace(0.0, 0.9, len(self.layer)))]

    def _draw_accuracy(self, ax: Axes, scaling: str) -> None:
        from pyexpr.plot.style import GREY, dress, side_legend

        here = np.flatnonzero(self.scaling == scaling)
        here = here[np.argsort(self.magnitude[here])]
        size = self.magnitude[here]
        mean, error = mean_and_error(self.accuracy.mean(axis=3)[:, here])
        for i, colour in enumerate(self._colours()):
            ax.errorbar(
                size, mean[:, i], error[:, i], fmt="o-", color=colour, markersize=3, linewidth=1.0
            )
        ax.axhline(float(self.clean.mean()), color=GREY, linewidth=0.6)
        if here.size:
            _ticks(ax, size)
        side_legend(ax, zip(self.layer.tolist(), self._colours(), strict=True), "noise in")
        units = {"absolute": "sd of noise", "relative": "sd of noise / rms weight of the layer"}
        dress(ax, title=f"Test accuracy, {scaling} noise", x=units[scaling], y="test accuracy")

    def _draw_drops(self, ax: Axes) -> None:
        from pyexpr.plot.style import BLUE, GREY, RED, dress

        places = np.arange(len(self.layer))
        for scaling, colour in zip(_SCALINGS, (BLUE, RED), strict=True):
            drops = self.drops[:, self.scaling == scaling]
            if drops.shape[1]:
                mean, error = mean_and_error(drops.mean(axis=1))
                ax.errorbar(
                    places, mean, error, fmt="o-", color=colour, markersize=3.5, linewidth=1.0,
                    label=scaling,
                )  # fmt: skip
        ax.axhline(0.0, color=GREY, linewidth=0.6)
        ax.legend(frameon=False, fontsize="x-small")
        self._name_layers(ax)
        dress(ax, title="Drop of accuracy, mean over magnitudes", x="noisy layer", y="drop")

    def _draw_weights(self, ax: Axes) -> None:
        from pyexpr.plot.style import DARK, dress

        mean, error = mean_and_error(self.weight)
        places = np.arange(len(self.layer))
        ax.errorbar(places, mean, error, fmt="o", color=DARK, markersize=3.5, linewidth=1.0)
        ax.set_ylim(0)
        self._name_layers(ax)
        dress(ax, title="Root mean square weights, trained", x="layer", y="rms weight")

    def _draw_disturbance(self, ax: Axes) -> None:
        from pyexpr.plot.style import dress

        m = self._smallest
        if m is not None:
            self._draw_behind(ax, self.disturbance[:, m])
            ax.set_yscale("log")
        size = "" if m is None else f", relative noise {self.magnitude[m]:g}"
        dress(ax, title=f"Disturbance{size}", x="layer", y="distance / norm")

    def _draw_lengths(self, ax: Axes) -> None:
        from pyexpr.plot.style import GREY, dress

        traced = self.parameters["traced"]
        ax.axhline(1.0, color=GREY, linewidth=0.6)
        ax.axhline(math.sqrt(1 + traced**2), color=GREY, linewidth=0.8, linestyle="--")
        self._draw_behind(ax, self.length_ratios)
        title = f"Exact lengths, relative noise {traced:g}"
        dress(ax, title=title, x="layer", y="length / that without noise")

    def _draw_behind(self, ax: Axes, values: FloatArray) -> None:
        """Figures [networks, L, L] from the noisy layer on."""
        from pyexpr.plot.style import side_legend

        mean, error = mean_and_error(values)
        for i, colour in enumerate(self._colours()):
            places = np.arange(i, len(self.layer))
            ax.errorbar(
                places, mean[i, i:], error[i, i:], fmt="o-", color=colour, markersize=3,
                linewidth=1.0,
            )  # fmt: skip
        side_legend(ax, zip(self.layer.tolist(), self._colours(), strict=True), "noise in")
        self._name_layers(ax)

    def _name_layers(self, ax: Axes) -> None:
        ax.set_xticks(range(len(self.layer)), self.layer.tolist())


def _ticks(ax: Axes, values: FloatArray) -> None:
    ax.set_xscale("log")
    ax.set_xticks(values, [f"{value:g}" for value in values], minor=False)
    ax.set_xticks([], minor=True)


def noise(
    *,
    data: str = "digits",
    train_images: int | None = None,
    test_images: int | None = None,
    channels: Sequence[Sequence[int]] = ((16, 16), (32, 32)),
    dense: int = 64,
    activation: str = "relu",
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
    epochs: int = 10,
    rate: float = 0.05,
    batch: int = 64,
    absolute: Sequence[float] = (0.03, 0.0625, 0.125, 0.25, 0.5),
    relative: Sequence[float] = (0.125, 0.25, 0.5, 1.0, 2.0),
    draws: int = 3,
    lines: int = 3,
    share: float = 1.0,
    traced: float = 0.5,
    networks: int = 8,
    seed: int = 0,
    executor: Executor | None = None,
    path: str | PathLike[str] | None = None,
    progress: Progress = False,
) -> NoiseResult:
    """Train convolutional networks, and add Gaussian noise to the weights of one layer at a time.

    Biases stay as they are. A draw of noise is the same for all magnitudes.

    Parameters
    ----------
    data
        As for `load_data`.
    train_images, test_images
        How many are used, at least 2 for testing; None for all.
    channels, dense
        Of 3 x 3 convolutions, block by block, behind each of which is a mean over 2 x 2, and of the
        dense layer. Images' height and width are divisible by 2 to the power of blocks.
    activation
        "relu" or "hard_tanh".
    weight_variance, bias_variance
        Of the initial weights, times the fan-in, and of the initial biases.
    epochs, rate, batch
        Of gradient descent with momentum: passes over the images, at least 1, learning rate, and
        images in a minibatch, at least 2.
    absolute
        Standard deviations of the noise, positive; may be empty if `relative` is not.
    relative
        The same, as multiples of the layer's root mean square weight.
    draws
        Of noise, for each layer, at least 1.
    lines
        Between pairs of test images, whose images' lengths are found, at least 1.
    share
        How far lines go, in (0, 1]: less makes tracing faster, which takes minutes for a line
        between images of 3 x 32 x 32.
    traced
        The relative magnitude of the noise for those lengths, not negative.
    networks
        At least 2.
    seed
        Network i, its images' order, its noise and its lines are drawn by seed + i.
    executor, path, progress
        As for `sweep`.

    Returns
    -------
    NoiseResult

    Raises
    ------
    TypeError, ValueError
        Less of something than that, or another number that is out of its range.
    RuntimeError
        A network failed, as where the data set is unknown or not there; see `sweep`.
    """
    parameters = arguments_of(locals())
    at_least(parameters, train_images=2, test_images=2, epochs=1, batch=2, networks=2, seed=0)
    at_least(parameters, dense=1, draws=1, lines=1)
    noises = [
        *(("absolute", size) for size in _positive("absolute", absolute)),
        *(("relative", size) for size in _positive("relative", relative)),
    ]
    if not noises:
        raise ValueError("absolute and relative are empty; one of them must have a magnitude")
    not_negative("traced", traced)
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; it must be in (0, 1]")
    others = {key: value for key, value in parameters.items() if key not in ("networks", "seed")}
    cells = [{**others, "seed": seed + i} for i in range(networks)]
    found = sweep(cells, noisy_network, executor=executor, path=path, progress=progress)
    found.raise_failures()
    scalings, sizes = zip(*noises, strict=True)
    names = (
        "weight", "train", "clean", "accuracy", "disturbance", "clean_lengths", "noisy_lengths",
    )  # fmt: skip
    return NoiseResult(
        parameters=parameters,
        layer=np.array(found[0]["layer"]),
        scaling=np.array(scalings),
        magnitude=np.array(sizes, dtype=np.float64),
        **{name: found.column(name) for name in names},
    )


def _positive(name: str, sizes: Sequence[float]) -> list[float]:
    values = real_array(name, sizes, 1)
    if (values <= 0).any():
        raise ValueError(f"{name} holds {values.min()}; every magnitude must be positive")
    return [*map(float, values)]


# --- a cell ---


def noisy_network(
    data: str,
    train_images: int | None,
    test_images: int | None,
    channels: Sequence[Sequence[int]],
    dense: int,
    activation: str,
    weight_variance: float,
    bias_variance: float,
    epochs: int,
    rate: float,
    batch: int,
    absolute: Sequence[float],
    relative: Sequence[float],
    draws: int,
    lines: int,
    share: float,
    traced: float,
    seed: int,
) -> dict[str, Any]:
    """A cell: one network, trained, and all that is measured on it."""
    images = load_once(data).subset(train_images, test_images)
    module = convolutional(
        images.shape, images.classes, channels=channels, dense=dense, activation=activation,
        weight_variance=weight_variance, bias_variance=bias_variance, seed=seed,
    )  # fmt: skip
    x0, x1 = random_pairs(images.x_test, lines, seed)
    ends = x0, x0 + share * (x1 - x0)
    with one_thread():
        history = train(module, images, epochs=epochs, rate=rate, batch=batch, seed=seed)
        rms = [_rms(layer.weight) for layer in weight_layers(module)]
        sizes = [[size] * len(rms) for size in absolute]
        sizes += [[size * weight for weight in rms] for size in relative]
        accuracy, disturbance = _measured(module, images, sizes, draws, seed)
        clean_lengths, noisy_lengths = _traced(module, *ends, [traced * w for w in rms], seed)
    return {
        "layer": _names(module),
        "weight": rms,
        "train": float(history.train[-1]),
        "clean": float(history.test[-1]),
        "accuracy": accuracy,
        "disturbance": disturbance,
        "clean_lengths": clean_lengths,
        "noisy_lengths": noisy_lengths,
    }


def _measured(
    module: nn.Sequential, images: DataSet, sizes: Sequence[Sequence[float]], draws: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Accuracies [M, L, draws] and disturbances [M, L, L] of noise [M][L]."""
    import torch

    parts = _parts(module)
    labels = torch.tensor(images.y_test)
    with torch.no_grad():
        clean = _images(parts, torch.tensor(images.x_test))
        accuracy = np.empty((len(sizes), len(parts), draws))
        disturbance = np.zeros((len(sizes), len(parts), draws, len(parts)))
        for m, i, draw in np.ndindex(accuracy.shape):
            (layer,) = weight_layers(parts[i])
            with _noisy(layer, sizes[m][i], [seed, 2, i, draw]):
                noisy = _images(parts[i:], clean[i])
            right = noisy[-1].argmax(dim=1) == labels
            accuracy[m, i, draw] = float(right.double().mean())
            disturbance[m, i, draw, i:] = [
                float(torch.linalg.vector_norm(there - here) / torch.linalg.vector_norm(here))
                for there, here in zip(noisy[1:], clean[i + 1 :], strict=True)
            ]
    return accuracy, disturbance.mean(axis=2)


def _traced(
    module: nn.Sequential, x0: FloatArray, x1: FloatArray, sizes: Sequence[float], seed: int
) -> tuple[FloatArray, FloatArray]:
    """Lengths [lines, L] of lines' images, and with noise [lines, L, L]; a draw for each line."""
    layers = weight_layers(module)
    clean = _lengths(module, x0, x1)
    noisy = np.empty((len(x0), len(layers), len(layers)))
    for line, i in np.ndindex(len(x0), len(layers)):
        with _noisy(layers[i], sizes[i], [seed, 2, i, line]):
            noisy[line, i] = _lengths(module, x0[line : line + 1], x1[line : line + 1])[0]
    return clean, noisy


def _lengths(module: nn.Sequential, x0: FloatArray, x1: FloatArray) -> FloatArray:
    network = as_network(module, input_shape=x0.shape[1:])
    traces = (trace(network, *ends, threads=1) for ends in zip(x0, x1, strict=True))
    return np.array([found.lengths.length[1:] for found in traces])


def _names(module: nn.Sequential) -> list[str]:
    """Of the layers with weights."""
    wanted = {id(layer) for layer in weight_layers(module)}
    children = module.named_children()
    return [name.replace("_", " ") for name, child in children if id(child) in wanted]


def _parts(module: nn.Sequential) -> list[nn.Sequential]:
    """The module cut behind every activation: a layer with weights, and what is around it."""
    from torch import nn

    parts: list[list[nn.Module]] = [[]]
    for child in module.children():
        parts[-1].append(child)
        if isinstance(child, nn.ReLU | nn.Hardtanh):
            parts.append([])
    return [nn.Sequential(*part) for part in parts]


def _images(parts: Sequence[nn.Sequential], points: torch.Tensor) -> list[torch.Tensor]:
    """The points, and their images behind each part."""
    images = [points]
    for part in parts:
        images.append(part(images[-1]))
    return images


@contextmanager
def _noisy(layer: nn.Module, size: float, seed: Sequence[int]) -> Iterator[None]:
    """Weights with normal noise of this standard deviation, as long as this is entered."""
    import torch

    draw = np.random.default_rng(seed).standard_normal(tuple(layer.weight.shape))
    before = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.add_(torch.tensor(size * draw, dtype=before.dtype))
    try:
        yield
    finally:
        with torch.no_grad():
            layer.weight.copy_(before)


def _rms(weight: torch.Tensor) -> float:
    return float(weight.detach().double().square().mean().sqrt())
