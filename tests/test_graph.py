"""Graphs with convolutions, means, maxima and skip connections, against the exact oracle."""

import pickle
from fractions import Fraction
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from graph_corpus import CORPUS, TABLES
from graph_oracle import analyse, matrix
from hypothesis import given
from hypothesis import strategies as st
from judge import check_analysis, counted, expected_counts, traced_counts
from strategies import Draw

import pyexpr
from pyexpr import Network
from pyexpr.build import Builder, Tensor
from pyexpr.graph import Activation, Affine, Graph, Maximum
from pyexpr.io._windows import Frame
from pyexpr.operations import Convolution, Indices

Array = npt.NDArray[np.float64]

KINDS = ["convolution", "skip", "scale", "turn", "concatenate", "chain", "pool", "pool"]
FUNCTIONS = [pyexpr.ReLU(), pyexpr.HardTanh(), pyexpr.LeakyReLU(0.25), pyexpr.Abs()]


def check(graph: Graph, x0: Array, x1: Array) -> None:
    net = Network(graph)
    analysis, first_value = analyse(graph, x0, x1)
    expected = expected_counts(analysis, net.neurons_per_layer)
    assert counted(net, x0, x1) == expected
    trace = pyexpr.trace(net, x0, x1)
    assert traced_counts(trace) == expected
    scale = [Fraction(float(s)) for s in largest(graph, x0, x1)]
    check_analysis(trace, analysis, first_value, scale)


def largest(graph: Graph, x0: Array, x1: Array) -> Array:
    """What the outputs could be if nothing cancelled: the scale of every rounding error."""
    sizes = [np.abs(x0).reshape(-1) + np.abs(x1).reshape(-1)]
    for node in graph.nodes[1:]:
        if isinstance(node, Affine):
            terms = (np.abs(matrix(op)) @ sizes[source] for source, op in node.terms)
            sizes.append(sum(terms, np.abs(node.bias)))
        elif isinstance(node, Activation):
            sizes.append(sizes[node.source] + 2)  # slopes at most 1, values at most 1
        elif isinstance(node, Maximum):
            sizes.append(np.full(len(node.windows), sizes[node.source].max()))
    return sizes[-1]


