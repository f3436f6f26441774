"""Lab 02: the chat of server and client, each with a scripted peer, both together, ncat.

Once connected both do the same, so that nearly every rule is one test for both.
"""

from __future__ import annotations

import os
import signal
import tempfile
from typing import Optional

import pytest

from labkit.chat import (
    CHAT, LINE, LONG_LINE, MIB, PORTS, Conversation, converse, expect_not_listening,
)
from labkit.echo import BINARY, finish, vanish
from labkit.grading import (
    counts_waking, first, graded, graded_each, half_written, many_packets, takes,
)
from labkit.program import Program
from labkit.reasons import BAD_NETWORK, NAMES_IT, PAIR, PLAINEST, PROGRAMS, SIGNALS, TOOL, because
from labkit.scenario import Scenario

LAB = "02-p2p-chat"
PORT = PORTS["server"]

server_test = dict(programs=("server",))
pair_test = dict(programs=CHAT)
both_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM],
                                       ids=["SIGINT", "SIGTERM"])


# -- Step 7: bytes, as they come -----------------------------------------------------


@first
@graded_each(CHAT, step=7, points=2)
def test_chat_sends_what_is_typed_at_once(lab: Scenario, program: str) -> None:
    """Line after line from stdin, which stays open, and half a line without its end, too."""
    talk = converse(lab, program)
    for line in (b"One.\n", b"exit\n", b"stop\n", b"\n", b"Thr", b"ee.\n"):
        talk.say(line, cause="no-answer")
    talk.end_stdin()
    part(talk)


@because(PLAINEST)
@graded_each(CHAT, step=7, points=2)
def test_chat_prints_what_comes_at_once(lab: Scenario, program: str) -> None:
    """Line after line from the peer, and half a line without its end, too."""
    talk = converse(lab, program)
    for line in (b"One.\n", b"exit\n", b"stop\n", b"\n", b"Thr", b"ee.\n"):
        talk.hear(line, cause="stdout-not-flushed")
    talk.end_stdin()
    part(talk)


@because(NAMES_IT)
@graded_each(CHAT, step=7, points=2)
def test_chat_prints_single_bytes(lab: Scenario, program: str) -> None:
    """A line that comes byte by byte is printed byte by byte."""
    talk = converse(lab, program)
    for byte in LINE:
        talk.hear(bytes([byte]), cause="single-read")
    talk.end_stdin()
    part(talk)


@first
@because(NAMES_IT)
@graded_each(CHAT, step=7, points=2)
def test_chat_carries_every_byte_value(lab: Scenario, program: str) -> None:
    """NUL and all other bytes pass unchanged in both directions."""
    talk = converse(lab, program)
    talk.say(BINARY)
    talk.hear(BINARY, cause="c-string")
    talk.end_stdin()
    part(talk)


@because(NAMES_IT)
@graded_each(CHAT, step=7, points=2)
def test_chat_carries_long_lines_whole(lab: Scenario, program: str) -> None:
    """Lines of 100,000 bytes in both directions at once."""
    talk = converse(lab, program)
    talk.program.write(LONG_LINE)
    talk.start_hearing(LONG_LINE)
    talk.expect_said(LONG_LINE, cause="lines-mixed")
    talk.expect_heard(LONG_LINE, cause="lines-mixed")
    talk.end_stdin()
    part(talk)


@counts_waking
@because(NAMES_IT)
@graded_each(CHAT, step=7, points=2)
def test_chat_waits_for_a_slow_peer(lab: Scenario, program: str) -> None:
    """1 MiB for a peer that reads only when nothing more can be sent: nothing is lost."""
    talk = converse(lab, program, receive_buffer=4096)
    talk.program.write(MIB)
    lab.wait_blocked(talk.program)
    lab.expect_idle(talk.program)
    talk.expect_said(MIB, cause="partial-write")
    talk.end_stdin()
    part(talk)


