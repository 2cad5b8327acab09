"""Curves that were counted wrong once."""

from fractions import Fraction

import numpy as np
import pytest

import pyexpr
from pyexpr.build import Builder


@pytest.mark.parametrize("scale", [1.0, 2.0**-600, 2.0**-900, 2.0**600])
def test_the_scale_of_the_weights_does_not_matter(scale: float) -> None:
    # A breakpoint of the second layer lies between one of the first and its float; squares of
    # steps as small as the scale vanish.
    net = pyexpr.Network.dense(
        [
            (
                np.array([[0.645873181125018, 0.3888506996347092, 0.0], [0.0, 0.0, 1.0]]),
                np.array([0.0, 1.0]),
            ),
            (np.array([[0.0, 1.0]]), np.array([-1.500003162276597])),
            (np.array([[1.0]]), np.array([0.0])),
        ],
        "relu",
    )
    points = [
        [-0.9180529521276106, 2.1677877432488786, 0.0],
        [-0.9669447289429418, 1.391768962276558, 1 / 3],
        [0.6265404784005448, -1.254977876315809, 2 / 3],
        [0.8255111545554434, -0.7282371247446102, 1.0],
    ]
    curve = pyexpr.Bezier(points, weights=[scale] * 4)
    changes = [(0, 0, 0, 1, 0), (1, 1, 0, 0, 1), (2, 0, 0, 0, 1)]
    assert pyexpr.trace(net, curve).transitions.tolist() == changes
    assert pyexpr.count_patterns(net, curve) == 4


@pytest.mark.parametrize("angle", np.linspace(0.5, 1.4, 19).tolist())
@pytest.mark.parametrize("ulps", [-2, -1, 0, 1, 2])
def test_a_part_of_an_arc_starts_where_it_starts(angle: float, ulps: int) -> None:
    # max(|x1 + b|, |x2 + b|), two entries of which nearly meet at the arc's far end, which the
    # reversed arc starts from with a parameter above 0.
    b, first = 0.25, 1.0
    builder = Builder((2,))
    shifted = builder.dense(builder.input, np.eye(2), np.full(2, b))
    sizes = builder.activation(shifted, pyexpr.Abs())
    net = pyexpr.Network(builder.graph(builder.maximum(sizes, np.array([[0, 1]]))))
    u = Fraction(pyexpr.Arc([1.0, 1.0], [1.0, -3.0], angle=angle).pieces[0].end)
    meeting = -((1 - u**2) + Fraction(b) * (1 + u**2)) / u
    second = float(meeting - Fraction(first)) * (1 + ulps * 2.0**-52)
    arc = pyexpr.Arc([1.0, 1.0], [first, second], angle=angle)
    # |x1 + b| - |x2 + b| has the sign of x1 + x2 + 2 b times that of x1 - x2.
    end = (1 - u**2 + u * (Fraction(first) + Fraction(second))) / (1 + u**2) + Fraction(b)
    forward = pyexpr.trace(net, arc).transitions
    backward = pyexpr.trace(net, arc.reversed()).transitions
    assert len(forward) == len(backward)
    crossed = [change for change in forward.tolist() if change[1] == 1]
    assert len(crossed) == (end < 0)
