"""Hypothesis strategies: small networks and trajectories as plain data, rich in exact ties."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st
from strategies import ACTIVATIONS, FAMILIES, Case, Draw, NetworkCase, cases

import pyexpr

Point: TypeAlias = list[float]
Points: TypeAlias = list[Point]
MakeCurve: TypeAlias = Callable[[Draw, int], "Curve"]


@dataclass(frozen=True, eq=False, repr=False)
class Curve:
    """A trajectory as the call of pyexpr that makes it."""

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    def build(self) -> pyexpr.Trajectory:
        arguments = [_built(argument) for argument in self.arguments]
        made: pyexpr.Trajectory = getattr(pyexpr, self.name)(*arguments, **self.options)
        return made

    def __repr__(self) -> str:
        arguments = [repr(argument) for argument in self.arguments]
        options = [f"{key}={value!r}" for key, value in self.options.items()]
        return f"curve({', '.join([repr(self.name), *arguments, *options])})"


def curve(name: str, *arguments: Any, **options: Any) -> Curve:
    return Curve(name, arguments, options)


def _built(argument: Any) -> Any:
    if isinstance(argument, list) and any(isinstance(item, Curve) for item in argument):
        return [item.build() for item in argument]
    return argument


@dataclass(frozen=True, eq=False, repr=False)
class CurveCase(NetworkCase):
    """A network and a trajectory."""

    curve: Curve


# Points.


def _coordinates(draw: Draw) -> st.SearchStrategy[float]:
    integers = st.integers(-4, 4).map(float)
    dyadic = st.integers(-32, 32).map(lambda k: k / 8)
    free = st.floats(-8, 8, allow_subnormal=False).map(lambda x: x if abs(x) > 1e-6 else 0.0)
    return draw(st.sampled_from([integers, integers, dyadic, free]))


def _points(draw: Draw, inputs: int, least: int, most: int) -> Points:
    point = st.lists(_coordinates(draw), min_size=inputs, max_size=inputs)
    points = draw(st.lists(point, min_size=least, max_size=most))
    return _symmetric(points) if draw(st.integers(0, 3)) == 3 else points


def _symmetric(points: Points) -> Points:
    """The second half mirrors the first: the curve turns back, or touches what it faces."""
    half = points[: (len(points) + 1) // 2]
    return half + half[: len(points) // 2][::-1]


def _weights(draw: Draw, count: int) -> list[float] | None:
    positive = draw(
        st.sampled_from(
            [
                st.integers(1, 4).map(float),
                st.integers(1, 32).map(lambda k: k / 8),
                st.floats(0.1, 10.0),
            ]
        )
    )
    return draw(st.none() | st.lists(positive, min_size=count, max_size=count))


def factored(factors: Sequence[tuple[float, float]]) -> list[float]:
    """Bernstein coefficients of the product of all a (1 - u) + b u, times what makes them integers.

    A factor that is there twice makes a touch, one that is there three times a crossing.
    """
    d = len(factors)
    product = np.ones(1)
    for pair in factors:
        product = np.convolve(product, pair)
    binomials = np.array([comb(d, i) for i in range(d + 1)])
    coefficients: list[float] = (product * np.lcm.reduce(binomials) / binomials).tolist()
    return coefficients


_FACTORS = st.sampled_from([(1.0, -1.0), (2.0, -1.0), (1.0, -3.0), (1.0, 1.0), (0.0, 1.0)])


def _repeated(draw: Draw, degree: int) -> list[float]:
    pairs = draw(_FACTORS), draw(_FACTORS)
    second = draw(st.lists(st.booleans(), min_size=degree, max_size=degree))
    return factored([pairs[i] for i in second])


# Trajectories. `first` : where to start, for a part of a chain.


def _start(points: Points, first: Point | None) -> Points:
    return points if first is None else [first, *points[1:]]


def line(draw: Draw, inputs: int, first: Point | None = None) -> Curve:
    return curve("Line", *_start(_points(draw, inputs, 2, 2), first))


def polyline(draw: Draw, inputs: int, first: Point | None = None) -> Curve:
    return curve("Polyline", _start(_points(draw, inputs, 2, 5), first))


def closed_polyline(draw: Draw, inputs: int) -> Curve:
    return curve("Polyline", _points(draw, inputs, 3, 5), closed=True)


def quarter_arc(draw: Draw, inputs: int, first: Point | None = None) -> Curve:
    return curve("Arc", *_start(_points(draw, inputs, 2, 2), first))


def arc(draw: Draw, inputs: int) -> Curve:
    angle = draw(st.sampled_from([0.5, 1.0, np.pi / 3, np.pi, 4.0, 2 * np.pi]) | st.floats(0.01, 6))
    return curve("Arc", *_points(draw, inputs, 2, 2), angle=float(angle))


def circle(draw: Draw, inputs: int) -> Curve:
    return curve("Circle", *_points(draw, inputs, 3, 3))


def bezier(draw: Draw, inputs: int, first: Point | None = None) -> Curve:
    points = _start(_points(draw, inputs, 2, 5), first)
    return curve("Bezier", points, weights=_weights(draw, len(points)))


def touching_bezier(draw: Draw, inputs: int) -> Curve:
    """Every coordinate has multiple roots, most of the time."""
    degree = draw(st.integers(2, 4))
    columns = [_repeated(draw, degree) for _ in range(inputs)]
    return curve("Bezier", [list(point) for point in zip(*columns, strict=True)])


def closed_bezier(draw: Draw, inputs: int) -> Curve:
    points = _points(draw, inputs, 2, 4)
    points.append(points[0])
    return curve("Bezier", points, weights=_weights(draw, len(points)), closed=True)


def spline(draw: Draw, inputs: int, first: Point | None = None) -> Curve:
    return curve("Spline", _start(_points(draw, inputs, 2, 5), first))


def closed_spline(draw: Draw, inputs: int) -> Curve:
    return curve("Spline", _points(draw, inputs, 3, 5), closed=True)


def chain(draw: Draw, inputs: int) -> Curve:
    first: Point | None = None
    parts = []
    for make in draw(st.lists(st.sampled_from(_PARTS), min_size=1, max_size=3)):
        parts.append(make(draw, inputs, first))
        first = _points_of(parts[-1])[-1]
    if draw(st.booleans()):
        back = curve("Line", first, _points_of(parts[0])[0])
        return curve("Chain", [*parts, back], closed=True)
    return curve("Chain", parts)


def _points_of(part: Curve) -> Sequence[Point]:
    return part.arguments if part.name in ("Line", "Arc") else part.arguments[0]


_PARTS = [line, polyline, quarter_arc, bezier, spline]
CURVES: dict[str, MakeCurve] = {
    "line": line,
    "polyline": polyline,
    "closed_polyline": closed_polyline,
    "quarter_arc": quarter_arc,
    "arc": arc,
    "circle": circle,
    "bezier": bezier,
    "touching_bezier": touching_bezier,
    "closed_bezier": closed_bezier,
    "spline": spline,
    "closed_spline": closed_spline,
    "chain": chain,
}


@st.composite
def curve_cases(
    draw: Draw,
    curves: Sequence[str] = tuple(CURVES),
    families: Sequence[str] = FAMILIES,
    activations: Sequence[str] = ACTIVATIONS,
) -> CurveCase:
    """The networks of `cases` with a trajectory instead of a segment."""
    case = draw(cases(families, activations))
    return on_curve(case, CURVES[draw(st.sampled_from(curves))](draw, len(case.x0)))


def on_curve(case: Case, path: Curve) -> CurveCase:
    return CurveCase(case.layers, case.activations, path)
