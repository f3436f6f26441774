"""What the graded tests of lab 03's server and client have in common.

Data to send, and a scripted peer's part in what several tests do.
"""

from __future__ import annotations

import contextlib
import re
import time
import warnings
from pathlib import Path
from typing import Optional, Sequence

from labkit.datagrams import Address, DatagramSocket
from labkit.feedback import HarnessError, Mismatch, counted
from labkit.peer import describe
from labkit.program import Program
from labkit.repeated import repeated
from labkit.scenario import Scenario

PORT = 6000
SERVER = ("127.0.0.1", PORT)
TEXT = b"hello, network"
LINE_BYTES = bytes(value for value in range(256) if value != ord("\n"))
"""All that can be in a line."""

FORMAT = b"%s%d%%n%n%n"
"""No text for a printf() to work on."""

FULL_PACKET = 1472
"""Bytes of a datagram that is one IPv4 packet at the loopback's MTU of 1500, and no more."""

_ARRIVED = "6e:65:"
"""How the source address begins of what labwire delivers: no sending, but an arrival."""

PATIENT = ("-t", "10000")
"""Options of a client that sends nothing again while a test lasts."""


def payload(size: int) -> bytes:
    """SIZE printable bytes, each different from its neighbours."""
    return repeated(bytes(33 + i * 7 % 94 for i in range(94)), size)


# -- A server is asked -------------------------------------------------------


def ask(
    peer: DatagramSocket, data: bytes, to: Address = SERVER, cause: Optional[str] = None
) -> None:
    """DATA goes to the server and comes back; if it does not, CAUSE is why."""
    peer.send(data, to)
    expect_reply(peer, data, to, cause)


def expect_reply(
    peer: DatagramSocket, data: bytes, source: Address = SERVER, cause: Optional[str] = None
) -> None:
    """DATA, which was sent to SOURCE, comes from there; if it does not, CAUSE is why."""
    sender = peer.expect(data, cause)
    if sender != source:
        raise Mismatch(expected=f"the reply comes from {source[0]} port {source[1]}",
                       seen=f"it comes from {sender[0]} port {sender[1]}",
                       cause="reply-from-elsewhere")


def expect_takes(lab: Scenario, program: Program, address: Address) -> None:
    """PROGRAM receives what comes to its socket at ADDRESS, whatever it does with it."""
    sender, own = lab.bind_datagrams(), lab.bind_datagrams()
    for _ in range(3):
        sender.send(TEXT, address)
    sender.send(TEXT, own.address)
    own.expect(TEXT)  # sent last: what was sent before has arrived, too
    lab.expect_taken(program, address)


# -- A client asks -----------------------------------------------------------


def answer(server: DatagramSocket, line: bytes, cause: Optional[str] = None) -> Address:
    """Takes LINE, which must be the next that comes, and sends it back; returns the client."""
    client = server.expect(line, cause)
    server.send(line, client)
    return client


def converse(
    lab: Scenario, client: Program, server: DatagramSocket, line: bytes,
    cause: Optional[str] = None,
) -> Address:
    """LINE is typed, answered and printed; returns where it came from."""
    client.write(line + b"\n")
    sender = answer(server, line, cause)
    lab.expect_output(client, line + b"\n", cause)
    return sender


def expect_not_answered(lab: Scenario, client: Program, cause: str) -> None:
    """Waits until the client waits, which must have printed nothing; if it has, CAUSE is why."""
    lab.wait_blocked(client)
    if client.stdout or client.exit is not None:
        raise Mismatch(
            expected=f"`{client.command}` still waits for the reply",
            seen=f"it {client.exit}{client.last_words}" if client.exit is not None
            else f"on stdout: {describe(bytes(client.stdout))}", cause=cause)


def echo_until_printed(
    lab: Scenario, client: Program, server: DatagramSocket, line: bytes, cause: str
) -> None:
    """Sends back whatever comes, until the client has printed LINE; if it does not, CAUSE is why.

    For a network that loses something, so that what comes may come twice.
    """
    def printed() -> bool:
        while server.came:
            data, sender = server.came.popleft()
            server.send(data, sender)
        return b"\n" in client.stdout or client.exit is not None

    before = server.count
    lab.wait_for(printed, f"`{client.command}` gets its reply and prints it",
                 lambda: (f"its line came {counted(server.count - before, 'time')}"
                          f"{client.last_words}"),
                 cause)
    lab.expect_output(client, line + b"\n", cause)


def keep_port(lab: Scenario, own: Address) -> None:
    """If nobody has the address and port OWN any more, nobody can have it again in this test."""
    with contextlib.suppress(OSError):
        lab.bind_datagrams(own[1], own[0], label="who has the client's old port")


