"""The steps of a lab's programs: each alone is missed by a graded test that is marked with it."""

from __future__ import annotations

import re

import pytest
from workbench import LABS_THERE, Benches, graded_tests

from labkit.paths import LABS
from labkit.starter.marks import Step, c_files, steps, without

TESTS = {lab: graded_tests(lab) for lab in LABS_THERE}
WARNINGS = ("-Wall", "-Wextra", "-Werror")

STEPS = {lab: steps(lab) for lab in LABS_THERE}
ALL_STEPS = [step for lab in LABS_THERE for step in STEPS[lab]]
each_lab = pytest.mark.parametrize("lab", LABS_THERE)


@pytest.mark.parametrize("step", ALL_STEPS,
                         ids=[f"{s.lab[:2]}-step-{s.number}-{s.file}" for s in ALL_STEPS])
def test_program_without_a_step_builds_and_is_caught(benches: Benches, step: Step) -> None:
    bench = benches(step.lab)
    programs = step.programs(bench.programs)
    folder = bench.variant(f"without-step-{step.number}", programs, step.file,
                           without(step), *WARNINGS)
    judges = [test for test in TESTS[step.lab].values()
              if test.step == step.number and not set(programs).isdisjoint(test.programs)]
    assert any(bench.catches(test, folder) for test in judges), (
        f"without step {step.number}, all of these pass: {[test.name for test in judges]}")


@each_lab
def test_every_mark_of_a_step_is_a_step(lab: str) -> None:
    text = "".join(path.read_text() for path in c_files(lab))
    begun = re.findall(r"/\* STEP (\d+)", text)
    ended = re.findall(r"/\* END STEP (\d+)", text)
    assert begun == ended == [str(step.number) for step in STEPS[lab]]


@each_lab
def test_steps_are_numbered_without_a_gap(lab: str) -> None:
    numbers = sorted(step.number for step in STEPS[lab])
    assert numbers == list(range(1, len(STEPS[lab]) + 1))


@each_lab
def test_graded_tests_are_marked_with_the_steps_there_are(lab: str) -> None:
    """Step 0 is the command line, which a starter comes with."""
    marked = {test.step for test in TESTS[lab].values()}
    assert marked - {0} == {step.number for step in STEPS[lab]}


@each_lab
def test_handout_tells_of_the_steps_there_are(lab: str) -> None:
    handout = (LABS / lab / "README.md").read_text()
    section = handout.split("\n## Steps\n")[1].split("\n## ")[0]
    numbers = [str(number) for number in sorted(step.number for step in STEPS[lab])]
    assert re.findall(r"^\*\*(\d+) · ", section, re.M) == numbers
    assert re.findall(r"-k step_(\d+)`", section) == numbers
