"""Conversations made with scapy: who sends what, with which numbers, when.

A conversation keeps both sides' sequence numbers, so that a test names only
what is unusual about a segment. Numbers are relative to the ISN: 0 is the
SYN's own place, 1 the first byte of data.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Union

from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6, IPv6ExtHdrFragment, fragment6
from scapy.packet import Packet, Raw
from trace_files import ETHERNET, Frame, Link, write_pcap

CLIENT = "client"
SERVER = "server"
START_NS = 1_700_000_000_000_000_000
MILLISECOND = 1_000_000
SEQUENCE_SPACE = 2**32


@dataclass
class Side:
    """One end of a conversation."""

    address: str
    port: int
    isn: int = 0
    next: int = 0
    highest: int = 0
    window: int = 64240


@dataclass
class Conversation:
    """Packets of one TCP connection (or UDP flow), in the order they were made."""

    client_isn: int = 1_000_000
    server_isn: int = 2_000_000
    client_address: str = "10.0.0.1"
    server_address: str = "10.0.0.2"
    client_port: int = 39870
    server_port: int = 4321
    start_ns: int = START_NS
    step_ns: int = MILLISECOND
    packets: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sides = {
            CLIENT: Side(self.client_address, self.client_port, self.client_isn),
            SERVER: Side(self.server_address, self.server_port, self.server_isn),
        }
        self.now_ns = self.start_ns
        self._ip_id = 0

    # ---- TCP

    def segment(
        self,
        sender: str,
        flags: str = "A",
        data: bytes = b"",
        *,
        seq: Optional[int] = None,
        ack: Optional[int] = None,
        window: Optional[int] = None,
        ip: Optional[dict[str, Any]] = None,
        tcp: Optional[dict[str, Any]] = None,
        after_ns: Optional[int] = None,
    ) -> int:
        """Send one segment; its packet number.

        seq is relative to the sender's ISN (by default where it stands), ack
        to the receiver's (by default all that it has sent), after_ns the time
        since the packet before. ip and tcp set header fields directly.
        """
        here, there = self._ends(sender)
        place = here.next if seq is None else seq
        fields: dict[str, Any] = {
            "sport": here.port,
            "dport": there.port,
            "seq": (here.isn + place) % SEQUENCE_SPACE,
            "flags": flags,
            "window": here.window if window is None else window,
        }
        if "A" in flags:
            told = there.highest if ack is None else ack
            fields["ack"] = (there.isn + told) % SEQUENCE_SPACE
        fields.update(tcp or {})
        if "R" not in flags:
            here.next = place + ("S" in flags) + len(data) + ("F" in flags)
            here.highest = max(here.highest, here.next)
        return self.add(self._ip(here, there, ip) / TCP(**fields) / Raw(data), after_ns)

    def client(self, flags: str = "A", data: bytes = b"", **fields: Any) -> int:
        """A segment of the client; its packet number."""
        return self.segment(CLIENT, flags, data, **fields)

    def server(self, flags: str = "A", data: bytes = b"", **fields: Any) -> int:
        """A segment of the server; its packet number."""
        return self.segment(SERVER, flags, data, **fields)

    def lose(self, sender: str, length: int) -> None:
        """Let a side send bytes that the trace does not hold."""
        here = self.sides[sender]
        here.next += length
        here.highest = max(here.highest, here.next)

    def handshake(self) -> Conversation:
        """Packets 1 to 3 of an ordinary connection."""
        self.client("S")
        self.server("SA")
        self.client("A")
        return self

    def unseen_handshake(self) -> Conversation:
        """A connection that was there before the recording began."""
        for side in self.sides.values():
            side.next = side.highest = 1
        return self

    def close(self, first: str = CLIENT) -> None:
        """Four packets: each side's FIN and its acknowledgement."""
        second = SERVER if first == CLIENT else CLIENT
        self.segment(first, "FA")
        self.segment(second, "A")
        self.segment(second, "FA")
        self.segment(first, "A")

    def then(self, **fields: Any) -> Conversation:
        """Another conversation in the same trace, a second later."""
        chosen: dict[str, Any] = {"start_ns": self.now_ns + 10**9, "packets": self.packets}
        return Conversation(**{**chosen, **fields})

    # ---- UDP and anything else

    def datagram(self, sender: str, data: bytes, *, ip: Optional[dict[str, Any]] = None) -> int:
        """Send one UDP datagram whole; its packet number."""
        return self.add(self.udp_packet(sender, data, ip=ip))

    def udp_packet(
        self, sender: str, data: bytes, *, ip: Optional[dict[str, Any]] = None
    ) -> Packet:
        """One UDP datagram that is not sent yet."""
        here, there = self._ends(sender)
        return self._ip(here, there, ip) / UDP(sport=here.port, dport=there.port) / Raw(data)

    def add(self, packet: Union[Packet, bytes], after_ns: Optional[int] = None) -> int:
        """Put any IP packet on the wire; its packet number."""
        if self.packets:
            self.now_ns += self.step_ns if after_ns is None else after_ns
        self.packets.append(Frame(bytes(packet), self.now_ns))
        return len(self.packets)

    def again(self, number: int, after_ns: int) -> int:
        """Record a packet a second time, as two interfaces would; its number."""
        return self.add(self.packets[number - 1].data, after_ns)

    def _ends(self, sender: str) -> tuple[Side, Side]:
        return self.sides[sender], self.sides[SERVER if sender == CLIENT else CLIENT]

    def _ip(self, here: Side, there: Side, fields: Optional[dict[str, Any]]) -> Packet:
        if ":" in here.address:
            return IPv6(src=here.address, dst=there.address, **(fields or {}))
        self._ip_id = self._ip_id % 65535 + 1
        chosen: dict[str, Any] = {"src": here.address, "dst": there.address, "id": self._ip_id}
        return IP(**{**chosen, **(fields or {})})

    # ---- files

    def write(self, path: Path, link: Link = ETHERNET, **options: Any) -> Path:
        """Write the packets to a pcap file; the path."""
        return write_pcap(path, link.frames(self.packets), link.linktype, **options)


