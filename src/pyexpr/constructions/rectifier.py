"""Folds by ReLU and leaky ReLU, of which ReLU is that of slope 0."""

from __future__ import annotations

from fractions import Fraction

from pyexpr.constructions.block import Block, rationals, scalar_block
from pyexpr.constructions.fold import Fold, alternating, dot, rounded_up

_FINE = 2**30  # what is rounded becomes a multiple of 1 / _FINE
_ROOM = 1 + Fraction(1, 2**20)  # that rounding may need


def relu(width: int, target: Fraction) -> Fold:
    """A fold by ReLUs: `rectifier` with slope 0."""
    return rectifier(width, target, Fraction(0))


def rectifier(width: int, target: Fraction, slope: Fraction) -> Fold:
    """A fold by neurons of this negative slope, 0 <= slope < 1.

    z covers [0, target] on width + 1 pieces, but once if the width is 1, as one neuron is monotone,
    and twice for two ReLUs: slopes m_0 > 0 > m_1 and m_2 > 0 would need m_1 = m_0 + m_2, if the
    neurons face each other, and one of the slopes is 0 if they do not.
    """
    if width == 1:
        return _ramp(target, slope)
    if width == 2:
        return _pair(target, slope) if slope else _hill(target)
    return _zigzag(width, target, slope)


def two_pairs(target: Fraction) -> Fold:
    """Two layers of two ReLUs each: z covers [0, target] six times, two folds by two only four.

    The first layer bends the segment into three edges of a convex curve in the plane; z is a convex
    function on it, with a valley on each edge. That is the most, as two ReLUs make no more than one
    valley of a line. Derived here.
    """
    first = Block(
        rationals([[1], [-1]]),
        rationals([Fraction(-5, 8), Fraction(13, 8)]),
        rationals([[1, 0], [0, 1]]),
        rationals([0, 0]),
    )
    second = Block(
        rationals([[4, 8], [-8, -10]]),
        rationals([-6, 15]),
        rationals([[target, target]]),
        rationals([-6 * target]),
    )
    return Fold(
        blocks=(first, second),
        length=Fraction(31, 8),
        target=target,
        runs=6,
        lows=4,
        highs=2,
        start="high",
        end="high",
    )


def pleats(width: int, target: Fraction) -> Fold:
    """z covers [0, target] on `width` pieces of length 1, by ReLUs that all face right.

    The first neuron is always on. Montufar, Pascanu, Cho and Bengio (2014), and for two neurons
    Telgarsky (2015), let it switch on at 0, where z comes back to: a tie at every other breakpoint.
    """
    gains = [Fraction(1)] * width
    offsets = [Fraction(-i if i else 1) for i in range(width)]
    readout = [target, *alternating(width - 1, 2 * target)]
    return Fold(
        blocks=(scalar_block(gains, offsets, readout, -target),),
        length=Fraction(width),
        target=target,
        runs=width,
        lows=(width - 1) // 2,
        highs=width // 2,
        start="low",
        end="high" if width % 2 else "low",
    )


def _ramp(target: Fraction, slope: Fraction) -> Fold:
    """Constant (or of small slope) on [0, 1], then rising."""
    return Fold(
        blocks=(scalar_block([Fraction(1)], [Fraction(-1)], [target], Fraction(0)),),
        length=Fraction(2),
        target=target,
        runs=1,
        lows=1,
        highs=0,
        start="low" if slope else "constant",
        end="high",
    )


def _hill(target: Fraction) -> Fold:
    """Rising on [0, 1], constant, falling on [2, 3]: two ReLUs that face outwards."""
    gains, offsets = [Fraction(-1), Fraction(1)], [Fraction(1), Fraction(-2)]
    return Fold(
        blocks=(scalar_block(gains, offsets, [-target, -target], target),),
        length=Fraction(3),
        target=target,
        runs=2,
        lows=0,
        highs=2,
        start="low",
        end="low",
    )


def _pair(target: Fraction, slope: Fraction) -> Fold:
    """Two leaky neurons that face right: slopes m, -m and m / slope, for 0 < slope."""
    step = _step(target, slope)
    steep = _rounded(2 * step + step * (1 - slope) / slope)
    readout = [-2 * step, steep]
    return _zigzagging(readout, Fraction(1), rounded_up(slope), target, slope)


def _zigzag(width: int, target: Fraction, slope: Fraction) -> Fold:
    """At least three neurons, of which the third faces left: slopes m_0, -m, m, -m, ...

    At the left end, where only the third neuron is on, it gives the slope m_0 = 2 m, or more if the
    others leak: the first piece is half as long as the others, or less. Derived here.
    """
    step = _step(target, slope)
    readout = alternating(width, 2 * step)
    others = sum(readout[1:2] + readout[3:], Fraction(0))
    readout[0] = _rounded(-(3 - slope) * step - slope * others)  # so that the second slope is -m
    first_slope = slope * (readout[0] + others) + 2 * step
    first = rounded_up((1 - slope) * step / first_slope)
    return _zigzagging(readout, first, Fraction(1), target, slope)


def _zigzagging(
    readout: list[Fraction], first: Fraction, last: Fraction, target: Fraction, slope: Fraction
) -> Fold:
    """Of these lengths of the first and the last piece; those between have length 1.

    z is at its breakpoints at or a bit above `target` and at or a bit below 0, in turn.
    """
    width = len(readout)
    thresholds = [first + i for i in range(width)]
    gains = [Fraction(-1 if i == 2 else 1) for i in range(width)]
    offsets = [-gain * x for gain, x in zip(gains, thresholds, strict=True)]
    before = [gain * first + b for gain, b in zip(gains, offsets, strict=True)]
    peak = (target + (1 - slope) * _step(target, slope)) / 2
    shift = _rounded(peak - dot(readout, (h if h > 0 else slope * h for h in before)))
    return Fold(
        blocks=(scalar_block(gains, offsets, readout, shift),),
        length=thresholds[-1] + last,
        target=target,
        runs=width + 1,
        lows=width // 2,
        highs=width - width // 2,
        start="low",
        end="low" if width % 2 else "high",
    )


def _step(target: Fraction, slope: Fraction) -> Fraction:
    """Half of the weight that changes z's slope from -m to m, with m >= target."""
    return rounded_up(target / (1 - slope) * (_ROOM if slope else 1))


def _rounded(x: Fraction) -> Fraction:
    """Slopes such as 0.01 need it; powers of 1/2 that are not too small do not."""
    return Fraction(round(x * _FINE), _FINE)
