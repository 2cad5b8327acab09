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
from pyexpr.cuda.curve_events import CurveFilter
from pyexpr.cuda.curve_refinement import CurveCut, CurveRefinement
from pyexpr.cuda.curves import Curve, Path
from pyexpr.cuda.engine import LEAST_CHUNK, Engine, Kit, chunk_size
from pyexpr.cuda.events import Asked, Filter
from pyexpr.cuda.lines import Lines
from pyexpr.cuda.networks import Networks, upload
from pyexpr.cuda.partition import CurvePartition, Partition
from pyexpr.cuda.refinement import Cut, Refinement
from pyexpr.cuda.settlement import Settlement
from pyexpr.cuda.tallies import Bends, Collected, Regions, Tally, Transitions, on_host

What: TypeAlias = Literal["activation", "linear", "patterns", "transitions"]

_T = TypeVar("_T")


def count(
    path: Path,
    cores: Sequence[_core.Network],
    what: What,
    edges: Indices,
    threads: int,
    tell: Tell,
) -> tuple[Indices, Certificate]:
    """What is counted along lines or a curve for each of some networks of one architecture.

    Returns
    -------
    int64 [networks, lines, columns], or along one trajectory [networks, columns]
        One column, or for transitions the neurons edges[c] .. edges[c + 1] - 1 together.

    Raises
    ------
    _core.NotFinite
        Something overflows.
    MemoryError
        Not even one run fits.
    """
    with path.device.active():
        if isinstance(path, Curve) or not _is_tallied(path, cores[0], what):
            return _count_each(path, cores, what, edges, threads, tell)
        counts, certificate = _tallied(path, cores, what, edges, threads, tell)
    return (counts if path.apart else counts[:, 0]), certificate


def _is_tallied(path: Path, core: _core.Network, what: What) -> bool:
    """Whether the device can count alone: nothing joins, no layer pools, no pattern comes back."""
    comes_back = what == "patterns" and isinstance(path, Curve)
    return (path.apart or path.is_simple) and not core.pools and not comes_back


def _count_each(
    path: Path,
    cores: Sequence[_core.Network],
    what: What,
    edges: Indices,
    threads: int,
    tell: Tell,
) -> tuple[Indices, Certificate]:
    """The same for one network and, if they are apart, one line at a time."""
    alone: list[Path] = [path]
    if isinstance(path, Lines) and path.apart:
        alone = [path.line(i) for i in range(len(path))]
    shape = (len(cores), len(alone)) if path.apart else (len(cores),)
    counts = np.zeros((*shape, len(edges) - 1), np.int64)
    certificates = [_of_filter(Asked())]
    for i in np.ndindex(shape):
        some = alone[i[-1] if path.apart else 0]
        part = part_of(tell, len(certificates) - 1, 1, counts.size)
        counts[i], certificate = _count_one(some, cores[i[0]], what, edges, threads, part)
        certificates.append(certificate)
    return counts, Certificate.together(certificates)


def _count_one(
    path: Path, core: _core.Network, what: What, edges: Indices, threads: int, tell: Tell
) -> tuple[Indices | list[int], Certificate]:
    """[columns]: on the device, or else by a sink of the core."""
    if _is_tallied(path, core, what):
        counts, certificate = _tallied(path, [core], what, edges, threads, tell)
        return counts[0, 0], certificate
    found, certificate = _in_runs(
        path, [core], lambda chunk: _Count(path, [core], threads, chunk).collect(what, tell)
    )
    return _in_columns(found, edges), certificate


def _tallied(
    path: Path,
    cores: Sequence[_core.Network],
    what: What,
    edges: Indices,
    threads: int,
    tell: Tell,
) -> tuple[Indices, Certificate]:
    return _in_runs(
        path, cores, lambda chunk: _Count(path, cores, threads, chunk).run(what, edges, tell)
    )


def _in_columns(found: int | Indices, edges: Indices) -> list[int]:
    if isinstance(found, int):
        return [found]
    return [int(found[a:b].sum()) for a, b in pairwise(edges.tolist())]


