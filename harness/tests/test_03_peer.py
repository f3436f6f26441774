"""Lab 03: `peer`, alone, against scripted peers: the one it sends to, and anybody else."""

from __future__ import annotations

import os
import signal
import tempfile
from typing import Sequence

import pytest

from labkit.datagram_peer import (
    LINE, LOOPBACK, LOOPBACK_6, OTHER_PORT, PORT, Talk, label, start_peer, talk_to,
)
from labkit.datagrams import MOST
from labkit.echo import BINARY, WRONG_PORTS, expect_usage_error
from labkit.feedback import Mismatch
from labkit.grading import counts_waking, first, graded, half_written
from labkit.reasons import NAMES_IT, PLAINEST, SIGNALS, VALUES, because
from labkit.scenario import Scenario
from labkit.udp_echo import FULL_PACKET, expect_takes, payload

LAB = "03-udp"

peer_test = dict(programs=("peer",))
both_signals = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM],
                                       ids=["SIGINT", "SIGTERM"])
sizes = pytest.mark.parametrize("size", [FULL_PACKET + 1, MOST])
both_families = pytest.mark.parametrize("host", [LOOPBACK, LOOPBACK_6], ids=["ipv4", "ipv6"])


# -- The command line, the socket ---------------------------------------------------


@graded(step=0, points=1, **peer_test)
def test_peer_explains_wrong_arguments(lab: Scenario) -> None:
    """Wrong arguments to the peer: a usage line on stderr, exit status 2."""
    right = ["-l", str(PORT), LOOPBACK, str(OTHER_PORT)]
    for option, port in WRONG_PORTS.values():
        assert option == "-p"
        expect_usage_error(lab, "peer", ["-l", port, *right[2:]])
        if not port.startswith("-"):
            expect_usage_error(lab, "peer", [*right[:3], port])
    for arguments in (right[2:], right[:3], right[:2], [*right, "surplus"], ["-x", *right]):
        expect_usage_error(lab, "peer", arguments)


@graded(step=0, points=1, **peer_test)
def test_peer_says_that_a_name_is_unknown(lab: Scenario) -> None:
    """A HOST or ADDRESS that nobody knows: a line `peer: ...` on stderr, exit status 1."""
    nobody = "no-such-host.invalid"
    for where in ([nobody], ["-a", nobody, LOOPBACK]):
        peer = lab.start("peer", "-l", str(PORT), *where, str(OTHER_PORT))
        lab.expect_unknown_name(peer, "peer")


@graded(step=1, points=1, **peer_test)
def test_peer_says_that_its_port_is_taken(lab: Scenario) -> None:
    """A port in use: `peer: ...: Address already in use` on stderr, exit status 1."""
    lab.bind_datagrams(PORT)
    lab.expect_port_taken("peer", "-l", str(PORT), LOOPBACK, str(OTHER_PORT))


@because(PLAINEST)
@graded(step=1, points=1, **peer_test)
def test_peer_is_where_it_is_told(lab: Scenario) -> None:
    """`-a 0.0.0.0 -l 6000`: every address of the host, port 6000."""
    talk = talk_to(lab, "-a", "0.0.0.0", address="0.0.0.0")
    talk.address = (LOOPBACK, PORT)
    for sender in (talk.other, lab.bind_datagrams(0)):
        talk.hear(LINE, sender, cause="connected-peer")
    talk.say(LINE)
    lab.expect_port_taken("peer", "-a", "0.0.0.0", "-l", str(PORT), LOOPBACK, str(OTHER_PORT))
    talk.expect_wire()


@graded(step=1, points=1, **peer_test)
def test_peer_takes_any_free_port(lab: Scenario) -> None:
    """`-l 0`: the kernel chooses a port; the other peer sees it when it is sent to."""
    other = lab.bind_datagrams(OTHER_PORT)
    program = lab.start("peer", "-l", "0", LOOPBACK, str(OTHER_PORT))
    talk = Talk(lab, program, other, (LOOPBACK, lab.bound_port(program)))
    talk.say(LINE)
    talk.hear(LINE)
    talk.expect_wire()


@both_families
@because(NAMES_IT)
@graded(step=12, points=1, **peer_test)
def test_peer_is_at_the_loopback_address_of_hosts_family(lab: Scenario, host: str) -> None:
    """Without `-a` the peer is at 127.0.0.1 or ::1, like HOST; what it sends comes from there."""
    talk = talk_to(lab, to=host, cause="no-ipv6" if ":" in host else None)
    talk.say(LINE)
    talk.expect_wire()


