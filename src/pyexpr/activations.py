"""Continuous piecewise-linear functions of one variable, applied to every neuron of a layer."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, read_only, real_array, real_number
from pyexpr._text import plural

MAX_BREAKPOINTS = 100  # so that letters fit int8
_INT8 = np.iinfo(np.int8)


@dataclass(frozen=True, init=False, eq=False, repr=False)
class PiecewiseLinear:
    """The continuous function phi with phi(breakpoints[0]) = value and given slopes.

    Immutable; equal and hashed by value. A neuron's letter, which names its piece, is
    `first_letter` plus the number of breakpoints that its pre-activation has passed.

    Parameters
    ----------
    breakpoints : array_like [K]
        Strictly increasing, 1 <= K <= 100.
    slopes : array_like [K + 1] or [n, K + 1]
        The slope on every piece, from left to right; one row for all neurons, or one a neuron.
    value : float
        phi(breakpoints[0]).
    first_letter : int
        The letter of the leftmost piece; all letters must fit int8.

    Attributes
    ----------
    breakpoints, slopes : float64, read-only
    value : float
    first_letter : int

    Raises
    ------
    TypeError
        An argument does not hold real numbers, or `first_letter` is no integer.
    ValueError
        A wrong shape, breakpoints that do not increase, or a number that is not finite or not
        exact in float64.
    """

    breakpoints: FloatArray
    slopes: FloatArray
    value: float
    first_letter: int

    def __init__(
        self,
        breakpoints: npt.ArrayLike,
        slopes: npt.ArrayLike,
        value: float = 0.0,
        *,
        first_letter: int = 0,
    ) -> None:
        # Adding 0.0 copies, and turns -0.0 into 0.0, so that equal functions have equal hashes.
        knots = read_only(_breakpoints(breakpoints) + 0.0)
        set_field = partial(object.__setattr__, self)
        set_field("breakpoints", knots)
        set_field("slopes", read_only(_slopes(slopes, len(knots) + 1) + 0.0))
        set_field("value", real_number("value", value) + 0.0)
        set_field("first_letter", _first_letter(first_letter, len(knots)))

    def __call__(self, z: npt.ArrayLike) -> FloatArray:
        """phi(z), float64, of z's shape; z is [..., n] if every neuron has its own slopes.

        Raises
        ------
        TypeError, ValueError
            z is not real and finite, or its last axis does not fit the slopes.
        """
        points = real_array("z", z)
        if self.n_neurons is not None and points.shape[-1:] != (self.n_neurons,):
            raise ValueError(f"z has shape {points.shape}; it must be [..., {self.n_neurons}]")
        return self.evaluate(points)

    def evaluate(self, z: FloatArray) -> FloatArray:
        """phi(z) without checks, for arrays that are float64 already; a new array."""
        if self._is_relu:
            return np.maximum(z, 0.0)
        if self._is_clip:
            return np.clip(z, *self.breakpoints)
        slopes, offsets = self.coefficients(np.searchsorted(self.breakpoints, z))
        result: FloatArray = slopes * z + offsets
        return result

    def coefficients(self, pieces: npt.NDArray[np.integer[Any]]) -> tuple[FloatArray, FloatArray]:
        """Slopes and offsets: phi(z) = slope z + offset where z is on the given piece; unchecked.

        Parameters
        ----------
        pieces : integers [..., n]
            The number of breakpoints passed by every neuron.

        Returns
        -------
        slopes, offsets : float64 [..., n]
        """
        if self.n_neurons is None:
            return self.slopes[pieces], self._offsets[pieces]
        neurons = np.arange(self.n_neurons)
        return self.slopes[neurons, pieces], self._offsets[neurons, pieces]

    @property
    def n_neurons(self) -> int | None:
        """How many neurons the slopes are for; None if for any number, all alike."""
        return len(self.slopes) if self.slopes.ndim == 2 else None

    @cached_property
    def _offsets(self) -> FloatArray:
        """The offset on every piece, of the slopes' shape: exact, then rounded once."""
        rows = [_offsets(self.breakpoints, row, self.value) for row in np.atleast_2d(self.slopes)]
        return np.reshape(rows, self.slopes.shape)

    @cached_property
    def _is_relu(self) -> bool:
        knots, slopes = self.breakpoints.tolist(), self.slopes.tolist()
        return knots == [0.0] and slopes == [0.0, 1.0] and self.value == 0.0

    @cached_property
    def _is_clip(self) -> bool:
        return self.slopes.tolist() == [0.0, 1.0, 0.0] and self.value == float(self.breakpoints[0])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PiecewiseLinear) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        arrays = (self.breakpoints.tobytes(), self.slopes.shape, self.slopes.tobytes())
        return *arrays, self.value, self.first_letter

    def __reduce__(self) -> tuple[Callable[..., PiecewiseLinear], tuple[object, ...]]:
        # Through the constructor: numpy forgets that an array was read-only.
        make = partial(PiecewiseLinear, first_letter=self.first_letter)
        return make, (self.breakpoints, self.slopes, self.value)

    def __repr__(self) -> str:
        slopes = np.array2string(
            self.slopes, separator=", ", threshold=2 * MAX_BREAKPOINTS, floatmode="unique"
        )
        return (
            f"PiecewiseLinear({self.breakpoints.tolist()}, {' '.join(slopes.split())}, "
            f"{self.value}, first_letter={self.first_letter})"
        )

    def __str__(self) -> str:
        """A short name, such as ReLU or LeakyReLU(0.01)."""
        knots, slopes = self.breakpoints.tolist(), self.slopes
        for make in BY_NAME.values():
            if make not in (LeakyReLU, HardTanh) and self == make():  # these tell their numbers
                return make.__name__
        if self._is_clip:
            name = "HardTanh" if self.first_letter == -1 else "Clip"
            return f"{name}({knots[0]:g}, {knots[1]:g})"
        if knots == [0.0] and self.value == 0.0 and (slopes[..., 1] == 1.0).all():
            return "PReLU" if slopes.ndim == 2 else f"LeakyReLU({slopes[0]:g})"
        return f"PiecewiseLinear with {plural(len(knots), 'breakpoint')}"


