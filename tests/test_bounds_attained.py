"""Bounds are attained: what the constructions promise, which the exact counter confirms."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyexpr
from pyexpr import bounds, constructions

widths = st.lists(st.integers(1, 5), min_size=1, max_size=4)
ACTIVATIONS = [pyexpr.ReLU(), pyexpr.HardTanh(), pyexpr.LeakyReLU(0.25), pyexpr.ReLU6()]


@given(widths, st.data())
def test_the_maximum_on_a_line(hidden: list[int], data: st.DataObject) -> None:
    kinds = ACTIVATIONS if data.draw(st.booleans()) else ACTIVATIONS[:1]
    phis = [data.draw(st.sampled_from(kinds)) for _ in hidden]
    sizes = [data.draw(st.integers(1, 3)), *hidden, 1]
    made = constructions.line(sizes, phis)
    architecture = bounds.Architecture(sizes, phis)
    most = bounds.line(architecture)
    assert made.regions == most if bounds.line_is_attained(architecture) else made.regions <= most
    assert pyexpr.count_regions(made.network, made.trajectory, kind="activation") == made.regions
    assert bounds.line(made.network) == most
    assert made.linear_regions <= made.regions


@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.integers(2, 3))
def test_the_maximum_on_a_circle_and_an_arc(hidden: list[int], inputs: int) -> None:
    sizes = [inputs, *hidden, 1]
    closed, cut = constructions.circle(sizes), constructions.arc(sizes)
    if len(hidden) <= 2:
        assert closed.regions == bounds.circle(sizes)
        assert cut.regions == bounds.arc(sizes)
    else:
        assert closed.regions <= bounds.circle(sizes)
    count = partial(pyexpr.count_regions, kind="activation")
    assert count(closed.network, closed.trajectory) == closed.regions
    assert count(cut.network, cut.trajectory) == cut.regions


@pytest.mark.parametrize("sizes", [[1, 6, 1], [2, 5, 1], [3, 4, 1], [4, 3, 1]])
@pytest.mark.parametrize("activation", ["relu", "hard_tanh"])
def test_the_maximum_of_one_layer(sizes: list[int], activation: str) -> None:
    made = constructions.arrangement(sizes, activation)
    most = bounds.zaslavsky(sizes, activation=activation)
    assert made.regions == most
    assert pyexpr.count_patterns(made.network, made.trajectory) == most


@pytest.mark.parametrize("sizes", [[1, 4, 3, 1], [2, 6, 3, 1], [2, 7, 6, 4, 1], [3, 9, 4, 1]])
def test_lower_bounds_are_attained_by_folding(sizes: list[int]) -> None:
    montufar = constructions.folding(sizes, "montufar")
    serra = constructions.folding(sizes, "serra")
    assert montufar.regions == bounds.montufar_2014_lower(sizes)
    assert serra.regions == bounds.serra_2018_lower(sizes)
    assert serra.regions <= bounds.serra_2018(sizes)
    for made in (montufar, serra):
        assert pyexpr.count_patterns(made.network, made.trajectory) == made.regions


def test_a_million_regions_are_the_bound() -> None:
    for sizes, activation in [([1, *[3] * 10, 1], "relu"), ([1, 50, 50, 51, 1], "hard_tanh")]:
        made = constructions.line(sizes, activation)
        count = pyexpr.count_regions(made.network, made.trajectory, kind="activation")
        assert count == bounds.line(sizes, activation=activation) >= 10**6
