"""Scripted TCP peers: they send and read exactly what a test says, when it says so."""

from __future__ import annotations

import errno
import fcntl
import selectors
import socket
import struct
import termios
from typing import Any, Callable, Optional, Protocol

from labkit.feedback import Mismatch, counted

ESTABLISHED, CLOSED = 1, 7
"""States of tcp(7), TCP_INFO: connected, and after a reset."""
LINE = 80
"""Bytes kept of each message sent, to know them when they come back with another one."""
LONGEST_LINE = 64 * 1024
"""Bytes after which what comes is no line of text any more."""

OF_STREAMS = {None, "closes-both", "eintr", "lines-lost", "partial-write", "single-read",
              "stdout-not-flushed"}
"""What a test suspects of bytes that are the right ones, in part."""


class Waiter(Protocol):
    """What a peer needs of the test it belongs to (scenario.Scenario)."""

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None: ...

    def needs(self, milestone: str) -> None: ...

    def wait_for(
        self,
        done: Callable[[], bool],
        expected: str,
        seen: Callable[[], str],
        cause: Any = None,
        poll: Optional[float] = None,
    ) -> None: ...


class Peer:
    """One side of a connection, in the hands of the test.

    It reads only while a method says so; all methods that wait raise Mismatch when
    the other side does not do its part in time.
    """

    def __init__(self, waiter: Waiter, sock: socket.socket, label: str) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.label = label
        self.received = bytearray()
        self.eof = False
        self.was_reset = False
        self.heard = 0
        """How often bytes have come."""
        self.wants_more: Callable[[], None] = lambda: None
        """Called while what has come is not yet what is waited for."""
        self._waiter = waiter
        self._to_send = bytearray()
        self._lines = bytearray()
        self._reading = False

    @property
    def port(self) -> int:
        """This side's port."""
        return int(self.sock.getsockname()[1])

    def send(self, data: bytes) -> None:
        """Sends DATA and waits until the kernel has taken all of it. Reads nothing."""
        self.start_sending(data)
        self._wait(lambda: not self._to_send, f"{self.label} can send {counted(len(data), 'byte')}",
                   lambda: f"{len(self._to_send)} of them were never read", "deadlock")

    def send_in_pieces(self, data: bytes, size: int = 1) -> None:
        """Sends DATA as segments of SIZE bytes: each goes out once the last is acknowledged."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), size):
            self.send(data[start : start + size])
            self.wait_acknowledged()

    def wait_acknowledged(self) -> None:
        """Waits until the other host has acknowledged every byte sent (tcp(7), SIOCOUTQ)."""
        self._wait(lambda: self._unacknowledged() == 0, "its bytes are acknowledged",
                   lambda: f"{self._unacknowledged()} bytes were not", poll=0.0002)

    @property
    def is_through(self) -> bool:
        """All that it was given to send has been acknowledged, or its connection is no more."""
        return not self._to_send and self._unacknowledged() == 0

    def _unacknowledged(self) -> int:
        """Bytes sent that may still be acknowledged; none of them once there was a reset."""
        if tcp_state(self.sock) == CLOSED:
            return 0
        raw = fcntl.ioctl(self.sock, termios.TIOCOUTQ, b"\0\0\0\0")
        return int(struct.unpack("=i", raw)[0])

    def start_sending(self, data: bytes) -> None:
        """Queues DATA: it leaves while the test waits for other things."""
        self._to_send += data
        self._lines += data[:LINE]
        self._ready(0)

    def expect(self, data: bytes, cause: Optional[str] = None) -> None:
        """Reads as many bytes as DATA has, and they must be DATA.

        What is queued to be sent goes out meanwhile, as in a full-duplex program.
        """
        if data:
            self._waiter.needs("speaks")
        self._read_until(lambda: len(self.received) >= len(data),
                         f"{counted(len(data), 'byte')} from it", data, cause)
        got = bytes(self.received[: len(data)])
        if got != data:
            foreign = "messages" if cause in OF_STREAMS and is_foreign(data, got) else None
            raise Mismatch(expected=f"{self.label} receives {describe(data)}",
                           seen=difference(data, got),
                           cause=foreign or self._damage(data) or cause)
        del self.received[: len(data)]

    def echo_strictly(self, data: bytes, cause: Optional[str] = None) -> None:
        """Echoes DATA as a simple server does: reads a piece, and no more until it is sent back.

        Then the end of file must come.
        """
        for start in range(0, len(data), 16384):
            piece = data[start : start + 16384]
            self.expect(piece, cause)
            self.start_sending(piece)
            self._wait(lambda: not self._to_send, f"{self.label} can send back what it read",
                       lambda: f"after {start} bytes nobody reads what it sends", cause)
        self.expect_eof(cause="no-half-close")

    def read_line(self, cause: Optional[str] = None, wanted: str = "a line") -> bytes:
        """Reads a line of text, up to and with its newline; if none comes, CAUSE is why.

        It is called WANTED in feedback, and has LONGEST_LINE bytes at most.
        """
        self._waiter.needs("speaks")
        self._read_until(lambda: b"\n" in self.received or len(self.received) > LONGEST_LINE,
                         wanted, b"", cause or "no-answer")
        line, newline, rest = bytes(self.received).partition(b"\n")
        if not newline or len(line) >= LONGEST_LINE:
            raise Mismatch(expected=f"{self.label} receives {wanted}",
                           seen=f"{counted(len(line), 'byte')} without a newline: {describe(line)}",
                           cause=cause or "messages")
        self.received[:] = rest
        return line + newline

    def read_rest(self, cause: Optional[str] = None) -> bytes:
        """Reads all that comes up to the end of file (a FIN); if that does not come, CAUSE is why.

        A reset in its place is not an end of file.
        """
        self._waiter.needs("speaks")
        self._read_until(lambda: self.eof, "end of file (a FIN)", b"", cause)
        data = bytes(self.received)
        self.received.clear()
        return data

    def expect_eof(self, cause: Optional[str] = None) -> None:
        """Reads up to the end of file, which must come next, and not a byte or a reset."""
        self._read_until(lambda: self.eof or bool(self.received), "end of file (a FIN)", b"", cause)
        if self.received:
            raise Mismatch(
                expected=f"{self.label} receives end of file now, and no more bytes",
                seen=f"{counted(len(self.received), 'more byte')}: "
                f"{describe(bytes(self.received))}",
                cause=_surplus(bytes(self.received)),
            )

    def expect_fin(self) -> None:
        """The FIN comes, though not all that was sent may have been read; then end of file.

        A reset in its place is what close(2) makes of unread input.
        """
        self._wait(lambda: tcp_state(self.sock) != ESTABLISHED, f"{self.label} receives a FIN",
                   lambda: "it did not come", "first-closer", poll=0.001)
        if tcp_state(self.sock) == CLOSED:
            raise Mismatch(expected=f"{self.label} receives a FIN",
                           seen="the connection was reset", cause="unread-input-rst")
        self.expect_eof()

    def expect_nothing(self, cause: str = "messages", ended: Optional[str] = None) -> None:
        """So far no byte has come but those that were read, nor the end of file.

        ended: the cause where it is the connection's end that has come.
        """
        try:
            seen = describe(self.sock.recv(64, socket.MSG_PEEK))
        except BlockingIOError:
            return
        except ConnectionError:
            seen = "a reset"
        if seen == describe(b""):
            seen = "end of file"
        over = seen in ("end of file", "a reset")
        raise Mismatch(expected=f"{self.label} is not sent anything yet", seen=seen,
                       cause=ended if ended and over else cause)

    def expect_reset(self) -> None:
        """Reads until the connection is reset, as a test wants it after sending a reset."""
        self._waiting_to_read(True)
        self._wait(lambda: self.was_reset or self.eof, "the connection is reset",
                   lambda: "it is still open")
        self._waiting_to_read(False)

    def half_close(self) -> None:
        """Sends the FIN; reading goes on (shutdown(2), SHUT_WR).

        Nothing happens where there is no connection any more: what is expected next tells.
        """
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise

    def ask_to_the_end(self) -> bool:
        """Sends a line, where nothing was sent so far, and the FIN; whether it could."""
        if self.sock.fileno() < 0:
            return False
        if not self._lines:
            self.start_sending(b"hello, network\r\n")
        if self._to_send or self.was_reset:
            return False
        try:
            self.half_close()
        except (OSError, Mismatch):
            return False  # the other side has closed or reset the connection
        return True

    def close(self) -> None:
        """Closes both directions (close(2)); with bytes unread that is a reset."""
        if self.sock.fileno() >= 0:
            self._waiter.watch(self.sock.fileno(), 0, self._ready)
            self.sock.close()

    def reset(self) -> None:
        """Sends an RST and forgets the connection (SO_LINGER with time 0, socket(7))."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
        self.close()

    def _read_until(
        self, done: Callable[[], bool], wanted: str, data: bytes, cause: Optional[str]
    ) -> None:
        def over() -> bool:
            if done() or self.eof or self.was_reset:
                return True
            self.wants_more()
            return False

        self._waiting_to_read(True)
        try:
            self._wait(
                over, f"{self.label} receives {wanted}",
                lambda: self._progress(data),
                lambda: self._why_silent(data, cause),
            )
        finally:
            self._waiting_to_read(False)
        if done():
            return
        if self.was_reset:
            seen = f"the connection was reset after {counted(len(self.received), 'byte')}"
            cause = "linger-rst" if not data else cause or "unread-input-rst"
        else:
            seen = f"end of file after {self._progress(data)}"
            cause = self._damage(data) or cause or "closes-both"
        raise Mismatch(expected=f"{self.label} receives {wanted}", seen=seen, cause=cause)

    def _why_silent(self, data: bytes, cause: Optional[str]) -> str:
        """What keeps the other side from saying the rest of DATA, for ever."""
        if not data:
            return cause or "descriptor-leak"
        if cause in OF_STREAMS and is_foreign(data, bytes(self.received)):
            return "messages"
        return self._damage(data) or cause or ("partial-write" if self.received else "no-answer")

    def _damage(self, data: bytes) -> Optional[str]:
        """The fault that shows in what has come of DATA, if one does."""
        got = bytes(self.received[: len(data)])
        at = first_difference(data, got)
        if at == len(got):
            return "c-string" if got and data.startswith(b"\0", at) else None
        again = len(got) >= at + 4 and got[at : at + 4] in self._lines \
            and got[at : at + 4] not in data  # where bytes are left out, data's own come early
        return guess_cause(data, got) or ("c-string" if again else None)

    def _progress(self, data: bytes) -> str:
        got = bytes(self.received)
        if not got:
            return "nothing came"
        if data.startswith(got):
            return f"{counted(len(got), 'byte')}, all of them right"
        return f"{counted(len(got), 'byte')}; {difference(data, got)}"

    def _waiting_to_read(self, wanted: bool) -> None:
        self._reading = wanted and not self.eof and not self.was_reset
        self._watch()

    def _watch(self) -> None:
        if self.sock.fileno() < 0:
            return
        events = selectors.EVENT_READ if self._reading else 0
        if self._to_send:
            events |= selectors.EVENT_WRITE
        self._waiter.watch(self.sock.fileno(), events, self._ready)

    def _ready(self, events: int) -> None:
        try:
            while self._to_send:
                n = self.sock.send(self._to_send[: 1 << 18])
                del self._to_send[:n]
        except BlockingIOError:
            pass
        except OSError as error:
            self._gone(error)
        try:
            if self._reading and events & selectors.EVENT_READ:
                data = self.sock.recv(1 << 18)
                self.received += data
                self.heard += bool(data)
                self.eof = not data
        except BlockingIOError:
            pass
        except OSError as error:
            self._gone(error)
        if self.eof or self.was_reset:
            self._reading = False
        self._watch()

    def _gone(self, error: OSError) -> None:
        if error.errno not in (errno.ECONNRESET, errno.EPIPE):
            raise error
        self._to_send.clear()
        self.was_reset = True

    def _wait(
        self,
        done: Callable[[], bool],
        expected: str,
        seen: Callable[[], str],
        cause: Any = None,
        poll: Optional[float] = None,
    ) -> None:
        self._waiter.wait_for(done, expected, seen, cause, poll)


