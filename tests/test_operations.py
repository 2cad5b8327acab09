"""Transposed operations and graphs are what their matrices say."""

from math import prod

import numpy as np
import pytest
from graph_corpus import CORPUS
from graph_oracle import Array, convolution_matrix
from hypothesis import given
from hypothesis import strategies as st
from test_graph import graphs

import pyexpr
from pyexpr import Network, _core
from pyexpr.graph import Graph
from pyexpr.operations import Convolution, Dense, Operation, Sparse
from pyexpr.tracing.masked import Masked


def check_transposed(operation: Operation, matrix: Array) -> None:
    y = np.random.default_rng(0).integers(-9, 10, (3, operation.outputs)).astype(float)
    assert np.array_equal(operation.apply_transposed(y), y @ matrix)


@given(st.data())
def test_convolutions_are_transposed(data: st.DataObject) -> None:
    one_to_three = st.integers(1, 3)
    extent, strides, dilations = (
        (data.draw(one_to_three), data.draw(one_to_three)) for _ in range(3)
    )
    groups, per_group = data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    top, left, bottom, right = (data.draw(st.integers(0, 2)) for _ in range(4))
    kernel = np.random.default_rng(1).integers(-3, 4, (2 * groups, per_group, *extent))
    size = data.draw(st.integers(7, 9)), data.draw(st.integers(7, 9))
    operation = Convolution(
        kernel.astype(float), size, strides, (top, left, bottom, right), dilations, groups
    )
    check_transposed(operation, convolution_matrix(operation))


def test_matrices_are_transposed() -> None:
    weight = np.random.default_rng(2).integers(-3, 4, (4, 5)).astype(float)
    check_transposed(Dense(weight), weight)


@pytest.mark.parametrize(
    ("operation", "matrix"),
    [
        (Sparse.take(np.array([2, -1, 2]), 3), [[0, 0, 1], [0, 0, 0], [0, 0, 1]]),
        (Sparse.difference(np.array([1, 0]), np.array([0, -1]), 3), [[-1, 1, 0], [1, 0, 0]]),
        (Sparse.mean(np.array([[1, 0]]), np.array([2.0]), 3), [[0.5, 0.5, 0]]),
    ],
)
def test_sparse_operations_are_transposed(operation: Operation, matrix: list[list[float]]) -> None:
    check_transposed(operation, np.array(matrix))


def check_gradients(graph: Graph) -> None:
    net = Network(graph)
    x0, x1 = np.random.default_rng(3).standard_normal((2, *graph.input_shape))
    letters = pyexpr.trace(net, x0, x1).patterns()
    masked = Masked(net, letters)
    inputs, outputs = prod(graph.input_shape), prod(graph.output_shape)
    columns = [masked.output(e[None], with_bias=False) for e in np.eye(inputs)]
    rows = [masked.gradient(e[None]) for e in np.eye(outputs)]
    forward, backward = np.stack(columns, axis=2), np.stack(rows, axis=1)
    assert forward.shape == backward.shape == (len(letters), outputs, inputs)
    assert backward == pytest.approx(forward, rel=1e-12, abs=1e-12 * max(1, np.abs(forward).max()))


@given(graphs())
def test_the_gradient_of_a_graph_is_its_matrix_transposed(graph: Graph) -> None:
    check_gradients(graph)


@pytest.mark.parametrize("name", CORPUS)
def test_the_gradient_of_every_case_of_the_corpus(name: str) -> None:
    check_gradients(CORPUS[name][0])


def test_a_constant_has_no_gradient() -> None:
    net = Network.dense([([[0.0, 0.0]], [1.0]), ([[1.0]], [2.0])])
    masked = Masked(net, np.zeros((3, 1), np.int16))
    assert masked.gradient(np.ones((1, 1))).tolist() == [[0.0, 0.0]] * 3


@pytest.mark.parametrize(
    ("size", "pads", "dilations"),
    [
        ((1, 1), (2**63, 0, 2**63, 0), (1, 1)),  # whose sums come back to 1 in 64 bits
        ((1, 1), (2**32, 2**32, 0, 0), (1, 1)),
        ((2**16, 2**16), (0, 0, 0, 0), (1, 1)),
        ((3, 3), (0, 0, 0, 0), (2**63, 1)),
    ],
)
def test_the_core_refuses_convolutions_beyond_32_bits(
    size: tuple[int, int], pads: tuple[int, int, int, int], dilations: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match="2\\^31"):
        _core.convolution(np.ones((1, 1, 3, 1)), size, (1, 1), pads, dilations, 1)


def test_the_core_refuses_columns_beyond_the_inputs() -> None:
    first = np.array([0, 1])
    for column in (-1, 2, 2**32):
        with pytest.raises(ValueError, match="below inputs"):
            _core.sparse(2, first, np.array([column]), np.ones(1))
