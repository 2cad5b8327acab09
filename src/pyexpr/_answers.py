"""How a count is found: for one network or a stack of them, on the CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from math import inf
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import FloatArray, shape_of
from pyexpr._batches import Batch, Indices
from pyexpr._curves import Given, read_curve
from pyexpr._networks import NetworkLike, as_network
from pyexpr._progress import Progress, Tell, part_of, progress_bar
from pyexpr.certificate import Certificate, Count, Counts, from_rows
from pyexpr.cuda.counting import What
from pyexpr.cuda.counting import count as count_on_device
from pyexpr.cuda.curves import path_of
from pyexpr.cuda.devices import Device
from pyexpr.cuda.lines import Lines, read_lines
from pyexpr.network import Network
from pyexpr.stack import NetworkStack

_Networks: TypeAlias = Network | NetworkStack
_Curve: TypeAlias = _core.Trajectory | Batch | Lines

_PAIRS_AT_ONCE = 1 << 18
_WHOLE = np.zeros(2, np.int64)  # edges that are not read
_NOTHING = from_rows([(0, 0, 0, 0, 0, inf)] * 4)


class Question(NamedTuple):
    """What is counted.

    Attributes
    ----------
    what
        Regions of a kind, patterns, or transitions.
    edges : int64 [columns + 1]
        For transitions: neurons edges[c] .. edges[c + 1] - 1 are counted together.
    columns
        Whether the columns are an axis of the result.
    """

    what: What
    edges: Indices = _WHOLE
    columns: bool = False


class Call(NamedTuple):
    """How it is counted: `device` is None for the CPU, `label` is said before the bar."""

    threads: int
    device: Device | None
    progress: Progress
    label: str


# For some networks, int64 [networks, ...]: on the CPU one at a time.
_Find: TypeAlias = Callable[[Sequence[Network], Tell], tuple[Indices, Certificate]]


def read(
    net: NetworkLike | NetworkStack,
    trajectory: Given,
    x1: npt.ArrayLike | None,
    device: Device | None,
) -> tuple[_Networks, _Curve]:
    """The networks and what is meant to count along; errors as for `read_curve`."""
    if device is not None and x1 is not None:
        given = getattr(trajectory, "shape", None)
        shape = shape_of(trajectory) if given is None else tuple(given)
        net = net if isinstance(net, NetworkStack) else as_network(net, input_shape=shape)
        lines = read_lines(device, trajectory, x1, net.input_shape)
        if lines is not None:
            return net, lines
    stack = net if isinstance(net, NetworkStack) else None
    network, curve = read_curve(net if stack is None else stack[0], trajectory, x1)
    return stack or network, curve


def answer(networks: _Networks, curve: _Curve, question: Question, call: Call) -> Count | Counts:
    """The count along a curve, or on many segments."""

    def find(some: Sequence[Network], tell: Tell, device: Device | None) -> Any:
        return _find(question, some, curve, call.threads, device, tell)

    return _answer(networks, find, call)


def answer_pairs(
    networks: _Networks, points: FloatArray, question: Question, call: Call
) -> Count | Counts:
    """The counts on the segments between all pairs of rows."""

    def find(some: Sequence[Network], tell: Tell, device: Device | None) -> Any:
        total = len(points) * (len(points) - 1) // 2
        counts, certificate = np.empty((len(some), total), np.int64), _NOTHING
        for first, starts, ends in _pairs(len(points)):
            last, batch = first + len(starts), Batch(points, starts, points, ends)
            part = part_of(tell, first, len(starts), total)
            counts[:, first:last], found = _find(
                question, some, batch, call.threads, device, part, first
            )
            certificate = Certificate.together([certificate, found])
        return counts, certificate

    return _answer(networks, find, call)


def _answer(networks: _Networks, find: Callable[..., Any], call: Call) -> Count | Counts:
    def on_host(some: Sequence[Network], tell: Tell) -> tuple[Indices, Certificate]:
        found: tuple[Indices, Certificate] = find(some, tell, None)
        return found

    stack = isinstance(networks, NetworkStack)
    every = tuple(networks) if isinstance(networks, NetworkStack) else (networks,)
    with progress_bar(call.progress, call.label) as tell:
        found = None
        if call.device is not None:
            with suppress(_core.NotFinite):  # the core says where
                found = find(every, tell, call.device)
        if found is None:
            found = _of_each(every, on_host, tell) if stack else on_host(every, tell)
    counts, certificate = found
    if stack:
        return Counts(counts, certificate)
    return Counts(counts[0], certificate) if counts.ndim > 1 else Count(int(counts[0]), certificate)


def _of_each(networks: Sequence[Network], find: _Find, tell: Tell) -> tuple[Indices, Certificate]:
    """One after another; an overflow names the network."""
    counts, certificates = [], []
    for i, network in enumerate(networks):
        if tell is not None:
            tell(i / len(networks))
        try:
            found, certificate = find([network], part_of(tell, i, 1, len(networks)))
        except OverflowError as error:
            raise OverflowError(f"networks[{i}]: {error}") from error
        counts.append(found[0])
        certificates.append(certificate)
    return np.array(counts, np.int64), Certificate.together(certificates)


def _find(
    question: Question,
    networks: Sequence[Network],
    curve: _Curve,
    threads: int,
    device: Device | None,
    tell: Tell,
    first: int = 0,
) -> tuple[Indices, Certificate]:
    """[networks, ...]; errors count the lines from `first` on."""
    if device is not None:
        path = curve if isinstance(curve, Lines) else path_of(device, curve)
        cores = [network._core for network in networks]
        counts, certificate = count_on_device(
            path, cores, question.what, question.edges, threads, tell
        )
        return counts if question.columns else counts[..., 0], certificate
    if isinstance(curve, Lines):
        curve = curve.host if curve.apart else curve.core
    (network,) = networks
    if isinstance(curve, Batch):
        counts, certificate = _proved(
            _core.count_lines(
                network._core, question.what, *curve, question.edges, first, threads, tell
            )
        )
    else:
        counts, certificate = _along(question, network, curve, threads, tell)
    return (counts if question.columns else counts[..., 0])[None], certificate


def _along(
    question: Question, network: Network, curve: _core.Trajectory, threads: int, tell: Tell
) -> tuple[Indices, Certificate]:
    """[columns]"""
    count: Any = {
        "activation": _core.count_activation_regions,
        "linear": _core.count_linear_regions,
        "patterns": _core.count_patterns,
        "transitions": _core.count_transitions,
    }[question.what]
    found, certificate = _proved(count(network._core, curve, threads, tell))
    if question.what == "transitions":
        found = [found[a:b].sum() for a, b in pairwise(question.edges.tolist())]
    return np.atleast_1d(np.array(found, np.int64)), certificate


def _proved(result: tuple[Any, Any]) -> tuple[Any, Certificate]:
    found, decisions = result
    return found, from_rows(decisions)


def _pairs(count: int) -> Iterator[tuple[int, Indices, Indices]]:
    """All i < j below `count` in order, some at a time, with the number of the first of them."""
    rows = np.arange(count, dtype=np.int64)
    before = rows * count - rows * (rows + 1) // 2  # pairs of earlier rows
    total = count * (count - 1) // 2
    for first in range(0, total, _PAIRS_AT_ONCE):
        numbers = np.arange(first, min(first + _PAIRS_AT_ONCE, total))
        starts = np.searchsorted(before[:-1], numbers, side="right") - 1
        yield first, starts, numbers - before[starts] + starts + 1
