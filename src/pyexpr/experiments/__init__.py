"""The results of Raghu et al. (2017), run again with exact counts.

Raghu, Poole, Kleinberg, Ganguli, Sohl-Dickstein, "On the expressive power of deep neural networks",
ICML 2017. Every experiment is a function of plain parameters that returns a `Result`: arrays, a
table, `plot()`, and the paper's claims, each judged by the figures found. `sweep` runs grids on any
executor; `reproduce` is what `pyexpr reproduce` calls.
"""

from pyexpr.experiments.data import DataSet, load_data
from pyexpr.experiments.growth import GrowthResult, growth
from pyexpr.experiments.random_network import random_network
from pyexpr.experiments.registry import EXPERIMENTS
from pyexpr.experiments.reproduce import reproduce
from pyexpr.experiments.result import Claim, Result, load_result
from pyexpr.experiments.sweep import Failure, Sweep, sweep
from pyexpr.experiments.table import Table
from pyexpr.experiments.trajectory_regularization import (
    TrajectoryRegularizationResult,
    trajectory_regularization,
)

__all__ = [
    "EXPERIMENTS",
    "Claim",
    "DataSet",
    "Failure",
    "GrowthResult",
    "Result",
    "Sweep",
    "Table",
    "TrajectoryRegularizationResult",
    "growth",
    "load_data",
    "load_result",
    "random_network",
    "reproduce",
    "sweep",
    "trajectory_regularization",
]
