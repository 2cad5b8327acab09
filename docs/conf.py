"""Sphinx: `sphinx-build -W docs build/docs`."""

from __future__ import annotations

import argparse
import inspect
import os
import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

import pyexpr
from pyexpr import cli

project = "pyexpr"
author = "The pyexpr authors"
copyright = f"2026, {author}"
version = release = pyexpr.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"  # `count_regions` in a docstring is a link
add_module_names = False
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 80
autodoc_default_options = {"members": True, "special-members": "__call__"}
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # what a base class says is said there
autodoc_typehints = "none"  # docstrings have the types, and one signature is shown of overloads
napoleon_google_docstring = napoleon_attr_annotations = False
napoleon_use_param = napoleon_use_rtype = False  # so that `x0, x1` stay together
napoleon_custom_sections = [("Attributes", "params_style"), ("Raises", "params_style")]

html_theme = "furo"
html_title = f"pyexpr {release}"
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

os.environ |= {"COLUMNS": "90", "NO_COLOR": "1"}  # of the command line's help

_FUNCTION = re.compile(r"<function (\w+)[^>]*>")  # as a default
_SPECIAL = re.compile(r"`([^`]*)`|[*|]|_(?=\W|$)")


class CommandLineHelp(SphinxDirective):
    """What `pyexpr --help` prints, and the same of every command in a section of its own."""

    def run(self) -> list[nodes.Node]:
        parser = cli.parser()
        (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        sections = [_section(f"pyexpr {name}", of) for name, of in commands.choices.items()]
        return [_help(parser), *sections]


def _section(title: str, parser: argparse.ArgumentParser) -> nodes.section:
    heading = nodes.title(text=title)
    return nodes.section("", heading, _help(parser), ids=[nodes.make_id(title)], names=[title])


def _help(parser: argparse.ArgumentParser) -> nodes.literal_block:
    text = parser.format_help()
    return nodes.literal_block(text, text, language="none")


def escape(_: Sphinx, what: str, _name: str, of: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings are plain text but for links: *, | and a final _ stand for themselves.

    Names of parameters are no links. What stands before a property's first colon is no type.
    """
    own = _parameters(of)

    def escaped(found: re.Match[str]) -> str:
        if found[1] is None:
            return rf"\{found[0]}"
        return f"``{found[1]}``" if found[1] in own else found[0]

    lines[:] = [_SPECIAL.sub(escaped, line) for line in lines]
    if what == "property":
        lines.insert(0, "\\ ")


def _parameters(of: object) -> set[str]:
    try:
        return {*inspect.signature(of).parameters} if callable(of) else set()
    except ValueError:  # of exceptions
        return set()


def signature(
    _: Sphinx, what: str, _name: str, of: Any, _options: Any, arguments: str | None, _returns: Any
) -> tuple[str, str] | None:
    """None of classes without documented parameters: functions make their objects."""
    if arguments is None:
        return None
    made_by_users = what != "class" or "Parameters\n---" in (inspect.getdoc(of) or "")
    return _FUNCTION.sub(r"\1", arguments) if made_by_users else "", ""


def skip(_: Sphinx, _what: str, _name: str, of: Any, _skip: bool, _options: Any) -> bool | None:
    """Fields of a NamedTuple, which its docstring tells."""
    return True if type(of).__name__ == "_tuplegetter" else None


def link_to_top(
    app: Sphinx, env: BuildEnvironment, node: nodes.Element, text: nodes.Element
) -> nodes.Element | None:
    """In docstrings of `pyexpr.bounds` and the like, names of `pyexpr` itself are links, too."""
    target = node.get("reftarget", "")
    if node.get("reftype") != "obj" or target.split(".")[0] not in pyexpr.__all__:
        return None
    python = env.domains.python_domain
    return python.resolve_xref(
        env, node["refdoc"], app.builder, "obj", f"pyexpr.{target}", node, text
    )


def setup(app: Sphinx) -> None:
    app.add_directive("command-line-help", CommandLineHelp)
    app.connect("autodoc-process-docstring", escape, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", skip)
    app.connect("missing-reference", link_to_top)
