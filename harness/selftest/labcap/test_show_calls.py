"""labcap show --syscalls: how calls are drawn beside the packets, in every width."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Callable

import pytest
from calls import Labcap
from ladders import UTF8, between_lanes, columns_of, environment
from strace_logs import CLIENT, SERVER, Log
from traces import Conversation

MS = 1000  # in microseconds, which logs are made in
TO_CLIENT = f"4<TCP:[{SERVER}->{CLIENT}]>"
TO_SERVER = f"3<TCP:[{CLIENT}->{SERVER}]>"

Drawn = Callable[..., str]


def talk_on_loopback() -> Conversation:
    """Packets 1 to 10, a millisecond each: handshake, 7 bytes, 18 bytes, close by the client."""
    talk = Conversation(client_address="127.0.0.1", server_address="127.0.0.1").handshake()
    talk.client("PA", b"hello!!")
    talk.server("A")
    talk.server("PA", b"you said: hello!!!")
    talk.close()
    return talk


def client_log() -> Log:
    log = Log(pid=200)
    log.connect(-100, 2.2 * MS)
    log.send(2.9 * MS, TO_SERVER, "hello!!")
    log.recv(3.1 * MS, TO_SERVER, "you said: hello!!!", 2 * MS)
    log.call(5.9 * MS, f"close({TO_SERVER})")
    return log


def server_log() -> Log:
    log = Log(pid=100)
    log.listen(-40 * MS)
    log.accept(-30 * MS, 32.3 * MS)
    log.recv(3.2 * MS, TO_CLIENT, "hello!!")
    log.send(4.9 * MS, TO_CLIENT, "you said: hello!!!")
    log.recv(5.3 * MS, TO_CLIENT, "", 1.2 * MS)
    log.call(7.9 * MS, f"close({TO_CLIENT})")
    return log


@pytest.fixture
def drawn(labcap: Labcap, trace: Path, tmp_path: Path) -> Drawn:
    """The ladder of the echo connection with both logs."""

    def draw(
        *arguments: str,
        columns: int = 80,
        locale: str = "C",
        talk: Conversation | None = None,
        logs: tuple[Log, ...] = (server_log(), client_log()),
        said: str = "",
    ) -> str:
        options = list(arguments)
        for number, log in enumerate(logs):
            options += ["--syscalls", str(log.write(tmp_path / f"{number}.calls"))]
        done = labcap("show", *options, (talk or talk_on_loopback()).write(trace),
                      encoding="utf-8", env=environment(columns=columns, locale=locale))
        assert done.returncode == 0
        assert said in done.stderr if said else done.stderr == ""
        text: str = done.stdout
        return text

    return draw


def test_calls_stand_at_their_sides_between_the_packets(drawn: Drawn) -> None:
    assert drawn() == """\
- TCP connection 1 ------------------------------------- 10 packets in 9.00 ms -

                          client                             server
                          127.0.0.1:39870            127.0.0.1:4321
                   CLOSED |                                       | CLOSED
                          |     socket(AF_INET, SOCK_STREAM) = 3 *#
                          |          bind(3, 127.0.0.1:4321) = 0 *#
                          |                     listen(3, 5) = 0 *# LISTEN
                          |                        accept(3) ... *#
                          #* socket(AF_INET, SOCK_STREAM) = 3     #
                          #* connect(3, 127.0.0.1:4321) ...       #
                          #               handshake               #
  1              SYN-SENT #- 1/3 SYN seq 0 ----------------------># SYN-RECEIVED
  2  1.00 ms  ESTABLISHED #<------------ 2/3 SYN+ACK seq 0 ack 1 -#
  3  1.00 ms              #- 3/3 ACK seq 1 ack 1 ----------------># ESTABLISHED
                          #o connect = 0, after 2.20 ms           #
                          |            accept = 4, after 32.3 ms o#
                          #* send(3, "hello!!", 7) = 7            |
                          |                 data                  |
  4  1.00 ms              |- PSH+ACK seq 1 ack 1 len 7 ---------->|
                          #* recv(3, 4096) ...                    |
                          #          recv(4, 4096) = 7 "hello!!" *#
  5  1.00 ms              #<--------- ACK seq 1 ack 8 (packet 4) -|
                          #    send(4) = 18 "you said: hello!!!" *#
  6  1.00 ms              #<--------- PSH+ACK seq 1 ack 8 len 18 -|
                          #o recv = 18, after 2.00 ms "you sa"... |
                          |                    recv(4, 4096) ... *#
                          #* close(3) = 0                         #
                          |               teardown                #
  7  1.00 ms   FIN-WAIT-1 |- 1/4 FIN seq 8 ack 19 (packet 6) ----># CLOSE-WAIT
                          |              recv = 0, after 1.20 ms o#
  8  1.00 ms   FIN-WAIT-2 |<--------------- 2/4 ACK seq 19 ack 9 -|
                          |                         close(4) = 0 *#
  9  1.00 ms    TIME-WAIT |<--------------- 3/4 FIN seq 19 ack 9 -| LAST-ACK
 10  1.00 ms              |- 4/4 ACK seq 9 ack 20 --------------->| CLOSED

