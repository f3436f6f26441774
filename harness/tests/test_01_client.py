"""Lab 01: the echo client, alone, with the server, and with ncat."""

from __future__ import annotations

import os

import pytest

from labkit.echo import (
    BIG, BINARY, PORT, TEXT, WRONG_PORTS, expect_usage_error, finish, serve_once, vanish
)
from labkit.grading import counts_waking, first, graded, half_written, many_packets
from labkit.peer import Peer
from labkit.program import Program
from labkit.reasons import BAD_NETWORK, NAMES_IT, PAIR, PLAINEST, SIZES, TOOL, because
from labkit.scenario import Scenario

LAB = "01-tcp-echo"


def connected(lab: Scenario) -> tuple[Program, Peer]:
    """A client that nobody types to yet, and its server."""
    listener = lab.listen(PORT)
    client = lab.start("client")
    return client, lab.accept(listener)


# -- The client's command line ----------------------------------------------


WRONG = {**WRONG_PORTS, "unknown-option": ["-x"], "surplus-word": ["localhost", "surplus"]}


@pytest.mark.parametrize("arguments", list(WRONG.values()), ids=list(WRONG))
@graded(step=0, points=1, programs=("client",))
def test_client_explains_wrong_arguments(lab: Scenario, arguments: list[str]) -> None:
    """Wrong arguments to the client: a usage line on stderr, exit status 2."""
    expect_usage_error(lab, "client", arguments)


# -- Step 12 and 13: connect ------------------------------------------------


@graded(step=12, points=3, programs=("client",))
def test_client_understands_a_name(lab: Scenario) -> None:
    """HOST may be a name: `localhost`, of which only the IPv4 address answers."""
    listener = lab.listen(PORT)
    client = lab.start("client", "localhost", stdin=TEXT)
    serve_once(lab, listener, TEXT, cause="dotted-only")
    lab.expect_output(client, TEXT)
    finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT), packets="ip")


@first
@because(NAMES_IT)
@graded(step=12, points=2, programs=("client",))
def test_client_connects_by_ipv6(lab: Scenario) -> None:
    """HOST may be an IPv6 address: `::1`."""
    listener = lab.listen(PORT, "::1")
    client = lab.start("client", "::1", stdin=TEXT)
    serve_once(lab, listener, TEXT, cause="no-ipv6")
    lab.expect_output(client, TEXT)
    finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT))


@graded(step=12, points=1, programs=("client",))
def test_client_says_that_a_name_is_unknown(lab: Scenario) -> None:
    """A name that nobody knows: a line `client: ...` on stderr, exit status 1."""
    client = lab.start("client", "no-such-host.invalid", stdin=TEXT)
    lab.expect_unknown_name(client, "client")


@first
@graded(step=13, points=4, programs=("client",))
def test_client_connects_to_the_right_port(lab: Scenario) -> None:
    """Without options the client is at 127.0.0.1, port 4321; `-p` takes another."""
    for port, options in ((PORT, []), (5000, ["-p", "5000"])):
        listener = lab.listen(port)
        client = lab.start("client", *options, stdin=TEXT)
        serve_once(lab, listener, TEXT)
        lab.expect_output(client, TEXT)
        finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT), connections=2)


@because("a name with several addresses, where nothing listens at the first")
@graded(step=13, points=2, programs=("client",))
def test_client_tries_every_address(lab: Scenario) -> None:
    """`localhost` has two addresses: where only IPv6 answers, that one is used."""
    listener = lab.listen(PORT, "::1")
    client = lab.start("client", "localhost", stdin=TEXT)
    serve_once(lab, listener, TEXT, cause="no-ipv6")
    lab.expect_output(client, TEXT)
    finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT), packets="ip6")


@graded(step=13, points=3, programs=("client",))
def test_client_says_that_nobody_listens(lab: Scenario) -> None:
    """A closed port: `client: connect to 127.0.0.1 port 4321: Connection refused`, status 1."""
    client = lab.start("client", stdin=TEXT)
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: connect to 127\.0\.0\.1 port 4321: Connection refused")
    lab.expect_packets("connections=1", "handshake.refused=true")


