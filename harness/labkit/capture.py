"""labcap around a test: the recording, and what it says of it afterwards."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
from pathlib import Path
from typing import Any, Sequence

from labkit.events import DeadlinePassed, EventLoop
from labkit.feedback import HarnessError
from labkit.network import PrivateNetwork
from labkit.paths import LABCAP


class Capture:
    """`labcap record` on the network's loopback, from construction to stop().

    When the constructor returns, no later packet can be missed.
    """

    def __init__(self, loop: EventLoop, network: PrivateNetwork, trace: Path) -> None:
        self.trace = trace
        self._loop = loop
        self._said = bytearray()
        null = os.open(os.devnull, os.O_RDWR)
        said, stderr = os.pipe()
        ready, ready_fd = os.pipe()
        self._said_fd = said
        fds = [null, null, stderr, ready_fd]
        argv = [str(LABCAP), "record", "-i", "lo", "-w", str(trace), "--ready-fd", "3"]
        try:
            self._process = network.run(argv, fds, env={"PATH": "/usr/bin:/bin"})
        except OSError as error:
            raise HarnessError(f"labcap cannot be run: {error.strerror}") from error
        finally:
            for fd in {*fds}:
                os.close(fd)
        self._wait_ready(ready)

    def _wait_ready(self, ready: int) -> None:
        heard: list[bytes] = []
        self._loop.watch(ready, selectors.EVENT_READ, lambda _: heard.append(os.read(ready, 1)))
        try:
            self._wait(lambda: bool(heard), "did not become ready")
        finally:
            self._loop.watch(ready, 0, lambda _: None)
            os.close(ready)
        if heard != [b"\n"]:
            self._wait(lambda: self._process.status is not None, "did not end")
            raise HarnessError(f"the trace cannot be recorded: {self._drain()}")

    def stop(self) -> None:
        """Ends the recording: every packet the kernel has seen by now is in the trace.

        Raises HarnessError when a packet was dropped or the file is not whole.
        """
        if self._process.status is None:
            self._process.send_signal(signal.SIGTERM)
            self._wait(lambda: self._process.status is not None, "did not stop")
        said = self._drain()
        if self._process.status != 0:
            raise HarnessError(f"the trace cannot be trusted: {said or 'labcap record failed'}")

    def _drain(self) -> str:
        if self._said_fd >= 0:
            while data := os.read(self._said_fd, 4096):
                self._said += data
            os.close(self._said_fd)
            self._said_fd = -1
        return self._said.decode(errors="replace").strip()

    def _wait(self, done: Any, what: str) -> None:
        try:
            self._loop.wait(done)
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
