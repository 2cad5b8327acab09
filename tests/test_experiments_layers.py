"""One layer at a time: noise in it, and training it alone."""

import copy
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import pyexpr
from pyexpr.experiments.data import load_once, random_pairs
from pyexpr.experiments.judging import rank_correlations, signs
from pyexpr.experiments.noise import NoiseResult, noise
from pyexpr.experiments.remaining_depth import (
    RemainingDepthResult,
    remaining_depth,
)
from pyexpr.experiments.result import Claim, Result, load_result

torch = pytest.importorskip("torch")

noise_module = sys.modules[noise.__module__]
depth_module = sys.modules[remaining_depth.__module__]

Floats = npt.NDArray[np.float64]

NETWORKS, EPOCHS, LINES, DRAWS, DEPTH = 2, 2, 2, 2, 3
LAYERS = ["conv 0", "conv 1", "dense", "readout"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Images of 4 x 4 in three classes, which a few epochs tell apart in part."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    centres = rng.standard_normal((3, 4, 4))
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(path, x=centres[labels] + rng.standard_normal((90, 4, 4)), y=labels)
    return str(path)


def run_depth(data: str, **others: Any) -> RemainingDepthResult:
    given = {"depth": DEPTH, "width": 6, "epochs": EPOCHS, "rate": 0.1, "batch": 16}
    return remaining_depth(data=data, **{**given, "lines": LINES, "networks": NETWORKS, **others})


def run_noise(data: str, **others: Any) -> NoiseResult:
    given = {"channels": [[2, 3]], "dense": 5, "epochs": EPOCHS, "batch": 16, "draws": DRAWS}
    sizes = {"absolute": [0.5], "relative": [0.2, 2.0], "traced": 0.7, "lines": LINES}
    return noise(data=data, **{**given, **sizes, "networks": NETWORKS, **others})


Modules = list[tuple[Any, Any]]


def spy(monkeypatch: pytest.MonkeyPatch, module: Any) -> Modules:
    """What is trained there: copies from before and after, in order of the cells."""
    seen: Modules = []
    train = module.train

    def watched(trained: Any, *rest: Any, **keywords: Any) -> Any:
        before = copy.deepcopy(trained)
        history = train(trained, *rest, **keywords)
        seen.append((before, copy.deepcopy(trained)))
        return history

    monkeypatch.setattr(module, "train", watched)
    return seen


@pytest.fixture(scope="module")
def deep(data: str) -> Iterator[tuple[RemainingDepthResult, Modules]]:
    with pytest.MonkeyPatch.context() as patch:
        seen = spy(patch, depth_module)
        yield run_depth(data), seen


@pytest.fixture(scope="module")
def noisy(data: str) -> Iterator[tuple[NoiseResult, Modules]]:
    with pytest.MonkeyPatch.context() as patch:
        seen = spy(patch, noise_module)
        yield run_noise(data), seen


@pytest.fixture(scope="module")
def absolute(data: str) -> Iterator[tuple[NoiseResult, Modules]]:
    """Without relative noise, on short lines."""
    with pytest.MonkeyPatch.context() as patch:
        seen = spy(patch, noise_module)
        yield run_noise(data, relative=[], lines=1, draws=1, share=0.3), seen


def arrays_of(result: Result) -> dict[str, npt.NDArray[Any]]:
    return {f.name: getattr(result, f.name) for f in fields(result) if f.name != "parameters"}


def assert_alike(one: Result, other: Result) -> None:
    assert type(one) is type(other)
    for name, array in arrays_of(one).items():
        assert array.dtype == getattr(other, name).dtype
        assert np.array_equal(array, getattr(other, name)), name


def verdicts(result: Result) -> list[str]:
    return [claim.agrees for claim in result.claims]


def found(result: Result, words: str) -> Claim:
    (claim,) = (claim for claim in result.claims if words in claim.claim)
    return claim


# --- statistics ---


def test_rank_correlations() -> None:
    rows = np.array([[1.0, 2, 3], [3, 2, -1], [1, 1, 2], [5, 5, 5], [1, 3, 2]])
    assert np.allclose(rank_correlations(rows), [1, -1, 0.75**0.5, 0, 0.5])
    assert np.allclose(rank_correlations(np.array([[1.0, 1, 2, 3]])), 0.9**0.5)


def test_signs_are_clear_beyond_the_quantile_of_students_t() -> None:
    # Deviations of 1 have the standard error 1, and of two values the quantile is 63.66.
    columns = np.array([63.67, 63.64, -63.64, -63.67, 0.0])
    assert signs(columns + np.array([[1.0], [-1.0]])).tolist() == [1, 0, 0, -1, 0]
    assert signs(np.array([[0.0, 2.0, -2.0]] * 4)).tolist() == [0, 1, -1]


# --- one layer is trained ---


def forward(module: Any, x: npt.NDArray[Any]) -> Floats:
    """By numpy: hard-tanh behind every layer but the last."""
    z = x.reshape(len(x), -1).astype(np.float64)
    layers = weights_of(module)
    for weights, biases in layers[:-1]:
        z = np.clip(z @ weights.T + biases, -1, 1)
    weights, biases = layers[-1]
    answers: Floats = z @ weights.T + biases
    return answers


def weights_of(module: Any) -> list[tuple[Floats, Floats]]:
    linear = [child for child in module.modules() if isinstance(child, torch.nn.Linear)]
    return [
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
        for layer in linear
    ]


def test_only_the_chosen_layer_is_trained(deep: tuple[RemainingDepthResult, Modules]) -> None:
    _, seen = deep
    assert len(seen) == NETWORKS * DEPTH
    for cell, (before, after) in enumerate(seen):
        pairs = zip(weights_of(before), weights_of(after), strict=True)
        changed = [(not np.array_equal(w, v), not np.array_equal(b, c)) for (w, b), (v, c) in pairs]
        expected = [(i == cell % DEPTH,) * 2 for i in range(DEPTH + 1)]
        assert changed == expected


def test_layers_of_a_network_start_alike_and_networks_differ(
    deep: tuple[RemainingDepthResult, Modules],
) -> None:
    firsts = [[w.tolist() for w, _ in weights_of(before)] for before, _ in deep[1]]
    assert firsts[0] == firsts[1] == firsts[2]
    assert firsts[3] == firsts[4] == firsts[5]
    assert firsts[0] != firsts[3]


def test_accuracies_by_numpy(data: str, deep: tuple[RemainingDepthResult, Modules]) -> None:
    result, seen = deep
    images = load_once(data)
    assert result.train.shape == result.test.shape == (NETWORKS, DEPTH, 1 + EPOCHS)
    for cell, modules in enumerate(seen):
        i, layer = divmod(cell, DEPTH)
        for epoch, module in zip((0, -1), modules, strict=True):
            right = forward(module, images.x_train).argmax(axis=1) == images.y_train
            assert result.train[i, layer, epoch] == right.mean()
            right = forward(module, images.x_test).argmax(axis=1) == images.y_test
            assert result.test[i, layer, epoch] == right.mean()


def test_regions_of_networks_built_by_hand(
    data: str, deep: tuple[RemainingDepthResult, Modules]
) -> None:
    result, seen = deep
    images = load_once(data)
    for cell, modules in enumerate(seen):
        i, layer = divmod(cell, DEPTH)
        x0, x1 = random_pairs(images.x_test, LINES, i)
        counts = [
            pyexpr.count_regions(
                pyexpr.Network.dense(weights_of(module), activation="hard_tanh"),
                x0.reshape(LINES, -1),
                x1.reshape(LINES, -1),
                kind="activation",
            ).tolist()
            for module in modules
        ]
        assert result.regions_before[i].tolist() == counts[0]
        assert result.regions_after[i, layer].tolist() == counts[1]


def test_pairs_are_of_different_test_images(data: str) -> None:
    images = load_once(data).x_test
    x0, x1 = random_pairs(images[:2], 20, 3)
    assert x0.shape == (20, 1, 4, 4)
    assert {tuple(x.ravel()) for x in x0} == {tuple(x.astype(float).ravel()) for x in images[:2]}
    assert (x0 != x1).any(axis=(1, 2, 3)).all()


def test_table_of_depths(deep: tuple[RemainingDepthResult, Modules]) -> None:
    result, _ = deep
    assert [row[:2] for row in result.table.rows] == [(0, 2), (1, 1), (2, 0)]
    last = result.table.rows[2]
    ends = result.test[:, 2, -1].tolist()
    ratios = [
        result.regions_after[i, 2].sum() / result.regions_before[i].sum() for i in range(NETWORKS)
    ]
    assert last[4] == pytest.approx(statistics.mean(ends))
    assert last[5] == pytest.approx(statistics.stdev(ends) / NETWORKS**0.5)
    assert last[6] == pytest.approx(statistics.mean(ratios))


def made_up_depths(steps: list[float], spread: float = 0.001, **regions: Any) -> Any:
    """Of four networks, with these accuracies in the end, of layer 0 first."""
    jitter = spread * np.random.default_rng(0).standard_normal((4, len(steps), 1))
    train = np.array(steps)[None, :, None] + jitter * np.ones(3)
    train[:, :, :-1] = 0.1
    after = np.array(regions.get("after", [[11], [14], [12], [11], [10]]))
    return RemainingDepthResult(
        parameters={},
        train=train,
        test=train[:, ::-1] if regions.get("reverse") else train,
        regions_before=np.full((4, 1), 10),
        regions_after=np.broadcast_to(after, (4, len(after), 1)).copy(),
    )


def test_claims_of_depths_follow_the_figures() -> None:
    falling = made_up_depths([0.2, 0.9, 0.8, 0.7, 0.6])
    assert verdicts(falling) == ["yes", "yes", "yes"]
    assert "-1.00" in falling.claims[0].ours
    assert "3 clearly lower it, and 0 clearly raise it" in falling.claims[0].ours
    one_up = made_up_depths([0.2, 0.9, 0.7, 0.8, 0.6])
    assert verdicts(one_up)[:2] == ["in part", "in part"]
    rising = made_up_depths([0.9, 0.6, 0.7, 0.8, 0.9], after=[[14], [10], [11], [12], [14]])
    assert verdicts(rising) == ["no", "no", "no"]
    level = made_up_depths([0.9, 0.5, 0.5, 0.5, 0.5], spread=0.0)
    assert verdicts(level)[:2] == ["no", "no"]
    unclear = made_up_depths([0.9, 0.51, 0.5, 0.5, 0.49], spread=0.5)
    assert verdicts(unclear)[:2] == ["no", "no"]
    train_only = made_up_depths([0.95, 0.9, 0.8, 0.7, 0.6], reverse=True)
    assert verdicts(train_only)[:2] == ["yes", "no"]


def test_picture_of_depths() -> None:
    result = made_up_depths([0.2, 0.9, 0.8, 0.7, 0.6])
    by_epoch, by_epoch_test, by_layer, regions = drawn(result)
    assert [len(ax.lines) for ax in (by_epoch, by_epoch_test)] == [5, 5]
    curve = by_epoch.lines[3]
    assert np.allclose(curve.get_ydata(), result.train[:, 3].mean(axis=0))
    assert np.allclose(curve.get_xdata(), [0, 1, 2])
    joined, ratios = (
        [line.get_ydata() for line in ax.lines if len(line.get_xdata()) == 4]
        for ax in (by_layer, regions)
    )
    assert np.allclose(joined, [a[:, 1:, -1].mean(axis=0) for a in (result.train, result.test)])
    assert np.allclose(ratios, [[1.4, 1.2, 1.1, 1.0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 2}, "depth is 2; it must be at least 3"),
        ({"networks": 1}, "networks is 1; it must be at least 2"),
        ({"epochs": 0}, "epochs is 0; it must be at least 1"),
        ({"batch": 1}, "batch is 1; it must be at least 2"),
        ({"lines": 0}, "lines is 0; it must be at least 1"),
        ({"test_images": 1}, "test_images is 1; it must be at least 2"),
    ],
)
def test_bad_arguments_of_depths(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        remaining_depth(**arguments)


# --- noise in one layer ---


def with_noise(result: NoiseResult, module: Any, network: int, m: int, i: int, draw: int) -> Any:
    """A copy of a module with noise number m, or, where m is -1, that of the lengths."""
    changed = copy.deepcopy(module)
    layer = [child for child in changed.children() if hasattr(child, "weight")][i]
    size = 0.7 if m == -1 else result.magnitude[m]
    if m == -1 or result.scaling[m] == "relative":
        size = size * np.sqrt(np.mean(layer.weight.detach().double().numpy() ** 2))
    unit = np.random.default_rng([network, 2, i, draw]).standard_normal(tuple(layer.weight.shape))
    with torch.no_grad():
        layer.weight += torch.tensor(size * unit, dtype=torch.float32)
    return changed


def images_of(module: Any, x: npt.NDArray[np.float32]) -> list[Floats]:
    """Behind activations, and the output."""
    seen: list[Any] = []
    hooks = [
        child.register_forward_hook(lambda *call: seen.append(call[2]))
        for child in module.children()
        if isinstance(child, torch.nn.ReLU)
    ]
    with torch.no_grad():
        seen.append(module(torch.tensor(x)))
    for hook in hooks:
        hook.remove()
    return [tensor.double().numpy().reshape(len(x), -1) for tensor in seen]


def test_what_was_found_has_its_names(noisy: tuple[NoiseResult, Modules]) -> None:
    result, seen = noisy
    assert result.layer.tolist() == LAYERS
    assert result.scaling.tolist() == ["absolute", "relative", "relative"]
    assert result.magnitude.tolist() == [0.5, 0.2, 2.0]
    assert len(seen) == NETWORKS
    weights = [[w.detach().double().square().mean() ** 0.5 for w in module.parameters()
                if w.ndim > 1] for _, module in seen]  # fmt: skip
    assert np.allclose(result.weight, weights)


def test_accuracies_and_disturbances_of_whole_networks(
    data: str, noisy: tuple[NoiseResult, Modules]
) -> None:
    result, seen = noisy
    images = load_once(data)
    for n, (_, module) in enumerate(seen):
        clean = images_of(module, images.x_test)
        assert result.clean[n] == (clean[-1].argmax(axis=1) == images.y_test).mean()
        answers = images_of(module, images.x_train)[-1]
        assert result.train[n] == (answers.argmax(axis=1) == images.y_train).mean()
        for m, i in np.ndindex(3, len(LAYERS)):
            moved = np.zeros(len(LAYERS))
            for draw in range(DRAWS):
                there = images_of(with_noise(result, module, n, m, i, draw), images.x_test)
                right = there[-1].argmax(axis=1) == images.y_test
                assert result.accuracy[n, m, i, draw] == right.mean()
                distances = [((a - b) ** 2).sum() for a, b in zip(there, clean, strict=True)]
                norms = [(a**2).sum() for a in clean]
                moved += np.sqrt(np.array(distances) / norms) / DRAWS
            assert np.allclose(result.disturbance[n, m, i], moved, rtol=1e-4, atol=1e-12)
            assert (result.disturbance[n, m, i, :i] == 0).all()


def test_lengths_of_whole_networks(data: str, noisy: tuple[NoiseResult, Modules]) -> None:
    result, seen = noisy
    images = load_once(data)

    def lengths(module: Any, x0: Floats, x1: Floats) -> Floats:
        network = pyexpr.as_network(module, input_shape=(1, 4, 4))
        found: Floats = pyexpr.trace(network, x0, x1).lengths.length[1:]
        return found

    module = seen[1][1]
    for line, (x0, x1) in enumerate(zip(*random_pairs(images.x_test, LINES, 1), strict=True)):
        assert np.allclose(result.clean_lengths[1, line], lengths(module, x0, x1))
        for i in range(len(LAYERS)):
            changed = with_noise(result, module, 1, -1, i, line)
            assert np.allclose(result.noisy_lengths[1, line, i], lengths(changed, x0, x1))
            assert np.array_equal(
                result.noisy_lengths[1, line, i, :i], result.clean_lengths[1, line, :i]
            )


def test_a_share_of_a_line(data: str, absolute: tuple[NoiseResult, Modules]) -> None:
    result, seen = absolute
    images = load_once(data)
    for n, (_, module) in enumerate(seen):
        x0, x1 = (ends[0] for ends in random_pairs(images.x_test, 1, n))
        network = pyexpr.as_network(module, input_shape=(1, 4, 4))
        lengths = pyexpr.trace(network, x0, 0.7 * x0 + 0.3 * x1).lengths.length
        assert np.allclose(result.clean_lengths[n, 0], lengths[1:])


def test_table_of_noise(noisy: tuple[NoiseResult, Modules]) -> None:
    result, _ = noisy
    assert [row[:3] for row in result.table.rows] == [
        (str(s), float(m), name)
        for s, m in zip(result.scaling, result.magnitude, strict=True)
        for name in LAYERS
    ]
    _, _, _, accuracy, error, drop, disturbance = result.table.rows[6]  # the second noise, dense
    means = [statistics.mean(result.accuracy[n, 1, 2].tolist()) for n in range(NETWORKS)]
    assert accuracy == pytest.approx(statistics.mean(means))
    assert error == pytest.approx(statistics.stdev(means) / NETWORKS**0.5)
    assert drop == pytest.approx(statistics.mean(result.clean.tolist()) - statistics.mean(means))
    assert disturbance == pytest.approx(result.disturbance[:, 1, 2, 3].mean())


Of = Callable[[int], float]


def made_up_noise(
    drop: Of, absolute: Of | None = None, *, growth: float = 1.2, at: Of | None = None,
    longer: float = 1.1, onwards: float = 1.1, spread: float = 1e-3,
) -> NoiseResult:  # fmt: skip
    """Of four networks of five layers: drops by layer; disturbances that grow; lengths."""
    n, layers, sizes = 4, 5, [("absolute", 0.25), ("relative", 0.5), ("relative", 1.0)]
    jitter = spread * np.random.default_rng(0).standard_normal((n, layers))
    accuracy = np.empty((n, len(sizes), layers, 2))
    for m, (scaling, _) in enumerate(sizes):
        of = absolute if scaling == "absolute" and absolute else drop
        accuracy[:, m] = (0.9 - np.array([of(i) for i in range(layers)]) + jitter)[..., None]
    disturbance = np.zeros((n, len(sizes), layers, layers))
    lengths = np.ones((n, 1, layers, layers))
    for i, j in np.ndindex(layers, layers):
        if i <= j:
            start = at(i) if at else 0.1
            disturbance[:, :, i, j] = start * np.exp(jitter[:, i])[:, None]
            disturbance[:, 1, i, j] *= growth ** (j - i)  # for the smallest relative noise alone
            lengths[:, 0, i, j] = longer * onwards ** (j - i) * np.exp(jitter[:, i])
    return NoiseResult(
        parameters={"traced": 0.5},
        layer=np.array(["a", "b", "c", "d", "e"]),
        scaling=np.array([scaling for scaling, _ in sizes]),
        magnitude=np.array([size for _, size in sizes]),
        weight=np.full((n, layers), 0.1),
        train=np.ones(n),
        clean=np.full(n, 0.9),
        accuracy=accuracy,
        disturbance=disturbance,
        clean_lengths=np.ones((n, 1, layers)),
        noisy_lengths=lengths,
    )


def test_claims_of_susceptibility_follow_the_drops() -> None:
    result = made_up_noise(lambda i: 0.5 - 0.1 * i, lambda i: 0.1 * i, spread=1e-5)
    assert found(result, "(relative").agrees == "yes"
    assert "a 50.0, b 40.0, c 30.0, d 20.0, e 10.0" in found(result, "(relative").ours
    assert found(result, "(absolute").agrees == "no"
    # The first is the most susceptible, without an order of the others.
    first = made_up_noise(lambda i: [0.5, 0.1, 0.2, 0.3, 0.4][i])
    assert found(first, "(relative").agrees == "in part"
    ordered = made_up_noise(lambda i: [0.4, 0.5, 0.3, 0.2, 0.1][i])
    assert found(ordered, "(relative").agrees == "in part"
    unclear = made_up_noise(lambda i: 0.05 - 0.01 * i, spread=0.5)
    assert found(unclear, "(relative").agrees == "no"


@pytest.mark.parametrize(
    ("drops", "verdict"),
    [
        ([0.7, 0.5, 0.3, 0.1, 0.02], "yes"),
        ([0.3, 0.3, 0.3, 0.1, 0.02], "in part"),
        ([0.8, 0.5, 0.3, 0.1, 0.30], "in part"),
        ([0.1, 0.2, 0.3, 0.4, 0.50], "no"),
    ],
)
def test_claim_of_the_recalled_figures(drops: list[float], verdict: str) -> None:
    claim = found(made_up_noise(lambda i: 0.5, lambda i: drops[i]), "0.25")
    assert claim.agrees == verdict
    assert f"{drops[0]:.3f} +- 0.00" in claim.ours


def test_claims_of_perturbations_follow_the_disturbances() -> None:
    def judged(result: NoiseResult) -> tuple[str, str]:
        return found(result, "grows exponentially").agrees, found(result, "the more layers").agrees

    def flat(i: int) -> float:
        return 0.1

    growing = made_up_noise(flat)
    assert judged(growing) == ("yes", "yes")
    assert "by 1.200 a layer" in found(growing, "grows exponentially").ours
    assert "output by 1.200" in found(growing, "the more layers").ours
    assert judged(made_up_noise(flat, growth=0.8)) == ("no", "no")
    # What begins so small that the output feels later layers more.
    assert judged(made_up_noise(flat, at=lambda i: 0.1 * 1.5**i)) == ("yes", "no")
    dip = made_up_noise(flat, at=lambda i: [0.1, 0.02, 0.1, 0.1, 0.1][i])
    assert judged(dip)[1] == "in part"


def test_claim_of_lengths_follows_the_ratios() -> None:
    def judged(**lengths: Any) -> str:
        return found(made_up_noise(lambda i: 0.1, **lengths), "lengthens").agrees

    assert judged() == "yes"
    assert judged(onwards=0.9) == "in part"
    assert judged(longer=0.9) == "in part"
    assert judged(longer=0.9, onwards=0.9) == "no"
    ours = found(made_up_noise(lambda i: 0.1, spread=0.0), "lengthens").ours
    assert "by 1.100 on average" in ours
    assert "would give 1.118" in ours
    assert f"{1.1**5:.3f} (s.e. 0.0 %) from a and by {1.1**2:.3f} (s.e. 0.0 %) from d" in ours


def test_claims_need_what_they_are_about(absolute: tuple[NoiseResult, Modules]) -> None:
    claims = [claim.claim for claim in absolute[0].claims]
    assert len(claims) == 2
    assert "(absolute" in claims[0]
    assert "lengthens" in claims[1]
    assert len(drawn(absolute[0])) == 6


def test_picture_of_noise() -> None:
    result = made_up_noise(lambda i: 0.5 - 0.1 * i, lambda i: 0.1 * i)
    absolute, relative, drops, weights, disturbance, lengths = drawn(result)
    assert [len(ax.lines) for ax in (absolute, relative)] == [6, 6]  # five, and the clean one
    third = relative.lines[2]
    assert np.allclose(third.get_xdata(), [0.5, 1.0])
    assert np.allclose(third.get_ydata(), result.accuracy[:, 1:, 2, 0].mean(axis=0))
    assert np.allclose(drops.lines[0].get_ydata(), [0, 0.1, 0.2, 0.3, 0.4], atol=0.01)
    assert np.allclose(drops.lines[1].get_ydata(), [0.5, 0.4, 0.3, 0.2, 0.1], atol=0.01)
    assert [text.get_text() for text in weights.get_xticklabels()] == [*"abcde"]
    assert disturbance.get_yscale() == "log"
    assert np.allclose(disturbance.lines[3].get_xdata(), [3, 4])
    assert np.allclose(disturbance.lines[3].get_ydata(), [0.1, 0.12], rtol=0.01)
    assert np.allclose(lengths.lines[1].get_ydata(), 1.25**0.5)  # below, the dashed line
    assert np.allclose(lengths.lines[2].get_ydata(), 1.1 ** np.arange(1, 6), rtol=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"networks": 1}, "networks is 1; it must be at least 2"),
        ({"epochs": 0}, "epochs is 0; it must be at least 1"),
        ({"batch": 1}, "batch is 1; it must be at least 2"),
        ({"draws": 0}, "draws is 0; it must be at least 1"),
        ({"lines": 0}, "lines is 0; it must be at least 1"),
        ({"test_images": 1}, "test_images is 1; it must be at least 2"),
        ({"absolute": [0.1, 0.0]}, "absolute holds 0.0; every magnitude must be positive"),
        ({"relative": [-1.0]}, "relative holds -1.0; every magnitude must be positive"),
        ({"absolute": [], "relative": []}, "one of them must have a magnitude"),
        ({"share": 0.0}, r"share is 0.0; it must be in \(0, 1\]"),
        ({"share": 1.5}, r"share is 1.5; it must be in \(0, 1\]"),
        ({"traced": -0.5}, "traced is -0.5; it must not be negative"),
    ],
)
def test_bad_arguments_of_noise(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        noise(**arguments)


# --- both ---


@pytest.mark.parametrize(("run", "name"), [(run_depth, "deep"), (run_noise, "noisy")])
def test_threads_find_the_same_and_files_keep_it(
    run: Callable[..., Result],
    name: str,
    data: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    alone = request.getfixturevalue(name)[0]
    with ThreadPoolExecutor(1) as executor:  # while torch exports, others' sums may be ordered anew
        assert_alike(alone, run(data, executor=executor))
    _, record = alone.save(tmp_path)
    back = load_result(record)
    assert_alike(alone, back)
    assert back.parameters == alone.parameters
    assert "executor" not in back.parameters
    assert back.claims == alone.claims


def test_another_seed_is_another_network(data: str, deep: tuple[Result, Modules]) -> None:
    """Networks are numbered by seeds, so that runs overlap."""
    first = deep[0]
    assert isinstance(first, RemainingDepthResult)
    other = run_depth(data, seed=1)
    assert np.array_equal(other.train[0], first.train[1])
    assert np.array_equal(other.regions_after[0], first.regions_after[1])
    assert not np.array_equal(other.train[1], first.train[0])


def drawn(result: Result) -> list[Any]:
    pytest.importorskip("matplotlib").use("agg")
    figure = result.plot()
    figure.canvas.draw()
    axes = [*figure.axes]
    pytest.importorskip("matplotlib.pyplot").close(figure)
    return axes
