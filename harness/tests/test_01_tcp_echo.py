"""Lab 01: the TCP echo pair, each program alone, both together, and with ncat."""

from __future__ import annotations

import signal

import pytest

from labkit.feedback import Mismatch
from labkit.grading import graded
from labkit.scenario import Scenario

LAB = "01-tcp-echo"
PORT = 4321
TEXT = b"hello, network\n"
BINARY = bytes(range(256)) * 8
BIG = bytes(i * 7 % 251 for i in range(1 << 20))
"""1 MiB: more than all buffers between two programs hold together."""

server_test = dict(programs=("server",))
client_test = dict(programs=("client",))
pair_test = dict(programs=("server", "client"))


# -- The server's command line ---------------------------------------------


@pytest.mark.parametrize("arguments", [
    ["-p", "65536"], ["-p", "-1"], ["-p", "80x"], ["-p", "4294971617"], ["-p", ""], ["-x"],
    ["surplus"],
], ids=["port-65536", "port--1", "port-80x", "port-2^32+4321", "port-empty", "unknown-option",
        "surplus-word"])
@graded(step=0, points=1, **server_test)
def test_server_explains_wrong_arguments(lab: Scenario, arguments: list[str]) -> None:
    """Wrong arguments to the server: a usage line on stderr, exit status 2."""
    expect_usage_error(lab, "server", arguments)


# -- Step 1 to 4: an address, a socket, listening ---------------------------


@graded(step=1, points=2, **server_test)
def test_server_understands_a_name(lab: Scenario) -> None:
    """`-a localhost` is looked up like any name; the start line shows a number."""
    server = lab.start("server", "-a", "localhost")
    lab.listening_port(server, cause="dotted-only")
    lab.expect_line_matching(server, r"listening on (127\.0\.0\.1|::1) port 4321",
                             cause="dotted-only")


@graded(step=1, points=2, **server_test)
def test_server_serves_ipv6(lab: Scenario) -> None:
    """`-a ::1` listens on IPv6 and serves there."""
    server = lab.start_server("server", "-a", "::1", port=PORT, address="::1", cause="no-ipv6")
    lab.expect_line(server, "listening on ::1 port 4321")
    peer = lab.connect(PORT, "::1")
    lab.expect_line(server, f"connection from ::1 port {peer.port}")
    echo_once(lab, peer)
    lab.expect_orderly(len(TEXT), len(TEXT))


@graded(step=1, points=1, **server_test)
def test_server_says_that_a_name_is_unknown(lab: Scenario) -> None:
    """A name that nobody knows: a line `server: ...` on stderr, exit status 1."""
    server = lab.start("server", "-a", "no-such-host.invalid")
    lab.expect_exit(server, 1, cause="lookup-error")
    lab.expect_complaint(server, r"server: .+")


@graded(step=2, points=1, **server_test)
def test_server_speaks_tcp(lab: Scenario) -> None:
    """The server has a TCP socket, and no UDP socket."""
    lab.start_server("server", port=PORT)
    if lab.network.sockets.udp():
        raise Mismatch(expected="a TCP socket only", seen="a UDP socket", cause="udp-not-tcp")


@graded(step=3, points=2, **server_test)
def test_server_listens_on_the_loopback_by_default(lab: Scenario) -> None:
    """Without options the server is at 127.0.0.1, port 4321, and nowhere else."""
    lab.start_server("server", port=PORT)


@graded(step=3, points=2, **server_test)
def test_server_listens_where_it_is_told(lab: Scenario) -> None:
    """`-a 0.0.0.0 -p 5000`: every address of the host, port 5000."""
    server = lab.start_server("server", "-a", "0.0.0.0", "-p", "5000", port=5000,
                              address="0.0.0.0")
    lab.expect_line(server, "listening on 0.0.0.0 port 5000")


