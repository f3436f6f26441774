"""The root Makefile hands a user's values on as they were typed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).resolve().parent.parent.parent / "Makefile"
AWKWARD = "a \"b' $HOME $(shell touch made) `touch shelled`; touch run *  #c\\"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder with the Makefile and stubs that do nothing but grade, which tells."""
    shutil.copy(MAKEFILE, tmp_path)
    for part in ("labcap", "labwire", "labbox"):
        (tmp_path / "harness" / part).mkdir(parents=True)
        (tmp_path / "harness" / part / "Makefile").write_text("all:\n")
    for name, body in (
        ("setup", ""),
        ("grade", r'printf "%s\n" "$@"; env | grep -E "^(MAKE|LAB|SUBMISSION|OUT)"; exit 1'),
        ("command", r'printf "%s\n" "$@"'),
    ):
        script = tmp_path / "harness" / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    return tmp_path


def graded(suite: Path, *values: str, **environment: str) -> list[str]:
    """What 'make grade VALUES' gives to harness/grade, then what of it is left in its environment.

    make ends with 2 when grade does not end with 0.
    """
    result = subprocess.run(["make", "grade", *values], cwd=suite, capture_output=True, text=True,
                            env={"PATH": "/usr/bin:/bin", "HOME": "/", **environment})
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stdout.splitlines()


def test_grade_without_values_gives_no_argument(suite: Path) -> None:
    assert graded(suite) == [""]


def test_values_from_the_command_line_arrive_as_typed(suite: Path) -> None:
    seen = graded(suite, f"SUBMISSION={AWKWARD}", f"OUT={AWKWARD}x", "LAB=01")
    assert seen == ["-s", AWKWARD, "-o", AWKWARD + "x", "01"]
    assert not [name for name in ("made", "shelled", "run") if (suite / name).exists()]


def test_values_from_the_environment_arrive_as_they_are(suite: Path) -> None:
    assert graded(suite, SUBMISSION=AWKWARD, LAB="01") == ["-s", AWKWARD, "01"]


def test_an_empty_submission_is_not_taken_for_none(suite: Path) -> None:
    assert graded(suite, "SUBMISSION=") == ["-s", ""]


def test_what_is_packed_for_gradescope_is_named_as_typed(suite: Path) -> None:
    done = subprocess.run(["make", "gradescope", f"OUT={AWKWARD}", "LAB=01"], cwd=suite, text=True,
                          capture_output=True, env={"PATH": "/usr/bin:/bin", "HOME": "/"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["labkit.gradescope.pack", "-o", AWKWARD, "01"]
