"""Bounds that know that a convolution's neurons see only a window of the input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import TypeAlias

from pyexpr.bounds.architecture import Architecture, Elementwise, NotApplicable
from pyexpr.bounds.arrangements import arranged
from pyexpr.bounds.numbers import Number, bound, choices
from pyexpr.graph import Activation, Affine, Graph
from pyexpr.operations import Convolution

Interval: TypeAlias = tuple[int, int]


@bound
def xiong_2020(architecture: Architecture, one: Number) -> Number:
    """R prod_{l >= 2} sum_{i <= n_0} C(n_l, i) p^i, R the regions of the convolution.

    The first layer has d filters at each of several places, and a place s sees a window of the
    input. R = sum over t of prod_s C(d, t_s) p^t_s, where t_s neurons at each place s can depend on
    as many different inputs: for every set of places, the sum of t_s is at most the size of
    the union of their windows. Exact, for generic weights, where windows lie in one row (so for
    one-dimensional convolutions) or rows of windows do not overlap. Otherwise R is bounded by
    demanding this within each row of windows, or within each column, or of all together,
    whichever gives least.

    Conditions: the first layer is a convolution of the input, without groups or dilation. Any
    others may follow.
    Source: Xiong, Huang, Yu, Liu, Zhu, Shao, "On the number of linear regions of convolutional
    neural networks" (2020), Theorems 2 and 5; the sum by rows, and p > 1, are derived here.
    """
    layer, *others = architecture.layers or (None,)
    window = _first_convolution(architecture)
    if window is None or not isinstance(layer, Elementwise):
        raise NotApplicable("xiong_2020 needs a plain convolution of the input as first layer")
    parts = cache(lambda other: arranged(one, other, architecture.inputs))
    first = min(
        arranged(one, layer, architecture.inputs),
        _by_rows(one, window, layer.breakpoints),
        _by_rows(one, window.transposed, layer.breakpoints),
    )
    return first * prod(map(parts, others), start=one)


@dataclass(frozen=True)
class _Windows:
    """Of a convolution: what its places see, rows and columns of the image, and how many see it.

    Attributes
    ----------
    filters, channels : int
    rows, columns : of (first, end)
        What the places of one row of outputs, or of one column, see of the image.
    """

    filters: int
    channels: int
    rows: tuple[Interval, ...]
    columns: tuple[Interval, ...]

    @property
    def transposed(self) -> _Windows:
        return _Windows(self.filters, self.channels, self.columns, self.rows)


def _by_rows(one: Number, windows: _Windows, parallel: int) -> Number:
    """The sum with the condition within each row of windows only."""

    @cache
    def row(height: int) -> Number:
        terms = [*choices(one, windows.filters, windows.filters, parallel)]
        return _in_a_row(one, terms, windows.columns, height * windows.channels)

    return prod((row(end - first) for first, end in windows.rows), start=one)


def _in_a_row(
    one: Number, terms: Sequence[Number], windows: Iterable[Interval], inputs: int
) -> Number:
    """The sum for intervals whose ends do not fall, `inputs` at each of their cells.

    Only sets of neighbours can violate the condition: the sum of t_s over a <= s <= b is at most
    inputs (end_b - first_a). `used` is the largest over a of that sum + inputs first_a.
    """
    sums = {0: one}
    for first, end in windows:
        longer: dict[int, Number] = {}
        for used, count in sums.items():
            start = max(used, inputs * first)
            for t, term in enumerate(terms[: inputs * end - start + 1]):
                longer[start + t] = longer.get(start + t, 0 * one) + count * term
        sums = longer
    return sum(sums.values(), 0 * one)


def _first_convolution(architecture: Architecture) -> _Windows | None:
    graph = architecture.network.graph if architecture.network else Graph(())
    if len(graph.nodes) < 3:
        return None
    _, affine, activation = graph.nodes[:3]
    if not isinstance(affine, Affine) or not isinstance(activation, Activation):
        return None
    operations = [operation for source, operation in affine.terms if source == 0]
    if len(affine.terms) != 1 or activation.source != 1:
        return None
    operation = operations[0] if operations else None
    if not isinstance(operation, Convolution) or operation.groups != 1:
        return None
    if operation.dilations != (1, 1):
        return None
    filters, height, width = operation.out_shape
    rows = _intervals(operation, 0, height)
    return _Windows(filters, operation.channels, rows, _intervals(operation, 1, width))


def _intervals(convolution: Convolution, axis: int, places: int) -> tuple[Interval, ...]:
    """What each place sees along an axis of the image, padding left out."""
    size, extent = convolution.size[axis], convolution.kernel.shape[2 + axis]
    starts = [i * convolution.strides[axis] - convolution.pads[axis] for i in range(places)]
    return tuple((min(max(s, 0), size), min(max(s + extent, 0), size)) for s in starts)
