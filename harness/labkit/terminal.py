"""A terminal for a program, and the person who types at it.

It is a pseudo-terminal (pty(7)) that takes lines as any terminal does: what is typed can be
read once the line is ended by Enter or Ctrl-D. It shows no echo and translates nothing, so
that all that comes out of it was printed by the program. It is nobody's controlling terminal:
Ctrl-C at it is no signal.
"""

from __future__ import annotations

import os
import termios

LINE_LIMIT = 4095
"""Bytes of a line that the kernel keeps, its end among them; it drops what is more."""
END_OF_FILE = b"\x04"
"""Ctrl-D."""


def make_terminal() -> tuple[int, int]:
    """A new terminal's two ends: the person's, and the program's. Raises OSError."""
    ours, theirs = os.openpty()
    settings = termios.tcgetattr(theirs)
    settings[0] = 0  # input: no translation, no flow control by Ctrl-S
    settings[1] = 0  # output: no translation of LF
    settings[3] = termios.ICANON  # neither echo nor signals; of control characters only Ctrl-D
    for key in (termios.VERASE, termios.VKILL, termios.VEOL):
        settings[6][key] = b"\0"
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    os.set_blocking(ours, False)
    return ours, theirs


class Typist:
    """Turns what a person does into the bytes that the keys send."""

    def __init__(self) -> None:
        self._line = 0

    def text(self, text: bytes) -> bytes:
        """TEXT, which may hold several lines and end within one.

        Raises ValueError where a terminal would not pass it on as it is.
        """
        if END_OF_FILE in text:
            raise ValueError("a terminal takes Ctrl-D for the end of the input")
        lines = text.split(b"\n")
        if max([self._line + len(lines[0]), *map(len, lines[1:])]) >= LINE_LIMIT:
            raise ValueError(f"a terminal's line has at most {LINE_LIMIT} bytes")
        self._line = len(lines[-1]) + (self._line if len(lines) == 1 else 0)
        return text

    def end_of_file(self) -> bytes:
        """Ctrl-D; within a line it is needed twice, as the first only passes the line on."""
        keys = END_OF_FILE * (2 if self._line else 1)
        self._line = 0
        return keys
