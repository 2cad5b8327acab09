"""Everything about a network along a trajectory."""

from __future__ import annotations

import math
import operator
import os
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, read_only, real_array, real_number
from pyexpr._curves import read_arguments
from pyexpr._networks import NetworkLike
from pyexpr._progress import Progress, progress_bar
from pyexpr._threads import thread_count
from pyexpr.certificate import Certificate, from_rows
from pyexpr.network import Network
from pyexpr.tracing.algebraic import AlgebraicNumber
from pyexpr.tracing.attribution import integrated_gradients
from pyexpr.tracing.changes import largest_changes, level_crossings
from pyexpr.tracing.derivatives import directional, lines
from pyexpr.tracing.exact import exact_parameter
from pyexpr.tracing.extrema import Extremum, largest
from pyexpr.tracing.gather import gather, memory_limit
from pyexpr.tracing.lengths import LayerLengths, layer_lengths
from pyexpr.tracing.masked import BLOCK, Letters, Masked, Numbers
from pyexpr.tracing.moment import Moment
from pyexpr.tracing.patterns import consecutive, count_distinct, places
from pyexpr.tracing.raw import first_pattern, seams, times, with_letters
from pyexpr.trajectories import Trajectory

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """Where a network bends on a trajectory x(t), t in [0, 1], and what it is in between.

    The B breakpoints cut [0, 1] into intervals, counted from 0: interval i lies between nodes[i]
    and nodes[i + 1]. There are B + 1. The start and end of a closed trajectory are one place, its
    seam; where letters differ there, it is the last breakpoint, at t = 1, and there are B
    intervals; else the first and the last of B + 1 are parts of one region. Corners of a
    trajectory as such are no breakpoints. Arrays are read-only.

    Attributes
    ----------
    network : Network
        What was traced.
    trajectory : Trajectory
        Along what.
    piece : int64 [B]
        On which of the trajectory's pieces each breakpoint is, counted from 0; the later one where
        pieces join. At the seam the number of pieces.
    u : float64 [B]
        Where on its piece each is: the float64 nearest to the true parameter. At the seam the start
        of the first piece.
    bends : bool [B]
        Whether the network's output is another affine map behind the breakpoint, so that a linear
        region ends.
    transitions : structured [T], fields breakpoint, layer, neuron, before, after
        Neurons changing letter, ordered by breakpoint, layer and neuron, all counted from 0; the
        letters are those before and after.
    first_pattern : int16 [n_neurons]
        The letters on the first interval, layer by layer.
    certificate : Certificate
        How all of this was proved.
    """

    network: Network
    trajectory: Trajectory
    piece: Numbers
    u: FloatArray
    bends: npt.NDArray[np.bool_]
    transitions: npt.NDArray[np.void]
    first_pattern: Letters
    certificate: Certificate

    # --- counts ---

    @property
    def n_regions(self) -> int:
        """The number of activation regions: B + 1; B, but at least 1, on a closed trajectory."""
        return self._parts(len(self.u))

    @property
    def n_pieces(self) -> int:
        """The number of linear regions."""
        return self._parts(int(self.bends.sum()))

    @property
    def n_intervals(self) -> int:
        """The number of intervals between neighbouring nodes."""
        return len(self.u) + 1 - self._seams

    @cached_property
    def n_patterns(self) -> int:
        """The number of distinct activation patterns."""
        return count_distinct(self)

    @cached_property
    def transitions_per_layer(self) -> Numbers:
        """How many transitions there are: int64 [layers]."""
        depth = len(self.network.graph.layers)
        counts: Numbers = np.bincount(self.transitions["layer"], minlength=depth)
        counts.setflags(write=False)
        return counts

    @cached_property
    def transitions_per_neuron(self) -> Numbers:
        """How many transitions there are: int64 [n_neurons], layer by layer."""
        order = places(self.network, self.transitions)
        counts: Numbers = np.bincount(order, minlength=self.network.n_neurons)
        counts.setflags(write=False)
        return counts

    # --- places ---

    @property
    def x0(self) -> FloatArray:
        """x(0): float64 [*input_shape]."""
        return read_only(self.trajectory(0.0))

    @property
    def x1(self) -> FloatArray:
        """x(1): float64 [*input_shape]."""
        return read_only(self.trajectory(1.0))

    @cached_property
    def t(self) -> FloatArray:
        """The breakpoints, in order: float64 [B].

        On a segment each is the float64 nearest to the true one; elsewhere it is accurate to about
        an ulp of 1.
        """
        return read_only(times(self.trajectory, self.piece, self.u))

    @property
    def nodes(self) -> FloatArray:
        """0, the breakpoints, 1, which may be one of them: float64 [n_intervals + 1]."""
        end = [] if self._seams else [1.0]
        return read_only(np.concatenate([[0.0], self.t, end]))

    def t_exact(self, i: int) -> Fraction | AlgebraicNumber:
        """Breakpoint i exactly, in the parameter u of its piece; on a segment that is t.

        Returns
        -------
        Fraction or AlgebraicNumber
            A Fraction if the piece is a segment.

        Raises
        ------
        IndexError
            There is no breakpoint i; as in a list, -1 is the last.
        """
        return exact_parameter(self, _index(i, len(self.u), "breakpoint"))

    # --- letters ---

    def pattern(self, i: int) -> Letters:
        """The letters of all neurons on interval i: int16 [n_neurons].

        Raises
        ------
        IndexError
            There is no interval i; as in a list, -1 is the last.
        """
        return consecutive(self, _index(i, self.n_intervals, "interval"), 1).reshape(-1)

    def patterns(self) -> Letters:
        """The letters on every interval, made at every call: int16 [n_intervals, n_neurons]."""
        return consecutive(self, 0, self.n_intervals)

    # --- the function ---

    @cached_property
    def values(self) -> FloatArray:
        """The output at the nodes, by `network(x)`: float64 [n_intervals + 1, *output_shape]."""
        step = max(1, BLOCK // math.prod(self.trajectory.shape))
        blocks = np.split(self.nodes, range(step, len(self.nodes), step))
        return read_only(np.concatenate([self.network(self.trajectory(t)) for t in blocks]))

    def derivative(self, t: npt.ArrayLike) -> FloatArray:
        """df(x(t))/dt: float64 [*np.shape(t), *output_shape].

        At a breakpoint and where pieces join, from the right; at t = 1, from the left. Each by a
        forward pass with the interval's letters, so that narrow intervals are as accurate as wide
        ones.

        Raises
        ------
        TypeError, ValueError
            `t` does not hold real numbers within [0, 1].
        """
        velocity = self.trajectory.velocity(t)
        times = real_array("t", t)
        interval = self._intervals(times).reshape(-1)
        out = directional(self, interval, velocity.reshape(len(interval), -1))
        return out.reshape(times.shape + self.network.output_shape)

    def at(self, t: float) -> Moment:
        """x(t), letters, value and derivative at one t: a `Moment`.

        Raises
        ------
        TypeError, ValueError
            `t` is no real number within [0, 1].
        """
        time = real_number("t", t)
        x = self.trajectory(time)
        later = int(np.searchsorted(self.t, time, side="right"))
        interval = int(self._intervals(np.array(time)))
        pattern = self.pattern(interval)
        pattern.setflags(write=False)
        return Moment(
            t=time,
            region=interval,
            breakpoint=later - 1 if later and self.t[later - 1] == time else None,
            x=read_only(x),
            pattern=pattern,
            value=read_only(self.network(x)),
            derivative=read_only(self.derivative(time)),
        )

    @property
    def slopes(self) -> FloatArray:
        """df(x(t))/dt on every interval of a segment: float64 [n_intervals, *output_shape].

        Each by a forward pass with the interval's letters, so that narrow intervals are as
        accurate as wide ones.

        Raises
        ------
        ValueError
            The trajectory is no segment: see `derivative` and `affine_map`.
        """
        return self._lines[1]

    @property
    def intercepts(self) -> FloatArray:
        """f(x(t)) on interval i is intercepts[i] + slopes[i] t: of the shape of `slopes`, float64.

        Raises
        ------
        ValueError
            The trajectory is no segment.
        """
        return self._lines[0]

    def affine_map(self, i: int) -> tuple[FloatArray, FloatArray]:
        """A and c with f(x) = A x + c wherever the letters are those of interval i.

        Returns
        -------
        float64 [*output_shape, *input_shape] and [*output_shape]

        Raises
        ------
        IndexError
            There is no interval i; as in a list, -1 is the last.
        """
        masked = Masked(self.network, self.pattern(i)[None])
        inputs, outputs = self.network.input_shape, self.network.output_shape
        matrix = masked.gradient(np.eye(math.prod(outputs)))
        constant = masked.output(np.zeros((1, math.prod(inputs))))
        return matrix.reshape(*outputs, *inputs).copy(), constant.reshape(outputs).copy()

    # --- what happens on the way ---

    def crossings(
        self, level: float = 0.0, output: int = 0, *, threads: int | None = None
    ) -> FloatArray:
        """Where an output starts or stops to exceed a level: t, float64 [C], rounded as `t` is.

        Proved as the breakpoints are, by tracing the network with one more neuron. A touch is none.

        Parameters
        ----------
        level
            A real number.
        output
            The output's number, counted from 0 in the flat order; as in a list, -1 is the last.
        threads
            As for `trace`.

        Raises
        ------
        IndexError
            There is no such output.
        TypeError, ValueError
            `level` is no real number that float64 holds exactly; `threads` is refused.
        """
        return level_crossings(self, real_number("level", level), self._output(output), threads)

    def decision_changes(self, *, threads: int | None = None) -> npt.NDArray[np.void]:
        """Where the largest output changes: structured [D], fields t, before, after.

        t is rounded as `t` is; before and after are the outputs' numbers in the flat order. Of
        equal outputs the first counts as the largest. Proved as the breakpoints are, by tracing
        the network with the maximum of its outputs behind it. `threads` is as for `trace`.
        """
        return largest_changes(self, threads)

    def minimum(self, output: int = 0) -> Extremum:
        """Where an output is smallest: t and value; the first of several.

        Looked for at the nodes, where pieces join and, on curves, where the derivative vanishes
        inside an interval: nowhere else can it be. The values there are compared as float64
        arithmetic gives them, so that of several within rounding any may be chosen.

        Parameters
        ----------
        output
            The output's number, counted from 0 in the flat order; as in a list, -1 is the last.

        Raises
        ------
        IndexError
            There is no such output.
        """
        return largest(self, self._output(output), -1)

    def maximum(self, output: int = 0) -> Extremum:
        """Where an output is largest: t and value; all else is as for `minimum`."""
        return largest(self, self._output(output), 1)

    @cached_property
    def lengths(self) -> LayerLengths:
        """The lengths of the trajectory and of its images in every layer and in the output."""
        return layer_lengths(self)

    def integrated_gradients(self, output: int = 0) -> FloatArray:
        """What each input contributes to f(x(1)) - f(x(0)) of an output: float64 [*input_shape].

        The integral of the output's partial derivatives along the trajectory, as in Sundararajan,
        Taly and Yan (2017), "Axiomatic attribution for deep networks", who take a segment from a
        baseline. A sum over the intervals, on each of which the gradient is constant, and no
        approximation: the attributions add up to the difference, up to rounding.

        Parameters
        ----------
        output
            The output's number, counted from 0 in the flat order; as in a list, -1 is the last.

        Raises
        ------
        IndexError
            There is no such output.
        """
        return integrated_gradients(self, self._output(output))

    # --- elsewhere ---

    def to_dataframe(self) -> DataFrame:
        """The transitions with columns t, breakpoint, layer, neuron, before, after, bends.

        The last says whether a linear region ends at the breakpoint.

        Raises
        ------
        ImportError
            pandas is not installed.
        """
        from pyexpr.io.pandas import transitions_frame

        return transitions_frame(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all of it to a .npz file, or nothing; `pyexpr.load_trace` returns it.

        The network is in the file if it is a chain of dense layers. Of others there is only a
        fingerprint, and `load_trace` must be given the network.

        Raises
        ------
        ValueError
            The path does not end in .npz.
        OSError
            The file cannot be written.
        """
        from pyexpr.io._saved_traces import save_trace

        save_trace(self, path)

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
        per_layer = self.transitions_per_layer.tolist()
        counts |= {f"  in layer {i}": count for i, count in enumerate(per_layer)}
        width = max(map(len, counts))
        lines = [f"{name:<{width}}  {count:>12,}" for name, count in counts.items()]
        return "\n".join([f"trace of {self.network!r} on {self.trajectory!r}", *lines])

    # --- how it is done ---

    @property
    def _seams(self) -> int:
        """1 if the seam is a breakpoint, else 0."""
        return seams(self.trajectory, self.piece)

    def _parts(self, cuts: int) -> int:
        """How many parts cuts make of the trajectory."""
        return max(cuts, 1) if self.trajectory.closed else cuts + 1

    def _intervals(self, t: FloatArray) -> Numbers:
        """Which interval each t is on; at a breakpoint, the one behind it."""
        later = np.searchsorted(self.t, t, side="right")
        return np.minimum(later, self.n_intervals - 1)

    def _output(self, output: int) -> int:
        return _index(output, math.prod(self.network.output_shape), "output")

    @cached_property
    def _lines(self) -> tuple[FloatArray, FloatArray]:
        return lines(self)


def trace(
    net: NetworkLike,
    trajectory: Trajectory | npt.ArrayLike,
    x1: npt.ArrayLike | None = None,
    *,
    threads: int | None = None,
    memory: int | None = None,
    progress: Progress = False,
) -> Trace:
    """All breakpoints along a trajectory, who switches there, and the network in between.

    Parameters
    ----------
    net
        Anything that `as_network` takes.
    trajectory, x1
        A trajectory, or two points, array_like [*input_shape]: real numbers that float64 holds
        exactly; never modified.
    threads
        At most so many; None for what PYEXPR_NUM_THREADS says, or for all cores. No result depends
        on it.
    memory
        Bytes that breakpoints and transitions may take while they are gathered; half of what is
        available if None.
    progress
        True for a bar on stderr (needs tqdm), or a function to be called now and then with the
        share of the trajectory that is done.

    Returns
    -------
    Trace

    Raises
    ------
    ImportError
        A bar is wanted, and tqdm is not installed.
    TypeError
        An argument of the wrong kind, such as complex numbers.
    ValueError
        A wrong shape, a number that is not finite or not exact in float64; `threads` or `memory`
        below 1.
    OverflowError
        A number inside the network is beyond float64.
    MemoryError
        There is more than `memory` holds; `pyexpr.stream` yields it block by block.
    """
    network, curve = read_arguments(net, trajectory, x1)
    most, limit = thread_count(threads), memory_limit(memory)
    with progress_bar(progress, "trace") as tell:
        raw = gather(network, curve, most, limit, tell)
    transitions = with_letters(network, raw.transitions)
    letters = first_pattern(network, raw)
    for array in (transitions, letters):
        array.setflags(write=False)
    return Trace(
        network=network,
        trajectory=curve,
        piece=raw.piece,
        u=raw.t,
        bends=raw.bends,
        transitions=transitions,
        first_pattern=letters,
        certificate=from_rows(raw.certificate),
    )


def _index(i: int, length: int, what: str) -> int:
    """i as a list of this length would take it."""
    index = operator.index(i)
    if not -length <= index < length:
        raise IndexError(f"{what} {index} is not among the {length} of this trace")
    return index % length