# -- Step 14 to 17: both directions at once ----------------------------------


@half_written
@graded(step=14, points=2, programs=("client",))
def test_client_waits_for_something_to_do(lab: Scenario) -> None:
    """A client that nobody types to, and nobody answers, stays connected, and is silent."""
    client, peer = connected(lab)
    lab.expect_running(client, "ended-early")
    peer.expect_nothing()
    lab.expect_silence(client)


@half_written
@graded(step=15, points=2, programs=("client",))
def test_client_ends_with_a_silent_server(lab: Scenario) -> None:
    """A server that closes without a word, our stdin still open: exit status 0."""
    client, peer = connected(lab)
    peer.half_close()
    finish(lab, client)


@counts_waking
@graded(step=14, points=2, programs=("client",))
def test_client_waits_without_using_the_processor(lab: Scenario) -> None:
    """A client that nobody types to, and nobody answers, only waits."""
    client, peer = connected(lab)
    lab.expect_idle(client)
    lab.outwait(peer)
    client.close_stdin()
    peer.expect_eof()
    lab.expect_idle(client)
    peer.close()
    finish(lab, client)


@graded(step=14, points=1, programs=("client",))
def test_client_goes_on_after_being_stopped(lab: Scenario) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) while the client waits change nothing."""
    client, peer = connected(lab)
    lab.wait_blocked(client)
    lab.pause(client)
    lab.resume(client)
    client.write(TEXT)
    peer.expect(TEXT, cause="eintr")
    peer.send(TEXT)
    lab.expect_output(client, TEXT, cause="eintr")
    client.close_stdin()
    peer.expect_eof(cause="no-half-close")
    peer.close()
    finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT))


@because(PLAINEST)
@graded(step=15, points=4, programs=("client",))
def test_client_sends_what_is_typed_at_once(lab: Scenario) -> None:
    """Line after line: each is sent, and its echo printed, while stdin stays open."""
    client, peer = connected(lab)
    for number in range(3):
        line = b"line %d\n" % number
        client.write(line)
        peer.expect(line, cause="single-read" if number else None)
        peer.send(line)
        lab.expect_output(client, line)
    client.close_stdin()
    peer.expect_eof(cause="no-half-close")
    peer.close()
    finish(lab, client)
    lab.expect_orderly(3 * len(line), 3 * len(line))


@because(NAMES_IT)
@graded(step=15, points=3, programs=("client",))
def test_client_sends_every_byte_value(lab: Scenario) -> None:
    """All 256 byte values, NUL among them, pass from stdin to stdout unchanged."""
    listener = lab.listen(PORT)
    client = lab.start("client", stdin=BINARY)
    serve_once(lab, listener, BINARY)
    lab.expect_output(client, BINARY)
    finish(lab, client)
    lab.expect_orderly(len(BINARY), len(BINARY))


@because(NAMES_IT)
@graded(step=15, points=4, programs=("client",))
def test_client_sends_a_big_stream_to_a_slow_server(lab: Scenario) -> None:
    """A server that echoes a little at a time, and reads no more until that is taken."""
    listener = lab.listen(PORT, receive_buffer=8192, send_buffer=8192)
    client = lab.start("client", stdin=BIG)
    peer = lab.accept(listener)
    peer.echo_strictly(BIG, cause="deadlock")
    peer.close()
    lab.expect_output(client, BIG)
    finish(lab, client)
    lab.expect_orderly(len(BIG), len(BIG))


@because(NAMES_IT)
@graded(step=16, points=2, programs=("client",))
def test_client_ends_with_status_1_when_it_is_reset(lab: Scenario) -> None:
    """A reset by the server is an error: a line on stderr, exit status 1."""
    client, peer = connected(lab)
    client.write(TEXT)
    peer.expect(TEXT)
    peer.reset()
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .+: Connection reset by peer")


@because(NAMES_IT)
@graded(step=16, points=1, programs=("client",))
def test_client_ends_with_status_1_when_it_is_reset_while_it_sends(lab: Scenario) -> None:
    """A reset while the client waits to send more: a line on stderr, exit status 1."""
    listener = lab.listen(PORT, receive_buffer=4096)
    client = lab.start("client", stdin=BIG)
    peer = lab.accept(listener)
    lab.wait_blocked(client)
    peer.reset()
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .+: (Connection reset by peer|Broken pipe)")


@graded(step=16, points=1, programs=("client",))
def test_client_ends_with_status_1_when_it_is_reset_late(lab: Scenario) -> None:
    """A reset in place of the server's FIN, after the client's own: exit status 1."""
    listener = lab.listen(PORT)
    client = lab.start("client", stdin=TEXT)
    peer = lab.accept(listener)
    peer.expect(TEXT)
    peer.expect_eof(cause="no-half-close")
    peer.reset()
    lab.expect_exit(client, 1)


@graded(step=16, points=2, programs=("client",))
def test_client_says_that_stdin_cannot_be_read(lab: Scenario) -> None:
    """`./client 0> /dev/null`: reading fails, a line `client: ...` on stderr, exit status 1."""
    listener = lab.listen(PORT)
    with open(os.devnull, "wb") as not_to_be_read:
        client = lab.start("client", stdin=not_to_be_read.fileno())
    peer = lab.accept(listener)
    peer.expect_eof()
    peer.close()
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .+: Bad file descriptor")


@because(NAMES_IT)
@graded(step=16, points=3, programs=("client",))
def test_client_prints_a_reply_in_pieces(lab: Scenario) -> None:
    """Two lines that arrive byte by byte are printed whole: the client reads in a loop."""
    listener = lab.listen(PORT)
    client = lab.start("client", stdin=TEXT)
    peer = lab.accept(listener)
    peer.expect(TEXT)
    peer.expect_eof(cause="no-half-close")
    for _ in range(2):
        peer.send_in_pieces(TEXT)
        lab.expect_output(client, TEXT, cause="single-read")
    peer.close()
    finish(lab, client)
    lab.expect_orderly(len(TEXT), 2 * len(TEXT))


@graded(step=16, points=2, programs=("client",))
def test_client_ends_at_the_servers_end_of_file(lab: Scenario) -> None:
    """The server closes first, with our stdin still open: exit status 0."""
    client, peer = connected(lab)
    peer.send(TEXT)
    peer.half_close()
    lab.expect_output(client, TEXT)
    finish(lab, client)
    peer.expect_eof()
    lab.expect_orderly(0, len(TEXT), first_closer="server")


@graded(step=15, points=2, programs=("client",))
def test_client_is_not_ended_by_sigpipe(lab: Scenario) -> None:
    """To send to a server that has gone raises SIGPIPE, which must not end the client unheard."""
    listener = lab.listen(PORT, receive_buffer=4096)
    client = lab.start("client", stdin=BIG)
    peer = lab.accept(listener)
    lab.wait_blocked(client)
    lab.pause(client)
    vanish(lab, peer)
    lab.resume(client)
    lab.wait_for(lambda: client.exit is not None, "the client ends", lambda: "it still runs",
                 "slow-end")
    if client.exit is not None and client.exit.status != 0:  # 0 if it met the FIN first
        lab.expect_exit(client, 1)
        lab.expect_complaint(client, r"client: .+")


@graded(step=17, points=2, programs=("client",))
def test_client_says_that_stdout_is_full(lab: Scenario) -> None:
    """What cannot be written to stdout is an error: a line on stderr, exit status 1."""
    listener = lab.listen(PORT)
    with open("/dev/full", "wb") as full:
        client = lab.start("client", stdin=TEXT, stdout=full.fileno())
    peer = lab.accept(listener)
    peer.expect(TEXT)
    peer.send(TEXT)
    peer.half_close()
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .*: No space left on device")


@because(NAMES_IT)
@graded(step=17, points=3, programs=("client",))
def test_client_prints_a_big_reply_to_a_slow_reader(lab: Scenario) -> None:
    """1 MiB for a reader of stdout that starts late: nothing is lost."""
    listener = lab.listen(PORT)
    client = lab.start("client", stdin=b"")
    client.hold_output()
    peer = lab.accept(listener)
    peer.start_sending(BIG)
    lab.wait_blocked(client)
    client.take_output()
    lab.expect_output(client, BIG, cause="partial-write")
    peer.half_close()
    peer.expect_eof()
    finish(lab, client)
    lab.expect_orderly(0, len(BIG))


# -- Step 18 and 19: half-close, -m -----------------------------------------


@because(BAD_NETWORK)
@graded(step=18, points=4, programs=("client",))
def test_client_half_closes_and_reads_on(lab: Scenario) -> None:
    """At the end of stdin the client's FIN leaves, and what the server then says is printed."""
    listener = lab.listen(PORT)
    client = lab.start("client", stdin=TEXT)
    peer = lab.accept(listener)
    peer.expect(TEXT)
    peer.expect_eof(cause="no-half-close")
    peer.send(TEXT)
    peer.wait_acknowledged()
    peer.close()
    lab.expect_output(client, TEXT, cause="closes-both")
    finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT))


