"""Exact counts of how often a network bends along a trajectory, or along many segments."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from pyexpr._answers import Call, Question, answer, answer_pairs, read
from pyexpr._arrays import shape_of
from pyexpr._batches import Indices, read_points
from pyexpr._curves import Given, is_segment
from pyexpr._networks import NetworkLike, as_network
from pyexpr._progress import Progress
from pyexpr._threads import thread_count
from pyexpr.certificate import Count, Counts
from pyexpr.cuda.devices import DeviceLike, find_device
from pyexpr.stack import NetworkStack
from pyexpr.trajectories import Trajectory

Kind: TypeAlias = Literal["linear", "activation"]
Per: TypeAlias = Literal["total", "layer", "neuron"]


@overload
def count_regions(
    net: NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    kind: Kind = ...,
    threads: int | None = ...,
    progress: Progress = ...,
    device: DeviceLike = ...,
) -> Counts: ...
@overload
def count_regions(
    net: NetworkLike,
    trajectory: Trajectory,
    *,
    kind: Kind = ...,
    threads: int | None = ...,
    progress: Progress = ...,
    device: DeviceLike = ...,
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
    device: DeviceLike = ...,
) -> Any: ...
def count_regions(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    kind: Kind = "linear",
    threads: int | None = None,
    progress: Progress = False,
    device: DeviceLike = "cpu",
) -> Count | Counts:
    """The number of regions along a trajectory, on the segment between two points, or on many.

    Parameters
    ----------
    net
        Anything that `as_network` takes, or a NetworkStack.
    trajectory, x1
        A trajectory, or two points x0 and x1, array_like [*input_shape]: real numbers that float64
        holds exactly; never modified. For many segments at once, each between a row of x0 and a row
        of x1: array_like [lines, *input_shape], where one of them may be a single point; this takes
        a net whose input shape is known, so that a PyTorch module goes through `as_network` first.
    kind
        "linear": maximal intervals on which one affine map of x gives the network's output.
        "activation": maximal intervals on which no neuron changes its letter, the piece of its
        activation, apart from isolated points. On a closed trajectory the region through t = 0 = 1
        is one. Corners of the trajectory as such end no region.
    threads
        At most so many threads; None for what PYEXPR_NUM_THREADS says, or for all cores. No result
        depends on it.
    progress
        True for a bar on stderr (needs tqdm), or a function to be called now and then with the
        share of the work that is done.
    device
        "cpu", or "cuda" ("cuda:1", ...) for a GPU, whose answers are the same. Points may be arrays
        of that GPU, as of CuPy or PyTorch, and are not copied.

    Returns
    -------
    Count, or for many segments Counts, int64 [lines]
        An int, or an array; its `certificate` says how it was proved. For a `NetworkStack` Counts,
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
    ImportError, RuntimeError, MemoryError
        `device` asks for a GPU, and CuPy is not installed; there is no driver, or no GPU that will
        do; its memory is too small for the network. ImportError also where a bar is wanted and tqdm
        is not installed.
    """
    _check_kind(kind)
    call = Call(thread_count(threads), find_device(device), progress, "regions")
    return answer(*read(net, trajectory, x1, call.device), Question(kind), call)


def count_pairs(
    net: NetworkLike | NetworkStack,
    points: npt.ArrayLike,
    *,
    kind: Kind = "linear",
    threads: int | None = None,
    progress: Progress = False,
    device: DeviceLike = "cpu",
) -> Counts:
    """The number of regions on the segments between all pairs of points.

    Memory beyond the points and the result (of a NetworkStack: twice the result) does not grow
    with their number. For a closed loop through the points, count along
    `Polyline(points, closed=True)`.

    Parameters
    ----------
    points : array_like [points, *input_shape]
    net, kind, threads, progress, device
        As for `count_regions`.

    Returns
    -------
    Counts, int64 [points (points - 1) / 2]
        Of the pairs (0, 1), (0, 2), ..., (1, 2), ...: what `scipy.spatial.distance.squareform`
        turns into a matrix. For a NetworkStack int64 [networks, points (points - 1) / 2].

    Raises
    ------
    TypeError, ValueError, OverflowError, ImportError, RuntimeError, MemoryError
        As for `count_regions`; an overflow names the pair by its number.
    """
    _check_kind(kind)
    call = Call(thread_count(threads), find_device(device), progress, "pairs")
    on_device = None if call.device is None else call.device.adopt(points)
    if on_device is not None and call.device is not None:
        points = call.device.download(on_device)
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
    counts = answer_pairs(networks, rows, Question(kind), call)
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
    device: DeviceLike = ...,
) -> Counts: ...
@overload
def count_patterns(
    net: NetworkLike,
    trajectory: Trajectory,
    *,
    threads: int | None = ...,
    progress: Progress = ...,
    device: DeviceLike = ...,
) -> Count: ...
@overload
def count_patterns(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    threads: int | None = ...,
    progress: Progress = ...,
    device: DeviceLike = ...,
) -> Any: ...
def count_patterns(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    threads: int | None = None,
    progress: Progress = False,
    device: DeviceLike = "cpu",
) -> Count | Counts:
    """The number of distinct activation patterns along a trajectory, or on many segments.

    A pattern is the letters of all neurons. Its points form a convex set, so that on a line no
    pattern comes back, and this is the number of activation regions; a curve may come back to a
    pattern, and distinct patterns are kept in memory.

    Parameters
    ----------
    net, trajectory, x1, threads, progress, device
        As for `count_regions`.

    Returns
    -------
    Count, or for many segments Counts, int64 [lines]
        As for `count_regions`.

    Raises
    ------
    TypeError, ValueError, OverflowError, ImportError, RuntimeError, MemoryError
        As for `count_regions`.
    """
    call = Call(thread_count(threads), find_device(device), progress, "patterns")
    question = Question("activation" if is_segment(trajectory) else "patterns")
    return answer(*read(net, trajectory, x1, call.device), question, call)


@overload
def count_transitions(
    net: NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = ...,
    *,
    per: Per = ...,
    threads: int | None = ...,
    progress: Progress = ...,
    device: DeviceLike = ...,
) -> Counts: ...
@overload
def count_transitions(
    net: NetworkLike,
    trajectory: Trajectory,
    *,
    per: Literal["total"] = ...,
    threads: int | None = ...,
    progress: Progress = ...,
    device: DeviceLike = ...,
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
    device: DeviceLike = ...,
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
    device: DeviceLike = ...,
) -> Any: ...
def count_transitions(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    per: Per = "total",
    threads: int | None = None,
    progress: Progress = False,
    device: DeviceLike = "cpu",
) -> Count | Counts:
    """How often neurons change their letter along a trajectory, or on many segments.

    Parameters
    ----------
    net, trajectory, x1, threads, progress, device
        As for `count_regions`.
    per
        "total": all together. "layer": in each hidden layer. "neuron": of each neuron, layer by
        layer.

    Returns
    -------
    Count, or per "layer" or "neuron" Counts, int64 [hidden layers] or [neurons]
        For many segments Counts, int64 [lines], [lines, hidden layers] or [lines, neurons]; for a
        `NetworkStack` with a first axis of the networks before these. Their `certificate` says how
        they were proved.

    Raises
    ------
    TypeError, ValueError, OverflowError, ImportError, RuntimeError, MemoryError
        As for `count_regions`; ValueError also for an unknown `per`.
    """
    if per not in ("total", "layer", "neuron"):
        raise ValueError(f'per is {per!r}; it must be "total", "layer" or "neuron"')
    call = Call(thread_count(threads), find_device(device), progress, "transitions")
    networks, curve = read(net, trajectory, x1, call.device)
    edges = _edges(networks.neurons_per_layer, per)
    return answer(networks, curve, Question("transitions", edges, per != "total"), call)


def _check_kind(kind: str) -> None:
    if kind not in ("linear", "activation"):
        raise ValueError(f'kind is {kind!r}; it must be "linear" or "activation"')


def _edges(neurons_per_layer: tuple[int, ...], per: Per) -> Indices:
    """Where the neurons that are counted together begin, and where the last ones end."""
    total = sum(neurons_per_layer)
    if per == "neuron":
        return np.arange(total + 1)
    sizes = [total] if per == "total" else neurons_per_layer
    return np.array([*accumulate(sizes, initial=0)], np.int64)
