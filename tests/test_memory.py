"""How much memory there is, and the trace that would not fit into it."""

import subprocess
import sys
from pathlib import Path

import pytest

import pyexpr
from pyexpr._memory import available_memory
from pyexpr.constructions import tent

LINUX = sys.platform == "linux"
on_linux = pytest.mark.skipif(not LINUX, reason="reads /proc")


def system(root: Path, files: dict[str, str]) -> int | None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return available_memory(root)


MEMINFO = {"proc/meminfo": "MemTotal:  9000 kB\nMemFree:   100 kB\nMemAvailable:    2000 kB\n"}
V1, V2 = "sys/fs/cgroup/memory", "sys/fs/cgroup"


def test_what_the_machine_has(tmp_path: Path) -> None:
    assert system(tmp_path, MEMINFO) == 2000 * 1024


def test_a_control_group_has_less(tmp_path: Path) -> None:
    group = {
        "proc/self/cgroup": "0::/a/b\n",
        f"{V2}/a/b/memory.max": "900000\n",
        f"{V2}/a/b/memory.current": "500000\n",
        f"{V2}/a/b/memory.stat": "anon 7\nworkingset_inactive_file 5\ninactive_file 100000\n",
    }
    assert system(tmp_path, MEMINFO | group) == 500000


def test_a_group_around_it_has_less(tmp_path: Path) -> None:
    group = {
        "proc/self/cgroup": "0::/a/b\n",
        f"{V2}/a/b/memory.max": "max\n",
        f"{V2}/a/b/memory.current": "500000\n",
        f"{V2}/a/memory.max": "600000\n",
        f"{V2}/a/memory.current": "510000\n",
    }
    assert system(tmp_path, MEMINFO | group) == 90000


@pytest.mark.parametrize("there", ["/a", ""])  # a container sees its own group as the top one
def test_a_control_group_of_version_1(tmp_path: Path, there: str) -> None:
    group = {
        "proc/self/cgroup": "5:cpu,memory:/a\n3:pids:/b\n0::/\n",
        f"{V1}{there}/memory.limit_in_bytes": "900000\n",
        f"{V1}{there}/memory.usage_in_bytes": "500000\n",
        f"{V1}{there}/memory.stat": "inactive_file 3\ntotal_inactive_file 200000\n",
    }
    assert system(tmp_path, MEMINFO | group) == 600000


def test_nothing_is_left(tmp_path: Path) -> None:
    group = {
        "proc/self/cgroup": "0::/\n",
        f"{V2}/memory.max": "100\n",
        f"{V2}/memory.current": "500\n",
    }
    assert system(tmp_path, MEMINFO | group) == 0


def test_a_group_without_limits(tmp_path: Path) -> None:
    assert system(tmp_path, MEMINFO | {"proc/self/cgroup": "0::/a\n"}) == 2000 * 1024
    limit = {f"{V2}/a/memory.max": "max\n", f"{V2}/a/memory.current": "1\n"}
    assert system(tmp_path, limit) == 2000 * 1024


def test_a_system_without_proc(tmp_path: Path) -> None:
    available = available_memory(tmp_path)
    assert available is None or available > 2**20


@on_linux
def test_here() -> None:
    available = available_memory()
    assert available is not None
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    assert 0 <= available <= total


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    return done.stdout


@on_linux
def test_a_limit_of_the_process() -> None:
    code = """
import resource
import numpy
from pyexpr._memory import available_memory
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, resource.RLIM_INFINITY))
before = available_memory()
block = bytearray(2**27)
print(before <= 2**28 and before - available_memory() >= 2**27)
"""
    assert run(code) == "True\n"


# The trace that does not fit.

MOST = tent(16)


def test_a_trace_that_would_fill_memory_is_refused() -> None:
    with pytest.raises(MemoryError) as refused:
        pyexpr.trace(MOST.network, MOST.trajectory, memory=100_000)
    message = str(refused.value)
    for text in ("memory is 97.7 KiB", "count_regions", "pyexpr.stream(net, trajectory)"):
        assert text in message
    for memory in (2**26, 2**80):
        trace = pyexpr.trace(MOST.network, MOST.trajectory, memory=memory)
        assert trace.n_regions == MOST.regions


def test_a_refusal_says_how_far_it_came() -> None:
    most = tent(24)  # of which 2^24 / 41 / FACTOR breakpoints are traced
    heard: list[float] = []
    refusal = r"fill \d(\.\d+)? % of the way; all may take \d+\.\d GiB: "
    with pytest.raises(MemoryError, match=refusal):
        pyexpr.trace(most.network, most.trajectory, memory=2**25, progress=heard.append)
    assert 0 < heard[-1] < 0.02


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_are_refused_alike(threads: int) -> None:
    with pytest.raises(MemoryError, match=r"pyexpr\.stream"):
        pyexpr.trace(MOST.network, MOST.trajectory, threads=threads, memory=100_000)


@on_linux
def test_a_trace_is_refused_before_memory_is_full() -> None:
    # Half of 32 MiB is enough for the limit to be met, and 2^24 regions are too many.
    code = """
import resource
import pyexpr
from pyexpr.constructions import tent
endless = tent(24)
pyexpr.count_regions(tent(3).network, [0.0], [1.0])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**25, resource.RLIM_INFINITY))
try:
    pyexpr.trace(endless.network, endless.trajectory, threads=1)
except MemoryError as error:
    print(error)
"""
    assert "pyexpr.stream(net, trajectory)" in run(code)


@on_linux
def test_a_trace_takes_no_more_than_it_may() -> None:
    # As much as it needs and no more: then its peak is below.
    code = """
import resource
import pyexpr
from pyexpr.constructions import tent
from pyexpr.tracing.gather import FACTOR
few, many = tent(8), tent(18)
pyexpr.trace(few.network, few.trajectory).t
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
memory = FACTOR * 41 * 2**18
trace = pyexpr.trace(many.network, many.trajectory, memory=memory)
trace.t, trace.nodes
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(trace.n_regions == 2**18 and (peak - before) * 1024 <= memory)
"""
    assert run(code) == "True\n"


@pytest.mark.parametrize(
    ("memory", "error"), [(0, ValueError), (-1, ValueError), (1e9, TypeError), ("1G", TypeError)]
)
def test_what_is_no_memory(memory: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="memory is"):
        pyexpr.trace(MOST.network, MOST.trajectory, memory=memory)
