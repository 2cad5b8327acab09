"""Windows that slide over an image, as ONNX and its kin describe them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Frame:
    """For each axis of the image: its size, and the window's extent, stride, dilation, padding."""

    size: tuple[int, ...]
    extent: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    ceil: bool = False

    def counts(self) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        counts = []
        for axis, size in enumerate(self.size):
            reach = self.dilations[axis] * (self.extent[axis] - 1) + 1
            room = size + self.before[axis] + self.after[axis] - reach
            if room < 0:
                raise ValueError(f"a window of {reach} does not fit into {size} padded entries")
            steps = -(-room // self.strides[axis]) if self.ceil else room // self.strides[axis]
            # No window begins in the padding at the end.
            if self.ceil and steps * self.strides[axis] >= size + self.before[axis]:
                steps -= 1
            counts.append(steps + 1)
        return tuple(counts)

    def windows(self, index: Indices) -> tuple[Indices, npt.NDArray[np.bool_]]:
        """The entries of index [..., *size] in every window: [..., *counts, entries], -1 outside.

        And which of a window's places lie in the image or its padding: [*counts, entries].
        """
        counts = self.counts()
        places = [
            np.arange(count)[:, None] * stride + np.arange(extent) * dilation - before
            for count, stride, extent, dilation, before in zip(
                counts, self.strides, self.extent, self.dilations, self.before, strict=True
            )
        ]  # per axis [count, extent]
        rank = len(counts)
        shape = (*counts, *self.extent)
        inside = np.ones(shape, dtype=bool)
        padded = np.ones(shape, dtype=bool)
        where: list[Any] = [Ellipsis]
        for axis, place in enumerate(places):
            wide = [1] * (2 * rank)
            wide[axis], wide[rank + axis] = place.shape
            inside &= ((place >= 0) & (place < self.size[axis])).reshape(wide)
            padded &= (place < self.size[axis] + self.after[axis]).reshape(wide)
            clipped = np.clip(place, 0, self.size[axis] - 1).reshape(wide)
            where.append(np.broadcast_to(clipped, shape))
        entries = np.where(inside, index[tuple(where)], -1)
        flat = (*index.shape[: index.ndim - rank], *counts, -1)
        return entries.reshape(flat), padded.reshape(*counts, -1)


def frame(attributes: Mapping[str, Any], size: Sequence[int], extent: Sequence[int]) -> Frame:
    """From an ONNX node's attributes."""
    rank = len(size)
    extent = tuple(attributes.get("kernel_shape", extent))
    strides = tuple(attributes.get("strides", [1] * rank))
    dilations = tuple(attributes.get("dilations", [1] * rank))
    pads = tuple(attributes.get("pads", [0] * (2 * rank)))
    if {len(extent), len(strides), len(dilations), len(pads) // 2} != {rank}:
        raise ValueError(f"its attributes are not those of {rank} axes")
    if min(*extent, *strides, *dilations) < 1 or min(pads) < 0:
        raise ValueError("kernel_shape, strides, dilations must be positive, pads not negative")
    before, after = pads[:rank], pads[rank:]
    automatic = attributes.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        before, after = _same(size, extent, strides, dilations, upper=automatic == "SAME_UPPER")
    elif automatic == "VALID":
        before = after = (0,) * rank
    ceil = bool(attributes.get("ceil_mode", 0))
    return Frame(tuple(size), extent, strides, dilations, before, after, ceil)


def pair(values: Sequence[int], default: int) -> tuple[int, int]:
    """Of two axes; a single one becomes the second."""
    first, second = (default, *values) if len(values) == 1 else values
    return int(first), int(second)


def _same(
    size: Sequence[int],
    extent: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    *,
    upper: bool,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Padding that gives ceil(size / stride) windows."""
    before, after = [], []
    for n, k, s, d in zip(size, extent, strides, dilations, strict=True):
        total = max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
        small, large = total // 2, total - total // 2
        before.append(small if upper else large)
        after.append(large if upper else small)
    return tuple(before), tuple(after)
