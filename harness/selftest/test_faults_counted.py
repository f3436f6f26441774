"""labcap's counts agree, exactly, with the faults that were injected.

Injected is what labwire tells, and what scapy finds between the two points of the trace. What
`check` and `show` make of the counts is in test_faults_told.py.
"""

from __future__ import annotations

import socket
import threading
from typing import Any, Callable

import pytest

import two_points
from disturbed import (
    COUNTS, DATAGRAMS, INJECTED, LATE, PLACES, PORT, RULES, TCP_PORT, Disturbed, Labs, Place,
    each_action, everywhere, finish, read_all, send_datagrams, send_segments, tcp_pair, udp_pair,
)
from labkit import capture
from two_points import KINDS, Record


def expected(trace: two_points.TwoPoints, mine: Callable[[Any], bool]) -> dict[str, int]:
    """The counts of the packets that are MINE, none of them a fragment, by scapy.

    Reordered as in RFC 4737: arrived after one that was sent later.
    """
    pairs = [(sent, arrived) for sent, arrived in zip(trace.sent, two_points.fates(trace))
             if mine(sent.ip)]
    firsts = [arrived[0].number for _, arrived in pairs if arrived]
    return {
        "arrived": len(firsts),
        "lost": len(pairs) - len(firsts),
        "duplicated": sum(len(arrived) - 1 for _, arrived in pairs if arrived),
        "reordered": sum(min(firsts[at:]) < number for at, number in enumerate(firsts)),
        "corrupted": sum(two_points.with_right_checksum(sent.data) != arrived[0].data
                         for sent, arrived in pairs if arrived),
    }


def longest(trace: two_points.TwoPoints, mine: Callable[[Any], bool]) -> float:
    """Seconds from sent to arrived first, the longest of those that are MINE."""
    def transit(sent: Record, arrived: list[Record]) -> float:
        return (arrived[0].nanoseconds - sent.nanoseconds) / 1e9

    return max(transit(sent, arrived) for sent, arrived
               in zip(trace.sent, two_points.fates(trace)) if arrived and mine(sent.ip))


def check(lab: Disturbed, port: int) -> dict[str, Any]:
    """Compares both directions of the trace's only flow; returns what labcap says of it."""
    trace = two_points.read(lab.trace)
    flow, whole = capture.flows(lab.trace)
    assert whole["arrivals"] == len(trace.arrived)
    for way, end in (("to_server", "dport"), ("to_client", "sport")):
        def mine(packet: Any, end: str = end) -> bool:
            return (KINDS["tcp"](packet) or KINDS["udp"](packet)) and getattr(packet, end) == port

        assert {key: flow[way][key] for key in COUNTS} == expected(trace, mine)
        assert flow[way]["arrived"] == 0 or (
            flow[way]["longest_transit"] == pytest.approx(longest(trace, mine), abs=1e-9))
    return dict(flow)


def expect_injected(lab: Disturbed, flow: dict[str, Any], action: str) -> None:
    """One packet to the server was treated so, and none the other way."""
    assert [(change.action, change.ordinal) for change in lab.changes] == [(action, 2)]
    if action == "delay":
        assert flow["to_server"]["longest_transit"] > 0.9 * LATE / 1000
    for key in COUNTS[1:]:
        injected = int(key == INJECTED.get(action))
        assert flow["to_client"][key] == 0
        if key == "reordered":  # more may be: what is delayed is overtaken, check() has seen
            assert flow["to_server"][key] >= injected
        else:
            assert flow["to_server"][key] == injected


def expect_whole(flow: dict[str, Any], action: str) -> None:
    """What was lost or damaged was sent again; opening and closing were none the worse."""
    assert flow["to_server"]["bytes"] == len(b"".join(DATAGRAMS))
    assert flow["to_client"]["arrived"] == flow["to_client"]["packets"]
    if action in ("drop", "corrupt"):
        assert flow["to_server"]["retransmitted_segments"] > 0
    assert (flow["handshake"]["complete"], flow["teardown"]["kind"]) == (True, "fin")


ACTIONS = ["drop", "duplicate", "delay 5", "reorder", "corrupt"]


def expect_all_injected(lab: Disturbed, flow: dict[str, Any]) -> None:
    done = [change.action for change in lab.changes]
    for action in ("drop", "duplicate", "corrupt"):
        key = INJECTED[action]
        assert flow["to_server"][key] + flow["to_client"][key] == done.count(action) > 0


def stream(source: socket.socket, target: socket.socket, data: bytes) -> None:
    """Sends DATA through, and ends both ways."""
    def send() -> None:
        source.sendall(data)
        source.close()

    sender = threading.Thread(target=send)
    sender.start()
    assert read_all(target) == data
    sender.join()
    target.close()


@each_action
@everywhere
def test_of_datagrams(labs: Labs, place: Place, action: str) -> None:
    lab = labs(place, f"{RULES[action]} udp to {PORT} 2")
    send_datagrams(lab, place)
    expect_injected(lab, check(lab, PORT), action)


@each_action
@everywhere
def test_of_segments(labs: Labs, place: Place, action: str) -> None:
    lab = labs(place, f"{RULES[action]} data to {TCP_PORT} 2")
    send_segments(lab, place)
    flow = check(lab, TCP_PORT)
    expect_injected(lab, flow, action)
    expect_whole(flow, action)


@everywhere
def test_of_many_datagrams_on_a_bad_line(labs: Labs, place: Place) -> None:
    """Everything at once, both ways."""
    lab = labs(place, *[f"{action} udp random 7 seed {seed}"
                        for seed, action in enumerate(ACTIONS, 1)])
    client, server = udp_pair(lab, place)
    for number in range(150):
        client.send(b"%d to the server" % number)
        server.send(b"%d to the client" % number)
    lab.end_recording()
    flow = check(lab, PORT)
    expect_all_injected(lab, flow)


@pytest.mark.parametrize("place", [PLACES["loopback-IPv4"], PLACES["link-IPv6"]],
                         ids=["loopback-IPv4", "link-IPv6"])
def test_of_a_stream_on_a_bad_line(labs: Labs, place: Place) -> None:
    lab = labs(place, *[f"{action} tcp from {TCP_PORT} random 2 seed {seed}"
                        for seed, action in enumerate(ACTIONS, 1)],
               *[f"{action} data to {TCP_PORT} every {number}"
                 for number, action in zip((41, 43, 31, 29, 37), ACTIONS)])
    client, server = tcp_pair(lab, place)
    stream(client, server, bytes(range(256)) * 1200)
    finish(lab)
    flow = check(lab, TCP_PORT)
    expect_all_injected(lab, flow)
