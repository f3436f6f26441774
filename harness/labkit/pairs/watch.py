"""harness/watch: a pair of programs to type into, and their packets as they are sent.

Three windows of tmux: the server, the client, and the ladder that `labcap watch` draws. All
of it is in a private network, which ends with the command, and all that runs in there with it.

Exit status: 0 it was left, 1 a program could not be built, 2 usage, 3 the harness failed.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, Mapping, Optional, Sequence

from labkit import asked, paths, sandbox
from labkit.asked import say
from labkit.build import Build
from labkit.events import EventLoop
from labkit.feedback import HarnessError, Mismatch
from labkit.folders import Folder
from labkit.limits import raise_descriptor_limit
from labkit.network import PrivateNetwork
from labkit.pairs.guard import guarded
from labkit.pairs.pane import Part
from labkit.pairs.run import add_pair_arguments, built, told
from labkit.pairs.screen import Screen
from labkit.pairs.table import find, listed
from labkit.pairs.windows import Windows
from labkit.sandbox import Shown
from labkit.scenario.files import ROOM
from labkit.trees import remove_tree

_PATIENCE = 5
"""Seconds that tmux has to leave the terminal as it was, when it is asked to."""


def main(argv: Optional[Sequence[str]] = None) -> int:
    return asked.exit_status("watch", lambda: _Watch(_parse(argv)).run())


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = asked.Parser("harness/watch", __doc__, listed())
    add_pair_arguments(parser)
    return parser.parse_args(argv)


class _Watch:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._pair = find(options.lab, options.pair)
        self._submission = asked.known_submission(options.submission, [self._pair.lab])
        self._screen = Screen()

    def run(self) -> int:
        """Shows the pair until it is left; returns the exit status. Raises HarnessError."""
        asked.check_parts([paths.LABCAP, paths.LABHOST, paths.LABINIT])
        if shutil.which("tmux") is None:
            raise HarnessError("tmux is missing: run 'harness/setup watch' (package tmux)")
        os.chdir(paths.HARNESS)  # modules are never taken from where the user happens to be
        raise_descriptor_limit()
        with sandbox.workspace() as work:
            try:
                return guarded("watch", lambda end: self._work(work, end))
            except HarnessError:
                self._screen.restore(drawn=True)
                raise
            finally:
                remove_tree(work / self._pair.lab)

    def _work(self, work: Path, end: int) -> int:
        """The worker's part; also removes WORK, as the guard may not be there any more."""
        try:
            with built(self._pair, self._submission, work) as made:
                self._show(work, made, end)
        except Mismatch as problem:
            say(told(problem, self._pair))
            return asked.SOME_FAILED
        finally:
            remove_tree(work)
        return asked.OK

    def _show(self, work: Path, made: Build, end: int) -> None:
        loop = EventLoop(math.inf)
        drawn = False
        with contextlib.ExitStack() as undo:
            undo.callback(loop.close)
            undo.callback(lambda: self._screen.restore(drawn))  # when nobody else can any more
            network = PrivateNetwork(loop)
            undo.callback(network.close)
            panes = []
            for command, role in ((self._pair.server, "server"), (self._pair.client, "client")):
                folder = None if command.files is None else _folder(network, work, command.files)
                panes.append((f"{command.name or role}: {' '.join(command.argv)}",
                              Part(str(work), str(made.folder), command.argv, folder,
                                   at_once=role == "server")))
            windows = Windows(loop, network, work, panes, self._screen.size)
            drawn = True
            drawn = _attach(loop, windows.client, end) != 0


def _folder(network: PrivateNetwork, work: Path, files: Mapping[str, bytes]) -> str:
    """A folder with FILES that only programs in NETWORK see."""
    path = Path(tempfile.mkdtemp(prefix="folder-", dir=work))
    folder = Folder(network.folder(path, ROOM), Shown(path, False))
    with contextlib.closing(folder):
        for name, data in files.items():
            folder.write(name, data)
    return str(path)


def _attach(loop: EventLoop, command: Sequence[str], end: int) -> int:
    """Shows the windows on the user's terminal until they are left, or END says so.

    Returns the status of COMMAND, the client of tmux: 0 where the terminal is as it was.
    """
    client = subprocess.Popen(command)
    left: list[int] = []
    with _pidfd(client.pid) as ended:
        for fd in (ended, end):
            loop.watch(fd, selectors.EVENT_READ, left.append)
        try:
            loop.wait(lambda: bool(left))
        finally:
            for fd in (ended, end):
                loop.watch(fd, 0, left.append)
            client.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                client.wait(_PATIENCE)
            client.kill()
            client.wait()
    return client.returncode


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        os.close(fd)


if __name__ == "__main__":
    sys.exit(main())
