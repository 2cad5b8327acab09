"""Counts on models from files: regions, time, and which tier settles how many decisions.

usage: python bench/models.py MODEL ... [--points FILE.npz:NAME]

Each model is counted between the first two points that have as many numbers as its input, scaled
from uint8 to [0, 1]; images of three channels also with the channels last. Where none fit, the
points are random. ONNX models are first compared with onnx's reference evaluator at both points.
One thread.
"""

import argparse
from math import prod
from pathlib import Path
from time import perf_counter

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator

import pyexpr

Array = npt.NDArray[np.float64]


def ends(shape: tuple[int, ...], images: list[npt.NDArray[np.uint8]]) -> Array:
    """Two points of this shape, exact in float32."""
    for array in images:
        if prod(array.shape[1:]) == prod(shape):
            first = array[:2]
            if first.ndim == 4 and shape[-1] == 3:
                first = first.transpose(0, 2, 3, 1)
            scaled: Array = (first.reshape(2, *shape) / np.float32(255)).astype(np.float64)
            return scaled
    points: Array = np.random.default_rng(0).normal(0, 0.3, (2, *shape)).astype(np.float32)
    return points.astype(np.float64)


def difference(path: Path, net: pyexpr.Network, points: Array) -> float:
    """The largest, relative to the largest output."""
    model = onnx.load(path)
    given = {weights.name for weights in model.graph.initializer}
    (entry,) = (i for i in model.graph.input if i.name not in given)
    shape = [d.dim_value or 1 for d in entry.type.tensor_type.shape.dim]
    evaluator = ReferenceEvaluator(model)
    worst = 0.0
    for point in points:
        fed = point.astype(np.float32).reshape(shape)
        (result,) = map(np.asarray, evaluator.run(None, {entry.name: fed}))
        expected = result.reshape(-1)
        error = np.abs(net(point).reshape(-1) - expected).max() / np.abs(expected).max()
        worst = max(worst, float(error))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--points", nargs="*", default=[], metavar="FILE.npz:NAME")
    arguments = parser.parse_args()
    images = []
    for source in arguments.points:
        file, _, name = source.rpartition(":")
        images.append(np.load(file)[name][:2])
    print(
        f"{'model':34}{'neurons':>9}{'linear':>8}{'activation':>12}{'ms':>10}"
        f"{'decisions':>13}{'weights':>12}{'adjoint':>9}{'dd':>6}{'exact':>7}{'difference':>12}"
    )
    for path in arguments.models:
        net = pyexpr.load(path)
        points = ends(net.input_shape, images)
        activation = pyexpr.count_regions(net, *points, kind="activation")
        start = perf_counter()
        count = pyexpr.count_regions(net, *points)
        milliseconds = 1e3 * (perf_counter() - start)
        assert count.certificate is not None
        total = count.certificate.total
        error = f"{difference(path, net, points):.1e}" if path.suffix == ".onnx" else ""
        print(
            f"{path.name:34}{net.n_neurons:9}{count:8}{activation:12}{milliseconds:10.2f}"
            f"{total.asked:13,}{total.proportional:12,}{total.adjoint:9,}{total.extended:6}"
            f"{total.exact:7}{error:>12}"
        )


if __name__ == "__main__":
    main()
