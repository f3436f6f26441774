"""A program of the harness itself that works in a private network beside a test's programs."""

from __future__ import annotations

import os
import selectors
import signal
from typing import Callable, Optional, Sequence

from labkit.events import DeadlinePassed, EventLoop
from labkit.feedback import HarnessError
from labkit.network import PrivateNetwork

PATIENCE = 20.0
"""Seconds that a tool has for each thing, also after the test's own deadline."""
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "TZ": "UTC0"}
"""Without a time zone in it, strace looks for the system's at each line that it writes."""
READY_FD = 3
"""Where a tool writes when it is ready: what its option --ready-fd is to say."""


class Tool:
    """ARGV, run in NETWORK on HOST; NAME is what messages call it. It begins at once.

    give: descriptors of the caller's, which the tool has as 4, 5, ...
    What it writes is taken in by the event loop all the time. Whatever is wrong with it is
    a HarnessError: no submission is to blame.
    """

    def __init__(
        self, loop: EventLoop, network: PrivateNetwork, argv: Sequence[str], name: str,
        host: Optional[str] = None, give: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.out = bytearray()
        """What it has written to stdout."""
        self.said = bytearray()
        """What it has written to stderr."""
        self._loop = loop
        self._ready = bytearray()
        self._open: set[int] = set()
        self.out_ended = False
        """It has closed its stdout, and `out` is all of it."""
        stdin, self._stdin = os.pipe()
        fds = [stdin, self._reader(self.out), self._reader(self.said), self._reader(self._ready)]
        try:
            self._process = network.run([*argv], [*fds, *give], env=_ENVIRONMENT, host=host)
        except OSError as error:
            self.close()
            raise HarnessError(f"{name} cannot be run: {error.strerror}; run 'make'") from error
        finally:
            for fd in fds:
                os.close(fd)

    @property
    def ended(self) -> bool:
        return self._process.status is not None

    @property
    def status(self) -> Optional[int]:
        """Its wait status (os.WIFEXITED etc.), once it has ended."""
        return self._process.status

    @property
    def pidfd(self) -> int:
        return self._process.pidfd

    @property
    def words(self) -> str:
        """What it has said last, or that it said nothing."""
        self._loop.turn()
        said = self.said.decode(errors="replace").strip()
        return said or f"{self.name} ended by itself"

    def wait_ready(self) -> None:
        """Returns once it does its work; raises HarnessError."""
        self.wait(lambda: bool(self._ready) or self.ended, "did not become ready")
        if not self._ready:
            raise HarnessError(f"{self.name} cannot do its work: {self.words}")

    def write(self, line: str) -> None:
        """Writes LINE and a newline to its stdin, where nothing else may be waiting."""
        try:
            os.write(self._stdin, line.encode() + b"\n")
        except BrokenPipeError:
            pass  # it has ended, and whoever waits for its answer is told so

    def close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, done: Callable[[], bool], failed: str) -> None:
        """Waits until DONE(); else says that it FAILED to do so in time."""
        try:
            self._loop.wait(done, at_least=PATIENCE)
        except DeadlinePassed:
            raise HarnessError(f"{self.name} {failed} in time") from None

    def close(self) -> None:
        """Gives back the descriptors; the end of the network ends the tool itself."""
        self.close_stdin()
        for fd in list(self._open):
            self._forget(fd)

    def _reader(self, into: bytearray) -> int:
        """A pipe whose read end fills INTO until its end of file; returns the write end."""
        read_end, write_end = os.pipe()

        def take(_: int) -> None:
            data = os.read(read_end, 65536)
            into.extend(data)
            if not data:
                self.out_ended = self.out_ended or into is self.out
                self._forget(read_end)

        self._open.add(read_end)
        self._loop.watch(read_end, selectors.EVENT_READ, take)
        return write_end

    def _forget(self, fd: int) -> None:
        self._loop.watch(fd, 0, lambda _: None)
        self._open.discard(fd)
        os.close(fd)
