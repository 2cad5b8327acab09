"""What lies between images and adversarial examples: against other ways to count, and verdicts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

import pyexpr
from pyexpr.experiments import learning, modules
from pyexpr.experiments.adversarial import (
    FGSM,
    OTHER,
    PGD,
    RANDOM,
    SAME,
    AdversarialResult,
    _compared,
    _segments,
    adversarial,
    attack,
    attacked,
)
from pyexpr.experiments.data import load_data
from pyexpr.experiments.result import load_result

TINY: dict[str, Any] = {
    "width": 16, "depth": 2, "train_images": 200, "test_images": 100, "epochs": 4, "rate": 0.05,
    "radius": 0.4, "attack_steps": 5, "images": 4, "networks": 2, "seed": 5,
}  # fmt: skip
DATA = load_data("digits").subset(200, 100)


@pytest.fixture(scope="module")
def tiny() -> AdversarialResult:
    return adversarial(**TINY)


@pytest.fixture(scope="module")
def module() -> Any:
    """The second network."""
    with learning.one_thread():
        made = modules.perceptron(DATA.shape, 10, width=16, depth=2, activation="relu", seed=6)
        learning.train(made, DATA, epochs=4, rate=0.05, seed=6)
    return made


@pytest.fixture(scope="module")
def segments(module: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], Any]:
    """Its starts [images, 64] and ends [K, images, 64], and the images' numbers."""
    rows, ends = _segments(module, DATA, 4, 0.4, 5, 6)
    assert ends.dtype == np.float32 and ends.shape == (5, 4, *DATA.shape)
    starts = DATA.x_test[rows].astype(np.float64).reshape(4, -1)
    return starts, ends.astype(np.float64).reshape(5, 4, -1), rows


