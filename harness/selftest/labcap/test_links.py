"""Link layers, VLAN tags, IP versions and extension headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import ReadAll, ReadOne
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.packet import Raw
from trace_files import ETHERNET, LINKS, SLL, SLL2, Frame, Link, ethernet, qinq, vlan, write_pcap
from traces import START_NS, Conversation, echo_conversation, ipv6_conversation

ARP = bytes.fromhex("0001080006040001") + bytes(20)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian file", "big-endian file"])
def test_every_link_layer_shows_the_same_connection(
    tmp_path: Path, flow: ReadOne, link: Link, version: int, order: str
) -> None:
    addresses = {"client_address": "2001:db8::1", "server_address": "2001:db8::2"}
    talk = echo_conversation(**(addresses if version == 6 else {}))
    usual = flow(talk.write(tmp_path / "usual.pcap"))
    assert flow(talk.write(tmp_path / "other.pcap", link, order=order)) == usual
    assert usual["history"] == "ShADadFf"


def test_vlan_tags_tell_connections_apart(trace: Path, flows: ReadAll) -> None:
    talk = echo_conversation()
    frames = [
        frame
        for pair in zip(vlan(1).frames(talk.packets), vlan(2).frames(talk.packets))
        for frame in pair
    ]
    write_pcap(trace, frames)
    told = flows(trace)
    assert [each["history"] for each in told] == ["ShADadFf", "ShADadFf"]
    assert [each["to_server"]["bytes"] for each in told] == [7, 7]
    assert [each["first_packet"] for each in told] == [1, 2]


@pytest.mark.parametrize("links", [(qinq(1, 7), qinq(2, 7)), (qinq(1, 7), qinq(1, 8))])
def test_each_qinq_tag_tells_connections_apart(
    trace: Path, flows: ReadAll, links: tuple[Link, Link]
) -> None:
    first, second = Conversation().handshake(), Conversation().handshake()
    write_pcap(trace, links[0].frames(first.packets) + links[1].frames(second.packets))
    assert len(flows(trace)) == 2


def test_priority_bits_are_no_part_of_a_vlan_tag(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    tags = (vlan(7), vlan(0xE007), vlan(7))
    frames = [link.frames([packet])[0] for link, packet in zip(tags, talk.packets)]
    write_pcap(trace, frames)
    assert flow(trace)["handshake"]["complete"] is True


@pytest.mark.parametrize("tpid", [0x8100, 0x88A8, 0x9100])
def test_any_tpid_may_be_the_outer_one(trace: Path, flow: ReadOne, tpid: int) -> None:
    link = ethernet((tpid, 5), (0x8100, 6))
    assert flow(Conversation().handshake().write(trace, link))["handshake"]["complete"] is True


def framed(link: Link, ethertype: bytes, body: bytes) -> bytes:
    """A frame of a link layer that carries another EtherType than IP."""
    return link.wrap(b"\x45").replace(b"\x08\x00", ethertype, 1)[:-1] + body


@pytest.mark.parametrize("link", [ETHERNET, vlan(3), SLL, SLL2], ids=lambda link: link.name)
def test_what_is_not_ip_is_counted_as_such(trace: Path, report: ReadAll, link: Link) -> None:
    talk = Conversation().handshake()
    frames = link.frames(talk.packets)
    frames.insert(1, Frame(framed(link, b"\x08\x06", ARP), START_NS))
    write_pcap(trace, frames, link.linktype)
    told, capture = report(trace)
    assert capture["packets"] == 4
    assert capture["decoded"] == 3
    assert capture["skipped"]["not_ip"] == 1
    assert capture["complete"] is True
    assert (told["handshake"]["syn"], told["handshake"]["syn_ack"]) == (1, 3)


def test_an_802_3_length_is_not_ip(trace: Path, capture: ReadOne) -> None:
    frame = ETHERNET.wrap(b"\x45")[:12] + b"\x00\x26" + b"\x42\x42\x03" + bytes(35)
    write_pcap(trace, [Frame(frame, START_NS)])
    assert capture(trace)["skipped"]["not_ip"] == 1


EXTENSIONS = {
    "hop-by-hop": IPv6ExtHdrHopByHop(),
    "routing": IPv6ExtHdrRouting(addresses=["2001:db8::9"], segleft=0),
    "destination options": IPv6ExtHdrDestOpt(),
    "destination options in an atomic fragment": IPv6ExtHdrFragment(id=9) / IPv6ExtHdrDestOpt(),
    "all": IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting() / IPv6ExtHdrDestOpt(),
}


@pytest.mark.parametrize("name", EXTENSIONS)
def test_ipv6_extension_headers_are_passed_over(trace: Path, flow: ReadOne, name: str) -> None:
    talk = ipv6_conversation().handshake()
    tcp = TCP(sport=39870, dport=4321, seq=1_000_001, ack=2_000_001, flags="PA")
    talk.add(IPv6(src="2001:db8::1", dst="2001:db8::2") / EXTENSIONS[name] / tcp / Raw(b"hello"))
    told = flow(talk.write(trace))
    assert told["to_server"]["packets"] == 3
    assert told["to_server"]["bytes"] == 5


def test_ipv6_atomic_fragment_is_a_whole_packet(trace: Path, report: ReadAll) -> None:
    talk = ipv6_conversation().handshake()
    tcp = TCP(sport=39870, dport=4321, seq=1_000_001, ack=2_000_001, flags="PA")
    atomic = IPv6ExtHdrFragment(id=9, offset=0, m=0)
    talk.add(IPv6(src="2001:db8::1", dst="2001:db8::2") / atomic / tcp / Raw(b"hello"))
    told, capture = report(talk.write(trace))
    assert told["to_server"]["bytes"] == 5
    assert capture["skipped"]["fragment"] == 0
    assert capture["decoded"] == 4


def test_ipv4_options_are_passed_over(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S", ip={"options": b"\x01" * 40})
    assert flow(talk.write(trace))["handshake"]["syn"] == 1


def test_other_protocols_are_no_flows(trace: Path, report: ReadAll) -> None:
    talk = Conversation()
    talk.add(IP(src="10.0.0.1", dst="10.0.0.2", proto=132) / Raw(bytes(40)))
    told = report(talk.write(trace))
    assert len(told) == 1
    assert told[0]["packets"] == 1
    assert told[0]["complete"] is True


def test_tcp_inside_a_tunnel_is_no_connection(trace: Path, flows: ReadAll) -> None:
    """4-in-6, GRE and the like are somebody else's packets."""
    talk = Conversation()
    inner = IP(src="1.1.1.1", dst="2.2.2.2") / TCP(flags="S")
    talk.add(IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=4789, dport=4789) / inner)
    assert [each["type"] for each in flows(talk.write(trace))] == ["udp"]
