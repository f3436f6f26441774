"""What wrong data show by themselves."""

from __future__ import annotations

from typing import Optional

import pytest

from labkit.echo import BINARY, TEXT
from labkit.peer import guess_cause, is_foreign


@pytest.mark.parametrize("expected, got, cause, foreign", [
    (BINARY, b"", None, False),
    (b"\0" + TEXT, b"", None, False),
    (b"\0" + TEXT, b"echo: ", None, True),
    (TEXT, b"echo: hello, ne", None, True),
    (TEXT, b"Enter message: " + TEXT, None, True),
    (BINARY, BINARY[:128] + b"\x80", "c-string", False),
    (TEXT, TEXT + bytes(9), "fixed-length", False),
    (TEXT, bytes(15), "fixed-length", False),
    (bytes(range(1, 250)), bytes([*range(1, 100), *range(150, 250)]), "partial-write", False),
])
def test_a_fault_that_data_show(
    expected: bytes, got: bytes, cause: Optional[str], foreign: bool
) -> None:
    assert guess_cause(expected, got) == cause
    assert is_foreign(expected, got) == foreign
