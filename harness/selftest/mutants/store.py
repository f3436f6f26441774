"""What is known of pairs of a program and a test: one line for each, in a file that only grows."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple, Optional

from workbench import GradedTest

from mutants import digest
from mutants.rows import Row


class Pair(NamedTuple):
    """What one test said of one program."""

    cause: Optional[str]
    """What its feedback names; None where the program passed."""

    @property
    def killed(self) -> bool:
        return self.cause is not None


class Store:
    """The file PATH. Results count as long as nothing that they were made from has changed.

    any_harness: also those that an older harness came to.
    """

    def __init__(self, path: Path, any_harness: bool = False) -> None:
        self._path = path
        self._harness = digest.of_harness()
        self._any = any_harness
        self._known: dict[tuple[str, str], dict[str, Pair]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._tests: dict[tuple[str, str], str] = {}
        if path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            self._write("\n")  # a run was ended in the middle of a line
        self.read()

    def read(self) -> None:
        """Learns what the file tells, also what other processes have written."""
        for line in self._path.read_text("utf-8").splitlines():
            try:
                row, test, made_from, harness, cause = json.loads(line)
            except ValueError:
                continue
            if self._any or harness == self._harness:
                self._known.setdefault((row, test), {})[made_from] = Pair(cause)

    def get(self, row: Row, test: GradedTest) -> Optional[Pair]:
        return self._known.get((row.key, test.name), {}).get(self._made_from(row, test))

    def add(self, row: Row, test: GradedTest, pair: Pair) -> None:
        """Writes one line at once; several processes may do so."""
        made_from = self._made_from(row, test)
        self._known.setdefault((row.key, test.name), {})[made_from] = pair
        self._write(
            json.dumps([row.key, test.name, made_from, self._harness, pair.cause]) + "\n")

    def found(self, row: Row) -> dict[str, Pair]:
        """By test, in their order: what is known of ROW."""
        pairs = ((test.name, self.get(row, test)) for test in row.tests)
        return {name: pair for name, pair in pairs if pair is not None}

    def _made_from(self, row: Row, test: GradedTest) -> str:
        key = (row.lab, test.name)
        if key not in self._tests:
            self._tests[key] = digest.of_test(test)
        return digest.digest(row.digest, self._tests[key])

    def _write(self, line: str) -> None:
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)
