"""Tests that did not pass, for a terminal of 80 columns: few in full, the others in a line or two.

All of them are in results.json and in the report.
"""

from __future__ import annotations

import re
import textwrap
from typing import Sequence

from labkit.feedback import clean_line
from labkit.results import ERROR, FAILED, PASSED, Result

WIDTH = 80
MARKS = {PASSED: "ok", FAILED: "FAIL", ERROR: "not graded"}
IN_FULL = 8
"""Failed tests that are told in full, one a step at most."""
LINES = 3
"""Short entries that a step has; the others are counted."""
_VALUES = 3
"""Of the values in which tests of one rule differ, so many are listed."""
_DETAIL_LINES = 40
_QUOTED = re.compile(r" *\d* \|")


class Failures:
    """What is told of the tests that did not pass, step after step."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        """Faults that were told in full."""
        self._in_full = 0

    def first(self, result: Result) -> list[str]:
        """RESULT's feedback, before all steps."""
        self._told.add(_fault_of(result))
        self._in_full += 1
        return [line for part in result.output.split("\n") for line in wrap(part, 4)]

    def of_step(self, results: Sequence[Result]) -> list[str]:
        """The lines of one step's RESULTS: of those that passed, or were not judged, there is none.

        What has the same feedback as another test was told there, and is only counted.
        """
        lines: list[str] = []
        short: list[list[str]] = []
        again = 0
        told_here = False
        for group in _groups([r for r in results if r.status != PASSED and r.judged]):
            best = group[0]
            heading = f"{MARKS[best.status]}: {_title(group)}"
            if _fault_of(best) in self._told:
                again += len(group)
            elif best.status == ERROR or not told_here and self._in_full < IN_FULL:
                self._told.add(_fault_of(best))
                if best.status == FAILED:
                    told_here, self._in_full = True, self._in_full + 1
                lines += _heading(heading)
                lines += [line for part in _text(best).split("\n") for line in wrap(part, 8)]
            else:
                seen = dict(best.parts).get("seen") or best.output.split("\n")[0]
                short.append(_line(heading, clean_line(seen)))
        lines += [line for entry in short[:LINES] for line in entry]
        if again:
            lines += _heading(f"FAIL: {_count(again)} for a reason that is told above")
        if len(short) > LINES:
            lines += _heading(f"FAIL: {len(short) - LINES} more like these, see the report")
        return lines


def _groups(results: Sequence[Result]) -> list[list[Result]]:
    """Those of one rule, one program and one cause together."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        key = (result.test.nodeid.split("[")[0], result.test.programs, result.status, result.cause,
               result.detail)
        groups.setdefault(key, []).append(result)
    return list(groups.values())


def _title(group: Sequence[Result]) -> str:
    """The rule's title, and in which values the tests of GROUP differ."""
    test = group[0].test
    title, values = test.title, [_value(result) for result in group]
    if not any(values) or not title.endswith("]"):
        return title
    title = title[: title.rindex(" [")] if " [" in title else title
    shown = values[:_VALUES]
    more = f" and {len(values) - _VALUES} more" if len(values) > _VALUES else ""
    return f"{title} [{', '.join(shown)}{more}]"


def _value(result: Result) -> str:
    return result.test.name.partition("[")[2][:-1]


def _count(number: int) -> str:
    return f"{number} test{'' if number == 1 else 's'}"


def _fault_of(result: Result) -> str:
    """The same for all whose feedback is the same."""
    return _text(result).partition("\nread on: ")[0]  # what to read differs from step to step


def _text(result: Result) -> str:
    return result.output + (f"\n{_last_lines(result.detail)}" if result.detail else "")


def _last_lines(detail: str) -> str:
    return "\n".join(detail.splitlines()[-_DETAIL_LINES:])


def _heading(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 12)


def _line(heading: str, seen: str) -> list[str]:
    """Both on one line where there is room; else SEEN has its own, and is cut there."""
    whole = f"      {heading}: {seen}"
    return [whole] if len(whole) <= WIDTH else [
        *_heading(f"{heading}:"), f"            {_cut(seen, WIDTH - 12)}"]


def _cut(text: str, width: int) -> str:
    """TEXT, or as many whole words of it as WIDTH characters hold."""
    if len(text) <= width:
        return text
    text = text[:width - 3]
    words = text.rpartition(" ")[0]
    return f"{(words if len(words) > width // 2 else text).rstrip(' ,:;')}..."


def wrap(line: str, indent: int) -> list[str]:
    """LINE in lines of WIDTH, INDENT spaces in front of the first, two more of the others.

    What a compiler quotes of a source is cut: a mark below it stands under the right column.
    """
    if _QUOTED.match(line):
        return [f"{' ' * indent}{line.expandtabs(4)}"[:WIDTH].rstrip()]
    return textwrap.wrap(
        line, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
        break_on_hyphens=False, drop_whitespace=True, tabsize=4,
    ) or [""]
