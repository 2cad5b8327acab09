"""Lengths that PyTorch differentiates are those that are counted, and so are their gradients."""

import copy
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

import pyexpr
import pyexpr.torch.lengths
from pyexpr.torch import path_length, trajectory_length


class Residual(nn.Module):
    """With a skip connection around layers that change their input in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.relu = nn.ReLU(inplace=True)
        self.out = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = F.hardtanh(self.first(x))
        return self.out(self.relu(self.norm(h)) + h)


class Hinges(nn.Module):
    """Absolute values and clamped sums, without names."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 4)
        self.outer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x).abs()).clamp(-0.5, 0.75) + x


def dense(*between: nn.Module) -> nn.Module:
    first, second = between
    return nn.Sequential(nn.Linear(3, 5), first, nn.Linear(5, 4), second, nn.Linear(4, 2))


def pooled(first: nn.Module, second: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 2, 2, bias=False),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        first,
        nn.Conv2d(2, 2, 2, padding=1),
        nn.Hardtanh(),
        second,
        nn.Flatten(),
    )


IMAGE = (1, 5, 5)
MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "ReLU": (lambda: dense(nn.ReLU(), nn.ReLU()), (3,)),
    "in place": (lambda: dense(nn.ReLU(inplace=True), nn.ReLU(inplace=True)), (3,)),
    "hard-tanh": (lambda: dense(nn.Hardtanh(), nn.Hardtanh(-0.25, 0.5)), (3,)),
    "leaky": (lambda: dense(nn.LeakyReLU(0.25), nn.PReLU(4)), (3,)),
    "ReLU6 and shrinking": (lambda: dense(nn.Softshrink(0.125), nn.ReLU6()), (3,)),
    "normalised": (lambda: dense(nn.BatchNorm1d(5), nn.ReLU()), (3,)),
    "average, then maximum": (lambda: pooled(nn.AvgPool2d(2), nn.MaxPool2d(2)), IMAGE),
    "maximum, then average": (lambda: pooled(nn.MaxPool2d(2, 1), nn.AvgPool2d(2)), IMAGE),
    "residual": (Residual, (3,)),
    "without names": (Hinges, (3,)),
}


def made(name: str, seed: int = 0) -> tuple[nn.Module, Tensor]:
    """A module in float64, with statistics of its own, and five points."""
    make, shape = MODULES[name]
    torch.manual_seed(seed)
    module = make().double()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.25)
            nn.init.uniform_(part.running_var, 0.125, 0.5)
            nn.init.normal_(part.weight)
    return module.eval(), 2 * torch.randn(5, *shape, dtype=torch.float64)


def gradients(length: Tensor, module: nn.Module) -> list[Tensor]:
    found = torch.autograd.grad(
        length, [*module.parameters()], allow_unused=True, materialize_grads=True
    )
    return list(found)


# --- lengths ---


@pytest.mark.parametrize("name", MODULES)
def test_lengths_are_those_of_a_trace(name: str) -> None:
    module, points = made(name)
    net = pyexpr.as_network(module, input_shape=points.shape[1:])
    for closed in (False, True):
        trace = pyexpr.trace(net, pyexpr.Polyline(points, closed=closed))
        assert trace.n_pieces > 5
        found = path_length(module, points, closed=closed)
        assert found.dtype == torch.float64 and found.shape == ()
        assert found.item() == pytest.approx(trace.lengths.length[-1], rel=1e-12)
    segment = pyexpr.trace(net, points[0], points[1])
    found = trajectory_length(module, points[0], points[1])
    assert found.item() == pytest.approx(segment.lengths.length[-1], rel=1e-12)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("ReLU", ["1", "3"]),
        ("in place", ["1", "3"]),
        ("hard-tanh", ["1", "3"]),
        ("average, then maximum", ["2", "5", "6"]),
        ("maximum, then average", ["2", "3", "5"]),
    ],
)
def test_lengths_in_layers_are_those_of_a_trace(name: str, layers: list[str]) -> None:
    module, points = made(name)
    net = pyexpr.as_network(module, input_shape=points.shape[1:])
    expected = pyexpr.trace(net, pyexpr.Polyline(points)).lengths.length[1:-1]
    for layer, length in zip(layers, expected, strict=True):
        assert path_length(module, points, layer=layer).item() == pytest.approx(length, rel=1e-12)
        part = module.get_submodule(layer)
        assert path_length(module, points, layer=part).item() == pytest.approx(length, rel=1e-12)


