"""Payload: what is counted, from which lengths, and what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from calls import Json, Labcap, ReadAll, ReadOne
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop, Jumbo
from scapy.packet import Raw
from trace_files import ETHERNET, Frame, write_pcap
from traces import Conversation, ipv6_conversation


def to_server(told: Json) -> Json:
    return told["to_server"]


@pytest.mark.parametrize("pieces", [1024, 1025])
def test_more_holes_than_can_be_remembered_are_told(
    trace: Path, labcap: Labcap, pieces: int
) -> None:
    """Each piece but the first is above a hole; the holes are filled later."""
    talk = Conversation().handshake()
    for at in [*range(1, 2 * pieces, 2), 2, 4]:
        last = talk.client("A", b"x", seq=at)
    done = labcap("flows", "--json", talk.write(trace))
    if pieces == 1024:
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout.splitlines()[0])["to_server"]["bytes"] == pieces + 2
        return
    assert done.returncode == 3
    assert done.stderr == (
        f"labcap: {trace}: packet {last - 2}: 1024 holes or more at a time in one direction of a "
        "connection: what is counted of that may be wrong from here on (1 in all)\n")


def test_bytes_are_the_union_of_the_intervals_seen(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    for first, length in ((1, 100), (51, 100), (301, 50), (151, 50), (1, 400), (20, 7)):
        talk.client("A", b"x" * length, seq=first)
    talk.write(trace)
    assert to_server(flow(trace))["bytes"] == 400


def test_fast_open_data_in_the_syn_is_counted(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.client("S", b"early")
    talk.server("SA")
    talk.client("PA", b"late")
    talk.write(trace)
    told = flow(trace)
    assert told["handshake"]["complete"] is True
    assert to_server(told)["bytes"] == 9


def test_fast_open_data_that_the_syn_ack_does_not_take_is_counted_once(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation()
    talk.client("S", b"early")
    talk.server("SA", ack=1)
    talk.client("PA", b"early", seq=1)
    talk.write(trace)
    told = flow(trace)
    assert told["handshake"]["complete"] is True
    assert (to_server(told)["bytes"], to_server(told)["retransmitted_bytes"]) == (5, 5)


def test_bytes_of_rst_segments_are_excluded(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello")
    talk.client("RA", b"the reason, as RFC 9293 allows")
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["segments"], told["largest_segment"]) == (5, 1, 5)


def test_bytes_below_isn_plus_1_are_excluded(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"0123456789", seq=-4)
    talk.server("A", ack=6)
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["missing_bytes"]) == (5, 0)


def test_bytes_of_a_fin_segment_are_counted(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("FPA", b"hello")
    talk.server("A")
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["missing_bytes"]) == (5, 0)


def test_midstream_bytes_are_counted_from_the_first_seen(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().unseen_handshake()
    talk.client("PA", b"hello", seq=1_000_000)
    talk.server("A")
    talk.client("PA", b"again")
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["missing_bytes"]) == (10, 0)


def test_midstream_bytes_that_come_late_are_counted(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().unseen_handshake()
    talk.client("PA", b"second", seq=1006)
    talk.client("PA", b"first", seq=1001)
    talk.client("FPA", b"third", seq=1012)
    talk.server("A")
    told = flow(talk.write(trace))
    assert (to_server(told)["bytes"], to_server(told)["missing_bytes"]) == (16, 0)
    assert (told["teardown"]["client_fin"], told["teardown"]["client_fin_ack"]) == (3, 4)


def test_a_syn_recorded_after_its_data_makes_one_connection(trace: Path, flow: ReadOne) -> None:
    """As when the packets of two directions or processors are put together late."""
    talk = Conversation().unseen_handshake()
    talk.client("FPA", b"hello", seq=1)
    talk.client("S", seq=0)
    talk.server("SA", seq=0, ack=1)
    talk.server("A", ack=7)
    told = flow(talk.write(trace))
    assert told["handshake"]["client_isn"] == 1_000_000
    assert (to_server(told)["bytes"], to_server(told)["missing_bytes"]) == (5, 0)
    assert (told["teardown"]["client_fin"], told["teardown"]["client_fin_ack"]) == (1, 4)


def late_syn_ack(trace: Path, flow: ReadOne, ack: int) -> Json:
    """What the server sent, its SYN+ACK recorded behind an acknowledgement of the client."""
    talk = Conversation()
    talk.client("S")
    talk.client("A", ack=ack)
    talk.server("A", b"x" * 100, seq=1)
    talk.server("SA", seq=0)
    talk.server("A", b"y" * 100, seq=101)
    talk.client("A", ack=201)
    told: Json = flow(talk.write(trace))["to_client"]
    return told


@pytest.mark.parametrize(("ack", "late"), [(0, 0), (1, 0), (101, 1)])
def test_a_syn_ack_recorded_late_moves_what_was_counted(
    trace: Path, flow: ReadOne, ack: int, late: int
) -> None:
    told = late_syn_ack(trace, flow, ack)
    assert (told["bytes"], told["missing_bytes"]) == (200, 0)
    assert (told["out_of_order_segments"], told["retransmitted_bytes"]) == (late, 0)


def test_an_octet_below_a_syn_that_is_recorded_late_is_no_data(trace: Path, flow: ReadOne) -> None:
    """A keep-alive, as it turns out, before data."""
    talk = Conversation().unseen_handshake()
    talk.server("A", b"\0", seq=0)
    talk.server("A", b"x" * 10, seq=1)
    talk.server("SA", seq=0, ack=1)
    assert flow(talk.write(trace))["to_client"]["bytes"] == 10


def test_ethernet_padding_is_no_payload(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    padded = [
        replace(frame, data=frame.data.ljust(60, b"\x55"))
        for frame in ETHERNET.frames(talk.packets)
    ]
    write_pcap(trace, padded)
    told = flow(trace)
    assert (to_server(told)["bytes"], to_server(told)["segments"]) == (0, 0)
    assert told["to_client"]["bytes"] == 0


def test_a_trailer_behind_ipv6_is_no_payload(trace: Path, flow: ReadOne) -> None:
    talk = ipv6_conversation().handshake()
    talk.client("PA", b"hello")
    trailed = [
        replace(frame, data=frame.data + bytes(12)) for frame in ETHERNET.frames(talk.packets)
    ]
    write_pcap(trace, trailed)
    told = flow(trace)
    assert (to_server(told)["bytes"], told["to_client"]["bytes"]) == (5, 0)


def test_snaplen_cuts_no_payload_length(trace: Path, report: ReadAll) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"x" * 1000)
    talk.server("A")
    talk.close()
    told, capture = report(talk.write(trace, snaplen=54))
    assert to_server(told)["bytes"] == 1000
    assert to_server(told)["largest_segment"] == 1000
    assert told["teardown"]["kind"] == "fin"
    assert capture["skipped"]["cut"] == 0
    assert capture["complete"] is True


def test_ip_and_tcp_options_are_no_payload(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    options = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]
    talk.client("PA", b"hello", ip={"options": b"\x94\x04\x00\x00"}, tcp={"options": options})
    talk.write(trace)
    assert to_server(flow(trace))["bytes"] == 5


def test_ipv4_length_zero_means_segment_offload(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"x" * 3000, ip={"len": 0})
    talk.server("A")
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["largest_segment"]) == (3000, 3000)
    assert told["missing_bytes"] == 0


def test_ipv4_length_zero_counts_the_wire_length_beyond_the_snaplen(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"x" * 80_000, ip={"len": 0})
    talk.server("A")
    talk.write(trace, snaplen=96)
    assert to_server(flow(trace))["bytes"] == 80_000


def test_ipv6_length_zero_means_segment_offload(trace: Path, flow: ReadOne) -> None:
    talk = ipv6_conversation().handshake()
    talk.client("PA", b"x" * 3000, ip={"plen": 0})
    talk.server("A")
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["missing_bytes"]) == (3000, 0)


def test_ipv6_length_zero_counts_the_wire_length_beyond_the_snaplen(
    trace: Path, report: ReadAll
) -> None:
    talk = ipv6_conversation().handshake()
    talk.client("PA", b"x" * 80_000, ip={"plen": 0})
    talk.server("A")
    told, capture = report(talk.write(trace, snaplen=96))
    assert (to_server(told)["bytes"], to_server(told)["missing_bytes"]) == (80_000, 0)
    assert capture["skipped"]["cut"] == 0


def test_ipv6_jumbogram_counts_the_wire_length(trace: Path, flow: ReadOne) -> None:
    talk = ipv6_conversation().handshake()
    talk.sides["client"].next = talk.sides["client"].highest = 1 + 70_000
    tcp = TCP(sport=39870, dport=4321, seq=1_000_001, ack=2_000_001, flags="PA")
    jumbo = IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=8 + 20 + 70_000)])
    talk.add(
        IPv6(src="2001:db8::1", dst="2001:db8::2", plen=0) / jumbo / tcp / Raw(b"x" * 70_000)
    )
    talk.server("A")
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["missing_bytes"]) == (70_000, 0)
    assert told["largest_segment"] == 70_000


def short_on_the_wire(talk: Conversation, number: int, length: int) -> list[Frame]:
    """Packet number, with an IP length that tells more than the wire carried."""
    frames = list(talk.packets)
    frames[number - 1] = Frame(frames[number - 1].data[:length], frames[number - 1].time_ns)
    return frames


def test_ip_length_above_the_wire_length_counts_where_it_fits_the_sequence(
    trace: Path, flows: ReadAll, labcap: Labcap
) -> None:
    talk = Conversation().handshake()
    number = talk.client("PA", b"x" * 1000)
    talk.server("A")
    talk.client("PA", b"y" * 10)
    talk.server("A")
    write_pcap(trace, short_on_the_wire(talk, number, 100), 101)
    done = labcap("flows", "--json", trace)
    assert done.stdout.count('"cut":1,') == 1
    (told,) = flows(trace, status=done.returncode, said=True)
    assert (to_server(told)["bytes"], to_server(told)["missing_bytes"]) == (1010, 0)


def test_ip_length_above_the_wire_length_is_nothing_where_it_does_not_fit(
    trace: Path, flows: ReadAll, labcap: Labcap
) -> None:
    talk = Conversation().handshake()
    number = talk.client("PA", b"x" * 1000, seq=1_500_000_000)
    write_pcap(trace, short_on_the_wire(talk, number, 100), 101)
    done = labcap("flows", "--json", trace)
    assert done.stdout.count('"cut":1,') == 1
    (told,) = flows(trace, status=done.returncode, said=True)
    assert to_server(told)["bytes"] == 0


def test_the_wire_length_counts_where_the_stream_goes_on_behind_it(
    trace: Path, flows: ReadAll, labcap: Labcap
) -> None:
    talk = Conversation().handshake()
    number = talk.client("PA", b"x" * 1000)
    talk.client("PA", b"y" * 10, seq=61)
    talk.server("A", ack=71)
    write_pcap(trace, short_on_the_wire(talk, number, 100), 101)
    done = labcap("flows", "--json", trace)
    assert done.stdout.count('"cut":1,') == 1
    (told,) = flows(trace, status=done.returncode, said=True)
    assert (to_server(told)["bytes"], to_server(told)["missing_bytes"]) == (70, 0)
    assert to_server(told)["retransmitted_bytes"] == 0


def test_the_place_of_a_fin_follows_from_the_wire_length_where_the_ip_length_is_refuted(
    trace: Path, flows: ReadAll, labcap: Labcap
) -> None:
    talk = Conversation().handshake()
    number = talk.client("FPA", b"x" * 1000)
    talk.server("FA", ack=62)
    talk.client("A", seq=62)
    write_pcap(trace, short_on_the_wire(talk, number, 100), 101)
    done = labcap("flows", "--json", trace)
    (told,) = flows(trace, status=done.returncode, said=True)
    assert told["teardown"] == {
        "kind": "fin", "first_closer": "client", "client_fin": 4, "client_fin_ack": 5,
        "server_fin": 5, "server_fin_ack": 6, "segments": 3, "reset_by": None, "reset": None,
    }


def test_a_retransmission_of_a_believed_ip_length_is_one(
    trace: Path, flows: ReadAll, labcap: Labcap
) -> None:
    talk = Conversation().handshake()
    number = talk.client("PA", b"x" * 1000)
    talk.client("PA", b"y" * 10)
    talk.client("PA", b"x" * 1000, seq=1)
    write_pcap(trace, short_on_the_wire(talk, number, 100), 101)
    done = labcap("flows", "--json", trace)
    (told,) = flows(trace, status=done.returncode, said=True)
    assert to_server(told)["bytes"] == 1010
    assert to_server(told)["retransmitted_segments"] == 1
    assert to_server(told)["retransmitted_bytes"] == 1000


def test_an_ip_length_above_the_wire_length_moves_with_a_syn_ack_recorded_late(
    trace: Path, flows: ReadAll, labcap: Labcap
) -> None:
    talk = Conversation()
    talk.client("S")
    number = talk.server("A", b"x" * 1000, seq=501)
    talk.server("SA", seq=0)
    talk.server("A", b"y" * 10, seq=1501)
    talk.server("A", b"w" * 500, seq=1)
    talk.client("A", ack=1511)
    write_pcap(trace, short_on_the_wire(talk, number, 100), 101)
    done = labcap("flows", "--json", trace)
    (told,) = flows(trace, status=done.returncode, said=True)
    assert (told["to_client"]["bytes"], told["to_client"]["retransmitted_bytes"]) == (1510, 0)


def test_missing_bytes_are_acknowledged_and_never_seen(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.lose("client", 200)
    talk.client("A", b"x" * 50)
    talk.server("A")
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["missing_bytes"]) == (150, 200)


def test_missing_bytes_are_counted_up_to_the_acknowledgement(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.lose("client", 200)
    talk.client("A", b"x" * 50)
    talk.server("A", ack=181)
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["missing_bytes"]) == (150, 80)


def test_a_hole_that_is_not_acknowledged_is_not_missing(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("A", b"x" * 100)
    talk.server("A")
    talk.lose("client", 200)
    talk.client("A", b"x" * 50)
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["missing_bytes"]) == (150, 0)


def test_a_hole_filled_after_its_acknowledgement_is_not_missing(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.lose("client", 200)
    talk.server("A")
    talk.client("A", b"x" * 200, seq=1)
    talk.write(trace)
    told = to_server(flow(trace))
    assert (told["bytes"], told["missing_bytes"]) == (200, 0)


def test_syn_and_fin_are_not_missing_bytes(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.close()
    talk.write(trace)
    told = flow(trace)
    assert to_server(told)["missing_bytes"] == told["to_client"]["missing_bytes"] == 0
    assert to_server(told)["bytes"] == told["to_client"]["bytes"] == 0


@pytest.mark.parametrize("layer", ["ip", "tcp"])
def test_wrong_checksums_change_nothing(trace: Path, flow: ReadOne, layer: str) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello", **{layer: {"chksum": 0xDEAD}})
    talk.write(trace)
    assert to_server(flow(trace))["bytes"] == 5


def test_tcp_headers_quoted_in_icmp_are_no_packets_of_the_connection(
    trace: Path, flow: ReadOne
) -> None:
    talk = Conversation().handshake()
    number = talk.client("PA", b"hello")
    quoted = talk.packets[number - 1].data
    talk.add(IP(src="10.0.0.2", dst="10.0.0.1", proto=1) / Raw(b"\x03\x04" + bytes(6) + quoted))
    talk.write(trace)
    told = flow(trace)
    assert (told["to_server"]["packets"], told["to_client"]["packets"]) == (3, 1)
    assert to_server(told)["retransmitted_segments"] == 0
    assert told["last_packet"] == 4
