"""Where the neurons of a level change their letters on the cells of a run."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import inf

from pyexpr import _core
from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.networks import Level
from pyexpr.cuda.ordering import order_in_cells, stable_order
from pyexpr.cuda.partition import Partition


@dataclass(frozen=True, eq=False)
class Points:
    """Breakpoints inside cells, in order.

    Attributes
    ----------
    cell, neuron, threshold : int64 [points]
        One of the neurons that switch there.
    t, tau : float64 [points]
    displacement : float64 [points]
        What switching there adds to the vertex's eps.
    event_neuron, event_threshold, event_point : int64 [events]
        All neurons that switch, in the order of their points.
    """

    cell: Array
    t: Array
    tau: Array
    neuron: Array
    threshold: Array
    displacement: Array
    event_neuron: Array
    event_threshold: Array
    event_point: Array

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True, eq=False)
class CurvePoints(Points):
    """On a curve: root, low and high as of CurveVertices, [points]."""

    root: Array
    low: Array
    high: Array


@dataclass(frozen=True, eq=False)
class Found:
    """What happens on a run of cells.

    Attributes
    ----------
    left, crossing : uint64 [cells, words]
        Letters at the left end of each cell, and those that are others at its right end.
    displacement : float64 [vertices]
        What neurons that the filter left open add to a vertex's eps. Of a curve, nothing.
    """

    left: Array
    crossing: Array
    displacement: Array
    points: Points


@dataclass
class Asked:
    """Decisions that were taken on the device, and how close the filter's closest was."""

    signs: int = 0
    sign_gap: float = inf
    orders: int = 0
    order_gap: float = inf
    slopes: int = 0
    slopes_by_adjoint: int = 0
    slope_gap: float = inf

    def note_signs(self, count: int, gap: float) -> None:
        self.signs += count
        self.sign_gap = min(self.sign_gap, gap)

    def note_orders(self, count: int, gap: float) -> None:
        self.orders += count
        self.order_gap = min(self.order_gap, gap)


@dataclass(frozen=True, eq=False)
class Filtered:
    """What the filter alone knows: of cells that are `hard`, nothing."""

    found: Found
    hard: Array  # uint8 [cells]
    any_hard: bool


class Filter:
    """Finds events on a device."""

    def __init__(self, device: Device, pieces_of_network: int, asked: Asked) -> None:
        self._device = device
        self._pieces = pieces_of_network
        self._asked = asked

    def find(self, number: int, level: Level, p: Partition) -> Filtered:
        """The events of level `number` on all cells of p.

        Raises
        ------
        _core.NotFinite
            A pre-activation is not finite.
        """
        xp, run = self._device.xp, self._device.run
        positive, hard, gap = self._signs(level, p)
        cells, words = p.cells, p.cells * level.row
        if words == 0:
            none = xp.empty((cells, 0), "u8")
            return Filtered(Found(none, none, xp.zeros(cells + 1), self._none()), hard, False)
        left, crossing = xp.empty((cells, level.row), "u8"), xp.empty((cells, level.row), "u8")
        counts = xp.empty(words, "i8")
        piece = p.vertices.piece
        run("find_letters", words, level.row, piece, hard, positive, left, crossing, counts)
        ends = xp.cumsum(counts)
        closest, count = self._device.download(xp.stack([gap.min(), ends[-1].astype("f8")]))
        self._note_signs(number, level, p, gap, float(closest))
        points = self._locate(level, p, crossing, ends - counts, int(count))
        any_hard = check_order(self._device, points, hard, self._asked)
        return Filtered(Found(left, crossing, xp.zeros(cells + 1), points), hard, any_hard)

    def _note_signs(
        self, number: int, level: Level, p: Partition, gap: Array, closest: float
    ) -> None:
        if closest < 0:
            raise _core.NotFinite(number, int(p.vertices.piece[int(gap.argmin())]))
        self._asked.note_signs(len(p.vertices) * level.width * level.count, closest)

    def _none(self) -> Points:
        floats, integers = self._device.xp.empty(0), self._device.xp.empty(0, "i8")
        return Points(
            integers, floats, floats, integers, integers, floats, integers, integers, integers
        )

    def _signs(self, level: Level, p: Partition) -> tuple[Array, Array, Array]:
        """Letters at vertices, uint64 [vertices, words]; cells of which one is open; and for every
        vertex how close a decision was, or -1."""
        xp, run = self._device.xp, self._device.run
        at, vertices = p.vertices, len(p.vertices)
        words = vertices * level.row
        other, absolute = xp.empty(vertices, "i8"), xp.empty(vertices)
        relative = xp.empty(vertices)
        speed = self._device.upload(p.speed)
        run(
            "margins", vertices, vertices, at.t, at.tau, at.piece, self._pieces, speed, p.alpha,
            other, absolute, relative,
        )  # fmt: skip
        signs, gap = xp.empty(vertices * level.count * level.width, "u1"), xp.full(vertices, inf)
        run(
            "find_signs", signs.size, p.rows, level.entries, level.width, level.count,
            level.thresholds, at.piece, self._pieces, level.map.row_norms, p.norm, other, absolute,
            relative, signs, gap,
        )  # fmt: skip
        positive, unsure = xp.empty(words, "u8"), xp.empty(words, "u8")
        run("pack_signs", words, level.width, signs, positive, unsure)
        hard = xp.zeros(p.cells, "u1")
        run("mark_unsure", words, level.row, vertices, unsure, hard)
        return positive, hard, gap

    def _locate(
        self, level: Level, p: Partition, crossing: Array, first: Array, count: int
    ) -> Points:
        """One point an event, in the order of their floats."""
        if count == 0:
            return self._none()
        xp, at = self._device.xp, p.vertices
        cell, neuron, threshold = (xp.empty(count, "i8") for _ in range(3))
        t, tau, displacement = (xp.empty(count) for _ in range(3))
        self._device.run(
            "locate", crossing.size, crossing, first, p.rows, p.lows, level.entries,
            level.width, level.count, level.thresholds, at.piece, self._pieces,
            level.map.row_norms, level.lipschitz, at.t, at.tau, p.alpha, cell, neuron, threshold,
            t, tau, displacement,
        )  # fmt: skip
        order = order_in_cells(xp, cell, t)
        neuron, threshold = neuron[order], threshold[order]
        return Points(
            cell[order], t[order], tau[order], neuron, threshold, displacement[order], neuron,
            threshold, xp.arange(count),
        )  # fmt: skip


