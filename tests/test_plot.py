"""Pictures show what is there, on the axes that they are given, and open nothing."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import pyexpr
from pyexpr import Network, Trace, plot
from pyexpr.graph import Activation, Affine, Graph, Input, Maximum
from pyexpr.operations import Dense

matplotlib.use("Agg")

Array = np.typing.NDArray[Any]

RNG = np.random.default_rng(0)
RELU = Network.random([3, 8, 6, 2], bias_variance=0.3, seed=3)
HARD_TANH = Network.random([3, 8, 8, 2], "hard_tanh", weight_variance=9.0, seed=1)
CIRCLE = pyexpr.Circle(*RNG.standard_normal((3, 3)))
POINTS = 2 * RNG.standard_normal((4, 3))
LINE, LOOP = pyexpr.Line(*POINTS[:2]), pyexpr.Polyline(POINTS, closed=True)

PICTURES: dict[str, Callable[..., Axes]] = {
    "transitions": plot.transitions,
    "output": plot.output,
    "lengths": plot.lengths,
    "transitions_per_layer": plot.transitions_per_layer,
}


def pooling() -> Network:
    """Maxima of windows of four, then ReLUs."""
    weights = np.random.default_rng(1).standard_normal
    return Network(
        Graph(
            (
                Input((3,)),
                Affine((20,), ((0, Dense(weights((20, 3)))),), weights(20)),
                Maximum((5,), 1, np.arange(20).reshape(5, 4)),
                Affine((6,), ((2, Dense(weights((6, 5)))),), weights(6)),
                Activation((6,), 3, pyexpr.ReLU()),
                Affine((2,), ((4, Dense(weights((2, 6)))),), weights(2)),
            )
        )
    )


TRACES: dict[str, Callable[[], Trace]] = {
    "ReLU": lambda: pyexpr.trace(RELU, LINE),
    "hard tanh": lambda: pyexpr.trace(HARD_TANH, LINE),
    "max pooling": lambda: pyexpr.trace(pooling(), LINE),
    "a closed polyline": lambda: pyexpr.trace(RELU, LOOP),
    "a circle": lambda: pyexpr.trace(RELU, CIRCLE),
    "no breakpoints": lambda: pyexpr.trace(RELU, POINTS[0], np.nextafter(POINTS[0], np.inf)),
    "no hidden layers": lambda: pyexpr.trace(Network.random([3, 2]), LINE),
    "one neuron": lambda: pyexpr.trace(Network.random([3, 1, 1]), LINE),
    "a dead layer": lambda: pyexpr.trace(
        [(np.eye(3), [-9.0] * 3), (np.eye(3), np.zeros(3))], np.zeros(3), np.ones(3)
    ),
    "hundred letters": lambda: pyexpr.trace(
        Network.random([3, 5, 1], pyexpr.PiecewiseLinear(np.linspace(-1, 1, 99), np.arange(100.0))),
        LINE,
    ),
    "thirty layers": lambda: pyexpr.trace(Network.random([3] + [2] * 30 + [1], "abs"), LINE),
}


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


@pytest.fixture(autouse=True)
def pyplot() -> Iterator[Any]:
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def draw(figure: Any) -> None:
    figure.savefig(BytesIO())


def letters_drawn(ax: Axes, rows: int, t: Array) -> Array:
    """[len(t), rows]."""
    (runs,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
    letters = runs.get_array()
    assert letters is not None
    found = np.full((len(t), rows), -99)
    for path, letter in zip(runs.get_paths(), letters, strict=True):
        corners = np.array(path.vertices)
        (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
        assert top - bottom == 1
        found[(left < t) & (t < right), round(bottom + 0.5)] = letter
    return found


def middles(trace: Trace) -> Array:
    return (trace.nodes[1:] + trace.nodes[:-1]) / 2


def legend(ax: Axes) -> list[str]:
    box = ax.get_legend()
    return [text.get_text() for text in box.get_texts()] if box else []


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("name", TRACES)
def test_pictures_of_traces_make_a_figure_of_one_column(
    picture: str, name: str, pyplot: Any
) -> None:
    made = PICTURES[picture](TRACES[name]())
    (number,) = pyplot.get_fignums()
    assert made.figure is pyplot.figure(number)
    assert made.figure.get_size_inches()[0] == pytest.approx(3.4)
    assert made.get_title("left")
    assert made.get_xlabel()
    assert made.get_ylabel()
    draw(made.figure)


@pytest.mark.parametrize("picture", PICTURES)
def test_pictures_go_on_the_axes_given_and_leave_pyplot_alone(
    picture: str, ax: Axes, pyplot: Any
) -> None:
    before = dict(matplotlib.rcParams)
    assert PICTURES[picture](TRACES["ReLU"](), ax=ax) is ax
    draw(ax.figure)
    assert pyplot.get_fignums() == []
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", [name for name in TRACES if name != "no hidden layers"])
def test_every_neuron_has_its_letter_s_colour_at_every_t(name: str, ax: Axes) -> None:
    trace = TRACES[name]()
    plot.transitions(trace, ax, sort=False)
    drawn = letters_drawn(ax, trace.network.n_neurons, middles(trace))
    np.testing.assert_array_equal(drawn, trace.patterns())


def test_rows_are_sorted_within_their_layers(ax: Axes) -> None:
    trace = TRACES["ReLU"]()
    plot.transitions(trace, ax)
    drawn = letters_drawn(ax, 14, middles(trace))
    for layer in (slice(0, 8), slice(8, 14)):
        assert sorted(drawn.T[layer].tolist()) == sorted(trace.patterns().T[layer].tolist())
        ends = drawn[0, layer] + drawn[-1, layer]
        assert (np.diff(ends) >= 0).all()


def test_layers_are_stacked_as_given(ax: Axes) -> None:
    trace = TRACES["ReLU"]()
    plot.transitions(trace, ax, layers=[-1, 0], sort=False)
    expected = np.roll(trace.patterns(), 6, axis=1)
    np.testing.assert_array_equal(letters_drawn(ax, 14, middles(trace)), expected)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["layer 1", "layer 0"]
    assert ax.get_ylim() == (-0.5, 13.5)


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("ReLU", ["off", "on"]),
        ("hard tanh", ["\N{MINUS SIGN}1", "0", "1"]),
        ("max pooling", ["0", "1", "2", "3"]),
        ("thirty layers", ["0", "1"]),  # of Abs
        ("hundred letters", ["0", "12", "25", "37", "50", "62", "74", "87", "99"]),
        ("no hidden layers", []),
    ],
)
def test_the_legend_names_letters(name: str, letters: list[str], ax: Axes) -> None:
    assert legend(plot.transitions(TRACES[name](), ax)) == letters


@pytest.mark.parametrize("name", TRACES)
def test_outputs_go_through_the_values_at_the_nodes(name: str, ax: Axes) -> None:
    trace = TRACES[name]()
    plot.output(trace, ax=ax)
    assert len(ax.lines) == trace.values.shape[1]
    for line, values in zip(ax.lines, trace.values.T, strict=True):
        t, y = np.array(line.get_xdata()), np.array(line.get_ydata())
        at_nodes = np.searchsorted(t, trace.nodes)
        np.testing.assert_array_equal(t[at_nodes], trace.nodes)
        np.testing.assert_allclose(y[at_nodes], values, rtol=1e-12, atol=1e-12)


def test_outputs_are_drawn_through_the_corners_of_polylines(ax: Axes) -> None:
    plot.output(TRACES["a closed polyline"](), ax=ax)
    assert {0.25, 0.5, 0.75} <= set(np.array(ax.lines[0].get_xdata()))


def test_outputs_are_sampled_on_curves(ax: Axes) -> None:
    trace = TRACES["a circle"]()
    plot.output(trace, [1], ax, samples=50)
    t, y = np.array(ax.lines[0].get_xdata()), np.array(ax.lines[0].get_ydata())
    np.testing.assert_array_equal(
        t, np.unique([*np.linspace(0, 1, 50), 0.25, 0.5, 0.75, *trace.nodes])
    )
    np.testing.assert_allclose(y, RELU(CIRCLE(t))[:, 1], rtol=1e-12, atol=1e-12)


def test_ticks_tell_bends_from_other_breakpoints(ax: Axes) -> None:
    # relu(x) - relu(-x) = x switches at 0 and goes straight on; the third neuron bends at 1/2.
    trace = pyexpr.trace(
        [([[1.0], [-1.0], [1.0]], [0.0, 0.0, -0.5]), ([[1.0, -1.0, 1.0]], [0.0])], [-1.0], [1.0]
    )
    plot.output(trace, ax=ax)
    others, bends = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert [s[:, 0].tolist() for s in others.get_segments()] == [[0.5, 0.5]]
    assert [s[:, 0].tolist() for s in bends.get_segments()] == [[0.75, 0.75]]
    assert ax.lines[0].get_markevery() == [2]  # of 0, 1/2, 3/4 and 1
    assert ax.get_title("left") == "2 breakpoints, 1 bend"


def test_outputs_are_chosen_and_named(ax: Axes) -> None:
    trace = pyexpr.trace(Network.random([3, 4, 12]), LINE)
    assert legend(plot.output(trace, ax=ax)) == [str(i) for i in range(10)]
    other = Figure().subplots()
    assert legend(plot.output(trace, [11, -12], other)) == ["11", "0"]
    assert ax.get_legend() is not None


@pytest.mark.parametrize("name", ["ReLU", "a circle", "no hidden layers", "thirty layers"])
def test_lengths_are_those_of_the_trace(name: str, ax: Axes) -> None:
    trace = TRACES[name]()
    plot.lengths(trace, ax)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), trace.lengths.ratio)
    assert ax.get_yscale() == "log"
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert (labels[0], labels[-1]) == ("in", "out")


def test_images_of_length_0_are_left_out(ax: Axes) -> None:
    plot.lengths(TRACES["a dead layer"](), ax)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1.0, np.nan, np.nan])


@pytest.mark.parametrize("name", TRACES)
def test_bars_are_as_high_as_there_are_transitions(name: str, ax: Axes) -> None:
    trace = TRACES[name]()
    plot.transitions_per_layer(trace, ax)
    heights = [bar.get_height() for bar in ax.patches if isinstance(bar, Rectangle)]
    assert heights == trace.transitions_per_layer.tolist()


def image(ax: Axes) -> Array:
    """The points of one panel of layer images."""
    (curve,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    segments = np.array(curve.get_segments())
    return np.concatenate([segments[:, 0], segments[-1:, 1]])


def distances(points: Array) -> Array:
    apart: Array = np.linalg.norm(points[:, None] - points, axis=-1)
    return apart


@pytest.mark.parametrize("projection", ["pca", "random"])
@pytest.mark.parametrize("samples", [2, 7, 60])
def test_images_of_planes_keep_their_distances(projection: Any, samples: int) -> None:
    net = Network.random([2, 2, 2, 1], "hard_tanh")
    circle = pyexpr.Circle([0.1, 0.2], [1.0, 0.0], [0.0, 2.0])
    panels = plot.layer_images(net, circle, projection=projection, samples=samples)
    x = circle(np.linspace(0, 1, samples))
    first, second, _ = net.layers
    assert first.activation is not None and second.activation is not None
    hidden = first.activation(x @ first.weight.T + first.bias)
    last = second.activation(hidden @ second.weight.T + second.bias)
    for panel, points in zip(panels, [x, hidden, last], strict=True):
        np.testing.assert_allclose(distances(image(panel)), distances(points), atol=1e-7)


def test_principal_components_are_in_order_and_orthogonal() -> None:
    for panel in plot.layer_images(HARD_TANH, CIRCLE):
        points = image(panel)
        covariance = np.cov(points.T)
        assert covariance[0, 0] >= covariance[1, 1]
        assert abs(covariance[0, 1]) < 1e-9 * covariance[0, 0]
        assert (points[0] >= 0).all()


def test_random_planes_follow_the_seed() -> None:
    def images(seed: int) -> list[Array]:
        return [image(ax) for ax in plot.layer_images(RELU, CIRCLE, projection="random", seed=seed)]

    for once, again, other in zip(images(0), images(0), images(1), strict=True):
        np.testing.assert_array_equal(once, again)
        assert not np.allclose(once, other)


def test_panels_are_the_input_and_the_layers(pyplot: Any) -> None:
    panels = plot.layer_images(RELU, CIRCLE, [1])
    assert [ax.get_title() for ax in panels] == ["input", "layer 1"]
    deep = plot.layer_images(Network.random([3, *[4] * 20, 1]), LINE)
    assert [ax.get_title() for ax in deep][::7] == ["input", "layer 19"]
    assert len(deep) == 8
    draw(deep[0].figure)
    assert len(plot.layer_images(Network.random([3, 1]), LINE)) == 1
    assert len(plot.layer_images(Network.random([1, 1, 1]), pyexpr.Line([0.0], [1.0]))) == 2


def test_layer_images_go_on_the_axes_given(pyplot: Any) -> None:
    axes = Figure().subplots(1, 3)
    assert plot.layer_images(RELU, LOOP, axes=axes).tolist() == axes.tolist()
    draw(axes[0].figure)
    assert pyplot.get_fignums() == []
    assert all(ax.get_aspect() == 1 for ax in axes)


# relu(x) - relu(-x) + relu(y), which is linear across x = 0
HALVES = Network.dense(
    [([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [0.0] * 3), ([[1.0, -1.0, 1.0]], [0.0])]
)


def colours_at(ax: Axes, places: list[tuple[float, float]]) -> list[tuple[float, ...]]:
    (picture,) = ax.images
    values = np.array(picture.get_array())
    a0, a1, b0, b1 = picture.get_extent()
    rows, columns = values.shape[:2]
    return [
        tuple(values[int((b - b0) / (b1 - b0) * rows), int((a - a0) / (a1 - a0) * columns)])
        for a, b in places
    ]


QUARTERS = [(0.7, 0.7), (-0.7, 0.7), (-0.7, -0.7), (0.7, -0.7)]


@pytest.mark.parametrize(("kind", "regions"), [("activation", 4), ("linear", 2)])
def test_slices_have_a_colour_for_every_region(kind: Any, regions: int, ax: Axes) -> None:
    slice_ = plot.slice_regions(
        HALVES, [0, 0], [1, 0], [0, 1], (-1, 2, -1, 1), resolution=30, ax=ax, kind=kind
    )
    assert slice_ is ax
    first, second, third, fourth = colours_at(ax, QUARTERS)
    assert len({first, second, third, fourth}) == regions
    assert (first == second) == (third == fourth) == (kind == "linear")
    ((edge,), (inside,)) = colours_at(ax, [(0.5, 0.01)]), colours_at(ax, [(0.5, 0.2)])
    assert sum(edge) < 0.5 * sum(inside)
    draw(ax.figure)


def test_slices_go_through_pooling_and_activations_with_any_letters() -> None:
    for net in (pooling(), HARD_TANH, Network.random([3, 1])):
        draw(plot.slice_regions(net, np.zeros(3), POINTS[0], POINTS[1], resolution=20).figure)


def test_trajectories_are_projected_to_the_slice(ax: Axes) -> None:
    line = pyexpr.Line([0.0, 0.0, 5.0], [2.0, 3.0, 5.0])
    net = Network.random([3, 4, 1])
    plot.slice_regions(net, [0, 0, 1], [2, 0, 0], [0, 1, 0], resolution=5, ax=ax, trajectory=line)
    ends = np.array(ax.lines[0].get_xydata())[[0, -1]]
    np.testing.assert_allclose(ends, [[0, 0], [1, 3]], atol=1e-12)
    assert ax.get_xlim() == (-1.5, 1.5)


raster: Callable[..., Any] = plot.transitions
images: Callable[..., Any] = plot.layer_images
regions: Callable[..., Any] = plot.slice_regions
ZERO, U, V = np.zeros(3), np.eye(3)[0], np.eye(3)[1]


@pytest.mark.parametrize("picture", PICTURES)
def test_what_is_no_trace_or_no_axes_is_refused(picture: str) -> None:
    with pytest.raises(TypeError, match="trace is Network"):
        PICTURES[picture](RELU)
    with pytest.raises(TypeError, match="ax is Figure"):
        PICTURES[picture](TRACES["ReLU"](), ax=Figure())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: raster(t, layers=[2]), IndexError, "layers holds 2.*there are 2"),
        (lambda t: raster(t, layers=[]), ValueError, "layers is empty"),
        (lambda t: raster(t, layers=1), TypeError, "layers is 1"),
        (lambda t: plot.output(t, [-3]), IndexError, "outputs holds -3"),
        (lambda t: plot.output(t, [0] * 11), ValueError, "outputs has 11 numbers; at most 10"),
        (lambda t: plot.output(t, samples=1), ValueError, "samples is 1"),
        (lambda t: images(RELU, ZERO), TypeError, "trajectory is a ndarray"),
        (lambda t: images(RELU, LINE, [5]), IndexError, "layers holds 5"),
        (lambda t: images(RELU, LINE, axes=[None]), ValueError, "axes must be 3"),
        (lambda t: images(RELU, LINE, projection="svd"), ValueError, "projection is"),
        (lambda t: images(RELU, LINE, samples=1), ValueError, "samples is 1"),
        (lambda t: regions(RELU, ZERO, U, 2 * U), ValueError, "u and v are parallel"),
        (lambda t: regions(RELU, ZERO, U, [1]), ValueError, r"v has shape \(1,\)"),
        (lambda t: regions(RELU, [0], [1], [2]), ValueError, r"shape \(1,\).*\(3,\)"),
        (lambda t: regions(RELU, ZERO, U, V, (0, 0, 0, 1)), ValueError, "extent is"),
        (lambda t: regions(RELU, ZERO, U, V, resolution=1), ValueError, "resolution"),
        (lambda t: regions(RELU, ZERO, U, V, kind="all"), ValueError, "kind is 'all'"),
        (lambda t: regions(RELU, ZERO, U, V, trajectory=1), TypeError, "trajectory"),
    ],
)
def test_errors_name_the_argument(
    call: Callable[[Trace], Any], error: type[Exception], message: str, pyplot: Any
) -> None:
    with pytest.raises(error, match=message):
        call(TRACES["ReLU"]())
    assert pyplot.get_fignums() == []


def test_a_point_has_no_length_to_compare_with() -> None:
    with pytest.raises(ValueError, match="one point"):
        plot.lengths(pyexpr.trace(RELU, ZERO, ZERO))


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return result.stdout


def test_pyplot_is_only_imported_for_new_figures() -> None:
    code = "import sys, pyexpr.plot; print('matplotlib.pyplot' in sys.modules)"
    assert run(code) == "False\n"


def test_without_matplotlib_the_error_says_how_to_install_it() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "try:\n    import pyexpr.plot\n"
        "except ImportError as error:\n    print(error)"
    )
    assert 'pip install "pyexpr-regions[plot]"' in run(code)


@pytest.mark.parametrize("name", TRACES)
def test_an_overview_has_three_pictures(name: str, pyplot: Any) -> None:
    figure = plot.overview(TRACES[name]())
    draw(figure)
    assert len([ax for ax in figure.axes if ax.get_xlabel()]) == 3
    assert pyplot.get_fignums() == []
