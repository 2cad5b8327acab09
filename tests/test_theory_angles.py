"""Swept angles: by hand, by dense sampling, and against the exact counter in narrow networks."""

import math

import numpy as np
import pytest
from graph_corpus import CORPUS
from judge import Array

import pyexpr
from pyexpr import Network
from pyexpr.theory import expected_transitions, swept_angles

X0, X1, X2 = np.random.default_rng(23).standard_normal((3, 3))
LINE, ARC = pyexpr.Line(X0, X1), pyexpr.Arc(X0, X1)
CIRCLE = pyexpr.Circle(X2, X0, X1)
TRIANGLE = pyexpr.Polyline([X0, X1, X2], closed=True)
ORIGIN = np.zeros(3)
EYE = np.eye(2)
SIGNS = (np.array([[1.0], [-1.0]]), np.zeros(2))  # x -> relu(x), relu(-x)


def crofton(
    sizes: list[int],
    curve: pyexpr.Trajectory,
    w: float,
    b: float,
    count: int,
    activation: str = "relu",
    assumed_bias: float | None = None,
) -> Array:
    """Means of transitions - n Theta / pi by layer, in standard errors."""
    rng = np.random.default_rng(29)
    rows = []
    for _ in range(count):
        trace = pyexpr.trace(Network.random(sizes, activation, w, b, seed=rng), curve)
        angles = swept_angles(trace, w, b if assumed_bias is None else assumed_bias)
        rows.append(trace.transitions_per_layer - np.array(sizes[1:-1]) * angles / math.pi)
    found = np.array(rows)
    mean, error = found.mean(axis=0), found.std(axis=0, ddof=1) / math.sqrt(count)
    scores: Array = mean / np.maximum(error, 1e-10)  # if all are alike up to rounding
    return scores


# --- the counter ---


@pytest.mark.parametrize(
    ("sizes", "count"), [([3, 2, 3, 4, 2, 1], 200), ([3, 10, 5, 7, 1], 100)], ids=str
)
@pytest.mark.parametrize(("w", "b"), [(2.0, 0.0), (2.0, 1.0), (0.5, 0.3), (8.0, 2.0)])
def test_narrow_networks_switch_as_their_images_turn(
    sizes: list[int], count: int, w: float, b: float
) -> None:
    assert np.all(np.abs(crofton(sizes, LINE, w, b, count)) <= 4)


@pytest.mark.parametrize("b", [0.0, 1.0])
@pytest.mark.parametrize(
    "curve",
    [
        TRIANGLE,
        pyexpr.Line(-X0, 2 * X0),
        pyexpr.Polyline([X0, ORIGIN, X1]),
        pyexpr.Polyline([X0, ORIGIN, ORIGIN, X1]),
        pyexpr.Polyline([ORIGIN, X0, X1], closed=True),
    ],
    ids=["closed", "through the origin", "corner", "stay", "seam"],
)
def test_polylines_and_the_origin(curve: pyexpr.Trajectory, b: float) -> None:
    assert np.all(np.abs(crofton([3, 2, 3, 2, 4, 1], curve, 2.0, b, 80)) <= 4)


@pytest.mark.parametrize("b", [0.0, 1.0])
@pytest.mark.parametrize("curve", [ARC, CIRCLE], ids=["arc", "circle"])
def test_curves(curve: pyexpr.Trajectory, b: float) -> None:
    assert np.all(np.abs(crofton([3, 2, 4, 2, 1], curve, 2.0, b, 50)) <= 4)


@pytest.mark.parametrize("activation", ["leaky_relu", "abs"])
@pytest.mark.parametrize("b", [0.0, 1.0])
def test_other_breakpoints_at_zero(activation: str, b: float) -> None:
    curve = pyexpr.Polyline([X1, X0, -2 * X0])  # through the origin
    assert np.all(np.abs(crofton([3, 2, 3, 4, 1], curve, 2.0, b, 120, activation)) <= 4)


def test_biases_matter() -> None:
    """What is 0 above is not, if the angle is that of images without the biases' coordinate."""
    wrong = crofton([3, 10, 5, 7, 1], LINE, 0.5, 2.0, 300, assumed_bias=0.0)
    assert np.all(wrong < -6)


def test_dead_layers_matter() -> None:
    """In 1 of 4 directions a layer of width 2 is off: half of the neurons behind switch to off."""
    rng = np.random.default_rng(31)
    differences = []
    for _ in range(300):
        trace = pyexpr.trace(Network.random([3, 2, 8, 1], seed=rng), LINE)
        on = [trace.pattern(i)[:2].any() for i in range(trace.n_regions)]
        turns = np.count_nonzero(np.diff(on))
        angles = swept_angles(trace) - [0, turns * math.pi / 2]
        differences.append(trace.transitions_per_layer[1] - 8 * angles[1] / math.pi)
    assert np.mean(differences) > 8 * np.std(differences, ddof=1) / math.sqrt(300)


