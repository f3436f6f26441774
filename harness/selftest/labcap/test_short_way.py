"""What a connection in which all goes well must not hide: something else in the middle of it."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from calls import ReadOne
from trace_files import ETHERNET, RAW, Frame, Link, write_pcap
from traces import Conversation

Event = Callable[[Conversation], object]

EVENTS: dict[str, tuple[Event, str, str, object]] = {
    "retransmission": (lambda talk: talk.client("PA", b"x" * 100, seq=301),
                       "to_server", "retransmitted_bytes", 100),
    "partly new": (lambda talk: talk.client("PA", b"x" * 200, seq=301),
                   "to_server", "retransmitted_bytes", 100),
    "hole": (lambda talk: talk.lose("client", 50), "to_server", "missing_bytes", 50),
    "zero window": (lambda talk: talk.server("A", window=0), "to_client", "zero_windows", 1),
    "repeated ack": (lambda talk: [talk.client("PA", b"x" * 10), talk.server("A", ack=1),
                                   talk.server("A", ack=1)], "to_client", "duplicate_acks", 1),
    "ack of what was never seen": (lambda talk: talk.server("A", ack=5000),
                                   "to_server", "missing_bytes", 5000 - 431),
    "keep-alive": (lambda talk: talk.client("A", b"", seq=400), "to_server", "keep_alives", 1),
    "reset": (lambda talk: talk.client("R"), "teardown", "kind", "reset"),
    "fin": (lambda talk: talk.client("FA"), "teardown", "kind", "half-closed"),
}
"""What happens, and which value tells it."""


def steady() -> Conversation:
    talk = Conversation().handshake()
    for _ in range(4):
        talk.client("PA", b"x" * 100)
        talk.server("A")
        talk.server("PA", b"y" * 100)
        talk.client("A")
    return talk


@pytest.mark.parametrize("event", EVENTS)
def test_it_is_told(trace: Path, flow: ReadOne, event: str) -> None:
    happens, group, key, value = EVENTS[event]
    talk = steady()
    happens(talk)
    if group != "teardown":
        talk.client("PA", b"x" * 30)
        talk.server("A")
    assert flow(talk.write(trace))[group][key] == value


@pytest.mark.parametrize("link", [ETHERNET, RAW], ids=lambda link: link.name)
def test_an_ip_length_above_the_wire_length(trace: Path, flow: ReadOne, link: Link) -> None:
    talk = steady()
    number = talk.client("PA", b"x" * 1000)
    talk.client("PA", b"x" * 10)
    talk.server("A")
    frames = link.frames(talk.packets)
    short = frames[number - 1]
    frames[number - 1] = Frame(short.data[:-900], short.time_ns)
    told = flow(write_pcap(trace, frames, link.linktype), status=3, said=True)
    assert (told["to_server"]["bytes"], told["to_server"]["missing_bytes"]) == (1410, 0)


@pytest.mark.parametrize("link", [ETHERNET, RAW], ids=lambda link: link.name)
def test_an_ip_length_that_nothing_confirms(trace: Path, flow: ReadOne, link: Link) -> None:
    talk = steady()
    number = talk.client("PA", b"x" * 1000)
    talk.client("PA", b"x" * 10, seq=501)
    frames = link.frames(talk.packets)
    short = frames[number - 1]
    frames[number - 1] = Frame(short.data[:-900], short.time_ns)
    told = flow(write_pcap(trace, frames, link.linktype), status=3, said=True)
    assert (told["to_server"]["bytes"], told["to_server"]["retransmitted_bytes"]) == (510, 0)
