"""Many cells of a grid, by any executor, resumed where they were stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import what
from pyexpr._progress import Progress, progress_bar
from pyexpr._text import plural
from pyexpr.experiments._cells import (
    Cell,
    ExecutorFailed,
    Values,
    canonical,
    cell_name,
    plain,
    run_all,
)
from pyexpr.experiments._journal import Journal, open_journal
from pyexpr.experiments.random_network import random_network

if TYPE_CHECKING:
    from pandas import DataFrame

# Any for Sequence[Any]: mypy would call lists of several types in one dict objects.
Grid: TypeAlias = Mapping[str, Any] | Iterable[Mapping[str, Any]]

_EXACT = 2**53  # up to here float64 holds every integer


@dataclass(frozen=True, eq=False)
class Failure:
    """A cell that raised.

    Attributes
    ----------
    parameters : dict
    error : str
        The exception's type and text.
    traceback : str
        The last lines of its traceback, from where it ran.
    """

    parameters: Values
    error: str
    traceback: str


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Sequence[Values]):
    """A table: a sequence of rows, in the grid's order.

    Attributes
    ----------
    rows : tuple of dict
        The parameters and the results of the cells that succeeded.
    failures : tuple of Failure
        The others.
    """

    rows: tuple[Values, ...]
    failures: tuple[Failure, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Values: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Values, ...]: ...
    def __getitem__(self, index: int | slice) -> Values | tuple[Values, ...]:
        return self.rows[index]

    def column(self, name: str) -> npt.NDArray[Any]:
        """A parameter or a result in all rows: [rows, ...].

        Of bool, int64, float64 or str. Lists become further dimensions. Of dtype object where
        entries are None, of several kinds, lists of several lengths, or integers that int64, or
        among floats float64, cannot hold.

        Raises
        ------
        KeyError
            A row has no such entry.
        """
        for i, row in enumerate(self.rows):
            if name not in row:
                raise KeyError(f"row {i} has no {name!r}; it has {', '.join(map(repr, row))}")
        return _column([row[name] for row in self.rows])

    def to_dataframe(self) -> DataFrame:
        """The rows as a pandas table.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        from pyexpr.io.pandas import frame

        return frame(self.rows)

    def raise_failures(self) -> None:
        """Nothing if all cells succeeded.

        Raises
        ------
        RuntimeError
            Some failed; it names the first.
        """
        if self.failures:
            first, total = self.failures[0], len(self.failures) + len(self.rows)
            raise RuntimeError(
                f"{len(self.failures)} of {plural(total, 'cell')} failed; {first.error} "
                f"(with {first.parameters})\n{first.traceback}"
            )

    def __repr__(self) -> str:
        rows, failures = plural(len(self.rows), "row"), plural(len(self.failures), "failure")
        return f"<Sweep: {rows}, {failures}>"


def sweep(
    grid: Grid,
    cell: Cell = random_network,
    *,
    executor: Executor | None = None,
    path: str | os.PathLike[str] | None = None,
    progress: Progress = False,
    how: Mapping[str, Any] | None = None,
) -> Sweep:
    """Call a function on all cells of a grid: the same table whoever computes it.

    Parameters
    ----------
    grid
        A dict from parameters' names to lists of their values, for all combinations, the last
        parameter changing fastest; or dicts, each the parameters of a cell. Values are str, bool,
        int, float, None, and lists of them; tuples and arrays become lists, numpy scalars Python's.
        1, 1.0 and True are different values. A cell that is there twice is run once.
    cell
        Called as cell(**parameters): a function at the top level of a module, so that other
        processes can import it. It returns a Mapping from names, none a parameter's, to such
        values as above. It should use one thread: the executor is what runs cells in parallel.
    executor
        Any `concurrent.futures.Executor`, such as `ProcessPoolExecutor()`, dask's
        `client.get_executor()` or mpi4py's `MPIPoolExecutor()`; it is not shut down. None for this
        process, one cell after another.
    path
        A .jsonl file that keeps every cell as soon as it has finished, and is made if there is
        none. No cell that is in it is run again, so that a sweep that was stopped goes on, and a
        grid can grow; a change of the function's code or defaults is not noticed. Its lines are
        JSON, with NaN and Infinity as Python writes them; float64 comes back exactly.
    progress
        True for a bar on stderr (needs tqdm), or a function to be called now and then with the
        share of the work that is done.
    how
        Keywords that all cells are called with, too, and that no result depends on, such as a
        device: no part of the grid, the file or the table. Anything that the executor can send.

    Returns
    -------
    Sweep
        The rows, in the grid's order. An exception in a cell loses no other: it is in `failures`
        and in the file, and the next sweep tries the cell again.

    Raises
    ------
    TypeError
        An argument of the wrong kind, or values that are none of the above.
    ValueError
        The file is something else, of another function or malformed; it is left as it is. A keyword
        of `how` is a parameter of the grid.
    RuntimeError
        The executor broke, as when one of its processes is killed, or cancelled a cell; another
        sweep has the file open.
    OSError
        The file cannot be read or written.
    """
    name = cell_name(cell)
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(
            f"executor is {what(executor)}; it must be a concurrent.futures.Executor, such as "
            "ProcessPoolExecutor() or a dask client's client.get_executor()"
        )
    cells = [*_cells(grid)]
    called = _with(cell, how, cells)
    keys = [canonical(parameters) for parameters in cells]
    wanted = dict.fromkeys(keys)
    with ExitStack() as stack:
        tell = stack.enter_context(progress_bar(progress, "cells"))
        journal = None
        if path is not None:
            journal = stack.enter_context(open_journal(path, name, wanted))
        run = _Run(journal)

        def note() -> None:
            if tell and wanted:
                tell((len(run.results) + len(run.errors)) / len(wanted))

        note()
        left = [key for key in wanted if key not in run.results]
        try:
            run_all(called, left, executor, run.record, note)
        except ExecutorFailed as failed:
            raise RuntimeError(
                f"the executor gave up ({failed.__cause__!r}): {len(run.results)} of "
                f"{plural(len(wanted), 'cell')} are done and {_kept(path)} with another executor "
                "to go on"
            ) from failed.__cause__
    return _table(cells, keys, run)


