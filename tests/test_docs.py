"""The documentation says what the program does."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

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


@pytest.fixture
def make_bounds() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_bounds", DOCS / "make_bounds.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_of_bounds_is_that_of_its_script(make_bounds: ModuleType) -> None:
    page = (DOCS / "bounds.md").read_text()
    for family in make_bounds.FAMILIES[:4]:  # the others take longer
        assert make_bounds.row(family) in page
