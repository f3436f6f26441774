"""A copy of the harness with labs and graded tests of our own, which need no network."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Sequence

HARNESS = Path(__file__).resolve().parent.parent
MAKEFILE = HARNESS.parent / "labs" / "01-tcp-echo" / "Makefile"
PROGRAM = "int main(void) { return 0; }\n"

HEAD = '''
import os
import pytest
from labkit.feedback import HarnessError, Mismatch
from labkit.grading import graded
LAB = "01-tcp-echo"
'''


class SmallSuite:
    """The copy; labcap, labwire and labhost in it are stubs."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.harness = top / "harness"
        self.out = top / "out" / "grade"
        compileall.compile_dir(HARNESS / "labkit", quiet=1)  # once, and not in each copy
        shutil.copytree(HARNESS / "labkit", self.harness / "labkit")
        for name in ("grade", "flake", "command", "python", "pytest.ini", "conftest.py"):
            shutil.copy2(HARNESS / name, self.harness)
        for stub in ("labcap/labcap", "labwire/labwire", "labbox/labhost"):
            path = self.harness / stub
            path.parent.mkdir(exist_ok=True)
            path.write_text("#!/bin/sh\n")
            path.chmod(0o755)
        shutil.copy2(HARNESS / "labbox" / "labinit", self.harness / "labbox")
        (self.harness / "tests").mkdir()
        lab = top / "labs" / "01-tcp-echo"
        lab.mkdir(parents=True)
        shutil.copy(MAKEFILE, lab)
        for name in ("server", "client"):
            (lab / f"{name}.c").write_text(PROGRAM)

    def tests(self, text: str) -> None:
        """The graded tests are what TEXT defines, after the usual imports and LAB."""
        (self.harness / "tests" / "test_01_small.py").write_text(HEAD + text)

    def submission(self, **files: str) -> Path:
        """A folder with FILES, each NAME=text being NAME.c."""
        folder = self.top / "submission"
        folder.mkdir()
        for name, text in files.items():
            (folder / f"{name}.c").write_text(text)
        return folder

    def grade(self, *args: str, before: Sequence[str] = (), **settings: Any) -> "Grade":
        """Runs harness/grade ARGS in the top folder; BEFORE: words before the command."""
        settings = {"cwd": self.top, "stdin": subprocess.DEVNULL, **settings}
        command = [*before, str(self.harness / "grade"), *args]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **settings)
        return Grade(done, self)

    def results(self) -> dict[str, Any]:
        """What the last run wrote."""
        data: dict[str, Any] = json.loads((self.out / "results.json").read_text("utf-8"))
        return data

    def verdicts(self) -> dict[str, Any]:
        """The same without what differs between equal runs."""
        return {key: value for key, value in self.results().items() if key != "execution_time"}

    def pytest(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Runs plain pytest with ARGS in the top folder."""
        command = [str(self.harness / "python"), "-m", "pytest", *args]
        return subprocess.run(command, cwd=self.top, capture_output=True, text=True, check=False)


class Grade:
    """What one harness/grade came to."""

    def __init__(self, done: subprocess.CompletedProcess[str], suite: SmallSuite) -> None:
        self.status = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr
        self._suite = suite

    @property
    def results(self) -> dict[str, Any]:
        return self._suite.results()

    @property
    def by_name(self) -> dict[str, dict[str, Any]]:
        """Each test of the results by the end of its command, which is its name."""
        return {test["extra_data"]["command"].rsplit(" ", 1)[1]: test
                for test in self.results["tests"]}

    def complaint(self) -> str:
        """The one line that the command said, and nothing else."""
        assert self.stdout == ""
        assert self.stderr.count("\n") == 1 and self.stderr.startswith("grade: "), self.stderr
        return self.stderr


def private_mount(script: str) -> list[str]:
    """Words before a command that mount, for it alone, what SCRIPT says."""
    return ["unshare", "-Urm", "sh", "-ec", f'{script}\nexec "$@"', "sh"]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Every path below FOLDER with its mode and time of change."""
    return {os.path.join(path, name): (status.st_mode, status.st_mtime_ns)
            for path, folders, files in os.walk(folder) for name in (*folders, *files)
            for status in [os.lstat(os.path.join(path, name))]}
