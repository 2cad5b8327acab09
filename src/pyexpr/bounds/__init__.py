"""How many regions and patterns there can be: bounds as exact integers.

Every bound is a function of

net
    A network, or what `pyexpr.as_network` takes; an `Architecture`; or sizes [inputs, hidden...,
    outputs].
activation
    With sizes: "relu" unless given, "hard_tanh", a PiecewiseLinear, ...
log10
    True for the logarithm of the bound to base 10, a float, correct to about 15 digits.

and of what it names besides, and returns an int. Of more than 4,300 digits, which Python does not
print, it is refused by an OverflowError that says how many there are; its logarithm can be had.
`NotApplicable`, a ValueError, says which condition of a bound does not hold; another ValueError or
a TypeError what is wrong with the arguments. In formulas n_0 is the number of inputs, n_1, ..., n_L
are the widths of the L hidden layers, C(n, j) is a binomial coefficient, and p is the number of
breakpoints of the activation: 1 for ReLU and leaky ReLU, 2 for hard-tanh.

`table` gives all that apply, sharpest first, beside the exact count.
"""

from pyexpr.bounds.architecture import Architecture, Elementwise, NotApplicable, Pooling
from pyexpr.bounds.arrangements import central, zaslavsky
from pyexpr.bounds.closed_forms import closed_form
from pyexpr.bounds.convolutions import xiong_2020, xiong_2020_lower
from pyexpr.bounds.curves import arc, circle, curve
from pyexpr.bounds.input_space import (
    all_patterns,
    hinz_van_de_geer_2019,
    montufar_2017,
    raghu_2017,
    serra_2018,
)
from pyexpr.bounds.line import line, line_is_attained, line_product, polyline
from pyexpr.bounds.lower import (
    arora_2018_lower,
    montufar_2014_lower,
    pascanu_2013_lower,
    serra_2018_lower,
    serra_2018_zonotope_lower,
)
from pyexpr.bounds.numbers import Bound
from pyexpr.bounds.stable import serra_ramalingam_2020
from pyexpr.bounds.table import Exact, Row, Table, table

__all__ = [
    "Architecture",
    "Bound",
    "Elementwise",
    "Exact",
    "NotApplicable",
    "Pooling",
    "Row",
    "Table",
    "all_patterns",
    "arc",
    "arora_2018_lower",
    "central",
    "circle",
    "closed_form",
    "curve",
    "hinz_van_de_geer_2019",
    "line",
    "line_is_attained",
    "line_product",
    "montufar_2014_lower",
    "montufar_2017",
    "pascanu_2013_lower",
    "polyline",
    "raghu_2017",
    "serra_2018",
    "serra_2018_lower",
    "serra_2018_zonotope_lower",
    "serra_ramalingam_2020",
    "table",
    "xiong_2020",
    "xiong_2020_lower",
    "zaslavsky",
]
