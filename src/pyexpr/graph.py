"""A network as a graph: tensors, each made of earlier ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr._frozen import Remade, frozen
from pyexpr._text import plural
from pyexpr.activations import PiecewiseLinear
from pyexpr.operations import Indices, Operation

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Input:
    """What the network is given."""

    shape: Shape


@dataclass(frozen=True, eq=False)
class Affine(Remade):
    """The sum of operation(node) over `terms`, plus bias: float64 [size]."""

    shape: Shape
    terms: tuple[tuple[int, Operation], ...]
    bias: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "bias", frozen(self.bias))


@dataclass(frozen=True, eq=False)
class Activation:
    """function(node), entry by entry; every entry is a neuron."""

    shape: Shape
    source: int
    function: PiecewiseLinear

    @property
    def first_letter(self) -> int:
        return self.function.first_letter

    def has_pieces(self, neurons: Indices, pieces: Indices) -> npt.NDArray[np.bool_]:
        """Whether each neuron has this piece, counted from 0: [k]."""
        return np.asarray((pieces >= 0) & (pieces <= len(self.function.breakpoints)))

    def evaluate(self, z: FloatArray) -> FloatArray:
        """[B, size] -> [B, size]"""
        return self.function.evaluate(z)

    def on_pieces(
        self, pieces: npt.NDArray[np.integer[Any]], z: FloatArray, *, with_bias: bool
    ) -> FloatArray:
        """The affine functions of pieces [B or 1, size], counted from 0, at z [B or 1, size]."""
        gain, offset = self.function.coefficients(pieces)
        return gain * z + offset if with_bias else gain * z

    def transposed(
        self, pieces: npt.NDArray[np.integer[Any]], y: FloatArray, inputs: int
    ) -> FloatArray:
        """Their linear parts' transposed: y [B or 1, size] -> [B or 1, inputs], inputs = size."""
        gain, _ = self.function.coefficients(pieces)
        return gain * y

    def __str__(self) -> str:
        return str(self.function)


@dataclass(frozen=True, eq=False)
class Maximum(Remade):
    """The largest of the entries windows[i] of the source, as in max pooling.

    Every entry is a neuron; its letter is where in its window the largest first occurs.

    Attributes
    ----------
    windows : int64 [size, k]
        Negative where a window has no entry, as in the padding; each has at least one.
    """

    shape: Shape
    source: int
    windows: Indices

    def __post_init__(self) -> None:
        object.__setattr__(self, "windows", frozen(self.windows))

    @property
    def first_letter(self) -> int:
        return 0

    def has_pieces(self, neurons: Indices, pieces: Indices) -> npt.NDArray[np.bool_]:
        """Whether each window has an entry in this slot: [k]."""
        slots = self.windows.shape[1]
        inside = (pieces >= 0) & (pieces < slots)
        entries = self.windows[neurons, np.where(inside, pieces, 0)]
        return np.asarray(inside & (entries >= 0))

    def evaluate(self, z: FloatArray) -> FloatArray:
        """[B, source's size] -> [B, size]"""
        largest = np.full((len(z), len(self.windows)), -np.inf)
        for slot in self.windows.T:
            np.maximum(largest, np.where(slot >= 0, z[:, slot], -np.inf), out=largest)
        return largest

    def on_pieces(
        self, pieces: npt.NDArray[np.integer[Any]], z: FloatArray, *, with_bias: bool
    ) -> FloatArray:
        """The entries pieces [B or 1, size] of the windows, of z [B or 1, source's size]."""
        chosen = self.windows[np.arange(len(self.windows)), pieces]
        rows = np.broadcast_to(z, (max(len(chosen), len(z)), z.shape[1]))
        return np.take_along_axis(rows, np.broadcast_to(chosen, (len(rows), chosen.shape[1])), 1)

    def transposed(
        self, pieces: npt.NDArray[np.integer[Any]], y: FloatArray, inputs: int
    ) -> FloatArray:
        """Each entry goes to the chosen one of its window: [B or 1, size] -> [B or 1, inputs]."""
        chosen, y = np.broadcast_arrays(self.windows[np.arange(len(self.windows)), pieces], y)
        places = chosen + inputs * np.arange(len(y))[:, None]
        flat = places.reshape(-1), y.reshape(-1)
        sums: FloatArray = np.bincount(*flat, inputs * len(y)).astype(np.float64, copy=False)
        return sums.reshape(len(y), inputs)

    def __str__(self) -> str:
        return f"max of {self.windows.shape[1]}"


