"""pcapng files taken apart byte by byte, to see what was put into them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, PACKET = 0x0A0D0D0A, 1, 2, 3, 6
COMMENT = 1


@dataclass(frozen=True)
class Block:
    """One block: its type, what is between its two lengths, its byte order '<' or '>'."""

    kind: int
    body: bytes
    order: str

    @property
    def is_packet(self) -> bool:
        """It holds a packet, and may hold options."""
        return self.kind in (PACKET, OLD_PACKET)

    @property
    def data(self) -> bytes:
        """The packet's bytes."""
        captured: int = struct.unpack_from(self.order + "I", self.body, 12)[0]
        return self.body[20 : 20 + captured]

    @property
    def options(self) -> list[tuple[int, bytes]]:
        """A packet's options without the end of them, which must be there if any is."""
        place = 20 + len(self.data) + -len(self.data) % 4
        found: list[tuple[int, bytes]] = []
        while place < len(self.body):
            code, length = struct.unpack_from(self.order + "HH", self.body, place)
            if code == 0:
                assert (length, place + 4) == (0, len(self.body))
                return found
            found.append((code, self.body[place + 4 : place + 4 + length]))
            place += 4 + length + -length % 4
        assert not found
        return found

    @property
    def comments(self) -> list[str]:
        """A packet's comments, in order."""
        return [value.decode() for code, value in self.options if code == COMMENT]

    @property
    def without_comments(self) -> tuple[int, bytes, list[tuple[int, bytes]]]:
        """All that adding comments must leave alone."""
        if not self.is_packet:
            length = 8 if self.kind == SECTION else len(self.body)  # a section tells how long it is
            return self.kind, self.body[:length], []
        others = [option for option in self.options if option[0] != COMMENT]
        return self.kind, self.body[:20] + self.data, others


def blocks_of(path: Path) -> list[Block]:
    """All blocks of a file; their two lengths must agree, and nothing may be behind them."""
    return list(_blocks(path.read_bytes()))


def _blocks(file: bytes) -> Iterator[Block]:
    order, place = "<", 0
    while place < len(file):
        if file[place : place + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if file[place + 8] == 0x4D else ">"
        kind, length = struct.unpack_from(order + "II", file, place)
        assert length % 4 == 0 and place + length <= len(file)
        assert struct.unpack_from(order + "I", file, place + length - 4) == (length,)
        yield Block(kind, file[place + 8 : place + length - 4], order)
        place += length


def comments_of(path: Path) -> dict[int, str]:
    """The one comment of each packet that has one, by packet number."""
    packets = [b for b in blocks_of(path) if b.is_packet or b.kind == SIMPLE_PACKET]
    found = {}
    for number, block in enumerate(packets, 1):
        if block.is_packet and block.comments:
            (found[number],) = block.comments
    return found
