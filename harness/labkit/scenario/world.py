"""What every room of a test stands in: the private network, its recording, the waiting."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, Optional, Protocol, Sequence, TypeVar

from labkit.capture import MANY, Capture
from labkit.events import PROBE, DeadlinePassed, EventLoop
from labkit.feedback import Mismatch
from labkit.kernel_sockets import LISTEN, Endpoint
from labkit.limits import raise_descriptor_limit
from labkit.network import HOSTS, PrivateNetwork
from labkit.processes import own_delay
from labkit.processors import take_all, take_one
from labkit.program import Program
from labkit.standstill import packets_queue
from labkit.tracer import Calls

DEADLINE = 20.0
"""Seconds a whole test may take, whatever its programs do; besides those in which it, or they,
could run and no processor had time for them, up to DELAY."""
DELAY = 60.0
PATIENCE = 20.0
"""Seconds for what the harness itself does, also after the test's own deadline."""
FLOOD = 48 * 1024 * 1024
"""Bytes of a trace, many times what any test needs, from which on the test is over."""
STALL = 1.5
"""Seconds without any sign of life in any program, after which nothing will come any more.

Sign of life: a thread that can run, or has run (its context switches), or another process; of a
tool, which may look at the time again and again while nobody answers it, only the first. A
program that is only slow, or waits for the processor on a busy machine, never counts as stalled.
Programs that all wait without a time limit, while nothing is under way, are not waited for at all.
"""
SPIN = 2.0
"""Seconds of processor time that a program may use without ever waiting for anything; as many as
it may stand still where those are more, for it may spin until its time is over."""
SPIN_ON = 0.3
"""The same of one that is known to spin: it looks for nothing but what was given to it."""
_UNSEEN = 4 * PROBE
"""Seconds between two looks that count as standstill, though the processor may have had no time
for the test for longer."""
_RAN = 0.5
"""Seconds of processor time, after which a program had time enough to come to rest."""
_LOOKS = 20
"""How often a program that does not come to rest is looked at: the test itself may have been
kept from running."""


W = TypeVar("W", bound="World")


class Closes(Protocol):
    """What the test has of its own, a peer of any kind: it is closed in the end."""

    def close(self) -> None: ...


