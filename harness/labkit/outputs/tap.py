"""TAP 13, the Test Anything Protocol: https://testanything.org/tap-version-13-specification.html

Version 14 would say the same, but the Test::Harness of Debian 12 refuses it.

TAP knows no error of the grader. Where there is one, the text ends with 'Bail out!', after
which no reader takes the run for a whole one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from labkit.feedback import clean_line
from labkit.results import FAILED, PASSED, Result, is_grade, not_graded, shown

_VERSION = "TAP version 13\n"


def document(results: Sequence[Result], for_students: bool = False) -> str:
    """A test point for each of RESULTS, what did not pass with its feedback.

    for_students: what they may not see is left out.
    """
    told = shown(results) if for_students else results
    text = f"{_VERSION}1..{len(told)}\n"
    text += "".join(line for number, result in enumerate(told, 1)
                    for line in _point(number, result))
    return text if is_grade(results) else text + _bail_out(not_graded(results))


def failed(why: str) -> str:
    """The text of a run that came to nothing, and WHY."""
    return _VERSION + _bail_out(why)


def _bail_out(why: str) -> str:
    return f"Bail out! {clean_line(why)}\n"


def _point(number: int, result: Result) -> Iterator[str]:
    test = result.test
    name = f"{test.lab} step {test.step}: {test.title}"
    yield f"{'ok' if result.status == PASSED else 'not ok'} {number} - {_escaped(name)}\n"
    if result.status == PASSED:
        return
    yield "  ---\n"
    yield f"  severity: {'fail' if result.status == FAILED else 'error'}\n"
    yield f"  test: {_scalar(test.name)}\n"
    if result.cause is not None:
        yield f"  cause: {_scalar(result.cause)}\n"
    yield f"  message: {_scalar(result.output)}\n"
    yield f"  command: {_scalar(result.command)}\n"
    yield "  ...\n"


def _escaped(text: str) -> str:
    """TEXT as a description: '#' would begin a directive."""
    return clean_line(text).replace("\\", "\\\\").replace("#", "\\#")


def _scalar(text: str) -> str:
    """TEXT in YAML, of which JSON's strings are a part."""
    return json.dumps(text)
