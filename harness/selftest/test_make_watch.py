"""make watch: typed into in a terminal, and nothing left behind however it ends."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest

from bad_programs import CLIENT, SERVERS, server, who
from labkit.pairs.table import PAIRS, Pair
from labkit.paths import HARNESS, LABCAP
from labkit.processes import tree_of
from outer_tmux import Left, Outer, command_of

WATCH = shlex.quote(str(HARNESS / "watch"))
CLIENT_LISTENS = "Enter starts it, q leaves"
LADDER_LISTENS = "watching lo"
ANOTHER_LADDER = "[Enter begins another ladder]"
EVIL = 'set -g status-left EVIL\nrun-shell "touch {folder}/read"\n'
"""A ~/.tmux.conf that tells whether anybody has read it."""

Start = Callable[..., Outer]


@pytest.fixture
def home() -> Iterator[Path]:
    """A home folder, and in `tmp` of it the temporary files: none is there in the end.

    Not below tmp_path, which as root is closed to the guest that builds.
    """
    with tempfile.TemporaryDirectory(prefix="selftest-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "tmp").mkdir(mode=0o755)
        (folder / ".tmux.conf").write_text(EVIL.format(folder=folder))
        yield folder
        assert os.listdir(folder / "tmp") == []
        assert not (folder / "read").exists()
        assert (folder / ".tmux.conf").read_text() == EVIL.format(folder=folder)


@pytest.fixture
def start(home: Path, tmp_path: Path) -> Iterator[Start]:
    """Runs a command in a terminal, and tells its status there.

    In the end there is no process of it any more.
    """
    def end(outer: Outer) -> None:
        left = Left(outer)
        outer.close()
        left.expect_nothing()

    with contextlib.ExitStack() as undo:
        def begin(command: str) -> Outer:
            env = {**os.environ, "HOME": str(home), "TMPDIR": str(home / "tmp"),
                   "LC_ALL": "C.UTF-8", "SHELL": "/bin/sh"}
            env = {name: text for name, text in env.items() if not name.startswith("TMUX")}
            outer = Outer(tmp_path, f"{command}; echo status $?", env)
            undo.callback(end, outer)
            return outer

        yield begin


@pytest.fixture
def running(start: Start) -> Outer:
    """Lab 01's pair, its server started."""
    outer = start(f"{WATCH} 01")
    outer.wait_for("listening on 127.0.0.1 port 4321", CLIENT_LISTENS, LADDER_LISTENS)
    return outer


def expect_over(outer: Outer, status: int) -> str:
    """The command has ended with STATUS, and the terminal is what it was; returns the screen."""
    screen = outer.wait_for(f"status {status}")
    outer.expect_as_before()
    return screen


def last_row(pane: str) -> str:
    """The lowest row of a window, among those with text, without the status line below it."""
    return [row.rstrip() for row in pane.splitlines() if row.strip() and "leave:" not in row][-1]


def panes(screen: str) -> tuple[str, str, str]:
    """What is in the server's, the client's and the ladder's window, once they are there.

    Rows of the first two are joined, as a window breaks lines anywhere.
    """
    rows = screen.splitlines()
    borders = [i for i, row in enumerate(rows) if "── packets ─" in row]
    split = rows[0].find("┬") if rows else -1
    if not borders or split < 0:
        return "", "", ""
    border = borders[0]
    both = [(row[:split].rstrip(), row[split + 1:].rstrip()) for row in rows[1:border]]
    return ("".join(left for left, _ in both), "".join(right for _, right in both),
            "\n".join(rows[border + 1: -1]))


# -- Typing ------------------------------------------------------------------------


def test_a_connection_is_seen_from_the_first_syn_to_the_last_ack(running: Outer) -> None:
    before = Left(running)
    assert "SYN" not in running.screen()
    running.keys("Enter")
    running.wait(lambda s: "connection from 127.0.0.1" in panes(s)[0] and "3/3 ACK" in panes(s)[2])
    running.type("Grüße, 你好")
    running.keys("Enter")
    running.wait(lambda s: panes(s)[1].count("Grüße, 你好") == 2 and "len 16" in panes(s)[2])
    running.keys("C-d")
    running.wait(lambda s: "it exited with status 0; Enter" in panes(s)[1]
                 and "The client closed first" in panes(s)[2])
    running.keys("F10")
    before.expect_nothing()
    expect_over(running, 0)


