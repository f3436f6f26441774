"""TFTP in the hands of a test: its packets, and one side of transfers, scripted.

RFC 1350; options: RFC 2347, 2348 (blksize), 2349 (tsize, timeout), 7440 (windowsize).
"""

from __future__ import annotations

import functools
import socket
import struct
from typing import Callable, NamedTuple, Optional, Sequence, Union

from labkit.datagrams import Address, DatagramSocket
from labkit.feedback import Mismatch, counted
from labkit.folders import fault_of_file
from labkit.peer import describe, difference
from labkit.scenario import Scenario

PORT = 6666
SERVER = ("127.0.0.1", PORT)
BLOCK = 512
"""Bytes in each DATA but the last, without an option."""
RRQ, WRQ, DATA, ACK, ERROR, OACK = range(1, 7)
NAMES = ("RRQ", "WRQ", "DATA", "ACK", "ERROR", "OACK")

RECENT = 160
"""Packets that a side remembers, to know one that is sent again: more than two windows."""

Option = Union[int, str]
Wanted = Union[bytes, str]
"""What should come: a packet, or words for a person."""


# -- Packets -----------------------------------------------------------------


def request(opcode: int, name: Union[str, bytes], mode: str = "octet", **options: Option) -> bytes:
    """RRQ or WRQ for file NAME."""
    raw = name.encode() if isinstance(name, str) else name
    return struct.pack(">H", opcode) + raw + b"\0" + mode.encode() + b"\0" + _strings(options)


def data(number: int, content: bytes = b"") -> bytes:
    """DATA of block NUMBER, of which the low 16 bits are told."""
    return struct.pack(">HH", DATA, number & 0xffff) + content


def ack(number: int) -> bytes:
    """ACK of block NUMBER."""
    return struct.pack(">HH", ACK, number & 0xffff)


def error(code: int, message: str = "the test ends this") -> bytes:
    """ERROR, which nobody answers."""
    return struct.pack(">HH", ERROR, code) + message.encode() + b"\0"


def oack(**options: Option) -> bytes:
    """OACK: the options that are agreed to."""
    return struct.pack(">H", OACK) + _strings(options)


def _strings(options: dict[str, Option]) -> bytes:
    return b"".join(f"{name}\0{value}\0".encode() for name, value in options.items())


def blocks(content: bytes, size: int = BLOCK) -> list[bytes]:
    """CONTENT as DATA carries it: the last block has less than SIZE bytes, maybe none."""
    return [content[at:at + size] for at in range(0, len(content) + 1, size)]


class Packet(NamedTuple):
    """A packet taken apart."""

    opcode: int
    number: int = 0
    """A block's number, or an ERROR's code."""
    content: bytes = b""
    """A block's bytes, or an ERROR's message."""
    words: tuple[str, ...] = ()
    """The strings of a request or an OACK."""

    @property
    def options(self) -> dict[str, str]:
        """Of a request or an OACK: the value of each, by its name in small letters."""
        pairs = self.words if self.opcode == OACK else self.words[2:]
        return {name.lower(): value for name, value in zip(pairs[::2], pairs[1::2])}


def parse(raw: bytes) -> Packet:
    """RAW taken apart. Raises ValueError, which says what is wrong with it."""
    opcode = struct.unpack_from(">H", raw)[0] if len(raw) >= 2 else 0
    if opcode in (RRQ, WRQ, OACK):
        return Packet(opcode, words=_words(opcode, raw[2:]))
    if opcode not in (DATA, ACK, ERROR):
        raise ValueError("it has no opcode of TFTP")
    if len(raw) < 4:
        raise ValueError(f"{NAMES[opcode - 1]} has less than 4 bytes")
    number, rest = struct.unpack_from(">H", raw, 2)[0], raw[4:]
    if opcode == ACK and rest:
        raise ValueError(f"ACK has {len(rest)} bytes more than its 4")
    if opcode == ERROR:
        if rest[-1:] != b"\0":
            raise ValueError("its message has no NUL at the end")
        rest = rest[:-1]
    return Packet(opcode, number, rest)


def _words(opcode: int, raw: bytes) -> tuple[str, ...]:
    *words, last = raw.split(b"\0")
    if last or (len(words) < 2 and opcode != OACK) or len(words) % 2:
        raise ValueError("it is no row of strings in pairs, each with a NUL behind it")
    return tuple(word.decode(errors="replace") for word in words)


def tell(raw: bytes) -> str:
    """RAW for a person."""
    try:
        packet = parse(raw)
    except ValueError as why:
        return f"{describe(raw)} ({why})"
    name = NAMES[packet.opcode - 1]
    if packet.opcode == DATA:
        return f"{name} {packet.number} with {counted(len(packet.content), 'byte')}"
    if packet.opcode == ACK:
        return f"{name} {packet.number}"
    if packet.opcode == ERROR:
        return f"{name} {packet.number} {describe(packet.content)}"
    return f"{name} {' '.join(packet.words)}"


