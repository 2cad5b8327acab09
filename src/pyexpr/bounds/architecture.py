"""What the bounds need to know of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property
from math import prod
from typing import Literal, TypeAlias, TypeGuard

import numpy as np

from pyexpr._arrays import FloatArray, integer
from pyexpr._networks import NetworkLike, as_network
from pyexpr.activations import ActivationLike, PiecewiseLinear
from pyexpr.graph import Activation, Affine, Graph, Maximum, sources
from pyexpr.network import Network, check_activations, check_sizes

Kind: TypeAlias = Literal["relu", "leaky", "clip", "other"]


class NotApplicable(ValueError):
    """A bound's conditions do not hold; the message says which."""


@dataclass(frozen=True)
class Elementwise:
    """A layer of neurons with an activation.

    Attributes
    ----------
    width : int
        Neurons.
    breakpoints : int
        Of the activation, p: 1 of ReLU, 2 of hard-tanh.
    flat : int
        On how many of its p + 1 pieces every neuron is constant: 1 of ReLU, 2 of hard-tanh.
    flat_ends : int
        Beyond how many of all breakpoints together, the leftmost and the rightmost, all neurons
        are constant whatever way they face: 1 of a single ReLU, 0 of several; 2 of hard-tanh.
    monotone : bool
        Whether the activation is.
    kind : "relu", "leaky", "clip" or "other"
        What all neurons have: one bend that is constant on one side, or on none and monotone, or
        a rise or fall between two constants; or something else, or not all the same.
    bottleneck : bool
        Whether what comes later depends on the input only through this layer.
    """

    width: int
    breakpoints: int
    flat: int
    flat_ends: int
    monotone: bool
    kind: Kind = "other"
    bottleneck: bool = True

    def switches(self, degree: int) -> int:
        """The most transitions where pre-activations are polynomials of this degree."""
        return degree * self.breakpoints * self.width


