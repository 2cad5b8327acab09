"""What skip connections do to the regions of random networks, by depth.

usage: python examples/skip_connections.py [PICTURE]

Counts the linear regions of plain and of residual PyTorch networks between two random points, and
measures how long the image of the segment is behind the last block. Needs torch and matplotlib.
Writes skip_connections.png unless told otherwise.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from matplotlib import pyplot
from torch import nn

import pyexpr

WIDTH, DEPTHS, NETWORKS = 32, (1, 2, 4, 8), 5


class Block(nn.Module):
    """relu(W x + b), added to x if it is residual."""

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.residual = residual
        nn.init.normal_(self.linear.weight, std=(2 / WIDTH) ** 0.5)
        nn.init.normal_(self.linear.bias, std=0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        change = torch.relu(self.linear(x))
        return x + change if self.residual else change


def measure(depth: int, residual: bool, seed: int) -> tuple[int, float]:
    """Linear regions, and how many times as long as the segment its image is."""
    torch.manual_seed(seed)
    blocks = nn.Sequential(*(Block(residual) for _ in range(depth))).eval()
    trace = pyexpr.trace(blocks, *torch.randn(2, WIDTH))
    return trace.n_pieces, float(trace.lengths.ratio[-1])


def main(picture: str = "skip_connections.png") -> None:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for residual, name in ((False, "plain"), (True, "residual")):
        found = np.array(
            [[measure(depth, residual, seed) for seed in range(NETWORKS)] for depth in DEPTHS]
        ).mean(axis=1)
        for depth, (regions, stretch) in zip(DEPTHS, found, strict=True):
            print(f"{name:<9} {depth} blocks: {regions:7.1f} regions, {stretch:9.2f} times as long")
        left.plot(DEPTHS, found[:, 0], "o-", label=name)
        right.semilogy(DEPTHS, found[:, 1], "o-", label=name)
    left.set(xlabel="blocks", ylabel="linear regions", ylim=(0, None))
    right.set(xlabel="blocks", ylabel="length of the image / length")
    left.legend(frameon=False)
    figure.savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