def outputs_of(module: Any, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """By numpy."""
    layers = modules.weight_layers(module)
    for i, layer in enumerate(layers):
        x = x @ array(layer.weight).T + array(layer.bias)
        x = np.maximum(x, 0.0) if i + 1 < len(layers) else x
    return x


def array(tensor: Any) -> npt.NDArray[np.float64]:
    found: npt.NDArray[np.float64] = tensor.detach().double().numpy()
    return found


# --- segments ---


def test_images_are_classified_right(module: Any, segments: Any) -> None:
    starts, _, rows = segments
    assert len(set(rows.tolist())) == 4
    answers = outputs_of(module, starts).argmax(axis=1)
    assert answers.tolist() == DATA.y_test[rows].tolist()


def test_ends(module: Any, segments: Any) -> None:
    starts, ends, rows = segments
    shifts = ends - starts
    far = np.abs(shifts).max(axis=2)
    for kind in (PGD, FGSM):
        assert (far[kind] <= 0.4 * (1 + 1e-6)).all() and (far[kind] > 0.39).all()
        assert ends[kind].min() >= DATA.x_train.min() and ends[kind].max() <= DATA.x_train.max()
    x, y = DATA.x_test[rows], DATA.y_test[rows]
    low, high = float(DATA.x_train.min()), float(DATA.x_train.max())
    for kind, steps, step in ((PGD, 5, 0.2), (FGSM, 1, 0.4)):
        again = attack(module, x, y, 0.4, steps, step, low, high)
        np.testing.assert_allclose(again.reshape(4, -1), ends[kind], atol=1e-6)
    lengths = np.linalg.norm(shifts, axis=2)
    np.testing.assert_allclose(lengths[RANDOM], lengths[PGD], rtol=1e-5)
    assert np.abs((shifts[RANDOM] * shifts[PGD]).sum(axis=1) / lengths[PGD] ** 2).max() < 0.5
    flat = DATA.x_test.reshape(100, -1)
    for kind in (SAME, OTHER):
        for end, row in zip(ends[kind], rows, strict=True):
            (found,) = np.flatnonzero((flat == end).all(axis=1))
            assert found != row
            assert (DATA.y_test[found] == DATA.y_test[row]) == (kind == SAME)


def test_attacks_raise_the_loss(module: Any, segments: Any) -> None:
    starts, ends, rows = segments

    def loss(x: npt.NDArray[np.float64]) -> float:
        outputs = outputs_of(module, x)
        others = np.log(np.exp(outputs).sum(axis=1))
        return float((others - outputs[np.arange(4), DATA.y_test[rows]]).mean())

    losses = [loss(ends[kind]) for kind in (PGD, FGSM, RANDOM)]
    assert losses[0] > losses[1] > losses[2] and losses[1] > loss(starts) + 0.1


def test_attacks_of_a_linear_classifier() -> None:
    """The gradient of class 0's loss is a positive multiple of w1 - w0."""
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    weights = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    with torch.no_grad():
        linear[1].weight.copy_(weights)
        linear[1].bias.zero_()
    x, y = np.zeros((1, 1, 1, 3), np.float32), np.zeros(1, np.int64)
    once = attack(linear, x, y, 0.25, 1, 0.25, -1.0, 1.0)
    assert once.reshape(-1).tolist() == [-0.25, 0.25, 0.0]
    assert attack(linear, x, y, 0.25, 3, 0.0625, -1.0, 1.0)[0, 0, 0, 1] == 0.1875
    often = attack(linear, x, y, 0.25, 9, 0.0625, -1.0, 1.0)
    assert often.reshape(-1).tolist() == [-0.25, 0.25, 0.0]
    bounded = attack(linear, x, y, 0.25, 4, 0.25, -0.125, 0.0625)
    assert bounded.reshape(-1).tolist() == [-0.125, 0.0625, 0.0]


# --- what is measured ---


def test_measurements(tiny: AdversarialResult, module: Any, segments: Any) -> None:
    """Counts by batches; changes of the decision by the lines between breakpoints."""
    starts, ends, _ = segments
    layers = [(array(m.weight), array(m.bias)) for m in modules.weight_layers(module)]
    net = pyexpr.Network.dense(layers, activation=pyexpr.ReLU())
    changed = 0
    for kind in range(5):
        shifts = ends[kind] - starts
        np.testing.assert_array_equal(
            tiny.regions[1, kind], pyexpr.count_regions(net, starts, ends[kind])
        )
        np.testing.assert_allclose(tiny.length[1, kind], np.linalg.norm(shifts, axis=1))
        np.testing.assert_allclose(tiny.length_max[1, kind], np.abs(shifts).max(axis=1))
        for i in range(4):
            first, count, last = changes_of(module, starts[i], ends[kind, i])
            assert tiny.changes[1, kind, i] == count
            assert tiny.distance[1, kind, i] == pytest.approx(
                first * np.linalg.norm(shifts[i]), rel=1e-6
            )
            assert tiny.distance_max[1, kind, i] == pytest.approx(
                first * np.abs(shifts[i]).max(), rel=1e-6
            )
            assert tiny.reached[1, kind, i]
            assert last == outputs_of(module, ends[kind, i][None]).argmax()
            changed += count
    assert changed > 4  # or this would be about nothing
    assert np.isinf(tiny.distance[tiny.changes == 0]).all() and (tiny.changes == 0).any()


def changes_of(module: Any, x0: Any, x1: Any) -> tuple[float, int, int]:
    """The first change's t, their number, and the last class: by samples and bisection."""

    def answer(t: Any) -> Any:
        t = np.reshape(t, (-1, 1))
        return outputs_of(module, (1 - t) * x0 + t * x1).argmax(axis=1)

    t = np.linspace(0.0, 1.0, 4001)
    answers = answer(t)
    where = np.flatnonzero(np.diff(answers))
    if not len(where):
        return np.inf, 0, int(answers[-1])
    low, high = t[where[0]], t[where[0] + 1]
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if answer(middle)[0] == answers[0] else (low, middle)
    return float(low), len(where), int(answers[-1])


def test_accuracy(tiny: AdversarialResult, module: Any) -> None:
    for column, (x, y) in enumerate([(DATA.x_train, DATA.y_train), (DATA.x_test, DATA.y_test)]):
        answers = outputs_of(module, x.reshape(len(x), -1).astype(np.float64)).argmax(axis=1)
        assert tiny.accuracy[1, column] == (answers == y).mean()
    assert tiny.accuracy[1, 1] > 0.2


def test_profiles(tiny: AdversarialResult, module: Any, segments: Any) -> None:
    """Of the first image that PGD succeeds with."""
    starts, ends, rows = segments
    labels = DATA.y_test[rows]
    success = outputs_of(module, ends[PGD]).argmax(axis=1) != labels
    assert success.any()
    i = int(success.argmax())
    for row, kind in enumerate((PGD, OTHER)):
        t = np.linspace(0.0, 1.0, tiny.profile.shape[2])[:, None]
        outputs = outputs_of(module, (1 - t) * starts[i] + t * ends[kind, i])
        margins = outputs[:, labels[i]] - np.delete(outputs, labels[i], axis=1).max(axis=1)
        np.testing.assert_allclose(tiny.profile[1, row], margins, atol=1e-9)
        assert tiny.profile_length[1, row] == tiny.length[1, kind, i]
    assert tiny.profile[1, 0, 0] > 0 > tiny.profile[1, 0, -1]


def test_same_by_an_executor(tiny: AdversarialResult) -> None:
    with ThreadPoolExecutor(1) as executor:
        other = adversarial(**TINY, executor=executor)
    for field in fields(AdversarialResult):
        if field.name != "parameters":
            np.testing.assert_array_equal(getattr(tiny, field.name), getattr(other, field.name))
    assert tiny.parameters == other.parameters
    assert not {"executor", "path", "progress"} & {*tiny.parameters}
    assert not np.array_equal(tiny.length[0], tiny.length[1])


def test_convolutional() -> None:
    given = {**TINY, "images": 1, "epochs": 1, "train_images": 150, "test_images": 40}
    del given["networks"]
    found = attacked("convolutional", weight_variance=2.0, data="digits", **given)
    assert np.shape(found["regions"]) == (5, 1) and np.all(found["reached"])
    assert np.min(found["regions"]) > 20  # a perceptron of width 16 has fewer


# --- claims ---


def made(**changes: Any) -> AdversarialResult:
    """Ten images of four networks; on no segment does the decision change; 21 regions each."""
    shape = 4, 5, 10
    noise = np.array([0.99, 1.0, 1.01, 1.0]).reshape(4, 1, 1)
    length = np.full(shape, 2.0) * noise
    length[:, [SAME, OTHER]] *= 5.0
    result = AdversarialResult(
        parameters={},
        kind=np.array(["PGD", "FGSM", "random", "same class", "other class"]),
        accuracy=np.ones((4, 2)),
        length=length,
        length_max=length / 4,
        distance=np.full(shape, np.inf),
        distance_max=np.full(shape, np.inf),
        changes=np.zeros(shape, np.int64),
        reached=np.ones(shape, np.bool_),
        regions=np.full(shape, 21),
        profile=np.linspace(np.ones((4, 2)), -np.ones((4, 2)), 11, axis=2),
        profile_length=np.full((4, 2), [2.0, 10.0]),
    )
    return replace(result, **changes)


def with_changes(at: dict[int, Any]) -> AdversarialResult:
    """The decision changes once, at such distances."""
    distance = made().distance.copy()
    for kind, where in at.items():
        distance[:, kind] = where
    return made(distance=distance, changes=np.isfinite(distance).astype(np.int64))


def verdict(result: AdversarialResult, *words: str) -> str:
    (claim,) = (claim for claim in result.claims if all(word in claim.claim for word in words))
    return claim.agrees


@pytest.mark.parametrize("other", [OTHER, RANDOM, FGSM])
def test_claims_on_distances(other: int) -> None:
    words = {
        OTHER: ("earlier", "image of another class"), RANDOM: ("earlier", "random"),
        FGSM: ("earlier", "FGSM makes"),
    }[other]  # fmt: skip
    assert verdict(with_changes({PGD: 1.0, other: 1.5}), *words) == "yes"
    assert verdict(with_changes({PGD: 1.0}), *words) == "yes"
    assert verdict(with_changes({PGD: 1.5, other: 1.0}), *words) == "no"
    assert verdict(with_changes({other: 1.0}), *words) == "no"
    assert verdict(with_changes({}), *words) == "in part"
    assert verdict(with_changes({PGD: 1.0, other: 1.0}), *words) == "in part"
    half = np.where(np.arange(10) < 5, 0.5, 1.5)
    assert verdict(with_changes({PGD: 1.0, other: half}), *words) == "in part"
    one = np.full((4, 10), np.inf)
    one[0] = 1.0
    assert verdict(with_changes({PGD: one}), *words) == "in part"  # a single network
    one[1:3] = 1.0
    assert verdict(with_changes({PGD: one}), *words) == "yes"  # the fourth says nothing
    short = made().length.copy()
    short[:, other] = 0.5
    assert verdict(replace(with_changes({PGD: 1.0}), length=short), *words) == "in part"
    most = np.where(np.arange(10) < 2, 0.5, 1.5)
    assert verdict(with_changes({PGD: 1.0, other: most}), *words) == "yes"


def test_what_is_known_of_distances() -> None:
    """PGD's distance and length, the other's distance and length."""
    inf = np.inf
    cases = np.array([
        [1.0, 2.0, 1.5, 9.0], [1.5, 2.0, 1.0, 9.0], [1.0, 2.0, 1.0, 9.0],
        [1.0, 2.0, inf, 9.0], [1.0, 2.0, inf, 0.5], [inf, 2.0, 1.5, 9.0], [inf, 2.0, 3.0, 9.0],
        [inf, 2.0, inf, 9.0],
    ])  # fmt: skip
    before, behind, neither = _compared(*cases.T)
    assert before.tolist() == [True, False, False, True, False, False, False, False]
    assert behind.tolist() == [False, True, False, False, False, True, False, False]
    assert neither.tolist() == [False, False, True, False, True, False, True, True]


@pytest.mark.parametrize(("other", "word"), [(RANDOM, "in a random"), (OTHER, "towards an image")])
def test_claims_on_bends(other: int, word: str) -> None:
    def after(factors: Any) -> str:
        regions = made().regions.copy()
        regions[:, PGD] = 1 + 1000 * made().length[:, PGD]
        regions[:, other] = 1 + 1000 * made().length[:, other] * np.reshape(factors, (-1, 1))
        return verdict(made(regions=regions), "as many regions", word)

    assert after(1.0) == "yes"
    assert after(1.05) == "yes"
    assert after(2.0) == after(0.5) == "no"
    assert after([0.8, 1.25, 0.8, 1.25]) == "in part"  # nothing is clear
    assert after([1.1, 1.3, 1.0, 1.2]) == "in part"


def test_claim_on_crossing_once() -> None:
    words = "change only once"
    result = with_changes({PGD: 1.0, OTHER: 5.0})
    assert verdict(result, words) == "yes"
    for count, expected in ((1, "yes"), (2, "in part"), (19, "in part"), (20, "no"), (40, "no")):
        twice = np.where(np.arange(40) < count, 2, 1).reshape(4, 10)
        changes = result.changes.copy()
        changes[:, PGD] = twice
        assert verdict(replace(result, changes=changes), words) == expected
    assert verdict(with_changes({OTHER: 5.0}), words) == "no"


def test_claim_on_float32() -> None:
    words = "float32"
    assert verdict(made(), words) == "yes"
    reached = np.ones((4, 5, 10), np.bool_)
    reached[2, 3, 4] = False
    assert verdict(made(reached=reached), words) == "in part"
    (claim,) = (claim for claim in made(reached=reached).claims if words in claim.claim)
    assert claim.ours == "in 199 of 200 cases"
    assert verdict(made(reached=~np.ones_like(reached)), words) == "no"


# --- what comes out ---


def test_table(tiny: AdversarialResult) -> None:
    rows: Any = tiny.table.rows
    assert [row[0] for row in rows] == ["PGD", "FGSM", "random", "same class", "other class"]
    changed = tiny.changes[:, PGD] > 0
    each = changed.mean(axis=1)
    bends = (tiny.regions[:, PGD].sum(axis=1) - 4) / tiny.length[:, PGD].sum(axis=1)
    assert rows[0][1:] == pytest.approx(
        (
            tiny.length[:, PGD].mean(), tiny.length_max[:, PGD].mean(), each.mean(),
            abs(each[0] - each[1]) / 2, np.median(tiny.distance[:, PGD][changed]),
            np.median(tiny.distance_max[:, PGD][changed]), tiny.regions[:, PGD].mean(),
            bends.mean(), abs(bends[0] - bends[1]) / 2,
        )
    )  # fmt: skip
    assert made().table.rows[0][5:7] == (None, None)


def test_save_and_load(tiny: AdversarialResult, tmp_path: Path) -> None:
    _, record = tiny.save(tmp_path)
    back = load_result(record)
    assert isinstance(back, AdversarialResult)
    np.testing.assert_array_equal(back.distance, tiny.distance)
    assert back.reached.dtype == np.bool_
    assert str(back) == str(tiny) and back.parameters == tiny.parameters


def test_plot() -> None:
    from matplotlib import pyplot

    distance = np.full(10, np.inf)
    distance[[3, 5]] = 1.5, 0.5
    figure = with_changes({PGD: 1.0, OTHER: distance}).plot()
    distances, bends, margins = figure.axes
    assert len(distances.lines) == 5 and len(margins.lines) == 3
    x, y = (np.asarray(values) for values in distances.lines[OTHER].get_data())
    np.testing.assert_allclose(x, [0, *[0.5] * 4, *[1.5] * 4, 10.1])
    np.testing.assert_allclose(y, [*np.arange(9) / 40, 0.2])
    assert np.max(distances.lines[PGD].get_ydata()) == 1.0
    points = [line for line in bends.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(np.array(points[SAME].get_ydata(), float), made().density[:, SAME])
    assert np.max(margins.lines[0].get_xdata()) == 2.0
    assert np.max(margins.lines[1].get_xdata()) == 10.0
    figure.canvas.draw()
    pyplot.close(figure)


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"model": "transformer"}, ValueError, "model is 'transformer'"),
        ({"radius": 0}, ValueError, "radius is 0; it must be positive"),
        ({"radius": -1.0}, ValueError, "radius is -1"),
        ({"networks": 1}, ValueError, "networks is 1; it must be at least 2"),
        ({"attack_steps": 0}, ValueError, "attack_steps is 0"),
        ({"images": 2.5}, TypeError, "images is 2.5"),
        ({"images": 101, "epochs": 0}, RuntimeError, "images is 101; only"),
        ({"test_images": 1, "epochs": 0, "images": 1}, ValueError, "test_images is 1"),
    ],
)
def test_bad_arguments(given: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        adversarial(**{**TINY, **given})
