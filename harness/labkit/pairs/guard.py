"""Two processes that look after each other: what one leaves when it is killed the other removes.

The guard is the command itself; it does nothing but wait. The worker, its child, does the
work. Either ends when the other does, by whatever signal; and the guard ends, too, with a
process that called the command, such as make.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from pathlib import Path
from types import FrameType
from typing import Callable, Optional, Sequence

from labkit import asked
from labkit.feedback import HarnessError

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE_MS = 10_000
"""How long the worker has to end when it is asked to."""


def guarded(name: str, work: Callable[[int], int]) -> int:
    """What WORK returns, done by the worker of command NAME. Raises HarnessError.

    WORK is given a descriptor that is at its end of file as soon as it has to end. A signal
    is KeyboardInterrupt to both, once.
    """
    end, ours = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        os._exit(asked.exit_status(name, lambda: _worker(work, end)))
    _interrupt_once()
    os.close(end)
    worker = os.pidfd_open(pid)
    callers = [os.pidfd_open(caller) for caller in _callers()]
    try:
        if _first([worker, *callers]) != worker:
            raise KeyboardInterrupt
    finally:
        os.close(ours)
        if _first([worker], _PATIENCE_MS) is None:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        for fd in (worker, *callers):
            os.close(fd)
    if os.WIFSIGNALED(status):
        raise HarnessError(f"it was ended by {signal.Signals(os.WTERMSIG(status)).name}")
    return os.WEXITSTATUS(status)


def _worker(work: Callable[[int], int], end: int) -> int:
    _interrupt_once()
    try:
        return work(end)
    except KeyboardInterrupt:
        return asked.HARNESS_FAILED  # the guard says so


def _interrupt_once() -> None:
    """The first signal that asks for the end is KeyboardInterrupt; no other disturbs it."""
    asked_before = False

    def interrupt(number: int, frame: Optional[FrameType]) -> None:
        nonlocal asked_before
        if not asked_before:
            asked_before = True
            raise KeyboardInterrupt

    for number in _ENDING:
        signal.signal(number, interrupt)


def _first(pidfds: Sequence[int], milliseconds: Optional[int] = None) -> Optional[int]:
    """The first of PIDFDS whose process has ended, waited for; None when time is over."""
    ended = select.poll()
    for fd in pidfds:
        ended.register(fd, select.POLLIN)
    found = ended.poll(milliseconds)
    return found[0][0] if found else None


def _callers() -> list[int]:
    """The processes that have called this one, and one another, all of one group."""
    found: list[int] = []
    pid = os.getppid()
    with contextlib.suppress(OSError):
        while pid > 1 and os.getpgid(pid) == os.getpgrp():
            found.append(pid)
            status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
            pid = int(status.split("\nPPid:", 1)[1].split(None, 1)[0])
    return found
