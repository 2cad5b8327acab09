"""Exact counts of how often a network bends along a trajectory, or along many segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from math import inf
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import FloatArray, shape_of
from pyexpr._batches import Batch, Indices, read_points
from pyexpr._curves import Given, is_segment, read_curve
from pyexpr._progress import Progress, Tell, part_of, progress_bar
from pyexpr._threads import thread_count
from pyexpr.certificate import Certificate, Count, Counts, from_rows
from pyexpr.network import Network, NetworkLike, as_network
from pyexpr.stack import NetworkStack
from pyexpr.trajectories import Trajectory

Kind: TypeAlias = Literal["linear", "activation"]
Per: TypeAlias = Literal["total", "layer", "neuron"]

_Found: TypeAlias = tuple[int | Indices, Certificate]
_Counter: TypeAlias = Callable[[Network, Tell], _Found]

_PAIRS_AT_ONCE = 1 << 18
_WHOLE = np.zeros(2, np.int64)  # edges that are not read
_NOTHING = from_rows([(0, 0, 0, 0, 0, inf)] * 4)


@overload
def count_regions(
    net: NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    kind: Kind = ...,
    threads: int | None = ...,
    progress: Progress = ...,
) -> Counts: ...
@overload
def count_regions(
    net: NetworkLike,
    trajectory: Trajectory,
    *,
    kind: Kind = ...,
    threads: int | None = ...,
    progress: Progress = ...,
) -> Count: ...
@overload
def count_regions(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    kind: Kind = ...,
    threads: int | None = ...,
    progress: Progress = ...,
) -> Any: ...
def count_regions(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    kind: Kind = "linear",
    threads: int | None = None,
    progress: Progress = False,
) -> Count | Counts:
    """The number of regions along a trajectory, on the segment between two points, or on many.

    Parameters
    ----------
    net
        Anything that `as_network` takes, or a NetworkStack.
    trajectory, x1
        A trajectory, or two points, array_like [*input_shape]: real numbers that float64 holds
        exactly; never modified. For many segments at once, each between a row of x0 and a row of
        x1: array_like [lines, *input_shape], where one of them may be a single point; this takes a
        net whose input shape is known, so that a PyTorch module goes through `as_network` first.
    kind
        "linear": maximal intervals on which one affine map of x gives the network's output.
        "activation": maximal intervals on which no neuron changes its letter, apart from isolated
        points. On a closed trajectory the region through t = 0 = 1 is one. Corners of the
        trajectory as such end no region.
    threads
        At most so many threads; None for what PYEXPR_NUM_THREADS says, or for all cores. No result
        depends on it.
    progress
        True for a bar on stderr (needs tqdm), or a function to be called now and then with the
        share of the work that is done.

    Returns
    -------
    Count, or for many segments Counts, int64 [lines]
        An int, or an array; its `certificate` says how it was proved. For a NetworkStack Counts:
        int64 [networks] or [networks, lines], with one certificate for all.

    Raises
    ------
    TypeError
        An argument of the wrong kind, such as complex numbers.
    ValueError
        A wrong shape, a number that is not finite or not exact in float64, an unknown `kind`, no
        thread. Of many points, it names the row.
    OverflowError
        A number inside the network is beyond float64. Of many segments, or of a stack's networks,
        it names the first.
    """
    _check_kind(kind)
    networks, curve = _read(net, trajectory, x1)
    most = thread_count(threads)

    def count(network: Network, tell: Tell) -> _Found:
        if isinstance(curve, Batch):
            return _regions_of_lines(network, kind, curve, most, tell)
        linear = kind == "linear"
        along = _core.count_linear_regions if linear else _core.count_activation_regions
        return _proved(along(network._core, curve, most, tell))

    return _counted(networks, count, progress, "regions")


def count_pairs(
    net: NetworkLike | NetworkStack,
    points: npt.ArrayLike,
    *,
    kind: Kind = "linear",
    threads: int | None = None,
    progress: Progress = False,
) -> Counts:
    """The number of regions on the segments between all pairs of points.

    Memory beyond the points and the result (of a NetworkStack: twice the result) does not grow
    with their number. For a closed loop through the points, count along
    `Polyline(points, closed=True)`.

    Parameters
    ----------
    points : array_like [points, *input_shape]
    net, kind, threads, progress
        As for `count_regions`.

    Returns
    -------
    Counts, int64 [points (points - 1) / 2]
        Of the pairs (0, 1), (0, 2), ..., (1, 2), ...: what `scipy.spatial.distance.squareform`
        turns into a matrix. For a NetworkStack int64 [networks, points (points - 1) / 2].

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `count_regions`; an overflow names the pair by its number.
    """
    _check_kind(kind)
    given = shape_of(points)
    networks = (
        net
        if isinstance(net, NetworkStack)
        else as_network(net, input_shape=None if given is None else given[1:])
    )
    if given is None or given[1:] != networks.input_shape or len(given) == 0:
        raise ValueError(
            f"points has shape {given}, but the network's input is {networks.input_shape}; "
            "give one point a row"
        )
    rows = read_points("points", points, networks.input_shape)
    most = thread_count(threads)

    def count(network: Network, tell: Tell) -> _Found:
        return _regions_of_pairs(network, kind, rows, most, tell)

    counts = _counted(networks, count, progress, "pairs")
    assert isinstance(counts, Counts)
    return counts


@overload
def count_patterns(
    net: NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    threads: int | None = ...,
    progress: Progress = ...,
) -> Counts: ...
@overload
def count_patterns(
    net: NetworkLike,
    trajectory: Trajectory,
    *,
    threads: int | None = ...,
    progress: Progress = ...,
) -> Count: ...
@overload
def count_patterns(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    threads: int | None = ...,
    progress: Progress = ...,
) -> Any: ...
def count_patterns(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    threads: int | None = None,
    progress: Progress = False,
) -> Count | Counts:
    """The number of distinct activation patterns along a trajectory, or on many segments.

    Arguments, result and errors are those of `count_regions`. A pattern's points form a convex set,
    so that on a line no pattern comes back, and this is the number of activation regions; a curve
    may come back to a pattern, and distinct patterns are kept in memory.
    """
    networks, curve = _read(net, trajectory, x1)
    most = thread_count(threads)

    def count(network: Network, tell: Tell) -> _Found:
        if isinstance(curve, Batch):
            return _regions_of_lines(network, "activation", curve, most, tell)
        segment = is_segment(trajectory)
        along = _core.count_activation_regions if segment else _core.count_patterns
        return _proved(along(network._core, curve, most, tell))

    return _counted(networks, count, progress, "patterns")


@overload
def count_transitions(
    net: NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    per: Per = ...,
    threads: int | None = ...,
    progress: Progress = ...,
) -> Counts: ...
@overload
def count_transitions(
    net: NetworkLike,
    trajectory: Trajectory,
    *,
    per: Literal["total"] = ...,
    threads: int | None = ...,
    progress: Progress = ...,
) -> Count: ...
@overload
def count_transitions(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    per: Literal["layer", "neuron"],
    threads: int | None = ...,
    progress: Progress = ...,
) -> Counts: ...
@overload
def count_transitions(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    per: Literal["total"] = ...,
    threads: int | None = ...,
    progress: Progress = ...,
) -> Any: ...
def count_transitions(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    per: Per = "total",
    threads: int | None = None,
    progress: Progress = False,
) -> Count | Counts:
    """How often neurons change their letter along a trajectory, or on many segments.

    Parameters
    ----------
    net, trajectory, x1, threads, progress
        As for `count_regions`.
    per
        "total", "layer" or "neuron".

    Returns
    -------
    Count (an int), or Counts: int64 [hidden layers], or [neurons], layer by layer
        For many segments Counts: int64 [lines], [lines, hidden layers] or [lines, neurons]; for a
        NetworkStack with a first axis of the networks before these. Their `certificate` says how
        they were proved.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `count_regions`, and for an unknown `per`.
    """
    if per not in ("total", "layer", "neuron"):
        raise ValueError(f'per is {per!r}; it must be "total", "layer" or "neuron"')
    networks, curve = _read(net, trajectory, x1)
    most, edges = thread_count(threads), _edges(networks.neurons_per_layer, per)

    def count(network: Network, tell: Tell) -> _Found:
        if isinstance(curve, Batch):
            sums, certificate = _proved(
                _core.count_lines(network._core, "transitions", *curve, edges, 0, most, tell)
            )
            return sums[:, 0] if per == "total" else sums, certificate
        counts, certificate = _proved(_core.count_transitions(network._core, curve, most, tell))
        if per == "neuron":
            return counts, certificate
        sums = np.array([counts[a:b].sum() for a, b in pairwise(edges)], dtype=np.int64)
        return int(sums[0]) if per == "total" else sums, certificate

    return _counted(networks, count, progress, "transitions")


def _read(
    net: NetworkLike | NetworkStack, trajectory: Given, x1: npt.ArrayLike | None
) -> tuple[Network | NetworkStack, _core.Trajectory | Batch]:
    """As `read_curve`; for a stack the curve is read once."""
    if isinstance(net, NetworkStack):
        return net, read_curve(net[0], trajectory, x1)[1]
    return read_curve(net, trajectory, x1)


def _counted(
    networks: Network | NetworkStack, count: _Counter, progress: Progress, what: str
) -> Count | Counts:
    """What `count` finds for a network, or for each one of a stack."""
    with progress_bar(progress, what) as tell:
        if isinstance(networks, NetworkStack):
            return Counts(*_of_each(networks, count, tell))
        found, certificate = count(networks, tell)
        return Count(found, certificate) if isinstance(found, int) else Counts(found, certificate)


def _of_each(stack: NetworkStack, count: _Counter, tell: Tell) -> tuple[Indices, Certificate]:
    """[networks, ...]; an overflow names the network."""
    counts, certificates = [], []
    for i, network in enumerate(stack):
        if tell is not None:
            tell(i / len(stack))
        try:
            found, certificate = count(network, part_of(tell, i, 1, len(stack)))
        except OverflowError as error:
            raise OverflowError(f"networks[{i}]: {error}") from error
        counts.append(found)
        certificates.append(certificate)
    return np.array(counts, np.int64), Certificate.together(certificates)


def _check_kind(kind: str) -> None:
    if kind not in ("linear", "activation"):
        raise ValueError(f'kind is {kind!r}; it must be "linear" or "activation"')


def _proved(result: tuple[Any, Any]) -> tuple[Any, Certificate]:
    found, decisions = result
    return found, from_rows(decisions)


def _regions_of_lines(
    network: Network, kind: Kind, batch: Batch, threads: int, tell: Tell, first: int = 0
) -> tuple[Indices, Certificate]:
    """[lines]; errors count the lines from `first` on."""
    counts, certificate = _proved(
        _core.count_lines(network._core, kind, *batch, _WHOLE, first, threads, tell)
    )
    return counts[:, 0], certificate


def _regions_of_pairs(
    network: Network, kind: Kind, points: FloatArray, threads: int, tell: Tell
) -> tuple[Indices, Certificate]:
    """[pairs]"""
    counts = np.empty(len(points) * (len(points) - 1) // 2, np.int64)
    certificate = _NOTHING
    for first, starts, ends in _pairs(len(points)):
        counts[first : first + len(starts)], found = _regions_of_lines(
            network,
            kind,
            Batch(points, starts, points, ends),
            threads,
            part_of(tell, first, len(starts), len(counts)),
            first,
        )
        certificate = Certificate.together([certificate, found])
    return counts, certificate


def _edges(neurons_per_layer: tuple[int, ...], per: Per) -> Indices:
    """Where the neurons that are counted together begin, and where the last ones end."""
    total = sum(neurons_per_layer)
    if per == "neuron":
        return np.arange(total + 1)
    sizes = [total] if per == "total" else neurons_per_layer
    return np.array([*accumulate(sizes, initial=0)], np.int64)


def _pairs(count: int) -> Iterator[tuple[int, Indices, Indices]]:
    """All i < j below `count` in order, some at a time, with the number of the first of them."""
    rows = np.arange(count, dtype=np.int64)
    before = rows * count - rows * (rows + 1) // 2  # pairs of earlier rows
    total = count * (count - 1) // 2
    for first in range(0, total, _PAIRS_AT_ONCE):
        numbers = np.arange(first, min(first + _PAIRS_AT_ONCE, total))
        starts = np.searchsorted(before[:-1], numbers, side="right") - 1
        yield first, starts, numbers - before[starts] + starts + 1
