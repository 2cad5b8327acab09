"""As many regions as one layer can have."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from math import comb

import numpy as np

from pyexpr.activations import ActivationLike, PiecewiseLinear, as_activation
from pyexpr.constructions.block import Block, network, rationals
from pyexpr.constructions.construction import SpaceConstruction
from pyexpr.constructions.moments import Moments
from pyexpr.constructions.sizes import check_sizes


def arrangement(sizes: Sequence[int], activation: ActivationLike = "relu") -> SpaceConstruction:
    """A network of one hidden layer with as many regions in the unit cube as any has anywhere.

    With k neurons and n inputs, sum_{j <= n} C(k, j) regions for an activation with one breakpoint
    (Zaslavsky 1975), and sum_{j <= n} C(k, j) 2^j for one with two: then a neuron has two parallel
    hyperplanes, which large weights keep close, and j such pairs cross in 2^j places where j single
    hyperplanes cross in one (derived here).

    Parameters
    ----------
    sizes
        [inputs, hidden, outputs].
    activation
        Any with one or two breakpoints.

    Returns
    -------
    SpaceConstruction

    Raises
    ------
    TypeError
        Sizes that are no integers, or `activation` is none.
    ValueError
        Sizes below 1, another number of layers, more breakpoints, or a weight that float64 cannot
        hold exactly, as for many inputs and neurons.
    """
    checked = check_sizes(sizes)
    if len(checked) != 3:
        raise ValueError(f"sizes is {checked}; it must be [inputs, hidden, outputs]")
    inputs, width, outputs = checked
    phi = as_activation("activation", activation)
    moments = Moments(inputs, width)
    block = _layer(moments, phi)
    count = len(phi.breakpoints)
    return SpaceConstruction(
        network([block], outputs, phi, reader=np.eye(inputs, dtype=int).tolist()),
        sum(comb(width, j) * count**j for j in range(inputs + 1)),
        partial(moments.witnesses, pairs=count == 2),
    )


def _layer(moments: Moments, phi: PiecewiseLinear) -> Block:
    knots = [Fraction(x) for x in phi.breakpoints.tolist()]
    if len(knots) > 2:
        raise ValueError(f"activation is {phi}; the arrangement is made for one or two breakpoints")
    centre, width = (knots[0] + knots[-1]) / 2, knots[-1] - knots[0]
    steepness = Fraction(1)
    while steepness * moments.least() <= width:
        steepness *= 2
    gains, offsets = moments.hyperplanes()
    return Block(
        steepness * gains,
        steepness * offsets + centre,
        rationals([[1] * moments.count]),
        rationals([0]),
    )
