"""The documentation says what the program does."""

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [page.name for page in sorted(DOCS.glob("*.md")) if "```python" in page.read_text()]


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.M | re.S)


@pytest.mark.parametrize("page", PAGES)
def test_code_runs(page: str) -> None:
    names: dict[str, object] = {}
    for code in blocks(page):
        exec(compile(code, page, "exec"), names)


def test_the_table_of_bounds_is_that_of_its_script() -> None:
    script = runpy.run_path(str(DOCS / "make_bounds.py"))
    page = (DOCS / "bounds.md").read_text()
    for family in script["FAMILIES"][:4]:  # the others take longer
        assert script["row"](family) in page
