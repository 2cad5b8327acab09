"""How the parameter t of a trajectory runs through its pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr._frozen import Remade, frozen

Numbers = npt.NDArray[np.int64]

_LEAST_SHARE = 2.0**-52  # of t; two knots closer than this would fall together when reversed


@dataclass(frozen=True, eq=False)
class Clock(Remade):
    """t from knots[i] to knots[i + 1] takes piece i from u = starts[i] to u = ends[i].

    Attributes
    ----------
    knots : float64 [P + 1]
        From 0 to 1.
    starts, ends : float64 [P]
    turns : int64 [P]
        0 where t runs evenly in u, 1 where evenly in the angle 2 atan(u), and -1 where evenly in
        the angle 2 atan(1 - u), backwards.

    Raises
    ------
    ValueError
        A piece has no share of t that float64 can tell from none.
    """

    knots: FloatArray
    starts: FloatArray
    ends: FloatArray
    turns: Numbers

    def __post_init__(self) -> None:
        shares = np.diff(self.knots)
        least = int(shares.argmin())
        if shares[least] < _LEAST_SHARE:
            raise ValueError(
                f"piece {least} would have a share of {shares[least]:.3g} in t; it must have at "
                "least 2^-52, so make the knots increase by more or join fewer pieces"
            )
        for name in ("knots", "starts", "ends", "turns"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @classmethod
    def even(cls, count: int, knots: FloatArray | None = None) -> Clock:
        """For pieces with u in [0, 1]; with equal shares of t unless the knots are given."""
        if knots is None:
            knots = np.arange(count + 1) / count
        return cls(knots, np.zeros(count), np.ones(count), np.zeros(count, np.int64))

    @classmethod
    def joined(cls, clocks: Sequence[Clock]) -> Clock:
        """One after another, with equal shares of t."""
        knots = [(i + clock.knots[:-1]) / len(clocks) for i, clock in enumerate(clocks)]
        return cls(
            np.concatenate([*knots, [1.0]]),
            np.concatenate([clock.starts for clock in clocks]),
            np.concatenate([clock.ends for clock in clocks]),
            np.concatenate([clock.turns for clock in clocks]),
        )

    def reversed(self) -> Clock:
        """For the pieces reversed, in reversed order."""
        return Clock(
            1 - self.knots[::-1], 1 - self.ends[::-1], 1 - self.starts[::-1], -self.turns[::-1]
        )

    def locate(self, t: FloatArray) -> tuple[Numbers, FloatArray]:
        """Piece and u; at a knot, the start of the later piece."""
        later = np.searchsorted(self.knots, t, side="right") - 1
        piece: Numbers = np.asarray(np.minimum(later, len(self.turns) - 1))
        start, end = self.starts[piece], self.ends[piece]
        begin, span = self._phases(piece)
        share = (t - self.knots[piece]) / self._widths(piece)
        u = np.clip(_u_at(self.turns[piece], begin + span * share), start, end)
        return piece, np.where(share <= 0, start, np.where(share >= 1, end, u))

    def parameter(self, piece: Numbers, u: FloatArray) -> FloatArray:
        """t, nowhere decreasing along the pieces."""
        begin, span = self._phases(piece)
        share = (_phase(self.turns[piece], u) - begin) / span
        left, right = self.knots[piece], self.knots[piece + 1]
        t = np.clip(left + self._widths(piece) * share, left, right)
        t = np.where(u == self.starts[piece], left, np.where(u == self.ends[piece], right, t))
        # An arc tangent within an ulp of the true one need not be monotone.
        flat = t.reshape(-1)
        order = np.lexsort((u.reshape(-1), piece.reshape(-1)))
        flat[order] = np.maximum.accumulate(flat[order])
        return flat.reshape(t.shape)

    def rate(self, piece: Numbers, u: FloatArray) -> FloatArray:
        """dt/du."""
        turn = self.turns[piece]
        _, span = self._phases(piece)
        turning = np.where(turn == 0, 1, 1 + _along(turn, u) ** 2)
        return np.asarray(self._widths(piece) / (span * turning))

    def _widths(self, piece: Numbers) -> FloatArray:
        widths: FloatArray = self.knots[piece + 1] - self.knots[piece]
        return widths

    def _phases(self, piece: Numbers) -> tuple[FloatArray, FloatArray]:
        """The phase at the start of a piece, and what it grows by."""
        begin = _phase(self.turns[piece], self.starts[piece])
        return begin, _phase(self.turns[piece], self.ends[piece]) - begin


def _phase(turn: Numbers, u: FloatArray) -> FloatArray:
    """What t is affine in."""
    return np.where(turn == 0, u, turn * np.arctan(_along(turn, u)))


def _u_at(turn: Numbers, phase: FloatArray) -> FloatArray:
    return _along(turn, np.where(turn == 0, phase, np.tan(turn * phase)))


def _along(turn: Numbers, u: FloatArray) -> FloatArray:
    """u as the arc ran before it was reversed."""
    return np.where(turn < 0, 1 - u, u)
