"""labcap's `show` and `check` say exactly the faults that were injected.

What the rules changed is taken from labwire itself, whose deeds test_faults.py judges; each
count alone is judged by test_faults_counted.py.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterable, Sequence

import pytest

from disturbed import (
    CLIENT_PORT, COUNTS, INJECTED, LATE, PLACES, PORT, RULES, TCP_PORT, Disturbed, Labs, Place,
    bound, everywhere, finish, read_all, send_all, tcp_pair, waiting,
)
from labkit import capture, second_opinion
from labkit.paths import LABCAP
from two_points import KINDS

ORDINALS = {"delay": [2, 4, 6, 8, 10], "drop": [12], "duplicate": [14, 16],
            "corrupt": [18, 20, 22], "reorder": [24, 26, 28, 30]}
"""Each action another number of times, so that none can be taken for another."""
DATAGRAMS = 31
FRAGMENTED = 3000
"""Bytes of a datagram that two hosts send in fragments."""
EARLY = {"duplicate": [1, 4, 6], "reorder": [2], "delay": [5], "corrupt": [7, 8], "drop": [9]}
"""Within the first ten segments, which TCP sends without waiting (RFC 6928)."""
SEGMENTS = 100
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2
"""Of Linux; Python has no names for them."""
WORDS = {"lost": "x lost|lost x", "duplicated": "arrives twice",
         "reordered": r"arrives after packet \d", "corrupted": "arrives damaged"}
"""What `show` says of a packet."""


def rules(packets: str, ordinals: dict[str, list[int]]) -> list[str]:
    return [f"{RULES[action]} {packets} {','.join(map(str, which))}"
            for action, which in ordinals.items()]


def send(lab: Disturbed, place: Place, contents: Iterable[bytes],
         numbered: bool = True) -> socket.socket:
    """Datagrams to the server, which is returned.

    Linux does not number IPv4 packets that must not be fragmented, of an unconnected socket.
    """
    server = bound(lab, place, socket.SOCK_DGRAM, True, PORT)
    client = bound(lab, place, socket.SOCK_DGRAM, False, CLIENT_PORT)
    if not numbered and place.family == socket.AF_INET:
        client.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    for content in contents:
        client.sendto(content, (place.server, PORT))
    return server


def overtaken(order: Sequence[int]) -> int:
    """How many arrived, in this ORDER, after one that was sent later; copies do not count."""
    firsts = list(dict.fromkeys(order))
    return sum(any(other > number for other in firsts[:at]) for at, number in enumerate(firsts))


def flows(lab: Disturbed) -> list[dict[str, Any]]:
    """What labcap says of them; the harness's own second opinion must be the same."""
    told = capture.flows(lab.trace)
    second_opinion.compare(lab.trace, told)
    return told[:-1]


def shown(lab: Disturbed) -> str:
    done = subprocess.run([LABCAP, "show", "--ascii", lab.trace], capture_output=True, text=True,
                          check=True, env={**os.environ, "COLUMNS": "120"})
    return done.stdout


def expect(lab: Disturbed, counts: dict[str, int]) -> dict[str, Any]:
    """All of labcap says these COUNTS of what went to the server; returns the only flow."""
    [flow] = flows(lab)
    assert {key: flow["to_server"][key] for key in COUNTS} == counts
    assert not any(flow["to_client"][key] for key in INJECTED.values())
    met = [f"to_server.{key}={count}" for key, count in counts.items()]
    one_too_many = [f"to_server.{key}={count + 1}" for key, count in counts.items()]
    assert capture.check(lab.trace, met) == []
    assert len(capture.check(lab.trace, one_too_many)) == len(COUNTS)
    text = shown(lab)
    assert {key: len(re.findall(words, text)) for key, words in WORDS.items()} == {
        key: counts[key] for key in WORDS}
    return flow


def expect_datagrams(lab: Disturbed, order: Sequence[int]) -> dict[str, Any]:
    """What ORDINALS says was done; ORDER is that of their arrival."""
    done = {action: len(ordinals) for action, ordinals in ORDINALS.items()}
    assert Counter(change.action for change in lab.changes) == done
    flow = expect(lab, {
        "arrived": DATAGRAMS - done["drop"], "lost": done["drop"],
        "duplicated": done["duplicate"], "reordered": overtaken(order),
        "corrupted": done["corrupt"]})
    assert flow["to_server"]["longest_transit"] >= 0.9 * LATE / 1000
    return flow


