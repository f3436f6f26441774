"""Programs of the submission, and of the system: their start, their life, their end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

from labkit.events import DeadlinePassed
from labkit.feedback import HarnessError, Mismatch
from labkit.folders import Folder
from labkit.peer import Peer
from labkit.program import Program, Stdin
from labkit.sandbox import DESCRIPTORS, FILE_BYTES, PROCESSES
from labkit.scenario.listening import Listening
from labkit.scenario.world import PATIENCE

_RECORDED = 256
"""Processes a program may consist of while its calls are recorded, which makes each dear: tests
of a thousand clients at once do without."""
_AT_ONCE = 3.0
"""Seconds a server may take to end by a signal."""
_F_SETSIG = 10
"""fcntl(2), for Python before 3.11 knows no name of it."""


class Programs(Listening):
    """Programs that run in the private network."""

    file_bytes = FILE_BYTES
    """How large a file may become that a program writes; a test of larger ones sets it."""

    def start(
        self, name: str, *args: str, stdin: Stdin = None, stdout: Optional[int] = None,
        terminal: bool = False, descriptors: int = DESCRIPTORS, host: Optional[str] = None,
        folder: Optional[Folder] = None,
    ) -> Program:
        """Starts the submission's program NAME with ARGS in the private network.

        stdin, stdout, terminal: see Program. descriptors: how many it may have open.
        host: "a" or "b" where there are two. folder: of folder(), the program's current one;
        without, it is the one with the submission, where nothing can be written.
        """
        return self._run(self._find(name).parent, [f"./{name}", *args], folder, stdin=stdin,
                         stdout=stdout, terminal=terminal, descriptors=descriptors, host=host)

    def start_tool(
        self, name: str, *args: str, stdin: Stdin = None, stdout: Optional[int] = None,
        host: Optional[str] = None, folder: Optional[Folder] = None,
    ) -> Program:
        """Starts NAME, a program of the system such as ncat, in the private network.

        host, folder: as for start(). Raises HarnessError when it is not installed.
        """
        path = shutil.which(name)
        if path is None:
            raise HarnessError(f"{name} is missing: run 'make setup'")
        return self._run(self._work / "etc", [path, *args], folder, stdin=stdin, stdout=stdout,
                         host=host)

    def _run(
        self, lab: Path, argv: list[str], folder: Optional[Folder], **how: Any
    ) -> Program:
        self.at(how["host"])
        program = Program(self._loop, self.network, self._work, lab, argv,
                          files=folder.shown if folder else None, file_bytes=self.file_bytes,
                          processes=PROCESSES if self.calls.log is None else _RECORDED, **how)
        self.programs.append(program)
        self._wait_for_sandbox(program, lambda: program.made)
        self.calls.start(program)
        self.ready()
        self.calls.wait_attached(program)
        program.release()
        self._wait_for_sandbox(program, lambda: program.started or program.exit is not None)
        self._still = 0.0
        return program

    def _wait_for_sandbox(self, program: Program, done: Callable[[], bool]) -> None:
        try:
            self._loop.wait(done, at_least=PATIENCE)
        except DeadlinePassed:
            raise HarnessError(f"the sandbox of {program.command} was not ready in time") from None

    def start_server(
        self, name: str, *args: str, port: int, address: str = "127.0.0.1",
        cause: Optional[str] = None, **how: Any,
    ) -> Program:
        """Starts server NAME and waits until the kernel has it listening on ADDRESS and PORT.

        HOW: as for start().
        """
        self.needs_server(name)
        server = self.start(name, *args, **how)
        self.wait_listening(server, port, address, cause)
        return server

    def pause(self, program: Program) -> None:
        """Stops the program as Ctrl-Z does; returns once it is stopped."""
        program.send_signal(signal.SIGSTOP)
        self._loop.wait(lambda: program.activity().stopped or program.exit is not None,
                        poll=0.001, at_least=PATIENCE)

    def resume(self, program: Program) -> None:
        """Lets a paused program go on, as `fg` does."""
        program.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def stopped_by_answer(self, program: Program, peer: Peer) -> Iterator[None]:
        """In its block PROGRAM is stopped by the kernel as soon as it has sent to PEER.

        It goes on where PEER waits for more, and when the block ends. A process in a session of
        its own is not stopped (setsid(2)), nor is any where the kernel lets us send no signal.
        """
        if program.pid is None:
            raise HarnessError(f"{program.command} was never started")
        sock, group, heard = peer.sock, program.pid, peer.heard

        def go_on() -> None:
            with contextlib.suppress(ProcessLookupError):
                if program.exit is None:
                    os.killpg(group, signal.SIGCONT)

        def go_on_if_stopped() -> None:
            nonlocal heard
            if peer.heard > heard:
                go_on()
            heard = peer.heard

        flags = fcntl.fcntl(sock, fcntl.F_GETFL)
        try:
            fcntl.fcntl(sock, fcntl.F_SETOWN, -group)
        except ProcessLookupError:  # it has ended
            yield
            return
        fcntl.fcntl(sock, _F_SETSIG, signal.SIGSTOP)
        fcntl.fcntl(sock, fcntl.F_SETFL, flags | os.O_ASYNC)
        peer.wants_more = go_on_if_stopped
        try:
            yield
        finally:
            peer.wants_more = lambda: None
            if sock.fileno() >= 0:
                fcntl.fcntl(sock, fcntl.F_SETFL, flags)
            go_on()

    def wait_gone(self, program: Program) -> None:
        """Waits for the program's end, however it comes."""
        self._loop.wait(lambda: program.exit is not None, at_least=PATIENCE)

    def expect_running(self, program: Program, cause: str) -> None:
        """Waits until the program waits for something; if it has ended, CAUSE is why."""
        self.wait_blocked(program)
        if program.has_ended:
            self.wait_gone(program)
            assert program.exit is not None
            raise Mismatch(expected=f"`{program.command}` goes on",
                           seen=f"it {program.exit}{program.last_words}",
                           cause="sigpipe" if program.exit.signal == signal.SIGPIPE else cause)

    def expect_exit(
        self, program: Program, status: int = 0, cause: Optional[str] = None
    ) -> None:
        """Waits for the program's end, which must be by itself and with STATUS.

        It must leave no process of its own behind.
        """
        others = [other for other in self.programs if other is not program and other.submitted]
        if status == 0 and any(other.exit is None for other in others):
            self.needs("speaks")  # it succeeds only where it is answered
        self.wait_for(lambda: program.exit is not None
                      and (program.output_ended or bool(program.exit.leftovers)),
                      f"`{program.command}` exits with status {status}",
                      lambda: f"it still runs{program.last_words}", cause or "slow-end")
        assert program.exit is not None
        if program.exit.status != status:
            raise Mismatch(
                expected=f"`{program.command}` exits with status {status}",
                seen=f"it {program.exit}{program.last_words}",
                cause=cause or ("sigpipe" if program.exit.signal == 13 else "exit-status"),
            )
        if program.exit.leftovers:
            names = ", ".join(program.exit.leftovers)
            raise Mismatch(expected=f"`{program.command}` leaves no process behind",
                           seen=f"a second later there still were: {names}",
                           cause="left-over-process")

    def end_by_signal(self, server: Program, number: int) -> None:
        """Sends the signal NUMBER; the server must exit at once, with status 0.

        'Within a second' says the contract; what is measured here grants a busy machine
        three times as much.
        """
        sent = time.monotonic()
        server.send_signal(number)
        self.expect_exit(server, 0)
        took = time.monotonic() - sent
        if took > _AT_ONCE:
            raise Mismatch(expected=f"{signal.Signals(number).name} ends the server within 1 s",
                           seen=f"it took {took:.1f} s", cause="slow-end")
