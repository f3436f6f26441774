"""What a lab's handout says of its steps."""

from __future__ import annotations

import re
from typing import NamedTuple

from labkit.feedback import HarnessError
from labkit.paths import LABS

_PARAGRAPH = re.compile(
    r"^\*\*(?P<number>\d+) · (?P<title>.*?)\*\* (?P<text>.*?)"
    r"(?:^Read (?P<read>.*?))?^Check: `(?P<check>.*?)`\.$",
    re.S | re.M,
)


class Told(NamedTuple):
    """A step as the handout tells of it, in plain text."""

    number: int
    title: str
    """A few words: 'Bind the address'."""
    text: str
    read: str
    """Where to read on; may be empty."""
    check: str
    """The command that runs the step's tests."""

    @property
    def name(self) -> str:
        """The title as it stands in the middle of a sentence."""
        second = self.title[1:2]
        return self.title if second.isupper() else self.title[0].lower() + self.title[1:]


def title_of(lab: str) -> str:
    """'Lab 01: TCP echo'."""
    return (LABS / lab / "README.md").read_text().split("\n", 1)[0].lstrip("# ")


def told_of_steps(lab: str) -> dict[int, Told]:
    """By number. Raises OSError, and HarnessError where a number comes twice."""
    handout = (LABS / lab / "README.md").read_text("utf-8")
    section = handout.partition("\n## Steps\n")[2].split("\n## ")[0]
    told: dict[int, Told] = {}
    for match in _PARAGRAPH.finditer(section):
        number = int(match["number"])
        if number in told:
            raise HarnessError(f"{lab}: the handout tells of step {number} twice")
        title = re.sub(r" \(.*\)$", "", _plain(match["title"]).rstrip("."))
        told[number] = Told(number, title, _plain(match["text"]),
                            _plain(match["read"] or "").rstrip("."), match["check"])
    return told


def _plain(markdown: str) -> str:
    """MARKDOWN without its marks, on one line, in ASCII."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    text = re.sub(r"[`*]", "", text).replace("…", "...")
    return " ".join(text.split())
