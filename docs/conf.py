"""Sphinx: `sphinx-build -W docs build/docs`."""

import pyexpr

project = "pyexpr"
author = "The pyexpr authors"
copyright = f"2026, {author}"
version = release = pyexpr.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings: list[str] = []

default_role = "py:obj"  # `count_regions` in a docstring is a link
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings have the types
autodoc_preserve_defaults = True
napoleon_google_docstring = False

html_theme = "furo"
html_title = f"pyexpr {release}"
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
