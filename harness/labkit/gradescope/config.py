"""gradescope/config: what an instructor says about one autograder, a line for each thing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

from labkit.grading import HIDDEN, VISIBILITIES
from labkit.outputs.visibility import Rule, rules_of
from labkit.run import UsageProblem

CONFIG = Path("gradescope") / "config"
"""Where it is, in the repository and in the zip."""

_SETTING = re.compile(r"[ \t]*(lab|points|jobs|stdout)\b([^#\n]*)")
_LAB_LINE = re.compile(r"^lab\b[^#\n]*?(?=[ \t]*(#|$))", re.M)


@dataclass(frozen=True)
class Config:
    """What the file says; None is what the grader does by itself."""

    lab: str
    points: Optional[int]
    jobs: Optional[int]
    stdout: str
    rules: Sequence[Rule]


def config_of(text: str) -> Config:
    """What TEXT, such a file, says. Raises UsageProblem."""
    said: dict[str, str] = {}
    others = []
    for line in text.splitlines():
        setting = _SETTING.match(line)
        if setting is not None:
            if setting[1] in said:
                raise UsageProblem(f"{CONFIG}: more than one line says {setting[1]!r}")
            said[setting[1]] = setting[2].strip()
        others.append("" if setting is not None else line)  # the lines keep their numbers
    if not said.get("lab"):
        raise UsageProblem(f"{CONFIG}: no line says which lab, like 'lab 01'")
    stdout = said.get("stdout", HIDDEN)
    if stdout not in VISIBILITIES:
        raise UsageProblem(f"{CONFIG}: stdout {stdout!r} is none of {', '.join(VISIBILITIES)}")
    try:
        rules = rules_of("\n".join(others))
    except ValueError as error:
        raise UsageProblem(f"{CONFIG}: {error}") from None
    return Config(said["lab"], _number(said, "points"), _number(said, "jobs"), stdout, rules)


def with_lab(text: str, lab: str) -> str:
    """TEXT of such a file, for LAB."""
    return _LAB_LINE.sub(f"lab {lab}", text, count=1)


def _number(said: dict[str, str], name: str) -> Optional[int]:
    text = said.get(name)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageProblem(f"{CONFIG}: {name} {text!r} is not a number above 0")
    return int(text)
