"""What is known of a test's programs at the moment it fails."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Optional, Sequence

from labkit import capture
from labkit.diagnosis.calls import Log, read_log
from labkit.feedback import HarnessError
from labkit.program import Exit, Program
from labkit.sandbox import Excess
from labkit.scenario import Scenario

DYING = 0.3
"""Seconds that a program has to end, or to come to rest, after what the test has seen of it."""
STDERR = 4096
"""Bytes kept of the end of what a program said on stderr."""


@dataclass(frozen=True)
class Seen:
    """One program of the submission, as it was found."""

    name: str
    command: str
    exit: Optional[Exit]
    """None: it still runs."""
    stderr: str
    seconds: float
    """Of processor time that it has used."""
    blocked: bool
    """It still runs, and every thread of it waits for something."""
    strace: bytes
    """Its log of system calls; empty where there is none."""
    transport: str
    """What its lab's table has it use: 'tcp' or 'udp'."""
    excess: Optional[Excess] = None
    """What it used too much of, for which the harness ended it."""

    @cached_property
    def log(self) -> Log:
        return read_log(self.strace)

    @property
    def signal(self) -> str:
        """The name of the signal that ended it, '' where none did."""
        number = self.exit.signal if self.exit is not None else None
        return "" if number is None else signal.Signals(number).name


@dataclass(frozen=True)
class Evidence:
    """All of it: what the test expected, saw and suspects; its programs; its trace."""

    expected: str
    seen: str
    suspicion: str
    """The key of the fault that the test suspects; 'other' where it does not."""
    programs: Sequence[Seen]
    trace: Path
    lab: str = ""
    """Which lab its programs are of."""

    @cached_property
    def flows(self) -> Sequence[dict[str, Any]]:
        """The trace's connections, as `labcap flows --json` has them; none where it has no word."""
        with contextlib.suppress(HarnessError):
            return [flow for flow in capture.flows(self.trace) if flow["type"] != "capture"]
        return []


def evidence_of(lab: Scenario, of: str, expected: str, seen: str, suspicion: str) -> Evidence:
    """What LAB, which is still open, shows of a test that failed just now.

    Its recording is ended. OF: which lab its programs are of, by its folder's name. EXPECTED,
    SEEN and SUSPICION are the test's own words.
    """
    own = [program for program in lab.programs if program.submitted]
    for program in own:
        if program.exit is None:  # a connection's end can be seen before its program's
            lab.wait_blocked(program, DYING)
            if program.has_ended:
                lab.wait_gone(program)
    with contextlib.suppress(HarnessError):
        lab.end_recording()
    programs = [_seen(lab, of, program) for program in own]
    return Evidence(expected, seen, suspicion, programs, lab.trace, of)


def _seen(lab: Scenario, of: str, program: Program) -> Seen:
    state = program.activity()
    ended = program.exit
    return Seen(
        program.name, program.command, ended,
        program.stderr[-STDERR:].decode(errors="replace"),
        ended.processor_seconds if ended is not None else state.seconds,
        ended is None and state.blocked, lab.calls.so_far(program),
        transport_of(of, program.name), program.excess)


def transport_of(lab: str, program: str) -> str:
    """What LAB's table has PROGRAM use: 'tcp' or 'udp'."""
    return "udp" if lab == "03-udp" or program.startswith("udp_") else "tcp"
