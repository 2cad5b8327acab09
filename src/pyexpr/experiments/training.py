"""What training does to lengths, transitions and regions: figures 8 and 9 of Raghu et al. (2017).

Figures by their numbers in the ICLR 2017 submission.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr._networks import as_network
from pyexpr._progress import Progress
from pyexpr.experiments import modules
from pyexpr.experiments.checks import at_least
from pyexpr.experiments.data import DataSet, load_once
from pyexpr.experiments.judging import estimate, percent, signs, verdict
from pyexpr.experiments.modules import Model
from pyexpr.experiments.result import Claim, Result, Verdict, arguments_of
from pyexpr.experiments.sweep import sweep
from pyexpr.experiments.table import Table
from pyexpr.tracing.trace import Trace, trace
from pyexpr.trajectories import Arc, Line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import nn


_LARGE = 8.0  # weight variances from here on are large ones: the paper has 3 and 16
_WHERE = ("data", "random")
_VARIANCES = {"perceptron": (3.0, 16.0), "convolutional": (2.0,)}
_ACTIVATIONS = {"perceptron": "hard_tanh", "convolutional": "relu"}
_CURVES: dict[str, type[Arc] | type[Line]] = {"perceptron": Arc, "convolutional": Line}
_IMAGES = 2000  # whose statistics a batch normalisation is given
_NODES = 512  # whose images in all layers are held at once


@dataclass(frozen=True, eq=False, repr=False)
class TrainingResult(Result):
    """Counts and lengths between pairs of points, step by step.

    Points are test images, or random ones of the same norms: index 0 and 1 of the axis "where".

    Attributes
    ----------
    weight_variance : float64 [S]
    norm : str [S]
        "none" or "batch": the S settings.
    steps : int64 [T]
        Steps of training done when it was measured, from 0.
    stages : str [K]
        "input", activations and poolings in their order, and "readout".
    norms : str [B]
        The batch normalisations.
    accuracy : float64 [S, networks, T, 2]
        On the training and on the test images.
    regions, transitions : int64 [S, networks, T, where, pairs]
        Linear regions, and neurons changing their letter.
    lengths : float64 [S, networks, T, where, pairs, K]
        Of the trajectory and its images.
    norm_lengths : float64 [S, networks, T, B, 2]
        Before and behind each batch normalisation, the mean over the segments between pairs of
        images; nan in settings without them.
    """

    name = "training"
    title = "Length, transitions and regions during training"

    weight_variance: FloatArray
    norm: npt.NDArray[np.str_]
    steps: npt.NDArray[np.int64]
    stages: npt.NDArray[np.str_]
    norms: npt.NDArray[np.str_]
    accuracy: FloatArray
    regions: npt.NDArray[np.int64]
    transitions: npt.NDArray[np.int64]
    lengths: FloatArray
    norm_lengths: FloatArray

    @property
    def relative(self) -> FloatArray:
        """Lengths over the input's, the mean over pairs: float64 [S, networks, T, where, K]."""
        ratios: FloatArray = (self.lengths / self.lengths[..., :1]).mean(axis=4)
        return ratios

    @property
    def table(self) -> Table:
        return Table(
            (
                "weight variance", "norm", "between", "test accuracy", "length ratio at step 0",
                "s.e.", "at the end", "s.e.", "regions at step 0", "at the end",
                "transitions at step 0", "at the end",
            ),
            tuple(
                self._row(s, where) for s in range(len(self.norm)) for where in range(len(_WHERE))
            ),
        )  # fmt: skip

    @property
    def claims(self) -> list[Claim]:
        plain = self.norm == "none"
        large = np.flatnonzero(plain & (self.weight_variance >= _LARGE))
        small = np.flatnonzero(plain & (self.weight_variance < _LARGE))
        found = []
        if len(large):
            s = int(large[self.weight_variance[large].argmax()])
            found += [self._changes(s, -1), self._faster(s, -1)]
        if len(small):
            s = int(small[self.weight_variance[small].argmin()])
            found += [self._changes(s, 1), self._faster(s, 1)]
        if (self.norm == "batch").any():
            found.append(self._shrunk_by_norm())
        if plain.any():
            found.append(self._grows_with_depth())
        if self.parameters["model"] == "convolutional" and len(small):
            found.append(self._flat_at_first(s))
        return found

    def plot(self) -> Figure:
        """Length by layer, coloured by step; below, counts and accuracy by step."""
        from pyexpr.plot.style import new_figure, share_limits

        columns = len(self.norm)
        figure = new_figure(max(5.0, 2.5 * columns), 7.4, 3, columns)
        for s in range(columns):
            by_data, by_random, by_step = figure.axes[s::columns]
            self._draw_lengths(by_data, s, 0)
            self._draw_lengths(by_random, s, 1)
            self._draw_counts(by_step, s)
        share_limits(figure.axes[: 2 * columns])
        share_limits(figure.axes[2 * columns :])
        self._name_steps(figure.axes[columns - 1])
        _name_counts(figure.axes[3 * columns - 1])
        return figure

    # --- claims ---

    def _changes(self, s: int, sign: int) -> Claim:
        """From the second layer on; at large variance the paper excepts the first."""
        change = self._change(s, 0)[:, -1]
        layers = self._hidden()[1:] or self._hidden()
        signs = [_sign(change[:, k]) for k in layers]
        right = sum(found == sign for found in signs)
        wrong = sum(found == -sign for found in signs)
        size, word = ("large", "decreases") if sign < 0 else ("small", "increases")
        one, other = ("shorter", "longer") if sign < 0 else ("longer", "shorter")
        last = np.exp(estimate(change[:, layers[-1]])[0])
        return Claim(
            f"training from {size} weights {word} length between data points",
            f"at variance {self.weight_variance[s]:g}: clearly {one} in {right} and clearly "
            f"{other} in {wrong} of {len(layers)} layers; the last hidden one has "
            f"{last:.2f} of its first length",
            _all_some_none(right, len(layers)),
            "the paper's optimiser, rates, depth and number of steps are not known to us, and a "
            f"length depends on them; {self._setting()}",
        )

    def _faster(self, s: int, sign: int) -> Claim:
        """By the logarithm of the last hidden layer's length, the mean over steps."""
        layer = self._hidden()[-1]
        data, random = (self._change(s, where)[:, 1:, layer].mean(axis=1) for where in range(2))
        mean, error = estimate(data - random)
        word = "falls" if sign < 0 else "rises"
        size = "large" if sign < 0 else "small"
        found = _sign(data - random)
        return Claim(
            f"from {size} weights it {word} faster between data points than between random ones",
            f"at variance {self.weight_variance[s]:g}, over the steps, data points have gained "
            f"a factor of {math.exp(mean):.2f} on random ones (s.e. {percent(error)})",
            "in part" if found == 0 else "yes" if found == sign else "no",
            "a factor below 1 is a faster fall or a slower rise; random points have the images' "
            "norms, and are nearly orthogonal, which images are not",
        )

    def _shrunk_by_norm(self) -> Claim:
        batch = np.flatnonzero(self.norm == "batch")
        factors = np.log(self.norm_lengths[..., 1] / self.norm_lengths[..., 0])
        shrinking = [
            sum(_sign(factors[s, :, t, b]) < 0 for s in batch for b in range(len(self.norms)))
            for t in (0, -1)
        ]
        total = len(batch) * len(self.norms)
        first, last = (float(np.exp(factors[batch, :, t].mean())) for t in (0, -1))
        beside = "".join(f"; {text}" for text in map(self._beside_plain, batch.tolist()) if text)
        return Claim(
            "batch normalisation layers shorten images after some hundred steps (as recalled)",
            f"clearly so in {shrinking[1]} of {total} layers after {self.steps[-1]} steps, by "
            f"{last:.2f} on average; in {shrinking[0]}, by {first:.2f}, before the first{beside}",
            _all_some_none(shrinking[1], total),
            "a layer in evaluation mode multiplies neurons by scale / deviation, with the "
            "deviations on the training images here also at step 0: it is below 1 where "
            "pre-activations spread more than the scales that are learned",
        )

    def _beside_plain(self, s: int) -> str:
        """How lengths compare with those of the setting without batch normalisation."""
        variance = self.weight_variance[s]
        plain = np.flatnonzero((self.norm == "none") & (self.weight_variance == variance))
        if not len(plain):
            return ""
        with_norm, without = (self.relative[i, :, -1, 0].mean(axis=0) for i in (s, plain[0]))
        ratio = with_norm / without
        first, last = self._hidden()[0], self._hidden()[-1]
        return (
            f"variance {variance:g}: with it images are {ratio[first]:.2f} times as long in the "
            f"first and {ratio[last]:.2f} times in the last hidden layer at the end"
        )

    def _grows_with_depth(self) -> Claim:
        """In hidden layers but for the dense one behind convolutions, from one to the next."""
        steps = self._from_stage_to_stage(-1)
        layers = [k for k in self._hidden() if k > 1 and self.stages[k] != "act_dense"]
        plain = np.flatnonzero(self.norm == "none")
        signs = [_sign(steps[s, :, k - 1]) for s in plain for k in layers]
        growing = sum(found > 0 for found in signs)
        shrinking = sum(found < 0 for found in signs)
        others = [k for k in range(1, len(self.stages)) if k not in [*layers, 1]]
        factors = np.exp(steps[plain].mean(axis=(0, 1)))
        beside = ", ".join(f"{self.stages[k]} {factors[k - 1]:.2f}" for k in others)
        return Claim(
            "after training, length grows exponentially with depth, but for poolings and the last "
            "layers (of a convolutional network, as recalled)",
            f"from layer to layer it clearly grows in {growing} and clearly shrinks in {shrinking} "
            f"of {len(signs)} cases; the others' mean factors: {beside}",
            _all_some_none(growing, len(signs)),
            f"by layers behind the first, without batch normalisation; {self._setting()}",
        )

    def _flat_at_first(self, s: int) -> Claim:
        """Convolutions behind the first, each by what stands before it."""
        steps = self._from_stage_to_stage(0)[s]
        layers = [k for k in self._hidden() if k > 1 and self.stages[k] != "act_dense"]
        growing = sum(_sign(steps[:, k - 1]) > 0 for k in layers)
        return Claim(
            "before training, at variance 2, length does not grow with depth (as recalled)",
            f"at variance {self.weight_variance[s]:g} it clearly grows in {growing} of "
            f"{len(layers)} layers; mean factor "
            f"{math.exp(float(steps[:, [k - 1 for k in layers]].mean())):.2f}",
            _all_some_none(len(layers) - growing, len(layers)),
            "theory: a ReLU layer multiplies lengths by about sqrt(variance / 2), and zero padding "
            "takes some of it at the border",
        )

    def _hidden(self) -> list[int]:
        """The stages that are activations."""
        return [k for k, stage in enumerate(self.stages) if stage.startswith("act")]

    def _change(self, s: int, where: int) -> FloatArray:
        """Logarithm of the length against that at step 0: float64 [networks, T, K]."""
        logarithms: FloatArray = np.log(self.relative[s, :, :, where])
        return logarithms - logarithms[:, :1]

    def _from_stage_to_stage(self, t: int) -> FloatArray:
        """Logarithms of factors between data points at a step: float64 [S, networks, K - 1]."""
        steps: FloatArray = np.diff(np.log(self.relative[:, :, t, 0]), axis=-1)
        return steps

    def _setting(self) -> str:
        return f"here {self.steps[-1]} steps at rate {self.parameters['rate']:g} on " + str(
            self.parameters["data"]
        )

    # --- the table ---

    def _row(self, s: int, where: int) -> tuple[str | float, ...]:
        ratios = self.relative[s, :, :, where, self._hidden()[-1]]
        regions, transitions = (
            counts[s, :, :, where].mean(axis=(0, 2)) for counts in (self.regions, self.transitions)
        )
        figures = (
            self.accuracy[s, :, -1, 1].mean(), *estimate(ratios[:, 0]), *estimate(ratios[:, -1]),
            regions[0], regions[-1], transitions[0], transitions[-1],
        )  # fmt: skip
        return (
            float(self.weight_variance[s]), str(self.norm[s]), _WHERE[where], *map(float, figures)
        )  # fmt: skip

    # --- pictures ---

    def _draw_lengths(self, ax: Axes, s: int, where: int) -> None:
        from pyexpr.plot.style import dress

        means = self.relative[s, :, :, where].mean(axis=0)
        for t, colour in enumerate(self._colours()):
            ax.plot(means[t], "o-", color=colour, markersize=2.2, linewidth=1.0)
        ax.set_yscale("log")
        ax.set_xticks(range(len(self.stages)), [_short(stage) for stage in self.stages])
        if self.parameters["model"] == "convolutional":
            ax.tick_params(axis="x", labelrotation=90)
        ends = "images" if where == 0 else "random points"
        norm = ", BN" if self.norm[s] == "batch" else ""
        title = f"variance {self.weight_variance[s]:g}{norm}: {ends}"
        label = "length / input length" if s == 0 else ""
        dress(ax, title=title, x="layer", y=label)

    def _draw_counts(self, ax: Axes, s: int) -> None:
        """Bands are standard errors over networks. Step 0 has a place of its own at the left."""
        from matplotlib.ticker import NullFormatter

        from pyexpr.plot.style import dress

        places = self._places()
        for where, colour in enumerate(_colours_of_places()):
            values = self.transitions[s, :, :, where].mean(axis=2)
            mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(len(values))
            ax.plot(places, mean, color=colour, linewidth=1.2)
            ax.fill_between(
                places, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0
            )
            regions = self.regions[s, :, :, where].mean(axis=(0, 2))
            ax.plot(places, regions, "o", color=colour, markersize=2.5)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.yaxis.set_minor_formatter(NullFormatter())
        marked = [0, *(t for t in range(1, len(places)) if (len(places) - 1 - t) % 3 == 0)]
        ax.set_xticks(places[marked], [f"{self.steps[t]}" for t in marked])
        ax.set_xticks([], minor=True)
        dress(
            ax,
            title=f"test accuracy {self.accuracy[s, :, -1, 1].mean():.3f}",
            x="step",
            y="number" if s == 0 else "",
        )

    def _places(self) -> FloatArray:
        """Steps on a logarithmic axis."""
        places = self.steps.astype(np.float64)
        places[0] = 0.4
        return places

    def _colours(self) -> list[Any]:
        """From red to purple as time goes."""
        import matplotlib as mpl

        return [*mpl.colormaps["rainbow_r"](np.linspace(0.0, 1.0, len(self.steps)))]

    def _name_steps(self, ax: Axes) -> None:
        from matplotlib.lines import Line2D

        from pyexpr.plot.style import BESIDE

        entries = zip(self._colours(), self.steps, strict=True)
        handles = [Line2D([], [], color=colour, label=str(step)) for colour, step in entries]
        ax.legend(handles=handles, title="step", **BESIDE)


