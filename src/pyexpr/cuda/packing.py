"""Arguments of a kernel, packed as it reads them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr import _core

Words: TypeAlias = npt.NDArray[np.uint64]

# How struct packs a scalar, and the array type's name of a pointer.
_FORMATS = {"int64": "q", "float64": "d"}


def pack(kernel: str, arguments: tuple[Any, ...], address: Callable[[Any], int]) -> Words:
    """uint64 [arguments]: numbers, and addresses of arrays, 0 for None.

    Raises
    ------
    TypeError
        An array of another type or layout than the kernel reads, or more or fewer arguments.
    """
    types = _core.kernels[kernel]
    if len(types) != len(arguments):
        raise TypeError(f"{kernel} takes {len(types)} arguments, not {len(arguments)}")
    values = [
        _checked(kernel, i, kind, value, address)
        for i, (kind, value) in enumerate(zip(types, arguments, strict=True))
    ]
    packed = struct.pack("=" + "".join(_FORMATS.get(kind, "Q") for kind in types), *values)
    return np.frombuffer(packed, np.uint64)


def by_value(packed: Words) -> npt.NDArray[np.void]:
    """The same as one element, which CuPy hands to a kernel as it is."""
    return packed.view(np.dtype((np.void, packed.nbytes)))


def _checked(
    kernel: str, number: int, kind: str, value: Any, address: Callable[[Any], int]
) -> int | float:
    if kind in _FORMATS:
        return float(value) if kind == "float64" else int(value)
    if value is None:
        return 0
    wanted = kind.removeprefix("const ").removesuffix("*")
    if value.dtype != wanted or not value.flags.c_contiguous:
        raise TypeError(f"{kernel}: argument {number} is {value.dtype}, not contiguous {wanted}")
    return address(value)
