"""What `labcap show` costs beside `labcap flows`, on a million packets in one connection and in a
hundred thousand, and when it begins to print."""

from __future__ import annotations

import statistics
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Iterator, NamedTuple

from labkit.paths import LABCAP

PACKETS = 1_000_000
CONNECTIONS = 100_000
ROOM = ("--max-flows", CONNECTIONS)
"""show forgets no connection."""
START_S = 1_700_000_000
STEP_NS = 1_000
RAW = 101  # link type: IP without anything before it
SYN, FIN, PSH, ACK = 0x02, 0x01, 0x08, 0x10
CLIENT, SERVER = 0, 1


class Segment(NamedTuple):
    """A segment of a connection: `sender` CLIENT or SERVER."""

    connection: int
    sender: int
    seq: int
    ack: int
    flags: int
    data: bytes


def frame(number: int, segment: Segment) -> bytes:
    """The packet with its record header, as a pcap file with nanoseconds has it."""
    client = (bytes([10, 0, 1 + segment.connection // 60_000, 1]),
              1024 + segment.connection % 60_000)
    ends = (client, (b"\x0a\x00\x00\x02", 80))
    (source, from_port), (target, to_port) = ends[segment.sender], ends[1 - segment.sender]
    size = 40 + len(segment.data)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size, number % 65535 + 1, 0x4000, 64, 6, 0,
                     source, target)
    tcp = struct.pack(">HHIIBBHHH", from_port, to_port, segment.seq, segment.ack, 0x50,
                      segment.flags, 65535, 0, 0)
    seconds, nanoseconds = divmod(number * STEP_NS, 10**9)
    record = struct.pack("<IIII", START_S + seconds, nanoseconds, size, size)
    return record + ip + tcp + segment.data


def opened(connection: int) -> Iterator[Segment]:
    yield Segment(connection, CLIENT, 0, 0, SYN, b"")
    yield Segment(connection, SERVER, 0, 1, SYN | ACK, b"")
    yield Segment(connection, CLIENT, 1, 1, ACK, b"")


def closed(connection: int, sent: int, answered: int) -> Iterator[Segment]:
    yield Segment(connection, CLIENT, sent, answered, FIN | ACK, b"")
    yield Segment(connection, SERVER, answered, sent + 1, FIN | ACK, b"")
    yield Segment(connection, CLIENT, sent + 1, answered + 1, ACK, b"")


def one_long() -> Iterator[Segment]:
    """Two segments of data and an acknowledgement, again and again."""
    data, place = b"x" * 100, 1
    yield from opened(0)
    for _ in range(PACKETS // 3 - 2):
        for _ in range(2):
            yield Segment(0, CLIENT, place, 1, PSH | ACK, data)
            place += len(data)
        yield Segment(0, SERVER, 1, place, ACK, b"")
    yield from closed(0, place, 1)


def many_short() -> Iterator[Segment]:
    """Ten packets each: a line and its echo."""
    for connection in range(CONNECTIONS):
        yield from opened(connection)
        yield Segment(connection, CLIENT, 1, 1, PSH | ACK, b"hello!\n")
        yield Segment(connection, SERVER, 1, 8, ACK, b"")
        yield Segment(connection, SERVER, 1, 8, PSH | ACK, b"you said: hello..\n")
        yield Segment(connection, CLIENT, 8, 19, ACK, b"")
        yield from closed(connection, 8, 19)


def write(path: Path, segments: Iterator[Segment]) -> Path:
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, RAW))
        file.writelines(frame(number, segment) for number, segment in enumerate(segments))
    return path


def seconds(*arguments: object) -> float:
    """How long a command of labcap takes whose output nobody reads."""
    began = time.perf_counter()
    subprocess.run([str(LABCAP), *map(str, arguments)], check=True, timeout=120,
                   stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def first_line_ms(path: Path) -> float:
    """Milliseconds until the first line of a trace that comes through a pipe."""
    with path.open("rb") as trace:
        feeder = subprocess.Popen(["cat"], stdin=trace, stdout=subprocess.PIPE)
    began = time.perf_counter()
    show = subprocess.Popen([LABCAP, "show", *map(str, ROOM), "-"], stdin=feeder.stdout,
                            stdout=subprocess.PIPE)
    assert feeder.stdout is not None and show.stdout is not None
    feeder.stdout.close()
    show.stdout.readline()
    took = (time.perf_counter() - began) * 1e3
    show.stdout.read()
    show.wait(120)
    feeder.wait(120)
    return took


def row(what: str, value: str, target: str = "") -> None:
    print(f"{what:<52} {value:>9}  {target}".rstrip())


def report_trace(what: str, path: Path, rounds: int) -> None:
    flows, folded, whole = [], [], []
    for _ in range(rounds):
        flows.append(seconds("flows", path))
        folded.append(seconds("show", *ROOM, path))
        whole.append(seconds("show", *ROOM, "--all", path))
    print(what)
    row("  flows", f"{statistics.median(flows):.2f} s")
    row("  show / flows, median of pairs", f"{ratio(folded, flows):.2f}", "at most 3")
    row("  show --all / flows, median of pairs", f"{ratio(whole, flows):.2f}")
    first = statistics.median(first_line_ms(path) for _ in range(rounds))
    row("  show, from a pipe: its first line after", f"{first:.1f} ms")


def ratio(these: list[float], those: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(these, those))


def report(rounds: int) -> None:
    """Makes both traces, measures in ROUNDS pairs and prints the result."""
    with tempfile.TemporaryDirectory() as name:
        path = write(Path(name) / "long.pcap", one_long())
        report_trace(f"{PACKETS:,} packets in one connection", path, rounds)
        path = write(Path(name) / "short.pcap", many_short())
        report_trace(f"{PACKETS:,} packets in {CONNECTIONS:,} connections", path, rounds)
