"""Draws docs/images/architecture.svg, and writes the tables of docs/architecture.md.

usage: python tools/make_architecture.py

Needs matplotlib.
"""

from __future__ import annotations

import textwrap
from itertools import pairwise
from math import dist
from pathlib import Path
from typing import Any

import matplotlib as mpl
from architecture import FORBIDDEN, MODULES, STEPS, Arrow, Module, arrows, drawn
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path as Line
from routes import BOX_HEIGHT, Box, Layout, Link, Point

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PICTURE = DOCS / "architecture.md", DOCS / "images" / "architecture.svg"
BEGIN, END = "<!-- begin tables -->\n", "<!-- end tables -->\n"
WIDTH = 1000.0
FILL = {"Python": "#dbe8f6", "bindings": "#fbe6c5", "CUDA": "#e6dcf2", "C++": "#dcefdc"}
EDGE = {"Python": "#3f6fa8", "bindings": "#c0872b", "CUDA": "#7a55a8", "C++": "#4b8b4b"}
LEGEND = {
    "Python": "Python package",
    "bindings": "bindings",
    "C++": "C++ library",
    "CUDA": "kernels (CUDA, C++)",
}
FOLDERS = {
    "Python": ("src/pyexpr",),
    "bindings": ("cpp/python", "src/pyexpr/_core.pyi"),
    "C++": ("cpp/include/pyexpr", "cpp/src"),
    "CUDA": ("cpp/cuda",),
}
KINDS = {"uses": "uses", "on-demand": "uses on demand", "step": "data of a count"}
DARK, LINE, WAY = "#333333", "#8a8f98", "#d1492f"
# Left and right ends of boxes, row by row.
ROWS: list[dict[str, tuple[float, float]]] = [
    {"command line": (440, 640)},
    {"pyexpr": (440, 640), "experiments": (700, 900)},
    {
        "constructions": (25, 195),
        "bounds": (220, 390),
        "theory": (415, 585),
        "plot": (610, 780),
        "torch": (805, 975),
    },
    {
        "cuda": (25, 195),
        "counting": (220, 390),
        "saved results": (415, 585),
        "streaming": (610, 780),
        "tracing": (805, 975),
    },
    {"arguments": (220, 390)},
    {"importers": (415, 585), "files": (610, 780)},
    {"networks": (220, 390), "trajectories": (610, 780)},
    {"bindings": (220, 390), "checks": (610, 780)},
    {"kernels": (25, 195), "engine": (220, 390), "referee": (805, 975)},
    {"start": (220, 390), "sinks": (610, 780)},
    {"refinement": (220, 390), "events": (415, 585)},
    {"predicates": (415, 780)},
    {
        "weights and letters": (220, 390),
        "adjoint": (415, 585),
        "extended": (610, 780),
        "exact": (805, 975),
    },
    {"partition": (610, 780), "levels": (415, 585)},
    {"arithmetic": (25, 975)},
]
# Where arrows pass the rows between their ends.
VIA: dict[Arrow, float] = {
    ("command line", "pyexpr"): 540,
    ("command line", "bounds"): 422,
    ("pyexpr", "counting"): 397,
    ("pyexpr", "saved results"): 408,
    ("pyexpr", "importers"): 597,
    ("experiments", "files"): 792,
    ("bounds", "counting"): 305,
    ("torch", "tracing"): 890,
    ("constructions", "networks"): 12,
    ("constructions", "trajectories"): 12,
    ("cuda", "bindings"): 110,
    ("cuda", "checks"): 110,
    ("counting", "arguments"): 305,
    ("arguments", "networks"): 305,
    ("arguments", "trajectories"): 402,
    ("networks", "bindings"): 305,
    ("trajectories", "checks"): 695,
    ("files", "trajectories"): 695,
    ("bindings", "engine"): 305,
    ("engine", "start"): 305,
    ("start", "refinement"): 305,
    ("bindings", "counting"): 180,
    ("events", "predicates"): 500,
    ("sinks", "predicates"): 695,
    ("referee", "events"): 500,
    ("kernels", "arithmetic"): 110,
    ("levels", "arithmetic"): 500,
}


def boxes() -> dict[str, Box]:
    return {name: Box(row, *ends) for row, found in enumerate(ROWS) for name, ends in found.items()}


