"""The test's own side of datagrams, and the verdict on them."""

from __future__ import annotations

import errno
import os
import socket
from collections import Counter
from typing import Any, Collection, Iterable, Optional, Sequence

from labkit import capture
from labkit.datagrams import Address, DatagramSocket
from labkit.feedback import Mismatch, counted
from labkit.kernel_sockets import Endpoint
from labkit.program import Program
from labkit.scenario.programs import Programs
from labkit.scenario.wire import Wire
from labkit.verdict import fault_told

_SHOWN = 12
"""Sizes of datagrams that feedback lists."""


class Datagrams(Programs, Wire):
    """Scripted UDP peers in the private network, servers without connections."""

    def __init__(self, *args: Any, **how: Any) -> None:
        """As World has it."""
        super().__init__(*args, **how)
        self._hosts: dict[DatagramSocket, Optional[str]] = {}
        """Which host each scripted peer is on."""
        self._own: set[Address] = set()
        """Where scripted peers are bound, or were."""

    # A peer

    def bind_datagrams(
        self, port: int = 0, host: str = "127.0.0.1", label: str = "", host_at: Optional[str] = None
    ) -> DatagramSocket:
        """A scripted UDP peer, bound to HOST (a numeric address) and PORT, 0 for any free one.

        host_at: of two hosts the one it is on; where HOST is an address of the link it need
        not be said.
        """
        place = self.at(host_at or self.host_of(host))
        self.ready()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = self.network.socket(family, socket.SOCK_DGRAM, host=place)
        try:
            sock.bind((host, port))
        except BaseException:
            sock.close()
            raise
        own = sock.getsockname()[:2]
        peer = DatagramSocket(self, sock, label or _label(port),
                              lambda: self._why_nothing_came(own if port else None),
                              lambda: "".join(each.last_words for each in self.programs))
        self._hosts[peer] = place
        self._own.add(peer.address)
        self._peers.append(peer)
        return peer

    def _why_nothing_came(self, own: Optional[Address]) -> Optional[str]:
        """What shows why nothing came: in what programs said, and in the trace.

        own: an address that programs know; None for one that they only answer to.
        """
        told = [fault for program in self.programs if (fault := self._fault_told(program))]
        if own is None:
            return "tcp-not-udp" if "tcp-not-udp" in told else self._why_no_reply()
        if told:
            return told[0]
        self.end_recording()
        return _why_elsewhere(capture.flows(self.trace), own)

    def _why_no_reply(self) -> Optional[str]:
        """The cause, where a program says that it was given no address to reply to."""
        no_address = [os.strerror(code) for code in
                      (errno.EINVAL, errno.EDESTADDRREQ, errno.EAFNOSUPPORT)]
        said = b"".join(program.stderr for program in self.programs).decode(errors="replace")
        return "wrong-receiver" if any(words in said for words in no_address) else None

    # A server

    def start_datagram_server(
        self, name: str, *args: str, port: int, address: str = "127.0.0.1",
        cause: Optional[str] = None, **how: Any,
    ) -> Program:
        """Starts server NAME and waits until the kernel has its UDP socket on ADDRESS and PORT.

        HOW: as for start().
        """
        self.needs_server(name)
        server = self.start(name, *args, **how)
        self.wait_bound(server, port, address, cause)
        return server

    def wait_bound(
        self, program: Program, port: int, address: str = "127.0.0.1",
        cause: Optional[str] = None,
    ) -> None:
        """Waits for a UDP socket on ADDRESS and PORT, as the kernel sees it."""
        expected = f"`{program.command}` has a UDP socket on {address} port {port}"
        host = program.host
        self.wait_for(
            lambda: any(e.local == (address, port) for e in self._bound(host))
            or program.exit is not None,
            expected, lambda: self._instead_of_bound(host),
            lambda: cause or self._why_not_bound(port, host), poll=0.001)
        if program.exit is not None:
            raise Mismatch(expected=f"{expected} and goes on",
                           seen=f"it {program.exit}{program.last_words}",
                           cause=cause or self._fault_told(program) or "ended-early")

    def bound_port(self, program: Program, cause: Optional[str] = None) -> int:
        """The port of the program's UDP socket, the only one on its host but the test's own.

        A connected one counts only once the program waits: getaddrinfo(3) makes such sockets for
        a moment, to learn which of its own addresses the kernel would take.
        """
        expected = f"`{program.command}` has a UDP socket"
        host = program.host
        ports: list[int] = []

        def found() -> bool:
            bound = self._bound(host)
            ports[:] = ([e.local[1] for e in bound if not e.remote[1]]
                        or [e.local[1] for e in bound if program.activity().blocked])
            return bool(ports)

        self.wait_for(lambda: found() or program.exit is not None, expected,
                      lambda: self._instead_of_bound(host), cause or "not-bound", poll=0.001)
        if not ports:
            raise Mismatch(expected=expected, seen=f"it {program.exit}{program.last_words}",
                           cause=cause or self._fault_told(program) or "ended-early")
        return ports[0]

    def expect_taken(self, program: Program, address: Address) -> None:
        """Waits until PROGRAM has received all that has come to its socket at ADDRESS, and goes on.

        What was sent has to be there already, see the tests' expect_takes().
        """
        def left() -> int:
            return sum(e.queue for e in self._bound(program.host) if e.local == address)

        expected = f"`{program.command}` receives each datagram that comes"
        self.wait_for(lambda: left() == 0 or program.exit is not None, expected,
                      lambda: f"{left()} bytes of memory hold what it has left in the kernel"
                      f"{program.last_words}", "no-answer", poll=0.001)
        self.expect_running(program, "ended-early")

    def _bound(self, host: Optional[str]) -> list[Endpoint]:
        """The UDP sockets of the programs on HOST."""
        own = {peer.address for peer, at in self._hosts.items()
               if at == host and peer.sock.fileno() >= 0}
        return [e for e in self.network.sockets_of(host).udp() if e.local not in own]

    def _instead_of_bound(self, host: Optional[str]) -> str:
        found = [f"a UDP socket on {e.local[0]} port {e.local[1]}{_connected(e)}"
                 for e in self._bound(host)]
        found += [f"a TCP socket on {e.local[0]} port {e.local[1]}"
                  for e in self.listening(host)]
        return ", ".join(found) or "no UDP socket at all"

    def _why_not_bound(self, port: int, host: Optional[str]) -> str:
        ports = [e.local[1] for e in self._bound(host)]
        if socket.htons(port) in ports:
            return "byte-order"
        if any(e.local[1] == port and e.remote[1] != 0 for e in self._bound(host)):
            return "connected-peer"  # which gives an address to a socket that had all
        if ports:
            return "wrong-address" if port in ports else "wrong-port"
        return "tcp-not-udp" if self.listening(host) else "not-bound"

    def _fault_told(self, program: Program) -> Optional[str]:
        """What the error that PROGRAM printed, if it did, shows by itself."""
        fault = fault_told(program.stderr)
        return "tcp-not-udp" if fault == "udp-not-tcp" else fault

    # The verdict

    def expect_datagrams(
        self, to_server: Iterable[int], to_client: Iterable[int], *,
        server: Address = ("127.0.0.1", 6000), others: Sequence[Address] = (),
        cause: Optional[str] = None,
    ) -> list[dict[str, Any]]:
        """Ends the recording, once every program waits, and judges it; returns its flows.

        There is no TCP in it, and to SERVER, an address and port, and from there went
        datagrams of exactly these sizes in bytes, in whatever order and from however many
        sockets. No others were sent, but between a scripted peer, or an address of OTHERS,
        and anyone. cause: why the sizes are not so, where that does not show by itself.
        """
        for program in self.programs:
            if program.exit is None:
                self.wait_blocked(program)
        try:
            found = self.expect_packets("connections=0")
        except Mismatch as error:
            raise Mismatch(error.expected, error.seen, "tcp-not-udp") from None
        for way, wanted in (("to_server", sorted(to_server)), ("to_client", sorted(to_client))):
            there, packets = _sizes(found, server, way)
            if Counter(there) != Counter(wanted):
                name = f"{'to' if way == 'to_server' else 'from'} {server[0]} port {server[1]}"
                raise Mismatch(
                    expected=f"on the wire, {name}: {_listed(wanted)}", seen=_listed(there),
                    cause=cause or _why_sizes(wanted, there), packets=packets)
        _expect_no_others(found, {server, *others, *self._own}, server)
        return found

    def fault_shown(self) -> Optional[str]:
        """What the errors that programs have printed show by themselves."""
        told = (self._fault_told(program) for program in self.programs)
        return next(filter(None, told), None) or self._why_no_reply()

    def count_to(self, server: Address) -> int:
        """Ends the recording; how many datagrams were sent to SERVER in all."""
        self.end_recording()
        return len(_sizes(capture.flows(self.trace), server, "to_server")[0])


