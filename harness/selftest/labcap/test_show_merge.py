"""labcap show --merge: all flows in one ladder, in the order of time; and what belongs to none."""

from __future__ import annotations

from pathlib import Path

import pytest
from calls import Labcap
from ladders import UTF8, Show, columns_of, numbers, row, shower
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, IPv6
from scapy.packet import Raw
from traces import CLIENT, SERVER, Conversation, port_unreachable


@pytest.fixture
def show(labcap: Labcap, trace: Path) -> Show:
    return shower(labcap, trace)


def interleaved() -> Conversation:
    """Two connections whose packets take turns, 1 to 14; then the first closes."""
    first = Conversation(client_port=1111)
    second = Conversation(client_port=2222, packets=first.packets)
    for talk in (first, second):
        talk.client("S")
    for talk in (first, second):
        talk.server("SA")
        talk.client("A")
    for talk in (first, second):
        talk.client("PA", b"hello")
    first.close()
    return first


def headings(text: str) -> list[str]:
    """The lines that name the flow of the rows beneath."""
    return [line.strip("- ") for line in text.splitlines() if line.startswith("- ")]


def test_rows_are_in_the_order_of_the_trace(show: Show) -> None:
    text = show(interleaved(), "--merge")
    assert numbers(text) == list(range(1, 13))


def test_a_heading_stands_where_the_flow_changes(show: Show) -> None:
    first, second = "10.0.0.1:1111 <-> 10.0.0.2:4321", "10.0.0.1:2222 <-> 10.0.0.2:4321"
    text = show(interleaved(), "--merge")
    told = [heading.split(" -")[0] for heading in headings(text)]
    assert told == [
        "TCP connection 1", "TCP connection 2", f"1: {first}", f"2: {second}", f"1: {first}",
        f"2: {second}", f"1: {first}",
    ]  # fmt: skip


def test_states_go_on_where_they_were(show: Show) -> None:
    text = show(interleaved(), "--merge")
    assert text.count("LISTEN") == 2
    assert text.count("SYN-SENT") == 2
    assert row(text, 9).endswith("| CLOSE-WAIT")


def test_the_time_is_since_the_row_above(show: Show) -> None:
    """Whatever flow that is of: 10 ms between packets of the first, 5 ms to the second's."""
    first = Conversation(client_port=1111, step_ns=10_000_000).handshake()
    second = Conversation(client_port=2222, packets=first.packets, start_ns=first.now_ns)
    second.now_ns += 4_000_000
    second.client("S")
    text = show(first, "--merge")
    assert row(text, 3).split()[1:3] == ["10.0", "ms"]
    assert row(text, 4).split()[1:3] == ["5.00", "ms"]


def test_each_outcome_names_its_flow_and_stands_where_it_ended(show: Show) -> None:
    text = show(interleaved(), "--merge")
    lines = text.splitlines()
    ended = next(i for i, line in enumerate(lines) if line.startswith("TCP connection 1: The cl"))
    assert lines[ended - 1] == ""
    assert lines[ended - 2].split()[0] == "12"
    assert "TCP connection 2: No side had closed when the trace ended." in text


def test_a_flow_that_goes_on_after_another_ended_has_its_heading_again(show: Show) -> None:
    first = interleaved()
    second = Conversation(client_port=2222, packets=first.packets, start_ns=first.now_ns)
    second.sides[CLIENT].next = second.sides[SERVER].next = 6
    second.server("A", seq=1, ack=6)
    lines = show(first, "--merge").splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith(" 13 "))
    assert lines[place - 1].startswith("- 2: 10.0.0.1:2222")
    assert lines[place - 2] == ""


def test_many_of_several_connections_are_folded_together(show: Show) -> None:
    first = Conversation(client_port=1111).handshake()
    second = Conversation(client_port=2222, packets=first.packets).handshake()
    for _ in range(50):
        first.client("A", b"12")
        second.client("A", b"34")
    text = show(first, "--merge", columns=120)
    assert "... 82 segments of 2 connections, 164 bytes to the server ..." in text
    assert len(numbers(text)) == 6 + 18
    lines = text.splitlines()
    folded = next(i for i, line in enumerate(lines) if " 82 segments" in line)
    assert lines[folded + 1].startswith("- 1: 10.0.0.1:1111")


def test_a_fold_of_one_connection_stands_under_its_heading(show: Show) -> None:
    first = Conversation(client_port=1111).handshake()
    second = Conversation(client_port=2222, packets=first.packets).handshake()
    for talk in (first, second):
        talk.client("A", b"1")
    for _ in range(10):
        first.client("A", b"12")
    for _ in range(60):
        second.client("A", b"34")
    lines = show(first, "--merge", columns=120).splitlines()
    folded = next(i for i, line in enumerate(lines) if " 54 segments," in line)
    assert lines[folded - 1].startswith("- 2: 10.0.0.1:2222")
    assert lines[folded + 1].split()[0] == "73"


