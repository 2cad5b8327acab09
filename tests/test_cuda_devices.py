"""Devices: which one a name is, what is said where there is none, and memory that is short.

Stand-ins for CuPy are enough for most of what is said: the choice of words is pyexpr's. They behave
as CuPy does without a driver, which the real one shows here, and as CUDA's codes say.
"""

import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pyexpr
from pyexpr import NetworkStack, Polyline
from pyexpr.cuda import devices
from pyexpr.cuda.devices import HostDevice, find_device


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Devices that other tests have opened."""
    devices._cuda_device.cache_clear()
    yield
    devices._cuda_device.cache_clear()


# --- names ---


def test_the_cpu_is_no_device_and_a_device_is_itself() -> None:
    host = HostDevice()
    assert find_device("cpu") is None
    assert find_device(host) is host


@pytest.mark.parametrize("wrong", [None, 0, b"cuda", ["cuda"], HostDevice])
def test_what_is_no_name_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r'device is .*; it must be "cpu", "cuda" or "cuda:1"'):
        find_device(wrong)
    with pytest.raises(TypeError, match="device is"):
        pyexpr.count_regions([([[1.0]], [0.0])], [0.0], [1.0], device=wrong)


@pytest.mark.parametrize("wrong", ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cuda:1 "])
def test_unknown_names_are_refused(wrong: str) -> None:
    expected = f'device is {wrong!r}; it must be "cpu", "cuda" or "cuda:1" and so on'
    with pytest.raises(ValueError, match=re.escape(expected)):
        find_device(wrong)


# --- CuPy ---


class CudaError(RuntimeError):
    """As CuPy's."""

    def __init__(self, status: int) -> None:
        super().__init__(f"cudaError{status}: as CUDA says")
        self.status = status


class CompileError(Exception):
    """As CuPy's, which is no RuntimeError."""


class Gpu:
    def __init__(self, capability: str) -> None:
        self.compute_capability = capability

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


class Cupy:
    """What pyexpr asks of CuPy to open a GPU."""

    def __init__(
        self,
        count: int = 1,
        capability: str = "90",
        status: int | None = None,
        driver: int = 13000,
        refusal: Exception | None = None,
    ) -> None:
        self.status = status
        self._count = count
        self._refusal = refusal
        self.opened: list[int] = []
        runtime = SimpleNamespace(
            getDeviceCount=self._devices,
            driverGetVersion=lambda: driver,
            runtimeGetVersion=lambda: 13020,
            CUDARuntimeError=CudaError,
        )

        def gpu(number: int) -> Gpu:
            self.opened.append(number)
            return Gpu(capability)

        compiler = SimpleNamespace(CompileException=CompileError)
        self.cuda = SimpleNamespace(runtime=runtime, compiler=compiler, Device=gpu)
        self.RawModule = lambda **_: SimpleNamespace(get_function=self._function)

    def _devices(self) -> int:
        if self.status is not None:
            raise CudaError(self.status)
        return self._count

    def _function(self, name: str) -> str:
        if self._refusal is not None:
            raise self._refusal
        return name


