"""The engine that works on arrays, on the host, in runs as small as one likes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import pyexpr
from pyexpr.cuda import engine
from pyexpr.cuda.devices import HostDevice
from pyexpr.cuda.networks import upload


def small_device(networks: Sequence[pyexpr.Network], chunk: int, degree: int = 1) -> HostDevice:
    """With memory for runs of about so many cells."""
    on_host = upload(tuple(network._core for network in networks), HostDevice())
    needed = chunk * engine.bytes_of_cell(on_host, degree)
    return HostDevice(int(needed / engine.SHARE) + 1)


@contextmanager
def small_transfers() -> Iterator[None]:
    """What the filter leaves open goes to the later tiers block by block."""
    with patch("pyexpr.cuda.settlement._MOST_BYTES", 1):
        yield
