"""One graded test's world: a private network, its recording, programs and peers in it."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar, Union

from labkit import capture, second_opinion
from labkit.capture import Capture
from labkit.events import DeadlinePassed, EventLoop
from labkit.feedback import HarnessError, Mismatch
from labkit.kernel_sockets import ALL_STATES, LISTEN, TIME_WAIT, Endpoint
from labkit.network import PrivateNetwork
from labkit.peer import Listener, Peer, describe, difference, guess_cause
from labkit.program import Program, Stdin
from labkit.verdict import mismatch_of, orderly, why_elsewhere

DEADLINE = 20.0
"""Seconds a whole test may take, whatever its programs do."""
_PATIENCE = 20.0
"""Seconds for what the harness itself does, also after the test's own deadline."""
STALL = 1.5
"""Seconds without any sign of life in any program, after which nothing will come any more.

Sign of life: a thread that can run, or has run (its context switches). A program that
is only slow, or waits for the processor on a busy machine, never counts as stalled.
"""

_AT_ONCE = 3.0
"""Seconds a server may take to end by a signal."""
_Kept = TypeVar("_Kept", Peer, Listener)
_UNSETTLED = [state for state in ALL_STATES if state not in (LISTEN, TIME_WAIT)]


class Scenario:
    """Everything a graded test starts and asks; pytest gives it to the test as `lab`.

    Whatever the submission does wrong is raised as Mismatch; what goes wrong in the
    harness itself as HarnessError or any other exception.
    """

    def __init__(self, work: Path, programs: Callable[[str], Path], trace: Path) -> None:
        self._work = work
        self._find = programs
        self.trace = trace
        self.programs: list[Program] = []
        self._peers: list[Union[Peer, Listener]] = []
        self._loop = EventLoop(DEADLINE)
        self._signs: tuple[Any, ...] = ()
        self._last_sign = time.monotonic()
        self.stall = STALL
        self._loop.add_probe(self._probe)
        self.network = PrivateNetwork(self._loop)
        try:
            self._capture = Capture(self._loop, self.network, trace)
        except BaseException:
            self.network.close()
            raise

    # -- Programs -----------------------------------------------------------

    def start(
        self, name: str, *args: str, stdin: Stdin = None, stdout: Optional[int] = None
    ) -> Program:
        """Starts the submission's program NAME with ARGS in the private network."""
        return self._run(self._find(name).parent, [f"./{name}", *args], stdin, stdout)

    def start_tool(
        self, name: str, *args: str, stdin: Stdin = None, stdout: Optional[int] = None
    ) -> Program:
        """Starts NAME, a program of the system such as ncat, in the private network.

        Raises HarnessError when it is not installed.
        """
        path = shutil.which(name)
        if path is None:
            raise HarnessError(f"{name} is missing: run 'make setup'")
        return self._run(self._work / "etc", [path, *args], stdin, stdout)

    def _run(
        self, folder: Path, argv: list[str], stdin: Stdin, stdout: Optional[int]
    ) -> Program:
        program = Program(self._loop, self.network, self._work, folder, argv,
                          stdin=stdin, stdout=stdout)
        self.programs.append(program)
        self._capture.wait_ready()
        program.release()
        try:
            self._loop.wait(lambda: program.started or program.exit is not None,
                            at_least=_PATIENCE)
        except DeadlinePassed:
            raise HarnessError(f"the sandbox of {program.command} was not ready in time") from None
        self._last_sign = time.monotonic()
        return program

    def pause(self, program: Program) -> None:
        """Stops the program as Ctrl-Z does; returns once it is stopped."""
        program.send_signal(signal.SIGSTOP)
        self._loop.wait(lambda: program.activity().stopped or program.exit is not None,
                        poll=0.001, at_least=_PATIENCE)

    def resume(self, program: Program) -> None:
        """Lets a paused program go on, as `fg` does."""
        program.send_signal(signal.SIGCONT)

    def start_server(
        self, name: str, *args: str, port: int, address: str = "127.0.0.1",
        cause: Optional[str] = None,
    ) -> Program:
        """Starts server NAME and waits until the kernel has it listening on ADDRESS and PORT."""
        server = self.start(name, *args)
        self.wait_listening(server, port, address, cause)
        return server

    def wait_listening(
        self, server: Program, port: int, address: str = "127.0.0.1",
        cause: Optional[str] = None,
    ) -> None:
        """Waits for a listening TCP socket on ADDRESS and PORT, as the kernel sees it."""
        self.wait_for(
            lambda: any(e.local == (address, port) for e in self._listening())
            or server.exit is not None,
            f"`{server.command}` listens on {address} port {port}",
            lambda: self._instead_of_listening(),
            poll=0.001,
            cause=lambda: cause or self._why_not_listening(port),
        )
        if server.exit is not None:
            raise Mismatch(
                expected=f"`{server.command}` listens on {address} port {port} and goes on",
                seen=f"it {server.exit}{_last_words(server)}",
                cause=cause or _fault_told(server) or "exit-status",
            )

    def listening_port(self, server: Program, cause: Optional[str] = None) -> int:
        """The port of the only listening socket there is, once there is one."""
        self.wait_for(lambda: bool(self._listening()) or server.exit is not None,
                      f"`{server.command}` listens", lambda: self._instead_of_listening(),
                      poll=0.001)
        ports = [e.local[1] for e in self._listening()]
        if not ports:
            raise Mismatch(expected=f"`{server.command}` listens",
                           seen=f"it {server.exit}{_last_words(server)}",
                           cause=cause or "exit-status")
        return ports[0]

    def _listening(self) -> list[Endpoint]:
        return self.network.sockets.tcp([LISTEN])

    def _instead_of_listening(self) -> str:
        found = [f"a listening socket on {e.local[0]} port {e.local[1]}" for e in self._listening()]
        found += [f"a UDP socket on {e.local[0]} port {e.local[1]}"
                  for e in self.network.sockets.udp()]
        return ", ".join(found) or "no listening socket at all"

    def _why_not_listening(self, port: int) -> Optional[str]:
        swapped = socket.htons(port)
        if any(e.local[1] == swapped for e in self._listening()):
            return "byte-order"
        if self._listening():
            here = any(e.local[1] == port for e in self._listening())
            return "wrong-address" if here else "wrong-port"
        return "udp-not-tcp" if self.network.sockets.udp() else "not-listening"

    def expect_exit(
        self, program: Program, status: int = 0, cause: Optional[str] = None
    ) -> None:
        """Waits for the program's end, which must be by itself and with STATUS.

        It must leave no process of its own behind.
        """
        self.wait_for(lambda: program.exit is not None
                      and (program.output_ended or bool(program.exit.leftovers)),
                      f"`{program.command}` exits with status {status}",
                      lambda: f"it still runs{_last_words(program)}", cause or "slow-end")
        assert program.exit is not None
        if program.exit.status != status:
            raise Mismatch(
                expected=f"`{program.command}` exits with status {status}",
                seen=f"it {program.exit}{_last_words(program)}",
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

    def expect_line(self, program: Program, line: str, cause: Optional[str] = None) -> None:
        """Waits for the next line on the program's stdout, which must be LINE."""
        self._expect_line(program, re.escape(line), f"the line `{line}`", cause)

    def expect_line_matching(
        self, program: Program, pattern: str, cause: Optional[str] = None
    ) -> None:
        """The same for a line that the regular expression PATTERN describes in full."""
        self._expect_line(program, pattern, f"a line like `{pattern}`", cause)

    def _expect_line(
        self, program: Program, pattern: str, wanted: str, cause: Optional[str]
    ) -> None:
        self.wait_for(lambda: b"\n" in program.stdout or program.output_ended,
                      f"`{program.command}` prints {wanted}",
                      lambda: f"on stdout: {describe(bytes(program.stdout))}",
                      cause or "stdout-not-flushed")
        got, newline, rest = bytes(program.stdout).partition(b"\n")
        if not newline or not re.fullmatch(pattern, got.decode(errors="replace")):
            raise Mismatch(expected=f"`{program.command}` prints {wanted}",
                           seen=f"on stdout: {describe(got + newline)}{_last_words(program)}",
                           cause=cause or "messages")
        program.stdout[:] = rest

    def expect_complaint(self, program: Program, pattern: str) -> None:
        """A line of stderr, of a program that has ended, begins as PATTERN says."""
        text = program.stderr.decode(errors="replace")
        if not re.search(f"^(?:{pattern})", text, re.MULTILINE):
            raise Mismatch(expected=f"`{program.command}` prints a line like `{pattern}` to stderr",
                           seen=f"on stderr: {describe(bytes(program.stderr))}", cause="messages")

    def expect_silence(self, program: Program) -> None:
        """A program that has ended wrote nothing more to stdout."""
        if program.stdout:
            raise Mismatch(expected=f"`{program.command}` prints nothing more to stdout",
                           seen=describe(bytes(program.stdout)), cause="messages")

    def expect_children_buried(self, program: Program) -> None:
        """Waits until the program consists of itself alone, without a child or a zombie."""
        self.wait_for(lambda: program.processes() <= 1,
                      f"`{program.command}` keeps no process of clients that have gone",
                      lambda: f"{program.processes() - 1} child processes", "zombie-children",
                      poll=0.002)

    def expect_running(self, program: Program, cause: str) -> None:
        """Waits until the program waits for something; if it has ended, CAUSE is why."""
        self.wait_blocked(program)
        if program.exit is not None:
            raise Mismatch(expected=f"`{program.command}` goes on",
                           seen=f"it {program.exit}{_last_words(program)}",
                           cause="sigpipe" if program.exit.signal == signal.SIGPIPE else cause)

    def wait_gone(self, program: Program) -> None:
        """Waits for the program's end, however it comes."""
        self._loop.wait(lambda: program.exit is not None, at_least=_PATIENCE)

    def wait_blocked(self, program: Program, seconds: float = 2.0) -> None:
        """Waits until the program waits for something, and has done so for a moment.

        This prepares what a test then checks; after SECONDS the test goes on all the same.
        """
        seen: list[int] = []
        end = time.monotonic() + seconds

        def settled() -> bool:
            state = program.activity()
            seen.append(state.switches if state.blocked else -len(seen))
            return len(seen) >= 5 and len(set(seen[-5:])) == 1 or time.monotonic() > end

        self._loop.wait(settled, poll=0.004, at_least=_PATIENCE)

    def expect_output(self, program: Program, data: bytes, cause: Optional[str] = None) -> None:
        """Waits until the program's stdout has as many bytes as DATA, and they must be DATA."""
        self.wait_for(lambda: len(program.stdout) >= len(data) or program.output_ended,
                      f"`{program.command}` writes {len(data)} bytes to stdout",
                      lambda: difference(data, bytes(program.stdout)),
                      cause or "stdout-not-flushed")
        got = bytes(program.stdout)
        if got[: len(data)] != data:
            raise Mismatch(expected=f"`{program.command}` writes the {len(data)} bytes to stdout "
                           "that came back", seen=difference(data, got) + _last_words(program),
                           cause=cause or guess_cause(data, got) or "single-read")
        del program.stdout[: len(data)]

    def expect_idle(self, program: Program, seconds: float = 0.3) -> None:
        """Watches the program for SECONDS: it must wait, and not look again and again.

        What it still had to do before is forgiven: one quiet span of three is enough.
        """
        for _ in range(3):
            before, end = program.activity(), time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0 and program.exit is None:
                self._loop.turn(left)
            if program.exit is not None:
                raise Mismatch(expected=f"`{program.command}` waits",
                               seen=f"it {program.exit}{_last_words(program)}")
            after = program.activity()
            used, woken = after.seconds - before.seconds, after.switches - before.switches
            if used <= 0.02 and woken <= 2:
                return
        raise Mismatch(
            expected=f"`{program.command}` uses no processor time while it waits",
            seen=f"in {seconds} s it ran for {used * 1000:.0f} ms and woke up {woken} times",
            cause="busy-wait",
        )

    # -- Scripted peers -----------------------------------------------------

    def connect(
        self,
        port: int,
        host: str = "127.0.0.1",
        label: str = "the test's client",
        receive_buffer: int = 0,
        cause: Optional[str] = None,
    ) -> Peer:
        """A scripted client, connected to HOST (a numeric address) and PORT.

        receive_buffer: bytes (SO_RCVBUF, socket(7)); 0 leaves it to the kernel.
        """
        self._capture.wait_ready()
        sock = self._tcp_socket(host, receive_buffer, 0)
        try:
            sock.connect((host, port))  # on a loopback it succeeds or fails at once
        except OSError as error:
            sock.close()
            raise Mismatch(expected=f"a client can connect to {host} port {port}",
                           seen=os.strerror(error.errno or 0),
                           cause=cause or "not-listening") from None
        return self._keep(Peer(self, sock, label))

    def listen(
        self, port: int, host: str = "127.0.0.1", receive_buffer: int = 0, send_buffer: int = 0
    ) -> Listener:
        """A scripted server that listens on HOST (a numeric address) and PORT.

        receive_buffer, send_buffer: bytes, of its connections; 0 leaves them to the kernel.
        """
        sock = self._tcp_socket(host, receive_buffer, send_buffer)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(16)
        return self._keep(Listener(self, sock))

    def _tcp_socket(self, host: str, receive_buffer: int, send_buffer: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = self.network.socket(family, socket.SOCK_STREAM)
        for option, size in ((socket.SO_RCVBUF, receive_buffer), (socket.SO_SNDBUF, send_buffer)):
            if size:
                sock.setsockopt(socket.SOL_SOCKET, option, size)
        return sock

    def accept(self, listener: Listener, cause: Optional[str] = None) -> Peer:
        """The next client of LISTENER; when nobody connects to it, the trace may tell why."""
        try:
            return self._keep(listener.accept(cause))
        except Mismatch as error:
            found = self._why_not_connected(listener)
            raise Mismatch(error.expected, error.seen, found or error.cause) from None

    def _why_not_connected(self, listener: Listener) -> Optional[str]:
        told = [fault for fault in map(_fault_told, self.programs) if fault]
        if told:
            return told[0]
        self._capture.stop()
        flows = [flow for flow in capture.flows(self.trace) if flow["type"] != "capture"]
        return why_elsewhere(flows, listener.address, listener.port)

    def _keep(self, thing: _Kept) -> _Kept:
        self._peers.append(thing)
        return thing

    # -- Waiting ------------------------------------------------------------

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """See EventLoop.watch."""
        self._loop.watch(fd, events, callback)

    def wait_for(
        self,
        done: Callable[[], bool],
        expected: str,
        seen: Callable[[], str],
        cause: Any = None,
        poll: Optional[float] = None,
    ) -> None:
        """Waits for DONE; when it cannot come any more, raises Mismatch(EXPECTED, SEEN()).

        cause: a key of feedback.CAUSES, or a function that finds one then.
        """
        self._last_sign = time.monotonic()
        try:
            self._loop.wait(done, poll)
        except DeadlinePassed:
            key = cause() if callable(cause) else cause
            raise Mismatch(expected=expected, seen=seen(), cause=key) from None

    def _probe(self) -> None:
        """Ends a wait early when every program has stood still for STALL seconds."""
        alive = any(program.exit is None for program in self.programs)
        states = [program.activity() for program in self.programs]
        signs = tuple((state.switches, program.exit) for state, program in
                      zip(states, self.programs))
        if signs != self._signs or not all(state.blocked for state in states):
            self._signs = signs
            self._last_sign = time.monotonic()
        elif time.monotonic() - self._last_sign > (self.stall if alive else self.stall / 5):
            raise DeadlinePassed

    # -- The verdict --------------------------------------------------------

    def settle(self) -> None:
        """Waits until no connection is between two states, so that no packet is still to come.

        A connection that stays open because a program never closes it settles nothing:
        after STALL seconds without a change the trace is judged as it is.
        """
        with contextlib.suppress(DeadlinePassed):
            self._last_sign = time.monotonic()
            self._loop.wait(lambda: not self._unsettled(), poll=0.0005)

    def _unsettled(self) -> list[Endpoint]:
        return self.network.sockets.tcp(_UNSETTLED)

    def expect_orderly(
        self,
        to_server: int,
        to_client: int,
        *,
        first_closer: str = "client",
        connections: int = 1,
        packets: str = "",
    ) -> list[dict[str, Any]]:
        """The verdict on a test whose CONNECTIONS all carried that many bytes and ended well."""
        return self.expect_packets(
            f"connections={connections}",
            *orderly(first_closer),
            f"to_server.bytes={to_server}",
            f"to_client.bytes={to_client}",
            packets=packets,
        )

    def expect_packets(self, *expectations: str, packets: str = "") -> list[dict[str, Any]]:
        """Ends the recording and judges it by labcap's EXPECTATIONS; returns its flows.

        packets: a libpcap filter; only what it leaves is judged. scapy reads the same
        trace and must agree, else HarnessError.
        """
        self.settle()
        self._capture.stop()
        found = capture.flows(self.trace)
        second_opinion.compare(self.trace, found)
        unmet = capture.check(self.trace, expectations, packets)
        if unmet:
            raise mismatch_of(unmet, found)
        return found

    def close(self) -> None:
        """Ends the recording, the programs and the network, in this order."""
        try:
            self._capture.stop()
        finally:
            for peer in self._peers:
                peer.close()
            self.network.close()
            self._capture.close()
            for program in self.programs:
                program.close()
            self._loop.close()


def _fault_told(program: Program) -> Optional[str]:
    """What the error that the program printed shows by itself."""
    said = program.stderr.decode(errors="replace")
    if any(os.strerror(code) in said for code in (errno.EADDRNOTAVAIL, errno.ENETUNREACH)):
        return "byte-order"  # no host here has the address it used
    return "udp-not-tcp" if os.strerror(errno.EOPNOTSUPP) in said else None


def _last_words(program: Program) -> str:
    text = program.stderr[-300:].decode(errors="replace").strip()
    return f"; on stderr: {text}" if text else ""