@counts_waking
@because(NAMES_IT)
@graded_each(CHAT, step=7, points=2)
def test_chat_waits_for_a_slow_reader_of_stdout(lab: Scenario, program: str) -> None:
    """1 MiB for stdout that is read only when nothing more can be printed: nothing is lost."""
    talk = converse(lab, program)
    talk.program.hold_output()
    talk.start_hearing(MIB)
    lab.wait_blocked(talk.program)
    lab.expect_idle(talk.program)
    talk.end_stdin()
    talk.program.take_output()
    talk.expect_heard(MIB, cause="partial-write")
    part(talk)


@pytest.mark.parametrize("source", ["file", "dev-null"])
@because(PROGRAMS)
@graded_each(CHAT, step=7, points=2)
def test_chat_takes_its_stdin_from_a_file(lab: Scenario, program: str, source: str) -> None:
    """`< FILE` and `< /dev/null`: all of it is sent, then the FIN, and the peer is printed."""
    text = LONG_LINE if source == "file" else b""
    with tempfile.TemporaryFile() as file, open(os.devnull, "rb") as null:
        file.write(text)
        file.seek(0)
        stdin = file if source == "file" else null
        talk = converse(lab, program, stdin=stdin.fileno())
    talk.expect_said(text, cause="lines-lost")
    talk.peer.expect_eof(cause="no-half-close")
    talk.hear(LINE, cause="closes-both")
    part(talk)


@graded(step=7, points=1, programs=("client",))
def test_chat_says_that_stdout_is_full(lab: Scenario) -> None:
    """What cannot be printed is an error: a line on stderr, status 1, though stdin is open."""
    with open("/dev/full", "wb") as full:
        talk = converse(lab, "client", stdout=full.fileno())
    talk.peer.send(LINE)
    talk.expect_error(r".*No space left on device")


# -- Step 8: both at once --------------------------------------------------------------


@because(NAMES_IT)
@graded_each(CHAT, step=8, points=2)
def test_chat_goes_both_ways_at_any_time(lab: Scenario, program: str) -> None:
    """Lines typed at odd times on both sides: each is through before the next."""
    talk = converse(lab, program)
    for number, turn in enumerate("<<>><>>>><<<<>><"):
        line = b"Line %d.\n" % number
        if turn == ">":
            talk.say(line, cause="no-answer")
        else:
            talk.hear(line, cause="no-answer")
    talk.end_stdin()
    part(talk)


@many_packets
@because(PROGRAMS)
@graded_each(CHAT, step=8, points=2)
def test_chat_does_not_wait_for_a_peer_that_does_not_read(lab: Scenario, program: str) -> None:
    """1 MiB each way, and the peer reads nothing until it has sent its own."""
    talk = converse(lab, program, receive_buffer=4096)
    talk.program.write(MIB)
    lab.wait_blocked(talk.program)
    talk.start_hearing(MIB)
    talk.expect_heard(MIB, cause="deadlock")
    talk.expect_said(MIB, cause="deadlock")
    talk.end_stdin()
    part(talk)


@many_packets
@because(NAMES_IT)
@graded_each(CHAT, step=8, points=2)
def test_chat_does_not_wait_for_a_stdout_that_is_not_read(lab: Scenario, program: str) -> None:
    """1 MiB each way, and stdout is not read until the peer has had its own."""
    talk = converse(lab, program)
    talk.program.hold_output()
    talk.start_hearing(MIB)
    lab.wait_blocked(talk.program)
    talk.program.write(MIB)
    talk.expect_said(MIB, cause="deadlock")
    talk.program.take_output()
    talk.expect_heard(MIB, cause="deadlock")
    talk.end_stdin()
    part(talk)


@takes(3)  # it cannot be seen whether an alarm will end a child
@counts_waking
@because(PROGRAMS)
@graded_each(CHAT, step=8, points=2)
def test_chat_waits_without_using_the_processor(lab: Scenario, program: str) -> None:
    """Connected and silent; after the end of stdin; after the peer's FIN: it only waits."""
    talk = converse(lab, program)
    lab.expect_idle(talk.program)
    lab.outwait(talk.peer)
    talk.end_stdin()
    lab.expect_idle(talk.program)
    part(talk)


@counts_waking
@because(PROGRAMS)
@graded_each(CHAT, step=8, points=2)
def test_chat_is_idle_after_the_peers_fin(lab: Scenario, program: str) -> None:
    """The peer has closed, stdin is open and silent: the program only waits."""
    talk = converse(lab, program)
    talk.peer_closes()
    talk.expect_peer_closed()
    lab.expect_idle(talk.program)
    end_after_the_peer(talk)


