"""Whatever fails in the grader, at whichever stage, no submission is charged with it.

A graded test of lab 01 runs for real in each, on a program that is right, with one part of the
harness or of the machine broken. Exit status 3, and nothing that could be taken for a grade.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
from pathlib import Path
from typing import Optional

import jsonschema
import pytest

from small_suite import HARNESS, Grade, SmallSuite, private_mount

REPO = HARNESS.parent
LAB = "01-tcp-echo"
TEST = "test_hello_server_takes_no_message_for_a_format"
NOT_GRADED = json.loads(
    (Path(__file__).parent / "schemas" / "not-graded.schema.json").read_text("utf-8"))


@pytest.fixture
def suite(small_suite: SmallSuite) -> SmallSuite:
    """The whole harness, and one lab with the one reference program that TEST is of."""
    for part in ("labcap/labcap", "labwire/labwire", "labbox/labhost", "labbox/labinit"):
        shutil.copy2(HARNESS / part, small_suite.harness / part)
    shutil.copy2(HARNESS / "tests" / "test_01_hello.py", small_suite.harness / "tests")
    (small_suite.top / "submission").mkdir()
    for name in ("hello_server.c", "net.c", "net.h"):
        shutil.copy2(REPO / "labs" / LAB / name, small_suite.top / "submission")
    return small_suite


def grade(suite: SmallSuite, *before: str, out: Optional[Path] = None) -> Grade:
    return suite.grade("01", "-s", "submission", "-j1", "-k", TEST, before=before,
                       *(["-o", str(out)] if out else []))


def wrap(suite: SmallSuite, part: str, script: str) -> None:
    """The program PART of the harness is run as SCRIPT, in which it is "$real"."""
    path = suite.harness / part
    real = path.with_name(f"{path.name}-real")
    path.rename(real)
    path.write_text(f"#!/bin/sh\nreal={real}\n{script}\n")
    path.chmod(0o755)


def edit(suite: SmallSuite, file: str, old: str, new: str) -> None:
    path = suite.harness / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def assert_not_graded(suite: SmallSuite, done: Grade, words: str) -> None:
    """DONE failed as a whole, or in its test, and says WORDS; no file tells a score."""
    assert done.status == 3, done.stdout + done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert words in said, said
    assert "FAIL" not in done.stdout and "traceback" not in done.stderr.lower()
    if done.stdout:  # the test was run, and failed by itself
        jsonschema.Draft202012Validator(NOT_GRADED).validate(suite.results())
        [test] = suite.results()["tests"]
        assert (test["status"], test["extra_data"]["cause"]) == ("error", None)
        assert "No score: 1 of 1 tests not graded: the grader failed" in done.stdout
    else:
        assert not (suite.out / "results.json").exists()
        assert done.stderr.startswith("grade: ")


def test_without_a_fault_the_test_passes(suite: SmallSuite) -> None:
    done = grade(suite)
    assert (done.status, done.stderr) == (0, ""), done.stdout
    assert suite.results()["score"] > 0


# -- The machine lacks something -----------------------------------------------


@pytest.mark.parametrize("command, words", [
    ("cc", "no program can be built here, not even a good one; make says: "),
    ("ld", "no program can be built here"),
    ("make", "make"),
    ("bwrap", "bwrap is missing"),
])
def test_a_command_that_cannot_be_run_is_no_fault_of_the_submission(
    suite: SmallSuite, command: str, words: str
) -> None:
    path = os.path.realpath(f"/usr/bin/{command}")
    done = grade(suite, *private_mount(f"mount --bind /dev/null {path}"))
    assert_not_graded(suite, done, words)


def test_headers_that_are_gone_are_no_fault_of_the_submission(suite: SmallSuite) -> None:
    done = grade(suite, *private_mount("mount -t tmpfs none /usr/include"))
    assert_not_graded(suite, done, "no program can be built here")


def test_a_full_out_is_no_fault_of_the_submission(suite: SmallSuite, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    fill = f"mount -t tmpfs -o size=64k none {out}; head -c 56k /dev/zero >{out}/full"
    copy = f'"$@"; status=$?; cp -r {out} {out}.copy; exit $status'
    done = grade(suite, *private_mount(fill), "sh", "-c", copy, "sh", out=out)
    assert done.status == 3
    assert "No space left" in done.stdout + done.stderr or "cannot be trusted" in done.stdout
    assert "FAIL" not in done.stdout
    left = tmp_path / "out.copy" / "results.json"
    assert not left.exists() or "score" not in json.loads(left.read_text())


# -- Parts of the harness fail -------------------------------------------------


@pytest.mark.parametrize("part, script, words", [
    ("labcap/labcap", 'case $1 in record) kill -SEGV $$ ;; esac; exec "$real" "$@"',
     "labcap record ended by itself"),
    ("labcap/labcap", 'case $1 in check) kill -SEGV $$ ;; esac; exec "$real" "$@"', "not graded"),
    ("labcap/labcap", 'case $1 in check) echo "12 packets were dropped" >&2; exit 3 ;; esac\n'
     'exec "$real" "$@"', "12 packets were dropped"),
    ("labcap/labcap", 'case $1 in record) "$real" "$@"; echo "8 packets, 3 drops" >&2; exit 3 ;;\n'
     'esac; exec "$real" "$@"', "the trace cannot be trusted"),
    ("labcap/labcap", 'case $1 in check) "$real" "$@" | '
     "sed 's/\"packets\": *\\([0-9]\\)/\"packets\":1\\1/g' ;; *) exec \"$real\" \"$@\" ;; esac",
     "scapy"),
    ("labbox/labhost", "exit 1", "labhost ended by itself"),
    ("labbox/labhost", "kill -KILL $$", "labhost ended by itself"),
])
def test_a_part_that_fails_is_no_fault_of_the_submission(
    suite: SmallSuite, part: str, script: str, words: str
) -> None:
    wrap(suite, part, script)
    assert_not_graded(suite, grade(suite), words)


def test_a_sandbox_that_does_not_start_is_no_fault_of_the_submission(suite: SmallSuite) -> None:
    (suite.harness / "labbox" / "labinit").write_bytes(b"not a program")
    assert_not_graded(suite, grade(suite), "no program can be built here")


def test_a_fault_in_the_harness_own_code_is_no_fault_of_the_submission(suite: SmallSuite) -> None:
    edit(suite, "labkit/second_opinion.py", '    capture = flows[-1]\n',
         '    capture = flows[len(flows)]\n')
    done = grade(suite)
    assert done.status == 3 and "IndexError" in done.stdout and "FAIL" not in done.stdout
    jsonschema.Draft202012Validator(NOT_GRADED).validate(suite.results())


@pytest.mark.parametrize("jobs", ["-j1", "-j2"])
@pytest.mark.parametrize("number", ["SIGKILL", "SIGSEGV"])
@pytest.mark.parametrize("who", ["os.getpid()", "os.getppid()"], ids=["worker", "grader"])
def test_a_grader_that_is_killed_leaves_no_grade(
    suite: SmallSuite, who: str, number: str, jobs: str
) -> None:
    worker = suite.out.parent / "worker"
    suite.tests(f'''
import signal
@graded(step=1, points=3, programs=("server",))
def test_good():
    pass

@graded(step=2, points=3, programs=("server",))
def test_killed():
    with open({str(worker)!r}, "w") as file:
        file.write(str(os.getpid()))
    os.kill({who}, signal.{number})
    if {who} != os.getpid():
        signal.pause()
''')
    suite.out.mkdir(parents=True)
    (suite.out / "results.json").write_text('{"score": 6}')  # an earlier run's
    done = suite.grade("01", "-s", "submission", jobs, "-k", "test_good or test_killed")
    assert has_gone(int(worker.read_text()))
    if who == "os.getppid()":
        assert done.status not in (0, 1) and not (suite.out / "results.json").exists()
    else:  # only a worker is gone
        jsonschema.Draft202012Validator(NOT_GRADED).validate(suite.results())
        assert done.status == 3
        assert [test["status"] for test in suite.results()["tests"]] == ["passed", "error"]


def has_gone(pid: int) -> bool:
    """Whether the process PID ends, at the latest soon."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        end = select.poll()
        end.register(process, select.POLLIN)
        return bool(end.poll(10_000))
    finally:
        os.close(process)


