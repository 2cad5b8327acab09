"""Times of several tasks that may be compared: taken in turns in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TypeVar

Result = TypeVar("Result")

SLOW = 2.0  # seconds: what takes longer runs once
TURN = 0.02  # seconds: what is faster runs again within its turn, since others cool the caches


def in_turns(
    tasks: Mapping[str, Callable[[], Result]], repeats: int
) -> tuple[dict[str, float], dict[str, Result]]:
    """The best time of each task in seconds, and what each returned."""
    best = dict.fromkeys(tasks, float("inf"))
    results: dict[str, Result] = {}
    for turn in range(repeats):
        for name, task in tasks.items():
            if turn and best[name] > SLOW:
                continue
            end = perf_counter() + TURN
            while True:
                start = perf_counter()
                results[name] = task()
                stop = perf_counter()
                best[name] = min(best[name], stop - start)
                if stop > end:
                    break
    return best, results