The client closed first; each FIN was acknowledged, in 4 segments. 7 bytes to
the server, 18 bytes to the client.
"""


def test_a_lane_has_the_colour_of_calls_while_one_goes_on(drawn: Drawn) -> None:
    text = re.sub(r"\x1b\[([0-9;]+)m", r"{\1}", drawn("--color", "always"))
    assert "{35}#{0}{32}-{0} {32}1/3 SYN seq 0{0} {32}--" in text
    assert "{2}|{0}{1}-{0} {1}PSH+ACK seq 1 ack 1 len 7{0} {1}--" in text


MARKS = {"C": ("*", "o", "#", "|"), UTF8: ("\u25cf", "\u25cb", "\u2503", "\u2502")}


@pytest.mark.parametrize("locale", MARKS)
def test_what_begins_is_filled_and_what_ends_is_hollow(drawn: Drawn, locale: str) -> None:
    begins, ends, busy, idle = MARKS[locale]
    goes_on = " \u2026" if locale == UTF8 else " ..."
    lines = drawn(locale=locale).splitlines()
    assert any(f"accept(3){goes_on} {begins}{busy}" in line for line in lines)
    assert any(f"accept = 4, after 32.3 ms {ends}{busy}" in line for line in lines)
    assert any(f"{busy}{begins} close(3) = 0 " in line for line in lines)
    assert all(idle in line or busy in line for line in lines[5:30])


def lanes_of(text: str) -> dict[int, str]:
    """The two lanes at each packet's row."""
    rows = [line for line in text.splitlines() if line[:3].strip().isdigit()]
    return {int(line[:3]): line[26] + line[66] for line in rows}


def test_a_lane_is_heavy_while_a_call_of_its_side_goes_on(drawn: Drawn) -> None:
    lanes = lanes_of(drawn())
    assert lanes[1] == lanes[2] == lanes[3] == "##"  # connect and accept
    assert lanes[4] == "||"
    assert lanes[5] == lanes[6] == "#|"  # the client's recv
    assert lanes[7] == "|#"  # the server's
    assert lanes[8] == lanes[9] == lanes[10] == "||"


def test_a_call_that_never_ends_keeps_its_lane_heavy(drawn: Drawn) -> None:
    log = client_log()
    log.lines.pop()
    log.begin(5.9 * MS, f"recvfrom({TO_SERVER}, ")
    lanes = lanes_of(drawn(logs=(server_log(), log)))
    assert {packet: pair[0] for packet, pair in lanes.items() if packet > 6} == {
        7: "#", 8: "#", 9: "#", 10: "#",
    }  # fmt: skip


def test_the_listen_call_makes_the_state(drawn: Drawn) -> None:
    """With a log that has it the server is CLOSED until then; else LISTEN from the beginning."""
    assert "| LISTEN" not in drawn().split("listen(")[0]
    assert "| LISTEN" in drawn(logs=(client_log(),)).split("1/3 SYN")[0]


