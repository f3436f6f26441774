"""What tshark and tcptrace tell of the connections of a trace."""

from __future__ import annotations

import ipaddress
import os
import re

import subprocess
from pathlib import Path
from typing import Iterable, NamedTuple, Sequence

FIN, SYN, RST, ACK = 1, 2, 4, 16
PARTS = ("syn", "syn_ack", "ack", "data", "fin", "rst")  # the bits of tcp.completeness

End = tuple[str, int]


class Row(NamedTuple):
    """A packet of a stream as tshark sees it."""

    number: int
    sender: End
    completeness: int
    seq: int
    length: int
    flags: int


class Flow(NamedTuple):
    """A connection as another program tells it: by sender, packets and unique bytes."""

    first: int  # packet number
    packets: dict[End, int]
    bytes: dict[End, int]
    parts: frozenset[str]
    rows: Sequence[Row] = ()


def union(pieces: Iterable[tuple[int, int]]) -> int:
    """How many numbers the half-open pieces cover."""
    total, reached = 0, None
    for start, end in sorted(pieces):
        if reached is None or start > reached:
            reached = start
        total += max(0, end - reached)
        reached = max(reached, end)
    return total


def unique_bytes(rows: Iterable[Row]) -> int:
    """Unique bytes of one sender by sequence number, resets and what is below ISN+1 left out."""
    pieces, near, isn = [], None, None
    for row in rows:
        if row.flags & RST:
            continue
        near = row.seq if near is None else near
        place = near + (row.seq - near + 2**31) % 2**32 - 2**31
        if row.flags & SYN:
            isn, place = place, place + 1
        near = max(near, place + row.length)
        pieces.append((place, place + row.length))
    return union((start if isn is None else max(start, isn + 1), end) for start, end in pieces
                 if isn is None or end > isn)


def tshark(path: Path, home: Path) -> list[Flow]:
    """The streams of a trace, read in two passes with nobody's preferences.

    Headers that an ICMP error quotes are left out.
    """
    command = ["tshark", "-2", "-r", str(path), "-Y", "tcp.stream and not icmp and not icmpv6",
               "-T", "fields"]
    for field in ("frame.number", "tcp.stream", "tcp.completeness", "tcp.seq_raw", "tcp.len",
                  "tcp.flags", "tcp.srcport", "ip.src", "ipv6.src"):
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True,
                          env={**os.environ, "HOME": str(home)})
    streams: dict[int, list[Row]] = {}
    for line in done.stdout.splitlines():
        *values, ipv4, ipv6 = line.split("\t")
        number, stream, complete, seq, length, flags, port = (int(each or "0", 0)
                                                              for each in values)
        row = Row(number, (ipv4 or ipv6, port), complete, seq, length, flags)
        streams.setdefault(stream, []).append(row)
    return [flow_of(rows) for rows in streams.values()]


def flow_of(rows: list[Row]) -> Flow:
    """The packets of one stream, summed."""
    by_sender: dict[End, list[Row]] = {}
    for row in rows:
        by_sender.setdefault(row.sender, []).append(row)
    parts = frozenset(name for bit, name in enumerate(PARTS) if rows[0].completeness >> bit & 1)
    return Flow(rows[0].number, {end: len(each) for end, each in by_sender.items()},
                {end: unique_bytes(each) for end, each in by_sender.items()}, parts, rows)


# ---- tcptrace

HOST = re.compile(r"host \w+: +(\S+):(\d+)")


def both(name: str, block: str) -> tuple[int, int]:
    """The two numbers of a line of tcptrace's two columns."""
    found = re.search(rf"{name}: +(\d+).*?{name}: +(\d+)", block)
    assert found is not None, block
    return int(found[1]), int(found[2])


def tcptrace(path: Path) -> list[Flow]:
    """The connections of a trace, in their order; without packet numbers and parts."""
    done = subprocess.run(["tcptrace", "-n", "-l", path], capture_output=True, timeout=120,
                          check=True)
    text = done.stdout.decode(errors="replace").expandtabs()
    flows = []
    for block in text.split("\nTCP connection ")[1:]:
        ends = [(str(ipaddress.ip_address(unpadded(host))), int(port))
                for host, port in HOST.findall(block)]
        if not ends:
            continue
        packets, unique = both("total packets", block), both("unique bytes sent", block)
        flows.append(Flow(0, dict(zip(ends, packets)), dict(zip(ends, unique)), frozenset()))
    return flows


def unpadded(host: str) -> str:
    """An address without the zeros that tcptrace puts before each part of IPv6."""
    return re.sub(r"(^|:)0+(?=[0-9a-f])", r"\1", host)
