"""Lab 02: the conversation in turns, each side with a scripted peer, both together, ncat."""

from __future__ import annotations

import signal

import pytest

from labkit.chat import (
    LINE, LONG_LINE, MIB, MORE, PORTS, TURNS, Conversation, converse, expect_nothing_printed,
    its_turn, peers_turn,
)
from labkit.echo import break_off, finish, half_close, vanish
from labkit.grading import counts_waking, first, graded, graded_each, half_written
from labkit.program import Program
from labkit.reasons import NAMES_IT, PAIR, PLAINEST, TOOL, because
from labkit.scenario import Scenario

LAB = "02-p2p-chat"
PORT = PORTS["turn_server"]

LOOP = {"turn_server": 1, "turn_client": 2}
"""The step that is a side's own."""
ODD_LINE = bytes(byte for byte in range(256) if byte != 10) * 4 + b"\n"
"""Every byte value but the newline, and that at the end."""

server_test = dict(step=1, programs=("turn_server",))
client_test = dict(step=2, programs=("turn_client",))


# -- Step 3: a line, and not what one call gives -----------------------------------


@half_written
@graded(step=3, points=2, programs=("turn_server",))
def test_turn_server_waits_for_what_its_client_says(lab: Scenario) -> None:
    """A silent client is waited for; when it has said `stop`, the server ends: exit status 0."""
    server = lab.start_server("turn_server", port=PORT)
    peer = lab.connect(PORT)
    lab.expect_running(server, "ended-early")
    peer.expect_nothing("ended-early")
    peer.send(b"stop\n")
    peer.expect_eof()
    peer.close()
    lab.expect_exit(server, 0)


@because(NAMES_IT)
@graded_each(TURNS, step=3, points=2)
def test_turns_wait_for_the_end_of_a_line(lab: Scenario, program: str) -> None:
    """A line that comes byte by byte is one line: the answer waits for its newline."""
    talk = peers_turn(lab, program)
    talk.program.write(b"Fine.\n")
    talk.peer.send_in_pieces(LINE[:-1])
    lab.wait_blocked(talk.program)
    talk.peer.expect_nothing(cause="single-read")
    talk.peer.send(LINE[-1:])
    talk.heard += len(LINE)
    talk.expect_heard(LINE, cause="single-read")
    talk.expect_said(b"Fine.\n", cause="single-read")
    talk.hear(LINE)
    end(talk)


@because(NAMES_IT)
@graded_each(TURNS, step=3, points=2)
def test_turns_keep_a_second_line_for_the_next_turn(lab: Scenario, program: str) -> None:
    """Two lines in one segment: one is printed now, the other after this side's own line."""
    talk = peers_turn(lab, program)
    talk.start_hearing(b"One.\nTwo.\n")
    talk.expect_heard(b"One.\n")
    expect_nothing_printed(lab, talk.program, cause="out-of-turn")
    talk.say(LINE)
    talk.expect_heard(b"Two.\n", cause="lines-lost")
    end(talk)


@because(NAMES_IT)
@graded_each(TURNS, step=3, points=2)
def test_turns_print_a_long_line_whole(lab: Scenario, program: str) -> None:
    """A line of 1 MiB from the peer is one line, and one turn."""
    talk = peers_turn(lab, program)
    talk.hear(MIB.replace(b"\n", b" ") + b"\n", cause="lines-mixed")
    talk.say(LINE)
    talk.hear(LINE, cause="lines-mixed")
    end(talk)


@because(NAMES_IT)
@graded_each(TURNS, step=3, points=2)
def test_turns_send_a_long_line_whole(lab: Scenario, program: str) -> None:
    """A line of 100,000 bytes from stdin is one line, and one turn."""
    talk = its_turn(lab, program)
    talk.say(LONG_LINE, cause="lines-mixed")
    talk.hear(LINE)
    talk.say(LINE, cause="lines-mixed")
    talk.hear(LINE)
    end(talk)


@first
@because(NAMES_IT)
@graded_each(TURNS, step=3, points=2)
def test_turns_carry_every_byte_value(lab: Scenario, program: str) -> None:
    """NUL and all other bytes pass in both directions: a line is bytes up to a newline."""
    talk = peers_turn(lab, program)
    talk.hear(ODD_LINE, cause="c-string")
    talk.say(ODD_LINE, cause="c-string")
    talk.hear(b"a line of DOS\r\n", cause="messages")
    talk.say(b"a line of DOS\r\n", cause="messages")
    talk.hear(LINE)
    end(talk)


