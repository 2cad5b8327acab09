"""The segments that are counted along, with their ends on a device."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from pyexpr import _core
from pyexpr._arrays import real_array
from pyexpr._batches import Batch, Indices, read_points
from pyexpr.cuda.devices import Array, Device

_LARGE = 2.0**53  # below it float64 holds every integer


class Run(NamedTuple):
    """Pieces first .. last - 1: one curve, or lines."""

    first: int
    last: int
    curved: bool


@dataclass(frozen=True, eq=False)
class Lines:
    """Segments from row starts[i] of x0 to row ends[i] of x1.

    Attributes
    ----------
    x0, x1 : float64 [points, inputs], of the device
    starts, ends : int64 [lines], of the host
    apart : bool
        Whether each is counted for itself; else they are pieces of one trajectory.
    closed : bool
        Whether the last one ends where the first begins.
    given : Batch, or None
        The same for the core, where the points are the host's.
    """

    device: Device
    x0: Array
    starts: Indices
    x1: Array
    ends: Indices
    apart: bool
    closed: bool = False
    given: Batch | None = None

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def host(self) -> Batch:
        """The same for the core."""
        if self.given is not None:
            return self.given
        read = self.device.download
        return Batch(read(self.x0), self.starts, read(self.x1), self.ends)

    @cached_property
    def core(self) -> _core.Trajectory:
        """As pieces, for the later tiers."""
        return _core.segments(*self.host, self.closed)

    degree = 1

    @property
    def is_simple(self) -> bool:
        """Whether they are but one segment."""
        return not self.apart and len(self) == 1 and not self.closed

    def runs(self, networks: int) -> Iterator[Run]:
        """All, for each of so many networks."""
        yield Run(0, networks * len(self), False)

    def end_points(self, first: int, last: int) -> Array:
        """Of some pieces, float64 [2 pieces, inputs]."""
        xp, upload = self.device.xp, self.device.upload
        line = np.arange(first, last) % len(self)
        out = xp.empty((2 * len(line), self.x0.shape[1]))
        out[::2] = self.x0[upload(self.starts[line])]
        out[1::2] = self.x1[upload(self.ends[line])]
        return out

    def line(self, i: int) -> Lines:
        """One of them alone."""
        at = slice(i, i + 1)
        return Lines(self.device, self.x0, self.starts[at], self.x1, self.ends[at], False)


def lines_of(device: Device, curve: _core.Trajectory | Batch) -> Lines:
    """What the core would count along, where nothing is curved."""
    if isinstance(curve, Batch):
        with device.active():
            x0, x1 = device.upload(curve.x0), device.upload(curve.x1)
        return Lines(device, x0, curve.starts, x1, curve.ends, True, given=curve)
    ends = curve.ends_of_lines(0, len(curve))
    numbers = np.arange(len(ends[0]))
    with device.active():
        x0, x1 = map(device.upload, ends)
    return Lines(device, x0, numbers, x1, numbers, False, curve.closed)


def read_lines(device: Device, x0: object, x1: object, shape: tuple[int, ...]) -> Lines | None:
    """The segments between points of which at least one is the device's already, and is not copied.

    Parameters
    ----------
    x0, x1
        Points of this shape, or rows of them: arrays of the device by the DLPack protocol, of float
        or integer type; the other one anything array_like.

    Returns
    -------
    Lines, or None if neither is an array of the device

    Raises
    ------
    TypeError, ValueError
        As for points of the host.
    """
    with device.active():
        arrays = _adopted(device, "x0", x0), _adopted(device, "x1", x1)
        if arrays[0] is None and arrays[1] is None:
            return None
        x0_count, x0_rows = _rows(device, "x0", x0, arrays[0], shape)
        x1_count, x1_rows = _rows(device, "x1", x1, arrays[1], shape)
    counts = x0_count, x1_count
    lines = {count for count in counts if count is not None}
    if len(lines) > 1:
        raise ValueError(
            f"x0 has {x0_count} points and x1 {x1_count}; "
            "give as many of one as of the other, or a single point"
        )
    number = lines.pop() if lines else 1
    starts, ends = (
        np.zeros(number, np.int64) if count is None else np.arange(number) for count in counts
    )
    return Lines(device, x0_rows, starts, x1_rows, ends, counts != (None, None))


def _adopted(device: Device, name: str, value: object) -> Array | None:
    try:
        return device.adopt(value)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise TypeError(
            f"{name} is a {type(value).__name__} that DLPack does not hand over ({error}); "
            "it must hold floats or 64-bit integers"
        ) from error


def _rows(
    device: Device, name: str, value: object, array: Array | None, shape: tuple[int, ...]
) -> tuple[int | None, Array]:
    """How many rows of points these are, None for a single one; and all as rows of float64.

    `array`: the value as one of the device, if it is there.
    """
    if array is None:
        array = device.upload(real_array(name, value))
    single = array.shape == shape
    if not single and (array.ndim != len(shape) + 1 or array.shape[1:] != shape):
        raise ValueError(f"{name} has shape {array.shape}, but the network's input is {shape}")
    if array.dtype.kind not in "biuf" or not _are_held(device.xp, array):
        read_points(name, device.download(array), shape)  # raises, or holds them exactly
    inputs = math.prod(shape)
    rows = device.xp.ascontiguousarray(array, dtype="f8").reshape(array.size // inputs, inputs)
    return (None if single else len(rows)), rows


def _are_held(xp: Any, array: Array) -> bool:
    """Whether they are finite, and surely exact in float64."""
    if array.dtype.kind == "f":
        return bool(xp.isfinite(array).all())
    wide = array.dtype.itemsize == 8 and array.size > 0
    return not wide or float(xp.abs(array.astype("f8")).max()) < _LARGE
