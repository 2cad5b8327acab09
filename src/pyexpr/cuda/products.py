"""Rows of a device times the matrices of maps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from pyexpr import _core
from pyexpr.cuda.devices import Array, Device

_PATCHES = 1 << 28  # bytes of patches at a time
# Columns of zeros are left out of products of so many terms, if that leaves out such a part.
_LARGE_PRODUCT = 1 << 28
_WORTH_LEAVING_OUT = 0.1
# Rows of many networks are multiplied at once if padding makes them at most so many times more.
_MOST_PADDING = 2


@dataclass(frozen=True, eq=False)
class Rows:
    """Some rows, from a place of each on: array[i, offset], array[i, offset + 1], ...

    `lows`: their low parts, where they are in double-double.
    """

    array: Array
    lows: Array | None
    offset: int

    def part(self, first: int, last: int) -> Rows:
        lows = None if self.lows is None else self.lows[first:last]
        return Rows(self.array[first:last], lows, self.offset)

    @property
    def place(self) -> tuple[int, int]:
        return self.array.shape[1], self.offset

    @property
    def extended_place(self) -> tuple[Array, Array | None, int, int]:
        return self.array, self.lows, *self.place


@dataclass(frozen=True, eq=False)
class DenseBlock:
    """weight: float64 [inputs, outputs]."""

    device: Device
    weight: Array

    def add(self, x: Rows, y: Rows) -> None:
        inputs, outputs = self.weight.shape
        if x.lows is not None:
            self.device.run(
                "multiply_dense_extended", len(x.array) * outputs, inputs, outputs, self.weight,
                *x.extended_place, *y.extended_place,
            )  # fmt: skip
            return
        rows = x.array[:, x.offset : x.offset + inputs]
        y.array[:, y.offset : y.offset + outputs] += self._times(rows)

    def _times(self, rows: Array) -> Array:
        """Without what is off everywhere."""
        inputs, outputs = self.weight.shape
        if len(rows) * inputs * outputs < _LARGE_PRODUCT:
            return rows @ self.weight
        xp = self.device.xp
        used = xp.flatnonzero(rows.any(axis=0))
        if len(used) > (1 - _WORTH_LEAVING_OUT) * inputs:
            return rows @ self.weight
        return rows[:, used] @ self.weight[used]


@dataclass(frozen=True, eq=False)
class ConvolutionBlock:
    """shape: see kernels, int64 [17]; kernel: float64 [channels out, taps]."""

    device: Device
    shape: tuple[int, ...]
    device_shape: Array
    kernel: Array

    def add(self, x: Rows, y: Rows) -> None:
        channels, taps = self.kernel.shape
        pixels = self.shape[15] * self.shape[16]
        if x.lows is not None:
            self.device.run(
                "convolve_extended", len(x.array) * channels * pixels, self.device_shape,
                self.kernel, *x.extended_place, *y.extended_place,
            )  # fmt: skip
            return
        at_once = max(1, _PATCHES // (8 * taps * pixels))
        for first in range(0, len(x.array), at_once):
            last = first + at_once
            self._add_some(x.part(first, last), y.part(first, last))

    def _add_some(self, x: Rows, y: Rows) -> None:
        groups, pixels = self.shape[14], self.shape[15] * self.shape[16]
        channels, taps = self.kernel.shape
        out = channels // groups
        for group in range(groups):
            patches = self.device.xp.empty((len(x.array), taps, pixels))
            self.device.run(
                "unfold", patches.size, self.device_shape, group, x.array, *x.place, patches
            )
            product = self.kernel[group * out : (group + 1) * out] @ patches
            first = y.offset + group * out * pixels
            y.array[:, first : first + out * pixels] += product.reshape(len(patches), -1)


@dataclass(frozen=True, eq=False)
class SparseBlock:
    """Entries by row: those of row q are first[q] .. first[q + 1] - 1."""

    device: Device
    first: Array
    column: Array
    weight: Array

    def add(self, x: Rows, y: Rows) -> None:
        outputs = len(self.first) - 1
        matrix = outputs, self.first, self.column, self.weight
        if x.lows is not None:
            self.device.run(
                "multiply_sparse_extended", len(x.array) * outputs, *matrix, *x.extended_place,
                *y.extended_place,
            )  # fmt: skip
            return
        self.device.run(
            "multiply_sparse", len(x.array) * outputs, *matrix, x.array, *x.place, y.array, *y.place
        )


Operation: TypeAlias = DenseBlock | ConvolutionBlock | SparseBlock


@dataclass(frozen=True, eq=False)
class Block:
    """An operation from some of a map's inputs to some of its outputs."""

    in_offset: int
    out_offset: int
    operation: Operation


def blocks_of(core: _core.AffineMap, device: Device) -> tuple[Block, ...]:
    return tuple(
        Block(in_offset, out_offset, _operation(kind, arrays, device))
        for in_offset, out_offset, kind, *arrays in core.blocks
    )


def _operation(kind: str, arrays: list[Array], device: Device) -> Operation:
    on_device = [device.upload(array) for array in arrays]
    if kind == "dense":
        return DenseBlock(device, *on_device)
    if kind == "convolution":
        return ConvolutionBlock(device, tuple(map(int, arrays[0])), *on_device)
    return SparseBlock(device, *on_device)


def multiply(
    blocks: tuple[tuple[Block, ...], ...], starts: list[int], x: Array, x_low: Array | None,
    y: Array, y_low: Array | None,
) -> None:  # fmt: skip
    """y += W x; rows starts[i] .. starts[i + 1] - 1 are those of network i."""
    if x_low is None and _can_be_padded(blocks, starts):
        _multiply_padded(blocks, starts, x, y)
        return
    for network, (first, last) in zip(blocks, pairwise(starts), strict=True):
        if first == last:
            continue
        for block in network:
            source, target = Rows(x, x_low, block.in_offset), Rows(y, y_low, block.out_offset)
            block.operation.add(source.part(first, last), target.part(first, last))


def _can_be_padded(blocks: tuple[tuple[Block, ...], ...], starts: list[int]) -> bool:
    """Whether several networks have one matrix each, and about as many rows."""
    longest = max(last - first for first, last in pairwise(starts))
    return (
        len(blocks) > 1
        and all(len(network) == 1 for network in blocks)
        and isinstance(blocks[0][0].operation, DenseBlock)
        and len(blocks) * longest <= _MOST_PADDING * starts[-1]
    )


def _multiply_padded(
    blocks: tuple[tuple[Block, ...], ...], starts: list[int], x: Array, y: Array
) -> None:
    """One product for all networks, each with as many rows as the one with most."""
    operations = [network[0].operation for network in blocks]
    dense = [operation for operation in operations if isinstance(operation, DenseBlock)]
    device = dense[0].device
    xp, begins = device.xp, device.upload(np.array(starts[:-1]))
    longest = max(last - first for first, last in pairwise(starts))
    row = xp.arange(len(x))
    network = xp.searchsorted(begins, row, side="right") - 1
    place = network * longest + row - begins[network]
    padded = xp.zeros((len(dense) * longest, x.shape[1]))
    padded[place] = x
    weights = xp.stack([block.weight for block in dense])
    products = padded.reshape(len(dense), longest, -1) @ weights
    y += products.reshape(len(padded), -1)[place]
