"""Maxima by rounds of max(left, right) = left + relu(right - left), up a binary tree.

The core knows affine maps and activations alone. In a round, slots 2 i and 2 i + 1 of every window
become slot i; a window's letter follows from the signs of the differences on the winner's way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pyexpr.activations import ReLU
from pyexpr.graph import Activation, Affine, Maximum
from pyexpr.operations import Indices, Sparse

# What a round has instead of a neuron where at most one of two slots is there.
LEFT, RIGHT = -1, -2


@dataclass(frozen=True)
class Round:
    """What is compared in one round.

    Attributes
    ----------
    relu : int or None
        The node of the differences' ReLU; None: nothing is compared.
    neuron : int32 [windows, slots after the round]
        Which difference compares slots 2 i and 2 i + 1, or LEFT or RIGHT.
    """

    relu: int | None
    neuron: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Expansion:
    """The nodes that take a maximum's place, the last one with its entries; and its rounds."""

    nodes: list[Affine | Activation] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)


def expand(pool: Maximum, sizes: dict[int, int], first: int) -> Expansion:
    """With nodes numbered from `first` on.

    sizes : of the source; those of the nodes that it makes are added
    """
    out = Expansion()
    # Every slot is a sum of entries of these nodes, at most one of each; negative: none.
    slots: dict[int, Indices] = {pool.source: pool.windows}
    while not out.rounds or slots[pool.source].shape[1] > 1:
        if slots[pool.source].shape[1] % 2:
            slots = {
                node: np.pad(s, ((0, 0), (0, 1)), constant_values=-1) for node, s in slots.items()
            }
        left = {node: s[:, 0::2] for node, s in slots.items()}
        right = {node: s[:, 1::2] for node, s in slots.items()}
        on_left, on_right = left[pool.source] >= 0, right[pool.source] >= 0
        both = on_left & on_right
        neuron = np.where(on_right & ~on_left, RIGHT, LEFT).astype(np.int32)
        neuron[both] = np.arange(both.sum())
        slots = {node: np.where(neuron == RIGHT, right[node], left[node]) for node in slots}
        if not both.any():
            out.rounds.append(Round(None, neuron))
            continue
        count = int(both.sum())
        difference = first + len(out.nodes)
        terms = tuple(
            (node, Sparse.difference(right[node][both], left[node][both], sizes[node]))
            for node in slots
        )
        out.nodes.append(Affine((count,), terms, np.zeros(count)))
        out.nodes.append(Activation((count,), difference, ReLU()))
        out.rounds.append(Round(difference + 1, neuron))
        sizes[difference] = sizes[difference + 1] = count
        slots[difference + 1] = np.where(both, neuron, -1)
    largest = tuple((node, Sparse.take(s[:, 0], sizes[node])) for node, s in slots.items())
    out.nodes.append(Affine(pool.shape, largest, np.zeros(len(pool.windows))))
    return out