def training(
    *,
    model: Model = "perceptron",
    weight_variances: Sequence[float] | None = None,
    norms: Sequence[str] = ("none", "batch"),
    width: int = 100,
    depth: int = 6,
    data: str = "digits",
    train_images: int | None = None,
    test_images: int | None = None,
    epochs: int = 30,
    rate: float = 0.01,
    batch: int = 64,
    moments: int = 8,
    pairs: int = 4,
    networks: int = 4,
    seed: int = 0,
    executor: Executor | None = None,
    path: str | PathLike[str] | None = None,
    progress: Progress = False,
) -> TrainingResult:
    """Exact transitions, linear regions and lengths between points while networks train.

    Perceptrons have hard-tanh neurons and are followed on quarter arcs, convolutional networks have
    ReLU ones and are followed on segments, which cost less. Batch normalisations are measured with
    the statistics of the training images, of 2000 of them if there are more, and not with the
    averages over minibatches that training leaves in them: at step 0 there are none of these, and a
    network in training divides by what its own batch has. Accuracies are those of the same
    networks. Lengths are exact up to rounding.

    Parameters
    ----------
    model
        "perceptron" or "convolutional".
    weight_variances
        Of the initial weights, times the fan-in; 3 and 16, or 2 for convolutional networks, if
        None.
    norms
        Of "none" and "batch".
    width, depth
        Of a perceptron's hidden layers, at least 2 layers. Convolutional networks are those of
        `noise` by default.
    data
        As for `load_data`: a name or a path to a .npz file.
    train_images, test_images
        How many, at least 2; all if None.
    epochs, rate, batch
        Of gradient descent with momentum: passes over the images, at least 1, learning rate, and
        images in a minibatch, at least 2.
    moments
        How many steps are measured behind step 0, spread evenly on a logarithmic scale.
    pairs
        Of test images, and of random points, at each step; each image is in one pair at most.
    networks
        Of every setting, at least 2.
    seed
        Network i is drawn, trained and given its points by seed + i.
    executor, path, progress
        As for `sweep`.

    Returns
    -------
    TrainingResult

    Raises
    ------
    TypeError, ValueError
        Less of something than that, or an unknown `model` or norm.
    RuntimeError
        A network failed, as where the data set is unknown or has fewer test images than `pairs`
        need; see `sweep`.
    """
    parameters = arguments_of(locals())
    if model not in _CURVES:
        raise ValueError(f'model is {model!r}; it must be "perceptron" or "convolutional"')
    for norm in norms:
        if norm not in ("none", "batch"):
            raise ValueError(f'norms holds {norm!r}; it must be of "none" and "batch"')
    at_least(parameters, train_images=2, test_images=2, epochs=1, batch=2, networks=2, seed=0)
    at_least(parameters, width=1, depth=2, moments=1, pairs=1)
    variances = _VARIANCES[model] if weight_variances is None else weight_variances
    settings = [*dict.fromkeys((float(variance), norm) for variance in variances for norm in norms)]
    if not settings:
        raise ValueError("there must be at least one of weight_variances and one of norms")
    held = {
        name: parameters[name]
        for name in (
            "model", "width", "depth", "data", "train_images", "test_images", "epochs", "rate",
            "batch", "moments", "pairs",
        )
    }  # fmt: skip
    cells = [
        {**held, "weight_variance": variance, "norm": norm, "seed": seed + i}
        for variance, norm in settings
        for i in range(networks)
    ]
    found = sweep(cells, trained, executor=executor, path=path, progress=progress)
    found.raise_failures()
    rows = len(settings), networks

    def by_setting(name: str) -> npt.NDArray[Any]:
        column = found.column(name)
        return column.reshape(*rows, *column.shape[1:])

    return TrainingResult(
        parameters=parameters,
        weight_variance=np.array([variance for variance, _ in settings]),
        norm=np.array([norm for _, norm in settings]),
        steps=np.array(found[0]["steps"]),
        stages=np.array(found[0]["stages"]),
        norms=np.array(found[0]["norms"]),
        accuracy=by_setting("accuracy"),
        regions=by_setting("regions"),
        transitions=by_setting("transitions"),
        lengths=by_setting("lengths"),
        norm_lengths=by_setting("norm_lengths"),
    )


