"""scapy reads the same trace: an independent eye on what labcap counts.

It dissects with code that no one here wrote, and adds up with a few lines of its own.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence

from labkit.feedback import HarnessError

_FIN, _SYN, _RST = 0x01, 0x02, 0x04
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
"""EtherType."""
_TCP, _UDP, _FRAGMENT = 6, 17, 44
"""Protocol numbers; IPv6 packets here have no other extension header than a fragment's."""
_ARRIVED = b"\x6e\x65"
"""How the source address of a frame begins that a network of the suite delivers."""


class _Link(NamedTuple):
    """Where a link header has what is needed of it."""

    type_at: int
    source_at: int
    size: int


_LINKS = {1: _Link(12, 6, 14), 113: _Link(14, 6, 16), 276: _Link(0, 12, 20)}
"""By link type: Ethernet, and what `any` gives, Linux cooked capture, version 1 and 2."""


def compare(trace: Path, flows: Sequence[dict[str, Any]]) -> None:
    """Raises HarnessError when labcap's FLOWS and scapy's reading of TRACE do not agree.

    Compared are the packets in the file and, for each flow that had its addresses and ports
    to itself, each way: of TCP the packets, the unique payload bytes and whether there is a
    FIN; of UDP the sizes of the datagrams; and how many arrived, where the trace shows that.
    """
    capture = flows[-1]
    total, arrivals, seen = _read(trace)
    for what, ours, theirs in (("packets", capture["packets"], total),
                               ("arrivals", capture["arrivals"] or 0, arrivals)):
        if ours != theirs:
            raise HarnessError(f"labcap counts {ours} {what}, scapy {theirs}")
    if capture["skipped"]["duplicates"]:
        return
    uses = Counter(map(_ends, flows[:-1]))
    for flow in flows[:-1]:
        if uses[_ends(flow)] > 1:
            continue  # of the same addresses and ports as another: scapy's lines add them up
        for way, source, target in (("to_server", "client", "server"),
                                    ("to_client", "server", "client")):
            key = (flow["type"], *_end(flow[source]), *_end(flow[target]))
            _compare(flow, way, source, seen.get(key, _Sender()))


def _compare(flow: dict[str, Any], way: str, source: str, sender: _Sender) -> None:
    told = flow[way]
    ours: tuple[Any, ...]
    theirs: tuple[Any, ...]
    if flow["type"] == "tcp":
        what = "packets, bytes and FIN"
        ours = (told["packets"], told["bytes"], flow["teardown"][f"{source}_fin"] is not None)
        theirs = (sender.packets, sender.unique_bytes(), sender.has_fin)
    else:
        what = "sizes of datagrams"
        # One that is not whole has no size; scapy's lines do not look for all its pieces.
        whole = not told["incomplete"]
        ours = tuple(sorted(told["sizes"])) if whole else (told["datagrams"],)
        theirs = tuple(sorted(sender.sizes)) if whole else (len(sender.sizes),)
    if ours == theirs and told["arrived"] is not None and not sender.in_fragments:
        what = "arrivals"
        ours, theirs = (told["arrived"] + told["duplicated"],), (sender.arrivals,)
    if ours != theirs:
        raise HarnessError(f"flow {flow['id']}, {way}: {what} are {ours} by labcap "
                           f"and {theirs} by scapy")


def _end(side: dict[str, Any]) -> tuple[str, int]:
    return side["address"], side["port"]


def _ends(flow: dict[str, Any]) -> tuple[str, frozenset[tuple[str, int]]]:
    return flow["type"], frozenset((_end(flow["client"]), _end(flow["server"])))


class _Sender:
    """What one side of a flow sent, and what arrived of it."""

    def __init__(self) -> None:
        self.packets = 0
        self.arrivals = 0
        self.has_fin = False
        self.in_fragments = False
        self.sizes: list[int] = []
        self._first: Optional[int] = None
        self._spans: list[tuple[int, int]] = []

    def add_segment(self, seq: int, length: int, flags: int) -> None:
        self.packets += 1
        self.has_fin |= bool(flags & _FIN)
        if flags & _RST:
            return
        if self._first is None:
            self._first = seq
        start = (seq - self._first + 2**31) % 2**32 - 2**31 + bool(flags & _SYN)
        if length:
            self._spans.append((start, start + length))

    def unique_bytes(self) -> int:
        total, end = 0, -(2**31)
        for start, stop in sorted(self._spans):
            total += max(0, stop - max(start, end))
            end = max(end, stop)
        return total


_Key = tuple[str, str, int, str, int]
"""The protocol, and source and destination, each an address and a port."""


