"""Exact counts of the linear regions of piecewise-linear networks along trajectories."""

from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from pyexpr._networks import as_network
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
from pyexpr.counting import count_pairs, count_patterns, count_regions, count_transitions
from pyexpr.io import load
from pyexpr.io.npz import save
from pyexpr.io.regions import save_regions
from pyexpr.io.traces import load_trace
from pyexpr.network import Layer, Network
from pyexpr.stack import NetworkStack
from pyexpr.streaming.block import RegionBlock
from pyexpr.streaming.stream import RegionStream, stream
from pyexpr.tracing.algebraic import AlgebraicNumber
from pyexpr.tracing.extrema import Extremum
from pyexpr.tracing.lengths import LayerLengths
from pyexpr.tracing.moment import Moment
from pyexpr.tracing.trace import Trace, trace
from pyexpr.trajectories import (
    Arc,
    Bezier,
    Chain,
    Circle,
    Line,
    Polyline,
    Spline,
    Trajectory,
    sample_path,
)

__version__ = version("pyexpr-regions")

__all__ = [
    "Abs",
    "AlgebraicNumber",
    "Arc",
    "Bezier",
    "Certificate",
    "Chain",
    "Circle",
    "Clip",
    "Count",
    "Counts",
    "Decisions",
    "Extremum",
    "HardSigmoid",
    "HardTanh",
    "Layer",
    "LayerLengths",
    "LeakyReLU",
    "Line",
    "Moment",
    "Network",
    "NetworkStack",
    "PReLU",
    "PiecewiseLinear",
    "Polyline",
    "ReLU",
    "ReLU6",
    "RegionBlock",
    "RegionStream",
    "Spline",
    "Trace",
    "Trajectory",
    "__version__",
    "as_network",
    "count_pairs",
    "count_patterns",
    "count_regions",
    "count_transitions",
    "load",
    "load_trace",
    "sample_path",
    "save",
    "save_regions",
    "stream",
    "trace",
]


_ON_DEMAND = ("bounds", "constructions", "cuda", "experiments", "plot", "theory", "torch")


def __getattr__(name: str) -> ModuleType:
    if name in _ON_DEMAND:
        return import_module(f"pyexpr.{name}")
    raise AttributeError(f"module 'pyexpr' has no attribute {name!r}")