def numbers(draw: Draw, shape: tuple[int, ...]) -> Array:
    """Short dyadic numbers, so that the expansion rounds nothing; the shortest are rich in ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        return rng.integers(-99, 100, shape) / 64
    return rng.integers(-2, 3, shape).astype(float)


def convolved(draw: Draw, builder: Builder, x: Tensor) -> Tensor:
    channels, *size = x.shape
    groups = channels if draw(st.integers(0, 3)) == 0 else 1
    out = groups * draw(st.integers(1, 2))
    extent = [draw(st.integers(1, min(3, n))) for n in size]
    one_or_two, zero_or_one = st.integers(1, 2), st.integers(0, 1)
    down, along = (
        draw(one_or_two) if 2 * (k - 1) < n else 1 for k, n in zip(extent, size, strict=True)
    )
    top, left, bottom, right = (draw(zero_or_one) for _ in range(4))
    operation = Convolution(
        numbers(draw, (out, channels // groups, *extent)),
        (size[0], size[1]),
        (draw(one_or_two), draw(one_or_two)),
        (top, left, bottom, right),
        (down, along),
        groups,
    )
    return builder.convolution(x, operation, numbers(draw, (out,)))


def pooled(builder: Builder, x: Tensor) -> Tensor:
    """The mean of every channel."""
    windows = np.arange(prod(x.shape)).reshape(x.shape[0], -1)
    return builder.mean(x, windows, np.full(len(windows), float(windows.shape[1])))


def windows(draw: Draw, x: Tensor) -> Indices:
    """Of max pooling: they may overlap and reach into the padding."""
    extent = tuple(draw(st.integers(1, min(3, n))) for n in x.shape[1:])
    before = tuple(draw(st.integers(0, k - 1)) for k in extent)
    frame = Frame(
        size=x.shape[1:],
        extent=extent,
        strides=(draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        dilations=(1, 1),
        before=before,
        after=before,
    )
    return frame.windows(np.arange(prod(x.shape)).reshape(x.shape))[0]


@st.composite
def graphs(draw: Draw) -> Graph:
    """Convolutions with skip connections of several kinds, a pooled or flat readout."""
    builder = Builder((draw(st.integers(1, 2)), draw(st.integers(2, 4)), draw(st.integers(2, 4))))
    x = builder.input
    earlier: list[Tensor] = [x]
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(KINDS))
        if kind == "turn":
            x = x.transpose((0, 2, 1))
        if kind == "scale":
            channels = (x.shape[0], 1, 1)
            x = builder.scale_shift(x, numbers(draw, channels), numbers(draw, channels))
        if kind == "chain":
            x = convolved(draw, builder, x)
        if kind == "concatenate":
            x = builder.concatenate([x, numbers(draw, x.shape), x], 0)
        x = convolved(draw, builder, x)
        like = [tensor for tensor in earlier if tensor.shape == x.shape]
        if kind == "skip" and like:
            x = builder.add(x, draw(st.sampled_from(like)), draw(st.sampled_from([1.0, -1.0])))
        if draw(st.integers(0, 4)):
            x = builder.activation(x, draw(st.sampled_from(FUNCTIONS)))
        if kind == "pool":
            x = builder.maximum(x, windows(draw, x))
        earlier.append(x)
    whole = prod(x.shape[1:]) in (1, 2, 4, 8, 16)  # else the mean's 1 / n is rounded
    flat = pooled(builder, x) if whole and draw(st.booleans()) else x.reshape((prod(x.shape),))
    if draw(st.integers(0, 4)):
        out = draw(st.integers(1, 3))
        flat = builder.dense(flat, numbers(draw, (out, flat.shape[0])), numbers(draw, (out,)))
    return builder.graph(flat)


@st.composite
def segments(draw: Draw) -> tuple[Graph, Array, Array]:
    graph = draw(graphs())
    return graph, numbers(draw, graph.input_shape), numbers(draw, graph.input_shape)


@given(segments())
def test_a_graph_counts_as_the_oracle(segment: tuple[Graph, Array, Array]) -> None:
    check(*segment)


@pytest.mark.parametrize("name", CORPUS)
def test_every_case_of_the_corpus(name: str) -> None:
    graph, x0, x1 = CORPUS[name]
    check(graph, x0, x1)
    check(graph, x1, x0)


def test_no_name_hides_another() -> None:
    assert len(CORPUS) == sum(len(table()) for table in TABLES)


def test_images_are_given_and_returned_in_their_shapes(tmp_path: Path) -> None:
    builder = Builder((1, 4, 6))
    image = builder.convolution(
        builder.input, Convolution(np.ones((2, 1, 2, 3)), (4, 6)), np.zeros(2)
    )
    net = Network(builder.graph(builder.activation(image, pyexpr.ReLU())))
    assert (net.input_shape, net.output_shape) == ((1, 4, 6), (2, 3, 4))
    assert str(net).endswith("24 neurons, 14 parameters")  # 2 kernels of 6 and their biases
    assert net(np.ones((1, 4, 6))).shape == (2, 3, 4)
    assert net(np.ones((7, 1, 4, 6))).shape == (7, 2, 3, 4)
    trace = pyexpr.trace(net, -np.ones((1, 4, 6)), np.ones((1, 4, 6)))
    assert trace.values.shape == (3, 2, 3, 4)
    assert trace.slopes.shape == (2, 2, 3, 4)
    matrix_of, constant = trace.affine_map(-1)
    assert matrix_of.shape == (2, 3, 4, 1, 4, 6)
    assert constant.shape == (2, 3, 4)
    with pytest.raises(ValueError, match=r"x0 has shape \(24,\).*\(1, 4, 6\)"):
        pyexpr.count_regions(net, np.ones(24), np.ones(24))
    with pytest.raises(ValueError, match="chain of dense layers"):
        _ = net.layers
    with pytest.raises(ValueError, match="chain of dense layers"):
        pyexpr.save(net, tmp_path / "net.npz")
    assert not [*tmp_path.iterdir()]


def test_a_printed_graph_names_what_is_done() -> None:
    builder = Builder((2, 2, 2))
    x = builder.activation(builder.input, pyexpr.ReLU())
    doubled = builder.scale_shift(x, np.array(2.0), np.zeros(()))
    both = builder.add(builder.add(x, doubled), builder.input.transpose((0, 2, 1)))
    most = builder.maximum(both, np.arange(8).reshape(2, 4))
    means = builder.mean_of(most, np.array([[0, 1]]))
    rows = [line.split("  ")[1] for line in str(Network(builder.graph(means))).splitlines()[2:-1]]
    assert rows == ["ReLU", "skip + scale + rearrange", "max of 4", "mean of 2"]


def test_a_graph_that_only_reshapes_keeps_its_input() -> None:
    builder = Builder((1, 2, 2))
    net = Network(builder.graph(builder.input.reshape((4,))))
    assert (net.input_shape, net.output_shape) == ((1, 2, 2), (4,))
    assert pyexpr.count_regions(net, np.zeros((1, 2, 2)), np.ones((1, 2, 2))) == 1


def test_a_graph_survives_pickling() -> None:
    builder = Builder((1, 3, 3))
    image = builder.convolution(
        builder.input, Convolution(np.arange(4.0).reshape(1, 1, 2, 2), (3, 3)), np.ones(1)
    )
    net = Network(builder.graph(builder.activation(image, pyexpr.ReLU())))
    again = pickle.loads(pickle.dumps(net))
    x = np.linspace(-1, 1, 9).reshape(1, 3, 3)
    assert np.array_equal(net(x), again(x))
    assert str(net) == str(again)
