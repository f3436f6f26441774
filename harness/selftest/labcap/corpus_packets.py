"""Segments of a script as packets of a trace: places become numbers, headers, frames.

A segment is told by places: 0 is the sender's SYN, 1 the first byte of data, without any
limit. Only here do they become 32-bit numbers.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, Optional

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SEQUENCE_SPACE = 2**32
WINDOW = 64240
ICMP, TCP, ICMPV6 = 1, 6, 58

PAYLOAD = bytes(70_000)
IP_OPTIONS = b"\x94\x04\x00\x00"  # router alert
HOP_BY_HOP = b"\x00\x01\x04\x00\x00\x00\x00"  # behind its next header: padding
TIMESTAMPS = b"\x01\x01\x08\x0a" + bytes(8)
SYN_OPTIONS = b"\x02\x04\x05\xb4\x01\x03\x03\x07"  # segment size, window scale 7

# What became of a packet between the wire and the file.
SEEN, COPY, CUT, FRAGMENT, QUOTED, MALFORMED = (
    "seen", "copy", "cut", "fragment", "quoted", "malformed",
)  # fmt: skip


class Segment(NamedTuple):
    """One TCP segment as its sender meant it; ack is a place in the other side's stream."""

    sender: int
    flags: int
    place: int
    length: int = 0
    ack: Optional[int] = None
    window: int = WINDOW
    stale: bool = False  # of an older connection: its acknowledgement is none of this one's

    @property
    def end(self) -> int:
        """The place behind its payload, where a FIN stands."""
        return self.place + (self.flags >> 1 & 1) + self.length


class Record(NamedTuple):
    """A segment as the recorder met it: when, as what, and with which IP id."""

    talk: int
    segment: Segment
    time_ns: int
    fate: str
    ip_id: int


class Dress(NamedTuple):
    """What all packets of a case wear, and what must not matter."""

    version: int
    ip_options: bool
    timestamps: bool
    padded: bool
    no_ip_length: bool
    snap: Optional[int]  # bytes kept of the TCP header and what follows; None is all


class Ends(NamedTuple):
    """Addresses, ports and ISNs of one connection, by side."""

    addresses: tuple[bytes, bytes]
    ports: tuple[int, int]
    isns: tuple[int, int]
    tags: tuple[tuple[int, int], ...]


def tcp_header(ends: Ends, segment: Segment, dress: Dress) -> bytes:
    """The TCP header with its options; checksums are 0, which nobody checks."""
    side = segment.sender
    options = (SYN_OPTIONS if segment.flags & SYN else b"") + TIMESTAMPS * dress.timestamps
    ack = 0 if segment.ack is None else (ends.isns[side ^ 1] + segment.ack) % SEQUENCE_SPACE
    return struct.pack(
        "!HHIIBBHHH",
        ends.ports[side], ends.ports[side ^ 1],
        (ends.isns[side] + segment.place) % SEQUENCE_SPACE, ack,
        (20 + len(options)) << 2, segment.flags, segment.window, 0, 0,
    ) + options  # fmt: skip


def ip_header(ends: Ends, record: Record, dress: Dress, size: int) -> bytes:
    """The IP header in front of size bytes."""
    source, target = ends.addresses[:: 1 if record.segment.sender == 0 else -1]
    fragment = record.fate == FRAGMENT
    protocol = (ICMP if dress.version == 4 else ICMPV6) if record.fate == QUOTED else TCP
    if dress.version == 4:
        options = IP_OPTIONS if dress.ip_options else b""
        header = 20 + len(options)
        told = 0 if dress.no_ip_length else header + size
        return struct.pack(
            "!BBHHHBBH4s4s", 0x40 | header >> 2, 0, told, record.ip_id,
            0x2000 if fragment else 0, 64, protocol, 0, source, target,
        ) + options  # fmt: skip
    extension, next_header = b"", protocol
    if fragment:
        extension, next_header = struct.pack("!BBHI", TCP, 0, 1, record.ip_id), 44
    elif dress.ip_options:
        extension, next_header = bytes([protocol]) + HOP_BY_HOP, 0
    told = 0 if dress.no_ip_length else len(extension) + size
    return struct.pack("!IHBB16s16s", 6 << 28, told, next_header, 64, source, target) + extension


def packet_of(ends: Ends, record: Record, dress: Dress) -> tuple[bytes, int, int]:
    """The IP packet, its captured and its whole length in bytes."""
    tcp = tcp_header(ends, record.segment, dress)
    payload = PAYLOAD[: record.segment.length]
    if record.fate == MALFORMED:  # a header of 16 bytes
        tcp = tcp[:12] + b"\x40" + tcp[13:]
    if record.fate == QUOTED:  # in an ICMP error: port unreachable
        quoted = ip_header(ends, record._replace(fate=SEEN), dress, len(tcp) + len(payload)) + tcp
        tcp, payload = bytes([3 if dress.version == 4 else 1, 3]) + bytes(6) + quoted, b""
    ip = ip_header(ends, record, dress, len(tcp) + len(payload))
    whole = ip + tcp + payload
    if record.fate == CUT:
        return whole, len(ip) + 13, len(whole)
    if dress.snap is None or record.fate == QUOTED:
        return whole, len(whole), len(whole)
    return whole, min(len(whole), len(ip) + dress.snap), len(whole)
