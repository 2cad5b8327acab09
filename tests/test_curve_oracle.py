"""The oracle of curves against hand-worked cases, the oracle of lines, and closed forms."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from math import cos, pi
from types import SimpleNamespace

import numpy as np
import pytest
from algebraic import Root, distinct, odd_part, polynomial, product, sign_changes
from curve_oracle import (
    SHARE,
    CurveAnalysis,
    CurveTransition,
    OraclePiece,
    analyse,
    from_piece,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import ABS, HARD_TANH, RELU, Number, OracleLayer, patterns_at
from oracle import Analysis as LineAnalysis
from oracle import analyse as analyse_line
from strategies import ACTIVATIONS, FAMILIES, Case, cases, oracle_layers

F = Fraction
Point = Sequence[Number]
Points = Sequence[Point]


def bezier(
    control: Points, weights: Sequence[float] | None = None, start: Number = 0, end: Number = 1
) -> OraclePiece:
    """The control points themselves are the points: X_i = weights[i] control[i]."""
    weights = weights or [1] * len(control)
    mixing = [[w * (i == j) for j in range(len(control))] for i, w in enumerate(weights)]
    return OraclePiece(control, mixing, weights, start, end)


def polyline(*points: Point) -> list[OraclePiece]:
    return [bezier(ends) for ends in pairwise(points)]


def quarter_arc(x0: Point, x1: Point) -> OraclePiece:
    """cos(theta) x0 + sin(theta) x1, theta in [0, pi / 2]."""
    return OraclePiece([x0, x1], [[1, 0], [1, 1], [0, 2]], [1, 1, 2])


def circle(center: Point, u: Point, v: Point) -> list[OraclePiece]:
    left, down = [-x for x in u], [-x for x in v]
    turns = [(u, v), (v, left), (left, down), (down, u)]
    mixing = [[1, 1, 0], [1, 1, 1], [2, 0, 2]]
    return [OraclePiece([center, a, b], mixing, [1, 1, 2]) for a, b in turns]


UNIT_CIRCLE = circle([0, 0], [1, 0], [0, 1])
PARABOLA = bezier([(0, 1), (F(1, 2), -1), (1, 1)])  # (u, (2u - 1)^2)


def at(piece: OraclePiece, u: F) -> list[F]:
    """De Casteljau's scheme on the homogeneous coefficients of a piece."""
    points = [[F(x) for x in point] for point in piece.points]
    rows = [
        [
            *(
                sum((F(m) * x for m, x in zip(row, column, strict=True)), F(0))
                for column in zip(*points, strict=True)
            ),
            F(w),
        ]
        for row, w in zip(piece.mixing, piece.weights, strict=True)
    ]
    while len(rows) > 1:
        rows = [[(1 - u) * a + u * b for a, b in zip(p, q, strict=True)] for p, q in pairwise(rows)]
    return [x / rows[0][-1] for x in rows[0][:-1]]


def relu(weight: Points, bias: Sequence[float | F]) -> OracleLayer:
    return OracleLayer(weight, bias, RELU)


def positions(result: CurveAnalysis) -> list[tuple[int, Number]]:
    """Of breakpoints that are rational with few digits."""
    assert all(lo == hi for lo, hi in (b.interval for b in result.breakpoints))
    return [(b.piece, b.interval[0]) for b in result.breakpoints]


def felt(layers: list[OracleLayer], *points: Point) -> list[bool]:
    return [b.felt for b in analyse(layers, polyline(*points)).breakpoints]


# Algebraic numbers.

linear_factors = st.lists(st.integers(-6, 6), min_size=0, max_size=5)
ZERO, ONE = Root.rational(F(0)), Root.rational(F(1))


@given(linear_factors)
def test_sign_changes_are_the_roots_of_odd_multiplicity(sixths: list[int]) -> None:
    p = polynomial([-3])
    for a in sixths:
        p = product(p, polynomial([-a, 6]))
    expected = [F(a, 6) for a in range(1, 6) if sixths.count(a) % 2]
    found = sign_changes(p, ZERO, ONE)
    assert found == [Root.rational(x) for x in expected]