def trained(
    model: Model,
    weight_variance: float,
    norm: str,
    width: int,
    depth: int,
    data: str,
    train_images: int | None,
    test_images: int | None,
    epochs: int,
    rate: float,
    batch: int,
    moments: int,
    pairs: int,
    seed: int,
) -> dict[str, Any]:
    """One network while it trains: a cell, with the arguments of `training`, on one thread.

    Returns
    -------
    dict
        steps, stages, norms, and accuracy, regions, transitions, lengths and norm_lengths as in
        `TrainingResult`, from the axis T on.
    """
    from pyexpr.experiments.learning import one_thread, train

    images = load_once(data).subset(train_images, test_images)
    points = _points(images, pairs, seed)
    steps = _steps(len(images.x_train), epochs, batch, moments)
    rows: list[dict[str, Any]] = []
    with one_thread():
        module = modules.classifier(
            model, images.shape, images.classes, width=width, depth=depth, norm=norm,
            activation=_ACTIVATIONS[model], weight_variance=weight_variance, seed=seed,
        )  # fmt: skip

        def watch(step: int) -> None:
            if step in steps:
                rows.append(_measured(module, images, points, _CURVES[model]))

        train(module, images, epochs=epochs, rate=rate, batch=batch, seed=seed, watch=watch)
    return {
        "steps": steps,
        "stages": ["input", *_stages(module)],
        "norms": _norms(module),
        **{name: np.array([row[name] for row in rows]) for name in rows[0]},
    }


