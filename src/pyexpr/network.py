"""The network: affine maps with piecewise-linear activations between them, immutable."""

from __future__ import annotations

import math
import operator
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, real_array, real_number
from pyexpr._core import Network as CoreNetwork
from pyexpr.activations import ActivationLike, PiecewiseLinear, as_activation

DenseLayer: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike]

_SIZES_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Layer:
    """h -> activation(weight @ h + bias).

    Attributes
    ----------
    weight : float64 [out, in], read-only
    bias : float64 [out], read-only
    activation : PiecewiseLinear or None
        None after the last layer.
    """

    weight: FloatArray
    bias: FloatArray
    activation: PiecewiseLinear | None


class Network:
    """A feed-forward network, made by `Network.dense`, `Network.random` or `pyexpr.load`.

    Immutable; networks are compared by identity. Its weights and biases are float64, and what
    pyexpr counts is true of the function that they define in real arithmetic.
    """

    __slots__ = ("__weakref__", "_core", "_layers")

    _core: CoreNetwork
    _layers: tuple[Layer, ...]

    def __init__(self, core: CoreNetwork, activations: Sequence[PiecewiseLinear]) -> None:
        """For `Network.dense`, which checks everything."""
        self._core = core
        self._layers = tuple(
            Layer(core.weight(i), core.bias(i), activation)
            for i, activation in enumerate([*activations, None])
        )

    @classmethod
    def dense(
        cls,
        layers: Iterable[DenseLayer],
        activation: ActivationLike | Sequence[ActivationLike] = "relu",
    ) -> Network:
        """A chain of dense layers with no activation after the last.

        Parameters
        ----------
        layers
            Pairs (W, b), W [out, in] and b [out]: real numbers that float64 holds exactly.
        activation
            One for all hidden layers, or a list with one for each: a PiecewiseLinear, or
            "relu", "leaky_relu", "hard_tanh", "relu6", "hard_sigmoid", "abs".

        Raises
        ------
        TypeError
            `layers` are not pairs of arrays of real numbers, or `activation` is none.
        ValueError
            Shapes that do not fit, numbers that are not finite or not exact in float64, or an
            unknown activation.
        """
        checked = _check_layers(layers)
        widths = [len(bias) for _, bias in checked[:-1]]
        activations = _check_activations(activation, widths)
        parameters = [
            _core_activation(phi, width) for phi, width in zip(activations, widths, strict=True)
        ]
        return cls(CoreNetwork(checked, parameters), activations)

    @classmethod
    def random(
        cls,
        sizes: Sequence[int],
        activation: ActivationLike | Sequence[ActivationLike] = "relu",
        weight_variance: float = 2.0,
        bias_variance: float = 0.0,
        seed: int | np.random.Generator = 0,
    ) -> Network:
        """Dense layers with W ~ N(0, weight_variance / fan_in) and b ~ N(0, bias_variance).

        Parameters
        ----------
        sizes
            [inputs, hidden..., outputs], each at least 1.
        activation
            As for `Network.dense`.
        seed
            A non-negative integer, or the numpy Generator to draw from.

        Raises
        ------
        TypeError, ValueError
            Sizes or a seed that are no such integers, a negative variance, or an activation that
            `Network.dense` would refuse.
        """
        widths = _check_sizes(sizes)
        weight_scale = _check_variance("weight_variance", weight_variance)
        bias_scale = _check_variance("bias_variance", bias_variance)
        rng = seed if isinstance(seed, np.random.Generator) else _generator(seed)
        layers = []
        for fan_in, fan_out in pairwise(widths):
            weight = rng.standard_normal((fan_out, fan_in)) * (weight_scale / math.sqrt(fan_in))
            layers.append((weight, rng.standard_normal(fan_out) * bias_scale))
        return cls.dense(layers, activation)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, from the input to the output."""
        return self._layers

    @property
    def input_shape(self) -> tuple[int]:
        """(n,) for f: R^n -> R^m."""
        return (self._layers[0].weight.shape[1],)

    @property
    def output_shape(self) -> tuple[int]:
        """(m,) for f: R^n -> R^m."""
        return (len(self._layers[-1].bias),)

    @property
    def neurons_per_layer(self) -> tuple[int, ...]:
        """The hidden layers' widths."""
        return tuple(len(layer.bias) for layer in self._layers[:-1])

    @property
    def n_neurons(self) -> int:
        """The number of hidden neurons."""
        return sum(self.neurons_per_layer)

    def __call__(self, x: npt.ArrayLike) -> FloatArray:
        """f(x) as float64 arithmetic gives it, rounding in every layer.

        What overflows float64 becomes inf or nan, with numpy's RuntimeWarning.

        Parameters
        ----------
        x : array_like [n] or [B, n]

        Returns
        -------
        float64 [m] or [B, m]

        Raises
        ------
        TypeError, ValueError
            x is not real and finite, or its shape does not fit the network's input.
        """
        h = real_array("x", x, 1, 2)
        if h.shape[-1:] != self.input_shape:
            (n,) = self.input_shape
            raise ValueError(
                f"x has shape {h.shape}, but the network's input is ({n},); "
                f"x must be [{n}] or [B, {n}]"
            )
        for layer in self._layers:
            z = h @ layer.weight.T + layer.bias
            h = z if layer.activation is None else layer.activation.evaluate(z)
        return h

    def __copy__(self) -> Network:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        return self

    def __reduce__(self) -> tuple[Callable[..., Network], tuple[object, ...]]:
        layers = [(layer.weight, layer.bias) for layer in self._layers]
        return Network.dense, (layers, [layer.activation for layer in self._layers[:-1]])

    def __repr__(self) -> str:
        sizes = [*map(str, self.input_shape + self.neurons_per_layer + self.output_shape)]
        if len(sizes) > _SIZES_SHOWN:
            sizes = [*sizes[: _SIZES_SHOWN // 2], "...", *sizes[-2:]]
        return f"<Network {'-'.join(sizes)}, {_plural(self.n_neurons, 'neuron')}>"

    def __str__(self) -> str:
        """A line for every layer, and totals."""
        rows = [
            (str(i), " -> ".join(map(str, layer.weight.shape[::-1])), str(layer.activation or "-"))
            for i, layer in enumerate(self._layers)
        ]
        table = [("layer", "in -> out", "activation"), *rows]
        first, second, _ = (max(map(len, column)) for column in zip(*table, strict=True))
        lines = [f"{i:>{first}}  {shape:<{second}}  {name}" for i, shape, name in table]
        n_parameters = sum(layer.weight.size + layer.bias.size for layer in self._layers)
        neurons = _plural(self.n_neurons, "neuron")
        return "\n".join([*lines, f"{neurons}, {_plural(n_parameters, 'parameter')}"])


NetworkLike: TypeAlias = Network | Sequence[DenseLayer] | str | os.PathLike[str]


def as_network(obj: NetworkLike) -> Network:
    """A Network as it is; a list of (W, b) as a ReLU network; a path's file, loaded.

    Raises
    ------
    TypeError
        `obj` is none of these.
    ValueError
        `Network.dense` or `pyexpr.load` refuses it.
    """
    if isinstance(obj, Network):
        return obj
    if isinstance(obj, list | tuple):
        return Network.dense(obj)
    if isinstance(obj, str | os.PathLike):
        from pyexpr.io import load  # here, because io imports this module

        return load(obj)
    raise TypeError(f"net is {_what(obj)}; it must be a pyexpr.Network, a list of (W, b) or a path")


def _check_layers(layers: object) -> list[tuple[FloatArray, FloatArray]]:
    if not isinstance(layers, Iterable) or isinstance(layers, str | bytes | Mapping | np.ndarray):
        raise TypeError(f"layers is {_what(layers)}; it must be a list of pairs (W, b)")
    checked: list[tuple[FloatArray, FloatArray]] = []
    for i, layer in enumerate(layers):
        fan_in = len(checked[-1][1]) if checked else None
        checked.append(_check_layer(f"layers[{i}]", layer, fan_in))
    if not checked:
        raise ValueError("layers is empty; a network needs at least one pair (W, b)")
    return checked


def _check_layer(name: str, layer: object, fan_in: int | None) -> tuple[FloatArray, FloatArray]:
    if not isinstance(layer, list | tuple):
        raise TypeError(f"{name} is {_what(layer)}; it must be a pair (W, b)")
    if len(layer) != 2:
        raise ValueError(f"{name} has {len(layer)} entries; it must be a pair (W, b)")
    weight = real_array(f"W of {name}", layer[0], 2)
    bias = real_array(f"b of {name}", layer[1], 1)
    if not weight.size:
        raise ValueError(
            f"W of {name} has shape {weight.shape}; every layer needs at least one input "
            "and one output"
        )
    if fan_in is not None and weight.shape[1] != fan_in:
        raise ValueError(
            f"W of {name} has shape {weight.shape}, but the layer before has {fan_in} outputs; "
            f"W must be [out, {fan_in}]"
        )
    if bias.shape != weight.shape[:1]:
        raise ValueError(
            f"b of {name} has shape {bias.shape}, but its W has shape {weight.shape}; "
            f"b must be [{len(weight)}]"
        )
    return weight, bias


def _check_activations(activation: object, widths: Sequence[int]) -> list[PiecewiseLinear]:
    """One a hidden layer."""
    if isinstance(activation, list | tuple):
        if len(activation) != len(widths):
            raise ValueError(
                f"activation has {len(activation)} entries, but there are {len(widths)} hidden "
                "layers; give one for all, or a list with one for each"
            )
        phis = [as_activation(f"activation[{i}]", phi) for i, phi in enumerate(activation)]
    else:
        phis = [as_activation("activation", activation)] * len(widths)
    for i, (phi, width) in enumerate(zip(phis, widths, strict=True)):
        if phi.n_neurons not in (None, width):
            raise ValueError(
                f"the activation of layers[{i}] has slopes for {phi.n_neurons} neurons, "
                f"but the layer has {width}"
            )
    return phis


def _core_activation(phi: PiecewiseLinear, width: int) -> tuple[FloatArray, FloatArray, float]:
    """As the core wants it, with slopes [K + 1, width]."""
    pieces = len(phi.breakpoints) + 1
    slopes = np.broadcast_to(phi.slopes, (width, pieces)).T
    return phi.breakpoints, np.ascontiguousarray(slopes), phi.value


def _check_sizes(sizes: object) -> list[int]:
    if not isinstance(sizes, Iterable) or isinstance(sizes, str | bytes | Mapping):
        raise TypeError(f"sizes is {_what(sizes)}; it must be a list of integers")
    widths = [_integer(f"sizes[{i}]", size, 1) for i, size in enumerate(sizes)]
    if len(widths) < 2:
        raise ValueError(f"sizes is {widths}; it must be [inputs, hidden..., outputs]")
    return widths


def _check_variance(name: str, value: float) -> float:
    """Its square root."""
    variance = real_number(name, value)
    if variance < 0:
        raise ValueError(f"{name} is {variance}; it must not be negative")
    return math.sqrt(variance)


def _generator(seed: object) -> np.random.Generator:
    return np.random.default_rng(_integer("seed", seed, 0))


def _integer(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {_what(value)}; it must be an integer") from None
    if number < least:
        raise ValueError(f"{name} is {number}; it must be at least {least}")
    return number


def _what(value: object) -> str:
    return f"{reprlib.repr(value)} ({type(value).__name__})"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
