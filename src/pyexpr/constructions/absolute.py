"""Folds by absolute values."""

from __future__ import annotations

from fractions import Fraction

from pyexpr.constructions.block import scalar_block
from pyexpr.constructions.fold import Fold, alternating, dot


def absolute(width: int, target: Fraction) -> Fold:
    """z covers [0, target] on width + 1 pieces if the width is odd, else on width pieces.

    The first and the last piece have slopes m and -m, so that between them z changes its direction
    an odd number of times. Of an even number of neurons the first peak is constant. Derived here.
    """
    odd = width % 2
    thresholds = [Fraction(i + 1) for i in range(width)]
    readout = alternating(width - 1 + odd, target)
    if not odd:
        readout[:1] = [-target / 2] * 2
    shift = -dot(readout, thresholds)
    gains, offsets = [Fraction(1)] * width, [-x for x in thresholds]
    return Fold(
        blocks=(scalar_block(gains, offsets, readout, shift),),
        length=Fraction(width + 1),
        target=target,
        runs=width + odd,
        lows=(width - 1) // 2,
        highs=width // 2 + 1,
        start="low",
        end="low",
    )
