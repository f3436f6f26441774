"""What the graded tests of lab 02, conversations of two, have in common.

Each program is tested with a scripted peer at its other end, so that most rules are one
test for both sides: a Conversation knows which of the two it is.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import Any, Optional

from labkit.echo import half_close
from labkit.feedback import Mismatch
from labkit.peer import Peer, describe
from labkit.processes import has_socket, tree_of
from labkit.program import Program
from labkit.repeated import repeated
from labkit.scenario import Scenario

SERVERS = ("turn_server", "server")
CLIENTS = ("turn_client", "client")
TURNS = ("turn_server", "turn_client")
CHAT = ("server", "client")
PORTS = {"turn_server": 2018, "turn_client": 2018, "server": 5188, "client": 5188}

LINE = b"How are you?\n"
LONG_LINE = repeated(bytes(32 + i * 7 % 95 for i in range(95)), 100_000) + b"\n"
MIB = repeated(bytes(1 + i * 7 % 250 for i in range(250)), 1 << 20)
"""Without a NUL: where it stops, it was not taken for a string."""
MORE = MIB[:100_000]
"""More than anybody asked for."""


# -- A program and its peer ----------------------------------------------------


class Conversation:
    """A program that is connected, and the scripted peer at its other end."""

    def __init__(self, lab: Scenario, program: Program, peer: Peer) -> None:
        self.program = program
        self.peer = peer
        self.said = 0
        """Bytes that the program was given to send, so far as this class has done it."""
        self.heard = 0
        """Bytes that the peer sent, likewise."""
        self._lab = lab

    @property
    def is_server(self) -> bool:
        return self.program.name in SERVERS

    # Talking

    def say(self, line: bytes, cause: Optional[str] = None) -> None:
        """LINE is typed, and the peer receives it; if it does not, CAUSE is why."""
        self.program.write(line)
        self.expect_said(line, cause)

    def hear(self, line: bytes, cause: Optional[str] = None) -> None:
        """The peer sends LINE, and the program prints it; if it does not, CAUSE is why."""
        self.start_hearing(line)
        self.expect_heard(line, cause)

    def expect_said(self, line: bytes, cause: Optional[str] = None) -> None:
        """LINE, which was typed, is what the peer receives next."""
        self.said += len(line)
        try:
            self.peer.expect(line, cause)
        except Mismatch as error:
            if self.peer.received == line[:-1] != b"" and line.endswith(b"\n"):
                raise Mismatch(error.expected, "all of it but the newline", "messages") from None
            raise self._explained(error) from None

    def start_hearing(self, line: bytes) -> None:
        """The peer sends LINE, while the test goes on."""
        self.heard += len(line)
        self.peer.start_sending(line)

    def expect_heard(self, line: bytes, cause: Optional[str] = None) -> None:
        """LINE, which the peer sent, is what the program prints next."""
        try:
            self._lab.expect_output(self.program, line, cause)
        except Mismatch as error:
            raise self._explained(error) from None

    def _explained(self, error: Mismatch) -> Mismatch:
        """ERROR, with another cause where the program has told the cause itself."""
        if os.strerror(errno.EINTR).encode() not in self.program.stderr:
            return error
        return Mismatch(error.expected, error.seen, "eintr")

    # Ending

    def peer_closes(self) -> None:
        """The peer sends its FIN and reads on; where there was a reset, that is found later."""
        half_close(self.peer)

    def end_stdin(self) -> None:
        """The program's stdin ends, and its FIN must leave at once, whatever is still to come."""
        before = _holders(self.program)
        self.program.close_stdin()
        try:
            self.peer.expect_eof(cause="no-half-close")
        except Mismatch as error:
            if error.cause != "no-half-close":
                raise
            raise Mismatch(error.expected, error.seen, self._why_no_fin(before)) from None

    def _why_no_fin(self, holders: int) -> str:
        """Why no FIN has come, where HOLDERS processes had the connection open before."""
        if self.program.exit is not None:
            return "left-over-process"
        return "shared-descriptor" if _holders(self.program) < holders else "no-half-close"

    def expect_peer_closed(self, cause: Optional[str] = None) -> None:
        """The program prints `peer closed` to stderr."""
        self._lab.expect_stderr_line(self.program, "peer closed", cause)

    def expect_peer_closed_once(self) -> None:
        """The program, which has ended, has printed `peer closed` to stderr, and once."""
        self.expect_peer_closed()
        if self.program.stderr.count(b"peer closed") > 1:
            raise Mismatch(expected="`peer closed` on stderr, once",
                           seen=describe(bytes(self.program.stderr)), cause="messages")

    def expect_peer_not_closed(self) -> None:
        """The program has not printed `peer closed` so far."""
        if b"peer closed" in self.program.stderr:
            raise Mismatch(expected="`peer closed` on stderr once the peer has closed",
                           seen="it was there before", cause="messages")

    def expect_to_go_on(self) -> None:
        """Although one direction has ended, the program, its first process, is still there."""
        program = self.program
        self._lab.wait_blocked(program)
        if not program.has_ended:
            return
        self._lab.wait_gone(program)
        assert program.exit is not None
        left = program.exit.leftovers
        raise self._explained(Mismatch(
            expected=f"`{program.command}` goes on until its own stdin has ended",
            seen=f"it {program.exit}" + (" and left a process behind" if left else "")
            + program.last_words,
            cause="left-over-process" if left else "closes-both",
        ))

    def expect_exit(self, status: int = 0, cause: Optional[str] = None) -> None:
        """The program exits with STATUS, and has printed nothing besides what was read."""
        self._lab.expect_exit(self.program, status, cause)
        self._lab.expect_silence(self.program)

    def expect_error(self, pattern: str = r".+: .+") -> None:
        """The program ends by itself: a line `NAME: ` and PATTERN on stderr, exit status 1."""
        self._lab.expect_exit(self.program, 1)
        self._lab.expect_complaint(self.program, f"{self.program.name}: {pattern}")

    def expect_end_by_itself(self) -> None:
        """The program ends, with success or with an error, but not by a signal."""
        program = self.program
        self._lab.wait_for(lambda: program.exit is not None, f"`{program.command}` ends",
                           lambda: f"it still runs{program.last_words}", "slow-end")
        assert program.exit is not None
        if program.exit.signal is not None:
            raise Mismatch(expected=f"`{program.command}` ends by itself",
                           seen=f"it {program.exit}",
                           cause="sigpipe" if program.exit.signal == signal.SIGPIPE else None)

    def expect_wire(self, first_closer: str) -> list[dict[str, Any]]:
        """The verdict: what was said and heard, and FIRST_CLOSER, 'program' or 'peer'."""
        to_server, to_client = self.said, self.heard
        if self.is_server:
            to_server, to_client = to_client, to_server
        return self._lab.expect_orderly(to_server, to_client,
                                        first_closer=self.role(first_closer))

    def role(self, which: str) -> str:
        """What the trace calls 'program' or 'peer': 'server' or 'client'."""
        return "server" if self.is_server == (which == "program") else "client"


