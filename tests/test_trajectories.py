"""Trajectories against closed forms, and their pieces in rational arithmetic."""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from pyexpr.trajectories import (
    Arc,
    Bezier,
    Chain,
    Circle,
    Line,
    Piece,
    Polyline,
    Spline,
    Trajectory,
    sample_path,
)

FloatArray = npt.NDArray[np.float64]

RNG = np.random.default_rng(0)
P = RNG.standard_normal((12, 2, 3))
T = np.concatenate([[0.0, 0.25, 0.5, 0.75, 1.0], RNG.random(40)])
ULP = 2.0**-52

EXAMPLES: dict[str, Trajectory] = {
    "line": Line(P[0], P[1]),
    "polyline": Polyline(P[:5]),
    "closed polyline": Polyline(P[:4], closed=True),
    "polyline with knots": Polyline(P[:4], knots=[0, 0.1, 0.75, 1]),
    "quarter": Arc(P[0], P[1]),
    "arc": Arc(P[0], P[1], 1.0),
    "long arc": Arc(P[0], P[1], 5.5),
    "ellipse": Arc(P[0], P[1], math.tau),
    "circle": Circle(P[0], P[1], P[2]),
    "cubic": Bezier(P[:4]),
    "rational": Bezier(P[:6], [1, 2, 0.3, 5, 0.1, 1]),
    "closed cubic": Bezier([*P[:3], P[0]], closed=True),
    "spline": Spline(P[:6]),
    "closed spline": Spline(P[:5], closed=True),
    "chain": Chain([Line(P[2], P[0]), Arc(P[0], P[1]), Bezier(P[1:5])]),
    "reversed arc": Arc(P[0], P[1], 2.0).reversed(),
    "chain of a chain": Chain(
        [
            Chain([Line(P[3], P[0]), Arc(P[0], P[1])]),
            Arc(P[0], P[1]).reversed(),
            Polyline([P[0], P[1], P[3]]),
        ],
        closed=True,
    ),
}

every_example = pytest.mark.parametrize("curve", EXAMPLES.values(), ids=EXAMPLES)
floats = st.floats(-1e6, 1e6)


def exact(point: FloatArray) -> list[Fraction]:
    return [Fraction(x) for x in point.reshape(-1).tolist()]


def combine(*terms: tuple[Fraction | int, list[Fraction]]) -> list[Fraction]:
    return [
        sum((c * x for (c, _), x in zip(terms, xs, strict=True)), Fraction(0))
        for xs in zip(*(point for _, point in terms), strict=True)
    ]


def ends(piece: Piece) -> tuple[list[Fraction], list[Fraction]]:
    return piece.exact_position(piece.start), piece.exact_position(piece.end)


# Positions


def test_line() -> None:
    t = T[:, None, None]
    np.testing.assert_allclose(Line(P[0], P[1])(T), (1 - t) * P[0] + t * P[1], atol=1e-14)


def test_polyline_is_affine_between_its_points() -> None:
    for curve, knots in [
        (Polyline(P[:5]), np.linspace(0, 1, 5)),
        (Polyline(P[:4], knots=[0, 0.1, 0.75, 1]), np.array([0, 0.1, 0.75, 1])),
    ]:
        assert (curve(knots) == P[: len(knots)]).all()
        for i in range(6):
            wanted = np.interp(T, knots, P[: len(knots)].reshape(len(knots), -1)[:, i])
            np.testing.assert_allclose(curve(T).reshape(len(T), -1)[:, i], wanted, atol=1e-14)


def test_closed_polyline_goes_back_to_its_first_point() -> None:
    curve = Polyline(P[:2], closed=True)
    assert (curve([0, 0.5, 1]) == P[[0, 1, 0]]).all()
    assert len(curve.pieces) == 2


