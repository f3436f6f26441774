"""The system calls of graded tests: where they go, and that no verdict rests on them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any, Sequence

import pytest

from calls_in_order import out_of_order
from labkit import tracer
from labkit.paths import HARNESS, LABCAP, LABS
from small_suite import private_mount
from workbench import compile_c

# -- A call that a signal cut short --------------------------------------------

SIGCHLD = "5 1.2 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---\n"
EINTR = "5 1.1 epoll_wait(4<anon_inode:[eventpoll]>, [], 8, -1) = -1 EINTR (Interrupted)\n"
OTHER = "6 1.1 read(0, \"\", 9) = 0 <0.1>\n"


@pytest.mark.parametrize("log, interfered", [
    (EINTR + SIGCHLD, True),
    (EINTR + OTHER + SIGCHLD, True),
    ('5 1.1 sendto(3, "x"..., 99999, 0, NULL, 0) = 20000 <0.1>\n' + SIGCHLD, True),
    ("5 1.1 <... write resumed>) = 20000 <0.1>\n" + SIGCHLD, True),
    ("5 1.0 rt_sigaction(SIGCHLD, {sa_handler=0x55d0, sa_mask=[]}, NULL, 8) = 0\n"
     + EINTR + SIGCHLD, False),
    ("5 1.0 rt_sigaction(SIGINT, {sa_handler=0x55d0, sa_mask=[]}, NULL, 8) = 0\n"
     + EINTR + SIGCHLD, True),
    (EINTR + SIGCHLD.replace("SIGCHLD", "SIGINT"), False),
    (EINTR + "5 1.2 --- SIGSTOP {si_signo=SIGSTOP} ---\n", False),
    (EINTR + SIGCHLD.replace("5", "6", 1), False),
    ("5 1.1 accept(3, NULL, NULL) = ? ERESTARTSYS (To be restarted)\n" + SIGCHLD, False),
    ("", False),
])
def test_a_call_that_was_cut_short_by_the_recording_is_found(log: str, interfered: bool) -> None:
    assert tracer.interfered(log.encode()) == interfered


EPOLL = r"""
#include <sys/epoll.h>
#include <unistd.h>
/* Without a tracer nobody wakes: SIGCHLD is ignored by default. */
static int wait_a_moment(void)
{
    struct epoll_event event;

    if (fork() == 0) {
        usleep(20 * 1000);
        _exit(0);
    }
    return epoll_wait(epoll_create1(0), &event, 1, 300);
}
#define main(...) main_of_the_server(__VA_ARGS__)
int main_of_the_server(int argc, char *argv[]);
#include "server_itself.c"
#undef main
int main(int argc, char *argv[])
{
    return wait_a_moment() < 0 ? 1 : main_of_the_server(argc, argv);
}
"""


def grade(out: Path, *args: str, before: Sequence[str] = ()) -> dict[str, Any]:
    """Grades one lab; what results.json says, each test by its name, and 'stdout'."""
    done = subprocess.run([*before, HARNESS / "grade", "-o", out, *args], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = json.loads((out / "results.json").read_text())["tests"]
    found = {test["extra_data"]["command"].rsplit(" ", 1)[1].strip("'"): test for test in tests}
    return {**found, "stdout": done.stdout}


def test_a_verdict_does_not_rest_on_what_the_recording_changed(tmp_path: Path) -> None:
    """The test is run again, unrecorded, and says so."""
    folder = tmp_path / "submission"
    shutil.copytree(LABS / "01-tcp-echo", folder)
    (folder / "server.c").rename(folder / "server_itself.c")
    (folder / "server.c").write_text(EPOLL)
    test = "test_server_echoes_a_line[server]"
    told = grade(tmp_path / "out", "01", "-s", str(folder), "-k", test)[test]["extra_data"]
    assert told["calls"] is None and "made a difference" in told["no_calls"]
    assert [path.suffix for path in (tmp_path / "out/traces").iterdir()] == [".pcapng"]


# -- A whole run ---------------------------------------------------------------

ECHO, WAITS = "test_server_echoes_a_line[server]", "test_client_waits_without_using_the_processor"
BOTH = ("01", "-k", "test_client_waits_without_using_the_processor or test_server_echoes_a_line")


def test_results_name_the_logs_and_why_there_is_none(tmp_path: Path) -> None:
    told = grade(tmp_path, *BOTH)
    echo, waits = told[ECHO]["extra_data"], told[WAITS]["extra_data"]
    assert echo["calls"] == echo["trace"].replace(".pcapng", ".calls")
    assert echo["no_calls"] is None
    assert "accept" in (tmp_path / echo["calls"]).read_text("ascii")
    assert (waits["calls"], waits["no_calls"]) == (
        None, "this test counts how often a program runs while it waits")
    assert "Calls:" not in told["stdout"]


def test_calls_out_of_order_are_found(tmp_path: Path) -> None:
    """What every graded test is asked for in calls_in_order.py."""
    left = grade(tmp_path, "01", "-k", ECHO)[ECHO]["extra_data"]
    trace, log = tmp_path / left["trace"], tmp_path / left["calls"]
    assert out_of_order(trace, log) == []
    text = log.read_text("ascii")
    enough = lasts(trace) + Decimal("0.000001")
    for shift in (enough, -enough):
        log.write_text(re.sub(r"^(\d+ +)(\S+)", lambda m: f"{m[1]}{Decimal(m[2]) + shift}",
                              text, flags=re.M))
        assert out_of_order(trace, log) != []


def lasts(trace: Path) -> Decimal:
    """Seconds from the first packet to the last.

    The server's reads and writes lie between them, for its answer and its FIN come after:
    shifted by so much, a call is on the wrong side of its packet however slow the machine.
    """
    told = subprocess.run([LABCAP, "flows", "--json", trace], stdout=subprocess.PIPE, text=True,
                          check=True)
    flows = [json.loads(line, parse_float=Decimal) for line in told.stdout.splitlines()][:-1]
    ends = [flow["start"] + flow["duration"] for flow in flows]
    return Decimal(max(ends) - min(flow["start"] for flow in flows))


def test_logs_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / "traces").mkdir()
    old, other = tmp_path / "traces/01-02-test_old.calls", tmp_path / "traces/other.calls"
    old.touch()
    other.touch()
    grade(tmp_path, "01", "-k", ECHO)
    assert not old.exists() and other.exists()


NO_PTRACE = r"""
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Runs a command that may not call ptrace, as in some containers. */
int main(int argc, char *argv[])
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};

    if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        return 2;
    execvp(argv[1], argv + 1);
    return 2;
}
"""


@pytest.mark.parametrize("why", ["missing", "refused"])
def test_a_run_without_calls_says_so_in_one_line_and_the_grade_is_the_same(
    tmp_path: Path, why: str
) -> None:
    if why == "missing":
        before = private_mount(f"mount --bind /dev/null {shutil.which('strace')}")
        words = "strace is missing: run 'make setup'"
    else:
        compile_c(NO_PTRACE, tmp_path / "no_ptrace")
        before, words = [str(tmp_path / "no_ptrace")], "Operation not permitted"
    told = grade(tmp_path / "out", *BOTH, before=before)
    data = told[ECHO]["extra_data"]
    assert (told[ECHO]["score"], data["calls"]) == (told[ECHO]["max_score"], None)
    assert words in data["no_calls"]
    said = " ".join(told["stdout"].partition("Calls:   ")[2].split())
    assert said.startswith("not recorded in 8 of 9 tests: strace ") and words in said
