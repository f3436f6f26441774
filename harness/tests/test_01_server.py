"""Lab 01: the echo servers, each alone: what all of them do for one client after the other."""

from __future__ import annotations

import signal

import pytest

from labkit.echo import (
    BIG, BINARY, PORT, TEXT, WRONG_PORTS, break_off, echo_after, echo_once, expect_usage_error,
    for_every_server, leave, talk, vanish,
)
from labkit.feedback import Mismatch
from labkit.grading import counts_waking, first, graded, half_written, takes, many_packets
from labkit.reasons import NAMES_IT, PLAINEST, PROGRAMS, TOOL, because
from labkit.scenario import Scenario

LAB = "01-tcp-echo"


# -- The server's command line ---------------------------------------------


WRONG = {**WRONG_PORTS, "unknown-option": ["-x"], "surplus-word": ["surplus"]}


@pytest.mark.parametrize("arguments", list(WRONG.values()), ids=list(WRONG))
@for_every_server(step=0, points=1, fork=0, thread=0, poll=0)
def test_server_explains_wrong_arguments(lab: Scenario, program: str, arguments: list[str]) -> None:
    """Wrong arguments to the server: a usage line on stderr, exit status 2."""
    expect_usage_error(lab, program, arguments)


# -- Step 1 to 4: an address, a socket, listening ---------------------------


@for_every_server(step=1, points=2, poll=25)
def test_server_understands_a_name(lab: Scenario, program: str) -> None:
    """`-a localhost` is looked up like any name; the start line shows a number."""
    server = lab.start(program, "-a", "localhost")
    lab.listening_port(server, cause="dotted-only")
    lab.expect_line_matching(server, r"listening on (127\.0\.0\.1|::1) port 4321",
                             cause="dotted-only")


@first
@because(NAMES_IT)
@for_every_server(step=1, points=2, poll=25)
def test_server_serves_ipv6(lab: Scenario, program: str) -> None:
    """`-a ::1` listens on IPv6 and serves there."""
    server = lab.start_server(program, "-a", "::1", port=PORT, address="::1", cause="no-ipv6")
    lab.expect_line(server, "listening on ::1 port 4321")
    peer = lab.connect(PORT, "::1")
    lab.expect_line(server, f"connection from ::1 port {peer.port}")
    echo_once(peer)
    lab.expect_orderly(len(TEXT), len(TEXT))


@for_every_server(step=1, points=1, poll=25)
def test_server_says_that_a_name_is_unknown(lab: Scenario, program: str) -> None:
    """A name that nobody knows: a line `program: ...` on stderr, exit status 1."""
    server = lab.start(program, "-a", "no-such-host.invalid")
    lab.expect_unknown_name(server, program)


@because(NAMES_IT)
@for_every_server(step=2, points=1, poll=25)
def test_server_speaks_tcp(lab: Scenario, program: str) -> None:
    """The server has a TCP socket, and no UDP socket."""
    lab.start_server(program, port=PORT)
    if lab.network.sockets.udp():
        raise Mismatch(expected="a TCP socket only", seen="a UDP socket", cause="udp-not-tcp")


@half_written
@for_every_server(step=2, points=3, poll=25)
def test_server_has_a_socket(lab: Scenario, program: str) -> None:
    """The server creates a socket, and does not end."""
    server = lab.start(program)
    lab.expect_running(server, "ended-early")
    if not lab.has_socket(server):
        raise Mismatch(expected=f"`{server.command}` has a socket", seen="it has none",
                       cause="not-listening")


@because(PLAINEST)
@for_every_server(step=3, points=2, poll=25)
def test_server_listens_on_the_loopback_by_default(lab: Scenario, program: str) -> None:
    """Without options the server is at 127.0.0.1, port 4321, and nowhere else."""
    lab.start_server(program, port=PORT)


@for_every_server(step=3, points=2, poll=25)
def test_server_listens_where_it_is_told(lab: Scenario, program: str) -> None:
    """`-a 0.0.0.0 -p 5000`: every address of the host, port 5000."""
    server = lab.start_server(program, "-a", "0.0.0.0", "-p", "5000", port=5000,
                              address="0.0.0.0")
    lab.expect_line(server, "listening on 0.0.0.0 port 5000")


