"""Experiments on random networks: transitions, patterns and the image of a circle."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection

import pyexpr
from pyexpr import Arc, Circle, Line, Network, theory
from pyexpr.experiments.circle import CircleResult, circle, circle_through
from pyexpr.experiments.patterns import PatternsResult, patterns, patterns_on_curves
from pyexpr.experiments.random_network import random_network
from pyexpr.experiments.result import Claim, Result, load_result
from pyexpr.experiments.transitions import TransitionsResult, transitions, transitions_on_arc

matplotlib.use("Agg")

module = import_module("pyexpr.experiments.patterns")  # not the function
Make = Callable[..., Result]

TRANSITIONS: dict[str, Any] = {
    "weight_variances": [2.0, 4.0], "widths": [4, 8, 12], "width": 8, "depth": 4,
    "large_width": 6, "networks": 3, "seed": 5,
}  # fmt: skip
PATTERNS: dict[str, Any] = {
    "depths": [1, 2, 4], "widths": [5, 10], "width": 6, "depth": 2, "made_depth": 3,
    "chords": 200, "networks": 3, "seed": 2,
}  # fmt: skip
CIRCLE: dict[str, Any] = {
    "weight_variances": [2.0, 8.0], "width": 12, "depth": 3, "samples": 50, "networks": 3,
}  # fmt: skip
RUNS: list[tuple[Make, dict[str, Any]]] = [
    (transitions, TRANSITIONS), (patterns, PATTERNS), (circle, CIRCLE),
]  # fmt: skip


@pytest.fixture(scope="module")
def moved() -> TransitionsResult:
    return transitions(**TRANSITIONS)


@pytest.fixture(scope="module")
def patterned() -> PatternsResult:
    return patterns(**PATTERNS)


@pytest.fixture(scope="module")
def turned() -> CircleResult:
    return circle(**CIRCLE)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


# --- helpers ---


def points_of(artist: Any) -> tuple[Any, Any]:
    """x and y of what `plot` or `errorbar` has drawn."""
    line = artist[0] if isinstance(artist, tuple) else artist
    x, y = line.get_data()
    return x, y


def arrays(result: Result) -> dict[str, npt.NDArray[Any]]:
    names = [field.name for field in fields(result) if field.name != "parameters"]
    return {name: getattr(result, name) for name in names}


def same(a: Result, b: Result) -> None:
    assert a.parameters == b.parameters
    assert arrays(a).keys() == arrays(b).keys()
    for name, array in arrays(a).items():
        other = arrays(b)[name]
        assert array.dtype == other.dtype, name
        np.testing.assert_array_equal(array, other, err_msg=name)


def claim(result: Result, start: str) -> Claim:
    (found,) = [claim for claim in result.claims if claim.claim.startswith(start)]
    return found


def drawn(kind: str, sizes: list[int], weight: float, bias: float, seed: int) -> tuple[Any, Any]:
    """Weights and points as the cells draw them, by numpy."""
    for_network, for_points = np.random.SeedSequence(seed).spawn(2)
    rng, layers = np.random.default_rng(for_network), []
    for n, m in pairwise(sizes):
        w = rng.standard_normal((m, n)) * (math.sqrt(weight) / math.sqrt(n))
        layers.append((w, rng.standard_normal(m) * math.sqrt(bias)))
    points = np.random.default_rng(for_points).standard_normal((2, sizes[0]))
    return Network.dense(layers, kind), points


def row_of(result: TransitionsResult | PatternsResult, **setting: Any) -> int:
    which = [getattr(result, name) == value for name, value in setting.items()]
    (found,) = np.flatnonzero(np.logical_and.reduce(which))
    return int(found)


def sampled(network: Network, arc: Arc) -> list[tuple[float, int, int]]:
    """Before every layer: length of the image, transitions, sign changes; of many samples."""
    h, found = arc(np.linspace(0, 1, 200_001)), []
    for layer in network.layers[:-1]:
        length = float(np.linalg.norm(np.diff(h, axis=0), axis=1).sum())
        z = h @ layer.weight.T + layer.bias
        letters = np.searchsorted([-1.0, 1.0], z)
        changed = int(np.abs(np.diff(letters, axis=0)).sum())
        found.append((length, changed, int((np.diff(np.sign(z), axis=0) != 0).sum())))
        h = np.clip(z, -1, 1)
    return found


# --- all of them ---


@pytest.mark.parametrize(("make", "arguments"), RUNS)
def test_who_computes_it_does_not_matter(
    make: Make, arguments: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    names = {transitions: "moved", patterns: "patterned", circle: "turned"}
    serial = request.getfixturevalue(names[make])
    shares: list[float] = []
    with ThreadPoolExecutor(3) as executor:
        path = tmp_path / "cells.jsonl"
        same(serial, make(**arguments, executor=executor, path=path, progress=shares.append))
    assert shares[-1] == 1
    same(serial, make(**arguments, path=path))


@pytest.mark.parametrize("fixture", ["moved", "patterned", "turned"])
def test_files(fixture: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    result: Result = request.getfixturevalue(fixture)
    again = load_result(result.save(tmp_path)[1])
    assert type(again) is type(result)
    same(result, again)
    assert str(again) == str(result)
    again.plot().savefig(tmp_path / "picture.png", dpi=40)


@pytest.mark.parametrize(
    ("make", "arguments", "error", "text"),
    [
        (transitions, {"widths": [4, 8, 8]}, ValueError, "at least 3 different"),
        (transitions, {"networks": 1}, ValueError, "networks is 1; it must be at least 2"),
        (transitions, {"depth": 1}, ValueError, "depth is 1"),
        (transitions, {"seed": 0.5}, TypeError, "seed"),
        (patterns, {"depths": [2]}, ValueError, "depths is"),
        (patterns, {"widths": [2, 2]}, ValueError, "widths is"),
        (patterns, {"networks": 1}, ValueError, "networks is 1"),
        (patterns, {"made_depth": 0}, ValueError, "made_depth is 0"),
        (patterns, {"chords": 0}, ValueError, "chords is 0"),
        (circle, {"weight_variances": []}, ValueError, "weight_variances is empty"),
        (circle, {"weight_variances": [-1.0]}, ValueError, "weight_variances is -1"),
        (circle, {"width": 1}, ValueError, "width is 1"),
        (circle, {"depth": 1}, ValueError, "depth is 1"),
        (circle, {"samples": 1}, ValueError, "samples is 1"),
        (circle, {"networks": 1}, ValueError, "networks is 1"),
    ],
)
def test_bad_arguments(
    make: Make, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    small = dict(next(given for function, given in RUNS if function is make))
    with pytest.raises(error, match=text):
        make(**{**small, **arguments})


# --- transitions ---


def test_the_cell_is_a_random_network() -> None:
    found = transitions_on_arc("hard_tanh", 9, 6.0, 3, seed=4)
    other = random_network(9, 3, 6.0, 0.0, "hard_tanh", outputs=1, seed=4, trajectory="arc")
    assert found["transitions"].tolist() == other["transitions_per_layer"].tolist()
    np.testing.assert_allclose(found["lengths"], other["lengths"][:3], rtol=1e-9)


def test_the_cell_by_samples() -> None:
    network, points = drawn("hard_tanh", [9, 9, 9, 9, 1], 6.0, 0.0, 4)
    found = transitions_on_arc("hard_tanh", 9, 6.0, 3, seed=4)
    lengths, changes, signs = zip(*sampled(network, Arc(*points)), strict=True)
    np.testing.assert_allclose(found["lengths"], lengths, rtol=1e-4)
    assert found["transitions"].tolist() == [*changes]
    assert found["sign_changes"] == [*signs]


def test_sign_changes_of_relu_are_transitions() -> None:
    found = transitions_on_arc("relu", 20, 2.0, 4, seed=1)
    assert found["sign_changes"] == found["transitions"].tolist()
    x0, x1 = drawn("relu", [20, 20], 2.0, 0.0, 1)[1]
    turn = math.pi / 2  # of the arc in its plane, as the circle that it is an affine image of
    t = np.linspace(0, turn, 20_001)[:, None]
    directions = np.cos(t) * x0 + np.sin(t) * x1
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    angle = np.linalg.norm(np.diff(directions, axis=0), axis=1).sum()
    np.testing.assert_allclose(found["expected"], [20 * angle / math.pi] * 4, rtol=1e-6)


def test_settings_of_transitions(moved: TransitionsResult) -> None:
    settings = [*zip(moved.activation, moved.width, moved.weight_variance, strict=True)]
    assert settings == [
        ("hard_tanh", 8, 2), ("hard_tanh", 8, 4), ("hard_tanh", 4, 4), ("hard_tanh", 12, 4),
        ("relu", 8, 2), ("relu", 4, 2), ("relu", 12, 2), ("hard_tanh", 6, 1e4),
    ]  # fmt: skip
    for i, (kind, k, w) in enumerate(settings):
        for j in range(3):
            network, points = drawn(str(kind), [int(k)] * 5 + [1], float(w), 0.0, 5 + j)
            counts = pyexpr.count_transitions(network, Arc(*points), per="layer")
            assert moved.transitions[i, j].tolist() == counts.tolist()
    assert moved.parameters["seed"] == 5
    assert "executor" not in moved.parameters


def test_slopes_and_rates(moved: TransitionsResult) -> None:
    assert moved.first == 1
    slope, error = moved.slopes
    sign, sign_error = moved.sign_slopes
    rate, rate_error = moved.rates
    i = 1
    counts = moved.transitions[i, :, 1:].sum(axis=1)
    lengths = moved.lengths[i, :, 1:].sum(axis=1)
    assert slope[i] == pytest.approx(counts.sum() / lengths.sum())
    rest = counts - slope[i] * lengths
    assert error[i] == pytest.approx(math.sqrt((rest**2).sum() / 2 / 3) / lengths.mean())
    signs = moved.sign_changes[i, :, 1:].sum() / 8
    assert sign[i] == pytest.approx(signs / lengths.sum())
    assert sign_error[i] > 0
    start, end = moved.transitions[i, :, 1], moved.transitions[i, :, 3]
    assert rate[i] ** 2 == pytest.approx(end.sum() / start.sum())
    # The delta method, by the derivative of the square root.
    ratio = end.sum() / start.sum()
    scatter = np.sqrt(((end - ratio * start) ** 2).sum() / 2 / 3) / start.mean()
    assert rate_error[i] == pytest.approx(scatter / (2 * math.sqrt(ratio)))
    predicted, sign_predicted = moved.predicted
    assert predicted[i] == pytest.approx(8 * theory.transitions_per_length(8, "hard_tanh", 4.0))
    assert sign_predicted[i] == theory.sign_changes_per_length(8, "hard_tanh", 4.0)


def test_table_of_transitions(moved: TransitionsResult) -> None:
    assert len(moved.table.rows) == 8
    row = dict(zip(moved.table.columns, moved.table.rows[2], strict=True))
    assert (row["activation"], row["width"], row["weight variance"]) == ("hard_tanh", 4, 4.0)
    assert row["transitions by length"] == moved.slopes[0][2]
    assert row["growth a layer"] == moved.rates[0][2]
    assert row["in the last layer"] == pytest.approx(moved.transitions[2, :, -1].sum() / 3)
    assert row["there, infinite width"] == pytest.approx(moved.expected[2, :, -1].sum() / 3)
    unsettled = replace(moved, weight_variance=np.full(8, 0.5)).table.rows
    assert unsettled[0][5] is None  # images go to 0


def made_up(
    growth: float = 1.5, relu: float = 1.0, power: float = 1.0, slope: float = 1.0,
    large: float = 2.0, base: float = 1000.0,
) -> TransitionsResult:  # fmt: skip
    """Counts that grow as told, at the predicted slopes times `slope`."""
    settings = [("hard_tanh", 100, 4.0), ("hard_tanh", 200, 4.0), ("hard_tanh", 400, 4.0)]
    settings += [("relu", 100, 2.0), ("relu", 200, 2.0), ("relu", 400, 2.0)]
    settings += [("hard_tanh", 10, 1e4)]
    half = 0.01 * np.random.default_rng(0).uniform(-1, 1, (2, 6))
    wobble = np.concatenate([half, -half])  # of which means know nothing
    counts, lengths, signs = [], [], []
    for i, (kind, k, w) in enumerate(settings):
        rate = large if i == 6 else growth if kind == "hard_tanh" else relu
        layers = base * (k / 100) ** power * rate ** np.arange(6.0)
        if power > 9:  # stands for exponential growth
            layers = base * math.exp(k / 50) * rate ** np.arange(6.0)
        rows = (layers * (1 + wobble)).round()
        by_length = k * theory.transitions_per_length(k, kind, w)
        by_sign = theory.sign_changes_per_length(k, kind, w)
        counts.append(rows)
        lengths.append(rows / (slope * by_length))
        signs.append(rows / (slope * by_length) * by_sign * slope * k)
    kinds, widths, variances = zip(*settings, strict=True)
    return TransitionsResult(
        parameters={
            "width": 100, "weight_variance": 4.0, "relu_weight_variance": 2.0,
            "widths": [100, 200, 400],
        },
        activation=np.array(kinds),
        width=np.array(widths),
        weight_variance=np.array(variances),
        lengths=np.array(lengths),
        transitions=np.array(counts).astype(np.int64),
        sign_changes=np.array(signs).round().astype(np.int64),
        expected=np.array(counts),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("start", "arguments", "verdict"),
    [
        ("sign changes, and transitions", {}, "yes"),
        ("the slope is", {}, "yes"),
        ("the slope is", {"slope": 1.2}, "no"),
        ("the slope is", {"slope": 0.8}, "no"),
        ("transitions grow exponentially with depth: hard-tanh", {}, "yes"),
        ("transitions grow exponentially with depth: hard-tanh", {"growth": 1.0}, "no"),
        ("transitions grow exponentially with depth: ReLU", {}, "no"),
        ("transitions grow exponentially with depth: ReLU", {"relu": 1.2}, "yes"),
        ("ReLU: a layer", {}, "yes"),
        ("very large weights", {}, "no"),
        ("very large weights", {"large": math.sqrt(10)}, "yes"),
        ("very large weights", {"large": 4.0}, "in part"),
        ("transitions do not grow", {}, "yes"),
        ("transitions do not grow", {"power": 10.0, "base": 10.0}, "no"),
    ],
)
def test_verdicts_of_transitions(start: str, arguments: dict[str, Any], verdict: str) -> None:
    assert claim(made_up(**arguments), start).agrees == verdict


def test_verdicts_need_more_than_chance() -> None:
    sure = made_up(growth=1.05)
    noisy = replace(sure, transitions=sure.transitions.copy())
    noisy.transitions[:, :, -1] *= np.array([1, 1, 3, 1])
    grow = "transitions grow exponentially with depth: hard-tanh"
    assert claim(sure, grow).agrees == "yes"
    assert claim(noisy, grow).agrees == "no"


def test_verdicts_in_part() -> None:
    bent = made_up()
    bent.transitions[0, :, -1] *= 2  # one layer is off the line, and off the straight logarithms
    assert claim(bent, "sign changes, and transitions").agrees == "in part"
    assert claim(bent, "transitions grow exponentially with depth: hard-tanh").agrees == "in part"
    half = made_up()
    half.transitions[0] = half.transitions[0, :, :1]
    assert claim(half, "transitions grow exponentially with depth: hard-tanh").agrees == "in part"
    more = made_up()
    more.expected[3] *= 1.3
    assert claim(more, "ReLU: a layer").agrees == "in part"
    more.expected[4:6] *= 0.7
    assert claim(more, "ReLU: a layer").agrees == "no"


def test_the_setting_of_large_weights_is_no_other() -> None:
    same_width = replace(made_up(large=9.0), width=np.array([100, 200, 400] * 2 + [100]))
    grow = claim(same_width, "transitions grow exponentially with depth: hard-tanh")
    assert "1.500 to 1.500" in grow.ours and "3 of 3" in grow.ours
    assert "9.000" in claim(same_width, "very large weights").ours


def test_the_limit_of_large_weights() -> None:
    """Flips of a random sign network, one after another."""
    rng, k = np.random.default_rng(0), 10
    before = np.sign(rng.standard_normal((4000, k)))
    after = before.copy()
    after[:, 0] *= -1
    w = rng.standard_normal((4000, k, k))
    flips = (np.einsum("nij,nj->ni", w, before) > 0) != (np.einsum("nij,nj->ni", w, after) > 0)
    text = claim(made_up(), "very large weights").why
    said = float(text.split(" = ")[1].split(",")[0])
    assert said == pytest.approx(flips.sum(axis=1).mean(), rel=0.04)


def test_picture_of_transitions(moved: TransitionsResult) -> None:
    by_length, by_sign, by_layer, by_width = moved.plot().axes
    assert len(by_length.containers) == len(by_sign.containers) == 2  # weight variances
    assert len(by_layer.containers) == 3  # and ReLU
    assert len(by_width.containers) == 2
    x, y = points_of(by_length.containers[1])
    np.testing.assert_allclose(x, moved.lengths[1].mean(axis=0))
    np.testing.assert_allclose(y, moved.transitions[1].mean(axis=0))
    np.testing.assert_allclose(
        points_of(by_sign.containers[0])[1], moved.sign_changes[0].mean(axis=0) / 8
    )
    line = points_of(by_length.lines[0])
    np.testing.assert_allclose(line[1] / line[0], moved.predicted[0][0])
    np.testing.assert_allclose(
        points_of(by_layer.containers[2])[1], moved.transitions[4].mean(axis=0)
    )
    x, y = points_of(by_width.containers[0])
    assert x.tolist() == [4, 8, 12]
    np.testing.assert_allclose(y, [moved.transitions[i].sum() / 3 for i in (2, 1, 3)])


# --- patterns ---


def test_the_cell_of_patterns() -> None:
    found = patterns_on_curves("hard_tanh", 5, 2, 9.0, 0.3, seed=7)
    network, points = drawn("hard_tanh", [5, 5, 5, 1], 9.0, 0.3, 7)
    for i, curve in enumerate((Line(*points), Arc(*points))):
        h, words, changes = curve(np.linspace(0, 1, 100_001)), [], 0
        for layer in network.layers[:-1]:
            z = h @ layer.weight.T + layer.bias
            words.append(np.searchsorted([-1.0, 1.0], z))
            changes += int(np.abs(np.diff(words[-1], axis=0)).sum())
            h = np.clip(z, -1, 1)
        assert found["distinct"][i] == len(np.unique(np.hstack(words), axis=0))
        assert found["transitions"][i] == changes


def test_settings_of_patterns(patterned: PatternsResult) -> None:
    shapes = [(6, 1), (6, 2), (6, 4), (5, 2), (10, 2)]
    found = [*zip(patterned.activation, patterned.width, patterned.depth, strict=True)]
    assert found == [(kind, *shape) for kind in ("relu", "hard_tanh") for shape in shapes]
    for i, (kind, k, n) in enumerate(found):
        weight = 2.0 if kind == "relu" else 8.0
        for j in range(3):
            sizes = [int(k)] * (int(n) + 1) + [1]
            network, points = drawn(str(kind), sizes, weight, 0.1, 2 + j)
            trace = pyexpr.trace(network, Arc(*points))
            assert patterned.distinct[i, j, 1] == trace.n_patterns
            assert patterned.transitions[i, j, 1] == len(trace.transitions)
            assert patterned.distinct[i, j, 0] == pyexpr.count_patterns(network, *points)


def test_bounds_of_patterns(patterned: PatternsResult) -> None:
    relu, tanh = (row_of(patterned, activation=a, width=6, depth=2) for a in ("relu", "hard_tanh"))
    np.testing.assert_allclose(10 ** patterned.stated[[relu, tanh]], [6**2, 12**2])
    np.testing.assert_allclose(10 ** patterned.bounds[relu], [7 * 7, 12 * 13 + 1])
    np.testing.assert_allclose(10 ** patterned.bounds[tanh], [11 * 11 + 2 * 12, 24 * 25 + 1])


def test_made_networks(patterned: PatternsResult) -> None:
    assert patterned.attained.tolist() == [4, 16, 64]
    assert patterned.caps.tolist() == [12, 18]


def test_the_plane(patterned: PatternsResult) -> None:
    weights = [patterned.slice_input, *patterned.slice_hidden]
    assert [w.shape for w in weights] == [(4, 2), (4, 4), (4, 4)]
    assert patterned.slice_bias.shape == (3, 4)
    assert 150 <= len(patterned.chords) < 200
    assert (patterned.chords == 1).all()
    other = patterns(**{**PATTERNS, "seed": 3, "networks": 2})
    assert not (other.slice_input == patterned.slice_input).any()


def test_chords_that_leave_a_cell_are_seen(patterned: PatternsResult) -> None:
    network = module._network_on_plane(patterned._slice_weights())
    points = np.random.default_rng([2, 1]).uniform(-2, 2, (200, 2))
    letters = module._letters(network, points)
    cells = len(np.unique(letters, axis=0))
    assert 10 < cells < 50
    assert len(patterned.chords) == 200 - cells  # each joins its point to the cell's next
    first = letters[:, :4]  # cells of the first layer alone, which later ones cut
    found = module._chords(network, points, first)
    assert len(found) == 200 - len(np.unique(first, axis=0))
    assert found.max() > 1


def test_table_of_patterns(patterned: PatternsResult) -> None:
    assert len(patterned.table.rows) == 10 + 3
    row = dict(zip(patterned.table.columns, patterned.table.rows[1], strict=True))
    assert (row["network"], row["width"], row["depth"]) == ("random relu", 6, 2)
    assert row["on a line"] == pytest.approx(patterned.distinct[1, :, 0].sum() / 3)
    assert row["most on an arc"] == patterned.distinct[1, :, 1].max()
    assert (row["stated"], row["bound"], row["bound for an arc"]) == ("36", "49", "157")
    made = dict(zip(patterned.table.columns, patterned.table.rows[-1], strict=True))
    assert (made["on a line"], made["stated"], made["bound"]) == (64, "27", "64")
    huge = replace(patterned, width=np.full(10, 1000)).table.rows[2]
    assert huge[5] == "1.00e12"


def test_rates_of_patterns(patterned: PatternsResult) -> None:
    relu, tanh = patterned.rates[0]
    for kind, rate in (("relu", relu), ("hard_tanh", tanh)):
        start, end = (row_of(patterned, activation=kind, width=6, depth=n) for n in (2, 4))
        counts = patterned.distinct[:, :, 0].sum(axis=1)
        assert rate == pytest.approx(math.sqrt(counts[end] / counts[start]))
    start, end = (row_of(patterned, activation="relu", width=6, depth=n) for n in (2, 4))
    few, many = patterned.distinct[[start, end], :, 0]
    residual = many - few * many.mean() / few.mean()  # one network's, of both depths
    relative = residual.std(ddof=1) / np.sqrt(3) / many.mean()
    assert patterned.rates[1][0] == pytest.approx(relu * relative / 2)


def pretended(
    relu: float = 0.0, tanh: float = 1.6, power: float = 1.0, back: int = 0, spread: int = 1
) -> PatternsResult:
    """Counts in proportion to depth if the growth is 0."""
    kinds = np.array(["relu"] * 5 + ["hard_tanh"] * 5)
    width = np.array([50, 50, 50, 25, 100] * 2)
    depth = np.array([2, 4, 8, 2, 2] * 2)
    growth = np.where(kinds == "relu", relu, tanh)
    mean = np.where(growth > 0, 200 * growth ** (depth - 2), 100 * depth)
    counts = (mean * (width / 50) ** power).astype(np.int64)
    distinct = np.stack([counts - spread, counts, counts + spread], axis=1)[:, :, None]
    distinct = np.repeat(distinct, 2, axis=2)
    passed = distinct - 1
    passed[:, :, 1] += back
    return PatternsResult(
        parameters={"depths": [2, 4, 8], "widths": [25, 50, 100], "width": 50, "depth": 2},
        activation=kinds, width=width, depth=depth, distinct=distinct, transitions=passed,
        attained=np.array([4, 16, 64]), slice_input=np.zeros((4, 2)),
        slice_hidden=np.zeros((2, 4, 4)), slice_bias=np.zeros((3, 4)),
        caps=np.array([12, 18]), chords=np.array([1, 1, 1]),
    )  # fmt: skip


STATED, GROWS = "there are at most O", "in random networks"


@pytest.mark.parametrize(
    ("start", "arguments", "arrays", "verdict"),
    [
        (STATED, {}, {}, "no"),
        (STATED, {}, {"attained": [3, 9, 27]}, "yes"),
        ("the bound is tight", {}, {}, "yes"),
        ("the bound is tight", {}, {"attained": [4, 15, 63]}, "in part"),
        ("the bound is tight", {}, {"attained": [3, 9, 27]}, "no"),
        ("no network has more", {}, {}, "yes"),
        ("no network has more", {"relu": 90.0}, {}, "in part"),
        (GROWS, {}, {}, "in part"),
        (GROWS, {"relu": 1.6}, {}, "yes"),
        (GROWS, {"tanh": 0.0}, {}, "no"),
        (GROWS, {"spread": 190}, {}, "no"),
        ("patterns grow with width", {}, {}, "yes"),
        ("patterns grow with width", {"power": 2.5}, {}, "no"),
        ("every transition", {}, {}, "in part"),
        ("every transition", {}, {"caps": [18, 18]}, "yes"),
        ("every transition", {"back": 3}, {"caps": [18, 18]}, "in part"),
        ("patterns cut", {}, {}, "yes"),
        ("patterns cut", {}, {"chords": [1, 3, 1]}, "no"),
    ],
)
def test_verdicts_of_patterns(
    start: str, arguments: dict[str, Any], arrays: dict[str, list[int]], verdict: str
) -> None:
    changed: dict[str, Any] = {name: np.array(values) for name, values in arrays.items()}
    assert claim(replace(pretended(**arguments), **changed), start).agrees == verdict


def test_a_line_that_comes_back_would_refute() -> None:
    result = pretended()
    result.transitions[0, 0, 0] += 1
    assert claim(result, "every transition").agrees == "no"


def test_picture_of_patterns(patterned: PatternsResult) -> None:
    by_depth, by_width, made, *slices = patterned.plot().axes
    assert [ax.get_title(loc="left") for ax in slices] == [
        "Cells of layer 1", "Cells of layers 1 to 2", "Cells of layers 1 to 3",
    ]  # fmt: skip
    assert len(by_depth.containers) == len(by_width.containers) == 4
    x, y = points_of(by_depth.containers[1])
    assert x.tolist() == [1, 2, 4]
    np.testing.assert_allclose(y, patterned.distinct[:3, :, 1].mean(axis=1))
    x, y = points_of(by_width.containers[2])
    assert x.tolist() == [5, 10]
    np.testing.assert_allclose(y, patterned.distinct[[8, 9], :, 0].mean(axis=1))
    np.testing.assert_allclose(points_of(by_depth.lines[1])[1], [7, 7**2, 7**4])
    np.testing.assert_allclose([points_of(line)[1][-1] for line in made.lines], [64, 27, 64])
    pictures = [np.asarray(ax.images[0].get_array())[::9, ::9] for ax in slices]
    shades = [len(np.unique(p.reshape(-1, 3), axis=0)) for p in pictures]
    assert shades[0] < shades[1] < shades[2]


# --- the circle ---


def circle_of(width: int, seed: int) -> Circle:
    for_plane = np.random.SeedSequence(seed).spawn(2)[1]
    normal = np.random.default_rng(for_plane).standard_normal((width, 2))
    u, v = np.linalg.qr(normal)[0].T * math.sqrt(width)
    return Circle(np.zeros(width), u, v)


def test_the_cell_of_a_circle() -> None:
    found = circle_through(10, 3, 8.0, seed=6)
    network, _ = drawn("hard_tanh", [10] * 4 + [1], 8.0, 0.0, 6)
    curve = circle_of(10, 6)
    trace = pyexpr.trace(network, curve)
    assert found["transitions"].tolist() == trace.transitions_per_layer.tolist()
    assert found["regions"] == trace.n_regions == trace.transitions_per_layer.sum()
    assert found["lengths"][0] == pytest.approx(2 * math.pi * math.sqrt(10))
    h = curve(np.linspace(0, 1, 200_001))
    for layer, length in zip(network.layers[:-1], found["lengths"][1:], strict=True):
        h = np.clip(h @ layer.weight.T, -1, 1)
        assert length == pytest.approx(np.linalg.norm(np.diff(h, axis=0), axis=1).sum(), rel=1e-4)


def test_images(turned: CircleResult) -> None:
    assert turned.images.shape == (2, 4, 50, 2)
    radii = np.linalg.norm(turned.images[:, 0], axis=2)
    np.testing.assert_allclose(radii, math.sqrt(12), rtol=0.03)  # one place is there twice
    for i, w in enumerate((2.0, 8.0)):
        network, _ = drawn("hard_tanh", [12] * 4 + [1], w, 0.0, 0)
        h = circle_of(12, 0)(np.linspace(0, 1, 50))
        for image, layer in zip(turned.images[i], network.layers, strict=True):
            centred = h - h.mean(axis=0)
            squares = np.linalg.svd(centred)[1] ** 2  # the most that a plane can show
            np.testing.assert_allclose((image**2).sum(axis=0), squares[:2], rtol=1e-8)
            near = np.linalg.norm(image[1:] - image[:-1], axis=1)
            assert (near <= np.linalg.norm(h[1:] - h[:-1], axis=1) * (1 + 1e-9)).all()
            h = np.clip(h @ layer.weight.T, -1, 1)


def test_settings_of_circles(turned: CircleResult) -> None:
    assert turned.weight_variance.tolist() == [2, 8]
    for i, w in enumerate((2.0, 8.0)):
        for j in range(3):
            found = circle_through(12, 3, w, seed=j)
            assert turned.lengths[i, j].tolist() == found["lengths"].tolist()
            assert turned.transitions[i, j].tolist() == found["transitions"].tolist()
            assert turned.regions[i, j] == found["regions"]


def test_table_and_rates_of_circles(turned: CircleResult) -> None:
    assert len(turned.table.rows) == 8
    assert turned.table.rows[4][:2] == (8.0, 0)
    assert turned.table.rows[4][2] == pytest.approx(2 * math.pi * math.sqrt(12))
    assert turned.table.rows[4][4:] == (None, None)
    row = turned.table.rows[6]
    lengths, counts = turned.lengths[1, :, 2], turned.transitions[1, :, 1]
    error = math.sqrt(((counts - counts.mean()) ** 2).sum() / 2 / 3)
    assert row[:2] == (8.0, 2)
    assert row[2] == pytest.approx(lengths.sum() / 3)
    assert row[4:] == pytest.approx((counts.sum() / 3, error))
    lengths, counts = turned.lengths.sum(axis=1), turned.transitions.sum(axis=1)
    np.testing.assert_allclose(turned.length_rates[0] ** 3, lengths[:, 3] / lengths[:, 0])
    np.testing.assert_allclose(turned.transition_rates[0] ** 2, counts[:, 2] / counts[:, 0])
    start, end = turned.lengths[1, :, 0].mean(), turned.lengths[1, :, 3]
    scatter = end.std(ddof=1) / math.sqrt(3) / start  # all circles are of one length
    rate = turned.length_rates[0][1]
    assert turned.length_rates[1][1] == pytest.approx(scatter / (3 * rate**2))


def grown(lengths: tuple[float, float], counts: tuple[float, float], noise: int) -> CircleResult:
    wobble = 1 + noise / 100 * np.array([[-1], [0], [1], [0]]) * np.arange(4)
    long = np.stack([10 * rate ** np.arange(4) * wobble for rate in lengths])
    many = np.stack([1000 * rate ** np.arange(4) * wobble for rate in counts])
    return CircleResult(
        parameters={}, weight_variance=np.array([2.0, 8.0]), images=np.zeros((2, 4, 5, 2)),
        lengths=long, transitions=many[:, :, :3].astype(np.int64),
        regions=np.ones((2, 4), np.int64),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rates", "noise", "verdict"),
    [
        ((1.2, 1.5), 1, "yes"),
        ((0.9, 1.5), 1, "in part"),
        ((0.9, 1.0), 1, "no"),
        ((1.02, 1.5), 10, "in part"),
    ],
)
def test_verdicts_of_circles(rates: tuple[float, float], noise: int, verdict: str) -> None:
    longer = grown(rates, (1.0, 1.0), noise)
    assert claim(longer, "the image of a circle").agrees == verdict
    assert claim(longer, "it becomes more tangled").agrees == "no"
    tangled = grown((1.0, 1.0), rates, noise)
    assert claim(tangled, "the image of a circle").agrees == "no"
    assert claim(tangled, "it becomes more tangled").agrees == verdict


def test_picture_of_circles(turned: CircleResult) -> None:
    axes = turned.plot().axes
    assert len(axes) == 2 * 4 + 2
    titles = ["input", "layer 1", "layer 2", "layer 3"]
    assert [ax.get_title() for ax in axes[:8]] == titles * 2
    (curve,) = axes[6].collections
    assert isinstance(curve, LineCollection)
    segments = np.asarray(curve.get_segments())
    np.testing.assert_allclose(segments[:, 0], turned.images[1, 2, :-1])
    by_length, by_transitions = axes[8:]
    x, y = points_of(by_length.containers[1])
    assert x.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(y, turned.lengths[1].mean(axis=0))
    x, y = points_of(by_transitions.containers[0])
    assert x.tolist() == [1, 2, 3]
    np.testing.assert_allclose(y, turned.transitions[0].mean(axis=0))


def test_many_layers_share_a_row() -> None:
    deep = circle(weight_variances=[2.0], width=3, depth=11, samples=20, networks=2)
    axes = deep.plot().axes
    assert len(axes) == 8 + 2
    assert [axes[0].get_title(), axes[7].get_title()] == ["input", "layer 11"]
