"""All regions along a trajectory, in little memory."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Any

import numpy.typing as npt

from pyexpr._arrays import integer
from pyexpr._curves import Given, core_trajectory, read_arguments
from pyexpr._networks import NetworkLike
from pyexpr._progress import Progress, progress_bar
from pyexpr.certificate import Certificate
from pyexpr.network import Network
from pyexpr.streaming.block import Reader, RegionBlock
from pyexpr.streaming.engine import Engine
from pyexpr.trajectories import Trajectory


class RegionStream(Iterator[RegionBlock]):
    """Blocks of regions, in order; `pyexpr.stream` makes it.

    A thread looks for regions, a few blocks ahead of what is taken. It ends when the last block
    has been taken, by `close`, at the end of a `with` statement, when nobody refers to the stream
    any more, and when an exception, such as Ctrl-C, is raised while waiting for a block.
    """

    def __init__(
        self, network: Network, trajectory: Trajectory, block: int, progress: Progress
    ) -> None:
        self._engine = Engine(network._core, core_trajectory(trajectory), block)
        self._blocks = _run(self._engine, Reader(network, trajectory), progress)
        next(self._blocks)

    @property
    def certificate(self) -> Certificate:
        """How all of this was proved: a `Certificate`, when all blocks have been taken.

        Raises
        ------
        AttributeError
            Not all blocks have been taken.
        """
        if self._engine.certificate is None:
            raise AttributeError("certificate: it is there when all blocks have been taken")
        return self._engine.certificate

    def close(self) -> None:
        """Take no more blocks; returns when the thread has ended."""
        self._blocks.close()

    def __next__(self) -> RegionBlock:
        block: RegionBlock = next(self._blocks)
        return block

    def __enter__(self) -> RegionStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def stream(
    net: NetworkLike,
    trajectory: Given,
    x1: npt.ArrayLike | None = None,
    *,
    block: int = 65536,
    progress: Progress = False,
) -> RegionStream:
    """All regions along a trajectory and who switches between them, block by block.

    However many there are, memory for no more than a few blocks is needed. One after another, the
    blocks hold what `trace` gives at once: starts and ends are its nodes, and transitions are the
    same.

    Parameters
    ----------
    net
        Anything that `as_network` takes.
    trajectory, x1
        A trajectory, or two points, array_like [*input_shape]: real numbers that float64 holds
        exactly; never modified.
    block
        How many regions a block has at least, but for the last one; the engine may find a few
        hundred more at once.
    progress
        True for a bar on stderr (needs tqdm), or a function to be called now and then, while
        waiting for a block, with the share of the trajectory that is done.

    Returns
    -------
    RegionStream
        An iterator over `RegionBlock`. To stop early, leave the loop and drop it, `close` it, or
        take it in a `with` statement. Its `certificate` is there when all blocks have been taken.

    Raises
    ------
    ImportError
        A bar is wanted, and tqdm is not installed.
    TypeError
        An argument of the wrong kind, such as complex numbers.
    ValueError
        A wrong shape, a number that is not finite or not exact in float64, `block` below 1.
    OverflowError
        From the iterator: a number inside the network is beyond float64.
    """
    network, curve = read_arguments(net, trajectory, x1)
    return RegionStream(network, curve, integer("block", block, 1), progress)


# Not a method: whoever drops the stream drops this, too, and thereby closes it.
def _run(engine: Engine, reader: Reader, progress: Progress) -> Generator[Any, None, None]:
    """None at once, when `progress` has been read; then the blocks."""
    try:
        with progress_bar(progress, "stream") as tell:
            yield None
            before = None
            for raw in engine.blocks(tell):
                if before is not None:
                    yield reader.block(before, last=False)
                before = raw
            assert before is not None  # the rest, which may be empty
            yield reader.block(before, last=True)
    finally:
        engine.close()
