"""Running pairs: many rows at a time, each built once; what is known already is not run again."""

from __future__ import annotations

import collections
import multiprocessing
import os
import shutil
import signal
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Callable, Iterable, Mapping, Optional, Sequence

from workbench import GradedTest, Workbench

from labkit.feedback import HarnessError, of_assertion
from mutants.rows import Row
from mutants.store import Pair, Store

Benches = Mapping[str, Workbench]
Found = Mapping[str, Pair]
"""What is known of a row, by test."""
Done = tuple[Found, Optional[str]]
"""The same, after a run, and what the harness could not do."""
Told = Callable[[int, int], None]
"""Is told how many rows are done, of how many."""


def family(test: str) -> str:
    """The rule: TEST's name without the values that it is parametrised by."""
    return test.partition("[")[0]


def judge(bench: Workbench, row: Row, test: GradedTest, folder: Path) -> Pair:
    """Runs TEST on ROW's program, built in FOLDER.

    The program's system calls are recorded only where the cause is not named without them.
    Raises HarnessError.
    """
    pair = _judge_once(bench, row, test, folder, calls=False)
    if pair.killed and row.wrong is not None and pair.cause != row.wrong.cause and test.calls:
        again = _judge_once(bench, row, test, folder, calls=True)
        pair = again if again.killed else pair
    return pair


def _judge_once(
    bench: Workbench, row: Row, test: GradedTest, folder: Path, calls: bool
) -> Pair:
    try:
        bench.run(test, folder, row.stall, calls=calls)
        return Pair(None)
    except AssertionError as error:
        return Pair(of_assertion(error, test.name).cause)
    except HarnessError as error:
        raise HarnessError(f"{row.name}, {test.name}: {error}") from None
    finally:
        for trace in folder.glob("*.pcapng"):
            trace.unlink()


def run_rows(
    rows: Sequence[Row], benches: Benches, store: Store, jobs: int, only: bool = False,
    told: Optional[Told] = None,
) -> list[str]:
    """Runs each pair of ROWS that STORE does not know, JOBS rows at a time.

    only: a row ends with the first test that kills it besides its own rule's: it is then known
    that its own test is not the only one. Neither correct programs are run, nor those whose test
    is known to be the only one that finds another. A test that ends a row has said so twice.
    Returns what the harness could not do: those pairs stay unknown.
    """
    problems: list[str] = []
    kills: collections.Counter[str] = collections.Counter()
    alone: set[str] = set()

    def learn(row: Row, found: Found) -> None:
        kills.update(name for name, pair in found.items() if pair.killed)
        alone.update(only_killer(row, found))

    for row in rows:
        learn(row, store.found(row))
    waiting = collections.deque(row for row in rows if _missing(row, store, only))
    total, running = len(waiting), dict[Future[Done], Row]()
    fork = multiprocessing.get_context("fork")  # so that rows need not be pickled
    _Shared.rows = {row.key: row for row in rows}
    _Shared.benches, _Shared.store, _Shared.only = benches, store, only
    with ProcessPoolExecutor(max(1, jobs), mp_context=fork, initializer=_begin) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    row = waiting.popleft()
                    if only and row.wrong is not None and row.wrong.killed_by in alone:
                        continue
                    names = [test.name for test in _in_order(row, kills)]
                    running[pool.submit(_run_row, row.key, names)] = row
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    found, problem = future.result()
                    learn(running.pop(future), found)
                    problems += [] if problem is None else [problem]
                if told is not None:
                    told(total - len(waiting) - len(running), total)
        except BaseException:
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
    return problems


def only_killer(row: Row, found: Found) -> list[str]:
    """The test that alone kills ROW, when all that is to be known of it is FOUND; or none."""
    killers = [name for name, pair in found.items() if pair.killed]
    return killers if len(killers) == 1 and len(found) == len(row.tests) else []


class _Shared:
    """What every worker inherits when it is forked."""

    rows: Mapping[str, Row]
    benches: Benches
    store: Store
    only: bool


def _begin() -> None:
    """What Ctrl-C is meant for is the process that waits; it ends the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _run_row(key: str, names: Sequence[str]) -> Done:
    """Runs the tests NAMES on one row, in a worker."""
    row, store = _Shared.rows[key], _Shared.store
    tests = {test.name: test for test in row.tests}
    bench, folder, problem = _Shared.benches[row.lab], None, None
    try:
        for name in names:
            pair, ends = store.get(row, tests[name]), _Shared.only and not _is_own(row, name)
            if pair is None:
                folder = folder or row.build(bench)
                pair = judge(bench, row, tests[name], folder)
                if pair.killed and ends and not judge(bench, row, tests[name], folder).killed:
                    problem = f"{row.name}, {name}: failed, and then passed"
                    continue
                store.add(row, tests[name], pair)
            if pair.killed and ends:
                break
    except HarnessError as error:
        problem = str(error)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    return store.found(row), problem


def _missing(row: Row, store: Store, only: bool) -> bool:
    """Whether something about ROW is still to be found out."""
    found = store.found(row)
    if only and row.wrong is None:
        return False
    if only and any(pair.killed and not _is_own(row, name) for name, pair in found.items()):
        return False
    return len(found) < len(row.tests)


def _is_own(row: Row, name: str) -> bool:
    return row.wrong is not None and family(name) == family(row.wrong.killed_by)


def _in_order(row: Row, kills: Mapping[str, int]) -> Iterable[GradedTest]:
    """ROW's tests: first those that are likely to kill it, its own rule's last.

    Likely is what kills much, and what shares words with the program's own test.
    """
    own = set(family(row.wrong.killed_by).split("_")) if row.wrong is not None else set()

    def likely(test: GradedTest) -> tuple[bool, float]:
        alike = len(own & set(family(test.name).split("_")))
        return _is_own(row, test.name), -(kills.get(test.name, 0) + 2.0 * alike)

    return sorted(row.tests, key=likely)


def default_jobs() -> int:
    """Tests wait more than they work."""
    return 4 * len(os.sched_getaffinity(0))
