"""What `pyexpr demo` shows: exact counts on two trained networks, next to those of sampling.

The networks classify handwritten digits (tools/train_digits.py); the trajectory is the segment
between two real images of the test set.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from time import perf_counter
from typing import TextIO, TypeVar

import numpy as np
from numpy.typing import NDArray

import pyexpr
from pyexpr import bounds

Floats = NDArray[np.float32]
Letters = NDArray[np.int8]
T = TypeVar("T")

NETWORKS = (("ReLU", "digits_relu.npz"), ("hard-tanh", "digits_hard_tanh.npz"))
FROM_DIGIT, TO_DIGIT = 3, 8
SAMPLE_SIZES = (10**2, 10**3, 10**4, 10**5, 10**6)
CHUNK = 4096  # points a forward pass, so that memory stays small
REPEATS = 5  # of every exact count and of quick samplings; the best time is shown
REPEATED_UP_TO = 10**4  # points; larger samplings run once
ACTIVATION_REGIONS = "activation regions"
THICK_RULE, THIN_RULE = "=" * 96, "-" * 96
LONGEST_READING = 15  # runs that the example of rounding spells out


@dataclass(frozen=True)
class Count:
    """An exact count and, where it was measured, the seconds that it took."""

    name: str
    value: int
    seconds: float | None = None


@dataclass(frozen=True)
class Run:
    """Consecutive samples with one activation pattern: where they start, and the letters."""

    t: float
    letters: Letters


@dataclass(frozen=True)
class Sampling:
    """What evenly spaced samples along the line see."""

    n_points: int
    runs: list[Run]
    seconds: float


@dataclass(frozen=True)
class Result:
    """All that one table shows."""

    name: str
    widths: list[int]
    test_accuracy: float
    counts: list[Count]
    activation_regions: int
    most: int
    samplings: list[Sampling]


# --- how it is done today: sample, forward in float32, compare neighbouring patterns ---


def forward_letters(net: pyexpr.Network, x: Floats) -> Letters:
    """The letter of every neuron at the points x [k, n], by a float32 forward pass."""
    letters = []
    h = x
    for layer in net.layers:
        if layer.activation is None:  # the last layer
            break
        z = h @ layer.weight.T.astype(np.float32) + layer.bias.astype(np.float32)
        thresholds = layer.activation.breakpoints.astype(np.float32)
        letters.append(np.sum([z > threshold for threshold in thresholds], axis=0, dtype=np.int8))
        h = clip_at(thresholds, z)
    return np.concatenate(letters, axis=1)


def clip_at(thresholds: Floats, z: Floats) -> Floats:
    """ReLU clips at (0, infinity), hard-tanh at (-1, 1)."""
    high = thresholds[1] if len(thresholds) == 2 else np.float32(np.inf)
    return np.clip(z, thresholds[0], high)


def letters_along_line(
    net: pyexpr.Network, x0: Floats, x1: Floats, n_points: int
) -> Iterator[tuple[Floats, Letters]]:
    """Evenly spaced parameters t and the letters there, a chunk at a time."""
    ts = np.linspace(0, 1, n_points, dtype=np.float32)
    for start in range(0, n_points, CHUNK):
        t = ts[start : start + CHUNK]
        x = (1 - t)[:, None] * x0 + t[:, None] * x1
        yield t, forward_letters(net, x)


def sampled_runs(net: pyexpr.Network, x0: Floats, x1: Floats, n_points: int) -> list[Run]:
    """The maximal runs of samples with equal patterns; their number estimates the regions."""
    runs: list[Run] = []
    previous: Letters | None = None
    for t, letters in letters_along_line(net, x0, x1, n_points):
        before = np.concatenate([letters[:1] if previous is None else previous, letters[:-1]])
        starts = np.any(letters != before, axis=1)
        starts[0] |= previous is None  # the first run begins where the line does
        runs += [Run(float(t[i]), letters[i].copy()) for i in np.flatnonzero(starts)]
        previous = letters[-1:]
    return runs


# --- collecting ---


def best_time(task: Callable[[], T], repeats: int) -> tuple[T, float]:
    """What `task` returns, and the least seconds that it took."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        result = task()
        times.append(perf_counter() - start)
    return result, min(times)


def exact_counts(net: pyexpr.Network, x0: Floats, x1: Floats) -> list[Count]:
    """The counts that pyexpr proves."""
    questions: dict[str, Callable[[], int]] = {
        "linear regions": lambda: pyexpr.count_regions(net, x0, x1),
        ACTIVATION_REGIONS: lambda: pyexpr.count_regions(net, x0, x1, kind="activation"),
        "distinct patterns": lambda: pyexpr.count_patterns(net, x0, x1),
        "transitions": lambda: pyexpr.count_transitions(net, x0, x1),
    }
    counts = [Count(name, *best_time(ask, REPEATS)) for name, ask in questions.items()]
    per_layer = pyexpr.count_transitions(net, x0, x1, per="layer")
    return counts + [Count(f"  in layer {i}", int(n)) for i, n in enumerate(per_layer)]


def sample(net: pyexpr.Network, x0: Floats, x1: Floats, n_points: int) -> Sampling:
    repeats = REPEATS if n_points <= REPEATED_UP_TO else 1
    return Sampling(n_points, *best_time(lambda: sampled_runs(net, x0, x1, n_points), repeats))


def load_network(file_name: str) -> tuple[pyexpr.Network, float]:
    """A network that comes with pyexpr, and its accuracy on held-out images."""
    with as_file(files("pyexpr") / "data" / file_name) as path, np.load(path) as arrays:
        return pyexpr.load(path), float(arrays["test_accuracy"])


