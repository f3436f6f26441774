"""Runs the graded tests of a lab in this process, on programs that are made here."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Iterable, NamedTuple

from labkit.feedback import Mismatch
from labkit.paths import HARNESS, LABS
from labkit.scenario import Scenario

STALL = 0.4
"""Seconds; shorter than in grading: here nearly every program is known to stand still."""


class GradedTest(NamedTuple):
    """One graded test, with the values of one parametrisation."""

    name: str
    function: Callable[..., None]
    values: dict[str, Any]
    step: int
    programs: tuple[str, ...]

    def run(self, lab: Scenario) -> None:
        """Raises Mismatch where the programs of LAB fail."""
        self.function(lab, **self.values)


def graded_tests(file_name: str) -> dict[str, GradedTest]:
    """By name, with parametrisation ids as pytest writes them: what is in tests/FILE_NAME."""
    module = _load(HARNESS / "tests" / file_name)
    functions = [value for name, value in vars(module).items() if name.startswith("test_")]
    return {test.name: test for function in functions for test in _variants(function)}


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"graded_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _variants(function: Callable[..., None]) -> Iterable[GradedTest]:
    marks = {mark.name: mark for mark in getattr(function, "pytestmark")}
    how = marks["graded"].kwargs
    name, step, programs = function.__name__, how["step"], how["programs"]
    if "parametrize" not in marks:
        return [GradedTest(name, function, {}, step, programs)]
    argument, values = marks["parametrize"].args
    return [GradedTest(f"{name}[{key}]", function, {argument: value}, step, programs)
            for key, value in zip(marks["parametrize"].kwargs["ids"], values)]


class Workbench:
    """Programs built below WORK, a sandbox.workspace(), and graded tests run on them."""

    def __init__(self, work: Path, lab: str) -> None:
        self.work = work
        self.lab = lab
        self.reference = self.folder("reference")
        for source in (LABS / lab).glob("*.c"):
            compile_c(source.read_text(), self.reference / source.stem)

    def folder(self, name: str) -> Path:
        """A new folder NAME that a sandbox can show."""
        folder = self.work / name
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    def variant(self, name: str, program: str, source: str, *options: str) -> Path:
        """A new folder NAME: the reference programs, and PROGRAM compiled from SOURCE instead."""
        folder = self.folder(name)
        for path in self.reference.iterdir():
            if path.suffix == "" and path.name != program:
                shutil.copy2(path, folder)
        compile_c(source, folder / program, *options)
        return folder

    def run(self, test: GradedTest, folder: Path, stall: float = STALL) -> None:
        """Runs TEST on the programs in FOLDER, as pytest would. Raises what it raises."""
        lab = Scenario(self.work, lambda name: folder / name, folder / f"{test.name}.pcapng")
        lab.stall = stall
        try:
            test.run(lab)
        finally:
            lab.close()

    def catches(self, test: GradedTest, folder: Path) -> bool:
        """Whether TEST finds the programs in FOLDER wrong."""
        try:
            self.run(test, folder)
        except Mismatch:
            return True
        return False


def compile_c(source: str, program: Path, *options: str) -> None:
    """Compiles SOURCE, a C file's text, to PROGRAM; its source lies beside it then."""
    file = program.with_suffix(".c")
    file.write_text(source)
    subprocess.run(["cc", "-std=gnu11", *options, "-o", str(program), str(file)], check=True)
