"""Operators that importers share: of tensors that depend on the input, and of constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr import activations
from pyexpr._arrays import FloatArray
from pyexpr.activations import PiecewiseLinear
from pyexpr.build import Builder, Tensor
from pyexpr.io import _windows
from pyexpr.io._windows import Frame
from pyexpr.operations import Convolution, Indices

Array: TypeAlias = npt.NDArray[Any]
Value: TypeAlias = Tensor | Array

MAX_ENTRIES = 2**27  # of a tensor: 1 GiB of float64


class Refused(Exception):
    """What the operator asks for is not supported."""


def checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in shape)
    if min(sizes, default=1) < 0 or prod(sizes) > MAX_ENTRIES:
        raise ValueError(
            f"model: a tensor has shape {sizes}, and the limit is {MAX_ENTRIES} entries"
        )
    return sizes


def present(value: Value | None) -> Value:
    if value is None:
        raise Refused("its input is missing")
    return value


def tensor(value: Value | None) -> Tensor:
    if not isinstance(value, Tensor):
        raise Refused("its input must depend on the network's input")
    return value


def floats(value: Value | None, what: str) -> FloatArray:
    if not isinstance(value, np.ndarray):
        raise Refused(f"{what} must be a constant")
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise Refused(f"{what} is not finite")
    return array


def index(x: Value) -> Array:
    """What a tensor's entries are, or a constant's: for operators that only move them."""
    return x.index if isinstance(x, Tensor) else x


def like(x: Value, entries: Array) -> Value:
    return x.view(entries) if isinstance(x, Tensor) else entries


# --- activations ---


def between(builder: Builder, x: Tensor, low: float | None, high: float | None) -> Tensor:
    """x clipped; limits beyond float32 are none."""
    largest = float(np.finfo(np.float32).max)
    low = None if low is None or low <= -largest else low
    high = None if high is None or high >= largest else high
    if low is None and high is None:
        return x
    if low is not None and high is not None:
        if not low < high:
            raise Refused(f"its limits are {low} and {high}")
        function = activations.Clip(low, high)
    elif low is not None:
        function = PiecewiseLinear([low], [0.0, 1.0], low)
    else:
        assert high is not None
        function = PiecewiseLinear([high], [1.0, 0.0], high)
    return builder.activation(x, function)


def hard_sigmoid(builder: Builder, x: Tensor, alpha: float, beta: float) -> Tensor:
    """alpha x + beta, clipped to [0, 1]; rounds where that begins and ends."""
    if not alpha > 0:
        raise Refused(f"alpha is {alpha}")
    ends = [-beta / alpha, (1 - beta) / alpha]
    return builder.activation(x, PiecewiseLinear(ends, [0.0, alpha, 0.0], 0.0))


def prelu(builder: Builder, x: Tensor, slopes: FloatArray) -> Tensor:
    below = np.broadcast_to(slopes, x.shape).reshape(-1)
    return builder.activation(x, activations.PReLU(below))


def extremum(builder: Builder, values: Sequence[Value], *, largest: bool) -> Value:
    """The largest, or smallest, entry by entry; of several tensors, the first of equal ones."""
    tensors = [v for v in values if isinstance(v, Tensor)]
    if len(tensors) == len(values) == 1:
        return tensors[0]
    if len(tensors) > 1:
        return _largest(builder, values) if largest else _smallest(builder, values)
    choose = np.maximum if largest else np.minimum
    constants = [v for v in values if not isinstance(v, Tensor)]
    if not tensors:
        return np.asarray(choose.reduce(constants))
    limit = choose.reduce([floats(v, "a limit") for v in constants])
    if limit.size == 1:
        bound = float(limit.reshape(()))
        return between(builder, tensors[0], *((bound, None) if largest else (None, bound)))
    one = np.ones(())
    x = broadcast(tensors[0], np.broadcast_shapes(tensors[0].shape, limit.shape))
    above: tuple[float | None, float | None] = (0.0, None) if largest else (None, 0.0)
    past = between(builder, builder.scale_shift(x, one, -limit), *above)
    return builder.scale_shift(past, one, limit)


def _largest(builder: Builder, values: Sequence[Value]) -> Tensor:
    shape = np.broadcast_shapes(*(value.shape for value in values))
    rows = [
        broadcast(value, shape).reshape((1, *shape))
        if isinstance(value, Tensor)
        else np.broadcast_to(floats(value, "an input"), (1, *shape))
        for value in values
    ]
    stacked = builder.concatenate(rows, 0)
    entries = np.arange(prod(stacked.shape)).reshape(stacked.shape)
    return builder.maximum(stacked, np.moveaxis(entries, 0, -1))


def _smallest(builder: Builder, values: Sequence[Value]) -> Tensor:
    minus = -np.ones(())
    negated = [scaled(builder, v, minus) if isinstance(v, Tensor) else -v for v in values]
    return scaled(builder, _largest(builder, negated), minus)


# --- sums and products ---


def broadcast(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x.view(np.broadcast_to(x.index, checked_shape(shape)))


def add(builder: Builder, x: Value, y: Value, sign: float = 1.0) -> Value:
    """x + sign y"""
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return np.asarray(x + y if sign == 1 else x - y if sign == -1 else x + sign * y)
    shape = np.broadcast_shapes(x.shape, y.shape)
    one = np.ones(())
    if not isinstance(y, Tensor):
        shift = sign * floats(y, "the other input")
        return builder.scale_shift(broadcast(tensor(x), shape), one, shift)
    right = broadcast(y, shape)
    if not isinstance(x, Tensor):
        return builder.scale_shift(right, sign * one, floats(x, "the other input"))
    return builder.add(broadcast(x, shape), right, sign)


def subtract(builder: Builder, x: Value, y: Value) -> Value:
    return add(builder, x, y, -1.0)


def multiply(builder: Builder, x: Value, y: Value) -> Value:
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return np.asarray(x * y)
    entries, factor = (x, y) if isinstance(x, Tensor) else (tensor(y), x)
    return scaled(builder, entries, floats(factor, "one factor"))


def divide(builder: Builder, x: Value, y: Value) -> Value:
    divisor = floats(y, "the divisor")
    if (divisor == 0).any():
        raise Refused("it divides by zero")
    if isinstance(x, np.ndarray):
        return np.asarray(x // y if x.dtype.kind in "iu" else x / y)
    return scaled(builder, x, 1.0 / divisor)


def scaled(builder: Builder, x: Tensor, factor: FloatArray) -> Tensor:
    shape = np.broadcast_shapes(x.shape, factor.shape)
    return builder.scale_shift(broadcast(x, shape), factor, np.zeros(()))


def matmul(builder: Builder, a: Value, b: Value) -> Value:
    """With a constant matrix on either side."""
    if isinstance(a, Tensor):
        weight = _matrix(b)
        return builder.dense(a, np.ascontiguousarray(weight.T), np.zeros(weight.shape[1]))
    weight, x = _matrix(a), tensor(b)
    if len(x.shape) == 1:
        return builder.dense(x, weight, np.zeros(len(weight)))
    axes = (*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2)
    product = builder.dense(x.transpose(axes), weight, np.zeros(len(weight)))
    return product.transpose(axes)


def _matrix(value: Value) -> FloatArray:
    matrix = floats(value, "the other factor")
    if matrix.ndim != 2:
        raise Refused(f"its constant factor has shape {matrix.shape}; it must be a matrix")
    return matrix


def batch_normalization(
    builder: Builder,
    x: Tensor,
    scale: FloatArray,
    shift: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    epsilon: float,
) -> Tensor:
    """Of the second axis; rounds the factor and the shift that it comes to."""
    factor = scale / np.sqrt(variance + epsilon)
    axes = (1, -1, *[1] * (len(x.shape) - 2))
    return builder.scale_shift(x, factor.reshape(axes), (shift - mean * factor).reshape(axes))


# --- windows ---


def convolution(
    builder: Builder, x: Tensor, kernel: FloatArray, bias: FloatArray, frame: Frame, groups: int
) -> Tensor:
    """Of one sample: x [1, channels, *size], size over one or two axes."""
    axes = len(x.shape) - 2
    if axes not in (1, 2) or kernel.ndim != axes + 2 or x.shape[0] != 1:
        raise Refused("convolutions over one or two axes are supported")
    flat = axes == 1  # a row of an image of height 1
    operation = Convolution(
        np.ascontiguousarray(kernel[:, :, None] if flat else kernel),
        _windows.pair(frame.size, 1),
        _windows.pair(frame.strides, 1),
        (*_windows.pair(frame.before, 0), *_windows.pair(frame.after, 0)),
        _windows.pair(frame.dilations, 1),
        groups,
    )
    if groups < 1 or operation.channels != x.shape[1] or len(kernel) % groups:
        raise Refused(f"the kernel has shape {kernel.shape} with {groups} groups, x {x.shape}")
    checked_shape(operation.out_shape)
    image = x.reshape((x.shape[1], *operation.size))
    out = builder.convolution(image, operation, bias)
    channels, height, width = out.shape
    return out.reshape((1, channels, width) if flat else (1, channels, height, width))


def average_pool(
    builder: Builder,
    x: Tensor,
    frame: Frame,
    *,
    with_padding: bool,
    divisor: float | None = None,
) -> Tensor:
    """Divided by the entries in the window, with the padding's or not, or by the divisor."""
    windows, inside = _windows_of(x, frame)
    divisors = (inside if with_padding else windows >= 0).sum(axis=-1).astype(np.float64)
    if divisor is not None:
        divisors[...] = divisor
    if (divisors == 0).any():
        raise Refused("a window holds nothing")
    return builder.mean(x, windows, np.broadcast_to(divisors, windows.shape[:-1]))


