"""Some of the regions along a trajectory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import FloatArray
from pyexpr.network import Network
from pyexpr.tracing.masked import Letters, Numbers
from pyexpr.tracing.patterns import places
from pyexpr.tracing.raw import first_pattern, seams, times, with_letters
from pyexpr.trajectories import Trajectory

TRANSITION = np.dtype(
    [("region", "i8"), ("layer", "i4"), ("neuron", "i4"), ("before", "i2"), ("after", "i2")]
)


@dataclass(frozen=True, eq=False, repr=False)
class RegionBlock:
    """m consecutive regions, m at least 1: the intervals between breakpoints, as of a `Trace`.

    len(block) is m. Arrays are read-only.

    Attributes
    ----------
    first : int
        The number of the first of them along the trajectory, counted from 0.
    start, end : float64 [m]
        Where each starts and ends, in t; the first region of all starts at 0, and the last one ends
        at 1. A region that ends at t = 1 at the seam of a closed trajectory may go on at t = 0: see
        `transitions`.
    linear : int64 [m]
        Of which linear region each is a part, counted from 0 along the trajectory. The first and
        the last linear region of a closed trajectory have different numbers, even where they are
        one.
    transitions : structured [T], fields region, layer, neuron, before, after
        Neurons changing letter where a region ends, ordered by region, layer and neuron. `region`
        is that region's number along the trajectory; there is at least one for each, but for the
        last region of all: there only a closed trajectory has any, and only if letters differ at
        its seam.
    first_pattern : int16 [n_neurons]
        The letters on the first of these regions.
    """

    first: int
    start: FloatArray
    end: FloatArray
    linear: Numbers
    transitions: npt.NDArray[np.void]
    first_pattern: Letters

    def __post_init__(self) -> None:
        for name in ("start", "end", "linear", "transitions", "first_pattern"):
            getattr(self, name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.linear)

    def __repr__(self) -> str:
        last = self.first + len(self) - 1
        return f"<RegionBlock of regions {self.first:,} to {last:,}, up to t = {self.end[-1]:.6g}>"


class Reader:
    """Makes blocks of what the compiled core finds, in order along the trajectory."""

    def __init__(self, network: Network, trajectory: Trajectory) -> None:
        self._network = network
        self._trajectory = trajectory
        self._region = 0  # the next one: its number, its linear region, its start, its letters
        self._linear = 0
        self._start = 0.0
        self._letters: Letters | None = None

    def block(self, raw: _core.Trace, *, last: bool) -> RegionBlock:
        """The regions that end at these breakpoints; of the last ones, also the one behind them."""
        behind = [1.0] if last and not seams(self._trajectory, raw.piece) else []
        ends = times(self._trajectory, raw.piece, raw.t, self._start)
        nodes = np.concatenate([[self._start], ends, behind])
        if self._letters is None:
            self._letters = first_pattern(self._network, raw)
        linear = self._linear + np.cumsum(np.concatenate([[0], raw.bends]), dtype=np.int64)
        block = RegionBlock(
            first=self._region,
            start=nodes[:-1],
            end=nodes[1:],
            linear=linear[: len(nodes) - 1],
            transitions=self._transitions(raw),
            first_pattern=self._letters,
        )
        self._region += len(block)
        self._linear = int(linear[-1])
        self._start = float(nodes[-1])
        self._letters = self._letters_behind(block)
        return block

    def _transitions(self, raw: _core.Trace) -> npt.NDArray[np.void]:
        lettered = with_letters(self._network, raw.transitions)
        transitions = np.empty(len(lettered), TRANSITION)
        transitions["region"] = lettered["breakpoint"] + self._region
        for name in ("layer", "neuron", "before", "after"):
            transitions[name] = lettered[name]
        return transitions

    def _letters_behind(self, block: RegionBlock) -> Letters:
        letters: Letters = block.first_pattern.copy()
        # Of several transitions, the last one stays.
        letters[places(self._network, block.transitions)] = block.transitions["after"]
        return letters
