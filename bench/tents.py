"""Tent maps: how time and memory grow with 2^depth regions.

usage: python bench/tents.py [DEPTH ...] [--threads T]

x -> 1 - |2 x - 1| on [0, 1], DEPTH times (10, 20 and 30 if none are given), with two ReLUs a layer
whose breakpoints are all exact ties. Prints the count, which must be 2^DEPTH, the seconds, and the
peak memory of the process so far. Exits with 1 if a count is wrong.
"""

from __future__ import annotations

import argparse
import resource
import sys
from time import perf_counter

import numpy as np

import pyexpr


def tent(depth: int) -> pyexpr.Network:
    """2 relu(x) - 4 relu(x - 1/2), again and again."""
    first = (np.array([[1.0], [1.0]]), np.array([0.0, -0.5]))
    inner = (np.array([[2.0, -4.0], [2.0, -4.0]]), np.array([0.0, -0.5]))
    last = (np.array([[2.0, -4.0]]), np.array([0.0]))
    return pyexpr.Network.dense([first, *[inner] * (depth - 1), last])


def run(depth: int, threads: int | None) -> bool:
    net = tent(depth)
    start = perf_counter()
    regions = int(pyexpr.count_regions(net, [0.0], [1.0], threads=threads))
    seconds = perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{depth:>5}{regions:>16,}{seconds:>12.3f}{memory:>10.0f}", flush=True)
    return regions == 1 << depth


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("depths", nargs="*", type=int, metavar="DEPTH", default=[10, 20, 30])
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    print(f"{'depth':>5}{'regions':>16}{'seconds':>12}{'peak MB':>10}")
    right = [run(depth, arguments.threads) for depth in arguments.depths]
    if not all(right):
        sys.exit("a count is wrong")


if __name__ == "__main__":
    main()
