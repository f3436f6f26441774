"""Lab 04: many commands in one session of the FTP client, from a pipe and at a terminal."""

from __future__ import annotations

import os

import pytest

from labkit.feedback import Mismatch
from labkit.ftp_server import COMPLETE, OPENING, FtpServer
from labkit.ftp_user import (
    HOST, MISSING, TEXT, Use, expect_end, expect_told, finish, give, refuse, serve_in_vain, start,
    wait_told,
)
from labkit.grading import first, graded
from labkit.peer import describe
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario

LAB = "04-file-transfer"

client_test = dict(programs=("client",))


@graded(step=22, points=2, **client_test)
def test_client_runs_every_command_in_one_session(lab: Scenario) -> None:
    """Commands of stdin, with blank lines between them: one login, one control connection."""
    folder = lab.folder({"mine": TEXT})
    lines = b"\nget one first\n  \n\tput  mine   yours \nls\nget two"
    use = start(lab, stdin=lines, folder=folder)
    give(use, TEXT, "one", cause="control-closed")
    stored = use.session.until("STOR", cause="messages")
    use.session.receive()
    use.session.until("NLST", cause="control-closed")
    use.session.send(b"a\r\n")
    lab.expect_output(use.client, b"a\n", cause="messages")
    give(use, TEXT, "two", cause="lines-lost")
    finish(lab, use)
    folder.expect_names("first", "mine", "two")
    if stored.argument != "yours":
        raise Mismatch(expected="`put mine yours` is `STOR yours`", seen=f"`{stored}`",
                       cause="messages")
    logins = sum(command.verb == "USER" for command in use.session.commands)
    if logins != 1:
        raise Mismatch(expected="one USER in a session", seen=f"{logins}", cause="no-login")


@because(NAMES_IT)
@graded(step=22, points=2, **client_test)
def test_client_goes_on_after_a_failed_command(lab: Scenario) -> None:
    """A missing file, a refused one, an unknown command: the session goes on; exit status 1."""
    folder = lab.folder({"mine": TEXT})
    lines = b"get none\nfrobnicate\nget\nput nothing\nput mine\nls\nget one\n"
    use = start(lab, stdin=lines, folder=folder)
    refuse(use, "RETR", cause="control-closed")
    refuse(use, "STOR", "553 Not here.", cause="control-closed")
    refuse(use, "NLST", "450 Not now.", cause="control-closed")
    give(use, TEXT, "one", cause="control-closed")
    finish(lab, use, 1)
    for reply in (MISSING, "553 Not here.", "450 Not now."):
        expect_told(use, reply)
    folder.expect_names("mine", "one", cause="left-over-file")


@graded(step=22, points=1, **client_test)
def test_client_remembers_a_failure_until_it_quits(lab: Scenario) -> None:
    """A command has failed, one went well, then `quit`: the exit status is 1 all the same."""
    use = start(lab, stdin=b"get none\nget one\nquit\n")
    refuse(use, "RETR", cause="control-closed")
    give(use, TEXT, "one", cause="control-closed")
    finish(lab, use, 1)
    expect_told(use, MISSING)


@because(NAMES_IT)
@graded(step=22, points=1, **client_test)
def test_client_tells_of_every_failed_command(lab: Scenario) -> None:
    """What cannot be done is told when it is tried, before the next line is read."""
    use = start(lab)
    use.client.write(b"get none\n")
    refuse(use, "RETR")
    wait_told(lab, use, MISSING)
    use.client.write(b"get one\n")
    give(use, TEXT, "one")
    use.client.close_stdin()
    finish(lab, use, 1)


@because(NAMES_IT)
@graded(step=22, points=1, **client_test)
def test_client_exits_with_0_when_all_went_well(lab: Scenario) -> None:
    """An empty stdin, or one of blank lines, is no failure."""
    for stdin in (b"", b"\n \n"):
        use = start(lab, stdin=stdin)
        use.session.end()
        lab.expect_exit(use.client, 0)
        lab.expect_silence(use.client)


