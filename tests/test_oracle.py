"""The oracle against hand-worked cases, known constructions, sympy, and its own pointwise check."""

from fractions import Fraction
from itertools import accumulate, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import (
    ABS,
    HARD_TANH,
    RELU,
    Analysis,
    OracleActivation,
    OracleLayer,
    Transition,
    analyse,
    evaluate,
    from_network,
    patterns_at,
)
from strategies import ACTIVATIONS, FAMILIES, Case, cases, oracle_layers

F = Fraction
Segment = tuple[list[OracleLayer], list[F], list[F]]


def fractions(*texts: str) -> list[F]:
    return [F(text) for text in texts]


def rows(*values: list[int]) -> list[tuple[F, ...]]:
    return [tuple(F(x) for x in row) for row in values]


def exact_layer(weight: list[list[str]], bias: list[str], phi: OracleActivation) -> OracleLayer:
    return OracleLayer([fractions(*row) for row in weight], fractions(*bias), phi)


# Hand-worked: z is a pre-activation along the segment, t runs over [0, 1].


def test_one_relu_bends_where_it_crosses_zero() -> None:
    # z = 3t - 1 is negative up to 1/3; f = 2 max(z, 0) + 5 has slope 0, then 6.
    layers = [OracleLayer([[3]], [-1], RELU), OracleLayer([[2]], [5], None)]
    assert analyse(layers, [0], [1]) == Analysis(
        breakpoints=[F(1, 3)],
        patterns=[(0,), (1,)],
        transitions=[Transition(F(1, 3), 0, 0, 0, 1)],
        slopes=[(F(0),), (F(6),)],
    )


def test_one_hard_tanh_bends_at_both_thresholds() -> None:
    # z = 4t - 2 meets -1 at 1/4 and 1 at 3/4.
    result = analyse([OracleLayer([[1]], [0], HARD_TANH)], [-2], [2])
    assert result.breakpoints == [F(1, 4), F(3, 4)]
    assert result.patterns == [(-1,), (0,), (1,)]
    assert result.slopes == rows([0], [4], [0])


def test_a_network_without_activations_has_one_region() -> None:
    result = analyse([OracleLayer([[1, 2], [3, 4]], [5, 6], None)], [0, 0], [1, 1])
    assert result == Analysis([], [()], [], rows([3, 7]))


def test_duplicate_neurons_break_at_the_same_point() -> None:
    # z = 2t - 1 twice, and its negative: all three change at 1/2.
    layers = [OracleLayer([[1], [1], [-1]], [0, 0, 0], RELU)]
    result = analyse(layers, [-1], [1])
    assert result.breakpoints == [F(1, 2)]
    assert [(s.neuron, s.before, s.after) for s in result.transitions] == [
        (0, 0, 1),
        (1, 0, 1),
        (2, 1, 0),
    ]


def test_a_row_times_three_in_floats_breaks_elsewhere() -> None:
    # fl(0.3) is not 3 fl(0.1): the roots of 0.1 t - 0.07 and 0.3 t - 0.21 differ by rounding only.
    layers = [OracleLayer([[0.1], [0.3]], [-0.07, -0.21], RELU)]
    result = analyse(layers, [0], [1])
    roots = {F(0.07) / F(0.1), F(0.21) / F(0.3)}
    assert result.breakpoints == sorted(roots)
    assert len(roots) == 2
    assert max(roots) - min(roots) < F(1, 2**50)


def test_a_breakpoint_that_the_output_ignores_ends_no_linear_region() -> None:
    # Two neurons, at 1/4 and 1/2; the output reads only the second.
    layers = [OracleLayer([[1], [1]], [F(-1, 4), F(-1, 2)], RELU), OracleLayer([[0, 1]], [0], None)]
    result = analyse(layers, [0], [1])
    assert (result.activation_regions, result.linear_regions) == (3, 2)
    assert result.distinct_patterns == 3


def test_a_second_output_can_feel_what_the_first_does_not() -> None:
    layers = [OracleLayer([[1]], [F(-1, 4)], RELU), OracleLayer([[0], [1]], [0, 0], None)]
    assert analyse(layers, [0], [1]).linear_regions == 2
    assert analyse(layers, [0], [1]).slopes == rows([0, 0], [0, 1])


