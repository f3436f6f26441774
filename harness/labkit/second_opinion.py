"""scapy reads the same trace: an independent eye on what labcap counts.

It dissects with code that no one here wrote, and adds up with a few lines of its own.
"""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, Optional, Sequence

from labkit.feedback import HarnessError

_FIN, _SYN, _RST = 0x01, 0x02, 0x04
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
"""EtherType."""
_TCP = 6
"""The protocol number; programs on a loopback send no IPv6 extension header before it."""


def compare(trace: Path, flows: Sequence[dict[str, Any]]) -> None:
    """Raises HarnessError when labcap's FLOWS and scapy's reading of TRACE do not agree.

    Compared for each TCP connection that had its addresses and ports to itself: packets,
    unique payload bytes and whether there is a FIN, each way; and the packets in the file.
    """
    total, seen = _read(trace)
    capture = flows[-1]
    if capture["packets"] != total:
        raise HarnessError(f"labcap counts {capture['packets']} packets, scapy {total}")
    if capture["skipped"]["duplicates"]:
        return
    connections = [flow for flow in flows if flow["type"] == "tcp"]
    uses = Counter(map(_ends, connections))
    for flow in connections:
        if uses[_ends(flow)] > 1:
            continue  # of the same addresses and ports as another: scapy's lines add them up
        for way, source, target in (("to_server", "client", "server"),
                                    ("to_client", "server", "client")):
            key = (*_end(flow[source]), *_end(flow[target]))
            sender = seen.get(key, _Sender())
            has_fin = flow["teardown"][f"{source}_fin"] is not None
            ours = (flow[way]["packets"], flow[way]["bytes"], has_fin)
            theirs = (sender.packets, sender.unique_bytes(), sender.has_fin)
            if ours != theirs:
                raise HarnessError(
                    f"connection {flow['id']}, {way}: packets, bytes and FIN are {ours} "
                    f"by labcap and {theirs} by scapy"
                )


def _end(side: dict[str, Any]) -> tuple[str, int]:
    return side["address"], side["port"]


def _ends(flow: dict[str, Any]) -> frozenset[tuple[str, int]]:
    return frozenset((_end(flow["client"]), _end(flow["server"])))


class _Sender:
    """What one side of a connection sent."""

    def __init__(self) -> None:
        self.packets = 0
        self.has_fin = False
        self._first: Optional[int] = None
        self._spans: list[tuple[int, int]] = []

    def add(self, seq: int, length: int, flags: int) -> None:
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


def _read(trace: Path) -> tuple[int, dict[tuple[str, int, str, int], _Sender]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what scapy says of itself is no fault of a test
        from scapy.layers.inet import IP, TCP
        from scapy.layers.inet6 import IPv6
        from scapy.utils import RawPcapNgReader

    total = 0
    seen: dict[tuple[str, int, str, int], _Sender] = {}
    with contextlib.closing(RawPcapNgReader(str(trace))) as reader:
        for data, _ in reader:
            total += 1
            # One header at a time, and none of TCP's options: a third of the time of Ether(data).
            kind = data[12:14]
            if kind == _IPV4:
                packet = IP(data[14:34])
                protocol, header, length = packet.proto, packet.ihl * 4, packet.len
            elif kind == _IPV6:
                packet = IPv6(data[14:54])
                protocol, header, length = packet.nh, 40, packet.plen + 40
            else:
                continue
            if protocol != _TCP:
                continue
            tcp = TCP(data[14 + header : 34 + header])
            key = (packet.src, tcp.sport, packet.dst, tcp.dport)
            seen.setdefault(key, _Sender()).add(
                tcp.seq, length - header - tcp.dataofs * 4, int(tcp.flags))
    return total, seen
