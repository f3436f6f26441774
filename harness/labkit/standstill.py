"""Whether processes will ever go on by themselves: what they wait in, as the kernel has it.

A thread that waits in a call without a time limit goes on when somebody else acts; where every
process of a sandbox does, and no packet is under way, nothing will happen any more. That is
known at once, and however busy the machine is. Where anything is not known, the answer is no.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import signal
import socket
from typing import Callable, NamedTuple, Optional, Sequence

from labkit.processes import contents

MOST_PROCESSES, MOST_THREADS, MOST_DESCRIPTORS = 16, 64, 64
"""Where there are more, to look costs more than to wait."""

_PIDFD_GETFD = 438
"""pidfd_getfd(2); the same number on every machine that Linux 5.6 runs on."""
_ALARM = 1 << signal.SIGALRM - 1
"""In the masks of proc_pid_status(5). SIGVTALRM and SIGPROF tell of processor time alone."""
_TIMED_FILES = ("anon_inode:[timerfd]", "anon_inode:[io_uring]", "anon_inode:inotify")
"""What may become readable though nobody in the sandbox does anything."""
_OPTIONS = (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)

_Args = Sequence[int]


def _always(_: _Args) -> bool:
    return True


def _negative(at: int) -> Callable[[_Args], bool]:
    """The argument AT, an int of milliseconds, means for ever."""
    return lambda args: bool(args[at] & 0x80000000)


def _null(at: int) -> Callable[[_Args], bool]:
    """The argument AT, which points to a time, is NULL."""
    return lambda args: args[at] == 0


def _futex(args: _Args) -> bool:
    return args[1] & 0x7f in (0, 9) and args[3] == 0  # FUTEX_WAIT, FUTEX_WAIT_BITSET


class _Call(NamedTuple):
    """A system call by its number on each machine, and whether it waits without a limit."""

    x86_64: int
    aarch64: int
    unlimited: Callable[[_Args], bool] = _always
    on_descriptor: bool = False
    """Its first argument is one, of a socket mostly, which may have a limit of its own."""


_CALLS = (
    _Call(0, 63, on_descriptor=True),  # read
    _Call(19, 65, on_descriptor=True),  # readv
    _Call(1, 64, on_descriptor=True),  # write
    _Call(20, 66, on_descriptor=True),  # writev
    _Call(45, 207, on_descriptor=True),  # recvfrom
    _Call(47, 212, on_descriptor=True),  # recvmsg
    _Call(44, 206, on_descriptor=True),  # sendto
    _Call(46, 211, on_descriptor=True),  # sendmsg
    _Call(43, 202, on_descriptor=True),  # accept
    _Call(288, 242, on_descriptor=True),  # accept4
    _Call(7, -1, _negative(2)),  # poll
    _Call(271, 73, _null(2)),  # ppoll
    _Call(23, -1, _null(4)),  # select
    _Call(270, 72, _null(4)),  # pselect6
    _Call(232, -1, _negative(3)),  # epoll_wait
    _Call(281, 22, _negative(3)),  # epoll_pwait
    _Call(202, 98, _futex),  # futex
    _Call(34, -1),  # pause
    _Call(130, 133),  # rt_sigsuspend; not rt_sigtimedwait, as what it waits for is not told
    _Call(61, 260),  # wait4
    _Call(247, 95),  # waitid
)
_MACHINE = platform.machine()
_BY_NUMBER = {getattr(call, _MACHINE): call for call in _CALLS} \
    if _MACHINE in _Call._fields else {}


def for_ever(pids: Sequence[int], leader: Optional[int] = None) -> bool:
    """Whether no process of PIDS goes on before another does, or a packet or a signal comes.

    They are all there are in their sandbox, but the one that waits for their end. An alarm may
    end each of them, and wake who waits for it; but LEADER, for whom no other waits.
    """
    if len(pids) > MOST_PROCESSES:
        return False
    with contextlib.suppress(OSError, ValueError, IndexError):
        return all(_process_waits(pid, alone=pid == leader) for pid in pids)
    return False


def _process_waits(pid: int, alone: bool) -> bool:
    proc = f"/proc/{pid}"
    status = _fields(contents(f"{proc}/status"))
    if status["State"].startswith("Z"):
        return True
    caught, blocked, ignored = (int(status[mask], 16) & _ALARM
                                for mask in ("SigCgt", "SigBlk", "SigIgn"))
    if caught or blocked or not (ignored or alone):
        return False  # alarm(2) may be its time limit
    tasks = os.listdir(f"{proc}/task")
    if len(tasks) > MOST_THREADS or contents(f"{proc}/timers"):
        return False
    return all(_thread_waits(pid, f"{proc}/task/{task}") for task in tasks) \
        and not _has_timed_file(proc)


def _fields(status: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\t(.*)", status, re.M))


def _thread_waits(pid: int, task: str) -> bool:
    status = _fields(contents(f"{task}/status"))
    if not status["State"].startswith("S"):
        return status["State"].startswith("Z")
    words = contents(f"{task}/syscall").split()
    if len(words) < 7:
        return False  # it runs, or waits in no call
    call = _BY_NUMBER.get(int(words[0]))
    args = [int(word, 16) for word in words[1:7]]
    if call is None or not call.unlimited(args):
        return False
    return not call.on_descriptor or not _has_limit(pid, args[0])


def _has_limit(pid: int, fd: int) -> bool:
    """Whether descriptor FD of PID is a socket with a time limit (socket(7), SO_RCVTIMEO)."""
    if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
        return False
    pidfd = os.pidfd_open(pid)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        copy = libc.syscall(_PIDFD_GETFD, pidfd, fd, 0)
        if copy < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
    finally:
        os.close(pidfd)
    with socket.socket(fileno=copy) as sock:
        return any(any(sock.getsockopt(socket.SOL_SOCKET, option, 16)) for option in _OPTIONS)


def _has_timed_file(proc: str) -> bool:
    names = os.listdir(f"{proc}/fd")
    if len(names) > MOST_DESCRIPTORS:
        return True
    return any(os.readlink(f"{proc}/fd/{name}").startswith(_TIMED_FILES) for name in names)


def packets_queue() -> bool:
    """Whether this machine has packets that came in and were not looked at yet.

    Of any network: each is looked at within a moment, but that may be a long one. The
    loopback has nothing else that is under way and that no socket tells of.
    """
    for line in contents("/proc/net/softnet_stat").splitlines():
        words = line.split()
        if len(words) > 11 and int(words[11], 16):
            return True
    return False
