"""A scripted FTP client: it says exactly what a test lets it say, and judges the replies."""

from __future__ import annotations

import errno
import itertools
import os
import re
from typing import Callable, NamedTuple, Optional, Union

from labkit.echo import half_close
from labkit.feedback import Mismatch
from labkit.folders import fault_of_file
from labkit.ftp_wire import CLIENT, CONTROL_PORT, SERVER, Data, Flow, expect_connections
from labkit.peer import Listener, Peer, describe, difference
from labkit.scenario import Scenario

OPENING = (125, 150)
"""The data connection is there, or is to be: the transfer begins."""
DONE = (226, 250)
"""The transfer went well."""
REFUSED_PORT = (500, 504)
"""PORT and EPRT to somebody else."""
NO_FILE = (450, 550)
"""There is no such file, or it must not be touched (RFC 959, section 5.4)."""
NOT_WRITTEN = (450, 451, 452, 530, 532, 550, 551, 552, 553)
"""A file could not, or must not, be stored."""
BROKEN_OFF = (426, 450, 451, 452, 550, 551, 552)
"""A transfer that had begun has failed."""
SYNTAX = (500, 501)
"""The line is no command, or its argument none for it."""
UNKNOWN = (500, 502)
"""The command is not known, or not done here."""
PASSIVE = ("PASV", "EPSV")
ACTIVE = ("PORT", "EPRT")
WAYS = (*PASSIVE, *ACTIVE)
"""The commands that tell of the next data connection."""

_REPLY = re.compile(r"([1-5]\d\d)(?:([ -])(.*))?\Z", re.S)
_OUT_OF_STEP = ("control-closed", "data-connection", "single-read", "transfer-port")
"""Faults that make a reply come where another one is due."""
_LINES = 200
"""Lines of one reply."""
_SIX_NUMBERS = re.compile(r"(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)")
_BARS = re.compile(r"\((.)\1\1(\d+)\1\)")
_FAMILY = {False: "1", True: "2"}
"""What EPSV and EPRT call IPv4 and IPv6 (RFC 2428)."""


Look = Callable[[], None]
"""What a test looks at, at a moment that it is told."""


class Reply(NamedTuple):
    """What a server answered."""

    code: int
    text: str
    """Of its last line, behind the code."""
    lines: list[str]
    """All of them, as they came, without CR LF."""


_clock = itertools.count()
"""Tells which data connection was the earlier one, of whatever client."""


