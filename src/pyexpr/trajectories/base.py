"""What all trajectories have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, real_array, real_number
from pyexpr.trajectories.clock import Clock
from pyexpr.trajectories.length import length_of
from pyexpr.trajectories.piece import Piece
from pyexpr.trajectories.points import Shape

_LEAST_RTOL = 1e-14


class Trajectory:
    """A curve x(t), t in [0, 1], of pieces that join exactly.

    The base class of `Line`, `Polyline`, `Arc`, `Circle`, `Bezier`, `Spline` and `Chain`, and not
    to be made itself. Immutable; trajectories are compared by identity. The numbers given define
    the curve in real arithmetic; only what is evaluated on it is rounded to float64.
    """

    __slots__ = ("__weakref__", "_clock", "_closed", "_pieces", "_shape")

    _shape: Shape
    _pieces: tuple[Piece, ...]
    _clock: Clock
    _closed: bool

    def __init__(
        self, shape: Shape, pieces: Iterable[Piece], clock: Clock, closed: bool = False
    ) -> None:
        """Of pieces that the makers of trajectories have checked."""
        self._shape = shape
        self._pieces = tuple(pieces)
        self._clock = clock
        self._closed = closed

    @property
    def shape(self) -> Shape:
        """The shape of a point."""
        return self._shape

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The curve exactly: each `pyexpr.trajectories.Piece` ends where the next one starts."""
        return self._pieces

    @property
    def closed(self) -> bool:
        """Whether x(0) and x(1) are one point of the curve, where it goes on."""
        return self._closed

    def __call__(self, t: npt.ArrayLike) -> FloatArray:
        """x(t): float64 [*np.shape(t), *shape].

        Raises
        ------
        TypeError
            `t` does not hold real numbers.
        ValueError
            `t` is not within [0, 1], or not exact in float64.
        """
        return self._evaluate(Piece.position, *self.locate(t))

    def velocity(self, t: npt.ArrayLike) -> FloatArray:
        """dx/dt: float64 [*np.shape(t), *shape]; where pieces join, that of the later one.

        Raises
        ------
        TypeError, ValueError
            As for x(t).
        """
        piece, u = self.locate(t)
        rates = self._clock.rate(piece, u).reshape(u.shape + (1,) * len(self.shape))
        velocity: FloatArray = self._evaluate(Piece.velocity, piece, u) / rates
        return velocity

    def locate(self, t: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """The piece that t is on, counted from 0, and u there: int64 and float64, of t's shape.

        Where pieces join, the later one. u is the piece's own parameter: see
        `pyexpr.trajectories.Piece`.

        Raises
        ------
        TypeError, ValueError
            As for x(t).
        """
        times = real_array("t", t)
        outside = (times < 0) | (times > 1)
        if outside.any():
            raise ValueError(f"t holds {times[outside][0]}; t runs from 0 to 1")
        return self._clock.locate(times)

    def parameter(self, piece: npt.ArrayLike, u: npt.ArrayLike) -> FloatArray:
        """t where `locate(t)` is (piece, u): float64, of the shape that both broadcast to.

        Accurate to about an ulp of 1; along the trajectory the t of one call never decrease.

        Parameters
        ----------
        piece : array_like of integers
            Counted from 0.
        u : array_like
            Within [start, end] of its piece.

        Raises
        ------
        IndexError
            There is no such piece.
        TypeError
            `piece` does not hold integers, or `u` no real numbers.
        ValueError
            `u` is not on its piece, or the shapes do not fit.
        """
        return self._clock.parameter(*self._places(piece, u))

    def rate(self, piece: npt.ArrayLike, u: npt.ArrayLike) -> FloatArray:
        """dt/du: float64, of the shape that both broadcast to.

        Parameters
        ----------
        piece, u : array_like
            As for `parameter`.

        Raises
        ------
        IndexError, TypeError, ValueError
            As for `parameter`.
        """
        return self._clock.rate(*self._places(piece, u))

    def length(self, rtol: float = 1e-10) -> float:
        """The length of the curve, in the Euclidean norm of flat points.

        Of segments, the sum of their lengths. On other pieces |dx/du| is integrated by the Gauss
        rule of 16 nodes, halving intervals until halving changes each by less than rtol / 10 of the
        piece's length: an estimate, and no proven bound.

        Parameters
        ----------
        rtol
            The relative error, within [1e-14, 1).

        Raises
        ------
        TypeError, ValueError
            `rtol` is no such number.
        """
        relative = real_number("rtol", rtol)
        if not _LEAST_RTOL <= relative < 1:
            raise ValueError(f"rtol is {relative}; it must be at least {_LEAST_RTOL} and below 1")
        return math.fsum(length_of(piece, relative) for piece in self.pieces)

    def reversed(self) -> Trajectory:
        """The same curve exactly, run the other way: x(1 - t)."""
        return Reversed(self)

    def __repr__(self) -> str:
        dimensions = f"{'x'.join(map(str, self.shape))}-dimensional" if self.shape else "scalar"
        closed = ["closed"] if self.closed else []
        return f"{type(self).__name__}({', '.join([dimensions, *self._details(), *closed])})"

    def _details(self) -> list[str]:
        """What `repr` says besides the dimensions."""
        return []

    def _evaluate(
        self,
        function: Callable[[Piece, FloatArray], FloatArray],
        piece: npt.NDArray[np.int64],
        u: FloatArray,
    ) -> FloatArray:
        """A function of pieces and u [k], at places in any order."""
        out = np.empty((u.size, math.prod(self.shape)))
        order = np.argsort(piece, axis=None, kind="stable")
        # zip: of no places, np.split still makes one part.
        numbers, starts = np.unique(piece.reshape(-1)[order], return_index=True)
        for number, places in zip(numbers, np.split(order, starts[1:]), strict=False):
            out[places] = function(self.pieces[number], u.reshape(-1)[places])
        return out.reshape(u.shape + self.shape)

    def _places(
        self, piece: npt.ArrayLike, u: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        numbers = np.asarray(piece)
        if numbers.dtype.kind not in "iu":
            raise TypeError(f"piece has dtype {numbers.dtype}; it must hold integers")
        wrong = (numbers < 0) | (numbers >= len(self.pieces))
        if wrong.any():
            raise IndexError(f"piece {numbers[wrong][0]} is not among the {len(self.pieces)}")
        values = real_array("u", u)
        try:
            numbers, values = np.broadcast_arrays(numbers.astype(np.int64), values)
        except ValueError as error:
            raise ValueError(
                f"piece has shape {numbers.shape} and u {values.shape}; they must broadcast"
            ) from error
        self._require_on_pieces(numbers, values)
        return numbers, values

    def _require_on_pieces(self, piece: npt.NDArray[np.int64], u: FloatArray) -> None:
        off = (u < self._clock.starts[piece]) | (u > self._clock.ends[piece])
        if off.any():
            there = self.pieces[piece[off][0]]
            raise ValueError(
                f"u holds {u[off][0]}, but piece {piece[off][0]} runs from {there.start} to "
                f"{there.end}"
            )


class Reversed(Trajectory):
    """Another trajectory run the other way."""

    __slots__ = ("_original",)

    _original: Trajectory

    def __init__(self, original: Trajectory) -> None:
        pieces = [piece.reversed() for piece in original.pieces[::-1]]
        super().__init__(original.shape, pieces, original._clock.reversed(), original.closed)
        self._original = original

    def reversed(self) -> Trajectory:
        """The trajectory that this one is the reverse of."""
        return self._original

    def __repr__(self) -> str:
        return f"{self._original!r}.reversed()"