def pester(
    lab: Scenario, client: Program, server: DatagramSocket, line: bytes, noise: bytes
) -> int:
    """Takes LINE, then sends NOISE, which is no reply, again and again until the client ends.

    It is sent each 20 to 50 ms, on a busy machine more seldom, and for three seconds, in which
    the client should have ended. Returns how often it was sent.
    """
    sender = server.expect(line)
    begin = next_time = time.monotonic()
    sent = 0

    def over() -> bool:
        nonlocal next_time, sent
        now = time.monotonic()
        if client.exit is None and now >= next_time:
            server.send(noise, server.came[-1].sender if server.came else sender)
            sent += 1
            next_time = now + 0.02
        return client.exit is not None or now >= begin + 3

    expected = f"`{client.command}` gives up in time"
    lab.wait_for(over, expected, lambda: "it does not", "no-timeout", poll=0.003)
    if client.exit is None:
        raise Mismatch(expected, f"after {sent} datagrams that were no reply it still waits",
                       cause="timeout-restarted")
    return sent


def expect_refused(lab: Scenario, client: Program) -> None:
    """The client says at once that nothing listens, and exits with 1."""
    lab.wait_for(lambda: client.exit is not None, f"`{client.command}` is refused and ends",
                 lambda: "it still runs", "unconnected-socket")
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .*: Connection refused")


def expect_no_reply(lab: Scenario, client: Program, asked: Address = SERVER) -> None:
    """The client says that there is no reply from ASKED, and exits with 1."""
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, f"client: no reply from {re.escape(asked[0])} port {asked[1]}$")


def expect_given_up(
    lab: Scenario, client: Program, server: DatagramSocket, line: bytes, sendings: int
) -> float:
    """The client sends LINE SENDINGS times, says that there is no reply, and exits with 1.

    The server has taken none of them yet. Returns when the end was seen: the time of day.
    """
    sent = 0
    ended = 0.0

    def over() -> bool:
        nonlocal sent, ended
        ended = time.time()
        sent = sum(each.data == line for each in server.came)
        return client.exit is not None or sent > sendings

    def why() -> str:
        lab.end_recording()
        return "wrong-timeout" if grows(sending_times(lab.trace, server.address)[-sent:]) \
            else few.get(sent, "wrong-retries")

    expected = f"`{client.command}` sends its line {sendings} times and gives up"
    few = {0: "no-packets", 1: "no-timeout"}
    lab.wait_for(over, expected, lambda: f"{sent} so far, and it still runs{client.last_words}",
                 why)
    seen = ended
    server.take_in()
    over()  # counts once more
    if sent != sendings:
        few[1] = "no-retransmission" if sendings > 1 else "wrong-retries"
        raise Mismatch(expected=expected, seen=f"it sent {sent} datagrams{client.last_words}",
                       cause=few.get(sent, "wrong-retries"))
    expect_no_reply(lab, client, server.address)
    return seen


def expect_spacing(
    times: Sequence[float], at_least: float, shortest: float, last: Optional[int] = None
) -> None:
    """From each of TIMES (of sendings, and of the client's end) to the next: AT_LEAST seconds.

    The shortest wait was below SHORTEST, or the shortest of the LAST ones: of several, not all
    can have been late because the machine was busy.
    """
    gaps = gaps_of(times)
    late = gaps[-(last or len(gaps)):]
    told = ", ".join(f"{gap * 1000:.0f}" for gap in gaps)
    if min(gaps) < at_least or min(late) >= shortest:
        which = f"in the last {last}" if last else "always"
        raise Mismatch(
            expected=f"each wait, from a sending on: at least {at_least * 1000:.0f} ms, and not "
            f"{which} {shortest * 1000:.0f} ms or more",
            seen=f"{told} ms", cause="wrong-timeout")


def gaps_of(times: Sequence[float]) -> list[float]:
    """Seconds from each of TIMES to the next."""
    return [later - earlier for earlier, later in zip(times, times[1:])]


def grows(times: Sequence[float]) -> bool:
    """Whether each wait was much longer than the one before: it is doubled, or the like."""
    gaps = gaps_of(times)
    return len(gaps) > 1 and all(b > 1.4 * a for a, b in zip(gaps, gaps[1:]))


def sending_times(trace: Path, to: Address = SERVER) -> list[float]:
    """When each UDP packet to TO, over IPv4, was sent: the time of day; by scapy, in their order.

    Raises HarnessError when TRACE is of no Ethernet.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what scapy says of itself is no fault of a test
        from scapy.config import conf
        from scapy.layers.inet import IP, UDP
        from scapy.layers.l2 import Ether
        from scapy.utils import RawPcapNgReader

    times = []
    with contextlib.closing(RawPcapNgReader(str(trace))) as reader:
        for data, about in reader:
            if conf.l2types.get(about.linktype) is not Ether:
                raise HarnessError(f"{trace.name}: its packets are no Ethernet frames")
            frame = Ether(data)
            if frame.src.startswith(_ARRIVED):
                continue
            if IP in frame and UDP in frame and (frame[IP].dst, frame[UDP].dport) == to:
                times.append((about.tshigh << 32 | about.tslow) / about.tsresol)
    return times