def several_processes() -> Log:
    """The server's child does the talking."""
    log = Log(pid=100)
    log.listen(-40 * MS)
    log.accept(-30 * MS, 32.3 * MS)
    log.call(2.5 * MS, "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD)", "101")
    log.call(2.6 * MS, f"close({TO_CLIENT})")
    log.recv(3.2 * MS, TO_CLIENT, "hello!!", pid=101)
    log.send(4.9 * MS, TO_CLIENT, "you said: hello!!!", pid=101)
    return log


def test_a_row_names_its_process_where_there_are_several(drawn: Drawn) -> None:
    lines = between_lanes(drawn(columns=120, logs=(several_processes(), client_log())))
    assert any(re.match(r"\[child\] recv\(4, 4096\) = 7", line) for line in lines)
    assert any(line.startswith("accept(3)") for line in lines)
    assert any(line.startswith("* connect(3") for line in lines)


def unread() -> tuple[Conversation, Log]:
    """The server closes while all that was sent to it is unread."""
    talk = Conversation(client_address="127.0.0.1", server_address="127.0.0.1").handshake()
    talk.client("PA", b"hello!!")
    talk.server("A")
    talk.server("RA")
    log = Log(pid=100)
    log.listen(-40 * MS)
    log.accept(-30 * MS, 32.3 * MS)
    log.call(4.9 * MS, f"close({TO_CLIENT})")
    return talk, log


def test_the_reason_for_a_reset_stands_at_it_and_at_its_call(drawn: Drawn) -> None:
    talk, log = unread()
    lines = between_lanes(drawn(talk=talk, logs=(log,), columns=120))
    assert "close(4) = 0, 7 bytes were unread *" in lines
    reset = next(line for line in lines if "RST" in line)
    assert reset.endswith("RST+ACK seq 1 ack 8, the server closed with 7 bytes unread -")


def test_what_does_not_fit_beside_a_call_stands_beneath(drawn: Drawn) -> None:
    """Rather than that its arguments go altogether."""
    talk, log = unread()
    lines = between_lanes(drawn(talk=talk, logs=(log,), columns=40))
    place = lines.index("close(4) = 0 *")
    assert lines[place + 1] == "7 bytes were unread"
    log = several_processes()
    log.lines[-2:] = []
    log.recv(3.2 * MS, TO_CLIENT, "hello!!", pid=101)
    log.call(3.6 * MS, f"recvmsg({TO_CLIENT}, {{msg_namelen=0}}, 0)", "0", 3 * MS, pid=101)
    lines = between_lanes(drawn(logs=(log,), columns=40))
    place = lines.index("[child] recvmsg = 0 o")
    assert lines[place + 1] == "after 3.00 ms"


# ---- Widths


@pytest.mark.parametrize("columns", [40, 45, 50, 60, 71, 72, 80, 100, 120])
@pytest.mark.parametrize("locale", ["C", UTF8])
def test_lanes_stay_in_their_columns(drawn: Drawn, columns: int, locale: str) -> None:
    text = drawn("--payload", columns=columns, locale=locale)
    lanes = "\u2502\u2503" if locale == UTF8 else "|#"
    rows = [line for line in text.splitlines() if sum(line.count(lane) for lane in lanes) == 2]
    assert len(rows) > 25
    assert {columns_of(line[: max(map(line.rfind, lanes))]) for line in rows} == {
        columns - (14 if columns >= 72 else 1)
    }
    assert max(map(columns_of, text.splitlines())) == columns


def test_the_wider_the_screen_the_fuller_the_words(drawn: Drawn) -> None:
    """The result stays; arguments go before it."""
    words = {columns: between_lanes(drawn(columns=columns)) for columns in (40, 80)}
    assert "socket(SOCK_STREAM) = 3 *" in words[40]
    assert "socket(AF_INET, SOCK_STREAM) = 3 *" in words[80]
    assert 'send(4) = 18 "you said: hel"... *' in words[40]
    assert 'send(4) = 18 "you said: hello!!!" *' in words[80]
    assert 'send(4, "you said: hello!!!", 18) = 18 *' in between_lanes(drawn(columns=100))


