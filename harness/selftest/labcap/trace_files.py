"""Trace files written byte by byte: link layers, pcap and pcapng.

Nothing here is shared with what is tested, nor with scapy's own writers, so
that a test can choose every field of a file, wrong ones too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, Iterable, NamedTuple, Optional, Sequence, Union

CLIENT_MAC = bytes.fromhex("020000000001")
SERVER_MAC = bytes.fromhex("020000000002")
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_VLAN = 0x8100
ETHERTYPE_QINQ = 0x88A8
DEFAULT_SNAPLEN = 262144


@dataclass(frozen=True)
class Frame:
    """One packet: its bytes, its time in ns since 1970, its length on the wire.

    A wire length of None means that everything was captured.
    """

    data: bytes
    time_ns: int
    wire_length: Optional[int] = None

    @property
    def on_wire(self) -> int:
        """The length on the wire in bytes."""
        return len(self.data) if self.wire_length is None else self.wire_length

    def cut(self, snaplen: int) -> Frame:
        """The same packet as a recorder with this snaplen keeps it."""
        return replace(self, data=self.data[:snaplen], wire_length=self.on_wire)


class Link(NamedTuple):
    """A link layer: its LINKTYPE number and how it wraps an IP packet."""

    name: str
    linktype: int
    wrap: Callable[[bytes], bytes]

    def frames(self, packets: Iterable[Frame]) -> list[Frame]:
        """The IP packets, each in this link layer's header."""
        framed = []
        for packet in packets:
            data = self.wrap(packet.data)
            header = len(data) - len(packet.data)
            wire = None if packet.wire_length is None else packet.wire_length + header
            framed.append(Frame(data, packet.time_ns, wire))
        return framed


def ethertype(packet: bytes) -> int:
    """The EtherType of an IP packet, told by its version."""
    return ETHERTYPE_IPV6 if packet[0] >> 4 == 6 else ETHERTYPE_IPV4


def ethernet(*tags: tuple[int, int]) -> Link:
    """Ethernet with a stack of tags, each a (TPID, TCI) pair, outermost first."""

    def wrap(packet: bytes) -> bytes:
        stack = b"".join(struct.pack("!HH", tpid, tci) for tpid, tci in tags)
        return SERVER_MAC + CLIENT_MAC + stack + struct.pack("!H", ethertype(packet)) + packet

    return Link("ethernet" + "".join(f"-{tci}" for _, tci in tags), 1, wrap)


def vlan(tag: int) -> Link:
    """Ethernet with one 802.1Q tag."""
    return ethernet((ETHERTYPE_VLAN, tag))


def qinq(outer: int, inner: int) -> Link:
    """Ethernet with an 802.1ad service tag around an 802.1Q tag."""
    return ethernet((ETHERTYPE_QINQ, outer), (ETHERTYPE_VLAN, inner))


def loopback(name: str, linktype: int, order: str, ipv6_family: int) -> Link:
    """BSD's NULL or LOOP: four bytes of address family in byte order '<' or '>'."""

    def wrap(packet: bytes) -> bytes:
        return struct.pack(order + "I", ipv6_family if packet[0] >> 4 == 6 else 2) + packet

    return Link(f"{name}-{ipv6_family}", linktype, wrap)


def _sll(packet: bytes) -> bytes:
    return struct.pack("!HHH8sH", 0, 1, 6, CLIENT_MAC, ethertype(packet)) + packet


def _sll2(packet: bytes) -> bytes:
    header = struct.pack("!HHIHBB8s", ethertype(packet), 0, 2, 1, 0, 6, CLIENT_MAC)
    return header + packet


ETHERNET = ethernet()
SLL = Link("sll", 113, _sll)
SLL2 = Link("sll2", 276, _sll2)
RAW = Link("raw", 101, lambda packet: packet)
NULLS = [
    loopback(f"null-{name}-endian", 0, order, family)
    for name, order in (("little", "<"), ("big", ">"))
    for family in (24, 28, 30)
]
LOOPS = [loopback("loop", 108, ">", family) for family in (24, 28, 30)]
LINKS = [ETHERNET, vlan(7), qinq(100, 7), SLL, SLL2, RAW, *NULLS, *LOOPS]


