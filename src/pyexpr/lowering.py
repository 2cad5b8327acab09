"""A graph as the chain of levels that the core counts on.

The core sees one vector: a level's map makes the next vector from this one, and then an activation
acts on its first entries, the neurons; the others pass. So what a skip connection reads later is
carried along. A level without neurons makes a tensor that two linear operations in a row need.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import FloatArray
from pyexpr.activations import PiecewiseLinear
from pyexpr.graph import Activation, Affine, Graph, Input, Maximum, renumbered, sources
from pyexpr.operations import Sparse
from pyexpr.pooling import Round, expand

_Node: TypeAlias = Input | Affine | Activation


# A layer as the core wants it: the level of its neurons, or a level and neurons for each round.
_Rounds = list[tuple[int, npt.NDArray[np.int32]]]


@dataclass(frozen=True)
class _Step:
    """Makes `node`; then, unless it is none, `activation` turns it into that node."""

    node: int
    activation: int | None

    @property
    def result(self) -> int:
        return self.node if self.activation is None else self.activation


def lower(graph: Graph) -> _core.Network:
    """Nodes that the output does not need, and are no layers, are left out."""
    nodes, layers = _without_maxima(graph)
    steps = [*_steps(nodes)]
    last_read = {node: i for i, step in enumerate(steps) for node in _reads(nodes, step.node)}
    layout = [0]
    maps, activations = [], []
    level_of: dict[int, int] = {}
    for i, step in enumerate(steps):
        kept = [node for node in layout if last_read.get(node, 0) > i]
        maps.append(_map(nodes, layout, step.node, kept))
        layout = [step.result, *kept]
        if i + 1 == len(steps):
            break
        if step.activation is None:
            activations.append((np.zeros(1), np.zeros((2, 0)), 0.0))
        else:
            level_of[step.activation] = i
            node = nodes[step.activation]
            assert isinstance(node, Activation)
            activations.append(_parameters(node.function, prod(node.shape)))
    return _core.Network(maps, activations, [_seen(layer, level_of) for layer in layers])


def _seen(layer: int | list[Round], level_of: dict[int, int]) -> int | _Rounds:
    if isinstance(layer, int):
        return level_of[layer]
    return [(0 if r.relu is None else level_of[r.relu], r.neuron) for r in layer]


def _without_maxima(graph: Graph) -> tuple[list[_Node], list[int | list[Round]]]:
    """The nodes, with others in the place of maxima; each layer's node, or a maximum's rounds."""
    nodes: list[_Node] = []
    layers: list[int | list[Round]] = []
    number: dict[int, int] = {}
    for i, node in enumerate(graph.nodes):
        moved = renumbered(node, number)
        if isinstance(moved, Maximum):
            sizes = {moved.source: prod(nodes[moved.source].shape)}
            expansion = expand(moved, sizes, len(nodes))
            nodes += expansion.nodes
            layers.append(expansion.rounds)
        else:
            nodes.append(moved)
            if isinstance(moved, Activation):
                layers.append(len(nodes) - 1)
        number[i] = len(nodes) - 1
    return nodes, layers


def _steps(nodes: list[_Node]) -> Iterator[_Step]:
    """What is computed one after the other; the last step makes the output."""
    made = {0}

    def before(node: int) -> Iterator[_Step]:
        for source in _reads(nodes, node):
            if source not in made:
                yield from before(source)
                made.add(source)
                yield _Step(source, None)

    for i, node in enumerate(nodes):
        if isinstance(node, Activation):
            yield from before(node.source)
            made.add(i)
            yield _Step(node.source, i)
    output = len(nodes) - 1
    yield from before(output)
    yield _Step(output, None)


def _reads(nodes: list[_Node], node: int) -> list[int]:
    """What a step that makes the node reads: an affine node its sources, any other itself."""
    made = nodes[node]
    return sources(made) if isinstance(made, Affine) else [node]


def _map(nodes: list[_Node], layout: list[int], node: int, kept: list[int]) -> _core.AffineMap:
    """From the entries of the nodes in `layout` to those of [node, *kept]."""
    sizes = {i: prod(nodes[i].shape) for i in {*layout, node}}
    offsets = dict(zip(layout, np.cumsum([0, *(sizes[i] for i in layout)]).tolist(), strict=False))
    made = nodes[node]
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
