"""Programs that attack whoever runs them, and what must be left of them: nothing."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Iterator

from labkit.processes import pid_of, tree_of
from labkit.scenario import Scenario

HEAD = r"""
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
"""

WITNESS = "while read line; do echo $line; done"
"""A shell's program that another program's attack must not reach: it says every line again."""


def program(*statements: str) -> str:
    """A C program that does STATEMENTS and ends with 0; of theirs, `say` prints a line at once."""
    body = "".join(f"    {statement};\n" for statement in statements)
    return (f"{HEAD}\n#define say(...) (printf(__VA_ARGS__), putchar('\\n'), fflush(stdout))\n"
            f"int main(int argc, char **argv)\n{{\n    (void)argc, (void)argv;\n{body}"
            "    return 0;\n}\n")


TRIED = 'say("%s", strerror(errno))'
"""Tells why the call before it failed."""


def hold_namespaces_of(lab: Scenario, held: contextlib.ExitStack) -> set[str]:
    """Those that LAB's processes are in and this one is not, as /proc shows them.

    While HELD holds them no new one gets the number of one that has gone.
    """
    found: set[str] = set()
    own = set(_namespaces("self"))
    for pid in tree_of(pid_of(lab.network._first)):
        for name, path in _namespaces(str(pid)).items():
            with contextlib.suppress(OSError):  # it has ended just now
                if name not in own | found:
                    held.callback(os.close, os.open(path, os.O_RDONLY))
                    found.add(name)
    return found


def still_in(namespaces: set[str]) -> list[str]:
    """The processes that are in one of NAMESPACES."""
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if _namespaces(pid).keys() & namespaces]


def _namespaces(pid: str) -> dict[str, str]:
    """What /proc calls those that PID is in, each with its path there."""
    found = {}
    with contextlib.suppress(OSError):
        for name in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts"):
            path = f"/proc/{pid}/ns/{name}"
            found[os.readlink(path)] = path
    return found


@contextlib.contextmanager
def nothing_left(lab: Scenario) -> Iterator[None]:
    """Closes LAB after it, and makes sure that no process, namespace or mount of it is left."""
    before = Path("/proc/self/mounts").read_text()
    with contextlib.ExitStack() as held:
        try:
            yield
            namespaces = hold_namespaces_of(lab, held)
            assert namespaces
        finally:
            lab.close()
        assert not still_in(namespaces), still_in(namespaces)
    assert Path("/proc/self/mounts").read_text() == before
