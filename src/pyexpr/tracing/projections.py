"""What layers make of points, projected to planes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.network import Network


def layer_projections(
    network: Network, x: FloatArray, shown: Iterable[int], projection: str, seed: int
) -> list[FloatArray]:
    """Of points [S, *input_shape]: [S, 2] for the input and every layer shown.

    Parameters
    ----------
    projection
        "pca": to the plane in which the points vary most. "random": to one that `seed` draws.
    """
    wanted = [*shown]
    layers = network.graph.layers
    flat = x.reshape(len(x), -1)

    def project(number: int, values: FloatArray) -> FloatArray:
        if projection == "pca":
            return _by_variance(values)
        return _by_chance(values, np.random.default_rng([seed, 1 + number]))

    images = {-1: project(0, flat)}

    def activate(number: int, z: FloatArray) -> FloatArray:
        values = layers[number].evaluate(z)
        if number in wanted:
            images[number] = project(1 + number, values)
        return values

    network.graph.evaluate(flat, activate)
    return [images[number] for number in (-1, *wanted)]


def _by_variance(values: FloatArray) -> FloatArray:
    """To the plane of the two largest principal components, with the start at its upper right."""
    centred = values - values.mean(axis=0)
    if centred.shape[0] < centred.shape[1]:
        squares, vectors = np.linalg.eigh(centred @ centred.T)  # the smaller matrix
        image = vectors * np.sqrt(np.maximum(squares, 0))
    else:
        image = centred @ np.linalg.eigh(centred.T @ centred)[1]
    image = _plane(image[:, ::-1])
    return image * np.where(image[0] < 0, -1, 1)


def _by_chance(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    plane, _ = np.linalg.qr(rng.standard_normal((values.shape[1], 2)))
    return _plane(values @ plane)


def _plane(columns: FloatArray) -> FloatArray:
    """The first two, with zeros where there is only one."""
    image = np.zeros((len(columns), 2))
    width = min(2, columns.shape[1])
    image[:, :width] = columns[:, :width]
    return image
