"""The test's own side of connections: scripted clients and servers."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import time
from typing import Any, Optional, TypeVar

from labkit import capture
from labkit.events import DeadlinePassed
from labkit.feedback import Mismatch
from labkit.network import OTHER
from labkit.peer import ESTABLISHED, Listener, Peer, tcp_state
from labkit.scenario.world import PATIENCE, World
from labkit.verdict import fault_told, why_elsewhere

_Kept = TypeVar("_Kept", Peer, Listener)


class Peers(World):
    """Scripted peers in the private network."""

    def connect(
        self,
        port: int,
        host: str = "127.0.0.1",
        label: str = "the test's client",
        receive_buffer: int = 0,
        cause: Optional[str] = None,
        host_from: Optional[str] = None,
        source: str = "",
    ) -> Peer:
        """A scripted client, connected to HOST (a numeric address) and PORT.

        It begins only when the server's queue of connections (listen(2), backlog) has room:
        so any number can be made, one after the other, and none has its SYN dropped.
        receive_buffer: bytes (SO_RCVBUF, socket(7)); 0 leaves it to the kernel.
        host_from: of two hosts the one it is on; where HOST is an address of the link it
        need not be said.
        source: the numeric address that it connects from; the kernel's choice without.
        """
        there = self.host_of(host)
        here = self.at(host_from or OTHER.get(there))
        self.ready()
        expected = f"{label} can connect to {host} port {port}"
        self._wait_for_room(there or here, host, port, expected, cause)
        sock = self._tcp_socket(here, host, receive_buffer, 0)
        try:
            if source:
                sock.bind((source, 0))
            self._connect(sock, (host, port), expected, cause)
        except BaseException:
            self._loop.watch(sock.fileno(), 0, lambda _: None)
            sock.close()
            raise
        return self._keep(Peer(self, sock, label))

    def connect_many(self, count: int, port: int, **how: Any) -> list[Peer]:
        """COUNT clients, connected all at once; HOW as for connect()."""
        return [self.connect(port, label=f"client {number} of {count}", **how)
                for number in range(1, count + 1)]

    def connect_some(self, most: int, port: int, **how: Any) -> list[Peer]:
        """MOST clients, or as many as the server accepts or its queue holds; HOW as above."""
        peers: list[Peer] = []
        with contextlib.suppress(Mismatch):
            while len(peers) < most:
                peers.append(self.connect(port, label=f"client {len(peers) + 1}", **how))
        return peers

    def _wait_for_room(
        self, there: Optional[str], host: str, port: int, expected: str, cause: Optional[str]
    ) -> None:
        """Waits while the queue of the socket that listens there, if one does, is full."""
        places = [(address, port) for address in (host, "0.0.0.0", "::")]

        def full() -> str:
            queues = [e.queue for e in self.listening(there)
                      if e.local in places and e.queue > e.limit]
            return f"{queues[0]} connections wait to be accepted, and no more can" if queues else ""

        if full():
            self.wait_for(lambda: not full(), expected, full, cause or "one-client-only",
                          poll=0.0005)

    def _connect(
        self, sock: socket.socket, address: tuple[str, int], expected: str, cause: Optional[str]
    ) -> None:
        sock.setblocking(False)
        error = sock.connect_ex(address)
        if error == errno.EINPROGRESS and tcp_state(sock) != ESTABLISHED:
            ready: list[bool] = []
            self._loop.watch(sock.fileno(), selectors.EVENT_WRITE, lambda _: ready.append(True))
            self.wait_for(lambda: bool(ready), expected, lambda: "nobody answers",
                          cause or "not-listening")
            self._loop.watch(sock.fileno(), 0, lambda _: None)
        if error in (0, errno.EINPROGRESS):
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise Mismatch(expected=expected, seen=os.strerror(error),
                           cause=cause or "not-listening")

    def listen(
        self, port: int, host: str = "127.0.0.1", receive_buffer: int = 0, send_buffer: int = 0,
        host_at: Optional[str] = None,
    ) -> Listener:
        """A scripted server that listens on HOST (a numeric address) and PORT.

        receive_buffer, send_buffer: bytes, of its connections; 0 leaves them to the kernel.
        host_at: of two hosts the one it is on; where HOST is an address of the link it need
        not be said.
        """
        place = self.at(host_at or self.host_of(host))
        sock = self._tcp_socket(place, host, receive_buffer, send_buffer)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(16)
        return self._keep(Listener(self, sock))

    def _tcp_socket(
        self, at: Optional[str], host: str, receive_buffer: int, send_buffer: int
    ) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = self.network.socket(family, socket.SOCK_STREAM, host=at)
        for option, size in ((socket.SO_RCVBUF, receive_buffer), (socket.SO_SNDBUF, send_buffer)):
            if size:
                sock.setsockopt(socket.SOL_SOCKET, option, size)
        return sock

    def accept(self, listener: Listener, cause: Optional[str] = None) -> Peer:
        """The next client of LISTENER; when nobody connects to it, the trace may tell why."""
        try:
            return self._keep(listener.accept(cause))
        except Mismatch as error:
            found = self._why_not_connected(listener)
            raise Mismatch(error.expected, error.seen, found or error.cause) from None

    def _why_not_connected(self, listener: Listener) -> Optional[str]:
        told = [fault for p in self.programs if (fault := fault_told(p.stderr))]
        if told:
            return told[0]
        self.end_recording()
        flows = [flow for flow in capture.flows(self.trace) if flow["type"] != "capture"]
        return why_elsewhere(flows, listener.address, listener.port)

    def outwait(self, *peers: Peer, seconds: float = 2.5, cause: str = "messages") -> None:
        """Nobody says anything for SECONDS: programs and the connections to PEERS outlast that.

        Where every program waits without a time limit that is known before. The test has that
        time besides its own. cause: why a peer is sent something.
        """
        found: list[Mismatch] = []

        def ended() -> bool:
            try:
                for peer in peers:
                    peer.expect_nothing(cause, ended="own-timeout")
            except Mismatch as error:
                found.append(error)
            return bool(found) or time.monotonic() > end or any(
                program.has_ended for program in self.programs)

        end = time.monotonic() + seconds
        self.take_longer(seconds)
        usual, self.stall = self.stall, max(self.stall, 2 * seconds)
        with contextlib.suppress(DeadlinePassed):  # nothing goes on any more
            self._loop.wait(ended, poll=0.01)
            for program in self.programs:
                self.wait_blocked(program)  # on a busy machine it may be late
            ended()
        self.take_longer(min(0.0, time.monotonic() - end))  # what of it was not used
        self.stall, self._quiet = usual, False
        if found:
            raise found[0]
        for program in self.programs:
            if program.has_ended:
                self._loop.wait(lambda: program.exit is not None, at_least=PATIENCE)
                raise Mismatch(expected=f"`{program.command}` goes on",
                               seen=f"it {program.exit}{program.last_words}", cause="own-timeout")

    def _keep(self, thing: _Kept) -> _Kept:
        self._peers.append(thing)
        return thing
