"""Networks: construction, forward evaluation, printing, immutability, pickling, threads."""

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from judge import check_close, exact, largest_sums, network
from oracle import RELU, OracleLayer, evaluate, from_network
from strategies import ACTIVATIONS, Case, cases, oracle_layers

import pyexpr
from pyexpr import Network, PiecewiseLinear
from pyexpr.activations import BY_NAME

Floats = npt.NDArray[np.float64]
LAYERS: list[tuple[list[list[float]], list[float]]] = [
    ([[1.0, 2.0], [3.0, -4.0]], [0.5, -0.25]),
    ([[1.0, -1.0]], [2.0]),
]


# The functions, each written once more in numpy.

FUNCTIONS: dict[str, tuple[str, PiecewiseLinear, Callable[[Floats], Floats]]] = {
    "ReLU": ("relu", pyexpr.ReLU(), lambda z: np.maximum(z, 0)),
    "LeakyReLU": ("leaky_relu", pyexpr.LeakyReLU(), lambda z: np.where(z > 0, z, 0.01 * z)),
    "HardTanh": ("hard_tanh", pyexpr.HardTanh(), lambda z: np.clip(z, -1, 1)),
    "Hardtanh": ("hardtanh", pyexpr.HardTanh(), lambda z: np.clip(z, -1, 1)),
    "ReLU6": ("relu6", pyexpr.ReLU6(), lambda z: np.clip(z, 0, 6)),
    "HardSigmoid": ("hard_sigmoid", pyexpr.HardSigmoid(), lambda z: np.clip(z / 6 + 0.5, 0, 1)),
    "Abs": ("abs", pyexpr.Abs(), np.abs),
}
Z = np.array([-7.0, -6, -3.5, -3, -1, -0.5, -1e-300, 0, 1e-300, 0.25, 1, 2, 3, 5.5, 6, 7])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_activation_is_its_function(name: str) -> None:
    text, phi, function = FUNCTIONS[name]
    np.testing.assert_allclose(phi(Z), function(Z), rtol=1e-15, atol=1e-15)
    by_name = Network.dense(LAYERS, text).layers[0].activation
    assert by_name == phi
    assert phi(Z.reshape(4, 4)).shape == (4, 4)


def test_every_name_is_tested() -> None:
    assert {text for text, _, _ in FUNCTIONS.values()} == {*BY_NAME}
    assert {*BY_NAME} <= {*ACTIVATIONS, "hardtanh"}  # what is drawn for the oracle


@pytest.mark.parametrize(
    ("phi", "letters"),
    [
        (pyexpr.ReLU(), [0, 1]),
        (pyexpr.LeakyReLU(), [0, 1]),
        (pyexpr.PReLU([0.25]), [0, 1]),
        (pyexpr.Abs(), [0, 1]),
        (pyexpr.HardTanh(), [-1, 0, 1]),
        (pyexpr.HardTanh(-2.0, 0.5), [-1, 0, 1]),
        (pyexpr.Clip(-1.0, 1.0), [0, 1, 2]),
        (pyexpr.ReLU6(), [0, 1, 2]),
        (pyexpr.HardSigmoid(), [0, 1, 2]),
        (PiecewiseLinear([0.0, 1.0, 2.0], [1.0, 0.0, 1.0, 2.0]), [0, 1, 2, 3]),
        (PiecewiseLinear([0.0], [1.0, 2.0], first_letter=7), [7, 8]),
    ],
)
def test_letters_run_from_the_first(phi: PiecewiseLinear, letters: list[int]) -> None:
    net = Network.dense([([[1.0]], [0.0]), ([[1.0]], [0.0])], [phi])
    trace = pyexpr.trace(net, [-100.0], [100.0])
    assert trace.patterns().tolist() == [[letter] for letter in letters]
    assert trace.transitions["before"].tolist() == letters[:-1]
    assert trace.transitions["after"].tolist() == letters[1:]


