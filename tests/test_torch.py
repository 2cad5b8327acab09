"""PyTorch modules compute and count what torch itself computes, and bad ones are refused."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import pyexpr
from pyexpr.io.torch import from_module

Function = Callable[[torch.Tensor], torch.Tensor]


class Functional(nn.Module):
    """A function as a module."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def functional(function: Function) -> nn.Module:
    return Functional(function).eval()


def agrees(module: nn.Module, shape: Sequence[int]) -> pyexpr.Network:
    net = from_module(module, shape)
    x = torch.randn(7, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = torch.cat([module.double()(row[None]) for row in x]).numpy()
    found = net(x)
    assert found.size == expected.size
    assert np.allclose(found.reshape(-1), expected.reshape(-1), atol=1e-12, rtol=1e-12)
    return net


IMAGE = (4, 6, 6)

FUNCTIONS: dict[str, Function] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky relu": lambda x: F.leaky_relu(x, 0.125),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.25, -0.5, 0.0, 2.0], dtype=x.dtype)),
    "prelu of one slope": lambda x: F.prelu(x, torch.tensor([0.25], dtype=x.dtype)),
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 0.75),
    "hardsigmoid": F.hardsigmoid,
    "softshrink": lambda x: F.softshrink(x, 0.25),
    "abs": torch.abs,
    "clamp": lambda x: x.clamp(-0.5, 0.25),
    "clamp below": lambda x: x.clamp(min=0.25),
    "clamp above": lambda x: x.clamp_max(0.25),
    "clamp by tensors": lambda x: x.clamp(min=torch.arange(-3, 3) / 4),
    "max with a constant": lambda x: torch.maximum(x, torch.arange(-3, 3) / 4),
    "max of two": lambda x: torch.maximum(x, x.flip(1)),
    "min of two": lambda x: torch.minimum(x, 0.5 * x.transpose(2, 3)),
    "in place": lambda x: F.relu_(x * 2) + x,
    "in place, used before": lambda x: (lambda y: y + y.relu_())(x - 1),
    "max pool": lambda x: F.max_pool2d(x, 2),
    "max pool with everything": lambda x: F.max_pool2d(x, (3, 2), (2, 1), (1, 0), (1, 2), True),
    "max pool over one axis": lambda x: F.max_pool1d(x.flatten(2), 3, 2, 1),
    "average pool": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "average pool without padding": lambda x: F.avg_pool2d(x, 3, 2, 1, True, False),
    "average pool by a divisor": lambda x: F.avg_pool2d(x, 2, divisor_override=3),
    "average pool over one axis": lambda x: F.avg_pool1d(x.flatten(2), 3, 2, 1),
    "adaptive average": lambda x: F.adaptive_avg_pool2d(x, (1, 3)),
    "adaptive maximum": lambda x: F.adaptive_max_pool2d(x, 2),
    "mean": lambda x: x.mean((2, 3)),
    "mean of all": lambda x: x.mean().reshape(1),
    "sum": lambda x: x.sum(1, keepdim=True),
    "amax": lambda x: x.amax(dim=(1, 2)),
    "views": lambda x: x.view(1, 4, 36).permute(0, 2, 1).reshape(1, 6, 24).unsqueeze(2).squeeze(2),
    "slices": lambda x: x[:, 1::2, -3:, 2] - x.select(3, 0)[:, :2, :3],
    "splits": lambda x: torch.stack([*x.chunk(2, 1)]).sum(0) + x.split([1, 3], 1)[1][:, :2],
    "roll, flip, repeat": lambda x: x.roll(1, 2).flip(3).repeat(1, 2, 1, 1),
    "pixels shuffled": lambda x: F.pixel_shuffle(x, 2),
    "concatenation": lambda x: torch.cat([x, x * 2, torch.ones_like(x)], 1),
    "padding": lambda x: F.pad(x, (1, 2, 0, 1)),
    "padding with a number": lambda x: F.pad(x, (1, 0), value=2.5),
    "padding by reflection": lambda x: F.pad(x, (1, 2, 2, 1), mode="reflect"),
    "padding by edges": lambda x: F.pad(x, (1, 2, 2, 1), mode="replicate"),
    "sums with factors": lambda x: torch.add(x, x.flip(2), alpha=-2) - torch.sub(3, x, alpha=0.5),
    "products and quotients": lambda x: -(x * 3 + 1) / 2 ** torch.arange(6),
    "matrix on the right": lambda x: x @ torch.ones(6, 2, dtype=x.dtype),
    "matrix on the left": lambda x: torch.eye(3, 6, dtype=x.dtype) @ x,
    "casts between floats": lambda x: x.to(torch.float64),
    "cast and copy": lambda x: x.clone().contiguous().detach(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_agrees(name: str) -> None:
    agrees(functional(FUNCTIONS[name]), IMAGE)


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """With statistics of its own in every batch normalisation."""
    torch.manual_seed(0)
    module = make()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
            if part.affine:
                nn.init.normal_(part.weight)
                nn.init.normal_(part.bias)
    return module.eval()


MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2)), (5,)),
    "linear without bias": (lambda: nn.Linear(5, 4, bias=False), (5,)),
    "linear along the last axis": (lambda: nn.Linear(5, 4), (3, 5)),
    "perceptron with norms": (
        lambda: nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Hardtanh()),
        (5,),
    ),
    "norm without parameters": (lambda: nn.BatchNorm2d(4, affine=False), IMAGE),
    "convolution over one axis": (lambda: nn.Conv1d(4, 6, 3, 2, 1, 1, 2), (4, 9)),
    "convolution with everything": (
        lambda: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), 2),
        IMAGE,
    ),
    "convolution padded to the same size": (lambda: nn.Conv2d(4, 3, 4, padding="same"), IMAGE),
    "in place": (lambda: nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(inplace=True)), IMAGE),
    "flatten": (lambda: nn.Sequential(nn.MaxPool2d(3), nn.Flatten(), nn.Linear(16, 3)), IMAGE),
    "no parameters": (lambda: nn.ReLU(), (3,)),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_agrees(name: str) -> None:
    make, shape = MODULES[name]
    agrees(seeded(make), shape)


