"""The types of labcap's fixtures, and how long a call of labcap may take."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Callable, Union

DEADLINE = 30
SANITIZED_DEADLINE = 60

# Every way to read a trace; check takes its expectations after the file.
COMMANDS = [["flows", "--json"], ["flows"], ["check"], ["show"]]

Json = dict[str, Any]
Argument = Union[str, Path]
Completed = subprocess.CompletedProcess[Any]
Labcap = Callable[..., Completed]
ReadOne = Callable[..., Json]
ReadAll = Callable[..., list[Json]]
Survives = Callable[..., list[Json]]
