"""On a real GPU, and skipped where there is none: the counts of the CPU, and kernels' very bits."""

import gc
import signal
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import corpus
import graph_corpus
import numpy as np
import numpy.typing as npt
import pytest
from device_judge import CALLS, check, check_interrupted, count_in_threads
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judge import network
from strategies import Case, cases

import pyexpr
from pyexpr import Network, NetworkStack, _core
from pyexpr.build import Builder, Tensor
from pyexpr.cuda import counting
from pyexpr.cuda.devices import CudaDevice, HostDevice, find_device
from pyexpr.cuda.engine import Engine
from pyexpr.cuda.lines import read_lines

AnyArray = npt.NDArray[Any]

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(300, 20))
RELU = Network.random([20, 100, 100, 100, 3], "relu", 2.0, 0.1, seed=1)
HARD_TANH = Network.random([20, 60, 60, 60, 3], "hard_tanh", 30.0, 0.1, seed=2)
TERNARY = Network.dense(  # ties are the rule
    [(RNG.integers(-1, 2, (n, m)), np.zeros(n)) for m, n in ((20, 6), (6, 6), (6, 2))], "hard_tanh"
)
NETWORKS = {"relu": RELU, "hard-tanh": HARD_TANH, "ternary": TERNARY}
STACK = NetworkStack.random([20, 30, 30, 2], seeds=7, activation="hard_tanh", weight_variance=9.0)


@pytest.fixture(scope="module")
def gpu() -> CudaDevice:
    try:
        device = find_device("cuda")
    except (ImportError, RuntimeError) as error:
        pytest.skip(str(error))
    assert isinstance(device, CudaDevice)
    return device


# The counts of the CPU.


@pytest.mark.parametrize("name", corpus.CORPUS)
def test_degenerate_networks(gpu: CudaDevice, name: str) -> None:
    case = corpus.CORPUS[name]
    check(gpu, network(case), case.x0, case.x1)


@pytest.mark.parametrize("name", graph_corpus.CORPUS)
def test_degenerate_graphs(gpu: CudaDevice, name: str) -> None:
    graph, x0, x1 = graph_corpus.CORPUS[name]
    check(gpu, Network(graph), x0, x1)


@given(cases())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_random_networks_rich_in_ties(gpu: CudaDevice, case: Case) -> None:
    check(gpu, network(case), case.x0, case.x1)


@given(cases(), st.integers(0, 2**32 - 1))
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=20)
def test_random_networks_on_batches_and_loops(gpu: CudaDevice, case: Case, seed: int) -> None:
    others = np.random.default_rng(seed).integers(-4, 5, (5, case.x0.size)).astype(float)
    net = network(case)
    check(gpu, net, np.array([case.x0, *others]), np.array([case.x1, *-others]))
    check(gpu, net, pyexpr.Polyline([case.x0, *others[:2], case.x1], closed=True))


@pytest.mark.parametrize("net", [*NETWORKS])
def test_batches_loops_and_polylines(gpu: CudaDevice, net: str) -> None:
    check(gpu, NETWORKS[net], POINTS, -POINTS[::-1])
    check(gpu, NETWORKS[net], POINTS[0], POINTS)
    check(gpu, NETWORKS[net], np.empty((0, 20)), POINTS[0])
    check(gpu, NETWORKS[net], pyexpr.Line(*POINTS[:2]))
    check(gpu, NETWORKS[net], pyexpr.Polyline(POINTS[:20]))
    check(gpu, NETWORKS[net], pyexpr.Polyline(POINTS[:20], closed=True))
    check(gpu, NETWORKS[net], pyexpr.Arc(*POINTS[:2]))
    pairs = pyexpr.count_pairs(NETWORKS[net], POINTS[:9], device=gpu)
    np.testing.assert_array_equal(pairs, pyexpr.count_pairs(NETWORKS[net], POINTS[:9]))


