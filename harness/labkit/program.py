"""One program of a submission, run in its sandbox inside the private network."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import signal
import socket
import struct
from pathlib import Path
from typing import NamedTuple, Optional, Union

from labkit.events import EventLoop
from labkit.feedback import HarnessError
from labkit.network import PrivateNetwork
from labkit.sandbox import ENVIRONMENT, run_argv

_STARTED, _ENDED = 1, 2
OUTPUT_LIMIT = 256 * 1024 * 1024
"""Bytes of stdout, or of stderr, after which a program is ended."""

Stdin = Union[bytes, int, None]


class Exit(NamedTuple):
    """How a program ended, and what it left."""

    status: Optional[int]
    """The exit status, None when a signal ended it."""
    signal: Optional[int]
    """The signal's number, None when it exited."""
    processor_seconds: float
    """User and system time of the program and of every child that was waited for."""
    leftovers: list[str]
    """Names of its processes that were still alive a second later."""

    def __str__(self) -> str:
        if self.signal is not None:
            return f"ended by {signal.Signals(self.signal).name}"
        return f"exited with status {self.status}"


class Activity(NamedTuple):
    """What a program's processes have done so far (proc_pid_status(5), schedstat)."""

    blocked: bool
    """Every thread waits for something."""
    switches: int
    """How often they stopped or were stopped."""
    seconds: float
    """Processor time."""
    stopped: bool
    """It was stopped by a signal, as by Ctrl-Z."""


