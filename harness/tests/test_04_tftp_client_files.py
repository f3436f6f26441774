"""Lab 04: the TFTP client and its files: what it saves, what it keeps nothing of."""

from __future__ import annotations

from typing import Sequence

import pytest

from labkit.feedback import Mismatch
from labkit.grading import graded
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario
from labkit.tftp import BLOCK, ERROR, RRQ, Tftp, ack, blocks, data, error, request
from labkit.tftp_lab import (
    LINES, TEXT, answers_or_ends, content, expect_failed, expect_fetched, expect_ignored,
    expect_nothing_of, start_get,
)
from labkit.tftp_wire import expect_wire

LAB = "04-file-transfer"

by_client = dict(programs=("udp_client",))
HOST = "127.0.0.1"


# -- Step 5: whole files only ----------------------------------------------------


@because(NAMES_IT)
@graded(step=5, points=3, **by_client)
def test_udp_client_keeps_no_part_of_a_file(lab: Scenario) -> None:
    """ERROR in the middle: its message, exit status 1, and nothing of the file, old or new."""
    tftp = Tftp(lab)
    for last, files in ((1, {}), (3, {}), (3, {"a.txt": TEXT})):
        client, folder, server = start_get(tftp, "a.txt", files=files)
        server.send_file(LINES, last=last)
        server.send(error(0, "the disk is broken"))
        expect_failed(lab, client, "the disk is broken", cause="cut-file-kept")
        if "a.txt" in folder.names():
            folder.expect_file("a.txt", TEXT if files else LINES, "cut-file-kept")
            folder.expect_names("a.txt")
        else:
            expect_nothing_of(lab, folder, "a.txt")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=5, points=1, **by_client)
def test_udp_client_replaces_an_old_file(lab: Scenario) -> None:
    """A file that was there, longer than the new one, is replaced as a whole."""
    tftp = Tftp(lab)
    client, folder, server = start_get(tftp, "a.txt", files={"a.txt": b"old" * 1000})
    server.send_file(LINES)
    expect_fetched(lab, client, folder, "a.txt", LINES)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=5, points=2, **by_client)
def test_udp_client_says_that_it_cannot_save(lab: Scenario) -> None:
    """A full disk, a folder that is read-only or not there: exit status 1, nothing stays."""
    tftp = Tftp(lab)
    client, folder, server = start_get(tftp, "a.bin", size=16_384)
    for number, row in enumerate(blocks(content(60_000)), 1):
        server.send(data(number, row))
        if not answers_or_ends(lab, client, server, "disk-full"):
            break
        packet = server.next(f"ACK {number}, or ERROR 3", "disk-full")
        if packet.opcode == ERROR:
            if packet.number not in (0, 3):
                raise Mismatch("ERROR 3, or none", f"ERROR {packet.number}", "disk-full")
            break
    expect_failed(lab, client, cause="disk-full")
    folder.expect_names(cause="disk-full")
    for options, read_only in (([], True), (["-o", "nowhere/a.bin"], False)):
        folder = lab.folder(read_only=read_only)
        client = lab.start("udp_client", *options, HOST, "get", "a.bin", folder=folder)
        if answers_or_ends(lab, client, tftp.port, "no-error-told"):
            server = tftp.answer(tftp.port.expect(request(RRQ, "a.bin")))
            server.send(data(1, TEXT))
            if answers_or_ends(lab, client, server, "no-error-told"):
                server.expect_error(0, 1, 2, 3, cause="no-error-told")
        expect_failed(lab, client, cause="no-error-told")
        folder.expect_names()
    expect_wire(lab, tftp.sides)
# -- Step 28: receive a file -----------------------------------------------------


@pytest.mark.parametrize("sizes", [(0, 1, 511), (512, 1024, 5120), (513, 1023, 1025, 100_000)],
                         ids=["less-than-a-block", "full-blocks", "more"])
@because(NAMES_IT)
@graded(step=28, points=2, **by_client)
def test_udp_client_saves_a_file_of_any_size(lab: Scenario, sizes: Sequence[int]) -> None:
    """`get`: each block is acknowledged; one of less than 512 bytes is the last."""
    tftp = Tftp(lab)
    for size in sizes:
        client, folder, server = start_get(tftp, "a.bin")
        server.send_file(content(size))
        expect_fetched(lab, client, folder, "a.bin", content(size), "last-block")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=28, points=1, **by_client)
def test_udp_client_saves_every_byte(lab: Scenario) -> None:
    """NUL, CR, LF, 0xff: none of them changes or ends the file."""
    tftp = Tftp(lab)
    for whole in (b"be\0fore\0", b"a\r\nb\n\rc\n" * 200, bytes(3000), bytes(range(256)) * 5):
        client, folder, server = start_get(tftp, "a.bin")
        server.send_file(whole)
        expect_fetched(lab, client, folder, "a.bin", whole)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=28, points=3, **by_client)
def test_udp_client_writes_each_block_once(lab: Scenario) -> None:
    """DATA that comes again is acknowledged again, and not written again."""
    tftp = Tftp(lab)
    client, folder, server = start_get(tftp, "a.txt")
    rows = blocks(LINES)
    for number, row in enumerate(rows, 1):
        server.send(data(number, row))
        server.expect(ack(number), "wrong-block")
        if number < len(rows):
            server.send(data(number, row))
            server.expect_at_once(ack(number), lambda: lab.wait_blocked(client), "wrong-block")
    expect_fetched(lab, client, folder, "a.txt", LINES)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=28, points=1, **by_client)
def test_udp_client_writes_no_block_out_of_turn(lab: Scenario) -> None:
    """DATA of a block that is not the next one is not written, nor acknowledged."""
    tftp = Tftp(lab)
    for wrong in (3, 4, 257, 65535):
        client, folder, server = start_get(tftp, "a.txt")
        server.send_file(LINES, last=1)
        server.send(data(wrong, b"x" * BLOCK))
        if not expect_ignored(lab, client, server, "wrong-block"):
            expect_failed(lab, client)
            folder.expect_names()
            continue
        server.send_file(LINES, first=2)
        expect_fetched(lab, client, folder, "a.txt", LINES)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=28, points=1, **by_client)
def test_udp_client_outlives_garbage_in_a_transfer(lab: Scenario) -> None:
    """What makes no sense is ignored, or ends the transfer with an ERROR, exit status 1."""
    tftp = Tftp(lab)
    for noise in (b"", b"\0", b"\0\3", b"\0\3\0", b"\0\4\0\1", b"\0\0\0\1", b"\0\7\0\1",
                  b"\0\1x\0octet\0", b"\0\6", b"\0\6blksize", b"\xff" * 600):
        client, folder, server = start_get(tftp, "a.txt")
        server.send_file(LINES, last=1)
        server.send(noise)
        if not expect_ignored(lab, client, server, "wrong-block"):
            expect_failed(lab, client)
            folder.expect_names()
            continue
        server.send_file(LINES, first=2)
        expect_fetched(lab, client, folder, "a.txt", LINES)
    expect_wire(lab, tftp.sides)
