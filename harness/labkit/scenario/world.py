"""What every room of a test stands in: the private network, its recording, the waiting."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Optional, Union

from labkit.capture import Capture
from labkit.events import DeadlinePassed, EventLoop
from labkit.feedback import Mismatch
from labkit.kernel_sockets import LISTEN, Endpoint
from labkit.limits import raise_descriptor_limit
from labkit.network import PrivateNetwork
from labkit.peer import Listener, Peer
from labkit.program import Program

DEADLINE = 20.0
"""Seconds a whole test may take, whatever its programs do."""
PATIENCE = 20.0
"""Seconds for what the harness itself does, also after the test's own deadline."""
STALL = 1.5
"""Seconds without any sign of life in any program, after which nothing will come any more.

Sign of life: a thread that can run, or has run (its context switches). A program that
is only slow, or waits for the processor on a busy machine, never counts as stalled.
"""


class World:
    """A private network with programs and peers in it, recorded to TRACE.

    WORK is a sandbox.workspace(); PROGRAMS finds a program of the submission by its name.
    snaplen: see Capture.
    """

    def __init__(
        self, work: Path, programs: Callable[[str], Path], trace: Path, snaplen: int = 0
    ) -> None:
        raise_descriptor_limit()
        self._work = work
        self._find = programs
        self.trace = trace
        self.programs: list[Program] = []
        self._peers: list[Union[Peer, Listener]] = []
        self._loop = EventLoop(DEADLINE)
        self._signs: tuple[Any, ...] = ()
        self._last_sign = time.monotonic()
        self.stall = STALL
        self._loop.add_probe(self._probe)
        self.network = PrivateNetwork(self._loop)
        try:
            self._capture = Capture(self._loop, self.network, trace, snaplen)
        except BaseException:
            self.network.close()
            raise

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """See EventLoop.watch."""
        self._loop.watch(fd, events, callback)

    def wait_for(
        self,
        done: Callable[[], bool],
        expected: str,
        seen: Callable[[], str],
        cause: Any = None,
        poll: Optional[float] = None,
    ) -> None:
        """Waits for DONE; when it cannot come any more, raises Mismatch(EXPECTED, SEEN()).

        cause: a key of feedback.CAUSES, or a function that finds one then.
        """
        self._last_sign = time.monotonic()
        try:
            self._loop.wait(done, poll)
        except DeadlinePassed:
            key = cause() if callable(cause) else cause
            raise Mismatch(expected=expected, seen=seen(), cause=key) from None

    def wait_blocked(self, program: Program, seconds: float = 2.0) -> None:
        """Waits until the program waits for something, and has done so for a moment.

        This prepares what a test then checks; after SECONDS the test goes on all the same.
        """
        seen: list[int] = []
        end = time.monotonic() + seconds

        def settled() -> bool:
            state = program.activity()
            seen.append(state.switches if state.blocked else -len(seen))
            return len(seen) >= 5 and len(set(seen[-5:])) == 1 or time.monotonic() > end

        self._loop.wait(settled, poll=0.004, at_least=PATIENCE)

    def listening(self) -> list[Endpoint]:
        """The listening TCP sockets there are."""
        return self.network.sockets.tcp([LISTEN])

    def _probe(self) -> None:
        """Ends a wait early when every program has stood still for STALL seconds."""
        alive = any(program.exit is None for program in self.programs)
        states = [program.activity() for program in self.programs]
        signs = tuple((state.switches, program.exit) for state, program in
                      zip(states, self.programs))
        if signs != self._signs or not all(state.blocked for state in states):
            self._signs = signs
            self._last_sign = time.monotonic()
        elif time.monotonic() - self._last_sign > (self.stall if alive else self.stall / 5):
            raise DeadlinePassed

    def close(self) -> None:
        """Ends the recording, the programs and the network, in this order."""
        try:
            self._capture.stop()
        finally:
            for peer in self._peers:
                peer.close()
            self.network.close()
            self._capture.close()
            for program in self.programs:
                program.close()
            self._loop.close()