# --- by hand ---


def test_inputs_are_seen_as_they_are() -> None:
    for w, b in [(2.0, 0.0), (3.0, 0.5)]:
        net = Network.random([3, 40, 1], "relu", w, b, seed=1)
        expected = expected_transitions([3, 1, 1], LINE, weight_variance=w, bias_variance=b)
        angles = swept_angles(pyexpr.trace(net, LINE), w, b)
        assert angles == pytest.approx(math.pi * expected, rel=1e-10, abs=0)


def test_a_quarter_that_is_cut() -> None:
    # (1, -1) to (-1, 1): relu makes it (1, 0) to 0 to (0, 1), without biases a right angle.
    net = Network.dense([(EYE, [0.0, 0.0]), (EYE, [0.0, 0.0]), (EYE, [0.0, 0.0])])
    trace = pyexpr.trace(net, [1.0, -1.0], [-1.0, 1.0])
    assert swept_angles(trace) == pytest.approx([math.pi, math.pi / 2], rel=1e-14, abs=0)
    # (1, 0, 1) to (0, 0, 1) to (0, 1, 1), as sqrt(2 / 2) = 1; then (sqrt(3), 0, 1).
    assert swept_angles(trace, 2.0, 1.0)[1] == pytest.approx(math.pi / 2, rel=1e-14, abs=0)
    assert swept_angles(trace, 6.0, 1.0)[1] == pytest.approx(
        2 * math.atan(math.sqrt(3)), rel=1e-14, abs=0
    )


def test_an_image_that_rests_at_zero() -> None:
    # relu(x - 1), relu(-x - 1): 0 between -1 and 1.
    net = Network.dense([([[1.0], [-1.0]], [-1.0, -1.0]), (EYE, [0.0, 0.0]), (EYE, [0.0, 0.0])])
    trace = pyexpr.trace(net, [-3.0], [2.0])
    assert swept_angles(trace) == pytest.approx([math.pi, math.pi], rel=1e-14, abs=0)
    assert swept_angles(pyexpr.trace(net, [0.0], [2.0])) == pytest.approx([0, math.pi / 2])
    assert swept_angles(pyexpr.trace(net, [0.0], [0.5])).tolist() == [0, 0]


def test_layers_behind_a_zero_are_zero() -> None:
    net = Network.dense([SIGNS, (EYE, [0.0, 0.0]), (EYE, [0.0, -9.0]), (EYE, [0.0, 0.0])])
    trace = pyexpr.trace(net, [-1.0], [1.0])
    # The last image is the first half 0, then a ray.
    assert swept_angles(trace) == pytest.approx([math.pi, math.pi / 2, math.pi / 2])
    biased = Network.dense([SIGNS, (EYE, [1.0, 0.0]), (EYE, [0.0, 0.0])])
    # (1, 1) to (1, 0) to (2, 0)
    angles = swept_angles(pyexpr.trace(biased, [-1.0], [1.0]))
    assert angles == pytest.approx([math.pi, math.pi / 2])
    both = Network.dense([SIGNS, (EYE, [1.0, 0.0]), (EYE, [0.0, 0.0]), (EYE, [0.0, 0.0])])
    angles = swept_angles(pyexpr.trace(both, [-1.0], [1.0]))
    assert angles == pytest.approx([math.pi, math.pi / 2, math.pi / 4])


@pytest.mark.parametrize(("start", "end"), [(1.0, 3.0), (0.0, 1.0), (-2.0, 0.0), (0.0, 0.0)])
def test_rays_do_not_turn(start: float, end: float) -> None:
    for seed in range(5):
        net = Network.random([3, 4, 4, 4, 1], seed=seed)
        angles = swept_angles(pyexpr.trace(net, start * X0, end * X0))
        assert np.all(np.abs(angles) < 1e-12)


def test_small_and_nearly_straight_angles_are_accurate() -> None:
    net = Network.random([2, 3, 1], seed=1)
    tiny = pyexpr.Line([1.0, 0.0], [1.0, 1e-12])
    assert swept_angles(pyexpr.trace(net, tiny)) == pytest.approx([1e-12], rel=1e-12, abs=0)
    beside = pyexpr.Line([-1.0, 1e-12], [1.0, 1e-12])
    assert math.pi - swept_angles(pyexpr.trace(net, beside))[0] == pytest.approx(2e-12, rel=1e-3)


def test_without_biases_the_size_of_weights_does_not_matter() -> None:
    for curve in (LINE, TRIANGLE):
        small, large = (
            swept_angles(pyexpr.trace(Network.random([3, 2, 5, 4, 1], "relu", w, seed=8), curve), w)
            for w in (0.5, 8.0)
        )
        assert small == pytest.approx(large, rel=1e-12, abs=0)


