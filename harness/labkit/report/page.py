"""report.html: gathers what the page shows, and writes it."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional
from urllib.parse import quote

from markupsafe import Markup, escape

from labkit.causes import CAUSES
from labkit.diagnosis.first_causes import faults_of
from labkit.feedback import clean
from labkit.outputs.whole import write_whole
from labkit.report.evidence import Evidence, evidence_of
from labkit.report.markup import FILES, page_of
from labkit.report.meanwhile import Meanwhile
from labkit.results import ERROR, FAILED, PASSED, REPORT, Result, is_grade, max_score, score
from labkit.table import step_titles

_WORDS = {PASSED: "passed", FAILED: "failed", ERROR: "not graded"}
_SIGNS = {PASSED: "✓", FAILED: "✗", ERROR: "!"}


class _Judged:
    """What has a status, and so a word and a sign for it."""

    @property
    def status(self) -> str:
        raise NotImplementedError

    @property
    def word(self) -> str:
        return _WORDS[self.status]

    @property
    def sign(self) -> str:
        return _SIGNS[self.status]


@dataclass
class _Entry(_Judged):
    """One test on the page."""

    number: int
    result: Result
    evidence: Evidence
    opened: bool = False

    @property
    def status(self) -> str:
        return self.result.status

    @property
    def place(self) -> str:
        return f"{int(self.result.test.lab[:2])}.{self.result.test.step}"

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Its feedback: label and text, with packets as links to their rows."""
        result = self.result
        if not result.parts:
            return [("", result.output)] if result.output else []
        return [(label, self._linked(text) if label == "seen" else text)
                for label, text in result.parts]

    @property
    def files(self) -> list[tuple[str, str]]:
        """What else there is of it, as links from the page's folder."""
        found = [("trace", self.result.trace), ("system calls", self.result.calls)]
        return [(name, quote(path)) for name, path in found if path]

    def _linked(self, text: str) -> str:
        packets = self.result.packets
        if not packets or not self.evidence.markup or not text.endswith(f"({packets})"):
            return text
        link = Markup('<a href="#t{}p{}">{}</a>')
        words = [link.format(self.number, word, word) if word.isdecimal() else escape(word)
                 for word in re.split(r"(\d+)", packets)]
        return escape(clean(text[: -len(packets) - 1])) + Markup("").join(words) + ")"


@dataclass
class _Group(_Judged):
    """Tests that share something, under one heading."""

    key: str
    title: str
    entries: list[_Entry]

    @property
    def judged(self) -> list[_Entry]:
        return [entry for entry in self.entries if entry.result.judged]

    @property
    def not_judged(self) -> list[_Entry]:
        """Those that only say that they could judge nothing."""
        return [entry for entry in self.entries if not entry.result.judged]

    @property
    def points(self) -> int:
        return score(entry.result for entry in self.entries)

    @property
    def of_points(self) -> int:
        return max_score(entry.result for entry in self.entries)

    @property
    def status(self) -> str:
        return next(status for status in (ERROR, FAILED, PASSED)
                    if status in {entry.status for entry in self.entries})


@dataclass
class _Lab:
    """A lab with its steps."""

    name: str
    whole: _Group
    steps: list[_Group]


def write_report(
    results: Sequence[Result], out: Path, of: Optional[str], meanwhile: Optional[Meanwhile] = None
) -> None:
    """Writes OUT/report.html of RESULTS; OF: what was graded. Raises OSError and others.

    meanwhile: what has drawn some of them already.
    """
    evidence = evidence_of(results, out, meanwhile.drawn(results) if meanwhile is not None else {})
    entries = [_Entry(number, *both) for number, both in enumerate(zip(results, evidence))]
    faults = _by_cause([entry for entry in entries if entry.status != PASSED])
    faults.sort(key=_place_of(results))
    if faults:
        (faults[0].judged or faults[0].entries)[0].opened = True
    style, script = (_file(name) for name in ("page.css", "page.js"))
    write_whole(out / REPORT, page_of(
        of=of, when=time.strftime("%Y-%m-%d %H:%M"), labs=_labs(entries), faults=faults,
        graded=is_grade(results), whole=_Group("", "", entries), statuses=_counts(entries),
        style=Markup(style), script=Markup(script),
        style_hash=_hash(style), script_hash=_hash(script)))


def _by_cause(entries: Sequence[_Entry]) -> list[_Group]:
    """ENTRIES that did not pass by likely cause, as they come; the grader's own faults last."""
    groups: dict[str, _Group] = {}
    for entry in sorted(entries, key=lambda entry: (
            entry.status != FAILED, entry.result.test.lab, entry.result.test.step)):
        cause = entry.result.cause or ""
        title = CAUSES[cause].words if cause in CAUSES else (
            "The grader could not do its work: this is no fault of the submission.")
        if cause == "other":
            title = "The cause is not clear from the test alone."
        groups.setdefault(cause, _Group(cause, title, [])).entries.append(entry)
    return list(groups.values())


def _place_of(results: Sequence[Result]) -> Callable[[_Group], bool]:
    """What sorts the fault that is to be repaired first to the front."""
    labs = {result.test.lab for result in results}
    firsts = [faults[0].best for lab in sorted(labs)
              if (faults := faults_of([each for each in results if each.test.lab == lab]))]
    first = firsts[0].cause if firsts else None
    return lambda group: group.key != first


def _labs(entries: Sequence[_Entry]) -> list[_Lab]:
    labs = []
    for name in sorted({entry.result.test.lab for entry in entries}):
        of_lab = [entry for entry in entries if entry.result.test.lab == name]
        titles = step_titles(name)
        steps = []
        for step in sorted({entry.result.test.step for entry in of_lab}):
            of_step = [entry for entry in of_lab if entry.result.test.step == step]
            programs = dict.fromkeys(p for e in of_step for p in e.result.test.programs)
            title = ", ".join(programs) + (f": {titles[step]}" if step in titles else "")
            steps.append(_Group(str(step), title, of_step))
        labs.append(_Lab(name, _Group(name, name, of_lab), steps))
    return labs


def _counts(entries: Sequence[_Entry]) -> list[tuple[str, str, int]]:
    """Each outcome with its word and how many tests had it."""
    return [(status, _WORDS[status], sum(entry.status == status for entry in entries))
            for status in (PASSED, FAILED, ERROR)]


def _file(name: str) -> str:
    return (FILES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What the page's own policy knows a script or style by: no other is obeyed."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
