"""Lab 02: the command lines of all four programs, and how they come to a connection."""

from __future__ import annotations

import signal
from typing import Optional

import pytest

from labkit.chat import (
    CLIENTS, LINE, PORTS, SERVERS, Conversation, converse, expect_announced
)
from labkit.echo import WRONG_PORTS, expect_usage_error
from labkit.grading import counts_waking, graded_each
from labkit.peer import Listener
from labkit.reasons import NAMES_IT, PLAINEST, because
from labkit.scenario import Scenario

LAB = "02-p2p-chat"

each_server = graded_each(SERVERS, step=0, points=1)
each_client = graded_each(CLIENTS, step=0, points=1)
both_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM],
                                       ids=["SIGINT", "SIGTERM"])


# -- Both servers ----------------------------------------------------------------


@each_server
def test_server_explains_wrong_arguments(lab: Scenario, program: str) -> None:
    """Wrong arguments to the server: a usage line on stderr, exit status 2."""
    for arguments in (*WRONG_PORTS.values(), ["-x"], ["surplus"]):
        expect_usage_error(lab, program, arguments)


@because(PLAINEST)
@each_server
def test_server_prints_its_start_line(lab: Scenario, program: str) -> None:
    """Without options: 127.0.0.1 and its own port, told at once, also into a pipe."""
    port = PORTS[program]
    server = lab.start_server(program, port=port)
    lab.expect_line(server, f"listening on 127.0.0.1 port {port}")


@each_server
def test_server_listens_where_it_is_told(lab: Scenario, program: str) -> None:
    """`-a 0.0.0.0 -p 5000`: every address of the host, port 5000."""
    server = lab.start_server(program, "-a", "0.0.0.0", "-p", "5000", port=5000,
                              address="0.0.0.0")
    lab.expect_line(server, "listening on 0.0.0.0 port 5000")


@because(NAMES_IT)
@each_server
def test_server_tells_the_port_it_got(lab: Scenario, program: str) -> None:
    """`-p 0` takes any free port, and the start line tells the real one."""
    server = lab.start(program, "-p", "0")
    port = lab.listening_port(server)
    lab.expect_line(server, f"listening on 127.0.0.1 port {port}")


@each_server
def test_server_understands_a_name(lab: Scenario, program: str) -> None:
    """`-a localhost` is looked up like any name; what is printed are numbers."""
    server = lab.start(program, "-a", "localhost")
    lab.listening_port(server, cause="dotted-only")
    lab.expect_line_matching(server, rf"listening on (127\.0\.0\.1|::1) port {PORTS[program]}",
                             cause="dotted-only")


@each_server
def test_server_talks_by_ipv6(lab: Scenario, program: str) -> None:
    """`-a ::1` listens on IPv6, and the conversation takes place there."""
    port = PORTS[program]
    server = lab.start_server(program, "-a", "::1", port=port, address="::1", cause="no-ipv6")
    lab.expect_line(server, f"listening on ::1 port {port}")
    peer = lab.connect(port, "::1")
    expect_announced(lab, server, peer, "::1")
    peer_leaves_first(Conversation(lab, server, peer))


@each_server
def test_server_says_that_a_name_is_unknown(lab: Scenario, program: str) -> None:
    """A name that nobody knows: a line on stderr, exit status 1."""
    server = lab.start(program, "-a", "no-such-host.invalid")
    lab.expect_unknown_name(server, program)


@each_server
def test_server_says_that_its_port_is_taken(lab: Scenario, program: str) -> None:
    """A port in use: `NAME: ...: Address already in use` on stderr, exit status 1."""
    port = PORTS[program]
    listener = lab.listen(port)
    lab.expect_port_taken(program)
    listener.close()
    lab.start_server(program, port=port)
    lab.expect_port_taken(program)


@each_server
def test_server_can_be_started_again_at_once(lab: Scenario, program: str) -> None:
    """Ended in the middle of a conversation, and started again: the port is free."""
    first = converse(lab, program)
    first.hear(LINE)
    lab.end_by_signal(first.program, signal.SIGTERM)
    first.peer.expect_reset()
    first.peer.close()  # now the server's side is in TIME-WAIT
    lab.settle()
    second = converse(lab, program, cause="no-reuseaddr")
    peer_leaves_first(second)
    lab.expect_packets("connections=2", "1:teardown.first_closer=server",
                       "2:teardown.first_closer=client", "teardown.kind=fin")


