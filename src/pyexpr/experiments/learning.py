"""Training, the same in all experiments: stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr.experiments.data import DataSet

if TYPE_CHECKING:
    import torch
    from torch import nn

Penalty: TypeAlias = "Callable[[nn.Module, torch.Tensor], torch.Tensor]"

_MOMENTUM = 0.9
_AT_ONCE = 1000  # images, where nothing is trained


@dataclass(frozen=True, eq=False)
class History:
    """What happened.

    Attributes
    ----------
    loss : float64 [epochs]
        The mean over the epoch's minibatches, without penalties.
    train, test : float64 [epochs]
        Accuracies behind each epoch.
    """

    loss: npt.NDArray[np.float64]
    train: npt.NDArray[np.float64]
    test: npt.NDArray[np.float64]


def train(
    module: nn.Module,
    data: DataSet,
    *,
    epochs: int,
    rate: float = 0.05,
    batch: int = 64,
    seed: int = 0,
    parameters: Sequence[torch.Tensor] | None = None,
    penalty: Penalty | None = None,
    watch: Callable[[int], object] | None = None,
) -> History:
    """Minimise the cross entropy; the module ends in evaluation mode.

    Parameters
    ----------
    rate
        The learning rate; the momentum is 0.9.
    batch
        Images in a minibatch, at least 2; what is left of an epoch is left out if it is one image.
    seed
        Of the order of images.
    parameters
        Those that are trained; all if None.
    penalty
        Of the module and the minibatch's images, behind a forward pass; added to the loss.
    watch
        Called with the number of steps done, before the first and behind each, with the module in
        evaluation mode.
    """
    import torch
    from torch.nn.functional import cross_entropy

    chosen = [*module.parameters()] if parameters is None else [*parameters]
    optimizer = torch.optim.SGD(chosen, lr=rate, momentum=_MOMENTUM)
    images, labels = torch.tensor(data.x_train), torch.tensor(data.y_train)
    rng = np.random.default_rng(seed)
    rows, step = [], 0
    _watch(module, watch, step)
    for _ in range(epochs):
        losses = []
        for chunk in _minibatches(rng.permutation(len(images)), batch):
            module.train()
            optimizer.zero_grad()
            minibatch = images[chunk]
            loss = cross_entropy(module(minibatch), labels[chunk])
            (loss if penalty is None else loss + penalty(module, minibatch)).backward()
            optimizer.step()
            losses.append(loss.item())
            step += 1
            _watch(module, watch, step)
        rows.append((float(np.mean(losses)), *accuracies(module, data)))
    module.eval()
    return History(*np.array(rows, dtype=np.float64).reshape(-1, 3).T)


def accuracies(module: nn.Module, data: DataSet) -> tuple[float, float]:
    """On the training and on the test images, in evaluation mode, which it leaves the module in."""
    return (
        accuracy(module, data.x_train, data.y_train),
        accuracy(module, data.x_test, data.y_test),
    )


def accuracy(module: nn.Module, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> float:
    """The share of images with the right label; leaves the module in evaluation mode."""
    import torch

    module.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(x), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            answers = module(torch.tensor(x[part])).argmax(dim=1).numpy()
            right += int((answers == y[part]).sum())
    return right / len(x)


class _Alone:
    """How many cells of this process want PyTorch to use one thread, and how many it used before.

    The setting is the process's, and cells may run side by side in threads.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._cells = 0
        self._before = 1

    def enter(self) -> None:
        import torch

        with self._lock:
            if not self._cells:
                self._before = torch.get_num_threads()
            self._cells += 1
            torch.set_num_threads(1)

    def leave(self) -> None:
        import torch

        with self._lock:
            self._cells -= 1
            if not self._cells:
                torch.set_num_threads(self._before)


_alone = _Alone()


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch's, so that results do not depend on the cores, and cells run side by side."""
    _alone.enter()
    try:
        yield
    finally:
        _alone.leave()


def _minibatches(order: npt.NDArray[np.int64], batch: int) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, len(order), batch):
        chunk = order[start : start + batch]
        if len(chunk) > 1:
            yield chunk


def _watch(module: nn.Module, watch: Callable[[int], object] | None, step: int) -> None:
    if watch is not None:
        module.eval()
        watch(step)
