"""Takes results of `pyexpr reproduce` into docs/reproduction, and lists their claims there.

usage: python tools/make_reproduction.py RESULTS

RESULTS has a folder for each kind of data, with what `pyexpr reproduce --out` left in it. Pages and
pictures are made anew from the arrays.
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib import pyplot

from pyexpr.experiments import EXPERIMENTS, Result, Table, load_result
from pyexpr.experiments.report import page

TARGET = Path(__file__).parent.parent / "docs" / "reproduction"
BEGIN, END = "<!-- begin claims -->\n", "<!-- end claims -->\n"


def take(record: Path) -> Result:
    """Into a folder of the same name."""
    result = load_result(record)
    folder = TARGET / record.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    figure = result.plot()
    figure.savefig(folder / f"{result.name}.png", dpi=130)
    pyplot.close(figure)
    (folder / f"{result.name}.md").write_text(page(result, f"{result.name}.png"), "utf-8")
    arrays, _ = result.save(folder)
    arrays.unlink()  # the record has the table
    return result


def claims(results: list[tuple[str, Result]]) -> str:
    """A table of all claims, each with its verdict and where it was judged."""
    rows = [
        (f"[{result.name}]({folder}/{result.name}.md), {folder}", claim.claim, claim.agrees)
        for folder, result in results
        for claim in result.claims
    ]
    return Table(("experiment", "claim", "agrees"), tuple(rows)).markdown() + "\n"


def main() -> None:
    order = [*EXPERIMENTS]
    records = sorted(
        Path(sys.argv[1]).glob("*/*.json"), key=lambda path: (order.index(path.stem), path)
    )
    results = [(record.parent.name, take(record)) for record in records]
    overview = TARGET / "README.md"
    before, rest = overview.read_text("utf-8").split(BEGIN)
    _, after = rest.split(END)
    overview.write_text(before + BEGIN + claims(results) + END + after, "utf-8")


if __name__ == "__main__":
    main()
