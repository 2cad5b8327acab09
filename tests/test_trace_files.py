"""Traces in .npz files and in tables: all there and back; inconsistent files are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curve_strategies import CURVES, CurveCase, curve_cases
from graph_corpus import CORPUS
from hypothesis import given, settings
from hypothesis import strategies as st
from judge import network

import pyexpr
from pyexpr import Network, Trace
from pyexpr.io.traces import load_trace

Arrays = dict[str, Any]
few = settings(max_examples=settings().max_examples // 12)

CIRCLE = pyexpr.Circle([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
# relu(y), relu(x), and a readout; letters 10 -> 11 at the seam, and so on round.
HALVES = [([[0.0, 1.0], [1.0, 0.0]], [0.0, 0.0]), ([[2.0, 1.0]], [1.0])]


def assert_same(a: Trace, b: Trace) -> None:
    for name in ("piece", "u", "bends", "transitions", "first_pattern", "t", "values"):
        left, right = getattr(a, name), getattr(b, name)
        assert left.dtype == right.dtype
        assert np.array_equal(left, right)
        assert not right.flags.writeable
    assert a.certificate == b.certificate
    assert isinstance(b.certificate.signs.asked, int)
    assert a.trajectory.closed == b.trajectory.closed
    assert (a.n_regions, a.n_pieces, a.n_patterns) == (b.n_regions, b.n_pieces, b.n_patterns)
    assert [a.t_exact(i) for i in range(len(a.t))] == [b.t_exact(i) for i in range(len(b.t))]


# There and back.


def test_transitions_have_no_undefined_bytes(tmp_path: Path) -> None:
    net, x0, x1 = Network.random([5, 60, 60, 1], weight_variance=20.0, seed=1), [-3.0] * 5, range(5)
    trace = pyexpr.trace(net, x0, x1)
    trace.save(tmp_path / "trace.npz")
    for transitions in (trace.transitions, load_trace(tmp_path / "trace.npz").transitions):
        each = transitions.view(np.uint8).reshape(-1, transitions.itemsize)
        own = sum(transitions[name].itemsize for name in transitions.dtype.names or ())
        assert own < transitions.itemsize and len(each) > 40
        assert not each[:, own:].any()


@pytest.mark.parametrize("kind", CURVES)
@few
@given(data=st.data())
def test_a_saved_trace_is_loaded_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    case: CurveCase = data.draw(curve_cases(curves=[kind]))
    path = tmp_path_factory.getbasetemp() / f"{kind}.npz"
    trace = pyexpr.trace(network(case), case.curve.build())
    trace.save(path)
    assert_same(trace, load_trace(path))
    assert_same(trace, load_trace(str(path), network(case)))


def test_a_line_stays_a_line(tmp_path: Path) -> None:
    trace = pyexpr.trace(HALVES, [-1.0, 2.0], [3.0, -1.0])
    trace.save(tmp_path / "line.npz")
    loaded = load_trace(tmp_path / "line.npz")
    assert type(loaded.trajectory) is pyexpr.Line
    assert np.array_equal(loaded.slopes, trace.slopes)
    pyexpr.trace(HALVES, CIRCLE).save(tmp_path / "circle.npz")
    assert type(load_trace(tmp_path / "circle.npz").trajectory) is pyexpr.Trajectory


@pytest.mark.parametrize("name", [*CORPUS][::5])
def test_a_trace_of_a_graph_needs_its_network(tmp_path: Path, name: str) -> None:
    graph, x0, x1 = CORPUS[name]
    net = Network(graph)
    trace = pyexpr.trace(net, x0, x1)
    path = tmp_path / "graph.npz"
    trace.save(path)
    with pytest.raises(ValueError, match=r"graph\.npz.*no network"):
        load_trace(path)
    assert_same(trace, load_trace(path, net))


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace.npz"
    pyexpr.trace(HALVES, CIRCLE).save(path)
    changed = [([[0.0, 1.0], [1.0, 0.0]], [0.0, 0.0]), ([[2.0, 1.0]], [np.nextafter(1.0, 2)])]
    for other in (Network.dense(changed), Network.dense(HALVES, "abs"), Network.random([2, 3, 1])):
        with pytest.raises(ValueError, match=r"not the network.*2-2-1"):
            load_trace(path, other)


def test_only_npz_files_are_written(tmp_path: Path) -> None:
    trace = pyexpr.trace(HALVES, CIRCLE)
    with pytest.raises(ValueError, match=r"\.npz"):
        trace.save(tmp_path / "trace.pkl")
    with pytest.raises(FileNotFoundError):
        trace.save(tmp_path / "no" / "trace.npz")
    with pytest.raises(FileNotFoundError):
        load_trace(tmp_path / "missing.npz")


# Malformed and hostile files.


def saved(tmp_path: Path, trajectory: pyexpr.Trajectory = CIRCLE) -> Arrays:
    path = tmp_path / "good.npz"
    pyexpr.trace(HALVES, trajectory).save(path)
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def changed(name: str, index: Any, value: Any) -> Callable[[Arrays], Any]:
    def change(arrays: Arrays) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name][index] = value

    return change


def replaced(name: str, value: Any) -> Callable[[Arrays], Any]:
    return lambda arrays: arrays.__setitem__(name, np.array(value))


def test_what_is_changed_below(tmp_path: Path) -> None:
    arrays = saved(tmp_path)
    assert arrays["trace_piece"].tolist() == [1, 2, 3, 4]
    assert arrays["trace_breakpoint"].tolist() == [0, 1, 2, 3]
    assert arrays["trace_neuron"].tolist() == [1, 0, 1, 0]
    assert arrays["trace_before"].tolist() == [1, 1, 0, 0]
    assert arrays["trace_first_pattern"].tolist() == [1, 1]
    assert arrays["trajectory_degree"].tolist() == [2] * 4


CHANGES: dict[str, Callable[[Arrays], Any]] = {
    "a later version": replaced("trace_version", 2),
    "a version of floats": replaced("trace_version", 1.0),
    "a long fingerprint": replaced("trace_fingerprint", "2-2-1 " * 100_000),
    "a number for a fingerprint": replaced("trace_fingerprint", 1),
    "another network": changed("W1", (0, 0), 3.0),
    "pieces that are not there": changed("trace_piece", 0, -1),
    "pieces far off": changed("trace_piece", 0, -(2**63)),
    "pieces after the seam": changed("trace_piece", 2, 4),
    "pieces of floats": replaced("trace_piece", [1.0, 2.0, 3.0, 4.0]),
    "too few pieces": replaced("trace_piece", [1, 2, 3]),
    "pieces out of order": changed("trace_piece", 0, 3),
    "u off the pieces": changed("trace_u", 1, 1.5),
    "u not a number": changed("trace_u", 1, np.nan),
    "u infinite": changed("trace_u", 1, np.inf),
    "u of the seam": changed("trace_u", 3, 0.5),
    "u of wide floats": replaced("trace_u", np.zeros(4, np.longdouble)),
    "bends of integers": replaced("trace_bends", [1, 1, 1, 1]),
    "too many bends": replaced("trace_bends", [True] * 5),
    "breakpoints that are not there": changed("trace_breakpoint", 3, 4),
    "breakpoints out of order": changed("trace_breakpoint", 0, 2),
    "a breakpoint without a transition": changed("trace_breakpoint", 1, 2),
    "layers that are not there": changed("trace_layer", 0, 1),
    "negative layers": changed("trace_layer", 0, -1),
    "neurons that are not there": changed("trace_neuron", 0, 2),
    "negative neurons": changed("trace_neuron", 0, -1),
    "another neuron": changed("trace_neuron", 0, 0),
    "neurons beyond int32": replaced("trace_neuron", [2**32 + 1, 0, 1, 0]),
    "letters that are not there": changed("trace_after", 0, 2),
    "letters that do not change": changed("trace_after", 0, 1),
    "letters from elsewhere": changed("trace_before", 0, 0),
    "a first letter that is not there": changed("trace_first_pattern", 0, -1),
    "another first letter": changed("trace_first_pattern", 0, 0),
    "too few first letters": replaced("trace_first_pattern", [1]),
    "a certificate of another shape": replaced("trace_certificate", np.zeros((4, 2))),
    "a certificate of nothing": replaced("trace_certificate", np.full((4, 6), np.nan)),
    "negative decisions": changed("trace_certificate", (0, 0), -1.0),
    "half a decision": changed("trace_certificate", (0, 0), 0.5),
    "an open curve with a seam": replaced("trajectory_closed", False),
    "a curve called a line": replaced("trajectory_line", True),
    "another shape": replaced("trajectory_shape", [3]),
    "the same size in another shape": replaced("trajectory_shape", [2, 1]),
    "no numbers in a point": replaced("trajectory_shape", [0]),
    "a huge shape": replaced("trajectory_shape", [2**62, 2**62, 2]),
    "degree 0": changed("trajectory_degree", 0, 0),
    "degree 11": changed("trajectory_degree", 0, 11),
    "no pieces": replaced("trajectory_degree", np.zeros(0, int)),
    "huge numbers of points": changed("trajectory_n_points", 0, 2**62),
    "no points": changed("trajectory_n_points", 0, 0),
    "infinite points": changed("trajectory_points", (0, 0), np.inf),
    "points that do not join": changed("trajectory_points", (0, 0), 0.25),
    "mixing that is not finite": changed("trajectory_mixing", 0, np.nan),
    "weights of zero": changed("trajectory_weights", 0, 0.0),
    "too few weights": replaced("trajectory_weights", [1.0]),
    "a start off the grid": changed("trajectory_start", 0, 2.0**-60),
    "a piece backwards": changed("trajectory_start", 0, 1.0),
    "knots that stand still": changed("trajectory_knots", 1, 0.0),
    "knots beyond 1": changed("trajectory_knots", -1, 2.0),
    "another turn": changed("trajectory_turns", 0, 2),
}


@pytest.mark.parametrize("bad", CHANGES)
def test_an_inconsistent_file_is_refused(tmp_path: Path, bad: str) -> None:
    arrays = saved(tmp_path)
    CHANGES[bad](arrays)
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=r"bad\.npz"):
        load_trace(tmp_path / "bad.npz")


def test_every_array_is_needed(tmp_path: Path) -> None:
    arrays = saved(tmp_path)
    for missing in arrays:
        rest = {name: array for name, array in arrays.items() if name != missing}
        np.savez(tmp_path / "bad.npz", **rest)
        with pytest.raises(ValueError, match=r"bad\.npz"):
            load_trace(tmp_path / "bad.npz")


def test_objects_are_refused_and_strangers_ignored(tmp_path: Path) -> None:
    arrays = saved(tmp_path)
    for name in arrays:
        objects = arrays | {name: np.array([{"any": "object"}], object)}
        np.savez(tmp_path / "bad.npz", **objects)
        with pytest.raises(ValueError, match=r"bad\.npz"):
            load_trace(tmp_path / "bad.npz")
    np.savez(tmp_path / "good.npz", **arrays, comment=np.array([{"any": "object"}], object))
    load_trace(tmp_path / "good.npz")


def test_a_window_has_no_letter_in_its_padding(tmp_path: Path) -> None:
    graph, x0, x1 = CORPUS["one entry beside padding"]
    path = tmp_path / "pool.npz"
    pyexpr.trace(Network(graph), x0, x1).save(path)
    with np.load(path) as file:
        arrays: Arrays = dict(file)
    arrays["trace_first_pattern"][:] = 2
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"pool\.npz.*first_pattern"):
        load_trace(path, Network(graph))


def test_polylines_that_do_not_join_are_refused(tmp_path: Path) -> None:
    arrays = saved(tmp_path, pyexpr.Polyline([[1.0, 1.0], [-1.0, 1.0], [-1.0, -2.0]]))
    changed("trajectory_points", (2, 0), -0.5)(arrays)
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=r"bad\.npz.*points"):
        load_trace(tmp_path / "bad.npz")


@pytest.mark.parametrize("seed", range(100))
def test_a_damaged_file_is_refused_or_read_whole(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    trace = pyexpr.trace(HALVES, CIRCLE)
    path = tmp_path / "damaged.npz"
    trace.save(path)
    data = bytearray(path.read_bytes())
    if seed % 2:
        del data[rng.integers(len(data)) :]
    for _ in range(seed % 5):
        if data:
            data[rng.integers(len(data))] = rng.integers(256)
    path.write_bytes(data)
    try:
        loaded = load_trace(path)
    except ValueError as error:
        assert "damaged.npz" in str(error)
    else:
        assert_same(trace, loaded)


# Tables.


def test_a_table_has_a_row_for_every_transition() -> None:
    pandas = pytest.importorskip("pandas")
    layers = [([[1.0], [1.0], [2.0]], [0.0, -0.5, -1.0]), ([[2.0, -4.0, 0.0]], [0.0])]
    table = pyexpr.trace(layers, [-1.0], [1.0]).to_dataframe()
    assert isinstance(table, pandas.DataFrame)
    assert table.columns.tolist() == [
        *("t", "breakpoint", "layer", "neuron", "before", "after", "bends")
    ]
    assert table.values.tolist() == [
        [0.5, 0, 0, 0, 0, 1, True],
        [0.75, 1, 0, 1, 0, 1, True],
        [0.75, 1, 0, 2, 0, 1, True],
    ]
    assert [dtype.kind for dtype in table.dtypes] == [*"fiiiiib"]


def test_a_table_without_pandas_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pyexpr-regions\[pandas\]"):
        pyexpr.trace(HALVES, CIRCLE).to_dataframe()
