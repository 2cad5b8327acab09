"""Many regions of ReLU networks on a circle."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import cos, pi, sin, tau

from pyexpr.activations import ReLU
from pyexpr.constructions.block import Block, network, rationals
from pyexpr.constructions.construction import Construction
from pyexpr.constructions.fold import chain
from pyexpr.constructions.makers import fold_makers
from pyexpr.constructions.sizes import check_sizes
from pyexpr.trajectories import Arc, Circle

_CUT = 2.0**-40  # radians that an arc leaves out
_MOST_CUT = 2**40
_FINE = 2**20  # what the caps are read by are multiples of 1 / _FINE
_ROOM = 1 + Fraction(1, 1024)


def circle(sizes: Sequence[int]) -> Construction:
    """A ReLU network and a circle, on which it has the most regions for up to two hidden layers.

    The caps relu(cos(theta - phi_i) - cos(delta)) of the first layer are 2 delta = 3 pi / m wide
    and 2 pi / m apart, m = max(n_1, 3): their sum rises and falls wherever one or two are on. These
    4 n_1 runs, but 2 (2 n_1 - 1) if n_1 <= 2, cover one interval, and the breakpoints are below it.
    The other layers are those of `line` there. With c their regions on the interval, the circle has
    2 n_1 + runs (c - 1) regions; c = n_2 + 1 for two hidden layers.

    That is the maximum for up to two hidden layers, and not known to be for more (derived here): a
    neuron of the second layer has at most two roots for every pattern of the first, as it reads the
    same a cos(theta) + b sin(theta) + c wherever a pattern comes back, and none where all are off.
    There are at most 2 n_1 patterns, and for n_1 <= 2 at most 2^n_1 - 1 that are not all off.

    cos and sin are rounded to float64. Breakpoints are further apart by far, so that their number
    is what it would be without.

    Parameters
    ----------
    sizes
        [inputs, hidden..., outputs], at least 2 inputs; the circle is the unit circle in the first
        two. Output k is k times the first one.

    Returns
    -------
    Construction

    Raises
    ------
    TypeError
        Sizes that are no integers.
    ValueError
        Sizes below 1, one input, no hidden layer, or a weight that float64 cannot hold exactly.
    """
    return _around(sizes)


def arc(sizes: Sequence[int]) -> Construction:
    """The network of `circle`, on an arc of nearly a full turn, whose ends share a region.

    It has one region more than the circle: the maximum of any open arc for up to two hidden layers.

    Parameters
    ----------
    sizes
        As for `circle`.

    Returns
    -------
    Construction

    Raises
    ------
    TypeError, ValueError
        As for `circle`, and for more than 2^40 regions, which the cut might be too wide for.
    """
    whole = _around(sizes)
    if whole.regions > _MOST_CUT:
        raise ValueError(
            f"sizes is {[*sizes]}, with more than 2^40 regions on the circle; they may be narrower "
            "than where the arc is cut, so that only `circle` is certain of their number"
        )
    inputs = whole.network.input_shape[0]
    return Construction(
        whole.network,
        Arc(_axis(0, inputs), _axis(1, inputs), tau - _CUT),
        whole.regions + 1,
        whole.linear_regions + 1,
    )


def _around(sizes: Sequence[int]) -> Construction:
    inputs, first, *widths, outputs = check_sizes(sizes)
    if inputs < 2:
        raise ValueError(
            f"sizes is {[inputs, first, *widths, outputs]}; a circle needs at least 2 inputs"
        )
    blocks, rest, length = chain([*fold_makers([ReLU()] * len(widths), widths)])
    caps = _caps(first, length, flip=rest.low and not rest.high)
    runs = 4 * first if first >= 3 else 2 * (2 * first - 1)
    return Construction(
        network(
            [caps, *blocks],
            outputs,
            ReLU(),
            reader=[_axis(0, inputs), _axis(1, inputs)],
        ),
        Circle([0.0] * inputs, _axis(0, inputs), _axis(1, inputs)),
        2 * first + runs * (rest.activation - 1),
        2 * first * (not rest.low or not rest.high) + runs * (rest.linear - 1),
    )


def _caps(count: int, length: Fraction, flip: bool) -> Block:
    """Caps, and their sum scaled so that its runs cover [0, length]; breakpoints at `length` if
    flipped, else at 0."""
    m = max(count, 3)
    edge = cos(1.5 * pi / m)
    low = cos(0.5 * pi / m) - edge
    high = min(1 - edge, 2 * (cos(pi / m) - edge))
    scale = _rounded(length * _ROOM / Fraction(high - low))
    shift = length / 2 - _rounded(scale * Fraction(high + low) / 2)
    if flip:
        scale, shift = -scale, length - shift
    turns = [tau * i / m for i in range(count)]
    return Block(
        rationals([[cos(turn), sin(turn)] for turn in turns]),
        rationals([-edge] * count),
        rationals([[scale] * count]),
        rationals([shift]),
    )


def _rounded(x: Fraction) -> Fraction:
    return Fraction(round(x * _FINE), _FINE)


def _axis(number: int, inputs: int) -> list[int]:
    return [int(i == number) for i in range(inputs)]
