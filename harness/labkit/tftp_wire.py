"""What a trace shows of TFTP, and the verdict on it.

A right program sends a packet again only when its timer has run out. That it did so where the
machine was busy is no fault; that it did so at once is one.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import struct
import warnings
from collections import Counter, deque
from pathlib import Path
from typing import Any, Iterable, Iterator, NamedTuple, Optional, Sequence

from labkit.datagrams import Address
from labkit.feedback import HarnessError, Mismatch
from labkit.folders import fault_of_file
from labkit.peer import difference
from labkit.scenario import Scenario
from labkit.tftp import (
    ACK, BLOCK, DATA, ERROR, NAMES, OACK, RRQ, Side, data, parse, tell,
)

TIMER = 0.9
"""Seconds after which a packet may be sent again: the timer's second, less what clocks differ."""

_ARRIVED = b"\x6e\x65"
"""How the source address of a frame begins that a network of the suite delivers."""
_IPV4, _IPV6 = 0x0800, 0x86dd
_UDP, _FRAGMENT = 17, 44


class Sent(NamedTuple):
    """A datagram of the trace."""

    time: float
    """Seconds, of the time of day."""
    source: Address
    target: Address
    size: int
    """Bytes that it carries."""
    data: bytes
    """Those of them that are in its first IP fragment."""
    packet: int
    """Its number in the trace, from 1; of its first fragment."""

    @property
    def number(self) -> int:
        """A block's number, where it is DATA or ACK."""
        return int.from_bytes(self.data[2:4], "big")

    def is_a(self, opcode: int) -> bool:
        """Whether it is a packet of that kind."""
        return self.data[:2] == bytes([0, opcode])


def datagrams(trace: Path) -> list[Sent]:
    """All that were sent, in their order; of those that came in fragments, the beginning.

    Raises HarnessError when TRACE is of no Ethernet.
    """
    return [sent for number, (time, frame) in enumerate(_frames(trace), 1)
            if (sent := _datagram(time, frame, number)) is not None]


def _frames(trace: Path) -> Iterator[tuple[float, bytes]]:
    with contextlib.closing(_reader()(str(trace))) as reader:
        for frame, about in reader:
            if about.linktype != 1:
                raise HarnessError(f"{trace.name}: its packets are no Ethernet frames")
            yield (about.tshigh << 32 | about.tslow) / about.tsresol, frame


