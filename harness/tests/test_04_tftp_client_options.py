"""Lab 04: the TFTP client and options: the size of blocks, windows."""

from __future__ import annotations


import pytest

from labkit.grading import graded
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario
from labkit.tftp import BLOCK, ERROR, Tftp, ack, blocks, data, error, oack
from labkit.tftp_lab import (
    LINES, answers_or_ends, content, expect_failed, expect_fetched, expect_success,
    start_asking, start_get,
)
from labkit.tftp_wire import expect_wire

LAB = "04-file-transfer"

by_client = dict(programs=("udp_client",))
HOST = "127.0.0.1"


# -- Step 29: options ----------------------------------------------------------


@pytest.mark.parametrize("verb", ["get", "put"])
@because(NAMES_IT)
@graded(step=29, points=2, **by_client)
def test_udp_client_asks_for_options(lab: Scenario, verb: str) -> None:
    """`-b` and `-w` are asked for; what the OACK says is what counts."""
    tftp = Tftp(lab)
    for options, asked, agreed in (
            (["-b", "1024"], {"blksize": "1024"}, {"blksize": 1024}),
            (["-b", "1024"], {"blksize": "1024"}, {"BLKSIZE": 600}),
            (["-b", "8", "-w", "5"], {"blksize": "8", "windowsize": "5"},
             {"blksize": 8, "windowsize": 5}),
            (["-b", "65464"], {"blksize": "65464"}, {"blksize": 1428}),
            (["-w", "4"], {"windowsize": "4"}, {"windowsize": 3})):
        client, folder, server = start_asking(tftp, verb, *options, asked=asked, whole=LINES)
        server.send(oack(**agreed))
        size = next((v for name, v in agreed.items() if name.lower() == "blksize"), BLOCK)
        window = agreed.get("windowsize", 1)
        if verb == "get":
            server.expect(ack(0), "bad-options")
            server.send_file(LINES, size=size, window=window)
        else:
            server.receive_file(LINES, "bad-options", size=size, window=window)
        expect_success(lab, client)
        folder.expect_file("a.txt", LINES)
    expect_wire(lab, tftp.sides)


@pytest.mark.parametrize("verb", ["get", "put"])
@because(NAMES_IT)
@graded(step=29, points=1, **by_client)
def test_udp_client_does_without_options(lab: Scenario, verb: str) -> None:
    """A server that knows no options, or agrees to one of two: 512 bytes, windows of 1."""
    tftp = Tftp(lab)
    asked = {"blksize": "100", "windowsize": "4"}
    for agreed in ({}, {"blksize": 100}, {"windowsize": 2}):
        client, folder, server = start_asking(tftp, verb, "-b", "100", "-w", "4", asked=asked,
                                              whole=LINES)
        size, window = agreed.get("blksize", BLOCK), agreed.get("windowsize", 1)
        if agreed:
            server.send(oack(**agreed))
        elif verb == "put":
            server.send(ack(0))
        if verb == "put":
            server.receive_file(LINES, "bad-options", size=size, window=window)
        else:
            if agreed:
                server.expect(ack(0), "bad-options")
            server.send_file(LINES, "bad-options", size=size, window=window)
        expect_success(lab, client)
        folder.expect_file("a.txt", LINES)
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=29, points=1, **by_client)
def test_udp_client_takes_no_senseless_options(lab: Scenario) -> None:
    """An OACK with more than was asked for is refused (ERROR 8); nonsense is no reason to crash."""
    tftp = Tftp(lab)
    asked = {"blksize": "1024", "windowsize": "4"}
    for agreed in (dict(blksize=2048), dict(windowsize=5), dict(blksize=0), dict(blksize=7),
                   dict(blksize="x"), dict(windowsize=0), dict(blksize=4294968320)):
        client, folder, server = start_asking(tftp, "get", "-b", "1024", "-w", "4", asked=asked)
        server.send(oack(**agreed))
        if agreed in (dict(blksize=2048), dict(windowsize=5)):
            server.expect_error(0, 4, 8, cause="bad-options")
        elif answers_or_ends(lab, client, server, "bad-options"):
            if server.next("ERROR 8, or ACK 0", "bad-options").opcode != ERROR:
                server.send(error(8))
        expect_failed(lab, client, cause="bad-options")
        folder.expect_names()
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=29, points=1, **by_client)
def test_udp_client_takes_no_option_it_did_not_ask_for(lab: Scenario) -> None:
    """An OACK nobody asked for: refused with an ERROR, or not minded; never a wrong file."""
    tftp = Tftp(lab)
    client, folder, server = start_get(tftp, "a.txt")
    server.send(oack(blksize=8))
    lab.wait_blocked(client)
    server.sock.take_in()
    if server.sock.came:
        found = server.next("an ERROR, or nothing", "bad-options")
        if found.opcode == ERROR:
            expect_failed(lab, client)
            folder.expect_names()
        else:  # ACK 0: then 8 is what both have agreed on
            server.send_file(LINES, "bad-options", size=8)
            expect_fetched(lab, client, folder, "a.txt", LINES)
    else:
        server.send_file(LINES, "bad-options")
        expect_fetched(lab, client, folder, "a.txt", LINES)
    expect_wire(lab, tftp.sides)