def ipv6_conversation(**fields: Any) -> Conversation:
    """A conversation between two IPv6 addresses."""
    chosen: dict[str, Any] = {"client_address": "2001:db8::1", "server_address": "2001:db8::2"}
    return Conversation(**{**chosen, **fields})


def echo_conversation(**fields: Any) -> Conversation:
    """Ten packets: 7 bytes to the server, 18 bytes back, closed by the client."""
    talk = Conversation(**fields).handshake()
    talk.client("PA", b"hello!\n")
    talk.server("A")
    talk.server("PA", b"you said: hello..\n")
    talk.close()
    return talk


def fragments_of(packet: Packet, size: int) -> list[Packet]:
    """An IP packet in fragments of at most size bytes of payload (a multiple of 8)."""
    if IPv6 in packet:
        payload = packet[IPv6].payload
        head = packet.copy()
        head[IPv6].remove_payload()
        whole = head / IPv6ExtHdrFragment(id=77) / payload
        return list(fragment6(whole, size + 48))
    return list(fragment(packet, size))


def port_unreachable(packet: bytes) -> Packet:
    """The ICMP error with which an IP packet's receiver says that no one listens."""
    if packet[0] >> 4 == 6:
        asked = IPv6(packet)
        return IPv6(src=asked.dst, dst=asked.src) / ICMPv6DestUnreach(code=4) / Raw(packet)
    asked = IP(packet)
    return IP(src=asked.dst, dst=asked.src) / ICMP(type=3, code=3) / Raw(packet)


def ipv6_with(next_header: int, body: bytes) -> bytes:
    """An IPv6 packet of any next header and body."""
    head = struct.pack("!IHBB", 6 << 28, len(body) % 65536, next_header, 64)
    return head + bytes(15) + b"\1" + bytes(15) + b"\2" + body


def fragment_bytes(ident: int, offset: int, more: int, body: bytes, version: int) -> bytes:
    """A fragment of UDP at an offset of 8-byte units."""
    if version == 6:
        header = struct.pack("!BBHI", 17, 0, offset << 3 | more, ident)
        return ipv6_with(44, header + body)
    return bytes(
        IP(src="10.0.0.1", dst="10.0.0.2", proto=17, id=ident, frag=offset, flags=more) / Raw(body)
    )
