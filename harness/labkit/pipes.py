"""Pipes whose other end a program has, so that it can hold up whoever touches them.

splice(2) keeps a pipe locked while its other side waits, for a TCP window for example. read(),
write() and close() of anybody else then sleep until that is over, and neither O_NONBLOCK nor a
signal helps. The harness must go on: it may be the very peer that the program waits for, and
there are deadlines. So these calls are made by a thread, and one that takes long is awaited in
the event loop like everything else.
"""

from __future__ import annotations

import os
import queue
import selectors
import threading
from typing import Callable, Generic, Optional, TypeVar

from labkit.events import EventLoop

PATIENCE = 0.02
"""Seconds that a call is waited for before all else goes on; nearly all take microseconds."""

T = TypeVar("T")
Result = Callable[[], T]
"""Gives what a call returned, or raises what it raised."""


class _Job(Generic[T]):
    """A call, and what became of it."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._guard = threading.Lock()
        self._done = threading.Event()
        self._wake: Optional[int] = None
        self._value: Optional[T] = None
        self._error: Optional[OSError] = None

    def run(self) -> None:
        try:
            self._value = self._call()
        except OSError as error:
            self._error = error
        with self._guard:
            self._done.set()
            if self._wake is not None:
                os.write(self._wake, b"!")

    def is_done_within(self, seconds: float) -> bool:
        return self._done.wait(seconds)

    def wake(self, fd: Optional[int]) -> bool:
        """Writes to FD when the call is over, or no more; whether it was not over before."""
        with self._guard:
            self._wake = fd
            return not self._done.is_set()

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


class _Hand:
    """A thread that makes one call after the other."""

    idle: "list[_Hand]" = []

    def __init__(self) -> None:
        self._jobs: "queue.SimpleQueue[Callable[[], None]]" = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            self._jobs.get()()

    def start(self, job: "_Job[T]") -> "_Job[T]":
        self._jobs.put(job.run)
        return job

    def rest(self) -> None:
        """After what was started, it is there for others."""
        self._jobs.put(lambda: self.idle.append(self))


os.register_at_fork(after_in_child=_Hand.idle.clear)  # a child has none of these threads


class Pipe:
    """One end, non-blocking, of which it takes care; at most one call at a time."""

    def __init__(self, fd: int, loop: EventLoop) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._loop = loop
        self._hand: Optional[_Hand] = None
        self._late: Optional[_Job[object]] = None
        self._wake: Optional[tuple[int, int]] = None
        self._wanted: tuple[int, Callable[[int], None]] = (0, lambda _: None)

    @property
    def busy(self) -> bool:
        """A call is under way; its end will be told."""
        return self._late is not None

    def watch(self, events: int, callback: Callable[[int], None]) -> None:
        """As EventLoop.watch(); not while a call is under way."""
        self._wanted = events, callback
        if not self.busy:
            self._loop.watch(self.fd, events, callback)

    def call(self, call: Callable[[], T], then: Callable[[Result[T]], None],
             alone: bool = False) -> None:
        """THEN(what gives the result of CALL()): at once, or by the loop where CALL is held up.

        alone: there is no program that could do so.
        """
        job = _Job(call)
        if alone:
            job.run()
        elif not self._start(job).is_done_within(PATIENCE) and self._await(job, then):
            return
        then(job.result)

    def close(self, alone: bool = False) -> None:
        """Gives the end back, as soon as that can be; what is under way is told no more."""
        self.watch(0, lambda _: None)
        if alone and self._late is None:
            os.close(self.fd)
        else:
            closing = self._start(_Job(lambda: os.close(self.fd)))
            if self._late is None:
                closing.is_done_within(PATIENCE)
            else:
                self._late.wake(None)
                self._forget_late()
        if self._hand is not None:
            self._hand.rest()
            self._hand = None

    def _start(self, job: "_Job[T]") -> "_Job[T]":
        if self._hand is None:
            self._hand = _Hand.idle.pop() if _Hand.idle else _Hand()
        return self._hand.start(job)

    def _await(self, job: "_Job[T]", then: Callable[[Result[T]], None]) -> bool:
        """Lets the loop wait for JOB; False if it is over."""
        self._loop.watch(self.fd, 0, lambda _: None)
        self._wake = os.pipe()
        self._late = job  # type: ignore[assignment]

        def told(_: int) -> None:
            self._forget_late()
            self._loop.watch(self.fd, *self._wanted)
            then(job.result)

        self._loop.watch(self._wake[0], selectors.EVENT_READ, told)
        if job.wake(self._wake[1]):
            return True
        self._forget_late()
        self._loop.watch(self.fd, *self._wanted)
        return False

    def _forget_late(self) -> None:
        assert self._wake is not None
        self._loop.watch(self._wake[0], 0, lambda _: None)
        for fd in self._wake:
            os.close(fd)
        self._late = self._wake = None
