"""labcap show --syscalls: the calls of a log with a known truth, among known packets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Callable, Sequence

import pytest
from calls import Completed, Json, Labcap
from strace_logs import CLIENT, SERVER, Log, sockaddr
from traces import START_NS, Conversation

OWN_CLIENT = f"3<TCP:[{CLIENT}->{SERVER}]>"
OWN_SERVER = f"4<TCP:[{SERVER}->{CLIENT}]>"
THREAD = "{flags=CLONE_VM|CLONE_FILES|CLONE_THREAD}"
US = 1000  # ns

LOOPBACK: dict[str, Any] = {
    "client_address": "127.0.0.1",
    "server_address": "127.0.0.1",
    "step_ns": 10 * US,
}

Show = Callable[..., list[Json]]


def conversation(step_us: int = 10, **fields: Any) -> Conversation:
    """A connection over loopback; a packet every so many microseconds."""
    chosen: dict[str, Any] = {**LOOPBACK, "step_ns": step_us * US, **fields}
    return Conversation(**chosen)


@pytest.fixture
def logs(tmp_path: Path) -> Callable[..., list[Path]]:
    """Logs as files."""

    def write(*made: Log) -> list[Path]:
        return [log.write(tmp_path / f"{number}.calls") for number, log in enumerate(made)]

    return write


@pytest.fixture
def run(labcap: Labcap, trace: Path) -> Callable[..., Completed]:
    """Show a conversation with logs."""

    def call(talk: Conversation, paths: Sequence[Path], *arguments: str) -> Completed:
        chosen = [word for path in paths for word in ("--syscalls", path)]
        return labcap("show", "--json", "--all", *chosen, *arguments, talk.write(trace))

    return call


@pytest.fixture
def show(run: Callable[..., Completed], logs: Callable[..., list[Path]]) -> Show:
    """The objects that show tells of a conversation with logs; nothing to complain of."""

    def read(talk: Conversation, *made: Log, said: str = "") -> list[Json]:
        done = run(talk, logs(*made))
        assert done.returncode == 0, done.stderr
        assert done.stderr.replace("labcap show: ", "") == said
        return [json.loads(line) for line in done.stdout.splitlines()]

    return read


def rows(objects: list[Json], flow: int = 1) -> list[str]:
    """Calls and packet numbers of a flow, in order: "1", "C connect(…) …", "S accept = 4"."""
    told = []
    for one in objects:
        if one.get("flow") != flow:
            continue
        if one["type"] == "packet":
            told.append(str(one["packet"]))
        elif one["type"] == "call":
            text = one["name"] if one["part"] == "end" else one["text"]
            result = "…" if one["part"] == "begin" else one["result"] or ""
            told.append(f"{one['side'][0].upper()} {text} {result}".rstrip())
    return told


def calls(objects: list[Json], name: str, flow: int = 1) -> list[Json]:
    """The rows of calls with this name."""
    return [o for o in objects if o["type"] == "call" and o["flow"] == flow and o["name"] == name]


def packet(objects: list[Json], number: int) -> Json:
    """The row of one packet."""
    found = [o for o in objects if o["type"] == "packet" and o["packet"] == number]
    assert len(found) == 1, objects
    return found[0]


# ---- An echo, from the first call to the last


def echo() -> Conversation:
    """Packets at 0, 10, … 90 microseconds; the handshake takes the first three."""
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    talk.server("A")
    talk.server("PA", b"hello")
    talk.client("A")
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    return talk


def server_of_echo(**form: Any) -> Log:
    """What the server does."""
    log = Log(pid=200, **form)
    fd = log.fd(4, f"TCP:[{SERVER}->{CLIENT}]")
    log.line(-500, 'execve("./server", ["./server"], 0x7ffd /* 41 vars */) = 0')
    log.listen(-300)
    log.accept(-200, 225)
    log.recv(26, fd, "hello", 2)
    log.send(44, fd, "hello", 4)
    log.recv(55, fd, "", 13)
    log.call(75, f"close({fd})", "0", 4)
    log.call(150, "exit_group(0)", "?")
    return log


def client_of_echo(**form: Any) -> Log:
    """What the client does."""
    log = Log(pid=300, **form)
    fd = log.fd(3, f"TCP:[{CLIENT}->{SERVER}]")
    log.line(-400, 'execve("./client", ["./client"], 0x7ffd /* 41 vars */) = 0')
    log.connect(-5, 18)
    log.send(25.5, fd, "hello", 6)
    log.recv(35, fd, "hello", 12)
    log.call(64, f"shutdown({fd}, SHUT_WR)", "0", 8)
    log.recv(76, fd, "", 2)
    log.call(100, f"close({fd})", "0", 3)
    log.call(120, "exit_group(0)", "?")
    return log


ECHO = [
    "S socket(AF_INET, SOCK_STREAM) = 3", "S bind(3, 127.0.0.1:4321) = 0", "S listen(3, 5) = 0",
    "S accept(3) …", "C socket(AF_INET, SOCK_STREAM) = 3", "C connect(3, 127.0.0.1:4321) …",
    "1", "2", "3", "C connect = 0", "S accept = 4",
    'C send(3, "hello", 5) = 5', "S recv(4, 4096) …", "4", "S recv = 5", "C recv(3, 4096) …", "5",
    'S send(4, "hello", 5) = 5', "6", "C recv = 5", "S recv(4, 4096) …", "7",
    "C shutdown(3, SHUT_WR) = 0", "8", "S recv = 0", "S close(4) = 0", "C recv(3, 4096) …", "9",
    "C recv = 0", "10", "C close(3) = 0",
]  # fmt: skip


def test_an_echo_stands_beside_its_packets_in_the_order_of_causes(show: Show) -> None:
    told = rows(show(echo(), server_of_echo(), client_of_echo()))
    assert told == ECHO


@pytest.mark.parametrize(
    "form",
    [
        {"yy": False},
        {"stamp": "{seconds}.{microseconds:06}"},
        {"stamp": "{seconds}.{microseconds:06} (+     0.000110)"},
        {"durations": False},
        {"yy": False, "durations": False},
    ],
    ids=["without -yy", "microseconds", "-r beside -ttt", "without -T", "without both"],
)
def test_other_options_of_strace_tell_the_same(show: Show, form: dict[str, Any]) -> None:
    told = rows(show(echo(), server_of_echo(**form), client_of_echo(**form)))
    assert [row for row in told if row[0] != "C"] == [row for row in ECHO if row[0] != "C"]
    assert [row for row in told if row[0] != "S"] == [row for row in ECHO if row[0] != "S"]


def test_a_log_without_pids_is_one_process(show: Show) -> None:
    assert rows(show(echo(), server_of_echo(pids=False), client_of_echo(pids=False))) == ECHO


def test_logs_of_several_programs_may_stand_in_one_file(show: Show) -> None:
    both = server_of_echo()
    both.lines += client_of_echo().lines
    assert rows(show(echo(), both)) == ECHO


def test_both_programs_have_their_names(show: Show) -> None:
    flow = show(echo(), server_of_echo(), client_of_echo())[0]
    assert flow["client"]["processes"] == ["client"]
    assert flow["server"]["processes"] == ["server"]


def test_a_script_is_named_not_its_interpreter(show: Show) -> None:
    log = client_of_echo()
    log.lines[0] = log.lines[0].replace(
        '("./client", ["./client"]', '("/usr/bin/python3.11", ["python3", "/a/talk.py", "-v"]'
    )
    assert show(echo(), log)[0]["client"]["processes"] == ["talk.py"]


# ---- The end of a call, by cause


def test_a_receive_ends_after_the_packet_that_brought_the_last_byte(show: Show) -> None:
    """strace starts its clock late: beginning + duration is some microseconds early here."""
    talk = conversation().handshake()
    for part in (b"ab", b"cd", b"ef"):
        talk.client("PA", part)
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    log.recv(27, OWN_SERVER, "abcd", 2)
    log.recv(45, OWN_SERVER, "ef", 1)
    told = rows(show(talk, log))
    assert told[6:] == [
        "3", "S accept = 4", "S recv(4, 4096) …", "4", "5", "S recv = 4", "S recv(4, 4096) …",
        "6", "S recv = 2",
    ]  # fmt: skip


def test_the_time_of_an_end_is_not_before_its_cause(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    log.recv(27, OWN_SERVER, "hello", 2)
    begin, end = calls(show(talk, log), "recv")
    assert (begin["time"], end["time"]) == (27e-6, 30e-6)


def test_stamps_of_microseconds_do_not_turn_a_thread_around(show: Show) -> None:
    """The answer's stamp, rounded down, is before the packet that it answers."""
    talk = conversation().handshake()
    talk.client("PA", b"hello", after_ns=10_700)
    talk.server("PA", b"hi")
    log = Log(pid=200, stamp="{seconds}.{microseconds:06}")
    log.listen(-300)
    log.accept(-200, 225)
    log.recv(27, OWN_SERVER, "hello", 2)
    log.send(30.9, OWN_SERVER, "hi")
    assert rows(show(talk, log))[-4:] == ["4", "S recv = 5", 'S send(4, "hi", 2) = 2', "5"]


