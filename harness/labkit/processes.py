"""What the kernel tells of processes: proc_pid_status(5), proc_pid_task(5), schedstat."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple, Sequence

_ENDED = (FileNotFoundError, ProcessLookupError)
"""What reading about a process raises when it has just ended."""


class Activity(NamedTuple):
    """What some processes have done so far."""

    blocked: bool
    """Every thread waits for something."""
    switches: int
    """How often they stopped or were stopped."""
    seconds: float
    """Processor time."""
    stopped: bool
    """One was stopped by a signal, as by Ctrl-Z."""


class Memory(NamedTuple):
    """Bytes in memory; what processes share is counted for each of them."""

    resident: int
    """All of it, the program's code and its libraries among it."""
    private: int
    """Heap, stacks and other memory that no file is behind."""


def tree_of(pid: int) -> list[int]:
    """PID and all its descendants, zombies included."""
    found, wanted = [], [pid]
    while wanted:
        parent = wanted.pop()
        found.append(parent)
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                wanted += map(int, (task / "children").read_text("ascii").split())
        except _ENDED:
            continue
    return found


def activity_of(pids: Sequence[int]) -> Activity:
    """What PIDS do now; blocked and all else 0 where there are none."""
    blocked, switches, nanoseconds, stopped = True, 0, 0, False
    for pid in pids:
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                status = (task / "status").read_text("ascii", "replace")
                found = re.findall(r"^State:\t(\w)|_switches:\t(\d+)", status, re.M)
                blocked &= found[0][0] not in "RD"
                stopped |= found[0][0] == "T"
                switches += sum(int(count or 0) for _, count in found)
                nanoseconds += int((task / "schedstat").read_text("ascii").split()[0])
        except _ENDED:
            continue
    return Activity(blocked, switches, nanoseconds / 1e9, stopped)


def descriptors_of(pid: int) -> int:
    """How many descriptors PID has open; 0 when it has ended."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except _ENDED:
        return 0


def threads_of(pid: int) -> int:
    """How many threads PID has; 0 when it has ended, 1 for a zombie."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except _ENDED:
        return 0


def memory_of(pid: int) -> Memory:
    """What PID has in memory; nothing when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except _ENDED:
        status = ""
    kib = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", status, re.M))
    return Memory(int(kib.get("VmRSS", 0)) * 1024, int(kib.get("RssAnon", 0)) * 1024)
