"""What a release says of itself agrees: version, date, licences."""

from __future__ import annotations

import re
from importlib.metadata import distribution, files

from pages import ROOT

import pyexpr


def citation(field: str) -> str:
    found = re.search(rf"^{field}: (.*)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    assert found is not None, field
    return found[1]


def newest_release() -> tuple[str, str]:
    """Version and date, of the changelog."""
    releases: list[tuple[str, str]] = re.findall(
        r"^## \[(\d\S*)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M
    )
    return max(releases, key=lambda release: [int(n) for n in release[0].split(".")])


def test_the_citation_is_of_this_version() -> None:
    assert citation("version") == pyexpr.__version__


def test_the_newest_release_of_the_changelog_is_this_version() -> None:
    version, date = newest_release()
    assert version == pyexpr.__version__
    assert date == citation("date-released")


def test_the_citation_has_the_name_and_the_licence_of_the_package() -> None:
    metadata = distribution("pyexpr-regions").metadata
    assert citation("title") == pyexpr.__name__
    assert citation("license") == metadata["License-Expression"]
    assert f"  - name: {metadata['Author']}\n" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_licences_are_there_of_all_that_openblas_comes_with() -> None:
    ours = (ROOT / "licenses" / "scipy-openblas32.txt").read_text("utf-8")
    theirs = next(f for f in files("scipy-openblas32") or () if f.match("licenses/LICENSE*"))
    bundled = re.findall(r"^Name: .+$", theirs.read_text("utf-8"), re.M)
    assert bundled
    assert {*bundled} <= {*ours.splitlines()}
