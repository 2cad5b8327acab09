"""As many regions as a straight line can have."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from pyexpr.activations import ActivationLike
from pyexpr.constructions.block import network
from pyexpr.constructions.construction import Construction
from pyexpr.constructions.fold import chain, powers_of_two
from pyexpr.constructions.makers import fold_makers
from pyexpr.constructions.sizes import check_sizes
from pyexpr.network import check_activations
from pyexpr.trajectories import Line


def line(
    sizes: Sequence[int], activation: ActivationLike | Sequence[ActivationLike] = "relu"
) -> Construction:
    """A network and a segment with the most activation regions that are known to be possible.

    Hidden layers fold a segment onto that of the next layer, so that the network is a function of
    one number, which all inputs share. Before layers with c regions (c = 1 after the last) there
    are, with a layer of width n,

    - of ReLU (n + 1) c for n >= 3, 2 c + 1 for n = 2, c + 1 for n = 1, and 6 c + 1 with two layers
      of n = 2 that more layers follow;
    - of leaky ReLU, 0 < slope < 1, (n + 1) c for n >= 2, c + 1 for n = 1;
    - of absolute values (n + 1) c for odd n, n c + 1 for even n;
    - of hard-tanh and others that rise between two constants (2 n - 1) c + 2.

    This is the maximum of all networks, except that it may not be one with widths of 2 before the
    last two layers of ReLU (there it is one for widths (2, 2, n), with 6 n + 7 regions, but for
    (2, 2, 2, n) it is none), and with even widths there of absolute values. For ReLU of widths from
    3 it is prod(n_l + 1), Serra, Tjandraatmadja and Ramalingam (2018), Theorem 5; for hard-tanh
    prod(2 n_l - 1) + 2 sum_l prod_{i < l} (2 n_i - 1). The folds are derived here.

    Linear regions are as many, except where the output is constant on both sides of a breakpoint:
    for hard-tanh 1 + 2 n_L prod_{l < L} (2 n_l - 1), and fewer for single ReLUs after the first
    layer.

    Parameters
    ----------
    sizes
        [inputs, hidden..., outputs], at least one hidden layer. Output k is k times the first one.
    activation
        One for all hidden layers, or a list with one for each: ReLU, leaky ReLU with a slope of at
        most 1 - 2^-10, Abs, HardTanh, Clip, ReLU6 or HardSigmoid.

    Returns
    -------
    Construction

    Raises
    ------
    TypeError
        Sizes that are no integers, or `activation` is none.
    ValueError
        Sizes below 1, no hidden layer, another activation, or a weight that float64 cannot hold
        exactly, as of two leaky neurons with a slope below 2^-20.
    """
    inputs, *widths, outputs = check_sizes(sizes)
    phis = check_activations(activation, widths)
    blocks, regions, length = chain([*fold_makers(phis, widths)])
    signs = [(-1) ** i for i in range(inputs)]
    shares = powers_of_two(Fraction(1), inputs)
    end = [float(length * share * sign) for share, sign in zip(shares, signs, strict=True)]
    return Construction(
        network(blocks, outputs, phis, reader=[signs]),
        Line([0.0] * inputs, end),
        regions.activation,
        regions.linear,
    )
