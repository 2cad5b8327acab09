"""Networks at many points, a block at a time so that memory stays bounded; and arguments."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr.graph import Activation, Layer
from pyexpr.network import Network
from pyexpr.tracing.masked import Letters
from pyexpr.tracing.trace import Trace
from pyexpr.trajectories import Trajectory

_BLOCK = 2**22  # numbers in the tensors of one block


def blocks(count: int, network: Network) -> Iterator[slice]:
    """Of the points 0, 1, ..., as many at a time as tensors of this network leave room for."""
    size = sum(math.prod(node.shape) for node in network.graph.nodes)
    step = max(1, _BLOCK // size)
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def outputs_along(network: Network, trajectory: Trajectory, t: FloatArray) -> FloatArray:
    """float64 [len(t), outputs], flat."""
    values = np.empty((len(t), math.prod(network.output_shape)))
    for block in blocks(len(t), network):
        values[block] = network(trajectory(t[block])).reshape(-1, values.shape[1])
    return values


def letters_at(network: Network, x: FloatArray) -> Letters:
    """As float64 arithmetic has them at x [B, n], flat: int16 [B, n_neurons]."""
    found = [np.empty((len(x), 0), np.int16)]

    def activate(number: int, z: FloatArray) -> FloatArray:
        layer = network.graph.layers[number]
        found.append((_pieces(layer, z) + layer.first_letter).astype(np.int16))
        return layer.evaluate(z)

    network.graph.evaluate(x, activate)
    return np.concatenate(found, axis=1)


def require_trace(trace: Trace) -> None:
    """Refuse all else."""
    if not isinstance(trace, Trace):
        raise TypeError(f"trace is {type(trace).__name__}; it must be what pyexpr.trace returns")


def require_samples(samples: int) -> int:
    """At least 2."""
    count = operator.index(samples)
    if count < 2:
        raise ValueError(f"samples is {count}; it must be at least 2")
    return count


def chosen(name: str, numbers: Iterable[int] | None, count: int) -> list[int]:
    """The numbers as those of a list of this length; all if None.

    Raises
    ------
    IndexError
        One is beyond the list.
    TypeError
        They are no integers.
    ValueError
        There are none.
    """
    if numbers is None:
        return [*range(count)]
    if not isinstance(numbers, Iterable):
        raise TypeError(f"{name} is {numbers!r}; it must be a list of integers")
    picked = [operator.index(number) for number in numbers]
    if not picked:
        raise ValueError(f"{name} is empty; name at least one, or leave it out for all")
    for number in picked:
        if not -count <= number < count:
            raise IndexError(f"{name} holds {number}, but there are {count}, counted from 0")
    return [number % count for number in picked]


def _pieces(layer: Layer, z: FloatArray) -> npt.NDArray[np.int64]:
    """What each neuron does, counted from 0, at pre-activations [B, source's size]."""
    if isinstance(layer, Activation):
        return np.searchsorted(layer.function.breakpoints, z)
    entries = np.where(layer.windows >= 0, z[:, layer.windows], -np.inf)
    places: npt.NDArray[np.int64] = entries.argmax(axis=-1)
    return places
