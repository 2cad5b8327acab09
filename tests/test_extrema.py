"""Where outputs are smallest and largest: by hand, and never beaten by dense sampling."""

import math

import numpy as np
import pytest
from hypothesis import given
from judge import check_close, exact_values, largest_sums, network
from judge import exact as as_exact
from oracle import analyse, evaluate
from strategies import Case, cases, oracle_layers

import pyexpr
from pyexpr import Network

UNIT_CIRCLE = pyexpr.Circle([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
TENT = [([[1.0], [1.0]], [0.0, -0.5]), ([[2.0, -4.0]], [0.0])]  # 2 relu(x) - 4 relu(x - 1/2)


def test_a_tent_has_its_top_in_the_middle() -> None:
    trace = pyexpr.trace(TENT, [-1.0], [1.0])
    assert trace.maximum() == (0.75, 1.0)
    assert trace.minimum() == (0.0, 0.0)
    assert trace.maximum().t == 0.75
    assert trace.maximum(-1).value == 1.0


def test_a_corner_of_the_trajectory_can_be_an_extremum() -> None:
    trace = pyexpr.trace([([[1.0]], [0.0])], pyexpr.Polyline([[0.0], [3.0], [-1.0], [2.0], [0.0]]))
    assert trace.maximum() == (0.25, 3.0)
    assert trace.minimum() == (0.5, -1.0)


@given(cases())
def test_extrema_on_a_segment_are_at_nodes(case: Case) -> None:
    layers = oracle_layers(case)
    analysis = analyse(layers, case.x0, case.x1)
    values = exact_values(list(evaluate(layers, as_exact(case.x0))), analysis)
    scale = largest_sums(layers, as_exact(case.x0), as_exact(case.x1))
    trace = pyexpr.trace(network(case), case.x0, case.x1)
    columns = [*zip(*values, strict=True)]
    found = [[trace.minimum(i).value, trace.maximum(i).value] for i in range(len(columns))]
    for row, column, size in zip(found, columns, scale, strict=True):
        check_close(np.array([row]), [[min(column), max(column)]], [size, size])


def test_a_circle_has_its_extrema_inside() -> None:
    # 3 x + 4 y + 1 is 1 +- 5 at the angle of (3, 4) and opposite.
    trace = pyexpr.trace([([[3.0, 4.0], [1.0, 0.0]], [1.0, 0.0])], UNIT_CIRCLE)
    angle = math.atan2(4, 3) / math.tau
    assert trace.maximum() == pytest.approx((angle, 6), abs=1e-8)
    assert trace.minimum() == pytest.approx((angle + 0.5, -4), abs=1e-8)
    assert trace.maximum(1) == (0.0, 1.0)
    assert trace.minimum(1) == (0.5, -1.0)


def test_a_cut_circle_has_its_top_where_it_is_not_cut() -> None:
    # min(x, 1/2) + relu(y) / 4 on the circle.
    layers = [
        ([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [2.0, -0.5, 0.0]),
        ([[1.0, -1.0, 0.25]], [-2.0]),
    ]
    top = pyexpr.trace(layers, UNIT_CIRCLE).maximum()
    assert top == pytest.approx((1 / 6, 0.5 + math.sqrt(3) / 8), abs=1e-12)


def test_an_extremum_of_a_high_degree() -> None:
    # T_6 on [-1, 1] is -1 at cos(pi / 6), cos(pi / 2) and cos(5 pi / 6); a tilt lowers the last.
    power = np.polynomial.chebyshev.cheb2poly([0] * 6 + [1])
    in_u = np.polynomial.Polynomial(power)(np.polynomial.Polynomial([-1.0, 2.0])).coef
    bernstein = [
        sum(math.comb(i, j) / math.comb(6, j) * in_u[j] for j in range(i + 1)) for i in range(7)
    ]
    curve = pyexpr.Bezier([[i / 6, y] for i, y in enumerate(bernstein)])
    bottom = pyexpr.trace([([[0.01, 1.0]], [0.0])], curve).minimum()
    assert bottom.t == pytest.approx((1 - math.cos(math.pi / 6)) / 2, abs=1e-3)
    values = curve(np.linspace(0, 1, 100_001)) @ [0.01, 1.0]
    assert values.min() - 1e-9 <= bottom.value <= values.min() + 1e-12


RNG = np.random.default_rng(0)
CURVES = {
    "circle": pyexpr.Circle(*RNG.standard_normal((3, 3))),
    "arc": pyexpr.Arc(RNG.standard_normal(3), RNG.standard_normal(3), 4.0),
    "rational": pyexpr.Bezier(RNG.standard_normal((5, 3)), weights=[1.0, 2.0, 0.25, 4.0, 1.0]),
    "spline": pyexpr.Spline(RNG.standard_normal((6, 3)), closed=True),
    "reversed": pyexpr.Spline(RNG.standard_normal((6, 3))).reversed(),
    "chain": pyexpr.Chain([pyexpr.Line([0, 1, 2], [1, 1, 1]), pyexpr.Arc([1, 1, 1], [2, 0, 1])]),
}


@pytest.mark.parametrize("activation", ["relu", "hard_tanh"])
@pytest.mark.parametrize("name", CURVES)
def test_no_sample_is_beyond_the_extrema(name: str, activation: str) -> None:
    net = Network.random([3, 20, 20, 3], activation, 4.0, 0.5, seed=1)
    trace = pyexpr.trace(net, CURVES[name])
    values = net(trace.trajectory(np.linspace(0, 1, 20_001)))
    for i in range(3):
        low, high = trace.minimum(i), trace.maximum(i)
        assert low.value <= values[:, i].min() + 1e-12
        assert high.value >= values[:, i].max() - 1e-12
        for extremum in (low, high):
            assert net(trace.trajectory(extremum.t))[i] == pytest.approx(extremum.value, abs=1e-12)


def test_an_output_that_is_not_there() -> None:
    trace = pyexpr.trace(TENT, [-1.0], [1.0])
    with pytest.raises(IndexError, match="output 1 is not among the 1"):
        trace.minimum(1)
