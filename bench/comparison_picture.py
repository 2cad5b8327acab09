"""The picture of a comparison: times beside the forward pass, and errors of the counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comparison import PYEXPR, REGIONCAM, SAMPLES, TWO_THREADS, Row, thousands
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from pyexpr.plot.style import BLUE, DARK, GREY, PALE, RED, new_figure

FEW, MANY = SAMPLES
TIMES = "\N{MULTIPLICATION SIGN}"
LEAST_ERROR = 1e-5  # left of it is where exact counts go, side by side


@dataclass(frozen=True)
class Series:
    name: str
    label: str
    colour: str
    marker: str
    place: int = 0  # among exact counts


SERIES = [
    Series(PYEXPR, "pyexpr", BLUE, "o"),
    Series(REGIONCAM, "regioncam", RED, "s", 1),
    Series(FEW, f"{thousands(SAMPLES[FEW])} samples", "#c9a227", "v", 2),
    Series(MANY, f"{thousands(SAMPLES[MANY])} samples", "#7a5c99", "^", 3),
]


def draw(rows: Sequence[Row], path: Path) -> None:
    figure = new_figure(9.0, 1.2 + 0.26 * len(rows), columns=2)
    times, errors = figure.axes
    if grid := times.get_gridspec():
        grid.set_width_ratios([1.6, 1])
    draw_times(times, rows)
    draw_errors(errors, rows)
    for ax in (times, errors):
        dress(ax, len(rows))
    figure.legend(
        *times.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(SERIES) + 1,
        frameon=False,
        fontsize="small",
        handletextpad=0.2,
        columnspacing=1.6,
    )
    figure.savefig(path)


def draw_times(ax: Axes, rows: Sequence[Row]) -> None:
    ax.set_xscale("log")
    ax.axvline(1, color=GREY, linewidth=0.9, zorder=1)
    for series in SERIES:
        dots(ax, series, [row.ratio(series.name) for row in rows])
        if series.name == PYEXPR:
            ratios = [row.ratio(TWO_THREADS) for row in rows]
            ax.plot(
                *known(ratios),
                "o",
                markersize=8,
                markerfacecolor="none",
                markeredgecolor=BLUE,
                markeredgewidth=0.9,
                label="pyexpr on two threads",
            )
    ax.set_title("Time, in forward passes at regions + 1 points", loc="left", fontsize="small")
    ax.set_yticks(range(len(rows)), [row.title for row in rows])
    ax.xaxis.set_major_locator(LogLocator(numticks=20))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}{TIMES}"))


def draw_errors(ax: Axes, rows: Sequence[Row]) -> None:
    ax.set_xscale("symlog", linthresh=LEAST_ERROR, linscale=1.2)
    ax.axvspan(-0.2 * LEAST_ERROR, LEAST_ERROR, color=BLUE, alpha=0.1, linewidth=0)
    for series in SERIES:
        errors = [row.error(series.name) for row in rows]
        exact = series.place * LEAST_ERROR / 4
        dots(ax, series, [exact if error == 0 else error for error in errors])
    ax.set_title("Error of the count", loc="left", fontsize="small")
    ax.set_xlim(-0.2 * LEAST_ERROR, 1.3)
    ax.set_xticks([0.4 * LEAST_ERROR, 1e-4, 1e-3, 1e-2, 1e-1, 1])
    ax.set_xticklabels(["exact", "0.01%", "0.1%", "1%", "10%", "100%"])
    ax.yaxis.tick_right()
    ax.set_yticks(range(len(rows)), [f"{thousands(row.regions)} regions" for row in rows])


def dots(ax: Axes, series: Series, values: Sequence[float | None]) -> None:
    ax.plot(
        *known(values),
        series.marker,
        markersize=5.5,
        color=series.colour,
        markeredgecolor="white",
        markeredgewidth=0.5,
        label=series.label,
        zorder=4 if series.name == PYEXPR else 3,
    )


def known(values: Sequence[float | None]) -> tuple[list[float], list[int]]:
    """Those that there are, and their rows."""
    rows = [row for row, value in enumerate(values) if value is not None]
    return [value for value in values if value is not None], rows


def dress(ax: Axes, n_rows: int) -> None:
    ax.hlines(
        range(n_rows),
        0,
        1,
        transform=ax.get_yaxis_transform(),
        color=PALE,
        linewidth=0.6,
        zorder=0,
    )
    ax.set_ylim(n_rows - 0.4, -0.6)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.tick_params(length=0, labelsize="x-small", labelcolor=DARK)
    ax.spines[:].set_visible(False)
