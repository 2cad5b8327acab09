"""How long images behind ReLU layers are, exactly in expectation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pyexpr._arrays import FloatArray, integer, not_negative
from pyexpr.network import check_sizes

_TABLE = 128  # from here on the series is exact to rounding
_SERIES = [1, -1 / 4, 1 / 32, 5 / 128, -21 / 2048, -399 / 8192, 869 / 65536]
_VAST = 10**8  # its inverse squared is below rounding


def relu_growth(width: int, weight_variance: float = 2.0, fan_in: int | None = None) -> float:
    """The expected length of a curve's image behind a ReLU layer, over the length before it.

    sqrt(weight_variance / fan_in) E sqrt(chi^2_N), where N ~ Binomial(width, 1/2) neurons are on.
    Exact for every curve, every width and every bias variance. Derived here: the image has the
    speed sqrt(sum over neurons that are on of (w . z')^2). To change the sign of a neuron's (w, b)
    leaves its law and (w . z')^2 as they are and turns it on or off; so who is on is fair and
    independent of all (w . z')^2, which are weight_variance |z'|^2 / fan_in times chi^2_1.

    For wide layers about sqrt(weight_variance width / (2 fan_in)) (1 - 5 / (8 width)): lengths grow
    by the factor sqrt(weight_variance / 2) a layer.

    Parameters
    ----------
    width
        Of the layer.
    weight_variance
        Not negative.
    fan_in
        The width of the layer before; `width` if None.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        A width that is no positive integer, or a variance that is negative or not finite.
    """
    count = integer("width", width, 1)
    before = count if fan_in is None else integer("fan_in", fan_in, 1)
    variance = not_negative("weight_variance", weight_variance)
    return math.sqrt(variance) * _mean_norm(count) / math.sqrt(before)


def relu_lengths(sizes: Sequence[int], weight_variance: float = 2.0) -> FloatArray:
    """The expected length of a curve's image behind every hidden layer, over the curve's.

    Exact as `relu_growth` is, and the product of the layers': given the layers before, a layer
    multiplies the length by `relu_growth` in expectation, whatever the curve.

    Parameters
    ----------
    sizes
        [inputs, hidden..., outputs], each at least 1.
    weight_variance
        Not negative.

    Returns
    -------
    float64 [L]

    Raises
    ------
    TypeError, ValueError
        Sizes that are no such integers, or a variance that is negative or not finite.
    """
    variance = not_negative("weight_variance", weight_variance)
    hidden = check_sizes(sizes)[:-1]
    factors = [relu_growth(after, variance, before) for before, after in pairwise(hidden)]
    return np.multiply.accumulate(np.array(factors, dtype=np.float64))


def _mean_norm(width: int) -> float:
    """E sqrt(chi^2_N), N ~ Binomial(width, 1/2).

    Summed over |N - width / 2| <= 6 sqrt(width): by Hoeffding's inequality the rest has a
    probability of at most 2 exp(-72).
    """
    if width > _VAST:
        return math.sqrt(width / 2) * (1 - 5 / (8 * width))
    middle, reach = width // 2, math.ceil(6 * math.sqrt(width))
    low, high = max(0, middle - reach), min(width, middle + reach)
    n = np.arange(low, high + 1, dtype=np.float64)
    ratios = (width - n[:-1]) / n[1:]  # of each probability to the one before
    up = np.cumprod(ratios[middle - low :])
    down = np.cumprod(1 / ratios[: middle - low][::-1])[::-1]
    chances = np.concatenate([down, [1.0], up])
    return float(chances @ _mean_chi(n) / chances.sum())


def _mean_chi(n: FloatArray) -> FloatArray:
    """E sqrt(chi^2_n) = sqrt(2) Gamma((n + 1) / 2) / Gamma(n / 2), 0 for n = 0.

    By its recurrence, m(n) m(n + 1) = n, and for large n by Gamma's series (DLMF 5.11.13).
    """
    table = [0.0, math.sqrt(2 / math.pi)]
    while len(table) < _TABLE:
        table.append((len(table) - 1) / table[-1])
    large = np.maximum(n, _TABLE)
    series = np.sqrt(large) * np.polynomial.polynomial.polyval(1 / large, _SERIES)
    small = np.array(table)[np.minimum(n, _TABLE - 1).astype(np.int64)]
    return np.where(n < _TABLE, small, series)
