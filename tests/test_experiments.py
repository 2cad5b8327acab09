"""What all experiments share: results, files, the command; and growth, with closed forms."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot

import pyexpr
from pyexpr import cli, experiments, theory
from pyexpr.experiments import EXPERIMENTS, GrowthResult, Table, growth, load_result, reproduce
from pyexpr.experiments.judging import limit, signs, verdict
from pyexpr.experiments.registry import Experiment
from pyexpr.experiments.report import page
from pyexpr.experiments.result import arguments_of

MODULE = sys.modules[reproduce.__module__]
TINY: dict[str, Any] = {
    "activations": ["relu", "hard_tanh"],
    "weight_variances": [2.0],
    "bias_variances": [0.0],
    "widths": [3, 5],
    "width": 5,
    "weight_variance": 2.0,
    "depth": 4,
    "networks": 2,
}


@pytest.fixture(scope="module")
def tiny() -> GrowthResult:
    return growth(**TINY)


def made_up(rates: dict[tuple[str, float], float], noise: float = 1e-3) -> GrowthResult:
    """Four networks of width 100 for each activation and weight variance, with such rates."""
    layers = np.arange(11.0)
    spread = 1 + noise * np.array([-1.0, 1.0, -0.5, 0.5])
    lengths = [spread[:, None] ** layers * rate**layers for rate in rates.values()]
    return GrowthResult(
        parameters={"width": 100, "weight_variance": 4.0},
        activation=np.array([kind for kind, _ in rates]),
        width=np.full(len(rates), 100),
        weight_variance=np.array([variance for _, variance in rates]),
        bias_variance=np.zeros(len(rates)),
        lengths=np.array(lengths),
    )


# --- growth ---


def test_lengths_are_those_of_traces(tiny: GrowthResult) -> None:
    assert tiny.lengths.shape == (4, 2, 5)
    (place,) = np.flatnonzero((tiny.activation == "hard_tanh") & (tiny.width == 3))
    for seed in range(2):
        for_network, for_points = np.random.SeedSequence(seed).spawn(2)
        rng = np.random.default_rng(for_network)
        net = pyexpr.Network.random([3, 3, 3, 3, 3, 1], "hard_tanh", 2.0, 0.0, rng)
        x0, x1 = np.random.default_rng(for_points).standard_normal((2, 3))
        lengths = pyexpr.trace(net, pyexpr.Arc(x0, x1)).lengths.length
        np.testing.assert_array_equal(tiny.lengths[place, seed], lengths[:-1])


def test_rates_are_recovered() -> None:
    result = made_up({("relu", 4.0): 1.4, ("hard_tanh", 4.0): 1.3}, noise=0)
    rate, error = result.rates
    np.testing.assert_allclose(rate, [1.4, 1.3])
    np.testing.assert_allclose(error, 0, atol=1e-12)


def test_standard_errors_are_those_of_the_ratio_of_means() -> None:
    result = made_up({("hard_tanh", 4.0): 1.3}, noise=0.05)
    rng = np.random.default_rng(0)
    chosen = rng.integers(4, size=(4000, 4))  # bootstrap; of 4 it knows (n - 1) / n
    drawn = result.lengths[0][chosen]
    rates = (drawn[:, :, -1].mean(axis=1) / drawn[:, :, 5].mean(axis=1)) ** (1 / 5)
    assert result.rates[1][0] == pytest.approx(rates.std() * np.sqrt(4 / 3), rel=0.1)


def test_bases_are_those_of_theory(tiny: GrowthResult) -> None:
    for i, kind in enumerate(tiny.activation):
        width = int(tiny.width[i])
        if kind == "relu":
            assert tiny.expected[i] == theory.relu_growth(width, 2.0)
            assert tiny.stated[i] == pytest.approx(np.sqrt(2 * width / (width + 1)))
        else:
            assert tiny.expected[i] == theory.mean_field_growth("hard_tanh", 2.0, 0.0)
            assert tiny.stated[i] == theory.stated_growth(width, 2.0, 0.0)
            assert tiny.lower[i] == theory.lower_growth(2.0, 0.0)


def verdicts(result: experiments.Result) -> list[str]:
    return [claim.agrees for claim in result.claims]


def test_claims_follow_the_figures() -> None:
    stated = theory.stated_growth(100, 8.0)
    relu = theory.relu_growth(100, 8.0)
    as_found = made_up({("relu", 8.0): relu, ("hard_tanh", 8.0): 1.572})
    assert verdicts(as_found) == ["yes", "yes", "no", "no"]
    as_stated = made_up({("relu", 8.0): np.sqrt(8 * 100 / 101), ("hard_tanh", 8.0): stated + 0.01})
    assert verdicts(as_stated) == ["yes", "no", "yes", "yes"]
    shrinking = made_up({("relu", 1.0): 0.7, ("hard_tanh", 8.0): 1.572})
    assert verdicts(shrinking)[0] == "in part"
    vague = made_up({("relu", 8.0): relu, ("hard_tanh", 8.0): 1.572}, noise=0.2)
    assert verdicts(vague)[1] == "in part"
    narrow = replace(as_found, width=np.array([10, 10]), activation=np.array(["hard_tanh"] * 2))
    assert verdicts(narrow)[1] == "in part"  # no width that theory is compared with


def test_curved_logarithms_are_no_exponential_growth() -> None:
    result = made_up({("relu", 8.0): 2.0, ("hard_tanh", 8.0): 1.5})
    bent = result.lengths.copy()
    bent[0] = np.exp(np.minimum(np.arange(11.0), 7.0))
    assert verdicts(replace(result, lengths=bent))[0] == "in part"
    constant = np.ones_like(bent) * np.array([0.9, 1.0, 1.1, 1.0])[:, None]
    assert verdicts(replace(result, lengths=constant))[0] == "no"


def test_what_is_clear_is_by_students_t() -> None:
    """Against the values of printed tables."""
    assert [round(limit(count), 3) for count in (2, 4, 10, 30)] == [63.657, 5.841, 3.25, 2.756]
    assert np.isnan(limit(1))
    rng = np.random.default_rng(0)
    false = [int(signs(rng.standard_normal(4))) != 0 for _ in range(4000)]
    assert 0.005 < np.mean(false) < 0.016
    assert verdict(np.array([], bool)) == "in part"
    assert verdict(np.array([True]), np.array([False])) == "in part"


@pytest.mark.parametrize(
    "wrong",
    [
        {"activations": []},
        {"activations": ["abs"]},
        {"depth": 1},
        {"networks": 1},
        {"seed": -1},
    ],
)
def test_what_growth_cannot_judge_is_refused(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} is "):
        growth(**{**TINY, **wrong})


def test_one_kind_alone_is_judged() -> None:
    for kind in ("relu", "hard_tanh"):
        result = growth(**{**TINY, "activations": [kind]})
        assert all(claim.ours and claim.why for claim in result.claims)
        pyplot.close(result.plot())


def test_executors_give_the_same(tiny: GrowthResult) -> None:
    with ThreadPoolExecutor(2) as executor:
        np.testing.assert_array_equal(growth(**TINY, executor=executor).lengths, tiny.lengths)


def test_the_picture_shows_every_setting(tiny: GrowthResult) -> None:
    figure = tiny.plot()
    assert len(figure.axes) == 6
    by_width = figure.axes[5]
    (measured,) = (line for line in by_width.lines if line.get_marker() == "o")
    rate, _ = tiny.rates
    np.testing.assert_array_equal(measured.get_data(), [[3, 5], rate[[3, 2]]])
    pyplot.close(figure)


# --- results and their files ---


def test_parameters_are_kept_without_what_changes_nothing() -> None:
    def experiment(*, widths: Any, seed: int, executor: Any, path: Any, progress: Any) -> Any:
        return arguments_of(locals())

    kept = experiment(
        widths=(np.int64(2), 3), seed=4, executor=ThreadPoolExecutor, path="x", progress=True
    )
    assert kept == {"widths": [2, 3], "seed": 4}
    assert type(kept["widths"][0]) is int
    with pytest.raises(TypeError, match=r"widths is \{1\}"):
        experiment(widths={1}, seed=0, executor=None, path=None, progress=False)


def test_results_come_back(tmp_path: Path, tiny: GrowthResult) -> None:
    arrays, record = tiny.save(tmp_path / "new")
    assert {arrays.name, record.name} == {"growth.npz", "growth.json"}
    back = load_result(record)
    assert isinstance(back, GrowthResult)
    assert back.parameters == tiny.parameters == {**arguments_of(TINY), "seed": 0}
    np.testing.assert_array_equal(back.lengths, tiny.lengths)
    assert str(back) == str(tiny)
    told = json.loads(record.read_text())
    assert told["versions"]["pyexpr"] == pyexpr.__version__
    assert told["versions"]["numpy"] == np.__version__
    assert len(told["claims"]) == 4 and told["claims"][0]["agrees"] in ("yes", "no", "in part")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"experiment": "nonsense", "parameters": {}}',
        '{"experiment": ["growth"], "parameters": {}}',
        '{"experiment": "growth"}',
    ],
)
def test_other_records_are_refused(tmp_path: Path, tiny: GrowthResult, text: str) -> None:
    _, record = tiny.save(tmp_path)
    record.write_text(text)
    with pytest.raises(ValueError, match=r"growth\.json' holds no result"):
        load_result(record)


@pytest.mark.parametrize(
    "change",
    [
        {"lengths": np.ones((4, 2))},
        {"lengths": np.ones((3, 2, 5))},
        {"width": np.array(["a"] * 4)},
        {"activation": np.array([object()] * 4)},
        {"lengths": None},
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, tiny: GrowthResult, change: dict[str, Any]
) -> None:
    arrays, record = tiny.save(tmp_path)
    held = {**np.load(arrays), **change}
    np.savez(arrays, **{name: value for name, value in held.items() if value is not None})
    with pytest.raises(ValueError, match="holds no result"):
        load_result(record)


def test_a_missing_file_is_named(tmp_path: Path, tiny: GrowthResult) -> None:
    arrays, record = tiny.save(tmp_path)
    arrays.unlink()
    with pytest.raises(FileNotFoundError, match=r"growth\.npz"):
        load_result(record)


# --- tables and pages ---


def test_tables_are_aligned_and_rounded() -> None:
    table = Table(("name", "count"), (("a", 1234567), ("longer", None), ("b|c", 0.123456)))
    assert str(table).splitlines() == [
        "  name      count",
        "     a  1,234,567",
        "longer",
        "   b|c     0.1235",
    ]
    assert table.markdown().splitlines()[1:] == [
        "| --- | --- |",
        "| a | 1,234,567 |",
        "| longer |  |",
        "| b\\|c | 0.1235 |",
    ]
    assert str(Table(("x",), ((12345.6,), (1e10,), (float("nan"),)))).split() == [
        "x",
        "12,346",
        "1e+10",
        "nan",
    ]
    frame = table.to_dataframe()
    assert frame["count"].tolist()[0] == 1234567
    assert frame.columns.tolist() == ["name", "count"]


def test_a_page_has_the_picture_the_claims_and_the_call(tiny: GrowthResult) -> None:
    text = page(tiny, "somewhere/growth.png")
    assert "(somewhere/growth.png)" in text
    for claim in tiny.claims:
        assert f"| {claim.claim} | {claim.ours} | {claim.agrees} |" in text
    call = text.rsplit("`", 2)[1]
    assert call.startswith("experiments.growth(")
    again = eval(call, {"experiments": experiments})
    np.testing.assert_array_equal(again.lengths, tiny.lengths)


# --- the command ---


@pytest.fixture
def quickest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick run of growth that is quicker."""
    monkeypatch.setattr(MODULE, "EXPERIMENTS", {"growth": Experiment(growth, TINY)})


