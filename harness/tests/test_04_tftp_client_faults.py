"""Lab 04: the TFTP client when something goes wrong: no cut file, no old one lost, no rubbish."""

from __future__ import annotations

import signal

import pytest

from labkit.grading import graded
from labkit.program import Program
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario
from labkit.tftp import (
    BLOCK, ERROR, RRQ, WRQ, Tftp, Transfer, ack, blocks, data, error, oack, request,
)
from labkit.tftp_faults import expect_no_surplus, send_too_much
from labkit.tftp_lab import (
    LINES, TEXT, answers_or_ends, expect_failed, expect_fetched, expect_ignored, expect_success,
    start_asking, start_get,
)
from labkit.tftp_wire import expect_wire

LAB = "04-file-transfer"

by_client = dict(programs=("udp_client",))
HOST = "127.0.0.1"


# -- Step 5: whole files only ----------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@because(NAMES_IT)
@graded(step=5, points=1, **by_client)
def test_udp_client_keeps_no_part_when_it_is_interrupted(lab: Scenario, number: int) -> None:
    """Ctrl-C or `kill` in the middle of `get`: no cut file under FILE's name, or LOCAL's."""
    tftp = Tftp(lab)
    for options, local in ((["-o", "local"], "local"), ([], "a.txt")):
        client, folder, server = start_get(tftp, "a.txt", *options)
        server.send_file(LINES, last=3)
        lab.wait_blocked(client)
        client.send_signal(number)
        lab.wait_for(lambda: client.exit is not None, f"`{client.command}` ends",
                     lambda: "it still runs", "slow-end")
        if local in folder.names():
            folder.expect_file(local, LINES, "cut-file-kept")
        server.take_copies()
        if server.sock.came:  # it may tell the server that it ends
            server.expect_error(*range(9), cause="cut-file-kept")
    expect_wire(lab, tftp.sides)


@because(NAMES_IT)
@graded(step=5, points=1, **by_client)
def test_udp_client_keeps_the_old_file_where_there_is_no_new_one(lab: Scenario) -> None:
    """ERROR in answer to the request: an old file of that name, or LOCAL, stays as it was."""
    tftp = Tftp(lab)
    port = tftp.port
    for options, local in (([], "a.txt"), (["-o", "local"], "local")):
        folder = lab.folder({local: LINES})
        client = lab.start("udp_client", *options, HOST, "get", "a.txt", folder=folder)
        server = tftp.answer(port.expect(request(RRQ, "a.txt")))
        server.send(error(1, "File not found"))
        expect_failed(lab, client, "File not found")
        folder.expect_file(local, LINES, "file-overwritten")
        folder.expect_names(local, cause="left-over-file")
    expect_wire(lab, tftp.sides)


# -- Step 29: options ----------------------------------------------------------


@because(NAMES_IT)
@graded(step=29, points=1, **by_client)
def test_udp_client_saves_no_part_after_a_senseless_oack(lab: Scenario) -> None:
    """An OACK with a blksize below 8: refused, or such blocks are taken; never a part saved."""
    lab.be_patient(2.5)
    tftp = Tftp(lab)
    for size in (7, 4):
        client, folder, server = start_asking(tftp, "get", "-b", "1024", asked={"blksize": "1024"})
        server.send(oack(blksize=size))
        rows = blocks(TEXT, size)
        for number in range(len(rows) + 1):
            if not answers_or_ends(lab, client, server, "bad-options"):
                break
            if server.next(f"ERROR 8, or ACK {number}", "bad-options").opcode == ERROR:
                break
            server.send(*(data(number + 1, row) for row in rows[number:number + 1]))
        lab.wait_for(lambda: client.exit is not None, f"`{client.command}` ends",
                     lambda: "it still runs", "bad-options")
        if client.exit is not None and client.exit.status == 0:
            folder.expect_file("a.txt", TEXT, "bad-options")
        else:
            expect_failed(lab, client, cause="bad-options")
            folder.expect_names(cause="cut-file-kept")
    expect_wire(lab, tftp.sides)


# -- Step 28: receive a file -----------------------------------------------------


@because(NAMES_IT)
@graded(step=28, points=1, **by_client)
def test_udp_client_saves_no_more_of_a_block_than_it_may_have(lab: Scenario) -> None:
    """DATA with more than 512 bytes: what is too much is never in the file."""
    tftp = Tftp(lab)
    client, folder, server = start_get(tftp, "a.txt")
    server.send_file(LINES, last=1)
    good = send_too_much(lab, client, server, LINES)
    if good is None:
        expect_failed(lab, client)
        folder.expect_names()
    else:
        server.send_file(LINES, first=good + 1)
        expect_success(lab, client)
        expect_no_surplus(lab, folder, "a.txt", LINES)
    expect_wire(lab, tftp.sides)


# -- Step 24: the request --------------------------------------------------------


@because(NAMES_IT)
@graded(step=24, points=1, **by_client)
def test_udp_client_takes_no_other_block_for_the_first_one(lab: Scenario) -> None:
    """RRQ is answered by DATA 1, WRQ by ACK 0: DATA 2, or ACK 1, is ignored or gets an ERROR."""
    tftp = Tftp(lab)
    port = tftp.port
    getting, putting = lab.folder(), lab.folder({"new": LINES})
    get = lab.start("udp_client", HOST, "get", "a.txt", folder=getting)
    sender = tftp.answer(port.expect(request(RRQ, "a.txt")))
    put = lab.start("udp_client", HOST, "put", "new", folder=putting)
    receiver = tftp.answer(port.expect(request(WRQ, "new")))
    sender.send(data(2, b"x" * BLOCK))
    if is_ignored(lab, get, sender, ack(0)):
        sender.send_file(LINES, "wrong-block")
        expect_fetched(lab, get, getting, "a.txt", LINES)
    receiver.send(ack(1))
    if is_ignored(lab, put, receiver):
        receiver.send(ack(0))
        receiver.receive_file(LINES, "wrong-block")
        expect_success(lab, put)
    expect_wire(lab, tftp.sides)


def is_ignored(lab: Scenario, client: Program, server: Transfer, *allowed: bytes) -> bool:
    """What was just sent is ignored, or answered by one of ALLOWED: then it goes on.

    False where CLIENT ends, with an ERROR or without.
    """
    lab.wait_blocked(client)
    server.sock.take_in()
    if server.sock.came and server.sock.came[0].data in allowed:
        server.expect(server.sock.came[0].data)
    return expect_ignored(lab, client, server, "wrong-block")
