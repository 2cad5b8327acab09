"""Expected transitions: closed forms, and the exact counter on random networks."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from judge import Array

import pyexpr
from pyexpr import Network
from pyexpr.theory import (
    MeanField,
    expected_regions,
    expected_transitions,
    sign_changes_per_length,
    transitions_per_length,
)

X0, X1 = np.random.default_rng(11).standard_normal((2, 6))
LINE, ARC = pyexpr.Line(X0, X1), pyexpr.Arc(X0, 2 * X1)
CIRCLE = pyexpr.Circle(0.3 * X0, X1, X0)
BENT = pyexpr.PiecewiseLinear([-2.0, 0.0, 0.5], [0.3, -1.0, 2.0, 0.0], 0.7)


def angle(x: Array, y: Array) -> float:
    return math.acos(x @ y / math.sqrt((x @ x) * (y @ y)))


def augmented(x: Array, w: float, b: float) -> Array:
    return np.append(math.sqrt(w / len(x)) * x, math.sqrt(b))


# --- closed forms ---


@pytest.mark.parametrize(("w", "b"), [(2.0, 0.0), (2.0, 1.0), (0.5, 3.0), (8.0, 1e-4)])
@pytest.mark.parametrize("activation", ["relu", "abs", "leaky_relu"])
def test_a_first_layer_sees_the_angle_between_the_ends(activation: str, w: float, b: float) -> None:
    counts = expected_transitions(
        [6, 9, 1], X0, X1, activation=activation, weight_variance=w, bias_variance=b
    )
    swept = angle(augmented(X0, w, b), augmented(X1, w, b))
    assert counts == pytest.approx([9 * swept / math.pi], rel=1e-10, abs=0)


def test_without_biases_all_relu_layers_see_the_same_angle() -> None:
    for w in (0.1, 2.0, 30.0):
        counts = expected_transitions([6, 9, 5, 20, 1], X0, X1, weight_variance=w)
        assert counts == pytest.approx(
            np.array([9, 5, 20]) * angle(X0, X1) / math.pi, rel=1e-10, abs=0
        )


def test_a_circle_around_the_origin_turns_every_neuron_twice() -> None:
    counts = expected_transitions([6, 9, 5, 1], CIRCLE)
    assert counts == pytest.approx([18, 10], rel=1e-10, abs=0)


def test_without_weights_nothing_switches() -> None:
    for b in (0.0, 1.0):
        counts = expected_transitions([6, 9, 5, 1], ARC, weight_variance=0.0, bias_variance=b)
        assert counts.tolist() == [0, 0]


def test_near_the_origin_a_line_turns_by_pi() -> None:
    for distance in (1e-2, 1e-6, 1e-9):
        line = pyexpr.Line([distance, -1.0], [distance, 3.0])
        swept = math.pi - math.atan(distance) - math.atan(distance / 3)
        counts = expected_transitions([2, 7, 3, 1], line)
        assert counts == pytest.approx(np.array([7, 3]) * swept / math.pi, rel=1e-9)


def test_a_long_line_meets_every_neuron_once() -> None:
    line = pyexpr.Line(X0 - 1e6 * X1, X0 + 1e6 * X1)
    counts = expected_transitions([6, 9, 5, 8, 1], line, bias_variance=1.0)
    assert counts == pytest.approx([9, 5, 8], rel=1e-5)


def test_hard_tanh_on_a_ray_is_the_law_of_one_normal_variable() -> None:
    # h(t) = t h(1): it passes 1 or -1 if |h(1)| > 1.
    counts = expected_transitions(
        [6, 9, 1], np.zeros(6), X0, activation="hard_tanh", weight_variance=2.0
    )
    deviation = math.sqrt(2.0 * X0 @ X0 / 6)
    assert counts == pytest.approx([9 * math.erfc(1 / deviation / math.sqrt(2))], rel=1e-10, abs=0)


@pytest.mark.parametrize("activation", ["relu", "hard_tanh", BENT], ids=str)
def test_a_point_has_no_transitions(activation: str | pyexpr.PiecewiseLinear) -> None:
    for x in (X0, np.zeros(6)):
        for b in (0.0, 1.0):
            counts = expected_transitions(
                [6, 9, 5, 1], x, x, activation=activation, bias_variance=b
            )
            assert counts.tolist() == [0, 0]
    polyline = pyexpr.Polyline([X0, X0, X1, X1])
    assert expected_transitions([6, 9, 5, 1], polyline) == pytest.approx(
        expected_transitions([6, 9, 5, 1], X0, X1), rel=1e-10
    )


@pytest.mark.parametrize(("start", "end"), [(1.0, 3.0), (0.0, 1.0), (-2.0, 0.0), (-1.0, -2.0)])
def test_relu_does_not_switch_on_a_ray(start: float, end: float) -> None:
    counts = expected_transitions([6, 9, 5, 5, 1], start * X0, end * X0)
    assert np.all(np.abs(counts) < 1e-12)


def test_the_parameter_does_not_matter() -> None:
    for curve in (ARC, CIRCLE, pyexpr.Bezier([X0, X1, -X0, 2 * X0 - X1])):
        for activation in ("relu", "hard_tanh"):
            forth, back = (
                expected_transitions([6, 9, 5, 1], c, activation=activation, bias_variance=0.1)
                for c in (curve, curve.reversed())
            )
            assert forth == pytest.approx(back, rel=1e-9)
    halves = pyexpr.Polyline([X0, (3 * X0 + X1) / 4, X1], knots=[0.0, 0.9, 1.0])
    assert expected_transitions([6, 9, 5, 1], halves, bias_variance=1.0) == pytest.approx(
        expected_transitions([6, 9, 5, 1], X0, X1, bias_variance=1.0), rel=1e-9
    )


def test_rates_add_up_to_the_counts() -> None:
    """By the trapezoidal rule along t, and the fields of layers one after another."""
    field = MeanField(BENT, 1.3, 0.4)
    t = np.linspace(0, 1, 20001)
    at = field.first(ARC(t), ARC.velocity(t))
    expected = expected_transitions(
        [6, 9, 5, 1], ARC, activation=BENT, weight_variance=1.3, bias_variance=0.4
    )
    for width, count in zip([9, 5], expected.tolist(), strict=True):
        rates = field.transition_rate(at)
        total = np.diff(t) @ (rates[1:] + rates[:-1]) / 2
        assert width * total == pytest.approx(count, rel=1e-6)
        at = field(at)


def test_regions_are_one_more() -> None:
    sizes = [6, 9, 5, 1]
    for activation in ("relu", "hard_tanh"):
        total = expected_transitions(sizes, ARC, activation=activation, bias_variance=1.0).sum()
        regions = expected_regions(sizes, ARC, activation=activation, bias_variance=1.0)
        assert regions == pytest.approx(1 + total, rel=1e-14, abs=0)
    assert expected_regions(sizes, CIRCLE) == pytest.approx(28, rel=1e-10, abs=0)
    assert expected_regions([6, 1], X0, X1) == 1


# --- the exact counter ---


def counted(
    sizes: list[int],
    curve: pyexpr.Trajectory,
    activation: str | pyexpr.PiecewiseLinear,
    w: float,
    b: float,
    count: int,
) -> tuple[Array, Array]:
    """Means by layer and their standard errors."""
    rng = np.random.default_rng(13)
    found = np.array(
        [
            pyexpr.count_transitions(
                Network.random(sizes, activation, w, b, seed=rng), curve, per="layer"
            )
            for _ in range(count)
        ]
    )
    return found.mean(axis=0), found.std(axis=0, ddof=1) / math.sqrt(count)


@pytest.mark.parametrize("width", [2, 7])
@pytest.mark.parametrize("curve", [LINE, ARC, CIRCLE], ids=["line", "arc", "circle"])
@pytest.mark.parametrize(
    ("activation", "w", "b"),
    [
        ("relu", 2.0, 0.5),
        ("hard_tanh", 3.0, 0.0),
        ("hard_tanh", 8.0, 1.0),
        ("relu6", 9.0, 2.0),
        (BENT, 1.5, 0.3),
    ],
    ids=str,
)
def test_first_layers_of_every_width_switch_as_often(
    width: int,
    curve: pyexpr.Trajectory,
    activation: str | pyexpr.PiecewiseLinear,
    w: float,
    b: float,
) -> None:
    """Exact: within 4 standard errors; of 1000 neurons they are 1 to 5 %."""
    count = 1000 // width
    mean, error = counted([6, width, 1], curve, activation, w, b, count)
    expected = expected_transitions(
        [6, width, 1], curve, activation=activation, weight_variance=w, bias_variance=b
    )
    assert np.all(np.abs(mean - expected) <= 4 * error)


@pytest.mark.parametrize(
    ("activation", "w", "b", "curve"),
    [
        ("relu", 2.0, 0.0, LINE),
        ("relu", 2.0, 0.5, ARC),
        ("hard_tanh", 4.0, 0.5, LINE),
        ("leaky_relu", 1.0, 0.3, CIRCLE),
        (BENT, 1.0, 0.2, LINE),
    ],
    ids=str,
)
def test_deep_wide_layers_switch_nearly_as_often(
    activation: str | pyexpr.PiecewiseLinear, w: float, b: float, curve: pyexpr.Trajectory
) -> None:
    """Width 80, 4 layers: within 4 standard errors and l / width in layer l = 0, 1, 2, 3.

    Layer 3 was measured, with 600 networks of 30 inputs, for hard-tanh (4, 0.5) 22 %, 14 %, 4.7 %
    and 3.4 % low at widths 10, 20, 40 and 80; for ReLU (2, 0.5) on an arc 20 %, 9.5 %, 4.2 % and
    1.6 %.
    """
    sizes = [6, 80, 80, 80, 80, 1]
    mean, error = counted(sizes, curve, activation, w, b, 60)
    expected = expected_transitions(
        sizes, curve, activation=activation, weight_variance=w, bias_variance=b
    )
    allowed = np.arange(4) / 80 * expected
    assert np.all(np.abs(mean - expected) <= 4 * error + allowed)
    assert np.all(error < 0.04 * expected)


def test_regions_are_counted() -> None:
    rng = np.random.default_rng(17)
    nets = [Network.random([6, 60, 60, 1], "hard_tanh", 4.0, 0.2, seed=rng) for _ in range(100)]
    found = [pyexpr.count_regions(net, LINE, kind="activation") for net in nets]
    expected = expected_regions(
        [6, 60, 60, 1], LINE, activation="hard_tanh", weight_variance=4.0, bias_variance=0.2
    )
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - expected) <= 4 * error + expected / 60


# --- by length ---


def test_rates_by_length_by_hand() -> None:
    # q = 6, mean square of the image 6 - 3 over w = 1.
    assert sign_changes_per_length(50, "relu", 1.0, 3.0) == pytest.approx(
        1 / (math.pi * math.sqrt(50 * 3.0)), rel=1e-14
    )
    assert transitions_per_length(50, "relu", 1.0, 3.0) == pytest.approx(
        math.sqrt(1 / (50 * 6.0)) / math.pi, rel=1e-14
    )
    q = MeanField("hard_tanh", 4.0, 0.0).fixed_point
    expected = 2 * math.exp(-1 / (2 * q)) * math.sqrt(4 / (100 * q)) / math.pi
    assert transitions_per_length(100, "hard_tanh", 4.0) == pytest.approx(
        expected, rel=1e-12, abs=0
    )


def test_rates_by_length_are_those_of_deep_layers() -> None:
    """Hard-tanh layers of width 150, and 200 ReLU neurons for readouts, which switch with signs.

    Ratios of means, by the length in layer 3 or 4; errors by the residuals. 3 % is allowed for the
    width, as what is left of the first layers.
    """
    rng = np.random.default_rng(19)
    activations = ["hard_tanh"] * 5 + ["relu"]
    lengths, counts, changes = [], [], []
    for _ in range(10):
        line = pyexpr.Line(*rng.standard_normal((2, 150)))
        net = Network.random([150] * 6 + [200, 1], activations, 4.0, 0.0, seed=rng)
        trace = pyexpr.trace(net, line)
        lengths.append(trace.lengths.length[4:6])
        counts.append(trace.transitions_per_layer[4] / 150)
        changes.append(trace.transitions_per_layer[5] / 200)
    before, last = np.array(lengths).T
    for found, by, rate in [
        (np.array(counts), before, transitions_per_length(150, "hard_tanh", 4.0)),
        (np.array(changes), last, sign_changes_per_length(150, "hard_tanh", 4.0)),
    ]:
        error = np.std(found - rate * by, ddof=1) / math.sqrt(len(by)) / by.mean()
        assert abs(found.mean() / by.mean() - rate) <= 4 * error + 0.03 * rate
        assert error < 0.03 * rate


@pytest.mark.parametrize("function", [transitions_per_length, sign_changes_per_length])
def test_variances_must_settle(function: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="the variances of ReLU grow without bound with depth"):
        function(10, "relu", 4.0, 0.0)
    with pytest.raises(ValueError, match=r"the variances of HardTanh.* go to 0 with depth"):
        function(10, "hard_tanh", 0.5, 0.0)
    with pytest.raises(ValueError, match="width is 0; it must be at least 1"):
        function(0)
    with pytest.raises(ValueError, match="weight_variance is -1"):
        function(3, "relu", -1)


def test_a_point_has_no_length_to_go_by() -> None:
    assert transitions_per_length(10, "relu", 0.0, 1.0) == 0
    with pytest.raises(ValueError, match="weight_variance is 0"):
        sign_changes_per_length(10, "relu", 0.0, 1.0)


# --- what they are given ---


@pytest.mark.parametrize(
    "curve",
    [
        pyexpr.Line(-X0, 2 * X0),
        pyexpr.Polyline([X0, 0 * X0, X1]),
        pyexpr.Polyline([0 * X0, X0, X1], closed=True),
        pyexpr.Circle(X0, -X0, X1),
        pyexpr.Circle(X0, X1, -X0),
        pyexpr.Bezier([X0, X1, -X0 - 2 * X1, X0]),
    ],
    ids=["line", "corner", "seam", "circle's seam", "circle's joint", "cubic"],
)
def test_the_origin_is_refused_without_biases(curve: pyexpr.Trajectory) -> None:
    if isinstance(curve, pyexpr.Bezier):  # moved so that it passes the origin at u = 0.3
        points = curve.pieces[0].points
        curve = pyexpr.Bezier(points - curve(0.3))
    with pytest.raises(ValueError, match="trajectory passes through the origin"):
        expected_transitions([6, 5, 1], curve)
    assert np.isfinite(expected_transitions([6, 5, 1], curve, bias_variance=0.1)).all()
    assert np.isfinite(expected_transitions([6, 5, 5, 1], curve, activation="hard_tanh")).all()


@pytest.mark.parametrize("function", [expected_transitions, expected_regions])
def test_what_is_no_trajectory_is_refused(function: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="trajectory is a ndarray; it must be a trajectory"):
        function([6, 3, 1], X0)
    with pytest.raises(TypeError, match="x1 goes with a point"):
        function([6, 3, 1], LINE, X1)
    with pytest.raises(ValueError, match=r"points of shape \(6,\), but the network has 5"):
        function([5, 3, 1], LINE)
    with pytest.raises(ValueError, match="x1 has shape"):
        function([6, 3, 1], X0, X1[:5])
    with pytest.raises(ValueError, match="must be finite"):
        function([6, 3, 1], X0, X1 * math.nan)


@pytest.mark.parametrize("function", [expected_transitions, expected_regions])
def test_sizes_variances_and_activations_are_checked(function: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match=r"sizes\[1\] is 0"):
        function([6, 0, 1], LINE)
    with pytest.raises(ValueError, match=r"sizes is \[6\]"):
        function([6], LINE)
    with pytest.raises(TypeError, match=r"sizes\[1\] is 2\.5"):
        function([6, 2.5, 1], LINE)
    with pytest.raises(ValueError, match="weight_variance is -2"):
        function([6, 3, 1], LINE, weight_variance=-2)
    with pytest.raises(ValueError, match="bias_variance holds nan"):
        function([6, 3, 1], LINE, bias_variance=math.nan)
    with pytest.raises(ValueError, match="activation has slopes for 3 neurons"):
        function([6, 3, 1], LINE, activation=pyexpr.PReLU([0.1] * 3))


@pytest.mark.parametrize("curve", [pyexpr.Line, pyexpr.Arc])
def test_overflow_is_an_error(curve: Callable[[Array, Array], pyexpr.Trajectory]) -> None:
    far = curve(1e160 * X0, 1e160 * X1)
    for b in (0.0, 1.0):
        for activation in ("relu", "hard_tanh"):
            with pytest.raises(OverflowError, match="beyond float64"):
                expected_transitions([6, 5, 5, 1], far, activation=activation, bias_variance=b)


def test_images_are_points_too() -> None:
    x0, x1 = X0.reshape(2, 3), X1.reshape(2, 3)
    assert expected_transitions([6, 9, 1], x0, x1) == pytest.approx(
        expected_transitions([6, 9, 1], X0, X1), rel=1e-12
    )
    assert expected_transitions([1, 9, 1], -1.0, 2.0, bias_variance=1.0).shape == (1,)
    assert expected_transitions([6, 1], X0, X1).shape == (0,)
