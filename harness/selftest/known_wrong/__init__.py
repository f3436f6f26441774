"""Known-wrong programs: each a lab's program with one fault, and the test that must find it."""

from __future__ import annotations

from typing import NamedTuple

Edits = tuple[tuple[str, str], ...]


class KnownWrong(NamedTuple):
    """A program made wrong by a few edits of a right one's source."""

    name: str
    fault: str
    """The fault, as grading.md or the lab's table puts it."""
    program: str
    edits: Edits
    """Old and new text; each old text is in the source exactly once."""
    killed_by: str
    """The graded test that must fail."""
    cause: str
    """The key of labkit.feedback.CAUSES that its feedback must have."""
    base: str = ""
    """The correct design to start from; the lab's own program where there is none."""

    def source(self, text: str) -> str:
        """TEXT, the right program's source, with the fault in it."""
        for old, new in self.edits:
            if text.count(old) != 1:
                raise ValueError(f"{self.name}: {text.count(old)} times in the source: {old!r}")
            text = text.replace(old, new)
        return text
