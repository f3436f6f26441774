"""The order of calls and packets, checked a second time.

Nothing of labcap's is used but the rows that it tells: packets are read by
scapy, logs by strace_logs.read_calls(). What each call sent and received is
counted anew, and every row is held against it. A trace must use no port twice,
and a datagram's payload must be no other's of the same two ends.
"""

from __future__ import annotations

import codecs
import re
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Iterable, Optional, Sequence

from calls import Json
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet
from scapy.utils import PcapNgReader
from strace_logs import Call, read_calls

SENDS = {"sendto", "sendmsg", "write", "writev"}
RECEIVES = {"recvfrom", "recvmsg", "read", "readv"}
Ends = tuple[str, str]


# ---- The packets


@dataclass
class Direction:
    """What one end sent to the other: packet numbers, and bytes counted from 1."""

    isn: Optional[int] = None
    syn: int = 0
    acks: list[int] = field(default_factory=list)  # packets without SYN
    packets: list[tuple[int, int, int]] = field(default_factory=list)  # number, first, last
    fin: Optional[tuple[int, int]] = None  # number, bytes before it
    datagrams: dict[bytes, int] = field(default_factory=dict)

    def add_segment(self, number: int, tcp: Packet, length: int) -> None:
        """Take the next segment."""
        if "S" in tcp.flags:
            assert self.isn in (None, tcp.seq), "a port was used twice"
            self.isn, self.syn = tcp.seq, self.syn or number
        else:
            self.acks.append(number)
        if self.isn is None or "R" in tcp.flags:
            return
        first = (tcp.seq - self.isn) % 2**32
        if length:
            self.packets.append((number, first, first + length - 1))
        if "F" in tcp.flags and self.fin is None:
            self.fin = (number, first + length - 1)

    @cached_property
    def complete(self) -> list[tuple[int, int]]:
        """After which packet how many bytes in a row had been sent."""
        high, waiting, steps = 0, [], []
        for number, first, last in self.packets:
            waiting.append((first, last))
            for begin, end in sorted(waiting):
                high = max(high, end) if begin <= high + 1 else high
            waiting = [(begin, end) for begin, end in waiting if end > high]
            steps.append((high, number))
        return steps

    def complete_after(self, count: int) -> Optional[int]:
        """The packet after which so many bytes in a row had been sent."""
        return next((number for high, number in self.complete if high >= count), None)

    def first_with(self, byte: int) -> Optional[int]:
        """The first packet that carries this byte."""
        return next((n for n, first, last in self.packets if first <= byte <= last), None)


def end_text(address: str, port: int) -> str:
    """An end as strace writes it in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def read_packets(trace: Path) -> dict[Ends, Direction]:
    """Each direction of each connection and UDP flow, by sender and receiver."""
    directions: dict[Ends, Direction] = defaultdict(Direction)
    with PcapNgReader(str(trace)) as reader:
        for number, packet in enumerate(reader, 1):
            if TCP not in packet and UDP not in packet:
                continue
            ip = packet[IP if IP in packet else IPv6]
            transport = packet[TCP if TCP in packet else UDP]
            ends = (end_text(ip.src, transport.sport), end_text(ip.dst, transport.dport))
            if UDP in packet:
                payload = bytes(transport.payload)
                assert payload not in directions[ends].datagrams, "two datagrams are equal"
                directions[ends].datagrams[payload] = number
                continue
            header = 4 * transport.dataofs
            length = ip.len - 4 * ip.ihl - header if IP in packet else ip.plen - header
            directions[ends].add_segment(number, transport, length)
    return directions


# ---- The rows


@dataclass
class Rows:
    """What labcap tells, by pid and stamp (ns) of a call's beginning."""

    begin: dict[tuple[int, int], Json] = field(default_factory=dict)
    end: dict[tuple[int, int], Json] = field(default_factory=dict)
    ends: dict[int, Ends] = field(default_factory=dict)  # of flows: client, server

    def add(self, objects: Iterable[Json]) -> None:
        """Objects of `show --json`, with numbers kept exact."""
        start = Decimal(0)
        begun: dict[tuple[int, int], tuple[int, int]] = {}
        for one in objects:
            if one["type"] == "flow":
                start = one["start"]
                client, server = (
                    end_text(one[who]["address"], one[who]["port"]) for who in ("client", "server")
                )
                self.ends[one["flow"]] = (client, server)
            if one["type"] != "call":
                continue
            if one["part"] == "end":
                self.end[begun[one["call"], one["flow"]]] = one
                continue
            key = (one["pid"], int((start + one["time"]) * 10**9))
            begun[one["call"], one["flow"]] = key
            self.begin[key] = one
            if one["part"] == "whole":
                self.end[key] = one


# ---- Held against each other


