"""harness/grade: grades the labs, or one submission of one lab, and prints the table.

Exit status: 0 every test passed, 1 some failed, 2 usage, 3 the grader itself failed.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import re
import sys
from pathlib import Path
from typing import Any, Optional, Sequence, TextIO

import pytest

from labkit import asked, paths, second_opinion
from labkit.feedback import HarnessError, clean
from labkit.grading import test_files
from labkit.outputs import autolab, tap
from labkit.outputs.classroom50 import Identity, NoIdentity
from labkit.outputs.visibility import Rule, rules_of
from labkit.results import Result
from labkit.run import DEFAULT_OUT, Run, Session, UsageProblem
from labkit.table import table
from labkit.workers import Workers


_FORMATS = ("table", "tap", "autolab")
"""What can be printed."""

_JOBS, _MORE = 3, 4
"""Tests at a time for each processor, and for all together: they wait more than they work."""


def main(argv: Optional[Sequence[str]] = None) -> int:
    return asked.exit_status("grade", lambda: _Grade(_parse(argv)).run(),
                             interrupted="interrupted, no results were written")


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = asked.Parser("harness/grade", __doc__)
    parser.add_labs()
    parser.add_submission("a folder to grade as that LAB; without it labs/ is graded")
    parser.add_out(DEFAULT_OUT, "results and traces")
    parser.add_argument("-j", dest="jobs", metavar="JOBS", type=_jobs,
                        default=_JOBS * len(os.sched_getaffinity(0)) + _MORE,
                        help="tests at a time (%(default)s)")
    parser.add_argument("-k", dest="expression", metavar="EXPRESSION", default="",
                        type=_expression,
                        help="only tests that match, as in pytest; step_3 is that step's tests")
    parser.add_argument("--format", choices=_FORMATS, default="table",
                        help="what is printed (%(default)s)")
    parser.add_argument("--hidden", action="append", metavar="TEST", default=[], type=_hidden,
                        help="students never see TEST: a name, with * and ?, step_3 or a program")
    parser.add_argument("--visibility", metavar="FILE", default=[], type=_rules,
                        help="a line like 'after_due_date TEST' for each rule of this kind")
    parser.add_argument("--for-students", action="store_true",
                        help="print nothing of tests that students do not see")
    parser.add_argument("--classroom50", action="store_true",
                        help="also write result.json, with what Classroom 50's environment says")
    return parser.parse_args(argv)


def _hidden(text: str) -> Rule:
    return Rule("hidden", text)


def _rules(name: str) -> list[Rule]:
    """The rules in the file NAME."""
    try:
        return rules_of(Path(name).read_text("utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise argparse.ArgumentTypeError(f"{name}: {why}") from None


def _expression(text: str) -> str:
    """TEXT, when it can be read as an expression; what it matches is seen later.

    A test's whole name is one, also with values in brackets (labkit.plugin finds it).
    """
    plain = re.sub(r"\[.*\]", "", text)
    words = re.sub(r"[^\s()]+", lambda m: m[0] if m[0] in ("and", "or", "not") else "x", plain)
    try:
        compile(words or "x", "-k", "eval")
    except SyntaxError:
        raise argparse.ArgumentTypeError(f"{text!r} is no expression") from None
    return text


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1024")
    return int(text)


class _Grade:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._seen_from = Path.cwd()
        labs = asked.known_labs(options.labs)
        self._submission = asked.known_submission(options.submission, labs)
        self._labs = _labs_with_tests(labs)
        out = Path(os.path.abspath(options.out))
        asked.keep_apart(self._submission, out)
        self._run = Run(self._labs, self._submission, out,
                        [*options.visibility, *options.hidden], _owner(options))
        self._format: str = options.format
        self._for_students: bool = options.for_students
        self._jobs: int = options.jobs
        self._expression: str = options.expression

    def run(self) -> int:
        """Grades; returns the exit status. Raises UsageProblem or HarnessError."""
        try:
            return self._graded()
        except HarnessError as problem:
            if self._format == "tap":
                asked.say(tap.failed(f"not graded: {problem}"))
            raise

    def _graded(self) -> int:
        self._run.open_out()
        asked.check_parts([paths.LABCAP, paths.LABWIRE, paths.LABHOST, paths.LABINIT])
        os.chdir(paths.HARNESS)  # modules are never taken from where the user happens to be
        progress = _Progress()
        try:
            progress.show("building")
            status, said = self._pytest(self._run.open(), progress)
            progress.clear()
            return self._sum_up(status, said, progress.collected)
        finally:
            progress.close()
            self._run.close()

    def _pytest(self, session: Session, progress: _Progress) -> tuple[int, str]:
        """Runs the tests; returns pytest's status and what it said, which is not shown."""
        os.environ.pop("PYTEST_ADDOPTS", None)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        args = [str(file) for lab in self._labs for file in test_files(lab)]
        args += ["-c", str(paths.HARNESS / "pytest.ini"), "--rootdir", str(paths.HARNESS)]
        args += ["-p", "labkit.plugin", "-p", "no:faulthandler", "--tb=native"]
        args += ["-W", "default"]  # warnings are errors in the suite's own tests, not in a grade
        args += [f"--basetemp={session.work / 'pytest'}"]
        args += [f"-k={self._expression}"] if self._expression else []
        args.append("--capture=no")  # workers have no stdout
        plugins: list[Any] = [self._run, progress, _Loaded(), Workers(self._jobs)]
        self._run.draw_meanwhile()
        gc.disable()  # until the tests are collected: all that is made until then stays
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                status = pytest.main(args, plugins=plugins)
        finally:
            gc.enable()
        return int(status), said.getvalue()

    def _sum_up(self, status: int, said: str, collected: bool) -> int:
        if status == pytest.ExitCode.INTERRUPTED and collected:
            raise KeyboardInterrupt
        if self._run.useless_rule:
            raise UsageProblem(self._run.useless_rule)
        if status == pytest.ExitCode.USAGE_ERROR and self._expression:
            raise UsageProblem(f"-k {self._expression!r}: {_last_line(said)}")
        if status == pytest.ExitCode.NO_TESTS_COLLECTED and self._expression:
            raise UsageProblem(f"-k {self._expression!r}: no test matches")
        if not collected or status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            sys.stderr.write(clean(said, 20_000))
            raise HarnessError("the tests could not be run; what pytest says is above")
        results = self._run.finish()
        if not results:
            raise HarnessError("there is no graded test for what was asked")
        asked.say(self._stdout(results), "; the results are written")
        for problem in self._run.problems_beside_grade:
            asked.complain("grade", problem)
        return self._run.exit_status(results)

    def _stdout(self, results: Sequence[Result]) -> str:
        if self._format == "autolab":
            return autolab.document(results)
        if self._format == "tap":
            return tap.document(results, self._for_students)
        return table(results, self._run.out, self._seen_from, self._for_students)