def test_a_line_can_be_mended_before_it_is_sent(running: Outer) -> None:
    running.keys("Enter")
    running.wait_for("connection from")
    running.type("helpp")
    running.keys("BSpace", "BSpace")
    running.type("lo")
    running.keys("Enter")
    running.wait(lambda s: panes(s)[1].count("hello") == 2)
    leave(running)


def test_ctrl_c_ends_the_program_and_enter_starts_it_again(running: Outer) -> None:
    running.keys("C-b", "Left")
    running.keys("C-c")
    running.wait(lambda s: "^Cit exited with status 0;" in panes(s)[0].replace("[", ""))
    running.keys("Enter")
    running.wait(lambda s: panes(s)[0].count("listening on 127.0.0.1 port 4321") == 2)
    leave(running)


def test_what_is_typed_behind_enter_is_for_the_program(running: Outer) -> None:
    running.type("x\rearly\r")
    running.wait(lambda s: panes(s)[1].count("early") == 2)
    leave(running)


def test_q_leaves_from_a_window_whose_program_is_not_there(running: Outer) -> None:
    before = Left(running)
    running.keys("q")
    before.expect_nothing()
    expect_over(running, 0)


def test_the_mouse_chooses_a_window(running: Outer) -> None:
    running.do("send-keys", "-t", "outer", "-l", "\x1b[<0;5;4M\x1b[<0;5;4m")
    running.keys("C-c")
    running.wait(lambda s: "exited with status 0" in panes(s)[0])
    leave(running)


def leave(outer: Outer) -> None:
    before = Left(outer)
    assert len(before.pids) >= 9
    outer.keys("C-b", "d")
    before.expect_nothing()
    expect_over(outer, 0)


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.lab[:2]}-{pair.name}" for pair in PAIRS])
def test_each_pair_can_be_watched(pair: Pair, start: Start) -> None:
    outer = start(f"{WATCH} {pair.lab} -p {pair.name}")
    outer.wait_for(CLIENT_LISTENS, LADDER_LISTENS)
    outer.wait(lambda s: f"$ {' '.join(pair.server.argv)}" in panes(s)[0])
    outer.keys("Enter")
    if not pair.udp or pair.name.startswith("tftp"):
        outer.wait(lambda s: "─►│" in panes(s)[2])
    else:
        outer.wait(lambda s: f"$ {pair.client.argv[0]}" in panes(s)[1])
        outer.type("hello\r")
        outer.wait(lambda s: "datagram, 5 bytes" in panes(s)[2])
    leave(outer)


# -- The screen --------------------------------------------------------------------


def test_titles_and_the_way_out_fit_80_columns(running: Outer) -> None:
    first, *_, last = running.screen().splitlines()
    assert re.fullmatch("── server: ./server ─+┬── client: ./client ─+", first)
    assert len(first) == 80
    assert last.strip() == ("leave: F10 or Ctrl-b Ctrl-b d   "
                            "other window: click or Ctrl-b Ctrl-b o")  # in a tmux already
    leave(running)


def test_outside_tmux_one_ctrl_b_is_enough(start: Start) -> None:
    outer = start(f"env -u TMUX {WATCH} 01")
    outer.wait_for(CLIENT_LISTENS, "leave: F10 or Ctrl-b d   other window: click or Ctrl-b o")
    leave(outer)


def test_windows_follow_the_terminals_size(running: Outer) -> None:
    running.keys("Enter")
    running.wait_for("connection from")
    running.do("resize-window", "-t", "outer", "-x", "120", "-y", "40")
    running.wait(lambda s: len(s.splitlines()[0]) == 120 and len(s.splitlines()) == 40)
    running.do("resize-window", "-t", "outer", "-x", "60", "-y", "20")
    running.wait(lambda s: len(s.splitlines()[0]) == 60 and len(s.splitlines()) == 20)
    leave(running)


def test_a_programs_terminal_has_its_windows_size(start: Start, submission: Path) -> None:
    (submission / "server.c").write_text("#include <sys/ioctl.h>\n" + server(
        "struct winsize w", "ioctl(0, TIOCGWINSZ, &w)",
        r'printf("%d columns, %d %d\n", w.ws_col, isatty(1), isatty(2))', "fflush(stdout)",
        "for (;;) pause()"))
    outer = start(f"{WATCH} 01 -s {submission}")
    screen = outer.wait_for("columns, 1 1")
    assert f"{screen.splitlines()[0].index('┬')} columns" in screen
    leave(outer)


# -- Programs nobody trusts ------------------------------------------------------------


