"""The command line, run as a command."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import pyexpr
from pyexpr import cli, demo
from pyexpr.cuda import devices
from pyexpr.cuda.devices import HostDevice


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pyexpr", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_version_is_the_distributions() -> None:
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout.split() == ["pyexpr", version("pyexpr-regions")]


def test_help_tells_of_the_demo() -> None:
    result = run("--help")
    assert result.returncode == 0
    assert "demo" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["demo", "extra"], ["--nonsense"]])
def test_a_wrong_command_says_how_to_use_it(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: pyexpr")
    assert "Traceback" not in result.stderr


def test_the_demo_is_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "SAMPLE_SIZES", (10,))
    monkeypatch.setattr(demo, "REPEATS", 1)
    assert cli.main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "ReLU network" in out
    assert "hard-tanh network" in out


def test_an_interrupted_demo_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupted)
    assert cli.main(["demo"]) == 130
    assert "interrupted" in capsys.readouterr().err


MODEL = [([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [0.0, 0.0, -1.0]), ([[1.0, 1.0, -1.0]], [0.0])]
POINTS = np.array([[-1.0, -1.0], [1.0, 2.0], [0.0, 0.5]])


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "model.npz"
    pyexpr.save(pyexpr.Network.dense(MODEL), path)
    np.save(tmp_path / "points.npy", POINTS)
    np.savez(tmp_path / "points.npz", POINTS)
    np.savetxt(tmp_path / "points.csv", POINTS, delimiter=",")
    np.save(tmp_path / "one.npy", POINTS[1])
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "words.csv").write_text("a,b\n")
    return str(path)


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv"])
def test_rows_of_a_file_are_the_ends(
    model: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--points", str(tmp_path / f"points.{suffix}"), "--rows", "0", "1"]
    assert cli.main(["count", model, *options]) == 0
    regions = pyexpr.count_regions(MODEL, POINTS[0], POINTS[1])
    assert capsys.readouterr().out == f"{regions}\n"
    assert cli.main(["count", model, *options, "--per", "neuron"]) == 0
    neurons = pyexpr.count_transitions(MODEL, POINTS[0], POINTS[1], per="neuron")
    assert capsys.readouterr().out.split() == [str(n) for n in neurons]


def test_a_count_as_json(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--from", "random:3", "--to", str(tmp_path / "one.npy"), "--kind", "activation"]
    assert cli.main(["count", model, *options, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    start = np.random.default_rng(3).standard_normal(2)
    regions = pyexpr.count_regions(MODEL, start, POINTS[1], kind="activation")
    assert printed["activation regions"] == regions
    assert printed["certificate"]["signs"]["asked"] == regions.certificate.signs.asked


def test_a_count_on_an_arc(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    start, end = (np.random.default_rng(seed).standard_normal(2) for seed in (0, 1))
    for options, angle in ([], np.pi / 2), (["6"], 6.0):
        assert cli.main(["count", model, "--arc", *options]) == 0
        regions = pyexpr.count_regions(MODEL, pyexpr.Arc(start, end, angle))
        assert capsys.readouterr().out == f"{regions}\n"


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_are_taken(model: str, threads: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["count", model, "--threads", threads]) == 0
    start, end = (np.random.default_rng(seed).standard_normal(2) for seed in (0, 1))
    assert int(capsys.readouterr().out) == pyexpr.count_regions(MODEL, start, end)
    assert cli.main(["trace", model, "--threads", "0"]) == 1
    assert "threads is 0" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [[], ["--kind", "activation"], ["--per", "neuron"], ["--arc"]])
def test_a_device_counts_the_same(
    asked: list[str],
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["count", model, *asked]) == 0
    expected = capsys.readouterr().out
    names: list[str] = []

    def find_device(name: str) -> HostDevice:
        names.append(name)
        return HostDevice()

    monkeypatch.setattr(sys.modules[pyexpr.count_regions.__module__], "find_device", find_device)
    assert cli.main(["count", model, "--device", "cuda:1", *asked]) == 0
    assert capsys.readouterr().out == expected
    assert names == ["cuda:1"]


def test_a_device_that_cannot_be_had_is_one_line(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    devices._cuda_device.cache_clear()
    assert cli.main(["count", model, "--device", "cuda"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r'pyexpr: device="cuda" needs CuPy: pip install .*\n', printed.err)


def test_a_device_without_a_driver_is_one_line(model: str) -> None:
    cupy = pytest.importorskip("cupy")
    if cupy.cuda.runtime.driverGetVersion():
        pytest.skip("a CUDA driver is installed")
    result = run("count", model, "--device", "cuda")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr == 'pyexpr: device="cuda": no CUDA driver is installed here\n'


def test_regions_are_written(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["stream", model, "--arc", "--save", str(tmp_path / "regions.npz")]) == 0
    start, end = (np.random.default_rng(seed).standard_normal(2) for seed in (0, 1))
    trace = pyexpr.trace(MODEL, pyexpr.Arc(start, end))
    assert int(capsys.readouterr().out) == trace.n_intervals
    with np.load(tmp_path / "regions.npz") as regions:
        assert regions["end"].tolist() == [*trace.t, 1.0]


def test_a_trace_is_told_drawn_and_kept(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, kept = tmp_path / "trace.png", tmp_path / "trace.npz"
    options = ["--arc", "--plot", str(picture), "--save", str(kept)]
    assert cli.main(["trace", model, *options]) == 0
    start, end = (np.random.default_rng(seed).standard_normal(2) for seed in (0, 1))
    trace = pyexpr.trace(MODEL, pyexpr.Arc(start, end))
    out = capsys.readouterr().out
    assert str(trace.lengths) in out
    assert re.search(rf"activation regions +{trace.n_regions}\n", out)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert pyexpr.load_trace(kept).t.tolist() == trace.t.tolist()


def test_show_prints_the_network(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", model]) == 0
    out = capsys.readouterr().out
    assert "3 neurons" in out
    assert "ReLU" in out


def test_bounds_of_a_model_are_beside_its_counts(
    model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bounds", model, "--from", "random:3"]) == 0
    out = capsys.readouterr().out
    net, x0, x1 = pyexpr.load(model), *(np.random.default_rng(i).standard_normal(2) for i in (3, 1))
    regions = pyexpr.count_regions(net, x0, x1, kind="activation")
    assert f"exact: {regions} activation region" in out
    assert re.search(r"^line +4 ", out, re.M)


def test_bounds_of_sizes_are_beside_a_random_networks_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["bounds", "3", "5", "4", "1", "--activation", "hard_tanh", "--arc"]) == 0
    out = capsys.readouterr().out
    assert "exact: " in out
    assert re.search(r"^arc +341 ", out, re.M)  # 4 x 5 (4 x 4 + 1) + 1


def test_bounds_of_what_is_too_large_are_told_without_a_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["bounds", "784", *["1000000"] * 3, "10"]) == 0
    out = capsys.readouterr().out
    assert "exact: " not in out
    assert "no count" in out
    assert re.search(r"^line +1.00e18 ", out, re.M)


BAD = {
    "no model": (["count", "missing.npz"], "missing.npz"),
    "a model of no kind": (["count", "model.txt"], r"\.npz"),
    "a point of no kind": (["count", "MODEL", "--from", "x.txt"], "random:SEED"),
    "a seed that is none": (["count", "MODEL", "--from", "random:-1"], "seed"),
    "a point too many": (["count", "MODEL", "--from", "DIR/points.npy"], "2 numbers"),
    "a pickle": (["count", "MODEL", "--from", "DIR/objects.npy"], "no array of numbers"),
    "words": (["count", "MODEL", "--from", "DIR/words.csv"], "no array of numbers"),
    "two ways to say where": (
        ["count", "MODEL", "--points", "DIR/points.csv", "--to", "random:1"],
        "leave out --from and --to",
    ),
    "an arc of more than a turn": (["trace", "MODEL", "--arc", "7"], "angle"),
    "a picture of no kind": (["trace", "MODEL", "--plot", "DIR/trace.txt"], "txt"),
    "no layer": (["bounds", "3"], "sizes"),
    "a width of 0": (["bounds", "3", "0", "1"], "sizes.1. is 0"),
    "a width that is none": (["bounds", "3", "x", "1"], "sizes such as"),
    "an activation that is none": (["bounds", "3", "2", "1", "--activation", "f"], "relu"),
    "an activation of a model": (["bounds", "MODEL", "--activation", "relu"], "its own"),
    "a tensor of sizes": (["bounds", "3", "2", "1", "--output", "x"], "ONNX"),
    "a seed below 0": (["bounds", "3", "2", "1", "--seed", "-1"], "seed is -1"),
    "no device": (["count", "MODEL", "--device", "gpu"], "device is 'gpu'; it must be"),
    "no such row": (
        ["count", "MODEL", "--points", "DIR/points.csv", "--rows", "0", "3"],
        "no row 3",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_is_one_line(
    bad: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, message = BAD[bad]
    filled = [a.replace("MODEL", model).replace("DIR", str(tmp_path)) for a in arguments]
    assert cli.main(filled) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(rf"pyexpr: .*{message}.*\n", printed.err)