def _points(data: DataSet, pairs: int, seed: int) -> FloatArray:
    """Ends of pairs, images and random points of their norms: [where, pairs, 2, *shape].

    Raises
    ------
    ValueError
        There are too few images.
    """
    count = len(data.x_test)
    if 2 * pairs > count:
        raise ValueError(f"pairs is {pairs}; {count} test images make {count // 2}")
    rng = np.random.default_rng([seed, 1])
    chosen = rng.permutation(count)[: 2 * pairs]
    images = data.x_test[chosen].astype(np.float64).reshape(2 * pairs, -1)
    random = rng.standard_normal(images.shape)
    norms = np.linalg.norm(images, axis=1) / np.linalg.norm(random, axis=1)
    ends = np.stack([images, random * norms[:, None]])
    return ends.reshape(len(_WHERE), pairs, 2, *data.shape)


def _steps(images: int, epochs: int, batch: int, moments: int) -> list[int]:
    """0, and about so many more, evenly on a logarithmic scale up to the last one."""
    whole, rest = divmod(images, batch)
    last = epochs * (whole + (rest > 1))
    if last < 1:
        raise ValueError(f"{images} training images make no minibatch")
    chosen = np.geomspace(last, 1, moments).round()  # the last one, if there is only one
    return [0, *(int(step) for step in np.unique(chosen))]


