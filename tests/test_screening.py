"""Networks wide enough to leave neurons of one letter out of the rows, and to sweep many events."""

from itertools import pairwise

import numpy as np
import pytest
from judge import counted, expected_counts, hidden_widths
from oracle import analyse, from_network

import pyexpr
from pyexpr.activations import ActivationLike

WIDTH = 110
CASES: dict[str, tuple[ActivationLike, float]] = {
    "relu": ("relu", 2.0),
    "leaky relu": (pyexpr.LeakyReLU(0.125), 2.0),
    "hard-tanh": ("hard_tanh", 2.0),
    "abs": ("abs", 1.0),
    "two clips": (pyexpr.PiecewiseLinear([-1.0, 0.0, 1.0], [0.0, 1.0, 0.5, 0.0], 0.0), 3.0),
}


def coarse(x: np.ndarray) -> np.ndarray:
    """Few bits, for fast fractions."""
    return np.asarray(np.rint(x * 256) / 256)


def network(activation: ActivationLike, gain: float) -> pyexpr.Network:
    rng = np.random.default_rng(5)
    sizes = [4, WIDTH, WIDTH, WIDTH, 2]
    layers = [
        (
            coarse(rng.normal(0, np.sqrt(gain / n_in), (n_out, n_in))),
            coarse(rng.normal(0, 0.2, n_out)),
        )
        for n_in, n_out in pairwise(sizes)
    ]
    return pyexpr.Network.dense(layers, activation=activation)


@pytest.mark.slow  # a minute each: fractions of three wide layers
@pytest.mark.parametrize("case", CASES)
def test_counts_are_the_oracles(case: str) -> None:
    net = network(*CASES[case])
    x0, x1 = coarse(np.random.default_rng(6).normal(size=(2, 4)))
    layers = from_network(net)
    analysis = analyse(layers, x0.tolist(), x1.tolist())
    assert counted(net, x0, x1) == expected_counts(analysis, hidden_widths(layers))


@pytest.mark.parametrize("case", CASES)
def test_letters_are_those_of_a_forward_pass_in_the_middle_of_each_interval(case: str) -> None:
    activation, gain = CASES[case]
    sizes = [30, 200, 200, 200, 200, 2]
    net = pyexpr.Network.random(sizes, activation, gain, 0.1, seed=7)
    x0, x1 = np.random.default_rng(8).normal(size=(2, 30))
    trace = pyexpr.trace(net, x0, x1)
    assert trace.n_regions == pyexpr.count_regions(net, x0, x1, kind="activation")
    middles = (trace.nodes[:-1] + trace.nodes[1:]) / 2
    h = x0 + middles[:, None] * (x1 - x0)
    patterns = np.array([*trace.patterns()])
    first = 0
    for layer in net.layers[:-1]:
        z = h @ layer.weight.T + layer.bias
        phi = layer.activation
        assert phi is not None
        thresholds = phi.breakpoints
        letters = phi.first_letter + sum((z > at).astype(int) for at in thresholds)
        sure = np.abs(z[..., None] - thresholds).min(axis=-1) > 1e-9
        np.testing.assert_array_equal(patterns[:, first : first + 200][sure], letters[sure])
        h, first = phi.evaluate(z), first + 200


def test_most_signs_are_never_asked() -> None:
    net = pyexpr.Network.random([30, 200, 200, 200, 200, 2], "relu", 2.0, 0.1, seed=7)
    x0, x1 = np.random.default_rng(8).normal(size=(2, 30))
    vertices = 2 + np.cumsum([0, *pyexpr.count_transitions(net, x0, x1, per="layer")])[:-1]
    asked = pyexpr.count_regions(net, x0, x1, kind="activation").certificate.signs.asked
    assert asked < 0.7 * 200 * vertices.sum()


@pytest.mark.parametrize("outputs", [10, 3000])
@pytest.mark.parametrize("neurons", [3, 200])
def test_switches_between_flat_pieces_read_no_column(outputs: int, neurons: int) -> None:
    # The neurons pass -1 and never 0: they switch, and are constant all the same.
    rng = np.random.default_rng(0)
    steps = pyexpr.PiecewiseLinear([-1.0, 0.0], [0.0, 0.0, 1.0], 0.0)
    first = (np.linspace(0.8, 1.2, neurons)[:, None], np.full(neurons, -1.5))
    second = (rng.normal(size=(outputs, neurons)), rng.normal(size=outputs))
    last = (rng.normal(size=(2, outputs)), np.zeros(2))
    net = pyexpr.Network.dense([first, second, last], activation=[steps, "relu"])
    # What a network of as many neurons leaves behind must not matter.
    other = pyexpr.Network.random([1, neurons, 1, 1], seed=1)
    pyexpr.count_regions(other, [-1.0], [2.0], threads=1)
    found = pyexpr.count_regions(net, [0.0], [1.0], kind="activation", threads=1)
    assert found == neurons + 1
    assert pyexpr.count_regions(net, [0.0], [1.0], threads=1) == 1
