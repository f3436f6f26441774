"""What is told of one fault."""

from __future__ import annotations

import re
from typing import NamedTuple


class Cause(NamedTuple):
    """A fault by its short key's meaning: what it is in the program, where to read on."""

    text: str
    read: str

    @property
    def words(self) -> str:
        """The fault alone: TEXT up to where it begins to explain."""
        first = re.split(r"(?<=[.:;])\s", self.text, maxsplit=1)[0]
        if first.count("'") % 2:  # in the middle of a quotation
            first = self.text.split(". ")[0]
        return first.rstrip(".:;")
