"""The results of Raghu et al. (2017), run again with exact counts.

Raghu, Poole, Kleinberg, Ganguli, Sohl-Dickstein, "On the expressive power of deep neural networks",
ICML 2017. Every experiment is a function of plain parameters that returns a `Result`: arrays, a
table, `plot()`, and the paper's claims, each judged by the figures found. `sweep` runs grids on any
executor; `reproduce` is what `pyexpr reproduce` calls.
"""

from pyexpr.experiments.adversarial import AdversarialResult, adversarial
from pyexpr.experiments.circle import CircleResult, circle
from pyexpr.experiments.data import DataSet, load_data
from pyexpr.experiments.growth import GrowthResult, growth
from pyexpr.experiments.noise import NoiseResult, noise
from pyexpr.experiments.patterns import PatternsResult, patterns
from pyexpr.experiments.random_network import random_network
from pyexpr.experiments.registry import EXPERIMENTS
from pyexpr.experiments.remaining_depth import RemainingDepthResult, remaining_depth
from pyexpr.experiments.reproduce import reproduce
from pyexpr.experiments.result import Claim, Result, load_result
from pyexpr.experiments.sweep import Failure, Sweep, sweep
from pyexpr.experiments.table import Table
from pyexpr.experiments.training import TrainingResult, training
from pyexpr.experiments.trajectory_regularization import (
    TrajectoryRegularizationResult,
    trajectory_regularization,
)
from pyexpr.experiments.transitions import TransitionsResult, transitions

__all__ = [
    "EXPERIMENTS",
    "AdversarialResult",
    "CircleResult",
    "Claim",
    "DataSet",
    "Failure",
    "GrowthResult",
    "NoiseResult",
    "PatternsResult",
    "RemainingDepthResult",
    "Result",
    "Sweep",
    "Table",
    "TrainingResult",
    "TrajectoryRegularizationResult",
    "TransitionsResult",
    "adversarial",
    "circle",
    "growth",
    "load_data",
    "load_result",
    "noise",
    "patterns",
    "random_network",
    "remaining_depth",
    "reproduce",
    "sweep",
    "training",
    "trajectory_regularization",
    "transitions",
]