@first
@because(PLAINEST)
@graded(step=19, points=3, programs=("client",))
def test_client_sends_its_message(lab: Scenario) -> None:
    """`-m MESSAGE` sends MESSAGE and a newline, and nothing of stdin."""
    listener = lab.listen(PORT)
    client = lab.start("client", "-m", "hello there", stdin=b"not this\n")
    serve_once(lab, listener, b"hello there\n", cause="messages")
    lab.expect_output(client, b"hello there\n")
    finish(lab, client)
    lab.expect_orderly(12, 12)


@pytest.mark.parametrize("message", ["", "x" * 40_000], ids=["empty", "long"])
@because(SIZES)
@graded(step=19, points=1, programs=("client",))
def test_client_sends_a_message_of_any_length(lab: Scenario, message: str) -> None:
    """`-m ''` sends a newline alone; a message of 40,000 bytes arrives whole."""
    line = message.encode() + b"\n"
    listener = lab.listen(PORT)
    client = lab.start("client", "-m", message, stdin=b"")
    serve_once(lab, listener, line, cause="messages")
    lab.expect_output(client, line)
    finish(lab, client)
    lab.expect_orderly(len(line), len(line))


# -- With the servers, and with ncat -------------------------------------------


@because(PAIR)
@graded(step=19, points=3, programs=("server", "client"))
def test_pair_says_hello(lab: Scenario) -> None:
    """`./client -m hello` and `./server`: one connection, six bytes each way."""
    server = lab.start_server("server", port=PORT)
    client = lab.start("client", "-m", "hello")
    lab.expect_output(client, b"hello\n")
    finish(lab, client)
    lab.expect_orderly(6, 6)
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    lab.expect_line_matching(server, r"connection from 127\.0\.0\.1 port \d+")


@many_packets
@because(PAIR)
@graded(step=17, points=3, programs=("server", "client"))
def test_pair_carries_a_big_stream(lab: Scenario) -> None:
    """1 MiB from the client's stdin through the server to the client's stdout."""
    lab.start_server("server", port=PORT)
    client = lab.start("client", stdin=BIG)
    lab.expect_output(client, BIG)
    finish(lab, client)
    lab.expect_orderly(len(BIG), len(BIG))


@because(TOOL)
@graded(step=18, points=2, programs=("client",))
def test_client_is_served_by_ncat(lab: Scenario) -> None:
    """A server that no one here wrote: what ncat says is printed, what it hears was typed."""
    ncat = lab.start_tool("ncat", "-l", "127.0.0.1", str(PORT))
    lab.wait_listening(ncat, PORT)
    client = lab.start("client")
    client.write(BINARY)
    lab.expect_output(ncat, BINARY)
    ncat.write(TEXT)
    lab.expect_output(client, TEXT)
    client.close_stdin()
    finish(lab, client)
    lab.expect_orderly(len(BINARY), len(TEXT))