@pytest.mark.parametrize("options, cause", [
    ((), "dotted-only"), (("-a", "localhost"), "dotted-only"),
    (("-a", "0.0.0.0"), "first-address-only"), (("-a", LOOPBACK_6), "first-address-only"),
], ids=["host", "address", "host-of-ipv4", "host-of-ipv6"])
@because(VALUES)
@graded(step=12, points=1, **peer_test)
def test_peer_understands_a_name(lab: Scenario, options: Sequence[str], cause: str) -> None:
    """HOST and ADDRESS may be names: of the addresses of `localhost` two of a family are taken."""
    others = {host: lab.bind_datagrams(OTHER_PORT, host) for host in (LOOPBACK, LOOPBACK_6)}
    program = lab.start("peer", *options, "-l", str(PORT), "localhost", str(OTHER_PORT))
    lab.bound_port(program, cause=cause)
    program.write(LINE + b"\n")
    lab.wait_for(lambda: any(other.count for other in others.values()),
                 f"a datagram to localhost port {OTHER_PORT}",
                 lambda: f"none{program.last_words}", cause)
    host = next(host for host, other in others.items() if other.count)
    talk = Talk(lab, program, others[host], (host, PORT))
    talk.expect_said(LINE)
    talk.hear(LINE)
    talk.expect_wire()


# -- Step 14: what is typed goes out ------------------------------------------------


@first
@graded(step=14, points=2, **peer_test)
def test_peer_sends_what_is_typed_at_once(lab: Scenario) -> None:
    """Line after line, from a stdin that stays open: each is a datagram, without its newline."""
    talk = talk_to(lab)
    for line in (b"One.", b"exit", b"quit", b" Two, and three. ", b" ", b"Four.\r"):
        talk.say(line)
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=14, points=1, **peer_test)
def test_peer_sends_empty_lines(lab: Scenario) -> None:
    """An empty line is a datagram with nothing in it."""
    talk = talk_to(lab)
    for line in (b"One.", b"", b"", b"Two."):
        talk.say(line, cause=None if line else "empty-datagram")
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=14, points=1, **peer_test)
def test_peer_sends_lines_that_come_together(lab: Scenario) -> None:
    """Three lines in one write, and nothing after them for now: three datagrams at once."""
    talk = talk_to(lab)
    talk.program.write(b"One.\nTwo.\nThree.\n")
    talk.expect_said(b"One.")
    for line in (b"Two.", b"Three."):
        talk.expect_said(line, cause="lines-kept-back")
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=14, points=1, **peer_test)
def test_peer_sends_a_line_that_comes_in_pieces(lab: Scenario) -> None:
    """A line that is typed in pieces is one datagram, once its newline is there."""
    talk = talk_to(lab)
    talk.say(b"First a whole one.")
    for piece in (b"How are ", b"you?"):
        talk.program.write(piece)
        lab.wait_blocked(talk.program)
        talk.other.expect_nothing("not-one-datagram")
    talk.program.write(b"\n")
    talk.expect_said(b"How are you?", cause="not-one-datagram")
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=14, points=1, **peer_test)
def test_peer_sends_a_last_line_without_newline(lab: Scenario) -> None:
    """What stands before the end of stdin is a line, too."""
    talk = talk_to(lab, stdin=b"One.\nlast")
    talk.expect_said(b"One.")
    talk.expect_said(b"last", cause="lines-lost")
    talk.expect_wire()


@sizes
@because(NAMES_IT)
@graded(step=14, points=1, **peer_test)
def test_peer_sends_a_long_line(lab: Scenario, size: int) -> None:
    """A line of any length that fits in a datagram: one datagram, in IP fragments or not."""
    talk = talk_to(lab)
    for line in (payload(size - 1), payload(size), LINE):
        talk.say(line)
    talk.expect_wire()


@pytest.mark.parametrize("end", ["newline", "end-of-stdin"])
@because(VALUES)
@graded(step=14, points=1, **peer_test)
def test_peer_sends_nothing_of_a_line_that_is_too_long(lab: Scenario, end: str) -> None:
    """A line of 65,508 bytes fits in no datagram: an error on stderr, and nothing cut."""
    talk = talk_to(lab)
    talk.say(LINE)
    talk.program.write(payload(MOST + 1) + (b"\n" if end == "newline" else b""))
    if end == "end-of-stdin":
        talk.program.close_stdin()
    lab.wait_for(lambda: bool(talk.program.stderr) or talk.program.exit is not None,
                 f"`{talk.program.command}` says that the line is too long",
                 lambda: f"nothing on stderr, and {len(talk.other.came)} datagrams of the line",
                 "cut-datagram")
    if talk.program.exit is not None:
        lab.expect_exit(talk.program, 1)
    lab.expect_complaint(talk.program, r"peer: .+")
    talk.other.expect_nothing("cut-datagram")
    talk.expect_wire()


