"""The compiled engine in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Thread, current_thread
from typing import TypeAlias
from weakref import finalize

from pyexpr import _core
from pyexpr.certificate import Certificate, from_rows
from pyexpr.streaming.handover import HandOver, Stopped

_WAITING = 2  # blocks
_SECONDS = 0.05  # between two looks at how much is done

Found: TypeAlias = _core.Trace | Certificate | BaseException


class Engine:
    """Finds breakpoints from now on, and waits while two blocks wait to be taken.

    `close` stops it and waits for its thread to end. It is called when nobody refers to the engine
    any more, and before the interpreter exits.

    Attributes
    ----------
    certificate : Certificate or None
        How everything was proved, when all blocks have been taken.
    """

    def __init__(self, network: _core.Network, curve: _core.Trajectory, block: int) -> None:
        self.certificate: Certificate | None = None
        self._run = _Run(network, curve, block)
        # Python waits for other threads before it lets this one be stopped: hence a daemon.
        thread = Thread(target=self._run, name="pyexpr.stream", daemon=True)
        self.close = finalize(self, _close, self._run, thread)
        thread.start()

    def blocks(self, tell: Callable[[float], object] | None) -> Iterator[_core.Trace]:
        """What is found, in order; an error of the engine is raised here.

        Parameters
        ----------
        tell
            Called with the share of the trajectory that is done, in this thread.
        """
        told = 0.0
        while True:
            found = self._run.found.take(_SECONDS)
            if tell and self._run.share > told:
                told = self._run.share
                tell(told)
            if isinstance(found, BaseException):
                raise found
            if isinstance(found, Certificate):
                self.certificate = found
                return
            if found is not None:
                yield found


class _Run:
    """What the thread does; it must not refer to the Engine, lest that never be dropped."""

    def __init__(self, network: _core.Network, curve: _core.Trajectory, block: int) -> None:
        self._network = network
        self._curve = curve
        self._block = block
        self.found: HandOver[Found] = HandOver(_WAITING)
        self.share = 0.0

    def __call__(self) -> None:
        try:
            self.found.put(self._result())
        except Stopped:
            return

    def _result(self) -> Found:
        try:
            return from_rows(
                _core.stream(self._network, self._curve, self._block, self.found.put, self._tell)
            )
        except Stopped:
            raise
        except BaseException as error:
            return error

    def _tell(self, share: float) -> None:
        if self.found.stopped:
            raise Stopped
        self.share = share


def _close(run: _Run, thread: Thread) -> None:
    run.found.stop()
    if thread is not current_thread():  # which collects garbage, too
        thread.join()