@graded(step=3, points=1, **server_test)
def test_server_says_that_its_port_is_taken(lab: Scenario) -> None:
    """A port in use: `server: ...: Address already in use` on stderr, exit status 1."""
    lab.listen(PORT)
    server = lab.start("server")
    lab.expect_exit(server, 1, cause="address-in-use")
    lab.expect_complaint(server, r"server: .*: Address already in use")


@graded(step=4, points=2, **server_test)
def test_server_prints_its_start_line(lab: Scenario) -> None:
    """`listening on 127.0.0.1 port 4321` is on stdout, also in a pipe, once it listens."""
    server = lab.start("server")
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    lab.connect(PORT).close()  # the line has promised it


@graded(step=4, points=2, **server_test)
def test_server_tells_the_port_it_got(lab: Scenario) -> None:
    """`-p 0` takes any free port, and the start line tells the real one."""
    server = lab.start("server", "-p", "0")
    port = lab.listening_port(server)
    lab.expect_line(server, f"listening on 127.0.0.1 port {port}")


@graded(step=4, points=1, **server_test)
def test_server_waits_without_using_the_processor(lab: Scenario) -> None:
    """A server without a client, and one with a silent client, only waits."""
    server = lab.start_server("server", port=PORT)
    lab.expect_idle(server)
    peer = lab.connect(PORT)
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    lab.expect_line_matching(server, r"connection from .*")
    lab.expect_idle(server)
    echo_once(lab, peer)


# -- Step 5: accept --------------------------------------------------------


@graded(step=5, points=3, **server_test)
def test_server_tells_who_connects(lab: Scenario) -> None:
    """`connection from IP port PORT` is printed for each client, with its real port."""
    server = lab.start_server("server", port=PORT)
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    peer = lab.connect(PORT)
    lab.expect_line(server, f"connection from 127.0.0.1 port {peer.port}")
    echo_once(lab, peer)
    lab.expect_orderly(len(TEXT), len(TEXT))


@graded(step=5, points=4, **server_test)
def test_server_serves_one_client_after_the_other(lab: Scenario) -> None:
    """Ten clients in a row, each with its own echo and its own FIN."""
    lab.start_server("server", port=PORT)
    for number in range(10):
        line, cause = b"client %d\n" % number, "one-client-only" if number else None
        peer = lab.connect(PORT, cause=cause)
        peer.send(line)
        peer.expect(line, cause=cause)
        peer.half_close()
        peer.expect_eof()
        peer.close()
    lab.expect_orderly(len(line), len(line), connections=10)


@graded(step=5, points=2, **server_test)
def test_server_serves_the_client_that_had_to_wait(lab: Scenario) -> None:
    """A client that connects while another is served has its turn after that one."""
    lab.start_server("server", port=PORT)
    first = lab.connect(PORT, label="the first client")
    first.send(TEXT)
    first.expect(TEXT)
    second = lab.connect(PORT, label="the second client")
    second.send(TEXT)
    first.half_close()
    first.expect_eof()
    second.expect(TEXT, cause="one-client-only")
    second.half_close()
    second.expect_eof()
    lab.expect_orderly(len(TEXT), len(TEXT), connections=2)


# -- Step 6 and 7: echo ----------------------------------------------------


@graded(step=6, points=4, **server_test)
def test_server_echoes_a_line(lab: Scenario) -> None:
    """One line goes out, the same line comes back, the client closes first."""
    lab.start_server("server", port=PORT)
    echo_once(lab, lab.connect(PORT))
    lab.expect_orderly(len(TEXT), len(TEXT))


@graded(step=6, points=3, **server_test)
def test_server_echoes_again_and_again(lab: Scenario) -> None:
    """A conversation in one connection, each line shorter: the server reads in a loop."""
    lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    lines = [b"the longest line of all\n", b"not so long\n", b"short\n", b"\n"]
    for line in lines:
        peer.send(line)
        peer.expect(line, cause="single-read" if line != lines[0] else None)
    peer.half_close()
    peer.expect_eof()
    total = sum(map(len, lines))
    lab.expect_orderly(total, total)