@dataclass
class Checked:
    """Contradictions, and how many rows were compared."""

    directions: dict[Ends, Direction]
    rows: Rows
    wrong: list[str] = field(default_factory=list)
    sends: int = 0
    receives: int = 0
    opened: int = 0

    def check(self, condition: bool, what: str, call: Call) -> None:
        """Note a contradiction."""
        if not condition:
            self.wrong.append(f"{what}: {call}")

    def begins_before(self, call: Call, packet: Optional[int]) -> None:
        """A call that sent: its row stands before its first packet."""
        row = self.rows.begin.get((call.pid, call.begin_ns))
        self.check(row is not None, "a send has no row", call)
        if row is not None and packet is not None:
            self.sends += 1
            self.check(row["after"] < packet, f"packet {packet} stands before it", call)

    def ends_behind(self, call: Call, packet: Optional[int]) -> None:
        """A call that received: the row of its end stands behind what it got."""
        row = self.rows.end.get((call.pid, call.begin_ns))
        self.check(row is not None, "a receive has no row for its end", call)
        if row is not None and packet is not None:
            self.receives += 1
            self.check(row["after"] >= packet, f"packet {packet} stands behind its end", call)


def check_order(trace: Path, logs: Sequence[Path], objects: Iterable[Json]) -> Checked:
    """Hold the rows of `show --json --all` against a trace and its logs."""
    found = Checked(read_packets(trace), Rows())
    found.rows.add(objects)
    calls = list(read_calls(logs))
    for (own, other), of_one in _by_connection(calls).items():
        sent, received = found.directions.get((own, other)), found.directions.get((other, own))
        if sent is not None and received is not None:
            _check_sends(of_one, sent, found)
            _check_receives(of_one, received, found)
    _check_opened(calls, found)
    _check_datagrams(calls, found)
    _check_threads(calls, found)
    return found


def _by_connection(calls: Iterable[Call]) -> dict[Ends, list[Call]]:
    by_ends: dict[Ends, list[Call]] = defaultdict(list)
    for call in calls:
        ends = call.end_points()
        if ends is not None:
            by_ends[(_plain(ends[0]), _plain(ends[1]))].append(call)
    return by_ends


def _plain(end: str) -> str:
    """IPv4 in IPv6 as IPv4."""
    return end.replace("[::ffff:", "").replace("]", "") if "::ffff:" in end else end


def _check_sends(calls: list[Call], sent: Direction, found: Checked) -> None:
    given = 0
    for call in sorted(calls, key=lambda one: one.begin_ns):
        if call.name in SENDS and call.value > 0:
            found.begins_before(call, sent.first_with(given + 1))
            given += call.value


def _check_receives(calls: list[Call], received: Direction, found: Checked) -> None:
    taken = 0
    for call in sorted(calls, key=lambda one: one.end_ns):
        if call.name not in RECEIVES or call.value < 0:
            continue
        taken += call.value
        packet = received.complete_after(taken)
        if call.value == 0:
            packet = received.fin[0] if received.fin and received.fin[1] <= taken else None
        found.ends_behind(call, packet)


def _check_opened(calls: list[Call], found: Checked) -> None:
    """connect ends behind the SYN+ACK, accept behind the ACK that completes the handshake."""
    for call in calls:
        row = found.rows.end.get((call.pid, call.begin_ns))
        if row is None or call.value < 0 or not call.name.startswith(("connect", "accept")):
            continue
        client, server = found.rows.ends[row["flow"]]
        there, back = found.directions[client, server], found.directions[server, client]
        if not there.acks:
            continue  # UDP
        needed = back.syn if call.name == "connect" else there.acks[0]
        found.opened += 1
        found.check(row["after"] >= needed, f"packet {needed} stands behind its end", call)


def _check_datagrams(calls: list[Call], found: Checked) -> None:
    """By what they say."""
    for call in calls:
        row = found.rows.begin.get((call.pid, call.begin_ns))
        front = "iov_base=" if call.name.endswith("msg") else ">, "
        text = re.search(front + r'"((?:[^"\\]|\\.)*)"(?!\.\.\.)', call.arguments)
        if row is None or text is None or "<UDP" not in call.arguments.split(",")[0]:
            continue
        client, server = found.rows.ends[row["flow"]]
        ends = (client, server) if row["side"] == "client" else (server, client)
        payload = codecs.decode(text[1], "unicode_escape").encode("latin-1")
        if call.name in SENDS:
            found.begins_before(call, found.directions[ends].datagrams.get(payload))
        elif call.name in RECEIVES:
            found.ends_behind(call, found.directions[ends[::-1]].datagrams.get(payload))


def _check_threads(calls: list[Call], found: Checked) -> None:
    """A thread's rows stand in the order of its calls."""
    latest: dict[int, int] = {}
    for call in sorted(calls, key=lambda one: one.begin_ns):
        key = (call.pid, call.begin_ns)
        if key not in found.rows.begin:
            continue
        begin = found.rows.begin[key]["after"]
        found.check(begin >= latest.get(call.pid, 0), "it stands before an earlier one", call)
        latest[call.pid] = found.rows.end.get(key, found.rows.begin[key])["after"]
