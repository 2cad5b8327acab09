"""The linear operations between tensors: what they are, what they do to numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import FloatArray
from pyexpr._frozen import Remade, frozen

Indices = npt.NDArray[np.int64]
Pair = tuple[int, int]


class Operation(Protocol):
    """A matrix [outputs, inputs] that is never written out."""

    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    @property
    def n_weights(self) -> int: ...
    @property
    def n_biases(self) -> int:
        """How many different ones its outputs have."""
        ...

    @property
    def structure(self) -> tuple[object, ...]:
        """Equal for operations that differ in nothing but their weights."""
        ...

    def apply(self, x: FloatArray) -> FloatArray:
        """[B, inputs] -> [B, outputs], in float64."""
        ...

    def apply_transposed(self, y: FloatArray) -> FloatArray:
        """The transposed matrix: [B, outputs] -> [B, inputs], in float64."""
        ...

    def scaled(self, factors: FloatArray) -> Operation:
        """With row i multiplied by factors[i], rounded: float64 [outputs]."""
        ...

    @property
    def core(self) -> _core.Operation:
        """The same for the core."""
        ...


class Dense:
    """A matrix; weight : float64 [out, in], read-only."""

    __slots__ = ("core",)

    core: _core.Operation

    def __init__(self, weight: FloatArray) -> None:
        self.core = _core.dense(weight)  # which holds the only copy

    @property
    def weight(self) -> FloatArray:
        return self.core.weight

    @property
    def inputs(self) -> int:
        return int(self.weight.shape[1])

    @property
    def outputs(self) -> int:
        return int(self.weight.shape[0])

    @property
    def n_weights(self) -> int:
        return self.weight.size

    @property
    def n_biases(self) -> int:
        return self.outputs

    @property
    def structure(self) -> tuple[object, ...]:
        return Dense, self.weight.shape

    def apply(self, x: FloatArray) -> FloatArray:
        product: FloatArray = x @ self.weight.T
        return product

    def apply_transposed(self, y: FloatArray) -> FloatArray:
        product: FloatArray = y @ self.weight
        return product

    def scaled(self, factors: FloatArray) -> Dense:
        return Dense(self.weight * factors[:, None])

    def __reduce__(self) -> tuple[type[Dense], tuple[FloatArray]]:
        return Dense, (self.weight,)

    def __str__(self) -> str:
        return f"dense {self.inputs} -> {self.outputs}"


@dataclass(frozen=True, eq=False)
class Convolution(Remade):
    """Cross-correlation over two axes; one axis is a height of 1.

    Attributes
    ----------
    kernel : float64 [channels out, channels in / groups, height, width]
    size : (height, width) of the image that comes in
    strides, dilations : (vertical, horizontal)
    pads : zeros added at the (top, left, bottom, right)
    groups : int
    """

    kernel: FloatArray
    size: Pair
    strides: Pair = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", frozen(self.kernel))

    @property
    def channels(self) -> int:
        """That come in."""
        return int(self.kernel.shape[1]) * self.groups

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """Channels, height and width that come out."""
        height, width = (
            (size + before + after - dilation * (extent - 1) - 1) // stride + 1
            for size, before, after, dilation, extent, stride in zip(
                self.size,
                self.pads[:2],
                self.pads[2:],
                self.dilations,
                self.kernel.shape[2:],
                self.strides,
                strict=True,
            )
        )
        return self.kernel.shape[0], height, width

    @property
    def inputs(self) -> int:
        return self.channels * self.size[0] * self.size[1]

    @property
    def outputs(self) -> int:
        channels, height, width = self.out_shape
        return channels * height * width

    @property
    def n_weights(self) -> int:
        return self.kernel.size

    @property
    def n_biases(self) -> int:
        return len(self.kernel)

    @property
    def structure(self) -> tuple[object, ...]:
        settings = self.size, self.strides, self.pads, self.dilations, self.groups
        return Convolution, self.kernel.shape, *settings

    def apply(self, x: FloatArray) -> FloatArray:
        top, left, bottom, right = self.pads
        images = x.reshape(len(x), self.channels, *self.size)
        padded = np.pad(images, ((0, 0), (0, 0), (top, bottom), (left, right)))
        sums = np.zeros((len(x), *self.out_shape))
        for taps, kernel in self._taps(padded):
            groups = taps.reshape(len(x), self.groups, -1, *self.out_shape[1:])
            sums += np.einsum("bgchw,goc->bgohw", groups, kernel, optimize=True).reshape(sums.shape)
        return sums.reshape(len(x), -1)

    def apply_transposed(self, y: FloatArray) -> FloatArray:
        (height, width), (top, left, bottom, right) = self.size, self.pads
        groups = y.reshape(len(y), self.groups, -1, *self.out_shape[1:])
        padded = np.zeros((len(y), self.channels, top + height + bottom, left + width + right))
        for taps, kernel in self._taps(padded):
            taps += np.einsum("bgohw,goc->bgchw", groups, kernel, optimize=True).reshape(taps.shape)
        return padded[:, :, top : top + height, left : left + width].reshape(len(y), -1)

    def _taps(self, padded: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
        """For each place of the kernel: what it meets, a view, and its weights by group."""
        height, width = self.out_shape[1:]
        for i, j in np.ndindex(*self.kernel.shape[2:]):
            rows = padded[:, :, i * self.dilations[0] :: self.strides[0]][:, :, :height]
            taps = rows[..., j * self.dilations[1] :: self.strides[1]][..., :width]
            yield taps, self.kernel[:, :, i, j].reshape(self.groups, -1, self.kernel.shape[1])

    def scaled(self, factors: FloatArray) -> Convolution:
        """The factors of a channel must be equal."""
        per_channel = factors.reshape(self.kernel.shape[0], -1)
        if not (per_channel == per_channel[:, :1]).all():
            raise ValueError("factors differ within a channel")
        kernel = self.kernel * per_channel[:, 0, None, None, None]
        return Convolution(kernel, self.size, self.strides, self.pads, self.dilations, self.groups)

    @property
    def core(self) -> _core.Operation:
        return _core.convolution(
            self.kernel, self.size, self.strides, self.pads, self.dilations, self.groups
        )

    def __str__(self) -> str:
        height, width = self.kernel.shape[2:]
        return f"convolution {height}x{width}, {self.channels} -> {self.kernel.shape[0]}"


@dataclass(frozen=True, eq=False)
class Sparse(Remade):
    """Few entries a row: row q has column[first[q] : first[q + 1]], increasing, and their weights.

    Attributes
    ----------
    first : int64 [out + 1]
    column : int64 [entries]
    weight : float64 [entries]
    inputs : int
    """

    first: Indices
    column: Indices
    weight: FloatArray
    inputs: int

    def __post_init__(self) -> None:
        for name in ("first", "column", "weight"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @classmethod
    def take(cls, index: Indices, inputs: int) -> Sparse:
        """Entry index[q] of the input, or 0 where that is negative."""
        present = index >= 0
        first = np.concatenate([[0], np.cumsum(present)]).astype(np.int64)
        column = np.ascontiguousarray(index[present], dtype=np.int64)
        return cls(first, column, np.ones(len(column)), inputs)

    @classmethod
    def difference(cls, plus: Indices, minus: Indices, inputs: int) -> Sparse:
        """Entry plus[q] less entry minus[q], either of them 0 where it is negative."""
        columns = np.stack([plus, minus], axis=1)
        order = np.argsort(columns, axis=1)
        present = (columns >= 0) & (plus != minus)[:, None]
        columns, present, signs = (
            np.take_along_axis(a, order, axis=1)
            for a in (columns, present, np.broadcast_to([1.0, -1.0], columns.shape))
        )
        first = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
        return cls(first, np.ascontiguousarray(columns[present], np.int64), signs[present], inputs)

    @classmethod
    def mean(cls, windows: Indices, divisors: FloatArray, inputs: int) -> Sparse:
        """Sums of the entries windows[q], those not negative, over divisors[q] (1 / d rounded)."""
        windows = np.sort(windows, axis=1)
        present = windows >= 0
        first = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
        weight = np.repeat(1.0 / divisors, present.sum(axis=1))
        return cls(first, np.ascontiguousarray(windows[present], dtype=np.int64), weight, inputs)

    @property
    def outputs(self) -> int:
        return len(self.first) - 1

    @property
    def n_weights(self) -> int:
        return 0  # copies, differences and means are no parameters

    @property
    def n_biases(self) -> int:
        return 0

    @property
    def structure(self) -> tuple[object, ...]:
        return Sparse, self.inputs, self.first.tobytes(), self.column.tobytes()

    def apply(self, x: FloatArray) -> FloatArray:
        sums = np.zeros((len(x), self.outputs))
        full = np.diff(self.first) > 0
        if full.any():
            products = x[:, self.column] * self.weight
            sums[:, full] = np.add.reduceat(products, self.first[:-1][full], axis=1)
        return sums

    def apply_transposed(self, y: FloatArray) -> FloatArray:
        return self._transposed.apply(y)

    @cached_property
    def _transposed(self) -> Sparse:
        order = np.argsort(self.column, kind="stable")
        rows = np.repeat(np.arange(self.outputs), np.diff(self.first))
        first = np.searchsorted(self.column[order], np.arange(self.inputs + 1))
        return Sparse(first, rows[order], self.weight[order], self.outputs)

    def scaled(self, factors: FloatArray) -> Sparse:
        weight = self.weight * np.repeat(factors, np.diff(self.first))
        return Sparse(self.first, self.column, weight, self.inputs)

    @property
    def core(self) -> _core.Operation:
        return _core.sparse(self.inputs, self.first, self.column, self.weight)

    def __str__(self) -> str:
        """What it is for, as far as that is plain."""
        entries = np.diff(self.first)
        if entries.max(initial=0) <= 1:
            if not (self.weight == 1).all():
                return "scale"
            whole = np.array_equal(self.column, np.arange(self.inputs))
            return "skip" if whole and self.outputs == self.inputs else "rearrange"
        if (self.weight == 1 / np.repeat(entries, entries)).all():
            return f"mean of {entries.max()}"
        return f"sparse {self.inputs} -> {self.outputs}"
