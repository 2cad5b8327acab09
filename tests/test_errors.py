"""Bad input: the type of the error, and that its message names the argument."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest

import pyexpr
from pyexpr import Network, PiecewiseLinear

NET = Network.dense([([[1.0, 2.0], [3.0, 4.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0])])
W, B = np.eye(2), np.zeros(2)
ZERO, ONE = [0.0, 0.0], [1.0, 1.0]

UNTYPED: Callable[..., Any] = PiecewiseLinear
CALLS: dict[str, Callable[..., Any]] = {
    "count_regions": pyexpr.count_regions,
    "count_patterns": pyexpr.count_patterns,
    "count_transitions": pyexpr.count_transitions,
    "trace": pyexpr.trace,
}


@dataclass
class Unreadable:
    """An array that cannot become one of numpy's."""

    error: type[Exception]

    def __array__(self, *_: object, **__: object) -> npt.NDArray[Any]:
        raise self.error("not to be read")


# What is wrong with a point: the value, the error, what the message says besides the name.
Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]
BAD_POINTS: dict[str, tuple[Any, Errors, str]] = {
    "too long": ([0.0, 0.0, 0.0], ValueError, r"\(3,\).*\(2,\)"),
    "too short": ([0.0], ValueError, r"\(1,\).*\(2,\)"),
    "empty": ([], ValueError, r"\(0,\)"),
    "too deep": ([[[0.0, 0.0]]], ValueError, r"\(1, 1, 2\)"),
    "a number": (0.0, ValueError, "network's input is"),
    "ragged": ([[0.0], [0.0, 1.0]], ValueError, ""),
    "unreadable": ([Unreadable(ValueError), 0.0], ValueError, "not to be read"),
    "unreadable as torch's with gradients": ([Unreadable(RuntimeError)], ValueError, ""),
    "unreadable as torch's of a GPU": ([Unreadable(TypeError)], TypeError, ""),
    "nan": ([0.0, float("nan")], ValueError, "nan.*finite"),
    "infinite": ([float("-inf"), 0.0], ValueError, "inf.*finite"),
    "float32 infinity": (np.array([np.inf, 0], np.float32), ValueError, "inf.*finite"),
    "complex": (np.array([0.0, 1j]), TypeError, "complex"),
    "complex in a list": ([0.0, 1j], TypeError, ""),
    "objects": (np.array([0.0, None]), TypeError, "object"),
    "strings": (["0", "1"], TypeError, ""),
    "one string": ("01", TypeError, ""),
    "bytes": (b"01", TypeError, ""),
    "none": (None, TypeError, ""),
    "dates": (np.array(["2020-01-01", "2020-01-02"], "M8[D]"), TypeError, ""),
    "a dictionary": ({0: 1.0, 1: 2.0}, TypeError, ""),
    "a set": ({0.0, 1.0}, TypeError, ""),
    "integers beyond float64": (np.array([2**53 + 1, 0]), ValueError, "9007199254740993"),
    "the same in a list": ([2**53 + 1, 0], ValueError, "9007199254740993"),
    "the same among floats": ([2**53 + 1, 0.5], ValueError, "9007199254740993"),
    "unsigned integers beyond": (np.array([2**64 - 1, 0], np.uint64), ValueError, ""),
    "huge integers": ([10**400, 0], (TypeError, ValueError), ""),
    "long doubles beyond": (
        np.array([1, 0], np.longdouble) + np.finfo(np.longdouble).eps,
        ValueError,
        "",
    ),
}
if np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:  # a platform without long doubles
    del BAD_POINTS["long doubles beyond"]


