"""Runs the graded tests of a lab in this process, on programs that are made here."""

from __future__ import annotations

import enum
import importlib.util
import itertools
import os
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Iterable, NamedTuple, Optional, Sequence

import pytest
from known_wrong import CORRECT, KnownWrong

from labkit.build import PROGRAMS
from labkit.capture import FEW, MANY
from labkit.diagnosis import diagnosed
from labkit.feedback import Mismatch
from labkit.grading import hosts_of, judged, test_files
from labkit.paths import LABS
from labkit.scenario import Scenario

STALL = 0.4
"""Seconds; shorter than in grading: here nearly every program is known to stand still."""
WAITING_STALL = 0.8
"""Seconds; more than a program waits that takes the usual time, 500 ms, for the one it is told."""
LABS_THERE = [lab for lab in PROGRAMS if (LABS / lab).is_dir()]


class GradedTest(NamedTuple):
    """One graded test, with the values of one parametrisation."""

    name: str
    function: Callable[..., None]
    values: dict[str, Any]
    step: int
    programs: tuple[str, ...]
    hosts: int
    calls: bool
    """The programs' system calls are recorded in it."""
    many_packets: bool
    """Its trace needs a greater buffer (labkit.grading.many_packets)."""
    reason: Optional[str]
    """Why it is there though others find all that it finds, where it says so (labkit.reasons)."""

    def run(self, lab: Scenario) -> None:
        """Raises Mismatch where the programs of LAB fail."""
        self.function(lab, **self.values)


def graded_tests(lab: str) -> dict[str, GradedTest]:
    """By name, as pytest writes it: LAB's graded tests."""
    tests: dict[str, GradedTest] = {}
    for file in test_files(lab):
        for name, function in vars(_load(file)).items():
            for test in _variants(function) if name.startswith("test_") else ():
                if test.name in tests:
                    raise ValueError(f"{file.name}: there is another {test.name}")
                tests[test.name] = test
    return tests


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"graded_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _variants(function: Callable[..., None]) -> Iterable[GradedTest]:
    marks = getattr(function, "pytestmark")
    [how] = [mark.kwargs for mark in marks if mark.name == "graded"]
    axes = [_axis(*mark.args, **mark.kwargs) for mark in marks if mark.name == "parametrize"]
    for chosen in itertools.product(*axes):
        values = {name: value for _, named in chosen for name, value in named.items()}
        ids = "-".join(key for key, _ in chosen)
        name = f"{function.__name__}[{ids}]" if ids else function.__name__
        found = judged(how, values)
        names = {mark.name for mark in marks}
        [reason] = [mark.args[0] for mark in marks if mark.name == "because"] or [None]
        yield GradedTest(name, function, values, found.step, found.programs, hosts_of(how),
                         "no_calls" not in names, "many_packets" in names, reason)


def _axis(
    arguments: Any, rows: Iterable[Any], ids: Any = None
) -> list[tuple[str, dict[str, Any]]]:
    """What pytest.mark.parametrize has of one decorator: ids, and values by argument."""
    names = [a.strip() for a in arguments.split(",")] if isinstance(arguments, str) else arguments
    axis = []
    for number, row in enumerate(rows):
        values = [row] if len(names) == 1 else list(row)
        words = [_id(name, number, value) for name, value in zip(names, values)]
        axis.append(("-".join(words) if ids is None else ids[number], dict(zip(names, values))))
    if len({key for key, _ in axis}) < len(axis):
        raise ValueError(f"parametrize({arguments!r}): give ids of which no two are equal")
    return axis


def _id(argument: str, number: int, value: Any) -> str:
    """What pytest calls a VALUE that has no id."""
    if isinstance(value, str):
        return value.encode("unicode_escape").decode("ascii")
    if value is None or isinstance(value, (int, float, enum.Enum)):
        return str(value)
    return f"{argument}{number}"


