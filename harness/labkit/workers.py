"""Graded tests in several processes at a time, those that take longest first.

The tests are collected once; each worker is a copy of this process (fork(2)) that is told
which test is next and hands back its reports. What goes wrong in one costs its own test.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections import defaultdict
from multiprocessing.connection import Connection, wait
from typing import Any, Optional, Sequence, Union

import pytest
from _pytest.runner import runtestprotocol

from labkit.feedback import HarnessError
from labkit.grading import graded_test, seconds_of
from labkit.results import FAILED
from labkit.run import SESSION, Session
from labkit.scenario.reach import never_reached

_FORK = multiprocessing.get_context("fork")


class Workers:
    """A plugin of pytest that has COUNT processes run the tests; other plugins see no difference.

    Tests are independent of each other: fixtures of a module or a session are made anew
    for each. Results come in whatever order.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._workers: dict[Connection, _Worker] = {}
        self._found: dict[tuple[str, str], list[Optional[set[str]]]] = defaultdict(list)
        """What each lab's programs reached in each of their first tests; None: not known."""

    def pytest_runtestloop(self, session: pytest.Session) -> Optional[bool]:
        """Runs the tests of SESSION; raises HarnessError where a worker cannot work."""
        if session.testsfailed or session.config.option.collectonly:
            return None  # as pytest has it without us
        order = longest_first(session.items)
        self._run(session, [test for test in order if _is_first(session.items[test])])
        for lab in {lab for lab, _ in self._found}:
            found = {name: tests for (of, name), tests in self._found.items() if of == lab}
            _session_of(session.config).never[lab] = never_reached(found)
        self._run(session, [test for test in order if not _is_first(session.items[test])])
        return True

    def _run(self, session: pytest.Session, tests: Sequence[int]) -> None:
        """Runs TESTS, numbers of items, in new processes, which know what is known by now."""
        waiting = [*reversed(tests)]
        try:
            while waiting or self._workers:
                while waiting and len(self._workers) < self._count:
                    self._add(session.items, waiting.pop())
                for ready in wait(list(self._workers)):
                    assert isinstance(ready, Connection)
                    self._take(session, self._workers[ready], waiting)
        finally:
            for worker in self._workers.values():
                worker.end()
            self._workers.clear()

    def _add(self, items: Sequence[pytest.Item], test: int) -> None:
        worker = _Worker(items, list(self._workers))
        worker.give(test)
        self._workers[worker.link] = worker

    def _take(self, session: pytest.Session, worker: _Worker, waiting: list[int]) -> None:
        """Takes in what WORKER has to say; what it is to do next comes from WAITING."""
        hook = session.config.hook
        item = session.items[worker.test]
        try:
            said = worker.link.recv()
        except (EOFError, ConnectionResetError):
            worker.end()
            del self._workers[worker.link]
            if _is_first(item):
                self._note(item, [])
            hook.pytest_runtest_logreport(report=_crash(item))
            return
        if isinstance(said, str):
            raise HarnessError(f"a worker failed: {said}")
        if _is_first(item):
            self._note(item, said)
        for data in said:
            report = hook.pytest_report_from_serializable(config=session.config, data=data)
            hook.pytest_runtest_logreport(report=report)
        if waiting:
            worker.give(waiting.pop())
        else:
            worker.end()
            del self._workers[worker.link]

    def _note(self, item: pytest.Item, reports: Sequence[dict[str, Any]]) -> None:
        """Keeps what the REPORTS of ITEM, a first test, tell of its program."""
        test = graded_test(item)
        if test is None:
            return
        told = [dict(report["user_properties"]) for report in reports]
        reached = told[-1].get("reached") if told else None
        judged = all(properties.get("verdict", FAILED) == FAILED for properties in told)
        self._found[test.lab, test.programs[0]].append(
            set(reached.split()) if judged and reached is not None else None)


def _session_of(config: pytest.Config) -> Session:
    found = config.pluginmanager.get_plugin(SESSION)
    assert isinstance(found, Session)
    return found


def _is_first(item: pytest.Item) -> bool:
    return item.get_closest_marker("first") is not None


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
        self.link, theirs = _FORK.Pipe()
        self.test = -1
        self._process = _FORK.Process(target=_work, args=(items, theirs, [self.link, *others]),
                                      daemon=True)
        self._process.start()
        theirs.close()

    def give(self, test: int) -> None:
        self.test = test
        self.link.send(test)

    def end(self) -> None:
        """Ends it, and with it whatever it has started."""
        self.link.close()
        self._process.kill()
        self._process.join()


def _work(items: Sequence[pytest.Item], link: Connection, not_ours: Sequence[Connection]) -> None:
    """A worker's life: runs of ITEMS the one that it is told, until nobody is there to tell."""
    for other in not_ours:
        other.close()  # else nobody would see the other end go
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    while True:
        try:
            test = link.recv()
        except EOFError:
            return
        link.send(_reports(items[test]))


def _reports(item: pytest.Item) -> Union[list[dict[str, Any]], str]:
    """The reports of each phase of ITEM; or what went wrong outside of all of them."""
    hook = item.config.hook
    try:
        return [hook.pytest_report_to_serializable(config=item.config, report=report)
                for report in runtestprotocol(item, log=False, nextitem=None)]
    except Exception:
        return traceback.format_exc()
