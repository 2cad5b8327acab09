"""Lengths of images that PyTorch can differentiate, and layers that regularise by them.

Needs torch: pip install "pyexpr-regions[torch]". Modules as such go wherever a network does: this
is about what depends on their parameters.
"""

from importlib import import_module as _import_module

try:
    _import_module("torch")
except ImportError as error:
    raise ImportError(
        'pyexpr.torch needs torch; install it by: pip install "pyexpr-regions[torch]"'
    ) from error

from pyexpr.torch.lengths import path_length, trajectory_length
from pyexpr.torch.regularization import (
    TrajectoryRegularization,
    exact_trajectory_penalty,
    replace_batch_norm,
    trajectory_penalty,
)

__all__ = [
    "TrajectoryRegularization",
    "exact_trajectory_penalty",
    "path_length",
    "replace_batch_norm",
    "trajectory_length",
    "trajectory_penalty",
]
