"""The marks `STEP n` and `END STEP n` in a lab's sources: which code is a step's.

    /* STEP 3: bind the address, so that clients know where to call. */
    ...
    /* END STEP 3; waits; stub: break; */

What follows the number is for a program without the step: how it goes on when it comes there
(one of THEN), and the code that it has instead.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Callable, Iterable, NamedTuple

from labkit.build import PROGRAMS
from labkit.paths import LABS

ENDS, WAITS, GOES_ON, SILENT = THEN = ("ends", "waits", "goes on", "silent")
"""A program that comes to a step that is not written says so, and ends; or waits for ever; or
goes on. Or it says nothing: a program without this step does much of its work, and what it
does wrong tells more than that the step is missing."""

_MARKS = re.compile(
    r"(?P<indent>[ \t]*)/\* STEP (?P<number>\d+): .*?\*/\n(?P<code>.*?)"
    r"[ \t]*/\* END STEP (?P=number)(?:; (?P<then>waits|goes on|silent))?"
    r"(?:; stub:(?P<stub>.*?))? \*/\n",
    re.S,
)


class Step(NamedTuple):
    """One step of a lab."""

    lab: str
    number: int
    file: str
    """A program's, or a module's: then it is a step of every program that needs the module."""
    code: str
    stub: str
    """The code of a program without the step, often none; whole lines."""
    then: str
    """One of THEN."""
    indent: str

    def programs(self, there: Iterable[str]) -> list[str]:
        """Those of the programs THERE that may be without the step."""
        own = self.file[: -len(".c")]
        return [own] if own in PROGRAMS[self.lab] else list(there)


def c_files(lab: str) -> list[Path]:
    """LAB's C files."""
    return sorted((LABS / lab).glob("*.c"))


def steps(lab: str) -> list[Step]:
    """The steps of all the lab's C files, file by file."""
    return [_step(lab, path.name, match) for path in c_files(lab)
            for match in _MARKS.finditer(path.read_text())]


def rewritten(lab: str, file: str, instead: Callable[[Step], str]) -> str:
    """The text of FILE of LAB with what INSTEAD returns, whole lines, for each of its steps."""
    text = (LABS / lab / file).read_text()
    return _MARKS.sub(lambda match: instead(_step(lab, file, match)), text)


def without(step: Step) -> str:
    """The text of the step's file with the stub in place of the step's code."""
    return rewritten(step.lab, step.file, lambda each: each.stub if each == step else each.code)


def _step(lab: str, file: str, match: re.Match[str]) -> Step:
    stub = match["stub"] or ""
    if stub and not stub.startswith("\n"):
        stub = f"{match['indent']}{stub.strip()}"
    stub = stub.strip("\n") + "\n" if stub.strip() else ""
    return Step(lab, int(match["number"]), file, match["code"], stub, match["then"] or ENDS,
                match["indent"])
