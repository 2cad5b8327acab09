"""What a result rests on: the decisions taken, and which tier of arithmetic proved them."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

_TIERS = ("float64", "weights", "adjoint", "double-double", "integers")


class Decisions(NamedTuple):
    """Decisions of one kind.

    Attributes
    ----------
    asked : int
        All of them.
    filtered, proportional, adjoint, extended, exact : int
        How many of them each tier settled: float64 with a running error bound, weights and letters
        alone (two neurons' weights are proportional, or what one reads is off or cancels), float64
        sensitivities on one interval, double-double arithmetic on one interval, exact integers.
    smallest_gap : float
        How close the closest decision that is no tie was to one (inf if there was none), as the
        tier that decided computed it. Of a sign, |z - threshold| relative to |(w, b)| |(h, 1)|, the
        norms of the neuron's weights and inputs; of an order, the distance of the breakpoints in t;
        of slopes, their difference relative to the larger (not known of those that `adjoint`
        settled). On curves those that `exact` settled are not counted here.
    """

    asked: int
    proportional: int
    adjoint: int
    extended: int
    exact: int
    smallest_gap: float

    @property
    def filtered(self) -> int:
        """How many float64 with a running error bound settled: what no later tier did."""
        return self.asked - self.proportional - self.adjoint - self.extended - self.exact


class Certificate(NamedTuple):
    """All decisions behind a result: see docs/mathematics/proof.md.

    Attributes
    ----------
    signs : Decisions
        Whether a neuron's pre-activation at an end or a breakpoint is above, below or at a
        breakpoint of its activation.
    orders : Decisions
        Which of two breakpoints comes first, or that they are equal.
    slopes : Decisions
        Whether the network's output changes its slope at a breakpoint.
    positions : Decisions
        Which float64 is nearest to a breakpoint; these have no gap.
    """

    signs: Decisions
    orders: Decisions
    slopes: Decisions
    positions: Decisions

    @property
    def total(self) -> Decisions:
        """Decisions of every kind, and the smallest of their gaps."""
        return _together(self)

    @classmethod
    def together(cls, certificates: Iterable[Certificate]) -> Certificate:
        """One certificate for several results: sums of their decisions, and the smallest gaps."""
        return cls(*map(_together, zip(*certificates, strict=True)))

    def __str__(self) -> str:
        header = ("decisions", "asked", *_TIERS, "gap")
        named = [*zip(self._fields, self, strict=True), ("total", self.total)]
        rows = [header, *((name, *_cells(decisions)) for name, decisions in named)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        )


class Count(int):
    """An int that carries the certificate of its proof; arithmetic with it gives plain ints.

    Attributes
    ----------
    certificate : Certificate
    """

    certificate: Certificate

    def __new__(cls, value: int, certificate: Certificate) -> Count:
        self = super().__new__(cls, value)
        self.certificate = certificate
        return self

    def __reduce__(self) -> tuple[type[Count], tuple[int, Certificate]]:
        return Count, (int(self), self.certificate)


class Counts(np.ndarray[Any, np.dtype[np.int64]]):
    """An int64 array that carries the certificate of its proof.

    Attributes
    ----------
    certificate : Certificate or None
        None of arrays that are computed from it.
    """

    certificate: Certificate | None = None

    def __new__(cls, counts: npt.NDArray[np.int64], certificate: Certificate) -> Counts:
        self = counts.view(cls)
        self.certificate = certificate
        return self


def _together(decisions: Iterable[Decisions]) -> Decisions:
    kinds = [*decisions]
    return Decisions(
        sum(kind.asked for kind in kinds),
        sum(kind.proportional for kind in kinds),
        sum(kind.adjoint for kind in kinds),
        sum(kind.extended for kind in kinds),
        sum(kind.exact for kind in kinds),
        min(kind.smallest_gap for kind in kinds),
    )


def from_rows(rows: Any) -> Certificate:
    """From (asked, proportional, adjoint, extended, exact, smallest_gap) of each kind."""
    return Certificate(*(Decisions(*row) for row in rows))


def _cells(decisions: Decisions) -> list[str]:
    asked, *later, gap = decisions
    numbers = [asked, decisions.filtered, *later]
    return [*(f"{number:,}" for number in numbers), "-" if gap == inf else f"{gap:.1e}"]