@pytest.mark.parametrize(
    "angle", [1e-3, 1.0, math.pi / 2, 2.0, math.pi, 4.5, 1.5 * math.pi, 6.0, math.tau]
)
def test_arc(angle: float) -> None:
    a = angle * T[:, None, None]
    wanted = np.cos(a) * P[0] + np.sin(a) * P[1]
    np.testing.assert_allclose(Arc(P[0], P[1], angle)(T), wanted, atol=4e-15)


def test_arc_defaults_to_a_quarter() -> None:
    a = math.pi / 2 * T[:, None, None]
    wanted = np.cos(a) * P[0] + np.sin(a) * P[1]
    np.testing.assert_allclose(Arc(P[0], P[1])(T), wanted, atol=4e-15)
    assert Arc(P[0], P[1]).angle == math.pi / 2


def test_circle() -> None:
    a = math.tau * T[:, None, None]
    wanted = P[0] + np.cos(a) * P[1] + np.sin(a) * P[2]
    np.testing.assert_allclose(Circle(P[0], P[1], P[2])(T), wanted, atol=4e-15)


@given(st.fractions(0, 1, max_denominator=50))
def test_quarters_are_exactly_those_of_the_ellipse(u: Fraction) -> None:
    center, x0, x1 = (exact(p) for p in P[:3])
    axes = [x0, x1, [-x for x in x0], [-x for x in x1]]
    cos, sin = (1 - u * u) / (1 + u * u), 2 * u / (1 + u * u)
    for i in range(4):
        wanted = combine((cos, axes[i]), (sin, axes[(i + 1) % 4]))
        assert Arc(P[1], P[2], math.tau).pieces[i].exact_position(u) == wanted
        circle = Circle(P[0], P[1], P[2])
        assert circle.pieces[i].exact_position(u) == combine((1, wanted), (1, center))


@given(st.lists(st.tuples(floats, floats), min_size=2, max_size=11), st.data())
def test_bezier_is_de_casteljaus(points: list[tuple[float, float]], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.floats(0.125, 8), min_size=len(points), max_size=len(points)))
    u = data.draw(st.floats(0, 1))
    rows = [
        [Fraction(w), Fraction(w) * Fraction(x), Fraction(w) * Fraction(y)]
        for w, (x, y) in zip(weights, points, strict=True)
    ]
    while len(rows) > 1:
        rows = [combine((1 - Fraction(u), a), (Fraction(u), b)) for a, b in pairwise(rows)]
    wanted = [x / rows[0][0] for x in rows[0][1:]]
    curve = Bezier(points, weights)
    assert curve.pieces[0].exact_position(u) == wanted
    scale = max(1.0, np.abs(points).max())
    np.testing.assert_allclose(curve(u), [float(x) for x in wanted], rtol=0, atol=1e-13 * scale)


@pytest.mark.parametrize("count", [2, 3, 4, 9])
@pytest.mark.parametrize("closed", [False, True])
def test_spline_is_scipys(count: int, closed: bool) -> None:
    points = P[:count]
    knots = np.concatenate([points, points[:1]]) if closed else points
    kind = "periodic" if closed else "not-a-knot"
    spline = CubicSpline(np.arange(len(knots)), knots, bc_type=kind)
    curve = Spline(points, closed)
    last = len(knots) - 1
    np.testing.assert_allclose(curve(T), spline(last * T), atol=1e-13)
    np.testing.assert_allclose(curve.velocity(T), last * spline(last * T, 1), atol=1e-11)
    assert (curve(np.arange(len(knots)) / last) == knots).all()


@pytest.mark.parametrize("closed", [False, True])
def test_spline_is_exactly_smooth(closed: bool) -> None:
    curve = Spline(P[:5], closed)
    pieces = [*curve.pieces, curve.pieces[0]] if closed else curve.pieces
    for before, after in pairwise(pieces):
        (*_, c, d), _ = before.exact_coefficients()
        (a, b, *_), _ = after.exact_coefficients()
        assert combine((1, d), (-1, c)) == combine((1, b), (-1, a))