@pytest.fixture
def submission(home: Path) -> Path:
    """A folder of lab 01 with a client; a test adds its server."""
    folder = home / "submission"
    folder.mkdir()
    (folder / "client.c").write_text(CLIENT)
    return folder


def test_a_submission_runs_in_the_sandbox_only(start: Start, submission: Path) -> None:
    (submission / "server.c").write_text(who(HARNESS))
    outer = start(f"{WATCH} 01 -s {submission}")
    outer.wait_for("student:x:1000:1000::/tmp:/bin/sh", "inside")
    leave(outer)


def test_what_is_printed_controls_nothing(start: Start, submission: Path) -> None:
    (submission / "server.c").write_text(server(
        r'printf("\x1b]2;evil\x07\x1b[2J\x9b" "5n done\n")', "fflush(stdout)",
        "for (;;) pause()"))
    outer = start(f"{WATCH} 01 -s {submission}")
    screen = outer.wait_for("5n done")
    assert r"\x1b]2;evil\x07\x1b[2J\x9b5n done" in panes(screen)[0]
    assert "── server: ./server ─" in screen
    leave(outer)


def test_a_program_types_into_no_terminal_but_its_own(start: Start, submission: Path) -> None:
    (submission / "server.c").write_text("#include <sys/ioctl.h>\n" + server(
        r'for (const char *c = "q\r"; *c; c++) ioctl(0, TIOCSTI, c)',
        r'printf("typed\n")', "return 3"))
    outer = start(f"{WATCH} 01 -s {submission}")
    outer.wait(lambda s: "it exited with status 3; Enter" in panes(s)[0] and CLIENT_LISTENS in s)
    outer.keys("Enter")  # the client's; all is still there
    outer.wait(lambda s: "connect: Connection refused" in panes(s)[1])
    leave(outer)


def test_a_program_that_is_killed_is_told(start: Start, submission: Path) -> None:
    (submission / "server.c").write_text(SERVERS["mute"])
    outer = start(f"{WATCH} 01 -s {submission}")
    outer.wait_for("listening", CLIENT_LISTENS, LADDER_LISTENS)
    outer.keys("Enter")
    outer.wait(lambda s: "3/3 ACK" in panes(s)[2])
    pids = [pid for pid in tree_of(outer.pid) if command_of(pid) == "./server "]
    os.kill(pids[0], signal.SIGKILL)
    outer.wait(lambda s: "it ended by SIGKILL; Enter" in panes(s)[0])
    leave(outer)


def test_a_compilers_message_is_shown(start: Start, submission: Path) -> None:
    (submission / "server.c").write_text("int main(void) { return x; }\n")
    outer = start(f"{WATCH} 01 -s {submission}")
    assert "server.c:1:25: error: " in expect_over(outer, 1)


def test_a_ladder_that_ends_stays_until_another_is_wanted(running: Outer) -> None:
    running.keys("Enter")
    running.wait(lambda s: "3/3 ACK" in panes(s)[2])
    [ladder] = [pid for pid in Left(running).pids if command_of(pid).startswith(str(LABCAP))]
    os.kill(ladder, signal.SIGKILL)
    assert "3/3 ACK" in running.wait_for(ANOTHER_LADDER)
    running.keys("C-b", "Down", "C-c")  # nothing is there to be interrupted
    running.wait(lambda s: "^C" in panes(s)[2])
    running.keys("Enter")
    running.wait(lambda s: last_row(panes(s)[2]).endswith("Ctrl-C ends it"))
    running.keys("C-c")
    running.wait(lambda s: last_row(panes(s)[2]).endswith(ANOTHER_LADDER))
    leave(running)


# -- Every end ---------------------------------------------------------------------


PARTS = {
    "guard": ("labkit.pairs.watch",),
    "worker": ("labkit.pairs.watch",),
    "labhost": ("labbox/labhost",),
    "pid 1 of the network": ("labbox/labhost",),
    "tmux": ("tmux", "new-session"),
    "client of tmux": ("tmux", "attach-session"),
}
"""Words in the command of each; the second and the fourth are a child of the one before."""


@pytest.mark.parametrize("part, number", [
    *((part, signal.SIGKILL) for part in PARTS),
    *((part, signal.SIGTERM) for part in PARTS if part != "pid 1 of the network"),  # it has none
])
def test_a_part_that_is_killed_takes_all_with_it(
    part: str, number: signal.Signals, running: Outer
) -> None:
    words = PARTS[part]
    running.keys("Enter")
    running.wait_for("connection from")
    before = Left(running)
    pid = before.find(*words)
    if part in ("worker", "pid 1 of the network"):
        pid = next(other for other in tree_of(pid)[1:]
                   if all(word in command_of(other) for word in words))
    os.kill(pid, number)
    before.expect_nothing()
    running.expect_as_before()
    assert "Traceback" not in running.screen()


