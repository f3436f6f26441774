"""The system calls of a test's programs: strace, attached from outside their sandboxes.

It runs in the test's network, with the rights of the network's own root over all that is in
there (CAP_SYS_PTRACE, ptrace(2)): the program can neither see nor end it, is nobody's child
but its own parent's, and has no way to the log, a file in memory until the test is over. What
it does to a program is to stop it for some microseconds at each call, and one thing more,
for which see interfered().
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import time
from pathlib import Path
from typing import Callable, Optional

from labkit.events import DeadlinePassed, EventLoop
from labkit.feedback import HarnessError, clean_line
from labkit.network import PrivateNetwork
from labkit.processes import pid_of, pids_inside
from labkit.program import Program
from labkit.tool import Tool

LIMIT = 1024 * 1024
"""Bytes of one program's log, some 7,000 calls; strace that writes more is ended, and the
program goes on. So it costs a program that makes far more calls than it needs a second or two."""
_PATIENCE = 5.0
"""Seconds that strace has to attach, or to let go of what it is attached to."""
_LOG_FD = 4
_CALLS = (
    "%network", "read", "write", "readv", "writev", "pread64", "pwrite64", "close", "?close_range",
    "dup", "?dup2", "dup3", "fcntl", "?poll", "ppoll", "?select", "pselect6", "?epoll_create",
    "epoll_create1", "epoll_ctl", "?epoll_wait", "epoll_pwait", "?epoll_pwait2", "?sendfile",
    "?sendfile64", "splice", "?fork", "?vfork", "clone", "?clone3", "execve", "?execveat", "exit",
    "exit_group", "wait4", "waitid", "kill", "?pause", "restart_syscall", "rt_sigaction",
)
"""What is recorded: all that sockets and processes are used with. '?': not every machine has it."""
_OPTIONS = (
    "-f",  # with its children and threads
    "-yy",  # a descriptor with the addresses of its socket
    "--absolute-timestamps=format:unix,precision:ns",  # the clock of the trace's packets
    "--syscall-times=ns",
    "--decode-pids=pidns",  # what a program calls its child is not what the log calls it
    "-s", "64",  # bytes shown of what is sent and received
    "-I", "2",  # SIGTERM ends it, between two calls
    "-e", f"trace={','.join(_CALLS)}",
)


class Calls:
    """The recording of the calls of all programs of a test into the file LOG; None: of none.

    For each program start() and wait_attached() before it is released; close() writes the
    file. What goes wrong is never an error: there are no calls then, and `problem` says why.
    """

    def __init__(self, loop: EventLoop, network: PrivateNetwork, log: Optional[Path]) -> None:
        self.log = log
        self.problem: Optional[str] = None
        """Why not every program's calls are recorded, in a line."""
        self._loop = loop
        self._network = network
        self._tracers: list[_Tracer] = []
        self._strace = shutil.which("strace") if log is not None else None
        if log is not None and self._strace is None:
            self.problem = "strace is missing: run 'make setup'"

    def start(self, program: Program) -> None:
        """Begins to attach to PROGRAM, which is made and not released."""
        if self._strace is None or self.problem is not None:
            return
        try:
            self._tracers.append(_Tracer(self._loop, self._network, self._strace, program))
        except (OSError, HarnessError) as error:
            self.problem = f"strace cannot be run: {error}"

    def wait_attached(self, program: Program) -> None:
        """Returns when every call of PROGRAM from now on is recorded, or none will be."""
        tracer = next((tracer for tracer in self._tracers if tracer.program is program), None)
        if tracer is not None:
            self.problem = tracer.wait_attached()

    def interfered(self) -> bool:
        """Whether a program may have behaved in another way because its calls are recorded."""
        return any(interfered(tracer.read_log()) for tracer in self._tracers)

    def so_far(self, program: Program) -> bytes:
        """What is written of PROGRAM's calls, the one it is in among them; nothing without a log.
        """
        found = (tracer for tracer in self._tracers if tracer.program is program)
        return next((tracer.written() for tracer in found), b"")

    def close(self) -> None:
        """Ends the recording; LOG is whole then, and not there if there is nothing in it."""
        try:
            for tracer in self._tracers:
                tracer.let_go()
            logs = [tracer.take_log() for tracer in self._tracers]
            if self.log is not None and any(logs):
                if self.problem is not None:
                    logs.append(f"strace: not every program is here: {self.problem}\n".encode())
                self.log.write_bytes(b"".join(logs))
        except OSError as error:
            self.problem = f"{self.log} cannot be written: {error.strerror}"
        finally:
            while self._tracers:
                self._tracers.pop().close()


