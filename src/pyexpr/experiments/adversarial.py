"""What lies between an image and its adversarial example: regions, and the exact way to go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, not_negative
from pyexpr._networks import as_network
from pyexpr._progress import Progress
from pyexpr.experiments import modules
from pyexpr.experiments.checks import at_least
from pyexpr.experiments.data import DataSet, Images, load_once
from pyexpr.experiments.judging import estimate, limit, percent, signs
from pyexpr.experiments.modules import Model
from pyexpr.experiments.result import Claim, Result, Verdict, arguments_of
from pyexpr.experiments.sweep import sweep
from pyexpr.experiments.table import Table
from pyexpr.network import Network
from pyexpr.tracing.trace import Trace, trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor, nn

Bools: TypeAlias = npt.NDArray[np.bool_]

KINDS = ("PGD", "FGSM", "random", "same class", "other class")
PGD, FGSM, RANDOM, SAME, OTHER = range(5)

_ALIKE = 0.1  # a difference of less than so much of the logarithm is none
_PLACES = 201  # of a profile
_PROFILES = (PGD, OTHER)


@dataclass(frozen=True, eq=False, repr=False)
class AdversarialResult(Result):
    """Segments that start at test images which are classified right.

    The axis of K kinds is that of `kind`: to what PGD and FGSM make of the image, into a random
    direction as far as to the former, to another image of the same class and to one of another.

    Attributes
    ----------
    kind : str [K]
    accuracy : float64 [networks, 2]
        On the training and on the test images.
    length, length_max : float64 [networks, K, images]
        Of the segments, in the Euclidean and in the maximum norm, in standard deviations of a
        pixel.
    distance, distance_max : float64 [networks, K, images]
        From the image to the first change of the decision, in the two norms; inf where there is
        none on the segment.
    changes : int64 [networks, K, images]
        How often the decision changes.
    reached : bool [networks, K, images]
        Whether the exact decision at the end is the class that torch, in float32, finds there.
    regions : int64 [networks, K, images]
        Linear regions on the segment.
    profile : float64 [networks, 2, places]
        Of the first image that PGD succeeds with, or of the first: the margin, which is the logit
        of its class less the largest other one, at evenly spaced places of the segments to what
        PGD makes of it and to the image of another class.
    profile_length : float64 [networks, 2]
        The lengths of these segments.
    """

    name = "adversarial"
    title = "From images to adversarial examples"

    kind: npt.NDArray[np.str_]
    accuracy: FloatArray
    length: FloatArray
    length_max: FloatArray
    distance: FloatArray
    distance_max: FloatArray
    changes: npt.NDArray[np.int64]
    reached: Bools
    regions: npt.NDArray[np.int64]
    profile: FloatArray
    profile_length: FloatArray

    @property
    def changed(self) -> Bools:
        """Whether the decision at the end is another one, or has been on the way."""
        return self.changes > 0

    @property
    def density(self) -> FloatArray:
        """Bends a unit of length, over all images: float64 [networks, K]."""
        bends: FloatArray = (self.regions - 1).sum(axis=2) / self.length.sum(axis=2)
        return bends

    @property
    def table(self) -> Table:
        return Table(
            (
                "segment to", "length", "maximum norm", "decision changes on", "s.e.",
                "median distance", "in maximum norm", "regions", "bends a unit length", "s.e.",
            ),
            tuple(self._row(k) for k in range(len(self.kind))),
        )  # fmt: skip

    @property
    def claims(self) -> list[Claim]:
        return [
            self._earlier(OTHER, "an image of another class"),
            self._earlier(RANDOM, "a random direction, as far"),
            self._earlier(FGSM, "what FGSM makes of it"),
            self._as_many_bends(RANDOM, "in a random direction"),
            self._as_many_bends(OTHER, "towards an image of another class"),
            self._crosses_once(),
            self._as_torch_says(),
        ]

    def plot(self) -> Figure:
        """Distances to the first change, bends a unit length, and margins on the way."""
        from pyexpr.plot.style import new_figure

        figure = new_figure(9.6, 3.1, 1, 3)
        by_distance, by_kind, on_the_way = figure.axes
        self._draw_distances(by_distance)
        self._draw_density(by_kind)
        self._draw_profile(on_the_way)
        return figure

    # --- claims ---

    def _earlier(self, other: int, name: str) -> Claim:
        """By the share of images for which it is so, where it can be told; each network has one."""
        first, second, none = _compared(
            self.distance[:, PGD], self.length[:, PGD],
            self.distance[:, other], self.length[:, other],
        )  # fmt: skip
        told = (first + second).sum(axis=1)
        shares = (first.sum(axis=1) / np.maximum(told, 1))[told > 0]
        ours, agrees = "of too few networks this can be told", _beyond(shares)
        if len(shares) > 1:
            mean, error = estimate(shares)
            agrees = _beyond(shares - 0.5)
            ours = (
                f"for {percent(mean)} of the images (s.e. {percent(error)}); of "
                f"{int(none.sum())} of {none.size} it cannot be told"
            )
        return Claim(
            "question: does the decision change earlier towards the example that PGD finds than "
            f"towards {name}?",
            ours,
            agrees,
            "Euclidean distances, exact up to one rounding; a segment without a change counts as "
            "later than whatever happens within its length; no is clearly less than 50 %",
        )

    def _as_many_bends(self, other: int, name: str) -> Claim:
        ratio = np.log(self.density[:, PGD] / self.density[:, other])
        mean, error = estimate(ratio)
        reach = limit(len(ratio)) * error
        clear = abs(mean) > reach
        alike = abs(mean) + reach < _ALIKE
        return Claim(
            f"question: are there as many regions a unit length towards PGD's example as {name}?",
            f"{self.density[:, PGD].mean():.3g} bends against {self.density[:, other].mean():.3g}: "
            f"{math.exp(mean):.2f} times as many (s.e. {percent(error)})",
            "yes" if alike else "no" if clear and abs(mean) > _ALIKE else "in part",
            "yes is a difference of surely less than 10 %, no a clear one of more",
        )

    def _crosses_once(self) -> Claim:
        """Of the segments on which it changes at all."""
        once, total = (
            [int((which[:, k] & self.changed[:, k]).sum()) for k in (PGD, OTHER)]
            for which in (self.changes == 1, self.changed)
        )
        share = once[0] / total[0] if total[0] else 0.0
        agrees: Verdict = "yes" if share > 0.95 else "in part" if share > 0.5 else "no"
        return Claim(
            "question: does the decision change only once towards PGD's example?",
            f"in {once[0]} of {total[0]} cases with a change; towards images of another class in "
            f"{once[1]} of {total[1]}",
            agrees,
            "all changes are found, however short the class in between lasts; yes is more than "
            "95 %, no half or less",
        )

    def _as_torch_says(self) -> Claim:
        wrong = int((~self.reached).sum())
        return Claim(
            "question: is the class that float32 arithmetic finds at the end of a segment the one "
            "in exact arithmetic?",
            f"in {self.reached.size - wrong} of {self.reached.size} cases",
            "no" if not self.reached.any() else "in part" if wrong else "yes",
            "images and weights are float32 numbers, which float64 holds; only an end within "
            "rounding of a change can differ",
        )

    # --- the table ---

    def _row(self, k: int) -> tuple[str | float | None, ...]:
        changed = self.changed[:, k]
        distances = [
            float(np.median(which[:, k][changed])) if changed.any() else None
            for which in (self.distance, self.distance_max)
        ]
        return (
            str(self.kind[k]), float(self.length[:, k].mean()), float(self.length_max[:, k].mean()),
            *estimate(changed.mean(axis=1)), *distances, float(self.regions[:, k].mean()),
            *estimate(self.density[:, k]),
        )  # fmt: skip

    # --- pictures ---

    def _draw_distances(self, ax: Axes) -> None:
        """The share of images whose decision has changed, by distance; up to the longest one."""
        from pyexpr.plot.style import dress

        for k, colour in enumerate(_colours()):
            distances = np.sort(self.distance[:, k].reshape(-1))
            found = distances[np.isfinite(distances)]
            shares = np.arange(len(found) + 2).clip(max=len(found)) / len(distances)
            x = np.concatenate([[0.0], found, [self.length[:, k].max()]])
            ax.step(x, shares, where="post", color=colour, linewidth=1.2, label=str(self.kind[k]))
        ax.set_ylim(-0.02, 1.02)
        ax.set_xlim(left=0.0)
        ax.legend(frameon=False, fontsize="x-small", loc="center right")
        dress(
            ax,
            title="Where the decision first changes",
            x="Euclidean distance (pixel st. dev.)",
            y="share of images",
        )

    def _draw_density(self, ax: Axes) -> None:
        """A point is a network; bars are means and standard errors."""
        from pyexpr.plot.style import DARK, dress

        for k, colour in enumerate(_colours()):
            densities = self.density[:, k]
            offsets = np.linspace(-0.2, 0.2, len(densities))
            ax.plot(k + offsets, densities, "o", color=colour, markersize=3, alpha=0.7)
            mean, error = estimate(densities)
            ax.errorbar(k, mean, error, fmt="_", color=DARK, markersize=14, linewidth=1.0)
        ax.set_ylim(bottom=0.0)
        ax.set_xticks(range(len(self.kind)), [kind.replace(" ", "\n") for kind in self.kind])
        dress(ax, title="Bends a unit length", x="segment to", y="bends / Euclidean length")

    def _draw_profile(self, ax: Axes) -> None:
        from pyexpr.plot.style import GREY, dress

        for row, kind in enumerate(_PROFILES):
            margins = self.profile[0, row]
            distances = np.linspace(0.0, self.profile_length[0, row], len(margins))
            colour = _colours()[kind]
            ax.plot(distances, margins, color=colour, linewidth=1.2, label=str(self.kind[kind]))
        ax.axhline(0.0, color=GREY, linewidth=0.6)
        ax.set_xlim(left=0.0)
        ax.legend(frameon=False, fontsize="x-small")
        dress(
            ax,
            title="Margin on the way, one image",
            x="Euclidean distance (pixel st. dev.)",
            y="logit of its class less the next",
        )


def adversarial(
    *,
    model: Model = "perceptron",
    width: int = 100,
    depth: int = 4,
    weight_variance: float = 2.0,
    data: str = "digits",
    train_images: int | None = None,
    test_images: int | None = None,
    epochs: int = 20,
    rate: float = 0.02,
    radius: float = 0.5,
    attack_steps: int = 20,
    images: int = 30,
    networks: int = 6,
    seed: int = 0,
    executor: Executor | None = None,
    path: str | PathLike[str] | None = None,
    progress: Progress = False,
) -> AdversarialResult:
    """Regions and changes of the decision on the way from images to adversarial examples.

    Of ReLU networks. Not in the paper: its claims are questions of our own. The examples are made
    by the fast gradient sign method (FGSM) and by projected gradient descent (PGD) in the maximum
    norm, and stay within the range of the training images' pixels.

    Parameters
    ----------
    model
        "perceptron" or "convolutional".
    width, depth
        Of a perceptron's hidden layers. Convolutional networks are those of `noise` by default.
    weight_variance
        Of the initial weights, times the fan-in.
    data
        As for `load_data`: a name or a path to a .npz file.
    train_images, test_images
        How many, at least 2; all if None.
    epochs, rate
        Of gradient descent with momentum: passes over the images, and learning rate.
    radius
        How far a pixel may move, in the training images' standard deviation of a pixel.
    attack_steps
        Of PGD, each of 2.5 radius / attack_steps.
    images
        Test images of each network, chosen at random among those that it classifies right.
    networks
        At least 2.
    seed
        Network i is drawn and trained, and its images are chosen, by seed + i.
    executor, path, progress
        As for `sweep`.

    Returns
    -------
    AdversarialResult

    Raises
    ------
    TypeError, ValueError
        Less of something than that, an unknown `model` or a radius that is not positive.
    RuntimeError
        A network failed, as where the data set is unknown, or fewer images are classified right;
        see `sweep`.
    """
    parameters = arguments_of(locals())
    if model not in ("perceptron", "convolutional"):
        raise ValueError(f'model is {model!r}; it must be "perceptron" or "convolutional"')
    at_least(parameters, train_images=2, test_images=2, epochs=0, networks=2, seed=0)
    at_least(parameters, width=1, depth=1, attack_steps=1, images=1)
    if not not_negative("radius", radius):
        raise ValueError("radius is 0; it must be positive")
    held = {name: value for name, value in parameters.items() if name not in ("networks", "seed")}
    cells = [{**held, "seed": seed + i} for i in range(networks)]
    found = sweep(cells, attacked, executor=executor, path=path, progress=progress)
    found.raise_failures()
    names = (
        "accuracy", "length", "length_max", "distance", "distance_max", "changes", "reached",
        "regions", "profile", "profile_length",
    )  # fmt: skip
    columns = {name: found.column(name) for name in names}
    return AdversarialResult(parameters=parameters, kind=np.array(KINDS), **columns)


def attacked(
    model: Model,
    width: int,
    depth: int,
    weight_variance: float,
    data: str,
    train_images: int | None,
    test_images: int | None,
    epochs: int,
    rate: float,
    radius: float,
    attack_steps: int,
    images: int,
    seed: int,
) -> dict[str, Any]:
    """One trained network: a cell, with the arguments of `adversarial`, on one thread.

    Returns
    -------
    dict
        The arrays of `AdversarialResult` but for `kind`, without their axis of networks.
    """
    from pyexpr.experiments.learning import accuracies, one_thread, train

    chosen = load_once(data).subset(train_images, test_images)
    with one_thread():
        module = modules.classifier(
            model, chosen.shape, chosen.classes, width=width, depth=depth, activation="relu",
            weight_variance=weight_variance, seed=seed,
        )  # fmt: skip
        train(module, chosen, epochs=epochs, rate=rate, seed=seed)
        accuracy = accuracies(module, chosen)
        rows, ends = _segments(module, chosen, images, radius, attack_steps, seed)
        classes = _classes(module, ends.reshape(-1, *chosen.shape)).reshape(ends.shape[:2])
    net = as_network(module, input_shape=chosen.shape)
    starts = chosen.x_test[rows]
    measured = [
        [_measured(net, x, end, int(wanted)) for x, end, wanted in zip(starts, *pair, strict=True)]
        for pair in zip(ends, classes, strict=True)
    ]
    shown = int((classes[PGD] != chosen.y_test[rows]).argmax())
    true = int(chosen.y_test[rows[shown]])
    shown_ends = [ends[kind, shown] for kind in _PROFILES]
    return {
        "accuracy": accuracy,
        **{name: [[found[name] for found in row] for row in measured] for name in measured[0][0]},
        "profile": [_margins(net, starts[shown], end, true) for end in shown_ends],
        "profile_length": [_norm(end, starts[shown]) for end in shown_ends],
    }


# --- segments ---


def _segments(
    module: nn.Module, data: DataSet, images: int, radius: float, steps: int, seed: int
) -> tuple[npt.NDArray[np.int64], Images]:
    """Test images' numbers [images], and what the segments from them lead to [K, images, *shape].

    Raises
    ------
    ValueError
        Fewer images are classified right.
    """
    rng = np.random.default_rng([seed, 2])
    right = np.flatnonzero(_classes(module, data.x_test) == data.y_test)
    if len(right) < images:
        raise ValueError(f"images is {images}; only {len(right)} are classified right")
    rows = rng.permutation(right)[:images]
    x, y = data.x_test[rows], data.y_test[rows]
    low, high = float(data.x_train.min()), float(data.x_train.max())
    pgd = attack(module, x, y, radius, steps, 2.5 * radius / steps, low, high)
    fgsm = attack(module, x, y, radius, 1, radius, low, high)
    others = [_others(data, rows, same, rng) for same in (True, False)]
    return rows, np.stack([pgd, fgsm, _random(x, pgd, rng), *others])


def attack(
    module: nn.Module,
    x: Images,
    y: npt.NDArray[np.int64],
    radius: float,
    steps: int,
    step: float,
    low: float,
    high: float,
) -> Images:
    """Images [N, *shape] that raise the loss, by steps along the gradient's sign, not far from x.

    Parameters
    ----------
    radius
        In the maximum norm, up to rounding in float32.
    step
        The length of a step; FGSM is one step of the radius.
    low, high
        Of pixels.
    """
    import torch
    from torch.nn.functional import cross_entropy

    start, labels = torch.tensor(x), torch.tensor(y)
    found: Tensor = start
    for _ in range(steps):
        found = found.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(cross_entropy(module(found), labels), found)
        moved = found.detach() + step * gradient.sign()
        found = start + (moved - start).clamp(-radius, radius)
        found = found.clamp(low, high)
    result: Images = found.detach().numpy()
    return result


def _random(x: Images, ends: Images, rng: np.random.Generator) -> Images:
    """As far from x as other ends are, in the Euclidean norm, in directions of no meaning."""
    shift = rng.standard_normal(x.shape)
    far = [
        _norm(end, start) / float(np.linalg.norm(s))
        for end, start, s in zip(ends, x, shift, strict=True)
    ]
    moved: Images = (x + shift * np.reshape(far, (-1, *[1] * (x.ndim - 1)))).astype(np.float32)
    return moved


def _others(
    data: DataSet, rows: npt.NDArray[np.int64], same: bool, rng: np.random.Generator
) -> Images:
    """For each image another one of the test set, of the same class or of another.

    Raises
    ------
    ValueError
        There is none.
    """
    found = []
    for row in rows:
        alike = (data.y_test == data.y_test[row]) == same
        alike[row] = False
        if not alike.any():
            raise ValueError("there are too few test images: one is alone with its class")
        found.append(rng.choice(np.flatnonzero(alike)))
    return data.x_test[found]


# --- measurements ---


def _measured(net: Network, start: Images, end: Images, wanted: int) -> dict[str, Any]:
    """Of a segment; `wanted` is the class that torch finds at its end."""
    found = trace(net, start.astype(np.float64), end.astype(np.float64), threads=1)
    changes = found.decision_changes(threads=1)
    length, length_max = _norm(end, start), _norm(end, start, np.inf)
    t = float(changes["t"][0]) if len(changes) else math.inf
    return {
        "length": length,
        "length_max": length_max,
        "distance": t * length,
        "distance_max": t * length_max,
        "changes": len(changes),
        "reached": _last_class(found, changes) == wanted,
        "regions": found.n_pieces,
    }


def _last_class(found: Trace, changes: npt.NDArray[np.void]) -> int:
    """By the last change; without one, the largest output at the start, by far mostly."""
    if len(changes):
        return int(changes["after"][-1])
    return int(found.values[0].argmax())


def _margins(net: Network, start: Images, end: Images, true: int) -> FloatArray:
    """At evenly spaced places of a segment: float64 [places]."""
    t = np.linspace(0.0, 1.0, _PLACES).reshape(-1, *[1] * start.ndim)
    x0, x1 = start.astype(np.float64), end.astype(np.float64)
    outputs = net((1.0 - t) * x0 + t * x1)
    others = np.delete(outputs, true, axis=1).max(axis=1)
    margins: FloatArray = outputs[:, true] - others
    return margins


def _classes(module: nn.Module, x: Images) -> npt.NDArray[np.int64]:
    """That torch finds, in float32: int64 [N]."""
    import torch

    with torch.no_grad():
        answers = [module(torch.tensor(part)).argmax(dim=1) for part in _parts(x)]
    return np.concatenate([answer.numpy() for answer in answers])


def _parts(x: Images) -> list[Images]:
    return np.array_split(x, range(1000, len(x), 1000))


def _norm(a: Images, b: Images, order: float | None = None) -> float:
    """Of the difference, in float64."""
    difference = a.astype(np.float64) - b.astype(np.float64)
    return float(np.linalg.norm(difference.reshape(-1), order))


# --- figures ---


def _compared(
    a: FloatArray, length_a: FloatArray, b: FloatArray, length_b: FloatArray
) -> tuple[Bools, Bools, Bools]:
    """Where a change at distance a is before one at b, behind it, and where neither is known.

    A distance of inf is only known to be more than the segment's length.
    """
    least_a, least_b = np.where(np.isinf(a), length_a, a), np.where(np.isinf(b), length_b, b)
    before = np.isfinite(a) & np.where(np.isinf(b), a <= least_b, a < b)
    behind = np.isfinite(b) & np.where(np.isinf(a), b <= least_a, b < a)
    return before, behind, ~(before | behind)


def _beyond(values: FloatArray) -> Verdict:
    """Whether the mean over networks is positive."""
    sign = int(signs(values)) if len(values) > 1 else 0
    return "in part" if sign == 0 else "yes" if sign > 0 else "no"


def _colours() -> Sequence[str]:
    """Of the kinds."""
    from pyexpr.plot.style import CYCLE

    return [CYCLE[i] for i in (2, 6, 4, 0, 3)]
