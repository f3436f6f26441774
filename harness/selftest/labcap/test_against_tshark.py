"""The same traces read by tshark and by scapy, who must say the same.

Chosen so that the definitions coincide. Left out, because tshark means
something else by them: TCP in several VLANs (one stream for tshark), packets
recorded twice (retransmissions for tshark), IP lengths above the frame's
(clamped by tshark), holes filled late (out of order for tshark only within
3 ms, a retransmission after that), keep-alives without data, SYNs sent again
(retransmissions for tshark), a first acknowledgement whose number is 0 (a
duplicate for tshark) and a refusal (whose reset completes the handshake for
tshark, as it has the ACK flag).
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterable, NamedTuple

import pytest
from calls import Argument, ReadAll, ReadOne
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.utils import PcapReader
from trace_files import ETHERNET, write_pcap
from traces import CLIENT, SERVER, START_NS, Conversation, echo_conversation, ipv6_conversation

FLAGS = {
    "retransmission": "retransmitted_segments",
    "out_of_order": "out_of_order_segments",
    "duplicate_ack": "duplicate_acks",
    "zero_window": "zero_windows",
    "keep_alive": "keep_alives",
}
FIELDS = [
    "frame.number", "tcp.stream", "tcp.completeness", "tcp.srcport", "tcp.seq", "tcp.ack",
    "tcp.len", "tcp.flags", "tcp.seq_raw", *(f"tcp.analysis.{name}" for name in FLAGS),
]  # fmt: skip
FIN, SYN, RST, ACK = 1, 2, 4, 16
LATE = 300_000_000
SOON = 500_000


class Row(NamedTuple):
    """One packet as tshark sees it; sequence numbers are relative to the ISN."""

    number: int
    stream: int
    completeness: int
    source_port: int
    seq: int
    ack: int
    length: int
    flags: int
    seq_raw: int
    analysis: frozenset[str]


Tshark = Callable[[Path], list[Row]]


@pytest.fixture
def tshark(tmp_path: Path) -> Tshark:
    """Read a trace with tshark, in two passes and with nobody's preferences."""

    def read(path: Path) -> list[Row]:
        command: list[Argument] = ["tshark", "-2", "-r", path, "-Y", "tcp", "-T", "fields"]
        for name in FIELDS:
            command += ["-e", name]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        rows = []
        for line in done.stdout.splitlines():
            values = line.split("\t")
            numbers = [int(value or "0", 0) for value in values[:9]]
            marks = frozenset(name for name, value in zip(FLAGS, values[9:]) if value)
            rows.append(Row._make([*numbers, marks]))
        return rows

    return read


def ordinary() -> Conversation:
    """An echo, closed by the client."""
    return echo_conversation()


def over_ipv6() -> Conversation:
    """A conversation over IPv6 that wraps, closed by the server in three packets."""
    talk = ipv6_conversation(client_isn=2**32 - 500, server_isn=2**32 - 300).handshake()
    for _ in range(10):
        talk.client("A", b"x" * 100)
        talk.server("A")
        talk.server("PA", b"y" * 70)
        talk.client("A")
    talk.server("FA")
    talk.client("FA")
    talk.server("A")
    return talk


def retransmitted() -> Conversation:
    """A segment that comes again after a timeout."""
    talk = Conversation().handshake()
    talk.client("PA", b"x" * 100)
    talk.client("PA", b"x" * 100, seq=1, after_ns=LATE)
    talk.server("A")
    talk.close()
    return talk


def reordered() -> Conversation:
    """A segment overtaken by the next, half a millisecond before."""
    talk = Conversation(step_ns=20_000_000).handshake()
    talk.client("A", b"x" * 100)
    talk.client("A", b"x" * 100, seq=201, after_ns=SOON)
    talk.client("A", b"x" * 100, seq=101, after_ns=SOON)
    talk.sides[CLIENT].next = 301
    talk.server("A")
    talk.close()
    return talk


def duplicate_acks() -> Conversation:
    """A lost segment that three acknowledgements ask for."""
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("A")
    talk.lose(CLIENT, 100)
    for _ in range(4):
        talk.client("A", b"x" * 100)
        talk.server("A", ack=101)
    return talk


def closed_window() -> Conversation:
    """A receiver that lets nothing through, then opens."""
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("A", window=0)
    talk.server("A", window=3000)
    talk.client("A", b"x" * 100)
    talk.server("A")
    return talk


