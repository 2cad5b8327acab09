"""Exact analysis of a dense piecewise-linear network along curves, from the definitions alone.

The independent judge of curves, as `oracle` is of segments: exact numbers, definitions only,
nothing shared with the package.

A trajectory is a chain of pieces, each a rational Bezier curve x(u) = X(u) / w(u), u in
[start, end]. Rows of the form [h_1, ..., h_n, w] stand for the functions h_i / w: an affine map is
linear on them, and on a cell, where the letters are fixed, they are polynomials in u. A common
positive factor does not matter, so all coefficients are integers. A cell is an open interval of one
piece on which no neuron computed so far passes from one side of a threshold to the other; it may
touch one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, pairwise
from math import comb, lcm
from typing import Any, TypeAlias

from algebraic import Polynomial, Root, combination, distinct, gap, sign, sign_changes, value
from oracle import (
    Matrix,
    Number,
    OracleLayer,
    Pattern,
    Vector,
    _apply,
    _Function,
    _Layer,
    _network,
    _number,
    _passed,
    _vector,
)

Interval: TypeAlias = tuple[Fraction, Fraction]
Row: TypeAlias = list[Polynomial]  # the denominator last

SHARE = Fraction(1, 2**60)


@dataclass(frozen=True)
class OraclePiece:
    """x(u) = sum_i B_i(u) X_i / sum_i B_i(u) weights[i], where X_i = sum_j mixing[i][j] points[j].

    B_i are the Bernstein polynomials of degree d. points: [m, n]. mixing: [d + 1, m]. weights:
    [d + 1], positive.
    """

    points: Matrix
    mixing: Matrix
    weights: Vector
    start: Number = 0
    end: Number = 1


@dataclass(frozen=True)
class Breakpoint:
    """Where the pattern changes: at a u of a piece.

    At a joint: the start of the piece after it. At the seam of a closed trajectory: the start of
    the first piece, which then counts as one after the last.
    """

    piece: int
    u: Root
    felt: bool  # by the output: it ends a linear region

    @property
    def interval(self) -> Interval:
        """u lies between these two, at most its 2^60th part apart, or equals both."""
        return self.u.interval(SHARE)


@dataclass(frozen=True)
class CurveTransition:
    """One neuron changing letter; breakpoint, layer and neuron count from 0."""

    breakpoint: int
    layer: int
    neuron: int
    before: int
    after: int


@dataclass(frozen=True)
class CurveAnalysis:
    """What happens along the trajectory, in order.

    patterns: before, between and after the breakpoints inside. Those of a closed trajectory are
    counted from its seam; where that is no breakpoint, the first and the last are one region's.
    """

    closed: bool
    breakpoints: list[Breakpoint]
    patterns: list[Pattern]
    transitions: list[CurveTransition]  # by breakpoint, layer, neuron

    @property
    def activation_regions(self) -> int:
        return self._regions(len(self.breakpoints))

    @property
    def linear_regions(self) -> int:
        return self._regions(sum(b.felt for b in self.breakpoints))

    @property
    def distinct_patterns(self) -> int:
        return len(set(self.patterns))

    def _regions(self, cuts: int) -> int:
        return max(cuts, 1) if self.closed else cuts + 1


def analyse(
    layers: Sequence[OracleLayer], pieces: Sequence[OraclePiece], closed: bool = False
) -> CurveAnalysis:
    """Every breakpoint, pattern and transition of the network on the trajectory."""
    integral = [_integral(layer) for layer in _network(layers)]
    rows = [_row(piece) for piece in pieces]
    ends = [(Root.rational(_number(p.start)), Root.rational(_number(p.end))) for p in pieces]
    leaves = [
        leaf
        for index, (row, (start, end)) in enumerate(zip(rows, ends, strict=True))
        for leaf in _leaves(integral, index, start, end, row, ())
    ]
    borders = [_Border(right.piece, right.start, left, right) for left, right in pairwise(leaves)]
    breakpoints = [border for border in borders if border.changes]
    patterns = [leaves[0].pattern] + [border.right.pattern for border in breakpoints]
    seam = _Border(len(pieces), ends[0][0], leaves[-1], leaves[0])
    if closed and seam.changes:
        breakpoints.append(seam)
    return CurveAnalysis(
        closed=closed,
        breakpoints=[
            Breakpoint(border.piece, border.u, _felt(integral, rows, border))
            for border in breakpoints
        ],
        patterns=patterns,
        transitions=_transitions(layers, breakpoints),
    )


def from_piece(piece: Any) -> OraclePiece:
    """Read any object with a piece's attributes as numpy arrays."""
    return OraclePiece(piece.points, piece.mixing, piece.weights, piece.start, piece.end)


# Integers: the network times a common denominator, layer by layer.


@dataclass(frozen=True)
class _Line:
    """slope z + offset w, a piece of an activation."""

    slope: int
    offset: int


@dataclass(frozen=True)
class _IntegralLayer:
    matrix: list[list[int]]  # acts on rows
    functions: list[_Function]  # one a neuron; none in a last layer without activation
    lines: list[list[_Line]]  # [neuron][piece]
    scale: int  # what they multiply the denominator by


def _integral(layer: _Layer) -> _IntegralLayer:
    rows = [[*row, b] for row, b in zip(layer.weight, layer.bias, strict=True)]
    denominator = [Fraction(0)] * (len(rows[0]) - 1) + [Fraction(1)]
    matrix = _integers([*rows, denominator])[0]
    if layer.functions is None:
        return _IntegralLayer(matrix, [], [], 1)
    pieces = [_line(phi, k) for phi in layer.functions for k in range(len(phi.slopes))]
    scaled, scale = _integers(pieces)
    lines = iter(_Line(*line) for line in scaled)
    return _IntegralLayer(
        matrix,
        layer.functions,
        [[next(lines) for _ in phi.slopes] for phi in layer.functions],
        scale,
    )