@graded(step=6, points=2, **server_test)
def test_server_echoes_a_line_split_into_single_bytes(lab: Scenario) -> None:
    """A line that arrives byte by byte, a segment each, comes back whole."""
    lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    peer.send_in_pieces(TEXT)
    peer.expect(TEXT, cause="single-read")
    peer.half_close()
    peer.expect_eof()
    found = lab.expect_orderly(len(TEXT), len(TEXT))
    assert found[0]["to_server"]["segments"] == len(TEXT)


@graded(step=6, points=3, **server_test)
def test_server_echoes_every_byte_value(lab: Scenario) -> None:
    """All 256 byte values, NUL among them, pass unchanged."""
    lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    peer.send(BINARY)
    peer.expect(BINARY)
    peer.half_close()
    peer.expect_eof()
    lab.expect_orderly(len(BINARY), len(BINARY))


@graded(step=6, points=2, **server_test)
def test_server_closes_after_a_client_that_sent_nothing(lab: Scenario) -> None:
    """A client that only half-closes gets the server's FIN, and not a byte."""
    lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    peer.half_close()
    peer.expect_eof()
    lab.expect_orderly(0, 0)


@graded(step=6, points=1, **server_test)
def test_server_goes_on_after_being_stopped(lab: Scenario) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) in the middle of a connection change nothing."""
    server = lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    peer.send(TEXT)
    peer.expect(TEXT)
    lab.wait_blocked(server)
    lab.pause(server)
    lab.resume(server)
    peer.send(TEXT)
    peer.expect(TEXT, cause="eintr")
    peer.half_close()
    peer.expect_eof()
    lab.expect_orderly(2 * len(TEXT), 2 * len(TEXT))


@graded(step=7, points=4, **server_test)
def test_server_echoes_a_big_stream(lab: Scenario) -> None:
    """1 MiB, sent and read at the same time, come back byte for byte."""
    lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    peer.start_sending(BIG)
    peer.expect(BIG)
    peer.half_close()
    peer.expect_eof()
    lab.expect_orderly(len(BIG), len(BIG))


@graded(step=7, points=4, **server_test)
def test_server_waits_for_a_slow_reader(lab: Scenario) -> None:
    """A client that reads only after the server's buffers are full loses nothing."""
    server = lab.start_server("server", port=PORT)
    peer = lab.connect(PORT, receive_buffer=4096)
    peer.start_sending(BIG)
    lab.wait_blocked(server)
    peer.expect(BIG, cause="partial-write")
    peer.half_close()
    peer.expect_eof()
    lab.expect_orderly(len(BIG), len(BIG))


@graded(step=7, points=3, **server_test)
def test_server_answers_after_the_clients_fin(lab: Scenario) -> None:
    """A client that half-closes before it reads anything still gets all of its echo."""
    lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    peer.send(BINARY)
    peer.half_close()
    peer.expect(BINARY)
    peer.expect_eof()
    lab.expect_orderly(len(BINARY), len(BINARY))


# -- Step 8: close ----------------------------------------------------------


@graded(step=8, points=4, **server_test)
def test_server_closes_each_connection(lab: Scenario) -> None:
    """After the client's FIN comes the server's: a teardown of three or four segments."""
    lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    peer.send(TEXT)
    peer.expect(TEXT)
    peer.half_close()
    peer.expect_eof(cause="descriptor-leak")
    peer.close()
    lab.expect_orderly(len(TEXT), len(TEXT))


@graded(step=8, points=3, **server_test)
def test_server_keeps_no_descriptor(lab: Scenario) -> None:
    """After twenty clients the server has as many descriptors open as before the first."""
    server = lab.start_server("server", port=PORT)
    lab.wait_blocked(server)
    before = server.descriptors()
    for _ in range(20):
        peer = lab.connect(PORT)
        echo_once(lab, peer)
        peer.close()
    expect_descriptors(lab, server, before)
    lab.expect_orderly(len(TEXT), len(TEXT), connections=20)


