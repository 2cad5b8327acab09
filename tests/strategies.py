"""Hypothesis strategies: small networks and segments as plain data, rich in exact ties."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.vendor.pretty import RepresentationPrinter
from oracle import OracleActivation, OracleLayer

Array: TypeAlias = npt.NDArray[np.float64]
Draw: TypeAlias = st.DrawFn
MakeArray: TypeAlias = Callable[[Draw, tuple[int, ...]], Array]
DenseLayer: TypeAlias = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class Activation:
    """phi(breakpoints[0]) = value, slopes[k] on the k-th piece; slopes [K + 1] or [n, K + 1]."""

    breakpoints: Array
    slopes: Array
    value: float
    first_letter: int


@dataclass(frozen=True, eq=False, repr=False)
class NetworkCase:
    """A network with no activation after its last layer."""

    layers: list[DenseLayer]
    activations: list[Activation]  # one a hidden layer

    def __repr__(self) -> str:
        # Every digit, so that a printed failure can be pasted into a test.
        with np.printoptions(floatmode="unique", threshold=sys.maxsize):
            values = [f"{field.name}={getattr(self, field.name)!r}" for field in fields(self)]
        return f"{type(self).__name__}({', '.join(values)})"

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        # Hypothesis would print a dataclass field by field, rounded.
        printer.text(repr(self))


@dataclass(frozen=True, eq=False, repr=False)
class Case(NetworkCase):
    """A network and the end points of a segment."""

    x0: Array
    x1: Array


def oracle_layers(case: NetworkCase) -> list[OracleLayer]:
    """The case's network as the oracle reads it."""
    activations = [
        OracleActivation(phi.breakpoints, phi.slopes, phi.value, phi.first_letter)
        for phi in case.activations
    ]
    return [
        OracleLayer(weight, bias, activation)
        for (weight, bias), activation in zip(case.layers, [*activations, None], strict=True)
    ]


# Arrays, each drawn as a whole.


def _integers(bound: int) -> MakeArray:
    elements = st.integers(-bound, bound).map(float)

    def make(draw: Draw, shape: tuple[int, ...]) -> Array:
        return draw(hnp.arrays(np.float64, shape, elements=elements, fill=st.nothing()))

    return make


def _zeros(draw: Draw, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape)


def _gaussian(draw: Draw, shape: tuple[int, ...]) -> Array:
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).standard_normal(shape)


def _wide_gaussian(draw: Draw, shape: tuple[int, ...]) -> Array:
    return 4 * _gaussian(draw, shape)


def _dyadic(draw: Draw, shape: tuple[int, ...]) -> Array:
    return _integers(16)(draw, shape) / 8


def _quantised(draw: Draw, shape: tuple[int, ...]) -> Array:
    # 1/127 as a float32: every product is exact; 0.0123: the products are rounded.
    scale = draw(st.sampled_from([1 / 128, float(np.float32(1 / 127)), 0.0123]))
    return _integers(127)(draw, shape) * scale


_BIASES: dict[str, MakeArray] = {
    "zero": _zeros,
    "integer": _integers(3),
    "gaussian": _gaussian,
}


# Layers.


def _near_copy(draw: Draw, row: Array) -> Array:
    """A row that almost or exactly repeats the given one: same hyperplane, up to rounding."""
    kind = draw(st.sampled_from(["same", "multiple", "negated", "next"]))
    if kind == "multiple":
        multiple: Array = row * draw(st.sampled_from([3.0, 5.0, 1 / 3]))
        return multiple
    if kind == "negated":
        return -row
    copy: Array = row.copy()
    if kind == "next":
        index = draw(st.integers(0, row.size - 1))
        copy[index] = np.nextafter(row[index], draw(st.sampled_from([-np.inf, np.inf])))
    return copy


def _repeat_rows(draw: Draw, layer: DenseLayer) -> DenseLayer:
    """Replace rows by near copies of earlier ones, each bias together with its weights."""
    rows = np.column_stack(layer)
    for index in range(1, len(rows)):
        source = draw(st.none() | st.integers(0, index - 1))
        if source is not None:
            rows[index] = _near_copy(draw, rows[source])
    return rows[:, :-1].copy(), rows[:, -1].copy()


def _damage(draw: Draw, layer: DenseLayer) -> None:
    """Blank a row or a column, or push a neuron far below its thresholds."""
    weight, bias = layer
    kind = draw(st.sampled_from(["row", "column", "dead"]))
    row = draw(st.integers(0, weight.shape[0] - 1))
    if kind == "row":
        weight[row] = 0
    elif kind == "column":
        weight[:, draw(st.integers(0, weight.shape[1] - 1))] = 0
    else:
        bias[row] = -1e4


