"""The cells of the next level, and its pre-activations at their vertices."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.events import Found
from pyexpr.cuda.networks import Level, Map, Networks
from pyexpr.cuda.ordering import count_below
from pyexpr.cuda.partition import Partition, Vertices
from pyexpr.cuda.products import multiply

UP = 1 + 2.0**-30  # outweighs the roundings of a bound's evaluation
_PARTS = 32  # of a row's sum of squares


@dataclass(frozen=True, eq=False)
class Cut:
    """Cells cut at their points: all but the rows.

    Attributes
    ----------
    displacement : float64 [vertices]
    source : int64 [vertices]
        A vertex of the run; the new one is `share` of the way to the next.
    share : float64 [vertices]
        0 for a vertex of the run.
    letters, parent : of the new cells
    old_displacement : float64 [vertices of the run]
    """

    vertices: Vertices
    displacement: Array
    source: Array
    share: Array
    letters: Array
    parent: Array
    old_displacement: Array

    @property
    def cells(self) -> int:
        return len(self.parent)


def cut(device: Device, number: int, level: Level, p: Partition, found: Found) -> Cut:
    """The cells of p, cut at the points of level `number`."""
    xp, run, points = device.xp, device.run, found.points
    old, at = len(p.vertices), p.vertices
    total = old + len(points)
    numbers = xp.arange(old)
    first_point = count_below(xp, points.cell, numbers)
    t, tau, displacement, share = (xp.empty(total) for _ in range(4))
    integers = [xp.empty(total, "i8") for _ in range(6)]
    *origin, source, parent = integers
    run(
        "merge", total, old, number, first_point, at.t, at.tau, at.level, at.neuron,
        at.threshold, at.piece, found.displacement, points.cell, points.t, points.tau,
        points.neuron, points.threshold, points.displacement, t, tau, *origin, displacement,
        source, share, parent,
    )  # fmt: skip
    letters = xp.empty((total - 1, level.row), "u8")
    first_event = count_below(xp, points.cell[points.event_point], numbers)
    run(
        "cut_letters", p.cells * level.row, level.words, level.count, first_event, first_point,
        points.event_neuron, points.event_threshold, points.event_point, found.left, letters,
    )  # fmt: skip
    return Cut(
        Vertices(t, tau, *origin), displacement, source, share, letters, parent[: total - 1],
        found.displacement,
    )  # fmt: skip


def bound_norms(device: Device, rows: Array, weights: Array | None = None) -> Array:
    """>= |(row, w)|_2 with w = 1 or these weights, [rows]"""
    xp, (count, entries) = device.xp, rows.shape
    squares, norm = xp.empty((count, _PARTS)), xp.empty(count)
    device.run("add_squares", squares.size, rows, entries, _PARTS, squares)
    device.run("bound_norm", count, rows, entries, _PARTS, squares, weights, norm)
    return norm


class Refinement:
    """Makes the rows of a device."""

    def __init__(self, device: Device, networks: Networks, pieces_of_network: int) -> None:
        self._device = device
        self._networks = networks
        self._pieces = pieces_of_network

    def start(self, points: Array, first: int, last: int) -> Partition:
        """The pieces first .. last - 1 from their ends, float64 [2 pieces, inputs]."""
        xp, count = self._device.xp, last - first
        vertices = Vertices(
            xp.tile(xp.asarray([0.0, 1.0]), count),
            xp.zeros(2 * count),
            xp.full(2 * count, -1, "i8"),
            xp.zeros(2 * count, "i8"),
            xp.zeros(2 * count, "i8"),
            xp.repeat(xp.arange(first, last), 2),
        )
        nothing = xp.zeros(2 * count)
        lows = xp.zeros_like(points) if self._extended(0) else None
        norm = bound_norms(self._device, points)
        speed = float((norm[::2] + norm[1::2]).max()) * (1 + 2.0**-50)
        p = Partition(
            vertices, nothing, nothing, nothing, norm, nothing, points, lows,
            xp.empty((2 * count - 1, 0), "u8"), xp.zeros(2 * count - 1, "i8"),
            np.full(len(self._networks.readout.frobenius_norm), speed),
        )  # fmt: skip
        return self._with_rows(p, self._networks.map(0), points, lows)

    def cut(self, number: int, p: Partition, found: Found) -> Cut:
        """The cells of p, cut at the points of level `number`."""
        return cut(self._device, number, self._networks.levels[number], p, found)

    def without_rows(self, cut: Cut) -> Partition:
        """The cells alone."""
        xp, none = self._device.xp, self._device.xp.zeros(len(cut.vertices))
        rows = xp.empty((len(cut.vertices), 0))
        return Partition(
            cut.vertices, none, none, none, none, none, rows, None, cut.letters, cut.parent,
            np.zeros(len(self._networks.readout.frobenius_norm)),
        )  # fmt: skip

    def fill(self, number: int, p: Partition, cut: Cut, first: int, last: int) -> Partition:
        """The new cells first .. last - 1, with rows of what follows level `number`."""
        at = slice(first, last + 1)
        extended = self._extended(number + 1)
        part = replace(
            cut,
            vertices=cut.vertices.part(first, last + 1),
            **{
                field.name: getattr(cut, field.name)[at]
                for field in fields(Cut)
                if field.name in ("displacement", "source", "share")
            },
        )
        hidden, hidden_low = self._outputs(number, p, part, extended)
        eps, local = self._pass_on(number, p, part, extended)
        norm = bound_norms(self._device, hidden)
        new = Partition(
            part.vertices, eps, local, eps, norm, eps, hidden, hidden_low, cut.letters[first:last],
            cut.parent[first:last], self._speed(number, p),
        )  # fmt: skip
        return self._with_rows(new, self._networks.map(number + 1), hidden, hidden_low)

    def _extended(self, number: int) -> bool:
        """Whether the rows that level `number` reads are in double-double."""
        return number < self._networks.extended_levels

    def _with_rows(
        self, p: Partition, map_: Map, hidden: Array, hidden_low: Array | None
    ) -> Partition:
        """p with W h + b for its rows, and what they are wrong by."""
        xp, run, count = self._device.xp, self._device.run, len(p.vertices)
        rows = xp.zeros((count, map_.outputs))
        lows = None if hidden_low is None else xp.empty_like(rows)
        piece, extended = p.vertices.piece, int(hidden_low is not None)
        sized = rows.size, map_.outputs, piece, self._pieces, map_.bias, rows
        if lows is not None:
            run("begin_extended", *sized, lows)
        multiply(map_.blocks, map_.stacked, self._starts(piece), hidden, hidden_low, rows, lows)
        if lows is None:
            run("add_bias", *sized)
        else:
            run("normalise", rows.size, rows, lows)
        rho, alpha = xp.empty(count), xp.empty(count)
        run("bound_product", count, map_.terms, extended, p.norm, rho)
        run("bound_rows", count, extended, p.eps, rho, p.norm, alpha)
        return replace(p, rows=rows, lows=lows, rho=rho, alpha=alpha)

    def _starts(self, piece: Array) -> list[int]:
        """Where the rows of each network begin, and where the last ones end."""
        count = len(self._networks.readout.frobenius_norm)
        if count == 1:
            return [0, len(piece)]
        xp = self._device.xp
        edges = count_below(xp, piece, xp.arange(count + 1) * self._pieces)
        starts: list[int] = self._device.download(edges).tolist()
        return starts

    def _outputs(
        self, number: int, p: Partition, cut: Cut, extended: bool
    ) -> tuple[Array, Array | None]:
        """h of a level at new vertices, [vertices, entries]."""
        level, xp = self._networks.levels[number], self._device.xp
        hidden = xp.empty((len(cut.vertices), level.entries))
        phi = level.width, level.count, level.thresholds, level.slopes, level.offsets
        if not extended:
            self._device.run(
                "find_outputs", hidden.size, p.rows, level.entries, *phi, cut.source, cut.share,
                hidden,
            )  # fmt: skip
            return hidden, None
        low = xp.empty_like(hidden)
        self._device.run(
            "find_outputs_extended", hidden.size, p.rows, p.lows, level.entries, *phi,
            level.offset_lows, cut.source, cut.share, p.vertices.t, cut.vertices.t, hidden, low,
        )  # fmt: skip
        return hidden, low

    def _pass_on(self, number: int, p: Partition, cut: Cut, extended: bool) -> tuple[Array, Array]:
        """eps and local of the outputs of a level."""
        level, xp = self._networks.levels[number], self._device.xp
        count = len(cut.vertices)
        local, eps = xp.empty(count), xp.empty(count)
        upload = self._device.upload
        self._device.run(
            "pass_on", count, cut.source, cut.share, cut.vertices.piece, self._pieces,
            int(p.extended), int(extended), int(not level.exact), level.lipschitz,
            level.offset_size, upload(self._networks.gain(number)),
            upload(level.map.frobenius_norm), p.eps, p.rho, p.norm, p.alpha, cut.old_displacement,
            cut.displacement, local, eps,
        )  # fmt: skip
        return eps, local

    def _speed(self, number: int, p: Partition) -> FloatArray:
        grown = self._networks.levels[number].lipschitz * (
            self._networks.gain(number) * p.speed + 2.0**-990
        )
        return np.asarray(grown * UP)
