"""The windows of `make watch`: a tmux of its own inside the private network.

It has its own server, socket and settings: nobody's ~/.tmux.conf is read and no other tmux
is touched. The server and all that runs in it are processes of the network, and end with it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Sequence

from labkit.events import EventLoop
from labkit.feedback import HarnessError, clean_line
from labkit.network import PrivateNetwork
from labkit.pairs.pane import Part
from labkit.paths import HARNESS, LABCAP
from labkit.tool import PATIENCE

_SETTINGS = """\
set -g default-terminal screen-256color
set -g mouse on
set -s escape-time 25
set -g history-limit 20000
set -g update-environment ""
set -g allow-rename off
set -g set-titles off
set -g pane-border-status top
set -g pane-border-format " #{?pane_active,#[bold],}#{@title} "
set -g status-left ""
set -g status-right ""
set -g status-style reverse
set -g window-status-current-format " #{@keys} "
unbind C-z
bind -n F10 detach-client
"""
_KEYS = "leave: F10 or {prefix} d   other window: click or {prefix} o"
_LADDER = """\
trap 'interrupted=yes' INT
while :; do
    "$@"
    printf '[Enter begins another ladder] '
    interrupted=
    until read -r _; do
        [ -n "$interrupted" ] || exit 1
        interrupted=
    done
done"""
"""What the ladder's window runs; its arguments are the command, which Ctrl-C is for."""
_KEPT = ("COLORTERM", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "NO_COLOR", "PATH", "SHELL",
         "TERM", "USER")
"""What of the user's environment goes in; the rest could be more than fits in a message."""


class Windows:
    """tmux in NETWORK, its socket and its settings in the folder WORK.

    panes: title and part of the two programs; the ladder stands below them.
    """

    def __init__(
        self, loop: EventLoop, network: PrivateNetwork, work: Path,
        panes: Sequence[tuple[str, Part]], size: os.terminal_size,
    ) -> None:
        tmux = shutil.which("tmux")
        if tmux is None:
            raise HarnessError("tmux is missing: run 'harness/setup watch'")
        self._command = [tmux, "-S", str(work / "tmux"), "-f", str(work / "tmux.conf")]
        (work / "tmux.conf").write_text(_SETTINGS, "utf-8")
        self._start(loop, network, panes, size)

    @property
    def client(self) -> list[str]:
        """The command that shows them on the terminal it is run on, from outside too."""
        return [*self._command, "attach-session", "-t", "watch"]

    def _start(
        self, loop: EventLoop, network: PrivateNetwork, panes: Sequence[tuple[str, Part]],
        size: os.terminal_size,
    ) -> None:
        (server_title, server), (client_title, client) = panes
        titles = {"0.0": server_title, "0.1": client_title, "0.2": "packets"}
        prefix = "Ctrl-b Ctrl-b" if "TMUX" in os.environ else "Ctrl-b"
        commands = [
            ["new-session", "-d", "-s", "watch", "-x", str(max(80, size.columns)),
             "-y", str(max(24, size.lines)),
             *_python(server)],
            ["split-window", "-v", "-l", "65%", "sh", "-c", _LADDER, "ladder",
             str(LABCAP), "watch", "-i", "lo"],
            ["split-window", "-h", "-t", "watch:0.0", *_python(client)],
            *(["set-option", "-p", "-t", f"watch:{pane}", "@title", title]
              for pane, title in titles.items()),
            ["set-option", "-g", "@keys", _KEYS.format(prefix=prefix)],
        ]
        words = [word for command in commands for word in [*command, ";"]][:-1]
        said = os.memfd_create("said")
        null = os.open(os.devnull, os.O_RDWR)
        env = {name: os.environ[name] for name in _KEPT if name in os.environ}
        try:
            process = network.run([*self._command, *words], [null, said, said],
                                  cwd=HARNESS, env=env)
            loop.wait(lambda: process.status is not None, at_least=PATIENCE)
            text = os.pread(said, 1000, 0).decode(errors="replace").strip()
        finally:
            os.close(said)
            os.close(null)
        if process.status != 0:
            raise HarnessError(f"tmux cannot start: {clean_line(text)}")


def _python(part: Part) -> list[str]:
    """The command of the window of PART."""
    return [sys.executable, "-m", "labkit.pairs.pane", part.to_json()]
