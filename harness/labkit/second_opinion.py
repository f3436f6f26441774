"""scapy reads the same trace: an independent eye on what labcap counts.

It dissects with code that no one here wrote, takes the file apart (pcapng.py) and adds up with a
few lines of its own.
"""

from __future__ import annotations

import functools
import struct
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, NamedTuple, Optional, Sequence

from labkit.feedback import HarnessError
from labkit.pcapng import packets

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
    for link_type, data in packets(trace):
        link = _LINKS[link_type]
        kind = data[link.type_at:link.type_at + 2]
        arrived = data[link.source_at:link.source_at + 2] == _ARRIVED and kind in (_IPV4, _IPV6)
        total += 1
        arrivals += arrived
        ip, size, at = _ip(kind, data, link.size)
        if ip is None or ip.protocol not in _NAMES:
            continue
        is_tcp = ip.protocol == _TCP
        source, target, number = (scapy.tcp if is_tcp else scapy.udp)(data, at)
        key = (_NAMES[ip.protocol], ip.source, source, ip.target, target)
        sender = seen.get(key)
        if sender is None:
            sender = seen[key] = _Sender()
        sender.in_fragments |= ip.in_fragments
        if arrived:
            sender.arrivals += 1
        elif is_tcp:
            header, flags = _tcp(data[at + 12:at + 14])
            sender.add_segment(number, size - header, flags)
        else:
            sender.sizes.append(number - 8)
    return total, arrivals, seen


@functools.lru_cache(maxsize=None)
def _scapy() -> SimpleNamespace:
    """What is used of scapy, which takes half a second to load."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what scapy says of itself is no fault of a test
        from scapy.layers.inet import IP, TCP, UDP
        from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment

    return SimpleNamespace(
        IP=IP, IPv6=IPv6, Fragment=IPv6ExtHdrFragment, TCP=TCP,
        ipv4_length=_numbers(IP, "len"), ipv6_length=_numbers(IPv6, "plen"),
        tcp=_numbers(TCP, "sport", "dport", "seq"), udp=_numbers(UDP, "sport", "dport", "len"))


def load() -> None:
    """Loads scapy now, for all processes that are made of this one."""
    _scapy()


def _ip(kind: bytes, data: bytes, at: int) -> tuple[Optional[_Ip], int, int]:
    """The IP packet at AT in DATA, the size of its payload by the header, and where that begins.

    The trace may have cut it. None for what is no IP, and for a later fragment: only the first
    has a transport header.
    """
    if kind == _IPV4:
        # Identification, time to live and checksum are not asked for.
        v4 = _ipv4(b"%b%b%b%b" % (data[at:at + 2], data[at + 6:at + 8], data[at + 9:at + 10],
                                  data[at + 12:at + 20]))
        [size] = _scapy().ipv4_length(data, at)
        return None if v4.later_fragment else v4, size - v4.size, at + v4.size
    if kind != _IPV6:
        return None, 0, 0
    v6 = _ipv6(data[at:at + 4] + data[at + 6:at + 7] + data[at + 8:at + 40])
    [size] = _scapy().ipv6_length(data, at)
    at += v6.size
    if v6.protocol != _FRAGMENT:
        return v6, size, at
    piece = _scapy().Fragment(data[at:at + 8])
    return (None if piece.offset else v6._replace(protocol=piece.nh, in_fragments=True),
            size - 8, at + 8)


# Headers. A field that differs from packet to packet is read by itself and is 0 in its header: so
# most headers are like one before, and scapy, which takes 0.1 ms for one, dissects each once.


class _Ip(NamedTuple):
    """What is asked of an IP header."""

    protocol: int
    source: str
    target: str
    size: int
    later_fragment: bool = False
    in_fragments: bool = False


@functools.lru_cache(maxsize=4096)
def _ipv4(fields: bytes) -> _Ip:
    """Of a header by its first two bytes, flags and offset, protocol, and addresses."""
    v4 = _scapy().IP(fields[:2] + bytes(4) + fields[2:4] + b"\0" + fields[4:5] + bytes(2)
                     + fields[5:])
    return _Ip(v4.proto, v4.src, v4.dst, v4.ihl * 4, bool(v4.frag), bool(v4.flags.MF))


@functools.lru_cache(maxsize=4096)
def _ipv6(fields: bytes) -> _Ip:
    """Of a header by its first four bytes, next header, and addresses."""
    v6 = _scapy().IPv6(fields[:4] + bytes(2) + fields[4:5] + b"\0" + fields[5:])
    return _Ip(v6.nh, v6.src, v6.dst, 40)


@functools.lru_cache(maxsize=4096)
def _tcp(middle: bytes) -> tuple[int, int]:
    """The size of a TCP header, and its flags, by the two bytes that tell them."""
    header = _scapy().TCP(bytes(12) + middle + bytes(6))
    return header.dataofs * 4, int(header.flags)


def _numbers(layer: Any, *names: str) -> Callable[[bytes, int], tuple[int, ...]]:
    """What reads the fields NAMES, of whole bytes and in this order, in a header of scapy's LAYER.

    Where they are, and of what kind, is scapy's to know: it takes some microseconds for each.
    """
    layout, at, end = "!", 0.0, 0
    for field in layer.fields_desc:
        if field.name in names:
            layout += f"{int(at) - end}x{field.fmt.strip('!')}"
            end = int(at + field.sz)
        at += field.sz
    return struct.Struct(layout).unpack_from


_NAMES = {_TCP: "tcp", _UDP: "udp"}
