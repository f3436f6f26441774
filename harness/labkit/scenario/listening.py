"""Where a server listens, as the kernel of its network sees it."""

from __future__ import annotations

import socket
from typing import Optional

from labkit.feedback import Mismatch
from labkit.program import Program
from labkit.scenario.world import World
from labkit.verdict import fault_told


class Listening(World):
    """Waiting until a server can be connected to."""

    def wait_listening(
        self, server: Program, port: int, address: str = "127.0.0.1",
        cause: Optional[str] = None,
    ) -> None:
        """Waits for a listening TCP socket on ADDRESS and PORT, as the kernel sees it."""
        self.wait_for(
            lambda: any(e.local == (address, port) for e in self.listening(server.host))
            or server.exit is not None,
            f"`{server.command}` listens on {address} port {port}",
            lambda: self._instead_of_listening(server.host),
            poll=0.001,
            cause=lambda: cause or self._why_not_listening(port, server.host),
        )
        if server.exit is not None:
            raise Mismatch(
                expected=f"`{server.command}` listens on {address} port {port} and goes on",
                seen=f"it {server.exit}{server.last_words}",
                cause=cause or fault_told(server.stderr) or "ended-early",
            )

    def listening_port(self, server: Program, cause: Optional[str] = None) -> int:
        """The port of the only listening socket on its host, once there is one."""
        self.wait_for(lambda: bool(self.listening(server.host)) or server.exit is not None,
                      f"`{server.command}` listens",
                      lambda: self._instead_of_listening(server.host),
                      cause or "not-listening", poll=0.001)
        ports = [e.local[1] for e in self.listening(server.host)]
        if not ports:
            raise Mismatch(expected=f"`{server.command}` listens",
                           seen=f"it {server.exit}{server.last_words}",
                           cause=cause or "ended-early")
        return ports[0]

    def _instead_of_listening(self, host: Optional[str]) -> str:
        found = [f"a listening socket on {e.local[0]} port {e.local[1]}"
                 for e in self.listening(host)]
        found += [f"a UDP socket on {e.local[0]} port {e.local[1]}"
                  for e in self.network.sockets_of(host).udp()]
        return ", ".join(found) or "no listening socket at all"

    def _why_not_listening(self, port: int, host: Optional[str]) -> Optional[str]:
        ports = [e.local[1] for e in self.listening(host)]
        if socket.htons(port) in ports:
            return "byte-order"
        if ports:
            return "wrong-address" if port in ports else "wrong-port"
        return "udp-not-tcp" if self.network.sockets_of(host).udp() else "not-listening"
