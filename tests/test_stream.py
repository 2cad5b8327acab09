"""Blocks of regions are what a trace says, come in bounded memory, and leave no thread behind."""

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curve_strategies import CURVES, curve_cases
from graph_corpus import CORPUS
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import network

import pyexpr
from pyexpr import Network, RegionBlock, RegionStream, Trajectory
from pyexpr.constructions import tent
from pyexpr.streaming.handover import HandOver, Stopped

few = settings(max_examples=settings().max_examples // 4)
SIZES = [1, 2, 7, 2**62]

CIRCLE = pyexpr.Circle([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
UPPER = [([[0.0, 1.0]], [0.0]), ([[2.0]], [1.0])]  # 2 relu(y) + 1
RIGHT = [([[1.0, 0.0]], [0.0]), ([[2.0]], [1.0])]  # 2 relu(x) + 1
DEAD = [([[1.0], [1.0]], [0.0, -0.5]), ([[1.0, 0.0]], [0.0])]  # f does not feel 1/2
TENT = tent(10)
ENDLESS = tent(60)  # 2^60 regions
OVERFLOWING = [([[1e200]], [0.0]), ([[1e200]], [0.0])]


def engines() -> int:
    """Threads of streams."""
    return sum(thread.name == "pyexpr.stream" for thread in threading.enumerate())


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    if engines():  # collecting takes longer than most tests
        gc.collect()
    assert engines() == 0


def joined(blocks: Sequence[RegionBlock], name: str) -> np.ndarray[Any, Any]:
    return np.concatenate([getattr(block, name) for block in blocks])


def check(net: Network, curve: Trajectory, size: int) -> None:
    """Against a trace, exactly."""
    trace = pyexpr.trace(net, curve)
    found = pyexpr.stream(net, curve, block=size)
    blocks = list(found)
    assert found.certificate == trace.certificate
    assert all(len(block) >= min(size, 10**9) for block in blocks[:-1])
    assert [block.first for block in blocks] == [0, *np.cumsum(list(map(len, blocks)))[:-1]]
    assert sum(map(len, blocks)) == trace.n_intervals
    assert np.array_equal(joined(blocks, "start"), trace.nodes[:-1])
    assert np.array_equal(joined(blocks, "end"), trace.nodes[1:])
    linear = np.concatenate([[0], np.cumsum(trace.bends)])[: trace.n_intervals]
    assert np.array_equal(joined(blocks, "linear"), linear)
    changes = joined(blocks, "transitions")
    assert changes.dtype.names == ("region", "layer", "neuron", "before", "after")
    assert changes.tolist() == trace.transitions.tolist()
    for block in blocks:
        assert np.array_equal(block.first_pattern, trace.pattern(block.first))
        inside = block.transitions["region"] - block.first
        assert ((inside >= 0) & (inside < len(block))).all()
        for name in ("start", "end", "linear", "transitions", "first_pattern"):
            assert not getattr(block, name).flags.writeable
    dtypes = {"start": "f8", "end": "f8", "linear": "i8", "first_pattern": "i2"}
    assert {name: getattr(blocks[0], name).dtype.str[1:] for name in dtypes} == dtypes


# What is streamed.


@pytest.mark.parametrize("kind", CURVES)
@few
@given(data=st.data())
def test_blocks_are_those_of_the_trace(kind: str, data: st.DataObject) -> None:
    case = data.draw(curve_cases(curves=[kind]))
    check(network(case), case.curve.build(), data.draw(st.sampled_from(SIZES)))


@pytest.mark.parametrize("name", CORPUS)
def test_blocks_of_graphs_that_pool(name: str) -> None:
    graph, x0, x1 = CORPUS[name]
    for size in SIZES:
        check(Network(graph), pyexpr.Line(x0, x1), size)


@pytest.mark.parametrize("size", [1, 7, 100, 128, 129, 1024, 2**62])
@pytest.mark.parametrize("activation", ["relu", "hard_tanh"])
def test_many_blocks(activation: str, size: int) -> None:
    net = Network.random([3, *[16] * 4, 2], activation, weight_variance=16.0, bias_variance=0.5)
    check(net, pyexpr.Line([-9.0, 1.0, 2.0], [9.0, -2.0, 3.0]), size)
    check(net, pyexpr.Arc([-2.0, 1.0, 2.0], [3.0, -2.0, 3.0]), size)
    check(net, pyexpr.Circle([0.1, 0.0, 0.0], [2.0, 0.0, 1.0], [0.0, 3.0, 0.0]), size)
    check(net, pyexpr.Polyline([[3.0, 1.0, 2.0], [0.0, -3.0, 1.0], [-4.0, 2.0, 2.0]], True), size)
    check(TENT.network, TENT.trajectory, size)


def test_two_points_are_a_line() -> None:
    (block,) = pyexpr.stream(DEAD, [-1.0], [1.0])
    assert block.start.tolist() == [0.0, 0.5, 0.75]
    assert block.end.tolist() == [0.5, 0.75, 1.0]
    assert block.linear.tolist() == [0, 1, 1]
    assert block.transitions.tolist() == [(0, 0, 0, 0, 1), (1, 0, 1, 0, 1)]
    assert block.first_pattern.tolist() == [0, 0]
    assert (block.first, len(block)) == (0, 3)
    assert "regions 0 to 2" in repr(block)


def test_a_seam_that_is_a_breakpoint_ends_the_last_region() -> None:
    blocks = list(pyexpr.stream(UPPER, CIRCLE, block=1))
    assert joined(blocks, "end").tolist() == [0.5, 1.0]
    assert joined(blocks, "transitions").tolist() == [(0, 0, 0, 1, 0), (1, 0, 0, 0, 1)]
    assert joined(blocks, "linear").tolist() == [0, 1]


def test_a_seam_inside_a_region_cuts_it() -> None:
    blocks = list(pyexpr.stream(RIGHT, CIRCLE, block=1))
    assert joined(blocks, "end").tolist() == [0.25, 0.75, 1.0]
    assert joined(blocks, "transitions")["region"].tolist() == [0, 1]
    assert joined(blocks, "linear").tolist() == [0, 1, 2]


def test_one_region() -> None:
    (block,) = pyexpr.stream([([[1.0]], [0.0])], [0.0], [1.0])
    assert (block.start.tolist(), block.end.tolist()) == ([0.0], [1.0])
    assert len(block.transitions) == len(block.first_pattern) == 0


def test_the_certificate_comes_at_the_end() -> None:
    with pyexpr.stream(TENT.network, TENT.trajectory, block=100) as blocks:
        assert not hasattr(blocks, "certificate")
        next(blocks)
        with pytest.raises(AttributeError, match=r"certificate: .*all blocks"):
            _ = blocks.certificate
        list(blocks)
        assert blocks.certificate.signs.asked > 0
    assert blocks.certificate.signs.asked > 0


def test_a_function_hears_how_much_is_done() -> None:
    shares: list[float] = []
    construction = tent(16)
    for _ in pyexpr.stream(
        construction.network, construction.trajectory, block=1000, progress=shares.append
    ):
        assert 1.0 not in shares
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_bar_is_drawn_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    list(pyexpr.stream(DEAD, [-1.0], [1.0], progress=True))
    assert "stream" in capfd.readouterr().err


# What is refused, before anything is taken.

HALVES: Any = 1.5
YES: Any = "yes"
REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "a wrong shape": (lambda: pyexpr.stream(DEAD, [0.0, 1.0], [1.0, 0.0]), ValueError, "x0"),
    "one point": (lambda: pyexpr.stream(DEAD, [0.0]), TypeError, "trajectory"),
    "an end too many": (lambda: pyexpr.stream(UPPER, CIRCLE, [1.0, 2.0]), TypeError, "x1"),
    "block 0": (lambda: pyexpr.stream(UPPER, CIRCLE, block=0), ValueError, "block is 0"),
    "block 1.5": (lambda: pyexpr.stream(UPPER, CIRCLE, block=HALVES), TypeError, "block is 1.5"),
    "progress": (
        lambda: pyexpr.stream(UPPER, CIRCLE, progress=YES),
        TypeError,
        "progress is 'yes'",
    ),
}


@pytest.mark.parametrize("bad", REFUSED)
def test_arguments_are_checked_at_once(bad: str) -> None:
    call, error, text = REFUSED[bad]
    with pytest.raises(error, match=text):
        call()


# How it ends before it is done. `no_thread_is_left` judges.


def endless() -> RegionStream:
    return pyexpr.stream(ENDLESS.network, ENDLESS.trajectory, block=1000)


def test_leaving_the_loop_ends_it() -> None:
    for block in endless():
        if block.first > 5000:
            break


def test_closing_ends_it() -> None:
    blocks = endless()
    next(blocks)
    assert engines() == 1
    blocks.close()
    assert engines() == 0
    assert next(blocks, None) is None
    blocks.close()
    assert not hasattr(blocks, "certificate")


def test_a_with_statement_ends_it() -> None:
    with endless() as blocks:
        assert next(blocks).first == 0
    assert next(blocks, None) is None


def test_dropping_it_ends_it() -> None:
    endless()
    blocks = endless()
    next(blocks)


def test_a_cycle_of_garbage_ends_it() -> None:
    cycle: list[object] = [endless()]
    cycle.append(cycle)


def test_an_error_in_the_loop_ends_it() -> None:
    class Enough(Exception):
        pass

    with pytest.raises(Enough):
        for _ in endless():
            raise Enough


def test_an_error_of_the_progress_ends_it() -> None:
    class Enough(Exception):
        pass

    def enough(share: float) -> None:
        raise Enough

    with pytest.raises(Enough):
        list(pyexpr.stream(*wide(), block=2**62, progress=enough))


def wide() -> tuple[Network, Trajectory]:
    """Takes years."""
    net = Network.random([64] * 18, "hard_tanh", 400.0, 1.0)
    return net, pyexpr.Line(np.full(64, -1.0), np.linspace(0.0, 3.0, 64))


def test_an_error_of_the_engine_is_raised_where_blocks_are_taken() -> None:
    blocks = pyexpr.stream(OVERFLOWING, [1.0], [2.0])
    with pytest.raises(OverflowError, match="float64"):
        next(blocks)
    assert next(blocks, None) is None


def test_an_error_on_a_later_piece_is_raised_too() -> None:
    net = [([[1.0], [1.0]], [0.0, -0.5]), ([[1e300, -1e300]], [0.0])]
    with pytest.raises(OverflowError):
        list(pyexpr.stream(net, pyexpr.Polyline([[0.0], [1.0], [1e200]]), block=1))


@pytest.mark.skipif(os.name != "posix", reason="needs interval timers")
def test_an_interruption_ends_it() -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(pyexpr.stream(*wide(), block=2**62))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stderr == ""
    return done.stdout


def test_the_interpreter_exits_while_blocks_wait() -> None:
    code = """
import pyexpr
from pyexpr.constructions import tent
most = tent(60)
blocks = pyexpr.stream(most.network, most.trajectory, block=1000)
others = pyexpr.stream(most.network, most.trajectory, block=2**40)
print(len(next(blocks)) >= 1000)
"""
    assert run(code) == "True\n"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_memory_is_bounded() -> None:
    # A trace of 2^20 regions takes over 60 MB.
    code = """
import resource
import pyexpr
from pyexpr.constructions import tent
few, many = tent(12), tent(20)
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def regions(most):
    return sum(map(len, pyexpr.stream(most.network, most.trajectory, block=1000)))
assert regions(few) == 2**12
before = peak()
assert regions(many) == 2**20
print(peak() - before)
"""
    assert float(run(code)) < 16


def test_no_more_than_so_many_wait() -> None:
    things: HandOver[int] = HandOver(2)
    things.put(1)
    things.put(2)
    maker = threading.Thread(target=things.put, args=(3,))
    maker.start()
    maker.join(0.1)
    assert maker.is_alive()
    assert things.take(100.0) == 1
    maker.join()
    assert [things.take(100.0), things.take(100.0), things.take(0.0)] == [2, 3, None]


def test_who_waits_for_room_may_be_stopped() -> None:
    things: HandOver[int] = HandOver(1)
    errors: list[BaseException] = []

    def make() -> None:
        try:
            for i in range(1, 3):
                things.put(i)
        except Stopped as error:
            errors.append(error)

    maker = threading.Thread(target=make)
    maker.start()
    things.stop()
    maker.join()
    assert len(errors) == 1
    assert things.take(0.0) is None


# Files.


def regions(size: int = 100) -> RegionStream:
    net = Network.random([3, *[16] * 4, 2], "hard_tanh", weight_variance=16.0, bias_variance=0.5)
    return pyexpr.stream(net, [-9.0, 1.0, 2.0], [9.0, -2.0, 3.0], block=size)


def names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


@pytest.mark.parametrize("size", SIZES)
def test_numpy_reads_what_is_written(tmp_path: Path, size: int) -> None:
    blocks = list(regions(size))
    count = pyexpr.save_regions(regions(size), tmp_path / "regions.npz")
    assert count == sum(map(len, blocks)) > 100
    with np.load(tmp_path / "regions.npz", allow_pickle=False) as arrays:
        assert arrays.files == ["start", "end", "linear", "transitions"]
        for name in arrays.files:
            assert arrays[name].dtype == joined(blocks, name).dtype
            assert np.array_equal(arrays[name], joined(blocks, name))
    assert names(tmp_path) == ["regions.npz"]


@pytest.mark.parametrize("size", SIZES)
def test_pyarrow_reads_what_is_written(tmp_path: Path, size: int) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    blocks = list(regions(size))
    count = pyexpr.save_regions(blocks, str(tmp_path / "regions.parquet"))
    with parquet.ParquetFile(tmp_path / "regions.parquet") as file:
        assert file.num_row_groups == len(blocks)
        assert [file.read_row_group(i).num_rows for i in range(len(blocks))] == [*map(len, blocks)]
        table = file.read()
    assert table.column_names == ["start", "end", "linear", "transitions"]
    assert table.num_rows == count
    for name in ("start", "end", "linear"):
        assert np.array_equal(table[name].to_numpy(), joined(blocks, name))
    nested = [
        (region, *change.values())
        for region, changes in enumerate(table["transitions"].to_pylist())
        for change in changes
    ]
    assert nested == joined(blocks, "transitions").tolist()
    (one,) = set(map(tuple, table["transitions"][0].as_py()))
    assert one == ("layer", "neuron", "before", "after")
    assert names(tmp_path) == ["regions.parquet"]


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_no_blocks_are_no_regions(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"none{suffix}"
    assert pyexpr.save_regions([], path) == 0
    if suffix == ".npz":
        assert len(np.load(path)["transitions"]) == 0
    else:
        assert pytest.importorskip("pyarrow.parquet").read_table(path).num_rows == 0


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file(
    tmp_path: Path, suffix: str, error: type[BaseException]
) -> None:
    path = tmp_path / f"regions{suffix}"
    path.write_text("old")

    def failing() -> Iterator[RegionBlock]:
        yield from islice(regions(), 2)
        raise error

    with pytest.raises(error):
        pyexpr.save_regions(failing(), path)
    assert path.read_text() == "old"
    assert names(tmp_path) == [path.name]


def test_other_files_are_refused_before_anything_is_taken(tmp_path: Path) -> None:
    with regions() as blocks:
        with pytest.raises(ValueError, match=r"regions\.csv'; it must end in \.parquet or \.npz"):
            pyexpr.save_regions(blocks, tmp_path / "regions.csv")
        with pytest.raises(FileNotFoundError):
            pyexpr.save_regions(blocks, tmp_path / "no" / "regions.npz")
        assert next(blocks).first == 0


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_what_is_no_stream_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"regions{suffix}"
    blocks = list(regions())
    with pytest.raises(ValueError, match=r"starts with region .* where region 0 must follow"):
        pyexpr.save_regions(blocks[1:], path)
    numbers: Any = [1]
    with pytest.raises(TypeError, match="blocks holds a int"):
        pyexpr.save_regions(numbers, path)
    assert not path.exists()


def test_parquet_without_pyarrow(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["pyarrow"] = None
import pyexpr
try:
    pyexpr.save_regions([], {str(tmp_path / "regions.parquet")!r})
except ImportError as error:
    print(error)
"""
    assert "pyexpr-regions[parquet]" in run(code)
    assert names(tmp_path) == []
