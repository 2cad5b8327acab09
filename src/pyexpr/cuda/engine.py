"""Moves cells through the levels on a device, depth first, as the core does on the host.

The runs are as large as memory allows. Letters, events and error bounds are found there by the
filter; what it leaves open is settled on the host.
"""

from __future__ import annotations

from collections.abc import Callable

from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.events import Filter, Found
from pyexpr.cuda.networks import Networks
from pyexpr.cuda.partition import Partition
from pyexpr.cuda.refinement import Refinement, cut
from pyexpr.cuda.settlement import Settlement
from pyexpr.cuda.tallies import Tally

LEAST_CHUNK = 2
_MOST_CHUNK = 1 << 18
SHARE = 0.7  # of the memory that is free


class Engine:
    """Counts along lines on a device."""

    def __init__(
        self,
        device: Device,
        networks: Networks,
        pieces_of_network: int,
        filter_: Filter,
        settlement: Settlement,
        tally: Tally,
        tell: Callable[[float], object] | None,
    ) -> None:
        self._device = device
        self._networks = networks
        self._filter = filter_
        self._settlement = settlement
        self._tally = tally
        self._tell = tell
        self._refinement = Refinement(device, networks, pieces_of_network)
        self._lineage: list[Partition] = []
        self._pieces = 0

    def run(self, ends: Callable[[int, int], Array], pieces: int, chunk: int) -> None:
        """All pieces; `ends` gives the ends of some, float64 [2 pieces, inputs].

        Raises
        ------
        _core.NotFinite
            As the filter does.
        """
        self._pieces = pieces
        if self._tell is not None:
            self._tell(0.0)
        group = max(1, chunk // 4)
        for first in range(0, pieces, group):
            last = min(first + group, pieces)
            start = self._refinement.start(ends(first, last), first, last)
            self._descend(start, 0, chunk, last == pieces)

    def _descend(self, p: Partition, number: int, chunk: int, ends: bool) -> None:
        """`ends`: whether nothing comes behind these cells."""
        self._lineage[number:] = [p]
        if number == self._networks.depth:
            self._tally.cells(self._lineage, ends)
            self._note_progress(p)
            return
        level = self._networks.levels[number]
        found = self._find(number, p)
        self._tally.events(number, level, p, found)
        last = number + 1 == self._networks.depth
        if last and not self._tally.reads_cells:
            self._note_progress(p)
            return
        refined = cut(self._device, number, level, p, found)
        del found
        if last and not self._tally.reads_outputs:
            self._descend(self._refinement.without_rows(refined), number + 1, chunk, ends)
            return
        parts = -(-refined.cells // chunk)
        for i in range(parts):
            first, end = refined.cells * i // parts, refined.cells * (i + 1) // parts
            part = self._refinement.fill(number, p, refined, first, end)
            self._descend(part, number + 1, chunk, ends and i + 1 == parts)

    def _find(self, number: int, p: Partition) -> Found:
        filtered = self._filter.find(number, self._networks.levels[number], p)
        if not filtered.any_hard:
            return filtered.found
        return self._settlement.settle(self._lineage, filtered)

    def _note_progress(self, p: Partition) -> None:
        if self._tell is not None:
            end = float(p.vertices.piece[-1]) + float(p.vertices.t[-1])
            self._tell(min(end / self._pieces, 1.0))


def bytes_of_cell(networks: Networks) -> int:
    """Of memory that a cell takes in all levels together, about."""
    kept = transient = 0
    for number in range(networks.depth + 1):
        row = networks.map(number).outputs * 8
        row *= 2 if number < networks.extended_levels else 1
        words = 8 * networks.levels[number].row if number < networks.depth else 0
        kept += row + 8 * words + 400
        transient = max(transient, 3 * row + 8 * words)
    return kept + transient


def chunk_size(device: Device, networks: Networks) -> int:
    """How many cells a run may have.

    Raises
    ------
    MemoryError
        Not even the smallest run fits.
    """
    needed, free = bytes_of_cell(networks), device.free_bytes()
    chunk = int(SHARE * free) // needed
    if chunk < LEAST_CHUNK:
        raise MemoryError(
            f"device: the smallest run of this network takes {LEAST_CHUNK * needed} bytes of the "
            f'GPU\'s memory, of which {free} are free; free some, or count with device="cpu"'
        )
    return min(chunk, _MOST_CHUNK)
