"""Lab 04: the TFTP server and its clients: which asks for what, from where, how often."""

from __future__ import annotations

from labkit.feedback import Mismatch
from labkit.grading import graded, takes
from labkit.reasons import NAMES_IT, because
from labkit.scenario import Scenario
from labkit.tftp import BLOCK, RRQ, WRQ, ack, blocks, data, error, request
from labkit.tftp_faults import expect_no_surplus, send_too_much
from labkit.tftp_lab import (
    LINES, TEXT, content, expect_options, expect_saved, expect_served, gaps_of_timers, serve,
    write_file,
)
from labkit.tftp_wire import expect_wire

LAB = "04-file-transfer"

by_server = dict(programs=("udp_server",))
BIG = 20_000_000
"""Bytes; neither 16 bits nor 24 can count them."""
TWO_SECONDS = 1.9
"""Seconds: two, less what clocks differ."""


# -- Step 12: the folder and nothing outside it ------------------------------------


@because(NAMES_IT)
@graded(step=12, points=1, **by_server)
def test_udp_server_takes_dots_for_letters(lab: Scenario) -> None:
    """Two dots in a name lead nowhere: only a part of a path that is `..` and no more does."""
    files = {name: name.encode() for name in ("a..b", "..a", "a..", "...", "sub../..c")}
    _, _, tftp = serve(lab, files)
    for name, whole in files.items():
        expect_served(tftp, name, whole, "no-error-told")
    expect_wire(lab, tftp.sides)


# -- Step 29: options ----------------------------------------------------------


@because(NAMES_IT)
@graded(step=29, points=1, **by_server)
def test_udp_server_tells_a_large_size(lab: Scenario) -> None:
    """`tsize` of a file of 20 MB is all of its size, not the low bits of it."""
    _, folder, tftp = serve(lab, {"big": b""})
    folder.cut("big", BIG)
    reader = tftp.read("big", tsize=0)
    expect_options(reader, {"tsize": str(BIG)})
    reader.send(error(0))
    expect_wire(lab, tftp.sides)


@takes(2)
@because(NAMES_IT)
@graded(step=29, points=1, **by_server)
def test_udp_server_waits_as_long_as_it_has_agreed_to(lab: Scenario) -> None:
    """`timeout` 2: the OACK, and DATA, is not sent again before two seconds are over."""
    lab.be_patient(3.5)
    _, _, tftp = serve(lab, {"a.txt": LINES})
    agreed, begun = tftp.read("a.txt", timeout=2), tftp.read("a.txt", timeout=2)
    for reader in (agreed, begun):
        expect_options(reader, {"timeout": "2"})
    begun.send(ack(0))
    begun.expect(data(1, LINES[:BLOCK]))
    begun.expect_again(data(1, LINES[:BLOCK]))
    for reader in (agreed, begun):
        reader.send(error(0))
    shortest = min(gaps_of_timers(expect_wire(lab, tftp.sides, "wrong-timeout")))
    if shortest < TWO_SECONDS:
        raise Mismatch("after an OACK with timeout 2 two seconds pass before it sends again",
                       f"{shortest:.1f} s", "wrong-timeout")


# -- Step 28: receive a file -----------------------------------------------------


@because(NAMES_IT)
@graded(step=28, points=1, **by_server)
def test_udp_server_saves_no_more_of_a_block_than_it_may_have(lab: Scenario) -> None:
    """DATA with more than 512 bytes: what is too much is never in the file."""
    server, folder, tftp = serve(lab, {}, "-w")
    writer = tftp.write("new")
    writer.expect(ack(0))
    writer.send_file(LINES, last=1)
    good = send_too_much(lab, server, writer, LINES)
    if good is not None:
        writer.send_file(LINES, first=good + 1)
        lab.wait_blocked(server)
        expect_no_surplus(lab, folder, "new", LINES)
    expect_wire(lab, tftp.sides)


# -- Step 25: a new port for each transfer ---------------------------------------


@because(NAMES_IT)
@graded(step=25, points=2, **by_server)
def test_udp_server_serves_a_client_that_keeps_its_port(lab: Scenario) -> None:
    """One port asks for one file after another, and for the same one again: each is served."""
    server, folder, tftp = serve(lab, {"a.txt": LINES, "b.txt": TEXT}, "-w")
    client = tftp.client("a client that keeps its port")
    for name, whole in (("a.txt", LINES), ("a.txt", LINES), ("b.txt", TEXT), ("b.txt", TEXT)):
        client.ask(request(RRQ, name))
        client.receive_file(whole, "one-client-only")
        lab.wait_blocked(server)  # the last ACK has come
    client.ask(request(WRQ, "new"))
    client.expect(ack(0), "one-client-only")
    client.send_file(LINES)
    expect_saved(lab, folder, "new", LINES)
    expect_wire(lab, tftp.sides, "one-client-only")


@because(NAMES_IT)
@graded(step=25, points=1, **by_server)
def test_udp_server_tells_hosts_apart(lab: Scenario) -> None:
    """Two hosts ask for the same file from ports of the same number, at once: both are served."""
    _, _, tftp = serve(lab, {"a.txt": LINES})
    one = tftp.client("one host")
    two = tftp.client("another host", "127.0.0.2", one.address[1])
    for client in (one, two):
        client.ask(request(RRQ, "a.txt"))
    for number, row in enumerate(blocks(LINES), 1):
        for client in (one, two):
            client.expect(data(number, row), "wrong-receiver" if number > 1 else "too-few-clients")
        for client in (one, two):
            client.send(ack(number))
    expect_wire(lab, tftp.sides)


# -- Step 32: new files only -----------------------------------------------------


@because(NAMES_IT)
@graded(step=32, points=1, **by_server)
def test_udp_server_serves_what_was_written_to_it(lab: Scenario) -> None:
    """What a client has written the next one can read, and it is the same."""
    _, folder, tftp = serve(lab, {}, "-w")
    whole = content(2000)
    write_file(tftp, "new", whole)
    expect_saved(lab, folder, "new", whole)
    expect_served(tftp, "new", whole, "no-error-told")
    expect_wire(lab, tftp.sides)