@because(NAMES_IT)
@graded(step=22, points=1, **client_test)
def test_client_quits(lab: Scenario) -> None:
    """`quit` is QUIT, and its reply is waited for; no line behind it is done."""
    use = start(lab, stdin=b"get one\nquit\nget two\n")
    give(use, TEXT, "one")
    use.session.until("QUIT", cause="closes-both")
    lab.expect_running(use.client, cause="closes-both")
    use.session.reply("221 Goodbye.")
    use.session.leave()
    expect_end(lab, use)
    use.folder.expect_names("one")


@graded(step=22, points=1, **client_test)
def test_client_quits_while_stdin_stays_open(lab: Scenario) -> None:
    """After `quit`, or at the server's end of file, the client ends, whatever its stdin does."""
    use = start(lab)
    use.client.write(b"quit\n")
    use.session.until("QUIT", cause="slow-end")
    use.session.reply("221 Goodbye.")
    use.session.leave()
    expect_end(lab, use)


@because("the command that needs no login: the shortest session there is")
@graded(step=22, points=1, **client_test)
def test_client_takes_quit_as_an_argument(lab: Scenario) -> None:
    """`./client HOST quit`: login or not, the session ends, exit status 0."""
    use = start(lab, "quit")
    finish(lab, use)


@first
@because(NAMES_IT)
@graded(step=22, points=2, **client_test)
def test_client_lists_names(lab: Scenario) -> None:
    """`ls`: what NLST gives goes to stdout, its CR LF as the newline that is usual here."""
    names = ["a", "two words", "%s", "-rf", "\u00e4\u00f6\u00fc", "x" * 255]
    use = start(lab, "ls")
    use.session.until("NLST", cause="messages")
    use.session.send("".join(f"{name}\r\n" for name in names).encode())
    lab.expect_output(use.client, "".join(f"{name}\n" for name in names).encode(),
                      cause="ascii-type")
    finish(lab, use)


@pytest.mark.parametrize("opening, closing", [
    ("125 Already open.", COMPLETE), (OPENING, "250 Done."),
], ids=["125", "250"])
@graded(step=22, points=1, **client_test)
def test_client_lists_in_spite_of_other_codes(lab: Scenario, opening: str, closing: str) -> None:
    """For NLST, too, 125 says the same as 150, and 250 the same as 226 (RFC 959, 5.4)."""
    use = start(lab, "ls")
    use.session.until("NLST")
    use.session.send(b"one\r\n", opening, closing, cause="reply-code")
    lab.expect_output(use.client, b"one\n", cause="reply-code")
    finish(lab, use, cause="reply-code")


@graded(step=22, points=1, **client_test)
def test_client_lists_many_names_in_pieces(lab: Scenario) -> None:
    """A list of 200 kB, and one whose CR and LF come in two segments."""
    long = b"".join(b"file-%05d.txt\r\n" % number for number in range(12_000))
    use = start(lab, stdin=b"ls\nls\n")
    use.session.until("NLST")
    use.session.send(long)
    lab.expect_output(use.client, long.replace(b"\r\n", b"\n"))
    use.session.until("NLST")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    for part in (b"one\r", b"\ntw", b"o\r\n"):
        peer.send(part)
        lab.wait_blocked(use.client)
    use.session.finish(peer, 10)
    use.session.complete(peer)
    lab.expect_output(use.client, b"one\ntwo\n", cause="single-read")
    finish(lab, use)


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "reset"])
@because(NAMES_IT)
@graded(step=22, points=1, **client_test)
def test_client_says_that_a_list_is_cut(lab: Scenario, reset: bool) -> None:
    """426 after a part of the list: what came may be printed, the reply is told, status 1."""
    use = start(lab, "ls")
    use.session.until("NLST")
    peer = use.session.open_data()
    use.session.reply(OPENING)
    peer.send(b"one\r\ntwo\r\n")
    lab.wait_blocked(use.client)
    use.session.break_off(peer, reset)
    use.session.reply("426 Broken off.")
    use.session.end()
    use.client.stdout.clear()
    lab.expect_exit(use.client, 1, cause="reply-code")
    expect_told(use, "426 Broken off.")


@because("a transfer of no byte, which is no error")
@graded(step=22, points=1, **client_test)
def test_client_lists_nothing(lab: Scenario) -> None:
    """An empty list: nothing on stdout, exit status 0."""
    use = start(lab, "ls")
    use.session.until("NLST")
    use.session.send(b"")
    finish(lab, use)