def _read(trace: Path) -> tuple[int, int, dict[_Key, _Sender]]:
    """The packets in TRACE, those of them that are arrivals, and who sent what."""
    total = arrivals = 0
    seen: dict[_Key, _Sender] = {}
    scapy = _scapy()
    for arrived, packet in _packets(trace):
        total += 1
        arrivals += arrived
        if packet is None or packet.protocol not in _NAMES:
            continue
        header = packet.payload
        key = (_NAMES[packet.protocol], packet.source, scapy.source_port(header),
               packet.target, scapy.target_port(header))
        sender = seen.get(key)
        if sender is None:
            sender = seen[key] = _Sender()
        sender.in_fragments |= packet.in_fragments
        if arrived:
            sender.arrivals += 1
        elif packet.protocol == _TCP:
            size, flags = _tcp(header[12:14])
            sender.add_segment(scapy.sequence_number(header), packet.size - size, flags)
        else:
            sender.sizes.append(scapy.udp_length(header) - 8)
    return total, arrivals, seen


@functools.lru_cache(maxsize=None)
def _scapy() -> SimpleNamespace:
    """What is used of scapy, which takes half a second to load."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what scapy says of itself is no fault of a test
        from scapy.layers.inet import IP, TCP, UDP
        from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
        from scapy.utils import RawPcapNgReader

    return SimpleNamespace(
        IP=IP, IPv6=IPv6, Fragment=IPv6ExtHdrFragment, TCP=TCP, Reader=RawPcapNgReader,
        ipv4_length=_number(IP, "len"), ipv6_length=_number(IPv6, "plen"),
        source_port=_number(TCP, "sport"), target_port=_number(TCP, "dport"),  # UDP's, too
        sequence_number=_number(TCP, "seq"), udp_length=_number(UDP, "len"))


def load() -> None:
    """Loads scapy now, for all processes that are made of this one."""
    _scapy()


class _Packet(NamedTuple):
    """An IP packet, or the first fragment of one: only that has a transport header."""

    protocol: int
    source: str
    target: str
    payload: bytes
    size: int
    """Of the payload, by the IP header: the trace may have cut it."""
    in_fragments: bool


def _packets(trace: Path) -> Iterator[tuple[bool, Optional[_Packet]]]:
    """Each packet of TRACE: whether it is an arrival; None for no IP, or a later fragment."""
    with contextlib.closing(_scapy().Reader(str(trace))) as reader:
        for data, how in reader:
            link = _LINKS[how.linktype]
            kind = data[link.type_at:link.type_at + 2]
            delivered = data[link.source_at:link.source_at + 2] == _ARRIVED
            yield delivered and kind in (_IPV4, _IPV6), _ip(kind, data[link.size:])


def _ip(kind: bytes, data: bytes) -> Optional[_Packet]:
    if kind == _IPV4:
        # Identification, time to live and checksum are not asked for.
        v4 = _ipv4(data[:2] + bytes(4) + data[6:8] + b"\0" + data[9:10] + bytes(2) + data[12:20])
        return None if v4.later_fragment else _Packet(
            v4.protocol, v4.source, v4.target, data[v4.size:],
            _scapy().ipv4_length(data) - v4.size, v4.in_fragments)
    if kind != _IPV6:
        return None
    v6 = _ipv6(data[:4] + bytes(2) + data[6:7] + b"\0" + data[8:40])
    size = _scapy().ipv6_length(data)
    if v6.protocol != _FRAGMENT:
        return _Packet(v6.protocol, v6.source, v6.target, data[40:], size, False)
    piece = _scapy().Fragment(data[40:48])
    return None if piece.offset else _Packet(piece.nh, v6.source, v6.target, data[48:],
                                             size - 8, True)


# Headers. A field that differs from packet to packet is read by itself and made 0 in its header:
# so most headers are like one before, and scapy, which takes 0.1 ms for one, dissects each once.


class _Ip(NamedTuple):
    """What is asked of an IP header."""

    protocol: int
    source: str
    target: str
    size: int
    later_fragment: bool = False
    in_fragments: bool = False


@functools.lru_cache(maxsize=4096)
def _ipv4(header: bytes) -> _Ip:
    """Of HEADER without its options."""
    v4 = _scapy().IP(header)
    return _Ip(v4.proto, v4.src, v4.dst, v4.ihl * 4, bool(v4.frag), bool(v4.flags.MF))


@functools.lru_cache(maxsize=4096)
def _ipv6(header: bytes) -> _Ip:
    v6 = _scapy().IPv6(header)
    return _Ip(v6.nh, v6.src, v6.dst, 40)


@functools.lru_cache(maxsize=4096)
def _tcp(middle: bytes) -> tuple[int, int]:
    """The size of a TCP header, and its flags, by the two bytes that tell them."""
    header = _scapy().TCP(bytes(12) + middle + bytes(6))
    return header.dataofs * 4, int(header.flags)


def _number(layer: Any, name: str) -> Callable[[bytes], int]:
    """What reads the field NAME, of whole bytes, in a header of scapy's LAYER."""
    at = 0.0
    for field in layer.fields_desc:
        if field.name == name:
            break
        at += field.sz
    start, end, getfield = int(at), int(at + field.sz), field.getfield

    def read(header: bytes) -> int:
        value: int = getfield(None, header[start:end])[1]
        return value

    return read


_NAMES = {_TCP: "tcp", _UDP: "udp"}
