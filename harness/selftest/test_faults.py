"""A disturbed network does exactly what its rules say, and the trace shows both ends of it.

What programs get is checked with plain sockets, what was on the wire with scapy.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from scapy.utils import RawPcapNgReader

import two_points
from disturbed import (
    CLIENT_PORT, DATAGRAMS, LATE, LOOPBACK, PLACES, PORT, RULES, TCP_PORT, Disturbed, Labs, Place,
    bound, each_action, everywhere, finish, on_loopbacks, read_all, send_all, send_datagrams,
    send_segments, tcp_pair, to_server_with_data, udp_pair, waiting,
)
from labkit.feedback import HarnessError
from labkit.labwire import Change, Labwire
from labkit.scenario import faults
from labkit.standstill import packets_queue
from two_points import KINDS, Record, TwoPoints
from workbench import World

SLEW = 0.5
"""Milliseconds by which the wall clock, of the trace, may lag behind while it is adjusted."""
STREAM = 16 << 20
"""Bytes of a stream."""
BIG = 65_507
"""Bytes of the largest datagram that IPv4 carries: 45 fragments at MTU 1500."""


def milliseconds(sent: Record, arrived: Record) -> float:
    return (arrived.nanoseconds - sent.nanoseconds) / 1e6


def expect_fates(
    trace: TwoPoints, action: str, changed: Callable[[int], bool],
    counts: Callable[[Any], bool],
) -> None:
    """ACTION was done to those of the sendings that COUNTS whose ordinal was to be CHANGED.

    All others arrived once, as they were sent, with the right checksum.
    """
    wanted = {"drop": 0, "duplicate": 2}.get(action, 1)
    for sent, arrived, ordinal in zip(trace.sent, two_points.fates(trace),
                                      two_points.ordinals(trace, counts)):
        hit = ordinal > 0 and changed(ordinal)
        assert len(arrived) == (wanted if hit else 1), (ordinal, sent)
        for record in arrived:
            expect_arrival(sent, record, action if hit else "")


def expect_arrival(sent: Record, arrived: Record, action: str) -> None:
    right = two_points.with_right_checksum(sent.data)
    changed = [(at, a ^ b) for at, (a, b) in enumerate(zip(right, arrived.data)) if a != b]
    assert len(right) == len(arrived.data)
    payload = two_points.payload_size(sent.ip)
    if action != "corrupt":
        assert changed == []
    elif payload:
        assert changed == [(len(right) - payload, 0xFF)]
    else:
        assert [difference for _, difference in changed] == [0xFF]
    if action == "delay":
        assert milliseconds(sent, arrived) >= LATE - SLEW


# -- Each action --------------------------------------------------------------

UDP_RESULT = {"drop": [b"one", b"three", b"four"],
              "duplicate": [b"one", b"two", b"two", b"three", b"four"],
              "reorder": [b"one", b"three", b"two", b"four"],
              "corrupt": [b"one", b"three", b"four"]}


@each_action
@everywhere
def test_a_datagram_is_treated_as_the_rule_says(labs: Labs, place: Place, action: str) -> None:
    lab = labs(place, f"{RULES[action]} udp to {PORT} 2")
    received = send_datagrams(lab, place)
    trace = two_points.read(lab.trace)
    assert two_points.payloads(trace.sent) == DATAGRAMS
    expect_fates(trace, action, lambda n: n == 2, KINDS["udp"])
    if action == "delay":
        assert sorted(received) == sorted(DATAGRAMS)
        assert received == two_points.payloads(trace.arrived)
    else:
        assert received == UDP_RESULT[action]
    brackets = "[{}]:{}" if place.family == socket.AF_INET6 else "{}:{}"
    assert lab.changes == [Change(1, action, 2, "udp", brackets.format(place.client, CLIENT_PORT),
                                  brackets.format(place.server, PORT), 3)]
    assert set(trace.rules) == {f"labwire\n{RULES[action]} udp to {PORT} 2\n".encode()}


@each_action
@everywhere
def test_a_segment_is_treated_so_and_tcp_mends_it(labs: Labs, place: Place, action: str) -> None:
    lab = labs(place, f"{RULES[action]} data to {TCP_PORT} 2")
    send_segments(lab, place)
    trace = two_points.read(lab.trace)
    expect_fates(trace, action, lambda n: n == 2, to_server_with_data)
    assert [(c.action, c.ordinal, c.protocol, c.size) for c in lab.changes] == [
        (action, 2, "tcp", 3)]
    if action == "reorder":
        second = two_points.ordinals(trace, to_server_with_data).index(2)
        overtaker = next(n for n in range(second + 1, len(trace.sent))
                         if trace.sent[n].ip.dport == TCP_PORT)
        own, other = (two_points.fates(trace)[n][0] for n in (second, overtaker))
        assert trace.arrived.index(own) == trace.arrived.index(other) + 1


@everywhere
def test_a_lost_datagram_is_lost_to_its_receiver_only(labs: Labs, place: Place) -> None:
    """Its sender is not told: neither an error nor an ICMP message."""
    lab = labs(place, "drop udp all")
    client, server = udp_pair(lab, place)
    send_all(client, *DATAGRAMS)
    trace = finish(lab)
    assert (len(trace.sent), trace.arrived, waiting(server)) == (4, [], [])
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


@everywhere
def test_an_icmp_message_comes_back_unless_it_is_lost(labs: Labs, place: Place) -> None:
    lab = labs(place, "drop icmp 1")
    refused_datagrams(lab, place)
    trace = finish(lab)
    expect_fates(trace, "drop", lambda n: n == 1, KINDS["icmp"])
    assert [(c.protocol, c.source) for c in lab.changes] == [("icmp", place.server)]


@pytest.mark.parametrize("kind", ["syn", "fin", "rst", "ack", "icmp", "udp"])
@on_loopbacks
def test_a_packet_without_payload_can_be_damaged(labs: Labs, place: Place, kind: str) -> None:
    """Of each kind the first one but, as it costs a second, of SYN the one that finds nobody."""
    lab = labs(place, f"corrupt {kind} 1")
    TALKS.get(kind, closed_well)(lab, place)
    trace = finish(lab)
    expect_fates(trace, "corrupt", lambda n: n == 1, KINDS[kind])
    assert [c.size for c in lab.changes] == [0]


def refused_at_second_try(lab: Disturbed, place: Place) -> None:
    client = bound(lab, place, socket.SOCK_STREAM, False, 0)
    with pytest.raises(ConnectionRefusedError):
        client.connect((place.server, TCP_PORT))


def refused_datagrams(lab: Disturbed, place: Place, count: int = 2) -> None:
    """Only the last one's refusal is heard of."""
    client, server = udp_pair(lab, place)
    server.close()
    send_all(client, *[b"is there anyone?"] * count)
    with pytest.raises(ConnectionRefusedError):
        client.recv(1)


