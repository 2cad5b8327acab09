"""Compares what pyexpr says about a trajectory with what the exact oracle of curves says."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
from algebraic import Root
from curve_oracle import Breakpoint, CurveAnalysis, analyse, from_piece
from curve_strategies import CurveCase
from judge import Array, counted, expected_counts, hidden_widths, network, traced_counts
from oracle import OracleLayer
from strategies import oracle_layers

import pyexpr
from pyexpr import Trace, Trajectory
from pyexpr.tracing.algebraic import AlgebraicNumber

# What `parameter` may round, in an arc's tangent and its ends: a few ulps of 1.
T_ROUNDING = 2.0**-50


def judged(layers: Sequence[OracleLayer], trajectory: Trajectory) -> CurveAnalysis:
    pieces = [from_piece(piece) for piece in trajectory.pieces]
    return analyse(layers, pieces, trajectory.closed)


def check_trace(trace: Trace, analysis: CurveAnalysis) -> None:
    """Who switches where, all letters, and where on the trajectory."""
    assert transitions_of(trace) == [
        (s.breakpoint, s.layer, s.neuron, s.before, s.after) for s in analysis.transitions
    ]
    assert trace.n_intervals == len(analysis.patterns)
    assert len(trace.nodes) == len(trace.values) == trace.n_intervals + 1
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
    layers = oracle_layers(case)
    analysis = judged(layers, trajectory)
    net = network(case)
    expected = expected_counts(analysis, hidden_widths(layers))
    trace = pyexpr.trace(net, trajectory)
    assert counted(net, trajectory) == expected
    assert traced_counts(trace) == expected
    check_trace(trace, analysis)