@graded(step=14, points=1, **peer_test)
def test_peer_sends_every_byte_value(lab: Scenario) -> None:
    """NUL and all other bytes but the newline pass unchanged."""
    talk = talk_to(lab)
    talk.say(BINARY.replace(b"\n", b""), cause="c-string")
    talk.say(b"\0", cause="c-string")
    talk.expect_wire()


@first
@pytest.mark.parametrize("source", ["file", "dev-null"])
@because(VALUES)
@graded(step=14, points=1, **peer_test)
def test_peer_takes_its_stdin_from_a_file(lab: Scenario, source: str) -> None:
    """`< FILE` and `< /dev/null`: every line is sent, and then the peer goes on printing."""
    lines = [b"Line %d." % number for number in range(5)] if source == "file" else []
    with tempfile.TemporaryFile() as file, open(os.devnull, "rb") as null:
        file.write(b"".join(line + b"\n" for line in lines))
        file.seek(0)
        stdin = file if source == "file" else null
        talk = talk_to(lab, stdin=stdin.fileno())
    for line in lines:
        talk.expect_said(line, cause="lines-lost")
    talk.hear(LINE, cause="waits-for-one")
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=14, points=1, **peer_test)
def test_peer_may_be_the_first_to_start(lab: Scenario) -> None:
    """What is typed before the other peer is there is lost, and both then talk all the same."""
    other = lab.bind_datagrams(OTHER_PORT)
    other.close()
    program = start_peer(lab)
    for _ in range(2):
        program.write(b"Is anybody there?\n")
        lab.wait_blocked(program)
    lab.expect_running(program, "refusal-ends-peer")
    talk = Talk(lab, program, lab.bind_datagrams(OTHER_PORT), (LOOPBACK, PORT))
    talk.say(LINE, cause="refusal-ends-peer")
    talk.hear(LINE, cause="refusal-ends-peer")
    lab.expect_packets("connections=0")


# -- Step 15: what comes is printed --------------------------------------------------


@half_written
@graded(step=15, points=2, **peer_test)
def test_peer_takes_what_comes(lab: Scenario) -> None:
    """The peer receives each datagram, and goes on: none stays behind in the kernel."""
    expect_takes(lab, start_peer(lab), (LOOPBACK, PORT))


@because(PLAINEST)
@graded(step=15, points=2, **peer_test)
def test_peer_prints_what_comes_at_once(lab: Scenario) -> None:
    """Each datagram is a line, `127.0.0.1:6001 text`, also into a pipe."""
    talk = talk_to(lab)
    for line in (b"One.", b"exit", b"quit", b" Two, and three. ", b" "):
        talk.hear(line)
    talk.expect_wire()


@graded(step=15, points=1, **peer_test)
def test_peer_prints_one_newline(lab: Scenario) -> None:
    """A newline at the end of a datagram, as ncat sends it, is not printed twice; nor less."""
    talk = talk_to(lab)
    for line in (b"One.\n", b"Two.", b"Three.\n", b"\n", b"Four.\r\n", b"Five.\n\n", b"Six. \n"):
        talk.hear(line)
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=15, points=1, **peer_test)
def test_peer_prints_empty_datagrams(lab: Scenario) -> None:
    """A datagram with nothing in it is no end of file: a line that names its sender."""
    talk = talk_to(lab)
    for line in (b"One.", b"", b"", b"Two."):
        talk.hear(line, cause=None if line else "empty-datagram")
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=15, points=2, **peer_test)
def test_peer_prints_what_anyone_sends(lab: Scenario) -> None:
    """Other ports, another address: each line begins with the one that sent it."""
    talk = talk_to(lab)
    strangers = [lab.bind_datagrams(OTHER_PORT + 1), lab.bind_datagrams(OTHER_PORT, "127.0.0.2"),
                 lab.bind_datagrams(0)]
    talk.say(LINE)
    talk.hear(LINE)
    for sender in (*strangers, talk.other, *strangers):
        talk.hear(b"It is me.", sender, cause="connected-peer")
    talk.say(LINE, cause="wrong-receiver")
    for stranger in strangers:
        stranger.expect_nothing("wrong-receiver")
    talk.expect_wire()


