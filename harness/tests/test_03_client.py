"""Lab 03: the client, alone with scripted servers."""

from __future__ import annotations

import os

import pytest

from labkit.datagrams import MOST
from labkit.echo import WRONG_PORTS, expect_usage_error, finish
from labkit.grading import counts_waking, first, graded, half_written
from labkit.program import Program
from labkit.reasons import BAD_NETWORK, NAMES_IT, PLAINEST, SIZES, VALUES, because
from labkit.scenario import STALL, Scenario
from labkit.udp_echo import (
    FORMAT, LINE_BYTES, PATIENT, PORT, SERVER, TEXT, answer, converse, echo_until_printed,
    expect_given_up, expect_no_reply, expect_not_answered, expect_refused, expect_spacing,
    keep_port, payload, pester, sending_times,
)

LAB = "03-udp"


# -- The client's command line -------------------------------------------------


WRONG = {
    "port": list(WRONG_PORTS.values()),
    "timeout": [["-t", "80x"], ["-t", "-1"], ["-t", ""]],
    "retries": [["-r", "3x"], ["-r", "-1"], ["-r", ""]],
    "words": [["-x"], ["127.0.0.1", "surplus"]],
}


@pytest.mark.parametrize("wrong", list(WRONG.values()), ids=list(WRONG))
@because(VALUES)
@graded(step=0, points=1, programs=("client",))
def test_client_explains_wrong_arguments(lab: Scenario, wrong: list[list[str]]) -> None:
    """Wrong arguments to the client: a usage line on stderr, exit status 2."""
    for arguments in wrong:
        expect_usage_error(lab, "client", arguments)


@graded(step=0, points=1, programs=("client",))
def test_client_says_that_a_name_is_unknown(lab: Scenario) -> None:
    """A name that nobody knows: a line `client: ...` on stderr, exit status 1."""
    client = lab.start("client", "no-such-host.invalid", stdin=TEXT + b"\n")
    lab.expect_unknown_name(client, "client")


# -- Step 4: a line of stdin ---------------------------------------------------


@because(PLAINEST)
@graded(step=4, points=2, programs=("client",))
def test_client_sends_each_line_as_one_datagram(lab: Scenario) -> None:
    """Lines that come in pieces, or several at once: a datagram for each, without its newline."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT)
    client.write(b"a line ")
    lab.wait_blocked(client)
    server.expect_nothing("not-one-datagram")
    client.write(b"in two pieces\none\nt")
    for line in (b"a line in two pieces", b"one"):
        answer(server, line)
    lab.wait_blocked(client)
    server.expect_nothing("not-one-datagram")
    client.write(b"wo\nthree\n")
    for line in (b"two", b"three"):
        answer(server, line)
    client.close_stdin()
    lab.expect_output(client, b"a line in two pieces\none\ntwo\nthree\n")
    finish(lab, client)
    sizes = [20, 3, 3, 5]
    lab.expect_datagrams(sizes, sizes)


@because(NAMES_IT)
@graded(step=4, points=2, programs=("client",))
def test_client_sends_an_empty_line(lab: Scenario) -> None:
    """An empty line is an empty datagram; its reply, empty too, is printed: a newline."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT, stdin=b"\n\nlast\n")
    for line in (b"", b"", b"last"):
        answer(server, line, cause=None if line else "empty-datagram")
    lab.expect_output(client, b"\n\nlast\n", cause="empty-datagram")
    finish(lab, client)
    lab.expect_datagrams([0, 0, 4], [0, 0, 4])


@because(NAMES_IT)
@graded(step=4, points=1, programs=("client",))
def test_client_sends_a_last_line_without_newline(lab: Scenario) -> None:
    """What stands at the end of stdin without a newline is a line too."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT, stdin=b"one\n" + TEXT)
    for line in (b"one", TEXT):
        answer(server, line, cause="lines-lost")
    lab.expect_output(client, b"one\n" + TEXT + b"\n")
    finish(lab, client)
    lab.expect_datagrams([3, len(TEXT)], [3, len(TEXT)])


@because(NAMES_IT)
@graded(step=4, points=1, programs=("client",))
def test_client_sends_nothing_of_an_empty_stdin(lab: Scenario) -> None:
    """No line, no datagram: exit status 0."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT, stdin=b"")
    finish(lab, client)
    server.expect_nothing()
    lab.expect_datagrams([], [])


