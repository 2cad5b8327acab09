"""Train the two small networks that come with pyexpr, on the UCI handwritten digits.

Writes digits_relu.npz, digits_hard_tanh.npz and digits_samples.npz to src/pyexpr/data. Needs
scikit-learn for the images; the training itself is plain numpy, and the same on every run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

DATA = Path(__file__).resolve().parent.parent / "src" / "pyexpr" / "data"
N_TEST = 360
SAMPLES_PER_CLASS = 2


@dataclass(frozen=True)
class Activation:
    """An elementwise function and its derivative, both of the pre-activation."""

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


@dataclass(frozen=True)
class Recipe:
    """A network and how to train it; weights start as N(0, weight_variance / fan_in)."""

    activation: Activation
    widths: tuple[int, ...]
    weight_variance: float
    bias_variance: float
    weight_decay: float
    epochs: int
    learning_rate: float = 1e-3
    batch: int = 64
    seed: int = 0


@dataclass(frozen=True)
class Digits:
    """Images [k, 64] with pixels in [0, 1], and their labels [k]; the test part is held out."""

    train_x: Array
    train_y: Labels
    test_x: Array
    test_y: Labels


RELU = Activation("relu", lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0).astype(np.float64))
HARD_TANH = Activation(
    "hard_tanh",
    lambda z: np.clip(z, -1.0, 1.0),
    lambda z: (np.abs(z) < 1.0).astype(np.float64),
)

# The hard-tanh network starts from large weights, for which the number of regions grows with
# depth (Raghu et al., ICML 2017).
RECIPES = (
    Recipe(RELU, (64, 64, 64, 64, 64, 10), 2.0, 0.0, 1e-4, epochs=40),
    Recipe(HARD_TANH, (64, 48, 48, 48, 48, 48, 10), 4.0, 1.0, 1e-4, epochs=60),
)


class Adam:
    """Adam (Kingma and Ba, 2015) with decoupled weight decay, in place."""

    def __init__(self, params: list[Array], learning_rate: float, weight_decay: float) -> None:
        self.params = params
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.mean = [np.zeros_like(p) for p in params]
        self.square = [np.zeros_like(p) for p in params]
        self.steps = 0

    def step(self, gradients: list[Array]) -> None:
        self.steps += 1
        correct_mean = 1.0 - 0.9**self.steps
        correct_square = 1.0 - 0.999**self.steps
        for p, g, m, s in zip(self.params, gradients, self.mean, self.square, strict=True):
            m += 0.1 * (g - m)
            s += 0.001 * (g * g - s)
            direction = (m / correct_mean) / (np.sqrt(s / correct_square) + 1e-8)
            p -= self.learning_rate * (direction + self.weight_decay * p)


def split_digits() -> Digits:
    """The 1797 digits of scikit-learn in a fixed split."""
    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    x = np.asarray(bunch.data, np.float64)[order] / 16.0
    y = np.asarray(bunch.target, np.int64)[order]
    return Digits(x[N_TEST:], y[N_TEST:], x[:N_TEST], y[:N_TEST])


def initial_params(recipe: Recipe, rng: np.random.Generator) -> list[Array]:
    """[W0, b0, W1, b1, ...] with W [out, in]."""
    params = []
    for fan_in, fan_out in zip(recipe.widths[:-1], recipe.widths[1:], strict=True):
        weight_scale = np.sqrt(recipe.weight_variance / fan_in)
        params.append(weight_scale * rng.standard_normal((fan_out, fan_in)))
        params.append(np.sqrt(recipe.bias_variance) * rng.standard_normal(fan_out))
    return params


def forward(params: list[Array], activation: Activation, x: Array) -> tuple[list[Array], Array]:
    """The pre-activations of every layer, and the logits."""
    pre_activations = []
    h = x
    for weight, bias in zip(params[:-2:2], params[1:-2:2], strict=True):
        z = h @ weight.T + bias
        pre_activations.append(z)
        h = activation.value(z)
    return pre_activations, h @ params[-2].T + params[-1]


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def cross_entropy_gradients(
    params: list[Array], activation: Activation, x: Array, y: Labels
) -> list[Array]:
    """The gradients of the mean cross entropy, in the order of `params`."""
    pre_activations, logits = forward(params, activation, x)
    inputs = [x] + [activation.value(z) for z in pre_activations]
    upstream = (softmax(logits) - np.eye(logits.shape[1])[y]) / len(x)
    gradients: list[Array] = []
    for layer in reversed(range(len(inputs))):
        gradients[:0] = [upstream.T @ inputs[layer], upstream.sum(axis=0)]
        if layer > 0:
            slope = activation.slope(pre_activations[layer - 1])
            upstream = (upstream @ params[2 * layer]) * slope
    return gradients


def train(recipe: Recipe, digits: Digits) -> list[Array]:
    """Trained parameters, rounded to float32."""
    rng = np.random.default_rng(recipe.seed)
    params = initial_params(recipe, rng)
    adam = Adam(params, recipe.learning_rate, recipe.weight_decay)
    for _ in range(recipe.epochs):
        order = rng.permutation(len(digits.train_x))
        for start in range(0, len(order), recipe.batch):
            rows = order[start : start + recipe.batch]
            x, y = digits.train_x[rows], digits.train_y[rows]
            adam.step(cross_entropy_gradients(params, recipe.activation, x, y))
    return [p.astype(np.float32).astype(np.float64) for p in params]


def accuracy(params: list[Array], activation: Activation, x: Array, y: Labels) -> float:
    _, logits = forward(params, activation, x)
    return float(np.mean(logits.argmax(axis=1) == y))


def save_network(path: Path, params: list[Array], activation: str, test_accuracy: float) -> None:
    """pyexpr's .npz format: W0, b0, W1, b1, ... and act; the loader ignores other keys."""
    arrays: dict[str, Any] = {"act": np.array(activation), "test_accuracy": test_accuracy}
    for i in range(len(params) // 2):
        arrays[f"W{i}"] = params[2 * i].astype(np.float32)
        arrays[f"b{i}"] = params[2 * i + 1].astype(np.float32)
    np.savez(path, **arrays)


def save_samples(path: Path, digits: Digits) -> None:
    """The first few test images of every class, in the order of the classes."""
    rows = [np.flatnonzero(digits.test_y == label)[:SAMPLES_PER_CLASS] for label in range(10)]
    chosen = np.concatenate(rows)
    np.savez(path, x=digits.test_x[chosen].astype(np.float32), y=digits.test_y[chosen])


def main() -> None:
    digits = split_digits()
    DATA.mkdir(exist_ok=True)
    save_samples(DATA / "digits_samples.npz", digits)
    for recipe in RECIPES:
        name = recipe.activation.name
        params = train(recipe, digits)
        test_accuracy = accuracy(params, recipe.activation, digits.test_x, digits.test_y)
        save_network(DATA / f"digits_{name}.npz", params, name, test_accuracy)
        print(f"digits_{name}: test accuracy {test_accuracy:.4f}")


if __name__ == "__main__":
    main()
