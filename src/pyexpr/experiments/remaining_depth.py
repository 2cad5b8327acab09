"""Which single layer of a network is best to train: accuracy against its remaining depth."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr._networks import as_network
from pyexpr._progress import Progress
from pyexpr.counting import count_regions
from pyexpr.cuda.devices import DeviceLike, find_device
from pyexpr.experiments.checks import at_least
from pyexpr.experiments.data import DataSet, load_once, random_pairs
from pyexpr.experiments.judging import mean_and_error, rank_correlations, signs
from pyexpr.experiments.learning import accuracies, one_thread, train
from pyexpr.experiments.modules import perceptron, weight_layers
from pyexpr.experiments.result import Claim, Result, Verdict, arguments_of
from pyexpr.experiments.sweep import sweep
from pyexpr.experiments.table import Table
from pyexpr.network import Network
from pyexpr.stack import NetworkStack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import nn

_COLUMNS = (
    "trained layer", "layers behind it", "training accuracy", "s.e. of training", "test accuracy",
    "s.e. of test", "regions after / before", "s.e. of regions",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class RemainingDepthResult(Result):
    """Accuracies of networks of which one hidden layer is trained, and all others are random.

    Attributes
    ----------
    train, test : float64 [networks, layers, 1 + epochs]
        Accuracies with layer 0, 1, ... trained, before the first and behind each epoch.
    regions_before : int64 [networks, lines]
        Activation regions on lines between test images, before training.
    regions_after : int64 [networks, layers, lines]
        Behind the last epoch.
    """

    name = "remaining-depth"
    title = "Training one layer: the deeper the rest, the better"

    train: FloatArray
    test: FloatArray
    regions_before: npt.NDArray[np.int64]
    regions_after: npt.NDArray[np.int64]

    @property
    def layers(self) -> int:
        return int(self.train.shape[1])

    @property
    def region_ratios(self) -> FloatArray:
        """Regions after training over those before, of all lines: float64 [networks, layers]."""
        before = self.regions_before.sum(axis=1)[:, None]
        ratios: FloatArray = self.regions_after.sum(axis=2) / before
        return ratios

    @property
    def table(self) -> Table:
        figures = (self.train[:, :, -1], self.test[:, :, -1], self.region_ratios)
        columns = [estimate for values in figures for estimate in mean_and_error(values)]
        return Table(
            _COLUMNS,
            tuple(
                (i, self.layers - 1 - i, *map(float, row))
                for i, row in enumerate(zip(*columns, strict=True))
            ),
        )

    @property
    def claims(self) -> list[Claim]:
        return [
            self._ordered("training", self.train[:, 1:, -1]),
            self._ordered("test", self.test[:, 1:, -1]),
            self._regions(),
        ]

    def plot(self) -> Figure:
        """Accuracies by epoch, one curve a trained layer; accuracies and regions by layer."""
        from pyexpr.plot.style import new_figure

        figure = new_figure(9.6, 6.0, 2, 2)
        by_epoch, by_epoch_test, by_layer, regions = figure.axes
        self._draw_epochs(by_epoch, self.train, "training")
        self._draw_epochs(by_epoch_test, self.test, "test")
        self._draw_layers(by_layer)
        self._draw_regions(regions)
        return figure

    # --- claims ---

    def _ordered(self, kind: str, accuracy: FloatArray) -> Claim:
        """Judged by paired differences, of networks that start from the same weights.

        Parameters
        ----------
        accuracy
            [networks, layers], of layers that have as many parameters.
        """
        ranks = rank_correlations(accuracy)
        correlation, error = mean_and_error(ranks)
        ends = accuracy[:, 0] - accuracy[:, -1]
        gain, gain_error = mean_and_error(ends)
        steps = signs(accuracy[:, :-1] - accuracy[:, 1:])
        found = [bool(signs(ranks) < 0), bool(signs(ends) > 0)]
        verdict: Verdict = "in part" if any(found) else "no"
        if all(found) and not (steps < 0).any():
            verdict = "yes"
        return Claim(
            f"training a lower layer gives a higher {kind} accuracy, layer by layer",
            f"rank correlation of accuracy with the layer {correlation:.2f} +- {error:.2f}; "
            f"layer 1 is {100 * gain:.1f} +- {100 * gain_error:.1f} points above layer "
            f"{self.layers - 1}; of {steps.size} steps to the next layer {(steps > 0).sum()} "
            f"clearly lower it, and {(steps < 0).sum()} clearly raise it",
            verdict,
            "clear is a level of 1 % by Student's t of paired differences; layer 0 is left out, "
            "as it has another number of parameters; depth, optimiser and rate of the paper are "
            "not known",
        )

    def _regions(self) -> Claim:
        """Not of the paper, but what its explanation predicts."""
        change = np.abs(np.log(self.region_ratios[:, 1:]))
        correlation, error = mean_and_error(rank_correlations(change))
        clear = bool(signs(rank_correlations(change)) < 0)
        low, high = (mean_and_error(self.region_ratios[:, i])[0] for i in (1, -1))
        return Claim(
            "training a lower layer changes the number of regions on a line more (not stated in "
            "the paper; its explanation by remaining depth suggests it)",
            f"training multiplies the exact number of activation regions by {low:.2f} in layer 1 "
            f"and by {high:.2f} in layer {self.layers - 1}; rank correlation of the change's size "
            f"with the layer {correlation:.2f} +- {error:.2f}",
            "yes" if clear else "no",
            "a layer moves its own breakpoints and those of the layers behind it, never those "
            "before it; yes only if the correlation is clearly negative",
        )

    # --- pictures ---

    def _colours(self) -> list[Any]:
        import matplotlib as mpl

        return [*mpl.colormaps["viridis"](np.linspace(0.0, 0.88, self.layers))]

    def _draw_epochs(self, ax: Axes, accuracy: FloatArray, kind: str) -> None:
        from pyexpr.plot.style import GREY, at_whole_numbers, dress, side_legend

        colours = [GREY, *self._colours()[1:]]
        epochs = np.arange(accuracy.shape[2])
        for i, colour in enumerate(colours):
            mean, error = mean_and_error(accuracy[:, i])
            band = mean - error, mean + error
            ax.fill_between(epochs, *band, color=colour, alpha=0.2, linewidth=0)
            ax.plot(epochs, mean, "--" if i == 0 else "-", color=colour, linewidth=1.1)
        names = [f"layer {i}" for i in range(self.layers)]
        side_legend(ax, zip(names, colours, strict=True), "trained")
        ax.set_xlim(0, max(1, len(epochs) - 1))
        trained = accuracy[:, :, 1:].mean(axis=0)  # before training, all are near chance
        ax.set_ylim(trained.min() - 0.03, trained.max() + 0.02)
        at_whole_numbers(ax.xaxis)
        dress(ax, title=f"{kind.capitalize()} accuracy", x="epoch", y=f"{kind} accuracy")

    def _draw_layers(self, ax: Axes) -> None:
        from pyexpr.plot.style import BLUE, RED, at_whole_numbers, dress

        for kind, accuracy, colour in (("training", self.train, BLUE), ("test", self.test, RED)):
            mean, error = mean_and_error(accuracy[:, :, -1])
            self._draw_by_layer(ax, mean, error, colour, kind)
        ax.legend(frameon=False, fontsize="x-small")
        at_whole_numbers(ax.xaxis)
        dress(
            ax, title="Accuracy at the end (hollow: another number of parameters)",
            x="trained layer", y="accuracy",
        )  # fmt: skip

    def _draw_regions(self, ax: Axes) -> None:
        from pyexpr.plot.style import DARK, GREY, at_whole_numbers, dress

        mean, error = mean_and_error(self.region_ratios)
        ax.axhline(1.0, color=GREY, linewidth=0.6)
        self._draw_by_layer(ax, mean, error, DARK, "regions")
        at_whole_numbers(ax.xaxis)
        dress(
            ax, title="Activation regions between test images, exact",
            x="trained layer", y="regions after / before training",
        )  # fmt: skip

    def _draw_by_layer(
        self, ax: Axes, mean: FloatArray, error: FloatArray, colour: str, label: str
    ) -> None:
        layers = np.arange(self.layers)
        ax.errorbar(
            layers[1:], mean[1:], error[1:], fmt="o-", color=colour, markersize=4, linewidth=1.0,
            label=label,
        )  # fmt: skip
        ax.errorbar(
            layers[:1], mean[:1], error[:1], fmt="o", color=colour, markersize=4, linewidth=1.0,
            markerfacecolor="white",
        )  # fmt: skip


def remaining_depth(
    *,
    data: str = "digits",
    train_images: int | None = None,
    test_images: int | None = None,
    depth: int = 8,
    width: int = 100,
    activation: str = "hard_tanh",
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
    epochs: int = 30,
    rate: float = 0.02,
    batch: int = 64,
    lines: int = 10,
    networks: int = 8,
    seed: int = 0,
    executor: Executor | None = None,
    path: str | PathLike[str] | None = None,
    progress: Progress = False,
    device: DeviceLike = "cpu",
) -> RemainingDepthResult:
    """Train one hidden layer of a random network, each in turn; the rest stays as it was drawn.

    The readout is not trained either. All of a network's layers are trained from the same weights,
    on images in the same order.

    Parameters
    ----------
    data
        As for `load_data`.
    train_images, test_images
        How many are used, at least 2 for testing; None for all.
    depth
        Hidden layers, at least 3: layer 0 is trained and shown, and the others are compared.
    width
        Of hidden layers.
    activation
        "relu" or "hard_tanh".
    weight_variance, bias_variance
        As for `Network.random`.
    epochs, rate, batch
        Of gradient descent with momentum: passes over the images, at least 1, learning rate, and
        images in a minibatch, at least 2.
    lines
        Between pairs of test images, on which activation regions are counted.
    networks
        At least 2.
    seed
        Network i, its images' order and its lines are drawn by seed + i.
    executor, path, progress
        As for `sweep`.
    device
        As for `count_regions`; training takes the CPU. All processes of an executor use the same
        GPU, and have to be spawned, not forked.

    Returns
    -------
    RemainingDepthResult

    Raises
    ------
    TypeError, ValueError
        Less of something than that, or an unknown `device`.
    ImportError, RuntimeError
        `device` asks for a GPU, and none can be had: before anything is run. RuntimeError also
        where a network failed, as where the data set is unknown or not there; see `sweep`.
    """
    find_device(device)
    parameters = arguments_of(locals())
    at_least(parameters, train_images=2, test_images=2, epochs=1, batch=2, networks=2, seed=0)
    at_least(parameters, width=1, depth=3, lines=1)
    others = {key: value for key, value in parameters.items() if key not in ("networks", "seed")}
    cells = [
        {**others, "layer": layer, "seed": seed + i}
        for i in range(networks)
        for layer in range(depth)
    ]
    how = {"device": device}
    found = sweep(cells, train_one_layer, executor=executor, path=path, progress=progress, how=how)
    found.raise_failures()
    shape = networks, depth, -1
    return RemainingDepthResult(
        parameters=parameters,
        train=found.column("train").reshape(shape),
        test=found.column("test").reshape(shape),
        regions_before=found.column("regions_before").reshape(shape)[:, 0],
        regions_after=found.column("regions_after").reshape(shape),
    )


def train_one_layer(
    layer: int,
    data: str,
    train_images: int | None,
    test_images: int | None,
    depth: int,
    width: int,
    activation: str,
    weight_variance: float,
    bias_variance: float,
    epochs: int,
    rate: float,
    batch: int,
    lines: int,
    seed: int,
    device: DeviceLike = "cpu",
) -> dict[str, Any]:
    """A cell: accuracies before training and behind every epoch, and regions on lines."""
    images = load_once(data).subset(train_images, test_images)
    module = perceptron(
        images.shape, images.classes, width=width, depth=depth, activation=activation,
        weight_variance=weight_variance, bias_variance=bias_variance, seed=seed,
    )  # fmt: skip
    chosen = [*weight_layers(module)[layer].parameters()]
    for parameter in module.parameters():
        parameter.requires_grad_(any(parameter is one for one in chosen))
    ends = random_pairs(images.x_test, lines, seed)
    with one_thread():
        before = _network(module, images)
        first = accuracies(module, images)
        history = train(
            module, images, epochs=epochs, rate=rate, batch=batch, seed=seed, parameters=chosen
        )
        both = NetworkStack([before, _network(module, images)])
        regions = count_regions(both, *ends, kind="activation", threads=1, device=device)
    return {
        "train": [first[0], *history.train],
        "test": [first[1], *history.test],
        "regions_before": regions[0],
        "regions_after": regions[1],
    }


def _network(module: nn.Module, images: DataSet) -> Network:
    """As it is now, whatever is trained later."""
    return as_network(module.eval(), input_shape=images.shape)
