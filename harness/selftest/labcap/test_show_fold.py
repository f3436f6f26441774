"""labcap show: long runs of ordinary segments are counted in one row."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from calls import Labcap
from ladders import UTF8, Show, between_lanes, columns_of, numbers, outcome, row, shower
from traces import CLIENT, SERVER, Conversation

SHOWN_FIRST, SHOWN_LAST = 10, 6
LONGEST_IN_FULL = 39  # rows of a run that is not folded
SHOWN_OF_A_KIND = 40  # rows with the same mark


@pytest.fixture
def show(labcap: Labcap, trace: Path) -> Show:
    return shower(labcap, trace)


def transfer(segments: int, *, size: int = 1000) -> Conversation:
    """A handshake, data of the client, and a close; packet 4 is the first data."""
    talk = Conversation().handshake()
    for _ in range(segments):
        talk.client("A", b"x" * size)
    return talk


def closed(talk: Conversation) -> Conversation:
    talk.server("A")
    talk.close()
    return talk


def folds(text: str) -> list[str]:
    """What the rows say that stand for many."""
    lines, found = between_lanes(text), []
    for line in lines:
        if line.startswith("... "):
            found.append("")
        if found and not found[-1].endswith("..."):
            found[-1] = f"{found[-1]} {line}".strip()
    return found


def test_the_many_in_the_middle_are_counted(show: Show) -> None:
    text = show(closed(transfer(100)))
    # 100 segments and the ACK are one run; the FIN ends it
    first = list(range(1, 3 + SHOWN_FIRST + 1))
    last = list(range(105 - SHOWN_LAST, 109))
    assert numbers(text) == first + last
    assert folds(text) == ["... 85 segments 85,000 bytes to the server ..."]
    assert "108 packets in 107 ms" in text
    assert "100000 bytes to the server" in outcome(text)


def test_all_shows_every_packet(show: Show) -> None:
    text = show(closed(transfer(100)), "--all")
    assert numbers(text) == list(range(1, 109))
    assert folds(text) == []


@pytest.mark.parametrize(("rows", "folded"), [(LONGEST_IN_FULL, 0), (LONGEST_IN_FULL + 1, 1)])
def test_only_what_is_long_is_folded(show: Show, rows: int, folded: int) -> None:
    assert len(folds(show(transfer(rows)))) == folded


def test_bytes_of_both_directions_are_told(show: Show) -> None:
    talk = Conversation().handshake()
    for _ in range(40):
        talk.client("A", b"12345")
        talk.server("A", b"123")
    text = show(talk, columns=120)
    assert folds(text) == ["... 64 segments, 160 bytes to the server, 96 bytes to the client ..."]


def test_the_row_tells_how_long_they_took(show: Show) -> None:
    """The times of all rows add up to the whole."""
    lines = show(closed(transfer(100))).splitlines()
    place = next(i for i, line in enumerate(lines) if " segments" in line and ":" in line)
    assert lines[place].split()[:2] == ["85.0", "ms"]
    assert lines[place + 2].split()[:3] == ["99", "1.00", "ms"]


@pytest.mark.parametrize(
    ("remarkable", "note"),
    [
        (lambda talk: talk.client("A", b"x" * 1000, seq=1), "retransmission"),
        (lambda talk: talk.server("A", window=0), "zero window"),
        (lambda talk: talk.client("UA", b"now"), "URG"),
    ],
)
def test_what_is_remarkable_is_never_folded(
    show: Show, remarkable: Callable[[Conversation], int], note: str
) -> None:
    talk = transfer(60)
    packet = remarkable(talk)
    talk.sides[CLIENT].next = talk.sides[CLIENT].highest
    for _ in range(60):
        talk.client("A", b"xy")
    text = show(talk, columns=120)
    assert note in row(text, packet)
    assert len(folds(text)) == 2


def test_a_kind_that_comes_too_often_is_folded_too(show: Show) -> None:
    """Otherwise a lossy network would make a ladder as long as its trace."""
    talk = transfer(1)
    for _ in range(200):
        talk.client("A", b"x" * 1000, seq=1)
    text = show(talk, columns=120)
    assert text.count(", retransmission -") == SHOWN_OF_A_KIND + SHOWN_FIRST + SHOWN_LAST
    assert folds(text) == [
        "... 144 segments, 144,000 bytes to the server, 144 retransmissions ..."
    ]


def test_datagrams_are_folded_as_datagrams(show: Show) -> None:
    talk = Conversation()
    for number in range(100):
        talk.datagram(CLIENT if number % 2 else SERVER, b"12345678")
    text = show(talk, columns=120)
    # whoever sends first is the client
    assert folds(text) == [
        "... 83 datagrams, 328 bytes to the server, 336 bytes to the client ..."
    ]


def test_what_a_folded_segment_carried_is_acknowledged_by_number(show: Show) -> None:
    talk = transfer(100)
    talk.server("A")
    assert "(packets 4-103)" in row(show(talk, columns=120), 104)


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
@pytest.mark.parametrize("locale", ["C", UTF8])
def test_a_fold_keeps_to_the_lanes(show: Show, columns: int, locale: str) -> None:
    talk = Conversation().handshake()
    for _ in range(500):
        talk.client("A", b"x" * 1400)
        talk.server("A", b"x" * 1400)
    lines = show(talk, columns=columns, locale=locale).splitlines()[5:]
    cut = "\u250a" if locale == UTF8 else ":"
    folded = [line for line in lines if line.rstrip().count(cut) >= 2]
    assert folded
    assert {columns_of(line) for line in folded} == {columns if columns < 72 else columns - 13}
    words = " ".join(line.split(cut)[1].strip() for line in folded)
    assert words.strip(".\u2026 ").replace(",", "").split()[:2] == ["984", "segments"]
