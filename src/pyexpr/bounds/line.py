"""Bounds on the activation regions of a line, a segment or a polyline."""

from __future__ import annotations

from pyexpr.activations import ActivationLike
from pyexpr.bounds.architecture import (
    Architecture,
    ArchitectureLike,
    Elementwise,
    Layer,
    as_architecture,
)
from pyexpr.bounds.numbers import Number, bound
from pyexpr.network import _integer as check_integer


@bound
def line_product(architecture: Architecture, one: Number) -> Number:
    """prod_l (p n_l + 1).

    Inside a region of the layers before, pre-activations are affine functions of t, and each passes
    each of its p thresholds at most once. A maximum of k entries has k - 1 breakpoints at most.

    Conditions: none; layers that others bypass included. For when it is attained, see `line`.
    """
    result = one
    for layer in architecture.layers:
        result *= layer.switches(1) + 1
    return result


@bound
def line(architecture: Architecture, one: Number) -> Number:
    """The most activation regions of a line, or the sharpest bound known on them.

    Of a region in which its input varies with t, a layer makes v regions where its output varies
    again and c where it is constant, and stays so: f(l) = v f(l + 1) + c. Unless the layer is
    bypassed, (v, c) is

    - (n + 1, 0) for n ReLUs, n >= 3, and n >= 2 leaky ones; (1, 1) for one ReLU;
    - (2 n - 1, 2) for n hard-tanhs: beyond all 2 n breakpoints all are saturated, so that
      prod_l (2 n_l + 1) is not attained from two layers on;
    - f(l + 1) + p for one neuron with a monotone activation, which reparametrises the line.

    Two ReLUs bend a line into a convex curve or make one piece constant: a function of them passes
    a threshold at most twice, and f(l) <= (2 p n_{l+1} + 3) f(l + 2), for (2, n) ReLUs 2 n + 3.

    Attained, see `line_is_attained` and `pyexpr.constructions.line`: for ReLU prod_l (n_l + 1) if
    n_l >= 3 for all l < L, and for hard-tanh prod_l (2 n_l - 1) + 2 sum_l prod_{i < l} (2 n_i - 1).

    Conditions: none. Linear regions are at most as many.
    Source: derived here. For ReLU and n_l >= 3, Serra, Tjandraatmadja, Ramalingam (2018), Theorem
    5.
    """
    return most_on_line(architecture, one)


def line_is_attained(net: ArchitectureLike, *, activation: ActivationLike | None = None) -> bool:
    """Whether it is proved that some network of this architecture has as many regions as `line`.

    So for chains of dense layers of ReLU, if none but the last two widths is 2; of leaky ReLU with
    a positive slope; of hard-tanh; and of these mixed. The weights of convolutions are not free.
    """
    architecture = as_architecture(net, activation)
    *_, last = [0, *range(len(architecture.layers))]
    return architecture.is_dense and all(
        isinstance(layer, Elementwise) and _is_attained(layer, before_last=last - i)
        for i, layer in enumerate(architecture.layers)
    )


def _is_attained(layer: Elementwise, before_last: int) -> bool:
    if not layer.uniform:
        return False
    is_leaky = layer.breakpoints == 1 and layer.flat == 0 and layer.monotone
    wide = layer.width != 2 or before_last < 2
    return is_leaky or layer.is_clip or (layer.is_relu and wide)


def most_on_line(architecture: Architecture, one: Number) -> Number:
    """What `line` says."""
    later = after_next = one
    layers = architecture.layers
    for i in reversed(range(len(layers))):
        regions = _regions(layers[i], later)
        if _bends_convexly(layers[i : i + 2]):
            regions = min(regions, (2 * layers[i + 1].switches(1) + 3) * after_next)
        later, after_next = regions, later
    return later


@bound
def polyline(
    architecture: Architecture, one: Number, segments: int, closed: bool = False
) -> Number:
    """s (f - 1) + 1 activation regions of a polyline of s segments; s (f - 1) if it is closed.

    f is `line`. A breakpoint at a corner is one of a neighbouring segment, made a little longer.

    Parameters
    ----------
    segments : int
        s, at least 1; 2 if closed.
    closed : bool
        Whether the last ends where the first begins.

    Conditions: none.
    Source: derived here.
    """
    count = check_integer("segments", segments, 2 if closed else 1)
    breakpoints = count * (most_on_line(architecture, one) - 1)
    return max(breakpoints, one) if closed else breakpoints + 1


def _regions(layer: Layer, later: Number) -> Number:
    """f(l) of f(l + 1)."""
    switches = layer.switches(1)
    if not layer.bottleneck or not isinstance(layer, Elementwise):
        return (switches + 1) * later
    if layer.width == 1:
        if layer.monotone:
            return later + switches
        return (switches + 1 - layer.flat) * later + layer.flat
    return (switches + 1 - layer.flat_ends) * later + layer.flat_ends


def _bends_convexly(layers: tuple[Layer, ...]) -> bool:
    """Whether these are two ReLUs that nothing bypasses, and neurons behind them."""
    if len(layers) != 2 or not all(isinstance(layer, Elementwise) for layer in layers):
        return False
    first = layers[0]
    relu = isinstance(first, Elementwise) and first.is_relu
    return relu and first.width == 2 and first.bottleneck
