"""Images with labels to train networks on, standardised."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import fsum, inf, prod, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, integer, what
from pyexpr._frozen import Remade, frozen
from pyexpr.experiments._sources import OURS, Raw, digits, from_arrays, from_torchvision
from pyexpr.io._archive import MALFORMED, MAX_BYTES, Array, read_arrays

NAMES = ("digits", "mnist", "cifar10")

_CHOICES = ", ".join(f'"{name}"' for name in NAMES) + " or a path to a .npz file"
_AT_ONCE = 1 << 20  # pixels that are scaled at once, in float64

Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class DataSet(Remade):
    """Images to train on and to test on, and their labels.

    Attributes
    ----------
    name : str
    x_train, x_test : float32 [N, C, H, W], read-only
    y_train, y_test : int64 [N], read-only
    classes : int
        How many there are: labels are below it. Without it, one more than the largest label.

    Raises
    ------
    ValueError
        Arrays of other dtypes or shapes, empty ones, or labels that are no classes.
    """

    name: str
    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels
    classes: int = 0

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            x, y = np.asarray(getattr(self, f"x_{part}")), np.asarray(getattr(self, f"y_{part}"))
            _check_part(part, x, y)
            object.__setattr__(self, f"x_{part}", frozen(x))
            object.__setattr__(self, f"y_{part}", frozen(y))
        if self.x_train.shape[1:] != self.x_test.shape[1:]:
            raise ValueError("images of x_train and of x_test differ in shape")
        least = 1 + int(max(self.y_train.max(), self.y_test.max()))
        object.__setattr__(self, "classes", integer("classes", self.classes or least, least))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: channels, height, width."""
        _, channels, height, width = self.x_train.shape
        return channels, height, width

    def subset(self, train: int | None, test: int | None, seed: int = 0) -> DataSet:
        """So many images of the training and of the test set, chosen at random.

        They keep their order, their scale and the number of classes. For one seed, a smaller
        choice is part of a larger one, and that of the test images does not depend on `train`.

        Parameters
        ----------
        train, test
            How many; None for all.
        seed
            Of the choice.

        Raises
        ------
        TypeError
            An argument is no integer.
        ValueError
            Less than one image, more than there are, or a negative seed.
        """
        integer("seed", seed, 0)
        # a last number 0 would make it the stream of the seed alone, which orders minibatches
        i = _choice("train", train, len(self.x_train), [seed, 11])
        j = _choice("test", test, len(self.x_test), [seed, 12])
        return replace(
            self,
            x_train=self.x_train[i],
            y_train=self.y_train[i],
            x_test=self.x_test[j],
            y_test=self.y_test[j],
        )

    def __repr__(self) -> str:
        return (
            f"<DataSet {self.name}: {len(self.x_train):,} + {len(self.x_test):,} images "
            f"{'x'.join(map(str, self.shape))}, {self.classes} classes>"
        )


def load_data(
    source: str | os.PathLike[str] = "digits",
    *,
    root: str | os.PathLike[str] | None = None,
    download: bool = False,
) -> DataSet:
    """A data set by its name, or from a .npz file.

    Images of uint8 are first divided by 255. Then one mean and one standard deviation, of all
    pixels of all training images, standardise both sets: (x - mean) / deviation, all of it computed
    in float64, and rounded to float32 at the end.

    Where a source does not say which images are for testing, they are shuffled, always in the same
    way, and the last fifth is the test set.

    Parameters
    ----------
    source
        "digits": scikit-learn's 1,797 images of 8 x 8, which come with it. "mnist" and "cifar10":
        read by torchvision. CIFAR-10's files are pickles; torchvision checks their MD5 sums before
        it unpickles them. Or a path to a .npz file with arrays x and y, to be split, or x_train,
        y_train, x_test and y_test: images are uint8, float32 or float64 [N, C, H, W], [N, H, W] or
        [N, features], which become [N, 1, 1, features]; labels are integers [N], from 0. Nothing in
        the file is unpickled, and other arrays in it are ignored.
    root
        The folder of torchvision's files; pyexpr in $XDG_CACHE_HOME or in ~/.cache if None. The
        digits and .npz files do not use it.
    download
        Whether torchvision may download files that are missing; nothing is downloaded otherwise.

    Returns
    -------
    DataSet

    Raises
    ------
    TypeError
        `source` is neither a string nor a path.
    ValueError
        An unknown name; or a file that is malformed: no archive, arrays missing, of wrong types or
        shapes, empty or not finite, numbers of images and labels that differ, training images that
        are all one colour, more than float32 or 2 GiB hold.
    ImportError
        scikit-learn or torchvision is not installed, or torchvision does not fit torch.
    OSError
        The file cannot be opened, or the download failed. FileNotFoundError: there is no such
        file, or torchvision's files are not in `root`.
    """
    if isinstance(source, str) and source in NAMES:
        here = source == "digits"
        return _standardised(source, digits() if here else from_torchvision(source, root, download))
    return _from_file(_path(source))


