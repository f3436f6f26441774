"""What make, compiler and linker say of one program that they did not make: its errors alone."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Sequence

MOST_LINES = 12
_WIDTH = 200
"""So much is told, and so many characters of a line."""

_ERROR = re.compile(
    r"\berror\b|undefined reference|multiple definition|\*\*\*|No rule|^not built: ", re.I
)
_IN_A_FILE = re.compile(r"(?:\./)?([^\s:]+):\d+:(?:\d+:)? (?:fatal )?error: ")
_GOES_ON = re.compile(r"\s|[^\s:]+:\d+:(?:\d+:)? note: ")
"""A line that belongs to the message before it: the source it is about, or a note."""
_UNDEFINED = re.compile(r"undefined reference to [`'\u2018](\w+)")
_IMPLICIT = re.compile(r"implicit declaration of function [`'\u2018](\w+)")


def errors_of(lines: Sequence[str], name: str, programs: Collection[str]) -> list[str]:
    """Those of make's LINES that tell why NAME, one of PROGRAMS, was not made.

    Errors in its own file, or in one that is of no program; or else what the linker said; or
    else all from make's first error about NAME on, or about anything; or the last lines.
    """
    errors = _about(lines, name) or [i for i, line in enumerate(lines) if _ERROR.search(line)]
    first = errors[0] if errors else max(0, len(lines) - MOST_LINES)
    found = [*_compilers(lines, name, programs)] or _linkers(lines, name) or lines[first:]
    return [line[:_WIDTH] for line in found[:MOST_LINES]]


def tells_of(lines: Sequence[str], name: str) -> bool:
    """Make's LINES hold an error that is about program NAME."""
    return bool(_about(lines, name))


def _about(lines: Sequence[str], name: str) -> list[int]:
    """Where in LINES is an error that names NAME or its file."""
    about = re.compile(rf"\b{re.escape(name)}(\.[cho])?\b")
    return [i for i, line in enumerate(lines)
            if _ERROR.search(line) and about.search(line) and "No rule" not in line]


def _compilers(lines: Sequence[str], name: str, programs: Collection[str]) -> Iterator[str]:
    """Each error once: a module's is told again for every program that needs it."""
    files = {f"{program}.c" for program in programs}
    found = [(i, m[1]) for i, line in enumerate(lines) if (m := _IN_A_FILE.match(line))]
    own = [i for i, file in found if file == f"{name}.c"]
    told: set[str] = set()
    for first in own or [i for i, file in found if file not in files]:
        if lines[first] not in told:
            told.add(lines[first])
            yield lines[first]
            yield from itertools.takewhile(_GOES_ON.match, lines[first + 1:])


def _linkers(lines: Sequence[str], name: str) -> list[str]:
    """What the command that links NAME has said, its errors and on.

    It is echoed before them, and make says behind them that it failed. Before them stands where
    the compiler took what is undefined for a function: that tells how it is spelt, and where.
    """
    ends = [i for i, line in enumerate(lines) if line.startswith("make") and f": {name}]" in line]
    begins = [i for i, line in enumerate(lines[: ends[0]]) if f"-o {name} " in line] if ends else []
    if not begins:
        return []
    said = list(lines[begins[-1] + 1 : ends[0]])
    errors = list(itertools.dropwhile(lambda line: not _ERROR.search(line), said))
    undefined = {match[1] for line in errors for match in _UNDEFINED.finditer(line)}
    guessed: dict[str, str] = {}
    for line in (*said, *lines):
        if (match := _IMPLICIT.search(line)) and match[1] in undefined:
            guessed.setdefault(match[1], line)
    warnings = list(guessed.values())
    return warnings + [line for line in errors if line not in warnings]
