"""Lab 04: the TFTP server and options: the size of blocks, windows, and others."""

from __future__ import annotations

from typing import Sequence

import pytest

from labkit.feedback import Mismatch
from labkit.grading import graded
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario
from labkit.tftp import BLOCK, DATA, ERROR, OACK, Packet, ack, blocks, data, error
from labkit.tftp_lab import (
    LINES, TEXT, agree_on, content, expect_ended, expect_nothing_of, expect_options,
    expect_saved, serve,
)
from labkit.tftp_wire import expect_no_more, expect_wire

LAB = "04-file-transfer"

by_server = dict(programs=("udp_server",))


# -- Step 29: options ----------------------------------------------------------


@pytest.mark.parametrize("size", [8, 511, 1024, 1428, 8192])
@because(NAMES_IT)
@graded(step=29, points=1, **by_server)
def test_udp_server_takes_another_block_size(lab: Scenario, size: int) -> None:
    """`blksize`: after OACK and ACK 0 come blocks of that size, to the border and over it."""
    files = {str(length): content(length) for length in (0, size - 1, size, 2 * size + 1)}
    _, folder, tftp = serve(lab, files, "-w")
    for name, whole in files.items():
        reader = tftp.read(name, blksize=size)
        agreed, _ = agree_on(reader, blksize=size)
        reader.send(ack(0))
        reader.receive_file(whole, "bad-options", size=agreed)
        writer = tftp.write(f"new-{name}", blksize=size)
        agreed, _ = agree_on(writer, blksize=size)
        writer.send_file(whole, "bad-options", size=agreed)
        expect_saved(lab, folder, f"new-{name}", whole)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=29, points=1, **by_server)
def test_udp_server_agrees_to_the_largest_block_size(lab: Scenario) -> None:
    """`blksize` 65464: the server takes it, or answers with a smaller one; that is what counts."""
    whole = content(150_000)
    _, folder, tftp = serve(lab, {"big": whole}, "-w")
    for reader in (tftp.read("big", blksize=65464), tftp.read("big", blksize=65465)):
        first = reader.next("OACK or DATA 1", "bad-options")
        if first.opcode == OACK:
            size = int(first.options.get("blksize", BLOCK))
            if not BLOCK < size <= 65464:
                raise Mismatch("an OACK with a blksize of up to 65464", f"blksize {size}",
                               "bad-options")
            reader.send(ack(0))
            reader.receive_file(whole, "bad-options", size=size)
        else:  # 65465 is more than there is (RFC 2348)
            reader.send(error(8))
    writer = tftp.write("new", blksize=65464)
    size = int(writer.expect_oack().get("blksize", BLOCK))
    writer.send_file(whole, "bad-options", size=size)
    expect_saved(lab, folder, "new", whole)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=29, points=1, **by_server)
def test_udp_server_tells_the_size(lab: Scenario) -> None:
    """`tsize`: the file's size when it is read; when it is written, the one that was told."""
    _, folder, tftp = serve(lab, {"a.txt": LINES, "one": b"1"}, "-w")
    for name, whole in (("a.txt", LINES), ("one", b"1")):
        reader = tftp.read(name, tsize=0)
        expect_options(reader, {"tsize": str(len(whole))})
        reader.send(ack(0))
        reader.receive_file(whole)
    writer = tftp.write("new", tsize=len(LINES))
    expect_options(writer, {"tsize": str(len(LINES))})
    writer.send_file(LINES)
    expect_saved(lab, folder, "new", LINES)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=29, points=2, **by_server)
def test_udp_server_answers_what_it_is_asked(lab: Scenario) -> None:
    """All four options at once, in whatever letters; unknown ones are passed over."""
    server, _, tftp = serve(lab, {"a.txt": LINES})
    asked = dict(tsize=0, blksize=100, timeout=3, windowsize=2)
    exact = dict(tsize=str(len(LINES)), timeout="3")
    for options in (asked, {"no-such": "", **asked, "x": "y"},
                    {name.upper(): value for name, value in asked.items()}):
        reader = tftp.read("a.txt", **options)
        size, window = agree_on(reader, exact, blksize=100, windowsize=2)
        lab.wait_blocked(server)
        reader.sock.expect_nothing("wrong-block")
        reader.send(ack(0))
        reader.receive_file(LINES, size=size, window=window)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=29, points=1, **by_server)