class _Tracer:
    """strace of one program."""

    def __init__(
        self, loop: EventLoop, network: PrivateNetwork, strace: str, program: Program
    ) -> None:
        self.program = program
        self._loop = loop
        self._log = os.memfd_create("calls")
        assert program.pid is not None
        inside = pids_inside(program.pid)[-2]  # the sandbox's namespace lies in the network's
        argv = [strace, *_OPTIONS, "-o", f"/proc/self/fd/{_LOG_FD}", "-p", str(inside)]
        try:
            self._tool = Tool(loop, network, argv, "strace", host=program.host, give=[self._log])
        except BaseException:
            os.close(self._log)
            raise
        pid = pid_of(self._tool.pidfd)
        if pid > 0:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
                resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))

    def wait_attached(self) -> Optional[str]:
        """Returns when strace has attached, or else why it has not."""
        self._wait(lambda: self._attached or self._tool.ended)
        if self._attached and not self._tool.ended:
            self.program.traced = True
            return None
        if not self._tool.ended:
            self._tool.send_signal(signal.SIGKILL)
            return "strace did not attach to the program in time"
        last = self._tool.words.splitlines()[-1].partition("strace: ")
        return f"strace cannot attach to a program: {clean_line(last[2] or last[0], 200)}"

    @property
    def _attached(self) -> bool:
        return b" attached" in self._tool.said

    def let_go(self) -> None:
        """Asks strace to write what it knows of the calls that last, and to end."""
        self._tool.send_signal(signal.SIGTERM)

    def take_log(self) -> bytes:
        """Waits for strace's end; what it wrote, in whole lines, from the program's start."""
        self._wait(lambda: self._tool.ended)
        if not self._tool.ended:
            self._tool.send_signal(signal.SIGKILL)
            self._wait(lambda: self._tool.ended)
        log = self.read_log()
        begin = log.rfind(b"\n", 0, max(0, log.find(b" execve("))) + 1
        return log[begin:] + self._why_cut().encode(errors="backslashreplace")

    def read_log(self) -> bytes:
        """What it has written so far, in whole lines."""
        log = self.written()
        return log[: log.rfind(b"\n") + 1]

    def written(self) -> bytes:
        """What it has written so far; the last line may lack its end."""
        return os.pread(self._log, LIMIT, 0)

    def _why_cut(self) -> str:
        """A line for the end of a log that is not whole; nothing for one that is."""
        status = self._tool.status
        asked = status is not None and (
            os.WIFEXITED(status) or os.WTERMSIG(status) == signal.SIGTERM)
        if asked or not self.program.traced:
            return ""
        why = "it did not end in time"
        if status is not None:
            why = f"it was ended by {signal.Signals(os.WTERMSIG(status)).name}"
            if os.WTERMSIG(status) == signal.SIGXFSZ:
                why = f"it reached its limit of {LIMIT} bytes"
        return f"strace: the log of {clean_line(self.program.command, 100)} ends here: {why}\n"

    def close(self) -> None:
        self._tool.close()
        os.close(self._log)

    def _wait(self, done: Callable[[], bool]) -> None:
        """Waits until DONE(), or _PATIENCE is over."""
        end = time.monotonic() + _PATIENCE
        with contextlib.suppress(DeadlinePassed):
            self._loop.wait(lambda: done() or time.monotonic() > end, at_least=_PATIENCE)


_LINE = re.compile(rb"^(\d+) +\S+ (.*)$", re.M)
_USUALLY_IGNORED = re.compile(rb"--- (SIGCHLD|SIGURG|SIGWINCH) ")
_CUT_SHORT = re.compile(rb" = -1 EINTR |^(?:<\.\.\. )?(?:write|send)")


def interfered(log: bytes) -> bool:
    """Whether LOG shows a call that a signal cut short which it would not have without strace.

    A signal that a process ignores unless it asks for it, as that of a child's end, comes to
    a traced process all the same. Most calls it waits in go on by themselves then; but
    epoll_wait(2), and recv(2) with a timeout, fail with EINTR (signal(7)), and send(2) may
    have taken a part only.
    """
    last: dict[bytes, bytes] = {}
    for pid, text in _LINE.findall(log):
        signal_name = _USUALLY_IGNORED.match(text)
        if signal_name is not None and _CUT_SHORT.search(last.get(pid, b"")) \
                and b"rt_sigaction(%b, {sa_handler=0x" % signal_name[1] not in log:
            return True
        last[pid] = text
    return False