@pytest.mark.parametrize("bad", BAD_POINTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_bad_end_point_is_named(call: str, bad: str) -> None:
    value, error, text = BAD_POINTS[bad]
    with pytest.raises(error, match=rf"(?s)x0.*{text}"):
        CALLS[call](NET, value, ONE)
    with pytest.raises(error, match=rf"(?s)x1.*{text}"):
        CALLS[call](NET, ZERO, value)


@pytest.mark.parametrize("bad", ["too long", "nan", "complex", "objects", "strings", "none"])
def test_a_bad_input_of_the_forward_pass_is_named(bad: str) -> None:
    value, error, _ = BAD_POINTS[bad]
    with pytest.raises(error, match="x "):
        NET(value)


@pytest.mark.parametrize("value", [0.0, [[[0.0, 0.0]]], [[0.0, 0.0, 0.0]], []])
def test_the_forward_pass_takes_points_and_batches_only(value: Any) -> None:
    with pytest.raises(ValueError, match=r"x has shape"):
        NET(value)


def test_exact_large_integers_are_accepted() -> None:
    # float64 holds 2^60 and 2^53 + 2.
    assert pyexpr.count_regions(NET, np.array([2**60, 0]), [2**53 + 2, 0]) >= 1


# Networks: arguments of Network.dense, the error, what the message says.

BAD_NETWORKS: dict[str, tuple[tuple[Any, ...], type[Exception], str]] = {
    "no layers": (([],), ValueError, "layers"),
    "none": ((None,), TypeError, "layers"),
    "a number": ((3,), TypeError, "layers"),
    "a string": (("W, b",), TypeError, "layers"),
    "a dictionary": (({"W": W},), TypeError, "layers"),
    "an array": ((W,), TypeError, "layers"),
    "a bare weight": (([W],), TypeError, r"layers\[0\]"),
    "three in a layer": (([(W, B, B)],), ValueError, r"layers\[0\].*3"),
    "one in a layer": (([(W,)],), ValueError, r"layers\[0\].*1"),
    "a weight vector": (([(B, B)],), ValueError, r"W of layers\[0\].*\(2,\)"),
    "a weight cube": (([(np.zeros((2, 2, 2)), B)],), ValueError, r"W of layers\[0\]"),
    "a bias matrix": (([(W, W)],), ValueError, r"b of layers\[0\].*\(2, 2\)"),
    "a bias number": (([(W, 0.0)],), ValueError, r"b of layers\[0\]"),
    "a long bias": (([(W, [0.0] * 3)],), ValueError, r"b of layers\[0\].*\(3,\)"),
    "no inputs": (([(np.zeros((2, 0)), B)],), ValueError, r"W of layers\[0\].*\(2, 0\)"),
    "no outputs": (([(np.zeros((0, 2)), [])],), ValueError, r"W of layers\[0\].*\(0, 2\)"),
    "layers that do not fit": (
        ([(W, B), (np.ones((1, 3)), [0.0])],),
        ValueError,
        r"W of layers\[1\].*\(1, 3\).*2",
    ),
    "nan weights": (([(W * np.nan, B)],), ValueError, r"W of layers\[0\].*nan.*finite"),
    "infinite bias": (([(W, [0.0, np.inf])],), ValueError, r"b of layers\[0\].*inf.*finite"),
    "nan in the second layer": (
        ([(W, B), (np.full((1, 2), np.nan), [0.0])],),
        ValueError,
        r"W of layers\[1\].*nan",
    ),
    "complex weights": (([(W * 1j, B)],), TypeError, r"W of layers\[0\].*complex"),
    "object weights": (([(W.astype(object), B)],), TypeError, r"W of layers\[0\].*object"),
    "strings": (([([["1", "2"]], [0.0])],), TypeError, r"W of layers\[0\]"),
    "object bias": (([(W, np.array([None, 1]))],), TypeError, r"b of layers\[0\].*object"),
    "ragged weights": (([([[1.0, 2.0], [3.0]], B)],), ValueError, r"W of layers\[0\]"),
    "integers beyond float64": (
        ([([[2**53 + 1, 0], [0, 1]], B)],),
        ValueError,
        r"W of layers\[0\].*9007199254740993",
    ),
    "an unknown activation": (([(W, B)] * 2, "gelu"), ValueError, "activation.*'gelu'.*relu"),
    "no activation": (([(W, B)] * 2, None), TypeError, "activation.*None"),
    "a function": (([(W, B)] * 2, np.tanh), TypeError, "activation"),
    "too many activations": (([(W, B)] * 2, ["relu"] * 2), ValueError, "activation.*2.*1"),
    "too few activations": (([(W, B)] * 3, ["relu"]), ValueError, "activation.*1.*2"),
    "an unknown one of two": (
        ([(W, B)] * 3, ["relu", "tanh"]),
        ValueError,
        r"activation\[1\].*'tanh'",
    ),
    "none of two": (([(W, B)] * 3, [None, "relu"]), TypeError, r"activation\[0\]"),
    "prelu slopes that do not fit": (
        ([(W, B)] * 2, pyexpr.PReLU([0.1, 0.2, 0.3])),
        ValueError,
        "activation.*3.*2",
    ),
}


@pytest.mark.parametrize("bad", BAD_NETWORKS)
def test_a_bad_network_is_refused(bad: str) -> None:
    arguments, error, text = BAD_NETWORKS[bad]
    with pytest.raises(error, match=rf"(?s){text}"):
        Network.dense(*arguments)


@pytest.mark.parametrize("net", [None, 3, {"W": 1}, W, b"net.npz", object()])
@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_network_is_named(call: str, net: Any) -> None:
    with pytest.raises(TypeError, match="net"):
        CALLS[call](net, ZERO, ONE)


BAD_RANDOM: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "one size": ({"sizes": [3]}, ValueError, "sizes"),
    "no sizes": ({"sizes": []}, ValueError, "sizes"),
    "a zero size": ({"sizes": [3, 0, 2]}, ValueError, r"sizes\[1\].*0"),
    "a negative size": ({"sizes": [3, 2, -1]}, ValueError, r"sizes\[2\].*-1"),
    "a fraction": ({"sizes": [3, 2.5]}, TypeError, r"sizes\[1\].*2.5"),
    "a number": ({"sizes": 3}, TypeError, "sizes"),
    "a string": ({"sizes": "32"}, TypeError, "sizes"),
    "a negative variance": (
        {"sizes": [3, 2], "weight_variance": -1.0},
        ValueError,
        "weight_variance.*-1",
    ),
    "a nan variance": ({"sizes": [3, 2], "bias_variance": float("nan")}, ValueError, "bias_var"),
    "a complex variance": ({"sizes": [3, 2], "bias_variance": 1j}, TypeError, "bias_variance"),
    "an unknown activation": ({"sizes": [3, 2, 2], "activation": "x"}, ValueError, "activation"),
    "a negative seed": ({"sizes": [3, 2], "seed": -1}, ValueError, "seed.*-1"),
    "a string seed": ({"sizes": [3, 2], "seed": "a"}, TypeError, "seed"),
}


