"""All bounds that apply, sharpest first, beside the exact count."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

import numpy.typing as npt

from pyexpr._curves import Given, is_segment, read_arguments, read_path
from pyexpr._progress import Progress
from pyexpr._text import plural
from pyexpr.activations import ActivationLike
from pyexpr.bounds import lower
from pyexpr.bounds.architecture import (
    Architecture,
    ArchitectureLike,
    NotApplicable,
    as_architecture,
)
from pyexpr.bounds.arrangements import zaslavsky
from pyexpr.bounds.convolutions import xiong_2020, xiong_2020_lower
from pyexpr.bounds.curves import arc, circle, curve
from pyexpr.bounds.input_space import all_patterns, montufar_2017, raghu_2017, serra_2018
from pyexpr.bounds.line import line, line_is_attained, line_product, polyline
from pyexpr.bounds.numbers import Bound
from pyexpr.bounds.stable import serra_ramalingam_2020
from pyexpr.counting import count_patterns, count_regions, count_transitions
from pyexpr.network import Network
from pyexpr.trajectories import Arc, Bezier, Circle, Line, Trajectory
from pyexpr.trajectories.base import Reversed

What: TypeAlias = Literal["regions", "patterns"]

_DIGITS = 100  # of an integer that the table holds
_SHOWN = 15  # that it shows
_FAR = 300  # digits of a number that is shown by its exponent


@dataclass(frozen=True)
class Row:
    """A bound in a table.

    Attributes
    ----------
    name : str
        Of the function in `pyexpr.bounds`.
    bounds : str
        "regions": activation regions, hence also linear regions and distinct patterns.
        "patterns": distinct activation patterns only.
    holds : str
        For what.
    log10 : float
        Of the bound.
    value : int or None
        The bound; None if it has more than 100 digits.
    count : int or None
        The exact count of what is bounded; None if nothing was counted.
    """

    name: str
    bounds: What
    holds: str
    log10: float
    value: int | None
    count: int | None

    @property
    def log10_share(self) -> float | None:
        """The logarithm of count / bound to base 10; None if nothing was counted."""
        return None if self.count is None else math.log10(self.count) - self.log10


@dataclass(frozen=True)
class Exact:
    """The exact counts of a network along the trajectory.

    Attributes
    ----------
    activation_regions, linear_regions, patterns, transitions : int
    """

    activation_regions: int
    linear_regions: int
    patterns: int
    transitions: int


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """What `table` returns; prints as one.

    Attributes
    ----------
    title : str
    exact : Exact or None
        None without a network.
    upper, lower : tuple of Row
        Upper bounds, the sharpest first; lower bounds on the most regions of the input space that
        some weights give, the largest first.
    """

    title: str
    exact: Exact | None
    upper: tuple[Row, ...]
    lower: tuple[Row, ...]

    def __repr__(self) -> str:
        return f"<Table of {len(self.upper) + len(self.lower)} bounds: {self.title}>"

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def table(
    net: ArchitectureLike,
    trajectory: Given | None = None,
    x1: npt.ArrayLike | None = None,
    *,
    activation: ActivationLike | None = None,
    progress: Progress = False,
) -> Table:
    """The bounds that apply along a trajectory, and the exact counts.

    Parameters
    ----------
    net
        A network, whose regions are counted; or an `Architecture`, or sizes, of which only
        the bounds are told.
    trajectory, x1
        A trajectory, or two points, array_like [*input_shape], as for `count_regions`. Without
        weights it may be left out, for any segment.
    activation
        With sizes: "relu" unless given.
    progress
        As for `count_regions`.

    Returns
    -------
    Table

    Raises
    ------
    TypeError, ValueError, OverflowError
        As `count_regions`; for a network without a trajectory; for points of another dimension.
    """
    architecture = as_architecture(net, activation)
    network = architecture.network
    if trajectory is None:
        if network is not None or x1 is not None:
            raise TypeError("trajectory is missing; give one, or two points, to count along")
        return _table(architecture, None, None)
    if network is not None:
        given = read_arguments(network, trajectory, x1)[1]
        return _table(architecture, given, _count(network, given, progress))
    return _table(architecture, read_path(architecture.inputs, trajectory, x1), None)


def _table(architecture: Architecture, path: Trajectory | None, exact: Exact | None) -> Table:
    upper = [*_along(architecture, path, exact), *_everywhere(architecture, exact)]
    known = [
        _row(f, architecture, "regions", "the input space, some weights and biases", None)
        for f in _LOWER
    ]
    return Table(
        _title(architecture, path),
        exact,
        tuple(sorted((row for row in upper if row), key=lambda row: row.log10)),
        tuple(sorted((row for row in known if row), key=lambda row: -row.log10)),
    )


_EVERYWHERE = (zaslavsky, xiong_2020, serra_2018, montufar_2017, raghu_2017, all_patterns)
_LOWER = (
    lower.pascanu_2013_lower,
    lower.montufar_2014_lower,
    lower.serra_2018_lower,
    lower.arora_2018_lower,
    lower.serra_2018_zonotope_lower,
    xiong_2020_lower,
)


def _count(network: Network, path: Trajectory, progress: Progress) -> Exact:
    activation = count_regions(network, path, kind="activation", progress=progress)
    patterns = activation if is_segment(path) else count_patterns(network, path, progress=progress)
    return Exact(
        int(activation),
        int(count_regions(network, path, progress=progress)),
        int(patterns),
        int(count_transitions(network, path, progress=progress)),
    )


def _along(
    architecture: Architecture, path: Trajectory | None, exact: Exact | None
) -> Iterator[Row | None]:
    """Of what holds on such a trajectory."""

    def row(function: Bound, holds: str, *options: object) -> Row | None:
        return _row(function, architecture, "regions", holds, exact, *options)

    if isinstance(path, Reversed):
        path = path.reversed()
    if path is None or is_segment(path):
        attained = "; attained by some weights and biases" * line_is_attained(architecture)
        yield row(line, f"any segment{attained}")
        yield row(line_product, "any segment")
        if path is not None:
            segment = Line(*path.pieces[0].points.reshape(2, *path.shape))
            yield row(serra_ramalingam_2020, "these weights, this segment", segment)
    elif all(piece.is_line for piece in path.pieces):
        segments = len(path.pieces)
        holds = f"any {'closed ' * path.closed}polyline of {segments:,} segments"
        yield row(polyline, holds, segments, path.closed)
    elif isinstance(path, Arc | Circle):
        if isinstance(path, Arc):
            yield row(arc, f"any arc of angle {path.angle:.4g} around the origin", path.angle)
        else:
            yield row(circle, "any circle")
            if architecture.homogeneous and not path.pieces[0].points[0].any():
                yield row(arc, "any circle around the origin", math.tau)
    else:
        degrees = tuple(piece.degree for piece in path.pieces)
        yield row(curve, "any chain of curves of these degrees", degrees, path.closed)
    if path is not None and (dimension := _dimension(path)) is not None:
        holds = f"any {dimension}-dimensional section"
        yield _row(serra_2018, architecture.on(dimension), "patterns", holds, exact)


def _dimension(path: Trajectory) -> int | None:
    """Of a space that holds the curve, if it is one of few."""
    if isinstance(path, Arc | Circle):
        return 2
    return path.pieces[0].degree if isinstance(path, Bezier) else None


def _everywhere(architecture: Architecture, exact: Exact | None) -> Iterator[Row | None]:
    for function in _EVERYWHERE:
        yield _row(function, architecture, "patterns", "the input space", exact)


def _row(
    function: Bound,
    architecture: Architecture,
    bounds: What,
    holds: str,
    exact: Exact | None,
    *options: object,
) -> Row | None:
    """None if the bound does not apply, or is a sum of too many terms."""
    try:
        logarithm = function(architecture, *options, log10=True)
    except (NotApplicable, OverflowError):
        return None
    value = function(architecture, *options) if logarithm < _DIGITS else None
    count = None
    if exact is not None:
        count = exact.activation_regions if bounds == "regions" else exact.patterns
    return Row(function.__name__, bounds, holds, logarithm, value, count)


def _title(architecture: Architecture, path: Trajectory | None) -> str:
    if architecture.network is not None:
        return f"{architecture.network!r} along {path!r}"
    sizes = [*map(str, (architecture.inputs, *architecture.widths, architecture.outputs))]
    if len(sizes) > 8:
        sizes = [*sizes[:4], "...", *sizes[-2:]]
    return f"{'-'.join(sizes)} along {'any segment' if path is None else repr(path)}"


def _lines(shown: Table) -> Iterator[str]:
    yield shown.title
    if shown.exact is not None:
        exact = shown.exact
        yield (
            f"exact: {plural(exact.activation_regions, 'activation region')}, "
            f"{plural(exact.linear_regions, 'linear region')}, "
            f"{plural(exact.patterns, 'pattern')}, {plural(exact.transitions, 'transition')}"
        )
    for title, rows in (("at most", shown.upper), ("the most, at least", shown.lower)):
        if rows:
            yield ""
            yield from _formatted(title, rows)


def _formatted(title: str, rows: tuple[Row, ...]) -> Iterator[str]:
    counted = any(row.count is not None for row in rows)
    cells = [(title, "", "count / bound" if counted else "", "")]
    for row in rows:
        share = "" if row.log10_share is None else _share(row.log10_share)
        cells.append((row.name, _number(row), share, f"{row.bounds}, {row.holds}"))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for name, value, share, holds in cells:
        line = f"{name:<{widths[0]}}  {value:>{widths[1]}}  {share:>{widths[2]}}  {holds}"
        yield line.rstrip()


def _number(row: Row) -> str:
    if row.value is not None and row.log10 < _SHOWN:
        return f"{row.value:,}"
    if row.log10 >= _FAR:
        return f"10^{row.log10:,.1f}"
    return f"{Decimal(10) ** Decimal(row.log10):.2e}".replace("e+", "e")


def _share(logarithm: float) -> str:
    return f"{10**logarithm:.2g}" if logarithm > -_FAR else f"10^{logarithm:,.0f}"
