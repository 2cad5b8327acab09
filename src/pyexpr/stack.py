"""Many networks of one architecture, to be counted in one call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, overload

import numpy as np

from pyexpr._arrays import integer, what
from pyexpr._networks import NetworkLike, as_network
from pyexpr._text import plural
from pyexpr.activations import ActivationLike
from pyexpr.architecture import difference
from pyexpr.network import Network, check_sizes

Seed: TypeAlias = int | np.random.Generator


class NetworkStack(Sequence[Network]):
    """Networks that differ in nothing but their weights and biases.

    An immutable sequence: a slice is a stack again. `count_regions` and the other counts take one
    wherever they take a network; the first axis of what they return is then the networks.

    Parameters
    ----------
    networks
        At least one, each of them anything that `as_network` takes.
    input_shape
        As for `as_network`.

    Raises
    ------
    TypeError
        `networks` cannot be gone through, or holds what is no network.
    ValueError
        There is none, `as_network` refuses one, or one has another architecture than the first:
        other shapes, operations or activations. The message names it by its number.
    """

    __slots__ = ("__weakref__", "_networks")

    _networks: tuple[Network, ...]

    def __init__(
        self, networks: Iterable[NetworkLike], *, input_shape: Sequence[int] | None = None
    ) -> None:
        if not isinstance(networks, Iterable) or isinstance(
            networks, str | bytes | os.PathLike | Mapping
        ):
            raise TypeError(f"networks is {what(networks)}; it must be a list of networks")
        self._networks = tuple(
            _numbered_network(i, network, input_shape) for i, network in enumerate(networks)
        )
        if not self._networks:
            raise ValueError("networks is empty; a stack needs at least one network")
        first = self._networks[0].graph
        for i, network in enumerate(self._networks):
            found = difference(first, network.graph)
            if found is not None:
                raise ValueError(
                    f"networks[{i}] has another architecture than networks[0]: {found}; "
                    "the networks of a stack may differ in weights and biases only"
                )

    @classmethod
    def random(
        cls,
        sizes: Sequence[int],
        activation: ActivationLike | Sequence[ActivationLike] = "relu",
        weight_variance: float = 2.0,
        bias_variance: float = 0.0,
        *,
        seeds: Iterable[Seed] | int,
    ) -> NetworkStack:
        """Network i is `Network.random` with seed seeds[i].

        Parameters
        ----------
        sizes, activation, weight_variance, bias_variance
            As for `Network.random`.
        seeds
            A seed for each network, at least one; n for range(n).

        Returns
        -------
        NetworkStack

        Raises
        ------
        TypeError, ValueError
            As for `Network.random`; no seeds, or one that is no seed.
        """
        widths = check_sizes(sizes)
        return cls(
            Network.random(widths, activation, weight_variance, bias_variance, seed)
            for seed in _check_seeds(seeds)
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return self._networks[0].input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of one output."""
        return self._networks[0].output_shape

    @property
    def neurons_per_layer(self) -> tuple[int, ...]:
        """As of each `Network`."""
        return self._networks[0].neurons_per_layer

    @property
    def n_neurons(self) -> int:
        """The number of hidden neurons of each network."""
        return self._networks[0].n_neurons

    def __len__(self) -> int:
        return len(self._networks)

    def __iter__(self) -> Iterator[Network]:
        return iter(self._networks)

    @overload
    def __getitem__(self, index: int) -> Network: ...
    @overload
    def __getitem__(self, index: slice) -> NetworkStack: ...
    def __getitem__(self, index: int | slice) -> Network | NetworkStack:
        chosen = self._networks[index]
        return chosen if isinstance(chosen, Network) else NetworkStack(chosen)

    def __reduce__(self) -> tuple[type[NetworkStack], tuple[tuple[Network, ...]]]:
        return NetworkStack, (self._networks,)

    def __repr__(self) -> str:
        return f"<NetworkStack of {plural(len(self), 'network')}: {self._networks[0]!r}>"


def _numbered_network(
    number: int, network: NetworkLike, input_shape: Sequence[int] | None
) -> Network:
    """Errors tell the number."""
    try:
        return as_network(network, input_shape=input_shape)
    except TypeError as error:
        raise TypeError(f"networks[{number}]: {error}") from error
    except ValueError as error:
        raise ValueError(f"networks[{number}]: {error}") from error


def _check_seeds(seeds: object) -> Sequence[Seed]:
    if not isinstance(seeds, Iterable):
        return range(integer("seeds", seeds, 1))
    if isinstance(seeds, str | bytes | Mapping):
        raise TypeError(f"seeds is {what(seeds)}; it must be a list of seeds, or how many")
    checked = [
        seed if isinstance(seed, np.random.Generator) else integer(f"seeds[{i}]", seed, 0)
        for i, seed in enumerate(seeds)
    ]
    if not checked:
        raise ValueError("seeds is empty; a stack needs at least one network")
    return checked
