"""Correct programs of other designs than the lab's own pass every graded test of theirs.

What a submission does counts, never how its source is written.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from designs import build_design, designs_of, programs_of
from known_wrong import CORRECT
from workbench import LABS_THERE, Benches, GradedTest, graded_tests

from labkit.build import PROGRAMS
from labkit.paths import HARNESS, LABS
from labkit.scenario import STALL

TESTS = {lab: graded_tests(lab) for lab in LABS_THERE}
DESIGNS = [design for lab in LABS_THERE for design in designs_of(lab)]

Built = Callable[[Path], Path]


def name_of(design: Path) -> str:
    return f"{design.parent.name[:2]}-{design.name}"


@pytest.fixture(scope="session")
def built(benches: Benches) -> Built:
    """The folder in which a design has been built."""
    return functools.lru_cache(maxsize=None)(
        lambda design: build_design(benches(design.parent.name), design))


def judged() -> Iterator[tuple[Path, GradedTest]]:
    """Each design with each test that judges it."""
    for design in DESIGNS:
        for test in TESTS[design.parent.name].values():
            if not set(test.programs).isdisjoint(programs_of(design)):
                yield design, test


@pytest.mark.parametrize("design, test", [
    pytest.param(design, test, id=f"{name_of(design)}-{test.name}",
                 marks=pytest.mark.xdist_group(name_of(design)))  # it is built once
    for design, test in judged()
])
def test_passes(benches: Benches, built: Built, design: Path, test: GradedTest) -> None:
    benches(design.parent.name).run(test, built(design), STALL)


@pytest.mark.parametrize("design", DESIGNS, ids=map(name_of, DESIGNS))
def test_a_design_is_of_some_program(design: Path) -> None:
    assert programs_of(design)


@pytest.mark.parametrize("lab", LABS_THERE)
def test_a_whole_submission_gets_all_points(tmp_path: Path, lab: str) -> None:
    """Programs of other designs, in folders below, with a Makefile of its own."""
    submission, out = tmp_path / "submission", tmp_path / "out"
    shutil.copytree(LABS / lab, submission / "own",
                    ignore=shutil.ignore_patterns(*PROGRAMS[lab]))
    shutil.copytree(CORRECT / lab, submission / "others")
    designs = {name: design.name for design in DESIGNS if design.parent.name == lab
               for name in programs_of(design)}
    others = "".join(
        f"\t$(CC) -std=gnu11 -O2 -pthread -Iothers -o {name} others/{design}/{name}.c\n"
        for name, design in designs.items())
    own = " ".join(f"own/{name}" for name in PROGRAMS[lab] if name not in designs)
    copy = f"\t$(MAKE) -C own\n\tcp {own} .\n" if own else ""
    (submission / "Makefile").write_text(f"all:\n{others}{copy}")
    done = subprocess.run([HARNESS / "grade", lab, "-s", submission, "-o", out],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = json.loads((out / "results.json").read_text())["tests"]
    assert len(tests) == len(TESTS[lab])
    assert all(test["score"] == test["max_score"] for test in tests)
