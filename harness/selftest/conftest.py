"""Fixtures that several of the suite's own tests use."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_suite import SmallSuite


@pytest.fixture
def small_suite(tmp_path: Path) -> SmallSuite:
    return SmallSuite(tmp_path / "suite")


@pytest.fixture(scope="module")
def small_suite_of_module(tmp_path_factory: pytest.TempPathFactory) -> SmallSuite:
    return SmallSuite(tmp_path_factory.mktemp("module") / "suite")