def _connected(endpoint: Endpoint) -> str:
    host, port = endpoint.remote
    return f", connected to {host} port {port}" if port else ""


def _label(port: int) -> str:
    return f"the test's server on port {port}" if port else "the test's client"


def _end(side: dict[str, Any]) -> Address:
    return side["address"], side["port"]


def _sizes(
    flows: Sequence[dict[str, Any]], server: Address, way: str
) -> tuple[list[int], Optional[str]]:
    """Sizes of the datagrams that went that WAY with SERVER at its one end; where they are.

    A datagram of which a fragment is missing has none; -1 stands for it.
    """
    sizes: list[int] = []
    places: list[str] = []
    other = {"to_server": "to_client", "to_client": "to_server"}[way]
    for flow in flows:
        if flow["type"] != "udp" or server not in (_end(flow["server"]), _end(flow["client"])):
            continue
        told = flow[way if server == _end(flow["server"]) else other]["sizes"]
        sizes += [-1 if size is None else size for size in told]
        places.append(f"{flow['first_packet']} to {flow['last_packet']}")
    return sorted(sizes), f"packets {', '.join(places)}" if len(places) in (1, 2, 3) else None


def _expect_no_others(
    flows: Sequence[dict[str, Any]], known: Collection[Address], server: Address
) -> None:
    """Each UDP flow of FLOWS is with one of the KNOWN addresses, SERVER among them."""
    for flow in flows:
        ends = [_end(flow[side]) for side in ("client", "server") if flow["type"] == "udp"]
        if not ends or not set(ends).isdisjoint(known):
            continue
        one, two = (f"{address} port {port}" for address, port in ends)
        raise Mismatch(
            expected=f"on the wire: no datagrams but those with {server[0]} port {server[1]}",
            seen=f"others, from {one} to {two}", cause="surplus-datagrams",
            packets=f"packets {flow['first_packet']} to {flow['last_packet']}")