@functools.lru_cache(maxsize=None)
def _reader() -> Any:
    """scapy's, which takes half a second to load."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what scapy says of itself is no fault of a test
        from scapy.utils import RawPcapNgReader

    return RawPcapNgReader


def _datagram(time: float, frame: bytes, number: int) -> Optional[Sent]:
    """What FRAME carries, if that is the beginning of a datagram and no arrival."""
    kind = struct.unpack_from(">H", frame, 12)[0]
    if frame[6:8] == _ARRIVED or kind not in (_IPV4, _IPV6):
        return None
    family, at, protocol = socket.AF_INET, 14 + (frame[14] & 15) * 4, frame[23]
    ends, offset = (frame[26:30], frame[30:34]), struct.unpack_from(">H", frame, 20)[0] & 0x1fff
    if kind == _IPV6:
        family, at, protocol = socket.AF_INET6, 54, frame[20]
        ends, offset = (frame[22:38], frame[38:54]), 0
        if protocol == _FRAGMENT:
            at, protocol, offset = 62, frame[54], struct.unpack_from(">H", frame, 56)[0] >> 3
    if protocol != _UDP or offset:
        return None
    source, target, length = struct.unpack_from(">3H", frame, at)
    hosts = [socket.inet_ntop(family, end) for end in ends]
    return Sent(time, (hosts[0], source), (hosts[1], target), length - 8,
                frame[at + 8:at + length], number)


class Timers:
    """Tells packets that a timer has sent again from those that were sent once too often."""

    def __init__(self) -> None:
        self._last: dict[tuple[Address, Address, bytes], float] = {}
        self._credit = 0
        self.gaps: list[float] = []
        """Seconds from a packet to the same one, sent again by a timer."""

    def forgives(self, sent: Sent) -> bool:
        """Whether SENT, the next there is, repeats one in time.

        What goes to and fro after a timer has run out may be answered twice: for each
        packet in time another one is forgiven.
        """
        key = (sent.source, sent.target, sent.data)
        gap = sent.time - self._last.get(key, sent.time)
        known = key in self._last
        self._last[key] = sent.time
        if gap >= TIMER:
            self.gaps.append(gap)
            self._credit += 1
            return True
        if known and self._credit:
            self._credit -= 1
            return True
        return False


# -- The verdict ---------------------------------------------------------------


def expect_wire(
    lab: Scenario, sides: Sequence[Side], cause: Optional[str] = None,
    others: Sequence[Address] = (),
) -> list[Sent]:
    """Ends the recording, once every program waits, and judges it; returns what it shows.

    There is no TCP in it. What programs sent to the test's SIDES is what these have taken,
    in that order, and nothing more but what a timer sent again; and they sent nothing to
    anyone else but OTHERS. cause: why there is more, where that does not show by itself.
    """
    for program in lab.programs:
        if program.exit is None:
            lab.wait_blocked(program)
    try:
        lab.expect_packets("connections=0")
    except Mismatch as error:
        raise Mismatch(error.expected, error.seen, "tcp-not-udp") from None
    found = datagrams(lab.trace)
    own: dict[Address, list[Side]] = {}
    for side in sides:  # of which one may have got the port that another gave up
        own.setdefault(side.address, []).append(side)
    to_own: dict[Address, list[Sent]] = {address: [] for address in own}
    for sent in found:
        if sent.source in own:
            continue
        if sent.target in own:
            to_own[sent.target].append(sent)
        elif sent.target not in others and sent.source not in others:
            raise Mismatch(
                "on the wire: packets of the transfers there are, and no others",
                f"{tell(sent.data)} from {_place(sent.source)} to {_place(sent.target)}",
                cause or "surplus-datagrams", packets=[sent.packet])
    for address, came in to_own.items():
        _compare(own[address], came, cause)
    return found


def _compare(sides: Sequence[Side], came: Sequence[Sent], cause: Optional[str]) -> None:
    """What CAME to SIDES, which all had the same address."""
    left: dict[Address, deque[bytes]] = {}
    for sender, raw in (each for side in sides for each in side.took):
        left.setdefault(sender, deque()).append(raw)
    timers = Timers()
    for sent in came:
        in_time, wanted = timers.forgives(sent), left.get(sent.source)
        if wanted and sent.data == wanted[0][:len(sent.data)]:
            wanted.popleft()
        elif not in_time:
            raise Mismatch(
                f"on the wire, to {sides[-1].sock.label}: "
                + (tell(wanted[0]) if wanted else "nothing more"),
                tell(sent.data), _why_more(sides, sent, cause), packets=[sent.packet])


def _why_more(sides: Sequence[Side], sent: Sent, cause: Optional[str]) -> str:
    """Why SENT was sent, which was not to be."""
    twice = any(raw[:len(sent.data)] == sent.data for side in sides for _, raw in side.took)
    if twice and sent.is_a(DATA):
        return cause or "sorcerers-apprentice"
    return cause or ("wrong-block" if twice and sent.is_a(ACK) else "surplus-datagrams")


def expect_answered(found: Sequence[Sent], side: Side, seconds: float, cause: str) -> None:
    """What SIDE sent first was answered within SECONDS; else CAUSE is why. FOUND: all there was."""
    asked = next(sent.time for sent in found if sent.source == side.address)
    took = next(sent.time for sent in found if sent.target == side.address) - asked
    if took > seconds:
        raise Mismatch(f"{side.sock.label} is answered at once", f"after {took:.1f} s", cause)


def expect_no_more(found: Sequence[Sent], sides: Iterable[Side], cause: str) -> None:
    """To each of SIDES, which sent an ERROR, nothing was sent after it; else CAUSE is why.

    One packet may have crossed it. FOUND: all there was.
    """
    for side in sides:
        end = next(number for number, sent in enumerate(found)
                   if sent.source == side.address and sent.is_a(ERROR))
        late = [sent for sent in found[end:] if sent.target == side.address]
        if len(late) > 1:
            raise Mismatch(f"after its ERROR nothing is sent to {side.sock.label}",
                           f"{tell(late[-1].data)}, {late[-1].time - found[end].time:.1f} s later",
                           cause, packets=[sent.packet for sent in late])


def _place(address: Address) -> str:
    return f"{address[0]} port {address[1]}"


# -- The verdict on two programs -----------------------------------------------


class OnWire(NamedTuple):
    """A transfer between two programs, as the trace has it."""

    requests: list[Sent]
    flow: list[Sent]
    """What went between the two ports that the transfer has."""

    def all(self, opcode: int) -> list[Sent]:
        """The packets of a kind."""
        return [sent for sent in self.flow if sent.is_a(opcode)]

    @property
    def agreed(self) -> tuple[int, int]:
        """The size of blocks and of windows, as the OACK says, if there is one."""
        options = parse(self.all(OACK)[0].data).options if self.all(OACK) else {}
        return int(options.get("blksize", BLOCK)), int(options.get("windowsize", 1))


def transfer_on(trace: Path, server: Address) -> OnWire:
    """The transfer that TRACE has, of one client and SERVER, where it was asked.

    A request that came twice may have begun a second one, which has not got far.
    """
    found = datagrams(trace)
    requests = [sent for sent in found if sent.target == server]
    if not requests:
        raise Mismatch("a request on the wire", "none", "no-packets")
    client, flows = requests[0].source, Counter[int]()
    for sent in found:
        if client in (sent.source, sent.target) and server not in (sent.source, sent.target):
            flows[(sent.target if sent.source == client else sent.source)[1]] += 1
    for sent in found:
        if sent.source == server and not sent.is_a(ERROR):
            raise Mismatch(f"the answer from another port than {server[1]}", tell(sent.data),
                           "same-port", packets=[sent.packet])
    port = max(flows, key=lambda port: flows[port], default=0)
    ends = {client, (server[0], port)}
    return OnWire(requests, [sent for sent in found if {sent.source, sent.target} == ends])


def expect_blocks(wire: OnWire, rows: Sequence[bytes], window: int = 1, again: int = 0) -> None:
    """Each of ROWS, 65,535 at most, went in its turn, with its number.

    With a window of 1, the first DATA of each block follows the ACK of the one before, and
    DATA comes again when a timer has run out, never at once. With a larger one there are no
    more than AGAIN of them that come again.
    """
    last: dict[int, float] = {}
    acked = {sent.number: sent for sent in reversed(wire.all(ACK))}
    for sent in wire.all(DATA):
        _expect_row(sent, rows, len(last) + 1)
        early = sent.time - last[sent.number] < TIMER if sent.number in last else False
        if early and window == 1:
            raise Mismatch(f"DATA {sent.number} once, or again a second later",
                           "it was sent again at once", "sorcerers-apprentice",
                           packets=[sent.packet])
        before = acked.get(sent.number - 1)
        if window == 1 and sent.number > 1 and (before is None or before.packet > sent.packet):
            raise Mismatch(f"ACK {sent.number - 1} before DATA {sent.number}", "none",
                           "wrong-block", packets=[sent.packet])
        last[sent.number] = sent.time
    if len(last) < len(rows):
        raise Mismatch(f"{len(rows)} blocks on the wire", f"{len(last)}", "last-block"
                       if not rows[-1] else "partial-file")
    surplus = len(wire.all(DATA)) - len(rows)
    if window > 1 and surplus > again:
        raise Mismatch(f"no more than {again} of DATA again", f"{surplus}",
                       "sorcerers-apprentice")


def _expect_row(sent: Sent, rows: Sequence[bytes], most: int) -> None:
    """SENT is one of ROWS, up to the one with number MOST."""
    if not 1 <= sent.number <= min(most, len(rows)):
        raise Mismatch(f"DATA {most}, or one before it", tell(sent.data), "wrong-block",
                       packets=[sent.packet])
    row = rows[sent.number - 1]
    if sent.size != 4 + len(row) or not row.startswith(sent.data[4:]):
        raise Mismatch(tell(data(sent.number, row)), f"{tell(sent.data)}: "
                       f"{difference(row, sent.data[4:])}",
                       fault_of_file(row, sent.data[4:]) or "partial-file", packets=[sent.packet])


def expect_sequence(
    wire: OnWire, opcode: int, rows: Sequence[bytes], window: int = 1, options: bool = False
) -> None:
    """What went on a network that does nothing to it: each packet once, and in its place.

    OPCODE: RRQ or WRQ. options: whether the request had some, which were agreed to.
    """
    wanted = list(_sequence(opcode, rows, window, options))
    timers, at = Timers(), 0
    for sent in [*wire.requests, *wire.flow]:
        in_time = timers.forgives(sent)
        kind = (sent.data[1], sent.number if sent.data[1] in (DATA, ACK) else 0)
        if at < len(wanted) and kind == wanted[at]:
            at += 1
        elif not in_time:
            raise Mismatch(f"on the wire: {_next_of(wanted[at:])}", tell(sent.data), "wrong-block",
                           packets=[sent.packet])
    if at < len(wanted):
        raise Mismatch(f"on the wire: {_next_of(wanted[at:])}", "nothing more", "wrong-block")


def _next_of(wanted: Sequence[tuple[int, int]]) -> str:
    """The first of WANTED, as _sequence() tells them, for a person."""
    return f"{NAMES[wanted[0][0] - 1]} {wanted[0][1]}" if wanted else "nothing more"


def _sequence(
    opcode: int, rows: Sequence[bytes], window: int, options: bool
) -> Iterator[tuple[int, int]]:
    """Opcodes, and numbers of blocks."""
    yield opcode, 0
    if options:
        yield OACK, 0
    if options == (opcode == RRQ):
        yield ACK, 0
    for number in range(1, len(rows) + 1):
        yield DATA, number
        if number % window == 0 or number == len(rows):
            yield ACK, number
