"""The kernels' text is one that NVIDIA's compilers take; none of this needs a GPU."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from pyexpr import _core
from pyexpr.cuda.devices import OPTIONS

BROKEN = _core.kernel_source + '\nextern "C" __global__ void broken() { no_such_function(); }\n'


# The oldest that a compiler knows is the quickest to compile for.
ARCHITECTURES = pytest.mark.parametrize(
    "choose",
    [
        min,
        pytest.param(lambda known: 90, id="90", marks=pytest.mark.slow),
        pytest.param(max, marks=pytest.mark.slow),
    ],
)
Choose: TypeAlias = Callable[[list[int]], int]


def check_has_all_kernels(cubin: bytes) -> None:
    for name in _core.kernels:
        assert f".text.pyexpr_{name}\0".encode() in cubin


@pytest.fixture(scope="module")
def nvcc() -> str:
    path = shutil.which("nvcc")
    if path is None:
        pytest.skip("nvcc is not on PATH")
    return path


def compile_with_nvcc(nvcc: str, source: str, architecture: int, folder: Path) -> bytes:
    text, cubin = folder / "kernels.cu", folder / f"{architecture}.cubin"
    text.write_text(source)
    command = [nvcc, *OPTIONS, f"-arch=sm_{architecture}", "-cubin", "-o", str(cubin), str(text)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return cubin.read_bytes()


@ARCHITECTURES
def test_nvcc_compiles_the_kernels(nvcc: str, choose: Choose, tmp_path: Path) -> None:
    listed = subprocess.run([nvcc, "--list-gpu-code"], check=True, capture_output=True, text=True)
    known = [int(line.removeprefix("sm_")) for line in listed.stdout.split()]
    check_has_all_kernels(compile_with_nvcc(nvcc, _core.kernel_source, choose(known), tmp_path))


def test_nvcc_refuses_a_broken_kernel(nvcc: str, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        compile_with_nvcc(nvcc, BROKEN, 90, tmp_path)
    assert "no_such_function" in raised.value.stderr


@pytest.fixture(scope="module")
def nvrtc() -> Any:
    pytest.importorskip("cupy", reason="CuPy is not installed")
    from cupy_backends.cuda.libs import nvrtc

    try:
        nvrtc.getVersion()
    except Exception as error:
        # What is raised depends on who looks for the library.
        pytest.skip(f"CuPy finds no NVRTC: {error}")
    return nvrtc


def compile_with_nvrtc(nvrtc: Any, source: str, architecture: int) -> bytes:
    """Raises nvrtc.NVRTCError."""
    program = nvrtc.createProgram(source, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, (*OPTIONS, f"--gpu-architecture=sm_{architecture}"))
        return bytes(nvrtc.getCUBIN(program))
    except nvrtc.NVRTCError:
        print(nvrtc.getProgramLog(program))
        raise
    finally:
        nvrtc.destroyProgram(program)


@ARCHITECTURES
def test_nvrtc_compiles_the_kernels(nvrtc: Any, choose: Choose) -> None:
    architecture = choose(list(nvrtc.getSupportedArchs()))
    check_has_all_kernels(compile_with_nvrtc(nvrtc, _core.kernel_source, architecture))


def test_nvrtc_refuses_a_broken_kernel(nvrtc: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(nvrtc.NVRTCError):
        compile_with_nvrtc(nvrtc, BROKEN, 90)
    assert "no_such_function" in capsys.readouterr().out
