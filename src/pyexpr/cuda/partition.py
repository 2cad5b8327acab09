"""The trajectory cut into cells, as arrays of a device."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from pyexpr._arrays import FloatArray
from pyexpr.cuda.devices import Array


@dataclass(frozen=True, eq=False)
class Vertices:
    """Ends of cells in order; a true one is where `neuron` of `level` meets `threshold`.

    Attributes
    ----------
    t, tau : float64 [vertices]
        The float that stands for the true vertex, and how far from it that is at most.
    level, neuron, threshold, piece : int64 [vertices]
        level is -1 where a piece begins or ends. Between vertices of two pieces is no cell.
    """

    t: Array
    tau: Array
    level: Array
    neuron: Array
    threshold: Array
    piece: Array

    def part(self, first: int, last: int) -> Vertices:
        """first .. last - 1"""
        return Vertices(*(getattr(self, field.name)[first:last] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True, eq=False)
class Partition:
    """Cells that are linear up to a level, with its pre-activations at their vertices.

    See the core's Partition for what the bounds mean; alpha is that of the high parts alone.

    Attributes
    ----------
    eps, local, rho, norm, alpha : float64 [vertices]
    rows, lows : float64 [vertices, entries]
        lows: None where there are no low parts.
    letters : uint64 [cells, words]
        Of the level before.
    parent : int64 [cells]
        Cells of the partition before.
    speed : float64 [networks]
        Of the host: >= |dh/dt| on every cell.
    """

    vertices: Vertices
    eps: Array
    local: Array
    rho: Array
    norm: Array
    alpha: Array
    rows: Array
    lows: Array | None
    letters: Array
    parent: Array
    speed: FloatArray

    @property
    def cells(self) -> int:
        return len(self.vertices) - 1

    @property
    def extended(self) -> bool:
        return self.lows is not None

    def part(self, first: int, last: int) -> Partition:
        """The cells first .. last - 1."""
        at = slice(first, last + 1)
        return replace(
            self,
            vertices=self.vertices.part(first, last + 1),
            eps=self.eps[at],
            local=self.local[at],
            rho=self.rho[at],
            norm=self.norm[at],
            alpha=self.alpha[at],
            rows=self.rows[at],
            lows=None if self.lows is None else self.lows[at],
            letters=self.letters[first:last],
            parent=self.parent[first:last],
        )
