"""Rows of a device times the matrices of maps."""

from __future__ import annotations

from collections.abc import Sequence
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
    """pixels: of an output channel; shape: int64 [17], see kernels; kernel [channels out, taps]."""

    device: Device
    groups: int
    pixels: int
    shape: Array
    kernel: Array

    def add(self, x: Rows, y: Rows) -> None:
        (channels, taps), pixels = self.kernel.shape, self.pixels
        if x.lows is not None:
            self.device.run(
                "convolve_extended", len(x.array) * channels * pixels, self.shape,
                self.kernel, *x.extended_place, *y.extended_place,
            )  # fmt: skip
            return
        at_once = max(1, _PATCHES // (8 * taps * pixels))
        for first in range(0, len(x.array), at_once):
            last = first + at_once
            self._add_some(x.part(first, last), y.part(first, last))

    def _add_some(self, x: Rows, y: Rows) -> None:
        (channels, taps), pixels = self.kernel.shape, self.pixels
        out = channels // self.groups
        for group in range(self.groups):
            patches = self.device.xp.empty((len(x.array), taps, pixels))
            self.device.run("unfold", patches.size, self.shape, group, x.array, *x.place, patches)
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


def blocks_of(
    core: _core.AffineMap, device: Device, weight: Array | None = None
) -> tuple[Block, ...]:
    """What the map's matrix is the sum of; `weight`: the matrix, if it is on the device already."""
    if weight is not None:
        return (Block(0, 0, DenseBlock(device, weight)),)
    return tuple(
        Block(in_offset, out_offset, _operation(kind, arrays, device))
        for in_offset, out_offset, kind, *arrays in core.blocks
    )


def _operation(kind: str, arrays: list[Array], device: Device) -> Operation:
    on_device = [device.upload(array) for array in arrays]
    if kind == "dense":
        return DenseBlock(device, *on_device)
    if kind == "convolution":
        *_, groups, height, width = map(int, arrays[0])
        return ConvolutionBlock(device, groups, height * width, *on_device)
    return SparseBlock(device, *on_device)


def stacked_weights(cores: Sequence[_core.AffineMap], device: Device) -> Array | None:
    """float64 [networks, inputs, outputs], where several networks' maps are one matrix each."""
    weights = []
    for core in cores if len(cores) > 1 else ():
        ((_, _, kind, *arrays), *others) = core.blocks
        if others or kind != "dense" or arrays[0].shape != (core.inputs, core.outputs):
            return None
        weights.append(arrays[0])
    return device.upload(np.stack(weights)) if weights else None


def multiply(
    blocks: Sequence[Sequence[Block]], stacked: Array | None, starts: list[int], x: Array,
    x_low: Array | None, y: Array, y_low: Array | None,
) -> None:  # fmt: skip
    """y += W x; rows starts[i] .. starts[i + 1] - 1 are those of network i."""
    longest = max(last - first for first, last in pairwise(starts))
    padded = len(blocks) * longest <= _MOST_PADDING * starts[-1]
    if stacked is not None and x_low is None and padded:
        y += _multiplied(stacked, blocks[0][0].operation.device, starts, longest, x)
        return
    for network, (first, last) in zip(blocks, pairwise(starts), strict=True):
        if first == last:
            continue
        for block in network:
            source, target = Rows(x, x_low, block.in_offset), Rows(y, y_low, block.out_offset)
            block.operation.add(source.part(first, last), target.part(first, last))


def _multiplied(weights: Array, device: Device, starts: list[int], longest: int, x: Array) -> Array:
    """One product for all networks, each with as many rows as the one with most."""
    xp, begins, row = device.xp, device.upload(np.array(starts[:-1])), device.xp.arange(len(x))
    network = xp.searchsorted(begins, row, side="right") - 1
    place = network * longest + row - begins[network]
    padded = xp.zeros((len(weights) * longest, x.shape[1]))
    padded[place] = x
    products = padded.reshape(len(weights), longest, -1) @ weights
    return products.reshape(len(padded), -1)[place]