def test_an_earlier_grade_is_gone_also_where_nothing_is_graded(suite: SmallSuite) -> None:
    assert grade(suite).status == 0
    (suite.harness / "labcap" / "labcap").unlink()
    done = grade(suite)
    assert done.status == 3 and "is not built" in done.complaint()
    assert [path for path in suite.out.iterdir() if path.is_file()] == []


# -- What is beside the grade --------------------------------------------------


@pytest.mark.parametrize("break_it, words", [
    (lambda suite: edit(suite, "labkit/report/page.py", "import base64", "import no_such_module"),
     r"report.html was not written: ModuleNotFoundError"),
    (lambda suite: edit(suite, "labkit/report/page.py", "    faults = _by_cause(",
                        "    raise RuntimeError('no')\n    faults = _by_cause("),
     r"report.html was not written: RuntimeError: no"),
    (lambda suite: wrap(suite, "labcap/labcap",
                        'case $1 in annotate) kill -SEGV $$ ;; esac; exec "$real" "$@"'),
     r"traces without packet comments: labcap ended with -11"),
])
def test_a_grade_stands_without_what_is_only_beside_it(
    suite: SmallSuite, break_it: object, words: str
) -> None:
    break_it(suite)  # type: ignore[operator]
    done = grade(suite)
    assert done.status == 0 and re.search(words, done.stderr), done.stderr
    assert suite.results()["score"] > 0


def test_a_grade_stands_without_system_calls(suite: SmallSuite) -> None:
    path = os.path.realpath("/usr/bin/strace")
    done = grade(suite, *private_mount(f"mount --bind /dev/null {path}"))
    assert (done.status, done.stderr) == (0, "")
    assert "Calls:   not recorded" in done.stdout
