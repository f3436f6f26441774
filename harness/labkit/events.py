"""Waiting for events: one loop, one deadline per test, no sleeping.

A test waits for what it expects (a line, a packet, an end of file, an exit) and
everything else that happens meanwhile is taken in too, so that no program blocks
on a pipe that nobody reads.
"""

from __future__ import annotations

import selectors
import time
from typing import Callable, Optional


PROBE = 0.025
"""Seconds between two looks at what can end a wait early; as many as the look took where that is
more, as with a thousand processes: half of the time is for events."""


class DeadlinePassed(Exception):
    """The event did not come in time; the caller knows what that means."""


class EventLoop:
    """Calls back for readable and writable descriptors until what is awaited has come.

    deadline: seconds that all waits of one test may take together.
    """

    def __init__(self, deadline: float) -> None:
        self._selector = selectors.DefaultSelector()
        self._watched: dict[int, Callable[[int], None]] = {}
        self._end = time.monotonic() + deadline
        self._probes: list[Callable[[], None]] = []
        self.taken = 0
        """How many events were taken in so far."""

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Calls CALLBACK(events) when FD is ready; EVENTS as in selectors, 0 to stop."""
        known = fd in self._watched
        if events and known:
            self._selector.modify(fd, events, callback)
        elif events:
            self._selector.register(fd, events, callback)
        elif known:
            self._selector.unregister(fd)
            del self._watched[fd]
        if events:
            self._watched[fd] = callback

    def extend(self, seconds: float) -> None:
        """All waits together may take SECONDS more."""
        self._end += seconds

    @property
    def is_over(self) -> bool:
        """All the time that there was has passed."""
        return time.monotonic() >= self._end

    def add_probe(self, probe: Callable[[], None]) -> None:
        """PROBE is called every PROBE seconds of waiting; it may raise."""
        self._probes.append(probe)

    def wait(
        self, done: Callable[[], bool], poll: Optional[float] = None, at_least: float = 0.0
    ) -> None:
        """Takes in events until DONE() is true.

        AT_LEAST: seconds that this wait has even where the deadline is nearer, or past;
        then no probe ends it either.
        POLL: seconds after which DONE is asked again although no event came, for what
        the kernel tells only when asked; it grows tenfold while nothing changes.
        Raises DeadlinePassed, or what a callback or probe raises.
        """
        pause = poll
        next_probe = time.monotonic() + PROBE
        at_least += time.monotonic() if at_least else 0.0
        end = max(self._end, at_least)
        while not done():
            now = time.monotonic()
            if now >= min(end, next_probe):
                for probe in self._probes if not at_least else ():
                    probe()
                end = max(self._end, at_least)  # a probe may have extended it
                if now >= end:
                    raise DeadlinePassed
                begun, now = now, time.monotonic()
                next_probe = now + max(PROBE, now - begun)
            timeout = min(end, next_probe) - now
            if pause is not None and poll is not None:
                timeout = min(timeout, pause)
                pause = min(pause * 1.5, poll * 10)
            self.turn(timeout)

    def turn(self, timeout: float = 0.0) -> None:
        """Takes in what has happened; waits TIMEOUT seconds at most for the first of it."""
        for key, events in self._selector.select(max(0.0, timeout)):
            if self._watched.get(key.fd) == key.data:  # no earlier event has changed that
                self.taken += 1
                key.data(events)

    def close(self) -> None:
        self._selector.close()
