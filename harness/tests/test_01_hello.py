"""Lab 01: hello_server, which reads one message, answers and hangs up."""

from __future__ import annotations

import pytest

from labkit.closing_first import (
    HELLO, MESSAGE, connect, converse, expect_printed, expect_said, start, whole,
)
from labkit.feedback import Mismatch
from labkit.grading import counts_waking, first, graded
from labkit.peer import describe
from labkit.program import Program
from labkit.reasons import NAMES_IT, PLAINEST, because
from labkit.scenario import Scenario

LAB = "01-tcp-echo"
START_LINE = "listening on 127.0.0.1 port 8000"
PRINTED = b"received: " + MESSAGE
LONGEST = 4095
CLIENTS = 50
ORDERLY = ("teardown.kind=fin", "teardown.first_closer=server", "teardown.reset=null",
           f"to_client.bytes={HELLO.says}")

hello_test = dict(programs=(HELLO.name,))


# -- The message ---------------------------------------------------------------


@first
@pytest.mark.parametrize("message", [b"hello\n", b"hello", b"\n", b"hello\r\n\r\n"],
                         ids=["line", "no-newline", "empty-line", "CRLF"])
@because(PLAINEST)
@graded(step=29, points=1, **hello_test)
def test_hello_server_prints_its_message(lab: Scenario, message: bytes) -> None:
    """`received: ` and the message are printed, and a newline if it has none."""
    server = start(lab, HELLO)
    say(lab, message)
    lab.expect_line(server, START_LINE)
    newline = b"" if message.endswith(b"\n") else b"\n"
    expect_printed(lab, server, b"received: " + message + newline)
    whole(lab, HELLO, "the next client")
    expect_printed(lab, server, PRINTED)
    lab.expect_packets(*ORDERLY, "connections=2", f"1:to_server.bytes={len(message)}")


@graded(step=29, points=1, **hello_test)
def test_hello_server_prints_every_byte_value(lab: Scenario) -> None:
    """All 256 byte values, NUL among them, are printed unchanged."""
    message = bytes(range(256)) * 4
    server = start(lab, HELLO)
    say(lab, message)
    lab.expect_line(server, START_LINE)
    expect_printed(lab, server, b"received: " + message + b"\n", cause="c-string")
    lab.expect_orderly(len(message), HELLO.says, first_closer="server")


@because(NAMES_IT)
@graded(step=29, points=1, **hello_test)
def test_hello_server_takes_no_message_for_a_format(lab: Scenario) -> None:
    """`%s` and `%n` in a message are printed as they came."""
    message = b"%d %s%s%s %n%n 100%\n"
    server = start(lab, HELLO)
    peer = connect(lab, HELLO)
    peer.send(message)
    lab.expect_line(server, START_LINE)
    expect_printed(lab, server, b"received: " + message)
    expect_said(peer, HELLO.answer)
    peer.expect_eof(cause="first-closer")
    peer.close()
    lab.expect_orderly(len(message), HELLO.says, first_closer="server")


@first
@because(NAMES_IT)
@graded(step=30, points=2, **hello_test)
def test_hello_server_answers_what_came_first(lab: Scenario) -> None:
    """One read is one message: no more is waited for, and what comes later is not printed."""
    server = start(lab, HELLO)
    peer = connect(lab, HELLO)
    peer.send(b"hel")
    expect_said(peer, HELLO.answer)
    peer.send(b"lo\n")
    peer.expect_fin()
    peer.close()
    lab.wait_blocked(server)  # all it prints of this client is printed
    lab.expect_line(server, START_LINE)
    expect_printed(lab, server, b"received: hel\n")
    whole(lab, HELLO, "the next client")
    expect_printed(lab, server, PRINTED)
    lab.expect_packets(*ORDERLY, "connections=2", "to_server.bytes=6")


@because(NAMES_IT)
@graded(step=29, points=1, **hello_test)
def test_hello_server_prints_a_long_message(lab: Scenario) -> None:
    """A message of 4095 bytes is printed whole."""
    expect_long_message(lab, b"x" * LONGEST)


@graded(step=30, points=1, **hello_test)
def test_hello_server_cuts_a_message_that_is_too_long(lab: Scenario) -> None:
    """Of 5000 bytes 4095 are printed; the rest is read too, but thrown away."""
    expect_long_message(lab, b"x" * 5000)


@graded(step=29, points=1, **hello_test)
def test_hello_server_prints_nothing_of_a_client_that_says_nothing(lab: Scenario) -> None:
    """A client that only half-closes gets a FIN back, and no line is printed for it."""
    server = start(lab, HELLO)
    peer = connect(lab, HELLO)
    peer.half_close()
    lab.settle()  # an answer to nothing may have come, or not
    whole(lab, HELLO, "the next client")
    lab.expect_line(server, START_LINE)
    expect_printed(lab, server, PRINTED)
    lab.expect_packets("connections=2", "teardown.kind=fin", "1:teardown.first_closer=client",
                       f"1:to_client.bytes<={HELLO.says}", "2:teardown.first_closer=server")


# -- Many clients at once --------------------------------------------------------


@because(NAMES_IT)
@graded(step=29, points=1, **hello_test)
def test_hello_server_lets_nobody_wait_for_a_silent_client(lab: Scenario) -> None:
    """While one client is silent, another is served from the first byte to the FIN."""
    start(lab, HELLO)
    silent = connect(lab, HELLO, "the silent client")
    whole(lab, HELLO, "the other client", "idle-client-blocks")
    silent.expect_nothing()
    converse(silent, HELLO)
    silent.close()
    lab.expect_orderly(len(MESSAGE), HELLO.says, first_closer="server", connections=2)


