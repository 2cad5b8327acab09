"""Bounds on the average case: against expectations, limits and the exact counter."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pyexpr
from pyexpr import Network
from pyexpr.theory import expected_transitions, hanin_rolnick, relu_lengths, whole_line

X0, X1 = np.random.default_rng(37).standard_normal((2, 5))


@pytest.mark.parametrize(("w", "b"), [(2.0, 1.0), (0.5, 0.1), (6.0, 3.0)])
@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
def test_the_bound_holds_on_average(w: float, b: float, size: float) -> None:
    sizes = [5, 3, 8, 4, 1]
    line = pyexpr.Line(size * X0, size * X1)
    bound = hanin_rolnick(sizes, line.length(), weight_variance=w, bias_variance=b)
    rng = np.random.default_rng(41)
    nets = [Network.random(sizes, "relu", w, b, seed=rng) for _ in range(300)]
    found = np.array([pyexpr.count_transitions(net, line, per="layer") for net in nets])
    error = found.std(axis=0, ddof=1) / math.sqrt(len(nets))
    assert np.all(found.mean(axis=0) <= bound + 4 * error)


def test_the_bound_is_reached_by_a_first_layer_at_the_origin() -> None:
    """A path of length s turns by atan(s), which is s - s^3 / 3 + ..."""
    for size in (1.0, 1e-1, 1e-2, 1e-4):
        line = pyexpr.Line(np.zeros(5), size * X1)
        bound = hanin_rolnick([5, 7, 1], line.length(), weight_variance=3.0, bias_variance=0.5)
        path = math.sqrt(3.0 / 5 / 0.5) * line.length()
        found = expected_transitions([5, 7, 1], line, weight_variance=3.0, bias_variance=0.5)
        assert bound == pytest.approx(7 * path / math.pi, rel=1e-14, abs=0)
        assert found / bound == pytest.approx([math.atan(path) / path], rel=1e-8)


def test_deeper_layers_are_further_from_zero() -> None:
    """At the origin layer l = 0, 1, 2 has the variance (l + 1) b: Theta is by its root smaller."""
    sizes = [5, 4000, 4000, 4000, 1]
    line = pyexpr.Line(np.zeros(5), 1e-5 * X1)
    bound = hanin_rolnick(sizes, line.length(), bias_variance=0.7)
    found = expected_transitions(sizes, line, bias_variance=0.7)
    assert bound / found == pytest.approx(np.sqrt([1, 2, 3]), rel=1e-3)


def test_the_bound_is_that_of_derivatives_and_densities() -> None:
    sizes = [5, 3, 8, 4, 1]
    lengths = 2.5 * np.append(1, relu_lengths(sizes, 2.0)[:-1])
    mean_derivative = math.sqrt(2 / math.pi) * np.sqrt(2.0 / np.array([5, 3, 8])) * lengths
    density = 1 / math.sqrt(2 * math.pi * 0.3)
    assert hanin_rolnick(sizes, 2.5, bias_variance=0.3) == pytest.approx(
        np.array([3, 8, 4]) * mean_derivative * density, rel=1e-14
    )


def test_the_bound_is_linear_in_neurons_and_length() -> None:
    one = hanin_rolnick([5, 10, 1], 1.0, bias_variance=0.3)
    assert hanin_rolnick([5, 30, 1], 4.0, bias_variance=0.3) == pytest.approx(
        12 * one, rel=1e-14, abs=0
    )
    deep = hanin_rolnick([100] * 12 + [1], 1.0, bias_variance=1.0)  # lengths shrink by 0.6 % each
    assert np.all(np.diff(deep) < 0)
    assert deep[-1] == pytest.approx(deep[0], rel=0.1)
    assert hanin_rolnick([5, 10, 1], 0.0, bias_variance=1.0).tolist() == [0]
    assert hanin_rolnick([5, 1], 1.0, bias_variance=1.0).shape == (0,)


def test_a_whole_line_meets_every_first_neuron_once() -> None:
    assert whole_line([7, 4, 3, 2]) == 8
    assert whole_line([7, 2]) == 1
    far = pyexpr.Line(X0 - 1e9 * X1, X0 + 1e9 * X1)
    for seed in range(10):
        net = Network.random([5, 6, 1], "relu", 2.0, 1.0, seed=seed)
        assert pyexpr.count_regions(net, far, kind="activation") == whole_line([5, 6, 1])


@pytest.mark.parametrize(("width", "count"), [(5, 400), (40, 60)])
def test_a_whole_line_meets_deeper_neurons_about_once(width: int, count: int) -> None:
    """Within 4 standard errors, 2 to 4 % of the regions here, even in narrow networks."""
    sizes = [5, width, width, width, 1]
    far = pyexpr.Line(X0 - 1e5 * X1, X0 + 1e5 * X1)
    rng = np.random.default_rng(43)
    nets = [Network.random(sizes, "relu", 2.0, 1.0, seed=rng) for _ in range(count)]
    found = [pyexpr.count_regions(net, far, kind="activation") for net in nets]
    error = np.std(found, ddof=1) / math.sqrt(count)
    assert abs(np.mean(found) - whole_line(sizes)) <= 4 * error
    assert error < 0.03 * whole_line(sizes)


def test_what_is_no_size_or_length_is_refused() -> None:
    functions: list[Callable[[Any], object]] = [
        lambda sizes: hanin_rolnick(sizes, 1.0, bias_variance=1.0),
        whole_line,
    ]
    for function in functions:
        with pytest.raises(ValueError, match=r"sizes\[2\] is -1; it must be at least 1"):
            function([3, 2, -1])
        with pytest.raises(ValueError, match=r"sizes is \[3\]"):
            function([3])
        with pytest.raises(TypeError, match="sizes is 'abc'"):
            function("abc")
    for length in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="length"):
            hanin_rolnick([3, 2, 1], length, bias_variance=1.0)


def test_biases_are_needed() -> None:
    with pytest.raises(ValueError, match="bias_variance is 0; it must be positive"):
        hanin_rolnick([3, 2, 1], 1.0, bias_variance=0.0)
    with pytest.raises(ValueError, match="bias_variance is -1"):
        hanin_rolnick([3, 2, 1], 1.0, bias_variance=-1.0)
    with pytest.raises(ValueError, match="weight_variance is -1"):
        hanin_rolnick([3, 2, 1], 1.0, weight_variance=-1.0, bias_variance=1.0)
