"""Which test judges which step of a lab, and for how many points."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence, TypeVar, Union

import pytest

from labkit.feedback import HarnessError
from labkit.paths import HARNESS
from labkit.reasons import because

Test = TypeVar("Test", bound=Callable[..., Any])

PerProgram = Union[int, Mapping[str, int]]
"""A number, or one for each program by name."""

TRACE_NAME = re.compile(r"\d\d-\d\d-test_[\w.-]+\.(pcapng|calls)", re.ASCII)
"""Names of the traces and logs that graded tests write, and nobody else."""


HIDDEN, VISIBLE = "hidden", "visible"
VISIBILITIES = (HIDDEN, "after_due_date", "after_published", VISIBLE)
"""When students may see a test, in Gradescope's words; the first is never."""


def graded(
    *, step: PerProgram, points: PerProgram, programs: Sequence[str] = (), hosts: int = 1,
    visibility: str = VISIBLE,
) -> Callable[[Test], Test]:
    """Marks a test as the judge of STEP, worth POINTS, of the submission's PROGRAMS.

    One rule for several programs is a test that is parametrised over an argument called
    `program`: then STEP and POINTS may be one number for each of them, by name, and the
    program need not be in PROGRAMS, which are those besides it. The module says which lab
    it is in its constant LAB; the first line of the test's docstring is its title.
    hosts: 1 or 2, which a link joins then (see PrivateNetwork).
    visibility: one of VISIBILITIES, where no instructor's rule says another.
    """
    return pytest.mark.graded(step=step, points=points, programs=tuple(programs), hosts=hosts,
                              visibility=visibility)


def graded_each(
    programs: Sequence[str], *, step: PerProgram, points: PerProgram, hosts: int = 1,
    visibility: str = VISIBLE,
) -> Callable[[Test], Test]:
    """One rule for each of PROGRAMS: a test with an argument `program`; else as graded()."""
    def mark(test: Test) -> Test:
        for_each: Test = pytest.mark.parametrize("program", programs, ids=programs)(test)
        return graded(step=step, points=points, hosts=hosts, visibility=visibility)(for_each)

    return mark


def no_calls(why: str) -> Callable[[Test], Test]:
    """The system calls of a graded test's programs are not recorded, and WHY, in a line."""
    return pytest.mark.no_calls(why)


counts_waking = no_calls("this test counts how often a program runs while it waits")
"""Marks a test with expect_idle(): each recorded call would wake the program once more."""
makes_many_calls = no_calls("there are too many: to record them takes longer than the test")
"""Marks a test whose programs make tens of thousands of calls."""


half_written = because("a program that is written up to this step, and no further, passes it")
"""Marks a test of what a program can do before most of its steps are written."""


def first(test: Test) -> Test:
    """Marks one of the first tests of a program, the first of those that a graded test names.

    They run before all others, and show how far the program gets at all: labkit.scenario.reach.
    Each program has two, or more, that begin it in different ways and have it say something.
    Where a test is there for several values, it is one of them with the first of these.
    """
    marked: Test = pytest.mark.first(test)
    return marked


def is_first(item: pytest.Item) -> bool:
    """Whether ITEM is one of the first tests of its program."""
    callspec = getattr(item, "callspec", None)
    values = {} if callspec is None else callspec.indices
    return item.get_closest_marker("first") is not None and not any(
        number for name, number in values.items() if name != "program")


def many_packets(test: Test) -> Test:
    """Marks a graded test whose trace has more packets than FEW_PACKETS of labkit.capture."""
    marked: Test = pytest.mark.many_packets(test)
    return marked


def takes(seconds: float) -> Callable[[Test], Test]:
    """Says that a graded test takes SECONDS, 2 or more, though nothing goes wrong in it.

    Such tests are begun first, so that in the end nobody waits for one of them alone.
    """
    return pytest.mark.takes(seconds)


def seconds_of(item: pytest.Item) -> float:
    """What takes() says of ITEM; 0 for most tests."""
    mark = item.get_closest_marker("takes")
    return 0.0 if mark is None else float(mark.args[0])


class Judged(NamedTuple):
    """What one graded test judges."""

    step: int
    points: int
    programs: tuple[str, ...]


def judged(mark: Mapping[str, Any], values: Mapping[str, Any]) -> Judged:
    """What a test with graded(**MARK) judges.

    values: those of its arguments, where it is parametrised. Raises HarnessError.
    """
    programs, program = tuple(mark["programs"]), values.get("program")
    if program is not None:
        programs = tuple(dict.fromkeys((program, *programs)))
    if not programs:
        raise HarnessError("a graded test names its programs, or has an argument `program`")
    return Judged(_for_program(mark, "step", program), _for_program(mark, "points", program),
                  programs)