def converse(
    lab: Scenario, name: str, *args: str, receive_buffer: int = 0, cause: Optional[str] = None,
    **how: Any,
) -> Conversation:
    """Starts NAME with ARGS, and connects it to a scripted peer at its own port.

    receive_buffer: the peer's, as in Scenario.listen(). cause: why it cannot be connected.
    HOW: as for Scenario.start().
    """
    port = PORTS[name]
    if name in CLIENTS:
        listener = lab.listen(port, receive_buffer=receive_buffer)
        program = lab.start(name, *args, **how)
        peer = lab.accept(listener, cause)
        listener.close()
        return Conversation(lab, program, peer)
    program = lab.start_server(name, *args, port=port, cause=cause, **how)
    lab.expect_line(program, f"listening on 127.0.0.1 port {port}")
    peer = lab.connect(port, receive_buffer=receive_buffer, cause=cause)
    expect_announced(lab, program, peer)
    return Conversation(lab, program, peer)


def expect_announced(
    lab: Scenario, program: Program, peer: Peer, address: str = "127.0.0.1"
) -> None:
    """`server` tells who its peer is; of the turn server nothing is said, so it may."""
    line = f"connection from {address} port {peer.port}"
    if program.name == "server":
        lab.expect_line(program, line)
        return
    lab.wait_blocked(program)
    if program.stdout == f"{line}\n".encode():
        program.stdout.clear()


# -- Turns -----------------------------------------------------------------------


def its_turn(lab: Scenario, program: str, **how: Any) -> Conversation:
    """A conversation in turns in which it is PROGRAM's turn to speak. HOW: as for converse()."""
    talk = converse(lab, program, **how)
    if talk.is_server:
        talk.hear(LINE)
    return talk


def peers_turn(lab: Scenario, program: str, **how: Any) -> Conversation:
    """A conversation in turns in which PROGRAM waits for the peer's line."""
    talk = converse(lab, program, **how)
    if not talk.is_server:
        talk.say(LINE)
    return talk


# -- What a program does besides ---------------------------------------------------


def expect_nothing_printed(lab: Scenario, program: Program, cause: str) -> None:
    """PROGRAM waits, and has printed nothing more to stdout; if it has, CAUSE is why."""
    lab.wait_blocked(program)
    if program.stdout:
        raise Mismatch(expected=f"`{program.command}` prints nothing yet",
                       seen=describe(bytes(program.stdout)), cause=cause)


def expect_not_listening(lab: Scenario) -> None:
    """Waits until no socket listens any more."""
    lab.wait_for(lambda: not lab.listening(), "with its peer connected, the server stops listening",
                 lambda: "it listens on port "
                 + ", ".join(str(e.local[1]) for e in lab.listening()),
                 "keeps-listening", poll=0.001)


def _processes(program: Program) -> list[int]:
    return tree_of(program.pid) if program.pid is not None and program.exit is None else []


def _holders(program: Program) -> int:
    """How many processes of PROGRAM have a socket open."""
    return sum(map(has_socket, _processes(program)))
