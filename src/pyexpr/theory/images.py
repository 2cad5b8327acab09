"""The images of a traced curve before each hidden layer, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr.activations import PiecewiseLinear
from pyexpr.network import Network
from pyexpr.tracing.cells import cells
from pyexpr.tracing.trace import Trace
from pyexpr.trajectories import Piece

PieceNumbers: TypeAlias = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class HiddenLayer:
    """z -> activation(weight @ z + bias)."""

    weight: FloatArray
    bias: FloatArray
    activation: PiecewiseLinear


@dataclass(frozen=True, eq=False)
class Stretch:
    """Some cells of one piece of degree d, in order, with the images on them.

    Attributes
    ----------
    piece : Piece
    left, right : float64 [K]
        Where the cells start and end, in the piece's parameter u.
    numbers : integers [K, n], one array a hidden layer
        Which of the activation's pieces its neurons are on.
    points : float64 [K, d + 1, n], one array a hidden layer; [1, d + 1, n] the first
        The image before it: w(u) z(u) = sum_i B_i(u) points_i, w by the piece's weights.
    tangents : float64 [K, 2d - 1, n], likewise
        dz/du = hodograph_weights(u) @ tangents.
    """

    piece: Piece
    left: FloatArray
    right: FloatArray
    numbers: list[PieceNumbers]
    points: list[FloatArray]
    tangents: list[FloatArray]

    def __len__(self) -> int:
        return len(self.left)

    def velocity(self, layer: int, cell: int, u: float) -> FloatArray:
        """dz/du of the image before a layer: float64 [n]."""
        weights = self.piece.hodograph_weights(np.array([u]))[0]
        velocity: FloatArray = weights @ self.tangents[layer][cell if layer else 0]
        return velocity


def hidden_layers(network: Network) -> list[HiddenLayer]:
    """Of a chain of dense layers.

    Raises
    ------
    ValueError
        The network is no such chain.
    """
    return [
        HiddenLayer(layer.weight, layer.bias, layer.activation)
        for layer in network.layers
        if layer.activation is not None
    ]


def stretches(trace: Trace, layers: list[HiddenLayer]) -> Iterator[Stretch]:
    """All cells of a trace of the network that has these layers."""
    first_letters = [layer.activation.first_letter for layer in layers]
    edges = [*accumulate((len(layer.bias) for layer in layers), initial=0)]
    for block in cells(trace):
        letters = block.masked.letters
        numbers: list[PieceNumbers] = [
            letters[:, start:end] - first
            for (start, end), first in zip(pairwise(edges), first_letters, strict=True)
        ]
        points, tangents = _images(block.piece, layers, numbers)
        yield Stretch(block.piece, block.left, block.right, numbers, points, tangents)


def _images(
    piece: Piece, layers: list[HiddenLayer], numbers: list[PieceNumbers]
) -> tuple[list[FloatArray], list[FloatArray]]:
    points, tangents = [(piece.mixing @ piece.points)[None]], [piece.hodograph()[None]]
    weights = piece.weights[:, None]
    for layer, pieces in zip(layers[:-1], numbers, strict=False):
        slopes, offsets = layer.activation.coefficients(pieces[:, None])
        h = _mapped(points[-1], layer.weight) + weights * layer.bias
        points.append(slopes * h + offsets * weights)
        tangents.append(slopes * _mapped(tangents[-1], layer.weight))
    return points, tangents


def _mapped(vectors: FloatArray, weight: FloatArray) -> FloatArray:
    """[..., n] to [..., m], by one product of matrices."""
    flat: FloatArray = vectors.reshape(-1, vectors.shape[-1]) @ weight.T
    return flat.reshape(*vectors.shape[:-1], len(weight))