def pcap_header(
    linktype: int = 1, *, order: str = "<", ns: bool = True, snaplen: int = DEFAULT_SNAPLEN
) -> bytes:
    """The 24 bytes that open a pcap file."""
    magic = 0xA1B23C4D if ns else 0xA1B2C3D4
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, linktype)


def pcap_record(frame: Frame, *, order: str = "<", ns: bool = True) -> bytes:
    """One packet's record of a pcap file."""
    seconds, rest = divmod(frame.time_ns, 10**9)
    fraction = rest if ns else rest // 1000
    header = struct.pack(order + "IIII", seconds, fraction, len(frame.data), frame.on_wire)
    return header + frame.data


def write_pcap(
    path: Path,
    frames: Iterable[Frame],
    linktype: int = 1,
    *,
    order: str = "<",
    ns: bool = True,
    snaplen: int = DEFAULT_SNAPLEN,
) -> Path:
    """Write a pcap file in byte order '<' or '>', with ns or µs stamps; the path."""
    parts = [pcap_header(linktype, order=order, ns=ns, snaplen=snaplen)]
    parts += [pcap_record(frame.cut(snaplen), order=order, ns=ns) for frame in frames]
    path.write_bytes(b"".join(parts))
    return path


class NgWriter:
    """The blocks of one pcapng section, in the byte order given."""

    def __init__(self, order: str = "<") -> None:
        self._order = order
        self.blocks = [self._block(0x0A0D0D0A, self._pack("IHHq", 0x1A2B3C4D, 1, 0, -1))]

    def interface(self, linktype: int, *, snaplen: int = 0) -> None:
        """Describe the next interface, with nanosecond stamps."""
        body = self._pack("HHI", linktype, 0, snaplen)
        self.blocks.append(self._block(1, body + self._options([(9, b"\x09")])))

    def packet(
        self, frame: Frame, interface: int = 0, options: Sequence[tuple[int, bytes]] = ()
    ) -> None:
        """Add an enhanced packet block."""
        fields = self._pack("I", interface) + self._fields(frame)
        self.blocks.append(self._block(6, fields + (self._options(options) if options else b"")))

    def lossy_packet(self, frame: Frame, dropped: int, interface: int = 0) -> None:
        """Add an enhanced packet block that tells packets dropped before it."""
        self.packet(frame, interface, [(1, b"lossy"), (4, self._pack("Q", dropped))])

    def old_packet(self, frame: Frame, dropped: int, interface: int = 0) -> None:
        """Add a packet block of the old kind, which tells packets dropped before it."""
        fields = self._pack("HH", interface, dropped) + self._fields(frame)
        self.blocks.append(self._block(2, fields))

    def statistics(self, *, dropped: int, interface: int = 0) -> None:
        """Add an interface statistics block that tells packets dropped."""
        body = self._pack("III", interface, 0, 0)
        self.blocks.append(self._block(5, body + self._options([(5, self._pack("Q", dropped))])))

    def write(self, path: Path) -> Path:
        """Write the section to a file; the path."""
        path.write_bytes(b"".join(self.blocks))
        return path

    def _fields(self, frame: Frame) -> bytes:
        high, low = divmod(frame.time_ns, 2**32)
        head = self._pack("IIII", high, low, len(frame.data), frame.on_wire)
        return head + frame.data + bytes(-len(frame.data) % 4)

    def _pack(self, form: str, *values: Union[int, bytes]) -> bytes:
        return struct.pack(self._order + form, *values)

    def _options(self, options: Sequence[tuple[int, bytes]]) -> bytes:
        parts = [
            self._pack("HH", code, len(value)) + value + bytes(-len(value) % 4)
            for code, value in options
        ]
        return b"".join(parts) + bytes(4)

    def _block(self, kind: int, body: bytes) -> bytes:
        length = self._pack("I", 12 + len(body))
        return self._pack("I", kind) + length + body + length


def write_pcapng(
    path: Path, frames: Iterable[Frame], linktype: int = 1, *, order: str = "<"
) -> Path:
    """Write a pcapng file of one section with one interface; the path."""
    writer = NgWriter(order)
    writer.interface(linktype)
    for frame in frames:
        writer.packet(frame)
    return writer.write(path)
