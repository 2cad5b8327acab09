"""Bounds on the activation regions of a line, a segment or a polyline."""

from __future__ import annotations

from collections.abc import Sequence

from pyexpr._arrays import integer
from pyexpr.activations import ActivationLike
from pyexpr.bounds.architecture import (
    Architecture,
    ArchitectureLike,
    Elementwise,
    Layer,
    as_architecture,
)
from pyexpr.bounds.numbers import Number, bound


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

    A function of two ReLUs is at a threshold along a convex curve of at most three parts of lines.
    A line meets such a curve at most twice, and what meets every line k times meets it 3 k times:
    r layers of two ReLUs make 2 3^(r - 1) + 1 regions, of which each threshold behind them is
    passed 2 3^(r - 1) times. So f is 2 n + 3 for (2, n) and 6 n + 7 for (2, 2, n) ReLUs.

    Attained, see `line_is_attained` and `pyexpr.constructions.line`: for ReLU prod_l (n_l + 1) if
    n_l >= 3 for all l < L, and for hard-tanh prod_l (2 n_l - 1) + 2 sum_l prod_{i < l} (2 n_i - 1).

    Conditions: none. Linear regions are at most as many, and transitions fewer.
    Source: derived here. For ReLU and n_l >= 3, Serra, Tjandraatmadja, Ramalingam (2018), Theorem
    5.
    """
    return most_on_line(architecture, one)


def line_is_attained(net: ArchitectureLike, *, activation: ActivationLike | None = None) -> bool:
    """Whether it is proved that some network of this architecture has as many regions as `line`.

    So for chains of dense layers of ReLU, if no width is 2 but at most the last one, and one or two
    before it; of leaky ReLU with a positive slope; of hard-tanh; and of these mixed. The weights of
    convolutions are not free.

    Parameters
    ----------
    net, activation
        As for all bounds.

    Returns
    -------
    bool

    Raises
    ------
    TypeError, ValueError
        As for all bounds.
    """
    architecture = as_architecture(net, activation)
    layers = architecture.layers
    after = reversed(range(len(layers)))
    return (
        architecture.is_dense
        and architecture.bias
        and all(map(_is_attained, layers, _pairs(layers), after))
    )


def _is_attained(layer: Layer, pairs: int, after: int) -> bool:
    """With so many layers of two ReLUs from this one on, and so many layers after it."""
    if not isinstance(layer, Elementwise) or layer.kind == "other":
        return False
    few = pairs == 0 or (pairs <= 2 and pairs == after) or (pairs <= 3 and pairs == after + 1)
    return layer.kind != "relu" or few


def most_on_line(architecture: Architecture, one: Number) -> Number:
    """What `line` says."""
    layers = architecture.layers
    most = [one] * (len(layers) + 1)  # of what comes from layer i on
    for i, pairs in reversed([*enumerate(_pairs(layers))]):
        most[i] = _regions(layers[i], most[i + 1])
        if pairs:
            behind = layers[i + pairs] if i + pairs < len(layers) else None
            passes = 2 * (3 * one) ** (pairs - 1)  # of each threshold behind them
            most[i] = min(most[i], _behind_pairs(passes, behind, most[i + pairs :][:2]))
    return most[0]


def _behind_pairs(passes: Number, layer: Layer | None, most: list[Number]) -> Number:
    """Regions of layers of two ReLUs, of the layer behind them, and of others behind that."""
    made = (passes + 1) * most[0]
    if isinstance(layer, Elementwise):
        return min(made, (passes * (layer.switches(1) + 1) + 1) * most[1])
    return made


@bound
def polyline(
    architecture: Architecture, one: Number, segments: int, closed: bool = False
) -> Number:
    """s (f - 1) + 1 activation regions of a polyline of s segments; s (f - 1) if it is closed.

    f is `line`. A breakpoint at a corner is one of a neighbouring segment, made a little longer.

    Conditions: none.
    Source: derived here.

    Parameters
    ----------
    segments : int
        s, at least 1; 2 if closed.
    closed : bool
        Whether the last ends where the first begins.
    """
    count = integer("segments", segments, 2 if closed else 1)
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


def _pairs(layers: Sequence[Layer]) -> list[int]:
    """How many layers of two ReLUs, which nothing bypasses, come one after another from each on."""
    counts: list[int] = []
    for layer in reversed(layers):
        pair = isinstance(layer, Elementwise) and layer.kind == "relu" and layer.width == 2
        counts.append((counts or [0])[-1] + 1 if pair and layer.bottleneck else 0)
    return counts[::-1]