@graded(step=4, points=1, programs=("client",))
def test_client_sends_every_byte_value(lab: Scenario) -> None:
    """Every byte but the newline can stand in a line, NUL among them."""
    server = lab.bind_datagrams(PORT)
    lines = [b"before\0after", b"\0", LINE_BYTES * 4, FORMAT]
    client = lab.start("client", *PATIENT, stdin=b"".join(line + b"\n" for line in lines))
    for line in lines:
        answer(server, line)
    lab.expect_output(client, b"\n".join([*lines[:3], b""]))
    lab.expect_output(client, FORMAT + b"\n", cause="format-string")
    finish(lab, client)
    sizes = [len(line) for line in lines]
    lab.expect_datagrams(sizes, sizes)


@graded(step=4, points=1, programs=("client",))
def test_client_sends_lines_as_they_are(lab: Scenario) -> None:
    """Blanks and a CR at a line's ends are bytes of it, and no word in it is a command."""
    server = lab.bind_datagrams(PORT)
    lines = [b" x ", b"\tx\t", b"x\r", b"\r", b"exit", b"quit", b"x"]
    client = lab.start("client", *PATIENT, stdin=b"".join(line + b"\n" for line in lines))
    for line in lines:
        answer(server, line, cause="messages")
    lab.expect_output(client, b"\n".join([*lines, b""]), cause="messages")
    finish(lab, client)
    sizes = [len(line) for line in lines]
    lab.expect_datagrams(sizes, sizes)


@because(NAMES_IT)
@graded(step=4, points=2, programs=("client",))
def test_client_sends_the_longest_line(lab: Scenario) -> None:
    """A line of 65,507 bytes is one datagram; its reply is printed whole."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT)
    converse(lab, client, server, payload(MOST), cause="cut-datagram")
    converse(lab, client, server, TEXT)
    client.close_stdin()
    finish(lab, client)
    lab.expect_datagrams([MOST, len(TEXT)], [MOST, len(TEXT)])


@pytest.mark.parametrize("size, host", [
    (MOST + 1, "127.0.0.1"), (MOST + 1, "::1"), (1 << 20, "127.0.0.1")])
@because(VALUES)
@graded(step=4, points=1, programs=("client",))
def test_client_refuses_a_longer_line(lab: Scenario, size: int, host: str) -> None:
    """A line over 65,507 bytes is an error, exit status 1; not a byte of it is sent."""
    expect_too_long(lab, payload(size) + b"\n", host)


@because(NAMES_IT)
@graded(step=4, points=1, programs=("client",))
def test_client_refuses_a_longer_last_line(lab: Scenario) -> None:
    """So is one that ends with stdin, without a newline."""
    expect_too_long(lab, payload(MOST + 1), "127.0.0.1")


def expect_too_long(lab: Scenario, text: bytes, host: str) -> None:
    server = lab.bind_datagrams(PORT, host)
    client = lab.start("client", *PATIENT, host)
    converse(lab, client, server, TEXT)
    client.write(text)
    client.close_stdin()
    lab.wait_for(lambda: client.exit is not None or bool(server.came),
                 "the client ends with an error", lambda: "it still runs", "slow-end")
    server.expect_nothing("cut-datagram")
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .+")
    lab.expect_silence(client)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)], server=(host, PORT), cause="cut-datagram")


@graded(step=4, points=1, programs=("client",))
def test_client_says_that_stdin_cannot_be_read(lab: Scenario) -> None:
    """`./client 0> /dev/null`: reading fails, a line `client: ...` on stderr, exit status 1."""
    with open(os.devnull, "wb") as not_to_be_read:
        client = lab.start("client", stdin=not_to_be_read.fileno())
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .+: Bad file descriptor")


# -- Step 5: a socket that is connected ----------------------------------------


@half_written
@graded(step=5, points=2, programs=("client",))
def test_client_says_that_a_host_cannot_be_reached(lab: Scenario) -> None:
    """An address to which no way leads: a line `client: ...` on stderr, exit status 1."""
    client = lab.start("client", *PATIENT, "203.0.113.1", stdin=TEXT + b"\n")
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .+: Network is unreachable")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@because(NAMES_IT)
@graded(step=5, points=1, programs=("client",))
def test_client_says_that_nothing_listens(lab: Scenario, host: str) -> None:
    """A port where nobody is: `client: ...: Connection refused` at once, exit status 1."""
    client = lab.start("client", *PATIENT, host, stdin=TEXT + b"\nmore\n")
    expect_refused(lab, client)
    lab.expect_silence(client)
    lab.expect_datagrams([len(TEXT)], [], server=(host, PORT))


@because(NAMES_IT)
@graded(step=5, points=1, programs=("client",))
def test_client_says_that_the_server_has_gone(lab: Scenario) -> None:
    """A server that ends between two lines: the first is answered, the second refused."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT)
    converse(lab, client, server, b"one")
    server.close()
    client.write(b"line two\n")
    expect_refused(lab, client)
    lab.expect_silence(client)
    lab.expect_datagrams([3, 8], [3])


