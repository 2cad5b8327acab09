"""Many networks in one call: the counts of each of them alone."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from graph_corpus import CORPUS
from hypothesis import given
from hypothesis import strategies as st
from judge import network
from strategies import Case, Draw, cases

import pyexpr
from pyexpr import Network, NetworkStack
from pyexpr.architecture import difference
from pyexpr.build import Builder
from pyexpr.graph import Activation, Affine, Graph, Node
from pyexpr.operations import Convolution

Array = npt.NDArray[np.float64]
Call = Callable[..., Any]

RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((6, 3))
STACK = NetworkStack.random([3, 5, 4, 2], seeds=3, bias_variance=0.1)


def check(stack: NetworkStack, call: Call, *arguments: Any) -> None:
    """One call against a call for each network."""
    found = call(stack, *arguments)
    alone = [call(network, *arguments) for network in stack]
    assert isinstance(found, pyexpr.Counts)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, np.array(alone))
    assert found.shape == (len(stack), *np.shape(alone[0]))
    together = pyexpr.Certificate.together(count.certificate for count in alone)
    assert found.certificate == together


CALLS: dict[str, Call] = {
    "linear": lambda net, *x: pyexpr.count_regions(net, *x),
    "activation": lambda net, *x: pyexpr.count_regions(net, *x, kind="activation"),
    "patterns": lambda net, *x: pyexpr.count_patterns(net, *x),
    "total": lambda net, *x: pyexpr.count_transitions(net, *x),
    "layer": lambda net, *x: pyexpr.count_transitions(net, *x, per="layer"),
    "neuron": lambda net, *x: pyexpr.count_transitions(net, *x, per="neuron"),
}


def check_all(stack: NetworkStack, x0: Array, x1: Array) -> None:
    """On a segment, on many, on curves and between pairs."""
    ends = np.array([x1, x0, -x1])
    given: list[tuple[Any, ...]] = [
        (x0, x1),
        (np.array([x0, x1, x0]), ends),
        (x0, ends),
        (pyexpr.Arc(x0, x1),),
        (pyexpr.Polyline([x0, x1, 0.5 * x0 - x1], closed=True),),
    ]
    for call in CALLS.values():
        for x in given:
            check(stack, call, *x)
    check(stack, pyexpr.count_pairs, ends)
    check(stack, partial(pyexpr.count_pairs, kind="activation"), ends)


@st.composite
def stacks(draw: Draw) -> tuple[NetworkStack, Array, Array]:
    """A network rich in ties, beside others of its architecture."""
    case: Case = draw(cases())
    kinds = st.sampled_from(["same", "negated", "ternary", "gaussian", "dead"])
    networks = [network(case)]
    for kind in draw(st.lists(kinds, max_size=3)):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        layers = [(other(kind, rng, w), other(kind, rng, b)) for w, b in case.layers]
        networks.append(network(replace(case, layers=layers)))
    order = draw(st.permutations(networks))
    return NetworkStack(order), case.x0, case.x1


def other(kind: str, rng: np.random.Generator, array: Array) -> Array:
    if kind == "same":
        return array
    if kind == "negated":
        return -array
    if kind == "ternary":
        return rng.integers(-1, 2, array.shape).astype(float)
    if kind == "gaussian":
        return rng.standard_normal(array.shape)
    return np.zeros(array.shape) if array.ndim == 2 else np.full(array.shape, -1e4)


@given(stacks())
def test_counts_are_those_of_each_network_alone(stack: tuple[NetworkStack, Array, Array]) -> None:
    check_all(*stack)


@pytest.mark.parametrize("name", ["a maximum of maxima", "small integers, pooled twice"])
def test_images_and_maxima(name: str) -> None:
    graph, x0, x1 = CORPUS[name]
    stack = NetworkStack([Network(graph), Network(reweighted(graph)), Network(graph)])
    for call in CALLS.values():
        check(stack, call, x0, x1)
        check(stack, call, np.array([x0, x1]), np.array([x1, -x0]))


def reweighted(graph: Graph) -> Graph:
    """Its affine tensors with the weights times -0.5, and other biases."""
    nodes: list[Node] = [
        Affine(
            node.shape,
            tuple((i, op.scaled(np.full(op.outputs, -0.5))) for i, op in node.terms),
            node.bias + 0.25,
        )
        if isinstance(node, Affine)
        else node
        for node in graph.nodes
    ]
    return Graph(tuple(nodes))


@pytest.mark.parametrize("threads", [1, 2])
def test_no_result_depends_on_the_threads(threads: int) -> None:
    found = pyexpr.count_regions(STACK, POINTS, -POINTS, threads=threads)
    np.testing.assert_array_equal(found, pyexpr.count_regions(STACK, POINTS, -POINTS))


def test_shapes() -> None:
    arc = pyexpr.Arc(*POINTS[:2])
    assert pyexpr.count_regions(STACK, *POINTS[:2]).shape == (3,)
    assert pyexpr.count_regions(STACK[:1], arc).shape == (1,)
    assert pyexpr.count_patterns(STACK, POINTS, -POINTS).shape == (3, 6)
    assert pyexpr.count_transitions(STACK, arc, per="layer").shape == (3, 2)
    assert pyexpr.count_transitions(STACK, POINTS, -POINTS, per="neuron").shape == (3, 6, 9)
    assert pyexpr.count_pairs(STACK, POINTS).shape == (3, 15)
    none = np.empty((0, 3))
    assert pyexpr.count_regions(STACK, none, none).shape == (3, 0)
    assert pyexpr.count_pairs(STACK, none).shape == (3, 0)


def test_a_stack_without_neurons_has_one_region() -> None:
    stack = NetworkStack.random([3, 2], seeds=2)
    assert pyexpr.count_regions(stack, *POINTS[:2]).tolist() == [1, 1]
    assert pyexpr.count_transitions(stack, *POINTS[:2], per="neuron").shape == (2, 0)


def test_progress_runs_over_the_whole_stack() -> None:
    for call, x in ((pyexpr.count_regions, (POINTS, -POINTS)), (pyexpr.count_pairs, (POINTS,))):
        shares: list[float] = []
        untyped: Any = call
        untyped(STACK, *x, progress=shares.append)
        assert shares == sorted(shares)
        assert shares[0] == 0 and shares[-1] == 1
        assert {1 / 3, 2 / 3} <= {*shares}


# Stacks.


def test_random_networks_are_those_of_their_seeds() -> None:
    stack = NetworkStack.random(
        [3, 4, 2], seeds=[7, 0, 7], activation="abs", weight_variance=3.0, bias_variance=0.5
    )
    for made, seed in zip(stack, [7, 0, 7], strict=True):
        check_same(made, Network.random([3, 4, 2], "abs", 3.0, 0.5, seed))
    for made, seed in zip(NetworkStack.random([3, 4, 2], seeds=3), range(3), strict=True):
        check_same(made, Network.random([3, 4, 2], seed=seed))


def test_one_generator_makes_one_network_after_the_other() -> None:
    rng, again = np.random.default_rng(1), np.random.default_rng(1)
    for made in NetworkStack.random([3, 4, 2], seeds=[rng, rng]):
        check_same(made, Network.random([3, 4, 2], seed=again))


def check_same(made: Network, expected: Network) -> None:
    for ours, theirs in zip(made.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(ours.weight, theirs.weight)
        np.testing.assert_array_equal(ours.bias, theirs.bias)
        assert ours.activation == theirs.activation


def test_a_stack_is_a_sequence() -> None:
    assert len(STACK) == 3
    assert [*STACK] == [STACK[0], STACK[1], STACK[-1]]
    part = STACK[1:]
    assert isinstance(part, NetworkStack)
    assert [*part] == [STACK[1], STACK[2]]
    assert [*STACK[::-1]] == [*reversed(STACK)]
    assert (STACK.input_shape, STACK.output_shape) == ((3,), (2,))
    assert (STACK.n_neurons, STACK.neurons_per_layer) == (9, (5, 4))
    assert repr(STACK) == "<NetworkStack of 3 networks: <Network 3-5-4-2, 9 neurons>>"
    with pytest.raises(IndexError):
        STACK[3]
    with pytest.raises(ValueError, match="networks is empty"):
        STACK[3:]


def test_a_stack_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(STACK))
    for made, expected in zip(again, STACK, strict=True):
        check_same(made, expected)


def test_whatever_describes_a_network_goes_into_a_stack() -> None:
    layers = [(layer.weight, layer.bias) for layer in STACK[0].layers]
    for made in NetworkStack(net for net in (layers, STACK[0])):
        check_same(made, STACK[0])


# Errors.

DIFFERENT: dict[str, tuple[Network, str]] = {
    "inputs": (Network.random([4, 5, 4, 2]), r"tensor 0 has shape \(4,\), not \(3,\)"),
    "width": (Network.random([3, 5, 6, 2]), r"tensor 3 has shape \(6,\), not \(4,\)"),
    "outputs": (Network.random([3, 5, 4, 1]), r"tensor 5 has shape \(1,\), not \(2,\)"),
    "depth": (Network.random([3, 5, 4, 2, 2]), "has 8 tensors, not 6"),
    "activation": (Network.random([3, 5, 4, 2], "abs"), "tensor 2 is Abs, not ReLU"),
    "threshold": (
        Network.random([3, 5, 4, 2], [pyexpr.ReLU(), pyexpr.PiecewiseLinear([1.0], [0.0, 1.0])]),
        "tensor 4 is PiecewiseLinear with 1 breakpoint, not ReLU",
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_architecture_is_named_by_its_number(name: str) -> None:
    wrong, text = DIFFERENT[name]
    with pytest.raises(ValueError, match=rf"networks\[2\] has another.*{text}"):
        NetworkStack([STACK[0], STACK[1], wrong, wrong])


def convolution(**settings: Any) -> Graph:
    builder = Builder((1, 4, 4))
    operation = Convolution(RNG.standard_normal((1, 1, 1, 1)), (4, 4), **settings)
    image = builder.convolution(builder.input, operation, RNG.standard_normal(1))
    return builder.graph(builder.activation(image, pyexpr.ReLU()))


def taken(order: list[int]) -> Graph:
    builder = Builder((3,))
    return builder.graph(builder.activation(builder.input.view(np.array(order)), pyexpr.ReLU()))


def largest(window: list[int]) -> Graph:
    builder = Builder((3,))
    return builder.graph(builder.maximum(builder.input, np.array([window])))


def prelu(slope: float) -> Graph:
    builder = Builder((2,))
    return builder.graph(builder.activation(builder.input, pyexpr.PReLU([slope, slope])))


def test_weights_and_biases_are_no_difference() -> None:
    assert difference(convolution(), convolution()) is None
    for graph, _, _ in CORPUS.values():
        assert difference(graph, reweighted(graph)) is None


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (convolution(), convolution(dilations=(2, 2)), "convolution 1x1.*other strides"),
        (convolution(), convolution(strides=(2, 2)), "has shape"),
        (taken([0, 2, 1]), taken([1, 2, 0]), "rearrange, too, but with other.*places"),
        (largest([0, 1]), largest([1, 0]), "max of 2, too, but with other windows"),
        (largest([0, 1]), largest([0, 1, 2]), "is max of 3, not max of 2"),
        (prelu(0.25), prelu(0.5), "PReLU, too, but with other breakpoints, slopes or letters"),
    ],
)
def test_what_else_differs_is_told(one: Graph, other: Graph, text: str) -> None:
    assert difference(one, one) is None
    with pytest.raises(ValueError, match=rf"networks\[1\].*{text}"):
        NetworkStack([Network(one), Network(other)])


def test_a_skip_connection_from_elsewhere_is_told() -> None:
    nodes = [*convolution().nodes]
    assert isinstance(nodes[1], Affine)
    chain = Graph((*nodes, Activation(nodes[2].shape, 2, pyexpr.ReLU())))
    around = Graph((*nodes, Activation(nodes[2].shape, 1, pyexpr.ReLU())))
    assert difference(chain, around) == "its tensor 3 is made from the tensors [1], not [2]"


@pytest.mark.parametrize(
    ("networks", "error", "text"),
    [
        ([], ValueError, "networks is empty"),
        (3, TypeError, r"networks is 3 \(int\).*list of networks"),
        ("model.onnx", TypeError, "networks is 'model.onnx'"),
        (STACK[0], TypeError, "networks is <Network"),
        ([STACK[0], 3], TypeError, r"networks\[1\]: net is 3"),
        ([STACK[0], [(np.eye(2), np.zeros(3))]], ValueError, r"networks\[1\]: b of layers\[0\]"),
    ],
)
def test_what_is_no_stack(networks: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        NetworkStack(networks)


@pytest.mark.parametrize(
    ("seeds", "error", "text"),
    [
        (0, ValueError, "seeds is 0.*at least 1"),
        (1.5, TypeError, "seeds is 1.5"),
        ([], ValueError, "seeds is empty"),
        ("12", TypeError, "seeds is '12'"),
        ([0, -1], ValueError, r"seeds\[1\] is -1"),
        ([0, 0.5], TypeError, r"seeds\[1\] is 0.5"),
    ],
)
def test_what_are_no_seeds(seeds: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        NetworkStack.random([2, 2], seeds=seeds)


def test_an_overflow_names_the_network() -> None:
    fine = [(np.ones((2, 2)), np.zeros(2))] * 3
    steep = [(np.full((2, 2), 1e200), np.zeros(2))] * 3
    stack = NetworkStack([fine, steep, steep])
    x = np.ones((2, 2))
    for call in CALLS.values():
        with pytest.raises(OverflowError, match=r"networks\[1\]: "):
            call(stack, [1.0, 1.0], [2.0, 3.0])
        with pytest.raises(OverflowError, match=r"networks\[1\]: .*along line 1;"):
            call(stack, 0 * x, np.array([[0.0, 0.0], [2.0, 3.0]]))
    with pytest.raises(OverflowError, match=r"networks\[1\]: "):
        pyexpr.count_pairs(stack, [[1.0, 1.0], [2.0, 3.0]])


def test_points_of_another_shape_and_traces_of_many_networks_are_refused() -> None:
    wrong: Any = STACK
    with pytest.raises(ValueError, match=r"x0 has shape \(2,\)"):
        pyexpr.count_regions(STACK, [0.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match=r"points has shape \(3,\)"):
        pyexpr.count_pairs(STACK, POINTS[0])
    with pytest.raises(TypeError, match="net is <NetworkStack"):
        pyexpr.trace(wrong, *POINTS[:2])
