"""What a run of graded tests came to, and its files: results.json and junit.xml."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional
from xml.etree import ElementTree

from labkit.grading import GradedTest

PASSED, FAILED, ERROR = "passed", "failed", "error"
NO_PROGRAM = "no program was started"
"""Why a test has no log of system calls, where nothing else is known."""
RESULTS, JUNIT, REPORT = "results.json", "junit.xml", "report.html"


@dataclass
class Result:
    """One graded test's outcome."""

    test: GradedTest
    status: str = ERROR
    """PASSED; FAILED: the submission's fault; ERROR: the grader's, so it is not graded."""
    output: str = "not graded: the test was not run to its end"
    cause: Optional[str] = None
    judged: bool = True
    """False: FAILED for a fault that another test tells in full, see feedback.NotJudged."""
    parts: Sequence[tuple[str, str]] = ()
    """Of `output` where it is a feedback: each part with its label."""
    packets: str = ""
    """Which packets of the trace it names, in its own words."""
    trace: Optional[str] = None
    """Its file in OUT."""
    calls: Optional[str] = None
    """The file in OUT with the programs' system calls, as strace wrote them."""
    no_calls: Optional[str] = NO_PROGRAM
    """Why there are none, None where there are."""
    detail: str = ""
    """A traceback, of an ERROR that has no better words."""
    seconds: float = 0.0
    command: str = ""
    """Replays this test alone, from the repository's top folder."""

    @property
    def score(self) -> int:
        return self.test.points if self.status == PASSED else 0


def replay_command(test: GradedTest, submission: Optional[Path]) -> str:
    """The command that runs TEST alone."""
    words = ["harness/grade", test.lab[:2]]
    words += ["-s", str(submission)] if submission is not None else []
    return shlex.join([*words, "-k", test.name])


def score(results: Iterable[Result]) -> int:
    return sum(result.score for result in results)


def max_score(results: Iterable[Result]) -> int:
    return sum(result.test.points for result in results)


def gradescope(results: Sequence[Result]) -> str:
    """Gradescope's autograder format. Nothing in it differs between two equal runs."""
    tests = [_gradescope_test(result) for result in results]
    return json.dumps({"score": score(results), "tests": tests}, indent=1) + "\n"


def _gradescope_test(result: Result) -> dict[str, Any]:
    test = result.test
    return {
        "name": f"step {test.step}: {test.title}",
        "number": f"{int(test.lab[:2])}.{test.step}",
        "score": result.score,
        "max_score": test.points,
        "status": result.status,
        "output": result.output,
        "output_format": "text",
        "visibility": "visible",
        "tags": [test.lab, f"step-{test.step}", *test.programs],
        "extra_data": {
            "lab": test.lab,
            "step": test.step,
            "programs": list(test.programs),
            "cause": result.cause,
            "judged": result.judged,
            "trace": result.trace,
            "calls": result.calls,
            "no_calls": result.no_calls,
            "command": result.command,
        },
    }


def junit(results: Sequence[Result]) -> str:
    """JUnit's XML: a submission's fault is a failure, the grader's own is an error."""
    suites = ElementTree.Element("testsuites")
    for lab in sorted({result.test.lab for result in results}):
        _add_suite(suites, lab, [result for result in results if result.test.lab == lab])
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add_suite(suites: ElementTree.Element, lab: str, results: Sequence[Result]) -> None:
    suite = ElementTree.SubElement(suites, "testsuite", {
        "name": lab,
        "tests": str(len(results)),
        "failures": str(sum(result.status == FAILED for result in results)),
        "errors": str(sum(result.status == ERROR for result in results)),
        "skipped": "0",
        "time": f"{sum(result.seconds for result in results):.3f}",
    })
    for result in results:
        case = ElementTree.SubElement(suite, "testcase", {
            "classname": f"{lab}.step_{result.test.step}",
            "name": result.test.name,
            "time": f"{result.seconds:.3f}",
        })
        if result.status != PASSED:
            kind = "failure" if result.status == FAILED else "error"
            ElementTree.SubElement(case, kind, {
                "type": "harness" if result.cause is None else result.cause,
                "message": result.output.split("\n")[0],
            }).text = result.output + (f"\n\n{result.detail}" if result.detail else "")


def write_whole(path: Path, text: str) -> None:
    """Writes PATH so that it is there as a whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
