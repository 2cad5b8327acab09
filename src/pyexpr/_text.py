"""Words for messages."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """As in "1 neuron", "1,000 neurons"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"
