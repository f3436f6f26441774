#!/usr/bin/env python3
"""Classroom 50's autograder of one lab: goes to CLASSROOM/autograders/ASSIGNMENT/autograder.py.

Beside it lies suite/, the unpacked zip of 'make gradescope LAB=...'; docs/grading-a-class.md
tells how. Classroom 50's runner calls it in the student's checkout and reads ./result.json.
Where the grader itself fails there is none and the exit status is 3: then Classroom 50 notes
an error, not a score.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LAB = "01"
"""Which lab the assignment is."""
HIDDEN: list[str] = []
"""Tests that students do not see: a name, with * and ?, step_12 or a program for each."""
SUITE = Path(os.environ.get("LAB_SUITE") or Path(__file__).resolve().parent / "suite")
RESULT = Path("result.json")


def main() -> int:
    """Installs what is missing, grades, and returns the exit status."""
    RESULT.unlink(missing_ok=True)  # what the student has committed is no result
    setup = SUITE / "setup.sh"
    if setup.exists() and subprocess.run(["sh", str(setup)], check=False).returncode != 0:
        return 3
    with tempfile.TemporaryDirectory() as out:
        command = [str(SUITE / "harness" / "grade"), LAB, "-s", ".", "-o", out, "--classroom50",
                   "--for-students"]  # who read this log
        command += [f"--hidden={pattern}" for pattern in HIDDEN]
        status = subprocess.run(command, check=False).returncode
        if status not in (0, 1):
            return 3
        shutil.copyfile(Path(out) / RESULT, RESULT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
