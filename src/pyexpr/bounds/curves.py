"""Bounds on the activation regions of arcs, circles and other curves.

Along x(t) = c + cos(t) u + sin(t) v a pre-activation is a cos t + b sin t + e while no neuron
before it switches, and passes a threshold at most twice in a full turn.
"""

from __future__ import annotations

import math

from pyexpr._arrays import integer, real_number, what
from pyexpr.bounds.architecture import Architecture, Elementwise, Layer
from pyexpr.bounds.line import most_on_line
from pyexpr.bounds.numbers import Number, bound

_FEW = 64  # neurons, of whose layer the patterns are counted


@bound
def circle(architecture: Architecture, one: Number) -> Number:
    """2 p n_1 prod_{l >= 2} (2 p n_l + 1) activation regions of a closed circle or ellipse.

    The first layer has at most 2 p n_1 breakpoints and, since the circle is closed, no more
    regions; then every region gets at most 2 p n_l breakpoints of the next layer. The maximum of
    k entries has at most 2 (k - 1). Where a narrow layer has fewer patterns than there are regions,
    regions share them, and with them the function that passes a threshold twice: one ReLU has one
    pattern in which it varies, and two have three, so that (1, n) has 2 + 2 n and (2, n) 4 + 6 n.

    Conditions: none; layers that others bypass included. For ReLU attained by one layer and by two
    (see `pyexpr.constructions.circle`); the product never by three or more if n_1 >= 2.
    Source: derived here.
    """
    return max(_full_turn(architecture, one, degree=2), one)


@bound
def arc(architecture: Architecture, one: Number, angle: float = math.pi / 2) -> Number:
    """The most activation regions of an open arc cos(t) x0 + sin(t) x1: a circle's and one more.

    Without biases, and with activations that bend at 0 only, pre-activations are a cos t + b sin t
    and pass 0 once in a half turn: an arc of at most pi has the regions of its chord, `line`. A
    longer one is a part of the full turn, which has 2 p n_1 prod_{l >= 2} (p n_l + 1) then.

    Conditions: arcs around the origin if there are no biases; none otherwise.
    Source: derived here; Raghu et al. (2017) use quarter arcs.

    Parameters
    ----------
    angle : float
        In radians, above 0 and at most math.tau, which closes the arc.
    """
    radians = real_number("angle", angle)
    if not 0 < radians <= math.tau:
        raise ValueError(
            f"angle is {radians!r}; it must be above 0 and at most a full turn, math.tau = "
            f"{math.tau!r}"
        )
    if not architecture.homogeneous:
        breakpoints = _full_turn(architecture, one, degree=2)
    elif radians <= math.pi:
        return most_on_line(architecture, one)
    else:
        breakpoints = _full_turn(architecture, one, degree=1)
    return max(breakpoints, one) if radians == math.tau else breakpoints + 1


@bound
def curve(
    architecture: Architecture, one: Number, degrees: tuple[int, ...], closed: bool = False
) -> Number:
    """1 + sum_i (prod_l (d_i p n_l + 1) - 1) regions of a chain of rational curves of degree d_i.

    On a piece of degree d a pre-activation is a polynomial of that degree over a positive
    denominator, and passes each threshold at most d times. Pieces of degree 1 count as in
    `polyline`. The maximum of k entries has at most k - 1 breakpoints for d = 1, 2 (k - 1) for
    d = 2, and d k (k - 1) / 2 for larger d.

    Conditions: none.
    Source: derived here.

    Parameters
    ----------
    degrees : sequence of int
        Of each piece, at least 1.
    closed : bool
        Whether the curve is; then there is one region less, but at least one.
    """
    if not isinstance(degrees, list | tuple) or not degrees:
        raise TypeError(f"degrees is {what(degrees)}; it must be a list of integers, not empty")
    breakpoints = 0 * one
    for i, given in enumerate(degrees):
        degree = integer(f"degrees[{i}]", given, 1)
        regions = most_on_line(architecture, one) if degree == 1 else one
        if degree > 1:
            for layer in architecture.layers:
                regions *= layer.switches(degree) + 1
        breakpoints += regions - 1
    return max(breakpoints, one) if closed else breakpoints + 1


def _full_turn(architecture: Architecture, one: Number, degree: int) -> Number:
    """The most breakpoints of one.

    A function passes a threshold `degree` times in one region of what comes before, and twice in
    all regions of one pattern together, of which there are no more than regions.
    """
    breakpoints, patterns = 0 * one, one  # in which the network still varies
    for layer in architecture.layers:
        added = patterns * layer.switches(2)
        if breakpoints:
            added = min(added, breakpoints * layer.switches(degree))
        breakpoints += added
        words = _varying_words(layer)
        most = max(breakpoints, one)
        patterns = most if words is None else min(most, patterns * words)
    return breakpoints


def _varying_words(layer: Layer) -> int | None:
    """Patterns of a layer in which what comes later varies; None of many, which do not matter."""
    if not isinstance(layer, Elementwise) or layer.width > _FEW:
        return None
    constant = layer.flat**layer.width if layer.bottleneck else 0
    words: int = (layer.breakpoints + 1) ** layer.width
    return max(1, words - constant)
