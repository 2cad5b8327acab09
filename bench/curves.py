"""What a count along a curve costs, against the segment with the same end points.

usage: python bench/curves.py [NAME ...] [--repeats R]

The trajectories are the segment, the quarter arc of the paper between its ends, and a cubic whose
control points inside are random. Times of counting activation regions are taken in turns in one
process, the best of each; `cost` is the time a region over that on the segment. `left` is how many
decisions float64 left to weights, the adjoint bound, double-double and integers. One thread.
"""

from time import perf_counter

import networks
import numpy as np
from networks import make

import pyexpr
from pyexpr import Trajectory

NAMES = ["r2_3x64", "acas5_6x50", "r784_3x256", "r784_5x512", "r784_10x256", "htanh784_5x128_g32"]


def trajectories(x0: networks.Array, x1: networks.Array) -> dict[str, Trajectory]:
    inside = np.random.default_rng(0).standard_normal((2, len(x0)))
    return {
        "segment": pyexpr.Line(x0, x1),
        "arc": pyexpr.Arc(x0, x1),
        "cubic": pyexpr.Bezier([x0, *inside, x1]),
    }


def run(name: str, repeats: int) -> None:
    layers, x0, x1 = make(networks.BENCHMARKS[name])
    net = pyexpr.Network.dense(layers, activation=networks.BENCHMARKS[name].activation)
    curves = trajectories(x0, x1)
    best = dict.fromkeys(curves, float("inf"))
    counts = {}
    for _ in range(repeats):
        for kind, curve in curves.items():
            start = perf_counter()
            counts[kind] = pyexpr.count_regions(net, curve, kind="activation")
            best[kind] = min(best[kind], perf_counter() - start)
    per_region = {kind: best[kind] / counts[kind] for kind in curves}
    for kind, count in counts.items():
        assert count.certificate is not None
        total = count.certificate.total
        left = total.proportional, total.adjoint, total.extended, total.exact
        cost = per_region[kind] / per_region["segment"]
        print(
            f"{name:<20}{kind:<9}{count:>8}{best[kind] * 1e3:>11.3f}{cost:>7.2f}  {left}",
            flush=True,
        )


def main() -> None:
    names, repeats = networks.parse(__doc__.splitlines()[0], NAMES)
    print(f"{'network':<20}{'curve':<9}{'regions':>8}{'ms':>11}{'cost':>7}  left")
    for name in names:
        run(name, repeats)


if __name__ == "__main__":
    main()
