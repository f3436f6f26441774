"""harness/flake: grades again and again, with every core kept busy, and tells what changed.

The same programs must get the same verdict each time, on a loaded machine too. A test whose
verdict or cause changes is told with both, and what those runs recorded is kept in OUT.

Exit status: 0 nothing changed, 1 something did, 2 usage, 3 the harness failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from labkit import asked, paths
from labkit.feedback import HarnessError, clean_line
from labkit.results import RESULTS
from labkit.run import UsageProblem

DEFAULT_OUT = paths.OUT / "flake"
MOST_RUNS = 1000

_LOOP = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    sum(range(100_000))\n"
"""Keeps a core busy until the process that started it has ended."""


class Verdict(NamedTuple):
    """What a run said of one test."""

    status: str
    cause: Optional[str]

    def __str__(self) -> str:
        return self.status if self.cause is None else f"{self.status}: {self.cause}"


Verdicts = dict[str, Verdict]
"""By the command that replays the test, which no two tests share."""


def main(argv: Optional[Sequence[str]] = None) -> int:
    return asked.exit_status("flake", lambda: _Flake(_parse(argv)).run())


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = asked.Parser("harness/flake", __doc__)
    parser.add_labs()
    parser.add_submission("a folder to grade as that LAB; without it labs/ is graded")
    parser.add_argument("-n", dest="runs", metavar="N", type=_runs, default=3,
                        help="how many runs (%(default)s)")
    parser.add_out(DEFAULT_OUT, "what the runs leave")
    return parser.parse_args(argv)


def _runs(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= MOST_RUNS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 2 to {MOST_RUNS}")
    return int(text)


@contextlib.contextmanager
def busy_cores() -> Iterator[int]:
    """Keeps each core that this process may use busy meanwhile; tells how many they are."""
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for _ in os.sched_getaffinity(0):
            loops.append(subprocess.Popen([sys.executable, "-c", _LOOP, str(os.getpid())],
                                          stdin=subprocess.DEVNULL))
        yield len(loops)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def verdicts(results: Path) -> Verdicts:
    """What is in the file RESULTS, of one run. Raises HarnessError."""
    try:
        tests = json.loads(results.read_text("utf-8"))["tests"]
        return {test["extra_data"]["command"]: Verdict(test["status"], test["extra_data"]["cause"])
                for test in tests}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise HarnessError(f"{results}: {type(error).__name__}: {error}") from error


def changed(runs: Sequence[Verdicts]) -> dict[str, list[Optional[Verdict]]]:
    """The tests that RUNS do not agree on, each with its verdict in each run, None for none."""
    commands = dict.fromkeys(command for run in runs for command in run)
    told = {command: [run.get(command) for run in runs] for command in commands}
    return {command: each for command, each in told.items() if len(set(each)) > 1}


def _graded(words: Sequence[str]) -> tuple[int, str]:
    """Runs harness/grade with WORDS; returns its exit status, and what it said on stderr."""
    with subprocess.Popen([paths.HARNESS / "grade", *words], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as grade:
        try:
            said = grade.communicate()[1]
        except BaseException:
            grade.terminate()
            grade.wait()  # it removes its temporary files
            raise
    return grade.returncode, clean_line(said.decode(errors="replace").strip())


class _Flake:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._labs = asked.known_labs(options.labs)
        submission = asked.known_submission(options.submission, self._labs)
        out = Path(os.path.abspath(options.out))
        asked.keep_apart(submission, out)
        self._out = out / time.strftime("%Y%m%d-%H%M%S")
        """Of this call alone: it may be removed."""
        self._words = [*self._labs, *(["-s", str(submission)] if submission else [])]
        self._runs: int = options.runs
        self._seen_from = Path.cwd()

    def run(self) -> int:
        """Grades; returns the exit status. Raises UsageProblem or HarnessError."""
        asked.check_parts([paths.LABCAP, paths.LABWIRE, paths.LABHOST, paths.LABINIT])
        found: list[Verdicts] = []
        try:
            self._out.mkdir(parents=True)
        except OSError as error:
            raise HarnessError(f"OUT: {error.filename}: {error.strerror}") from error
        with busy_cores() as cores:
            asked.say(f"flake: {self._runs} runs of {', '.join(self._labs)}, while as many "
                      f"endless loops as there are cores ({cores}) are running\n")
            for number in range(1, self._runs + 1):
                found.append(self._grade(number))
        return self._sum_up(found)

    def _grade(self, number: int) -> Verdicts:
        """The verdicts of run NUMBER, which is told in a line. Raises what ends all runs."""
        out = self._folder(number)
        begun = time.monotonic()
        status, said = _graded([*self._words, "-o", str(out)])
        if not (out / RESULTS).is_file():
            if status == asked.USAGE:
                raise UsageProblem(said)
            raise HarnessError(f"run {number}: {said or f'exit status {status}'}")
        found = verdicts(out / RESULTS)
        counts = {status: sum(verdict.status == status for verdict in found.values())
                  for status in ("passed", "failed", "error")}
        words = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        seconds = time.monotonic() - begun
        asked.say(f"run {number:3}  {words or 'no test'}; {seconds:.0f} s\n")
        return found

    def _sum_up(self, found: Sequence[Verdicts]) -> int:
        different = changed(found)
        kept = {1} | {number for number, run in enumerate(found, 1) if run != found[0]}
        for number in range(1, self._runs + 1):
            if number not in kept:
                shutil.rmtree(self._folder(number), ignore_errors=True)
        if not different:
            shutil.rmtree(self._out, ignore_errors=True)
            asked.say(f"No verdict changed: {len(found[0])} tests, {len(found)} times.\n")
            return asked.OK
        lines = [f"Changed: {len(different)} of {len(found[0])} tests"]
        for command, each in different.items():
            lines.append(f"  {clean_line(command)}")
            for verdict in dict.fromkeys(each):
                numbers = [str(n) for n, other in enumerate(each, 1) if other == verdict]
                lines.append(f"      {verdict or 'not there'} "
                             f"(run{'s'[len(numbers) == 1:]} {', '.join(numbers)})")
        shown = os.path.relpath(self._out, self._seen_from)
        lines.append(f"What those runs recorded: {shown}/run-"
                     f"{{{','.join(str(number) for number in sorted(kept))}}}")
        asked.say("\n".join(lines) + "\n")
        return asked.SOME_FAILED

    def _folder(self, number: int) -> Path:
        return self._out / f"run-{number}"


if __name__ == "__main__":
    sys.exit(main())