class _Run:
    """What is known of the cells, by their canonical parameters."""

    def __init__(self, journal: Journal | None) -> None:
        self.results: dict[str, Values] = {} if journal is None else journal.results
        self.errors: dict[str, tuple[str, str]] = {}
        self._journal = journal

    def record(self, key: str, line: str) -> None:
        if self._journal is not None:
            self._journal.append(line)
        outcome = json.loads(line)
        if "results" in outcome:
            self.results[key] = outcome["results"]
        else:
            self.errors[key] = (outcome["error"], outcome["traceback"])


def _table(cells: Sequence[Values], keys: Sequence[str], run: _Run) -> Sweep:
    places = [*zip(cells, keys, strict=True)]
    return Sweep(
        tuple({**cell, **run.results[key]} for cell, key in places if key in run.results),
        tuple(Failure(cell, *run.errors[key]) for cell, key in places if key in run.errors),
    )


def _kept(path: str | os.PathLike[str] | None) -> str:
    if path is None:
        return "lost, since there is no path; call sweep again"
    return f"in {os.fspath(path)}; call sweep again"


def _with(cell: Cell, how: object, cells: Sequence[Values]) -> Cell:
    """The cell with keywords that are no parameters."""
    if how is None:
        return cell
    if not isinstance(how, Mapping):
        raise TypeError(f"how is {what(how)}; it must be a dict of keywords")
    for name in how:
        _check_name("how", name)
        if any(name in parameters for parameters in cells):
            raise ValueError(f"how has {name!r}, which is a parameter of the grid; give it in one")
    return partial(cell, **how)


def _cells(grid: object) -> Iterator[Values]:
    if isinstance(grid, Mapping):
        axes = [_axis(name, values) for name, values in grid.items()]
        for combination in product(*axes):
            yield dict(zip(grid, combination, strict=True))
        return
    if not isinstance(grid, Iterable) or isinstance(grid, str | bytes):
        raise TypeError(f"grid is {what(grid)}; it must be a dict of lists, or dicts")
    for i, parameters in enumerate(grid):
        if not isinstance(parameters, Mapping):
            raise TypeError(f"grid[{i}] is {what(parameters)}; it must be a dict of parameters")
        for name in parameters:
            _check_name("grid", name)
        yield {name: plain(f"grid[{i}][{name!r}]", value) for name, value in parameters.items()}


def _axis(name: object, values: object) -> list[Any]:
    _check_name("grid", name)
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str | bytes):
        raise TypeError(f"grid[{name!r}] is {what(values)}; it must be a list of values")
    return [plain(f"grid[{name!r}][{i}]", value) for i, value in enumerate(values)]


def _check_name(where: str, name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{where} has a parameter named {what(name)}; it must be a str")


def _column(values: list[Any]) -> npt.NDArray[Any]:
    dtype = _dtype([*_leaves(values)])
    if dtype is not object:
        try:
            return np.array(values, dtype)
        except (ValueError, OverflowError):  # ragged; beyond int64
            pass
    column = np.empty(len(values), object)
    for i, value in enumerate(values):  # numpy would look into lists
        column[i] = value
    return column


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for entry in value:
            yield from _leaves(entry)
    else:
        yield value


def _dtype(leaves: list[Any]) -> type:
    """One that holds all of them exactly."""
    kinds = {type(leaf) for leaf in leaves}
    if kinds == {int, float}:
        exact = all(abs(leaf) <= _EXACT for leaf in leaves if isinstance(leaf, int))
        return float if exact else object
    if kinds == {int}:
        return np.int64
    if len(kinds) > 1 or kinds == {type(None)}:
        return object
    return kinds.pop() if kinds else float