@because(PROGRAMS)
@graded_each(CHAT, step=8, points=2)
def test_chat_goes_on_after_being_stopped(lab: Scenario, program: str) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) change nothing in either direction."""
    talk = converse(lab, program)
    talk.say(LINE)
    talk.hear(LINE)
    lab.wait_blocked(talk.program)
    lab.pause(talk.program)
    lab.wait_blocked(talk.program)
    talk.program.write(LINE)
    talk.start_hearing(LINE)
    lab.resume(talk.program)
    talk.expect_said(LINE, cause="eintr")
    talk.expect_heard(LINE, cause="eintr")
    talk.end_stdin()
    part(talk)


# -- The peer closes first -------------------------------------------------------------


@because(NAMES_IT)
@graded_each(CHAT, step=8, points=2)
def test_chat_goes_on_when_the_peer_has_closed(lab: Scenario, program: str) -> None:
    """`peer closed` at the peer's FIN and not before; what is typed then is still sent."""
    talk = converse(lab, program)
    talk.say(LINE)
    talk.hear(LINE)
    lab.wait_blocked(talk.program)
    talk.expect_peer_not_closed()
    talk.peer_closes()
    talk.expect_peer_closed()
    talk.expect_to_go_on()
    for number in range(3):
        talk.say(b"Line %d.\n" % number, cause="closes-both")
    end_after_the_peer(talk)


@because(NAMES_IT)
@graded_each(CHAT, step=8, points=2)
def test_chat_prints_the_peers_last_lines(lab: Scenario, program: str) -> None:
    """Much, and a FIN right behind it, for a slow stdout: all is printed, then `peer closed`."""
    talk = converse(lab, program)
    talk.program.hold_output()
    talk.start_hearing(LONG_LINE)
    talk.peer_closes()
    lab.wait_blocked(talk.program)
    talk.program.take_output()
    talk.expect_heard(LONG_LINE, cause="lines-lost")
    talk.expect_peer_closed()
    end_after_the_peer(talk)


# -- Resets ------------------------------------------------------------------------------


@because(PROGRAMS)
@graded_each(CHAT, step=8, points=2)
def test_chat_ends_with_status_1_when_it_is_reset(lab: Scenario, program: str) -> None:
    """A reset by the peer: a line on stderr, exit status 1, though stdin is still open."""
    talk = converse(lab, program)
    talk.say(LINE)
    talk.hear(LINE)
    lab.wait_blocked(talk.program)
    talk.peer.reset()
    talk.expect_error()


@because(NAMES_IT)
@graded_each(CHAT, step=10, points=2)
def test_chat_ends_with_status_1_when_it_is_reset_late(lab: Scenario, program: str) -> None:
    """A reset in place of the peer's FIN, after this side's own: exit status 1."""
    talk = converse(lab, program)
    talk.end_stdin()
    lab.wait_blocked(talk.program)
    talk.peer.reset()
    talk.expect_error()


@because(NAMES_IT)
@graded_each(CHAT, step=8, points=2)
def test_chat_ends_with_status_1_when_it_is_reset_while_it_sends(
    lab: Scenario, program: str
) -> None:
    """A peer that does not read and then resets: exit status 1, and no hang."""
    talk = converse(lab, program, receive_buffer=4096)
    talk.program.write(MIB)
    lab.wait_blocked(talk.program)
    talk.peer.reset()
    talk.expect_error()


@graded_each(CHAT, step=7, points=2)
def test_chat_outlives_sigpipe(lab: Scenario, program: str) -> None:
    """To send to a peer that has gone raises SIGPIPE, which must not end the program."""
    talk = converse(lab, program)
    talk.say(LINE)
    lab.pause(talk.program)
    vanish(lab, talk.peer)
    talk.program.write(LINE)
    lab.resume(talk.program)
    talk.program.write(LINE)
    talk.program.close_stdin()
    talk.expect_end_by_itself()


# -- Step 9: the end by a signal -----------------------------------------------------------