def numbered() -> dict[Arrow, int]:
    """The step that goes each way."""
    return {way: number for number, step in enumerate(STEPS, 1) for way in step.ways}


def links(found: dict[str, Box]) -> dict[Arrow, Link]:
    """Of all arrows between rows, and of the ways of data."""
    out = {}
    demand, step = arrows(on_demand=True), numbered()
    for way in sorted(drawn() | {*step}):
        upper, lower = sorted(way, key=lambda name: found[name].row)
        if found[upper].row == found[lower].row:
            continue
        kind = step.get(way, way in demand)
        via = VIA.get(way)
        source = way if via is None and way not in step else (way[0], kind, via)
        bundle = way if way[0] == lower else (way[1], kind, via)
        out[way] = Link(upper, lower, source, bundle, via)
    return out


def place() -> tuple[Layout, dict[Arrow, list[Point]]]:
    """Where the rows are, and the corners of every arrow from its start to its end."""
    between = links(boxes())
    layout = Layout(boxes())
    routes = {}
    for way, points in zip(between, layout.route([*between.values()]), strict=True):
        routes[way] = points if between[way].upper == way[0] else points[::-1]
    return layout, routes | {way: _beside(layout, *way) for way in drawn() if way not in between}


def draw() -> None:
    """The picture, the same in every run."""
    found = boxes()
    layout, routes = place()
    bottom = layout.top[-1] + BOX_HEIGHT + 12
    mpl.rcParams.update({"svg.hashsalt": "architecture", "font.family": "DejaVu Sans"})
    figure = pyplot.figure(figsize=(WIDTH / 100, (bottom + 12) / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(bottom, -12))
    axes.axis("off")
    for way, points in sorted(routes.items()):
        _arrow(axes, way, points)
    for module in MODULES:
        _box(axes, module, found[module.name], layout.top[found[module.name].row])
    _legend(axes, 690, 4)
    _steps(axes, 32, 2)
    figure.savefig(PICTURE, metadata={"Date": None})
    pyplot.close(figure)


def tables() -> str:
    """Of the page: the modules, area by area, and the arrows that must not be."""
    lines = []
    for area, title in LEGEND.items():
        places = " and ".join(f"`{place}`" for place in FOLDERS[area])
        lines += [f"### {title[0].upper()}{title[1:]}: {places}", ""]
        lines += ["| module | what it is | files | uses | on demand |", "|---|---|---|---|---|"]
        lines += [_row(module) for module in MODULES if module.area == area]
        lines.append("")
    lines += ["### Arrows that must not be", "", "| from | to | why |", "|---|---|---|"]
    for never in FORBIDDEN:
        users, used = (", ".join(map(_name, names)) for names in (never.users, never.used))
        lines.append(f"| {users} | {used} | {never.why} |")
    return "\n".join(lines) + "\n"


def _row(module: Module) -> str:
    files = " ".join(f"`{file}`" for file in module.files.split())
    uses, rare = (", ".join(sorted(names)) for names in (module.uses, module.on_demand))
    return f"| **{module.name}** | {module.purpose} | {files} | {uses} | {rare} |"


def _name(name: str) -> str:
    return LEGEND.get(name, name)


def write_tables() -> None:
    before, rest = PAGE.read_text("utf-8").split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(before + BEGIN + tables() + END + after, "utf-8")


def _beside(layout: Layout, start: str, end: str) -> list[Point]:
    """From one box of a row to the next."""
    a, b = layout.boxes[start], layout.boxes[end]
    y = layout.top[a.row] + BOX_HEIGHT / 2
    return [(a.right, y), (b.left, y)] if a.left < b.left else [(a.left, y), (b.right, y)]


def _box(axes: Axes, module: Module, box: Box, top: float) -> None:
    width = box.right - box.left
    name = f"module:{module.name}".replace(" ", "-")
    _frame(axes, module.area, (box.left, top), (width, BOX_HEIGHT), name)
    lines = textwrap.wrap(module.purpose, int(width / 5.6))
    y = top + (11 if len(lines) > 1 else 16)
    _text(axes, box.middle, y, module.name, 8.5, fontweight="bold", ha="center")
    for i, line in enumerate(lines):
        _text(axes, box.middle, y + 14.5 + 12 * i, line, 7.2, ha="center")


def _frame(
    axes: Axes, area: str, corner: Point, size: tuple[float, float], name: str | None = None
) -> None:
    pad = min(6.0, size[1] / 4)
    patch = FancyBboxPatch(
        (corner[0] + pad, corner[1] + pad),
        size[0] - 2 * pad,
        size[1] - 2 * pad,
        boxstyle=f"round,pad={pad}",
        facecolor=FILL[area],
        edgecolor=EDGE[area],
        zorder=3,
        gid=name,
    )
    axes.add_patch(patch)


def _text(axes: Axes, x: float, y: float, text: str, size: float, **style: str) -> None:
    usual: dict[str, Any] = {"va": "center", "color": DARK, "zorder": 6}
    axes.text(x, y, text, fontsize=size, **usual | style)


def _arrow(axes: Axes, way: Arrow, points: list[Point]) -> None:
    step, rare = numbered().get(way), way in arrows(on_demand=True)
    kind = f"step-{step}" if step else "on-demand" if rare else "uses"
    name = f"{kind}:{way[0]}:{way[1]}".replace(" ", "-")
    _line(axes, points, kind, name)
    if step:
        fan = sum(user == way[0] for user, _ in STEPS[step - 1].ways) > 1
        start, end = max(pairwise(points), key=lambda ends: dist(*ends))
        if fan and way == STEPS[step - 1].ways[0]:
            _badge(axes, points[1] if len(points) > 2 else points[0], step)
        elif not fan and dist(start, end) > 26:
            _badge(axes, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), step)


