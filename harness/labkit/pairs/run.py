"""harness/run: a pair of programs runs once, and the packets and system calls are shown.

The programs run in a private network, those of a submission in the sandbox too. It is no
grade: what is wrong is told, and the ladder shows it; `harness/grade` judges.

Exit status: 0 all went as it should, 1 something did not, 2 usage, 3 the harness failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Iterator, Optional, Sequence

from labkit import asked, feedback, paths, sandbox
from labkit.asked import say
from labkit.build import Build, build
from labkit.feedback import HarnessError, Mismatch
from labkit.pairs.stage import Stage
from labkit.pairs.table import Pair, find, listed
from labkit.pairs.transcript import COLUMNS, Transcript
from labkit.run import UsageProblem
from labkit.scenario import Scenario
from labkit.trees import remove_tree

DEFAULT_OUT = paths.OUT / "run"


def main(argv: Optional[Sequence[str]] = None) -> int:
    return asked.exit_status("run", lambda: _Run(_parse(argv)).run())


def add_pair_arguments(parser: asked.Parser) -> None:
    """The arguments that name a pair and whose programs are meant."""
    parser.add_lab()
    parser.add_submission("a folder with programs of that LAB; without it those of labs/")
    parser.add_argument("-p", dest="pair", metavar="PAIR",
                        help="a pair of that LAB; without it the lab's first")


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = asked.Parser("harness/run", __doc__, listed())
    add_pair_arguments(parser)
    parser.add_out(DEFAULT_OUT, "the trace and the calls")
    return parser.parse_args(argv)


@contextlib.contextmanager
def built(pair: Pair, submission: Optional[Path], work: Path) -> Iterator[Build]:
    """The programs of PAIR, made in WORK, a workspace(). Raises Mismatch where one is not."""
    source = submission or paths.LABS / pair.lab
    made = build(pair.lab, source, work, submission is None)
    try:
        for command in (pair.server, pair.client):
            made.program(command.program)
        yield made
    finally:
        remove_tree(work / pair.lab)


def told(problem: Mismatch, pair: Pair) -> str:
    """PROBLEM in its four parts, in lines that fit; without a cause the ladder must do."""
    parts = problem.parts(f"labs/{pair.lab}/README.md")
    lines = feedback.told(parts if problem.cause != "other" else parts[:2]).splitlines()
    wrapped = [textwrap.fill(line, COLUMNS, subsequent_indent="    ", break_on_hyphens=False)
               if len(line) > COLUMNS else line for line in lines]
    return "".join(f"{line}\n" for line in wrapped)


class _Run:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._seen_from = Path.cwd()
        self._pair = find(options.lab, options.pair)
        self._submission = asked.known_submission(options.submission, [self._pair.lab])
        self._out = Path(os.path.abspath(options.out))
        asked.keep_apart(self._submission, self._out)

    def run(self) -> int:
        """Runs the pair; returns the exit status. Raises UsageProblem or HarnessError."""
        asked.check_parts([paths.LABCAP, paths.LABHOST, paths.LABINIT])
        self._open_out()
        os.chdir(paths.HARNESS)  # modules are never taken from where the user happens to be
        say(f"{self._pair.lab}, pair {self._pair.name}: {self._pair.what}\n\n")
        try:
            with sandbox.workspace() as work:
                with built(self._pair, self._submission, work) as made:
                    return self._perform(work, made)
        except Mismatch as problem:
            say(told(problem, self._pair))
            return asked.SOME_FAILED
        except OSError as error:
            raise HarnessError(str(error)) from error

    def _perform(self, work: Path, made: Build) -> int:
        trace, calls = work / "trace.pcapng", work / "trace.calls"
        lab = Scenario(work, made.program, trace, calls=calls)
        stage = Stage(lab, self._pair, _transcript(self._pair))
        try:
            stage.perform()
        finally:
            not_whole = _closed(lab)
        kept = [self._keep(file) for file in (trace, calls)]
        status = self._draw(*kept)
        if lab.calls.problem is not None:
            say(f"\nWithout system calls: {lab.calls.problem}\n")
        for problem in stage.problems:
            say(f"\nIt did not go as it should:\n{told(problem, self._pair)}")
        self._tell_where(*kept)
        if not_whole is not None:
            raise not_whole
        return max(status, asked.SOME_FAILED if stage.problems else asked.OK)

    def _draw(self, trace: Optional[Path], calls: Optional[Path]) -> int:
        """The ladders, by labcap; returns its status."""
        if trace is None:
            return asked.OK
        say("\n")
        with_calls = ["--syscalls", calls.name] if calls is not None else []
        return subprocess.run([str(paths.LABCAP), "show", *with_calls, trace.name],
                              cwd=self._out, check=False).returncode

    def _tell_where(self, trace: Optional[Path], calls: Optional[Path]) -> None:
        say("\n")
        for name, file in (("trace", trace), ("calls", calls)):
            if file is not None:
                say(f"{name}: {self._shown(file)}\n")
        if trace is not None:
            with_calls = f" --syscalls {self._typed(calls)}" if calls is not None else ""
            say(f"again: {self._typed(paths.LABCAP)} show{with_calls} {self._typed(trace)}\n")

    def _typed(self, path: Path) -> str:
        return shlex.quote(self._shown(path))

    def _shown(self, path: Path) -> str:
        """PATH as short as it can be typed."""
        relative = os.path.relpath(path, self._seen_from)
        return str(path) if relative.startswith("..") else relative

    def _open_out(self) -> None:
        """Makes OUT, and sees that files can be written there."""
        try:
            self._out.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._out):
                pass
        except (FileExistsError, NotADirectoryError):
            raise UsageProblem(f"OUT: {self._out} is not a folder") from None
        except OSError as error:
            why = error.strerror or error
            raise HarnessError(f"OUT: {self._out} cannot be written to: {why}") from error

    def _keep(self, file: Path) -> Optional[Path]:
        """Puts FILE into OUT, whole, in place of an earlier run's; None where there is none."""
        kept = self._out / f"{self._pair.lab[:2]}-{self._pair.name}{file.suffix}"
        if not file.exists():
            kept.unlink(missing_ok=True)
            return None
        fd, new = tempfile.mkstemp(dir=self._out)
        os.close(fd)
        shutil.copyfile(file, new)
        os.chmod(new, 0o644)
        os.replace(new, kept)
        return kept


def _transcript(pair: Pair) -> Transcript:
    return Transcript([command.name or "client 0" for command in (pair.server, pair.client)])


def _closed(lab: Scenario) -> Optional[HarnessError]:
    """Closes LAB; returns why its trace is not whole, if it is not."""
    try:
        lab.close()
    except HarnessError as error:
        return error
    return None


if __name__ == "__main__":
    sys.exit(main())