def test_a_layer_is_measured_before_another_changes_it_in_place() -> None:
    module, points = made("in place")
    expected = path_length(module[:1], points)
    assert path_length(module, points, layer="0").item() == pytest.approx(expected.item())
    clipped = path_length(module, points, layer="1").item()
    assert 0 < clipped < 0.9 * expected.item()


def hinge(weight: list[list[float]], bias: list[float]) -> nn.Module:
    """x -> relu(weight x + bias)."""
    linear = nn.Linear(len(weight[0]), len(weight))
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(weight))
        linear.bias.copy_(torch.tensor(bias))
    return nn.Sequential(linear, nn.ReLU()).double()


LEFT, RIGHT = torch.tensor([-1.0]), torch.tensor([1.0])


def test_a_hinge_by_hand() -> None:
    """relu(w x + b) has length w + b on [-1, 1], for small b."""
    module = hinge([[1.0]], [0.25])
    length = trajectory_length(module, LEFT, RIGHT)
    assert length.item() == 1.25
    weight, bias = gradients(length, module)
    assert weight.item() == pytest.approx(1.0)
    assert bias.item() == pytest.approx(1.0)  # all of it by the breakpoint's motion


def test_two_hinges_by_hand() -> None:
    """(relu(x), relu(-x)) runs along two axes."""
    length = trajectory_length(hinge([[1.0], [-1.0]], [0.0, 0.0]), LEFT, RIGHT)
    assert length.item() == pytest.approx(2.0, rel=1e-15)


def test_a_trough_by_hand() -> None:
    """relu(w relu(x) + relu(-x) - c) has length (w - c) + (1 - c)."""
    module = nn.Sequential(*hinge([[1.0], [-1.0]], [0.0, 0.0]), *hinge([[2.0, 1.0]], [-0.25]))
    length = trajectory_length(module, LEFT, RIGHT)
    assert length.item() == pytest.approx(2.5, rel=1e-15)
    length.backward()
    assert module[2].weight.grad.tolist() == [pytest.approx([1.0, 1.0])]
    assert module[2].bias.grad.tolist() == [pytest.approx(2.0)]


def test_a_hinge_with_a_corner_by_hand() -> None:
    """Out and back over relu(x + b): twice 1 + b. The corner at 1 stays, the breakpoints move."""
    module = hinge([[1.0]], [0.25])
    points = torch.stack([LEFT, RIGHT]).requires_grad_()
    length = path_length(module, points, closed=True)
    assert length.item() == 2.5
    length.backward()
    assert module[0].bias.grad.tolist() == [pytest.approx(2.0)]
    assert points.grad.tolist() == [[pytest.approx(0.0)], [pytest.approx(2.0)]]


def test_a_corner_on_a_straight_path_changes_nothing() -> None:
    """Even where a breakpoint is: relu(x) from -1 to 0 to 1."""
    module = hinge([[1.0]], [0.0])
    length = path_length(module, torch.tensor([[-1.0], [0.0], [1.0]]))
    assert length.item() == 1
    assert [gradient.item() for gradient in gradients(length, module)] == [1, 1]


# --- gradients ---


DENSE: dict[str, tuple[nn.Module, nn.Module, list[pyexpr.PiecewiseLinear]]] = {
    "ReLU": (nn.ReLU(), nn.ReLU(), [pyexpr.ReLU(), pyexpr.ReLU()]),
    "hard-tanh": (
        nn.Hardtanh(),
        nn.Hardtanh(-0.25, 0.5),
        [pyexpr.HardTanh(), pyexpr.Clip(-0.25, 0.5)],
    ),
    "leaky": (nn.LeakyReLU(0.25), nn.ReLU6(), [pyexpr.LeakyReLU(0.25), pyexpr.ReLU6()]),
}


