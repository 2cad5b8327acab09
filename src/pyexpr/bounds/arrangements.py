"""One layer: how many parts hyperplanes cut a space into."""

from __future__ import annotations

from pyexpr.bounds.architecture import Architecture, Elementwise, NotApplicable, Pooling
from pyexpr.bounds.numbers import Number, bound, choices


@bound
def zaslavsky(architecture: Architecture, one: Number) -> Number:
    """The most activation regions of one hidden layer: sum_{j <= d} C(n, j) p^j, d = inputs.

    n neurons with p breakpoints each are n families of p parallel hyperplanes. A flat of
    codimension j lies in one hyperplane of each of j families, so that in general position there
    are C(n, j) p^j of them, each with Moebius function +-1; Zaslavsky's theorem adds these up.
    p = 1: Schlaefli's sum of C(n, j); p = 2, hard-tanh: 3^n if n <= d, 2 n + 1 for d = 1.

    Conditions: one hidden layer. Attained by thresholds in general position (see
    `pyexpr.constructions.arrangement`); without biases, see `central`.
    Source: Zaslavsky, "Facing up to arrangements" (1975), for p = 1. For p > 1 derived here.
    """
    return arranged(one, _single(architecture), architecture.inputs)


@bound
def central(architecture: Architecture, one: Number) -> Number:
    """The most open regions of one layer without biases: 2 sum_{j < d} C(n - 1, j).

    All hyperplanes pass through the origin. Patterns that only points on hyperplanes have, as the
    origin may, are not among these.

    Conditions: one hidden layer that bends at 0 only, as of ReLU, leaky ReLU or absolute values,
    and biases 0. Attained in general position.
    Source: Zaslavsky (1975).
    """
    layer = _single(architecture)
    if not architecture.homogeneous or isinstance(layer, Pooling):
        raise NotApplicable("central holds for a layer that bends at 0 only, without biases")
    return 2 * sum(choices(one, layer.width - 1, architecture.inputs - 1), 0 * one)


def arranged(one: Number, layer: Elementwise | Pooling, dimension: int) -> Number:
    """The most parts that a layer's thresholds, or ties, cut a space of this dimension into."""
    if isinstance(layer, Pooling):
        hyperplanes, parallel = layer.ties, 1
    else:
        hyperplanes, parallel = layer.width, layer.breakpoints
    if dimension >= hyperplanes:
        return (one * (parallel + 1)) ** hyperplanes
    return sum(choices(one, hyperplanes, dimension, parallel), 0 * one)


def _single(architecture: Architecture) -> Elementwise | Pooling:
    if len(architecture.layers) != 1:
        raise NotApplicable(
            f"the network has {len(architecture.layers)} hidden layers; this holds for one"
        )
    return architecture.layers[0]
