"""What functions take as a network."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from pyexpr._arrays import what
from pyexpr.network import DenseLayer, Network

if TYPE_CHECKING:
    from onnx import ModelProto
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from torch.nn import Module

NetworkLike: TypeAlias = (
    "Network | Sequence[DenseLayer] | str | os.PathLike[str] | Module | ModelProto | MLPClassifier"
    " | MLPRegressor"
)


def as_network(
    obj: NetworkLike, *, input_shape: Sequence[int] | None = None, output: str | None = None
) -> Network:
    """Whatever describes a network, as one.

    Parameters
    ----------
    obj
        A Network, which is returned as it is; a list of (W, b), as a ReLU network; a PyTorch module
        (`pyexpr.io.torch.from_module`); an ONNX model (`pyexpr.io.onnx.from_model`); scikit-learn's
        MLPClassifier or MLPRegressor (`pyexpr.io.sklearn.from_mlp`); or a path (`load`).
    input_shape
        The shape of one input, which a PyTorch module does not tell; unused by all others.
    output
        Where to stop in a PyTorch module or an ONNX model, as for their importers; at the end if
        None.

    Returns
    -------
    Network

    Raises
    ------
    TypeError
        `obj` is none of these.
    ValueError
        `Network.dense`, the importer or `load` refuses it, the shape is missing, or there is no
        such `output`.
    OSError
        The file cannot be opened.
    """
    if isinstance(obj, str | os.PathLike):
        from pyexpr.io import load

        return load(obj, output=output)
    if _is_of(obj, "torch.nn", "Module"):
        from pyexpr.io import torch

        if input_shape is None:
            raise ValueError("input_shape is None; a PyTorch module needs the shape of one input")
        return torch.from_module(obj, input_shape, output)
    if _is_of(obj, "onnx", "ModelProto"):
        from pyexpr.io import onnx

        return onnx.from_model(obj, output)
    if output is not None:
        raise ValueError(f"output is {output!r}, but net is no PyTorch module or ONNX model")
    if isinstance(obj, Network):
        return obj
    if isinstance(obj, list | tuple):
        return Network.dense(obj)
    if _is_of(obj, "sklearn.neural_network", "MLPClassifier", "MLPRegressor"):
        from pyexpr.io import sklearn

        return sklearn.from_mlp(obj)
    raise TypeError(
        f"net is {what(obj)}; it must be a pyexpr.Network, a list of (W, b), a PyTorch module, "
        "an ONNX model, an MLPClassifier or MLPRegressor, or a path"
    )


def _is_of(obj: object, module: str, *classes: str) -> TypeGuard[Any]:
    """Without importing the library, which has made the object if it is of its classes."""
    library = sys.modules.get(module)
    return library is not None and isinstance(obj, tuple(getattr(library, c) for c in classes))
