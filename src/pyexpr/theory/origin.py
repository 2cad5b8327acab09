"""Curves through the origin, where a layer without biases gives 0."""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import Polynomial

from pyexpr._arrays import FloatArray
from pyexpr.trajectories import Piece, Trajectory

_ROUNDING = 1e-12


def require_off_origin(curve: Trajectory) -> None:
    """Refuse a curve that passes the origin, within rounding, at other points than open ends.

    Raises
    ------
    ValueError
    """
    joints = [starts_at_origin(piece) for piece in curve.pieces]
    if any(joints if curve.closed else joints[1:]) or any(map(_passes_origin, curve.pieces)):
        raise ValueError(
            "trajectory passes through the origin, where without biases all neurons are at 0 and "
            "switch at once; bias_variance must be positive, or the trajectory must pass beside it"
        )


def starts_at_origin(piece: Piece) -> bool:
    """As float64 sees it."""
    return not piece.position(np.array([piece.start])).any()


def ends_at_origin(piece: Piece) -> bool:
    """As float64 sees it."""
    return not piece.position(np.array([piece.end])).any()


def _passes_origin(piece: Piece) -> bool:
    """Between its ends: where |x|^2 is least, as a polynomial but for the weights."""
    _, turned = np.linalg.qr((piece.mixing @ piece.points).T)
    size = float(np.abs(turned).max())
    if size == 0:
        return False
    basis = [_bernstein(piece.degree, i) for i in range(piece.degree + 1)]
    coordinates = [_combined(basis, row) for row in turned / size]
    square = sum((p**2 for p in coordinates), Polynomial([0.0]))
    least = square.deriv().roots().real if square.degree() else np.zeros(0)
    margin = (piece.end - piece.start) * _ROUNDING
    inside = least[(least > piece.start + margin) & (least < piece.end - margin)]
    return any(math.hypot(*(p(u) for p in coordinates)) <= _ROUNDING for u in inside)


def _bernstein(degree: int, i: int) -> Polynomial:
    rising, falling = Polynomial([0.0, 1.0]), Polynomial([1.0, -1.0])
    product: Polynomial = math.comb(degree, i) * rising**i * falling ** (degree - i)
    return product


def _combined(basis: list[Polynomial], weights: FloatArray) -> Polynomial:
    return sum((b * float(w) for b, w in zip(basis, weights, strict=True)), Polynomial([0.0]))
