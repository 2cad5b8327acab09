"""Which letter every neuron has, all along a trajectory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from pyexpr._arrays import FloatArray
from pyexpr._text import plural
from pyexpr.graph import Activation, Layer, Maximum
from pyexpr.plot.evaluation import chosen, require_trace
from pyexpr.plot.style import (
    at_whole_numbers,
    axes_of,
    colours_of_letters,
    dress,
    say_empty,
    side_legend,
    some_of,
)
from pyexpr.tracing.trace import Trace


@dataclass(frozen=True)
class Runs:
    """The intervals on which a neuron keeps its letter: arrays [R], neuron by neuron."""

    neuron: npt.NDArray[np.int64]
    start: FloatArray
    end: FloatArray
    letter: npt.NDArray[np.int64]


def transitions(
    trace: Trace,
    ax: Axes | None = None,
    layers: Iterable[int] | None = None,
    sort: bool = True,
) -> Axes:
    """The letters of all neurons along t, as rows of colour that change exactly where they do.

    Layers are stacked from the bottom up. What is drawn is one rectangle for every interval on
    which a neuron keeps its letter, hence neurons + transitions of them; one narrower than a dot of
    the figure may not be seen.

    Parameters
    ----------
    trace
        What `pyexpr.trace` returns.
    ax
        Where to draw; a new figure if None.
    layers
        Counted from 0, stacked as given; all if None.
    sort
        Whether neurons alike are neighbours: ordered in their layer by the letters at both ends,
        then by the mean letter. Otherwise they are in the network's order.

    Returns
    -------
    Axes
        x is t; the rows' middles are y = 0, 1, ... through the layers drawn.

    Raises
    ------
    IndexError
        There is no such layer.
    TypeError, ValueError
        An argument of the wrong kind, or no layers.
    """
    require_trace(trace)
    widths = trace.network.neurons_per_layer
    shown = chosen("layers", layers, len(widths))
    ax = axes_of(ax, 2.6)
    kinds = [trace.network.graph.layers[i] for i in shown]
    runs = runs_of(trace)
    if sort:
        runs = _sorted(runs, widths)
    edges = [*accumulate((widths[i] for i in shown), initial=0)]
    changes = int(np.isin(trace.transitions["layer"], shown).sum())
    dress(ax, title=plural(changes, "transition"), x="t", y="neuron, sorted" if sort else "neuron")
    ax.set(xlim=(0, 1), ylim=(-0.5, max(1, edges[-1]) - 0.5))
    if shown:
        letters = _letters(kinds)
        _draw_runs(ax, _stacked(runs, widths, shown), letters)
        _draw_legend(ax, kinds, letters)
        _name_layers(ax, shown, edges)
    else:
        say_empty(ax)
    return ax


def runs_of(trace: Trace) -> Runs:
    """Neurons in graph order, and each in the order of t."""
    count = trace.network.n_neurons
    changes = trace.transitions
    starts = np.array([*accumulate(trace.network.neurons_per_layer, initial=0)], dtype=np.int64)
    changing = starts[changes["layer"]] + changes["neuron"]
    neuron = np.concatenate([np.arange(count), changing])
    order = np.argsort(neuron, kind="stable")  # the changes are in the order of t
    neuron = neuron[order]
    start = np.concatenate([np.zeros(count), trace.t[changes["breakpoint"]]])[order]
    letter = np.concatenate([trace.first_pattern, changes["after"]]).astype(np.int64)[order]
    end = np.ones(len(start))
    goes_on = neuron[1:] == neuron[:-1]
    end[:-1][goes_on] = start[1:][goes_on]
    return Runs(neuron, start, end, letter)


def _sorted(runs: Runs, widths: Sequence[int]) -> Runs:
    """With neurons counted anew in each layer, so that those alike are neighbours."""
    count = sum(widths)
    layer = np.repeat(np.arange(len(widths)), widths)
    first = runs.letter[np.searchsorted(runs.neuron, np.arange(count))]
    last = runs.letter[np.searchsorted(runs.neuron, np.arange(count), side="right") - 1]
    mean = np.bincount(runs.neuron, runs.letter * (runs.end - runs.start), minlength=count)
    place = np.argsort(np.lexsort([mean, first, first + last, layer]))[runs.neuron]
    order = np.argsort(place, kind="stable")
    return Runs(place[order], runs.start[order], runs.end[order], runs.letter[order])


def _stacked(runs: Runs, widths: Sequence[int], shown: list[int]) -> Runs:
    """Those of some layers, with neurons counted through them."""
    firsts = [*accumulate(widths, initial=0)]
    cuts = np.searchsorted(runs.neuron, firsts)
    parts = [slice(cuts[i], cuts[i + 1]) for i in shown]
    bottoms = accumulate((widths[i] for i in shown), initial=0)
    rows = [
        runs.neuron[part] - firsts[i] + bottom
        for part, i, bottom in zip(parts, shown, bottoms, strict=False)
    ]
    start, end, letter = (
        np.concatenate([field[part] for part in parts])
        for field in (runs.start, runs.end, runs.letter)
    )
    return Runs(np.concatenate(rows), start, end, letter)


def _letters(kinds: list[Layer]) -> range:
    """All that neurons of these layers may have."""
    first = min(layer.first_letter for layer in kinds)
    return range(first, max(layer.first_letter + _count(layer) for layer in kinds))


def _count(layer: Layer) -> int:
    if isinstance(layer, Maximum):
        return int(layer.windows.shape[1])
    return len(layer.function.breakpoints) + 1


def _draw_runs(ax: Axes, runs: Runs, letters: range) -> None:
    x, y = np.stack([runs.start, runs.end]), np.stack([runs.neuron - 0.5, runs.neuron + 0.5])
    corners = np.stack([x[[0, 1, 1, 0]], y[[0, 0, 1, 1]]], axis=-1)  # [4, R, 2]
    rectangles = PolyCollection(
        corners.swapaxes(0, 1),
        array=runs.letter,
        cmap=colours_of_letters(len(letters)),
        linewidths=0,
        antialiased=False,
        rasterized=True,  # without seams, and small in a PDF
    )
    rectangles.set_clim(letters[0] - 0.5, letters[-1] + 0.5)
    ax.add_collection(rectangles, autolim=False)


def _draw_legend(ax: Axes, kinds: list[Layer], letters: range) -> None:
    colours = [to_hex(colour) for colour in colours_of_letters(len(letters))(range(len(letters)))]
    if all(isinstance(layer, Activation) and _is_off_below(layer) for layer in kinds):
        side_legend(ax, zip(("off", "on"), colours, strict=True))
        return
    names = [f"{letter}".replace("-", "\N{MINUS SIGN}") for letter in letters]
    side_legend(ax, zip(names, colours, strict=True), "letter")


def _is_off_below(layer: Activation) -> bool:
    """As ReLU, leaky or not, is: flatter below 0 than above."""
    phi = layer.function
    if phi.breakpoints.tolist() != [0.0] or phi.first_letter:
        return False
    return bool((np.abs(phi.slopes[..., 0]) < phi.slopes[..., 1]).all())


def _name_layers(ax: Axes, shown: list[int], edges: list[int]) -> None:
    """Separators and names; of a single layer, its neurons' numbers."""
    if len(shown) == 1:
        at_whole_numbers(ax.yaxis)
        return
    for edge in edges[1:-1]:
        ax.axhline(edge - 0.5, color="white", linewidth=min(0.8, 15 / len(shown)))
    places = some_of(len(shown))
    middles = [(edges[i] + edges[i + 1] - 1) / 2 for i in places]
    ax.set_yticks(middles, [f"layer {shown[i]}" for i in places])
    ax.tick_params(axis="y", length=0)
