"""Counts on a device, for `pyexpr.counting`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from pyexpr import _core
from pyexpr._batches import Indices
from pyexpr.certificate import Certificate, Decisions, from_rows
from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.engine import Engine, chunk_size
from pyexpr.cuda.events import Asked, Filter
from pyexpr.cuda.networks import Networks, upload
from pyexpr.cuda.settlement import Settlement
from pyexpr.cuda.tallies import Bends, Collected, Regions, Tally, Transitions, on_host

What: TypeAlias = Literal["activation", "linear", "transitions"]
Tell: TypeAlias = Callable[[float], object] | None


class Lines(NamedTuple):
    """Segments from row starts[i] of x0 to row ends[i] of x1.

    Attributes
    ----------
    x0, x1 : float64 [points, inputs], of the device
    starts, ends : int64 [lines], of the host
    core : the same for the later tiers
    """

    x0: Array
    starts: Indices
    x1: Array
    ends: Indices
    core: _core.Trajectory

    def __len__(self) -> int:
        return len(self.starts)


def count_lines(
    device: Device,
    cores: Sequence[_core.Network],
    lines: Lines,
    what: What,
    edges: Indices,
    threads: int,
    tell: Tell,
) -> tuple[Indices, Certificate]:
    """int64 [networks, lines, columns]: one column, or for transitions the neurons edges[c] ..
    edges[c + 1] - 1 together. No layer pools.

    Raises
    ------
    _core.NotFinite
        Something overflows.
    MemoryError
        Not even one run fits.
    """
    with device.active():
        return _Count(device, cores, lines, threads).run(what, edges, tell)


def collect(
    device: Device,
    core: _core.Network,
    lines: Lines,
    trajectory: _core.Trajectory,
    what: str,
    threads: int,
    tell: Tell,
) -> tuple[Any, Certificate]:
    """What a sink of the core counts along a trajectory of these lines, one behind the other."""
    with device.active():
        return _Count(device, [core], lines, threads).collect(trajectory, what, tell)


class _Count:
    def __init__(
        self, device: Device, cores: Sequence[_core.Network], lines: Lines, threads: int
    ) -> None:
        self._device = device
        self._cores = tuple(cores)
        self._lines = lines
        self._networks: Networks = upload(self._cores, device)
        self._filter = Filter(device, len(lines))
        self._settlement = Settlement(device, cores, lines.core, len(lines), threads)
        self._threads = threads

    def run(self, what: What, edges: Indices, tell: Tell) -> tuple[Indices, Certificate]:
        pieces = len(self._cores) * len(self._lines)
        tally = self._tally(what, edges, pieces)
        self._go(tally, tell)
        counts = on_host(self._device, tally.counts)
        if what == "linear":
            counts = counts + 1
        return counts.reshape(len(self._cores), len(self._lines), -1), self._certificate()

    def collect(
        self, trajectory: _core.Trajectory, what: str, tell: Tell
    ) -> tuple[Any, Certificate]:
        (core,) = self._cores
        collector = _core.Collector(core, trajectory, what)
        referee = _core.Referee(core, trajectory, self._threads)
        self._go(Collected(self._device, collector, referee), tell)
        result, last = collector.finish()
        decided = [from_rows(last), from_rows(referee.take_certificate()), self._certificate()]
        return result, Certificate.together(decided)

    def _go(self, tally: Tally, tell: Tell) -> None:
        engine = Engine(
            self._device, self._networks, len(self._lines), self._filter, self._settlement, tally,
            tell,
        )  # fmt: skip
        pieces = len(self._cores) * len(self._lines)
        engine.run(self._ends, pieces, chunk_size(self._device, self._networks))

    def _tally(self, what: What, edges: Indices, pieces: int) -> Regions | Bends | Transitions:
        device, networks = self._device, self._networks
        if what == "activation":
            return Regions(device, networks.depth, pieces)
        if what == "linear":
            counts = device.xp.zeros(pieces, "i8")
            return Bends(
                device, networks, self._settlement, self._filter.asked, len(self._lines), counts
            )
        columns = len(edges) - 1
        widths = [level.width for level in networks.levels]
        neurons = [*accumulate(widths, initial=0)]
        step = int(columns == neurons[-1])
        firsts = [int(np.searchsorted(edges, n, side="right")) - 1 for n in neurons[:-1]]
        return Transitions(device, firsts, step, device.xp.zeros((pieces, columns), "i8"))

    def _ends(self, first: int, last: int) -> Array:
        xp, lines = self._device.xp, self._lines
        line = np.arange(first, last) % len(lines)
        out = xp.empty((2 * len(line), lines.x0.shape[1]))
        out[::2] = lines.x0[self._device.upload(lines.starts[line])]
        out[1::2] = lines.x1[self._device.upload(lines.ends[line])]
        return out

    def _certificate(self) -> Certificate:
        settled = [from_rows(rows) for rows in self._settlement.take_certificates()]
        return Certificate.together([_of_filter(self._filter.asked), *settled])


def _of_filter(asked: Asked) -> Certificate:
    def decisions(count: int, gap: float) -> Decisions:
        return Decisions(count, 0, 0, 0, 0, gap)

    return Certificate(
        decisions(asked.signs, asked.sign_gap),
        decisions(asked.orders, asked.order_gap),
        decisions(asked.slopes, asked.slope_gap),
        decisions(0, float("inf")),
    )
