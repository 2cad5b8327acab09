"""Which activation folds how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial

from pyexpr.activations import PiecewiseLinear, ReLU
from pyexpr.constructions.absolute import absolute
from pyexpr.constructions.clipper import Ramp, clipper
from pyexpr.constructions.fold import FoldMaker
from pyexpr.constructions.rectifier import rectifier, two_pairs

_LARGEST_SLOPE = 1 - 2.0**-10


def fold_makers(phis: Sequence[PiecewiseLinear], widths: Sequence[int]) -> Iterator[FoldMaker]:
    """One for each layer, or for two neighbours of two ReLUs each, neither of them the last."""
    layers = [*zip(phis, widths, strict=True)]
    two = (ReLU(), 2)
    i = 0
    while i < len(layers):
        if layers[i : i + 2] == [two, two] and i + 2 < len(layers):
            yield two_pairs
            i += 2
        else:
            yield _fold_maker(*layers[i])
            i += 1


def _fold_maker(phi: PiecewiseLinear, width: int) -> FoldMaker:
    knots, slopes = phi.breakpoints.tolist(), phi.slopes.tolist()
    if phi.n_neurons is None and knots == [0.0] and phi.value == 0.0:
        if slopes == [-1.0, 1.0]:
            return partial(absolute, width)
        if 0 <= slopes[0] <= _LARGEST_SLOPE and slopes[1] == 1.0:
            return partial(rectifier, width, slope=Fraction(slopes[0]))
    if phi.n_neurons is None and len(knots) == 2 and slopes[::2] == [0.0, 0.0] and slopes[1] > 0:
        start, end = map(Fraction, knots)
        ramp = Ramp(start, end - start, Fraction(phi.value), Fraction(slopes[1]))
        return partial(clipper, width, ramp=ramp)
    raise ValueError(
        f"activation is {phi}; the construction is known for ReLU, LeakyReLU with a slope from 0 "
        "to 1 - 2^-10, Abs, and HardTanh, Clip, ReLU6 or HardSigmoid"
    )