@graded(step=8, points=2, **server_test)
def test_server_keeps_no_process(lab: Scenario) -> None:
    """After five clients the server is one process again, without a zombie."""
    server = lab.start_server("server", port=PORT)
    for _ in range(5):
        peer = lab.connect(PORT)
        echo_once(lab, peer)
        peer.close()
    lab.expect_children_buried(server)
    lab.expect_orderly(len(TEXT), len(TEXT), connections=5)


# -- Step 9 to 11: restart, rude clients, the end ---------------------------


@graded(step=9, points=4, **server_test)
def test_server_can_be_started_again_at_once(lab: Scenario) -> None:
    """A server killed with a client connected, and started again: the port is free."""
    first = lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    peer.send(TEXT)
    peer.expect(TEXT)
    first.kill()
    lab.wait_gone(first)
    peer.expect_eof()
    peer.close()  # now the server's side is in TIME-WAIT
    lab.settle()
    lab.start_server("server", port=PORT, cause="no-reuseaddr")
    echo_once(lab, lab.connect(PORT))
    lab.expect_packets("connections=2", "1:teardown.first_closer=server",
                       "2:teardown.first_closer=client", "teardown.kind=fin")


@graded(step=10, points=3, **server_test)
def test_server_outlives_a_reset(lab: Scenario) -> None:
    """A client that resets in the middle ends its own connection only, and leaves nothing."""
    server = lab.start_server("server", port=PORT)
    lab.wait_blocked(server)
    before = server.descriptors()
    rude = lab.connect(PORT, label="the client that resets")
    rude.send(TEXT)
    rude.expect(TEXT)
    rude.reset()
    echo_after(lab, "reset-ends-server")
    expect_descriptors(lab, server, before)
    lab.expect_packets("connections=2", "1:teardown.kind=reset", "1:teardown.reset_by=client",
                       "2:teardown.kind=fin", "2:teardown.first_closer=client")


@graded(step=10, points=4, **server_test)
def test_server_outlives_a_client_that_does_not_wait(lab: Scenario) -> None:
    """To send to a client that has gone raises SIGPIPE, which must not end the server."""
    server = lab.start_server("server", port=PORT)
    rude = lab.connect(PORT, label="the client that leaves")
    rude.send(TEXT)
    rude.expect(TEXT)
    lab.pause(server)
    rude.send(TEXT)  # FIN and RST reach the server before it can read this
    rude.half_close()
    rude.reset()
    lab.resume(server)
    lab.expect_running(server, cause="reset-ends-server")
    echo_after(lab, "reset-ends-server")


