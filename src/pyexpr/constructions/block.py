"""Hidden layers that are read through a few numbers, and the networks that they make."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr.activations import PiecewiseLinear
from pyexpr.network import Network

RationalArray: TypeAlias = npt.NDArray[np.object_]  # of Fractions


@dataclass(frozen=True, eq=False)
class Block:
    """h = activation(gains @ z + offsets), of which what follows reads readout @ h + shift.

    Attributes
    ----------
    gains : Fractions [neurons, read]
    offsets : Fractions [neurons]
    readout : Fractions [given, neurons]
    shift : Fractions [given]
    """

    gains: RationalArray
    offsets: RationalArray
    readout: RationalArray
    shift: RationalArray

    def flipped(self, target: Fraction) -> Block:
        """`target` minus what this gives."""
        return replace(self, readout=-self.readout, shift=target - self.shift)


def scalar_block(
    gains: Sequence[Fraction],
    offsets: Sequence[Fraction],
    readout: Sequence[Fraction],
    shift: Fraction,
) -> Block:
    """Of neurons that read one number and are read as one."""
    return Block(
        rationals([[gain] for gain in gains]),
        rationals(offsets),
        rationals([readout]),
        rationals([shift]),
    )


def rationals(numbers: Any) -> RationalArray:
    """An array of the Fractions that numbers are, of their shape."""
    given = np.array(numbers, dtype=object)
    return np.array([Fraction(x) for x in given.flat], dtype=object).reshape(given.shape)


def network(
    blocks: Iterable[Block],
    outputs: int,
    activation: PiecewiseLinear | Sequence[PiecewiseLinear],
    *,
    reader: Sequence[Sequence[Fraction | int]],
) -> Network:
    """The network in which each block reads the one before; output k is k times the last one's.

    Parameters
    ----------
    blocks
        The last gives one number.
    reader : Fractions or integers [read by the first block, inputs]

    Raises
    ------
    ValueError
        float64 cannot hold a weight exactly.
    """
    readout: RationalArray = rationals(reader)
    shift = rationals([0] * len(reader))
    layers = []
    for block in blocks:
        layers.append((block.gains @ readout, block.gains @ shift + block.offsets))
        readout, shift = block.readout, block.shift
    multiples = rationals([[k + 1] for k in range(outputs)])
    layers.append((multiples @ readout, multiples @ shift))
    return Network.dense([(_floats(W), _floats(b)) for W, b in layers], activation)


def _floats(numbers: RationalArray) -> FloatArray:
    return np.array([_float(x) for x in numbers.flat]).reshape(numbers.shape)


def _float(x: Fraction) -> float:
    try:
        nearest = float(x)
    except OverflowError:
        nearest = math.inf
    if nearest == math.inf or nearest.as_integer_ratio() != x.as_integer_ratio():
        raise ValueError(
            f"a weight of the construction is {x}, which float64 cannot hold exactly; smaller "
            "sizes or an activation with rounder numbers will do"
        )
    return nearest
