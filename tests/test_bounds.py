"""The formulas of the bounds, against sums written out, exact arrangements and each other."""

import inspect
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, product
from math import comb, log10, pi, prod, sqrt, tau

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import pyexpr
from pyexpr import bounds
from pyexpr.bounds.expressions import FORMS
from pyexpr.build import Builder
from pyexpr.operations import Convolution

Matrix = list[list[Fraction]]

few = settings(max_examples=settings().max_examples // 3)
sizes_of_networks = st.lists(st.integers(1, 7), min_size=2, max_size=5).map(lambda s: [*s, 1])
activations = st.sampled_from(["relu", "hard_tanh", "leaky_relu", "abs"])


# One layer.


def regions_of(normals: Matrix, offsets: list[Fraction]) -> int:
    """Of hyperplanes w x = c: Whitney's sum of (-1)^(|S| - rank S) over those that meet."""
    total = 0
    for size in range(len(normals) + 1):
        for chosen in combinations(range(len(normals)), size):
            rank = sympy.Matrix([normals[i] for i in chosen]).rank() if chosen else 0
            with_offsets = [[*normals[i], offsets[i]] for i in chosen]
            if chosen and sympy.Matrix(with_offsets).rank() > rank:
                continue  # they do not meet
            total += (-1) ** (size - rank)
    return total


@pytest.mark.parametrize(
    ("inputs", "width", "activation"),
    [(1, 4, "relu"), (2, 5, "relu"), (3, 5, "relu"), (1, 3, "hard_tanh"), (2, 3, "hard_tanh")],
)
def test_one_layer_cuts_as_generic_hyperplanes(inputs: int, width: int, activation: str) -> None:
    rng = np.random.default_rng(inputs * width)
    normals: Matrix = []
    offsets = []
    for _ in range(width):
        w = [Fraction(int(v)) for v in rng.integers(-99, 100, inputs)]
        c = Fraction(int(rng.integers(-999, 1000)), 7)
        for threshold in [0] if activation == "relu" else [-1, 1]:
            normals.append(w)
            offsets.append(c + threshold)
    assert bounds.zaslavsky([inputs, width, 1], activation=activation) == regions_of(
        normals, offsets
    )


def test_one_layer_by_hand() -> None:
    assert bounds.zaslavsky([2, 3, 1]) == 7
    assert bounds.zaslavsky([3, 3, 1]) == 8
    assert bounds.zaslavsky([1, 5, 1], activation="hard_tanh") == 11
    assert [bounds.zaslavsky([2, k, 1], activation="hard_tanh") for k in range(1, 7)] == [
        2 * k * k + 1 if k > 1 else 3 for k in range(1, 7)
    ]
    assert bounds.zaslavsky([9, 4, 1], activation="hard_tanh") == 3**4
    unbiased = bounds.Architecture([2, 5, 1], bias=False)
    assert bounds.central(unbiased) == 10  # lines through the origin
    assert bounds.central(bounds.Architecture([3, 3, 1], bias=False)) == 8


def test_hyperplanes_through_the_origin() -> None:
    rng = np.random.default_rng(4)
    normals = [[Fraction(int(v)) for v in row] for row in rng.integers(-99, 100, (5, 3))]
    expected = regions_of(normals, [Fraction(0)] * 5)
    assert bounds.central(bounds.Architecture([3, 5, 1], bias=False)) == expected


# The whole input space.


def serra(inputs: int, widths: Sequence[int], p: int) -> int:
    """The published sum, term by term."""

    def terms(widths: Sequence[int], most: int) -> Iterator[int]:
        if not widths:
            yield 1
            return
        n, *others = widths
        for j in range(min(most, n) + 1):
            yield from (comb(n, j) * p**j * rest for rest in terms(others, min(most, n - j)))

    return sum(terms(widths, inputs))


@given(sizes_of_networks, st.sampled_from([("relu", 1), ("hard_tanh", 2)]))
def test_serra_is_the_sum_over_all_indices(sizes: list[int], kind: tuple[str, int]) -> None:
    activation, p = kind
    inputs, *widths, _ = sizes
    assert bounds.serra_2018(sizes, activation=activation) == serra(inputs, widths, p)


@given(sizes_of_networks)
def test_histograms_give_the_bound_of_serra(sizes: list[int]) -> None:
    assert bounds.hinz_van_de_geer_2019(sizes) == bounds.serra_2018(sizes)


@given(sizes_of_networks, activations)
def test_bounds_are_ordered(sizes: list[int], activation: str) -> None:
    def value(bound: bounds.Bound) -> int:
        return bound(sizes, activation=activation)

    chain = [bounds.serra_2018, bounds.montufar_2017, bounds.all_patterns]
    assert [*map(value, chain)] == sorted(map(value, chain))
    assert value(bounds.line) <= value(bounds.line_product)
    on_line = [1, *sizes[1:]]
    assert value(bounds.line) <= bounds.serra_2018(on_line, activation=activation)


@given(sizes_of_networks)
def test_the_bound_of_raghu_is_one_where_it_is_not_refused(sizes: list[int]) -> None:
    for activation in ("relu", "hard_tanh"):
        try:
            stated = bounds.raghu_2017(sizes, activation=activation)
        except bounds.NotApplicable:
            assert sizes[0] == 1 or max(sizes[1:-1]) == 1
        else:
            assert stated >= bounds.montufar_2017(sizes, activation=activation)


def test_the_constant_that_the_o_hides_on_a_line() -> None:
    # k^{m n} for m = 1 would be 27, and 64 regions are attained.
    assert bounds.line([1, 3, 3, 3, 1]) == 64 > 3**3
    with pytest.raises(bounds.NotApplicable, match="hidden constant"):
        bounds.raghu_2017([1, 3, 3, 3, 1])


def test_known_values_in_the_input_space() -> None:
    # By hand: R(1, 2) of (2, 2) is 4 R(2, .) with 1, 2, 1 regions of 2, 1, 0 dimensions.
    assert bounds.serra_2018([2, 2, 2, 1]) == 4 + 2 * 3 + 1
    assert bounds.montufar_2017([2, 2, 2, 1]) == 16
    assert bounds.montufar_2014_lower([2, 4, 4, 1]) == 2**2 * 11
    assert bounds.pascanu_2013_lower([2, 4, 4, 1]) == 2 * 11
    assert bounds.serra_2018_lower([2, 6, 6, 1]) == 4**2 * 22
    assert bounds.arora_2018_lower([2, 8, 3, 3, 1]) == 2 * (1 + 3) * 3**2
    assert bounds.serra_2018_zonotope_lower([2, 8, 3, 3, 1]) == 2 * (1 + 3) * 4**2


@given(sizes_of_networks)
def test_no_lower_bound_is_above_an_upper_one(sizes: list[int]) -> None:
    table = bounds.table(sizes)
    upper = [row.value for row in table.upper if row.bounds == "patterns"]
    for row in table.lower:
        assert row.value is not None
        assert all(value is None or row.value <= value for value in upper), row


def test_two_neurons_do_not_fold_a_line_three_times() -> None:
    assert bounds.line([1, 2, 1, 1]) == 5 < 3 * 2
    with pytest.raises(bounds.NotApplicable, match="3 wide"):
        bounds.serra_2018_zonotope_lower([1, 2, 2, 2, 1])


# Lines and curves.


def test_the_maxima_on_a_line() -> None:
    def relu(*widths: int) -> int:
        return bounds.line([4, *widths, 1])

    assert relu(3, 3) == 16
    assert relu(4, 5, 3) == 120
    assert relu(2, 5) == 2 * 5 + 3
    assert relu(3, 2, 5) == 4 * 13
    assert [relu(2), relu(2, 2), relu(2, 2, 2), relu(2, 2, 2, 2)] == [3, 7, 19, 55]
    assert relu(2, 2, 5) == 6 * 5 + 7
    assert relu(1, 1, 1) == 4
    assert relu(3, 1, 3) == 20
    assert bounds.line([1, 2, 2, 2, 1], activation="leaky_relu") == 27
    assert bounds.line([1, 1, 2, 1], activation="leaky_relu") == 4  # a neuron reparametrises
    assert bounds.line([1, 1, 2, 1], activation="abs") == 6  # and folds, if it is no monotone one


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_the_maximum_of_hard_tanh_on_a_line(widths: list[int]) -> None:
    varying = [2 * n - 1 for n in widths]
    closed = prod(varying) + 2 * sum(prod(varying[:i]) for i in range(len(widths)))
    assert bounds.line([1, *widths, 1], activation="hard_tanh") == closed
    assert closed <= bounds.line_product([1, *widths, 1], activation="hard_tanh")


@pytest.mark.parametrize(
    ("widths", "activation", "attained"),
    [
        ((3, 3, 1), "relu", True),
        ((2, 3), "relu", True),
        ((2, 3, 3), "relu", False),
        ((4, 2, 2, 7), "relu", True),
        ((2, 2, 2), "relu", True),
        ((2, 2, 2, 1), "relu", False),
        ((2, 3, 2), "relu", False),
        ((3, 1, 2, 2), "relu", True),
        ((2, 2, 2), "leaky_relu", True),
        ((1, 5, 2), "hard_tanh", True),
        ((3, 3), "abs", False),
        ((2, 2), pyexpr.LeakyReLU(1.0), False),
    ],
)
def test_what_is_known_to_be_attained(
    widths: tuple[int, ...], activation: str | pyexpr.PiecewiseLinear, attained: bool
) -> None:
    assert bounds.line_is_attained([1, *widths, 1], activation=activation) is attained


def test_circles_and_arcs() -> None:
    assert bounds.circle([2, 3, 3, 1]) == 42
    assert bounds.circle([2, 10, 10, 1]) == 420
    assert bounds.circle([2, 100, 3000, 1]) == 200 * 6001
    assert [bounds.circle([2, n, 5, 1]) for n in (1, 2)] == [2 + 10, 4 + 30]
    assert bounds.circle([2, 3, 1, 1, 1]) == 18 + 2 * 6  # a third layer sees 6 patterns
    assert bounds.circle([2, 3, 1], activation="hard_tanh") == 12
    assert bounds.arc([2, 3, 3, 1]) == 43
    unbiased = bounds.Architecture([2, 3, 3, 1], bias=False)
    assert bounds.arc(unbiased) == bounds.arc(unbiased, np.pi) == 16
    assert bounds.arc(unbiased, 4.0) == 6 * 4 + 1
    assert bounds.arc(unbiased, tau) == 6 * 4
    assert bounds.arc([2, 3, 3, 1], tau) == bounds.circle([2, 3, 3, 1])
    assert bounds.circle([5, 1]) == bounds.line([5, 1]) == bounds.arc([5, 1]) == 1


def test_polylines_and_curves() -> None:
    assert bounds.polyline([2, 3, 3, 1], 1) == 16
    assert bounds.polyline([2, 3, 3, 1], 4) == 4 * 15 + 1
    assert bounds.polyline([2, 3, 3, 1], 4, closed=True) == 4 * 15
    assert bounds.curve([2, 3, 3, 1], (1, 1)) == bounds.polyline([2, 3, 3, 1], 2)
    assert bounds.curve([2, 3, 1], (3, 2)) == 1 + 9 + 6
    assert bounds.curve([2, 1], (3, 2), closed=True) == 1


# Graphs.


def residual(bypassed: bool) -> pyexpr.Network:
    builder = Builder((1,))
    first = builder.dense(builder.input, np.ones((1, 1)), np.zeros(1))
    hidden = builder.activation(first, pyexpr.ReLU())
    second = builder.dense(hidden, np.ones((3, 1)), np.zeros(3))
    if bypassed:
        second = builder.add(second, builder.dense(builder.input, np.ones((3, 1)), np.zeros(3)))
    return pyexpr.Network(builder.graph(builder.activation(second, pyexpr.ReLU())))


def test_a_layer_that_others_bypass_narrows_nothing() -> None:
    assert bounds.line(residual(bypassed=False)) == 1 + 4
    assert bounds.line(residual(bypassed=True)) == 2 * 4
    assert bounds.serra_2018(residual(bypassed=False)) == 1 + 4
    assert bounds.serra_2018(residual(bypassed=True)) == 2 * 4


def test_a_maximum_has_one_breakpoint_less_than_entries() -> None:
    builder = Builder((2,))
    lines = builder.dense(builder.input, np.ones((5, 2)), np.zeros(5))
    windows = np.array([[0, 1, 2], [3, 4, -1]])
    net = pyexpr.Network(builder.graph(builder.maximum(lines, windows)))
    assert bounds.line(net) == bounds.line_product(net) == 1 + 2 + 1
    assert bounds.circle(net) == 2 * (2 + 1)
    assert bounds.curve(net, (3,)) == 1 + 3 * (3 + 1)
    assert bounds.montufar_2017(net) == 1 + 4 + comb(4, 2)  # the ties are 4 lines
    assert bounds.all_patterns(net) == 3 * 2


def test_windows_of_one_entry_keep_all_dimensions() -> None:
    builder = Builder((3,))
    alone = builder.maximum(builder.input, np.array([[0], [1], [2]]))
    z = builder.dense(alone, np.ones((4, 3)), np.zeros(4))
    net = pyexpr.Network(builder.graph(builder.activation(z, pyexpr.ReLU())))
    assert bounds.serra_2018(net) == bounds.montufar_2017(net) == 1 + 4 + 6 + 4
    assert bounds.circle(net) == 8


# Convolutions.


def generic_convolution(channels: int, filters: int, size: int, extent: int, stride: int) -> int:
    """Regions of a one-dimensional convolution with shared random weights and biases."""
    rng = np.random.default_rng(filters + 10 * size)
    kernel = rng.integers(-999, 1000, (filters, channels, extent))
    bias = rng.integers(-9999, 10000, filters)
    normals, offsets = [], []
    for f, start in product(range(filters), range(0, size - extent + 1, stride)):
        window = np.zeros((channels, size), dtype=int)
        window[:, start : start + extent] = kernel[f]
        normals.append([Fraction(int(v)) for v in window.reshape(-1)])
        offsets.append(Fraction(int(bias[f])))
    return regions_of(normals, offsets)


def convolution(
    channels: int, filters: int, size: tuple[int, int], extent: tuple[int, int], stride: int
) -> pyexpr.Network:
    builder = Builder((channels, *size))
    kernel = np.ones((filters, channels, *extent))
    operation = Convolution(kernel, size, (stride, stride))
    x = builder.convolution(builder.input, operation, np.zeros(filters))
    return pyexpr.Network(builder.graph(builder.activation(x, pyexpr.ReLU())))


@pytest.mark.parametrize(
    ("channels", "filters", "size", "extent", "stride"),
    [(1, 2, 4, 2, 1), (1, 3, 4, 2, 2), (1, 2, 5, 3, 1), (1, 4, 3, 2, 1), (2, 3, 3, 2, 1),
     (1, 3, 5, 1, 2), (1, 2, 7, 2, 3)],
)  # fmt: skip
def test_one_dimensional_convolutions_are_exact(
    channels: int, filters: int, size: int, extent: int, stride: int
) -> None:
    net = convolution(channels, filters, (1, size), (1, extent), stride)
    expected = generic_convolution(channels, filters, size, extent, stride)
    assert bounds.xiong_2020(net) == expected
    upright = convolution(channels, filters, (size, 1), (extent, 1), stride)
    assert bounds.xiong_2020(upright) == expected


def union_sum(windows: list[set[int]], filters: int) -> int:
    """The sum over all t, with the condition for every set of places."""
    total = 0
    for t in product(range(filters + 1), repeat=len(windows)):
        sets = (s for k in range(1, len(t) + 1) for s in combinations(range(len(t)), k))
        if all(sum(t[i] for i in s) <= len(set().union(*(windows[i] for i in s))) for s in sets):
            total += prod(comb(filters, k) for k in t)
    return total


@pytest.mark.parametrize("filters", [1, 2, 3])
def test_two_dimensional_convolutions_are_bounded(filters: int) -> None:
    windows = [
        {3 * (i + a) + j + b for a in range(2) for b in range(2)}
        for i, j in product(range(2), repeat=2)
    ]
    exact = union_sum(windows, filters)
    bound = bounds.xiong_2020(convolution(1, filters, (3, 3), (2, 2), 1))
    assert exact <= bound <= 2 ** (4 * filters)
    apart = bounds.xiong_2020(convolution(1, filters, (4, 4), (2, 2), 2))
    assert apart == sum(comb(filters, k) for k in range(5)) ** 4  # exact where nothing overlaps


def chain_of_convolutions(pad: int) -> pyexpr.Network:
    builder = Builder((1, 1, 6))
    first = Convolution(np.ones((3, 1, 1, 3)), (1, 6), pads=(0, pad, 0, pad))
    x = builder.convolution(builder.input, first, np.zeros(3))
    x = builder.activation(x, pyexpr.ReLU())
    second = Convolution(np.ones((2, 3, 1, 2)), (1, 4 + 2 * pad))
    x = builder.convolution(x, second, np.zeros(2))
    return pyexpr.Network(builder.graph(builder.activation(x, pyexpr.ReLU())))


def test_convolutions_fold_pixels() -> None:
    # Three filters fold a pixel of each place three times; two of width 2 see what comes of it.
    folded = chain_of_convolutions(pad=0)
    last = bounds.xiong_2020(convolution(1, 2, (1, 4), (1, 2), 1))
    assert bounds.xiong_2020_lower(folded) == 3**4 * last
    same = chain_of_convolutions(pad=1)  # the middle pixel of each window is in the image
    last = bounds.xiong_2020(convolution(1, 2, (1, 6), (1, 2), 1))
    assert bounds.xiong_2020_lower(same) == 3**6 * last
    with pytest.raises(bounds.NotApplicable, match="dense"):
        bounds.montufar_2014_lower(folded)  # for which weights would have to be free
    for net in (folded, same):
        assert bounds.xiong_2020_lower(net) <= bounds.serra_2018(net)
        assert bounds.xiong_2020_lower(net) <= bounds.xiong_2020(net)
    with pytest.raises(bounds.NotApplicable, match="a pixel"):
        bounds.xiong_2020_lower(chain_of_convolutions(pad=3))


@pytest.mark.parametrize("filters", [1, 2, 3])
def test_rows_apart_bound_a_convolution_from_below(filters: int) -> None:
    net = convolution(1, filters, (3, 3), (2, 2), 1)
    windows = [
        {3 * (i + a) + j + b for a in range(2) for b in range(2)}
        for i, j in product(range(2), repeat=2)
    ]
    exact = union_sum(windows, filters)
    assert bounds.xiong_2020_lower(net) <= exact <= bounds.xiong_2020(net)


# Numbers.


@given(sizes_of_networks, activations)
@few
def test_logarithms_are_those_of_the_numbers(sizes: list[int], activation: str) -> None:
    for row in bounds.table(sizes, activation=activation).upper:
        assert row.value is not None
        assert row.log10 == pytest.approx(log10(row.value), rel=1e-14, abs=1e-14)


def test_large_architectures_have_logarithms() -> None:
    deep = [784, *[256] * 2000, 10]
    assert bounds.line(deep, log10=True) == pytest.approx(2000 * log10(257), rel=1e-13)
    with pytest.raises(OverflowError, match=r"4,820 digits.*log10=True"):
        bounds.line(deep)
    wide = [2, 10**6, 10**6, 1]
    assert bounds.serra_2018(wide) == (1 + 10**6 + comb(10**6, 2)) ** 2
    middle = [5 * 10**5 - 1, 10**6, 1]  # all subsets but those above the middle
    middle_share = 1 / sqrt(pi * 5e5)  # C(10^6, 5 10^5) / 2^(10^6), by Stirling
    half = 10**6 * log10(2) + log10((1 - middle_share) / 2)
    assert bounds.serra_2018(middle, log10=True) == pytest.approx(half, abs=1e-6)


@pytest.mark.parametrize("bound", FORMS, ids=lambda bound: bound.__name__)
@pytest.mark.parametrize("activation", ["relu", "hard_tanh"])
def test_closed_forms_are_the_functions(bound: bounds.Bound, activation: str) -> None:
    one_layer = bound in (bounds.zaslavsky, bounds.central)
    sizes = [2, 7] if one_layer else [2, 7, 6, 8]
    architecture = bounds.Architecture([*sizes, 1], activation, bias=bound is not bounds.central)
    try:
        expected = bound(architecture)
    except bounds.NotApplicable:
        assert activation == "hard_tanh"
        assert bound is bounds.central or bound.__name__.endswith("_lower")
        with pytest.raises(bounds.NotApplicable):
            bounds.closed_form(bound, len(sizes) - 1, activation)
    else:
        expression = bounds.closed_form(bound, len(sizes) - 1, activation)
        values = {f"n_{i}": size for i, size in enumerate(sizes)}
        number = expression.subs({s: values[s.name] for s in expression.free_symbols}).doit()
        assert number == expected


def test_a_closed_form_can_be_read() -> None:
    n = sympy.symbols("n_0:3", integer=True, positive=True)
    assert bounds.closed_form(bounds.line, 2) == (n[1] + 1) * (n[2] + 1)
    hard_tanh = bounds.closed_form(bounds.line, 2, "hard_tanh")
    assert sympy.expand(hard_tanh - (4 * n[1] * n[2] + 2 * n[1] - 2 * n[2] + 1)) == 0


def test_help_tells_the_options_of_a_bound() -> None:
    assert [*inspect.signature(bounds.arc).parameters] == ["net", "angle", "activation", "log10"]
    assert "chord" in (bounds.arc.__doc__ or "")


def test_deep_narrow_networks_have_bounds_in_no_time() -> None:
    deep = [2, *[2] * 10_000, 1]
    assert bounds.line(deep, log10=True) == pytest.approx(9_999 * log10(3) + log10(2))
    assert not bounds.line_is_attained(deep)
    assert bounds.circle([2, *[10] * 10_000, 1], log10=True) > 10_000
    assert bounds.circle([2, *[10] * 110, 20, 5, 1], log10=True) > 110


def test_what_is_too_large_to_be_bounded_is_said() -> None:
    huge = [1, 10**20, 1]
    assert bounds.line(huge) == 10**20 + 1
    assert bounds.line([2, 10**9, 10**9, 1]) == (10**9 + 1) ** 2
    with pytest.raises(OverflowError, match=r"10\^18 digits"):
        bounds.all_patterns(huge, log10=True)
    cube = [10**20, 10**20, 10**20, 1]
    with pytest.raises(OverflowError, match="terms"):
        bounds.serra_2018(cube, log10=True)
    names = [row.name for row in bounds.table(cube).upper]
    assert "line" in names and "serra_2018" not in names


# The table.


def test_a_table_prints_the_sharpest_first() -> None:
    net = pyexpr.Network.random([5, 8, 8, 2], bias_variance=0.1)
    text = str(bounds.table(net, np.zeros(5), np.ones(5)))
    lines = text.splitlines()
    assert lines[1].startswith("exact: ")
    names = [line.split()[0] for line in lines[4:] if line]
    assert names.index("serra_ramalingam_2020") < names.index("line") < names.index("serra_2018")
    assert "the most, at least" in text


def test_a_table_of_sizes_counts_nothing() -> None:
    table = bounds.table([784, 256, 256, 10])
    assert table.exact is None
    assert {row.name: row.value for row in table.upper}["line"] == 257**2
    assert all(row.log10_share is None for row in table.upper)
    assert "6.94e153" in str(table)
    assert "10^4,819.9" in str(bounds.table([784, *[256] * 2000, 10]))  # 2000 log10(257)


def test_a_table_shows_numbers_of_any_size() -> None:
    assert "1.00e16" in str(bounds.table([1, 99_989_999, 99_999_999, 1]))
    net = pyexpr.Network.random([400, *[100] * 13, 1])
    x0, x1 = np.random.default_rng(0).standard_normal((2, 400))
    table = bounds.table(net, x0, x1)
    blunt = max(table.upper, key=lambda row: row.log10)
    assert table.exact is not None and blunt.log10_share is not None
    assert blunt.log10 > 380 and blunt.name == "raghu_2017"
    assert blunt.log10_share == log10(table.exact.patterns) - blunt.log10
    assert f"10^{blunt.log10_share:,.0f}" in str(table)


def test_without_biases_nothing_is_said_to_be_attained() -> None:
    unbiased = bounds.Architecture([1, 3, 3, 1], bias=False)
    assert not bounds.line_is_attained(unbiased)
    assert not bounds.table(unbiased).lower
    with pytest.raises(bounds.NotApplicable, match="biases"):
        bounds.serra_2018_lower(unbiased)


# Bad input.


@pytest.mark.parametrize("sizes", [[2, 0, 1], [2, -3, 1], [2], []])
def test_sizes_must_be_positive(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="sizes"):
        bounds.line(sizes)


@pytest.mark.parametrize("sizes", [[2, 2.5, 1], [2, "3", 1], [None, 2]])
def test_sizes_must_be_integers(sizes: list[int]) -> None:
    with pytest.raises(TypeError, match=r"sizes\[[01]\]"):
        bounds.serra_2018(sizes)


def test_bad_input_is_refused() -> None:
    sizes = [2, 3, 3, 1]
    with pytest.raises(ValueError, match="full turn"):
        bounds.arc(sizes, 7.0)
    with pytest.raises(ValueError, match="angle"):
        bounds.arc(sizes, 0.0)
    with pytest.raises(ValueError, match="breakpoints is 0"):
        bounds.Architecture(sizes, breakpoints=0)
    with pytest.raises(TypeError, match="breakpoints"):
        bounds.Architecture(sizes, "relu", breakpoints=2)
    with pytest.raises(ValueError, match="2 hidden layers"):
        bounds.Architecture(sizes, ["relu"])
    with pytest.raises(ValueError, match="activation is 'tanh'"):
        bounds.line(sizes, activation="tanh")
    with pytest.raises(TypeError, match="or sizes"):
        bounds.line(3)
    with pytest.raises(TypeError, match="activation goes with sizes"):
        bounds.line(pyexpr.Network.random(sizes), activation="relu")
    with pytest.raises(ValueError, match="segments is 0"):
        bounds.polyline(sizes, 0)
    with pytest.raises(ValueError, match="segments is 1"):
        bounds.polyline(sizes, 1, closed=True)
    with pytest.raises(TypeError, match="degrees is"):
        bounds.curve(sizes, iter((3, 2)))
    with pytest.raises(TypeError, match="degrees is"):
        bounds.curve(sizes, ())
    with pytest.raises(TypeError, match="by name"):
        bounds.line(sizes, "relu")
    with pytest.raises(ValueError, match=r"degrees\[1\] is 0"):
        bounds.curve(sizes, (1, 0))
    with pytest.raises(bounds.NotApplicable, match="2 hidden layers"):
        bounds.zaslavsky(sizes)
    with pytest.raises(bounds.NotApplicable, match="6 wide"):
        bounds.serra_2018_lower(sizes)
    with pytest.raises(bounds.NotApplicable, match="ReLU"):
        bounds.hinz_van_de_geer_2019(sizes, activation="hard_tanh")
    with pytest.raises(bounds.NotApplicable, match="Networks"):
        bounds.serra_ramalingam_2020(sizes, pyexpr.Line([0, 0], [1, 1]))
    net = pyexpr.Network.random(sizes)
    with pytest.raises(ValueError, match="low is above high"):
        bounds.serra_ramalingam_2020(net, ([0, 1], [1, 0]))
    with pytest.raises(ValueError, match=r"\(3,\)"):
        bounds.serra_ramalingam_2020(net, ([0, 1, 2], [1, 2, 3]))
    with pytest.raises(TypeError, match="trajectory is missing"):
        bounds.table(net)
    with pytest.raises(ValueError, match="3,"):
        bounds.table(sizes, pyexpr.Line([0, 0, 0], [1, 1, 1]))
    with pytest.raises(ValueError, match="depth is 0"):
        bounds.closed_form(bounds.line, 0)
    with pytest.raises(ValueError, match="1,000"):
        bounds.closed_form(bounds.line, 10**6)
    with pytest.raises(ValueError, match="closed form"):
        bounds.closed_form(bounds.serra_2018, 2)
    with pytest.raises(ValueError, match="one layer"):
        bounds.closed_form(bounds.zaslavsky, 2)
