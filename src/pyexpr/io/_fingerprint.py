"""By what to know a network again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from hashlib import sha256

import numpy as np

from pyexpr.network import Network
from pyexpr.operations import Dense


def fingerprint(network: Network) -> str:
    """Its shapes, and the SHA-256 of all that its graph says: weights, biases, activations."""
    digest = sha256()
    for part in _parts(network.graph.nodes):
        digest.update(b"%d:" % len(part) + part)  # so that parts cannot run into each other
    shapes = (network.input_shape, network.neurons_per_layer, network.output_shape)
    return f"{'-'.join('x'.join(map(str, shape)) for shape in shapes)} {digest.hexdigest()}"


def _parts(value: object) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield from (value.dtype.str.encode(), str(value.shape).encode(), value.tobytes())
    elif isinstance(value, tuple):
        yield b"%d" % len(value)
        for item in value:
            yield from _parts(item)
    elif isinstance(value, Dense):
        yield b"Dense"
        yield from _parts(value.weight)
    elif is_dataclass(value):
        yield type(value).__name__.encode()
        for field in fields(value):
            yield from _parts(getattr(value, field.name))
    else:
        yield repr(value).encode()
