"""A terminal for tests: a tmux with a socket of its own, typed into, and looked at by events.

Also what is left of a command that ran in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import selectors
import shlex
import subprocess
import time
from pathlib import Path
from typing import Callable, Mapping

from labkit.processes import tree_of

PATIENCE = 30.0
"""Seconds that a text may take to appear; it is only so long where it never does."""


class Outer:
    """A window of 80x24 in which the shell command COMMAND runs; FOLDER is for the socket.

    It stays when the command has ended, also by Ctrl-C.

    A client in control mode (tmux(1)) tells of each output, and of each change of the window:
    after each the screen is looked at again.
    """

    def __init__(self, folder: Path, command: str, env: Mapping[str, str]) -> None:
        self._tmux = ["tmux", "-S", str(folder / "outer"), "-f", os.devnull]
        self._settings = folder / "settings"
        script = f"stty -g >{shlex.quote(str(self._settings))}; trap : INT; {command}; sleep 1000"
        self.do("new-session", "-d", "-s", "outer", "-x", "80", "-y", "24",
                "sh", "-c", script, env=env)
        self._control = subprocess.Popen([*self._tmux, "-C", "attach-session", "-t", "outer"],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, env=env)
        assert self._control.stdout is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._control.stdout, selectors.EVENT_READ)
        self.pid = int(self.do("display-message", "-p", "-t", "outer", "#{pane_pid}"))

    def do(self, *words: str, env: Mapping[str, str] = os.environ) -> str:
        """A command of tmux; returns what it says."""
        done = subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True,
                              env=env)
        return done.stdout.removesuffix("\n")

    def keys(self, *names: str) -> None:
        """Types keys, by tmux's names of them."""
        self.do("send-keys", "-t", "outer", *names)

    def type(self, text: str) -> None:
        """Types TEXT as it is."""
        self.do("send-keys", "-t", "outer", "-l", text)

    def screen(self) -> str:
        return self.do("capture-pane", "-p", "-t", "outer")

    def wait(self, seen: Callable[[str], bool], what: str = "") -> str:
        """Waits until SEEN(screen); returns the screen."""
        end = time.monotonic() + PATIENCE
        while not seen(screen := self.screen()):
            left = end - time.monotonic()
            assert left > 0, f"{what or 'what was awaited'} never came:\n{screen}"
            for key, _ in self._selector.select(left):
                assert os.read(key.fd, 1 << 16), f"the window is gone:\n{screen}"
        return screen

    def wait_for(self, *texts: str) -> str:
        """Waits until all TEXTS are on the screen."""
        return self.wait(lambda screen: all(text in screen for text in texts), shlex.join(texts))

    def expect_as_before(self) -> None:
        """The terminal is as it was before the command: its screen, its settings, its waiting."""
        flags = "#{alternate_on} #{mouse_any_flag} #{cursor_flag} #{pane_tty}"
        *drawn, tty = self.do("display-message", "-p", "-t", "outer", flags).split()
        assert drawn == ["0", "0", "1"]
        with open(tty, "rb", buffering=0, opener=_no_control) as stdin:
            now = subprocess.run(["stty", "-g"], stdin=stdin, capture_output=True, check=True)
        assert now.stdout == self._settings.read_bytes()
        how = re.search(r"flags:\t(\d+)", Path(f"/proc/{self.pid}/fdinfo/0").read_text("ascii"))
        assert how is not None and not int(how[1], 8) & os.O_NONBLOCK

    def close_window(self) -> None:
        """As somebody does with a click: its programs get SIGHUP."""
        self.do("set-option", "-g", "exit-empty", "off")
        self.do("kill-session", "-t", "outer")

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
        self._selector.close()
        self._control.terminate()
        self._control.communicate()


def _no_control(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOCTTY)


class Left:
    """The processes below OUTER's window, with their private network; all of it has to go."""

    def __init__(self, outer: Outer) -> None:
        self._pidfds: dict[int, int] = {}
        for pid in tree_of(outer.pid):
            with contextlib.suppress(ProcessLookupError):
                self._pidfds[pid] = os.pidfd_open(pid)
        if outer.pid in self._pidfds:
            os.close(self._pidfds.pop(outer.pid))
        self.pids = list(self._pidfds)
        self._networks = {_network_of(pid): pid for pid in self.pids}
        self._networks.pop(_network_of(os.getpid()), None)
        # Held open, its number is given to no other.
        self._held = [os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
                      for name, pid in self._networks.items() if name]

    def find(self, *words: str) -> int:
        """The process whose command has all WORDS, the first there is."""
        return next(pid for pid in self.pids if all(word in command_of(pid) for word in words))

    def expect_nothing(self) -> None:
        """Waits until none of the processes is there, and no other in their network."""
        waiting = select.poll()
        for fd in self._pidfds.values():
            waiting.register(fd, select.POLLIN)
        gone: set[int] = set()
        while len(gone) < len(self._pidfds):
            found = {fd for fd, _ in waiting.poll(PATIENCE * 1000)}
            assert found, [command_of(pid) for pid, fd in self._pidfds.items() if fd not in gone]
            for fd in found:
                waiting.unregister(fd)
            gone |= found
        there = {_network_of(int(name)) for name in os.listdir("/proc") if name.isdigit()}
        assert not (self._networks.keys() - {""}) & there
        for fd in (*self._pidfds.values(), *self._held):
            os.close(fd)


def _network_of(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return ""


def command_of(pid: int) -> str:
    """Its words, a blank behind each; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
