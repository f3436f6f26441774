"""IP fragments: a UDP datagram counts once, TCP is counted and said."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from calls import Labcap, ReadAll, ReadOne
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Raw
from traces import Conversation, fragments_of, ipv6_conversation

VERSIONS: dict[str, Callable[..., Conversation]] = {"ipv4": Conversation, "ipv6": ipv6_conversation}


@pytest.fixture(params=VERSIONS)
def talk(request: pytest.FixtureRequest) -> Conversation:
    """A conversation over each version of IP."""
    return VERSIONS[request.param]()


def test_a_fragmented_datagram_counts_once(
    talk: Conversation, trace: Path, report: ReadAll
) -> None:
    pieces = fragments_of(talk.udp_packet("client", b"u" * 4000), 1440)
    assert len(pieces) == 3
    for piece in pieces:
        talk.add(piece)
    talk.datagram("server", b"abc")
    told, capture = report(talk.write(trace))
    assert told["to_server"]["datagrams"] == 1
    assert told["to_server"]["bytes"] == 4000
    assert told["to_server"]["sizes"] == [4000]
    assert told["to_server"].get("incomplete", 0) == 0
    assert told["to_client"]["sizes"] == [3]
    assert told["first_packet"] == 1
    assert told["last_packet"] == 4
    assert capture["packets"] == 4
    assert capture["complete"] is True


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 0, 2), (0, 2, 1), (0, 1, 1, 2)])
def test_fragments_may_come_in_any_order_and_twice(
    talk: Conversation, trace: Path, flow: ReadOne, order: tuple[int, ...]
) -> None:
    pieces = fragments_of(talk.udp_packet("client", b"u" * 4000), 1440)
    for number in order:
        talk.add(pieces[number])
    told = flow(talk.write(trace))
    assert told["to_server"]["sizes"] == [4000]
    assert told["to_server"]["bytes"] == 4000
    assert told["to_server"].get("incomplete", 0) == 0


@pytest.mark.parametrize("lost", [1, 2])
def test_a_datagram_with_a_fragment_lost_is_incomplete(
    talk: Conversation, trace: Path, flow: ReadOne, lost: int
) -> None:
    pieces = fragments_of(talk.udp_packet("client", b"u" * 4000), 1440)
    for number, piece in enumerate(pieces):
        if number != lost:
            talk.add(piece)
    talk.datagram("client", b"abc")
    told = flow(talk.write(trace))
    assert told["to_server"]["incomplete"] == 1
    assert told["to_server"]["bytes"] == 3


def test_fragments_of_two_datagrams_may_be_mixed(
    talk: Conversation, trace: Path, flow: ReadOne
) -> None:
    first = fragments_of(talk.udp_packet("client", b"u" * 2000), 1440)
    second = fragments_of(talk.udp_packet("client", b"v" * 2500), 1440)
    for piece in second:
        if IPv6ExtHdrFragment in piece:
            piece[IPv6ExtHdrFragment].id = 78
    for piece in (first[0], second[0], first[1], second[1]):
        talk.add(piece)
    told = flow(talk.write(trace))
    assert told["to_server"]["sizes"] == [2000, 2500]
    assert told["to_server"].get("incomplete", 0) == 0


def test_a_fragment_may_hold_more_extension_headers(trace: Path, flow: ReadOne) -> None:
    talk = ipv6_conversation()
    udp = bytes(UDP(sport=39870, dport=4321) / Raw(b"u" * 992))
    rest = bytes([17, 0, 1, 4, 0, 0, 0, 0]) + udp
    for offset, more in ((0, 1), (504, 0)):
        piece = rest[offset : offset + 504]
        fragment = IPv6ExtHdrFragment(nh=60, id=5, offset=offset // 8, m=more)
        talk.add(IPv6(src="2001:db8::1", dst="2001:db8::2") / fragment / Raw(piece))
    assert flow(talk.write(trace))["to_server"]["sizes"] == [992]


def test_the_same_fragment_id_may_be_used_again(
    talk: Conversation, trace: Path, flow: ReadOne
) -> None:
    pieces = fragments_of(talk.udp_packet("client", b"u" * 2000), 1440)
    for piece in [*pieces, *pieces]:
        talk.add(piece, 10**7)
    told = flow(talk.write(trace))
    assert told["to_server"]["sizes"] == [2000, 2000]


def test_tcp_in_fragments_is_counted_and_said(
    talk: Conversation, trace: Path, labcap: Labcap, capture: ReadOne
) -> None:
    talk.handshake()
    address = talk.sides["client"].address, talk.sides["server"].address
    tcp = TCP(sport=39870, dport=4321, seq=1_000_001, ack=2_000_001, flags="PA")
    ip = talk.udp_packet("client", b"").__class__(src=address[0], dst=address[1])
    for piece in fragments_of(ip / tcp / Raw(b"x" * 2000), 1440):
        talk.add(piece)
    done = labcap("flows", "--json", talk.write(trace))
    assert "fragment" in done.stderr
    told = capture(trace, status=done.returncode, said=True)
    assert told["skipped"]["fragment"] == 2
    assert told["packets"] == 5


def test_an_atomic_fragment_of_udp_is_a_whole_datagram(trace: Path, flow: ReadOne) -> None:
    talk = ipv6_conversation()
    udp = UDP(sport=39870, dport=4321)
    atomic = IPv6ExtHdrFragment(id=9, offset=0, m=0)
    talk.add(IPv6(src="2001:db8::1", dst="2001:db8::2") / atomic / udp / Raw(b"hello"))
    talk.add(IPv6(src="2001:db8::1", dst="2001:db8::2") / atomic / udp / Raw(b"again"))
    told = flow(talk.write(trace))
    assert told["to_server"]["sizes"] == [5, 5]
