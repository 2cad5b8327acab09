"""The experiments by their names on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, NamedTuple

from pyexpr.experiments.growth import growth
from pyexpr.experiments.result import HOW, Result
from pyexpr.experiments.trajectory_regularization import trajectory_regularization


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


EXPERIMENTS: Mapping[str, Experiment] = {
    "growth": Experiment(
        growth, {"weight_variances": [1.0, 2.0, 4.0, 8.0], "widths": [10, 50, 100], "networks": 6}
    ),
    "trajectory-regularization": Experiment(
        trajectory_regularization, {"rates": [0.05], "epochs": 5, "seeds": 2}
    ),
}
