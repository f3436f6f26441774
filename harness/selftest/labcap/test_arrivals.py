"""Traces with two points: what became of each packet between being sent and arriving."""

from __future__ import annotations

import json
import random
import re
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from calls import COMMANDS, Json, Labcap, ReadAll, ReadOne, Survives, within_memory
from scapy.layers.inet import UDP
from trace_files import ETHERNET, SLL, SLL2, Frame, Link, write_pcap
from traces import (
    CLIENT,
    SERVER,
    START_NS,
    Conversation,
    echo_conversation,
    fragments_of,
    ipv6_conversation,
    port_unreachable,
)
from journeys import TwoPoints, all_well, link_with, mark, tag

FATES = ["arrived", "lost", "duplicated", "reordered", "corrupted"]
POINTS = [ETHERNET, SLL, SLL2]
MANY = 100_000
REMEMBERED = 2**18  # packets under way at once


def fates(told: Json, way: str = "to_server") -> list[Optional[int]]:
    """The counts of FATES one way."""
    return [told[way][fate] for fate in FATES]


def datagrams(count: int, **fields: Any) -> Conversation:
    """Datagrams of the client, each with its number as its content."""
    talk = Conversation(**fields)
    for number in range(1, count + 1):
        talk.datagram(CLIENT, f"{number}\n".encode())
    return talk


# ---- TCP and UDP, one journey each


JOURNEYS = {
    "all arrive": ("s1 a1 s2 a2 s3 a3", [3, 0, 0, 0, 0]),
    "one lost": ("s1 a1 s2 s3 a3", [2, 1, 0, 0, 0]),
    "all lost": ("s1 s2 s3", [0, 3, 0, 0, 0]),
    "one twice": ("s1 a1 s2 a2 a2 s3 a3", [3, 0, 1, 0, 0]),
    "one three times": ("s1 a1 s2 a2 s3 a2 a3 a2", [3, 0, 2, 0, 0]),
    "one behind the next": ("s1 s2 a2 a1 s3 a3", [3, 0, 0, 1, 0]),
    "one behind two": ("s1 s2 s3 a2 a3 a1", [3, 0, 0, 1, 0]),
    "two behind the last": ("s1 s2 s3 a3 a1 a2", [3, 0, 0, 2, 0]),
    "backwards": ("s1 s2 s3 a3 a2 a1", [3, 0, 0, 2, 0]),
    "a late copy is no reordered packet": ("s1 a1 s2 a2 a1 s3 a3", [3, 0, 1, 0, 0]),
    "late, but in order": ("s1 s2 s3 a1 a2 a3", [3, 0, 0, 0, 0]),
    "one damaged": ("s1 a1 s2 a2* s3 a3", [3, 0, 0, 0, 1]),
    "one damaged in both copies": ("s1 a1 s2 a2* a2* s3 a3", [3, 0, 1, 0, 1]),
    "of everything one": ("s1 s2 a2 a2 a1* s3", [2, 1, 1, 1, 1]),
}


@pytest.mark.parametrize("name", JOURNEYS)
@pytest.mark.parametrize("link", POINTS, ids=lambda link: link.name)
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_what_became_of_three_packets(
    trace: Path, flow: ReadOne, protocol: str, version: int, link: Link, name: str
) -> None:
    talk = ipv6_conversation() if version == 6 else Conversation()
    for number in (b"1", b"22", b"333"):
        if protocol == "tcp":
            talk.client("PA", number)
        else:
            talk.datagram(CLIENT, number)
    journey, right = JOURNEYS[name]
    told = flow(TwoPoints(link).go(talk, journey).write(trace))
    assert fates(told) == right
    assert fates(told, "to_client") == [0, 0, 0, 0, 0]
    assert told["to_server"]["bytes"] == 6


@pytest.mark.parametrize("flags", ["S", "A", "FA", "R"])
def test_damage_without_payload_is_seen_by_the_checksum(
    trace: Path, flow: ReadOne, flags: str
) -> None:
    talk = Conversation()
    talk.client(flags)
    assert fates(flow(TwoPoints().go(talk, "s1 a1*").write(trace))) == [1, 0, 0, 0, 1]
    assert fates(flow(TwoPoints().go(talk, "s1 a1").write(trace))) == [1, 0, 0, 0, 0]


