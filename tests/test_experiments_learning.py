"""What the experiments train, how they train it, and trajectory regularisation."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from matplotlib import pyplot
from torch import nn

import pyexpr
from pyexpr.experiments import load_data, load_result, trajectory_regularization
from pyexpr.experiments.data import DataSet
from pyexpr.experiments.learning import accuracies, accuracy, one_thread, train
from pyexpr.experiments.modules import convolutional, perceptron, weight_layers
from pyexpr.experiments.trajectory_regularization import TrajectoryRegularizationResult
from pyexpr.torch import TrajectoryRegularization, trajectory_penalty

TINY: dict[str, Any] = {
    "train_images": 40,
    "test_images": 30,
    "variants": ["none", "batch", "trajectory", "exact"],
    "rates": [0.05, 0.1],
    "channels": [[2], [3]],
    "dense": 5,
    "epochs": 2,
    "batch": 20,
    "segments": 2,
    "networks": 2,
}


@pytest.fixture(scope="module")
def digits() -> DataSet:
    return load_data().subset(100, 50)


@pytest.fixture(scope="module")
def tiny() -> TrajectoryRegularizationResult:
    return trajectory_regularization(**TINY)


# --- modules ---


@pytest.mark.parametrize("norm", ["none", "batch", "trajectory"])
def test_a_perceptron_has_its_layers(norm: Any) -> None:
    module = perceptron((1, 8, 8), 10, width=7, depth=3, norm=norm, weight_variance=3.0)
    shapes = [tuple(layer.weight.shape) for layer in weight_layers(module)]
    assert shapes == [(7, 64), (7, 7), (7, 7), (10, 7)]
    net = pyexpr.as_network(module.eval(), input_shape=(1, 8, 8))
    assert net.neurons_per_layer == (7, 7, 7)
    norms = [name for name, _ in module.named_children() if name.startswith("norm")]
    assert len(norms) == (0 if norm == "none" else 3)


@pytest.mark.parametrize("norm", ["none", "batch", "trajectory"])
def test_a_convolutional_network_has_its_layers(norm: Any) -> None:
    module = convolutional((3, 8, 12), 4, channels=[[5, 6], [7]], dense=9, norm=norm)
    shapes = [tuple(layer.weight.shape) for layer in weight_layers(module)]
    assert shapes == [(5, 3, 3, 3), (6, 5, 3, 3), (7, 6, 3, 3), (9, 7 * 2 * 3), (4, 9)]
    net = pyexpr.as_network(module.eval(), input_shape=(3, 8, 12))
    assert net.neurons_per_layer == (5 * 96, 6 * 96, 7 * 24, 9)
    assert sum(name.startswith("pool") for name, _ in module.named_children()) == 2
    kinds = [type(part) for part in module.modules()]
    wanted = {"none": nn.Identity, "batch": nn.BatchNorm2d, "trajectory": TrajectoryRegularization}
    assert kinds.count(wanted[norm]) == {"none": 0, "batch": 3, "trajectory": 4}[norm]


def test_weights_have_the_variance_over_the_fan_in() -> None:
    module = convolutional(
        (3, 8, 8), 10, channels=[[200, 200]], dense=400, weight_variance=3.0, bias_variance=0.5
    )
    for layer in weight_layers(module)[1:4]:
        fan_in = layer.weight[0].numel()
        count = layer.weight.numel()
        assert layer.weight.var().item() * fan_in == pytest.approx(3.0, rel=8 / np.sqrt(count))
    biases = torch.cat([layer.bias for layer in weight_layers(module)])
    assert biases.var().item() == pytest.approx(0.5, rel=8 / np.sqrt(len(biases)))


def test_weights_are_those_of_the_seed() -> None:
    def weights(seed: int) -> list[npt.NDArray[np.float32]]:
        module = perceptron((4,), 3, width=5, depth=2, seed=seed)
        return [layer.weight.detach().numpy() for layer in weight_layers(module)]

    torch.manual_seed(1)
    before = weights(0)
    torch.manual_seed(2)
    for first, again, other in zip(before, weights(0), weights(1), strict=True):
        np.testing.assert_array_equal(first, again)
        assert (first != other).all()
    assert all(
        (layer.bias == 0).all() for layer in weight_layers(perceptron((4,), 3, width=5, depth=2))
    )


@pytest.mark.parametrize("word", ["activation", "norm"])
def test_unknown_parts_are_refused(word: str) -> None:
    wrong: Any = {word: "tanh"}
    with pytest.raises(ValueError, match=rf"{word} is 'tanh'; it must be"):
        perceptron((4,), 3, width=5, depth=2, **wrong)


# --- learning ---


def test_training_is_stochastic_gradient_descent_with_momentum(digits: DataSet) -> None:
    """Against the update rule written out, on one minibatch an epoch."""
    data = digits.subset(8, 8)
    module = perceptron(data.shape, 10, width=6, depth=1, activation="relu")
    again = perceptron(data.shape, 10, width=6, depth=1, activation="relu")
    velocity = [torch.zeros_like(p) for p in again.parameters()]
    losses = []
    for _ in range(3):
        answers = again(torch.tensor(data.x_train)).log_softmax(dim=1)
        loss = -answers[torch.arange(8), torch.tensor(data.y_train)].mean()
        gradients = torch.autograd.grad(loss, [*again.parameters()])
        losses.append(loss.item())
        with torch.no_grad():
            for v, p, g in zip(velocity, again.parameters(), gradients, strict=True):
                v.mul_(0.9).add_(g)
                p.sub_(0.1 * v)
    history = train(module, data, epochs=3, rate=0.1, batch=8)
    np.testing.assert_allclose(history.loss, losses, rtol=1e-5)
    for one, other in zip(module.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_training_learns_and_is_the_same_every_time(digits: DataSet) -> None:
    def once() -> Any:
        module = perceptron(digits.shape, 10, width=20, depth=1, activation="relu")
        return train(module, digits, epochs=8, rate=0.05, batch=20, seed=3)

    with one_thread():
        history, again = once(), once()
    assert history.train[-1] > 0.9 > 0.5 > history.train[0] - 0.4
    assert history.loss[-1] < 0.5 * history.loss[0]
    np.testing.assert_array_equal(history.loss, again.loss)
    np.testing.assert_array_equal(history.test, again.test)


def test_only_the_chosen_parameters_change(digits: DataSet) -> None:
    module = perceptron(digits.shape, 10, width=6, depth=3)
    layers = weight_layers(module)
    before = [layer.weight.detach().clone() for layer in layers]
    train(module, digits, epochs=1, parameters=[*layers[1].parameters()])
    changed = [not torch.equal(a, b.weight) for a, b in zip(before, layers, strict=True)]
    assert changed == [False, True, False, False]


def test_a_single_image_left_is_left_out(digits: DataSet) -> None:
    """Batch normalisation of one image is an error in torch."""
    steps: list[int] = []
    module = perceptron(digits.shape, 10, width=6, depth=1, norm="batch")
    train(module, digits.subset(21, 5), epochs=2, batch=10, watch=steps.append)
    assert steps == [0, 1, 2, 3, 4]
    assert not module.training


def test_a_watcher_sees_evaluation_mode(digits: DataSet) -> None:
    module = perceptron(digits.shape, 10, width=6, depth=1, norm="batch")
    modes: list[bool] = []
    train(module, digits, epochs=1, batch=50, watch=lambda _: modes.append(module.training))
    assert modes == [False] * 3


def test_penalties_are_of_the_minibatch(digits: DataSet) -> None:
    module = perceptron(digits.shape, 10, width=6, depth=2, norm="trajectory")
    seen: list[int] = []

    def penalty(given: nn.Module, images: torch.Tensor) -> torch.Tensor:
        assert given is module
        seen.append(len(images))
        return 100.0 * trajectory_penalty(given)

    train(module, digits, epochs=2, rate=1e-3, batch=40, penalty=penalty)
    assert seen == [40, 40, 20] * 2
    assert module.get_submodule("norm_0").scale.item() < 0.9


def test_accuracy_is_the_share_of_right_answers(digits: DataSet) -> None:
    module = perceptron(digits.shape, 10, width=6, depth=1)
    with torch.no_grad():
        answers = module(torch.tensor(digits.x_test)).numpy().argmax(axis=1)
    assert accuracy(module, digits.x_test, digits.y_test) == (answers == digits.y_test).mean()
    assert accuracy(module, digits.x_test, answers) == 1.0
    train_share, test_share = accuracies(module, digits)
    assert test_share == (answers == digits.y_test).mean()
    assert train_share == accuracy(module, digits.x_train, digits.y_train)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), one_thread():
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == before


def test_threads_are_put_back_by_the_last_of_several_cells() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    both = Barrier(2)

    def cell(wait: bool) -> int:
        with one_thread():
            both.wait(60)
            if wait:
                left.wait(60)
            return int(torch.get_num_threads())

    left = Event()
    with ThreadPoolExecutor(2) as executor:
        last, first = executor.submit(cell, True), executor.submit(cell, False)
        assert first.result() == 1
        left.set()
        assert last.result() == 1
    assert torch.get_num_threads() == before + 1
    torch.set_num_threads(before)


# --- trajectory regularisation ---


def test_figures_are_those_of_the_trained_networks(tiny: TrajectoryRegularizationResult) -> None:
    assert tiny.test.shape == tiny.loss.shape == (4, 2, 2, 2)
    assert tiny.length.shape == tiny.regions.shape == (4, 2, 2, 2)
    data = load_data().subset(40, 30, seed=1)
    module = convolutional(data.shape, 10, channels=[[2], [3]], dense=5, norm="batch", seed=1)
    before = [
        pyexpr.count_regions(module.eval(), x0, x1)
        for x0, x1 in (data.x_test[:2], data.x_test[2:4])
    ]
    with one_thread():
        history = train(module, data, epochs=2, rate=0.1, batch=20, seed=1)
    net = pyexpr.as_network(module, input_shape=data.shape)
    after = [pyexpr.trace(net, *pair) for pair in (data.x_test[:2], data.x_test[2:4])]
    np.testing.assert_array_equal(tiny.test[1, 1, 1], history.test)
    np.testing.assert_array_equal(tiny.loss[1, 1, 1], history.loss)
    assert tiny.regions[1, 1, 1].tolist() == [np.mean(before), np.mean([t.n_pieces for t in after])]
    assert tiny.length[1, 1, 1, 1] == np.mean([t.lengths.length[-1] for t in after])


def test_before_training_variants_without_batch_statistics_are_alike(
    tiny: TrajectoryRegularizationResult,
) -> None:
    np.testing.assert_array_equal(tiny.regions[0, :, :, 0], tiny.regions[2, :, :, 0])
    assert (tiny.loss[0] != tiny.loss[2]).any() and (tiny.loss[2] != tiny.loss[3]).any()


def test_executors_give_the_same(tiny: TrajectoryRegularizationResult) -> None:
    few = {**TINY, "variants": ["trajectory"], "rates": [0.05]}
    with ThreadPoolExecutor(2) as executor:
        found = trajectory_regularization(**few, executor=executor)
    # torch's own sums may be ordered otherwise in another thread
    np.testing.assert_allclose(found.loss[0, 0], tiny.loss[2, 0], rtol=1e-5)


def made_up(none: float, batch: float, trajectory: float) -> TrajectoryRegularizationResult:
    """Test accuracies that vary a little with the seed; the second rate is useless."""
    seeds = np.array([-0.01, 0.0, 0.01])[:, None]
    good = [seeds + accuracy for accuracy in (none, batch, trajectory)]
    test = np.array([[values, values * 0] for values in good])
    return TrajectoryRegularizationResult(
        parameters={},
        variant=np.array(["none", "batch", "trajectory"]),
        rate=np.array([0.1, 1.0]),
        loss=1 - test,
        train=test,
        test=test,
        length=np.ones((3, 2, 3, 2)),
        regions=np.ones((3, 2, 3, 2)),
    )


@pytest.mark.parametrize(
    ("accuracies", "expected"),
    [
        ((0.5, 0.7, 0.7), ["yes", "yes", "yes"]),
        ((0.5, 0.7, 0.6), ["yes", "yes", "no"]),
        ((0.7, 0.5, 0.6), ["no", "no", "yes"]),
        ((0.5, 0.5, 0.5), ["no", "no", "yes"]),
        ((0.5, 0.7, 0.695), ["yes", "yes", "no"]),
    ],
)
def test_claims_follow_the_figures(
    accuracies: tuple[float, float, float], expected: list[str]
) -> None:
    result = made_up(*accuracies)
    assert [claim.agrees for claim in result.claims] == expected
    assert f"{100 * accuracies[0]:.1f} ± 0.6 %" in result.claims[0].ours


def test_what_varies_too_much_is_not_clear() -> None:
    result = made_up(0.5, 0.55, 0.5)
    noisy = result.test.copy()
    noisy[1, 0] += np.array([[-0.3], [0.0], [0.3]])
    noisy[2, 0] = noisy[1, 0] - 0.001 + np.array([[0.02], [-0.02], [0.0]])
    verdicts = [claim.agrees for claim in replace(result, test=noisy).claims]
    assert verdicts == ["in part", "in part", "in part"]


def test_the_rate_is_chosen_by_the_training_images() -> None:
    result = made_up(0.5, 0.6, 0.7)
    swapped = replace(result, train=result.train[:, ::-1])
    np.testing.assert_array_equal(swapped.final("batch"), 0.0)


def test_the_picture_has_a_panel_for_every_rate(
    tiny: TrajectoryRegularizationResult, tmp_path: Path
) -> None:
    _, record = tiny.save(tmp_path)
    back = load_result(record)
    assert str(back) == str(tiny)
    figure = back.plot()
    assert len(figure.axes) == 4
    means = [line for line in figure.axes[1].lines if line.get_linewidth() == 1.5]
    for line, shares in zip(means, tiny.test[:, 1], strict=True):
        np.testing.assert_allclose(np.asarray(line.get_ydata(), float), shares.mean(axis=0))
    pyplot.close(figure)


@pytest.mark.parametrize(
    "wrong", [{"networks": 1}, {"epochs": 0}, {"batch": 1}, {"segments": 0}, {"seed": -1}]
)
def test_bad_sizes_are_refused(wrong: dict[str, int]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} is {value}; it must be"):
        trajectory_regularization(**{**TINY, **wrong})
    with pytest.raises(ValueError, match=r"rates is \[\]; it must hold at least 1"):
        trajectory_regularization(rates=[])


def test_images_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ValueError, match="images are 2 x 8; both must be divisible by 4 for 2"):
        convolutional((1, 2, 8), 10)


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="variants has 'layer'; each must be one of"):
        trajectory_regularization(variants=["layer"])
