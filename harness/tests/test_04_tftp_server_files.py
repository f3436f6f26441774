"""Lab 04: the TFTP server and its folder: what it saves, overwrites, refuses, never leaves."""

from __future__ import annotations

from typing import Sequence

import pytest

from labkit.feedback import Mismatch
from labkit.folders import Folder
from labkit.grading import first, graded, makes_many_calls, many_packets
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario
from labkit.tftp import ACK, BLOCK, ERROR, PORT, Tftp, ack, blocks, data, error
from labkit.tftp_lab import (
    LINES, TEXT, content, expect_acknowledged_or_exists, expect_ended, expect_nothing_of,
    expect_saved, expect_served, serve, write_file,
)
from labkit.tftp_wire import expect_wire

LAB = "04-file-transfer"

by_server = dict(programs=("udp_server",))


# -- Step 12: the folder and nothing outside it ------------------------------------


@because(NAMES_IT)
@graded(step=12, points=2, **by_server)
def test_udp_server_says_that_there_is_no_such_file(lab: Scenario) -> None:
    """ERROR 1 for what is not there, and for what is no file: a folder, a FIFO."""
    server, folder, tftp = serve(lab, {"a.txt": TEXT, "sub/b.txt": TEXT})
    folder.make_fifo("fifo")
    folder.make_folder("empty")
    for name in ("b.txt", "a.tx", "a.txt2", "a", "sub/a.txt", "nowhere/a.txt", "files/a.txt"):
        tftp.read(name).expect_error(1, cause="no-error-told")
    for name in ("sub", "sub/", "empty", "fifo", ".", "/", "a.txt/b.txt", "a.txt/"):
        tftp.read(name).expect_error(1, cause="not-a-file")
    expect_served(tftp, "a.txt", TEXT)
    lab.expect_running(server, "no-error-told")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=12, points=1, **by_server)
def test_udp_server_begins_at_its_folder(lab: Scenario) -> None:
    """A leading / is the folder, and what lies in its folders is there, too."""
    _, folder, tftp = serve(lab, {"a.txt": TEXT, "sub/b.txt": LINES, "sub/deep/c": b"c"}, "-w")
    for name, whole in (("/a.txt", TEXT), ("sub/b.txt", LINES), ("/sub/b.txt", LINES),
                        ("sub/deep/c", b"c"), ("//a.txt", TEXT), ("./a.txt", TEXT)):
        expect_served(tftp, name, whole, "path-traversal")
    write_file(tftp, "/new", TEXT, "path-traversal")
    expect_saved(lab, folder, "new", TEXT)
    expect_wire(lab, tftp.sides)


OUTSIDE = ["../secret", "/../secret", "sub/../../secret", "./../secret", "..//secret",
           "//../secret", "../served-too/secret", "../../files/secret", "/files/secret",
           "sub/../../../etc/passwd", "/etc/passwd", "../../../../../../etc/passwd",
           "..", "../", "/..", "sub/..", "sub/../.."]
"""From FOLDER, which is /files/served there, all of these lead elsewhere, or nowhere."""


@because(NAMES_IT)
@graded(step=12, points=3, **by_server)
def test_udp_server_never_leaves_its_folder(lab: Scenario) -> None:
    """No `..` and no absolute path leads out of -d FOLDER, to read or to write."""
    folder = lab.folder({"secret": b"secret", "served/a.txt": TEXT, "served/sub/b.txt": TEXT,
                         "served-too/secret": b"secret"})
    before = folder.names()
    lab.start_datagram_server("udp_server", "-d", "served", "-w", port=PORT, folder=folder)
    tftp = Tftp(lab)
    for name in OUTSIDE:
        tftp.read(name, f"who reads {name}").expect_error(0, 1, 2, cause="path-traversal")
    for name in ("../new", "/../new", "sub/../../new", "../served-too/new", "../secret", ".."):
        write_or_be_refused(tftp, name, "path-traversal")
    expect_same_outside(folder, before, "path-traversal")
    folder.expect_file("secret", b"secret", "path-traversal")
    expect_served(tftp, "a.txt", TEXT)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=12, points=3, **by_server)
