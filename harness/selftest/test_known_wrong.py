"""Known-wrong programs fail, in the graded test that is about their fault, with its cause."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from known_wrong import KnownWrong
from known_wrong.lab_01_tcp_echo import KNOWN_WRONG
from workbench import STALL, Workbench, graded_tests

from labkit.feedback import CAUSES, Mismatch
from labkit.paths import HARNESS, LABS

LAB = "01-tcp-echo"
TESTS = graded_tests("test_01_tcp_echo.py")
CORRECT = Path(__file__).parent / "correct" / LAB


def source_of(wrong: KnownWrong) -> str:
    if not wrong.base:
        return wrong.source((LABS / LAB / f"{wrong.program}.c").read_text())
    return wrong.source((CORRECT / wrong.base / f"{wrong.program}.c").read_text())


def stall_for(wrong: KnownWrong) -> float:
    """Left-over processes are counted a second after the program's end, not before."""
    return 1.5 if wrong.cause == "left-over-process" else STALL


@pytest.mark.parametrize("wrong", KNOWN_WRONG, ids=[wrong.name for wrong in KNOWN_WRONG])
def test_is_caught_with_its_cause(bench: Workbench, wrong: KnownWrong) -> None:
    folder = bench.variant(wrong.name, wrong.program, source_of(wrong),
                           "-w", f"-I{CORRECT}")
    with pytest.raises(Mismatch) as caught:
        bench.run(TESTS[wrong.killed_by], folder, stall_for(wrong))
    assert caught.value.cause == wrong.cause, caught.value.text()


@pytest.mark.parametrize(
    "name", ["server-linger-0", "server-sends-its-whole-buffer", "client-never-half-closes"]
)
def test_is_told_to_the_student(tmp_path: Path, name: str) -> None:
    """The same through harness/grade: exit status 1, and the cause in results.json."""
    wrong = next(wrong for wrong in KNOWN_WRONG if wrong.name == name)
    submission, out = tmp_path / "submission", tmp_path / "out"
    shutil.copytree(LABS / LAB, submission)
    (submission / f"{wrong.program}.c").write_text(source_of(wrong))
    done = subprocess.run(
        [HARNESS / "grade", "01", "-s", submission, "-o", out, "-k", wrong.killed_by],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    [result] = json.loads((out / "results.json").read_text())["tests"]
    assert (result["status"], result["score"]) == ("failed", 0)
    assert result["extra_data"]["cause"] == wrong.cause
    assert (out / result["extra_data"]["trace"]).is_file()


def test_names_are_unique() -> None:
    assert len({wrong.name for wrong in KNOWN_WRONG}) == len(KNOWN_WRONG)


def test_every_cause_is_told_of_some_program() -> None:
    about_other_programs = {"idle-client-blocks", "connection-refused"}
    about_no_program = {"not-built", "program-missing", "other"}
    told = {wrong.cause for wrong in KNOWN_WRONG}
    assert told == CAUSES.keys() - about_other_programs - about_no_program
