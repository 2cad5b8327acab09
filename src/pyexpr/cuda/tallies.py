"""What is counted on the cells that the engine finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._batches import Indices
from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.events import Asked, Found
from pyexpr.cuda.networks import Level, Networks
from pyexpr.cuda.partition import EVERYWHERE, Arrays, Partition
from pyexpr.cuda.sensitivity import BENDS, OPEN, Sensitivity
from pyexpr.cuda.settlement import Settlement

_SURE, _UNSURE = 1, 2  # Bend of slopes.hpp


class Tally(Protocol):
    """Something to count."""

    @property
    def reads_cells(self) -> bool:
        """Whether it reads the last level's cells."""

    @property
    def reads_outputs(self) -> bool:
        """Whether it reads the outputs on these."""

    def events(self, number: int, level: Level, p: Partition, found: Found) -> None:
        """The events of a level on the next cells along the trajectory."""

    def cells(self, lineage: Sequence[Partition], ends: bool) -> None:
        """The next cells behind the last level; `ends`: the last ones."""


class Regions:
    """Activation regions of every piece: where no layer pools, every vertex is a breakpoint."""

    reads_cells = False
    reads_outputs = False

    def __init__(self, device: Device, depth: int, pieces: int) -> None:
        self._device = device
        self._last = depth - 1
        self.counts = device.xp.zeros(pieces, "i8")

    def events(self, number: int, level: Level, p: Partition, found: Found) -> None:
        if number != self._last:
            return
        self.cells([p], False)
        cell, piece, points = found.points.cell, p.vertices.piece, found.points
        self._add(cell, points.neuron, piece)

    def cells(self, lineage: Sequence[Partition], ends: bool) -> None:
        xp, piece = self._device.xp, lineage[-1].vertices.piece
        cell = xp.flatnonzero(piece[:-1] == piece[1:])
        self._add(cell, cell, piece)

    def _add(self, cell: Array, neuron: Array, piece: Array) -> None:
        self._device.run("count_event", len(cell), cell, neuron, piece, 1, 0, 0, self.counts)


class Transitions:
    """Transitions, for every piece and column; where no layer pools."""

    reads_cells = False
    reads_outputs = False

    def __init__(self, device: Device, firsts: list[int], step: int, counts: Array) -> None:
        """Neuron q of a level is counted in column firsts[level] + step q."""
        self._device = device
        self._firsts, self._step = firsts, step
        self.counts = counts
        # Of each level, where the last cell ended: its piece and letters.
        self._before: list[tuple[int, Array] | None] = [None] * len(firsts)

    def events(self, number: int, level: Level, p: Partition, found: Found) -> None:
        if level.row == 0:
            return
        piece, points = p.vertices.piece, found.points
        place = self.counts.shape[1], self._firsts[number], self._step, self.counts
        event_cell = points.cell[points.event_point]
        self._device.run(
            "count_event", len(event_cell), event_cell, points.event_neuron, piece, *place
        )
        before = self._before[number]
        ended = before[1] if before is not None and before[0] == int(piece[0]) else None
        self._device.run(
            "count_changes", found.left.size, level.words, level.count, piece, found.left,
            found.crossing, ended, *place,
        )  # fmt: skip
        last, end = int(piece[-2]), int(piece[-1])
        right = found.left[-1] ^ found.crossing[-1]
        self._before[number] = (end, right) if last == end else None

    def cells(self, lineage: Sequence[Partition], ends: bool) -> None:
        pass


