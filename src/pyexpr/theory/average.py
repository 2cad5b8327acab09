"""Few regions on average: bounds that are linear in the number of neurons."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pyexpr._arrays import FloatArray, not_negative, real_number
from pyexpr.network import check_sizes
from pyexpr.theory.lengths import relu_lengths


def hanin_rolnick(
    sizes: Sequence[int], length: float, *, weight_variance: float = 2.0, bias_variance: float
) -> FloatArray:
    """No fewer than the expected transitions of each hidden ReLU layer on a curve.

    n_l s_w E[length in layer l - 1] / (pi sqrt(n_{l-1}) s_b), for every finite width and every
    curve of this length, with the exact lengths of `relu_lengths`. Derived here: the expectation is
    n_l Theta / pi, Theta the angle that (s_w z / sqrt(n), s_b) sweeps, whose norm is never below
    s_b; so Theta is at most that vector's path over s_b.

    It is the bound T C_grad C_bias |curve| #neurons of Hanin and Rolnick (2019), "Complexity of
    linear regions in deep networks", with its constants: T = 1 breakpoint; C_bias, the largest
    density of a bias, 1 / (sqrt(2 pi) s_b); and for C_grad |curve| the mean of |h'|, integrated,
    sqrt(2 / pi) s_w E[length] / sqrt(n). Lengths stay bounded for weight_variance 2 where the sum
    of 1 / n_l does; beyond it they grow exponentially with depth, and so does the bound.

    Parameters
    ----------
    sizes
        [inputs, hidden..., outputs], each at least 1.
    length
        Of the curve, not negative.
    weight_variance
        Not negative.
    bias_variance
        Positive.

    Returns
    -------
    float64 [L]

    Raises
    ------
    TypeError, ValueError
        Sizes, a length or a variance that are no such numbers.
    """
    widths = np.array(check_sizes(sizes), dtype=np.float64)
    start = real_number("length", length)
    if start < 0:
        raise ValueError(f"length is {start}; it must not be negative")
    weight = not_negative("weight_variance", weight_variance)
    bias = not_negative("bias_variance", bias_variance)
    if not bias:
        raise ValueError("bias_variance is 0; it must be positive")
    hidden = len(widths) - 2
    before = start * np.concatenate([[1.0], relu_lengths(sizes, weight)])[:hidden]
    scale = math.sqrt(weight / bias) / math.pi
    bounds: FloatArray = widths[1:-1] * scale * before / np.sqrt(widths[:-2])
    return bounds


def whole_line(sizes: Sequence[int]) -> int:
    """The expected activation regions on a whole line through a wide biased ReLU network: 1 + N.

    N is the number of hidden neurons. Derived here: where a layer's pre-activations have the
    variance q(t) = A + B (t - t0)^2 and their derivatives B, the augmented vector sweeps
    Theta = integral of sqrt(A B) / q dt = pi; ReLU halves all moments and adds the bias variance to
    A, which keeps the form. So n_l Theta / pi = n_l. Exact for one hidden layer, where every neuron
    switches once; for more as widths grow, in accord with the abstract of Kogan et al.
    (arXiv:2512.08091). It depends neither on variances nor on the line, if biases are not all 0.

    Parameters
    ----------
    sizes
        [inputs, hidden..., outputs], each at least 1.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        Sizes that are no such integers.
    """
    return 1 + sum(check_sizes(sizes)[1:-1])