Layer: TypeAlias = Activation | Maximum
Node: TypeAlias = Input | Affine | Layer


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in topological order: node 0 is the input, the last one the output."""

    nodes: tuple[Node, ...]

    @property
    def input_shape(self) -> Shape:
        return self.nodes[0].shape

    @property
    def output_shape(self) -> Shape:
        return self.nodes[-1].shape

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """What has neurons, in order."""
        return tuple(node for node in self.nodes if isinstance(node, Layer))

    def evaluate(
        self,
        x: FloatArray,
        activate: Callable[[int, FloatArray], FloatArray] | None = None,
        *,
        with_bias: bool = True,
    ) -> FloatArray:
        """The output [B, m] at x [B, n], both flat, in float64.

        `activate`, given a layer's number and its pre-activations, takes its function's place.
        """
        values: dict[int, FloatArray] = {0: x}
        last_use = self._last_use
        layer = 0
        for i, node in enumerate(self.nodes[1:], 1):
            if isinstance(node, Affine):
                z = sum(operation.apply(values[source]) for source, operation in node.terms)
                values[i] = z + node.bias if with_bias else z + np.zeros_like(node.bias)
            elif isinstance(node, Layer):
                z = values[node.source]
                values[i] = activate(layer, z) if activate else node.evaluate(z)
                layer += 1
            for source in [j for j in values if last_use[j] == i]:
                del values[source]
        return values[len(self.nodes) - 1]

    def transposed(
        self, y: FloatArray, deactivate: Callable[[int, FloatArray], FloatArray]
    ) -> FloatArray:
        """The transposed linear part, from behind: [B, m] -> [B, n], both flat, in float64.

        `deactivate`, given a layer's number and what comes to its output, says what goes on to its
        pre-activations.
        """
        sums = {len(self.nodes) - 1: y}
        number = len(self.layers)
        for i in range(len(self.nodes) - 1, 0, -1):
            node = self.nodes[i]
            number -= isinstance(node, Layer)
            if i not in sums:
                continue  # the output does not need it
            here = sums.pop(i)
            for source in sources(node):
                sums.setdefault(source, np.zeros((1, prod(self.nodes[source].shape))))
            if isinstance(node, Affine):
                for source, operation in node.terms:
                    sums[source] = sums[source] + operation.apply_transposed(here)
            elif isinstance(node, Layer):
                sums[node.source] = sums[node.source] + deactivate(number, here)
        return sums.get(0, np.zeros((1, prod(self.input_shape))))

    @cached_property
    def _last_use(self) -> dict[int, int]:
        uses = {i: len(self.nodes) for i in range(len(self.nodes))}
        for i, node in enumerate(self.nodes):
            for source in sources(node):
                uses[source] = i
        return uses


def sources(node: Node) -> list[int]:
    """The nodes that this one is made of."""
    if isinstance(node, Affine):
        return [source for source, _ in node.terms]
    return [node.source] if isinstance(node, Layer) else []


def renumbered(node: Node, number: dict[int, int]) -> Node:
    """With source i as number[i]."""
    if isinstance(node, Affine):
        terms = tuple((number[source], operation) for source, operation in node.terms)
        return Affine(node.shape, terms, node.bias)
    if isinstance(node, Layer):
        return replace(node, source=number[node.source])
    return node


def describe(graph: Graph) -> str:
    """A line for every tensor, with its shape and where it comes from; and totals."""
    rows = [
        (str(i), name_of(node), "x".join(map(str, node.shape)), ", ".join(map(str, sources(node))))
        for i, node in enumerate(graph.nodes)
    ]
    table = [("", "tensor", "shape", "from"), *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join([row[0].rjust(widths[0]), *map(str.ljust, row[1:], widths[1:])]).rstrip()
        for row in table
    ]
    neurons = sum(prod(layer.shape) for layer in graph.layers)
    parameters = sum(
        sum(operation.n_weights for _, operation in node.terms)
        + max((operation.n_biases for _, operation in node.terms), default=0)
        for node in graph.nodes
        if isinstance(node, Affine)
    )
    return "\n".join([*lines, f"{plural(neurons, 'neuron')}, {plural(parameters, 'parameter')}"])


def name_of(node: Node) -> str:
    """What it is, in a word or two; weights, strides and the like are not told."""
    if isinstance(node, Input):
        return "input"
    if isinstance(node, Layer):
        return str(node)
    return " + ".join(str(operation) for _, operation in node.terms) or "constant"