def test_connect_does_not_wait_for_an_ack_that_carries_data(show: Show) -> None:
    talk = conversation()
    talk.client("S")
    talk.server("SA")
    talk.client("PA", b"hello")
    log = Log(pid=300)
    log.connect(-5, 12)
    log.send(15, OWN_CLIENT, "hello", 3)
    assert rows(show(talk, log))[2:] == [
        "1", "2", "C connect = 0", 'C send(3, "hello", 5) = 5', "3",
    ]  # fmt: skip


def test_a_hole_keeps_a_receive_waiting(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"cd", seq=3)
    talk.client("PA", b"ab", seq=1)
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    log.recv(27, OWN_SERVER, "abcd", 2)
    assert rows(show(talk, log))[-3:] == ["4", "5", "S recv = 4"]


def test_what_is_there_already_is_received_in_one_row(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    talk.server("A")
    talk.client("PA", b"world")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    log.recv(48, OWN_SERVER, "hel", 4)
    assert rows(show(talk, log))[-3:] == ["5", "S recv(4, 4096) = 3", "6"]


def test_a_peek_takes_nothing_out_of_the_stream(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    talk.client("PA", b"world")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    log.call(27, f'recvfrom({OWN_SERVER}, "hello", 5, MSG_PEEK, NULL, NULL)', "5", 1)
    log.recv(35, OWN_SERVER, "hello", 1)
    told = rows(show(talk, log))
    assert told[-4:] == ["4", "S recv = 5", "S recv(4, 4096) = 5", "5"]


def test_poll_ends_after_what_it_tells_of(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=200)
    log.listen(-300)
    waits = f"poll([{{fd=3<TCP:[{SERVER}]>, events=POLLIN}}], 1, -1)"
    log.call(-200, waits, "1 ([{fd=3, revents=POLLIN}])", 205)
    log.accept(25, 1)
    listener = f"{{fd=3<TCP:[{SERVER}]>, events=POLLIN}}"
    waits = f"poll([{listener}, {{fd={OWN_SERVER}, events=POLLIN}}], 2, -1)"
    log.call(28, waits, "1 ([{fd=4, revents=POLLIN}])", 2)
    log.recv(35, OWN_SERVER, "hello", 1)
    told = rows(show(talk, log))
    assert told[3:] == [
        "S poll([3], -1) …", "1", "2", "3", "S poll = 1", "S accept(3) = 4",
        "S poll([3, 4], -1) …", "4", "S poll = 1", "S recv(4, 4096) = 5",
    ]  # fmt: skip


def test_epoll_knows_its_sockets_by_what_the_program_gave_it(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    event = "{events=EPOLLIN, data={u32=77, u64=8589934669}}"
    log.call(26, f"epoll_ctl(5<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, {OWN_SERVER}, {event})")
    log.call(28, f"epoll_wait(5<anon_inode:[eventpoll]>, [{event}], 64, -1)", "1", 1)
    log.recv(35, OWN_SERVER, "hello", 1)
    told = rows(show(talk, log))
    assert told[-4:] == ["S epoll_wait(5) …", "4", "S epoll_wait = 1", "S recv(4, 4096) = 5"]


def test_select_ends_after_what_it_tells_of(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 222)
    waits = f"pselect6(7, [3<TCP:[{SERVER}]> {OWN_SERVER}], [6<pipe:[7]>], NULL, NULL, NULL)"
    log.call(26, waits, "2 (in [4], out [6])", 2)
    log.recv(35, OWN_SERVER, "hello", 1)
    told = rows(show(talk, log))
    assert told[-4:] == ["S select(7) …", "4", "S select = 2", "S recv(4, 4096) = 5"]


def test_a_refused_connect_ends_after_the_reset(show: Show) -> None:
    talk = conversation()
    talk.client("S")
    talk.server("RA")
    log = Log(pid=300)
    log.connect(-5, 6, result="-1 ECONNREFUSED (Connection refused)")
    told = rows(show(talk, log))
    assert told == [
        "C socket(AF_INET, SOCK_STREAM) = 3", "C connect(3, 127.0.0.1:4321) …", "1", "2",
        "C connect = -1 ECONNREFUSED",
    ]  # fmt: skip


def test_a_call_that_never_ended_has_a_beginning_only(show: Show) -> None:
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    log.begin(26, f"recvfrom({OWN_SERVER}, ")
    row = calls(show(conversation().handshake(), log), "recv")
    assert [(one["part"], one["result"], one["duration"]) for one in row] == [("begin", None, None)]


def test_a_divided_line_is_put_together(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    log.begin(26, f"recvfrom({OWN_SERVER}, ")
    log.call(27, "getpid()", "7", pid=999)
    log.resume(33, "recvfrom", '"hello", 4096, 0, NULL, NULL', "5", 5)
    assert rows(show(talk, log))[-3:] == ["S recv(4, 4096) …", "4", "S recv = 5"]


# ---- Whose socket it is


def child(log: Log, at: float, pid: int, result: str = "") -> None:
    """fork, with the pid it returns."""
    log.call(at, "clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD)", result or str(pid))


def forked(result: str = "") -> tuple[Conversation, Log]:
    """A server whose child (pid 201) speaks to the client."""
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    talk.server("PA", b"hi")
    talk.server("FA")
    log = Log(pid=200, yy=False)
    log.listen(-300)
    log.accept(-200, 225)
    child(log, 26, 201, result)
    log.call(28, "close(4)")
    log.call(28.5, "close(3)", pid=201)
    log.recv(32, "4", "hello", 1, pid=201)
    log.send(38, "4", "hi", 1, pid=201)
    log.call(48, "exit_group(0)", "?", pid=201)
    return talk, log


def test_a_forked_child_has_its_parents_sockets(show: Show) -> None:
    told = show(*forked())
    assert rows(told)[7:] == [
        "S accept = 4", "S fork() = 201", "S close(4) = 0", "4", "S recv(4, 4096) = 5",
        'S send(4, "hi", 2) = 2', "5", "S exit(0)", "6",
    ]  # fmt: skip
    processes = {one["pid"]: one["process"] for one in told if one["type"] == "call"}
    assert processes == {200: "", 201: "child"}


def test_a_close_says_that_the_child_still_has_the_socket(show: Show) -> None:
    (close,) = calls(show(*forked()), "close")
    assert close["note"] == "still open elsewhere"


def test_a_fin_without_a_close_is_the_end_of_the_process(show: Show) -> None:
    told = show(*forked())
    assert "the server ended without a close" in packet(told, 6)["note"]


@pytest.mark.parametrize("result", ["3", "3 /* 201 in strace's PID NS */", "201<server>"])
def test_a_child_is_found_though_its_own_namespace_numbers_it_otherwise(
    show: Show, result: str
) -> None:
    told = show(*forked(result))
    assert {one["pid"] for one in told if one["type"] == "call"} == {200, 201}


def test_two_children_are_not_mistaken_for_each_other(show: Show) -> None:
    """Of two children in a namespace, the younger one is the first to do something."""
    talk = conversation().handshake()
    again = talk.then(**LOOPBACK, client_port=39871, start_ns=START_NS + 40 * US)
    again.handshake()
    log = Log(pid=200, yy=False)
    log.listen(-300)
    log.accept(-200, 222)
    child(log, 23, 202, "3 /* 202 in strace's PID NS */")
    log.call(24, "close(4)")
    log.accept(30, 45, client="127.0.0.1:39871")
    child(log, 76, 201, "4 /* 201 in strace's PID NS */")
    log.call(80, "getsockname(4, 0x7f, [128])", "-1 EFAULT (Bad address)", pid=201)
    log.call(81, "getsockname(4, 0x7f, [128])", "-1 EFAULT (Bad address)", pid=202)
    told = show(again, log)
    assert [one["pid"] for one in calls(told, "getsockname", flow=1)] == [202]
    assert [one["pid"] for one in calls(told, "getsockname", flow=2)] == [201]


def test_pids_in_brackets_are_told_only_while_there_are_several(show: Show) -> None:
    """As on a terminal: the process that was alone has its pid from then on, and again none."""
    talk, log = forked()
    lines = [line.split(None, 1) for line in log.lines]
    log.lines = [text for _, text in lines[:4]]
    made, result = lines[4][1].split(")", 1)
    log.lines += [f"{made}strace: Process 201 attached", " <unfinished ...>"]
    log.lines += [f"[pid   201] {lines[4][1].split()[0]} set_robust_list(0x7f, 24) = 0"]
    log.lines += [f"[pid   200] {lines[4][1].split()[0]} <... clone resumed>){result}"]
    log.lines += [f"[pid   {pid}] {text}" for pid, text in lines[5:]]
    log.line(60, "+++ exited with 0 +++", pid=201)
    log.lines[-1] = f"[pid   201] {log.lines[-1].split(None, 1)[1]}"
    log.lines.append(lines[-1][1].replace(".000048", ".000090"))
    told = show(talk, log)
    assert {one["pid"]: one["process"] for one in told if one["type"] == "call"} == {
        200: "",
        201: "child",
    }


@pytest.mark.parametrize("server_speaks, client_speaks", [(40, 41), (41, 40)])
def test_children_of_two_programs_in_one_file_are_not_mistaken(
    show: Show, server_speaks: int, client_speaks: int
) -> None:
    """Both are child 3, in namespaces of their own."""
    talk = conversation().handshake()
    server, client = Log(pid=200, yy=False), Log(pid=300, yy=False)
    server.listen(-300)
    server.accept(-200, 222)
    child(server, 24, 202, "3")
    fails = "-1 EFAULT (Bad address)"
    server.call(server_speaks, "getsockname(4, 0x7f, [128])", fails, pid=202)
    client.connect(-5, 18)
    child(client, 26, 301, "3")
    client.call(client_speaks, "getsockname(3, 0x7f, [128])", fails, pid=301)
    server.lines += client.lines
    told = show(talk, server)
    assert {one["pid"]: one["side"] for one in calls(told, "getsockname")} == {
        202: "server",
        301: "client",
    }


def test_threads_share_descriptors(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    talk.server("FA")
    log = Log(pid=200, yy=False)
    log.listen(-300)
    log.call(-250, f"clone3({THREAD} => {{parent_tid=[201]}}, 88)", "201")
    log.accept(-200, 225)
    log.recv(32, "4", "hello", 1, pid=201)
    log.call(38, "close(4)", pid=201)
    told = show(talk, log)
    assert rows(told)[-2:] == ["S close(4) = 0", "5"]
    assert {one["process"] for one in told if one["type"] == "call"} == {"", "thread"}


def test_a_descriptor_is_the_new_one_only_when_accept_has_ended(show: Show) -> None:
    """A thread uses and closes 4 while another waits in the accept that will return 4."""
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    again = talk.then(**LOOPBACK, client_port=39871, start_ns=START_NS + 80 * US)
    again.handshake()
    log = Log(pid=200, yy=False, durations=False)
    log.listen(-300)
    log.call(-250, f"clone3({THREAD} => {{parent_tid=[201]}}, 88)", "201")
    log.accept(-200, 222)
    log.begin(24, "accept(3, ")
    log.recv(35, "4", "hello", pid=201)
    log.call(40, "close(4)", pid=201)
    log.resume(115, "accept", f"{sockaddr('127.0.0.1:39871')}, [128 => 16]", "4", 90)
    told = show(again, log)
    assert len(calls(told, "recv", flow=1)) == 1 and not calls(told, "recv", flow=2)


def test_a_duplicate_is_the_same_socket(show: Show) -> None:
    talk = conversation().handshake()
    talk.server("PA", b"hi")
    talk.server("FA")
    log = Log(pid=200, yy=False)
    log.listen(-300)
    log.accept(-200, 225)
    log.call(26, "dup2(4, 1)", "1")
    log.call(27, "close(4)")
    log.call(28, 'write(1, "hi", 2)', "2")
    log.call(38, "close(1)")
    told = show(talk, log)
    assert rows(told)[-5:] == [
        "S close(4) = 0", 'S write(1, "hi", 2) = 2', "4", "S close(1) = 0", "5",
    ]  # fmt: skip
    notes = [one["note"] for one in calls(told, "close")]
    assert notes == ["still open elsewhere", ""]


def test_a_pid_that_comes_again_is_another_process(show: Show) -> None:
    talk, log = forked()
    again = talk.then(**LOOPBACK, client_port=39871)
    again.handshake()
    start = (again.packets[-3].time_ns - START_NS) / US
    log.accept(start - 5, 30, client="127.0.0.1:39871")
    child(log, start + 26, 201)
    log.call(start + 28, "close(4)")
    log.call(start + 35, 'recvfrom(4, 0x7ffd, 9, 0, NULL, NULL)', "-1 EAGAIN (Again)", pid=201)
    told = show(again, log)
    assert calls(told, "recv", flow=2)[0]["pid"] == 201
    assert len(calls(told, "recv", flow=1)) == 1


def test_the_same_ends_again_are_another_connection(show: Show) -> None:
    talk = echo()
    again = talk.then(**LOOPBACK, client_isn=7, server_isn=9)
    again.handshake()
    start = (again.packets[-3].time_ns - START_NS) / US
    log = client_of_echo()
    del log.lines[-1]
    log.connect(start - 5, 18)
    told = show(again, log)
    assert rows(told, flow=2)[:2] == [
        "C socket(AF_INET, SOCK_STREAM) = 3", "C connect(3, 127.0.0.1:4321) …"
    ]  # fmt: skip
    assert len(calls(told, "connect", flow=1)) == 2  # begun, ended


def test_a_connect_finds_the_connection_that_began_meanwhile(show: Show) -> None:
    """Somebody else has connected before; -yy does not help."""
    talk = echo()
    again = talk.then(**LOOPBACK, client_port=39871)
    again.handshake()
    start = (again.packets[-3].time_ns - START_NS) / US
    log = Log(pid=300, yy=False)
    log.connect(start - 5, 18)
    told = show(again, log)
    assert not calls(told, "connect", flow=1) and len(calls(told, "connect", flow=2)) == 2


def test_two_connects_at_once_are_two_connections(show: Show) -> None:
    talk = conversation(step_us=1).handshake()
    again = talk.then(**{**LOOPBACK, "step_ns": US}, client_port=39871, start_ns=START_NS + 5 * US)
    again.handshake()
    logs_of = [Log(pid=300, yy=False), Log(pid=301, yy=False)]
    for number, log in enumerate(logs_of):
        log.connect(number - 5, 18)
    told = show(again, *logs_of)
    assert {one["pid"] for one in calls(told, "connect", flow=1)} == {300}
    assert {one["pid"] for one in calls(told, "connect", flow=2)} == {301}


def test_what_goes_through_the_terminal_stands_quietly_between(show: Show) -> None:
    log = client_of_echo()
    log.call(23, 'read(0</dev/pts/1<char 136:1>>, "hello\\n", 4096)', "6")
    (read,) = calls(show(echo(), log), "read")
    assert (read["weight"], read["text"]) == ("quiet", "read(0, 4096)")
    assert bytes.fromhex(read["data"]) == b"hello\n"


def test_a_long_wait_for_something_else_has_an_end_of_its_own(show: Show) -> None:
    """Though no packet came meanwhile: a process that was stopped, a signal may have."""
    talk = conversation().handshake()
    log = Log(pid=300)
    log.connect(-5, 18)
    log.call(40, 'read(0</dev/pts/1<char 136:1>>, "hello\\n", 4096)', "6", 20_000)
    log.call(20_050, "getpid()", "300")
    assert [row["part"] for row in calls(show(talk, log), "read")] == ["begin", "end"]


def test_a_child_is_named_also_where_it_is_alone(show: Show) -> None:
    """Its parent does nothing with this connection."""
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=201)
    log.call(-400, "fork()", "201", pid=200)
    log.connect(-5, 18)
    assert {row["process"] for row in calls(show(talk, log), "connect")} == {"child"}


def test_files_and_other_sockets_are_not_drawn(show: Show) -> None:
    log = client_of_echo()
    log.call(101, 'read(7</etc/passwd>, "root", 4096)', "4")
    log.call(102, 'sendto(8<UNIX-STREAM:[1->2]>, "x", 1, 0, NULL, 0)', "1")
    log.call(103, 'write(9<TCP:[127.0.0.1:5000->127.0.0.1:6000]>, "x", 1)', "1")
    assert not [row for row in rows(show(echo(), log)) if "(7" in row or "(8" in row or "(9" in row]


# ---- UDP


def test_datagrams_of_an_unconnected_socket(show: Show) -> None:
    talk = conversation(client_port=6001, server_port=6000)
    talk.datagram("client", b"hello")
    talk.datagram("server", b"hello")
    server, client = Log(pid=200), Log(pid=300)
    server.call(-50, "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)", "3<UDP:[1]>")
    server.call(-40, f"bind(3<UDP:[1]>, {sockaddr('0.0.0.0:6000')}, 16)")
    peer = sockaddr("127.0.0.1:6001")
    server.call(
        -30, f'recvfrom(3<UDP:[0.0.0.0:6000]>, "hello", 99, 0, {peer}, [128 => 16])', "5", 25
    )
    server.call(6, f'sendto(3<UDP:[0.0.0.0:6000]>, "hello", 5, 0, {peer}, 16)', "5", 5)
    client.call(-20, "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)", "3<UDP:[2]>")
    peer = sockaddr("127.0.0.1:6000")
    client.call(-3, f'sendto(3<UDP:[2]>, "hello", 5, 0, {peer}, 16)', "5", 5)
    client.call(4, f'recvfrom(3<UDP:[0.0.0.0:6001]>, "hello", 99, 0, {peer}, [128 => 16])', "5", 3)
    assert rows(show(talk, server, client)) == [
        "S socket(AF_INET, SOCK_DGRAM) = 3", "S bind(3, 0.0.0.0:6000) = 0", "S recvfrom(3, 99) …",
        "C socket(AF_INET, SOCK_DGRAM) = 3", 'C sendto(3, "hello", 5, 127.0.0.1:6000) = 5', "1",
        "S recvfrom = 5", "C recvfrom(3, 99) …", 'S sendto(3, "hello", 5, 127.0.0.1:6001) = 5',
        "2", "C recvfrom = 5",
    ]  # fmt: skip


def test_connecting_a_datagram_socket_stands_before_its_first_datagram(show: Show) -> None:
    """It sends nothing itself."""
    talk = conversation(client_port=6001, server_port=6000)
    talk.datagram("client", b"hello")
    log = Log(pid=300)
    log.call(-20, "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)", "3<UDP:[2]>")
    log.call(-10, f"connect(3<UDP:[2]>, {sockaddr('127.0.0.1:6000')}, 16)", "0")
    ends = "UDP:[127.0.0.1:6001->127.0.0.1:6000]"
    log.call(-3, f'sendto(3<{ends}>, "hello", 5, 0, NULL, 0)', "5", 5)
    assert rows(show(talk, log))[1:] == [
        "C connect(3, 127.0.0.1:6000) = 0", 'C send(3, "hello", 5) = 5', "1",
    ]  # fmt: skip


def test_without_yy_the_first_datagram_tells_the_port(show: Show) -> None:
    talk = conversation(client_port=6001, server_port=6000)
    talk.datagram("client", b"hello")
    log = Log(pid=300)
    log.call(-20, "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)", "3")
    log.call(-3, f'sendto(3, "hello", 5, 0, {sockaddr("127.0.0.1:6000")}, 16)', "5", 5)
    assert rows(show(talk, log))[1:] == ['C sendto(3, "hello", 5, 127.0.0.1:6000) = 5', "1"]


def test_equal_lengths_are_told_apart_by_what_they_say(show: Show) -> None:
    """The first datagram was sent by somebody else and never received."""
    talk = conversation(client_port=6001, server_port=6000)
    talk.datagram("client", b"one")
    talk.datagram("client", b"two")
    log = Log(pid=200)
    log.call(-50, "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)", "3<UDP:[1]>")
    log.call(-40, f"bind(3<UDP:[1]>, {sockaddr('127.0.0.1:6000')}, 16)")
    peer = sockaddr("127.0.0.1:6001")
    log.call(
        -30, f'recvfrom(3<UDP:[127.0.0.1:6000]>, "two", 99, 0, {peer}, [128 => 16])', "3", 25
    )
    assert rows(show(talk, log))[-3:] == ["1", "2", "S recvfrom = 3"]


def test_ipv4_in_ipv6_is_ipv4(show: Show) -> None:
    log = server_of_echo()
    server, client = (f"[::ffff:127.0.0.1]:{end.rsplit(':')[1]}" for end in (SERVER, CLIENT))
    log.lines = [
        line.replace(f"TCP:[{SERVER}->{CLIENT}]", f"TCPv6:[{server}->{client}]")
        .replace(sockaddr(CLIENT), sockaddr(client))
        .replace(sockaddr(SERVER), sockaddr("[::]:4321"))
        .replace(f"TCP:[{SERVER}]", "TCPv6:[[::]:4321]")
        for line in log.lines
    ]
    told = rows(show(echo(), log, client_of_echo()))
    assert [row for row in told if "bind" not in row] == [row for row in ECHO if "bind" not in row]


# ---- Why a connection was reset


def reset(*calls_of_server: tuple[str, str], got: str = "hel") -> tuple[Conversation, Log]:
    """A server receives `got` of "hello" and then does something that resets: packet 6."""
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    talk.server("A")
    talk.server("RA")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    if got:
        log.recv(36, OWN_SERVER, got, 1)
    for number, (text, result) in enumerate(calls_of_server):
        log.call(45 + number, text, result)
    return talk, log


@pytest.mark.parametrize(
    "does, why",
    [
        ([(f"close({OWN_SERVER})", "0")], "the server closed with 2 bytes unread"),
        ([("exit_group(1)", "?")], "the server ended with 2 bytes unread"),
    ],
    ids=["close", "exit"],
)
def test_a_reset_is_explained_by_unread_bytes(
    show: Show, does: list[tuple[str, str]], why: str
) -> None:
    told = show(*reset(*does))
    assert why in packet(told, 6)["note"]
    (end,) = calls(told, does[0][0].split("(")[0].replace("exit_group", "exit"))
    assert end["note"] == "2 bytes were unread"


def test_a_reset_is_explained_by_a_signal(show: Show) -> None:
    """strace hears of the death only after the reset: the row stands before it all the same."""
    talk, log = reset()
    log.line(90, "+++ killed by SIGKILL +++")
    told = show(talk, log)
    assert "the server was killed by SIGKILL with 2 bytes unread" in packet(told, 6)["note"]
    assert rows(told)[-2:] == ["S killed by SIGKILL", "6"]


def test_a_reset_is_explained_by_linger(show: Show) -> None:
    linger = f"setsockopt({OWN_SERVER}, SOL_SOCKET, SO_LINGER, {{l_onoff=1, l_linger=0}}, 8)"
    told = show(*reset((linger, "0"), (f"close({OWN_SERVER})", "0"), got="hello"))
    assert "SO_LINGER" in packet(told, 6)["note"]


def test_a_reset_is_explained_by_data_for_a_closed_socket(show: Show) -> None:
    talk = conversation().handshake()
    talk.server("FA")
    talk.client("PA", b"hello")
    talk.server("R")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    log.call(28, f"close({OWN_SERVER})")
    told = show(talk, log)
    assert "data came after the server had closed" in packet(told, 6)["note"]


def test_a_socket_that_was_there_before_the_log_explains_its_reset_too(show: Show) -> None:
    talk = conversation().handshake()
    talk.server("FA")
    talk.client("PA", b"hello")
    talk.server("R")
    log = Log(pid=200)
    log.call(28, f"close({OWN_SERVER})")
    told = show(talk, log)
    assert "data came after the server had closed" in packet(told, 6)["note"]


def test_a_reset_that_no_call_explains_has_no_reason(show: Show) -> None:
    told = show(*reset(got="hello"))
    assert packet(told, 6)["note"] == packet(show(*reset(got="hel")), 6)["note"]
    assert "server" not in packet(told, 6)["note"]


# ---- Logs that do not fit


def violation(talk: Conversation, log: Log, run: Any, logs: Any) -> str:
    """What is said of a log that contradicts the trace; the ladder is drawn all the same."""
    done = run(talk, logs(log))
    assert done.returncode == 0
    assert '"type":"packet"' in done.stdout
    return str(done.stderr)


def test_data_on_the_wire_before_its_call_is_said(run: Any, logs: Any) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=300)
    log.connect(-5, 18)
    log.send(45, OWN_CLIENT, "hello")
    assert "1 call cannot be brought into an order" in violation(talk, log, run, logs)


def test_a_receive_that_ended_before_its_data_came_is_said(run: Any, logs: Any) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 222)
    log.recv(24, OWN_SERVER, "hello", 1)
    log.call(29, f"close({OWN_SERVER})")
    assert "1 call cannot be brought into an order" in violation(talk, log, run, logs)


def test_a_divided_line_tells_the_latest_end_by_its_own_stamp(run: Any, logs: Any) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 222)
    log.begin(24, f"recvfrom({OWN_SERVER}, ")
    log.resume(26, "recvfrom", '"hello", 4096, 0, NULL, NULL', "5", 1)
    assert "1 call cannot be brought into an order" in violation(talk, log, run, logs)


def test_an_accept_that_ended_before_the_handshake_is_said(run: Any, logs: Any) -> None:
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 203)
    log.call(15, f"close({OWN_SERVER})")
    said = violation(conversation().handshake(), log, run, logs)
    assert "1 call cannot be brought into an order" in said


