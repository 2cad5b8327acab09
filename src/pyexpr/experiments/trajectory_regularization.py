"""Trajectory regularisation in place of batch normalisation: Raghu et al. (2017), the last part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr._networks import as_network
from pyexpr._progress import Progress
from pyexpr.experiments.checks import at_least, hold
from pyexpr.experiments.data import DataSet, load_once
from pyexpr.experiments.judging import limit, percent, signs, standard_error
from pyexpr.experiments.learning import Penalty, one_thread, train
from pyexpr.experiments.modules import Norm, convolutional
from pyexpr.experiments.result import Claim, Result, Verdict, arguments_of
from pyexpr.experiments.sweep import sweep
from pyexpr.experiments.table import Table
from pyexpr.tracing.trace import trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

_MARGIN = 0.01  # of accuracy, by which what is as good may be worse
VARIANTS = ("none", "batch", "trajectory", "exact")
_NORMS: dict[str, Norm] = {
    "none": "none",
    "batch": "batch",
    "trajectory": "trajectory",
    "exact": "trajectory",
}
_NAMES = {
    "none": "neither",
    "batch": "batch normalisation",
    "trajectory": "trajectory regularisation",
    "exact": "exact trajectory regularisation",
}


@dataclass(frozen=True, eq=False, repr=False)
class TrajectoryRegularizationResult(Result):
    """Accuracies of one architecture with different layers before its activations.

    Attributes
    ----------
    variant : str [V]
        "none", "batch", "trajectory" or "exact".
    rate : float64 [R]
        Learning rates.
    loss, train, test : float64 [V, R, networks, epochs]
        The mean cross entropy of an epoch without penalties, and accuracies behind it.
    length : float64 [V, R, networks, 2]
        The mean length of the image in the output of segments between test images, before and
        after training.
    regions : float64 [V, R, networks, 2]
        The mean of their exact numbers of linear regions, before and after.
    """

    name = "trajectory-regularization"
    title = "Trajectory regularisation in place of batch normalisation"

    variant: npt.NDArray[np.str_]
    rate: FloatArray
    loss: FloatArray
    train: FloatArray
    test: FloatArray
    length: FloatArray
    regions: FloatArray

    def final(self, variant: str) -> FloatArray:
        """A variant's test accuracies at the end, at the rate that trains best: float64 [networks].

        That is the one with the highest mean accuracy on the training images.
        """
        (index,) = np.flatnonzero(self.variant == variant)
        best = np.argmax(self.train[index, :, :, -1].mean(axis=1))
        accuracies: FloatArray = self.test[index, best, :, -1]
        return accuracies

    @property
    def table(self) -> Table:
        rows = []
        for v, variant in enumerate(self.variant.tolist()):
            for r, rate in enumerate(self.rate.tolist()):
                test = self.test[v, r, :, -1]
                rows.append(
                    (
                        *(_NAMES[variant], rate, float(self.loss[v, r, :, -1].mean())),
                        *(float(self.train[v, r, :, -1].mean()), float(test.mean())),
                        *(standard_error(test), *map(float, self.length[v, r].mean(axis=0))),
                        *map(float, self.regions[v, r].mean(axis=0)),
                    )
                )
        return Table(
            (
                *("before the activations", "learning rate", "loss", "train accuracy"),
                *("test accuracy", "s.e.", "length before", "length after"),
                *("regions before", "regions after"),
            ),
            tuple(rows),
        )

    @property
    def claims(self) -> list[Claim]:
        known = self.variant.tolist()
        claims = []
        if {"none", "batch"} <= {*known}:
            claims.append(self._better("batch", "none", "the network has few layers"))
        if {"none", "trajectory"} <= {*known}:
            claims.append(self._better("trajectory", "none", "its only effect on the function is a "
                "learned factor a layer, which the weights could absorb"))  # fmt: skip
        if {"batch", "trajectory"} <= {*known}:
            claims.append(self._as_good())
        return claims

    def plot(self) -> Figure:
        """Test accuracy and loss by epoch, a panel for every rate, a colour for every variant."""
        from matplotlib.ticker import PercentFormatter

        from pyexpr.plot.style import CYCLE, at_whole_numbers, dress, new_figure, share_limits

        figure = new_figure(3.3 * len(self.rate) + 1.6, 4.6, 2, len(self.rate))
        epochs = np.arange(1, self.test.shape[3] + 1)
        for r, rate in enumerate(self.rate):
            above, below = figure.axes[r], figure.axes[len(self.rate) + r]
            for v, (variant, colour) in enumerate(zip(self.variant, CYCLE, strict=False)):
                for ax, values in ((above, self.test[v, r]), (below, self.loss[v, r])):
                    ax.plot(epochs, values.T, color=colour, linewidth=0.5, alpha=0.5)
                    ax.plot(
                        epochs, values.mean(axis=0), color=colour, linewidth=1.5,
                        label=_NAMES[str(variant)],
                    )  # fmt: skip
            dress(above, title=f"learning rate {rate:g}", x="", y="test accuracy" * (r == 0))
            dress(below, title="", x="epoch", y="training loss" * (r == 0))
            above.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
            at_whole_numbers(above.xaxis)
            at_whole_numbers(below.xaxis)
        for row in range(2):
            shown = figure.axes[row * len(self.rate) : (row + 1) * len(self.rate)]
            share_limits(shown)
        figure.axes[0].legend(frameon=False, fontsize="x-small")
        return figure

    # --- claims ---

    def _better(self, variant: str, than: str, why: str) -> Claim:
        gain = self.final(variant) - self.final(than)
        return Claim(
            f"{_NAMES[variant]} is clearly better than {_NAMES[than]} (as recalled)",
            f"test accuracy {_accuracy(self.final(variant))} and {_accuracy(self.final(than))}, "
            "each at the rate that trains best",
            _clearly(gain),
            f"judged by pairs of {len(gain)} networks; {why}",
        )

    def _as_good(self) -> Claim:
        ours, batch = self.final("trajectory"), self.final("batch")
        gain = ours - batch
        reach = limit(len(gain)) * float(standard_error(gain))
        as_good = gain.mean() - reach > -_MARGIN
        return Claim(
            "trajectory regularisation performs as well as batch normalisation",
            f"test accuracy {_accuracy(ours)} and {_accuracy(batch)}, each at the rate that trains "
            "best",
            "no" if gain.mean() + reach < 0 else "yes" if as_good else "in part",
            f"judged by pairs of {len(gain)} networks, yes being surely less than "
            f"{percent(_MARGIN)} worse; the paper's architecture and training are not "
            "known in detail, and this network and its data are small",
        )


def trajectory_regularization(
    *,
    data: str = "digits",
    train_images: int | None = None,
    test_images: int | None = None,
    variants: Sequence[str] = ("none", "batch", "trajectory"),
    rates: Sequence[float] = (0.02, 0.05),
    strength: float = 0.01,
    channels: Sequence[Sequence[int]] = ((8, 8), (16, 16)),
    dense: int = 64,
    weight_variance: float = 2.0,
    epochs: int = 15,
    batch: int = 64,
    segments: int = 8,
    networks: int = 3,
    seed: int = 0,
    executor: Executor | None = None,
    path: str | PathLike[str] | None = None,
    progress: Progress = False,
) -> TrajectoryRegularizationResult:
    """Train a convolutional ReLU network without, with batch, and with trajectory regularisation.

    Parameters
    ----------
    data
        As for `load_data`.
    train_images, test_images
        How many are used, at least 2; None for all.
    variants
        What is before the activations: "none", "batch" for batch normalisation, or "trajectory" for
        `pyexpr.torch.TrajectoryRegularization`, whose path runs through the minibatch, as in the
        paper. In "exact" its path is the segment between the minibatch's first two images, whose
        exact images are measured, which takes much longer.
    rates
        Learning rates; every variant is judged at its best one.
    strength
        How many times the penalty of trajectory regularisation is added to the loss.
    channels, dense, weight_variance
        As for `noise`.
    epochs, batch
        Passes over the images, at least 1, and images in a minibatch, at least 2.
    segments
        How many, between test images, are counted, at least 1.
    networks
        Networks of each kind, at least 2.
    seed
        Network i is drawn and trained by seed + i.
    executor, path, progress
        As for `sweep`.

    Returns
    -------
    TrajectoryRegularizationResult

    Raises
    ------
    TypeError, ValueError
        Less of something than that, or an unknown variant.
    RuntimeError
        A network failed, as where the data set is unknown or not there; see `sweep`.
    """
    parameters = arguments_of(locals())
    hold(parameters, variants=1, rates=1, channels=0)
    at_least(parameters, train_images=2, test_images=2, epochs=1, batch=2, networks=2, seed=0)
    at_least(parameters, segments=1, dense=1)
    for variant in variants:
        if variant not in VARIANTS:
            raise ValueError(f"variants has {variant!r}; each must be one of {VARIANTS}")
    held = {
        "data": data, "train_images": train_images, "test_images": test_images,
        "strength": strength, "channels": [[*block] for block in channels], "dense": dense,
        "weight_variance": weight_variance, "epochs": epochs, "batch": batch, "segments": segments,
    }  # fmt: skip
    cells = [
        {"variant": variant, "rate": rate, "seed": seed + i, **held}
        for variant in variants
        for rate in rates
        for i in range(networks)
    ]
    found = sweep(cells, train_variant, executor=executor, path=path, progress=progress)
    found.raise_failures()

    def column(name: str) -> FloatArray:
        return found.column(name).reshape(len(variants), len(rates), networks, -1)

    return TrajectoryRegularizationResult(
        parameters=parameters,
        variant=np.array(variants),
        rate=np.array(rates, dtype=np.float64),
        **{name: column(name) for name in ("loss", "train", "test", "length", "regions")},
    )


def train_variant(
    *,
    variant: str,
    rate: float,
    seed: int,
    data: str,
    train_images: int | None,
    test_images: int | None,
    strength: float,
    channels: Sequence[Sequence[int]],
    dense: int,
    weight_variance: float,
    epochs: int,
    batch: int,
    segments: int,
) -> Mapping[str, Any]:
    """One network: its History, and lengths and regions before and after."""
    images = load_once(data).subset(train_images, test_images, seed)
    with one_thread():
        module = convolutional(
            images.shape,
            images.classes,
            channels=channels,
            dense=dense,
            weight_variance=weight_variance,
            norm=_NORMS[variant],
            seed=seed,
        )
        before = _measure(module, images, segments)
        history = train(
            module,
            images,
            epochs=epochs,
            rate=rate,
            batch=batch,
            seed=seed,
            penalty=_penalty(variant, strength),
        )
        after = _measure(module, images, segments)
    lengths, regions = zip(before, after, strict=True)
    return {
        **{"loss": history.loss, "train": history.train, "test": history.test},
        **{"length": lengths, "regions": regions},
    }


def _penalty(variant: str, strength: float) -> Penalty | None:
    from pyexpr.torch import exact_trajectory_penalty, trajectory_penalty

    if variant == "trajectory":
        return lambda module, _: strength * trajectory_penalty(module)
    if variant == "exact":
        return lambda module, images: strength * exact_trajectory_penalty(module, images[:2])
    return None


def _measure(module: nn.Module, data: DataSet, segments: int) -> tuple[float, float]:
    """The mean length of the output's images, and of linear regions, on segments of test images.

    Each from image 2 i to image 2 i + 1. nan if training has diverged.
    """
    import torch

    if not all(torch.isfinite(parameter).all() for parameter in module.parameters()):
        return math.nan, math.nan
    net = as_network(module.eval(), input_shape=data.shape)
    count = min(segments, len(data.x_test) // 2)
    pairs = data.x_test[: 2 * count].reshape(count, 2, *data.shape)
    traces = [trace(net, x0, x1, threads=1) for x0, x1 in pairs]
    lengths = [found.lengths.length[-1] for found in traces]
    return float(np.mean(lengths)), float(np.mean([found.n_pieces for found in traces]))


def _accuracy(values: FloatArray) -> str:
    return f"{100 * values.mean():.1f} ± {100 * standard_error(values):.1f} %"


def _clearly(gain: FloatArray) -> Verdict:
    """Whether its mean is clearly positive; no if it is not positive at all."""
    if gain.mean() <= 0:
        return "no"
    return "yes" if signs(gain) > 0 else "in part"
