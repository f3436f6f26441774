"""A scripted FTP server (RFC 959, RFC 2428) for tests of a client.

Clients differ in what they ask before a transfer: EPSV, PASV or PORT, SYST, SIZE, PWD and more.
A test says which command it waits for; what comes before is answered as any server would, and
every reply, and every byte on a data connection, can be in the test's hand instead.
"""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Callable, NamedTuple, NoReturn, Optional

from labkit.echo import half_close
from labkit.feedback import Mismatch
from labkit.ftp_wire import CLIENT, CONTROL_PORT, SERVER, Data
from labkit.peer import CLOSED, Listener, Peer, tcp_state
from labkit.program import Program
from labkit.scenario import Scenario

DATA_PORT = 20_200
"""The first passive port; the next transfer has the next. 78 and 232: bytes that differ."""

READY, OPENING, COMPLETE = "220 Ready.", "150 Here it comes.", "226 Transfer complete."
LOGGED_IN = "230 Logged in."
_OPEN_TO_ALL = ("USER", "PASS", "ACCT", "SYST", "FEAT", "NOOP", "OPTS", "HELP", "STAT", "CLNT")
"""What needs no login."""
_ANSWERS = {
    "USER": "331 Password?", "PASS": LOGGED_IN, "ACCT": "202 Not needed.",
    "SYST": "215 UNIX Type: L8", "NOOP": "200 Well.", "PWD": '257 "/" is the folder.',
    "MODE": "200 Done.", "STRU": "200 Done.", "ALLO": "202 Not needed.", "CWD": "250 Done.",
    "CLNT": "200 Noted.", "ABOR": "226 Nothing to break off.", "REST": "502 Not known here.",
}
_TRANSFERS = ("RETR", "STOR", "STOU", "APPE", "NLST", "LIST", "MLSD")
"""What is answered by the test alone, or with what it has put into FtpSession.answers."""


class Command(NamedTuple):
    """A line that the client sent: its first word, in capitals, and the rest."""

    verb: str
    argument: str

    def __str__(self) -> str:
        return f"{self.verb} {self.argument}".rstrip(" ")


class FtpServer:
    """A scripted server on HOST (a numeric address) and PORT."""

    def __init__(
        self, lab: Scenario, port: int = CONTROL_PORT, host: str = "127.0.0.1"
    ) -> None:
        self._lab = lab
        self._port = port
        self._listener = lab.listen(port, host)

    def accept(self, cause: Optional[str] = None) -> FtpSession:
        """The next client, to whom nothing has been said yet; if none comes, CAUSE is why."""
        return FtpSession(self._lab, self._lab.accept(self._listener, cause))

    def greet(self, cause: Optional[str] = None) -> FtpSession:
        """The next client, greeted; if none comes, CAUSE is why."""
        session = self.accept(cause)
        session.reply(READY)
        return session

    def waits_for(self, client: Program) -> bool:
        """Waits until somebody has connected, or CLIENT has ended; whether somebody has."""
        def somebody() -> bool:
            return any(e.queue for e in self._lab.listening() if e.local[1] == self._port)

        self._lab.wait_for(lambda: somebody() or client.exit is not None,
                           f"`{client.command}` connects, or ends", lambda: "it does neither",
                           poll=0.001)
        return somebody()

    def close(self) -> None:
        """Listens no longer; sessions go on."""
        self._listener.close()


