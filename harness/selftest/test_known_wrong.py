"""Known-wrong programs fail, in the graded test that is about their fault, with its cause."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from known_wrong import KnownWrong, of_every_lab
from known_wrong.where import WHERE
from workbench import LABS_THERE, Benches, graded_tests, stall_for

from labkit.causes import CAUSES, NOT_THERE
from labkit.feedback import Mismatch
from labkit.paths import HARNESS, LABS

TESTS = {lab: graded_tests(lab) for lab in LABS_THERE}
KNOWN_WRONG = of_every_lab()


@pytest.mark.parametrize("lab, wrong", KNOWN_WRONG,
                         ids=[f"{lab[:2]}-{wrong.name}" for lab, wrong in KNOWN_WRONG])
def test_is_caught_with_its_cause(benches: Benches, lab: str, wrong: KnownWrong) -> None:
    bench = benches(lab)
    folder = bench.wrong(wrong)
    with pytest.raises(Mismatch) as caught:
        bench.run(TESTS[lab][wrong.killed_by], folder, stall_for(wrong), calls=True)
    assert caught.value.cause == wrong.cause, caught.value.text()


@pytest.mark.parametrize(
    "name", ["server-linger-0", "server-sends-its-whole-buffer", "client-never-half-closes"]
)
def test_is_told_to_the_student(tmp_path: Path, name: str) -> None:
    """The same through harness/grade: exit status 1, and the cause in results.json."""
    lab, wrong = next((lab, wrong) for lab, wrong in KNOWN_WRONG if wrong.name == name)
    submission, out = tmp_path / "submission", tmp_path / "out"
    shutil.copytree(LABS / lab, submission)
    (submission / wrong.file_name).write_text(wrong.source_in(lab))
    done = subprocess.run(
        [HARNESS / "grade", lab, "-s", submission, "-o", out, "-k", wrong.killed_by],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    [result] = json.loads((out / "results.json").read_text())["tests"]
    assert (result["status"], result["score"]) == ("failed", 0)
    assert result["extra_data"]["cause"] == wrong.cause
    assert (out / result["extra_data"]["trace"]).is_file()


def test_names_are_unique() -> None:
    assert len({(lab, wrong.name) for lab, wrong in KNOWN_WRONG}) == len(KNOWN_WRONG)


def test_every_fault_is_known_in_every_program_where_it_makes_sense() -> None:
    known = {(wrong.cause, f"{lab[:2]} {wrong.program}") for lab, wrong in KNOWN_WRONG}
    assert WHERE.keys() <= CAUSES.keys()
    assert [(cause, program) for cause, programs in WHERE.items() for program in programs
            if (cause, program) not in known] == []


def test_every_cause_is_told_of_some_program() -> None:
    about_other_programs = {"connection-refused", "flood"}  # the latter in test_datagrams.py
    told = {wrong.cause for _, wrong in KNOWN_WRONG}
    assert told == CAUSES.keys() - about_other_programs - {*NOT_THERE}