@pytest.mark.parametrize("host, port", [("127.0.0.1", 0), ("127.0.0.2", PORT)],
                         ids=["another-port", "another-address"])
@because(NAMES_IT)
@graded(step=5, points=2, programs=("client",))
def test_client_ignores_strangers(lab: Scenario, host: str, port: int) -> None:
    """The right bytes, but from another port, or another address, are no reply."""
    server = lab.bind_datagrams(PORT)
    stranger = lab.bind_datagrams(port, host, label="a stranger")
    client = lab.start("client", *PATIENT)
    for line in (TEXT, b"once more"):
        client.write(line + b"\n")
        sender = server.expect(line)
        stranger.send(line, sender)
        expect_not_answered(lab, client, "stranger-accepted")
        server.send(line, sender)
        lab.expect_output(client, line + b"\n", cause="stranger-accepted")
    client.close_stdin()
    finish(lab, client)
    lab.expect_datagrams([len(TEXT), 9], [len(TEXT), 9])


# -- Step 6: send it -----------------------------------------------------------


@half_written
@graded(step=6, points=2, programs=("client",))
def test_client_sends_its_line(lab: Scenario) -> None:
    """A line is sent to the server, as one datagram; what becomes of it is not looked at."""
    server = lab.bind_datagrams(PORT)
    lab.start("client", *PATIENT, stdin=TEXT + b"\n")
    server.expect(TEXT)


@first
@because(PLAINEST)
@graded(step=6, points=1, programs=("client",))
def test_client_sends_to_the_right_port(lab: Scenario) -> None:
    """Without options the client asks 127.0.0.1, port 6000; `-p` takes another."""
    for port, options in ((PORT, []), (5000, ["-p", "5000"])):
        server = lab.bind_datagrams(port)
        client = lab.start("client", *PATIENT, *options, stdin=TEXT + b"\n")
        answer(server, TEXT)
        lab.expect_output(client, TEXT + b"\n")
        finish(lab, client)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)])


@first
@because(NAMES_IT)
@graded(step=6, points=1, programs=("client",))
def test_client_asks_by_ipv6(lab: Scenario) -> None:
    """HOST may be an IPv6 address: `::1`."""
    server = lab.bind_datagrams(PORT, "::1")
    client = lab.start("client", *PATIENT, "::1", stdin=TEXT + b"\n")
    answer(server, TEXT, cause="no-ipv6")
    lab.expect_output(client, TEXT + b"\n")
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)], server=("::1", PORT))


