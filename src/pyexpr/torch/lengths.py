"""How long the image of a path is, as a function that PyTorch differentiates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pyexpr._networks import as_network
from pyexpr.torch.images import Evaluation
from pyexpr.tracing.trace import Trace, trace
from pyexpr.trajectories import Polyline

_BLOCK = 2**20  # numbers in a layer's images that are worked out at a time


def trajectory_length(
    module: nn.Module, x0: Tensor, x1: Tensor, *, layer: nn.Module | str | None = None
) -> Tensor:
    """The length of the image of the segment from x0 to x1; see `path_length`.

    Parameters
    ----------
    module, layer
        As for `path_length`.
    x0, x1 : tensor of floats [*input_shape]
        Of one shape, without a batch's dimension.

    Returns
    -------
    float64 []
        As for `path_length`.

    Raises
    ------
    TypeError, ValueError, OverflowError, NotImplementedError, RuntimeError
        As for `path_length`.
    """
    start, end = checked_points("x0", x0), checked_points("x1", x1)
    if start.shape != end.shape:
        raise ValueError(
            f"x1 has shape {tuple(end.shape)}, but x0 has {tuple(start.shape)}; they must be alike"
        )
    points = torch.stack([start, end.to(start.device)])
    return image_lengths(module, points, [_name_of(module, layer)])[0]


def path_length(
    module: nn.Module,
    points: Tensor,
    *,
    closed: bool = False,
    layer: nn.Module | str | None = None,
) -> Tensor:
    """The length of the image of the polyline through points, in the Euclidean norm.

    It is that of the function that the module computes in evaluation mode, with its weights in
    float64. The breakpoints on the path are found and proved as `pyexpr.trace` does it; between
    them the image is straight, so that its length is the sum of |s_i| (t_{i+1} - t_i), s_i the
    image's derivative on interval i, which torch evaluates in the interval's middle. Nothing is
    sampled: length and gradient are as accurate as float64 arithmetic makes them. On intervals
    narrower than float64 can resolve the derivative may be a neighbour's: points are rounded by an
    ulp of their coordinates, which far from the origin is much, and of as much of the path the
    length may be wrong. `pyexpr.trace(...).lengths` has no such limit.

    The gradient is that of the length, in reverse mode, with respect to the module's parameters and
    to the points. It has two parts. One is through s_i. The other is through the breakpoints, which
    move: t_i is where the affine functions F_{i-1} and F_i on both sides of it agree, so that
    dt_i = -<s_i - s_{i-1}, d(F_i - F_{i-1})(t_i)> / |s_i - s_{i-1}|^2, and the length changes by
    (|s_{i-1}| - |s_i|) dt_i. An image at rest, |s_i| = 0, has gradient 0. Where the length is not
    differentiable, as where independent neurons switch at one place or a breakpoint is at a corner
    of the path, the gradient is finite, and no more can be said. Second derivatives are right, too.

    Every call captures the module anew by `torch.export`, which takes tens of milliseconds, and
    longer for modules that change tensors in place. With gradients, torch keeps the images of all
    intervals.

    Parameters
    ----------
    module
        Whatever `pyexpr.as_network` takes, of points in a batch. It is not changed, nor the modes
        that it and its submodules are in; it must be one that `copy.deepcopy` can copy.
    points : tensor of floats [P, *input_shape]
        At least 2; equal neighbours are allowed.
    closed
        Whether a last segment leads back to the first point.
    layer
        The submodule whose output's image is meant, or its name, as in `named_modules`; it must be
        called once in a forward pass. The module itself if None. What comes behind it must be
        piecewise linear, too.

    Returns
    -------
    float64 []
        On the module's device; on the points' if it has neither parameters nor buffers.

    Raises
    ------
    TypeError
        Points that are no tensor of floats, or a layer that is neither a module nor a name.
    ValueError
        Points that are too few or not finite; a layer that is no submodule, or is not called once;
        an output that has no row for each point; what `pyexpr.as_network` refuses, such as tanh:
        the message names it.
    OverflowError
        A number inside the network is beyond float64.
    NotImplementedError, RuntimeError
        torch cannot differentiate an operation forwards, or its derivative backwards, as it is
        with hardsigmoid.
    """
    return image_lengths(
        module, checked_points("points", points), [_name_of(module, layer)], closed
    )[0]


def image_lengths(
    module: nn.Module, points: Tensor, names: Sequence[str], closed: bool = False
) -> Tensor:
    """The lengths of a path's images in several layers, in one pass: float64 [layers].

    As `path_length`, but for the names, which must be such. A breakpoint that a layer does not feel
    adds nothing to the gradient of its image's length.
    """
    trajectory = Polyline(points.detach().cpu().numpy(), closed=closed)
    evaluation = Evaluation(module, names)
    starts = points.to(evaluation.device or points.device)
    sizes = evaluation.sizes(starts[:2])
    edges = starts.roll(-1, 0) - starts
    network = as_network(evaluation.images, input_shape=trajectory.shape)
    intervals = _intervals(trace(network, trajectory), starts.device)
    step = max(1, _BLOCK // max(network.n_neurons, sum(sizes), starts[0].numel()))
    total = torch.zeros(len(names), dtype=torch.float64, device=starts.device)
    for first in range(0, len(intervals.piece), step):
        known = min(first, 1)  # measured in the block before
        here = intervals.part(first - known, first + step)
        along = edges[here.piece]
        middle = here.middle.reshape(-1, *[1] * (starts.ndim - 1))
        images = evaluation.along(starts[here.piece] + middle * along, along)
        values, slopes = (rows.split(sizes, dim=1) for rows in images)
        lengths = [_length(here, *image, known) for image in zip(values, slopes, strict=True)]
        total = total + torch.stack(lengths)
    return total


@dataclass(frozen=True, eq=False)
class _Intervals:
    """Where a path is straight and images are affine, in order.

    Attributes
    ----------
    piece : int64 [K]
        The number of the path's segment.
    left, right : float64 [K]
        Where they start and end, in the segment's parameter from 0 to 1; left < right.
    """

    piece: Tensor
    left: Tensor
    right: Tensor

    @property
    def middle(self) -> Tensor:
        return self.left + (self.right - self.left) / 2

    def part(self, first: int, end: int) -> _Intervals:
        rows = slice(first, end)
        return _Intervals(self.piece[rows], self.left[rows], self.right[rows])


def _intervals(found: Trace, device: torch.device) -> _Intervals:
    """Between a polyline's corners and the breakpoints that the network's output feels."""
    count = len(found.trajectory.pieces)
    felt = found.bends & (found.piece < count)  # the seam of a closed path is a corner
    piece = np.concatenate([np.arange(count), found.piece[felt]])
    left = np.concatenate([np.zeros(count), found.u[felt]])
    order = np.lexsort((left, piece))
    piece, left = piece[order], left[order]
    last = np.append(np.diff(piece) > 0, True)
    right = np.where(last, 1.0, np.append(left[1:], 1.0))
    wide = right > left
    return _Intervals(*(torch.from_numpy(a[wide]).to(device) for a in (piece, left, right)))


def _length(intervals: _Intervals, values: Tensor, slopes: Tensor, known: int) -> Tensor:
    """Of an image in one layer, from its values and slopes [K, size] in the intervals' middles.

    The first interval is left out if `known` is 1, but its end is not.
    """
    speed = _norms(slopes)
    width = intervals.right - intervals.left
    reach = slopes * (width / 2)[:, None]
    gap = (values - reach)[1:] - (values + reach)[:-1]
    # There is no gap as yet, and never one at a corner of the path, so that corners do not move.
    moved = _shift(slopes[1:] - slopes[:-1], gap - gap.detach())
    change = (speed[:-1] - speed[1:]) * moved
    return (speed * width)[known:].sum() + change.sum()


def _shift(jump: Tensor, gap: Tensor) -> Tensor:
    """How far breakpoints [K] move as gaps [K, size] open; 0 where slopes do not jump."""
    size = _norms(jump)
    size = torch.where(size > 0, size, 1.0)
    return -(jump / size[:, None] * gap).sum(1) / size


def _norms(rows: Tensor) -> Tensor:
    """Of rows [K, n]: [K]. All derivatives of 0's are 0, where `torch.linalg` has nan in second."""
    squares = (rows * rows).sum(1)
    positive = squares > 0
    return torch.where(positive, torch.where(positive, squares, 1.0).sqrt(), 0.0)


def checked_points(name: str, points: Tensor) -> Tensor:
    """In float64; errors as for `path_length`."""
    if not isinstance(points, Tensor) or not points.is_floating_point():
        given = f"of {points.dtype}" if isinstance(points, Tensor) else type(points).__name__
        raise TypeError(f"{name} is {given}; it must be a tensor of floats")
    if not points.isfinite().all():
        raise ValueError(f"{name} holds a number that is not finite")
    return points.to(torch.float64)


def _name_of(module: nn.Module, layer: nn.Module | str | None) -> str:
    """Of a layer in the module; errors as for `path_length`."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module is {type(module).__name__}; it must be a torch.nn.Module")
    if not isinstance(layer, nn.Module | str | None):
        raise TypeError(f"layer is {type(layer).__name__}; it must be a submodule or its name")
    if layer is None:
        return ""
    for name, part in module.named_modules(remove_duplicate=False):
        if part is layer or name == layer:
            return str(name)
    given = repr(layer) if isinstance(layer, str) else f"a {type(layer).__name__}"
    raise ValueError(f"layer is {given}, which is no submodule of module; see its named_modules()")
