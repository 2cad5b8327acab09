"""Regions and decisions of a model in an ONNX file between two images.

usage: python examples/onnx_model.py MODEL IMAGES [PICTURE]

MODEL is a classifier, whose softmax, if it ends in one, is left out; IMAGES is a .npy file with at
least two rows. Needs onnx and matplotlib. Writes onnx_model.png unless told otherwise.
"""

from __future__ import annotations

import sys

import numpy as np
import onnx

import pyexpr
from pyexpr import plot


def logits(model: str) -> str:
    """The name of what the last softmax is applied to, or of the output."""
    graph = onnx.load(model).graph
    last = graph.node[-1]
    return str(last.input[0] if last.op_type == "Softmax" else graph.output[0].name)


def main(model: str, images: str, picture: str = "onnx_model.png") -> None:
    net = pyexpr.load(model, output=logits(model))
    print(net)
    a, b = np.load(images)[:2]
    trace = pyexpr.trace(net, a.reshape(net.input_shape), b.reshape(net.input_shape))
    print(trace)
    print(f"class {trace.at(0.0).value.argmax()} at the first image")
    for change in trace.decision_changes():
        print(f"class {change['after']} from t = {change['t']:.6f} on")
    plot.overview(trace).savefig(picture, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
