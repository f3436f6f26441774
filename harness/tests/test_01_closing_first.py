"""Lab 01: hello_server and prompt_server, which close first: the rules that both obey."""

from __future__ import annotations

import signal

import pytest

from labkit.closing_first import (
    MESSAGE, MORE, SERVERS, connect, converse, expect_printed, expect_said, for_both,
    send_after_the_fin, start, wait_for_the_fin, wait_until_given_up, whole,
)
from labkit.echo import WRONG_PORTS, break_off, expect_usage_error, vanish
from labkit.grading import counts_waking, takes
from labkit.reasons import NAMES_IT, PLAINEST, TOOL, because
from labkit.scenario import Scenario

LAB = "01-tcp-echo"


# -- The command line, listening ---------------------------------------------


WRONG = {**WRONG_PORTS, "unknown-option": ["-x"], "surplus-word": ["surplus"]}


@pytest.mark.parametrize("arguments", list(WRONG.values()), ids=list(WRONG))
@for_both(hello=0, prompt=0, points=1)
def test_closer_explains_wrong_arguments(
    lab: Scenario, program: str, arguments: list[str]
) -> None:
    """Wrong arguments: a usage line on stderr, exit status 2."""
    expect_usage_error(lab, program, arguments)


@because(PLAINEST)
@for_both(hello=29, points=2)
def test_closer_listens_at_its_own_port(lab: Scenario, program: str) -> None:
    """Without options: 127.0.0.1 and the table's port, and the start line says so."""
    server = start(lab, SERVERS[program])
    lab.expect_line(server, f"listening on 127.0.0.1 port {SERVERS[program].port}")


@because("`-a` and `-p`, without which no other test here could choose a port")
@for_both(hello=29, points=2)
def test_closer_listens_where_it_is_told(lab: Scenario, program: str) -> None:
    """`-a 0.0.0.0 -p 5000`: every address of the host, port 5000."""
    server = lab.start_server(program, "-a", "0.0.0.0", "-p", "5000", port=5000,
                              address="0.0.0.0")
    lab.expect_line(server, "listening on 0.0.0.0 port 5000")


@for_both(hello=29, points=2)
def test_closer_understands_a_name(lab: Scenario, program: str) -> None:
    """`-a localhost` is looked up like any name; the start line shows a number."""
    server = lab.start(program, "-a", "localhost")
    port = lab.listening_port(server, cause="dotted-only")
    lab.expect_line_matching(server, rf"listening on (127\.0\.0\.1|::1) port {port}",
                             cause="dotted-only")


@for_both(hello=29, points=2)
def test_closer_serves_ipv6(lab: Scenario, program: str) -> None:
    """`-a ::1 -p 0`: an IPv6 address and any free port; the start line tells the real one."""
    kind = SERVERS[program]
    server = lab.start(program, *kind.options, "-a", "::1", "-p", "0")
    port = lab.listening_port(server, cause="no-ipv6")
    lab.expect_line(server, f"listening on ::1 port {port}")
    peer = lab.connect(port, "::1", cause="no-ipv6")
    expect_said(peer, kind.greeting)
    converse(peer, kind)
    peer.close()
    lab.expect_orderly(len(MESSAGE), kind.says, first_closer="server")


@for_both(hello=29, points=2)
def test_closer_says_that_a_name_is_unknown(lab: Scenario, program: str) -> None:
    """A name that nobody knows: a line `PROGRAM: ...` on stderr, exit status 1."""
    server = lab.start(program, "-a", "no-such-host.invalid")
    lab.expect_unknown_name(server, program)


@because("the message and the status of a mistake that everybody makes")
@for_both(hello=29, points=2)
def test_closer_says_that_its_port_is_taken(lab: Scenario, program: str) -> None:
    """A port in use: `PROGRAM: ...: Address already in use` on stderr, exit status 1."""
    lab.listen(SERVERS[program].port)
    lab.expect_port_taken(program)


# -- A conversation ------------------------------------------------------------


@because(PLAINEST)
@for_both(hello=29, points=2)
def test_closer_answers_and_closes_first(lab: Scenario, program: str) -> None:
    """A message, its answer, and the server's FIN before the client's."""
    kind = SERVERS[program]
    start(lab, kind)
    whole(lab, kind)
    lab.expect_orderly(len(MESSAGE), kind.says, first_closer="server")


