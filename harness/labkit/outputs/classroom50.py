"""result.json, as Classroom 50 takes it from an autograder: its schema classroom50/result/v1.

https://github.com/foundation50/classroom50/blob/main/schemas/result-v1.schema.json

Whose submission it is, Classroom 50 says in the environment. A run in which the grader itself
failed has no result.json: an autograder then ends with a status that is not 0, and Classroom
50 notes an error, not a score.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.grading import VISIBLE
from labkit.results import PASSED, Result, max_score, score, shown

RESULT = "result.json"
_SCHEMA = "classroom50/result/v1"


class NoIdentity(Exception):
    """The environment is not that of Classroom 50; the message is one line."""


@dataclass(frozen=True)
class Identity:
    """Whose submission of what is graded, in the words of the file's fields."""

    fields: Mapping[str, str]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Identity:
        """What Classroom 50's runner sets. Raises NoIdentity."""
        def value(*names: str, other: str = "") -> str:
            found = next((environment[name] for name in names if environment.get(name)), other)
            if not found:
                raise NoIdentity(f"the environment has no {names[0]}: Classroom 50 sets it")
            return found

        return cls({
            "classroom": value("CLASSROOM"),
            "assignment": value("ASSIGNMENT"),
            "assignment_type": value("ASSIGNMENT_TYPE", other="individual"),
            "owner": value("OWNER", "USERNAME"),
            "submission": value("SUBMISSION_TAG"),
            "commit": value("COMMIT_URL"),
            "release": value("RELEASE_URL"),
            "review": value("REVIEW_URL", "COMMIT_URL"),
        })


def document(results: Sequence[Result], identity: Identity) -> str:
    """The file's text, of RESULTS without an error.

    Students see the whole file, and so tests that are not for them are one entry together.
    """
    kept = [result for result in results if result.visibility != VISIBLE]
    tests = [_test(f"step {result.test.step}: {result.test.title} ({result.test.lab})", [result])
             for result in shown(results)]
    tests += [_test("tests that are not shown", kept)] if kept else []
    return json.dumps({
        "schema": _SCHEMA,
        **identity.fields,
        "datetime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "score": score(results),
        "max-score": max_score(results),
        "tests": tests,
    }, indent=1) + "\n"


def _test(name: str, results: Sequence[Result]) -> dict[str, Any]:
    passed = all(result.status == PASSED for result in results)
    shown = {} if passed or len(results) != 1 else {"output": results[0].output}
    return {"test-name": name, "passed": passed, "score": score(results),
            "max-score": max_score(results), **shown}