@because(NAMES_IT)
@graded(step=6, points=1, programs=("client",))
def test_client_asks_one_line_after_the_other(lab: Scenario) -> None:
    """The second line is sent when the first has its reply, not before."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT, stdin=b"one\nline two\n")
    for line in (b"one", b"line two"):
        sender = server.expect(line)
        expect_not_answered(lab, client, "out-of-turn")
        server.expect_nothing("out-of-turn")
        server.send(line, sender)
        lab.expect_output(client, line + b"\n")
    finish(lab, client)
    lab.expect_datagrams([3, 8], [3, 8])


@graded(step=6, points=1, programs=("client",))
def test_client_keeps_no_descriptor(lab: Scenario) -> None:
    """Forty lines, where only 24 descriptors can be open at once."""
    server = lab.bind_datagrams(PORT)
    lines = [b"line %02d" % number for number in range(40)]
    client = lab.start("client", *PATIENT, stdin=b"\n".join([*lines, b""]), descriptors=24)
    for line in lines:
        answer(server, line, cause="descriptor-leak" if line != lines[0] else None)
    lab.expect_output(client, b"\n".join([*lines, b""]))
    finish(lab, client)
    lab.expect_datagrams([7] * 40, [7] * 40)


# -- Step 7: wait, but not for ever --------------------------------------------


@counts_waking
@graded(step=7, points=1, programs=("client",))
def test_client_waits_without_using_the_processor(lab: Scenario) -> None:
    """A client that waits for a line, or for a reply, only waits."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT)
    lab.expect_idle(client, seconds=0.2)
    lab.outwait()
    client.write(TEXT + b"\n")
    sender = server.expect(TEXT)
    lab.expect_idle(client, seconds=0.2)
    server.send(TEXT, sender)
    lab.expect_output(client, TEXT + b"\n")
    client.close_stdin()
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)])


@graded(step=7, points=1, programs=("client",))
def test_client_goes_on_after_being_stopped(lab: Scenario) -> None:
    """Ctrl-Z and `fg` (SIGSTOP, SIGCONT) while it waits for a line or a reply change nothing."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT)
    stop_for_a_moment(lab, client)
    client.write(TEXT + b"\n")
    sender = server.expect(TEXT, cause="eintr")
    stop_for_a_moment(lab, client)
    expect_not_answered(lab, client, "eintr")
    server.send(TEXT, sender)
    lab.expect_output(client, TEXT + b"\n", cause="eintr")
    client.close_stdin()
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)], cause="eintr")


def stop_for_a_moment(lab: Scenario, client: Program) -> None:
    lab.wait_blocked(client)
    lab.pause(client)
    lab.resume(client)


@graded(step=7, points=3, programs=("client",))
def test_client_gives_up(lab: Scenario) -> None:
    """No reply: after -t ms the line is sent again, 3 times; then a message, exit status 1."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", "-t", "60", stdin=TEXT + b"\nthe next line\n")
    ended = expect_given_up(lab, client, server, TEXT, 4)
    lab.expect_silence(client)
    lab.expect_datagrams([len(TEXT)] * 4, [], cause="wrong-retries")
    expect_spacing([*sending_times(lab.trace), ended], at_least=0.050, shortest=0.300)


@graded(step=7, points=1, programs=("client",))
def test_client_waits_half_a_second(lab: Scenario) -> None:
    """Without -t it waits 500 ms for the reply before it sends again."""
    lab.stall = STALL  # it stands still for as long as it waits
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", stdin=TEXT + b"\n")
    for _ in range(3):
        sender = server.expect(TEXT, cause="no-retransmission")
    server.send(TEXT, sender)
    lab.expect_output(client, TEXT + b"\n")
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)] * server.count, [len(TEXT)])
    expect_spacing(sending_times(lab.trace), at_least=0.470, shortest=0.900)


@graded(step=7, points=1, programs=("client",))
def test_client_can_wait_more_than_a_second(lab: Scenario) -> None:
    """`-t 1100 -r 1`, and no reply: the line is sent again after 1.1 s, given up after as much."""
    lab.be_patient(3)
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", "-t", "1100", "-r", "1", stdin=TEXT + b"\n")
    ended = expect_given_up(lab, client, server, TEXT, 2)
    lab.expect_datagrams([len(TEXT)] * 2, [], cause="wrong-retries")
    expect_spacing([*sending_times(lab.trace), ended], at_least=1.080, shortest=1.500)


