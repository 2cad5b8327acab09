"""Hyperplanes in general position, and a point of each region that they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from math import comb

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.constructions.block import RationalArray, rationals


@dataclass(frozen=True)
class Moments:
    """The hyperplanes p_x(a) = 0, one for each of `count` neighbouring integers a.

    p_x(a) = a^n - sum_j x_j a^(j - 1), j = 1..n, is the monic polynomial that a point x stands for.
    Any n hyperplanes meet in the one point whose polynomial has their n roots, and no n + 1 do.
    Regions are sign patterns at the integers, hence of all monic polynomials of degree n: at most n
    changes of sign between the integers or beyond the last, sum_{j <= n} C(count, j) patterns.
    Derived here.

    Coordinates are scaled so that polynomials with roots among the integers or half-way to their
    neighbours are points of the cube [0, 1]^n.
    """

    dimension: int
    count: int

    @property
    def nodes(self) -> list[int]:
        """The integers, around 0."""
        return [i - self.count // 2 for i in range(self.count)]

    def hyperplanes(self) -> tuple[RationalArray, RationalArray]:
        """gains [count, n] and offsets [count]: p_x(a) = gains @ y + offsets, y in the cube."""
        sizes = self._sizes()
        powers = rationals([[a**j for j in range(self.dimension + 1)] for a in self.nodes])
        scaled = powers[:, :-1] * sizes
        return -2 * scaled, powers[:, -1] + scaled.sum(axis=1)

    def least(self) -> Fraction:
        """|p(a)| at a witness is at least this, unless p(a) = 0."""
        return Fraction(1, 2**self.dimension)

    def witnesses(self, pairs: bool) -> FloatArray:
        """A point of the cube for every region, rounded to float64: [regions, n].

        With `pairs`, every hyperplane is a narrow strip, of any width up to `least()` to both
        sides: regions are those of the sign patterns with zeros.
        """
        roots = np.array([*self._roots(pairs)], dtype=np.float64)
        coefficients = np.ones((len(roots), 1))  # of the products of all a - root, from a^0 up
        for root in roots.T[:, :, None]:
            shifted = np.pad(coefficients, ((0, 0), (1, 0)))
            coefficients = shifted - root * np.pad(coefficients, ((0, 0), (0, 1)))
        return (1 - coefficients[:, :-1] / self._sizes().astype(np.float64)) / 2

    def _sizes(self) -> RationalArray:
        """Powers of two that are more than any |x_j| among the witnesses."""
        n, largest = self.dimension, self.count // 2 + 1
        return rationals([1 << (comb(n, j) * largest ** (n - j)).bit_length() for j in range(n)])

    def _roots(self, pairs: bool) -> Iterator[tuple[float, ...]]:
        """Of the polynomials, n each; those that change no sign are left of all the integers."""
        n, nodes = self.dimension, self.nodes
        left = nodes[0] - 0.5
        for zeros in range(min(n, self.count) + 1 if pairs else 1):
            for inside in combinations(nodes, zeros):
                rest = [a for a in nodes if a not in inside]
                ends = [*rest, *(a + 1 for a in rest[-1:])]
                gaps = [(a + b) / 2 for a, b in pairwise(ends)]
                for changes in range(n - zeros + 1):
                    for roots in combinations(gaps, changes):
                        yield *inside, *roots, *[left] * (n - zeros - changes)
