"""Many small networks on curves against the exact oracle.

    pytest -m fuzz -s                         PYEXPR_CURVE_FUZZ cases (default 20000), all cores
    python tests/test_curve_fuzz.py 100000    the same as a script; a second number: the first case

Case i is made from the seed i alone, so that a failure is reproduced by `make_case(i)`.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from curve_judge import check_case, judged
from curve_strategies import Curve, CurveCase, curve, factored
from fuzzing import Fuzz
from judge import counted, expected_counts, hidden_widths, network, piecewise_linear
from strategies import Activation, Array, DenseLayer, oracle_layers
from test_fuzz import make_activation, make_layers

import pyexpr

Rng = np.random.Generator
Points = list[list[float]]
GRID = np.arange(33) / 32


# Trajectories.


def integers(rng: Rng, shape: tuple[int, int]) -> Array:
    return rng.integers(-4, 5, shape).astype(float)


def dyadic(rng: Rng, shape: tuple[int, int]) -> Array:
    return rng.integers(-32, 33, shape) / 8


def gaussian(rng: Rng, shape: tuple[int, int]) -> Array:
    return 3 * rng.standard_normal(shape)


def tenths(rng: Rng, shape: tuple[int, int]) -> Array:
    return rng.integers(-30, 31, shape) / 10


COORDINATES = (integers, integers, dyadic, gaussian, tenths)


def make_points(rng: Rng, count: int, inputs: int) -> Points:
    points = COORDINATES[rng.integers(len(COORDINATES))](rng, (count, inputs))
    kind = rng.integers(12)
    if kind == 0:  # there and back
        points = np.concatenate([points[: (count + 1) // 2], points[: count // 2][::-1]])
    elif kind == 1:  # a part that stands still
        points[rng.integers(count)] = points[rng.integers(count)]
    elif kind == 2:  # flat in one direction
        points[:, rng.integers(inputs)] = points[0, 0]
    elif kind == 3:  # through 0
        points[rng.integers(count)] = 0
    made: Points = points.tolist()
    return made


def make_weights(rng: Rng, count: int) -> list[float] | None:
    kind = rng.integers(4)
    if kind == 0:
        return None
    if kind == 1:
        return [float(w) for w in rng.integers(1, 5, count)]
    if kind == 2:
        return [float(w) for w in rng.integers(1, 33, count) / 8]
    return [float(w) for w in np.exp(rng.standard_normal(count))]


def make_bezier(rng: Rng, inputs: int) -> Curve:
    count = int(rng.choice([2, 3, 3, 3, 4, 4, 5, 7]))
    points = make_points(rng, count, inputs)
    closed = rng.integers(6) == 0
    if closed:
        points[-1] = points[0]
    return curve("Bezier", points, weights=make_weights(rng, count), closed=bool(closed))


def make_line(rng: Rng, inputs: int) -> Curve:
    return curve("Line", *make_points(rng, 2, inputs))


def make_polyline(rng: Rng, inputs: int) -> Curve:
    points = make_points(rng, int(rng.integers(2, 6)), inputs)
    return curve("Polyline", points, closed=bool(rng.integers(2)))


def make_spline(rng: Rng, inputs: int) -> Curve:
    closed = bool(rng.integers(2))
    points = make_points(rng, int(rng.integers(3 if closed else 2, 5)), inputs)
    return curve("Spline", points, closed=closed)


def make_arc(rng: Rng, inputs: int) -> Curve:
    points = make_points(rng, 2, inputs)
    if rng.integers(2):
        return curve("Arc", *points)
    angle = float(rng.choice([0.5, 1.0, 3.0, np.pi, 4.0, 3 * np.pi / 2, 2 * np.pi]))
    return curve("Arc", *points, angle=angle)


def make_circle(rng: Rng, inputs: int) -> Curve:
    return curve("Circle", *make_points(rng, 3, inputs))


def make_chain(rng: Rng, inputs: int) -> Curve:
    points = make_points(rng, 6, inputs)
    parts = [
        curve("Bezier", points[:3], weights=make_weights(rng, 3)),
        curve("Arc", points[2], points[3]),
        curve("Polyline", points[3:]),
        curve("Line", points[5], points[0]),
    ]
    count = int(rng.integers(2, 5))
    return curve("Chain", parts[:count], closed=bool(count == 4 and rng.integers(2)))


CURVES: tuple[Callable[[Rng, int], Curve], ...] = (
    make_bezier,
    make_bezier,
    make_bezier,
    make_line,
    make_polyline,
    make_spline,
    make_arc,
    make_arc,
    make_circle,
    make_chain,
)


# Near ties.


def aim(rng: Rng, case: CurveCase) -> None:
    """Move biases so that neurons of all layers meet thresholds at the same few u, or touch them.

    Exactly so where the curve and the weights are short enough not to be rounded.
    """
    x = samples(rng, case.curve.build())
    chosen = rng.choice(len(x), 2)
    for (weight, bias), phi in zip(case.layers, case.activations, strict=False):
        z = x @ weight.T
        for q in np.flatnonzero(rng.integers(2, size=len(bias))):
            level = extremum(rng, z[:, q]) if rng.integers(2) else z[rng.choice(chosen), q]
            bias[q] = rng.choice(phi.breakpoints) - level
        x = piecewise_linear(phi)(z + bias)


def samples(rng: Rng, trajectory: pyexpr.Trajectory) -> Array:
    """Of one of the pieces, at equally spaced u."""
    piece = trajectory.pieces[rng.integers(len(trajectory.pieces))]
    values: Array = piece.position(piece.start + (piece.end - piece.start) * GRID)
    return values


def extremum(rng: Rng, z: Array) -> float:
    """The height of a parabola through the samples at a turn of z; any of z if there is none."""
    turns = np.flatnonzero(np.diff(np.sign(np.diff(z))) != 0)
    if len(turns) == 0:
        return float(rng.choice(z))
    a, b, c = z[(i := rng.choice(turns)) : i + 3]
    curvature = a - 2 * b + c
    return float(b if curvature == 0 else b - (c - a) ** 2 / (8 * curvature))


# Exact ties: the curve and the first layer, made for each other.

FACTORS = ((1, -1), (1, -1), (2, -1), (1, -3), (1, 1), (0, 1), (1, 0))
TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (1, 0, 1), (0, 1, 1))


def touching_bezier(rng: Rng, layers: list[DenseLayer]) -> Curve:
    """Coordinates with multiple roots, which some neurons of the first layer read alone."""
    weight, bias = layers[0]
    degree = int(rng.integers(2, 5))
    weights = 2.0 ** rng.integers(-1, 3, degree + 1)
    columns = [
        np.array(factored([FACTORS[k] for k in rng.choice(rng.choice(len(FACTORS), 2), degree)]))
        for _ in range(weight.shape[1])
    ]
    shift = rng.integers(-2, 3, len(columns)).astype(float)
    for q in np.flatnonzero(rng.integers(2, size=len(bias))):
        k = rng.integers(len(columns))
        weight[q] = 0
        weight[q, k] = rng.choice([-2, -1, 1, 3])
        bias[q] = -weight[q, k] * shift[k]
    points = np.column_stack(columns) / weights[:, None] + shift
    return curve("Bezier", points.tolist(), weights=weights.tolist())


def touching_circle(rng: Rng, layers: list[DenseLayer]) -> Curve:
    """A circle of radius 5, and tangents in rational points of it."""
    weight, bias = layers[0]
    center = np.zeros(weight.shape[1])
    u, v = 5 * np.eye(len(center))[:2]
    whole = bool(rng.integers(2))
    if whole:
        center = rng.integers(-3, 4, len(center)).astype(float)
    for q in np.flatnonzero(rng.integers(2, size=len(bias))):
        a, b, c = TRIPLES[rng.integers(len(TRIPLES))]
        weight[q] = rng.integers(-2, 3, len(center))
        weight[q, :2] = np.array([a, b]) * rng.choice([-1, 1], 2)
        bias[q] = 5 * c * rng.choice([-1, 1]) - weight[q] @ center
    if whole:
        return curve("Circle", center.tolist(), u.tolist(), v.tolist())
    return curve("Arc", u.tolist(), v.tolist(), angle=float(rng.choice([1, 2, 3, 4]) * np.pi / 2))


# Cases.


def make_case(index: int) -> CurveCase:
    """A small network, 1 to 3 hidden layers of 1 to 5 neurons, and a trajectory."""
    rng = np.random.default_rng([index, 1])
    hidden = rng.integers(1, 6, rng.choice([1, 2, 2, 3])).tolist()
    inputs, outputs = rng.integers(1, 4, 2).tolist()
    layers = make_layers(rng, [inputs, *hidden, outputs])
    phis = activations(rng, hidden)
    if rng.integers(4) == 0:
        touching = touching_circle if inputs > 1 and rng.integers(2) else touching_bezier
        return CurveCase(layers, phis, touching(rng, layers))
    case = CurveCase(layers, phis, CURVES[rng.integers(len(CURVES))](rng, inputs))
    if rng.integers(2):
        aim(rng, case)
    return case


def activations(rng: Rng, hidden: list[int]) -> list[Activation]:
    phi = make_activation(rng, 1)
    if rng.integers(2) and phi.slopes.ndim == 1:
        return [phi] * len(hidden)
    return [make_activation(rng, width) for width in hidden]


FUZZ = Fuzz("networks on curves", make_case, check_case)


@pytest.mark.fuzz
def test_many_small_networks_on_curves() -> None:
    n_cases = int(os.environ.get("PYEXPR_CURVE_FUZZ", "20000"))
    assert n_cases > 0
    assert FUZZ.run(n_cases) == []


def test_a_few_small_networks_on_curves() -> None:
    assert FUZZ.wrong(0, 200) == []


def test_a_wrong_count_is_noticed() -> None:
    # The fuzz run is worth what its comparison is: a network with another curve is refused.
    noticed = 0
    for index in range(40):
        case = make_case(index)
        layers = oracle_layers(case)
        expected = expected_counts(judged(layers, case.curve.build()), hidden_widths(layers))
        inputs = case.layers[0][0].shape[1]
        other = replace(case, curve=make_bezier(np.random.default_rng(index), inputs))
        noticed += counted(network(other), other.curve.build()) != expected
    assert noticed > 10


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    sys.exit(1 if FUZZ.run(*(arguments or [20_000])) else 0)
