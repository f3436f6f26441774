"""What becomes of each kind of outcome, in results.json, junit.xml and the table."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from small_suite import Grade, SmallSuite

TESTS = '''
@graded(step=1, points=1, programs=("server",))
def test_passes(program_path, trace):
    """A test that passes.

    Its docstring goes on here.
    """
    program_path("server")
    trace.write_bytes(b"a trace")

@graded(step=2, points=2, programs=("server", "client"))
def test_finds_a_mismatch():
    raise Mismatch("4321 \\x1b[2J", "57616", cause="byte-order", packets=[3, 7])

@graded(step=2, points=3, programs=("client",))
def test_asserts():
    assert 6 * 7 == 41, "six times seven"

@graded(step=30, points=4, programs=("client",))
def test_cannot_be_judged():
    raise HarnessError("no private network here")

@graded(step=30, points=5, programs=("client",))
def test_has_a_fault_of_its_own():
    return {}["no such key"]

@pytest.fixture
def broken():
    assert False, "set-up"

@graded(step=30, points=6, programs=("client",))
def test_cannot_be_set_up(broken):
    pass

@pytest.fixture
def broken_later():
    yield
    raise OSError("tear-down")

@graded(step=30, points=7, programs=("client",))
def test_cannot_be_torn_down(broken_later):
    pass

@graded(step=30, points=7, programs=("client",))
def test_fails_and_cannot_be_torn_down(broken_later):
    raise Mismatch("this", "that")

@graded(step=30, points=8, programs=("client",))
def test_is_skipped():
    pytest.skip("no reason")  # a graded test that skips is not graded: this one shows it

@pytest.mark.parametrize("size", [0, 1])
@graded(step=3, points=9, programs=("client",))
def test_has_variants(size):
    """Sends some bytes."""
    print("Score: 99 of 99")

def test_without_points():
    """Is not graded, and in no result."""
'''


@pytest.fixture(scope="module")
def grade(small_suite_of_module: SmallSuite) -> Grade:
    small_suite_of_module.tests(TESTS)
    return small_suite_of_module.grade("-j1")


def test_the_table_of_a_run_that_is_not_graded_has_no_score(grade: Grade) -> None:
    assert sum(test["max_score"] for test in grade.results["tests"]) == 61
    assert not re.search(r"Score|\d/\d", grade.stdout) and " -/61\n" in grade.stdout


def test_a_passed_test_has_every_field(grade: Grade) -> None:
    assert grade.results["tests"][0] == {
        "name": "step 1: A test that passes.", "number": "1.1", "max_score": 1,
        "status": "passed", "output": "", "output_format": "text", "visibility": "visible",
        "tags": ["01-tcp-echo", "step-1", "server"],
        "extra_data": {
            "lab": "01-tcp-echo", "step": 1, "programs": ["server"], "cause": None,
            "judged": True,
            "trace": "traces/01-01-test_passes.pcapng", "calls": None,
            "no_calls": "no program was started",
            "command": "harness/grade 01 -k test_passes",
        },
    }


def test_a_mismatch_has_four_parts_and_no_traceback(grade: Grade) -> None:
    test = grade.by_name["test_finds_a_mismatch"]
    labels = [line.split(":")[0] for line in test["output"].split("\n")]
    assert labels == ["expected", "seen", "likely cause", "read on"]
    assert "57616 (packets 3, 7)" in test["output"]
    assert "network byte order" in test["output"] and "htons(3)" in test["output"]
    assert "labs/01-tcp-echo/README.md, step 2" in test["output"]
    assert (test["status"], test["extra_data"]["cause"]) == ("failed", "byte-order")


def test_control_characters_become_visible(grade: Grade) -> None:
    assert "4321 \\x1b[2J" in grade.by_name["test_finds_a_mismatch"]["output"]
    assert "\x1b" not in grade.stdout


def test_an_assertion_of_the_test_is_the_submissions_fault(grade: Grade) -> None:
    test = grade.by_name["test_asserts"]
    assert (test["status"], test["extra_data"]["cause"]) == ("failed", "other")
    assert "seen: six times seven" in test["output"]


@pytest.mark.parametrize("name, words", [
    ("test_cannot_be_judged", "not graded: no private network here"),
    ("test_has_a_fault_of_its_own", "KeyError: 'no such key'"),
    ("test_cannot_be_set_up", "AssertionError: set-up"),
    ("test_cannot_be_torn_down", "OSError: tear-down"),
    ("test_fails_and_cannot_be_torn_down", "OSError: tear-down"),
    ("test_is_skipped", "not graded: a graded test was skipped"),
])
def test_a_fault_of_the_harness_is_never_the_submissions(
    grade: Grade, name: str, words: str
) -> None:
    test = grade.by_name[name]
    assert (test["status"], test["extra_data"]["cause"]) == ("error", None)
    assert words in test["output"] and "Traceback" not in test["output"]
    assert grade.status == 3
    assert "6 of 11 tests not graded" in grade.stdout


def test_variants_of_a_test_are_told_apart(grade: Grade) -> None:
    names = [test["name"] for test in grade.results["tests"]]
    assert "step 3: Sends some bytes. [0]" in names and "step 3: Sends some bytes. [1]" in names


def test_junit_tells_failures_from_errors(
    grade: Grade, small_suite_of_module: SmallSuite
) -> None:
    [suite] = ElementTree.parse(small_suite_of_module.out / "junit.xml").getroot()
    counts = [suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped")]
    assert counts == ["01-tcp-echo", "11", "2", "6", "0"]
    kinds = {case.get("name"): [child.tag for child in case] for case in suite}
    assert kinds["test_passes"] == []
    assert kinds["test_finds_a_mismatch"] == ["failure"]
    assert kinds["test_cannot_be_judged"] == ["error"]


def test_the_table_fits_80_columns(grade: Grade) -> None:
    assert max(map(len, grade.stdout.splitlines())) <= 80
    assert re.search(r"^  step  3  client .* -/18 ok$", grade.stdout, re.M)
    assert re.search(r"^  step  2  server, client .* -/5 FAIL$", grade.stdout, re.M)
    assert re.search(r"^  step 30  client .* -/37 not graded$", grade.stdout, re.M)


def test_the_table_has_a_traceback_only_for_what_nobody_foresaw(grade: Grade) -> None:
    of_fault = grade.stdout.partition("KeyError")[2]
    assert 'return {}["no such key"]' in of_fault
    assert "raise Mismatch" not in grade.stdout and "raise HarnessError" not in grade.stdout


def test_the_last_lines_replay_the_first_failed_test(grade: Grade) -> None:
    assert grade.stdout.endswith("\n  harness/grade 01 -k test_finds_a_mismatch\n")


def test_what_programs_print_imitates_no_result(grade: Grade) -> None:
    assert "99 of 99" not in grade.stdout


def test_feedback_tells_what_the_test_did_to_the_network(small_suite: SmallSuite) -> None:
    small_suite.tests('''
@pytest.fixture
def lab():
    class Lab:
        rules = ("drop syn 1", "delay 40 udp every 3")
    return Lab()

@graded(step=1, points=1, programs=("client",))
def test_disturbs(lab):
    raise Mismatch("this", "that")
''')
    [test] = small_suite.grade("-j1").results["tests"]
    *parts, network = test["output"].split("\n")
    assert len(parts) == 4 and parts[-1].startswith("read on: ")
    assert network == "network: drop syn 1; delay 40 udp every 3 (docs/bad-network.md)"


def test_equal_feedback_is_told_once(small_suite: SmallSuite) -> None:
    small_suite.tests('''
@pytest.mark.parametrize("number", range(5))
@graded(step=1, points=1, programs=("server",))
def test_same(number):
    """Same."""
    raise Mismatch("this", "that", cause="sigpipe")
''')
    stdout = " ".join(small_suite.grade("-j1").stdout.split())
    assert stdout.count("SIGPIPE") == 2
    assert stdout.count("FAIL: 5 tests for a reason that is told above") == 1


def test_two_runs_write_the_same_results(small_suite: SmallSuite) -> None:
    small_suite.tests(TESTS)
    small_suite.grade("-j1")
    first = small_suite.verdicts()
    small_suite.grade("-j2")
    assert small_suite.verdicts() == first


def test_plain_pytest_writes_the_same_results_and_adds_the_table(small_suite: SmallSuite) -> None:
    small_suite.tests(TESTS)
    grade = small_suite.grade("-j1")
    first = small_suite.verdicts()
    for options in ([], ["-n2"]):
        done = small_suite.pytest(*options, "harness/tests")
        assert small_suite.verdicts() == first
        rows = re.findall(r"^(?:  step|No score).*$", grade.stdout, re.M)
        assert len(rows) == 5 and set(rows) <= set(done.stdout.splitlines())
        assert done.returncode == 1


def test_a_full_trace_is_there_on_demand(small_suite: SmallSuite) -> None:
    small_suite.tests(TESTS)
    arguments = ["harness/tests", "-k", "test_finds_a_mismatch"]
    assert "raise Mismatch" not in small_suite.pytest(*arguments).stdout
    assert "raise Mismatch" in small_suite.pytest("--full-trace", *arguments).stdout


def test_what_could_not_be_judged_fails_in_one_line(small_suite: SmallSuite) -> None:
    small_suite.tests('''
from labkit.feedback import NotJudged

@graded(step=5, points=3, programs=("server",))
def test_needs_a_server():
    try:
        raise NotJudged("`server` does not\\nlisten", "not-listening")
    except Mismatch as error:
        raise Mismatch(error.expected, "said in other words")
''')
    grade = small_suite.grade("01")
    [test] = grade.results["tests"]
    assert (grade.status, test["status"], test["score"]) == (1, "failed", 0)
    assert test["output"] == "not judged: `server` does not\\nlisten"
    assert (test["extra_data"]["cause"], test["extra_data"]["judged"]) == ("not-listening", False)


def test_results_come_in_the_order_of_the_steps(small_suite: SmallSuite) -> None:
    small_suite.tests("".join(f'''
@graded(step={step}, points=1, programs=("server",))
def test_{name}():
    pass
''' for step, name in ((10, "last"), (1, "first"), (2, "second"))))
    grade = small_suite.grade("01")
    assert [test["number"] for test in grade.results["tests"]] == ["1.1", "1.2", "1.10"]