def test_udp_server_says_nothing_of_options_it_is_not_asked(lab: Scenario) -> None:
    """Without options, or with unknown ones alone, there is no OACK: DATA 1, or ACK 0."""
    _, folder, tftp = serve(lab, {"a.txt": TEXT}, "-w")
    for number, options in enumerate(({}, {"x": "y"}, {"blocksize": 1024, "no-such": ""})):
        tftp.read("a.txt", **options).receive_file(TEXT, "bad-options")
        writer = tftp.write(f"new-{number}", **options)
        writer.expect(ack(0), "bad-options")
        writer.send_file(TEXT)
        expect_saved(lab, folder, f"new-{number}", TEXT)
    expect_wire(lab, tftp.sides)


@pytest.mark.parametrize("name, values", [
    ("blksize", ["0", "7", "-1", "x", "", "512x", "4294967808"]),
    ("timeout", ["0", "256", "-1", "x", "", "4294967297"]),
    ("windowsize", ["0", "65536", "-1", "x", "", "4294967297"]),
], ids=["blksize", "timeout", "windowsize"])
@because(NAMES_IT)
@graded(step=29, points=1, **by_server)
def test_udp_server_takes_no_senseless_values(
    lab: Scenario, name: str, values: Sequence[str]
) -> None:
    """What is no number, too small or too big is not agreed to: passed over, or ERROR 8."""
    server, _, tftp = serve(lab, {"a.txt": LINES})
    for value in values:
        reader = tftp.read("a.txt", f"who asked for {name} `{value}`", **{name: value})
        first = reader.next("DATA 1, OACK or ERROR 8", "bad-options")
        if first.opcode == OACK:
            expect_sensible(name, value, first)
            reader.send(error(8))
        elif first.opcode == DATA and first.content == LINES[:BLOCK] and first.number == 1:
            reader.send(ack(1))
            reader.receive_file(LINES, first=2)
        elif first.opcode != ERROR:
            raise Mismatch(f"DATA 1, OACK or ERROR 8 in answer to {name} `{value}`",
                           f"opcode {first.opcode} with {len(first.content)} bytes", "bad-options")
    lab.expect_running(server, "bad-options")
    expect_wire(lab, tftp.sides)


def expect_sensible(name: str, value: str, found: Packet) -> None:
    """Another value than the one asked for may be answered, but none that makes no sense."""
    least, most = {"blksize": (8, 65464), "timeout": (1, 255), "windowsize": (1, 65535)}[name]
    told = found.options.get(name, str(least))
    if not told.isdecimal() or not least <= int(told) <= most:
        raise Mismatch(f"{name} from {least} to {most} in the OACK, or no {name}",
                       f"{name} {told}, in answer to {value}", "bad-options")


@because(NAMES_IT)
@graded(step=29, points=1, **by_server)
def test_udp_server_ends_a_transfer_whose_options_are_refused(lab: Scenario) -> None:
    """ERROR 8 in answer to the OACK: nothing is sent, nothing is saved, nothing is kept."""
    server, folder, tftp = serve(lab, {"a.txt": LINES}, "-w")
    before = lab.footprint(server)
    for client in (tftp.read("a.txt", blksize=1024), tftp.write("new", blksize=1024)):
        client.expect_oack()
        client.send(error(8, "not this one"))
    expect_ended(lab, server, before)
    expect_nothing_of(lab, folder, "new", "a.txt")
    expect_no_more(expect_wire(lab, tftp.sides, "bad-options"), tftp.sides, "vanished-client")


