"""Lab 04: the names in the FTP client's commands: long ones, and of what is no file."""

from __future__ import annotations

from labkit.ftp_user import TEXT, expect_argument, expect_end, finish, give, start
from labkit.grading import graded
from labkit.scenario import Scenario

LAB = "04-file-transfer"
LONG = "/".join(letter * 200 for letter in "abcdefghijklmno") + "/" + 255 * "z"
"""A path of 3,270 bytes: each of its names is one that a file may have, as is the whole."""

client_test = dict(programs=("client",))


# -- Step 21: put ------------------------------------------------------------------------


@graded(step=21, points=1, **client_test)
def test_client_puts_no_fifo(lab: Scenario) -> None:
    """A FIFO, which nobody writes to, is no file: an error, and the session goes on at once."""
    folder = lab.folder({"mine": TEXT})
    folder.make_fifo("pipe")
    use = start(lab, stdin=b"put pipe\nput mine\n", folder=folder)
    command = use.session.until("STOR", cause="not-a-file")
    expect_argument(command.argument, "mine", "not-a-file")
    use.session.receive()
    finish(lab, use, 1, cause="exit-status")


# -- Step 22: many commands, one session -------------------------------------------------


@graded(step=22, points=1, **client_test)
def test_client_takes_lines_of_any_length(lab: Scenario) -> None:
    """Lines of stdin with names of some thousand bytes: each is one command, as it is."""
    folder = lab.folder({"mine": TEXT})
    long = LONG.encode()
    lines = b"get %s one\nput mine %s\nget two\n" % (long, long)
    use = start(lab, stdin=lines, folder=folder)
    give(use, TEXT, LONG, cause="lines-mixed")
    command = use.session.until("STOR", cause="lines-mixed")
    expect_argument(command.argument, LONG, "lines-mixed")
    use.session.receive()
    give(use, TEXT, "two", cause="lines-mixed")
    use.session.end()
    expect_end(lab, use, cause="lines-mixed")
    folder.expect_names("mine", "one", "two")