@graded_each(TURNS, step=3, points=2)
def test_turns_take_an_empty_line_for_a_line(lab: Scenario, program: str) -> None:
    """A newline alone is a turn like any other, in both directions."""
    talk = peers_turn(lab, program)
    talk.hear(b"\n", cause="lines-lost")
    talk.say(b"\n", cause="lines-lost")
    talk.hear(LINE)
    end(talk)


@because(NAMES_IT)
@graded_each(TURNS, step=3, points=2)
def test_turns_print_a_last_line_without_newline(lab: Scenario, program: str) -> None:
    """What the peer says right before its FIN is printed, although no newline ends it."""
    talk = peers_turn(lab, program)
    talk.program.close_stdin()
    talk.start_hearing(b"Good night")
    talk.peer_closes()
    talk.expect_heard(b"Good night", cause="lines-lost")
    talk.peer.expect_eof()
    lab.expect_exit(talk.program, 0)
    talk.expect_wire(first_closer="peer")


# -- Step 4: printed at once ---------------------------------------------------------


@because(PLAINEST)
@graded_each(TURNS, step=4, points=2)
def test_turns_print_a_line_at_once(lab: Scenario, program: str) -> None:
    """The peer's line is on stdout before anything is typed, turn after turn."""
    talk = peers_turn(lab, program)
    for number in range(3):
        talk.hear(b"Line %d.\n" % number, cause="stdout-not-flushed")
        talk.say(LINE)
    talk.hear(LINE)
    end(talk)


@graded(step=4, points=1, programs=("turn_client",))
def test_turn_client_says_that_stdout_is_full(lab: Scenario) -> None:
    """What cannot be printed is an error: a line on stderr, exit status 1."""
    with open("/dev/full", "wb") as full:
        talk = peers_turn(lab, "turn_client", stdout=full.fileno())
    talk.peer.send(LINE)
    talk.peer_closes()
    talk.program.close_stdin()
    talk.expect_error(r".*No space left on device")


# -- Step 5: sent whole, with its newline ------------------------------------------


@because(PLAINEST)
@graded_each(TURNS, step=5, points=2)
def test_turns_send_a_line_at_once(lab: Scenario, program: str) -> None:
    """What is typed is sent, and nothing else, while stdin stays open."""
    talk = its_turn(lab, program)
    for number in range(3):
        talk.say(b"Line %d.\n" % number)
        talk.hear(LINE)
    end(talk)


@graded_each(TURNS, step=5, points=2)
def test_turns_end_a_last_line_with_a_newline(lab: Scenario, program: str) -> None:
    """A last line without newline is sent with one; then the side closes first."""
    talk = its_turn(lab, program, stdin=b"Good night")
    talk.expect_said(b"Good night\n", cause="messages")
    talk.hear(LINE)
    expect_closed_first(talk)


@because(NAMES_IT)
@graded_each(TURNS, step=5, points=2)
def test_turns_wait_for_a_slow_reader(lab: Scenario, program: str) -> None:
    """A line of 1 MiB for a peer that reads late: all of it arrives."""
    line = MIB.replace(b"\n", b" ") + b"\n"
    talk = its_turn(lab, program, receive_buffer=4096)
    talk.program.write(line)
    lab.wait_blocked(talk.program)
    talk.expect_said(line, cause="partial-write")
    talk.hear(LINE)
    end(talk)


# -- Step 1 and 2: whose turn it is ------------------------------------------------


@half_written
@graded(points=2, **server_test)
def test_turn_server_ends_with_a_silent_client(lab: Scenario) -> None:
    """A client that closes without a word ends the server, too: exit status 0."""
    server = lab.start_server("turn_server", port=PORT)
    half_close(lab.connect(PORT))
    lab.expect_exit(server, 0)