@for_every_server(step=3, points=2, poll=25)
def test_server_listens_on_every_ipv6_address(lab: Scenario, program: str) -> None:
    """`-a ::` is open to IPv6 clients, as 0.0.0.0 is to those of IPv4."""
    server = lab.start_server(program, "-a", "::", port=PORT, address="::", cause="no-ipv6")
    lab.expect_line(server, "listening on :: port 4321")
    peer = lab.connect(PORT, "::1", cause="wrong-address")
    lab.expect_line(server, f"connection from ::1 port {peer.port}")
    echo_once(peer)
    lab.expect_orderly(len(TEXT), len(TEXT))


@for_every_server(step=3, points=1, poll=25)
def test_server_says_that_its_port_is_taken(lab: Scenario, program: str) -> None:
    """A port in use: `program: ...: Address already in use` on stderr, exit status 1."""
    lab.listen(PORT)
    lab.expect_port_taken(program)


@because(PLAINEST)
@for_every_server(step=4, points=2, poll=25)
def test_server_prints_its_start_line(lab: Scenario, program: str) -> None:
    """`listening on 127.0.0.1 port 4321` is on stdout, also in a pipe, once it listens."""
    server = lab.start(program)
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    lab.connect(PORT).close()  # the line has promised it


@because(NAMES_IT)
@for_every_server(step=4, points=2, poll=25)
def test_server_tells_the_port_it_got(lab: Scenario, program: str) -> None:
    """`-p 0` takes any free port, and the start line tells the real one."""
    server = lab.start(program, "-p", "0")
    port = lab.listening_port(server)
    lab.expect_line(server, f"listening on 127.0.0.1 port {port}")


@takes(3)  # server_fork: it cannot be seen whether an alarm will end the child
@counts_waking
@because(PROGRAMS)
@for_every_server(step=4, points=1, poll=28)
def test_server_waits_without_using_the_processor(lab: Scenario, program: str) -> None:
    """A server without a client, and one with a silent client, only waits."""
    server = lab.start_server(program, port=PORT)
    lab.expect_idle(server)
    peer = lab.connect(PORT)
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    lab.expect_line_matching(server, r"connection from .*")
    lab.expect_idle(server)
    lab.outwait(peer)
    echo_once(peer)


# -- Step 5: accept --------------------------------------------------------


@half_written
@for_every_server(step=5, points=3, poll=25)
def test_server_accepts_a_client(lab: Scenario, program: str) -> None:
    """A client that connects is told of: `connection from IP port PORT`."""
    server = lab.start_server(program, port=PORT)
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    peer = lab.connect(PORT)
    lab.wait_for(lambda: not any(each.queue for each in lab.listening()),
                 f"`{server.command}` accepts {peer.label}",
                 lambda: f"it waits in the kernel's queue{server.last_words}", "not-accepted",
                 poll=0.001)
    lab.expect_line(server, f"connection from 127.0.0.1 port {peer.port}")


@because(NAMES_IT)
@for_every_server(step=5, points=3, poll=25)
def test_server_tells_who_connects(lab: Scenario, program: str) -> None:
    """`connection from IP port PORT` is printed for each client, with its real port."""
    server = lab.start_server(program, port=PORT)
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    peer = lab.connect(PORT)
    lab.expect_line(server, f"connection from 127.0.0.1 port {peer.port}")
    echo_once(peer)
    lab.expect_orderly(len(TEXT), len(TEXT))


@because(PROGRAMS)
@for_every_server(step=5, points=4, poll=25)
def test_server_serves_one_client_after_the_other(lab: Scenario, program: str) -> None:
    """Fifty clients in a row, each with its own echo and its own FIN."""
    lab.start_server(program, port=PORT)
    for number in range(50):
        line, cause = b"client %02d\n" % number, "one-client-only" if number else None
        peer = lab.connect(PORT, cause=cause)
        talk(peer, line, cause)
        leave(peer)
        peer.close()
    lab.expect_orderly(len(line), len(line), connections=50)


