"""Real algebraic numbers: roots of polynomials with integer coefficients, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import nextafter

from pyexpr.tracing.polynomials import (
    Polynomial,
    changes_sign,
    common_divisor,
    has_root,
    isolate,
    sign,
    square_free,
)


@dataclass(frozen=True, eq=False, repr=False)
class AlgebraicNumber:
    """The only real root of a polynomial within an interval; immutable.

    Numbers can be compared with each other, with integers and with Fractions: exactly.

    Attributes
    ----------
    polynomial : tuple of int
        The coefficients of 1, u, u^2, ..., without a common divisor; its roots are simple.
    low, high : Fraction
        The ends of the interval, which belong to it. Equal if they are the number.
    """

    polynomial: Polynomial
    low: Fraction
    high: Fraction

    @classmethod
    def rational(cls, x: Fraction | int) -> AlgebraicNumber:
        """An integer or a Fraction."""
        return cls((-x.numerator, x.denominator), Fraction(x), Fraction(x))

    def refine(self, width: Fraction | int) -> AlgebraicNumber:
        """The same number, in an interval at most this wide.

        Raises
        ------
        ValueError
            `width` is not positive.
        """
        if width <= 0:
            raise ValueError(f"width is {width}; it must be positive")
        number = self
        while number.high - number.low > width:
            number = number._split((number.low + number.high) / 2)
        return number

    def __float__(self) -> float:
        """The nearest float, ties to even."""
        number = self
        while nextafter(low := float(number.low), high := float(number.high)) != high:
            number = number._split((number.low + number.high) / 2)
        # Between neighbours their middle decides, which bisection might never meet.
        middle = (Fraction(low) + Fraction(high)) / 2
        number = number._split(middle)
        if number.low == number.high:
            return float(number.low)
        return low if number.high == middle else high

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int | Fraction):
            other = AlgebraicNumber.rational(other)
        if not isinstance(other, AlgebraicNumber):
            return NotImplemented
        low, high = max(self.low, other.low), min(self.high, other.high)
        if low > high:
            return False
        common = common_divisor(self.polynomial, other.polynomial)
        return len(common) > 1 and has_root(common, low, high)

    def __lt__(self, other: AlgebraicNumber | Fraction | int) -> bool:
        return self != other and self._below(other)

    def __gt__(self, other: AlgebraicNumber | Fraction | int) -> bool:
        return self != other and not self._below(other)

    def __le__(self, other: AlgebraicNumber | Fraction | int) -> bool:
        return not self > other

    def __ge__(self, other: AlgebraicNumber | Fraction | int) -> bool:
        return not self < other

    def __hash__(self) -> int:
        return hash(self.low if self.low == self.high else float(self))

    def __repr__(self) -> str:
        return f"<AlgebraicNumber {float(self)!r}, of degree {len(self.polynomial) - 1}>"

    def _below(self, other: AlgebraicNumber | Fraction | int) -> bool:
        """Whether this one is less than another, different one."""
        a = self
        b = other if isinstance(other, AlgebraicNumber) else AlgebraicNumber.rational(other)
        while a.low <= b.high and b.low <= a.high:
            a, b = (x._split((x.low + x.high) / 2) for x in (a, b))
        return a.high < b.low

    def _split(self, middle: Fraction) -> AlgebraicNumber:
        """On the side of a point of the interval where the number is."""
        there = sign(self.polynomial, middle)
        if there == 0:
            return AlgebraicNumber(self.polynomial, middle, middle)
        if there == sign(self.polynomial, self.low):
            return AlgebraicNumber(self.polynomial, middle, self.high)
        return AlgebraicNumber(self.polynomial, self.low, middle)


def sign_changes(p: Polynomial, low: Fraction, high: Fraction) -> list[AlgebraicNumber]:
    """Where a polynomial that is not 0 changes its sign in the open interval, in order."""
    simple = square_free(p)
    roots = [AlgebraicNumber(simple, *ends) for ends in isolate(simple, low, high)]
    return [root for root in roots if changes_sign(p, root.low, root.high)]