@first
@because(NAMES_IT)
@graded_each(TURNS, step=LOOP, points=2)
def test_turns_alternate(lab: Scenario, program: str) -> None:
    """All lines are typed ahead: still each waits for the peer's, and none is lost."""
    typed = [b"Mine %d.\n" % number for number in range(4)]
    talk = converse(lab, program, stdin=b"".join(typed))
    if talk.is_server:
        lab.wait_blocked(talk.program)
        talk.peer.expect_nothing(cause="out-of-turn")
        talk.hear(LINE)
    for line in typed:
        talk.expect_said(line, cause="lines-lost")
        lab.wait_blocked(talk.program)
        talk.peer.expect_nothing(cause="out-of-turn")
        talk.hear(b"Yours: " + line)
    expect_closed_first(talk)


@because(NAMES_IT)
@graded_each(TURNS, step=LOOP, points=2)
def test_turns_end_at_the_end_of_stdin(lab: Scenario, program: str) -> None:
    """End of stdin in a side's own turn: nothing more is sent, it closes first, status 0."""
    end(its_turn(lab, program))


@because(NAMES_IT)
@graded_each(TURNS, step=LOOP, points=2)
def test_turns_end_when_the_peer_closes(lab: Scenario, program: str) -> None:
    """The peer's FIN in place of a line: exit status 0, also while stdin is still open."""
    talk = peers_turn(lab, program)
    talk.peer_closes()
    talk.peer.expect_eof(cause="slow-end")
    talk.expect_exit()
    talk.expect_wire(first_closer="peer")


@because(NAMES_IT)
@graded_each(TURNS, step=LOOP, points=2)
def test_turns_end_when_the_peer_closed_meanwhile(lab: Scenario, program: str) -> None:
    """A FIN that comes before this side has spoken: exit status 0, at its end of stdin at last."""
    talk = its_turn(lab, program)
    talk.peer_closes()
    lab.wait_blocked(talk.program)
    talk.program.close_stdin()
    talk.peer.expect_eof()
    talk.expect_exit()
    talk.expect_wire(first_closer="peer")


@graded_each(TURNS, step=LOOP, points=2)
def test_turns_end_with_status_1_when_reset_while_listening(lab: Scenario, program: str) -> None:
    """A reset in place of the peer's line: a line on stderr, exit status 1."""
    talk = peers_turn(lab, program)
    lab.wait_blocked(talk.program)
    talk.peer.reset()
    talk.expect_error()


@graded_each(TURNS, step=LOOP, points=2)
def test_turns_end_with_status_1_when_reset_while_speaking(lab: Scenario, program: str) -> None:
    """A reset before this side has spoken: once it speaks, a line on stderr, exit status 1."""
    talk = its_turn(lab, program)
    lab.wait_blocked(talk.program)
    break_off(lab, talk.peer)
    talk.program.write(LINE)
    talk.expect_error()


@graded_each(TURNS, step=LOOP, points=2)
def test_turns_outlive_sigpipe(lab: Scenario, program: str) -> None:
    """To speak to a peer that has gone raises SIGPIPE, which must not end the program."""
    talk = its_turn(lab, program)
    lab.expect_running(talk.program, "ended-early")
    vanish(lab, talk.peer)
    talk.program.write(LINE)
    talk.program.close_stdin()
    talk.expect_end_by_itself()


@counts_waking
@because(NAMES_IT)
@graded_each(TURNS, step=LOOP, points=2)
def test_turns_wait_without_using_the_processor(lab: Scenario, program: str) -> None:
    """While it waits for the peer, and while it waits for what is typed."""
    talk = peers_turn(lab, program)
    lab.expect_idle(talk.program)
    lab.outwait(talk.peer)
    talk.hear(LINE)
    lab.expect_idle(talk.program)
    end(talk)