@pytest.mark.parametrize("program", ["server"])
@because(NAMES_IT)
@graded(step=5, points=2)
def test_server_serves_the_client_that_had_to_wait(lab: Scenario, program: str) -> None:
    """A client that connects while another is served has its turn after that one."""
    lab.start_server(program, port=PORT)
    first = lab.connect(PORT, label="the first client")
    talk(first)
    second = lab.connect(PORT, label="the second client")
    second.send(TEXT)
    leave(first)
    second.expect(TEXT, cause="one-client-only")
    leave(second)
    lab.expect_orderly(len(TEXT), len(TEXT), connections=2)


# -- Step 6 and 7: echo ----------------------------------------------------


@half_written
@for_every_server(step=6, points=3)
def test_server_goes_on_after_a_silent_client(lab: Scenario, program: str) -> None:
    """After a client that says nothing and half-closes, the next one is accepted."""
    server = lab.start_server(program, port=PORT)
    lab.expect_line(server, "listening on 127.0.0.1 port 4321")
    for label in ("the first client", "the next client"):
        peer = lab.connect(PORT, label=label, cause="one-client-only")
        lab.expect_line(server, f"connection from 127.0.0.1 port {peer.port}",
                        cause="one-client-only")
        peer.half_close()


@half_written
@for_every_server(step=7, points=3)
def test_server_sends_back_what_comes(lab: Scenario, program: str) -> None:
    """Two lines come back, one after the other; how it ends is not looked at."""
    lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    talk(peer)
    talk(peer, b"and once more\n", cause="single-read")


@first
@because(PLAINEST)
@for_every_server(step=6, points=4)
def test_server_echoes_a_line(lab: Scenario, program: str) -> None:
    """One line goes out, the same line comes back, the client closes first."""
    lab.start_server(program, port=PORT)
    echo_once(lab.connect(PORT))
    lab.expect_orderly(len(TEXT), len(TEXT))


@because(NAMES_IT)
@for_every_server(step=6, points=3)
def test_server_echoes_again_and_again(lab: Scenario, program: str) -> None:
    """A conversation in one connection, each line shorter: the server reads in a loop."""
    lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    lines = [b"the longest line of all\n", b"not so long\n", b"short\n", b"\n"]
    for line in lines:
        peer.send(line)
        peer.expect(line, cause="single-read" if line != lines[0] else None)
    leave(peer)
    total = sum(map(len, lines))
    lab.expect_orderly(total, total)


@because("TCP keeps no borders: it says so with single bytes, others with big streams")
@for_every_server(step=6, points=2)
def test_server_echoes_a_line_split_into_single_bytes(lab: Scenario, program: str) -> None:
    """A line that arrives byte by byte, a segment each, comes back whole."""
    lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    peer.send_in_pieces(TEXT)
    peer.expect(TEXT, cause="single-read")
    leave(peer)
    found = lab.expect_orderly(len(TEXT), len(TEXT))
    assert found[0]["to_server"]["segments"] == len(TEXT)


@because(NAMES_IT)
@for_every_server(step=6, points=3)
def test_server_echoes_every_byte_value(lab: Scenario, program: str) -> None:
    """All 256 byte values, NUL among them, pass unchanged."""
    lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    peer.send(BINARY)
    peer.expect(BINARY)
    leave(peer)
    lab.expect_orderly(len(BINARY), len(BINARY))


@because("a connection without a byte; and a server that ends is not one that closes it")
@for_every_server(step=6, points=2)
def test_server_closes_after_a_client_that_sent_nothing(lab: Scenario, program: str) -> None:
    """A client that only half-closes gets the server's FIN, and not a byte; so does the next."""
    server = lab.start_server(program, port=PORT)
    for _ in range(2):
        leave(lab.connect(PORT, cause="one-client-only"))
        lab.expect_running(server, "one-client-only")  # one that ends sends a FIN, too
    lab.expect_orderly(0, 0, connections=2)


