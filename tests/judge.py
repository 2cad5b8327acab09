"""Compares what pyexpr says about a segment with what the exact oracle says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from curve_oracle import CurveAnalysis
from oracle import Analysis, OracleActivation, OracleLayer, Pattern, evaluate
from strategies import Activation, NetworkCase

import pyexpr
from pyexpr.cuda.devices import DeviceLike

Array = npt.NDArray[np.float64]
Exact = list[Fraction]

# 2^9 units in the last place of the largest number that could appear: the forward pass of these
# networks rounds a few dozen times, the engine's interpolated rows a few times as often.
ROUNDING = Fraction(1, 2**44)
# What is lost among the denormals, with room for the weights that multiply it.
UNDERFLOW = Fraction(1, 2**1022)


def piecewise_linear(phi: Activation) -> pyexpr.PiecewiseLinear:
    return pyexpr.PiecewiseLinear(
        phi.breakpoints, phi.slopes, phi.value, first_letter=phi.first_letter
    )


def network(case: NetworkCase) -> pyexpr.Network:
    return pyexpr.Network.dense(case.layers, [piecewise_linear(phi) for phi in case.activations])


def exact(values: Sequence[float] | Array) -> Exact:
    return [Fraction(float(v)) for v in values]


def point(x0: Exact, x1: Exact, t: Fraction) -> Exact:
    return [a + t * (b - a) for a, b in zip(x0, x1, strict=True)]


def hidden_widths(layers: Sequence[OracleLayer]) -> list[int]:
    return [len(layer.bias) for layer in layers if layer.activation is not None]


def first_neurons(widths: Sequence[int]) -> list[int]:
    """The index, in graph order, of each layer's first neuron."""
    return list(accumulate(widths, initial=0))[:-1]


# Counts.


@dataclass(frozen=True)
class Counts:
    """Every integer that the public functions return."""

    linear: int
    activation: int
    patterns: int
    transitions: int
    per_layer: list[int]
    per_neuron: list[int]


def expected_counts(analysis: Analysis | CurveAnalysis, widths: Sequence[int]) -> Counts:
    per_neuron = [0] * sum(widths)
    starts = first_neurons(widths)
    for change in analysis.transitions:
        per_neuron[starts[change.layer] + change.neuron] += 1
    return Counts(
        linear=analysis.linear_regions,
        activation=analysis.activation_regions,
        patterns=analysis.distinct_patterns,
        transitions=len(analysis.transitions),
        per_layer=[
            sum(per_neuron[start : start + width])
            for start, width in zip(starts, widths, strict=True)
        ],
        per_neuron=per_neuron,
    )


def counted(net: pyexpr.Network, *curve: Any, device: DeviceLike = "cpu") -> Counts:
    """Along a trajectory, or between two points."""
    per_layer = pyexpr.count_transitions(net, *curve, per="layer", device=device)
    per_neuron = pyexpr.count_transitions(net, *curve, per="neuron", device=device)
    return Counts(
        linear=pyexpr.count_regions(net, *curve, device=device),
        activation=pyexpr.count_regions(net, *curve, kind="activation", device=device),
        patterns=pyexpr.count_patterns(net, *curve, device=device),
        transitions=pyexpr.count_transitions(net, *curve, device=device),
        per_layer=per_layer.tolist(),
        per_neuron=per_neuron.tolist(),
    )


def traced_counts(trace: pyexpr.Trace) -> Counts:
    """The same integers, from a trace."""
    return Counts(
        linear=trace.n_pieces,
        activation=trace.n_regions,
        patterns=trace.n_patterns,
        transitions=len(trace.transitions),
        per_layer=trace.transitions_per_layer.tolist(),
        per_neuron=trace.transitions_per_neuron.tolist(),
    )


# Traces.


def check_breakpoints(t: Array, true: Exact) -> None:
    """As many as there are, in order, each within one unit in the last place."""
    assert t.shape == (len(true),)
    assert t.dtype == np.float64
    assert np.all(t[:-1] <= t[1:])
    for found, exactly in zip(t.tolist(), true, strict=True):
        assert abs(Fraction(found) - exactly) <= Fraction(float(np.spacing(found)))


def check_letters(trace: pyexpr.Trace, analysis: Analysis) -> None:
    """Patterns and transitions are those of the analysis, letter by letter."""
    patterns = trace.patterns()
    assert patterns.dtype == np.int16
    assert [tuple(pattern) for pattern in patterns.tolist()] == analysis.patterns
    for i, pattern in enumerate(analysis.patterns):
        assert tuple(trace.pattern(i).tolist()) == pattern
    order = {t: i for i, t in enumerate(analysis.breakpoints)}
    expected = [(order[s.t], s.layer, s.neuron, s.before, s.after) for s in analysis.transitions]
    names = ["breakpoint", "layer", "neuron", "before", "after"]
    found = list(zip(*(trace.transitions[name].tolist() for name in names), strict=True))
    assert found == expected


def exact_slopes_change(analysis: Analysis) -> list[bool]:
    return [left != right for left, right in pairwise(analysis.slopes)]


def exact_values(first: Exact, analysis: Analysis) -> list[Exact]:
    """f at the ends and at every breakpoint, given what it is at the first end."""
    nodes = [Fraction(0), *analysis.breakpoints, Fraction(1)]
    values = [first]
    for (start, end), slope in zip(pairwise(nodes), analysis.slopes, strict=True):
        values.append([v + s * (end - start) for v, s in zip(values[-1], slope, strict=True)])
    return values


