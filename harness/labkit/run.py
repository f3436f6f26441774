"""One run of graded tests: its builds, its folder OUT, its results.

The process that starts the tests owns a Run; the workers of pytest-xdist, and the
fixtures everywhere, have its Session only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Collection, Mapping, Optional, Sequence

from labkit import paths, sandbox, toolchain
from labkit.build import Build, build
from labkit.capture import Annotating
from labkit.diagnosis import first_causes
from labkit.feedback import HarnessError
from labkit.grading import TRACE_NAME, GradedTest
from labkit.outputs import classroom50, gradescope, junit
from labkit.outputs.visibility import Rule, useless, visibility_of
from labkit.outputs.whole import write_whole
from labkit.results import (
    ERROR, FAILED, JUNIT, NO_PROGRAM, PASSED, REPORT, RESULTS, Result, is_grade, replay_command,
)

if TYPE_CHECKING:
    from labkit.report.meanwhile import Meanwhile

SESSION = "labkit-session"
"""What pytest calls the Session, which is a plugin of it."""
DEFAULT_OUT = paths.OUT / "grade"


_RANK = {"": 0, PASSED: 1, FAILED: 2, ERROR: 3}
"""Of what the phases of a test say, the worst counts."""


class UsageProblem(Exception):
    """What was asked for makes no sense; the message is one line."""


@dataclass(frozen=True, eq=False)  # as a plugin of pytest it needs a hash
class Session:
    """What each test needs to know."""

    work: Path
    """A sandbox.workspace() with the builds in it."""
    traces: Path
    builds: dict[str, Build]
    reference: bool = False
    """It is the labs themselves that are graded."""
    never: dict[str, Mapping[str, Collection[str]]] = field(default_factory=dict)
    """For each lab what its programs never reach (Reach.never), once their first tests have run."""

    def to_json(self) -> str:
        return json.dumps({
            "work": str(self.work),
            "traces": str(self.traces),
            "builds": {lab: made.to_json() for lab, made in self.builds.items()},
            "reference": self.reference,
        })

    @classmethod
    def from_json(cls, text: str) -> Session:
        data = json.loads(text)
        builds = {lab: Build.from_json(made) for lab, made in data["builds"].items()}
        return cls(Path(data["work"]), Path(data["traces"]), builds, data["reference"])

    @property
    def items_file(self) -> Path:
        """Where workers leave which tests they found."""
        return self.work / "items.json"


class Run:
    """A run of LABS' tests on SUBMISSION (None: on the labs themselves), results in OUT."""

    def __init__(self, labs: Sequence[str], submission: Optional[Path], out: Path,
                 rules: Sequence[Rule] = (), owner: Optional[classroom50.Identity] = None) -> None:
        """RULES: an instructor's, on who sees which test. OWNER: of a result.json, if any."""
        self.labs = labs
        self.submission = submission
        self.out = out
        self._rules = rules
        self._owner = owner
        self._began = time.monotonic()
        self._opened = False
        self.session: Optional[Session] = None
        self.problem: Optional[str] = None
        """Why the run as a whole failed, in one line."""
        self.useless_rule = ""
        """Why one of RULES makes no sense, in one line, once the tests are known."""
        self.problems_beside_grade: list[str] = []
        """What could not be done, though the grade stands: a line each."""
        self._results: dict[str, Result] = {}
        self._ranks: dict[str, int] = {}
        self._crashed: set[str] = set()
        self._draws = False
        self._meanwhile: Optional[Meanwhile] = None
        self._numbers: dict[str, int] = {}
        """Of the tests on the page."""
        self._undo = contextlib.ExitStack()

    def open(self) -> Session:
        """Makes OUT ready and builds. Raises UsageProblem or HarnessError; close() undoes it."""
        self.open_out()
        try:
            work = self._undo.enter_context(sandbox.workspace())
        except OSError as error:
            raise HarnessError(_why("temporary files cannot be written", error)) from error
        sources = [self.submission or paths.LABS / lab for lab in self.labs]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            builds = dict(zip(self.labs, pool.map(
                build, self.labs, sources, repeat(work), repeat(self.submission is None))))
        for lab in self.labs:
            if not builds[lab].ok:
                toolchain.check(lab, work)
        self.session = Session(work, self.out / "traces", builds, self.submission is None)
        return self.session

    def draw_meanwhile(self) -> None:
        """Has evidence drawn while tests run, by a copy of this process, which has no threads."""
        self._draws = True

    def expect(self, tests: Sequence[GradedTest]) -> None:
        """TESTS will run, in this order."""
        self._results = {test.nodeid: self._results.get(test.nodeid) or self._blank(test)
                         for test in tests}

    def record(self, report: Any) -> None:
        """Takes in a pytest report of one phase (set-up, call, tear-down) of one test."""
        properties = dict(report.user_properties)
        if "graded" in properties:
            test = GradedTest.from_json(json.loads(properties["graded"]))
            self._take(self._results.setdefault(test.nodeid, self._blank(test)), report, properties)
            if report.when == "teardown" and self._draws:
                self._draw(test.nodeid)
        elif report.failed and report.when == "???":  # a worker of xdist is gone
            self._crashed.add(report.nodeid)

    def finish(self) -> list[Result]:
        """Writes OUT's files; returns the results. Raises HarnessError."""
        self._load_items()
        if self._crashed - self._results.keys():
            raise HarnessError("the grader's own process ended outside of any graded test")
        for nodeid in self._crashed & self._results.keys():
            result = self._results[nodeid]
            result.status, result.cause = ERROR, None
            result.output = "not graded: the grader's own process ended in this test"
            result.parts, result.packets = (), ""
        results = self._in_order()
        for result in results:
            result.visibility = visibility_of(result.test, self._rules)
        first_causes.settle(results)
        try:
            self._write(results)
        except OSError as error:
            raise HarnessError(_why(f"results cannot be written to {self.out}", error)) from error
        comments = Annotating([self.out / result.trace for result in results if result.trace])
        self._report(results)
        problem = comments.wait()
        if problem is not None:
            self.problems_beside_grade.append(f"traces without packet comments: {problem}")
        return results

    def check_rules(self, tests: Sequence[GradedTest]) -> None:
        """TESTS: all there are, of which perhaps some will run. Raises UsageProblem."""
        for rule in useless(self._rules, tests):
            self.useless_rule = f"no test is {rule.pattern!r}, which is to be {rule.visibility}"
            raise UsageProblem(self.useless_rule)

    def _write(self, results: Sequence[Result]) -> None:
        seconds = time.monotonic() - self._began
        write_whole(self.out / JUNIT, junit.document(results))
        if self._owner is not None and is_grade(results):
            write_whole(self.out / classroom50.RESULT, classroom50.document(results, self._owner))
        write_whole(self.out / RESULTS, gradescope.document(results, seconds))

    def _report(self, results: Sequence[Result]) -> None:
        try:
            from labkit.report.page import write_report  # what it needs may not be there

            write_report(results, self.out, self.submission.name if self.submission else None,
                         self._meanwhile)
        except Exception as error:
            self.problems_beside_grade.append(
                f"{REPORT} was not written: {type(error).__name__}: {error}")

    def _draw(self, nodeid: str) -> None:
        """The test NODEID has ended: its evidence may be drawn."""
        try:
            if self._meanwhile is None:
                from labkit.report.meanwhile import Meanwhile

                self._meanwhile = Meanwhile(self.out)
                self._undo.callback(self._meanwhile.close)
                self._numbers = {result.test.nodeid: number
                                 for number, result in enumerate(self._in_order())}
            self._meanwhile.take(self._numbers[nodeid], self._results[nodeid])
        except Exception:
            self._draws = False  # in the end all is drawn that is not yet

    def _in_order(self) -> list[Result]:
        """The results as they stand on the page and in the table."""
        return sorted(self._results.values(), key=lambda r: (r.test.lab, r.test.step))

    def close(self) -> None:
        """Removes what was only for this run."""
        self._undo.close()

    def exit_status(self, results: Sequence[Result]) -> int:
        """0 all passed, 1 some failed, 3 the grader failed."""
        statuses = {result.status for result in results}
        if ERROR in statuses or self.problem is not None:
            return 3
        return 1 if FAILED in statuses else 0

    def _blank(self, test: GradedTest) -> Result:
        return Result(test, no_calls=test.no_calls or NO_PROGRAM,
                      command=replay_command(test, self.submission))

    def _take(self, result: Result, report: Any, properties: dict[str, Any]) -> None:
        result.seconds += report.duration
        trace = properties.get("trace")
        if trace is not None and os.path.exists(trace):
            result.trace = os.path.relpath(trace, self.out)
        calls = properties.get("calls")
        if calls is not None and os.path.exists(calls):
            result.calls, result.no_calls = os.path.relpath(calls, self.out), None
        elif "no_calls" in properties:
            result.no_calls = properties["no_calls"]
        verdict = properties.get("verdict", "")
        if _RANK[verdict] <= self._ranks.get(result.test.nodeid, 0):
            return  # the first of two equal faults is the one to tell
        self._ranks[result.test.nodeid] = _RANK[verdict]
        result.status = verdict
        result.output = properties.get("feedback", "")
        result.cause = properties.get("cause")
        result.detail = properties.get("detail", "")
        result.parts = properties.get("parts", ())
        result.packets = properties.get("packets", "")
        result.judged = properties.get("judged", True)

    def _load_items(self) -> None:
        """Learns from the workers' file which tests there are, also those without a report."""
        assert self.session is not None
        with contextlib.suppress(FileNotFoundError):
            items = json.loads(self.session.items_file.read_text("ascii"))
            self.expect([GradedTest.from_json(item) for item in items])

    def open_out(self) -> None:
        """Makes OUT and OUT/traces, and removes what an earlier run left in them.

        open() does it, too; whatever fails from then on leaves no earlier grade there.
        Raises UsageProblem or HarnessError.
        """
        if self._opened:
            return
        traces = self.out / "traces"
        try:
            traces.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UsageProblem(f"OUT: {self.out} is not a folder, or traces in it is not") from None
        except OSError as error:
            raise HarnessError(_why(f"OUT: {error.filename} cannot be made", error)) from error
        try:
            self._take_lock()
            for old in (RESULTS, JUNIT, REPORT, classroom50.RESULT):
                (self.out / old).unlink(missing_ok=True)
            for trace in traces.iterdir():
                if TRACE_NAME.fullmatch(trace.name) and trace.is_file():
                    trace.unlink()
            probe = self.out / f".{RESULTS}.probe"
            write_whole(probe, " " * 4096)
            probe.unlink()
        except OSError as error:
            raise HarnessError(_why(f"OUT: {self.out} cannot be written to", error)) from error
        self._opened = True

    def _take_lock(self) -> None:
        fd = os.open(self.out, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._undo.callback(os.close, fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise HarnessError(f"OUT: another run is writing to {self.out}") from None


def _why(what: str, error: OSError) -> str:
    return f"{what}: {error.strerror or error}"
