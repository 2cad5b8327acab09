"""scikit-learn's multi-layer perceptrons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pyexpr.activations import ReLU
from pyexpr.build import Builder
from pyexpr.network import Network

if TYPE_CHECKING:
    from sklearn.neural_network import MLPClassifier, MLPRegressor


def from_mlp(mlp: MLPClassifier | MLPRegressor) -> Network:
    """A fitted perceptron as a network, up to what the output's softmax or logistic is given.

    Parameters
    ----------
    mlp
        An MLPClassifier or MLPRegressor with activation "relu" or "identity".

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        It is not fitted, or its hidden activation is not piecewise linear.
    """
    if not hasattr(mlp, "coefs_"):
        raise ValueError("net: the perceptron is not fitted; call its fit first")
    if mlp.activation not in ("relu", "identity"):
        raise ValueError(
            f"net: the perceptron's activation is {mlp.activation!r}, which is not piecewise "
            'linear; it must be "relu" or "identity"'
        )
    builder = Builder((len(mlp.coefs_[0]),))
    x = builder.input
    for i, (weight, bias) in enumerate(zip(mlp.coefs_, mlp.intercepts_, strict=True)):
        if i > 0 and mlp.activation == "relu":
            x = builder.activation(x, ReLU())
        columns = np.ascontiguousarray(np.asarray(weight, dtype=np.float64).T)
        x = builder.dense(x, columns, np.asarray(bias, dtype=np.float64))
    return Network(builder.graph(x))
