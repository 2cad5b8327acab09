"""Points of a network's input space, from files or drawn at random."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pyexpr._arrays import FloatArray, real_array


def read(source: str, shape: tuple[int, ...]) -> FloatArray:
    """One point: from a .npy, .npz or .csv file that holds no other numbers, or "random:SEED".

    Returns
    -------
    float64 [*shape]; random ones are standard normal

    Raises
    ------
    OSError
        The file cannot be opened.
    ValueError
        It holds anything else, or the seed is no integer that is not negative.
    """
    if source.startswith("random:"):
        seed = source.removeprefix("random:")
        if not seed.isdecimal():
            raise ValueError(f"{source!r}: the seed must be an integer")
        return np.random.default_rng(int(seed)).standard_normal(shape)
    return _shaped(source, _numbers(source), shape)


def read_rows(path: str, rows: tuple[int, int], shape: tuple[int, ...]) -> list[FloatArray]:
    """Two points: rows of a .npy, .npz or .csv file, counted from 0; errors as for `read`."""
    table = _numbers(path)
    for row in rows:
        if table.ndim < 2 or not -len(table) <= row < len(table):
            raise ValueError(f"{path!r} has shape {table.shape}, and no row {row}")
    return [_shaped(f"row {row} of {path!r}", table[row], shape) for row in rows]


def _shaped(name: str, numbers: npt.NDArray[Any], shape: tuple[int, ...]) -> FloatArray:
    if numbers.size != prod(shape):
        raise ValueError(
            f"{name} has shape {numbers.shape}; the network's input is {shape}, "
            f"{prod(shape)} numbers"
        )
    return real_array(name, numbers).reshape(shape)


def _numbers(path: str) -> npt.NDArray[Any]:
    suffix = Path(path).suffix.lower()
    try:
        if suffix == ".npy":
            array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            return array
        if suffix == ".npz":
            return _only_array(path)
        if suffix == ".csv":
            return np.loadtxt(path, delimiter=",", ndmin=2)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path!r} holds no array of numbers: {error}") from error
    raise ValueError(f"{os.fspath(path)!r}: points come from .npy, .npz or .csv, or random:SEED")


def _only_array(path: str) -> npt.NDArray[Any]:
    with np.load(path, allow_pickle=False) as archive:
        if len(archive.files) != 1:
            raise ValueError(f"it holds the arrays {archive.files}, and must hold one")
        array: npt.NDArray[Any] = archive[archive.files[0]]
        return array
