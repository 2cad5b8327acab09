"""Many lines through one network: a batch, against single calls and sampling.

usage: python bench/lines.py [--lines B] [--some S] [--repeats R]

Counts the activation regions of B lines through a 784-3x256 ReLU network with the weights of
bench/networks.py: by one call, by a call a line, and beside a PyTorch float32 forward pass at 200
points a line, which would be sampling them. The last two on S of the lines only. The lines start
at N(0, 1) points; full ones end at others, short ones 0.1 N(0, 1) away, tiny ones 0.01 N(0, 1).
Microseconds a line, all three in turns in one process, the best of R; one thread. Exits with 1 if
the batch and single calls differ.
"""

from __future__ import annotations

import os

os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
)

import argparse
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from networks import BENCHMARKS, Array, ends, make
from peers import as_tensor
from torch.nn import functional
from turns import in_turns

import pyexpr

Counts = npt.NDArray[np.int64]

NETWORK = BENCHMARKS["r784_3x256"]
STEPS = {"full": None, "short": 0.1, "tiny": 0.01}
SAMPLES = 200  # a line
LINES_AT_ONCE = 5  # in a forward pass


def batch(net: pyexpr.Network, starts: Array, stops: Array) -> Callable[[], Counts]:
    return lambda: np.asarray(
        pyexpr.count_regions(net, starts, stops, kind="activation", threads=1)
    )


def single(net: pyexpr.Network, starts: Array, stops: Array) -> Callable[[], Counts]:
    def run() -> Counts:
        return np.array(
            [
                int(pyexpr.count_regions(net, x0, x1, kind="activation", threads=1))
                for x0, x1 in zip(starts, stops, strict=True)
            ]
        )

    return run


def sampled(layers: list[tuple[Array, Array]], starts: Array, stops: Array) -> Callable[[], None]:
    weights = [(as_tensor(weight), as_tensor(bias)) for weight, bias in layers]
    lines = as_tensor(np.stack([starts, stops], axis=1))
    shares = torch.linspace(0, 1, SAMPLES)[:, None]

    def run() -> None:
        with torch.inference_mode():
            for some in lines.split(LINES_AT_ONCE):
                h = torch.lerp(some[:, :1], some[:, 1:], shares).flatten(0, 1)
                for weight, bias in weights[:-1]:
                    h = functional.linear(h, weight, bias).relu_()
                functional.linear(h, *weights[-1])

    return run


def run(kind: str, lines: int, some: int, repeats: int) -> bool:
    """Prints a row, and says whether the batch and single calls agree."""
    layers, _, _ = make(NETWORK)
    net = pyexpr.Network.dense(layers, activation=NETWORK.activation)
    starts, stops = ends(NETWORK.n_in, lines, STEPS[kind])
    pyexpr.count_regions(net, starts[0], stops[0], kind="activation", threads=1)  # bounds norms
    tasks: dict[str, Callable[[], Counts | None]] = {
        "batch": batch(net, starts, stops),
        "single": single(net, starts[:some], stops[:some]),
        "torch": sampled(layers, starts[:some], stops[:some]),
    }
    seconds, results = in_turns(tasks, repeats)
    counts, alone = results["batch"], results["single"]
    assert counts is not None and alone is not None
    together = 1e6 * seconds["batch"] / lines
    apart, forward = (1e6 * seconds[name] / len(alone) for name in ("single", "torch"))
    print(
        f"{kind:<7}{lines:>7}{counts.mean():>10.1f}{together:>11.1f}{apart:>11.1f}{forward:>11.1f}"
        f"{apart / together:>16.2f}{forward / together:>15.2f}",
        flush=True,
    )
    return np.array_equal(counts[:some], alone)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--some", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{'kind':<7}{'lines':>7}{'regions':>10}{'batch us':>11}{'single us':>11}{'torch us':>11}"
        f"{'single / batch':>16}{'torch / batch':>15}"
    )
    agree = [run(kind, arguments.lines, arguments.some, arguments.repeats) for kind in STEPS]
    if not all(agree):
        sys.exit("the batch and single calls count differently")


if __name__ == "__main__":
    main()
