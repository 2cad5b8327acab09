"""Moves cells through the levels on a device, depth first, as the core does on the host.

The runs are as large as memory allows. Letters, events and error bounds are found there by the
filter; what it leaves open is settled on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pyexpr.cuda.devices import Device
from pyexpr.cuda.events import Filtered, Found
from pyexpr.cuda.networks import Level, Networks
from pyexpr.cuda.partition import Partition
from pyexpr.cuda.refinement import Cut
from pyexpr.cuda.settlement import Settlement
from pyexpr.cuda.tallies import Tally

LEAST_CHUNK = 2
_MOST_CHUNK = 1 << 18
SHARE = 0.7  # of the memory that is free


# What cells of lines or of curves are kept in, and what they are cut into.
P = TypeVar("P", bound=Partition)
C = TypeVar("C", bound=Cut)
P_contra = TypeVar("P_contra", bound=Partition, contravariant=True)


class Finder(Protocol[P_contra]):
    """Finds the events of a level."""

    def find(self, number: int, level: Level, p: P_contra) -> Filtered: ...


class Refiner(Protocol[P, C]):
    """Makes the cells of the next level."""

    def cut(self, number: int, p: P, found: Found) -> C: ...
    def without_rows(self, cut: C) -> P: ...
    def fill(self, number: int, p: P, cut: C, first: int, last: int) -> P: ...


@dataclass(frozen=True, eq=False)
class Kit(Generic[P, C]):
    """For lines, or for curves."""

    filter: Finder[P]
    refinement: Refiner[P, C]


class Engine:
    """Counts on a device."""

    def __init__(
        self,
        networks: Networks,
        settlement: Settlement,
        tally: Tally,
        pieces: int,
        chunk: int,
        tell: Callable[[float], object] | None,
    ) -> None:
        """For so many pieces in all, with runs of at most `chunk` cells."""
        self._networks = networks
        self._settlement = settlement
        self._tally = tally
        self._pieces = pieces
        self._chunk = chunk
        self._tell = tell
        self._lineage: list[Partition] = []
        if tell is not None:
            tell(0.0)

    def run(self, kit: Kit[P, C], whole: P, ends: bool) -> None:
        """The next pieces, one curve or some lines; `ends`: whether nothing comes behind them.

        Raises
        ------
        _core.NotFinite
            As the filter does.
        """
        levels = [iter([(whole, ends)])]  # of every level, what is left of a run
        while levels:
            part = next(levels[-1], None)
            if part is None:
                levels.pop()
            elif (parts := self._go(kit, len(levels) - 1, *part)) is not None:
                levels.append(parts)

    def _go(self, kit: Kit[P, C], number: int, p: P, ends: bool) -> Iterator[tuple[P, bool]] | None:
        """Takes cells through a level; the next level's runs, and whether nothing comes behind."""
        self._lineage[number:] = [p]
        if number == self._networks.depth:
            self._tally.cells(self._lineage, ends)
            self._note_progress(p)
            return None
        found = self._find(kit, number, p)
        self._tally.events(number, self._networks.levels[number], p, found)
        last = number + 1 == self._networks.depth
        if last and not self._tally.reads_cells:
            self._note_progress(p)
            return None
        refined = kit.refinement.cut(number, p, found)
        if last and not self._tally.reads_outputs:
            return iter([(kit.refinement.without_rows(refined), ends)])
        return self._runs(kit, number, p, refined, ends)

    def _runs(
        self, kit: Kit[P, C], number: int, p: P, refined: C, ends: bool
    ) -> Iterator[tuple[P, bool]]:
        parts = -(-refined.cells // self._chunk)
        for i in range(parts):
            first, end = refined.cells * i // parts, refined.cells * (i + 1) // parts
            part = kit.refinement.fill(number, p, refined, first, end)
            yield part, ends and i + 1 == parts

    def _find(self, kit: Kit[P, C], number: int, p: P) -> Found:
        filtered = kit.filter.find(number, self._networks.levels[number], p)
        if not filtered.any_hard:
            return filtered.found
        return self._settlement.settle(self._lineage, filtered)

    def _note_progress(self, p: Partition) -> None:
        if self._tell is not None:
            end = float(p.vertices.piece[-1]) + float(p.vertices.t[-1])
            self._tell(min(end / self._pieces, 1.0))


def bytes_of_cell(networks: Networks, degree: int) -> int:
    """Of memory that a cell takes in all levels together, about."""
    kept = transient = 0
    for number in range(networks.depth + 1):
        row = networks.map(number).outputs * 8 * degree
        row *= 2 if number < networks.extended_levels else 1
        words = 8 * networks.levels[number].row if number < networks.depth else 0
        kept += row + 8 * words + 400 * degree
        transient = max(transient, 3 * row + 8 * words)
    return kept + transient


def chunk_size(device: Device, networks: Networks, degree: int) -> int:
    """How many cells a run may have, on curves of this degree.

    Raises
    ------
    MemoryError
        Not even the smallest run fits.
    """
    needed, free = bytes_of_cell(networks, degree), device.free_bytes()
    chunk = int(SHARE * free) // needed
    if chunk < LEAST_CHUNK:
        raise MemoryError(
            f"device: the smallest run of this network takes {LEAST_CHUNK * needed} bytes of the "
            f'GPU\'s memory, of which {free} are free; free some, or count with device="cpu"'
        )
    return min(chunk, _MOST_CHUNK)
