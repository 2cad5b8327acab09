"""What the proof of a count costs, and which tier of arithmetic settles how many decisions.

usage: python bench/proof.py [NAME ...] [--repeats R]

Times the same count with its proof and without, in turns, in one process; without, the float64
values are believed. Then counts the decisions of an activation count, signs and orders together:
how many there were, how many the filter (float64 with a proved error bound) left to comparing
weights, to the adjoint bound, to double-double arithmetic and to exact integers, and the smallest
relative gap seen.
Two networks stand beside those of networks.py: a ReLU network of 20 x 500, and one of 3 x 64 with
weights and biases -1, 0 and 1, full of ties. One thread throughout.
"""

from collections.abc import Callable
from functools import partial
from time import perf_counter

import networks
import numpy as np
from networks import Array, Benchmark, make

import pyexpr
from pyexpr import _core
from pyexpr._curves import core_trajectory

Problem = tuple[pyexpr.Network, Array, Array]


def gaussian(benchmark: Benchmark) -> Problem:
    layers, x0, x1 = make(benchmark)
    return pyexpr.Network.dense(layers, activation=benchmark.activation), x0, x1


def integers() -> Problem:
    rng = np.random.default_rng(0)
    layers = [
        (rng.integers(-1, 2, (n_out, 64)).astype(float), rng.integers(-1, 2, n_out).astype(float))
        for n_out in (64, 64, 64, 10)
    ]
    x0, x1 = rng.integers(-3, 4, (2, 64)).astype(float)
    return pyexpr.Network.dense(layers, activation="relu"), x0, x1


PROBLEMS: dict[str, Callable[[], Problem]] = {
    **{name: partial(gaussian, benchmark) for name, benchmark in networks.BENCHMARKS.items()},
    "he784_20x500": partial(gaussian, Benchmark(784, [500] * 20, 2, "relu", 5455)),
    "integers_3x64": integers,
}


def seconds(task: Callable[[], object]) -> float:
    start = perf_counter()
    task()
    return perf_counter() - start


def run(name: str, repeats: int) -> None:
    net, x0, x1 = PROBLEMS[name]()
    certificate = pyexpr.count_regions(net, x0, x1, kind="activation").certificate

    def count(certify: bool) -> float:
        return seconds(lambda: _core.count_activation_regions(net._core, line, certify=certify))

    line = core_trajectory(pyexpr.Line(x0, x1))
    believed_count, _ = _core.count_activation_regions(net._core, line, certify=False)
    proved_count, _ = _core.count_activation_regions(net._core, line, certify=True)
    first = count(certify=True)
    repeats = 1 if first > 5 else max(repeats, min(300, int(0.5 / first)))
    times = [(count(certify=True), count(certify=False)) for _ in range(repeats)]
    proved, believed = (min(column) for column in zip(*times, strict=True))
    total = certificate.total
    print(
        f"{name:<22}{proved_count:>9}{believed_count - proved_count:>+8}"
        f"{proved * 1e3:>11.3f}{believed * 1e3:>11.3f}{proved / believed:>7.2f}"
        f"{total.asked:>15,}{total.proportional:>8}{total.adjoint:>8}{total.extended:>8}"
        f"{total.exact:>8}"
        f"{total.smallest_gap:>10.1e}",
        flush=True,
    )


def main() -> None:
    names, repeats = networks.parse(__doc__.splitlines()[0], PROBLEMS)
    print(
        f"{'network':<22}{'regions':>9}{'error':>8}{'proved ms':>11}{'not ms':>11}{'ratio':>7}"
        f"{'decisions':>15}{'weights':>8}{'adjoint':>8}{'dd':>8}{'exact':>8}{'gap':>10}"
    )
    for name in names:
        run(name, repeats)


if __name__ == "__main__":
    main()
