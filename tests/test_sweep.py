"""Sweeps: the same table whoever computes it, and however often it is stopped on the way."""

import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pyexpr
from pyexpr.experiments.random_network import random_network
from pyexpr.experiments.sweep import Sweep, sweep

posix = pytest.mark.skipif(os.name != "posix", reason="kills a process")
PATIENCE = 120.0  # seconds until a test that waits for another process gives up


# --- cells, which other processes import from here ---


def power(base: float, exponent: int = 2) -> dict[str, Any]:
    value = base**exponent
    return {"value": value, "name": f"{base}^{exponent}", "both": np.array([value, base])}


def logged(i: int, folder: str) -> dict[str, Any]:
    """Waits from the fifth on, as long as there is a file `hold`."""
    log(folder, i)
    until(lambda: i < 4 or not Path(folder, "hold").exists())
    return {"square": i * i, "root": math.sqrt(i)}


def suicidal(i: int, folder: str) -> dict[str, Any]:
    """Its fifth kills its process once three cells are in the file."""
    if i == 4 and Path(folder, "hold").exists():
        until(lambda: len(lines(Path(folder, "sweep.jsonl"))) > 3)
        os.kill(os.getpid(), signal.SIGKILL)
    return logged(i, folder)


def fragile(i: int, folder: str) -> dict[str, Any]:
    log(folder, i)
    if i % 3 == 1 and Path(folder, "hold").exists():
        raise ArithmeticError(f"{i} is too much")
    return {"square": i * i}


def exits(i: int) -> dict[str, Any]:
    sys.exit(i)


def echo(**parameters: Any) -> dict[str, Any]:
    return {"echo": [*parameters.values()]}


def greedy(numbers: list[int]) -> dict[str, Any]:
    total = sum(numbers)
    numbers.clear()
    return {"total": total}


def odd(what: str) -> Any:
    results: dict[str, Any] = {
        "nothing": None,
        "clash": {"what": 1},
        "name": {1: 2},
        "complex": {"z": 1j},
        "complex array": {"z": np.zeros(2, complex)},
        "object": {"z": [object()]},
        "masked": {"z": np.ma.masked_array([1.0, 2.0], [True, False])},
        "wide": {"z": np.longdouble(1)},
    }
    return results[what]


NUMBERS = {
    "nan": math.nan,
    "inf": math.inf,
    "minus": -math.inf,
    "tiny": 1e-320,
    "least": 5e-324,
    "zero": -0.0,
    "third": 1 / 3,
    "huge": 2**200,
    "yes": True,
    "none": None,
    "text": 'a "line"\n\u2028\0\ud800',
}


def numbers(seed: int) -> dict[str, Any]:
    array = np.random.default_rng(seed).standard_normal((3, 4))
    return {**NUMBERS, "array": array, "single": array.astype(np.float32), "count": np.uint8(7)}


# --- helpers ---


def log(folder: str, i: int) -> None:
    with Path(folder, "log").open("a") as file:
        file.write(f"{i}\n")


def calls(folder: Path) -> list[int]:
    path = folder / "log"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def until(condition: Callable[[], bool]) -> None:
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end, "nothing happened"
        sleep(0.01)


