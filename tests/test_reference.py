"""The reference has every public name, and docstrings tell what signatures take and give."""

import inspect
import re
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from pages import ROOT

import pyexpr

MODULES = [
    "pyexpr", "pyexpr.bounds", "pyexpr.constructions", "pyexpr.cuda", "pyexpr.experiments",
    "pyexpr.plot", "pyexpr.theory", "pyexpr.torch",
]  # fmt: skip
NAMES = [f"{module}.{name}" for module in MODULES for name in import_module(module).__all__]
LISTED = Counter(
    name
    for page in (ROOT / "docs" / "api").glob("*.md")
    for name in re.findall(r"^\.\. (?:auto\w+|py:data):: (\S+)$", page.read_text("utf-8"), re.M)
)
OF_ALL_BOUNDS = {"net", "activation", "log10"}  # which the docstring of pyexpr.bounds tells


def _object(name: str) -> Any:
    module, _, own = name.rpartition(".")
    return getattr(import_module(module), own)


OBJECTS = {name: _object(name) for name in LISTED if name not in MODULES}
DESCRIBED = {name: it for name, it in OBJECTS.items() if callable(it)}
FUNCTIONS = {name: it for name, it in DESCRIBED.items() if not inspect.isclass(it)}
CLASSES = [name for name in DESCRIBED if name not in FUNCTIONS]


def _members(name: str) -> dict[str, Any]:
    """What a class has of its own that is public."""
    members = vars(DESCRIBED[name]).items()
    return {own: getattr(it, "__func__", it) for own, it in members if not own.startswith("_")}


def _sections(it: object) -> dict[str, str]:
    """The sections of a docstring by their titles; "" is what comes before them."""
    parts = re.split(r"^(\w+)\n-+\n", (inspect.getdoc(it) or "") + "\n", flags=re.M)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def _told(it: object) -> list[str]:
    """The parameters of a docstring, whose entries are `name`, `name : type` or `name, name`."""
    entries = re.findall(r"^(\w[\w, ]*?)(?: :.*)?$", _sections(it).get("Parameters", ""), re.M)
    return sorted(name for entry in entries for name in entry.split(", "))


def _taken(it: Callable[..., object]) -> list[str]:
    """The parameters of a signature that are to be told."""
    names = {*inspect.signature(it).parameters} - {"self", "cls"}
    return sorted(names - OF_ALL_BOUNDS if _is_bound(it) else names)


def _is_bound(it: Callable[..., object]) -> bool:
    return "log10" in inspect.signature(it).parameters


@pytest.mark.parametrize("name", [*dict.fromkeys([*NAMES, *LISTED])])
def test_a_name_is_in_the_reference_once(name: str) -> None:
    assert LISTED[name] == 1


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_docstring_begins_with_a_line(name: str) -> None:
    summary, *rest = _sections(DESCRIBED[name])[""].splitlines()
    assert summary.endswith(".")
    assert not rest or not rest[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_are_those_of_the_signature(name: str) -> None:
    assert _told(FUNCTIONS[name]) == _taken(FUNCTIONS[name])


@pytest.mark.parametrize("name", CLASSES)
def test_parameters_of_classes_and_methods_are_those_of_signatures(name: str) -> None:
    if "Parameters" in _sections(DESCRIBED[name]):  # else only pyexpr makes such objects
        assert _told(DESCRIBED[name]) == _taken(DESCRIBED[name])
    for own, method in _members(name).items():
        if inspect.isfunction(method) and (len(_taken(method)) > 1 or _told(method)):
            assert _told(method) == _taken(method), own


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_and_errors_are_told(name: str) -> None:
    it = FUNCTIONS[name]
    returns = inspect.signature(it).return_annotation not in (None, "None")
    assert ("Returns" in _sections(it)) == (returns and not _is_bound(it))
    never = it in (pyexpr.cuda.is_available, pyexpr.torch.replace_batch_norm)
    assert ("Raises" in _sections(it)) == (_taken(it) != [] and not never and not _is_bound(it))
