"""Exact counts of how often a network bends on the segment from x0 to x1."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import end_points, shape_of
from pyexpr.certificate import Count, Counts, from_rows
from pyexpr.network import NetworkLike, as_network


def count_regions(
    net: NetworkLike,
    x0: npt.ArrayLike,
    x1: npt.ArrayLike,
    *,
    kind: Literal["linear", "activation"] = "linear",
) -> Count:
    """The number of regions on the segment.

    Parameters
    ----------
    net
        Anything that `as_network` takes.
    x0, x1 : array_like [*input_shape]
        Real numbers that float64 holds exactly; never modified.
    kind
        "linear": maximal intervals on which the network's output is affine. "activation": maximal
        intervals on which no neuron changes its letter, apart from isolated points.

    Returns
    -------
    Count
        An int; its `certificate` says how it was proved.

    Raises
    ------
    TypeError
        An argument of the wrong kind, such as complex numbers.
    ValueError
        A wrong shape, a number that is not finite or not exact in float64, an unknown `kind`.
    OverflowError
        A number inside the network is beyond float64.
    """
    if kind not in ("linear", "activation"):
        raise ValueError(f'kind is {kind!r}; it must be "linear" or "activation"')
    network = as_network(net, input_shape=shape_of(x0))
    segment = end_points(x0, x1, network.input_shape)
    linear = kind == "linear"
    count = _core.count_linear_regions if linear else _core.count_activation_regions
    regions, decisions = count(network._core, *segment)
    return Count(regions, from_rows(decisions))


def count_patterns(net: NetworkLike, x0: npt.ArrayLike, x1: npt.ArrayLike) -> Count:
    """The number of distinct activation patterns on the segment.

    A pattern's points form a convex set, so on a line no pattern comes back, and this is the
    number of activation regions. Arguments and errors are those of `count_regions`.
    """
    return count_regions(net, x0, x1, kind="activation")


@overload
def count_transitions(
    net: NetworkLike, x0: npt.ArrayLike, x1: npt.ArrayLike, *, per: Literal["total"] = "total"
) -> Count: ...
@overload
def count_transitions(
    net: NetworkLike, x0: npt.ArrayLike, x1: npt.ArrayLike, *, per: Literal["layer", "neuron"]
) -> Counts: ...
def count_transitions(
    net: NetworkLike,
    x0: npt.ArrayLike,
    x1: npt.ArrayLike,
    *,
    per: Literal["total", "layer", "neuron"] = "total",
) -> Count | Counts:
    """How often neurons change their letter on the segment.

    Parameters
    ----------
    net, x0, x1
        As for `count_regions`.
    per
        "total", "layer" or "neuron".

    Returns
    -------
    Count (an int), or Counts: int64 [hidden layers], or [neurons], layer by layer
        Their `certificate` says how they were proved.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `count_regions`, and for an unknown `per`.
    """
    if per not in ("total", "layer", "neuron"):
        raise ValueError(f'per is {per!r}; it must be "total", "layer" or "neuron"')
    network = as_network(net, input_shape=shape_of(x0))
    segment = end_points(x0, x1, network.input_shape)
    counts, decisions = _core.count_transitions(network._core, *segment)
    certificate = from_rows(decisions)
    if per == "neuron":
        return Counts(counts, certificate)
    if per == "total":
        return Count(int(counts.sum()), certificate)
    edges = accumulate(network.neurons_per_layer, initial=0)
    sums = np.array([counts[a:b].sum() for a, b in pairwise(edges)], dtype=np.int64)
    return Counts(sums, certificate)
