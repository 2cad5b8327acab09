"""A trace's breakpoints, letters, bends, values and affine pieces are the oracle's."""

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge import (
    Array,
    check_close,
    check_trace,
    exact,
    exact_affine_map,
    exact_values,
    largest_sums,
    network,
    point,
)
from oracle import analyse, evaluate
from strategies import ACTIVATIONS, FAMILIES, Case, cases, oracle_layers

import pyexpr
from pyexpr.network import DenseLayer

TENT: list[DenseLayer] = [
    ([[1.0], [1.0]], [0.0, -0.5]),
    ([[2.0, -4.0]], [0.0]),
]  # 2 relu(x) - 4 relu(x - 1/2)


def check_case(case: Case) -> None:
    layers = oracle_layers(case)
    trace = pyexpr.trace(network(case), case.x0, case.x1)
    check_trace(trace, layers, case.x0, case.x1, analyse(layers, case.x0, case.x1))


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_traces_are_exact_for_every_family_of_weights(family: str, data: st.DataObject) -> None:
    check_case(data.draw(cases(families=[family])))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(data=st.data())
def test_traces_are_exact_for_every_activation(activation: str, data: st.DataObject) -> None:
    check_case(data.draw(cases(activations=[activation])))


@given(cases())
def test_transitions_lead_from_each_pattern_to_the_next(case: Case) -> None:
    trace = pyexpr.trace(network(case), case.x0, case.x1)
    starts = np.cumsum([0, *trace.network.neurons_per_layer])
    letters = trace.pattern(0).copy()
    for i, pattern in enumerate(trace.patterns()[1:]):
        for change in trace.transitions[trace.transitions["breakpoint"] == i]:
            index = starts[change["layer"]] + change["neuron"]
            assert letters[index] == change["before"]
            letters[index] = change["after"]
        assert np.array_equal(letters, pattern)


@given(cases(families=["ternary", "gaussian", "quantised"]))
def test_affine_maps_are_the_network_on_their_regions(case: Case) -> None:
    layers = oracle_layers(case)
    trace = pyexpr.trace(network(case), case.x0, case.x1)
    analysis = analyse(layers, case.x0, case.x1)
    # A's entries and c are sums of the same products as f at an input of ones.
    ones = exact(np.ones(len(case.x0)))
    scale = largest_sums(layers, ones, ones)
    for i, pattern in enumerate(analysis.patterns):
        a, c = trace.affine_map(i)
        true_a, true_c = exact_affine_map(layers, pattern, len(case.x0))
        columns = list(map(list, zip(*true_a, strict=True)))
        check_close(a.T, columns, scale)
        check_close(c[None, :], [true_c], scale)


@given(cases())
def test_the_judge_of_affine_maps_is_right(case: Case) -> None:
    # exact_affine_map has no other judge than the network itself.
    layers, x0, x1 = oracle_layers(case), exact(case.x0), exact(case.x1)
    analysis = analyse(layers, x0, x1)
    nodes = [0 * x0[0], *analysis.breakpoints, 1 + 0 * x0[0]]
    for (start, end), pattern in zip(pairwise(nodes), analysis.patterns, strict=True):
        x = point(x0, x1, (start + end) / 2)
        a, c = exact_affine_map(layers, pattern, len(x0))
        values = [
            sum((w * xi for w, xi in zip(row, x, strict=True)), ci)
            for row, ci in zip(a, c, strict=True)
        ]
        assert tuple(values) == evaluate(layers, x)


def test_a_tent_is_traced_by_hand() -> None:
    trace = pyexpr.trace(TENT, [-1.0], [1.0])
    assert trace.t.tolist() == [0.5, 0.75]
    assert trace.bends.tolist() == [True, True]
    assert trace.nodes.tolist() == [0.0, 0.5, 0.75, 1.0]
    assert trace.values.tolist() == [[0.0], [0.0], [1.0], [0.0]]
    assert trace.patterns().tolist() == [[0, 0], [1, 0], [1, 1]]
    assert trace.transitions.tolist() == [(0, 0, 0, 0, 1), (1, 0, 1, 0, 1)]
    assert trace.slopes.tolist() == [[0.0], [4.0], [-4.0]]
    assert trace.intercepts.tolist() == [[0.0], [-2.0], [4.0]]
    assert [[m.tolist() for m in trace.affine_map(i)] for i in range(3)] == [
        [[[0.0]], [0.0]],
        [[[2.0]], [0.0]],
        [[[-2.0]], [2.0]],
    ]
    assert (trace.n_regions, trace.n_pieces) == (3, 3)
    assert (trace.x0.tolist(), trace.x1.tolist()) == ([-1.0], [1.0])
    assert isinstance(trace.network, pyexpr.Network)


