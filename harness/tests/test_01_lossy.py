"""Lab 01 on a network that loses, reorders, doubles and damages: the programs notice nothing."""

from __future__ import annotations

import pytest

from labkit.echo import BIG, PORT, TEXT, for_concurrent_servers, leave, talk
from labkit.grading import graded
from labkit.losses import disturb, expect_unnoticed
from labkit.program import Program
from labkit.reasons import BAD_NETWORK, PAIR, because
from labkit.scenario import Scenario

LAB = "01-tcp-echo"
SOME = BIG[:100_000]
"""Some 70 segments, of which every fifth is some more than a dozen."""
FEW = BIG[:8_000]
"""Six segments at least."""

pair_test = dict(programs=("server", "client"))
TOWARDS = {"to_server": "to", "to_client": "from"}
"""What a rule calls a way, with the server's port."""
both_ways = pytest.mark.parametrize("way", ["to_server", "to_client"])


@pytest.mark.parametrize("kind, way, sent_again", [
    ("syn", "to_server", ["handshake.syn_retransmissions>=1"]),
    ("syn-ack", "to_client", []),  # either side's timer may be the first: SYN or SYN+ACK
], ids=["syn", "syn-ack"])
@because(BAD_NETWORK)
@graded(step=13, points=1, **pair_test)
def test_pair_connects_although_a_packet_is_lost(
    lab: Scenario, kind: str, way: str, sent_again: list[str]
) -> None:
    """The first SYN, or the SYN+ACK, is lost: a second later TCP sends again, and all is well."""
    disturb(lab, f"drop {kind} 1")
    client = start_pair(lab, stdin=TEXT)
    lab.expect_output(client, TEXT, cause="own-timeout")
    end(lab, client)
    expect_unnoticed(lab, len(TEXT), len(TEXT), *sent_again, f"{way}.lost=1",
                     f"{other(way)}.lost=0")


@both_ways
@because(BAD_NETWORK)
@graded(step=15, points=1, **pair_test)
def test_pair_waits_for_lost_data(lab: Scenario, way: str) -> None:
    """A line is lost, or its echo: TCP sends it again, the programs only wait for it."""
    disturb(lab, f"drop data {TOWARDS[way]} {PORT} 1")
    client = start_pair(lab)
    client.write(TEXT)
    lab.expect_output(client, TEXT, cause="own-timeout")
    client.close_stdin()
    end(lab, client)
    expect_unnoticed(lab, len(TEXT), len(TEXT), f"{way}.lost=1",
                     f"{way}.retransmitted_segments>=1", f"{other(way)}.lost=0")


@because(PAIR)
@graded(step=16, points=1, **pair_test)
def test_pair_takes_data_in_its_order(lab: Scenario) -> None:
    """Segments are reordered, doubled and damaged: every byte comes once, in its place."""
    disturb(lab, f"reorder data to {PORT} 2", f"duplicate data to {PORT} 4",
            f"corrupt data from {PORT} 2")
    client = start_pair(lab)
    client.write(FEW)
    lab.expect_output(client, FEW, cause="single-read")
    client.close_stdin()
    end(lab, client)
    expect_unnoticed(lab, len(FEW), len(FEW), "to_server.reordered>=1", "to_server.duplicated=1",
                     "to_client.corrupted=1", "to_server.lost=0", "to_client.lost=0")


@both_ways
@because(BAD_NETWORK)
@graded(step=18, points=1, **pair_test)
def test_pair_waits_for_a_lost_fin(lab: Scenario, way: str) -> None:
    """The FIN of one side is lost: it is sent again, and the other side waits for it."""
    disturb(lab, f"drop fin {TOWARDS[way]} {PORT} 1")
    client = start_pair(lab, stdin=TEXT)
    lab.expect_output(client, TEXT)
    end(lab, client)
    expect_unnoticed(lab, len(TEXT), len(TEXT), f"{way}.lost=1", f"{other(way)}.lost=0")


@because(BAD_NETWORK)
@graded(step=17, points=2, **pair_test)
def test_pair_carries_a_stream_over_a_bad_network(lab: Scenario) -> None:
    """100 kB each way, of which every fifth data segment is lost: not a byte is missing."""
    disturb(lab, f"drop data to {PORT} every 5", f"drop data from {PORT} every 5")
    client = start_pair(lab, stdin=SOME)
    lab.expect_output(client, SOME, cause="single-read")
    end(lab, client)
    expect_unnoticed(lab, len(SOME), len(SOME), *(f"{way}.{what}>=10" for what in
                     ("lost", "retransmitted_segments") for way in ("to_server", "to_client")))


@because(BAD_NETWORK)
@for_concurrent_servers(points=1)
def test_server_notices_nothing_of_a_bad_network(lab: Scenario, program: str) -> None:
    """A client's first line is lost, then every fifth segment, then its FIN: all is echoed."""
    disturb(lab, f"drop data to {PORT} 1", f"drop data to {PORT} every 5",
            f"drop data from {PORT} every 5", f"drop fin to {PORT} 1")
    lab.start_server(program, port=PORT)
    peer = lab.connect(PORT)
    talk(peer, TEXT, cause="own-timeout")
    peer.start_sending(SOME)
    peer.expect(SOME, cause="own-timeout")
    leave(peer)
    expect_unnoticed(lab, len(TEXT + SOME), len(TEXT + SOME), "to_server.lost>=10",
                     "to_client.lost>=10")


# -- What several tests do ------------------------------------------------------------


def start_pair(lab: Scenario, **how: bytes) -> Program:
    """Starts server and client; returns the client. HOW: as for Scenario.start()."""
    lab.start_server("server", port=PORT)
    return lab.start("client", **how)


def end(lab: Scenario, client: Program) -> None:
    """The client ends with success, and stdout has had the echo and nothing else."""
    lab.expect_exit(client, 0, cause="own-timeout")
    lab.expect_silence(client)


def other(way: str) -> str:
    """The way back."""
    return next(name for name in TOWARDS if name != way)
