"""Numbered random cases, made and checked on all cores."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from traceback import extract_tb
from typing import Any

_BLOCK = 100  # cases a task

Wrong = list[tuple[int, str]]


@dataclass(frozen=True)
class Fuzz:
    """`make(i)` is case i, made from the number alone; `check` raises if it is wrong."""

    what: str
    make: Callable[[int], Any]
    check: Callable[[Any], None]

    def wrong(self, first: int, last: int) -> Wrong:
        """Numbers in [first, last) of the cases that are wrong, and how."""
        wrong = []
        for index in range(first, last):
            try:
                self.check(self.make(index))
            except Exception as error:  # a crash is a failure like any other
                place = extract_tb(error.__traceback__)[-1]
                how = f"{type(error).__name__} {error} at {place.name}: {place.line}"
                wrong.append((index, how))
        return wrong

    def run(self, n_cases: int, first: int = 0) -> Wrong:
        """Compare, with a process a core, and print how many were compared."""
        starts = range(first, first + n_cases, _BLOCK)
        ends = [min(start + _BLOCK, first + n_cases) for start in starts]
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
            wrong = [*chain.from_iterable(pool.map(self.wrong, starts, ends))]
        print(f"fuzz: {n_cases} {self.what} compared with the oracle, {len(wrong)} wrong")
        for index, how in wrong[:10]:
            print(f"  make_case({index}): {how}\n    {self.make(index)!r}")
        return wrong
