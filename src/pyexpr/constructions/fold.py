"""Hidden layers that fold a segment onto that of the next layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from heapq import heappush, heapreplace
from math import ceil
from typing import Literal, TypeAlias

from pyexpr.constructions.block import Block

Level: TypeAlias = Literal["low", "high", "constant"]

_OTHER: dict[Level, Level] = {"low": "high", "high": "low", "constant": "constant"}


@dataclass(frozen=True, eq=False)
class Fold:
    """One or more hidden layers that make z of x in [0, length].

    z is piecewise linear, and at its breakpoints not above 0 ("low") or not below `target`
    ("high").

    Attributes
    ----------
    blocks : tuple of Block
        The first reads x, the last gives z.
    length : Fraction
    target : Fraction
        The length of the next layer's segment.
    runs : int
        On how many monotone parts z passes from one side of [0, target] to the other.
    lows, highs : int
        Breakpoints at either level.
    start, end : "low", "high" or "constant"
        z at 0 and at `length`; "constant" if that piece is.
    """

    blocks: tuple[Block, ...]
    length: Fraction
    target: Fraction
    runs: int
    lows: int
    highs: int
    start: Level
    end: Level

    def flipped(self) -> Fold:
        """Of target - z."""
        return replace(
            self,
            blocks=(*self.blocks[:-1], self.blocks[-1].flipped(self.target)),
            lows=self.highs,
            highs=self.lows,
            start=_OTHER[self.start],
            end=_OTHER[self.end],
        )


FoldMaker: TypeAlias = Callable[[Fraction], Fold]  # of the target


@dataclass(frozen=True)
class Regions:
    """What a chain of folds makes of its segment.

    Attributes
    ----------
    activation, linear : int
        Regions, of either kind.
    low, high : bool
        Whether the output is constant near 0, and near the segment's end.
    """

    activation: int = 1
    linear: int = 1
    low: bool = False
    high: bool = False

    def merged(self, fold: Fold) -> int:
        """How many of an earlier fold's breakpoints are between constant pieces."""
        return self.low * fold.lows + self.high * fold.highs

    def before(self, fold: Fold) -> Regions:
        """The regions with another fold before these."""
        own = fold.lows + fold.highs
        constant = {"low": self.low, "high": self.high, "constant": True}
        return Regions(
            1 + fold.runs * (self.activation - 1) + own,
            1 + fold.runs * (self.linear - 1) + own - self.merged(fold),
            constant[fold.start],
            constant[fold.end],
        )


def chain(makers: Sequence[FoldMaker]) -> tuple[list[Block], Regions, Fraction]:
    """The layers of folds, one after another; their regions on the first segment; its length.

    They are made from the last, whose z runs over [0, 1]. A fold is flipped where the output then
    has more linear regions.
    """
    blocks: list[Block] = []
    regions, target = Regions(), Fraction(1)
    for make in reversed(makers):
        fold = make(target)
        flipped = fold.flipped()
        if regions.merged(flipped) < regions.merged(fold):
            fold = flipped
        blocks[:0] = fold.blocks
        regions, target = regions.before(fold), fold.length
    return blocks, regions, target


def alternating(count: int, size: Fraction) -> list[Fraction]:
    """[-size, size, -size, ...]."""
    return [size if i % 2 else -size for i in range(count)]


def powers_of_two(total: Fraction, count: int) -> list[Fraction]:
    """`count` powers of two that add up to `total`, as equal as halving makes them, largest first.

    `total` is a dyadic rational with at most `count` binary ones.
    """
    ones, unit = total.numerator, Fraction(1, total.denominator)
    negated = [-unit * 2**k for k in range(ones.bit_length() - 1, -1, -1) if ones >> k & 1]
    while len(negated) < count:
        half = negated[0] / 2
        heapreplace(negated, half)
        heappush(negated, half)
    return [-power for power in sorted(negated)]


def rounded_up(x: Fraction) -> Fraction:
    """A number of at most 24 binary digits, not below x > 0 and above it by 2^-22 x at most."""
    unit = Fraction(2) ** (x.numerator.bit_length() - x.denominator.bit_length() - 22)
    return ceil(x / unit) * unit


def dot(left: Iterable[Fraction], right: Iterable[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))