class Program:
    """A program; once released it runs, and the event loop takes in its output all the time.

    stdin: bytes to feed and then close, a descriptor to hand over, or None for a pipe
    that the test writes to and closes. stdout: None for a pipe, or a descriptor.
    """

    def __init__(
        self,
        loop: EventLoop,
        network: PrivateNetwork,
        work: Path,
        folder: Path,
        argv: list[str],
        *,
        stdin: Stdin = None,
        stdout: Optional[int] = None,
    ) -> None:
        self.name = os.path.basename(argv[0])
        self.command = shlex.join(argv)
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.exit: Optional[Exit] = None
        self.overflowed = False
        self._loop = loop
        self._pidfd: Optional[int] = None
        self.pid: Optional[int] = None
        """Its process id as seen from outside, once it has started."""
        self._complaint = bytearray()
        self._to_stdin = bytearray(stdin if isinstance(stdin, bytes) else b"")
        self._close_stdin = isinstance(stdin, bytes)
        self._stdin: Optional[int] = None
        self._readers: dict[int, bytearray] = {}
        self._start(network, run_argv(work, folder, argv), stdin, stdout)

    def _start(
        self, network: PrivateNetwork, argv: list[str], stdin: Stdin, stdout: Optional[int]
    ) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._reports = ours
        null = os.open(os.devnull, os.O_RDWR)
        give = [null, null, self._reader(self._complaint), theirs.detach()]
        if isinstance(stdin, int):
            give.append(os.dup(stdin))
        else:
            read_end, self._stdin = os.pipe()
            os.set_blocking(self._stdin, False)
            give.append(read_end)
        give.append(os.dup(stdout) if stdout is not None else self._reader(self.stdout))
        give.append(self._reader(self.stderr))
        try:
            self._sandbox = network.run(argv, give, env=ENVIRONMENT, guest=True)
        finally:
            for fd in {*give}:
                os.close(fd)
        self._loop.watch(ours.fileno(), selectors.EVENT_READ, self._take_report)
        self._feed(0)

    def _reader(self, into: bytearray) -> int:
        """A pipe whose read end fills INTO; returns the write end."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        self._readers[read_end] = into
        self._watch_output(read_end)
        return write_end

    def _watch_output(self, fd: int) -> None:
        self._loop.watch(fd, selectors.EVENT_READ, lambda _: self._take_output(fd))

    def _take_output(self, fd: int) -> None:
        into = self._readers[fd]
        try:
            data = os.read(fd, 1 << 18)
        except BlockingIOError:
            return
        into += data
        if not data:
            self._loop.watch(fd, 0, lambda _: None)
            del self._readers[fd]
            os.close(fd)
        elif len(into) > OUTPUT_LIMIT:
            self.overflowed = True
            self.kill()

    def _take_report(self, _: int) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._reports, 8192, 1)
        except ConnectionResetError:  # it ended without reading what release() sent
            data, fds = b"", []
        if not data:
            self._loop.watch(self._reports.fileno(), 0, lambda _: None)
            if self.exit is None:
                self._sandbox_failed("its sandbox ended without a report")
            return
        kind, *numbers = struct.unpack_from("=2q", data)
        if kind == _STARTED:
            if numbers[0]:
                self._sandbox_failed(os.strerror(numbers[0]))
            self._pidfd = fds[0]
            self.pid = _pid_of(fds[0])
        elif kind == _ENDED:
            status, user, system, count = struct.unpack_from("=4q", data, 8)
            names = [name.decode(errors="replace") for name in data[40:].split(b"\0")[:-1]]
            names += ["?"] * (count - len(names))
            exited = os.WIFEXITED(status)
            self.exit = Exit(
                os.WEXITSTATUS(status) if exited else None,
                None if exited else os.WTERMSIG(status),
                (user + system) / 1e6,
                names,
            )

    def _sandbox_failed(self, why: str) -> None:
        self._loop.watch(self._reports.fileno(), 0, self._take_report)
        for fd in list(self._readers):
            self._take_output(fd)
        detail = self._complaint.decode(errors="replace").strip() or why
        raise HarnessError(f"{self.command} could not be run in its sandbox: {detail}")

    def release(self) -> None:
        """Lets the program begin; until then only its sandbox is made."""
        # Where the sandbox has failed already, its report tells.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._reports.send(b"g")

    @property
    def started(self) -> bool:
        return self._pidfd is not None

    @property
    def output_ended(self) -> bool:
        """stdout and stderr have been closed by everyone who had them."""
        return not any(into is not self._complaint for into in self._readers.values())

    def hold_output(self) -> None:
        """Leaves stdout unread from now on, as a slow reader would."""
        for fd, into in self._readers.items():
            if into is self.stdout:
                self._loop.watch(fd, 0, lambda _: None)

    def take_output(self) -> None:
        """Reads stdout again."""
        for fd, into in self._readers.items():
            if into is self.stdout:
                self._watch_output(fd)

    def write(self, data: bytes) -> None:
        """Queues DATA for stdin; the loop writes it as the program reads."""
        self._to_stdin += data
        self._feed(0)

    def close_stdin(self) -> None:
        """End of file on stdin, after what is queued."""
        self._close_stdin = True
        self._feed(0)

    @property
    def stdin_pending(self) -> int:
        """Bytes queued that stdin's pipe has not taken yet."""
        return len(self._to_stdin)

    def _feed(self, _: int) -> None:
        if self._stdin is None:
            return
        try:
            while self._to_stdin:
                n = os.write(self._stdin, self._to_stdin[: 1 << 18])
                del self._to_stdin[:n]
        except BlockingIOError:
            self._loop.watch(self._stdin, selectors.EVENT_WRITE, self._feed)
            return
        except BrokenPipeError:
            self._to_stdin.clear()  # the program has ended or closed its stdin
            self._close_stdin = True
        self._loop.watch(self._stdin, 0, self._feed)
        if self._close_stdin:
            os.close(self._stdin)
            self._stdin = None

    def send_signal(self, number: int) -> None:
        """Sends signal NUMBER to the program; nothing happens when it has ended."""
        if self._pidfd is not None and self.exit is None:
            try:
                signal.pidfd_send_signal(self._pidfd, number)
            except ProcessLookupError:
                pass

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def activity(self) -> Activity:
        """What its processes do now; blocked and all else 0 once there are none."""
        blocked, switches, nanoseconds, stopped = True, 0, 0, False
        for pid in _tree(self.pid) if self.pid is not None and self.exit is None else ():
            try:
                for task in Path(f"/proc/{pid}/task").iterdir():
                    status = (task / "status").read_text("ascii", "replace")
                    found = re.findall(r"^State:\t(\w)|_switches:\t(\d+)", status, re.M)
                    blocked &= found[0][0] not in "RD"
                    stopped |= found[0][0] == "T"
                    switches += sum(int(count or 0) for _, count in found)
                    nanoseconds += int((task / "schedstat").read_text("ascii").split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
        return Activity(blocked, switches, nanoseconds / 1e9, stopped)

    def descriptors(self) -> int:
        """How many descriptors the program has open; 0 when it has ended."""
        try:
            return len(os.listdir(f"/proc/{self.pid}/fd"))
        except (FileNotFoundError, ProcessLookupError):
            return 0

    def processes(self) -> int:
        """How many processes the program consists of now, zombies included."""
        return len(_tree(self.pid)) if self.pid is not None and self.exit is None else 0

    def close(self) -> None:
        """Gives back the descriptors; the network's end ends the program itself."""
        for fd in [*self._readers, *([self._stdin] if self._stdin is not None else [])]:
            self._loop.watch(fd, 0, lambda _: None)
            os.close(fd)
        self._readers.clear()
        self._stdin = None
        self._loop.watch(self._reports.fileno(), 0, lambda _: None)
        self._reports.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None


def _pid_of(pidfd: int) -> int:
    """The process id outside, of a process known by a descriptor from inside."""
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text("ascii")
    found = re.search(r"^Pid:\t(-?\d+)", text, re.M)
    if found is None:
        raise HarnessError("this kernel does not tell a pidfd's process (before Linux 5.3?)")
    return int(found.group(1))


def _tree(pid: int) -> list[int]:
    """PID and all its descendants."""
    found, wanted = [], [pid]
    while wanted:
        parent = wanted.pop()
        found.append(parent)
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                wanted += map(int, (task / "children").read_text("ascii").split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
