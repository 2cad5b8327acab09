"""The command `pyexpr`."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from pyexpr import __version__

if TYPE_CHECKING:
    from pyexpr import Network, Trace, Trajectory

FAILED = 1
# Those of pyexpr.experiments, which takes a while to import.
EXPERIMENT_NAMES = (
    "growth", "transitions", "patterns", "circle", "noise", "remaining-depth", "training",
    "trajectory-regularization", "adversarial",
)  # fmt: skip
INTERRUPTED = 130  # what a shell reports for a command that Ctrl-C ended
BROKEN_PIPE = 141
# What a text is enough for. RuntimeError is of experiments whose cells have failed.
_TOLD = (ValueError, TypeError, ArithmeticError, MemoryError, OSError, ImportError)
_MOST_WEIGHTS = 20_000_000  # of a random network to be counted


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    arguments = parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # as in `pyexpr demo | head`
        # Python flushes stdout once more at exit, and must find somewhere to flush it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (RuntimeError, *_TOLD) as error:
        print(f"pyexpr: {' '.join(str(error).split())}", file=sys.stderr)
        return FAILED
    return 0


class _How(TypedDict):
    threads: int | None
    progress: bool
    device: str


# What a command needs is imported by it: --version and --help need none.


def _demo(_: argparse.Namespace) -> None:
    from pyexpr import demo

    demo.run()


def _show(arguments: argparse.Namespace) -> None:
    print(_network(arguments))


def _count(arguments: argparse.Namespace) -> None:
    from pyexpr import count_regions, count_transitions

    net = _network(arguments)
    curve = _trajectory(arguments, net.input_shape)
    how: _How = {
        "threads": arguments.threads, "progress": _wants_bar(), "device": arguments.device
    }  # fmt: skip
    if arguments.per:
        transitions = count_transitions(net, curve, per=arguments.per, **how)
        result, certificate = transitions.tolist(), transitions.certificate
        what = f"transitions per {arguments.per}"
    else:
        regions = count_regions(net, curve, kind=arguments.kind, **how)
        result, certificate = int(regions), regions.certificate
        what = f"{arguments.kind} regions"
    if not arguments.json:
        print(*(result if isinstance(result, list) else [result]), sep="\n")
        return
    assert certificate is not None
    decisions = {
        kind: {**tally._asdict(), "smallest_gap": _finite(tally.smallest_gap)}
        for kind, tally in certificate._asdict().items()
    }
    print(json.dumps({"model": arguments.model, what: result, "certificate": decisions}))


def _trace(arguments: argparse.Namespace) -> None:
    from pyexpr import trace

    net = _network(arguments)
    curve = _trajectory(arguments, net.input_shape)
    found = trace(net, curve, threads=arguments.threads, progress=_wants_bar())
    if arguments.plot:
        _plot(found, arguments.plot)
    if arguments.save:
        found.save(arguments.save)
    print(found)
    print(found.lengths)


def _stream(arguments: argparse.Namespace) -> None:
    from pyexpr import save_regions, stream

    net = _network(arguments)
    blocks = stream(net, _trajectory(arguments, net.input_shape), progress=_wants_bar())
    print(save_regions(blocks, arguments.save))


def _bounds(arguments: argparse.Namespace) -> None:
    from pyexpr import Network
    from pyexpr.bounds import table

    sizes = _sizes(arguments.network)
    if sizes is None:
        if arguments.activation is not None:
            raise ValueError("--activation goes with sizes; a network has its own")
        (arguments.model,) = arguments.network
        net = _network(arguments)
        print(table(net, _trajectory(arguments, net.input_shape), progress=_wants_bar()))
        return
    if arguments.output is not None:
        raise ValueError("--output goes with an ONNX model, not with sizes")
    activation = "relu" if arguments.activation is None else arguments.activation
    if sum(a * b for a, b in pairwise(sizes)) > _MOST_WEIGHTS:
        print(table(sizes, activation=activation))
        print(f"\nany segment, and no count: more than {_MOST_WEIGHTS:,} weights")
        return
    net = Network.random(sizes, activation, seed=arguments.seed)
    print(table(net, _trajectory(arguments, net.input_shape), progress=_wants_bar()))


def _reproduce(arguments: argparse.Namespace) -> None:
    from pyexpr.cuda.devices import find_device
    from pyexpr.experiments import EXPERIMENTS, load_data, reproduce

    find_device(arguments.device)  # before anything is run, as are data
    names = [*EXPERIMENTS] if arguments.experiment == "all" else [arguments.experiment]
    if arguments.data:
        load_data(arguments.data, download=arguments.download)
    options = {"data": arguments.data, "seed": arguments.seed}
    for name in names:
        for key, _ in arguments.set:
            if key not in EXPERIMENTS[name].arguments:
                taken = ", ".join(sorted(EXPERIMENTS[name].arguments))
                raise ValueError(f"{name} has no argument {key!r}; it has {taken}")
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        known = EXPERIMENTS[name].arguments
        given = {key: value for key, value in options.items() if value is not None and key in known}
        # Of all experiments, those that trace take the CPU.
        device = arguments.device if len(names) == 1 or EXPERIMENTS[name].takes_device else "cpu"
        try:
            result = reproduce(
                name,
                arguments.out,
                given | dict(arguments.set),
                quick=arguments.quick,
                workers=arguments.workers,
                progress=_wants_bar(),
                device=device,
            )
        except (RuntimeError, *_TOLD) as error:
            if len(names) == 1 and not isinstance(error, RuntimeError):
                raise
            first_line, _, _ = str(error).partition("\n")  # a traceback follows
            print(f"pyexpr: {name}: {first_line}", file=sys.stderr)
            failed.append(name)
            continue
        print(result, f"\nin {Path(arguments.out, name)}.md, .png, .json, .npz\n")
    if failed:
        raise RuntimeError(f"failed: {', '.join(failed)}; what has finished is kept")


def _assignment(text: str) -> tuple[str, Any]:
    """Of NAME=VALUE, the value JSON or else a string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _sizes(network: list[str]) -> list[int] | None:
    """None for a file."""
    if len(network) == 1 and not network[0].lstrip("-").isdecimal():
        return None
    try:
        return [int(size) for size in network]
    except ValueError:
        raise ValueError(
            f"network is {' '.join(network)!r}; it must be a file, or sizes such as 784 256 256 10"
        ) from None