def kept_alive() -> Conversation:
    """A silent connection whose client asks whether anyone is there."""
    talk = Conversation().handshake()
    talk.client("A", b"hello")
    talk.server("A")
    for _ in range(3):
        talk.client("A", b"\0", seq=5, after_ns=10**9)
        talk.server("A")
    return talk


def refused() -> Conversation:
    """A SYN that is answered by a reset."""
    talk = Conversation()
    talk.client("S")
    talk.server("RA", seq=-2_000_000)
    return talk


def aborted() -> Conversation:
    """A reset in the middle of the data."""
    talk = Conversation().handshake()
    talk.client("PA", b"x" * 100)
    talk.server("A")
    talk.client("RA")
    return talk


def attempted() -> Conversation:
    """A SYN, sent three times."""
    talk = Conversation()
    for _ in range(3):
        talk.client("S", seq=0, after_ns=10**9)
    return talk


SCENARIOS = [
    ordinary, over_ipv6, retransmitted, reordered, duplicate_acks, closed_window, kept_alive,
    refused, aborted, attempted,
]  # fmt: skip


def union(intervals: Iterable[tuple[int, int]]) -> int:
    """How many numbers the half-open intervals cover."""
    total = reached = 0
    for first, last in sorted(intervals):
        total += max(0, last - max(first, reached))
        reached = max(reached, last)
    return total


def unique_bytes_by_tshark(rows: list[Row], port: int) -> int:
    """Unique payload bytes that a side sent, from ISN+1."""
    return union(
        (max(1, row.seq), row.seq + row.length)
        for row in rows
        if row.source_port == port and row.length and not row.flags & RST
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_tshark_sees_the_same(
    trace: Path, flow: ReadOne, tshark: Tshark, scenario: Callable[[], Conversation]
) -> None:
    talk = scenario()
    talk.write(trace)
    told, rows = flow(trace), tshark(trace)
    assert {row.stream for row in rows} == {0}
    for side, direction in ((CLIENT, "to_server"), (SERVER, "to_client")):
        port = told[side]["port"]
        sent = [row for row in rows if row.source_port == port]
        assert told[direction]["packets"] == len(sent)
        assert told[direction]["bytes"] == unique_bytes_by_tshark(rows, port)
        if scenario is not kept_alive:
            assert told[direction]["segments"] == sum(row.length > 0 for row in sent)
        for mark, key in FLAGS.items():
            marked = [row for row in sent if mark in row.analysis and not row.flags & SYN]
            assert told[direction][key] == len(marked), mark


@pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS if scenario is not refused],
    ids=lambda scenario: scenario.__name__,
)
def test_tshark_finds_the_same_parts_complete(
    trace: Path, flow: ReadOne, tshark: Tshark, scenario: Callable[[], Conversation]
) -> None:
    told = flow(scenario().write(trace))
    handshake, teardown = told["handshake"], told["teardown"]
    parts = [
        handshake["syn"] is not None,
        handshake["syn_ack"] is not None,
        handshake["complete"],
        told["to_server"]["bytes"] + told["to_client"]["bytes"] > 0,
        teardown["client_fin"] is not None or teardown["server_fin"] is not None,
        teardown["reset"] is not None,
    ]
    expected = sum(2**bit for bit, seen in enumerate(parts) if seen)
    assert {row.completeness for row in tshark(trace)} == {expected}


def test_completeness_of_an_echo_is_31(trace: Path, flow: ReadOne, tshark: Tshark) -> None:
    assert flow(ordinary().write(trace))["handshake"]["complete"] is True
    assert {row.completeness for row in tshark(trace)} == {31}


@pytest.mark.parametrize("scenario", [ordinary, over_ipv6], ids=lambda each: each.__name__)
def test_tshark_finds_the_steps_in_the_same_packets(
    trace: Path, flow: ReadOne, tshark: Tshark, scenario: Callable[[], Conversation]
) -> None:
    told, rows = flow(scenario().write(trace)), tshark(trace)
    handshake, teardown = told["handshake"], told["teardown"]
    by_number = {row.number: row for row in rows}
    assert by_number[handshake["syn"]].flags == SYN
    assert by_number[handshake["syn"]].seq_raw == handshake["client_isn"]
    assert by_number[handshake["syn_ack"]].flags == SYN | ACK
    assert by_number[handshake["syn_ack"]].seq_raw == handshake["server_isn"]
    assert by_number[handshake["syn_ack"]].ack == 1
    assert (by_number[handshake["ack"]].seq, by_number[handshake["ack"]].ack) == (1, 1)
    for side in (CLIENT, SERVER):
        fin = by_number[teardown[f"{side}_fin"]]
        acknowledged = by_number[teardown[f"{side}_fin_ack"]]
        assert fin.flags & FIN
        assert acknowledged.ack == fin.seq + fin.length + 1


