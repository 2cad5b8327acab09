"""Bars for work that takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Progress: TypeAlias = bool | Callable[[float], object]
Tell: TypeAlias = Callable[[float], object] | None


@contextmanager
def progress_bar(progress: Progress, what: str) -> Iterator[Tell]:
    """What to call with the share of the work that is done, within [0, 1], now and then.

    Parameters
    ----------
    progress
        False for nothing, True for a bar on stderr, or what is to be called.
    what
        Said before the bar.

    Raises
    ------
    ImportError
        A bar is wanted, and tqdm is not installed.
    TypeError
        `progress` is none of these.
    """
    if progress is False:
        yield None
    elif progress is True:
        with _tqdm(what) as bar:

            def update(share: float) -> None:
                bar.update(share - bar.n)

            yield update
            update(1)
    elif callable(progress):
        yield progress
        progress(1.0)
    else:
        raise TypeError(f"progress is {progress!r}; it must be True, False or a function")


def part_of(tell: Tell, done: int, more: int, total: int) -> Tell:
    """What to call with the share of the next `more` of `total` units, after `done` of them."""
    if tell is None:
        return None
    return lambda share: tell((done + share * more) / total)


def has_bars() -> bool:
    """Whether tqdm is installed."""
    from importlib.util import find_spec

    return find_spec("tqdm") is not None


def _tqdm(what: str) -> Any:  # tqdm ships no types
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError(
            'progress=True needs tqdm: pip install "pyexpr-regions[progress]"'
        ) from error
    layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed} < {remaining}"
    return tqdm(total=1, desc=what, bar_format=layout, leave=False)