def _told(wanted: Wanted) -> str:
    return wanted if isinstance(wanted, str) else tell(wanted)


# -- One side of a transfer --------------------------------------------------


class Side:
    """A socket of the test that packets of TFTP come to; a program has the other side.

    A packet that comes a second time, as after a timeout, is passed over where a new one is
    waited for: whether it was to be sent again the trace tells in the end (tftp_wire.py).
    """

    def __init__(self, sock: DatagramSocket) -> None:
        self.sock = sock
        self.address = sock.address
        """Where it is bound, or was."""
        self.took: list[tuple[Address, bytes]] = []
        """What came as it was expected, in its order, and from whom."""
        self.passed_over: list[bytes] = []
        """What came again while something new was waited for."""
        self._recent: dict[tuple[Address, bytes], None] = {}
        """The last that came, in their order."""

    def close(self) -> None:
        """Gives up the port: who sends to it is told so (ICMP, port unreachable)."""
        self.sock.close()

    def take(
        self, wanted: Wanted, cause: Optional[str] = None, again: bool = False
    ) -> tuple[bytes, Address]:
        """The next packet that is new, and its sender; if none comes, CAUSE is why.

        again: it may be one that has come before, and is noted all the same.
        """
        while True:
            try:
                raw, sender = self.sock.take(cause)
            except Mismatch as nothing:
                raise self.mismatch(wanted, *self.why_nothing(nothing, cause)) from None
            packet = sender, raw
            known = packet in self._recent
            self._remember(packet, known)
            if again or not known:
                self.took.append(packet)
                return raw, sender
            self.passed_over.append(raw)

    def _remember(self, packet: tuple[Address, bytes], known: bool) -> None:
        if known:
            del self._recent[packet]  # its place is at the end now
        elif len(self._recent) == RECENT:
            del self._recent[next(iter(self._recent))]
        self._recent[packet] = None

    def why_nothing(self, nothing: Mismatch, cause: Optional[str]) -> tuple[str, Optional[str]]:
        """What was seen where nothing came, and the cause; CAUSE is the test's own."""
        return nothing.seen, nothing.cause

    def mismatch(self, wanted: Wanted, seen: str, cause: Optional[str]) -> Mismatch:
        """What to raise where another packet came than the one that was WANTED."""
        return Mismatch(f"{self.sock.label} receives {_told(wanted)}", seen, cause)


