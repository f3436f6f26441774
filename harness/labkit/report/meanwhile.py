"""Evidence that is drawn while tests still run, by a process that gives way to them."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, NamedTuple, Optional

from labkit.forked import FORK, serve
from labkit.report.evidence import AT_ONCE, Evidence, of_some
from labkit.results import Result

PARTS_AT_ONCE = 2
"""To make a process costs as much as to draw one trace: it is given some parts of AT_ONCE."""
_NICE = 10
"""How much it gives way, as nice(1) counts."""


class _Part(NamedTuple):
    """What one process draws."""

    process: Any
    file: IO[bytes]
    """It has no name. There the process leaves its list of Evidence."""
    results: list[tuple[int, Result]]
    """With their numbers, as the process has them."""


class Meanwhile:
    """Draws the evidence of tests that have ended, while others run; at most one process does."""

    def __init__(self, out: Path) -> None:
        """OUT: where the tests' files are."""
        self._out = out
        self._waiting: list[tuple[int, Result]] = []
        self._parts: list[_Part] = []

    def take(self, number: int, result: Result) -> None:
        """RESULT stands, and its test has that NUMBER on the page."""
        self._waiting.append((number, result))
        busy = self._parts and self._parts[-1].process.is_alive()
        if len(self._waiting) >= PARTS_AT_ONCE * AT_ONCE and not busy:
            self._begin()

    def drawn(self, results: Sequence[Result]) -> dict[int, Evidence]:
        """Of RESULTS what is drawn by now, and as it is to be; what is not done yet is given up.

        A labcap that had no time beside the tests may have some at the end.
        """
        self._end()
        found: dict[int, Evidence] = {}
        for part in self._parts:
            for (number, result), evidence in zip(part.results, _left_by(part)):
                same = number < len(results) and _looks(results[number]) == _looks(result)
                if same and evidence.whole:
                    found[number] = evidence
        self.close()
        return found

    def close(self) -> None:
        """Ends the process that draws, if one does, and forgets what is drawn."""
        self._end()
        for part in self._parts:
            part.file.close()
        self._parts.clear()

    def _end(self) -> None:
        for part in self._parts:
            part.process.kill()
            part.process.join()

    def _begin(self) -> None:
        results = [(number, replace(result)) for number, result in self._waiting]
        self._waiting = []
        file = tempfile.TemporaryFile()
        process = FORK.Process(target=_draw, args=(results, self._out, file), daemon=True)
        process.start()
        self._parts.append(_Part(process, file, results))


def _looks(result: Result) -> tuple[Optional[str], ...]:
    """What the drawing of RESULT hangs on."""
    return (result.test.nodeid, result.status, result.packets, result.trace, result.calls,
            result.no_calls)


def _draw(results: Sequence[tuple[int, Result]], out: Path, file: IO[bytes]) -> None:
    """The life of a process that draws RESULTS into FILE."""
    serve()
    os.nice(_NICE)
    parts = [of_some(results[first:first + AT_ONCE], out)
             for first in range(0, len(results), AT_ONCE)]
    pickle.dump([evidence for part in parts for evidence in part], file)
    file.flush()


def _left_by(part: _Part) -> list[Evidence]:
    if part.process.exitcode != 0:
        return []
    part.file.seek(0)
    evidence: list[Evidence] = pickle.load(part.file)
    return evidence
