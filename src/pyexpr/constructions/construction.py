"""What the constructors return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from pyexpr._arrays import FloatArray
from pyexpr.network import Network
from pyexpr.trajectories import Polyline, Trajectory

MOST_WITNESSES = 100_000


@dataclass(frozen=True, eq=False)
class Construction:
    """A network, and a curve on which it has as many regions as theory promises.

    Attributes
    ----------
    network : Network
    trajectory : Trajectory
    regions : int
        Activation regions on the trajectory, from a formula.
    linear_regions : int
        Linear regions on it: fewer where the output is constant on both sides of a breakpoint.
    """

    network: Network
    trajectory: Trajectory
    regions: int
    linear_regions: int


@dataclass(frozen=True, eq=False)
class SpaceConstruction:
    """A network, and the regions that it has in a cube of its input space.

    Attributes
    ----------
    network : Network
    regions : int
        Activation regions in the cube, which are as many distinct patterns, from a formula.
    """

    network: Network
    regions: int
    _witnesses: Callable[[], FloatArray] = field(repr=False)

    @cached_property
    def trajectory(self) -> Polyline:
        """A Polyline through a point of every region: as many patterns are on it as regions.

        The points are rounded to float64; the regions are wider by far.

        Raises
        ------
        ValueError
            There are more than 100,000 regions.
        """
        if self.regions > MOST_WITNESSES:
            raise ValueError(
                f"there are more than {MOST_WITNESSES:,} regions, too many for a polyline through "
                "all of them; use fewer neurons, or the network along another trajectory"
            )
        return Polyline(self._witnesses())
