"""Lengths of images: by hand, in closed form, from the exact oracle, and by dense sampling."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from graph_corpus import CORPUS
from hypothesis import given
from judge import Array, network
from oracle import analyse
from scipy.special import ellipe
from strategies import Case, cases, oracle_layers

import pyexpr
from pyexpr import Network

UNIT_CIRCLE = pyexpr.Circle([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
TENT = [([[1.0], [1.0]], [0.0, -0.5]), ([[2.0, -4.0]], [0.0])]  # 2 relu(x) - 4 relu(x - 1/2)


def test_a_tent_is_measured_by_hand() -> None:
    lengths = pyexpr.trace(TENT, [-1.0], [1.0]).lengths
    assert lengths.names == ("input", "layer 0", "output")
    assert lengths.length == pytest.approx([2, 0.5 + math.sqrt(0.5), 2])
    assert lengths.ratio == pytest.approx([1, 0.25 + math.sqrt(0.125), 1])
    assert lengths.error.tolist() == [0, 0, 0]


def test_a_tent_on_a_polyline_is_measured_by_hand() -> None:
    there_and_back = pyexpr.Polyline([[-1.0], [0.25], [-0.5], [1.0]])
    lengths = pyexpr.trace(TENT, there_and_back).lengths
    assert lengths.length[0] == 3.5
    assert lengths.length[2] == pytest.approx(0.5 + 0.5 + 1 + 1)


def check_lengths(trace: pyexpr.Trace, true: list[float]) -> None:
    lengths = trace.lengths
    assert lengths.length == pytest.approx(true, rel=1e-9, abs=1e-12)
    assert np.all(np.abs(lengths.length - true) <= lengths.error + 1e-13 * np.array(true) + 1e-15)


@pytest.mark.parametrize(("a", "b"), [(3.0, 1.0), (1.0, 1.0), (1.0, 1e-3), (5.0, 0.0)])
def test_the_image_of_a_circle_is_an_ellipse(a: float, b: float) -> None:
    net = Network.dense([([[a, 0.0], [0.0, b]], [2.0, -1.0])])
    perimeter = 4 * a * ellipe(1 - b * b / (a * a))
    check_lengths(pyexpr.trace(net, UNIT_CIRCLE), [2 * math.pi, perimeter])


def test_half_of_a_circle_is_cut_off() -> None:
    # (relu(y), relu(-y)): half the time on one axis, then on the other.
    net = Network.dense([([[0.0, 1.0], [0.0, -1.0]], [0.0, 0.0]), ([[3.0, 0.0]], [1.0])])
    check_lengths(pyexpr.trace(net, UNIT_CIRCLE), [2 * math.pi, 4, 6])


def test_a_circle_with_one_side_flattened() -> None:
    # (relu(x), y): half a circle and its diameter.
    net = Network.dense(
        [([[1.0, 0.0], [0.0, 1.0]], [0.0, 9.0]), ([[1.0, 0.0], [0.0, 1.0]], [0, 0])]
    )
    check_lengths(pyexpr.trace(net, UNIT_CIRCLE), [2 * math.pi, math.pi + 2, math.pi + 2])


def test_where_the_image_turns_back_inside_a_region() -> None:
    # (u, (2u - 1)^2): the second coordinate goes from 1 to 0 and back.
    parabola = pyexpr.Bezier([[0.0, 1.0], [0.5, -1.0], [1.0, 1.0]])
    net = Network.dense([([[0.0, 3.0]], [1.0]), ([[2.0]], [0.0])])
    arc = math.sqrt(17) / 2 + math.asinh(4) / 8  # 2 times the integral of sqrt(1 + 16 v^2) to 1/2
    check_lengths(pyexpr.trace(net, parabola), [arc, 6, 12])


def test_a_point_has_no_length() -> None:
    lengths = pyexpr.trace(TENT, pyexpr.Polyline([[1.0]] * 3)).lengths
    assert lengths.length.tolist() == [0, 0, 0]
    assert np.isnan(lengths.ratio).all()
    curved = pyexpr.trace(TENT, pyexpr.Bezier([[1.0]] * 4)).lengths
    assert curved.length.tolist() == [0, 0, 0]


@given(cases())
def test_the_outputs_length_is_the_oracles(case: Case) -> None:
    layers = oracle_layers(case)
    analysis = analyse(layers, case.x0, case.x1)
    nodes = [Fraction(0), *analysis.breakpoints, Fraction(1)]
    widths = [float(b - a) for a, b in pairwise(nodes)]
    norms = [math.hypot(*map(float, slope)) for slope in analysis.slopes]
    true = math.fsum(w * n for w, n in zip(widths, norms, strict=True))
    lengths = pyexpr.trace(network(case), case.x0, case.x1).lengths
    assert lengths.length[0] == pytest.approx(math.dist(case.x0, case.x1))
    assert lengths.length[-1] == pytest.approx(true, rel=1e-9, abs=1e-12 * max([1, *norms]))


def sampled(trace: pyexpr.Trace, count: int) -> list[float]:
    """Of a polygon in each image: never longer than it, but for rounding."""
    rows: list[Array] = []

    def activate(number: int, z: Array) -> Array:
        rows.append(trace.network.graph.layers[number].evaluate(z))
        return rows[-1]

    t = np.unique(np.concatenate([np.linspace(0, 1, count + 1), trace.nodes]))
    x = trace.trajectory(t).reshape(len(t), -1)
    images = [x, *rows, trace.network.graph.evaluate(x, activate)]
    return [float(np.linalg.norm(np.diff(a, axis=0), axis=1).sum()) for a in [x, *rows, images[-1]]]


def check_sampled(trace: pyexpr.Trace, rel: float) -> None:
    found, below = trace.lengths.length, np.array(sampled(trace, 20_000))
    assert np.all(found >= below * (1 - 1e-12))
    assert found == pytest.approx(below, rel=rel, abs=1e-9)


RNG = np.random.default_rng(0)
CURVES = {
    "circle": pyexpr.Circle(*RNG.standard_normal((3, 3))),
    "arc": pyexpr.Arc(RNG.standard_normal(3), RNG.standard_normal(3), 4.0),
    "rational": pyexpr.Bezier(RNG.standard_normal((5, 3)), weights=[1.0, 2.0, 0.25, 4.0, 1.0]),
    "spline": pyexpr.Spline(RNG.standard_normal((6, 3)), closed=True),
    "reversed": pyexpr.Spline(RNG.standard_normal((5, 3))).reversed(),
    "polyline": pyexpr.Polyline(RNG.standard_normal((5, 3)), closed=True),
    "uneven": pyexpr.Bezier(RNG.standard_normal((2, 3)), weights=[1.0, 50.0]),
}


@pytest.mark.parametrize("activation", ["relu", "hard_tanh", pyexpr.LeakyReLU(0.2)])
@pytest.mark.parametrize("name", CURVES)
def test_no_polygon_in_an_image_is_longer(name: str, activation: pyexpr.PiecewiseLinear) -> None:
    net = Network.random([3, 20, 20, 4], activation, 4.0, 0.5, seed=1)
    check_sampled(pyexpr.trace(net, CURVES[name]), 1e-6)


@pytest.mark.parametrize("name", [name for name in CORPUS if "pooled" in name or "skip" in name])
def test_images_of_pools_and_skips(name: str) -> None:
    graph, x0, x1 = CORPUS[name]
    trace = pyexpr.trace(Network(graph), x0, x1)
    check_sampled(trace, 1e-9)
    assert len(trace.lengths.names) == len(graph.layers) + 2


def test_many_cells_are_measured_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Network.random([3, 20, 20, 4], "relu", 4.0, 0.5, seed=1)
    whole = pyexpr.trace(net, CURVES["circle"]).lengths.length
    monkeypatch.setattr("pyexpr.tracing.cells.BLOCK", 300)
    assert pyexpr.trace(net, CURVES["circle"]).lengths.length == pytest.approx(whole, rel=1e-12)


def test_lengths_are_printed_and_cannot_be_changed() -> None:
    lengths = pyexpr.trace(TENT, [-1.0], [1.0]).lengths
    assert "layer 0" in str(lengths)
    assert "1.20711" in repr(lengths)
    for array in (lengths.length, lengths.error, lengths.ratio):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
