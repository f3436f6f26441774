"""harness/flake: the same programs graded several times, and what changed is told."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from small_suite import SmallSuite

from labkit.flake import Verdict, busy_cores, changed
from labkit.processes import tree_of

STEADY = '''
@graded(step=1, points=1, programs=("server",))
def test_passes(program_path):
    program_path("server")

@graded(step=2, points=1, programs=("server",))
def test_fails():
    raise Mismatch("this", "that", cause="byte-order")
'''
FLAKY = STEADY + '''
from pathlib import Path

def is_second_run(name):
    file = Path("{top}", name)
    file.write_text(file.read_text() + "x" if file.exists() else "x")
    return file.read_text() == "xx"

@graded(step=3, points=1, programs=("client",))
def test_fails_once(trace):
    trace.write_bytes(b"a trace")
    if is_second_run("verdict"):
        raise Mismatch("this", "that", cause="no-answer")

@graded(step=4, points=1, programs=("client",))
def test_has_another_cause_once():
    raise Mismatch("this", "that", cause="no-answer" if is_second_run("cause") else "sigpipe")

@graded(step=5, points=1, programs=("client",))
def test_is_not_graded_once():
    if is_second_run("error"):
        raise HarnessError("no memory")
'''
PASS, FAIL = Verdict("passed", None), Verdict("failed", "byte-order")


def flake(suite: SmallSuite, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([suite.harness / "flake", *words], cwd=suite.top, capture_output=True,
                          text=True, check=False)


def test_equal_runs_leave_nothing_and_are_0(small_suite: SmallSuite) -> None:
    """What lay in OUT before stays, whatever its name is."""
    small_suite.tests(STEADY)
    own = small_suite.top / "kept" / "run-1"
    own.mkdir(parents=True)
    (own / "diary").write_text("mine")
    done = flake(small_suite, "01", "-n", "2", "-o", "kept")
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.splitlines()
    assert [line.split(";")[0] for line in told[1:3]] == [
        "run   1  1 passed, 1 failed", "run   2  1 passed, 1 failed"]
    assert told[3:] == ["No verdict changed: 2 tests, 2 times."]
    assert os.listdir(small_suite.top / "kept") == ["run-1"]
    assert os.listdir(own) == ["diary"] and (own / "diary").read_text() == "mine"


def test_a_verdict_that_changed_is_told_with_its_runs(small_suite: SmallSuite) -> None:
    """And so is a cause that changed, and what is not graded once."""
    small_suite.tests(FLAKY.format(top=small_suite.top))
    done = flake(small_suite, "01", "-n", "3", "-o", "kept")
    assert done.returncode == 1
    told = done.stdout.splitlines()
    assert told[4:14] == [
        "Changed: 3 of 5 tests",
        "  harness/grade 01 -k test_fails_once",
        "      passed (runs 1, 3)", "      failed: no-answer (run 2)",
        "  harness/grade 01 -k test_has_another_cause_once",
        "      failed: sigpipe (runs 1, 3)", "      failed: no-answer (run 2)",
        "  harness/grade 01 -k test_is_not_graded_once",
        "      passed (runs 1, 3)", "      error (run 2)"]
    [folder] = (small_suite.top / "kept").iterdir()
    assert told[14:] == [f"What those runs recorded: kept/{folder.name}/run-{{1,2}}"]
    assert sorted(run.name for run in folder.iterdir()) == ["run-1", "run-2"]
    assert (folder / "run-2" / "traces" / "01-03-test_fails_once.pcapng").is_file()


def test_a_run_without_results_is_the_harnesss_failure(small_suite: SmallSuite) -> None:
    small_suite.tests("this is no Python")
    done = flake(small_suite, "01", "-n", "2")
    assert done.returncode == 3
    assert done.stderr.startswith("flake: run 1: ") and "could not be run" in done.stderr


@pytest.mark.parametrize("words, about", [
    (["-n", "1"], "'1' is not a number from 2 to 1000"), (["05"], "no lab '05'"),
    (["-s", "nowhere", "01"], "'nowhere' is not a folder"),
    (["-s", ".", "-o", "out", "01"], "not to be changed"),
])
def test_wrong_usage_is_2(small_suite: SmallSuite, words: list[str], about: str) -> None:
    done = flake(small_suite, *words)
    assert done.returncode == 2 and about in done.stderr and done.stdout == ""
    assert not (small_suite.top / "out").exists()


def test_each_core_is_busy_meanwhile_and_not_longer() -> None:
    before = set(tree_of(os.getpid()))
    with busy_cores() as cores:
        loops = set(tree_of(os.getpid())) - before
        assert cores == len(loops) == len(os.sched_getaffinity(0))
    assert not loops & set(tree_of(os.getpid()))


def test_loops_end_with_whoever_started_them(small_suite: SmallSuite, tmp_path: Path) -> None:
    """Also where that had no time to end them: its output is at an end when they are gone."""
    script = ("import os, signal, sys; sys.path.insert(0, sys.argv[1])\n"
              "from labkit.flake import busy_cores\n"
              "with busy_cores(): os.kill(os.getpid(), signal.SIGKILL)\n")
    done = subprocess.run([small_suite.harness / "python", "-c", script, small_suite.harness],
                          cwd=tmp_path, stdout=subprocess.PIPE, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_ctrl_c_ends_all_and_leaves_no_temporary_files(small_suite: SmallSuite) -> None:
    """It is sent to the command alone, while a test waits for it."""
    meeting = small_suite.top / "meeting"
    os.mkfifo(meeting)
    small_suite.tests(f'''
@graded(step=1, points=1, programs=("server",))
def test_waits(grading_session):
    with open("{meeting}", "w") as told:
        told.write(str(grading_session.work))
    import signal
    signal.pause()
''')
    with subprocess.Popen([small_suite.harness / "flake", "01"], cwd=small_suite.top,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as command:
        work = Path(meeting.read_text())
        assert work.is_dir()
        command.send_signal(signal.SIGINT)
        assert b"flake: interrupted" in command.communicate()[1]
    assert command.returncode == 3 and not work.exists()


def test_only_what_differs_is_changed() -> None:
    assert changed([{"a": PASS, "b": FAIL}, {"a": PASS, "b": FAIL}]) == {}
    assert changed([{"a": PASS, "b": FAIL}, {"a": FAIL}]) == {
        "a": [PASS, FAIL], "b": [FAIL, None]}
