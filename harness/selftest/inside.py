"""Plain clients whose sockets are in a private network: what they do is the test's own.

They wait for what they read, at most SECONDS, and nothing else is done meanwhile.
"""

from __future__ import annotations

import contextlib
import ftplib
import itertools
import socket
import struct
from typing import Any, Iterator, Optional

from labkit.scenario import Scenario

SECONDS = 20.0
"""Many times what any answer takes, on a busy machine too."""
_ports = itertools.cycle(range(10_000, 30_000))
"""Clients' own, none again soon: a request from the same port may be a repeated one."""
RRQ, WRQ, DATA, ACK, ERROR, OACK = range(1, 7)


def dial(lab: Scenario, port: int, host: str = "127.0.0.1") -> socket.socket:
    """A connection to HOST, an IPv4 address. Raises OSError."""
    sock: socket.socket = lab.network.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.settimeout(SECONDS)
    try:
        sock.connect((host, port))
    except OSError:
        sock.close()
        raise
    return sock


class Ftp(ftplib.FTP):
    """Python's client, passive, in LAB's network; it has logged in to the server on PORT."""

    def __init__(self, lab: Scenario, port: int, user: str, password: str) -> None:
        super().__init__(timeout=SECONDS)
        self._lab = lab
        self.sock = dial(lab, port)
        self.af = socket.AF_INET
        self.file = self.sock.makefile("r", encoding=self.encoding)
        try:
            self.welcome = self.getresp()
            self.login(user, password)
            self.voidcmd("TYPE I")
        except BaseException:
            self.close()
            raise

    def ntransfercmd(self, cmd: str, rest: Any = None) -> tuple[socket.socket, Optional[int]]:
        """As ftplib has it: begins a transfer, returns its data connection."""
        _, port = self.makepasv()
        data = dial(self._lab, port)
        try:
            if not self.sendcmd(cmd).startswith("1"):
                raise ftplib.error_reply("no 150")
        except BaseException:
            data.close()
            raise
        return data, None

    def fetch(self, name: str) -> Optional[bytes]:
        """What is in file NAME, or None where the server says 550."""
        try:
            self.voidcmd("TYPE I")
            data = self.transfercmd(f"RETR {name}")
        except ftplib.error_perm as error:
            return self._refused(error)
        got = read_all(data)
        self.voidresp()
        return got

    def store(self, name: str, content: bytes) -> Optional[bytes]:
        """Whether the server has stored CONTENT as NAME: b"", or None where it says 550."""
        try:
            self.voidcmd("TYPE I")
            data = self.transfercmd(f"STOR {name}")
        except ftplib.error_perm as error:
            return self._refused(error)
        with data:
            data.sendall(content)
        self.voidresp()
        return b""

    @staticmethod
    def _refused(error: ftplib.error_perm) -> None:
        if not str(error).startswith("550"):
            raise error


def read_all(sock: socket.socket) -> bytes:
    """Reads to the end of file, and closes."""
    with sock, sock.makefile("rb") as stream:
        return stream.read()


class Tftp:
    """A TFTP client with a socket of its own, in blocks of 512 bytes."""

    def __init__(self, lab: Scenario, port: int) -> None:
        self.sock = lab.network.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(SECONDS)
        self.sock.bind(("127.0.0.1", next(_ports)))
        self.server = ("127.0.0.1", port)
        self.peer = self.server
        """Where the server has answered from last."""

    def close(self) -> None:
        self.sock.close()

    def ask(self, opcode: int, name: str) -> None:
        self.sock.sendto(struct.pack("!H", opcode) + name.encode() + b"\0octet\0", self.server)

    def answer(self) -> tuple[int, int, bytes]:
        """The next packet: opcode, block or error code, the rest."""
        packet, self.peer = self.sock.recvfrom(65536)
        opcode, number = struct.unpack_from("!HH", packet)
        return opcode, number, packet[4:]

    def send(self, opcode: int, number: int, rest: bytes = b"") -> None:
        self.sock.sendto(struct.pack("!HH", opcode, number) + rest, self.peer)


@contextlib.contextmanager
def tftp(lab: Scenario, port: int) -> Iterator[Tftp]:
    """A client that is closed after it."""
    with contextlib.closing(Tftp(lab, port)) as client:
        yield client
