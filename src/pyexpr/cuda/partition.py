"""The trajectory cut into cells, as arrays of a device."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr.cuda.devices import Array, Device

# A partition's arrays by name, as the core reads them.
Arrays: TypeAlias = dict[str, Any]

V = TypeVar("V", bound="Vertices")

BOUNDS = ("eps", "local", "rho", "norm")


class Places(NamedTuple):
    """Which vertices, rows and cells of a partition: int64 of the device, or slices."""

    vertices: Any
    rows: Any
    cells: Any


EVERYWHERE = Places(slice(None), slice(None), slice(None))


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

    def part(self: V, first: int, last: int) -> V:
        """first .. last - 1"""
        return type(self)(*(getattr(self, field.name)[first:last] for field in fields(self)))

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

    @property
    def degree(self) -> int:
        """Cell c has the rows c degree .. (c + 1) degree."""
        return 1

    def on_host(self, device: Device, at: Places, network: int, rows: bool) -> Arrays:
        """What is at these places, of one network; without `rows` there are none."""

        def read(array: Array, places: Any) -> npt.NDArray[Any]:
            return device.download(array[places])

        out: Arrays = {
            field.name: read(getattr(self.vertices, field.name), at.vertices)
            for field in fields(self.vertices)
        }
        out |= {name: read(getattr(self, name), at.rows) for name in BOUNDS}
        out["rows"] = read(self.rows, at.rows) if rows else np.empty((len(out["eps"]), 0))
        out["lows"] = read(self.lows, at.rows) if rows and self.lows is not None else None
        out["letters"], out["parent"] = read(self.letters, at.cells), read(self.parent, at.cells)
        out["speed"] = float(self.speed[network])
        return out


@dataclass(frozen=True, eq=False)
class CurveVertices(Vertices):
    """Ends of a curve's cells.

    Attributes
    ----------
    root : int64 [vertices]
    low, high : float64 [vertices]
        A neuron may meet a threshold several times: the true vertex is the only odd root between
        low and high, or where root is not -1, number `root` of those in [0, 1].
    """

    root: Array
    low: Array
    high: Array


@dataclass(frozen=True, eq=False)
class CurvePartition(Partition):
    """Cells of one curve, with the Bernstein coefficients of w times the pre-activations.

    Attributes
    ----------
    eps, local, rho, norm, alpha, weights : float64 [cells x degree + 1]
        weights: the coefficients of w.
    rows : float64 [cells x degree + 1, entries]
    speeds : float64 [cells]
        >= |d(w h, w)/du|_2 on each cell, and between its true ends and their floats.
    w : float64 [degree + 1]
        On [0, 1].
    w_speed : float
        >= |dw/du|
    """

    vertices: CurveVertices
    weights: Array
    speeds: Array
    w: Array
    w_speed: float

    @property
    def degree(self) -> int:
        return len(self.w) - 1

    def on_host(self, device: Device, at: Places, network: int, rows: bool) -> Arrays:
        out = super().on_host(device, at, network, rows)
        out["degree"] = self.degree
        out["weights"] = device.download(self.weights[at.rows])
        out["speeds"] = device.download(self.speeds[at.cells])
        return out
