"""Graded tests in several processes at a time, those that take longest first.

The tests are collected once; each worker is a copy of this process (fork(2)) that is told
which test is next and hands back its reports. What goes wrong in one costs its own test.
"""

from __future__ import annotations

import gc
import traceback
from collections import Counter, defaultdict
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, Optional, Sequence, Union

import pytest
from _pytest.runner import runtestprotocol

from labkit.feedback import HarnessError
from labkit.forked import FORK, serve
from labkit.grading import graded_test, is_first, seconds_of
from labkit.results import FAILED
from labkit.run import SESSION, Session
from labkit.scenario.reach import never_reached


class Workers:
    """A plugin of pytest that has COUNT processes run the tests; other plugins see no difference.

    Tests are independent of each other: fixtures of a module or a session are made anew
    for each. Results come in whatever order. A test waits for the first tests of its programs,
    and is told what they never reached.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: dict[Connection, _Worker] = {}
        self._waiting: list[int] = []
        """Numbers of items, those to begin first at the end."""
        self._firsts: Counter[_Program] = Counter()
        """How many of each program's first tests are still to end."""
        self._found: dict[_Program, list[Optional[set[str]]]] = defaultdict(list)
        """What each program reached in each of its first tests; None: not known."""

    def pytest_runtestloop(self, session: pytest.Session) -> Optional[bool]:
        """Runs the tests of SESSION; raises HarnessError where a worker cannot work."""
        if session.testsfailed or session.config.option.collectonly:
            return None  # as pytest has it without us
        gc.freeze()  # a worker that looks for garbage leaves alone what it shares with this process
        gc.enable()
        items = session.items
        order = longest_first(items)
        self._waiting = sorted(reversed(order), key=lambda number: is_first(items[number]))
        self._firsts = Counter(program for item in items if is_first(item)
                               for program in _programs(item)[:1])
        try:
            while self._employ(items):
                for ready in wait(list(self._workers)):
                    assert isinstance(ready, Connection)
                    self._take(session, self._workers[ready])
        finally:
            for worker in self._workers.values():
                worker.end()
            self._workers.clear()
        return True

    def _employ(self, items: Sequence[pytest.Item]) -> bool:
        """Has as many workers as there is work for; false when all is done."""
        while len(self._workers) < self._places(items):
            test = self._next(items)
            if test is None:
                break
            worker = _Worker(items, list(self._workers))
            self._workers[worker.link] = worker
            worker.give(test, self._never(items[test]))
        return bool(self._workers)

    def _places(self, items: Sequence[pytest.Item]) -> int:
        """How many workers there may be: a test that takes long waits, and needs no processor."""
        waiting = sum(worker.test is not None and seconds_of(items[worker.test]) > 0
                      for worker in self._workers.values())
        return self._count + min(self._count, waiting)

    def _next(self, items: Sequence[pytest.Item]) -> Optional[int]:
        """Takes the next test that waits for no other one; None where there is none."""
        for place in range(len(self._waiting) - 1, -1, -1):
            item = items[self._waiting[place]]
            if is_first(item) or not any(self._firsts[program] for program in _programs(item)):
                return self._waiting.pop(place)
        return None

    def _never(self, item: pytest.Item) -> _Never:
        """What the programs of ITEM never reach (Reach.never)."""
        if is_first(item):
            return {}
        return never_reached({program.name: self._found[program] for program in _programs(item)
                              if program in self._found})

    def _take(self, session: pytest.Session, worker: _Worker) -> None:
        """Takes in what WORKER has to say of its test."""
        hook = session.config.hook
        assert worker.test is not None
        item = session.items[worker.test]
        try:
            said = worker.link.recv()
        except (EOFError, ConnectionResetError):
            self._dismiss(worker)
            self._note(item, [])
            hook.pytest_runtest_logreport(report=_crash(item))
            return
        if isinstance(said, str):
            raise HarnessError(f"a worker failed: {said}")
        self._note(item, said)
        for data in said:
            report = hook.pytest_report_from_serializable(config=session.config, data=data)
            hook.pytest_runtest_logreport(report=report)
        worker.test = None
        enough = len(self._workers) > self._places(session.items)
        test = None if enough else self._next(session.items)
        if test is None:
            self._dismiss(worker)
        else:
            worker.give(test, self._never(session.items[test]))

    def _dismiss(self, worker: _Worker) -> None:
        worker.end()
        del self._workers[worker.link]

    def _note(self, item: pytest.Item, reports: Sequence[dict[str, Any]]) -> None:
        """Keeps what the REPORTS of ITEM tell of its program, if it is a first test."""
        if not is_first(item):
            return
        for program in _programs(item)[:1]:
            self._firsts[program] -= 1
            told = [dict(report["user_properties"]) for report in reports]
            reached = told[-1].get("reached") if told else None
            judged = all(properties.get("verdict", FAILED) == FAILED for properties in told)
            self._found[program].append(
                set(reached.split()) if judged and reached is not None else None)


_Never = dict[str, set[str]]
"""As never_reached() tells it."""


class _Program(NamedTuple):
    lab: str
    name: str


def _programs(item: pytest.Item) -> list[_Program]:
    """The programs of ITEM, that which it is of first; none where it is no graded test."""
    test = graded_test(item)
    return [_Program(test.lab, name) for name in test.programs] if test is not None else []


def _session_of(config: pytest.Config) -> Session:
    found = config.pluginmanager.get_plugin(SESSION)
    assert isinstance(found, Session)
    return found


def longest_first(items: Sequence[pytest.Item]) -> list[int]:
    """The numbers of ITEMS in the order to begin them: a long one begun last keeps all waiting."""
    return sorted(range(len(items)), key=lambda number: -seconds_of(items[number]))


def _crash(item: pytest.Item) -> pytest.TestReport:
    """What pytest-xdist, too, reports when a worker is gone."""
    phase: Any = "???"
    return pytest.TestReport(item.nodeid, item.location, {}, "failed",
                             "the worker's process ended", phase)


class _Worker:
    """One process, seen from the one that has it work."""

    def __init__(self, items: Sequence[pytest.Item], others: Sequence[Connection]) -> None:
        self.link, theirs = FORK.Pipe()
        self.test: Optional[int] = None
        self._process = FORK.Process(target=_work, args=(items, theirs, [self.link, *others]),
                                     daemon=True)
        self._process.start()
        theirs.close()

    def give(self, test: int, never: _Never) -> None:
        """Has it run TEST, whose programs NEVER reach something."""
        self.test = test
        self.link.send((test, never))

    def end(self) -> None:
        """Ends it, and with it whatever it has started."""
        self.link.close()
        self._process.kill()
        self._process.join()


def _work(items: Sequence[pytest.Item], link: Connection, not_ours: Sequence[Connection]) -> None:
    """A worker's life: runs of ITEMS the one that it is told, until nobody is there to tell."""
    serve()
    for other in not_ours:
        other.close()  # else nobody would see the other end go
    while True:
        try:
            test, never = link.recv()
        except EOFError:
            return
        told = graded_test(items[test])
        if told is not None:
            _session_of(items[test].config).never[told.lab] = never
        link.send(_reports(items[test]))


def _reports(item: pytest.Item) -> Union[list[dict[str, Any]], str]:
    """The reports of each phase of ITEM; or what went wrong outside of all of them."""
    hook = item.config.hook
    try:
        return [hook.pytest_report_to_serializable(config=item.config, report=report)
                for report in runtestprotocol(item, log=False, nextitem=None)]
    except Exception:
        return traceback.format_exc()
