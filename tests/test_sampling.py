"""Regions against sampled points, every point evaluated in exact arithmetic."""

import random
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from judge import Array, exact, network, point
from oracle import OracleLayer, Pattern, from_network, patterns_at
from strategies import Case, cases, oracle_layers

import pyexpr

# Sampled parameters k / PRIME: no breakpoint of these networks has such a denominator but by a
# chance of one in 2^61, so every sample lies inside a region.
PRIME = 2**61 - 1

NETWORKS: dict[str, Callable[[], pyexpr.Network]] = {
    "relu": partial(pyexpr.Network.random, [10, 24, 24, 24, 3], "relu", bias_variance=0.5, seed=1),
    "hard_tanh": partial(
        pyexpr.Network.random, [10, 16, 16, 16, 3], "hard_tanh", weight_variance=9.0, seed=2
    ),
    "abs": partial(pyexpr.Network.random, [6, 12, 12, 3], "abs", seed=3),
    "leaky_relu": partial(
        pyexpr.Network.random, [6, 70, 9, 3], "leaky_relu", bias_variance=1.0, seed=4
    ),
}


def segment(inputs: int, seed: int) -> tuple[Array, Array]:
    x0, x1 = 3 * np.random.default_rng(seed).standard_normal((2, inputs))
    return x0, x1


def midpoints(trace: pyexpr.Trace) -> list[Fraction | None]:
    """Of every region wide enough that its rounded ends enclose a part of it."""
    nodes = exact(trace.nodes)
    widths = np.diff(trace.nodes)
    ulps = 2 * np.spacing(trace.nodes[1:])
    return [
        (a + b) / 2 if width > ulp else None
        for (a, b), width, ulp in zip(pairwise(nodes), widths, ulps, strict=True)
    ]


def check_midpoints(net: pyexpr.Network, layers: list[OracleLayer], x0: Array, x1: Array) -> None:
    trace = pyexpr.trace(net, x0, x1)
    start, end = exact(x0), exact(x1)
    patterns: list[Pattern] = [tuple(p) for p in trace.patterns().tolist()]
    assert len(patterns) == trace.n_regions == pyexpr.count_regions(net, x0, x1, kind="activation")
    assert all(left != right for left, right in pairwise(patterns))
    assert len(set(patterns)) == len(patterns) == pyexpr.count_patterns(net, x0, x1)
    wide = [(t, p) for t, p in zip(midpoints(trace), patterns, strict=True) if t is not None]
    points = [point(start, end, t) for t, _ in wide]
    assert patterns_at(layers, points) == [pattern for _, pattern in wide]


def check_samples(
    net: pyexpr.Network, layers: list[OracleLayer], x0: Array, x1: Array, n: int
) -> None:
    rng = random.Random(n)
    ts = sorted({Fraction(rng.randrange(1, PRIME), PRIME) for _ in range(n)})
    start, end = exact(x0), exact(x1)
    seen = patterns_at(layers, [point(start, end, t) for t in ts])
    runs = 1 + sum(left != right for left, right in pairwise(seen))
    assert runs <= pyexpr.count_regions(net, x0, x1, kind="activation")
    # Sharper: in order along the line, the samples run through the trace's own patterns.
    order = {tuple(p): i for i, p in enumerate(pyexpr.trace(net, x0, x1).patterns().tolist())}
    places = [order[pattern] for pattern in seen]
    assert places == sorted(places)


@given(cases())
def test_midpoints_of_small_networks(case: Case) -> None:
    check_midpoints(network(case), oracle_layers(case), case.x0, case.x1)


@given(cases())
def test_samples_of_small_networks(case: Case) -> None:
    check_samples(network(case), oracle_layers(case), case.x0, case.x1, 30)


@pytest.mark.parametrize("name", NETWORKS)
def test_midpoints_of_larger_networks(name: str) -> None:
    net = NETWORKS[name]()
    x0, x1 = segment(net.input_shape[0], seed=0)
    trace = pyexpr.trace(net, x0, x1)
    assert all(t is not None for t in midpoints(trace))
    check_midpoints(net, from_network(net), x0, x1)


@pytest.mark.parametrize("name", NETWORKS)
def test_samples_of_larger_networks(name: str) -> None:
    net = NETWORKS[name]()
    x0, x1 = segment(net.input_shape[0], seed=5)
    check_samples(net, from_network(net), x0, x1, 200)