def _line(phi: _Function, k: int) -> list[Fraction]:
    anchor = phi.thresholds[max(k - 1, 0)]  # an end of that piece
    return [phi.slopes[k], _apply(phi, anchor) - phi.slopes[k] * anchor]


def _integers(rows: list[list[Fraction]]) -> tuple[list[list[int]], int]:
    """The rows times their least common denominator, and that."""
    scale = lcm(*(x.denominator for row in rows for x in row))
    return [[int(x * scale) for x in row] for row in rows], scale


def _row(piece: OraclePiece) -> Row:
    points = [_vector(point) for point in piece.points]
    mixing = [_vector(row) for row in piece.mixing]
    weights = _vector(piece.weights)
    if _number(piece.start) >= _number(piece.end) or min(weights) <= 0:
        raise ValueError(f"{piece} has no length or a weight that is not positive")
    coefficients = [
        [*(_dot(row, column) for column in zip(*points, strict=True)), w]
        for row, w in zip(mixing, weights, strict=True)
    ]
    basis = _bernstein(len(weights) - 1)
    return [combination(c, basis) for c in zip(*_integers(coefficients)[0], strict=True)]


def _dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def _bernstein(d: int) -> list[Polynomial]:
    """C(d, i) u^i (1 - u)^(d - i) for every i."""
    return [
        (0,) * i + tuple(comb(d, i) * comb(d - i, j) * (-1) ** j for j in range(d - i + 1))
        for i in range(d + 1)
    ]


# The network on a cell.


@dataclass(frozen=True)
class _Leaf:
    """A cell of the whole network."""

    piece: int
    start: Root
    pattern: Pattern


def _leaves(
    layers: list[_IntegralLayer], piece: int, start: Root, end: Root, h: Row, pattern: Pattern
) -> Iterator[_Leaf]:
    """The leaves in (start, end), where h is polynomial and the earlier layers' letters are set."""
    if not layers:
        yield _Leaf(piece, start, pattern)
        return
    layer, later = layers[0], layers[1:]
    z = [combination(row, h) for row in layer.matrix]
    levels = _levels(layer, z)
    cuts = distinct(u for level in levels for u in sign_changes(level, start, end))
    for a, b in pairwise([start, *cuts, end]):
        # Every level has one sign on (a, b) apart from touches: a point without one speaks for all.
        u = _point_off(levels, a, b)
        passed = _passed_at(layer, z, u)
        letters = tuple(
            phi.first_letter + k for phi, k in zip(layer.functions, passed, strict=True)
        )
        yield from _leaves(later, piece, a, b, _activated(layer, passed, z), pattern + letters)


def _levels(layer: _IntegralLayer, z: Row) -> list[Polynomial]:
    """What changes sign where a neuron passes a threshold; none for those that stay on one."""
    levels = [
        combination([threshold.denominator, -threshold.numerator], [zi, z[-1]])
        for phi, zi in zip(layer.functions, z, strict=False)
        for threshold in phi.thresholds
    ]
    return [level for level in levels if level]


def _point_off(levels: list[Polynomial], start: Root, end: Root) -> Fraction:
    """A rational u in (start, end) at which no level is 0."""
    lo, hi = gap(start, end)
    points = (lo + (hi - lo) / k for k in count(2))
    return next(u for u in points if all(sign(level, u) for level in levels))


def _passed_at(layer: _IntegralLayer, z: Row, u: Fraction) -> list[int]:
    w = value(z[-1], u)
    return [
        _passed(phi, value(zi, u) / w) for phi, zi in zip(layer.functions, z[:-1], strict=False)
    ]


def _activated(layer: _IntegralLayer, passed: list[int], z: Row) -> Row:
    if not layer.functions:
        return z
    lines = [of_neuron[k] for of_neuron, k in zip(layer.lines, passed, strict=True)]
    w = z[-1]
    post = [
        combination([line.slope, line.offset], [zi, w])
        for line, zi in zip(lines, z[:-1], strict=True)
    ]
    return [*post, combination([layer.scale], [w])]


# Between two cells.


@dataclass(frozen=True)
class _Border:
    piece: int
    u: Root
    left: _Leaf
    right: _Leaf

    @property
    def changes(self) -> bool:
        return self.left.pattern != self.right.pattern


def _felt(layers: list[_IntegralLayer], rows: list[Row], border: _Border) -> bool:
    """Whether the affine maps on the two sides differ on the curve of one of the sides."""
    left, right = border.left, border.right
    return any(
        _composed(layers, left.pattern, rows[piece])
        != _composed(layers, right.pattern, rows[piece])
        for piece in {left.piece, right.piece}
    )


def _composed(layers: list[_IntegralLayer], pattern: Pattern, h: Row) -> Row:
    """The affine map that f is with this pattern, on a curve."""
    letters = iter(pattern)
    for layer in layers:
        z = [combination(row, h) for row in layer.matrix]
        h = _activated(layer, [next(letters) - phi.first_letter for phi in layer.functions], z)
    return h


def _transitions(
    layers: Sequence[OracleLayer], breakpoints: list[_Border]
) -> list[CurveTransition]:
    places = [
        (index, neuron)
        for index, layer in enumerate(layers)
        if layer.activation is not None
        for neuron in range(len(layer.bias))
    ]
    return [
        CurveTransition(index, *place, before, after)
        for index, border in enumerate(breakpoints)
        for place, before, after in zip(
            places, border.left.pattern, border.right.pattern, strict=True
        )
        if before != after
    ]