class FtpSession:
    """One control connection and the data connections that belong to it.

    Methods that wait raise Mismatch where the client does something else.
    """

    def __init__(self, lab: Scenario, control: Peer) -> None:
        self.control = control
        control.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # no reply waits
        self.commands: list[Command] = []
        """All that have come."""
        self.answers = dict(_ANSWERS)
        """The reply to each command, without CR LF, which a test may change; see until()."""
        self.data: list[Data] = []
        """The data connections that were used, as expect_connections() takes them."""
        self.unused: list[int] = []
        """Ports of passive ones that were not; the client may have connected or not."""
        self.size: Optional[int] = None
        """What SIZE tells of any file, in bytes; 550 where it is None."""
        self.user = self.password = ""
        self.type = "A"
        self.piece = 0
        """Bytes of a reply in each segment; 0 for all of them in one."""
        self.passive_port = DATA_PORT
        """Where the next data connection is waited for; then there is a next."""
        self.passive_host = ""
        """The host that PASV is told; the server's own where it is empty."""
        self.passive_form = "227 Entering Passive Mode ({})"
        """The reply to PASV, with {} for its numbers."""
        self.receive_buffer = 0
        """Bytes, of passive data connections; 0 leaves it to the kernel."""
        self._lab = lab
        self._logged_in = False
        self._opening: Optional[Callable[[Optional[str]], Peer]] = None
        self._opener = CLIENT
        self._listener: Optional[Listener] = None

    # The control connection

    def reply(self, *lines: str) -> None:
        """Sends LINES, each with CR LF, all of them at once."""
        text = "".join(f"{line}\r\n" for line in lines).encode()
        if self.piece:
            self.control.send_in_pieces(text, self.piece)
        else:
            self.control.send(text)

    def next(
        self, cause: Optional[str] = None, expected: str = "the client sends a command"
    ) -> Command:
        """The next command, which is not answered yet; if none comes, CAUSE is why.

        expected: what feedback says then.
        """
        try:
            line = self.control.read_line(cause)
        except Mismatch as error:
            found = cause if self.control.was_reset else None  # with what was said unread
            raise Mismatch(expected, error.seen + self._last_words(),
                           found or error.cause) from None
        if not line.endswith(b"\r\n"):
            raise Mismatch(expected="each command ends with CR LF", seen=f"{line!r}",
                           cause="messages", read="RFC 959 section 5.3")
        verb, _, argument = line[:-2].decode("utf-8", "surrogateescape").partition(" ")
        self.commands.append(Command(verb.upper(), argument))
        return self.commands[-1]

    def until(self, *verbs: str, cause: Optional[str] = None) -> Command:
        """Waits for one of the commands VERBS, and answers as ever what comes before.

        Where another transfer or the client's end comes instead, CAUSE is why. A transfer
        must have been prepared as RFC 959 has it: login, TYPE I for a file, PASV or the like.
        """
        expected = f"the client sends {' or '.join(verbs)}"
        while (command := self.next(cause, expected)).verb not in verbs:
            if command.verb in (*_TRANSFERS, "QUIT") and command.verb not in self.answers:
                raise Mismatch(expected, f"`{command}`{self._last_words()}", cause)
            self.answer(command)
        if command.verb in _TRANSFERS:
            self._expect_prepared(command)
        return command

    def answer(self, command: Command) -> None:
        """Answers COMMAND, which is no transfer, as any server would."""
        verb, argument = command
        changed = self.answers.get(verb) != _ANSWERS.get(verb)
        if not self._logged_in and verb not in _OPEN_TO_ALL:
            self.reply("530 Log in first.")
        elif verb in ("PASV", "EPSV") and not changed:
            self._be_passive(verb, argument)
        elif verb in ("PORT", "EPRT") and not changed:
            self._be_active(verb, argument)
        elif verb == "TYPE" and not changed:
            self.type = argument[:1].upper()
            self.reply(f"200 Type {self.type}.")
        elif verb == "SIZE" and not changed:
            self.reply("550 Not known." if self.size is None else f"213 {self.size}")
        else:
            self._note_login(verb, argument)
            self.reply(self.answers.get(verb, "502 Not known here."))

    def _note_login(self, verb: str, argument: str) -> None:
        if verb == "USER":
            self.user = argument
        elif verb == "PASS":
            self.password = argument
        if verb in ("USER", "PASS"):
            self._logged_in = self.answers[verb].startswith(("230", "202"))

    def _expect_prepared(self, command: Command) -> None:
        """COMMAND comes when a server can do what it says."""
        def wrong(expected: str, seen: str, cause: str) -> NoReturn:
            raise Mismatch(f"{expected} before `{command}`", seen, cause)

        if not self._logged_in:
            wrong("a login", "none", "no-login")
        if command.verb in ("RETR", "STOR") and self.type != "I":
            wrong("TYPE I", f"the type is {self.type}", "ascii-type")
        if self._opening is None:
            wrong("EPSV, PASV, EPRT or PORT, anew for each transfer", "none", "data-connection")

    def until_or_end(self, *verbs: str, cause: Optional[str] = None) -> Optional[Command]:
        """As until(), or None: the client ends the session, by QUIT or by its end of file.

        QUIT is answered.
        """
        try:
            command = self.until(*verbs, "QUIT", cause=cause)
        except Mismatch:
            if not self.control.eof or self.control.received:
                raise
            return None
        if command.verb in verbs:
            return command
        self.reply("221 Goodbye.")
        return None

    def end(self, cause: Optional[str] = None) -> None:
        """The client ends the session; if it does something else, CAUSE is why.

        Who closes the control connection first is left to it.
        """
        self.until_or_end(cause=cause)
        self.leave()

    def leave(self) -> None:
        """Both sides close the control connection; the client must not reset it."""
        half_close(self.control)
        _expect_fin(self.control, "closes-both")
        self._close()

    def turn_away(self, reply: str) -> None:
        """Says REPLY, sends the FIN and takes what the client still says, up to its own."""
        self.reply(reply)
        half_close(self.control)
        self.control.read_rest("descriptor-leak")
        self._close()

    def vanish(self, reset: bool = False) -> None:
        """The server goes without a word: its FIN, or a reset; for data connections likewise."""
        if reset:
            self.control.reset()
        self._close()

    def _close(self) -> None:
        self.control.close()
        if self._listener is not None:
            self._listener.close()

    # Data connections

    def open_data(self, cause: Optional[str] = None) -> Peer:
        """The data connection of the command that has just come, whoever opens it.

        It belongs to one transfer. If it cannot be had, CAUSE is why, or 'data-connection'.
        """
        assert self._opening is not None
        opening, self._opening = self._opening, None
        return opening(cause or "data-connection")

    def send(
        self, data: bytes, opening: str = OPENING, closing: str = COMPLETE,
        cause: Optional[str] = None,
    ) -> None:
        """Serves RETR or NLST: OPENING, DATA, then CLOSING. CAUSE: why the client does not take
        it."""
        peer = self.open_data(cause)
        self.reply(opening)
        peer.send(data)
        self.finish(peer, len(data), cause)
        self.complete(peer, closing, cause)

    def finish(self, peer: Peer, sent: int, cause: Optional[str] = None) -> None:
        """The FIN of data connection PEER, on which SENT bytes were sent, and only they.

        The client must have read on; CAUSE is why it has not.
        """
        if tcp_state(peer.sock) == CLOSED:  # not by a FIN of ours, so by a reset
            raise Mismatch(expected="the client reads up to the end of the data connection",
                           seen=f"it has reset it{self._last_words()}",
                           cause=cause or "single-read")
        half_close(peer)
        self.data.append(Data(sent, SERVER, self._opener))

    def complete(
        self, peer: Peer, closing: str = COMPLETE, cause: Optional[str] = None
    ) -> None:
        """CLOSING, and the client's FIN on data connection PEER; CAUSE: why it resets it."""
        self.reply(closing)
        _expect_fin(peer, cause)
        peer.close()

    def break_off(self, peer: Peer, reset: bool = True) -> None:
        """Data connection PEER ends before it should: by a reset, or by a FIN."""
        (peer.reset if reset else peer.close)()
        self.data.append(Data(None, SERVER, self._opener))

    def refuse(self, reply: str) -> None:
        """REPLY to the transfer that has just been asked for, and no data connection."""
        if self._opener == CLIENT and self._listener is not None:
            self.unused.append(self._listener.port)
        self._opening = None
        self.reply(reply)

    def receive(
        self, opening: str = OPENING, closing: str = COMPLETE, cause: Optional[str] = None
    ) -> bytes:
        """Serves STOR: OPENING, takes all up to the client's FIN, CLOSING; returns the bytes."""
        peer = self.open_data(cause)
        self.reply(opening)
        data = peer.read_rest(cause)
        peer.close()
        self.data.append(Data(len(data), CLIENT, self._opener))
        self.reply(closing)
        return data

    def _be_passive(self, verb: str, argument: str) -> None:
        host = str(self.control.sock.getsockname()[0])
        if argument.upper() == "ALL":
            self.reply("200 EPSV it is.")
        elif verb == "EPSV":
            self.reply(f"229 Entering Extended Passive Mode (|||{self._listen(host)}|)")
        elif ":" in host:
            self.reply("425 Not over IPv6.")
        else:
            port = self._listen(host)
            self.reply(self.passive_form.format(six_numbers(self.passive_host or host, port)))

    def _listen(self, host: str) -> int:
        """Waits for the next data connection at HOST; returns the port."""
        if self._listener is not None:
            self._listener.close()
        port, self.passive_port = self.passive_port, self.passive_port + 1
        self._listener = listener = self._lab.listen(port, host,
                                                     receive_buffer=self.receive_buffer)

        def opening(cause: Optional[str]) -> Peer:
            peer = self._lab.accept(listener, cause)
            listener.close()
            return peer

        self._opening, self._opener = opening, CLIENT
        return port

    def _be_active(self, verb: str, argument: str) -> None:
        host, port = _told(verb, argument)
        own = str(self.control.sock.getpeername()[0])
        if host != own:
            raise Mismatch(expected=f"{verb} names the client's own address, {own}",
                           seen=f"`{verb} {argument}`", cause="transfer-port")

        def opening(cause: Optional[str]) -> Peer:
            return self._lab.connect(port, host, label="the test's data connection", cause=cause)

        self._opening, self._opener = opening, SERVER
        self.reply("200 Noted.")

    def _last_words(self) -> str:
        return "".join(program.last_words for program in self._lab.programs)