def test_stacks(gpu: CudaDevice) -> None:
    check(gpu, STACK, *POINTS[:2])
    check(gpu, STACK, POINTS[:40], -POINTS[:40])
    check(gpu, STACK, pyexpr.Polyline(POINTS[:5], closed=True))
    together = pyexpr.count_regions(STACK, *POINTS[:2], device=gpu)
    alone = [pyexpr.count_regions(net, *POINTS[:2], device=gpu) for net in STACK]
    assert together.tolist() == alone


def test_a_wide_network(gpu: CudaDevice) -> None:
    net = Network.random([784, *[256] * 4, 10], "hard_tanh", 16.0, 0.1, seed=0)
    x0, x1 = np.random.default_rng(1).normal(size=(2, 784))
    check(gpu, net, x0, x1)


def test_an_overflow_is_told_as_on_the_cpu(gpu: CudaDevice) -> None:
    steep = [(np.full((3, 3), 1e200), np.zeros(3))] * 3
    ends = np.array([[0.0] * 3, [1.0, 2.0, 3.0]])
    with pytest.raises(OverflowError, match="along line 1;"):
        pyexpr.count_regions(steep, 0 * ends, ends, device=gpu)


# Kernels, bit by bit: what the host gave them in whole counts, and what it made of it.


@dataclass(frozen=True)
class Recorded:
    """A kernel's run: its arguments before and after."""

    count: int
    before: tuple[Any, ...]
    after: tuple[Any, ...]


class Recorder(HostDevice):
    """Keeps the largest runs of every kernel."""

    def __init__(self, most: int = 6) -> None:
        super().__init__()
        self.runs: dict[str, list[Recorded]] = defaultdict(list)
        self._most = most

    def run(self, kernel: str, count: int, *arguments: Any) -> None:
        before = copied(arguments)
        super().run(kernel, count, *arguments)
        runs = [*self.runs[kernel], Recorded(count, before, copied(arguments))]
        self.runs[kernel] = sorted(runs, key=lambda run: -run.count)[: self._most]


def convolutions() -> graph_corpus.Segment:
    """So steep that their rows are in double-double."""
    rng = np.random.default_rng(1)
    image, *kernels = (rng.normal(size=shape) for shape in ((2, 9, 9), (4, 2, 3, 3), (4, 4, 3, 3)))

    def make(builder: Builder, x: Tensor) -> Tensor:
        first, second = kernels
        x = graph_corpus.convolved(builder, x, 1e6 * first)
        x = builder.add(x, graph_corpus.convolved(builder, x, 1e6 * second))
        return graph_corpus.convolved(builder, x, 1e6 * second)

    return graph_corpus.on_segment(image, 1 - image, make)


def copied(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(x.copy() if isinstance(x, np.ndarray) else x for x in arguments)


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Recorded]]:
    recorder = Recorder()
    for net in (RELU, HARD_TANH, TERNARY, STACK):
        for call in ("linear", "neuron"):
            CALLS[call](net, POINTS[:10], -POINTS[:10], device=recorder)
            CALLS[call](net, *POINTS[:2], device=recorder)
            CALLS[call](net, pyexpr.Arc(*POINTS[:2]), device=recorder)
    for case in corpus.CORPUS.values():
        pyexpr.count_regions(network(case), case.x0, case.x1, device=recorder)
    for graph, x0, x1 in [*graph_corpus.CORPUS.values(), convolutions()]:
        pyexpr.count_regions(Network(graph), x0, x1, device=recorder)
    return recorder.runs


@pytest.mark.parametrize("kernel", _core.kernels)
def test_a_kernel_is_run_by_some_count(runs: dict[str, list[Recorded]], kernel: str) -> None:
    assert max(run.count for run in runs[kernel]) > 0


@pytest.mark.parametrize("kernel", _core.kernels)
def test_a_kernel_makes_the_same_bits(
    gpu: CudaDevice, runs: dict[str, list[Recorded]], kernel: str
) -> None:
    for run in runs[kernel]:
        with gpu.active():
            arguments = [
                gpu.upload(x) if isinstance(x, np.ndarray) else x for x in copied(run.before)
            ]
            gpu.run(kernel, run.count, *arguments)
        for number, (found, expected) in enumerate(zip(arguments, run.after, strict=True)):
            if isinstance(expected, np.ndarray):
                np.testing.assert_array_equal(
                    bits(gpu.download(found)), bits(expected), err_msg=f"argument {number}"
                )


