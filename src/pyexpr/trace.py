"""Everything about a network on the segment from x0 to x1."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import FloatArray, end_points, read_only, real_number, shape_of
from pyexpr.activations import ReLU
from pyexpr.certificate import Certificate, from_rows
from pyexpr.graph import Activation, Affine, Graph, Maximum, Node
from pyexpr.network import Network, NetworkLike, as_network
from pyexpr.operations import Sparse

Letters = npt.NDArray[np.int16]

_BLOCK = 2**20  # letters worked on at a time


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """Where a network bends on x(t) = x0 + t (x1 - x0), t in [0, 1], and what it is in between.

    With B breakpoints there are B + 1 activation regions, counted from 0, and region i lies
    between nodes[i] and nodes[i + 1]. Arrays are read-only.

    Attributes
    ----------
    network : Network
    x0, x1 : float64 [*input_shape]
    t : float64 [B]
        The breakpoints, in order, each the float64 nearest to the true one.
    bends : bool [B]
        Whether the network's output changes its slope there, so that a linear region ends.
    transitions : structured [T], fields breakpoint, layer, neuron, before, after
        Neurons changing letter, ordered by breakpoint, layer and neuron, all counted from 0.
    first_pattern : int16 [n_neurons]
        The letters on the first region.
    certificate : Certificate
        How all of this was proved.
    """

    network: Network
    x0: FloatArray
    x1: FloatArray
    t: FloatArray
    bends: npt.NDArray[np.bool_]
    transitions: npt.NDArray[np.void]
    first_pattern: Letters
    certificate: Certificate

    @property
    def n_regions(self) -> int:
        """The number of activation regions, B + 1."""
        return len(self.t) + 1

    @property
    def n_pieces(self) -> int:
        """The number of linear regions."""
        return int(self.bends.sum()) + 1

    @property
    def nodes(self) -> FloatArray:
        """0, the breakpoints, 1: float64 [B + 2]."""
        return read_only(np.concatenate([[0.0], self.t, [1.0]]))

    def t_exact(self, i: int) -> Fraction:
        """Breakpoint i exactly.

        Raises
        ------
        IndexError
            There is no breakpoint i; as in a list, -1 is the last.
        """
        breakpoint = _index(i, len(self.t), "breakpoint")
        # The first neuron to switch is in the lowest layer, whose pre-activations are affine
        # across the breakpoint, so that its own vanishes there and nowhere else.
        first = np.searchsorted(self.transitions["breakpoint"], breakpoint)
        layer, neuron, before, after = self.transitions[first].item()[1:]
        first_letters = _first_letters(self.network)
        pieces = self.pattern(breakpoint) - np.repeat(first_letters, self.network.neurons_per_layer)
        ratio = _core.exact_breakpoint(
            self.network._core,
            self.x0.reshape(-1),
            self.x1.reshape(-1),
            pieces,
            layer,
            neuron,
            before - first_letters[layer],
            after - first_letters[layer],
        )
        return Fraction(*ratio)

    def pattern(self, i: int) -> Letters:
        """The letters of all neurons on region i: int16 [n_neurons].

        Raises
        ------
        IndexError
            There is no region i; as in a list, -1 is the last.
        """
        return self._patterns(_index(i, self.n_regions, "region"), 1).reshape(-1)

    def patterns(self) -> Letters:
        """The letters on every region: int16 [B + 1, n_neurons], made at every call."""
        return self._patterns(0, self.n_regions)

    @cached_property
    def values(self) -> FloatArray:
        """float64 [B + 2, *output_shape]: the output at the nodes, as `network(x)` gives it."""
        nodes = self.nodes.reshape(-1, *[1] * self.x0.ndim)
        step = max(1, _BLOCK // self.x0.size)
        blocks = [nodes[start : start + step] for start in range(0, len(nodes), step)]
        points = (np.where(t < 1, self.x0 + t * (self.x1 - self.x0), self.x1) for t in blocks)
        return read_only(np.concatenate([self.network(x) for x in points]))

    @property
    def slopes(self) -> FloatArray:
        """df(x(t))/dt on every activation region: float64 [B + 1, *output_shape].

        Each by a forward pass with the region's letters, so that narrow regions are as accurate
        as wide ones.
        """
        return self._lines[1]

    @property
    def intercepts(self) -> FloatArray:
        """float64 [B + 1, *output_shape]: f(x(t)) = intercepts[i] + slopes[i] t on region i."""
        return self._lines[0]

    def affine_map(self, i: int) -> tuple[FloatArray, FloatArray]:
        """A and c with f(x) = A x + c wherever the letters are those of region i.

        Returns
        -------
        float64 [*output_shape, *input_shape] and [*output_shape]

        Raises
        ------
        IndexError
            There is no region i; as in a list, -1 is the last.
        """
        letters = self.pattern(i)[None]
        size = self.x0.size
        matrix = _masked(self.network, letters, np.eye(size), with_bias=False).T
        constant = _masked(self.network, letters, np.zeros((1, size)))
        out = self.network.output_shape
        return matrix.reshape(*out, *self.network.input_shape), constant.reshape(out)

    def crossings(self, level: float = 0.0, output: int = 0) -> FloatArray:
        """Where an output starts or stops to exceed a level: float64 [C], the floats nearest to it.

        Proved as the breakpoints are, by tracing the network with one more neuron. A touch is none.

        Parameters
        ----------
        level
            A real number.
        output
            The output's number, counted from 0 in the flat order; as in a list, -1 is the last.

        Raises
        ------
        IndexError
            There is no such output.
        TypeError, ValueError
            `level` is no real number that float64 holds exactly.
        """
        graph = self.network.graph
        last, size = len(graph.nodes) - 1, math.prod(graph.output_shape)
        one = np.array([_index(output, size, "output")])
        above = Affine(
            (1,), ((last, Sparse.take(one, size)),), -np.array([real_number("level", level)])
        )
        return self._changes(above, Activation((1,), last + 1, ReLU()))["t"]

    def decision_changes(self) -> npt.NDArray[np.void]:
        """Where the largest output changes: structured [D], fields t, before, after.

        t is the float64 nearest to the true place; before and after are the outputs' numbers in the
        flat order. Of equal outputs the first counts as the largest. Proved as the breakpoints are,
        by tracing the network with the maximum of its outputs behind it.
        """
        graph = self.network.graph
        last, size = len(graph.nodes) - 1, math.prod(graph.output_shape)
        return self._changes(Maximum((1,), last, np.arange(size)[None]))

    def _changes(self, *nodes: Node) -> npt.NDArray[np.void]:
        """The transitions of one neuron behind the network, made by these nodes."""
        graph = self.network.graph
        longer = trace(Network(Graph((*graph.nodes, *nodes))), self.x0, self.x1)
        found = longer.transitions[longer.transitions["layer"] == len(graph.layers)]
        changes = np.empty(len(found), [("t", "f8"), ("before", "i8"), ("after", "i8")])
        changes["t"] = longer.t[found["breakpoint"]]
        for name in ("before", "after"):
            changes[name] = found[name]
        changes.setflags(write=False)
        return changes

    def __repr__(self) -> str:
        return (
            f"<Trace of {self.n_regions:,} activation regions, {self.n_pieces:,} linear regions, "
            f"{len(self.transitions):,} transitions>"
        )

    def __str__(self) -> str:
        counts = {
            "linear regions": self.n_pieces,
            "activation regions": self.n_regions,
            "transitions": len(self.transitions),
        }
        depth = len(self.network.neurons_per_layer)
        per_layer = np.bincount(self.transitions["layer"], minlength=depth)
        counts |= {f"  in layer {i}": int(count) for i, count in enumerate(per_layer)}
        width = max(map(len, counts))
        lines = [f"{name:<{width}}  {count:>12,}" for name, count in counts.items()]
        return "\n".join([f"trace of {self.network!r}", *lines])

    def _patterns(self, start: int, count: int) -> Letters:
        """The letters on `count` regions: the first one's, then what every transition changes."""
        begin, end = np.searchsorted(self.transitions["breakpoint"], [start, start + count - 1])
        past, here = self.transitions[:begin], self.transitions[begin:end]
        letters = np.zeros((count, self.network.n_neurons), dtype=np.int16)
        letters[0] = self.first_pattern
        letters[0, self._places(past)] = past["after"]  # of several, the last one stays
        rows = here["breakpoint"] - start + 1
        letters[rows, self._places(here)] = here["after"] - here["before"]
        return np.cumsum(letters, axis=0, dtype=np.int16, out=letters)

    def _places(self, transitions: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
        """Graph order of the neurons that change."""
        starts = np.array([*accumulate(self.network.neurons_per_layer, initial=0)], dtype=np.int64)
        places: npt.NDArray[np.int64] = starts[transitions["layer"]] + transitions["neuron"]
        return places

    @cached_property
    def _lines(self) -> tuple[FloatArray, FloatArray]:
        """Intercepts and slopes, a block of regions at a time so that memory stays bounded."""
        shape = (self.n_regions, *self.network.output_shape)
        intercepts, slopes = np.empty(shape), np.empty(shape)
        step = max(1, _BLOCK // max(1, self.network.n_neurons))
        start_point, step_of_x = self.x0.reshape(1, -1), (self.x1 - self.x0).reshape(1, -1)
        for start in range(0, self.n_regions, step):
            block = slice(start, min(start + step, self.n_regions))
            letters = self._patterns(start, block.stop - start)
            shape_of_block = (len(letters), *self.network.output_shape)
            ahead = _masked(self.network, letters, start_point)
            along = _masked(self.network, letters, step_of_x, with_bias=False)
            intercepts[block], slopes[block] = (
                np.broadcast_to(out, (len(letters), out.shape[1])).reshape(shape_of_block)
                for out in (ahead, along)
            )
        return read_only(intercepts), read_only(slopes)


def trace(net: NetworkLike, x0: npt.ArrayLike, x1: npt.ArrayLike) -> Trace:
    """All breakpoints on the segment, who switches there, and the network in between.

    Parameters
    ----------
    net
        Anything that `as_network` takes.
    x0, x1 : array_like [*input_shape]
        Real numbers that float64 holds exactly; never modified.

    Raises
    ------
    TypeError
        An argument of the wrong kind, such as complex numbers.
    ValueError
        A wrong shape, a number that is not finite or not exact in float64.
    OverflowError
        A number inside the network is beyond float64.
    """
    network = as_network(net, input_shape=shape_of(x0))
    start, end = end_points(x0, x1, network.input_shape)
    raw = _core.trace(network._core, start, end)
    transitions = raw.transitions.copy()
    first_letters = _first_letters(network)
    for name in ("before", "after"):
        transitions[name] += first_letters[transitions["layer"]]
    first_pattern = raw.first_pattern + np.repeat(first_letters, network.neurons_per_layer)
    for array in (transitions, first_pattern):
        array.setflags(write=False)
    return Trace(
        network=network,
        x0=read_only(start.reshape(network.input_shape).copy()),
        x1=read_only(end.reshape(network.input_shape).copy()),
        t=raw.t,
        bends=raw.bends,
        transitions=transitions,
        first_pattern=first_pattern,
        certificate=from_rows(raw.certificate),
    )


def _index(i: int, length: int, what: str) -> int:
    """i as a list of this length would take it."""
    index = operator.index(i)
    if not -length <= index < length:
        raise IndexError(f"{what} {index} is not among the {length} of this trace")
    return index % length


def _first_letters(network: Network) -> Letters:
    return np.array([layer.first_letter for layer in network.graph.layers], dtype=np.int16)


def _masked(
    network: Network, letters: Letters, x: FloatArray, *, with_bias: bool = True
) -> FloatArray:
    """The affine maps with these letters [R or 1, n_neurons] at x [1 or R or B, n]; flat.

    Without biases, their linear parts.
    """
    starts = [0, *accumulate(network.neurons_per_layer)]

    def activate(number: int, z: FloatArray) -> FloatArray:
        layer = network.graph.layers[number]
        pieces: npt.NDArray[np.integer[Any]] = letters[:, starts[number] : starts[number + 1]]
        return layer.on_pieces(pieces - layer.first_letter, z, with_bias=with_bias)

    return network.graph.evaluate(x, activate, with_bias=with_bias)
