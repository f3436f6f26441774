"""The packets of a pcapng file, as Python reads them beside labcap."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from labkit.pcapng import packets

FIRST, SECOND, THIRD = b"on lo", b"on any, not cut", b"back"
ORDERS = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])


def block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def packet(order: str, interface: int, data: bytes) -> bytes:
    head = struct.pack(f"{order}5I", interface, 1, 2, len(data), 1500)
    comment = struct.pack(f"{order}HH4sI", 1, 4, b"note", 0)
    return block(order, 6, head + data + bytes(-len(data) % 4) + comment)


def trace(order: str) -> bytes:
    """Two interfaces, a block of a kind that has no packet, and a new section in the end."""
    return b"".join([
        section(order), block(order, 1, struct.pack(f"{order}HHI", 1, 0, 0)),
        packet(order, 0, FIRST), block(order, 1, struct.pack(f"{order}HHI", 276, 0, 0)),
        block(order, 5, bytes(12)), packet(order, 1, SECOND),
        section(order), block(order, 1, struct.pack(f"{order}HHI", 113, 0, 0)),
        packet(order, 0, THIRD)])


@ORDERS
def test_packets_have_their_interface_s_link_type_and_their_bytes(
    order: str, tmp_path: Path
) -> None:
    file = tmp_path / "trace"
    file.write_bytes(trace(order))
    assert [*packets(file)] == [(1, FIRST), (276, SECOND), (113, THIRD)]


@ORDERS
@pytest.mark.parametrize("lacking", [1, 4, 40])
def test_a_block_that_is_not_whole_ends_them(order: str, lacking: int, tmp_path: Path) -> None:
    file = tmp_path / "trace"
    file.write_bytes(trace(order)[:-lacking])
    assert [*packets(file)] == [(1, FIRST), (276, SECOND)]