def _line(axes: Axes, points: list[Point], kind: str, name: str | None = None) -> None:
    """With a head at its end."""
    step = kind.startswith("step")
    colour, width, head, zorder = (WAY, 2.4, 9.0, 2.2) if step else (LINE, 1.1, 7.0, 1.2)
    (x0, y0), (x1, y1) = points[-2:]
    dx, dy = (x1 - x0) / dist(*points[-2:]), (y1 - y0) / dist(*points[-2:])
    back = (x1 - head * dx, y1 - head * dy)
    patch = PathPatch(
        _rounded([*points[:-1], back]),
        facecolor="none",
        edgecolor=colour,
        linewidth=width,
        linestyle=(0, (3.5, 2)) if kind == "on-demand" else "-",
        capstyle="butt",
        zorder=zorder,
        gid=name,
    )
    axes.add_patch(patch)
    side = (0.45 * head * dy, -0.45 * head * dx)
    corners = [(back[0] + s * side[0], back[1] + s * side[1]) for s in (1, -1)]
    head_patch = Polygon([(x1, y1), *corners], facecolor=colour, linewidth=0, zorder=zorder)
    axes.add_patch(head_patch)


def _badge(axes: Axes, centre: Point, step: int) -> None:
    axes.add_patch(Circle(centre, 7.5, facecolor=WAY, linewidth=0, zorder=5))
    style = {"color": "white", "fontweight": "bold", "ha": "center"}
    _text(axes, centre[0], centre[1] + 0.4, str(step), 7.2, **style)


def _rounded(points: list[Point]) -> Line:
    """Along straight lines, with round corners."""
    vertices, codes = [points[0]], [Line.MOVETO]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = (_towards(corner, other, 5.0) for other in (before, after))
        vertices += [start, corner, end]
        codes += [Line.LINETO, Line.CURVE3, Line.CURVE3]
    return Line([*vertices, points[-1]], [*codes, Line.LINETO])


def _towards(start: Point, end: Point, way: float) -> Point:
    share = min(way / dist(start, end), 0.5)
    return (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))


def _legend(axes: Axes, left: float, top: float) -> None:
    for i, (area, text) in enumerate(LEGEND.items()):
        y = top + 16 * i
        _frame(axes, area, (left, y - 5), (22, 10))
        _text(axes, left + 30, y, text, 7.2)
    for i, (kind, text) in enumerate(KINDS.items()):
        y = top + 16 * i
        _line(axes, [(left + 150, y), (left + 174, y)], kind)
        _text(axes, left + 182, y, text, 7.2)


def _steps(axes: Axes, left: float, top: float) -> None:
    _text(axes, left - 8, top, "The way of a count", 8.5, fontweight="bold")
    for number, step in enumerate(STEPS, 1):
        _badge(axes, (left, top + 15.5 * number), number)
        _text(axes, left + 14, top + 15.5 * number, step.name, 7.2)


if __name__ == "__main__":
    draw()
    write_tables()