@given(linear_factors, st.integers(1, 3), st.integers(1, 3))
def test_irrational_factors_keep_their_multiplicity(sixths: list[int], m: int, n: int) -> None:
    p = polynomial([1])
    for factor in [(-1, 0, 2)] * m + [(-1, 0, 3)] * n + [(-a, 6) for a in sixths]:
        p = product(p, polynomial(factor))
    rational = [F(a, 6) for a in range(1, 6) if sixths.count(a) % 2]
    expected = sorted([float(x) for x in rational] + [0.5**0.5] * (m % 2) + [3**-0.5] * (n % 2))
    found = [float(root.interval(SHARE)[0]) for root in sign_changes(p, ZERO, ONE)]
    assert found == pytest.approx(expected, abs=1e-15)


def test_roots_of_different_polynomials_can_be_equal() -> None:
    # sqrt(1/2) is a root of 2 u^2 - 1 and of (2 u^2 - 1)(3 u - 1).
    (a,) = sign_changes((-1, 0, 2), ZERO, ONE)
    c, b = sign_changes(product((-1, 0, 2), (-1, 3)), ZERO, ONE)
    assert a == b
    assert not (a < b or b < a)
    assert c < a
    assert distinct([b, a, c, a]) == [c, a]


def test_roots_nearer_than_any_float_are_told_apart() -> None:
    n = 10**40
    (a,) = sign_changes((-n, 0, 2 * n), ZERO, ONE)
    (b,) = sign_changes((-n - 1, 0, 2 * n), ZERO, ONE)
    assert a < b and not b < a and a != b


def test_the_odd_part_of_a_square_is_constant() -> None:
    square = product((-1, 2), (-1, 2))
    assert odd_part(square) == (1,)
    assert odd_part(product(square, (-1, 2))) == (-1, 2)


# Hand-worked.


def test_a_circle_crosses_a_line_twice() -> None:
    # x > 0: the circle starts at (1, 0) and crosses at its quarters, which are joints.
    result = analyse([relu([[1, 0]], [0])], UNIT_CIRCLE, closed=True)
    assert positions(result) == [(1, 0), (3, 0)]
    assert result.patterns == [(1,), (0,), (1,)]
    assert result.transitions == [
        CurveTransition(0, 0, 0, 1, 0),
        CurveTransition(1, 0, 0, 0, 1),
    ]
    assert (result.activation_regions, result.linear_regions, result.distinct_patterns) == (2, 2, 2)


def test_an_open_circle_has_one_region_more() -> None:
    result = analyse([relu([[1, 0]], [0])], UNIT_CIRCLE, closed=False)
    assert (result.activation_regions, result.linear_regions, result.distinct_patterns) == (3, 3, 2)


def test_the_seam_is_a_breakpoint_where_the_pattern_differs() -> None:
    # y > 0 on the first half of the circle only.
    result = analyse([relu([[0, 1]], [0])], UNIT_CIRCLE, closed=True)
    assert positions(result) == [(2, 0), (4, 0)]
    assert result.patterns == [(1,), (0,)]
    assert result.transitions[-1] == CurveTransition(1, 0, 0, 0, 1)
    assert (result.activation_regions, result.linear_regions) == (2, 2)


def test_a_closed_trajectory_without_breakpoints_has_one_region() -> None:
    result = analyse([relu([[1, 0]], [2])], UNIT_CIRCLE, closed=True)
    assert (result.activation_regions, result.linear_regions, result.distinct_patterns) == (1, 1, 1)


def test_a_tangent_line_ends_no_region() -> None:
    # y >= 0 on (u, (2u - 1)^2), with equality at 1/2; its negative stays off.
    result = analyse([relu([[0, 1], [0, -1]], [0, 0])], [PARABOLA])
    assert result.patterns == [(1, 0)]
    assert result.transitions == []


def test_a_tangent_line_of_the_circle_ends_no_region() -> None:
    # x - y - sqrt(2) would be it; the line 3x/5 + 4y/5 = 1 is rational.
    layers = [relu([[3, 4], [-3, -4]], [-5, 5])]
    assert analyse(layers, UNIT_CIRCLE, closed=True).patterns == [(0, 1)]


