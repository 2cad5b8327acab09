"""Bounds on the regions of the whole input space: above, whatever the weights.

They bound the distinct patterns along any trajectory, too, and hold for the patterns of points on
the border of regions: moving every threshold a little, the later layers' more, makes such a
pattern that of an open set of a network with other biases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import accumulate
from math import prod

import numpy as np

from pyexpr.bounds.architecture import Architecture, Elementwise, Layer, NotApplicable, Pooling
from pyexpr.bounds.arrangements import arranged
from pyexpr.bounds.numbers import Number, bound, choices


@bound
def all_patterns(architecture: Architecture, one: Number) -> Number:
    """As many as there are words: prod_l (p + 1)^n_l; 2^N for N ReLUs, 3^N for hard-tanh.

    Conditions: none. Windows of k entries have k letters.
    """
    result = one
    for layer in architecture.layers:
        if isinstance(layer, Elementwise):
            result *= (one * (layer.breakpoints + 1)) ** layer.width
        else:
            result *= prod((size**count for size, count in layer.windows), start=one)
    return result


@bound
def montufar_2017(architecture: Architecture, one: Number) -> Number:
    """prod_l sum_{j <= d_l} C(n_l, j) p^j, with d_l = min(n_0, ..., n_{l-1}).

    Inside a region the layers before are one affine map, whose image has at most d_l dimensions.
    A layer that others bypass, as behind a skip connection, does not narrow later ones.

    Conditions: none; a pool's hyperplanes are its windows' ties.
    Source: Montufar, "Notes on the number of linear regions of deep neural networks" (2017), for
    p = 1; parallel thresholds as in `zaslavsky`. The paper takes the minimum up to n_l, which is
    the same number.
    """
    parts = cache(partial(arranged, one))
    dimension, result = architecture.inputs, one
    for layer in architecture.layers:
        result *= parts(layer, dimension)
        dimension = min(dimension, layer.width) if layer.bottleneck else dimension
    return result


@bound
def raghu_2017(architecture: Architecture, one: Number) -> Number:
    """k^{m n} for n layers of k ReLUs on m inputs, (2 k)^{m n} for hard-tanh; k the widest layer.

    The paper states O(k^{m n}) and O((2 k)^{m n}). Without a constant it is a bound for m >= 2, and
    k >= 2 if ReLU, since then sum_{j <= m} C(k, j) p^j <= (p k)^m. For m = 1 the O hides a factor
    that is exponential in depth: on a line (k + 1)^n is attained, and (1 + 1/k)^n is no constant.

    Conditions: p breakpoints in all layers, for which it is (p k)^{m n}; as a bound, as above. It
    is refused where it is none.
    Source: Raghu, Poole, Kleinberg, Ganguli, Sohl-Dickstein, "On the expressive power of deep
    neural networks" (2017), Theorem 1; the condition is derived here.
    """
    kinds = {layer.breakpoints for layer in architecture.layers if isinstance(layer, Elementwise)}
    if len(kinds) != 1 or any(not isinstance(layer, Elementwise) for layer in architecture.layers):
        raise NotApplicable("raghu_2017 holds for layers with one and the same activation")
    widest, p = max(architecture.widths), kinds.pop()
    if architecture.inputs < 2 or p * widest < 2:
        raise NotApplicable(
            "without its hidden constant, raghu_2017 is no bound for one input, or layers of one "
            "neuron; see line and line_product"
        )
    return (one * p * widest) ** (architecture.inputs * len(architecture.layers))


@bound
def serra_2018(architecture: Architecture, one: Number) -> Number:
    """sum of prod_l C(n_l, j_l) over j_l <= min(n_0, n_1 - j_1, ..., n_{l-1} - j_{l-1}, n_l).

    A region in which j neurons of a layer are constant has an image of at most n - j dimensions. Of
    the regions of a layer, C(n, j) p^j have j constant neurons, if all pieces but one are flat, and
    there are sum_{j <= d} C(n, j) p^j in all; so the sum over them of what later layers can make of
    each is largest when the fewest are constant. p = 1, ReLU, is the published sum; p = 2,
    hard-tanh, and layers that others bypass are derived here. Other layers do not narrow what
    follows by more than their width.

    Conditions: none. Exact for one layer, and for ReLU with n_0 = 1 if no width but the last is 2.
    Source: Serra, Tjandraatmadja, Ramalingam, "Bounding and counting linear regions of deep neural
    networks" (2018), Theorem 1.
    """
    steps = {layer: _step(layer, architecture.inputs, one) for layer in {*architecture.layers}}
    later = [one]
    for layer in reversed(architecture.layers):
        later = steps[layer](later)
    return _at(later, architecture.inputs)


@bound
def hinz_van_de_geer_2019(architecture: Architecture, one: Number) -> Number:
    """|B_{n_L} M_{n_{L-1}, n_L} ... B_{n_1} M_{n_0, n_1} e_{n_0}|_1, on histograms of dimensions.

    Entry d of a histogram counts regions whose image has at most d dimensions. M_{n, n'} moves
    what is above n' to n'; B_n makes of each in entry d C(n, j) in entry n - j, for all j <= d, and
    moves what is above d to d. With this choice of B it is `serra_2018`, from the other end.

    Conditions: a chain of ReLU layers.
    Source: Hinz, van de Geer, "A framework for the construction of upper bounds on the number of
    affine linear regions of ReLU feed-forward neural networks" (2019), Theorem and example with
    gamma of Serra et al.
    """
    histogram = [0 * one] * architecture.inputs + [one]
    for width in architecture.require_relu("hinz_van_de_geer_2019"):
        histogram = _refined(_clipped(histogram, width), width, one)
    return sum(histogram, 0 * one)


def _step(layer: Layer, inputs: int, one: Number) -> Callable[[list[Number]], list[Number]]:
    """From R(l + 1, d), the most parts of an image of d dimensions, d = 0, 1, ..., to R(l, d).

    R(l, d) is the last entry of its list for all larger d.
    """
    if isinstance(layer, Elementwise) and layer.bottleneck and layer.flat == layer.breakpoints:
        return _Narrowing(layer, inputs, one)
    most = inputs if isinstance(layer, Pooling) else min(inputs, layer.width)
    parts = [*accumulate(_terms(layer, one, most))]

    def step(later: list[Number]) -> list[Number]:
        return [
            _at(parts, d) * _at(later, min(d, layer.width) if layer.bottleneck else d)
            for d in range(max(len(parts), len(later)))
        ]

    return step


class _Narrowing:
    """A layer of neurons that bend on one piece only."""

    def __init__(self, layer: Elementwise, inputs: int, one: Number) -> None:
        self._width = layer.width
        terms = [*_terms(layer, one, inputs)]
        self._terms = np.array(terms, dtype=object)
        self._parts = np.array([*accumulate(terms)], dtype=object)

    def __call__(self, later: list[Number]) -> list[Number]:
        """R(l, d) = sum_{j <= d} terms[j] R(l + 1, min(d, n - j)).

        The terms with n - j < d have a sum of their own, which grows at both ends with d.
        """
        n, d = self._width, np.arange(len(self._terms))
        after = np.array(later, dtype=object)[np.minimum(d, len(later) - 1)]
        narrowed = np.zeros(len(d), dtype=object)
        high, low = d[2 * d > n], d[2 * d > n + 1]
        narrowed[high] = self._terms[high] * after[n - high]
        narrowed[low] += self._terms[n - low + 1] * after[low - 1]
        wide = self._parts[np.minimum(d, n - d)] * after
        result: list[Number] = (wide + np.cumsum(narrowed)).tolist()
        return result


def _terms(layer: Layer, one: Number, most: int) -> Iterator[Number]:
    if isinstance(layer, Pooling):
        return choices(one, layer.ties, most)
    return choices(one, layer.width, most, layer.breakpoints)


def _at(values: list[Number], d: int) -> Number:
    return values[min(d, len(values) - 1)]


def _clipped(histogram: list[Number], most: int) -> list[Number]:
    """With what is above `most` in its place."""
    if len(histogram) <= most + 1:
        return histogram
    return [*histogram[:most], sum(histogram[most:])]


def _refined(histogram: list[Number], n: int, one: Number) -> list[Number]:
    """By n neurons, entries up to n."""
    terms = [*choices(one, n, len(histogram) - 1)]
    parts = [*accumulate(terms)]
    above = [*accumulate(reversed(histogram))][::-1]  # with at least so many dimensions
    refined = []
    for d, count in enumerate(histogram):
        refined.append(count * parts[min(d, n - d)])
        least = max(d + 1, n - d)  # of an image that n - d constant neurons narrow to d
        if least < len(histogram):
            refined[-1] += terms[n - d] * above[least]
    return refined
