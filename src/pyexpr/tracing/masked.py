"""The affine maps that a network is where its neurons keep their letters."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr.graph import Layer
from pyexpr.network import Network

Letters: TypeAlias = npt.NDArray[np.int16]
Numbers: TypeAlias = npt.NDArray[np.int64]

BLOCK = 2**20  # letters worked on at a time


class Masked:
    """A network with fixed letters; everything is flat.

    Parameters
    ----------
    network : Network
    letters : int16 [R, n_neurons]
        R affine maps at once; what is [B, n] below has a row for each of them, or one for all.
    """

    def __init__(self, network: Network, letters: Letters) -> None:
        self._graph = network.graph
        self.letters = letters
        self._starts = [0, *accumulate(network.neurons_per_layer)]

    def output(self, x: FloatArray, *, with_bias: bool = True) -> FloatArray:
        """The maps, or their linear parts alone, at x [B or 1, n]: [R, m]."""
        return self._rows(
            self._graph.evaluate(x, lambda i, z: self._on(i, z, with_bias), with_bias=with_bias)
        )

    def images(self, direction: FloatArray) -> list[FloatArray]:
        """What the linear parts make of a direction [1, n], layer by layer, and the output."""
        images: list[FloatArray] = []

        def activate(number: int, z: FloatArray) -> FloatArray:
            images.append(self._on(number, z, False))
            return images[-1]

        output = self._graph.evaluate(direction, activate, with_bias=False)
        return [self._rows(image) for image in (*images, output)]

    def gradient(self, y: FloatArray) -> FloatArray:
        """The transposed linear parts at y [B or 1, m]: [R or B, n]."""

        def deactivate(number: int, y: FloatArray) -> FloatArray:
            layer = self._graph.layers[number]
            size = prod(self._graph.nodes[layer.source].shape)
            return layer.transposed(self._pieces(number, layer), y, size)

        return self._rows(self._graph.transposed(y, deactivate))

    def _on(self, number: int, z: FloatArray, with_bias: bool) -> FloatArray:
        layer = self._graph.layers[number]
        return layer.on_pieces(self._pieces(number, layer), z, with_bias=with_bias)

    def _pieces(self, number: int, layer: Layer) -> npt.NDArray[np.integer[Any]]:
        letters = self.letters[:, self._starts[number] : self._starts[number + 1]]
        pieces: npt.NDArray[np.integer[Any]] = letters - layer.first_letter
        return pieces

    def _rows(self, out: FloatArray) -> FloatArray:
        """One row for each map, also where none of its neurons had a say."""
        return np.broadcast_to(out, (max(len(self.letters), len(out)), out.shape[1]))