class Residual(nn.Module):
    """Convolutions with batch normalisation and skip connections of both kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.short = nn.Conv2d(4, 8, 1, 2)
        self.third = nn.Conv2d(4, 8, 3, 2, 1)
        self.out = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.first(x)), inplace=True)
        x = F.relu(self.second(x) + x)
        x = F.relu(self.third(x) + self.short(x))
        return self.out(F.adaptive_avg_pool2d(F.max_pool2d(x, 2), 1).flatten(1))


def test_a_residual_network_is_counted_as_torch_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its breakpoints torch finds the letters of every region, and no others."""
    module = seeded(Residual)
    net = agrees(module, (2, 8, 8))
    x0, x1 = np.random.default_rng(0).standard_normal((2, 2, 8, 8))
    trace = pyexpr.trace(net, x0, x1)
    assert trace.n_regions > 100
    assert pyexpr.count_regions(module, x0, x1) == trace.n_pieces
    assert np.array_equal(
        pyexpr.count_transitions(module, torch.from_numpy(x0), x1, per="neuron").nonzero()[0],
        trace.transitions_per_neuron.nonzero()[0],
    )

    letters: list[torch.Tensor] = []
    relu = F.relu

    def watched(z: torch.Tensor, inplace: bool = False) -> torch.Tensor:
        letters.append((z > 0).flatten(1))
        return relu(z)

    monkeypatch.setattr(F, "relu", watched)
    middles = (trace.nodes[:-1] + trace.nodes[1:])[:, None, None, None] / 2
    with torch.no_grad():
        module(torch.from_numpy(x0 + middles * (x1 - x0)))
    wide = np.diff(trace.nodes) > 1e-9
    seen = torch.cat(letters, 1).numpy()
    assert np.array_equal(trace.patterns()[:, : seen.shape[1]][wide], seen[wide])


def test_weights_of_every_float_are_exact() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        module = nn.Linear(3, 2).to(dtype).eval()
        net = from_module(module, (3,))
        assert np.array_equal(net.layers[0].weight, module.weight.detach().double().numpy())
        assert module.weight.dtype == dtype


def test_a_module_stays_as_it_was() -> None:
    module = seeded(Residual)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    from_module(module, (2, 8, 8))
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in module.parameters())


def test_output_names_where_to_stop() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Softmax(1)).eval()
    with pytest.raises(ValueError, match=r"softmax.*not piecewise linear.*output='linear_1'"):
        pyexpr.as_network(module, input_shape=(3,))
    net = pyexpr.as_network(module, input_shape=(3,), output="linear_1")
    x = torch.ones(1, 3)
    assert np.allclose(net(x[0].numpy()), module[:3](x)[0].detach().numpy(), atol=1e-6)
    with pytest.raises(ValueError, match=r"output is 'nowhere'; the module has no such operation"):
        pyexpr.as_network(module, input_shape=(3,), output="nowhere")


class Two(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "training": (nn.Sequential(nn.Dropout()), r"training mode; call its eval\(\)"),
    "training inside": (
        functional(lambda x: F.dropout(x, 0.5, training=True)),
        r"operation 'dropout'.*training mode",
    ),
    "not piecewise linear": (nn.Tanh().eval(), r"operation 'tanh' \(tanh\) is not piecewise"),
    "unknown": (functional(lambda x: x.cumsum(1)), r"operation 'cumsum'.*is not supported"),
    "a square": (functional(lambda x: x * x), r"operation 'mul'.*one factor must be a constant"),
    "rounding": (
        functional(lambda x: torch.div(x, 2, rounding_mode="floor")),
        r"operation 'div'.*rounded quotient",
    ),
    "integers": (functional(lambda x: x.int()), r"cast to integers"),
    "another shape": (nn.Linear(4, 2).eval(), r"cannot export it for one input of shape \(3,\)"),
    "control flow": (Branching().eval(), r"cannot export"),
    "two outputs": (Two().eval(), r"2 outputs"),
    "a product of two": (functional(lambda x: x @ x.T), r"operation 'matmul'.*must be a constant"),
    "a number": (functional(lambda x: 3), r"does not depend on the input"),
    "a constant": (functional(lambda x: torch.ones(2)), r"does not depend on the input"),
    "not finite": (functional(lambda x: x + float("inf")), r"not finite"),
    "a division by zero": (functional(lambda x: x / 0), r"divides by zero"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    module, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        from_module(module, (3,))


def test_a_module_needs_a_shape() -> None:
    with pytest.raises(ValueError, match="input_shape is None"):
        pyexpr.as_network(nn.ReLU().eval())
    with pytest.raises(ValueError, match="limit is"):
        from_module(nn.ReLU().eval(), (2**20, 2**20))
