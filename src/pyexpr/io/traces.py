"""Traces from numpy archives.

A file may come from anywhere. What it holds is checked to be consistent, so that nothing in it can
do harm; that it is true of the network is believed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import numpy as np

from pyexpr._networks import NetworkLike, as_network
from pyexpr.certificate import Certificate, Decisions, from_rows
from pyexpr.io._archive import MALFORMED, Array, read_arrays, require, typed
from pyexpr.io._fingerprint import fingerprint
from pyexpr.io._saved_traces import COLUMNS, VERSION
from pyexpr.io._trajectories import trajectory_from
from pyexpr.io.npz import OURS, network_from
from pyexpr.network import Network
from pyexpr.tracing.masked import Numbers
from pyexpr.tracing.patterns import places
from pyexpr.tracing.trace import Trace
from pyexpr.trajectories import Trajectory

_WANTED = re.compile(rf"{OURS}|(?:trace|trajectory)_[a-z_]{{1,30}}")


def load_trace(path: str | os.PathLike[str], net: NetworkLike | None = None) -> Trace:
    """The trace that `Trace.save` wrote to a .npz file.

    Parameters
    ----------
    path
        The file.
    net
        The network that was traced, anything that `as_network` takes. The file's own if None;
        only chains of dense layers are in files.

    Returns
    -------
    Trace

    Raises
    ------
    OSError
        The file cannot be opened.
    TypeError
        `net` is no network.
    ValueError
        The file is malformed or inconsistent, it holds no network and `net` is None, or `net` is
        another network.
    """
    name = os.fspath(path)
    with Path(path).open("rb") as file, _refusing(name):
        arrays = read_arrays(file, _WANTED)
        version = int(typed(arrays, "trace_version", "i", 0))
        if version != VERSION:
            raise ValueError(f"its version is {version}, and {VERSION} can be read")
        trajectory = trajectory_from(arrays)
        inside = network_from(arrays) if "W0" in arrays and net is None else None
    network = inside if net is None else as_network(net, input_shape=trajectory.shape)
    if network is None:
        raise ValueError(f"net is None, but {name!r} holds no network; pass the one traced")
    with _refusing(name):
        traced = str(typed(arrays, "trace_fingerprint", "U", 0))
    if fingerprint(network) != traced:
        raise ValueError(f"net is {network!r}, and not the network of {name!r}, {traced[:80]}...")
    with _refusing(name):
        return _trace(arrays, network, trajectory)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    try:
        yield
    except MALFORMED as error:
        raise ValueError(f"{name!r} holds no trace: {error}") from error


def _trace(arrays: Mapping[str, Array], network: Network, trajectory: Trajectory) -> Trace:
    require(trajectory.shape == network.input_shape, "trajectory_shape")
    piece = typed(arrays, "trace_piece", "i", 1).astype(np.int64)
    u = typed(arrays, "trace_u", "f", 1).astype(np.float64)
    bends = typed(arrays, "trace_bends", "b", 1).astype(np.bool_)
    first_pattern = typed(arrays, "trace_first_pattern", "i", 1)
    transitions = _transitions(arrays, network)
    require(len(piece) == len(u) == len(bends), "trace_piece")
    _require_places(piece, u, trajectory)
    _require_transitions(transitions, len(piece), network)
    _require_letters(transitions, first_pattern, network, trajectory.closed)
    first_pattern = first_pattern.astype(np.int16)
    for array in (piece, u, bends, first_pattern, transitions):
        array.setflags(write=False)
    certificate = _certificate(arrays)
    return Trace(network, trajectory, piece, u, bends, transitions, first_pattern, certificate)


def _transitions(arrays: Mapping[str, Array], network: Network) -> Array:
    columns = {name: typed(arrays, f"trace_{name}", "i", 1) for name in COLUMNS}
    count = len(columns["breakpoint"])
    transitions = np.zeros(count, np.dtype([*COLUMNS.items()], align=True))
    for name, column in columns.items():
        require(len(column) == count, f"trace_{name}")
        transitions[name] = column
        require(np.array_equal(transitions[name], column), f"trace_{name}")
    return transitions


def _require_places(piece: Numbers, u: Array, trajectory: Trajectory) -> None:
    """In order along the trajectory."""
    pieces = trajectory.pieces
    require(np.isfinite(u).all(), "trace_u")
    inside = len(piece)
    if trajectory.closed and inside and piece[-1] == len(pieces):
        inside -= 1
        require(u[-1] == pieces[0].start, "trace_u")
    trajectory.parameter(piece[:inside], u[:inside])  # which refuses what is off the pieces
    behind = (np.diff(piece) > 0) | ((np.diff(piece) == 0) & (np.diff(u) >= 0))
    require(behind.all(), "trace_u")


def _require_transitions(transitions: Array, breakpoints: int, network: Network) -> None:
    """Some at every breakpoint, of neurons that there are, in order."""
    breakpoint, layer, neuron = (transitions[name] for name in ("breakpoint", "layer", "neuron"))
    steps = np.diff(breakpoint, prepend=-1, append=breakpoints)
    require(steps[0] == steps[-1] == 1 and set(steps.tolist()) <= {0, 1}, "trace_breakpoint")
    widths = np.array(network.neurons_per_layer, np.int64)
    require(((layer >= 0) & (layer < len(widths))).all(), "trace_layer")
    require(((neuron >= 0) & (neuron < widths[layer])).all(), "trace_neuron")
    order = (breakpoint * len(widths) + layer) * int(max(widths, default=1)) + neuron
    require((np.diff(order) > 0).all(), "trace_neuron")


def _require_letters(
    transitions: Array, first_pattern: Array, network: Network, closed: bool
) -> None:
    """Ones that there are, each neuron's leading from one to the next, and back if closed."""
    require(len(first_pattern) == network.n_neurons, "trace_first_pattern")
    starts = np.array([*accumulate(network.neurons_per_layer, initial=0)], np.int64)
    for i, layer in enumerate(network.graph.layers):
        here = first_pattern[starts[i] : starts[i + 1]].astype(np.int64) - layer.first_letter
        require(layer.has_pieces(np.arange(len(here)), here).all(), "trace_first_pattern")
        changes = transitions[transitions["layer"] == i]
        reached = changes["after"].astype(np.int64) - layer.first_letter
        require(layer.has_pieces(changes["neuron"], reached).all(), "trace_after")
    place = places(network, transitions)
    order = np.argsort(place, kind="stable")
    place, before, after = place[order], transitions["before"][order], transitions["after"][order]
    begins = np.diff(place, prepend=-1) != 0
    known = np.where(begins, first_pattern[place], np.roll(after, 1))
    require(np.array_equal(before, known) and (before != after).all(), "trace_before")
    ends = np.roll(begins, -1)
    require(not closed or np.array_equal(after[ends], first_pattern[place[ends]]), "trace_after")


def _certificate(arrays: Mapping[str, Array]) -> Certificate:
    rows = typed(arrays, "trace_certificate", "f", 2)
    require(rows.shape == (len(Certificate._fields), len(Decisions._fields)), "trace_certificate")
    counts = rows[:, :-1]
    whole = (counts < 2.0**53) & (np.floor(counts) == counts)
    require(whole.all() and (rows >= 0).all(), "trace_certificate")
    return from_rows([*map(int, row[:-1]), row[-1]] for row in rows.tolist())
