"""Which source files use which, as their imports and includes say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pages import ROOT

PACKAGE = ROOT / "src" / "pyexpr"
INCLUDES = [ROOT / "cpp" / folder for folder in ("include", "cuda", "python")]
FLATTENED = {"sources.hpp": "device.hpp"}  # cmake/flatten.py writes the first from the second
_INCLUDE = re.compile(r'^\s*#\s*include\s+"(.*)"', re.M)


@dataclass(frozen=True, order=True)
class Use:
    """One file uses another: `on_demand` where it is imported in a function."""

    user: str
    used: str
    on_demand: bool = False


def sources() -> list[str]:
    """All files of the package and of the C++ library, kernels and bindings, from the root."""
    found = [path for kind in ("*.py", "*.pyi") for path in PACKAGE.rglob(kind)]
    found += [path for kind in ("*.hpp", "*.cpp") for path in (ROOT / "cpp").rglob(kind)]
    return sorted(_name(path) for path in found)


def uses() -> set[Use]:
    """What files use of one another."""
    found: set[Use] = set()
    for name in sources():
        if name.endswith(".py"):
            found.update(_imports(name))
        elif name.startswith("cpp/"):
            found.update(_includes(name))
    return found


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _includes(name: str) -> Iterator[Use]:
    path = ROOT / name
    for included in _INCLUDE.findall(path.read_text("utf-8")):
        wanted = FLATTENED.get(included, included)
        (used,) = {
            _name(folder / wanted)
            for folder in (path.parent, *INCLUDES)
            if (folder / wanted).exists()
        }
        yield Use(name, used)


def _imports(name: str) -> Iterator[Use]:
    for module, on_demand in _imported(ast.parse((ROOT / name).read_text("utf-8")), False):
        used = _file_of(module)
        if used is not None:
            yield Use(name, used, on_demand)


def _imported(node: ast.AST, on_demand: bool) -> Iterator[tuple[str, bool]]:
    """Modules, and names in modules, that are imported when the program runs."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, on_demand) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield from ((f"{node.module}.{alias.name}", on_demand) for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        yield from ((module, on_demand) for module in _named(node.args[0]))
    on_demand = on_demand or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in ast.iter_child_nodes(node):
        yield from _imported(child, on_demand)


def _named(argument: ast.expr) -> list[str]:
    """What import_module is given: a text, or f"pyexpr.{name}" of what the package promises."""
    if isinstance(argument, ast.Constant):
        return [str(argument.value)]
    import pyexpr

    assert ast.unparse(argument) == "f'pyexpr.{name}'"
    return [f"pyexpr.{name}" for name in pyexpr._ON_DEMAND]


def _file_of(name: str) -> str | None:
    """The file of a module of ours, or of the module that has the name."""
    if name.split(".")[0] != "pyexpr":
        return None
    path = PACKAGE.joinpath(*name.split(".")[1:])
    for module in (path, path.parent):
        for file in (module.with_suffix(".py"), module.with_suffix(".pyi"), module / "__init__.py"):
            if file.exists():
                return _name(file)
    raise AssertionError(f"no module {name}")
