"""Networks of one architecture, as arrays of a device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from pyexpr import _core
from pyexpr._arrays import FloatArray
from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.products import Block, blocks_of, stacked_weights


@dataclass(frozen=True, eq=False)
class Map:
    """The affine map into a level, of every network.

    Attributes
    ----------
    bias, row_norms : float64 [networks, outputs]
    blocks : for each network, what its matrix is the sum of
    stacked : float64 [networks, inputs, outputs], or None
        All matrices, if there are several and each is dense; the blocks are views of them.
    frobenius_norm : float64 [networks]
    terms : int
        Roundings of a row's sums.
    """

    cores: tuple[_core.AffineMap, ...]
    outputs: int
    terms: int
    bias: Array
    row_norms: Array
    frobenius_norm: FloatArray
    blocks: tuple[tuple[Block, ...], ...]
    stacked: Array | None

    @classmethod
    def of(cls, cores: tuple[_core.AffineMap, ...], device: Device) -> Map:
        stacked = stacked_weights(cores, device)
        weights = [None] * len(cores) if stacked is None else stacked
        return cls(
            cores,
            cores[0].outputs,
            max(core.terms for core in cores),
            device.upload(np.stack([core.bias for core in cores])),
            device.upload(np.stack([core.row_norms for core in cores])),
            np.array([core.frobenius_norm for core in cores]),
            tuple(
                blocks_of(core, device, weight) for core, weight in zip(cores, weights, strict=True)
            ),
            stacked,
        )

    @cached_property
    def norm(self) -> FloatArray:
        """>= |W|_2 of every network, float64 [networks]."""
        spectral = np.array([core.spectral_norm() for core in self.cores])
        norm: FloatArray = np.minimum(spectral, self.frobenius_norm)
        return norm


@dataclass(frozen=True, eq=False)
class Level:
    """z = map(h), then the activation of the first `width` of its `entries`; the others pass.

    Attributes
    ----------
    thresholds : float64 [thresholds]
    slopes, offsets, offset_lows : float64 [thresholds + 1, width]
    offset_size : float
        Of what offsets add to a row, at most.
    exact : bool
        Whether evaluating the activation rounds nothing.
    """

    map: Map
    width: int
    thresholds: Array
    slopes: Array
    offsets: Array
    offset_lows: Array
    lipschitz: float
    offset_size: float
    exact: bool

    @classmethod
    def of(cls, networks: tuple[_core.Network, ...], level: int, device: Device) -> Level:
        thresholds, slopes, offsets, lows, largest, exact = networks[0].activation(level)
        width = slopes.shape[1]
        return cls(
            Map.of(tuple(network.map(level) for network in networks), device),
            width,
            device.upload(thresholds),
            device.upload(slopes),
            device.upload(offsets),
            device.upload(lows),
            networks[0].lipschitz(level),
            largest * width,
            exact,
        )

    @property
    def entries(self) -> int:
        return self.map.outputs

    @property
    def count(self) -> int:
        """Of thresholds."""
        return len(self.thresholds)

    @property
    def words(self) -> int:
        return (self.width + 63) // 64

    @property
    def row(self) -> int:
        """Words of a cell's letters."""
        return self.words * self.count


@dataclass(frozen=True, eq=False)
class Networks:
    """Some networks that differ in their weights alone."""

    levels: tuple[Level, ...]
    readout: Map
    extended_levels: int

    @property
    def depth(self) -> int:
        return len(self.levels)

    def map(self, level: int) -> Map:
        """Into a level, or into the output for the depth."""
        return self.levels[level].map if level < self.depth else self.readout

    def gain(self, level: int) -> FloatArray:
        """By how much a level's map lets errors of its inputs grow; there are none at first."""
        map_ = self.map(level)
        return map_.norm if level > 0 else map_.frobenius_norm


# What was uploaded last for networks of which this one is the first, by device: the others, too.
_uploaded: WeakKeyDictionary[_core.Network, dict[Device, tuple[Any, Networks]]] = (
    WeakKeyDictionary()
)


def upload(cores: tuple[_core.Network, ...], device: Device) -> Networks:
    """The networks on a device, where they stay as long as the first of them lives and no others
    are counted with it."""
    known, others = _uploaded.setdefault(cores[0], {}), tuple(map(ref, cores[1:]))
    if device in known and known[device][0] == others:
        return known[device][1]
    known.pop(device, None)
    depth = cores[0].depth
    networks = Networks(
        tuple(Level.of(cores, level, device) for level in range(depth)),
        Map.of(tuple(core.map(depth) for core in cores), device),
        max(core.extended_levels for core in cores),
    )
    known[device] = others, networks
    return networks