def test_chain_gives_every_member_an_equal_share() -> None:
    members = [Line(P[2], P[0]), Arc(P[0], P[1]), Bezier(P[1:4])]
    chain = Chain(members)
    for i, member in enumerate(members):
        inside = T[(T > 0) & (T < 1)]
        np.testing.assert_allclose(chain((i + inside) / 3), member(inside), atol=1e-14)


def test_points_keep_their_shape() -> None:
    image = RNG.standard_normal((1, 4, 4))
    curve = Arc(image, -2 * image)
    assert curve.shape == (1, 4, 4)
    assert curve(0.5).shape == (1, 4, 4)
    assert (
        curve(np.zeros((2, 5))).shape == curve.velocity(np.zeros((2, 5))).shape == (2, 5, 1, 4, 4)
    )
    assert curve(np.zeros(0)).shape == (0, 1, 4, 4)
    scalar = Line(1, 4)
    assert [float(scalar(0.5)), float(scalar.velocity(0.5))] == [2.5, 3]
    for array in (scalar(0.5), *scalar.locate(0.5), scalar.parameter(0, 1), scalar.rate(0, 1)):
        assert isinstance(array, np.ndarray) and array.shape == ()


# Joins, parameters, velocities


@every_example
def test_pieces_join_exactly(curve: Trajectory) -> None:
    for before, after in pairwise(curve.pieces):
        assert ends(before)[1] == ends(after)[0]
    assert curve.closed == (ends(curve.pieces[-1])[1] == ends(curve.pieces[0])[0])


@every_example
def test_ends_are_reached(curve: Trajectory) -> None:
    for t, end in [(0, ends(curve.pieces[0])[0]), (1, ends(curve.pieces[-1])[1])]:
        np.testing.assert_allclose(curve(t).reshape(-1), [float(x) for x in end], atol=1e-15)
    piece, u = curve.locate([0, 1])
    assert piece.tolist() == [0, len(curve.pieces) - 1]
    assert u.tolist() == [curve.pieces[0].start, curve.pieces[-1].end]
    assert curve.parameter(piece, u).tolist() == [0, 1]


@every_example
@given(st.data())
def test_parameter_is_the_inverse_of_locate(curve: Trajectory, data: st.DataObject) -> None:
    t = data.draw(st.lists(st.floats(0, 1), min_size=1, max_size=20).map(sorted))
    piece, u = curve.locate(t)
    assert (np.diff(piece) >= 0).all()
    for number, value in zip(piece, u, strict=True):
        assert curve.pieces[number].start <= value <= curve.pieces[number].end
    np.testing.assert_allclose(curve.parameter(piece, u), t, rtol=0, atol=2 * ULP)


@every_example
def test_parameter_never_decreases(curve: Trajectory) -> None:
    places = [
        (i, u)
        for i, piece in enumerate(curve.pieces)
        for middle in (piece.start, (piece.start + piece.end) / 2, piece.end)
        for u in sorted({min(max(middle + k * ULP, piece.start), piece.end) for k in range(-9, 10)})
    ]
    t = curve.parameter([i for i, _ in places], [u for _, u in places])
    assert (np.diff(t) >= 0).all()


@every_example
def test_knots_belong_to_the_later_piece(curve: Trajectory) -> None:
    count = len(curve.pieces)
    knots = curve.parameter(np.arange(count), [piece.start for piece in curve.pieces])
    before = curve.parameter(np.arange(count), [piece.end for piece in curve.pieces])
    assert knots[0] == 0 and before[-1] == 1 and (knots[1:] == before[:-1]).all()
    assert curve.locate(knots)[0].tolist() == list(range(count))


@every_example
def test_velocity_is_the_derivative(curve: Trajectory) -> None:
    h = 1e-6
    t = T[np.abs(T - 0.5) < 0.5 - h]
    t = t[curve.locate(t - h)[0] == curve.locate(t + h)[0]]
    assert len(t) > 20
    wanted = (curve(t + h) - curve(t - h)) / (2 * h)
    np.testing.assert_allclose(curve.velocity(t), wanted, rtol=1e-6, atol=1e-6)


