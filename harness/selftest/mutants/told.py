"""The table in words: for people on 80 columns, and all of it as CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Iterable, Iterator, Mapping, Optional, Sequence

from mutants.rows import Row
from mutants.running import only_killer
from mutants.store import Pair

FEW = 12
"""Rows of which each killer is named."""


@dataclass(frozen=True)
class Line:
    """One row and what is known of it, by test."""

    row: Row
    found: Mapping[str, Pair]

    @property
    def killers(self) -> dict[str, str]:
        """The tests that find it wrong, each with the cause that it names."""
        return {name: pair.cause for name, pair in self.found.items() if pair.cause is not None}

    @property
    def complaint(self) -> Optional[str]:
        """What is not as it should be: its own test does not kill it, or names another cause."""
        wrong = self.row.wrong
        if wrong is None:
            return f"fails {', '.join(self.killers)}" if self.killers else None
        own = self.found.get(wrong.killed_by)
        if own is None or own.cause == wrong.cause:
            return None
        return f"{wrong.killed_by}: {'passes' if own.cause is None else f'names {own.cause}'}"


def table(lines: Sequence[Line]) -> str:
    """LINES, and what they come to; killers are named where the lines are few."""
    text = []
    wrong = [line for line in lines if line.row.wrong is not None]
    for line in wrong:
        assert line.row.wrong is not None
        text += [f"{line.row.wrong.name}: {line.row.wrong.fault}"[:80]]
        text += _killers(line) if len(lines) <= FEW else [f"    {_counted(line)}"]
    correct = [line for line in lines if line.row.wrong is None]
    pairs = sum(len(line.found) for line in wrong)
    killed = sum(len(line.killers) for line in wrong)
    alone = sum(len(only_killer(line.row, line.found)) for line in wrong)
    text += ["", f"{_many(len(wrong), 'wrong program')}, {_many(pairs, 'pair')} with a test: "
             f"{killed:,} killed.",
             f"{_many(alone, 'program')} {'has' if alone == 1 else 'have'} one killer only."]
    if wrong and len(lines) <= FEW:
        text += ["Before each test the cause that it names; * is the one that must find the fault."]
    if correct:
        passed = sum(len(line.found) - len(line.killers) for line in correct)
        text += [f"{len(correct):,} correct designs, {passed:,} pairs passed."]
    for line in lines:
        if line.complaint is not None:
            text.append(f"! {line.row.name}: {line.complaint}")
    return "\n".join(text) + "\n"


def _many(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s'[number == 1:]}"


def _killers(line: Line) -> Iterator[str]:
    assert line.row.wrong is not None
    for name, cause in line.killers.items():
        mark = "*" if name == line.row.wrong.killed_by else " "
        yield f"  {mark} {cause:18} {name}"[:80]
    yield f"    {_counted(line)}"


def _counted(line: Line) -> str:
    assert line.row.wrong is not None
    killers, cause = line.killers, line.row.wrong.cause
    named = sum(told == cause for told in killers.values())
    run = f"{len(line.found)} of {len(line.row.tests)} tests"
    return f"killed by {len(killers)}, {named} of which name '{cause}' ({run} run)"


def as_csv(lines: Iterable[Line]) -> str:
    """One row for each of LINES: the causes that tests name, by test.

    A cell: empty where the test does not judge the program, 'passed', or a cause; '?' not run.
    """
    lines = list(lines)
    tests = list(dict.fromkeys(test.name for line in lines for test in line.row.tests))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["lab", "program", "fault", "cause", *tests])
    for line in lines:
        wrong = line.row.wrong
        judging = {test.name for test in line.row.tests}
        cells = (line.found[name].cause or "passed" if name in line.found
                 else "?" if name in judging else "" for name in tests)
        writer.writerow([line.row.lab, line.row.name, wrong.fault if wrong else "",
                         wrong.cause if wrong else "", *cells])
    return text.getvalue()
