"""The table of steps, points and feedback, for a terminal of 80 columns."""

from __future__ import annotations

import contextlib
import os
import textwrap
from pathlib import Path
from typing import Mapping, Sequence

from labkit.diagnosis.first_causes import ALWAYS, Fault, faults_of, step_in
from labkit.failures import MARKS, WIDTH, Failures, wrap
from labkit.feedback import clean_line, counted
from labkit.handout import told_of_steps
from labkit.results import (
    ERROR, FAILED, NO_PROGRAM, PASSED, REPORT, RESULTS, Result, is_grade, max_score, score,
    shown,
)

_NOT_JUDGED = "not judged"


def table(
    results: Sequence[Result], out: Path, seen_from: Path, for_students: bool = False
) -> str:
    """The whole table, a line feed at its end; paths as seen from the folder SEEN_FROM.

    for_students: without what they may not see, in the sums as well, and without OUT's place.
    """
    lines: list[str] = []
    failures = Failures()
    graded = is_grade(results)
    told = shown(results) if for_students else results
    for lab in sorted({result.test.lab for result in told}):
        of_lab = [result for result in told if result.test.lab == lab]
        faults = faults_of(of_lab)
        lines += [_row(lab, of_lab, graded, mark=False), "-" * WIDTH]
        titles = step_titles(lab)
        if faults and faults[0].best.judged:
            lines += _first(faults[0], titles, failures)
        for step in sorted({result.test.step for result in of_lab}):
            of_step = [result for result in of_lab if result.test.step == step]
            lines.append(_row(_step_label(step, of_step, titles), of_step, graded))
            lines += failures.of_step(of_step)
        lines += _not_judged(faults)
        lines.append("")
    lines.append(_total(results, told))
    if not for_students:
        lines += _places(out, seen_from)
    lines += _hints(told)
    return "\n".join(lines) + "\n"


def _first(fault: Fault, titles: Mapping[int, str], failures: Failures) -> list[str]:
    """The fault that is to be repaired first, in full."""
    best, others = fault.best, len(fault.others)
    step, tests = best.test.step, f"{others} more test{'s'[others == 1:]}"
    what = fault.words or f"`{'`, `'.join(best.test.programs)}`"
    missing = step_in(fault.words)
    title = titles.get(int(missing) if missing else step, "")
    if missing:
        what += f" ({title})" if title else ""
    elif fault.place:
        of_step = title and (best.cause in ALWAYS or not others)
        what += f" (step {step}: {title})" if of_step else fault.place
    if others:
        what += f": {tests} can judge nothing until that is repaired." if fault.blocks else \
            f": {tests} find{'s' if others == 1 else ''} the same."
    return ["THE FIRST THING TO REPAIR", *wrap(what, 2), *failures.first(best), ""]


def _not_judged(faults: Sequence[Fault]) -> list[str]:
    """How many tests could judge nothing, and why: a line for each fault."""
    lines: list[str] = []
    for fault in faults:
        if fault.blocks and fault.others:
            count = len(fault.others)
            lines += textwrap.wrap(
                f"not judged: {count} test{'s'[count == 1:]}, as {fault.words}{fault.place}", WIDTH,
                initial_indent="  ", subsequent_indent=" " * 14, break_on_hyphens=False)
    return lines


def step_titles(lab: str) -> dict[int, str]:
    """What each step of LAB does, in the handout's words; maybe nothing."""
    titles = {0: "the command line"}
    with contextlib.suppress(OSError):
        titles.update((number, told.name) for number, told in told_of_steps(lab).items())
    return titles


def _step_label(step: int, results: Sequence[Result], titles: dict[int, str]) -> str:
    programs = ", ".join(dict.fromkeys(name for r in results for name in r.test.programs))
    title = titles.get(step)
    return f"  step {step:2}  {programs}: {title}" if title else f"  step {step:2}  {programs}"


def _row(label: str, results: Sequence[Result], graded: bool, mark: bool = True) -> str:
    points = f"{score(results) if graded else '-'}/{max_score(results)}"
    left = WIDTH - 20
    if len(label) > left:
        label = label[: left - 3].rsplit(" ", 1)[0] + "..."
    return f"{label:<{left}} {points:>8} {_mark(results) if mark else ''}".rstrip()


def _mark(results: Sequence[Result]) -> str:
    """The worst that became of RESULTS, in a word."""
    statuses = {result.status for result in results}
    worst = next(status for status in (ERROR, FAILED, PASSED) if status in statuses)
    if worst == FAILED and not any(r.judged for r in results if r.status == FAILED):
        return _NOT_JUDGED
    return MARKS[worst]


def _total(results: Sequence[Result], told: Sequence[Result]) -> str:
    """The last word: of those TOLD of RESULTS, the rest being only counted."""
    not_graded = sum(result.status == ERROR for result in results)
    if not_graded:
        return (f"No score: {not_graded} of {len(results)} tests not graded: the grader failed, "
                "not the submission")
    rest = len(results) - len(told)
    more = f" ({counted(rest, 'more test')} not shown)" if rest else ""
    return f"Score: {score(told)} of {max_score(told)}{more}"


def _places(out: Path, seen_from: Path) -> list[str]:
    lines = [f"Results: {_short(out / RESULTS, seen_from)}",
             f"Traces:  {_short(out / 'traces', seen_from)}"]
    if (out / REPORT).is_file():
        lines.append(f"Report:  {_short(out / REPORT, seen_from)}")
    return lines


def _hints(results: Sequence[Result]) -> list[str]:
    """What was not recorded, and how a failed one of RESULTS is run again."""
    lines = _without_calls(results)
    not_passed = [result for result in results if result.status != PASSED]
    if not_passed:
        first = min(not_passed, key=lambda r: (
            r.status != FAILED, not r.judged, r.test.lab, r.test.step))
        lines += ["The first failed test alone, from the repository's top folder:",
                  f"  {clean_line(first.command)}"]
    return lines


def _without_calls(results: Sequence[Result]) -> list[str]:
    """Why programs' system calls could not be recorded, where they were meant to be."""
    reasons = [result.no_calls for result in results
               if result.no_calls not in (None, NO_PROGRAM, result.test.no_calls)]
    if not reasons:
        return []
    count = "all" if len(reasons) == len(results) else f"{len(reasons)} of {len(results)}"
    return textwrap.wrap(clean_line(f"Calls:   not recorded in {count} tests: {reasons[0]}"),
                         WIDTH, subsequent_indent=" " * 9)


def _short(path: Path, seen_from: Path) -> str:
    """PATH as seen from the folder SEEN_FROM, if it lies below."""
    relative = os.path.relpath(path, seen_from)
    return clean_line(str(path) if relative.startswith("..") else relative)