def test_zero_biases_make_arcs_chords() -> None:
    for seed in range(3):
        net = Network.random([3, 6, 6, 6, 1], seed=seed)
        line, arc = (swept_angles(pyexpr.trace(net, curve)) for curve in (LINE, ARC))
        assert arc == pytest.approx(line, rel=1e-10, abs=0)


def test_long_traces_are_worked_on_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    corner = pyexpr.Polyline([X0, ORIGIN, 9 * X1, X2], closed=True)
    traces = [
        pyexpr.trace(Network.random([3, 4, 8, 6, 1], "relu", 2.0, b, seed=6), curve)
        for curve in (LINE, CIRCLE, corner)
        for b in (0.0, 0.1)
    ]
    whole = [swept_angles(trace) for trace in traces]
    monkeypatch.setattr("pyexpr.tracing.cells.BLOCK", 54)  # 3 cells of a segment, 1 of a curve
    for trace, angles in zip(traces, whole, strict=True):
        assert swept_angles(trace) == pytest.approx(angles, rel=1e-10, abs=0)


def test_nothing_is_swept_without_weights_or_layers() -> None:
    trace = pyexpr.trace(Network.random([3, 4, 4, 1]), LINE)
    assert swept_angles(trace, 0.0, 0.0).tolist() == [0, 0]
    assert swept_angles(trace, 0.0, 1.0).tolist() == [0, 0]
    assert swept_angles(pyexpr.trace(Network.random([3, 1]), ORIGIN, X0)).shape == (0,)


# --- by dense sampling ---


def sampled(net: Network, curve: pyexpr.Trajectory, w: float, b: float) -> Array:
    """Angles between 20 000 neighbours on the unit sphere."""
    z = curve(np.linspace(0, 1, 20_001))
    angles = []
    for layer in net.layers[:-1]:
        bias = np.full((len(z), 1), math.sqrt(b))
        seen = np.hstack([math.sqrt(w / z.shape[1]) * z, bias])
        unit = seen / np.linalg.norm(seen, axis=1)[:, None]
        steps = np.linalg.norm(np.diff(unit, axis=0), axis=1)
        angles.append(2 * np.arcsin(steps / 2).sum())
        assert layer.activation is not None
        z = layer.activation(z @ layer.weight.T + layer.bias)
    return np.array(angles)


@pytest.mark.parametrize("activation", ["relu", "hard_tanh", "prelu"])
@pytest.mark.parametrize("b", [0.0, 0.7])
@pytest.mark.parametrize(
    "curve", [LINE, ARC, CIRCLE, TRIANGLE], ids=["line", "arc", "circle", "triangle"]
)
def test_dense_samples_agree(activation: str, b: float, curve: pyexpr.Trajectory) -> None:
    """Sampling misses about (step / |z|)^2; no image here is 0 for long."""
    phi = pyexpr.PReLU(np.linspace(-0.5, 0.9, 6)) if activation == "prelu" else activation
    net = Network.random([3, 6, 6, 6, 1], phi, 2.0, 0.5, seed=6)
    angles = swept_angles(pyexpr.trace(net, curve), 2.0, b)
    assert angles == pytest.approx(sampled(net, curve, 2.0, b), rel=1e-3)


# --- what it is given ---


def test_only_traces_of_dense_chains_are_taken() -> None:
    with pytest.raises(TypeError, match="trace is a Network; it must be what"):
        swept_angles(Network.random([3, 2, 1]))  # type: ignore[arg-type]
    for name in ("what a skip connection cancels", "equal channels in groups, pooled"):
        graph, x0, x1 = CORPUS[name]
        with pytest.raises(ValueError, match="the network is no chain of dense layers"):
            swept_angles(pyexpr.trace(Network(graph), x0, x1))


def test_variances_are_checked() -> None:
    trace = pyexpr.trace(Network.random([3, 2, 1]), LINE)
    with pytest.raises(ValueError, match="weight_variance is -1"):
        swept_angles(trace, -1)
    with pytest.raises(ValueError, match="bias_variance holds inf"):
        swept_angles(trace, 2.0, math.inf)


def test_curves_through_the_origin_are_refused_without_biases() -> None:
    trace = pyexpr.trace(Network.random([3, 2, 1]), pyexpr.Circle(X0, -X0, X1))
    with pytest.raises(ValueError, match="trajectory passes through the origin"):
        swept_angles(trace)
    assert swept_angles(trace, 2.0, 0.1)[0] > 0


def test_overflow_is_an_error() -> None:
    for curve in (pyexpr.Line(1e160 * X0, 1e160 * X1), pyexpr.Arc(1e160 * X0, 1e160 * X1)):
        trace = pyexpr.trace(Network.random([3, 2, 2, 1]), curve)
        for b in (0.0, 1.0):
            with pytest.raises(OverflowError, match="beyond float64"):
                swept_angles(trace, 2.0, b)
