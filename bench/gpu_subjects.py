"""What is counted on a GPU, to compare it with the CPU: lines, a batch, a stack, convolutions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from networks import BENCHMARKS, Array, ends, make
from subjects import Chain, title

import pyexpr


@dataclass(frozen=True)
class GpuSubject:
    """Networks, and lines between two points or between rows of them.

    `chain` is the network where it is one chain, `expected` the number of activation regions where
    it is known.
    """

    title: str
    net: pyexpr.Network | pyexpr.NetworkStack
    x0: Array
    x1: Array
    chain: Chain | None = None
    expected: int | None = None

    @property
    def lines(self) -> int:
        return len(self.x0) if self.x0.shape != self.net.input_shape else 1


Make: TypeAlias = Callable[[], GpuSubject]


def line(name: str) -> GpuSubject:
    """Of bench/networks.py."""
    benchmark = BENCHMARKS[name]
    layers, x0, x1 = make(benchmark)
    net = pyexpr.Network.dense(layers, benchmark.activation)
    chain = Chain(layers, benchmark.activation)
    return GpuSubject(title(benchmark), net, x0, x1, chain, benchmark.regions)


def batch(name: str, lines: int) -> GpuSubject:
    """Through a network of bench/networks.py."""
    alone = line(name)
    x0, x1 = ends(BENCHMARKS[name].n_in, lines)
    return GpuSubject(f"{lines} lines, {alone.title}", alone.net, x0, x1, alone.chain)


def stack(networks: int, n_in: int, depth: int, width: int) -> GpuSubject:
    """Hard-tanh, W ~ N(0, 8 / fan_in), b ~ N(0, 0.01)."""
    net = pyexpr.NetworkStack.random(
        [n_in, *[width] * depth, 10],
        seeds=networks,
        activation="hard_tanh",
        weight_variance=8.0,
        bias_variance=0.01,
    )
    (x0,), (x1,) = ends(n_in, 1)
    return GpuSubject(f"{networks} x {n_in}-{depth}x{width} hard-tanh, gain 8", net, x0, x1)


def convolutions(width: int, share: float) -> GpuSubject:
    """The residual network of bench/residual.py, along this share of the segment."""
    from residual import read_images, resnet  # needs torch

    images = read_images(None)
    x0, end = (image.double().numpy() for image in images[:2])
    net = pyexpr.as_network(resnet(width, images), input_shape=x0.shape)
    return GpuSubject(f"ResNet-20, width {width}", net, x0, x0 + share * (end - x0))


FULL: Mapping[str, Make] = {
    "xr784_5x2048": partial(line, "xr784_5x2048"),
    "xhtanh784_8x384_g48": partial(line, "xhtanh784_8x384_g48"),
    "xhtanh784_10x512_g64": partial(line, "xhtanh784_10x512_g64"),
    "lines": partial(batch, "r784_3x256", 10_000),
    "stack": partial(stack, 100, 784, 5, 100),
    "resnet": partial(convolutions, 16, 0.01),
}
QUICK: Mapping[str, Make] = {
    "r2_3x64": partial(line, "r2_3x64"),
    "htanh784_5x128": partial(line, "htanh784_5x128"),
    "lines": partial(batch, "r100_3x100", 20),
    "stack": partial(stack, 3, 20, 2, 10),
    "resnet": partial(convolutions, 2, 0.001),
}
