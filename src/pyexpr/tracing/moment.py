"""What a trace says about one t."""

from __future__ import annotations

from dataclasses import dataclass

from pyexpr._arrays import FloatArray
from pyexpr.tracing.masked import Letters


@dataclass(frozen=True, eq=False, repr=False)
class Moment:
    """A trajectory and a network at one t; arrays are read-only.

    Attributes
    ----------
    t : float
        As given.
    region : int
        The interval that t lies in; at a breakpoint, the one that begins there.
    breakpoint : int or None
        The breakpoint at exactly this float, the last of several.
    x : float64 [*input_shape]
        x(t).
    pattern : int16 [n_neurons]
        The letters on the region.
    value : float64 [*output_shape]
        f(x(t)).
    derivative : float64 [*output_shape]
        df(x(t))/dt; at a breakpoint and where pieces join, from the right; at t = 1, from the left.
    """

    t: float
    region: int
    breakpoint: int | None
    x: FloatArray
    pattern: Letters
    value: FloatArray
    derivative: FloatArray

    def __repr__(self) -> str:
        return f"<Moment t = {self.t:.6g} of region {self.region}, value {self.value}>"