def test_limits_can_be_any() -> None:
    z = np.array([-3.0, -2, 0, 0.25, 0.5, 1])
    assert pyexpr.HardTanh(-2.0, 0.5)(z).tolist() == [-2, -2, 0, 0.25, 0.5, 0.5]
    assert pyexpr.Clip(0.25, 0.5)(z).tolist() == [0.25, 0.25, 0.25, 0.25, 0.5, 0.5]


def test_prelu_has_a_slope_for_every_neuron() -> None:
    phi = pyexpr.PReLU([0.25, 0.0, -1.0, 1.0])
    assert phi([-4.0, -4, -4, -4]).tolist() == [-1, 0, 4, -4]
    assert phi([[4.0, 4, 4, 4]]).tolist() == [[4, 4, 4, 4]]


def test_a_general_function_is_continuous_through_its_value() -> None:
    phi = PiecewiseLinear([1.0, 2.0, 4.0], [-1.0, 2.0, 0.0, 3.0], 10.0)
    assert phi([0.0, 1, 2, 3, 4, 5]).tolist() == [11, 10, 12, 12, 12, 15]


def test_activations_are_values() -> None:
    phi = pyexpr.HardTanh()
    same = PiecewiseLinear([-1, 1], [0, 1, 0], -1, first_letter=-1)
    assert phi == same
    assert hash(phi) == hash(same)
    assert len({phi, same, pyexpr.Clip(-1.0, 1.0), pyexpr.HardTanh(-1.0, 2.0)}) == 3
    assert pyexpr.LeakyReLU(0.0) == pyexpr.ReLU() != pyexpr.Abs()
    assert pickle.loads(pickle.dumps(phi)) == phi
    assert eval(repr(phi), {"PiecewiseLinear": PiecewiseLinear}) == phi


def test_activations_cannot_be_changed() -> None:
    phi: Any = pyexpr.PReLU([0.25, 0.5])
    for array in (phi.breakpoints, phi.slopes, pickle.loads(pickle.dumps(phi)).slopes):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 1
    with pytest.raises(AttributeError):
        phi.value = 1.0


def test_the_arrays_that_made_an_activation_are_not_its_own() -> None:
    breakpoints, slopes = np.array([0.0]), np.array([0.0, 1.0])
    phi = PiecewiseLinear(breakpoints, slopes)
    breakpoints[0] = slopes[0] = 5.0
    assert phi == pyexpr.ReLU()
    assert breakpoints.flags.writeable


# Forward evaluation.


@given(cases())
def test_forward_evaluation_is_close_to_the_exact_one(case: Case) -> None:
    net, layers = network(case), oracle_layers(case)
    points = np.stack([case.x0, case.x1, (case.x0 + case.x1) / 2])
    scale = largest_sums(layers, exact(case.x0), exact(case.x1))
    check_close(net(points), [list(evaluate(layers, x)) for x in points], scale)


@given(cases())
def test_a_batch_is_its_points(case: Case) -> None:
    # Up to the order of summation, which a matrix product may choose by its shape.
    net = network(case)
    scale = largest_sums(oracle_layers(case), exact(case.x0), exact(case.x1))
    batch = net(np.stack([case.x0, case.x1]))
    assert net(case.x0).shape == net.output_shape
    check_close(batch, [exact(net(case.x0)), exact(net(case.x1))], scale)


@pytest.mark.parametrize("name", ["ReLU", "HardTanh", "Abs", "ReLU6"])
def test_forward_evaluation_is_numpys(name: str) -> None:
    text, _, function = FUNCTIONS[name]
    net = Network.random([20, 50, 40, 30, 5], text, bias_variance=0.5, seed=3)
    x = np.random.default_rng(0).standard_normal((100, 20))
    h = x
    for layer in net.layers[:-1]:
        h = function(h @ layer.weight.T + layer.bias)
    expected = h @ net.layers[-1].weight.T + net.layers[-1].bias
    np.testing.assert_allclose(net(x), expected, rtol=1e-10, atol=1e-12)
    assert net(x).shape == (100, 5)
    assert net(x[:0]).shape == (0, 5)