@graded(step=10, points=2, **server_test)
def test_server_outlives_a_reset_while_it_sends(lab: Scenario) -> None:
    """A client that sends much, reads nothing and resets costs nothing for good."""
    server = lab.start_server("server", port=PORT)
    lab.wait_blocked(server)
    before = server.descriptors()
    rude = lab.connect(PORT, label="the client that resets", receive_buffer=4096)
    rude.start_sending(BIG)
    lab.wait_blocked(server)
    rude.reset()
    echo_after(lab, "reset-ends-server")
    expect_descriptors(lab, server, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@graded(step=11, points=2, **server_test)
def test_server_ends_by_a_signal(lab: Scenario, number: int) -> None:
    """SIGINT or SIGTERM ends a server that waits for a client: exit status 0."""
    server = lab.start_server("server", port=PORT)
    lab.wait_blocked(server)
    lab.end_by_signal(server, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@graded(step=11, points=1, **server_test)
def test_server_ends_while_its_client_is_silent(lab: Scenario, number: int) -> None:
    """SIGINT or SIGTERM ends a server also while it waits for what its client says next."""
    server = lab.start_server("server", port=PORT)
    peer = lab.connect(PORT)
    peer.send(TEXT)
    peer.expect(TEXT)
    lab.wait_blocked(server)
    lab.end_by_signal(server, number)


@graded(step=11, points=2, **server_test)
def test_server_ends_while_it_serves(lab: Scenario) -> None:
    """SIGTERM ends the server also while a client neither sends nor reads."""
    server = lab.start_server("server", port=PORT)
    peer = lab.connect(PORT, receive_buffer=4096)
    peer.start_sending(BIG)
    lab.wait_blocked(server)
    lab.end_by_signal(server, signal.SIGTERM)


# -- The client's command line ----------------------------------------------


@pytest.mark.parametrize("arguments", [
    ["-p", "65536"], ["-p", "-1"], ["-p", "80x"], ["-p", "4294971617"], ["-p", ""], ["-x"],
    ["localhost", "surplus"],
], ids=["port-65536", "port--1", "port-80x", "port-2^32+4321", "port-empty", "unknown-option",
        "surplus-word"])
@graded(step=0, points=1, **client_test)
def test_client_explains_wrong_arguments(lab: Scenario, arguments: list[str]) -> None:
    """Wrong arguments to the client: a usage line on stderr, exit status 2."""
    expect_usage_error(lab, "client", arguments)


# -- Step 12 and 13: connect ------------------------------------------------


@graded(step=12, points=3, **client_test)
def test_client_understands_a_name(lab: Scenario) -> None:
    """HOST may be a name: `localhost`, of which only the IPv4 address answers."""
    listener = lab.listen(PORT)
    client = lab.start("client", "localhost", stdin=TEXT)
    serve_once(lab, listener, TEXT, cause="dotted-only")
    lab.expect_output(client, TEXT)
    finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT), packets="ip")


@graded(step=12, points=2, **client_test)
def test_client_connects_by_ipv6(lab: Scenario) -> None:
    """HOST may be an IPv6 address: `::1`."""
    listener = lab.listen(PORT, "::1")
    client = lab.start("client", "::1", stdin=TEXT)
    serve_once(lab, listener, TEXT, cause="no-ipv6")
    lab.expect_output(client, TEXT)
    finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT))


@graded(step=12, points=1, **client_test)
def test_client_says_that_a_name_is_unknown(lab: Scenario) -> None:
    """A name that nobody knows: a line `client: ...` on stderr, exit status 1."""
    client = lab.start("client", "no-such-host.invalid", stdin=TEXT)
    lab.expect_exit(client, 1, cause="lookup-error")
    lab.expect_complaint(client, r"client: .+")


@graded(step=13, points=4, **client_test)
def test_client_connects_to_the_right_port(lab: Scenario) -> None:
    """Without options the client is at 127.0.0.1, port 4321; `-p` takes another."""
    for port, options in ((PORT, []), (5000, ["-p", "5000"])):
        listener = lab.listen(port)
        client = lab.start("client", *options, stdin=TEXT)
        serve_once(lab, listener, TEXT)
        lab.expect_output(client, TEXT)
        finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT), connections=2)


@graded(step=13, points=2, **client_test)
def test_client_tries_every_address(lab: Scenario) -> None:
    """`localhost` has two addresses: where only IPv6 answers, that one is used."""
    listener = lab.listen(PORT, "::1")
    client = lab.start("client", "localhost", stdin=TEXT)
    serve_once(lab, listener, TEXT, cause="no-ipv6")
    lab.expect_output(client, TEXT)
    finish(lab, client)
    lab.expect_orderly(len(TEXT), len(TEXT), packets="ip6")


@graded(step=13, points=3, **client_test)
def test_client_says_that_nobody_listens(lab: Scenario) -> None:
    """A closed port: `client: connect to 127.0.0.1 port 4321: Connection refused`, status 1."""
    client = lab.start("client", stdin=TEXT)
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: connect to 127\.0\.0\.1 port 4321: Connection refused")
    lab.expect_packets("connections=1", "handshake.refused=true")


