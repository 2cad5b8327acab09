"""Builds graphs tensor by tensor: what importers speak to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.activations import PiecewiseLinear
from pyexpr.graph import Activation, Affine, Graph, Input, Maximum, Node, Shape, renumbered, sources
from pyexpr.operations import Convolution, Dense, Indices, Operation, Sparse

MAX_WINDOW = 2**15  # so that letters fit int16


@dataclass(frozen=True, eq=False)
class Tensor:
    """A view of a node: its entries in any order, some of them repeated, left out or zero.

    Attributes
    ----------
    node : int
    index : int64 [*shape]
        Which of the node's entries each of the tensor's is; negative: zero.
    """

    node: int
    index: Indices

    @property
    def shape(self) -> Shape:
        return self.index.shape

    def view(self, index: Indices) -> Tensor:
        """Other entries of the same node."""
        return Tensor(self.node, np.ascontiguousarray(index))

    def reshape(self, shape: Sequence[int]) -> Tensor:
        return self.view(self.index.reshape(shape))

    def transpose(self, axes: Sequence[int]) -> Tensor:
        return self.view(self.index.transpose(axes))

    def pad(self, widths: Sequence[tuple[int, int]]) -> Tensor:
        """With zeros before and after along every axis; negative widths crop."""
        cropped = self.index[
            tuple(
                slice(max(0, -before), size - max(0, -after))
                for (before, after), size in zip(widths, self.shape, strict=True)
            )
        ]
        zeros = [(max(0, before), max(0, after)) for before, after in widths]
        return self.view(np.pad(cropped, zeros, constant_values=-1))


class Builder:
    """Collects the nodes of one graph.

    Linear operations take in what stands before them where that is exact: a permutation of a
    matrix's columns, a sum of sums. What they round is said with each of them.
    """

    def __init__(self, input_shape: Shape) -> None:
        self._nodes: list[Node] = [Input(input_shape)]

    @property
    def input(self) -> Tensor:
        return self._whole(0)

    def dense(self, x: Tensor, weight: FloatArray, bias: FloatArray) -> Tensor:
        """weight @ x + bias along the last axis: weight [out, in], bias [out]."""
        rows, width = prod(x.shape[:-1]), x.shape[-1]
        shape = (*x.shape[:-1], len(weight))
        if rows == 1:
            terms = self._product(x.reshape((width,)), weight)
        else:
            source = self._own(x)
            first = np.arange(rows * len(weight) + 1) * width
            column = np.repeat(np.arange(rows * width).reshape(rows, width), len(weight), axis=0)
            weights = np.tile(weight, (rows, 1))
            operation = Sparse(first, column.reshape(-1), weights.reshape(-1), rows * width)
            terms = ((source, operation),)
        return self._affine(shape, terms, np.tile(bias, rows))

    def convolution(self, x: Tensor, operation: Convolution, bias: FloatArray) -> Tensor:
        """Of x [channels, height, width], with bias [channels out]."""
        shape = operation.out_shape
        biases = np.repeat(bias, shape[1] * shape[2])
        return self._affine(shape, ((self._own(x), operation),), biases)

    def mean(self, x: Tensor, windows: Indices, divisors: FloatArray) -> Tensor:
        """The means of x's entries windows [*shape, k], those not negative; rounds 1 / divisor.

        divisors : float64 [*shape]
        """
        flat = windows.reshape(-1, windows.shape[-1])
        operation = Sparse.mean(flat, divisors.reshape(-1), prod(x.shape))
        terms = ((self._own(x), operation),)
        return self._affine(divisors.shape, terms, np.zeros(len(flat)))

    def mean_of(self, x: Tensor, windows: Indices) -> Tensor:
        """The means of x's entries windows [*shape, k], none negative; rounds 1 / k."""
        return self.mean(x, windows, np.full(windows.shape[:-1], float(windows.shape[-1])))

    def add(self, x: Tensor, y: Tensor, sign: float = 1.0) -> Tensor:
        """x + sign y, of one shape; rounds the sum of two biases."""
        left, right = self._sum(x), self._sum(y)
        size = prod(y.shape)
        terms = (
            *left.terms,
            *(
                (node, op.scaled(np.full(size, sign)) if sign != 1 else op)
                for node, op in right.terms
            ),
        )
        return self._affine(x.shape, terms, left.bias + sign * right.bias)

    def scale_shift(self, x: Tensor, scale: FloatArray, shift: FloatArray) -> Tensor:
        """x * scale + shift, broadcast to x's shape; rounds products with weights and biases."""
        factors = np.ascontiguousarray(np.broadcast_to(scale, x.shape)).reshape(-1)
        shifts = np.broadcast_to(shift, x.shape).reshape(-1)
        total = self._sum(x)
        if (factors == 1).all():
            return self._affine(x.shape, total.terms, total.bias + shifts)
        try:
            terms = tuple((node, op.scaled(factors)) for node, op in total.terms)
        except ValueError:  # a convolution whose channels are scaled unevenly
            node = self._own(x)
            operation = Sparse.take(np.arange(factors.size), factors.size).scaled(factors)
            return self._affine(x.shape, ((node, operation),), np.array(shifts))
        return self._affine(x.shape, terms, total.bias * factors + shifts)

    def concatenate(self, parts: Sequence[Tensor | FloatArray], axis: int) -> Tensor:
        """Tensors and constants side by side."""
        shapes = [part.shape for part in parts]
        shape = list(shapes[0])
        shape[axis] = sum(s[axis] for s in shapes)
        terms: list[tuple[int, Operation]] = []
        bias = np.zeros(shape)
        start = 0
        for part in parts:
            here = [slice(None)] * len(shape)
            here[axis] = slice(start, start + part.shape[axis])
            start += part.shape[axis]
            if isinstance(part, np.ndarray):
                bias[tuple(here)] = part
                continue
            index = np.full(shape, -1)
            index[tuple(here)] = part.index
            size = prod(self._nodes[part.node].shape)
            terms.append((part.node, Sparse.take(index.reshape(-1), size)))
        return self._affine(tuple(shape), tuple(terms), bias.reshape(-1))

    def activation(self, x: Tensor, function: PiecewiseLinear) -> Tensor:
        """function(x), entry by entry."""
        self._nodes.append(Activation(x.shape, self._own(x), function))
        return self._whole(len(self._nodes) - 1)

    def maximum(self, x: Tensor, windows: Indices) -> Tensor:
        """The largest of x's entries windows [*shape, k], those not negative; ties: the first."""
        *shape, slots = windows.shape
        if not 1 <= slots <= MAX_WINDOW:
            raise ValueError(f"a window has {slots} entries, and the limit is {MAX_WINDOW}")
        flat = windows.reshape(-1, slots)
        if not (flat >= 0).any(axis=1).all():
            raise ValueError("a window lies in the padding")
        self._nodes.append(Maximum(tuple(shape), self._own(x), flat))
        return self._whole(len(self._nodes) - 1)

    def graph(self, output: Tensor) -> Graph:
        """Of what the output needs."""
        last = self._own(output)
        if last == 0 and output.shape != self._nodes[0].shape:
            last = self._affine(output.shape, self._copy(output), np.zeros(output.index.size)).node
        needed = {0, last}
        for i in range(last, -1, -1):
            if i in needed:
                needed.update(sources(self._nodes[i]))
        order = sorted(needed)
        number = {node: i for i, node in enumerate(order)}
        nodes = [renumbered(self._nodes[i], number) for i in order]
        nodes[-1] = replace(nodes[-1], shape=output.shape)
        return Graph(tuple(nodes))

    def _whole(self, node: int) -> Tensor:
        shape = self._nodes[node].shape
        return Tensor(node, np.arange(prod(shape)).reshape(shape))

    def _affine(
        self, shape: Shape, terms: tuple[tuple[int, Operation], ...], bias: FloatArray
    ) -> Tensor:
        self._nodes.append(Affine(shape, terms, np.array(bias, dtype=np.float64)))
        return self._whole(len(self._nodes) - 1)

    def _is_whole(self, x: Tensor) -> bool:
        size = prod(self._nodes[x.node].shape)
        return x.index.size == size and np.array_equal(x.index.reshape(-1), np.arange(size))

    def _own(self, x: Tensor) -> int:
        """A node with x's entries in x's order."""
        if self._is_whole(x):
            return x.node
        return self._affine(x.shape, self._copy(x), np.zeros(x.index.size)).node

    def _copy(self, x: Tensor) -> tuple[tuple[int, Operation], ...]:
        size = prod(self._nodes[x.node].shape)
        return ((x.node, Sparse.take(x.index.reshape(-1), size)),)

    def _sum(self, x: Tensor) -> Affine:
        """x as terms and a bias."""
        node = self._nodes[x.node]
        if isinstance(node, Affine) and self._is_whole(x):
            return node
        return Affine(x.shape, self._copy(x), np.zeros(x.index.size))

    def _product(self, x: Tensor, weight: FloatArray) -> tuple[tuple[int, Operation], ...]:
        """weight @ x: a permuted or padded x permutes the columns instead."""
        used = x.index[x.index >= 0]
        size = prod(self._nodes[x.node].shape)
        if len(np.unique(used)) != len(used) or 2 * len(used) < size:
            return ((self._own(x), Dense(weight)),)
        columns = np.zeros((len(weight), size))
        columns[:, used] = weight[:, x.index >= 0]
        return ((x.node, Dense(columns)),)
