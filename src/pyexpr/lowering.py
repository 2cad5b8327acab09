"""A graph as the chain of levels that the core counts on.

The core sees one vector: a level's map makes the next vector from this one, and then an activation
acts on its first entries, the neurons; the others pass. So what a skip connection reads later is
carried along. A level without neurons makes a tensor that two linear operations in a row need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from pyexpr import _core
from pyexpr._arrays import FloatArray
from pyexpr.activations import PiecewiseLinear
from pyexpr.graph import Activation, Affine, Graph, sources
from pyexpr.operations import Sparse


@dataclass(frozen=True)
class Lowered:
    """The core's network, and which layer of the graph each of its levels is (-1: none)."""

    network: _core.Network
    layer_of_level: tuple[int, ...]


@dataclass(frozen=True)
class _Step:
    """Makes `node`; then, unless it is none, `activation` turns it into that node."""

    node: int
    activation: int | None

    @property
    def result(self) -> int:
        return self.node if self.activation is None else self.activation


def lower(graph: Graph) -> Lowered:
    """Nodes that the output does not need, and are no layers, are left out."""
    steps = [*_steps(graph)]
    layout = [0]
    maps, activations, layers = [], [], []
    numbers = {id(layer): i for i, layer in enumerate(graph.layers)}
    for i, step in enumerate(steps):
        last = i + 1 == len(steps)
        needed = {source for later in steps[i + 1 :] for source in _reads(graph, later.node)}
        kept = [] if last else [node for node in layout if node in needed]
        maps.append(_map(graph, layout, step.node, kept))
        layout = [step.result, *kept]
        if last:
            break
        if step.activation is None:
            activations.append((np.zeros(1), np.zeros((2, 0)), 0.0))
            layers.append(-1)
        else:
            node = graph.nodes[step.activation]
            assert isinstance(node, Activation)
            activations.append(_parameters(node.function, prod(node.shape)))
            layers.append(numbers[id(node)])
    return Lowered(_core.Network(maps, activations), tuple(layers))


def _steps(graph: Graph) -> Iterator[_Step]:
    """What is computed one after the other; the last step makes the output."""
    made = {0}

    def before(node: int) -> Iterator[_Step]:
        for source in _reads(graph, node):
            if source not in made:
                yield from before(source)
                made.add(source)
                yield _Step(source, None)

    for i, node in enumerate(graph.nodes):
        if isinstance(node, Activation):
            yield from before(node.source)
            made.add(i)
            yield _Step(node.source, i)
    output = len(graph.nodes) - 1
    yield from before(output)
    yield _Step(output, None)


def _reads(graph: Graph, node: int) -> list[int]:
    """What a step that makes the node reads: an affine node its sources, any other itself."""
    return sources(graph.nodes[node]) if isinstance(graph.nodes[node], Affine) else [node]


def _map(graph: Graph, layout: list[int], node: int, kept: list[int]) -> _core.AffineMap:
    """From the entries of the nodes in `layout` to those of [node, *kept]."""
    sizes = {i: prod(graph.nodes[i].shape) for i in {*layout, node}}
    offsets = dict(zip(layout, np.cumsum([0, *(sizes[i] for i in layout)]).tolist(), strict=False))
    made = graph.nodes[node]
    if isinstance(made, Affine):
        blocks = [(offsets[i], 0, operation.core) for i, operation in made.terms]
        biases = [made.bias]
    else:
        blocks, biases = [(offsets[node], 0, _copy(sizes[node]))], [np.zeros(sizes[node])]
    at = sizes[node]
    for i in kept:
        blocks.append((offsets[i], at, _copy(sizes[i])))
        biases.append(np.zeros(sizes[i]))
        at += sizes[i]
    inputs = sum(sizes[i] for i in layout)
    return _core.AffineMap(inputs, np.concatenate(biases), blocks)


def _copy(size: int) -> _core.Operation:
    return Sparse.take(np.arange(size), size).core


def _parameters(phi: PiecewiseLinear, width: int) -> tuple[FloatArray, FloatArray, float]:
    """As the core wants them, with slopes [K + 1, width]."""
    pieces = len(phi.breakpoints) + 1
    slopes = np.broadcast_to(phi.slopes, (width, pieces)).T
    return phi.breakpoints, np.ascontiguousarray(slopes), phi.value
