"""The angles that the images of a traced curve sweep, as random next layers see them."""

from __future__ import annotations

import math

import numpy as np

from pyexpr._arrays import FloatArray, not_negative
from pyexpr.theory.checks import require_finite
from pyexpr.theory.images import HiddenLayer, Stretch, hidden_layers, stretches
from pyexpr.theory.meanfield import augmented
from pyexpr.theory.origin import require_off_origin
from pyexpr.theory.paths import Paths
from pyexpr.theory.quadrature import integrate
from pyexpr.theory.zeros import Flags, Zeros, zeros_of
from pyexpr.tracing.masked import Numbers
from pyexpr.tracing.trace import Trace
from pyexpr.trajectories import Piece


def swept_angles(
    trace: Trace, weight_variance: float = 2.0, bias_variance: float = 0.0
) -> FloatArray:
    """The angle in radians that the images before each hidden layer sweep.

    Entry l is the path on the unit sphere of (s_w z / sqrt(n), s_b), with z [n] the image of layer
    l - 1, or the input, under the traced weights. Given these, n_l times it over pi is exactly what
    the transitions of layer l are in expectation, if its weights and biases are drawn with these
    variances and its activation has its breakpoint at 0 (ReLU, leaky ReLU, abs): by Crofton's
    formula a curve on a sphere meets a random hyperplane its length over pi times. It holds for
    every width, so that the difference averages to 0 over random networks.

    On segments the sum over cells of the angle between an image's ends, up to rounding; on other
    pieces the integral of the angular speed, to about 1e-12 a cell.

    Without biases an image may be 0. Where it passes 0, its path jumps to the direction in which it
    goes on. Where it stays 0, all neurons behind it have the letter of 0, which half of them change
    on either side: a way of pi / 2 to there, and of pi / 2 from there.

    Parameters
    ----------
    trace
        Of a chain of dense layers.
    weight_variance, bias_variance
        Of the layer that sees the images; not negative.

    Returns
    -------
    float64 [L]

    Raises
    ------
    TypeError
        `trace` is none.
    ValueError
        The network is no chain of dense layers; a variance is negative or not finite; or
        bias_variance is 0 on a trajectory with curved pieces that passes the origin, within
        rounding, elsewhere than at open ends.
    OverflowError
        The square of a number on the way is beyond float64.
    """
    if not isinstance(trace, Trace):
        raise TypeError(f"trace is a {type(trace).__name__}; it must be what pyexpr.trace returns")
    weight = not_negative("weight_variance", weight_variance)
    bias = not_negative("bias_variance", bias_variance)
    layers = hidden_layers(trace.network)
    if not layers or not weight:
        return np.zeros(len(layers))
    zeros = None
    if not bias:
        if not all(piece.is_line for piece in trace.trajectory.pieces):
            require_off_origin(trace.trajectory)
        zeros = zeros_of(trace, layers)
    with np.errstate(over="ignore", invalid="ignore"):
        return require_finite(_angles(trace, layers, weight, bias, zeros))


def _angles(
    trace: Trace, layers: list[HiddenLayer], weight: float, bias: float, zeros: Zeros | None
) -> FloatArray:
    """Before each of some layers: float64 [L]."""
    parts: list[list[float]] = [[] for _ in layers]
    for i, jump in enumerate(zeros.jumps if zeros else []):
        parts[i].append(jump)
    parts[0].extend(_of_input(piece, weight, bias) for piece in trace.trajectory.pieces)
    first = 0
    for stretch in stretches(trace, layers):
        block = slice(first, first + len(stretch))
        for i in range(1, len(layers)):
            ends = zeros.left[block, i] | zeros.right[block, i] if zeros else None
            parts[i].append(_of_image(stretch, i, weight, bias, ends))
        first = block.stop
    return np.array([math.fsum(part) for part in parts], dtype=np.float64)


def _of_input(piece: Piece, weight: float, bias: float) -> float:
    """By a piece itself, which is not cut where the network bends."""
    numerator, hodograph = (piece.mixing @ piece.points)[None], piece.hodograph()[None]
    path = Paths(piece, *augmented(numerator, hodograph, weight, bias, piece.weights))
    return _swept(path, np.array([piece.start]), np.array([piece.end]), None)


def _of_image(
    stretch: Stretch, layer: int, weight: float, bias: float, zero: Flags | None
) -> float:
    """By the image before a layer, on all cells of a stretch."""
    piece, points, tangents = stretch.piece, stretch.points[layer], stretch.tangents[layer]
    path = Paths(piece, *augmented(points, tangents, weight, bias, piece.weights))
    return _swept(path, stretch.left, stretch.right, zero)


def _swept(path: Paths, left: FloatArray, right: FloatArray, zero: Flags | None) -> float:
    """On cells [K]; `zero` tells where one of the ends is 0."""
    if not path.piece.is_line:
        return _integrated(path.turned(), left, right)
    angles = _between_ends(path, left, right)
    if zero is not None:
        angles[zero] = 0.0  # a segment that ends in 0 keeps its direction
    return math.fsum(angles)


def _between_ends(path: Paths, left: FloatArray, right: FloatArray) -> FloatArray:
    """From z to z + step, for every cell of a segment: float64 [K]."""
    start = path.position(np.arange(len(left)), left[:, None])[:, 0]
    step = path.tangents[:, 0] * (right - left)[:, None]
    square = np.einsum("ki,ki->k", start, start)
    along = np.einsum("ki,ki->k", start, step)
    share = np.divide(along, square, out=np.zeros_like(square), where=square > 0)
    across = np.linalg.norm(step - share[:, None] * start, axis=1)
    angles: FloatArray = np.arctan2(np.sqrt(square) * across, square + along)
    return angles


def _integrated(path: Paths, left: FloatArray, right: FloatArray) -> float:
    """The angular speed |dX/du across X| / |X|, over all cells."""

    def speed(row: Numbers, u: FloatArray) -> FloatArray:
        at = path.moments(row, u)
        square = np.divide(at.rest, at.variance, out=np.zeros_like(at.rest), where=at.variance > 0)
        return np.sqrt(square)[..., None]

    return float(integrate(speed, left, right)[0])