def test_a_network_is_read_as_the_oracle_reads_it() -> None:
    layers = from_network(Network.dense(LAYERS))
    written = [OracleLayer(LAYERS[0][0], LAYERS[0][1], RELU), OracleLayer(*LAYERS[1], None)]
    for x in ([1.0, 2.0], [-1.0, 0.5], [0.0, 0.0]):
        assert evaluate(layers, x) == evaluate(written, x)


# Construction.


def test_a_dense_network_has_its_layers() -> None:
    net = Network.dense(LAYERS, "hard_tanh")
    assert [layer.weight.tolist() for layer in net.layers] == [w for w, _ in LAYERS]
    assert [layer.bias.tolist() for layer in net.layers] == [b for _, b in LAYERS]
    assert [layer.activation for layer in net.layers] == [pyexpr.HardTanh(), None]
    assert (net.input_shape, net.output_shape) == ((2,), (1,))
    assert (net.n_neurons, net.neurons_per_layer) == (2, (2,))
    assert all(layer.weight.dtype == layer.bias.dtype == np.float64 for layer in net.layers)


def test_an_affine_network_has_no_neurons() -> None:
    net = Network.dense([([[2.0]], [1.0])])
    assert (net.n_neurons, net.neurons_per_layer) == (0, ())
    assert net([3.0]).tolist() == [7.0]
    assert pyexpr.count_regions(net, [0.0], [1.0]) == 1
    assert pyexpr.count_transitions(net, [0.0], [1.0]) == 0
    assert pyexpr.count_transitions(net, [0.0], [1.0], per="layer").shape == (0,)
    assert pyexpr.count_transitions(net, [0.0], [1.0], per="neuron").shape == (0,)
    trace = pyexpr.trace(net, [0.0], [1.0])
    assert trace.patterns().shape == (1, 0)
    assert trace.values.tolist() == [[1.0], [3.0]]


def test_every_hidden_layer_can_have_its_own_activation() -> None:
    weights = [([[1.0]], [0.0])] * 4
    net = Network.dense(weights, ["relu", pyexpr.Abs(), "hard_tanh"])
    expected = [pyexpr.ReLU(), pyexpr.Abs(), pyexpr.HardTanh(), None]
    assert [layer.activation for layer in net.layers] == expected


def test_a_random_network_has_the_variances_asked_for() -> None:
    net = Network.random([400, 500, 300], "abs", weight_variance=3.0, bias_variance=0.25, seed=1)
    first, last = net.layers
    assert (first.weight.shape, last.weight.shape) == ((500, 400), (300, 500))
    # 200,000 and 150,000 weights: their variance is known to 1 %, that of 500 biases to 30 %.
    assert first.weight.var() * 400 == pytest.approx(3.0, rel=0.02)
    assert last.weight.var() * 500 == pytest.approx(3.0, rel=0.02)
    assert first.bias.var() == pytest.approx(0.25, rel=0.3)
    assert abs(first.weight.mean()) < 1e-3
    assert [layer.activation for layer in net.layers] == [pyexpr.Abs(), None]


def test_a_random_network_is_its_seed() -> None:
    def weights(seed: int) -> list[list[float]]:
        return [
            layer.weight.ravel().tolist() for layer in Network.random([3, 4, 2], seed=seed).layers
        ]

    assert weights(5) == weights(5) != weights(6)
    assert not Network.random([3, 4, 2]).layers[0].bias.any()


def test_as_network_takes_networks_pairs_and_paths(tmp_path: Path) -> None:
    net = Network.dense(LAYERS)
    path = tmp_path / "net.npz"
    pyexpr.save(net, path)
    assert pyexpr.as_network(net) is net
    x = [0.3, -0.7]
    kinds: list[Any] = [LAYERS, tuple(LAYERS), [list(layer) for layer in LAYERS], path, str(path)]
    for obj in kinds:
        other = pyexpr.as_network(obj)
        assert other(x).tolist() == net(x).tolist()
        assert pyexpr.count_regions(obj, [-1, -1], [1, 2]) == pyexpr.count_regions(
            net, [-1, -1], [1, 2]
        )


