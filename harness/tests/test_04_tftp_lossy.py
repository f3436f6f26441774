"""Lab 04: TFTP server and client together, on a network that is good, and on bad ones.

On the latter packets are counted from 1, whoever sends them. Of a.txt, four blocks, these are

    get     RRQ 1, DATA 1 2, ACK 1 3, DATA 2 4, ACK 2 5, ... DATA 4 8, ACK 4 9
    put     WRQ 1, ACK 0 2, DATA 1 3, ACK 1 4, DATA 2 5, ACK 2 6, ... DATA 4 9, ACK 4 10

and with options OACK comes second, and to a get ACK 0 third.
"""

from __future__ import annotations

from typing import Optional, Sequence

import pytest

from labkit.feedback import Mismatch
from labkit.folders import Folder
from labkit.grading import graded, takes
from labkit.network import HOSTS
from labkit.program import Program
from labkit.reasons import BAD_NETWORK, PAIR, TWO_HOSTS, because
from labkit.scenario import Scenario
from labkit.tftp import BLOCK, PORT, RRQ, SERVER, WRQ, blocks
from labkit.tftp_lab import LINES, content, expect_saved, expect_success
from labkit.tftp_wire import expect_blocks, expect_sequence, transfer_on

LAB = "04-file-transfer"

pair_test = dict(programs=("udp_server", "udp_client"))
both_verbs = pytest.mark.parametrize("verb", ["get", "put"])
TEN = content(5000)
"""Ten blocks: in windows of 4 those are 1 to 4, 5 to 8, 9 and 10."""
WINDOW = ("-w", "4")


# -- A good network ----------------------------------------------------------------


@pytest.mark.parametrize("size, options", [
    (0, ()), (1600, ()), (2048, ()), (5000, ("-b", "1024")), (5120, WINDOW),
    (100_000, ("-b", "8192", "-w", "3"))],
    ids=["empty", "blocks", "full-blocks", "blksize", "windows", "both"])
@both_verbs
@because(PAIR)
@graded(step=31, points=1, **pair_test)
def test_pair_udp_copies_a_file(
    lab: Scenario, verb: str, size: int, options: tuple[str, ...]
) -> None:
    """Client and server together: one datagram for each block, and every ACK in its place."""
    whole = content(size)
    copy(lab, verb, whole, *options, cause="partial-file")
    lab.expect_packets("connections=0")
    wire = transfer_on(lab.trace, SERVER)
    block, window = wire.agreed
    rows = blocks(whole, block)
    expect_sequence(wire, RRQ if verb == "get" else WRQ, rows, window, bool(options))
    expect_blocks(wire, rows, window)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@because(TWO_HOSTS)
@graded(step=25, points=1, hosts=2, **pair_test)
def test_pair_udp_on_two_hosts(lab: Scenario, family: str) -> None:
    """Client and server on two hosts: a file there and back, in blocks of many IP fragments."""
    address = getattr(HOSTS["b"], family)
    cause = "no-ipv6" if family == "ipv6" else "wrong-address"
    served, own = lab.folder(), lab.folder({"a.bin": content(200_000)})
    start_server(lab, served, address, "b")
    for verb in ("put", "get"):
        options = ["-o", "back"] if verb == "get" else []
        client = lab.start("udp_client", "-b", "20000", *options, address, verb, "a.bin",
                           folder=own, host="a")
        lab.expect_exit(client, 0, cause)
        lab.expect_silence(client)
    served.expect_file("a.bin", content(200_000))
    own.expect_file("back", content(200_000))
    lab.expect_packets("connections=0")


# -- A bad one ---------------------------------------------------------------------


@because(BAD_NETWORK)
@graded(step=24, points=2, **pair_test)
def test_pair_udp_makes_up_for_lost_requests(lab: Scenario) -> None:
    """The first requests of two clients are lost: a second later they come again."""
    disturb(lab, f"drop udp to {PORT} 1,2")
    served = lab.folder({"a.txt": LINES})
    own = {"get": lab.folder(), "put": lab.folder({"new": TEN})}
    start_server(lab, served)
    clients = {verb: lab.start("udp_client", "127.0.0.1", verb, name, folder=own[verb])
               for verb, name in (("get", "a.txt"), ("put", "new"))}
    for client in clients.values():
        lab.expect_exit(client, 0, "no-retransmission")
    own["get"].expect_file("a.txt", LINES)
    expect_saved(lab, served, "new", TEN)
    lab.expect_packets("connections=0")


@takes(2)
@pytest.mark.parametrize("verb, rules, cause", [
    ("get", ["drop udp 4"], "no-retransmission"),
    ("get", ["delay 1200 udp 5", "drop udp 10"], "sorcerers-apprentice"),
    ("get", ["drop udp 9"], "no-retransmission"),
    ("get", ["drop udp 4,5"], "no-retransmission"),
    ("put", ["drop udp 2"], "no-retransmission"),
    ("put", ["drop udp 5,6"], "no-retransmission"),
    ("put", ["delay 1200 udp 5", "drop udp 10"], "wrong-block"),
    ("put", ["drop udp 10"], "no-retransmission"),
], ids=["get-DATA-lost", "get-ACK-late", "get-last-ACK-lost", "get-DATA-lost-twice",
        "put-ACK-0-lost", "put-DATA-lost-twice", "put-DATA-late", "put-last-ACK-lost"])
