"""Makes the tables and the picture of docs/mathematics/bounds.md.

usage: python tools/make_bounds.py

Needs matplotlib and two minutes. Prints the tables and writes docs/images/bounds.png.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

import pyexpr
from pyexpr import bounds, theory
from pyexpr.plot.style import CYCLE, at_whole_numbers, dress, new_figure

NETWORKS = 20  # random ones, each on a segment of its own
BIAS_VARIANCE = 0.01
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "bounds.png"


@dataclass(frozen=True)
class Family:
    """Random networks with weights N(0, weight_variance / fan_in)."""

    inputs: int
    width: int
    depth: int
    activation: str = "relu"
    weight_variance: float = 2.0

    @property
    def sizes(self) -> list[int]:
        return [self.inputs, *[self.width] * self.depth, 10]

    def segment(self, seed: int) -> tuple[pyexpr.Line, np.random.Generator]:
        """Between two standard normal points; and what to draw the network from."""
        rng = np.random.default_rng(seed)
        return pyexpr.Line(*rng.standard_normal((2, self.inputs))), rng

    def counts(self) -> npt.NDArray[np.int64]:
        """Activation regions of the networks."""
        return np.array([self._count(seed) for seed in range(NETWORKS)])

    def _count(self, seed: int) -> int:
        line, rng = self.segment(seed)
        net = self.network(rng, BIAS_VARIANCE)
        return int(pyexpr.count_regions(net, line, kind="activation"))

    def growth(self, seed: int) -> float:
        """What each of the later layers multiplies lengths by, without biases."""
        line, rng = self.segment(seed)
        length = pyexpr.trace(self.network(rng, 0.0), line).lengths.length
        return float((length[-2] / length[self.depth // 2]) ** (1 / (self.depth - self.depth // 2)))

    def network(self, rng: np.random.Generator, bias_variance: float) -> pyexpr.Network:
        return pyexpr.Network.random(
            self.sizes, self.activation, self.weight_variance, bias_variance, seed=rng
        )

    def expected(self) -> float:
        """The mean over the segments of what theory expects."""
        draw = partial(
            theory.expected_regions,
            self.sizes,
            activation=self.activation,
            weight_variance=self.weight_variance,
            bias_variance=BIAS_VARIANCE,
        )
        return float(np.mean([draw(self.segment(seed)[0]) for seed in range(NETWORKS)]))


FAMILIES = [
    Family(10, 20, 1),
    Family(10, 20, 4),
    Family(100, 100, 3),
    Family(784, 256, 2),
    Family(784, 256, 5),
    Family(784, 256, 10),
    Family(784, 128, 5, "hard_tanh", 2.0),
    Family(784, 128, 5, "hard_tanh", 8.0),
    Family(784, 128, 5, "hard_tanh", 32.0),
]


def main() -> None:
    print("\n".join(table(FAMILIES)))
    print()
    print("\n".join(growth_table()))
    draw()


def table(families: Sequence[Family]) -> list[str]:
    """In markdown."""
    lines = [
        "| network | activation, weight variance | most on a segment "
        "| in the input space, at most | typical | expected | typical / most |",
        "|---|---|---|---|---|---|---|",
    ]
    return [*lines, *map(row, families)]


def row(family: Family) -> str:
    counts = family.counts()
    most = bounds.line(family.sizes, activation=family.activation)
    everywhere = bounds.serra_2018(family.sizes, activation=family.activation, log10=True)
    cells = [
        f"{family.inputs}-{family.depth}x{family.width}-10",
        f"{family.activation}, {family.weight_variance:g}",
        f"{most:,}" if most < 10**9 else f"{most:.2e}",
        f"10^{everywhere:,.1f}",
        f"{counts.mean():,.1f} ± {counts.std(ddof=1) / NETWORKS**0.5:,.1f}",
        f"{family.expected():,.1f}",
        f"{counts.mean() / most:.1e}",
    ]
    return f"| {' | '.join(cells)} |"


def growth_table() -> list[str]:
    """In markdown."""
    return [
        "| activation, weight variance | measured | mean field | ReLU, 100 wide "
        "| stated base | lower base |",
        "|---|---|---|---|---|---|",
        *map(growth_row, GROWING),
    ]


GROWING = [Family(100, 100, 10, "relu", v) for v in (2.0, 4.0)] + [
    Family(100, 100, 10, "hard_tanh", v) for v in (2.0, 4.0, 16.0)
]


def growth_row(family: Family) -> str:
    variance, relu = family.weight_variance, family.activation == "relu"
    rates = np.array([family.growth(seed) for seed in range(NETWORKS)])
    exact = f"{theory.relu_growth(family.width, variance):.4f}" if relu else ""
    bases = [theory.stated_growth(family.width, variance), theory.lower_growth(variance)]
    cells = [
        f"{family.activation}, {variance:g}",
        f"{rates.mean():.3f} ± {rates.std(ddof=1) / NETWORKS**0.5:.3f}",
        f"{theory.mean_field_growth(family.activation, variance):.4f}",
        exact,
        *("" if relu else f"{base:.4f}" for base in bases),
    ]
    return f"| {' | '.join(cells)} |"


DEPTHS = range(1, 11)
DRAWN = [
    ("ReLU, 16 wide", 16, "relu", 2.0),
    ("ReLU, 64 wide", 64, "relu", 2.0),
    ("ReLU, 256 wide", 256, "relu", 2.0),
    ("hard-tanh, 64 wide, variance 2", 64, "hard_tanh", 2.0),
    ("hard-tanh, 64 wide, variance 32", 64, "hard_tanh", 32.0),
]


def draw() -> None:
    figure = new_figure(7.0, 2.9, columns=2)
    regions, shares = figure.axes
    for colour, (name, width, activation, variance) in zip(CYCLE, DRAWN, strict=False):
        families = [Family(100, width, depth, activation, variance) for depth in DEPTHS]
        counts = np.array([family.counts() for family in families])
        most = np.array(
            [float(bounds.line(family.sizes, activation=activation)) for family in families]
        )
        mean, low, high = counts.mean(axis=1), counts.min(axis=1), counts.max(axis=1)
        regions.plot(DEPTHS, most, color=colour, linewidth=0.9, linestyle="--")
        regions.plot(DEPTHS, mean, color=colour, linewidth=1.1, marker="o", markersize=2.5)
        regions.fill_between(DEPTHS, low, high, color=colour, alpha=0.25, linewidth=0)
        shares.plot(
            DEPTHS, mean / most, color=colour, linewidth=1.1, marker="o", markersize=2.5, label=name
        )
    for ax in (regions, shares):
        ax.set_yscale("log")
        at_whole_numbers(ax.xaxis)
    dress(regions, title="Regions of a segment", x="hidden layers", y="activation regions")
    regions.plot([], [], color="#333333", linewidth=0.9, linestyle="--", label="maximum")
    regions.plot(
        [], [], color="#333333", linewidth=1.1, marker="o", markersize=2.5, label="random networks"
    )
    regions.legend(frameon=False, fontsize="x-small", loc="upper left")
    dress(shares, title="Count / maximum", x="hidden layers", y="share of the maximum")
    shares.legend(frameon=False, fontsize="x-small", loc="lower left")
    figure.savefig(PICTURE)


if __name__ == "__main__":
    main()
