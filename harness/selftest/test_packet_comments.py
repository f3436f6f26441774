"""Packet comments in the traces of a graded run: each trace has them, and no grade needs them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from labkit import capture
from labkit.paths import REPO
from small_suite import SmallSuite

TRACES = REPO / "docs" / "traces"

TESTS = '''
@graded(step=1, points=1, programs=("server",))
def test_one(program_path, trace):
    """One."""
    program_path("server")
    trace.write_bytes(b"a trace")

@graded(step=2, points=1, programs=("server",))
def test_two(trace):
    """Two."""
    trace.write_bytes(b"a trace")
    raise Mismatch("this", "that")

@graded(step=3, points=1, programs=("server",))
def test_without_a_trace():
    """Three."""
'''


@pytest.fixture
def copies(tmp_path: Path) -> list[Path]:
    """Two traces of the documents, without comments of any kind."""
    names = ("echo-hello.pcapng", "udp-lost.pcapng")
    return [Path(shutil.copyfile(TRACES / name, tmp_path / name)) for name in names]


@pytest.fixture
def suite(small_suite: SmallSuite) -> SmallSuite:
    small_suite.tests(TESTS)
    return small_suite


def labcap_is(suite: SmallSuite, script: str) -> None:
    """The suite's labcap is this shell script."""
    (suite.harness / "labcap" / "labcap").write_text(f"#!/bin/sh\n{script}\n")


def comments(trace: Path) -> list[str]:
    """By tshark, one a packet."""
    command = ["tshark", "-r", str(trace), "-T", "fields", "-e", "frame.comment"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_traces_get_comments_that_tshark_shows(copies: list[Path]) -> None:
    assert not any(comments(copies[0]))
    assert capture.Annotating(copies).wait() is None
    assert comments(copies[0])[0].startswith("1/3 SYN: the client asks to connect; ")
    assert "UDP: it is lost on its way" in comments(copies[1])


def test_what_labcap_says_of_a_trace_is_the_same_with_comments(copies: list[Path]) -> None:
    before = [capture.flows(trace) for trace in copies]
    capture.Annotating(copies).wait()
    assert [capture.flows(trace) for trace in copies] == before


def test_a_trace_that_cannot_be_annotated_is_told_and_the_others_are(
    copies: list[Path], tmp_path: Path
) -> None:
    bad = [tmp_path / name for name in ("a", "b")]
    for path in bad:
        path.write_text("no trace")
    problem = capture.Annotating([bad[0], copies[0], bad[1]]).wait()
    assert problem is not None and "\n" not in problem
    assert problem.startswith(f"labcap: {bad[0]}: not a pcapng file")
    assert problem.endswith("(and 1 more)")
    assert comments(copies[0])[0] != ""


def test_more_traces_than_a_command_line_holds(
    copies: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "_MOST_FILES", 1)
    assert capture.Annotating(copies).wait() is None
    assert all(any(comments(trace)) for trace in copies)
    assert capture.Annotating([]).wait() is None


def test_without_labcap_it_says_so(copies: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "LABCAP", Path("/nonexistent/labcap"))
    assert capture.Annotating(copies).wait() == "labcap cannot be run: No such file or directory"


def test_a_run_annotates_every_trace_once(suite: SmallSuite) -> None:
    log = suite.top / "log"
    labcap_is(suite, f'echo "$@" >> {log}')
    grade = suite.grade("-j1")
    assert (grade.status, grade.stderr) == (1, "")
    traces = [suite.out / "traces" / f"01-0{number}-test_{name}.pcapng"
              for number, name in ((1, "one"), (2, "two"))]
    calls = [line for line in log.read_text().splitlines() if line.startswith("annotate")]
    assert calls == [f"annotate {traces[0]} {traces[1]}"]


def test_a_failure_is_a_line_and_no_grade_is_lost(suite: SmallSuite) -> None:
    expected = suite.grade("-j1")
    labcap_is(suite, 'test "$1" != annotate || { echo "labcap: it is broken" >&2; exit 3; }')
    grade = suite.grade("-j1")
    assert (grade.status, grade.results["score"]) == (expected.status, expected.results["score"])
    assert grade.stdout == expected.stdout
    assert grade.stderr == "grade: traces without packet comments: labcap: it is broken\n"


def test_plain_pytest_says_it_too(suite: SmallSuite) -> None:
    labcap_is(suite, 'test "$1" != annotate || kill -9 $$')
    done = suite.pytest("harness/tests", "--lab=01-tcp-echo", "-q", "-k", "test_one")
    assert "traces without packet comments: labcap ended with -9" in done.stdout
    assert done.returncode == 0
