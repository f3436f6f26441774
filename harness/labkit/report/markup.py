"""Jinja2 as the page needs it: whatever is put into a template is text, never markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from labkit.feedback import clean

FILES = Path(__file__).resolve().parent / "files"
_NO_LIMIT = 10**9


def page_of(**values: Any) -> str:
    """The page with VALUES in it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FILES), autoescape=True, finalize=_shown,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("page.html").render(**values)


def printable(text: str) -> str:
    """TEXT without a control character, or one that turns the direction of text."""
    return text if text.isprintable() else clean(text, _NO_LIMIT)


def _shown(value: Any) -> Any:
    return printable(value) if type(value) is str else value
