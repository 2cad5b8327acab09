"""What a comparison found, and its table in markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PYEXPR, TWO_THREADS, LINEAR = "pyexpr", "pyexpr, 2 threads", "pyexpr, linear regions"
REGIONCAM, FORWARD = "regioncam", "forward pass"
SAMPLES = {"10^4 samples": 10_000, "10^5 samples": 100_000}
COLUMNS = [PYEXPR, TWO_THREADS, LINEAR, REGIONCAM, *SAMPLES, FORWARD]
PEERS = [LINEAR, REGIONCAM, *SAMPLES]  # may find another number of regions
MARKS = "¹²³⁴⁵⁶⁷⁸⁹"

CAPTION = """\
Times of counting the activation regions of segments, and the number found where it may differ:
linear regions may be fewer. *First* is pyexpr's first count of a network, which also bounds its
norms. The *forward pass* is numpy's in float64, at regions + 1 points; *ratio* is pyexpr's time
over its time. regioncam and sampling (torch) are float32."""


@dataclass(frozen=True)
class Cell:
    """A time, the regions found, and what is to be said about it; without a time, why not."""

    seconds: float | None = None
    regions: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Row:
    """Of a network: its activation regions, seconds of their first count, and all programs."""

    title: str
    regions: int
    first: float
    cells: dict[str, Cell]

    def ratio(self, name: str) -> float | None:
        """Time over that of the forward pass."""
        seconds, forward = self.cells[name].seconds, self.cells[FORWARD].seconds
        return None if seconds is None or forward is None else seconds / forward

    def error(self, name: str) -> float | None:
        """Of the regions found, as a share of those that there are."""
        found = self.cells[name].regions
        return None if found is None else abs(found - self.regions) / self.regions


def duration(seconds: float) -> str:
    """Two digits, in the unit that fits."""
    value, unit = (seconds * 1e3, "ms") if seconds < 0.0995 else (seconds, "s")
    return f"{value:.0f} {unit}" if value >= 99.5 else f"{value:#.2g} {unit}".replace(". ", " ")


def thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def table(rows: Sequence[Row]) -> str:
    notes = [*dict.fromkeys(row.cells[name].note for row in rows for name in COLUMNS)]
    marks = dict(zip(filter(None, notes), MARKS, strict=False))
    header = ["network", "regions", "first", *COLUMNS, "ratio"]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for row in rows:
        cells = [_cell(name, row.cells[name], marks) for name in COLUMNS]
        ratio = f"{row.ratio(PYEXPR):.2f}"
        lines.append([row.title, thousands(row.regions), duration(row.first), *cells, ratio])
    below = "\n".join(f"{mark} {note}  " for note, mark in marks.items())
    return "\n".join([CAPTION, "", *map(_line, lines), "", below]).rstrip()


def _cell(name: str, cell: Cell, marks: dict[str, str]) -> str:
    parts = [] if cell.seconds is None else [duration(cell.seconds)]
    if name in PEERS and cell.regions is not None:
        parts.append(thousands(cell.regions))
    return ", ".join(parts) + marks.get(cell.note, "")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
