"""Folds by hard-tanh and other functions that are constant, rise, and are constant."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from pyexpr.constructions.block import scalar_block
from pyexpr.constructions.fold import Fold, powers_of_two, rounded_up


@dataclass(frozen=True)
class Ramp:
    """A function that rises from `value` with this slope on an interval, and is constant beyond."""

    start: Fraction
    length: Fraction
    value: Fraction
    slope: Fraction


def clipper(width: int, target: Fraction, ramp: Ramp) -> Fold:
    """Constant, then 2 width - 1 pieces on which z covers [0, target], then constant.

    The first neuron rises all the way, the others make z fall, steeply and one after another. In
    units of the ramp's length, the pieces between them have length 1, and theirs are powers of two
    that make the way of the first neuron one too. Derived here.
    """
    way = 1 << (2 * width - 2).bit_length()
    falls = powers_of_two(Fraction(way - width), width - 1)
    ends = accumulate((fall + 1 for fall in falls), initial=Fraction(2))
    starts, lengths = [Fraction(1), *ends][:width], [Fraction(way), *falls]
    gains = [1 / length for length in lengths]
    offsets = [ramp.start - ramp.length * x * g for x, g in zip(starts, gains, strict=True)]
    rate = rounded_up(target / (ramp.slope * ramp.length))
    readout = [rate * way, *(-rate * (1 + fall) for fall in falls)]
    return Fold(
        blocks=(scalar_block(gains, offsets, readout, -ramp.value * sum(readout)),),
        length=ramp.length * (way + 2),
        target=target,
        runs=2 * width - 1,
        lows=width,
        highs=width,
        start="constant",
        end="constant",
    )