class Bends:
    """Breakpoints that the output feels, of every piece."""

    reads_cells = True
    reads_outputs = True

    def __init__(
        self,
        device: Device,
        networks: Networks,
        settlement: Settlement,
        asked: Asked,
        pieces_of_network: int,
        counts: Array,
    ) -> None:
        self._device = device
        self._readout = networks.readout
        self._depth = networks.depth
        self._settlement = settlement
        self._sensitivity = Sensitivity(device, networks, pieces_of_network)
        self._asked = asked
        self._pieces = pieces_of_network
        self.counts = counts
        self._last: tuple[int, list[Arrays]] | None = None  # cell: its piece and all of it

    def events(self, number: int, level: Level, p: Partition, found: Found) -> None:
        pass

    def cells(self, lineage: Sequence[Partition], ends: bool) -> None:
        p = lineage[-1]
        self._require_finite(p)
        self._join(lineage, ends)
        if p.cells < 2:
            return
        xp, piece, inner = self._device.xp, p.vertices.piece, p.cells - 1
        bends, gap = xp.empty(inner, "u1"), xp.empty(inner)
        self._device.run(
            "compare_slopes", inner, p.degree, self._readout.outputs, p.rows, p.vertices.t, piece,
            self._pieces, self._readout.row_norms, p.alpha, bends, gap,
        )  # fmt: skip
        self._device.run("count_bend", inner, bends, piece, self.counts)
        self._asked.slopes += int((bends == _SURE).sum())
        self._asked.slope_gap = min(self._asked.slope_gap, float(gap.min()))
        unsure = self._device.download(xp.flatnonzero(bends == _UNSURE)) + 1
        if len(unsure):
            self._settle(lineage, unsure)

    def _settle(self, lineage: Sequence[Partition], vertices: Indices) -> None:
        """What the filter leaves open."""
        piece = lineage[-1].vertices.piece
        answers = self._sensitivity.bends(lineage, vertices)
        self._add(self._device.upload(vertices[answers == BENDS]), piece)
        self._asked.slopes += int((answers != OPEN).sum())
        self._asked.slopes_by_adjoint += int((answers != OPEN).sum())
        rest = vertices[answers == OPEN]
        if len(rest):
            bends = self._settlement.bends(lineage, rest)
            self._add(self._device.upload(rest[bends]), piece)

    def _require_finite(self, p: Partition) -> None:
        xp = self._device.xp
        wrong = xp.flatnonzero(~xp.isfinite(p.rows).all(axis=1))
        if len(wrong):
            raise _core.NotFinite(self._depth, int(p.vertices.piece[wrong[0] // p.degree]))

    def _join(self, lineage: Sequence[Partition], ends: bool) -> None:
        """The breakpoint between the last cell of the call before and the first of this one."""
        before, self._last = self._last, None
        if before is None and ends:
            return
        pieces = lineage[-1].vertices.piece
        first, second, last, end = (int(pieces[i]) for i in (0, 1, -2, -1))
        if before is not None and before[0] == first == second:
            here = self._settlement.cell(lineage, 0)
            if self._settlement.bend_between(before[1], here):
                self._add(self._device.xp.zeros(1, "i8"), pieces)
        if last == end and not ends:
            self._last = end, self._settlement.cell(lineage, lineage[-1].cells - 1)

    def _add(self, vertices: Array, piece: Array) -> None:
        self._device.run(
            "count_event", len(vertices), vertices, vertices, piece, 1, 0, 0, self.counts
        )


class Collected:
    """Hands all cells to a sink of the core, for whatever it counts."""

    reads_cells = True

    def __init__(self, device: Device, collector: _core.Collector, referee: _core.Referee) -> None:
        self._device = device
        self._collector = collector
        self._referee = referee
        self._levels: list[tuple[Partition, _core.Cells]] = []

    @property
    def reads_outputs(self) -> bool:
        return self._collector.reads_outputs

    def events(self, number: int, level: Level, p: Partition, found: Found) -> None:
        pass

    def cells(self, lineage: Sequence[Partition], ends: bool) -> None:
        kept = self._levels[: len(lineage)]
        self._levels = []
        for number, p in enumerate(lineage):
            known = number < len(kept) and kept[number][0] is p
            last = number + 1 == len(lineage)
            self._levels.append(kept[number] if known else (p, self._download(p, last)))
        self._collector.cells(self._referee, [cells for _, cells in self._levels])

    def _download(self, p: Partition, rows: bool) -> _core.Cells:
        """Rows are read of the last level alone."""
        return _core.Cells(p.on_host(self._device, EVERYWHERE, 0, rows))


def on_host(device: Device, counts: Array) -> Indices:
    result: npt.NDArray[np.int64] = device.download(counts)
    return result