def test_udp_server_follows_no_link_out_of_its_folder(lab: Scenario) -> None:
    """Symbolic links that lead outside, to files and folders, are not followed."""
    folder = lab.folder({"secret": b"secret", "other/b.txt": b"secret", "served/a.txt": TEXT})
    for name, target in (("file", "../secret"), ("absolute", "/files/secret"), ("up", ".."),
                         ("folder", "../other"), ("system", "/etc"), ("dangling", "../new")):
        folder.link(f"served/{name}", target)
    before = folder.names()
    lab.start_datagram_server("udp_server", "-d", "served", "-w", port=PORT, folder=folder)
    tftp = Tftp(lab)
    for name in ("file", "absolute", "up/secret", "folder/b.txt", "system/passwd"):
        tftp.read(name, f"who reads {name}").expect_error(0, 1, 2, cause="symlink-escape")
    for name in ("dangling", "up/new", "folder/new", "file"):
        write_or_be_refused(tftp, name, "symlink-escape")
    expect_same_outside(folder, before, "symlink-escape")
    folder.expect_file("secret", b"secret", "symlink-escape")
    expect_served(tftp, "a.txt", TEXT)
    expect_wire(lab, tftp.sides)


def write_or_be_refused(tftp: Tftp, name: str, cause: str) -> None:
    """NAME is refused, or else written: where .. stays in -d FOLDER at its top, as in a chroot."""
    writer = tftp.write(name, f"who writes {name}")
    answer = writer.next("ERROR 0, 1, 2 or 6", cause)
    if answer.opcode == ACK:
        writer.send_file(TEXT, cause)
    elif answer.opcode != ERROR or answer.number not in (0, 1, 2, 6):
        raise writer.mismatch("ERROR 0, 1, 2 or 6", f"opcode {answer.opcode}, number "
                              f"{answer.number}", cause)


def expect_same_outside(folder: Folder, before: Sequence[str], cause: str) -> None:
    """Of what is not in `served` there are the names that were there BEFORE, and no others."""
    now = [name for name in folder.names() if name.startswith("served/")]
    folder.expect_names(*now, *(name for name in before if not name.startswith("served/")),
                        cause=cause)


# -- Step 5: whole files only ----------------------------------------------------


@because(NAMES_IT)
@graded(step=5, points=2, **by_server)
def test_udp_server_keeps_no_part_of_a_file(lab: Scenario) -> None:
    """A writer that ends with ERROR, after any block: no file, no temporary one; then it can."""
    server, folder, tftp = serve(lab, {}, "-w")
    before = lab.footprint(server)
    for last in (0, 1, 3):
        writer = tftp.write("new", f"who ends after block {last}")
        writer.expect(ack(0), "cut-file-kept")
        writer.send_file(LINES, last=last)
        writer.send(error(0))
    expect_ended(lab, server, before)
    expect_nothing_of(lab, folder, "new")
    write_file(tftp, "new", LINES, "left-over-file")
    expect_saved(lab, folder, "new", LINES)
    folder.expect_names("new", cause="left-over-file")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=5, points=2, **by_server)
def test_udp_server_says_that_the_disk_is_full(lab: Scenario) -> None:
    """What does not fit gets ERROR 3, no later than the last block; nothing of it stays."""
    _, folder, tftp = serve(lab, {"a.txt": TEXT}, "-w", size=16_384)
    rows = blocks(content(60_000), 8192)
    writer = tftp.write("new", blksize=8192)
    size = int(writer.expect_oack().get("blksize", BLOCK))
    rows = blocks(content(60_000), size)
    for number, row in enumerate(rows, 1):
        writer.send(data(number, row))
        answer = writer.next(f"ACK {number} or ERROR 3", "disk-full")
        if answer.opcode == ERROR:
            break
    if (answer.opcode, answer.number) != (ERROR, 3):
        raise Mismatch("ERROR 3, as there is no room for the file",
                       f"opcode {answer.opcode}, number {answer.number}", "disk-full")
    expect_nothing_of(lab, folder, "new", "a.txt")
    expect_served(tftp, "a.txt", TEXT, "disk-full")
    write_file(tftp, "small", TEXT, "disk-full")
    expect_saved(lab, folder, "small", TEXT)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=5, points=1, **by_server)
