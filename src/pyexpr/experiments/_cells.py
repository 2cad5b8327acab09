"""Cells of a grid: what goes into one, what comes out, and who runs them."""

from __future__ import annotations

import json
import pickle
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from queue import SimpleQueue
from typing import Any, TypeAlias
from uuid import uuid4

import numpy as np

from pyexpr._arrays import what

Cell: TypeAlias = Callable[..., Mapping[str, Any]]
Values: TypeAlias = dict[str, Any]

_IN_FLIGHT = 4096  # of perhaps millions of cells: each that an executor holds takes memory
_LINES = 20  # of a traceback
_ALLOWED = "it must be numbers, strings, bool, None, or lists or real arrays of them"


class ExecutorFailed(Exception):
    """The executor runs no more cells; its cause says why."""


def plain(name: str, value: object) -> Any:
    """`value` as what JSON keeps: None, bool, int, float, str and lists of them.

    Raises
    ------
    TypeError
        It is something else, or numbers that are no float64 or integers.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.generic | np.ndarray):
        wide = value.dtype.kind == "f" and value.dtype.itemsize > 8
        if value.dtype.kind not in "biufU" or wide or isinstance(value, np.ma.MaskedArray):
            raise TypeError(f"{name} has dtype {value.dtype} ({type(value).__name__}); {_ALLOWED}")
        return value.tolist()
    if isinstance(value, str):
        return str.__str__(value)  # what is derived from str, int and float becomes plain
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, list | tuple | range):
        return [plain(f"{name}[{i}]", entry) for i, entry in enumerate(value)]
    raise TypeError(f"{name} is {what(value)}; {_ALLOWED}")


def canonical(parameters: Mapping[str, Any]) -> str:
    """The text by which a cell is known."""
    return json.dumps(parameters, sort_keys=True)


def cell_name(cell: Cell) -> str:
    """By which any process can import it.

    Raises
    ------
    TypeError
        It is no function at the top level of a module.
    """
    try:
        pickle.dumps(cell)
        return f"{cell.__module__}.{cell.__qualname__}"
    except Exception as error:  # whatever an object's own __reduce__ raises
        raise TypeError(
            f"cell is {what(cell)}; it must be a function at the top level of a module, which "
            "other processes can import by its name"
        ) from error


def run_cell(cell: Cell, key: str, sweep: str = "") -> str:
    """A line of the file: the cell's parameters, and its results or why there are none.

    A line, because any process can send it, which is not true of every result or exception.

    Parameters
    ----------
    sweep
        Names the sweep, and changes nothing: dask takes calls with the same arguments for one, so
        that what another sweep has cancelled, or has seen fail, would be so in this one.
    """
    try:
        found = results_of(cell(**json.loads(key)), json.loads(key))
        return json.dumps({"parameters": json.loads(key), "results": found})
    except (Exception, SystemExit) as error:
        return _failed(key, error)


def results_of(found: object, parameters: Mapping[str, Any]) -> Values:
    """What a cell has returned, made plain.

    Raises
    ------
    TypeError
        It is no Mapping from names to what `plain` takes.
    ValueError
        A name is a parameter's.
    """
    if not isinstance(found, Mapping):
        raise TypeError(f"the cell returned {what(found)}; it must be a Mapping from names")
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"the cell returned a result named {what(name)}; it must be a str")
        if name in parameters:
            raise ValueError(
                f"the cell returned a result named {name!r}, as one of its parameters is; "
                "give it another name"
            )
    return {str(name): plain(f"the result {name!r}", value) for name, value in found.items()}


def run_all(
    cell: Cell,
    keys: Iterable[str],
    executor: Executor | None,
    record: Callable[[str, str], object],
    tell: Callable[[], object],
) -> None:
    """Run cells; each one's line is recorded when it comes, and then `tell` is called.

    Whatever ends this early, cells that have not begun are cancelled, and those that have finished
    are recorded.

    Raises
    ------
    ExecutorFailed
    """
    if executor is None:
        for key in keys:
            record(key, run_cell(cell, key))
            tell()
        return
    finished: SimpleQueue[Future[str]] = SimpleQueue()
    pending: dict[Future[str], str] = {}
    sweep = uuid4().hex

    def land() -> None:
        future = finished.get()
        record(pending[future], _line(future, pending[future]))
        del pending[future]  # last, so that an interruption finds it
        tell()

    try:
        for key in keys:
            future = _submit(executor, cell, key, sweep)
            pending[future] = key
            future.add_done_callback(finished.put)
            while len(pending) >= _IN_FLIGHT or not finished.empty():
                land()
        while pending:
            land()
    except BaseException:
        _abandon(pending, record)
        raise


def _submit(executor: Executor, cell: Cell, key: str, sweep: str) -> Future[str]:
    try:
        return executor.submit(run_cell, cell, key, sweep)
    except Exception as error:  # RuntimeError after a shutdown, BrokenExecutor, and others' own
        raise ExecutorFailed from error


def _line(future: Future[str], key: str) -> str:
    try:
        return future.result()
    except (BrokenExecutor, CancelledError) as error:
        raise ExecutorFailed from error
    except Exception as error:  # as dask's KilledWorker: only this cell's
        return _failed(key, error)


def _abandon(pending: dict[Future[str], str], record: Callable[[str, str], object]) -> None:
    for future in reversed(pending):  # the last ones first: they are the least likely to begin
        future.cancel()
    for future, key in pending.items():
        if future.done() and not future.cancelled() and future.exception() is None:
            record(key, future.result())


def _failed(key: str, error: BaseException) -> str:
    lines = "".join(traceback.format_exception(error)).splitlines()
    told = {
        "parameters": json.loads(key),
        "error": "".join(traceback.format_exception_only(error)).strip(),
        "traceback": "\n".join(lines[-_LINES:]),
    }
    return json.dumps(told)
