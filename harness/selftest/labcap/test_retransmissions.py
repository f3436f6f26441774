"""What comes twice, late, empty or against a closed window."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import Json, ReadOne
from traces import Conversation

FIGURES = (
    "bytes", "retransmitted_segments", "retransmitted_bytes", "out_of_order_segments",
    "duplicate_acks", "zero_windows", "keep_alives",
)  # fmt: skip


def figures(direction: Json) -> Json:
    """The figures of a direction that are not 0."""
    return {key: direction[key] for key in FIGURES if direction[key] != 0}


def test_payload_with_no_new_byte_is_a_retransmission(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.client("A", b"x" * 60, seq=21)
    talk.write(trace)
    assert figures(flow(trace)["to_server"]) == {
        "bytes": 100, "retransmitted_segments": 1, "retransmitted_bytes": 60,
    }  # fmt: skip


def test_a_partly_new_segment_retransmits_its_old_part(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 10)
    talk.client("A", b"x" * 10, seq=7)
    talk.write(trace)
    assert figures(flow(trace)["to_server"]) == {"bytes": 16, "retransmitted_bytes": 4}


def test_a_segment_of_two_old_ones_is_one_retransmission(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 10)
    talk.client("A", b"x" * 10)
    talk.client("A", b"x" * 20, seq=1)
    talk.write(trace)
    assert figures(flow(trace)["to_server"]) == {
        "bytes": 20, "retransmitted_segments": 1, "retransmitted_bytes": 20,
    }  # fmt: skip


def test_a_segment_that_fills_a_hole_is_out_of_order(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.client("A", b"x" * 100, seq=201)
    talk.client("A", b"x" * 100, seq=101)
    talk.write(trace)
    assert figures(flow(trace)["to_server"]) == {"bytes": 300, "out_of_order_segments": 1}


def test_a_hole_filled_seconds_later_is_still_out_of_order(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100, seq=101)
    talk.client("A", b"x" * 100, seq=1, after_ns=30 * 10**9)
    talk.write(trace)
    assert figures(flow(trace)["to_server"]) == {"bytes": 200, "out_of_order_segments": 1}


@pytest.mark.parametrize("step_ns", [0, 1000, 10**9])
def test_figures_do_not_depend_on_the_clock(tmp_path: Path, flow: ReadOne, step_ns: int) -> None:
    def figures_at(pace: int) -> Json:
        talk = Conversation(step_ns=pace).handshake()
        for seq in (1, 201, 101, 101, 151, 401, 301, 1):
            talk.client("A", b"x" * 100, seq=seq)
            talk.server("A", ack=1)
        told = flow(talk.write(tmp_path / f"{pace}.pcap"))
        return {k: v for k, v in told.items() if k != "duration"}

    assert figures_at(step_ns) == figures_at(20_000_000)


@pytest.mark.parametrize("probe", [b"", b"\0"])
def test_one_below_the_next_number_is_a_keep_alive(
    trace: Path, flow: ReadOne, probe: bytes
) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"hello")
    talk.server("A")
    talk.client("A", probe, seq=5)
    talk.server("A")
    talk.write(trace)
    told = flow(trace)
    assert figures(told["to_server"]) == {"bytes": 5, "keep_alives": 1}
    assert figures(told["to_client"]) == {}


@pytest.mark.parametrize("probe", [b"", b"\0"])
def test_a_keep_alive_may_come_before_any_data(trace: Path, flow: ReadOne, probe: bytes) -> None:
    talk = Conversation().handshake()
    talk.client("A", probe, seq=0)
    talk.server("A")
    talk.write(trace)
    assert figures(flow(trace)["to_server"]) == {"keep_alives": 1}


def test_a_keep_alive_may_come_after_the_fin(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FA", b"hello")
    talk.server("A")
    talk.client("A", seq=7)
    talk.client("A", seq=6)
    talk.server("A")
    talk.write(trace)
    assert figures(flow(trace)["to_server"]) == {"bytes": 5, "keep_alives": 1}


def test_two_bytes_below_the_next_number_are_no_keep_alive(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"hello")
    talk.client("A", b"lo", seq=4)
    talk.write(trace)
    assert figures(flow(trace)["to_server"]) == {
        "bytes": 5, "retransmitted_segments": 1, "retransmitted_bytes": 2,
    }  # fmt: skip


@pytest.mark.parametrize("flags", ["FA", "RA"])
def test_fin_and_rst_are_no_keep_alives(trace: Path, flow: ReadOne, flags: str) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"hello")
    talk.client(flags, seq=5)
    talk.write(trace)
    assert flow(trace)["to_server"]["keep_alives"] == 0


def test_a_syn_retransmission_is_no_keep_alive(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.client("S", seq=0)
    talk.write(trace)
    assert flow(trace)["to_server"]["keep_alives"] == 0


def test_a_byte_sent_against_a_closed_window_is_data(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("A", window=0)
    talk.client("A", b"y")
    talk.server("A", window=0)
    talk.server("A", window=5000)
    talk.write(trace)
    told = flow(trace)
    assert figures(told["to_server"]) == {"bytes": 101}
    assert figures(told["to_client"]) == {"zero_windows": 2}


def test_a_window_probe_that_is_repeated_and_then_sent_with_more(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.server("A", window=0)
    talk.client("A", b"y")
    talk.server("A", ack=1, window=0)
    talk.client("A", b"y" * 50, seq=1)
    talk.server("A")
    talk.write(trace)
    assert figures(flow(trace)["to_server"]) == {"bytes": 50, "retransmitted_bytes": 1}


def test_repeated_acknowledgements_while_data_is_outstanding_are_duplicates(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("A")
    talk.lose("client", 100)
    for _ in range(3):
        talk.client("A", b"x" * 100)
        talk.server("A", ack=101)
    talk.write(trace)
    told = flow(trace)
    assert figures(told["to_client"]) == {"duplicate_acks": 3}
    assert told["to_server"]["duplicate_acks"] == 0


def duplicate_acks(flow: ReadOne, trace: Path, talk: Conversation) -> int:
    """How many duplicate ACKs of the server labcap counts."""
    return flow(talk.write(trace))["to_client"]["duplicate_acks"]


def test_acknowledgements_with_nothing_outstanding_are_no_duplicates(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("A")
    talk.server("A")
    talk.server("A")
    assert duplicate_acks(flow, trace, talk) == 0


def test_where_no_data_was_seen_none_is_outstanding(trace: Path, flow: ReadOne) -> None:
    """Acknowledgements in the wrong order, in a recording that began late."""
    talk = Conversation().unseen_handshake()
    talk.client("FA", seq=360, ack=258)
    talk.server("A", seq=258, ack=213)
    talk.server("A", seq=258, ack=213)
    assert duplicate_acks(flow, trace, talk) == 0


def test_an_acknowledgement_before_the_isn_was_known_is_not_repeated_by_a_later_one(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation()
    talk.server("S")
    talk.server("A", ack=0)
    talk.client("SA", seq=0, ack=1)
    talk.client("A", b"x" * 100, seq=1, ack=1)
    talk.server("A", ack=1)
    assert flow(talk.write(trace))["to_server"]["duplicate_acks"] == 0


def test_a_window_update_is_no_duplicate_ack(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("A", ack=1, window=5000)
    talk.server("A", ack=1, window=6000)
    assert duplicate_acks(flow, trace, talk) == 0


def test_zero_window_acknowledgements_are_no_duplicates(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("A", ack=1, window=0)
    talk.server("A", ack=1, window=0)
    assert duplicate_acks(flow, trace, talk) == 0


def test_segments_with_payload_are_no_duplicate_acks(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("A", b"a", ack=1)
    talk.server("A", b"b", ack=1)
    assert duplicate_acks(flow, trace, talk) == 0


def test_a_fin_is_no_duplicate_ack(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("FA", ack=1)
    talk.server("FA", ack=1, seq=1)
    assert duplicate_acks(flow, trace, talk) == 0


def test_the_syn_ack_sent_again_is_no_duplicate_ack(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.server("SA", seq=0)
    talk.client("A")
    assert duplicate_acks(flow, trace, talk) == 0


def test_each_zero_window_is_counted_for_its_sender(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", window=0)
    talk.server("PA", b"hello", window=0)
    talk.server("A", window=0)
    talk.server("A")
    talk.write(trace)
    told = flow(trace)
    assert told["to_server"]["zero_windows"] == 1
    assert told["to_client"]["zero_windows"] == 2
