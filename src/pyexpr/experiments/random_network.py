"""A random network and a random trajectory, counted."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from pyexpr._arrays import integer
from pyexpr.network import Network
from pyexpr.tracing.trace import trace
from pyexpr.trajectories import Arc, Line

_CURVES: dict[str, type[Line] | type[Arc]] = {"line": Line, "arc": Arc}


def random_network(
    width: int,
    depth: int,
    weight_variance: float = 2.0,
    bias_variance: float = 0.0,
    activation: str = "relu",
    inputs: int | None = None,
    outputs: int = 10,
    seed: int = 0,
    trajectory: Literal["line", "arc"] = "line",
) -> dict[str, Any]:
    """Counts of one random network between two standard normal points, on one thread.

    Parameters
    ----------
    width, depth
        Of the hidden layers; no layer at depth 0.
    weight_variance, bias_variance, activation
        As for `Network.random`.
    inputs
        The inputs' number; None for `width`.
    outputs
        The outputs' number.
    seed
        A non-negative integer. Network and points are drawn from independent streams of it, so
        that the points depend on it and on the number of inputs alone.
    trajectory
        "line", or "arc" for `Arc(x0, x1)`.

    Returns
    -------
    dict
        regions (linear ones), activation_regions, transitions and, a list over the hidden layers,
        transitions_per_layer: exact; lengths, of the trajectory's image in the input, in every
        layer and in the output: as `Trace.lengths`, up to rounding.

    Raises
    ------
    TypeError, ValueError
        Arguments that `Network.random` would refuse, or an unknown `trajectory`.
    """
    if trajectory not in _CURVES:
        raise ValueError(f'trajectory is {trajectory!r}; it must be "line" or "arc"')
    hidden = [integer("width", width, 1)] * integer("depth", depth, 0)
    first = width if inputs is None else inputs
    for_network, for_points = np.random.SeedSequence(integer("seed", seed, 0)).spawn(2)
    network = Network.random(
        [first, *hidden, outputs],
        activation,
        weight_variance,
        bias_variance,
        seed=np.random.default_rng(for_network),
    )
    x0, x1 = np.random.default_rng(for_points).standard_normal((2, first))
    found = trace(network, _CURVES[trajectory](x0, x1), threads=1)
    return {
        "regions": found.n_pieces,
        "activation_regions": found.n_regions,
        "transitions": len(found.transitions),
        "transitions_per_layer": found.transitions_per_layer,
        "lengths": found.lengths.length,
    }
