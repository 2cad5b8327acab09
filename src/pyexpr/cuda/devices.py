"""Where an engine's arrays are and its kernels run: on a GPU, or on the host."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pyexpr import _core
from pyexpr._arrays import what
from pyexpr.cuda.packing import pack

# An array of a device: numpy's or CuPy's, which ships no types.
Array: TypeAlias = Any

_THREADS = 256  # of a block
_MOST_BLOCKS = 1 << 16
_DLPACK_CPU, _DLPACK_CUDA = 1, 2
_OLDEST = 60  # ten times the compute capability
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

    @property
    def out_of_memory(self) -> type[BaseException]:
        """What is raised where there is not enough."""

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

    @property
    def out_of_memory(self) -> type[BaseException]:
        return MemoryError

    def active(self) -> AbstractContextManager[object]:
        return np.errstate(all="ignore")  # what is not finite is noticed by the filter


class CudaDevice:
    """A GPU, through CuPy."""

    def __init__(self, number: int) -> None:
        """Errors are those of `find_device`."""
        self._cupy = _cupy()
        self._device = _open(self._cupy, number)
        with self._device:
            self._kernels = _compile(self._cupy)

    @property
    def xp(self) -> Any:
        return self._cupy

    def run(self, kernel: str, count: int, *arguments: Any) -> None:
        if count == 0:
            return
        packed = pack(kernel, arguments, lambda array: int(array.data.ptr))
        blocks = min((count + _THREADS - 1) // _THREADS, _MOST_BLOCKS)
        self._kernels[kernel]((blocks,), (_THREADS,), (packed, np.int64(count)))

    def upload(self, array: npt.NDArray[Any]) -> Array:
        return self._cupy.asarray(array)

    def download(self, array: Array) -> npt.NDArray[Any]:
        result: npt.NDArray[Any] = self._cupy.asnumpy(array)
        return result

    def adopt(self, value: object) -> Array | None:
        return _adopted(value, self._cupy, _DLPACK_CUDA, self._device.id)

    @property
    def out_of_memory(self) -> type[BaseException]:
        error: type[BaseException] = self._cupy.cuda.memory.OutOfMemoryError
        return error

    def free_bytes(self) -> int:
        free, _ = self._device.mem_info
        return int(free) + int(self._cupy.get_default_memory_pool().free_bytes())

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
        CuPy is not installed.
    RuntimeError
        No driver, no GPU, or one that is too old.
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
    return _cuda_device(int(match[1] or 0))


@functools.cache
def _cuda_device(number: int) -> CudaDevice:
    return CudaDevice(number)


def _adopted(value: object, xp: Any, kind: int, number: int) -> Array | None:
    """By DLPack, which copies nothing."""
    if isinstance(value, np.ndarray) or not hasattr(value, "__dlpack_device__"):
        return None
    if tuple(map(int, value.__dlpack_device__())) != (kind, number):
        return None
    detached = value.detach() if hasattr(value, "detach") else value  # torch's with gradients
    return xp.from_dlpack(detached)


def _cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        raise ImportError(
            'device="cuda" needs CuPy: pip install "pyexpr-regions[cuda13]", '
            "or [cuda12] for a driver of CUDA 12"
        ) from error
    return cupy


def _open(cupy: Any, number: int) -> Any:
    """The GPU of that number, if it will do."""
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        raise RuntimeError(f'device="cuda": no GPU can be used here: {error}') from error
    if count == 0:
        raise RuntimeError('device="cuda": the CUDA driver knows no GPU here')
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


def _compile(cupy: Any) -> dict[str, Any]:
    """The kernels by name, made by NVRTC; CuPy keeps what it has compiled on disk."""
    module = cupy.RawModule(code=_core.kernel_source, options=OPTIONS)
    try:
        return {name: module.get_function(f"pyexpr_{name}") for name in _core.kernels}
    except cupy.cuda.compiler.CompileException as error:
        raise RuntimeError(f'device="cuda": NVRTC refuses the kernels: {error}') from error


@contextmanager
def _as_bounded(cupy: Any) -> Iterator[None]:
    """Products in float64 proper: the bounds do not hold for one emulated in less."""
    linalg = cupy._core._routines_linalg
    before = linalg.get_compute_type(np.float64)
    linalg.set_compute_type(np.float64, linalg.COMPUTE_TYPE_PEDANTIC)
    try:
        yield
    finally:
        linalg.set_compute_type(np.float64, before)