# Inputs of every kind.

X0, X1 = np.array([-4.0, 2.0]), np.array([3.0, -1.0])


def strided(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    padded = np.full((*x.shape, 2), 77, x.dtype)
    padded[..., 0] = x
    return padded[..., 0]


def frozen(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    x = x.copy()
    x.setflags(write=False)
    return x


KINDS: dict[str, Callable[[Floats], Any]] = {
    "list": lambda x: x.tolist(),
    "tuple": lambda x: tuple(x.tolist()),
    "integers in a list": lambda x: x.astype(int).tolist(),
    "int8": lambda x: x.astype(np.int8),
    "int64": lambda x: x.astype(np.int64),
    "float16": lambda x: x.astype(np.float16),
    "float32": lambda x: x.astype(np.float32),
    "longdouble": lambda x: x.astype(np.longdouble),
    "big-endian": lambda x: x.astype(">f8"),
    "strided": strided,
    "reversed": lambda x: x[::-1].copy()[::-1],
    "read-only": frozen,
    "strided float32": lambda x: strided(x.astype(np.float32)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_end_points_of_every_kind(kind: str) -> None:
    net = Network.dense(LAYERS)
    expected = pyexpr.trace(net, X0, X1)
    x0, x1 = KINDS[kind](X0), KINDS[kind](X1)
    before = copy.deepcopy((x0, x1))
    trace = pyexpr.trace(net, x0, x1)
    assert trace.t.tolist() == expected.t.tolist()
    assert len(expected.t) > 0
    assert pyexpr.count_regions(net, x0, x1) == expected.n_pieces
    assert net(x0).tolist() == net(X0).tolist()
    assert all(np.array_equal(a, b) for a, b in zip(before, (x0, x1), strict=True))


def test_booleans_are_zeros_and_ones() -> None:
    net = Network.dense(LAYERS)
    assert pyexpr.count_regions(net, np.array([False, True]), [True, False]) == (
        pyexpr.count_regions(net, [0.0, 1.0], [1.0, 0.0])
    )


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_every_kind(kind: str) -> None:
    make = KINDS[kind]
    integer: list[tuple[Floats, Floats]] = [
        (np.array([[1.0, 2.0], [3.0, -4.0]]), np.array([5.0, -2.0]))
    ]
    integer.append((np.array([[1.0, -1.0]]), np.array([2.0])))
    given = [(make(w), make(b)) for w, b in integer]
    before = copy.deepcopy(given)
    net = Network.dense(given)
    assert [layer.weight.tolist() for layer in net.layers] == [w.tolist() for w, _ in integer]
    assert [layer.bias.tolist() for layer in net.layers] == [b.tolist() for _, b in integer]
    expected = Network.dense(integer)
    assert pyexpr.count_regions(given, X0, X1) == pyexpr.count_regions(expected, X0, X1)
    for (w, b), (old_w, old_b) in zip(given, before, strict=True):
        assert np.array_equal(w, old_w)
        assert np.array_equal(b, old_b)


def test_fortran_order_is_no_transpose() -> None:
    weight = np.arange(6.0).reshape(2, 3)
    net = Network.dense([(np.asfortranarray(weight), [0.0, 0.0])])
    assert net.layers[0].weight.tolist() == weight.tolist()


# Immutability.


def test_weights_cannot_be_written() -> None:
    pickled: Any = pickle.loads(pickle.dumps(Network.dense(LAYERS)))
    networks: list[Any] = [Network.dense(LAYERS), pickled]
    for net in networks:
        for layer in net.layers:
            for array in (layer.weight, layer.bias):
                with pytest.raises(ValueError, match="read-only"):
                    array[...] = 0
                with pytest.raises(ValueError, match="WRITEABLE"):
                    array.setflags(write=True)
            with pytest.raises(AttributeError):
                layer.weight = np.zeros((1, 1))
        with pytest.raises(AttributeError):
            net.layers = ()
        with pytest.raises(AttributeError):
            net.anything = 1


def test_the_arrays_that_made_a_network_are_not_its_own() -> None:
    weight, bias = np.array([[1.0, 2.0]]), np.array([3.0])
    net = Network.dense([(weight, bias)])
    weight[...] = bias[...] = 0
    assert net.layers[0].weight.tolist() == [[1.0, 2.0]]
    assert net.layers[0].bias.tolist() == [3.0]


def test_weights_outlive_their_network() -> None:
    weight = Network.random([30, 40, 2], seed=0).layers[0].weight
    expected = Network.random([30, 40, 2], seed=0).layers[0].weight
    Network.random([30, 40, 2], seed=1)  # may take the memory, were it free
    assert np.array_equal(weight, expected)


def test_copies_are_the_same_network() -> None:
    net = Network.dense(LAYERS)
    for other in (copy.copy(net), copy.deepcopy(net)):
        assert [layer.weight.tolist() for layer in other.layers] == [w for w, _ in LAYERS]


# Printing.


def test_a_printed_network_has_a_line_for_every_layer() -> None:
    net = Network.dense([([[1.0] * 7] * 11, [0.0] * 11), ([[1.0] * 11] * 13, [0.0] * 13)], "abs")
    text = str(net)
    first = next(line for line in text.splitlines() if "7" in line and "11" in line)
    assert "dense" in first
    assert "abs" in text.lower()
    assert any("11" in line and "13" in line for line in text.splitlines())
    # 7 11 + 11 + 11 13 + 13 parameters.
    assert "244" in text
    assert "11 neurons" in text
    assert "Network" in repr(net)
    assert "\n" not in repr(net)


def test_a_deep_network_has_a_short_repr() -> None:
    assert len(repr(Network.random([5] * 200))) < 100


# Processes and threads.

SEGMENT = (np.full(8, -3.0), np.linspace(1.0, 4.0, 8))


def counts_and_weights(net: Network) -> tuple[int, int, list[bytes]]:
    arrays = [a for layer in net.layers for a in (layer.weight, layer.bias)]
    return (
        pyexpr.count_regions(net, *SEGMENT),
        pyexpr.count_transitions(net, *SEGMENT),
        [a.tobytes() for a in arrays],
    )


@pytest.mark.parametrize("activation", ["relu", "hard_tanh", pyexpr.PReLU(np.linspace(-1, 1, 32))])
def test_a_network_survives_the_way_to_another_process(activation: str | PiecewiseLinear) -> None:
    net = Network.random([8, 32, 32, 3], activation, 4.0, 0.5, seed=1)
    expected = counts_and_weights(net)
    assert expected[0] > 10
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert pool.submit(counts_and_weights, net).result() == expected


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_network_is_the_network(protocol: int) -> None:
    net = Network.random([8, 32, 32, 3], ["relu", "hard_tanh"], 4.0, 0.5, seed=1)
    other = pickle.loads(pickle.dumps(net, protocol))
    assert counts_and_weights(other) == counts_and_weights(net)
    assert [a.activation for a in other.layers] == [a.activation for a in net.layers]


def test_threads_share_a_network() -> None:
    net = Network.random([8, 48, 48, 48, 3], "hard_tanh", 30.0, 0.5, seed=2)
    rng = np.random.default_rng(0)
    segments = [tuple(rng.standard_normal((2, 8)) * 3) for _ in range(40)]
    expected = [pyexpr.count_transitions(net, *segment) for segment in segments]
    fresh = pickle.loads(pickle.dumps(net))  # nothing computed yet that threads could share
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda segment: pyexpr.count_transitions(fresh, *segment), segments))
    assert found == expected
    assert len(set(expected)) > 20