class FtpClient:
    """A control connection in the hands of the test, and data connections for it.

    Methods raise Mismatch where the server does not do its part; where they take a CAUSE,
    it is why.
    """

    def __init__(
        self, lab: Scenario, host: str = "127.0.0.1", port: int = CONTROL_PORT, *,
        label: str = "the test's client", cause: Optional[str] = None, source: str = "",
    ) -> None:
        """Connects to HOST, a numeric address, and reads the greeting.

        source: the numeric address that it connects from, if not HOST.
        """
        self.host = host
        self.source = source or host
        self._lab = lab
        self._said = "the new connection"
        self._in_transfer = False
        self.data: dict[int, Data] = {}
        """The data connections so far, by the time of their beginning; see expect_sessions()."""
        self.offered: list[int] = []
        """Ports that nobody has connected to, as far as is known."""
        try:
            self.peer = lab.connect(port, host, label=label, cause=cause, source=source)
        except Mismatch as error:
            raise self._explained(error, error.cause) from None
        self.reply(220, cause=cause)

    # -- Commands and replies -------------------------------------------------------

    def command(
        self, line: Union[str, bytes], *codes: int, cause: Optional[str] = None,
        gone: Optional[str] = None,
    ) -> Reply:
        """Says LINE and reads the reply, whose code must be one of CODES; see reply()."""
        self.say(line)
        return self.reply(*codes, cause=cause, gone=gone)

    def say(self, line: Union[str, bytes]) -> None:
        """Sends LINE and CR LF; reads nothing."""
        data = line if isinstance(line, bytes) else line.encode(errors="surrogateescape")
        self._said = describe(data)
        self.peer.send(data + b"\r\n")

    def reply(
        self, *codes: int, cause: Optional[str] = None, gone: Optional[str] = None
    ) -> Reply:
        """Reads the next reply, of one line or many; its code must be one of CODES, if any.

        cause: why it is another one; gone: why there is none, where that differs.
        """
        first = self._line(codes, gone or cause)
        found = _REPLY.match(first.rstrip("\r"))
        if found is None:
            likely = cause or ("data-connection" if self._in_transfer else "reply-code")
            raise self._wrong(codes, f"`{first}`, which is no reply", likely)
        if not first.endswith("\r"):
            raise self._wrong(codes, f"`{first}`, which does not end with CR LF", "reply-lines")
        code, dash, text = found.groups()
        lines, last = [first], f"{code} "
        while dash == "-" and not lines[-1].startswith(last):
            if len(lines) > _LINES:
                raise self._wrong(codes, f"a reply of more than {_LINES} lines", "reply-lines")
            lines.append(self._line(codes, "reply-lines"))
        if codes and int(code) not in codes:
            raise self._wrong(codes, f"`{first}`", _why_this_code(int(code), codes, cause))
        self._in_transfer = int(code) in OPENING
        lines = [line.rstrip("\r") for line in lines]
        return Reply(int(code), lines[-1][len(last):] if dash == "-" else text or "", lines)

    def _line(self, codes: tuple[int, ...], cause: Optional[str]) -> str:
        try:
            line = self.peer.read_line(cause, f"a reply to {self._said}: {_any_of(codes)}")
        except Mismatch as error:
            gone = self.peer.eof or self.peer.was_reset
            raise self._explained(
                error, cause or ("control-closed" if gone else error.cause)) from None
        return line[:-1].decode(errors="backslashreplace")

    def _wrong(self, codes: tuple[int, ...], seen: str, cause: str) -> Mismatch:
        return Mismatch(f"{self.peer.label} has {self._said} answered with {_any_of(codes)}",
                        seen + self._words(), cause)

    def _explained(self, error: Mismatch, cause: str) -> Mismatch:
        """ERROR, because of CAUSE, or of what a program has told itself."""
        words = self._words()
        interrupted = os.strerror(errno.EINTR) in words
        return Mismatch(error.expected, error.seen + words, "eintr" if interrupted else cause)

    def _words(self) -> str:
        return "".join(program.last_words for program in self._lab.programs)

    def login(
        self, user: str = "anonymous", password: str = "guest@example.net",
        cause: Optional[str] = None,
    ) -> FtpClient:
        """USER and PASS, which must be right; returns itself."""
        if self.command(f"USER {user}", 230, 331, cause=cause).code == 331:
            self.command(f"PASS {password}", 202, 230, cause=cause)
        return self

    def binary(self) -> FtpClient:
        """Type I from here on; returns itself."""
        self.command("TYPE I", 200)
        return self

    def quit(self, cause: Optional[str] = None) -> None:
        """QUIT, its reply, and the FIN of the server, who closes first."""
        self.command("QUIT", 221, cause=cause)
        self.peer.expect_eof(cause or "first-closer")
        self.close()

    def close(self) -> None:
        """Closes the control connection, in whatever state it is."""
        self.peer.close()

    # -- The data connection ---------------------------------------------------------

    def passive_port(self, how: str = "EPSV", cause: Optional[str] = None) -> int:
        """PASV or EPSV: the port that the reply tells, on the host of this session."""
        reply = self.command(how, 227 if how == "PASV" else 229, cause=cause)
        if how == "EPSV":
            found = _BARS.search(reply.text)
            if found is None:
                raise self._wrong((229,), f"`{reply.lines[-1]}`, without (|||PORT|)",
                                  "transfer-port")
            return self._checked_port(int(found[2]), reply)
        numbers = _SIX_NUMBERS.search(reply.text)
        if numbers is None:
            raise self._wrong((227,), f"`{reply.lines[-1]}`, without h1,h2,h3,h4,p1,p2",
                              "transfer-port")
        if ".".join(numbers.groups()[:4]) != self.host:
            raise self._wrong((227,), f"`{reply.lines[-1]}`: another address than {self.host}",
                              "transfer-port")
        return self._checked_port(int(numbers[5]) * 256 + int(numbers[6]), reply)

    def _checked_port(self, port: int, reply: Reply) -> int:
        if not 0 < port < 65536:
            raise self._wrong((reply.code,), f"`{reply.lines[-1]}`: no port", "transfer-port")
        return port

    def connect_data(
        self, port: int, *, source: str = "", receive_buffer: int = 0,
        label: str = "the data connection", cause: str = "transfer-port",
    ) -> Peer:
        """A connection to PORT, which the server told; SOURCE as in Scenario.connect()."""
        if not source and self.source != self.host:
            source = self.source
        data = self._lab.connect(port, self.host, label=label, receive_buffer=receive_buffer,
                                 source=source, cause=cause)
        self._begun(CLIENT)
        return data

    def _begun(self, opener: str) -> None:
        """There is one more data connection, made by OPENER, CLIENT or SERVER."""
        self.data[next(_clock)] = Data(None, SERVER, opener)

    def _carried(self, size: int, sender: str) -> None:
        """The last data connection has carried SIZE bytes, from SENDER, and ended well."""
        last = max(self.data)
        self.data[last] = Data(size, sender, self.data[last].opener)

    def offer(
        self, how: str = "EPRT", *, host: str = "", port: int = 0, receive_buffer: int = 0,
        cause: Optional[str] = None,
    ) -> Listener:
        """PORT or EPRT for a socket that listens at PORT (0: any) of HOST, this session's."""
        listener = self._lab.listen(port, host or self.source, receive_buffer=receive_buffer)
        self.offered.append(listener.port)
        self.command(port_command(how, listener.address, listener.port), 200, cause=cause)
        return listener

    def prepare(
        self, how: str, *, receive_buffer: int = 0, port: int = 0, cause: Optional[str] = None
    ) -> Callable[[], Peer]:
        """Tells of the next data connection in one of the WAYS; returns what gives it.

        port: as for offer(), where the server is to connect.
        """
        if how in PASSIVE:
            told = self.passive_port(how, cause)
            return lambda: self.connect_data(told, receive_buffer=receive_buffer)
        listener = self.offer(how, port=port, receive_buffer=receive_buffer, cause=cause)

        def accept() -> Peer:
            data = self._lab.accept(listener, cause="transfer-port")
            data.label = "the data connection"
            self.offered.remove(listener.port)
            self._begun(SERVER)
            listener.close()
            return data

        return accept

    def begin(
        self, line: str, how: str = "EPSV", *, receive_buffer: int = 0, port: int = 0,
        late: bool = False, cause: Optional[str] = None,
    ) -> Peer:
        """Begins the transfer LINE asks for; returns its data connection.

        port: as for offer(). late: where the server is to be connected to, that is done after
        LINE is sent, when the server waits for it.
        """
        give = self.prepare(how, receive_buffer=receive_buffer, port=port, cause=cause)
        data = give() if how in PASSIVE and not late else None
        self.say(line)
        if how in PASSIVE and late:
            for program in self._lab.programs:
                self._lab.wait_blocked(program)
            data = give()
        self.reply(*OPENING, cause=cause)
        return data or give()

    def finish(self, data: Peer, cause: Optional[str] = None) -> None:
        """The server has closed DATA, and says that all went well."""
        data.close()
        self.reply(*DONE, cause=cause)

    # -- Transfers -------------------------------------------------------------------

    def retrieve(
        self, line: str, how: str = "EPSV", *, late: bool = False, cause: Optional[str] = None
    ) -> bytes:
        """What the server sends for LINE, up to the end of the data connection."""
        data = self.begin(line, how, late=late, cause=cause)
        got = data.read_rest(cause or "data-connection")
        self.finish(data, cause)
        self._carried(len(got), SERVER)
        return got

    def expect_file(
        self, name: str, content: bytes, how: str = "EPSV", *, late: bool = False,
        cause: Optional[str] = None,
    ) -> None:
        """RETR NAME brings CONTENT; else CAUSE is why, where the bytes tell no other."""
        expect_bytes(f"RETR {name}", content,
                     self.retrieve(f"RETR {name}", how, late=late, cause=cause), cause)

    def expect_size(self, name: str, size: int) -> None:
        """SIZE NAME tells SIZE bytes."""
        reply = self.command(f"SIZE {name}", 213)
        if reply.text.strip() != str(size):
            raise self._wrong((213,), f"`{reply.lines[-1]}`, and not {size}", "reply-code")

    def store(
        self, name: str, content: bytes, how: str = "EPSV", *, late: bool = False,
        pieces: int = 0, cause: Optional[str] = None, look: Optional[Look] = None,
    ) -> None:
        """STOR NAME with CONTENT, in segments of PIECES bytes or as TCP likes.

        look: as end_of_file() has it.
        """
        data = self.begin(f"STOR {name}", how, late=late, cause=cause)
        if pieces:
            data.send_in_pieces(content, pieces)
        else:
            data.send(content)
        self.end_of_file(data, cause, look)
        self._carried(len(content), CLIENT)

    def end_of_file(
        self, data: Peer, cause: Optional[str] = None, look: Optional[Look] = None
    ) -> None:
        """The client's FIN on DATA, the server's, and that all went well.

        look: called as the server says so, and before it can do anything else.
        """
        if look is None:
            half_close(data)
            self.reply(*DONE, cause=cause)
        else:
            with self._lab.stopped_by_answer(self._lab.programs[0], self.peer):
                half_close(data)
                self.reply(*DONE, cause=cause)
                look()
        try:
            data.expect_eof(cause or "descriptor-leak")
        except Mismatch as error:
            likely = "partial-file" if data.was_reset else error.cause  # it was not all read
            raise Mismatch(error.expected, error.seen, likely) from None
        data.close()

    def lines(self, line: str, how: str = "EPSV", cause: Optional[str] = None) -> list[str]:
        """The list that the server sends for LINE (NLST, LIST); each line ends with CR LF."""
        got = self.retrieve(line, how, cause=cause)
        *lines, rest = got.decode(errors="surrogateescape").split("\r\n")
        if rest or any("\n" in each for each in lines):
            raise Mismatch(f"{line}: lines that end with CR LF", describe(got),
                           cause or "ascii-type")
        return lines

    def expect_refused(
        self, line: Union[str, bytes], *codes: int, how: Optional[str] = "EPSV",
        cause: Optional[str] = None,
    ) -> None:
        """LINE asks for a transfer that must not be: one of CODES, at once or after a 150.

        how: PASV or EPSV, for a data connection on which nothing may come; None for none.
        """
        data = self.connect_data(self.passive_port(how)) if how else None
        code = self.command(line, *codes, *OPENING, cause=cause).code
        if code in OPENING:
            got = self._leftovers(data) if data else b""
            if got:
                raise Mismatch(f"{self.peer.label} has {self._said} refused",
                               f"it brought {describe(got)}", cause)
            self.reply(*codes, cause=cause)
        if data:
            data.close()

    def _leftovers(self, data: Peer) -> bytes:
        """What comes on DATA until the server gives it up, with a reset or not."""
        half_close(data)
        try:
            return data.read_rest()
        except Mismatch:
            if not data.was_reset:
                raise
            return bytes(data.received)


