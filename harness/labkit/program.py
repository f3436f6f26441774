"""One program of a submission, run in its sandbox inside the private network."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import shlex
import signal
import socket
import struct
from pathlib import Path
from typing import NamedTuple, Optional, Union

from labkit.events import EventLoop
from labkit.feedback import HarnessError, last_lines
from labkit.limits import check_descriptors
from labkit.network import Runs
from labkit.pipes import Pipe, Result
from labkit.processes import (
    Activity, Memory, activity_of, descriptors_of, memory_of, parent_of, pid_of, threads_of,
    tree_of,
)
from labkit.sandbox import (
    DESCRIPTORS, ENVIRONMENT, FILE_BYTES, PROCESSES, Excess, Shown, excess_of, run_argv,
)
from labkit.standstill import for_ever
from labkit.terminal import Typist, make_terminal

_MADE, _STARTED, _ENDED = 1, 2, 3
LAST_WORDS = 300
"""Bytes of a program's stderr that feedback tells."""
OUTPUT_LIMIT = 64 * 1024 * 1024
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


class Program:
    """A program; once released it runs, and the event loop takes in its output all the time.

    stdin: bytes to write and then close, a descriptor to hand over, or None for a pipe
    that the test writes to and closes. stdout: None for a pipe, or a descriptor.
    terminal: in place of these pipes stdin and stdout are one terminal, where write() types
    and close_stdin() is Ctrl-D (see terminal.py); stderr is a pipe as ever, to be told apart.
    descriptors: how many it may have open (RLIMIT_NOFILE). processes: of how many it may
    consist before it is ended (Program.excess). file_bytes: how large a file it writes may
    become (RLIMIT_FSIZE). host: where it runs, see PrivateNetwork. files: its current folder,
    where that is not LAB, the folder of its own.
    """

    def __init__(
        self,
        loop: EventLoop,
        network: Runs,
        work: Path,
        lab: Path,
        argv: list[str],
        *,
        stdin: Stdin = None,
        stdout: Optional[int] = None,
        terminal: bool = False,
        descriptors: int = DESCRIPTORS,
        processes: int = PROCESSES,
        file_bytes: int = FILE_BYTES,
        host: Optional[str] = None,
        files: Optional[Shown] = None,
    ) -> None:
        check_descriptors(descriptors, argv[0])
        if terminal and (isinstance(stdin, int) or stdout is not None):
            raise ValueError("stdin and stdout are a terminal, or descriptors")
        self.name = os.path.basename(argv[0])
        self.command = shlex.join(argv)
        self.submitted = argv[0].startswith("./")
        """It is the submission's; else a tool of the system."""
        self.host = host
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.exit: Optional[Exit] = None
        self.excess: Optional[Excess] = None
        """Why the harness ended it, if it did so for what it used."""
        self._loop = loop
        self._pidfd: Optional[int] = None
        self.pid: Optional[int] = None
        """Its process id as seen from outside, once it is made."""
        self.started = False
        """It is more than a process that waits for release()."""
        self.traced = False
        """Its system calls are recorded, and each of them stops it for a moment."""
        self._complaint = bytearray()
        self._to_stdin = bytearray()
        self._close_stdin = False
        self._stdin: Optional[Pipe] = None
        self._typist = Typist() if terminal else None
        self._readers: dict[Pipe, bytearray] = {}
        self._released = False
        if files is not None:
            argv = [os.path.join("/lab", argv[0]), *argv[1:]]
        self._start(network, run_argv(work, lab, argv, descriptors, files, processes,
                                      file_bytes), stdin, stdout)
        if isinstance(stdin, bytes):
            self.write(stdin)
            self.close_stdin()

    def _start(
        self, network: Runs, argv: list[str], stdin: Stdin, stdout: Optional[int]
    ) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._reports = ours
        null = os.open(os.devnull, os.O_RDWR)
        give = [null, null, self._reader(self._complaint), theirs.detach()]
        if self._typist is not None:
            give += self._terminal()
        else:
            give.append(os.dup(stdin) if isinstance(stdin, int) else self._stdin_pipe())
            give.append(os.dup(stdout) if stdout is not None else self._reader(self.stdout))
        give.append(self._reader(self.stderr))
        try:
            self._sandbox = network.run(argv, give, env=ENVIRONMENT, host=self.host, guest=True)
        finally:
            for fd in {*give}:
                os.close(fd)
        self._loop.watch(ours.fileno(), selectors.EVENT_READ, self._take_report)

    def _stdin_pipe(self) -> int:
        """A pipe that write() fills; returns the read end."""
        read_end, write_end = os.pipe()
        self._stdin = Pipe(write_end, self._loop)
        return read_end

    def _reader(self, into: bytearray) -> int:
        """A pipe whose read end fills INTO; returns the write end."""
        read_end, write_end = os.pipe()
        self._read_from(read_end, into)
        return write_end

    def _terminal(self) -> list[int]:
        """A terminal for the program's stdin and stdout, which are returned."""
        ours, theirs = make_terminal()
        self._stdin = Pipe(os.dup(ours), self._loop)
        self._read_from(ours, self.stdout)
        return [theirs, os.dup(theirs)]

    def _read_from(self, fd: int, into: bytearray) -> None:
        pipe = Pipe(fd, self._loop)
        self._readers[pipe] = into
        self._watch_output(pipe)

    def _watch_output(self, pipe: Pipe) -> None:
        pipe.watch(selectors.EVENT_READ, lambda _: self._take_output(pipe))

    @property
    def _alone(self) -> bool:
        """Nobody else has its pipes: it has not begun, or nothing is left of it."""
        return not self._released or (self.exit is not None and not self.exit.leftovers)

    def _take_output(self, pipe: Pipe) -> None:
        pipe.call(lambda: os.read(pipe.fd, 1 << 18),
                  lambda result: self._took_output(pipe, result), self._alone)

    def _took_output(self, pipe: Pipe, result: Result[bytes]) -> None:
        into = self._readers[pipe]
        try:
            data = result()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            data = b""  # nobody has the terminal open any more, and nobody reads from it
            self._to_stdin.clear()
            self._forget_stdin()
        into += data
        if not data:
            self._forget_reader(pipe)
        elif len(into) > OUTPUT_LIMIT:
            which = "stdout" if into is self.stdout else "stderr"
            self.excess = Excess("too-much-output", f"{len(into) >> 20} MiB of {which}")
            self.kill()

    def _forget_reader(self, pipe: Pipe) -> None:
        del self._readers[pipe]
        pipe.close(self._alone)

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
        if kind in (_MADE, _STARTED) and numbers[0]:
            self._sandbox_failed(os.strerror(numbers[0]))
        if kind == _MADE:
            self._pidfd = fds[0]
            self.pid = pid_of(fds[0])
        elif kind == _STARTED:
            self.started = True
        elif kind == _ENDED:
            status, user, system, crossed, used, count = struct.unpack_from("=6q", data, 8)
            names = [name.decode(errors="replace") for name in data[56:].split(b"\0")[:-1]]
            self.excess = self.excess or excess_of(crossed, used)
            names += ["?"] * (count - len(names))
            exited = os.WIFEXITED(status)
            self.exit = Exit(
                os.WEXITSTATUS(status) if exited else None,
                None if exited else os.WTERMSIG(status),
                (user + system) / 1e6,
                names,
            )

    @property
    def overflowed(self) -> bool:
        """It was ended for all that it printed."""
        return self.excess is not None and self.excess.cause == "too-much-output"

    def _sandbox_failed(self, why: str) -> None:
        self._loop.watch(self._reports.fileno(), 0, self._take_report)
        for pipe in list(self._readers):
            if not pipe.busy:
                self._take_output(pipe)
        detail = self._complaint.decode(errors="replace").strip() or why
        raise HarnessError(f"{self.command} could not be run in its sandbox: {detail}")

    def release(self) -> None:
        """Lets the program begin; until then only its sandbox and its process are made."""
        # Where the sandbox has failed already, its report tells.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._released = True
            self._reports.send(b"g")

    @property
    def made(self) -> bool:
        """There is a process that release() makes the program."""
        return self._pidfd is not None

    @property
    def has_ended(self) -> bool:
        """Its first process has ended, also where the report of that is still to come."""
        if self._pidfd is None or self.exit is not None:
            return self.exit is not None
        ended = select.poll()
        ended.register(self._pidfd, select.POLLIN)
        return bool(ended.poll(0))

    @property
    def in_hand(self) -> bool:
        """A call on one of its pipes is under way: it may bring something, or take it."""
        stdin = [] if self._stdin is None else [self._stdin]
        return any(pipe.busy for pipe in [*self._readers, *stdin])

    @property
    def comes_by_itself(self) -> bool:
        """Its end or its last words are still to be told, and nobody can hold that up."""
        return self.exit is None and self.has_ended or self._alone and self.in_hand

    @property
    def output_ended(self) -> bool:
        """stdout and stderr have been closed by everyone who had them."""
        return not any(into is not self._complaint for into in self._readers.values())

    def hold_output(self) -> None:
        """Leaves stdout unread from now on, as a slow reader would."""
        for pipe, into in self._readers.items():
            if into is self.stdout:
                pipe.watch(0, lambda _: None)

    def take_output(self) -> None:
        """Reads stdout again."""
        for pipe, into in self._readers.items():
            if into is self.stdout:
                self._watch_output(pipe)

    def write(self, data: bytes) -> None:
        """Queues DATA for stdin; the loop writes it as the program reads.

        At a terminal it is typed; raises ValueError where that cannot be (Typist.text).
        """
        self._to_stdin += data if self._typist is None else self._typist.text(data)
        self._feed(0)

    def close_stdin(self) -> None:
        """End of file on stdin, after what is queued.

        At a terminal it is typed, and more can be typed after it.
        """
        if self._typist is not None:
            self._to_stdin += self._typist.end_of_file()
        else:
            self._close_stdin = True
        self._feed(0)

    def hang_up(self) -> None:
        """The terminal goes away, with what was not typed or printed yet: its window is closed.

        The program finds end of file on it, and can write no more (EIO).
        """
        assert self._typist is not None
        for pipe in [pipe for pipe, into in self._readers.items() if into is self.stdout]:
            self._forget_reader(pipe)
        self._to_stdin.clear()
        self._forget_stdin()

    @property
    def stdin_pending(self) -> int:
        """Bytes queued that stdin's pipe has not taken yet."""
        return len(self._to_stdin)

    def _feed(self, _: int) -> None:
        stdin = self._stdin
        if stdin is None or stdin.busy:
            return
        stdin.watch(0, self._feed)
        if self._to_stdin:
            fd, data = stdin.fd, bytes(self._to_stdin[: 1 << 18])
            stdin.call(lambda: os.write(fd, data), self._fed, self._alone)
        elif self._close_stdin:
            self._forget_stdin()

    def _fed(self, result: Result[int]) -> None:
        assert self._stdin is not None
        try:
            del self._to_stdin[: result()]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            self._to_stdin.clear()  # the program has ended or closed its stdin
            self._close_stdin = True
        if self._to_stdin:
            self._stdin.watch(selectors.EVENT_WRITE, self._feed)
        elif self._close_stdin:
            self._forget_stdin()

    def _forget_stdin(self) -> None:
        if self._stdin is not None:
            self._stdin.close(self._alone)
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

    @property
    def last_words(self) -> str:
        """The end of what it said on stderr, to be added to what was seen of it."""
        text = last_lines(self.stderr, LAST_WORDS)
        return f"; on stderr: {text}" if text else ""

    def activity(self) -> Activity:
        """What its processes do now; blocked and all else 0 once there are none."""
        return activity_of(self._tree())

    def waits_for_ever(self) -> bool:
        """No process of its sandbox goes on by itself; the program has been begun, and not ended.

        False also where that cannot be known.
        """
        if self.pid is None or not self.started or self.has_ended:
            return False
        try:
            init = parent_of(self.pid)  # labinit, whose child is also what has lost its parent
        except (OSError, HarnessError):
            return False
        return for_ever(tree_of(init)[1:], self.pid)

    def descriptors(self) -> int:
        """How many descriptors the program has open; 0 when it has ended."""
        return descriptors_of(self.pid) if self.pid is not None else 0

    def processes(self) -> int:
        """How many processes the program consists of now, zombies included."""
        return len(self._tree())

    def threads(self) -> int:
        """How many threads all its processes have now; each process has at least one."""
        return sum(map(threads_of, self._tree()))

    def memory(self) -> Memory:
        """What all its processes have in memory now."""
        found = [memory_of(pid) for pid in self._tree()]
        return Memory(sum(m.resident for m in found), sum(m.private for m in found))

    def _tree(self) -> list[int]:
        return tree_of(self.pid) if self.pid is not None and self.exit is None else []

    def close(self) -> None:
        """Gives back the descriptors; the network's end ends the program itself."""
        for pipe in list(self._readers):
            self._forget_reader(pipe)
        self._forget_stdin()
        self._loop.watch(self._reports.fileno(), 0, lambda _: None)
        self._reports.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
