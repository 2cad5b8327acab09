"""How many threads a count may use."""

from __future__ import annotations

import os

from pyexpr._arrays import integer

VARIABLE = "PYEXPR_NUM_THREADS"


def thread_count(threads: int | None) -> int:
    """`threads`, or for None what the environment variable PYEXPR_NUM_THREADS says, or else as many
    as there are cores that this process may use.

    Raises
    ------
    TypeError
        No integer.
    ValueError
        Below 1, also of the variable, or that is no number.
    """
    if threads is not None:
        return integer("threads", threads, 1)
    text = os.environ.get(VARIABLE)
    if not text:
        return _cores()
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f"{VARIABLE} is {text!r}; it must be a number of threads, at least 1")
    return number


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
