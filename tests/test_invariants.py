"""What must not change the counts, or change them in a known way; every rewriting is exact."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from judge import Array, Counts, counted, exact, first_neurons, network, point
from oracle import analyse
from strategies import FAMILIES, Activation, Case, DenseLayer, cases, oracle_layers

import pyexpr

HOMOGENEOUS = ["relu", "leaky_relu", "prelu", "abs"]
INTEGER = ["ternary", "small_integer"]
EXPONENTS = st.integers(-40, 40)


def counts_of(case: Case) -> Counts:
    return counted(network(case), case.x0, case.x1)


def split_by_layer(values: Sequence[int], widths: Sequence[int]) -> list[list[int]]:
    return [
        list(values[start : start + width])
        for start, width in zip(first_neurons(widths), widths, strict=True)
    ]


def widths_of(case: Case) -> list[int]:
    return [len(bias) for _, bias in case.layers[:-1]]


def copied(case: Case) -> list[DenseLayer]:
    return [(weight.copy(), bias.copy()) for weight, bias in case.layers]


# The segment.


@given(cases())
def test_the_reversed_segment_has_the_same_counts(case: Case) -> None:
    assert counts_of(case) == counts_of(replace(case, x0=case.x1, x1=case.x0))


@given(cases())
def test_the_reversed_segment_is_traced_backwards(case: Case) -> None:
    net = network(case)
    forward = pyexpr.trace(net, case.x0, case.x1)
    backward = pyexpr.trace(net, case.x1, case.x0)
    assert np.array_equal(forward.patterns()[::-1], backward.patterns())
    assert np.array_equal(forward.bends[::-1], backward.bends)
    # Each t is within an ulp (at most 2^-53 below 1) of the true one, and 1 - t rounds once more.
    assert np.all(np.abs(forward.t[::-1] - (1 - backward.t)) <= 2.0**-51)


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_a_split_segment_has_the_counts_of_its_parts(family: str, data: st.DataObject) -> None:
    case = data.draw(cases(families=[family]))
    inputs = len(case.x0)
    ends = st.lists(st.integers(-8, 8), min_size=inputs, max_size=inputs)
    x0, x1 = np.array(data.draw(ends), float), np.array(data.draw(ends), float)
    eighths = data.draw(st.integers(1, 7))
    middle = x0 + eighths / 8 * (x1 - x0)  # exact: a multiple of 1/8 below 2^5
    t = Fraction(eighths, 8)
    assert exact(middle) == point(exact(x0), exact(x1), t)

    whole = counts_of(replace(case, x0=x0, x1=x1))
    left = counts_of(replace(case, x0=x0, x1=middle))
    right = counts_of(replace(case, x0=middle, x1=x1))
    analysis = analyse(oracle_layers(case), x0, x1)
    splits_region = t not in analysis.breakpoints
    bends = [
        b
        for b, (before, after) in zip(analysis.breakpoints, pairwise(analysis.slopes), strict=True)
        if before != after
    ]
    assert left.activation + right.activation - splits_region == whole.activation
    assert left.patterns + right.patterns - splits_region == whole.patterns
    assert left.linear + right.linear - (t not in bends) == whole.linear
    at_the_split = sum(s.t == t for s in analysis.transitions)
    assert left.transitions + right.transitions + at_the_split == whole.transitions


@pytest.mark.parametrize("activation", ["relu", "hard_tanh", "abs"])
@pytest.mark.parametrize("seed", range(5))
def test_a_split_segment_of_a_larger_network(activation: str, seed: int) -> None:
    # Generic weights: the points k / 8 lie inside regions.
    net = pyexpr.Network.random([8, 40, 40, 40, 4], activation, 6.0, 0.5, seed=seed)
    x0, x1 = np.random.default_rng(seed).integers(-8, 9, (2, 8)).astype(float)
    nodes = [x0 + k / 8 * (x1 - x0) for k in range(9)]
    parts = [counted(net, a, b) for a, b in pairwise(nodes)]
    whole = counted(net, x0, x1)
    assert sum(part.activation for part in parts) - 7 == whole.activation > 20
    assert sum(part.patterns for part in parts) - 7 == whole.patterns
    assert sum(part.linear for part in parts) - 7 == whole.linear
    assert np.sum([part.per_neuron for part in parts], axis=0).tolist() == whole.per_neuron


@given(cases())
def test_a_point_has_one_region(case: Case) -> None:
    net = network(case)
    counts = counted(net, case.x0, case.x0)
    assert (counts.linear, counts.activation, counts.patterns, counts.transitions) == (1, 1, 1, 0)
    assert set(counts.per_layer) | set(counts.per_neuron) == {0}


@given(cases(families=INTEGER), st.data())
def test_a_shift_of_the_inputs_moves_into_the_bias(case: Case, data: st.DataObject) -> None:
    # W (x + c) + (b - W c), with integers W and c; b may round, so it is an integer too.
    inputs = len(case.x0)
    integers = st.lists(st.integers(-8, 8), min_size=inputs, max_size=inputs)
    shift, x0, x1 = (np.array(data.draw(integers), float) for _ in range(3))
    layers = copied(case)
    weight, bias = layers[0][0], np.round(layers[0][1])
    layers[0] = (weight, bias)
    shifted = [(weight, bias - weight @ shift), *layers[1:]]
    assert counts_of(replace(case, layers=layers, x0=x0, x1=x1)) == counts_of(
        replace(case, layers=shifted, x0=x0 + shift, x1=x1 + shift)
    )


def scaled_by(x: Array, exponents: Array | int) -> Array:
    """x 2^exponents; no case where that would round a denormal number."""
    scaled = np.ldexp(x, exponents)
    assume(np.array_equal(np.ldexp(scaled, -exponents), x))
    return scaled


@given(cases(), EXPONENTS)
def test_inputs_and_first_weights_can_be_scaled_oppositely(case: Case, exponent: int) -> None:
    layers = copied(case)
    layers[0] = (scaled_by(layers[0][0], -exponent), layers[0][1])
    scaled = replace(
        case, layers=layers, x0=scaled_by(case.x0, exponent), x1=scaled_by(case.x1, exponent)
    )
    assert counts_of(scaled) == counts_of(case)


# The neurons.


@given(cases(activations=HOMOGENEOUS), st.data())
def test_a_neuron_scaled_up_and_read_scaled_down_changes_nothing(
    case: Case, data: st.DataObject
) -> None:
    layers = copied(case)
    for index, width in enumerate(widths_of(case)):
        exponents = np.array(data.draw(st.lists(EXPONENTS, min_size=width, max_size=width)))
        weight, bias = layers[index]
        layers[index] = (scaled_by(weight, exponents[:, None]), scaled_by(bias, exponents))
        following, following_bias = layers[index + 1]
        layers[index + 1] = (scaled_by(following, -exponents), following_bias)
    scaled = replace(case, layers=layers)
    assert counts_of(scaled) == counts_of(case)
    before = pyexpr.trace(network(case), case.x0, case.x1)
    after = pyexpr.trace(network(scaled), case.x0, case.x1)
    assert np.array_equal(before.patterns(), after.patterns())
    assert np.array_equal(before.bends, after.bends)


def permuted(phi: Activation, order: Array) -> Activation:
    if phi.slopes.ndim == 1:
        return phi
    return replace(phi, slopes=phi.slopes[order])


@given(cases(), st.data())
def test_permuted_neurons_have_permuted_transitions(case: Case, data: st.DataObject) -> None:
    layers, phis = copied(case), list(case.activations)
    orders = []
    for index, width in enumerate(widths_of(case)):
        order = np.array(data.draw(st.permutations(range(width))))
        weight, bias = layers[index]
        layers[index] = (weight[order], bias[order])
        following, following_bias = layers[index + 1]
        layers[index + 1] = (following[:, order], following_bias)
        phis[index] = permuted(phis[index], order)
        orders.append(order)
    before = counts_of(case)
    after = counts_of(replace(case, layers=layers, activations=phis))
    by_layer = split_by_layer(before.per_neuron, widths_of(case))
    expected = [counts[k] for counts, order in zip(by_layer, orders, strict=True) for k in order]
    assert after == replace(before, per_neuron=expected)


@given(cases(), st.data())
def test_permuted_inputs_change_nothing(case: Case, data: st.DataObject) -> None:
    order = np.array(data.draw(st.permutations(range(len(case.x0)))))
    layers = copied(case)
    layers[0] = (layers[0][0][:, order], layers[0][1])
    after = counts_of(replace(case, layers=layers, x0=case.x0[order], x1=case.x1[order]))
    assert after == counts_of(case)


@given(cases(activations=["relu", "hard_tanh", "abs", "leaky_relu", "custom"]), st.data())
def test_a_copy_of_a_neuron_that_shares_its_output_switches_with_it(
    case: Case, data: st.DataObject
) -> None:
    widths = widths_of(case)
    index = data.draw(st.integers(0, len(widths) - 1))
    neuron = data.draw(st.integers(0, widths[index] - 1))
    layers = copied(case)
    weight, bias = layers[index]
    layers[index] = (np.vstack([weight, weight[neuron]]), np.append(bias, bias[neuron]))
    following, following_bias = layers[index + 1]
    following[:, neuron] /= 2
    layers[index + 1] = (np.column_stack([following, following[:, neuron]]), following_bias)

    before, after = counts_of(case), counts_of(replace(case, layers=layers))
    by_layer = split_by_layer(before.per_neuron, widths)
    by_layer[index].append(by_layer[index][neuron])
    assert after == replace(
        before,
        transitions=sum(map(sum, by_layer)),
        per_layer=[sum(counts) for counts in by_layer],
        per_neuron=[*chain.from_iterable(by_layer)],
    )


@given(cases(activations=["relu", "hard_tanh"]), st.data())
def test_a_neuron_that_is_always_off_counts_for_nothing(case: Case, data: st.DataObject) -> None:
    widths = widths_of(case)
    index = data.draw(st.integers(0, len(widths) - 1))
    layers = copied(case)
    weight, bias = layers[index]
    layers[index] = (np.vstack([weight, 0 * weight[0]]), np.append(bias, -5.0))
    following, following_bias = layers[index + 1]
    # A hard-tanh at its lower limit is the constant -1: it may not be read.
    layers[index + 1] = (np.column_stack([following, 0 * following[:, 0]]), following_bias)
    before, after = counts_of(case), counts_of(replace(case, layers=layers))
    by_layer = split_by_layer(before.per_neuron, widths)
    by_layer[index].append(0)
    assert after == replace(before, per_neuron=[*chain.from_iterable(by_layer)])


@given(cases(activations=["hard_tanh"]), st.data())
def test_a_negated_hard_tanh_neuron_switches_as_before(case: Case, data: st.DataObject) -> None:
    layers = copied(case)
    for index, width in enumerate(widths_of(case)):
        signs = np.array(
            data.draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=width, max_size=width))
        )
        weight, bias = layers[index]
        layers[index] = (weight * signs[:, None], bias * signs)
        following, following_bias = layers[index + 1]
        layers[index + 1] = (following * signs, following_bias)
    assert counts_of(replace(case, layers=layers)) == counts_of(case)


@given(cases(activations=["abs"]), st.data())
def test_a_negated_abs_neuron_changes_no_linear_region(case: Case, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(case.layers) - 2))
    layers = copied(case)
    weight, bias = layers[index]
    layers[index] = (-weight, -bias)
    assert counts_of(replace(case, layers=layers)).linear == counts_of(case).linear


# The outputs.


@given(cases())
def test_repeated_and_rescaled_outputs_change_nothing(case: Case) -> None:
    layers = copied(case)
    weight, bias = layers[-1]
    layers[-1] = (np.vstack([weight, -4 * weight]), np.append(bias, bias + 1))
    assert counts_of(replace(case, layers=layers)) == counts_of(case)


@given(cases())
def test_a_constant_output_has_one_linear_region(case: Case) -> None:
    layers = copied(case)
    weight, bias = layers[-1]
    layers[-1] = (0 * weight, bias)
    assert counts_of(replace(case, layers=layers)) == replace(counts_of(case), linear=1)


# One activation written in another.


def as_relu_pairs(case: Case, shifts: tuple[float, float], value: float) -> Case:
    """phi(z) = value + relu(z + shifts[0]) - relu(z + shifts[1]), every layer in turn."""
    layers: list[DenseLayer] = []
    constant: Array | float = 0.0  # what the layer before adds to this one's bias
    for index, (weight, bias) in enumerate(case.layers):
        if index > 0:
            constant = value * weight.sum(axis=1)
            weight = np.column_stack([weight, -weight])
        bias = bias + constant
        if index < len(case.layers) - 1:
            weight = np.vstack([weight, weight])
            bias = np.concatenate([bias + shifts[0], bias + shifts[1]])
        layers.append((weight, bias))
    relu = Activation(np.zeros(1), np.array([0.0, 1.0]), 0.0, 0)
    return replace(case, layers=layers, activations=[relu] * (len(layers) - 1))


@given(cases(families=INTEGER, activations=["hard_tanh"]))
def test_hard_tanh_is_a_difference_of_relus(case: Case) -> None:
    # -1 + relu(z + 1) - relu(z - 1), with integer biases so that nothing rounds. Only f is the
    # same: where z is identically 1, hard-tanh saturates and neither ReLU changes.
    case = replace(case, layers=[(weight, np.round(bias)) for weight, bias in case.layers])
    pairs = as_relu_pairs(case, (1.0, -1.0), -1.0)
    assert counts_of(pairs).linear == counts_of(case).linear


@given(cases(activations=["relu"]))
def test_abs_of_a_relu_is_the_relu(case: Case) -> None:
    # A second layer of magnitudes after each ReLU never bends.
    net = network(case)
    identity = [(np.eye(width), np.zeros(width)) for width in widths_of(case)]
    layers: list[DenseLayer] = []
    for layer, after in zip(case.layers, identity, strict=False):
        layers += [layer, after]
    layers.append(case.layers[-1])
    both = pyexpr.Network.dense(layers, ["relu", "abs"] * len(identity))
    assert pyexpr.count_regions(both, case.x0, case.x1) == pyexpr.count_regions(
        net, case.x0, case.x1
    )


@pytest.mark.parametrize("seed", [13, 111, 124, 181, 329, 361])
def test_a_layer_scaled_far_into_its_activation_changes_nothing(seed: int) -> None:
    # Squares of such weights underflow; the norms of rows must not.
    rng = np.random.default_rng(seed)
    depth, width = int(rng.integers(3, 6)), int(rng.integers(6, 14))
    hidden = int(rng.integers(1, depth))
    layers, scaled, activations, scaled_activations = [], [], [], []
    fan_in: int = 2
    scale = 2.0**-600
    for i in range(depth):
        weight = rng.standard_normal((width, fan_in)) * 8 / np.sqrt(fan_in)
        bias = rng.standard_normal(width) * 0.3
        layers.append((weight, bias))
        activations.append(pyexpr.HardTanh())
        if i == hidden:
            weight, bias = weight * scale, bias * scale
            breakpoints = np.array([-scale, scale])
            phi = pyexpr.PiecewiseLinear(breakpoints, [0.0, 1 / scale, 0.0], -1.0, first_letter=-1)
        else:
            phi = pyexpr.HardTanh()
        scaled.append((weight, bias))
        scaled_activations.append(phi)
        fan_in = width
    readout = (rng.standard_normal((2, fan_in)), np.zeros(2))
    x0, x1 = rng.standard_normal((2, 2))
    net = pyexpr.Network.dense([*layers, readout], activations)
    other = pyexpr.Network.dense([*scaled, readout], scaled_activations)
    assert counted(net, x0, x1) == counted(other, x0, x1)