WIDE = "\u4f60\u597d\uff0c\u4e16\u754c"  # five characters, ten columns


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_wide_text_keeps_the_lanes_aligned(drawn: Drawn, columns: int) -> None:
    data = (WIDE * 8).encode()
    talk = Conversation(client_address="127.0.0.1", server_address="127.0.0.1").handshake()
    talk.client("PA", data)
    log = Log(pid=200)
    log.connect(-100, 2.2 * MS)
    escaped = "".join(f"\\{byte:o}" for byte in data[:60])
    log.call(2.9 * MS, f'sendto({TO_SERVER}, "{escaped}"..., {len(data)}, 0, NULL, 0)',
             str(len(data)))
    text = drawn("--payload", talk=talk, logs=(log,), columns=columns, locale=UTF8)
    rows = [line for line in text.splitlines() if WIDE[:2] in line]
    assert len(rows) == (1 if columns == 40 else 2)  # the packet's and the call's data
    ends = {columns_of(line[: max(line.rfind("\u2502"), line.rfind("\u2503"))]) for line in rows}
    assert ends == {columns - (14 if columns >= 72 else 1)}


# ---- Folding, merging, JSON


def chatty() -> tuple[Conversation, Log]:
    """Sixty sends of the client, a packet each."""
    talk = Conversation(client_address="127.0.0.1", server_address="127.0.0.1").handshake()
    log = Log(pid=200)
    log.connect(-100, 2.2 * MS)
    for number in range(60):
        log.send((2.9 + number) * MS, TO_SERVER, "abc")
        talk.client("PA", b"abc")
    return talk, log


def test_ordinary_calls_are_folded_with_their_packets(drawn: Drawn) -> None:
    talk, log = chatty()
    text = drawn(talk=talk, logs=(log,), columns=120)
    assert "... 47 segments, 141 bytes to the server; 47 calls ..." in text
    assert text.count("send(3") == 8 + 5
    assert drawn("--all", talk=talk, logs=(log,), columns=120).count("send(3") == 60


def test_a_lane_is_light_behind_a_fold_in_which_calls_began_and_ended(drawn: Drawn) -> None:
    """The server waits in recv for each of the packets; then both close."""
    talk, client = chatty()
    log = Log(pid=100)
    log.listen(-40 * MS)
    log.accept(-30 * MS, 32.3 * MS)
    for number in range(60):
        log.recv((2.5 + number) * MS, TO_CLIENT, "abc", 0.7 * MS)
    log.call(62.5 * MS, f"close({TO_CLIENT})")
    talk.server("FA")
    talk.client("FA")
    text = drawn(talk=talk, logs=(log, client))
    assert " calls ..." in text
    lanes = lanes_of(text)
    assert lanes[max(lanes)] == lanes[max(lanes) - 1] == "||"


def test_the_end_of_the_stream_is_not_folded(drawn: Drawn) -> None:
    """A server that asks again and again, before and after it is told."""
    log = server_log()
    del log.lines[-2:]
    for number in range(80):
        if number == 40:
            log.recv(6.2 * MS, TO_CLIENT, "")
        log.call(6.1 * MS + 5 * number, f"recvfrom({TO_CLIENT}, 0x7ffc, 10, 0, NULL, NULL)",
                 "-1 EAGAIN (Resource temporarily unavailable)")
    text = drawn(logs=(log, client_log()), columns=120)
    assert len(re.findall(r" \d+ calls \.\.\.", text)) == 1
    assert "recv(4, 4096) = 0 *#" in text


def test_merged_calls_stand_once_and_in_the_order_of_time(drawn: Drawn) -> None:
    merged = [line for line in drawn("--merge").splitlines() if "*" in line or "o#" in line]
    assert merged == [line for line in drawn().splitlines() if "*" in line or "o#" in line]