def test_a_touch_is_no_transition() -> None:
    # Layer 1: t - 1/2 and 1/2 - t. Layer 2 reads |t - 1/2|, which touches 0 and stays on, and its
    # negative, which touches 0 and stays off.
    layers = [
        OracleLayer([[1], [-1]], [F(-1, 2), F(1, 2)], RELU),
        OracleLayer([[1, 1], [-1, -1]], [0, 0], RELU),
    ]
    result = analyse(layers, [0], [1])
    assert result.patterns == [(0, 1, 1, 0), (1, 0, 1, 0)]
    assert {(s.layer, s.neuron) for s in result.transitions} == {(0, 0), (0, 1)}


@pytest.mark.parametrize(
    ("activation", "constant", "letter"),
    [
        (RELU, 0, 0),  # off: the flat side
        (HARD_TANH, -1, -1),  # saturated below
        (HARD_TANH, 1, 1),  # saturated above
        (ABS, 0, 0),  # no flat side: not passed
        (OracleActivation([0], [0, 0], 0, 0), 0, 0),  # both sides flat: not passed
        (OracleActivation([0], [1, 0], 0, 0), 0, 1),  # flat above: passed
        (OracleActivation([0], [[0, 1]], 0, 5), 0, 5),  # letters count from first_letter
    ],
)
def test_a_neuron_that_equals_its_threshold_has_the_letter_of_the_flat_side(
    activation: OracleActivation, constant: int, letter: int
) -> None:
    # A zero row: z is the bias all along.
    layers = [OracleLayer([[0]], [constant], activation)]
    assert analyse(layers, [0], [1]).patterns == patterns_at(layers, [[F(1, 3)]]) == [(letter,)]


def test_a_neuron_that_is_zero_on_an_interval_is_off_there() -> None:
    # Layer 2 reads h = max(t - 1/2, 0) as h and -h: both are identically 0 before 1/2.
    layers = [OracleLayer([[1]], [F(-1, 2)], RELU), OracleLayer([[1], [-1]], [0, 0], RELU)]
    result = analyse(layers, [0], [1])
    assert result.patterns == [(0, 0, 0), (1, 1, 0)]
    assert [(s.layer, s.neuron) for s in result.transitions] == [(0, 0), (1, 0)]


def test_a_saturated_hard_tanh_saturates_its_copy() -> None:
    # Layer 2 reads layer 1's hard-tanh itself: 1 identically once that saturates.
    layers = [OracleLayer([[1]], [0], HARD_TANH)] * 2
    assert analyse(layers, [-2], [2]).patterns == [(-1, -1), (0, 0), (1, 1)]


def test_a_crossing_at_an_end_point_is_no_breakpoint() -> None:
    # z = t and z = t - 1 vanish at the ends only.
    result = analyse([OracleLayer([[1], [1]], [0, -1], RELU)], [0], [1])
    assert (result.breakpoints, result.patterns) == ([], [(1, 0)])


def test_equal_end_points_give_one_region() -> None:
    layers = [OracleLayer([[1]], [0], HARD_TANH), OracleLayer([[3]], [1], None)]
    result = analyse(layers, [0.5], [0.5])
    assert result == Analysis([], [(0,)], [], rows([0]))
    assert result.linear_regions == 1


def test_a_general_function_is_continuous_with_its_value_at_the_first_breakpoint() -> None:
    # phi(1) = 10, slopes -1 | 2 | 0 | 3 with thresholds 1, 2, 4.
    phi = OracleActivation([1, 2, 4], [-1, 2, 0, 3], 10, 7)
    values = [evaluate([OracleLayer([[1]], [0], phi)], [z])[0] for z in range(6)]
    assert values == [11, 10, 12, 12, 12, 15]
    result = analyse([OracleLayer([[1]], [0], phi)], [0], [5])
    assert result.breakpoints == fractions("1/5", "2/5", "4/5")
    assert result.patterns == [(7,), (8,), (9,), (10,)]
    assert result.slopes == rows([-5], [10], [0], [15])


def test_slopes_can_differ_between_neurons() -> None:
    # PReLU with 1/4 and 1 below: the second is the identity, yet changes its letter.
    phi = OracleActivation([0], [[0.25, 1.0], [1.0, 1.0]], 0, 0)
    result = analyse([OracleLayer([[1], [1]], [0, 1], phi)], [-2], [2])
    assert result.breakpoints == fractions("1/4", "1/2")
    assert result.patterns == [(0, 0), (0, 1), (1, 1)]
    assert result.slopes == rows([1, 4], [1, 4], [4, 4])
    assert result.linear_regions == 2


