"""Counts on a device, for `pyexpr.counting`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from math import inf
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from pyexpr import _core
from pyexpr._batches import Indices
from pyexpr._progress import Tell, part_of
from pyexpr.certificate import Certificate, Decisions, from_rows
from pyexpr.cuda.devices import Array
from pyexpr.cuda.engine import LEAST_CHUNK, Engine, chunk_size
from pyexpr.cuda.events import Asked, Filter
from pyexpr.cuda.lines import Lines
from pyexpr.cuda.networks import Networks, upload
from pyexpr.cuda.settlement import Settlement
from pyexpr.cuda.tallies import Bends, Collected, Regions, Tally, Transitions, on_host

What: TypeAlias = Literal["activation", "linear", "patterns", "transitions"]

_T = TypeVar("_T")


def count(
    lines: Lines,
    cores: Sequence[_core.Network],
    what: What,
    edges: Indices,
    threads: int,
    tell: Tell,
) -> tuple[Indices, Certificate]:
    """What is counted along lines for each of some networks of one architecture.

    Returns
    -------
    int64 [networks, lines, columns], or if they are pieces of one trajectory [networks, columns]
        One column, or for transitions the neurons edges[c] .. edges[c + 1] - 1 together.

    Raises
    ------
    _core.NotFinite
        Something overflows.
    MemoryError
        Not even one run fits.
    """
    with lines.device.active():
        if cores[0].pools or (not lines.apart and not lines.one_segment):
            return _collect_each(lines, cores, what, edges, threads, tell)
        counts, certificate = _in_runs(
            lines, cores, lambda chunk: _Count(lines, cores, threads, chunk).run(what, edges, tell)
        )
    return (counts if lines.apart else counts[:, 0]), certificate


def _collect_each(
    lines: Lines,
    cores: Sequence[_core.Network],
    what: What,
    edges: Indices,
    threads: int,
    tell: Tell,
) -> tuple[Indices, Certificate]:
    """The same by the core's sinks: one network and, if they are apart, one line at a time."""
    alone = [lines.line(i) for i in range(len(lines))] if lines.apart else [lines]
    shape = (len(cores), len(alone)) if lines.apart else (len(cores),)
    counts = np.zeros((*shape, len(edges) - 1), np.int64)
    certificates = [_of_filter(Asked())]
    for i in np.ndindex(shape):
        some = alone[i[-1] if lines.apart else 0]
        part = part_of(tell, len(certificates) - 1, 1, counts.size)
        found, certificate = _collect(some, cores[i[0]], what, threads, part)
        counts[i] = _in_columns(found, edges)
        certificates.append(certificate)
    return counts, Certificate.together(certificates)


def _collect(
    lines: Lines, core: _core.Network, what: What, threads: int, tell: Tell
) -> tuple[int | Indices, Certificate]:
    return _in_runs(
        lines, [core], lambda chunk: _Count(lines, [core], threads, chunk).collect(what, tell)
    )


def _in_columns(found: int | Indices, edges: Indices) -> list[int]:
    if isinstance(found, int):
        return [found]
    return [int(found[a:b].sum()) for a, b in pairwise(edges.tolist())]


def _in_runs(lines: Lines, cores: Sequence[_core.Network], run: Callable[[int], _T]) -> _T:
    """run(the most cells of a run), with fewer where memory turns out to be short."""
    try:
        networks = upload(tuple(cores), lines.device)
    except MemoryError as error:
        raise MemoryError(
            'device: the weights do not fit into the GPU\'s memory; count with device="cpu"'
        ) from error
    chunk = chunk_size(lines.device, networks)
    while True:
        try:
            return run(chunk)
        except MemoryError as error:
            if chunk <= LEAST_CHUNK:
                raise MemoryError(f"device: not even the smallest run fits: {error}") from error
        chunk = max(LEAST_CHUNK, chunk // 4)


class _Count:
    """One count from its beginning to its end, with runs of at most so many cells."""

    def __init__(
        self, lines: Lines, cores: Sequence[_core.Network], threads: int, chunk: int
    ) -> None:
        self._device = lines.device
        self._cores = tuple(cores)
        self._lines = lines
        self._networks: Networks = upload(self._cores, self._device)
        self._filter = Filter(self._device, len(lines))
        self._settlement = Settlement(self._device, cores, lambda: lines.core, len(lines), threads)
        self._threads = threads
        self._chunk = chunk

    def run(self, what: What, edges: Indices, tell: Tell) -> tuple[Indices, Certificate]:
        pieces = len(self._cores) * len(self._lines)
        tally = self._tally(what, edges, pieces)
        self._go(tally, tell)
        counts = on_host(self._device, tally.counts)
        if what == "linear":
            counts = counts + 1
        shape = len(self._cores), len(self._lines), len(edges) - 1
        return counts.reshape(shape), self._certificate()

    def collect(self, what: What, tell: Tell) -> tuple[int | Indices, Certificate]:
        """What a sink of the core counts: transitions of every neuron, else a number."""
        (core,) = self._cores
        trajectory = _core.segments(*self._lines.host, self._lines.closed)
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
        engine.run(self._ends, pieces, self._chunk)

    def _tally(self, what: What, edges: Indices, pieces: int) -> Regions | Bends | Transitions:
        device, networks = self._device, self._networks
        if what in ("activation", "patterns"):  # on a segment no pattern comes back
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
    return Certificate(
        Decisions(asked.signs, 0, 0, 0, 0, asked.sign_gap),
        Decisions(asked.orders, 0, 0, 0, 0, asked.order_gap),
        Decisions(asked.slopes, 0, asked.slopes_by_adjoint, 0, 0, asked.slope_gap),
        Decisions(0, 0, 0, 0, 0, inf),
    )