@every_example
def test_rate_is_the_derivative_of_the_parameter(curve: Trajectory) -> None:
    h = 1e-6
    for i, piece in enumerate(curve.pieces):
        u = np.linspace(piece.start, piece.end, 7)[1:-1]
        wanted = (curve.parameter(i, u + h) - curve.parameter(i, u - h)) / (2 * h)
        np.testing.assert_allclose(curve.rate(i, u), wanted, rtol=1e-6)


@every_example
def test_reversed_is_the_same_curve_exactly(curve: Trajectory) -> None:
    other = curve.reversed()
    assert (other.shape, other.closed) == (curve.shape, curve.closed)
    for piece, back in zip(curve.pieces, other.pieces[::-1], strict=True):
        assert back.is_line == piece.is_line
        assert Fraction(back.start) == 1 - Fraction(piece.end)
        assert Fraction(back.end) == 1 - Fraction(piece.start)
        for u in (Fraction(0), Fraction(2, 7), Fraction(piece.end), Fraction(1)):
            assert back.exact_position(1 - u) == piece.exact_position(u)
    np.testing.assert_allclose(other(T), curve(1 - T), atol=1e-14)
    np.testing.assert_allclose(other.velocity(T[5:]), -curve.velocity(1 - T[5:]), atol=1e-11)
    assert other.length() == pytest.approx(curve.length(), rel=1e-10)
    assert other.reversed()(T).tolist() == curve(T).tolist()
    assert repr(other).endswith(".reversed()") or repr(curve).endswith(".reversed()")


# Angles


@pytest.mark.parametrize("quarters", [1, 2, 3, 4])
def test_angles_near_whole_quarters_make_no_empty_piece(quarters: int) -> None:
    whole = quarters * (math.pi / 2)
    assert [p.end for p in Arc(P[0], P[1], whole).pieces] == [1.0] * quarters
    for steps in (-3, -2, -1, 1, 2, 3):
        angle = whole + steps * math.ulp(whole)
        if angle <= math.tau:
            arc = Arc(P[0], P[1], angle)
            assert all(piece.start < piece.end for piece in arc.pieces)
            assert not arc.closed
            np.testing.assert_allclose(arc(T), Arc(P[0], P[1], whole)(T), atol=1e-14)


@given(st.floats(ULP, math.tau))
def test_last_part_ends_at_the_nearest_half_tangent(angle: float) -> None:
    end = Arc(P[0], P[1], angle).pieces[-1].end
    assert (end * 2**53).is_integer()
    quarters = len(Arc(P[0], P[1], angle).pieces) - 1
    assert quarters * math.pi / 2 + 2 * math.atan(end) == pytest.approx(angle, rel=0, abs=8 * ULP)


def test_only_a_full_turn_is_closed() -> None:
    assert Arc(P[0], P[1], math.tau).closed
    assert not Arc(P[0], P[1], math.nextafter(math.tau, 0)).closed
    assert not Arc(P[0], P[1], math.pi).closed


# Lengths


def test_length_of_segments() -> None:
    assert Line([0.0, 0.0], [3.0, 4.0]).length() == 5
    assert Polyline([[0, 0], [3, 4], [3, 4], [3, 0]], closed=True).length() == 12
    assert Line([1.0, 1.0], [1.0, 1.0]).length() == 0


@pytest.mark.parametrize("center", [0.0, 1e8])
def test_length_of_a_circle(center: float) -> None:
    circle = Circle([center, -center], [3, 4], [-4, 3])
    assert circle.length() == pytest.approx(10 * math.pi, rel=1e-10)