@graded(step=15, points=1, **peer_test)
def test_peer_prints_what_many_sent_meanwhile(lab: Scenario) -> None:
    """Four senders in turns while the program is stopped: a line each, whole and rightly named."""
    talk = talk_to(lab)
    senders = [lab.bind_datagrams(OTHER_PORT + number) for number in (1, 2, 3)]
    talk.hear(LINE)
    lab.wait_blocked(talk.program)
    lab.pause(talk.program)
    wanted = []
    for number in range(5):
        for sender in (talk.other, *senders):
            text = b"Line %d." % number + b"*" * 100 * number
            talk.start_hearing(text, sender)
            wanted.append(label(sender.address) + text)
    lab.resume(talk.program)
    expect_lines(lab, talk, wanted)
    talk.expect_wire()


@sizes
@because(NAMES_IT)
@graded(step=15, points=1, **peer_test)
def test_peer_prints_a_long_datagram(lab: Scenario, size: int) -> None:
    """A datagram of any size is printed whole, and so is one of a single byte after it."""
    talk = talk_to(lab)
    for data in (payload(size - 1), payload(size), b"x"):
        talk.hear(data, cause="cut-datagram")
    talk.expect_wire()


@graded(step=15, points=1, **peer_test)
def test_peer_prints_every_byte_value(lab: Scenario) -> None:
    """NUL and all other bytes are printed as they came, the newlines among them, too."""
    talk = talk_to(lab)
    talk.hear(BINARY, cause="c-string")
    talk.hear(b"\0", cause="c-string")
    talk.hear(b"short", cause="c-string")
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=15, points=1, **peer_test)
def test_peer_prints_percent_signs(lab: Scenario) -> None:
    """What comes is no format string: `%s%n` is printed as it is."""
    talk = talk_to(lab)
    talk.hear(b"100% %d %s%s%s%n %5$p", cause="format-string")
    talk.say(b"%s%n%%", cause="format-string")
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=15, points=1, **peer_test)
def test_peer_talks_by_ipv6(lab: Scenario) -> None:
    """With HOST ::1 both ways are IPv6, and a sender is printed as `[::1]:PORT text`."""
    talk = talk_to(lab, to=LOOPBACK_6, cause="no-ipv6")
    talk.say(LINE)
    talk.hear(LINE)
    talk.hear(b"It is me.", lab.bind_datagrams(0, LOOPBACK_6), cause="connected-peer")
    talk.expect_wire()


# -- Step 13: both at once ------------------------------------------------------------


@because(NAMES_IT)
@graded(step=13, points=2, **peer_test)
def test_peer_goes_both_ways_at_any_time(lab: Scenario) -> None:
    """Lines at odd times in both directions: each is through before the next."""
    talk = talk_to(lab)
    for number, turn in enumerate("<<>><>>>><<<<>><"):
        line = b"Line %d." % number
        if turn == ">":
            talk.say(line, cause="waits-for-one")
        else:
            talk.hear(line, cause="waits-for-one")
    talk.expect_wire()


@graded(step=13, points=1, **peer_test)
def test_peer_prints_while_half_a_line_is_typed(lab: Scenario) -> None:
    """Somebody is still typing a line: what comes meanwhile is printed at once."""
    talk = talk_to(lab)
    talk.say(LINE)
    talk.program.write(b"Half a li")
    lab.wait_blocked(talk.program)
    for number in range(2):
        talk.hear(b"Line %d." % number, cause="waits-for-one")
    talk.program.write(b"ne.\n")
    talk.expect_said(b"Half a line.", cause="not-one-datagram")
    talk.expect_wire()


@counts_waking
@graded(step=13, points=1, **peer_test)
def test_peer_prints_on_after_the_end_of_stdin(lab: Scenario) -> None:
    """Its stdin has ended: it goes on printing what anyone sends, and only waits meanwhile."""
    talk = talk_to(lab)
    talk.say(LINE)
    lab.wait_blocked(talk.program)  # for both at once, then
    lab.pause(talk.program)
    talk.start_hearing(b"What came before it.")
    talk.program.close_stdin()
    lab.resume(talk.program)
    talk.expect_heard(b"What came before it.", cause="lines-lost")
    lab.wait_blocked(talk.program)
    for sender in (talk.other, lab.bind_datagrams(0)):
        talk.hear(b"Still there?", sender, cause="waits-for-one")
    lab.expect_idle(talk.program)
    talk.expect_wire()


