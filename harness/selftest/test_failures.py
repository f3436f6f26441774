"""What a terminal shows of many failed tests."""

from __future__ import annotations

import pytest

from labkit.failures import IN_FULL, LINES, WIDTH, Failures, wrap
from labkit.feedback import Mismatch, last_lines
from labkit.grading import GradedTest
from labkit.results import ERROR, FAILED, Result


def failed(step: int, name: str, seen: str, cause: str = "messages") -> Result:
    title = name.split("[")[0].replace("_", " ")
    title += f" [{name.split('[')[1]}" if "[" in name else ""
    test = GradedTest(f"tests/test.py::test_{name}", f"test_{name}", "01-tcp-echo", step, 1,
                      ("server",), title, "")
    parts = Mismatch("this", seen, cause).parts(test.handout)
    text = "\n".join(f"{label}: {part}" for label, part in parts)
    return Result(test, FAILED, text, cause, True, "", parts)


def test_a_step_has_one_feedback_in_full_and_few_lines() -> None:
    lines = Failures().of_step([failed(6, f"rule_{n}", f"that {n}") for n in range(9)])
    assert sum("likely cause: " in line for line in lines) == 1
    assert lines[0] == "      FAIL: rule 0" and "      FAIL: rule 1: that 1" in lines
    assert lines[-1] == f"      FAIL: {8 - LINES} more like these, see the report"


def test_so_many_are_told_in_full_and_no_more() -> None:
    failures = Failures()
    steps = [failures.of_step([failed(n, f"rule_{n}", f"that {n}")]) for n in range(IN_FULL + 5)]
    assert [len(lines) > 1 for lines in steps] == [True] * IN_FULL + [False] * 5


def test_tests_of_one_rule_with_one_cause_are_one_entry() -> None:
    results = [failed(0, f"arguments[server-{word}]", word) for word in "abcde"]
    results.append(failed(0, "arguments[server-f]", "f", "usage"))
    lines = Failures().of_step(results)
    assert lines[0] == "      FAIL: arguments [server-a, server-b, server-c and 2 more]"
    assert lines[-1] == "      FAIL: arguments [server-f]: f"


def test_a_line_is_no_longer_than_the_terminal_and_has_no_control_characters() -> None:
    results = [failed(6, "one", "x"), failed(6, "two", "y\n" * 200)]
    lines = Failures().of_step(results)
    assert all(len(line) <= WIDTH and line.isprintable() for line in lines)
    assert lines[-2] == "      FAIL: two:"
    assert lines[-1].startswith("            y\\ny\\n") and lines[-1].endswith("...")


def test_faults_of_the_grader_are_told_in_full() -> None:
    results = [failed(6, f"rule_{n}", "x") for n in range(3)]
    for n, result in enumerate(results):
        result.status, result.output, result.detail = ERROR, f"not graded: {n}", f"line {n}"
    lines = Failures().of_step(results)
    assert [line.strip() for line in lines if "line" in line] == ["line 0", "line 1", "line 2"]


def test_long_entries_have_two_lines_and_whole_words() -> None:
    name = "a_line_that_arrives_byte_by_byte_and_is_sent_back_at_once"
    results = [failed(6, "one", "x"), failed(6, name, "a word " * 30)]
    lines = Failures().of_step(results)[-2:]
    assert lines == ["      FAIL: a line that arrives byte by byte and is sent back at once:",
                     "            " + "a word " * 9 + "a..."]


def test_a_title_is_not_cut() -> None:
    name = "_".join(["a_long_title"] * 10)
    lines = Failures().of_step([failed(6, "one", "x"), failed(6, name, "that")])
    told = " ".join(line.strip() for line in lines)
    assert told.endswith(f"FAIL: {name.replace('_', ' ')}: that")


@pytest.mark.parametrize("most, end", [
    (13, "one\ntwo three"), (12, "two three"), (9, "two three"), (8, "...three"),
])
def test_last_words_are_whole_lines(most: int, end: str) -> None:
    assert last_lines(b"one\ntwo three\n", most) == end


def test_what_a_compiler_quotes_keeps_its_columns() -> None:
    quoted = "   36 |     return text[0] != '\\0' && " + "x" * 80
    [line] = wrap(quoted, 4)
    [mark] = wrap("      |     ^~~~~~", 4)
    assert len(line) == WIDTH and line[mark.index("^"):].startswith("return")
