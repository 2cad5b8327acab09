"""Layers for trajectory regularisation: what they compute, keep and shorten."""

import copy
import io
import pickle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pyexpr
from pyexpr.torch import (
    TrajectoryRegularization,
    exact_trajectory_penalty,
    path_length,
    replace_batch_norm,
    trajectory_penalty,
)

PATH = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])  # steps of 5 and 1


def perceptron(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(3, 6),
        TrajectoryRegularization(),
        nn.ReLU(),
        nn.Linear(6, 5),
        TrajectoryRegularization(),
        nn.Hardtanh(),
        nn.Linear(5, 2),
    )


def with_scale(scale: float) -> TrajectoryRegularization:
    layer = TrajectoryRegularization()
    with torch.no_grad():
        layer.scale.fill_(scale)
    return layer


# --- the layer ---


def test_a_layer_scales_in_both_modes() -> None:
    layer = with_scale(0.5)
    x = torch.randn(4, 2, 3)
    assert torch.equal(layer(x), x / 2)
    assert torch.equal(layer.eval()(x), x / 2)


def test_a_penalty_by_hand() -> None:
    """Means of 3 at first, then of 5 of two points; their ratio, times the scale."""
    layer = with_scale(-0.5)
    x = PATH.clone().requires_grad_()
    layer(x)
    assert layer.original.item() == 3
    assert layer.penalty.item() == 0.5
    layer(x[:2])
    assert layer.original.item() == 3
    assert layer.penalty.item() == pytest.approx(5 / 6)
    layer.penalty.backward()
    assert layer.scale.grad.item() == pytest.approx(-5 / 3)
    assert torch.allclose(x.grad[1], torch.tensor([0.6, 0.8]) / 6)
    assert torch.equal(x.grad[0], -x.grad[1])


def test_points_of_any_shape_are_flat_ones() -> None:
    x = torch.randn(5, 2, 3, 2)
    images, rows, numbers = (TrajectoryRegularization() for _ in range(3))
    images(x)
    rows(x.flatten(1))
    assert images.original.item() == pytest.approx(rows.original.item())
    numbers(x[:, 0, 0, 0])
    assert numbers.original.item() == pytest.approx(x[:, 0, 0, 0].diff().abs().mean().item())


def test_evaluation_measures_nothing() -> None:
    layer = TrajectoryRegularization()
    layer(PATH)
    penalty = layer.penalty
    layer.eval()(5 * PATH)
    assert layer.penalty is penalty
    assert layer.original.item() == 3


def test_a_path_without_length_has_no_penalty() -> None:
    layer = TrajectoryRegularization()
    layer(PATH[:1])
    assert layer.penalty.item() == 0
    assert layer.original.isnan()
    layer(PATH[:1].repeat(3, 1))
    assert layer.original.item() == 0
    x = PATH.clone().requires_grad_()
    layer(x)
    layer.penalty.backward()
    assert layer.penalty.item() == 0
    assert layer.scale.grad.item() == 0
    assert not x.grad.any()


def test_equal_neighbours_have_gradients() -> None:
    layer = TrajectoryRegularization()
    x = PATH[[0, 0, 1]].requires_grad_()
    layer(x)
    layer.penalty.backward()
    assert x.grad.isfinite().all()


def test_gradients_pass_gradcheck() -> None:
    layer = with_scale(-0.75).double()
    layer(PATH.double())

    def penalty(x: Tensor) -> Tensor:
        layer(x)
        return layer.penalty

    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(penalty, [x])


def test_a_penalty_needs_a_forward_pass() -> None:
    layer = TrajectoryRegularization().eval()
    layer(PATH)
    with pytest.raises(RuntimeError, match=r"before a forward pass in training mode"):
        _ = layer.penalty


def test_two_passes_before_one_backward() -> None:
    layer = TrajectoryRegularization()
    total = torch.zeros(())
    for factor in (1, 2):
        layer(factor * PATH)
        total = total + layer.penalty
    total.backward()
    assert layer.scale.grad.item() == pytest.approx(3)


# --- copies and files ---


def test_copies_and_files() -> None:
    """After a backward pass, and before one."""
    module = perceptron()
    points = torch.randn(8, 3)
    for _ in range(2):
        copies = [copy.deepcopy(module), pickle.loads(pickle.dumps(module))]
        for other in copies:
            assert torch.equal(other(points), module(points))
            assert torch.equal(trajectory_penalty(other), trajectory_penalty(module))
        trajectory_penalty(module).backward()
        module(points)
    with pytest.raises(RuntimeError, match="before a forward pass"):
        trajectory_penalty(copy.deepcopy(module))


def test_state_dict_keeps_what_was_first() -> None:
    module, other = perceptron(0), perceptron(1)
    points = torch.randn(8, 3)
    module(points)
    module(2 * points)
    exact_trajectory_penalty(module, points)
    state = module.state_dict()
    assert [name for name in state if name.startswith("1.")] == [
        "1.scale",
        "1.original",
        "1.original_exact",
    ]
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    other(2 * points)
    assert torch.equal(trajectory_penalty(other), trajectory_penalty(module))
    expected = exact_trajectory_penalty(module, 2 * points)
    assert torch.equal(exact_trajectory_penalty(other, 2 * points), expected)


# --- modules ---


def test_the_penalty_of_a_module_is_the_sum() -> None:
    module = perceptron()
    points = torch.randn(8, 3)
    module(points)
    assert trajectory_penalty(module).item() == pytest.approx(2)
    module(3 * points)
    expected = module[1].penalty.item() + module[4].penalty.item()
    assert trajectory_penalty(module).item() == pytest.approx(expected)
    assert expected > 2.5


