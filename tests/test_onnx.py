"""ONNX models compute what onnx's own reference says, and bad ones are refused."""

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator

import pyexpr
from pyexpr.io.onnx import _OPERATORS, from_model

Array = npt.NDArray[Any]


def model(
    nodes: list[onnx.NodeProto],
    weights: dict[str, Array] | None = None,
    shape: list[int | str] | None = None,
    opset: int = 18,
) -> onnx.ModelProto:
    """From x to y."""
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape or [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, name) for name, w in (weights or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def agrees(proto: onnx.ModelProto, x: Array) -> None:
    net = from_model(proto)
    (expected,) = map(np.asarray, ReferenceEvaluator(proto).run(None, {"x": x.astype(np.float32)}))
    found = net(x.reshape(net.input_shape))
    assert found.size == expected.size
    scale = 1 + np.abs(expected).max()
    assert np.allclose(found.reshape(-1), expected.reshape(-1), atol=1e-5 * scale)


# Operators, with the data that onnx ships.


def node_tests() -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # onnx makes its data as it loads
        tests = load_model_tests(kind="node")
    return [
        pytest.param(test.model, *test.data_sets[0], id=test.name)
        for test in tests
        if test.model and test.data_sets
        if {node.op_type for node in test.model.graph.node} <= set(_OPERATORS)
        if any(_is_float(x) for x in test.data_sets[0][0])
    ]


def _is_float(x: object) -> bool:
    return isinstance(x, np.ndarray) and x.dtype in (np.float32, np.float64) and x.size > 0


# What is not supported, by the words that say so.
REFUSALS = (
    "training mode",
    "its limits are",
    "over one or two axes",
    "one factor must be a constant",
    "it must be a matrix",
    "its parts are",
    "does not depend on the input",
    "nothing is left",
)


@pytest.mark.parametrize(("given_model", "inputs", "outputs"), node_tests())
def test_operators_agree_with_the_data_of_onnx(
    given_model: onnx.ModelProto, inputs: list[Array], outputs: list[Array]
) -> None:
    proto = onnx.ModelProto()
    proto.CopyFrom(given_model)
    first = next(i for i, x in enumerate(inputs) if _is_float(x))
    for i, x in enumerate(inputs):
        if i != first:
            name = proto.graph.input[i].name
            proto.graph.initializer.append(numpy_helper.from_array(np.asarray(x), name))
    try:
        net = from_model(proto, proto.graph.output[0].name)
    except ValueError as error:
        assert any(words in str(error) for words in REFUSALS), error
        return
    found = net(inputs[first].astype(float).reshape(net.input_shape))
    # Some of the data is rounded to four digits.
    assert np.allclose(found.reshape(-1), outputs[0].reshape(-1), rtol=1e-5, atol=1e-4)


# Models.


def weights(seed: int, **shapes: tuple[int, ...]) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def residual() -> onnx.ModelProto:
    """Convolutions with batch normalisation, a skip connection, pooling and a readout."""
    norms = {
        f"{name}{i}": value
        for i in (1, 2)
        for name, value in weights(i, scale=(4,), shift=(4,), mean=(4,)).items()
    }
    norms |= {f"var{i}": np.linspace(0.5, 2, 4, dtype=np.float32) for i in (1, 2)}
    nodes = [
        helper.make_node("Conv", ["x", "k1"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["a", "scale1", "shift1", "mean1", "var1"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Conv", ["c", "k2"], ["d"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["d", "scale2", "shift2", "mean2", "var2"], ["e"]),
        helper.make_node("Add", ["e", "c"], ["f"]),
        helper.make_node("Relu", ["f"], ["g"]),
        helper.make_node("GlobalAveragePool", ["g"], ["h"]),
        helper.make_node("Flatten", ["h"], ["i"]),
        helper.make_node("Gemm", ["i", "w", "v"], ["y"], transB=1),
    ]
    kernels = weights(0, k1=(4, 2, 3, 3), k2=(4, 4, 3, 3), w=(3, 4), v=(3,))
    return model(nodes, kernels | norms, ["batch", 2, 5, 5])


def test_a_residual_network_agrees_and_is_counted() -> None:
    proto = residual()
    rng = np.random.default_rng(3)
    x0, x1 = rng.standard_normal((2, 2, 5, 5))
    agrees(proto, x0[None])
    net = from_model(proto)
    assert net.neurons_per_layer == (100, 100)
    trace = pyexpr.trace(net, x0, x1)
    middles = (trace.nodes[:-1] + trace.nodes[1:]) / 2
    x = x0 + middles[:, None, None, None] * (x1 - x0)
    slopes = trace.slopes * middles[:, None] + trace.intercepts
    assert np.allclose(net(x), slopes, atol=1e-9)
    assert pyexpr.count_regions(net, x0, x1) == trace.n_pieces > 20


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 18, 21])
def test_a_clipped_mlp_agrees_in_every_opset(opset: int) -> None:
    limits = {"low": np.array(-0.5, np.float32), "high": np.array(0.75, np.float32)}
    clip = (
        helper.make_node("Clip", ["b", "low", "high"], ["c"])
        if opset >= 11
        else helper.make_node("Clip", ["b"], ["c"], min=-0.5, max=0.75)
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "v"], ["b"]),
        clip,
        helper.make_node("MatMul", ["c", "u"], ["y"]),
    ]
    constants = weights(0, w=(3, 6), v=(6,), u=(6, 2)) | (limits if opset >= 11 else {})
    agrees(model(nodes, constants, [1, 3], opset), np.array([[0.3, -1.0, 2.0]]))