# -- Step 14 to 17: both directions at once ----------------------------------


@graded(step=14, points=2, **client_test)
def test_client_waits_without_using_the_processor(lab: Scenario) -> None:
    """A client that nobody types to, and nobody answers, only waits."""
    listener = lab.listen(PORT)
    client = lab.start("client")
    peer = lab.accept(listener)
    lab.expect_idle(client)
    client.close_stdin()
    peer.expect_eof()
    lab.expect_idle(client)
    peer.close()
    finish(lab, client)


@graded(step=14, points=1, **client_test)
def test_client_goes_on_after_being_stopped(lab: Scenario) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) while the client waits change nothing."""
    listener = lab.listen(PORT)
    client = lab.start("client")
    peer = lab.accept(listener)
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


@graded(step=15, points=4, **client_test)
def test_client_sends_what_is_typed_at_once(lab: Scenario) -> None:
    """Line after line: each is sent, and its echo printed, while stdin stays open."""
    listener = lab.listen(PORT)
    client = lab.start("client")
    peer = lab.accept(listener)
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


@graded(step=15, points=3, **client_test)
def test_client_sends_every_byte_value(lab: Scenario) -> None:
    """All 256 byte values, NUL among them, pass from stdin to stdout unchanged."""
    listener = lab.listen(PORT)
    client = lab.start("client", stdin=BINARY)
    serve_once(lab, listener, BINARY)
    lab.expect_output(client, BINARY)
    finish(lab, client)
    lab.expect_orderly(len(BINARY), len(BINARY))


@graded(step=15, points=4, **client_test)
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


@graded(step=16, points=2, **client_test)
def test_client_ends_with_status_1_when_it_is_reset(lab: Scenario) -> None:
    """A reset by the server is an error: a line on stderr, exit status 1."""
    listener = lab.listen(PORT)
    client = lab.start("client")
    peer = lab.accept(listener)
    client.write(TEXT)
    peer.expect(TEXT)
    peer.reset()
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .+: Connection reset by peer")


@graded(step=16, points=1, **client_test)
def test_client_ends_with_status_1_when_it_is_reset_late(lab: Scenario) -> None:
    """A reset in place of the server's FIN, after the client's own: exit status 1."""
    listener = lab.listen(PORT)
    client = lab.start("client", stdin=TEXT)
    peer = lab.accept(listener)
    peer.expect(TEXT)
    peer.expect_eof(cause="no-half-close")
    peer.reset()
    lab.expect_exit(client, 1)


@graded(step=16, points=3, **client_test)
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


@graded(step=16, points=2, **client_test)
def test_client_ends_at_the_servers_end_of_file(lab: Scenario) -> None:
    """The server closes first, with our stdin still open: exit status 0."""
    listener = lab.listen(PORT)
    client = lab.start("client")
    peer = lab.accept(listener)
    peer.send(TEXT)
    peer.half_close()
    lab.expect_output(client, TEXT)
    finish(lab, client)
    peer.expect_eof()
    lab.expect_orderly(0, len(TEXT), first_closer="server")


@graded(step=17, points=2, **client_test)
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


@graded(step=17, points=3, **client_test)
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


@graded(step=18, points=4, **client_test)
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


@graded(step=19, points=3, **client_test)
def test_client_sends_its_message(lab: Scenario) -> None:
    """`-m MESSAGE` sends MESSAGE and a newline, and nothing of stdin."""
    listener = lab.listen(PORT)
    client = lab.start("client", "-m", "hello there", stdin=b"not this\n")
    serve_once(lab, listener, b"hello there\n", cause="messages")
    lab.expect_output(client, b"hello there\n")
    finish(lab, client)
    lab.expect_orderly(12, 12)


@pytest.mark.parametrize("message", ["", "x" * 40_000], ids=["empty", "long"])
@graded(step=19, points=1, **client_test)
def test_client_sends_a_message_of_any_length(lab: Scenario, message: str) -> None:
    """`-m ''` sends a newline alone; a message of 40,000 bytes arrives whole."""
    line = message.encode() + b"\n"
    listener = lab.listen(PORT)
    client = lab.start("client", "-m", message, stdin=b"")
    serve_once(lab, listener, line, cause="messages")
    lab.expect_output(client, line)
    finish(lab, client)
    lab.expect_orderly(len(line), len(line))


# -- Both together, and with ncat -------------------------------------------


@graded(step=19, points=3, **pair_test)
def test_pair_says_hello(lab: Scenario) -> None:
    """`./client -m hello` and `./server`: one connection, six bytes each way."""
    server = lab.start_server("server", port=PORT)
    client = lab.start("client", "-m", "hello")
    lab.expect_output(client, b"hello\n")
    finish(lab, client)
    lab.expect_orderly(6, 6)
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    lab.expect_line_matching(server, r"connection from 127\.0\.0\.1 port \d+")


@graded(step=17, points=3, **pair_test)
def test_pair_carries_a_big_stream(lab: Scenario) -> None:
    """1 MiB from the client's stdin through the server to the client's stdout."""
    lab.start_server("server", port=PORT)
    client = lab.start("client", stdin=BIG)
    lab.expect_output(client, BIG)
    finish(lab, client)
    lab.expect_orderly(len(BIG), len(BIG))


@graded(step=8, points=2, **server_test)
def test_server_serves_ncat(lab: Scenario) -> None:
    """A client that no one here wrote: ncat gets its echo."""
    lab.start_server("server", port=PORT)
    ncat = lab.start_tool("ncat", "127.0.0.1", str(PORT), stdin=BINARY)
    lab.expect_output(ncat, BINARY)
    lab.expect_exit(ncat, 0)
    lab.expect_orderly(len(BINARY), len(BINARY))


@graded(step=18, points=2, **client_test)
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


# -- What several tests do ---------------------------------------------------


def expect_usage_error(lab: Scenario, name: str, arguments: list[str]) -> None:
    """The program prints a usage line to stderr, nothing to stdout, and exits with 2."""
    program = lab.start(name, *arguments, stdin=b"")
    lab.expect_exit(program, 2, cause="usage")
    lab.expect_complaint(program, r"usage: ")
    lab.expect_silence(program)


def finish(lab: Scenario, client) -> None:
    """The client exits with 0, and stdout has had the echo and nothing else."""
    lab.expect_exit(client, 0)
    lab.expect_silence(client)


def echo_once(lab: Scenario, peer) -> None:
    """A line goes out and comes back, then both sides close, the client first."""
    peer.send(TEXT)
    peer.expect(TEXT)
    peer.half_close()
    peer.expect_eof()


def expect_descriptors(lab: Scenario, server, before: int) -> None:
    """The server has as many descriptors open as it had BEFORE its clients."""
    lab.wait_blocked(server)
    if server.descriptors() > before:
        raise Mismatch(expected=f"{before} open descriptors, as before the first client",
                       seen=f"{server.descriptors()}", cause="descriptor-leak")


def echo_after(lab: Scenario, cause: str) -> None:
    """The server still serves; if it does not, CAUSE is why."""
    peer = lab.connect(PORT, label="the next client", cause=cause)
    peer.send(TEXT)
    peer.expect(TEXT, cause=cause)
    peer.half_close()
    peer.expect_eof(cause=cause)
    peer.close()


def serve_once(lab: Scenario, listener, data: bytes, cause=None) -> None:
    """A scripted echo server for one client that sends DATA and half-closes."""
    peer = lab.accept(listener, cause=cause)
    peer.expect(data, cause=cause)
    peer.send(data)
    peer.expect_eof(cause="no-half-close")
    peer.close()
    listener.close()
