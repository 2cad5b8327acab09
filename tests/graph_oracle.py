"""The exact oracle for graphs: convolutions, skip connections and maxima from their definitions.

As in `oracle`, every number is a Fraction, and a cell is an open interval on which every
pre-activation so far is affine and meets no threshold; nor, here, another entry of a window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, groupby, pairwise
from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from oracle import (
    Analysis,
    OracleActivation,
    Pattern,
    Transition,
    _Affine,
    _crossings,
    _Function,
    _functions,
    _on_piece,
    _passed,
    _vector,
)

from pyexpr.graph import Activation, Affine, Graph, Input, Maximum
from pyexpr.operations import Convolution, Operation

Array: TypeAlias = npt.NDArray[np.float64]
SparseRow: TypeAlias = list[tuple[int, Fraction]]
Row: TypeAlias = list[_Affine]


def matrix(operation: Operation) -> Array:
    """[out, in]"""
    if isinstance(operation, Convolution):
        return convolution_matrix(operation)
    rows: Array = operation.apply(np.eye(operation.inputs)).T
    return rows


def convolution_matrix(op: Convolution) -> Array:
    """From the definition of a convolution, with loops."""
    channels, height, width = op.out_shape
    out = np.zeros((channels, height, width, op.channels, *op.size))
    per_group = op.kernel.shape[1]
    for o, y, x, c, i, j in np.ndindex(channels, height, width, *op.kernel.shape[1:]):
        row = y * op.strides[0] + i * op.dilations[0] - op.pads[0]
        column = x * op.strides[1] + j * op.dilations[1] - op.pads[1]
        if 0 <= row < op.size[0] and 0 <= column < op.size[1]:
            group = o // (channels // op.groups)
            out[o, y, x, group * per_group + c, row, column] += op.kernel[o, c, i, j]
    return out.reshape(op.outputs, op.inputs)


@dataclass(frozen=True)
class _Sum:
    """What an affine node is: for each of its entries, weights of entries of earlier nodes."""

    terms: list[tuple[int, list[SparseRow]]]
    bias: list[Fraction]


@dataclass(frozen=True)
class _Neurons:
    source: int
    functions: list[_Function]
    first_letter: int


@dataclass(frozen=True)
class _Windows:
    source: int
    entries: list[list[tuple[int, int]]]  # slot and entry, for each window


_Step: TypeAlias = _Sum | _Neurons | _Windows


@dataclass(frozen=True)
class _Leaf:
    start: Fraction
    pattern: Pattern
    outputs: Row


def analyse(graph: Graph, x0: Array, x1: Array) -> tuple[Analysis, list[Fraction]]:
    """What happens on the segment x0 to x1, and the output at x0."""
    start, end = (_vector(x.reshape(-1).tolist()) for x in (x0, x1))
    x = [_Affine(a, b - a) for a, b in zip(start, end, strict=True)]
    cells = _leaves(_steps(graph), Fraction(0), Fraction(1), [x], ())
    # Entries of a window that cross below its maximum change no letter.
    regions = [next(group) for _, group in groupby(cells, lambda leaf: leaf.pattern)]
    places = [(i, q) for i, layer in enumerate(graph.layers) for q in range(prod(layer.shape))]
    analysis = Analysis(
        breakpoints=[leaf.start for leaf in regions[1:]],
        patterns=[leaf.pattern for leaf in regions],
        transitions=[
            Transition(right.start, *place, before, after)
            for left, right in pairwise(regions)
            for place, before, after in zip(places, left.pattern, right.pattern, strict=True)
            if before != after
        ],
        slopes=[tuple(f.slope for f in leaf.outputs) for leaf in regions],
    )
    return analysis, [f.value for f in regions[0].outputs]


def _steps(graph: Graph) -> list[_Step]:
    """What makes each node after the input."""
    steps: list[_Step] = []
    for node in graph.nodes:
        if isinstance(node, Affine):
            terms = [(source, _sparse(matrix(operation))) for source, operation in node.terms]
            steps.append(_Sum(terms, _vector(node.bias.tolist())))
        elif isinstance(node, Activation):
            phi = node.function
            drawn = OracleActivation(
                phi.breakpoints.tolist(), phi.slopes.tolist(), phi.value, phi.first_letter
            )
            functions = _functions(drawn, prod(node.shape))
            steps.append(_Neurons(node.source, functions, phi.first_letter))
        elif isinstance(node, Maximum):
            entries = [[(i, j) for i, j in enumerate(w) if j >= 0] for w in node.windows.tolist()]
            steps.append(_Windows(node.source, entries))
        else:
            assert isinstance(node, Input)
    return steps


def _sparse(weight: Array) -> list[SparseRow]:
    return [[(j, Fraction(w)) for j, w in enumerate(row) if w] for row in weight.tolist()]


def _leaves(
    steps: list[_Step], start: Fraction, end: Fraction, nodes: list[Row], pattern: Pattern
) -> Iterator[_Leaf]:
    if not steps:
        yield _Leaf(start, pattern, nodes[-1])
        return
    step, later = steps[0], steps[1:]
    if isinstance(step, _Sum):
        yield from _leaves(later, start, end, [*nodes, _sum(step, nodes)], pattern)
        return
    z = nodes[step.source]
    if isinstance(step, _Neurons):
        cuts = _crossings([*zip(step.functions, z, strict=True)], start, end)
    else:
        cuts = _meetings(step, z, start, end)
    for a, b in pairwise([start, *cuts, end]):
        middle = (a + b) / 2  # one point speaks for all of the cell
        if isinstance(step, _Neurons):
            pieces = [_passed(phi, zi(middle)) for phi, zi in zip(step.functions, z, strict=True)]
            letters = tuple(step.first_letter + k for k in pieces)
            made = [
                _on_piece(phi, k, zi) for phi, k, zi in zip(step.functions, pieces, z, strict=True)
            ]
        else:
            # max() returns the first of the largest.
            winners = [max(window, key=lambda e: z[e[1]](middle)) for window in step.entries]
            letters = tuple(slot for slot, _ in winners)
            made = [z[entry] for _, entry in winners]
        yield from _leaves(later, a, b, [*nodes, made], pattern + letters)


def _sum(step: _Sum, nodes: list[Row]) -> Row:
    out = []
    for q, bias in enumerate(step.bias):
        value, slope = bias, Fraction(0)
        for source, rows in step.terms:
            for j, weight in rows[q]:
                value += weight * nodes[source][j].value
                slope += weight * nodes[source][j].slope
        out.append(_Affine(value, slope))
    return out


def _meetings(step: _Windows, z: Row, start: Fraction, end: Fraction) -> list[Fraction]:
    """Where in the open (start, end) two entries of a window are equal, increasing."""
    roots = {
        (z[i].value - z[j].value) / (z[j].slope - z[i].slope)
        for window in step.entries
        for (_, i), (_, j) in combinations(window, 2)
        if z[i].slope != z[j].slope
    }
    return sorted(t for t in roots if start < t < end)
