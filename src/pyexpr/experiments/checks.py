"""What experiments check of their arguments before anything is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyexpr._arrays import integer, what


def at_least(parameters: Mapping[str, Any], **least: int) -> None:
    """That these are integers of at least so much, or None.

    Raises
    ------
    TypeError, ValueError
        One is not.
    """
    for name, smallest in least.items():
        if parameters[name] is not None:
            integer(name, parameters[name], smallest)


def hold(parameters: Mapping[str, Any], **least: int) -> None:
    """That these are lists of at least so many different values.

    Raises
    ------
    TypeError, ValueError
        One is not.
    """
    for name, fewest in least.items():
        values = parameters[name]
        if not isinstance(values, Iterable) or isinstance(values, str):
            raise TypeError(f"{name} is {what(values)}; it must be a list")
        if len({*map(repr, values)}) < fewest:
            raise ValueError(f"{name} is {values!r}; it must hold at least {fewest} different ones")
