"""A trajectory of which at least one piece is curved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pyexpr import _core
from pyexpr._batches import Batch
from pyexpr.cuda.devices import Array, Device
from pyexpr.cuda.lines import Lines, Run, lines_of


@dataclass(frozen=True, eq=False)
class Curve:
    """For the engine of a device."""

    device: Device
    core: _core.Trajectory

    apart = False

    def __len__(self) -> int:
        """How many pieces."""
        return len(self.core)

    @property
    def degree(self) -> int:
        return self.core.degree

    @property
    def is_simple(self) -> bool:
        """Whether it is one piece, and not closed."""
        return len(self) == 1 and not self.core.closed

    def runs(self, networks: int) -> Iterator[Run]:
        """Single curves, and the lines between them, for one network."""
        curved = self.core.curved
        last = 0
        while last < len(curved):
            first, last = last, last + 1
            while not curved[first] and last < len(curved) and not curved[last]:
                last += 1
            yield Run(first, last, bool(curved[first]))

    def end_points(self, first: int, last: int) -> Array:
        """Of some of the lines, float64 [2 pieces, inputs]."""
        x0, x1 = self.core.ends_of_lines(first, last)
        return self.device.upload(np.stack([x0, x1], axis=1).reshape(-1, x0.shape[1]))


# What is counted along.
Path: TypeAlias = Lines | Curve


def path_of(device: Device, curve: _core.Trajectory | Batch) -> Path:
    """What the core would count along."""
    if isinstance(curve, Batch) or not curve.curved.any():
        return lines_of(device, curve)
    return Curve(device, curve)
