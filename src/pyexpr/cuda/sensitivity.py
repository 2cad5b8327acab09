"""Whether the output's slope changes where one neuron switches, by the output's sensitivity to it.

The adjoint tier of the core, for many breakpoints at once.
docs/mathematics/proof.md has its bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyexpr._batches import Indices
from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.networks import Map, Networks
from pyexpr.cuda.partition import Partition
from pyexpr.cuda.products import multiply
from pyexpr.cuda.refinement import UP

_ROUNDOFF = 2.0**-53
_TINY = 2.0**-500  # what squares that vanish were

SAME, BENDS, OPEN = 0, 1, 2


@dataclass(frozen=True, eq=False)
class _Some:
    """Breakpoints of one network, sorted by the level of the neuron that switches.

    Attributes
    ----------
    left : for every partition, int64 [breakpoints]
        The cells on the left.
    level : int64 [breakpoints], of the host
    neuron : int64 [breakpoints]
    """

    left: list[Array]
    level: Indices
    neuron: Array


class Sensitivity:
    """Pushes changes of slope forward to the output."""

    def __init__(self, device: Device, networks: Networks, pieces_of_network: int) -> None:
        self._device = device
        self._networks = networks
        self._pieces = pieces_of_network

    def bends(self, lineage: Sequence[Partition], vertices: Indices) -> Indices:
        """For vertices between two cells of the last partition BENDS, SAME, or OPEN where the
        bounds do not tell, int64 [vertices]."""
        vertices_on = self._device.upload(vertices)
        at = lineage[-1].vertices
        level = self._device.download(at.level[vertices_on])
        network = self._device.download(at.piece[vertices_on]) // self._pieces
        out = np.full(len(vertices), OPEN)
        one = self._device.download(self._switching(lineage, vertices_on)) == 1
        for number in np.unique(network[one]):
            mine = np.flatnonzero(one & (network == number))
            mine = mine[np.argsort(level[mine], kind="stable")]
            on = vertices_on[self._device.upload(mine)]
            some = _Some(self._cells(lineage, on - 1), level[mine], at.neuron[on])
            jumps = self._device.download(self._jumps(lineage, on, level[mine]))
            out[mine] = np.where(jumps, self._push(lineage, int(number), some), SAME)
        return out

    def _cells(self, lineage: Sequence[Partition], cells: Array) -> list[Array]:
        """Of all partitions, those that cells of the last one came from."""
        out = [cells]
        for p in lineage[:0:-1]:
            out.append(p.parent[out[-1]])
        return out[::-1]

    def _switching(self, lineage: Sequence[Partition], vertices: Array) -> Array:
        """How many letters differ between the cells on both sides."""
        counts = self._device.xp.zeros(len(vertices), "i8")
        left, right = (self._cells(lineage, vertices - side) for side in (1, 0))
        for p, a, b in zip(lineage, left, right, strict=True):
            self._device.run(
                "count_differences", len(vertices), p.letters.shape[1], p.letters, a, b, counts
            )
        return counts

    def _jumps(self, lineage: Sequence[Partition], vertices: Array, level: Indices) -> Array:
        """Whether the activation's slope changes at the threshold that is met."""
        xp, at = self._device.xp, lineage[-1].vertices
        out = xp.zeros(len(vertices), bool)
        for number in np.unique(level):
            mine = self._device.upload(np.flatnonzero(level == number))
            k, q = at.threshold[vertices[mine]], at.neuron[vertices[mine]]
            slopes = self._networks.levels[number].slopes
            out[mine] = slopes[k + 1, q] != slopes[k, q]
        return out

    def _push(self, lineage: Sequence[Partition], network: int, some: _Some) -> Indices:
        xp = self._device.xp
        value, error = xp.zeros((0, 0)), xp.zeros(0)
        for number, level in enumerate(self._networks.levels):
            begun = len(value)
            count = int(np.searchsorted(some.level, number, side="right"))
            hidden = xp.zeros((count, level.entries))
            size = self._norm(value) + error
            self._device.run(
                "scale_by_slopes", value.size, level.entries, level.width, level.count,
                level.slopes, lineage[number + 1].letters, some.left[number + 1], value, hidden,
            )  # fmt: skip
            hidden[xp.arange(begun, count), some.neuron[begun:count]] = 1
            error = level.lipschitz * (error + _ROUNDOFF * size)
            size = xp.concatenate([level.lipschitz * size, xp.ones(count - begun)])
            error = xp.concatenate([error, xp.zeros(count - begun)])
            map_ = self._networks.map(number + 1)
            value = self._times(map_, network, hidden)
            passed = float(map_.norm[network]) * error
            error = UP * (passed + self._loss(map_, network) * size + _TINY)
        surely = (xp.isfinite(value) & (xp.abs(value) > error[:, None])).any(axis=1)
        answers: Indices = self._device.download(xp.where(surely, BENDS, OPEN))
        return answers

    def _times(self, map_: Map, network: int, hidden: Array) -> Array:
        rows = self._device.xp.zeros((len(hidden), map_.outputs))
        multiply(
            map_.blocks[network : network + 1], None, [0, len(hidden)], hidden, None, rows, None
        )
        return rows

    def _norm(self, value: Array) -> Array:
        xp = self._device.xp
        return xp.sqrt((value * value).sum(axis=1)) * UP + _TINY

    def _loss(self, map_: Map, network: int) -> float:
        """Of a product, relative to the norm of what is multiplied."""
        return float(map_.terms * _ROUNDOFF * UP * map_.frobenius_norm[network])