@graded(step=7, points=2, programs=("client",))
def test_client_is_not_kept_waiting_by_other_datagrams(lab: Scenario) -> None:
    """A server that sends something else all the time prolongs no wait: it is given up in time."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", "-t", "300", "-r", "1", stdin=TEXT + b"\n")
    noise = pester(lab, client, server, TEXT, b"no reply")
    expect_no_reply(lab, client)
    lab.expect_silence(client)
    lab.expect_datagrams([len(TEXT)] * 2, [len(b"no reply")] * noise, cause="wrong-retries")
    expect_spacing(sending_times(lab.trace), at_least=0.285, shortest=1.0)


# -- Step 8: take only the reply -----------------------------------------------


@because(NAMES_IT)
@graded(step=8, points=2, programs=("client",))
def test_client_ignores_what_is_no_reply(lab: Scenario) -> None:
    """Other bytes from the server are no reply, and no reason to send again."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT, stdin=TEXT + b"\n")
    sender = server.expect(TEXT)
    others = [b"something else", TEXT.upper(), b"\0" * len(TEXT)]
    for other in others:
        server.send(other, sender)
        expect_not_answered(lab, client, "content-not-compared")
    server.send(TEXT, sender)
    lab.expect_output(client, TEXT + b"\n", cause="content-not-compared")
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)] * 4, cause="wrong-retries")


@pytest.mark.parametrize("line, other", [
    (TEXT, TEXT[:5]), (TEXT, TEXT + b", and more"), (TEXT, TEXT + b"\0"), (TEXT, b""),
    (b"", b"\0"), (b"be\0fore", b"be\0hind"),
], ids=["shorter", "longer", "NUL-more", "empty", "to-an-empty-line", "different-behind-NUL"])
@because(SIZES)
@graded(step=8, points=1, programs=("client",))
def test_client_compares_length_and_bytes(lab: Scenario, line: bytes, other: bytes) -> None:
    """What only begins like the line, or goes on behind it, is not its reply."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT, stdin=line + b"\n")
    sender = server.expect(line, cause=None if line else "empty-datagram")
    server.send(other, sender)
    expect_not_answered(lab, client, "c-string" if b"\0" in other else "content-not-compared")
    server.send(line, sender)
    lab.expect_output(client, line + b"\n")
    finish(lab, client)
    lab.expect_datagrams([len(line)], [len(other), len(line)], cause="wrong-retries")


@graded(step=8, points=1, programs=("client",))
def test_client_compares_every_byte(lab: Scenario) -> None:
    """A line of 3,000 bytes; replies that differ in a byte, or have two of them swapped, do not
    answer it."""
    line = payload(3000)
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT, stdin=line + b"\n")
    sender = server.expect(line)
    others = [line[:at] + b"?" + line[at + 1:] for at in (100, 2000, 2999)]
    others.append(line[:1500] + line[1501:1502] + line[1500:1501] + line[1502:])
    for other in others:
        server.send(other, sender)
        expect_not_answered(lab, client, "content-not-compared")
    server.send(line, sender)
    lab.expect_output(client, line + b"\n", cause="content-not-compared")
    finish(lab, client)
    lab.expect_datagrams([len(line)], [len(line)] * 5, cause="wrong-retries")


@because(NAMES_IT)
@graded(step=8, points=1, programs=("client",))
def test_client_takes_no_earlier_reply_for_a_later_one(lab: Scenario) -> None:
    """A reply that comes twice answers its own line, not the next."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT)
    sender = converse(lab, client, server, b"one")
    server.send(b"one", sender)
    lab.wait_blocked(client)
    client.write(b"line two\n")
    sender = server.expect(b"line two")
    expect_not_answered(lab, client, "late-duplicate")
    server.send(b"line two", sender)
    lab.expect_output(client, b"line two\n", cause="late-duplicate")
    client.close_stdin()
    finish(lab, client)
    lab.expect_datagrams([3, 8], [3, 3, 8])


