"""What a run of graded tests came to; labkit.outputs writes it in the formats of others."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from labkit.grading import VISIBLE, GradedTest

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
    fault: str = ""
    """In words, the fault behind which this test could not look, or tells for all such tests."""
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
    visibility: str = VISIBLE
    """One of VISIBILITIES: whether students may see it."""

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


def shown(results: Iterable[Result]) -> list[Result]:
    """Those of RESULTS that students may see."""
    return [result for result in results if result.visibility == VISIBLE]


def is_grade(results: Iterable[Result]) -> bool:
    """The grader failed in none of them: what they came to is a grade."""
    return all(result.status != ERROR for result in results)


def not_graded(results: Sequence[Result]) -> str:
    """Why RESULTS are no grade, in one line."""
    errors = [result for result in results if result.status == ERROR]
    first = errors[0]
    why = first.output.split("\n")[0].replace("not graded: ", "", 1)
    return (f"not graded: the grader failed in {len(errors)} of {len(results)} tests, which is no "
            f"fault of the submission; the first is {first.test.name}: {why}")
