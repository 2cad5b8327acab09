"""The run of the compiled core behind a trace, which may be too large for memory."""

from __future__ import annotations

from collections.abc import Callable

from pyexpr import _core
from pyexpr._arrays import integer
from pyexpr._curves import core_trajectory
from pyexpr._memory import available_memory
from pyexpr.network import Network
from pyexpr.trajectories import Trajectory

# The most memory that a trace takes while it is made, for each byte of breakpoints and transitions:
# arrays that grow are copied, those of threads are joined, and letters are shifted in a copy; then
# there are t and nodes. Measured: 1.7 with one thread, up to 3.1 with two.
FACTOR = 4
_UNLIMITED = 2**64 - 1


def memory_limit(memory: int | None) -> int:
    """Bytes; half of what is available if None.

    Raises
    ------
    TypeError, ValueError
        No integer of at least 1.
    """
    if memory is not None:
        return integer("memory", memory, 1)
    available = available_memory()
    return _UNLIMITED if available is None else available // 2


def gather(
    network: Network,
    trajectory: Trajectory,
    threads: int,
    memory: int,
    tell: Callable[[float], object] | None,
) -> _core.Trace:
    """All breakpoints and transitions.

    Raises
    ------
    OverflowError
        A number inside the network is beyond float64.
    MemoryError
        A trace of them would take more than `memory` bytes while it is made.
    """
    done = 0.0

    def note(share: float) -> None:
        nonlocal done
        done = share
        if tell:
            tell(share)

    curve, most_bytes = core_trajectory(trajectory), min(memory // FACTOR, _UNLIMITED)
    try:
        return _core.trace(network._core, curve, threads, note, most_bytes)
    except _core.TraceTooLarge:
        raise MemoryError(_refusal(memory, done)) from None


def _refusal(memory: int, done: float) -> str:
    whole = f" {100 * done:.2g} % of the way; all may take {_size(memory / done)}" if done else ""
    return (
        f"memory is {_size(memory)}, which breakpoints and transitions fill{whole}: "
        "pass more memory, call count_regions(net, trajectory), which needs little, or take the "
        "regions block by block from pyexpr.stream(net, trajectory)"
    )


def _size(n_bytes: float) -> str:
    if n_bytes < 1024:
        return f"{n_bytes:.0f} bytes"
    units = ("KiB", "MiB", "GiB", "TiB")
    power = min((int(n_bytes).bit_length() - 1) // 10, len(units))
    return f"{n_bytes / 1024**power:,.1f} {units[power - 1]}"
