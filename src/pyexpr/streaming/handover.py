"""From a thread that makes things to one that takes them."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Stopped(Exception):
    """Nobody will take any more."""


class HandOver(Generic[Thing]):
    """A queue of bounded length that its taker may stop.

    Unlike one of `queue`, it may be stopped by a garbage collection in the middle of `put`.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Thing] = deque()
        self._changed = Condition()  # of a lock that a thread may take again
        self.stopped = False

    def put(self, thing: Thing) -> None:
        """Wait until there is room.

        Raises
        ------
        Stopped
            By `stop`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.stopped or len(self._waiting) < self._most)
            if self.stopped:
                raise Stopped
            self._waiting.append(thing)
            self._changed.notify_all()

    def take(self, seconds: float) -> Thing | None:
        """The next thing, or None if there is none so soon."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting, seconds):
                return None
            thing = self._waiting.popleft()
            self._changed.notify_all()
            return thing

    def stop(self) -> None:
        """Drop what waits; `put` raises Stopped from now on."""
        with self._changed:
            self.stopped = True
            self._waiting.clear()
            self._changed.notify_all()
