"""What training does to lengths and counts: against networks built by hand, and known verdicts."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import pyexpr
from pyexpr.experiments import learning, modules
from pyexpr.experiments.data import load_data
from pyexpr.experiments.result import load_result
from pyexpr.experiments.training import TrainingResult, _points, _steps, trained, training
from pyexpr.torch import trajectory_length
from pyexpr.torch.images import Images

MODULE: Any = sys.modules[training.__module__]
TINY: dict[str, Any] = {
    "width": 12, "depth": 2, "train_images": 100, "test_images": 20, "epochs": 2, "rate": 0.05,
    "batch": 40, "moments": 2, "pairs": 2, "networks": 2, "seed": 3,
}  # fmt: skip
DATA = load_data("digits").subset(100, 20)


@pytest.fixture(scope="module")
def perceptrons() -> TrainingResult:
    return training(weight_variances=[3.0], **TINY)


@pytest.fixture(scope="module")
def convolutional() -> dict[str, Any]:
    """One network, at the start and at the end."""
    given = {**TINY, "pairs": 1, "moments": 1, "data": "digits"}
    del given["networks"]
    return trained(model="convolutional", norm="batch", weight_variance=2.0, **given)


def perceptron(norm: modules.Norm, seed: int) -> Any:
    return modules.perceptron(
        DATA.shape, 10, width=12, depth=2, weight_variance=3.0, norm=norm, seed=seed
    )


def weights_of(module: Any) -> list[tuple[Any, Any]]:
    layers = modules.weight_layers(module)
    return [(array(layer.weight), array(layer.bias)) for layer in layers]


def array(tensor: Any) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = tensor.detach().double().numpy()
    return found


def images_of(
    layers: list[tuple[Any, Any]], x: npt.NDArray[np.float64]
) -> list[npt.NDArray[np.float64]]:
    """By numpy: of the input, every hard-tanh layer, and the output."""
    found = [x]
    for weight, bias in layers[:-1]:
        found.append(np.clip(found[-1] @ weight.T + bias, -1.0, 1.0))
    return [*found, found[-1] @ layers[-1][0].T + layers[-1][1]]


def arc(ends: Any, n: int = 20001) -> npt.NDArray[np.float64]:
    angle = np.linspace(0.0, np.pi / 2, n)[:, None]
    flat = ends.reshape(2, -1)
    points: npt.NDArray[np.float64] = np.cos(angle) * flat[0] + np.sin(angle) * flat[1]
    return points


def length(images: npt.NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.diff(images, axis=0), axis=1).sum())


def heights(line: Any) -> npt.NDArray[np.float64]:
    return np.array(line.get_ydata(), np.float64)


# --- what is measured ---


def test_shapes(perceptrons: TrainingResult) -> None:
    r = perceptrons
    assert r.weight_variance.tolist() == [3.0, 3.0] and r.norm.tolist() == ["none", "batch"]
    assert r.steps.tolist() == [0, 1, 6]  # 100 images in batches of 40, 40 and 20, twice
    assert r.stages.tolist() == ["input", "act_0", "act_1", "readout"]
    assert r.norms.tolist() == ["norm_0", "norm_1"]
    assert r.accuracy.shape == (2, 2, 3, 2)
    assert r.regions.shape == r.transitions.shape == (2, 2, 3, 2, 2)
    assert r.lengths.shape == (2, 2, 3, 2, 2, 4)
    assert r.norm_lengths.shape == (2, 2, 3, 2, 2)
    assert np.isnan(r.norm_lengths[0]).all() and np.isfinite(r.norm_lengths[1]).all()


@pytest.mark.parametrize("later", [False, True])
def test_counts_and_lengths_are_those_of_a_network_built_by_hand(
    perceptrons: TrainingResult, later: bool
) -> None:
    module = perceptron("none", 4)
    if later:
        with learning.one_thread():
            learning.train(module, DATA, epochs=2, rate=0.05, batch=40, seed=4)
    layers = weights_of(module)
    net = pyexpr.Network.dense(layers, activation=pyexpr.HardTanh())
    points = _points(DATA, 2, 4)
    for where in range(2):
        for pair in range(2):
            at = (0, 1, -1 if later else 0, where, pair)
            ends = points[where, pair].reshape(2, -1)
            curve = pyexpr.Arc(*ends)
            assert perceptrons.regions[at] == pyexpr.count_regions(net, curve)
            assert perceptrons.transitions[at] == pyexpr.count_transitions(net, curve)
            sampled = [length(images) for images in images_of(layers, arc(ends))]
            np.testing.assert_allclose(perceptrons.lengths[at], sampled, rtol=1e-4)


def test_accuracies_are_those_of_numpy(perceptrons: TrainingResult) -> None:
    module = perceptron("none", 3)
    with learning.one_thread():
        learning.train(module, DATA, epochs=2, rate=0.05, batch=40, seed=3)
    for column, (x, y) in enumerate([(DATA.x_train, DATA.y_train), (DATA.x_test, DATA.y_test)]):
        flat = x.reshape(len(x), -1).astype(np.float64)
        answers = images_of(weights_of(module), flat)[-1].argmax(axis=1)
        assert perceptrons.accuracy[0, 0, -1, column] == (answers == y).mean()
    assert perceptrons.accuracy[0, 0, -1, 0] > perceptrons.accuracy[0, 0, 0, 0] + 0.2


def test_batch_normalisation_has_the_statistics_of_the_training_images(
    perceptrons: TrainingResult,
) -> None:
    """At step 0 its scales are 1 and its shifts 0."""
    images = DATA.x_train.reshape(100, -1).astype(np.float64)
    folded, deviations = [], []
    *hidden, readout = weights_of(perceptron("batch", 3))
    for weight, bias in hidden:
        z = images @ weight.T + bias
        deviation = np.sqrt(z.var(axis=0, ddof=1) + 1e-5)
        folded.append((weight / deviation[:, None], (bias - z.mean(axis=0)) / deviation))
        deviations.append(deviation)
        batch = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5)
        images = np.clip(batch, -1.0, 1.0)
    layers = [*folded, readout]
    points = _points(DATA, 2, 3)
    for where in range(2):
        found = images_of(layers, arc(points[where, 0]))
        lengths = [length(image) for image in found]
        np.testing.assert_allclose(perceptrons.lengths[1, 0, 0, where, 0], lengths, rtol=1e-3)
    around = np.zeros((2, 2))
    for ends in points[0]:
        t = np.linspace(0.0, 1.0, 20001)[:, None]
        flat = ends.reshape(2, -1)
        found = images_of(layers, (1 - t) * flat[0] + t * flat[1])
        for b, (weight, bias) in enumerate(folded):
            z = found[b] @ weight.T + bias
            around[b] += length(z * deviations[b]) / 2, length(z) / 2
    np.testing.assert_allclose(perceptrons.norm_lengths[1, 0, 0], around, rtol=1e-3)


def test_statistics_are_not_those_of_training() -> None:
    module = perceptron("batch", 0)
    with learning.one_thread():
        learning.train(module, DATA, epochs=2, batch=40)
    before = module.norm_0.running_mean.clone()
    settled = MODULE._settled(module, DATA)
    z = DATA.x_train.reshape(100, -1) @ array(module.dense_0.weight).T + array(module.dense_0.bias)
    for norm, atol in ((settled.norm_0, 1e-4), (module.norm_0, 1e-2)):
        close = np.allclose(norm.running_mean.numpy(), z.mean(axis=0), rtol=0, atol=atol)
        assert close == (norm is settled.norm_0)
    np.testing.assert_allclose(settled.norm_0.running_var.numpy(), z.var(axis=0, ddof=1), rtol=1e-3)
    assert not settled.training and not module.training
    assert torch.equal(module.norm_0.running_mean, before)


def test_lengths_of_convolutional_networks(
    convolutional: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the same lengths by torch's derivatives, with the statistics as torch leaves them."""
    assert convolutional["steps"] == [0, 6]
    assert convolutional["stages"] == [
        "input", "act_0", "act_1", "pool_0", "act_2", "act_3", "pool_1", "act_dense", "readout"
    ]  # fmt: skip
    assert convolutional["norms"] == [*(f"norm_{i}" for i in range(4)), "norm_dense"]
    module = modules.convolutional(DATA.shape, 10, weight_variance=2.0, norm="batch", seed=3)
    for child in module.modules():
        if isinstance(child, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            child.momentum = 1.0
    with torch.no_grad():
        module.train()(torch.tensor(DATA.x_train))
    module.eval()
    images, random = torch.tensor(_points(DATA, 1, 3)[:, 0])

    def length_in(ends: Any, layer: str) -> float:
        return float(trajectory_length(module, *ends, layer=layer).detach())

    lengths = convolutional["lengths"][0, 1, 0]
    assert lengths[0] == pytest.approx(float((random[1] - random[0]).norm()))
    for stage in ("pool_0", "act_dense"):
        place = convolutional["stages"].index(stage)
        assert lengths[place] == pytest.approx(length_in(random, stage), rel=1e-6)
    net = pyexpr.as_network(module, input_shape=DATA.shape)
    assert convolutional["regions"][0, 1, 0] == pyexpr.count_regions(net, *random)
    around = [length_in(images, name) for name in ("conv_1", "norm_1")]
    np.testing.assert_allclose(convolutional["norm_lengths"][0, 1], around, rtol=1e-6)
    monkeypatch.setattr(MODULE, "_NODES", 7)
    found = MODULE._on_segment(
        Images(module.double(), ["act_0", "readout"]), pyexpr.trace(net, *random)
    )
    np.testing.assert_allclose(found, lengths[[1, -1]], rtol=1e-6)


def test_points() -> None:
    points = _points(DATA, 4, 5)
    assert points.shape == (2, 4, 2, *DATA.shape) and points.dtype == np.float64
    ends = points[0].reshape(8, -1)
    flat = DATA.x_test.reshape(20, -1)
    which = [int(np.flatnonzero((flat == end).all(axis=1))[0]) for end in ends]
    assert len(set(which)) == 8
    norms = np.linalg.norm(points.reshape(2, 8, -1), axis=2)
    np.testing.assert_allclose(norms[1], norms[0])
    assert not np.allclose(points[0], points[1])
    assert not np.array_equal(points, _points(DATA, 4, 6))


@pytest.mark.parametrize(
    ("images", "batch", "moments", "expected"),
    [
        (100, 40, 3, [0, 1, 2, 6]), (81, 40, 1, [0, 4]), (81, 40, 8, [0, 1, 2, 3, 4]),
        (82, 40, 2, [0, 1, 6]),
    ],
)  # fmt: skip
def test_steps(images: int, batch: int, moments: int, expected: list[int]) -> None:
    assert _steps(images, 2, batch, moments) == expected


def test_the_last_step_is_training_s() -> None:
    """Where one image is left over, and where two are."""
    for images in (81, 82):
        data = load_data("digits").subset(images, 5)
        called: list[int] = []
        learning.train(perceptron("batch", 0), data, epochs=2, batch=40, watch=called.append)
        assert called[-1] == _steps(images, 2, 40, 5)[-1]


def test_same_by_an_executor() -> None:
    few = {**TINY, "weight_variances": [3.0, 16.0], "norms": ["none"], "epochs": 1, "pairs": 1}
    alone = training(**few)
    with ThreadPoolExecutor(1) as executor:
        other = training(**few, executor=executor)
    for field in fields(TrainingResult):
        if field.name != "parameters":
            np.testing.assert_array_equal(getattr(alone, field.name), getattr(other, field.name))
    assert alone.weight_variance.tolist() == [3.0, 16.0]
    assert not np.array_equal(alone.lengths[0], alone.lengths[1])
    assert alone.parameters == other.parameters
    assert not {"executor", "path", "progress"} & {*alone.parameters}


# --- claims ---


def made(model: str = "perceptron") -> TrainingResult:
    """Four settings, in which nothing changes; lengths grow by 2 a stage."""
    stages = ["input", "act_0", "act_1", "act_2", "readout"]
    if model == "convolutional":
        stages = ["input", "act_0", "act_1", "pool_0", "act_2", "act_dense", "readout"]
    noise = np.array([0.99, 1.0, 1.01]).reshape(-1, 1, 1, 1, 1)
    lengths = np.empty((4, 3, 3, 2, 2, len(stages)))
    lengths[...] = 5.0 * 2.0 ** np.arange(len(stages))
    lengths[..., 1:] *= noise ** np.arange(1, len(stages))
    norm_lengths = np.full((4, 3, 3, 2, 2), np.nan)
    norm_lengths[[1, 3]] = 1.0
    return TrainingResult(
        parameters={"model": model, "rate": 0.1, "data": "digits"},
        weight_variance=np.array([3.0, 3.0, 16.0, 16.0]),
        norm=np.array(["none", "batch", "none", "batch"]),
        steps=np.array([0, 4, 90]),
        stages=np.array(stages),
        norms=np.array(["norm_0", "norm_1"]),
        accuracy=np.full((4, 3, 3, 2), 0.5),
        regions=np.full((4, 3, 3, 2, 2), 7),
        transitions=np.full((4, 3, 3, 2, 2), 8),
        lengths=lengths,
        norm_lengths=norm_lengths,
    )


def scaled(result: TrainingResult, *places: tuple[Any, float]) -> TrainingResult:
    lengths = result.lengths.copy()
    for place, factor in places:
        lengths[place] *= factor
    return replace(result, lengths=lengths)


def verdict(result: TrainingResult, start: str) -> str:
    (claim,) = (claim for claim in result.claims if claim.claim.startswith(start))
    return claim.agrees


ALL = slice(None)


@pytest.mark.parametrize(
    ("s", "start", "right"),
    [(2, "training from large weights decreases", 0.5), (0, "training from small weights", 2.0)],
)
def test_claims_on_what_changes(s: int, start: str, right: float) -> None:
    def after(factor: float, layers: Any, where: int = 0) -> str:
        return verdict(scaled(made(), ((s, ALL, -1, where, ALL, layers), factor)), start)

    assert after(right, slice(1, 4)) == "yes"
    assert after(right, [2, 3]) == "yes"  # the first layer is excepted
    assert after(right, 2) == "in part"
    assert after(1.0, 2) == "no"
    assert after(1 / right, slice(1, 4)) == "no"
    assert after(right, slice(1, 4), where=1) == "no"  # random points
    noisy = np.array([1.0, right, right**-0.8]).reshape(3, 1, 1)
    lengths = made().lengths
    lengths[s, :, -1, 0, :, 1:4] *= noisy
    assert verdict(replace(made(), lengths=lengths), start) == "no"  # nothing is clear


@pytest.mark.parametrize(("s", "start", "right"), [(2, "from large", 0.5), (0, "from small", 2.0)])
def test_claims_on_what_is_faster(s: int, start: str, right: float) -> None:
    def after(data: float, random: float) -> str:
        last = 3  # the last hidden layer
        both = ((s, ALL, 1, 0, ALL, last), data), ((s, ALL, 1, 1, ALL, last), random)
        return verdict(scaled(made(), *both), start)

    assert after(right, 1.0) == "yes"
    assert after(right**2, right) == "yes"
    assert after(1.0, right) == "no"
    assert after(right, right) == "in part"


def test_claim_on_batch_normalisation() -> None:
    start = "batch normalisation layers shorten"

    def after(*factors: float) -> TrainingResult:
        norm_lengths = made().norm_lengths.copy()
        norm_lengths[np.ix_([1, 3], range(3), [2], range(2), [1])] *= np.reshape(
            factors, (1, 1, 1, 2, 1)
        )
        return replace(made(), norm_lengths=norm_lengths)

    assert verdict(after(0.5, 0.5), start) == "yes"
    assert verdict(after(0.5, 1.5), start) == "in part"
    assert verdict(after(1.5, 1.5), start) == "no"
    (claim,) = (claim for claim in after(0.5, 0.5).claims if claim.claim.startswith(start))
    assert "in 4 of 4 layers after 90 steps, by 0.50" in claim.ours
    assert "in 0, by 1.00, before the first" in claim.ours
    longer = scaled(after(0.5, 0.5), ((1, ALL, -1, 0, ALL, 3), 3.0))
    (claim,) = (claim for claim in longer.claims if claim.claim.startswith(start))
    assert "variance 3: with it images are 1.00 times as long in the first and 3.00" in claim.ours


@pytest.mark.parametrize("model", ["perceptron", "convolutional"])
def test_claim_on_depth(model: str) -> None:
    start = "after training, length grows"
    assert verdict(made(model), start) == "yes"
    flat = made(model).lengths
    flat[[0, 2], :, -1, 0] = 5.0
    assert verdict(replace(made(model), lengths=flat), start) == "no"
    assert verdict(scaled(made(model), ((0, ALL, -1, 0, ALL, slice(2, None)), 0.3)), start) == (
        "in part"
    )
    assert verdict(scaled(made(model), ((1, ALL, -1, 0, ALL, slice(2, None)), 0.3)), start) == "yes"
    assert verdict(scaled(made(model), ((0, ALL, -1, 0, ALL, -1), 0.01)), start) == "yes"
    if model == "convolutional":  # a pooling, and the dense layer
        assert verdict(scaled(made(model), ((0, ALL, -1, 0, ALL, slice(3, None)), 0.3)), start) == (
            "yes"
        )
        assert verdict(scaled(made(model), ((0, ALL, -1, 0, ALL, slice(5, None)), 0.3)), start) == (
            "yes"
        )


def test_claim_on_the_start() -> None:
    start = "before training, at variance 2"
    assert verdict(made("convolutional"), start) == "no"
    flat = made("convolutional").lengths
    flat[0, :, 0, 0] = 5.0
    assert verdict(replace(made("convolutional"), lengths=flat), start) == "yes"
    flat[0, :, 0, 0, :, 2:] *= 2.0
    assert verdict(replace(made("convolutional"), lengths=flat), start) == "in part"
    assert not any(claim.claim.startswith(start) for claim in made().claims)


def part(settings: list[int]) -> TrainingResult:
    """Some settings alone."""
    shared = ("parameters", "steps", "stages", "norms")
    names = [field.name for field in fields(TrainingResult) if field.name not in shared]
    return replace(made(), **{name: getattr(made(), name)[settings] for name in names})


def test_claims_only_on_what_was_run() -> None:
    (claim,) = part([1, 3]).claims
    assert claim.claim.startswith("batch normalisation")
    small, large = ([claim.claim for claim in part([s]).claims] for s in (0, 2))
    assert len(small) == len(large) == 3
    assert not any("large weights" in claim for claim in small)
    assert not any("small weights" in claim for claim in large)


# --- what comes out ---


def test_table(perceptrons: TrainingResult) -> None:
    rows = perceptrons.table.rows
    assert [row[:3] for row in rows] == [
        (3.0, "none", "data"), (3.0, "none", "random"), (3.0, "batch", "data"),
        (3.0, "batch", "random"),
    ]  # fmt: skip
    ratios = perceptrons.lengths[1, :, -1, 1, :, 2] / perceptrons.lengths[1, :, -1, 1, :, 0]
    each = ratios.mean(axis=1)
    figures = (
        perceptrons.accuracy[1, :, -1, 1].mean(), each.mean(), abs(each[0] - each[1]) / 2,
        perceptrons.regions[1, :, 0, 1].mean(), perceptrons.transitions[1, :, -1, 1].mean(),
    )  # fmt: skip
    row: Any = rows[3]
    assert [row[i] for i in (3, 6, 7, 8, 11)] == pytest.approx([*figures])


def test_save_and_load(perceptrons: TrainingResult, tmp_path: Path) -> None:
    _, record = perceptrons.save(tmp_path)
    back = load_result(record)
    assert isinstance(back, TrainingResult)
    np.testing.assert_array_equal(back.norm_lengths, perceptrons.norm_lengths)
    assert str(back) == str(perceptrons) and back.parameters == perceptrons.parameters


@pytest.mark.parametrize("model", ["perceptron", "convolutional"])
def test_plot(model: str) -> None:
    from matplotlib import pyplot

    result = scaled(made(model), ((2, ALL, 1, 1, ALL, 2), 3.0))
    figure = result.plot()
    assert len(figure.axes) == 12
    top, random, counts = figure.axes[2::4]
    assert len(top.lines) == len(random.lines) == 3
    np.testing.assert_allclose(heights(random.lines[1]), result.relative[2, :, 1, 1].mean(axis=0))
    assert random.get_title(loc="left") == "variance 16: random points"
    assert top.get_ylim() == figure.axes[0].get_ylim()
    assert [heights(line)[0] for line in counts.lines] == [8.0, 7.0, 8.0, 7.0]
    colours: Any = [line.get_color() for line in top.lines]
    red, purple = colours[0], colours[-1]
    assert red[0] > 0.9 and red[2] < 0.1 and purple[2] > 0.9 and purple[1] < 0.1
    legend = figure.axes[3].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["0", "4", "90"]
    figure.canvas.draw()
    pyplot.close(figure)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"model": "transformer"}, ValueError, "model is 'transformer'"),
        ({"norms": ["layer"]}, ValueError, "norms holds 'layer'"),
        ({"norms": []}, ValueError, "at least one"),
        ({"networks": 1}, ValueError, "networks is 1; it must be at least 2"),
        ({"pairs": 0}, ValueError, "pairs is 0"),
        ({"epochs": 0}, ValueError, "epochs is 0"),
        ({"moments": 1.5}, TypeError, "moments is 1.5"),
        ({"pairs": 11}, RuntimeError, "pairs is 11; 20 test images make 10"),
        ({"train_images": 1}, ValueError, "train_images is 1; it must be at least 2"),
    ],
)
def test_bad_arguments(given: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        training(**{**TINY, "weight_variances": [3.0], **given})
