"""The last lines of an Autolab autograder's output: its feedback by stages and its autoresult.

https://docs.autolabproject.com/lab/
https://docs.autolabproject.com/features/formatted-feedback/

Each lab is a problem, which must be defined on Autolab by the lab's name. Autolab knows no
error of the grader: where there is one, no autoresult is printed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from labkit.grading import VISIBLE
from labkit.results import PASSED, Result, is_grade, not_graded, score


def document(results: Sequence[Result]) -> str:
    """Two lines of JSON; one line in words where the grader failed in some test."""
    if not is_grade(results):
        return f"{not_graded(results)}\n"
    stages: dict[str, dict[str, Any]] = {}
    scores: dict[str, int] = {}
    for lab in sorted({result.test.lab for result in results}):
        of_lab = [result for result in results if result.test.lab == lab]
        scores[lab] = score(of_lab)
        for result in of_lab:
            if result.visibility == VISIBLE:  # students see what is printed
                stage = stages.setdefault(f"{lab}, step {result.test.step}", {})
                stage[_unused(result, stage)] = _told(result)
    feedback: dict[str, Any] = {"_presentation": "semantic", "stages": list(stages), **stages}
    autoresult = {"scores": scores, "scoreboard": list(scores.values())}
    return f"{json.dumps(feedback)}\n{json.dumps(autoresult)}\n"


def _unused(result: Result, stage: dict[str, Any]) -> str:
    title = result.test.title
    return title if title not in stage else f"{title} ({result.test.name})"


def _told(result: Result) -> dict[str, Any]:
    return {"passed": True} if result.status == PASSED else {
        "passed": False, "hint": result.output}
