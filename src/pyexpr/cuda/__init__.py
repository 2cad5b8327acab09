"""Counting on a GPU: device="cuda" of the counting functions.

Needs CuPy: pip install "pyexpr-regions[cuda13]", or [cuda12] for a driver of CUDA 12.
"""

from __future__ import annotations

from pyexpr.cuda.devices import find_device

__all__ = ["is_available"]


def is_available(number: int = 0) -> bool:
    """Whether a count can run on a GPU; `pyexpr.count_regions(..., device="cuda")` says why not.

    Parameters
    ----------
    number
        The GPU's, counted from 0.

    Returns
    -------
    bool
    """
    try:
        find_device(f"cuda:{number}")
    except (ImportError, RuntimeError, ValueError):
        return False
    return True
