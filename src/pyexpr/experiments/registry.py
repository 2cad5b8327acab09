"""The experiments by their names on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, NamedTuple

from pyexpr.experiments.adversarial import adversarial
from pyexpr.experiments.circle import circle
from pyexpr.experiments.growth import growth
from pyexpr.experiments.noise import noise
from pyexpr.experiments.patterns import patterns
from pyexpr.experiments.remaining_depth import remaining_depth
from pyexpr.experiments.result import HOW, Result
from pyexpr.experiments.training import training
from pyexpr.experiments.trajectory_regularization import trajectory_regularization
from pyexpr.experiments.transitions import transitions


class Experiment(NamedTuple):
    """An experiment, and how it is run quickly.

    Attributes
    ----------
    run : function
        Of keywords; as it is by default it is the full run.
    quick : dict
        Keywords of a run in about a minute.
    """

    run: Callable[..., Result]
    quick: Mapping[str, Any]

    @property
    def arguments(self) -> frozenset[str]:
        """Names of those that results depend on."""
        return frozenset(signature(self.run).parameters) - HOW

    @property
    def takes_device(self) -> bool:
        """Whether it counts, which a GPU can do; the others trace."""
        return "device" in signature(self.run).parameters


EXPERIMENTS: Mapping[str, Experiment] = {
    "growth": Experiment(
        growth, {"weight_variances": [1.0, 2.0, 4.0, 8.0], "widths": [10, 50, 100], "networks": 6}
    ),
    "transitions": Experiment(
        transitions, {"weight_variances": [2.0, 8.0], "widths": [25, 50, 100], "networks": 4}
    ),
    "patterns": Experiment(patterns, {"networks": 6}),
    "circle": Experiment(circle, {"networks": 3}),
    "noise": Experiment(
        noise,
        {
            "networks": 3,
            "epochs": 6,
            "draws": 2,
            "lines": 1,
            "absolute": [0.0625, 0.25, 0.5],
            "relative": [0.125, 0.5, 2.0],
        },
    ),
    "remaining-depth": Experiment(
        remaining_depth, {"networks": 3, "epochs": 15, "depth": 6, "lines": 5}
    ),
    "training": Experiment(training, {"epochs": 5, "moments": 4, "pairs": 1, "networks": 2}),
    "trajectory-regularization": Experiment(
        trajectory_regularization, {"rates": [0.05], "epochs": 5, "networks": 2}
    ),
    "adversarial": Experiment(adversarial, {"images": 6, "networks": 3, "epochs": 10}),
}