def lines(path: Path) -> list[bytes]:
    """Those that are whole."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def finished(path: Path) -> list[int]:
    """The i of the cells that are in the file."""
    records = [json.loads(line) for line in lines(path)[1:]]
    return [record["parameters"]["i"] for record in records if "results" in record]


def same(one: Sweep, other: Sweep) -> bool:
    """Types and signs of zero included, and nan equal to nan."""
    return repr((one.rows, one.failures)) == repr((other.rows, other.failures))


def grid(folder: Path, count: int = 10) -> dict[str, Any]:
    return {"i": range(count), "folder": [str(folder)]}


def squares(folder: Path, count: int = 10) -> Sweep:
    rows = ({"i": i, "folder": str(folder), "square": i * i, "root": i**0.5} for i in range(count))
    return Sweep(tuple(rows), ())


def spawned(workers: int = 2) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "hold"
    path.touch()
    yield path
    path.unlink(missing_ok=True)


# --- the table ---


def test_rows_are_in_the_order_of_the_grid() -> None:
    table = sweep({"base": [3, 2], "exponent": [1, 2, 0]}, power)
    assert [(row["base"], row["exponent"]) for row in table] == [
        *[(3, 1), (3, 2), (3, 0), (2, 1), (2, 2), (2, 0)]
    ]
    assert table[1] == {"base": 3, "exponent": 2, "value": 9, "name": "3^2", "both": [9, 3]}
    assert list(table[1]) == ["base", "exponent", "value", "name", "both"]
    assert len(table) == len(table.rows) == len(table[:]) == 6
    assert repr(table) == str(table) == "<Sweep: 6 rows, 0 failures>"
    table.raise_failures()


def test_cells_may_be_given_one_by_one() -> None:
    cells = ({"base": 2, "exponent": i} if i else {"base": 9} for i in range(3))
    table = sweep(cells, power)
    assert [row["value"] for row in table] == [81, 2, 4]
    with pytest.raises(KeyError, match="row 0 has no 'exponent'; it has 'base', 'value'"):
        table.column("exponent")


def test_every_executor_gives_the_same_table(tmp_path: Path) -> None:
    cells: dict[str, Any] = {"width": [3, 5], "depth": [1, 2], "seed": range(3)}
    cells["trajectory"] = ["line", "arc"]
    serial = sweep(cells, path=tmp_path / "serial.jsonl")
    assert len(serial) == 24
    pools: list[Executor] = [ThreadPoolExecutor(3), spawned()]
    for i, pool in enumerate(pools):
        with pool:
            table = sweep(cells, executor=pool, path=tmp_path / f"{i}.jsonl")
        assert same(table, serial)
    assert same(sweep(cells, path=tmp_path / "1.jsonl"), serial)


def test_few_cells_are_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(ThreadPoolExecutor):
        now = most = 0

        def submit(self, *arguments: Any, **named: Any) -> Future[Any]:
            self.now += 1
            self.most = max(self.most, self.now)
            return super().submit(*arguments, **named)

    monkeypatch.setattr("pyexpr.experiments._cells._IN_FLIGHT", 5)
    with Counting(2) as pool:

        def landed(share: float) -> None:
            pool.now -= 0 < share < 1

        table = sweep({"base": range(50)}, power, executor=pool, progress=landed)
    assert table.column("value").tolist() == [i * i for i in range(50)]
    assert pool.most <= 5


def test_an_executor_may_run_cells_at_once() -> None:
    class Here(Executor):
        def submit(self, fn: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(fn(*arguments, **named))
            return future

    cells = {"base": range(20)}
    assert same(sweep(cells, power, executor=Here()), sweep(cells, power))


def test_duplicates_are_run_once(tmp_path: Path) -> None:
    table = sweep({"i": [1, 2, 1], "folder": [str(tmp_path)]}, logged)
    assert table.column("square").tolist() == [1, 4, 1]
    assert calls(tmp_path) == [1, 2]


def test_equal_numbers_of_other_types_are_other_cells() -> None:
    table = sweep({"x": [1, True, 1.0, 0.0, -0.0, "1", None]}, echo)
    assert [repr(row["echo"][0]) for row in table] == [
        *["1", "True", "1.0", "0.0", "-0.0", "'1'", "None"]
    ]


def test_scalars_and_arrays_of_numpy_become_plain() -> None:
    values = [np.int64(3), np.float32(0.5), np.bool_(True), np.str_("a"), (1, (2.0,)), np.eye(2)]
    plain = [3, 0.5, True, "a", [1, [2.0]], [[1.0, 0.0], [0.0, 1.0]]]
    pairs: list[Any] = [(values, plain), (np.arange(3), [0, 1, 2]), (range(2), [0, 1])]
    for given_, made in pairs:
        table = sweep({"x": given_}, echo)
        assert repr([row["x"] for row in table]) == repr(made)
        assert repr([row["echo"] for row in table]) == repr([[x] for x in made])


def test_counts_become_integers(tmp_path: Path) -> None:
    count = pyexpr.count_regions([([[1.0]], [0.0]), ([[1.0]], [0.0])], [-1.0], [1.0])
    assert type(sweep([{"x": count}], echo)[0]["x"]) is int


def test_a_cell_cannot_change_the_grid() -> None:
    cells: dict[str, Any] = {"numbers": [[1, 2], [1, 2], [3]]}
    assert sweep(cells, greedy).column("total").tolist() == [3, 3, 3]
    assert sweep(cells, greedy)[2] == {"numbers": [3], "total": 3}
    assert cells == {"numbers": [[1, 2], [1, 2], [3]]}


@pytest.mark.parametrize("cells", [[], {"base": []}, {"base": [], "exponent": [1]}])
def test_an_empty_grid_gives_an_empty_table(cells: Any, tmp_path: Path) -> None:
    for path in (None, tmp_path / "sweep.jsonl"):
        table = sweep(cells, power, path=path, progress=lambda share: None)
        assert len(table) == len(table.failures) == len(table.column("value")) == 0


def test_no_parameters_are_one_cell() -> None:
    assert sweep({}, echo).rows == ({"echo": []},)


def test_how_is_no_part_of_a_sweep(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    found = sweep({"base": [2.0, 3.0]}, power, path=path, how={"exponent": 1})
    assert found.column("value").tolist() == [2.0, 3.0]
    assert [*found[0]] == ["base", "value", "name", "both"]
    assert b"exponent" not in path.read_bytes()
    with spawned(1) as executor:
        cells = {"base": [3.0, 4.0]}
        more = sweep(cells, power, executor=executor, path=path, how={"exponent": 3})
    assert more.column("value").tolist() == [3.0, 64.0]


def test_progress_is_told(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    shares: list[float] = []
    sweep({"base": range(3)}, power, path=path, progress=shares.append)
    assert shares == [0, 1 / 3, 2 / 3, 1, 1]
    shares.clear()
    sweep({"base": range(4)}, power, path=path, progress=shares.append)
    assert shares == [3 / 4, 1, 1]


# --- columns ---


@pytest.mark.parametrize(
    ("values", "dtype", "shape"),
    [
        ([1, 2], np.int64, (2,)),
        ([1, 2.5], np.float64, (2,)),
        ([True, False], np.bool_, (2,)),
        (["a", "bc"], np.dtype("<U2"), (2,)),
        ([[1, 2], [3, 4]], np.int64, (2, 2)),
        ([[], []], np.float64, (2, 0)),
        ([[1, 2], [3]], object, (2,)),
        ([[1], 2], object, (2,)),
        ([None, 1], object, (2,)),
        ([[1, None], [2, 3]], object, (2,)),
        ([1, "a"], object, (2,)),
        ([1, True], object, (2,)),
        ([2**63, 1], object, (2,)),
        ([2**53, 0.5], np.float64, (2,)),
        ([2**53 + 1, 0.5], object, (2,)),
    ],
)
def test_columns_hold_what_rows_hold(values: list[Any], dtype: Any, shape: Any) -> None:
    column = sweep([{"x": value} for value in values], echo).column("x")
    assert (column.dtype, column.shape) == (np.dtype(dtype), shape)
    assert repr(column.tolist()) == repr(
        [*map(float, values)] if dtype is np.float64 and shape == (2,) else values
    )


def test_a_dataframe_has_the_same_columns() -> None:
    pytest.importorskip("pandas")
    table = sweep({"base": [1, 2], "exponent": [2]}, power)
    frame = table.to_dataframe()
    assert [*frame.columns] == ["base", "exponent", "value", "name", "both"]
    assert frame["value"].tolist() == [1, 4]


# --- numbers through the file ---


def test_numbers_come_back_exactly(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    table = sweep({"seed": [0, 1]}, numbers, path=path)
    for again in (sweep({"seed": [0, 1]}, numbers, path=path), sweep({"seed": [0, 1]}, numbers)):
        assert same(table, again)
    for seed, row in enumerate(table):
        drawn = np.random.default_rng(seed).standard_normal((3, 4))
        assert repr({name: row[name] for name in NUMBERS}) == repr(NUMBERS)
        assert np.array_equal(row["array"], drawn)
        assert np.array_equal(np.array(row["single"]), drawn.astype(np.float32))
        assert row["count"] == 7


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda values: st.lists(values, max_size=3),
    max_leaves=8,
)


@given(cells=st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=4), max_size=4))
def test_parameters_come_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("sweep") / "sweep.jsonl"
    cells = [{f"p{name}": value for name, value in cell.items()} for cell in cells]
    table = sweep(cells, echo, path=path)
    assert len(table) == len(cells)
    for row, cell in zip(table, cells, strict=True):
        assert repr({name: row[name] for name in cell}) == repr(cell)
    size = len(path.read_bytes())
    assert same(sweep(cells, echo, path=path), table)
    assert len(path.read_bytes()) == size


# --- stopped and resumed ---


def test_no_cell_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    sweep(grid(tmp_path, 4), logged, path=path)
    assert same(sweep(grid(tmp_path, 4), logged, path=path), squares(tmp_path, 4))
    assert calls(tmp_path) == [0, 1, 2, 3]
    assert same(sweep(grid(tmp_path, 6), logged, path=path), squares(tmp_path, 6))
    assert same(sweep(grid(tmp_path, 2), logged, path=str(path)), squares(tmp_path, 2))
    assert calls(tmp_path) == [0, 1, 2, 3, 4, 5]
    swapped = {"folder": [str(tmp_path)], "i": [5]}  # the order of names is that of the columns
    assert list(sweep(swapped, logged, path=path)[0]) == ["folder", "i", "square", "root"]
    assert len(calls(tmp_path)) == 6


CHILD = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from test_sweep import grid, logged, Path, sweep
folder = Path({folder!r})
executor = {executor}
sweep(grid(folder), logged, executor=executor, path=folder / "sweep.jsonl")
"""