@pytest.mark.parametrize("name", DENSE)
def test_gradients_are_what_differences_show(name: str) -> None:
    """In every parameter and point, of lengths that pyexpr alone measures."""
    first, second, activations = DENSE[name]
    torch.manual_seed(1)
    module = dense(first, second).double()
    points = (2 * torch.randn(3, 3, dtype=torch.float64)).requires_grad_()
    tensors = [*module.parameters(), points]
    found = torch.autograd.grad(path_length(module, points, closed=True), tensors)

    def length() -> float:
        arrays = [tensor.detach().numpy() for tensor in tensors]
        layers = list(zip(arrays[0:6:2], arrays[1:6:2], strict=True))
        net = pyexpr.Network.dense(layers, activations)
        trace = pyexpr.trace(net, pyexpr.Polyline(arrays[-1], closed=True))
        return float(trace.lengths.length[-1])

    step = 1e-6
    for tensor, gradient in zip(tensors, found, strict=True):
        flat, expected = tensor.detach().reshape(-1), []
        for i, value in enumerate(flat.tolist()):
            lengths = []
            for moved in (value + step, value - step):
                flat[i] = moved
                lengths.append(length())
            flat[i] = value
            expected.append((lengths[0] - lengths[1]) / (2 * step))
        assert gradient.reshape(-1).tolist() == pytest.approx(expected, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("seed", [10, 11])
@pytest.mark.parametrize("name", MODULES)
def test_lengths_change_as_gradients_say(name: str, seed: int) -> None:
    """Along a random direction in parameters and points."""
    module, points = made(name, seed)
    points.requires_grad_()
    path_length(module, points).backward()
    tensors = [points, *module.parameters()]
    generator = torch.Generator().manual_seed(seed)
    directions = [torch.randn(t.shape, dtype=t.dtype, generator=generator) for t in tensors]
    expected = sum(float((t.grad * d).sum()) for t, d in zip(tensors, directions, strict=True))
    lengths = []
    step = 1e-7
    with torch.no_grad():
        for distance in (step, -2 * step):
            for tensor, direction in zip(tensors, directions, strict=True):
                tensor.add_(distance * direction)
            lengths.append(path_length(module, points).item())
    change = (lengths[0] - lengths[1]) / (2 * step)
    assert np.isclose(change, expected, rtol=1e-5, atol=1e-6)


class Measured(nn.Module):
    """A path's length as a function of its points and of the parameters of a module."""

    def __init__(self, module: nn.Module, **options: Any) -> None:
        super().__init__()
        self.module = module
        self.options = options

    def forward(self, points: Tensor) -> Tensor:
        return path_length(self.module, points, **self.options)

    def with_parameters(self, points: Tensor, *parameters: Tensor) -> Tensor:
        names = [name for name, _ in self.named_parameters()]
        length: Tensor = functional_call(self, dict(zip(names, parameters, strict=True)), (points,))
        return length


def inputs(module: nn.Module, points: Tensor) -> list[Tensor]:
    return [t.detach().clone().requires_grad_() for t in (points, *module.parameters())]


GRADCHECK = {"fast_mode": True, "check_undefined_grad": False}


@pytest.mark.parametrize("name", ["ReLU", "normalised", "average, then maximum"])
def test_gradients_pass_gradcheck(name: str) -> None:
    """In points and parameters together, along random directions."""
    module, points = made(name, 2)
    measured = Measured(module, closed=True)
    torch.manual_seed(0)
    function = measured.with_parameters
    assert torch.autograd.gradcheck(function, inputs(module, points[:3]), **GRADCHECK)


@pytest.mark.parametrize("layer", ["1", "3"])
def test_gradients_of_layers_pass_gradcheck(layer: str) -> None:
    module, points = made("average, then maximum", 3)
    measured = Measured(module, layer=layer)
    torch.manual_seed(0)
    function = measured.with_parameters
    assert torch.autograd.gradcheck(function, inputs(module, points[:3]), **GRADCHECK)


def test_gradients_in_the_ends_pass_gradcheck() -> None:
    module, points = made("ReLU", 4)
    ends = [x.clone().requires_grad_() for x in points[:2]]
    assert torch.autograd.gradcheck(lambda x0, x1: trajectory_length(module, x0, x1), ends)


def test_second_derivatives_pass_gradgradcheck() -> None:
    module, points = made("hard-tanh", 5)
    measured = Measured(module)
    torch.manual_seed(0)
    function = measured.with_parameters
    assert torch.autograd.gradgradcheck(function, inputs(module, points[:2]), **GRADCHECK)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    module, points = made("ReLU")
    whole = path_length(module, points, closed=True)
    expected = gradients(whole, module)
    for numbers in (1, 30):
        monkeypatch.setattr(pyexpr.torch.lengths, "_BLOCK", numbers)
        length = path_length(module, points, closed=True)
        assert length.item() == pytest.approx(whole.item(), rel=1e-14)
        for found, gradient in zip(gradients(length, module), expected, strict=True):
            assert torch.allclose(found, gradient, rtol=1e-12, atol=1e-13)


def test_a_float32_module_is_measured_in_float64() -> None:
    module, points = made("normalised")
    single = copy.deepcopy(module).float()
    double = copy.deepcopy(single).double()
    points = points.float()
    found, expected = path_length(single, points), path_length(double, points)
    assert found.item() == expected.item()
    assert path_length(single, points.double()).item() == expected.item()
    for gradient, exact in zip(gradients(found, single), gradients(expected, double), strict=True):
        assert gradient.dtype == torch.float32
        assert torch.equal(gradient, exact.float())


# --- degenerate input ---


def test_a_point_has_length_0_and_gradient_0() -> None:
    module, points = made("ReLU")
    x0, x1 = points[0].clone().requires_grad_(), points[0].clone().requires_grad_()
    length = trajectory_length(module, x0, x1)
    length.backward()
    assert length.item() == 0
    for tensor in (x0, x1, *module.parameters()):
        assert tensor.grad is None or not tensor.grad.any()


def test_repeated_points_change_nothing() -> None:
    module, points = made("hard-tanh")
    length = path_length(module, points)
    doubled = path_length(module, points.repeat_interleave(2, 0))
    assert doubled.item() == pytest.approx(length.item(), rel=1e-14)
    for a, b in zip(gradients(length, module), gradients(doubled, module), strict=True):
        assert torch.allclose(a, b, rtol=1e-12)


def test_dead_layers_have_gradient_0() -> None:
    module, points = made("ReLU")
    with torch.no_grad():
        module[2].bias.fill_(-1e6)
    length = path_length(module, points)
    assert length.item() == 0
    assert not any(gradient.any() for gradient in gradients(length, module))


def test_breakpoints_that_a_layer_does_not_feel_add_nothing() -> None:
    module, points = made("ReLU")
    names = ["0", "1", "3", ""]
    together = pyexpr.torch.lengths.image_lengths(module, points, names)
    for name, length in zip(names, together, strict=True):
        alone = path_length(module, points, layer=name)
        assert length.item() == pytest.approx(alone.item(), rel=1e-13)
        found = torch.autograd.grad(
            length, [*module.parameters()], retain_graph=True, materialize_grads=True
        )
        for a, b in zip(found, gradients(alone, module), strict=True):
            assert torch.allclose(a, b, rtol=1e-11, atol=1e-12)


def test_duplicated_neurons_have_gradients() -> None:
    """Half of each weight of the layer before is as good as the whole of one."""
    module, points = made("ReLU")
    twice = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 4), *module[3:]).double()
    with torch.no_grad():
        twice[0].weight.copy_(module[0].weight.repeat(2, 1))
        twice[0].bias.copy_(module[0].bias.repeat(2))
        twice[2].weight.copy_(module[2].weight.repeat(1, 2) / 2)
        twice[2].bias.copy_(module[2].bias)
    length, expected = path_length(twice, points), path_length(module, points)
    assert length.item() == pytest.approx(expected.item(), rel=1e-12)
    found, exact = gradients(length, twice), gradients(expected, module)
    assert torch.allclose(found[0][:5] + found[0][5:], exact[0], rtol=1e-10, atol=1e-12)
    assert torch.allclose(found[1][:5] + found[1][5:], exact[1], rtol=1e-10, atol=1e-12)


