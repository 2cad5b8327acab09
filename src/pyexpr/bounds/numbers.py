"""Bounds as numbers: integers, or decimals that still have a logarithm where integers have none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Overflow, localcontext
from functools import partial, update_wrapper
from inspect import Signature, signature
from typing import Any, Literal, Protocol, TypeAlias, cast, overload

from pyexpr._text import plural
from pyexpr.activations import ActivationLike
from pyexpr.bounds.architecture import ArchitectureLike, as_architecture

MAX_DIGITS = 4_300  # of an integer that is written out: Python prints no more
_MOST_TERMS = 5_000_000  # of a sum

Number: TypeAlias = int | Decimal

# Every operation is correct to 40 digits, and 10^18 digits before the point overflow.
_CONTEXT = Context(prec=40, Emax=MAX_EMAX, Emin=MIN_EMIN)


class Bound(Protocol):
    """The type of the bounds: functions of an architecture, as `pyexpr.bounds` says."""

    __name__: str

    @overload
    def __call__(
        self,
        net: ArchitectureLike,
        *options: Any,
        activation: ActivationLike | None = None,
        log10: Literal[False] = False,
        **named: Any,
    ) -> int: ...
    @overload
    def __call__(
        self,
        net: ArchitectureLike,
        *options: Any,
        activation: ActivationLike | None = None,
        log10: Literal[True],
        **named: Any,
    ) -> float: ...


def bound(formula: Callable[..., Number]) -> Bound:
    """The bound with this formula of (architecture, one, *options).

    The formula makes its number from `one` by sums, products, powers with integers and
    `divide`; it is 1, or the decimal 1 to learn the logarithm.
    """

    def evaluate(
        net: ArchitectureLike,
        *options: Any,
        activation: ActivationLike | None = None,
        log10: bool = False,
        **named: Any,
    ) -> int | float:
        if len(options) > len(own):
            raise TypeError(
                f"{formula.__name__} takes {len(own)} arguments after net, not {len(options)}; "
                "activation and log10 are given by name"
            )
        architecture = as_architecture(net, activation)
        logarithm = _logarithm(partial(formula, architecture, Decimal(1), *options, **named))
        if log10:
            return logarithm
        if logarithm > MAX_DIGITS:
            raise OverflowError(
                f"{formula.__name__} has about {plural(int(logarithm) + 1, 'digit')}, more than "
                f"the {MAX_DIGITS:,} that are written out; log10=True gives its logarithm"
            )
        return int(formula(architecture, 1, *options, **named))

    own = [*signature(formula).parameters.values()][2:]
    net, _, *others, _ = signature(evaluate).parameters.values()
    update_wrapper(evaluate, formula)
    vars(evaluate)["__signature__"] = Signature([net, *own, *others])
    return cast(Bound, evaluate)  # whose overloads are by log10


def _logarithm(formula: Callable[[], Number]) -> float:
    """Of a formula that was given the decimal 1."""
    try:
        with localcontext(_CONTEXT):
            return float(Decimal(formula()).log10())
    except Overflow:
        raise OverflowError("the bound has more than 10^18 digits") from None


def divide(a: Number, b: int) -> Number:
    """a / b, which is an integer."""
    return a // b if isinstance(a, int) else a / b


def choices(one: Number, n: int, most: int, parallel: int = 1) -> Iterator[Number]:
    """C(n, j) parallel^j for j = 0, 1, ..., min(n, most).

    Raises
    ------
    OverflowError
        More than five million terms.
    """
    last = min(n, most)
    if last >= _MOST_TERMS:
        raise OverflowError(
            f"the bound is a sum of {last + 1:,} terms, more than the {_MOST_TERMS:,} that are "
            "added up"
        )
    term = one
    for j in range(last + 1):
        yield term
        term = divide(term * ((n - j) * parallel), j + 1)
