"""The files that pages of the documentation and examples take for granted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_files(folder: Path) -> None:
    """images.npy, 20 of 8 x 8; a.npy and b.npy, one each; models.

    model.onnx is a network on them, with ten outputs; classifier.onnx has a softmax after it.
    """
    rng = np.random.default_rng(0)
    images = rng.standard_normal((20, 1, 8, 8))
    np.save(folder / "images.npy", images)
    np.save(folder / "a.npy", images[0])
    np.save(folder / "b.npy", images[1])
    weights = _weights(rng)
    onnx.save(_model(weights, _LAYERS, "logits"), folder / "model.onnx")
    softmax = helper.make_node("Softmax", ["logits"], ["probabilities"])
    onnx.save(_model(weights, [*_LAYERS, softmax], "probabilities"), folder / "classifier.onnx")


_LAYERS = [
    helper.make_node("Conv", ["image", "kernel", "kernel_bias"], ["convolved"]),
    helper.make_node("Relu", ["convolved"], ["rectified"]),
    helper.make_node("Flatten", ["rectified"], ["flat"]),
    helper.make_node("Gemm", ["flat", "weight", "bias"], ["logits"], transB=1),
]


def _weights(rng: np.random.Generator) -> list[onnx.TensorProto]:
    shapes = {"kernel": (4, 1, 3, 3), "kernel_bias": (4,), "weight": (10, 144), "bias": (10,)}
    return [
        numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]


def _model(
    weights: list[onnx.TensorProto], nodes: list[onnx.NodeProto], output: str
) -> onnx.ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])
    out = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", 10])
    graph = helper.make_graph(nodes, "classifier", [image], [out], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