@graded(step=22, points=1, **client_test)
def test_client_says_that_stdout_is_full(lab: Scenario) -> None:
    """A list that cannot be printed: a line on stderr, exit status 1."""
    with open("/dev/full", "wb") as full:
        use = start(lab, "ls", stdout=full.fileno())
    use.session.until("NLST")
    serve_in_vain(use, b"name\r\n")
    use.session.end()
    lab.expect_exit(use.client, 1)
    lab.expect_complaint(use.client, r"client: .*No space left on device")


@graded(step=22, points=1, **client_test)
def test_client_prompts_at_a_terminal_only(lab: Scenario) -> None:
    """At a terminal the client says when it waits for a command; for a pipe it says nothing."""
    use = start(lab, terminal=True)
    use.client.write(b"get one\n")
    use.session.until("RETR")
    for said in (use.client.stdout, use.client.stderr):
        said.clear()  # the prompt that came before
    use.session.send(TEXT)
    prompt = prompt_of(lab, use)
    use.client.close_stdin()
    use.session.end()
    lab.expect_exit(use.client, 0)
    use = start(lab, stdin=b"get one\n")
    give(use, TEXT, "one")
    use.session.end()
    lab.expect_exit(use.client, 0)
    lab.expect_silence(use.client)
    if prompt in use.client.stderr:
        raise Mismatch(expected="no prompt where there is no terminal",
                       seen=f"on stderr: {describe(bytes(use.client.stderr))}", cause="messages")


def prompt_of(lab: Scenario, use: Use) -> bytes:
    """What the client prints that is no whole line: the next command can be typed behind it."""
    said = (use.client.stdout, use.client.stderr)

    def prompt() -> bytes:
        return max((bytes(text).split(b"\n")[-1] for text in said), key=len)

    lab.wait_for(lambda: bool(prompt()), "a prompt for the next command, at the end of a line",
                 lambda: f"printed: {describe(bytes(said[0] + said[1]))}", "stdout-not-flushed")
    return prompt()


@graded(step=22, points=1, **client_test)
def test_client_sends_no_command_within_a_name(lab: Scenario) -> None:
    """A name with CR and LF in it cannot be sent: it would be a second command."""
    folder = lab.folder({"mine": TEXT})
    for words in (["get", "a\r\nSTOR b", "c"], ["get", "a\nSTOR b", "c"],
                  ["put", "mine", "a\r\nRETR b"]):
        server = FtpServer(lab)
        client = lab.start("client", HOST, *words, folder=folder)
        if server.waits_for(client):
            server.greet().end("messages")
        server.close()
        lab.wait_for(lambda: client.exit is not None, "the client ends", lambda: "it still runs")
        if client.exit is not None and client.exit.status != 2:  # or wrong usage
            lab.expect_exit(client, 1)
        lab.expect_complaint(client, r"(client|usage): .+")
        folder.expect_names("mine", cause="left-over-file")


@graded(step=22, points=1, **client_test)
def test_client_says_that_stdin_cannot_be_read(lab: Scenario) -> None:
    """`./client HOST 0> /dev/null`: reading fails, a line `client: ...` on stderr, status 1."""
    with open(os.devnull, "wb") as not_to_be_read:
        use = start(lab, stdin=not_to_be_read.fileno())
    use.session.end()
    lab.expect_exit(use.client, 1)
    lab.expect_complaint(use.client, r"client: .+: Bad file descriptor")


@because(NAMES_IT)
@graded(step=22, points=1, **client_test)
def test_client_says_that_the_server_ended_the_session(lab: Scenario) -> None:
    """421 while nobody types, and the end of the connection: told at the next command at last."""
    use = start(lab)
    use.client.write(b"get one\n")
    give(use, TEXT, "one")
    lab.wait_blocked(use.client)
    use.session.reply("421 Nobody has said anything for 300 s.")
    use.session.control.half_close()
    lab.wait_blocked(use.client)
    use.client.write(b"get two\n")
    use.client.close_stdin()
    lab.expect_exit(use.client, 1)
    lab.expect_complaint(use.client, r"client: .+")
    use.folder.expect_names("one")