def _measured(
    module: nn.Module, data: DataSet, points: FloatArray, curve: type[Arc] | type[Line]
) -> dict[str, Any]:
    """At one step."""
    from pyexpr.experiments.learning import accuracies
    from pyexpr.torch.images import Images

    settled = _settled(module, data)
    net = as_network(settled, input_shape=data.shape)
    names, double = _stages(settled), copy.deepcopy(settled).double()
    traces = [[trace(net, curve(*ends), threads=1) for ends in some] for some in points]
    images = Images(double, names)
    segments = traces[0]
    if curve is not Line and _has_norms(double):
        segments = [trace(net, Line(*ends), threads=1) for ends in points[0]]
    return {
        "accuracy": accuracies(settled, data),
        "regions": [[found.n_pieces for found in some] for some in traces],
        "transitions": [[len(found.transitions) for found in some] for some in traces],
        "lengths": [[_lengths(images, found) for found in some] for some in traces],
        "norm_lengths": _norm_lengths(double, segments),
    }


def _settled(module: nn.Module, data: DataSet) -> nn.Module:
    """A copy in evaluation mode, its batch normalisations with the training images' statistics."""
    import torch

    copied = copy.deepcopy(module)
    layers = [child for child in copied.modules() if hasattr(child, "running_var")]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the statistics of what comes, and no moving average
    if layers:
        copied.train()
        with torch.no_grad():
            copied(torch.tensor(data.x_train[:_IMAGES]))
    return copied.eval()


