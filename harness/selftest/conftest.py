"""Fixtures that several of the suite's own tests use."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
from pathlib import Path
from typing import Iterator

import pytest

import report_samples
from calls_in_order import CallsInOrder
from disturbed import Disturbed, Labs
from labkit import build, sandbox
from labkit.report import rows
from labkit.scenario import Scenario
from small_suite import PROGRAM, SmallSuite
from workbench import Benches, Workbench, World, compile_c


def pytest_configure(config: pytest.Config) -> None:
    """Where graded tests run beside the suite's own, more is asked of them than in grading."""
    config.pluginmanager.register(CallsInOrder(), "calls-in-order")
    config.addinivalue_line("markers", "xdist_group(name): one worker runs all of it")
    os.environ.setdefault("PYTHON", sys.executable)  # harness/python need not look for it again
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # by a shell that runs this with '&'
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def small_suite(tmp_path: Path) -> SmallSuite:
    return SmallSuite(tmp_path / "suite")


@pytest.fixture(scope="module")
def small_suite_of_module(tmp_path_factory: pytest.TempPathFactory) -> SmallSuite:
    return SmallSuite(tmp_path_factory.mktemp("module") / "suite")


@pytest.fixture(scope="session")
def benches() -> Iterator[Benches]:
    """The programs of each lab, and room for variants of them."""
    with contextlib.ExitStack() as rooms:
        yield functools.lru_cache(maxsize=None)(
            lambda lab: Workbench(rooms.enter_context(sandbox.workspace()), lab))


@pytest.fixture(scope="session")
def bench(benches: Benches) -> Workbench:
    """Those of lab 01."""
    return benches("01-tcp-echo")


@pytest.fixture
def two_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lab 01 has no more than two programs: enough for what is built of source()."""
    monkeypatch.setitem(build.PROGRAMS, "01-tcp-echo", ("server", "client"))


@pytest.fixture
def labcap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """For the report: a labcap whose traces hold what it says of them; a test may rewrite it."""
    path = tmp_path / "labcap"
    path.write_text(report_samples.LABCAP)
    path.chmod(0o755)
    monkeypatch.setattr(rows, "LABCAP", path)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A submission of these two, which do nothing."""
    folder = tmp_path / "submission"
    folder.mkdir()
    for name in ("server", "client"):
        (folder / f"{name}.c").write_text(PROGRAM)
    return folder


@pytest.fixture
def workspace() -> Iterator[Path]:
    with sandbox.workspace() as work:
        yield work


@pytest.fixture
def world(request: pytest.FixtureRequest, workspace: Path) -> Iterator[World]:
    """Makes a scenario whose programs are given as name='text': shell scripts, or C.

    Their system calls are recorded where a test parametrises it, indirectly, with True.
    """
    calls = workspace / "trace.calls" if getattr(request, "param", False) else None
    folder = workspace / "submission"
    folder.mkdir()
    scenarios: list[Scenario] = []

    def make(**programs: str) -> Scenario:
        for name, text in programs.items():
            if "int main(" in text:
                compile_c(text, folder / name)
            else:
                (folder / name).write_text("#!/bin/sh\n" + text)
                (folder / name).chmod(0o755)
        scenarios.append(Scenario(workspace, lambda name: folder / name,
                                  workspace / "trace.pcapng", calls=calls))
        return scenarios[-1]

    yield make
    for scenario in scenarios:
        scenario.close()


@pytest.fixture
def labs(workspace: Path) -> Iterator[Labs]:
    """Makes worlds whose network is disturbed (disturbed.py): of a place and rules."""
    with contextlib.ExitStack() as made:
        yield lambda *place_and_rules, **how: made.enter_context(
            contextlib.closing(Disturbed(workspace, *place_and_rules, **how)))