def test_bytes_behind_the_end_of_the_trace_are_no_contradiction(show: Show) -> None:
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 225)
    log.recv(30, OWN_SERVER, "hello", 1)
    log.call(90, f"close({OWN_SERVER})")
    assert rows(show(conversation().handshake(), log))[-2:] == [
        "S recv(4, 4096) = 5", "S close(4) = 0",
    ]  # fmt: skip


def unusable(run: Any, paths: Sequence[Path]) -> str:
    """What is said of logs that cannot be used; the ladder is drawn without calls."""
    done = run(echo(), paths)
    assert done.returncode == 0
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert len([one for one in objects if one["type"] == "packet"]) == 10
    assert not [one for one in objects if one["type"] == "call"]
    assert done.stderr.count("\n") == 1
    assert objects[-1]["calls"] and objects[-1]["calls"] in done.stderr
    return str(done.stderr)


def test_a_log_that_is_not_there(run: Any, tmp_path: Path) -> None:
    assert "no.calls: No such file or directory" in unusable(run, [tmp_path / "no.calls"])


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", bytes(range(256)) * 2000, b"x" * 10**6],
    ids=["empty", "text", "binary", "one line"],
)
def test_a_file_that_is_no_log(run: Any, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.calls"
    path.write_bytes(content)
    assert "x.calls: is no log of strace" in unusable(run, [path])


def test_a_log_without_stamps_says_what_to_do(run: Any, logs: Any) -> None:
    log = Log()
    log.lines = ["100 close(3) = 0"]
    assert "has no time stamps; strace -f -yy -ttt -T" in unusable(run, logs(log))


def test_a_log_with_relative_stamps_says_what_to_do(run: Any, logs: Any) -> None:
    log = Log()
    log.lines = ["100        0.000110 close(3) = 0"]
    assert "has no absolute time stamps; strace -f -yy -ttt -T" in unusable(run, logs(log))


def test_a_log_with_stamps_of_whole_seconds_says_what_to_do(run: Any, logs: Any) -> None:
    log = Log()
    log.lines = ["100 22:13:20 close(3) = 0", "100 1700000000 close(3) = 0"]
    assert "has no exact time stamps; strace -f -yy -ttt -T" in unusable(run, logs(log))


@pytest.mark.parametrize(
    "later, said",
    [(-10, "it ends before the trace begins"), (10, "it begins after the trace ends")],
)
def test_a_log_of_another_time(run: Any, logs: Any, later: int, said: str) -> None:
    log = server_of_echo()
    log.lines = [
        f"{pid} {int(second) + later}.{rest}"
        for pid, second, rest in (re.split(r"[ .]+", line, maxsplit=2) for line in log.lines)
    ]
    assert said in unusable(run, logs(log))


def test_a_log_of_another_connection(run: Any, logs: Any) -> None:
    log = server_of_echo()
    log.lines = [line.replace("4321", "4322") for line in log.lines]
    assert "no call in it touches a connection of the trace" in unusable(run, logs(log))


def test_of_two_logs_the_one_that_fits_is_used(run: Any, logs: Any) -> None:
    other = Log(pid=900)
    other.call(5, "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)", "3<TCP:[5]>")
    done = run(echo(), logs(server_of_echo(), other))
    assert "1.calls: no call in it touches a connection of the trace" in done.stderr
    told = rows([json.loads(line) for line in done.stdout.splitlines()])
    assert "S recv = 5" in told


def test_a_log_that_was_cut_is_used_and_that_is_said(run: Any, logs: Any) -> None:
    (path,) = logs(server_of_echo())
    path.write_bytes(path.read_bytes()[:-30])
    done = run(echo(), [path])
    assert done.returncode == 0
    assert "0.calls: was cut: its last line is not whole" in done.stderr
    told = rows([json.loads(line) for line in done.stdout.splitlines()])
    assert "S recv = 5" in told


def test_a_log_that_reached_its_limit_says_so_in_its_own_words(run: Any, logs: Any) -> None:
    log = server_of_echo()
    words = "the log of ./server ends here: it reached its limit of 4194304 bytes"
    log.lines.insert(6, f"strace: {words}")
    assert words in run(echo(), logs(log)).stderr


@pytest.mark.parametrize(
    "zone, clock",
    [("UTC", 22 * 3600 + 13 * 60 + 20), ("UTC-1:30", 23 * 3600 + 43 * 60 + 20), ("UTC-1:46:40", 0)],
    ids=["UTC", "another zone", "just after midnight"],
)
def test_a_time_of_day_is_of_the_day_of_the_trace(
    labcap: Labcap, trace: Path, tmp_path: Path, zone: str, clock: int
) -> None:
    """`clock`: the second of the day, there, in which the trace begins; the log is older."""
    made = []
    for line in server_of_echo().lines:
        pid, stamp, rest = line.split(None, 2)
        second, ns = stamp.split(".")
        day_second = (clock + int(second) - START_NS // 10**9) % 86400
        time_of_day = f"{day_second // 3600:02}:{day_second // 60 % 60:02}:{day_second % 60:02}"
        made.append(f"{pid} {time_of_day}.{ns[:6]} {rest}\n")
    path = tmp_path / "day.calls"
    path.write_text("".join(made))
    options = ["--json", "--all", "--syscalls", path]
    done = labcap("show", *options, echo().write(trace), env={"TZ": zone})
    assert done.stderr == ""
    assert "S recv = 5" in rows([json.loads(text) for text in done.stdout.splitlines()])


# ---- What a call asked for, and what it got


def one_call(at: float, text: str, result: str, took: float = 1) -> tuple[Conversation, Log]:
    """A client that connects and makes one call, while 100 bytes are sent and acknowledged."""
    talk = conversation().handshake()
    talk.client("PA", b"\0" * 100)
    talk.server("A")
    log = Log(pid=300)
    log.connect(-5, 18)
    log.call(at, text, result, took)
    return talk, log


@pytest.mark.parametrize(
    "text, asked",
    [
        (f'sendto({OWN_CLIENT}, "\\0\\0"..., 300, 0, NULL, 0)', "send(3, 300 bytes)"),
        (f'write({OWN_CLIENT}, "\\0\\0"..., 300)', "write(3, 300 bytes)"),
        (
            f'writev({OWN_CLIENT}, [{{iov_base="\\0"..., iov_len=100}}, '
            '{iov_base="\\0"..., iov_len=200}], 2)',
            "writev(3, 300 bytes)",
        ),
    ],
    ids=["send", "write", "writev"],
)
def test_a_send_that_is_taken_in_part_tells_both_sizes(show: Show, text: str, asked: str) -> None:
    told = show(*one_call(25, text, "100", 4))
    assert f"C {asked} = 100" in rows(told)
    (row,) = calls(told, asked.split("(", maxsplit=1)[0])
    assert (row["note"], row["data_length"]) == ("only a part", 100)


def test_a_send_that_is_taken_whole_has_no_note(show: Show) -> None:
    text = f'sendto({OWN_CLIENT}, "\\0\\0"..., 100, 0, NULL, 0)'
    (row,) = calls(show(*one_call(25, text, "100", 4)), "send")
    assert (row["text"], row["note"]) == ("send(3, 100 bytes)", "")


@pytest.mark.parametrize(
    "text, name, took, parts",
    [
        (f'sendto({OWN_CLIENT}, "\\0"..., 100, 0, NULL, 0)', "send", 900, ["whole"]),
        (f'sendto({OWN_CLIENT}, "\\0"..., 100, 0, NULL, 0)', "send", 2000, ["begin", "end"]),
        (f"close({OWN_CLIENT})", "close", 2000, ["begin", "end"]),
        (f"shutdown({OWN_CLIENT}, SHUT_WR)", "shutdown", 2000, ["begin", "end"]),
    ],
    ids=["at once", "send", "close", "shutdown"],
)
def test_what_waits_for_acknowledgements_has_two_rows(
    show: Show, text: str, name: str, took: float, parts: list[str]
) -> None:
    result = "100" if name == "send" else "0"
    told = calls(show(*one_call(25, text, result, took)), name)
    assert [one["part"] for one in told] == parts


@pytest.mark.parametrize("took, parts", [(2000, ["whole"]), (20000, ["begin", "end"])])
def test_a_close_without_packets_is_long_only_beyond_what_a_busy_machine_explains(
    show: Show, took: float, parts: list[str]
) -> None:
    told = calls(show(*one_call(100, f"close({OWN_CLIENT})", "0", took)), "close")
    assert [one["part"] for one in told] == parts


@pytest.mark.parametrize(
    "flags, shown",
    [
        ("MSG_PEEK", ", MSG_PEEK"),
        ("MSG_DONTWAIT|MSG_WAITALL", ", MSG_WAITALL"),
        ("MSG_PEEK|MSG_TRUNC", ", MSG_PEEK|MSG_TRUNC"),
        ("MSG_OOB", ", MSG_OOB"),
        ("MSG_DONTWAIT", ""),
    ],
)
def test_flags_that_change_a_receive_are_told(show: Show, flags: str, shown: str) -> None:
    text = f"recvfrom({OWN_CLIENT}, 0x7ffd, 9, {flags}, NULL, NULL)"
    (row,) = calls(show(*one_call(50, text, "-1 EAGAIN (Again)")), "recv")
    assert row["text"] == f"recv(3, 9{shown})"


def test_flags_that_change_a_send_are_told(show: Show) -> None:
    text = f'sendto({OWN_CLIENT}, "\\0"..., 100, MSG_MORE|MSG_NOSIGNAL, NULL, 0)'
    (row,) = calls(show(*one_call(25, text, "100")), "send")
    assert row["text"] == "send(3, 100 bytes, MSG_MORE)"


@pytest.mark.parametrize(
    "bits, note",
    [
        ("POLLOUT", "can be written"),
        ("POLLOUT|POLLERR", "failed, can be written"),
        ("POLLOUT|POLLERR|POLLHUP", "failed, can be written"),
        ("POLLOUT|POLLHUP", "hung up, can be written"),
        ("POLLHUP", "hung up"),
        ("POLLIN|POLLERR|POLLHUP", "failed, can be read"),
        ("POLLIN|POLLRDHUP|POLLHUP", "can be read"),
    ],
)
def test_poll_tells_failure_first(show: Show, bits: str, note: str) -> None:
    text = f"poll([{{fd={OWN_CLIENT}, events=POLLOUT}}], 1, 1000)"
    talk, log = one_call(50, text, f"1 ([{{fd=3, revents={bits}}}])")
    talk.server("FA")
    assert calls(show(talk, log), "poll")[-1]["note"] == note


@pytest.mark.parametrize(
    "columns, text",
    [
        (100, "getsockopt(3, SO_ERROR, ECONNREFUSED) = 0"),
        (80, "SO_ERROR: ECONNREFUSED = 0"),
    ],
)
def test_the_error_of_a_socket_is_told_in_a_narrow_ladder_too(
    labcap: Labcap, trace: Path, logs: Any, columns: int, text: str
) -> None:
    option = f"getsockopt({OWN_CLIENT}, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4])"
    talk, log = one_call(50, option, "0")
    (path,) = logs(log)
    narrow = {"COLUMNS": str(columns)}
    done = labcap("show", "--all", "--syscalls", path, talk.write(trace), env=narrow)
    assert text in done.stdout, done.stderr


# ---- The end of a connection that is none


def test_after_giving_up_to_receive_no_fin_is_needed_for_the_end(show: Show) -> None:
    talk, log = one_call(42, f"shutdown({OWN_CLIENT}, SHUT_RD)", "0")
    talk.server("A", after_ns=100 * US)
    talk.server("FA")
    log.recv(50, OWN_CLIENT, "")
    told = rows(show(talk, log))
    assert told[-3:] == ["C recv(3, 4096) = 0", "6", "7"]


def test_a_descriptor_that_execve_will_close_is_not_open_elsewhere(show: Show) -> None:
    talk = conversation().handshake()
    talk.server("FA", after_ns=100 * US)
    log = Log(pid=200, yy=False)
    log.listen(-300)
    log.accept(-200, 225)
    log.call(26, "fcntl(4, F_SETFD, FD_CLOEXEC)")
    child(log, 28, 201)
    log.call(32, 'execve("/bin/sleep", ["sleep", "1"], 0x7ffd /* 9 vars */)', pid=201)
    log.call(110, "close(4)")
    told = show(talk, log)
    notes = [(one["text"], one["note"]) for one in calls(told, "execve") + calls(told, "close")]
    assert notes == [("execve(sleep)", "still open elsewhere"), ("close(4)", "")]


def test_fcntl_can_keep_a_descriptor_open_over_execve(show: Show) -> None:
    talk = conversation().handshake()
    log = Log(pid=200, yy=False)
    log.listen(-300)
    log.accept(-200, 225)
    log.call(26, "fcntl(4, F_SETFD, FD_CLOEXEC)")
    log.call(27, "fcntl(4, F_SETFD, 0)")
    child(log, 28, 201)
    log.call(32, 'execve("/bin/sleep", ["sleep", "1"], 0x7ffd /* 9 vars */)', pid=201)
    log.call(110, "close(4)")
    (close,) = calls(show(talk, log), "close")
    assert close["note"] == "still open elsewhere"


@pytest.mark.parametrize("until, note", [(60, "another thread is in recv"), (30, "")])
def test_a_close_tells_of_a_thread_that_still_receives(show: Show, until: int, note: str) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=200, yy=False)
    log.listen(-300)
    log.call(-250, f"clone3({THREAD} => {{parent_tid=[201]}}, 88)", "201")
    log.accept(-200, 225)
    log.call(26, 'recvfrom(4, "", 0, 0, NULL, NULL)', "0", until - 26, pid=201)
    log.call(50, "close(4)")
    (close,) = calls(show(talk, log), "close")
    assert close["note"] == note


def test_connect_to_nobody_ends_a_connection_and_the_next_one_is_another(show: Show) -> None:
    """-yy goes on to tell the ends of the first one."""
    talk = conversation().handshake()
    talk.client("RA")
    again = talk.then(**LOOPBACK, client_port=39871)
    again.handshake()
    start = (again.packets[-3].time_ns - START_NS) / US
    log = Log(pid=300)
    log.connect(-5, 18)
    log.call(28, f'connect({OWN_CLIENT}, {{sa_family=AF_UNSPEC, sa_data="\\0"}}, 16)', "0", 4)
    log.call(start - 5, f"connect({OWN_CLIENT}, {sockaddr(SERVER)}, 16)", "0", 20)
    log.call(start + 50, f"close({OWN_CLIENT})")
    told = show(again, log)
    assert rows(told)[-2:] == ["C connect(3, AF_UNSPEC) = 0", "4"]
    assert "the client ended the connection with connect(AF_UNSPEC)" in packet(told, 4)["note"]
    assert rows(told, flow=2) == [
        "C connect(3, 127.0.0.1:4321) …", "5", "6", "7", "C connect = 0", "C close(3) = 0",
    ]  # fmt: skip


def test_a_send_with_fast_open_connects(show: Show) -> None:
    talk = conversation().handshake()
    talk.client("PA", b"hello")
    log = Log(pid=300)
    log.call(-20, "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)", "3<TCP:[12]>")
    text = f'sendto(3<TCP:[12]>, "hello", 5, MSG_FASTOPEN, {sockaddr(SERVER)}, 16)'
    log.call(-5, text, "5", 40)
    log.call(50, f"close({OWN_CLIENT})")
    assert rows(show(talk, log)) == [
        "C socket(AF_INET, SOCK_STREAM) = 3",
        'C sendto(3, "hello", 5, MSG_FASTOPEN, 127.0.0.1:4321) …', "1", "2", "3", "4",
        "C sendto = 5", "C close(3) = 0",
    ]  # fmt: skip


# ---- Datagrams whose sender is not told


def test_a_datagram_is_found_by_what_it_says_where_its_sender_is_not_told(show: Show) -> None:
    """Two clients send to one socket; the first one's is lost."""
    talk = conversation(client_port=6001, server_port=6000)
    talk.datagram("client", b"one")
    other = talk.then(**LOOPBACK, client_port=6002, server_port=6000)
    other.datagram("client", b"two")
    at = (other.packets[-1].time_ns - START_NS) / US
    log = Log(pid=200)
    log.call(-50, "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)", "3<UDP:[1]>")
    log.call(-40, f"bind(3<UDP:[1]>, {sockaddr('127.0.0.1:6000')}, 16)")
    log.call(-30, 'recvfrom(3<UDP:[127.0.0.1:6000]>, "two", 99, 0, NULL, NULL)', "3", at + 32)
    told = show(other, log)
    assert not calls(told, "recv", flow=1)
    assert rows(told, flow=2)[-2:] == ["2", "S recv = 3"]


@pytest.mark.parametrize("size, got, note", [(3, "hel", "2 bytes were cut"), (5, "hello", "")])
def test_a_datagram_that_is_cut_to_the_buffer_says_so(
    show: Show, size: int, got: str, note: str
) -> None:
    talk = conversation(client_port=6001, server_port=6000)
    talk.datagram("client", b"hello")
    log = Log(pid=200)
    log.call(-50, "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)", "3<UDP:[1]>")
    log.call(-40, f"bind(3<UDP:[1]>, {sockaddr('127.0.0.1:6000')}, 16)")
    text = f'recvfrom(3<UDP:[127.0.0.1:6000]>, "{got}", {size}, 0, NULL, NULL)'
    log.call(-30, text, str(size), 35)
    told = show(talk, log)
    assert rows(told)[-2:] == ["1", f"S recv = {size}"]
    assert calls(told, "recv")[-1]["note"] == note
