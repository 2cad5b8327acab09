"""Where along a trace something changes that the network itself does not see."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr.activations import ReLU
from pyexpr.graph import Activation, Affine, Graph, Maximum, Node
from pyexpr.network import Network
from pyexpr.operations import Sparse

if TYPE_CHECKING:
    from pyexpr.tracing.trace import Trace


def level_crossings(trace: Trace, level: float, output: int, threads: int | None) -> FloatArray:
    """By a ReLU of the output less the level."""
    graph = trace.network.graph
    last, size = len(graph.nodes) - 1, math.prod(graph.output_shape)
    above = Affine((1,), ((last, Sparse.take(np.array([output]), size)),), np.array([-level]))
    return _changes(trace, threads, above, Activation((1,), last + 1, ReLU()))["t"]


def largest_changes(trace: Trace, threads: int | None) -> npt.NDArray[np.void]:
    """By the maximum of all outputs: structured, fields t, before, after."""
    graph = trace.network.graph
    last, size = len(graph.nodes) - 1, math.prod(graph.output_shape)
    return _changes(trace, threads, Maximum((1,), last, np.arange(size)[None]))


def _changes(trace: Trace, threads: int | None, *nodes: Node) -> npt.NDArray[np.void]:
    """The transitions of one neuron behind the network, made by these nodes."""
    from pyexpr.tracing.trace import trace as traced  # which imports this module

    graph = trace.network.graph
    behind = Network(Graph((*graph.nodes, *nodes)))
    longer = traced(behind, trace.trajectory, threads=threads)
    found = longer.transitions[longer.transitions["layer"] == len(graph.layers)]
    changes = np.empty(len(found), [("t", "f8"), ("before", "i8"), ("after", "i8")])
    changes["t"] = longer.t[found["breakpoint"]]
    for name in ("before", "after"):
        changes[name] = found[name]
    changes.setflags(write=False)
    return changes
