"""One processor for a test and all its programs, so that packets come in the order of sending.

The kernel has a queue of arrived packets for each processor. On a busy machine a process that
is moved to another one between two packets may find that its second comes first.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from labkit.processes import contents

_ALL = os.sched_getaffinity(0)
_chosen: dict[int, int] = {}
"""By the process whose one it is: where it ran when it first took one; the kernel spreads them."""


def take_one() -> None:
    """Gives this thread, and what it begins, one processor, the same each time."""
    pid = os.getpid()
    if pid not in _chosen:
        _chosen.clear()
        _chosen[pid] = int(contents("/proc/thread-self/stat").rpartition(")")[2].split()[36])
    _take({_chosen[pid]})


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
