"""The degenerate corpus, each case against the exact oracle in every count and every breakpoint."""

import numpy as np
import pytest
from corpus import CORPUS, TABLES, UNDERFLOWING, tents
from judge import (
    check_breakpoints,
    check_letters,
    check_trace,
    counted,
    exact_slopes_change,
    expected_counts,
    hidden_widths,
    network,
    traced_counts,
)
from oracle import analyse
from strategies import oracle_layers

import pyexpr


def test_no_name_hides_another() -> None:
    assert len(CORPUS) == sum(1 for table in TABLES for _ in table())


@pytest.mark.parametrize("name", CORPUS)
def test_every_count_and_the_trace(name: str) -> None:
    case = CORPUS[name]
    layers = oracle_layers(case)
    analysis = analyse(layers, case.x0, case.x1)
    expected = expected_counts(analysis, hidden_widths(layers))
    net = network(case)
    assert counted(net, case.x0, case.x1) == expected
    assert counted(net, case.x1, case.x0) == expected

    trace = pyexpr.trace(net, case.x0, case.x1)
    assert traced_counts(trace) == expected
    if name in UNDERFLOWING:  # f itself is lost to underflow; the integers are not
        check_breakpoints(trace.t, analysis.breakpoints)
        check_letters(trace, analysis)
        assert trace.bends.tolist() == exact_slopes_change(analysis)
    else:
        check_trace(trace, layers, case.x0, case.x1, analysis)


# Tents beyond the oracle's reach: the breakpoints are the multiples of 2^-depth.


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [3, 7, 10, 14])
def test_tents_have_two_to_the_depth_regions(depth: int, width: int) -> None:
    case = tents(depth, width)
    net = network(case)
    counts = counted(net, case.x0, case.x1)
    assert (counts.linear, counts.activation, counts.patterns) == (2**depth,) * 3
    switching = {1: 1, 2: 1, 3: 1, 4: 2}[width]  # neurons of a layer that cross inside
    assert counts.per_layer == [switching * 2**k for k in range(depth)]
    trace = pyexpr.trace(net, case.x0, case.x1)
    assert np.array_equal(trace.t, np.arange(1, 2**depth) / 2**depth)
    assert trace.bends.all()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_million_equal_pieces(width: int) -> None:
    case = tents(20, width)
    net = network(case)
    assert pyexpr.count_regions(net, case.x0, case.x1) == 2**20
    assert pyexpr.count_regions(net, case.x0, case.x1, kind="activation") == 2**20
    assert pyexpr.count_patterns(net, case.x0, case.x1) == 2**20
