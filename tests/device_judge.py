"""Compares what is counted on a device with what is counted on the CPU."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import numpy as np
import pytest

import pyexpr
from pyexpr.cuda.devices import Device

CALLS: dict[str, Callable[..., Any]] = {
    "linear": lambda *x, **device: pyexpr.count_regions(*x, **device),
    "activation": lambda *x, **device: pyexpr.count_regions(*x, kind="activation", **device),
    "patterns": lambda *x, **device: pyexpr.count_patterns(*x, **device),
    "total": lambda *x, **device: pyexpr.count_transitions(*x, **device),
    "layer": lambda *x, **device: pyexpr.count_transitions(*x, per="layer", **device),
    "neuron": lambda *x, **device: pyexpr.count_transitions(*x, per="neuron", **device),
}


def check(device: Device, net: Any, *curve: Any, host: tuple[Any, ...] | None = None) -> None:
    """Every count; `host`: the same curve for the CPU, where that cannot read it."""
    for name, call in CALLS.items():
        found = call(net, *curve, device=device)
        expected = call(net, *(curve if host is None else host), device="cpu")
        assert type(found) is type(expected)
        np.testing.assert_array_equal(found, expected, err_msg=name, strict=True)


def check_interrupted(
    device: Device, monkeypatch: pytest.MonkeyPatch, net: Any, *curve: Any
) -> None:
    """A Ctrl-C at any kernel leaves a device that counts again."""

    class Stopping:
        def __init__(self, kernels: int) -> None:
            self.left = kernels
            self.inside = device.run

        def run(self, *arguments: Any) -> None:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            self.inside(*arguments)

    kernels, finished = 0, False
    while not finished:
        with monkeypatch.context() as patch:
            patch.setattr(device, "run", Stopping(kernels).run)
            try:
                pyexpr.count_regions(net, *curve, device=device)
                finished = True
            except KeyboardInterrupt:
                kernels += 7
        check(device, net, *curve)
    assert kernels > 20


def count_in_threads(device: Device, net: Any, *curve: Any) -> None:
    """Several Python threads, on one device at once."""
    expected = pyexpr.count_regions(net, *curve)
    found: list[int] = []

    def count() -> None:
        found.extend(pyexpr.count_regions(net, *curve, device=device) for _ in range(5))

    workers = [Thread(target=count) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 15
