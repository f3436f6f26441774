"""What programs use while they run: processor time, descriptors, processes, threads, memory."""

from __future__ import annotations

import errno
import os
import time
from typing import NamedTuple

from labkit.feedback import HarnessError, Mismatch
from labkit.peer import ESTABLISHED, Peer
from labkit.processes import has_socket, tree_of
from labkit.program import Program
from labkit.scenario.world import PATIENCE, World

_CAUSES = {"descriptors": "descriptor-leak", "processes": "zombie-children",
           "threads": "left-over-thread"}
_ONE = {"descriptors": "descriptor", "processes": "process", "threads": "thread"}


class Footprint(NamedTuple):
    """How many of each a program has."""

    descriptors: int
    processes: int
    threads: int


class Costs(World):
    """Watching what a program uses."""

    def footprint(self, program: Program) -> Footprint:
        """What the program has, once it waits for something: mostly before its first client."""
        self.wait_blocked(program)
        return _footprint(program)

    def wait_sated(self, program: Program, peer: Peer) -> None:
        """Waits until PROGRAM has all that PEER sends, or waits and leaves some of it unread.

        As with wait_blocked(), the test goes on all the same where that never comes.
        """
        def is_sated() -> bool:
            return peer.is_through or any(
                end.queue and end.remote[1] == peer.port
                for end in self.network.sockets.tcp([ESTABLISHED]))

        self.wait_blocked(program, seconds=5.0, also=is_sated)

    def has_socket(self, program: Program) -> bool:
        """Whether the program, or a child of it, has a socket open, of whatever kind."""
        return program.pid is not None and any(map(has_socket, tree_of(program.pid)))

    def expect_back_to(self, program: Program, before: Footprint) -> None:
        """Waits until the program has no more of anything than BEFORE its clients came."""
        now = before

        def surplus() -> list[str]:
            nonlocal now
            now = _footprint(program)
            return [what for what, count in now._asdict().items()
                    if count > getattr(before, what)]

        self.wait_for(
            lambda: not surplus(),
            f"`{program.command}` keeps nothing of clients that have gone: "
            + _counts(before, list(_CAUSES)),
            lambda: _counts(now, surplus()),
            lambda: _CAUSES[min(surplus(), key=["processes", "threads", "descriptors"].index)],
            poll=0.002,
        )
        self.wait_blocked(program)  # the last child's end may be the program's, too
        if program.has_ended:
            self._loop.wait(lambda: program.exit is not None, at_least=PATIENCE)
            interrupted = os.strerror(errno.EINTR) in program.last_words
            raise Mismatch(expected=f"`{program.command}` goes on",
                           seen=f"it {program.exit}{program.last_words}",
                           cause="eintr" if interrupted else None)

    def expect_children_buried(self, program: Program) -> None:
        """Waits until the program consists of itself alone, without a child or a zombie."""
        self.wait_for(lambda: program.processes() <= 1,
                      f"`{program.command}` keeps no process of clients that have gone",
                      lambda: f"{program.processes() - 1} child processes", "zombie-children",
                      poll=0.002)

    def expect_idle(self, program: Program, seconds: float = 0.3, wakes: int = 2) -> None:
        """Watches the program for SECONDS: it must wait, and not look again and again.

        wakes: how often it may go on in that time, where nothing would tell it that it can.
        What it still had to do before is forgiven: one quiet span of three is enough.
        Its calls cannot be recorded at the same time: see grading.counts_waking.
        """
        if program.traced:
            raise HarnessError("expect_idle: a program whose calls are recorded wakes up for each")
        for _ in range(3):
            before, end = program.activity(), time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0 and program.exit is None:
                self._loop.turn(left)
            if program.exit is not None:
                raise Mismatch(expected=f"`{program.command}` waits",
                               seen=f"it {program.exit}{program.last_words}")
            after = program.activity()
            used, woken = after.seconds - before.seconds, after.switches - before.switches
            if after.blocked and used <= 0.02 and woken <= wakes:
                return  # one that could run may only have had no processor
        raise Mismatch(
            expected=f"`{program.command}` uses no processor time while it waits",
            seen=f"in {seconds} s it ran for {used * 1000:.0f} ms and woke up {woken} times",
            cause="busy-wait",
        )


def _footprint(program: Program) -> Footprint:
    return Footprint(program.descriptors(), program.processes(), program.threads())


def _counts(footprint: Footprint, which: list[str]) -> str:
    return ", ".join(_counted(getattr(footprint, what), what) for what in which)


def _counted(number: int, what: str) -> str:
    return f"{number} {_ONE[what] if number == 1 else what}"
