"""What trajectories are made of: rational Bezier curves given by floats, without rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr._frozen import Remade, frozen

_GRID = 2.0**53  # u cut at a multiple of 1 / _GRID has an exact 1 - u


@dataclass(frozen=True, eq=False, repr=False)
class Piece(Remade):
    """One rational Bezier curve x(u), for u in [start, end].

    With B_i the Bernstein polynomials of degree d, w(u) x(u) = sum_i B_i(u) (mixing @ points)_i and
    w(u) = sum_i B_i(u) weights_i. This defines x(u) in real arithmetic: sums of points are said by
    `mixing` and never rounded. Arrays are read-only.

    Attributes
    ----------
    points : float64 [m, n]
        Points and directions as they were given, flat.
    mixing : float64 [d + 1, m]
        What of each point goes into each coefficient.
    weights : float64 [d + 1]
        All positive.
    start, end : float
        0 <= start < end <= 1, multiples of 2^-53.

    Raises
    ------
    ValueError
        `start` and `end` are no such numbers.
    """

    points: FloatArray
    mixing: FloatArray
    weights: FloatArray
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        on_grid = all((cut * _GRID).is_integer() for cut in (self.start, self.end))
        if not (on_grid and 0 <= self.start < self.end <= 1):
            raise ValueError(
                f"start and end are {self.start} and {self.end}; they must be multiples of 2^-53 "
                "with 0 <= start < end <= 1"
            )
        for name in ("points", "mixing", "weights"):
            array = getattr(self, name)
            if array.flags.writeable or not array.flags.c_contiguous:
                object.__setattr__(self, name, frozen(array))

    @property
    def degree(self) -> int:
        """The degree d of its polynomials."""
        return len(self.weights) - 1

    @property
    def is_line(self) -> bool:
        """Whether x(u) = points[0] + u (points[1] - points[0]), u in [0, 1], by its form."""
        return (
            (self.start, self.end) == (0, 1)
            and self.mixing.shape == (2, 2)
            and self.mixing.tolist() == [[1, 0], [0, 1]]
            and self.weights.tolist() == [1, 1]
        )

    def position(self, u: FloatArray) -> FloatArray:
        """x(u) in float64 for u [k]: [k, n]."""
        basis = bernstein_basis(self.degree, u)
        position: FloatArray = (basis @ self.mixing / (basis @ self.weights)[:, None]) @ self.points
        return position

    def velocity(self, u: FloatArray) -> FloatArray:
        """dx/du in float64 for u [k]: [k, n]."""
        velocity: FloatArray = self.hodograph_weights(u) @ self.hodograph()
        return velocity

    def hodograph(self) -> FloatArray:
        """Vectors F [2d - 1, n] with dx/du = hodograph_weights(u) @ F.

        w^2 dx/du is a sum over i < j of w_i X_j - w_j X_i, X = mixing @ points, with factors that
        are nowhere negative: what points far from the origin have in common cancels here at once.
        """
        directions = np.zeros((2 * self.degree - 1, len(self.points)))
        binomials = _binomials(self.degree)
        for i, j in combinations(range(self.degree + 1), 2):
            difference = self.weights[i] * self.mixing[j] - self.weights[j] * self.mixing[i]
            directions[i + j - 1] += (j - i) * binomials[i] * binomials[j] * difference
        hodograph: FloatArray = directions @ self.points
        return hodograph

    def hodograph_weights(self, u: FloatArray) -> FloatArray:
        """Non-negative, float64 [k, 2d - 1] for u [k]; see `hodograph`."""
        w = bernstein_basis(self.degree, u) @ self.weights
        weights: FloatArray = _monomials(2 * self.degree - 2, u) / (w * w)[:, None]
        return weights

    def reversed(self) -> Piece:
        """The same curve run the other way: x(1 - u)."""
        if self.is_line:
            return Piece(self.points[::-1], self.mixing, self.weights)
        return Piece(
            self.points, self.mixing[::-1], self.weights[::-1], 1 - self.end, 1 - self.start
        )

    def exact_coefficients(self) -> tuple[list[list[Fraction]], list[Fraction]]:
        """mixing @ points and weights, as Fractions in lists: [d + 1][n] and [d + 1]."""
        columns = [[Fraction(x) for x in column] for column in self.points.T.tolist()]
        rows = [[Fraction(c) for c in row] for row in self.mixing.tolist()]
        coefficients = [[_dot(row, column) for column in columns] for row in rows]
        return coefficients, [Fraction(w) for w in self.weights.tolist()]

    def exact_position(self, u: float | Fraction) -> list[Fraction]:
        """x(u) exactly, as a list of n Fractions."""
        u = Fraction(u)
        basis = [
            math.comb(self.degree, i) * u**i * (1 - u) ** (self.degree - i)
            for i in range(self.degree + 1)
        ]
        w = _dot(basis, map(Fraction, self.weights.tolist()))
        shares = [_dot(basis, map(Fraction, c)) / w for c in self.mixing.T.tolist()]
        used = [(share, self.points[i].tolist()) for i, share in enumerate(shares) if share]
        position = [Fraction(0)] * self.points.shape[1]
        for share, point in used:
            position = [x + share * Fraction(y) for x, y in zip(position, point, strict=True)]
        return position

    def __repr__(self) -> str:
        m, n = self.points.shape
        return (
            f"<Piece of degree {self.degree} in {n} dimensions, by {m} points, "
            f"u from {self.start:.6g} to {self.end:.6g}>"
        )


def _dot(left: Iterable[Fraction], right: Iterable[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _binomials(degree: int) -> list[int]:
    return [math.comb(degree, i) for i in range(degree + 1)]


def bernstein_basis(degree: int, u: FloatArray) -> FloatArray:
    """[len(u), degree + 1]."""
    basis: FloatArray = _monomials(degree, u) * np.array(_binomials(degree), dtype=np.float64)
    return basis


def _monomials(degree: int, u: FloatArray) -> FloatArray:
    """u^i (1 - u)^(degree - i), [len(u), degree + 1]."""
    rising = np.vander(u, degree + 1, increasing=True)  # products; numpy's powers take much longer
    monomials: FloatArray = rising * np.vander(1 - np.asarray(u), degree + 1)
    return monomials
