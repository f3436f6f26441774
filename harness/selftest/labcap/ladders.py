"""Ladders as text: drawn by labcap in a known width, taken apart by line."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from typing import Callable

from calls import Labcap
from traces import Conversation

PLAIN = {"LC_ALL": "C", "COLUMNS": "80", "TERM": "xterm"}
UTF8 = "C.UTF-8"

Show = Callable[..., str]


def environment(*, columns: int = 80, locale: str = "C") -> dict[str, str]:
    """The process's own environment with a known locale and width, no colour settings."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LINES")}
    return {**kept, **PLAIN, "COLUMNS": str(columns), "LC_ALL": locale}


def shower(labcap: Labcap, path: Path) -> Show:
    """A function that draws a conversation, in ASCII and 80 columns unless told otherwise."""

    def show(
        talk: Conversation,
        *arguments: object,
        columns: int = 80,
        locale: str = "C",
        status: int = 0,
        said: str = "",
    ) -> str:
        done = labcap("show", talk.write(path), *map(str, arguments), encoding="utf-8",
                      env=environment(columns=columns, locale=locale))
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr
        if status == 0 and not said:
            assert done.stderr == ""
        text: str = done.stdout
        return text

    return show


def numbers(text: str) -> list[int]:
    """The packet numbers of the rows, in their order."""
    heads = [line[:9].split() for line in text.splitlines() if "|" in line or "\u2502" in line]
    return [int(head[0]) for head in heads if head and head[0].isdigit()]


def row(text: str, packet: int) -> str:
    """The row of one packet, without the spaces at its ends."""
    rows = [line for line in text.splitlines() if "|" in line or "\u2502" in line or "#" in line]
    found = [line.strip() for line in rows if line.split()[:1] == [str(packet)]]
    assert len(found) == 1, text
    return found[0]


def between_lanes(text: str) -> list[str]:
    """What stands between the lanes, a line each, without the spaces at its ends."""
    lanes = "|#:\u2502\u2503\u250a"
    lines = []
    for line in text.splitlines():
        places = [i for i, character in enumerate(line) if character in lanes]
        if len(places) >= 2:
            lines.append(line[places[0] + 1 : places[-1]].strip())
    return lines


def outcome(text: str) -> str:
    """The closing sentences, joined to one line."""
    return " ".join(text.rstrip("\n").split("\n\n")[-1].split())


def columns_of(line: str) -> int:
    """The columns that a line takes on a terminal."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
