"""One processor for a test and all its programs, so that packets come in the order of sending.

The kernel has a queue of arrived packets for each processor. On a busy machine a process that
is moved to another one between two packets may find that its second comes first.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_ALL = os.sched_getaffinity(0)


def take_one() -> None:
    """Gives this thread, and what it begins, one processor; other processes have others."""
    _take({sorted(_ALL)[os.getpid() % len(_ALL)]})


def take_all() -> None:
    """Gives this thread the processors that it had at first; what it began keeps its one."""
    _take(_ALL)


def _take(processors: set[int]) -> None:
    with contextlib.suppress(OSError):  # some may have been taken from us meanwhile (cpuset(7))
        os.sched_setaffinity(0, processors)


@contextlib.contextmanager
def one_for_what_begins() -> Iterator[None]:
    """What is begun meanwhile has the processor of take_one(); this thread is as before then."""
    before = os.sched_getaffinity(0)
    take_one()
    try:
        yield
    finally:
        _take(before)
