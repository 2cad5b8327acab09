"""Networks made to have many regions have as many as the formulas say, by exact counting."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import comb, prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pyexpr
from pyexpr.activations import ActivationLike, as_activation
from pyexpr.constructions import (
    Construction,
    SpaceConstruction,
    arc,
    arrangement,
    circle,
    folding,
    line,
    tent,
)
from pyexpr.constructions.fold import powers_of_two

MILLION = 10**6
LEAKY = pyexpr.LeakyReLU(0.5)
ACTIVATIONS: list[ActivationLike] = [
    "relu",
    "leaky_relu",
    LEAKY,
    pyexpr.LeakyReLU(0.9),
    pyexpr.LeakyReLU(2.0**-12),
    "abs",
    "hard_tanh",
    "relu6",
    "hard_sigmoid",
    pyexpr.Clip(-1.5, 0.125),
]


def counts(construction: Construction) -> tuple[int, int]:
    net, curve = construction.network, construction.trajectory
    activation = pyexpr.count_regions(net, curve, kind="activation")
    return activation, pyexpr.count_regions(net, curve)


def promised(construction: Construction) -> tuple[int, int]:
    return construction.regions, construction.linear_regions


def regions_on_line(widths: Sequence[int], activation: str = "relu") -> int:
    """The closed forms and recursions of the docstring, in its words."""
    if not widths:
        return 1
    if activation == "relu" and widths[:2] == [2, 2] and len(widths) > 2:
        return 6 * regions_on_line(widths[2:], activation) + 1
    n, c = widths[0], regions_on_line(widths[1:], activation)
    return {
        "relu": {1: c + 1, 2: 2 * c + 1}.get(n, (n + 1) * c),
        "leaky_relu": (n + 1) * c if n > 1 else c + 1,
        "abs": n * c + 1 if n % 2 == 0 else (n + 1) * c,
        "hard_tanh": (2 * n - 1) * c + 2,
    }[activation]


def every_width(depth: int) -> list[list[int]]:
    return [[*widths] for widths in product((1, 2, 3, 4), repeat=depth)]


# Lines.


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_every_small_relu_network_on_a_line(depth: int) -> None:
    for widths in every_width(depth):
        construction = line([1, *widths, 1])
        assert construction.regions == regions_on_line(widths)
        assert counts(construction) == promised(construction), widths
        if min(widths[1:], default=1) >= 2 or depth == 1:
            assert construction.linear_regions == construction.regions
        if min(widths[:-1], default=3) >= 3:
            assert construction.regions == prod(n + 1 for n in widths)


@pytest.mark.parametrize(
    ("widths", "regions"),
    [
        ([3, 3], 16),
        ([4, 5, 3], 120),
        ([6, 6, 6], 343),
        ([3] * 6, 4096),
        ([5, 4], 30),
        ([1, 3], 5),
        ([2, 2], 7),
        ([2, 3], 9),
        ([2, 2, 2], 19),  # 15 by folds of one layer
        ([2, 2, 5], 37),
        ([2, 2, 2, 2, 3], 151),  # 79 by folds of one layer
    ],
)
def test_relu_networks_by_hand(widths: list[int], regions: int) -> None:
    construction = line([1, *widths, 1])
    assert counts(construction) == (regions, regions) == promised(construction)


@pytest.mark.parametrize(
    ("widths", "regions", "linear"),
    [([3, 1, 3], 20, 19), ([1, 1, 1], 4, 3), ([2, 2, 1], 13, 11), ([3, 1], 8, 7)],
)
def test_a_single_relu_hides_breakpoints(widths: list[int], regions: int, linear: int) -> None:
    construction = line([1, *widths, 1])
    assert counts(construction) == (regions, linear) == promised(construction)


@pytest.mark.parametrize(
    ("widths", "regions"),
    [
        ([1], 3),
        ([1, 1, 1], 7),
        ([2, 2], 17),
        ([3, 3], 37),
        ([2, 2, 2], 53),
        ([4, 4, 4], 457),
        ([5, 1, 5], 119),
        ([3, 2, 4], 147),
    ],
)
def test_hard_tanh_networks_by_hand(widths: list[int], regions: int) -> None:
    construction = line([1, *widths, 1], "hard_tanh")
    odd = [2 * n - 1 for n in widths]
    assert prod(odd) + 2 * sum(prod(odd[:i]) for i in range(len(odd))) == regions
    linear = 1 + 2 * widths[-1] * prod(odd[:-1])
    assert counts(construction) == (regions, linear) == promised(construction)


@pytest.mark.parametrize(
    ("widths", "regions"), [([2] * 5, 243), ([4, 3, 2, 1], 120), ([1, 2], 4), ([3, 1, 3], 20)]
)
@pytest.mark.parametrize("slope", [0.5, 0.25, 2.0**-12, 0.01, 0.3, 1 - 2.0**-10])
def test_leaky_networks_by_hand(slope: float, widths: list[int], regions: int) -> None:
    construction = line([1, *widths, 1], pyexpr.LeakyReLU(slope))
    assert counts(construction) == (regions, regions) == promised(construction)


@pytest.mark.parametrize("activation", ["leaky_relu", "abs", "hard_tanh"])
def test_every_small_network_on_a_line(activation: str) -> None:
    for widths in [widths for depth in (1, 2, 3) for widths in every_width(depth)]:
        construction = line([1, *widths, 1], activation)
        assert construction.regions == regions_on_line(widths, activation)
        assert counts(construction) == promised(construction), widths


@given(
    widths=st.lists(st.integers(1, 7), min_size=1, max_size=6),
    inputs=st.integers(1, 5),
    outputs=st.integers(1, 3),
    data=st.data(),
)
def test_any_sizes_and_any_mixture_of_activations(
    widths: list[int], inputs: int, outputs: int, data: st.DataObject
) -> None:
    activations = [data.draw(st.sampled_from(ACTIVATIONS)) for _ in widths]
    construction = line([inputs, *widths, outputs], activations)
    assume(construction.regions < 20_000)
    assert counts(construction) == promised(construction)
    net = construction.network
    assert (net.input_shape, net.output_shape) == ((inputs,), (outputs,))
    assert net.neurons_per_layer == tuple(widths)


@pytest.mark.parametrize("inputs", [1, 2, 3, 5, 784])
def test_every_input_is_read_and_moves(inputs: int) -> None:
    construction = line([inputs, 5, 4, 2])
    assert counts(construction) == (30, 30)
    assert construction.network.layers[0].weight.all()
    assert construction.trajectory.velocity(0.5).all()


def test_weights_of_relu_are_small_whatever_the_depth() -> None:
    construction = line([1, *[3] * 300, 1])
    assert construction.regions == 4**300
    assert max(np.abs(layer.weight).max() for layer in construction.network.layers) <= 12


def test_a_threshold_moved_out_loses_regions() -> None:
    construction = line([1, 3, 4, 5, 1])
    weights = [(layer.weight, layer.bias.copy()) for layer in construction.network.layers]
    weights[1][1][1] -= 100
    lost = pyexpr.count_regions(weights, construction.trajectory, kind="activation")
    assert lost < construction.regions == 120


def test_a_tent_folds_once_a_layer() -> None:
    for depth in range(1, 12):
        construction = tent(depth)
        assert counts(construction) == (2**depth, 2**depth) == promised(construction)
    assert construction.network([[0.0], [2.0**-11], [1.0]]).tolist() == [[0.0], [1.0], [0.0]]


# A million regions.

LARGE = {
    "relu 3": lambda: line([1, *[3] * 10, 1]),
    "relu 99": lambda: line([1, 99, 99, 99, 1]),
    "relu 2": lambda: line([2, *[2] * 14, 4, 1]),
    "leaky_relu": lambda: line([1, *[3] * 10, 1], "leaky_relu"),
    "abs": lambda: line([1, *[1] * 20, 1], "abs"),
    "hard_tanh": lambda: line([1, *[2] * 12, 1], "hard_tanh"),
    "hard_tanh 50": lambda: line([1, 50, 50, 51, 1], "hard_tanh"),
    "tent": lambda: tent(20),
    "circle": lambda: circle([2, 10, 10, 10, 10, 18, 1]),
    "arc": lambda: arc([2, 10, 10, 10, 10, 18, 1]),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_million_regions_without_an_integer_tier(name: str) -> None:
    construction = LARGE[name]()
    regions = pyexpr.count_regions(construction.network, construction.trajectory, kind="activation")
    assert regions == construction.regions >= MILLION
    assert regions.certificate.total.exact == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_linear_regions_of_large_ones(name: str) -> None:
    construction = LARGE[name]()
    regions = pyexpr.count_regions(construction.network, construction.trajectory)
    assert regions == construction.linear_regions


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "activation"),
    [([1, *[2] * 17, 1], "relu"), ([1, *[2] * 13, 1], LEAKY), ([1, *[3] * 12, 1], "relu")],
)
def test_many_millions_of_regions(sizes: list[int], activation: ActivationLike) -> None:
    construction = line(sizes, activation)
    assert counts(construction) == promised(construction)


# Circles.


def regions_on_circle(widths: Sequence[int]) -> int:
    n, c = widths[0], regions_on_line([*widths[1:]])
    return 2 * n + (4 * n if n >= 3 else 2 * (2 * n - 1)) * (c - 1)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_small_network_on_a_circle_and_on_an_arc(depth: int) -> None:
    for widths in every_width(depth):
        whole, cut = circle([2, *widths, 1]), arc([3, *widths, 2])
        assert whole.regions == regions_on_circle(widths)
        assert promised(cut) == (whole.regions + 1, whole.linear_regions + 1)
        assert counts(whole) == promised(whole), widths
        assert counts(cut) == promised(cut), widths


@pytest.mark.parametrize(
    ("widths", "regions"),
    [
        ([7], 14),
        ([3, 1], 18),
        ([3, 3], 42),
        ([10, 10], 420),
        ([200, 2], 2000),
        ([1, 5], 12),
        ([2, 1], 10),
        ([2, 5], 34),
        ([3, 3, 3], 186),
    ],
)
def test_circles_by_hand(widths: list[int], regions: int) -> None:
    construction = circle([4, *widths, 1])
    assert counts(construction) == (regions, regions) == promised(construction)


def test_a_circle_comes_back_to_patterns() -> None:
    construction = circle([2, 3, 1, 1])
    net, curve = construction.network, construction.trajectory
    assert pyexpr.count_transitions(net, curve) == 18
    assert pyexpr.count_patterns(net, curve) == 12


@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(2, 5))
def test_circles_of_any_sizes(widths: list[int], inputs: int) -> None:
    construction = circle([inputs, *widths, 1])
    assume(construction.regions < 20_000)
    assert construction.regions == regions_on_circle(widths)
    assert counts(construction) == promised(construction)


# More dimensions: patterns through a point of every region.


def patterns(construction: SpaceConstruction) -> int:
    return pyexpr.count_patterns(construction.network, construction.trajectory)


@pytest.mark.parametrize("activation", ["relu", "abs", "hard_tanh", pyexpr.Clip(0.25, 6.0)])
@pytest.mark.parametrize("inputs", [1, 2, 3, 4])
def test_one_layer_has_the_regions_of_an_arrangement(
    inputs: int, activation: ActivationLike
) -> None:
    p = len(as_activation("activation", activation).breakpoints)
    for width in range(1, 9):
        construction = arrangement([inputs, width, 1], activation)
        expected = sum(comb(width, j) * p**j for j in range(inputs + 1))
        assert patterns(construction) == expected == construction.regions


@pytest.mark.parametrize(
    ("sizes", "activation", "regions"),
    [
        ([3, 8, 1], "relu", 93),
        ([2, 8, 1], "hard_tanh", 129),
        ([4, 5, 2], "hard_tanh", 211),
        ([3, 40, 1], "relu", 10_701),
        ([2, 100, 1], "hard_tanh", 20_001),
    ],
)
def test_arrangements_by_hand(sizes: list[int], activation: ActivationLike, regions: int) -> None:
    construction = arrangement(sizes, activation)
    assert patterns(construction) == regions == construction.regions


@pytest.mark.parametrize(
    ("sizes", "montufar", "serra"),
    [
        ([1, 4, 4, 4, 1], 80, 125),
        ([2, 6, 6, 1], 198, 352),
        ([2, 8, 8, 8, 1], 9_472, 23_125),
        ([2, 7, 6, 5, 2], 1_296, 4_096),
        ([2, 5, 9, 2, 1], 256, 400),
        ([3, 9, 9, 1], 3_510, 8_320),
        ([4, 8, 8, 1], 2_608, 2_608),
        ([3, 2, 1], 4, 4),
    ],
)
def test_folded_cubes_have_the_lower_bounds(sizes: list[int], montufar: int, serra: int) -> None:
    for kind, regions in (("montufar", montufar), ("serra", serra)):
        construction = folding(sizes, kind)  # type: ignore[arg-type]
        assert construction.regions == regions
        assert patterns(construction) == regions


def test_folded_cubes_too_large_to_visit() -> None:
    assert folding([2, 4, 4, 4, 1], "montufar").regions == 176
    assert folding([3, 12, 12, 12, 1], "montufar").regions == 1_224_704
    assert folding([3, 12, 12, 12, 1]).regions == 4_671_875
    assert folding([4, 16, 16, 1], "montufar").regions == 644_352
    construction = folding([4, 16, 16, 1])
    assert construction.regions == 1_573_125
    assert construction.network.neurons_per_layer == (16, 16)
    with pytest.raises(ValueError, match="more than 100,000 regions"):
        _ = construction.trajectory


def test_a_hyperplane_moved_out_of_the_cube_loses_regions() -> None:
    construction = folding([2, 6, 6, 1])
    weights = [(layer.weight, layer.bias.copy()) for layer in construction.network.layers]
    weights[1][1][2] += 1e6
    assert pyexpr.count_patterns(weights, construction.trajectory) < construction.regions


@given(
    inputs=st.integers(1, 3),
    folds=st.lists(st.integers(1, 4), max_size=2),
    surplus=st.integers(0, 2),
    last=st.integers(1, 6),
)
def test_folded_cubes_of_any_sizes(inputs: int, folds: list[int], surplus: int, last: int) -> None:
    hidden = [inputs * p + surplus for p in folds]
    construction = folding([inputs, *hidden, last, 1])
    per_coordinate = [n // inputs for n in hidden]
    pieces = prod((p + (p >= 3)) ** inputs for p in per_coordinate)
    assert construction.regions == pieces * sum(comb(last, j) for j in range(inputs + 1))
    assume(construction.regions < 10_000)
    assert patterns(construction) == construction.regions


# Parts, and what is refused.


@given(st.integers(2, 500))
def test_powers_of_two_for_every_width(width: int) -> None:
    way = 1 << (2 * width - 2).bit_length()
    powers = powers_of_two(Fraction(way - width), width - 1)
    assert sum(powers) == way - width and len(powers) == width - 1
    assert all(x.numerator & (x.numerator - 1) == 0 for x in powers)


@pytest.mark.parametrize("construct", [line, circle, arc, folding])
def test_sizes_that_are_none(construct: type) -> None:
    with pytest.raises(ValueError, match=r"sizes is \[2, 1\], without hidden layers"):
        construct([2, 1])
    with pytest.raises(ValueError, match=r"sizes\[1\] is 0; it must be at least 1"):
        construct([2, 0, 1])
    with pytest.raises(TypeError, match=r"sizes\[1\] is 1.5 \(float\)"):
        construct([2, 1.5, 1])
    with pytest.raises(TypeError, match="sizes is 3"):
        construct(3)


def test_activations_that_do_not_fold() -> None:
    with pytest.raises(ValueError, match="activation is 'gelu'; the names known are"):
        line([1, 3, 1], "gelu")
    with pytest.raises(TypeError, match="activation is None"):
        line([1, 3, 1], None)  # type: ignore[arg-type]
    for phi in (
        pyexpr.LeakyReLU(-0.5),
        pyexpr.LeakyReLU(0.9999),
        pyexpr.PReLU([0.5] * 3),
        pyexpr.PiecewiseLinear([0.0], [0.0, 2.0]),
        pyexpr.PiecewiseLinear([0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0]),
    ):
        with pytest.raises(ValueError, match="the construction is known for ReLU"):
            line([1, 3, 1], phi)
    with pytest.raises(ValueError, match="activation has 1 entries, but there are 2"):
        line([1, 3, 3, 1], ["relu"])
    with pytest.raises(ValueError, match="made for one or two breakpoints"):
        arrangement([1, 3, 1], pyexpr.PiecewiseLinear([0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0]))


def test_weights_beyond_float64() -> None:
    for construct in (
        lambda: line([1, 2, 3, 1], pyexpr.LeakyReLU(2.0**-40)),
        lambda: arrangement([12, 60, 1]),
    ):
        with pytest.raises(ValueError, match="which float64 cannot hold exactly"):
            construct()


def test_other_sizes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="a circle needs at least 2 inputs"):
        circle([1, 3, 1])
    with pytest.raises(ValueError, match="more than 2\\^40 regions"):
        arc([2, *[3] * 25, 1])
    with pytest.raises(ValueError, match="at least as wide as the input, 4"):
        folding([4, 3, 5, 1])
    with pytest.raises(ValueError, match="kind is 'pascanu'"):
        folding([2, 3, 5, 1], "pascanu")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"must be \[inputs, hidden, outputs\]"):
        arrangement([2, 3, 3, 1])
    with pytest.raises(ValueError, match="depth is 0; it must be at least 1"):
        tent(0)
    with pytest.raises(TypeError, match=r"depth is 2.5 \(float\)"):
        tent(2.5)  # type: ignore[arg-type]