class _Loaded:
    """What tests with programs need is loaded once for all workers, and not without such tests."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if any("lab" in getattr(item, "fixturenames", ()) for item in session.items):
            second_opinion.load()


class _Progress:
    """Follows pytest: a line on the terminal while it runs; nothing where there is none."""

    def __init__(self) -> None:
        self._stream: Optional[TextIO] = None
        if sys.stdout is not None and sys.stdout.isatty():
            self._stream = os.fdopen(os.dup(sys.stdout.fileno()), "w", errors="replace")
        self._total = self._done = 0
        self.collected = True
        """Every file of tests could be read."""

    def show(self, text: str) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.write(f"\r{'':79}\r{text[:79]}")
                self._stream.flush()

    def clear(self) -> None:
        self.show("")

    def close(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.close()
            self._stream = None

    def pytest_collectreport(self, report: Any) -> None:
        self.collected &= not report.failed

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._total = len(session.items)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "teardown":
            self._done += 1
            self.show(f"{self._done} of {self._total} tests")


def _owner(options: argparse.Namespace) -> Optional[Identity]:
    try:
        return Identity.from_environment(os.environ) if options.classroom50 else None
    except NoIdentity as problem:
        raise UsageProblem(f"--classroom50: {problem}") from None


def _labs_with_tests(labs: Sequence[str]) -> list[str]:
    """LABS without those that no graded test is of. Raises HarnessError when none is left."""
    left = [lab for lab in labs if test_files(lab)]
    if not left:
        raise HarnessError(f"there is no graded test of {', '.join(labs)}")
    return left


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "not understood"


if __name__ == "__main__":
    sys.exit(main())
