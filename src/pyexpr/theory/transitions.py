"""How many transitions and regions a random network has along a trajectory, in expectation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray
from pyexpr._curves import Given, read_path
from pyexpr.activations import ActivationLike
from pyexpr.network import check_sizes
from pyexpr.theory.checks import require_finite
from pyexpr.theory.meanfield import MeanField, augmented
from pyexpr.theory.origin import require_off_origin
from pyexpr.theory.paths import Paths
from pyexpr.theory.quadrature import integrate
from pyexpr.tracing.masked import Numbers
from pyexpr.trajectories import Piece


def expected_transitions(
    sizes: Sequence[int],
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    activation: ActivationLike = "relu",
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
) -> FloatArray:
    """The expected transitions of each hidden layer along a trajectory.

    The first is exact for every width; the others are the limit as widths grow, with relative
    errors of the order of depth / width. By Rice's formula in every layer, integrated along the
    pieces to about 1e-12 a neuron: see `MeanField.transition_rate`. For ReLU it is
    n_l Theta / pi, Theta the angle that (s_w z / sqrt(n), s_b) sweeps; without biases Theta is the
    same in all layers, and neither weight_variance nor depth matters.

    Parameters
    ----------
    sizes
        [inputs, hidden..., outputs], each at least 1.
    trajectory, x1
        A trajectory, or two points, as `count_transitions` takes them.
    activation
        A name or a PiecewiseLinear with one row of slopes.
    weight_variance, bias_variance
        Not negative.

    Returns
    -------
    float64 [L]

    Raises
    ------
    TypeError
        An argument of the wrong kind.
    ValueError
        Sizes, variances or an activation that `Network.random` or `MeanField` would refuse, points
        of another dimension than sizes[0]; or a trajectory that passes the origin, within rounding,
        without biases, where neurons with a breakpoint at 0 all switch at once. It may start or end
        there.
    OverflowError
        The square of a number on the way is beyond float64.
    """
    widths = check_sizes(sizes)
    field = MeanField(activation, weight_variance, bias_variance)
    curve = read_path(widths[0], trajectory, x1)
    if field.bias_variance == 0 and (field.activation.breakpoints == 0).any():
        require_off_origin(curve)
    hidden = widths[1:-1]
    with np.errstate(over="ignore", invalid="ignore"):
        rates = [_on_piece(field, piece, len(hidden)) for piece in curve.pieces]
    sums: FloatArray = np.sum(rates, axis=0)
    return np.array(hidden, dtype=np.float64) * sums


def expected_regions(
    sizes: Sequence[int],
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    activation: ActivationLike = "relu",
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
) -> float:
    """The expected activation regions along a trajectory: 1 + all `expected_transitions`.

    Two neurons switch at one point with probability 0 in a first layer; further on only where all
    of a narrow layer without biases is off. On a closed trajectory it is the sum alone, which
    leaves out the probability that no neuron switches, as there is then one region.

    Parameters
    ----------
    sizes, trajectory, x1, activation, weight_variance, bias_variance
        As for `expected_transitions`.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for `expected_transitions`.
    """
    counts = expected_transitions(
        sizes,
        trajectory,
        x1,
        activation=activation,
        weight_variance=weight_variance,
        bias_variance=bias_variance,
    )
    closed = read_path(check_sizes(sizes)[0], trajectory, x1).closed
    return math.fsum(counts) + (0 if closed else 1)


def _on_piece(field: MeanField, piece: Piece, depth: int) -> FloatArray:
    """Of one neuron of every layer: float64 [depth]."""
    numerator = piece.mixing @ piece.points
    variances = field.weight_variance, field.bias_variance
    points, tangents = augmented(numerator, piece.hodograph(), *variances, piece.weights)
    path = Paths(piece, points[None], tangents[None]).turned()

    def rates(row: Numbers, u: FloatArray) -> FloatArray:
        at, found = path.moments(np.zeros_like(row), u), []
        for _ in range(depth):
            require_finite(at.variance + at.rest)
            found.append(field.transition_rate(at))
            at = field(at)
        return np.stack(found, axis=-1)

    if not depth:
        return np.zeros(0)
    return integrate(rates, np.array([piece.start]), np.array([piece.end]))
