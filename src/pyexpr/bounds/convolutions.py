"""Bounds that know that a convolution's neurons see only a window of the input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import TypeAlias, TypeGuard

from pyexpr.bounds.architecture import Architecture, Elementwise, NotApplicable
from pyexpr.bounds.arrangements import arranged
from pyexpr.bounds.numbers import Number, bound, choices
from pyexpr.graph import Activation, Affine, Graph
from pyexpr.operations import Convolution, Operation

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


@bound
def xiong_2020_lower(architecture: Architecture, one: Number) -> Number:
    """R prod_{l < L} floor(d_l / d_0)^(d_0 places_l), d_l the channels and places of layer l.

    Each layer but the last reads one pixel at every place, and folds its d_0 channels there,
    floor(d_l / d_0) times each. R are the regions of the last layer as a convolution of an image
    with d_0 channels; where rows of windows overlap, those of rows that do not, or of columns.

    Conditions: a chain of plain convolutions and ReLU, without groups or dilation; d_l >= d_0 and a
    pixel that no place of a layer misses, for l < L; no padding in layer L.
    Source: Xiong, Huang, Yu, Liu, Zhu, Shao (2020), Theorem 5; the condition on pixels, and R by
    rows, are derived here.
    """
    architecture.require_relu("xiong_2020_lower")
    *before, last = _convolutions(architecture)
    channels = (*before, last)[0].channels
    folds = one
    for convolution in before:
        filters, height, width = convolution.out_shape
        if filters < channels or not _has_common_pixel(convolution):
            raise NotApplicable("xiong_2020_lower needs as many filters as channels, and a pixel")
        folds *= (one * (filters // channels)) ** (channels * height * width)
    if any(last.pads):
        raise NotApplicable("xiong_2020_lower needs a last layer without padding")
    windows = replace(_windows(last), channels=channels)
    return folds * max(_by_rows(one, windows.apart, 1), _by_rows(one, windows.transposed.apart, 1))


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

    @property
    def apart(self) -> _Windows:
        """Those of rows that do not overlap."""
        rows: list[Interval] = []
        for first, end in self.rows:
            if not rows or first >= rows[-1][1]:
                rows.append((first, end))
        return replace(self, rows=tuple(rows))


def _convolutions(architecture: Architecture) -> list[Convolution]:
    """Of a network that is a chain of them and of activations, up to its output."""
    graph = architecture.network.graph if architecture.network else Graph(())
    found = []
    for i in range(1, len(graph.nodes) - 1, 2):
        affine, activation = graph.nodes[i : i + 2]
        if not isinstance(affine, Affine) or not isinstance(activation, Activation):
            break
        operation = (
            affine.terms[0][1] if [source for source, _ in affine.terms] == [i - 1] else None
        )
        if activation.source != i or not _is_plain(operation):
            break
        found.append(operation)
    if len(found) != len(architecture.layers):
        raise NotApplicable("xiong_2020_lower holds for chains of plain convolutions")
    return found


def _is_plain(operation: Operation | None) -> TypeGuard[Convolution]:
    return (
        isinstance(operation, Convolution)
        and operation.groups == 1
        and operation.dilations == (1, 1)
    )


def _has_common_pixel(convolution: Convolution) -> bool:
    """Whether the window of every place has its pixel at one offset inside the image."""
    for axis, places in enumerate(convolution.out_shape[1:]):
        pad, stride = convolution.pads[axis], convolution.strides[axis]
        first, end = pad, convolution.size[axis] + pad - (places - 1) * stride
        if max(first, 0) >= min(end, convolution.kernel.shape[2 + axis]):
            return False
    return True


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
    return _windows(operation) if _is_plain(operation) else None


def _windows(convolution: Convolution) -> _Windows:
    filters, height, width = convolution.out_shape
    rows, columns = _intervals(convolution, 0, height), _intervals(convolution, 1, width)
    return _Windows(filters, convolution.channels, rows, columns)


def _intervals(convolution: Convolution, axis: int, places: int) -> tuple[Interval, ...]:
    """What each place sees along an axis of the image, padding left out."""
    size, extent = convolution.size[axis], convolution.kernel.shape[2 + axis]
    starts = [i * convolution.strides[axis] - convolution.pads[axis] for i in range(places)]
    return tuple((min(max(s, 0), size), min(max(s + extent, 0), size)) for s in starts)
