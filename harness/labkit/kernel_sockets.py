"""The sockets of a host as its kernel has them, asked through sock_diag(7).

That takes microseconds where reading /proc/net/tcp takes milliseconds.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Iterable, Iterator, NamedTuple

from labkit.feedback import HarnessError

NETLINK_SOCK_DIAG = 4
LISTEN, TIME_WAIT = 10, 6
"""TCP states, from the kernel's enum in include/net/tcp_states.h."""
ALL_STATES = range(1, 12)
_STILL = (1, 5, 6, 7, 8, LISTEN)
"""States that last until a program does something: ESTABLISHED, FIN-WAIT-2, TIME-WAIT, CLOSED,
CLOSE-WAIT, LISTEN."""
_PROBES = 4
"""The timer of a sender with nothing on its way. Its peer has no room, and what it has to send goes
on when that reads; or it was told to wait for more (TCP_CORK), but waits for this timer only."""

_SOCK_DIAG_BY_FAMILY, _NLMSG_ERROR, _NLMSG_DONE = 20, 2, 3
_TCPDIAG_GETSOCK = 18
"""The older request for TCP (struct inet_diag_req) is answered for both IP versions at a time. The
kernel goes through the machine's whole table for each answer."""
_INFO = 2
"""INET_DIAG_INFO: the attribute that is a struct tcp_info (linux/tcp.h)."""
_WINDOW = 228
"""Where that has tcpi_snd_wnd, from Linux 5.4 on."""
_MESSAGE = 72
"""Bytes of a struct inet_diag_msg (linux/inet_diag.h); attributes follow."""
_REQUEST_DUMP = 0x001 | 0x300
_HEADER, _ERROR = struct.Struct("=IHHII"), struct.Struct("=i")
_V4_MAPPED = bytes(10) + b"\xff\xff"
"""How an IPv4 address begins in an IPv6 socket (RFC 4291, 2.5.5.2)."""


class Endpoint(NamedTuple):
    """One socket. An IPv6 socket that has an IPv4 address is told by that one."""

    state: int
    local: tuple[str, int]
    remote: tuple[str, int]
    queue: int
    """Of a listening socket: connections that wait to be accepted; of a connection: bytes that
    nobody has read yet; of a UDP socket: bytes of memory that hold such datagrams."""
    limit: int
    """Of a listening socket: how long that queue may be (listen(2), backlog)."""


class KernelSockets:
    """Asks over SOCKS, a NETLINK_SOCK_DIAG socket made on each host in question."""

    def __init__(self, *socks: socket.socket) -> None:
        self._socks = socks

    def tcp(self, states: Iterable[int] = ALL_STATES) -> list[Endpoint]:
        """The TCP sockets in one of STATES, of both IP versions."""
        return self._all(socket.IPPROTO_TCP, states)

    def udp(self) -> list[Endpoint]:
        """The UDP sockets, of both IP versions."""
        return self._all(socket.IPPROTO_UDP, ALL_STATES)

    def under_way(self) -> bool:
        """Whether bytes or flags of TCP are not acknowledged, or go without anybody's doing."""
        return any(_goes_on(message)
                   for message in self._messages(socket.IPPROTO_TCP, ALL_STATES, _INFO))

    def _all(self, protocol: int, states: Iterable[int]) -> list[Endpoint]:
        return [_endpoint(message) for message in self._messages(protocol, states)]

    def _messages(
        self, protocol: int, states: Iterable[int], attribute: int = 0
    ) -> Iterator[bytes]:
        mask = sum(1 << state for state in states)
        wanted = 1 << attribute - 1 if attribute else 0
        for sock in self._socks:
            if protocol == socket.IPPROTO_TCP:
                request = struct.pack("=xxxB48xI4x", wanted, mask)
                yield from self._dump(sock, _TCPDIAG_GETSOCK, request)
                continue
            for family in (socket.AF_INET, socket.AF_INET6):
                request = struct.pack("=BBBBI48x", family, protocol, wanted, 0, mask)
                yield from self._dump(sock, _SOCK_DIAG_BY_FAMILY, request)

    def _dump(self, sock: socket.socket, asked: int, request: bytes) -> list[bytes]:
        header = _HEADER.pack(_HEADER.size + len(request), asked, _REQUEST_DUMP, 1, 0)
        sock.send(header + request)
        found: list[bytes] = []
        while True:
            data = sock.recv(1 << 18)
            start = 0
            while start < len(data):
                length, kind, _, _, _ = _HEADER.unpack_from(data, start)
                if kind == _NLMSG_DONE:
                    return found
                if kind == _NLMSG_ERROR:
                    error = -_ERROR.unpack_from(data, start + _HEADER.size)[0]
                    return self._refused(error, family=request[0])
                found.append(data[start + _HEADER.size : start + length])
                start += (length + 3) & ~3

    def _refused(self, error: int, family: int) -> list[bytes]:
        if error == errno.ENOENT and family == socket.AF_INET6:
            return []  # a kernel without IPv6
        raise HarnessError(f"the kernel does not list its sockets: {os.strerror(error)}")


def _endpoint(message: bytes) -> Endpoint:
    """From a struct inet_diag_msg."""
    family, state = message[:2]
    sport, dport = struct.unpack_from(">HH", message, 4)
    size = 4 if family == socket.AF_INET else 16
    source = _address(message[8 : 8 + size])
    target = _address(message[24 : 24 + size])
    queue, limit = struct.unpack_from("=II", message, 56)
    return Endpoint(state, (source, sport), (target, dport), queue, limit)


def _goes_on(message: bytes) -> bool:
    """The same of one TCP socket, which MESSAGE tells of."""
    _, state, timer = message[:3]
    if state not in _STILL:
        return True
    [unsent] = struct.unpack_from("=I", message, 60)
    if state == LISTEN or not unsent:
        return False
    return timer != _PROBES or _has_room(message)


def _has_room(message: bytes) -> bool:
    """Whether the peer takes bytes; so it is where the kernel does not tell."""
    at = _MESSAGE
    while at + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, at)
        if kind == _INFO and length >= 4 + _WINDOW + 4:
            return any(message[at + 4 + _WINDOW : at + 8 + _WINDOW])
        at += max(4, (length + 3) & ~3)
    return True


def _address(raw: bytes) -> str:
    """RAW, an address of 4 or 16 bytes, in digits; without what maps IPv4 into IPv6."""
    if raw.startswith(_V4_MAPPED):
        raw = raw[len(_V4_MAPPED):]
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