@pytest.fixture
def lab(labs: Labs, place: Place) -> Disturbed:
    """One that treats datagrams as ORDINALS says."""
    return labs(place, *rules(f"udp to {PORT}", ORDINALS))


@everywhere
def test_of_datagrams(lab: Disturbed, place: Place) -> None:
    server = send(lab, place, [bytes([n]) for n in range(DATAGRAMS)])
    finish(lab)
    expect_datagrams(lab, [datagram[0] for datagram in waiting(server)])
    late = [int(found) for found in re.findall(r"arrives (\d+) ms later", shown(lab))]
    assert sum(each >= 0.9 * LATE for each in late) >= len(ORDINALS["delay"])


@everywhere
def test_of_datagrams_that_are_alike(lab: Disturbed, place: Place) -> None:
    send(lab, place, [b""] * DATAGRAMS, numbered=False)
    trace = finish(lab)
    assert len({record.data for record in trace.sent if KINDS["udp"](record.ip)}) == 1
    expect_datagrams(lab, [record.tag[1] for record in trace.arrived
                           if record.tag and KINDS["udp"](record.ip)])


@pytest.mark.parametrize("place", [PLACES["link-IPv4"], PLACES["link-IPv6"]],
                         ids=["link-IPv4", "link-IPv6"])
def test_of_datagrams_in_fragments(lab: Disturbed, place: Place) -> None:
    server = send(lab, place, [bytes([n]) * FRAGMENTED for n in range(DATAGRAMS)])
    finish(lab)
    flow = expect_datagrams(lab, [datagram[0] for datagram in waiting(server)])
    assert flow["to_server"]["sizes"] == [FRAGMENTED] * DATAGRAMS
    assert shown(lab).count(f"{FRAGMENTED} bytes, 3 fragments") == DATAGRAMS


@everywhere
def test_of_segments(labs: Labs, place: Place) -> None:
    """How many there are, and which come late by themselves, is up to TCP."""
    lab = labs(place, *rules(f"data to {TCP_PORT}", EARLY))
    client, server = tcp_pair(lab, place)
    send_all(client, *[b"segment"] * SEGMENTS)
    client.close()
    assert read_all(server) == b"segment" * SEGMENTS
    server.close()
    finish(lab)
    done = Counter(change.action for change in lab.changes)
    assert done == {action: len(ordinals) for action, ordinals in EARLY.items()}
    [flow] = flows(lab)
    to_server = flow["to_server"]
    assert to_server["reordered"] > 0
    expect(lab, {
        "arrived": to_server["packets"] - done["drop"], "lost": done["drop"],
        "duplicated": done["duplicate"], "reordered": to_server["reordered"],
        "corrupted": done["corrupt"]})


def test_of_packets_without_payload(labs: Labs) -> None:
    """Each the first of its kind in a connection of its own; all wait for TCP's timers at once."""
    ports = {kind: TCP_PORT + n for n, kind in enumerate(
        ["syn to", "syn-ack from", "fin to", "fin from", "ack to"])}
    place = PLACES["loopback-IPv4"]
    lab = labs(place, *[f"drop {kind} {port} 1" for kind, port in ports.items()])
    pairs = {port: (bound(lab, place, socket.SOCK_STREAM, True, port),
                    bound(lab, place, socket.SOCK_STREAM, False, 0)) for port in ports.values()}

    def converse(port: int) -> None:
        listener, client = pairs[port]
        listener.listen()
        client.connect((place.server, port))
        client.send(b"hello")
        server, _ = listener.accept()
        with server:
            server.settimeout(20)
            client.shutdown(socket.SHUT_WR)
            assert read_all(server) == b"hello"
        assert read_all(client) == b""
        client.close()

    with ThreadPoolExecutor(len(ports)) as pool:
        list(pool.map(converse, ports.values()))
    finish(lab)
    lost = {flow["server"]["port"]: (flow["to_server"]["lost"], flow["to_client"]["lost"])
            for flow in flows(lab)}
    assert lost == {port: (int(kind.endswith("to")), int(kind.endswith("from")))
                    for kind, port in ports.items()}
    assert len(re.findall(WORDS["lost"], shown(lab))) == len(ports)


def test_of_a_network_that_is_out(labs: Labs) -> None:
    place = PLACES["link-IPv4"]
    lab = labs(place, "drop packet all")
    send(lab, place, [b"one", b"two"])
    finish(lab)
    expect(lab, {**dict.fromkeys(COUNTS, 0), "lost": 2})