def test_a_touch_hides_no_crossing_at_the_same_point() -> None:
    # y touches 0 at 1/2, where x passes 1/2.
    result = analyse([relu([[0, 1], [1, 0]], [0, F(-1, 2)])], [PARABOLA])
    assert positions(result) == [(0, F(1, 2))]
    assert result.patterns == [(1, 0), (1, 1)]


def test_a_near_touch_has_two_crossings() -> None:
    tiny = F(1, 10**30)
    result = analyse([relu([[0, 1]], [-tiny])], [PARABOLA])
    assert result.patterns == [(1,), (0,), (1,)]
    assert analyse([relu([[0, 1]], [tiny])], [PARABOLA]).patterns == [(1,)]


def test_a_triple_root_crosses() -> None:
    cubic = bezier([(-1,), (1,), (-1,), (1,)])  # (2u - 1)^3
    result = analyse([relu([[1]], [0])], [cubic])
    assert positions(result) == [(0, F(1, 2))]
    assert result.patterns == [(0,), (1,)]


def test_a_quadruple_root_does_not_cross() -> None:
    quartic = bezier([(1,), (-1,), (1,), (-1,), (1,)])  # (2u - 1)^4
    assert analyse([relu([[1], [-1]], [0, 0])], [quartic]).patterns == [(1, 0)]


def test_an_inflection_after_a_square_in_a_deeper_layer() -> None:
    # |2u - 1| with the sign of layer 1: relu(2u - 1) + relu(1 - 2u) touches 0 in layer 2.
    layers = [relu([[1], [-1]], [0, 0]), relu([[1, 1], [1, -1]], [0, 0])]
    result = analyse(layers, [bezier([(-1,), (1,)])])
    assert result.patterns == [(0, 1, 1, 0), (1, 0, 1, 1)]


@pytest.mark.parametrize(
    ("layer", "letter"),
    [
        (OracleLayer([[0, 0]], [0], RELU), 0),
        (OracleLayer([[0, 0]], [1], HARD_TANH), 1),
        (OracleLayer([[0, 0]], [-1], HARD_TANH), -1),
        (OracleLayer([[0, 0]], [0], ABS), 0),
    ],
)
def test_a_neuron_on_its_threshold_has_the_letter_of_the_flat_side(
    layer: OracleLayer, letter: int
) -> None:
    result = analyse([layer], UNIT_CIRCLE, closed=True)
    assert result.patterns == [(letter,)]


def test_a_piece_that_runs_along_a_threshold_is_off() -> None:
    # y = 0 on the first segment, then 1, then 0 again.
    pieces = polyline((0, 0), (1, 0), (1, 1), (0, 0), (-1, 0))
    result = analyse([relu([[0, 1]], [0])], pieces)
    assert positions(result) == [(1, 0), (3, 0)]
    assert result.patterns == [(0,), (1,), (0,)]


def test_a_corner_ends_no_region() -> None:
    result = analyse([relu([[1, 1]], [9])], polyline((0, 0), (1, 0), (1, 1), (0, 0)), closed=True)
    assert (result.activation_regions, result.linear_regions) == (1, 1)


def test_a_corner_that_touches_a_threshold_ends_no_region() -> None:
    assert analyse([relu([[0, 1]], [0])], polyline((0, 1), (1, 0), (2, 1))).patterns == [(1,)]


DIFFERENCE = [relu([[1, 0], [0, 1]], [0, 0]), OracleLayer([[1, -1]], [0], None)]


def test_a_breakpoint_inside_a_piece_is_felt_if_the_maps_differ_on_it() -> None:
    # relu(x) - relu(y) is 0, then x - y, which is 0 on the diagonal.
    assert felt(DIFFERENCE, (-1, -1), (1, 1)) == [False]
    assert felt(DIFFERENCE, (-1, -2), (1, 2)) == [True]


