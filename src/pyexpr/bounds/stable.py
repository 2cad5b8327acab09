"""A bound that knows the weights: which neurons can switch at all, where, and how many together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.activations import ReLU
from pyexpr.bounds.architecture import Architecture, NotApplicable
from pyexpr.bounds.numbers import Number, bound, choices
from pyexpr.network import Layer, Network
from pyexpr.trajectories import Line
from pyexpr.trajectories.points import alike

Box: TypeAlias = tuple[FloatArray, FloatArray]

_UNIT = 2.0**-53
_TINY = 2.0**-1074


@bound
def serra_ramalingam_2020(architecture: Architecture, one: Number, domain: Line | Box) -> Number:
    """R(1, n_0, d) on a domain of d dimensions, with what weights and domain leave possible.

    R(l, k, d) = sum_{j <= d} C(I, j) R(l + 1, A - j, min(A - j, d)), where of layer l, if at most k
    neurons of the layer before are on, A can be on and I can be both on and off. For of the
    regions of I hyperplanes at most C(I, j) have j neurons off that could be on, there are
    sum_{j <= d} C(I, j) in all, and R does not fall as k and d grow.

    A neuron can be on if its bias and the k largest of its positive inputs, each at most its weight
    times what the neuron there can reach on the domain, are above 0; rounded upwards. So the bound
    is one for this network on this domain: it can be far below those for its architecture.

    Conditions: a Network that is a chain of dense ReLU layers.
    Source: Serra, Ramalingam, "Empirical bounds on linear regions of deep rectifier networks"
    (2020). The proof, and how A and I are bounded, are derived here.

    Parameters
    ----------
    domain : Line, or (low, high), array_like [*input_shape]
        A segment, d = 1, or the box between two points, d = n_0.
    """
    architecture.require_relu("serra_ramalingam_2020")
    network = architecture.network
    if network is None or not network.is_dense or not _is_relu(network):
        raise NotApplicable("serra_ramalingam_2020 holds for Networks of dense ReLU layers")
    dimension = 1 if isinstance(domain, Line) else architecture.inputs
    regions: dict[tuple[int, int], Number] = {(architecture.inputs, dimension): one}
    for can_be_on, can_be_both in _freedoms(network, domain):
        refined: defaultdict[tuple[int, int], Number] = defaultdict(lambda: 0 * one)
        for (k, d), count in regions.items():
            on = can_be_on[min(k, len(can_be_on) - 1)]
            both = can_be_both[min(k, len(can_be_both) - 1)]
            for j, parts in enumerate(choices(one, both, d)):
                refined[on - j, min(on - j, d)] += count * parts
        regions = refined
    return sum(regions.values(), 0 * one)


def _is_relu(network: Network) -> bool:
    return all(layer.activation == ReLU() for layer in network.layers[:-1])


# A list [k + 1] each: how many neurons can be on, and both on and off, if at most k are on before.
_Freedom: TypeAlias = tuple[list[int], list[int]]


def _freedoms(network: Network, domain: Line | Box) -> Iterator[_Freedom]:
    """Of every layer; of the first, which has none before, with k = 0 only."""
    first, *others = network.layers[:-1]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        low, high = _first_range(first, *_corners(network, domain), isinstance(domain, Line))
        can_be_on = ~(high <= 0)  # also where overflow has left nan
        yield [int(can_be_on.sum())], [int((can_be_on & ~(low > 0)).sum())]
        reach = np.where(can_be_on, np.nan_to_num(high, nan=np.inf, posinf=np.inf), 0.0)
        for layer in others:
            most, least = _top_sums(layer.weight, reach), _top_sums(-layer.weight, reach)
            on = most > -layer.bias[:, None]
            both = on & (least >= layer.bias[:, None])
            yield on.sum(axis=0).tolist(), both.sum(axis=0).tolist()
            reach = np.maximum(np.nextafter(most[:, -1] + layer.bias, np.inf), 0.0)


def _corners(network: Network, domain: Line | Box) -> Box:
    """Two opposite ones, flat."""
    if isinstance(domain, Line):
        (x0, x1), shape = domain.pieces[0].points, domain.shape
    else:
        if not isinstance(domain, list | tuple) or len(domain) != 2:
            raise TypeError(f"domain is {type(domain).__name__}; it must be a Line or (low, high)")
        (x0, x1), shape = alike(low=domain[0], high=domain[1])
        if (x0 > x1).any():
            raise ValueError("low is above high in domain")
    if shape != network.input_shape:
        raise ValueError(f"domain has points of shape {shape}, not {network.input_shape}")
    return x0, x1


def _first_range(layer: Layer, x0: FloatArray, x1: FloatArray, segment: bool) -> Box:
    """Below and above all pre-activations on the segment or in the box between two points.

    A sum of n + 1 terms is within (n + 2) 2^-53 of the sum of magnitudes, rounded.
    """
    weight, bias = layer.weight, layer.bias
    size = np.maximum(np.abs(x0), np.abs(x1))
    margin = (np.abs(weight) @ size + np.abs(bias)) * (4 * (len(x0) + 4) * _UNIT)
    margin += (len(x0) + 4) * _TINY
    if segment:
        ends = np.stack([weight @ x0 + bias, weight @ x1 + bias])
        return ends.min(axis=0) - margin, ends.max(axis=0) + margin
    positive, negative = np.maximum(weight, 0.0), np.minimum(weight, 0.0)
    low = positive @ x0 + negative @ x1 + bias
    high = positive @ x1 + negative @ x0 + bias
    return low - margin, high + margin


def _top_sums(weight: FloatArray, reach: FloatArray) -> FloatArray:
    """At least the sum of the k largest positive weight * reach, k = 0, ..., n: [out, n + 1]."""
    n = len(reach)
    feeds = (weight > 0) & (reach > 0)
    products = np.where(feeds, weight * np.where(feeds, reach, 0.0), 0.0)
    sums = np.cumsum(-np.sort(-products, axis=1), axis=1)
    # A product may have underflown, and every sum is rounded.
    sums = np.where(
        feeds.any(axis=1, keepdims=True), sums * (1 + 2 * (n + 4) * _UNIT) + n * _TINY, 0.0
    )
    return np.hstack([np.zeros((len(weight), 1)), sums])
