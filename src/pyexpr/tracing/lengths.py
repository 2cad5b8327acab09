"""How long the image of a trajectory is in every layer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pyexpr._arrays import FloatArray, read_only
from pyexpr.tracing.cells import Cells, cells
from pyexpr.tracing.masked import Numbers
from pyexpr.tracing.quadrature import integrate

if TYPE_CHECKING:
    from pyexpr.tracing.trace import Trace
    from pyexpr.trajectories import Piece

_RTOL = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class LayerLengths:
    """Lengths of a trajectory's images, in the Euclidean norm: of flat points.

    As in Raghu et al. (2017), "On the expressive power of deep neural networks", the image in a
    layer is that of its output, behind the activation. Arrays are read-only.

    Attributes
    ----------
    names : tuple of str, L + 2
        "input", "layer 0", ..., "output".
    length : float64 [L + 2]
        On segments the sum of the intervals' exact lengths, up to rounding. On other pieces
        integrated by Gauss-Legendre quadrature on each interval, where images are smooth.
    error : float64 [L + 2]
        An estimate of the quadrature's error, usually far too large; 0 on segments. Rounding
        comes on top.
    """

    names: tuple[str, ...]
    length: FloatArray
    error: FloatArray

    @property
    def ratio(self) -> FloatArray:
        """Lengths over the input's, float64 [L + 2]; nan along a point."""
        with np.errstate(invalid="ignore"):
            return read_only(self.length / self.length[0])

    def __repr__(self) -> str:
        return f"<LayerLengths {', '.join(f'{length:.6g}' for length in self.length)}>"

    def __str__(self) -> str:
        rows = zip(self.names, self.length, self.ratio, strict=True)
        width = max(map(len, self.names))
        lines = [
            f"{name:<{width}}  {length:>12.6g}  {ratio:>10.4g}" for name, length, ratio in rows
        ]
        return "\n".join([f"{'':<{width}}  {'length':>12}  {'ratio':>10}", *lines])


def layer_lengths(trace: Trace) -> LayerLengths:
    """Cell by cell, since on each the images are those of the piece under affine maps."""
    parts = [[*_parts(block)] for block in cells(trace)]
    lengths, errors = np.moveaxis(np.array(parts), 2, 0)
    names = ("input", *(f"layer {i}" for i in range(len(trace.network.graph.layers))), "output")
    length, error = (np.array([math.fsum(column) for column in a.T]) for a in (lengths, errors))
    return LayerLengths(names, read_only(length), read_only(error))


def _parts(block: Cells) -> Iterator[tuple[float, float]]:
    """Of the input, every layer and the output: the cells' length together, and its error."""
    hodograph = block.piece.hodograph()
    images = [block.masked.images(vector[None]) for vector in hodograph]
    yield _length(block, np.broadcast_to(hodograph, (len(block), *hodograph.shape)))
    for image in zip(*images, strict=True):
        yield _length(block, np.stack(image, axis=1))


def _length(block: Cells, hodographs: FloatArray) -> tuple[float, float]:
    """Of curves with these hodographs [K, 2d - 1, n], one a cell."""
    if block.piece.is_line:
        speed = np.linalg.norm(hodographs[:, 0], axis=1)
        return math.fsum(speed * (block.right - block.left)), 0.0
    # Turned into few dimensions, which leaves lengths as they are.
    _, turned = np.linalg.qr(hodographs.swapaxes(1, 2))
    return integrate(_Speed(block.piece, turned.swapaxes(1, 2)), block.left, block.right, _RTOL)


@dataclass(frozen=True, eq=False)
class _Speed:
    """|d/du| of the images, at places u [k, q] of cells."""

    piece: Piece
    hodographs: FloatArray

    def __call__(self, cell: Numbers, u: FloatArray) -> FloatArray:
        weights = self.piece.hodograph_weights(u.reshape(-1)).reshape(*u.shape, -1)
        speed: FloatArray = np.linalg.norm(weights @ self.hodographs[cell], axis=2)
        return speed