@pytest.mark.parametrize("workers", [1, 2])
def test_reproducing_leaves_a_result_a_picture_and_a_page(
    tmp_path: Path, quickest: None, tiny: GrowthResult, workers: int
) -> None:
    result = reproduce("growth", tmp_path / "out", quick=True, workers=workers)
    assert isinstance(result, GrowthResult)
    np.testing.assert_array_equal(result.lengths, tiny.lengths)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"growth.json", "growth.npz", "growth.png", "growth.md"}
    assert not pyplot.get_fignums()
    assert (tmp_path / "out" / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_what_was_found(
    tmp_path: Path, quickest: None, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["reproduce", "growth", "--quick", "--out", str(tmp_path), "--workers", "1"]
    assert cli.main([*arguments, "--seed", "3", "--set", "networks=3"]) == 0
    shown = capsys.readouterr().out
    result = load_result(tmp_path / "growth.json")
    assert (result.parameters["seed"], result.parameters["networks"]) == (3, 3)
    assert str(result) in shown


def test_cells_that_have_finished_are_not_run_again(
    tmp_path: Path, quickest: None, monkeypatch: pytest.MonkeyPatch, tiny: GrowthResult
) -> None:
    def fail(_: GrowthResult) -> None:
        raise RuntimeError("no picture")

    with monkeypatch.context() as patch:
        patch.setattr(GrowthResult, "plot", fail)
        with pytest.raises(RuntimeError, match="no picture"):
            reproduce("growth", tmp_path, quick=True, workers=1)
    (cells,) = tmp_path.iterdir()  # and nothing else is half done
    header, *lines = cells.read_text().splitlines()
    records = [json.loads(line) for line in lines]
    for record in records:  # as no network has them
        record["results"]["lengths"] = [2 * length for length in record["results"]["lengths"]]
    cells.write_text("\n".join([header, *map(json.dumps, records)]) + "\n")
    other = reproduce("growth", tmp_path, {"seed": 5}, quick=True, workers=1)
    assert cells.exists()  # of other arguments
    result = reproduce("growth", tmp_path, quick=True, workers=1)
    assert isinstance(result, GrowthResult) and isinstance(other, GrowthResult)
    np.testing.assert_array_equal(result.lengths, 2 * tiny.lengths)
    assert not np.isin(other.lengths, result.lengths).any()
    assert not cells.exists()


def test_cells_of_other_data_are_not_taken_for_these(tmp_path: Path) -> None:
    data = tmp_path / "data.npz"
    names = set()
    for seed in range(2):
        rng = np.random.default_rng(seed)
        np.savez(data, x=rng.standard_normal((20, 4)), y=np.arange(20) % 2)
        with pytest.raises(RuntimeError):  # too few images for so many lines
            reproduce("noise", tmp_path / "out", {"data": str(data)}, quick=True, workers=1)
        names |= {path.name for path in (tmp_path / "out").iterdir()}
    assert len(names) == 2


def test_a_refused_value_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="networks is 0"):
        reproduce("growth", tmp_path / "out", {"networks": 0}, quick=True, workers=1)
    assert not (tmp_path / "out").exists()


def test_an_unknown_experiment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"name is 'nonsense'; it must be one of growth"):
        reproduce("nonsense", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert tuple(EXPERIMENTS) == cli.EXPERIMENT_NAMES


def test_an_unknown_argument_is_refused(
    tmp_path: Path, quickest: None, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["reproduce", "growth", "--out", str(tmp_path / "out"), "--set"]
    assert cli.main([*command, "nets=2"]) == 1
    assert "growth has no argument 'nets'; it has activations, " in capsys.readouterr().err
    with pytest.raises(ValueError, match="arguments has 'nets'; those of growth are activations"):
        reproduce("growth", tmp_path / "out", {"nets": 2})
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit):
        cli.main([*command, "nets"])
    assert "'nets' must be NAME=VALUE" in capsys.readouterr().err


def test_a_failed_cell_fails_the_command_and_says_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {**TINY, "weight_variances": [-1.0]}
    monkeypatch.setattr(MODULE, "EXPERIMENTS", {"growth": Experiment(growth, bad)})
    command = ["reproduce", "growth", "--quick", "--out", str(tmp_path), "--workers", "1"]
    assert cli.main(command) == 1
    told = capsys.readouterr().err
    assert "weight_variance is -1.0" in told and "Traceback" not in told
    (cells,) = tmp_path.iterdir()
    assert cells.suffix == ".jsonl"


def test_missing_data_are_told_before_anything_is_run(tmp_path: Path) -> None:
    arguments = ["reproduce", "noise", "--data", str(tmp_path / "no.npz"), "--out", str(tmp_path)]
    command = [sys.executable, "-m", "pyexpr", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 1
    assert "no.npz" in result.stderr and "Traceback" not in result.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_all_quick_reproductions(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pyexpr", "reproduce", "all", "--quick", "--out"]
    subprocess.run([*command, str(tmp_path)], check=True, timeout=3600)
    for name in EXPERIMENTS:
        result = load_result(tmp_path / f"{name}.json")
        assert result.claims and result.table.rows
        assert {path.suffix for path in tmp_path.glob(f"{name}.*")} == {
            ".json", ".npz", ".png", ".md",
        }  # fmt: skip
