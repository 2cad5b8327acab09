"""Counting on a GPU: device="cuda" of the counting functions.

The engine works on arrays, CuPy's on a GPU; its kernels stand in headers that hosts compile, too.
"""

from __future__ import annotations

from pyexpr.cuda.devices import find_device

__all__ = ["is_available"]


def is_available(number: int = 0) -> bool:
    """Whether a count can run on the GPU of that number.

    `pyexpr.count_regions(..., device="cuda")` says what is missing.
    """
    try:
        find_device(f"cuda:{number}")
    except (ImportError, RuntimeError, ValueError):
        return False
    return True
