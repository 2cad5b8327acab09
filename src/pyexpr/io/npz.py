"""Networks as numpy archives: W0, b0, W1, b1, ... and the activations of the hidden layers.

Those are `act`, a name such as "relu" for all hidden layers, or breakpoints0, slopes0, value0,
first_letter0, ... for each. Other arrays in the file are ignored.

A file may come from anywhere. Nothing in it is unpickled, and an array's size is checked against
its member of the archive, and against MAX_BYTES for all together, before it is read.
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
from itertools import count
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from pyexpr.activations import BY_NAME, PiecewiseLinear, as_activation
from pyexpr.network import Network

MAX_BYTES = 2**31
MAX_HEADER_BYTES = 10_000  # of an array; numpy writes 128
MAX_NAME_LENGTH = 64

_PARAMETERS = ("breakpoints", "slopes", "value", "first_letter")
_OURS = re.compile(rf"act|(?:W|b|{'|'.join(_PARAMETERS)})(?:0|[1-9][0-9]{{0,5}})")
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# What zipfile, zlib and numpy raise on malformed files, and pyexpr on what these hold.
_MALFORMED = (
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


def load(path: str | os.PathLike[str]) -> Network:
    """The network that a .npz file holds.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        The file is malformed: not an archive, arrays missing or of wrong types or shapes, sizes
        beyond MAX_BYTES.
    """
    with Path(path).open("rb") as file:
        try:
            return _network(_read_arrays(file))
        except _MALFORMED as error:
            raise ValueError(f"{os.fspath(path)!r} holds no network: {error}") from error


def save(net: Network, path: str | os.PathLike[str]) -> None:
    """Write the network to a .npz file, all of it or nothing; `load` returns it bit for bit.

    Raises
    ------
    TypeError
        `net` is no Network.
    ValueError
        The path does not end in .npz, or the network is no chain of dense layers.
    OSError
        The file cannot be written.
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is a {type(net).__name__}; it must be a pyexpr.Network")
    target = Path(path)
    if target.suffix.lower() != ".npz":
        raise ValueError(f"path is {os.fspath(path)!r}; it must end in .npz")
    target = target.resolve()  # a link stays, and its file is replaced
    beside = target.with_name(f".{uuid4().hex}.tmp")
    try:
        with beside.open("xb") as file:
            arrays: dict[str, Any] = {**_arrays(net)}  # to numpy's types a name could be a flag
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


# --- writing ---


def _arrays(net: Network) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for i, layer in enumerate(net.layers):
        arrays |= {f"W{i}": np.ascontiguousarray(layer.weight), f"b{i}": layer.bias}
    phis = [layer.activation for layer in net.layers if layer.activation is not None]
    name = _common_name(phis)
    if name is not None:
        return arrays | {"act": np.array(name)}
    for i, phi in enumerate(phis):
        arrays |= {f"{key}{i}": np.asarray(getattr(phi, key)) for key in _PARAMETERS}
    return arrays


def _common_name(phis: list[PiecewiseLinear]) -> str | None:
    if len(set(phis)) != 1:
        return None
    return next((name for name, make in BY_NAME.items() if make() == phis[0]), None)


# --- reading ---


def _read_arrays(file: IO[bytes]) -> dict[str, Array]:
    with zipfile.ZipFile(file) as archive:
        members = {key: _header(archive, info) for key, info in _infos(archive).items()}
        total = sum(member.n_bytes for member in members.values())
        if total > MAX_BYTES:
            raise ValueError(f"its arrays take {total} bytes, and the limit is {MAX_BYTES}")
        return {key: _data(archive, member) for key, member in members.items()}


def _infos(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The archive's members that describe the network."""
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        key = info.filename.removesuffix(".npy")
        if key == info.filename or not _OURS.fullmatch(key):
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


def _network(arrays: Mapping[str, Array]) -> Network:
    n_layers = _count_layers(arrays)
    layers = [(arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(n_layers)]
    return Network.dense(layers, _activations(arrays, n_layers - 1))


def _count_layers(arrays: Mapping[str, Array]) -> int:
    """How many layers there are, numbered from 0 without a gap."""
    n_layers = next(i for i in count() if f"W{i}" not in arrays and f"b{i}" not in arrays)
    wanted = {f"{key}{i}" for i in range(max(n_layers, 1)) for key in "Wb"}
    present = {key for key in arrays if key[0] in "Wb" and key[1:].isdigit()}
    if missing := wanted - present:
        raise ValueError(f"{min(missing)} is missing; the layers are W0, b0, W1, b1, ...")
    if beyond := present - wanted:
        raise ValueError(f"it has {min(beyond)}, but neither W{n_layers} nor b{n_layers}")
    return n_layers


def _activations(arrays: Mapping[str, Array], n_hidden: int) -> list[PiecewiseLinear]:
    numbered = [key for key in arrays if key.startswith(_PARAMETERS)]
    if "act" in arrays:
        if numbered:
            raise ValueError(f"it has both act and {min(numbered)}; one must go")
        return [as_activation("act", _text(arrays["act"]))] * n_hidden
    wanted = {f"{key}{i}" for i in range(n_hidden) for key in _PARAMETERS}
    if missing := wanted - {*numbered}:
        raise ValueError(
            f"neither act nor {min(missing)} is there; activations are act for all hidden layers, "
            f"or {', '.join(f'{key}0' for key in _PARAMETERS)}, ... for each"
        )
    if beyond := {*numbered} - wanted:
        raise ValueError(f"it has {min(beyond)}, but only {n_hidden} hidden layers")
    return [_activation(arrays, i) for i in range(n_hidden)]


def _activation(arrays: Mapping[str, Array], i: int) -> PiecewiseLinear:
    breakpoints, slopes, value, letter = (arrays[f"{key}{i}"] for key in _PARAMETERS)
    if letter.ndim != 0 or letter.dtype.kind not in "iu":
        raise ValueError(f"first_letter{i} has shape {letter.shape} and dtype {letter.dtype}")
    given: Any = value  # of any shape and type as yet: PiecewiseLinear checks it
    try:
        return PiecewiseLinear(breakpoints, slopes, given, first_letter=letter.item())
    except (TypeError, ValueError) as error:
        raise ValueError(f"the activation of layer {i}: {error}") from error


def _text(array: Array) -> str:
    if array.ndim != 0 or array.dtype.kind != "U":
        raise ValueError(f"act has shape {array.shape} and dtype {array.dtype}, not one string")
    if array.dtype.itemsize > 4 * MAX_NAME_LENGTH:
        raise ValueError(f"act has more than {MAX_NAME_LENGTH} characters")
    return str(array)
