"""make run: a pair runs once, and its packets are shown; whatever its programs do, it ends."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Iterator, Mapping, NamedTuple, Sequence
from unicodedata import east_asian_width

import pytest

from bad_programs import CLIENT, PATIENT_CLIENT, SERVERS, SLOW_SERVER, who
from labkit.pairs.table import PAIRS, Pair
from labkit.paths import HARNESS, LABCAP, LABS
from labkit.processes import tree_of
from outer_tmux import Outer

LAB = "01-tcp-echo"
SHOWS = {"server_fork": (2, 0), "server_thread": (2, 0), "server_poll": (2, 0),
         "ftp-get": (2, 0), "ftp-put": (2, 0), "tftp-get": (0, 2), "tftp-put": (0, 2)}
"""How many TCP connections and UDP flows there are, where it is not one of the first."""


class Shown(NamedTuple):
    """What harness/run came to."""

    status: int
    said: str
    complaint: str

    def rows(self, mark: str) -> list[str]:
        """What the transcript has of MARK, each row as 'NAME: TEXT'."""
        found = re.findall(rf"^  (.*?) +{re.escape(mark)} (.*)$", self.said, re.M)
        return [f"{name}: {text}" for name, text in found]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    """A folder of lab 01 with a client; a test adds its server."""
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "client.c").write_text(CLIENT)
    return folder


@pytest.fixture(autouse=True)
def nothing_left_in_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each run keeps its temporary files in a folder of its own, and leaves none there.

    Not below tmp_path, which as root is closed to the guest that builds.
    """
    with tempfile.TemporaryDirectory(prefix="selftest-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        monkeypatch.setenv("TMPDIR", folder)
        yield
        assert os.listdir(folder) == []


def show(*args: object, before: Sequence[str] = (), env: Mapping[str, str] = os.environ) -> Shown:
    """Runs harness/run ARGS; it never answers with a traceback, nor with a row too wide."""
    done = subprocess.run([*before, HARNESS / "run", *map(str, args)], capture_output=True,
                          text=True, check=False, stdin=subprocess.DEVNULL, timeout=100,
                          env={**env, "LC_ALL": "C.UTF-8"})
    assert "Traceback" not in done.stdout + done.stderr
    rows = [row for row in done.stdout.splitlines()
            if row[:7] not in ("trace: ", "calls: ", "again: ")]  # the paths are pytest's
    assert max(sum(1 + (east_asian_width(c) in "WF") for c in row) for row in [*rows, ""]) <= 80
    return Shown(done.returncode, done.stdout, done.stderr)


# -- Every pair --------------------------------------------------------------------


def test_the_command_that_is_told_draws_the_same_again(out: Path) -> None:
    shown = show("01", "-o", out)
    command = next(row[7:] for row in shown.said.splitlines() if row.startswith("again: "))
    again = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True,
                           env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert "1/3 SYN" in again.stdout and again.stdout in shown.said


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.lab[:2]}-{pair.name}" for pair in PAIRS])
def test_each_pair_is_played_to_its_end(pair: Pair, out: Path) -> None:
    shown = show(pair.lab, "-p", pair.name, "-o", out)
    assert (shown.status, shown.complaint) == (0, ""), shown.said
    assert shown.rows("?") == []
    started, ended = shown.rows("$"), shown.rows("=")
    assert f"{pair.server.name or 'server'}: {' '.join(pair.server.argv)}" in started[0]
    assert len(started) == len([row for row in ended if row.endswith("exited with status 0")]) >= 2
    tcp, udp = SHOWS.get(pair.name, (0, 1) if pair.udp else (1, 0))
    *flows, _ = flows_of(out / f"{pair.lab[:2]}-{pair.name}.pcapng")
    assert sorted(flow["type"] for flow in flows) == ["tcp"] * tcp + ["udp"] * udp
    assert len(re.findall("^─ (?:TCP connection|UDP flow) ", shown.said, re.M)) == tcp + udp