def test_a_flow_ends_where_all_of_it_is_told_or_folded_away(show: Show) -> None:
    """The first SYN waits for an answer, and all rows behind it do. When it waits no longer, the
    ACK that came late for a closed connection is folded: the outcome stands above the fold."""
    waiting = Conversation(client_port=1111)
    waiting.client("S")
    closed = Conversation(client_port=2222, packets=waiting.packets).handshake()
    closed.client("A", b"1")
    closed.close()
    busy = Conversation(client_port=3333, packets=waiting.packets).handshake()
    for number in range(1050):
        busy.client("A", b"12")
        if number == 1005:
            closed.client("A")
    lines = show(waiting, "--merge", columns=120).splitlines()
    outcome = "TCP connection 2: 9 packets"
    ended = next(i for i, line in enumerate(lines) if line.startswith(outcome))
    folded = next(i for i, line in enumerate(lines) if " segments of 2 connections" in line)
    assert ended < folded


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_nothing_is_wider_than_the_screen(show: Show, columns: int) -> None:
    client, server = (f"2001:db8:1111:2222:3333:4444:5555:{end}" for end in ("6666", "7777"))
    first = Conversation(client_address=client, server_address=server, client_port=1111)
    second = Conversation(client_address=client, server_address=server, packets=first.packets)
    for talk in (first, second):
        talk.handshake()
    for talk in (first, second):
        talk.close()
    first.add(IPv6(src=client, dst=server) / ICMPv6EchoRequest())
    for locale in ("C", UTF8):
        text = show(first, "--merge", columns=columns, locale=locale)
        assert max(map(columns_of, text.splitlines())) == columns


# ---- ICMP


def ping(talk: Conversation, *, reply: bool = False) -> int:
    source, target = ("10.0.0.2", "10.0.0.1") if reply else ("10.0.0.1", "10.0.0.2")
    return talk.add(IP(src=source, dst=target) / ICMP(type=0 if reply else 8) / Raw(b"x" * 8))


def exceeded(talk: Conversation) -> int:
    return talk.add(IP(src="10.0.0.9", dst="10.0.0.1") / ICMP(type=11) / Raw(bytes(28)))


def test_icmp_of_no_flow_has_a_row_of_its_own(show: Show) -> None:
    talk = Conversation().handshake()
    ping(talk)
    ping(talk, reply=True)
    talk.client("PA", b"x")
    lines = show(talk, "--merge").splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("  4 "))
    assert lines[place : place + 3] == [
        "  4  1.00 ms ICMP echo request: 10.0.0.1 -> 10.0.0.2",
        "  5  1.00 ms ICMP echo reply: 10.0.0.2 -> 10.0.0.1",
        "- 1: 10.0.0.1:39870 <-> 10.0.0.2:4321 ------------------------------------------",
    ]


def test_icmp_of_no_flow_is_counted_at_the_end(show: Show) -> None:
    talk = Conversation().handshake()
    for _ in range(3):
        ping(talk)
    ping(talk, reply=True)
    exceeded(talk)
    text = show(talk)
    assert text.endswith(
        "\n\nBesides: 3 ICMP echo requests, 1 ICMP echo reply, 1 ICMP time exceeded.\n"
    )
    assert numbers(text) == [1, 2, 3]
    assert "ICMP" not in show(talk, "-n", 1)


def test_a_trace_of_icmp_alone_says_so(show: Show) -> None:
    talk = Conversation()
    ping(talk)
    assert show(talk).startswith("Of no flow: 1 ICMP echo request.\nno TCP connection and no UDP")


def test_icmp_about_a_flow_is_in_its_ladder_and_nowhere_else(show: Show) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    talk.add(port_unreachable(talk.packets[0].data))
    for arguments in ((), ("--merge",)):
        text = show(talk, *arguments)
        assert row(text, 2).endswith("- ICMP: port unreachable -|")
        assert text.count("ICMP") == 1


def test_icmp_about_an_unknown_flow_is_one_of_no_flow(show: Show) -> None:
    talk = Conversation()
    stranger = IP(src="10.0.0.7", dst="10.0.0.8") / UDP(sport=7, dport=8) / Raw(b"x")
    talk.add(port_unreachable(bytes(stranger)))
    assert "1 ICMP destination unreachable" in show(talk)


def test_how_ipv6_finds_its_neighbours_is_not_told(show: Show) -> None:
    talk = Conversation().handshake()
    talk.add(IPv6(src="fe80::1", dst="fe80::2") / ICMPv6ND_NS(tgt="fe80::2"))
    assert "ICMP" not in show(talk)
    assert "ICMP" not in show(talk, "--merge")
