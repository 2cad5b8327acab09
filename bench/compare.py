"""Count activation regions with pyexpr, with regioncam and by sampling; times beside each other.

usage: python bench/compare.py [NAME ...] [--models MODEL ...] [--points FILE.npz:NAME ...]
                               [--repeats R] [--out DIR]

NAME is a network of bench/networks.py, or digits: one trained on scikit-learn's digits. Models from
files are counted as bench/models.py does. All tasks of a network are timed in turns in one process,
on one thread where nothing else is said; the best of R turns, or of one where it takes seconds.
Prints a table in markdown; --out also writes it to DIR/compare.md, and draws DIR/compare.png. Exits
with 1 if pyexpr counts anything but the known number. Needs torch, scikit-learn and matplotlib, and
for some cells regioncam and onnxruntime.
"""

from __future__ import annotations

import os

os.environ.update(
    dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
)

import argparse
import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from comparison import FORWARD, LINEAR, PYEXPR, REGIONCAM, SAMPLES, TWO_THREADS, Cell, Row, table
from comparison_picture import draw
from networks import BENCHMARKS
from peers import Sampler, forward_pass, points_on, regioncam_bytes, regioncam_count
from subjects import DIGITS, Chain, Subject, subjects
from turns import in_turns

import pyexpr

MOST_SECONDS = 60.0  # of sampling; what would take longer is timed on a part
PART = 1000  # samples
MOST_BYTES = 4 << 30  # for regioncam


@dataclass(frozen=True)
class Task:
    """Returns the regions found, if it finds any; its time is to be multiplied by `scale`."""

    run: Callable[[], int | None]
    scale: float = 1.0
    note: str = ""


def count(subject: Subject, kind: Literal["linear", "activation"], threads: int) -> int:
    return sum(
        int(pyexpr.count_regions(subject.network, x0, x1, kind=kind, threads=threads))
        for x0, x1 in subject.segments
    )


def sampling(subject: Subject, chain: Chain, n_samples: int) -> Task:
    sampler = Sampler.of(chain)
    sampler.regions(subject.flat, n_samples, PART)  # warms up
    start = perf_counter()
    sampler.regions(subject.flat, n_samples, PART)
    scale = n_samples / PART
    if scale * (perf_counter() - start) < MOST_SECONDS:
        return Task(partial(sampler.regions, subject.flat, n_samples))

    def run() -> None:
        sampler.regions(subject.flat, n_samples, PART)

    return Task(run, scale, f"timed on {PART} samples a segment, and scaled up")


def regioncam(subject: Subject, chain: Chain, regions: int) -> Task | str:
    """Or why not."""
    if find_spec("regioncam") is None:
        return "regioncam is not installed"
    needed = regioncam_bytes(chain, regions)
    if needed > MOST_BYTES:
        return f"regioncam would need {needed / 2**30:.0f} GiB here"
    note = "hard-tanh as two ReLUs a neuron, since regioncam has none"
    return Task(
        regioncam_count(chain, subject.flat),
        note=note if chain.activation == "hard_tanh" else "",
    )


def forward(subject: Subject, regions: int) -> Task:
    n_points = regions + len(subject.segments)
    points = points_on(subject.flat, n_points)
    note = "" if subject.chain else "onnxruntime, float32"
    return Task(forward_pass(subject, points), n_points / len(points), note)


def tasks(subject: Subject, regions: int) -> dict[str, Task | str]:
    """By column; a string says why there is none."""
    found: dict[str, Task | str] = {
        PYEXPR: Task(partial(count, subject, "activation", 1)),
        TWO_THREADS: Task(partial(count, subject, "activation", 2)),
        LINEAR: Task(partial(count, subject, "linear", 1)),
    }
    chain = subject.chain
    if chain is None:
        others = [REGIONCAM, *SAMPLES]
        found.update(dict.fromkeys(others, "only for chains of dense layers"))
    else:
        found[REGIONCAM] = regioncam(subject, chain, regions)
        found.update({name: sampling(subject, chain, n) for name, n in SAMPLES.items()})
    found[FORWARD] = forward(subject, regions)
    return found


def measure(subject: Subject, repeats: int) -> Row:
    start = perf_counter()
    regions = count(subject, "activation", 1)
    first = perf_counter() - start
    planned = tasks(subject, regions)
    ready = {name: task for name, task in planned.items() if isinstance(task, Task)}
    seconds, results = in_turns({name: task.run for name, task in ready.items()}, repeats)
    cells = {name: Cell(note=why) for name, why in planned.items() if isinstance(why, str)}
    for name, task in ready.items():
        cells[name] = Cell(seconds[name] * task.scale, results[name], task.note)
    return Row(subject.title, regions, first, cells)


def mistakes(subject: Subject, row: Row) -> list[str]:
    """Counts of pyexpr that differ from the known one, or from each other."""
    right = row.regions if subject.expected is None else subject.expected
    counts = {row.regions, row.cells[PYEXPR].regions, row.cells[TWO_THREADS].regions}
    return [f"{subject.title}: pyexpr counts {n}, expected {right}" for n in counts - {right}]


def setting(repeats: int) -> str:
    """What was measured with, and on."""
    packages = ["pyexpr-regions", "numpy", "torch", "regioncam", "onnxruntime"]
    installed = [name for name in packages if find_spec(name.replace("-regions", ""))]
    versions = ", ".join(f"{name} {version(name)}" for name in installed)
    machine = f"{os.cpu_count()}-core {platform.machine()}"
    return f"Best of {repeats}, on a {machine} machine, with {versions}."


def images(sources: Iterable[str]) -> list[npt.NDArray[np.uint8]]:
    """Of FILE.npz:NAME, the first two each."""
    parts = [source.rpartition(":") for source in sources]
    return [np.load(file)[name][:2] for file, _, name in parts]


def parse() -> argparse.Namespace:
    known = [*BENCHMARKS, DIGITS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--models", nargs="*", default=[], type=Path, metavar="MODEL")
    parser.add_argument("--points", nargs="*", default=[], metavar="FILE.npz:NAME")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(known)
    if unknown:
        parser.error(f"unknown network {sorted(unknown)}; choose from {', '.join(known)}")
    arguments.names = arguments.names or known
    return arguments


def main() -> None:
    arguments = parse()
    torch.set_num_threads(1)
    rows, wrong = [], []
    for subject in subjects(arguments.names, arguments.models, images(arguments.points)):
        print(subject.title, file=sys.stderr, flush=True)
        rows.append(measure(subject, arguments.repeats))
        wrong += mistakes(subject, rows[-1])
    text = f"{table(rows)}\n\n{setting(arguments.repeats)}"
    print(text)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "compare.md").write_text(text + "\n", encoding="utf-8")
        draw(rows, arguments.out / "compare.png")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