# -- Step 31: windows ------------------------------------------------------------


@because(NAMES_IT)
@graded(step=31, points=2, **by_client)
def test_udp_client_takes_windows(lab: Scenario) -> None:
    """`-w`: one ACK for each window, and one for the last block; a gap is told at once."""
    lab.be_patient(2.5)
    tftp = Tftp(lab)
    for size in (0, 3300, 512 * 8):
        client, folder, server = start_asking(tftp, "get", "-w", "4", asked={"windowsize": "4"})
        server.send(oack(windowsize=4))
        server.expect(ack(0), "bad-options")
        server.send_file(content(size), window=4)
        expect_fetched(lab, client, folder, "a.txt", content(size))
    rows = blocks(content(4000))
    client, folder, server = start_asking(tftp, "get", "-w", "4", asked={"windowsize": "4"})
    server.send(oack(windowsize=4))
    server.expect(ack(0))
    server.send(data(1, rows[0]), data(2, rows[1]), data(4, rows[3]))
    server.expect(ack(2), "wrong-block")
    server.send(*(data(number, rows[number - 1]) for number in (3, 4, 5, 6)))
    server.expect(ack(6), "wrong-block")
    server.send(data(7, rows[6]), data(8, rows[7]))
    server.expect(ack(8), "wrong-block")
    expect_fetched(lab, client, folder, "a.txt", content(4000))
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=31, points=2, **by_client)
def test_udp_client_sends_in_windows(lab: Scenario) -> None:
    """`put -w 4`: four blocks, then it waits; an ACK from the middle is where it goes on."""
    tftp = Tftp(lab)
    rows = blocks(content(9000))
    client, _, server = start_asking(tftp, "put", "-w", "4", asked={"windowsize": "4"},
                                     whole=content(9000))
    server.send(oack(windowsize=4))
    for number in (1, 2, 3, 4):
        server.expect_block(rows, number)
    lab.wait_blocked(client)
    server.sock.expect_nothing("wrong-block")
    server.send(ack(2))  # block 3 was lost
    for number in (3, 4):
        server.expect(data(number, rows[number - 1]), "wrong-block", again=True)
    for number in (5, 6):
        server.expect_block(rows, number)
    server.send(ack(6), ack(6), ack(2))  # and duplicates
    for number in (7, 8, 9, 10):
        server.expect_block(rows, number, "sorcerers-apprentice")
    lab.wait_blocked(client)
    server.sock.expect_nothing("sorcerers-apprentice")
    server.send(ack(10))
    server.receive_file(content(9000), window=4, first=11)
    expect_success(lab, client)
    expect_wire(lab, tftp.sides, "sorcerers-apprentice")
