"""The image of an arc in every layer of a random network, and the regions that it passes.

usage: python examples/arc.py [PICTURE]

Needs matplotlib. Writes arc.png unless told otherwise.
"""

from __future__ import annotations

import sys

import numpy as np

import pyexpr
from pyexpr import plot


def main(picture: str = "arc.png") -> None:
    net = pyexpr.Network.random([2, 50, 50, 50, 50, 2], "hard_tanh", weight_variance=9.0, seed=1)
    x0, x1 = np.eye(2)
    trace = pyexpr.trace(net, pyexpr.Arc(x0, x1))
    print(trace)
    print(trace.lengths)
    plot.overview(trace).savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
