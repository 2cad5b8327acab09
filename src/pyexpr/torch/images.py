"""What layers of a module make of points, in float64, and how that changes along directions."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp


class Images(nn.Module):
    """Of points [K, *shape] the outputs of some layers, flat, side by side: float64 [K, sizes].

    Parameters
    ----------
    module
        In evaluation mode.
    names
        Of its submodules, as in `named_modules`; "" is the module itself.
    """

    def __init__(self, module: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.module = module
        self.names = tuple(names)
        self.training = False

    def forward(self, points: Tensor) -> Tensor:
        """Errors as for `parts`."""
        return torch.cat(self.parts(points), dim=1)

    def parts(self, points: Tensor) -> list[Tensor]:
        """Every layer's output: float64 [K, size].

        Raises
        ------
        ValueError
            A layer is not called once, or returns no tensor with a row for each point.
        """
        with self._recorded() as calls:
            self.module(points)
        return [_rows(name, calls[name], len(points)) for name in self.names]

    @contextmanager
    def _recorded(self) -> Iterator[dict[str, list[Any]]]:
        """What each layer returns, call by call, before another layer changes it in place."""
        calls: dict[str, list[Any]] = {name: [] for name in self.names}

        def record(name: str, output: Any) -> None:
            calls[name].append(output.clone() if isinstance(output, Tensor) else output)

        hooks = [
            self.module.get_submodule(name).register_forward_hook(
                lambda _, __, output, name=name: record(name, output)
            )
            for name in calls
        ]
        try:
            yield calls
        finally:
            for hook in hooks:
                hook.remove()


class Evaluation:
    """A module in evaluation mode and in float64, differentiable in the module's own tensors.

    It works on a copy, so that the module and its modes stay as they are. The copy's parameters
    share memory with the casts to float64, which gradients flow through.

    Attributes
    ----------
    images : Images
        The copy's; its own tensors require no gradient.
    device : torch.device or None
        Of the first parameter or buffer; None if there is none.

    Raises
    ------
    ValueError
        The module cannot be copied.
    """

    images: Images
    device: torch.device | None

    def __init__(self, module: nn.Module, names: Sequence[str]) -> None:
        parameters, buffers = dict(module.named_parameters()), dict(module.named_buffers())
        cast = {name: _double(p) for name, p in parameters.items()}
        cast |= {name: _double(b).clone() for name, b in buffers.items()}
        known: dict[int, Any] = {id(b): cast[name].detach() for name, b in buffers.items()}
        for name, p in parameters.items():
            known[id(p)] = nn.Parameter(cast[name].detach(), requires_grad=False)
        self.images = Images(_copied(module, known).eval(), names)
        self.device = next((tensor.device for tensor in cast.values()), None)
        self._tensors = {f"module.{name}": tensor for name, tensor in cast.items()}

    def sizes(self, points: Tensor) -> list[int]:
        """How many numbers each layer returns for a point, tried on points [2, *shape].

        Raises
        ------
        ValueError
            The module cannot be called with them, or as for `Images.parts`.
        """
        try:
            with torch.no_grad():
                return [part.shape[1] for part in self.images.parts(points.detach().clone())]
        except _Unfit:
            raise
        except Exception as error:  # what torch raises depends on the module
            reason = " ".join(str(error).split())[:300]
            raise ValueError(
                f"module: it cannot be called with a float64 batch of shape {tuple(points.shape)}: "
                f"{reason}"
            ) from error

    def along(self, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """The layers' images of points, and their derivatives along a direction each.

        Parameters
        ----------
        points, directions : float64 [K, *shape]
            Not used by anyone else: the module may change them.

        Returns
        -------
        float64 [K, sizes] and [K, sizes]
        """

        def images(x: Tensor) -> Tensor:
            return functional_call(self.images, self._tensors, (x,))

        with warnings.catch_warnings():
            # torch, of what it imports when it first differentiates forwards.
            warnings.filterwarnings("ignore", r".*torch\.jit\.script", DeprecationWarning)
            values, slopes = jvp(images, (points,), (directions,))
        return values, slopes


class _Unfit(ValueError):
    """A layer has no image of every point."""


def _rows(name: str, outputs: list[Any], count: int) -> Tensor:
    """The output of a layer that is called once: float64 [count, size]."""
    layer = f"layer {name!r}" if name else "module"
    if len(outputs) != 1:
        times = f"{len(outputs)} times" if outputs else "never"
        raise _Unfit(f"{layer} is called {times} in a forward pass; it must be called once")
    (output,) = outputs
    if not isinstance(output, Tensor):
        raise _Unfit(f"{layer} returns {type(output).__name__}; it must return a tensor")
    if output.ndim == 0 or len(output) != count:
        raise _Unfit(
            f"{layer} returns shape {tuple(output.shape)} for a batch of {count}; "
            "there must be a row for each point"
        )
    return _double(output.reshape(count, -1))


def _double(tensor: Tensor) -> Tensor:
    """Floats as float64, differentiably; others as they are."""
    return tensor.to(torch.float64) if tensor.is_floating_point() else tensor


def _copied(module: nn.Module, known: dict[int, Any]) -> nn.Module:
    """A deep copy that has for some parts, by their ids, what is known instead."""
    try:
        return copy.deepcopy(module, known)
    except Exception as error:  # what it raises depends on the module
        raise ValueError(f"module: copy.deepcopy cannot copy it: {error}") from error