def max_pool(builder: Builder, x: Tensor, frame: Frame) -> Tensor:
    return builder.maximum(x, _windows_of(x, frame)[0])


def _windows_of(x: Tensor, frame: Frame) -> tuple[Indices, npt.NDArray[np.bool_]]:
    images = x.shape[: len(x.shape) - len(frame.size)]
    checked_shape((*images, *frame.counts(), *frame.extent))
    return frame.windows(np.arange(prod(x.shape)).reshape(x.shape))


def over(
    reduce: Callable[[Tensor, Indices], Tensor], x: Tensor, axes: Sequence[int], *, keep: bool
) -> Tensor:
    """Whole axes reduced; they stay, with size 1, or go."""
    rank = len(x.shape)
    gone = sorted({axis % rank for axis in axes})
    if not gone:
        return x
    rest = [axis for axis in range(rank) if axis not in gone]
    entries = np.arange(prod(x.shape)).reshape(x.shape).transpose([*rest, *gone])
    reduced = reduce(x, entries.reshape(*entries.shape[: len(rest)], -1))
    if not keep:
        return reduced
    return reduced.reshape([1 if axis in gone else x.shape[axis] for axis in range(rank)])


# --- shapes ---


def pad(
    builder: Builder, x: Tensor, widths: Sequence[tuple[int, int]], mode: str, fill: float
) -> Tensor:
    """Before and after along every axis, by one of numpy's modes; negative widths crop."""
    checked_shape([n + sum(around) for n, around in zip(x.shape, widths, strict=True)])
    if mode in ("reflect", "edge", "wrap") and min(min(around) for around in widths) >= 0:
        named: Any = mode  # numpy's types know these words alone
        return x.view(np.pad(x.index, widths, mode=named))
    if mode != "constant":
        raise Refused(f"its mode is {mode!r}")
    padded = x.pad(widths)
    if fill == 0:
        return padded
    return builder.scale_shift(padded, np.ones(()), np.where(padded.index < 0, float(fill), 0.0))


def concatenate(builder: Builder, parts: Sequence[Value], axis: int) -> Value:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate([index(part) for part in parts], axis)
    first = parts[0]
    nodes = {part.node if isinstance(part, Tensor) else None for part in parts}
    if None not in nodes and len(nodes) == 1:
        return like(first, np.concatenate([index(part) for part in parts], axis))
    constants = [p if isinstance(p, Tensor) else floats(p, "a part") for p in parts]
    return builder.concatenate(constants, axis % len(first.shape))
