"""labcap show: what an ACK acknowledges, by packet number."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import Labcap
from ladders import Show, row, shower
from traces import Conversation


@pytest.fixture
def show(labcap: Labcap, trace: Path) -> Show:
    return shower(labcap, trace)


def test_the_packet_whose_data_is_acknowledged_is_named(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello\n")
    talk.server("A")
    text = show(talk)
    assert "ACK seq 1 ack 7 (packet 4) -|" in row(text, 5)


@pytest.mark.parametrize(("segments", "words"), [(2, "(packets 4, 5)"), (3, "(packets 4-6)")])
def test_an_ack_of_several_names_the_first_and_the_last(
    show: Show, segments: int, words: str
) -> None:
    talk = Conversation().handshake()
    for _ in range(segments):
        talk.client("PA", b"hello\n")
    talk.server("A")
    assert words in row(show(talk, columns=100), 4 + segments)


def test_an_ack_in_the_middle_of_a_segment_names_what_is_whole(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello\n")
    talk.client("PA", b"world\n")
    talk.server("A", ack=10)
    talk.server("A", ack=13)
    text = show(talk, columns=100)
    assert "ack 10 (packet 4)" in row(text, 6)
    assert "ack 13 (packet 5)" in row(text, 7)


def test_data_sent_back_acknowledges_too(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello\n")
    talk.server("PA", b"hello\n")
    talk.client("FA")
    text = show(talk, columns=100)
    assert "PSH+ACK seq 1 ack 7 (packet 4) len 6" in row(text, 5)
    assert "1/4 FIN seq 7 ack 7 (packet 5)" in row(text, 6)


def test_of_data_sent_twice_the_later_packet_is_named(show: Show) -> None:
    talk = Conversation().handshake()
    for _ in range(2):
        talk.client("PA", b"hello\n", seq=1)
    talk.server("A", ack=7)
    assert "(packet 5)" in row(show(talk), 6)


def test_what_was_acknowledged_before_is_not_named_again(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello\n")
    talk.server("A", ack=7)
    talk.client("PA", b"hello\n", seq=1)
    talk.server("A", ack=7)
    text = show(talk)
    assert "(packet 4)" in row(text, 5)
    assert "packet" not in row(text, 7)


def test_out_of_order_data_is_named_by_the_ack_that_covers_it(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"def", seq=4)
    talk.server("A", ack=1)
    talk.client("PA", b"abc", seq=1)
    talk.server("A", ack=7)
    text = show(talk, columns=100)
    assert "packet" not in row(text, 5)
    assert "(packets 4, 6)" in row(text, 7)


def test_handshake_and_fin_are_told_by_their_steps_alone(show: Show) -> None:
    talk = Conversation().handshake()
    talk.close()
    assert "packet " not in "".join(row(show(talk, columns=120), n) for n in range(1, 8))


def test_a_note_comes_before_the_packet_where_there_is_room_for_one(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"x" * 100_0)
    talk.server("A", window=0)
    assert row(show(talk), 5).endswith("ACK seq 1 ack 1001, zero window -|")
    assert "ack 1001 (packet 4), zero window -|" in row(show(talk, columns=100), 5)


def test_the_same_for_data_and_for_a_step_of_the_teardown(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello\n")
    talk.server("PA", b"world\n", window=0)
    talk.client("PA", b"hello\n")
    talk.server("FA", window=0)
    assert row(show(talk, columns=90), 5).endswith("- PSH+ACK seq 1 ack 7 len 6, zero window -|")
    assert "- 1/4 FIN seq 7 ack 13, zero window -|" in row(show(talk), 7)
    text = show(talk, columns=100)
    assert "ack 7 (packet 4) len 6, zero window -|" in row(text, 5)
    assert "ack 13 (packet 6), zero window -|" in row(text, 7)


def test_without_room_the_packet_is_left_out_before_the_numbers_of_data(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello\n")
    talk.server("PA", b"hello\n")
    assert row(show(talk), 5).endswith("- PSH+ACK seq 1 ack 7 len 6 -|")
