"""The tent map, iterated."""

from __future__ import annotations

from functools import partial

from pyexpr._arrays import integer
from pyexpr.activations import ReLU
from pyexpr.constructions.block import network
from pyexpr.constructions.construction import Construction
from pyexpr.constructions.fold import chain
from pyexpr.constructions.rectifier import pleats
from pyexpr.trajectories import Line


def tent(depth: int) -> Construction:
    """x -> 1 - |2 x - 1| on [0, 1], `depth` times: 2^depth regions of either kind.

    Hidden layers of two ReLUs, of which one is always on. Not the maximum: see `line`. Telgarsky
    (2015), "Representation benefits of deep feedforward networks".

    Parameters
    ----------
    depth
        Hidden layers, at least 1.

    Returns
    -------
    Construction

    Raises
    ------
    TypeError, ValueError
        `depth` is no integer of at least 1.
    """
    layers = integer("depth", depth, 1)
    blocks, regions, length = chain([partial(pleats, 2)] * layers)
    return Construction(
        network(blocks, 1, ReLU(), reader=[[length]]),
        Line([0.0], [1.0]),
        regions.activation,
        regions.linear,
    )