def test_tshark_counts_as_many_connections(trace: Path, flows: ReadAll, tshark: Tshark) -> None:
    talk = Conversation().handshake()
    for port in (1, 2, 3):
        talk.then(client_port=port).handshake()
    talk.then(client_isn=77).handshake()
    told = flows(talk.write(trace))
    rows = tshark(trace)
    assert len(told) == len({row.stream for row in rows}) == 5
    firsts: dict[int, int] = {}
    for row in rows:
        firsts.setdefault(row.stream, row.number)
    assert [each["first_packet"] for each in told] == sorted(firsts.values())


def random_conversation(seed: int) -> Conversation:
    """Segments in any order, overlapping, lost, acknowledged, near the wrap or not."""
    dice = random.Random(seed)
    isns = [dice.choice([0, 2**32 - 1, 2**32 - 700, dice.getrandbits(32)]) for _ in range(2)]
    talk = Conversation(
        client_isn=isns[0], server_isn=isns[1], client_port=10_000 + seed, start_ns=START_NS + seed
    ).handshake()
    seen = {CLIENT: 1, SERVER: 1}
    for _ in range(60):
        sender, other = dice.sample([CLIENT, SERVER], 2)
        seq = max(1, seen[sender] + dice.choice([0, 0, 0, 100, 37, -37, -100, -250]))
        length = dice.choice([1, 40, 100, 100, 100, 300])
        talk.segment(sender, "A", bytes(length), seq=seq, ack=dice.randint(1, seen[other]))
        seen[sender] = max(seen[sender], seq + length)
    for sender, other in ((CLIENT, SERVER), (SERVER, CLIENT)):
        talk.segment(sender, "FA", seq=seen[sender], ack=seen[other])
    return talk


def scapy_counts(path: Path) -> dict[Any, tuple[int, int]]:
    """Unique and missing bytes of each sender, by nothing but scapy and sets."""
    numbers: dict[Any, set[int]] = {}
    acknowledged: dict[Any, int] = {}
    isns: dict[Any, int] = {}
    with PcapReader(str(path)) as reader:
        for packet in reader:
            ip = packet[IPv6] if IPv6 in packet else packet[IP]
            tcp = packet[TCP]
            here, there = (ip.src, tcp.sport, tcp.dport), (ip.dst, tcp.dport, tcp.sport)
            if "S" in tcp.flags:
                isns[here] = tcp.seq
            if "A" in tcp.flags and there in isns:
                told = (tcp.ack - isns[there]) % 2**32
                acknowledged[there] = max(acknowledged.get(there, 1), told)
            first = (tcp.seq - isns[here]) % 2**32
            numbers.setdefault(here, set()).update(range(first, first + len(tcp.payload)))
    return {
        sender: (len(seen), len(set(range(1, acknowledged.get(sender, 1))) - seen))
        for sender, seen in numbers.items()
    }


def test_random_conversations_count_as_tshark_and_scapy_count_them(
    trace: Path, flows: ReadAll, tshark: Tshark
) -> None:
    talks = [random_conversation(seed) for seed in range(24)]
    frames = [frame for talk in talks for frame in ETHERNET.frames(talk.packets)]
    write_pcap(trace, sorted(frames, key=lambda frame: frame.time_ns))
    told, rows, counts = flows(trace), tshark(trace), scapy_counts(trace)
    assert len(told) == len(talks) == len({row.stream for row in rows})
    for each in told:
        client, server = each["client"], each["server"]
        mine = [row for row in rows if row.stream == each["id"] - 1]
        for here, there, direction in (
            (client, server, "to_server"), (server, client, "to_client"),
        ):  # fmt: skip
            sender = (here["address"], here["port"], there["port"])
            seen = each[direction]
            assert (seen["bytes"], seen["missing_bytes"]) == counts[sender], sender
            assert seen["bytes"] == unique_bytes_by_tshark(mine, here["port"]), sender
            assert seen["packets"] == sum(row.source_port == here["port"] for row in mine)
