"""Where the lab's programs and programs that nobody here wrote meet: one private network.

Clients of others are the system's; servers of others were unpacked by harness/setup. All of
them run in the sandbox, as the lab's do, and work in a Folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator
from unittest import mock

from labkit.feedback import HarnessError
from labkit.folders import Folder
from labkit.paths import OUT
from labkit.program import Program
from labkit.scenario import Scenario
from labkit.scenario.world import PATIENCE

LAB = "04-file-transfer"
_WRITE = """
import random, sys
name, size = sys.argv[1:]
left, part = int(size), bytearray(random.Random(1).randbytes(1 << 20))
with open(name, "wb") as file:
    while left:
        part[:8] = left.to_bytes(8, "big")  # no two parts alike
        left -= file.write(part[:left])
        print(left, flush=True)  # a sign of life: it waits for nothing, and that is no harm
"""
PYTHON = sys.executable if sys.executable.startswith("/usr/") else "/usr/bin/python3"
"""One that a sandbox shows."""
_UNPACKED = {"vsftpd": "vsftpd", "in.tftpd": "tftpd-hpa", "atftpd": "atftpd"}
"""Servers, each with the package that it is unpacked from."""
_MOST_SECONDS = 300.0
"""What a test may take that moves a gibibyte or waits for others, on a busy machine too."""


STALLED = ("--speed-time", "20", "--speed-limit", "1")
"""Lets curl end where nothing comes any more."""


class NoCapture:
    """In place of a recording."""

    def __init__(self, *_: Any) -> None:
        pass

    def wait_ready(self) -> None:
        """Nothing has to be waited for."""

    stop = close = wait_ready


class Meeting(Scenario):
    """A scenario in which a test may also wait for something by itself."""

    def take_output(self) -> None:
        """Takes in what programs have printed: else they wait, once their pipes are full."""
        self._loop.turn()

    def administer(self, *argv: str) -> None:
        """Runs ARGV to its end, which must be a success, as the network's own root.

        It sees the folders where they are, at Folder.shown.path, and all the machine.
        """
        null = os.open(os.devnull, os.O_RDWR)
        try:
            process = self.network.run(argv, [null, null, 2],
                                       env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"})
        finally:
            os.close(null)
        self._loop.wait(lambda: process.status is not None, at_least=PATIENCE)
        assert process.status == 0, f"{argv[0]} failed"


@contextlib.contextmanager
def meeting(
    work: Path, trace: Path, *places: Path, recorded: bool = True, seconds: float = _MOST_SECONDS
) -> Iterator[Meeting]:
    """A scenario with the programs in PLACES, the first that has one, and with others' servers.

    WORK: of a sandbox.workspace(). Not RECORDED, there is no TRACE, and any number of packets
    may pass. SECONDS: how long it all may take.
    """
    others = unpacked(work)

    def find(name: str) -> Path:
        return next((place / name for place in (*places, others) if (place / name).exists()),
                    others / name)

    with contextlib.ExitStack() as changes:
        changes.enter_context(mock.patch("labkit.scenario.world.DEADLINE", seconds))
        if not recorded:
            changes.enter_context(mock.patch("labkit.scenario.world.Capture", NoCapture))
        lab = Meeting(work, find, trace)
    with contextlib.closing(lab):
        yield lab


def unpacked(work: Path) -> Path:
    """The folder of others' servers: 'tftpd' is in.tftpd with what it needs in a sandbox."""
    folder = work / "unpacked"
    if folder.is_dir():
        return folder
    folder.mkdir()
    folder.chmod(0o755)
    for name, package in _UNPACKED.items():
        found = shutil.which(name, path=f"{OUT}/peers/{package}/usr/sbin:/usr/sbin:/usr/bin")
        if found is None:
            raise HarnessError(f"{name} is missing: run 'harness/setup test'")
        shutil.copy2(found, folder / name)
    subprocess.run([
        "cc", "-D_GNU_SOURCE", "-Wall", "-Werror", "-shared", "-fPIC", "-o", folder / "granted.so",
        Path(__file__).parent / "sandboxed_server.c", "-ldl"], check=True)
    script = folder / "tftpd"
    script.write_text('#!/bin/sh\nLD_PRELOAD=/lab/granted.so exec /lab/in.tftpd "$@"\n')
    script.chmod(0o755)
    return folder


def use(lab: Scenario, folder: Folder, name: str, *args: str, **how: Any) -> Program:
    """Runs the system's program NAME in FOLDER to its end, which must be a success."""
    program = lab.start_tool(name, *args, folder=folder, **how)
    lab.expect_exit(program, 0)
    return program


def write_big(lab: Scenario, folder: Folder, name: str, size: int) -> None:
    """File NAME of FOLDER has SIZE bytes from now on, too many for a test to hold."""
    use(lab, folder, PYTHON, "-c", _WRITE, name, str(size))


def url_host(address: str) -> str:
    """ADDRESS as a URL has it."""
    return f"[{address}]" if ":" in address else address


def sample(size: int) -> bytes:
    """SIZE bytes, of all values and with line ends of every kind, no two blocks alike."""
    words = b"".join(b"%d\r\n%c\n\0\r%c" % (i * i, i % 256, i * 7 % 256)
                     for i in range(size // 8 + 1))
    return words[:size]
