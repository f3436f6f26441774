"""UDP flows: datagrams, sizes, and the news that no one listens."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import ReadAll, ReadOne
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrRouting,
)
from scapy.packet import Packet, Raw
from traces import Conversation, ipv6_conversation, port_unreachable


def test_each_datagram_has_its_size(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.datagram("client", b"one")
    talk.datagram("server", b"twelve bytes")
    talk.datagram("client", b"three")
    told = flow(talk.write(trace))
    assert told["client"] == {"address": "10.0.0.1", "port": 39870}
    assert told["server"] == {"address": "10.0.0.2", "port": 4321}
    assert (told["first_packet"], told["last_packet"]) == (1, 3)
    to_server, to_client = told["to_server"], told["to_client"]
    assert (to_server["datagrams"], to_server["bytes"]) == (2, 8)
    assert to_server["sizes"] == [3, 5]
    assert (to_client["datagrams"], to_client["bytes"]) == (1, 12)
    assert to_client["sizes"] == [12]
    assert told["unreachable"] is None


def test_an_empty_datagram_is_a_datagram(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.datagram("client", b"")
    told = flow(talk.write(trace))
    assert told["to_server"]["datagrams"] == 1
    assert told["to_server"]["sizes"] == [0]


def test_ethernet_padding_is_no_part_of_a_datagram(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.add(bytes(talk.udp_packet("client", b"hello")) + bytes(30))
    assert flow(talk.write(trace))["to_server"]["sizes"] == [5]


def test_the_snaplen_cuts_no_size(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.datagram("client", b"x" * 900)
    assert flow(talk.write(trace, snaplen=42))["to_server"]["sizes"] == [900]


def test_the_same_ports_are_one_flow_also_after_a_pause(trace: Path, flow: ReadOne) -> None:
    talk = Conversation(step_ns=3600 * 10**9)
    for _ in range(3):
        talk.datagram("client", b"hello")
    assert flow(talk.write(trace))["to_server"]["datagrams"] == 3


def test_an_answer_from_another_port_is_another_flow(trace: Path, flows: ReadAll) -> None:
    talk = Conversation()
    talk.datagram("client", b"hello")
    talk.then(server_port=5000).datagram("server", b"hello")
    told = flows(talk.write(trace))
    assert [each["first_packet"] for each in told] == [1, 2]
    assert told[1]["client"]["port"] == 5000


def test_icmp_port_unreachable_is_told_with_its_packet(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.datagram("client", b"hello")
    talk.add(port_unreachable(talk.packets[0].data))
    told = flow(talk.write(trace))
    assert told["unreachable"] == {"packet": 2, "type": 3, "code": 3}
    assert told["to_client"]["datagrams"] == 0
    assert told["to_server"]["datagrams"] == 1


def test_icmpv6_port_unreachable_is_told_with_its_packet(trace: Path, flow: ReadOne) -> None:
    talk = ipv6_conversation()
    talk.datagram("client", b"hello")
    talk.datagram("client", b"anyone?")
    talk.add(port_unreachable(talk.packets[0].data))
    assert flow(talk.write(trace))["unreachable"] == {"packet": 3, "type": 1, "code": 4}


def quotation(talk: Conversation, *headers: Packet) -> bytes:
    """The client's datagram, as talk has it, with extension HEADERS."""
    packet = talk.udp_packet("client", b"hello")
    rest = packet.payload.copy()
    packet.remove_payload()
    for header in headers:
        packet /= header
    return bytes(packet / rest)


OPTIONS, ROUTE = IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting(addresses=["2001:db8::9"])


@pytest.mark.parametrize("headers", [[OPTIONS], [ROUTE, OPTIONS], [IPv6ExtHdrFragment(m=1)]],
                         ids=["options", "route", "fragment"])
def test_an_icmpv6_error_may_quote_extension_headers(
    trace: Path, flow: ReadOne, headers: list[Packet]
) -> None:
    talk = ipv6_conversation()
    talk.datagram("client", b"hello")
    talk.add(port_unreachable(quotation(talk, *headers)))
    assert flow(talk.write(trace))["unreachable"] == {"packet": 2, "type": 1, "code": 4}


@pytest.mark.parametrize("kept", [47, 51, 55])
def test_an_icmpv6_error_that_quotes_too_little_is_about_nothing(
    trace: Path, flow: ReadOne, kept: int
) -> None:
    """The ports must be there, behind 48 bytes of headers."""
    talk = ipv6_conversation()
    talk.datagram("client", b"hello")
    talk.add(IPv6(src="2001:db8::2", dst="2001:db8::1") / ICMPv6DestUnreach(code=4)
             / Raw(quotation(talk, OPTIONS)[:kept]))
    told = flow(talk.write(trace))["unreachable"]
    assert told == (None if kept < 52 else {"packet": 2, "type": 1, "code": 4})


def test_an_icmpv6_error_that_quotes_a_later_fragment_is_about_nothing(
    trace: Path, flow: ReadOne
) -> None:
    talk = ipv6_conversation()
    talk.datagram("client", b"hello")
    piece = talk.udp_packet("client", b"hello")
    body = bytes(piece.payload)
    piece.remove_payload()
    quoted = bytes(piece / IPv6ExtHdrFragment(offset=1, nh=17) / Raw(body))
    talk.add(IPv6(src="2001:db8::2", dst="2001:db8::1") / ICMPv6DestUnreach(code=4) / Raw(quoted))
    assert flow(talk.write(trace))["unreachable"] is None


def test_udp_and_tcp_on_the_same_ports_are_two_flows(trace: Path, flows: ReadAll) -> None:
    talk = Conversation()
    talk.datagram("client", b"hello")
    talk.then().handshake()
    assert [each["type"] for each in flows(talk.write(trace))] == ["udp", "tcp"]