@because(NAMES_IT)
@graded(step=8, points=1, programs=("client",))
def test_client_takes_no_earlier_reply_for_the_same_line_again(lab: Scenario) -> None:
    """The same line twice: a second reply to the first, come before the second is sent, is late."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT)
    sender = converse(lab, client, server, TEXT)
    server.send(TEXT, sender)
    lab.wait_blocked(client)
    client.write(TEXT + b"\n")
    sender = server.expect(TEXT, cause="late-duplicate")
    expect_not_answered(lab, client, "late-duplicate")
    server.send(TEXT, sender)
    lab.expect_output(client, TEXT + b"\n")
    client.close_stdin()
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)] * 2, [len(TEXT)] * 3)


@because(NAMES_IT)
@graded(step=8, points=2, programs=("client",))
def test_client_takes_no_late_reply_for_the_same_line_again(lab: Scenario) -> None:
    """The same line twice: a second reply to the first that comes after the second was sent."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT)
    first = converse(lab, client, server, TEXT)
    lab.wait_blocked(client)
    keep_port(lab, first)
    client.write(TEXT + b"\n")
    second = server.expect(TEXT)
    server.send(TEXT, first)
    expect_not_answered(lab, client, "late-duplicate")
    server.send(TEXT, second)
    lab.expect_output(client, TEXT + b"\n")
    client.close_stdin()
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)] * 2, [len(TEXT)] * 3)


# -- Step 9: send again --------------------------------------------------------


@graded(step=9, points=2, programs=("client",))
def test_client_sends_again(lab: Scenario) -> None:
    """A server that answers only the third time: it is asked until then, always the same.

    It answers an empty line, and one of two packets, the second time.
    """
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", "-t", "50", "-r", "40")
    for line, sendings in ((TEXT, 3), (b"", 2), (payload(3000), 2)):
        client.write(line + b"\n")
        for number in range(sendings):
            sender = server.expect(line, cause="no-retransmission" if number else None)
        server.send(line, sender)
        lab.expect_output(client, line + b"\n")
        server.take_in()
        server.came.clear()  # what was sent again before the reply came
    client.close_stdin()
    finish(lab, client)
    lab.expect_datagrams(server.received, server.sent)


@graded(step=9, points=1, programs=("client",))
def test_client_waits_for_the_last_reply(lab: Scenario) -> None:
    """The last sending, with `-r 0` the only one, may be answered as any other."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT, "-r", "0", stdin=TEXT + b"\n")
    sender = server.expect(TEXT)
    expect_not_answered(lab, client, "wrong-timeout")
    server.send(TEXT, sender)
    lab.expect_output(client, TEXT + b"\n", cause="wrong-timeout")
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)])


@pytest.mark.parametrize("retries", [0, 5])
@because(NAMES_IT)
@graded(step=9, points=1, programs=("client",))
def test_client_sends_again_as_often_as_it_is_told(lab: Scenario, retries: int) -> None:
    """`-r 0` sends a line once, `-r 5` six times; then there is no reply."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", "-t", "30", "-r", str(retries), stdin=TEXT + b"\n")
    expect_given_up(lab, client, server, TEXT, retries + 1)
    lab.expect_silence(client)
    lab.expect_datagrams([len(TEXT)] * (retries + 1), [], cause="wrong-retries")


@graded(step=9, points=1, programs=("client",))
def test_client_names_whom_it_asked(lab: Scenario) -> None:
    """`no reply from` tells the host and the port of the command line."""
    server = lab.bind_datagrams(5000, "::1")
    client = lab.start("client", "-t", "30", "-r", "0", "-p", "5000", "::1", stdin=TEXT + b"\n")
    expect_given_up(lab, client, server, TEXT, 1)
    lab.expect_silence(client)
    lab.expect_datagrams([len(TEXT)], [], server=server.address)


