"""Bases of the exponential growth of lengths with depth, in hard-tanh and other wide networks."""

from __future__ import annotations

import math

from pyexpr._arrays import integer, not_negative
from pyexpr.activations import ActivationLike
from pyexpr.theory.meanfield import MeanField


def stated_growth(width: int, weight_variance: float = 2.0, bias_variance: float = 0.0) -> float:
    """The base for hard-tanh in the growth theorem of Raghu et al. (2017), as it is stated.

    s_w / (s_w^2 + s_b^2)^(1/4) sqrt(k) / sqrt(sqrt(s_w^2 + s_b^2) + k), with s_w^2 and s_b^2 the
    variances. There it is the base of a lower bound in O-notation; but wide networks grow more
    slowly, except for s_w = 1 and s_b = 0, where both bases tend to 1. For P(|h| < 1), which counts
    once a layer, it has 1 / sqrt(s_w^2 + s_b^2), without a factor below 1. `lower_growth` is a base
    that wide networks do reach.

    Parameters
    ----------
    width
        k, of every layer.
    weight_variance, bias_variance
        Not negative.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        A width that is no positive integer, or a variance that is negative or not finite.
    """
    count = integer("width", width, 1)
    weight, total = _variances(weight_variance, bias_variance)
    if not weight:
        return 0.0
    spread = math.sqrt(total)
    return math.sqrt(weight / spread) / math.sqrt(spread / count + 1)


def lower_growth(weight_variance: float = 2.0, bias_variance: float = 0.0) -> float:
    """A lower base for hard-tanh: s_w sqrt(erf(1 / sqrt(2 (s_w^2 + s_b^2)))).

    Derived here: behind hard-tanh the mean square of a layer is at most 1, so pre-activations have
    a variance of at most s_w^2 + s_b^2 and are inside (-1, 1) at least that often. A bound for
    layers whose width grows without bound; a narrow layer's expected length is smaller, by Jensen's
    inequality, and can be below it.

    Parameters
    ----------
    weight_variance, bias_variance
        Not negative.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        A variance that is negative or not finite.
    """
    weight, total = _variances(weight_variance, bias_variance)
    return math.sqrt(weight * math.erf(1 / math.sqrt(2 * total))) if weight else 0.0


def mean_field_growth(
    activation: ActivationLike = "hard_tanh",
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
) -> float:
    """What each deep layer of a wide network multiplies lengths by.

    s_w sqrt(E phi'(sqrt(q) Z)^2) at the variance q that pre-activations settle at; for hard-tanh
    s_w sqrt(erf(1 / sqrt(2 q))), after Poole et al. (2016). Where variances go to 0 or grow without
    bound, it is the limit there, which exists for every piecewise-linear activation; for ReLU,
    leaky ReLU and abs it does not depend on q. See `MeanField`.

    Parameters
    ----------
    activation
        A name or a PiecewiseLinear with one row of slopes.
    weight_variance, bias_variance
        Not negative.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As for `MeanField`.
    """
    return MeanField(activation, weight_variance, bias_variance).growth


def _variances(weight_variance: float, bias_variance: float) -> tuple[float, float]:
    """That of the weights, and the sum."""
    weight = not_negative("weight_variance", weight_variance)
    return weight, weight + not_negative("bias_variance", bias_variance)