def killed_half_way(folder: Path, executor: str) -> "subprocess.Popen[bytes]":
    """A process that was killed in the middle of a sweep; its workers may go on."""
    code = CHILD.format(folder=str(folder), executor=executor)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)

    def half_way() -> bool:
        return len(lines(folder / "sweep.jsonl")) == 5 and len(calls(folder)) > 4

    try:
        until(lambda: half_way() or child.poll() is not None)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()
    return child


@posix
def test_a_killed_sweep_goes_on(tmp_path: Path, hold: Path) -> None:
    killed_half_way(tmp_path, "None")
    path = tmp_path / "sweep.jsonl"
    assert finished(path) == [0, 1, 2, 3]
    hold.unlink()
    assert same(sweep(grid(tmp_path), logged, path=path), squares(tmp_path))
    assert calls(tmp_path) == [0, 1, 2, 3, 4, *range(4, 10)]


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="forks")
def test_forked_workers_that_outlive_a_sweep_do_not_keep_its_file(
    tmp_path: Path, hold: Path
) -> None:
    fork = "ProcessPoolExecutor(2, multiprocessing.get_context('fork'))"
    child = killed_half_way(tmp_path, fork)
    os.killpg(child.pid, 0)  # they live, in cells that wait
    try:
        path, rest = tmp_path / "sweep.jsonl", {"i": range(4), "folder": [str(tmp_path)]}
        assert same(sweep(rest, logged, path=path), squares(tmp_path, 4))
    finally:
        os.killpg(child.pid, signal.SIGKILL)


