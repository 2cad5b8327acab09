"""Ctrl-C stops a count that would take years, and the interpreter counts again."""

import os
import signal
import subprocess
import sys
from time import monotonic, sleep

import pytest

import pyexpr

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends SIGINT to another process")

# The promise is one second; a loaded machine may take longer to let both processes run.
SECONDS = 5.0

NETWORKS = {
    # 2^60 regions, a cheap one every few nanoseconds.
    "tents": """
        row = [2.0, -4.0]
        fold = ([row, row], [0.0, -0.5])
        layers = [([[1.0], [1.0]], [0.0, -0.5]), *[fold] * 59, ([row], [0.0])]
        net, x0, x1 = pyexpr.Network.dense(layers), [0.0], [1.0]
    """,
    # Expensive cells: 16 layers of 512 neurons.
    "wide": """
        net = pyexpr.Network.random([512] * 18, "hard_tanh", 4000.0, 1.0)
        x0, x1 = np.full(512, -1.0), np.linspace(0.0, 3.0, 512)
    """,
    # Many ties, hence many exact decisions.
    "integers": """
        rng = np.random.default_rng(0)
        layers = [(rng.integers(-3, 4, (64, 64)), rng.integers(-3, 4, 64)) for _ in range(16)]
        net = pyexpr.Network.dense(layers, "hard_tanh")
        x0, x1 = np.full(64, -4), np.arange(64) % 7
    """,
}
QUESTIONS = {
    "linear": "pyexpr.count_regions(net, x0, x1)",
    "activation": "pyexpr.count_regions(net, x0, x1, kind='activation')",
    "transitions": "pyexpr.count_transitions(net, x0, x1)",
    "trace": "pyexpr.trace(net, x0, x1)",
}

CHILD = """
import signal
import numpy as np
import pyexpr
signal.signal(signal.SIGINT, signal.default_int_handler)  # the parent may be ignoring it
if True:
{network}
print("counting", flush=True)
try:
    {question}
    print("finished", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
tent = [([[1.0], [1.0]], [0.0, -0.5]), ([[2.0, -4.0]], [0.0])]
print(pyexpr.count_regions(tent, [-1.0], [1.0]), flush=True)
"""


def interrupt(network: str, question: str, after: float) -> tuple[list[str], float]:
    """What the child prints when interrupted, and how long it took to say so."""
    code = CHILD.format(network=NETWORKS[network], question=QUESTIONS[question])
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "counting\n"
            sleep(after)
            assert child.poll() is None
            start = monotonic()
            child.send_signal(signal.SIGINT)
            first = child.stdout.readline()
            taken = monotonic() - start
            rest = child.stdout.read()  # communicate() would miss what readline() has buffered
            child.wait()
        finally:
            child.kill()
        assert child.returncode == 0
        return [first.strip(), *rest.split()], taken


@pytest.mark.parametrize("network", NETWORKS)
def test_a_long_count_is_interrupted(network: str) -> None:
    printed, seconds = interrupt(network, "linear", after=1.0)
    assert printed == ["interrupted", "3"]
    assert seconds < SECONDS


@pytest.mark.parametrize("question", ["activation", "transitions", "trace"])
def test_every_question_is_interrupted(question: str) -> None:
    printed, seconds = interrupt("tents", question, after=0.3)
    assert printed == ["interrupted", "3"]
    assert seconds < SECONDS


def test_a_signal_handler_may_count() -> None:
    big = pyexpr.Network.random([2, *[64] * 5, 1], "hard_tanh", 400.0, 0.1)
    small = pyexpr.Network.random([2, *[64] * 4, 1], "hard_tanh", 64.0, 0.1)
    x0, x1 = [-1.0, 0.2], [1.0, 0.7]
    expected, inner = pyexpr.count_regions(big, x0, x1), pyexpr.count_regions(small, x0, x1)
    counts: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda *_: counts.append(count_small()))

    def count_small() -> int:
        return int(pyexpr.count_regions(small, x0, x1))

    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.06)
        while len(counts) < 3:
            assert pyexpr.count_regions(big, x0, x1) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert set(counts) == {inner}
