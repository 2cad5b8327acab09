"""The programs in examples run, and say what is so."""

import runpy
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from given_files import write_files
from matplotlib import pyplot
from pages import ROOT

import pyexpr

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)


def run(name: str, *arguments: str, **changes: Any) -> None:
    """With other constants, where that is quicker."""
    main = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))["main"]
    main.__globals__.update(changes)
    main(*arguments)
    pyplot.close("all")


def is_picture(path: str) -> bool:
    return bool(pyplot.imread(path).std() > 0)


def test_digits(capsys: pytest.CaptureFixture[str]) -> None:
    run("digits", EACH=2)
    first, *_ = capsys.readouterr().out.splitlines()
    assert float(first.split()[-1]) > 0.9  # of the test images
    assert is_picture("digits.png")


@pytest.mark.parametrize("model", ["model.onnx", "classifier.onnx"])
def test_onnx_model(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("onnx_model", model, "images.npy", "here.png")
    out = capsys.readouterr().out
    net, images = pyexpr.load("model.onnx"), np.load("images.npy")  # the same but for the softmax
    assert f"class {net(images[0]).argmax()} at the first image" in out
    *_, last = out.splitlines()
    assert last.startswith(f"class {net(images[1]).argmax()} ")
    assert is_picture("here.png")


def test_skip_connections(capsys: pytest.CaptureFixture[str]) -> None:
    run("skip_connections", DEPTHS=(1, 2), NETWORKS=2)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    regions = {(name, int(depth)): float(found) for name, depth, _, found, *_ in lines}
    assert regions["plain", 1] == regions["residual", 1]  # x + relu(z) bends where relu(z) does
    assert is_picture("skip_connections.png")


def test_arc(capsys: pytest.CaptureFixture[str]) -> None:
    run("arc")
    assert "linear regions" in capsys.readouterr().out
    assert is_picture("arc.png")