def test_a_joint_is_felt_if_the_maps_differ_on_one_of_its_sides() -> None:
    assert felt(DIFFERENCE, (-1, -1), (0, 0), (1, 1)) == [False]
    assert felt(DIFFERENCE, (-1, -1), (0, 0), (1, 2)) == [True]
    assert felt(DIFFERENCE, (-1, -2), (0, 0), (1, 1)) == [True]


def test_a_joint_that_the_output_ignores_ends_no_linear_region() -> None:
    hidden = relu([[0, 1], [1, 0]], [0, 1])
    corner = [(0, 0), (1, 0), (1, 1)]
    assert felt([hidden, OracleLayer([[1, 1]], [0], None)], *corner) == [True]
    assert felt([hidden, OracleLayer([[0, 1]], [0], None)], *corner) == [False]


def test_the_seam_can_be_felt_or_not() -> None:
    triangle = polyline((0, 0), (1, 0), (1, 1), (0, 0))
    hidden = relu([[0, 1], [1, 0]], [0, 1])
    result = analyse([hidden, OracleLayer([[1, 1]], [0], None)], triangle, closed=True)
    assert (result.activation_regions, result.linear_regions) == (2, 2)
    result = analyse([hidden, OracleLayer([[0, 1]], [0], None)], triangle, closed=True)
    assert (result.activation_regions, result.linear_regions) == (2, 1)


def test_part_of_a_curve_has_the_breakpoints_of_that_part() -> None:
    layer = relu([[0, 1]], [F(-1, 4)])  # (2u - 1)^2 > 1/4 outside [1/4, 3/4]
    control: Points = [(0, 1), (F(1, 2), -1), (1, 1)]
    whole = analyse([layer], [bezier(control)])
    half = analyse([layer], [bezier(control, start=F(1, 2))])
    tip = analyse([layer], [bezier(control, start=F(1, 4), end=F(3, 4))])
    assert positions(whole) == [(0, F(1, 4)), (0, F(3, 4))]
    assert positions(half) == [(0, F(3, 4))]
    assert (positions(tip), tip.patterns) == ([], [(0,)])


def test_irrational_breakpoints_are_known_closely() -> None:
    # cos(theta) = 1/2 on the quarter arc: u = tan(theta / 2) = 1 / sqrt(3).
    (breakpoint_,) = analyse([relu([[2, 0]], [-1])], [quarter_arc((1, 0), (0, 1))]).breakpoints
    lo, hi = breakpoint_.interval
    assert lo**2 < F(1, 3) < hi**2
    assert hi - lo <= SHARE * lo


def test_a_piece_needs_length_and_positive_weights() -> None:
    with pytest.raises(ValueError, match="length"):
        analyse([relu([[1]], [0])], [bezier([(0,), (1,)], start=F(1, 2), end=F(1, 2))])
    with pytest.raises(ValueError, match="positive"):
        analyse([relu([[1]], [0])], [bezier([(0,), (1,)], [1, 0])])


def test_a_piece_is_read_by_its_attributes() -> None:
    piece = SimpleNamespace(
        points=np.array([[0.0, 1.0], [1.0, 0.0]]),
        mixing=np.eye(2),
        weights=np.ones(2),
        start=0.0,
        end=0.5,
    )
    result = analyse([relu([[1, 0]], [F(-1, 4)])], [from_piece(piece)])
    assert positions(result) == [(0, F(1, 4))]


# Lines as curves, against the oracle of lines.

exactly = settings(deadline=None, max_examples=30)


def line(case: Case, degree: int) -> OraclePiece:
    """Degree elevation: X_i = x0 + i / d (x1 - x0)."""
    x0, x1 = [F(x) for x in case.x0], [F(x) for x in case.x1]
    mixing = [[1 - F(i, degree), F(i, degree)] for i in range(degree + 1)]
    return OraclePiece([x0, x1], mixing, [1] * (degree + 1))


