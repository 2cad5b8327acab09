"""The sink in examples/custom_sink builds in a project of its own, and measures what is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import frexp
from pathlib import Path

import numpy as np
import numpy.typing as npt
from oracle import analyse, from_network
from pages import ROOT

import pyexpr

Array = npt.NDArray[np.float64]

SOURCE, BUILD = ROOT / "examples" / "custom_sink", ROOT / "build" / "custom_sink"
# What main.cpp has.
TENTS = 14
SIZES = [4, 32, 32, 32, 1]


@dataclass(frozen=True)
class Measured:
    """How many regions have 2^k <= width < 2^(k + 1), by k; and the first of the widest."""

    counts: dict[int, int]
    start: float
    end: float
    active: int
    neurons: int


def build() -> Path:
    """The program. What was built before, and has not changed, is not compiled again."""
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    cmake = shutil.which("cmake", path=folders)
    assert cmake is not None
    environment = {**os.environ, "PATH": folders}  # where CMake finds Ninja and patchelf
    python = f"-DPython_EXECUTABLE={sys.executable}"
    for arguments in (
        # Ninja is looked for again: another environment's, which built before, may be gone.
        ["-S", str(SOURCE), "-B", str(BUILD), "-G", "Ninja", "-UCMAKE_MAKE_PROGRAM", python],
        ["--build", str(BUILD)],
    ):
        done = subprocess.run([cmake, *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return BUILD / "custom_sink"


def measure(program: Path, threads: int) -> dict[str, Measured]:
    """By the networks' names."""
    done = subprocess.run([program, str(threads)], check=True, capture_output=True, text=True)
    networks = re.findall(r"^(\S.*)\n((?:  .*\n)+)", done.stdout, re.M)
    return {name: measured(lines) for name, lines in networks}


def measured(lines: str) -> Measured:
    counts = {int(k): int(n) for k, n in re.findall(r"width 2\^(-?\d+): (\d+)\n", lines)}
    widest = re.search(r"from (\S+) to (\S+), with (\d+) of (\d+) neurons active", lines)
    assert widest is not None
    start, end, active, neurons = widest.groups()
    return Measured(counts, float(start), float(end), int(active), int(neurons))


def random_network() -> tuple[pyexpr.Network, Array, Array]:
    """The program's, and its segment: RandomState draws the words of std::mt19937."""
    random = np.random.RandomState(0)

    def integers(*shape: int) -> Array:
        words = np.frombuffer(random.bytes(4 * int(np.prod(shape))), "<u4")
        return (words % 9 - 4.0).reshape(shape)

    layers = [(integers(n, m), integers(n)) for m, n in pairwise(SIZES)]
    return pyexpr.Network.dense(layers), integers(SIZES[0]), integers(SIZES[0])


def expected(net: pyexpr.Network, x0: Array, x1: Array) -> Measured:
    """From the exact oracle, which knows nothing of the engine."""
    found = analyse(from_network(net), x0, x1)
    regions = [*pairwise([Fraction(0), *found.breakpoints, Fraction(1)])]
    widths = [end - start for start, end in regions]
    counts = Counter(frexp(width)[1] - 1 for width in widths)
    widest = widths.index(max(widths))
    start, end = regions[widest]
    active = sum(found.patterns[widest])
    return Measured(dict(counts), float(start), float(end), active, net.n_neurons)


def test_the_sink_measures_every_region() -> None:
    program = build()
    alone = measure(program, 1)
    # All regions are equally wide; in the first one, the first neuron of every layer is active.
    assert alone["tents"] == Measured({-TENTS: 2**TENTS}, 0.0, 2.0**-TENTS, TENTS, 2 * TENTS)
    net, x0, x1 = random_network()
    assert alone["random network"] == expected(net, x0, x1)
    regions = pyexpr.count_regions(net, x0, x1, kind="activation")
    assert sum(alone["random network"].counts.values()) == regions
    # Threads share the segment, and what their sinks gather is put together.
    assert measure(program, 2) == measure(program, 5) == alone
