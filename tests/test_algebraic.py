"""Algebraic numbers are the roots that they say, to the last bit."""

import math
from fractions import Fraction

import algebraic as judge
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyexpr.tracing.algebraic import AlgebraicNumber, sign_changes
from pyexpr.tracing.polynomials import from_bernstein

ZERO, ONE = Fraction(0), Fraction(1)
SQRT_2 = AlgebraicNumber((-2, 0, 1), Fraction(1), Fraction(2))
CUBE_ROOT_2 = AlgebraicNumber((-2, 0, 0, 1), Fraction(1), Fraction(2))

roots = st.fractions(0, 1, max_denominator=6)
factors = st.lists(
    st.builds(lambda x: (-x.numerator, x.denominator), roots)
    | st.sampled_from([(-1, 0, 2), (-1, 0, 3), (1, -3, 1), (1, 1), (5,), (2, -2, 1)]),
    min_size=1,
    max_size=6,
)


def multiplied(factors: list[tuple[int, ...]]) -> tuple[int, ...]:
    product: tuple[int, ...] = (1,)
    for factor in factors:
        product = judge.product(product, factor)
    return product


@given(factors)
def test_sign_changes_are_the_judges(factors: list[tuple[int, ...]]) -> None:
    for number, root in both(factors):
        low, high = root.interval(Fraction(1, 2**80))
        assert low <= number <= high
        ends = (judge.sign(number.polynomial, x) for x in (number.low, number.high))
        assert number.low == number.high or sum(ends) == 0


@given(factors, factors)
def test_numbers_are_compared_as_the_judges(
    a: list[tuple[int, ...]], b: list[tuple[int, ...]]
) -> None:
    for x, true_x in both(a):
        for y, true_y in both(b):
            assert (x == y) == (true_x == true_y)
            assert (x < y) == (not x >= y) == (true_x < true_y)
            assert (x > y) == (not x <= y) == (true_y < true_x)
            assert x != y or hash(x) == hash(y)


def both(factors: list[tuple[int, ...]]) -> list[tuple[AlgebraicNumber, judge.Root]]:
    """Where their product changes its sign, and the judge's word for it."""
    p = multiplied(factors)
    found = sign_changes(p, ZERO, ONE)
    true = judge.sign_changes(p, judge.Root.rational(ZERO), judge.Root.rational(ONE))
    return [*zip(found, true, strict=True)]


def test_roots_of_two() -> None:
    assert float(SQRT_2) == math.sqrt(2)
    assert float(CUBE_ROOT_2) == 2 ** (1 / 3)
    assert CUBE_ROOT_2 < SQRT_2
    assert SQRT_2 != CUBE_ROOT_2
    assert Fraction(7, 5) < SQRT_2 < Fraction(17, 12)
    assert SQRT_2 > 1
    assert repr(SQRT_2) == "<AlgebraicNumber 1.4142135623730951, of degree 2>"


def test_one_number_of_two_polynomials() -> None:
    fourth = AlgebraicNumber((-4, 0, 0, 0, 1), Fraction(1), Fraction(3))
    assert fourth == SQRT_2
    assert hash(fourth) == hash(SQRT_2)
    assert not fourth < SQRT_2


def test_a_rational_number_is_its_fraction() -> None:
    third = AlgebraicNumber.rational(Fraction(1, 3))
    assert third == Fraction(1, 3)
    assert AlgebraicNumber((-1, 1, 6), ZERO, ONE) == Fraction(1, 3)  # (3 x - 1) (2 x + 1)
    assert hash(third) == hash(Fraction(1, 3))
    assert third != "1/3"


def test_refining_keeps_the_number() -> None:
    fine = SQRT_2.refine(Fraction(1, 10**30))
    assert fine.high - fine.low <= Fraction(1, 10**30)
    assert fine.low**2 < 2 < fine.high**2
    assert fine == SQRT_2
    with pytest.raises(ValueError, match="width is 0"):
        SQRT_2.refine(0)


@pytest.mark.parametrize(
    ("x", "nearest"),
    [
        (1 + Fraction(1, 2**53), 1.0),  # between 1 and its neighbour: to even
        (1 + Fraction(3, 2**53), 1 + 2.0**-51),
        (1 + Fraction(1, 2**53) + Fraction(1, 2**900), 1 + 2.0**-52),
        (1 + Fraction(1, 2**53) - Fraction(1, 2**900), 1.0),
        (Fraction(1, 3), 1 / 3),
        (Fraction(1, 2**1075), 0.0),
        (Fraction(1, 2**1075) + Fraction(1, 3**2000), 5e-324),
    ],
)
@pytest.mark.parametrize("low", [Fraction(-1), Fraction(1, 2**1080), Fraction(-3, 7)])
def test_the_nearest_float_is_exact(x: Fraction, nearest: float, low: Fraction) -> None:
    assert float(AlgebraicNumber((-x.numerator, x.denominator), low, Fraction(2))) == nearest


def test_bernstein_coefficients() -> None:
    assert from_bernstein([1, -1, 1]) == (1, -4, 4)
    assert from_bernstein([0, 1, 2, 3]) == (0, 3)
    assert from_bernstein([0, 0]) == ()
