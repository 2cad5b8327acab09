"""Networks in files, one format a module."""

from __future__ import annotations

import os
from pathlib import Path

from pyexpr.io import nnet, npz, onnx
from pyexpr.network import Network

_LOADERS = {".nnet": nnet.load, ".npz": npz.load, ".onnx": onnx.load}


def load(path: str | os.PathLike[str], *, output: str | None = None) -> Network:
    """The network in a file; its suffix says the format: .nnet, .npz or .onnx.

    Parameters
    ----------
    path
        The file: an ONNX model (`pyexpr.io.onnx.load`), what `save` wrote, or a .nnet file as it
        stands (`pyexpr.io.nnet.load`).
    output
        The tensor of an ONNX model to stop at; its only output if None.

    Returns
    -------
    Network

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        The suffix is unknown, the file is malformed, or `output` is given for another format.
    ImportError
        It is an ONNX model, and onnx is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _LOADERS:
        raise ValueError(
            f"path is {os.fspath(path)!r}; pyexpr loads files ending in {', '.join(_LOADERS)}"
        )
    if output is None:
        return _LOADERS[suffix](path)
    if suffix != ".onnx":
        raise ValueError(f"output is {output!r}, but {os.fspath(path)!r} is no ONNX model")
    return onnx.load(path, output)
