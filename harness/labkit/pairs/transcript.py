"""Who said what, a line each, as it happens: what `make run` prints of its programs.

    server  $ ./server                      it is started
    server  | listening on 127.0.0.1 ...    it prints; ! where that is stderr
    client  < hello                         somebody types
    client  = exited with status 0          what becomes of it
"""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import Iterator

from labkit.asked import say
from labkit.feedback import clean_line

COLUMNS = 80
_ROWS = 60
"""Rows of one program's output; what more it prints is counted."""
_LINE = 480
"""Characters of one line that it prints."""
_COLOURS = {"$": "1", "|": "0", "!": "31", "<": "36", "=": "2", "?": "31"}
"""SGR codes (ECMA-48) of the rows by their marks."""


class Transcript:
    """The rows so far are on stdout; NAMES are all that can be in front of one."""

    def __init__(self, names: list[str]) -> None:
        self._width = max(map(len, names))
        self._rows: dict[str, int] = {}
        self._colour = coloured()

    def row(self, name: str, mark: str, text: str) -> int:
        """What MARK says of NAME, on as many rows as are returned; TEXT may be anything."""
        rows = list(pieces(clean_line(text, _LINE), COLUMNS - self._width - 6))
        for piece in rows:
            row = f"  {name:{self._width}} {mark} {piece}"
            say(f"\x1b[{_COLOURS[mark]}m{row}\x1b[0m\n" if self._colour else f"{row}\n")
        return len(rows)

    def printed(self, name: str, mark: str, text: str) -> None:
        """NAME printed TEXT, a line; after many rows no more of them are shown."""
        rows = self._rows.get(name, 0)
        if rows < _ROWS:
            rows += self.row(name, mark, text)
            if rows >= _ROWS:
                self.row(name, mark, "... and what more it prints is not shown")
        self._rows[name] = rows


def coloured() -> bool:
    """Whether stdout is a terminal whose user has nothing against colour (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") \
        and os.environ.get("TERM") != "dumb"


def pieces(text: str, room: int) -> Iterator[str]:
    """TEXT in rows of at most ROOM columns; at least one."""
    row, used = "", 0
    for character in text:
        columns = columns_of(character)
        if used + columns > room:
            yield row
            row, used = "", 0
        row, used = row + character, used + columns
    yield row


def columns_of(character: str) -> int:
    """How many columns of a terminal it takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
