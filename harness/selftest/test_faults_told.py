"""labcap tells exactly the faults that were injected: in flows, in check and in show.

What the rules changed is taken from labwire itself, whose deeds test_faults.py judges.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple, Optional

import pytest

from labkit import capture, second_opinion
from labkit.network import HOSTS
from labkit.paths import LABCAP
from labkit.scenario import Scenario

PORT, CLIENT_PORT = 6000, 6001
LATE = 60
"""Milliseconds of delay."""
COUNT = 20
"""Datagrams, of which the rules change every third: 6."""
EVERY, CHANGED = 3, 6
FRAGMENTED = 3000
"""Bytes of a datagram that two hosts send in fragments."""


class Place(NamedTuple):
    """Where client and server are."""

    client: str
    server: str
    hosts: tuple[Optional[str], Optional[str]] = (None, None)


PLACES = {"loopback-IPv4": Place("127.0.0.1", "127.0.0.1"),
          "loopback-IPv6": Place("::1", "::1"),
          "link-IPv4": Place(HOSTS["a"].ipv4, HOSTS["b"].ipv4, ("a", "b")),
          "link-IPv6": Place(HOSTS["a"].ipv6, HOSTS["b"].ipv6, ("a", "b"))}
ACTIONS = {"drop": ("lost", "x lost|lost x"), "duplicate": ("duplicated", "arrives twice"),
           f"delay {LATE}": ("reordered", r"arrives after packet \d"),
           "reorder": ("reordered", r"arrives after packet \d"),
           "corrupt": ("corrupted", "arrives damaged")}
"""What labcap calls it, and what `show` says."""
FATES = ["lost", "duplicated", "reordered", "corrupted"]

everywhere = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
each_action = pytest.mark.parametrize("action", ACTIONS)


class Lab:
    """A disturbed network with sockets of a client and a server in it."""

    def __init__(self, workspace: Path, place: Place, *rules: str) -> None:
        self.scenario = Scenario(workspace, lambda name: workspace / name,
                                 workspace / "t.pcapng", hosts=2 if place.hosts[0] else 1)
        self._place = place
        self._sockets: list[socket.socket] = []
        try:
            self.scenario.disturb(*rules)
        except BaseException:
            self.scenario.close()
            raise

    def socket(self, kind: int, server: bool, port: int) -> socket.socket:
        """Bound to the place's address; its waits end after 20 s, as an error."""
        address = self._place.server if server else self._place.client
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made: socket.socket = self.scenario.network.socket(
            family, kind, host=self._place.hosts[server])
        self._sockets.append(made)
        made.settimeout(20)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        made.bind((address, port))
        return made

    def datagrams(self, *contents: bytes) -> None:
        """From client to server."""
        self.socket(socket.SOCK_DGRAM, True, PORT)
        client = self.socket(socket.SOCK_DGRAM, False, CLIENT_PORT)
        for content in contents:
            client.sendto(content, (self._place.server, PORT))

    def stream(self, *segments: bytes) -> None:
        """From client to server, which then answers; the client closes first."""
        listener = self.socket(socket.SOCK_STREAM, True, PORT)
        listener.listen()
        client = self.socket(socket.SOCK_STREAM, False, CLIENT_PORT)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect((self._place.server, PORT))
        server, _ = listener.accept()
        with server:
            server.settimeout(20)
            for segment in segments:
                client.send(segment)
            client.shutdown(socket.SHUT_WR)
            while server.recv(1 << 16):
                pass
            server.send(b"done")
        while client.recv(1 << 16):
            pass
        client.close()

    def told(self) -> dict[str, Any]:
        """What labcap says of the one flow there is; scapy must agree."""
        self.scenario.settle()
        self.scenario.end_recording()
        flows = capture.flows(self.scenario.trace)
        second_opinion.compare(self.scenario.trace, flows)
        assert len(flows) == 2
        return flows[0]

    def check(self, *expectations: str) -> list[str]:
        """What `labcap check` finds not met."""
        return capture.check(self.scenario.trace, expectations)

    def shown(self, pattern: str) -> int:
        """How often `labcap show` says it."""
        done = subprocess.run([LABCAP, "show", "--ascii", self.scenario.trace],
                              capture_output=True, text=True, check=True,
                              env={**os.environ, "COLUMNS": "120"})
        return len(re.findall(pattern, done.stdout))

    def close(self) -> None:
        for each in self._sockets:
            each.close()
        self.scenario.close()


Labs = Callable[..., Lab]


@pytest.fixture
def labs(workspace: Path) -> Iterator[Labs]:
    made: list[Lab] = []

    def make(place: Place, *rules: str) -> Lab:
        made.append(Lab(workspace, place, *rules))
        return made[-1]

    yield make
    for lab in made:
        lab.close()