def _expect_fin(peer: Peer, why_reset: Optional[str]) -> None:
    """The client's FIN comes on PEER, and not a reset; WHY_RESET is why, if that is known."""
    try:
        peer.expect_eof("descriptor-leak")
    except Mismatch as error:
        found = why_reset if peer.was_reset else None
        raise Mismatch(error.expected, error.seen, found or error.cause) from None


def six_numbers(host: str, port: int) -> str:
    """An IPv4 address and a port as PASV and PORT tell them (RFC 959, 5.3.2)."""
    return ",".join([*host.split("."), str(port >> 8), str(port & 255)])


def _told(verb: str, argument: str) -> tuple[str, int]:
    """The address and port that PORT or EPRT name."""
    form = (r"(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)" if verb == "PORT"
            else r"([!-~])([12])\1([0-9a-fA-F:.]+)\1(\d+)\1")
    found = re.fullmatch(form, argument)
    with contextlib.suppress(OSError, ValueError):
        if found is not None and verb == "PORT":
            numbers = bytes(int(number) for number in found.groups())
            return socket.inet_ntoa(numbers[:4]), numbers[4] * 256 + numbers[5]
        if found is not None:
            family = socket.AF_INET if found[2] == "1" else socket.AF_INET6
            return socket.inet_ntop(family, socket.inet_pton(family, found[3])), int(found[4])
    raise Mismatch(expected=f"{verb} names an address and a port",
                   seen=f"`{verb} {argument}`", cause="transfer-port")
