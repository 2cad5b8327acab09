"""A residual network of 20 convolutions on CIFAR-size images: counted, and compared with torch.

usage: python bench/residual.py [--images FILE.npz] [--share S] [--traced T] [--width W]

The network is ResNet-20 (He et al. 2016) with batch normalisation, its statistics those of the
images: of an .npz's x_test, uint8 [N, 3, 32, 32], or of noise. It is counted on the first S of the
segment between two of them, and torch's float64 forward pass of as many points is timed. On the
first T it is traced: at the middle of every region torch must see the letters of that region; those
that differ are counted, and the widest region that has one is named. One thread throughout.
"""

import argparse
from time import perf_counter

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

import pyexpr
from pyexpr.tracing.patterns import consecutive


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.two = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(after), nn.BatchNorm2d(after)])
        self.short = nn.Sequential()
        if before != after:
            short = nn.Conv2d(before, after, 1, stride, bias=False)
            self.short = nn.Sequential(short, nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.norms[0](self.one(x)))
        return F.relu(self.norms[1](self.two(y)) + self.short(x))


def resnet(width: int, images: torch.Tensor) -> nn.Module:
    torch.manual_seed(0)
    blocks, before = [], width
    for stage in range(3):
        for i in range(3):
            after = width * 2**stage
            blocks.append(Block(before, after, 2 if stage and i == 0 else 1))
            before = after
    module = nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(before, 10),
    )
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
        if isinstance(part, nn.BatchNorm2d):
            part.momentum = None  # the mean over all batches
    module.train()
    with torch.no_grad():
        for batch in images.split(64):
            module(batch)
    return module.eval()


def read_images(file: str | None) -> torch.Tensor:
    """Of a file, or noise: float32 [256, 3, 32, 32]."""
    if file is not None:
        pixels = np.load(file)["x_test"][:256]
    else:
        pixels = np.random.default_rng(0).integers(0, 256, (256, 3, 32, 32), dtype=np.uint8)
    return torch.from_numpy(pixels).float() / 255


def letters(module: nn.Module, x: torch.Tensor) -> npt.NDArray[np.bool_]:
    """Of every ReLU, in the order of their calls: bool [N, neurons]."""
    seen = []
    inside = F.relu

    def watched(z: torch.Tensor, inplace: bool = False) -> torch.Tensor:
        seen.append((z > 0).flatten(1))
        return inside(z)

    F.relu = watched
    try:
        with torch.no_grad():
            module(x)
    finally:
        F.relu = inside
    found: npt.NDArray[np.bool_] = torch.cat(seen, 1).numpy()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images")
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--traced", type=float, default=0.001)
    parser.add_argument("--width", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images = read_images(arguments.images)
    module = resnet(arguments.width, images)
    x0, end = (image.double().numpy() for image in images[:2])

    start = perf_counter()
    net = pyexpr.as_network(module, input_shape=(3, 32, 32))
    print(f"{net!r}, imported in {perf_counter() - start:.1f} s")
    x1 = x0 + arguments.share * (end - x0)
    regions = {}
    for kind in ("activation", "linear"):
        pyexpr.count_regions(net, x0, x0, kind=kind)  # norms are bounded once a network
        start = perf_counter()
        regions[kind] = pyexpr.count_regions(net, x0, x1, kind=kind)
        seconds = perf_counter() - start
        count = regions[kind]
        print(f"{kind} regions: {count:,} in {seconds:.2f} s, {count / seconds:.0f} a second")
        if kind == "activation":
            counted = seconds
    print(regions["linear"].certificate)

    module = module.double()
    shares = torch.linspace(0, 1, regions["activation"] + 1, dtype=torch.float64)
    points = torch.from_numpy(x0) + shares[:, None, None, None] * torch.from_numpy(x1 - x0)
    start = perf_counter()
    with torch.no_grad():
        for batch in points.split(64):
            module(batch)
    forward = perf_counter() - start
    print(f"torch's forward pass of {len(points):,} points: {forward:.2f} s")
    print(f"ratio {counted / forward:.2f}")

    x1 = x0 + arguments.traced * (end - x0)
    trace = pyexpr.trace(net, x0, x1)
    nodes = trace.nodes
    middles = torch.from_numpy((nodes[:-1] + nodes[1:]) / 2)[:, None, None, None]
    points = torch.from_numpy(x0) + middles * torch.from_numpy(x1 - x0)
    wrong, widest = 0, 0.0
    for first in range(0, len(points), 64):
        seen = letters(module, points[first : first + 64])
        differs = (consecutive(trace, first, len(seen)) != seen).sum(axis=1)
        wrong += int(differs.sum())
        widths = np.diff(nodes)[first : first + 64]
        widest = max(widest, widths[differs > 0].max(initial=0.0))
    print(f"{trace.n_regions:,} regions traced")
    print(f"letters that torch sees otherwise at their middles: {wrong}")
    print(f"widest region with one: {widest:.1e}")


if __name__ == "__main__":
    main()
