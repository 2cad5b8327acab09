"""The length of a piece, by adaptive Gauss-Legendre quadrature."""

from __future__ import annotations

import math

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.trajectories.piece import Piece

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_MAX_HALVINGS = 50  # at a cusp the intervals shrink until they no longer matter


def length_of(piece: Piece, rtol: float) -> float:
    """Exact up to rounding if it is a line; else intervals are halved until halving agrees."""
    if piece.is_line:
        return math.dist(*piece.points.tolist())
    # Turned into few dimensions, which leaves lengths as they are.
    hodograph = np.linalg.qr(piece.hodograph().T)[1].T
    left, right = np.array([piece.start]), np.array([piece.end])
    coarse = _integrals(piece, hodograph, left, right)
    settled: list[float] = []
    for _ in range(_MAX_HALVINGS):
        middle = (left + right) / 2
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        halves = _integrals(piece, hodograph, left, right)
        fine = halves.reshape(2, -1).sum(axis=0)
        total = math.fsum([*settled, *fine])
        rough = np.abs(fine - coarse) > rtol / 10 * total
        settled.extend(fine[~rough])
        again = np.tile(rough, 2)
        left, right, coarse = left[again], right[again], halves[again]
        if not len(coarse):
            break
    return math.fsum([*settled, *coarse])


def _integrals(
    piece: Piece, hodograph: FloatArray, left: FloatArray, right: FloatArray
) -> FloatArray:
    """Of |dx/du| over intervals [k]: [k]."""
    half = (right - left) / 2
    u = ((left + right) / 2)[:, None] + half[:, None] * _NODES
    velocity = piece.hodograph_weights(u.reshape(-1)) @ hodograph
    speed = np.linalg.norm(velocity, axis=1).reshape(u.shape)
    integrals: FloatArray = half * (speed @ _WEIGHTS)
    return integrals
