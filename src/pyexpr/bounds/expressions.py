"""The closed forms themselves, by sympy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import sympy

from pyexpr.bounds.architecture import Elementwise
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

Widths: TypeAlias = Sequence[sympy.Symbol]


def _chosen(n: sympy.Expr, most: sympy.Expr, p: int = 1) -> sympy.Expr:
    """sum_{j <= most} C(n, j) p^j"""
    j = sympy.Symbol("j", integer=True, nonnegative=True)
    return sympy.Sum(sympy.binomial(n, j) * p**j, (j, 0, most))


def _product(factors: Sequence[sympy.Expr]) -> sympy.Expr:
    return sympy.Mul(*factors)


def _zaslavsky(n: Widths, kind: Elementwise) -> sympy.Expr:
    return _chosen(n[1], n[0], kind.breakpoints)


def _central(n: Widths, kind: Elementwise) -> sympy.Expr:
    return 2 * _chosen(n[1] - 1, n[0] - 1)


def _all_patterns(n: Widths, kind: Elementwise) -> sympy.Expr:
    return (kind.breakpoints + 1) ** sum(n[1:])


def _montufar_2017(n: Widths, kind: Elementwise) -> sympy.Expr:
    p = kind.breakpoints
    return _product([_chosen(n[i], sympy.Min(*n[:i], evaluate=False), p) for i in range(1, len(n))])


def _raghu_2017(n: Widths, kind: Elementwise) -> sympy.Expr:
    return (kind.breakpoints * sympy.Max(*n[1:], evaluate=False)) ** (n[0] * (len(n) - 1))


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
    return _product([sympy.floor(w / n[0]) for w in n[1:-1]]) * _chosen(n[-1], n[0])


def _folded(more: int) -> Callable[[Widths, Elementwise], sympy.Expr]:
    def form(n: Widths, kind: Elementwise) -> sympy.Expr:
        folds = [(sympy.floor(w / n[0]) + more) ** n[0] for w in n[1:-1]]
        return _product(folds) * _chosen(n[-1], n[0])

    return form


def _zonotope(more: int) -> Callable[[Widths, Elementwise], sympy.Expr]:
    def form(n: Widths, kind: Elementwise) -> sympy.Expr:
        vertices = 2 * _chosen(sympy.floor(n[1] / 2) - 1, n[0] - 1)
        if not n[2:]:
            return vertices
        return vertices * (sympy.Min(*n[2:], evaluate=False) + more) ** (len(n) - 2)

    return form


FORMS: dict[Bound, Callable[[Widths, Elementwise], sympy.Expr]] = {
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