@because(NAMES_IT)
@graded(step=30, points=1, **hello_test)
def test_hello_server_lets_nobody_wait_for_a_client_that_stays(lab: Scenario) -> None:
    """While one client does not close after its answer, another is served."""
    start(lab, HELLO)
    slow = connect(lab, HELLO, "the client that stays")
    converse(slow, HELLO)
    whole(lab, HELLO, "the other client", "idle-client-blocks")
    slow.close()
    lab.expect_orderly(len(MESSAGE), HELLO.says, first_closer="server", connections=2)


@graded(step=29, points=2, **hello_test)
def test_hello_server_serves_fifty_clients_at_once(lab: Scenario) -> None:
    """50 clients are connected; the last that came is the first to speak."""
    server = start(lab, HELLO)
    before = lab.footprint(server)
    peers = [connect(lab, HELLO, f"client {number}", "too-few-clients")
             for number in range(1, CLIENTS + 1)]
    for peer in reversed(peers):
        converse(peer, HELLO, cause="too-few-clients")
        peer.close()
    lab.expect_line(server, START_LINE)
    for _ in peers:
        expect_printed(lab, server, PRINTED)
    lab.expect_back_to(server, before)
    lab.expect_orderly(len(MESSAGE), HELLO.says, first_closer="server", connections=CLIENTS)


@counts_waking
@graded(step=29, points=1, **hello_test)
def test_hello_server_can_run_out_of_descriptors(lab: Scenario) -> None:
    """More silent clients than descriptors: the server waits, or refuses; later it serves again."""
    server = lab.start_server(HELLO.name, port=HELLO.port, descriptors=16)
    before = lab.footprint(server)
    lab.be_patient(2.5)  # a server may look again a second later
    peers = lab.connect_some(14, HELLO.port)
    lab.expect_running(server, "out-of-descriptors")
    lab.expect_idle(server, wakes=30)  # nothing tells that a descriptor is free again
    for peer in peers:
        peer.close()
    whole(lab, HELLO, "the next client", "out-of-descriptors")
    lab.expect_back_to(server, before)


@graded(step=29, points=2, **hello_test)
def test_hello_server_keeps_messages_apart(lab: Scenario) -> None:
    """Messages that come while stdout is full and must wait: each is printed whole, none twice."""
    server = start(lab, HELLO)
    lab.expect_line(server, START_LINE)
    lines = [b"%02d %s" % (number, b"x" * 1400) for number in range(CLIENTS)]  # a segment each
    peers = lab.connect_many(CLIENTS, HELLO.port, cause="too-few-clients")
    lab.wait_blocked(server)
    server.hold_output()
    for peer, line in zip(peers, lines):
        peer.send(line)
    lab.wait_blocked(server)  # the pipe of stdout holds two thirds of it
    server.take_output()
    for peer in peers:
        expect_said(peer, HELLO.answer)
        peer.expect_eof(cause="first-closer")
        peer.close()
    expect_messages(lab, server, lines)
    lab.expect_orderly(len(lines[0]), HELLO.says, first_closer="server", connections=CLIENTS)


# -- What several tests do ---------------------------------------------------------


def say(lab: Scenario, message: bytes) -> None:
    """A client sends MESSAGE, gets the answer and the FIN, and closes."""
    peer = connect(lab, HELLO)
    peer.send(message)
    expect_said(peer, HELLO.answer)
    peer.expect_eof(cause="first-closer")
    peer.close()


def expect_long_message(lab: Scenario, message: bytes) -> None:
    """LONGEST bytes are printed of MESSAGE, all of which is there when the server reads."""
    server = start(lab, HELLO)
    lab.wait_blocked(server)
    lab.pause(server)
    peer = connect(lab, HELLO)
    peer.send(message)
    peer.wait_acknowledged()
    lab.resume(server)
    expect_said(peer, HELLO.answer)
    peer.expect_fin()
    peer.close()
    lab.expect_line(server, START_LINE)
    expect_printed(lab, server, b"received: " + message[:LONGEST] + b"\n")
    whole(lab, HELLO, "the next client")
    expect_printed(lab, server, PRINTED)
    lab.expect_packets(*ORDERLY, "connections=2", f"1:to_server.bytes={len(message)}")


def expect_messages(lab: Scenario, server: Program, messages: list[bytes]) -> None:
    """Stdout has MESSAGES, in whatever order, besides lines that tell of connections."""
    wanted = sorted(b"received: " + message for message in messages)

    def printed() -> list[bytes]:
        return sorted(line for line in bytes(server.stdout).splitlines()
                      if not line.startswith(b"connection from "))

    lab.wait_for(lambda: server.stdout.count(b"received: ") >= len(wanted)
                 and server.stdout.endswith(b"\n"),
                 f"`{server.command}` prints {len(wanted)} messages",
                 lambda: f"{len(printed())} lines", "lines-lost")
    wrong = [line for line in printed() if line not in wanted] or [
        line for line in wanted if line not in printed()]
    if wrong:
        raise Mismatch(expected=f"`{server.command}` prints each message once, as it came",
                       seen=f"not so: {describe(wrong[0])}", cause="lines-mixed")
