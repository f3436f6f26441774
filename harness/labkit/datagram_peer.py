"""What the graded tests of lab 03's `peer` have in common: the program, and whom it talks to."""

from __future__ import annotations

from typing import Any, Optional

from labkit.datagrams import Address, DatagramSocket
from labkit.feedback import Mismatch
from labkit.peer import describe
from labkit.program import Program
from labkit.scenario import Scenario

PORT, OTHER_PORT = 6000, 6001
LINE = b"How are you?"
LOOPBACK, LOOPBACK_6 = "127.0.0.1", "::1"


def label(sender: Address) -> bytes:
    """What is printed before a datagram of SENDER."""
    host, port = sender
    return (f"[{host}]:{port} " if ":" in host else f"{host}:{port} ").encode()


class Talk:
    """The program at its port, and a scripted peer at the one that it was told to send to."""

    def __init__(
        self, lab: Scenario, program: Program, other: DatagramSocket, address: Address
    ) -> None:
        self.program = program
        self.other = other
        self.address = address
        """The program's own."""
        self._lab = lab
        self._said: list[int] = []
        self._heard: list[int] = []

    # What is typed goes out

    def say(self, line: bytes, cause: Optional[str] = None) -> None:
        """LINE is typed, with a newline, and the scripted peer receives it, without."""
        self.program.write(line + b"\n")
        self.expect_said(line, cause)

    def expect_said(self, line: bytes, cause: Optional[str] = None) -> None:
        """LINE, which was typed, is the next datagram to come; if it is not, CAUSE is why."""
        self._said.append(len(line))
        sender = self.other.expect(line, cause)
        if sender != self.address:
            raise Mismatch(
                expected=f"`{self.program.command}` sends from {_end(self.address)}",
                seen=f"a datagram from {_end(sender)}", cause="wrong-port")

    # What comes is printed

    def hear(
        self, data: bytes, sender: Optional[DatagramSocket] = None, cause: Optional[str] = None
    ) -> None:
        """SENDER, the scripted peer or another one, sends DATA, and the program prints it."""
        self.start_hearing(data, sender)
        self.expect_heard(data, sender, cause)

    def start_hearing(self, data: bytes, sender: Optional[DatagramSocket] = None) -> None:
        """The same without waiting for what is printed."""
        self._heard.append(len(data))
        (sender or self.other).send(data, self.address)

    def expect_heard(
        self, data: bytes, sender: Optional[DatagramSocket] = None, cause: Optional[str] = None
    ) -> None:
        """DATA, which SENDER sent, is what the program prints next; if it is not, CAUSE is why.

        Of an empty datagram only the sender is printed, be there a space behind it or not.
        """
        shown = label((sender or self.other).address)
        text = data[:-1] if data.endswith(b"\n") else data
        if not text:
            shown = shown.rstrip()
        try:
            self._lab.expect_output(self.program, shown + text, cause)
            self._lab.expect_output(self.program, self._line_end(text), "messages")
        except Mismatch as error:
            got = bytes(self.program.stdout)
            other_words = error.cause == "single-read" or got and not got.startswith(shown)
            likely = "messages" if other_words else error.cause
            raise Mismatch(
                expected=f"`{self.program.command}` prints {describe(shown + text)} in a line",
                seen=error.seen + self.program.last_words, cause=likely) from None

    def _line_end(self, text: bytes) -> bytes:
        """What ends the line that begins with TEXT's sender."""
        return b" \n" if not text and self.program.stdout.startswith(b" ") else b"\n"

    # The end

    def end_stdin(self) -> None:
        """The program's stdin ends."""
        self.program.close_stdin()
        self._lab.wait_blocked(self.program)

    def expect_wire(self) -> None:
        """The verdict: what was said and heard, a datagram each, and nothing else."""
        self._lab.expect_datagrams(self._heard, self._said, server=self.address)
        if self.program.stdout:
            raise Mismatch(expected=f"`{self.program.command}` prints what came, and no more",
                           seen=describe(bytes(self.program.stdout)), cause="messages")


def start_peer(
    lab: Scenario, *options: str, to: str = LOOPBACK, address: str = LOOPBACK,
    port: int = PORT, other_port: int = OTHER_PORT, cause: Optional[str] = None, **how: Any,
) -> Program:
    """Starts `peer OPTIONS -l PORT TO OTHER_PORT`, and waits until ADDRESS has its socket.

    HOW: as for Scenario.start().
    """
    return lab.start_datagram_server("peer", *options, "-l", str(port), to, str(other_port),
                                     port=port, address=address, cause=cause, **how)


def talk_to(
    lab: Scenario, *options: str, to: str = LOOPBACK, address: str = "",
    cause: Optional[str] = None, **how: Any,
) -> Talk:
    """Starts the program with a scripted peer at the address TO, to which it sends.

    ADDRESS is where the program is; TO, where nothing else is said.
    """
    other = lab.bind_datagrams(OTHER_PORT, to)
    program = start_peer(lab, *options, to=to, address=address or to, cause=cause, **how)
    return Talk(lab, program, other, (address or to, PORT))


def _end(address: Address) -> str:
    return f"{address[0]} port {address[1]}"
