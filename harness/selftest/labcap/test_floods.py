"""A great many connections, holes and fragments: never unbounded memory or time."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from calls import COMMANDS, DEADLINE, Labcap, ReadOne, Survives, within_memory
from scapy.layers.inet import UDP
from trace_files import RAW, Frame, write_pcap
from traces import START_NS, Conversation, fragment_bytes

MANY = 20_000
FIRST_BYTE = 1_000_001


def stamped(data: bytes, number: int, *changes: tuple[int, bytes]) -> Frame:
    """A copy of a packet with other bytes at the offsets given, a microsecond each."""
    copy = bytearray(data)
    for offset, field in changes:
        copy[offset : offset + len(field)] = field
    return Frame(bytes(copy), START_NS + number * 1000)


def syn_flood() -> list[Frame]:
    """SYNs from as many ports and addresses."""
    talk = Conversation()
    talk.client("S")
    syn = talk.packets[0].data
    return [
        stamped(syn, n, (14, struct.pack("!H", n >> 8)), (20, struct.pack("!H", 1 + n % 65535)))
        for n in range(MANY)
    ]


def holes(step: int) -> list[Frame]:
    """One connection's bytes, every other one missing; step -1: from the last to the first."""
    talk = Conversation().handshake()
    talk.client("A", b"x")
    *opening, data = (frame.data for frame in talk.packets)
    frames = [stamped(packet, number) for number, packet in enumerate(opening)]
    for number, place in enumerate(range(MANY)[::step]):
        ip_id = struct.pack("!H", 1 + number)
        sequence = struct.pack("!I", FIRST_BYTE + 2 * place)
        frames.append(stamped(data, 10 + number, (4, ip_id), (24, sequence)))
    return frames


def unfinished_fragments() -> list[Frame]:
    """First fragments whose others never come."""
    first = fragment_bytes(1, 0, 1, bytes(UDP(sport=1, dport=2, len=60_000)) + bytes(1000), 4)
    return [
        stamped(first, n, (4, struct.pack("!H", n)), (14, struct.pack("!H", n)))
        for n in range(MANY)
    ]


def two_connections_at_every_syn() -> list[Frame]:
    """The same ports over and over, each SYN with another ISN."""
    talk = Conversation()
    talk.client("S")
    return [stamped(talk.packets[0].data, n, (24, struct.pack("!I", n))) for n in range(MANY)]


FLOODS = {
    "20,000 connections": syn_flood,
    "20,000 holes": lambda: holes(1),
    "20,000 holes backwards": lambda: holes(-1),
    "20,000 unfinished datagrams": unfinished_fragments,
    "20,000 SYNs on the same ports": two_connections_at_every_syn,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_stays_within_memory(
    trace: Path, labcap_binary: Path, survives: Survives, flood: str
) -> None:
    write_pcap(trace, FLOODS[flood](), RAW.linktype)
    done = within_memory(labcap_binary, "flows", "--json", trace)
    assert (done.returncode, done.stderr) == (0, "")
    told = survives(trace, COMMANDS[:1])
    assert told == [json.loads(line) for line in done.stdout.splitlines()]
    assert told[-1]["packets"] >= MANY


def test_a_flood_of_connections_is_counted(trace: Path, labcap: Labcap) -> None:
    write_pcap(trace, syn_flood(), RAW.linktype)
    done = labcap("check", trace, f"connections={MANY}", timeout=DEADLINE)
    assert done.returncode == 0


def test_every_hole_of_a_flood_is_counted(trace: Path, flow: ReadOne) -> None:
    write_pcap(trace, holes(-1), RAW.linktype)
    told = flow(trace)
    assert told["to_server"]["bytes"] == MANY
