"""harness/mutants: runs known-wrong programs against every graded test that judges them, prints
which test finds which fault, and whether it names it; correct designs must pass everything.

Exit status: 0 all is as it should be, 1 it is not, 2 usage, 3 the harness itself failed.
What has been found out stays in OUT: a run that was ended goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import sys
from pathlib import Path
from typing import Optional, Sequence

from workbench import Workbench, graded_tests

from labkit import asked, paths, sandbox
from labkit.feedback import HarnessError
from labkit.paths import OUT
from labkit.run import UsageProblem
from mutants import document
from mutants.rows import Row, rows_of
from mutants.running import default_jobs, run_rows
from mutants.store import Store
from mutants.told import Line, as_csv, table


def main(argv: Optional[Sequence[str]] = None) -> int:
    return asked.exit_status("mutants", lambda: _run(_parse(argv)),
                             interrupted="interrupted; what was found out is kept")


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = asked.Parser("harness/mutants", __doc__)
    parser.add_labs()
    parser.add_argument("-p", dest="program", metavar="PROGRAM", help="only wrong ones of PROGRAM")
    parser.add_argument("-f", dest="fault", metavar="FAULT",
                        help="only those whose name, fault or cause has FAULT in it")
    parser.add_argument("-t", dest="test", metavar="TEST",
                        help="only tests whose name has TEST in it")
    parser.add_out(OUT / "mutants", "results")
    parser.add_argument("-j", dest="jobs", metavar="JOBS", type=int, default=default_jobs(),
                        help="programs at a time (%(default)s)")
    parser.add_argument("--only", action="store_true",
                        help="no more than shows which tests alone find something")
    parser.add_argument("--known", action="store_true",
                        help="run nothing: tell what is known already")
    parser.add_argument("--any-harness", action="store_true",
                        help="results that an older harness came to count, too")
    parser.add_argument("--document", action="store_true",
                        help="write docs/kill-table.md from the results")
    options = parser.parse_args(argv)
    if options.jobs < 1:
        parser.error("-j JOBS: at least 1")
    return options


def _run(options: argparse.Namespace) -> int:
    asked.check_parts([paths.LABCAP, paths.LABWIRE, paths.LABHOST, paths.LABINIT])
    labs = asked.known_labs(options.labs)
    tests = {lab: graded_tests(lab) for lab in labs}
    rows = [chosen for lab in labs for row in rows_of(lab, tests[lab])
            if (chosen := _chosen(row, options)) is not None]
    if not rows:
        raise UsageProblem("no known-wrong program, or no test of it, is what was asked for")
    out = Path(os.path.abspath(options.out))
    store = Store(out / "pairs", options.any_harness)
    problems = [] if options.known else run_all(rows, store, options.jobs, options.only)
    lines = [Line(row, store.found(row)) for row in rows]
    for lab in labs:
        (out / f"{lab}.csv").write_text(as_csv(line for line in lines if line.row.lab == lab))
    if options.document:
        document.write(tests, lines)
    asked.say(table(lines), "; the results are kept")
    if problems:
        raise HarnessError(f"{len(problems)} programs were not run to their end: {problems[0]}")
    return int(any(line.complaint is not None for line in lines))


def run_all(rows: Sequence[Row], store: Store, jobs: int, only: bool) -> list[str]:
    """Runs what STORE does not know of ROWS; tells on a terminal how far it is.

    Returns what the harness could not do.
    """
    with contextlib.ExitStack() as rooms:
        benches = {lab: Workbench(rooms.enter_context(sandbox.workspace()), lab)
                   for lab in dict.fromkeys(row.lab for row in rows)}
        problems = run_rows(rows, benches, store, jobs, only,
                            _progress if sys.stderr.isatty() else None)
    store.read()
    return problems


def _progress(done: int, total: int) -> None:
    end = "\r" if done < total else "\n"
    print(f"{done} of {total} programs", end=end, file=sys.stderr, flush=True)


def _chosen(row: Row, options: argparse.Namespace) -> Optional[Row]:
    """ROW with those of its tests that OPTIONS ask for; None where there is none."""
    wrong = row.wrong
    words = (wrong.name, wrong.fault, wrong.cause) if wrong is not None else ()
    if options.program is not None and options.program not in row.programs:
        return None
    if options.fault is not None and not any(options.fault in word for word in words):
        return None
    tests = tuple(test for test in row.tests if (options.test or "") in test.name)
    return dataclasses.replace(row, tests=tests) if tests else None
