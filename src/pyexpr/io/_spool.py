"""Numpy archives of arrays that come in parts and need not fit into memory."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt


class Spool:
    """One-dimensional arrays, each in a temporary file without a name until it is written.

    A context; leaving it deletes the files.

    Parameters
    ----------
    directory
        Where the temporary files are.
    dtypes
        The arrays' names and dtypes.
    """

    def __init__(self, directory: Path, dtypes: Mapping[str, npt.DTypeLike]) -> None:
        with ExitStack() as stack:
            self._columns = {
                name: _Column(stack.enter_context(TemporaryFile(dir=directory)), np.dtype(dtype))
                for name, dtype in dtypes.items()
            }
            self._open = stack.pop_all()

    def append(self, name: str, part: npt.NDArray[Any]) -> None:
        """Put a part of an array, of its dtype, behind those before."""
        self._columns[name].append(part)

    def write(self, file: IO[bytes]) -> None:
        """An archive that `np.load` reads; needs the space twice, one array after another."""
        with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
            for name, column in self._columns.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    column.write(member)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()


class _Column:
    """An array in a file."""

    def __init__(self, file: IO[bytes], dtype: np.dtype[Any]) -> None:
        self._file = file
        self._dtype = dtype
        self._length = 0

    def append(self, part: npt.NDArray[Any]) -> None:
        self._file.write(part.astype(self._dtype, copy=False).tobytes())
        self._length += len(part)

    def write(self, member: IO[bytes]) -> None:
        descr = np.lib.format.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self._length,)}
        np.lib.format.write_array_header_1_0(member, header)
        self._file.seek(0)
        shutil.copyfileobj(self._file, member, 2**20)
        self._file.close()  # its space is free for the next