class Listener:
    """A scripted server's listening socket."""

    def __init__(self, waiter: Waiter, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._waiter = waiter

    @property
    def address(self) -> str:
        return str(self.sock.getsockname()[0])

    @property
    def port(self) -> int:
        return int(self.sock.getsockname()[1])

    def accept(self, cause: Optional[str] = None) -> Peer:
        """The next connection; raises Mismatch when nobody connects."""
        self._waiter.needs("begins")
        ready: list[bool] = []
        self._waiter.watch(self.sock.fileno(), selectors.EVENT_READ, lambda _: ready.append(True))
        self._waiter.wait_for(lambda: bool(ready), f"a connection to port {self.port}",
                              lambda: "nobody connected", cause or "no-packets")
        self._waiter.watch(self.sock.fileno(), 0, lambda _: None)
        conn, _ = self.sock.accept()
        return Peer(self._waiter, conn, "the test's server")

    def close(self) -> None:
        if self.sock.fileno() >= 0:
            self._waiter.watch(self.sock.fileno(), 0, lambda _: None)
            self.sock.close()


def tcp_state(sock: socket.socket) -> int:
    """The state of SOCK's connection, as its kernel has it."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def describe(data: bytes) -> str:
    """DATA for a person: short, printable, its length told when it is cut."""
    text = repr(data[:40])[1:]
    return text if len(data) <= 40 else f"{text}... ({counted(len(data), 'byte')})"


def first_difference(expected: bytes, got: bytes) -> int:
    """How many bytes are the same before the first that differs, or before the shorter's end."""
    end = min(len(expected), len(got))
    return next((i for i in range(end) if expected[i] != got[i]), end)


def difference(expected: bytes, got: bytes) -> str:
    """Where GOT first differs from EXPECTED."""
    at = first_difference(expected, got)
    if len(got) == len(expected) == at:
        return "the same bytes"
    if at == min(len(expected), len(got)):
        extra = f": {describe(got[at:])}" if len(got) > at else ""
        return f"{counted(len(got), 'byte')} instead of {len(expected)}{extra}"
    return (f"byte {at} is {got[at]:#04x} and not {expected[at]:#04x}: "
            f"{describe(got[at:at + 40])}")


def guess_cause(expected: bytes, got: bytes) -> Optional[str]:
    """The fault that a wrong copy of EXPECTED shows by itself, if it does."""
    if is_foreign(expected, got):
        return None
    at = first_difference(expected, got)
    cut = expected.find(b"\0")
    if at > 1 and cut >= 0 and cut <= at <= cut + 1:
        return "c-string"  # what differs from the beginning on was not cut
    later = got[at : at + 64]
    if len(later) == 64 and expected.find(later, at) > 0:
        return "partial-write"
    if at == len(expected) < len(got):
        return _surplus(later)
    return "fixed-length" if len(got) > len(expected) or later[:1] == b"\0" else None


def _surplus(got: bytes) -> str:
    """The fault that shows in what came after the right bytes: GOT."""
    if got == b"\0":
        return "c-string"  # strlen() + 1 bytes were sent
    return "fixed-length" if 0 in got else "messages"


def is_foreign(expected: bytes, got: bytes) -> bool:
    """GOT begins with something that is nowhere in EXPECTED: a prompt, or words before the data."""
    return bool(got.strip(b"\0")) and got[:1] != expected[:1] and got[:8] not in expected
