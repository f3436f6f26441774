"""labcap around a test: the recording, and what it says of it afterwards."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
from pathlib import Path
from typing import Any, Callable, Sequence

from labkit.events import DeadlinePassed, EventLoop
from labkit.feedback import HarnessError
from labkit.network import PrivateNetwork
from labkit.paths import LABCAP

_PATIENCE = 20.0
"""Seconds that labcap has for each thing, also after the test's own deadline."""


class Capture:
    """`labcap record` on the network's loopback, from wait_ready() to stop().

    snaplen: bytes kept of each packet, 0 for all. The kernel's buffer holds 24 MiB of them
    that labcap has not taken yet; a test that sends more at once needs short ones.
    """

    def __init__(
        self, loop: EventLoop, network: PrivateNetwork, trace: Path, snaplen: int = 0
    ) -> None:
        self._loop = loop
        self._said = bytearray()
        self._open: set[int] = set()
        self._ready = bytearray()
        null = os.open(os.devnull, os.O_RDWR)
        fds = [null, null, self._reader(self._said), self._reader(self._ready)]
        argv = [str(LABCAP), "record", "-i", "lo", "-w", str(trace), "--ready-fd", "3",
                *(["-s", str(snaplen)] if snaplen else [])]
        try:
            self._process = network.run(argv, fds, env={"PATH": "/usr/bin:/bin"})
        except OSError as error:
            raise HarnessError(f"labcap cannot be run: {error.strerror}") from error
        finally:
            for fd in {*fds}:
                os.close(fd)

    def _reader(self, into: bytearray) -> int:
        """A pipe whose read end fills INTO until its end of file; returns the write end."""
        read_end, write_end = os.pipe()

        def take(_: int) -> None:
            data = os.read(read_end, 4096)
            into.extend(data)
            if not data:
                self._forget(read_end)

        self._open.add(read_end)
        self._loop.watch(read_end, selectors.EVENT_READ, take)
        return write_end

    def _forget(self, fd: int) -> None:
        self._loop.watch(fd, 0, lambda _: None)
        self._open.discard(fd)
        os.close(fd)

    def close(self) -> None:
        """Gives back the descriptors; the network's end ends the recorder itself."""
        for fd in list(self._open):
            self._forget(fd)

    def wait_ready(self) -> None:
        """Returns once no later packet can be missed. Raises HarnessError."""
        self._wait(lambda: bool(self._ready) or self._ended, "did not become ready")
        if not self._ready:
            raise HarnessError(f"the trace cannot be recorded: {self._words}")

    def stop(self) -> None:
        """Ends the recording: every packet the kernel has seen by now is in the trace.

        It says so while its capture is still being closed, which takes the kernel longest.
        Raises HarnessError when a packet was dropped or the file is not whole.
        """
        self.wait_ready()
        if not self._whole:
            self._process.send_signal(signal.SIGTERM)
            self._wait(lambda: self._whole or self._ended, "did not stop")
        if not self._whole:
            raise HarnessError(f"the trace cannot be trusted: {self._words}")

    @property
    def _whole(self) -> bool:
        """It has said that the file is whole, and nothing else."""
        return re.fullmatch(rb"\d+ packets, 0 drops\n", self._said) is not None

    @property
    def _ended(self) -> bool:
        return self._process.status is not None

    @property
    def _words(self) -> str:
        self._loop.turn()
        return self._said.decode(errors="replace").strip() or "labcap record ended by itself"

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        try:
            self._loop.wait(done, at_least=_PATIENCE)
        except DeadlinePassed:
            raise HarnessError(f"labcap record {what} in time") from None


def flows(trace: Path) -> list[dict[str, Any]]:
    """What `labcap flows --json` says of TRACE: an object a connection, then the capture's.

    Raises HarnessError when the trace cannot be trusted.
    """
    done = _labcap("flows", "--json", str(trace))
    if done.returncode != 0:
        raise HarnessError(f"{trace.name}: {done.stderr.strip() or done.stdout.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(trace: Path, expectations: Sequence[str], packets: str = "") -> list[str]:
    """The EXPECTATIONS that `labcap check` finds not met, each with what was seen.

    packets: a libpcap filter, or nothing. Raises HarnessError when an expectation is
    unknown or the trace cannot be trusted.
    """
    done = _labcap("check", str(trace), *([packets] if packets else []), *expectations)
    if done.returncode not in (0, 1):
        raise HarnessError(f"{trace.name}: {done.stderr.strip() or done.stdout.strip()}")
    return [line for line in done.stdout.splitlines() if line.startswith("NOT met")]


def _labcap(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(LABCAP), *args], capture_output=True, text=True, check=False)
