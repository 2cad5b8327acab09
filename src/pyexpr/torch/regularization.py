"""Trajectory regularisation, after Raghu et al. (2017), "On the expressive power of deep neural
networks": in place of batch normalisation, layers that keep their images short.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from pyexpr.torch.lengths import checked_points, image_lengths

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class TrajectoryRegularization(nn.Module):
    """x -> scale x, with a penalty on how long the path through a minibatch has become.

    In training mode every forward pass of at least two points measures the path through them, in
    their order and at this layer: the mean of |x_{i+1} - x_i| over neighbours, which does not grow
    with the minibatch. The first such mean is remembered; `penalty` is |scale| times the mean over
    the first. Added to the loss times a constant, such as 0.01, it keeps images short (see
    `trajectory_penalty`). What comes out is the same in training and in evaluation.

    Raghu et al. have the factor learned, one a layer, and the penalty proportional to it; with its
    absolute value here, because a factor below zero would make the loss unbounded.

    Parameters
    ----------
    device, dtype
        Of the parameter and the buffers, as for other layers; buffers are float32 at least.

    Attributes
    ----------
    scale : parameter []
        Initially 1.
    original : buffer []
        The first mean that is finite, before it is scaled; nan before there is one. As a part of
        state_dict() it goes where the parameters go.
    original_exact : buffer []
        The length that `exact_trajectory_penalty` found first; nan before that.
    """

    original: Tensor
    original_exact: Tensor
    _penalty: Tensor | None

    def __init__(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), device=device, dtype=dtype))
        wide = torch.promote_types(self.scale.dtype, torch.float32)  # for lengths
        for name in ("original", "original_exact"):
            self.register_buffer(name, torch.full((), torch.nan, device=device, dtype=wide))
        self._penalty = None

    def forward(self, x: Tensor) -> Tensor:
        """scale x.

        Parameters
        ----------
        x : tensor [rows, ...]
        """
        if self.training:
            self._penalty = self._measured(x)
        return self.scale * x

    @property
    def penalty(self) -> Tensor:
        """What the last forward pass in training mode costs, differentiable: [].

        0 if its minibatch was of less than two points, or the first path was a point. Not kept in
        copies and files.

        Raises
        ------
        RuntimeError
            There was no such pass.
        """
        if self._penalty is None:
            raise RuntimeError(
                "penalty: there is none before a forward pass in training mode; call train() first"
            )
        return self._penalty

    def _measured(self, x: Tensor) -> Tensor:
        if len(x) < 2:
            return 0 * self.scale
        x = x.to(torch.promote_types(x.dtype, torch.float32))  # squares overflow half precision
        steps = (x[1:] - x[:-1]).reshape(len(x) - 1, -1)
        mean = torch.linalg.vector_norm(steps, dim=1).mean()
        return self.scale.abs() * _over_first(mean, self.original)

    def __getstate__(self) -> dict[str, Any]:
        """Without the penalty, which is a part of a graph that cannot be copied."""
        return {**self.__dict__, "_penalty": None}


def trajectory_penalty(module: nn.Module) -> Tensor:
    """The sum of the penalties of all `TrajectoryRegularization` layers in a module.

    As in `loss = cross_entropy(module(x), y) + 0.01 * trajectory_penalty(module)`.

    Parameters
    ----------
    module
        One with such layers.

    Returns
    -------
    tensor []
        Differentiable.

    Raises
    ------
    ValueError
        There is no such layer.
    RuntimeError
        A layer has had no forward pass in training mode.
    """
    return torch.stack([layer.penalty for layer in _layers(module).values()]).sum()


def exact_trajectory_penalty(module: nn.Module, points: Tensor, *, closed: bool = False) -> Tensor:
    """What a path through the input space, not a minibatch, has become in those layers.

    The sum over all `TrajectoryRegularization` layers of the exact length of the path's image in
    the layer's output, over the length that the first call found there. All lengths come from one
    pass in evaluation mode, as by `path_length`, with their gradients. Paths may differ from call
    to call; for the ratio to mean something they should be alike, such as loops through as many
    points.

    Parameters
    ----------
    module, points, closed
        As for `path_length`.

    Returns
    -------
    float64 []
        A differentiable tensor.

    Raises
    ------
    TypeError, ValueError, OverflowError, NotImplementedError, RuntimeError
        As for `path_length`, and ValueError if there is no such layer.
    """
    layers = _layers(module)
    lengths = image_lengths(module, checked_points("points", points), [*layers], closed)
    ratios = [
        _over_first(length, layer.original_exact)
        for length, layer in zip(lengths, layers.values(), strict=True)
    ]
    return torch.stack(ratios).sum()


def replace_batch_norm(module: nn.Module) -> nn.Module:
    """A deep copy with a `TrajectoryRegularization` for every BatchNorm1d and BatchNorm2d.

    In the mode, on the device and of the dtype of what it replaces. The learned weights and biases
    of batch normalisation are gone, so that this is for modules before training.

    Parameters
    ----------
    module
        It is not changed.

    Returns
    -------
    Module
    """
    norms = [part for part in module.modules() if isinstance(part, _NORMS)]
    return copy.deepcopy(module, {id(norm): _replacement(norm) for norm in norms})


def _replacement(norm: nn.Module) -> TrajectoryRegularization:
    like = next((t for t in (norm.weight, norm.running_mean) if t is not None), torch.empty(()))
    layer = TrajectoryRegularization(device=like.device, dtype=like.dtype)
    layer.train(norm.training)
    return layer


def _layers(module: nn.Module) -> dict[str, TrajectoryRegularization]:
    """By their names in the module."""
    parts = module.named_modules()
    layers = {name: part for name, part in parts if isinstance(part, TrajectoryRegularization)}
    if not layers:
        raise ValueError(
            "module has no TrajectoryRegularization layer; add one, or see replace_batch_norm"
        )
    return layers


def _over_first(length: Tensor, first: Tensor) -> Tensor:
    """The ratio of a length to the first one, which is remembered; 0 if that was 0."""
    with torch.no_grad():
        if first.isnan() and length.isfinite():
            first.copy_(length)
    return length / torch.where(first > 0, first, torch.inf)
