"""The cells of the next level along a curve, and its pre-activations' coefficients on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pyexpr import _core
from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.events import CurvePoints, Found
from pyexpr.cuda.networks import Networks
from pyexpr.cuda.ordering import count_below
from pyexpr.cuda.partition import CurvePartition, CurveVertices
from pyexpr.cuda.products import multiply
from pyexpr.cuda.refinement import UP, Cut, bound_norms, cut

_NO_SPEED = np.zeros(1)  # that of lines


@dataclass(frozen=True, eq=False)
class CurveCut(Cut):
    """Of a curve.

    Attributes
    ----------
    speeds : float64 [cells]
        Of the new cells.
    p : CurvePartition
        What was cut.
    """

    vertices: CurveVertices
    speeds: Array
    p: CurvePartition


class CurveRefinement:
    """Makes the rows of a device along the curves of a trajectory, for one network."""

    def __init__(
        self,
        device: Device,
        networks: Networks,
        core: _core.Network,
        trajectory: _core.Trajectory,
    ) -> None:
        self._device = device
        self._networks = networks
        self._core = core
        self._trajectory = trajectory

    def start(self, piece: int) -> CurvePartition:
        """A curved piece as one cell: a few rows, which the core makes."""
        xp, upload = self._device.xp, self._device.upload
        arrays = _core.start_curve(self._core, self._trajectory, piece)
        w_speed = arrays.pop("w_speed")
        at = {name: upload(array) for name, array in arrays.items()}
        integers = [xp.full(2, n, "i8") for n in (-1, 0, 0, piece, -1)]
        nothing = [xp.zeros(2) for _ in range(3)]
        vertices = CurveVertices(at["t"], nothing[0], *integers, *nothing[1:])
        return CurvePartition(
            vertices, at["eps"], at["local"], at["rho"], at["norm"], at["eps"] + at["rho"],
            at["rows"], None, xp.empty((1, 0), "u8"), xp.zeros(1, "i8"), _NO_SPEED, at["weights"],
            at["speeds"], at["w"], w_speed,
        )  # fmt: skip

    def cut(self, number: int, p: CurvePartition, found: Found) -> CurveCut:
        """The cells of p, cut at the points of level `number`."""
        xp, level, points = self._device.xp, self._networks.levels[number], found.points
        assert isinstance(points, CurvePoints)
        displacement = xp.empty(p.cells + 1)
        self._device.run(
            "displace_ends", p.cells + 1, p.cells, p.degree, p.rows, level.entries, level.width,
            level.count, level.thresholds, p.weights, level.lipschitz, found.left, found.crossing,
            displacement,
        )  # fmt: skip
        new = cut(self._device, number, level, p, replace(found, displacement=displacement))
        old = xp.arange(p.cells + 1)
        places = xp.concatenate(
            [old + count_below(xp, points.cell, old), points.cell + 1 + xp.arange(len(points))]
        )
        isolating = []
        for name in ("root", "low", "high"):
            both = xp.concatenate([getattr(p.vertices, name), getattr(points, name)])
            isolating.append(xp.empty_like(both))
            isolating[-1][places] = both
        at = new.vertices
        vertices = CurveVertices(
            at.t, at.tau, at.level, at.neuron, at.threshold, at.piece, *isolating
        )
        return CurveCut(
            vertices, new.displacement, new.source, new.share, new.letters, new.parent,
            new.old_displacement, self._speeds(number, p)[new.parent], p,
        )  # fmt: skip

    def without_rows(self, cut: CurveCut) -> CurvePartition:
        """The cells alone."""
        xp, p = self._device.xp, cut.p
        none = xp.zeros(cut.cells * p.degree + 1)
        return CurvePartition(
            cut.vertices, none, none, none, none, none, xp.empty((len(none), 0)), None,
            cut.letters, cut.parent, _NO_SPEED, none, cut.speeds, p.w, p.w_speed,
        )  # fmt: skip

    def fill(
        self, number: int, p: CurvePartition, cut: CurveCut, first: int, last: int
    ) -> CurvePartition:
        """The new cells first .. last - 1, with rows of what follows level `number`."""
        xp, run = self._device.xp, self._device.run
        level, map_ = self._networks.levels[number], self._networks.map(number + 1)
        vertices, cells = cut.vertices.part(first, last + 1), last - first
        parent, letters = cut.parent[first:last], cut.letters[first:last]
        # Where the new cells begin and end, as parts of the old ones.
        source, share = cut.source[first : last + 1], cut.share[first : last + 1]
        part = parent, share[:-1], xp.where(source[1:] == parent, share[1:], 1.0)
        count = cells * p.degree + 1
        sized = cells, cells, p.degree
        weights, hidden = xp.empty(count), xp.empty((count, level.entries))
        run("cut_weights", *sized, p.w, vertices.t, weights)
        run(
            "restrict_outputs", cells * level.entries, cells, p.degree, p.rows, level.entries,
            level.width, level.count, level.slopes, level.offsets, letters, *part, weights, hidden,
        )  # fmt: skip
        norm, eps, local = bound_norms(self._device, hidden, weights), *_empties(xp, count)
        run(
            "pass_on_curve", *sized, *part, int(not level.exact), level.lipschitz,
            level.offset_size, self._networks.gain(number)[0], level.map.frobenius_norm[0], p.eps,
            p.rho, p.norm, p.weights, cut.displacement[first : last + 1], local, eps,
        )  # fmt: skip
        rows = xp.zeros((count, map_.outputs))
        multiply(map_.blocks, None, [0, count], hidden, None, rows, None)
        run("add_bias_times", rows.size, map_.outputs, map_.bias, weights, rows)
        rho, alpha = _empties(xp, count)
        run("bound_curve_product", count, map_.terms, norm, rho)
        run("bound_rows", count, 0, eps, rho, norm, alpha)
        return CurvePartition(
            vertices, eps, local, rho, norm, alpha, rows, None, letters, parent, _NO_SPEED,
            weights, cut.speeds[first:last], p.w, p.w_speed,
        )  # fmt: skip

    def _speeds(self, number: int, p: CurvePartition) -> Array:
        """Of the outputs of a level, on the cells of p and their parts."""
        xp, level = self._device.xp, self._networks.levels[number]
        rounding_gain = float(level.map.frobenius_norm[0])
        of_w = (level.lipschitz * rounding_gain + level.offset_size + 1) * p.w_speed * UP
        steps = xp.diff(p.rows, axis=0)
        speeds = xp.empty(p.cells)
        self._device.run(
            "bound_speed", p.cells, p.degree, p.vertices.t, p.vertices.tau, p.speeds, p.alpha,
            bound_norms(self._device, steps, xp.zeros(len(steps))), level.lipschitz,
            self._networks.gain(number)[0], rounding_gain, of_w, speeds,
        )  # fmt: skip
        return speeds


def _empties(xp: Any, count: int) -> tuple[Array, Array]:
    return xp.empty(count), xp.empty(count)