@counts_waking
@each_server
def test_server_waits_for_its_peer_without_using_the_processor(
    lab: Scenario, program: str
) -> None:
    """A server that nobody has called yet only waits."""
    lab.expect_idle(lab.start_server(program, port=PORTS[program]))


@both_signals
@because(NAMES_IT)
@each_server
def test_server_ends_by_a_signal_before_anybody_called(
    lab: Scenario, program: str, number: int
) -> None:
    """SIGINT or SIGTERM ends a server that waits for its peer: exit status 0."""
    server = lab.start_server(program, port=PORTS[program])
    lab.wait_blocked(server)
    lab.end_by_signal(server, number)


# -- Both clients ----------------------------------------------------------------


@each_client
def test_client_explains_wrong_arguments(lab: Scenario, program: str) -> None:
    """Wrong arguments to the client: a usage line on stderr, exit status 2."""
    for arguments in (*WRONG_PORTS.values(), ["-x"], ["localhost", "surplus"]):
        expect_usage_error(lab, program, arguments)


@each_client
def test_client_connects_to_the_right_port(lab: Scenario, program: str) -> None:
    """Without options the client is at 127.0.0.1 and its own port; `-p` takes another."""
    for port, options in ((PORTS[program], []), (5000, ["-p", "5000"])):
        call(lab, lab.listen(port), program, *options)
    lab.expect_orderly(len(LINE), len(LINE), connections=2)


@each_client
def test_client_understands_a_name(lab: Scenario, program: str) -> None:
    """HOST may be a name: `localhost`, of which only the IPv4 address answers."""
    call(lab, lab.listen(PORTS[program]), program, "localhost", cause="dotted-only")
    lab.expect_orderly(len(LINE), len(LINE), packets="ip")


@because(NAMES_IT)
@each_client
def test_client_connects_by_ipv6(lab: Scenario, program: str) -> None:
    """HOST may be an IPv6 address: `::1`."""
    call(lab, lab.listen(PORTS[program], "::1"), program, "::1", cause="no-ipv6")
    lab.expect_orderly(len(LINE), len(LINE))


@each_client
def test_client_tries_every_address(lab: Scenario, program: str) -> None:
    """`localhost` has two addresses: where only IPv6 answers, that one is used."""
    call(lab, lab.listen(PORTS[program], "::1"), program, "localhost", cause="no-ipv6")
    lab.expect_orderly(len(LINE), len(LINE), packets="ip6")


@each_client
def test_client_says_that_a_name_is_unknown(lab: Scenario, program: str) -> None:
    """A name that nobody knows: a line on stderr, exit status 1."""
    client = lab.start(program, "no-such-host.invalid", stdin=LINE)
    lab.expect_unknown_name(client, program)


@each_client
def test_client_says_that_nobody_listens(lab: Scenario, program: str) -> None:
    """A closed port: `NAME: connect to 127.0.0.1 port PORT: Connection refused`, status 1."""
    client = lab.start(program, stdin=LINE)
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, rf"{program}: connect to 127\.0\.0\.1 port {PORTS[program]}: "
                         "Connection refused")
    lab.expect_packets("connections=1", "handshake.refused=true")


# -- What several tests do ---------------------------------------------------------


def peer_leaves_first(talk: Conversation) -> None:
    """The peer says a line, which is printed; both sides close, the peer first."""
    talk.hear(LINE)
    talk.peer_closes()
    talk.program.close_stdin()
    talk.peer.expect_eof()
    talk.expect_exit()


def call(
    lab: Scenario, listener: Listener, name: str, *args: str, cause: Optional[str] = None
) -> None:
    """The client calls LISTENER; a line each way, then both sides close, the client first."""
    client = lab.start(name, *args)
    client.write(LINE)
    talk = Conversation(lab, client, lab.accept(listener, cause))
    listener.close()
    talk.expect_said(LINE)
    talk.hear(LINE)
    talk.end_stdin()
    talk.peer.close()
    talk.expect_exit()
