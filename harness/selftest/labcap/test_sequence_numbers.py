"""Sequence numbers: any ISN is ordinary, and so is the way past 2^32."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import Json, ReadOne
from traces import Conversation, echo_conversation

LAST = 2**32 - 1


def figures(told: Json) -> Json:
    """What must not depend on where the numbers start."""
    same = {key: value for key, value in told.items() if key != "handshake"}
    numbers = ("client_isn", "server_isn")
    same["handshake"] = {k: v for k, v in told["handshake"].items() if k not in numbers}
    return same


def test_isn_zero_is_an_ordinary_isn(trace: Path, flow: ReadOne) -> None:
    echo_conversation(client_isn=0, server_isn=0).write(trace)
    told = flow(trace)
    assert told["handshake"]["client_isn"] == 0
    assert told["handshake"]["server_isn"] == 0
    assert told["handshake"]["complete"] is True
    assert (told["to_server"]["bytes"], told["to_client"]["bytes"]) == (7, 18)


def test_isn_4294967295_is_an_ordinary_isn(trace: Path, flow: ReadOne) -> None:
    echo_conversation(client_isn=LAST, server_isn=LAST).write(trace)
    told = flow(trace)
    assert told["handshake"]["client_isn"] == LAST
    assert told["handshake"]["server_isn"] == LAST
    assert told["handshake"]["complete"] is True
    assert (told["to_server"]["bytes"], told["to_client"]["bytes"]) == (7, 18)


@pytest.mark.parametrize("client_isn", [0, 1, 2**31 - 3, 2**31, LAST - 8, LAST - 3, LAST])
@pytest.mark.parametrize("server_isn", [0, 2**31 - 1, LAST - 19, LAST - 1])
def test_the_isn_changes_no_figure(
    tmp_path: Path, flow: ReadOne, client_isn: int, server_isn: int
) -> None:
    usual = echo_conversation().write(tmp_path / "usual.pcap")
    odd = echo_conversation(client_isn=client_isn, server_isn=server_isn)
    assert figures(flow(odd.write(tmp_path / "odd.pcap"))) == figures(flow(usual))


def test_sequence_number_wrap_is_ordinary(trace: Path, flow: ReadOne) -> None:
    talk = Conversation(client_isn=LAST - 150).handshake()
    for _ in range(4):
        talk.client("A", b"x" * 100)
        talk.server("A")
    talk.close()
    talk.write(trace)
    told = flow(trace)
    assert told["to_server"]["bytes"] == 400
    assert told["to_server"]["missing_bytes"] == 0
    assert told["to_server"]["retransmitted_segments"] == 0
    assert told["to_server"]["out_of_order_segments"] == 0
    assert told["teardown"]["kind"] == "fin"
    assert told["teardown"]["client_fin_ack"] == 13


def test_a_segment_across_the_wrap_counts_once_when_it_is_sent_twice(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation(client_isn=LAST - 50).handshake()
    talk.client("A", b"x" * 100)
    talk.client("A", b"x" * 100, seq=1)
    talk.write(trace)
    told = flow(trace)
    assert told["to_server"]["bytes"] == 100
    assert told["to_server"]["retransmitted_segments"] == 1
    assert told["to_server"]["retransmitted_bytes"] == 100


def test_a_hole_across_the_wrap_is_filled_out_of_order(trace: Path, flow: ReadOne) -> None:
    talk = Conversation(client_isn=LAST - 150).handshake()
    talk.client("A", b"x" * 100)
    talk.client("A", b"x" * 100, seq=201)
    talk.client("A", b"x" * 100, seq=101)
    talk.server("A")
    talk.write(trace)
    to_server = flow(trace)["to_server"]
    assert (to_server["bytes"], to_server["missing_bytes"]) == (300, 0)
    assert to_server["out_of_order_segments"] == 1
    assert to_server["retransmitted_segments"] == 0


def test_a_fin_at_the_wrap_keeps_its_place(trace: Path, flow: ReadOne) -> None:
    talk = Conversation(client_isn=LAST - 5).handshake()
    talk.client("FA", b"hello")
    talk.client("FA", seq=6)
    talk.server("A")
    talk.write(trace)
    teardown = flow(trace)["teardown"]
    assert (teardown["client_fin"], teardown["client_fin_ack"]) == (4, 6)


def test_five_gigabytes_are_counted_in_64_bits(trace: Path, flow: ReadOne) -> None:
    """Segments of 1 byte, 1 GiB apart: all that lies between is acknowledged."""
    talk = Conversation().handshake()
    for _ in range(5):
        talk.lose("client", 2**30 - 1)
        talk.client("A", b"x")
        talk.server("A")
    talk.close()
    talk.write(trace)
    told = flow(trace)
    assert told["to_server"]["bytes"] == 5
    assert told["to_server"]["missing_bytes"] == 5 * (2**30 - 1)
    assert told["to_server"]["retransmitted_segments"] == 0
    assert told["teardown"]["kind"] == "fin"
