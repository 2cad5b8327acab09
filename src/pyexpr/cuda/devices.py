"""Where an engine's arrays are and its kernels run: on a GPU, or on the host."""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import numbers_of, what
from pyexpr.cuda.packing import by_value, pack

# An array of a device: numpy's or CuPy's, which ships no types.
Array: TypeAlias = Any

_THREADS = 256  # of a block
_MOST_BLOCKS = 1 << 16
_DLPACK_CPU, _DLPACK_CUDA = 1, 2
_OLD_DRIVER, _NO_GPU = 35, 100  # CUDA's codes
_OLDEST = 60  # ten times the compute capability
_OLDEST_OF_13 = 75  # that CUDA 13 still compiles for
# What CUDA's codes for an error mean here; it says itself what another one means.
_REASONS = {
    3: "CUDA cannot begin in this process; one forked from a process that uses a GPU must be "
    "spawned instead",
    46: "the GPU is busy, or another process has it for itself",
    _NO_GPU: "the CUDA driver finds no GPU; CUDA_VISIBLE_DEVICES may hide it, and one in MIG mode "
    "needs an instance",
    803: "the CUDA driver and its library are of different versions; restart the machine",
}
# As the host does: every operation rounded for itself, and C++ as the headers are written in.
OPTIONS = ("-std=c++20", "--fmad=false")


class Device(Protocol):
    """Arrays, and kernels that work on them."""

    @property
    def xp(self) -> Any:
        """numpy, or a module with its functions."""

    def run(self, kernel: str, count: int, *arguments: Any) -> None:
        """Runs a kernel for the numbers below `count`."""

    def upload(self, array: npt.NDArray[Any]) -> Array: ...

    def download(self, array: Array) -> npt.NDArray[Any]: ...

    def adopt(self, value: object) -> Array | None:
        """The same numbers where they are, if they are on this device and no array of numpy."""

    def free_bytes(self) -> int:
        """Of memory."""

    def active(self) -> AbstractContextManager[object]:
        """Inside it, new arrays are on this device."""


class HostDevice:
    """The same engine without a GPU, one number after another: to test it everywhere."""

    def __init__(self, free_bytes: int = 1 << 30) -> None:
        self._free_bytes = free_bytes

    @property
    def xp(self) -> Any:
        return np

    def run(self, kernel: str, count: int, *arguments: Any) -> None:
        packed = pack(kernel, arguments, lambda array: int(array.ctypes.data))
        _core.run_kernel(kernel, packed, count)

    def upload(self, array: npt.NDArray[Any]) -> Array:
        return np.array(array)

    def download(self, array: Array) -> npt.NDArray[Any]:
        return np.asarray(array)

    def adopt(self, value: object) -> Array | None:
        return _adopted(value, np, _DLPACK_CPU, 0)

    def free_bytes(self) -> int:
        return self._free_bytes

    def active(self) -> AbstractContextManager[object]:
        return np.errstate(all="ignore")  # what is not finite is noticed by the filter