def check_as_line(result: CurveAnalysis, expected: LineAnalysis) -> None:
    intervals = [b.interval for b in result.breakpoints]
    assert len(intervals) == len(expected.breakpoints)
    for (lo, hi), t in zip(intervals, expected.breakpoints, strict=True):
        assert lo <= t <= hi
    assert result.patterns == expected.patterns
    felt = [left != right for left, right in pairwise(expected.slopes)]
    assert [b.felt for b in result.breakpoints] == felt
    order = {t: i for i, t in enumerate(expected.breakpoints)}
    assert result.transitions == [
        CurveTransition(order[s.t], s.layer, s.neuron, s.before, s.after)
        for s in expected.transitions
    ]
    assert result.activation_regions == expected.activation_regions
    assert result.linear_regions == expected.linear_regions
    assert result.distinct_patterns == expected.distinct_patterns


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
@exactly
@given(case=cases())
def test_a_line_of_any_degree_is_the_line(degree: int, case: Case) -> None:
    layers = oracle_layers(case)
    check_as_line(analyse(layers, [line(case, degree)]), analyse_line(layers, case.x0, case.x1))


@exactly
@given(case=cases(), eighths=st.integers(1, 7))
def test_a_line_in_two_pieces_is_the_line(case: Case, eighths: int) -> None:
    layers = oracle_layers(case)
    x0, x1 = ([F(x) for x in end] for end in (case.x0, case.x1))
    middle = [a + F(eighths, 8) * (b - a) for a, b in zip(x0, x1, strict=True)]
    whole = analyse_line(layers, x0, x1)
    split = analyse(layers, polyline(x0, middle, x1))
    assert split.patterns == whole.patterns
    assert [b.felt for b in split.breakpoints] == [a != b for a, b in pairwise(whole.slopes)]


@exactly
@given(case=cases(), weights=st.lists(st.integers(1, 9), min_size=2, max_size=2))
def test_a_line_at_another_speed_meets_the_same_regions(case: Case, weights: list[int]) -> None:
    # Rational of degree 1 with other weights, and x0 + u^2 (x1 - x0).
    layers = oracle_layers(case)
    x0, x1 = case.x0.tolist(), case.x1.tolist()
    expected = analyse_line(layers, x0, x1)
    faster = analyse(layers, [bezier([x0, x1], weights)])
    square = analyse(layers, [OraclePiece([x0, x1], [[1, 0], [1, 0], [0, 1]], [1, 1, 1])])
    assert faster.patterns == square.patterns == expected.patterns
    assert faster.linear_regions == square.linear_regions == expected.linear_regions


# Curves, at points.


def control_points(inputs: int) -> st.SearchStrategy[list[list[int]]]:
    point = st.lists(st.integers(-6, 6), min_size=inputs, max_size=inputs)
    return st.lists(point, min_size=2, max_size=5)


@exactly
@given(case=cases(activations=ACTIVATIONS, families=FAMILIES), data=st.data())
def test_patterns_are_the_pointwise_letters(case: Case, data: st.DataObject) -> None:
    layers = oracle_layers(case)
    piece = bezier(data.draw(control_points(len(case.x0))))
    result = analyse(layers, [piece])
    ends = [F(0), *(u for b in result.breakpoints for u in b.interval), F(1)]
    for start, end, pattern in zip(ends[::2], ends[1::2], result.patterns, strict=True):
        letters = patterns_at(
            layers, [at(piece, start + F(k, 13) * (end - start)) for k in range(1, 13)]
        )
        assert letters.count(pattern) >= 11  # a touch may be among them


@exactly
@given(case=cases(), data=st.data())
def test_transitions_lead_from_each_pattern_to_the_next(case: Case, data: st.DataObject) -> None:
    pieces = [bezier(data.draw(control_points(len(case.x0)))) for _ in range(2)]
    closed = data.draw(st.booleans())
    result = analyse(oracle_layers(case), pieces, closed)
    first_neurons = [0, *accumulate(len(bias) for _, bias in case.layers[:-1])]
    following = [*result.patterns[1:], result.patterns[0]]
    letters = list(result.patterns[0])
    for i in range(len(result.breakpoints)):
        for change in [s for s in result.transitions if s.breakpoint == i]:
            index = first_neurons[change.layer] + change.neuron
            assert letters[index] == change.before != change.after
            letters[index] = change.after
        assert tuple(letters) == following[i]
    if closed:
        assert tuple(letters) == result.patterns[0]