def _listed(sizes: Sequence[int]) -> str:
    text = ", ".join(str(size) if size >= 0 else "not whole" for size in sizes[:_SHOWN])
    more = ", ..." if len(sizes) > _SHOWN else ""
    unit = "byte" if list(sizes) == [1] else "bytes"
    return counted(len(sizes), "datagram") + (f" of {text}{more} {unit}" if sizes else "")


def _why_sizes(wanted: Sequence[int], there: Sequence[int]) -> Optional[str]:
    if sum(wanted) == sum(there) and len(wanted) != len(there) and 0 not in wanted:
        return "not-one-datagram"
    if not Counter(wanted) - Counter(there):
        return "surplus-datagrams"
    return None if there else "no-packets"


def _why_elsewhere(flows: Sequence[dict[str, Any]], own: Address) -> Optional[str]:
    """What FLOWS say of datagrams that were expected at OWN and did not come there."""
    address, port = own
    if any(flow["type"] == "tcp" for flow in flows):
        return "tcp-not-udp"
    targets = [_end(flow["server"]) for flow in flows if flow["type"] == "udp"]
    if not targets:
        return "no-packets"
    ports = {target[1] for target in targets} - {port}
    if ports:
        return "byte-order" if socket.htons(port) in ports else "wrong-port"
    if ":" not in address and any(":" in target[0] for target in targets):
        return "first-address-only"
    return None
