"""Images of a piece of a trajectory under affine maps, in few dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.theory.meanfield import Moments
from pyexpr.tracing.masked import Numbers
from pyexpr.trajectories import Piece
from pyexpr.trajectories.piece import bernstein_basis


@dataclass(frozen=True, eq=False)
class Paths:
    """Curves X(u) of the piece's degree d, one a row.

    Attributes
    ----------
    piece : Piece
        Its parameter, and its weights w.
    points : float64 [K, d + 1, m]
        w(u) X(u) = sum_i B_i(u) points_i.
    tangents : float64 [K, 2d - 1, m]
        dX/du = hodograph_weights(u) @ tangents.
    """

    piece: Piece
    points: FloatArray
    tangents: FloatArray

    def turned(self) -> Paths:
        """Each rotated into at most 3d dimensions: all that matters are lengths and products."""
        vectors = np.concatenate([self.points, self.tangents], axis=1)
        _, turned = np.linalg.qr(vectors.swapaxes(1, 2))
        few, count = turned.swapaxes(1, 2), self.points.shape[1]
        return Paths(self.piece, few[:, :count], few[:, count:])

    def position(self, row: Numbers, u: FloatArray) -> FloatArray:
        """X at places u [k, q] of rows [k]: float64 [k, q, m]."""
        basis = bernstein_basis(self.piece.degree, u.reshape(-1))
        shares = (basis / (basis @ self.piece.weights)[:, None]).reshape(*u.shape, -1)
        position: FloatArray = shares @ self.points[row]
        return position

    def velocity(self, row: Numbers, u: FloatArray) -> FloatArray:
        """dX/du, likewise."""
        weights = self.piece.hodograph_weights(u.reshape(-1)).reshape(*u.shape, -1)
        velocity: FloatArray = weights @ self.tangents[row]
        return velocity

    def moments(self, row: Numbers, u: FloatArray) -> Moments:
        """Of X's product with a standard normal vector: [k, q]."""
        return Moments.of_curve(self.position(row, u), self.velocity(row, u))
