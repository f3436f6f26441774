"""The packets in a trace, as pcapng has them (draft-ietf-opsawg-pcapng), for readers in Python.

scapy has a reader, too, which takes longer for a packet's block than for the packet.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Iterator

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
"""Types of blocks: Section Header, Interface Description, Enhanced Packet."""
_LITTLE_ENDIAN = b"\x4d\x3c\x2b\x1a"
"""How the Section Header's byte-order magic looks then."""
_EMPTY = 12
"""Bytes of a block with nothing in it."""


def packets(trace: Path) -> Iterator[tuple[int, bytes]]:
    """Each packet of TRACE: its link type, and as many of its bytes as were kept.

    Ends at a block that is not whole. Raises OSError.
    """
    data = trace.read_bytes()
    block, interface, packet = _layouts("<")
    links: list[int] = []
    at = 0
    while at + _EMPTY <= len(data):
        kind, size = block.unpack_from(data, at)
        if kind == _SECTION:
            block, interface, packet = _layouts("<" if data[at + 8:at + 12] == _LITTLE_ENDIAN
                                                else ">")
            kind, size = block.unpack_from(data, at)
            links.clear()
        if size < _EMPTY or at + size > len(data):
            return
        if kind == _PACKET:
            number, length = packet.unpack_from(data, at)
            yield links[number], data[at + packet.size + 4:at + packet.size + 4 + length]
        elif kind == _INTERFACE:
            links += interface.unpack_from(data, at)
        at += size


def _layouts(order: str) -> tuple[struct.Struct, struct.Struct, struct.Struct]:
    """Of what is asked for: any block's type and size; an interface's link type; the number of a
    packet's interface, and how many of its bytes there are."""
    return (struct.Struct(f"{order}II"), struct.Struct(f"{order}8xH"),
            struct.Struct(f"{order}8xI8xI"))
