"""What a failed test tells: expected, seen, likely cause, where to read on.

A test that finds the submission wrong raises Mismatch. What goes wrong on the grader's
own side is a HarnessError (or any other exception) and is never blamed on a submission.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional, Sequence, Union

from labkit.causes import CAUSES

PART_LIMIT = 4000
"""Characters kept of one part of a feedback; what a submission prints has no end."""


class HarnessError(Exception):
    """The grader cannot do its work, and says why in one line."""


class Mismatch(AssertionError):
    """The submission does something else than its contract says.

    cause: a key of CAUSES, 'other' when None. read: replaces the cause's own 'read on'.
    packets: numbers of packets in the trace, or words about them, shown after SEEN.
    """

    def __init__(
        self,
        expected: str,
        seen: str,
        cause: Optional[str] = None,
        read: Optional[str] = None,
        packets: Union[str, Sequence[int], None] = None,
    ) -> None:
        if cause is not None and cause not in CAUSES:
            raise ValueError(f"{cause!r} is no key of labkit.causes.CAUSES")
        super().__init__(f"expected {expected}; seen: {seen}")
        self.expected = expected
        self.cause = cause or "other"
        self.because = ""
        """What shows the cause besides SEEN, see labkit.diagnosis; goes on from 'because'."""
        self.likely = ""
        """Replaces the cause's own text, and what shows it."""
        self.read = read
        if packets is not None and not isinstance(packets, str):
            packets = "packet" + "s"[len(packets) == 1:] + " " + ", ".join(map(str, packets))
        self.packets = packets or ""
        """In words: 'packets 3, 7', 'packets 3 to 9'."""
        self.seen = f"{seen} ({packets})" if packets else seen

    def parts(self, handout: Optional[str] = None) -> list[tuple[str, str]]:
        """The four parts, each behind its label; HANDOUT: where the handout tells of it."""
        cause = CAUSES[self.cause]
        read = self.read or cause.read
        if handout and self.cause == "not-written-yet" and self.read:
            handout = read = self.read.replace("the handout's", f"{handout.split(',')[0]},")
        return [
            ("expected", clean(self.expected)),
            ("seen", clean(self.seen)),
            ("likely cause", clean(self.likely or f"{cause.text}{self._shown_by()}")),
            ("read on", clean(f"{handout}; {read}" if handout and handout != read else read)),
        ]

    def _shown_by(self) -> str:
        """A sentence about the evidence, if there is more of it than what was seen."""
        if not self.because:
            return ""
        shows = "What is known" if self.cause == "other" else "What shows it"
        return f" {shows}: {self.because}."

    def text(self, handout: Optional[str] = None) -> str:
        """The four parts, a label in front of each."""
        return told(self.parts(handout))


class NotJudged(AssertionError):
    """A test that could judge nothing, for a fault that others tell in full: it fails in a line.

    It is no Mismatch, of which many who catch one make another. WHY: which program does not do
    what, and CAUSE: the key of that fault in CAUSES.
    """

    def __init__(self, why: str, cause: str) -> None:
        super().__init__(why)
        self.cause = cause
        self.packets = ""

    def parts(self, handout: Optional[str] = None) -> list[tuple[str, str]]:
        """One part, without anything to read on: that is told with the fault itself."""
        return [("not judged", clean_line(str(self)))]


def told(parts: Iterable[tuple[str, str]]) -> str:
    """PARTS of a feedback as one text, a label in front of each."""
    return "\n".join(f"{label}: {part}" for label, part in parts)


def last_lines(said: bytes, most: int) -> str:
    """The end of SAID, at most MOST bytes: whole lines, or of a longer one its end."""
    text = bytes(said).strip()
    end = text[-most:]
    if len(text) > most and text[-most - 1:-most] != b"\n":
        end = end.partition(b"\n")[2] or b"..." + end[3:]
    return end.decode(errors="replace").strip()


def counted(number: int, thing: str) -> str:
    """As in '1 byte', '2 bytes'."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def of_assertion(error: AssertionError, title: str) -> Mismatch:
    """A plain assertion about the submission as a Mismatch; TITLE says what was asked."""
    if isinstance(error, Mismatch):
        return error
    return Mismatch(expected=title, seen=str(error) or "it is not so")


def clean(text: str, limit: int = PART_LIMIT) -> str:
    """TEXT fit for a terminal, XML and UTF-8: no control character, LIMIT characters at most.

    Line feeds and tabs stay; whatever else cannot be printed becomes a visible escape.
    """
    if len(text) > limit:
        text = f"{text[:limit]}... ({len(text) - limit} more characters)"
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text  # as most are, and this is much faster
    return "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in text)


def clean_line(text: str, limit: int = PART_LIMIT) -> str:
    """As clean(), and all on one line."""
    if len(text) <= limit and text.isprintable():
        return text  # as most are, and this is much faster
    return clean(text, limit).replace("\n", "\\n").replace("\t", " ")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