def exact_intercepts(values: Sequence[Exact], analysis: Analysis) -> list[Exact]:
    """c of f = c + slope t on every region."""
    starts = [Fraction(0), *analysis.breakpoints]
    return [
        [v - s * t for v, s in zip(value, slope, strict=True)]
        for value, slope, t in zip(values, analysis.slopes, starts, strict=False)
    ]


def largest_sums(layers: Sequence[OracleLayer], x0: Exact, x1: Exact) -> Exact:
    """What the outputs could be if nothing cancelled: the scale of every rounding error."""
    sizes = [abs(a) + abs(b) for a, b in zip(x0, x1, strict=True)]
    for layer in layers:
        sizes = [
            sum((abs(w) * s for w, s in zip(exact(row), sizes, strict=True)), abs(Fraction(b)))
            for row, b in zip(_matrix(layer), layer.bias, strict=True)
        ]
        if layer.activation is not None:
            sizes = [_activated_size(layer.activation, size) for size in sizes]
    return sizes


def _matrix(layer: OracleLayer) -> Array:
    return np.asarray(layer.weight, float)


def _activated_size(phi: OracleActivation, size: Fraction) -> Fraction:
    steepest = float(np.max(np.abs(np.asarray(phi.slopes, float))))
    farthest = float(np.max(np.abs(np.asarray(phi.breakpoints, float))))
    return abs(Fraction(phi.value)) + Fraction(steepest) * (size + 3 * Fraction(farthest))


def check_close(found: Array, true: Sequence[Exact], scale: Exact) -> None:
    """Row by row, up to rounding at the outputs' scale."""
    assert found.shape == (len(true), len(scale))
    for row, true_row in zip(found.tolist(), true, strict=True):
        for f, value, size in zip(row, true_row, scale, strict=True):
            assert abs(Fraction(f) - value) <= ROUNDING * size + UNDERFLOW


def check_trace(
    trace: pyexpr.Trace, layers: Sequence[OracleLayer], x0: Array, x1: Array, analysis: Analysis
) -> None:
    """Everything that a trace holds, against the oracle."""
    start, end = exact(x0), exact(x1)
    scale = largest_sums(layers, start, end)
    check_analysis(trace, analysis, list(evaluate(layers, start)), scale)


def check_analysis(
    trace: pyexpr.Trace, analysis: Analysis, first_value: Exact, scale: Exact
) -> None:
    """first_value : f(x0); scale : of each output's rounding."""
    check_breakpoints(trace.t, analysis.breakpoints)
    assert [trace.t_exact(i) for i in range(len(trace.t))] == list(analysis.breakpoints)
    check_letters(trace, analysis)
    assert trace.bends.tolist() == exact_slopes_change(analysis)
    assert trace.n_regions == analysis.activation_regions
    assert trace.n_pieces == analysis.linear_regions
    values = exact_values(first_value, analysis)
    flat = [a.reshape(len(a), -1) for a in (trace.values, trace.slopes, trace.intercepts)]
    check_close(flat[0], values, scale)
    check_close(flat[1], [list(slope) for slope in analysis.slopes], scale)
    check_close(flat[2], exact_intercepts(values, analysis), scale)


# The network's affine map on one pattern, from the definition.


def exact_affine_map(
    layers: Sequence[OracleLayer], pattern: Pattern, inputs: int
) -> tuple[list[Exact], Exact]:
    """A and c of f(x) = A x + c where the neurons have these letters."""
    a = [[Fraction(int(i == j)) for j in range(inputs)] for i in range(inputs)]
    c = [Fraction(0)] * inputs
    letters = iter(pattern)
    for layer in layers:
        a, c = _affine_step(layer, a, c)
        if layer.activation is not None:
            pieces = list(_pieces(layer.activation, letters, len(c)))
            a = [[slope * x for x in row] for (slope, _), row in zip(pieces, a, strict=True)]
            c = [slope * x + offset for (slope, offset), x in zip(pieces, c, strict=True)]
    return a, c


def _affine_step(layer: OracleLayer, a: list[Exact], c: Exact) -> tuple[list[Exact], Exact]:
    rows = [exact(row) for row in _matrix(layer)]
    new_a = [
        [sum((w * a[k][j] for k, w in enumerate(row)), Fraction(0)) for j in range(len(a[0]))]
        for row in rows
    ]
    new_c = [
        sum((w * x for w, x in zip(row, c, strict=True)), Fraction(b))
        for row, b in zip(rows, layer.bias, strict=True)
    ]
    return new_a, new_c


def _pieces(
    phi: OracleActivation, letters: Iterator[int], neurons: int
) -> Iterator[tuple[Fraction, Fraction]]:
    """Slope and offset of each neuron's piece, continuity carrying the offset upwards."""
    thresholds = exact(np.asarray(phi.breakpoints, float))
    slope_rows = np.broadcast_to(np.asarray(phi.slopes, float), (neurons, len(thresholds) + 1))
    for row in slope_rows:
        slopes = exact(row)
        offset = Fraction(phi.value) - slopes[0] * thresholds[0]
        passed = next(letters) - phi.first_letter
        for k in range(passed):
            offset += (slopes[k] - slopes[k + 1]) * thresholds[k]
        yield slopes[passed], offset
