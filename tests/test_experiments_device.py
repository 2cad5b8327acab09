"""Experiments on a device: the same results and the same file as on the CPU, or nothing at all."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyexpr import cli, experiments
from pyexpr.cuda import devices
from pyexpr.cuda.devices import HostDevice
from pyexpr.experiments import (
    EXPERIMENTS,
    Result,
    patterns,
    remaining_depth,
    reproduce,
    transitions,
)
from pyexpr.experiments.registry import Experiment

MODULE = sys.modules[reproduce.__module__]
PATTERNS: dict[str, Any] = {
    "depths": [1, 2], "widths": [4, 6], "width": 5, "depth": 2, "made_depth": 2, "chords": 60,
    "networks": 2, "seed": 1,
}  # fmt: skip
TRANSITIONS: dict[str, Any] = {
    "weight_variances": [2.0], "widths": [3, 4, 5], "width": 4, "depth": 2, "large_width": 4,
    "networks": 2,
}  # fmt: skip
DEPTH: dict[str, Any] = {
    "depth": 3, "width": 5, "epochs": 1, "batch": 16, "lines": 2, "networks": 2, "rate": 0.1,
}  # fmt: skip
COUNTING = {"patterns", "transitions", "remaining-depth"}


class Watched(HostDevice):
    """Knows how often it was asked for something."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def run(self, kernel: str, count: int, *arguments: Any) -> None:
        self.runs += 1
        super().run(kernel, count, *arguments)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    rng, labels = np.random.default_rng(0), np.arange(40) % 2
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(path, x=rng.standard_normal((40, 3, 3)) + labels[:, None, None], y=labels)
    return str(path)


def given(name: str, data: str) -> dict[str, Any]:
    small = {"patterns": PATTERNS, "transitions": TRANSITIONS, "remaining-depth": DEPTH}[name]
    return {**small, "data": data} if name == "remaining-depth" else small


def same(a: Result, b: Result) -> None:
    assert a.parameters == b.parameters
    assert a.claims == b.claims
    for field in fields(a):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if field.name != "parameters":
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other, err_msg=field.name)


# --- the same ---


@pytest.mark.parametrize("name", sorted(COUNTING))
def test_a_device_finds_the_same_and_keeps_the_same_file(
    name: str, data: str, tmp_path: Path
) -> None:
    arguments, run = given(name, data), EXPERIMENTS[name].run
    on_cpu, on_device = tmp_path / "cpu.jsonl", tmp_path / "device.jsonl"
    expected = run(**arguments, path=on_cpu)
    device = Watched()
    same(expected, run(**arguments, path=on_device, device=device))
    assert on_cpu.read_bytes() == on_device.read_bytes()
    assert device.runs > 0
    assert "device" not in expected.parameters


def test_cells_of_the_cpu_are_not_counted_again(tmp_path: Path) -> None:
    path, smaller = tmp_path / "cells.jsonl", {**PATTERNS, "networks": 3}
    patterns(**PATTERNS, path=path)
    before = path.read_bytes()
    with ThreadPoolExecutor(2) as executor:
        result = patterns(**smaller, path=path, executor=executor, device=HostDevice())
    after = path.read_bytes()
    assert after.startswith(before)
    settings = len(result.activation)
    assert after.count(b"\n") - before.count(b"\n") == settings  # the third network of each
    same(result, patterns(**smaller))


def test_reproducing_goes_on_with_another_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Result) -> None:
        raise RuntimeError("no picture")

    monkeypatch.setattr(MODULE, "EXPERIMENTS", {"patterns": Experiment(patterns, PATTERNS)})
    device, kept = Watched(), []
    with monkeypatch.context() as patch:
        patch.setattr(experiments.PatternsResult, "plot", fail)
        for one in (device, "cpu"):
            with pytest.raises(RuntimeError, match="no picture"):
                reproduce("patterns", tmp_path, quick=True, workers=1, device=one)
            (cells,) = tmp_path.iterdir()
            kept.append(cells.read_bytes())
    assert kept[0] == kept[1] and device.runs > 0


# --- nothing at all ---


@pytest.fixture
def without_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    devices._cuda_device.cache_clear()


@pytest.mark.parametrize("run", [patterns, transitions, remaining_depth])
def test_no_device_and_nothing_is_done(
    run: Callable[..., Result], tmp_path: Path, without_cupy: None
) -> None:
    wrong: Any = 1
    path = tmp_path / "cells.jsonl"
    with pytest.raises(ValueError, match="device is 'gpu'"):
        run(path=path, device="gpu")
    with pytest.raises(TypeError, match="device is"):
        run(path=path, device=wrong)
    with pytest.raises(ImportError, match="needs CuPy"):
        run(path=path, device="cuda")
    assert not path.exists()


def test_reproducing_needs_the_device_first(tmp_path: Path, without_cupy: None) -> None:
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="device is 'gpu'"):
        reproduce("patterns", out, device="gpu")
    with pytest.raises(ImportError, match="needs CuPy"):
        reproduce("patterns", out, device="cuda")
    assert not out.exists()


@pytest.mark.parametrize("name", sorted({*EXPERIMENTS} - COUNTING))
def test_what_traces_takes_the_cpu(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf'{name} traces, for which it must be "cpu"'):
        reproduce(name, tmp_path / "out", device=HostDevice())
    assert not (tmp_path / "out").exists()
    assert not EXPERIMENTS[name].takes_device


# --- the command ---


@pytest.mark.parametrize("name", ["all", "patterns", "growth"])
def test_the_command_says_what_is_missing(
    name: str, tmp_path: Path, without_cupy: None, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.main(["reproduce", name, "--out", str(out), "--device", "cuda"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert printed.err.startswith('pyexpr: device="cuda" needs CuPy')
    assert not out.exists()


def test_all_take_the_device_where_they_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used: dict[str, str] = {}

    def run(name: str, *_: Any, device: str, **__: Any) -> str:
        used[name] = device
        return name

    monkeypatch.setattr(devices, "find_device", lambda _: HostDevice())
    monkeypatch.setattr(experiments, "reproduce", run)
    assert cli.main(["reproduce", "all", "--out", str(tmp_path), "--device", "cuda:1"]) == 0
    assert used == {name: "cuda:1" if name in COUNTING else "cpu" for name in EXPERIMENTS}