def test_length_of_arcs() -> None:
    assert Arc([2, 0], [0, 2], 1.25).length() == pytest.approx(2.5, rel=1e-10)
    assert Arc([2, 0], [0, 2], 1.25).reversed().length() == pytest.approx(2.5, rel=1e-10)
    assert Arc([0, 0], [1, 0]).length() == pytest.approx(1, rel=1e-10)
    assert Arc([0, 0], [0, 0]).length() == 0


def test_length_of_a_parabola() -> None:
    # (2 t, 2 t^2): the integral of 2 sqrt(1 + 4 t^2).
    wanted = math.sqrt(5) + math.asinh(2) / 2
    assert Bezier([[0, 0], [1, 0], [2, 2]]).length() == pytest.approx(wanted, rel=1e-10)
    assert Bezier([[1e6, 0], [1e6 + 1, 0], [1e6 + 2, 2]]).length() == pytest.approx(wanted)


def test_length_of_a_cusp() -> None:
    # (3 s^2, 2 s^3), s = 3 t - 1: the integral of 6 |s| sqrt(1 + s^2) over [-1, 2].
    cusp = Bezier([[3, -2], [-3, 4], [0, -8], [12, 16]])
    assert cusp(1 / 3) == pytest.approx(0, abs=1e-14)
    wanted = 2 * (2**1.5 - 1) + 2 * (5**1.5 - 1)
    assert cusp.length() == pytest.approx(wanted, rel=1e-10)
    assert cusp.length(1e-3) == pytest.approx(wanted, rel=1e-3)


def test_length_of_a_chain_is_the_sum() -> None:
    members = [Line(P[2], P[0]), Arc(P[0], P[1]), Bezier(P[1:5])]
    wanted = math.fsum(member.length() for member in members)
    assert Chain(members).length() == pytest.approx(wanted, rel=1e-14)


# Immutable


def test_arrays_are_copies_and_read_only() -> None:
    points = P[:4].copy()
    makers: list[Callable[[], Trajectory]] = [
        lambda: Line(points[0], points[1]),
        lambda: Polyline(points),
        lambda: Arc(points[0], points[1]),
        lambda: Circle(*points[:3]),
        lambda: Bezier(points, points.reshape(-1)[:4] ** 2),
        lambda: Spline(points),
    ]
    for make in makers:
        points[...] = P[:4]
        curve = make()
        before = curve(T)
        points += 1
        assert (curve(T) == before).all()
        for piece in curve.pieces:
            for array in (piece.points, piece.mixing, piece.weights):
                assert not array.flags.writeable and array.flags.c_contiguous
                assert array.dtype == np.float64
                with pytest.raises(ValueError):
                    array.setflags(write=True)


@every_example
def test_pickles(curve: Trajectory) -> None:
    again = pickle.loads(pickle.dumps(curve))
    assert repr(again) == repr(curve)
    assert (again(T) == curve(T)).all()
    assert not any(piece.points.flags.writeable for piece in again.pieces)
    assert (again.reversed()(T) == curve.reversed()(T)).all()


def test_attributes_cannot_be_set() -> None:
    with pytest.raises(AttributeError):
        EXAMPLES["line"].closed = True  # type: ignore[misc]
    with pytest.raises(AttributeError):
        EXAMPLES["line"].name = "line"  # type: ignore[attr-defined]


def test_lines_are_recognised() -> None:
    assert Line(P[0], P[1]).pieces[0].is_line
    assert all(piece.is_line for piece in Polyline(P).reversed().pieces)
    assert Bezier(P[:2]).pieces[0].is_line
    assert not Bezier(P[:2], [1, 2]).pieces[0].is_line
    assert not Bezier(P[:3]).pieces[0].is_line
    assert not Arc(P[0], P[1]).pieces[0].is_line


