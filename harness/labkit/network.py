"""A private network for one test: its own hosts, sockets and processes, without root.

`labhost` (harness/labbox) holds the namespaces and does what is asked of it; the test
itself stays outside and works with sockets and process handles that were made inside.
"""

from __future__ import annotations

import errno
import os
import select
import selectors
import signal
import socket
import struct
from pathlib import Path
from typing import Mapping, NamedTuple, Optional, Protocol, Sequence

from labkit.events import EventLoop
from labkit.feedback import HarnessError
from labkit.kernel_sockets import NETLINK_SOCK_DIAG, KernelSockets
from labkit.labhost import (
    ENDED, FOLDER, GIVEN, MESSAGE_BYTES, RUN, SOCKET, Message, make_network, no_descriptor, receive,
)


class Host(NamedTuple):
    """One of two hosts that a link joins, by its addresses on the link (labbox/link.h)."""

    ipv4: str
    ipv6: str


HOSTS = {"a": Host("10.9.0.1", "fd09::1"), "b": Host("10.9.0.2", "fd09::2")}
"""The two hosts of a network that has two."""
OTHER: dict[Optional[str], str] = {"a": "b", "b": "a"}
_NUMBERS = {None: 0, "a": 1, "b": 2}
"""What labhost calls them; None is the only host, or the middle of the link."""


class Process:
    """A process inside the network, known by a descriptor (pidfd_open(2))."""

    def __init__(self, inner_pid: int, pidfd: int) -> None:
        self.inner_pid = inner_pid
        self.pidfd = pidfd
        self.status: Optional[int] = None
        """The wait status (os.WIFEXITED etc.), once it has ended."""

    def send_signal(self, number: int) -> None:
        """Sends signal NUMBER; nothing happens when the process has ended."""
        try:
            signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        os.close(self.pidfd)


class Runs(Protocol):
    """What programs can be run in: as PrivateNetwork.run() has it."""

    def run(
        self, argv: Sequence[str], fds: Sequence[int], *, cwd: Path = ..., env: Mapping[str, str],
        host: Optional[str] = ..., guest: bool = ...,
    ) -> Process: ...


class PrivateNetwork:
    """Namespaces that live from construction to close().

    hosts: 1, or 2 joined by a link (HOSTS), which carries nothing until a relay runs in
    its middle: what `a` sends comes in on the interface of that name there, and so for `b`.
    Each has a loopback of its own. Where a method takes a host, None is the only one, or
    the middle. Raises HarnessError where they cannot be made.
    """

    def __init__(self, loop: EventLoop, hosts: int = 1) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._loop = loop
        self._processes: dict[int, Process] = {}
        self._early: dict[int, int] = {}
        self.names: tuple[Optional[str], ...] = tuple(HOSTS) if hosts == 2 else (None,)
        """Its hosts: None where it has one."""
        self._diag: dict[Optional[str], socket.socket] = {}
        self._first: Optional[int] = None
        """The process that ends last, as a pidfd."""
        with theirs:
            try:
                self._first = make_network(theirs, hosts == 2)
            except BaseException:
                self.close()
                raise
        self._receive()  # that it is ready
        for host in self.names:
            self._diag[host] = self.socket(
                socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG, host=host)
        self.sockets = KernelSockets(*self._diag.values())
        """What the kernel tells of the sockets of all its hosts."""
        loop.watch(ours.fileno(), selectors.EVENT_READ, lambda _: self._take_unasked())

    def sockets_of(self, host: Optional[str]) -> KernelSockets:
        """What the kernel tells of HOST's sockets. Raises KeyError for the middle of a link."""
        return KernelSockets(self._diag[host])

    def socket(
        self, family: int, kind: int, protocol: int = 0, *, host: Optional[str] = None
    ) -> socket.socket:
        """A socket of HOST, as socket(2) makes it. Raises OSError.

        It is the caller's alone: close() is the last one.
        """
        request = struct.pack("=5i", SOCKET, _NUMBERS[host], family, kind, protocol)
        numbers, given = self._ask(request, [], SOCKET)
        if numbers[0]:
            raise OSError(numbers[0], os.strerror(numbers[0]))
        if not given:
            raise no_descriptor()
        return socket.socket(fileno=given[0])

    def folder(self, path: Path, size: int) -> int:
        """Lays an empty file system of at most SIZE bytes over PATH, a folder that is there.

        Only what runs in here sees it, and its descriptor, which is returned, leads to it:
        the caller's to close. It is gone when nobody has it any more. Raises OSError.
        """
        request = struct.pack("=2i", FOLDER, size) + os.fsencode(path) + b"\0"
        numbers, given = self._ask(request, [], FOLDER)
        if numbers[0]:
            raise OSError(numbers[0], os.strerror(numbers[0]), str(path))
        if not given:
            raise no_descriptor()
        return given[0]

    def run(
        self,
        argv: Sequence[str],
        fds: Sequence[int],
        *,
        cwd: Path = Path("/"),
        env: Mapping[str, str],
        host: Optional[str] = None,
        guest: bool = False,
    ) -> Process:
        """Starts ARGV on HOST, its descriptors 0, 1, 2, ... being FDS.

        guest: without the real root's identity, where the caller has that.
        Raises OSError when it cannot be executed.
        """
        strings = [str(cwd), *argv, *(f"{name}={value}" for name, value in env.items())]
        request = struct.pack("=5i", RUN, _NUMBERS[host], guest, len(argv), len(env))
        request += os.fsencode("\0".join(strings)) + b"\0"
        if len(request) > MESSAGE_BYTES:
            raise OSError(errno.E2BIG, os.strerror(errno.E2BIG), argv[0])
        numbers, given = self._ask(request, fds, RUN)
        if numbers[0]:
            raise OSError(numbers[0], os.strerror(numbers[0]), argv[0])
        if not given:
            raise no_descriptor()
        process = Process(numbers[1], given[0])
        process.status = self._early.pop(process.inner_pid, None)
        self._processes[process.inner_pid] = process
        return process

    def close(self) -> None:
        """Ends every process inside and the network itself; returns when they are gone."""
        if self._control.fileno() >= 0:
            self._loop.watch(self._control.fileno(), 0, lambda _: None)
            self._control.close()
        if self._first is not None:
            ended = select.poll()
            ended.register(self._first, select.POLLIN)
            ended.poll()
            os.close(self._first)
            self._first = None
        for sock in self._diag.values():
            sock.close()
        self._diag.clear()
        for process in self._processes.values():
            process.close()
        self._processes.clear()

    def _ask(
        self, request: bytes, fds: Sequence[int], kind: int
    ) -> tuple[list[int], list[int]]:
        """Sends REQUEST; returns what was answered and given, a KIND of message."""
        socket.send_fds(self._control, [request], list(fds))
        given: list[int] = []
        while True:
            said = self._receive()
            if said.kind == kind:
                return said.numbers, given
            if said.kind == GIVEN:
                given = said.fds
            else:
                self._note(said)

    def _take_unasked(self) -> None:
        self._note(self._receive())

    def _note(self, said: Message) -> None:
        if said.kind != ENDED:
            raise HarnessError(f"labhost said {said.kind}, which was not asked for")
        pid, status = said.numbers
        process = self._processes.get(pid)
        if process is None:
            self._early[pid] = status
        else:
            process.status = status

    def _receive(self) -> Message:
        try:
            return receive(self._control)
        except HarnessError:
            self.close()
            raise