@pytest.mark.parametrize("bad", BAD_RANDOM)
def test_a_bad_random_network_is_refused(bad: str) -> None:
    arguments, error, text = BAD_RANDOM[bad]
    with pytest.raises(error, match=text):
        Network.random(**arguments)


# Activations.

BAD_ACTIVATIONS: dict[str, tuple[Callable[[], PiecewiseLinear], type[Exception], str]] = {
    "no breakpoints": (lambda: PiecewiseLinear([], [1.0]), ValueError, "breakpoints"),
    "decreasing": (lambda: PiecewiseLinear([1.0, 0.0], [0.0] * 3), ValueError, "breakpoints"),
    "equal": (lambda: PiecewiseLinear([0.0, 0.0], [0.0] * 3), ValueError, "breakpoints"),
    "zeros of two signs": (
        lambda: PiecewiseLinear([-0.0, 0.0], [0.0] * 3),
        ValueError,
        "breakpoints",
    ),
    "nan": (lambda: PiecewiseLinear([float("nan")], [0.0] * 2), ValueError, "breakpoints.*nan"),
    "infinite": (lambda: PiecewiseLinear([float("inf")], [0.0] * 2), ValueError, "breakpoints"),
    "101 breakpoints": (
        lambda: PiecewiseLinear(np.arange(101.0), np.zeros(102)),
        ValueError,
        "breakpoints.*101",
    ),
    "a matrix": (lambda: PiecewiseLinear([[0.0]], [0.0] * 2), ValueError, "breakpoints"),
    "complex": (lambda: PiecewiseLinear([1j], [0.0] * 2), TypeError, "breakpoints"),
    "too few slopes": (lambda: PiecewiseLinear([0.0], [1.0]), ValueError, "slopes"),
    "too many slopes": (lambda: PiecewiseLinear([0.0], [1.0] * 3), ValueError, "slopes"),
    "too wide slopes": (lambda: PiecewiseLinear([0.0], [[1.0] * 3]), ValueError, "slopes"),
    "no neurons": (lambda: PiecewiseLinear([0.0], np.zeros((0, 2))), ValueError, "slopes"),
    "nan slopes": (lambda: PiecewiseLinear([0.0], [0.0, np.nan]), ValueError, "slopes.*nan"),
    "object slopes": (
        lambda: PiecewiseLinear([0.0], np.array([None, 1.0])),
        TypeError,
        "slopes.*object",
    ),
    "infinite value": (lambda: PiecewiseLinear([0.0], [0.0] * 2, np.inf), ValueError, "value"),
    "complex value": (lambda: UNTYPED([0.0], [0.0] * 2, 1j), TypeError, "value"),
    "a letter of one half": (
        lambda: UNTYPED([0.0], [0.0] * 2, first_letter=0.5),
        TypeError,
        "first_letter",
    ),
    "a letter beyond int8": (
        lambda: PiecewiseLinear([0.0], [0.0] * 2, first_letter=127),
        ValueError,
        "first_letter.*127",
    ),
    "a letter below int8": (
        lambda: PiecewiseLinear([0.0], [0.0] * 2, first_letter=-129),
        ValueError,
        "first_letter.*-129",
    ),
    "swapped limits": (lambda: pyexpr.HardTanh(1.0, -1.0), ValueError, "low"),
    "equal limits": (lambda: pyexpr.Clip(1.0, 1.0), ValueError, "low"),
    "infinite limits": (lambda: pyexpr.Clip(0.0, np.inf), ValueError, "high"),
    "a leak of nan": (lambda: pyexpr.LeakyReLU(float("nan")), ValueError, "negative_slope"),
    "prelu of a number": (lambda: pyexpr.PReLU(0.25), ValueError, "negative_slopes"),
    "prelu of a matrix": (lambda: pyexpr.PReLU([[0.25]]), ValueError, "negative_slopes"),
    "prelu of nothing": (lambda: pyexpr.PReLU([]), ValueError, "slopes"),
}


