"""Scripted UDP peers: they send and take exactly what a test says, when it says so."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import deque
from typing import Callable, NamedTuple, Optional, Sequence

from labkit.feedback import Mismatch, counted
from labkit.peer import Waiter, describe, difference, guess_cause

Address = tuple[str, int]
"""A numeric address and a port."""

MOST = 65_507
"""Bytes that one datagram can carry over IPv4: 65,535 less two headers (RFC 768, RFC 791)."""


_VAGUE = ("no-packets", "wrong-receiver")
"""Causes that are found where a test knows none that is nearer."""

FLOOD = 2_000
"""Datagrams that have come and were not asked for, from which on nobody waits for more."""
_AT_ONCE = 256
_ROOM = memoryview(bytearray(1 << 16))
"""Where a datagram is received: to make room of this size for each takes longer."""


class Datagram(NamedTuple):
    """One that came."""

    data: bytes
    sender: Address


class Arrival(Datagram):
    """With the time at which it was taken in."""

    when = 0.0
    """Seconds, as time.monotonic() has them."""


class DatagramSocket:
    """A UDP socket in the hands of the test.

    What comes is taken in while the test waits for anything at all, and kept in its
    order. Methods that wait raise Mismatch when what they want does not come.
    """

    def __init__(
        self, waiter: Waiter, sock: socket.socket, label: str,
        why_nothing: Callable[[], Optional[str]] = lambda: None,
        last_words: Callable[[], str] = lambda: "",
    ) -> None:
        """WHY_NOTHING finds the cause when not one datagram has ever come.

        LAST_WORDS: what programs have said on stderr, to be added to what was seen.
        """
        self.sock = sock
        self.label = label
        self.came: deque[Arrival] = deque()
        """What has come and was not asked for yet."""
        self.received: list[int] = []
        """Sizes in bytes of all that have come."""
        self.sent: list[int] = []
        """Sizes of all that were sent."""
        self._last_sent: deque[bytes] = deque(maxlen=8)
        self._waiter = waiter
        self._why_nothing = why_nothing
        self._last_words = last_words
        waiter.watch(sock.fileno(), selectors.EVENT_READ, lambda _: self.take_in())

    @property
    def address(self) -> Address:
        """Where it is bound."""
        host, port = self.sock.getsockname()[:2]
        return str(host), int(port)

    @property
    def port(self) -> int:
        """Its port."""
        return self.address[1]

    @property
    def count(self) -> int:
        """How many datagrams have come in all."""
        return len(self.received)

    def send(self, data: bytes, to: Address) -> None:
        """Sends DATA as one datagram. Raises OSError where the kernel refuses."""
        self.sock.sendto(data, to)
        self.sent.append(len(data))
        self._last_sent.append(data)

    def take(self, cause: Optional[str] = None) -> Datagram:
        """The next datagram, whatever it is; if none comes, CAUSE is why."""
        self._wait_for(1, "a datagram", cause)
        return self.came.popleft()

    def expect(self, data: bytes, cause: Optional[str] = None) -> Address:
        """Takes the next datagram, which must be DATA; returns who sent it.

        cause: why another one comes, or none; found by what comes where it is not given.
        """
        wanted = f"a datagram of {counted(len(data), 'byte')}: {describe(data)}"
        self._wait_for(1, wanted, cause or (None if data else "empty-datagram"))
        got, sender = self.came.popleft()
        if got != data:
            newline = " (the line's newline is sent, too)" if got == data + b"\n" else ""
            raise Mismatch(expected=f"{self.label} receives {wanted}",
                           seen=f"a datagram: {difference(data, got)}{newline}",
                           cause=cause or self._damage(data, got, sender))
        return sender

    def expect_all(self, datagrams: Sequence[bytes], cause: Optional[str] = None) -> None:
        """Takes as many datagrams as there are, which must be these in whatever order."""
        wanted = counted(len(datagrams), "datagram")
        self._wait_for(len(datagrams), wanted, cause)
        left = list(datagrams)
        for _ in datagrams:
            got, sender = self.came.popleft()
            if got not in left:
                like = min(left, key=lambda data: abs(len(data) - len(got)))
                raise Mismatch(
                    expected=f"{self.label} receives {wanted}, one of them {describe(like)}",
                    seen=f"{describe(got)} from {sender[0]} port {sender[1]}",
                    cause=cause or self._damage(like, got, sender))
            left.remove(got)

    def expect_nothing(self, cause: str = "messages") -> None:
        """So far nothing has come but what was taken.

        The test has to see to it that there could have been something: by waiting until
        a program waits itself (wait_blocked), or for a later datagram.
        """
        self.take_in()
        if self.came:
            got, sender = self.came[0]
            raise Mismatch(expected=f"{self.label} is sent nothing more",
                           seen=f"a datagram of {counted(len(got), 'byte')} from {sender[0]} port "
                           f"{sender[1]}: {describe(got)}", cause=cause)

    def close(self) -> None:
        """Gives up the port: who sends to it is told so (ICMP, port unreachable)."""
        if self.sock.fileno() >= 0:
            self._waiter.watch(self.sock.fileno(), 0, lambda _: None)
            self.sock.close()

    def take_in(self) -> None:
        """Takes in what the kernel has, without waiting; of a flood only some at once."""
        if self.sock.fileno() < 0:
            return
        with contextlib.suppress(BlockingIOError):
            for _ in range(_AT_ONCE):
                size, sender = self.sock.recvfrom_into(_ROOM, 0, socket.MSG_DONTWAIT)
                arrival = Arrival(_ROOM[:size].tobytes(), sender[:2])
                arrival.when = time.monotonic()
                self.came.append(arrival)
                self.received.append(size)
        if len(self.came) > FLOOD:
            self.close()
            raise Mismatch(expected=f"{self.label} is sent what it asks for",
                           seen=f"more than {FLOOD} datagrams that it did not ask for",
                           cause="surplus-datagrams")

    def _wait_for(self, count: int, wanted: str, cause: Optional[str]) -> None:
        if len(self.came) >= count:
            return
        if not self.came:
            self._waiter.needs("speaks")
        self._waiter.wait_for(
            lambda: len(self.came) >= count, f"{self.label} receives {wanted}",
            lambda: (f"{counted(len(self.came), 'datagram')} came" if count > 1 else "none came")
            + self._last_words(),
            lambda: self._why_none(cause))

    def _why_none(self, cause: Optional[str]) -> str:
        """What the trace shows comes before CAUSE, but not what it may show for many a reason."""
        found = self._why_nothing() if self.count == 0 else None
        likely = (cause, found) if found in _VAGUE else (found, cause)
        return likely[0] or likely[1] or "no-answer"

    def _damage(self, wanted: bytes, got: bytes, sender: Address) -> Optional[str]:
        """The fault that shows in GOT, which came in place of WANTED, if one does."""
        if not wanted:
            return "empty-datagram"
        if got == wanted + b"\n":
            return "messages"
        if got.startswith(wanted + b"\n"):
            return "not-one-datagram"
        if got == wanted + b"\0":
            return "c-string"
        if wanted.startswith(got):
            return self._why_short(wanted, got, sender)
        if any(len(sent) == len(got) and sent.endswith(got[len(wanted):])
               for sent in self._last_sent if got.startswith(wanted)):
            return "c-string"  # up to the end of one that was there before
        return guess_cause(wanted, got)

    def _why_short(self, wanted: bytes, got: bytes, sender: Address) -> str:
        """Of WANTED only the beginning GOT came: the rest is in other datagrams, or nowhere."""
        def rest() -> bytes:
            return b"".join(each.data for each in self.came if each.sender == sender)

        if wanted.startswith(b"\0", len(got)):
            return "c-string"
        if not got:
            return "cut-datagram"
        with contextlib.suppress(Mismatch):
            self._waiter.wait_for(lambda: bool(self.came), "the rest of it", lambda: "nothing")
        return "not-one-datagram" if rest() and wanted.startswith(got + rest()) else "cut-datagram"
