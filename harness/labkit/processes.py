"""What the kernel tells of processes: proc_pid_status(5), proc_pid_task(5), schedstat."""

from __future__ import annotations

import os
import re
import signal
from typing import NamedTuple, Sequence

from labkit.feedback import HarnessError

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
    waits: int
    """How many of these were because they waited for something."""
    stopped: bool
    """One was stopped by a signal, as by Ctrl-Z, with all its threads."""
    pids: tuple[int, ...]
    """Which they are: where one has ended and another begun, `switches` may be as before."""
    delayed: float
    """Seconds in which a thread could run, and no processor had time for it."""


class Memory(NamedTuple):
    """Bytes in memory; what processes share is counted for each of them."""

    resident: int
    """All of it, the program's code and its libraries among it."""
    private: int
    """Heap, stacks and other memory that no file is behind."""


def pid_of(pidfd: int) -> int:
    """The process id out here, of a process known by a descriptor from inside a sandbox.

    -1 when it has ended. Raises HarnessError.
    """
    return int(_field(f"/proc/self/fdinfo/{pidfd}", "Pid", "a pidfd's process (Linux 5.3)"))


def pids_inside(pid: int) -> list[int]:
    """The ids of PID in each process namespace that it is in, its own innermost one last.

    Raises HarnessError, or FileNotFoundError when it has ended.
    """
    ids = _field(f"/proc/{pid}/status", "NSpid", "a process's ids in namespaces (Linux 4.1)")
    return [int(word) for word in ids.split()]


def has_socket(pid: int) -> bool:
    """Whether the process PID has a socket open, of whatever kind."""
    folder = f"/proc/{pid}/fd"
    try:
        links = [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)]
    except (*_ENDED, PermissionError):
        return False
    return any(link.startswith("socket:") for link in links)


def parent_of(pid: int) -> int:
    """The process id of PID's parent. Raises HarnessError, or OSError when it has ended."""
    return int(_field(f"/proc/{pid}/status", "PPid", "a process's parent"))


def _field(path: str, name: str, what: str) -> str:
    found = re.search(rf"^{name}:\t(.*)", contents(path), re.M)
    if found is None:
        raise HarnessError(f"this kernel does not tell {what}")
    return found[1]


def contents(path: str) -> str:
    """What stands in PATH, a file of /proc; raises OSError.

    These are read thousands of times in a run, which io's layers would make three times as dear.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while more := os.read(fd, 65536):
            data += more
        return data.decode("ascii", "replace")
    finally:
        os.close(fd)


def tree_of(pid: int) -> list[int]:
    """PID and all its descendants, zombies included."""
    found, wanted = [], [pid]
    while wanted:
        parent = wanted.pop()
        found.append(parent)
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                wanted += map(int, contents(f"/proc/{parent}/task/{task}/children").split())
        except _ENDED:
            continue
    return found


def activity_of(pids: Sequence[int]) -> Activity:
    """What PIDS do now; blocked and all else 0 where there are none."""
    blocked, switches, waits, ran, delayed, stopped = True, 0, 0, 0, 0, False
    for pid in pids:
        states = set()
        try:
            for tid in os.listdir(f"/proc/{pid}/task"):
                task = f"/proc/{pid}/task/{tid}"
                status = contents(f"{task}/status")
                state, tracer, voluntary, forced = re.findall(
                    r"^(?:State|TracerPid|\w+_ctxt_switches):\t(\w+)", status, re.M)
                if state == "t" and _rests(task, tracer):
                    state = "T"
                blocked &= state not in "RDt"
                states.add(state)
                switches += int(voluntary) + int(forced)
                waits += int(voluntary)
                times = contents(f"{task}/schedstat").split()
                ran += int(times[0])
                delayed += int(times[1])
        except _ENDED:
            continue
        stopped |= states - {"Z", "X"} == {"T"}
    return Activity(blocked, switches, ran / 1e9, waits, stopped, tuple(pids), delayed / 1e9)


def own_delay() -> float:
    """Seconds in which this thread could run, and no processor had time for it."""
    return int(contents("/proc/thread-self/schedstat").split()[1]) / 1e9


_STOPS = {0, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
"""What a thread that a signal stopped has as its exit code in proc(5); 0 for older kernels."""


def _rests(task: str, tracer: str) -> bool:
    """Whether the traced thread TASK was stopped by a signal, and not at a call.

    At a call its exit code is that of a trap until TRACER has taken it, which works then.
    """
    return all((_stop_of(task) in _STOPS, _waits(tracer), _stop_of(task) in _STOPS))


def _stop_of(task: str) -> int:
    return int(contents(f"{task}/stat").rpartition(")")[2].split()[49])


def _waits(pid: str) -> bool:
    try:
        status = contents(f"/proc/{pid}/status")
    except _ENDED:
        return False
    return "\nState:\tS" in status


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
        status = contents(f"/proc/{pid}/status")
    except _ENDED:
        status = ""
    kib = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", status, re.M))
    return Memory(int(kib.get("VmRSS", 0)) * 1024, int(kib.get("RssAnon", 0)) * 1024)