@counts_waking
@because(NAMES_IT)
@for_both(hello=29, points=2)
def test_closer_waits_for_its_client(lab: Scenario, program: str) -> None:
    """While a client is silent the server uses no processor time, and sends no answer."""
    kind = SERVERS[program]
    server = start(lab, kind)
    lab.expect_idle(server)
    peer = connect(lab, kind)
    lab.wait_blocked(server)
    lab.expect_idle(server)
    lab.outwait(peer)
    converse(peer, kind)
    peer.close()
    lab.expect_orderly(len(MESSAGE), kind.says, first_closer="server")


@because(NAMES_IT)
@for_both(hello=29, points=2)
def test_closer_serves_one_client_after_the_other(lab: Scenario, program: str) -> None:
    """Ten clients in a row, each with its own conversation."""
    kind = SERVERS[program]
    start(lab, kind)
    for number in range(10):
        whole(lab, kind, cause="one-client-only" if number else None)
    lab.expect_orderly(len(MESSAGE), kind.says, first_closer="server", connections=10)


@for_both(hello=29, points=2)
def test_closer_goes_on_after_being_stopped(lab: Scenario, program: str) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) while a client is silent change nothing."""
    kind = SERVERS[program]
    server = start(lab, kind)
    peer = connect(lab, kind)
    lab.wait_blocked(server)
    lab.pause(server)
    lab.resume(server)
    converse(peer, kind, cause="eintr")
    peer.close()
    lab.expect_orderly(len(MESSAGE), kind.says, first_closer="server")


@because(TOOL)
@for_both(hello=29, points=2)
def test_closer_serves_ncat(lab: Scenario, program: str) -> None:
    """A client that no one here wrote: ncat gets its answer, and goes when stdin ends."""
    kind = SERVERS[program]
    start(lab, kind)
    ncat = lab.start_tool("ncat", "127.0.0.1", str(kind.port))
    ncat.write(MESSAGE)
    lab.expect_output(ncat, kind.greeting + kind.answer)
    wait_for_the_fin(lab)
    ncat.close_stdin()
    lab.expect_exit(ncat, 0)
    lab.expect_orderly(len(MESSAGE), kind.says, first_closer="server")


# -- Closing first without a reset -----------------------------------------------


@because(NAMES_IT)
@for_both(hello=30, points=2)
def test_closer_takes_more_than_it_asked_for(lab: Scenario, program: str) -> None:
    """100,000 bytes under way: the answer and the FIN arrive, and no reset does."""
    kind = SERVERS[program]
    start(lab, kind)
    peer = connect(lab, kind)
    peer.start_sending(MORE)
    expect_said(peer, kind.answer)
    peer.expect_fin()
    peer.send(b"")  # until all is sent
    peer.close()
    lab.expect_orderly(len(MORE), kind.says, first_closer="server")


@counts_waking
@for_both(hello=30, points=2)
def test_closer_reads_on_after_its_fin(lab: Scenario, program: str) -> None:
    """The server waits for the client's FIN, and what comes before that is not reset."""
    kind = SERVERS[program]
    server = start(lab, kind)
    peer = connect(lab, kind)
    converse(peer, kind)
    lab.wait_blocked(server)
    lab.expect_idle(server)
    send_after_the_fin(peer, MESSAGE)
    send_after_the_fin(peer, MORE)
    peer.close()
    lab.expect_orderly(2 * len(MESSAGE) + len(MORE), kind.says, first_closer="server")


@for_both(hello=30, points=2)
def test_closer_outlives_a_reset_after_its_fin(lab: Scenario, program: str) -> None:
    """A client that resets in place of its FIN costs nothing for good."""
    kind = SERVERS[program]
    server = start(lab, kind)
    before = lab.footprint(server)
    rude = connect(lab, kind, "the client that resets")
    converse(rude, kind)
    break_off(lab, rude)
    lab.expect_running(server, cause="reset-ends-server")
    whole(lab, kind, "the next client", "reset-ends-server")
    lab.expect_back_to(server, before)


# -- What clients may cost --------------------------------------------------------