@because(PAIR)
@graded(step=26, points=1, **pair_test)
def test_pair_udp_makes_up_for(lab: Scenario, verb: str, rules: list[str], cause: str) -> None:
    """A packet is lost, or comes when it was sent again already (and DATA 4 is lost): all is whole.
    """
    copy(lab, verb, LINES, rules=rules, cause=cause)
    expect_made_up(lab, LINES)


@pytest.mark.parametrize("verb, rule", [("get", "drop udp 2"), ("get", "drop udp 3"),
                                        ("put", "drop udp 2")],
                         ids=["get-OACK-lost", "get-ACK-0-lost", "put-OACK-lost"])
@because(PAIR)
@graded(step=29, points=1, **pair_test)
def test_pair_udp_agrees_on_options_in_spite_of(lab: Scenario, verb: str, rule: str) -> None:
    """The OACK is lost, or its ACK 0: it comes again, and counts."""
    copy(lab, verb, LINES, "-b", "600", rules=[rule], cause="no-retransmission")
    expect_made_up(lab, LINES, size=600)


@pytest.mark.parametrize("options", [(), WINDOW], ids=["lockstep", "windows"])
@both_verbs
@because(PAIR)
@graded(step=27, points=1, **pair_test)
def test_pair_udp_when_packets_come_twice(
    lab: Scenario, verb: str, options: tuple[str, ...]
) -> None:
    """The network doubles the first packets, of each kind; the programs double nothing."""
    copy(lab, verb, TEN, *options, rules=["duplicate udp 1,2,3,4,5,6,7,8"],
         cause="sorcerers-apprentice")
    expect_made_up(lab, TEN, window=4 if options else 1)


@pytest.mark.parametrize("verb, rule, again", [
    ("get", "drop udp 5", 4), ("get", "drop udp 7", 8), ("get", "drop udp 8", 4),
    ("get", "reorder udp 6", 8), ("put", "corrupt udp 4", 4), ("put", "drop udp 7", 4),
    ("put", "reorder udp 5", 8),
], ids=["get-DATA-2-lost", "get-DATA-4-lost", "get-ACK-4-lost", "get-DATA-3-overtaken",
        "put-DATA-2-damaged", "put-ACK-4-lost", "put-DATA-3-overtaken"])
@because(PAIR)
@graded(step=31, points=1, **pair_test)
def test_pair_udp_keeps_windows_in_spite_of(
    lab: Scenario, verb: str, rule: str, again: int
) -> None:
    """In windows of 4: what a fault takes away comes again, and not much besides."""
    copy(lab, verb, TEN, *WINDOW, rules=[rule], cause="wrong-block")
    expect_made_up(lab, TEN, window=4, again=again)


# -- What several tests do ------------------------------------------------------------


def disturb(lab: Scenario, *rules: str) -> None:
    """As Scenario.disturb(); who waits for a timer of a second is not taken for stuck."""
    lab.be_patient(2.5)
    lab.disturb(*rules)


def start_server(
    lab: Scenario, folder: Folder, address: str = "127.0.0.1", host: Optional[str] = None
) -> Program:
    """Starts udp_server, which may write."""
    return lab.start_datagram_server("udp_server", "-a", address, "-d", ".", "-w", port=PORT,
                                     address=address, folder=folder, host=host)


def copy(
    lab: Scenario, verb: str, whole: bytes, *options: str, rules: Sequence[str] = (), cause: str
) -> None:
    """WHOLE is copied as a.txt, by a client with OPTIONS; cause: why that fails.

    rules: what the network does meanwhile.
    """
    if rules:
        disturb(lab, *rules)
    full, empty = lab.folder({"a.txt": whole}), lab.folder()
    served, own = (full, empty) if verb == "get" else (empty, full)
    start_server(lab, served)
    client = lab.start("udp_client", *options, "127.0.0.1", verb, "a.txt", folder=own)
    lab.expect_exit(client, 0, cause)
    expect_success(lab, client)
    empty.expect_file("a.txt", whole, cause)
    empty.expect_names("a.txt", cause="left-over-file")


def expect_made_up(
    lab: Scenario, whole: bytes, size: int = BLOCK, window: int = 1, again: int = 0
) -> None:
    """The verdict: the rule met a packet, and the blocks went as they should (expect_blocks)."""
    lab.expect_packets("connections=0")
    if not lab.changes:
        raise Mismatch("a transfer with the packet that the network changes", "it ended before",
                       "wrong-block")
    expect_blocks(transfer_on(lab.trace, SERVER), blocks(whole, size), window, again)
