"""What `labcap show --json` tells of a trace, as objects: flows, and the rows of their ladders."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import threading
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Optional, Sequence, Union

from labkit.feedback import clean_line
from labkit.paths import LABCAP

PATIENCE = 20.0
"""Seconds that labcap has for one trace."""
OUTPUT_BYTES = 16 * 1024 * 1024
"""What is read of its output; a trace with more to tell is cut here."""
PAYLOAD_BYTES = 256
"""What is kept of a packet's payload, or of what a call sent or received."""


class Phase(NamedTuple):
    """The handshake, the data or the teardown begins."""

    name: str


class Packet(NamedTuple):
    """One packet, an arrow from one side to the other."""

    number: int
    time: int
    """Nanoseconds since the flow's first packet."""
    gap: Optional[int]
    """Nanoseconds since the packet before."""
    to_server: bool
    label: str
    text: str
    seq: Optional[int]
    ack: Optional[int]
    length: int
    note: str
    comment: str
    tone: str
    lost: bool
    client_state: str
    """Where it changes; else ''."""
    server_state: str
    payload: bytes


class Call(NamedTuple):
    """A system call, or its beginning, or its end."""

    number: int
    """Its beginning and its end have the same."""
    to_server: bool
    """It is the server's."""
    process: str
    """'' for a program's first thread; 'child', 'thread 2'."""
    pid: int
    part: str
    """'begin', 'end' or 'whole'."""
    quiet: bool
    name: str
    text: str
    result: str
    time: int
    duration: Optional[int]
    """Nanoseconds; None where it never ended."""
    client_state: str
    """Where it changes; else ''."""
    server_state: str
    data: bytes
    note: str


class Fold(NamedTuple):
    """Packets that are told in a sum."""

    text: str
    first_packet: int
    last_packet: int


Row = Union[Phase, Packet, Call, Fold]


class Side(NamedTuple):
    """One end of a flow."""

    address: str
    """With the port, as in '127.0.0.1:4321'."""
    state: str
    """Of TCP, before the first packet."""
    processes: Sequence[str]


@dataclass
class Flow:
    """A connection, or the datagrams between two ports."""

    number: int
    protocol: str
    client: Side
    server: Side
    start: int
    """Nanoseconds since 1970."""
    packets: int
    duration: int
    """Nanoseconds."""
    lines: list[bytes] = field(default_factory=list)
    """Its rows as labcap told them; only those that are shown are worth a closer look."""
    rows: list[Row] = field(default_factory=list)
    """Those that are shown."""
    outcome: str = ""


@dataclass
class Told:
    """All that labcap told of one trace."""

    flows: list[Flow] = field(default_factory=list)
    no_calls: str = ""
    """Why there are no system calls, where a log of them was given and could not be used."""
    problem: str = ""
    """Why this is not the whole trace, in a line."""


def read_rows(trace: Path, logs: Sequence[Path] = ()) -> Told:
    """What TRACE shows, with the system calls in LOGS. What fails is in Told.problem."""
    argv = [str(LABCAP), "show", "--json"]
    for log in logs:
        argv += ["--syscalls", str(log)]
    output, problem = _output_of([*argv, str(trace)])
    whole, rest = _told_in(output)
    told = whole[0] if whole else rest
    told.problem = problem or ("" if whole else "labcap does not tell what is in this trace")
    return told


def read_all(traces: Sequence[Path], most: int = 0) -> Optional[list[Told]]:
    """What each of TRACES shows, with the system calls in the log that stands beside it, if any.

    most: flows of a trace that come behind so many rows have none, unless it is 0.
    One labcap does it, and is started once. None where anything fails: read_rows() tells what.
    """
    limit = ["--rows", str(most)] if most else []
    output, problem = _output_of([str(LABCAP), "show", "--json", "--syscalls-beside", *limit,
                                  *map(str, traces)])
    whole, _ = _told_in(output)
    return whole if not problem and len(whole) == len(traces) else None


def _told_in(output: bytes) -> tuple[list[Told], Told]:
    """What labcap told of each trace to its end, and of one that it did not finish."""
    whole: list[Told] = []
    told, flows = Told(), dict[int, Flow]()
    for line in output.split(b"\n"):
        if _take(told, flows, line):
            whole.append(told)
            told, flows = Told(), dict[int, Flow]()
    return whole, told


