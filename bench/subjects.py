"""Networks and segments that programs are compared on: random, trained, and from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from networks import BENCHMARKS, Array, Benchmark, as_float32, make

import pyexpr

DIGITS = "digits"
DIGITS_HIDDEN = (64, 64, 64)
DIGITS_PAIRS = 20


@dataclass(frozen=True)
class Chain:
    """Dense layers (W, b), W [out, in], with "relu" or "hard_tanh" after all but the last."""

    layers: list[tuple[Array, Array]]
    activation: str

    @property
    def hidden(self) -> list[tuple[Array, Array]]:
        return self.layers[:-1]


@dataclass(frozen=True)
class Subject:
    """A network, and segments [x0, x1] whose regions are added up.

    `chain` is the network where it is a chain, `path` the file that it came from, `expected` the
    number of activation regions where it is known.
    """

    title: str
    network: pyexpr.Network
    segments: list[tuple[Array, Array]]
    chain: Chain | None
    expected: int | None = None
    path: Path | None = None

    @property
    def flat(self) -> list[tuple[Array, Array]]:
        """The segments between points of one dimension."""
        return [(x0.ravel(), x1.ravel()) for x0, x1 in self.segments]


def title(benchmark: Benchmark) -> str:
    shape = f"{benchmark.n_in}-{len(benchmark.hidden)}x{benchmark.hidden[0]}"
    activation = "ReLU" if benchmark.activation == "relu" else "hard-tanh"
    gain = "" if benchmark.gain == 2 else f", gain {benchmark.gain:g}"
    return f"{shape} {activation}{gain}"


def random(benchmark: Benchmark) -> Subject:
    layers, x0, x1 = make(benchmark)
    return Subject(
        title=title(benchmark),
        network=pyexpr.Network.dense(layers, activation=benchmark.activation),
        segments=[(x0, x1)],
        chain=Chain(layers, benchmark.activation),
        expected=benchmark.regions,
    )


def digits() -> Subject:
    """A classifier of scikit-learn's digits, rounded to float32; segments between test images."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    images, labels = load_digits(return_X_y=True)
    known, test, of_known, _ = train_test_split(images / 16, labels, random_state=0)
    classifier = MLPClassifier(DIGITS_HIDDEN, max_iter=500, random_state=0).fit(known, of_known)
    layers = [
        (as_float32(weight.T), as_float32(bias))
        for weight, bias in zip(classifier.coefs_, classifier.intercepts_, strict=True)
    ]
    return Subject(
        title=f"64-3x64 ReLU on digits, {DIGITS_PAIRS} segments",
        network=pyexpr.Network.dense(layers),
        segments=[*pairwise(test[: 2 * DIGITS_PAIRS])][::2],
        chain=Chain(layers, "relu"),
    )


def from_file(path: Path, images: list[npt.NDArray[np.uint8]]) -> Subject:
    import models  # needs onnx

    network = pyexpr.load(path)
    x0, x1 = models.ends(network.input_shape, images)
    return Subject(
        title=path.name, network=network, segments=[(x0, x1)], chain=_chain(network), path=path
    )


def _chain(network: pyexpr.Network) -> Chain | None:
    if not network.is_dense:
        return None
    hidden = network.layers[:-1]
    for name, phi in (("relu", pyexpr.ReLU()), ("hard_tanh", pyexpr.HardTanh())):
        if all(layer.activation == phi for layer in hidden):
            return Chain([(layer.weight, layer.bias) for layer in network.layers], name)
    return None


def subjects(
    names: Sequence[str], paths: Sequence[Path], images: list[npt.NDArray[np.uint8]]
) -> list[Subject]:
    """In this order; `names` are those of BENCHMARKS, and DIGITS."""
    named = [digits() if name == DIGITS else random(BENCHMARKS[name]) for name in names]
    return [*named, *(from_file(path, images) for path in paths)]
