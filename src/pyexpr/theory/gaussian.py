"""Moments of Gaussian variables on intervals."""

from __future__ import annotations

import math

import numpy as np

from pyexpr._arrays import FloatArray

_FAR = 40.0  # in standard deviations: float64 has no density and no tail here
_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def standardised(places: FloatArray, deviation: FloatArray) -> FloatArray:
    """places [K] over deviations [...]: [..., K], within [-40, 40]; 0 / 0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = places / deviation[..., None]
    return np.where(places == 0, 0.0, np.clip(quotient, -_FAR, _FAR))


def density(cuts: FloatArray) -> FloatArray:
    """Of the standard normal law."""
    return np.asarray(np.exp(-(cuts**2) / 2) / math.sqrt(2 * math.pi))


def interval_moments(cuts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """E[Z^i; Z in piece j] for i = 0, 1, 2 and Z ~ N(0, 1): float64 [..., K + 1] each.

    Parameters
    ----------
    cuts : float64 [..., K]
        Where pieces meet, increasing, as `standardised` makes them.
    """
    tails, densities = _padded(_erfc(np.abs(cuts) / math.sqrt(2)) / 2), _padded(density(cuts))
    edges = _padded(cuts)
    edges[..., 0], edges[..., -1] = -_FAR, _FAR
    left, right = edges[..., :-1], edges[..., 1:]
    one_sided = (left >= 0) | (right <= 0)
    share = np.where(
        one_sided,
        np.abs(tails[..., :-1] - tails[..., 1:]),
        1 - tails[..., :-1] - tails[..., 1:],
    )
    first = densities[..., :-1] - densities[..., 1:]
    second = share + left * densities[..., :-1] - right * densities[..., 1:]
    return share, first, second


def mean_absolute(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """E|N(mean, deviation^2)|, by shape."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(mean == 0, 0.0, np.clip(mean / deviation, -_FAR, _FAR))
    spread: FloatArray = deviation * math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2)
    drift: FloatArray = mean * _erf(ratio / math.sqrt(2))
    return spread + drift


def _padded(values: FloatArray) -> FloatArray:
    """With 0 before and behind, along the last axis."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(1, 1)])
