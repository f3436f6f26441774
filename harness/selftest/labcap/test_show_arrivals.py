"""labcap show on traces with two points: what became of each packet, and who knew of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Callable, Optional

import pytest
from calls import Labcap
from journeys import TwoPoints, all_well
from trace_files import ETHERNET, Frame
from traces import (
    CLIENT,
    SERVER,
    Conversation,
    echo_conversation,
    fragments_of,
    port_unreachable,
)

PLAIN = {"LC_ALL": "C", "COLUMNS": "80", "TERM": "xterm"}
UTF8 = {"LC_ALL": "C.UTF-8"}

Show = Callable[..., str]


@pytest.fixture
def show(labcap: Labcap, trace: Path) -> Show:
    """The ladder of a trace, in ASCII and 80 columns unless `env` says otherwise."""

    def draw(points: TwoPoints, *arguments: str, env: Optional[dict[str, str]] = None) -> str:
        known = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LINES")}
        done = labcap("show", points.write(trace), *arguments,
                      env={**known, **PLAIN, **(env or {})}, encoding="utf-8")
        assert (done.returncode, done.stderr) == (0, "")
        text: str = done.stdout
        return text

    return draw


def rows(text: str) -> list[str]:
    """The lines between the lanes and what stands beside them, each without outer spaces."""
    return [line.strip() for line in text.splitlines() if "|" in line]


def row(text: str, packet: int) -> str:
    """The row of one packet."""
    found = [line for line in rows(text) if line.startswith(f"{packet} ")]
    assert len(found) == 1, text
    return found[0]


def outcome(text: str) -> str:
    """The closing sentences, joined to one line."""
    return " ".join(text.rstrip("\n").split("\n\n")[-1].split())


def mended_connection() -> Conversation:
    """An echo whose client sends its SYN, its FIN and its line twice."""
    talk = Conversation()
    talk.client("S")
    talk.client("S", seq=0)
    talk.server("SA")
    talk.client("A")
    talk.client("PA", b"hello!\n")
    talk.client("PA", b"hello!\n", seq=1)
    talk.server("A")
    talk.server("PA", b"you said: hello..\n")
    talk.client("A")
    talk.client("FA")
    talk.client("FA", seq=8)
    talk.server("A")
    talk.server("FA")
    talk.client("A")
    return talk


MENDED = (
    "s1 +1000 s2 a2 s3 +40 a3 s4 a4 s5 +200 s6 a6 s7 a7* s8 a8 s9 a9 a9 "
    "s10 +200 s11 a11 s12 s13 a13 a12 s14 a14"
)


def test_a_connection_that_mends_everything(show: Show) -> None:
    assert show(TwoPoints().go(mended_connection(), MENDED)) == """\
- TCP connection 1 -------------------------------------- 14 packets in 1.46 s -

                          client                             server
                          10.0.0.1:39870              10.0.0.2:4321
                   CLOSED |                                       | LISTEN
                          |               handshake               |
  2              SYN-SENT |- 1/3 SYN seq 0 --x lost               |
  3   1.00 s              |- SYN seq 0, retransmission ---------->| SYN-RECEIVED
  5  2.00 ms  ESTABLISHED |<------------ 2/3 SYN+ACK seq 0 ack 1 -|
                          |                   arrives 40 ms later |
  7  41.0 ms              |- 3/3 ACK seq 1 ack 1 ---------------->| ESTABLISHED
                          |                 data                  |
  9  2.00 ms              |- PSH+ACK seq 1 ack 1 len 7 -x lost    |
 10   200 ms              |- PSH+ACK seq 1 ack 1 len 7 ---------->|
                          | retransmission                        |
 12  2.00 ms              |<--- ACK seq 1 ack 8, arrives damaged -|
 14  2.00 ms              |<--------- PSH+ACK seq 1 ack 8 len 18 -|
 16  2.00 ms              |- ACK seq 8 ack 19, arrives twice ---->|
                          |               teardown                |
 19  3.00 ms   FIN-WAIT-1 |- 1/4 FIN seq 8 ack 19 -x lost         |
 20   200 ms              |- FIN+ACK seq 8 ack 19 --------------->| CLOSE-WAIT
                          | retransmission                        |
 22  2.00 ms              |<--------------- 2/4 ACK seq 19 ack 9 -|
                          |               arrives after packet 23 |
 23  1.00 ms    TIME-WAIT |<--------------- 3/4 FIN seq 19 ack 9 -| LAST-ACK
 26  3.00 ms              |- 4/4 ACK seq 9 ack 20 --------------->| CLOSED

