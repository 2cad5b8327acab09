"""Exact analysis of a dense piecewise-linear network along a segment, from the definitions alone.

The tests' independent judge: every number is a Fraction, every decision is exact, nothing is
shared with the package under test. It is slow on purpose: no step is cleverer than its definition.

The segment is x(t) = (1 - t) x0 + t x1, t in [0, 1]. A cell is an open interval of t on which every
pre-activation computed so far is affine and meets none of its thresholds, unless it equals one on
the whole cell.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from math import lcm
from typing import Any, TypeAlias

Number: TypeAlias = float | Fraction
Vector: TypeAlias = Collection[Number]
Matrix: TypeAlias = Collection[Vector]
Pattern: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class OracleActivation:
    """The continuous phi with phi(breakpoints[0]) = value and slopes[k] on its k-th piece.

    breakpoints: K increasing thresholds. slopes: [K + 1], shared by the layer's neurons, or
    [neurons, K + 1]. first_letter: the letter of the lowest piece.
    """

    breakpoints: Vector
    slopes: Vector | Matrix
    value: Number
    first_letter: int


RELU = OracleActivation((0,), (0, 1), 0, 0)
HARD_TANH = OracleActivation((-1, 1), (0, 1, 0), -1, -1)
ABS = OracleActivation((0,), (-1, 1), 0, 0)


@dataclass(frozen=True)
class OracleLayer:
    """activation(weight @ h + bias), weight [out, in]; only the last layer may have none."""

    weight: Matrix
    bias: Vector
    activation: OracleActivation | None


@dataclass(frozen=True)
class Transition:
    """One neuron changing letter at t; layer and neuron count from 0."""

    t: Fraction
    layer: int
    neuron: int
    before: int
    after: int


@dataclass(frozen=True)
class Analysis:
    """What happens along the segment, in order of t; f is the network's output."""

    breakpoints: list[Fraction]
    patterns: list[Pattern]  # of each activation region, all neurons in graph order
    transitions: list[Transition]  # by t, layer, neuron
    slopes: list[tuple[Fraction, ...]]  # df/dt on each activation region

    @property
    def activation_regions(self) -> int:
        return len(self.patterns)

    @property
    def linear_regions(self) -> int:
        return 1 + sum(left != right for left, right in pairwise(self.slopes))

    @property
    def distinct_patterns(self) -> int:
        return len(set(self.patterns))


def analyse(layers: Sequence[OracleLayer], x0: Vector, x1: Vector) -> Analysis:
    """Every breakpoint, pattern, transition and slope of the network on the segment x0 to x1."""
    start, end = _vector(x0), _vector(x1)
    x = [_Affine(a, b - a) for a, b in zip(start, end, strict=True)]
    leaves = list(_leaves(_network(layers), Fraction(0), Fraction(1), x, ()))
    # Cells are split only where a neuron, affine on both sides, strictly crosses a threshold. Its
    # letter differs on the two sides, so neighbouring leaves are different activation regions.
    return Analysis(
        breakpoints=[leaf.start for leaf in leaves[1:]],
        patterns=[leaf.pattern for leaf in leaves],
        transitions=_transitions(layers, leaves),
        slopes=[leaf.slope for leaf in leaves],
    )


def patterns_at(layers: Sequence[OracleLayer], points: Iterable[Vector]) -> list[Pattern]:
    """The letters at points, by forward passes; at a breakpoint they may be those of no region."""
    network = _network(layers)
    return [_forward(network, _vector(x))[1] for x in points]


def evaluate(layers: Sequence[OracleLayer], x: Vector) -> tuple[Fraction, ...]:
    """f(x), exactly."""
    return tuple(_forward(_network(layers), _vector(x))[0])


def from_network(net: Any) -> list[OracleLayer]:
    """Read any object whose `layers` have `.weight`, `.bias` and `.activation` as numpy arrays."""
    return [
        OracleLayer(layer.weight, layer.bias, _activation_of(layer.activation))
        for layer in net.layers
    ]


