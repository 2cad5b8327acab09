"""Compares what pyexpr says about a trajectory with what the exact oracle of curves says."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from algebraic import Root
from curve_oracle import Breakpoint, CurveAnalysis, analyse, from_piece
from curve_strategies import CurveCase
from judge import Array, Counts, first_neurons, piecewise_linear
from oracle import OracleActivation, OracleLayer

import pyexpr
from pyexpr import Trace, Trajectory
from pyexpr.tracing.algebraic import AlgebraicNumber

# What `parameter` may round, in an arc's tangent and its ends: a few ulps of 1.
T_ROUNDING = 2.0**-50


def network(case: CurveCase) -> pyexpr.Network:
    return pyexpr.Network.dense(case.layers, [piecewise_linear(phi) for phi in case.activations])


def oracle_layers(case: CurveCase) -> list[OracleLayer]:
    activations = [
        OracleActivation(phi.breakpoints, phi.slopes, phi.value, phi.first_letter)
        for phi in case.activations
    ]
    return [
        OracleLayer(weight, bias, phi)
        for (weight, bias), phi in zip(case.layers, [*activations, None], strict=True)
    ]


def widths(case: CurveCase) -> list[int]:
    return [len(bias) for _, bias in case.layers[:-1]]


def judged(layers: Sequence[OracleLayer], trajectory: Trajectory) -> CurveAnalysis:
    pieces = [from_piece(piece) for piece in trajectory.pieces]
    return analyse(layers, pieces, trajectory.closed)


def expected_counts(analysis: CurveAnalysis, widths: Sequence[int]) -> Counts:
    starts = first_neurons(widths)
    neurons = [starts[s.layer] + s.neuron for s in analysis.transitions]
    layers = [s.layer for s in analysis.transitions]
    return Counts(
        linear=analysis.linear_regions,
        activation=analysis.activation_regions,
        patterns=analysis.distinct_patterns,
        transitions=len(analysis.transitions),
        per_layer=[layers.count(i) for i in range(len(widths))],
        per_neuron=[neurons.count(q) for q in range(sum(widths))],
    )


def counted(net: pyexpr.Network, trajectory: Trajectory) -> Counts:
    return Counts(
        linear=pyexpr.count_regions(net, trajectory),
        activation=pyexpr.count_regions(net, trajectory, kind="activation"),
        patterns=pyexpr.count_patterns(net, trajectory),
        transitions=pyexpr.count_transitions(net, trajectory),
        per_layer=pyexpr.count_transitions(net, trajectory, per="layer").tolist(),
        per_neuron=pyexpr.count_transitions(net, trajectory, per="neuron").tolist(),
    )


def traced_counts(trace: Trace) -> Counts:
    """The same integers, from a trace."""
    return Counts(
        linear=trace.n_pieces,
        activation=trace.n_regions,
        patterns=trace.n_patterns,
        transitions=len(trace.transitions),
        per_layer=trace.transitions_per_layer.tolist(),
        per_neuron=trace.transitions_per_neuron.tolist(),
    )


def check_trace(trace: Trace, analysis: CurveAnalysis) -> None:
    """Who switches where, all letters, and where on the trajectory."""
    assert transitions_of(trace) == [
        (s.breakpoint, s.layer, s.neuron, s.before, s.after) for s in analysis.transitions
    ]
    assert trace.n_intervals == len(analysis.patterns)
    assert [tuple(pattern) for pattern in trace.patterns().tolist()] == analysis.patterns
    assert tuple(trace.first_pattern.tolist()) == analysis.patterns[0]
    assert trace.bends.tolist() == [b.felt for b in analysis.breakpoints]
    check_places(trace, analysis)
    check_times(trace.t, trace.trajectory, analysis)


def transitions_of(trace: Trace) -> list[tuple[int, ...]]:
    names = ["breakpoint", "layer", "neuron", "before", "after"]
    return list(zip(*(trace.transitions[name].tolist() for name in names), strict=True))


def check_places(trace: Trace, analysis: CurveAnalysis) -> None:
    """Each u is within one unit in the last place, and exact where asked for, of which a few."""
    assert trace.piece.tolist() == [b.piece for b in analysis.breakpoints]
    for u, b in zip(trace.u.tolist(), analysis.breakpoints, strict=True):
        lo, hi = b.interval
        ulp = Fraction(float(np.spacing(u)))
        assert lo - ulp <= Fraction(u) <= hi + ulp
    last = len(analysis.breakpoints) - 1
    for i in {0, last // 2, last} if last >= 0 else ():
        assert exact_root(trace.t_exact(i)) == analysis.breakpoints[i].u


def exact_root(u: Fraction | AlgebraicNumber) -> Root:
    if isinstance(u, Fraction):
        return Root.rational(u)
    return Root(u.polynomial, u.low, u.high)


def check_times(t: Array, trajectory: Trajectory, analysis: CurveAnalysis) -> None:
    expected = [_time(trajectory, b) for b in analysis.breakpoints]
    assert t.shape == (len(expected),)
    assert t.dtype == np.float64
    assert all(a <= b for a, b in pairwise(t.tolist()))
    assert np.all(np.abs(t - expected) <= T_ROUNDING)


def _time(trajectory: Trajectory, b: Breakpoint) -> float:
    if b.piece == len(trajectory.pieces):
        return 1.0
    return float(trajectory.parameter(b.piece, float(b.interval[0])))


def check_case(case: CurveCase) -> None:
    """All integers, all letters, all breakpoints."""
    trajectory = case.curve.build()
    analysis = judged(oracle_layers(case), trajectory)
    net = network(case)
    expected = expected_counts(analysis, widths(case))
    trace = pyexpr.trace(net, trajectory)
    assert counted(net, trajectory) == expected
    assert traced_counts(trace) == expected
    check_trace(trace, analysis)
