"""Fixtures that several of the suite's own tests use."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest

from labkit import sandbox
from small_suite import SmallSuite
from workbench import Workbench


@pytest.fixture
def small_suite(tmp_path: Path) -> SmallSuite:
    return SmallSuite(tmp_path / "suite")


@pytest.fixture(scope="module")
def small_suite_of_module(tmp_path_factory: pytest.TempPathFactory) -> SmallSuite:
    return SmallSuite(tmp_path_factory.mktemp("module") / "suite")


@pytest.fixture(scope="session")
def bench() -> Iterator[Workbench]:
    """The programs of lab 01, and room for variants of them."""
    with sandbox.workspace() as work:
        yield Workbench(work, "01-tcp-echo")