@posix
def test_a_killed_worker_loses_what_it_was_doing(tmp_path: Path, hold: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    with spawned() as pool, pytest.raises(RuntimeError, match="of 10 cells are done and in") as e:
        sweep(grid(tmp_path), suicidal, executor=pool, path=path)
    assert type(e.value.__cause__).__name__ == "BrokenProcessPool"
    before = finished(path)
    assert f": {len(before)} of 10 cells are done and in {path}; call sweep again" in str(e.value)
    assert 3 <= len(before) < 10
    begun = calls(tmp_path)
    hold.unlink()
    with spawned() as pool:
        table = sweep(grid(tmp_path), suicidal, executor=pool, path=path)
    assert same(table, squares(tmp_path))
    assert sorted(calls(tmp_path)[len(begun) :]) == sorted({*range(10)} - {*before})


def test_an_interrupted_sweep_keeps_what_has_finished(tmp_path: Path, hold: Path) -> None:
    path = tmp_path / "sweep.jsonl"

    def interrupt(share: float) -> None:
        if share >= 0.3:
            raise KeyboardInterrupt

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(KeyboardInterrupt):
            sweep(grid(tmp_path), logged, executor=pool, path=path, progress=interrupt)
        hold.unlink()
    begun = calls(tmp_path)
    assert begun == [*range(len(begun))]
    assert len(begun) <= 5  # the others were cancelled
    done = finished(path)
    assert 3 <= len(done) == len({*done})
    assert same(sweep(grid(tmp_path), logged, path=path), squares(tmp_path))


def test_finished_cells_are_kept_although_another_is_cancelled(tmp_path: Path) -> None:
    class Late(Executor):
        """Cancels the first cell when the last one comes, and then tells of the others."""

        def __init__(self) -> None:
            self.ran: list[tuple[Future[Any], Any]] = []

        def submit(self, fn: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
            future: Future[Any] = Future()
            self.ran.append((future, fn(*arguments, **named)))
            if len(self.ran) == 5:
                self.ran[0][0].cancel()
                for done, result in self.ran[1:]:
                    done.set_result(result)
            return future

    path = tmp_path / "sweep.jsonl"
    with pytest.raises(RuntimeError, match="gave up"):
        sweep(grid(tmp_path, 5), logged, executor=Late(), path=path)
    assert finished(path) == [1, 2, 3, 4]
    with pytest.raises(RuntimeError, match=r"4 of 5 cells are done and in .*; call sweep again"):
        sweep(grid(tmp_path, 5), logged, executor=Shut(1), path=path)


class Shut(ThreadPoolExecutor):
    """Takes no cell."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.shutdown()


def test_without_a_file_an_executor_loses_cells() -> None:
    with pytest.raises(RuntimeError, match="0 of 3 cells are done and lost, since there is no pa"):
        sweep({"base": range(3)}, power, executor=Shut(1))


def test_a_last_line_cut_short_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    expected = sweep(grid(tmp_path, 3), logged, path=path)
    whole = path.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        (tmp_path / "log").unlink()
        assert same(sweep(grid(tmp_path, 3), logged, path=path), expected)
        assert calls(tmp_path) == [2]
        assert path.read_bytes() == whole


def test_a_header_cut_short_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    sweep([], power, path=path)
    header = path.read_bytes()
    for end in range(len(header)):
        path.write_bytes(header[:end])
        assert sweep({"base": [3]}, power, path=path)[0]["value"] == 9
        assert path.read_bytes().startswith(header)


# --- failures ---


@pytest.mark.parametrize("workers", [0, 2])
def test_failed_cells_are_told_and_tried_again(tmp_path: Path, hold: Path, workers: int) -> None:
    path = tmp_path / "sweep.jsonl"
    pool = ThreadPoolExecutor(workers) if workers else None
    table = sweep(grid(tmp_path, 6), fragile, path=path, executor=pool)
    assert [row["i"] for row in table] == [0, 2, 3, 5]
    assert [failure.parameters["i"] for failure in table.failures] == [1, 4]
    assert table.failures[1].error == "ArithmeticError: 4 is too much"
    assert "in fragile\n" in table.failures[1].traceback
    assert repr(table) == "<Sweep: 4 rows, 2 failures>"
    with pytest.raises(
        RuntimeError, match=r"2 of 6 cells failed; Arithm.*1 is too much \(.*'i': 1"
    ):
        table.raise_failures()
    assert [b'"error": "ArithmeticError: ' in line for line in lines(path)].count(True) == 2
    hold.unlink()
    table = sweep(grid(tmp_path, 6), fragile, path=path, executor=pool)
    table.raise_failures()
    assert table.column("square").tolist() == [i * i for i in range(6)]
    assert sorted(calls(tmp_path)) == [0, 1, 1, 2, 3, 4, 4, 5]
    if pool:
        pool.shutdown()


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("nothing", "TypeError: the cell returned None .*; it must be a Mapping"),
        ("clash", "ValueError: the cell returned a result named 'what', as one of its parameters"),
        ("name", "TypeError: the cell returned a result named 1"),
        ("complex", "TypeError: the result 'z' is 1j"),
        ("complex array", "TypeError: the result 'z' has dtype complex128"),
        ("object", r"TypeError: the result 'z'\[0\] is <object"),
        ("masked", r"TypeError: the result 'z' has dtype float64 \(MaskedArray\)"),
        ("wide", "TypeError: the result 'z' has dtype"),
    ],
)
def test_odd_results_are_failures(what: str, error: str, tmp_path: Path) -> None:
    table = sweep([{"what": what}], odd, path=tmp_path / "sweep.jsonl")
    with pytest.raises(RuntimeError, match=error):
        table.raise_failures()


def test_what_an_executor_raises_for_a_cell_is_its_failure() -> None:
    """As when dask has lost several workers by one cell."""

    class Losing(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
            if '{"base": 2}' in arguments:
                lost: Future[Any] = Future()
                lost.set_exception(OSError("three workers died"))
                return lost
            return super().submit(fn, *arguments, **named)

    with Losing(2) as pool:
        table = sweep({"base": range(5)}, power, executor=pool)
    assert table.column("base").tolist() == [0, 1, 3, 4]
    assert table.failures[0].error == "OSError: three workers died"


def test_wrong_parameters_and_exits_are_failures() -> None:
    assert "unexpected keyword" in sweep([{"basis": 1}], power).failures[0].error
    assert sweep([{"i": 3}], exits).failures[0].error == "SystemExit: 3"


# --- files that are something else ---


def whole_file(path: Path) -> bytes:
    sweep({"base": [2, 3]}, power, path=path)
    return path.read_bytes()


def refused(path: Path, content: bytes, match: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=match):
        sweep({"base": [2, 3]}, power, path=path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"\n",
        b"hello\n",
        b"{}\n",
        b'{"format": "pyexpr sweep"}',
        b'{"format": "pyexpr swept"}\n',
        b'["pyexpr sweep"]\n',
        b"\xff\xfe\n",
        b"[" * 60000 + b"\n",
        b"0" * 200_000,
        b"9" * 5000 + b"\n",
    ],
)
def test_foreign_files_are_left_alone(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path / "x.jsonl", content, "x.jsonl is no file of a sweep; .*; it is left as it is")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"parameters": {"base": 2}}',
        b'{"parameters": [], "results": {}}',
        b'{"parameters": {"base": 2}, "results": 3}',
        b'{"parameters": {"base": 2}, "results": {"base": 3}}',
        b'{"parameters": {"base": 2}, "results": {"value": {"a": 1}}}',
        b'{"parameters": {"base": {}}, "results": {}}',
        b'{"parameters": {"base": 2}, "results": {}, "more": 1}',
        b'{"parameters": {"base": 2}, "results": {"value": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
        b'{"parameters": {"base": 2}, "results": {"value": ' + b"9" * 5000 + b"}}",
        b'{"parameters": {"base": 2}, "results": {"value": "\xff"}}',
    ],
)
@pytest.mark.parametrize("behind", [b"", b'{"param'])
def test_malformed_lines_are_named(tmp_path: Path, line: bytes, behind: bytes) -> None:
    path = tmp_path / "x.jsonl"
    header, first, second = whole_file(path).splitlines(keepends=True)
    for content in (header + first + line + b"\n" + second, header + first + line + b"\n" + behind):
        refused(path, content, "x.jsonl, line 3, is malformed: ")


def test_files_of_other_cells_and_formats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    content = whole_file(path)
    with pytest.raises(ValueError, match=r"cell 'test_sweep.power', and this one is 'test_sweep.e"):
        sweep({"base": [2]}, echo, path=path)
    assert path.read_bytes() == content
    newer = content.replace(b'"version": 1', b'"version": 2')
    refused(path, newer, "has version 2 of the format, and this pyexpr reads 1")


def test_rows_of_any_origin_are_read(tmp_path: Path) -> None:
    """Written by hand, with other spaces and another order of names."""
    path = tmp_path / "sweep.jsonl"
    header = whole_file(path).splitlines()[0]
    row = '{"results":{"value":"é"},"parameters":{"exponent":3,"base":2}}'
    path.write_bytes(header + b"\r\n" + row.encode() + b"\r\n")
    assert sweep([{"base": 2, "exponent": 3}], power, path=path)[0]["value"] == "é"


@pytest.mark.skipif(sys.platform == "win32", reason="locks files on POSIX")
def test_two_sweeps_do_not_share_a_file(tmp_path: Path, hold: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(sweep, grid(tmp_path, 5), logged, path=path)
        until(lambda: len(calls(tmp_path)) == 5)
        try:
            with pytest.raises(RuntimeError, match=r"another sweep has .*sweep.jsonl open; wait"):
                sweep(grid(tmp_path, 4), logged, path=path)
        finally:
            hold.unlink()
        assert same(first.result(), squares(tmp_path, 5))
    assert same(sweep(grid(tmp_path, 5), logged, path=path), squares(tmp_path, 5))
    assert len(calls(tmp_path)) == 5


@posix
def test_only_files_are_written(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(ValueError, match=r"pipe.jsonl is no regular file"):
        sweep({"base": [2]}, power, path=tmp_path / "pipe.jsonl")


# --- wrong arguments ---


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"grid": 3}, "grid is 3 .*; it must be a dict of lists, or dicts"),
        ({"grid": "ab"}, "grid is 'ab'"),
        ({"grid": [3]}, r"grid\[0\] is 3 .*; it must be a dict of parameters"),
        ({"grid": {"base": 3}}, r"grid\['base'\] is 3 .*; it must be a list of values"),
        ({"grid": {"base": "abc"}}, r"grid\['base'\] is 'abc'"),
        ({"grid": {"base": {1, 2}}}, r"grid\['base'\] is {1, 2}"),
        ({"grid": {1: [2]}}, "grid has a parameter named 1"),
        ({"grid": [{1: 2}]}, "grid has a parameter named 1"),
        ({"grid": {"base": [1, 1j]}}, r"grid\['base'\]\[1\] is 1j .*; it must be numbers, strings"),
        ({"grid": [{"base": {}}]}, r"grid\[0\]\['base'\] is {}"),
        ({"cell": lambda base: {}}, "cell is <function .*; it must be a function at the top level"),
        ({"cell": 3}, "cell is 3"),
        ({"executor": 2}, r"executor is 2 .*; it must be a concurrent.futures.Executor"),
        ({"progress": "yes"}, "progress is 'yes'"),
        ({"how": ["exponent"]}, r"how is .* \(list\); it must be a dict of keywords"),
        ({"how": {1: 2}}, "how has a parameter named 1"),
    ],
)
def test_wrong_types_are_named(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(TypeError, match=match):
        sweep(**{"grid": {"base": [1]}, "cell": power, **arguments})


def test_how_cannot_say_what_the_grid_says(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    with pytest.raises(ValueError, match="how has 'base', which is a parameter of the grid"):
        sweep({"base": [2]}, power, path=path, how={"base": 3})
    assert not path.exists()


@pytest.mark.parametrize("path", ["sweep.csv", "", "jsonl"])
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=rf"path is '{path}'; it must end in .jsonl"):
        sweep({"base": [2]}, power, path=path)


# --- the default cell ---


@pytest.mark.parametrize("activation", ["relu", "hard_tanh"])
@pytest.mark.parametrize("trajectory", ["line", "arc"])
def test_random_networks_are_counted(activation: str, trajectory: str) -> None:
    table = sweep(
        {
            "width": [6],
            "depth": [0, 1, 3],
            "weight_variance": [8.0],
            "bias_variance": [0.5],
            "activation": [activation],
            "inputs": [None, 4],
            "outputs": [2],
            "seed": [0, 7],
            "trajectory": [trajectory],
        }
    )
    table.raise_failures()
    assert len(table) == 12
    for row in table:
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence(row["seed"]).spawn(2)]
        inputs = row["inputs"] or 6
        sizes = [inputs, *[6] * row["depth"], 2]
        net = pyexpr.Network.random(sizes, activation, 8.0, 0.5, seed=streams[0])
        x0, x1 = streams[1].standard_normal((2, inputs))
        curve = pyexpr.Line(x0, x1) if trajectory == "line" else pyexpr.Arc(x0, x1)
        per_layer = pyexpr.count_transitions(net, curve, per="layer").tolist()
        assert row["regions"] == pyexpr.count_regions(net, curve)
        assert row["activation_regions"] == pyexpr.count_regions(net, curve, kind="activation")
        assert row["transitions"] == pyexpr.count_transitions(net, curve) == sum(per_layer)
        assert row["transitions_per_layer"] == per_layer
        assert row["lengths"] == pyexpr.trace(net, curve).lengths.length.tolist()
        assert len(row["lengths"]) == row["depth"] + 2


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"width": 0}, "width is 0"),
        ({"depth": 1.5}, "depth is 1.5"),
        ({"seed": -1}, "seed is -1"),
        ({"trajectory": "circle"}, 'trajectory is \'circle\'; it must be "line" or "arc"'),
    ],
)
def test_wrong_parameters_of_random_networks_are_named(wrong: Any, match: str) -> None:
    with pytest.raises((TypeError, ValueError), match=match):
        random_network(**{"width": 3, "depth": 1, **wrong})
