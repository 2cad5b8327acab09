"""Tables of an experiment's figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pandas import DataFrame

Entry: TypeAlias = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows of figures under the names of their columns.

    Attributes
    ----------
    columns : tuple of str
    rows : tuple of tuples
        str, int, float, or None where there is nothing.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]

    def __str__(self) -> str:
        """Aligned."""
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
            for row in cells
        ]
        return "\n".join(line.rstrip() for line in lines)

    def markdown(self) -> str:
        """A table in Markdown."""
        head, *rows = self._cells()
        return "\n".join(map(markdown_row, [head, ["---"] * len(head), *rows]))

    def to_dataframe(self) -> DataFrame:
        """The unrounded figures.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        from pyexpr.io.pandas import frame

        return frame([dict(zip(self.columns, row, strict=True)) for row in self.rows])

    def _cells(self) -> list[list[str]]:
        return [[*self.columns], *([text(entry) for entry in row] for row in self.rows)]


def text(entry: Entry) -> str:
    """A figure for reading: integers whole, others to four digits or the whole part."""
    if entry is None:
        return ""
    if isinstance(entry, float):
        return f"{entry:,.0f}" if 1e4 <= abs(entry) < 1e9 else f"{entry:.4g}"
    return f"{entry:,}" if isinstance(entry, int) and not isinstance(entry, bool) else str(entry)


def markdown_row(cells: list[str]) -> str:
    """A row of a table."""
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return "| " + " | ".join(escaped) + " |"
