"""The reference pair's packets, read by tshark: an eye that no one here wrote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from workbench import Workbench, graded_tests

COMPLETE = "31"
"""tcp.completeness: SYN, SYN+ACK, ACK, data and FIN were seen, and no RST."""


@pytest.mark.parametrize("name, size", [
    ("test_pair_says_hello", 6), ("test_pair_carries_a_big_stream", 1 << 20)])
def test_tshark_finds_the_pairs_connection_complete(
    bench: Workbench, name: str, size: int
) -> None:
    bench.run(graded_tests("01-tcp-echo")[name], bench.reference)
    rows = tshark(bench.reference / f"{name}.pcapng", "tcp.stream", "tcp.completeness",
                  "tcp.flags.reset", "tcp.srcport", "tcp.seq", "tcp.len")
    assert {tuple(row[:3]) for row in rows} == {("0", COMPLETE, "0")}
    to_server = [row for row in rows if row[3] != "4321"]
    to_client = [row for row in rows if row[3] == "4321"]
    for way in (to_server, to_client):
        assert unique_bytes([(int(row[4]), int(row[5])) for row in way]) == size


def test_tshark_reads_the_interface_and_whole_packets(bench: Workbench) -> None:
    name = "test_pair_says_hello"
    bench.run(graded_tests("01-tcp-echo")[name], bench.reference)
    rows = tshark(bench.reference / f"{name}.pcapng", "frame.interface_name", "frame.cap_len",
                  "frame.len")
    assert {row[0] for row in rows} == {"lo"}
    assert all(row[1] == row[2] for row in rows)


def unique_bytes(segments: list[tuple[int, int]]) -> int:
    """Bytes in SEGMENTS, (sequence number, length) each, counted once however often sent."""
    total = end = 0
    for start, length in sorted(segments):
        total += max(0, start + length - max(start, end))
        end = max(end, start + length)
    return total


def tshark(trace: Path, *fields: str) -> list[list[str]]:
    """A row of FIELDS for each packet of TRACE, after two passes over it."""
    options = [word for field in fields for word in ("-e", field)]
    done = subprocess.run(["tshark", "-2", "-r", str(trace), "-T", "fields", *options],
                          capture_output=True, text=True, check=True, timeout=60)
    return [line.split("\t") for line in done.stdout.splitlines()]
