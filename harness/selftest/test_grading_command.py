"""harness/grade as a command: its arguments, its exit status, and what it leaves behind."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit import feedback
from small_suite import HARNESS, SmallSuite, private_mount, snapshot

PASSING = '''
@graded(step=1, points=1, programs=("server",))
def test_one(program_path):
    """One."""
    program_path("server")

@graded(step=10, points=1, programs=("client",))
def test_one_and_more(program_path, trace):
    """One and more."""
    program_path("client")
    trace.write_bytes(b"")
'''
FAILING = '''
@graded(step=1, points=1, programs=("server",))
def test_bad():
    raise Mismatch("this", "that")
'''


@pytest.fixture
def suite(small_suite: SmallSuite) -> SmallSuite:
    small_suite.tests(PASSING)
    return small_suite


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


# -- Exit status ---------------------------------------------------------------


def test_all_passed_is_0(suite: SmallSuite) -> None:
    grade = suite.grade("-j1")
    assert (grade.status, grade.stderr) == (0, "")


def test_some_failed_is_1(suite: SmallSuite) -> None:
    suite.tests(FAILING)
    assert suite.grade("-j1").status == 1


@pytest.mark.parametrize("arguments, words", [
    (["09"], "no lab '09'; the labs are 01-tcp-echo"),
    ([""], "no lab ''"),
    (["-s", "nowhere", "01"], "SUBMISSION: 'nowhere' is not a folder"),
    (["-s", "", "01"], "SUBMISSION: '' is not a folder"),
    (["-s", "harness/grade", "01"], "is not a folder"),
    (["-o", "harness/grade"], "is not a folder"),
    (["-o", "harness/grade/x"], "is not a folder"),
    (["-s", "labs", "-o", "labs/out", "01"], "lies in the submission"),
    (["-j", "0"], "'0' is not a number"),
    (["-j", "x"], "'x' is not a number"),
    (["--jobs", "1"], "unrecognized arguments"),
    (["-k", "nothing_like_it", "-j1"], "no test matches"),
    (["-k", "nothing_like_it", "-j2"], "no test matches"),
    (["-k", "and and", "-j1"], "and and"),
    (["-k", "a b(", "-j2"], "'a b(' is no expression"),
    (["-o", ""], "no folder is named"),
])
def test_a_wrong_call_is_2_and_one_line(
    suite: SmallSuite, arguments: list[str], words: str
) -> None:
    before = snapshot(suite.top / "labs")
    grade = suite.grade(*arguments)
    assert grade.status == 2
    assert words in grade.complaint()
    assert snapshot(suite.top / "labs") == before


def test_it_can_be_called_by_a_link(suite: SmallSuite) -> None:
    link = suite.top / "grade-link"
    link.symlink_to(suite.harness / "grade")
    done = subprocess.run([link, "-j1"], cwd=suite.top, capture_output=True, text=True,
                          check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_submission_needs_one_lab(suite: SmallSuite) -> None:
    build = suite.harness / "labkit" / "build.py"
    build.write_text(build.read_text().replace(
        "PROGRAMS = {", 'PROGRAMS = {"02-more": ("server",), ', 1))
    grade = suite.grade("-s", "labs/01-tcp-echo")
    assert grade.status == 2 and "needs the one LAB" in grade.complaint()


@pytest.mark.parametrize(
    "part", ["labcap/labcap", "labwire/labwire", "labbox/labhost", "labbox/labinit"])
def test_a_part_that_is_not_built_is_3_and_one_line(suite: SmallSuite, part: str) -> None:
    (suite.harness / part).unlink()
    grade = suite.grade()
    assert grade.status == 3
    assert f"harness/{part} is not built: run 'make'" in grade.complaint()


def test_tests_that_cannot_be_imported_are_3(suite: SmallSuite) -> None:
    suite.tests("import no_such_module_anywhere")
    for jobs in ("-j1", "-j2"):
        grade = suite.grade(jobs)
        assert grade.status == 3 and "no_such_module_anywhere" in grade.stderr
        assert not (suite.out / "results.json").exists()


def test_no_graded_test_at_all_is_3(suite: SmallSuite) -> None:
    suite.tests("")
    assert suite.grade("-j1").status == 3


def test_a_lab_without_graded_tests_is_left_out_of_all_labs(suite: SmallSuite) -> None:
    suite.tests(PASSING)
    assert suite.grade("-j1").status == 0
    grade = suite.grade("02")
    assert grade.status == 3
    assert "there is no graded test of 02-p2p-chat" in grade.complaint()


@pytest.mark.parametrize("jobs", ["-j2", "-j3"])
def test_a_worker_that_crashes_is_3_and_costs_one_test(suite: SmallSuite, jobs: str) -> None:
    suite.tests(PASSING + '''
@graded(step=2, points=1, programs=("server",))
def test_crash():
    os.abort()
''')
    grade = suite.grade(jobs)
    assert grade.status == 3
    assert [t["status"] for t in grade.results["tests"]] == ["passed", "error", "passed"]
    assert "process ended in this test" in grade.by_name["test_crash"]["output"]


def test_a_crash_leaves_the_tests_behind_it_to_a_new_worker(suite: SmallSuite) -> None:
    suite.tests('''
@pytest.mark.parametrize("number", range(9))
@graded(step=1, points=1, programs=("server",))
def test_each(number):
    if number in (2, 3, 5):
        os.abort()
''')
    grade = suite.grade("-j2")
    assert grade.status == 3
    assert [t["status"] for t in grade.results["tests"]] == [
        "error" if number in (2, 3, 5) else "passed" for number in range(9)]


def test_long_tests_are_begun_first_and_results_stay_in_order(suite: SmallSuite) -> None:
    suite.tests('''
from labkit.grading import takes

@graded(step=1, points=1, programs=("server",))
def test_short(): pass

@takes(2)
@graded(step=1, points=1, programs=("server",))
def test_long(): pass

@takes(9)
@graded(step=1, points=1, programs=("server",))
def test_longest(): pass

@pytest.fixture(scope="session", autouse=True)
def order(request):
    from labkit.workers import longest_first
    with open(ORDER, "w") as file:
        file.write(str(longest_first(request.session.items)))
'''.replace("ORDER", repr(str(suite.top / "order"))))
    assert list(suite.grade("-j2").by_name) == ["test_short", "test_long", "test_longest"]
    assert (suite.top / "order").read_text() == "[2, 1, 0]"


def test_workers_have_no_terminal_to_write_to(suite: SmallSuite) -> None:
    suite.tests('''
@graded(step=1, points=1, programs=("server",))
def test_prints():
    print("said")
    os.system("echo said; echo said >&2")
''')
    grade = suite.grade("-j2")
    assert grade.status == 0
    assert "said" not in grade.stdout + grade.stderr


def test_an_interrupted_run_is_3_and_leaves_no_results(suite: SmallSuite) -> None:
    assert suite.grade("-j1").status == 0  # its results must not be taken for the next run's
    suite.tests('''
import signal
@graded(step=1, points=1, programs=("server",))
def test_interrupts():
    os.kill(os.getppid(), signal.SIGTERM)
    signal.pause()
''')
    grade = suite.grade("-j1")
    assert grade.status == 3 and "interrupted" in grade.complaint()
    assert not (suite.out / "results.json").exists()


# -- Which tests ---------------------------------------------------------------


@pytest.mark.parametrize("expression, names", [
    ("step_1", ["test_one"]),
    ("step_10", ["test_one_and_more"]),
    ("step_1 or step_10", ["test_one", "test_one_and_more"]),
    ("test_one", ["test_one"]),
    ("one", ["test_one", "test_one_and_more"]),
    ("not step_1", ["test_one_and_more"]),
])
@pytest.mark.parametrize("jobs", ["-j1", "-j2"])
def test_an_expression_selects(
    suite: SmallSuite, expression: str, names: list[str], jobs: str
) -> None:
    grade = suite.grade("01", jobs, "-k", expression)
    assert grade.status == 0 and list(grade.by_name) == names


def test_the_command_of_a_variant_replays_it_alone(suite: SmallSuite) -> None:
    suite.tests('''
@pytest.mark.parametrize("port", ["-1", "80x", "a b"])
@graded(step=1, points=1, programs=("server",))
def test_port(port):
    raise Mismatch("this", "that")
''')
    submission = suite.submission()
    submission = submission.rename(suite.top / "my work")
    commands = [test["extra_data"]["command"] for test in
                suite.grade("01-tcp-echo", "-j1", "-s", "my work").results["tests"]]
    assert len(set(commands)) == 3
    for command in commands:
        subprocess.run(command, shell=True, cwd=suite.top, capture_output=True, check=False)
        [test] = suite.results()["tests"]
        assert test["extra_data"]["command"] == command


# -- What it writes ------------------------------------------------------------


def test_out_holds_results_and_traces_of_this_run_only(suite: SmallSuite) -> None:
    out = suite.top / "elsewhere"
    (out / "traces").mkdir(parents=True)
    for name in ("01-03-test_of_another_run.pcapng", "mine.pcapng", "01-notes.txt"):
        (out / "traces" / name).write_text("")
    (out / "report.txt").write_text("")
    assert suite.grade("-j1", "-o", "elsewhere").status == 0
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == [
        "junit.xml", "report.html", "report.txt", "results.json", "traces",
        "traces/01-10-test_one_and_more.pcapng", "traces/01-notes.txt", "traces/mine.pcapng"]


def test_the_submission_and_the_labs_are_not_changed(suite: SmallSuite) -> None:
    submission = suite.submission(server="int main(void) { return 0; }\n")
    before = snapshot(submission), snapshot(suite.top / "labs")
    assert suite.grade("01", "-j1", "-s", str(submission)).status == 1
    assert (snapshot(submission), snapshot(suite.top / "labs")) == before


def test_a_missing_program_fails_its_own_tests_only(suite: SmallSuite) -> None:
    suite.submission(server="int main(void) { return 0; }\n")
    grade = suite.grade("01", "-j1", "-s", "submission")
    causes = [test["extra_data"]["cause"] for test in grade.results["tests"]]
    assert (grade.status, causes) == (1, [None, "program-missing"])


@pytest.mark.parametrize("mount, words", [
    ("mount -t tmpfs -o ro none OUT", "Read-only file system"),
    ("mount -t tmpfs -o size=16k none OUT; head -c 16k /dev/zero >OUT/full || :", "No space left"),
])
def test_an_out_that_takes_nothing_is_3_and_one_line(
    suite: SmallSuite, mount: str, words: str
) -> None:
    out = suite.top / "taken"
    out.mkdir()
    grade = suite.grade("-o", "taken", before=private_mount(mount.replace("OUT", str(out))))
    assert grade.status == 3 and words in grade.complaint()


def test_an_out_that_fills_up_leaves_nothing_half_written(suite: SmallSuite) -> None:
    suite.tests('''
@graded(step=1, points=1, programs=("server",))
def test_fills(trace):
    with pytest.raises(OSError), open(trace, "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
''')
    out = suite.top / "small"
    out.mkdir()
    mount = f"mount -t tmpfs -o size=256k none {out}"
    script = f'"$@"; status=$?; cp -r {out} {out}.copy; exit $status'
    grade = suite.grade("-j1", "-o", "small", before=[*private_mount(mount), "sh", "-c", script,
                                                     "sh"])
    assert grade.status == 3 and "No space left" in grade.complaint()
    assert [path.name for path in (suite.top / "small.copy").iterdir()] == ["traces"]


def test_temporary_files_that_cannot_be_written_are_3_and_one_line(suite: SmallSuite) -> None:
    folder = os.environ["TMPDIR"]
    mount = f"mount -t tmpfs -o size=16k none {folder}"
    grade = suite.grade("-j1", before=private_mount(mount))
    assert grade.status == 3 and "No space left" in grade.complaint()


def test_a_full_stdout_is_3(suite: SmallSuite) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([suite.harness / "grade", "-j1"], stdout=full, text=True,
                              stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3 and "stdout: No space left" in done.stderr


def test_two_runs_do_not_share_an_out(suite: SmallSuite) -> None:
    suite.tests('''
import subprocess
@graded(step=1, points=1, programs=("server",))
def test_runs_another():
    command = os.environ.pop("GRADE")  # where nothing stops the other run, it stops here
    done = subprocess.run([command, "-j1"], capture_output=True, text=True)
    assert done.returncode == 3 and "another run" in done.stderr
''')
    environment = {**os.environ, "GRADE": str(suite.harness / "grade")}
    assert suite.grade("-j1", env=environment).status == 0


# -- Where it runs -------------------------------------------------------------


def test_modules_where_the_user_happens_to_be_are_not_imported(suite: SmallSuite) -> None:
    folder = suite.submission()
    for name in ("json", "importlib", "pytest", "labkit", "struct", "conftest", "threading"):
        (folder / f"{name}.py").write_text("raise SystemExit(f'{__name__} was imported')\n")
    shutil.copy(suite.harness / "pytest.ini", folder)
    assert suite.grade("01", "-j2", "-s", ".", cwd=folder).status == 1


def test_the_users_settings_of_pytest_do_not_matter(suite: SmallSuite) -> None:
    environment = {**os.environ, "PYTEST_ADDOPTS": "--collect-only -x --no-such-option"}
    assert suite.grade("-j1", env=environment).status == 0


def test_a_locale_without_utf_8_is_enough(suite: SmallSuite) -> None:
    suite.submission(server="int main(void) { return undeclared; }\n")
    grade = suite.grade("01", "-j1", "-s", "submission", env={"PATH": os.environ["PATH"],
                                                             "LC_ALL": "C", "PYTHONUTF8": "0",
                                                             "PYTHONCOERCECLOCALE": "0"})
    assert grade.status == 1 and "undeclared" in grade.stdout


def test_a_terminal_shows_progress_that_is_gone_in_the_end(suite: SmallSuite) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([suite.harness / "grade", "-j1"], stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # on Linux, the end of a terminal
        pass
    os.close(ours)
    assert process.wait() == 0
    progress, _, table = shown.decode().rpartition("\r" + " " * 79 + "\r")
    assert "building" in progress and "2 of 2 tests" in progress
    assert table.startswith("01-tcp-echo")


def test_without_a_terminal_there_is_the_table_and_nothing_else(suite: SmallSuite) -> None:
    for jobs in ("-j1", "-j2"):
        grade = suite.grade(jobs)
        assert grade.stdout.startswith("01-tcp-echo") and "\r" not in grade.stdout
        assert grade.stderr == ""


def test_python_explains_what_is_missing(tmp_path: Path) -> None:
    environment = {"PATH": "/nowhere", "PYTHON": "/bin/false"}
    script = tmp_path / "python"
    script.write_text((HARNESS / "python").read_text().replace("/usr/bin/python3", "/nowhere"))
    done = subprocess.run(["/bin/sh", script, "-V"], env=environment, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1 and "make setup" in done.stderr


# -- The causes ----------------------------------------------------------------


def test_every_cause_that_the_harness_names_is_explained() -> None:
    files = [*(HARNESS / "labkit").rglob("*.py"), *(HARNESS / "tests").glob("*.py")]
    named = {key for file in files for key in
             re.findall(r'cause(?:=| or |: .*= )"([\w-]+)"', file.read_text("utf-8"))}
    assert named and named <= set(feedback.CAUSES)


def test_a_cause_that_is_not_explained_is_refused() -> None:
    with pytest.raises(ValueError, match="no-such-cause"):
        feedback.Mismatch("this", "that", cause="no-such-cause")


def test_no_explanation_is_source() -> None:
    for key, cause in feedback.CAUSES.items():
        assert ";\n" not in cause.text and "{" not in cause.text, key
        assert cause.text[-1] in ".?" and cause.read, key


def test_endless_words_are_cut() -> None:
    text = feedback.Mismatch("x" * 10**6, "\0" * 10**6).text()
    assert len(text) < 10 * feedback.PART_LIMIT
