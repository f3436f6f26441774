"""What others read of a run: each format against its schema, or by a reader that is not ours."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Optional, Sequence

import jsonschema
import pytest

from labkit.diagnosis.first_causes import settle
from labkit.grading import VISIBLE, GradedTest
from labkit.outputs import autolab, classroom50, gradescope, junit, tap
from labkit.outputs.visibility import Rule, rules_of, useless, visibility_of
from labkit.paths import REPO
from labkit.results import ERROR, FAILED, PASSED, Result
from labkit.table import table
from small_suite import SmallSuite
from workbench import graded_tests

SCHEMAS = Path(__file__).resolve().parent / "schemas"
WILD = 'a "b" <c> & # d \\ é ]]>'
OWNER = classroom50.Identity.from_environment({
    "CLASSROOM": "networks", "ASSIGNMENT": "echo", "USERNAME": "alice",
    "SUBMISSION_TAG": "submit/2026-01-31T23-59-59Z-a1b2c3d", "COMMIT_URL": "https://x/commit/a",
    "RELEASE_URL": "https://x/releases/a",
})


def result(name: str, status: str, points: int = 2, step: int = 1, visibility: str = VISIBLE,
           title: str = "A title.", output: str = "", lab: str = "01-tcp-echo") -> Result:
    """One test's outcome."""
    test = GradedTest(f"tests/{name}", name, lab, step, points, ("server",), title, f"{name}.trace")
    said = output or {PASSED: "", FAILED: f"expected: {WILD}\nseen: that",
                      ERROR: f"not graded: no network: {WILD}"}[status]
    return Result(test, status, said, "sigpipe" if status == FAILED else None, seconds=0.25,
                  command=f"harness/grade 01 -k {name}", visibility=visibility)


GRADED = [
    result("test_good", PASSED, 3),
    result("test_bad[server]", FAILED, 4, step=2, title=WILD),
    result("test_same_title", PASSED, 5, step=2, title=WILD),
    result("test_kept_back", FAILED, 7, step=3, visibility="hidden", title="Nobody knows."),
    result("test_later", PASSED, 11, step=3, visibility="after_due_date", title="Nobody yet."),
    result("test_elsewhere", FAILED, 1, lab="03-udp"),
]
NOT_GRADED = [*GRADED, result("test_broken", ERROR, 13, step=4)]


def schema(name: str, part: Optional[str] = None) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(data)
    return data if part is None else {**data["$defs"][part], "$defs": data["$defs"]}


def fits(data: object, against: dict[str, Any]) -> bool:
    return bool(jsonschema.Draft202012Validator(against).is_valid(data))