@both_signals
@because(NAMES_IT)
@graded(step=9, points=2, **server_test)
def test_chat_server_ends_by_a_signal(lab: Scenario, number: int) -> None:
    """SIGINT or SIGTERM in the conversation: status 0, no process left, the peer is told."""
    talk = converse(lab, "server")
    talk.say(LINE)
    talk.hear(LINE)
    lab.wait_blocked(talk.program)
    lab.end_by_signal(talk.program, number)
    talk.peer.expect_reset()


@both_signals
@because(SIGNALS)
@graded(step=9, points=1, **server_test)
def test_chat_server_ends_by_a_signal_after_its_stdin(lab: Scenario, number: int) -> None:
    """The same while only the peer is still talking."""
    talk = converse(lab, "server")
    talk.end_stdin()
    lab.wait_blocked(talk.program)
    lab.end_by_signal(talk.program, number)
    talk.peer.expect_reset()


@both_signals
@because(SIGNALS)
@graded(step=9, points=1, **server_test)
def test_chat_server_ends_by_a_signal_after_its_peers_fin(lab: Scenario, number: int) -> None:
    """The same while only this side is still talking."""
    talk = converse(lab, "server")
    talk.peer_closes()
    talk.expect_peer_closed()
    lab.wait_blocked(talk.program)
    lab.end_by_signal(talk.program, number)
    talk.peer.expect_eof()


@because(NAMES_IT)
@graded(step=9, points=1, **server_test)
def test_chat_server_ends_by_a_signal_while_it_sends(lab: Scenario) -> None:
    """The same while the peer does not read what is sent."""
    talk = converse(lab, "server", receive_buffer=4096)
    talk.program.write(MIB)
    lab.wait_blocked(talk.program)
    lab.end_by_signal(talk.program, signal.SIGTERM)


# -- Step 11: half-close -------------------------------------------------------------------


@because(BAD_NETWORK)
@graded_each(CHAT, step=11, points=3)
def test_chat_half_closes_at_the_end_of_stdin(lab: Scenario, program: str) -> None:
    """The FIN leaves at the end of stdin, whatever else still holds the connection."""
    talk = converse(lab, program)
    talk.say(LINE)
    talk.hear(LINE)
    lab.wait_blocked(talk.program)
    talk.end_stdin()
    part(talk)


@because(NAMES_IT)
@graded_each(CHAT, step=11, points=2)
def test_chat_sends_all_before_its_fin(lab: Scenario, program: str) -> None:
    """1 MiB of stdin that ends at once, for a slow peer: the FIN comes behind the last byte."""
    talk = converse(lab, program, receive_buffer=4096, stdin=MIB)
    lab.wait_blocked(talk.program)
    talk.expect_said(MIB, cause="lines-lost")
    talk.peer.expect_eof(cause="no-half-close")
    part(talk)


@because(NAMES_IT)
@graded_each(CHAT, step=11, points=2)
def test_chat_sends_all_though_the_peer_has_closed(lab: Scenario, program: str) -> None:
    """The same where the peer closed before it has read any of it."""
    talk = converse(lab, program, receive_buffer=4096, stdin=MIB)
    lab.wait_blocked(talk.program)
    talk.peer_closes()
    talk.expect_peer_closed()
    lab.wait_blocked(talk.program)
    talk.expect_said(MIB, cause="lines-lost")
    talk.peer.expect_eof(cause="no-half-close")
    talk.expect_exit()
    talk.expect_wire(first_closer="peer")


# -- Step 10: the other half ---------------------------------------------------------------


@half_written
@graded_each(CHAT, step=10, points=2)
def test_chat_hears_on_after_its_stdin(lab: Scenario, program: str) -> None:
    """When stdin has ended, what the peer says is still printed; exit status 0 at its end."""
    talk = converse(lab, program)
    talk.program.close_stdin()
    lab.expect_running(talk.program, "closes-both")
    talk.hear(LINE, cause="closes-both")
    talk.peer_closes()
    talk.expect_exit()


