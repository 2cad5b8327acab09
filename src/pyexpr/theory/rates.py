"""Transitions by length of the image before them, in deep layers of wide networks."""

from __future__ import annotations

import math

import numpy as np

from pyexpr._arrays import integer
from pyexpr.activations import ActivationLike
from pyexpr.theory.meanfield import MeanField, Moments


def transitions_per_length(
    width: int,
    activation: ActivationLike = "hard_tanh",
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
) -> float:
    """The expected transitions of one neuron by unit of length of the image in the layer before.

    In deep layers of wide networks, where the image lies near a sphere: the sum over breakpoints u
    of exp(-u^2 / (2 q)) sqrt(weight_variance / (width q)) / pi, with q the
    `MeanField.fixed_point`. By Rice's formula with c = 0 and r = weight_variance / width, as of an
    image that is run through with speed 1.

    Parameters
    ----------
    width
        Of the layer before.
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
        A width that is no positive integer, what `MeanField` refuses, or variances that settle at
        no positive number.
    """
    count = integer("width", width, 1)
    field = MeanField(activation, weight_variance, bias_variance)
    settled = np.array(_settled(field))
    speed = np.array(field.weight_variance / count)
    return float(field.transition_rate(Moments(settled, np.zeros(()), speed)))


def sign_changes_per_length(
    width: int,
    activation: ActivationLike = "hard_tanh",
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
) -> float:
    """The expected sign changes of a readout without bias by unit of length of the last image.

    1 / (pi |z|), with |z|^2 = width E phi(sqrt(q) Z)^2 at the `MeanField.fixed_point` q: on
    a sphere a curve turns by its length over |z|, and a random hyperplane is crossed once in pi.
    So counts grow linearly with length, as Raghu et al. (2017) observe.

    Parameters
    ----------
    width
        Of the last hidden layer.
    activation, weight_variance, bias_variance
        As for `transitions_per_length`.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As for `transitions_per_length`, and for a weight variance of 0.
    """
    count = integer("width", width, 1)
    field = MeanField(activation, weight_variance, bias_variance)
    settled = _settled(field)
    if not field.weight_variance:
        raise ValueError("weight_variance is 0, so that images are points; it must be positive")
    square = (settled - field.bias_variance) / field.weight_variance
    return 1 / (math.pi * math.sqrt(count * square))


def _settled(field: MeanField) -> float:
    settled = field.fixed_point
    if 0 < settled < math.inf:
        return settled
    where = "go to 0" if settled == 0 else "grow without bound"
    raise ValueError(
        f"with weight_variance {field.weight_variance:g} and bias_variance {field.bias_variance:g} "
        f"the variances of {field.activation} {where} with depth; there must be a positive number "
        "that they settle at"
    )
