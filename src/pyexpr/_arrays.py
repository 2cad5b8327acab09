"""What comes from outside as numbers: checked once, here, and made float64 without rounding."""

from __future__ import annotations

import operator
import reprlib
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]

_SHAPES = {0: "a number", 1: "a vector", 2: "a matrix"}
_LARGE = 2.0**53  # below it float64 holds every integer


def real_array(name: str, value: object, *ndims: int) -> FloatArray:
    """`value` as finite, C-contiguous float64, rounding nothing; may share its memory.

    Parameters
    ----------
    name
        What errors call it.
    value
        Real numbers: an array or nested sequences of bool, integers or floats.
    ndims
        The numbers of dimensions that will do; none given: any.

    Raises
    ------
    TypeError
        Not real numbers: complex, object, strings, masked.
    ValueError
        Another number of dimensions, ragged, not finite, or not exact in float64.
    """
    if type(value) is np.ndarray and _is_plain(value, ndims):
        return value
    array = as_array(name, value)
    if ndims and array.ndim not in ndims:
        wanted = " or ".join(_SHAPES.get(ndim, f"{ndim}-dimensional") for ndim in ndims)
        raise ValueError(f"{name} has shape {array.shape}; it must be {wanted}")
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(f"{name} holds {array[~finite][0]}; every number must be finite")
    with np.errstate(over="ignore"):  # a long double beyond float64 is refused below
        result = np.require(array, np.float64, ["C_CONTIGUOUS", "ALIGNED"])
    _require_exact(name, value, array, result)
    return result


def _is_plain(array: npt.NDArray[Any], ndims: tuple[int, ...]) -> bool:
    """Whether there is nothing to check or to change, as mostly."""
    return bool(
        array.dtype == np.float64
        and array.flags.c_contiguous
        and array.flags.aligned
        and (not ndims or array.ndim in ndims)
        and np.isfinite(array).all()
    )


def real_number(name: str, value: object) -> float:
    """`value` as a float; errors as for `real_array`."""
    return float(real_array(name, value, 0))


def integer(name: str, value: Any, least: int) -> int:
    """`value` as an int.

    Raises
    ------
    TypeError
        No integer.
    ValueError
        Below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {what(value)}; it must be an integer") from None
    if number < least:
        raise ValueError(f"{name} is {number}; it must be at least {least}")
    return number


def not_negative(name: str, value: object) -> float:
    """`value` as a float that is not negative; errors as for `real_array`."""
    number = real_number(name, value)
    if number < 0:
        raise ValueError(f"{name} is {number}; it must not be negative")
    return number


def end_points(x0: object, x1: object, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """The ends of a segment in an input space of this shape, both flat."""
    return _end_point("x0", x0, shape), _end_point("x1", x1, shape)


def read_only(array: FloatArray) -> FloatArray:
    """The same array, no longer writeable."""
    array.setflags(write=False)
    return array


def shape_of(value: Any) -> tuple[int, ...] | None:
    """None where it has none; what is wrong with it is said when it is read."""
    try:
        shape: tuple[int, ...] = np.shape(value)
    except (ValueError, TypeError, RuntimeError):  # as of lists of torch's tensors
        return None
    return shape


def _end_point(name: str, value: object, shape: tuple[int, ...]) -> FloatArray:
    point = real_array(name, value)
    if point.shape != shape:
        raise ValueError(f"{name} has shape {point.shape}, but the network's input is {shape}")
    return point.reshape(-1)


def as_array(name: str, value: object) -> npt.NDArray[np.generic]:
    """`value` as real numbers of whatever type; errors as for `real_array`."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; fill it first, as by {name}.filled(0)")
    try:
        array: npt.NDArray[np.generic] = np.asarray(numbers_of(value))
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{name} is no array of real numbers: {error}") from error
    except TypeError as error:  # of an array that a GPU has
        raise TypeError(f"{name} cannot be read on the CPU: {error}") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is {what(value)}; it must hold floats or 64-bit integers")
    return array


def numbers_of(value: Any) -> Any:
    """The same, but of torch's tensors without gradients, and with no minus yet to be taken."""
    if hasattr(value, "detach") and hasattr(value, "resolve_neg"):
        return value.detach().resolve_neg()
    return value


def what(value: object) -> str:
    """For errors."""
    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype}"
    return f"{reprlib.repr(value)} ({type(value).__name__})"


def _require_exact(
    name: str, value: object, array: npt.NDArray[np.generic], result: FloatArray
) -> None:
    large = np.abs(result) >= _LARGE
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        large[...] = True
    if not large.any():
        return
    given = array
    if array.dtype == np.float64:
        if not isinstance(value, list | tuple):
            return
        given = np.array(value, dtype=object)  # numpy has rounded integers among the floats
    for before, after in zip(given[large].tolist(), result[large].tolist(), strict=True):
        exact = int(before) if isinstance(before, int | np.integer) else before
        if exact != after:
            raise ValueError(
                f"{name} holds {before!s}, which float64 cannot hold exactly "
                f"(the nearest is {after!r}); round it to float64 first"
            )
