"""The system calls of a test's programs are recorded, and nothing else about the test changes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Optional

import pytest

from labkit import tracer
from labkit.feedback import HarnessError, Mismatch
from labkit.program import Program
from labkit.scenario import Scenario
from workbench import World, run

recorded = pytest.mark.parametrize("world", [True], indirect=True, ids=["recorded"])
LINE = re.compile(r"(\d+) +(\d+\.\d{9}) (.*)")


def calls_of(lab: Scenario) -> list[str]:
    """Ends the test; what the log says, a line each, without process and time."""
    lab.close()
    assert lab.calls.log is not None
    lines = lab.calls.log.read_text("ascii").splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    return [line if m is None else m[3] for line, m in zip(lines, found)]


def only(lines: list[str], begin: str) -> list[str]:
    return [line for line in lines if line.startswith(begin)]


def tracer_of(program: Program) -> int:
    """The process that traces PROGRAM; 0 for none."""
    status = Path(f"/proc/{program.pid}/status").read_text("ascii")
    return int(re.findall(r"^TracerPid:\t(\d+)", status, re.M)[0])


# -- The log -------------------------------------------------------------------


@recorded
def test_the_log_goes_from_a_programs_start_to_its_end(world: World) -> None:
    lab = world(prog="echo hello; exit 3")
    program = lab.start("prog", "first argument")
    lab.expect_exit(program, 3)
    lines = calls_of(lab)
    assert lines[0].startswith('execve("./prog", ["./prog", "first argument"], ')
    assert lines[-1] == "+++ exited with 3 +++"
    [write] = only(lines, "write(1")
    assert '"hello\\n", 6) = 6 <0.' in write


@recorded
def test_a_program_built_with_the_address_sanitizer_ends_as_it_wants(
    world: World, workspace: Path
) -> None:
    """Its search for leaks would not work while it is traced, and end it with another status."""
    lab = world(prog="#include <stdlib.h>\n"
                     "int main(void) { void *volatile lost = malloc(9); lost = 0; return !!lost; }")
    prog = workspace / "submission" / "prog"
    run("cc", "-fsanitize=address", "-o", prog, prog.with_suffix(".c"))
    lab.expect_exit(lab.start("prog"), 0)


@recorded
def test_a_call_that_still_lasts_is_in_the_log(world: World) -> None:
    """Though the program is killed by the end of its sandbox, a moment later."""
    lab = world(prog="exec cat")
    program = lab.start("prog")
    program.write(b"hello\n")
    lab.expect_line(program, "hello")
    lab.wait_blocked(program)
    assert re.fullmatch(r"read\(0<.*>, +<detached \.\.\.>", calls_of(lab)[-1])


@recorded
def test_all_programs_are_in_one_log_with_their_children_and_threads(world: World) -> None:
    lab = world(first="(exec true); exec true", second=r"""
        #include <pthread.h>
        #include <unistd.h>
        static void *tell(void *text) { return write(1, text, 7) == 7 ? NULL : text; }
        int main(void)
        {
            pthread_t thread;
            return pthread_create(&thread, NULL, tell, "thread\n") || pthread_join(thread, NULL);
        }""")
    lab.expect_exit(lab.start("first"))
    lab.expect_exit(lab.start("second"))
    lines = calls_of(lab)
    assert [re.findall(r'execve\("([^"]*)"', line) for line in only(lines, "execve(")] == [
        ["./first"], ["/usr/bin/true"], ["/usr/bin/true"], ["./second"]]
    assert lab.calls.log is not None
    ids = [line.split()[0] for line in lab.calls.log.read_text("ascii").splitlines()]
    assert len(set(ids)) == 4
    [write] = [text for text in lines if '"thread\\n"' in text]
    assert write.startswith("write(1")


@recorded
def test_a_socket_is_told_with_its_addresses(world: World) -> None:
    lab = world()
    listener = lab.listen(4321)
    client = lab.start_tool("ncat", "127.0.0.1", "4321", stdin=b"hello")
    peer = lab.accept(listener)
    peer.expect(b"hello")
    peer.close()
    lab.wait_gone(client)
    assert [line for line in calls_of(lab)
            if re.match(r"(write|sendto)\(\d+<TCP:\[127\.0\.0\.1:\d+->127\.0\.0\.1:4321\]>", line)]


@recorded
def test_a_scenario_that_records_gives_back_its_descriptors(world: World) -> None:
    counts = []
    for _ in range(3):
        lab = world(prog="echo hello")
        lab.expect_exit(lab.start("prog"))
        lab.close()
        counts.append(len(os.listdir("/proc/self/fd")))
    assert counts[0] == counts[1] == counts[2]


# -- What a program can do to it -----------------------------------------------

HOSTILE = r"""
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

static void show(const char *path, const char *only)
{
    char line[300];
    FILE *file = fopen(path, "r");

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, only, strlen(only)) == 0)
            printf("%s", line);
    if (file != NULL)
        fclose(file);
}

