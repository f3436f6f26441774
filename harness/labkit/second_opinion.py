"""scapy reads the same trace: an independent eye on what labcap counts.

It dissects with code that no one here wrote, and adds up with a few lines of its own.
"""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import Any, Optional, Sequence

from labkit.feedback import HarnessError

_FIN, _SYN, _RST = 0x01, 0x02, 0x04
_HEADERS = 14 + 60 + 60
"""Bytes of a frame that Ethernet, IP and TCP can take up; the payload is not dissected."""


def compare(trace: Path, flows: Sequence[dict[str, Any]]) -> None:
    """Raises HarnessError when labcap's FLOWS and scapy's reading of TRACE do not agree.

    Compared for each TCP connection: packets, unique payload bytes and whether there is a
    FIN, each way; and the number of packets in the file.
    """
    total, seen = _read(trace)
    capture = flows[-1]
    if capture["packets"] != total:
        raise HarnessError(f"labcap counts {capture['packets']} packets, scapy {total}")
    if capture["skipped"]["duplicates"]:
        return
    for flow in flows:
        if flow["type"] != "tcp":
            continue
        for way, source, target in (("to_server", "client", "server"),
                                    ("to_client", "server", "client")):
            key = (flow[source]["address"], flow[source]["port"],
                   flow[target]["address"], flow[target]["port"])
            sender = seen.get(key, _Sender())
            has_fin = flow["teardown"][f"{source}_fin"] is not None
            ours = (flow[way]["packets"], flow[way]["bytes"], has_fin)
            theirs = (sender.packets, sender.unique_bytes(), sender.has_fin)
            if ours != theirs and not _ports_reused(flow, flows):
                raise HarnessError(
                    f"connection {flow['id']}, {way}: packets, bytes and FIN are {ours} "
                    f"by labcap and {theirs} by scapy"
                )


def _ports_reused(flow: dict[str, Any], flows: Sequence[dict[str, Any]]) -> bool:
    """Several connections of the same addresses and ports: scapy's lines add them up."""
    same = [f for f in flows if f["type"] == "tcp"
            and {str(f["client"]), str(f["server"])} == {str(flow["client"]), str(flow["server"])}]
    return len(same) > 1


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
        from scapy.layers.l2 import Ether
        from scapy.utils import RawPcapNgReader

    total = 0
    seen: dict[tuple[str, int, str, int], _Sender] = {}
    with contextlib.closing(RawPcapNgReader(str(trace))) as reader:
        for data, _ in reader:
            total += 1
            packet = Ether(data[:_HEADERS]).payload
            if not isinstance(packet, (IP, IPv6)) or TCP not in packet:
                continue
            tcp = packet[TCP]
            if isinstance(packet, IP):
                length = packet.len - packet.ihl * 4 - tcp.dataofs * 4
            else:
                length = packet.plen - tcp.dataofs * 4
            key = (packet.src, tcp.sport, packet.dst, tcp.dport)
            seen.setdefault(key, _Sender()).add(tcp.seq, length, int(tcp.flags))
    return total, seen
