"""The table of steps, points and feedback, for a terminal of 80 columns."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from typing import Mapping, Sequence

from labkit import paths
from labkit.diagnosis.first_causes import ALWAYS, Fault, faults_of, step_in
from labkit.failures import MARKS, WIDTH, Failures, wrap
from labkit.feedback import clean_line
from labkit.results import (
    ERROR, FAILED, NO_PROGRAM, PASSED, REPORT, RESULTS, Result, max_score, score,
)

_NOT_JUDGED = "not judged"


def table(results: Sequence[Result], out: Path, seen_from: Path) -> str:
    """The whole table, a line feed at its end; paths as seen from the folder SEEN_FROM."""
    lines: list[str] = []
    failures = Failures()
    for lab in sorted({result.test.lab for result in results}):
        of_lab = [result for result in results if result.test.lab == lab]
        faults = faults_of(of_lab)
        lines += [_row(lab, of_lab, mark=False), "-" * WIDTH]
        titles = step_titles(lab)
        if faults and faults[0].best.judged:
            lines += _first(faults[0], titles, failures)
        for step in sorted({result.test.step for result in of_lab}):
            of_step = [result for result in of_lab if result.test.step == step]
            lines.append(_row(_step_label(step, of_step, titles), of_step))
            lines += failures.of_step(of_step)
        lines += _not_judged(faults)
        lines.append("")
    return "\n".join([*lines, *_summary(results, out, seen_from)]) + "\n"


def _first(fault: Fault, titles: Mapping[int, str], failures: Failures) -> list[str]:
    """The fault that is to be repaired first, in full."""
    best, others = fault.best, len(fault.others)
    step, tests = best.test.step, f"{others} more test{'s'[others == 1:]}"
    what = fault.words or f"`{'`, `'.join(best.test.programs)}`"
    missing = step_in(fault.words)
    title = titles.get(int(missing) if missing else step, "")
    if missing:
        what += f" ({title})" if title else ""
    else:
        of_step = title and (best.cause in ALWAYS or not others)
        what += f" (step {step}: {title})" if of_step else f" (step {step})"
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
            place = "" if fault.words.startswith("step ") else f" (step {fault.best.test.step})"
            lines += textwrap.wrap(
                f"not judged: {count} test{'s'[count == 1:]}, as {fault.words}{place}", WIDTH,
                initial_indent="  ", subsequent_indent=" " * 14, break_on_hyphens=False)
    return lines


def step_titles(lab: str) -> dict[int, str]:
    """What each step of LAB does, from the STEP comments of its programs; maybe nothing."""
    titles = {0: "the command line"}
    for source in sorted((paths.LABS / lab).glob("*.c")):
        try:
            text = source.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for number, words in re.findall(r"/\* STEP (\d+): (.*?)(?:[.:]\s|\*/)", text, re.S):
            titles[int(number)] = re.sub(r"\s+(\*\s+)?", " ", words).strip(" .")
    return titles


def _step_label(step: int, results: Sequence[Result], titles: dict[int, str]) -> str:
    programs = ", ".join(dict.fromkeys(name for r in results for name in r.test.programs))
    title = titles.get(step)
    return f"  step {step:2}  {programs}: {title}" if title else f"  step {step:2}  {programs}"


def _row(label: str, results: Sequence[Result], mark: bool = True) -> str:
    points = f"{score(results)}/{max_score(results)}"
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


def _summary(results: Sequence[Result], out: Path, seen_from: Path) -> list[str]:
    not_passed = [result for result in results if result.status != PASSED]
    not_graded = sum(result.status == ERROR for result in results)
    total = f"Score: {score(results)} of {max_score(results)}"
    if not_graded:
        total += f" ({not_graded} of {len(results)} tests not graded: the grader failed)"
    lines = [total, f"Results: {_short(out / RESULTS, seen_from)}",
             f"Traces:  {_short(out / 'traces', seen_from)}"]
    if (out / REPORT).is_file():
        lines.append(f"Report:  {_short(out / REPORT, seen_from)}")
    lines += _without_calls(results)
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
