"""Networks from .nnet files and scikit-learn compute what their own definitions say."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier, MLPRegressor

import pyexpr

Array = npt.NDArray[np.float64]

# .nnet

SIZES = [2, 3, 2]
LAYERS = [
    (np.array([[0.5, -1.25], [2.0, 0.0], [-0.75, 1.5]]), np.array([0.25, -0.5, 1.0])),
    (np.array([[1.0, -2.0, 0.5], [0.125, 3.0, -1.0]]), np.array([0.0, -0.25])),
]
MEANS, RANGES = [1.0, -2.0, 10.0], [4.0, 0.5, 8.0]


def rows(*numbers: Any) -> str:
    return "".join(f"{number}," for number in numbers) + "\n"


def nnet(**changes: str) -> str:
    parts = {
        "comment": "// A network, by hand\n",
        "sizes": rows(2, 2, 2, 3),
        "layers": rows(*SIZES),
        "flag": rows(0),
        "lower": rows(-9, -9),
        "upper": rows(9, 9),
        "means": rows(*MEANS),
        "ranges": rows(*RANGES),
        "weights": "".join(
            "".join(rows(*row) for row in weight) + "".join(rows(b) for b in bias)
            for weight, bias in LAYERS
        ),
    } | changes
    return "".join(parts.values())


def write(folder: Path, text: str) -> Path:
    path = folder / "a.nnet"
    path.write_text(text, encoding="ascii")
    return path


def forward(x: Array) -> Array:
    (first, shift), (second, readout) = LAYERS
    out: Array = second @ np.maximum(first @ x + shift, 0) + readout
    return out


def test_a_nnet_file_is_read(tmp_path: Path) -> None:
    net = pyexpr.load(write(tmp_path, nnet()))
    for layer, (weight, bias) in zip(net.layers, LAYERS, strict=True):
        assert np.array_equal(layer.weight, weight)
        assert np.array_equal(layer.bias, bias)
    x = np.array([0.3, -0.7])
    assert np.allclose(net(x), forward(x))


def test_normalisation_is_there_on_request(tmp_path: Path) -> None:
    from pyexpr.io import nnet as reader

    net = reader.load(write(tmp_path, nnet()), normalize=True)
    x = np.array([3.0, -1.75])
    normal = (x - MEANS[:2]) / RANGES[:2]
    assert np.allclose(net(x), forward(normal) * RANGES[2] + MEANS[2])
    assert pyexpr.count_regions(net, x, -x) == pyexpr.count_regions(
        pyexpr.load(write(tmp_path, nnet())), normal, (-x - MEANS[:2]) / RANGES[:2]
    )


BAD_FILES = {
    "empty": ("", "ends where sizes"),
    "cut off": (nnet()[:-8], "biases"),
    "random text": ("hello, world", "2 numbers"),
    "sizes that disagree": (nnet(layers=rows(2, 3, 4)), "not 2 to 2"),
    "no layers": (nnet(sizes=rows(0, 2, 2, 3)), "size is 0"),
    "a huge layer": (nnet(layers=rows(2, 10**12, 2)), "weights|biases"),
    "a number that is none": (nnet(means=rows(1, "x", 2)), "x"),
    "not finite": (nnet(means=rows(1, "inf", 2)), "not finite"),
    "too few weights in a row": (nnet(weights=rows(1)), "weights"),
}


@pytest.mark.parametrize("bad", BAD_FILES)
def test_malformed_nnet_files_are_refused(tmp_path: Path, bad: str) -> None:
    text, message = BAD_FILES[bad]
    with pytest.raises(ValueError, match=rf"no \.nnet network: .*({message})"):
        pyexpr.load(write(tmp_path, text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nnet"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match=r"no \.nnet network"):
        pyexpr.load(path)


@given(place=st.integers(0, len(nnet()) - 1), change=st.sampled_from("0123456789.,-e/\nx "))
def test_a_damaged_nnet_file_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: str
) -> None:
    text = nnet()[:place] + change + nnet()[place + 1 :]
    try:
        net = pyexpr.load(write(tmp_path_factory.mktemp("nnet"), text))
    except ValueError as error:
        assert "no .nnet network" in str(error)
    else:
        assert net.n_neurons >= 1


# scikit-learn


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_a_classifier_gives_its_decision_values(activation: str) -> None:
    images, digits = load_digits(return_X_y=True)
    mlp = MLPClassifier((16, 8), activation=activation, max_iter=20, random_state=0)
    with pytest.warns(UserWarning, match="converge"):
        mlp.fit(images[:300], digits[:300])
    net = pyexpr.as_network(mlp)
    logits = net(images[:50])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(probabilities, mlp.predict_proba(images[:50]))
    regions = pyexpr.count_regions(mlp, images[0], images[1])
    assert regions == 1 if activation == "identity" else regions > 3


def test_a_regressor_gives_its_predictions() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 3))
    mlp = MLPRegressor(hidden_layer_sizes=(12,), max_iter=2000, random_state=0).fit(
        x, np.abs(x).sum(axis=1)
    )
    assert np.allclose(pyexpr.as_network(mlp)(x)[:, 0], mlp.predict(x))


def test_other_perceptrons_are_refused() -> None:
    with pytest.raises(ValueError, match="not fitted"):
        pyexpr.as_network(MLPRegressor())
    mlp = MLPRegressor(hidden_layer_sizes=(3,), activation="tanh", max_iter=5000, tol=1.0)
    with pytest.raises(ValueError, match=r"'tanh'.*piecewise linear"):
        pyexpr.as_network(mlp.fit([[0.0], [1.0]], [0.0, 1.0]))
