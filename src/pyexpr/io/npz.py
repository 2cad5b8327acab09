"""Networks as numpy archives: W0, b0, W1, b1, ... and the activations of the hidden layers.

Those are `act`, a name such as "relu" for all hidden layers, or breakpoints0, slopes0, value0,
first_letter0, ... for each. Other arrays in the file are ignored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from pyexpr.activations import BY_NAME, PiecewiseLinear, as_activation
from pyexpr.io._archive import MALFORMED, Array, read_arrays, write_arrays
from pyexpr.network import Network

MAX_NAME_LENGTH = 64

_PARAMETERS = ("breakpoints", "slopes", "value", "first_letter")
OURS = rf"act|(?:W|b|{'|'.join(_PARAMETERS)})(?:0|[1-9][0-9]{{0,5}})"


def load(path: str | os.PathLike[str]) -> Network:
    """The network that a .npz file holds.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        The file is malformed: not an archive, arrays missing or of wrong types or shapes, sizes
        beyond MAX_BYTES.
    """
    with Path(path).open("rb") as file:
        try:
            return network_from(read_arrays(file, re.compile(OURS)))
        except MALFORMED as error:
            raise ValueError(f"{os.fspath(path)!r} holds no network: {error}") from error


def save(net: Network, path: str | os.PathLike[str]) -> None:
    """Write the network to a .npz file, all of it or nothing; `load` returns it bit for bit.

    Parameters
    ----------
    net : Network
        A chain of dense layers.
    path
        Ends in .npz.

    Raises
    ------
    TypeError
        `net` is no Network.
    ValueError
        The path does not end in .npz, or the network is no chain of dense layers.
    OSError
        The file cannot be written.
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is a {type(net).__name__}; it must be a pyexpr.Network")
    write_arrays(path, network_arrays(net))


# --- writing ---


def network_arrays(net: Network) -> dict[str, Array]:
    """What `network_from` reads.

    Raises
    ------
    ValueError
        The network is no chain of dense layers.
    """
    arrays: dict[str, Array] = {}
    for i, layer in enumerate(net.layers):
        arrays |= {f"W{i}": np.ascontiguousarray(layer.weight), f"b{i}": layer.bias}
    phis = [layer.activation for layer in net.layers if layer.activation is not None]
    name = _common_name(phis)
    if name is not None:
        return arrays | {"act": np.array(name)}
    for i, phi in enumerate(phis):
        arrays |= {f"{key}{i}": np.asarray(getattr(phi, key)) for key in _PARAMETERS}
    return arrays


def _common_name(phis: list[PiecewiseLinear]) -> str | None:
    if len(set(phis)) != 1:
        return None
    return next((name for name, make in BY_NAME.items() if make() == phis[0]), None)


# --- reading ---


def network_from(arrays: Mapping[str, Array]) -> Network:
    """The network that some arrays describe.

    Raises
    ------
    One of MALFORMED
        Arrays are missing, or of wrong types or shapes.
    """
    n_layers = _count_layers(arrays)
    layers = [(arrays[f"W{i}"], arrays[f"b{i}"]) for i in range(n_layers)]
    return Network.dense(layers, _activations(arrays, n_layers - 1))


def _count_layers(arrays: Mapping[str, Array]) -> int:
    """How many layers there are, numbered from 0 without a gap."""
    n_layers = next(i for i in count() if f"W{i}" not in arrays and f"b{i}" not in arrays)
    wanted = {f"{key}{i}" for i in range(max(n_layers, 1)) for key in "Wb"}
    present = {key for key in arrays if key[0] in "Wb" and key[1:].isdigit()}
    if missing := wanted - present:
        raise ValueError(f"{min(missing)} is missing; the layers are W0, b0, W1, b1, ...")
    if beyond := present - wanted:
        raise ValueError(f"it has {min(beyond)}, but neither W{n_layers} nor b{n_layers}")
    return n_layers


def _activations(arrays: Mapping[str, Array], n_hidden: int) -> list[PiecewiseLinear]:
    numbered = [key for key in arrays if key.startswith(_PARAMETERS)]
    if "act" in arrays:
        if numbered:
            raise ValueError(f"it has both act and {min(numbered)}; one must go")
        return [as_activation("act", _text(arrays["act"]))] * n_hidden
    wanted = {f"{key}{i}" for i in range(n_hidden) for key in _PARAMETERS}
    if missing := wanted - {*numbered}:
        raise ValueError(
            f"neither act nor {min(missing)} is there; activations are act for all hidden layers, "
            f"or {', '.join(f'{key}0' for key in _PARAMETERS)}, ... for each"
        )
    if beyond := {*numbered} - wanted:
        raise ValueError(f"it has {min(beyond)}, but only {n_hidden} hidden layers")
    return [_activation(arrays, i) for i in range(n_hidden)]


def _activation(arrays: Mapping[str, Array], i: int) -> PiecewiseLinear:
    breakpoints, slopes, value, letter = (arrays[f"{key}{i}"] for key in _PARAMETERS)
    if letter.ndim != 0 or letter.dtype.kind not in "iu":
        raise ValueError(f"first_letter{i} has shape {letter.shape} and dtype {letter.dtype}")
    given: Any = value  # of any shape and type as yet: PiecewiseLinear checks it
    try:
        return PiecewiseLinear(breakpoints, slopes, given, first_letter=letter.item())
    except (TypeError, ValueError) as error:
        raise ValueError(f"the activation of layer {i}: {error}") from error


def _text(array: Array) -> str:
    if array.ndim != 0 or array.dtype.kind != "U":
        raise ValueError(f"act has shape {array.shape} and dtype {array.dtype}, not one string")
    if array.dtype.itemsize > 4 * MAX_NAME_LENGTH:
        raise ValueError(f"act has more than {MAX_NAME_LENGTH} characters")
    return str(array)
