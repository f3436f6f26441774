"""docs/causes.md: every cause that feedback names, and the rules that find it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labkit.causes import CAUSES
from labkit.diagnosis.rules import RULED_OUT, RULES, SUSPICIONS
from labkit.diagnosis.signs import Sign
from labkit.paths import REPO

DOCUMENT = REPO / "docs" / "causes.md"
INTRODUCTION = """\
# What feedback calls a likely cause

Each failed test names a cause: a fault, not a symptom. Its key stands in `results.json`
(`extra_data.cause`) and `junit.xml` (`type`). This page is written by
`harness/command labkit.causes.document`.

## How it is found

A test knows what it asked for, and so what its failure mostly means: that is its suspicion. Then
the evidence is looked at: how each program ended and what it said, its processor time, its system
calls, what it waits in, the packets. The rules below are asked in order; the first one whose sign
shows, and that may overrule the suspicion, decides. If none does the suspicion stands, unless the
evidence rules it out; then the cause is `other`, and feedback tells what was looked at.

A suspicion behind *but* says more than the sign. What stands for several suspicions:
"""


def main() -> int:
    """Writes the document. Returns an exit status."""
    DOCUMENT.write_text(text(), encoding="utf-8")
    return 0


def text() -> str:
    """The document as it should be."""
    lines = [INTRODUCTION]
    lines += [f"- *{name}*: {', '.join(sorted(group))}" for name, group in SUSPICIONS.items()]
    lines += ["", "| if | the cause is | where the test suspects |",
              "| --- | --- | --- |"]
    for rule in RULES:
        over = "any" if rule.over is None else _suspicions(frozenset(rule.over))
        over += f" *but* {_keys(rule.but)}" if rule.but else ""
        lines.append(f"| {_told(rule.sign)} | {_link(rule.cause)} | {over} |")
    lines += ["", "| if | the cause is not |", "| --- | --- |"]
    lines += [f"| {_told(sign)} | {_link(cause)} |" for cause, sign in RULED_OUT.items()]
    lines += ["", "## The causes", ""]
    for key, cause in sorted(CAUSES.items()):
        lines += [f"### {key}", "", _plain(cause.text), "", f"Read on: {_plain(cause.read)}", ""]
    return "\n".join(lines)


def _told(sign: Sign) -> str:
    return _plain((sign.__doc__ or "").split("\n")[0])


def _suspicions(over: frozenset[str]) -> str:
    """OVER, with a name for what has one."""
    for name, group in SUSPICIONS.items():
        if group <= over:
            rest = over - group
            return f"*{name}*" + (f", {_keys(rest)}" if rest else "")
    return _keys(over)


def _keys(keys: Iterable[str]) -> str:
    return ", ".join(map(_link, sorted(keys)))


def _link(key: str) -> str:
    return f"[{key}](#{key})"


def _plain(words: str) -> str:
    """WORDS without a meaning in Markdown."""
    return re.sub(r"([*_<>|])", r"\\\1", words)
