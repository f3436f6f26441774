"""Lab 01: prompt_server, which asks for data and reads 6 bytes at a time."""

from __future__ import annotations

import pytest

from labkit.closing_first import PROMPT, connect, expect_printed, expect_said
from labkit.grading import first, graded
from labkit.peer import Peer
from labkit.program import Program
from labkit.reasons import BAD_NETWORK, NAMES_IT, because
from labkit.scenario import Scenario

LAB = "01-tcp-echo"
START_LINE = "listening on 127.0.0.1 port 55555"

prompt_test = dict(programs=(PROMPT.name,))


@pytest.mark.parametrize("rounds", ["x", "-1", ""], ids=["x", "minus-1", "empty"])
@because(NAMES_IT)
@graded(step=0, points=1, **prompt_test)
def test_prompt_server_explains_a_wrong_number_of_rounds(lab: Scenario, rounds: str) -> None:
    """`-n` wants a number: else an error, a line on stderr, exit status 1 or 2."""
    server = lab.start(PROMPT.name, "-n", rounds)
    lab.wait_for(lambda: server.exit is not None, f"`{server.command}` is an error",
                 lambda: "it runs", "usage")
    lab.expect_exit(server, 1 if server.exit and server.exit.status == 1 else 2, cause="usage")
    lab.expect_complaint(server, r"\S+")


# -- Rounds ----------------------------------------------------------------------


@first
@because(NAMES_IT)
@graded(step=31, points=2, **prompt_test)
def test_prompt_server_reads_six_bytes_at_a_time(lab: Scenario) -> None:
    """A line of 15 bytes makes rounds of 6, 6 and 3 bytes, each with its answer."""
    server = start(lab)
    peer = connect(lab, PROMPT)
    peer.send(b"hello, network\n")
    expect_rounds(lab, server, 6, 6, 3)
    expect_answers(peer, 3)
    leave(peer)
    lab.expect_orderly(15, said(3))


@first
@because(NAMES_IT)
@graded(step=31, points=1, **prompt_test)
def test_prompt_server_answers_single_bytes(lab: Scenario) -> None:
    """Bytes that come one at a time make a round each: no more is waited for."""
    server = start(lab)
    peer = connect(lab, PROMPT)
    for _ in range(3):
        peer.send(b"x")
        expect_answers(peer, 1)
    expect_rounds(lab, server, 1, 1, 1)
    leave(peer)
    lab.expect_orderly(3, said(3))


@graded(step=31, points=1, **prompt_test)
def test_prompt_server_counts_every_byte(lab: Scenario) -> None:
    """A NUL is a byte as any other, and so is a newline."""
    server = start(lab)
    peer = connect(lab, PROMPT)
    peer.send(b"\0\n\xff\0\0\n" + b"\0")
    expect_answers(peer, 2)
    expect_rounds(lab, server, 6, 1, cause="c-string")
    leave(peer)
    lab.expect_orderly(7, said(2))


@pytest.mark.parametrize("options, rounds", [([], 20), (["-n", "3"], 3), (["-n", "300"], 300)],
                         ids=["default", "3", "300"])
@because(NAMES_IT)
@graded(step=31, points=1, **prompt_test)
def test_prompt_server_holds_as_many_rounds_as_it_is_told(
    lab: Scenario, options: list[str], rounds: int
) -> None:
    """20 rounds, or those of `-n`; after the last the server closes first."""
    server = start(lab, *options)
    peer = connect(lab, PROMPT)
    peer.send(b"x" * 6 * rounds)
    expect_answers(peer, rounds)
    peer.expect_eof(cause="first-closer")
    peer.close()
    expect_rounds(lab, server, *[6] * rounds)
    lab.expect_orderly(6 * rounds, said(rounds), first_closer="server")


# -- The client's end of file ------------------------------------------------------


@because("the client ends first here: all other tests hold the conversation to its last round")
@graded(step=31, points=1, **prompt_test)
def test_prompt_server_ends_at_the_clients_end_of_file(lab: Scenario) -> None:
    """A client that closes in the middle is the first closer, and all it sent is counted."""
    server = start(lab)
    peer = connect(lab, PROMPT)
    peer.send(b"0123456789")
    peer.half_close()
    expect_answers(peer, 2)
    peer.expect_eof()
    peer.close()
    expect_rounds(lab, server, 6, 4)
    lab.expect_orderly(10, said(2))


@because(BAD_NETWORK)
@graded(step=31, points=1, **prompt_test)
def test_prompt_server_closes_after_a_client_that_says_nothing(lab: Scenario) -> None:
    """A client that only half-closes has got the welcome, gets the FIN, and made no round."""
    server = start(lab)
    peer = connect(lab, PROMPT)
    leave(peer)
    peer = connect(lab, PROMPT)
    peer.send(b"next\n")
    expect_answers(peer, 1)
    expect_rounds(lab, server, 5)
    leave(peer)
    lab.expect_packets("connections=2", "teardown.kind=fin", "teardown.first_closer=client",
                       "teardown.reset=null", f"1:to_client.bytes={said(0)}",
                       f"2:to_client.bytes={said(1)}")


@graded(step=31, points=1, **prompt_test)
def test_prompt_server_serves_the_client_that_had_to_wait(lab: Scenario) -> None:
    """A second client is welcomed when the first has gone, and its rounds begin at 1."""
    server = start(lab)
    first = connect(lab, PROMPT, "the first client")
    first.send(b"one\n")
    expect_answers(first, 1)
    second = lab.connect(PROMPT.port, label="the second client")
    second.send(b"two\n")
    lab.wait_blocked(server)
    second.expect_nothing()
    leave(first)
    expect_said(second, PROMPT.greeting, cause="one-client-only")
    expect_answers(second, 1)
    leave(second)
    expect_rounds(lab, server, 4)
    expect_rounds(lab, server, 4, start_line=False)
    lab.expect_orderly(4, said(1), connections=2)


# -- What several tests do ---------------------------------------------------------


def start(lab: Scenario, *options: str) -> Program:
    return lab.start_server(PROMPT.name, *options, port=PROMPT.port)


def said(rounds: int) -> int:
    """Bytes the server has sent after so many rounds."""
    return len(PROMPT.greeting) + rounds * len(PROMPT.answer)


def expect_answers(peer: Peer, rounds: int) -> None:
    """One answer for each of so many rounds."""
    for _ in range(rounds):
        expect_said(peer, PROMPT.answer)


def expect_rounds(
    lab: Scenario, server: Program, *sizes: int, start_line: bool = True, cause: str = "messages"
) -> None:
    """A line for each round of one client, which brought so many bytes."""
    if start_line:
        lab.expect_line(server, START_LINE)
    for number, size in enumerate(sizes, 1):
        line = f"round {number}: {size} bytes, {sum(sizes[:number])} in all\n"
        expect_printed(lab, server, line.encode(), cause)


def leave(peer: Peer) -> None:
    """The client closes first, the server then."""
    peer.half_close()
    peer.expect_eof()
    peer.close()