def _path(source: object) -> Path:
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"source is {what(source)}; it must be {_CHOICES}")
    path = Path(source)
    if path.suffix.lower() != ".npz":
        raise ValueError(f"source is {os.fspath(source)!r}; it must be {_CHOICES}")
    return path


def _from_file(path: Path) -> DataSet:
    with path.open("rb") as file:
        try:
            return _standardised(path.stem, from_arrays(read_arrays(file, OURS)))
        except MALFORMED as error:
            raise ValueError(f"{str(path)!r} holds no data set: {error}") from error


# --- data sets ---


def _check_part(part: str, x: Array, y: Array) -> None:
    if x.dtype != np.float32 or x.ndim != 4 or not x.size:
        raise ValueError(
            f"x_{part} has shape {x.shape} and dtype {x.dtype}; it must be float32 [N, C, H, W]"
        )
    if y.dtype != np.int64 or y.shape != x.shape[:1] or y.min() < 0:
        raise ValueError(
            f"y_{part} has shape {y.shape} and dtype {y.dtype}; it must be int64 [{len(x)}], "
            "and not negative"
        )


def _choice(name: str, wanted: int | None, n: int, seed: list[int]) -> npt.NDArray[np.int64]:
    """Indices, ascending; of one permutation, so that smaller choices are part of larger ones."""
    if wanted is None:
        return np.arange(n)
    if integer(name, wanted, 1) > n:
        raise ValueError(f"{name} is {wanted}; there are {n} images")
    return np.sort(np.random.default_rng(seed).permutation(n)[:wanted])


# --- scaling ---


def _standardised(name: str, raw: Raw) -> DataSet:
    n_bytes = 4 * (raw.x_train.size + raw.x_test.size)
    if n_bytes > MAX_BYTES:
        raise ValueError(f"its images take {n_bytes} bytes in float32; the limit is {MAX_BYTES}")
    with np.errstate(over="ignore", invalid="ignore"):  # both are refused
        mean, deviation = _moments(raw.x_train)
        x_train, x_test = (_scaled(x, mean, deviation) for x in (raw.x_train, raw.x_test))
    return DataSet(name, x_train, raw.y_train, x_test, raw.y_test)


def _moments(images: Array) -> tuple[float, float]:
    """Mean and standard deviation of all pixels."""
    if images.min() == images.max():  # rounding may leave it a deviation
        raise ValueError("all pixels of the training images are equal")
    mean = fsum(float(block.sum()) for _, block in _blocks(images)) / images.size
    squares = fsum(float(np.square(block - mean).sum()) for _, block in _blocks(images))
    deviation = sqrt(squares / images.size)
    if not 0 < deviation < inf:
        raise ValueError(f"the training images have standard deviation {deviation} in float64")
    return mean, deviation


def _scaled(images: Array, mean: float, deviation: float) -> Images:
    result = np.empty(images.shape, np.float32)
    for rows, block in _blocks(images):
        result[rows] = (block - mean) / deviation
    if not np.isfinite(result).all():
        raise ValueError("an image is beyond float32 after standardisation")
    return result


def _blocks(images: Array) -> Iterator[tuple[slice, FloatArray]]:
    """So few images at once that float64 copies take little memory."""
    step = max(1, _AT_ONCE // prod(images.shape[1:]))
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    for first in range(0, len(images), step):
        rows = slice(first, first + step)
        yield rows, images[rows].astype(np.float64) / scale


@lru_cache(maxsize=2)
def load_once(source: str) -> DataSet:
    """`load_data`, for a process that runs many cells on the same data."""
    return load_data(source)


def random_pairs(
    images: npt.NDArray[np.float32], count: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of different images: float64 [count, C, H, W] each."""
    rng = np.random.default_rng([seed, 1])
    chosen = np.array([rng.choice(len(images), 2, replace=False) for _ in range(count)])
    x0, x1 = images[chosen.T].astype(np.float64)
    return x0, x1