@exactly
@given(case=cases(), data=st.data())
def test_the_reversed_curve_has_the_mirrored_analysis(case: Case, data: st.DataObject) -> None:
    layers = oracle_layers(case)
    controls = [data.draw(control_points(len(case.x0))) for _ in range(2)]
    closed = data.draw(st.booleans())
    forward = analyse(layers, [bezier(c) for c in controls], closed)
    backward = analyse(layers, [bezier(c[::-1]) for c in controls[::-1]], closed)
    assert backward.patterns == forward.patterns[::-1]
    assert backward.linear_regions == forward.linear_regions
    assert backward.activation_regions == forward.activation_regions
    assert len(backward.transitions) == len(forward.transitions)


def test_the_circle_is_one() -> None:
    for piece in circle([1, 2], [3, 0], [0, 3]):
        for k in range(5):
            x, y = at(piece, F(k, 4))
            assert (x - 1) ** 2 + (y - 2) ** 2 == 9


# Closed forms.


def caps_network(n_1: int, n_2: int) -> list[OracleLayer]:
    """n_1 overlapping caps of the circle, and their sum at n_2 levels (THEORY B6)."""
    phi = [2 * pi * i / n_1 for i in range(n_1)]
    delta = 1.5 * pi / n_1
    low = cos(2 * pi / n_1 - delta) - cos(delta)
    high = min(1 - cos(delta), 2 * (cos(pi / n_1) - cos(delta)))
    levels = [low + (high - low) * (j + 1) / (n_2 + 1) for j in range(n_2)]
    return [
        relu([[cos(p), cos(p - pi / 2)] for p in phi], [-cos(delta)] * n_1),
        relu([[1.0] * n_1] * n_2, [-level for level in levels]),
    ]


@pytest.mark.parametrize(("widths", "regions"), [((3, 1), 18), ((3, 3), 42), ((10, 10), 420)])
def test_overlapping_caps_attain_the_bound_of_the_circle(
    widths: tuple[int, int], regions: int
) -> None:
    result = analyse(caps_network(*widths), UNIT_CIRCLE, closed=True)
    assert result.activation_regions == regions == 2 * widths[0] * (2 * widths[1] + 1)
    if widths == (3, 1):
        assert (len(result.transitions), result.distinct_patterns) == (18, 12)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_one_layer_of_caps_has_two_breakpoints_a_neuron(n: int) -> None:
    layers = caps_network(n, 1)[:1] if n > 1 else [relu([[1, 0]], [-0.5])]
    result = analyse(layers, UNIT_CIRCLE, closed=True)
    assert result.activation_regions == len(result.transitions) == 2 * n


@exactly
@given(case=cases(activations=["relu"]))
def test_without_biases_an_arc_has_the_regions_of_its_chord(case: Case) -> None:
    layers = oracle_layers(case)
    zero = [OracleLayer(layer.weight, [0] * len(layer.bias), layer.activation) for layer in layers]
    x0, x1 = case.x0.tolist(), case.x1.tolist()
    chord = analyse_line(zero, x0, x1)
    arc = analyse(zero, [quarter_arc(x0, x1)])
    assert arc.patterns == chord.patterns
    assert arc.distinct_patterns == arc.activation_regions


def fold(n: int) -> OracleLayer:
    """2 relu(x) - 4 relu(x - 1/2), read twice."""
    return relu([[2, -4]] * n, [0, F(-1, 2)])


@pytest.mark.parametrize("folds", [1, 2, 3])
def test_folds_of_a_parabola_bend_at_square_roots(folds: int) -> None:
    # u^2 meets every k / 2^folds once.
    layers = [relu([[1], [1]], [0, F(-1, 2)]), *[fold(2)] * (folds - 1)]
    result = analyse([*layers, OracleLayer([[2, -4]], [0], None)], [bezier([(0,), (0,), (1,)])])
    assert result.linear_regions == 2**folds
    for k, b in enumerate(result.breakpoints, 1):
        lo, hi = b.interval
        assert lo**2 <= F(k, 2**folds) <= hi**2
