"""Known-wrong programs fail, in the graded test that is about their fault, with its cause."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from known_wrong import KnownWrong
from known_wrong.lab_01_tcp_echo import KNOWN_WRONG
from workbench import Workbench, graded_tests

from labkit import sandbox
from labkit.feedback import Mismatch
from labkit.paths import LABS

LAB = "01-tcp-echo"
TESTS = graded_tests("test_01_tcp_echo.py")
CORRECT = Path(__file__).parent / "correct" / LAB


@pytest.fixture(scope="session")
def bench() -> Iterator[Workbench]:
    with sandbox.workspace() as work:
        yield Workbench(work, LAB)


def source_of(wrong: KnownWrong) -> str:
    if not wrong.base:
        return wrong.source((LABS / LAB / f"{wrong.program}.c").read_text())
    return wrong.source((CORRECT / wrong.base / f"{wrong.program}.c").read_text())


@pytest.mark.parametrize("wrong", KNOWN_WRONG, ids=[wrong.name for wrong in KNOWN_WRONG])
def test_is_caught_with_its_cause(bench: Workbench, wrong: KnownWrong) -> None:
    folder = bench.variant(wrong.name, wrong.program, source_of(wrong),
                           "-w", f"-I{CORRECT}")
    with pytest.raises(Mismatch) as caught:
        bench.run(TESTS[wrong.killed_by], folder)
    assert caught.value.cause == wrong.cause, caught.value.text()
