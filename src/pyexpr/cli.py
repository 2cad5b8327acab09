"""The command `pyexpr`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pyexpr import __version__

INTERRUPTED = 130  # what a shell reports for a command that Ctrl-C ended
BROKEN_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    _parser().parse_args(argv)
    try:
        from pyexpr import demo  # here, because --version and --help need none of it

        demo.run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # as in `pyexpr demo | head`
        # Python flushes stdout once more at exit, and must find somewhere to flush it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pyexpr", description="Exact counts of the linear regions of neural networks."
    )
    parser.add_argument("--version", action="version", version=f"pyexpr {__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)
    commands.add_parser("demo", help="count on two trained networks, next to what sampling sees")
    return parser
