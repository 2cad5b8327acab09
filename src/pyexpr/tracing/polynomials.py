"""Polynomials with integer coefficients, from the constant up; the last is not 0; () is 0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import comb, gcd
from typing import TypeAlias

Polynomial: TypeAlias = tuple[int, ...]
Interval: TypeAlias = tuple[Fraction, Fraction]


def from_bernstein(coefficients: Sequence[int]) -> Polynomial:
    """Of the sum of coefficients[i] times C(d, i) u^i (1 - u)^(d - i)."""
    d = len(coefficients) - 1
    power = [0] * (d + 1)
    for i, c in enumerate(coefficients):
        for j in range(d - i + 1):
            power[i + j] += c * comb(d, i) * comb(d - i, j) * (-1) ** j
    return _trimmed(power)


def sign(p: Polynomial, x: Fraction) -> int:
    """Of p(x)."""
    result, power = 0, 1
    for c in reversed(p):
        result = result * x.numerator + c * power
        power *= x.denominator
    return (result > 0) - (result < 0)


def square_free(p: Polynomial) -> Polynomial:
    """A primitive polynomial with the same roots, all of them simple; p is not 0."""
    primitive = _primitive(p)
    return _quotient(primitive, common_divisor(primitive, derivative(primitive)))


def common_divisor(p: Polynomial, q: Polynomial) -> Polynomial:
    """The greatest one, primitive, by Euclid's algorithm."""
    while q:
        p, q = q, _remainder(p, q)
    return _primitive(p)


def isolate(p: Polynomial, low: Fraction, high: Fraction) -> list[Interval]:
    """For every root in the open interval, in order: an interval with it alone, ends included.

    By Sturm's theorem; p is square-free. An interval of one point is the root, the ends of others
    are no roots.
    """
    return _isolated(p, _sturm_chain(p), low, high)


def has_root(p: Polynomial, low: Fraction, high: Fraction) -> bool:
    """Whether a square-free p vanishes in the closed interval."""
    chain = _sturm_chain(p)
    return sign(p, low) == 0 or _variations(chain, low) > _variations(chain, high)


def changes_sign(p: Polynomial, low: Fraction, high: Fraction) -> bool:
    """Whether p, not 0, changes its sign at its only root in an interval as `isolate` gives it."""
    if low < high:
        return sign(p, low) != sign(p, high)
    multiplicity = 0
    while sign(p, low) == 0:
        p = derivative(p)
        multiplicity += 1
    return multiplicity % 2 == 1


def derivative(p: Polynomial) -> Polynomial:
    return tuple(i * c for i, c in enumerate(p))[1:]


def _isolated(
    p: Polynomial, chain: list[Polynomial], low: Fraction, high: Fraction
) -> list[Interval]:
    # Sturm's theorem counts the roots in (low, high].
    count = _variations(chain, low) - _variations(chain, high) - (sign(p, high) == 0)
    if count == 0:
        return []
    if count == 1 and sign(p, low) and sign(p, high):
        return [(low, high)]
    middle = (low + high) / 2
    there = [(middle, middle)] if sign(p, middle) == 0 else []
    return [*_isolated(p, chain, low, middle), *there, *_isolated(p, chain, middle, high)]


def _sturm_chain(p: Polynomial) -> list[Polynomial]:
    chain = [p, derivative(p)]
    while chain[-1]:
        chain.append(tuple(-c for c in _remainder(chain[-2], chain[-1])))
    return chain[:-1]


def _variations(chain: list[Polynomial], x: Fraction) -> int:
    signs = [s for s in (sign(p, x) for p in chain) if s]
    return sum(a != b for a, b in pairwise(signs))


def _remainder(p: Polynomial, q: Polynomial) -> Polynomial:
    """Of p by q, times a positive number."""
    lead = abs(q[-1])
    while len(p) >= len(q):
        factor = p[-1] if q[-1] > 0 else -p[-1]
        shift = len(p) - len(q)
        low = [lead * c for c in p[:shift]]
        p = _trimmed(low + [lead * a - factor * b for a, b in zip(p[shift:], q, strict=True)])
    return _primitive(p)


def _quotient(p: Polynomial, q: Polynomial) -> Polynomial:
    """p / q, where q is primitive and divides p."""
    rest, quotient = [*p], [0] * (len(p) - len(q) + 1)
    for shift in reversed(range(len(quotient))):
        quotient[shift] = rest[shift + len(q) - 1] // q[-1]
        for i, c in enumerate(q):
            rest[shift + i] -= quotient[shift] * c
    return tuple(quotient)


def _primitive(p: Polynomial) -> Polynomial:
    content = gcd(*p)
    return tuple(c // content for c in p)


def _trimmed(coefficients: Iterable[int]) -> Polynomial:
    p = [*coefficients]
    while p and p[-1] == 0:
        p.pop()
    return tuple(p)