def expect(told: dict[str, Any], lab: Lab, sent: int, **fates: int) -> None:
    """So many packets went to the server, and this became of them; no other fate did."""
    wanted = {**dict.fromkeys(FATES, 0), **fates}
    assert {fate: told["to_server"][fate] for fate in FATES} == wanted
    assert told["to_server"]["arrived"] == sent - wanted["lost"]
    assert lab.check(*[f"to_server.{fate}={count}" for fate, count in wanted.items()]) == []
    assert lab.check(f"to_server.lost={wanted['lost'] + 1}") != []


@each_action
@everywhere
def test_of_datagrams(labs: Labs, place: Place, action: str) -> None:
    lab = labs(place, f"{action} udp to {PORT} every {EVERY}")
    lab.datagrams(*[b"%d" % n for n in range(COUNT)])
    told = lab.told()
    fate, words = ACTIONS[action]
    assert len(lab.scenario.changes) == CHANGED
    expect(told, lab, COUNT, **{fate: CHANGED})
    assert lab.shown(words) == CHANGED
    if action.startswith("delay"):
        assert told["to_server"]["longest_transit"] >= LATE / 1000
        assert lab.shown(r"arrives \d\d+ ms later") >= CHANGED


@each_action
@everywhere
def test_of_datagrams_that_are_alike(labs: Labs, place: Place, action: str) -> None:
    lab = labs(place, f"{action} udp to {PORT} 2")
    lab.datagrams(b"", b"", b"")
    expect(lab.told(), lab, 3, **{ACTIONS[action][0]: 1})


@each_action
@pytest.mark.parametrize("place", ["link-IPv4", "link-IPv6"])
def test_of_datagrams_in_fragments(labs: Labs, place: str, action: str) -> None:
    lab = labs(PLACES[place], f"{action} udp to {PORT} 2")
    lab.datagrams(*[bytes([n]) * FRAGMENTED for n in range(4)])
    told = lab.told()
    assert told["to_server"]["sizes"] == [FRAGMENTED] * 4
    expect(told, lab, 4, **{ACTIONS[action][0]: 1})
    assert lab.shown(f"{FRAGMENTED} bytes, 3 fragments") == 4


@each_action
@everywhere
def test_of_segments(labs: Labs, place: Place, action: str) -> None:
    """What was lost or damaged was sent again; opening and closing were none the worse."""
    lab = labs(place, f"{action} data to {PORT} 2")
    lab.stream(b"one", b"two", b"three", b"four")
    told = lab.told()
    to_server = told["to_server"]
    fate, words = ACTIONS[action]
    assert to_server[fate] == 1
    assert sum(to_server[other] for other in FATES) == 1
    assert lab.shown(words) == 1
    assert told["to_client"]["arrived"] == told["to_client"]["packets"]
    assert to_server["bytes"] == 15
    if action in ("drop", "corrupt"):
        assert to_server["retransmitted_segments"] > 0
    assert (told["handshake"]["complete"], told["teardown"]["kind"]) == (True, "fin")


@pytest.mark.parametrize("kind", ["syn to", "syn-ack from", "fin to", "fin from", "ack to"])
def test_of_packets_without_payload(labs: Labs, kind: str) -> None:
    lab = labs(PLACES["loopback-IPv4"], f"drop {kind} {PORT} 1")
    lab.stream(b"hello")
    told = lab.told()
    lost = {way: told[way]["lost"] for way in ("to_server", "to_client")}
    assert lost == {"to_server": int("to" in kind.split()), "to_client": int("from" in kind)}
    assert lab.shown("x lost|lost x") == 1


@everywhere
def test_of_packets_drawn_by_lot(labs: Labs, place: Place) -> None:
    lab = labs(place, f"drop udp to {PORT} random 30 seed 7", f"duplicate udp to {PORT} every 5",
               f"corrupt udp to {PORT} random 30 seed 8", f"delay 5 udp to {PORT} every 4")
    lab.datagrams(*[b"%d" % n for n in range(200)])
    told = lab.told()["to_server"]
    did = [change.action for change in lab.scenario.changes]
    assert told["lost"] == did.count("drop") > 30
    assert told["duplicated"] == did.count("duplicate") > 10
    assert told["corrupted"] == did.count("corrupt") > 20
    assert told["arrived"] == 200 - told["lost"]


def test_of_a_network_that_is_out(labs: Labs) -> None:
    lab = labs(PLACES["link-IPv4"], "drop packet all")
    lab.datagrams(b"one", b"two")
    expect(lab.told(), lab, 2, lost=2)