def _plot(trace: Trace, path: str) -> None:
    from pyexpr import plot

    plot.overview(trace).savefig(path)


def _trajectory(arguments: argparse.Namespace, shape: tuple[int, ...]) -> Trajectory:
    from pyexpr import Arc, Line
    from pyexpr.io import points

    if arguments.points:
        if arguments.start or arguments.end:
            raise ValueError("--points takes both ends from one file: leave out --from and --to")
        x0, x1 = points.read_rows(arguments.points, tuple(arguments.rows), shape)
    else:
        x0 = points.read(arguments.start or "random:0", shape)
        x1 = points.read(arguments.end or "random:1", shape)
    return Line(x0, x1) if arguments.arc is None else Arc(x0, x1, arguments.arc)


def _wants_bar() -> bool:
    """Where somebody looks, and tqdm is installed."""
    from pyexpr._progress import has_bars

    return sys.stderr.isatty() and has_bars()


def _finite(number: float) -> float | None:
    """JSON has no infinity."""
    return number if number < float("inf") else None


def _network(arguments: argparse.Namespace) -> Network:
    from pyexpr.io import load

    return load(arguments.model, output=arguments.output)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pyexpr", description="Exact counts of the linear regions of neural networks."
    )
    parser.add_argument("--version", action="version", version=f"pyexpr {__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    demo = commands.add_parser(
        "demo", help="count on two trained networks, next to what sampling sees"
    )
    demo.set_defaults(command=_demo)
    show = commands.add_parser("show", help="print a network's tensors, shapes and neurons")
    show.set_defaults(command=_show)
    bounds = commands.add_parser(
        "bounds",
        help="print the bounds on the regions of an architecture or a network, beside the count",
        description="Of sizes, a random network is counted: weights N(0, 2 / fan_in), no biases.",
    )
    bounds.set_defaults(command=_bounds)
    points = "A point is a .npy, .npz or .csv file that holds nothing else, or random:SEED."
    count = commands.add_parser(
        "count", help="count along a segment or an arc between two points", epilog=points
    )
    count.set_defaults(command=_count)
    trace = commands.add_parser(
        "trace", help="tell, keep and draw all that happens along it", epilog=points
    )
    trace.set_defaults(command=_trace)
    stream = commands.add_parser(
        "stream", help="write the regions along it to a file, in little memory", epilog=points
    )
    stream.set_defaults(command=_stream)
    bounds.add_argument(
        "network", nargs="+", help="inputs, hidden widths, outputs; or a .onnx, .nnet or .npz file"
    )
    bounds.add_argument("--activation", metavar="NAME", help="of sizes, relu if not given")
    bounds.add_argument("--seed", type=int, default=2, help="of the random network, 2 if not given")
    for command in (show, count, trace, stream):
        command.add_argument("model", help="a .onnx, .nnet or .npz file")
    _add_reproduce(commands)
    for command in (show, bounds, count, trace, stream):
        command.add_argument(
            "--output", metavar="TENSOR", help="the tensor of an ONNX model to stop at"
        )
    for command in (bounds, count, trace, stream):
        _add_trajectory_options(command)
    count.add_argument("--kind", choices=["linear", "activation"], default="linear")
    count.add_argument(
        "--per", choices=["layer", "neuron"], help="count transitions instead, one number a line"
    )
    count.add_argument("--json", action="store_true", help="print the certificate, too")
    _add_device(count)
    trace.add_argument("--plot", metavar="FILE", help="draw it: a .png, .pdf or .svg file")
    trace.add_argument("--save", metavar="FILE", help="keep it: a .npz file for load_trace")
    for command in (count, trace):
        command.add_argument("--threads", type=int, help="at most so many; all cores if not given")
    stream.add_argument("--save", metavar="FILE", required=True, help="a .parquet or .npz file")
    return parser


