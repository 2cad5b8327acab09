"""Degenerate graphs and segments, as data: name -> graph, x0, x1. Grow it with every bug."""

from collections.abc import Callable, Sequence
from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

import pyexpr
from pyexpr.build import Builder, Tensor
from pyexpr.graph import Graph
from pyexpr.io._windows import Frame
from pyexpr.operations import Convolution

Array: TypeAlias = npt.NDArray[np.float64]
Segment: TypeAlias = tuple[Graph, Array, Array]
Make: TypeAlias = Callable[[Builder, Tensor], Tensor]

RELU = pyexpr.ReLU()


def on_segment(x0: object, x1: object, make: Make) -> Segment:
    start, end = np.array(x0, float), np.array(x1, float)
    builder = Builder(start.shape)
    return builder.graph(make(builder, builder.input)), start, end


def largest(*windows: Sequence[int]) -> Make:
    return lambda builder, x: builder.maximum(x, np.array(windows))


def negative(builder: Builder, x: Tensor) -> Tensor:
    return builder.scale_shift(x, np.array(-1.0), np.array(0.0))


def pooled(builder: Builder, x: Tensor, extent: int, stride: int, pad: int = 0) -> Tensor:
    frame = Frame(x.shape[1:], (extent,) * 2, (stride,) * 2, (1, 1), (pad,) * 2, (pad,) * 2)
    return builder.maximum(x, frame.windows(np.arange(prod(x.shape)).reshape(x.shape))[0])


def convolved(builder: Builder, x: Tensor, kernel: Array, groups: int = 1) -> Tensor:
    pad = kernel.shape[2] // 2
    operation = Convolution(kernel, (x.shape[1], x.shape[2]), pads=(pad,) * 4, groups=groups)
    return builder.activation(builder.convolution(x, operation, np.zeros(len(kernel))), RELU)


# Max pooling.


def ties() -> dict[str, Segment]:
    zigzag = [0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]
    return {
        "all of a window equal": on_segment([1, 1, 1], [2, 2, 2], largest((2, 0, 1))),
        "all of a window zero": on_segment([0, 0, 0], [0, 0, 0], largest((2, 0, 1))),
        "the largest twice": on_segment(*zigzag, largest((0, 1, 2, 3))),
        "the largest twice, in another order": on_segment(*zigzag, largest((1, 2, 3, 0))),
        "one entry, again and again": on_segment([0, 1], [1, 0], largest((0, 0, 1, 1, 0))),
        "three meet in one point": on_segment([0, 1, 2], [2, 1, 0], largest((0, 1, 2))),
        "four meet, two of them below": on_segment(
            [0, 4, 1, 3], [4, 0, 3, 1], largest((2, 3, 0, 1), (3, 2, 1, 0))
        ),
        "a touch from below": on_segment(
            [-1, 0],
            [1, 0],
            lambda b, x: b.maximum(
                negative(b, b.activation(x, pyexpr.Abs())), np.array([[0, 1], [1, 0]])
            ),
        ),
        "losers cross": on_segment([0, 1, 5], [1, 0, 5], largest((0, 1, 2), (2, 1, 0), (1, 2, 0))),
        "equal at the start": on_segment([1, 1], [2, 3], largest((0, 1), (1, 0))),
        "equal at the end": on_segment([2, 3], [1, 1], largest((0, 1), (1, 0))),
        "two windows alike": on_segment([0, 1, 9], [1, 0, 9], largest((0, 1, 2), (0, 1, -1))),
        "breakpoints 2^-50 apart": on_segment(
            [0, 1, 0], [1, 0, 1 + 2.0**-50], largest((0, 1), (2, 1), (0, 2))
        ),
        "next to nothing between entries": on_segment(
            [1, 1 + 2.0**-52], [1 + 2.0**-52, 1], largest((0, 1))
        ),
    }


def windows() -> dict[str, Segment]:
    rng = np.random.default_rng(0)
    seven = rng.integers(-3, 4, 7), rng.integers(-3, 4, 7)
    return {
        "one entry": on_segment([1, 2], [2, 1], largest((1,), (0,))),
        "one entry beside padding": on_segment([1, 2], [2, 1], largest((-1, 1, -1), (0, -1, -1))),
        "padding first": on_segment(
            [1, 2, 0], [0, 1, 2], largest((-1, -1, 2, -1, 0), (-1, 1, 2, 0, -1))
        ),
        "seven entries": on_segment(*seven, largest((0, 1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1, 0))),
        "five entries": on_segment(*seven, largest((4, 0, 3, 1, 2), (6, 5, 6, 0, 0))),
        "a hundred entries": on_segment(
            rng.integers(-9, 9, 100), rng.integers(-9, 9, 100), largest([*range(100)])
        ),
    }