def test_a_terminal_that_nobody_restored_is_restored(running: Outer) -> None:
    """Both who could have done it are killed, the one while the other cannot look."""
    before = Left(running)
    client = before.find("tmux", "attach-session")
    os.kill(client, signal.SIGSTOP)
    os.kill(before.find("tmux", "new-session"), signal.SIGKILL)
    os.kill(client, signal.SIGKILL)
    before.expect_nothing()
    running.expect_as_before()


def test_many_signals_are_as_one(running: Outer) -> None:
    before = Left(running)
    guard = before.find("labkit.pairs.watch")
    for pid in [guard, *tree_of(guard)[1:2]]:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            os.kill(pid, number)
    before.expect_nothing()
    running.wait_for("watch: interrupted", "status 3")
    running.expect_as_before()
    assert "Traceback" not in running.screen()


def test_a_closed_window_takes_all_with_it(running: Outer) -> None:
    running.keys("Enter")
    running.wait_for("connection from")
    before = Left(running)
    running.close_window()
    before.expect_nothing()


def test_make_that_is_killed_takes_all_with_it(start: Start) -> None:
    outer = start(f"make -s -C {shlex.quote(str(HARNESS.parent))} watch LAB=03")
    outer.wait_for("listening on 127.0.0.1 port 6000", CLIENT_LISTENS)
    before = Left(outer)
    os.kill(before.find("make -s"), signal.SIGKILL)
    before.expect_nothing()


def test_ctrl_c_while_it_builds_leaves_nothing(start: Start, submission: Path) -> None:
    (submission / "Makefile").write_text("server:\n\tsleep 1000\n")
    outer = start(f"{WATCH} 01 -s {submission}")
    wait_for_process(outer, "sleep 1000 ")
    outer.keys("C-c")
    assert "watch: interrupted" in expect_over(outer, 3)


def wait_for_process(outer: Outer, command: str) -> None:
    """Waits until one below OUTER's window is COMMAND; it is asked for, as no event tells."""
    while not any(command_of(pid) == command for pid in tree_of(outer.pid)):
        assert "status" not in outer.screen()


def test_another_tmux_is_not_touched(running: Outer) -> None:
    sessions = "list-sessions", "-F", "#{session_name} #{session_windows} #{window_panes}"
    assert running.do(*sessions) == "outer 1 1"
    leave(running)
    assert running.do(*sessions) == "outer 1 1"


def test_two_can_be_watched_at_the_same_time(
    running: Outer, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> None:
    env = {**os.environ, "LC_ALL": "C.UTF-8"}
    other = Outer(tmp_path_factory.mktemp("other"), f"{WATCH} 01", env)
    try:
        other.wait_for("listening on 127.0.0.1 port 4321", CLIENT_LISTENS)
        for outer in (other, running):
            outer.keys("Enter")
            outer.wait(lambda s: panes(s)[0].count("connection from") == 1)
        leave_second = Left(other)
        other.keys("F10")
        leave_second.expect_nothing()
        leave(running)
    finally:
        other.close()


# -- Where it cannot be --------------------------------------------------------------


@pytest.mark.parametrize("command, words", [
    ("{watch} 01 </dev/null", "this needs a terminal"),
    ("{watch} 01 | cat", "this needs a terminal"),
    ("{watch} 09", "there is no lab '09'"),
    ("{watch} 02 -p x", "there is no pair 'x' in 02-p2p-chat; its pairs are chat, turns"),
    ("{watch}", "which lab?"),
    ("PATH={bin} {watch} 01", "tmux is missing: run 'harness/setup watch'"),
    ("TERM=dumb {watch} 01", "terminal"),
    ("{refused} {watch} 01", "user namespaces seem to be off"),
])
def test_it_says_what_is_missing(
    command: str, words: str, start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in os.listdir("/usr/bin") if "{bin}" in command else ():
        if name != "tmux":
            (folder / name).symlink_to(f"/usr/bin/{name}")
    refused = ("unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && "
               'exec "$@"\' sh')
    outer = start(command.format(watch=WATCH, bin=folder, refused=refused))
    screen = outer.wait_for("status ")
    outer.expect_as_before()
    assert words in screen.replace("\n", " ") or words in screen.replace("\n", "")
    assert "Traceback" not in screen
