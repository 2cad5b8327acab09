"""The PyTorch modules that the experiments train, with random weights as the paper draws them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    import torch
    from torch import nn

Norm: TypeAlias = Literal["none", "batch", "trajectory"]
Model: TypeAlias = Literal["perceptron", "convolutional"]


def perceptron(
    shape: Sequence[int],
    classes: int,
    *,
    width: int,
    depth: int,
    activation: str = "hard_tanh",
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
    norm: Norm = "none",
    seed: int = 0,
) -> nn.Sequential:
    """Dense layers: W ~ N(0, weight_variance / fan_in), b ~ N(0, bias_variance).

    Children are "flat", then "dense_i", "norm_i" if any, "act_i" for every hidden layer i from 0,
    then "readout".

    Parameters
    ----------
    shape
        Of one input.
    activation
        "relu" or "hard_tanh".
    norm
        What stands between a layer and its activation.
    """
    from torch import nn

    sizes = [math.prod(shape), *[width] * depth]
    children: OrderedDict[str, nn.Module] = OrderedDict(flat=nn.Flatten())
    for i in range(depth):
        children[f"dense_{i}"] = nn.Linear(sizes[i], width)
        if norm != "none":
            children[f"norm_{i}"] = _norm(norm, 1)(width)
        children[f"act_{i}"] = _activation(activation)
    children["readout"] = nn.Linear(sizes[-1], classes)
    return _drawn(nn.Sequential(children), weight_variance, bias_variance, seed)


def convolutional(
    shape: Sequence[int],
    classes: int,
    *,
    channels: Sequence[Sequence[int]] = ((16, 16), (32, 32)),
    dense: int = 64,
    activation: str = "relu",
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
    norm: Norm = "none",
    seed: int = 0,
) -> nn.Sequential:
    """3 x 3 convolutions in blocks, each followed by a mean over 2 x 2, then one dense layer.

    Children are "conv_i", "norm_i" if any, "act_i" for every convolution i from 0, "pool_j" behind
    block j, "flat", "dense", "norm_dense", "act_dense", "readout". Weights are drawn as for
    `perceptron`.

    Parameters
    ----------
    shape
        (channels, height, width) of one input, height and width divisible by 2 ** blocks.
    channels
        Of the convolutions, block by block.
    dense
        The neurons of the dense layer.

    Raises
    ------
    ValueError
        Another shape.
    """
    from torch import nn

    depth, height, width = shape
    if any(side < 1 or side % 2 ** len(channels) for side in (height, width)):
        raise ValueError(
            f"images are {height} x {width}; both must be divisible by {2 ** len(channels)} for "
            f"{len(channels)} blocks of channels"
        )
    children: OrderedDict[str, nn.Module] = OrderedDict()
    number = 0
    for block, widths in enumerate(channels):
        for out in widths:
            children[f"conv_{number}"] = nn.Conv2d(depth, out, 3, padding=1)
            if norm != "none":
                children[f"norm_{number}"] = _norm(norm, 2)(out)
            children[f"act_{number}"] = _activation(activation)
            depth, number = out, number + 1
        children[f"pool_{block}"] = nn.AvgPool2d(2)
        height, width = height // 2, width // 2
    children["flat"] = nn.Flatten()
    children["dense"] = nn.Linear(depth * height * width, dense)
    if norm != "none":
        children["norm_dense"] = _norm(norm, 1)(dense)
    children["act_dense"] = _activation(activation)
    children["readout"] = nn.Linear(dense, classes)
    return _drawn(nn.Sequential(children), weight_variance, bias_variance, seed)


def classifier(
    model: Model, shape: Sequence[int], classes: int, *, width: int, depth: int, **drawn: Any
) -> nn.Sequential:
    """A `perceptron` of this width and depth, or `convolutional`, which has sizes of its own."""
    if model == "perceptron":
        return perceptron(shape, classes, width=width, depth=depth, **drawn)
    return convolutional(shape, classes, **drawn)


def weight_layers(module: nn.Module) -> list[nn.Module]:
    """Its dense and convolutional layers, from the input to the output."""
    from torch import nn

    return [child for child in module.modules() if isinstance(child, nn.Linear | nn.Conv2d)]


def _activation(name: str) -> nn.Module:
    from torch import nn

    known: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "hard_tanh": nn.Hardtanh}
    if name not in known:
        raise ValueError(f'activation is {name!r}; it must be "relu" or "hard_tanh"')
    return known[name]()


def _norm(name: Norm, dimensions: int) -> Callable[[int], nn.Module]:
    from torch import nn

    from pyexpr.torch import TrajectoryRegularization

    if name == "batch":
        return lambda size: (nn.BatchNorm1d if dimensions == 1 else nn.BatchNorm2d)(size)
    if name == "trajectory":
        return lambda _: TrajectoryRegularization()
    raise ValueError(f'norm is {name!r}; it must be "none", "batch" or "trajectory"')


def _drawn(
    module: nn.Sequential, weight_variance: float, bias_variance: float, seed: int
) -> nn.Sequential:
    """The module with new weights, drawn layer by layer."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in weight_layers(module):
            fan_in = layer.weight[0].numel()
            _draw(layer.weight, weight_variance / fan_in, generator)
            _draw(layer.bias, bias_variance, generator)
    return module


def _draw(parameter: torch.Tensor, variance: float, generator: torch.Generator) -> None:
    parameter.normal_(0.0, 1.0, generator=generator).mul_(math.sqrt(variance))
