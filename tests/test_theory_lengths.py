"""Expected lengths behind random ReLU layers: by exact sums, by series, and by simulation."""

import math
from fractions import Fraction

import numpy as np
import pytest
from judge import Array

import pyexpr
from pyexpr.theory import relu_growth, relu_lengths

X0, X1 = np.random.default_rng(1).standard_normal((2, 7))


def mean_chi(n: int) -> float:
    """E sqrt(chi^2_n), by a fraction: Gamma(m + 1/2) = sqrt(pi) m! C(2m, m) / 4^m."""
    m = n // 2
    middle = Fraction(math.comb(2 * m, m), 4**m)
    if n % 2:
        return math.sqrt(2 / math.pi) * float(1 / middle)
    return math.sqrt(2 * math.pi) * float(m * middle)


def summed(width: int) -> float:
    """E sqrt(chi^2_N) / sqrt(width) over all N, with the weights as fractions."""
    weights = [Fraction(math.comb(width, n), 2**width) for n in range(width + 1)]
    total = math.fsum(float(weight) * mean_chi(n) for n, weight in enumerate(weights))
    return total / math.sqrt(width)


@pytest.mark.parametrize("width", [1, 2, 3, 10, 50, 100, 127, 128, 129, 260, 1000])
def test_growth_is_the_sum_over_who_is_on(width: int) -> None:
    assert relu_growth(width, 1.0) == pytest.approx(summed(width), rel=1e-14, abs=0)


def test_narrow_layers_by_hand() -> None:
    # One neuron is on half the time; E|N(0, 1)| = sqrt(2 / pi), E sqrt(chi^2_2) = sqrt(pi / 2).
    assert relu_growth(1, 1.0) == pytest.approx(math.sqrt(2 / math.pi) / 2, rel=1e-15, abs=0)
    both = math.sqrt(2 / math.pi) / 2 + math.sqrt(math.pi / 2) / 4
    assert relu_growth(2, 9.0) == pytest.approx(3 * both / math.sqrt(2), rel=1e-15, abs=0)


@pytest.mark.parametrize("width", [10**4, 10**6, 10**8 - 1, 10**8, 10**8 + 1, 10**15])
def test_wide_layers_follow_their_series(width: int) -> None:
    # 1 - 5 / (8 k) - 23 / (128 k^2) + O(k^-3)
    series = 1 - 5 / (8 * width) - 23 / (128 * width**2)
    assert relu_growth(width, 2.0) == pytest.approx(series, rel=max(1e-14, 1.0 / width**3), abs=0)


def test_growth_is_continuous_where_its_computation_changes() -> None:
    before, after = relu_growth(10**8, 1.0), relu_growth(10**8 + 1, 1.0)
    assert 0 <= after - before < 1e-14


def test_growth_scales_with_the_weights_and_the_layer_before() -> None:
    assert relu_growth(20, 6.0, 5) == pytest.approx(
        math.sqrt(6) * 2 * relu_growth(20, 1.0), rel=1e-15
    )
    assert relu_growth(20, 0.0) == 0.0


def test_lengths_are_products() -> None:
    lengths = relu_lengths([3, 7, 2, 5, 1], 1.7)
    first = relu_growth(7, 1.7, fan_in=3)
    second = first * relu_growth(2, 1.7, fan_in=7)
    third = second * relu_growth(5, 1.7, fan_in=2)
    assert lengths.dtype == np.float64
    assert lengths == pytest.approx([first, second, third], rel=1e-15, abs=0)
    assert relu_lengths([3, 1]).shape == (0,)


def ratios(sizes: list[int], curve: pyexpr.Trajectory, b: float, count: int) -> Array:
    """Lengths over the input's behind every hidden layer of random networks: [count, L]."""
    rng = np.random.default_rng(7)
    nets = [pyexpr.Network.random(sizes, "relu", 3.0, b, seed=rng) for _ in range(count)]
    return np.array([pyexpr.trace(net, curve).lengths.ratio[1:-1] for net in nets])


@pytest.mark.parametrize(("width", "count"), [(1, 500), (5, 300), (20, 150), (100, 30)])
@pytest.mark.parametrize("b", [0.0, 1.0])
def test_random_networks_have_these_lengths(width: int, count: int, b: float) -> None:
    sizes = [7, width, width, width, 1]
    found = ratios(sizes, pyexpr.Line(X0, X1), b, count)
    errors = found.std(axis=0, ddof=1) / math.sqrt(count)
    expected = relu_lengths(sizes, 3.0)
    assert np.all(np.abs(found.mean(axis=0) - expected) <= 4 * errors)
    if width == 5:  # lengths without sqrt's concavity are told apart
        naive = np.cumprod([math.sqrt(1.5 * width / 7), math.sqrt(1.5), math.sqrt(1.5)])
        assert np.all(naive - found.mean(axis=0) > 4 * errors)


def test_random_networks_have_these_lengths_on_an_arc() -> None:
    sizes = [7, 4, 9, 1]
    found = ratios(sizes, pyexpr.Arc(X0, 3 * X1), 0.5, 150)
    errors = found.std(axis=0, ddof=1) / math.sqrt(len(found))
    assert np.all(np.abs(found.mean(axis=0) - relu_lengths(sizes, 3.0)) <= 4 * errors)


@pytest.mark.parametrize("width", [0, -3])
def test_widths_must_be_positive(width: int) -> None:
    with pytest.raises(ValueError, match=f"width is {width}; it must be at least 1"):
        relu_growth(width)
    with pytest.raises(ValueError, match=f"fan_in is {width}; it must be at least 1"):
        relu_growth(3, 2.0, width)


def test_widths_must_be_integers() -> None:
    with pytest.raises(TypeError, match=r"width is 2\.5 \(float\); it must be an integer"):
        relu_growth(2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("variance", [-1.0, math.nan, math.inf])
def test_variances_must_be_finite_and_not_negative(variance: float) -> None:
    with pytest.raises(ValueError, match="weight_variance"):
        relu_growth(3, variance)
    with pytest.raises(ValueError, match="weight_variance"):
        relu_lengths([3, 3, 1], variance)


def test_sizes_must_be_those_of_a_network() -> None:
    with pytest.raises(ValueError, match=r"sizes is \[3\]; it must be"):
        relu_lengths([3])
    with pytest.raises(ValueError, match=r"sizes\[1\] is 0; it must be at least 1"):
        relu_lengths([3, 0, 1])
    with pytest.raises(TypeError, match="sizes is 3"):
        relu_lengths(3)  # type: ignore[arg-type]
