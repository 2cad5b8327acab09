"""Lower bounds on the most regions of the input space: some weights give so many."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from pyexpr.bounds.architecture import Architecture, NotApplicable
from pyexpr.bounds.numbers import Number, bound, choices


@bound
def pascanu_2013_lower(architecture: Architecture, one: Number) -> Number:
    """prod_{l < L} floor(n_l / n_0) sum_{j <= n_0} C(n_L, j).

    Conditions: a chain of dense ReLU layers, n_l >= n_0 for l < L.
    Source: Pascanu, Montufar, Bengio, "On the number of response regions of deep feed forward
    networks with piece-wise linear activations" (2013), Theorem 1.
    """
    widths = _wide(architecture, 1, "pascanu_2013_lower")
    folds = prod((n // architecture.inputs for n in widths[:-1]), start=one)
    return folds * _arranged(one, architecture.inputs, widths[-1])


@bound
def montufar_2014_lower(architecture: Architecture, one: Number) -> Number:
    """prod_{l < L} floor(n_l / n_0)^{n_0} sum_{j <= n_0} C(n_L, j).

    floor(n_l / n_0) neurons fold each coordinate of a cube, that often, onto itself; see
    `pyexpr.constructions.folding`.

    Conditions: a chain of dense ReLU layers, n_l >= n_0 for l < L.
    Source: Montufar, Pascanu, Cho, Bengio, "On the number of linear regions of deep neural
    networks" (2014), Theorem 5.
    """
    return _folded(architecture, one, _wide(architecture, 1, "montufar_2014_lower"), 0)


@bound
def serra_2018_lower(architecture: Architecture, one: Number) -> Number:
    """prod_{l < L} (floor(n_l / n_0) + 1)^{n_0} sum_{j <= n_0} C(n_L, j).

    k >= 3 neurons, one of which faces the other way, fold a coordinate k + 1 times.

    Conditions: a chain of dense ReLU layers, n_l >= 3 n_0 for l < L.
    Source: Serra, Tjandraatmadja, Ramalingam (2018), Theorem 6. The paper asks n_L >= 3 n_0, too,
    which its proof and `pyexpr.constructions.folding` do not need.
    """
    return _folded(architecture, one, _wide(architecture, 3, "serra_2018_lower"), 1)


@bound
def arora_2018_lower(architecture: Architecture, one: Number) -> Number:
    """2 sum_{j < n_0} C(m - 1, j) w^{L - 1}, n_1 = 2 m and w the narrowest layer after it.

    A zonotope's support function has as many linear pieces as the zonotope has vertices; the
    later layers fold its values.

    Conditions: a chain of dense ReLU layers, n_1 >= 2.
    Source: Arora, Basu, Mianjy, Mukherjee, "Understanding deep neural networks with rectified
    linear units" (2018), Theorem 2.11. A layer of odd width is taken for one less.
    """
    return _zonotope(architecture, one, "arora_2018_lower", 0)


@bound
def serra_2018_zonotope_lower(architecture: Architecture, one: Number) -> Number:
    """2 sum_{j < n_0} C(m - 1, j) (w + 1)^{L - 1}, n_1 = 2 m and w the narrowest layer after it.

    Conditions: a chain of dense ReLU layers, n_1 >= 2, and n_l >= 3 for 1 < l < L.
    Source: Serra, Tjandraatmadja, Ramalingam (2018), Theorem 7. The paper asks for w >= 2; two
    neurons do not fold a line onto itself three times (see `line`), so that w = 2 is left out here.
    """
    widths = _free(architecture, "serra_2018_zonotope_lower")
    if any(n < 3 for n in widths[1:-1]):
        raise NotApplicable("serra_2018_zonotope_lower needs layers at least 3 wide between")
    return _zonotope(architecture, one, "serra_2018_zonotope_lower", 1)


def _free(architecture: Architecture, what: str) -> tuple[int, ...]:
    """The widths of a chain of ReLU layers whose weights and biases are all free to choose."""
    if not architecture.is_dense or not architecture.bias:
        raise NotApplicable(f"{what} holds for dense layers with biases")
    return architecture.require_relu(what)


def _wide(architecture: Architecture, times: int, what: str) -> tuple[int, ...]:
    """The widths, of which all but the last are at least `times` the number of inputs."""
    widths = _free(architecture, what)
    if any(n < times * architecture.inputs for n in widths[:-1]):
        raise NotApplicable(
            f"{what} needs layers at least {times * architecture.inputs} wide before the last"
        )
    return widths


def _folded(architecture: Architecture, one: Number, widths: Sequence[int], more: int) -> Number:
    inputs = architecture.inputs
    folds = prod(((one * (n // inputs + more)) ** inputs for n in widths[:-1]), start=one)
    return folds * _arranged(one, inputs, widths[-1])


def _zonotope(architecture: Architecture, one: Number, what: str, more: int) -> Number:
    first, *others = _free(architecture, what)
    if first < 2:
        raise NotApplicable(f"{what} needs at least 2 neurons in the first layer")
    vertices = 2 * sum(choices(one, first // 2 - 1, architecture.inputs - 1), 0 * one)
    return vertices * (one * (min(others) + more)) ** len(others) if others else vertices


def _arranged(one: Number, inputs: int, width: int) -> Number:
    return sum(choices(one, width, inputs), 0 * one)