class Transfer(Side):
    """One transfer: as a client, which has asked ASKED, or as a server, whose client is OTHER."""

    def __init__(
        self, sock: DatagramSocket, asked: Optional[Address] = None,
        other: Optional[Address] = None, port: Optional[RequestPort] = None,
    ) -> None:
        """PORT: where the client has asked, as a server."""
        super().__init__(sock)
        self._port = port
        self.other = other
        """Where its packets come from, and go to: the program's address and port."""
        self.options: dict[str, str] = {}
        """As a server: what the client has asked for."""
        self._asked = asked

    def why_nothing(self, nothing: Mismatch, cause: Optional[str]) -> tuple[str, Optional[str]]:
        """As Side has it. What goes on to the port of the request is looked for there."""
        for each in self._port.sock.came if self._port is not None else ():
            if each.sender == self.other and each.data[:1] == b"\0" and each.data[1:2] > b"\2":
                return f"{tell(each.data)} at port {PORT}, where it was asked", "same-port"
        known = nothing.cause if nothing.cause == "tcp-not-udp" else cause
        return nothing.seen, known or nothing.cause

    def ask(self, packet: bytes) -> None:
        """As a client, sends PACKET to where it asks: a transfer begins, perhaps not the first."""
        assert self._asked is not None
        self.take_copies()  # of the transfer before
        self._recent.clear()
        self.other = None
        self.sock.send(packet, self._asked)

    def send(self, *packets: bytes) -> None:
        """Sends PACKETS to the other side, which must have answered once."""
        assert self.other is not None
        for packet in packets:
            self.sock.send(packet, self.other)

    def expect(
        self, packet: bytes, cause: Optional[str] = None, *, block: int = 0, again: bool = False
    ) -> None:
        """The next packet must be PACKET; if it is not, CAUSE is why where nothing nearer shows.

        block: its block's number, where that has more than 16 bits. again: see Side.take().
        """
        raw = self._take(packet, cause, again)
        if raw != packet:
            told = tell(raw)
            if told == tell(packet):
                told += f", of which {difference(packet[4:], raw[4:])}"
            raise self.mismatch(packet, told, why(packet, raw, cause, block))

    def expect_at_once(self, packet: bytes, blocked: Callable[[], None], cause: str) -> None:
        """PACKET, which came before, is sent again before its sender waits, as BLOCKED() tells."""
        blocked()
        self.sock.take_in()
        if not self.sock.came:
            raise self.mismatch(f"{tell(packet)} again, at once", "nothing came", cause)
        self.expect(packet, cause, again=True)

    def expect_again(self, packet: bytes, cause: str = "no-retransmission") -> None:
        """PACKET, which came before, comes again because its timer has run out."""
        self.expect(packet, cause, again=True)
        self.took.pop()

    def expect_error(self, *codes: int, cause: str) -> str:
        """The next packet must be an ERROR with one of CODES; returns its message."""
        wanted = f"ERROR {' or '.join(map(str, codes))}"
        raw = self._take(wanted, cause, again=True)
        found = self._parse(raw, wanted, cause)
        if found.opcode != ERROR or found.number not in codes:
            raise self.mismatch(wanted, tell(raw), cause)
        return found.content.decode(errors="replace")

    def expect_oack(self, cause: str = "bad-options") -> dict[str, str]:
        """The next packet must be an OACK; returns the options in it, their names in small."""
        raw = self._take("OACK", cause)
        found = self._parse(raw, "OACK", cause)
        if found.opcode != OACK:
            raise self.mismatch("OACK", tell(raw), cause)
        return found.options

    def next(self, wanted: str, cause: Optional[str] = None) -> Packet:
        """The next packet, whatever it is; WANTED says what should come, for a person."""
        return self._parse(self._take(wanted, cause), wanted, cause)

    def receive_file(
        self, content: bytes, cause: Optional[str] = None, *, size: int = BLOCK, window: int = 1,
        first: int = 1,
    ) -> None:
        """Takes CONTENT from block FIRST on, which begins a window: each, then its ACK."""
        rows = blocks(content, size)
        for number in range(first, len(rows) + 1):
            self.expect_block(rows, number, cause)
            if (number - first + 1) % window == 0 or number == len(rows):
                self.send(ack(number))

    def expect_block(
        self, rows: Sequence[bytes], number: int, cause: Optional[str] = None
    ) -> None:
        """The next packet must be block NUMBER, counted from 1, of ROWS (see blocks())."""
        if not rows[number - 1] and number > 1:
            cause = "last-block"
        self.expect(data(number, rows[number - 1]), cause or (number > 1 and "wrong-block")
                    or None, block=number)

    def send_file(
        self, content: bytes, cause: Optional[str] = None, *, size: int = BLOCK, window: int = 1,
        first: int = 1, last: Optional[int] = None,
    ) -> None:
        """Sends CONTENT from block FIRST to LAST, or whole; each window must be acknowledged."""
        rows = blocks(content, size)[:last]
        for number in range(first, len(rows) + 1):
            self.send(data(number, rows[number - 1]))
            if (number - first + 1) % window == 0 or number == len(rows):
                self.expect(ack(number), cause or "wrong-block", block=number)

    def take_copies(self) -> None:
        """Takes what has come so far and came before: to send it again was allowed."""
        self.sock.take_in()
        for each in list(self.sock.came):
            if (each.sender, each.data) in self._recent:
                self.took.append((each.sender, each.data))
                self.sock.came.remove(each)

    def end_others(self) -> None:
        """Other answers to its request than the one it has taken get ERROR 5."""
        self.sock.take_in()
        for each in list(self.sock.came):
            if each.sender != self.other:
                self.took.append((each.sender, each.data))
                self.sock.came.remove(each)
                if each.data[:2] != error(0)[:2]:
                    self.sock.send(error(5), each.sender)

    def _take(self, wanted: Wanted, cause: Optional[str], again: bool = False) -> bytes:
        raw, sender = self.take(wanted, cause, again)
        if self.other is None:
            assert self._asked is not None
            refused = raw[:2] == error(0)[:2]  # there is no transfer then, and needs no port
            if sender[0] != self._asked[0] or (sender == self._asked and not refused):
                raise self.mismatch(
                    f"{_told(wanted)} from a new port of {self._asked[0]}", f"{tell(raw)} from "
                    f"{sender[0]} port {sender[1]}, which was asked",
                    "same-port" if sender == self._asked else "reply-from-elsewhere")
            self.other = sender
        elif sender != self.other:
            raise self.mismatch(f"{_told(wanted)} from {self.other[0]} port {self.other[1]}",
                                f"{tell(raw)} from {sender[0]} port {sender[1]}", "same-port")
        return raw

    def _parse(self, raw: bytes, wanted: str, cause: Optional[str]) -> Packet:
        try:
            return parse(raw)
        except ValueError as wrong:
            raise self.mismatch(wanted, f"{describe(raw)}: {wrong}", cause) from None


