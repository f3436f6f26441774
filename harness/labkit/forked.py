"""Processes that are copies of this one, and work for it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal

FORK = multiprocessing.get_context("fork")
"""Makes them; what this process has loaded, they have."""
_PR_SET_PDEATHSIG = 1
"""prctl(2): what a process gets when its parent ends, though that be killed."""


def serve() -> None:
    """For the beginning of such a process: it ends with its parent, at once where a signal ends
    both, and has nothing to read, and nowhere to write, but what it was given."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
