"""The engine that works on arrays, with its kernels on the host, against the exact oracle and the
core: where there is no GPU, this is what a GPU would count."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from array_engine import small_device, small_transfers
from corpus import CORPUS, tents
from device_judge import check
from graph_corpus import CORPUS as GRAPHS
from hypothesis import given, settings
from judge import counted, expected_counts, hidden_widths, network
from oracle import analyse
from strategies import Case, cases, oracle_layers
from test_graph import segments

import pyexpr
from pyexpr.build import Builder
from pyexpr.cuda import networks
from pyexpr.cuda.devices import HostDevice
from pyexpr.graph import Activation, Affine, Graph, Input, Node
from pyexpr.operations import Convolution, Dense

Array = npt.NDArray[np.float64]

RNG = np.random.default_rng(5)
DEVICE = HostDevice()
RELU = pyexpr.Network.random([12, 40, 40, 40, 3], "relu", 2.0, 0.1, seed=1)
HARD_TANH = pyexpr.Network.random([12, 30, 30, 30, 3], "hard_tanh", 30.0, 0.1, seed=2)
# Whose first levels are kept in double-double.
DEEP = pyexpr.Network.random([6, *[24] * 30, 2], "relu", 6.0, 0.1, seed=3)


@pytest.mark.parametrize("name", CORPUS)
def test_every_degenerate_case(name: str) -> None:
    # The core's counts are the oracle's: see test_corpus.
    case = CORPUS[name]
    net, ends = network(case), (case.x0, case.x1)
    assert counted(net, *ends, device=small_device([net], 3)) == counted(net, *ends)


@settings(max_examples=50)
@given(cases(), st.integers(2, 20))
def test_small_networks(case: Case, chunk: int) -> None:
    net, layers = network(case), oracle_layers(case)
    with small_transfers():
        found = counted(net, case.x0, case.x1, device=small_device([net], chunk))
    analysis = analyse(layers, case.x0, case.x1)
    assert found == expected_counts(analysis, hidden_widths(layers))


@pytest.mark.parametrize("name", GRAPHS)
def test_every_degenerate_graph(name: str) -> None:
    check_graph(*GRAPHS[name])


@settings(max_examples=50)
@given(segments())
def test_graphs(segment: tuple[Graph, Array, Array]) -> None:
    check_graph(*segment)


def check_graph(graph: Graph, x0: Array, x1: Array) -> None:
    net = pyexpr.Network(graph)
    assert counted(net, x0, x1, device=small_device([net], 5)) == counted(net, x0, x1)


@pytest.mark.parametrize("net", [RELU, HARD_TANH], ids=["relu", "hard-tanh"])
@pytest.mark.parametrize("chunk", [2, 7, 64, 10**6])
def test_no_count_depends_on_the_size_of_runs(net: pyexpr.Network, chunk: int) -> None:
    x0, x1 = RNG.normal(size=(2, 12))
    assert counted(net, x0, x1, device=small_device([net], chunk)) == counted(net, x0, x1)


def test_deep_networks_have_rows_in_double_double() -> None:
    assert 0 < DEEP._core.extended_levels < DEEP._core.depth
    x0, x1 = RNG.normal(size=(2, 6))
    assert counted(DEEP, x0, x1, device=DEVICE) == counted(DEEP, x0, x1)


def test_nearly_all_is_settled_by_the_filter() -> None:
    net = pyexpr.Network.random([784, 128, 128, 128, 128, 10], "hard_tanh", 32.0, 0.01, seed=0)
    x0, x1 = RNG.normal(size=(2, 784))
    found = pyexpr.count_regions(net, x0, x1, device=DEVICE)
    assert found == pyexpr.count_regions(net, x0, x1)
    assert found.certificate.signs.asked - found.certificate.signs.filtered < 5
    assert found.certificate.orders.filtered > 0.99 * found.certificate.orders.asked


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_tents_of_which_every_second_sign_is_a_tie(width: int) -> None:
    case = tents(7, width)
    net = network(case)
    with small_transfers():
        counts = counted(net, case.x0, case.x1, device=small_device([net], 10))
    assert (counts.linear, counts.activation, counts.patterns) == (2**7,) * 3


def test_trajectories_of_several_lines() -> None:
    points = RNG.normal(size=(5, 12))
    for net in (RELU, HARD_TANH):
        for curve in (pyexpr.Polyline(points), pyexpr.Polyline(points, closed=True)):
            check(small_device([net], 20), net, curve)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_batches(seed: int, chunk: int) -> None:
    rng = np.random.default_rng(seed)
    net = pyexpr.Network.random([3, 6, 5, 2], "hard_tanh", 8.0, 0.1, seed=seed)
    x0 = rng.integers(-2, 3, (int(rng.integers(0, 9)), 3)) / 2
    x1 = np.where(rng.random(x0.shape) < 0.3, x0, rng.normal(size=x0.shape))
    check(small_device([net], chunk), net, x0, x1)


def test_weights_that_do_not_fit_are_told_with_what_is_free() -> None:
    class Full(HostDevice):
        def upload(self, array: npt.NDArray[Any]) -> Any:
            if array.shape[-1] == 40:  # no point, but weights
                raise MemoryError("out of memory allocating 1,600 bytes")
            return super().upload(array)

    told = "the weights do not fit into the 1000 bytes .* free.*allocating 1,600 bytes"
    with pytest.raises(MemoryError, match=told):
        pyexpr.count_regions(RELU, [0.0] * 12, [1.0] * 12, device=Full(1000))


def test_pairs() -> None:
    points = RNG.normal(size=(6, 12))
    for kind in ("linear", "activation"):
        found = pyexpr.count_pairs(RELU, points, kind=kind, device=small_device([RELU], 50))
        np.testing.assert_array_equal(found, pyexpr.count_pairs(RELU, points, kind=kind))


@settings(max_examples=15)
@given(cases(), st.integers(2, 30), st.data())
def test_stacks(case: Case, chunk: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    first = network(case)
    # As it is, with signs turned, with copies of rows, and dead.
    others = [
        case.layers,
        [(-weight, bias) for weight, bias in case.layers],
        [
            (weight[rng.integers(len(weight), size=len(weight))], bias)
            for weight, bias in case.layers
        ],
        [(weight, np.minimum(-np.abs(bias), -1)) for weight, bias in case.layers],
    ]
    functions = [node.function for node in first.graph.nodes if hasattr(node, "function")]
    stack = pyexpr.NetworkStack([pyexpr.Network.dense(layers, functions) for layers in others])
    device = small_device(list(stack), chunk)
    check(device, stack, np.stack([case.x0, case.x1]), np.stack([case.x1, case.x0]))
    check(device, stack, case.x0, case.x1)


def test_a_stack_of_networks_with_a_layer_that_nothing_reads() -> None:
    def graph() -> Graph:
        first, second, last = (Dense(RNG.normal(size=size)) for size in ((4, 3), (5, 3), (2, 5)))
        nodes: tuple[Node, ...] = (
            Input((3,)),
            Affine((4,), ((0, first),), RNG.normal(size=4)),
            Activation((4,), 1, pyexpr.ReLU()),
            Affine((5,), ((0, second),), RNG.normal(size=5)),
            Activation((5,), 3, pyexpr.ReLU()),
            Affine((2,), ((4, last),), RNG.normal(size=2)),
        )
        return Graph(nodes)

    stack = pyexpr.NetworkStack([pyexpr.Network(graph()) for _ in range(3)])
    x0, x1 = RNG.normal(size=(2, 4, 3))
    check(DEVICE, stack, x0, x1)


def test_other_networks_beside_one_take_the_place_of_those_before() -> None:
    x0, x1 = RNG.normal(size=(2, 12))
    for seed in range(3):
        other = pyexpr.Network.random([12, 40, 40, 40, 3], "relu", 2.0, 0.1, seed=seed)
        stack = pyexpr.NetworkStack([RELU, other])
        found = pyexpr.count_regions(stack, x0, x1, device=DEVICE)
        np.testing.assert_array_equal(found, pyexpr.count_regions(stack, x0, x1))
    others = [
        kept[0] for device, kept in networks._uploaded[RELU._core].items() if device is DEVICE
    ]
    assert len(others) == 1


def convolutions(groups: int) -> pyexpr.Network:
    """Two convolutions with a skip connection around the second, then a dense layer."""
    builder = Builder((2, 6, 5))
    x = builder.input
    for channels_in in (2, 4):
        kernel = RNG.normal(size=(4, channels_in // groups, 3, 3))
        operation = Convolution(kernel, (6, 5), pads=(1, 1, 1, 1), groups=groups)
        y = builder.activation(builder.convolution(x, operation, RNG.normal(size=4)), pyexpr.ReLU())
        x = y if channels_in == 2 else builder.add(x, y)
    flat = x.reshape((120,))
    return pyexpr.Network(
        builder.graph(builder.dense(flat, RNG.normal(size=(3, 120)), np.zeros(3)))
    )


@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions(groups: int) -> None:
    net = convolutions(groups)
    x0, x1 = RNG.normal(size=(2, 2, 6, 5))
    for chunk in (20, 10**6):
        assert counted(net, x0, x1, device=small_device([net], chunk)) == counted(net, x0, x1)
