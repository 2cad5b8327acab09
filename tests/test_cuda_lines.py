"""Points that a device has already: tensors of the host by DLPack, for the engine on arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from device_judge import CALLS, check, check_interrupted, count_in_threads
from hypothesis import given
from hypothesis import strategies as st

import pyexpr
from pyexpr import Network, NetworkStack
from pyexpr.cuda.devices import HostDevice, _as_bounded
from pyexpr.cuda.lines import read_lines

Array = npt.NDArray[np.float64]

HOST = HostDevice()
NET = Network.random([3, 8, 8, 2], "hard_tanh", 8.0, 0.1, seed=1)
STACK = NetworkStack.random([3, 5, 4, 2], seeds=3, bias_variance=0.1)
POINTS = np.random.default_rng(0).normal(size=(6, 3))


def tensor(array: Array) -> torch.Tensor:
    return torch.from_numpy(array.copy())


# What is read.


def test_float64_is_shared_and_not_modified() -> None:
    for shape in ((3,), (6, 3)):
        array = POINTS[: shape[0] if len(shape) > 1 else 1].reshape(shape)
        given, other = tensor(array), tensor(-array)
        lines = read_lines(HOST, given, other, (3,))
        assert lines is not None
        assert lines.x0.ctypes.data == given.data_ptr()
        assert lines.x1.ctypes.data == other.data_ptr()
        check(HOST, NET, given, other, host=(array, -array))
        np.testing.assert_array_equal(given.numpy(), array)
        np.testing.assert_array_equal(other.numpy(), -array)


def test_what_no_device_has_is_left_to_the_host() -> None:
    for x in (POINTS, POINTS.tolist(), np.float32(POINTS), [1, 2, 3], object()):
        assert read_lines(HOST, x, POINTS, (3,)) is None


def test_points_go_to_the_device_that_was_asked_for() -> None:
    class Switched(HostDevice):
        """One of several, whose arrays are made while it is active."""

        inside = False

        @contextmanager
        def active(self) -> Iterator[None]:
            before, self.inside = self.inside, True
            with super().active():
                yield
            self.inside = before

        def upload(self, array: npt.NDArray[Any]) -> Any:
            assert self.inside
            return super().upload(array)

    loop = pyexpr.Polyline(POINTS, closed=True)
    for x in ((loop,), (POINTS, -POINTS), (tensor(POINTS), POINTS[0]), tuple(POINTS[:2])):
        pyexpr.count_regions(NET, *x, device=Switched())


DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int8, torch.uint8,
    torch.uint64, torch.bool,
]  # fmt: skip


@given(st.data())
def test_tensors_of_any_type_and_layout_are_the_points_they_hold(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from(DTYPES))
    layout = data.draw(st.sampled_from(["plain", "transposed", "strided", "expanded", "offset"]))
    seed, single = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.booleans())
    rng = np.random.default_rng(seed)
    base = torch.from_numpy(rng.normal(scale=3, size=(6, 6)))
    cast = (base.abs() if dtype in (torch.uint8, torch.uint64) else base).to(dtype)
    given = {
        "plain": cast.reshape(12, 3),
        "transposed": cast[:3].T,
        "strided": cast[::2, ::2],
        "expanded": cast[:1, :3].expand(4, 3),
        "offset": cast[1:, 3:],
    }[layout]
    given = given[0] if single else given
    held = given.numpy().astype(np.float64)
    other = rng.normal(size=3)
    check(HOST, NET, given, tensor(other), host=(held, other))
    check(HOST, NET, tensor(other), given, host=(other, held))


def test_gradients_and_minuses_yet_to_be_taken() -> None:
    x0, x1 = POINTS[:2]
    given = tensor(x0).requires_grad_()
    other = tensor(x1).requires_grad_() * 1
    negated = torch.complex(tensor(0 * x0), tensor(x0)).conj().imag
    assert negated.is_neg()
    expected = pyexpr.count_regions(NET, x0, x1)
    turned = pyexpr.count_regions(NET, -x0, x1)
    for device in ("cpu", HOST):
        assert pyexpr.count_regions(NET, given, other, device=device) == expected
        assert pyexpr.count_regions(NET, negated, tensor(x1), device=device) == turned
    assert given.requires_grad


def test_one_of_a_device_and_one_of_the_host() -> None:
    for x0 in (POINTS, POINTS[0]):
        for x1 in (-POINTS, -POINTS[1]):
            for other in (x1.tolist(), x1, np.asfortranarray(x1), [*x1]):
                check(HOST, NET, tensor(x0), other, host=(x0, x1))
                check(HOST, NET, other, tensor(x0), host=(x1, x0))
    check(HOST, NET, tensor(POINTS), [0, 2**60, 1], host=(POINTS, [0, 2**60, 1]))


def test_a_module_is_converted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    converted, export = [], torch.export.export

    def counting(*arguments: Any, **options: Any) -> Any:
        converted.append(arguments)
        return export(*arguments, **options)

    monkeypatch.setattr(torch.export, "export", counting)
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()).eval()
    for x0 in (POINTS[0], tensor(POINTS[0])):
        converted.clear()
        pyexpr.count_regions(module, x0, POINTS[1], device=HOST)
        assert len(converted) == 1


def test_stacks_and_images() -> None:
    check(HOST, STACK, tensor(POINTS), tensor(-POINTS), host=(POINTS, -POINTS))
    check(HOST, STACK, tensor(POINTS[0]), tensor(POINTS[1]), host=(POINTS[0], POINTS[1]))
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 2), torch.nn.ReLU(), torch.nn.Flatten())
    images = torch.rand(4, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    net = pyexpr.as_network(module.eval(), input_shape=(1, 3, 3))
    check(HOST, net, images, images.flip(0))
    check(HOST, net, images[0], images[1])
    check(HOST, module, images[0], images[1])


@pytest.mark.parametrize("call", CALLS)
def test_no_lines(call: str) -> None:
    none = np.empty((0, 3))
    for x in ((tensor(none), tensor(none)), (tensor(none), [0.0] * 3), (POINTS[0], tensor(none))):
        host = [np.asarray(points) for points in x]
        for net in (NET, STACK):
            found = CALLS[call](net, *x, device=HOST)
            assert found.shape == CALLS[call](net, *host).shape
            assert found.size == 0


@pytest.mark.parametrize("number", [2**53, 2**53 + 2, 2**60, -(2**62), -(2**63), 2**63])
def test_large_integers_that_float64_holds(number: int) -> None:
    dtype = torch.int64 if number < 2**63 else torch.uint64
    given = torch.tensor([1, number, 0], dtype=dtype)
    check(HOST, NET, given, tensor(POINTS[0]), host=(given.numpy(), POINTS[0]))


# Errors.

LARGE = 2**53 + 1


@pytest.mark.parametrize(
    ("x0", "x1", "error", "text"),
    [
        (torch.zeros(4), [0.0] * 3, ValueError, r"x0 has shape \(4,\), but.*input is \(3,\)"),
        ([0.0] * 3, torch.zeros(()), ValueError, r"x1 has shape \(\)"),
        (torch.zeros(2, 2, 3), [0.0] * 3, ValueError, r"x0 has shape \(2, 2, 3\)"),
        (torch.zeros(2, 3), [0.0], ValueError, r"x1 has shape \(1,\)"),
        (torch.zeros(2, 3), torch.zeros(3, 3), ValueError, "x0 has 2 points and x1 3"),
        (torch.zeros(3, dtype=torch.complex64), [0.0] * 3, TypeError, "x0 is.*complex64.*floats"),
        (torch.zeros(3), [0.0, 1j, 0.0], TypeError, "x1 is.*floats"),
        (torch.zeros(3), "abc", TypeError, "x1 is 'abc'"),
        (torch.zeros(3), np.ma.masked_array([1, 2, 3]), TypeError, "x1 is a masked array"),
        (torch.zeros(3), pyexpr.Line([0.0], [1.0]), TypeError, "x1 is Line"),
        (torch.zeros(3), [[1.0, 2.0, 3.0], [1.0]], ValueError, "x1 is no array"),
        (torch.zeros(3, dtype=torch.bfloat16), [0.0] * 3, TypeError, "x0 is a Tensor.*DLPack"),
        ([0.0] * 3, torch.zeros(3).to_sparse(), TypeError, "x1 is a Tensor.*DLPack.*strided"),
        (torch.zeros(3, device="meta"), [0.0] * 3, TypeError, "x0 is a Tensor.*meta"),
        (torch.tensor([0.0, np.nan, 0.0]), [0.0] * 3, ValueError, "x0 holds nan"),
        ([0.0] * 3, torch.tensor([[0.0] * 3, [0.0, 0.0, -np.inf]]), ValueError, r"x1\[1\].*-inf"),
        (torch.zeros(3), [0.0, 0.0, np.inf], ValueError, "x1 holds inf"),
        (torch.tensor([0, LARGE, 0]), [0.0] * 3, ValueError, f"x0 holds {LARGE}.*exactly"),
        (torch.tensor([0, -LARGE, 0]), [0.0] * 3, ValueError, f"x0 holds -{LARGE}.*exactly"),
        (torch.tensor([0, 2**63 - 1, 0]), [0.0] * 3, ValueError, f"x0 holds {2**63 - 1}"),
        (torch.zeros(3), [0, LARGE, 0.5], ValueError, f"x1 holds {LARGE}.*exactly"),
        (torch.zeros(3), None, TypeError, "trajectory is a Tensor"),
    ],
)
def test_what_are_no_points(x0: Any, x1: Any, error: type[Exception], text: str) -> None:
    for net in (NET, STACK):
        with pytest.raises(error, match=text):
            pyexpr.count_regions(net, x0, x1, device=HOST)


def test_an_overflow_names_the_line() -> None:
    steep = [(np.full((3, 3), 1e200), np.zeros(3))] * 3
    ends = torch.tensor([[0.0] * 3, [1.0, 2.0, 3.0]])
    with pytest.raises(OverflowError, match="along line 1;"):
        pyexpr.count_regions(steep, torch.zeros(2, 3), ends, device=HOST)
    with pytest.raises(OverflowError, match=r"networks\[0\]"):
        pyexpr.count_regions(NetworkStack([steep]), torch.ones(3), ends[1], device=HOST)


# Runs that stop in the middle, and several at once.

WIDE = Network.random([3, 20, 20, 2], "hard_tanh", 20.0, 0.1, seed=2)


def test_an_interrupted_count_leaves_a_device_that_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    check_interrupted(HostDevice(), monkeypatch, WIDE, *POINTS[:2])
    check_interrupted(HostDevice(), monkeypatch, STACK, POINTS, -POINTS)


def test_an_exception_in_progress_stops_a_count() -> None:
    class Enough(Exception):
        pass

    def stop(share: float) -> None:
        raise Enough

    with pytest.raises(Enough):
        pyexpr.count_regions(WIDE, *POINTS[:2], device=HOST, progress=stop)
    check(HOST, WIDE, *POINTS[:2])


def test_counts_in_many_python_threads_do_not_disturb_each_other() -> None:
    count_in_threads(HOST, WIDE, *POINTS[:2])


def test_products_stay_in_float64_until_the_last_thread_is_done() -> None:
    cupy = pytest.importorskip("cupy")
    linalg = cupy._core._routines_linalg
    before = linalg.get_compute_type(np.float64)
    assert before != linalg.COMPUTE_TYPE_PEDANTIC
    first_in, both_in = Event(), Event()
    seen: list[int] = []

    def enter_and_leave_first() -> None:
        with _as_bounded(cupy):
            first_in.set()
            both_in.wait(10)

    first = Thread(target=enter_and_leave_first)
    first.start()
    first_in.wait(10)
    with _as_bounded(cupy):
        both_in.set()
        first.join()
        seen.append(linalg.get_compute_type(np.float64))
    assert seen == [linalg.COMPUTE_TYPE_PEDANTIC]
    assert linalg.get_compute_type(np.float64) == before
