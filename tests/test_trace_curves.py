"""Traces along curves: places, letters, derivatives, exact breakpoints; seams and joints."""

from fractions import Fraction
from math import cos, pi, sqrt, tau

import numpy as np
import pytest
from curve_judge import judged
from curve_strategies import CURVES, CurveCase, curve_cases
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import exact_affine_map, network
from strategies import oracle_layers

import pyexpr
from pyexpr.tracing.algebraic import AlgebraicNumber

few = settings(max_examples=settings().max_examples // 3)
fewer = settings(max_examples=settings().max_examples // 6)
UNIT_CIRCLE = pyexpr.Circle([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
PARABOLA = pyexpr.Bezier([[0.0, 1.0], [0.5, -1.0], [1.0, 1.0]])  # (u, (2u - 1)^2)
UPPER = [([[0.0, 1.0]], [0.0]), ([[2.0]], [1.0])]  # 2 relu(y) + 1
RIGHT = [([[1.0, 0.0]], [0.0]), ([[2.0]], [1.0])]  # 2 relu(x) + 1


# By hand.


def test_the_upper_half_of_a_circle() -> None:
    trace = pyexpr.trace(UPPER, UNIT_CIRCLE)  # which changes at t = 1/2 and at the seam
    assert trace.t.tolist() == [0.5, 1.0]
    assert trace.piece.tolist() == [2, 4]
    assert trace.u.tolist() == [0.0, 0.0]
    assert trace.nodes.tolist() == [0.0, 0.5, 1.0]
    assert (trace.n_intervals, trace.n_regions, trace.n_pieces, trace.n_patterns) == (2, 2, 2, 2)
    assert trace.patterns().tolist() == [[1], [0]]
    assert trace.transitions.tolist() == [(0, 0, 0, 1, 0), (1, 0, 0, 0, 1)]
    assert trace.values.tolist() == [[1.0], [1.0], [1.0]]
    assert trace.transitions_per_layer.tolist() == trace.transitions_per_neuron.tolist() == [2]
    assert trace.x0.tolist() == trace.x1.tolist() == [1.0, 0.0]
    # On the first half f = 2 sin(2 pi t) + 1.
    t = np.array([0.0, 0.1, 0.25, 0.4])
    assert trace.derivative(t)[:, 0] == pytest.approx(4 * pi * np.cos(tau * t), abs=1e-13)
    assert trace.derivative([0.5, 0.7, 1.0]).tolist() == [[0.0]] * 3


def test_the_right_half_of_a_circle() -> None:
    trace = pyexpr.trace(RIGHT, UNIT_CIRCLE)  # whose seam is inside a region
    assert trace.t.tolist() == [0.25, 0.75]
    assert trace.nodes.tolist() == [0.0, 0.25, 0.75, 1.0]
    assert (trace.n_intervals, trace.n_regions, trace.n_pieces, trace.n_patterns) == (3, 2, 2, 2)
    assert trace.patterns().tolist() == [[1], [0], [1]]
    assert trace.values == pytest.approx(np.array([[3.0], [1.0], [1.0], [3.0]]), abs=1e-15)


def test_a_closed_curve_within_one_region() -> None:
    trace = pyexpr.trace(RIGHT, pyexpr.Circle([5.0, 0.0], [1.0, 0.0], [0.0, 1.0]))
    assert trace.nodes.tolist() == [0.0, 1.0]
    assert (trace.n_intervals, trace.n_regions, trace.n_pieces, trace.n_patterns) == (1, 1, 1, 1)


def test_corners_lie_inside_intervals() -> None:
    square = pyexpr.Polyline([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]], closed=True)
    trace = pyexpr.trace(RIGHT, square)
    assert trace.t.tolist() == [0.125, 0.625]
    assert trace.derivative([0.0, 0.1, 0.125, 0.3, 0.7, 0.8, 1.0]).ravel().tolist() == [
        *(-16.0, -16.0, 0.0, 0.0, 16.0, 0.0, 0.0)
    ]
    assert trace.t_exact(0) == trace.t_exact(1) == Fraction(1, 2)  # of their pieces


def test_joints_that_are_breakpoints() -> None:
    # relu(x) switches where two segments meet; then the second lies along its threshold.
    turn = pyexpr.Polyline([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    trace = pyexpr.trace(RIGHT, turn)
    assert (trace.piece.tolist(), trace.u.tolist(), trace.t.tolist()) == ([1], [0.0], [0.5])
    assert trace.t_exact(0) == 0
    along = pyexpr.Polyline([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    trace = pyexpr.trace(RIGHT, along)
    assert trace.t.tolist() == [0.5]
    assert trace.t_exact(0) == 0


def test_joints_and_seams_of_curves_are_exact_too() -> None:
    trace = pyexpr.trace(UPPER, UNIT_CIRCLE)
    for i in range(2):
        exactly = trace.t_exact(i)
        assert isinstance(exactly, AlgebraicNumber)
        assert exactly == 0


def test_one_moment_of_a_circle() -> None:
    trace = pyexpr.trace(UPPER, UNIT_CIRCLE)
    moment = trace.at(1 / 12)
    assert (moment.t, moment.region, moment.breakpoint) == (1 / 12, 0, None)
    assert moment.x == pytest.approx([sqrt(3) / 2, 0.5])
    assert moment.pattern.tolist() == [1]
    assert moment.value == pytest.approx([2.0])
    assert moment.derivative == pytest.approx([4 * pi * cos(tau / 12)])
    for name in ("x", "pattern", "value", "derivative"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(moment, name)[...] = 0


@pytest.mark.parametrize(
    ("t", "region", "breakpoint"), [(0.0, 0, None), (0.25, 0, None), (0.5, 1, 0), (1.0, 1, 1)]
)
def test_a_moment_belongs_to_what_begins_there(t: float, region: int, breakpoint: int) -> None:
    moment = pyexpr.trace(UPPER, UNIT_CIRCLE).at(t)
    assert (moment.region, moment.breakpoint) == (region, breakpoint)


def test_where_a_circle_passes_a_level() -> None:
    net = pyexpr.Network.dense([([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])])
    trace = pyexpr.trace(net, UNIT_CIRCLE)
    assert trace.crossings(0.5) == pytest.approx([1 / 6, 5 / 6], abs=1e-15)
    assert trace.crossings(0.0, 1).tolist() == [0.5, 1.0]
    assert trace.crossings(1.0).tolist() == []
    changes = trace.decision_changes()
    assert changes["t"] == pytest.approx([1 / 8, 5 / 8], abs=1e-15)
    assert changes[["before", "after"]].tolist() == [(0, 1), (1, 0)]


def test_slopes_are_of_segments_alone() -> None:
    trace = pyexpr.trace(UPPER, UNIT_CIRCLE)
    for name in ("slopes", "intercepts"):
        with pytest.raises(ValueError, match=r"Circle.*derivative\(t\)"):
            getattr(trace, name)
    there = pyexpr.trace(UPPER, pyexpr.Line([0.0, -1.0], [0.0, 1.0]))
    assert there.slopes.tolist() == [[0.0], [4.0]]
    back = pyexpr.trace(UPPER, pyexpr.Line([0.0, -1.0], [0.0, 1.0]).reversed())
    assert back.slopes.tolist() == [[-4.0], [0.0]]


def test_what_is_wrong_is_said() -> None:
    trace = pyexpr.trace(UPPER, UNIT_CIRCLE)
    with pytest.raises(ValueError, match="t runs from 0 to 1"):
        trace.at(1.5)
    with pytest.raises(ValueError, match="t runs from 0 to 1"):
        trace.derivative([0.5, -0.1])
    with pytest.raises(IndexError, match="interval 2 is not among the 2"):
        trace.pattern(2)
    with pytest.raises(TypeError, match="x1"):
        pyexpr.trace(UPPER, UNIT_CIRCLE, [0.0, 1.0])
    with pytest.raises(TypeError, match="trajectory"):
        pyexpr.trace(UPPER, [0.0, 1.0])


# Exact breakpoints.


def test_a_breakpoint_is_a_square_root() -> None:
    # u^2 = 1/2.
    layers = [([[1.0]], [-0.5]), ([[1.0]], [0.0])]
    (t,) = [pyexpr.trace(layers, pyexpr.Bezier([[0.0], [0.0], [1.0]])).t_exact(0)]
    assert isinstance(t, AlgebraicNumber)
    assert t.polynomial in ((-1, 0, 2), (1, 0, -2))
    assert float(t) == sqrt(0.5)


def test_breakpoints_that_floats_cannot_tell_apart() -> None:
    # (2u - 1)^2 = 2^-1000, so u = 1/2 -+ 2^-501, and a line through 1/2 between them.
    tiny = 2.0**-1000
    layers = [([[0.0, 1.0], [1.0, 0.0]], [-tiny, -0.5]), ([[1.0, 1.0]], [0.0])]
    trace = pyexpr.trace(layers, PARABOLA)
    assert trace.t.tolist() == [0.5, 0.5, 0.5]
    gap = Fraction(1, 2**501)
    expected = [Fraction(1, 2) - gap, Fraction(1, 2), Fraction(1, 2) + gap]
    assert [trace.t_exact(i) for i in range(3)] == expected


def check_exact(case: CurveCase) -> None:
    trajectory = case.curve.build()
    trace = pyexpr.trace(network(case), trajectory)
    analysis = judged(oracle_layers(case), trajectory)
    for i, true in enumerate(analysis.breakpoints):
        seam = trace.piece[i] == len(trajectory.pieces)
        at_start = Fraction(trajectory.pieces[0].start)
        low, high = (at_start, at_start) if seam else true.interval
        exactly = trace.t_exact(i)
        assert low <= exactly <= high
        assert float(exactly) == trace.u[i]
        here = trajectory.pieces[trace.piece[i] % len(trajectory.pieces)]
        assert isinstance(exactly, Fraction if here.is_line else AlgebraicNumber)


@pytest.mark.parametrize("kind", CURVES)
@fewer
@given(data=st.data())
def test_exact_breakpoints_are_where_the_oracle_has_them(kind: str, data: st.DataObject) -> None:
    check_exact(data.draw(curve_cases(curves=[kind])))


# Against the oracle.


@few
@given(curve_cases(), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_derivatives_are_exact_maps_of_the_velocity(case: CurveCase, times: list[float]) -> None:
    trajectory, net = case.curve.build(), network(case)
    trace = pyexpr.trace(net, trajectory)
    found = trace.derivative(times)
    assert found.shape == (len(times), *net.output_shape)
    layers = oracle_layers(case)
    for t, derivative in zip(times, found, strict=True):
        moment = trace.at(t)
        assert trace.nodes[moment.region] <= t <= trace.nodes[moment.region + 1]
        assert np.array_equal(moment.pattern, trace.pattern(moment.region))
        velocity = trajectory.velocity(t)
        matrix, _ = exact_affine_map(layers, tuple(moment.pattern.tolist()), len(velocity))
        dense = np.array([[float(w) for w in row] for row in matrix])
        # What nothing cancels in.
        size = np.abs(velocity).max()
        for weight, _ in case.layers:
            size *= 4 * np.abs(weight).sum(axis=1).max() + 1e-300
        near = pytest.approx(dense @ velocity, rel=1e-9, abs=1e-11 * size + 1e-290)
        assert derivative == near
        assert moment.derivative == near
