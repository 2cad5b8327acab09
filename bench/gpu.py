"""Count on a GPU, beside the CPU of the same machine and a forward pass on the GPU.

usage: python bench/gpu.py [--only NAME ...] [--quick] [--repeats R] [--json FILE] [--device host]

Run it on a machine with a GPU, where `pip install ".[cuda13]" torch` (or cuda12) has put pyexpr,
CuPy and, for the convolutional network, torch; some ten minutes. It counts regions, linear ones
and transitions by layer, with device="cuda" and on all cores of the CPU, for each of: three
networks of bench/networks.py, 10 000 lines through a fourth, 100 networks in one call, and the
residual network of bench/residual.py; --only chooses some.

Prints a table: what was counted and whether the CPU counts the same (the sum, of many numbers);
the first time on the GPU, which uploads the network and bounds its norms; the median of R times
after it; that on the CPU; that of a plain float64 forward pass on the GPU, by CuPy and cuBLAS, at
as many points as there are activation regions and ends of lines; for a stack, that of a call a
network; the ratios of these to the first median; the GPU memory that CuPy held after the first
count, which is the most that it needed at once; how many decisions were taken, and how many of
them float64 left open. --json writes the same, and on what it was measured, after every network.
Exits with 1 if a count differs from the CPU's, or from a known one.

--quick takes small networks, and --device host the same engine without a GPU: to try the script.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from comparison import duration, thousands
from gpu_subjects import FULL, QUICK, GpuSubject
from networks import forward
from turns import SLOW

import pyexpr
from pyexpr._threads import thread_count
from pyexpr.cuda.devices import Device, HostDevice, find_device

QUESTIONS: dict[str, Callable[..., Any]] = {
    "activation": partial(pyexpr.count_regions, kind="activation"),
    "linear": partial(pyexpr.count_regions, kind="linear"),
    "transitions": partial(pyexpr.count_transitions, per="layer"),
}
MOST_POINTS = 1 << 17  # of a forward pass at a time


@dataclass(frozen=True)
class Row:
    """A question about a subject: seconds, bytes, and numbers of decisions.

    `count` is the sum of what was counted. None: not measured.
    """

    subject: str
    question: str
    count: int
    agrees: bool
    first: float
    seconds: float
    cpu: float
    forward: float | None
    apart: float | None
    held: int | None
    asked: int
    past_float64: int


class Bench:
    """A device with its clock and its memory."""

    def __init__(self, device: Device, repeats: int) -> None:
        self.device = device
        self._repeats = repeats
        self._cupy = None if isinstance(device, HostDevice) else device.xp

    def time(self, task: Callable[[], Any]) -> tuple[float, Any]:
        """The median of seconds after a first run, and what that returned; slow ones run twice."""
        first, result = self.once(task)
        repeats = 1 if first > SLOW else self._repeats
        return median(self.once(task)[0] for _ in range(repeats)), result

    def once(self, task: Callable[[], Any]) -> tuple[float, Any]:
        """Seconds, and what it returned."""
        self._wait()
        start = perf_counter()
        result = task()
        self._wait()
        return perf_counter() - start, result

    def _wait(self) -> None:
        if self._cupy is not None:
            self._cupy.cuda.Device().synchronize()

    def release(self) -> None:
        """Gives memory back that nothing is in."""
        gc.collect()
        if self._cupy is not None:
            self._cupy.get_default_memory_pool().free_all_blocks()

    def held(self) -> int | None:
        """Bytes of GPU memory since the last release, at most."""
        if self._cupy is None:
            return None
        return int(self._cupy.get_default_memory_pool().total_bytes())


def measure(subject: GpuSubject, bench: Bench) -> Iterator[Row]:
    """A row for each question."""
    forward_seconds = None
    for question, call in QUESTIONS.items():
        count = partial(call, subject.net, subject.x0, subject.x1)
        bench.release()
        first, found = bench.once(partial(count, device=bench.device))
        held = bench.held()
        seconds, _ = bench.time(partial(count, device=bench.device))
        cpu, expected = bench.time(count)
        agrees = np.array_equal(found, expected)
        if question == "activation":
            regions = int(np.sum(expected))
            agrees = agrees and subject.expected in (None, regions)
            forward_seconds = forward_time(subject, regions + subject.lines, bench)
        apart = None
        if isinstance(subject.net, pyexpr.NetworkStack):
            apart, alone = one_by_one(
                subject.net, partial(call, device=bench.device), subject, bench
            )
            agrees = agrees and np.array_equal(alone, expected)
        total = found.certificate.total
        yield Row(
            subject.title, question, int(np.sum(found)), agrees, first, seconds, cpu,
            forward_seconds, apart, held, total.asked, total.asked - total.filtered,
        )  # fmt: skip


def one_by_one(
    stack: pyexpr.NetworkStack, call: Callable[..., Any], subject: GpuSubject, bench: Bench
) -> tuple[float, Any]:
    """Seconds of a call a network, and what these count."""
    seconds, alone = bench.time(lambda: [call(net, subject.x0, subject.x1) for net in stack])
    return seconds, np.array(alone)


def forward_time(subject: GpuSubject, points: int, bench: Bench) -> float | None:
    """Seconds of a plain pass of so many points, all of one line; of chains of layers alone."""
    chain, device = subject.chain, bench.device
    if chain is None:
        return None
    xp = device.xp
    layers = [(device.upload(weight), device.upload(bias)) for weight, bias in chain.layers]
    x0, x1 = (device.upload(x.reshape(-1, x.shape[-1])[:1]) for x in (subject.x0, subject.x1))
    widest = max(max(weight.shape) for weight, _ in layers)
    at_once = max(1, min(MOST_POINTS, device.free_bytes() // (8 * 8 * widest)))

    def run() -> None:
        for first in range(0, points, at_once):
            t = xp.arange(first, min(first + at_once, points))[:, None] / points
            forward(layers, chain.activation, x0 + t * (x1 - x0), len(t), xp)

    seconds, _ = bench.time(run)
    bench.release()
    return seconds


def setting(device: Device) -> dict[str, Any]:
    """What was measured with, and on."""
    found = {name: version(name) for name in ("pyexpr-regions", "numpy")}
    found |= {"python": platform.python_version(), "machine": platform.machine()}
    found |= {"cores": str(thread_count(None))}
    if isinstance(device, HostDevice):
        return found | {"device": "host"}
    runtime = device.xp.cuda.runtime
    return found | {
        "cupy": device.xp.__version__,
        "device": runtime.getDeviceProperties(0)["name"].decode(),
        "driver": str(runtime.driverGetVersion()),
        "runtime": str(runtime.runtimeGetVersion()),
    }


COLUMNS = (
    f"{'network':<38}{'question':<13}{'count':>14} {'':<6}{'first':>9}{'gpu':>9}{'cpu':>9}"
    f"{'forward':>9}{'apart':>9}{'cpu/gpu':>9}{'fwd/gpu':>9}{'MB':>8}"
    f"{'decisions':>17}{'left open':>12}"
)


def line(row: Row) -> str:
    """Of the table."""

    def ratio(seconds: float | None) -> str:
        return "-" if seconds is None else f"{seconds / row.seconds:.2f}"

    times = (row.first, row.seconds, row.cpu, row.forward, row.apart)
    held = "-" if row.held is None else f"{row.held / 2**20:.0f}"
    return (
        f"{row.subject:<38}{row.question:<13}{thousands(row.count):>14} "
        f"{'same' if row.agrees else 'WRONG':<6}"
        + "".join(f"{'-' if t is None else duration(t):>9}" for t in times)
        + f"{ratio(row.cpu):>9}{ratio(row.forward):>9}{held:>8}{thousands(row.asked):>17}"
        f"{thousands(row.past_float64):>12}"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help=", ".join(FULL))
    parser.add_argument("--quick", action="store_true", help=f"instead: {', '.join(QUICK)}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--device", choices=["cuda", "host"], default="cuda")
    arguments = parser.parse_args()
    known = QUICK if arguments.quick else FULL
    arguments.only = arguments.only or [*known]
    unknown = {*arguments.only} - {*known}
    if unknown:
        parser.error(f"unknown network {sorted(unknown)}; choose from {', '.join(known)}")
    return arguments


def main() -> None:
    arguments = parse()
    known = QUICK if arguments.quick else FULL
    device = HostDevice() if arguments.device == "host" else find_device("cuda")
    assert device is not None
    bench, rows = Bench(device, arguments.repeats), []
    on = setting(device)
    print(", ".join(f"{name} {value}" for name, value in on.items()))
    print(COLUMNS, flush=True)
    for name in arguments.only:
        for row in measure(known[name](), bench):
            rows.append(row)
            print(line(row), flush=True)
        if arguments.json:
            found = {"setting": on, "rows": [asdict(row) for row in rows]}
            arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    wrong = [f"{row.subject}, {row.question}" for row in rows if not row.agrees]
    if wrong:
        sys.exit(f"counted otherwise than on the CPU, or than is known: {'; '.join(wrong)}")


if __name__ == "__main__":
    main()