def empty_datagrams(lab: Disturbed, place: Place) -> None:
    client, server = udp_pair(lab, place)
    send_all(client, b"", b"")
    assert server.recv(1) == b""
    lab.end_recording()
    assert waiting(server) == []


def reset(lab: Disturbed, place: Place) -> None:
    client, server = tcp_pair(lab, place)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()  # the server is never told
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()


def closed_well(lab: Disturbed, place: Place) -> None:
    client, server = tcp_pair(lab, place)
    client.close()
    assert read_all(server) == b""
    server.close()


TALKS: dict[str, Callable[[Disturbed, Place], None]] = {
    "syn": refused_at_second_try, "icmp": refused_datagrams, "udp": empty_datagrams, "rst": reset}


# -- Which packets ------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@on_loopbacks
def test_each_kind_is_what_its_name_says(labs: Labs, place: Place, kind: str) -> None:
    lab = labs(place, f"duplicate {kind} all")
    client, server = tcp_pair(lab, place)
    for source, target in ((client, server), (server, client)):
        source.send(b"hello")
        assert target.recv(5) == b"hello"
        source.shutdown(socket.SHUT_WR)
        assert target.recv(5) == b""
    reset(lab, place)
    refused_datagrams(lab, place, 1)
    trace = finish(lab)
    counted = [n for n in two_points.ordinals(trace, KINDS[kind]) if n]
    assert counted
    expect_fates(trace, "duplicate", lambda n: True, KINDS[kind])
    assert [(c.action, c.ordinal) for c in lab.changes] == [("duplicate", n) for n in counted]