def test_only_the_last_layer_may_have_no_activation() -> None:
    with pytest.raises(ValueError, match="only the last layer"):
        analyse([OracleLayer([[1]], [0], None)] * 2, [0], [1])


def test_a_number_that_is_not_exact_is_refused() -> None:
    with pytest.raises(TypeError, match="float32"):
        evaluate([OracleLayer([[1]], [0], None)], np.ones(1, dtype=np.float32))


def test_a_network_is_read_by_its_attributes() -> None:
    phi = SimpleNamespace(
        breakpoints=np.array([0.0]),
        slopes=np.array([[0.5, 1.0], [0.0, 2.0]]),
        value=0.0,
        first_letter=0,
    )
    hidden = SimpleNamespace(weight=np.array([[1.0], [1.0]]), bias=np.zeros(2), activation=phi)
    last = SimpleNamespace(weight=np.array([[1.0, 1.0]]), bias=np.array([0.1]), activation=None)
    layers = from_network(SimpleNamespace(layers=(hidden, last)))
    # Below 0: x/2 + 0; above: x + 2x.
    assert analyse(layers, np.array([-1.0]), np.array([1.0])).slopes == rows([1], [6])
    assert evaluate(layers, np.array([1.0])) == (3 + F(0.1),)


# Constructions whose count is known.


def test_composed_tent_maps_double_the_regions() -> None:
    # tent(x) = 2 max(x, 0) - 4 max(x - 1/2, 0) folds [0, 1] in two; three folds bend at all k/8.
    fold = OracleLayer([[2, -4], [2, -4]], [0, F(-1, 2)], RELU)
    layers = [
        OracleLayer([[1], [1]], [0, F(-1, 2)], RELU),
        fold,
        fold,
        OracleLayer([[2, -4]], [0], None),
    ]
    result = analyse(layers, [0], [1])
    assert result.breakpoints == [F(k, 8) for k in range(1, 8)]
    assert result.slopes == rows([8], [-8]) * 4


# Networks of the widths named with as many regions on [0, 1] as their activation allows.
EXPLICIT_RELU_3_3 = [
    exact_layer([["1"], ["1"], ["-1"]], ["-1/6", "-1/3", "2/3"], RELU),
    exact_layer(
        [["-12", "9", "-6"], ["-12", "9", "-6"], ["12", "-9", "6"]],
        ["23/6", "11/3", "-10/3"],
        RELU,
    ),
]
EXPLICIT_HTANH_2_2 = [
    exact_layer([["10/3"], ["10"]], ["-5/3", "-5"], HARD_TANH),
    exact_layer([["5", "-10/3"], ["15", "-10"]], ["0", "0"], HARD_TANH),
]


def test_the_explicit_relu_network_attains_the_bound() -> None:
    # (3 + 1) (3 + 1), and the outputs feel every breakpoint.
    result = analyse(EXPLICIT_RELU_3_3, [0], [1])
    assert result.activation_regions == result.distinct_patterns == 16
    assert result.linear_regions == 16


def test_the_explicit_hard_tanh_network_attains_the_bound() -> None:
    # 3 cells of layer 1 where it varies, each with 3 varying and 2 saturated pieces of layer 2, and
    # 2 cells where layer 1 is saturated. The outputs are constant on both sides of all 4 joints.
    result = analyse(EXPLICIT_HTANH_2_2, [0], [1])
    assert result.activation_regions == result.distinct_patterns == 3 * (3 + 2) + 2
    assert result.linear_regions == 17 - 4


# Properties.


def read(case: Case) -> Segment:
    return oracle_layers(case), [F(x) for x in case.x0], [F(x) for x in case.x1]


def regions_of(result: Analysis) -> list[tuple[F, F]]:
    return list(pairwise([F(0), *result.breakpoints, F(1)]))


def at(x0: list[F], x1: list[F], t: F) -> list[F]:
    return [a + t * (b - a) for a, b in zip(x0, x1, strict=True)]


# Exact arithmetic takes what it takes.
exactly = settings(deadline=None, max_examples=50)
briefly = settings(deadline=None, max_examples=20)


