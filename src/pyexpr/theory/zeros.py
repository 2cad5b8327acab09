"""Where the images of a traced curve are 0: told by letters, which are exact, and not by size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr.activations import PiecewiseLinear
from pyexpr.theory.images import HiddenLayer, PieceNumbers, Stretch, stretches
from pyexpr.theory.origin import ends_at_origin, starts_at_origin
from pyexpr.tracing.trace import Trace

Flags: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Zeros:
    """Of the images before L hidden layers, on C cells.

    Attributes
    ----------
    left, right : bool [C, L]
        Whether the image is 0 where the cell starts and ends.
    jumps : float64 [L]
        The angles from the direction in which 0 is met to that in which it is left, added up;
        pi / 2 from or to a cell on which the image is 0.
    """

    left: Flags
    right: Flags
    jumps: FloatArray


@dataclass(frozen=True, eq=False)
class _Cells:
    """A stretch, and on which of its cells the images are 0 throughout: dead, bool [K, L]."""

    stretch: Stretch
    dead: Flags


def zeros_of(trace: Trace, layers: list[HiddenLayer]) -> Zeros:
    """Looked for where cells meet, at a closed trajectory's seam, and at an open one's ends.

    Inside a cell of a segment an image that passes 0 turns by pi, as its ends tell.
    """
    walk, first, last = _Walk(layers), None, None
    for stretch in stretches(trace, layers):
        block = _Cells(stretch, walk.dead(stretch))
        if last is None:
            first = block
        else:
            walk.to_next(last, block)
        walk.inside(block)
        last = block
    assert first is not None and last is not None  # every trajectory has a cell
    if trace.trajectory.closed:
        walk.to_next(last, first)
        start = end = walk.nodes.pop()
    else:
        start = walk.alone(first.stretch, 0, starts_at_origin(first.stretch.piece))
        end = walk.alone(last.stretch, -1, ends_at_origin(last.stretch.piece))
    flags = np.concatenate([start, *walk.nodes, end])
    jumps = np.array([math.fsum(angles) for angles in walk.jumps], dtype=np.float64)
    return Zeros(flags[:-1], flags[1:], jumps)


def angle_between(a: FloatArray, b: FloatArray) -> float:
    """Of two vectors, from 0 to pi, accurate throughout; 0 if one is 0."""
    lengths = float(np.linalg.norm(a)), float(np.linalg.norm(b))
    if not all(lengths):
        return 0.0
    a, b = a / lengths[0], b / lengths[1]
    return 2 * math.atan2(float(np.linalg.norm(a - b)), float(np.linalg.norm(a + b)))


class _Walk:
    """Along the places where cells meet, in order.

    Attributes
    ----------
    nodes : list of bool [., L]
        Whether the images are 0 there.
    jumps : list of list of float
        Angles there, for every hidden layer.
    """

    def __init__(self, layers: list[HiddenLayer]) -> None:
        self.nodes: list[Flags] = []
        self.jumps: list[list[float]] = [[] for _ in layers]
        self._activations = [layer.activation for layer in layers[:-1]]
        self._silent = [not layer.activation.evaluate(layer.bias).any() for layer in layers[:-1]]

    def inside(self, block: _Cells) -> None:
        """Between the cells of one stretch."""
        numbers = block.stretch.numbers
        before, after = [n[:-1] for n in numbers], [n[1:] for n in numbers]
        flags = self._vanishing(before, after, np.zeros(len(block.stretch) - 1, dtype=bool))
        self.nodes.append(flags)
        for i, layer in np.argwhere(flags).tolist():
            self._jump(layer, block, i, block, i + 1)

    def to_next(self, one: _Cells, other: _Cells) -> None:
        """Between the last cell of one stretch and the first of another."""
        left, right = one.stretch, other.stretch
        before, after = [n[-1:] for n in left.numbers], [n[:1] for n in right.numbers]
        at_corner = bool(right.left[0] == right.piece.start)
        origin = at_corner and starts_at_origin(right.piece)
        flags = self._vanishing(before, after, np.array([origin]))
        self.nodes.append(flags)
        for layer in np.flatnonzero(flags[0]).tolist():
            self._jump(layer, one, len(left) - 1, other, 0)

    def alone(self, stretch: Stretch, cell: int, origin: bool) -> Flags:
        """At the end of a cell that meets no other, where the input may be 0: bool [1, L]."""
        numbers = [n[[cell]] for n in stretch.numbers]
        return self._vanishing(numbers, numbers, np.array([origin]))

    def dead(self, stretch: Stretch) -> Flags:
        """On which cells the images are 0: bool [K, L]."""
        origin = np.full(len(stretch), not stretch.piece.points.any())
        return self._vanishing(stretch.numbers, stretch.numbers, origin)

    def _jump(self, layer: int, one: _Cells, i: int, other: _Cells, j: int) -> None:
        dead = one.dead[i, layer], other.dead[j, layer]
        if any(dead):
            angle = 0.0 if all(dead) else math.pi / 2
        else:
            left, right = one.stretch, other.stretch
            angle = angle_between(
                -left.velocity(layer, i, left.right[i]), right.velocity(layer, j, right.left[j])
            )
        self.jumps[layer].append(angle)

    def _vanishing(
        self, before: list[PieceNumbers], after: list[PieceNumbers], origin: Flags
    ) -> Flags:
        """Whether images are 0 between cells with neurons on these pieces [k, n]: bool [k, L].

        A neuron's output is 0 there if it is 0 on one side, or if the neuron passes a breakpoint
        where its activation is 0; or if there the image before is 0, and the bias alone gives 0.
        """
        flags = [origin]
        for i, (phi, silent) in enumerate(zip(self._activations, self._silent, strict=True)):
            neurons = _is_zero(phi, before[i]) | _is_zero(phi, after[i])
            neurons |= _meet_at_zero(phi, before[i], after[i])
            flags.append(neurons.all(axis=1) | (flags[-1] & silent))
        return np.stack(flags, axis=1)


def _is_zero(phi: PiecewiseLinear, pieces: PieceNumbers) -> Flags:
    slopes, offsets = phi.coefficients(pieces)
    return np.asarray((slopes == 0) & (offsets == 0))


def _meet_at_zero(phi: PiecewiseLinear, before: PieceNumbers, after: PieceNumbers) -> Flags:
    """Whether two pieces are neighbours that meet in 0."""
    lower = np.minimum(before, after)
    slopes, offsets = phi.coefficients(lower)
    knots = phi.breakpoints[np.minimum(lower, len(phi.breakpoints) - 1)]
    return np.asarray((np.abs(before - after) == 1) & (slopes * knots + offsets == 0))