def _output_of(argv: Sequence[str]) -> tuple[bytes, str]:
    """What ARGV writes to stdout, and why that is not to be trusted as a whole, if so."""
    problem = ""
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=said)
        except OSError as error:
            return b"", f"labcap cannot be run: {error.strerror}"
        alarm = threading.Timer(PATIENCE, process.kill)
        alarm.start()
        try:
            with process:
                assert process.stdout is not None
                output = process.stdout.read(OUTPUT_BYTES + 1)
                if len(output) > OUTPUT_BYTES:
                    problem = "the trace has more to tell than this page holds"
                    process.kill()
        finally:
            alarm.cancel()
        if process.returncode < 0 and not problem:
            problem = f"labcap did not draw the trace within {PATIENCE:.0f} seconds"
        elif process.returncode > 0:
            said.seek(0)
            problem = clean_line(said.read(1000).decode(errors="replace").strip())
    return output, problem


def _take(told: Told, flows: dict[int, Flow], line: bytes) -> bool:
    """Adds what LINE tells to TOLD and FLOWS; true where it is the last line of all."""
    head = _HEAD.match(line)
    if head is not None and head[1] in _ROWS:
        flows[int(head[2])].lines.append(line)
        return False
    try:
        row = _json(line)
    except ValueError:
        return False  # the end of the output, or where it was cut
    if row["type"] == "trace":
        told.no_calls = row.get("calls") or ""
        return True
    if row["type"] == "flow":
        flows[row["flow"]] = flow = _flow(row)
        told.flows.append(flow)
    elif row["type"] == "outcome":
        flows[row["flow"]].outcome = row["text"]
    return False


def row_of(line: bytes) -> Optional[Row]:
    """The row that is one of Flow.lines; None where the output ended within it."""
    try:
        row = _json(line)
    except ValueError:
        return None
    made: Row = _ROWS[row["type"].encode()](row)
    return made


def packets_in(line: bytes) -> Optional[tuple[int, int]]:
    """The first and the last packet that one of Flow.lines tells of, if it is of packets."""
    found = _PACKET.search(line)
    if found is None:
        return None
    return int(found[1]), int(found[2] or found[1])


def _json(line: bytes) -> Any:
    return _ROW.decode(line.decode("utf-8", "surrogatepass"))


def _flow(row: dict[str, Any]) -> Flow:
    states = row.get("states") or {}
    return Flow(row["flow"], row["protocol"], _side(row["client"], states.get("client")),
                _side(row["server"], states.get("server")), row["start"],
                row["packets"], row["duration"])


def _nanoseconds(seconds: str) -> int:
    return int(Decimal(seconds).scaleb(9))


def _side(end: dict[str, Any], state: Optional[str]) -> Side:
    host = f"[{end['address']}]" if ":" in end["address"] else end["address"]
    return Side(f"{host}:{end['port']}", state or "", tuple(end.get("processes") or ()))


def _packet(row: dict[str, Any]) -> Packet:
    states = row.get("states") or {}
    return Packet(
        row["packet"], row["time"], row["gap"], row["to_server"], row["label"], row["text"],
        row.get("seq"), row.get("ack"), row["length"], row["note"], row.get("comment") or "",
        row["tone"], row["lost"], states.get("client") or "", states.get("server") or "",
        _bytes(row.get("payload")))


def _call(row: dict[str, Any]) -> Call:
    states = row.get("states") or {}
    return Call(
        row["call"], row["side"] == "server", row["process"], row["pid"], row["part"],
        row["weight"] == "quiet", row["name"], row["text"], row["result"] or "", row["time"],
        row["duration"], states.get("client") or "", states.get("server") or "",
        _bytes(row.get("data")), row["note"])


def _bytes(text: Optional[str]) -> bytes:
    return bytes.fromhex((text or "")[: 2 * PAYLOAD_BYTES])


_ROW = json.JSONDecoder(parse_float=_nanoseconds)
"""Whatever has a fraction there is a time in seconds, finer than a float of today is."""
_ROWS: dict[bytes, Any] = {
    b"phase": lambda row: Phase(row["name"]),
    b"packet": _packet,
    b"call": _call,
    b"fold": lambda row: Fold(row["text"], row["first_packet"], row["last_packet"]),
}
_HEAD = re.compile(rb'\{"type":\s?"(\w+)",\s?"flow":\s?(\d+)')
_PACKET = re.compile(rb'"(?:packet|first_packet)":\s?(\d+)(?:,\s?"last_packet":\s?(\d+))?')
"""No text has these: a quotation mark in one has a backslash before it."""
