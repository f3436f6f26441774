"""What a verdict was made from, in 16 hexadecimal digits."""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
from functools import lru_cache
from pathlib import Path
from typing import Union

from workbench import GradedTest

from labkit.paths import HARNESS

_TOLD_ONLY = ("report", "pairs", "outputs", "starter")
"""Rooms of labkit on which no verdict rests."""


_COMMENT = re.compile(rb"/\*.*?\*/|[ \t]+(?=\n)", re.S)


def digest(*parts: Union[str, Path]) -> str:
    """Of texts and of files; of a folder its C sources, headers and Makefile.

    Comments of C are for readers only.
    """
    known = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            known.update(_COMMENT.sub(b"", part.encode()) + b"\0")
            continue
        for file in [part] if part.is_file() else sorted(part.rglob("*")):
            if file == part or file.suffix in (".c", ".h") or file.name == "Makefile":
                known.update(str(file.relative_to(part)).encode() + b"\0"
                             + _COMMENT.sub(b"", file.read_bytes()))
    return known.hexdigest()[:16]


def of_harness() -> str:
    """Of what runs a test: labkit without what only tells of it, and the C programs."""
    files = [file for file in sorted((HARNESS / "labkit").rglob("*.py"))
             if file.relative_to(HARNESS / "labkit").parts[0] not in _TOLD_ONLY]
    return digest(*files, *(HARNESS / part for part in ("labbox", "labcap", "labwire")))


def of_test(test: GradedTest) -> str:
    """Of TEST's function and of what its module has besides tests, without docstrings, comments
    and what is said to readers only.
    """
    text = Path(inspect.getfile(test.function)).read_text("utf-8")
    return digest(_of_tests(text)[test.function.__name__], test.name)


@lru_cache(maxsize=None)
def _of_tests(text: str) -> dict[str, str]:
    """By name: the tests of a module, TEXT."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [word for word in node.decorator_list if not _tells_only(word)]
    tests = {node.name: ast.dump(node) for node in tree.body
             if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    rest = [ast.dump(node) for node in tree.body
            if not (isinstance(node, ast.FunctionDef) and node.name in tests)
            and not isinstance(node, (ast.Import, ast.ImportFrom))]
    return {name: digest("".join(rest), test) for name, test in tests.items()}


def _tells_only(word: ast.expr) -> bool:
    """Whether the decorator WORD has nothing to do with what its test does."""
    name = getattr(word.func if isinstance(word, ast.Call) else word, "id", "")
    if name in ("graded", "graded_each"):
        assert isinstance(word, ast.Call)
        word.keywords = [key for key in word.keywords if key.arg not in ("step", "points")]
    return name in ("because", "first", "half_written", "takes")
