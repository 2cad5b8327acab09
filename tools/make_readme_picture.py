"""Makes the picture at the top of README.md.

usage: python tools/make_readme_picture.py

Needs matplotlib. Writes docs/images/pyexpr.png: regions of a small network on a plane with a circle
through them, the output along the circle, and who switches where.
"""

from __future__ import annotations

from pathlib import Path

import pyexpr
from pyexpr import plot
from pyexpr.plot.style import new_figure

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "pyexpr.png"


def main() -> None:
    net = pyexpr.Network.random([2, 16, 16, 16, 1], "relu", bias_variance=0.1, seed=3)
    circle = pyexpr.Circle([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
    trace = pyexpr.trace(net, circle)
    figure = new_figure(11.0, 3.5, columns=3)
    plane, letters, output = figure.axes
    plot.slice_regions(
        net, [0.0, 0.0], [1.0, 0.0], [0.0, 1.0], resolution=800, ax=plane, trajectory=circle
    )
    plot.transitions(trace, ax=letters)
    plot.output(trace, ax=output)
    plane.set_title("A circle through a network's regions", loc="left", fontsize="medium")
    letters.set_title(
        f"Which neurons are on: {len(trace.transitions)} transitions", loc="left", fontsize="medium"
    )
    output.set_title(f"The output: {trace.n_pieces} linear regions", loc="left", fontsize="medium")
    figure.savefig(PICTURE, dpi=120)


if __name__ == "__main__":
    main()
