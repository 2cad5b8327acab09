"""Where images and labels come from, before any scaling: arrays, digits, torchvision."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from pyexpr.io._archive import MALFORMED, Array

MAX_CLASSES = 2**16  # a network has as many outputs
OURS = re.compile("[xy](?:_train|_test)?")  # the arrays of a .npz file

_SEED = 0  # of the split, once and for all
_TEST_SHARE = 5  # one image of so many
_IN_TORCHVISION = {"mnist": "MNIST", "cifar10": "CIFAR10"}

Arrays: TypeAlias = Mapping[str, Array]


class Raw(NamedTuple):
    """Images, uint8 or float [N, C, H, W], and their labels, int64 [N]; neither set is empty."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


def from_arrays(arrays: Arrays) -> Raw:
    """Of x and y, split here, or of x_train, y_train, x_test and y_test.

    Raises
    ------
    ValueError
        Arrays are missing, or of wrong types or shapes, or hold what no image or label is.
    """
    if "x" in arrays or "y" in arrays:
        if beside := sorted({*arrays} - {"x", "y"}):
            raise ValueError(f"it has both x or y and {beside[0]}; one must go")
        raw = _split(*_pair(arrays, ""))
    else:
        raw = Raw(*_pair(arrays, "_train"), *_pair(arrays, "_test"))
    for images, part in ((raw.x_train, "training"), (raw.x_test, "test")):
        if not len(images):
            raise ValueError(f"the {part} set has no images")
    if raw.x_train.shape[1:] != raw.x_test.shape[1:]:
        raise ValueError(
            f"images of x_train have shape {raw.x_train.shape[1:]}, "
            f"those of x_test {raw.x_test.shape[1:]}"
        )
    return raw


def digits() -> Raw:
    """scikit-learn's 1,797 images of handwritten digits, 8 x 8, which come with it.

    Raises
    ------
    ImportError
        scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            'the digits need scikit-learn; install it by: pip install "pyexpr-regions[sklearn]"'
        ) from error
    found = load_digits()
    return from_arrays({"x": found.images, "y": found.target})


def from_torchvision(name: str, root: str | os.PathLike[str] | None, download: bool) -> Raw:
    """MNIST or CIFAR-10; the errors are those of `load_data`."""
    make = getattr(_torchvision_datasets(), _IN_TORCHVISION[name])
    folder = str(_cache() if root is None else Path(root))
    try:
        parts = {part: make(folder, train=part == "train", download=download) for part in _PARTS}
        return from_arrays(dict(_arrays_of(parts)))
    except (
        OSError,
        RuntimeError,
    ) as error:  # torchvision raises the latter where files are missing
        if download:
            raise OSError(
                f"{name} could not be downloaded to {folder!r}, or read from it: {error}"
            ) from error
        raise FileNotFoundError(
            f'{name} is not in {folder!r}, or not all of it; load_data("{name}", download=True) '
            "downloads it, on the command line --download"
        ) from error
    except (AssertionError, *MALFORMED) as error:  # the former of malformed files
        reason = str(error) or "a file is malformed"
        raise ValueError(f"{folder!r} holds no {name}: {reason}") from error


# --- arrays ---


def _pair(arrays: Arrays, suffix: str) -> tuple[Array, Array]:
    for key in (f"x{suffix}", f"y{suffix}"):
        if key not in arrays:
            raise ValueError(
                f"{key} is missing; arrays are x, y or x_train, y_train, x_test, y_test"
            )
    x, y = _images(f"x{suffix}", arrays), _labels(f"y{suffix}", arrays)
    if len(x) != len(y):
        raise ValueError(f"x{suffix} has {len(x)} images, but y{suffix} {len(y)} labels")
    return x, y


def _images(name: str, arrays: Arrays) -> Array:
    """Checked, and as [N, C, H, W]."""
    x = arrays[name]
    if x.dtype != np.uint8 and (x.dtype.kind != "f" or x.dtype.itemsize not in (4, 8)):
        raise ValueError(f"{name} has dtype {x.dtype}; images are uint8, float32 or float64")
    if x.ndim not in (2, 3, 4) or 0 in x.shape[1:]:
        raise ValueError(
            f"{name} has shape {x.shape}; images are [N, C, H, W], [N, H, W] or [N, features]"
        )
    if x.dtype.kind == "f" and not (finite := np.isfinite(x)).all():
        raise ValueError(f"{name} holds {x[~finite][0]}; every number must be finite")
    return x.reshape(len(x), *(1,) * (4 - x.ndim), *x.shape[1:])


def _labels(name: str, arrays: Arrays) -> Array:
    y = arrays[name]
    if y.dtype.kind not in "iu" or y.ndim != 1:
        raise ValueError(f"{name} has shape {y.shape} and dtype {y.dtype}; labels are integers [N]")
    for label in (int(y.min()), int(y.max())) if len(y) else ():
        if not 0 <= label < MAX_CLASSES:
            raise ValueError(f"{name} holds {label}; labels are 0 to {MAX_CLASSES - 1}")
    return y.astype(np.int64)


def _split(x: Array, y: Array) -> Raw:
    """Shuffled, always in the same way; the last fifth is the test set."""
    order = np.random.default_rng(_SEED).permutation(len(x))
    train, test = np.split(order, [len(x) - len(x) // _TEST_SHARE])
    return Raw(x[train], y[train], x[test], y[test])


# --- torchvision ---

_PARTS = ("train", "test")


def _torchvision_datasets() -> Any:
    try:
        return import_module("torchvision.datasets")
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchvision"):
            raise  # it says what torchvision misses
        raise ImportError(
            "mnist and cifar10 need torchvision; install it by: pip install torchvision"
        ) from error
    except (AttributeError, OSError, RuntimeError) as error:  # its operators are not found
        raise ImportError(
            "torchvision is installed, but its build does not fit torch's "
            f"({error}); install the two together: pip install torch torchvision"
        ) from error


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyexpr"


def _arrays_of(parts: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    for part, found in parts.items():
        images = np.asarray(found.data)
        channels_last = images.ndim == 4  # CIFAR-10; MNIST has no channels
        yield f"x_{part}", np.moveaxis(images, 3, 1) if channels_last else images
        yield f"y_{part}", np.asarray(found.targets)
