"""Integrals over many intervals of functions with several values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.tracing.masked import Numbers

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_MAX_HALVINGS = 50
_ACCURACY = 1e-12

Function = Callable[[Numbers, FloatArray], FloatArray]


def integrate(function: Function, left: FloatArray, right: FloatArray) -> FloatArray:
    """The sums of the integrals from left[i] to right[i]: float64 [m].

    By the Gauss rule of 16 nodes: intervals are halved until halving changes each by at most 1e-12,
    or by that share of the whole. What is integrated here has angles or transitions for its unit.

    Parameters
    ----------
    function
        Given the numbers of intervals [k] and places in each [k, 16]: its values [k, 16, m].
    left, right : float64 [K]
        K at least 1.
    """
    owner = np.arange(len(left))
    coarse = _rule(function, owner, left, right)
    total = np.zeros(coarse.shape[1])
    for _ in range(_MAX_HALVINGS):
        middle = (left + right) / 2
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        owner = np.tile(owner, 2)
        halves = _rule(function, owner, left, right)
        fine = halves.reshape(2, *coarse.shape).sum(axis=0)
        scale = np.maximum(1, total + fine.sum(axis=0))
        rough = (np.abs(fine - coarse) > _ACCURACY * scale).any(axis=1)
        total += fine[~rough].sum(axis=0)
        again = np.tile(rough, 2)
        owner, left, right, coarse = owner[again], left[again], right[again], halves[again]
        if not len(coarse):
            break
    integrals: FloatArray = total + coarse.sum(axis=0)
    return integrals


def _rule(function: Function, owner: Numbers, left: FloatArray, right: FloatArray) -> FloatArray:
    """[k, m]."""
    half = (right - left) / 2
    places = ((left + right) / 2)[:, None] + half[:, None] * _NODES
    integrals: FloatArray = np.einsum("k,kqm,q->km", half, function(owner, places), _WEIGHTS)
    return integrals