def test_a_network_is_read_from_a_file_and_taken_by_every_count(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(residual(), path)
    x0, x1 = np.random.default_rng(0).standard_normal((2, 2, 5, 5))
    assert pyexpr.count_regions(path, x0, x1) == pyexpr.count_regions(residual(), x0, x1)


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(residual(), path, save_as_external_data=True, size_threshold=0, location="w.bin")
    x = np.random.default_rng(0).standard_normal((2, 5, 5))
    assert np.array_equal(pyexpr.load(path)(x), from_model(residual())(x))


def test_output_stops_before_a_softmax(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], name="last"),
    ]
    with pytest.raises(ValueError, match=r"'last' \(Softmax\).*output='logits'"):
        from_model(model(nodes))
    assert from_model(model(nodes), "logits")(np.array([-1.0, 2.0])).tolist() == [0.0, 2.0]
    onnx.save(model(nodes), tmp_path / "model.onnx")
    net = pyexpr.load(tmp_path / "model.onnx", output="logits")
    assert net(np.array([-1.0, 2.0])).tolist() == [0.0, 2.0]
    with pytest.raises(ValueError, match="no ONNX model"):
        pyexpr.load("model.npz", output="logits")


def test_without_onnx_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx.save(residual(), tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install .*\[onnx\]"):
        pyexpr.load(tmp_path / "model.onnx")


# Bad models.


def relu(**changes: Any) -> onnx.NodeProto:
    return helper.make_node("Relu", **({"inputs": ["x"], "outputs": ["y"]} | changes))


BAD_MODELS: dict[str, tuple[onnx.ModelProto, str]] = {
    "an unknown operator": (
        model([helper.make_node("Sin", ["x"], ["y"], name="wave")]),
        r"'wave' \(Sin\) is not supported.*Relu",
    ),
    "another domain": (model([relu(domain="com.example")]), "com.example"),
    "a dangling input": (model([relu(inputs=["z"])]), "'z', which no earlier node makes"),
    "a cycle": (
        model([helper.make_node("Add", ["x", "y"], ["z"]), relu(inputs=["z"])]),
        "'y', which no earlier node makes",
    ),
    "a tensor made twice": (model([relu(outputs=["z"]), relu(outputs=["z"])]), "a second time"),
    "an open dimension": (model([relu()], shape=[1, "n"]), "dimension 1.*open"),
    "a huge dimension": (model([relu()], shape=[2**31, 2**31]), "limit"),
    "windows with huge padding": (
        model(
            [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2], pads=[1, 2**40])],
            shape=[1, 1, 4],
        ),
        "limit",
    ),
    "a huge window": (
        model(
            [
                helper.make_node(
                    "AveragePool", ["x"], ["y"], kernel_shape=[2**40], pads=[2**40, 2**40]
                )
            ],
            shape=[1, 1, 4],
        ),
        "limit",
    ),
    "windows in the padding": (
        model(
            [helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1], pads=[1, 1])],
            shape=[1, 1, 4],
        ),
        "lies in the padding",
    ),
    "huge padding": (
        model([helper.make_node("Pad", ["x"], ["y"], pads=[0, 0, 0, 2**40])], opset=9),
        "limit",
    ),
    "no such output": (model([relu(outputs=["z"])]), "no such tensor"),
    "no nodes": (model([]), "no such tensor"),
    "a constant output": (
        model([helper.make_node("Constant", [], ["y"], value_float=1.0)]),
        "does not depend",
    ),
    "weights that do not fit": (
        model([helper.make_node("MatMul", ["x", "w"], ["y"])], weights(0, w=(5, 3))),
        "MatMul",
    ),
    "weights that are not finite": (
        model(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            {"w": np.full((2, 2), np.inf, np.float32)},
        ),
        "not finite",
    ),
    "division by zero": (
        model([helper.make_node("Div", ["x", "w"], ["y"])], {"w": np.zeros(2, np.float32)}),
        "divides by zero",
    ),
    "a product of tensors": (model([helper.make_node("Mul", ["x", "x"], ["y"])]), "constant"),
    "a kernel larger than the image": (
        model(
            [helper.make_node("Conv", ["x", "w"], ["y"])], weights(0, w=(1, 1, 5, 5)), [1, 1, 3, 3]
        ),
        "Conv",
    ),
    "a subgraph": (
        model([helper.make_node("If", ["x"], ["y"], then_branch=model([relu()]).graph)]),
        "graph of its own",
    ),
}


