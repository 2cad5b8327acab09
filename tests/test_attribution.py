"""Integrated gradients: by hand, from exact affine maps, and complete on every trajectory."""

from fractions import Fraction
from itertools import pairwise
from math import pi

import numpy as np
import pytest
from graph_corpus import CORPUS
from hypothesis import given
from judge import Exact, exact, exact_affine_map, largest_sums, network
from oracle import analyse
from strategies import Case, cases, oracle_layers

import pyexpr
from pyexpr import Network

SUM_OF_RELUS = [(np.eye(2), np.zeros(2)), ([[1.0, 1.0], [2.0, -1.0]], [5.0, 0.0])]


@given(cases(families=["ternary", "gaussian", "quantised"]))
def test_attributions_are_sums_of_exact_gradients(case: Case) -> None:
    layers, inputs = oracle_layers(case), len(case.x0)
    analysis = analyse(layers, case.x0, case.x1)
    nodes = [Fraction(0), *analysis.breakpoints, Fraction(1)]
    true: list[Exact] = [[Fraction(0)] * inputs for _ in case.layers[-1][1]]
    for (start, end), pattern in zip(pairwise(nodes), analysis.patterns, strict=True):
        a, _ = exact_affine_map(layers, pattern, inputs)
        for total, row in zip(true, a, strict=True):
            for j, x in enumerate(row):
                step = Fraction(float(case.x1[j])) - Fraction(float(case.x0[j]))
                total[j] += x * step * (end - start)
    scale = largest_sums(layers, exact(case.x0), exact(case.x1))
    trace = pyexpr.trace(network(case), case.x0, case.x1)
    for output, (expected, size) in enumerate(zip(true, scale, strict=True)):
        found = trace.integrated_gradients(output)
        assert found == pytest.approx(
            [float(x) for x in expected], abs=1e-12 * float(size) + 1e-300
        )


def test_an_affine_network_is_its_weights_times_the_way() -> None:
    net = Network.dense([([[2.0, -3.0], [1.0, 0.0]], [1.0, 1.0])])
    trace = pyexpr.trace(net, pyexpr.Bezier([[0.0, 0.0], [9.0, -5.0], [1.0, 2.0]]))
    assert trace.integrated_gradients() == pytest.approx([2, -6])
    assert trace.integrated_gradients(-1) == pytest.approx([1, 0])


def test_the_way_matters_by_hand() -> None:
    # relu(x) + relu(y) gains from x where x > 0.
    first_x = pyexpr.Polyline([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0]])
    assert pyexpr.trace(SUM_OF_RELUS, first_x).integrated_gradients() == pytest.approx([1, 1])
    # relu(x + y - 1): from (0, 0) to (1, 1) by the corner (1, 0), only y is seen to act.
    layers = [([[1.0, 1.0]], [-1.0]), ([[1.0]], [0.0])]
    corner = pyexpr.Polyline([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert pyexpr.trace(layers, corner).integrated_gradients() == pytest.approx([0, 1])
    straight = pyexpr.trace(layers, [0.0, 0.0], [1.0, 1.0])
    assert straight.integrated_gradients() == pytest.approx([0.5, 0.5])


def test_a_quarter_of_a_circle_in_closed_form() -> None:
    # relu(x + y - 1) on (cos s, sin s): always on, dx = -sin s ds, dy = cos s ds.
    layers = [([[1.0, 1.0]], [-1.0]), ([[3.0]], [0.0])]
    quarter = pyexpr.Arc([1.0, 0.0], [0.0, 1.0])
    assert pyexpr.trace(layers, quarter).integrated_gradients() == pytest.approx([-3, 3])
    # relu(y - 1/2) on the half circle: on between 30 and 150 degrees, where x falls by sqrt(3).
    layers = [([[1.0, 1.0], [0.0, 1.0]], [0.0, -0.5]), ([[0.0, 1.0]], [0.0])]
    half = pyexpr.trace(layers, pyexpr.Arc([1.0, 0.0], [0.0, 1.0], pi))
    assert half.integrated_gradients() == pytest.approx([0, 0], abs=1e-15)
    # relu(x + y) from (1, 0): on up to 135 degrees, where x = -sqrt(1/2), y = sqrt(1/2).
    layers = [([[1.0, 1.0]], [0.0]), ([[1.0]], [0.0])]
    half = pyexpr.trace(layers, pyexpr.Arc([1.0, 0.0], [0.0, 1.0], pi))
    assert half.integrated_gradients() == pytest.approx([-np.sqrt(0.5) - 1, np.sqrt(0.5)])


RNG = np.random.default_rng(0)
CURVES = {
    "line": pyexpr.Line(RNG.standard_normal(3), RNG.standard_normal(3)),
    "polyline": pyexpr.Polyline(RNG.standard_normal((5, 3))),
    "closed polyline": pyexpr.Polyline(RNG.standard_normal((5, 3)), closed=True),
    "circle": pyexpr.Circle(*RNG.standard_normal((3, 3))),
    "arc": pyexpr.Arc(RNG.standard_normal(3), RNG.standard_normal(3), 4.0),
    "rational": pyexpr.Bezier(RNG.standard_normal((5, 3)), weights=[1.0, 2.0, 0.25, 4.0, 1.0]),
    "spline": pyexpr.Spline(RNG.standard_normal((6, 3))),
}


@pytest.mark.parametrize("activation", ["relu", "hard_tanh"])
@pytest.mark.parametrize("name", CURVES)
def test_attributions_are_complete(name: str, activation: str) -> None:
    curve = CURVES[name]
    net = Network.random([3, 30, 30, 4], activation, 4.0, 0.5, seed=1)
    trace = pyexpr.trace(net, curve)
    gained = net(curve(1.0)) - net(curve(0.0))
    for output in range(4):
        found = trace.integrated_gradients(output)
        assert found.shape == (3,)
        assert found.sum() == pytest.approx(gained[output], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", CORPUS)
def test_attributions_of_graphs_are_complete(name: str) -> None:
    graph, x0, x1 = CORPUS[name]
    net = Network(graph)
    trace = pyexpr.trace(net, x0, x1)
    gained = (net(x1) - net(x0)).reshape(-1)
    for output in {0, gained.size - 1}:
        found = trace.integrated_gradients(output)
        assert found.shape == net.input_shape
        assert found.sum() == pytest.approx(gained[output], rel=1e-12, abs=1e-9)


def test_a_sum_of_many_gradients_is_the_integral() -> None:
    net = Network.random([3, 20, 20, 2], "relu", 4.0, 0.5, seed=2)
    trace = pyexpr.trace(net, CURVES["rational"])
    t = (np.arange(20_000) + 0.5) / 20_000
    regions = np.searchsorted(trace.t, t)
    gradients = np.array([trace.affine_map(i)[0][1] for i in range(trace.n_intervals)])
    steps = trace.trajectory.velocity(t) / len(t)
    riemann = (gradients[regions] * steps).sum(axis=0)
    assert trace.integrated_gradients(1) == pytest.approx(riemann, abs=1e-3)


def test_what_is_not_there_has_no_attributions() -> None:
    trace = pyexpr.trace(SUM_OF_RELUS, [0.0, 0.0], [1.0, 1.0])
    with pytest.raises(IndexError, match="output 2 is not among the 2"):
        trace.integrated_gradients(2)
    with pytest.raises(ValueError, match="read-only"):
        trace.integrated_gradients()[0] = 1
