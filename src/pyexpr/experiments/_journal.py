"""The file that a sweep keeps: a header, then a JSON line for every cell that has finished.

It may come from anywhere: nothing is believed before it is parsed, and nothing in it is run. The
file of a process that is killed ends at worst in half a line.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from io import FileIO
from pathlib import Path
from typing import IO, Any

from pyexpr.experiments._cells import Values, canonical, plain, results_of

_FORMAT = "pyexpr sweep"
_VERSION = 1
_MAX_HEADER = 1 << 16  # bytes


class Journal:
    """An open file, locked against other sweeps.

    Attributes
    ----------
    results : dict
        Of the wanted cells that are in the file, by their canonical parameters.
    """

    def __init__(self, file: FileIO, results: dict[str, Values], end: int) -> None:
        self.results = results
        self._file = file
        self._end = end

    def append(self, line: str) -> None:
        """Have the line on the disk.

        Raises
        ------
        OSError
            It cannot be written.
        """
        data = line.encode() + b"\n"
        self._file.truncate(self._end)  # drops what a crash or an interruption has left half done
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())
        self._end += len(data)


@contextmanager
def open_journal(
    path: str | os.PathLike[str], cell: str, wanted: Container[str]
) -> Iterator[Journal]:
    """The file at `path`, which is made if there is none, as is its folder.

    Parameters
    ----------
    cell
        The name of the function whose results are in it.
    wanted
        The cells whose results are kept in memory.

    Raises
    ------
    ValueError
        It is something else, of another function or malformed; it is left as it is.
    RuntimeError
        Another sweep has it open.
    OSError
        It cannot be read or written.
    """
    if Path(path).suffix.lower() != ".jsonl":
        raise ValueError(f"path is {os.fspath(path)!r}; it must end in .jsonl")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with FileIO(path, "a+") as file, _closed_in_forks(file):
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{os.fspath(path)} is no regular file")
        _lock(file, path)
        header = _header(cell)
        try:
            with open(file.fileno(), "rb", closefd=False) as buffered:
                buffered.seek(0)
                results, end = _read(buffered, header, cell, wanted)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}{error}; it is left as it is") from error
        journal = Journal(file, results, end)
        if end == 0:
            journal.append(header)
        yield journal


def _header(cell: str) -> str:
    made_by = version("pyexpr-regions")
    return json.dumps({"format": _FORMAT, "version": _VERSION, "cell": cell, "pyexpr": made_by})


def _read(
    file: IO[bytes], header: str, cell: str, wanted: Container[str]
) -> tuple[dict[str, Values], int]:
    """The results of the wanted cells, and where the last whole line ends."""
    results: dict[str, Values] = {}
    first = file.readline(_MAX_HEADER)
    if header.encode().startswith(first):  # empty, or stopped before the header was whole
        return results, 0
    _check_header(first, cell)
    end = len(first)
    for number, line in enumerate(file, start=2):
        if not line.endswith(b"\n"):
            break
        end += len(line)
        try:
            parameters, found = _parse(line)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f", line {number}, is malformed: {error}") from error
        key = canonical(parameters)
        if found is not None and key in wanted:
            results[key] = found
    return results, end


def _check_header(line: bytes, cell: str) -> None:
    try:
        header = json.loads(line.decode())
    except (ValueError, RecursionError):
        header = None
    if not (line.endswith(b"\n") and isinstance(header, dict) and header.get("format") == _FORMAT):
        raise ValueError(" is no file of a sweep; give another path")
    if header.get("version") != _VERSION:
        raise ValueError(
            f" has version {header.get('version')!r} of the format, and this pyexpr reads "
            f"{_VERSION}; give another path"
        )
    if header.get("cell") != cell:
        raise ValueError(
            f" has results of the cell {header.get('cell')!r}, and this one is {cell!r}; give "
            "another path"
        )


def _parse(line: bytes) -> tuple[Values, Values | None]:
    """The parameters and the results, None of a cell that failed."""
    record = json.loads(line.decode())
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")
    given = _object(record, "parameters")
    parameters = {name: plain(f"the parameter {name!r}", value) for name, value in given.items()}
    if record.keys() == {"parameters", "results"}:
        return parameters, results_of(_object(record, "results"), parameters)
    if record.keys() == {"parameters", "error", "traceback"}:
        return parameters, None
    raise ValueError(f"its names are {', '.join(record)}")


def _object(record: dict[str, Any], name: str) -> Values:
    value = record.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"its {name} are no JSON object")
    return value


def _lock(file: FileIO, path: str | os.PathLike[str]) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RuntimeError(
            f"another sweep has {os.fspath(path)} open; wait for it, or give another path"
        ) from None
    except OSError:
        pass  # a file system without locks


# A process that is forked while a file is open, as an executor's workers are, would keep the lock
# for as long as it lives, beyond the end of this one.
_open: set[FileIO] = set()


@contextmanager
def _closed_in_forks(file: FileIO) -> Iterator[None]:
    _open.add(file)
    try:
        yield
    finally:
        _open.discard(file)


def _close_all() -> None:
    for file in _open:
        with suppress(OSError):
            file.close()
    _open.clear()


_at_fork: Callable[..., None] | None = getattr(os, "register_at_fork", None)  # not on Windows
if _at_fork is not None:
    _at_fork(after_in_child=_close_all)
