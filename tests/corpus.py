"""Degenerate networks and segments, as data: name -> case. Grow it with every bug."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from strategies import Activation, Array, Case, DenseLayer

RELU = Activation(np.array([0.0]), np.array([0.0, 1.0]), 0.0, 0)
ABS = Activation(np.array([0.0]), np.array([-1.0, 1.0]), 0.0, 0)
HARD_TANH = Activation(np.array([-1.0, 1.0]), np.array([0.0, 1.0, 0.0]), -1.0, -1)
RELU6 = Activation(np.array([0.0, 6.0]), np.array([0.0, 1.0, 0.0]), 0.0, 0)

Rows = Sequence[Sequence[float]]
Phis = Activation | Sequence[Activation]


def prelu(*negative_slopes: float) -> Activation:
    slopes = np.column_stack([negative_slopes, np.ones(len(negative_slopes))])
    return Activation(np.zeros(1), slopes, 0.0, 0)


def case(
    layers: Sequence[tuple[Rows | Array, Sequence[float] | Array]],
    phis: Phis,
    x0: Sequence[float] | Array,
    x1: Sequence[float] | Array,
) -> Case:
    """One function for every hidden layer, or one a layer."""
    dense = [(np.array(weight, float), np.array(bias, float)) for weight, bias in layers]
    each = [phis] * (len(dense) - 1) if isinstance(phis, Activation) else list(phis)
    return Case(dense, each, np.array(x0, float), np.array(x1, float))


def on_unit(
    layers: Sequence[tuple[Rows | Array, Sequence[float] | Array]], phis: Phis = RELU
) -> Case:
    """One input, which is t itself."""
    return case(layers, phis, [0.0], [1.0])


def gaussian(widths: Sequence[int], seed: int, gain: float = 1.0) -> list[DenseLayer]:
    rng = np.random.default_rng(seed)
    return [
        (gain * rng.standard_normal((m, n)) / np.sqrt(n), 0.3 * rng.standard_normal(m))
        for n, m in pairwise(widths)
    ]


def integers(widths: Sequence[int], bound: int, seed: int) -> list[DenseLayer]:
    rng = np.random.default_rng(seed)
    return [
        (
            rng.integers(-bound, bound + 1, (m, n)).astype(float),
            rng.integers(-bound, bound + 1, m).astype(float),
        )
        for n, m in pairwise(widths)
    ]


def unbiased(layers: Sequence[DenseLayer]) -> list[DenseLayer]:
    return [(weight, 0 * bias) for weight, bias in layers]


def scaled(layers: Sequence[DenseLayer], factor: float) -> list[DenseLayer]:
    return [(weight * factor, bias * factor) for weight, bias in layers]


def ends(inputs: int, seed: int) -> tuple[Array, Array]:
    x0, x1 = 3 * np.random.default_rng(seed).standard_normal((2, inputs))
    return x0, x1


# Neurons that nearly coincide.


def duplicated(layers: Sequence[DenseLayer], factor: float) -> list[DenseLayer]:
    """Every hidden neuron twice, the copy at `factor` times the scale; both are read as one."""
    result: list[DenseLayer] = []
    for index, (weight, bias) in enumerate(layers):
        if index > 0:
            weight = np.column_stack([weight, weight])
        if index < len(layers) - 1:
            weight = np.vstack([weight, factor * weight])
            bias = np.append(bias, factor * bias)
        result.append((weight, bias))
    return result


def coincident() -> Iterator[tuple[str, Case]]:
    base = gaussian([3, 5, 5, 2], seed=1)
    factors = {"1": 1.0, "3": 3.0, "5": 5.0, "1/3": 1 / 3, "-1": -1.0, "-3": -3.0}
    factors["1 + ulp"] = 1 + 2.0**-52
    for name, factor in factors.items():
        for activation, phi in {"relu": RELU, "hard-tanh": HARD_TANH, "abs": ABS}.items():
            yield (
                f"{activation} neurons duplicated at {name} times the scale",
                case(duplicated(base, factor), phi, *ends(3, seed=1)),
            )
    bias = [-1 / 3]
    for _ in range(9):
        bias.append(float(np.nextafter(bias[-1], 0)))
    last = np.arange(1.0, 11)[None, :]
    yield "ten breakpoints one ulp apart", on_unit([(np.ones((10, 1)), bias), (last, [0.0])])
    many = -1 / 3 + np.arange(200.0) * 2.0**-54
    wide = np.cos(np.arange(200))[None, :]
    yield "200 breakpoints one ulp apart", on_unit([(np.ones((200, 1)), many), (wide, [0.0])])
    yield (
        "the same, ordered backwards and scaled by a third",
        on_unit([(np.full((200, 1), 1 / 3), many[::-1] / 3), (wide, [0.0])]),
    )
    # x / 10 + x / 5 - 3 x / 10 in floats is 2.8e-17 x: the second layer's sign rests on it.
    tenths = ([[0.1], [0.2], [0.3]], [0.0, 0.0, 0.0])
    residue = ([[1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]], [-1e-17, 2e-17])
    yield "a sum that cancels up to rounding", on_unit([tenths, residue, ([[1.0, 1.0]], [0.0])])
    equal = ([[0.1], [0.1], [0.1]], [-0.05, -0.05, -0.05])
    zero = ([[1.0, 1.0, -2.0], [1.0, 1.0, -2.0]], [0.0, 5e-324])
    yield "a sum that cancels exactly", on_unit([equal, zero, ([[1.0, 1.0]], [0.0])])
    yield (
        "an input sum that cancels up to one",
        case(
            [([[1e16, 1.0, -1e16], [1e16, 2.0, -1e16]], [0.0, -1.0]), ([[1.0, 1.0]], [0.0])],
            RELU,
            [1.0, -1.0, 1.0],
            [3.0, 2.0, 3.0],
        ),
    )


# Breakpoints that float64 cannot place, at the same points as others that it can.


def ill_conditioned() -> Iterator[tuple[str, Case]]:
    yield (
        "ill-conditioned: a nearly flat neuron at a steep one's limit",
        case([([[1.0], [5.2e-18]], [1.0, 1.0]), ([[1.0, 2.0]], [0.0])], HARD_TANH, [1.0], [-3.0]),
    )
    yield (
        "ill-conditioned: a nearly flat neuron at one of two",
        case(
            [([[1.0], [1.0], [-8.7e-19]], [1.0, 0.0, 1.0]), ([[1.0, 2.0, 3.0]], [0.0])],
            HARD_TANH,
            [-1.0],
            [10.0],
        ),
    )
    yield (
        "ill-conditioned: nearly flat neurons at both ends of a ramp",
        case(
            [([[1.0], [3e-18], [-5e-18], [7e-19]], [0.0, 1.0, -1.0, 1.0]), ([[1.0] * 4], [0.0])],
            HARD_TANH,
            [-3.0],
            [5.0],
        ),
    )
    yield (
        "ill-conditioned: a sum of three inputs that nearly cancels",
        case(
            [([[0.3, 0.2, -0.1], [0.0, 0.0, -0.5]], [1.0, -1.0]), ([[1.0, 2.0]], [0.0])],
            HARD_TANH,
            [2.0, 1.0, 8.0],
            [-2.0, -1.0, -8.0],
        ),
    )
    yield (
        "ill-conditioned: a denormal slope in the third layer",
        case(
            [
                ([[0.1]], [0.0]),
                ([[1.0]], [0.0]),
                ([[15.0], [-4.9e-324]], [1.0, 1.0]),
                ([[1.0, 2.0]], [0.0]),
            ],
            HARD_TANH,
            [1.0],
            [-7.0],
        ),
    )
    steep_and_flat = Activation(np.array([-1.75, -1.25]), np.array([-1.0, 0.3, 0.0]), 0.0, 0)
    yield (
        "ill-conditioned: a nearly flat neuron before a steep one",
        case(
            [([[5.8e-18], [-1.0]], [-1.75, -2.0]), ([[1.0, 2.0]], [0.0])],
            steep_and_flat,
            [1.0],
            [-1.0],
        ),
    )
    three = Activation(np.array([-1.75, -1.0, 0.5]), np.array([0.0, 0.3, -1.0, 0.3]), 1.0, 0)
    yield (
        "ill-conditioned: a nearly flat neuron at the second of three",
        case(
            [([[-1.7e-18, 1.7e-18], [-1.0, 1.0]], [-1.0, -1.0]), ([[1.0, 2.0]], [0.0])],
            three,
            [0.0, -1.0],
            [-6.0, 0.0],
        ),
    )
    # The second layer's first neuron is 2.8e-17 x; all of its neurons cross at t = 1/3, and at
    # other points.
    tenths = ([[0.1], [0.2], [0.3], [-1.0]], [0.0, 0.0, 0.0, 0.0])
    sums = ([[1.0, 1.0, -1.0, -(2.0**-56)], [1.0, 0, 0, -1.0], [0, 1.0, 0, 0]], [0.0, 0.0, -0.1])
    yield (
        "ill-conditioned: relus whose sum nearly cancels",
        case([tenths, sums, ([[1.0, 2.0, -1.0]], [0.0])], RELU, [-1.0], [2.0]),
    )


# Lines through the origin of networks without biases.


def through_origin() -> Iterator[tuple[str, Case]]:
    x = np.array([0.7, -1.3, 2.1])
    segments = {
        "from 0": (0 * x, x),
        "to 0": (x, 0 * x),
        "from -x to x": (-x, x),
        "from -x to 2x": (-x, 2 * x),  # the origin is at 1/3
        "from 0 to 0": (0 * x, 0 * x),
    }
    for activation, phi in {"relu": RELU, "hard-tanh": HARD_TANH, "abs": ABS}.items():
        for kind, layers in {
            "gaussian": gaussian([3, 5, 5, 5, 2], seed=2),
            "ternary": integers([3, 5, 5, 5, 2], 1, seed=2),
        }.items():
            for name, segment in segments.items():
                yield (
                    f"{kind} {activation} without biases, {name}",
                    case(unbiased(layers), phi, *segment),
                )


# Weights of few values, and of extreme ones.


def few_values() -> Iterator[tuple[str, Case]]:
    segment = np.array([-5.0, 3, 2, -1]), np.array([4.0, -6, 1, 3])
    for activation, phi in {"relu": RELU, "hard-tanh": HARD_TANH}.items():
        for bound in (1, 3):
            for seed in range(3):
                yield (
                    f"{activation} with integers up to {bound}, {seed}",
                    case(integers([4, 10, 10, 10, 2], bound, seed), phi, *segment),
                )
        for scale in (1 / 128, float(np.float32(1 / 127)), 0.0123):
            yield (
                f"{activation} with 8-bit integers times {scale}",
                case(scaled(integers([4, 8, 8, 8, 2], 127, 7), scale), phi, *segment),
            )


def extreme_values() -> Iterator[tuple[str, Case]]:
    big, small = 2.0**500, 2.0**-500
    base = gaussian([3, 5, 5, 5, 2], seed=3)
    factors = [small, big, small, big]
    yield (
        "weights near 2^-500 and 2^500 without biases",
        case([(w * f, 0 * b) for (w, b), f in zip(base, factors, strict=True)], RELU, *ends(3, 3)),
    )
    yield (
        "weights near 2^-500 and 2^500 with biases to match",
        case(
            [
                (base[0][0] * small, base[0][1] * small),
                (base[1][0] * big, base[1][1]),
                (base[2][0] * big, base[2][1] * big),
                (base[3][0] * small, base[3][1]),
            ],
            RELU,
            *ends(3, 3),
        ),
    )
    rows = np.array([[1.0, big], [small, 1.0], [big, -1.0]])
    yield (
        "2^-500 and 2^500 in one matrix",
        case([(rows, [1.0, -small, 0.5]), ([[1.0, big, small]], [0.0])], RELU, [-1, 1], [1, -1]),
    )
    yield (
        "hard-tanh at 2^500 and 2^-500",
        case(
            [
                (base[0][0] * big, base[0][1] * big),
                (base[1][0] * small, base[1][1]),
                (base[2][0] * big, base[2][1]),
                base[3],
            ],
            HARD_TANH,
            *ends(3, 3),
        ),
    )
    yield (
        "weights near 1e150 and 1e-150",
        case(
            [
                (base[0][0] * 1e150, base[0][1] * 1e150),
                (base[1][0] * 1e-150, base[1][1]),
                (base[2][0] * 1e-150, base[2][1] * 1e-150),
                (base[3][0] * 1e150, base[3][1]),
            ],
            RELU,
            *ends(3, 4),
        ),
    )


def sensitive() -> Iterator[tuple[str, Case]]:
    """What the bounds on one cell must see: each of these was counted wrong once."""
    for s in (1.0, 2.0**500, 2.0**535, 2.0**660):
        yield (
            f"two rows that meet where products of weights near {s:g} overflow",
            case(
                [([[s, s], [s, 2 * s]], [-s / 2, -s / 2]), ([[1 / s, 1 / s]], [0.0])],
                RELU,
                [0.0, 0.0],
                [1.0, 1e-30],
            ),
        )
    s = 5e307
    yield (
        "a sum of sensitivities that overflows and cancels",
        on_unit(
            [
                ([[1e-5]], [-0.5e-5]),
                (np.full((4, 1), 2.0), np.full(4, 1e-5)),
                ([[s, s, -s, -s]], [0.0]),
            ]
        ),
    )
    for slope in (1.0, 1e-80, 1e-120):
        scaled_relu = Activation(np.array([0.0]), np.array([0.0, slope]), 0.0, 0)
        yield (
            f"sensitivities that underflow, then a slope of {slope}",
            on_unit(
                [([[1.0]], [-0.5]), ([[1e-200]], [1e-200]), ([[1e-200]], [1.0]), ([[1.0]], [0.0])],
                [RELU, RELU, scaled_relu],
            ),
        )
    third = 1 / 3
    for small in (1.0, 2.0**-20, 2.0**-40):
        for steep in (1e9, 1e11, 4e12):
            first, second = third + 0.3 / steep, third + 0.6 / steep
            yield (
                f"a low part across a threshold, {small:g} and {steep:g}",
                case(
                    [
                        (
                            [[3 * small, 0], [1, 0], [0, 0], [0, 0], [small, 0], [small, 0]],
                            [-small, 0, 1, 9e-18, -first * small, -second * small],
                        ),
                        ([[0, -1, third, 1, 0, 0], [0, 0, 0.5, 0, 0, 0]], [1, 0]),
                        ([[steep, -2 * steep], [0, 1]], [0, 0]),
                        ([[0.5, 0], [0, 1e14]], [0, 0]),
                        ([[1.0, 0.0]], [0]),
                    ],
                    [RELU, HARD_TANH, HARD_TANH, HARD_TANH],
                    [0.0, 1.0],
                    [1.0, 1.0],
                ),
            )


def underflowing() -> Iterator[tuple[str, Case]]:
    tiny = 5e-324
    yield (
        "denormal weights and biases",
        on_unit(
            [([[tiny], [7 * tiny], [-3 * tiny]], [0.0, -2 * tiny, tiny]), ([[1.0, 1, 1]], [0.0])]
        ),
    )
    yield (
        "denormal inputs",
        case(
            [([[1.0, 1.0], [0.25, -0.5]], [-3 * tiny, tiny]), ([[1.0, 1.0]], [0.0])],
            RELU,
            [tiny, 9 * tiny],
            [8 * tiny, -tiny],
        ),
    )
    low = 2.0**-600
    yield (
        "products that underflow",
        case(
            [([[low], [-low], [2 * low]], [0.0, 0.0, 0.0]), ([[1.0, 2.0, -1.0]], [0.0])],
            RELU,
            [-low],
            [2 * low],
        ),
    )
    base = gaussian([2, 4, 4, 4, 1], seed=5)
    yield (
        "layers that underflow one after the other",
        case([(w * low, 0 * b) for w, b in base], RELU, [-1.0, 0.5], [1.0, 0.7]),
    )
    yield (
        "underflow, then weights that bring it back",
        case(
            [
                (w * f, 0 * b)
                for (w, b), f in zip(base, [low, low, 2.0**900, 2.0**300], strict=True)
            ],
            RELU,
            [-1.0, 0.5],
            [1.0, 0.7],
        ),
    )
    yield (
        "an output whose slopes underflow",
        on_unit([([[low], [low]], [-low / 4, -low / 2]), ([[low, -low]], [0.0])]),
    )
    yield (
        "breakpoints that round to 0",
        case([([[1.0], [1.0]], [-tiny, -3 * tiny]), ([[1.0, 1.0]], [0.0])], RELU, [0.0], [4.0]),
    )


# Dead and touching neurons.

HALVES = ([[1.0], [-1.0]], [-0.5, 0.5])  # max(t - 1/2, 0) and max(1/2 - t, 0)
THIRDS = ([[0.3], [-0.3]], [-0.1, 0.1])  # the same about 0.1 / 0.3, which is no float


def dead_and_touching() -> Iterator[tuple[str, Case]]:
    read = ([[1.0, 2.0]], [0.0])
    base = gaussian([1, 6, 6, 2], seed=6, gain=3)
    yield "a layer dead everywhere", on_unit([base[0], (base[1][0], base[1][1] - 1e3), base[2]])
    yield (
        "a layer dead before 1/2",
        on_unit([HALVES, ([[1.0, 0.0], [2.0, -1.0]], [0.0, 0.0]), read]),
    )
    yield (
        "a layer dead around the middle",
        on_unit([HALVES, ([[1.0, 1.0], [3.0, 3.0]], [-0.25, -1.0]), read]),
    )
    yield "a dead first neuron", on_unit([([[0.0], [1.0]], [-1.0, -0.5]), read])
    yield "a neuron zero everywhere", on_unit([([[0.0], [1.0]], [0.0, -0.5]), read])
    yield "a neuron on everywhere", on_unit([([[0.0], [1.0]], [1.0, -0.5]), read])
    for name, first in {"1/2": HALVES, "0.1 / 0.3": THIRDS}.items():
        for activation, phi in {
            "relu": RELU,
            "abs": ABS,
            "prelu": prelu(-1.0, 0.25),
            "hard-tanh about 0": HARD_TANH,
        }.items():
            phis = [RELU, phi, phi]
            zero = ([[1.0, 0.0], [-1.0, 0.0]], [0.0, 0.0])
            touch = ([[1.0, 1.0], [-1.0, -1.0]], [0.0, 0.0])
            shifted = ([[1.0, 1.0], [-1.0, -1.0]], [1.0, 1.0])
            cross = ([[1.0, -1.0], [-2.0, 2.0]], [0.0, 0.0])
            for kind, second in {
                "zero on an interval": zero,
                "touching zero from above and from below": touch,
                "touching 1 from above and from below": shifted,
                "crossing at the earlier vertex": cross,
            }.items():
                yield f"{activation} {kind} at {name}", on_unit([first, second, cross, read], phis)
    yield (
        "hard-tanh copies saturated together",
        case(
            [([[1.0], [2.0]], [0.0, 1.0]), ([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), read],
            HARD_TANH,
            [-3.0],
            [3.0],
        ),
    )
    both = ([[1.0], [-1.0]], [0.0, 0.0])
    limits = ([[1.0, 0.0], [0.0, -1.0], [4.0, 0.0]], [1.0, -1.0, 2.0])
    yield (
        "relu6 reading hard-tanh at its limits",
        case([both, limits, ([[1.0, 2.0, 3.0]], [0.0])], [HARD_TANH, RELU6], [-3.0], [3.0]),
    )


# Breakpoints that meet.


def meeting() -> Iterator[tuple[str, Case]]:
    read = ([[1.0, 2.0, -1.0]], [0.0])
    for activation, phi in {"relu": RELU, "abs": ABS}.items():
        yield (
            f"{activation} breakpoints at 0, at 1 and inside",
            on_unit([([[1.0], [1.0], [-3.0]], [0.0, -1.0, 1.0]), read], phi),
        )
    yield (
        "hard-tanh breakpoints at 0 and 1",
        case([([[1.0], [-1.0], [0.5]], [0.0, 0.0, 0.0]), read], HARD_TANH, [-1.0], [1.0]),
    )
    yield (
        "breakpoints next to 0 and next to 1",
        on_unit([([[1.0], [1.0], [-1.0]], [-(2.0**-60), -1 + 2.0**-53, 1 - 2.0**-53]), read]),
    )
    edge = ([[1.0, -1.0, 0.0]], [0.0])
    yield (
        "a second layer that crosses at 0 and at 1",
        on_unit(
            [
                ([[1.0], [-1.0]], [0.0, 1.0]),
                ([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]], [0.0, 0.0, 0.0]),
                edge,
            ]
        ),
    )
    # x crosses 0 at t = 1 / 1.7 and with it all neurons of three layers, at slopes that round.
    chain = [
        ([[0.1], [-0.7]], [0.0, 0.0]),
        ([[0.3, -0.7], [-1.1, 0.9]], [0.0, 0.0]),
        ([[0.7, -0.3], [-0.2, 0.6]], [0.0, 0.0]),
        ([[1.0, 1.0]], [0.0]),
    ]
    for activation, phi in {"relu": RELU, "prelu": prelu(0.1, -0.3), "abs": ABS}.items():
        yield (
            f"{activation} breakpoints of three layers at one point",
            case(chain, phi, [-1], [0.7]),
        )
    eighths = np.arange(1, 8) / 8
    both = (np.vstack([np.eye(7), -np.eye(7)]), np.concatenate([-eighths, eighths]) / 8)
    yield (
        "second-layer neurons that cross at many first-layer vertices",
        on_unit(
            [
                (np.ones((7, 1)), -eighths),
                both,
                (np.tril(np.ones((14, 14))), np.zeros(14)),
                (np.ones((1, 14)), [0.0]),
            ]
        ),
    )


# Last layers that do not feel a breakpoint.


def unfelt() -> Iterator[tuple[str, Case]]:
    for name, first in {"1/2": HALVES, "0.1 / 0.3": THIRDS}.items():
        yield f"zero columns at {name}", on_unit([first, ([[0.0, 1.0], [0.0, 0.0]], [1.0, 2.0])])
        yield f"all columns zero at {name}", on_unit([first, ([[0.0, 0.0]], [1.0])])
        yield f"columns that cancel at {name}", on_unit([first, ([[1.0, -1.0]], [0.0])])
        almost = 1 - 2.0**-53
        yield f"columns that almost cancel at {name}", on_unit([first, ([[1.0, -almost]], [0.0])])
        yield (
            f"columns that cancel in one output of two at {name}",
            on_unit([first, ([[1.0, -1.0], [1.0, 1.0]], [0.0, 0.0])]),
        )
    yield (
        "columns that cancel at three times the scale",
        on_unit([([[1.0], [-3.0]], [-0.5, 1.5]), ([[3.0, -1.0]], [0.0])]),
    )
    yield (
        "columns that cancel at a third of the scale",
        on_unit([([[1.0], [-1 / 3]], [-0.5, 0.5 / 3]), ([[1 / 3, -1.0]], [0.0])]),
    )
    yield (
        "columns that cancel in the layer before the last",
        on_unit([HALVES, ([[1.0, -1.0]], [1.0]), ([[1.0]], [0.0])]),
    )
    yield (
        "a layer dead downstream of breakpoints",
        on_unit([HALVES, ([[1.0, 1.0]], [-0.25]), ([[1.0]], [0.0])]),
    )
    yield (
        "hard-tanh whose joints are all unfelt",
        case(
            [
                ([[4.0], [4.0]], [0.0, 2.0]),
                ([[3.0, 3.0], [-3.0, 3.0]], [0.0, 0.0]),
                ([[1.0, 1.0]], [0.0]),
            ],
            HARD_TANH,
            [-1.0],
            [1.0],
        ),
    )


# Functions of many pieces.


def general_functions() -> Iterator[tuple[str, Case]]:
    base = gaussian([2, 3, 3, 2], seed=8)
    segment = [-4.0, 1.0], [3.0, -2.0]
    even = np.arange(-10, 10) / 4
    ups = np.tile([1.0, -1.0], 11)[:21]
    functions = {
        "zigzag": Activation(even, ups, 0.1, 0),
        "staircase": Activation(even, np.tile([0.0, 1.0], 11)[:21], -2.0, -10),
        "equal neighbouring slopes": Activation(even, np.repeat(ups, 2)[:21], 0.0, 0),
        "no bend at all": Activation(even, np.ones(21), -2.5, 0),
        "no slope at all": Activation(even, np.zeros(21), 1.0, 0),
        "thresholds one ulp apart": Activation(
            np.array([0.3, np.nextafter(0.3, 1), 0.5]), np.array([0.0, 1.0, 0.0, 1.0]), 0.0, 0
        ),
        "distant thresholds": Activation(
            np.array([-1e100, 0.0, 1e-100, 1e100]), np.array([2.0, 0.0, 1.0, 0.5, 3.0]), 1e100, 0
        ),
        "low letters": Activation(np.array([0.0, 0.1]), np.array([1.0, 0.0, 1.0]), 0.0, -128),
    }
    for name, phi in functions.items():
        yield name, case(base, phi, *segment)
    hundred = Activation((np.arange(100) - 50) / 7, np.tile([0.5, -1.0], 51)[:101], 0.25, 27)
    yield "a hundred thresholds", case(base[:1] + base[-1:], hundred, *segment)
    yield (
        "different functions in one network",
        case(gaussian([2, 5, 5, 5, 5, 2], seed=9, gain=2), [RELU, HARD_TANH, ABS, RELU6], *segment),
    )
    for slopes in ((0.0, 1.0, -1.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (-0.5, 2.0, 1.0)):
        yield f"prelu with slopes {slopes}", case(base, prelu(*slopes), *segment)
    same = [([[1.0], [2.0], [4.0]], [-0.5, -1.0, -2.0]), ([[1.0, -2.0, 0.25]], [0.0])]
    yield "prelu neurons of one breakpoint", on_unit(same, prelu(1.0, 0.5, 0.0))


# Shapes.


def shapes() -> Iterator[tuple[str, Case]]:
    yield "one affine layer", case([([[1.0, 2.0]], [3.0])], [], [0.0, 0.0], [1.0, -1.0])
    yield (
        "equal end points on a breakpoint",
        case([HALVES, ([[1.0, 1.0]], [0.0])], RELU, [0.5], [0.5]),
    )
    yield "equal end points", case(gaussian([3, 4, 4, 2], seed=10), RELU, *[[0.1, 0.2, 0.3]] * 2)
    yield (
        "width 1",
        on_unit([([[1.0]], [-0.3]), ([[-2.0]], [0.5]), ([[1.0]], [-0.1]), ([[1.0]], [0])]),
    )
    yield "width 1, hard-tanh", case([([[1.3]], [0.1])] * 6, HARD_TANH, [-5.0], [5.0])
    yield "width 1, abs", case([([[-2.0]], [1.0])] * 6, ABS, [-1.0], [1.0])
    # Letters are bits, 64 a word.
    for width in (63, 64, 65, 129):
        yield f"width {width}", case(gaussian([1, width, 2, 1], seed=width), RELU, [-1], [1])
        deep = gaussian([1, 2, width, 1], seed=width)
        yield f"width {width}, hard-tanh", case(deep, HARD_TANH, [-2], [2])
    yield (
        "three ternary layers of 64",
        case(integers([3, 64, 64, 64, 1], 1, seed=0), RELU, [-4.0, 1.0, 2.0], [-2.0, 2.0, -1.0]),
    )
    yield "more inputs than neurons", case(gaussian([70, 2, 2, 1], seed=11), ABS, *ends(70, 11))
    yield (
        "hard-tanh hitting both limits",
        case(gaussian([2, 6, 6, 6, 2], seed=12, gain=8), HARD_TANH, *ends(2, 12)),
    )


# Folds: 2^depth pieces of equal length.


def tents(depth: int, width: int) -> Case:
    """tent(h) = 2 max(h, 0) - 4 max(h - 1/2, 0) on [0, 1], depth times.

    Width 1 folds by 2 |h| - 1 on [-1, 1] instead; wider layers have neurons that never switch
    inside (max(h - 1, 0), of weight 2) or switch together (max(h - 1/2, 0) twice).
    """
    if width == 1:
        first = ([[1.0]], [0.0])
        fold = ([[2.0]], [-1.0])
        return case([first, *[fold] * (depth - 1), ([[2.0]], [-1.0])], ABS, [-1.0], [1.0])
    bias = [0.0, -0.5, -1.0, -0.5][:width]
    row = {2: [2.0, -4.0], 3: [2.0, -4.0, 2.0], 4: [2.0, -1.0, 2.0, -3.0]}[width]
    first = ([[1.0]] * width, bias)
    fold = ([row] * width, bias)
    return case([first, *[fold] * (depth - 1), ([row], [0.0])], RELU, [0.0], [1.0])


def folds() -> Iterator[tuple[str, Case]]:
    for width in (1, 2, 3, 4):
        for depth in (1, 2, 5, 8):
            yield f"{depth} tents of width {width}", tents(depth, width)
    # More cells than the engine hands on at a time, with breakpoints that f feels or does not.
    folded = tents(8, 2).layers
    half = folded[-1][0][0]
    pair = (np.stack([half, -half]), [-0.5, 0.5])
    yield "8 tents read by a pair that cancels", on_unit([*folded[:-1], pair, ([[1.0, -1.0]], [0])])
    yield "8 tents and a pair read by zeros", on_unit([*folded[:-1], pair, ([[0.0, 0.0]], [1.0])])
    yield "8 tents read by one of a pair", on_unit([*folded[:-1], pair, ([[1.0, 0.0]], [0.0])])
    # With tenths nothing is a float any more and the folds no longer meet exactly.
    rounded = [([[0.1], [0.1]], [0.0, -0.05])]
    rounded += [([[2.0, -4.0], [2.0, -4.0]], [0.0, -0.05])] * 6
    yield "tents of height 0.1", on_unit([*rounded, ([[2.0, -4.0]], [0.0])])
    thirds = [([[1.0], [1.0]], [0.0, -1 / 3])]
    thirds += [([[1.5, -4.5], [1.5, -4.5]], [0.0, -1 / 3])] * 6
    yield "tents about a third", on_unit([*thirds, ([[1.0, -3.0]], [0.0])])


TABLES = (
    coincident,
    ill_conditioned,
    through_origin,
    few_values,
    extreme_values,
    sensitive,
    underflowing,
    dead_and_touching,
    meeting,
    unfelt,
    general_functions,
    shapes,
    folds,
)
CORPUS: dict[str, Case] = {name: entry for table in TABLES for name, entry in table()}
UNDERFLOWING = {name for name, _ in underflowing()}
