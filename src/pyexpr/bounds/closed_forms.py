"""Bounds as expressions in the widths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pyexpr._arrays import integer
from pyexpr.activations import ActivationLike
from pyexpr.bounds.architecture import Architecture, Elementwise
from pyexpr.bounds.arrangements import central, zaslavsky
from pyexpr.bounds.curves import circle
from pyexpr.bounds.input_space import all_patterns, montufar_2017, raghu_2017
from pyexpr.bounds.line import line, line_product
from pyexpr.bounds.lower import (
    arora_2018_lower,
    montufar_2014_lower,
    pascanu_2013_lower,
    serra_2018_lower,
    serra_2018_zonotope_lower,
)
from pyexpr.bounds.numbers import Bound

if TYPE_CHECKING:
    import sympy

_MOST = 1000  # layers


def closed_form(bound: Bound, depth: int, activation: ActivationLike = "relu") -> sympy.Expr:
    """A bound for so many hidden layers, in symbols n_0 (inputs), n_1, ..., n_depth (widths).

    Of `line` and `circle` it is that of layers of at least 3 neurons, which narrow ones do not
    attain. `.subs(...).doit()` gives numbers.

    Parameters
    ----------
    bound
        A function of `pyexpr.bounds` that has a closed form: not `serra_2018`, a sum over all
        (j_1, ..., j_L), nor those of it, nor what depends on weights or curves.
    depth
        From 1 to 1000; 1 for `zaslavsky` and `central`.
    activation
        As for the bounds.

    Raises
    ------
    ImportError
        sympy is not installed.
    TypeError, ValueError
        Another depth, a bound without a closed form, or an unknown activation.
    """
    try:
        import sympy
    except ImportError as error:
        raise ImportError(
            'closed_form needs sympy; install it by: pip install "pyexpr-regions[symbolic]"'
        ) from error
    layers = integer("depth", depth, 1)
    if layers > _MOST:
        raise ValueError(f"depth is {layers:,}; expressions are written for at most {_MOST:,}")
    make = _FORMS.get(bound)
    if make is None:
        known = ", ".join(form.__name__ for form in _FORMS)
        raise ValueError(f"bound is {bound!r}; those that have a closed form are {known}")
    if bound in (zaslavsky, central) and layers != 1:
        raise ValueError(f"depth is {layers}; {bound.__name__} holds for one layer")
    kind = Architecture([1, 3, 1], activation).layers[0]
    assert isinstance(kind, Elementwise)
    widths = sympy.symbols(f"n_0:{layers + 1}", integer=True, positive=True)
    return make(widths, kind)


Widths = Sequence["sympy.Symbol"]


def _chosen(n: sympy.Expr, most: sympy.Expr, p: int = 1) -> sympy.Expr:
    """sum_{j <= most} C(n, j) p^j"""
    import sympy

    j = sympy.Symbol("j", integer=True, nonnegative=True)
    return sympy.Sum(sympy.binomial(n, j) * p**j, (j, 0, most))


def _product(factors: Sequence[sympy.Expr]) -> sympy.Expr:
    import sympy

    return sympy.Mul(*factors)


def _zaslavsky(n: Widths, kind: Elementwise) -> sympy.Expr:
    return _chosen(n[1], n[0], kind.breakpoints)


def _central(n: Widths, kind: Elementwise) -> sympy.Expr:
    return 2 * _chosen(n[1] - 1, n[0] - 1)


def _all_patterns(n: Widths, kind: Elementwise) -> sympy.Expr:
    return (kind.breakpoints + 1) ** sum(n[1:])


def _montufar_2017(n: Widths, kind: Elementwise) -> sympy.Expr:
    import sympy

    p = kind.breakpoints
    return _product([_chosen(n[i], sympy.Min(*n[:i]), p) for i in range(1, len(n))])


def _raghu_2017(n: Widths, kind: Elementwise) -> sympy.Expr:
    import sympy

    return (kind.breakpoints * sympy.Max(*n[1:])) ** (n[0] * (len(n) - 1))


def _line_product(n: Widths, kind: Elementwise) -> sympy.Expr:
    return _product([kind.breakpoints * width + 1 for width in n[1:]])


def _line(n: Widths, kind: Elementwise) -> sympy.Expr:
    if kind.flat_ends < 2:
        return _line_product(n, kind)
    varying = [kind.breakpoints * width - 1 for width in n[1:]]
    return _product(varying) + 2 * sum(_product(varying[:i]) for i in range(len(varying)))


def _circle(n: Widths, kind: Elementwise) -> sympy.Expr:
    p = 2 * kind.breakpoints
    return p * n[1] * _product([p * width + 1 for width in n[2:]])


def _pascanu(n: Widths, kind: Elementwise) -> sympy.Expr:
    import sympy

    return _product([sympy.floor(w / n[0]) for w in n[1:-1]]) * _chosen(n[-1], n[0])


def _folded(more: int) -> Callable[[Widths, Elementwise], sympy.Expr]:
    def form(n: Widths, kind: Elementwise) -> sympy.Expr:
        import sympy

        folds = [(sympy.floor(w / n[0]) + more) ** n[0] for w in n[1:-1]]
        return _product(folds) * _chosen(n[-1], n[0])

    return form


def _zonotope(more: int) -> Callable[[Widths, Elementwise], sympy.Expr]:
    def form(n: Widths, kind: Elementwise) -> sympy.Expr:
        import sympy

        vertices = 2 * _chosen(sympy.floor(n[1] / 2) - 1, n[0] - 1)
        return vertices * (sympy.Min(*n[2:]) + more) ** (len(n) - 2) if n[2:] else vertices

    return form


_FORMS: dict[Bound, Callable[[Widths, Elementwise], sympy.Expr]] = {
    zaslavsky: _zaslavsky,
    central: _central,
    all_patterns: _all_patterns,
    montufar_2017: _montufar_2017,
    raghu_2017: _raghu_2017,
    line: _line,
    line_product: _line_product,
    circle: _circle,
    pascanu_2013_lower: _pascanu,
    montufar_2014_lower: _folded(0),
    serra_2018_lower: _folded(1),
    arora_2018_lower: _zonotope(0),
    serra_2018_zonotope_lower: _zonotope(1),
}
