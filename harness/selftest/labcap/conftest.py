"""labcap as a program to call, in its ordinary and its sanitized build."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any, Sequence

import pytest
from calls import (
    COMMANDS,
    DEADLINE,
    SANITIZED_DEADLINE,
    Argument,
    Completed,
    Json,
    Labcap,
    ReadAll,
    ReadOne,
    Survives,
)

LABCAP_DIR = Path(__file__).resolve().parents[2] / "labcap"


def build(binary: str, *targets: str) -> Path:
    """Build labcap by its Makefile; the binary's path.

    Test workers are processes of their own: a lock on the Makefile lets only
    one of them build at a time.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS")}
    with (LABCAP_DIR / "Makefile").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(
            ["make", "-C", LABCAP_DIR, *targets],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
    if made.returncode != 0:
        pytest.fail(f"making {binary} failed:\n{made.stdout}{made.stderr}", pytrace=False)
    return LABCAP_DIR / binary


@pytest.fixture(scope="session")
def labcap_binary() -> Path:
    """The ordinary build."""
    return build("labcap")


@pytest.fixture(scope="session")
def labcap_sanitized() -> Path:
    """The build with AddressSanitizer and UndefinedBehaviorSanitizer."""
    return build("labcap-sanitized", "sanitized")


@pytest.fixture(scope="session")
def labcap(labcap_binary: Path) -> Labcap:
    """Call labcap with arguments; keywords go to subprocess.run."""

    def call(*arguments: Argument, **options: Any) -> Completed:
        chosen: Json = {"capture_output": True, "text": True, "timeout": DEADLINE, "check": False}
        return subprocess.run([labcap_binary, *arguments], **{**chosen, **options})

    return call


@pytest.fixture(scope="session")
def report(labcap: Labcap) -> ReadAll:
    """All JSON objects that flows prints for a trace, with numbers kept exact.

    status is the exit status that the trace must give; said is whether a good
    trace may have a message beside its report.
    """

    def read(
        path: Argument, *arguments: Argument, status: int = 0, said: bool = False
    ) -> list[Json]:
        done = labcap("flows", "--json", path, *arguments)
        assert done.returncode == status, done.stderr
        if status == 0 and not said:
            assert done.stderr == ""
        return [json.loads(line, parse_float=Decimal) for line in done.stdout.splitlines()]

    return read


@pytest.fixture(scope="session")
def flows(report: ReadAll) -> ReadAll:
    """The connections and UDP flows of a trace."""

    def read(path: Argument, *arguments: Argument, **options: Any) -> list[Json]:
        objects = report(path, *arguments, **options)
        assert objects[-1]["type"] == "capture"
        return objects[:-1]

    return read


@pytest.fixture(scope="session")
def flow(flows: ReadAll) -> ReadOne:
    """The one connection or UDP flow of a trace."""

    def read(path: Argument, *arguments: Argument, **options: Any) -> Json:
        found = flows(path, *arguments, **options)
        assert len(found) == 1, found
        return found[0]

    return read


@pytest.fixture(scope="session")
def capture(report: ReadAll) -> ReadOne:
    """The closing object that tells of the trace as a whole."""

    def read(path: Argument, *arguments: Argument, **options: Any) -> Json:
        return report(path, *arguments, **options)[-1]

    return read


@pytest.fixture(scope="session")
def survives(labcap_sanitized: Path) -> Survives:
    """Read a file with every command under the sanitizers; the JSON of flows.

    The exit status must be 0 or 3 (for check also 1: not met), stderr without
    a sanitizer's report, JSON whole.
    """

    def read(path: Path, commands: Sequence[list[str]] = COMMANDS) -> list[Json]:
        told: list[Json] = []
        for command in commands:
            extra = ["connections<=9"] if command == ["check"] else []
            done = subprocess.run(
                [labcap_sanitized, *command, path, *extra],
                capture_output=True, timeout=SANITIZED_DEADLINE, check=False,
            )  # fmt: skip
            allowed = (0, 1, 3) if command == ["check"] else (0, 3)
            assert done.returncode in allowed, (command, done.returncode, done.stderr[-3000:])
            assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr
            if done.returncode == 3:
                assert done.stderr != b""
            if command == ["flows", "--json"]:
                told = [json.loads(line) for line in done.stdout.splitlines()]
        return told

    return read


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Where a test may write its trace."""
    return tmp_path / "t.pcap"
