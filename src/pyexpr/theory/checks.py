"""Numbers that must not leave float64."""

from __future__ import annotations

import numpy as np

from pyexpr._arrays import FloatArray


def require_finite(numbers: FloatArray) -> FloatArray:
    """The same numbers, which must not have left float64.

    Raises
    ------
    OverflowError
    """
    if not np.isfinite(numbers).all():
        raise OverflowError(
            "the squares of the trajectory's points, or variances, are beyond float64; smaller "
            "ones will do"
        )
    return numbers
