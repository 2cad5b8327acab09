"""Count the activation regions of the benchmark networks, against a numpy forward pass.

usage: python bench/networks.py [NAME ...] [--repeats R]

Prints a table: the count and what it must be, the best time of a count from Python, the best time
of a float64 numpy forward pass at regions + 1 points (what sampling each region once would cost),
their ratio, the largest ratio that we accept, and by how much counting has raised the process's
peak memory. One thread throughout. Exits with 1 if a count is wrong or a ratio too large.
"""

import os

os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
)

import argparse
import resource
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pyexpr

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Benchmark:
    """W ~ N(0, gain / fan_in), b ~ N(0, 0.01), end points ~ N(0, 1), rounded to float32; seed 0.

    `regions` is the number of activation regions, on which two independent float64 programs agree.
    """

    n_in: int
    hidden: list[int]
    gain: float
    activation: str
    regions: int
    largest_ratio: float | None = None


BENCHMARKS = {
    "r2_3x64": Benchmark(2, [64] * 3, 2, "relu", 67),
    "r100_3x100": Benchmark(100, [100] * 3, 2, "relu", 151),
    "acas5_6x50": Benchmark(5, [50] * 6, 2, "relu", 226),
    "r784_3x256": Benchmark(784, [256] * 3, 2, "relu", 381, 0.10),
    "r784_5x512": Benchmark(784, [512] * 5, 2, "relu", 1255, 0.15),
    "r784_10x256": Benchmark(784, [256] * 10, 2, "relu", 1018, 0.20),
    "chaos784_5x128": Benchmark(784, [128] * 5, 8, "relu", 280),
    "htanh784_5x128": Benchmark(784, [128] * 5, 2, "hard_tanh", 614),
    "htanh784_5x128_chaos": Benchmark(784, [128] * 5, 8, "hard_tanh", 1695),
    "htanh784_5x128_g32": Benchmark(784, [128] * 5, 32, "hard_tanh", 4510, 0.07),
    "xr784_5x2048": Benchmark(784, [2048] * 5, 2, "relu", 4894),
    "xhtanh784_8x256_g32": Benchmark(784, [256] * 8, 32, "hard_tanh", 92034, 0.05),
    "xhtanh784_8x384_g48": Benchmark(784, [384] * 8, 48, "hard_tanh", 248946, 0.04),
    "xhtanh784_10x512_g64": Benchmark(784, [512] * 10, 64, "hard_tanh", 3632825),
}
FORWARD_CHUNK = 1024
MOST_FORWARD_POINTS = 20_000  # beyond, the time of so many points is scaled up


def as_float32(x: Array) -> Array:
    return x.astype(np.float32).astype(np.float64)


def make(benchmark: Benchmark) -> tuple[list[tuple[Array, Array]], Array, Array]:
    """Layers (W, b) and the two end points."""
    rng = np.random.default_rng(0)
    sizes = [benchmark.n_in, *benchmark.hidden, 10]
    layers = []
    for n_in, n_out in pairwise(sizes):
        weight = as_float32(rng.normal(0, np.sqrt(benchmark.gain / n_in), (n_out, n_in)))
        layers.append((weight, as_float32(rng.normal(0, np.sqrt(0.01), n_out))))
    x0, x1 = (as_float32(rng.normal(size=benchmark.n_in)) for _ in range(2))
    return layers, x0, x1


def ends(n_in: int, lines: int, step: float | None = None) -> tuple[Array, Array]:
    """Of lines from N(0, 1) points to others, or to `step` N(0, 1) away; [lines, inputs] each."""
    starts, others = np.random.default_rng(1).standard_normal((2, lines, n_in))
    return as_float32(starts), as_float32(others if step is None else starts + step * others)


def best_time(task: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = perf_counter()
        task()
        times.append(perf_counter() - start)
    return min(times)


def forward(
    layers: list[tuple[Array, Array]],
    activation: str,
    x: Array,
    chunk: int = FORWARD_CHUNK,
    xp: Any = np,
) -> None:
    """A plain forward pass, a chunk at a time; `xp`: the module whose arrays these are."""
    for start in range(0, len(x), chunk):
        h = x[start : start + chunk]
        for weight, bias in layers[:-1]:
            h = h @ weight.T + bias
            if activation == "relu":
                xp.maximum(h, 0, out=h)
            else:
                xp.clip(h, -1, 1, out=h)
        h = h @ layers[-1][0].T + layers[-1][1]


def forward_time(benchmark: Benchmark, repeats: int) -> float:
    """Seconds for regions + 1 points along the line."""
    layers, x0, x1 = make(benchmark)
    n_points = benchmark.regions + 1
    t = np.linspace(0, 1, min(n_points, MOST_FORWARD_POINTS))[:, None]
    x = x0 + t * (x1 - x0)
    return best_time(lambda: forward(layers, benchmark.activation, x), repeats) * n_points / len(t)


def peak_memory() -> float:
    """Of the process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(name: str, benchmark: Benchmark, repeats: int) -> bool:
    """Whether all is as it should be."""
    layers, x0, x1 = make(benchmark)
    net = pyexpr.Network.dense(layers, activation=benchmark.activation)

    def count() -> int:
        return int(pyexpr.count_regions(net, x0, x1, kind="activation", threads=1))

    before = peak_memory()
    start = perf_counter()
    regions = count()
    first = perf_counter() - start
    memory = peak_memory() - before
    repeats = 1 if first > 5 else repeats
    seconds = best_time(count, repeats)
    reference = forward_time(benchmark, repeats)
    verdict = "ok" if regions == benchmark.regions else f"WRONG, expected {benchmark.regions}"
    accepted = "" if benchmark.largest_ratio is None else f"{benchmark.largest_ratio:.2f}"
    print(
        f"{name:<22}{regions:>10} {verdict:<4}{first * 1e3:>12.3f}{seconds * 1e3:>12.3f}"
        f"{reference * 1e3:>12.3f}{seconds / reference:>8.3f}{accepted:>9}{memory:>9.0f}",
        flush=True,
    )
    largest = benchmark.largest_ratio
    return regions == benchmark.regions and (largest is None or seconds <= largest * reference)


def parse(description: str, known: Collection[str]) -> tuple[list[str], int]:
    """The networks to run, and how often, from the command line."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(known)
    if unknown:
        parser.error(f"unknown network {sorted(unknown)}; choose from {', '.join(known)}")
    return arguments.names or [*known], arguments.repeats


def main() -> None:
    names, repeats = parse(__doc__.splitlines()[0], BENCHMARKS)
    print(
        f"{'network':<22}{'regions':>10} {'':<4}{'first ms':>12}{'count ms':>12}{'forward ms':>12}"
        f"{'ratio':>8}{'accepted':>9}{'more MB':>9}"
    )
    fine = [run(name, BENCHMARKS[name], repeats) for name in names]
    if not all(fine):
        sys.exit("a count is wrong, or slower than we accept")


if __name__ == "__main__":
    main()