@pytest.mark.parametrize("bad", BAD_MODELS)
def test_bad_models_are_refused(bad: str) -> None:
    proto, message = BAD_MODELS[bad]
    with pytest.raises(ValueError, match=rf"(?s){message}"):
        from_model(proto)


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "missing.bin"])
def test_no_file_outside_the_folder_is_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    folder = tmp_path / "models"
    folder.mkdir()
    proto = model([helper.make_node("MatMul", ["x", "w"], ["y"])], weights(0, w=(2, 2)))
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ValueError, match="outside its folder"):
        pyexpr.load(folder / "model.onnx")


def test_a_file_that_is_not_there_is_no_malformed_model(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pyexpr.load(tmp_path / "missing.onnx")


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="model"):
        from_model(data)


@given(st.data())
def test_damaged_models_are_refused_or_still_networks(data: st.DataObject) -> None:
    """No crash and no other exception, whatever bytes are changed or cut off."""
    content = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    try:
        with np.errstate(all="ignore"):
            net = from_model(bytes(content[:cut] if data.draw(st.booleans()) else content))
    except ValueError:
        return
    assert net.n_neurons >= 0


SMALL = model(
    [
        helper.make_node("Gemm", ["x", "w", "v"], ["a"], transB=1),
        helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.1),
        helper.make_node("Reshape", ["b", "s"], ["c"]),
        helper.make_node("Conv", ["c", "k"], ["y"]),
    ],
    weights(0, w=(4, 2), v=(4,), k=(1, 1, 2, 2)) | {"s": np.array([1, 1, 2, 2])},
).SerializeToString()