ActivationLike: TypeAlias = str | PiecewiseLinear


def ReLU() -> PiecewiseLinear:
    """max(0, z); letters 0 and 1.

    Returns
    -------
    PiecewiseLinear
    """
    return PiecewiseLinear([0.0], [0.0, 1.0])


def LeakyReLU(negative_slope: float = 0.01) -> PiecewiseLinear:
    """z for z > 0, negative_slope z below; letters 0 and 1.

    Parameters
    ----------
    negative_slope
        The slope for z < 0.

    Returns
    -------
    PiecewiseLinear

    Raises
    ------
    TypeError, ValueError
        `negative_slope` is no finite real number that float64 holds exactly.
    """
    return PiecewiseLinear([0.0], [real_number("negative_slope", negative_slope), 1.0])


def PReLU(negative_slopes: npt.ArrayLike) -> PiecewiseLinear:
    """Leaky ReLU with a slope of its own for every neuron; letters 0 and 1.

    Parameters
    ----------
    negative_slopes : array_like [n]
        The slope of each neuron of the layer for z < 0.

    Returns
    -------
    PiecewiseLinear

    Raises
    ------
    TypeError, ValueError
        `negative_slopes` is no vector of finite real numbers that float64 holds exactly.
    """
    below = real_array("negative_slopes", negative_slopes, 1)
    return PiecewiseLinear([0.0], np.column_stack([below, np.ones_like(below)]))


def HardTanh(low: float = -1.0, high: float = 1.0) -> PiecewiseLinear:
    """z clipped to [low, high]; letters -1, 0 and 1.

    Parameters
    ----------
    low, high
        Where it starts and ends to rise; low < high.

    Returns
    -------
    PiecewiseLinear

    Raises
    ------
    TypeError, ValueError
        `low` or `high` is no finite real number that float64 holds exactly, or low >= high.
    """
    return _clip(low, high, first_letter=-1)


def Clip(low: float, high: float) -> PiecewiseLinear:
    """z clipped to [low, high]; letters 0, 1 and 2.

    Parameters
    ----------
    low, high
        Where it starts and ends to rise; low < high.

    Returns
    -------
    PiecewiseLinear

    Raises
    ------
    TypeError, ValueError
        `low` or `high` is no finite real number that float64 holds exactly, or low >= high.
    """
    return _clip(low, high, first_letter=0)


