"""`pyexpr demo` on its ReLU network, with fewer samples: the exact counts are the oracle's."""

import io
import re

import numpy as np
import pytest
from judge import expected_counts
from oracle import analyse, from_network

import pyexpr
from pyexpr import demo


@pytest.fixture(scope="module")
def printed() -> str:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "NETWORKS", demo.NETWORKS[:1])
        patch.setattr(demo, "SAMPLE_SIZES", (10, 1000, 20_000))
        patch.setattr(demo, "REPEATS", 1)
        demo.run(out)
    return out.getvalue()


def number(printed: str, label: str) -> int:
    """The first number of the row with this label."""
    match = re.search(rf"^\s*{re.escape(label)}\s+([\d,]+)(?=\s)", printed, re.MULTILINE)
    assert match, f"no row {label!r} in\n{printed}"
    return int(match[1].replace(",", ""))


def test_the_exact_counts_are_the_oracles(printed: str) -> None:
    net, _ = demo.load_network(demo.NETWORKS[0][1])
    x0 = demo.load_image(demo.FROM_DIGIT).astype(np.float64)
    x1 = demo.load_image(demo.TO_DIGIT).astype(np.float64)
    counts = expected_counts(analyse(from_network(net), x0, x1), net.neurons_per_layer)
    assert number(printed, "linear regions") == counts.linear
    assert number(printed, "activation regions") == counts.activation > 20
    assert number(printed, "distinct patterns") == counts.patterns
    assert number(printed, "transitions") == counts.transitions
    for i, transitions in enumerate(counts.per_layer):
        assert number(printed, f"in layer {i}") == transitions


def test_the_most_regions_of_the_widths_are_told(printed: str) -> None:
    # Four layers of 64 ReLUs.
    assert number(printed, "most for any weights") == 65**4


def test_every_sampling_has_a_row(printed: str) -> None:
    net, _ = demo.load_network(demo.NETWORKS[0][1])
    x0, x1 = demo.load_image(demo.FROM_DIGIT), demo.load_image(demo.TO_DIGIT)
    for n_points in (10, 1000, 20_000):
        seen = number(printed, f"{n_points:,} points")
        assert seen == len(demo.sampled_runs(net, x0, x1, n_points))
    # Ten points cannot see what is there.
    assert number(printed, "10 points") <= 10
    missed = pyexpr.count_regions(net, x0, x1, kind="activation") - number(printed, "10 points")
    assert f"misses {missed}" in printed


def test_it_says_how_to_do_the_same(printed: str) -> None:
    assert "pyexpr.count_regions(" in printed


def test_samples_in_float64_are_the_networks_letters() -> None:
    # The demo's own forward pass agrees with the trace in the middle of wide regions.
    net, _ = demo.load_network(demo.NETWORKS[0][1])
    x0, x1 = demo.load_image(demo.FROM_DIGIT), demo.load_image(demo.TO_DIGIT)
    trace = pyexpr.trace(net, x0, x1)
    wide = np.flatnonzero(np.diff(trace.nodes) > 1e-3)
    assert len(wide) > 10
    middles = ((trace.nodes[:-1] + trace.nodes[1:]) / 2)[wide].astype(np.float32)
    points = (1 - middles)[:, None] * x0 + middles[:, None] * x1
    assert np.array_equal(demo.forward_letters(net, points), trace.patterns()[wide])
