"""Numpy archives that may come from anywhere.

Nothing in them is unpickled, and an array's size is checked against its member of the archive, and
against MAX_BYTES for all together, before it is read.
"""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pyexpr.io._replaced import replaced

MAX_BYTES = 2**31
MAX_HEADER_BYTES = 10_000  # of an array; numpy writes 128

# What zipfile, zlib and numpy raise on malformed files, and pyexpr on what these hold.
MALFORMED = (
    ArithmeticError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Member:
    """An array in the archive, by its header alone."""

    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    start: int  # of the data

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_arrays(file: IO[bytes], wanted: re.Pattern[str]) -> dict[str, Array]:
    """The archive's arrays with these names; others are not even looked at.

    Raises
    ------
    One of MALFORMED
        The file is malformed, or its arrays take more than MAX_BYTES.
    """
    with zipfile.ZipFile(file) as archive:
        members = {key: _header(archive, info) for key, info in _infos(archive, wanted).items()}
        total = sum(member.n_bytes for member in members.values())
        if total > MAX_BYTES:
            raise ValueError(f"its arrays take {total} bytes, and the limit is {MAX_BYTES}")
        return {key: _data(archive, member) for key, member in members.items()}


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Write an archive, all of it or nothing.

    Raises
    ------
    ValueError
        The path does not end in .npz.
    OSError
        The file cannot be written.
    """
    if Path(path).suffix.lower() != ".npz":
        raise ValueError(f"path is {os.fspath(path)!r}; it must end in .npz")
    with replaced(path) as file:
        np.savez(file, **arrays)


def _infos(archive: zipfile.ZipFile, wanted: re.Pattern[str]) -> dict[str, zipfile.ZipInfo]:
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        key = info.filename.removesuffix(".npy")
        if key == info.filename or not wanted.fullmatch(key):
            continue
        if key in infos:
            raise ValueError(f"it has two arrays {key}")
        if info.compress_type not in _COMPRESSIONS:
            raise ValueError(f"{key} is compressed by a method other than deflate")
        infos[key] = info
    return infos


def _header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    with archive.open(info) as stream:
        head = BytesIO(stream.read(MAX_HEADER_BYTES))
    version = np.lib.format.read_magic(head)
    if version not in _READ_HEADER:
        raise ValueError(f"{info.filename} has version {version}; 1.0 and 2.0 can be read")
    member = _Member(info, *_READ_HEADER[version](head), start=head.tell())
    if member.dtype.kind not in "biufU":
        raise ValueError(f"{info.filename} has dtype {member.dtype}; it must hold real numbers")
    if min(member.shape, default=0) < 0 or member.start + member.n_bytes != info.file_size:
        raise ValueError(
            f"{info.filename} claims shape {member.shape} and dtype {member.dtype}, "
            f"but has {info.file_size - member.start} bytes of data"
        )
    return member


def _data(archive: zipfile.ZipFile, member: _Member) -> Array:
    with archive.open(member.info) as stream:
        stream.read(member.start)
        data = stream.read(member.n_bytes)
    flat = np.frombuffer(data, member.dtype)
    return flat.reshape(member.shape, order="F" if member.fortran_order else "C")


def typed(arrays: Mapping[str, Array], name: str, kind: str, ndim: int) -> Array:
    """One of the arrays, of this kind of dtype and so many dimensions.

    Raises
    ------
    ValueError
        It is missing, or another.
    """
    if name not in arrays:
        raise ValueError(f"{name} is missing")
    array = arrays[name]
    wide = kind != "U" and array.dtype.itemsize > 8
    if array.dtype.kind != kind or array.ndim != ndim or wide:
        raise ValueError(f"{name} has shape {array.shape} and dtype {array.dtype}")
    return array


def require(holds: object, name: str) -> None:
    """Refuse what an array holds.

    Raises
    ------
    ValueError
        It does not hold.
    """
    if not holds:
        raise ValueError(f"{name} does not fit the other arrays")
