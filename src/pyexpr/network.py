"""The network: affine maps with piecewise-linear activations between them, immutable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, integer, not_negative, real_array, what
from pyexpr._core import Network as CoreNetwork
from pyexpr._text import plural
from pyexpr.activations import ActivationLike, PiecewiseLinear, as_activation
from pyexpr.graph import Activation, Affine, Graph, Input, Node, describe
from pyexpr.lowering import lower
from pyexpr.operations import Dense

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

    __slots__ = ("__weakref__", "_core", "_graph")

    _graph: Graph
    _core: CoreNetwork

    def __init__(self, graph: Graph) -> None:
        """Of a graph that the makers of networks have checked."""
        self._graph = graph
        self._core = lower(graph)

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

        Returns
        -------
        Network

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
        activations = check_activations(activation, widths)
        nodes: list[Node] = [Input((checked[0][0].shape[1],))]
        for (weight, bias), phi in zip(checked, [*activations, None], strict=True):
            operation = Dense(weight)
            nodes.append(Affine(bias.shape, ((len(nodes) - 1, operation),), bias))
            if phi is not None:
                nodes.append(Activation(bias.shape, len(nodes) - 1, phi))
        return cls(Graph(tuple(nodes)))

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
        weight_variance, bias_variance
            Not negative; a layer's fan_in is the number of its inputs.
        seed
            A non-negative integer, or the numpy Generator to draw from. Normal points of
            `default_rng` with the same integer would be multiples of the first weights.

        Returns
        -------
        Network

        Raises
        ------
        TypeError, ValueError
            Sizes or a seed that are no such integers, a negative variance, or an activation that
            `Network.dense` would refuse.
        """
        widths = check_sizes(sizes)
        weight_scale = math.sqrt(not_negative("weight_variance", weight_variance))
        bias_scale = math.sqrt(not_negative("bias_variance", bias_variance))
        rng = seed if isinstance(seed, np.random.Generator) else _generator(seed)
        layers = []
        for fan_in, fan_out in pairwise(widths):
            weight = rng.standard_normal((fan_out, fan_in)) * (weight_scale / math.sqrt(fan_in))
            layers.append((weight, rng.standard_normal(fan_out) * bias_scale))
        return cls.dense(layers, activation)

    @property
    def graph(self) -> Graph:
        """The network's tensors, and what makes each of them, as `print(net)` shows them."""
        return self._graph

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers of a chain of dense ones, from the input to the output.

        Raises
        ------
        ValueError
            The network is no such chain; see `graph`.
        """
        if not self.is_dense:
            raise ValueError("the network is no chain of dense layers; see its graph")
        return tuple(_dense_layers(self._graph))

    @property
    def is_dense(self) -> bool:
        """Whether it is a chain of dense layers."""
        return sum(1 for _ in _dense_layers(self._graph)) == len(self._graph.layers) + 1

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, without a batch's dimension."""
        return self._graph.input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one output."""
        return self._graph.output_shape

    @property
    def neurons_per_layer(self) -> tuple[int, ...]:
        """How many neurons each hidden layer has; windows of max pooling are neurons, too."""
        return tuple(math.prod(layer.shape) for layer in self._graph.layers)

    @property
    def n_neurons(self) -> int:
        """The number of hidden neurons."""
        return sum(self.neurons_per_layer)

    def __call__(self, x: npt.ArrayLike) -> FloatArray:
        """f(x) as float64 arithmetic gives it, rounding in every layer.

        What overflows float64 becomes inf or nan, with numpy's RuntimeWarning.

        Parameters
        ----------
        x : array_like [*input_shape] or [B, *input_shape]

        Returns
        -------
        float64 [*output_shape] or [B, *output_shape]

        Raises
        ------
        TypeError, ValueError
            x is not real and finite, or its shape does not fit the network's input.
        """
        rank = len(self.input_shape)
        h = real_array("x", x, rank, rank + 1)
        if h.shape[h.ndim - rank :] != self.input_shape:
            n = ", ".join(map(str, self.input_shape))
            raise ValueError(
                f"x has shape {h.shape}, but the network's input is ({n}{',' * (rank == 1)}); "
                f"x must be [{n}] or [B, {n}]"
            )
        batch = h.shape[: h.ndim - rank]
        out = self._graph.evaluate(h.reshape(-1, math.prod(self.input_shape)))
        return out.reshape(*batch, *self.output_shape)

    def __copy__(self) -> Network:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Network:
        return self

    def __reduce__(self) -> tuple[type[Network], tuple[Graph]]:
        return Network, (self._graph,)

    def __repr__(self) -> str:
        widths = (
            "x".join(map(str, self.input_shape)),
            *map(str, self.neurons_per_layer),
            "x".join(map(str, self.output_shape)),
        )
        sizes = [*widths]
        if len(sizes) > _SIZES_SHOWN:
            sizes = [*sizes[: _SIZES_SHOWN // 2], "...", *sizes[-2:]]
        return f"<Network {'-'.join(sizes)}, {plural(self.n_neurons, 'neuron')}>"

    def __str__(self) -> str:
        """A line for every tensor, and totals."""
        return describe(self._graph)


def _dense_layers(graph: Graph) -> Iterator[Layer]:
    """Up to where the graph stops being a chain of dense layers."""
    for i in range(1, len(graph.nodes), 2):
        affine = graph.nodes[i]
        phi = graph.nodes[i + 1] if i + 1 < len(graph.nodes) else None
        if not isinstance(affine, Affine) or not (phi is None or isinstance(phi, Activation)):
            return
        if [source for source, _ in affine.terms] != [i - 1] or (phi and phi.source != i):
            return
        operation = affine.terms[0][1]
        if not isinstance(operation, Dense):
            return
        yield Layer(operation.weight, affine.bias, phi.function if phi else None)


def _check_layers(layers: object) -> list[tuple[FloatArray, FloatArray]]:
    if not isinstance(layers, Iterable) or isinstance(layers, str | bytes | Mapping | np.ndarray):
        raise TypeError(f"layers is {what(layers)}; it must be a list of pairs (W, b)")
    checked: list[tuple[FloatArray, FloatArray]] = []
    for i, layer in enumerate(layers):
        fan_in = len(checked[-1][1]) if checked else None
        checked.append(_check_layer(f"layers[{i}]", layer, fan_in))
    if not checked:
        raise ValueError("layers is empty; a network needs at least one pair (W, b)")
    return checked


def _check_layer(name: str, layer: object, fan_in: int | None) -> tuple[FloatArray, FloatArray]:
    if not isinstance(layer, list | tuple):
        raise TypeError(f"{name} is {what(layer)}; it must be a pair (W, b)")
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


def check_activations(activation: object, widths: Sequence[int]) -> list[PiecewiseLinear]:
    """One a hidden layer of these widths; errors as `Network.dense` raises them."""
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


def check_sizes(sizes: object) -> list[int]:
    """[inputs, hidden..., outputs], integers of at least 1; errors as `Network.random` raises."""
    if not isinstance(sizes, Iterable) or isinstance(sizes, str | bytes | Mapping):
        raise TypeError(f"sizes is {what(sizes)}; it must be a list of integers")
    widths = [integer(f"sizes[{i}]", size, 1) for i, size in enumerate(sizes)]
    if len(widths) < 2:
        raise ValueError(f"sizes is {widths}; it must be [inputs, hidden..., outputs]")
    return widths


def _generator(seed: object) -> np.random.Generator:
    return np.random.default_rng(integer("seed", seed, 0))
