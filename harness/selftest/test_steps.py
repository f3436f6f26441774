"""The steps of a lab's programs: each alone is missed by a graded test that is marked with it."""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest
from workbench import Workbench, graded_tests

from labkit.paths import LABS

LAB = "01-tcp-echo"
TESTS = graded_tests("test_01_tcp_echo.py")
WARNINGS = ("-Wall", "-Wextra", "-Werror")

STEP = re.compile(
    r"[ \t]*/\* STEP (?P<number>\d+): .*?\*/\n(?P<code>.*?)"
    r"[ \t]*/\* END STEP (?P=number)(?:; stub:(?P<stub>.*?))? \*/\n",
    re.S,
)


class Step(NamedTuple):
    """One step of a program, and the program without it."""

    number: int
    program: str
    source: str
    """The program's source with the step's stub in place of its code."""


def steps() -> list[Step]:
    """The steps of all the lab's programs, in their sources' order."""
    found = []
    for path in sorted((LABS / LAB).glob("*.c")):
        text = path.read_text()
        for match in STEP.finditer(text):
            stub = (match["stub"] or "") + "\n"
            source = text[: match.start()] + stub + text[match.end() :]
            found.append(Step(int(match["number"]), path.stem, source))
    return found


STEPS = steps()


@pytest.mark.parametrize("step", STEPS, ids=[f"step-{s.number}-{s.program}" for s in STEPS])
def test_program_without_a_step_builds_and_is_caught(bench: Workbench, step: Step) -> None:
    folder = bench.variant(f"without-step-{step.number}", step.program, step.source, *WARNINGS)
    judges = [t for t in TESTS.values() if t.step == step.number and step.program in t.programs]
    assert any(bench.catches(test, folder) for test in judges), (
        f"without step {step.number}, all of these pass: {[test.name for test in judges]}")


def test_every_mark_of_a_step_is_a_step() -> None:
    text = "".join(path.read_text() for path in sorted((LABS / LAB).glob("*.c")))
    begun = re.findall(r"/\* STEP (\d+)", text)
    assert begun == re.findall(r"/\* END STEP (\d+)", text) == [str(s.number) for s in STEPS]


def test_steps_are_numbered_without_a_gap() -> None:
    assert sorted(step.number for step in STEPS) == list(range(1, len(STEPS) + 1))


def test_graded_tests_are_marked_with_the_steps_there_are() -> None:
    """Step 0 is the command line, which a starter comes with."""
    assert {test.step for test in TESTS.values()} - {0} == {step.number for step in STEPS}


def test_handout_tells_of_the_steps_there_are() -> None:
    handout = (LABS / LAB / "README.md").read_text()
    section = handout.split("\n## Steps\n")[1].split("\n## ")[0]
    numbers = [str(number) for number in sorted(step.number for step in STEPS)]
    assert re.findall(r"^\*\*(\d+) · ", section, re.M) == numbers
    assert re.findall(r"-k step_(\d+)`", section) == numbers
