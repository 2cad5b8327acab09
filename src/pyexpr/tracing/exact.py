"""Where breakpoints truly are, in the parameter of their piece."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from pyexpr import _core
from pyexpr._curves import core_piece
from pyexpr.tracing.algebraic import AlgebraicNumber, sign_changes
from pyexpr.tracing.polynomials import from_bernstein, sign

if TYPE_CHECKING:
    from pyexpr.tracing.trace import Trace
    from pyexpr.trajectories import Piece

_NEAR = 2.0**-50  # further than rounding puts a breakpoint


def exact_parameter(trace: Trace, breakpoint: int) -> Fraction | AlgebraicNumber:
    """A Fraction on a segment, an algebraic number on any other piece."""
    piece = _piece(trace, breakpoint)
    if piece.is_line:
        return _on_segment(trace, breakpoint)
    return _on_curve(trace, breakpoint)


def _on_segment(trace: Trace, breakpoint: int) -> Fraction:
    if _is_seam(trace, breakpoint):
        return Fraction(0)
    a, b = _coefficients(trace, breakpoint)
    return Fraction(-a, b) if a else Fraction(0)


def _on_curve(trace: Trace, breakpoint: int) -> AlgebraicNumber:
    """The breakpoint's own polynomial may change its sign more than once next to its float.

    It is the neuron's from the breakpoint before on: so the first such place after that one counts.
    """
    if _is_seam(trace, breakpoint):
        return AlgebraicNumber.rational(Fraction(_piece(trace, breakpoint).start))
    first = breakpoint
    while first > 0 and _are_close(trace, first - 1, first):
        first -= 1
    number = None
    for i in range(first, breakpoint + 1):
        number = _after(trace, i, number)
    assert number is not None
    return number


def _after(trace: Trace, breakpoint: int, before: AlgebraicNumber | None) -> AlgebraicNumber:
    """The breakpoint, given the one before if that is close."""
    piece, u = _piece(trace, breakpoint), Fraction(float(trace.u[breakpoint]))
    start, end, near = Fraction(piece.start), Fraction(piece.end), Fraction(_NEAR)
    p = from_bernstein(_coefficients(trace, breakpoint))
    if u == start and _is_first(trace, breakpoint) and sign(p, start) == 0:
        return AlgebraicNumber.rational(start)  # where two pieces join
    changes = sign_changes(p, max(start, u - near), min(end, u + near))
    return next(x for x in changes if before is None or before < x)


def _coefficients(trace: Trace, breakpoint: int) -> list[int]:
    """Of what changes its sign where the first neuron switches.

    It is in the lowest layer to switch, so that its pre-activation is the same polynomial on both
    sides.
    """
    first = np.searchsorted(trace.transitions["breakpoint"], breakpoint)
    layer, neuron, before, after = trace.transitions[first].item()[1:]
    network = trace.network
    first_letters = [layer.first_letter for layer in network.graph.layers]
    letters = trace.pattern(breakpoint)
    return _core.exact_polynomial(
        network._core,
        core_piece(_piece(trace, breakpoint)),
        letters - np.repeat(first_letters, network.neurons_per_layer).astype(np.int16),
        layer,
        neuron,
        before - first_letters[layer],
        after - first_letters[layer],
    )


def _piece(trace: Trace, breakpoint: int) -> Piece:
    """The one that its u belongs to: at the seam the first."""
    pieces = trace.trajectory.pieces
    return pieces[int(trace.piece[breakpoint]) % len(pieces)]


def _is_seam(trace: Trace, breakpoint: int) -> bool:
    return bool(trace.piece[breakpoint] == len(trace.trajectory.pieces))


def _is_first(trace: Trace, breakpoint: int) -> bool:
    """Of its piece."""
    return breakpoint == 0 or bool(trace.piece[breakpoint - 1] != trace.piece[breakpoint])


def _are_close(trace: Trace, a: int, b: int) -> bool:
    return bool(trace.piece[a] == trace.piece[b] and trace.u[b] - trace.u[a] <= 4 * _NEAR)
