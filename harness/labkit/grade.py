"""harness/grade: grades the labs, or one submission of one lab, and prints the table.

Exit status: 0 every test passed, 1 some failed, 2 usage, 3 the grader itself failed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn, Optional, Sequence, TextIO

import pytest

from labkit import paths
from labkit.build import PROGRAMS
from labkit.feedback import HarnessError, clean, clean_line
from labkit.grading import graded_test, test_files
from labkit.run import DEFAULT_OUT, Run, Session, UsageProblem
from labkit.table import table

OK, SOME_FAILED, USAGE, GRADER_FAILED = 0, 1, 2, 3


class _Parser(argparse.ArgumentParser):
    """One line for each mistake."""

    def error(self, message: str) -> NoReturn:
        raise UsageProblem(f"{message} (harness/grade -h tells the usage)")


def main(argv: Optional[Sequence[str]] = None) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        return _Grade(_parse(argv)).run()
    except UsageProblem as problem:
        return _complain(problem, USAGE)
    except HarnessError as problem:
        return _complain(problem, GRADER_FAILED)
    except KeyboardInterrupt:
        return _complain("interrupted, no results were written", GRADER_FAILED)
    except Exception:
        traceback.print_exc()
        return _complain("a fault of the grader, told above", GRADER_FAILED)


def _complain(problem: object, status: int) -> int:
    with contextlib.suppress(OSError):
        print(f"grade: {clean_line(str(problem))}", file=sys.stderr, flush=True)
    return status


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = _Parser(prog="harness/grade", description=__doc__, allow_abbrev=False,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labs", nargs="*", metavar="LAB", help="01, 01-tcp-echo, ...; all if none")
    parser.add_argument("-s", dest="submission", metavar="SUBMISSION",
                        help="a folder to grade as that LAB; without it labs/ is graded")
    parser.add_argument("-o", dest="out", metavar="OUT", type=_folder, default=str(DEFAULT_OUT),
                        help="folder for results and traces (%(default)s)")
    parser.add_argument("-j", dest="jobs", metavar="JOBS", type=_jobs,
                        default=len(os.sched_getaffinity(0)) + 1,  # they wait more than they work
                        help="tests at a time (%(default)s)")
    parser.add_argument("-k", dest="expression", metavar="EXPRESSION", default="",
                        type=_expression,
                        help="only tests that match, as in pytest; step_3 is that step's tests")
    return parser.parse_args(argv)


def _folder(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("no folder is named")
    return text


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
        asked = _known_labs(options.labs)
        self._submission = _known_submission(options.submission, asked)
        self._labs = _labs_with_tests(asked)
        out = Path(os.path.abspath(options.out))
        _keep_apart(self._submission, out)
        self._run = Run(self._labs, self._submission, out)
        self._jobs: int = options.jobs
        self._expression: str = options.expression

    def run(self) -> int:
        """Grades; returns the exit status. Raises UsageProblem or HarnessError."""
        _check_parts()
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
        args += ["-p", "labkit.plugin", "-p", "xdist.plugin", "--tb=short"]
        args += ["-W", "default"]  # warnings are errors in the suite's own tests, not in a grade
        args += [f"--basetemp={session.work / 'pytest'}"]
        args += [f"-k={self._expression}"] if self._expression else []
        args += [f"-n{self._jobs}"] if self._jobs > 1 else []
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            status = pytest.main(args, plugins=[self._run, progress])
        return int(status), said.getvalue()

    def _sum_up(self, status: int, said: str, collected: bool) -> int:
        if status == pytest.ExitCode.INTERRUPTED and collected:
            raise KeyboardInterrupt
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
        _print(table(results, self._run.out, self._seen_from))
        return self._run.exit_status(results)


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
        self._total = sum(graded_test(item) is not None for item in session.items) or self._total

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        self._total = len(ids)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "teardown":
            self._done += 1
            self.show(f"{self._done} of {self._total} tests")


def _known_labs(words: Sequence[str]) -> list[str]:
    """The labs that WORDS name, each once; all when there is none."""
    names = {**{lab: lab for lab in PROGRAMS}, **{lab[:2]: lab for lab in PROGRAMS}}
    for word in words:
        if word not in names:
            raise UsageProblem(f"there is no lab {word!r}; the labs are {', '.join(PROGRAMS)}")
    return sorted({names[word] for word in words} or PROGRAMS)


def _labs_with_tests(labs: Sequence[str]) -> list[str]:
    """LABS without those that no graded test is of. Raises HarnessError when none is left."""
    left = [lab for lab in labs if test_files(lab)]
    if not left:
        raise HarnessError(f"there is no graded test of {', '.join(labs)}")
    return left


def _known_submission(text: Optional[str], labs: Sequence[str]) -> Optional[Path]:
    if text is None:
        return None
    if len(labs) != 1:
        raise UsageProblem("-s SUBMISSION needs the one LAB it is of")
    folder = Path(os.path.abspath(text))
    if not text or not folder.is_dir():
        raise UsageProblem(f"SUBMISSION: {text!r} is not a folder")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UsageProblem(f"SUBMISSION: {text!r} cannot be read")
    return folder


def _keep_apart(submission: Optional[Path], out: Path) -> None:
    """Nothing in a submission's folder is changed, and so OUT cannot be there."""
    if submission is None:
        return
    folder = submission.resolve()
    if folder in (out.resolve(), *out.resolve().parents):
        raise UsageProblem(f"OUT: {out} lies in the submission, which is not to be changed")


def _check_parts() -> None:
    for part in (paths.LABCAP, paths.LABWIRE, paths.LABHOST, paths.LABINIT):
        if not os.access(part, os.X_OK):
            shown = os.path.relpath(part, paths.REPO)
            raise HarnessError(f"{shown} is not built: run 'make' in {paths.REPO} first")


def _last_line(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "not understood"


def _print(text: str) -> None:
    """Writes TEXT to stdout. Raises HarnessError when it does not take it."""
    encoding = sys.stdout.encoding or "ascii"
    data = text.encode(encoding, errors="backslashreplace")
    try:
        sys.stdout.flush()
        with os.fdopen(os.dup(1), "wb") as out:
            out.write(data)
    except BrokenPipeError:
        pass  # whoever reads has seen enough
    except OSError as error:
        raise HarnessError(f"stdout: {error.strerror}; the results are written") from error


if __name__ == "__main__":
    sys.exit(main())