_WEIGHTS: dict[str, MakeArray] = {
    "ternary": _integers(1),
    "small_integer": _integers(3),
    "gaussian": _gaussian,
    "near_coincident": _gaussian,
    "quantised": _quantised,
    "dyadic": _dyadic,
}
FAMILIES = tuple(_WEIGHTS)


def _layers(draw: Draw, family: str, widths: Sequence[int]) -> list[DenseLayer]:
    make_bias = _BIASES[draw(st.sampled_from(sorted(_BIASES)))]
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layer = (_WEIGHTS[family](draw, (fan_out, fan_in)), make_bias(draw, (fan_out,)))
        if family == "near_coincident":
            layer = _repeat_rows(draw, layer)
        layers.append(layer)
    if draw(st.integers(0, 3)) == 3:
        _damage(draw, draw(st.sampled_from(layers)))
    return layers


# Activations: thresholds, slopes, value, first letter.

_FIXED: dict[str, tuple[list[float], list[float], float, int]] = {
    "relu": ([0], [0, 1], 0, 0),
    "hard_tanh": ([-1, 1], [0, 1, 0], -1, -1),
    "abs": ([0], [-1, 1], 0, 0),
    "relu6": ([0, 6], [0, 1, 0], 0, 0),
    "hard_sigmoid": ([-3, 3], [0, 1 / 6, 0], 0, 0),
}
ACTIVATIONS = (*_FIXED, "leaky_relu", "prelu", "custom")


def _leaky_relu(draw: Draw) -> Activation:
    negative_slope = draw(st.sampled_from([0.01, 0.125, 0.5, 2.0]))
    return Activation(np.zeros(1), np.array([negative_slope, 1.0]), 0.0, 0)


def _prelu(draw: Draw, neurons: int) -> Activation:
    elements = st.sampled_from([0.25, 0.1, 0.0, 1.0, -0.5])
    negative_slopes = draw(hnp.arrays(np.float64, neurons, elements=elements, fill=st.nothing()))
    return Activation(np.zeros(1), np.column_stack([negative_slopes, np.ones(neurons)]), 0.0, 0)


def _custom(draw: Draw) -> Activation:
    eighths = draw(st.lists(st.integers(-16, 16), min_size=1, max_size=3, unique=True))
    slope = st.sampled_from([0.0, 1.0, -1.0, 0.5, 0.3])
    slopes = draw(hnp.arrays(np.float64, len(eighths) + 1, elements=slope, fill=st.nothing()))
    value = draw(st.sampled_from([0.0, 1.0, -0.5, 0.1]))
    return Activation(np.array(sorted(eighths)) / 8, slopes, value, 0)


def _activations(draw: Draw, name: str, hidden: Sequence[int]) -> list[Activation]:
    if name == "prelu":
        return [_prelu(draw, neurons) for neurons in hidden]
    if name == "leaky_relu":
        return [_leaky_relu(draw)] * len(hidden)
    if name == "custom":
        return [_custom(draw)] * len(hidden)
    breakpoints, slopes, value, first_letter = _FIXED[name]
    phi = Activation(np.array(breakpoints, float), np.array(slopes, float), value, first_letter)
    return [phi] * len(hidden)


# Segments and whole cases.


def _end_points(draw: Draw, size: int) -> tuple[Array, Array]:
    make = draw(st.sampled_from([_integers(8), _wide_gaussian]))
    x0, x1 = make(draw, (2, size))
    kind = draw(st.sampled_from(["free"] * 4 + ["opposite"] * 3 + ["from_zero"] * 2 + ["equal"]))
    if kind == "from_zero":
        return np.zeros(size), x1
    if kind == "opposite":
        return x0, -x0
    if kind == "equal":
        return x0, x0.copy()
    return x0, x1


# Hypothesis prefers small sizes; wide layers are where breakpoints meet.
_WIDTHS = st.sampled_from([1, 2, 3, 3, 4, 4, 5, 5, 6, 6])


@st.composite
def cases(
    draw: Draw, families: Sequence[str] = FAMILIES, activations: Sequence[str] = ACTIVATIONS
) -> Case:
    """1 to 4 hidden layers of 1 to 6 neurons, 1 to 4 inputs, 1 to 3 outputs."""
    family = draw(st.sampled_from(families))
    activation = draw(st.sampled_from(activations))
    depth = draw(st.integers(1, 4))
    hidden = draw(st.lists(_WIDTHS, min_size=depth, max_size=depth))
    inputs, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    layers = _layers(draw, family, [inputs, *hidden, outputs])
    phis = _activations(draw, activation, hidden)
    return Case(layers, phis, *_end_points(draw, inputs))