@because(NAMES_IT)
@graded_each(CHAT, step=10, points=2)
def test_chat_prints_on_after_its_own_fin(lab: Scenario, program: str) -> None:
    """What the peer says after this side's FIN is printed, line by line, until its own FIN."""
    talk = converse(lab, program)
    talk.say(LINE)
    talk.end_stdin()
    lab.wait_blocked(talk.program)
    for number in range(3):
        talk.hear(b"Line %d.\n" % number, cause="closes-both")
    talk.expect_peer_not_closed()
    part(talk)


@because(PROGRAMS)
@graded_each(CHAT, step=10, points=2)
def test_chat_prints_all_before_it_ends(lab: Scenario, program: str) -> None:
    """After this side's FIN the peer says much and closes: a slow stdout gets all of it."""
    talk = converse(lab, program, stdin=b"")
    talk.peer.expect_eof(cause="no-half-close")
    talk.program.hold_output()
    talk.start_hearing(LONG_LINE)
    talk.peer_closes()
    lab.wait_blocked(talk.program)
    talk.program.take_output()
    talk.expect_heard(LONG_LINE, cause="lines-lost")
    talk.expect_exit()
    talk.expect_peer_closed()
    talk.expect_wire(first_closer="program")


# -- Step 12: one peer only ------------------------------------------------------------------


@graded(step=12, points=2, **server_test)
def test_chat_server_stops_listening(lab: Scenario) -> None:
    """Once it has its peer, the server listens no more: a second one is refused."""
    talk = converse(lab, "server")
    talk.say(LINE)
    expect_not_listening(lab)
    talk.end_stdin()
    part(talk)


# -- At a terminal ---------------------------------------------------------------------------


@because(NAMES_IT)
@graded_each(CHAT, step=8, points=2)
def test_chat_at_a_terminal(lab: Scenario, program: str) -> None:
    """Lines typed at a terminal while the peer talks; Ctrl-D ends this side only."""
    talk = converse(lab, program, terminal=True)
    talk.hear(LINE)
    talk.say(b"One.\n")
    talk.say(b"Two.\n")
    talk.hear(b"half a line")
    talk.say(b"Three.\n")
    talk.end_stdin()
    talk.hear(LINE, cause="closes-both")
    part(talk)


@graded_each(CHAT, step=8, points=2)
def test_chat_at_a_terminal_when_the_peer_closes(lab: Scenario, program: str) -> None:
    """The peer closes; one more line is typed, half of another, and then Ctrl-D."""
    talk = converse(lab, program, terminal=True)
    talk.say(LINE)
    talk.peer_closes()
    talk.expect_peer_closed()
    talk.say(b"Bye.\n", cause="closes-both")
    talk.program.write(b"Oh")
    talk.program.close_stdin()
    talk.expect_said(b"Oh", cause="lines-lost")
    talk.peer.expect_eof()
    talk.expect_exit()
    talk.expect_wire(first_closer="peer")


# -- Both together, and with ncat --------------------------------------------------------------


@pytest.mark.parametrize("terminal", [False, True], ids=["pipes", "terminals"])
@because(PAIR)
@graded_each(CHAT, step=11, points=2)
def test_chat_of_the_pair(lab: Scenario, program: str, terminal: bool) -> None:
    """Server and client together, and PROGRAM leaves first: it sends the first FIN."""
    server, client = both(lab, terminal=terminal)
    first, second = (server, client) if program == "server" else (client, server)
    for speaker, hearer in ((client, server), (client, server), (server, client)):
        pass_on(lab, speaker, hearer, LINE)
    first.close_stdin()
    lab.expect_stderr_line(second, "peer closed", cause="shared-descriptor")
    pass_on(lab, second, first, LINE, cause="closes-both")
    second.close_stdin()
    finish(lab, first)
    finish(lab, second)
    lab.expect_stderr_line(first, "peer closed")
    counts = {"client": (2, 2), "server": (3, 1)}[program]
    lab.expect_orderly(counts[0] * len(LINE), counts[1] * len(LINE), first_closer=program)


