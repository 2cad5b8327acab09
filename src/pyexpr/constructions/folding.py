"""Many regions in more than one dimension: coordinates that are folded one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from math import comb, prod
from typing import Literal, TypeAlias

import numpy as np

from pyexpr._arrays import FloatArray
from pyexpr.activations import ReLU
from pyexpr.constructions.block import Block, network, rationals
from pyexpr.constructions.construction import SpaceConstruction
from pyexpr.constructions.fold import Fold
from pyexpr.constructions.moments import Moments
from pyexpr.constructions.rectifier import pleats, relu
from pyexpr.constructions.sizes import check_sizes

Kind: TypeAlias = Literal["montufar", "serra"]


def folding(sizes: Sequence[int], kind: Kind = "serra") -> SpaceConstruction:
    """A ReLU network with at least as many regions as a lower bound on the maximum says.

    With n inputs, every hidden layer but the last folds each coordinate by p = n_l // n of its
    neurons onto the next layer's cube; the other neurons are never on. The last layer's hyperplanes
    are in general position inside its cube. In the first cube are

        prod_{l < L} pieces_l^n  sum_{j <= n} C(n_L, j)

    regions; outside are more, which `regions` does not count.

    Parameters
    ----------
    sizes
        [inputs, hidden..., outputs], hidden layers before the last at least as wide as the input.
    kind
        "montufar": pieces_l = n_l // n (Montufar, Pascanu, Cho and Bengio 2014). "serra":
        n_l // n + 1 where n_l >= 3 n (Serra, Tjandraatmadja and Ramalingam 2018), elsewhere as
        "montufar".

    Returns
    -------
    SpaceConstruction

    Raises
    ------
    TypeError
        Sizes that are no integers.
    ValueError
        Sizes below 1 or too narrow, no hidden layer, an unknown `kind`, or a weight that float64
        cannot hold exactly, as for many inputs and neurons in the last layer.
    """
    inputs, *widths, outputs = check_sizes(sizes)
    if kind not in ("montufar", "serra"):
        raise ValueError(f'kind is {kind!r}; it must be "montufar" or "serra"')
    if min(widths[:-1], default=inputs) < inputs:
        raise ValueError(
            f"sizes is {[inputs, *widths, outputs]}; hidden layers before the last must be at "
            f"least as wide as the input, {inputs}"
        )
    folds: list[Fold] = []
    target = Fraction(1)
    for width in reversed(widths[:-1]):
        folds.insert(0, _fold(width // inputs, target, kind))
        target = folds[0].length
    moments = Moments(inputs, widths[-1])
    blocks = [
        _side_by_side(f.blocks[0], inputs, n) for f, n in zip(folds, widths[:-1], strict=True)
    ]
    gains, offsets = moments.hyperplanes()
    readout = rationals([[1] * widths[-1]])
    blocks.append(Block(gains, offsets, readout, rationals([0])))
    cells = prod(fold.runs**inputs for fold in folds)
    return SpaceConstruction(
        network(blocks, outputs, ReLU(), reader=np.eye(inputs, dtype=int).tolist()),
        cells * sum(comb(widths[-1], j) for j in range(inputs + 1)),
        partial(_witnesses, folds, moments),
    )


def _fold(width: int, target: Fraction, kind: Kind) -> Fold:
    if kind == "serra" and width >= 3:
        return relu(width, target)
    return pleats(width, target)


def _side_by_side(block: Block, copies: int, neurons: int) -> Block:
    """A fold of every coordinate; neurons that are left over have weights 0 and bias -1."""
    width = len(block.offsets)
    gains = rationals(np.zeros((neurons, copies), dtype=int))
    offsets = rationals([-1] * neurons)
    readout = rationals(np.zeros((copies, neurons), dtype=int))
    for i in range(copies):
        own = slice(i * width, (i + 1) * width)
        gains[own, i] = block.gains[:, 0]
        offsets[own] = block.offsets
        readout[i, own] = block.readout[0]
    return Block(gains, offsets, readout, np.repeat(block.shift, copies))


def _witnesses(folds: Sequence[Fold], moments: Moments) -> FloatArray:
    """A point of every region, neighbours mostly in neighbouring cells: [regions, n]."""
    points = moments.witnesses(pairs=False)
    for fold in reversed(folds):
        places, levels, rates = _pieces(fold)
        cells = []
        for cell in _boustrophedon(fold.runs, moments.dimension):
            i = list(cell)
            cells.append(places[i] + (points - levels[i]) * rates[i])
            points = points[::-1]
        points = np.concatenate(cells)
    return points


def _pieces(fold: Fold) -> tuple[FloatArray, FloatArray, FloatArray]:
    """x and z where each piece starts, and dx/dz on it: three arrays [runs]."""
    block = fold.blocks[0]
    thresholds = -block.offsets / block.gains[:, 0]
    inside = sorted(x for x in thresholds if 0 < x < fold.length)
    x = np.array([Fraction(0), *inside, fold.length])
    before = block.gains @ x[None] + block.offsets[:, None]
    z = (block.readout @ (before * (before > 0)) + block.shift[:, None])[0]
    columns = x[:-1], z[:-1], np.diff(x) / np.diff(z)
    places, levels, rates = (column.astype(np.float64) for column in columns)
    return places, levels, rates


def _boustrophedon(count: int, dimension: int) -> Iterator[tuple[int, ...]]:
    """All of range(count)^dimension, each a neighbour of the one before."""
    if dimension == 0:
        yield ()
        return
    for k, rest in enumerate(_boustrophedon(count, dimension - 1)):
        row = range(count) if k % 2 == 0 else reversed(range(count))
        yield from ((*rest, i) for i in row)
