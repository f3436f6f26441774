"""The types of labcap's fixtures, and how long a call of labcap may take."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Callable, Union

DEADLINE = 30
SANITIZED_DEADLINE = 60
MEMORY_LIMIT_KIB = 200 * 1024  # of address space, so more than is resident

# Every way to read a trace; check takes its expectations after the file.
COMMANDS = [
    ["flows", "--json"],
    ["flows"],
    ["check"],
    ["show", "--payload"],
    ["show", "--merge", "--all", "--json"],
]

Json = dict[str, Any]
Argument = Union[str, Path]
Completed = subprocess.CompletedProcess[Any]
Labcap = Callable[..., Completed]
ReadOne = Callable[..., Json]
ReadAll = Callable[..., list[Json]]
Survives = Callable[..., list[Json]]


def within_memory(*command: Argument) -> subprocess.CompletedProcess[str]:
    """Run a program that gets no more address space than the limit."""
    limited = ["sh", "-c", f'ulimit -v {MEMORY_LIMIT_KIB} && exec "$@"', "sh", *command]
    return subprocess.run(
        limited, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
