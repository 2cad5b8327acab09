"""Integrals of smooth functions over many intervals, by adaptive Gauss-Legendre quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.tracing.masked import Numbers

_COUNT = 8
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(_COUNT)
_MAX_HALVINGS = 50  # where the function has a kink, intervals shrink until they do not matter

Function = Callable[[Numbers, FloatArray], FloatArray]


def integrate(
    function: Function, left: FloatArray, right: FloatArray, rtol: float
) -> tuple[float, float]:
    """The sum of the integrals from left[i] to right[i], and an estimate of its error.

    Intervals are halved until halving changes each by at most rtol of itself, or of the mean of
    all; the error is the sum of these last changes, and so usually far too large.

    Parameters
    ----------
    function
        Given the numbers of intervals [k] and places in each [k, 8]: its values there.
    left, right : float64 [K]
    rtol
        The relative error.
    """
    owner = np.arange(len(left))
    count = len(left)
    coarse = _rule(function, owner, left, right)
    settled: list[float] = []
    changes: list[float] = []
    for _ in range(_MAX_HALVINGS):
        if not len(coarse):
            break
        middle = (left + right) / 2
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        owner = np.tile(owner, 2)
        halves = _rule(function, owner, left, right)
        fine = halves.reshape(2, -1).sum(axis=0)
        change = np.abs(fine - coarse)
        mean = math.fsum([*settled, *fine]) / count
        rough = change > rtol * np.maximum(fine, mean)
        settled.extend(fine[~rough])
        changes.extend(change[~rough])
        again = np.tile(rough, 2)
        owner, left, right, coarse = owner[again], left[again], right[again], halves[again]
    return math.fsum([*settled, *coarse]), math.fsum([*changes, *coarse])


def _rule(function: Function, owner: Numbers, left: FloatArray, right: FloatArray) -> FloatArray:
    half = (right - left) / 2
    places = ((left + right) / 2)[:, None] + half[:, None] * _NODES
    integrals: FloatArray = half * (function(owner, places) @ _WEIGHTS)
    return integrals
