"""Trajectories one after another."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from pyexpr.trajectories.base import Trajectory
from pyexpr.trajectories.clock import Clock


class Chain(Trajectory):
    """Trajectories one after another, in equal shares of t.

    Each must start exactly where the one before ends, as compared in rational arithmetic: rounding
    keeps most arcs from ending at a point of floats, unless they are whole quarters.

    Parameters
    ----------
    trajectories : iterable of Trajectory
        At least one.
    closed
        Whether it is a closed curve; the last must then end where the first starts.

    Raises
    ------
    TypeError
        `trajectories` holds something else.
    ValueError
        No trajectory, points of different shapes, or ends that do not meet.
    """

    __slots__ = ("_count",)

    _count: int

    def __init__(self, trajectories: Iterable[Trajectory], closed: bool = False) -> None:
        members = _members(trajectories)
        for i, (before, after) in enumerate(pairwise(members)):
            _require_joined(before, after, f"trajectories[{i + 1}]", f"trajectories[{i}]")
        if closed:
            _require_joined(members[-1], members[0], "the first of trajectories", "the last")
        self._count = len(members)
        super().__init__(
            members[0].shape,
            (piece for member in members for piece in member.pieces),
            Clock.joined([member._clock for member in members]),
            bool(closed),
        )

    def _details(self) -> list[str]:
        return [f"{self._count} trajector{'y' if self._count == 1 else 'ies'}"]


def _members(trajectories: Iterable[Trajectory]) -> list[Trajectory]:
    if isinstance(trajectories, Trajectory) or not isinstance(trajectories, Iterable):
        raise TypeError(f"trajectories is {trajectories!r}; it must be a list of trajectories")
    members = list(trajectories)
    if not members:
        raise ValueError("trajectories is empty; it must hold at least one")
    for i, member in enumerate(members):
        if not isinstance(member, Trajectory):
            raise TypeError(f"trajectories[{i}] is {member!r}; it must be a Trajectory")
        if member.shape != members[0].shape:
            raise ValueError(
                f"trajectories[{i}] has points of shape {member.shape}, but trajectories[0] of "
                f"{members[0].shape}; they must be alike"
            )
    return members


def _require_joined(before: Trajectory, after: Trajectory, follower: str, leader: str) -> None:
    last, first = before.pieces[-1], after.pieces[0]
    end, start = last.exact_position(last.end), first.exact_position(first.start)
    gap = max(abs(a - b) for a, b in zip(end, start, strict=True))
    if gap:
        raise ValueError(
            f"{follower} starts {float(gap):.3g} from where {leader} ends, in the coordinate "
            "furthest off; they must meet exactly, so add a Line between them"
        )
