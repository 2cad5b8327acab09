"""Tiny networks written as sympy expressions; sympy alone derives what the counts must be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import pytest
import sympy
from judge import Counts, counted

import pyexpr

T = sympy.Symbol("t", real=True)
R = sympy.Rational
Expr: TypeAlias = sympy.Expr


def relu(z: Expr) -> Expr:
    return sympy.Piecewise((z, z > 0), (0, True))


def leaky(z: Expr) -> Expr:
    return sympy.Piecewise((z, z > 0), (z / 4, True))


def hard_tanh(z: Expr) -> Expr:
    return sympy.Piecewise((-1, z <= -1), (z, z < 1), (1, True))


def magnitude(z: Expr) -> Expr:
    return sympy.Piecewise((z, z > 0), (-z, True))


# Letters inside a region, from signs alone.


def by_sign(z: Expr) -> int:
    return int(bool(z > 0))


def by_limits(z: Expr) -> int:
    return int(bool(z >= 1)) - int(bool(z <= -1))


@dataclass(frozen=True)
class Written:
    """A network on t in [0, 1] as expressions in t: what it computes, and as arrays."""

    hidden: list[list[Expr]]  # pre-activations, layer by layer
    outputs: list[Expr]
    thresholds: Sequence[int]
    letters: str  # "sign" or "limits"
    layers: list[tuple[list[list[float]], list[float]]]
    activation: str | pyexpr.PiecewiseLinear


def possible_roots(z: Expr) -> list[Expr]:
    """Where some piece of z vanishes, be it on that piece's interval or not."""
    folded = sympy.piecewise_fold(z)
    pieces = [piece for piece, _ in folded.args] if folded.is_Piecewise else [folded]
    return [root for piece in pieces if piece.has(T) for root in sympy.solve(piece, T)]


def derived(net: Written) -> Counts:
    """Between neighbouring roots of any z - threshold all is affine: look at two points there."""
    crossings = [z - k for layer in net.hidden for z in layer for k in net.thresholds]
    roots = {root for z in crossings for root in possible_roots(z)}
    nodes = [R(0), *sorted(r for r in roots if 0 < r < 1), R(1)]
    letter = {"sign": by_sign, "limits": by_limits}[net.letters]
    patterns, slopes = [], []
    for a, b in pairwise(nodes):
        left, middle = a + (b - a) / 3, (a + b) / 2
        patterns.append([[letter(z.subs(T, middle)) for z in layer] for layer in net.hidden])
        slopes.append(
            [(f.subs(T, middle) - f.subs(T, left)) / (middle - left) for f in net.outputs]
        )
    per_neuron = [
        [
            sum(before[i][j] != after[i][j] for before, after in pairwise(patterns))
            for j in range(len(layer))
        ]
        for i, layer in enumerate(net.hidden)
    ]
    regions = 1 + sum(before != after for before, after in pairwise(patterns))
    return Counts(
        linear=1 + sum(before != after for before, after in pairwise(slopes)),
        activation=regions,
        patterns=len({str(pattern) for pattern in patterns}),
        transitions=sum(map(sum, per_neuron)),
        per_layer=[sum(layer) for layer in per_neuron],
        per_neuron=[n for layer in per_neuron for n in layer],
    )


def two_relu_layers() -> Written:
    a, b = 3 * T - 1, 2 - 3 * T
    c = 2 * relu(a) + 3 * relu(b) - R(5, 2)
    d = R(3, 2) - relu(a) - relu(b)
    return Written(
        hidden=[[a, b], [c, d]],
        outputs=[relu(c) - 2 * relu(d) + 1],
        thresholds=[0],
        letters="sign",
        layers=[
            ([[3, 0], [0, -3]], [-1, 2]),
            ([[2, 3], [-1, -1]], [-2.5, 1.5]),
            ([[1, -2]], [1]),
        ],
        activation="relu",
    )