The client closed first; each FIN was acknowledged, in 4 segments. 7 bytes to
the server, 18 bytes to the client. Of 9 packets to the server 3 were lost, 1
was duplicated. Of 5 packets to the client 1 was reordered, 1 was damaged.
"""


def test_the_word_lost_has_its_arrows_colour(show: Show) -> None:
    drawn = show(TwoPoints().go(mended_connection(), MENDED), "--color", "always")
    text = re.sub(r"\x1b\[([0-9;]+)m", r"{\1}", drawn)
    arrow = "{31;1}-{0} {31;1}1/3 SYN seq 0{0} {31;1}--{0}{31;1}x{0} {31;1}lost{0}"
    assert "{0}" + arrow + " " * 15 + "{2}|{0}" in text


def test_the_same_in_40_columns_has_notes_beneath(show: Show) -> None:
    lines = rows(show(TwoPoints().go(mended_connection(), MENDED), env={"COLUMNS": "40"}))
    assert lines[:9] == [
        "| CLOSED                    LISTEN |",
        "|            handshake             |",
        "2 |- 1/3 SYN seq 0 -x lost           |",
        "| SYN-SENT                         |",
        "3 |- SYN seq 0, retransmission ----->|",
        "|                     SYN-RECEIVED |",
        "5 |<------- 2/3 SYN+ACK seq 0 ack 1 -|",
        "|              arrives 40 ms later |",
        "| ESTABLISHED                      |",
    ]


def everything_at_once() -> TwoPoints:
    """A retransmission that is damaged, doubled, late and behind others, both ways; and losses."""
    talk = Conversation().handshake()
    for sender in (CLIENT, SERVER):
        for _ in range(2):
            talk.segment(sender, "PA", b"x" * 1000, seq=1)
        talk.segment(sender, "PA", b"y", window=0)
        talk.segment(sender, "PA", b"y" * 60_000, seq=10**9)
    return TwoPoints().go(
        talk, "s1 a1 s2 a2 s3 a3 s4 s5 s6 a6 +1500 a5* a5* s7 s8 s9 s10 a10 +70 a9* a9* s11"
    )


@pytest.mark.parametrize("columns", [40, 45, 50, 60, 71, 72, 80, 100, 120])
def test_no_line_is_wider_than_the_screen(show: Show, columns: int) -> None:
    for env in (PLAIN, UTF8):
        text = show(everything_at_once(), "--payload", env={**env, "COLUMNS": str(columns)})
        lanes = "\u2502" if env is UTF8 else "|"
        assert {line.rindex(lanes) for line in text.splitlines() if lanes in line} == {
            columns - (14 if columns >= 72 else 1)
        }
        assert max(map(len, text.splitlines())) == columns


def test_notes_that_do_not_fit_one_line_take_more(show: Show) -> None:
    text = show(everything_at_once(), env={"COLUMNS": "40"})
    lines = rows(text)
    place = lines.index(row(text, 9))
    assert [line.strip("| ") for line in lines[place + 1 : place + 5]] == [
        "retransmission, arrives damaged",
        "arrives twice",
        "arrives after packet 10",
        "arrives 1.50 s later",
    ]


@pytest.mark.parametrize(
    ("sender", "line"),
    [
        (CLIENT, "|- datagram, 5 bytes -------x lost                       |"),
        (SERVER, "|                       lost x------- datagram, 5 bytes -|"),
    ],
)
def test_a_lost_packets_arrow_ends_halfway(show: Show, sender: str, line: str) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"first")
    talk.datagram(sender, b"hello")
    text = show(TwoPoints().go(talk, "s1 s2"), env={"COLUMNS": "71"})
    assert row(text, 3).endswith(line)


def test_utf8_crosses_a_lost_arrow_out(show: Show) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    text = show(TwoPoints().go(talk, "s1"), env=UTF8)
    assert "\u2502\u2500 datagram, 5 bytes \u2500\u2573 lost   " in text
    assert "\u25ba" not in text


def test_colour_changes_no_character_and_a_lost_row_is_red(show: Show) -> None:
    points = everything_at_once()
    coloured = show(points, "--color", "always")
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == show(points)
    assert "\x1b[31;1mlost\x1b[0m" in coloured


@pytest.mark.parametrize(
    ("ms", "words"),
    [(9, ""), (10, "arrives 10 ms later"), (999, "arrives 999 ms later"),
     (1000, "arrives 1.00 s later"), (61_000, "arrives 61.00 s later")],
)  # fmt: skip
def test_a_late_arrival_is_told_from_10_ms_on(show: Show, ms: int, words: str) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    text = show(TwoPoints().go(talk, f"s1 +{ms} a1"), env={"COLUMNS": "120"})
    assert f"bytes{', ' if words else ''}{words} -" in row(text, 2)


def test_milliseconds_are_rounded(show: Show) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    points = TwoPoints().go(talk, "s1 +40 a1")
    points.frames[2] = Frame(points.frames[2].data, points.frames[2].time_ns + 600_000)
    assert "arrives 41 ms later" in show(points)


def test_more_than_two_arrivals_are_counted(show: Show) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    text = show(TwoPoints().go(talk, "s1 a1 a1 a1"))
    assert ", arrives 3 times -" in row(text, 2)
    assert outcome(text).endswith("The datagram to the server was duplicated.")


# ---- The states of RFC 9293 follow from what arrives


def states(text: str) -> list[tuple[str, str]]:
    """What stands beside the lanes, from the first row on."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"[ 0-9]{3} .{8} (.{12}) \|.*\|(?: ([A-Z0-9-]+))?", line)
        if match is not None and (match.group(1).strip() or match.group(2)):
            found.append((match.group(1).strip(), match.group(2) or ""))
    return found