def test_udp_server_says_that_it_cannot_write(lab: Scenario) -> None:
    """A folder that is read-only, or not there: ERROR 2 or another, and it serves on."""
    _, folder, tftp = serve(lab, {"a.txt": TEXT}, "-w", read_only=True)
    for name in ("new", "nowhere/new"):
        tftp.write(name).expect_error(0, 1, 2, 3, cause="no-error-told")
    expect_served(tftp, "a.txt", TEXT)
    folder.expect_names("a.txt")
    expect_wire(lab, tftp.sides)


# -- Step 28: receive a file -----------------------------------------------------


@first
@pytest.mark.parametrize("sizes", [(0, 1, 511), (512, 1024, 5120), (513, 1023, 1025, 100_000)],
                         ids=["less-than-a-block", "full-blocks", "more"])
@because(NAMES_IT)
@graded(step=28, points=2, **by_server)
def test_udp_server_saves_a_file_of_any_size(lab: Scenario, sizes: Sequence[int]) -> None:
    """With -w: ACK 0, then each block is acknowledged; one of less than 512 bytes is the last."""
    _, folder, tftp = serve(lab, {}, "-w")
    for size in sizes:
        write_file(tftp, f"new-{size}", content(size))
        expect_saved(lab, folder, f"new-{size}", content(size))
    folder.expect_names(*(f"new-{size}" for size in sizes), cause="left-over-file")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=28, points=1, **by_server)
def test_udp_server_saves_every_byte(lab: Scenario) -> None:
    """NUL, CR, LF, 0xff: none of them changes or ends the file."""
    _, folder, tftp = serve(lab, {}, "-w")
    for name, whole in (("nul", b"be\0fore\0"), ("crlf", b"a\r\nb\n\rc\n" * 200),
                        ("zeros", bytes(3000)), ("all", bytes(range(256)) * 5)):
        write_file(tftp, name, whole)
        expect_saved(lab, folder, name, whole)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=28, points=3, **by_server)
def test_udp_server_writes_each_block_once(lab: Scenario) -> None:
    """DATA that comes again is acknowledged again, and not written again; the last one, too."""
    server, folder, tftp = serve(lab, {}, "-w")
    writer = tftp.write("new")
    writer.expect(ack(0))
    for number, row in enumerate(blocks(LINES), 1):
        writer.send(data(number, row))
        writer.expect(ack(number), "wrong-block")
        writer.send(data(number, row))
        writer.expect_at_once(ack(number), lambda: lab.wait_blocked(server), "wrong-block")
    expect_saved(lab, folder, "new", LINES)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=28, points=1, **by_server)
def test_udp_server_writes_no_block_out_of_turn(lab: Scenario) -> None:
    """DATA of a block that is not the next one is not written, nor acknowledged."""
    server, folder, tftp = serve(lab, {}, "-w")
    rows = blocks(LINES)
    for wrong in (3, 4, 257, 65535):
        name = f"new-{wrong}"
        writer = tftp.write(name, f"who sends DATA {wrong} too early")
        writer.expect(ack(0))
        writer.send_file(LINES, last=1)
        writer.send(data(wrong, b"x" * BLOCK))
        lab.wait_blocked(server)
        writer.take_copies()
        if writer.sock.came:
            writer.expect_error(0, 4, cause="wrong-block")
            continue
        writer.send_file(LINES, first=2)
        expect_saved(lab, folder, name, b"".join(rows))
    expect_wire(lab, tftp.sides)


@many_packets
@makes_many_calls
@because(NAMES_IT)
@graded(step=28, points=1, **by_server)
def test_udp_server_saves_more_than_65535_blocks(lab: Scenario) -> None:
    """After block 65,535 comes block 0: 65,538 of 8 bytes, in windows where they are agreed on."""
    lab.take_longer(60)  # where windows are small
    whole = content(65_537 * 8 + 3)
    _, folder, tftp = serve(lab, {}, "-w")
    writer = tftp.write("big", blksize=8, windowsize=32)
    agreed = writer.expect_oack()
    writer.send_file(whole, "block-wrap", size=8, window=int(agreed.get("windowsize", 1)))
    expect_saved(lab, folder, "big", whole)
    lab.end_recording()  # of which scapy would take seconds


