"""What the bounds need to know of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from math import prod
from typing import TypeAlias

import numpy as np

from pyexpr._arrays import integer
from pyexpr.activations import ActivationLike, PiecewiseLinear
from pyexpr.graph import Activation, Affine, Graph, Maximum, sources
from pyexpr.network import Network, NetworkLike, as_network, check_activations, check_sizes


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
    uniform : bool
        Whether it is the same for all neurons.
    bottleneck : bool
        Whether what comes later depends on the input only through this layer.
    """

    width: int
    breakpoints: int
    flat: int
    flat_ends: int
    monotone: bool
    uniform: bool = True
    bottleneck: bool = True

    def switches(self, degree: int) -> int:
        """In an interval on which pre-activations are polynomials of this degree, at most."""
        return degree * self.breakpoints * self.width

    @property
    def is_relu(self) -> bool:
        """One breakpoint, and constant on one side of it, as also -max(0, z)."""
        return self.breakpoints == self.flat == 1

    @property
    def is_clip(self) -> bool:
        """Two breakpoints, and constant beyond them."""
        return self.breakpoints == self.flat == self.flat_ends == 2


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
        return sum(count for _, count in self.windows)

    @property
    def ties(self) -> int:
        """Hyperplanes on which two entries of a window are equal."""
        return sum(count * (size * (size - 1) // 2) for size, count in self.windows)

    def switches(self, degree: int) -> int:
        """In an interval on which the entries are polynomials of this degree, at most.

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
        Instead of an activation: any activation with so many breakpoints, at least 1. For maxout
        of k maps it is k - 1.
    bias
        False if all biases are 0.

    Attributes
    ----------
    inputs, outputs : int
    layers : tuple of Elementwise or Pooling
        The hidden layers, in order.
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
        self._set(inputs, outputs, layers, homogeneous, True, None)

    @classmethod
    def of(cls, network: Network) -> Architecture:
        """The architecture of a network, convolutions, pools and skip connections included."""
        self = cls.__new__(cls)
        graph = network.graph
        self._set(
            prod(graph.input_shape),
            prod(graph.output_shape),
            _layers(graph),
            all(_keeps_rays(node) for node in graph.nodes),
            network.is_dense,
            network,
        )
        return self

    def _set(
        self,
        inputs: int,
        outputs: int,
        layers: Iterable[Layer],
        homogeneous: bool,
        is_dense: bool,
        network: Network | None,
    ) -> None:
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "outputs", outputs)
        object.__setattr__(self, "layers", tuple(layers))
        object.__setattr__(self, "homogeneous", homogeneous)
        object.__setattr__(self, "is_dense", is_dense)
        object.__setattr__(self, "network", network)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Neurons of each hidden layer."""
        return tuple(layer.width for layer in self.layers)

    @property
    def is_chain(self) -> bool:
        """Whether every layer reads only the one before."""
        return all(layer.bottleneck for layer in self.layers)

    def on(self, dimension: int) -> Architecture:
        """That of the network on a section of its input space of at most this dimension."""
        self_on = Architecture.__new__(Architecture)
        inputs = min(self.inputs, dimension)
        self_on._set(inputs, self.outputs, self.layers, self.homogeneous, self.is_dense, None)
        return self_on

    def require_relu(self, what: str) -> tuple[int, ...]:
        """The widths of a chain of ReLU layers.

        Raises
        ------
        NotApplicable
            It is none.
        """
        relu = all(isinstance(layer, Elementwise) and layer.is_relu for layer in self.layers)
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
    elif isinstance(net, list | tuple) and not any(isinstance(n, list | tuple) for n in net):
        return Architecture(net, activation)
    else:
        try:
            architecture = Architecture.of(as_network(net))
        except TypeError as error:
            raise TypeError(f"{error}, or sizes [inputs, hidden..., outputs]") from None
    if activation is not None:
        raise TypeError("activation goes with sizes; a network has its own")
    return architecture


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
    both_ways = ((slopes >= 0).all(axis=1) | (slopes <= 0).all(axis=1)).all()
    return Elementwise(
        width,
        len(phi.breakpoints),
        int((slopes == 0).sum(axis=1).min()),
        _flat_ends(np.broadcast_to(slopes[:, [0, -1]] == 0, (width, 2)).sum(axis=1)),
        monotone=bool(both_ways),
        uniform=bool((slopes == slopes[0]).all()),
        bottleneck=bottleneck,
    )


def _flat_ends(ends: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> int:
    """From the number of constant ends of each neuron, 0 to 2."""
    if (ends == 0).any():
        return 0
    return max(0, 2 - int((ends == 1).sum()))


def _is_homogeneous(phi: PiecewiseLinear) -> bool:
    return phi.breakpoints.tolist() == [0.0] and phi.value == 0.0


def _keeps_rays(node: object) -> bool:
    """Whether a node is positively homogeneous."""
    if isinstance(node, Affine):
        return not node.bias.any()
    return not isinstance(node, Activation) or _is_homogeneous(node.function)