def test_a_lost_syn_ack_leaves_the_client_waiting(show: Show) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.server("SA", seq=0)
    talk.client("A")
    text = show(TwoPoints().go(talk, "s1 a1 s2 +1000 s3 a3 s4 a4"))
    assert states(text) == [
        ("CLOSED", "LISTEN"),
        ("SYN-SENT", "SYN-RECEIVED"),
        ("ESTABLISHED", ""),
        ("", "ESTABLISHED"),
    ]
    assert row(text, 4).endswith("lost x- 2/3 SYN+ACK seq 0 ack 1 -|")
    assert row(text, 5).split()[3] == "ESTABLISHED"


def test_a_damaged_syn_is_not_received(show: Show) -> None:
    talk = Conversation()
    talk.client("S")
    text = show(TwoPoints().go(talk, "s1 a1*"))
    assert states(text) == [("CLOSED", ""), ("SYN-SENT", "")]


def test_a_server_that_never_heard_of_it_is_in_no_state(show: Show) -> None:
    talk = Conversation()
    for _ in range(3):
        talk.client("S", seq=0)
    text = show(TwoPoints().go(talk, "s1 s2 s3"))
    assert states(text) == [("CLOSED", ""), ("SYN-SENT", "")]
    assert outcome(text).endswith("Of 3 packets to the server 3 were lost.")


def test_a_lost_reset_leaves_the_other_side_as_it_was(show: Show) -> None:
    talk = Conversation().handshake()
    talk.server("RA")
    for journey, client in (("s1 a1 s2 a2 s3 a3 s4", ""), ("s1 a1 s2 a2 s3 a3 s4 a4", "CLOSED")):
        assert states(show(TwoPoints().go(talk, journey)))[-1] == (client, "CLOSED")


def test_a_refusal_closes_the_client_when_it_arrives(show: Show) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("RA")
    text = show(TwoPoints().go(talk, all_well(2)))
    assert states(text) == [("CLOSED", "CLOSED"), ("SYN-SENT", ""), ("CLOSED", "")]


def test_a_fin_before_data_that_is_missing_closes_nothing(show: Show) -> None:
    """The data is sent again behind the FIN; with it the FIN takes effect."""
    talk = Conversation().handshake()
    talk.client("PA", b"hello")
    talk.client("FA")
    talk.client("PA", b"hello", seq=1)
    text = show(TwoPoints().go(talk, "s1 a1 s2 a2 s3 a3 s4 s5 a5 s6 a6"))
    assert states(text)[-2:] == [("FIN-WAIT-1", ""), ("", "CLOSE-WAIT")]
    assert row(text, 11).endswith("| CLOSE-WAIT")