def test_a_module_without_layers_has_no_penalty() -> None:
    module = nn.Linear(3, 2)
    for penalty in (trajectory_penalty, lambda m: exact_trajectory_penalty(m, torch.ones(2, 3))):
        with pytest.raises(ValueError, match="has no TrajectoryRegularization layer"):
            penalty(module)


def test_networks_have_such_layers() -> None:
    module = perceptron()
    with torch.no_grad():
        module[1].scale.fill_(0.5)
    module(torch.randn(4, 3))
    module.eval()
    net = pyexpr.as_network(module, input_shape=(3,))
    x = torch.randn(4, 3)
    assert torch.allclose(torch.from_numpy(net(x)).float(), module(x), atol=1e-6)


@pytest.mark.parametrize("closed", [False, True])
def test_exact_penalties_are_exact_lengths(closed: bool) -> None:
    module = perceptron().double()
    first, later = torch.randn(2, 4, 3, dtype=torch.float64)

    def lengths(points: Tensor) -> list[Tensor]:
        return [path_length(module, points, closed=closed, layer=module[i]) for i in (1, 4)]

    originals = [length.item() for length in lengths(first)]
    assert exact_trajectory_penalty(module, first, closed=closed).item() == pytest.approx(2)
    assert [module[i].original_exact.item() for i in (1, 4)] == pytest.approx(originals)
    with torch.no_grad():
        module[1].scale.fill_(-0.75)
    penalty = exact_trajectory_penalty(module, later, closed=closed)
    ratios = [a / b for a, b in zip(lengths(later), originals, strict=True)]
    expected = torch.stack(ratios).sum()
    assert penalty.dtype == torch.float64
    assert penalty.item() == pytest.approx(expected.item())
    parameters = [*module[:5].parameters()]
    found, wanted = (torch.autograd.grad(p, parameters) for p in (penalty, expected))
    assert all(torch.allclose(a, b, rtol=1e-10) for a, b in zip(found, wanted, strict=True))


def test_exact_penalties_refuse_wrong_points() -> None:
    wrong: Any = [[0.0, 0.0, 0.0]]
    with pytest.raises(TypeError, match="points is list; it must be a tensor of floats"):
        exact_trajectory_penalty(perceptron(), wrong)


# --- training ---


@pytest.mark.parametrize("exact", [False, True])
def test_training_with_the_penalty_shortens_the_path(exact: bool) -> None:
    """Beside training without it, from the same start and with the same data."""
    torch.manual_seed(0)
    points = torch.randn(16, 3)
    labels = (points[:, 0] * points[:, 1] > 0).long()
    loop = torch.randn(4, 3)
    lengths = []
    for weight in (0.0, 0.1):
        module = perceptron()
        optimizer = torch.optim.Adam(module.parameters(), 0.02)
        for _ in range(25):
            optimizer.zero_grad()
            loss = F.cross_entropy(module(points), labels)
            if exact and weight:
                loss = loss + weight * exact_trajectory_penalty(module, loop, closed=True)
            else:
                loss = loss + weight * trajectory_penalty(module)
            loss.backward()
            optimizer.step()
        path, closed = (loop, True) if exact else (points, False)
        lengths.append(path_length(module, path, closed=closed, layer="4").item())
    assert lengths[1] < 0.8 * lengths[0]


# --- in place of batch normalisation ---


class Shared(nn.Module):
    """One normalisation in two places, and a list of others."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.second = nn.Conv2d(2, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2)
        self.also = self.norm
        self.others = nn.ModuleList([nn.BatchNorm1d(32), nn.Linear(32, 2)])

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.first(x)))
        x = F.relu(self.also(self.second(x)))
        return self.others[1](self.others[0](x.flatten(1)))


def test_batch_normalisation_is_replaced() -> None:
    torch.manual_seed(0)
    module = Shared().double()
    module.norm.eval()
    replaced = replace_batch_norm(module)
    assert isinstance(module.norm, nn.BatchNorm2d) and isinstance(module.others[0], nn.BatchNorm1d)
    assert not any(isinstance(p, nn.BatchNorm1d | nn.BatchNorm2d) for p in replaced.modules())
    assert isinstance(replaced.norm, TrajectoryRegularization)
    assert replaced.norm is replaced.also
    assert isinstance(replaced.others[0], TrajectoryRegularization)
    assert (replaced.norm.training, replaced.others[0].training) == (False, True)
    assert replaced.norm.scale.dtype == torch.float64
    assert replaced.first.weight is not module.first.weight
    assert torch.equal(replaced.first.weight, module.first.weight)
    replaced.train()
    images = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    replaced(images)
    trajectory_penalty(replaced).backward()
    assert pyexpr.count_regions(replaced.eval(), images[0], images[1]) > 1


def test_a_batch_normalisation_alone_is_replaced() -> None:
    layer = replace_batch_norm(nn.BatchNorm1d(3, affine=False, track_running_stats=False))
    assert isinstance(layer, TrajectoryRegularization)
    assert layer.scale.dtype == torch.float32


def test_a_first_minibatch_that_overflows_is_not_remembered() -> None:
    layer = TrajectoryRegularization().train()
    layer(torch.tensor([[torch.inf], [0.0]]))
    assert layer.original.isnan()
    layer(torch.tensor([[3.0], [1.0]]))
    assert layer.original == 2
    assert layer.penalty == 1


def test_half_precision_measures_in_single() -> None:
    layer = TrajectoryRegularization(dtype=torch.float16).train()
    layer(torch.tensor([[3e4] * 100, [-3e4] * 100], dtype=torch.float16))
    assert layer.original.dtype == torch.float32
    assert layer.original.item() == pytest.approx(6e5, rel=1e-3)