def bits(array: AnyArray) -> AnyArray:
    return np.frombuffer(array.tobytes(), np.uint8)


# Points that the GPU has already.


def test_arrays_of_cupy_are_neither_copied_nor_modified(gpu: CudaDevice) -> None:
    for x0, x1 in ((POINTS, -POINTS), (POINTS[0], POINTS[1]), (POINTS[0], POINTS)):
        given, other = gpu.upload(x0), gpu.upload(x1)
        lines = read_lines(gpu, given, other, (20,))
        assert lines is not None
        assert lines.x0.data.ptr == given.data.ptr
        assert lines.x1.data.ptr == other.data.ptr
        check(gpu, HARD_TANH, given, other, host=(x0, x1))
        check(gpu, HARD_TANH, given, x1.tolist(), host=(x0, x1))
        check(gpu, STACK, x0, other, host=(x0, x1))
        np.testing.assert_array_equal(gpu.download(given), x0)
        np.testing.assert_array_equal(gpu.download(other), x1)


@pytest.mark.parametrize("dtype", ["f4", "f2", "i8", "i4", "u1"])
def test_arrays_of_other_types_and_layouts(gpu: CudaDevice, dtype: str) -> None:
    x0, x1 = POINTS[0], np.abs(3 * POINTS[:40]).astype(dtype)
    strided = gpu.upload(np.repeat(x1, 2, axis=0))[::2]
    transposed = gpu.upload(x1.T.copy()).T
    assert not strided.flags.c_contiguous and not transposed.flags.c_contiguous
    for points in (strided, transposed):
        check(gpu, RELU, gpu.upload(x0), points, host=(x0, x1))
        check(gpu, RELU, points[3], x0, host=(x1[3], x0))


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        (np.zeros(19), ValueError, r"x0 has shape \(19,\)"),
        (np.zeros((2, 2, 20)), ValueError, r"x0 has shape \(2, 2, 20\)"),
        (np.zeros(20, complex), TypeError, "x0 is.*complex128.*floats"),
        (np.array([np.nan] * 20), ValueError, "x0 holds nan"),
        (np.array([[0.0] * 20, [np.inf] * 20]), ValueError, r"x0\[1\] holds inf"),
        (np.full(20, 2**53 + 1), ValueError, f"x0 holds {2**53 + 1}.*exactly"),
        (np.full(20, 2**63 - 1), ValueError, f"x0 holds {2**63 - 1}.*exactly"),
    ],
)
def test_what_are_no_points(
    gpu: CudaDevice, wrong: AnyArray, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        pyexpr.count_regions(RELU, gpu.upload(wrong), POINTS[0], device=gpu)


def test_tensors_of_torch_are_neither_copied_nor_modified(gpu: CudaDevice) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch cannot use the GPU here")
    given, other = (torch.tensor(x, device="cuda") for x in (POINTS, -POINTS))
    lines = read_lines(gpu, given, other, (20,))
    assert lines is not None
    assert lines.x0.data.ptr == given.data_ptr()
    check(gpu, HARD_TANH, given, other, host=(POINTS, -POINTS))
    check(gpu, HARD_TANH, given.requires_grad_(), other[0], host=(POINTS, -POINTS[0]))
    check(gpu, HARD_TANH, given[::2], other[::2].float(), host=halves())
    np.testing.assert_array_equal(given.detach().cpu().numpy(), POINTS)
    np.testing.assert_array_equal(other.cpu().numpy(), -POINTS)


def halves() -> tuple[AnyArray, AnyArray]:
    return POINTS[::2], -POINTS[::2].astype(np.float32)


# Memory.


@pytest.fixture
def pool(gpu: CudaDevice) -> Iterator[Any]:
    """CuPy's, of which nothing is lying about."""
    pool = gpu.xp.get_default_memory_pool()
    before = pool.get_limit()
    gc.collect()
    pool.free_all_blocks()
    yield pool
    pool.set_limit(size=before)


def test_short_memory_takes_smaller_runs_or_is_told(gpu: CudaDevice, pool: Any) -> None:
    net = Network.random([784, *[128] * 5, 10], "hard_tanh", 32.0, 0.01, seed=0)
    x0, x1 = np.random.default_rng(1).normal(size=(2, 784))
    expected = pyexpr.count_regions(net, x0, x1)
    assert expected > 1000
    refused, counted = [], []
    for megabytes in (0.01, 0.1, 3, 6, 12, 50, 500):
        pool.free_all_blocks()
        limit = pool.used_bytes() + int(megabytes * 2**20)
        pool.set_limit(size=limit)
        try:
            found = pyexpr.count_regions(net, x0, x1, device=gpu)
        except MemoryError as error:
            assert str(error)
            refused.append(megabytes)
        else:
            assert found == expected
            assert pool.total_bytes() <= limit
            counted.append(megabytes)
        gc.collect()
    assert 0.01 in refused and 500 in counted
    assert max(refused) < min(counted)
    pool.set_limit(size=0)
    check(gpu, net, x0, x1)


def test_runs_are_smaller_where_memory_is_short(
    gpu: CudaDevice, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Network.random([784, *[128] * 5, 10], "hard_tanh", 32.0, 0.01, seed=0)
    x0, x1 = np.random.default_rng(1).normal(size=(2, 784))
    expected = pyexpr.count_regions(net, x0, x1, kind="activation", device=gpu)
    chunks: list[int] = []

    class Recorded(Engine):
        def __init__(
            self, networks: Any, settlement: Any, tally: Any, pieces: int, chunk: int, tell: Any
        ) -> None:
            chunks.append(chunk)
            super().__init__(networks, settlement, tally, pieces, chunk, tell)

    monkeypatch.setattr(counting, "Engine", Recorded)
    pool.free_all_blocks()
    pool.set_limit(size=pool.used_bytes() + 10 * 2**20)
    for call in (pyexpr.count_regions, pyexpr.count_transitions):
        chunks.clear()
        assert call(net, x0, x1, device=gpu) == call(net, x0, x1)
        assert len(chunks) > 1
        assert chunks == sorted(chunks, reverse=True)
        assert chunks[-1] < expected


def test_a_count_leaves_nothing_behind(gpu: CudaDevice, pool: Any) -> None:
    pyexpr.count_regions(RELU, POINTS, -POINTS, device=gpu)
    gc.collect()
    before = pool.used_bytes()
    for _ in range(3):
        pyexpr.count_regions(RELU, POINTS, -POINTS, device=gpu)
    gc.collect()
    assert pool.used_bytes() == before


# Several counts at once, and counts that stop in the middle.


def test_counts_in_many_python_threads_do_not_disturb_each_other(gpu: CudaDevice) -> None:
    count_in_threads(gpu, HARD_TANH, *POINTS[:2])
    linalg = gpu.xp._core._routines_linalg
    assert linalg.get_compute_type(np.float64) != linalg.COMPUTE_TYPE_PEDANTIC


def test_a_count_interrupted_at_any_kernel(
    gpu: CudaDevice, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Network.random([20, 20, 20, 2], "hard_tanh", 20.0, 0.1, seed=2)
    pyexpr.count_regions(net, *POINTS[:2], device=gpu)
    gc.collect()
    before = pool.used_bytes()
    check_interrupted(gpu, monkeypatch, net, *POINTS[:2])
    gc.collect()
    assert pool.used_bytes() == before


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_a_count_interrupted_by_a_signal(gpu: CudaDevice) -> None:
    net = Network.random([784, *[256] * 8, 10], "hard_tanh", 32.0, 0.01, seed=0)
    x0, x1 = np.random.default_rng(1).normal(size=(2, 784))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    interrupted = 0
    try:
        for seconds in (0.001, 0.003, 0.01):
            try:
                signal.setitimer(signal.ITIMER_REAL, seconds)
                pyexpr.count_regions(net, x0, x1, device=gpu)
            except KeyboardInterrupt:
                interrupted += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 0
    check(gpu, HARD_TANH, *POINTS[:2])