def ReLU6() -> PiecewiseLinear:
    """z clipped to [0, 6]; letters 0, 1 and 2.

    Returns
    -------
    PiecewiseLinear
    """
    return Clip(0.0, 6.0)


def HardSigmoid() -> PiecewiseLinear:
    """0 below -3, 1 above 3, and slope 1/6, rounded to float64, between; letters 0, 1 and 2.

    Returns
    -------
    PiecewiseLinear
    """
    return PiecewiseLinear([-3.0, 3.0], [0.0, 1.0 / 6.0, 0.0])


def Abs() -> PiecewiseLinear:
    """|z|; letters 0 and 1.

    Returns
    -------
    PiecewiseLinear
    """
    return PiecewiseLinear([0.0], [-1.0, 1.0])


# The first of two names of one function is the one that is written to files.
BY_NAME: dict[str, Callable[[], PiecewiseLinear]] = {
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "hard_tanh": HardTanh,
    "hardtanh": HardTanh,
    "relu6": ReLU6,
    "hard_sigmoid": HardSigmoid,
    "abs": Abs,
}


def as_activation(name: str, value: object) -> PiecewiseLinear:
    """A PiecewiseLinear as it is, or the one with this name; errors call the argument `name`."""
    if isinstance(value, PiecewiseLinear):
        return value
    known = ", ".join(map(repr, BY_NAME))
    if not isinstance(value, str):
        raise TypeError(
            f"{name} is {reprlib.repr(value)} ({type(value).__name__}); "
            f"it must be a PiecewiseLinear, such as pyexpr.ReLU(), or one of {known}"
        )
    if value not in BY_NAME:
        raise ValueError(f"{name} is {reprlib.repr(value)}; the names known are {known}")
    return BY_NAME[value]()


def _clip(low: float, high: float, *, first_letter: int) -> PiecewiseLinear:
    low, high = real_number("low", low), real_number("high", high)
    if low >= high:
        raise ValueError(f"low is {low} and high is {high}; low must be the smaller")
    return PiecewiseLinear([low, high], [0.0, 1.0, 0.0], low, first_letter=first_letter)


def _breakpoints(value: object) -> FloatArray:
    knots = real_array("breakpoints", value, 1)
    if not 1 <= len(knots) <= MAX_BREAKPOINTS:
        raise ValueError(f"breakpoints has {len(knots)} entries, not 1 to {MAX_BREAKPOINTS}")
    if (falls := np.flatnonzero(knots[1:] <= knots[:-1])).size:
        left, right = knots[falls[0] : falls[0] + 2]
        raise ValueError(f"breakpoints must strictly increase, but {right} follows {left}")
    return knots


def _slopes(value: object, pieces: int) -> FloatArray:
    slopes = real_array("slopes", value, 1, 2)
    if slopes.shape[-1] != pieces or not slopes.size:
        raise ValueError(
            f"slopes has shape {slopes.shape}; for {plural(pieces - 1, 'breakpoint')} "
            f"it must be [{pieces}], or [n, {pieces}] with a row for each of n neurons"
        )
    return slopes


def _first_letter(value: int, breakpoints: int) -> int:
    try:
        letter = operator.index(value)
    except TypeError:
        raise TypeError(f"first_letter is {value!r}; it must be an integer") from None
    if not _INT8.min <= letter <= _INT8.max - breakpoints:
        raise ValueError(
            f"first_letter is {reprlib.repr(letter)}; with {plural(breakpoints, 'breakpoint')} "
            f"it must be from {_INT8.min} to {_INT8.max - breakpoints}"
        )
    return letter


def _offsets(breakpoints: FloatArray, slopes: FloatArray, value: float) -> list[float]:
    knots = [Fraction(x) for x in breakpoints.tolist()]
    steps = [Fraction(x) for x in slopes.tolist()]
    offsets = [Fraction(value) - steps[0] * knots[0]]
    for k, knot in enumerate(knots):
        offsets.append(offsets[k] + (steps[k] - steps[k + 1]) * knot)
    return [_nearest(offset) for offset in offsets]


def _nearest(x: Fraction) -> float:
    try:
        return float(x)
    except OverflowError:
        return float("inf") if x > 0 else float("-inf")