def splitmix64(seed: int, ordinal: int) -> int:
    z = (seed + ordinal * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31


WHICH: dict[str, Callable[[int], bool]] = {
    "1": lambda n: n == 1,
    "2,3,9": lambda n: n in (2, 3, 9),
    "every 1": lambda n: True,
    "every 4": lambda n: n % 4 == 0,
    "all": lambda n: True,
    "20": lambda n: False,
    "random 30 seed 7": lambda n: splitmix64(7, n) / 2**64 < 0.3,
    "random 0.5 seed 7": lambda n: splitmix64(7, n) / 2**64 < 0.005,
    "random 100 seed 0": lambda n: True,
}


@pytest.mark.parametrize("which", WHICH)
def test_a_rule_says_which(labs: Labs, which: str) -> None:
    place = PLACES["loopback-IPv4"]
    lab = labs(place, f"drop udp {which}")
    client, server = udp_pair(lab, place)
    for number in range(1, 20):
        client.send(b"%d" % number)
    trace = finish(lab)
    expect_fates(trace, "drop", WHICH[which], KINDS["udp"])
    assert waiting(server) == [b"%d" % n for n in range(1, 20) if not WHICH[which](n)]


def lost_of(labs: Labs, seed: int) -> list[int]:
    place = PLACES["loopback-IPv4"]
    lab = labs(place, f"drop udp random 30 seed {seed}")
    client, server = udp_pair(lab, place)
    for _ in range(1000):
        client.send(b"")
    lab.end_recording()
    waiting(server)
    return [change.ordinal for change in lab.changes]


def test_a_seed_loses_the_same_packets_each_time_and_as_many_as_asked(labs: Labs) -> None:
    first, again, other = lost_of(labs, 1), lost_of(labs, 1), lost_of(labs, 2)
    assert first == again != other
    assert all(240 < len(lost) < 360 for lost in (first, other))  # 4 standard deviations


@on_loopbacks
@pytest.mark.parametrize("ports, lost", [
    (f"to {PORT}", ["question"]), (f"from {PORT}", ["answer"]), ("", ["question", "answer"]),
    (f"from {CLIENT_PORT} to {PORT}", ["question"]), (f"from {PORT} to {PORT}", []),
    ("to 0", [])])
def test_a_rule_says_from_where_and_to_where(
    labs: Labs, place: Place, ports: str, lost: list[str]
) -> None:
    lab = labs(place, f"drop udp {ports} all")
    client, server = udp_pair(lab, place)
    client.send(b"question")
    server.send(b"answer")
    trace = finish(lab)
    gone = [data.decode() for data in two_points.payloads(trace.sent)
            if data not in two_points.payloads(trace.arrived)]
    assert (gone, waiting(server), waiting(client)) == (
        lost, [b"question"] * ("question" not in lost), [b"answer"] * ("answer" not in lost))


def test_the_first_rule_that_fires_decides_and_all_rules_count(labs: Labs) -> None:
    place = PLACES["loopback-IPv4"]
    lab = labs(place, "duplicate udp every 2", "drop udp 2,3", "drop udp to 6000 4,5")
    client, server = udp_pair(lab, place)
    for number in range(1, 7):
        client.send(b"%d" % number)
    lab.end_recording()
    assert b" ".join(waiting(server)) == b"1 2 2 4 4 6 6"
    assert [c[:3] for c in lab.changes] == [
        (1, "duplicate", 2), (2, "drop", 3), (1, "duplicate", 4), (3, "drop", 5),
        (1, "duplicate", 6)]


def test_a_packet_sent_again_is_one_more(labs: Labs) -> None:
    place = PLACES["loopback-IPv4"]
    lab = labs(place, f"drop data to {TCP_PORT} 1,2")
    client, server = tcp_pair(lab, place)
    client.send(b"three times")
    assert server.recv(100) == b"three times"
    client.close()
    server.close()
    trace = finish(lab)
    assert [bytes(r.ip.payload.payload) for r in trace.sent if to_server_with_data(r.ip)] == [
        b"three times"] * 3
    expect_fates(trace, "drop", lambda n: n < 3, to_server_with_data)


def test_identical_datagrams_are_told_apart(labs: Labs) -> None:
    place = PLACES["loopback-IPv6"]  # without an identification in the IP header
    lab = labs(place, "drop udp 2", "duplicate udp 4")
    client, server = udp_pair(lab, place)
    send_all(client, *[b"the same"] * 5)
    trace = finish(lab)
    assert len({record.data for record in trace.sent}) == 1
    assert [r.tag[1] for r in trace.arrived if r.tag] == [1, 3, 4, 4, 5]
    assert [len(fate) for fate in two_points.fates(trace)] == [1, 0, 1, 2, 1]
    assert waiting(server) == [b"the same"] * 5


# -- Datagrams in fragments ---------------------------------------------------


def big_udp(packet: Any) -> bool:
    return KINDS["udp"](packet) and two_points.fragment_offset(packet) == 0


@each_action
@everywhere
def test_a_datagram_in_fragments_has_one_fate(labs: Labs, place: Place, action: str) -> None:
    lab = labs(place, f"{RULES[action]} udp to {PORT} 2")
    client, server = udp_pair(lab, place)
    big = bytes(range(256)) * (BIG // 256) + bytes(BIG % 256)
    send_all(client, b"before", big, b"after")
    trace = finish(lab)
    received = waiting(server)
    if action == "delay":
        received.sort(key=len)
    assert received == {
        "drop": [b"before", b"after"], "corrupt": [b"before", b"after"],
        "duplicate": [b"before", big, big, b"after"], "reorder": [b"before", b"after", big],
        "delay": [b"after", b"before", big]}[action]
    assert [(c.ordinal, c.size) for c in lab.changes] == [(2, BIG)]
    expect_fragments(trace, action)


def expect_fragments(trace: TwoPoints, action: str) -> None:
    fragments = 0
    for sent, arrived in zip(trace.sent, two_points.fates(trace)):
        offset = two_points.fragment_offset(sent.ip)
        fragments += offset is not None
        wanted = {"drop": 0, "duplicate": 2}.get(action, 1) if offset is not None else 1
        assert len(arrived) == wanted
        damaged = action == "corrupt" and offset == 0
        assert all((record.data != sent.data) == damaged for record in arrived
                   if offset is not None)
        if action == "delay" and offset is not None:
            assert milliseconds(sent, arrived[0]) >= LATE - SLEW
    assert fragments == 45 + (1 if trace.sent[0].data[0] >> 4 == 6 else 0)


# -- The end ------------------------------------------------------------------


@everywhere
def test_a_delayed_packet_arrives_before_the_recording_ends(labs: Labs, place: Place) -> None:
    lab = labs(place, "delay 250 udp 1")
    client, server = udp_pair(lab, place)
    client.send(b"late")
    lab.end_recording()
    assert waiting(server) == [b"late"]
    trace = two_points.read(lab.trace)
    assert milliseconds(trace.sent[0], trace.arrived[0]) >= 250 - SLEW


@everywhere
def test_a_packet_that_nothing_overtakes_arrives_in_the_end(labs: Labs, place: Place) -> None:
    lab = labs(place, f"reorder udp from {CLIENT_PORT} all")
    client, server = udp_pair(lab, place)
    send_all(client, b"one", b"two")
    server.send(b"the other way does not overtake")
    assert client.recv(100) == b"the other way does not overtake"
    assert waiting(server) == []
    lab.end_recording()
    assert waiting(server) == [b"one", b"two"]


@on_loopbacks
def test_only_what_was_sent_later_overtakes(labs: Labs, place: Place) -> None:
    lab = labs(place, "delay 30 udp 1", "reorder udp 2")
    client, server = udp_pair(lab, place)
    send_all(client, b"one", b"two")
    assert server.recv(100) == b"one"
    client.send(b"three")
    assert (server.recv(100), server.recv(100)) == (b"three", b"two")


@on_loopbacks
def test_a_copy_follows_at_once(labs: Labs, place: Place) -> None:
    lab = labs(place, "reorder udp 1", "duplicate udp 2")
    client, server = udp_pair(lab, place)
    send_all(client, b"one", b"two")
    lab.end_recording()
    assert waiting(server) == [b"two", b"two", b"one"]


@everywhere
def test_nothing_arrives_after_the_end(labs: Labs, place: Place) -> None:
    lab = labs(place, "drop udp 2")
    client, server = udp_pair(lab, place)
    lab.end_recording()
    client.send(b"too late")
    assert waiting(server) == []


def test_what_a_late_packet_calls_forth_is_waited_for(labs: Labs, workspace: Path) -> None:
    """An echo server answers a datagram that arrives when the test has ended already."""
    (workspace / "echo").write_text("#!/bin/sh\nexec ncat -u -l -k --exec /bin/cat 127.0.0.1 6000")
    (workspace / "echo").chmod(0o755)
    place = LOOPBACK["loopback-IPv4"]
    lab = labs(place, f"delay 200 udp to {PORT} 1")
    lab.start_datagram_server("echo", port=PORT)
    client = bound(lab, place, socket.SOCK_DGRAM, False, CLIENT_PORT)
    client.sendto(b"echo", (place.server, PORT))
    trace = finish(lab)
    assert (waiting(client), len(trace.arrived)) == ([b"echo"], 2)


def test_what_the_kernel_answers_to_a_late_packet_is_waited_for(
    labs: Labs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before each look at the network the kernel has taken in all that arrived."""
    place = PLACES["link-IPv4"]
    lab = labs(place, f"delay 30 udp to {PORT} 1")
    bound(lab, place, socket.SOCK_DGRAM, False, CLIENT_PORT).sendto(b"?", (place.server, PORT))
    labwire, looks, before = lab._labwire, [True], []
    assert labwire is not None

    def queue() -> bool:
        looks.append(len(looks) < 3 or packets_queue())
        return looks[-1]

    def settle(of: Labwire = labwire) -> int:
        before.append(looks[-1])
        return Labwire.settle(of)

    monkeypatch.setattr(faults, "packets_queue", queue)
    monkeypatch.setattr(labwire, "settle", settle)
    lab.end_recording()
    assert len(looks) > 3 and len(before) > 1 and not any(before)
    assert len(two_points.read(lab.trace).arrived) == 2, "the datagram and ICMP's answer"


def test_two_hosts_without_a_rule_have_both_ends_in_the_trace(labs: Labs) -> None:
    place = PLACES["link-IPv4"]
    lab = labs(place)
    client, server = udp_pair(lab, place)
    client.send(b"hello")
    assert server.recv(10) == b"hello"
    trace = finish(lab)
    assert (trace.rules, len(trace.sent), len(trace.arrived)) == ([b"labwire\n"] * 2, 1, 1)
    assert lab.changes == []


# -- Much traffic -------------------------------------------------------------


def points(trace: Path) -> tuple[int, int]:
    """How many frames were sent, and how many arrived, by their source addresses alone."""
    with contextlib.closing(RawPcapNgReader(str(trace))) as reader:
        marked = [frame[6:8] == b"\x6e\x65" for frame, _ in reader][1:]
    return marked.count(False), marked.count(True)


@on_loopbacks
def test_many_thousand_packets_pass_one_by_one(labs: Labs, place: Place) -> None:
    """And each is recorded as it is sent before it is as it arrives."""
    lab = labs(place, "drop udp 1")
    client, server = udp_pair(lab, place)
    client.send(b"lost")
    for number in range(5000):
        question = b"%d" % number
        client.send(question)
        assert server.recv(100) == question
        server.send(question)
        assert client.recv(100) == question
    fates = two_points.fates(finish(lab))
    assert [len(arrived) for arrived in fates] == [0] + [1] * 10_000


@on_loopbacks
def test_a_stream_of_many_segments_passes_whole(labs: Labs, place: Place) -> None:
    lab = labs(place, "duplicate data every 1000", snaplen=128)
    client, server = tcp_pair(lab, place)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read_all(server)))
    reader.start()
    client.sendall(bytes(STREAM))
    client.close()
    reader.join()
    server.close()
    lab.settle()
    lab.end_recording()
    sent, arrived = points(lab.trace)
    assert got == [bytes(STREAM)]
    assert arrived == sent + len(lab.changes) and sent > STREAM / 1500


def relay_of(lab: Disturbed) -> Any:
    """labwire, for tests that treat it badly."""
    assert lab._labwire is not None
    return lab._labwire._tool


def test_a_packet_that_the_relay_itself_loses_is_said(labs: Labs) -> None:
    place = LOOPBACK["loopback-IPv4"]
    lab = labs(place, "drop udp 1", snaplen=96)
    client, _ = udp_pair(lab, place)
    relay_of(lab).send_signal(signal.SIGSTOP)
    for _ in range(25_000):
        client.send(b"more than its ring holds")
    relay_of(lab).send_signal(signal.SIGCONT)
    with pytest.raises(HarnessError, match=r"\d+ lost by the relay itself"):
        lab.end_recording()


def test_a_relay_that_ends_by_itself_is_no_fault_of_a_program(labs: Labs) -> None:
    lab = labs(LOOPBACK["loopback-IPv4"], "drop udp 1")
    relay_of(lab).send_signal(signal.SIGKILL)
    with pytest.raises(HarnessError, match="the network between the programs failed"):
        lab.end_recording()


def test_how_kernels_find_each_other_is_no_packet_of_a_rule(labs: Labs) -> None:
    """A report to IPv6 routers (RFC 9777): it comes when a kernel likes."""
    lab = labs(PLACES["link-IPv6"], "drop packet all", "drop icmp all")
    with lab.network.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6,
                            host="a") as report:
        report.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        report.sendto(struct.pack("!BBHHH", 143, 0, 0, 0, 0), ("ff02::16", 0))
    trace = finish(lab)
    assert (lab.changes, [len(fate) for fate in two_points.fates(trace)]) == ([], [1])


# -- What is not disturbed, and what is refused -------------------------------


def test_the_harness_itself_is_not_disturbed(world: World) -> None:
    lab = world(prog="read line; echo \"$line\"; exec sleep 1000")
    lab.disturb("drop packet all")
    program = lab.start("prog")
    program.write(b"hello\n")
    lab.expect_line(program, "hello")
    listener = lab.listen(4321)
    assert [e.local for e in lab.listening()] == [("127.0.0.1", 4321)]
    assert listener is not None
    lab.end_recording()
    assert lab.changes == []


def test_feedback_can_tell_the_rules(labs: Labs) -> None:
    lab = labs(PLACES["loopback-IPv4"], "drop udp 1", "drop udp 3")
    assert lab.rules == ("drop udp 1", "drop udp 3")


def test_the_network_is_disturbed_once_and_before_anything_else(world: World) -> None:
    lab = world(prog="exit 0")
    with pytest.raises(HarnessError, match="without a rule"):
        lab.disturb()
    lab.disturb("drop udp 1")
    with pytest.raises(HarnessError, match="once, and before"):
        lab.disturb("drop udp 2")
    late = world(prog="exit 0")
    late.listen(4321)
    with pytest.raises(HarnessError, match="once, and before"):
        late.disturb("drop udp 1")


@pytest.mark.parametrize("rule", ["lose udp 1", "", "drop udp 1\ndrop udp 2"])
def test_a_wrong_rule_is_the_tests_own_fault(world: World, rule: str) -> None:
    lab = world()
    with pytest.raises(HarnessError, match="rule"):
        lab.disturb("drop udp 1", rule)