def _in_runs(path: Path, cores: Sequence[_core.Network], run: Callable[[int], _T]) -> _T:
    """run(the most cells of a run), with fewer where memory turns out to be short."""
    free = path.device.free_bytes()
    try:
        networks = upload(tuple(cores), path.device)
    except MemoryError as error:
        raise MemoryError(
            f"device: the weights do not fit into the {free} bytes of the GPU's memory that are "
            f'free; free some, or count with device="cpu" ({error})'
        ) from error
    chunk = chunk_size(path.device, networks, path.degree)
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
        self, path: Path, cores: Sequence[_core.Network], threads: int, chunk: int
    ) -> None:
        self._device = path.device
        self._cores = tuple(cores)
        self._path = path
        self._networks: Networks = upload(self._cores, self._device)
        self._asked = Asked()
        self._settlement = Settlement(self._device, cores, lambda: path.core, len(path), threads)
        self._threads = threads
        self._chunk = chunk

    def run(self, what: What, edges: Indices, tell: Tell) -> tuple[Indices, Certificate]:
        tally = self._tally(what, edges, self._pieces)
        self._go(tally, tell)
        counts = on_host(self._device, tally.counts)
        if what == "linear":
            counts = counts + 1
        shape = len(self._cores), len(self._path), len(edges) - 1
        return counts.reshape(shape), self._certificate()

    def collect(self, what: What, tell: Tell) -> tuple[int | Indices, Certificate]:
        """What a sink of the core counts: transitions of every neuron, else a number."""
        (core,) = self._cores
        collector = _core.Collector(core, self._path.core, what)
        referee = _core.Referee(core, self._path.core, self._threads)
        self._go(Collected(self._device, collector, referee), tell)
        result, last = collector.finish()
        decided = [from_rows(last), from_rows(referee.take_certificate()), self._certificate()]
        return result, Certificate.together(decided)

    def _go(self, tally: Tally, tell: Tell) -> None:
        engine = Engine(self._networks, self._settlement, tally, self._pieces, self._chunk, tell)
        for run in self._path.runs(len(self._cores)):
            if run.curved:
                self._along_curve(engine, run.first)
            else:
                self._along_lines(engine, run.first, run.last)

    def _along_lines(self, engine: Engine, first: int, last: int) -> None:
        device, pieces = self._device, len(self._path)
        refinement = Refinement(device, self._networks, pieces)
        kit: Kit[Partition, Cut] = Kit(Filter(device, pieces, self._asked), refinement)
        group = max(1, self._chunk // 4)
        for begin in range(first, last, group):
            end = min(begin + group, last)
            points = self._path.end_points(begin, end)
            engine.run(kit, refinement.start(points, begin, end), end == self._pieces)

    def _along_curve(self, engine: Engine, piece: int) -> None:
        refinement = CurveRefinement(self._device, self._networks, self._cores[0], self._path.core)
        kit: Kit[CurvePartition, CurveCut] = Kit(CurveFilter(self._device, self._asked), refinement)
        engine.run(kit, refinement.start(piece), piece + 1 == self._pieces)

    @property
    def _pieces(self) -> int:
        return len(self._cores) * len(self._path)

    def _tally(self, what: What, edges: Indices, pieces: int) -> Regions | Bends | Transitions:
        device, networks = self._device, self._networks
        if what in ("activation", "patterns"):
            return Regions(device, networks.depth, pieces)
        if what == "linear":
            counts = device.xp.zeros(pieces, "i8")
            return Bends(device, networks, self._settlement, self._asked, len(self._path), counts)
        columns = len(edges) - 1
        widths = [level.width for level in networks.levels]
        neurons = [*accumulate(widths, initial=0)]
        step = int(columns == neurons[-1])
        firsts = [int(np.searchsorted(edges, n, side="right")) - 1 for n in neurons[:-1]]
        return Transitions(device, firsts, step, device.xp.zeros((pieces, columns), "i8"))

    def _certificate(self) -> Certificate:
        settled = [from_rows(rows) for rows in self._settlement.take_certificates()]
        return Certificate.together([_of_filter(self._asked), *settled])


def _of_filter(asked: Asked) -> Certificate:
    return Certificate(
        Decisions(asked.signs, 0, 0, 0, 0, asked.sign_gap),
        Decisions(asked.orders, 0, 0, 0, 0, asked.order_gap),
        Decisions(asked.slopes, 0, asked.slopes_by_adjoint, 0, 0, asked.slope_gap),
        Decisions(0, 0, 0, 0, 0, inf),
    )