def test_shared_weights_have_the_sum_of_their_gradients() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(3, 3).double()
    shared = nn.Sequential(linear, nn.ReLU(), linear)
    apart = nn.Sequential(linear, nn.ReLU(), copy.deepcopy(linear))
    points = torch.randn(3, 3, dtype=torch.float64)
    weight, bias, *second = gradients(path_length(apart, points), apart)
    found = gradients(path_length(shared, points), shared)
    assert torch.allclose(found[0], weight + second[0])
    assert torch.allclose(found[1], bias + second[1])


def test_narrow_intervals() -> None:
    """Breakpoints 2^-40 apart, and closer than float64 resolves: lengths and gradients stay."""
    for gap in (2.0**-40, 2.0**-60):
        module = hinge([[1.0], [1.0]], [0.0, gap]).append(nn.Linear(2, 1, bias=False).double())
        with torch.no_grad():
            module[2].weight.copy_(torch.tensor([[-3.0, 4.0]]))
        length = trajectory_length(module, LEFT, RIGHT)
        assert length.item() == pytest.approx(1.0, abs=1e-11)
        assert all(g.abs().max() < 20 for g in gradients(length, module))


# --- the module stays as it was ---


def test_modes_and_tensors_stay() -> None:
    module, points = made("residual")
    module = nn.Sequential(nn.Dropout(0.5), module)
    expected = path_length(module, points).item()
    module.train()
    module[1].norm.eval()
    modes = [part.training for part in module.modules()]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    assert path_length(module, points).item() == expected
    wrong: Any = points.repeat(1, 2)
    with pytest.raises(ValueError, match="cannot be called"):
        path_length(module, wrong)
    with pytest.raises(ValueError, match="tanh"):
        path_length(nn.Sequential(module, nn.Tanh()), points)
    assert [part.training for part in module.modules()] == modes
    after = module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())


