"""bench/gpu.py, on the engine that a GPU would run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
pytestmark = pytest.mark.skipif(not BENCH.is_dir(), reason="runs in the repository")


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script's main, after some code."""
    program = f"import sys; sys.path.insert(0, {str(BENCH)!r})\n{code}\nimport gpu\ngpu.main()"
    command = [sys.executable, "-c", program, "--quick", "--device", "host", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_every_kind_of_network_is_measured_and_counted_right(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    done = run("", "--repeats", "1", "--json", str(file))
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    assert found["setting"]["device"] == "host"
    rows = {(row["subject"], row["question"]): row for row in found["rows"]}
    questions = {question for _, question in rows}
    assert questions == {"activation", "linear", "transitions"}
    assert len(rows) == len(found["rows"]) == 5 * len(questions)
    assert len(done.stdout.splitlines()) == 2 + len(rows)
    for row in rows.values():
        assert row["agrees"]
        assert min(row["first"], row["seconds"], row["cpu"]) > 0
        assert 0 <= row["past_float64"] < row["asked"]
    assert rows["2-3x64 ReLU", "activation"]["count"] == 67
    assert rows["2-3x64 ReLU", "activation"]["forward"] > 0
    assert {subject for subject, _ in rows if rows[subject, "linear"]["apart"]} == {
        "3 x 20-2x10 hard-tanh, gain 8"
    }


def test_a_count_that_differs_from_the_known_one_is_told() -> None:
    code = (
        "import networks\nfrom dataclasses import replace\n"
        "networks.BENCHMARKS['r2_3x64'] = replace(networks.BENCHMARKS['r2_3x64'], regions=68)"
    )
    done = run(code, "--repeats", "1", "--only", "r2_3x64")
    assert done.returncode == 1
    assert "2-3x64 ReLU, activation" in done.stderr
    assert done.stdout.count("WRONG") == 1


def test_counts_that_differ_from_the_cpus_are_told() -> None:
    code = (
        "import gpu\n"
        "def more(inside):\n"
        "    return lambda *x, device=None: (\n"
        "        inside(*x) + 1 if device is None else inside(*x, device=device))\n"
        "gpu.QUESTIONS |= {name: more(inside) for name, inside in gpu.QUESTIONS.items()}"
    )
    done = run(code, "--repeats", "1", "--only", "r2_3x64")
    assert done.returncode == 1
    for question in ("activation", "linear", "transitions"):
        assert f"2-3x64 ReLU, {question}" in done.stderr


def test_an_unknown_name_is_told() -> None:
    done = run("", "--only", "nonsense")
    assert done.returncode == 2
    assert "unknown network ['nonsense']; choose from r2_3x64" in done.stderr