@because(NAMES_IT)
@graded(step=28, points=1, **by_server)
def test_udp_server_outlives_garbage_in_a_transfer(lab: Scenario) -> None:
    """What makes no sense is ignored, or ends that one transfer with an ERROR; it serves on."""
    server, folder, tftp = serve(lab, {"a.txt": LINES}, "-w")
    for noise in (b"", b"\0", b"\0\3", b"\0\4\0", b"\0\3\0", b"\0\0\0\1", b"\0\7\0\1",
                  b"\0\1x\0octet\0", b"\0\2x\0octet\0", b"\0\6", b"\xff" * 600):
        reader, writer = tftp.read("a.txt"), tftp.write("new")
        reader.expect(data(1, LINES[:BLOCK]))
        writer.expect(ack(0))
        writer.send_file(LINES, last=1)
        for transfer in (reader, writer):
            transfer.send(noise)
        lab.wait_blocked(server)
        for transfer in (reader, writer):
            transfer.take_copies()
            if transfer.sock.came:
                transfer.expect_error(0, 4, cause="wrong-block")
            else:
                transfer.send(error(0))
    lab.expect_running(server, "wrong-block")
    expect_served(tftp, "a.txt", LINES)
    expect_nothing_of(lab, folder, "new", "a.txt")
    expect_wire(lab, tftp.sides)


# -- Step 32: new files only -----------------------------------------------------


@because(NAMES_IT)
@graded(step=32, points=2, **by_server)
def test_udp_server_writes_with_w_only(lab: Scenario) -> None:
    """Without -w every request to write gets ERROR 2, and nothing is made."""
    _, folder, tftp = serve(lab, {"a.txt": TEXT})
    for name in ("new", "a.txt"):
        tftp.write(name).expect_error(2, 4, cause="anonymous-writes")
    folder.expect_names("a.txt", cause="anonymous-writes")
    folder.expect_file("a.txt", TEXT, "file-overwritten")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=32, points=3, **by_server)
def test_udp_server_overwrites_nothing(lab: Scenario) -> None:
    """A name that is there already: ERROR 6, and the old file stays as it was."""
    _, folder, tftp = serve(lab, {"a.txt": TEXT, "empty": b"", "sub/b.txt": TEXT}, "-w")
    for name in ("a.txt", "empty", "/a.txt", "sub/b.txt"):
        tftp.write(name).expect_error(6, cause="file-overwritten")
    folder.expect_file("a.txt", TEXT, "file-overwritten")
    folder.expect_names("a.txt", "empty", "sub/b.txt")
    expect_served(tftp, "a.txt", TEXT)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=32, points=2, **by_server)
def test_udp_server_lets_one_of_two_writers_win(lab: Scenario) -> None:
    """Two write the same new name at once: one file is whole, the other writer gets ERROR 6."""
    _, folder, tftp = serve(lab, {}, "-w")
    one, two = tftp.write("new", "one writer"), tftp.write("new", "the other writer")
    one.expect(ack(0))
    refused = expect_acknowledged_or_exists(two, 0)
    rows, others = blocks(LINES), blocks(LINES[::-1])
    for number in range(1, len(rows) + 1):
        one.send(data(number, rows[number - 1]))
        one.expect(ack(number), "file-overwritten")
        if not refused and number < len(rows):
            two.send(data(number, others[number - 1]))
            refused = expect_acknowledged_or_exists(two, number)
    expect_saved(lab, folder, "new", LINES)
    if not refused:
        two.send(data(len(others), others[-1]))
        two.expect_error(6, cause="file-overwritten")
    folder.expect_file("new", LINES, "file-overwritten")
    folder.expect_names("new")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=32, points=1, **by_server)
def test_udp_server_overwrites_nothing_that_came_meanwhile(lab: Scenario) -> None:
    """A file gets the name while it is written to: ERROR 6 in the end, and it stays."""
    _, folder, tftp = serve(lab, {}, "-w")
    writer = tftp.write("new")
    writer.expect(ack(0))
    writer.send_file(LINES, last=3)
    if "new" not in folder.names():  # else nobody else can have the name
        folder.write("new", TEXT)
        writer.send(data(4, LINES[3 * BLOCK:]))
        writer.expect_error(6, cause="file-overwritten")
        folder.expect_file("new", TEXT, "file-overwritten")
        folder.expect_names("new")
    else:
        writer.send(error(0))
    expect_wire(lab, tftp.sides)