@because(NAMES_IT)
@for_both(hello=29, points=2)
def test_closer_keeps_nothing_of_its_clients(lab: Scenario, program: str) -> None:
    """After twenty clients: no more descriptors, threads and processes than after the first."""
    kind = SERVERS[program]
    server = start(lab, kind)
    for number in range(21):
        peer = connect(lab, kind)
        peer.send(MESSAGE)
        peer.half_close()
        expect_said(peer, kind.answer)
        peer.expect_eof(cause="descriptor-leak")
        peer.close()
        if number == 0:
            before = lab.footprint(server)
    lab.expect_back_to(server, before)
    lab.expect_packets("connections=21", "teardown.kind=fin", f"to_client.bytes={kind.says}")


@for_both(hello=29, points=2)
def test_closer_outlives_a_reset(lab: Scenario, program: str) -> None:
    """A client that resets before it says anything ends its own connection only."""
    kind = SERVERS[program]
    server = start(lab, kind)
    before = lab.footprint(server)
    rude = connect(lab, kind, "the client that resets")
    lab.wait_blocked(server)
    break_off(lab, rude)
    lab.expect_running(server, cause="reset-ends-server")
    whole(lab, kind, "the next client", "reset-ends-server")
    lab.expect_line(server, f"listening on 127.0.0.1 port {kind.port}")
    expect_printed(lab, server, kind.prints)
    lab.expect_back_to(server, before)
    lab.expect_packets("connections=2", "1:teardown.reset_by=client", "2:teardown.kind=fin",
                       "2:teardown.first_closer=server")


@for_both(hello=29, points=2)
def test_closer_outlives_a_client_that_does_not_wait(lab: Scenario, program: str) -> None:
    """To send to a client that has gone raises SIGPIPE, which must not end the server."""
    kind = SERVERS[program]
    server = start(lab, kind)
    before = lab.footprint(server)
    rude = connect(lab, kind, "the client that leaves")
    lab.wait_blocked(server)
    lab.pause(server)
    rude.send(MESSAGE)
    vanish(lab, rude)  # before the server can answer
    lab.resume(server)
    lab.expect_running(server, cause="reset-ends-server")
    whole(lab, kind, "the next client", "reset-ends-server")
    lab.expect_back_to(server, before)


@takes(10)
@for_both(hello=30, prompt=30, points=2)
def test_closer_gives_up_a_client_that_stays(lab: Scenario, program: str) -> None:
    """10 s (prompt_server: 5 s) after its FIN the server waits no longer for the client's."""
    kind = SERVERS[program]
    lab.stall = kind.patience + 3
    server = start(lab, kind)
    before = lab.footprint(server)
    stays = connect(lab, kind, "the client that stays")
    converse(stays, kind)
    wait_until_given_up(lab, stays, kind)
    whole(lab, kind, "the next client", "waits-for-ever")
    lab.expect_back_to(server, before)


# -- Restart, the end ----------------------------------------------------------


@for_both(hello=29, points=2)
def test_closer_can_be_started_again_at_once(lab: Scenario, program: str) -> None:
    """It closed first, so the TIME-WAIT is on its side: the port is free even so, then only."""
    kind = SERVERS[program]
    first = start(lab, kind)
    whole(lab, kind)
    lab.expect_port_taken(program)
    lab.settle()
    first.kill()
    lab.wait_gone(first)
    start(lab, kind, cause="no-reuseaddr")
    whole(lab, kind)
    lab.expect_orderly(len(MESSAGE), kind.says, first_closer="server", connections=2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(NAMES_IT)
@for_both(hello=29, points=2)
def test_closer_ends_by_a_signal(lab: Scenario, program: str, number: int) -> None:
    """SIGINT or SIGTERM ends a server that waits for a client: exit status 0."""
    server = start(lab, SERVERS[program])
    lab.wait_blocked(server)
    lab.end_by_signal(server, number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(NAMES_IT)
@for_both(hello=29, points=2)
def test_closer_ends_while_its_client_is_silent(
    lab: Scenario, program: str, number: int
) -> None:
    """A signal ends a server that waits for a message, and no process of it is left."""
    kind = SERVERS[program]
    server = start(lab, kind)
    connect(lab, kind)
    lab.wait_blocked(server)
    lab.end_by_signal(server, number)


@because(NAMES_IT)
@for_both(hello=30, points=2)
def test_closer_ends_while_its_client_lingers(lab: Scenario, program: str) -> None:
    """SIGTERM ends a server also between its FIN and the client's."""
    kind = SERVERS[program]
    server = start(lab, kind)
    peer = connect(lab, kind)
    converse(peer, kind)
    lab.wait_blocked(server)
    lab.end_by_signal(server, signal.SIGTERM)
