"""Logs made to do harm: the ladder is drawn, with what could be read; never a crash.

Most run under AddressSanitizer and UndefinedBehaviorSanitizer, many logs to a run; random choices
come from fixed seeds.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterable, Sequence

import pytest
from calls import SANITIZED_DEADLINE, Argument, Labcap, within_memory
from strace_logs import CLIENT, SERVER, Log, sockaddr
from traces import START_NS, Conversation

SPOILT_A_RUN = 12
PIECES = [
    b'"' * 9, b"<" * 30, b"(" * 50, b"\\", b"9" * 30, b"{fd=3", b"-1", b"htons(99999)", b"->",
    b", " * 50, b'"\\x', b"= -9223372036854775808", b"[::ffff:", b"msg_name={sa_family=AF_INET",
    b"A" * 40_000, b"\0", b"\x1b[2J", b"\xff\xfe", b"%n%s", b" <unfinished ...>", b"<... ",
]  # fmt: skip
NUMBERS = [b"0", b"3", b"65535", b"65536", b"2147483648", b"18446744073709551615", b"9" * 25]
STAMPS = [b"0.0", b"9999999999.999999999", b"3999999999.5", b"14:30:22.1", b"-5", b"1.7.7", b""]

Survives = Callable[[Sequence[Path]], str]


def talk() -> Conversation:
    """An echo over loopback, and two datagrams."""
    made = Conversation(client_address="127.0.0.1", server_address="127.0.0.1", step_ns=10_000)
    made.handshake()
    made.client("PA", b"hello")
    made.server("PA", b"hello")
    made.client("FA")
    made.server("RA")
    made.datagram("client", b"hello")
    made.datagram("server", b"hello")
    return made


def varied() -> bytes:
    """A log with a call of every kind that is looked at."""
    log = Log(pid=200)
    own = f"4<TCP:[{SERVER}->{CLIENT}]>"
    log.line(-500, 'execve("./server", ["./server"], 0x7ffd /* 41 vars */) = 0')
    log.listen(-300)
    log.accept(-200, 222)
    log.call(22, "clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD)", "201")
    log.call(23, f"setsockopt({own}, SOL_SOCKET, SO_LINGER, {{l_onoff=1, l_linger=0}}, 8)")
    log.begin(24, f"recvfrom({own}, ")
    waits = f"poll([{{fd={own}, events=POLLIN}}], 1, -1)"
    log.call(25, waits, "1 ([{fd=4, revents=POLLIN}])", pid=201)
    log.resume(33, "recvfrom", '"hello", 4096, 0, NULL, NULL', "5", 9)
    event = "{events=EPOLLIN, data={u32=4, u64=4}}"
    log.call(34, f"epoll_ctl(5<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, {own}, {event})")
    log.call(34.5, f"epoll_wait(5<anon_inode:[eventpoll]>, [{event}], 64, -1)", "1", 0.1)
    log.call(35, f"pselect6(5, [{own} 6<pipe:[7]>], NULL, NULL, NULL, NULL)", "1 (in [4])")
    iov = '{msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="hel", iov_len=3}, {iov_base="lo", '
    log.call(36, f"sendmsg({own}, {iov}iov_len=2}}], msg_iovlen=2, msg_controllen=0}}, 0)", "5")
    log.call(37, f"dup2({own}, 9)", f"9<TCP:[{SERVER}->{CLIENT}]>")
    log.call(38, "fcntl(9, F_DUPFD_CLOEXEC, 20)", "20")
    log.call(39, "close_range(9, 4294967295, 0)")
    log.call(40, "socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP)", "7<UDP:[2]>")
    log.call(41, f"bind(7<UDP:[2]>, {sockaddr('0.0.0.0:4321')}, 16)")
    peer = sockaddr(CLIENT)
    log.call(42, f'recvfrom(7<UDP:[0.0.0.0:4321]>, "hello", 99, 0, {peer}, [128 => 16])', "5", 40)
    log.call(84, f'sendto(7<UDP:[0.0.0.0:4321]>, "hello", 5, 0, {peer}, 16)', "5")
    log.call(85, f"getsockname(7, {sockaddr('[::ffff:127.0.0.1]:4321')}, [128 => 28])")
    log.line(86, "--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=9, si_uid=0} ---")
    log.call(87, f"close({own})")
    log.line(88, "+++ killed by SIGKILL (core dumped) +++")
    log.call(89, "exit_group(0)", "?", pid=201)
    log.line(90, "+++ exited with 0 +++", pid=201)
    return "".join(line + "\n" for line in log.lines).encode()


def spoilt(chance: random.Random, log: bytes) -> bytes:
    """A log with some lines changed, moved, left out, and sometimes its end cut off."""
    lines = log.split(b"\n")
    for _ in range(chance.randint(1, 10)):
        at = chance.randrange(len(lines))
        line = lines[at]
        here, there = (chance.randrange(len(line) + 1) for _ in range(2))
        numbers = list(re.finditer(rb"\d+", line))
        change = chance.randrange(7)
        if change == 0:
            lines.insert(at, lines.pop(chance.randrange(len(lines))))
        elif change == 1:
            lines.insert(at, line)
        elif change == 2:
            line = line[:here] + line[there:]
        elif change == 3:
            line = line[:here] + chance.choice(PIECES) + line[here:]
        elif change == 4 and numbers:
            number = chance.choice(numbers)
            front, back = line[: number.start()], line[number.end():]
            line = front + chance.choice(NUMBERS) + back
        elif change == 5 and b" " in line:
            line = b" ".join([line.split()[0], chance.choice(STAMPS), *line.split()[2:]])
        elif change == 6:
            line = bytes(chance.choice((byte, 0, 255, 34)) for byte in line[:40]) + line[40:]
        if change > 1:
            lines[at] = line
    whole = b"\n".join(lines)
    return whole[: chance.randrange(len(whole) + 1)] if chance.random() < 0.2 else whole


@pytest.fixture
def survives(labcap_sanitized: Path, trace: Path) -> Survives:
    """Show the conversation with logs under the sanitizers; what is printed."""

    def run(logs: Sequence[Path]) -> str:
        chosen: list[Argument] = []
        for log in logs:
            chosen += ["--syscalls", log]
        done = subprocess.run(
            [labcap_sanitized, "show", *chosen, talk().write(trace)],
            capture_output=True, timeout=SANITIZED_DEADLINE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr
        assert done.stderr.count(b"\n") <= 1
        for text in (done.stdout, done.stderr):
            assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", text)
        return done.stdout.decode()

    return run


def files(folder: Path, contents: Iterable[bytes]) -> list[Path]:
    """Logs with these contents."""
    made = []
    for number, content in enumerate(contents):
        made.append(folder / f"{number}.calls")
        made[-1].write_bytes(content)
    return made


def test_the_log_that_the_others_are_made_of_is_read(survives: Survives, tmp_path: Path) -> None:
    shown = survives(files(tmp_path, [varied()]))
    for name in ("accept(3)", "poll", "epoll_wait", "select", "sendmsg", "recvfrom", "SIGTERM"):
        assert name in shown


@pytest.mark.parametrize("seed", range(30))
def test_spoilt_logs(survives: Survives, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    survives(files(tmp_path, (spoilt(chance, varied()) for _ in range(SPOILT_A_RUN))))


def test_a_log_cut_at_every_byte(survives: Survives, tmp_path: Path) -> None:
    whole = varied()
    for start in range(0, len(whole), 400):
        cuts = range(start, min(start + 400, len(whole)), 23)
        survives(files(tmp_path, (whole[:end] for end in cuts)))


def test_lines_without_end_and_brackets_without_end(survives: Survives, tmp_path: Path) -> None:
    front = b"200 1700000000.000024000 "
    lines = [
        front + b"sendmsg(4, " + b"{[(" * 30_000,
        front + b'write(4, "' + b"x" * 2_000_000 + b'", 2000000) = 5 <0.000001>',
        front + b"read(4" + b"<" * 100_000 + b"TCP:[" * 1000,
        front + b"execve(" + b'"a", ' * 20_000,
        front + b"<... recvfrom resumed>" + b'"' * 50_000,
        front + b"poll([" + b"{fd=4, events=POLLIN}, " * 3000 + b"], 3000, -1) = 3000 (["
        + b"{fd=4, revents=POLLIN}, " * 3000,
    ]
    survives(files(tmp_path, [varied() + line + b"\n" + varied() for line in lines]))


def test_what_is_in_a_log_controls_no_terminal(
    survives: Survives, labcap: Labcap, trace: Path, tmp_path: Path
) -> None:
    log = varied().replace(b'"hello"', b'"\x1b]0;x\x07\x9b2J"')
    log = log.replace(b"./server", b"\x1b[31mx")
    paths = files(tmp_path, [log])
    assert "recv" in survives(paths)
    told = labcap("show", "--json", "--syscalls", paths[0], talk().write(trace))
    rows = [one for one in map(json.loads, told.stdout.splitlines()) if one["type"] == "call"]
    assert rows
    for one in rows:
        assert all(text.isascii() and text.isprintable() for text in (one["text"], one["process"]))


def test_a_program_of_many_forks_and_descriptors(survives: Survives, tmp_path: Path) -> None:
    log = Log(pid=1)
    log.call(-900, "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)", "65000<TCP:[1]>")
    for number in range(2, 3000):
        log.call(-900 + number / 10, "clone(child_stack=NULL, flags=SIGCHLD)", str(number), 0.01)
        log.call(-899.95 + number / 10, "dup(65000)", str(60_000 + number), 0.01, pid=number)
    content = "".join(line + "\n" for line in log.lines).encode()
    survives(files(tmp_path, [content + varied()]))


def test_a_log_of_half_a_million_calls_takes_bounded_memory_and_time(
    labcap_binary: Path, trace: Path, tmp_path: Path
) -> None:
    path = tmp_path / "long.calls"
    log = Log(pid=200)
    log.listen(-300)
    log.accept(-200, 222)
    front = "".join(line + "\n" for line in log.lines)
    text = f'recvfrom(4<TCP:[{SERVER}->{CLIENT}]>, "hello", 4096, 0, NULL, NULL) = 5 <0.000001000>'
    second, start = START_NS // 10**9, 24_000
    with path.open("w") as file:
        file.write(front)
        for number in range(500_000):
            file.write(f"200 {second}.{start + number * 1500:09} {text}\n")
    before = time.monotonic()
    done = within_memory(
        labcap_binary, "show", "--json", "--syscalls", path, talk().write(trace)
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - before < 20
    assert "long.calls: is too long: only its first 250000 calls were read" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "trace"
