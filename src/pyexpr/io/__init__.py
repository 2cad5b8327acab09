"""Networks in files, one format a module."""

from __future__ import annotations

import os
from pathlib import Path

from pyexpr.io import nnet, npz, onnx
from pyexpr.network import Network

_LOADERS = {".nnet": nnet.load, ".npz": npz.load, ".onnx": onnx.load}


def load(path: str | os.PathLike[str]) -> Network:
    """The network in a file; its suffix says the format: .nnet, .npz or .onnx.

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        The suffix is unknown, or the file is malformed.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _LOADERS:
        raise ValueError(
            f"path is {os.fspath(path)!r}; pyexpr loads files ending in {', '.join(_LOADERS)}"
        )
    return _LOADERS[suffix](path)