def hosts_of(mark: Mapping[str, Any]) -> int:
    """How many hosts a test with graded(**MARK) has."""
    return int(mark["hosts"])


def _for_program(mark: Mapping[str, Any], what: str, program: Optional[str]) -> int:
    number = mark[what]
    if isinstance(number, Mapping):
        if program not in number:
            raise HarnessError(f"a graded test tells no {what} for the program {program}")
        number = number[program]
    return int(number)


@dataclass(frozen=True)
class GradedTest:
    """A graded test, as far as it is known before it runs."""

    nodeid: str
    name: str
    """pytest's name, which selects it alone."""
    lab: str
    step: int
    points: int
    programs: tuple[str, ...]
    title: str
    trace_name: str
    no_calls: Optional[str] = None
    """Why its programs' system calls are not recorded, where they are not to be."""
    visibility: str = VISIBLE
    """What the test itself says of it."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> GradedTest:
        data = {**data, "programs": tuple(data["programs"])}
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    @property
    def handout(self) -> str:
        place = f"step {self.step}" if self.step else "the rules of section 'Goal'"
        return f"labs/{self.lab}/README.md, {place}"


def graded_test(item: pytest.Item) -> Optional[GradedTest]:
    """What ITEM's marker and docstring say; None for a test that is not graded."""
    if _GRADED not in item.stash:  # it is asked for many times
        item.stash[_GRADED] = _graded_test(item)
    return item.stash[_GRADED]


_GRADED = pytest.StashKey[Optional[GradedTest]]()


def _graded_test(item: pytest.Item) -> Optional[GradedTest]:
    marker = item.get_closest_marker("graded")
    if marker is None:
        return None
    lab = getattr(item.module, "LAB")  # type: ignore[attr-defined]
    callspec = getattr(item, "callspec", None)
    unrecorded = item.get_closest_marker("no_calls")
    try:
        found = judged(marker.kwargs, {} if callspec is None else callspec.params)
    except HarnessError as error:
        raise pytest.UsageError(f"{item.nodeid}: {error}") from None
    return GradedTest(
        nodeid=item.nodeid,
        name=item.name,
        lab=lab,
        step=found.step,
        points=found.points,
        programs=found.programs,
        title=_title(item),
        trace_name=f"{lab[:2]}-{found.step:02}-{_file_name(item.name)}.pcapng",
        no_calls=None if unrecorded is None else unrecorded.args[0],
        visibility=_visibility(marker.kwargs, item),
    )


def _visibility(mark: Mapping[str, Any], item: pytest.Item) -> str:
    visibility = str(mark["visibility"])
    if visibility not in VISIBILITIES:
        raise pytest.UsageError(f"{item.nodeid}: {visibility!r} is none of {VISIBILITIES}")
    return visibility


def test_files(lab: str) -> list[Path]:
    """The files with LAB's graded tests."""
    return sorted((HARNESS / "tests").glob(f"test_{lab[:2]}_*.py"))


def attach(item: pytest.Item, what: str, value: object) -> None:
    """Notes VALUE as the WHAT of the test ITEM; as a text it travels with the test's reports.

    trace, calls: the file of that. no_calls: why there is no log of system calls.
    """
    item.user_properties.append((what, str(value)))


def step_keyword(step: int) -> str:
    """What '-k step_3' is turned into: no part of 'step_30'."""
    return f"step_{step}_"


def exact_steps(expression: str) -> str:
    """The -k EXPRESSION with each step_N meaning that step only, not step_N0 too."""
    return re.sub(r"\bstep_(\d+)\b", lambda m: step_keyword(int(m.group(1))), expression)


def _title(item: pytest.Item) -> str:
    doc: Optional[str] = getattr(item, "obj").__doc__
    title = doc.strip().split("\n")[0] if doc and doc.strip() else ""
    title = title or item.name.split("[")[0].replace("test_", "", 1).replace("_", " ")
    callspec = getattr(item, "callspec", None)
    return f"{title} [{callspec.id}]" if callspec is not None else title


def _file_name(name: str) -> str:
    """NAME in letters that any file system takes; different names stay different."""
    simple = re.fullmatch(r"(\w+)(?:\[([\w.-]+)\])?", name, re.ASCII)
    if simple is not None and len(name) <= 120:
        return "-".join(part for part in simple.groups() if part)
    plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII)[:120].strip("-")
    return f"{plain}-{zlib.crc32(name.encode(errors='replace')):08x}"
