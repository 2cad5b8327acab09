"""What each input contributes to an output's change along a trajectory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr._arrays import FloatArray, read_only
from pyexpr.tracing.cells import cells

if TYPE_CHECKING:
    from pyexpr.tracing.trace import Trace


def integrated_gradients(trace: Trace, output: int) -> FloatArray:
    """The gradient is constant on a cell, and its integral along x is its product with the step."""
    network = trace.network
    chosen = np.zeros((1, np.prod(network.output_shape, dtype=int)))
    chosen[0, output] = 1
    attributions = np.zeros(trace.x0.size)
    for block in cells(trace):
        step = block.piece.position(block.right) - block.piece.position(block.left)
        attributions += np.einsum("ki,ki->i", block.masked.gradient(chosen), step)
    return read_only(attributions.reshape(network.input_shape))