def flows_of(trace: Path) -> list[dict[str, Any]]:
    """What labcap says of TRACE: an object a flow, then the capture's."""
    done = subprocess.run([LABCAP, "flows", "--json", trace], capture_output=True, text=True,
                          check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_chat_is_half_closed_before_it_is_answered(out: Path) -> None:
    assert show("02", "-o", out).status == 0
    [flow, _] = flows_of(out / "02-chat.pcapng")
    assert "Fd" in flow["history"].replace("a", "").replace("A", "")


def test_every_program_of_every_lab_is_in_a_pair() -> None:
    from labkit.build import PROGRAMS
    there = {(pair.lab, command.program) for pair in PAIRS
             for command in (pair.server, pair.client)}
    assert there == {(lab, name) for lab, names in PROGRAMS.items() for name in names}


def test_what_was_done_is_told_in_the_order_it_happened(out: Path) -> None:
    shown = show("01", "-p", "server_fork", "-o", out)
    rows = re.findall(r"^  (client \d|server) +(\S) (.*)$", shown.said, re.M)
    assert [row for row in rows if row[1] in "$<=" or row[0] != "server"] == [
        ("server", "$", "./server_fork"),
        ("client 1", "$", "./client"),
        ("client 1", "<", "good morning"),
        ("client 1", "|", "good morning"),
        ("client 2", "$", "./client -m hello"),
        ("client 2", "|", "hello"),
        ("client 2", "=", "exited with status 0"),
        ("client 1", "<", "(Ctrl-D: the end of its input)"),
        ("client 1", "=", "exited with status 0"),
        ("server", "=", "Ctrl-C: exited with status 0"),
    ]


@pytest.mark.parametrize("before, coloured", [("", True), ("NO_COLOR=1", False)])
def test_a_terminal_has_colour_unless_nobody_wants_it(
    before: str, coloured: bool, tmp_path: Path, out: Path
) -> None:
    outer = Outer(tmp_path, f"{before} {HARNESS}/run 03 -o {out}; echo came to $?", os.environ)
    try:
        outer.wait_for("came to 0")
        screen = outer.do("capture-pane", "-e", "-p", "-S", "-", "-t", "outer")
        assert bool(re.search(r"\x1b\[36m(\x1b\[\d+m)* +client +< hello", screen)) == coloured
        assert ("\x1b[" in screen) == coloured
    finally:
        outer.close()


# -- The calls ---------------------------------------------------------------------


def test_the_ladder_has_the_calls_and_both_files_are_kept(out: Path) -> None:
    shown = show("01", "-o", out)
    assert sorted(os.listdir(out)) == ["01-server.calls", "01-server.pcapng"]
    assert " connect(" in (out / "01-server.calls").read_text()
    for call in ("listen", "accept", "connect", "recv", "send", "close"):
        assert f"{call}(" in shown.said
    assert f"trace: {out}/01-server.pcapng\ncalls: {out}/01-server.calls\n" in shown.said


def test_without_strace_the_ladder_has_no_calls_and_a_line_says_why(
    out: Path, path_without: str
) -> None:
    out.mkdir()
    (out / "01-server.calls").write_text("of an earlier run")
    shown = show("01", "-o", out, env={**os.environ, "PATH": path_without})
    assert shown.status == 0
    assert "1/3 SYN" in shown.said and "connect(" not in shown.said
    assert "\nWithout system calls: strace is missing: run 'make setup'\n" in shown.said
    assert os.listdir(out) == ["01-server.pcapng"] and "\ncalls: " not in shown.said


@pytest.fixture
def path_without() -> Iterator[str]:
    """A PATH on which there is all but strace; guests get there, too."""
    with tempfile.TemporaryDirectory(prefix="path-", dir="/tmp") as name:
        os.chmod(name, 0o755)
        for tool in os.listdir("/usr/bin"):
            if tool != "strace":
                os.symlink(f"/usr/bin/{tool}", f"{name}/{tool}")
        yield name


# -- Programs that do not do what they should ----------------------------------------


def test_a_compilers_message_is_shown(submission: Path, out: Path) -> None:
    (submission / "server.c").write_text("int main(void) { return x; }\n")
    shown = show("01", "-s", submission, "-o", out)
    assert shown.status == 1
    assert "server.c:1:25: error: " in shown.said and "undeclared" in shown.said


def test_a_program_that_is_not_there_is_named(submission: Path, out: Path) -> None:
    shown = show("01", "-s", submission, "-o", out)
    assert shown.status == 1
    assert "there is no server.c, and make made no server" in shown.said


@pytest.mark.parametrize("server, words", [
    ("leaves", ["server: exited with status 7", "`./server` listens on 127.0.0.1 port 4321"]),
    ("unwritten", ["likely cause: Step 4 is not written yet: listen.",
                   "read on: labs/01-tcp-echo/README.md, step 4"]),
    ("elsewhere", ["a listening socket on 127.0.0.1 port 4322", "Connection refused",
                   "RST"]),
    ("crashes", ["server: ended by SIGSEGV", "`./server` goes on until Ctrl-C",
                 "it ended by SIGSEGV"]),
    ("lingers", ["server: ended by SIGSEGV", "it ended by SIGSEGV"]),
    ("mute", ["`./client -m hello` exits with status 0", "seen: it still runs", "1/3 SYN"]),
    ("deaf", ["Connection reset by peer", "RST"]),
    ("stubborn", ["expected: Ctrl-C ends `./server`", "seen: it still runs",
                  "client: exited with status 0"]),
])
def test_what_goes_wrong_is_told_and_drawn(
    server: str, words: Sequence[str], submission: Path, out: Path
) -> None:
    (submission / "server.c").write_text(SERVERS[server])
    shown = show("01", "-s", submission, "-o", out)
    assert shown.status == 1
    told = "\n".join([shown.said, *shown.rows("="), *shown.rows("?")])
    assert [word for word in words if word not in told] == []
    assert "\nIt did not go as it should:\nexpected: " in shown.said
    assert (out / "01-server.pcapng").exists()


def test_a_server_that_never_rests_ends_with_the_time(submission: Path, out: Path) -> None:
    (submission / "server.c").write_text(SERVERS["restless"])
    shown = show("01", "-s", submission, "-o", out)
    assert shown.status == 1
    assert "no listening socket at all" in shown.said
    assert shown.rows("?") == ["server: Ctrl-C: ended by SIGINT"]


def test_an_answer_may_take_its_time_where_datagrams_may_be_lost(
    tmp_path: Path, out: Path
) -> None:
    folder = tmp_path / "submission"
    folder.mkdir()
    for name, text in (("server", SLOW_SERVER), ("client", PATIENT_CLIENT)):
        (folder / f"{name}.c").write_text(text)
    shown = show("03", "-s", folder, "-o", out)
    assert shown.status == 0, shown.said
    assert "client: hello" in shown.rows("|")


def test_what_is_printed_controls_no_terminal_and_has_a_bound(submission: Path, out: Path) -> None:
    (submission / "server.c").write_text(SERVERS["loud"])
    shown = show("01", "-s", submission, "-o", out)
    assert "\x1b" not in shown.said and "\x07" not in shown.said
    assert shown.rows("|")[0].startswith(r"server: \x1b[31mred\x07")
    assert "server: ... and what more it prints is not shown" in shown.rows("|")
    assert len(shown.rows("|")) < 100


def test_wide_text_is_wrapped_where_it_is_too_wide(submission: Path, out: Path) -> None:
    (submission / "server.c").write_text(SERVERS["wide"])
    shown = show("01", "-s", submission, "-o", out)
    assert "".join(row.split(": ", 1)[1] for row in shown.rows("|")
                   if row.startswith("server: ")).startswith("你好" * 50)


def test_a_submission_runs_in_the_sandbox_only(submission: Path, out: Path) -> None:
    (submission / "server.c").write_text(who(HARNESS))
    shown = show("01", "-s", submission, "-o", out)
    assert "server: student:x:1000:1000::/tmp:/bin/sh" in shown.rows("|")
    assert "server: inside" in shown.rows("|")


# -- Wrong calls -------------------------------------------------------------------


@pytest.mark.parametrize("args, status, words", [
    ([], 2, "which lab? LAB=01 for instance; the labs are 01-tcp-echo, 02-p2p-chat, "),
    (["09"], 2, "there is no lab '09'; the labs are 01-tcp-echo, "),
    ([""], 2, "there is no lab ''"),
    (["02", "-p", "server"], 2, "no pair 'server' in 02-p2p-chat; its pairs are chat, turns"),
    (["01", "-p", ""], 2, "there is no pair '' in 01-tcp-echo"),
    (["01", "-s", "nowhere"], 2, "SUBMISSION: 'nowhere' is not a folder"),
    (["01", "-o", ""], 2, "no folder is named"),
    (["01", "-o", "/dev/null"], 2, "OUT: /dev/null is not a folder"),
    (["01", "-s", "/tmp", "-o", "/tmp/x"], 2, "lies in the submission"),
    (["01", "--pear"], 2, "(harness/run -h tells the usage)"),
    (["01", "02"], 2, "unrecognized arguments: 02"),
    (["01", "-o", "/proc/x"], 3, "OUT: /proc/x cannot be written to"),
])
def test_a_wrong_call_is_one_line(args: list[str], status: int, words: str) -> None:
    shown = show(*args)
    assert shown.status == status
    assert shown.complaint.startswith("run: ") and shown.complaint.count("\n") == 1
    assert words in shown.complaint and shown.said == ""


def test_without_user_namespaces_it_says_what_to_do(out: Path) -> None:
    refused = ["unshare", "-Ur", "sh", "-c",
               'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', "sh"]
    shown = show("01", "-o", out, before=refused)
    assert shown.status == 3
    assert "user namespaces seem to be off" in shown.complaint
    assert "docs/troubleshooting.md" in shown.complaint


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_nothing_is_left(
    number: signal.Signals, submission: Path, out: Path
) -> None:
    (submission / "server.c").write_text(SERVERS["restless"])
    process = subprocess.Popen([HARNESS / "run", "01", "-s", submission, "-o", out], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    while "$ ./server" not in process.stdout.readline():
        assert process.poll() is None
    there = {pid: os.pidfd_open(pid) for pid in tree_of(process.pid)}
    process.send_signal(number)
    _, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint) == (3, "run: interrupted\n")
    for fd in there.values():
        assert select.select([fd], [], [], 30)[0]
        os.close(fd)


def test_a_reader_that_has_seen_enough_is_no_fault(out: Path) -> None:
    done = subprocess.run(f"{HARNESS}/run 01 -o {out} | head -1", shell=True, check=True,
                          capture_output=True, text=True)
    assert done.stdout == "01-tcp-echo, pair server: a line there and back\n"
    assert done.stderr == ""


# -- make --------------------------------------------------------------------------


def test_make_hands_the_values_on_as_they_were_typed(tmp_path: Path) -> None:
    shutil.copy(HARNESS.parent / "Makefile", tmp_path)
    for part in ("labcap", "labwire", "labbox"):
        (tmp_path / "harness" / part).mkdir(parents=True)
        (tmp_path / "harness" / part / "Makefile").write_text("all:\n")
    for name, body in (("setup", 'echo "setup $*"'), ("run", r'printf "%s\n" run "$@"; env'),
                       ("watch", r'printf "%s\n" watch "$@"; env')):
        (tmp_path / "harness" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "harness" / name).chmod(0o755)
    awkward = "a \"b' $HOME $(shell touch made) `touch shelled`  #c\\"
    values = [f"SUBMISSION={awkward}", f"PAIR={awkward}y", f"OUT={awkward}x", "LAB=01"]
    for target, level, expected in (
        ("run", "grade", ["-s", awkward, "-p", awkward + "y", "-o", awkward + "x", "01"]),
        ("watch", "watch", ["-s", awkward, "-p", awkward + "y", "01"]),
    ):
        done = subprocess.run(["make", target, *values], cwd=tmp_path, capture_output=True,
                              text=True, check=True, env={"PATH": "/usr/bin:/bin", "HOME": "/"})
        lines = done.stdout.splitlines()
        assert f"setup {level}" in lines[: lines.index(target)]
        given = lines[lines.index(target) + 1:]
        assert given[: len(expected)] == expected
        assert not [line for line in given[len(expected):]
                    if re.match("MAKE|LAB=|SUBMISSION=|PAIR=|OUT=", line)]
    assert not (tmp_path / "made").exists() and not (tmp_path / "shelled").exists()


def test_make_help_lists_run_and_watch_in_80_columns() -> None:
    done = subprocess.run(["make", "-s", "help"], cwd=HARNESS.parent, capture_output=True,
                          text=True, check=True)
    for target in ("run", "watch"):
        assert re.search(rf"^make {target} +\S.* LAB=01 \[PAIR=NAME\]", done.stdout, re.M)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_labs_are_left_as_they_are(out: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in LABS.rglob("*")}
    assert show("02", "-o", out).status == 0
    assert {path: path.stat().st_mtime_ns for path in LABS.rglob("*")} == before