def check_letters(case: Case) -> None:
    """Each region's pattern, near its start, at its middle and near its end.

    Inputs with one pattern form a convex set, so agreement near both ends is agreement between.
    """
    layers, x0, x1 = read(case)
    result = analyse(layers, x0, x1)
    for (start, end), pattern in zip(regions_of(result), result.patterns, strict=True):
        assert start < end
        shares = fractions("1/1000", "1/2", "999/1000")
        points = [at(x0, x1, start + share * (end - start)) for share in shares]
        assert patterns_at(layers, points) == [pattern] * 3


@pytest.mark.parametrize("activation", ACTIVATIONS)
@briefly
@given(data=st.data())
def test_patterns_are_the_pointwise_letters_for_every_activation(
    activation: str, data: st.DataObject
) -> None:
    check_letters(data.draw(cases(activations=[activation])))


@pytest.mark.parametrize("family", FAMILIES)
@briefly
@given(data=st.data())
def test_patterns_are_the_pointwise_letters_for_every_family(
    family: str, data: st.DataObject
) -> None:
    check_letters(data.draw(cases(families=[family])))


@exactly
@given(cases())
def test_neighbouring_regions_differ_and_no_pattern_returns(case: Case) -> None:
    result = analyse(*read(case))
    assert all(left != right for left, right in pairwise(result.patterns))
    assert result.distinct_patterns == result.activation_regions


@exactly
@given(cases())
def test_counts_are_ordered(case: Case) -> None:
    result = analyse(*read(case))
    assert result.linear_regions <= result.activation_regions == len(result.breakpoints) + 1
    assert result.activation_regions <= len(result.transitions) + 1


@exactly
@given(cases())
def test_transitions_lead_from_each_pattern_to_the_next(case: Case) -> None:
    result = analyse(*read(case))
    first_neurons = [0, *accumulate(len(bias) for _, bias in case.layers[:-1])]
    letters = list(result.patterns[0])
    for breakpoint_, pattern in zip(result.breakpoints, result.patterns[1:], strict=True):
        for change in [s for s in result.transitions if s.t == breakpoint_]:
            index = first_neurons[change.layer] + change.neuron
            assert letters[index] == change.before != change.after
            letters[index] = change.after
        assert tuple(letters) == pattern
    order = [(s.t, s.layer, s.neuron) for s in result.transitions]
    assert order == sorted(order)
    assert {s.t for s in result.transitions} == set(result.breakpoints)


@exactly
@given(cases())
def test_the_slopes_integrate_to_the_network(case: Case) -> None:
    layers, x0, x1 = read(case)
    result = analyse(layers, x0, x1)
    value = evaluate(layers, x0)
    for (start, end), slope in zip(regions_of(result), result.slopes, strict=True):
        for t in [(start + end) / 2, end]:
            reached = tuple(v + s * (t - start) for v, s in zip(value, slope, strict=True))
            assert reached == evaluate(layers, at(x0, x1, t))
        value = reached


@exactly
@given(cases())
def test_the_reversed_segment_has_the_mirrored_analysis(case: Case) -> None:
    layers, x0, x1 = read(case)
    forward, backward = analyse(layers, x0, x1), analyse(layers, x1, x0)
    mirrored = [
        Transition(1 - s.t, s.layer, s.neuron, s.after, s.before) for s in forward.transitions
    ]
    assert backward == Analysis(
        breakpoints=[1 - t for t in reversed(forward.breakpoints)],
        patterns=forward.patterns[::-1],
        transitions=sorted(mirrored, key=lambda s: (s.t, s.layer, s.neuron)),
        slopes=[tuple(-s for s in slope) for slope in reversed(forward.slopes)],
    )


@exactly
@given(cases())
def test_half_the_segment_has_the_breakpoints_of_that_half(case: Case) -> None:
    layers, x0, x1 = read(case)
    whole, half = analyse(layers, x0, x1), analyse(layers, x0, at(x0, x1, F(1, 2)))
    assert half.breakpoints == [2 * t for t in whole.breakpoints if t < F(1, 2)]
    assert half.patterns == whole.patterns[: len(half.patterns)]


@exactly
@given(cases())
def test_a_printed_case_is_the_case(case: Case) -> None:
    names = {"array": np.array, "Case": Case, "Activation": type(case.activations[0])}
    copy = eval(repr(case), names)
    assert analyse(*read(copy)) == analyse(*read(case))


