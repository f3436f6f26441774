"""Known-wrong programs: each a lab's program with one fault, and the test that must find it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

from known_wrong.everywhere import AT_THE_START, EVERYWHERE, FAKES, FOUND_BY, STARTS
from known_wrong.twins import TWINS
from labkit.paths import LABS

CORRECT = Path(__file__).parent.parent / "correct"
"""The correct programs of other designs, by lab."""
Edits = tuple[tuple[str, str], ...]


class KnownWrong(NamedTuple):
    """A program made wrong by a few edits of a right one's source."""

    name: str
    fault: str
    """The fault, as grading.md or the lab's table puts it."""
    program: str
    edits: Edits
    """Old and new text; each old text is in the source exactly once."""
    killed_by: str
    """The graded test that must fail."""
    cause: str
    """The key of labkit.feedback.CAUSES that its feedback must have."""
    base: str = ""
    """The correct design to start from; the lab's own program where there is none."""
    file: str = ""
    """The C file to edit, which may be a module's; the program's own where there is none."""

    @property
    def file_name(self) -> str:
        return self.file or f"{self.program}.c"

    def source(self, text: str) -> str:
        """TEXT, the right file's, with the fault in it."""
        for old, new in self.edits:
            if text.count(old) != 1:
                raise ValueError(f"{self.name}: {text.count(old)} times in the source: {old!r}")
            text = text.replace(old, new)
        return text

    def twin(self, name: str, program: str) -> KnownWrong:
        """The same fault in PROGRAM, to be found by the same rule; it is called NAME."""
        rule, _, values = self.killed_by.partition("[")
        named = [program if value == self.program else value for value in values[:-1].split("-")]
        file = "" if self.file == f"{self.program}.c" else self.file
        return self._replace(name=name, program=program, killed_by=f"{rule}[{'-'.join(named)}]",
                             file=file)

    def source_in(self, lab: str) -> str:
        """The wrong file, made from LAB's own or its base's."""
        folder = CORRECT / lab / self.base if self.base else LABS / lab
        return self.source((folder / self.file_name).read_text())


def of_every_lab() -> list[tuple[str, KnownWrong]]:
    """Each with its lab, from the lab_*.py of this folder: their LAB and KNOWN_WRONG; and twins."""
    found = []
    for file in sorted(Path(__file__).parent.glob("lab_*.py")):
        module = importlib.import_module(f"known_wrong.{file.stem}")
        found += [(module.LAB, wrong) for wrong in module.KNOWN_WRONG]
    by_name = {(lab, wrong.name): wrong for lab, wrong in found}
    twins = [(lab, by_name[lab, of].twin(name, program))
             for table in (TWINS, EVERYWHERE)
             for lab, twins in table.items() for name, (of, program) in twins.items()]
    others = [(lab, by_name[lab, of].twin(name, program)._replace(killed_by=killed_by))
              for lab, twins in FOUND_BY.items()
              for name, (of, program, killed_by) in twins.items()]
    return [*found, *twins, *others, *_at_the_start()]


def _at_the_start() -> list[tuple[str, KnownWrong]]:
    """Each program with each of the faults that strike at once."""
    return [
        (lab, KnownWrong(f"{program}-{name}", fault, program,
                         ((place, text + place),), killed_by, cause))
        for lab, programs in AT_THE_START.items()
        for program, (place, killed_by) in programs.items()
        for name, (fault, cause, text) in (
            {**STARTS, **FAKES} if program.endswith("client") else STARTS).items()
    ]