@counts_waking
@because(NAMES_IT)
@graded(step=13, points=1, **peer_test)
def test_peer_waits_without_using_the_processor(lab: Scenario) -> None:
    """A peer that nobody types to, and nobody sends to, only waits."""
    lab.expect_idle(talk_to(lab).program)
    lab.outwait()


@because(NAMES_IT)
@graded(step=13, points=1, **peer_test)
def test_peer_goes_on_after_being_stopped(lab: Scenario) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) change nothing in either direction."""
    talk = talk_to(lab)
    talk.say(LINE)
    lab.wait_blocked(talk.program)
    lab.pause(talk.program)
    lab.resume(talk.program)
    talk.say(LINE, cause="eintr")
    talk.hear(LINE, cause="eintr")
    talk.expect_wire()


@because(NAMES_IT)
@graded(step=13, points=1, **peer_test)
def test_peer_at_a_terminal(lab: Scenario) -> None:
    """Lines typed at a terminal while others are printed there; Ctrl-D ends only the typing."""
    talk = talk_to(lab, terminal=True)
    talk.hear(LINE)
    talk.say(b"One.")
    talk.program.write(b"Tw")
    talk.hear(LINE)
    talk.program.write(b"o.\n")
    talk.expect_said(b"Two.")
    talk.program.close_stdin()
    lab.wait_blocked(talk.program)
    talk.hear(LINE, cause="waits-for-one")
    talk.expect_wire()


# -- Step 16: stdout ---------------------------------------------------------------------


@graded(step=16, points=1, **peer_test)
def test_peer_prints_to_a_slow_reader(lab: Scenario) -> None:
    """More than a pipe holds, for a stdout that is read late: no line is cut or mixed up."""
    talk = talk_to(lab)
    talk.hear(LINE)
    talk.program.hold_output()
    texts = [payload(30_000 + number) for number in range(3)]
    for text in texts:
        talk.start_hearing(text)
    lab.wait_blocked(talk.program)
    talk.program.take_output()
    for text in texts:
        talk.expect_heard(text, cause="partial-write")
    talk.expect_wire()


@graded(step=16, points=1, **peer_test)
def test_peer_says_that_stdout_is_full(lab: Scenario) -> None:
    """What cannot be printed is an error: a line on stderr, exit status 1, though stdin is open."""
    with open("/dev/full", "wb") as full:
        talk = talk_to(lab, stdout=full.fileno())
    talk.start_hearing(LINE)
    lab.expect_exit(talk.program, 1)
    lab.expect_complaint(talk.program, r"peer: .*No space left on device")


# -- The end -----------------------------------------------------------------------------


@both_signals
@because(SIGNALS)
@graded(step=0, points=1, **peer_test)
def test_peer_ends_by_a_signal(lab: Scenario, number: int) -> None:
    """SIGINT or SIGTERM while stdin is open: exit status 0, and no process stays behind."""
    talk = talk_to(lab)
    talk.say(LINE)
    talk.hear(LINE)
    lab.wait_blocked(talk.program)
    lab.end_by_signal(talk.program, number)


@both_signals
@graded(step=0, points=1, **peer_test)
def test_peer_ends_by_a_signal_after_its_stdin(lab: Scenario, number: int) -> None:
    """The same after the end of stdin."""
    talk = talk_to(lab)
    talk.say(LINE)
    talk.end_stdin()
    talk.hear(LINE, cause="waits-for-one")
    lab.wait_blocked(talk.program)
    lab.end_by_signal(talk.program, number)


# -- What several tests do ------------------------------------------------------------------


def expect_lines(lab: Scenario, talk: Talk, wanted: list[bytes]) -> None:
    """The program prints these lines, in whatever order, and no other."""
    program = talk.program
    lab.wait_for(lambda: program.stdout.count(b"\n") >= len(wanted) or program.output_ended,
                 f"`{program.command}` prints {len(wanted)} lines, one for each datagram",
                 lambda: f"{program.stdout.count(10)} lines on stdout", "lines-lost")
    left = list(wanted)
    for line in bytes(program.stdout).splitlines():
        if line not in left:
            raise Mismatch(expected=f"`{program.command}` prints each datagram after its sender",
                           seen=f"on stdout: `{line.decode(errors='replace')}`",
                           cause="lines-mixed")
        left.remove(line)
    program.stdout.clear()