class World:
    """A private network with programs and peers in it, recorded to TRACE.

    WORK is a sandbox.workspace(); PROGRAMS finds a program of the submission by its name.
    snaplen: see Capture. hosts: 1 or 2; with two, every program and peer is on "a" or "b"
    (see PrivateNetwork), and where a method takes a host, one must be given. calls: the file
    for the programs' system calls (see Calls); None where they are not to be recorded.
    buffer: MiB for packets that nobody has taken yet: see Capture, and Labwire.
    """

    def __init__(
        self, work: Path, programs: Callable[[str], Path], trace: Path, snaplen: int = 0,
        hosts: int = 1, calls: Optional[Path] = None, buffer: int = MANY,
    ) -> None:
        raise_descriptor_limit()
        self._work = work
        self.hosts = hosts
        self.buffer = buffer
        self._find = programs
        self.trace = trace
        self.programs: list[Program] = []
        self._peers: list[Closes] = []
        self._loop = EventLoop(DEADLINE)
        self._signs: tuple[Any, ...] = ()
        self._quiet = False
        self._seconds: list[float] = []
        """Of processor time that each program had used at the last sign of life."""
        self._delayed, self._delay_left = own_delay(), DELAY
        """Seconds in which there was no processor; and how many more of them are not counted."""
        self._still, self._probed = 0.0, time.monotonic()
        """Seconds since the last sign of life, as far as the test itself was there to see one."""
        self.stall = STALL
        self._closed = False
        self._loop.add_probe(self._probe)
        take_one()
        try:
            self.network = PrivateNetwork(self._loop, hosts)
            try:
                self._capture = Capture(self._loop, self.network, trace, snaplen, buffer)
                self.calls = Calls(self._loop, self.network, calls)
            except BaseException:
                self.network.close()
                raise
        except BaseException:
            take_all()
            raise

    def unrecorded(self: W) -> W:
        """A world as this one, which is closed, was at first; calls are not recorded in it."""
        world = type(self)(self._work, self._find, self.trace, hosts=self.hosts,
                           buffer=self.buffer)
        world.calls.problem = "to record them made a difference: this was seen without"
        return world

    def needs(self, milestone: str) -> None:
        """Raises NotJudged where no program gets to MILESTONE ever; class Reach knows that."""

    def _never_rests(self, programs: Sequence[Program]) -> bool:
        """Whether it is known of each of PROGRAMS that it always spins; class Reach knows that."""
        return False

    def needs_server(self, name: str) -> None:
        """The same for the server NAME, which is to begin."""

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
        self._still = 0.0
        try:
            self._loop.wait(done, poll)
        except DeadlinePassed:
            key = cause() if callable(cause) else cause
            raise Mismatch(expected=expected, seen=seen(), cause=key) from None

    def be_patient(self, seconds: float) -> None:
        """Programs may stand still for SECONDS, which is how long they wait for something."""
        self.stall = max(self.stall, seconds)

    def take_longer(self, seconds: float) -> None:
        """The whole test may take SECONDS more: for work that is much on a busy machine."""
        self._loop.extend(seconds)

    def wait_blocked(
        self, program: Program, seconds: float = 2.0, also: Callable[[], bool] = lambda: True
    ) -> None:
        """Waits until the program waits for something, and has done so for a moment.

        This prepares what a test then checks; when the program could have run for SECONDS
        without coming to that, the test goes on all the same.
        also: what must be so at the same time.
        """
        if self._never_rests([program]):
            return
        seen: list[int] = []
        begun, before = time.monotonic(), program.activity()

        def settled() -> bool:
            state = program.activity()
            rests = state.blocked and not program.in_hand and also()
            seen.append(state.switches if rests else -len(seen))
            if len(seen) >= 5 and len(set(seen[-5:])) == 1 and not packets_queue():
                return True
            longest = seconds
            if state.seconds - before.seconds < _RAN:
                longest = min(seconds + state.delayed - before.delayed, PATIENCE / 2)
            return len(seen) >= _LOOKS and time.monotonic() - begun > longest

        self._loop.wait(settled, poll=0.004, at_least=PATIENCE)

    def ready(self) -> None:
        """To be called before a packet may be sent: from here on each is recorded."""
        self._capture.wait_ready()
        self._join()

    def end_recording(self) -> None:
        """The trace is whole then: every packet there was is in it."""
        self._part()
        self._capture.stop()

    @property
    def packets(self) -> Optional[int]:
        """See Capture."""
        return self._capture.packets

    def _join(self) -> None:
        """Begins to let packets pass between two hosts; class Faults knows how."""

    def _part(self) -> None:
        """Ends that, when no packet is under way any more."""

    def at(self, host: Optional[str]) -> Optional[str]:
        """HOST: None where there is one, "a" or "b" of two; raises ValueError for another."""
        if host not in self.network.names:
            raise ValueError(f"{host}: not one of the hosts {self.network.names}")
        return host

    def host_of(self, address: str) -> Optional[str]:
        """Which of two hosts has ADDRESS, a numeric one, on the link; None for all else."""
        if self.hosts == 1:
            return None
        return next((name for name, host in HOSTS.items() if address in host), None)

    def listening(self, host: Optional[str] = None) -> list[Endpoint]:
        """The listening TCP sockets there are: on HOST, or on all."""
        sockets = self.network.sockets if host is None else self.network.sockets_of(host)
        return sockets.tcp([LISTEN])

    def _probe(self) -> None:
        """Ends a wait early when every program has stood still for STALL seconds.

        Or when they send so much that the trace would fill the disk, or one used too much.
        """
        if self.trace.exists() and (size := self.trace.stat().st_size) > FLOOD:
            raise Mismatch(expected="programs that send what the test gives them to send",
                           seen=f"{size >> 20} MiB of packets", cause="flood")
        for program in self.programs:
            if program.excess is not None:
                raise Mismatch(expected=f"`{program.command}` uses what its work needs",
                               seen=f"it was ended: it used {program.excess.seen}",
                               cause=program.excess.cause)
        alive = any(program.exit is None for program in self.programs)
        states = [program.activity() for program in self.programs]
        signs = (self._loop.taken, *((state.waits if program.submitted else 0, state.pids,
                                      program.exit)
                                     for state, program in zip(states, self.programs)))
        running = [number for number, state in enumerate(states) if not state.blocked]
        now = time.monotonic()
        self._still += min(now - self._probed, _UNSEEN)
        self._allow_for_delay(own_delay() + sum(state.delayed for state in states),
                              now - self._probed)
        self._probed = now
        if signs != self._signs:
            self._signs, self._quiet = signs, False
            self._seconds = [state.seconds for state in states]
            self._still = 0.0
        elif any(program.comes_by_itself for program in self.programs):
            self._still = 0.0
        elif running:
            self._quiet = False
            self._still = 0.0
            most = self.longest_spin()
            if all(states[number].seconds - self._seconds[number] > most for number in running):
                raise DeadlinePassed
        elif self._comes_to_nothing() or self._still > (self.stall if alive else self.stall / 5):
            raise DeadlinePassed

    def _allow_for_delay(self, delayed: float, passed: float) -> None:
        """The test has as much longer as nobody had a processor in the last PASSED seconds.

        DELAYED: seconds in which test and programs had none, since each has begun.
        """
        more = min(max(0.0, delayed - self._delayed), passed, self._delay_left)
        self._delayed = delayed
        self._delay_left -= more
        self.take_longer(more)

    def longest_spin(self) -> float:
        """Seconds of processor time that a program may use without ever waiting."""
        return max(SPIN, self.stall)

    def _comes_to_nothing(self) -> bool:
        """Whether nothing goes on by itself any more, and did not at the last look either.

        Between the two the test has taken in what there was.
        """
        was_quiet, self._quiet = self._quiet, not self._under_way() and all(
            program.exit is not None or program.waits_for_ever() for program in self.programs)
        return was_quiet and self._quiet

    def _under_way(self) -> bool:
        """Whether a packet or output may be on its way to a program, or to the test."""
        return (packets_queue() or self.network.sockets.under_way()
                or any(program.in_hand for program in self.programs))

    def close(self) -> None:
        """Ends the recording, the programs and the network, in this order; once."""
        if self._closed:
            return
        self._closed = True
        try:
            self.end_recording()
        finally:
            try:
                self.calls.close()
            finally:
                self._end()

    def _end(self) -> None:
        take_all()
        for peer in self._peers:
            peer.close()
        self.network.close()
        self._capture.close()
        for program in self.programs:
            program.close()
        self._loop.close()