@dataclass(frozen=True)
class Pooling:
    """A layer of maxima.

    Attributes
    ----------
    windows : tuple of (size, count)
        How many windows have how many entries.
    bottleneck : bool
        Whether what comes later depends on the input only through this layer.
    """

    windows: tuple[tuple[int, int], ...]
    bottleneck: bool = True

    @property
    def width(self) -> int:
        """Neurons: as many as windows."""
        return sum(count for _, count in self.windows)

    @property
    def ties(self) -> int:
        """Hyperplanes on which two entries of a window are equal."""
        return sum(count * (size * (size - 1) // 2) for size, count in self.windows)

    def switches(self, degree: int) -> int:
        """The most transitions where the entries are polynomials of this degree.

        The maximum of k functions of which two meet at most s times has at most k pieces for s = 1,
        2k - 1 for s = 2 (Davenport and Schinzel 1965), and one more than all meetings in general.
        """
        if degree <= 2:
            return sum(count * degree * (size - 1) for size, count in self.windows)
        return degree * self.ties


Layer: TypeAlias = Elementwise | Pooling


@dataclass(frozen=True, init=False)
class Architecture:
    """A network's inputs, widths and activations, without its weights.

    Parameters
    ----------
    sizes
        [inputs, hidden..., outputs], each at least 1; any number of hidden layers.
    activation
        "relu", "hard_tanh", a PiecewiseLinear, ...; or a list with one for each hidden layer.
    breakpoints
        Instead of an activation: any activation with so many breakpoints, at least 1.
    bias
        False if all biases are 0 by design.

    Attributes
    ----------
    inputs, outputs : int
    layers : tuple of Elementwise or Pooling
        The hidden layers, in order.
    bias : bool
        Whether biases are free to choose; also of a network that happens to have none.
    homogeneous : bool
        Whether f(c x) = c f(x) for c > 0: no biases, and activations that bend at 0 only.
    is_dense : bool
        Whether it is a chain of dense layers.
    network : Network or None
        The one that this is the architecture of.

    Raises
    ------
    TypeError, ValueError
        Sizes that are no positive integers, an unknown activation, or one for another width.
    """

    inputs: int
    outputs: int
    layers: tuple[Layer, ...]
    bias: bool
    homogeneous: bool
    is_dense: bool
    network: Network | None

    def __init__(
        self,
        sizes: Sequence[int],
        activation: ActivationLike | Sequence[ActivationLike] | None = None,
        *,
        breakpoints: int | None = None,
        bias: bool = True,
    ) -> None:
        inputs, *widths, outputs = check_sizes(sizes)
        if breakpoints is None:
            phis = check_activations("relu" if activation is None else activation, widths)
            make = cache(_elementwise)  # thousands of layers are often alike
            layers = [make(phi, n) for phi, n in zip(phis, widths, strict=True)]
            homogeneous = not bias and all(map(_is_homogeneous, phis))
        elif activation is not None:
            raise TypeError("activation and breakpoints are both given; leave one of them out")
        else:
            p = integer("breakpoints", breakpoints, 1)
            layers = [Elementwise(n, p, 0, 0, monotone=False) for n in widths]
            homogeneous = False
        self._set(
            inputs=inputs,
            outputs=outputs,
            layers=tuple(layers),
            bias=bool(bias),
            homogeneous=homogeneous,
            is_dense=True,
            network=None,
        )

    @classmethod
    def of(cls, network: Network) -> Architecture:
        """The architecture of a network, convolutions, pools and skip connections included."""
        self = cls.__new__(cls)
        graph = network.graph
        self._set(
            inputs=prod(graph.input_shape),
            outputs=prod(graph.output_shape),
            layers=tuple(_layers(graph)),
            bias=True,
            homogeneous=all(_keeps_rays(node) for node in graph.nodes),
            is_dense=network.is_dense,
            network=network,
        )
        return self

    def on(self, dimension: int) -> Architecture:
        """The same on a section of the input space of at most this dimension."""
        section = Architecture.__new__(Architecture)
        section._set(**{f.name: getattr(self, f.name) for f in fields(self)})
        section._set(inputs=min(self.inputs, dimension), network=None)
        return section

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Neurons of each hidden layer."""
        return tuple(layer.width for layer in self.layers)

    @property
    def is_chain(self) -> bool:
        """Whether every layer reads only the one before."""
        return all(layer.bottleneck for layer in self.layers)

    def require_relu(self, what: str) -> tuple[int, ...]:
        """The widths of a chain of ReLU layers; `what` is named by the error.

        Raises
        ------
        NotApplicable
            It is none.
        """
        relu = all(isinstance(layer, Elementwise) and layer.kind == "relu" for layer in self.layers)
        if not self.layers or not relu or not self.is_chain:
            raise NotApplicable(f"{what} holds for chains of ReLU layers, at least one")
        return self.widths


ArchitectureLike: TypeAlias = "Architecture | NetworkLike | Sequence[int]"


def as_architecture(
    net: ArchitectureLike, activation: ActivationLike | Sequence[ActivationLike] | None = None
) -> Architecture:
    """An Architecture as it is, that of a network, or the one of these sizes.

    Raises
    ------
    TypeError
        `net` is none of these, or `activation` is given for what has its own.
    ValueError
        Sizes below 1, an unknown activation, or what `as_network` refuses.
    """
    if isinstance(net, Architecture):
        architecture = net
    elif _are_sizes(net):
        return Architecture([*net], activation)
    else:
        try:
            architecture = Architecture.of(as_network(net))
        except TypeError as error:
            raise TypeError(f"{error}, or sizes [inputs, hidden..., outputs]") from None
    if activation is not None:
        raise TypeError("activation goes with sizes; a network has its own")
    return architecture


def _are_sizes(net: object) -> TypeGuard[Sequence[int]]:
    """Not layers (W, b)."""
    if isinstance(net, list | tuple):
        return not any(isinstance(layer, list | tuple) for layer in net)
    return isinstance(net, range | np.ndarray)


def _layers(graph: Graph) -> list[Layer]:
    layers: list[Layer] = []
    first_read = _first_read_after(graph)
    for i, node in enumerate(graph.nodes):
        bottleneck = first_read[i] >= i
        if isinstance(node, Activation):
            layers.append(_elementwise(node.function, prod(node.shape), bottleneck))
        elif isinstance(node, Maximum):
            sizes = Counter((node.windows >= 0).sum(axis=1).tolist())
            layers.append(Pooling(tuple(sorted(sizes.items())), bottleneck))
    return layers


def _first_read_after(graph: Graph) -> list[int]:
    """For every node, the first of all those that later nodes read; its own number after them."""
    first = [len(graph.nodes)] * len(graph.nodes)
    for i in range(len(graph.nodes) - 1, 0, -1):
        first[i - 1] = min([first[i], *sources(graph.nodes[i])])
    return first


def _elementwise(phi: PiecewiseLinear, width: int, bottleneck: bool = True) -> Elementwise:
    slopes = np.atleast_2d(phi.slopes)
    one_way = (slopes >= 0).all(axis=1) | (slopes <= 0).all(axis=1)
    ends = (slopes[:, [0, -1]] == 0).sum(axis=1)
    neurons_a_row = width // len(slopes)
    return Elementwise(
        width,
        len(phi.breakpoints),
        int((slopes == 0).sum(axis=1).min()),
        0 if (ends == 0).any() else max(0, 2 - neurons_a_row * int((ends == 1).sum())),
        monotone=bool(one_way.all()),
        kind=_kind(slopes) if (slopes == slopes[0]).all() else "other",
        bottleneck=bottleneck,
    )


def _kind(slopes: FloatArray) -> Kind:
    """Of rows that are alike."""
    first, *middle, last = slopes[0].tolist()
    if len(middle) == 0 and first != last:
        if first == 0 or last == 0:
            return "relu"
        return "leaky" if first * last > 0 else "other"
    return "clip" if len(middle) == 1 and first == last == 0 != middle[0] else "other"


def _is_homogeneous(phi: PiecewiseLinear) -> bool:
    return phi.breakpoints.tolist() == [0.0] and phi.value == 0.0


def _keeps_rays(node: object) -> bool:
    """Whether a node is positively homogeneous."""
    if isinstance(node, Affine):
        return not node.bias.any()
    return not isinstance(node, Activation) or _is_homogeneous(node.function)
