"""The sockets of a host as its kernel has them, asked through sock_diag(7).

That takes microseconds where reading /proc/net/tcp takes milliseconds.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Iterable, NamedTuple

from labkit.feedback import HarnessError

NETLINK_SOCK_DIAG = 4
LISTEN, TIME_WAIT = 10, 6
"""TCP states, from the kernel's enum in include/net/tcp_states.h."""
ALL_STATES = range(1, 12)
_STILL = (1, 5, 6, 7, 8, LISTEN)
"""States that last until a program does something: ESTABLISHED, FIN-WAIT-2, TIME-WAIT, CLOSED,
CLOSE-WAIT, LISTEN."""
_ZERO_WINDOW = 4
"""The timer of a sender whose peer has no room; what it has to send goes on when that reads."""

_SOCK_DIAG_BY_FAMILY, _NLMSG_ERROR, _NLMSG_DONE = 20, 2, 3
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
    """Of a listening socket: connections that wait to be accepted; of a UDP socket: bytes of memory
    that hold datagrams which nobody has received yet."""
    limit: int
    """Of a listening socket: how long that queue may be (listen(2), backlog)."""
    under_way: bool
    """Of TCP: bytes or flags are sent and not acknowledged, and the other side has room."""


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

    def _all(self, protocol: int, states: Iterable[int]) -> list[Endpoint]:
        mask = sum(1 << state for state in states)
        return [endpoint for sock in self._socks
                for family in (socket.AF_INET, socket.AF_INET6)
                for endpoint in self._dump(sock, family, protocol, mask)]

    def _dump(
        self, sock: socket.socket, family: int, protocol: int, mask: int
    ) -> list[Endpoint]:
        request = struct.pack("=BBBBI48x", family, protocol, 0, 0, mask)
        header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY,
                              _REQUEST_DUMP, 1, 0)
        sock.send(header + request)
        found: list[Endpoint] = []
        while True:
            data = sock.recv(1 << 18)
            start = 0
            while start < len(data):
                length, kind, _, _, _ = _HEADER.unpack_from(data, start)
                if kind == _NLMSG_DONE:
                    return found
                if kind == _NLMSG_ERROR:
                    return self._refused(-_ERROR.unpack_from(data, start + _HEADER.size)[0], family)
                found.append(_endpoint(data, start + _HEADER.size))
                start += (length + 3) & ~3

    def _refused(self, error: int, family: int) -> list[Endpoint]:
        if error == errno.ENOENT and family == socket.AF_INET6:
            return []  # a kernel without IPv6
        raise HarnessError(f"the kernel does not list its sockets: {os.strerror(error)}")


def _endpoint(data: bytes, at: int) -> Endpoint:
    """From a struct inet_diag_msg (linux/inet_diag.h)."""
    family, state, timer = data[at : at + 3]
    sport, dport = struct.unpack_from(">HH", data, at + 4)
    size = 4 if family == socket.AF_INET else 16
    source = _address(data[at + 8 : at + 8 + size])
    target = _address(data[at + 24 : at + 24 + size])
    queue, limit = struct.unpack_from("=II", data, at + 56)
    waiting = limit > 0 and state != LISTEN and timer != _ZERO_WINDOW
    return Endpoint(state, (source, sport), (target, dport), queue, limit,
                    state not in _STILL or waiting)


def _address(raw: bytes) -> str:
    """RAW, an address of 4 or 16 bytes, in digits; without what maps IPv4 into IPv6."""
    if raw.startswith(_V4_MAPPED):
        raw = raw[len(_V4_MAPPED):]
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)
