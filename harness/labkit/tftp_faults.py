"""What a scripted side of a TFTP transfer does wrong, or suffers from the network."""

from __future__ import annotations

import selectors
from typing import Optional, Sequence

from labkit.feedback import Mismatch
from labkit.folders import Folder
from labkit.peer import difference
from labkit.program import Program
from labkit.scenario import Scenario
from labkit.tftp import ACK, ERROR, Packet, Transfer, ack, blocks, data

SURPLUS = b"x" * 88
"""Bytes behind a full block."""


def send_too_much(
    lab: Scenario, program: Program, transfer: Transfer, whole: bytes
) -> Optional[int]:
    """PROGRAM, which has block 1 of WHOLE, gets block 2 with SURPLUS behind its 512 bytes.

    Returns the last block that counts: 1 where it ignores that, 2 where it throws away what is
    too much, or has kept it (see expect_no_surplus()); None where it ends this by an ERROR.
    """
    transfer.send(data(2, blocks(whole)[1] + SURPLUS))
    lab.wait_blocked(program)
    transfer.take_copies()
    if not transfer.sock.came:
        return 1
    found = transfer.next("ACK 2, an ERROR or nothing", "unbounded")
    if found.opcode != ERROR and found != Packet(ACK, 2):
        raise transfer.mismatch("ACK 2, an ERROR or nothing",
                                f"opcode {found.opcode}, number {found.number}", "unbounded")
    return None if found.opcode == ERROR else 2


def expect_no_surplus(lab: Scenario, folder: Folder, name: str, whole: bytes) -> None:
    """File NAME is there, at once or soon, and is WHOLE, without SURPLUS."""
    lab.wait_for(lambda: name in folder.names(), f"the file {name} is there", lambda: "it is not",
                 "partial-file", poll=0.002)
    if SURPLUS in (got := folder.read(name)):
        raise Mismatch(f"the file {name} has no byte of what was too much for a block",
                       difference(whole, got), "unbounded")
    folder.expect_file(name, whole)


class Losses:
    """Takes a file of a program that the network loses blocks of: the first six, once each.

    So these are acknowledged when they come again, which they do beside all else that the
    test waits for.
    """

    COUNT = 6
    """More than a block is sent again."""

    def __init__(self, lab: Scenario, transfer: Transfer, rows: Sequence[bytes]) -> None:
        """ROWS: the file's blocks, which TRANSFER has not taken yet."""
        self._lab, self._transfer, self._rows = lab, transfer, rows
        self._good = 0
        self._lost: set[int] = set()
        sock = transfer.sock.sock
        lab.watch(sock.fileno(), selectors.EVENT_READ, lambda _: self._take())
        self._take()

    def expect_whole(self) -> None:
        """All of it has come, or comes; patience is needed for one retransmission."""
        self._lab.wait_for(
            lambda: self._good == len(self._rows),
            f"{self._transfer.sock.label} receives {len(self._rows)} blocks, of which "
            f"{self.COUNT} are lost once each", lambda: f"{self._good} and no more",
            "wrong-retries")

    def _take(self) -> None:
        came = self._transfer.sock.came
        self._transfer.sock.take_in()
        while came:
            raw, sender = came.popleft()
            number = self._good + 1
            if number > len(self._rows) or raw != data(number, self._rows[number - 1]):
                continue
            if number <= self.COUNT and number not in self._lost:
                self._lost.add(number)
                continue
            self._good = number
            self._transfer.other = sender
            self._transfer.send(ack(number))