# -- Step 31: windows ------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 2, 4, 7])
@because(NAMES_IT)
@graded(step=31, points=1, **by_server)
def test_udp_server_sends_in_windows(lab: Scenario, window: int) -> None:
    """`windowsize`: so many blocks, then it waits for one ACK, of the last of them."""
    server, _, tftp = serve(lab, {"a.bin": content(3300), "full": content(512 * 8)})
    for name, whole in (("a.bin", content(3300)), ("full", content(512 * 8))):
        reader = tftp.read(name, windowsize=window)
        _, window = agree_on(reader, windowsize=window)
        reader.send(ack(0))
        rows = blocks(whole)
        for number in range(1, window + 1):
            reader.expect_block(rows, number)
        lab.wait_blocked(server)
        reader.sock.expect_nothing("wrong-block")
        reader.send(ack(window))
        reader.receive_file(whole, window=window, first=window + 1)
    expect_wire(lab, tftp.sides, "wrong-block")


@because(NAMES_IT)
@graded(step=31, points=2, **by_server)
def test_udp_server_goes_on_from_a_gap(lab: Scenario) -> None:
    """An ACK from the middle of a window: what was lost behind it is sent again, at once."""
    server, _, tftp = serve(lab, {"a.bin": content(9000)})
    rows = blocks(content(9000))
    reader = tftp.read("a.bin", windowsize=4)
    _, window = agree_on(reader, windowsize=4)
    reader.send(ack(0))
    for number in range(1, window + 1):
        reader.expect_block(rows, number)
    good = window // 2
    if good:  # the block behind it was lost
        reader.send(ack(good))
        for number in range(good + 1, window + 1):
            reader.expect(data(number, rows[number - 1]), "wrong-block", again=True)
    for number in range(window + 1, good + window + 1):
        reader.expect_block(rows, number)
    for good in range(good + window, 18 - window, window):
        lab.wait_blocked(server)
        reader.sock.expect_nothing("sorcerers-apprentice")
        reader.send(ack(good), ack(good))
        for number in range(good + 1, good + window + 1):
            reader.expect_block(rows, number, "sorcerers-apprentice")
        reader.send(ack(good), ack(max(0, good - 2)), ack(good))  # duplicates of what has come
    reader.send(ack(good + window))
    reader.receive_file(content(9000), "sorcerers-apprentice", window=window,
                        first=good + window + 1)
    expect_wire(lab, tftp.sides, "sorcerers-apprentice")


@because(NAMES_IT)
@graded(step=31, points=1, **by_server)
def test_udp_server_takes_windows(lab: Scenario) -> None:
    """A file comes in windows: one ACK for each of them, and one for the last block."""
    _, folder, tftp = serve(lab, {}, "-w")
    for window in (1, 2, 4, 7):
        for size in (0, 3300, 512 * 8):
            name = f"new-{window}-{size}"
            writer = tftp.write(name, windowsize=window)
            _, agreed = agree_on(writer, windowsize=window)
            writer.send_file(content(size), window=agreed)
            expect_saved(lab, folder, name, content(size))
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=31, points=2, **by_server)
def test_udp_server_tells_of_a_gap(lab: Scenario) -> None:
    """A block is missing in a window: the last one before it is acknowledged, or none."""
    server, folder, tftp = serve(lab, {}, "-w")
    rows = blocks(content(4000))
    writer = tftp.write("new", windowsize=4)
    _, window = agree_on(writer, windowsize=4)
    good = window // 2
    writer.send(*(data(number, rows[number - 1]) for number in (*range(1, good + 1), good + 2)))
    lab.wait_blocked(server)
    writer.sock.take_in()
    if writer.sock.came:
        writer.expect(ack(good), "wrong-block")
    else:  # it need not tell (RFC 7440, 4: SHOULD); then the sender's timer runs out
        good = 0
    writer.send_file(content(4000), "wrong-block", window=window, first=good + 1)
    expect_saved(lab, folder, "new", content(4000))
    expect_wire(lab, tftp.sides)
