"""The command line, run as a command."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from pyexpr import cli, demo


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