def test_repr_is_short() -> None:
    assert repr(Arc(np.ones(784), np.zeros(784))) == "Arc(784-dimensional, angle=1.5708)"
    assert repr(Line(1, 2)) == "Line(scalar)"
    assert repr(Polyline(P, closed=True)) == "Polyline(2x3-dimensional, 12 segments, closed)"
    assert repr(Bezier(P[:3])) == "Bezier(2x3-dimensional, degree=2)"
    assert repr(Spline(P[:3])) == "Spline(2x3-dimensional, 2 pieces)"
    assert repr(Chain([Line(P[0], P[1])])) == "Chain(2x3-dimensional, 1 trajectory)"
    assert repr(Line(P[0], P[1]).reversed()) == "Line(2x3-dimensional).reversed()"
    assert repr(Line(P[0], P[1]).pieces[0]) == (
        "<Piece of degree 1 in 6 dimensions, by 2 points, u from 0 to 1>"
    )


# Sampled functions


def lissajous(t: float) -> list[float]:
    return [math.cos(math.tau * t), math.sin(2 * math.tau * t)]


def spiral(t: float) -> list[float]:
    return [t * math.cos(9 * t), t * math.sin(9 * t)]


@pytest.mark.parametrize("kind", ["polyline", "spline"])
@pytest.mark.parametrize("tolerance", [0.1, 1e-3])
def test_samples_are_within_the_tolerance(kind: Any, tolerance: float) -> None:
    curve = sample_path(spiral, tolerance, kind=kind)
    apart = np.linalg.norm(curve(T) - [spiral(t) for t in T], axis=1)
    assert apart.max() <= 1.01 * tolerance
    assert not curve.closed


def test_sampled_polyline_goes_through_the_function() -> None:
    curve = sample_path(spiral, 1e-3)
    count = len(curve.pieces)
    knots = curve.parameter(np.arange(count), np.zeros(count))
    assert curve(knots).tolist() == [spiral(t) for t in knots.tolist()]
    assert len(np.unique(np.diff(knots))) > 1  # more of them where it bends more


@pytest.mark.parametrize("kind", ["polyline", "spline"])
def test_sampled_closed_functions(kind: Any) -> None:
    def square(t: float) -> FloatArray:
        return np.array([t * (1 - t), t * (1 - t) * (1 - 2 * t)])

    assert sample_path(square, 0.01, kind=kind).closed  # equal ends
    assert not sample_path(lissajous, 0.01, kind=kind).closed  # sin(4 pi) is not quite 0
    curve = sample_path(lissajous, 0.01, kind=kind, closed=True)
    assert curve.closed
    assert ends(curve.pieces[-1])[1] == ends(curve.pieces[0])[0] == [1, 0]
    assert np.linalg.norm(curve(T) - [lissajous(t) for t in T], axis=1).max() <= 0.0101


def test_samples_may_share_memory() -> None:
    point = np.zeros((1, 2))

    def function(t: float) -> FloatArray:
        point[...] = [[t, t * t]]
        return point

    curve = sample_path(function, 0.01)
    assert curve(1).tolist() == [[1, 1]]
    assert curve(0).tolist() == [[0, 0]]


# Errors

LINE = Line([0.0, 0.0], [1.0, 0.0])
Call = Callable[[], object]