@because(PROGRAMS)
@for_every_server(step=6, points=1)
def test_server_goes_on_after_being_stopped(lab: Scenario, program: str) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) in the middle of a connection change nothing."""
    server = lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    talk(peer)
    lab.wait_blocked(server)
    lab.pause(server)
    lab.resume(server)
    talk(peer, cause="eintr")
    leave(peer)
    lab.expect_orderly(2 * len(TEXT), 2 * len(TEXT))


@because(NAMES_IT)
@for_every_server(step=7, points=4, poll=27)
def test_server_echoes_a_big_stream(lab: Scenario, program: str) -> None:
    """1 MiB, sent and read at the same time, come back byte for byte."""
    lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    peer.start_sending(BIG)
    peer.expect(BIG)
    leave(peer)
    lab.expect_orderly(len(BIG), len(BIG))


@many_packets
@because(NAMES_IT)
@for_every_server(step=7, points=4, poll=28)
def test_server_waits_for_a_slow_reader(lab: Scenario, program: str) -> None:
    """A client that reads only after the server's buffers are full loses nothing."""
    server = lab.start_server(program, port=PORT)
    peer = lab.connect(PORT, receive_buffer=4096)
    peer.start_sending(BIG)
    lab.wait_blocked(server)
    peer.expect(BIG, cause="partial-write")
    leave(peer)
    lab.expect_orderly(len(BIG), len(BIG))


@because("a half-closed connection in the fewest packets; others have it among much else")
@for_every_server(step=7, points=3, poll=27)
def test_server_answers_after_the_clients_fin(lab: Scenario, program: str) -> None:
    """A client that half-closes before it reads anything still gets all of its echo."""
    lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    peer.send(BINARY)
    peer.half_close()
    peer.expect(BINARY)
    peer.expect_eof()
    lab.expect_orderly(len(BINARY), len(BINARY))


@because(PROGRAMS)
@for_every_server(step=7, points=2, poll=28)
def test_server_sends_the_rest_after_the_clients_fin(lab: Scenario, program: str) -> None:
    """A client that half-closes while its echo waits to be read loses none of it."""
    server = lab.start_server(program, port=PORT)
    peer = lab.connect(PORT, receive_buffer=4096)
    peer.send(BIG[:65536])  # this much the kernel takes, whatever the server reads
    peer.half_close()
    lab.wait_blocked(server)
    peer.expect(BIG[:65536], cause="lines-lost")
    peer.expect_eof()
    lab.expect_orderly(65536, 65536)


# -- Step 8: close ----------------------------------------------------------


@because(NAMES_IT)
@for_every_server(step=8, points=4)
def test_server_closes_each_connection(lab: Scenario, program: str) -> None:
    """After the client's FIN comes the server's: a teardown of three or four segments."""
    lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    talk(peer)
    leave(peer, cause="shared-descriptor" if program == "server_fork" else "descriptor-leak")
    peer.close()
    lab.expect_orderly(len(TEXT), len(TEXT))


@because(NAMES_IT)
@for_every_server(step=8, points=3, thread=24)
def test_server_keeps_no_descriptor(lab: Scenario, program: str) -> None:
    """After twenty clients the server has as many descriptors open as before the first."""
    server = lab.start_server(program, port=PORT)
    before = lab.footprint(server)
    for _ in range(20):
        peer = lab.connect(PORT)
        echo_once(peer)
        peer.close()
    lab.expect_back_to(server, before)
    lab.expect_orderly(len(TEXT), len(TEXT), connections=20)


@because(NAMES_IT)
@for_every_server(step=8, points=2, fork=21, thread=24)
def test_server_keeps_no_process(lab: Scenario, program: str) -> None:
    """After five clients the server has the processes it began with, and not a zombie more."""
    server = lab.start_server(program, port=PORT)
    before = lab.footprint(server)
    for _ in range(5):
        peer = lab.connect(PORT)
        echo_once(peer)
        peer.close()
    lab.expect_back_to(server, before)
    lab.expect_orderly(len(TEXT), len(TEXT), connections=5)


@because(TOOL)
@for_every_server(step=8, points=2)
def test_server_serves_ncat(lab: Scenario, program: str) -> None:
    """A client that no one here wrote: ncat gets its echo."""
    lab.start_server(program, port=PORT)
    ncat = lab.start_tool("ncat", "127.0.0.1", str(PORT), stdin=BINARY)
    lab.expect_output(ncat, BINARY)
    lab.expect_exit(ncat, 0)
    lab.expect_orderly(len(BINARY), len(BINARY))