@many_packets
@because(PAIR)
@graded(step=8, points=2, **pair_test)
def test_chat_of_the_pair_with_megabytes(lab: Scenario) -> None:
    """1 MiB each way at once, from pipe to pipe, the client's stdin ending last."""
    server, client = both(lab)
    server.write(MIB)
    client.write(MIB)
    lab.expect_output(client, MIB, cause="deadlock")
    lab.expect_output(server, MIB, cause="deadlock")
    server.close_stdin()
    lab.expect_stderr_line(client, "peer closed", cause="shared-descriptor")
    client.close_stdin()
    finish(lab, server)
    finish(lab, client)
    lab.expect_orderly(len(MIB), len(MIB), first_closer="server")


@because("what a killed peer looks like: its kernel closes, and no program has said goodbye")
@graded_each(CHAT, step=9, points=2)
def test_chat_when_the_other_side_is_killed(lab: Scenario, program: str) -> None:
    """PROGRAM is killed: the other side prints `peer closed`, and ends with its own stdin."""
    server, client = both(lab)
    killed, left = (server, client) if program == "server" else (client, server)
    pass_on(lab, killed, left, LINE)
    pass_on(lab, left, killed, LINE)
    lab.wait_blocked(killed)
    killed.kill()
    lab.wait_gone(killed)
    lab.expect_stderr_line(left, "peer closed")
    left.close_stdin()
    finish(lab, left)


@because(TOOL)
@graded(step=8, points=1, **server_test)
def test_chat_server_talks_with_ncat(lab: Scenario) -> None:
    """A client that no one here wrote: ncat talks both ways, and leaves first."""
    server = lab.start_server("server", port=PORT)
    lab.expect_line(server, f"listening on 127.0.0.1 port {PORT}")
    ncat = lab.start_tool("ncat", "127.0.0.1", str(PORT))
    lab.expect_line_matching(server, r"connection from 127\.0\.0\.1 port \d+")
    pass_on(lab, server, ncat, BINARY, cause="messages")
    pass_on(lab, ncat, server, BINARY)
    ncat.close_stdin()
    lab.expect_stderr_line(server, "peer closed")
    pass_on(lab, server, ncat, LINE, cause="closes-both")
    server.close_stdin()
    finish(lab, server)
    lab.expect_exit(ncat, 0)
    lab.expect_orderly(len(BINARY), len(BINARY) + len(LINE))


@because(TOOL)
@graded(step=8, points=1, programs=("client",))
def test_chat_client_talks_with_ncat(lab: Scenario) -> None:
    """A server that no one here wrote: ncat talks both ways, and leaves first."""
    ncat = lab.start_tool("ncat", "-l", "127.0.0.1", str(PORT))
    lab.wait_listening(ncat, PORT)
    client = lab.start("client")
    pass_on(lab, client, ncat, BINARY, cause="messages")
    pass_on(lab, ncat, client, BINARY)
    ncat.close_stdin()
    lab.expect_stderr_line(client, "peer closed")
    pass_on(lab, client, ncat, LINE, cause="closes-both")
    client.close_stdin()
    finish(lab, client)
    lab.expect_orderly(len(BINARY) + len(LINE), len(BINARY), first_closer="server")


# -- What several tests do -----------------------------------------------------------------------


def part(talk: Conversation) -> None:
    """The program has sent its FIN: now its peer's comes, it exits, and all was in order."""
    talk.peer_closes()
    talk.expect_exit()
    talk.expect_peer_closed_once()
    talk.expect_wire(first_closer="program")


def end_after_the_peer(talk: Conversation) -> None:
    """The peer has closed before: now stdin ends, it exits, and all was in order."""
    talk.end_stdin()
    talk.expect_exit()
    talk.expect_wire(first_closer="peer")


def both(lab: Scenario, **how: bool) -> tuple[Program, Program]:
    """Server and client, connected to each other. HOW: as for Scenario.start()."""
    server = lab.start_server("server", port=PORT, **how)
    lab.expect_line(server, f"listening on 127.0.0.1 port {PORT}")
    client = lab.start("client", **how)
    lab.expect_line_matching(server, r"connection from 127\.0\.0\.1 port \d+")
    return server, client


def pass_on(
    lab: Scenario, speaker: Program, hearer: Program, data: bytes, cause: Optional[str] = None
) -> None:
    """DATA is typed at the one program, and the other prints it; if it does not, CAUSE is why."""
    speaker.write(data)
    lab.expect_output(hearer, data, cause)
