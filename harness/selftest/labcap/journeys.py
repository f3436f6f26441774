"""Traces with two points, made by hand: each packet as it was sent, and again as it arrived.

A journey says what happens to a conversation's packets, in the order of the trace:

    s3     its third packet is sent
    a3     the same packet arrives
    a3*    it arrives damaged
    +40    40 ms pass (else events are 1 ms apart)

Nothing here is shared with what is tested: tags are made from their description alone.
"""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path
from typing import Optional, Sequence, Union

from trace_files import CLIENT_MAC, ETHERNET, SERVER_MAC, SLL, SLL2, Frame, Link, write_pcap
from traces import MILLISECOND, START_NS, Conversation

MARK_MAC = bytes.fromhex("6e6500000000")
MARK_TYPE = 0x88B5
TCP, UDP = 6, 17


def _checksum_place(packet: bytes) -> Optional[int]:
    """Where the checksum of TCP or UDP stands in an IP packet, if its place is fixed."""
    if packet[0] >> 4 == 4:
        whole = struct.unpack_from("!H", packet, 6)[0] & 0x3FFF == 0
        header, protocol = (packet[0] & 15) * 4, packet[9]
    else:
        whole, header, protocol = True, 40, packet[6]
    if not whole or protocol not in (TCP, UDP):
        return None
    return header + (16 if protocol == TCP else 6)


def ip_length(packet: bytes) -> int:
    """The packet's length by its own header."""
    if packet[0] >> 4 == 4:
        return int.from_bytes(packet[2:4], "big")
    return 40 + int.from_bytes(packet[4:6], "big")


def key(packet: bytes) -> int:
    """FNV-1a of the length and of the first 96 octets, without the checksum."""
    length = ip_length(packet)
    octets = bytearray(packet[: min(96, length)])
    place = _checksum_place(packet)
    if place is not None:
        octets[place : place + 2] = bytes(2)
    digest = 0xCBF29CE484222325
    for octet in struct.pack("!I", length) + bytes(octets):
        digest = (digest ^ octet) * 0x100000001B3 % 2**64
    return digest


def tag(packet: bytes, ordinal: int) -> bytes:
    """The source MAC address of the packet's arrival."""
    return b"\x6e\x65" + struct.pack("!HH", key(packet) % 2**16, ordinal % 2**16)


def without_checksum(packet: bytes) -> bytes:
    """The packet as a loopback shows it: the checksum of TCP and UDP is not there yet."""
    place = _checksum_place(packet)
    if place is None:
        return packet
    return packet[:place] + b"\xbe\xef" + packet[place + 2 :]


def damaged(packet: bytes) -> bytes:
    """The packet with its first octet of payload inverted, or its checksum if it has none."""
    place = _checksum_place(packet)
    assert place is not None
    ends = place + 2
    if packet[9 if packet[0] >> 4 == 4 else 6] == UDP:
        payload = ends
    else:
        header = place - 16
        payload = header + (packet[header + 12] >> 4) * 4
    if payload == len(packet):
        payload = place
    return packet[:payload] + bytes([packet[payload] ^ 0xFF]) + packet[payload + 1 :]


def link_with(link: Link, mac: bytes) -> Link:
    """The link layer with another source MAC address."""
    return link._replace(wrap=lambda packet: link.wrap(packet).replace(CLIENT_MAC, mac, 1))


def mark(link: Link, rules: Sequence[str] = ()) -> bytes:
    """The frame with which the wire begins."""
    text = b"labwire\n" + "".join(f"{rule}\n" for rule in rules).encode()
    if link is SLL2:
        head = struct.pack("!HHIHBB8s", MARK_TYPE, 0, 2, 1, 0, 6, MARK_MAC)
    elif link is SLL:
        head = struct.pack("!HHH8sH", 0, 1, 6, MARK_MAC, MARK_TYPE)
    else:
        head = SERVER_MAC + MARK_MAC + struct.pack("!H", MARK_TYPE)
    return (head + text).ljust(60, b"\0")


Packets = Union[Conversation, Sequence[bytes]]


class TwoPoints:
    """The frames of a trace with two points."""

    def __init__(self, link: Link = ETHERNET, *, marked: bool = True) -> None:
        self.link = link
        self.frames: list[Frame] = []
        self.now_ns = START_NS
        self.numbers: dict[str, int] = {}
        self._sent: Counter[bytes] = Counter()
        self._ordinals: dict[int, int] = {}
        if marked:
            self.put(mark(link))

    def put(self, frame: bytes) -> int:
        """Add a frame as it is; its packet number."""
        self.frames.append(Frame(frame, self.now_ns))
        self.now_ns += MILLISECOND
        return len(self.frames)

    def sent(self, packet: bytes) -> tuple[int, bytes]:
        """A packet is sent; its number in the trace, and the tag with which it arrives."""
        self._sent[packet] += 1
        number = self.put(self.link.wrap(without_checksum(packet)))
        return number, tag(packet, self._sent[packet])

    def arrives(self, packet: bytes, mac: bytes) -> int:
        """A packet arrives; the frame's number."""
        return self.put(link_with(self.link, mac).wrap(packet))

    def go(self, packets: Packets, journey: str) -> TwoPoints:
        """Let packets travel; `numbers` then tells each event's packet number."""
        if isinstance(packets, Conversation):
            packets = [frame.data for frame in packets.packets]
        tags: dict[int, bytes] = {}
        for event in journey.split():
            if event[0] == "+":
                self.now_ns += (int(event[1:]) - 1) * MILLISECOND
                continue
            index = int(event[1:].rstrip("*"))
            packet = packets[index - 1]
            if event[0] == "s":
                self.numbers[event], tags[index] = self.sent(packet)
                continue
            self.numbers[event] = self.arrives(
                damaged(packet) if event[-1] == "*" else packet, tags[index]
            )
        return self

    def write(self, path: Path) -> Path:
        """Write the trace; the path."""
        return write_pcap(path, self.frames, self.link.linktype)


def all_well(count: int, first: int = 1) -> str:
    """The journey of packets that arrive one after the other."""
    return " ".join(f"s{n} a{n}" for n in range(first, first + count))
