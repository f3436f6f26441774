"""results.json, as Gradescope's 'Autograder Specifications' tell its format.

https://gradescope-autograders.readthedocs.io/en/latest/specs/

Gradescope knows the statuses 'passed' and 'failed' and takes what has no score for a zero.
Where the grader itself failed in a test, its status here is 'error', and the whole file
holds no score at all: it is not for Gradescope, which is given none then.
"""

from __future__ import annotations

import json
from typing import Any, Sequence

from labkit.diagnosis.first_causes import Fault, faults_of
from labkit.grading import VISIBLE
from labkit.results import Result, is_grade, max_score, not_graded, score


def document(results: Sequence[Result], seconds: float) -> str:
    """The file's text. SECONDS: what the run took, the only thing that differs between equal runs.
    """
    whole: dict[str, Any] = {"execution_time": round(seconds, 1), "output_format": "text"}
    if is_grade(results):
        whole["score"] = score(results)
    output = _first_things(results) if is_grade(results) else not_graded(results)
    if output:
        whole["output"] = output
    whole["extra_data"] = {"graded": is_grade(results), "max_score": max_score(results)}
    whole["tests"] = [_test(result, is_grade(results)) for result in results]
    return json.dumps(whole, indent=1) + "\n"


def _first_things(results: Sequence[Result]) -> str:
    """What is to be repaired first in each lab, in full, as far as students may see it."""
    told = []
    for lab in sorted({result.test.lab for result in results}):
        faults = faults_of([result for result in results if result.test.lab == lab])
        if faults and faults[0].best.visibility == VISIBLE:
            told.append(_first_thing(faults[0]))
    return "\n\n".join(told)


def _first_thing(fault: Fault) -> str:
    best, count = fault.best, len(fault.others)
    what = fault.words or f"`{'`, `'.join(best.test.programs)}`"
    rest = "can judge nothing until that is repaired" if fault.blocks else "found the same"
    also = f" {count} other test{'s'[count == 1:]} {rest}." if count else ""
    return f"The first thing to repair: {what}{fault.place}.{also}\n\n{best.output}"


def _test(result: Result, with_score: bool) -> dict[str, Any]:
    test = result.test
    return {
        "name": f"step {test.step}: {test.title}",
        "number": f"{int(test.lab[:2])}.{test.step}",
        **({"score": result.score} if with_score else {}),
        "max_score": test.points,
        "status": result.status,
        "output": result.output,
        "output_format": "text",
        "visibility": result.visibility,
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
