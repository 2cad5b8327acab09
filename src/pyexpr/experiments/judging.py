"""What claims are judged by, and how figures are told."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr.experiments.result import Verdict

Figures = npt.NDArray[Any]

_LEVEL = 0.01  # of two-sided tests
NAMES = {"relu": "ReLU", "hard_tanh": "hard-tanh"}


def standard_error(values: Figures, axis: int = -1) -> FloatArray:
    """Of the mean along an axis; nan of a single value."""
    count = values.shape[axis]
    if count < 2:
        return np.full(values.mean(axis=axis).shape, np.nan)
    error: FloatArray = values.std(axis=axis, ddof=1) / math.sqrt(count)
    return error


def ratio_of_means(y: Figures, x: Figures) -> tuple[FloatArray, FloatArray]:
    """mean(y) / mean(x) along the last axis, and its standard error to first order."""
    ratio: FloatArray = y.mean(axis=-1) / x.mean(axis=-1)
    return ratio, standard_error(y - ratio[..., None] * x) / x.mean(axis=-1)


def rate_a_layer(start: Figures, end: Figures, layers: int) -> tuple[FloatArray, FloatArray]:
    """By what each of so many layers multiplies a mean along the last axis, and standard error."""
    ratio, error = ratio_of_means(end, start)
    rate: FloatArray = ratio ** (1 / layers)
    return rate, rate * error / ratio / layers


def mean_and_error(values: Figures) -> tuple[FloatArray, FloatArray]:
    """Over the first axis: the mean, and its standard error."""
    return values.mean(axis=0), standard_error(values, axis=0)


def estimate(values: Figures) -> tuple[float, float]:
    """The mean of all, and its standard error."""
    mean, error = mean_and_error(values.reshape(-1))
    return float(mean), float(error)


def limit(count: int) -> float:
    """How many standard errors of a mean of so many figures make it clear, by Student's t.

    2.8 of 30, 5.8 of 4, 64 of 2: at a level of 1 %, two-sided. nan of one figure, so that no
    comparison with it holds.
    """
    try:
        from scipy.stats import t
    except ImportError as error:
        raise ImportError(
            'judging claims needs scipy: pip install "pyexpr-regions[experiments]"'
        ) from error

    return float(t.ppf(1 - _LEVEL / 2, count - 1)) if count > 1 else math.nan


def signs(values: Figures) -> npt.NDArray[np.int64]:
    """Of means over the first axis, where they are clear, by `limit`; else 0."""
    mean, error = mean_and_error(values)
    clear = np.abs(mean) > limit(len(values)) * error
    return np.where(clear, np.sign(mean), 0).astype(np.int64)


def rank_correlations(values: FloatArray) -> FloatArray:
    """Spearman's, of each row with its columns' order; 0 for a row of equal values: float64 [N]."""
    from scipy.stats import rankdata

    order = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
    ranks = rankdata(values, axis=1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    scale = np.sqrt(np.square(ranks).sum(axis=1) * np.square(order).sum())
    correlations: FloatArray = (ranks @ order) / np.where(scale == 0, 1.0, scale)
    return correlations


def verdict(holds: npt.NDArray[np.bool_], told: npt.NDArray[np.bool_] | bool = True) -> Verdict:
    """Of what should hold everywhere.

    No "yes" if there is nothing to judge by, or where figures are too uncertain to be `told` from
    others.
    """
    if holds.all():
        return "yes" if holds.size and np.all(told) else "in part"
    return "in part" if holds.any() else "no"


def share(holds: npt.NDArray[np.bool_]) -> str:
    """How many of how many."""
    return f"{int(holds.sum())} of {holds.size}"


def percent(share: float) -> str:
    """Of a share."""
    return f"{100 * share:.1f} %"
