"""One program in a window of `make watch`, typed into as at any terminal, and started again.

    python -m labkit.pairs.pane '{"work": ..., "argv": ..., ...}'        (windows.py calls it)

It runs inside the private network, the program in its sandbox. The program has a terminal of
its own (pty(7)) that controls it: Ctrl-C there is its SIGINT, Ctrl-D its end of input. What it
prints goes to the window without its control characters, so that it does nothing there but
print.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import fcntl
import json
import math
import os
import selectors
import shutil
import signal
import subprocess
import sys
import termios
import tty
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Mapping, Optional, Sequence

from labkit.events import EventLoop
from labkit.feedback import HarnessError
from labkit.network import Process
from labkit.program import Program
from labkit.sandbox import GUEST_ID, Shown, guests_switch

_WITH_TERMINAL = 'exec "$@" 0<>/proc/self/fd/0 1>&0 2>&0'
"""A shell that leads its session and opens a terminal is controlled by it from then on."""
_KEPT = "\n\r\t\b"
"""Control characters that a terminal's line is made of."""


@dataclass(frozen=True)
class Part:
    """What a window is for, as it is told to it."""

    work: str
    """A sandbox.workspace()."""
    lab: str
    """The folder with the built programs."""
    argv: Sequence[str]
    folder: Optional[str]
    """Where the program works; None: where it was built."""
    at_once: bool
    """It starts without being asked to."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class _Here:
    """The network that this process is in (network.Runs)."""

    def run(
        self, argv: Sequence[str], fds: Sequence[int], *, env: Mapping[str, str],
        cwd: Path = Path("/"), host: Optional[str] = None, guest: bool = False,
    ) -> Process:
        """As PrivateNetwork has it."""
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in fds]
        words = ["setpriv", f"--reuid={GUEST_ID}", f"--regid={GUEST_ID}", "--clear-groups"]
        words = [*(words if guest and guests_switch() else []), *argv]
        try:
            pid = os.posix_spawnp(
                words[0], words, env, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ], setsigmask=[],
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(high)])
        finally:
            for fd in high:
                os.close(fd)
        return Process(pid, os.pidfd_open(pid))


class _Pane:
    """The window: keys from its terminal, which is stdin and stdout, and text to it."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._loop = EventLoop(math.inf)
        self._terminal: Optional[int] = None
        """Our end of the program's terminal."""
        self._keys = bytearray()
        """Typed, and not yet taken by whom it is for."""
        self._gone = False
        self._at_start = True
        """The window's cursor is at the beginning of a line."""
        tty.setraw(0)
        os.set_blocking(0, False)
        signal.signal(signal.SIGWINCH, lambda *_: self._resize())
        self._loop.watch(0, selectors.EVENT_READ, lambda _: self._take_keys())

    @property
    def _command(self) -> str:
        return " ".join(self._part.argv)

    def live(self) -> None:
        """Runs the program again and again; returns when nobody wants it any more."""
        if not self._part.at_once and not self._asked("Enter starts it, q leaves"):
            return
        while True:
            self._say(f"\x1b[1m$ {self._command}\x1b[0m\r\n")
            try:
                end = self._perform()
            except HarnessError as error:
                end = str(error)
            if not self._asked(f"it {end}; Enter starts it again, q leaves"):
                return

    def _asked(self, question: str) -> bool:
        """Whether it is to start: Enter, and not q."""
        new_line = "" if self._at_start else "\r\n"
        self._say(f"{new_line}\x1b[7m[{_clean(question)}]\x1b[0m\r\n")
        self._keys.clear()
        self._loop.wait(lambda: self._gone or b"\r" in self._keys or b"q" in self._keys)
        answer, _, behind = bytes(self._keys).partition(b"\r")
        if self._gone or b"q" in answer:
            return False
        self._keys[:] = behind  # for the program
        return True

    def _perform(self) -> str:
        """Runs the program once; returns what became of it."""
        ours, theirs = os.openpty()
        self._terminal = ours
        os.set_blocking(ours, False)
        try:
            program = self._start(theirs)
        finally:
            os.close(theirs)
        text = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._loop.watch(ours, selectors.EVENT_READ, lambda _: self._take_text(text))
        try:
            self._loop.wait(lambda: program.exit is not None or self._gone)
            self._take_text(text)
            return f"{program.exit}"
        finally:
            self._loop.watch(ours, 0, lambda _: None)
            self._terminal = None
            os.close(ours)
            program.close()
            self._reap()

    def _start(self, terminal: int) -> Program:
        part = self._part
        if guests_switch():
            os.fchown(terminal, GUEST_ID, GUEST_ID)  # it has to open it anew
        self._resize()
        files = None if part.folder is None else Shown(Path(part.folder), False)
        name, *args = part.argv
        path = name if files is None else os.path.join("/lab", name)
        argv = ["/bin/sh", "-c", _WITH_TERMINAL, name, path, *args]
        program = Program(self._loop, _Here(), Path(part.work),
                          Path(part.lab), argv, stdin=terminal, stdout=terminal, files=files)
        self._loop.wait(lambda: program.made)
        program.release()
        self._loop.wait(lambda: program.started or program.exit is not None)
        self._pass_on()
        return program

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    # Keys and text

    def _take_keys(self) -> None:
        try:
            data = os.read(0, 4096)
        except BlockingIOError:
            return
        except OSError:  # the window is gone
            data = b""
        if not data:
            self._gone = True
            self._loop.watch(0, 0, lambda _: None)
        self._keys += data
        self._pass_on()

    def _pass_on(self) -> None:
        """What was typed goes to the program, while there is one."""
        if self._terminal is None:
            return
        with contextlib.suppress(BlockingIOError):
            while self._keys:
                del self._keys[: os.write(self._terminal, self._keys)]

    def _take_text(self, text: codecs.IncrementalDecoder) -> None:
        assert self._terminal is not None
        try:
            data = os.read(self._terminal, 1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._loop.watch(self._terminal, 0, lambda _: None)  # nobody has it open
            return
        self._say(_clean(text.decode(data)))
        self._pass_on()

    def _say(self, text: str) -> None:
        data = text.encode(errors="backslashreplace")
        self._at_start = text[-1:] == "\n" if text else self._at_start
        with contextlib.suppress(OSError):
            os.set_blocking(1, True)
            while data:
                data = data[os.write(1, data):]

    def _resize(self) -> None:
        if self._terminal is not None:
            size = fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() or c in _KEPT
                   else c.encode("unicode_escape").decode("ascii") for c in text)


def main() -> int:
    part = Part(**json.loads(sys.argv[1]))
    _Pane(part).live()
    subprocess.run([shutil.which("tmux") or "tmux", "detach-client"], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