# -- Step 9 to 11: restart, rude clients, the end ---------------------------


@for_every_server(step=9, points=4, fork=22, poll=25)
def test_server_can_be_started_again_at_once(lab: Scenario, program: str) -> None:
    """A server killed with a client connected, and started again: the port is free then only."""
    first = lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    talk(peer)
    lab.expect_port_taken(program)
    first.kill()
    lab.wait_gone(first)
    peer.expect_eof()
    peer.close()  # now the server's side is in TIME-WAIT
    lab.settle()
    lab.start_server(program, port=PORT, cause="no-reuseaddr")
    echo_once(lab.connect(PORT))
    lab.expect_packets("connections=2", "1:teardown.first_closer=server",
                       "2:teardown.first_closer=client", "teardown.kind=fin")


@because(PROGRAMS)
@for_every_server(step=10, points=3)
def test_server_outlives_a_reset(lab: Scenario, program: str) -> None:
    """A client that resets in the middle ends its own connection only, and leaves nothing."""
    server = lab.start_server(program, port=PORT)
    before = lab.footprint(server)
    rude = lab.connect(PORT, label="the client that resets")
    talk(rude)
    break_off(lab, rude)
    lab.expect_running(server, cause="reset-ends-server")
    echo_after(lab, "reset-ends-server")
    lab.expect_back_to(server, before)
    lab.expect_packets("connections=2", "1:teardown.kind=reset", "1:teardown.reset_by=client",
                       "2:teardown.kind=fin", "2:teardown.first_closer=client")


@because(PROGRAMS)
@for_every_server(step=10, points=4, poll=27)
def test_server_outlives_a_client_that_does_not_wait(lab: Scenario, program: str) -> None:
    """To send to a client that has gone raises SIGPIPE, which must not end the server."""
    server = lab.start_server(program, port=PORT)
    rude = lab.connect(PORT, label="the client that leaves")
    talk(rude)
    lab.wait_blocked(server)
    lab.pause(server)
    rude.send(TEXT)
    vanish(lab, rude)  # before the server can answer
    lab.resume(server)
    lab.expect_running(server, cause="reset-ends-server")
    echo_after(lab, "reset-ends-server")


@because(NAMES_IT)
@for_every_server(step=10, points=2, poll=27)
def test_server_outlives_a_reset_while_it_sends(lab: Scenario, program: str) -> None:
    """A client that sends much, reads nothing and resets costs nothing for good."""
    server = lab.start_server(program, port=PORT)
    before = lab.footprint(server)
    rude = lab.connect(PORT, label="the client that resets", receive_buffer=4096)
    rude.start_sending(BIG)
    lab.wait_blocked(server)
    break_off(lab, rude)
    lab.expect_running(server, cause="reset-ends-server")
    echo_after(lab, "reset-ends-server")
    lab.expect_back_to(server, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(NAMES_IT)
@for_every_server(step=11, points=2, fork=22, poll=25)
def test_server_ends_by_a_signal(lab: Scenario, program: str, number: int) -> None:
    """SIGINT or SIGTERM ends a server that waits for a client: exit status 0."""
    server = lab.start_server(program, port=PORT)
    lab.wait_blocked(server)
    lab.end_by_signal(server, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(PROGRAMS)
@for_every_server(step=11, points=1, fork=22, poll=25)
def test_server_ends_while_its_client_is_silent(lab: Scenario, program: str, number: int) -> None:
    """SIGINT or SIGTERM ends a server also while it waits for what its client says next."""
    server = lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    talk(peer)
    lab.wait_blocked(server)
    lab.end_by_signal(server, number)


@because(NAMES_IT)
@for_every_server(step=11, points=2, fork=22, poll=25)
def test_server_ends_while_it_serves(lab: Scenario, program: str) -> None:
    """SIGTERM ends the server also while a client neither sends nor reads."""
    server = lab.start_server(program, port=PORT)
    peer = lab.connect(PORT, receive_buffer=4096)
    peer.start_sending(BIG)
    lab.wait_blocked(server)
    lab.end_by_signal(server, signal.SIGTERM)
