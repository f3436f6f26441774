"""A disturbed network and plain sockets in it, for the tests of what it does."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import pytest

import two_points
from labkit.network import HOSTS
from labkit.scenario import Scenario
from two_points import KINDS, TwoPoints

PORT, CLIENT_PORT, TCP_PORT = 6000, 6001, 4321
LATE = 60
"""Milliseconds of delay."""


class Place(NamedTuple):
    """Where two sockets are, and the network between them."""

    client: str
    server: str
    client_host: Optional[str] = None
    server_host: Optional[str] = None

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.server else socket.AF_INET


LOOPBACK = {"loopback-IPv4": Place("127.0.0.1", "127.0.0.1"),
            "loopback-IPv6": Place("::1", "::1")}
PLACES = {**LOOPBACK,
          "link-IPv4": Place(HOSTS["a"].ipv4, HOSTS["b"].ipv4, "a", "b"),
          "link-IPv6": Place(HOSTS["b"].ipv6, HOSTS["a"].ipv6, "b", "a")}
RULES = {"drop": "drop", "duplicate": "duplicate", "delay": f"delay {LATE}",
         "reorder": "reorder", "corrupt": "corrupt"}
COUNTS = ("arrived", "lost", "duplicated", "reordered", "corrupted")
"""What labcap counts each way."""
INJECTED = {"drop": "lost", "duplicate": "duplicated", "reorder": "reordered",
            "corrupt": "corrupted"}
"""The count that an action adds to; whether a delay makes one of them is a matter of time."""

everywhere = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
on_loopbacks = pytest.mark.parametrize("place", LOOPBACK.values(), ids=LOOPBACK)
each_action = pytest.mark.parametrize("action", RULES)


class Disturbed(Scenario):
    """A world whose network follows RULES, and which closes the sockets made in it.

    Its programs, if it has any, are in FOLDER.
    """

    def __init__(self, folder: Path, place: Place, *rules: str, **how: Any) -> None:
        trace = folder / f"{len(list(folder.glob('*.pcapng')))}.pcapng"
        super().__init__(folder, lambda program: folder / program, trace,
                         hosts=1 if place.client_host is None else 2, **how)
        self.opened: list[socket.socket] = []
        if rules:
            self.disturb(*rules)
        else:
            self.ready()

    def close(self) -> None:
        try:
            super().close()
        finally:
            while self.opened:
                self.opened.pop().close()


Labs = Callable[..., Disturbed]
"""Makes one of a place and its rules; the fixture `labs` closes it."""


def bound(lab: Disturbed, place: Place, kind: int, server: bool, port: int) -> socket.socket:
    """A socket whose waits end after 20 s, as an error."""
    host = place.server_host if server else place.client_host
    sock: socket.socket = lab.network.socket(place.family, kind, host=host)
    lab.opened.append(sock)
    sock.settimeout(20)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((place.server if server else place.client, port))
    return sock


def udp_pair(lab: Disturbed, place: Place) -> tuple[socket.socket, socket.socket]:
    """Client and server, each connected to the other."""
    server = bound(lab, place, socket.SOCK_DGRAM, True, PORT)
    client = bound(lab, place, socket.SOCK_DGRAM, False, CLIENT_PORT)
    client.connect((place.server, PORT))
    server.connect((place.client, CLIENT_PORT))
    return client, server


def tcp_pair(lab: Disturbed, place: Place) -> tuple[socket.socket, socket.socket]:
    """Client and server, connected; each write() is a segment."""
    with bound(lab, place, socket.SOCK_STREAM, True, TCP_PORT) as listener:
        listener.listen()
        client = bound(lab, place, socket.SOCK_STREAM, False, 0)
        client.connect((place.server, TCP_PORT))
        server, _ = listener.accept()
        lab.opened.append(server)
    server.settimeout(20)
    for sock in (client, server):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def read_all(sock: socket.socket) -> bytes:
    """What comes up to the end of file."""
    parts: list[bytes] = []
    while parts[-1:] != [b""]:
        parts.append(sock.recv(1 << 16))
    return b"".join(parts)


def waiting(sock: socket.socket) -> list[bytes]:
    """The datagrams that have come."""
    found = []
    sock.setblocking(False)
    try:
        while True:
            found.append(sock.recv(1 << 16))
    except BlockingIOError:
        return found


def send_all(client: socket.socket, *datagrams: bytes) -> None:
    for datagram in datagrams:
        client.send(datagram)


def finish(lab: Disturbed) -> TwoPoints:
    """The whole trace, once everything that was on its way has arrived."""
    lab.settle()
    lab.end_recording()
    return two_points.read(lab.trace)


def to_server_with_data(packet: Any) -> bool:
    """As scapy reads it."""
    return KINDS["data"](packet) and packet.dport == TCP_PORT


DATAGRAMS = [b"one", b"two", b"three", b"four"]


def send_datagrams(lab: Disturbed, place: Place) -> list[bytes]:
    """Sends DATAGRAMS; what the server got of them in the end, when the trace is whole."""
    client, server = udp_pair(lab, place)
    send_all(client, *DATAGRAMS)
    lab.end_recording()
    return waiting(server)


def send_segments(lab: Disturbed, place: Place) -> None:
    """The same as segments of a connection, an answer, and both sides' end."""
    client, server = tcp_pair(lab, place)
    send_all(client, *DATAGRAMS)
    client.shutdown(socket.SHUT_WR)
    assert read_all(server) == b"".join(DATAGRAMS)
    server.send(b"done")
    server.close()
    assert read_all(client) == b"done"
    client.close()
    lab.settle()
    lab.end_recording()
