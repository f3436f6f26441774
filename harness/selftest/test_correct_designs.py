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
from workbench import GradedTest, Workbench, graded_tests

from labkit.build import build
from labkit.paths import HARNESS, LABS
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


def test_a_whole_submission_gets_all_points(tmp_path: Path) -> None:
    """A server and a client of other designs, with a Makefile of their own."""
    submission, out = tmp_path / "submission", tmp_path / "out"
    submission.mkdir()
    submission_of("client_epoll", submission)
    shutil.copytree(CORRECT / "server_thread", submission, dirs_exist_ok=True)
    done = subprocess.run([HARNESS / "grade", "01", "-s", submission, "-o", out],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = json.loads((out / "results.json").read_text())["tests"]
    assert len(tests) == len(TESTS)
    assert all(test["score"] == test["max_score"] for test in tests)
