"""labcap show --json: the ladder as objects, one a line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Callable

import pytest
from calls import Argument, Json, Labcap
from journeys import TwoPoints
from ladders import environment
from test_show_calls import server_log, talk_on_loopback
from trace_files import ETHERNET
from traces import (
    CLIENT,
    SERVER,
    Conversation,
    echo_conversation,
    fragments_of,
    port_unreachable,
)

Objects = Callable[..., list[Json]]
PAYLOAD_KEPT = 480


@pytest.fixture
def objects(labcap: Labcap, trace: Path) -> Objects:
    """All objects of a conversation (or of two points), with numbers kept exact."""

    def read(talk: Any, *arguments: object) -> list[Json]:
        done = labcap("show", "--json", talk.write(trace), *map(str, arguments),
                      env=environment())
        assert (done.returncode, done.stderr) == (0, "")
        return [json.loads(line, parse_float=Decimal) for line in done.stdout.splitlines()]

    return read


def of_type(told: list[Json], kind: str) -> list[Json]:
    return [one for one in told if one["type"] == kind]


def test_an_echo_connection(objects: Objects, trace: Path) -> None:
    told = objects(echo_conversation())
    assert [one["type"] for one in told] == [
        "flow", "phase", *["packet"] * 3, "phase", *["packet"] * 3, "phase", *["packet"] * 4,
        "outcome", "trace",
    ]  # fmt: skip
    assert told[0] == {
        "type": "flow", "flow": 1, "protocol": "tcp",
        "client": {"address": "10.0.0.1", "port": 39870, "processes": []},
        "server": {"address": "10.0.0.2", "port": 4321, "processes": []},
        "start": Decimal("1700000000.000000000"), "packets": 10, "duration": Decimal("0.009"),
        "states": {"client": "CLOSED", "server": "LISTEN"}, "later": False,
    }  # fmt: skip
    assert [one["name"] for one in of_type(told, "phase")] == ["handshake", "data", "teardown"]
    assert told[-1] == {"type": "trace", "file": str(trace), "flows": 1, "calls": None}


def test_fins_that_cross_leave_fin_wait_1_for_closing(objects: Objects) -> None:
    talk = Conversation().handshake()
    talk.client("FA", ack=1)
    talk.server("FA", ack=1)
    states = [packet["states"] for packet in of_type(objects(talk), "packet")[3:]]
    assert states == [{"client": "FIN-WAIT-1", "server": None},
                      {"client": "CLOSING", "server": "FIN-WAIT-1"}]


def test_a_packet_has_all_that_its_row_tells(objects: Objects) -> None:
    packets = of_type(objects(echo_conversation()), "packet")
    syn, ack, data = packets[0], packets[4], packets[3]
    comment = syn.pop("comment")
    assert comment.startswith("1/3 SYN: the client asks to connect")
    assert syn == {
        "type": "packet", "flow": 1, "packet": 1, "time": 0, "gap": None, "to_server": True,
        "label": "1/3 SYN", "text": "1/3 SYN seq 0", "flags": "SYN", "seq": 0, "ack": None,
        "acknowledges": None, "length": 0, "note": "", "tone": "open", "lost": False,
        "states": {"client": "SYN-SENT", "server": "SYN-RECEIVED"},
        "payload": "", "payload_kept": 0,
    }  # fmt: skip
    assert (data["payload"], data["payload_kept"], data["length"]) == (b"hello!\n".hex(), 7, 7)
    assert (data["time"], data["gap"]) == (Decimal("0.003"), Decimal("0.001"))
    assert data["states"] == {"client": None, "server": None}
    assert ack["acknowledges"] == {"first": 4, "last": 4}
    assert ack["text"] == "ACK seq 1 ack 8 (packet 4)"
    assert [one["tone"] for one in packets] == ["open"] * 3 + ["data", "plain", "data"] + [
        "close"
    ] * 4


def test_notes_and_resets(objects: Objects) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"abc", seq=1)
    talk.client("PA", b"abc", seq=1)
    talk.server("RA")
    packets = of_type(objects(talk), "packet")
    assert [one["note"] for one in packets[3:]] == ["", "retransmission", "reset"]
    assert packets[5]["tone"] == "bad"
    assert "nothing" not in packets[5]["comment"] and packets[5]["comment"] != ""


def test_payload_is_kept_up_to_a_bound(objects: Objects) -> None:
    talk = Conversation().handshake()
    talk.client("A", bytes(range(256)) * 4)
    packet = of_type(objects(talk), "packet")[3]
    assert (packet["length"], packet["payload_kept"]) == (1024, PAYLOAD_KEPT)
    assert packet["payload"] == (bytes(range(256)) * 2)[:PAYLOAD_KEPT].hex()


def test_a_fold_counts_what_it_stands_for(objects: Objects) -> None:
    talk = Conversation().handshake()
    for _ in range(100):
        talk.client("A", b"12345")
    fold = of_type(objects(talk), "fold")[0]
    assert fold == {
        "type": "fold", "flow": 1, "segments": 84, "bytes_to_server": 420, "bytes_to_client": 0,
        "calls": 0, "first_packet": 14, "last_packet": 97, "duration": Decimal("0.084"),
        "text": "84 segments, 420 bytes to the server",
    }  # fmt: skip
    told = objects(talk, "--all")
    assert of_type(told, "fold") == []
    assert len(of_type(told, "packet")) == 103


def test_udp_and_icmp(objects: Objects) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    talk.add(port_unreachable(talk.packets[0].data))
    told = objects(talk)
    assert told[0]["protocol"] == "udp"
    assert told[0]["states"] == {"client": None, "server": None}
    datagram, icmp = of_type(told, "packet")
    assert [datagram[key] for key in ("label", "flags", "seq", "ack")] == [
        "datagram", None, None, None,
    ]  # fmt: skip
    assert (icmp["label"], icmp["tone"]) == ("ICMP: port unreachable", "bad")


@pytest.mark.parametrize("merged", [[], ["--merge"]])
def test_datagrams_that_lack_a_fragment_say_so(objects: Objects, merged: list[str]) -> None:
    """Whole ones between them do not, whichever way their fragments came."""
    talk = Conversation()
    wanted = []
    for number in range(60):
        whole = number % 2 > 0
        wanted.append("" if whole else "incomplete")
        ip = {"id": 100 + number}
        pieces = fragments_of(talk.udp_packet(CLIENT, b"y" * 3000, ip=ip), 1024)
        for piece in pieces if whole else pieces[::2] if number % 4 else pieces[:-1]:
            talk.add(piece)
    told = objects(talk, "--all", *merged)
    packets = of_type(told, "packet")
    assert [one["note"] for one in packets] == wanted
    assert [one["text"] for one in packets[:2]] == [
        "datagram, 3000 bytes", "datagram, 3000 bytes, 3 fragments"]
    assert "which were not all recorded" in packets[0]["comment"]


@pytest.mark.parametrize("apart", [[5, 5, 5, 5], [5, -3, 9, -20], [-5, -5, -5]])
def test_a_flow_lasts_as_long_as_flows_says(
    objects: Objects, labcap: Labcap, trace: Path, apart: list[int]
) -> None:
    """To its latest packet, also where time goes back, and whatever ICMP says of it later."""
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    pieces = fragments_of(talk.udp_packet(SERVER, b"y" * 3000), 1024)
    for piece, after in zip(pieces, apart):
        talk.add(piece, after * 1_000_000)
    talk.add(port_unreachable(talk.packets[0].data), 10**9)
    flow = of_type(objects(talk), "flow")[0]
    done = labcap("flows", "--json", trace)
    told = json.loads(done.stdout.splitlines()[0], parse_float=Decimal)
    longest = max(0, *(sum(apart[: n + 1]) for n in range(3)))
    assert (flow["start"], flow["duration"]) == (told["start"], told["duration"])
    assert flow["duration"] == Decimal(longest) / 1000
    span = f"{longest:#.3g} ms" if longest else "0 ns"
    assert flow["packets"] == 2
    assert f"2 packets in {span} -" in labcap("show", trace, env=environment()).stdout


def test_what_was_lost_is_lost(objects: Objects) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"one")
    talk.datagram(SERVER, b"two")
    points = TwoPoints(ETHERNET).go(talk, "s1 s2 a2")
    told = objects(points)
    assert [one["lost"] for one in of_type(told, "packet")] == [True, False]
    assert "was lost" in of_type(told, "outcome")[0]["text"]


def test_flows_follow_each_other_or_are_merged(objects: Objects) -> None:
    first = Conversation(client_port=1)
    second = Conversation(client_port=2, packets=first.packets)
    first.client("S")
    second.client("S")
    first.server("SA")
    second.server("SA")
    told = [(one["flow"], one["packet"]) for one in of_type(objects(first), "packet")]
    assert told == [(1, 1), (1, 3), (2, 2), (2, 4)]
    merged = objects(first, "--merge")
    assert [one["packet"] for one in of_type(merged, "packet")] == [1, 2, 3, 4]
    assert [one["packets"] for one in of_type(merged, "flow")] == [2, 2]
    assert [one["flow"] for one in of_type(merged, "outcome")] == [1, 2]


def test_one_flow_can_be_chosen(objects: Objects) -> None:
    talk = Conversation().handshake()
    talk.then(client_port=2).handshake()
    assert {one["flow"] for one in objects(talk, "-n", 2)[:-1]} == {2}


def test_a_trace_without_a_flow_is_one_object(objects: Objects) -> None:
    assert [one["type"] for one in objects(Conversation())] == ["trace"]


def test_a_file_name_that_is_no_text_is_escaped(labcap: Labcap, tmp_path: Path) -> None:
    file = tmp_path / 'quote".pcap'
    echo_conversation().write(file)
    told = labcap("show", "--json", file).stdout.splitlines()
    assert json.loads(told[-1])["file"] == str(file)


def told_within(lines: list[str], rows: int) -> list[str]:
    """LINES of one trace without those of flows that come behind so many ROWS."""
    told, kept, left_out = 0, [], False
    for line in lines:
        kind = json.loads(line)["type"]
        if kind == "flow":
            left_out = told >= rows
        if kind not in ("phase", "packet", "call", "fold"):
            kept.append(line)
        elif not left_out:
            kept.append(line)
            told += kind != "phase"
    return kept


@pytest.mark.parametrize("calls", [False, True])
def test_flows_behind_enough_rows_have_none(
    labcap: Labcap, trace: Path, tmp_path: Path, calls: bool
) -> None:
    talk = talk_on_loopback()
    for port in (50002, 50003, 50004):
        talk = talk.then(client_port=port).handshake()
        talk.close()
    talk.write(trace)
    chosen: list[Argument] = ["--json"]
    if calls:
        chosen += ["--syscalls", server_log().write(tmp_path / "calls")]
    whole = labcap("show", *chosen, trace).stdout.splitlines()
    seen = set()
    for rows in (*range(1, 60), 999):
        done = labcap("show", *chosen, "--rows", str(rows), trace)
        assert (done.returncode, done.stdout.splitlines()) == (0, told_within(whole, rows))
        seen.add(len(done.stdout))
    assert len(seen) == 4


@pytest.mark.parametrize("options", [["--rows", "0", "--json"], ["--rows", "x", "--json"],
                                     ["--rows", "3"], ["--rows", "3", "--json", "--merge"]])
def test_rows_are_limited_in_json_alone(labcap: Labcap, trace: Path, options: list[str]) -> None:
    done = labcap("show", *options, trace)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("labcap show: --rows")
