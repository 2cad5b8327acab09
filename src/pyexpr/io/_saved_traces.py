"""Traces as numpy archives: what a Trace holds, its trajectory, and its network if it is dense."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from pyexpr.io._archive import Array, write_arrays
from pyexpr.io._fingerprint import fingerprint
from pyexpr.io._trajectories import trajectory_arrays
from pyexpr.io.npz import network_arrays
from pyexpr.network import Network

if TYPE_CHECKING:
    from pyexpr.tracing.trace import Trace

VERSION = 1
COLUMNS = {"breakpoint": "<i8", "layer": "<i4", "neuron": "<i4", "before": "<i2", "after": "<i2"}


def save_trace(trace: Trace, path: str | os.PathLike[str]) -> None:
    """See `Trace.save`."""
    arrays = {
        "version": np.array(VERSION),
        "fingerprint": np.array(fingerprint(trace.network)),
        "piece": trace.piece,
        "u": trace.u,
        "bends": trace.bends,
        "first_pattern": trace.first_pattern,
        "certificate": np.array(trace.certificate, np.float64),
        **{name: trace.transitions[name] for name in COLUMNS},
    }
    named = {f"trace_{name}": array for name, array in arrays.items()}
    write_arrays(path, named | trajectory_arrays(trace.trajectory) | _network_arrays(trace.network))


def _network_arrays(network: Network) -> dict[str, Array]:
    try:
        return network_arrays(network)
    except ValueError:  # no chain of dense layers
        return {}