int main(void)
{
    struct dirent *entry;
    char path[300];
    DIR *proc = opendir("/proc");

    kill(-1, SIGKILL);
    for (int pid = 1; pid < 100; pid++)
        if (pid != getpid() && ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0)
            printf("traces %d\n", pid);
    printf("traced: %ld\n", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    show("/proc/self/status", "TracerPid");
    while ((entry = readdir(proc)) != NULL) {
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        if (atoi(entry->d_name) > 0)
            show(path, "");
    }
    closedir(proc);
    for (int fd = 3; fd < 1000; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("has %d\n", fd);
    return 7;
}
"""


@recorded
def test_a_program_can_neither_see_nor_end_nor_join_the_recording(world: World) -> None:
    lab = world(prog=HOSTILE, other="read line; echo $line")
    other, program = lab.start("other"), lab.start("prog")
    lab.expect_exit(program, 7)
    assert program.stdout.decode().splitlines() == [
        "traced: -1", "TracerPid:\t0", "labinit", "prog"]
    other.write(b"alive\n")
    lab.expect_exit(other)
    assert other.stdout == b"alive\n"
    lines = calls_of(lab)
    assert lab.calls.problem is None
    assert only(lines, "+++") == ["+++ exited with 0 +++", "+++ exited with 7 +++"]


@recorded
def test_a_program_that_floods_the_log_loses_its_rest_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracer, "LIMIT", 32 * 1024)
    lab = world(prog=r"""
        #include <stdio.h>
        #include <unistd.h>
        int main(void)
        {
            for (int i = 0; i < 2000; i++)
                close(-1);
            return puts("done") < 0;
        }""", other="echo other")
    flooding, other = lab.start("prog"), lab.start("other")
    lab.expect_exit(flooding)
    lab.expect_exit(other)
    assert flooding.stdout == b"done\n"
    lines = calls_of(lab)
    told = lines.index("strace: the log of ./prog ends here: it reached its limit of 32768 bytes")
    assert lines[told - 1].startswith("close(-1)")
    assert lines[told + 1].startswith('execve("./other"')


@recorded
def test_a_program_outlives_the_recording(world: World) -> None:
    lab = world(prog="read line; echo $line")
    program = lab.start("prog")
    strace = os.pidfd_open(tracer_of(program))
    signal.pidfd_send_signal(strace, signal.SIGKILL)
    os.close(strace)
    program.write(b"alive\n")
    lab.expect_exit(program)
    assert program.stdout == b"alive\n"
    assert calls_of(lab)[-1] == "strace: the log of ./prog ends here: it was ended by SIGKILL"


# -- What a test sees of a program is as ever ----------------------------------


@recorded
def test_a_program_that_is_stopped_is_stopped(world: World) -> None:
    lab = world(prog="while read line; do echo $line; done")
    program = lab.start("prog")
    lab.wait_blocked(program)
    assert not program.activity().stopped
    lab.pause(program)
    assert program.activity().stopped
    program.write(b"later\n")
    lab.stall = 0.4
    began = time.monotonic()
    with pytest.raises(Mismatch, match="still runs"):
        lab.expect_exit(program)
    assert time.monotonic() - began < 10, "it stood still, and that was not seen"
    assert program.stdout == b""
    lab.resume(program)
    lab.expect_line(program, "later")
    assert not program.activity().stopped
    assert "--- stopped by SIGSTOP ---" in calls_of(lab)


@recorded
def test_waking_up_is_not_counted_while_calls_are_recorded(world: World) -> None:
    lab = world(prog="read line")
    with pytest.raises(HarnessError, match="recorded"):
        lab.expect_idle(lab.start("prog"))


# -- Where there is no recording -----------------------------------------------

REFUSED = "attach: ptrace(PTRACE_SEIZE, 4): Operation not permitted"


@recorded
@pytest.mark.parametrize("strace, told", [
    (None, "strace is missing: run 'make setup'"),
    (f"echo '/usr/bin/strace: {REFUSED}' >&2; exit 1",
     f"strace cannot attach to a program: {REFUSED}"),
    ("exit 0", "strace cannot attach to a program: strace ended by itself"),
    ("exec sleep 1000", "strace did not attach to the program in time"),
], ids=["missing", "refused", "silent", "stuck"])
def test_programs_run_as_ever_and_the_reason_is_told(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strace: Optional[str],
    told: str,
) -> None:
    instead = tmp_path / "strace"
    instead.write_text(f"#!/bin/sh\n{strace}\n")
    instead.chmod(0o755)
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: which(name) if name != "strace" else
                        None if strace is None else str(instead))
    monkeypatch.setattr(tracer, "_PATIENCE", 0.5)
    lab = world(prog="read line; echo $line; exit 3")
    for _ in range(2):
        lab.expect_exit(lab.start("prog", stdin=b"hello\n"), 3)
    assert [bytes(program.stdout) for program in lab.programs] == [b"hello\n"] * 2
    lab.close()
    assert lab.calls.problem == told
    assert lab.calls.log is not None and not lab.calls.log.exists()


@recorded
def test_a_log_without_every_program_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = world(prog="exit 0")
    lab.expect_exit(lab.start("prog"))
    monkeypatch.setattr(tracer, "_OPTIONS", ["--no-such-option"])
    lab.expect_exit(lab.start("prog"))
    lines = calls_of(lab)
    assert lines[-2] == "+++ exited with 0 +++"
    assert lines[-1].startswith("strace: not every program is here: strace cannot attach")


@recorded
def test_a_log_that_cannot_be_written_is_no_error(world: World) -> None:
    lab = world(prog="exit 0")
    assert lab.calls.log is not None
    lab.calls.log.mkdir()
    lab.expect_exit(lab.start("prog"))
    lab.close()
    assert lab.calls.problem == f"{lab.calls.log} cannot be written: Is a directory"