# The same networks written for sympy, which solves for the roots by its own means.

T = sympy.Symbol("t", real=True)


def relu(z: sympy.Expr) -> sympy.Expr:
    return sympy.Piecewise((z, z > 0), (0, True))


def hard_tanh(z: sympy.Expr) -> sympy.Expr:
    return sympy.Piecewise((-1, z <= -1), (z, z < 1), (1, True))


def magnitude(z: sympy.Expr) -> sympy.Expr:
    return sympy.Piecewise((z, z > 0), (-z, True))


def solved_breakpoints(crossings: list[sympy.Expr]) -> list[F]:
    """The interior points where one of the expressions changes sign."""
    roots = {root for z in crossings for root in sympy.solve(sympy.piecewise_fold(z), T)}
    step = sympy.Rational(1, 10**6)  # far below the distance of any two roots used here
    changes = [
        root
        for root in roots
        if 0 < root < 1
        and any(z.subs(T, root - step) * z.subs(T, root + step) < 0 for z in crossings)
    ]
    return [F(int(root.p), int(root.q)) for root in sorted(changes)]


def check_values(layers: list[OracleLayer], f: sympy.Expr) -> None:
    for k in range(12):
        value = f.subs(T, sympy.Rational(k, 11))
        assert evaluate(layers, [F(k, 11)]) == (F(int(value.p), int(value.q)),)


def test_sympy_agrees_on_a_relu_layer() -> None:
    a, b, c = 7 * T - 2, 1 - 3 * T, T - sympy.Rational(5, 8)
    layers = [
        OracleLayer([[7], [-3], [1]], fractions("-2", "1", "-5/8"), RELU),
        OracleLayer([[1, 1, -2]], [0], None),
    ]
    check_values(layers, relu(a) + relu(b) - 2 * relu(c))
    assert analyse(layers, [0], [1]).breakpoints == solved_breakpoints([a, b, c])
    assert solved_breakpoints([a, b, c]) == fractions("2/7", "1/3", "5/8")


def test_sympy_agrees_on_two_relu_layers() -> None:
    a, b = 3 * T - 1, 2 - 3 * T
    c = 2 * relu(a) + 3 * relu(b) - sympy.Rational(5, 2)
    d = sympy.Rational(3, 2) - relu(a) - relu(b)
    layers = [
        OracleLayer([[3], [-3]], [-1, 2], RELU),
        OracleLayer([[2, 3], [-1, -1]], fractions("-5/2", "3/2"), RELU),
        OracleLayer([[1, -2]], [1], None),
    ]
    check_values(layers, relu(c) - 2 * relu(d) + 1)
    expected = fractions("1/6", "1/3", "1/2", "2/3", "3/4", "5/6")
    assert analyse(layers, [0], [1]).breakpoints == solved_breakpoints([a, b, c, d]) == expected


def test_sympy_agrees_on_two_hard_tanh_layers() -> None:
    a, b = 10 * T - 5, 3 - 5 * T
    c = 2 * hard_tanh(a) + 2 * hard_tanh(b) + sympy.Rational(1, 3)
    layers = [
        OracleLayer([[10], [-5]], [-5, 3], HARD_TANH),
        OracleLayer([[2, 2]], [F(1, 3)], HARD_TANH),
        OracleLayer([[4]], [0], None),
    ]
    check_values(layers, 4 * hard_tanh(c))
    crossings = [z + sign for z in (a, b, c) for sign in (-1, 1)]
    expected = fractions("2/5", "7/15", "3/5", "11/15", "4/5")
    assert analyse(layers, [0], [1]).breakpoints == solved_breakpoints(crossings) == expected


def test_sympy_agrees_on_three_nested_magnitudes() -> None:
    a = 2 * T - 1
    b = 3 * magnitude(a) - 2
    c = magnitude(b) - sympy.Rational(4, 5)
    layers = [
        OracleLayer([[2]], [-1], ABS),
        OracleLayer([[3]], [-2], ABS),
        OracleLayer([[1]], [F(-4, 5)], ABS),
    ]
    check_values(layers, magnitude(c))
    result = analyse(layers, [0], [1])
    assert result.breakpoints == solved_breakpoints([a, b, c])
    assert result.linear_regions == 8
