"""Arguments of kernels are checked before their addresses are taken."""

from typing import Any

import numpy as np
import pytest

from pyexpr.cuda.devices import HostDevice
from pyexpr.cuda.packing import by_value, pack


def address(array: Any) -> int:
    return int(array.ctypes.data)


def bias_arguments() -> list[Any]:
    """Of add_bias: outputs, piece, pieces_of_network, bias, rows."""
    return [2, np.zeros(3, np.int64), 1, np.zeros((1, 2)), np.zeros((3, 2))]


def test_numbers_and_addresses_are_packed() -> None:
    arguments = bias_arguments()
    packed = pack("add_bias", tuple(arguments), address)
    assert packed.dtype == np.uint64
    assert packed.tolist() == [2, *map(address, arguments[1:2]), 1, *map(address, arguments[3:])]


def test_floats_are_packed_as_they_are_and_none_is_zero() -> None:
    # The lipschitz constant of locate, and its low parts, which may be missing.
    ones = [np.zeros(1, np.uint64), np.zeros(1, np.int64), np.zeros(1), None, 1, 1, 1, np.zeros(1)]
    more = [np.zeros(2, np.int64), 1, np.zeros(1), -1.5, np.zeros(2), np.zeros(2), np.zeros(2)]
    out = [np.zeros(1, np.int64) for _ in range(3)] + [np.zeros(1) for _ in range(3)]
    packed = pack("locate", (*ones, *more, *out), address)
    assert packed[3] == 0
    assert packed[11:12].view(np.float64) == -1.5


@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        (1, np.zeros(3, np.int32)),
        (3, np.zeros((1, 2), np.float32)),
        (3, np.zeros((1, 2), np.int64)),
        (4, np.zeros((2, 3)).T),
        (4, np.zeros((6, 2))[::2]),
    ],
)
def test_wrong_arrays_are_named(number: int, wrong: Any) -> None:
    arguments = bias_arguments()
    arguments[number] = wrong
    with pytest.raises(TypeError, match=rf"add_bias: argument {number} is {wrong.dtype}"):
        HostDevice().run("add_bias", 6, *arguments)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_number_of_arguments_is_told(change: int) -> None:
    arguments = (bias_arguments() * 2)[: 5 + change]
    with pytest.raises(TypeError, match=f"add_bias takes 5 arguments, not {5 + change}"):
        HostDevice().run("add_bias", 6, *arguments)


def test_a_kernel_of_cupy_gets_one_element() -> None:
    packed = np.arange(5, dtype=np.uint64)
    element = by_value(packed)
    assert element.size == 1
    assert element.tobytes() == packed.tobytes()
    assert element.__array_interface__["data"][0] == packed.ctypes.data
