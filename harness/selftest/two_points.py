"""Traces with two points, read with scapy: what was sent, what arrived, and what belongs together.

Nothing of labcap or labwire is used here: both are judged by it.
"""

from __future__ import annotations

import contextlib
import struct
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple, Optional

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.utils import RawPcapNgReader

_ETHERNET, _SLL = 1, 113
_OUTGOING = 4
_LOCAL_EXPERIMENTAL = 0x88B5
_MARK = b"\x6e\x65"


class Record(NamedTuple):
    """One packet at one point."""

    number: int
    """In the file, from 1."""
    nanoseconds: int
    tag: Optional[tuple[int, int]]
    """Of one that arrived: the key's low 16 bits and the ordinal."""
    data: bytes
    """The IP packet."""

    @property
    def ip(self) -> Any:
        """As scapy reads it: IP or IPv6."""
        return IP(self.data) if self.data[0] >> 4 == 4 else IPv6(self.data)

    @property
    def blank(self) -> bytes:
        """Its bytes but for the checksums, which a loopback leaves out at the sender."""
        return without_checksum(self.data)


class TwoPoints(NamedTuple):
    """A whole trace."""

    rules: list[bytes]
    """What the first frames say: on a link there is one on each side."""
    sent: list[Record]
    arrived: list[Record]


def read(trace: Path) -> TwoPoints:
    found = TwoPoints([], [], [])
    with contextlib.closing(RawPcapNgReader(str(trace))) as reader:
        for number, (frame, about) in enumerate(reader, 1):
            _sort_in(found, number, frame, about)
    return found


def _sort_in(found: TwoPoints, number: int, frame: bytes, about: Any) -> None:
    if about.linktype == _ETHERNET:
        source, kind, data, outgoing = frame[6:12], frame[12:14], frame[14:], None
    else:
        assert about.linktype == _SLL  # what `any` is recorded as
        source, kind, data = frame[6:12], frame[14:16], frame[16:]
        outgoing = int.from_bytes(frame[:2], "big") == _OUTGOING
    marked = source[:2] == _MARK
    assert outgoing in (None, marked), f"packet {number}: what arrives leaves the middle marked"
    if int.from_bytes(kind, "big") == _LOCAL_EXPERIMENTAL:
        assert marked and source[2:] == bytes(4)
        found.rules.append(data.rstrip(b"\0"))
        return
    tag = (int.from_bytes(source[2:4], "big"), int.from_bytes(source[4:6], "big"))
    stamp = int(about.tshigh) << 32 | int(about.tslow)
    assert about.tsresol == 10**9
    record = Record(number, stamp, tag if marked else None, data)
    (found.arrived if marked else found.sent).append(record)


# -- What a packet is ---------------------------------------------------------


def payload_size(packet: Any) -> int:
    """Bytes behind the header of TCP or UDP; 0 for all else."""
    ip = packet.plen if IPv6 in packet else packet.len - packet.ihl * 4
    header = packet[TCP].dataofs * 4 if TCP in packet else 8
    return int(ip) - int(header) if TCP in packet or UDP in packet else 0


def _flags(packet: Any) -> int:
    return int(packet[TCP].flags) & 0x17 if TCP in packet else 0


KINDS: dict[str, Callable[[Any], bool]] = {
    "packet": lambda p: True,
    "tcp": lambda p: TCP in p,
    "udp": lambda p: UDP in p,
    "icmp": lambda p: ICMP in p or (IPv6 in p and p.nh == 58),
    "syn": lambda p: _flags(p) & 0x12 == 0x02,
    "syn-ack": lambda p: _flags(p) & 0x12 == 0x12,
    "fin": lambda p: bool(_flags(p) & 0x01),
    "rst": lambda p: bool(_flags(p) & 0x04),
    "data": lambda p: TCP in p and payload_size(p) > 0,
    "ack": lambda p: TCP in p and _flags(p) == 0x10 and payload_size(p) == 0,
}


def fragment_offset(packet: Any) -> Optional[int]:
    """Bytes; None for a packet that is no fragment."""
    if IPv6 in packet:
        return packet[IPv6ExtHdrFragment].offset * 8 if IPv6ExtHdrFragment in packet else None
    return packet.frag * 8 if packet.frag or packet.flags.MF else None


def _checksum_place(data: bytes) -> Optional[int]:
    """Where TCP's or UDP's stands; None in fragments and where there is none."""
    if data[0] >> 4 == 4:
        if struct.unpack_from("!H", data, 6)[0] & 0x3FFF:
            return None
        start, protocol = (data[0] & 15) * 4, data[9]
    else:
        start, protocol = 40, data[6]
    return {6: start + 16, 17: start + 6}.get(protocol)


def without_checksum(data: bytes) -> bytes:
    place = _checksum_place(data)
    return data if place is None else data[:place] + b"\0\0" + data[place + 2:]


def with_right_checksum(data: bytes) -> bytes:
    """DATA with the checksum of TCP, UDP or ICMP as scapy computes it."""
    packet = IP(data) if data[0] >> 4 == 4 else IPv6(data)
    for layer in (TCP, UDP, ICMP):
        if layer in packet:
            del packet[layer].chksum
    if packet.name == "IPv6" and packet.nh == 58:
        del packet.payload.cksum
    return bytes(packet)


def key_of(data: bytes) -> int:
    """The packet's key: FNV-1a of its length and its first 96 octets."""
    length = (struct.unpack_from("!H", data, 2)[0] if data[0] >> 4 == 4
              else 40 + struct.unpack_from("!H", data, 4)[0])
    key = 0xCBF29CE484222325
    for octet in struct.pack("!I", length) + without_checksum(data)[:96]:
        key = (key ^ octet) * 0x100000001B3 % 2**64
    return key


# -- What belongs together ----------------------------------------------------


def fates(trace: TwoPoints) -> list[list[Record]]:
    """For each sending, in order: its arrivals, as their tags say, all behind it in the file."""
    counts: Counter[int] = Counter()
    by_tag: dict[tuple[int, int], list[Record]] = {}
    arrivals: dict[int, list[Record]] = {}
    for record in trace.sent:
        key = key_of(record.data)
        counts[key] += 1
        by_tag.setdefault((key & 0xFFFF, counts[key] & 0xFFFF), []).append(record)
        arrivals[record.number] = []
    for arrival in trace.arrived:
        assert arrival.tag is not None
        sending = _best(by_tag.get(arrival.tag, []), arrival)
        assert sending.number < arrival.number, (sending, arrival)
        arrivals[sending.number].append(arrival)
    return list(arrivals.values())


def _best(candidates: list[Record], arrival: Record) -> Record:
    """The one of the same bytes, or, of a damaged packet, that of its length which is most like it.

    Two packets in some 65,000 have the same tag.
    """
    def unlike(sent: Record) -> int:
        return sum(ours != theirs for ours, theirs in zip(sent.blank, arrival.blank))

    found = [r for r in candidates if len(r.data) == len(arrival.data)]
    assert found, f"packet {arrival.number} arrived and was never sent"
    return min(found, key=unlike)


def ordinals(trace: TwoPoints, counts: Callable[[Any], bool]) -> list[int]:
    """For each sending, in order: which of those it is that COUNTS, from 1; 0 for none."""
    found, last = [], 0
    for record in trace.sent:
        last += counts(record.ip)
        found.append(last if counts(record.ip) else 0)
    return found


def payloads(records: Iterable[Record]) -> list[bytes]:
    """What UDP carried, of packets that are no fragments."""
    return [bytes(record.ip[UDP].payload) for record in records if UDP in record.ip]
