"""Real algebraic numbers: the roots of polynomials with integer coefficients, exactly.

Only definitions are used: a polynomial's roots are counted by Sturm's theorem and separated by
bisection, two roots are equal if their polynomials' common divisor has a root where both are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise, zip_longest
from math import gcd
from typing import TypeAlias

Polynomial: TypeAlias = tuple[int, ...]  # from the constant up; the last is not 0; () is 0


def polynomial(coefficients: Iterable[int]) -> Polynomial:
    trimmed = list(coefficients)
    while trimmed and trimmed[-1] == 0:
        trimmed.pop()
    return tuple(trimmed)


def combination(factors: Sequence[int], terms: Sequence[Polynomial]) -> Polynomial:
    """The sum of factors[i] terms[i]."""
    chosen = [(a, p) for a, p in zip(factors, terms, strict=True) if a]
    columns = zip_longest(*(p for _, p in chosen), fillvalue=0)
    return polynomial(
        sum(a * c for (a, _), c in zip(chosen, column, strict=True)) for column in columns
    )


def product(p: Polynomial, q: Polynomial) -> Polynomial:
    coefficients = [0] * max(len(p) + len(q) - 1, 0)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            coefficients[i + j] += a * b
    return polynomial(coefficients)


def value(p: Polynomial, x: Fraction) -> Fraction:
    return Fraction(_scaled_value(p, x), x.denominator ** max(len(p) - 1, 0))


def sign(p: Polynomial, x: Fraction) -> int:
    scaled = _scaled_value(p, x)
    return (scaled > 0) - (scaled < 0)


def _scaled_value(p: Polynomial, x: Fraction) -> int:
    """p(x) times the denominator's power that makes it an integer."""
    result, power = 0, 1
    for c in reversed(p):
        result = result * x.numerator + c * power
        power *= x.denominator
    return result


def derivative(p: Polynomial) -> Polynomial:
    return tuple(i * c for i, c in enumerate(p) if i > 0)


def _primitive(p: Polynomial) -> Polynomial:
    """Without the coefficients' common divisor; the sign stays."""
    content = gcd(*p)
    return tuple(c // content for c in p)


def _remainder(p: Polynomial, q: Polynomial) -> Polynomial:
    """A positive multiple of the remainder of p by q."""
    factor = abs(q[-1])
    while len(p) >= len(q):
        top = p[-1] if q[-1] > 0 else -p[-1]
        shifted = (0,) * (len(p) - len(q)) + q
        p = polynomial(factor * a - top * b for a, b in zip(p, shifted, strict=True))
    return _primitive(p)


def _common_divisor(p: Polynomial, q: Polynomial) -> Polynomial:
    while q:
        p, q = q, _remainder(p, q)
    return _primitive(p)


def _quotient(p: Polynomial, q: Polynomial) -> Polynomial:
    """p / q where q is primitive and divides p: then the quotient's coefficients are integers."""
    coefficients = []
    while len(p) >= len(q):
        coefficients.append(p[-1] // q[-1])
        shifted = (0,) * (len(p) - len(q)) + q
        rest = [a - coefficients[-1] * b for a, b in zip(p, shifted, strict=True)]
        assert rest.pop() == 0
        p = tuple(rest)
    assert not any(p)
    return polynomial(reversed(coefficients))


def odd_part(p: Polynomial) -> Polynomial:
    """The factors of odd multiplicity, once each: its roots are where p, not 0, changes sign."""
    result: Polynomial = (1,)
    while len(p) > 1:
        # Each common divisor lowers every multiplicity by one.
        once = _common_divisor(p, derivative(p))
        twice = _common_divisor(once, derivative(once))
        single = _quotient(_quotient(_primitive(p), once), _quotient(once, twice))
        result, p = product(result, single), twice
    return _primitive(result)


# Sturm's theorem, for polynomials without multiple roots.


def _sturm(p: Polynomial) -> list[Polynomial]:
    chain = [p, derivative(p)]
    while chain[-1]:
        chain.append(tuple(-c for c in _remainder(*chain[-2:])))
    return chain[:-1]


def _variations(chain: list[Polynomial], x: Fraction) -> int:
    signs = [s for s in (sign(p, x) for p in chain) if s]
    return sum(a != b for a, b in pairwise(signs))


def _has_root(p: Polynomial, lo: Fraction, hi: Fraction) -> bool:
    """Whether p has a root in [lo, hi]."""
    chain = _sturm(p)
    return sign(p, lo) == 0 or _variations(chain, lo) > _variations(chain, hi)


class Root:
    """The only root of `polynomial` in (lo, hi), whose ends are none; or lo = hi is the root.

    The interval shrinks as comparisons ask for it.
    """

    def __init__(self, polynomial: Polynomial, lo: Fraction, hi: Fraction) -> None:
        self._polynomial = polynomial  # without multiple roots
        self.lo = lo
        self.hi = hi

    @staticmethod
    def rational(x: Fraction) -> Root:
        return Root((-x.numerator, x.denominator), x, x)

    def refine(self) -> None:
        """Halve the interval."""
        middle = (self.lo + self.hi) / 2
        at_middle = sign(self._polynomial, middle)
        if at_middle == sign(self._polynomial, self.lo):
            self.lo = middle
        elif at_middle:
            self.hi = middle
        else:
            self.lo = self.hi = middle

    def interval(self, share: Fraction) -> tuple[Fraction, Fraction]:
        """A root >= 0 lies between these two, at most that share of it apart, or equals both."""
        while self.hi - self.lo > share * self.lo:
            self.refine()
        return self.lo, self.hi

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Root):
            return NotImplemented
        lo, hi = max(self.lo, other.lo), min(self.hi, other.hi)
        if lo > hi:
            return False
        common = _common_divisor(self._polynomial, other._polynomial)
        return len(common) > 1 and _has_root(common, lo, hi)

    def __lt__(self, other: Root) -> bool:
        if self == other:
            return False
        while self.lo < other.hi and other.lo < self.hi:
            self.refine()
            other.refine()
        return self.hi <= other.lo

    def __repr__(self) -> str:
        return f"Root({self._polynomial}, {self.lo!r}, {self.hi!r})"


def sign_changes(p: Polynomial, start: Root, end: Root) -> list[Root]:
    """Where in the open (start, end) p changes its sign, increasing."""
    odd = odd_part(p)
    found = _separated(odd, _sturm(odd), start.lo, end.hi)
    return [root for root in found if start < root and root < end]


def _separated(p: Polynomial, chain: list[Polynomial], lo: Fraction, hi: Fraction) -> list[Root]:
    """The roots in the open (lo, hi)."""
    # Sturm counts those in (lo, hi].
    count = _variations(chain, lo) - _variations(chain, hi) - (sign(p, hi) == 0)
    if count == 0:
        return []
    if count == 1 and sign(p, lo) and sign(p, hi):
        return [Root(p, lo, hi)]
    middle = (lo + hi) / 2
    exact = [Root.rational(middle)] if sign(p, middle) == 0 else []
    return _separated(p, chain, lo, middle) + exact + _separated(p, chain, middle, hi)


def distinct(roots: Iterable[Root]) -> list[Root]:
    """Increasing, each once."""
    result: list[Root] = []
    for root in sorted(roots):
        if not result or result[-1] != root:
            result.append(root)
    return result


def gap(start: Root, end: Root) -> tuple[Fraction, Fraction]:
    """Rational numbers lo < hi with start <= lo and hi <= end, where start < end."""
    while start.hi >= end.lo:
        start.refine()
        end.refine()
    return start.hi, end.lo
