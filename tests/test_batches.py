"""Many segments in one call: the counts of single calls."""

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import pyexpr
from pyexpr import _answers
from pyexpr.counting import Kind

RNG = np.random.default_rng(0)
RELU = pyexpr.Network.random([8, 32, 32, 32, 3], "relu", 2.0, 0.1, seed=1)
HARD_TANH = pyexpr.Network.random([8, 20, 20, 3], "hard_tanh", 20.0, 0.1, seed=2)
LEAKY = pyexpr.Network.random([8, 20, 20, 3], pyexpr.LeakyReLU(0.1), 2.0, 0.1, seed=3)
INTEGERS = [  # ties are the rule
    (RNG.integers(-1, 2, (6, 8)).astype(float), np.zeros(6)),
    (RNG.integers(-1, 2, (6, 6)).astype(float), np.zeros(6)),
    (RNG.integers(-1, 2, (2, 6)).astype(float), np.zeros(2)),
]
NETS: dict[str, Any] = {
    "relu": RELU,
    "hard-tanh": HARD_TANH,
    "leaky": LEAKY,
    "integers": pyexpr.Network.dense(INTEGERS),
}


def lines(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Of all lengths, some of them points, some on integers."""
    rng = np.random.default_rng(seed)
    x0 = rng.normal(size=(count, 8))
    x1 = x0 + rng.choice([0.0, 1e-9, 0.01, 1.0, 3.0], size=(count, 1)) * rng.normal(size=(count, 8))
    whole = rng.random(count) < 0.2
    x0[whole], x1[whole] = np.rint(x0[whole]), np.rint(x1[whole])
    return x0, x1


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("kind", ["linear", "activation"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_regions_are_those_of_single_calls(net: str, kind: Any, threads: int) -> None:
    x0, x1 = lines(400)
    found = pyexpr.count_regions(NETS[net], x0, x1, kind=kind, threads=threads)
    single = [
        pyexpr.count_regions(NETS[net], a, b, kind=kind, threads=1)
        for a, b in zip(x0, x1, strict=True)
    ]
    assert isinstance(found, pyexpr.Counts)
    assert found.dtype == np.int64
    assert found.shape == (400,)
    assert found.tolist() == single
    assert found.certificate is not None and found.certificate.signs.asked > 0


@pytest.mark.parametrize("net", NETS)
def test_transitions_and_patterns_are_those_of_single_calls(net: str) -> None:
    x0, x1 = lines(150, 1)
    pairs = [*zip(x0, x1, strict=True)]
    per_neuron = pyexpr.count_transitions(NETS[net], x0, x1, per="neuron")
    expected = [pyexpr.count_transitions(NETS[net], a, b, per="neuron") for a, b in pairs]
    np.testing.assert_array_equal(per_neuron, expected)
    per_layer = pyexpr.count_transitions(NETS[net], x0, x1, per="layer")
    expected = [pyexpr.count_transitions(NETS[net], a, b, per="layer") for a, b in pairs]
    np.testing.assert_array_equal(per_layer, expected)
    total = pyexpr.count_transitions(NETS[net], x0, x1)
    np.testing.assert_array_equal(total, per_neuron.sum(axis=1))
    patterns = pyexpr.count_patterns(NETS[net], x0, x1)
    assert patterns.tolist() == [pyexpr.count_patterns(NETS[net], a, b) for a, b in pairs]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_whatever_lines_share_a_group_counts_stay(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 140))
    chosen = data.draw(st.lists(st.integers(0, 399), min_size=count, max_size=count))
    x0, x1 = lines(400)
    net = NETS[data.draw(st.sampled_from(sorted(NETS)))]
    kinds: list[Kind] = ["linear", "activation"]
    kind = data.draw(st.sampled_from(kinds))
    every = pyexpr.count_regions(net, x0, x1, kind=kind)
    found = pyexpr.count_regions(net, x0[chosen], x1[chosen], kind=kind)
    np.testing.assert_array_equal(found, every[chosen])


def test_a_convolutional_network_takes_batches_of_images() -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(27, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2),
    )  # fmt: skip
    net = pyexpr.as_network(module.eval(), input_shape=(1, 8, 8))
    x0, x1 = RNG.normal(size=(2, 70, 1, 8, 8))
    found = pyexpr.count_regions(net, x0, x1)
    single = [pyexpr.count_regions(net, a, b) for a, b in zip(x0, x1, strict=True)]
    assert found.tolist() == single


def test_one_point_goes_with_many() -> None:
    x0, x1 = lines(30)
    found = pyexpr.count_regions(RELU, x0[0], x1)
    assert found.tolist() == [pyexpr.count_regions(RELU, x0[0], b) for b in x1]
    back = pyexpr.count_regions(RELU, x1, x0[0])
    assert back.tolist() == found.tolist()


def test_other_kinds_of_arrays() -> None:
    x0, x1 = lines(10)
    expected = pyexpr.count_regions(RELU, x0.astype(np.float32).astype(float), x1)
    assert (pyexpr.count_regions(RELU, x0.astype(np.float32), x1) == expected).all()
    assert (pyexpr.count_regions(RELU, x0[::2], x1[::2]) == _single(x0[::2], x1[::2])).all()
    assert pyexpr.count_regions(RELU, x0.tolist(), x1.tolist()).tolist() == _single(x0, x1)
    empty = pyexpr.count_regions(RELU, np.empty((0, 8)), np.empty((0, 8)))
    assert (empty.shape, empty.dtype) == ((0,), np.int64)


def _single(x0: np.ndarray, x1: np.ndarray) -> list[int]:
    return [pyexpr.count_regions(RELU, a, b) for a, b in zip(x0, x1, strict=True)]


def test_pairs_are_in_the_order_of_scipy() -> None:
    points = lines(25)[0]
    found = pyexpr.count_pairs(RELU, points, kind="activation")
    expected = [
        pyexpr.count_regions(RELU, points[i], points[j], kind="activation")
        for i in range(25)
        for j in range(i + 1, 25)
    ]
    assert found.tolist() == expected
    assert pyexpr.count_pairs(RELU, points[:1]).shape == (0,)
    assert pyexpr.count_pairs(RELU, points[:0]).shape == (0,)


def test_pairs_go_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    points = lines(25)[0]
    whole = pyexpr.count_pairs(RELU, points)
    monkeypatch.setattr(_answers, "_PAIRS_AT_ONCE", 7)
    shares: list[float] = []
    np.testing.assert_array_equal(pyexpr.count_pairs(RELU, points, progress=shares.append), whole)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_loop_through_many_points_is_the_sum_of_its_sides_and_joints() -> None:
    points = lines(200, 5)[0]
    loop = pyexpr.Polyline(points, closed=True)
    sides = pyexpr.count_transitions(RELU, points, np.roll(points, -1, axis=0))
    total = pyexpr.count_transitions(RELU, loop)
    # No neuron is at zero at a point of random numbers.
    assert total == sides.sum()


@pytest.mark.parametrize("call", [pyexpr.count_regions, pyexpr.count_transitions])
def test_errors_name_the_line(call: Any) -> None:
    x0, x1 = lines(100)
    x0[17, 3] = np.nan
    with pytest.raises(ValueError, match=r"x0\[17\] holds nan"):
        call(RELU, x0, x1)
    x0[17, 3] = 0
    x1[99, 0] = np.inf
    with pytest.raises(ValueError, match=r"x1\[99\] holds inf"):
        call(RELU, x0, x1)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_overflow_names_the_first_line(threads: int) -> None:
    x0, x1 = lines(1000)
    layers = [(np.full((4, 8), 1e200), np.zeros(4)), (np.full((2, 4), 1e90), np.zeros(2))]
    x0, x1 = np.zeros_like(x0), np.zeros_like(x1)
    x1[[300, 301, 770]] = 1e30
    with pytest.raises(OverflowError, match="along line 300;"):
        pyexpr.count_regions(layers, x0, x1, threads=threads)
    with pytest.raises(OverflowError, match="along line 0;"):
        pyexpr.count_pairs(layers, [[1e30] * 8, [2e30] * 8], threads=threads)


def test_points_that_do_not_go_together() -> None:
    x0, x1 = lines(5)
    with pytest.raises(ValueError, match="x0 has 5 points and x1 3"):
        pyexpr.count_regions(RELU, x0, x1[:3])
    with pytest.raises(ValueError, match=r"x1 has shape \(5, 7\)"):
        pyexpr.count_regions(RELU, x0, x1[:, :7])
    with pytest.raises(ValueError, match=r"points has shape \(8,\)"):
        pyexpr.count_pairs(RELU, x0[0])
    with pytest.raises(TypeError, match="x1 goes with a point"):
        pyexpr.count_regions(RELU, pyexpr.Line(x0[0], x1[0]), x1)


def test_networks_without_hidden_layers_have_no_transitions_to_tell_apart() -> None:
    net = pyexpr.Network.dense([([[1.0, 2.0]], [0.0])])
    for per in ("layer", "neuron"):
        assert pyexpr.count_transitions(net, np.zeros((3, 2)), np.ones((3, 2)), per=per).shape == (
            3,
            0,
        )