def _activation_of(activation: Any) -> OracleActivation | None:
    if activation is None:
        return None
    return OracleActivation(
        activation.breakpoints, activation.slopes, activation.value, activation.first_letter
    )


# The network in Fractions, each neuron with its own function.


@dataclass(frozen=True)
class _Function:
    thresholds: list[Fraction]
    slopes: list[Fraction]
    value: Fraction  # at thresholds[0]
    first_letter: int


@dataclass(frozen=True)
class _Layer:
    weight: list[list[Fraction]]
    bias: list[Fraction]
    functions: list[_Function] | None  # one a neuron

    def times(self, h: list[Fraction]) -> list[Fraction]:
        """weight @ h, over common denominators: a sum of Fractions takes a gcd a term."""
        numerators, denominator = _integers(h)
        return [
            Fraction(sum(w * x for w, x in zip(row, numerators, strict=True)), scale * denominator)
            for row, scale in self._rows
        ]

    @cached_property
    def _rows(self) -> list[tuple[list[int], int]]:
        return [_integers(row) for row in self.weight]


def _integers(v: list[Fraction]) -> tuple[list[int], int]:
    """v times its least common denominator, and that."""
    denominator = lcm(*(x.denominator for x in v))
    return [x.numerator * (denominator // x.denominator) for x in v], denominator


def _number(x: Number) -> Fraction:
    # numpy's float64 is a float; its other scalars could overflow or round inside a Fraction.
    if not isinstance(x, int | float | Fraction):
        raise TypeError(f"{x!r} is a {type(x).__name__}, not an int, a float or a Fraction")
    return Fraction(x)


def _vector(v: Vector) -> list[Fraction]:
    return [_number(x) for x in v]


def _network(layers: Sequence[OracleLayer]) -> list[_Layer]:
    if any(layer.activation is None for layer in layers[:-1]):
        raise ValueError("only the last layer may have no activation")
    return [_layer(layer) for layer in layers]


def _layer(layer: OracleLayer) -> _Layer:
    weight = [_vector(row) for row in layer.weight]
    bias = _vector(layer.bias)
    if layer.activation is None:
        return _Layer(weight, bias, None)
    return _Layer(weight, bias, _functions(layer.activation, len(bias)))


def _functions(activation: OracleActivation, neurons: int) -> list[_Function]:
    thresholds = _vector(activation.breakpoints)
    if not thresholds or any(a >= b for a, b in pairwise(thresholds)):
        raise ValueError(f"breakpoints {activation.breakpoints} are not increasing, at least one")
    rows = _slope_rows(activation.slopes, neurons)
    if len(rows) != neurons or any(len(row) != len(thresholds) + 1 for row in rows):
        raise ValueError(f"slopes {activation.slopes} do not fit {neurons} neurons")
    value = _number(activation.value)
    return [_Function(thresholds, row, value, activation.first_letter) for row in rows]


def _slope_rows(slopes: Vector | Matrix, neurons: int) -> list[list[Fraction]]:
    shared: list[Number] = []
    rows: list[list[Fraction]] = []
    for item in slopes:
        if isinstance(item, Collection):
            rows.append(_vector(item))
        else:
            shared.append(item)
    return rows or [_vector(shared)] * neurons


# One neuron at one point.


def _passed(function: _Function, z: Fraction) -> int:
    """How many thresholds z has passed: the index of its piece."""
    return sum(_passes(function, k, z) for k in range(len(function.thresholds)))


def _passes(function: _Function, k: int, z: Fraction) -> bool:
    # On a threshold the neuron counts as on the flat side, if just one side is flat: a ReLU at 0 is
    # off, a hard-tanh at 1 is saturated.
    if z == function.thresholds[k]:
        return function.slopes[k + 1] == 0 and function.slopes[k] != 0
    return z > function.thresholds[k]


def _apply(function: _Function, z: Fraction) -> Fraction:
    """phi(z), walking from the first threshold to z one piece at a time."""
    first = function.thresholds[0]
    if z <= first:
        return function.value + function.slopes[0] * (z - first)
    result = function.value
    for k, start in enumerate(function.thresholds):
        if z <= start:
            break
        end = min([z, *function.thresholds[k + 1 : k + 2]])
        result += function.slopes[k + 1] * (end - start)
    return result


# The network at one point.


def _forward(layers: list[_Layer], x: list[Fraction]) -> tuple[list[Fraction], tuple[int, ...]]:
    """The output and all letters at x."""
    h = x
    letters: list[int] = []
    for layer in layers:
        z = [product + b for product, b in zip(layer.times(h), layer.bias, strict=True)]
        h = z
        if layer.functions is not None:
            neurons = list(zip(layer.functions, z, strict=True))
            letters += [phi.first_letter + _passed(phi, zi) for phi, zi in neurons]
            h = [_apply(phi, zi) for phi, zi in neurons]
    return h, tuple(letters)


# The network on a cell.


@dataclass(frozen=True)
class _Affine:
    """The function value + slope t."""

    value: Fraction
    slope: Fraction

    def __call__(self, t: Fraction) -> Fraction:
        return self.value + self.slope * t


@dataclass(frozen=True)
class _Leaf:
    """A cell of the whole network."""

    start: Fraction
    pattern: Pattern
    slope: tuple[Fraction, ...]


def _leaves(
    layers: list[_Layer], start: Fraction, end: Fraction, h: list[_Affine], pattern: Pattern
) -> Iterator[_Leaf]:
    """The leaves in (start, end), where h is affine and the earlier layers have this pattern."""
    if not layers:
        yield _Leaf(start, pattern, tuple(component.slope for component in h))
        return
    layer, later = layers[0], layers[1:]
    z = _pre_activations(layer, h)
    if layer.functions is None:
        yield from _leaves(later, start, end, z, pattern)
        return
    neurons = list(zip(layer.functions, z, strict=True))
    for a, b in pairwise([start, *_crossings(neurons, start, end), end]):
        # z meets no threshold inside (a, b), or is equal to it there: one point speaks for all.
        middle = (a + b) / 2
        passed = [_passed(phi, zi(middle)) for phi, zi in neurons]
        letters = tuple(phi.first_letter + k for (phi, _), k in zip(neurons, passed, strict=True))
        post = [_on_piece(phi, k, zi) for (phi, zi), k in zip(neurons, passed, strict=True)]
        yield from _leaves(later, a, b, post, pattern + letters)


def _pre_activations(layer: _Layer, h: list[_Affine]) -> list[_Affine]:
    values = layer.times([component.value for component in h])
    slopes = layer.times([component.slope for component in h])
    return [
        _Affine(value + b, slope)
        for value, slope, b in zip(values, slopes, layer.bias, strict=True)
    ]


def _crossings(
    neurons: list[tuple[_Function, _Affine]], start: Fraction, end: Fraction
) -> list[Fraction]:
    """Where in the open (start, end) a neuron crosses one of its thresholds, increasing."""
    roots = {
        (threshold - z.value) / z.slope
        for phi, z in neurons
        for threshold in phi.thresholds
        if z.slope != 0
    }
    return sorted(t for t in roots if start < t < end)


def _on_piece(phi: _Function, k: int, z: _Affine) -> _Affine:
    """The composition phi(z(t)) where z stays on phi's k-th piece."""
    anchor = phi.thresholds[max(k - 1, 0)]  # an end of that piece
    slope = phi.slopes[k]
    return _Affine(_apply(phi, anchor) + slope * (z.value - anchor), slope * z.slope)


def _transitions(layers: Sequence[OracleLayer], leaves: list[_Leaf]) -> list[Transition]:
    places = [
        (index, neuron)
        for index, layer in enumerate(layers)
        if layer.activation is not None
        for neuron in range(len(layer.bias))
    ]
    return [
        Transition(right.start, *place, before, after)
        for left, right in pairwise(leaves)
        for place, before, after in zip(places, left.pattern, right.pattern, strict=True)
        if before != after
    ]
