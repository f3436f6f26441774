"""The same packet recorded twice, as `-i any` and bridges do."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import pytest
from calls import ReadAll, ReadOne
from trace_files import SLL
from traces import Conversation, echo_conversation, ipv6_conversation

MICROSECOND = 1000


def test_a_packet_recorded_twice_is_counted_nowhere_else(tmp_path: Path, report: ReadAll) -> None:
    once = echo_conversation(step_ns=10**7)
    twice = Conversation(step_ns=0)
    for frame in once.packets:
        twice.packets += [frame, frame]
    plain, _ = report(once.write(tmp_path / "once.pcap", SLL))
    told, capture = report(twice.write(tmp_path / "twice.pcap", SLL))
    assert capture["packets"] == 20
    assert capture["skipped"]["duplicates"] == 10
    assert capture["complete"] is True
    for key in ("to_server", "to_client", "state", "history", "duration"):
        assert told[key] == plain[key]
    assert told["handshake"]["ack"] == 5
    assert told["teardown"]["server_fin"] == 17


def test_three_copies_are_two_duplicates(trace: Path, report: ReadAll) -> None:
    talk = Conversation().handshake()
    number = talk.client("PA", b"hello")
    talk.again(number, 100 * MICROSECOND)
    talk.again(number, 100 * MICROSECOND)
    told, capture = report(talk.write(trace))
    assert capture["skipped"]["duplicates"] == 2
    assert told["to_server"]["retransmitted_segments"] == 0


def test_a_copy_may_come_after_another_packet(trace: Path, report: ReadAll) -> None:
    talk = Conversation().handshake()
    number = talk.client("PA", b"hello")
    talk.server("A", after_ns=100 * MICROSECOND)
    talk.again(number, 100 * MICROSECOND)
    told, capture = report(talk.write(trace))
    assert capture["skipped"]["duplicates"] == 1
    assert told["to_server"]["retransmitted_segments"] == 0


@pytest.mark.parametrize(("after_us", "duplicates"), [(999, 1), (1001, 0), (200_000, 0)])
def test_a_copy_is_a_duplicate_within_one_millisecond(
    trace: Path, report: ReadAll, after_us: int, duplicates: int
) -> None:
    talk = Conversation().handshake()
    number = talk.client("PA", b"hello")
    talk.again(number, after_us * MICROSECOND)
    told, capture = report(talk.write(trace))
    assert capture["skipped"]["duplicates"] == duplicates
    assert told["to_server"]["retransmitted_segments"] == 1 - duplicates
    assert told["to_server"]["packets"] == 4 - duplicates


@pytest.mark.parametrize("ip_id", [None, 0])
def test_another_ip_id_or_none_makes_a_retransmission(
    trace: Path, report: ReadAll, ip_id: Optional[int]
) -> None:
    talk = Conversation().handshake()
    fields = {} if ip_id is None else {"id": ip_id}
    talk.client("PA", b"hello", ip=fields)
    talk.client("PA", b"hello", seq=1, ip=fields, after_ns=10 * MICROSECOND)
    told, capture = report(talk.write(trace))
    assert capture["skipped"]["duplicates"] == 0
    assert told["to_server"]["retransmitted_segments"] == 1


@pytest.mark.parametrize(
    ("flags", "data", "seq"), [("A", b"hello", 1), ("PA", b"hell", 1), ("PA", b"hello", 2)]
)
def test_same_ip_id_with_other_flags_length_or_sequence_is_no_duplicate(
    trace: Path, capture: ReadOne, flags: str, data: bytes, seq: int
) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello", ip={"id": 500})
    talk.client(flags, data, seq=seq, ip={"id": 500}, after_ns=10 * MICROSECOND)
    assert capture(talk.write(trace))["skipped"]["duplicates"] == 0


@pytest.mark.parametrize("fields", [{"ack": 13}, {"window": 500}])
def test_same_ip_id_with_another_acknowledgement_or_window_is_no_duplicate(
    trace: Path, report: ReadAll, fields: dict[str, int]
) -> None:
    """Some systems give all their packets one id."""
    talk = Conversation().handshake()
    talk.client("PA", b"segment one,")
    talk.client("PA", b"segment two")
    talk.server("A", ack=1, ip={"id": 500})
    talk.server("A", ip={"id": 500}, after_ns=10 * MICROSECOND, **{"ack": 1, **fields})
    told, capture = report(talk.write(trace))
    assert (capture["skipped"]["duplicates"], told["to_client"]["packets"]) == (0, 3)


def test_ipv6_has_no_ip_id_and_so_no_duplicates(trace: Path, report: ReadAll) -> None:
    talk = ipv6_conversation().handshake()
    number = talk.client("PA", b"hello")
    talk.again(number, 10 * MICROSECOND)
    told, capture = report(talk.write(trace))
    assert capture["skipped"]["duplicates"] == 0
    assert told["to_server"]["retransmitted_segments"] == 1


def test_a_syn_recorded_twice_is_no_syn_retransmission(trace: Path, report: ReadAll) -> None:
    talk = Conversation()
    talk.client("S")
    talk.again(1, 5 * MICROSECOND)
    talk.server("SA")
    talk.client("A")
    told, capture = report(talk.write(trace))
    assert capture["skipped"]["duplicates"] == 1
    assert told["handshake"]["syn_retransmissions"] == 0
    assert (told["handshake"]["syn"], told["handshake"]["ack"]) == (1, 4)
