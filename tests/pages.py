"""Pages of the documentation, and their code blocks, as a reader would run them."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import ModuleType

from pyexpr import cli

ROOT = Path(__file__).parent.parent
PAGES = [
    str(page.relative_to(ROOT))
    for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
]
# Commands that .ci/run calls, or that take too long; files that they name must be there.
ELSEWHERE = {
    "build/cuda/pyexpr_bench", "build/custom_sink/custom_sink", "cmake", "compute-sanitizer",
    "git", "mypy", "pip", "pre-commit", "pytest", "python", "python3", "ruff", "sphinx-build",
    ".ci/run",
}  # fmt: skip
# These take minutes; test_demo.py and test_experiments.py have smaller ones.
LONG = {"demo", "reproduce"}
# Excerpts of files that the tests compile or read.
SOURCES = {"cpp": ("*.cpp", "*.hpp"), "cmake": ("CMakeLists.txt",), "toml": ("pyproject.toml",)}
FENCED = re.compile(r"^( *)```(\S*) *([^\n]*)\n(.*?)^\1```", re.M | re.S)
DIRECTIVE = re.compile(r"\{[a-z-]+\}")


@dataclass(frozen=True)
class Block:
    language: str
    file: str  # that it is an excerpt of, after the language; empty: none, or any
    code: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, but for Sphinx's directives."""
    return [
        Block(language, file, dedent(code))
        for _, language, file, code in FENCED.findall(text_of(page))
        if not DIRECTIVE.match(language)
    ]


def names(page: str) -> list[str]:
    """What stands in backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", FENCED.sub("", text_of(page)))


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def run(page: str) -> None:
    """All blocks of a page, in order, in the working directory; a text block is what is printed.

    Raises AssertionError where a command is unknown, fails or prints something else, or where an
    excerpt is in no file.
    """
    printed = ""
    with _module() as names:
        for block in blocks(page):
            if block.language == "text":
                _same(printed, block.code, page)
            elif block.file or block.language in SOURCES:
                _is_excerpt(block, page)
            else:
                with contextlib.redirect_stdout(io.StringIO()) as out:
                    _run(block, names, page)
                printed = out.getvalue()


@contextlib.contextmanager
def _module() -> Iterator[dict[str, object]]:
    """The names of a module that is there as long as a page runs: functions are pickled by it."""
    module = ModuleType("page")
    sys.modules[module.__name__] = module
    try:
        yield vars(module)
    finally:
        del sys.modules[module.__name__]


def _run(block: Block, names: dict[str, object], page: str) -> None:
    if block.language == "python":
        exec(compile(block.code, page, "exec"), names)
        return
    assert block.language == "sh", f"{page}: a block of {block.language or 'no language'}"
    for line in block.code.replace("\\\n", " ").splitlines():
        for command in re.split(r"&&", line):
            _run_command(shlex.split(command, comments=True), page)


def _run_command(command: list[str], page: str) -> None:
    if not command or command[0] == ".":  # of `. .venv/bin/activate`
        return
    name, *arguments = command
    if name != "pyexpr":
        assert name in ELSEWHERE, f"{page}: unknown command {name}"
        _names_files_that_exist(arguments, page)
    elif arguments[0] in LONG:
        cli.parser().parse_args(arguments)
    else:
        assert cli.main(arguments) == 0, f"{page}: {shlex.join(command)}"


def _names_files_that_exist(arguments: list[str], page: str) -> None:
    for argument in arguments:
        if argument.endswith((".py", ".cpp", ".md")):
            assert (ROOT / argument).exists(), f"{page}: no file {argument}"


def _is_excerpt(block: Block, page: str) -> None:
    files = [ROOT / block.file] if block.file else _sources(block.language)
    wanted = _unindented(block.code)
    found = any(wanted in _unindented(path.read_text("utf-8")) for path in files)
    assert found, f"{page}: not in {block.file or 'any file'}:\n{block.code}"


def _sources(language: str) -> list[Path]:
    return [
        path
        for folder in ("cpp", "examples", "tests", "bench", ".")
        for pattern in SOURCES[language]
        for path in (ROOT / folder).glob(pattern if folder == "." else f"**/{pattern}")
    ]


def _unindented(code: str) -> str:
    return "\n".join(line.strip() for line in code.strip().splitlines())


def _same(printed: str, expected: str, page: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    same = doctest.OutputChecker().check_output(expected, printed, flags)
    assert same, f"{page} expects\n{expected}\nand not\n{printed}"
