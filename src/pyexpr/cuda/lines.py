"""The segments that are counted along, with their ends on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pyexpr import _core
from pyexpr._arrays import what
from pyexpr._batches import Batch, Indices
from pyexpr.cuda.devices import Array, Device

_LARGE = 2.0**53  # below it float64 holds every integer


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
    """

    device: Device
    x0: Array
    starts: Indices
    x1: Array
    ends: Indices
    apart: bool
    closed: bool = False

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def host(self) -> Batch:
        """The same for the core."""
        read = self.device.download
        return Batch(read(self.x0), self.starts, read(self.x1), self.ends)

    @cached_property
    def core(self) -> _core.Trajectory:
        """As pieces, for the later tiers."""
        return _core.segments(*self.host)

    @property
    def one_segment(self) -> bool:
        """Whether nothing is but one segment."""
        return not self.apart and len(self) == 1 and not self.closed

    def line(self, i: int) -> Lines:
        """One of them alone."""
        at = slice(i, i + 1)
        return Lines(self.device, self.x0, self.starts[at], self.x1, self.ends[at], False)


def lines_of(device: Device, curve: _core.Trajectory | Batch) -> Lines | None:
    """What the core would count along; None if it is curved."""
    if isinstance(curve, Batch):
        lines = Lines(
            device, device.upload(curve.x0), curve.starts, device.upload(curve.x1), curve.ends, True
        )
        lines.__dict__["host"] = curve
        return lines
    ends = curve.ends_of_lines
    if ends is None:
        return None
    numbers = np.arange(len(ends[0]))
    return Lines(
        device, device.upload(ends[0]), numbers, device.upload(ends[1]), numbers, False,
        curve.closed,
    )  # fmt: skip


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
    adopted = [device.adopt(value) for value in (x0, x1)]
    if adopted[0] is None and adopted[1] is None:
        return None
    points, counts = [], []
    for name, value, array in zip(("x0", "x1"), (x0, x1), adopted, strict=True):
        on_device = device.upload(np.asarray(value)) if array is None else array
        count, rows = _rows(device, name, on_device, shape)
        points.append(rows)
        counts.append(count)
    lines = {count for count in counts if count is not None}
    if len(lines) > 1:
        raise ValueError(
            f"x0 has {counts[0]} points and x1 {counts[1]}; "
            "give as many of one as of the other, or a single point"
        )
    number = lines.pop() if lines else 1
    starts, ends = (
        np.zeros(number, np.int64) if count is None else np.arange(number) for count in counts
    )
    return Lines(device, points[0], starts, points[1], ends, counts != [None, None])


def _rows(
    device: Device, name: str, array: Array, shape: tuple[int, ...]
) -> tuple[int | None, Array]:
    """How many rows of points these are, None for a single one; and all as rows of float64."""
    xp = device.xp
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is {what(array)}; it must hold floats or 64-bit integers")
    if array.shape != shape and array.shape[1:] != shape:
        raise ValueError(f"{name} has shape {array.shape}, but the network's input is {shape}")
    rows: Any = xp.ascontiguousarray(array, dtype="f8").reshape(-1, math.prod(shape))
    if not bool(xp.isfinite(rows).all()):
        raise ValueError(f"{name} holds infinities or NaN; every number must be finite")
    wide = array.dtype.kind in "iu" and array.dtype.itemsize == 8 and rows.size > 0
    if wide and float(xp.abs(rows).max()) >= _LARGE:
        raise ValueError(f"{name} holds integers beyond 2^53; round it to float64 first")
    return (None if array.shape == shape else len(rows)), rows