ERRORS: dict[str, tuple[Call, type[Exception], str]] = {
    "line shapes": (lambda: Line([1, 2], [1, 2, 3]), ValueError, r"x1 has shape \(3,\).*x0 has"),
    "line type": (lambda: Line([1, 2j], [1, 2]), TypeError, "x0"),
    "line infinite": (lambda: Line([1, 2], [1, math.inf]), ValueError, "x1 holds inf"),
    "line inexact": (lambda: Line([2**53 + 1], [1]), ValueError, "x0 holds 9007199254740993"),
    "line empty": (lambda: Line([], []), ValueError, r"x0 has shape \(0,\).*at least one number"),
    "one point": (lambda: Polyline([[1, 2]]), ValueError, "points holds 1 points; at least 2"),
    "a number": (lambda: Polyline(1), ValueError, "points is a number"),
    "ragged": (lambda: Polyline([[1, 2], [1]]), ValueError, "points"),
    "no numbers": (lambda: Polyline([[], []]), ValueError, r"points has shape \(2, 0\)"),
    "knots count": (lambda: Polyline(P[:3], knots=[0, 1]), ValueError, "knots has 2.* 3 ends"),
    "knots order": (lambda: Polyline(P[:3], knots=[0, 1, 1]), ValueError, "knots must increase"),
    "knots ends": (lambda: Polyline(P[:2], knots=[0, 0.5]), ValueError, "from 0 to 1"),
    "knots close": (lambda: Polyline(P[:3], knots=[0, 1e-20, 1]), ValueError, "piece 0.*2\\^-52"),
    "arc shapes": (lambda: Arc([1], [1, 2]), ValueError, "x1 has shape"),
    "angle zero": (lambda: Arc([1], [2], 0), ValueError, "angle is 0.0.*math.tau"),
    "angle negative": (lambda: Arc([1], [2], -1), ValueError, "angle is -1.0"),
    "angle large": (lambda: Arc([1], [2], 6.3), ValueError, "angle is 6.3"),
    "angle tiny": (lambda: Arc([1], [2], 1e-20), ValueError, "angle is 1e-20"),
    "angle nan": (lambda: Arc([1], [2], math.nan), ValueError, "angle holds nan"),
    "angle type": (lambda: Arc([1], [2], "pi"), TypeError, "angle"),  # type: ignore[arg-type]
    "circle shapes": (lambda: Circle([1], [1], [1, 2]), ValueError, "v has shape.*center"),
    "degree 0": (lambda: Bezier([[1, 2]]), ValueError, "control_points holds 1"),
    "degree 11": (lambda: Bezier(P), ValueError, "12 points, of degree 11.*10.*Chain"),
    "weights count": (lambda: Bezier(P[:3], [1, 2]), ValueError, "weights has 2.*3 points"),
    "weights sign": (lambda: Bezier(P[:2], [1, 0]), ValueError, "weights holds 0.0.*positive"),
    "weights nan": (lambda: Bezier(P[:2], [1, math.nan]), ValueError, "weights holds nan"),
    "bezier open": (lambda: Bezier(P[:3], closed=True), ValueError, "closed is True.*differ"),
    "spline points": (lambda: Spline(P[:1]), ValueError, "points holds 1"),
    "spline large": (
        lambda: Spline([[1.7e308], [-1.7e308]] * 2),
        OverflowError,
        "points holds 1.7e\\+308",
    ),
    "chain none": (lambda: Chain([]), ValueError, "trajectories is empty"),
    "chain of one": (lambda: Chain(LINE), TypeError, "a list"),  # type: ignore[arg-type]
    "chain of points": (lambda: Chain([LINE, 1]), TypeError, r"\[1\] is 1"),  # type: ignore[list-item]
    "chain shapes": (lambda: Chain([LINE, Line([1], [2])]), ValueError, r"\[1\] has .*\(1,\)"),
    "chain gap": (
        lambda: Chain([LINE, Line([1.0, 2.0**-60], [0.0, 0.0])]),
        ValueError,
        r"trajectories\[1\] starts 8.67e-19 from where trajectories\[0\] ends",
    ),
    "chain open": (lambda: Chain([LINE], closed=True), ValueError, "the first .* starts 1 from"),
    "chain of slivers": (
        lambda: Chain([Polyline(P[:3], knots=[0, 2.0**-52, 1]), Line(P[2], P[0])]),
        ValueError,
        "piece 0 would have a share",
    ),
    "t large": (lambda: LINE([0.5, 1.5]), ValueError, "t holds 1.5; t runs from 0 to 1"),
    "t negative": (lambda: LINE.velocity(-0.5), ValueError, "t holds -0.5"),
    "t nan": (lambda: LINE.locate(math.nan), ValueError, "t holds nan"),
    "piece": (lambda: LINE.parameter(1, 0.5), IndexError, "piece 1 is not among the 1"),
    "piece negative": (lambda: LINE.rate(-1, 0.5), IndexError, "piece -1"),
    "piece type": (lambda: LINE.parameter(0.5, 0.5), TypeError, "piece has dtype float64"),
    "u": (lambda: LINE.parameter(0, 1.5), ValueError, "u holds 1.5, but piece 0 runs from 0.0 to"),
    "u shape": (lambda: LINE.rate([0, 0], [1, 1, 1]), ValueError, r"\(2,\) and u \(3,\)"),
    "rtol zero": (lambda: LINE.length(0), ValueError, "rtol is 0.0; it must be at least 1e-14"),
    "rtol type": (lambda: LINE.length("1"), TypeError, "rtol"),  # type: ignore[arg-type]
    "piece cut": (
        lambda: Piece(np.eye(2), np.eye(2), np.ones(2), 0.0, 1e-17),
        ValueError,
        "start and end are 0.0 and 1e-17",
    ),
    "piece empty": (
        lambda: Piece(np.eye(2), np.eye(2), np.ones(2), 0.5, 0.5),
        ValueError,
        "start and end",
    ),
    "function": (lambda: sample_path(1, 0.1), TypeError, "function is 1"),  # type: ignore[arg-type]
    "function shape": (
        lambda: sample_path(lambda t: [0.0] * (1 + (t > 0.3)), 0.1),
        ValueError,
        r"has shape \(2,\), but function\(0.0\) has \(1,\)",
    ),
    "function nan": (
        lambda: sample_path(lambda t: math.nan if t == 0.5 else t, 0.1),
        ValueError,
        r"function\(0.5\) holds nan",
    ),
    "function type": (lambda: sample_path(lambda t: 1j * t, 0.1), TypeError, r"function\(0.0\)"),
    "function empty": (lambda: sample_path(lambda t: [], 0.1), ValueError, "at least one number"),
    "function jumps": (
        lambda: sample_path(lambda t: float(t > 0.3), 0.1),
        ValueError,
        "function jumps .* near t = 0.(3|29999)",
    ),
    "tolerance zero": (lambda: sample_path(spiral, 0), ValueError, "tolerance is 0.0; .* positive"),
    "tolerance nan": (lambda: sample_path(spiral, math.nan), ValueError, "tolerance holds nan"),
    "kind": (
        lambda: sample_path(spiral, 0.1, kind="arc"),  # type: ignore[arg-type]
        ValueError,
        "kind is 'arc'",
    ),
    "polyline of many": (
        lambda: sample_path(spiral, 1e-9, max_points=1000),
        ValueError,
        "tolerance is 1e-09.*max_points = 1000.*larger",
    ),
    "spline of many": (
        lambda: sample_path(spiral, 1e-14, kind="spline", max_points=100),
        ValueError,
        "tolerance is 1e-14.*max_points = 100",
    ),
    "max_points small": (lambda: sample_path(spiral, 1, max_points=1), ValueError, "max_points is"),
    "max_points type": (
        lambda: sample_path(spiral, 1, max_points=1.5),  # type: ignore[arg-type]
        TypeError,
        "max_points is 1.5",
    ),
    "ends apart": (
        lambda: sample_path(spiral, 0.1, closed=True),
        ValueError,
        "closed is True.* 1 apart",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), ERRORS.values(), ids=ERRORS)
def test_errors(call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_arcs_that_end_off_the_floats_do_not_chain() -> None:
    arc = Arc([1.0, 0.0], [0.0, 1.0], 1.0)
    with pytest.raises(ValueError, match=r"trajectories\[1\] starts .*e-1\d from"):
        Chain([arc, Line(arc(1), [0.0, 0.0])])
    assert Chain([arc, arc.reversed()], closed=True).closed


def test_spline_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.interpolate", None)
    with pytest.raises(ImportError, match=r'pip install "pyexpr-regions\[spline\]"'):
        Spline(P[:3])