def networks() -> dict[str, Segment]:
    rng = np.random.default_rng(1)
    small = [rng.integers(-2, 3, (2, c, 3, 3)).astype(float) for c in (1, 2)]
    kernel = rng.standard_normal((2, 1, 3, 3))
    spot = np.zeros((1, 6, 6))
    spot[0, 2, 2] = 1
    other = np.zeros((1, 6, 6))
    other[0, 3, 4] = 1

    def off_everywhere(b: Builder, x: Tensor) -> Tensor:
        below = b.scale_shift(b.activation(x, RELU), np.array(-1.0), np.array(0.0))
        return b.maximum(b.activation(below, RELU), np.array([[0, 1], [1, 2]]))

    def dead_behind(b: Builder, x: Tensor) -> Tensor:
        most = b.maximum(x, np.array([[0, 1], [1, 2]]))
        return b.activation(b.scale_shift(most, np.array(-1.0), np.array(-9.0)), RELU)

    def against_itself(b: Builder, x: Tensor) -> Tensor:
        """max(a, b) - relu(b - a) - a, which is zero."""
        most = b.maximum(x, np.array([[0, 1]]))
        step = b.dense(x, np.array([[-1.0, 1.0]]), np.zeros(1))
        return b.add(
            b.add(most, b.activation(step, RELU), -1.0), b.maximum(x, np.array([[0]])), -1.0
        )

    def twice(b: Builder, x: Tensor) -> Tensor:
        first = pooled(b, convolved(b, x, small[0]), 2, 1)
        return pooled(b, convolved(b, first, small[1]), 3, 2, 1)

    tiny = pyexpr.PiecewiseLinear([0.0, 1e-200], [0.0, 1e-200, 0.0])  # 0, then up to 1e-400
    return {
        "a value that float64 has not": on_segment([2, -1], [1, -2], lambda b, x: b.maximum(
            b.activation(x, tiny), np.array([[1, 0], [0, 1]])
        )),
        "ReLUs that are off": on_segment([-1, 2, -3], [3, -1, -1], lambda b, x: b.maximum(
            b.activation(x, RELU), np.array([[0, 1], [1, 2], [2, 0]])
        )),
        "ReLUs that are always off": on_segment([-1, 2, -3], [3, -1, -1], off_everywhere),
        "nothing passes behind the maximum": on_segment([1, 2, 3], [3, 1, 2], dead_behind),
        "a maximum taken away again": on_segment([0, 1], [1, 0], against_itself),
        "a maximum of maxima": on_segment([3, 0, 2, 1], [0, 3, 1, 2], lambda b, x: b.maximum(
            b.maximum(x, np.array([[0, 1], [2, 3], [1, 2]])), np.array([[0, 1], [2, 0]])
        )),
        "an image's background": on_segment(
            spot, other, lambda b, x: pooled(b, convolved(b, x, kernel), 2, 2)
        ),
        "a background that fades": on_segment(
            spot + 0.1, other, lambda b, x: pooled(b, convolved(b, x, kernel), 3, 2, 1)
        ),
        "small integers, pooled twice": on_segment(spot, 3 * other - 1, twice),
        "hard-tanhs at their limits": on_segment([-3, 2, 3], [3, 2, -2], lambda b, x: b.maximum(
            b.activation(x, pyexpr.HardTanh()), np.array([[0, 1, 2], [2, 1, 0]])
        )),
    }  # fmt: skip


# Skip connections and groups.


def sums() -> dict[str, Segment]:
    rng = np.random.default_rng(2)
    kernel = np.tile(rng.integers(-2, 3, (1, 1, 3, 3)), (4, 1, 1, 1)).astype(float)
    image = np.tile(rng.integers(-2, 3, (1, 4, 4)), (4, 1, 1))

    def cancelling(b: Builder, x: Tensor) -> Tensor:
        """x + relu(-x) - relu(x), which is zero."""
        minus, plus = b.activation(negative(b, x), RELU), b.activation(x, RELU)
        return b.add(b.add(x, minus), plus, -1.0)

    return {
        "what a skip connection cancels": on_segment([-1, -2], [1, 1], cancelling),
        "x + relu(-x)": on_segment(
            [-1, 2], [1, -3], lambda b, x: b.add(x, b.activation(negative(b, x), RELU))
        ),
        "equal channels in groups": on_segment(
            image, 1 - 2 * image, lambda b, x: convolved(b, x, kernel, groups=4)
        ),
        "equal channels in groups, pooled": on_segment(
            image, 1 - 2 * image, lambda b, x: pooled(b, convolved(b, x, kernel, groups=4), 2, 2)
        ),
    }


def scales() -> dict[str, Segment]:
    """Low parts in double-double, of what passes, that are all there is."""
    step = 2.0**-60
    one, none = np.array([[1.0]]), np.zeros(1)

    def small(b: Builder, x: Tensor) -> Tensor:
        return b.dense(x, np.array([[1, step, -1.0]]), none)

    def on(b: Builder, z: Tensor) -> Tensor:
        return b.activation(b.dense(z, one, np.array([-step / 2])), RELU)

    def beside_itself(b: Builder, x: Tensor) -> Tensor:
        z = small(b, x)
        doubled = b.scale_shift(z, np.array(2.0), np.zeros(()))
        return on(b, b.add(doubled, b.activation(z, RELU), -1.0))

    ends = [1, 1, 1], [1, 3, 1]
    return {
        "a low part alone, passed on": on_segment(
            *ends, lambda b, x: on(b, b.dense(small(b, x), one, none))
        ),
        "a low part alone, behind a ReLU": on_segment(
            *ends, lambda b, x: on(b, b.activation(b.dense(small(b, x), one, none), RELU))
        ),
        "a low part alone, behind a skip connection": on_segment(*ends, beside_itself),
    }


def sums_of_sums() -> dict[str, Segment]:
    """Sums whose terms double from level to level."""

    def doubling(b: Builder, x: Tensor) -> Tensor:
        h = b.activation(x, RELU)
        for _ in range(40):
            h = b.activation(b.add(h, h), pyexpr.HardTanh(-4, 4))
        return h

    return {
        "forty doublings of nothing": on_segment([-1, 0], [-2, 0], doubling),
        "forty doublings": on_segment([-1, 1], [1, -1], doubling),
    }


TABLES = (ties, windows, networks, sums, scales, sums_of_sums)
CORPUS = {name: segment for table in TABLES for name, segment in table().items()}