Install = Callable[[Any], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Has `import cupy` find this; nothing if None."""
    return lambda cupy: monkeypatch.setitem(sys.modules, "cupy", cupy)


def said(error: type[Exception], name: str = "cuda") -> str:
    """What is said, in a line."""
    with pytest.raises(error) as caught:
        find_device(name)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_cupy_the_extras_are_named(install: Install) -> None:
    install(None)
    text = said(ImportError)
    assert "needs CuPy" in text and "pyexpr-regions[cuda13]" in text and "[cuda12]" in text


def test_a_broken_cupy_is_not_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "cupy.py").write_text("raise ImportError('it is broken')\n")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    text = said(ImportError)
    assert "cannot be imported: it is broken" in text and "pip install" not in text


def test_the_real_cupy_without_a_driver() -> None:
    cupy = pytest.importorskip("cupy")
    if cupy.cuda.runtime.driverGetVersion():
        pytest.skip("a CUDA driver is installed")
    assert said(RuntimeError) == 'device="cuda": no CUDA driver is installed here'
    with pytest.raises(RuntimeError, match="no CUDA driver"):
        pyexpr.count_regions([([[1.0]], [0.0])], [0.0], [1.0], device="cuda")


CODES = {
    3: "must be spawned",
    35: "the driver is of CUDA 12.4, and CuPy of 13.2; update the driver",
    46: "the GPU is busy",
    100: "finds no GPU",
    803: "different versions",
    999: "no GPU can be used here: cudaError999: as CUDA says",
}


@pytest.mark.parametrize("status", CODES)
def test_codes_of_cuda_are_explained(status: int, install: Install) -> None:
    install(Cupy(status=status, driver=12040))
    text = said(RuntimeError)
    assert text.startswith('device="cuda": ') and CODES[status] in text


def test_a_driver_that_knows_no_gpu(install: Install) -> None:
    install(Cupy(count=0))
    text = said(RuntimeError)
    assert "finds no GPU" in text and "CUDA_VISIBLE_DEVICES" in text and "MIG" in text


def test_a_number_too_large_tells_those_that_are_there(install: Install) -> None:
    install(Cupy(count=2))
    assert said(ValueError, "cuda:2").endswith('here it must be one of "cuda:0", "cuda:1"')


@pytest.mark.parametrize(("capability", "taken"), [("52", False), ("60", True), ("120", True)])
def test_old_gpus_are_refused(capability: str, taken: bool, install: Install) -> None:
    install(Cupy(capability=capability))
    if taken:
        assert find_device("cuda") is not None
    else:
        text = said(RuntimeError)
        assert "the GPU has compute capability 5.2; it must have at least 6.0" in text


@pytest.mark.parametrize(("capability", "old"), [("70", True), ("75", False)])
def test_nvrtc_refuses(capability: str, old: bool, install: Install) -> None:
    install(Cupy(capability=capability, refusal=CompileError("nvrtc: error: invalid\nand more\n")))
    text = said(RuntimeError)
    number = int(capability) / 10
    assert f"refuses the kernels for compute capability {number}: nvrtc: error: invalid" in text
    assert ("CUDA 12" in text) == old


def test_what_cannot_be_loaded_is_told_in_a_line(install: Install) -> None:
    install(Cupy(refusal=RuntimeError("no libnvrtc\nand more")))
    assert "cannot be compiled or loaded: no libnvrtc" in said(RuntimeError)
    install(Cupy(refusal=CudaError(46)))
    assert "the GPU is busy" in said(RuntimeError)


def test_a_gpu_is_opened_once_in_a_process(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    cupy = Cupy(count=2)
    install(cupy)
    first = find_device("cuda")
    assert find_device("cuda:0") is find_device("cuda") is first
    assert find_device("cuda:1") is not first
    assert cupy.opened == [0, 1]
    here = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: here + 1)  # as in a process forked from this one
    cupy.status = 3
    assert "one forked from a process that uses a GPU must be spawned" in said(RuntimeError)


# --- memory ---


class Short(HostDevice):
    """Runs nothing for more than so many numbers."""

    def __init__(self, most: float = math.inf) -> None:
        super().__init__()
        self.largest = 0
        self.failures = 0
        self._most = most

    def run(self, kernel: str, count: int, *arguments: Any) -> None:
        if count > self._most:
            self.failures += 1
            raise MemoryError(f"{count} numbers")
        self.largest = max(self.largest, count)
        super().run(kernel, count, *arguments)


STACK = NetworkStack.random([5, 12, 12, 3], seeds=2, weight_variance=3.0, bias_variance=0.5)
POINTS = np.random.default_rng(0).standard_normal((6, 5))
COUNTS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda device: pyexpr.count_regions(STACK, *POINTS[:2], device=device),
    "activation": lambda device: pyexpr.count_regions(
        STACK, POINTS[:3], POINTS[3:], kind="activation", device=device
    ),
    "patterns": lambda device: pyexpr.count_patterns(
        STACK[0], Polyline(POINTS, closed=True), device=device
    ),
    "transitions": lambda device: pyexpr.count_transitions(
        STACK, POINTS[:3], POINTS[3:], per="layer", device=device
    ),
    "pairs": lambda device: pyexpr.count_pairs(STACK[1], POINTS, device=device),
}


@pytest.mark.parametrize("name", COUNTS)
def test_too_little_memory_for_one_run_names_the_sizes(name: str) -> None:
    count = COUNTS[name]
    with pytest.raises(MemoryError, match=r"takes \d+ bytes .* of which 100 are free") as caught:
        count(HostDevice(free_bytes=100))
    assert 'count with device="cpu"' in str(caught.value)
    needed = int(re.findall(r"takes (\d+) bytes", str(caught.value))[0])
    with pytest.raises(MemoryError):
        count(HostDevice(free_bytes=needed - 1))
    enough = count(HostDevice(free_bytes=2 * needed))  # in the smallest runs
    np.testing.assert_array_equal(enough, count("cpu"))


@pytest.mark.parametrize("name", COUNTS)
def test_memory_that_runs_out_is_tried_again_with_less(name: str) -> None:
    count, ample = COUNTS[name], Short()
    expected = count("cpu")
    np.testing.assert_array_equal(count(ample), expected)
    short = Short(ample.largest - 1)
    np.testing.assert_array_equal(count(short), expected)
    assert short.failures > 0


@pytest.mark.parametrize("name", COUNTS)
def test_memory_for_nothing_at_all_is_told(name: str) -> None:
    nothing = Short(0)
    with pytest.raises(MemoryError, match=r"not even the smallest run fits: \d+ numbers"):
        COUNTS[name](nothing)
    assert nothing.failures > 1