@graded_each(TURNS, step=LOOP, points=2)
def test_turns_go_on_after_being_stopped(lab: Scenario, program: str) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) change nothing, whosever turn it is."""
    talk = peers_turn(lab, program)
    stop_and_go_on(lab, talk)
    talk.hear(LINE, cause="eintr")
    stop_and_go_on(lab, talk)
    talk.say(LINE, cause="eintr")
    talk.hear(LINE)
    end(talk)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(NAMES_IT)
@graded(points=1, **server_test)
def test_turn_server_ends_by_a_signal(lab: Scenario, number: int) -> None:
    """SIGINT or SIGTERM in the middle of a conversation: exit status 0, and the peer is told."""
    talk = its_turn(lab, "turn_server")
    lab.wait_blocked(talk.program)
    lab.end_by_signal(talk.program, number)
    talk.peer.expect_reset()


@pytest.mark.parametrize("last", [b"exit\n", b"exit"], ids=["exit", "exit-without-newline"])
@because(NAMES_IT)
@graded(points=1, **client_test)
def test_turn_client_ends_with_exit(lab: Scenario, last: bytes) -> None:
    """The line `exit` is not sent: the client closes first, exit status 0."""
    talk = its_turn(lab, "turn_client", stdin=LINE + last)
    talk.expect_said(LINE)
    talk.hear(LINE)
    expect_closed_first(talk)


@graded(points=1, **client_test)
def test_turn_client_knows_exit_from_other_lines(lab: Scenario) -> None:
    """Only the whole line `exit`, and only when it is typed here, ends the conversation."""
    talk = its_turn(lab, "turn_client")
    for line in (b"exits\n", b"exit now\n", b" exit\n", b"exit \n", b"EXIT\n", b"exi\n",
                 b"exit\0\n", b"stop\n"):
        talk.say(line, cause="messages")
        talk.hear(b"exit\n", cause="messages")
    talk.say(LINE, cause="messages")
    talk.hear(b"stop\n", cause="messages")
    end(talk)


@because(NAMES_IT)
@graded(points=2, **server_test)
def test_turn_server_ends_at_stop(lab: Scenario) -> None:
    """The line `stop` is printed; then the server closes first, whatever is still in stdin."""
    talk = peers_turn(lab, "turn_server")
    talk.program.write(b"One.\nTwo.\n")
    talk.hear(LINE)
    talk.expect_said(b"One.\n")
    talk.hear(b"stop\n", cause="messages")
    talk.peer.expect_eof(cause="slow-end")
    talk.peer.close()
    talk.expect_exit()
    talk.expect_wire(first_closer="program")


@graded(points=1, **server_test)
def test_turn_server_knows_stop_from_other_lines(lab: Scenario) -> None:
    """Only the whole line `stop`, and only from the client, ends the conversation."""
    talk = peers_turn(lab, "turn_server")
    for line in (b"stops\n", b"stop now\n", b" stop\n", b"stop \n", b"STOP\n", b"sto\n",
                 b"stop\0\n", b"exit\n"):
        talk.hear(line, cause="messages")
        talk.say(b"stop\n", cause="messages")
    talk.hear(LINE, cause="messages")
    talk.say(b"exit\n", cause="messages")
    talk.hear(b"stop\n")
    expect_closed_first(talk)


# -- Step 6: no reset ----------------------------------------------------------------


@graded(step=6, points=1, programs=("turn_server",))
def test_turn_server_ends_without_a_reset(lab: Scenario) -> None:
    """The client has said more than was read: the server's FIN comes, and no reset."""
    talk = peers_turn(lab, "turn_server")
    talk.peer.send(b"stop\n" + MORE)
    talk.expect_heard(b"stop\n")
    talk.peer.expect_fin()
    talk.peer.close()
    talk.expect_exit()
    lab.expect_packets("connections=1", "teardown.kind=fin")


@graded(step=6, points=1, programs=("turn_client",))
def test_turn_client_ends_without_a_reset(lab: Scenario) -> None:
    """The server has said more than was read: the client's FIN comes, and no reset."""
    talk = peers_turn(lab, "turn_client")
    talk.peer.send(LINE + MORE)
    talk.expect_heard(LINE)
    talk.program.write(b"exit\n")
    talk.peer.expect_fin()
    talk.peer.close()
    talk.expect_exit()
    lab.expect_packets("connections=1", "teardown.kind=fin")


# -- At a terminal, both together, and with ncat -------------------------------------


@because(NAMES_IT)
@graded_each(TURNS, step=LOOP, points=2)
def test_turns_are_taken_at_a_terminal(lab: Scenario, program: str) -> None:
    """Lines typed at a terminal, the last of them and Ctrl-D ahead of their turn."""
    talk = its_turn(lab, program, terminal=True)
    talk.say(LINE)
    talk.program.write(b"One.\n")
    talk.program.close_stdin()
    talk.hear(LINE)
    talk.expect_said(b"One.\n")
    talk.hear(LINE)
    expect_closed_first(talk)