@graded(step=9, points=1, programs=("client",))
def test_client_counts_anew_for_each_line(lab: Scenario) -> None:
    """A line that was sent again leaves the next one all its retries, and each its whole wait."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", "-t", "60", "-r", "7")
    client.write(b"one\n")
    server.expect(b"one")
    sender = server.expect(b"one", cause="no-retransmission")
    server.send(b"one", sender)
    lab.expect_output(client, b"one\n")
    lab.wait_blocked(client)  # a good part of a wait passes, but not all of it
    client.write(b"line two\nthe third\n")
    expect_given_up(lab, client, server, b"line two", 8)
    lab.expect_silence(client)
    lab.expect_datagrams([3] * server.received.count(3) + [8] * 8, [3], cause="wrong-retries")
    expect_spacing(sending_times(lab.trace)[-8:], at_least=0.045, shortest=0.096, last=4)


@pytest.mark.parametrize("way", ["to", "from"])
@because(BAD_NETWORK)
@graded(step=9, points=1, programs=("client",))
def test_client_gets_its_reply_over_a_bad_network(lab: Scenario, way: str) -> None:
    """The request is lost on its way to the server, or the reply on its way back: once more."""
    lab.disturb(f"drop udp {way} {PORT} 1")
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", "-t", "150", "-r", "20", stdin=TEXT + b"\n")
    echo_until_printed(lab, client, server, TEXT, cause="no-retransmission")
    finish(lab, client)
    lost = [len(TEXT)] if way == "to" else []
    lab.expect_datagrams([*server.received, *lost], server.sent)


@pytest.mark.parametrize("fault, cause", [
    ("corrupt", "no-retransmission"), ("duplicate", "late-duplicate"),
    ("reorder", "late-duplicate")], ids=["damaged", "doubled", "overtaken"])
@because(NAMES_IT)
@graded(step=9, points=1, programs=("client",))
def test_client_prints_each_reply_once(lab: Scenario, fault: str, cause: str) -> None:
    """The second line's reply is damaged, or comes twice, or comes after that to its repetition."""
    lab.disturb(f"{fault} udp from {PORT} 2")
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", "-t", "150", "-r", "20", stdin=b"one\nline two\nthree\n")
    for line in (b"one", b"line two", b"three"):
        echo_until_printed(lab, client, server, line, cause)
    finish(lab, client)
    lab.expect_datagrams(server.received, server.sent)


# -- Step 11: the server's other addresses -------------------------------------


@graded(step=11, points=1, programs=("client",))
def test_client_understands_a_name(lab: Scenario) -> None:
    """HOST may be a name: `localhost`, of which only the IPv4 address has a server."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT, "localhost", stdin=TEXT + b"\n")
    answer(server, TEXT, cause="dotted-only")
    lab.expect_output(client, TEXT + b"\n")
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)], others=[("::1", PORT)])


@because("a name with several addresses, where nothing listens at the first")
@graded(step=11, points=1, programs=("client",))
def test_client_tries_every_address(lab: Scenario) -> None:
    """`localhost` has two addresses: where only IPv6 answers, that one is used."""
    server = lab.bind_datagrams(PORT, "::1")
    client = lab.start("client", *PATIENT, "localhost", stdin=TEXT + b"\n")
    answer(server, TEXT, cause="no-ipv6")
    lab.expect_output(client, TEXT + b"\n")
    finish(lab, client)
    lab.expect_datagrams([len(TEXT)], [len(TEXT)], server=("::1", PORT), others=[SERVER])


# -- Step 10: print the reply --------------------------------------------------


@because(NAMES_IT)
@graded(step=10, points=2, programs=("client",))
def test_client_prints_each_reply_at_once(lab: Scenario) -> None:
    """Line after line: each is sent, and its reply printed, while stdin stays open."""
    server = lab.bind_datagrams(PORT)
    client = lab.start("client", *PATIENT)
    for line in (b"one", b"line two", b"three"):
        converse(lab, client, server, line)
    client.close_stdin()
    finish(lab, client)
    lab.expect_datagrams([3, 8, 5], [3, 8, 5])


@graded(step=10, points=1, programs=("client",))
def test_client_says_that_stdout_is_full(lab: Scenario) -> None:
    """What cannot be written to stdout is an error: a line on stderr, exit status 1."""
    server = lab.bind_datagrams(PORT)
    with open("/dev/full", "wb") as full:
        client = lab.start("client", *PATIENT, stdin=TEXT + b"\n", stdout=full.fileno())
    answer(server, TEXT)
    lab.expect_exit(client, 1)
    lab.expect_complaint(client, r"client: .*: No space left on device")