@pytest.mark.parametrize("bad", BAD_ACTIVATIONS)
def test_a_bad_activation_is_refused(bad: str) -> None:
    make, error, text = BAD_ACTIVATIONS[bad]
    with pytest.raises(error, match=rf"(?s){text}"):
        make()


# Options.


@pytest.mark.parametrize("kind", ["regions", "", "LINEAR", None, 1])
def test_an_unknown_kind_is_named(kind: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"kind.*activation"):
        pyexpr.count_regions(NET, ZERO, ONE, kind=kind)


@pytest.mark.parametrize("per", ["neurons", "", None, 1])
def test_an_unknown_per_is_named(per: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"per.*neuron"):
        pyexpr.count_transitions(NET, ZERO, ONE, per=per)


def test_options_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        CALLS["count_regions"](NET, ZERO, ONE, "linear")
    with pytest.raises(TypeError):
        CALLS["count_transitions"](NET, ZERO, ONE, "total")


# Overflow inside the network: never a count.

LARGE = 1e200 * np.array([[1.0], [-1.0], [0.5]])
READ = np.array([[1e200, -1e200, 1e200]])

OVERFLOWING: dict[str, tuple[list[tuple[Any, Any]], list[float], list[float]]] = {
    "one layer": ([(np.array([[1e200]]), [0.0]), ([[1.0]], [0.0])], [-1e200], [1e200]),
    "a hidden layer in the middle": (
        [(LARGE, [0.0] * 3), (READ, [0.0]), ([[1e-300]], [0.0]), ([[1.0]], [0.0])],
        [-1.0],
        [2.0],
    ),
    "a sum": ([([[1.5e308, 1.5e308]], [0.0]), ([[1.0]], [0.0])], [1.0, 1.0], [2.0, 0.5]),
}


@pytest.mark.parametrize("name", OVERFLOWING)
@pytest.mark.parametrize("call", CALLS)
def test_overflow_is_an_error(call: str, name: str) -> None:
    layers, x0, x1 = OVERFLOWING[name]
    with pytest.raises(OverflowError, match="float64"):
        CALLS[call](Network.dense(layers), x0, x1)
    assert pyexpr.count_regions(NET, ZERO, ONE) == 1  # and the next count is right


@pytest.mark.parametrize("call", [pyexpr.count_regions, pyexpr.trace])
def test_overflow_of_the_output_is_an_error_where_it_is_read(call: Callable[..., Any]) -> None:
    with pytest.raises(OverflowError, match="float64"):
        call(Network.dense([(LARGE, [0.0] * 3), (READ, [0.0])]), [-1.0], [2.0])
    with pytest.raises(OverflowError, match="float64"):
        call(Network.dense([([[1e200]], [0.0])]), [1e200], [-1e200])


def test_patterns_and_transitions_do_not_read_the_output() -> None:
    net = Network.dense([(LARGE, [0.0] * 3), (READ, [0.0])])  # all three switch at x = 0
    assert pyexpr.count_patterns(net, [-1.0], [2.0]) == 2
    assert pyexpr.count_transitions(net, [-1.0], [2.0]) == 3


def test_a_slope_beyond_float64_is_no_bend() -> None:
    # f(x) = w x with a slope that overflows on narrow regions; the other neurons are not read.
    biases = -np.random.default_rng(0).uniform(0, 1, 20)
    hidden = (np.array([[8 * (1 - 2.0**-53)], *[[1.0]] * 20]), np.array([0.0, *biases]))
    read = (np.array([[2.0**1021, *[0.0] * 20]]), [0.0])
    net = Network.dense([hidden, read])
    assert pyexpr.count_regions(net, [0.0], [1.0]) == 1
    assert pyexpr.count_regions(net, [0.0], [1.0], kind="activation") == 21
