"""Exact counts of the linear regions of piecewise-linear networks along a line."""

from importlib.metadata import version

from pyexpr.activations import (
    Abs,
    Clip,
    HardSigmoid,
    HardTanh,
    LeakyReLU,
    PiecewiseLinear,
    PReLU,
    ReLU,
    ReLU6,
)
from pyexpr.certificate import Certificate, Count, Counts, Decisions
from pyexpr.counting import count_patterns, count_regions, count_transitions
from pyexpr.io import load
from pyexpr.io.npz import save
from pyexpr.network import Layer, Network, as_network
from pyexpr.trace import Trace, trace

__version__ = version("pyexpr-regions")

__all__ = [
    "Abs",
    "Certificate",
    "Clip",
    "Count",
    "Counts",
    "Decisions",
    "HardSigmoid",
    "HardTanh",
    "Layer",
    "LeakyReLU",
    "Network",
    "PReLU",
    "PiecewiseLinear",
    "ReLU",
    "ReLU6",
    "Trace",
    "__version__",
    "as_network",
    "count_patterns",
    "count_regions",
    "count_transitions",
    "load",
    "save",
    "trace",
]