def _stages(module: nn.Module) -> list[str]:
    """The children whose images are measured."""
    names = (name for name, _ in module.named_children())
    return [name for name in names if name.startswith(("act", "pool", "readout"))]


def _norms(module: nn.Module) -> list[str]:
    """The names of its normalisations, if it has any: one for each activation."""
    return [f"norm{name[3:]}" for name in _stages(module) if name.startswith("act")]


def _has_norms(module: nn.Module) -> bool:
    return any(name.startswith("norm") for name, _ in module.named_children())


def _lengths(images: Any, found: Trace) -> FloatArray:
    """Of the trajectory and its images: float64 [K]."""
    if isinstance(found.trajectory, Arc):
        return found.lengths.length
    length = np.linalg.norm(found.x1 - found.x0)
    return np.concatenate([[length], _on_segment(images, found)])


def _norm_lengths(module: nn.Module, segments: list[Trace]) -> FloatArray:
    """Before and behind its normalisations, the mean over segments: float64 [B, 2]."""
    from pyexpr.torch.images import Images

    norms = _norms(module)
    if not _has_norms(module):
        return np.full((len(norms), 2), np.nan)
    names = [name for name, _ in module.named_children()]
    around = [near for name in norms for near in (names[names.index(name) - 1], name)]
    images = Images(module, around)
    lengths = np.mean([_on_segment(images, found) for found in segments], axis=0)
    pairs: FloatArray = lengths.reshape(-1, 2)
    return pairs


def _on_segment(images: Any, found: Trace) -> FloatArray:
    """Lengths of polygons, which images of a segment are, with corners at the breakpoints."""
    import torch

    nodes = found.nodes
    total = np.zeros(len(images.names))
    with torch.no_grad():
        for first in range(0, len(nodes) - 1, _NODES):
            points = found.trajectory(nodes[first : first + _NODES + 1])
            parts = images.parts(torch.tensor(points))
            total += [float(part.diff(dim=0).norm(dim=1).sum()) for part in parts]
    return total


# --- figures ---


def _sign(values: FloatArray) -> int:
    """Of the mean over networks; 0 if it is not clear."""
    return int(signs(values))


def _all_some_none(found: int, total: int) -> Verdict:
    return verdict(np.arange(total) < found)


def _short(stage: str) -> str:
    """For an axis: hidden layers by their numbers."""
    names = {"input": "in", "readout": "out", "act_dense": "dense"}
    return names.get(stage, stage.removeprefix("act_"))


def _colours_of_places() -> tuple[str, str]:
    from pyexpr.plot.style import BLUE, RED

    return BLUE, RED


def _name_counts(ax: Axes) -> None:
    from matplotlib.lines import Line2D

    from pyexpr.plot.style import BESIDE, GREY

    blue, red = _colours_of_places()
    handles = [
        Line2D([], [], color=blue, label="images"),
        Line2D([], [], color=red, label="random"),
        Line2D([], [], color=GREY, label="transitions"),
        Line2D([], [], color=GREY, marker="o", linestyle="", markersize=3, label="regions"),
    ]
    ax.legend(handles=handles, **BESIDE)
