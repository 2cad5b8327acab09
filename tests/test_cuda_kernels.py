"""What single kernels claim is so, on the host, in exact arithmetic or by plain loops."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import inf, isinf, nextafter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from graph_oracle import convolution_matrix
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyexpr.cuda.devices import HostDevice
from pyexpr.operations import Convolution

Doubles: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.uint64]
Letters: TypeAlias = npt.NDArray[np.bool_]

run = HostDevice().run
exact = np.vectorize(Fraction, otypes=[object])

U = Fraction(1, 2**53)
TINY = Fraction(1, 2**950)  # above what may be added for underflow
SLACK = 1 + Fraction(1, 2**20)  # above what bounds are rounded up by

moderate = st.floats(-1e10, 1e10)
small_seeds = st.integers(0, 2**32 - 1)


def not_below(x: Fraction) -> float:
    """The least float that is not below x."""
    nearest = float(x)
    return nearest if Fraction(nearest) >= x else nextafter(nearest, inf)


def integers(count: int) -> Integers:
    return np.full(count, -7)


def packed(letters: Letters) -> Words:
    """[..., width] to [..., words]"""
    width = letters.shape[-1]
    padding = [(0, 0)] * (letters.ndim - 1) + [(0, -width % 64)]
    return np.packbits(np.pad(letters, padding), axis=-1, bitorder="little").view("<u8")


def unpacked(words: Words, width: int) -> Letters:
    """[..., words] to [..., width]"""
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=-1, bitorder="little")
    return bits[..., :width].astype(bool)


# Bounds.


def norms(hidden: Doubles, parts: int) -> Doubles:
    (count, entries), norm = hidden.shape, np.empty(len(hidden))
    squares = np.empty((count, parts))
    run("add_squares", squares.size, hidden, entries, parts, squares)
    run("bound_norm", count, hidden, entries, parts, squares, None, norm)
    return norm


@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
        elements=st.floats(-1, 1)
        | st.sampled_from([0.0, 5e-324, 1e-300, -1e-160, 1e160, -1e300])
        | st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.sampled_from([1, 3, 32]),
)
def test_norms_are_bounded(hidden: Doubles, parts: int) -> None:
    for row, bound in zip(hidden, norms(hidden, parts), strict=True):
        squared = sum(Fraction(float(x)) ** 2 for x in row)
        if isinf(bound):
            assert squared > Fraction(1e150) ** 4
        else:
            assert Fraction(bound) ** 2 >= squared + 1
            # At most |h| + 1.
            excess = Fraction(bound) / SLACK - 1 - TINY
            assert excess <= 0 or excess**2 <= squared


bounds = st.sampled_from([0.0, 1e-300, 1e-16, 1.0]) | st.floats(0, 1e6)


@given(st.integers(1, 10**6), st.booleans(), bounds, bounds)
def test_rounding_of_products_is_bounded(
    terms: int, extended: bool, norm: float, eps: float
) -> None:
    rho, alpha, one = np.empty(1), np.empty(1), np.array([norm])
    run("bound_product", 1, terms, int(extended), one, rho)
    exactly = (terms + 8) ** 2 * U**2 if extended else terms * U / (1 - terms * U)
    exactly *= Fraction(norm)
    assert exactly - TINY <= Fraction(rho[0]) <= exactly * SLACK + TINY

    run("bound_rows", 1, int(extended), np.array([eps]), rho, one, alpha)
    exactly = Fraction(eps) + Fraction(rho[0]) + (2 * U * Fraction(norm) if extended else 0)
    # Who reads it rounds up.
    assert abs(Fraction(alpha[0]) - exactly) <= 4 * U * exactly + TINY


@given(st.data())
def test_errors_are_passed_on(data: st.DataObject) -> None:
    was_extended, extended, rounds = (data.draw(st.booleans()) for _ in range(3))
    share = data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    lipschitz, offsets, gain, rounding_gain = (data.draw(bounds) for _ in range(4))
    eps, rho, norm, alpha, displaced = (
        np.array([data.draw(bounds), data.draw(bounds)]) for _ in range(5)
    )
    displacement, local, out = np.array([data.draw(bounds)]), np.empty(1), np.empty(1)
    if data.draw(st.booleans()):  # only what is rounded here is wrong
        eps, rho, displaced, displacement, offsets = *np.zeros((3, 2)), np.zeros(1), 0.0
    run(
        "pass_on", 1, np.zeros(1, np.int64), np.array([share]), np.ones(1, np.int64), 1,
        int(was_extended), int(extended), int(rounds), lipschitz, offsets, np.array([-1, gain]),
        np.array([-1, rounding_gain]), eps, rho, norm, alpha, displaced, displacement, local, out,
    )  # fmt: skip
    ends = [0] if share == 0 else [0, 1]
    less = was_extended and not extended
    inherited = max(
        Fraction(lipschitz)
        * (
            Fraction(gain) * Fraction(eps[i])
            + Fraction(rounding_gain) * (Fraction(rho[i]) + less * 2 * U * Fraction(norm[i]))
        )
        for i in ends
    )
    fresh = Fraction(displacement[0]) + (max(map(Fraction, displaced)) if share else 0)
    if share or rounds or extended:
        sizes = Fraction(lipschitz) * Fraction(rounding_gain)
        least = max(sizes * (Fraction(norm[i]) + Fraction(alpha[i])) for i in ends)
        fresh += 16 * U * (8 * U if extended else 1) * (least + Fraction(offsets))
    assert Fraction(local[0]) >= fresh - TINY
    assert Fraction(out[0]) >= inherited + fresh - TINY
    assert Fraction(out[0]) <= 2 * SLACK * (inherited + fresh) + TINY


# Signs.


@dataclass(frozen=True)
class Line:
    """Pre-activations p + q t of a piece, known at some t up to alpha unit.

    Attributes
    ----------
    p, q : Fractions [width]
    t, tau, alpha : float64 [vertices]
    rows : float64 [vertices, width]
    unit : float64 [width]
    """

    p: list[Fraction]
    q: list[Fraction]
    t: Doubles
    tau: Doubles
    alpha: Doubles
    rows: Doubles
    unit: Doubles

    def at(self, neuron: int, t: Fraction) -> Fraction:
        value: Fraction = self.p[neuron] + self.q[neuron] * t
        return value


noises = st.sampled_from([0.0, 1e-17, -1e-16, 3e-9, 1e-3, -1e-3])
slopes = (
    st.integers(-3, 3).map(float) | st.floats(-10, 10) | st.sampled_from([1e-12, 0.01, -0.02, 1e8])
)


@st.composite
def lines(draw: st.DrawFn, least: int = 1, most: int = 4) -> Line:
    # What underflows is another's bound.
    places = st.integers(0, 8).map(lambda i: i / 8) | st.just(0.0) | st.floats(1e-200, 1)
    t = sorted(draw(st.lists(places, min_size=least, max_size=most)))
    width = draw(st.integers(1, 3))
    p, q = (
        [Fraction(x) for x in draw(st.lists(slopes, min_size=width, max_size=width))]
        for _ in range(2)
    )
    unit = [draw(st.sampled_from([1.0, 0.7, 16.0])) for _ in range(width)]
    rows, alpha = np.empty((len(t), width)), np.empty(len(t))
    for v, at in enumerate(t):
        errors = [Fraction(0)]
        for i in range(width):
            value = p[i] + q[i] * Fraction(at)
            rows[v, i] = float(value + Fraction(draw(noises)))
            errors.append(abs(Fraction(rows[v, i]) - value) / Fraction(unit[i]))
        alpha[v] = not_below(max(errors))
    tau = [draw(st.sampled_from([0.01, 0.1, 1e-9, 1e-17, 0.0])) for _ in t]
    return Line(p, q, np.array(t), np.array(tau), alpha, rows, np.array(unit))


@given(st.lists(lines(), min_size=1, max_size=2), st.sampled_from([1.0, 1.5, 1e3]))
def test_signs_are_right_wherever_the_true_vertex_is(pieces: list[Line], factor: float) -> None:
    """Each piece is one of a network of its own."""
    width = min(len(line.p) for line in pieces)
    speed = [factor * not_below(max(abs(exact(line.q)) / exact(line.unit))) for line in pieces]
    t, tau, alpha = (
        np.concatenate([getattr(line, name) for line in pieces]) for name in ("t", "tau", "alpha")
    )
    rows = np.concatenate([line.rows[:, :width] for line in pieces])
    scale = np.stack([line.unit[:width] for line in pieces])
    piece = np.repeat(np.arange(len(pieces)), [len(line.t) for line in pieces])
    vertices = len(t)

    def true(v: int, neuron: int, side: int) -> Fraction:
        return pieces[int(piece[v])].at(neuron, Fraction(t[v]) + side * Fraction(tau[v]))

    # Where it is close: beside true values.
    places = product(range(vertices), range(width), (-1, 0, 1))
    close = [float(true(*place)) for place in places]
    thresholds = np.unique([[nextafter(x, -inf), x, nextafter(x, inf)] for x in close])
    count = len(thresholds)
    other, absolute, relative = integers(vertices), np.empty(vertices), np.empty(vertices)
    run(
        "margins", vertices, vertices, t, tau, piece, 1, np.array(speed), alpha, other, absolute,
        relative,
    )  # fmt: skip
    signs = np.empty((vertices, count, width), np.uint8)
    run(
        "find_signs", signs.size, rows, width, width, count, thresholds, piece, 1, scale,
        np.ones(vertices), other, absolute, relative, signs, np.full(vertices, inf),
    )  # fmt: skip
    above, is_open = signs == 1, signs == 2
    assert (signs <= 2).all()
    for v, neuron in product(range(vertices), range(width)):
        values = [true(v, neuron, side) for side in (-1, 0, 1)]
        for k, threshold in enumerate(map(Fraction, thresholds)):
            if above[v, k, neuron]:
                assert min(values) > threshold
            elif not is_open[v, k, neuron]:
                assert max(values) < threshold


widths = st.sampled_from([1, 2, 63, 64, 65, 130])


@given(small_seeds, widths, st.integers(1, 3), st.integers(1, 4))
def test_signs_without_errors_are_comparisons(
    seed: int, width: int, count: int, vertices: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-3, 4, (vertices, width + 2)).astype(float)
    thresholds = np.arange(count) - 1.0
    signs, gap = np.empty((vertices, count, width), np.uint8), np.full(vertices, inf)
    zeros = np.zeros(vertices)
    run(
        "find_signs", signs.size, rows, width + 2, width, count, thresholds,
        np.zeros(vertices, np.int64), 1, np.full(width + 2, 2.0), np.full(vertices, 4.0),
        np.arange(vertices), zeros, zeros, signs, gap,
    )  # fmt: skip
    positive, unsure = (np.empty((vertices, count, -(-width // 64)), np.uint64) for _ in range(2))
    run("pack_signs", positive.size, width, signs, positive, unsure)
    z = rows[:, None, :width] - thresholds[:, None]
    assert (positive == packed(z > 0)).all()
    assert (unsure == packed(z == 0)).all()
    distance = np.where(z == 0, inf, abs(z)) / 8
    assert (gap == distance.min(axis=(1, 2))).all()


@pytest.mark.parametrize("wrong", [inf, -inf, np.nan])
def test_what_is_not_finite_is_told(wrong: float) -> None:
    rows, gap, zeros = np.ones((2, 65)), np.full(2, inf), np.zeros(2)
    rows[1, 64] = wrong
    run(
        "find_signs", 130, rows, 65, 65, 1, np.zeros(1), np.zeros(2, np.int64), 1, np.ones(65),
        np.ones(2), np.arange(2), zeros, zeros, np.empty((2, 1, 65), np.uint8), gap,
    )  # fmt: skip
    assert gap.tolist() == [1, -1]


@given(small_seeds, st.integers(1, 3), st.integers(2, 6))
def test_cells_beside_an_open_vertex_are_hard(seed: int, row: int, vertices: int) -> None:
    unsure = np.random.default_rng(seed).integers(0, 3, (vertices, row)).astype(np.uint64)
    hard = np.zeros(vertices - 1, np.uint8)
    run("mark_unsure", unsure.size, row, vertices, unsure, hard)
    is_open = np.array([any(words) for words in unsure])
    assert hard.tolist() == (is_open[:-1] | is_open[1:]).tolist()


# Letters.


@given(small_seeds, widths, st.integers(1, 2), st.integers(1, 4))
def test_letters_are_found(seed: int, width: int, count: int, cells: int) -> None:
    rng = np.random.default_rng(seed)
    piece = np.sort(rng.integers(0, 2, cells + 1))
    hard = rng.integers(0, 3, cells) == 0
    letters = rng.integers(0, 2, (cells + 1, count, width)).astype(bool)
    positive = packed(letters)
    row = positive[0].size
    left, crossing = np.empty_like(positive[1:]), np.empty_like(positive[1:])
    counts = np.empty(left.shape, np.int64)
    run(
        "find_letters", left.size, row, piece, hard.astype(np.uint8), positive, left, crossing,
        counts,
    )  # fmt: skip
    for c in range(cells):
        is_open = piece[c] != piece[c + 1] or hard[c]
        changes = np.zeros_like(letters[c]) if is_open else letters[c] != letters[c + 1]
        assert (unpacked(left[c], width) == letters[c]).all()
        assert (unpacked(crossing[c], width) == changes).all()
        for k, word in np.ndindex(*counts.shape[1:]):
            assert counts[c, k, word] == changes[k, 64 * word : 64 * word + 64].sum()


@given(st.data(), widths, st.integers(1, 2), st.integers(1, 4))
def test_letters_are_cut(data: st.DataObject, width: int, count: int, cells: int) -> None:
    """Several neurons may switch at one point."""
    rng = np.random.default_rng(data.draw(small_seeds))
    left = rng.integers(0, 2, (cells, count, width)).astype(bool)
    expected, first_point, first_event = [], [0], [0]
    neuron: list[int] = []
    threshold: list[int] = []
    point: list[int] = []
    for c in range(cells):
        letters = left[c].copy()
        expected.append(letters.copy())
        for _ in range(data.draw(st.integers(0, 3))):
            number = len(expected) - 1 - c
            for _ in range(data.draw(st.integers(1, 3))):
                k, q = rng.integers(count), rng.integers(width)
                threshold.append(int(k))
                neuron.append(int(q))
                point.append(number)
                letters[k, q] = not letters[k, q]
            expected.append(letters.copy())
        first_point.append(len(expected) - 1 - c)
        first_event.append(len(neuron))
    words = packed(left)
    out = np.zeros((len(expected), *words.shape[1:]), np.uint64)
    events = [np.array(x, np.int64) for x in (first_event, first_point, neuron, threshold, point)]
    run("cut_letters", words.size, words.shape[2], count, *events, words, out)
    assert (unpacked(out, width) == np.array(expected)).all()


@given(small_seeds, widths, st.integers(1, 2), st.integers(1, 4), st.booleans())
def test_changes_between_cells_are_counted(
    seed: int, width: int, count: int, cells: int, follows: bool
) -> None:
    rng = np.random.default_rng(seed)
    piece = np.sort(rng.integers(0, 3, cells + 1))
    left, crossing = rng.integers(0, 2, (2, cells, count, width)).astype(bool)
    before = rng.integers(0, 2, (count, width)).astype(bool)
    expected = np.zeros((3, 2 * width + 1), np.int64)
    for c in range(cells):
        if piece[c] != piece[c + 1] or (c > 0 and piece[c - 1] != piece[c]):
            continue
        if c == 0 and not follows:
            continue
        ended = left[c - 1] ^ crossing[c - 1] if c > 0 else before
        expected[piece[c], 1::2] += (left[c] != ended).sum(axis=0)
    counts, words = np.zeros_like(expected), packed(left)
    run(
        "count_changes", words.size, words.shape[2], count, piece, words, packed(crossing),
        packed(before) if follows else None, 2 * width + 1, 1, 2, counts,
    )  # fmt: skip
    assert (counts == expected).all()


# Events.


@given(st.data(), lines(least=2, most=2), st.booleans())
def test_crossings_are_where_they_are_said_to_be(
    data: st.DataObject, line: Line, extended: bool
) -> None:
    start, end = map(Fraction, line.t)
    threshold = float(line.at(0, start + (end - start) * data.draw(st.fractions(-0.05, 1.05))))
    assume(line.q[0] != 0)
    root = (Fraction(threshold) - line.p[0]) / line.q[0]
    # The true cell holds the crossing.
    tau = [
        max(line.tau[0], not_below(max(start - root, Fraction(0)))),
        max(line.tau[1], not_below(max(root - end, Fraction(0)))),
    ]
    lows = line.rows * data.draw(st.sampled_from([0.0, 2.0**-54, -(2.0**-54)]))
    alpha = line.alpha + abs(lows / line.unit).max(axis=1)
    values = exact(line.rows) + (exact(lows) if extended else 0) - Fraction(threshold)
    a, b = values[:, 0]
    assume(a * b < 0)
    width, lipschitz = len(line.p), data.draw(st.sampled_from([0.5, 1.0, 3.0]))
    cell, neuron, k = (np.full(1, -1) for _ in range(3))
    t, error, displacement = (np.empty(1) for _ in range(3))
    run(
        "locate", 1, np.array([1], np.uint64), np.zeros(1, np.int64), line.rows,
        lows if extended else None, width, width, 1, np.array([threshold]), np.zeros(2, np.int64),
        1, line.unit, lipschitz, line.t, np.array(tau), alpha, cell, neuron, k, t, error,
        displacement,
    )  # fmt: skip
    assert (*cell, *neuron, *k) == (0, 0, 0)
    assert line.t[0] <= t[0] <= line.t[1]
    assert isinf(error[0]) or abs(Fraction(t[0]) - root) <= Fraction(error[0])
    # How far the chord is from the threshold there.
    way = (Fraction(t[0]) - start) / (end - start) if end > start else Fraction(0)
    miss = abs(a + (b - a) * way)
    assert isinf(displacement[0]) or Fraction(displacement[0]) >= 2 * Fraction(lipschitz) * miss


def test_a_sure_crossing_is_known_well() -> None:
    """From -1 to 3 between 0.25 and 0.5, nearly: at 0.3125."""
    t, tau, displacement = (np.empty(1) for _ in range(3))
    run(
        "locate", 1, np.array([2**36], np.uint64), np.zeros(1, np.int64),
        np.repeat([[-1.0], [3.0]], 40, axis=1), None, 40, 40, 1, np.zeros(1),
        np.zeros(2, np.int64), 1, np.ones(40), 1, np.array([0.25, 0.5]), np.zeros(2),
        np.full(2, 1e-12), *(np.empty(1, np.int64) for _ in range(3)), t, tau, displacement,
    )  # fmt: skip
    assert t[0] == 0.3125
    assert 1e-12 / 16 <= tau[0] <= 1e-12 / 15
    assert displacement[0] < 1e-13


@given(small_seeds, widths, st.integers(1, 2), st.integers(1, 4))
def test_events_are_where_their_words_begin(seed: int, width: int, count: int, cells: int) -> None:
    rng = np.random.default_rng(seed)
    crossing = rng.integers(0, 8, (cells, count, width)) == 0
    words = packed(crossing)
    ones = np.array([bin(int(word)).count("1") for word in words.ravel()])
    cell, neuron, threshold = (integers(int(ones.sum())) for _ in range(3))
    t, tau, displacement = (np.empty(len(cell)) for _ in range(3))
    rows = rng.standard_normal((cells + 1, width))
    run(
        "locate", words.size, words, np.cumsum(ones) - ones, rows, None, width, width, count,
        np.arange(count) + 0.5, np.zeros(cells + 1, np.int64), 1, np.ones(width), 1,
        np.linspace(0, 1, cells + 1), np.zeros(cells + 1), np.zeros(cells + 1), cell, neuron,
        threshold, t, tau, displacement,
    )  # fmt: skip
    # Row major: by cell, then threshold, then neuron.
    assert np.array_equal(np.argwhere(crossing), np.stack([cell, threshold, neuron], axis=1))


@given(st.data(), st.integers(2, 6))
def test_pairs_that_are_not_surely_in_order_are_hard(data: st.DataObject, count: int) -> None:
    cell = np.sort([data.draw(st.integers(0, 2)) for _ in range(count)])
    t = np.array([data.draw(st.integers(0, 8)) / 8 for _ in range(count)])
    tau = np.array([data.draw(st.sampled_from([0.0, 1 / 16, 1 / 8])) for _ in range(count)])
    hard, gap = np.zeros(3, np.uint8), np.empty(count - 1)
    run("mark_close", count - 1, cell, t, tau, hard, gap)
    expected = np.zeros(3, bool)
    for i in range(count - 1):
        same = cell[i] == cell[i + 1]
        ordered = t[i] + tau[i] < t[i + 1] - tau[i + 1]
        expected[cell[i]] |= same and not ordered
        assert gap[i] == (t[i + 1] - t[i] if same and ordered else inf)
    assert (hard == expected).all()


@given(small_seeds, st.integers(0, 20))
def test_events_are_counted(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    cell, neuron = rng.integers(0, 4, count), rng.integers(0, 3, count)
    piece = np.array([0, 0, 2, 2, 2])
    expected = np.zeros((3, 8), np.int64)
    for c, q in zip(cell, neuron, strict=True):
        expected[piece[c], 2 + 2 * q] += 1
    counts = np.zeros_like(expected)
    run("count_event", count, cell, neuron, piece, 8, 2, 2, counts)
    assert (counts == expected).all()


# Cut cells.


@given(small_seeds, st.integers(2, 6), st.integers(0, 8))
def test_points_go_between_the_ends_of_their_cells(seed: int, old: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 8, old)) / 8  # some cells have no length
    cell = np.sort(rng.integers(0, old - 1, count))
    way = rng.integers(0, 5, count) / 4
    points = t[cell] + way * (t[cell + 1] - t[cell])
    tau, point_tau, displacement, point_displacement = (
        rng.random(n) for n in (old, count, old, count)
    )
    levels, neuron, threshold = rng.integers(0, 9, (3, old))
    piece = np.sort(rng.integers(0, 3, old))
    point_neuron, point_threshold = rng.integers(0, 9, (2, count))
    total = old + count
    out = {
        name: np.empty(total, "i8" if name in names_of_integers else "f8")
        for name in names_of_merged
    }
    run(
        "merge", total, old, 77, np.searchsorted(cell, np.arange(old)), t, tau, levels, neuron,
        threshold, piece, displacement, cell, points, point_tau, point_neuron, point_threshold,
        point_displacement, *out.values(),
    )  # fmt: skip
    expected: list[tuple[Any, ...]] = []
    for v in range(old):
        switch = levels[v], neuron[v], threshold[v]
        expected.append((t[v], tau[v], *switch, piece[v], displacement[v], v, 0.0, v))
        for i in np.flatnonzero(cell == v):
            share = way[i] if t[v + 1] > t[v] else 0.0
            switch = 77, point_neuron[i], point_threshold[i]
            # At the end's float, the neurons that are displaced there still are.
            displaced = point_displacement[i] + (displacement[v] if share == 0 else 0.0)
            row = points[i], point_tau[i], *switch, piece[v], displaced, v, share, v
            expected.append(row)
    for name, column in zip(out, zip(*expected, strict=True), strict=True):
        assert out[name].tolist() == list(column), name


names_of_integers = {"level", "neuron", "threshold", "piece", "from", "parent"}
names_of_merged = [
    "t", "tau", "level", "neuron", "threshold", "piece", "displacement", "from", "share", "parent",
]  # fmt: skip


@given(small_seeds, st.integers(1, 4), st.booleans())
def test_outputs_are_phi_on_the_chord(seed: int, width: int, extended: bool) -> None:
    """Hard tanh, continuous, of which every number is a float; two more entries pass."""
    rng = np.random.default_rng(seed)
    entries, thresholds = width + 2, np.array([-1.0, 1.0])
    rows = rng.integers(-4, 5, (4, entries)) / 2
    source, share = rng.integers(0, 3, 6), rng.choice([0, 0.25, 0.5, 1], 6)
    slopes = np.repeat([0.0, 1.0, 0.0], width)
    offsets = np.repeat([-1.0, 0.0, 1.0], width)
    hidden, low = np.empty((6, entries)), np.zeros((6, entries))
    phi = entries, width, 2, thresholds, slopes, offsets
    if extended:
        before = np.arange(4.0)
        run(
            "find_outputs_extended", hidden.size, rows, np.zeros_like(rows), *phi,
            np.zeros_like(offsets), source, share, before, source + share, hidden, low,
        )  # fmt: skip
    else:
        run("find_outputs", hidden.size, rows, *phi, source, share, hidden)
    z = (1 - share[:, None]) * rows[source] + share[:, None] * rows[source + 1]
    assert (hidden + low == np.hstack([z[:, :width].clip(-1, 1), z[:, width:]])).all()
    assert not low.any()


@given(st.lists(moderate, min_size=4, max_size=4), st.floats(0, 1), st.floats(0, 1), moderate)
def test_extended_outputs_are_as_exact_as_their_bound_says(
    ends: list[float], start: float, way: float, offset: float
) -> None:
    """phi(z) = z / 3 + offset, nearly: one third is a float. Low parts are at most u high."""
    before = np.array([start, start + 0.5])
    t = np.array([start + way * (before[1] - start)])
    rows = np.array(ends[:2])
    lows = rows * 2.0**-53 * np.tanh(ends[2:])
    high, low = np.empty(1), np.empty(1)
    run(
        "find_outputs_extended", 1, rows, lows, 1, 1, 0, np.empty(0), np.array([1 / 3]),
        np.array([offset]), np.array([offset * 2.0**-54]), np.zeros(1, np.int64), np.ones(1),
        before, t, high, low,
    )  # fmt: skip
    (a, b), share = exact(rows) + exact(lows), Fraction(t[0] - 0.0) - Fraction(before[0])
    share /= Fraction(before[1]) - Fraction(before[0])
    z = a + share * (b - a)
    value = Fraction(1 / 3) * z + Fraction(offset) + Fraction(offset * 2.0**-54)
    size = Fraction(1 / 3) * max(abs(a), abs(b)) + abs(Fraction(offset))
    assert abs(Fraction(high[0]) + Fraction(low[0]) - value) <= 128 * U**2 * size + TINY


# Maps.


@given(small_seeds, st.integers(1, 4), st.integers(1, 3))
def test_biases_are_those_of_the_networks(seed: int, vertices: int, outputs: int) -> None:
    rng = np.random.default_rng(seed)
    piece = np.sort(rng.integers(0, 4, vertices))  # two of each network
    bias, rows = rng.standard_normal((2, outputs)), rng.standard_normal((vertices, outputs))
    added, begun, lows = rows.copy(), np.empty_like(rows), np.empty_like(rows)
    sized = rows.size, outputs, piece, 2, bias
    run("add_bias", *sized, added)
    run("begin_extended", *sized, begun, lows)
    assert (added == rows + bias[piece // 2]).all()
    assert (begun == bias[piece // 2]).all()
    assert not lows.any()


def by_rows(matrix: Doubles) -> tuple[Integers, Integers, Doubles]:
    """first, column, weight; of [outputs, inputs]"""
    row, column = np.nonzero(matrix)
    first = np.searchsorted(row, np.arange(len(matrix) + 1))
    return first, np.ascontiguousarray(column), matrix[row, column]


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    """With kernels of integers."""
    one_to_three = st.integers(1, 3)
    extent, strides, dilations = ((draw(one_to_three), draw(one_to_three)) for _ in range(3))
    groups, per_group, out = (draw(st.integers(1, 2)) for _ in range(3))
    top, left, bottom, right = (draw(st.integers(0, 2)) for _ in range(4))
    kernel = np.random.default_rng(draw(small_seeds)).integers(
        -3, 4, (out * groups, per_group, *extent)
    )
    size = draw(st.integers(7, 8)), draw(st.integers(7, 8))
    return Convolution(
        kernel.astype(float), size, strides, (top, left, bottom, right), dilations, groups
    )


def shape_of(op: Convolution) -> Integers:
    """As kernels read it."""
    channels, *extent = op.out_shape
    sizes = op.channels, *op.size, channels, *op.kernel.shape[2:], *op.strides, *op.pads
    return np.array([*sizes, *op.dilations, op.groups, *extent])


def check_multiplies(kernel: str, matrix: Doubles, *arguments: Any, lows: bool) -> None:
    """y += x W^T in the midst of longer rows, all of small integers."""
    outputs, inputs = matrix.shape
    rng = np.random.default_rng(inputs)
    x, y = (rng.integers(-9, 10, (3, n + 3)).astype(float) for n in (inputs, outputs))
    expected = y.copy()
    expected[:, 1 : 1 + outputs] += x[:, 2 : 2 + inputs] @ matrix.T
    low = np.zeros_like(y)
    source = (x, np.zeros_like(x)) if lows else (x,)
    target = (y, low) if lows else (y,)
    place = *source, inputs + 3, 2, *target, outputs + 3, 1
    run(kernel, 3 * outputs, *arguments, *place)
    assert (y == expected).all()
    assert not low.any()


@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.integers(-2, 2).map(float),
    )
)
def test_matrices_are_multiplied(matrix: Doubles) -> None:
    outputs, inputs = matrix.shape
    sparse = outputs, *by_rows(matrix)
    check_multiplies("multiply_sparse", matrix, *sparse, lows=False)
    check_multiplies("multiply_sparse_extended", matrix, *sparse, lows=True)
    dense = inputs, outputs, np.ascontiguousarray(matrix.T)
    check_multiplies("multiply_dense_extended", matrix, *dense, lows=True)


@given(convolutions())
def test_convolutions_are_multiplied(op: Convolution) -> None:
    weight = op.kernel.reshape(len(op.kernel), -1)
    matrix = convolution_matrix(op)
    check_multiplies("convolve_extended", matrix, shape_of(op), weight, lows=True)


@given(convolutions())
def test_patches_times_the_kernel_are_the_convolution(op: Convolution) -> None:
    x = np.random.default_rng(op.inputs).integers(-9, 10, (2, op.inputs + 3)).astype(float)
    channels, *extent = op.out_shape
    weight = op.kernel.reshape(op.groups, channels // op.groups, -1)
    found = []
    for group in range(op.groups):
        patches = np.empty((2, weight.shape[2], extent[0] * extent[1]))
        run("unfold", patches.size, shape_of(op), group, x, op.inputs + 3, 1, patches)
        found.append((weight[group] @ patches).reshape(2, -1))
    expected = x[:, 1 : 1 + op.inputs] @ convolution_matrix(op).T
    assert (np.hstack(found) == expected).all()


@given(
    hnp.arrays(np.float64, st.integers(1, 6), elements=moderate),
    st.data(),
    st.sampled_from(["dense", "sparse", "convolution"]),
)
def test_compensated_sums_are_as_exact_as_their_bound_says(
    x: Doubles, data: st.DataObject, kind: str
) -> None:
    """Sums that nearly cancel: each input comes twice."""
    weight = data.draw(hnp.arrays(np.float64, len(x), elements=moderate))
    bias = data.draw(moderate)
    nudge = 1 + data.draw(st.sampled_from([0, 2.0**-52, 1e-9]))
    x, weight = np.concatenate([x, x]), np.concatenate([weight, -weight * nudge])
    lows = x * 2.0**-53 * data.draw(hnp.arrays(np.float64, len(x), elements=st.floats(-1, 1)))
    high, low, terms = np.empty(1), np.empty(1), len(x)
    run("begin_extended", 1, 1, np.zeros(1, np.int64), 1, np.array([bias]), high, low)
    place = x, lows, terms, 0, high, low, 1, 0
    if kind == "dense":
        run("multiply_dense_extended", 1, terms, 1, weight, *place)
    elif kind == "sparse":
        ends = np.array([0, terms])
        run("multiply_sparse_extended", 1, 1, ends, np.arange(terms), weight, *place)
    else:
        shape = np.array([terms, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1])
        run("convolve_extended", 1, shape, weight, *place)
    products = (exact(x) + exact(lows)) * exact(weight)
    size = abs(Fraction(bias)) + sum(abs(products))
    error = Fraction(high[0]) + Fraction(low[0]) - sum(products) - Fraction(bias)
    assert abs(error) <= (terms + 8) ** 2 * U**2 * size + TINY

    before = Fraction(high[0]) + Fraction(low[0])
    run("normalise", 1, high, low)
    assert Fraction(high[0]) + Fraction(low[0]) == before
    assert high[0] == float(before)


# Slopes.


def compare(rows: Doubles, t: Doubles, piece: Integers, unit: Doubles, alpha: Doubles) -> int:
    """none, sure, unsure: 0, 1, 2"""
    bends, gap = np.empty(1, np.uint8), np.empty(1)
    run("compare_slopes", 1, 1, rows.shape[1], rows, t, piece, 1, unit, alpha, bends, gap)
    assert (gap[0] < inf) == (bends[0] == 1)
    return int(bends[0])


@given(lines(least=3, most=3))
def test_slopes_that_may_be_equal_are_not_surely_different(line: Line) -> None:
    bend = compare(line.rows, line.t, np.zeros(3, np.int64), line.unit, line.alpha)
    assert bend == 2


@given(st.data(), hnp.arrays(np.float64, (3, 2), elements=st.integers(-5, 5).map(float)))
def test_slopes_of_integers_are_compared(data: st.DataObject, rows: Doubles) -> None:
    t = np.array([0, 0.5, data.draw(st.sampled_from([0.5, 0.75, 1.0]))])
    alpha = np.full(3, data.draw(st.sampled_from([0.0, 1e-3])))
    steps, lengths = np.diff(rows, axis=0), np.diff(t)
    differ = bool((steps[0] * lengths[1] != steps[1] * lengths[0]).any()) and lengths[1] > 0
    piece, unit = np.zeros(3, np.int64), np.ones(2)
    assert compare(rows, t, piece, unit, alpha) == (1 if differ else 2)
    assert compare(rows, t, np.array([0, 0, 1]), np.ones((2, 2)), alpha) == 0
    rows[data.draw(st.integers(0, 2))] = data.draw(st.sampled_from([inf, -inf, np.nan]))
    assert compare(rows, t, piece, unit, alpha) == 2


def test_sure_bends_are_counted() -> None:
    bends, counts = np.array([0, 1, 2, 2, 1, 1], np.uint8), np.zeros(3, np.int64)
    run("count_bend", 6, bends, np.array([0, 0, 0, 1, 1, 1, 2, 2]), counts)
    assert counts.tolist() == [1, 1, 1]