@pytest.mark.parametrize("how", ["exit", "stop", "clients-stdin", "servers-stdin"])
@because(PAIR)
@graded(step=2, points=1, programs=TURNS)
def test_turns_of_the_pair(lab: Scenario, how: str) -> None:
    """Both programs together, and each way to end it; who ends it closes first."""
    server = lab.start_server("turn_server", port=PORT)
    client = lab.start("turn_client")
    lab.expect_line(server, f"listening on 127.0.0.1 port {PORT}")
    pass_a_line(lab, client, server, b"Hello.\n")
    pass_a_line(lab, server, client, b"Hi.\n")
    extra = 0
    if how == "exit":
        client.write(b"exit\n")
    elif how == "stop":
        pass_a_line(lab, client, server, b"stop\n")
        extra = 5
    elif how == "clients-stdin":
        client.close_stdin()
    else:
        pass_a_line(lab, client, server, b"More?\n")
        extra = 6
        server.close_stdin()
    finish(lab, server)
    finish(lab, client)
    first = "server" if how in ("stop", "servers-stdin") else "client"
    lab.expect_orderly(7 + extra, 4, first_closer=first)


@because(PAIR)
@graded(step=2, points=1, programs=TURNS)
def test_turns_of_the_pair_at_terminals(lab: Scenario) -> None:
    """Two people at two terminals, the client's one with a line ahead; Ctrl-D ends it."""
    server = lab.start_server("turn_server", port=PORT, terminal=True)
    client = lab.start("turn_client", terminal=True)
    lab.expect_line(server, f"listening on 127.0.0.1 port {PORT}")
    client.write(b"Hello.\nWho is there?\n")
    lab.expect_line(server, "Hello.")
    expect_nothing_printed(lab, server, cause="out-of-turn")
    pass_a_line(lab, server, client, b"Hi.\n")
    lab.expect_line(server, "Who is there?", cause="lines-lost")
    pass_a_line(lab, server, client, b"Me.\n")
    client.close_stdin()
    finish(lab, client)
    finish(lab, server)
    lab.expect_orderly(21, 8)


@because(TOOL)
@graded(step=1, points=1, programs=("turn_server",))
def test_turn_server_talks_with_ncat(lab: Scenario) -> None:
    """A client that no one here wrote: ncat speaks, hears and leaves."""
    server = lab.start_server("turn_server", port=PORT)
    lab.expect_line(server, f"listening on 127.0.0.1 port {PORT}")
    ncat = lab.start_tool("ncat", "127.0.0.1", str(PORT))
    ncat.write(LINE)
    lab.expect_line(server, LINE.decode().strip())
    server.write(b"Fine.\n")
    lab.expect_line(ncat, "Fine.")
    ncat.close_stdin()
    finish(lab, server)
    lab.expect_exit(ncat, 0)
    lab.expect_orderly(len(LINE), 6)


@because(TOOL)
@graded(step=2, points=1, programs=("turn_client",))
def test_turn_client_talks_with_ncat(lab: Scenario) -> None:
    """A server that no one here wrote: ncat hears, and answers."""
    ncat = lab.start_tool("ncat", "-l", "127.0.0.1", str(PORT))
    lab.wait_listening(ncat, PORT)
    client = lab.start("turn_client")
    client.write(LINE)
    lab.expect_line(ncat, LINE.decode().strip())
    ncat.write(b"Fine.\n")
    lab.expect_line(client, "Fine.")
    client.write(b"exit\n")
    lab.expect_exit(client, 0)
    lab.expect_orderly(len(LINE), 6)


# -- What several tests do ---------------------------------------------------------


def end(talk: Conversation) -> None:
    """It is the program's turn, and its stdin ends: it closes first, and all was in order."""
    talk.program.close_stdin()
    expect_closed_first(talk)


def expect_closed_first(talk: Conversation) -> None:
    """The program closes first, its peer then; it exits, and all was in order."""
    talk.peer.expect_eof()
    talk.peer.close()
    talk.expect_exit()
    talk.expect_wire(first_closer="program")


def pass_a_line(lab: Scenario, speaker: Program, hearer: Program, line: bytes) -> None:
    """LINE is typed at the one program, and the other prints it."""
    speaker.write(line)
    lab.expect_output(hearer, line)


def stop_and_go_on(lab: Scenario, talk: Conversation) -> None:
    """Ctrl-Z, then `fg`."""
    lab.wait_blocked(talk.program)
    lab.pause(talk.program)
    lab.resume(talk.program)
