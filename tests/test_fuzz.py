"""Many small networks against the exact oracle.

    pytest -m fuzz -s                    PYEXPR_FUZZ cases (default 100000), all cores
    python tests/test_fuzz.py 1000000    the same as a script; a second number: the first case

Case i is made from the seed i alone, so that a failure is reproduced by `make_case(i)`.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from corpus import ABS, HARD_TANH, RELU, RELU6
from fuzzing import Fuzz
from judge import (
    check_breakpoints,
    check_letters,
    counted,
    exact_slopes_change,
    expected_counts,
    hidden_widths,
    network,
    piecewise_linear,
)
from oracle import analyse
from strategies import Activation, Array, Case, DenseLayer, oracle_layers

import pyexpr

Rng = np.random.Generator


# Weights: [out, in + 1], the bias in the last column.


def ternary(rng: Rng, shape: tuple[int, int]) -> Array:
    return rng.integers(-1, 2, shape).astype(float)


def small_integers(rng: Rng, shape: tuple[int, int]) -> Array:
    return rng.integers(-3, 4, shape).astype(float)


def gaussian(rng: Rng, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape)


def quantised(rng: Rng, shape: tuple[int, int]) -> Array:
    scale = float(rng.choice([1 / 128, float(np.float32(1 / 127)), 0.0123]))
    return rng.integers(-127, 128, shape).astype(float) * scale


def dyadic(rng: Rng, shape: tuple[int, int]) -> Array:
    return rng.integers(-16, 17, shape) / 8


def tenths(rng: Rng, shape: tuple[int, int]) -> Array:
    return rng.integers(-5, 6, shape) / 10


def wide_exponents(rng: Rng, shape: tuple[int, int]) -> Array:
    return small_integers(rng, shape) * 2.0 ** rng.integers(-60, 61, shape)


def near_coincident(rng: Rng, shape: tuple[int, int]) -> Array:
    """Rows that repeat earlier ones up to a factor or an ulp."""
    rows = (gaussian, small_integers, tenths)[rng.integers(3)](rng, shape)
    for index in range(1, len(rows)):
        source = rows[rng.integers(index)]
        kind = rng.integers(5)
        if kind == 0:
            rows[index] = source
        elif kind == 1:
            rows[index] = source * rng.choice([3.0, 5.0, 1 / 3, -1.0, -3.0])
        elif kind == 2:
            rows[index] = source
            column = rng.integers(shape[1])
            rows[index, column] = np.nextafter(source[column], rng.choice([-np.inf, np.inf]))
    return rows


FAMILIES: tuple[Callable[[Rng, tuple[int, int]], Array], ...] = (
    ternary,
    small_integers,
    gaussian,
    quantised,
    dyadic,
    tenths,
    wide_exponents,
    near_coincident,
)


def make_layers(rng: Rng, widths: Sequence[int]) -> list[DenseLayer]:
    make = FAMILIES[rng.integers(len(FAMILIES))]
    make_bias = (make, ternary, None)[rng.integers(3)]
    layers = []
    for fan_in, fan_out in pairwise(widths):
        rows = make(rng, (fan_out, fan_in + 1))
        if make_bias is None:
            rows[:, -1] = 0
        elif make_bias is ternary:
            rows[:, -1] = ternary(rng, (fan_out, 1))[:, 0]
        if rng.integers(12) == 0:
            rows[rng.integers(fan_out)] = 0
        layers.append((rows[:, :-1].copy(), rows[:, -1].copy()))
    return layers


def make_activation(rng: Rng, neurons: int) -> Activation:
    kind = rng.integers(8)
    if kind < 5:
        return (RELU, RELU, HARD_TANH, ABS, RELU6)[kind]
    if kind == 5:
        slopes = rng.choice([0.25, 0.1, 0.0, 1.0, -0.5], neurons)
        return Activation(np.zeros(1), np.column_stack([slopes, np.ones(neurons)]), 0.0, 0)
    if kind == 6:
        return Activation(np.zeros(1), np.array([rng.choice([0.01, 0.125, 2.0]), 1.0]), 0.0, 0)
    knots = np.sort(rng.choice(np.arange(-8, 9), rng.integers(1, 4), replace=False)) / 4
    slopes = rng.choice([0.0, 1.0, -1.0, 0.5, 0.3], len(knots) + 1)
    return Activation(knots, slopes, float(rng.choice([0.0, 1.0, -0.5, 0.1])), 0)


def make_end_points(rng: Rng, inputs: int) -> tuple[Array, Array]:
    if rng.integers(2):
        x0, x1 = rng.integers(-8, 9, (2, inputs)).astype(float)
    else:
        x0, x1 = 4 * rng.standard_normal((2, inputs))
    kind = rng.integers(8)
    if kind < 2:
        return x0, -x0
    if kind == 2:
        return 0 * x0, x1
    if kind == 3:
        return -x0, 2 * x0
    return x0, x1


def aim(rng: Rng, case: Case) -> None:
    """Move biases so that neurons of all layers cross thresholds at the same few t, up to rounding.

    Some rows are made nearly flat first: float64 can hardly tell where these cross.
    """
    t = rng.choice([0.25, 0.5, 1 / 3, 0.7], 2, replace=False)[:, None]
    h = (1 - t) * case.x0 + t * case.x1
    for (weight, bias), phi in zip(case.layers, case.activations, strict=False):
        if rng.integers(3) == 0:
            weight[rng.integers(len(weight))] *= 2.0 ** -rng.integers(20, 60)
        z = h @ weight.T
        for q in np.flatnonzero(rng.integers(2, size=len(bias))):
            bias[q] = rng.choice(phi.breakpoints) - z[rng.integers(2), q]
        h = piecewise_linear(phi)(z + bias)


def make_case(index: int) -> Case:
    """A small network and segment: 1 to 4 hidden layers of 1 to 5 neurons."""
    rng = np.random.default_rng(index)
    hidden = rng.integers(1, 6, rng.choice([1, 2, 2, 3, 3, 4])).tolist()
    inputs, outputs = rng.integers(1, 4, 2).tolist()
    layers = make_layers(rng, [inputs, *hidden, outputs])
    phi = make_activation(rng, 1)
    phis = [make_activation(rng, width) for width in hidden]
    if rng.integers(2) and phi.slopes.ndim == 1:
        phis = [phi] * len(hidden)
    case = Case(layers, phis, *make_end_points(rng, inputs))
    if rng.integers(4) == 0:
        aim(rng, case)
    return case


def check(case: Case) -> None:
    """All integers, all letters, all breakpoints."""
    layers = oracle_layers(case)
    analysis = analyse(layers, case.x0, case.x1)
    net = network(case)
    assert counted(net, case.x0, case.x1) == expected_counts(analysis, hidden_widths(layers))
    trace = pyexpr.trace(net, case.x0, case.x1)
    check_breakpoints(trace.t, analysis.breakpoints)
    check_letters(trace, analysis)
    assert trace.bends.tolist() == exact_slopes_change(analysis)


FUZZ = Fuzz("networks", make_case, check)


@pytest.mark.fuzz
def test_many_small_networks() -> None:
    n_cases = int(os.environ.get("PYEXPR_FUZZ", "100000"))
    assert n_cases > 0
    assert FUZZ.run(n_cases) == []


def test_a_few_small_networks() -> None:
    assert FUZZ.wrong(0, 300) == []


def test_a_wrong_count_is_noticed() -> None:
    # The fuzz run is worth what its comparison is: a network with another end is refused.
    noticed = 0
    for index in range(40):
        case = make_case(index)
        layers = oracle_layers(case)
        expected = expected_counts(analyse(layers, case.x0, case.x1), hidden_widths(layers))
        other = replace(case, x1=case.x1 + 0.75)
        noticed += counted(network(other), other.x0, other.x1) != expected
    assert noticed > 10


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    sys.exit(1 if FUZZ.run(*(arguments or [100_000])) else 0)