def must_fit(data: object, against: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(against).validate(data)


# -- Gradescope ----------------------------------------------------------------


def test_results_json_is_what_gradescope_documents() -> None:
    data = json.loads(gradescope.document(GRADED, seconds=12.345))
    must_fit(data, schema("gradescope"))
    assert (data["score"], data["execution_time"]) == (3 + 5 + 11, 12.3)
    assert sum(test["score"] for test in data["tests"]) == data["score"]
    assert {(test["status"], test["score"] == test["max_score"]) for test in data["tests"]} == {
        ("passed", True), ("failed", False)}
    assert [test["visibility"] for test in data["tests"]] == [
        "visible", "visible", "visible", "hidden", "after_due_date", "visible"]


def test_an_error_of_the_grader_leaves_no_score_that_could_be_taken_for_a_grade() -> None:
    data = json.loads(gradescope.document(NOT_GRADED, seconds=1))
    must_fit(data, schema("not-graded"))
    assert not fits(data, schema("gradescope"))
    assert data["output"].startswith(
        "not graded: the grader failed in 1 of 7 tests, which is no fault of the submission")
    assert "test_broken: no network" in data["output"]


@pytest.mark.parametrize("hidden, teller", [([], "test_1"), (["test_1"], "test_2"),
                                            (["test_1", "test_2", "test_3"], None)])
def test_what_is_to_be_repaired_first_stands_on_top_where_students_may_see_it(
    hidden: list[str], teller: Optional[str]
) -> None:
    results = [result(f"test_{n}", FAILED, step=n, title=f"test_{n}",
                      visibility="hidden" if f"test_{n}" in hidden else VISIBLE)
               for n in (3, 2, 1)]
    for one in results:
        one.cause = "not-listening"
    settle(results)
    data = json.loads(gradescope.document([*results, GRADED[0]], seconds=1))
    must_fit(data, schema("gradescope"))
    if teller is None:
        assert "output" not in data
    else:
        assert data["output"].startswith("The first thing to repair: `server` never listens (step "
                                         f"{teller[-1]}). 2 other tests can judge nothing")
        assert "seen: that" in data["output"]


def test_of_a_step_that_is_not_written_one_number_is_told() -> None:
    results = [result(f"test_{n}", FAILED, step=n, title=f"test_{n}", visibility=VISIBLE)
               for n in (2, 3)]
    for one in results:
        one.cause, one.output = "not-written-yet", "likely cause: Step 9 is not written yet: close."
    settle(results)
    data = json.loads(gradescope.document(results, seconds=1))
    assert data["output"].startswith("The first thing to repair: step 9 is not written yet. 1 ")


@pytest.mark.parametrize("cause, words", [
    ("not-built", "`server` does not compile"), ("program-missing", "`server` is not there"),
    ("not-taken", "nothing of the submission was taken"),
])
def test_of_a_program_that_is_not_there_no_step_is_told(cause: str, words: str) -> None:
    """The first test that needs the program may be of any."""
    one = result("test_4", FAILED, step=4)
    one.cause = cause
    settle([one])
    data = json.loads(gradescope.document([one], seconds=1))
    assert data["output"].startswith(f"The first thing to repair: {words}.\n\n")


@pytest.mark.parametrize("spoil", [
    lambda data: data.pop("score") and [test.pop("score") for test in data["tests"]],
    lambda data: data["tests"][0].update(status="error"),
    lambda data: data["tests"][0].update(visibility="never"),
    lambda data: data["tests"][0].update(points=3),
    lambda data: data.update(execution_time="12 s"),
])
def test_the_schema_of_gradescope_refuses_what_is_wrong(
    spoil: Callable[[dict[str, Any]], object]
) -> None:
    data = json.loads(gradescope.document(GRADED, seconds=1))
    spoil(data)
    assert not fits(data, schema("gradescope"))


# -- JUnit ---------------------------------------------------------------------


def xmllint(path: Path) -> subprocess.CompletedProcess[str]:
    command = ["xmllint", "--noout", "--nonet", "--schema", SCHEMAS / "junit.xsd", path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("results", [GRADED, NOT_GRADED])
def test_junit_xml_is_valid(tmp_path: Path, results: Sequence[Result]) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(junit.document(results), "utf-8")
    done = xmllint(path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("good, bad", [
    ("testsuites>", "suites>"), (' tests="5"', ""), ('failures="2"', 'failures="some"'),
    ("failure", "fault"), ('time="0.250"', 'time="-1"'), ("test_kept_back", "test_later"),
    (' type="sigpipe"', ""),
])
def test_the_schema_of_junit_refuses_what_is_wrong(tmp_path: Path, good: str, bad: str) -> None:
    text = junit.document(GRADED)
    assert good in text
    path = tmp_path / "junit.xml"
    path.write_text(text.replace(good, bad), "utf-8")
    assert xmllint(path).returncode != 0


# -- Classroom 50 --------------------------------------------------------------


def test_result_json_is_what_classroom_50_documents() -> None:
    data = json.loads(classroom50.document(GRADED, OWNER))
    must_fit(data, schema("classroom50"))
    assert (data["owner"], data["assignment_type"], data["review"]) == (
        "alice", "individual", data["commit"])
    assert (data["score"], data["max-score"]) == (19, 31)
    for key in ("score", "max-score"):
        assert sum(test[key] for test in data["tests"]) == data[key]
    assert all(test["score"] <= test["max-score"] for test in data["tests"])


def test_hidden_tests_are_one_entry_for_classroom_50() -> None:
    data = json.loads(classroom50.document(GRADED, OWNER))
    assert "Nobody" not in json.dumps(data)
    assert data["tests"][-1] == {"test-name": "tests that are not shown", "passed": False,
                                 "score": 11, "max-score": 18}


def test_the_schema_of_classroom_50_refuses_what_is_wrong() -> None:
    good = json.loads(classroom50.document(GRADED, OWNER))
    for key, bad in (("schema", "classroom50/result/v2"), ("submission", "main"), ("score", -1),
                     ("datetime", "yesterday"), ("usernames", ["alice"])):
        assert not fits({**good, key: bad}, schema("classroom50"))


@pytest.mark.parametrize("missing", ["CLASSROOM", "ASSIGNMENT", "USERNAME", "SUBMISSION_TAG"])
def test_without_its_environment_nothing_is_written_for_classroom_50(missing: str) -> None:
    environment = {name: "x" for name in ("CLASSROOM", "ASSIGNMENT", "USERNAME", "SUBMISSION_TAG",
                                          "COMMIT_URL", "RELEASE_URL") if name != missing}
    with pytest.raises(classroom50.NoIdentity):
        classroom50.Identity.from_environment(environment)


# -- TAP -----------------------------------------------------------------------


def prove(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Perl's Test::Harness reads TEXT, and nothing in it that is not TAP."""
    path = tmp_path / "run.tap"
    version, lines = text.split("\n", 1)
    path.write_text(f"{version}\npragma +strict\n{lines}", "utf-8")
    return subprocess.run(["prove", "--verbose", path], capture_output=True, text=True, check=False)


def test_prove_counts_what_passed(tmp_path: Path) -> None:
    done = prove(tmp_path, tap.document(GRADED))
    assert done.returncode != 0 and "Failed tests:  2, 4, 6" in done.stdout
    assert "Parse errors" not in done.stdout
    done = prove(tmp_path, tap.document([test for test in GRADED if test.status == PASSED]))
    assert done.returncode == 0 and "All tests successful" in done.stdout
    assert "Tests=3" in done.stdout


def test_prove_finds_no_directive_in_a_title(tmp_path: Path) -> None:
    titles = ("# TODO later", "# SKIP it", "\\# TODO", "1 ok", "a # skip b")
    done = prove(tmp_path, tap.document([result(f"test_{n}", FAILED, title=title)
                                         for n, title in enumerate(titles)]))
    assert "Failed 5/5 subtests" in done.stdout


@pytest.mark.parametrize("text, why", [
    (tap.document(NOT_GRADED), "not graded: the grader failed in 1 of 7 tests"),
    (tap.failed("not graded: no\nnetwork"), "not graded: no\\nnetwork"),
])
def test_prove_takes_no_run_for_whole_in_which_the_grader_failed(
    tmp_path: Path, text: str, why: str
) -> None:
    done = prove(tmp_path, text)
    assert done.returncode != 0
    assert f"Bailout called.  Further testing stopped:  {why}" in done.stdout + done.stderr


def test_a_yaml_reader_understands_the_diagnostics() -> None:
    block = tap.document(GRADED).split("  ---\n")[1].split("  ...\n")[0]
    code = "use TAP::Parser::YAMLish::Reader; my @l = <STDIN>; chomp @l; " \
           "my $y = TAP::Parser::YAMLish::Reader->new->read(sub { shift @l }); " \
           "print join '|', map { \"$_=$y->{$_}\" } sort keys %$y"
    done = subprocess.run(["perl", "-e", code], input=f"---\n{block}...\n".replace("\n  ", "\n"),
                          capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.startswith("cause=sigpipe|command=harness/grade 01 -k test_bad[server]|")
    assert "\nseen: that|severity=fail|test=test_bad[server]" in done.stdout


# -- Autolab -------------------------------------------------------------------


def test_the_last_line_for_autolab_is_its_autoresult() -> None:
    feedback, autoresult = map(json.loads, autolab.document(GRADED).splitlines())
    must_fit(autoresult, schema("autolab"))
    must_fit(feedback, schema("autolab", "feedback"))
    assert autoresult["scores"] == {"01-tcp-echo": 19, "03-udp": 0}
    assert feedback["stages"] == [key for key in feedback if key not in ("_presentation", "stages")]
    stage = feedback["01-tcp-echo, step 2"]
    assert stage[WILD]["passed"] is False and "seen: that" in stage[WILD]["hint"]
    assert stage[f"{WILD} (test_same_title)"] == {"passed": True}
    assert "Nobody" not in json.dumps(feedback)


def test_autolab_gets_no_autoresult_where_the_grader_failed() -> None:
    [line] = autolab.document(NOT_GRADED).splitlines()
    assert line.startswith("not graded: ")
    with pytest.raises(ValueError):
        json.loads(line)


# -- Who sees what -------------------------------------------------------------


@pytest.mark.parametrize("pattern, fitting", [
    ("test_bad[server]", ["test_bad[server]"]),
    ("test_bad", ["test_bad[server]"]),
    ("test_*_title", ["test_same_title"]),
    ("test_ba?", ["test_bad[server]"]),
    ("step_2", ["test_bad[server]", "test_same_title"]),
    ("test_bad[s]", []), ("bad", []), ("step_20", []), ("client", []),
])
def test_a_rule_fits_names_steps_and_programs(pattern: str, fitting: list[str]) -> None:
    [rule] = rules_of(f"hidden {pattern}")
    assert [r.test.name for r in GRADED if rule.fits(r.test)] == fitting
    assert useless([rule], [r.test for r in GRADED]) == ([] if fitting else [rule])


def test_the_last_rule_that_fits_counts() -> None:
    rules = rules_of("# all\nhidden server  # but one\n\nafter_published test_good\n")
    assert visibility_of(GRADED[0].test, rules) == "after_published"
    assert visibility_of(GRADED[1].test, rules) == "hidden"
    assert visibility_of(GRADED[1].test, []) == VISIBLE


@pytest.mark.parametrize("line", ["never test_good", "hidden", "test_good hidden"])
def test_a_line_that_is_no_rule_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: no rule like"):
        rules_of(f"hidden test_good\n{line}\n")


@pytest.mark.parametrize("text", [
    table(GRADED, Path("/o"), Path("/"), for_students=True),
    tap.document(GRADED, for_students=True)], ids=["table", "tap"])
def test_what_students_may_not_see_is_in_no_line_for_them(text: str) -> None:
    assert "step_3" not in text and "step  3" not in text and "Nobody" not in text
    assert "test_kept" not in text and "test_later" not in text
    assert "Score: 8 of 13 (2 more tests not shown)" in text or "\n1..4\n" in text


# -- The command ---------------------------------------------------------------

TESTS = '''
@graded(step=1, points=1, programs=("server",), visibility="after_due_date")
def test_passes():
    """Passes."""

@graded(step=2, points=2, programs=("client",))
def test_fails():
    """Fails."""
    raise Mismatch("this", "that", cause="sigpipe")
'''
ENVIRONMENT = {**os.environ, "CLASSROOM": "c", "ASSIGNMENT": "a", "USERNAME": "alice",
               "SUBMISSION_TAG": "submit/x", "COMMIT_URL": "https://x", "RELEASE_URL": "https://x"}


def test_one_run_writes_everything(small_suite: SmallSuite, tmp_path: Path) -> None:
    small_suite.tests(TESTS)
    rules = tmp_path / "rules"
    rules.write_text("hidden test_fails\n")
    grade = small_suite.grade("-j1", "--classroom50", "--visibility", str(rules), "--format=tap",
                              env=ENVIRONMENT)
    assert (grade.status, grade.stderr) == (1, "")
    must_fit(grade.results, schema("gradescope"))
    assert [test["visibility"] for test in grade.results["tests"]] == ["after_due_date", "hidden"]
    must_fit(json.loads((small_suite.out / "result.json").read_text()), schema("classroom50"))
    assert xmllint(small_suite.out / "junit.xml").returncode == 0
    assert "Failed test:  2" in prove(tmp_path, grade.stdout).stdout
    grade = small_suite.grade("-j1", "--format=autolab", "--hidden=step_1")
    assert grade.status == 1 and not (small_suite.out / "result.json").exists()
    assert json.loads(grade.stdout.splitlines()[-1])["scores"] == {"01-tcp-echo": 1}
    assert [test["visibility"] for test in grade.results["tests"]] == ["hidden", "visible"]


def test_classroom_50s_autograder_leaves_a_result_or_an_error(
    small_suite: SmallSuite, tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    script = tmp_path / "autograder.py"
    text = (REPO / "classroom50" / "autograder.py").read_text("utf-8")
    assert text.count("HIDDEN: list[str] = []") == 1
    script.write_text(text.replace("HIDDEN: list[str] = []", 'HIDDEN = ["test_kept"]'), "utf-8")
    small_suite.tests(TESTS + """
@graded(step=3, points=4, programs=("client",))
def test_kept():
    raise Mismatch("what nobody knows", "something else")
""")
    for broken in (False, True):
        (checkout / "result.json").write_text('{"score": 99}')  # the student's own
        if broken:
            (small_suite.harness / "labcap" / "labcap").unlink()
        done = subprocess.run([sys.executable, script], cwd=checkout, capture_output=True,
                              env={**ENVIRONMENT, "LAB_SUITE": str(small_suite.top)}, check=False)
        assert done.returncode == (3 if broken else 0), done.stderr
        assert (checkout / "result.json").exists() != broken
        if not broken:
            data = json.loads((checkout / "result.json").read_text())
            must_fit(data, schema("classroom50"))
            assert (data["owner"], data["max-score"]) == ("alice", 7)
            assert b"nobody knows" not in done.stdout and "nobody" not in json.dumps(data)
            assert b"Fails." in done.stdout and b"step  1" not in done.stdout
            assert b"Score: 0 of 2 (2 more tests not shown)" in done.stdout


def test_a_run_that_is_not_graded_has_no_result_for_classroom_50(small_suite: SmallSuite) -> None:
    small_suite.tests(TESTS + """
@graded(step=3, points=3, programs=("client",))
def test_cannot_be_judged():
    raise HarnessError("no network")
""")
    small_suite.out.mkdir(parents=True)
    (small_suite.out / "result.json").write_text("{}")  # of an earlier run
    grade = small_suite.grade("-j1", "--classroom50", env=ENVIRONMENT)
    assert grade.status == 3 and not (small_suite.out / "result.json").exists()
    must_fit(grade.results, schema("not-graded"))


def test_a_rule_that_hides_nothing_is_a_wrong_call(small_suite: SmallSuite) -> None:
    small_suite.tests(TESTS)
    for chosen in ([], ["-k", "test_passes"], ["-k", "step_1"]):
        grade = small_suite.grade("-j1", "--hidden=test_fail", *chosen)
        assert grade.status == 2 and "no test is 'test_fail'" in grade.complaint()
    grade = small_suite.grade("-j1", "--hidden=test_fails", "-k", "step_1")
    assert grade.status == 0
    grade = small_suite.grade("-j1", "--hidden=test_fail")
    assert not (small_suite.out / "results.json").exists()


@pytest.mark.parametrize("arguments, words", [
    (["--format=xml"], "invalid choice: 'xml'"),
    (["--visibility", "nowhere"], "nowhere: No such file"),
    (["--visibility", "labs/01-tcp-echo/Makefile"], "Makefile: line 2: no rule like"),
    (["--classroom50"], "--classroom50: the environment has no CLASSROOM"),
])
def test_a_wrong_call_is_2_and_one_line(
    small_suite: SmallSuite, arguments: list[str], words: str
) -> None:
    small_suite.tests(TESTS)
    environment = {key: value for key, value in os.environ.items() if key != "CLASSROOM"}
    grade = small_suite.grade(*arguments, env=environment)
    assert grade.status == 2 and words in grade.complaint()


def test_a_test_that_nobody_knows_how_to_show_is_an_error(small_suite: SmallSuite) -> None:
    small_suite.tests(TESTS.replace("after_due_date", "sometimes"))
    grade = small_suite.grade("-j1")
    assert grade.status == 3 and "'sometimes' is none of" in grade.stderr


def test_a_run_that_came_to_nothing_says_so_in_tap_too(small_suite: SmallSuite) -> None:
    small_suite.tests(TESTS)
    (small_suite.harness / "labcap" / "labcap").unlink()
    grade = small_suite.grade("-j1", "--format=tap")
    assert grade.status == 3 and "is not built" in grade.stderr
    assert grade.stdout.startswith("TAP version 13\nBail out! not graded: harness/labcap/labcap")


@pytest.mark.parametrize("text, line", [
    ("docs/grading-a-class.md", r"--hidden '?([^\s']+)"),
    ("gradescope/config", r"# (?:hidden|after_due_date) (test_\S+|step_\d+)$")])
def test_what_is_hidden_in_examples_is_there(text: str, line: str) -> None:
    """Else who tries the example is told that it makes no sense."""
    patterns = re.findall(line, (REPO / text).read_text("utf-8"), re.M)
    tests = [GradedTest("", name, "01-tcp-echo", test.step, 1, test.programs, "", "")
             for name, test in graded_tests("01-tcp-echo").items()]
    rules = [Rule("hidden", pattern) for pattern in patterns]
    assert len(rules) == 2 and useless(rules, tests) == []


def test_what_instructors_are_told_is_there(small_suite: SmallSuite) -> None:
    text = (SCHEMAS.parent.parent.parent / "docs" / "grading-a-class.md").read_text("utf-8")
    known = small_suite.grade("-h").stdout
    options = set(re.findall(r"(?<![\w-])--[a-z]\w+", text))
    assert {"--classroom50", "--format", "--hidden", "--visibility"} <= options
    assert [option for option in options if option not in known] == []
