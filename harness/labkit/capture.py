"""labcap around a test: the recording, and what it says of it afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any, Optional, Sequence

from labkit.events import EventLoop
from labkit.feedback import HarnessError
from labkit.network import PrivateNetwork
from labkit.paths import LABCAP
from labkit.tool import READY_FD, Tool

_WHOLE = 1600
"""Bytes that hold every packet of a link, whose MTU is 1500, and what is recorded before it."""

MANY = 24
"""MiB of buffer for a capture of any size: 15,000 packets of 1,500 bytes each."""
FEW = 8
"""The same for one of a few thousand packets: to give and to take it costs the kernel less."""
FEW_PACKETS = 4000
"""Packets of a capture that a buffer of FEW does for: it has room for all of them."""

_FILES_AT_ONCE, _MOST_FILES = 50, 1000
"""Which a labcap gets where there are processors for more, and at most: one command line holds
as many, whatever their names."""


class Capture:
    """`labcap record` from wait_ready() to stop(): on the loopback of the network's only host.

    Between two hosts it records both ends of the link in its middle: what comes in there is
    what was sent, what goes out is what arrives.
    snaplen: bytes kept of each packet, 0 for all. buffer: MiB in which the kernel holds those
    that labcap has not taken yet; a test that sends more at once needs short ones.
    """

    def __init__(
        self, loop: EventLoop, network: PrivateNetwork, trace: Path, snaplen: int = 0,
        buffer: int = MANY,
    ) -> None:
        interface = "lo" if len(network.names) == 1 else "any"
        if interface == "any" and not snaplen:
            snaplen = _WHOLE  # else the kernel keeps 64 KiB free for each, and few are held
        argv = [str(LABCAP), "record", "-i", interface, "-w", str(trace),
                "--ready-fd", str(READY_FD), "-B", str(buffer),
                *(["-s", str(snaplen)] if snaplen else [])]
        self._tool = Tool(loop, network, argv, "labcap record")

    def close(self) -> None:
        """Gives back the descriptors; the network's end ends the recorder itself."""
        self._tool.close()

    def wait_ready(self) -> None:
        """Returns once no later packet can be missed. Raises HarnessError."""
        self._tool.wait_ready()

    def stop(self) -> None:
        """Ends the recording: every packet the kernel has seen by now is in the trace.

        It says so while its capture is still being closed, which takes the kernel longest.
        Raises HarnessError when a packet was dropped or the file is not whole.
        """
        self.wait_ready()
        if not self._whole:
            self._tool.send_signal(signal.SIGTERM)
            self._tool.wait(lambda: self._whole or self._tool.ended, "did not stop")
        if not self._whole:
            raise HarnessError(f"the trace cannot be trusted: {self._tool.words}")

    @property
    def packets(self) -> Optional[int]:
        """How many are in the trace; None where it is not known to be whole."""
        said = re.fullmatch(rb"(\d+) packets, 0 drops\n", self._tool.said)
        return int(said[1]) if said else None

    @property
    def _whole(self) -> bool:
        return self.packets is not None


def flows(trace: Path) -> list[dict[str, Any]]:
    """What `labcap flows --json` says of TRACE: an object a connection, then the capture's.

    Raises HarnessError when the trace cannot be trusted.
    """
    return _flows(_said_of(trace, "flows", "--json", str(trace)))


def check(trace: Path, expectations: Sequence[str], packets: str = "") -> list[str]:
    """The EXPECTATIONS that `labcap check` finds not met, each with what was seen.

    packets: a libpcap filter, or nothing. Raises HarnessError when an expectation is
    unknown or the trace cannot be trusted.
    """
    return _unmet(_said_of(trace, "check", str(trace), *([packets] if packets else []),
                           *expectations))


def flows_and_check(
    trace: Path, expectations: Sequence[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Both flows() and check(), by a labcap that reads TRACE once."""
    said = _said_of(trace, "check", "--json", str(trace), *expectations)
    return _flows(said), _unmet(said)


def _flows(said: Sequence[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said if line.startswith("{")]


def _unmet(said: Sequence[str]) -> list[str]:
    return [line for line in said if line.startswith("NOT met")]


def _said_of(trace: Path, command: str, *args: str) -> list[str]:
    """The lines that labcap's COMMAND prints; raises HarnessError where it can say nothing."""
    done = _labcap(command, *args)
    if done.returncode != 0 and (command, done.returncode) != ("check", 1):
        raise HarnessError(f"{trace.name}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.splitlines()


class Annotating:
    """Writes into each of TRACES, as comments on its packets, what they do; beside other work.

    Whoever reads one meanwhile finds it with all its comments or without any.
    """

    def __init__(self, traces: Sequence[Path]) -> None:
        parts = max(-(-len(traces) // _MOST_FILES),
                    min(len(os.sched_getaffinity(0)), -(-len(traces) // _FILES_AT_ONCE)))
        self._begun: list[subprocess.Popen[str]] = []
        self._problem: Optional[str] = None
        try:
            for part in filter(None, (traces[start::parts] for start in range(parts))):
                self._begun.append(subprocess.Popen(
                    [str(LABCAP), "annotate", *map(str, part)], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                    errors="backslashreplace"))
        except OSError as error:
            self._problem = f"labcap cannot be run: {error.strerror}"

    def wait(self) -> Optional[str]:
        """Returns at the end: None; or, in a line, why some trace has no comments.

        It is as it was then, or as much as was recorded of it has its comments.
        """
        complaints = [self._problem] if self._problem else []
        for process in self._begun:
            _, said = process.communicate()
            if process.returncode != 0:
                complaints += said.splitlines() or [f"labcap ended with {process.returncode}"]
        if len(complaints) > 1:
            return f"{complaints[0]} (and {len(complaints) - 1} more)"
        return complaints[0] if complaints else None


def _labcap(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(LABCAP), *args], capture_output=True, text=True, check=False,
                          errors="backslashreplace")
