"""Sorting on a device, where libraries do not all take empty arrays."""

from __future__ import annotations

from typing import Any

from pyexpr.cuda.devices import Array


def order_in_cells(xp: Any, cell: Array, t: Array) -> Array:
    """What sorts by cells, and inside a cell by t."""
    return _lexsort(xp, t, cell.astype("f8"))


def stable_order(xp: Any, keys: Array) -> Array:
    """What sorts integers; equal ones stay as they are."""
    return _lexsort(xp, xp.arange(len(keys)), keys)


def count_below(xp: Any, ascending: Array, bounds: Array) -> Array:
    """How many of ascending numbers are below each bound."""
    if len(ascending) == 0:
        return xp.zeros(len(bounds), "i8")
    return xp.searchsorted(ascending, bounds)


def _lexsort(xp: Any, minor: Array, major: Array) -> Array:
    if len(major) < 2:
        return xp.arange(len(major))
    return xp.lexsort(xp.stack([minor, major]))
