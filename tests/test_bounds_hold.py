"""No network has more regions than a bound allows: the exact counter against every bound."""

from collections.abc import Callable

import numpy as np
import pytest
from curve_strategies import CurveCase, curve_cases
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import network
from strategies import Case, cases
from test_graph import graphs

import pyexpr
from pyexpr import bounds
from pyexpr.graph import Graph

few = settings(max_examples=settings().max_examples // 2)


def check(table: bounds.Table) -> None:
    assert table.exact is not None
    assert table.exact.linear_regions <= table.exact.activation_regions
    counted = {"regions": table.exact.activation_regions, "patterns": table.exact.patterns}
    for row in table.upper:
        assert row.value is None or counted[row.bounds] <= row.value, row
    assert [row.log10 for row in table.upper] == sorted(row.log10 for row in table.upper)


@given(cases())
def test_no_bound_is_exceeded_on_a_segment(case: Case) -> None:
    net = network(case)
    table = bounds.table(net, case.x0, case.x1)
    check(table)
    assert table.exact is not None and table.exact.transitions <= bounds.line(net) - 1


@given(curve_cases())
@few
def test_no_bound_is_exceeded_on_a_curve(case: CurveCase) -> None:
    check(bounds.table(network(case), case.curve.build()))


@given(graphs(), st.integers(0, 2**32 - 1), st.integers(0, 3))
@few
def test_no_bound_is_exceeded_by_a_graph(graph: Graph, seed: int, kind: int) -> None:
    net = pyexpr.Network(graph)
    rng = np.random.default_rng(seed)
    points = rng.integers(-3, 4, (3, *net.input_shape)).astype(float)
    curves: list[Callable[[], pyexpr.Trajectory]] = [
        lambda: pyexpr.Line(points[0], points[1]),
        lambda: pyexpr.Arc(points[0], points[1], 4.0),
        lambda: pyexpr.Circle(*points),
        lambda: pyexpr.Polyline(points, closed=True),
    ]
    check(bounds.table(net, curves[kind]()))


@pytest.mark.parametrize("widths", [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("activation", ["relu", "hard_tanh", "leaky_relu", "abs"])
def test_no_small_integer_network_exceeds_the_line(
    widths: tuple[int, int], activation: str
) -> None:
    rng = np.random.default_rng(0)
    most = bounds.line([1, *widths, 1], activation=activation)
    found = 0
    for _ in range(300):
        layers = [
            (rng.integers(-3, 4, (n, m)).astype(float), rng.integers(-3, 4, n).astype(float))
            for m, n in [(1, widths[0]), widths, (widths[1], 1)]
        ]
        net = pyexpr.Network.dense(layers, activation)
        found = max(found, pyexpr.count_regions(net, [-20.0], [20.0], kind="activation"))
    assert found <= most
    assert 2 * found >= most  # so that the comparison is no empty one


def test_a_line_inside_a_hyperplane_has_no_more_patterns() -> None:
    # Both neurons are off on the line, on which no open region's pattern occurs.
    net = pyexpr.Network.dense([([[1, 0], [-1, 0]], [0, 0]), ([[1, 1]], [0])])
    line = pyexpr.Line([0, -1], [0, 1])
    assert pyexpr.trace(net, line).patterns().tolist() == [[0, 0]]
    check(bounds.table(net, line))


def test_a_rest_at_the_origin_has_a_pattern_of_its_own() -> None:
    # `central` counts open regions, and is none of the bounds on a trajectory's patterns.
    net = pyexpr.Network.dense([([[1], [-1]], [0, 0]), ([[1, 1]], [0])])
    resting = pyexpr.Polyline([[-1], [0], [0], [1]])
    assert bounds.central(net) == 2
    assert pyexpr.count_patterns(net, resting) == 3
    check(bounds.table(net, resting))


def test_the_bound_from_the_weights_sees_dead_neurons() -> None:
    # The first layer switches twice on the segment; none of the second layer can be on.
    first = ([[1.0], [-1.0]], [-0.25, 0.75])
    dead = (-np.ones((50, 2)), np.zeros(50))
    net = pyexpr.Network.dense([first, dead, (np.ones((1, 50)), [0.0])])
    segment = pyexpr.Line([0.0], [1.0])
    assert bounds.serra_ramalingam_2020(net, segment) == 3
    assert pyexpr.count_regions(net, segment, kind="activation") == 3
    assert bounds.line(net) == 103


@given(st.lists(st.integers(1, 6), min_size=2, max_size=4), st.integers(0, 2**32 - 1))
@few
def test_the_bound_from_the_weights_is_one_for_the_architecture_too(
    sizes: list[int], seed: int
) -> None:
    sizes = [*sizes, 1]
    net = pyexpr.Network.random(sizes, bias_variance=0.5, seed=seed)
    rng = np.random.default_rng(seed)
    low = rng.standard_normal(sizes[0])
    high = low + rng.exponential(size=sizes[0])
    in_box = bounds.serra_ramalingam_2020(net, (low, high))
    assert in_box <= bounds.serra_2018(net)
    on_segment = bounds.serra_ramalingam_2020(net, pyexpr.Line(low, high))
    assert on_segment <= bounds.serra_2018([1, *sizes[1:]])
    # Patterns of many lines in the box, together.
    patterns = {
        tuple(letters)
        for _ in range(10)
        for letters in pyexpr.trace(net, *rng.uniform(low, high, (2, sizes[0]))).patterns().tolist()
    }
    assert len(patterns) <= in_box