class Workbench:
    """LAB's programs built below WORK, a sandbox.workspace(), and graded tests run on them.

    A program is linked with those modules (the C files of the lab that are no programs)
    that it needs, as the linker finds out.
    """

    def __init__(self, work: Path, lab: str) -> None:
        self.work = work
        self.lab = lab
        self._objects = self.folder("objects")
        self.reference = self.folder("reference")
        sources = sorted((LABS / lab).glob("*.c"))
        self.programs = [file.stem for file in sources if file.stem in PROGRAMS[lab]]
        """Those of the lab's table whose sources are there."""
        for file in sources:
            self._compile(file, self._objects)
        self._library = self._objects / "modules.a"
        """The lab's modules, of which the linker takes only what a program needs."""
        run("ar", "rcs", self._library, *(self._objects / f"{file.stem}.o" for file in sources
                                          if file.stem not in self.programs))
        self._modules: dict[str, set[str]] = {}
        """Of each program the object files of the modules that it needs."""
        for program in self.programs:
            link_map = self._objects / f"{program}.map"
            self._link(self.reference / program, f"-Wl,-Map={link_map}",
                       self._objects / f"{program}.o")
            self._modules[program] = set(re.findall(r"modules\.a\(([^)]+)\)",
                                                    link_map.read_text()))

    def folder(self, name: str) -> Path:
        """A new folder NAME that a sandbox can show."""
        folder = self.work / name
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    def variant(
        self, name: str, programs: Sequence[str], file: str, source: str, *options: str
    ) -> Path:
        """A new folder NAME: the lab's programs, and PROGRAMS with SOURCE as FILE instead.

        FILE is a program's own C file or a module's; OPTIONS are for compiling it.
        """
        folder = self.folder(name)
        for path in self.reference.iterdir():
            if path.name not in programs:
                os.link(path, folder / path.name)
        (folder / file).write_text(source)
        self._compile(folder / file, folder, *options)
        changed = folder / file.replace(".c", ".o")
        for program in programs:
            own = self._objects / f"{program}.o"
            objects = [changed] if changed.name == own.name else [own]
            self._link(folder / program, *objects,
                       *([changed] if changed.name in self._modules[program] else []))
        return folder

    def wrong(self, program: KnownWrong) -> Path:
        """A new folder with the lab's programs, of which PROGRAM has its fault."""
        return self.variant(program.name, [program.program], program.file_name,
                            program.source_in(self.lab), "-w", f"-I{CORRECT / self.lab}")

    def run(
        self, test: GradedTest, folder: Path, stall: float = STALL, calls: bool = False
    ) -> None:
        """Runs TEST on the programs in FOLDER, as pytest would. Raises what it raises.

        A Mismatch has the cause that the plugin would give it.
        calls: their system calls are recorded, where TEST has them recorded in grading.
        """
        trace = folder / f"{test.name}.pcapng"
        lab = Scenario(self.work, lambda name: folder / name, trace, hosts=test.hosts,
                       calls=trace.with_suffix(".calls") if calls and test.calls else None,
                       buffer=MANY if test.many_packets else FEW)
        lab.stall = stall
        try:
            test.run(lab)
        except Mismatch as mismatch:
            raise diagnosed(lab, self.lab, mismatch)
        finally:
            lab.close()

    def catches(self, test: GradedTest, folder: Path) -> bool:
        """Whether TEST finds the programs in FOLDER wrong."""
        try:
            self.run(test, folder)
        except Mismatch:
            return True
        return False

    def _compile(self, file: Path, into: Path, *options: str) -> None:
        run("cc", "-std=gnu11", "-pthread", f"-iquote{LABS / self.lab}", *options,
            "-c", "-o", into / f"{file.stem}.o", file)

    def _link(self, program: Path, *objects: object) -> None:
        """Makes PROGRAM of OBJECTS, and of the lab's modules for what these have not."""
        run("cc", "-pthread", "-o", program, *objects, self._library)


def stall_for(wrong: KnownWrong) -> float:
    """Seconds without a sign of life, after which the program WRONG never goes on."""
    return WAITING_STALL if wrong.cause == "wrong-timeout" else STALL


Benches = Callable[[str], Workbench]
"""A lab's workbench, made when it is first asked for: what the fixture `benches` gives."""


World = Callable[..., Scenario]
"""What the fixture `world` gives: makes a scenario with small programs of a test's own."""
recorded_too = pytest.mark.parametrize("world", [False, True], indirect=True,
                                       ids=["unrecorded", "recorded"])
"""What such a test finds is so also while the programs' system calls are recorded."""


def compile_c(source: str, program: Path) -> None:
    """Compiles SOURCE, a C file's text, to PROGRAM, beside which its source then lies."""
    file = program.with_suffix(".c")
    file.write_text(source)
    run("cc", "-std=gnu11", "-Wall", "-Werror", "-pthread", "-o", program, file)


def run(*command: object) -> None:
    """Runs COMMAND, which must succeed."""
    subprocess.run([str(word) for word in command], check=True)