def a_breakpoint_that_the_output_cancels() -> Written:
    # relu(z) - relu(-z) = z: nothing bends at 3/8, only at 5/8.
    z, w = 8 * T - 3, 8 * T - 5
    return Written(
        hidden=[[z, -z, w]],
        outputs=[relu(z) - relu(-z) + relu(w), sympy.Integer(1)],
        thresholds=[0],
        letters="sign",
        layers=[([[8, 0], [-8, 0], [0, 8]], [-3, 3, -5]), ([[1, -1, 1], [0, 0, 0]], [0, 1])],
        activation="relu",
    )


def two_hard_tanh_layers() -> Written:
    a, b = 10 * T - 5, 3 - 5 * T
    c = 2 * hard_tanh(a) + 2 * hard_tanh(b) + R(1, 4)
    return Written(
        hidden=[[a, b], [c]],
        outputs=[4 * hard_tanh(c)],
        thresholds=[-1, 1],
        letters="limits",
        layers=[([[10, 0], [0, -5]], [-5, 3]), ([[2, 2]], [0.25]), ([[4]], [0])],
        activation="hard_tanh",
    )


def three_nested_magnitudes() -> Written:
    a = 2 * T - 1
    b = 3 * magnitude(a) - 2
    c = magnitude(b) - R(0.8)
    return Written(
        hidden=[[a], [b], [c]],
        outputs=[magnitude(c)],
        thresholds=[0],
        letters="sign",
        layers=[([[1, 1]], [-1]), ([[3]], [-2]), ([[1]], [-0.8]), ([[1]], [0])],
        activation="abs",
    )


def leaky_layers_with_tenths() -> Written:
    # Floats such as 0.1 are taken for what they are.
    a, b = R(0.1) * T - R(0.07), R(0.3) * T - R(0.21)
    c = 5 * leaky(a) - 2 * leaky(b) + R(0.01)
    return Written(
        hidden=[[a, b], [c]],
        outputs=[leaky(c)],
        thresholds=[0],
        letters="sign",
        layers=[([[0.1, 0], [0, 0.3]], [-0.07, -0.21]), ([[5, -2]], [0.01]), ([[1]], [0])],
        activation=pyexpr.LeakyReLU(0.25),
    )


def a_touch_and_a_dead_interval() -> Written:
    a, b = T - R(1, 2), R(1, 2) - T
    touch = relu(a) + relu(b)  # |t - 1/2|
    dead = relu(a) - R(1, 4)
    return Written(
        hidden=[[a, b], [touch, dead], [relu(dead) - relu(touch) / 8]],
        outputs=[relu(relu(dead) - relu(touch) / 8)],
        thresholds=[0],
        letters="sign",
        layers=[
            ([[1, 0], [0, -1]], [-0.5, 0.5]),
            ([[1, 1], [1, 0]], [0, -0.25]),
            ([[-0.125, 1]], [0]),
            ([[1]], [0]),
        ],
        activation="relu",
    )


WRITTEN = [
    two_relu_layers,
    a_breakpoint_that_the_output_cancels,
    two_hard_tanh_layers,
    three_nested_magnitudes,
    leaky_layers_with_tenths,
    a_touch_and_a_dead_interval,
]


@pytest.mark.parametrize("write", WRITTEN)
def test_counts_are_those_that_sympy_derives(write: Callable[[], Written]) -> None:
    written = write()
    net = pyexpr.Network.dense(written.layers, written.activation)
    inputs = net.input_shape[0]
    expected = derived(written)
    assert expected.activation > 1
    assert counted(net, np.zeros(inputs), np.ones(inputs)) == expected


@pytest.mark.parametrize("write", WRITTEN)
def test_the_arrays_are_the_expressions(write: Callable[[], Written]) -> None:
    written = write()
    net = pyexpr.Network.dense(written.layers, written.activation)
    inputs = net.input_shape[0]
    for k in range(17):
        value = [float(f.subs(T, R(k, 16))) for f in written.outputs]
        assert net([k / 16] * inputs).tolist() == pytest.approx(value, abs=1e-14)
