"""The rows of the table: programs with one fault, and correct ones of other designs."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Mapping, Optional, Sequence

from designs import build_design, designs_of, programs_of
from known_wrong import CORRECT, KnownWrong, of_every_lab
from workbench import GradedTest, Workbench, stall_for

from labkit.paths import LABS
from labkit.scenario import STALL
from mutants.digest import digest


@dataclass(frozen=True)
class Row:
    """One wrong or correct program, and the tests that judge it."""

    lab: str
    name: str
    programs: tuple[str, ...]
    tests: tuple[GradedTest, ...]
    build: Callable[[Workbench], Path]
    """Makes it, with the lab's other programs, in a new folder."""
    digest: str
    """Of all that it is made from."""
    wrong: Optional[KnownWrong] = None
    """None for a correct design."""

    @property
    def key(self) -> str:
        return f"{self.lab} {self.name}"

    @property
    def stall(self) -> float:
        """Seconds after which a program that stands still never goes on."""
        return STALL if self.wrong is None else stall_for(self.wrong)


def wrong_rows(
    lab: str, tests: Mapping[str, GradedTest], programs: Iterable[KnownWrong]
) -> list[Row]:
    """A row for each of the wrong PROGRAMS of LAB, of whose TESTS those that judge it."""
    own = digest(LABS / lab)

    def row(wrong: KnownWrong) -> Row:
        source = wrong.source_in(lab)
        return Row(lab, wrong.name, (wrong.program,), _judging(tests, [wrong.program]),
                   lambda bench: bench.wrong(wrong), digest(own, wrong.file_name, source), wrong)

    return [row(wrong) for wrong in programs]


def correct_rows(lab: str, tests: Mapping[str, GradedTest]) -> list[Row]:
    """A row for each correct design of LAB."""
    own = digest(LABS / lab)
    return [Row(lab, f"correct-{design.name}", tuple(programs_of(design)),
                _judging(tests, programs_of(design)),
                functools.partial(build_design, design=design),
                digest(own, CORRECT / lab, design.name))
            for design in designs_of(lab)]


def rows_of(lab: str, tests: Mapping[str, GradedTest]) -> list[Row]:
    """All of LAB, the correct ones last."""
    programs = [wrong for of_lab, wrong in of_every_lab() if of_lab == lab]
    return wrong_rows(lab, tests, programs) + correct_rows(lab, tests)


def _judging(tests: Mapping[str, GradedTest], programs: Sequence[str]) -> tuple[GradedTest, ...]:
    return tuple(test for test in tests.values() if not set(programs).isdisjoint(test.programs))