def test_merged_calls_of_several_flows_stand_behind_the_packets_before_them(drawn: Drawn) -> None:
    """Two connections of one client at a time; it polls both, which is one call."""
    other = CLIENT.replace("39870", "39871")
    first = Conversation(client_address="127.0.0.1", server_address="127.0.0.1")
    second = Conversation(client_address="127.0.0.1", server_address="127.0.0.1",
                          client_port=39871, packets=first.packets, start_ns=first.start_ns)
    first.handshake()
    second.now_ns = first.now_ns
    second.handshake()
    to_first, to_second = TO_SERVER, f"5<TCP:[{other}->{SERVER}]>"
    first.now_ns = second.now_ns
    first.client("PA", b"one")
    second.now_ns = first.now_ns
    second.client("PA", b"two")
    log = Log(pid=200)
    log.connect(-100, 2.2 * MS)
    log.call(2.5 * MS, "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)", "5<TCP:[13]>")
    log.call(2.9 * MS, "connect(5<TCP:[13]>, {sa_family=AF_INET, sin_port=htons(4321), "
             'sin_addr=inet_addr("127.0.0.1")}, 16)', "0", 2.2 * MS)
    log.call(5.2 * MS, f"poll([{{fd={to_first}, events=POLLOUT}}, {{fd={to_second}, "
             "events=POLLOUT}], 2, -1)", f"2 ([{{fd={to_first}, revents=POLLOUT}}, "
             f"{{fd={to_second}, revents=POLLOUT}}])")
    log.send(5.9 * MS, to_first, "one")
    log.send(6.9 * MS, to_second, "two")
    server = Log(pid=100)
    server.listen(-40 * MS)
    server.accept(-30 * MS, 32.3 * MS)
    text = drawn("--merge", talk=first, logs=(server, log), columns=120)
    order = ["accept(3)", "connect(3", "accept = 4", "connect(5", "poll([3, 5]",
             'send(3, "one"', "  7 ", 'send(5, "two"', "  8 "]
    assert [text.count(words) for words in order] == [1] * 9, text
    assert sorted(order, key=text.index) == order


def test_json_has_the_calls(drawn: Drawn) -> None:
    told = [json.loads(line) for line in drawn("--json").splitlines()]
    calls = [one for one in told if one["type"] == "call"]
    accept = [one for one in calls if one["name"] == "accept"]
    assert [one["part"] for one in accept] == ["begin", "end"]
    assert accept[0]["call"] == accept[1]["call"]
    assert (accept[1]["result"], accept[1]["side"], accept[1]["after"]) == ("= 4", "server", 3)
    assert (accept[0]["time"], accept[0]["duration"]) == (-0.03, 0.0323)
    send = next(one for one in calls if one["name"] == "send" and one["side"] == "client")
    assert (send["data"], send["data_length"], send["pid"]) == (b"hello!!".hex(), 7, 200)
    assert told.index(send) < next(i for i, one in enumerate(told) if one.get("packet") == 4)
    listen = next(one for one in calls if one["name"] == "listen")
    assert listen["states"] == {"client": None, "server": "LISTEN"}
    assert told[-1]["calls"] is None


# ---- Logs that cannot be used


def no_log(tmp_path: Path) -> Path:
    return tmp_path / "missing.calls"


def no_strace(tmp_path: Path) -> Path:
    path = tmp_path / "other.calls"
    path.write_text("hello\nworld\n")
    return path


def of_another_trace(tmp_path: Path) -> Path:
    log = Log()
    log.listen(-40 * MS, end="127.0.0.1:99")
    log.connect(0, 1, server="127.0.0.1:98")
    return log.write(tmp_path / "another.calls")


@pytest.mark.parametrize("make", [no_log, no_strace, of_another_trace])
@pytest.mark.parametrize("arguments", [(), ("--json",), ("--merge",)])
def test_without_a_log_the_ladder_is_drawn_all_the_same(
    labcap: Labcap,
    trace: Path,
    tmp_path: Path,
    make: Callable[[Path], Path],
    arguments: tuple[str, ...],
) -> None:
    talk = talk_on_loopback()
    for _ in range(45):  # a run that is folded
        talk.client("A", b"more")
    talk.write(trace)
    bare = labcap("show", *arguments, trace, env=environment())
    done = labcap("show", *arguments, "--syscalls", make(tmp_path), trace, env=environment())
    assert done.returncode == 0
    assert re.search(r"\d\d segments", bare.stdout)
    assert done.stderr.startswith("labcap show: ") and done.stderr.count("\n") == 1
    if "--json" not in arguments:
        assert done.stdout == bare.stdout
    else:
        assert done.stdout.splitlines()[:-1] == bare.stdout.splitlines()[:-1]
        last = json.loads(done.stdout.splitlines()[-1])
        assert f"labcap show: {last['calls']}\n" == done.stderr