class CudaDevice:
    """A GPU, through CuPy."""

    def __init__(self, number: int) -> None:
        """Errors are those of `find_device`."""
        self._cupy = _cupy()
        with _explained(self._cupy):
            self._device = _open(self._cupy, number)
            with self._device:
                self._kernels = _compile(self._cupy, int(self._device.compute_capability))

    @property
    def xp(self) -> Any:
        return self._cupy

    def run(self, kernel: str, count: int, *arguments: Any) -> None:
        if count == 0:
            return
        packed = pack(kernel, arguments, lambda array: int(array.data.ptr))
        blocks = min((count + _THREADS - 1) // _THREADS, _MOST_BLOCKS)
        self._kernels[kernel]((blocks,), (_THREADS,), (by_value(packed), np.int64(count)))

    def upload(self, array: npt.NDArray[Any]) -> Array:
        return self._cupy.asarray(array)

    def download(self, array: Array) -> npt.NDArray[Any]:
        result: npt.NDArray[Any] = self._cupy.asnumpy(array)
        return result

    def adopt(self, value: object) -> Array | None:
        return _adopted(value, self._cupy, _DLPACK_CUDA, self._device.id)

    def free_bytes(self) -> int:
        free, _ = self._device.mem_info
        pool = self._cupy.get_default_memory_pool()
        left = int(free) + int(pool.free_bytes())
        limit = int(pool.get_limit())
        return min(left, limit - int(pool.used_bytes())) if limit else left

    @contextmanager
    def active(self) -> Iterator[None]:
        with self._device, _as_bounded(self._cupy):
            yield


DeviceLike: TypeAlias = str | Device


def find_device(device: object) -> Device | None:
    """The device of that name; None for the CPU, whose engine is the compiled core's.

    Parameters
    ----------
    device
        "cpu", "cuda" for the first GPU, "cuda:1" for the next, ..., or a device.

    Raises
    ------
    TypeError, ValueError
        No device, or an unknown name or number.
    ImportError
        CuPy is not installed, or cannot be imported.
    RuntimeError
        No driver or GPU, or one that is too old; no NVRTC, or one that refuses the kernels.
    """
    if not isinstance(device, str):
        if isinstance(device, HostDevice | CudaDevice):
            return device
        raise TypeError(f'device is {what(device)}; it must be "cpu", "cuda" or "cuda:1" and so on')
    if device == "cpu":
        return None
    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        raise ValueError(f'device is {device!r}; it must be "cpu", "cuda" or "cuda:1" and so on')
    return _cuda_device(int(match[1] or 0), os.getpid())


@functools.cache
def _cuda_device(number: int, _: int) -> CudaDevice:
    """One for each process: a forked one cannot use its parent's."""
    return CudaDevice(number)


def _adopted(value: object, xp: Any, kind: int, number: int) -> Array | None:
    """By DLPack, which copies nothing."""
    if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack_device__"):
        return None
    if tuple(map(int, value.__dlpack_device__())) != (kind, number):
        return None
    # DLPack refuses tensors with gradients, and loses a minus yet to be taken.
    return xp.from_dlpack(numbers_of(value))


def _cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        if not (isinstance(error, ModuleNotFoundError) and error.name == "cupy"):
            raise ImportError(
                f'device="cuda": CuPy is installed and cannot be imported: {error}'
            ) from error
        raise ImportError(
            'device="cuda" needs CuPy: pip install "pyexpr-regions[cuda13]", '
            "or [cuda12] for a driver of CUDA 12"
        ) from error
    return cupy


def _open(cupy: Any, number: int) -> Any:
    """The GPU of that number, if it will do."""
    count = cupy.cuda.runtime.getDeviceCount()
    if count == 0:
        raise RuntimeError(f'device="cuda": {_REASONS[_NO_GPU]}')
    if number >= count:
        names = ", ".join(f'"cuda:{i}"' for i in range(count))
        raise ValueError(f'device is "cuda:{number}"; here it must be one of {names}')
    device = cupy.cuda.Device(number)
    capability = int(device.compute_capability)
    if capability < _OLDEST:
        raise RuntimeError(
            f'device="cuda": the GPU has compute capability {capability / 10}; '
            f"it must have at least {_OLDEST / 10}"
        )
    return device


def _compile(cupy: Any, capability: int) -> dict[str, Any]:
    """The kernels by name, made by NVRTC; CuPy keeps what it has compiled on disk."""
    module = cupy.RawModule(code=_core.kernel_source, options=OPTIONS)
    try:
        return {name: module.get_function(f"pyexpr_{name}") for name in _core.kernels}
    except cupy.cuda.compiler.CompileException as error:
        hint = "; CUDA 13 takes 7.5 or more, CUDA 12 less" if capability < _OLDEST_OF_13 else ""
        raise RuntimeError(
            f'device="cuda": NVRTC refuses the kernels for compute capability {capability / 10}: '
            f"{_line(error)}{hint}"
        ) from error
    except cupy.cuda.runtime.CUDARuntimeError:
        raise
    except RuntimeError as error:  # no NVRTC; a driver that cannot load what it has made
        raise RuntimeError(
            f'device="cuda": the kernels cannot be compiled or loaded: {_line(error)}'
        ) from error


@contextmanager
def _explained(cupy: Any) -> Iterator[None]:
    """Says why where CUDA gives a code."""
    runtime = cupy.cuda.runtime
    try:
        yield
    except runtime.CUDARuntimeError as error:
        if error.status == _OLD_DRIVER:
            reason = _of_driver(runtime.driverGetVersion(), runtime.runtimeGetVersion())
        else:
            reason = _REASONS.get(error.status, f"no GPU can be used here: {_line(error)}")
        raise RuntimeError(f'device="cuda": {reason}') from error


def _of_driver(driver: int, needed: int) -> str:
    """Of versions as CUDA numbers them, 0 for none."""
    if driver == 0:
        return "no CUDA driver is installed here"
    return (
        f"the driver is of CUDA {_version(driver)}, and CuPy of {_version(needed)}; update the "
        'driver, or pip install "pyexpr-regions[cuda12]" for one of CUDA 12'
    )


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _line(error: BaseException) -> str:
    """The first: whole logs may follow."""
    return str(error).strip().partition("\n")[0]


class _Bounded:
    """Products in float64 proper: the bounds do not hold for one emulated in less.

    CuPy has one setting for all threads: the first one inside makes it, the last takes it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 0

    @contextmanager
    def __call__(self, cupy: Any) -> Iterator[None]:
        linalg = cupy._core._routines_linalg
        with self._lock:
            if self._inside == 0:
                self._before = linalg.get_compute_type(np.float64)
                linalg.set_compute_type(np.float64, linalg.COMPUTE_TYPE_PEDANTIC)
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    linalg.set_compute_type(np.float64, self._before)


_as_bounded = _Bounded()
