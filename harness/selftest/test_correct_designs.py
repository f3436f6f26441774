"""Correct programs of other designs than the lab's own pass every graded test of theirs.

What a submission does counts, never how its source is written.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbench import GradedTest, Workbench, graded_tests

from labkit.build import build
from labkit.paths import LABS
from labkit.scenario import STALL

LAB = "01-tcp-echo"
TESTS = graded_tests("test_01_tcp_echo.py").values()
CORRECT = Path(__file__).parent / "correct" / LAB
DESIGNS = sorted(folder.name for folder in CORRECT.iterdir() if folder.is_dir())


def submission_of(design: str, folder: Path) -> Path:
    """Puts DESIGN into FOLDER, with the lab's own source for the other program."""
    for source in (LABS / LAB).glob("*.c"):
        shutil.copy(source, folder)
    for source in (*CORRECT.glob("*.h"), *(CORRECT / design).iterdir()):
        shutil.copy(source, folder)
    return folder


@pytest.fixture(scope="session")
def built(bench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder in which a design has been built, as grading builds a submission."""

    @functools.lru_cache(maxsize=None)
    def folder_of(design: str) -> Path:
        done = build(LAB, submission_of(design, tmp_path_factory.mktemp(design)),
                     bench.folder(f"build-{design}"), reference=False)
        assert done.ok and "warning" not in done.log, done.log
        return done.folder

    return folder_of


def judged() -> Iterator[tuple[str, GradedTest]]:
    """Each design with each test that judges it."""
    for design in DESIGNS:
        for test in TESTS:
            if design.split("_")[0] in test.programs:
                yield design, test


@pytest.mark.parametrize(
    "design, test", judged(), ids=[f"{design}-{test.name}" for design, test in judged()]
)
def test_passes(
    bench: Workbench, built: Callable[[str], Path], design: str, test: GradedTest
) -> None:
    bench.run(test, built(design), STALL)
