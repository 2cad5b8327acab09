"""Exact counts of how often a network bends along a trajectory."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._curves import Given, is_segment, read_curve
from pyexpr._progress import Progress, progress_bar
from pyexpr.certificate import Count, Counts, from_rows
from pyexpr.network import NetworkLike


def count_regions(
    net: NetworkLike,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    kind: Literal["linear", "activation"] = "linear",
    progress: Progress = False,
) -> Count:
    """The number of regions along a trajectory, or on the segment between two points.

    Parameters
    ----------
    net
        Anything that `as_network` takes.
    trajectory, x1
        A trajectory, or two points, array_like [*input_shape]: real numbers that float64 holds
        exactly; never modified.
    kind
        "linear": maximal intervals on which one affine map of x gives the network's output.
        "activation": maximal intervals on which no neuron changes its letter, apart from isolated
        points. On a closed trajectory the region through t = 0 = 1 is one. Corners of the
        trajectory as such end no region.
    progress
        True for a bar on stderr (needs tqdm), or a function to be called now and then with the
        share of the trajectory that is done.

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
    linear = kind == "linear"
    count = _core.count_linear_regions if linear else _core.count_activation_regions
    network, curve = read_curve(net, trajectory, x1)
    with progress_bar(progress, "regions") as tell:
        regions, decisions = count(network._core, curve, tell)
    return Count(regions, from_rows(decisions))


def count_patterns(
    net: NetworkLike,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    progress: Progress = False,
) -> Count:
    """The number of distinct activation patterns along a trajectory.

    Arguments and errors are those of `count_regions`. A pattern's points form a convex set, so that
    on a line no pattern comes back, and this is the number of activation regions; a curve may come
    back to a pattern, and distinct patterns are kept in memory.
    """
    network, curve = read_curve(net, trajectory, x1)
    segment = is_segment(trajectory)
    count = _core.count_activation_regions if segment else _core.count_patterns
    with progress_bar(progress, "patterns") as tell:
        patterns, decisions = count(network._core, curve, tell)
    return Count(patterns, from_rows(decisions))


@overload
def count_transitions(
    net: NetworkLike,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    per: Literal["total"] = "total",
    progress: Progress = False,
) -> Count: ...
@overload
def count_transitions(
    net: NetworkLike,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    per: Literal["layer", "neuron"],
    progress: Progress = False,
) -> Counts: ...
def count_transitions(
    net: NetworkLike,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    per: Literal["total", "layer", "neuron"] = "total",
    progress: Progress = False,
) -> Count | Counts:
    """How often neurons change their letter along a trajectory.

    Parameters
    ----------
    net, trajectory, x1, progress
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
    network, curve = read_curve(net, trajectory, x1)
    with progress_bar(progress, "transitions") as tell:
        counts, decisions = _core.count_transitions(network._core, curve, tell)
    certificate = from_rows(decisions)
    if per == "neuron":
        return Counts(counts, certificate)
    if per == "total":
        return Count(int(counts.sum()), certificate)
    edges = accumulate(network.neurons_per_layer, initial=0)
    sums = np.array([counts[a:b].sum() for a, b in pairwise(edges)], dtype=np.int64)
    return Counts(sums, certificate)