def _add_reproduce(commands: Any) -> None:
    reproduce = commands.add_parser(
        "reproduce",
        help="run an experiment of Raghu et al. (2017) again, or all of them, with exact counts",
        description="Writes NAME.md, .png, .json and .npz. What was stopped goes on from there.",
        epilog=f"Experiments: {', '.join(EXPERIMENT_NAMES)}.",
    )
    reproduce.set_defaults(command=_reproduce)
    reproduce.add_argument(
        "experiment", choices=[*EXPERIMENT_NAMES, "all"], metavar="NAME", help="of one, or all"
    )
    reproduce.add_argument(
        "--quick",
        action="store_true",
        help="smaller, all in some minutes: few networks, which make little clear",
    )
    reproduce.add_argument(
        "--out", default="reproduction", metavar="DIR", help="reproduction if not given"
    )
    reproduce.add_argument(
        "--data",
        metavar="DATA",
        help="digits (scikit-learn's), mnist or cifar10 (torchvision's), or a .npz file with "
        "x and y, or x_train, y_train, x_test and y_test",
    )
    reproduce.add_argument(
        "--download", action="store_true", help="fetch mnist or cifar10 if it is not there"
    )
    reproduce.add_argument("--seed", type=int, help="0 if not given")
    reproduce.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another argument of the experiment's function, in JSON, such as networks=10",
    )
    reproduce.add_argument("--workers", type=int, help="processes; as many as cores if not given")
    _add_device(reproduce)


def _add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--device",
        default="cpu",
        help="cuda (or cuda:1, ...) to count on a GPU; cpu if not given",
    )


def _add_trajectory_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--from", dest="start", metavar="POINT", help="random:0 if not given")
    command.add_argument("--to", dest="end", metavar="POINT", help="random:1 if not given")
    command.add_argument("--points", metavar="FILE", help="a file with a point a row, for --rows")
    command.add_argument("--rows", nargs=2, type=int, default=[0, 1], metavar=("I", "J"))
    command.add_argument(
        "--arc",
        nargs="?",
        type=float,
        const=math.pi / 2,
        metavar="ANGLE",
        help="along cos(ANGLE t) x0 + sin(ANGLE t) x1, a quarter if no angle is given, "
        "instead of the segment",
    )
