"""Bounds as expressions in the widths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyexpr._arrays import integer
from pyexpr.activations import ActivationLike
from pyexpr.bounds.architecture import Architecture, Elementwise
from pyexpr.bounds.arrangements import central, zaslavsky
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
        `zaslavsky`, `central`, `all_patterns`, `montufar_2017`, `raghu_2017`, `line`,
        `line_product`, `circle`, `pascanu_2013_lower`, `montufar_2014_lower`, `arora_2018_lower`,
        `serra_2018_lower` or `serra_2018_zonotope_lower`.
    depth
        From 1 to 1000; 1 for `zaslavsky` and `central`.
    activation
        As for the bounds.

    Returns
    -------
    sympy.Expr

    Raises
    ------
    ImportError
        sympy is not installed.
    TypeError, ValueError
        Another depth, a bound without a closed form, or an activation that is unknown or that the
        bound does not hold for.
    """
    try:
        import sympy

        from pyexpr.bounds.expressions import FORMS
    except ImportError as error:
        raise ImportError(
            'closed_form needs sympy; install it by: pip install "pyexpr-regions[symbolic]"'
        ) from error
    layers = integer("depth", depth, 1)
    if layers > _MOST:
        raise ValueError(f"depth is {layers:,}; expressions are written for at most {_MOST:,}")
    make = FORMS.get(bound)
    if make is None:
        known = ", ".join(form.__name__ for form in FORMS)
        raise ValueError(f"bound is {bound!r}; those that have a closed form are {known}")
    if bound in (zaslavsky, central) and layers != 1:
        raise ValueError(f"depth is {layers}; {bound.__name__} holds for one layer")
    wide = Architecture([2, *[6] * layers, 1], activation, bias=bound is not central)
    bound(wide, log10=True)  # refuses an activation that it does not hold for
    kind = wide.layers[0]
    assert isinstance(kind, Elementwise)
    widths = sympy.symbols(f"n_0:{layers + 1}", integer=True, positive=True)
    return make(widths, kind)