def test_a_late_fin_closes_on_its_own_row(show: Show) -> None:
    """The server sends before the FIN arrives: in ESTABLISHED, and the row says nothing of it."""
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("PA", b"still here", ack=1)
    text = show(TwoPoints().go(talk, "s1 a1 s2 a2 s3 a3 s4 s5 a5 +50 a4"))
    assert row(text, 8).endswith("| CLOSE-WAIT")
    assert row(text, 9).endswith("-|")


def test_a_lost_last_ack_leaves_the_server_in_last_ack(show: Show) -> None:
    text = show(TwoPoints().go(echo_conversation(), all_well(9) + " s10"))
    assert states(text)[-1] == ("TIME-WAIT", "LAST-ACK")
    assert "x lost" in row(text, 20)


def test_a_connection_joined_in_its_middle_has_states_as_ever(show: Show) -> None:
    talk = Conversation().unseen_handshake()
    talk.client("PA", b"data")
    talk.server("A")
    assert states(show(TwoPoints().go(talk, all_well(2)))) == [("ESTABLISHED", "ESTABLISHED")]


# ---- Datagrams


def test_an_icmp_message_can_be_lost_too(show: Show) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    talk.add(port_unreachable(talk.packets[0].data))
    text = show(TwoPoints().go(talk, "s1 a1 s2"), env={"COLUMNS": "120"})
    assert "lost x-" in row(text, 4)
    assert outcome(text).endswith("(packet 4). The datagram to the server arrived.")


def test_the_host_that_answered_is_named(show: Show) -> None:
    """A reply that comes too late for its client."""
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    talk.datagram(SERVER, b"hello")
    talk.add(port_unreachable(talk.packets[1].data))
    text = show(TwoPoints().go(talk, all_well(3)))
    assert "The client's host answered that it could not be delivered (packet 6)." in outcome(text)


def test_a_lost_fragment_loses_the_datagram(show: Show) -> None:
    talk = Conversation()
    for piece in fragments_of(talk.udp_packet(CLIENT, bytes(3000)), 1400):
        talk.add(piece)
    lost = show(TwoPoints().go(talk, "s1 a1 s2 s3 a3"), env={"COLUMNS": "120"})
    assert "- datagram, 3000 bytes, 3 fragments -" in row(lost, 2)
    assert "x lost" in row(lost, 2)
    late = show(TwoPoints().go(talk, "s1 a1 s2 s3 a3 +30 a2"), env={"COLUMNS": "120"})
    assert ", arrives 34 ms later -" in row(late, 2)


def test_fragments_are_counted_in_a_trace_with_one_point(
    labcap: Labcap, trace: Path
) -> None:
    talk = Conversation()
    for piece in fragments_of(talk.udp_packet(CLIENT, bytes(3000)), 1400):
        talk.add(piece)
    text = labcap("show", "--ascii", talk.write(trace)).stdout
    assert "- datagram, 3000 bytes, 3 fragments -" in row(text, 1)
    talk.packets.pop()
    assert "fragments" not in labcap("show", "--ascii", talk.write(trace)).stdout


SENTENCES = {
    "s1 a1": "The datagram to the server arrived.",
    "s1": "The datagram to the server was lost.",
    "s1 a1 a1*": "The datagram to the server was duplicated, was damaged.",
    "s1 a1 s2 a2": "Both datagrams to the server arrived.",
    "s1 a1 s2 a2 s3 a3": "All 3 datagrams to the server arrived.",
    "s1 s2 s3 a3 a2": "Of 3 datagrams to the server 1 was lost, 1 was reordered.",
}


@pytest.mark.parametrize("journey", SENTENCES)
def test_the_outcome_tells_the_sums(show: Show, journey: str) -> None:
    talk = Conversation()
    for number in range(3):
        talk.datagram(CLIENT, bytes([number]))
    assert outcome(show(TwoPoints(ETHERNET).go(talk, journey))).endswith(SENTENCES[journey])


def test_one_connection_of_several_is_shown_alone(show: Show) -> None:
    one, two = Conversation(client_port=1), Conversation(client_port=2)
    for talk in (one, two):
        talk.datagram(CLIENT, b"hello")
        talk.datagram(CLIENT, b"again")
    packets = [frame.data for talk in (one, two) for frame in talk.packets]
    text = show(TwoPoints().go(packets, "s1 s3 a1 s2 s4 a4 a4"), "-n", "2")
    assert [line.split()[0] for line in rows(text)] == ["3", "6"]
    assert "x lost" in row(text, 3)
    assert "x lost" not in row(text, 6)
