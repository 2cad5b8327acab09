"""What the constructors are told of a network."""

from __future__ import annotations

from collections.abc import Sequence

from pyexpr import network


def check_sizes(sizes: Sequence[int]) -> list[int]:
    """[inputs, hidden..., outputs].

    Raises
    ------
    TypeError, ValueError
        Not such integers of at least 1, or no hidden layer.
    """
    checked = network.check_sizes(sizes)
    if len(checked) < 3:
        raise ValueError(
            f"sizes is {checked}, without hidden layers; it must be [inputs, hidden..., outputs]"
        )
    return checked
