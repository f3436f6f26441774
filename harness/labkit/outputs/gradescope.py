"""results.json, as Gradescope's 'Autograder Specifications' tell its format.

https://gradescope-autograders.readthedocs.io/en/latest/specs/

Gradescope knows the statuses 'passed' and 'failed' and takes what has no score for a zero.
Where the grader itself failed in a test, its status here is 'error', and the whole file
holds no score at all: it is not for Gradescope, which is given none then.
"""

from __future__ import annotations

import json
from typing import Any, Sequence

from labkit.results import Result, is_grade, max_score, not_graded, score


def document(results: Sequence[Result], seconds: float) -> str:
    """The file's text. SECONDS: what the run took, the only thing that differs between equal runs.
    """
    whole: dict[str, Any] = {"execution_time": round(seconds, 1), "output_format": "text"}
    if is_grade(results):
        whole["score"] = score(results)
    else:
        whole["output"] = not_graded(results)
    whole["extra_data"] = {"graded": is_grade(results), "max_score": max_score(results)}
    whole["tests"] = [_test(result, is_grade(results)) for result in results]
    return json.dumps(whole, indent=1) + "\n"


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
