"""Every count and trace along a curve is the exact oracle's, on random and on known cases."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import cos, pi
from typing import Any

import numpy as np
import pytest
from corpus import HARD_TANH, RELU, gaussian
from curve_judge import check_case, transitions_of
from curve_strategies import CURVES, Curve, CurveCase, curve, curve_cases
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import Array, counted, network
from oracle import analyse as analyse_line
from strategies import ACTIVATIONS, FAMILIES, Activation, Case, DenseLayer, cases, oracle_layers

import pyexpr

# Random networks and trajectories. The oracle of curves is slow.

few = settings(max_examples=settings().max_examples // 3)
fewer = settings(max_examples=settings().max_examples // 6)


@pytest.mark.parametrize("kind", CURVES)
@few
@given(data=st.data())
def test_counts_and_traces_are_exact_on_every_kind_of_curve(kind: str, data: st.DataObject) -> None:
    check_case(data.draw(curve_cases(curves=[kind])))


@pytest.mark.parametrize("family", FAMILIES)
@fewer
@given(data=st.data())
def test_counts_and_traces_are_exact_for_every_family_of_weights(
    family: str, data: st.DataObject
) -> None:
    check_case(data.draw(curve_cases(families=[family])))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@fewer
@given(data=st.data())
def test_counts_and_traces_are_exact_for_every_activation(
    activation: str, data: st.DataObject
) -> None:
    check_case(data.draw(curve_cases(activations=[activation])))


P = (2 * np.random.default_rng(5).standard_normal((4, 3))).tolist()


@pytest.mark.parametrize("phi", [RELU, HARD_TANH], ids=["relu", "hard_tanh"])
@pytest.mark.parametrize(
    "path",
    [
        curve("Arc", P[0], P[1]),
        curve("Circle", *P[:3]),
        curve("Spline", P[:3], closed=True),
        curve("Bezier", P, weights=[1.0, 2.0, 0.5, 1.5]),
    ],
    ids=lambda path: path.name,
)
def test_larger_networks_have_exact_counts_and_traces(path: Curve, phi: Activation) -> None:
    layers = gaussian([3, 14, 14, 14, 2], seed=1, gain=3.0)
    check_case(CurveCase(layers, [phi] * 3, path))


# What must not change the counts.


@few
@given(curve_cases())
def test_the_reversed_curve_has_the_same_counts(case: CurveCase) -> None:
    net, trajectory = network(case), case.curve.build()
    assert counted(net, trajectory.reversed()) == counted(net, trajectory)


@few
@given(curve_cases())
def test_the_reversed_curve_is_traced_backwards(case: CurveCase) -> None:
    net, trajectory = network(case), case.curve.build()
    forward, backward = pyexpr.trace(net, trajectory), pyexpr.trace(net, trajectory.reversed())
    assert np.array_equal(forward.patterns()[::-1], backward.patterns())
    assert len(forward.t) == len(backward.t)


def same_on_line(case: Case, *trajectories: pyexpr.Trajectory) -> None:
    net = network(case)
    expected = counted(net, case.x0, case.x1)
    for trajectory in trajectories:
        assert counted(net, trajectory) == expected


@given(cases())
def test_a_line_is_the_segment(case: Case) -> None:
    line = pyexpr.Line(case.x0, case.x1)
    same_on_line(case, line)
    net = network(case)
    a, b = pyexpr.trace(net, line), pyexpr.trace(net, case.x0, case.x1)
    assert transitions_of(a) == transitions_of(b)
    assert np.array_equal(a.t, b.t)


@given(cases(), st.integers(2, 3), st.data())
def test_a_line_in_more_coefficients_than_it_needs_is_the_segment(
    case: Case, degree: int, data: st.DataObject
) -> None:
    # Degree elevation, exact: multiples of 1/2 and of 3 in integers.
    x0, x1 = integer_ends(case, data)
    shares = np.arange(degree + 1)[:, None]
    control = ((degree - shares) * x0 + shares * x1) * (6 // degree)
    longer = replace(case, x0=control[0], x1=control[-1])
    same_on_line(longer, pyexpr.Bezier(control))


def integer_ends(case: Case, data: st.DataObject) -> tuple[Array, Array]:
    inputs = len(case.x0)
    ends = st.lists(st.integers(-8, 8), min_size=inputs, max_size=inputs)
    x0, x1 = np.array(data.draw(ends), float), np.array(data.draw(ends), float)
    return x0, x1


@given(cases())
def test_a_line_run_unevenly_has_the_same_regions(case: Case) -> None:
    # x0 + u^2 (x1 - x0), and rational of degree 1.
    same_on_line(
        case,
        pyexpr.Bezier([case.x0, case.x0, case.x1]),
        pyexpr.Bezier([case.x0, case.x1], weights=[1.0, 5.0]),
    )


@given(cases(), st.integers(1, 7), st.data())
def test_a_segment_in_two_parts_is_the_segment(
    case: Case, eighths: int, data: st.DataObject
) -> None:
    x0, x1 = integer_ends(case, data)
    middle = x0 + eighths / 8 * (x1 - x0)  # exact
    parts = [pyexpr.Line(x0, middle), pyexpr.Line(middle, x1)]
    same_on_line(
        replace(case, x0=x0, x1=x1), pyexpr.Polyline([x0, middle, x1]), pyexpr.Chain(parts)
    )


def unbiased(case: Case) -> Case:
    return replace(case, layers=[(weight, 0 * bias) for weight, bias in case.layers])


@given(cases(activations=["relu"]))
def test_without_biases_an_arc_has_the_regions_of_its_chord(case: Case) -> None:
    same_on_line(unbiased(case), pyexpr.Arc(case.x0, case.x1))


@given(cases(activations=["relu"]), st.floats(0.1, 3.1))
def test_without_biases_any_arc_below_a_half_turn_has_the_regions_of_its_chord(
    case: Case, angle: float
) -> None:
    plain = unbiased(case)
    arc = pyexpr.Arc(case.x0, case.x1, angle)
    last = arc.pieces[-1]
    # Its ends are no floats, so that only the oracle knows the chord.
    layers = oracle_layers(plain)
    chord = analyse_line(layers, case.x0.tolist(), last.exact_position(last.end))
    trace = pyexpr.trace(network(plain), arc)
    assert [tuple(pattern) for pattern in trace.patterns().tolist()] == chord.patterns
    assert pyexpr.count_patterns(network(plain), arc) == len(chord.patterns)


# Closed forms.

UNIT_CIRCLE = pyexpr.Circle([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])


def caps(n_1: int, n_2: int) -> list[DenseLayer]:
    """n_1 overlapping caps of the circle, and their sum at n_2 levels; no readout."""
    phi = 2 * pi * np.arange(n_1) / n_1
    delta = 1.5 * pi / n_1
    low = cos(2 * pi / n_1 - delta) - cos(delta)
    high = min(1 - cos(delta), 2 * (cos(pi / n_1) - cos(delta)))
    levels = low + (high - low) * np.arange(1, n_2 + 1) / (n_2 + 1)
    return [
        (np.column_stack([np.cos(phi), np.sin(phi)]), np.full(n_1, -cos(delta))),
        (np.ones((n_2, n_1)), -levels),
        (np.ones((1, n_2)), np.zeros(1)),
    ]


@pytest.mark.parametrize(
    ("widths", "regions"), [((3, 1), 18), ((3, 3), 42), ((10, 10), 420), ((30, 20), 2460)]
)
def test_overlapping_caps_attain_the_bound_of_the_circle(
    widths: tuple[int, int], regions: int
) -> None:
    net = pyexpr.Network.dense(caps(*widths), "relu")
    assert pyexpr.count_regions(net, UNIT_CIRCLE, kind="activation") == regions
    assert regions == 2 * widths[0] * (2 * widths[1] + 1)
    if widths == (3, 1):
        assert pyexpr.count_transitions(net, UNIT_CIRCLE) == 18
        assert pyexpr.count_patterns(net, UNIT_CIRCLE) == 12


Expected = tuple[int, int, int, int]  # linear, activation, patterns, transitions


def summary(layers: Sequence[tuple[Any, Any]], trajectory: pyexpr.Trajectory) -> Expected:
    net = pyexpr.Network.dense(layers, "relu")
    counts = counted(net, trajectory)
    return counts.linear, counts.activation, counts.patterns, counts.transitions


PARABOLA = pyexpr.Bezier([[0.0, 1.0], [0.5, -1.0], [1.0, 1.0]])  # (u, (2u - 1)^2)
ALL = ([[1.0, 1.0]], [0.0])


def test_a_tangent_line_ends_no_region() -> None:
    # y and -y touch 0 at 1/2.
    assert summary([([[0.0, 1.0], [0.0, -1.0]], [0.0, 0.0]), ALL], PARABOLA) == (1, 1, 1, 0)


def test_a_tangent_line_of_the_circle_ends_no_region() -> None:
    touching = ([[3.0, 4.0], [-3.0, -4.0]], [-5.0, 5.0])
    assert summary([touching, ALL], UNIT_CIRCLE) == (1, 1, 1, 0)


def test_lines_next_to_a_tangent_cross_twice_or_not_at_all() -> None:
    tiny = 2.0**-1000
    above = ([[0.0, 1.0], [0.0, 1.0]], [tiny, 0.0])
    below = ([[0.0, 1.0], [0.0, 1.0]], [-tiny, 0.0])
    assert summary([above, ALL], PARABOLA) == (1, 1, 1, 0)
    assert summary([below, ALL], PARABOLA) == (3, 3, 2, 2)


def test_a_crossing_at_a_touch_is_a_breakpoint() -> None:
    both = ([[0.0, 1.0], [1.0, 0.0]], [0.0, -0.5])
    assert summary([both, ALL], PARABOLA) == (2, 2, 2, 1)


def test_a_triple_root_crosses_and_a_quadruple_one_does_not() -> None:
    one = ([[1.0]], [0.0])
    assert summary([one, one], pyexpr.Bezier([[-1.0], [1.0], [-1.0], [1.0]])) == (2, 2, 2, 1)
    quartic = pyexpr.Bezier([[1.0], [-1.0], [1.0], [-1.0], [1.0]])
    assert summary([one, one], quartic) == (1, 1, 1, 0)


def test_a_circle_crosses_a_line_twice() -> None:
    hidden = ([[1.0, 0.0]], [0.0])
    assert summary([hidden, ([[1.0]], [0.0])], UNIT_CIRCLE) == (2, 2, 2, 2)


def test_the_seam_can_be_a_breakpoint() -> None:
    hidden = ([[0.0, 1.0]], [0.0])  # on for the first half of the circle
    assert summary([hidden, ([[1.0]], [0.0])], UNIT_CIRCLE) == (2, 2, 2, 2)


def test_an_open_curve_that_ends_where_it_starts_has_no_seam() -> None:
    square = [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]]
    layers = [([[1.0, 0.0]], [0.0]), ([[1.0]], [0.0])]
    assert summary(layers, pyexpr.Polyline(square, closed=True)) == (2, 2, 2, 2)
    assert summary(layers, pyexpr.Polyline([*square, square[0]])) == (3, 3, 2, 2)


def test_corners_end_no_region() -> None:
    layers = [([[1.0, 1.0]], [9.0]), ([[1.0]], [0.0])]
    assert summary(layers, pyexpr.Polyline([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])) == (1, 1, 1, 0)


def test_a_corner_on_a_threshold_is_a_touch() -> None:
    layers = [([[0.0, 1.0]], [0.0]), ([[1.0]], [0.0])]
    assert summary(layers, pyexpr.Polyline([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]])) == (1, 1, 1, 0)


def test_a_segment_along_a_threshold_is_off() -> None:
    layers = [([[0.0, 1.0]], [0.0]), ([[1.0]], [0.0])]
    along = pyexpr.Polyline([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    assert summary(layers, along) == (2, 2, 2, 1)


@pytest.mark.parametrize(
    ("points", "linear"),
    [
        ([[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0]], 1),
        ([[-1.0, -1.0], [0.0, 0.0], [1.0, 2.0]], 2),
        ([[-1.0, -2.0], [0.0, 0.0], [1.0, 1.0]], 2),
    ],
)
def test_a_joint_is_felt_if_the_maps_differ_on_one_of_its_sides(
    points: list[list[float]], linear: int
) -> None:
    # relu(x) - relu(y) is 0 and then x - y, which is 0 on the diagonal.
    layers = [(np.eye(2), np.zeros(2)), ([[1.0, -1.0]], [0.0])]
    assert summary(layers, pyexpr.Polyline(points)) == (linear, 2, 2, 2)


def test_a_point_has_one_region() -> None:
    layers = [([[1.0, 1.0]], [0.0]), ([[1.0]], [0.0])]
    for still in (pyexpr.Bezier([[1.0, -1.0]] * 4), pyexpr.Polyline([[1.0, -1.0]] * 3)):
        assert summary(layers, still) == (1, 1, 1, 0)


def test_folds_of_a_parabola_bend_at_square_roots() -> None:
    fold = [[2.0, -4.0], [2.0, -4.0]], [0.0, -0.5]
    layers = [([[1.0], [1.0]], [0.0, -0.5]), fold, fold, ([[2.0, -4.0]], [0.0])]
    trace = pyexpr.trace(pyexpr.Network.dense(layers, "relu"), pyexpr.Bezier([[0.0], [0.0], [1.0]]))
    assert trace.n_pieces == 8
    assert trace.t == pytest.approx(np.sqrt(np.arange(1, 8) / 8), abs=1e-16)


@pytest.mark.parametrize("seed", range(3))
def test_parts_of_a_larger_network_add_up(seed: int) -> None:
    # Generic weights: the corners lie inside regions.
    net = pyexpr.Network.random([4, 30, 30, 3], "relu", 4.0, 0.5, seed=seed)
    points = np.random.default_rng(seed).standard_normal((4, 4))
    parts = [counted(net, pyexpr.Line(a, b)) for a, b in pairwise(points)]
    whole = counted(net, pyexpr.Polyline(points))
    assert sum(part.activation for part in parts) - 2 == whole.activation > 20
    assert sum(part.linear for part in parts) - 2 == whole.linear
    assert np.sum([part.per_neuron for part in parts], axis=0).tolist() == whole.per_neuron