def load_image(digit: int) -> Floats:
    """The first sample image of a digit: 64 pixels in [0, 1]."""
    path = files("pyexpr") / "data" / "digits_samples.npz"
    with as_file(path) as samples, np.load(samples) as arrays:
        image: Floats = arrays["x"][arrays["y"] == digit][0]
    return image


def examine(name: str, file_name: str) -> Result:
    """Count and sample along the line between the two images."""
    net, test_accuracy = load_network(file_name)
    x0, x1 = load_image(FROM_DIGIT), load_image(TO_DIGIT)
    counts = exact_counts(net, x0, x1)
    return Result(
        name=name,
        widths=[net.layers[0].weight.shape[1], *(len(layer.bias) for layer in net.layers)],
        test_accuracy=test_accuracy,
        counts=counts,
        activation_regions=next(c.value for c in counts if c.name == ACTIVATION_REGIONS),
        most=bounds.line(net),
        samplings=[sample(net, x0, x1, n_points) for n_points in SAMPLE_SIZES],
    )


# --- printing ---


def format_seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def format_integer(value: int) -> str:
    return f"{value:,}" if value < 10**15 else f"{value:.3e}"


def format_row(label: str, count: str, time: str, remark: str = "") -> str:
    return f"{label:<26}{count:>18}{time:>11}   {remark}".rstrip()


def returns(runs: Sequence[Run]) -> int:
    """Runs whose pattern was seen, and left, before; on a line no pattern truly comes back."""
    return len(runs) - len({run.letters.tobytes() for run in runs})


def verdict(runs: Sequence[Run], truth: int) -> str:
    excess = len(runs) - truth
    text = f"{excess} too many" if excess > 0 else f"misses {-excess}" if excess < 0 else "exact"
    n_returns = returns(runs)
    return f"{text} (patterns come back: {n_returns})" if n_returns else text


def exact_rows(result: Result) -> list[str]:
    counts = [
        format_row(count.name, format_integer(count.value), format_seconds(count.seconds))
        for count in result.counts
    ]
    header = format_row("exact, by pyexpr", "count", "time", f"(best of {REPEATS})")
    most = format_row("most for any weights", format_integer(result.most), "")
    return [header, THIN_RULE, *counts, most]


def sampling_rows(result: Result) -> list[str]:
    samplings = [
        format_row(
            f"{sampling.n_points:>9,} points",
            format_integer(len(sampling.runs)),
            format_seconds(sampling.seconds),
            verdict(sampling.runs, result.activation_regions),
        )
        for sampling in result.samplings
    ]
    header = format_row("sampled, float32 numpy", "regions seen", "time", "against the exact count")
    return [header, THIN_RULE, *samplings]


def neuron_names(indices: Sequence[int], hidden_widths: Sequence[int]) -> str:
    """Neurons given in graph order, by their layer and their place in it."""
    ends = np.cumsum(hidden_widths)
    layers = np.searchsorted(ends, indices, side="right")
    places = np.asarray(indices) - (ends - hidden_widths)[layers]
    pairs = zip(places, layers, strict=True)
    return " and ".join(f"neuron {place} of layer {layer}" for place, layer in pairs)


def rounding_example(sampling: Sampling, hidden_widths: Sequence[int]) -> list[str]:
    """What the samples read where one pattern comes back most often."""
    patterns = [run.letters.tobytes() for run in sampling.runs]
    commonest, _ = Counter(patterns).most_common(1)[0]
    first = patterns.index(commonest)
    last = len(patterns) - 1 - patterns[::-1].index(commonest)
    seen = patterns[first : last + 1][:LONGEST_READING]
    names = dict(zip(dict.fromkeys(seen), "ABCDEFGHIJKLMNO", strict=False))
    before, after = sampling.runs[first : first + 2]
    switched = [int(i) for i in np.flatnonzero(before.letters != after.letters)]
    return [
        f"Rounding: at t = {after.t:.7f} the {sampling.n_points:,} points read the patterns "
        + " ".join(names[pattern] for pattern in seen),
        f"(B is A with another letter at {neuron_names(switched, hidden_widths)}).",
        "On a line a pattern never comes back: its region is convex.",
    ]


def table(result: Result) -> list[str]:
    """The lines of one network's table."""
    architecture = "-".join(map(str, result.widths))
    hidden_widths = result.widths[1:-1]
    lines = [
        f"{result.name} network {architecture}, {sum(hidden_widths)} neurons, "
        f"test accuracy {result.test_accuracy:.1%}",
        f"on the line from an image of the digit {FROM_DIGIT} to one of the digit {TO_DIGIT}",
        THICK_RULE,
        *exact_rows(result),
        THICK_RULE,
        *sampling_rows(result),
        THICK_RULE,
    ]
    finest = result.samplings[-1]
    if returns(finest.runs):
        lines += rounding_example(finest, hidden_widths)
    return lines


def run(out: TextIO | None = None) -> None:
    """Print a table for each network, then how to count on one's own."""
    stream = sys.stdout if out is None else out
    for name, file_name in NETWORKS:
        result = examine(name, file_name)
        print(*table(result), "", sep="\n", file=stream, flush=True)
    print("With your own ReLU network, weights W [out, in] and biases b:", file=stream)
    print("    pyexpr.count_regions([(W1, b1), (W2, b2), ...], x0, x1)", file=stream)
