"""The user's terminal, and how it was before a program drew on it."""

from __future__ import annotations

import contextlib
import curses
import os
import signal
import termios

from labkit.run import UsageProblem

_NO_MOUSE = b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l"
"""Neither mouse nor pasted text is marked any more (XTerm Control Sequences)."""
_LEAVE = ("rmcup", "cnorm", "sgr0", "rmkx")
"""The other screen, a visible cursor, plain text, usual keys (terminfo(5))."""


class Screen:
    """The terminal of stdin and stdout. Raises UsageProblem where they are none."""

    def __init__(self) -> None:
        if not (os.isatty(0) and os.isatty(1)):
            raise UsageProblem("this needs a terminal to draw on and to type at; "
                               "'make run' shows a pair without one")
        self._settings = termios.tcgetattr(0)

    @property
    def size(self) -> os.terminal_size:
        return os.get_terminal_size(0)

    def restore(self, drawn: bool) -> None:
        """Makes it what it was, after a program that may not have; it may be gone, too.

        DRAWN: the program did not take away what it drew either.
        """
        # Not in the foreground any more, it has to be done all the same (SIGTTOU, termios(3)).
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(OSError, termios.error):
            for fd in (0, 1, 2):  # tmux does not wait, and whoever has the terminal does not then
                os.set_blocking(fd, True)
            if drawn:
                os.write(1, _NO_MOUSE + _leave())
            termios.tcsetattr(0, termios.TCSADRAIN, self._settings)
        signal.signal(signal.SIGTTOU, before)


def _leave() -> bytes:
    try:
        curses.setupterm()
    except curses.error:
        return b""
    return b"".join(curses.tigetstr(name) or b"" for name in _LEAVE)
