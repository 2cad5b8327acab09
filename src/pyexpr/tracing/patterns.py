"""The letters along a trace, from the first ones and all that changes."""

from __future__ import annotations

from itertools import accumulate, count
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pyexpr.network import Network
from pyexpr.tracing.masked import BLOCK, Letters, Numbers

if TYPE_CHECKING:
    from pyexpr.tracing.trace import Trace


def consecutive(trace: Trace, start: int, number: int) -> Letters:
    """On `number` intervals: the first's, then what every transition changes."""
    begin, end = np.searchsorted(trace.transitions["breakpoint"], [start, start + number - 1])
    past, here = trace.transitions[:begin], trace.transitions[begin:end]
    letters = np.zeros((number, trace.network.n_neurons), dtype=np.int16)
    letters[0] = trace.first_pattern
    letters[0, places(trace.network, past)] = past["after"]  # of several, the last one stays
    rows = here["breakpoint"] - start + 1
    letters[rows, places(trace.network, here)] = here["after"] - here["before"]
    return np.cumsum(letters, axis=0, dtype=np.int16, out=letters)


def chosen(trace: Trace, intervals: Numbers) -> Letters:
    """On some intervals that do not decrease: int16 [len(intervals), n_neurons]."""
    ends = np.searchsorted(trace.transitions["breakpoint"], intervals)
    where, after = places(trace.network, trace.transitions), trace.transitions["after"]
    current, begin = trace.first_pattern.copy(), 0
    letters = np.empty((len(intervals), len(current)), dtype=np.int16)
    for row, end in enumerate(ends.tolist()):
        current[where[begin:end]] = after[begin:end]  # of several, the last one stays
        letters[row], begin = current, end
    return letters


def count_distinct(trace: Trace) -> int:
    """Exactly: intervals that a random hash takes for alike are compared."""
    for seed in count():
        _, first, same = np.unique(
            _hashes(trace, seed), axis=0, return_index=True, return_inverse=True
        )
        if _are_alike(trace, first[same.reshape(-1)]):
            break
    return len(first)


def _hashes(trace: Trace, seed: int) -> npt.NDArray[np.uint64]:
    """Of every interval, the exclusive or of a number for each letter that is not the first's."""
    changes = trace.transitions
    letters = [changes[name].astype(np.int64) for name in ("before", "after")]
    keys = places(trace.network, changes) * 2**16 + letters
    values, key = np.unique(keys, return_inverse=True)
    bits = np.random.default_rng(seed).integers(2**64, size=(len(values), 2), dtype=np.uint64)
    before, after = bits[key.reshape(2, -1)]
    hashes = np.bitwise_xor.accumulate(before ^ after)
    # At a seam that is a breakpoint there is no interval behind it.
    last = np.flatnonzero(np.diff(changes["breakpoint"], append=-1))[: trace.n_intervals - 1]
    return np.concatenate([np.zeros((1, 2), dtype=np.uint64), hashes[last]])


def _are_alike(trace: Trace, earlier: Numbers) -> bool:
    """Whether every interval i has the letters of interval earlier[i] <= i."""
    repeated = np.flatnonzero(earlier != np.arange(len(earlier)))
    step = max(1, BLOCK // max(1, trace.network.n_neurons))
    for block in np.split(repeated, range(step, len(repeated), step)):
        order = np.argsort(earlier[block], kind="stable")
        if (chosen(trace, block)[order] != chosen(trace, earlier[block][order])).any():
            return False
    return True


def places(network: Network, transitions: npt.NDArray[np.void]) -> Numbers:
    """Graph order of the neurons that change."""
    starts = np.array([*accumulate(network.neurons_per_layer, initial=0)], dtype=np.int64)
    numbers: Numbers = starts[transitions["layer"]] + transitions["neuron"]
    return numbers