def expect_sessions(lab: Scenario, *clients: FtpClient, orderly: bool = True) -> list[Flow]:
    """The verdict on all that CLIENTS, the only ones, had on the wire; see expect_connections().

    Each of their data connections had the bytes of its retrieve() or store(); one that had
    neither may have ended anyhow.
    """
    data = sorted(item for client in clients for item in client.data.items())
    ports = [port for client in clients for port in client.offered]
    return expect_connections(lab, *(each for _, each in data), sessions=len(clients),
                              besides=ports, orderly=orderly)


def port_command(how: str, address: str, port: int) -> str:
    """PORT or EPRT with ADDRESS, a numeric one, and PORT."""
    if how == "PORT":
        return f"PORT {address.replace('.', ',')},{port >> 8},{port & 255}"
    return f"EPRT |{_FAMILY[':' in address]}|{address}|{port}|"


def expect_bytes(what: str, content: bytes, got: bytes, cause: Optional[str] = None) -> None:
    """WHAT brought GOT, which must be CONTENT; else CAUSE is why, where GOT tells no other."""
    if got != content:
        raise Mismatch(f"{what} brings the {len(content)} bytes of the file",
                       difference(content, got),
                       (fault_of_file(content, got) if got else None) or cause or "partial-file")


def _why_this_code(code: int, codes: tuple[int, ...], cause: Optional[str]) -> str:
    """CAUSE, where CODE says another thing than CODES, and not the same with another number."""
    same = any(code // 100 == other // 100 and not _of_files_not_login(code, other)
               for other in codes)
    return cause if cause is not None and (cause in _OUT_OF_STEP or not same) else "reply-code"


def _of_files_not_login(code: int, due: int) -> bool:
    """CODE is about files, and so one who has not logged in was let to them (RFC 959, 4.2.1)."""
    return code // 10 % 10 == 5 and due // 10 % 10 == 3


def _any_of(codes: tuple[int, ...]) -> str:
    return " or ".join(map(str, sorted({*codes}))) or "any code"