def test_no_graph_where_none_is_wanted() -> None:
    module, points = made("ReLU")
    with torch.no_grad():
        assert not path_length(module, points).requires_grad
    assert path_length(module, points).requires_grad


# --- errors ---


class Flat(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum().reshape(1)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Uncopied(nn.Module):
    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
        raise NotImplementedError("not this one")


def test_wrong_points() -> None:
    module, points = made("ReLU")
    wrong: Any
    for wrong, message in (
        (points[0].numpy(), "x0 is ndarray; it must be a tensor of floats"),
        (torch.ones(3, dtype=torch.int64), r"x0 is of torch.int64; it must be a tensor of floats"),
        (torch.ones(3, dtype=torch.complex64), r"x0 is of torch.complex64"),
    ):
        with pytest.raises(TypeError, match=message):
            trajectory_length(module, wrong, points[1])
    with pytest.raises(ValueError, match=r"x1 has shape \(1, 3\), but x0 has \(3,\)"):
        trajectory_length(module, points[0], points[:1])
    with pytest.raises(ValueError, match="x1 holds a number that is not finite"):
        trajectory_length(module, points[0], points[1] / 0)
    with pytest.raises(ValueError, match="points holds 1 points; at least 2"):
        path_length(module, points[:1])
    with pytest.raises(
        ValueError, match=r"cannot be called with a float64 batch of shape \(2, 4\)"
    ):
        path_length(module, torch.ones(2, 4))


def test_wrong_layers() -> None:
    module, points = made("residual")
    wrong: Any = 3
    with pytest.raises(TypeError, match="layer is int; it must be a submodule or its name"):
        path_length(module, points, layer=wrong)
    with pytest.raises(ValueError, match="layer is 'second', which is no submodule"):
        path_length(module, points, layer="second")
    with pytest.raises(ValueError, match="layer is a Linear, which is no submodule"):
        path_length(module, points, layer=nn.Linear(3, 4))
    linear = nn.Linear(3, 3).double()
    twice = nn.Sequential(linear, nn.ReLU(), linear)
    with pytest.raises(ValueError, match="layer '0' is called 2 times"):
        path_length(twice, points, layer=linear)
    unused = nn.ModuleDict({"used": module, "unused": linear})
    unused.forward = module.forward
    with pytest.raises(ValueError, match="layer 'unused' is called never"):
        path_length(unused, points, layer="unused")


def test_wrong_modules() -> None:
    points = torch.randn(2, 3)
    wrong: Any = torch.relu
    with pytest.raises(TypeError, match=r"must be a torch\.nn\.Module"):
        path_length(wrong, points)
    with pytest.raises(ValueError, match=r"operation 'tanh' \(tanh\) is not piecewise linear"):
        path_length(nn.Tanh(), points)
    with pytest.raises(ValueError, match=r"module returns shape \(1,\) for a batch of 2"):
        path_length(Flat(), points)
    with pytest.raises(ValueError, match="module returns tuple; it must return a tensor"):
        path_length(Pair(), points)
    with pytest.raises(ValueError, match=r"copy\.deepcopy cannot copy it: not this one"):
        path_length(Uncopied(), points)


def test_without_torch_the_error_says_how_to_install_it() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "try:\n    import pyexpr.torch\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "pyexpr-regions[torch]"' in done.stdout
