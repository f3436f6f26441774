"""The JSON of flows: keys and their order, formats of numbers, packet numbers."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

from calls import Labcap, ReadAll, ReadOne
from traces import Conversation, echo_conversation, ipv6_conversation

TCP_KEYS = [
    "type", "id", "client", "server", "client_known", "first_packet", "last_packet", "start",
    "duration", "handshake", "teardown", "to_server", "to_client", "state", "history",
]  # fmt: skip
HANDSHAKE_KEYS = [
    "complete", "syn", "syn_ack", "ack", "client_isn", "server_isn", "syn_retransmissions",
    "refused",
]  # fmt: skip
TEARDOWN_KEYS = [
    "kind", "first_closer", "client_fin", "client_fin_ack", "server_fin", "server_fin_ack",
    "segments", "reset_by", "reset",
]  # fmt: skip
DIRECTION_KEYS = [
    "packets", "segments", "bytes", "missing_bytes", "retransmitted_segments",
    "retransmitted_bytes", "out_of_order_segments", "duplicate_acks", "zero_windows",
    "keep_alives", "largest_segment",
]  # fmt: skip
TRANSIT_KEYS = [
    "arrived", "lost", "duplicated", "reordered", "corrupted", "longest_transit",
]  # fmt: skip


def test_an_echo_is_told_in_full(trace: Path, report: ReadAll) -> None:
    echo_conversation().write(trace)
    nothing = {**dict.fromkeys(DIRECTION_KEYS, 0), **dict.fromkeys(TRANSIT_KEYS)}
    assert report(trace) == [
        {
            "type": "tcp",
            "id": 1,
            "client": {"address": "10.0.0.1", "port": 39870},
            "server": {"address": "10.0.0.2", "port": 4321},
            "client_known": True,
            "first_packet": 1,
            "last_packet": 10,
            "start": Decimal(1700000000),
            "duration": Decimal("0.009"),
            "handshake": {
                "complete": True,
                "syn": 1,
                "syn_ack": 2,
                "ack": 3,
                "client_isn": 1000000,
                "server_isn": 2000000,
                "syn_retransmissions": 0,
                "refused": False,
            },
            "teardown": {
                "kind": "fin",
                "first_closer": "client",
                "client_fin": 7,
                "client_fin_ack": 8,
                "server_fin": 9,
                "server_fin_ack": 10,
                "segments": 4,
                "reset_by": None,
                "reset": None,
            },
            "to_server": {
                **nothing, "packets": 5, "segments": 1, "bytes": 7, "largest_segment": 7,
            },
            "to_client": {
                **nothing, "packets": 5, "segments": 1, "bytes": 18, "largest_segment": 18,
            },
            "state": "SF",
            "history": "ShADadFf",
        },
        {
            "type": "capture",
            "file": str(trace),
            "packets": 10,
            "decoded": 10,
            "skipped": {"not_ip": 0, "fragment": 0, "cut": 0, "malformed": 0, "duplicates": 0},
            "arrivals": None,
            "drops": 0,
            "complete": True,
        },
    ]  # fmt: skip


def test_keys_stand_in_the_order_of_the_contract(trace: Path, flow: ReadOne) -> None:
    echo_conversation().write(trace)
    told = flow(trace)
    assert list(told) == TCP_KEYS
    assert list(told["client"]) == ["address", "port"]
    assert list(told["handshake"]) == HANDSHAKE_KEYS
    assert list(told["teardown"]) == TEARDOWN_KEYS
    assert list(told["to_server"]) == DIRECTION_KEYS + TRANSIT_KEYS
    assert list(told["to_client"]) == DIRECTION_KEYS + TRANSIT_KEYS


def test_the_closing_object_has_the_keys_of_the_contract(trace: Path, capture: ReadOne) -> None:
    echo_conversation().write(trace)
    told = capture(trace)
    assert list(told) == [
        "type", "file", "packets", "decoded", "skipped", "arrivals", "drops", "complete",
    ]  # fmt: skip
    assert list(told["skipped"]) == ["not_ip", "fragment", "cut", "malformed", "duplicates"]


def test_a_udp_flow_has_the_keys_of_the_contract(trace: Path, flow: ReadOne) -> None:
    talk = Conversation()
    talk.datagram("client", b"hello")
    talk.write(trace)
    told = flow(trace)
    assert list(told) == [
        "type", "id", "client", "server", "first_packet", "last_packet", "start", "duration",
        "to_server", "to_client", "unreachable",
    ]  # fmt: skip
    assert [key for key in told["to_server"] if key != "incomplete"] == [
        "datagrams", "bytes", "sizes", *TRANSIT_KEYS,
    ]  # fmt: skip


def test_one_object_a_line_without_exponents(trace: Path, labcap: Labcap) -> None:
    echo_conversation(step_ns=1).write(trace)
    lines = labcap("flows", "--json", trace).stdout.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["tcp", "capture"]
    assert re.search(r'"start":1700000000\.000000000,', lines[0])
    assert re.search(r'"duration":0\.000000009,', lines[0])


def test_nanoseconds_are_kept(trace: Path, flow: ReadOne) -> None:
    talk = Conversation(start_ns=1_700_000_000_123_456_789, step_ns=1_000_000_001)
    talk.handshake().write(trace)
    told = flow(trace)
    assert told["start"] == Decimal("1700000000.123456789")
    assert told["duration"] == Decimal("2.000000002")


def test_time_that_runs_backwards_gives_no_negative_duration(trace: Path, flow: ReadOne) -> None:
    talk = Conversation(step_ns=-1000)
    talk.handshake().write(trace)
    assert flow(trace)["duration"] >= 0


def test_a_connection_without_handshake_has_nulls(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().unseen_handshake()
    talk.client("PA", b"hello")
    talk.write(trace)
    told = flow(trace)
    assert told["handshake"] == {
        "complete": False,
        "syn": None,
        "syn_ack": None,
        "ack": None,
        "client_isn": None,
        "server_isn": None,
        "syn_retransmissions": 0,
        "refused": False,
    }
    assert told["teardown"] == {
        "kind": "open",
        "first_closer": None,
        "client_fin": None,
        "client_fin_ack": None,
        "server_fin": None,
        "server_fin_ack": None,
        "segments": None,
        "reset_by": None,
        "reset": None,
    }


def test_connections_are_numbered_in_the_order_they_begin(trace: Path, flows: ReadAll) -> None:
    first, second = Conversation(client_port=1001), Conversation(client_port=1002)
    first.client("S")
    second.client("S")
    second.server("SA")
    first.server("SA")
    both = Conversation()
    both.packets = first.packets[:1] + second.packets + first.packets[1:]
    both.write(trace)
    told = flows(trace)
    assert [(each["id"], each["client"]["port"]) for each in told] == [(1, 1001), (2, 1002)]
    assert [(each["first_packet"], each["last_packet"]) for each in told] == [(1, 4), (2, 3)]


def test_tcp_and_udp_flows_share_one_numbering(trace: Path, flows: ReadAll) -> None:
    talk = Conversation()
    talk.datagram("client", b"hello")
    talk.handshake().write(trace)
    assert [(each["id"], each["type"]) for each in flows(trace)] == [(1, "udp"), (2, "tcp")]


def test_counts_belong_to_the_side_that_sent_the_packets(trace: Path, flow: ReadOne) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"abc")
    talk.client("PA", b"defgh")
    talk.server("A", window=0)
    talk.write(trace)
    told = flow(trace)
    assert (told["to_server"]["packets"], told["to_client"]["packets"]) == (4, 2)
    assert (told["to_server"]["segments"], told["to_client"]["segments"]) == (2, 0)
    assert (told["to_server"]["zero_windows"], told["to_client"]["zero_windows"]) == (0, 1)
    assert told["to_server"]["largest_segment"] == 5


def test_addresses_are_written_as_rfc_5952_says(trace: Path, flow: ReadOne) -> None:
    talk = ipv6_conversation(client_address="2001:0db8:0000:0000:0001:0000:0000:0001")
    talk.handshake().write(trace)
    assert flow(trace)["client"]["address"] == "2001:db8::1:0:0:1"


def test_a_file_name_is_quoted_as_json_asks(tmp_path: Path, capture: ReadOne) -> None:
    awkward = tmp_path / 'quote" back\\slash\ttab\n.pcap'
    echo_conversation().write(awkward)
    assert capture(awkward)["file"] == str(awkward)


def test_a_file_name_that_is_not_utf8_leaves_valid_json(tmp_path: Path, labcap: Labcap) -> None:
    folder = str(tmp_path).encode()
    name = folder + b"/\xff\xfe.pcap"
    written = echo_conversation().write(tmp_path / "t.pcap")
    written.rename(name.decode("utf-8", "surrogateescape"))
    done = labcap("flows", "--json", name.decode("utf-8", "surrogateescape"), text=False)
    assert done.returncode == 0
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == ["tcp", "capture"]
