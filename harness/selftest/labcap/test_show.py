"""labcap show: the ladder of each connection, as a person reads it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6DestUnreach
from traces import (
    CLIENT,
    SERVER,
    Conversation,
    echo_conversation,
    ipv6_conversation,
    port_unreachable,
)

DEADLINE = 30
ESCAPE = "\x1b"
PLAIN = {"LC_ALL": "C", "COLUMNS": "80", "TERM": "xterm"}
UTF8 = {**PLAIN, "LC_ALL": "C.UTF-8"}

Show = Callable[..., str]
Labcap = Callable[..., subprocess.CompletedProcess[str]]


def environment(**changes: str) -> dict[str, str]:
    """The process's own environment with a known locale and width, no colour settings."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LINES")}
    return {**kept, **PLAIN, **changes}


@pytest.fixture
def show(labcap: Labcap, trace: Path) -> Show:
    """The ladder of a conversation, in ASCII and 80 columns unless `env` says otherwise."""

    def draw(
        talk: Conversation,
        *arguments: str,
        status: int = 0,
        env: Optional[dict[str, str]] = None,
    ) -> str:
        done = labcap(
            "show", talk.write(trace), *arguments, env=environment(**(env or {})), encoding="utf-8"
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    return draw


def row(text: str, packet: int) -> str:
    """The row of one packet, without the spaces at its ends."""
    rows = [line.strip() for line in text.splitlines() if line.startswith(f"{packet:3} ")]
    assert len(rows) == 1, text
    return rows[0]


def outcome(text: str) -> str:
    """The closing sentences, joined to one line."""
    return " ".join(text.rstrip("\n").split("\n\n")[-1].split())


def three_segment_close() -> Conversation:
    """The server's FIN acknowledges the client's."""
    talk = Conversation().handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    return talk


def crossing_fins() -> Conversation:
    """Each side closes before the other's FIN arrives."""
    talk = Conversation().handshake()
    talk.client("FA", ack=1)
    talk.server("FA", ack=1)
    return talk


# ---- The whole picture


def test_an_echo_connection_in_80_columns(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"hello!\n")
    talk.server("A")
    talk.server("PA", b"you said: hello..\n")
    talk.client("A")
    talk.close()
    assert show(talk) == """\
- TCP connection 1 ------------------------------------- 11 packets in 10.0 ms -

                          client                             server
                          10.0.0.1:39870              10.0.0.2:4321
                   CLOSED |                                       | LISTEN
                          |               handshake               |
  1              SYN-SENT |- 1/3 SYN seq 0 ---------------------->| SYN-RECEIVED
  2  1.00 ms  ESTABLISHED |<------------ 2/3 SYN+ACK seq 0 ack 1 -|
  3  1.00 ms              |- 3/3 ACK seq 1 ack 1 ---------------->| ESTABLISHED
                          |                 data                  |
  4  1.00 ms              |- PSH+ACK seq 1 ack 1 len 7 ---------->|
  5  1.00 ms              |<--------- ACK seq 1 ack 8 (packet 4) -|
  6  1.00 ms              |<--------- PSH+ACK seq 1 ack 8 len 18 -|
  7  1.00 ms              |- ACK seq 8 ack 19 (packet 6) -------->|
                          |               teardown                |
  8  1.00 ms   FIN-WAIT-1 |- 1/4 FIN seq 8 ack 19 --------------->| CLOSE-WAIT
  9  1.00 ms   FIN-WAIT-2 |<--------------- 2/4 ACK seq 19 ack 9 -|
 10  1.00 ms    TIME-WAIT |<--------------- 3/4 FIN seq 19 ack 9 -| LAST-ACK
 11  1.00 ms              |- 4/4 ACK seq 9 ack 20 --------------->| CLOSED

The client closed first; each FIN was acknowledged, in 4 segments. 7 bytes to
the server, 18 bytes to the client.
"""


def test_the_same_in_40_columns_has_states_beneath_and_no_time(show: Show) -> None:
    text = show(three_segment_close(), env={"COLUMNS": "40"})
    assert text == """\
- TCP connection 1 ---------------------

    client                        server
    10.0.0.1:39870         10.0.0.2:4321
    | CLOSED                    LISTEN |
    |            handshake             |
  1 |- 1/3 SYN seq 0 ----------------->|
    | SYN-SENT            SYN-RECEIVED |
  2 |<------- 2/3 SYN+ACK seq 0 ack 1 -|
    | ESTABLISHED                      |
  3 |- 3/3 ACK seq 1 ack 1 ----------->|
    |                      ESTABLISHED |
    |             teardown             |
  4 |- 1/3 FIN seq 1 ack 1 ----------->|
    | FIN-WAIT-1            CLOSE-WAIT |
  5 |<------- 2/3 FIN+ACK seq 1 ack 2 -|
    | TIME-WAIT               LAST-ACK |
  6 |- 3/3 ACK seq 2 ack 2 ----------->|
    |                           CLOSED |

The client closed first; each FIN was
acknowledged, in 3 segments. 0 bytes to
the server, 0 bytes to the client.
"""


@pytest.mark.parametrize("columns", [40, 50, 60, 71, 72, 80, 100, 120])
def test_no_line_is_wider_than_the_screen(show: Show, columns: int) -> None:
    talk = echo_conversation(client_address="192.168.100.101", server_address="192.168.100.102")
    for digits in range(2, 10):  # one of them fills the arrow to the last column
        talk.client("PA", b"0123456789", seq=10**digits)
    for env in (PLAIN, UTF8):
        text = show(talk, "--payload", env={**env, "COLUMNS": str(columns)})
        assert max(len(line) for line in text.splitlines()) == columns


def test_long_ipv6_addresses_fit_80_columns(show: Show) -> None:
    addresses = [f"2001:db8:1111:2222:3333:4444:5555:{end}" for end in ("6666", "7777")]
    talk = ipv6_conversation(client_address=addresses[0], server_address=addresses[1])
    talk.handshake()
    lines = show(talk).splitlines()
    assert [line.split() for line in lines[3:5]] == [
        [f"[{addresses[0]}]:39870"],
        [f"[{addresses[1]}]:4321"],
    ]
    assert max(map(len, lines)) == 80


# ---- Steps and states


def test_a_teardown_of_three_segments_is_numbered_to_three(show: Show) -> None:
    text = show(three_segment_close())
    assert "1/3 FIN" in row(text, 4)
    assert "2/3 FIN+ACK" in row(text, 5)
    assert "3/3 ACK" in row(text, 6)
    assert text.index("handshake") < text.index("1/3 SYN") < text.index("teardown")
    assert text.index("3/3 ACK") < text.index("teardown") < text.index("1/3 FIN")


def test_the_server_closes_first(show: Show) -> None:
    talk = Conversation().handshake()
    talk.close(SERVER)
    text = show(talk)
    assert row(text, 4).endswith("1/4 FIN seq 1 ack 1 -| FIN-WAIT-1")
    assert " CLOSE-WAIT |<-" in row(text, 4)
    assert row(text, 6).endswith("| TIME-WAIT")
    assert outcome(text).startswith("The server closed first; each FIN was acknowledged")


def test_a_simultaneous_close_counts_both_fins_before_both_acks(show: Show) -> None:
    talk = crossing_fins()
    talk.client("A", ack=2)
    talk.server("A", ack=2)
    text = show(talk)
    steps = [re.search(r"\d/\d [A-Z+]+", row(text, n)) for n in (4, 5, 6, 7)]
    assert [s.group() for s in steps if s] == ["1/4 FIN", "2/4 FIN", "3/4 ACK", "4/4 ACK"]
    assert outcome(text).startswith("Both sides closed at the same time")


@pytest.mark.parametrize("acknowledged, sentence", [
    ((), "neither FIN was ever acknowledged."),
    ((CLIENT,), "the server's FIN was never acknowledged."),
    ((SERVER,), "the client's FIN was never acknowledged."),
])
def test_a_simultaneous_close_that_was_cut_off(
    show: Show, labcap: Labcap, trace: Path, acknowledged: tuple[str, ...], sentence: str
) -> None:
    talk = crossing_fins()
    for closer in acknowledged:
        talk.segment(SERVER if closer == CLIENT else CLIENT, "A", ack=2)
    text = show(talk)
    assert outcome(text).startswith(f"Both sides closed at the same time; {sentence} 0 bytes")
    assert " half both " in labcap("flows", trace).stdout


def sides(text: str, packets: range) -> list[tuple[str, str]]:
    """The new states on the rows of the packets, of client and server; "" where it stays."""
    rows = [row(text, n) for n in packets]
    return [(re.sub(r".* [mun]?s", "", r.split("|")[0]).strip(), r.split("|")[-1].strip())
            for r in rows]


def test_who_closes_before_the_others_fin_arrives_is_never_in_close_wait(show: Show) -> None:
    talk = crossing_fins()
    talk.client("A", ack=2)
    talk.server("A", ack=2)
    assert sides(show(talk), range(4, 8)) == [
        ("FIN-WAIT-1", ""), ("CLOSING", "FIN-WAIT-1"), ("", "TIME-WAIT"), ("TIME-WAIT", "")]


def test_who_acknowledges_a_fin_that_crossed_its_own_is_closing(show: Show) -> None:
    talk = crossing_fins()
    talk.server("A", ack=2)
    talk.client("A", ack=2)
    assert sides(show(talk), range(4, 8)) == [
        ("FIN-WAIT-1", ""), ("CLOSING", "FIN-WAIT-1"), ("TIME-WAIT", "CLOSING"),
        ("", "TIME-WAIT")]


def test_a_fin_above_a_hole_closes_when_the_hole_is_filled(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("FA", seq=11)
    talk.client("PA", b"0123456789", seq=1)
    talk.server("A", ack=12)
    assert sides(show(talk), range(4, 7)) == [
        ("FIN-WAIT-1", ""), ("", "CLOSE-WAIT"), ("FIN-WAIT-2", "")]


def test_a_fin_above_bytes_not_recorded_closes_when_it_is_acknowledged(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("FA", seq=11)
    talk.server("A", ack=12)
    assert sides(show(talk), range(4, 6)) == [("FIN-WAIT-1", ""), ("FIN-WAIT-2", "CLOSE-WAIT")]


def test_a_syn_ack_is_not_the_third_packet_of_a_simultaneous_open(show: Show) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("S")
    talk.client("SA", seq=0, ack=1)
    talk.server("SA", seq=0, ack=1)
    assert "|- SYN+ACK seq 0 ack 1 -" in row(show(talk), 3)


def simultaneous_open() -> Conversation:
    """Each side's SYN is on its way before the other's arrives."""
    talk = Conversation()
    talk.client("S")
    talk.server("S")
    return talk


def test_who_opens_a_connection_too_never_listened(show: Show) -> None:
    """RFC 9293, figure 8."""
    talk = simultaneous_open()
    talk.client("SA", seq=0, ack=1)
    talk.server("SA", seq=0, ack=1)
    text = show(talk)
    assert "CLOSED |                                       | CLOSED" in text
    assert sides(text, range(1, 5)) == [
        ("1              SYN-SENT", ""), ("SYN-RECEIVED", "SYN-RECEIVED"), ("", "ESTABLISHED"),
        ("ESTABLISHED", "")]


def test_a_simultaneous_open_needs_no_syn_ack_of_the_server(show: Show) -> None:
    talk = simultaneous_open()
    talk.client("SA", seq=0, ack=1)
    talk.server("A", ack=1)
    assert outcome(show(talk)).startswith("No side had closed when the trace ended.")


def test_a_simultaneous_open_that_ends_early_was_not_completed(show: Show) -> None:
    assert outcome(show(simultaneous_open())).startswith("The handshake was never completed.")


def test_an_answer_that_was_acknowledged_was_there(show: Show) -> None:
    talk = Conversation()
    talk.client("S")
    talk.lose(SERVER, 1)
    talk.client("A", ack=1)
    talk.server("A", ack=1)
    assert outcome(show(talk)).startswith("The answer to the SYN was not recorded. 0 bytes")


def one_direction(recorded: str) -> Conversation:
    """What one side of an ordinary connection sent."""
    talk = echo_conversation()
    port = talk.sides[recorded].port
    talk.packets = [each for each in talk.packets
                    if int.from_bytes(each.data[20:22], "big") == port]
    return talk


@pytest.mark.parametrize(("recorded", "other"), [(CLIENT, SERVER), (SERVER, CLIENT)])
def test_where_one_direction_was_recorded_nothing_is_said_of_the_other(
    show: Show, recorded: str, other: str
) -> None:
    text = outcome(show(one_direction(recorded)))
    assert text.startswith(f"Nothing that the {other} sent was recorded. The {recorded} closed "
                           "its direction. ")


def test_a_syn_that_was_not_recorded_is_no_handshake_that_was_never_completed(show: Show) -> None:
    talk = echo_conversation()
    del talk.packets[0]
    assert outcome(show(talk)).startswith("The SYN was not recorded. The client closed first")


def test_an_answer_from_an_older_connection_is_one(show: Show) -> None:
    """RFC 9293, section 3.5.1: one end has crashed, the other one does not know."""
    talk = Conversation().handshake()
    talk.then(client_isn=5_000_000).client("S")
    talk.server("A")
    talk.client("R", seq=1)
    text = show(talk)
    assert outcome(text).startswith(
        "The answer does not acknowledge the SYN, but something of an older connection. The client "
        "reset the connection (packet 6). ")
    assert row(text, 5).endswith("| ESTABLISHED")


def test_a_syn_alone_was_not_answered(show: Show) -> None:
    talk = Conversation()
    talk.client("S")
    assert outcome(show(talk)).startswith("The SYN was never answered. 0 bytes")


def test_a_third_handshake_packet_with_data_and_fin_says_all_of_it(show: Show) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("PFA", b"bye")
    assert "3/3 FIN+PSH+ACK seq 1 ack 1 len 3" in row(show(talk, env={"COLUMNS": "120"}), 3)
    assert "1/4 FIN" in show(talk)


def test_a_connection_joined_in_its_middle_says_so(show: Show) -> None:
    talk = Conversation().unseen_handshake()
    talk.client("PA", b"data")
    text = show(talk)
    assert "CLOSED" not in text
    assert outcome(text).startswith("The beginning was not recorded")


# ---- What is remarkable


def test_a_refused_connection_never_leaves_closed(show: Show) -> None:
    talk = Conversation()
    talk.client("S")
    talk.server("RA")
    text = show(talk)
    assert row(text, 1).endswith("|- 1/3 SYN seq 0 ---------------------->|")
    assert row(text, 2).endswith("RST+ACK seq 0 ack 1, refused -|")
    assert "LISTEN" not in text
    assert outcome(text).startswith("The server refused the connection")


def test_a_reset_names_its_sender_and_packet(show: Show) -> None:
    talk = Conversation().handshake()
    talk.server("RA")
    text = show(talk)
    assert row(text, 4) == (
        "4  1.00 ms       CLOSED |<--------- RST+ACK seq 1 ack 1, reset -| CLOSED"
    )
    assert outcome(text).startswith("The server reset the connection (packet 4).")


def test_a_reset_recorded_before_the_fin_was_no_answer_to_it(show: Show) -> None:
    talk = Conversation().handshake()
    talk.server("RA")
    talk.client("FA", ack=1)
    talk.server("R", seq=1)
    assert outcome(show(talk)).startswith(
        "The server reset the connection (packet 4), before the client's FIN (packet 5) was "
        "recorded.")


def test_a_reset_after_one_of_two_fins_comes_after_that_one(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("FA", ack=1)
    talk.client("RA", ack=1)
    talk.server("FA", ack=1)
    assert outcome(show(talk)).startswith(
        "The client closed first, but then the client reset the connection (packet 5).")


def test_a_reset_after_a_simultaneous_close(show: Show) -> None:
    talk = crossing_fins()
    talk.client("R", seq=2)
    assert outcome(show(talk)).startswith(
        "Both sides closed at the same time, but then the client reset the connection (packet 6).")


def marked(make: Callable[[Conversation], Any]) -> Conversation:
    """A handshake and what `make` adds to it."""
    talk = Conversation().handshake()
    make(talk)
    return talk


def out_of_order(talk: Conversation) -> None:
    """Bytes 4 to 6 before bytes 1 to 3."""
    talk.client("PA", b"def", seq=4)
    talk.client("PA", b"abc", seq=1)


def duplicate_ack(talk: Conversation) -> None:
    """The server acknowledges the same twice while data is outstanding."""
    talk.client("PA", b"abc")
    talk.server("A", ack=1)


def keep_alive(talk: Conversation) -> None:
    """Nothing new, one below the next number."""
    talk.client("PA", b"abc")
    talk.server("A")
    talk.client("A", seq=3)


def window_probe(talk: Conversation) -> None:
    """One byte into a closed window."""
    talk.server("A", window=0)
    talk.client("A", b"x")


@pytest.mark.parametrize(
    ("make", "packet", "mark"),
    [
        (lambda talk: [talk.client("PA", b"abc", seq=1) for _ in "ab"], 5, "retransmission"),
        (out_of_order, 5, "out of order"),
        (duplicate_ack, 5, "duplicate ACK"),
        (keep_alive, 6, "keep-alive"),
        (lambda talk: talk.server("A", window=0), 4, "zero window"),
        (window_probe, 5, "window probe"),
    ],
)
def test_a_mark_stands_on_its_arrow(
    show: Show, make: Callable[[Conversation], Any], packet: int, mark: str
) -> None:
    text = show(marked(make), env={"COLUMNS": "120"})
    assert f", {mark} -" in row(text, packet)
    assert text.count(mark) == 1


def test_a_window_that_opens_answers_no_probe(show: Show) -> None:
    talk = marked(window_probe)
    talk.server("A", ack=1, window=4096)
    assert ", window opens -" in row(show(talk, env={"COLUMNS": "120"}), 6)
    assert "answer" not in show(talk)


def test_a_mark_without_room_stands_beneath_its_arrow(show: Show) -> None:
    talk = Conversation().handshake()
    for _ in range(2):
        talk.client("PA", b"x" * 1400, seq=1)
    lines = show(talk).splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("  5 "))
    assert re.fullmatch(r" +\| retransmission +\|", lines[place + 1])


def test_numbers_that_do_not_fit_are_left_out_before_the_length(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", b"x" * 1000, seq=30_000, ack=1)
    assert "len 1000" in row(show(talk, env={"COLUMNS": "40"}), 4)


# ---- UDP


def test_datagrams_and_an_unreachable_port(show: Show) -> None:
    talk = Conversation()
    talk.datagram(CLIENT, b"hello")
    talk.datagram(SERVER, b"")
    talk.add(port_unreachable(talk.packets[0].data))
    text = show(talk)
    assert text.startswith("- UDP flow 1 -")
    assert "|- datagram, 5 bytes ------------------>|" in row(text, 1)
    assert "- datagram, 0 bytes -|" in row(text, 2)
    assert row(text, 3).endswith("- ICMP: port unreachable -|")
    assert outcome(text).startswith("1 datagram with 5 bytes to the server, 1 datagram with 0")


@pytest.mark.parametrize("version, code, host", [
    (4, 0, False), (4, 1, False), (4, 2, True), (4, 3, True), (4, 4, False), (4, 13, False),
    (6, 0, False), (6, 1, False), (6, 2, False), (6, 3, False), (6, 4, True)])
def test_only_its_host_knows_a_port(show: Show, version: int, code: int, host: bool) -> None:
    """Any router may say the rest."""
    talk = Conversation() if version == 4 else ipv6_conversation()
    talk.datagram(CLIENT, b"hello")
    answer = port_unreachable(talk.packets[0].data)
    layer = ICMP if version == 4 else ICMPv6DestUnreach
    answer[layer].code = code
    talk.add(answer)
    who = "The server's host answered" if host else "An ICMP message told"
    assert outcome(show(talk)).endswith(f" {who} that it could not be delivered (packet 2).")


# ---- Payload


HOSTILE = b'\x1b[2J\x07"\\\t\r\n\x7f\xff\xc3\xa9\xe2\x80\xae\xc0\xaf\xe0\x81\x81z'


def payload_line(show: Show, data: bytes, **env: str) -> str:
    """The line beneath the only segment with data."""
    talk = Conversation().handshake()
    talk.client("PA", data)
    lines = show(talk, "--payload", env=env).splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("  4 "))
    return lines[place + 1].strip(" |\u2502")


def test_payload_never_controls_the_terminal(show: Show) -> None:
    talk = Conversation().handshake()
    talk.client("PA", bytes(range(256)))
    for env in (PLAIN, UTF8):
        text = show(talk, "--payload", env={**env, "COLUMNS": "120"})
        assert all(c == "\n" or c.isprintable() for c in text)


def test_payload_is_written_as_c_would(show: Show) -> None:
    line = payload_line(show, HOSTILE, COLUMNS="120")
    assert line == (
        r'"\x1b[2J\x07\"\\\t\r\n\x7f\xff\xc3\xa9\xe2\x80\xae\xc0\xaf\xe0\x81\x81z"'
    )


def test_only_valid_and_printable_utf8_is_kept(show: Show) -> None:
    """Kept: e acute. Escaped: a direction override, overlong forms."""
    line = payload_line(show, HOSTILE, COLUMNS="120", LC_ALL="C.UTF-8")
    assert line == (
        '"\\x1b[2J\\x07\\"\\\\\\t\\r\\n\\x7f\\xff\u00e9\\xe2\\x80\\xae\\xc0\\xaf\\xe0\\x81\\x81z"'
    )


def test_long_payload_is_cut_at_the_lane(show: Show) -> None:
    assert payload_line(show, b"x" * 37) == '"' + "x" * 32 + '"...'
    assert payload_line(show, b"x" * 35) == '"' + "x" * 35 + '"'
    assert payload_line(show, b"x" * 37, LC_ALL="C.UTF-8") == '"' + "x" * 34 + '"\u2026'


def test_without_the_option_no_payload_is_shown(show: Show) -> None:
    assert "hello" not in show(echo_conversation())


# ---- Screen


def test_a_utf8_locale_draws_lines_unless_ascii_is_asked(show: Show) -> None:
    talk = three_segment_close()
    assert "\u2502\u2500 1/3 SYN seq 0 \u2500" in show(talk, env=UTF8)
    assert "\u25ba\u2502" in show(talk, env=UTF8)
    assert show(talk, "--ascii", env=UTF8) == show(talk)
    assert show(talk).isascii()


@pytest.mark.parametrize(
    ("arguments", "env", "colored"),
    [
        ((), {}, False),
        (("--color", "auto"), {}, False),
        (("--color", "never"), {}, False),
        (("--color", "always"), {}, True),
        (("--color=always",), {"NO_COLOR": "1"}, True),
    ],
)
def test_colour_into_a_pipe(
    show: Show, arguments: tuple[str, ...], env: dict[str, str], colored: bool
) -> None:
    assert (ESCAPE in show(three_segment_close(), *arguments, env=env)) == colored


def test_colour_changes_no_character(show: Show) -> None:
    talk = echo_conversation()
    bare = re.sub(r"\x1b\[[0-9;]*m", "", show(talk, "--color", "always", "--payload"))
    assert bare == show(talk, "--payload")


def test_each_piece_of_a_row_has_its_own_colour(show: Show) -> None:
    talk = Conversation().handshake()
    talk.server("RA")
    text = re.sub(r"\x1b\[([0-9;]+)m", r"{\1}", show(talk, "--color", "always"))
    assert [line for line in text.splitlines() if line.lstrip().startswith(("{2}3", "{2}4"))] == [
        "  {2}3{0}  {2}1.00 ms{0}              {2}|{0}{32}-{0} {32}3/3 ACK seq 1 ack 1{0} "
        "{32}----------------{0}{32}>{0}{2}|{0} {0}ESTABLISHED{0}",
        "  {2}4{0}  {2}1.00 ms{0}       {0}CLOSED{0} {2}|{0}{31;1}<{0}{31;1}---------{0} "
        "{31;1}RST+ACK seq 1 ack 1{0}, {33}reset{0} {31;1}-{0}{2}|{0} {0}CLOSED{0}",
    ]


def test_no_unit_of_time_moves_a_lane(show: Show) -> None:
    talk = Conversation().handshake()
    for after_ns in (850, 12_300, 12_300_000, 3_000_000_000):
        talk.now_ns += after_ns - talk.step_ns
        talk.client("A")
    rows = [line for line in show(talk, env=UTF8).splitlines() if "\u25ba\u2502" in line]
    assert {row.index("\u2502") for row in rows} == {26}
    times = [row[4:13].strip() for row in rows[-4:]]
    assert times == ["850 ns", "12.3 \u00b5s", "12.3 ms", "3.00 s"]


def on_terminal(binary: Path, file: Path, columns: int, *arguments: str, **env: str) -> str:
    """What show writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [binary, "show", file, *arguments], stdout=theirs, env=environment(**env)
    )
    os.close(theirs)
    written = b""
    while chunk := read_terminal(ours):
        written += chunk
    os.close(ours)
    assert process.wait(DEADLINE) == 0
    return written.decode()


def read_terminal(descriptor: int) -> bytes:
    """The next bytes; none at its end, which Linux reports as EIO."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("arguments", "env", "colored"),
    [
        ((), {}, True),
        ((), {"NO_COLOR": ""}, True),
        ((), {"NO_COLOR": "1"}, False),
        ((), {"TERM": "dumb"}, False),
        (("--color", "never"), {}, False),
    ],
)
def test_colour_on_a_terminal(
    labcap_binary: Path,
    trace: Path,
    arguments: tuple[str, ...],
    env: dict[str, str],
    colored: bool,
) -> None:
    file = three_segment_close().write(trace)
    assert (ESCAPE in on_terminal(labcap_binary, file, 80, *arguments, **env)) == colored


def test_the_terminals_width_wins_over_columns(labcap_binary: Path, trace: Path) -> None:
    file = three_segment_close().write(trace)
    text = on_terminal(labcap_binary, file, 60, "--color", "never", COLUMNS="100")
    assert max(len(line) for line in text.splitlines()) == 60


# ---- Choice, and bad input


def two_connections() -> Conversation:
    """Two connections that overlap in time."""
    first = Conversation().handshake()
    second = first.then(client_port=39871)
    second.handshake()
    first.close()
    return first


def test_connections_are_drawn_one_after_the_other(show: Show) -> None:
    text = show(two_connections())
    assert [line[2:18] for line in text.splitlines() if line.startswith("- ")] == [
        "TCP connection 1",
        "TCP connection 2",
    ]
    assert text.index("4/4 ACK") < text.index("TCP connection 2")


def test_one_connection_can_be_chosen(show: Show) -> None:
    text = show(two_connections(), "-n", "2")
    assert "10.0.0.1:39871" in text
    assert "10.0.0.1:39870" not in text
    assert "1/4 FIN" not in text


def test_a_filter_keeps_packet_numbers(show: Show) -> None:
    text = show(two_connections(), "tcp", "port", "39871")
    assert "TCP connection 1" in text
    assert "1/3 SYN" in row(text, 4)


def test_a_packet_recorded_twice_is_drawn_once(show: Show) -> None:
    talk = Conversation().handshake()
    talk.again(3, 1000)
    assert "3 packets" in show(talk)


def test_a_trace_without_connections_says_so(show: Show) -> None:
    talk = Conversation()
    talk.add(bytes(IP(src="10.0.0.1", dst="10.0.0.2", proto=89)))
    assert show(talk).startswith("no TCP connection and no UDP flow in ")


def test_a_cut_file_shows_what_could_be_read(
    labcap: Labcap, trace: Path, tmp_path: Path
) -> None:
    whole = echo_conversation().write(trace).read_bytes()
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(whole[:-10])
    done = labcap("show", cut, env=environment())
    assert done.returncode == 3
    assert "packet 10: " in done.stderr
    assert "3/4 FIN" in done.stdout
    assert "4/4 ACK" not in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("FILE", "-n", "0"),
        ("FILE", "-n", "-1"),
        ("FILE", "-n", "x"),
        ("FILE", "-n", "2"),
        ("FILE", "-n", "1", "-n", "1"),
        ("FILE", "--color", "sometimes"),
        ("FILE", "--unknown"),
        ("FILE", "no", "such", "filter"),
    ],
)
def test_wrong_arguments_exit_2_and_print_nothing(
    labcap: Labcap, trace: Path, arguments: tuple[str, ...]
) -> None:
    file = three_segment_close().write(trace)
    done = labcap("show", *(str(file) if a == "FILE" else a for a in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("labcap")


NASTY = "a\x1b[31m\rb\nlabcap: c\x9b\u202e"
"""A colour, two ways to begin a line, a control of 8 bits, a change of direction."""


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize(
    "arguments",
    [
        (NASTY,),
        *((command, f"--{NASTY}")
          for command in ("show", "flows", "check", "annotate", "watch", "record")),
        *((command, NASTY) for command in ("show", "flows", "annotate")),
        *((command, "-\x1b") for command in ("show", "check", "record")),
        *((command, "FILE", NASTY) for command in ("show", "flows")),
        ("check", "FILE", NASTY, "connections=1"),
        ("check", NASTY, "connections=1"),
        ("check", "-e", NASTY, "FILE"),
        ("check", "FILE", f"client.address={NASTY}"),
        ("watch", "-i", NASTY),
        ("record", "-i", NASTY, "-w", "FILE"),
        ("record", "-i", "lo", "-w", "FILE", "-s", NASTY),
    ],
)  # fmt: skip
def test_what_a_message_repeats_cannot_control_the_terminal(
    labcap: Labcap, trace: Path, arguments: tuple[str, ...], locale: str
) -> None:
    file = three_segment_close().write(trace)
    done = labcap(*(str(file) if a == "FILE" else a for a in arguments), encoding="utf-8",
                  env=environment(LC_ALL=locale))
    assert done.returncode in (2, 3)
    assert all(line.isprintable() for line in (done.stdout + done.stderr).split("\n"))
    assert "\\x1b" in done.stderr
    assert done.stderr.count("\nlabcap: c") == 0


@pytest.mark.parametrize("wanted", ["history", "1:state"])
def test_an_expectation_not_met_cannot_control_the_terminal(
    labcap: Labcap, trace: Path, wanted: str
) -> None:
    done = labcap("check", three_segment_close().write(trace), f"{wanted}=\x1b[31m")
    assert done.returncode == 1
    assert f"NOT met: {wanted}=\\x1b[31m: was " in done.stdout


def test_an_empty_trace_with_a_name_that_controls_is_told(labcap: Labcap, tmp_path: Path) -> None:
    file = Conversation().write(tmp_path / "\x1b[31m.pcap")
    done = labcap("show", file)
    assert done.stdout.endswith("/\\x1b[31m.pcap\n")


def test_a_name_in_the_locales_characters_is_told_as_it_is(labcap: Labcap) -> None:
    done = labcap("show", "gr\u00f6\u00dfe", encoding="utf-8", env=environment(LC_ALL="C.UTF-8"))
    assert done.stderr == "labcap: gr\u00f6\u00dfe: No such file or directory\n"


def test_a_missing_file_and_a_full_disk_exit_3(
    labcap: Labcap, trace: Path, tmp_path: Path
) -> None:
    missing = labcap("show", tmp_path / "missing.pcap")
    assert (missing.returncode, missing.stderr.count("\n")) == (3, 1)
    with open("/dev/full", "wb") as full:
        done = labcap(
            "show", three_segment_close().write(trace),
            capture_output=False, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert done.stderr == "labcap: standard output: No space left on device\n"
    assert done.returncode == 3


def halves() -> list[int]:
    """Nanoseconds that lie between two numbers of three digits, of each unit and decimal place."""
    spans = [unit * (2 * digits + 1) // (2 * places)
             for unit in (1_000, 1_000_000, 1_000_000_000)
             for places, first, last in ((1, 100, 998), (10, 100, 998), (100, 100, 998))
             for digits in range(first, last, 7)]
    return [ns for ns in spans if ns >= 1_000]


def span(ns: int) -> str:
    """As printf() rounds it: a half is the double next to it, which is less or more."""
    unit, name = next((unit, name) for unit, name in
                      ((1_000, "us"), (1_000_000, "ms"), (1_000_000_000, "s"))
                      if ns < 999.5 * unit)
    tenths = 0 if ns >= 99.95 * unit else 1 if ns >= 9.995 * unit else 2
    return f"{ns / unit:.{tenths}f} {name}"


def test_a_time_between_two_is_rounded_as_printf_does(show: Show) -> None:
    talk = Conversation()
    for talk.step_ns in (0, *halves()):
        talk.client("A", b"x")
    rows = re.findall(r"^ *[0-9]+ +([0-9.]+ [a-z]+) ", show(talk, "--all"), re.MULTILINE)
    assert rows == [span(ns) for ns in halves()]
