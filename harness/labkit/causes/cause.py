"""What is told of one fault."""

from __future__ import annotations

from typing import NamedTuple


class Cause(NamedTuple):
    """A fault by its short key's meaning: what it is in the program, where to read on."""

    text: str
    read: str