def why(wanted: bytes, got: bytes, cause: Optional[str] = None, block: int = 0) -> Optional[str]:
    """The fault that GOT shows, which came in place of WANTED; CAUSE where none does.

    block: the number of WANTED's block, where that has more than 16 bits.
    """
    try:
        right, wrong = parse(wanted), parse(got)
    except ValueError:
        return cause
    if wrong.opcode == OACK:
        return "bad-options"
    if wrong.opcode != right.opcode:
        return cause
    if wrong.number != right.number:
        if wrong.number == socket.htons(right.number):
            return "byte-order"
        return "block-wrap" if block > 0xffff else cause or "wrong-block"
    if right.opcode != DATA:
        return cause
    if cause == "bad-options" and len(right.content) != len(wrong.content):
        return cause
    at_border = block > 1 and right.content[:1] != wrong.content[:1] != b""
    return fault_of_file(right.content, wrong.content) or (
        "block-border" if at_border else cause or "partial-file")


# -- A scripted server's port for requests -----------------------------------


class RequestPort(Side):
    """Where clients ask, in the hands of the test."""

    def expect(self, packet: bytes, cause: Optional[str] = None, again: bool = False) -> Address:
        """The next request must be PACKET, but for letters of another case in its mode.

        Returns who sent it.
        """
        raw, sender = self.take(packet, cause, again)
        if not _same_request(raw, packet):
            raise self.mismatch(packet, tell(raw), cause or _why_request(packet, raw))
        return sender

    def next(
        self, wanted: str = "a request", cause: Optional[str] = None
    ) -> tuple[Packet, Address]:
        """The next request, and who sent it."""
        raw, sender = self.take(wanted, cause)
        try:
            return parse(raw), sender
        except ValueError as wrong:
            raise self.mismatch(wanted, f"{describe(raw)}: {wrong}", cause) from None


def _same_request(got: bytes, wanted: bytes) -> bool:
    """The mode, and the names of options, may be written in capitals, too (RFC 1350, 2347)."""
    try:
        one, other = parse(got), parse(wanted)
    except ValueError:
        return False
    return (one.opcode == other.opcode and one.words[:1] == other.words[:1]
            and one.words[1].lower() == other.words[1].lower() and one.options == other.options)


def _why_request(wanted: bytes, got: bytes) -> str:
    if got[:2] == wanted[:2][::-1]:
        return "byte-order"
    try:
        options = parse(got).options
    except ValueError:
        return "c-string" if not got.endswith(b"\0") else "messages"
    return "bad-options" if options != parse(wanted).options else "messages"


# -- What a test has of it -----------------------------------------------------


class Tftp:
    """The scripted sides of one test, each of which the trace is compared with in the end."""

    def __init__(self, lab: Scenario, server: Address = SERVER) -> None:
        """SERVER: where clients ask."""
        self.lab = lab
        self.server_address = server
        self.sides: list[Side] = []

    def client(self, label: str = "", host: str = "", port: int = 0) -> Transfer:
        """A client that has not asked yet. host, port: where it is bound, else as the server."""
        sock = self.lab.bind_datagrams(port, host or _near(self.server_address[0]), label=label)
        transfer = Transfer(sock, asked=self.server_address)
        self.sides.append(transfer)
        return transfer

    def ask(self, packet: bytes, label: str = "") -> Transfer:
        """A client that has sent PACKET to the server."""
        client = self.client(label)
        client.ask(packet)
        return client

    def read(self, name: Union[str, bytes], label: str = "", **options: Option) -> Transfer:
        """A client that has asked for NAME."""
        return self.ask(request(RRQ, name, "octet", **options), label)

    def write(self, name: Union[str, bytes], label: str = "", **options: Option) -> Transfer:
        """A client that has asked to write NAME."""
        return self.ask(request(WRQ, name, "octet", **options), label)

    @functools.cached_property
    def port(self) -> RequestPort:
        """A scripted server, where it is asked."""
        host, port = self.server_address
        side = RequestPort(self.lab.bind_datagrams(port, host))
        self.sides.append(side)
        return side

    def answer(self, client: Address, label: str = "the test's server, at its new port"
               ) -> Transfer:
        """The server's side of a transfer with CLIENT, at a new port."""
        sock = self.lab.bind_datagrams(host=self.server_address[0], label=label)
        transfer = Transfer(sock, other=client, port=self.port)
        self.sides.append(transfer)
        return transfer

    def stranger(self, other: Optional[Address], host: str = "", port: int = 0) -> Transfer:
        """A third socket, which can send to OTHER, too, and may hear from it."""
        sock = self.lab.bind_datagrams(port, host or _near(self.server_address[0]),
                                       label="a stranger")
        transfer = Transfer(sock, other=other)
        self.sides.append(transfer)
        return transfer


def _near(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
