"""No result depends on the number of threads, and none is shared that should not be."""

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import pyexpr
from pyexpr._threads import thread_count
from pyexpr.counting import Kind

# Long enough for helpers to start (0.3 ms), with cells beside each other in different tasks.
RELU = pyexpr.Network.random([20, 100, 100, 100, 100, 3], "relu", 2.0, 0.1, seed=1)
HARD_TANH = pyexpr.Network.random([20, 60, 60, 60, 3], "hard_tanh", 30.0, 0.1, seed=2)
NARROW = pyexpr.constructions.tent(13).network
RNG = np.random.default_rng(3)
A, B, C = (RNG.normal(size=20) for _ in range(3))

CASES: dict[str, tuple[Any, pyexpr.Trajectory]] = {
    "line": (RELU, pyexpr.Line(A, B)),
    "hard-tanh": (HARD_TANH, pyexpr.Line(A, B)),
    "polyline": (RELU, pyexpr.Polyline([A, B, C, B])),
    "loop": (HARD_TANH, pyexpr.Polyline([A, B, C], closed=True)),
    "arc": (RELU, pyexpr.Arc(A, B)),
    "circle": (RELU, pyexpr.Circle(A, B, C)),
    "arc and lines": (RELU, pyexpr.Chain([pyexpr.Line(C, A), pyexpr.Arc(A, B)])),
    "narrow": (NARROW, pyexpr.Line([0.0], [1.0])),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Any, pyexpr.Trajectory]:
    return CASES[request.param]


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_counts_and_their_certificates_are_the_same(
    case: tuple[Any, pyexpr.Trajectory], threads: int
) -> None:
    kinds: list[Kind] = ["linear", "activation"]
    for kind in kinds:
        one = pyexpr.count_regions(*case, kind=kind, threads=1)
        more = pyexpr.count_regions(*case, kind=kind, threads=threads)
        assert (more, more.certificate) == (one, one.certificate)
    assert pyexpr.count_patterns(*case, threads=threads) == pyexpr.count_patterns(*case, threads=1)
    of_one = pyexpr.count_transitions(*case, per="neuron", threads=1)
    of_more = pyexpr.count_transitions(*case, per="neuron", threads=threads)
    np.testing.assert_array_equal(of_more, of_one)
    assert of_more.certificate == of_one.certificate


@pytest.mark.parametrize("threads", [2, 5])
def test_traces_are_the_same_in_the_same_order(
    case: tuple[Any, pyexpr.Trajectory], threads: int
) -> None:
    one, more = pyexpr.trace(*case, threads=1), pyexpr.trace(*case, threads=threads)
    np.testing.assert_array_equal(more.t, one.t)
    np.testing.assert_array_equal(more.bends, one.bends)
    np.testing.assert_array_equal(more.transitions, one.transitions)
    np.testing.assert_array_equal(more.first_pattern, one.first_pattern)
    assert more.certificate == one.certificate


def test_an_overflow_is_told_alike_by_any_number_of_threads() -> None:
    weights = [RNG.normal(size=(64, 64)) for _ in range(5)]
    layers = [(w * 1e70, np.zeros(64)) for w in weights]
    x0, x1 = RNG.normal(size=(2, 64))
    messages = set()
    for threads in [1, 2, 4, 4, 4]:
        with pytest.raises(OverflowError) as raised:
            pyexpr.count_regions(layers, x0, x1, threads=threads)
        messages.add(str(raised.value))
    assert len(messages) == 1


def test_an_exception_in_progress_stops_all_threads() -> None:
    class Enough(Exception):
        pass

    def stop(share: float) -> None:
        raise Enough

    before = threading.active_count()
    net = pyexpr.Network.random([20, *[128] * 7, 1], "hard_tanh", 100.0, 0.1, seed=0)
    with pytest.raises(Enough):
        pyexpr.count_regions(net, A, B, threads=4, progress=stop)
    assert threading.active_count() == before


def test_counts_in_many_python_threads_do_not_disturb_each_other() -> None:
    expected = pyexpr.count_regions(RELU, A, B, threads=1)
    found: list[int] = []
    workers = [
        threading.Thread(target=lambda: found.append(pyexpr.count_regions(RELU, A, B, threads=2)))
        for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 6


@pytest.mark.parametrize(
    ("threads", "error", "text"),
    [
        (0, ValueError, "threads is 0.*at least 1"),
        (-1, ValueError, "threads is -1"),
        (1.5, TypeError, "threads is 1.5.*integer"),
        ("2", TypeError, "threads"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        pyexpr.count_regions,
        pyexpr.count_patterns,
        pyexpr.count_transitions,
        pyexpr.trace,
        lambda *x, threads: pyexpr.trace(*x).crossings(threads=threads),
        lambda *x, threads: pyexpr.trace(*x).decision_changes(threads=threads),
    ],
)
def test_a_bad_number_of_threads_is_named(
    call: Any, threads: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        call(NARROW, [0.0], [1.0], threads=threads)


def test_the_environment_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYEXPR_NUM_THREADS", "3")
    assert thread_count(None) == 3
    assert thread_count(5) == 5
    monkeypatch.setenv("PYEXPR_NUM_THREADS", "")
    assert thread_count(None) >= 1
    for bad in ("0", "many", "-2", "1.5"):
        monkeypatch.setenv("PYEXPR_NUM_THREADS", bad)
        with pytest.raises(ValueError, match=rf"PYEXPR_NUM_THREADS is '{bad}'"):
            pyexpr.count_regions(NARROW, [0.0], [1.0])


def test_a_forked_process_counts_as_well() -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    program = """
import multiprocessing, numpy as np, pyexpr
net = pyexpr.Network.random([20, 100, 100, 100, 3], seed=1)
a, b = np.random.default_rng(0).normal(size=(2, 20))
def count(_): return int(pyexpr.count_regions(net, a, b, threads=2))
expected = count(0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(count, range(4)) == [expected] * 4
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=60)


def test_a_deep_network_needs_no_deep_stack() -> None:
    one = np.ones((1, 1)), np.zeros(1)
    net = pyexpr.Network.dense([one] * 2001)
    found: list[int] = []

    def count() -> None:
        for curve in (pyexpr.Line([-1.0], [1.0]), pyexpr.Arc([-1.0], [1.0])):
            found.append(int(pyexpr.count_regions(net, curve, threads=1)))

    usual = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=count)
        thread.start()
    finally:
        threading.stack_size(usual)
    thread.join()
    assert found == [2, 2]  # off on the left, on on the right, in every layer at once
