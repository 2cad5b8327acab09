"""The documentation says what the program does."""

import json
import pkgutil
import re
import runpy
from pathlib import Path

import matplotlib
import pytest
from given_files import write_files
from matplotlib import pyplot
from pages import PAGES, ROOT, blocks, names, run

from pyexpr.experiments import EXPERIMENTS, Table
from pyexpr.experiments.table import markdown_row

matplotlib.use("Agg")

DOCS = ROOT / "docs"
FOLDERS = ("src", "cpp", "tests", "bench", "tools", "examples", "docs", "cmake", r"\.ci")
RECORDS = sorted(DOCS.glob("reproduction/*/*.json"))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_code_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    run(page)
    pyplot.close("all")


@pytest.mark.parametrize("page", PAGES)
def test_names_are_there(page: str) -> None:
    for name in names(page):
        if re.match(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*$", name):
            assert (ROOT / name).exists(), f"{page}: no file {name}"
        elif dotted := re.match(r"pyexpr(?:\.\w+)+", name):
            assert pkgutil.resolve_name(dotted[0]) is not None


def test_the_table_of_bounds_is_that_of_its_script() -> None:
    script = runpy.run_path(str(ROOT / "tools" / "make_bounds.py"))
    page = (DOCS / "mathematics" / "bounds.md").read_text()
    for family in script["FAMILIES"][:4]:  # the others take longer
        assert script["row"](family) in page


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_pages_of_experiments_have_their_figures(record: Path) -> None:
    found = json.loads(record.read_text())
    page = record.with_suffix(".md").read_text("utf-8")
    overview = (DOCS / "reproduction" / "README.md").read_text("utf-8")
    rows = tuple(tuple(row) for row in found["table"]["rows"])
    assert Table(tuple(found["table"]["columns"]), rows).markdown() in page
    for claim in found["claims"]:
        verdict = markdown_row([claim["claim"], claim["agrees"]])
        assert markdown_row([claim["claim"], claim["ours"], claim["agrees"], claim["why"]]) in page
        assert f"{record.parent.name} {verdict}\n" in overview
    assert f"({found['experiment']}.png)" in page
    assert record.with_suffix(".png").exists()


def test_every_experiment_has_a_page() -> None:
    assert {record.stem for record in RECORDS} == {*EXPERIMENTS}