def test_damage_behind_what_the_key_covers_is_seen_by_the_checksum(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation()
    talk.client("PA", bytes(500))
    packet = talk.packets[0].data
    points = TwoPoints()
    _, mac = points.sent(packet)
    points.arrives(packet[:300] + b"x" + packet[301:], mac)
    assert fates(flow(points.write(trace))) == [1, 0, 0, 0, 1]


def test_an_empty_datagram_without_checksum_is_never_damaged(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    for data in (b"", b"data"):
        packet = talk.udp_packet(CLIENT, data)
        packet[UDP].chksum = 0
        talk.add(packet)
    assert fates(flow(TwoPoints().go(talk, all_well(2)).write(trace))) == [2, 0, 0, 0, 0]


def test_each_direction_has_its_own_counts(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    for sender in (CLIENT, SERVER, CLIENT, SERVER, SERVER):
        talk.datagram(sender, b"x")
    told = flow(TwoPoints().go(talk, "s1 s2 a2 a2 a1 s3 a3 s4 s5 a5").write(trace))
    assert fates(told) == [2, 0, 0, 0, 0]
    assert fates(told, "to_client") == [2, 1, 1, 0, 0]


def test_the_longest_transit_is_of_a_first_arrival(trace: Path, flow: ReadOne) -> None:
    told = flow(TwoPoints().go(datagrams(3), "s1 +40 a1 s2 +7 a2 +500 a2 s3").write(trace))
    assert told["to_server"]["longest_transit"] == Decimal("0.040")
    assert told["to_client"]["longest_transit"] is None


def test_nothing_arrives(trace: Path, report: ReadAll) -> None:
    talk = echo_conversation()
    points = TwoPoints().go(talk, " ".join(f"s{n}" for n in range(1, 11)))
    told, capture = report(points.write(trace))
    assert fates(told) == [0, 5, 0, 0, 0]
    assert fates(told, "to_client") == [0, 5, 0, 0, 0]
    assert told["to_server"]["longest_transit"] is None
    assert capture["arrivals"] == 0


@pytest.fixture(scope="module")
def namesakes() -> tuple[bytes, bytes]:
    """Two datagrams of one length whose tags are the same."""

    def datagram(content: bytes) -> bytes:
        talk = Conversation()
        talk.datagram(CLIENT, content, ip={"id": 0})
        return talk.packets[0].data

    seen: dict[bytes, bytes] = {}
    head = datagram(bytes(2))[:-2]  # but for the checksum, of which the tag knows nothing
    for number in range(2**16):
        content = struct.pack("!H", number)
        other = seen.setdefault(tag(head + content, 1), content)
        if other != content:
            return datagram(other), datagram(content)
    raise AssertionError("65,536 datagrams with as many tags")


def test_a_damaged_packet_is_the_one_of_its_tag_that_has_not_arrived(
    trace: Path, flow: ReadOne, namesakes: tuple[bytes, bytes]
) -> None:
    points = TwoPoints().go(namesakes, "s1 s2 a2 a1*")
    assert fates(flow(points.write(trace))) == [2, 0, 0, 1, 1]


def test_damage_may_lead_to_the_same_key(
    trace: Path, flow: ReadOne, namesakes: tuple[bytes, bytes]
) -> None:
    """Then the checksum alone tells."""
    points = TwoPoints()
    right, other = namesakes
    _, mac = points.sent(right)
    points.arrives(right[:-2] + other[-2:], mac)
    assert fates(flow(points.write(trace))) == [1, 0, 0, 0, 1]


# ---- The analysis rests on what was sent


def test_arrivals_change_nothing_else_of_a_connection(tmp_path: Path, report: ReadAll) -> None:
    talk = echo_conversation()
    once, _ = report(talk.write(tmp_path / "once.pcap"))
    points = TwoPoints().go(talk, "s1 s2 a2 a1 a1 s3 s4 a4* s5 a5 s6 a6 s7 a7 s8 a8 s9 a9 s10 a10")
    twice, capture = report(points.write(tmp_path / "twice.pcap"))
    for way in ("to_server", "to_client"):
        for fate in (*FATES, "longest_transit"):
            del once[way][fate], twice[way][fate]
    for part in (once, twice):
        for gone in ("first_packet", "last_packet", "start", "duration"):
            del part[gone]
    numbers = points.numbers
    again = {0: None, **{n: numbers[f"s{n}"] for n in range(1, 11)}}
    for part in ("handshake", "teardown"):
        for name in ("syn", "syn_ack", "ack", "client_fin", "client_fin_ack", "server_fin",
                     "server_fin_ack"):
            if name in once[part]:
                once[part][name] = again[once[part][name]]
    assert twice == once
    assert capture["packets"] == len(points.frames)
    assert capture["decoded"] == 10
    assert capture["arrivals"] == 10
    assert capture["skipped"] == {
        "not_ip": 1, "fragment": 0, "cut": 0, "malformed": 0, "duplicates": 0
    }


def test_an_arrival_within_a_millisecond_is_no_duplicate_of_the_capture(
    trace: Path, report: ReadAll
) -> None:
    points = TwoPoints().go(echo_conversation(), all_well(10))
    points.frames = [Frame(frame.data, START_NS + n) for n, frame in enumerate(points.frames)]
    told, capture = report(points.write(trace))
    assert capture["skipped"]["duplicates"] == 0
    assert fates(told) == [5, 0, 0, 0, 0]


def test_a_retransmission_arrives_on_its_own(trace: Path, flow: ReadOne) -> None:
    """The first sending is lost and not the second, though they differ in their IP id only."""
    talk = Conversation().handshake()
    talk.client("PA", b"again")
    talk.client("PA", b"again", seq=1)
    told = flow(TwoPoints().go(talk, "s1 a1 s2 a2 s3 a3 s4 s5 a5").write(trace))
    assert fates(told) == [3, 1, 0, 0, 0]
    assert told["to_server"]["retransmitted_segments"] == 1


def test_the_same_ports_again_are_another_connection(trace: Path, flows: ReadAll) -> None:
    """The first one's last packet arrives when the second one is there already."""
    first = Conversation().handshake()
    first.client("R")
    second = first.then(client_isn=77).handshake()
    told = flows(TwoPoints().go(second, "s1 a1 s2 a2 s3 a3 s4 s5 a5 a4 s6 s7 a7").write(trace))
    assert [fates(each) for each in told] == [[3, 0, 0, 0, 0], [2, 0, 0, 0, 0]]
    assert [fates(each, "to_client") for each in told] == [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]


def test_news_of_a_closed_port_are_no_datagrams(trace: Path, flow: ReadOne) -> None:
    talk = datagrams(1)
    talk.add(port_unreachable(talk.packets[0].data))
    told = flow(TwoPoints().go(talk, "s1 a1 s2 a2 a2").write(trace))
    assert fates(told) == [1, 0, 0, 0, 0]
    assert fates(told, "to_client") == [0, 0, 0, 0, 0]
    assert told["unreachable"]["packet"] == 4


# ---- Datagrams of one content, and of many fragments


def alike(version: int, count: int) -> Conversation:
    """Datagrams that do not differ in a single bit."""
    talk = ipv6_conversation() if version == 6 else Conversation()
    for _ in range(count):
        talk.datagram(CLIENT, b"", ip={} if version == 6 else {"id": 0})
    assert len({frame.data for frame in talk.packets}) == 1
    return talk


@pytest.mark.parametrize("version", [4, 6])
def test_identical_datagrams_are_told_apart(
    trace: Path, flow: ReadOne, labcap: Labcap, version: int
) -> None:
    """The second of three is lost, the first is late."""
    points = TwoPoints().go(alike(version, 3), "s1 s2 s3 a3 +80 a1").write(trace)
    told = flow(points)
    assert fates(told) == [2, 1, 0, 1, 0]
    assert told["to_server"]["longest_transit"] == Decimal("0.083")
    done = labcap("check", trace, "to_server.lost=0", "to_server.reordered=0")
    assert [re.findall(r"packet \d+", line) for line in done.stdout.splitlines()] == [
        ["packet 3"], ["packet 2"],
    ]  # fmt: skip


def test_ordinals_begin_again_after_65535(trace: Path, flow: ReadOne) -> None:
    """In windows of 100: the first 50 arrive, the others do not."""
    packet = alike(4, 1).packets[0].data
    points = TwoPoints()
    sent = []
    for number in range(1, 65_701):
        points.put(ETHERNET.wrap(packet))
        sent.append(tag(packet, number))
        if number % 100 == 0:
            for mac in sent[:50]:
                points.arrives(packet, mac)
            sent.clear()
    assert fates(flow(points.write(trace))) == [32_850, 32_850, 0, 0, 0]


def test_the_count_may_have_begun_before_the_recording(trace: Path, report: ReadAll) -> None:
    packet = alike(6, 1).packets[0].data
    points = TwoPoints()
    for number in (8, 9):
        points.put(ETHERNET.wrap(packet))
        points.arrives(packet, tag(packet, number))
    told, capture = report(points.write(trace))
    assert fates(told) == [2, 0, 0, 0, 0]
    assert capture["arrivals"] == 2


FRAGMENTED = {
    "whole": ("s1 s2 s3 a1 a2 a3", [1, 0, 0, 0, 0], 5),
    "each at once": ("s1 a1 s2 a2 s3 a3", [1, 0, 0, 0, 0], 5),
    "among themselves in another order": ("s1 s2 s3 a3 a1 a2", [1, 0, 0, 0, 0], 5),
    "the first one lost": ("s1 s2 a2 s3 a3", [0, 1, 0, 0, 0], None),
    "a later one lost": ("s1 a1 s2 s3 a3", [0, 1, 0, 0, 0], None),
    "the last one lost": ("s1 a1 s2 a2 s3", [0, 1, 0, 0, 0], None),
    "all lost": ("s1 s2 s3", [0, 1, 0, 0, 0], None),
    "each twice": ("s1 a1 a1 s2 a2 a2 s3 a3 a3", [1, 0, 1, 0, 0], 7),
    "all, and all again": ("s1 a1 s2 a2 s3 a3 a1 a2 a3", [1, 0, 1, 0, 0], 5),
    "a later one twice": ("s1 a1 s2 a2 a2 s3 a3", [1, 0, 0, 0, 0], 6),
    "damaged": ("s1 a1* s2 a2 s3 a3", [1, 0, 0, 0, 1], 5),
    "damaged and then lost": ("s1 a1* s2 a2 s3", [0, 1, 0, 0, 0], None),
}


def damaged_fragment(packet: bytes) -> bytes:
    """The first fragment with its first octet of payload inverted."""
    at = 20 + 8 if packet[0] >> 4 == 4 else 40 + 8 + 8
    return packet[:at] + bytes([packet[at] ^ 0xFF]) + packet[at + 1 :]


@pytest.mark.parametrize("name", FRAGMENTED)
@pytest.mark.parametrize("version", [4, 6])
def test_a_fragmented_datagram_has_arrived_when_all_its_fragments_have(
    monkeypatch: pytest.MonkeyPatch, trace: Path, flow: ReadOne, version: int, name: str
) -> None:
    monkeypatch.setattr("journeys.damaged", damaged_fragment)
    talk = ipv6_conversation() if version == 6 else Conversation()
    for piece in fragments_of(talk.udp_packet(CLIENT, bytes(3000)), 1400):
        talk.add(piece)
    assert len(talk.packets) == 3
    journey, right, longest_ms = FRAGMENTED[name]
    told = flow(TwoPoints().go(talk, journey).write(trace))
    assert fates(told) == right
    longest = None if longest_ms is None else Decimal(longest_ms) / 1000
    assert told["to_server"]["longest_transit"] == longest
    assert told["to_server"]["sizes"] == [3000]


def test_datagrams_are_reordered_as_wholes(trace: Path, flow: ReadOne) -> None:
    """A datagram of one packet arrives between the two fragments of the one before."""
    talk = Conversation()
    for piece in fragments_of(talk.udp_packet(CLIENT, bytes(2000)), 1400):
        talk.add(piece)
    talk.datagram(CLIENT, b"small")
    told = flow(TwoPoints().go(talk, "s1 s2 s3 a1 a3 a2").write(trace))
    assert fates(told) == [2, 0, 0, 1, 0]


def test_a_datagram_that_was_not_sent_whole_has_no_fate(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    for piece in fragments_of(talk.udp_packet(CLIENT, bytes(3000)), 1400)[:2]:
        talk.add(piece)
    told = flow(TwoPoints().go(talk, all_well(2)).write(trace))
    assert told["to_server"]["incomplete"] == 1
    assert fates(told) == [0, 0, 0, 0, 0]


# ---- Which traces have two points


def test_a_trace_with_one_point_says_null(trace: Path, report: ReadAll) -> None:
    told, capture = report(echo_conversation().write(trace))
    for way in ("to_server", "to_client"):
        assert fates(told, way) == [None] * 5
        assert told[way]["longest_transit"] is None
    assert capture["arrivals"] is None


def test_the_mark_alone_makes_two_points(trace: Path, report: ReadAll, labcap: Labcap) -> None:
    [capture] = report(TwoPoints().write(trace))
    assert (capture["packets"], capture["arrivals"]) == (1, 0)
    assert labcap("flows", trace).stdout.splitlines()[-1] == "0 packets"
    assert labcap("show", trace).returncode == 0


def test_an_arrival_that_proves_itself_does_so_too(trace: Path, report: ReadAll) -> None:
    """As in a trace from which the mark was left out; the first packets are all lost."""
    points = TwoPoints(marked=False).go(datagrams(40), " ".join(f"s{n}" for n in range(1, 31)))
    points.go(datagrams(4, client_port=5), "s1 a1 s2 s3 a3 s4 a4*")
    first, second, capture = report(points.write(trace))
    assert fates(first) == [0, 30, 0, 0, 0]
    assert fates(second) == [3, 1, 0, 0, 1]
    assert capture["arrivals"] == 3


@pytest.mark.parametrize("before", [3, 3000])
def test_what_was_sent_before_the_wire_was_there_is_not_lost(
    trace: Path, report: ReadAll, labcap: Labcap, before: int
) -> None:
    talk = datagrams(before)
    points = TwoPoints(marked=False)
    for frame in talk.packets:
        points.put(ETHERNET.wrap(frame.data))
    points.put(mark(ETHERNET))
    points.go(datagrams(2, client_port=39870), "s1 s2 a2")
    told, capture = report(points.write(trace))
    assert told["to_server"]["datagrams"] == before + 2
    assert fates(told) == [1, 1, 0, 0, 0]
    assert capture["arrivals"] == 1
    text = labcap("show", "--ascii", trace).stdout
    assert text.count("x lost") == 1
    assert "Of 2 datagrams to the server 1 was lost." in " ".join(text.split())


def test_each_wire_counts_for_itself(trace: Path, flow: ReadOne) -> None:
    """A second mark: what is under way then arrives no more, and ordinals begin again."""
    points = TwoPoints().go(alike(4, 2), "s1 s2 a2")
    again = TwoPoints().go(alike(4, 2), "s1 a1 s2 a2 a2")
    points.frames += again.frames
    assert fates(flow(points.write(trace))) == [3, 1, 1, 0, 0]


def test_a_host_whose_address_looks_like_a_tag_is_a_host(trace: Path, flow: ReadOne) -> None:
    talk = echo_conversation()
    link = link_with(ETHERNET, b"\x6e\x65\x00\x00\x00\x01")
    told = flow(talk.write(trace, link))
    assert told["to_server"]["packets"] == 5
    assert fates(told) == [None] * 5


def test_a_frame_of_the_marks_type_alone_is_no_mark(trace: Path, report: ReadAll) -> None:
    frames = [mark(ETHERNET).replace(b"labwire\n", b"labwirf\n"), mark(ETHERNET)[:18],
              mark(ETHERNET).replace(b"\x6e\x65\0\0\0\0", b"\x6e\x65\0\0\0\1")]
    write_pcap(trace, [Frame(frame, START_NS) for frame in frames])
    [capture] = report(trace)
    assert capture["arrivals"] is None
    assert capture["skipped"]["not_ip"] == 3


def test_standard_input_gives_the_same(trace: Path, labcap: Labcap) -> None:
    points = TwoPoints().go(echo_conversation(), "s1 s2 a2 a1 s3 a3 a3 s4 s5 a5*")
    path = points.write(trace)
    for command in (["flows"], ["check"]):
        extra = ["to_server.lost=1"] if command == ["check"] else []
        with path.open("rb") as stdin:
            piped = labcap(*command, "-", *extra, stdin=stdin)
        assert (piped.stdout, piped.returncode) == (labcap(*command, path, *extra).stdout, 0)


# ---- FILTER chooses among what was sent


@pytest.mark.parametrize(
    "chosen",
    [
        "udp",
        "udp and not ether proto 0x88b5",
        "not ether src 6e:65:00:00:00:00",
        "ether src 02:00:00:00:00:01",  # hides every arrival
        "udp port 4321 and ether src 02:00:00:00:00:01",
    ],
)
def test_a_filter_hides_no_arrival_of_what_it_chooses(
    trace: Path, report: ReadAll, chosen: str
) -> None:
    points = TwoPoints().go(datagrams(4), "s1 a1 s2 s3 a3 a3 s4 a4*")
    told, capture = report(points.write(trace), chosen)
    assert fates(told) == [3, 1, 1, 0, 1]
    assert capture["arrivals"] == 4
    assert capture["packets"] == 8
    assert capture["decoded"] == 4


def test_a_filter_leaves_out_the_arrivals_of_what_it_leaves_out(
    trace: Path, report: ReadAll
) -> None:
    one, two = datagrams(2, client_port=1), datagrams(2, client_port=2)
    packets = [frame.data for talk in (one, two) for frame in talk.packets]
    points = TwoPoints().go(packets, "s1 s3 a3 a1 s2 s4 a4 a4")
    told, capture = report(points.write(trace), "udp src port 2")
    assert fates(told) == [2, 0, 1, 0, 0]
    assert (capture["packets"], capture["arrivals"]) == (5, 3)


def test_a_filter_that_hides_what_was_sent_leaves_nothing(trace: Path, report: ReadAll) -> None:
    points = TwoPoints().go(datagrams(2), all_well(2))
    [capture] = report(points.write(trace), "ether[6:2] = 0x6e65")
    assert (capture["packets"], capture["decoded"], capture["arrivals"]) == (1, 0, 0)


def test_identical_datagrams_are_counted_before_the_filter(trace: Path, flow: ReadOne) -> None:
    """The filter leaves the second one of two out; its arrival is not the first one's."""
    points = TwoPoints().go(alike(4, 2), "s1 s2 a2")
    frame = points.frames[2]
    points.frames[2] = Frame(frame.data[:6] + b"\x02\0\0\0\0\x09" + frame.data[12:], frame.time_ns)
    told = flow(points.write(trace), "not ether src 02:00:00:00:00:09")
    assert fates(told) == [0, 1, 0, 0, 0]


# ---- flows and check, as people read them


def test_flows_says_it_in_a_line_under_the_row(trace: Path, labcap: Labcap) -> None:
    points = TwoPoints().go(echo_conversation(), "s1 s2 a2 a1 s3 a3 a3 s4 s5 a5* s6 s7 s8 s9 s10")
    lines = labcap("flows", points.write(trace)).stdout.splitlines()
    assert lines[2:] == [
        "    to server: 2 of 5 arrived, 3 lost, 1 duplicated",
        "    to client: 2 of 5 arrived, 3 lost, 1 damaged",
        "15 packets, 5 of them arrivals",
    ]


def test_short_lines_are_one(trace: Path, labcap: Labcap) -> None:
    points = TwoPoints().go(echo_conversation(), all_well(10))
    lines = labcap("flows", points.write(trace)).stdout.splitlines()
    assert lines[2] == "    to server: 5 of 5 arrived; to client: 5 of 5 arrived"


def test_a_direction_without_packets_is_not_spoken_of(trace: Path, labcap: Labcap) -> None:
    lines = labcap("flows", TwoPoints().go(datagrams(2), "s1 s2 a2").write(trace)).stdout
    assert lines.splitlines()[2] == "    to server: 1 of 2 arrived, 1 lost"


def test_check_takes_the_keys(trace: Path, labcap: Labcap) -> None:
    points = TwoPoints().go(datagrams(4), "s1 +40 a1 s2 s3 s4 a4 a4 a3*").write(trace)
    met = ["to_server.arrived=3", "to_server.lost<=1", "to_server.duplicated>=1",
           "to_server.reordered=1", "to_server.corrupted=1", "arrivals=4",
           "to_server.longest_transit=0.04", "to_client.longest_transit=null"]  # fmt: skip
    done = labcap("check", points, *met)
    assert (done.returncode, done.stdout.count("NOT")) == (0, 0)
    done = labcap("check", points, "to_server.lost=0", "to_server.duplicated=0", "arrivals=null")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "NOT met: to_server.lost=0: was 1 (packet 4)",
        "NOT met: to_server.duplicated=0: was 1 (packet 6)",
        "NOT met: arrivals=null: was 4",
    ]


def test_check_says_null_where_there_is_one_point(trace: Path, labcap: Labcap) -> None:
    done = labcap("check", echo_conversation().write(trace), "to_server.lost=0")
    assert done.stdout == "NOT met: to_server.lost=0: was null (packets 1 to 10)\n"


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("to_server.lots=1", "to_server.lost"), ("to_client.duplicate=1", "to_client.duplicated"),
     ("arrival=1", "arrivals"), ("to_server.longest_transitt=1", "to_server.longest_transit")],
)  # fmt: skip
def test_the_nearest_key_is_named(
    trace: Path, labcap: Labcap, wrong: str, nearest: str
) -> None:
    done = labcap("check", echo_conversation().write(trace), wrong)
    assert done.returncode == 2
    assert f"the nearest is {nearest}\n" in done.stderr


# ---- Traces that lie


def test_an_arrival_that_was_never_sent_cannot_be_trusted(trace: Path, labcap: Labcap) -> None:
    points = TwoPoints().go(datagrams(1), "s1 a1")
    stray = datagrams(1, client_port=9).packets[0].data
    number = points.arrives(stray, tag(stray, 1))
    done = labcap("flows", points.write(trace))
    assert done.returncode == 3
    assert done.stderr == (
        f"labcap: {trace}: packet {number}: arrived, but was never sent in this trace "
        "(1 in all)\n"
    )


def test_a_stray_that_the_filter_leaves_out_is_no_matter(trace: Path, labcap: Labcap) -> None:
    points = TwoPoints().go(datagrams(1), "s1 a1")
    stray = datagrams(1, client_port=9).packets[0].data
    points.arrives(stray, tag(stray, 1))
    done = labcap("flows", points.write(trace), "udp port 39870")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_hosts_own_messages_may_arrive_out_of_nothing(trace: Path, labcap: Labcap) -> None:
    """As a router solicitation does that was sent before the recording began."""
    points = TwoPoints().go(datagrams(1), "s1 a1")
    news = bytes(port_unreachable(datagrams(1, client_port=9).packets[0].data))
    points.arrives(news, tag(news, 1))
    assert labcap("flows", points.write(trace)).returncode == 0


def flood(make: Callable[[TwoPoints, bytes], None]) -> TwoPoints:
    """Two datagrams that arrive, between them what `make` adds of a third."""
    points = TwoPoints().go(datagrams(1), "s1 a1")
    third = Conversation(client_port=7)
    third.datagram(CLIENT, b"data", ip={"id": 0})
    make(points, third.packets[0].data)
    return points.go(datagrams(1, client_port=8), "s1 a1")


def one_arrives_for_ever(points: TwoPoints, packet: bytes) -> None:
    """A single packet, MANY arrivals."""
    _, mac = points.sent(packet)
    for _ in range(MANY):
        points.arrives(packet, mac)


def tags_of_nothing(points: TwoPoints, packet: bytes) -> None:
    """MANY tags drawn by lot."""
    dice = random.Random(1)
    for _ in range(MANY):
        points.arrives(packet, b"\x6e\x65" + dice.getrandbits(32).to_bytes(4, "big"))


def ordinals_that_jump(points: TwoPoints, packet: bytes) -> None:
    """MANY sendings of one packet, and tags of its key that count anyhow."""
    dice = random.Random(2)
    for _ in range(MANY // 2):
        points.put(ETHERNET.wrap(packet))
        points.arrives(packet, tag(packet, 0)[:4] + dice.getrandbits(16).to_bytes(2, "big"))


def damaged_ones_of_many_alike(points: TwoPoints, packet: bytes) -> None:
    """One packet is sent for ever, then two of them arrive damaged for ever, and one of none."""
    for _ in range(MANY // 2):
        points.put(ETHERNET.wrap(packet))
    for ordinal in range(MANY // 2):
        points.arrives(packet[:-1] + b"?", tag(packet, ordinal % 3))


def more_than_is_remembered(points: TwoPoints, packet: bytes) -> None:
    """Packets that differ, none of which arrives, then an arrival of the first one."""
    _, mac = points.sent(packet)
    for number in range(REMEMBERED + 1):
        points.put(ETHERNET.wrap(packet[:-4] + struct.pack("!I", number)))
    points.arrives(packet, mac)


FLOODS = [one_arrives_for_ever, tags_of_nothing, ordinals_that_jump, damaged_ones_of_many_alike,
          more_than_is_remembered]  # fmt: skip


@pytest.mark.parametrize("make", FLOODS, ids=lambda make: make.__name__)
def test_a_flood_costs_neither_time_nor_memory(
    trace: Path, labcap_binary: Path, make: Callable[[TwoPoints, bytes], None]
) -> None:
    points = flood(make)
    done = within_memory(labcap_binary, "flows", "--json", points.write(trace))
    told = [json.loads(line) for line in done.stdout.splitlines()]
    strays = make in (tags_of_nothing, damaged_ones_of_many_alike, more_than_is_remembered)
    assert done.returncode == (3 if strays else 0), done.stderr
    assert told[-1]["packets"] == len(points.frames)
    assert [fates(told[n]) for n in (0, -2)] == [[1, 0, 0, 0, 0]] * 2


def test_an_arrival_for_ever_is_counted(trace: Path, flows: ReadAll) -> None:
    told = flows(flood(one_arrives_for_ever).write(trace))
    assert fates(told[1]) == [1, 0, MANY - 1, 0, 0]


def test_what_is_forgotten_is_lost(trace: Path, flows: ReadAll) -> None:
    told = flows(flood(more_than_is_remembered).write(trace), status=3)
    assert fates(told[1]) == [0, REMEMBERED + 2, 0, 0, 0]


def everything() -> TwoPoints:
    """TCP, UDP, fragments and ICMP; lost, doubled, late and damaged."""
    talk = echo_conversation()
    talk.add(port_unreachable(talk.packets[0].data))
    six = ipv6_conversation()
    for piece in fragments_of(six.udp_packet(CLIENT, bytes(300)), 104):
        six.add(piece)
    four = Conversation(client_port=5)
    for piece in fragments_of(four.udp_packet(SERVER, bytes(300)), 104):
        four.add(piece)
    packets = [frame.data for each in (talk, six, four) for frame in each.packets]
    return TwoPoints().go(
        packets,
        "s1 s2 a2 a1 s3 a3* s4 a4 a4 s5 a5 s6 s7 a7 s8 a8 s9 a9 s10 a10 s11 a11 "
        "s12 a12 s13 a13 s14 a14 s15 s16 a16 s17 a17 a17 a15",
    )


@pytest.mark.parametrize("seed", range(6))
def test_points_changed_at_random(trace: Path, survives: Survives, seed: int) -> None:
    dice = random.Random(seed)
    whole = everything().frames
    for _ in range(8):
        frames = []
        for frame in whole:
            data = bytearray(frame.data)
            for _ in range(dice.choice([0, 0, 1, 3])):
                anywhere = dice.randrange(len(data))
                data[dice.choice([anywhere, dice.randrange(6, 34)])] = dice.getrandbits(8)
            frames.append(Frame(bytes(data), frame.time_ns))
        if dice.getrandbits(1):
            dice.shuffle(frames)
        snaplen = max(len(frame.data) for frame in frames)
        told = survives(write_pcap(trace, frames, snaplen=snaplen), [dice.choice(COMMANDS)])
        assert told == [] or told[-1]["packets"] == len(frames)


@pytest.mark.parametrize("length", range(0, 120, 3))
def test_points_cut_at_any_length(trace: Path, survives: Survives, length: int) -> None:
    frames = [frame.cut(length) for frame in everything().frames]
    survives(write_pcap(trace, frames, snaplen=max(length, 1)))


def test_a_snap_length_that_keeps_the_key_changes_nothing(
    tmp_path: Path, report: ReadAll
) -> None:
    talk = Conversation().handshake()
    for number in range(3):
        talk.client("PA", bytes([number]) * 1000)
    points = TwoPoints().go(talk, "s1 a1 s2 a2 s3 a3 s4 a4 a4 s5 s6 a6*")
    whole = report(points.write(tmp_path / "whole.pcap"))
    short = report(write_pcap(tmp_path / "short.pcap", points.frames, snaplen=14 + 96))
    assert short[:-1] == whole[:-1]
    assert fates(whole[0]) == [4, 1, 1, 0, 1]