def sides(case: Case, above: Callable[[list[Fraction]], int]) -> list[tuple[Fraction, int, int]]:
    """Where `above`, of the outputs, changes: t, before and after. It may change where two outputs
    or an output and 1/4 meet, and nowhere else."""
    layers = oracle_layers(case)
    analysis = analyse(layers, case.x0, case.x1)
    values = exact_values(list(evaluate(layers, exact(case.x0))), analysis)
    nodes = [Fraction(0), *analysis.breakpoints, Fraction(1)]
    found: list[tuple[Fraction, int]] = []
    for (start, end), value, slope in zip(pairwise(nodes), values, analysis.slopes, strict=False):
        lines = [*zip(value, slope, strict=True), (Fraction(1, 4), Fraction(0))]
        meetings = {
            start + (a - b) / (q - p) for (a, p), (b, q) in combinations(lines, 2) if p != q
        }
        cuts = [start, *sorted(t for t in meetings if start < t < end), end]
        for a, b in pairwise(cuts):
            middle = (a + b) / 2 - start
            found.append((a, above([v + s * middle for v, s in zip(value, slope, strict=True)])))
    return [(b, x, y) for (_, x), (b, y) in pairwise(found) if x != y]


def check_near(found: Array, true: list[Fraction]) -> None:
    assert len(found) == len(true)
    for t, exactly in zip(found.tolist(), true, strict=True):
        assert abs(Fraction(t) - exactly) <= Fraction(float(np.spacing(t)))


@given(cases())
def test_crossings_are_where_an_output_passes_a_level(case: Case) -> None:
    trace = pyexpr.trace(network(case), case.x0, case.x1)
    last = len(case.layers[-1][1]) - 1
    true = sides(case, lambda f: int(f[last] > Fraction(1, 4)))
    check_near(trace.crossings(0.25, -1, threads=1), [t for t, _, _ in true])


@given(cases())
def test_decisions_change_where_the_largest_output_does(case: Case) -> None:
    trace = pyexpr.trace(network(case), case.x0, case.x1)
    true = sides(case, lambda f: f.index(max(f)))
    changes = trace.decision_changes()
    check_near(changes["t"], [t for t, _, _ in true])
    assert changes[["before", "after"]].tolist() == [(x, y) for _, x, y in true]


def test_crossings_of_what_is_not_there() -> None:
    trace = pyexpr.trace(TENT, [-1.0], [1.0])
    assert trace.crossings(0.5).tolist() == [0.625, 0.875]
    assert trace.crossings(1.0).tolist() == []  # touched
    assert trace.decision_changes().tolist() == []  # of one output
    with pytest.raises(IndexError, match="output 1 is not among the 1"):
        trace.crossings(output=1)
    with pytest.raises(ValueError, match="level"):
        trace.crossings(float("nan"))


def test_transitions_have_the_documented_fields() -> None:
    dtype = pyexpr.trace(TENT, [-1.0], [1.0]).transitions.dtype
    assert dtype.names == ("breakpoint", "layer", "neuron", "before", "after")
    assert [dtype[name].str for name in dtype.names] == ["<i8", "<i4", "<i4", "<i2", "<i2"]


@pytest.mark.parametrize("i", [-4, 3, 100])
def test_a_region_that_is_not_there_is_an_index_error(i: int) -> None:
    trace = pyexpr.trace(TENT, [-1.0], [1.0])
    with pytest.raises(IndexError):
        trace.pattern(i)
    with pytest.raises(IndexError):
        trace.affine_map(i)


@pytest.mark.parametrize(
    "name", ["t", "bends", "transitions", "values", "x0", "x1", "slopes", "intercepts"]
)
def test_a_trace_cannot_be_changed(name: str) -> None:
    trace = pyexpr.trace(TENT, [-1.0], [1.0])
    with pytest.raises(ValueError, match="read-only"):
        getattr(trace, name)[...] = 0
    with pytest.raises(AttributeError):
        setattr(trace, name, None)


def test_a_trace_prints_its_counts() -> None:
    trace = pyexpr.trace(TENT, [-1.0], [1.0])
    for text in (repr(trace), str(trace)):
        assert "3" in text
        assert len(text) < 500
    assert "Trace" in repr(trace)
