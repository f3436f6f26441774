"""What a program printed, held against what it should print: the words of the test itself."""

from __future__ import annotations

import re
import socket
from difflib import SequenceMatcher
from typing import NamedTuple, Optional

from labkit.diagnosis.evidence import Evidence, Seen
from labkit.diagnosis.signs import SEND, in_any

_ALIKE = 0.8
"""From this share of equal characters on, two texts are the same but for their wording."""
_PORT = re.compile(r"(?:\bport |[\d\]]:)(\d{1,5})\b")
"""A port as a program prints it, behind an address."""
_KNOWN = re.compile(r"(?:htons\(|[\d\]]:)(\d+)[)\]-]")
"""A port as strace writes it."""
_QUOTED = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?:\.\.\. \((\d+) bytes\))?""")


class Text(NamedTuple):
    """What `describe` tells of some bytes."""

    text: str
    size: int


def _quoted(words: str) -> Optional[Text]:
    """The first bytes that WORDS quote."""
    found = _QUOTED.search(words)
    if found is None:
        return None
    return Text(found[1][1:-1], int(found[2] or len(re.sub(r"\\(x..|.)", "x", found[1][1:-1]))))


def _own_words(evidence: Evidence) -> Optional[tuple[str, str]]:
    """A line that a program makes itself, as it should be, and what came in its place."""
    line = re.search(r" prints the line `([^`]*)`", evidence.expected)
    wanted = Text(line[1] + r"\n", 0) if line else _quoted(
        evidence.expected) if " prints " in evidence.expected else None
    got = _quoted(evidence.seen) if re.search(r"\bon std(out|err): ", evidence.seen) else None
    return (wanted.text, got.text) if wanted and got else None


def worded_otherwise(evidence: Evidence) -> Optional[str]:
    """A line is there with all its numbers, and differs in some letters, or in its end."""
    texts = _own_words(evidence)
    if texts is None:
        return None
    wanted, got = texts
    digits = [re.findall(r"\d+", text) for text in texts]
    alike = SequenceMatcher(None, wanted.casefold(), got.casefold(), False).ratio()
    if digits[0] != digits[1] or wanted == got or alike < _ALIKE:
        return None
    return f"'{got}' stands where '{wanted}' should"


def as_many_bytes(evidence: Evidence) -> Optional[str]:
    """As many bytes are printed as should be: nothing was cut."""
    wanted, got = _quoted(evidence.expected), _quoted(evidence.seen)
    if wanted is None or got is None or wanted.size != got.size:
        return None
    return f"{got.size} bytes are printed, as many as should be"


@in_any
def prints_a_swapped_port(program: Seen) -> Optional[str]:
    """It prints a port with its two bytes exchanged."""
    known: set[int] = set()
    for call in program.log.calls:
        if call.name in SEND and call.descriptor == 1:
            for port in map(int, _PORT.findall(call.arguments)):
                meant = socket.htons(port & 0xffff)
                if port not in known and meant in known:
                    return f"`{program.name}` prints port {port}, not {meant}"
        known |= set(map(int, _KNOWN.findall(f"{call.arguments} {call.made}")))
    return None
