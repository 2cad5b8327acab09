"""What single kernels for curves claim is so, on the host, in exact arithmetic or by plain loops.

Exactly, a polynomial is its coefficients from the constant up, in Fractions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise, product
from math import comb, inf, isqrt, lcm
from typing import TypeAlias

import numpy as np
import pytest
from algebraic import Polynomial, Root, polynomial, sign_changes
from hypothesis import example, given
from hypothesis import strategies as st
from test_cuda_kernels import (
    Doubles,
    Letters,
    U,
    exact,
    integers,
    noises,
    not_below,
    packed,
    run,
    small_seeds,
    unpacked,
    widths,
)

from pyexpr import _core

Exact: TypeAlias = list[Fraction]

degrees = st.integers(1, 5)


def at(p: Sequence[Fraction], u: Fraction) -> Fraction:
    return sum((c * u**i for i, c in enumerate(p)), Fraction(0))


def derivative(p: Exact) -> Exact:
    return [i * c for i, c in enumerate(p)][1:]


def from_bernstein(coefficients: Sequence[Fraction]) -> Exact:
    """Of the basis of [0, 1]."""
    d = len(coefficients) - 1
    return [
        sum(((-1) ** (k - i) * comb(k, i) * comb(d, k) * coefficients[i] for i in range(k + 1)),
            Fraction(0))
        for k in range(d + 1)
    ]  # fmt: skip


def bernstein(p: Exact, start: Fraction, end: Fraction) -> Exact:
    """The coefficients in the basis of [start, end]."""
    d, length = len(p) - 1, end - start
    shifted = [
        length**i
        * sum((comb(k, i) * p[k] * start ** (k - i) for k in range(i, d + 1)), Fraction(0))
        for i in range(d + 1)
    ]
    return [
        sum((Fraction(comb(j, i), comb(d, i)) * shifted[i] for i in range(j + 1)), Fraction(0))
        for j in range(d + 1)
    ]


def largest(p: Exact, start: Fraction, end: Fraction) -> Fraction:
    """>= |p| on [start, end]"""
    return max(map(abs, bernstein(p, start, end)))


def minus(p: Exact, theta: Fraction, q: Exact) -> Exact:
    return [a - theta * b for a, b in zip(p, q, strict=True)]


def is_positive(p: Exact, start: Fraction, end: Fraction, halvings: int = 60) -> bool:
    """Whether p > 0 on [start, end]; false, too, where that takes too many halvings."""
    coefficients = bernstein(p, start, end)
    if min(coefficients) > 0:
        return True
    if min(coefficients[0], coefficients[-1]) <= 0 or halvings == 0:
        return False
    middle = (start + end) / 2
    parts = (start, middle), (middle, end)
    return all(is_positive(p, *part, halvings - 1) for part in parts)


def as_integers(p: Exact) -> Polynomial:
    scale = lcm(*(c.denominator for c in p))
    return polynomial(int(c * scale) for c in p)


def odd_roots(p: Exact, start: Fraction, end: Fraction) -> list[Root]:
    """In the open interval; of no polynomial that is zero."""
    return sign_changes(as_integers(p), Root.rational(start), Root.rational(end))


def rounded(values: Sequence[Fraction]) -> list[float]:
    return [float(x) for x in values]


# Letters and roots.


@dataclass(frozen=True)
class Cell:
    """Of a curve, of which the rows are known up to alpha unit.

    Attributes
    ----------
    z : polynomials [width]
        w times the pre-activations.
    w : polynomial
    t, tau, speed, alpha, norm : float64 [2], [2], [1], [1], [1]
    rows : float64 [degree + 1, width]
    weights : float64 [degree + 1]
    unit : float64 [width]
    """

    z: list[Exact]
    w: Exact
    t: Doubles
    tau: Doubles
    speed: Doubles
    alpha: Doubles
    norm: Doubles
    rows: Doubles
    weights: Doubles
    unit: Doubles

    @property
    def degree(self) -> int:
        return len(self.w) - 1

    @property
    def hull(self) -> tuple[Fraction, Fraction]:
        """Of all true cells."""
        (start, end), (before, after) = exact(self.t), exact(self.tau)
        return start - before, end + after

    def minus_threshold(self, neuron: int, theta: float) -> Exact:
        return minus(self.z[neuron], Fraction(theta), self.w)


def cell_of(
    z: list[Exact], w: Exact, t: list[float], tau: list[float], unit: list[float],
    noise: list[float], factor: float,
) -> Cell:  # fmt: skip
    """Whose coefficients are wrong by `noise`, and whose speed is known up to a factor."""
    start, end = map(Fraction, t)
    rows, errors = np.empty((len(w), len(z))), [Fraction(0)]
    for q, p in enumerate(z):
        for i, value in enumerate(bernstein(p, start, end)):
            rows[i, q] = float(value + Fraction(noise[(i + q) % len(noise)]))
            errors.append(abs(Fraction(rows[i, q]) - value) / Fraction(unit[q]))
    # What underflows is another's bound.
    wrong = max(errors)
    alpha = not_below(max(wrong, Fraction(1e-290))) if wrong else 0.0
    weights = bernstein(w, start, end)
    hull = start - Fraction(tau[0]), end + Fraction(tau[1])
    speeds = [largest(derivative(p), *hull) / Fraction(u) for p, u in zip(z, unit, strict=True)]
    speed = factor * not_below(max(*speeds, largest(derivative(w), *hull)))
    return Cell(
        z, w, np.array(t), np.array(tau), np.array([speed]), np.array([alpha]),
        np.array([not_below(2 * max(weights))]), rows, np.array(rounded(weights)), np.array(unit),
    )  # fmt: skip


def with_roots(roots: Sequence[Fraction], degree: int) -> Exact:
    p = [Fraction(1)]
    for root in roots:
        p = [a - root * b for a, b in zip([Fraction(0), *p], [*p, Fraction(0)], strict=True)]
    return p + [Fraction(0)] * (degree - len(roots))


eighths = st.integers(0, 8).map(lambda i: Fraction(i, 8))
numbers = st.integers(-3, 3).map(Fraction) | st.floats(-4, 4).map(Fraction)


@st.composite
def polynomials(draw: st.DrawFn, degree: int) -> Exact:
    """Zero now and then, with roots that are multiple, close to one another or at ends."""
    if draw(st.booleans()):
        return from_bernstein(draw(st.lists(numbers, min_size=degree + 1, max_size=degree + 1)))
    places = eighths | eighths.map(lambda x: x + Fraction(1, 10**9)) | st.floats(0, 1).map(Fraction)
    factors = [Fraction(x) for x in (1, 1, -1, 64, 0)] + [Fraction(1, 10**9)]
    factor = draw(st.sampled_from(factors))
    return [factor * c for c in with_roots(draw(st.lists(places, max_size=degree)), degree)]


ends = eighths.map(float) | st.floats(0, 1) | st.sampled_from([0.5 + 1e-13, 0.375 - 1e-16])
taus = st.sampled_from([0.0, 0.0, 1e-17, 1e-12, 1e-3])


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    degree, width = draw(degrees), draw(st.integers(1, 2))
    t = [0.0, 1.0] if draw(st.booleans()) else sorted([draw(ends), draw(ends)])
    w = draw(st.lists(st.sampled_from([1.0, 2.0, 0.3]), min_size=degree + 1, max_size=degree + 1))
    return cell_of(
        [draw(polynomials(degree)) for _ in range(width)], from_bernstein([*map(Fraction, w)]), t,
        [draw(taus), draw(taus)], [draw(st.sampled_from([1.0, 0.7, 16.0])) for _ in range(width)],
        draw(st.lists(noises, min_size=1, max_size=3)), draw(st.sampled_from([1.0, 1e3])),
    )  # fmt: skip


@st.composite
def cells_and_thresholds(draw: st.DrawFn) -> tuple[Cell, Doubles]:
    """One threshold is what a neuron is somewhere."""
    cell = draw(cells())
    u = draw(eighths) * (Fraction(cell.t[1]) - Fraction(cell.t[0])) + Fraction(cell.t[0])
    return cell, np.array(sorted({0.0, float(at(cell.z[0], u) / at(cell.w, u))}))


def bounds_of(cell: Cell) -> list[Doubles]:
    """alpha, norm, absolute, of_w, each [1]"""
    out, count = [np.empty(1) for _ in range(4)], cell.degree + 1
    eps, rho, norm = np.zeros(count), np.full(count, cell.alpha[0] / 4), np.zeros(count)
    eps[-1], norm[0] = 3 * (cell.alpha[0] / 4), cell.norm[0]
    run("cell_margins", 1, cell.degree, cell.tau, cell.speed, eps, rho, norm, *out)
    assert abs(out[0][0] - cell.alpha[0]) <= 2.0**-52 * cell.alpha[0]
    assert out[1] == cell.norm
    return out


def signs_of(cell: Cell, thresholds: Doubles) -> tuple[Letters, Letters]:
    """Which letters are surely 1, and which not sure, [thresholds, width]."""
    count, width = len(thresholds), len(cell.z)
    above, unsure = np.empty(count, np.uint64), np.empty(count, np.uint64)
    candidates, gap, (_, norm, *bounds) = integers(count), np.empty(count), bounds_of(cell)
    run(
        "cell_signs", count, cell.degree, cell.rows, width, width, count, thresholds,
        cell.weights, cell.unit, norm, *bounds, above, unsure, candidates, gap,
    )  # fmt: skip
    is_open = unpacked(unsure[:, None], width)
    assert candidates.tolist() == is_open.sum(axis=1).tolist()
    return unpacked(above[:, None], width), is_open


@given(cells_and_thresholds())
def test_sure_letters_are_right_on_every_true_cell(drawn: tuple[Cell, Doubles]) -> None:
    cell, thresholds = drawn
    above, is_open = signs_of(cell, thresholds)
    for (k, theta), neuron in product(enumerate(thresholds), range(len(cell.z))):
        if not is_open[k, neuron]:
            side = 1 if above[k, neuron] else -1
            assert is_positive([side * c for c in cell.minus_threshold(neuron, theta)], *cell.hull)


@dataclass(frozen=True)
class Isolated:
    """What `isolate` says; arrays have an entry for each root."""

    letter: bool
    hard: bool
    t: Doubles
    tau: Doubles
    low: Doubles
    high: Doubles
    displacement: Doubles


def isolate(cell: Cell, neuron: int, theta: float, lipschitz: float = 1) -> Isolated:
    zero, roots, (alpha, norm, *_) = np.zeros(1, np.int64), integers(1), bounds_of(cell)
    letter, hard = np.full(1, 7, np.uint8), np.zeros(1, np.uint8)
    found = np.full((5, cell.degree), np.nan)
    run(
        "isolate", 1, zero, np.array([neuron]), zero, cell.degree, cell.rows, len(cell.z),
        np.array([float(theta)]), cell.weights, cell.unit, lipschitz, cell.t, cell.tau,
        cell.speed, alpha, norm, letter, roots, hard, *found,
    )  # fmt: skip
    assert np.isnan(found[:, roots[0] :]).all()
    assert letter[0] <= 1
    return Isolated(bool(letter[0]), bool(hard[0]), *found[:, : roots[0]])


@given(cells_and_thresholds(), st.sampled_from([0.5, 1.0, 3.0]))
def test_roots_are_where_they_are_said_to_be(drawn: tuple[Cell, Doubles], lipschitz: float) -> None:
    """And there are no others in any true cell, unless it is hard."""
    cell, thresholds = drawn
    for theta, neuron in product(thresholds, range(len(cell.z))):
        found = isolate(cell, neuron, theta, lipschitz)
        if found.hard:
            continue
        g = cell.minus_threshold(neuron, theta)
        side = 1 if found.letter else -1
        start, tau = Fraction(cell.t[0]), Fraction(cell.tau[0])
        assert is_positive([side * c for c in g], start - tau, start + tau)
        roots = odd_roots(g, *cell.hull)
        assert len(roots) == len(found.t)
        for i, root in enumerate(roots):
            t, tau, low, high = (
                Fraction(x[i]) for x in (found.t, found.tau, found.low, found.high)
            )
            assert Root.rational(t - tau) < root < Root.rational(t + tau)
            assert odd_roots(g, low, high) == [root]
            assert cell.t[0] <= t <= cell.t[1]
        check_displacements(cell, neuron, theta, lipschitz, found)


def check_displacements(
    cell: Cell, neuron: int, theta: float, lipschitz: float, found: Isolated
) -> None:
    """At a root's float the rows' polynomial is as far from zero as is said, at most."""
    start, end = map(Fraction, cell.t)
    coefficients = minus(
        list(exact(cell.rows[:, neuron])), Fraction(theta), list(exact(cell.weights))
    )
    for t, displacement in zip(found.t, found.displacement, strict=True):
        miss = at(from_bernstein(coefficients), (Fraction(t) - start) / (end - start))
        assert Fraction(displacement) >= 2 * Fraction(lipschitz) * abs(miss)


def plain_cell(p: Exact, t: tuple[float, float] = (0.0, 1.0), tau: float = 1e-15) -> Cell:
    one = [Fraction(1)] + [Fraction(0)] * (len(p) - 1)
    return cell_of([p], one, list(t), [tau, tau], [1.0], [0.0, 1e-16], 1.0)


@pytest.mark.parametrize("degree", range(1, 6))
@pytest.mark.parametrize("t", [(0.0, 1.0), (0.25, 0.75), (0.5, 0.5 + 2.0**-20)])
def test_simple_roots_are_all_found(degree: int, t: tuple[float, float]) -> None:
    start, end = map(Fraction, t)
    expected = [start + (end - start) * Fraction(i, degree + 1) for i in range(1, degree + 1)]
    p = [c / (end - start) ** degree for c in with_roots(expected, degree)]
    found = isolate(plain_cell(p, t), 0, 0)
    assert not found.hard
    assert abs(exact(found.t) - expected).max() <= max(exact(found.tau))
    # Absolute errors of about 1e-16, where slopes are at least 1 / 30.
    assert (found.tau <= 1e-12).all()


@pytest.mark.parametrize("degree", range(2, 6))
@pytest.mark.parametrize("place", [Fraction(1, 2), Fraction(1, 3), Fraction(1)])
@pytest.mark.parametrize("multiplicity", [2, 3])
def test_multiple_roots_are_hard(degree: int, place: Fraction, multiplicity: int) -> None:
    roots = [place] * min(multiplicity, degree)
    for factor in (1, 1e-9, 1e9):
        p = [Fraction(factor) * c for c in with_roots(roots, degree)]
        assert isolate(plain_cell(p), 0, 0).hard


@pytest.mark.parametrize("degree", range(1, 6))
def test_what_no_sign_is_known_of_is_hard(degree: int) -> None:
    """A root at an end, zero, a cell without length."""
    line = with_roots([Fraction(0)], degree)
    for p in (line, [-c for c in line], with_roots([Fraction(1)], degree), [0 * c for c in line]):
        assert isolate(plain_cell(p), 0, 0).hard
        assert isolate(plain_cell(p, tau=0.0), 0, 0).hard
    middle = with_roots([Fraction(1, 2)], degree)
    for t in ((0.5, 0.5), (0.5, 0.5 + 2.0**-53)):
        assert isolate(plain_cell(middle, t), 0, 0).hard


def test_a_root_that_may_have_left_the_cell_is_hard() -> None:
    p = with_roots([Fraction(1, 1000)], 3)
    assert isolate(plain_cell(p, tau=1e-2), 0, 0).hard
    assert not isolate(plain_cell(p, tau=1e-4), 0, 0).hard


@pytest.mark.parametrize("wrong", [inf, -inf, np.nan])
def test_what_is_not_finite_is_told(wrong: float) -> None:
    """Of the word that has it."""
    rows, gap, ones = np.full((4, 65), 3.0), np.empty(2), np.ones(1)
    rows[1, 64] = wrong
    run(
        "cell_signs", 2, 3, rows, 65, 65, 1, np.ones(1), np.ones(4), np.ones(65), ones,
        np.zeros(1), np.zeros(1), *np.empty((2, 2), np.uint64), integers(2), gap,
    )  # fmt: skip
    assert gap.tolist() == [2, -1]


@given(small_seeds, widths, st.integers(1, 3), st.integers(1, 3))
def test_candidates_are_listed_and_told_of(seed: int, width: int, count: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    is_open = rng.integers(0, 4, (n, count, width)) == 0
    left = ~is_open & rng.integers(0, 2, is_open.shape).astype(bool)
    unsure, words = packed(is_open), packed(left)
    ones = np.array([bin(int(word)).count("1") for word in unsure.ravel()])
    first = np.array([0, *accumulate(ones)][:-1])
    total = int(is_open.sum())
    cell, neuron, threshold = (integers(total) for _ in range(3))
    run(
        "list_candidates", unsure.size, unsure, first, unsure.shape[2], count, cell, neuron,
        threshold,
    )  # fmt: skip
    # Row major: by cell, then threshold, then neuron.
    listed = np.stack([cell, threshold, neuron], axis=1)
    assert np.array_equal(np.argwhere(is_open), listed)

    letter, roots = rng.integers(0, 2, total).astype(np.uint8), rng.integers(0, 4, total)
    crossing = np.full_like(unsure, 7)
    run("add_letters", unsure.size, unsure, first, letter, roots, words, crossing)
    crosses = np.zeros_like(left)
    for place, a, number in zip(map(tuple, listed), letter, roots, strict=True):
        left[place] = a == 1
        crosses[place] = number % 2 == 1
    assert (unpacked(words, width) == left).all()
    assert (unpacked(crossing, width) == crosses).all()


# Rows.


@given(
    degrees.flatmap(lambda d: st.lists(st.floats(1e-3, 1e3), min_size=d + 1, max_size=d + 1)),
    st.lists(st.floats(0, 1) | ends, min_size=2, max_size=4),
)
def test_weights_are_cut_nearly_exactly(w: list[float], t: list[float]) -> None:
    degree, count = len(w) - 1, len(t) - 1
    t, out = sorted(t), np.empty(count * degree + 1)
    run("cut_weights", count, count, degree, np.array(w), np.array(t), out)
    for c, part in enumerate(pairwise(map(Fraction, t))):
        true = bernstein(from_bernstein([*map(Fraction, w)]), *part)
        found = exact(out[c * degree : (c + 1) * degree + 1])
        # A row that two cells share is the one's first.
        assert (abs(found - true) <= 2 * U * np.array(true)).all()


@given(
    degrees.flatmap(lambda d: st.lists(st.floats(1e-30, 1e30), min_size=d + 1, max_size=d + 1)),
    st.tuples(ends, ends).filter(lambda part: part[0] < part[1]),
)
@example([0.7, 0.9, 1.1e-30], (0.3, 1.0))
def test_the_core_cuts_weights_nearly_exactly(w: list[float], part: tuple[float, float]) -> None:
    affine_map = _core.AffineMap(1, np.zeros(1), [(0, 0, _core.dense(np.ones((1, 1))))])
    piece = _core.rational_bezier(np.zeros((1, 1)), np.ones((len(w), 1)), np.array(w), *part)
    network = _core.Network([affine_map], [], [])
    found = _core.start_curve(network, _core.Trajectory([piece], False), 0)
    true = bernstein(from_bernstein([*exact(found["w"])]), *map(Fraction, part))
    assert (abs(exact(found["weights"]) - true) <= 2 * U * np.array(true)).all()


@given(st.data(), degrees, st.integers(0, 2), small_seeds)
def test_outputs_are_restricted_as_exactly_as_their_bound_says(
    data: st.DataObject, degree: int, count: int, seed: int
) -> None:
    """Of two cells, each cut in two or not; the third entry passes."""
    rng, width, entries = np.random.default_rng(seed), 2, 3
    rows = rng.standard_normal((2 * degree + 1, entries)) * 10.0 ** rng.integers(-3, 4, entries)
    slopes, offsets = rng.standard_normal((2, count + 1, width))
    parent, start, stop = [], [], []
    for c in range(2):
        middles = data.draw(st.lists(ends, max_size=1))
        for part in pairwise([0.0, *middles, 1.0]):
            parent.append(c)
            start.append(part[0])
            stop.append(part[1])
    parts = len(parent)
    letters = np.sort(rng.integers(0, 2, (parts, count, width)), axis=1)[:, ::-1].astype(bool)
    weights = rng.uniform(0.5, 2, parts * degree + 1)
    hidden = np.full((len(weights), entries), np.nan)
    run(
        "restrict_outputs", parts * entries, parts, degree, rows, entries, width, count, slopes,
        offsets, packed(letters), np.array(parent), np.array(start), np.array(stop), weights,
        hidden,
    )  # fmt: skip
    piece = letters.sum(axis=1)
    for c, q in np.ndindex(parts, entries):
        given_rows = exact(rows[parent[c] * degree : (parent[c] + 1) * degree + 1, q])
        slope, offset = Fraction(1), Fraction(0)
        if q < width:
            slope, offset = (Fraction(x[piece[c, q], q]) for x in (slopes, offsets))
        restricted = bernstein(from_bernstein(given_rows), Fraction(start[c]), Fraction(stop[c]))
        # What two cells share is the next one's, by its letters.
        for j in range(degree + (c + 1 == parts)):
            weight = Fraction(weights[c * degree + j])
            error = Fraction(hidden[c * degree + j, q]) - slope * restricted[j] - offset * weight
            size = abs(slope) * max(abs(given_rows))
            assert abs(error) <= U * ((8 + 16 * degree) * size + 8 * abs(offset) * weight)


def root_above(x: Fraction) -> Fraction:
    """>= sqrt(x), nearly equal."""
    return Fraction(isqrt(int(x * 4**60)) + 1, 2**60)


@given(cells(), st.booleans(), st.sampled_from([0.0, 1.0, -2.5]), st.sampled_from([1.0, 0.3]))
def test_speeds_are_bounded(cell: Cell, is_known: bool, offset: float, slope: float) -> None:
    """Of outputs slope z + offset, by the rows' steps or by the speed of what z is made of."""
    hull, rate = cell.hull, derivative(cell.w)
    w_speed = largest(rate, *hull)
    speed = root_above(sum((largest(derivative(p), *hull) ** 2 for p in cell.z), Fraction(0)))
    steps = np.array(
        [
            not_below(root_above(sum(exact(row) ** 2)))
            for row in (exact(cell.rows[1:]) - exact(cell.rows[:-1]))
        ]
    )
    size = not_below(root_above(sum(exact(cell.unit) ** 2)))
    many, out = root_above(Fraction(len(cell.z))), np.empty(1)
    of_w = not_below((abs(Fraction(offset)) * many + 1) * w_speed)
    run(
        "bound_speed", 1, cell.degree, cell.t, cell.tau,
        np.array([not_below(speed) / 2 if is_known else inf]),
        np.repeat(cell.alpha, cell.degree + 1), steps, slope, 2.0, size, of_w, out,
    )  # fmt: skip
    if out[0] == inf:
        assert not is_known
        assert cell.t[1] - cell.t[0] < 1e-9
        return
    for i in range(9):
        u = hull[0] + (hull[1] - hull[0]) * Fraction(i, 8)
        of_weight = at(rate, u)
        moves = [
            Fraction(slope) * at(derivative(p), u) + Fraction(offset) * of_weight for p in cell.z
        ]
        assert sum(x * x for x in [*moves, of_weight]) <= Fraction(out[0]) ** 2
