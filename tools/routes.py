"""Where the boxes and arrows of a layered picture go: boxes in rows, arrows between the rows.

An arrow leaves a box at a port, runs along tracks in the channels between rows, passes other rows
where its `via` says, and enters the other box at a port. Arrows of one bundle share their track and
port at its end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import NamedTuple, TypeAlias

BOX_HEIGHT = 48.0
TRACK, MARGIN = 10.0, 14.0  # between tracks, and above and below them in a channel
PORTS = 22.0  # between the ports of a box
_LEAST = 9.0  # between lines side by side

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Box:
    row: int
    left: float
    right: float

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


@dataclass(frozen=True)
class Link:
    """An arrow between two boxes; those that come from the same port have one `source`."""

    upper: str
    lower: str
    source: Hashable
    bundle: Hashable
    via: float | None = None


class Piece(NamedTuple):
    """Of a link, in a channel: down at x = `above`, along a track, down at x = `below`."""

    track: Hashable
    above: float
    below: float


@dataclass
class Layout:
    """Rows from the top; channel r is between row r and the next."""

    boxes: dict[str, Box]
    top: list[float] = field(default_factory=list)  # of each row
    tracks: list[dict[Hashable, int]] = field(default_factory=list)  # of each channel

    def route(self, links: Sequence[Link]) -> list[list[Point]]:
        """The corners of every link, from its upper box to its lower box."""
        ports = _ports(self.boxes, links)
        alone = {bundle for bundle, many in Counter(k.bundle for k in links).items() if many == 1}
        ends = [link.source if link.bundle in alone else link.bundle for link in links]
        ways = [self._xs(link, *port) for link, port in zip(links, ports, strict=True)]
        channels: dict[int, list[Piece]] = defaultdict(list)
        for link, way, end in zip(links, ways, ends, strict=True):
            for i, (above, below) in enumerate(pairwise(way)):
                track = end if i + 2 == len(way) else link.source
                channels[self.boxes[link.upper].row + i].append(Piece(track, above, below))
        rows = 1 + max(box.row for box in self.boxes.values())
        self.tracks = [_order(channels[channel]) for channel in range(rows - 1)]
        self.top = [0.0]
        for tracks in self.tracks:
            many = 1 + max(tracks.values(), default=0)
            self.top.append(self.top[-1] + BOX_HEIGHT + 2 * MARGIN + TRACK * (many - 1))
        return [self._corners(*its) for its in zip(links, ways, ends, strict=True)]

    def _xs(self, link: Link, start: float, end: float) -> list[float]:
        """Where it leaves the upper box, passes each row, and enters the lower box."""
        between = self.boxes[link.lower].row - self.boxes[link.upper].row - 1
        return [start, *[end if link.via is None else link.via] * between, end]

    def _corners(self, link: Link, way: list[float], end: Hashable) -> list[Point]:
        row = self.boxes[link.upper].row
        points = [(way[0], self.top[row] + BOX_HEIGHT)]
        for i, (above, below) in enumerate(pairwise(way)):
            if above != below:
                level = self.tracks[row + i][end if i + 2 == len(way) else link.source]
                y = self.top[row + i] + BOX_HEIGHT + MARGIN + TRACK * level
                points += [(above, y), (below, y)]
        return [*points, (way[-1], self.top[self.boxes[link.lower].row])]


def _ports(boxes: dict[str, Box], links: Sequence[Link]) -> list[tuple[float, float]]:
    """Where each link leaves and enters."""
    below: dict[str, dict[Hashable, list[float]]] = defaultdict(lambda: defaultdict(list))
    above: dict[str, dict[Hashable, list[float]]] = defaultdict(lambda: defaultdict(list))
    for link in links:
        via = link.via
        below[link.upper][link.source].append(boxes[link.lower].middle if via is None else via)
        above[link.lower][link.bundle].append(boxes[link.upper].middle if via is None else via)
    fixed = {link.via for link in links if link.via is not None}
    leave = {name: _spread(boxes[name], groups, fixed) for name, groups in below.items()}
    enter = {name: _spread(boxes[name], groups, fixed) for name, groups in above.items()}
    return [(leave[link.upper][link.source], enter[link.lower][link.bundle]) for link in links]


def _spread(
    box: Box, groups: dict[Hashable, list[float]], fixed: set[float]
) -> dict[Hashable, float]:
    """A port for each group, in the order of where they go; straight down for those that can."""
    means = {group: sum(xs) / len(xs) for group, xs in groups.items()}
    inside = (box.left + 12, box.right - 12)
    straight = {g: x for g, x in means.items() if x in fixed and inside[0] <= x <= inside[1]}
    order = sorted(means.keys() - straight.keys(), key=lambda group: (means[group], str(group)))
    if not straight:
        first = box.middle - PORTS * (len(order) - 1) / 2
        return {group: first + PORTS * i for i, group in enumerate(order)}
    least, most = min(straight.values()), max(straight.values())
    left = [group for group in order if means[group] < (least + most) / 2]
    right = order[len(left) :]
    ports = {group: least - PORTS * i for i, group in enumerate(reversed(left), 1)}
    return straight | ports | {group: most + PORTS * i for i, group in enumerate(right, 1)}


def _order(pieces: list[Piece]) -> dict[Hashable, int]:
    """The track of every bundle in a channel, from the top, with few crossings."""
    bent: dict[Hashable, list[Piece]] = defaultdict(list)
    for piece in pieces:
        if piece.above != piece.below:
            bent[piece.track].append(piece)
    order = sorted(bent, key=lambda track: min(p.below for p in bent[track]))
    best = _cost(order, bent)
    improved = True
    while improved:
        improved = False
        for i, j in combinations(range(len(order)), 2):
            other = [*order]
            other[i], other[j] = other[j], other[i]
            if (cost := _cost(other, bent)) < best:
                order, best, improved = other, cost, True
    return _packed(order, bent)


def _packed(order: Iterable[Hashable], bent: dict[Hashable, list[Piece]]) -> dict[Hashable, int]:
    """As high as the tracks above allow."""
    levels: dict[Hashable, int] = {}
    for track in order:
        beside = [level for other, level in levels.items() if _meet(bent[track], bent[other])]
        levels[track] = 1 + max(beside, default=-1)
    return levels


def _meet(some: list[Piece], others: list[Piece]) -> bool:
    """Whether two tracks must be apart."""
    (low, high), (least, most) = _extent(some), _extent(others)
    return low - _LEAST <= most and least - _LEAST <= high


def _extent(pieces: list[Piece]) -> tuple[float, float]:
    xs = [x for piece in pieces for x in (piece.above, piece.below)]
    return min(xs), max(xs)


def _cost(order: list[Hashable], bent: dict[Hashable, list[Piece]]) -> float:
    cost = 0.0
    for upper, lower in combinations(order, 2):
        low, high = _extent(bent[upper])
        least, most = _extent(bent[lower])
        # The upper one's ways down cross the lower one's track, the lower one's the upper track.
        cost += sum(least < x < most for x in {p.below for p in bent[upper]})
        cost += sum(low < x < high for x in {p.above for p in bent[lower]})
        touching = [
            (p, q) for p in bent[upper] for q in bent[lower] if abs(p.below - q.above) < _LEAST
        ]
        cost += 100 * len(touching)
    return cost + 0.1 * max(_packed(order, bent).values(), default=0)