def check_order(device: Device, points: Points, hard: Array, asked: Asked) -> bool:
    """Marks the cells whose breakpoints are not surely in order; whether any cell is hard."""
    xp = device.xp
    if len(points) < 2:
        return bool(hard.any())
    gap = xp.empty(len(points) - 1)
    device.run("mark_close", len(gap), points.cell, points.t, points.tau, hard, gap)
    told = [gap.min(), xp.isfinite(gap).sum().astype("f8"), hard.max().astype("f8")]
    closest, count, any_hard = device.download(xp.stack(told)).tolist()
    asked.note_orders(int(count), closest)
    return bool(any_hard)


def merged(device: Device, filtered: Filtered, host: Found, cells: Array, vertices: Array) -> Found:
    """What the filter found, with what was settled elsewhere on these cells in its place.

    `cells`, `vertices`: int64, the numbers of the host's; its points' cells count all cells.
    """
    xp, found = device.xp, filtered.found
    found.left[cells], found.crossing[cells] = host.left, host.crossing
    found.displacement[vertices] = host.displacement
    settled = xp.zeros(len(found.left), bool)
    settled[cells] = True
    mine, theirs = found.points, host.points
    keeps = ~settled[mine.cell]
    kept, kept_events = xp.flatnonzero(keeps), xp.flatnonzero(keeps[mine.event_point])
    renumbered = xp.cumsum(keeps) - 1

    cell = xp.concatenate([mine.cell[kept], theirs.cell])
    order = stable_order(xp, cell)
    rank = xp.empty(len(order), "i8")
    rank[order] = xp.arange(len(order))
    point = rank[
        xp.concatenate([renumbered[mine.event_point[kept_events]], len(kept) + theirs.event_point])
    ]
    event_order = stable_order(xp, point)

    def of_points(name: str) -> Array:
        return xp.concatenate([getattr(mine, name)[kept], getattr(theirs, name)])[order]

    def of_events(name: str) -> Array:
        both = [getattr(mine, name)[kept_events], getattr(theirs, name)]
        return xp.concatenate(both)[event_order]

    of_event = {name: of_events(name) for name in ("event_neuron", "event_threshold")}
    names = {field.name for field in fields(mine)} - {*of_event, "event_point"}
    of_point = {name: of_points(name) for name in names}
    points = replace(mine, **of_point, **of_event, event_point=point[event_order])
    return replace(found, points=points)
