"""A result says how it was proved."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from judge import network
from oracle import analyse
from strategies import Case, cases, oracle_layers

import pyexpr
from pyexpr import Certificate, Count, Counts, Decisions

SEGMENT = np.full(5, -1.0), np.arange(5.0)


def gaussian() -> pyexpr.Network:
    return pyexpr.Network.random([5, 20, 20, 3], "hard_tanh", 9.0, 0.1, seed=0)


def certificates(net: pyexpr.Network, x0: np.ndarray, x1: np.ndarray) -> list[Certificate]:
    return [
        pyexpr.count_regions(net, x0, x1).certificate,
        pyexpr.count_regions(net, x0, x1, kind="activation").certificate,
        pyexpr.count_patterns(net, x0, x1).certificate,
        pyexpr.count_transitions(net, x0, x1).certificate,
        pyexpr.trace(net, x0, x1).certificate,
    ]


@given(cases())
def test_every_decision_is_settled_by_one_tier(case: Case) -> None:
    for certificate in certificates(network(case), case.x0, case.x1):
        for kind in (*certificate, certificate.total):
            tiers = (kind.filtered, kind.proportional, kind.adjoint, kind.extended, kind.exact)
            assert min(tiers) >= 0
            assert sum(tiers) == kind.asked
            assert kind.smallest_gap > 0


@given(cases())
def test_decisions_are_as_many_as_the_count_needs(case: Case) -> None:
    """At least one sign for every neuron at both ends; one slope and one position a breakpoint."""
    layers = oracle_layers(case)
    breakpoints = len(analyse(layers, case.x0, case.x1).breakpoints)
    certificate = pyexpr.trace(network(case), case.x0, case.x1).certificate
    thresholds = sum(
        len(phi.breakpoints) * len(bias)
        for phi, (_, bias) in zip(case.activations, case.layers[:-1], strict=True)
    )
    assert certificate.signs.asked >= 2 * thresholds
    assert certificate.slopes.asked == certificate.positions.asked == breakpoints


def test_a_gaussian_network_needs_no_integers() -> None:
    for certificate in certificates(gaussian(), *SEGMENT):
        assert certificate.total.exact == 0
        assert certificate.signs.extended == certificate.orders.extended == 0
        assert 0 < certificate.total.smallest_gap < 1


def test_a_tie_needs_integers() -> None:
    """A neuron is exactly zero at an end, which no rounded arithmetic proves."""
    layers = [([[0.1, -0.1]], [0.0]), ([[1.0]], [0.0])]
    certificate = pyexpr.count_regions(layers, [0.3, 0.3], [1.0, 0.0]).certificate
    assert certificate.signs.exact == 1
    assert certificate.total.exact == 1


def test_duplicates_are_recognised_by_their_weights() -> None:
    (weight, bias), *rest = [(layer.weight, layer.bias) for layer in gaussian().layers]
    weight, bias = weight.astype(np.float32), bias.astype(np.float32)  # so that tripling is exact
    doubled = [
        (
            np.vstack([weight, 3.0 * weight.astype(float)]),
            np.concatenate([bias, 3.0 * bias.astype(float)]),
        ),
        (np.hstack([rest[0][0], np.zeros_like(rest[0][0])]), rest[0][1]),
        rest[1],
    ]
    count = pyexpr.count_regions(doubled, *SEGMENT, kind="activation")
    assert count == pyexpr.count_regions([(weight, bias), *rest], *SEGMENT, kind="activation")
    assert count.certificate.orders.proportional > 0
    assert count.certificate.total.exact == 0


def test_the_smallest_gap_of_orders_is_a_distance_in_t() -> None:
    """Two neurons whose breakpoints are 2^-20 apart, the others farther."""
    layers = [
        ([[1.0], [1.0], [1.0]], [-0.25, -0.5, -0.5 - 2.0**-20]),
        ([[1.0, 1.0, 1.0]], [0.0]),
    ]
    certificate = pyexpr.count_regions(layers, [0.0], [1.0]).certificate
    assert certificate.orders.smallest_gap == pytest.approx(2.0**-20)


def test_the_smallest_gap_of_signs_is_relative_to_the_neuron() -> None:
    """x - 2^-20 on [0, 1]: at 0 that is 2^-20 of |(w, b)| |(x, 1)|, which is about 1."""
    certificate = pyexpr.count_regions(
        [([[1.0]], [-(2.0**-20)]), ([[1.0]], [0.0])], [0.0], [1.0]
    ).certificate
    assert certificate.signs.smallest_gap == pytest.approx(2.0**-20, rel=1e-6)


def test_a_count_is_an_int() -> None:
    count = pyexpr.count_regions(gaussian(), *SEGMENT)
    assert isinstance(count, int)
    assert type(count) is Count
    assert type(count + 1) is int
    assert f"{count:,}" == f"{int(count):,}"
    for same in (pickle.loads(pickle.dumps(count)), copy.deepcopy(count)):
        assert same == count
        assert same.certificate == count.certificate


def test_counts_are_an_array() -> None:
    counts = pyexpr.count_transitions(gaussian(), *SEGMENT, per="layer")
    assert type(counts) is Counts
    assert counts.dtype == np.int64
    assert counts.certificate is not None
    derived: object = counts + 1
    assert isinstance(derived, Counts)
    assert derived.certificate is None
    assert counts.sum() == pyexpr.count_transitions(gaussian(), *SEGMENT)


def test_a_certificate_prints_as_a_table() -> None:
    text = str(pyexpr.trace(gaussian(), *SEGMENT).certificate)
    header, *rows = text.splitlines()
    assert header.split() == [
        *("decisions", "asked", "float64", "weights", "adjoint", "double-double", "integers"),
        "gap",
    ]
    assert [row.split()[0] for row in rows] == ["signs", "orders", "slopes", "positions", "total"]
    assert len({len(line) for line in text.splitlines()}) == 1


def test_totals_add_up() -> None:
    nothing = Decisions(0, 0, 0, 0, 0, 1.0)
    certificate = Certificate(
        Decisions(5, 1, 0, 2, 0, 0.5), Decisions(7, 0, 1, 0, 3, 0.25), nothing, nothing
    )
    assert certificate.total == Decisions(12, 1, 1, 2, 3, 0.25)
    assert certificate.total.filtered == 5


def test_breakpoints_come_as_fractions() -> None:
    trace = pyexpr.trace([([[3.0]], [-1.0]), ([[1.0]], [0.0])], [0.0], [1.0])
    assert trace.t_exact(0) == trace.t_exact(-1) == Fraction(1, 3)
    for i in (1, -2):
        with pytest.raises(IndexError, match="breakpoint"):
            trace.t_exact(i)
