"""Curves on the engine for arrays, run without a GPU: the integers are those of the CPU, whose are
the oracle's, and what is claimed about rows and roots is true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import comb, frexp
from typing import Any

import numpy as np
import pytest
from array_engine import small_device
from corpus import CORPUS
from curve_strategies import CURVES, CurveCase, curve_cases
from graph_corpus import CORPUS as GRAPHS
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import counted, network
from strategies import Array
from test_curve_fuzz import make_case

import pyexpr
from pyexpr import _answers, _core
from pyexpr._curves import core_piece, core_trajectory
from pyexpr.activations import PiecewiseLinear
from pyexpr.cuda.curve_events import CurveFilter
from pyexpr.cuda.curve_refinement import CurveCut, CurveRefinement
from pyexpr.cuda.devices import HostDevice
from pyexpr.cuda.engine import Engine, Kit
from pyexpr.cuda.events import Asked, Found
from pyexpr.cuda.networks import Level, upload
from pyexpr.cuda.partition import CurvePartition, Partition
from pyexpr.cuda.settlement import Settlement

few = settings(max_examples=settings().max_examples // 6)

ONE_RUN = 10**6  # cells


def check(net: pyexpr.Network, path: pyexpr.Trajectory, cells: int) -> None:
    """In runs of so many cells."""
    device = small_device([net], cells, core_trajectory(path).degree)
    assert counted(net, path, device=device) == counted(net, path)


# The same integers.


@pytest.mark.parametrize("kind", CURVES)
@few
@given(data=st.data())
def test_every_kind_of_curve_has_the_counts_of_the_cpu(kind: str, data: st.DataObject) -> None:
    case = data.draw(curve_cases(curves=[kind]))
    check(network(case), case.curve.build(), data.draw(st.integers(2, 6) | st.just(ONE_RUN)))


@pytest.mark.parametrize("block", range(4))
def test_random_and_aimed_curves_have_the_counts_of_the_cpu(block: int) -> None:
    for index in range(20 * block, 20 * (block + 1)):
        case = make_case(index)
        check(network(case), case.curve.build(), [2, 3, 4, 6, ONE_RUN][index % 5])


@pytest.mark.parametrize("name", [name for name in CORPUS if not name.startswith("8 tents")])
def test_degenerate_networks_have_the_counts_of_the_cpu_on_an_arc(name: str) -> None:
    case = CORPUS[name]
    check(network(case), pyexpr.Arc(case.x0, case.x1), 3)


@pytest.mark.parametrize("name", [name for name in GRAPHS if name != "forty doublings"])
def test_graphs_have_the_counts_of_the_cpu_on_curves(name: str) -> None:
    graph, x0, x1 = GRAPHS[name]
    net = pyexpr.Network(graph)
    check(net, pyexpr.Arc(x0, x1), 3)
    bezier = pyexpr.Bezier([x1, x0 - x1, x0, x0 + x1])
    check(net, pyexpr.Chain([pyexpr.Line(x0, x1), bezier]), ONE_RUN)


POINTS = np.random.default_rng(3).standard_normal((9, 4))
WEIGHTS = np.exp(np.random.default_rng(4).standard_normal(9))
PATHS = {
    "arc": pyexpr.Arc(POINTS[0], POINTS[1]),
    "degree 8": pyexpr.Bezier(POINTS, weights=WEIGHTS),
    "closed spline": pyexpr.Spline(POINTS[:4], closed=True),
    "chain": pyexpr.Chain(
        [
            pyexpr.Line(POINTS[0], POINTS[1]),
            pyexpr.Arc(POINTS[1], POINTS[2]),
            pyexpr.Polyline(POINTS[2:5]),
            pyexpr.Bezier(POINTS[4:8]),
        ]
    ),
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("phi", [pyexpr.ReLU(), pyexpr.HardTanh(), pyexpr.LeakyReLU(0.3)])
def test_the_device_counts_larger_networks(
    path: pyexpr.Trajectory, phi: PiecewiseLinear, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = pyexpr.Network.random([4, 30, 70, 20, 2], phi, 4.0, 0.3, seed=1)
    expected = counted(net, path)
    assert expected.activation > 40

    def not_here(*_: object) -> None:
        raise AssertionError("counted on the CPU")

    monkeypatch.setattr(_answers, "_along", not_here)
    assert counted(net, path, device=HostDevice()) == expected
    few_cells = small_device([net], 11, core_trajectory(path).degree)
    assert counted(net, path, device=few_cells) == expected


def test_generic_curves_are_counted_by_the_filter_alone() -> None:
    net = pyexpr.Network.random([4, 40, 40, 2], "relu", 4.0, 0.3, seed=2)
    for kind in ("linear", "activation"):
        found = pyexpr.count_regions(net, PATHS["arc"], kind=kind, device=HostDevice())
        decided = found.certificate
        assert decided.signs.asked > 900
        for decisions in (decided.signs, decided.orders, decided.slopes):
            assert decisions.adjoint + decisions.extended + decisions.exact == 0


def test_stacks_of_networks_are_counted_along_curves() -> None:
    nets = [pyexpr.Network.random([4, 12, 12, 1], "relu", 4.0, 0.3, seed=seed) for seed in range(3)]
    stack = pyexpr.NetworkStack(nets)
    for path in PATHS.values():
        each = [pyexpr.count_regions(net, path) for net in nets]
        assert pyexpr.count_regions(stack, path, device=HostDevice()).tolist() == each
        layers = [pyexpr.count_transitions(net, path, per="layer").tolist() for net in nets]
        found = pyexpr.count_transitions(stack, path, per="layer", device=HostDevice())
        assert found.tolist() == layers


def test_progress_along_curves_goes_from_nothing_to_all() -> None:
    net = pyexpr.Network.random([4, 12, 12, 1], "relu", 4.0, 0.3, seed=0)
    told: list[float] = []
    pyexpr.count_regions(net, PATHS["chain"], progress=told.append, device=HostDevice())
    assert told[0] == 0
    assert told[-1] == 1
    assert told == sorted(told)


@pytest.mark.parametrize("kind", ["linear", "activation"])
def test_what_overflows_on_a_curve_is_told_as_on_the_cpu(kind: Any) -> None:
    net = pyexpr.Network.dense([([[1e200], [1e200]], [0, 0]), ([[1e200, 1e200]], [0])], "relu")
    told = []
    for device in ("cpu", HostDevice()):
        with pytest.raises(OverflowError) as error:
            pyexpr.count_regions(net, pyexpr.Arc([1e150], [-1e150]), kind=kind, device=device)
        told.append(str(error.value))
    assert told[0] == told[1]


# What is claimed about roots.


TINY = Fraction(1, 2**20)


def coefficients(roots: Sequence[Fraction], degree: int) -> list[Fraction]:
    """Bernstein's, of the product of all (u - root) and of as many u^2 + 1 as there is room for."""
    power = [Fraction(1)]
    factors = [[-root, Fraction(1)] for root in roots]
    factors += [[Fraction(1), Fraction(0), Fraction(1)]] * ((degree - len(roots)) // 2)
    for factor in factors:
        longer = [Fraction(0)] * (len(power) + len(factor) - 1)
        for i, a in enumerate(power):
            for j, b in enumerate(factor):
                longer[i + j] += a * b
        power = longer
    power += [Fraction(0)] * (degree + 1 - len(power))
    return [
        sum((power[k] * Fraction(comb(i, k), comb(degree, k)) for k in range(i + 1)), Fraction(0))
        for i in range(degree + 1)
    ]


def isolated(f: Array, error: float) -> tuple[int, list[Array], bool, bool]:
    """How many roots the kernel finds on [0, 1], their t, tau, low and high, the letter at 0, and
    whether it is not certain; `error` is that of the coefficients."""
    degree, device = len(f) - 1, HostDevice()
    one, none = np.ones(1), np.zeros(1, np.int64)
    letter, hard = np.zeros(1, np.uint8), np.zeros(1, np.uint8)
    roots, out = np.zeros(1, np.int64), [np.zeros(degree) for _ in range(5)]
    device.run(
        "isolate", 1, none, none, none, degree, f, 1, np.zeros(1), np.ones(degree + 1), one, 1.0,
        np.array([0.0, 1.0]), np.zeros(2), one, np.array([error]), one, letter, roots, hard, *out,
    )  # fmt: skip
    return int(roots[0]), [array[: roots[0]] for array in out], bool(letter[0]), bool(hard[0])


@given(st.integers(1, 10), st.data())
def test_every_root_is_found_where_it_is(degree: int, data: st.DataObject) -> None:
    free = st.fractions(Fraction(-1, 2), Fraction(3, 2), max_denominator=1000)
    near = free.flatmap(lambda x: st.sampled_from([x, x + TINY, x + TINY**2]))
    roots = data.draw(st.lists(free | near, max_size=degree))
    exact = coefficients(roots, degree)
    f = np.array([float(c) for c in exact])
    error = 2.0**-52 * float(np.abs(f).max())  # of rounding them
    count, (t, tau, low, high, _), letter, hard = isolated(f, error)
    if hard:
        return
    inside = sorted(root for root in set(roots) if roots.count(root) % 2 and 0 < root < 1)
    assert count == len(inside)
    assert letter == (exact[0] > 0)
    for i, root in enumerate(inside):
        assert abs(Fraction(float(t[i])) - root) <= Fraction(float(tau[i]))
    for i in range(count):
        assert sum(low[i] <= root <= high[i] for root in inside) == 1


@pytest.mark.parametrize("degree", range(1, 11))
def test_simple_roots_that_are_apart_are_certain(degree: int) -> None:
    roots = [Fraction(2 * i + 1, 2 * degree + 1) for i in range(degree)]
    f = np.array([float(c) for c in coefficients(roots, degree)])
    count, (t, tau, *_), _, hard = isolated(f, 2.0**-52 * float(np.abs(f).max()))
    assert not hard
    assert count == degree
    assert t == pytest.approx([float(root) for root in roots], abs=1e-6)
    assert np.all(tau < 1e-4)


@pytest.mark.parametrize("degree", range(2, 11))
def test_double_roots_are_left_open(degree: int) -> None:
    f = np.array([float(c) for c in coefficients([Fraction(1, 3)] * 2, degree)])
    assert isolated(f, 2.0**-52 * float(np.abs(f).max()))[3]


# What is claimed about rows.

Rows = list[list[Fraction]]


def exact(array: Array) -> Any:
    """Nested lists of fractions."""
    return [exact(row) if row.ndim else Fraction(float(row)) for row in array]


def dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def rows_of(columns: Rows) -> Rows:
    return [list(row) for row in zip(*columns, strict=True)]


class Exactly:
    """Compares rows, weights and speeds with exact numbers, on every cell of every level."""

    reads_cells = True
    reads_outputs = True

    def __init__(self, case: CurveCase) -> None:
        (self._piece,) = case.curve.build().pieces
        net = network(case)
        self.core = net._core
        self.networks = upload((self.core,), HostDevice())
        self.cells_seen = 0
        scale = Fraction(2) ** -(frexp(float(self._piece.weights.max()))[1] - 1)
        points = exact(self._piece.points)
        mixing = [[scale * x for x in row] for row in exact(self._piece.mixing)]
        self._w = [scale * x for x in exact(self._piece.weights)]
        self._x = [[dot(row, column) for row in mixing] for column in zip(*points, strict=True)]
        self._layers = [(exact(weight), exact(bias)) for weight, bias in case.layers]

    def run(self, chunk: int) -> None:
        device, trajectory = HostDevice(), _core.Trajectory([core_piece(self._piece)], False)
        settlement = Settlement(device, [self.core], lambda: trajectory, 1, 1)
        refinement = CurveRefinement(device, self.networks, self.core, trajectory)
        kit: Kit[CurvePartition, CurveCut] = Kit(CurveFilter(device, Asked()), refinement)
        engine = Engine(self.networks, settlement, self, 1, chunk, None)
        engine.run(kit, refinement.start(0), True)

    def events(self, number: int, level: Level, p: Partition, found: Found) -> None:
        pass

    def cells(self, lineage: Sequence[Partition], ends: bool) -> None:
        for number in range(len(lineage)):
            for cell in range(lineage[number].cells):
                self._check(lineage[: number + 1], cell)

    def _check(self, lineage: Sequence[Partition], cell: int) -> None:
        p = lineage[-1]
        assert isinstance(p, CurvePartition)
        at = slice(cell * p.degree, (cell + 1) * p.degree + 1)
        start, end = (Fraction(float(t)) for t in p.vertices.t[cell : cell + 2])
        w = restricted(self._w, start, end)
        for found, true in zip(p.weights[at].tolist(), w, strict=True):
            assert abs(Fraction(found) - true) <= true / 2**52
        h = rows_of([restricted(x, start, end) for x in self._x])
        for number, letters in enumerate(self._letters(lineage, cell)):
            lines = list(self._lines(number, letters))
            h = [
                [slope * x + offset * v for (slope, offset), x in zip(lines, row, strict=True)]
                for row, v in zip(self._mapped(number, h, w), w, strict=True)
            ]
        z = self._mapped(len(lineage) - 1, h, w)
        map_ = self.networks.map(len(lineage) - 1)
        allowed = float(p.eps[at].max() + p.rho[at].max()) * map_.row_norms[0] + 2.0**-980
        for row, true_row in zip(p.rows[at], z, strict=True):
            for found, true, bound in zip(row.tolist(), true_row, allowed.tolist(), strict=True):
                assert abs(Fraction(found) - true) <= Fraction(bound)
        for row, v, norm in zip(h, w, p.norm[at].tolist(), strict=True):
            size = float(dot([*row, v], [*row, v])) ** 0.5
            assert size <= (norm + float(p.eps[at].max())) * (1 + 1e-9)
        if end > start:
            for i in (0, p.degree - 1):
                steps = [b - a for a, b in zip([*h[i], w[i]], [*h[i + 1], w[i + 1]], strict=True)]
                speed = float(dot(steps, steps)) ** 0.5 * p.degree
                assert speed <= p.speeds[cell] * float(end - start) * (1 + 1e-9)
        self.cells_seen += 1

    def _letters(self, lineage: Sequence[Partition], cell: int) -> list[Array]:
        """Of all levels before the last partition's."""
        out = []
        for p in lineage[:0:-1]:
            out.append(p.letters[cell])
            cell = int(p.parent[cell])
        return out[::-1]

    def _mapped(self, number: int, h: Rows, w: list[Fraction]) -> Rows:
        weight, bias = self._layers[number]
        return [
            [dot([*line, b], [*row, v]) for line, b in zip(weight, bias, strict=True)]
            for row, v in zip(h, w, strict=True)
        ]

    def _lines(self, number: int, letters: Array) -> Iterator[tuple[Fraction, Fraction]]:
        """Slope and offset of every neuron on its piece."""
        level = self.networks.levels[number]
        for q in range(level.width):
            words = letters.reshape(level.count, level.words)[:, q // 64].tolist()
            piece = sum(word >> (q % 64) & 1 for word in words)
            low = Fraction(float(level.offset_lows[piece, q]))
            offset = Fraction(float(level.offsets[piece, q])) + low
            yield Fraction(float(level.slopes[piece, q])), offset


def restricted(f: Sequence[Fraction], a: Fraction, b: Fraction) -> list[Fraction]:
    """Bernstein coefficients on [a, b], by blossoms."""
    out = []
    for j in range(len(f)):
        values = list(f)
        for place in [a] * (len(f) - 1 - j) + [b] * j:
            values = [x + place * (y - x) for x, y in pairwise(values)]
        out.append(values[0])
    return out


@few
@given(
    curve_cases(["quarter_arc", "bezier", "touching_bezier"]).filter(
        lambda case: [piece.is_line for piece in case.curve.build().pieces] == [False]
    ),
    st.integers(2, 6),
)
def test_rows_are_as_close_as_their_bounds_say(case: CurveCase, chunk: int) -> None:
    checked = Exactly(case)
    checked.run(chunk)
    assert checked.cells_seen > len(case.layers) - 1


def test_the_check_of_rows_notices_a_wrong_one(monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(
        case
        for case in map(make_case, range(1000))
        if case.curve.name == "Arc" and len(case.layers) > 2 and "angle" not in case.curve.options
    )
    fill = CurveRefinement.fill

    def wrong(self: CurveRefinement, *arguments: Any) -> CurvePartition:
        p = fill(self, *arguments)
        p.rows[-1] += 1e-9 * (1 + np.abs(p.rows[-1]))
        return p

    Exactly(case).run(4)
    monkeypatch.setattr(CurveRefinement, "fill", wrong)
    with pytest.raises(AssertionError):
        Exactly(case).run(4)
