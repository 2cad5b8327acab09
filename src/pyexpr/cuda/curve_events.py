"""Where the neurons of a level change their letters on the cells of a curve."""

from __future__ import annotations

from pyexpr import _core
from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.events import Asked, CurvePoints, Filtered, Found, check_order
from pyexpr.cuda.networks import Level
from pyexpr.cuda.ordering import order_in_cells
from pyexpr.cuda.partition import CurvePartition


class CurveFilter:
    """Finds events on a device, of one network."""

    def __init__(self, device: Device, asked: Asked) -> None:
        self._device = device
        self._asked = asked

    def find(self, number: int, level: Level, p: CurvePartition) -> Filtered:
        """The events of level `number` on all cells of p.

        Raises
        ------
        _core.NotFinite
            A pre-activation is not finite.
        """
        xp, run, at, cells = self._device.xp, self._device.run, p.vertices, p.cells
        words, bounds = cells * level.row, self._bounds(p)
        left, unsure, crossing = (xp.empty((cells, level.row), "u8") for _ in range(3))
        counts, gap = xp.empty(words, "i8"), xp.empty(words)
        alpha, norm, *_ = bounds
        run(
            "cell_signs", words, p.degree, p.rows, level.entries, level.width, level.count,
            level.thresholds, p.weights, level.map.row_norms, *bounds[1:], left, unsure, counts,
            gap,
        )  # fmt: skip
        if words:
            closest = float(gap.min())
            if closest < 0:
                raise _core.NotFinite(number, int(at.piece[0]))
            self._asked.note_signs(cells * level.width * level.count, closest)

        ends = xp.cumsum(counts)
        total, first = int(ends[-1]) if words else 0, ends - counts
        cell, neuron, threshold, roots = (xp.empty(total, "i8") for _ in range(4))
        run(
            "list_candidates", words, unsure, first, level.words, level.count, cell, neuron,
            threshold,
        )  # fmt: skip
        letter, hard = xp.empty(total, "u1"), xp.zeros(cells, "u1")
        found = [xp.empty((total, p.degree)) for _ in range(5)]
        run(
            "isolate", total, cell, neuron, threshold, p.degree, p.rows, level.entries,
            level.thresholds, p.weights, level.map.row_norms, level.lipschitz, at.t, at.tau,
            p.speeds, alpha, norm, letter, roots, hard, *found,
        )  # fmt: skip
        run("add_letters", words, unsure, first, letter, roots, left, crossing)

        places = xp.flatnonzero(xp.arange(p.degree) < roots[:, None])
        candidate = places // p.degree
        of_event = [array[candidate] for array in (cell, neuron, threshold)]
        points = self._in_order(of_event, [array.ravel()[places] for array in found])
        any_hard = check_order(self._device, points, hard, self._asked)
        nothing = xp.zeros(cells + 1)
        return Filtered(Found(left, crossing, nothing, points), hard, any_hard)

    def _bounds(self, p: CurvePartition) -> list[Array]:
        """What a cell's coefficients are wrong by, their norm, and what they must exceed."""
        bounds = [self._device.xp.empty(p.cells) for _ in range(4)]
        self._device.run(
            "cell_margins", p.cells, p.degree, p.vertices.tau, p.speeds, p.eps, p.rho, p.norm,
            *bounds,
        )  # fmt: skip
        return bounds

    def _in_order(self, event: list[Array], found: list[Array]) -> CurvePoints:
        """One point an event, in the order of their floats."""
        xp = self._device.xp
        order = order_in_cells(xp, event[0], found[0])
        cell, neuron, threshold = (array[order] for array in event)
        t, tau, low, high, displacement = (array[order] for array in found)
        return CurvePoints(
            cell, t, tau, neuron, threshold, displacement, neuron, threshold,
            xp.arange(len(order)), xp.full(len(order), -1, "i8"), low, high,
        )  # fmt: skip
