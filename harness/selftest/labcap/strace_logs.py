"""Logs of strace: made line by line with a known truth, and read a second time.

The reader shares nothing with labcap's: it knows the form that the tests record
with (`-f -yy`, nanoseconds) and no other, and trusts what it reads.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional, Sequence

from traces import START_NS

RECORDED = [
    "strace",
    "--seccomp-bpf",
    "-f",
    "-yy",
    "-s",
    "64",
    "--absolute-timestamps=format:unix,precision:ns",
    "--syscall-times=ns",
    "-e",
    "trace=%network,read,write,readv,writev,close,dup,dup2,dup3,fcntl,poll,select,pselect6,"
    "epoll_ctl,epoll_wait,fork,vfork,clone,clone3,execve,exit,exit_group",
]
SERVER = "127.0.0.1:4321"
CLIENT = "127.0.0.1:39870"


# ---- Made


def sockaddr(end: str) -> str:
    """An address as strace writes it."""
    address, port = end.rsplit(":", 1)
    if ":" in address:
        return (
            f"{{sa_family=AF_INET6, sin6_port=htons({port}), sin6_flowinfo=htonl(0), "
            f'inet_pton(AF_INET6, "{address.strip("[]")}", &sin6_addr), sin6_scope_id=0}}'
        )
    return f'{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{address}")}}'


@dataclass
class Log:
    """A log in the making; times are in microseconds since the trace's first packet."""

    pid: int = 100
    yy: bool = True
    stamp: str = "{seconds}.{nanoseconds:09}"
    durations: bool = True
    pids: bool = True
    lines: list[str] = field(default_factory=list)

    def line(self, at: float, text: str, pid: Optional[int] = None) -> None:
        """A line of strace's, with stamp and pid."""
        ns = START_NS + round(at * 1000)
        stamp = self.stamp.format(
            seconds=ns // 10**9, nanoseconds=ns % 10**9, microseconds=ns % 10**9 // 1000
        )
        front = f"{pid or self.pid:<5} " if self.pids else ""
        self.lines.append(f"{front}{stamp} {text}")

    def call(
        self,
        at: float,
        text: str,
        result: str = "0",
        took: float = 1,
        pid: Optional[int] = None,
    ) -> None:
        """A call on one line: name(arguments)."""
        self.line(at, f"{text} = {result}{self._duration(took)}", pid)

    def begin(self, at: float, text: str, pid: Optional[int] = None) -> None:
        """The first half of a call: name(arguments, without the bracket that ends them."""
        self.line(at, f"{text} <unfinished ...>", pid)

    def resume(
        self, at: float, name: str, rest: str, result: str, took: float, pid: Optional[int] = None
    ) -> None:
        """The second half of a call."""
        self.line(at, f"<... {name} resumed>{rest}) = {result}{self._duration(took)}", pid)

    def _duration(self, took: float) -> str:
        return f" <{took / 1e6:.9f}>" if self.durations else ""

    def fd(self, number: int, about: str) -> str:
        """A descriptor, with what -yy writes behind it."""
        return f"{number}<{about}>" if self.yy else str(number)

    def write(self, path: Path) -> Path:
        """The log as a file."""
        path.write_text("".join(line + "\n" for line in self.lines))
        return path

    # ---- What programs do

    def listen(self, at: float, end: str = SERVER, fd: int = 3) -> None:
        """socket, bind, listen: 30 microseconds."""
        made = self.fd(fd, "TCP:[11]")
        self.call(at, "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)", made)
        self.call(at + 10, f"bind({made}, {sockaddr(end)}, 16)")
        self.call(at + 20, f"listen({self.fd(fd, f'TCP:[{end}]')}, 5)")

    def accept(
        self, at: float, took: float, *, server: str = SERVER, client: str = CLIENT, fd: int = 4
    ) -> None:
        """accept: the call that returns `fd`."""
        new = self.fd(fd, f"TCP:[{server}->{client}]")
        self.call(
            at,
            f"accept({self.fd(3, f'TCP:[{server}]')}, {sockaddr(client)}, [128 => 16])",
            new,
            took,
        )

    def connect(self, at: float, took: float, *, server: str = SERVER, result: str = "0") -> None:
        """socket and, 10 microseconds later, connect."""
        made = self.fd(3, "TCP:[12]")
        self.call(at - 10, "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)", made)
        self.call(at, f"connect({made}, {sockaddr(server)}, 16)", result, took)

    def send(self, at: float, fd: str, data: str, took: float = 1, **more: Optional[int]) -> None:
        """send() of a text that needs no escapes."""
        size = len(data)
        self.call(at, f'sendto({fd}, "{data}", {size}, 0, NULL, 0)', str(size), took, **more)

    def recv(self, at: float, fd: str, data: str, took: float = 1, **more: Optional[int]) -> None:
        """recv() of a text that needs no escapes; "" is the end of the stream."""
        text = f'recvfrom({fd}, "{data}", 4096, 0, NULL, NULL)'
        self.call(at, text, str(len(data)), took, **more)


# ---- Read


@dataclass(frozen=True)
class Call:
    """A call of a recorded log; times in ns since 1970."""

    pid: int
    name: str
    arguments: str
    result: Optional[str]
    begin_ns: int
    end_ns: int

    @property
    def value(self) -> int:
        """The number that it returned; -1 where it did not."""
        found = re.match(r"-?\d+", self.result or "")
        return int(found[0]) if found else -1

    def end_points(self) -> Optional[tuple[str, str]]:
        """The two ends of the connection that its first descriptor is, own end first."""
        found = re.match(r"\d+<TCP(?:v6)?:\[(\S+?)->(\S+?)\]>", self.arguments)
        return (found[1], found[2]) if found else None


LINE = re.compile(r"(?P<pid>\d+) +(?P<s>\d+)\.(?P<ns>\d{9}) (?P<rest>.*)")
WHOLE = re.compile(r"(?P<name>\w+)\((?P<args>.*?)\) += (?P<result>[^<].*?|\?.*?)"
                   r"(?: <(?P<took>\d+\.\d{9})>)?$")  # fmt: skip
BEGUN = re.compile(r"(?P<name>\w+)\((?P<args>.*?) <(?:unfinished|detached) \.\.\.>$")
ENDED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)$")


def read_calls(paths: Sequence[Path]) -> Iterator[Call]:
    """The calls of logs recorded with RECORDED, each log in its own order."""
    for path in paths:
        begun: dict[int, tuple[str, int]] = {}
        for text in path.read_text().splitlines():
            if text.startswith("strace: "):
                continue
            found = LINE.fullmatch(text)
            assert found is not None, text
            pid, rest = int(found["pid"]), found["rest"]
            stamp = int(found["s"]) * 10**9 + int(found["ns"])
            if rest.startswith(("+++", "---")):
                continue
            half, resumed = BEGUN.fullmatch(rest), ENDED.fullmatch(rest)
            if half is not None:
                begun[pid] = (f"{half['name']}({half['args']}", stamp)
                continue
            if resumed is not None:
                front, stamp = begun.pop(pid)
                rest = front + resumed["rest"]
            yield _whole(pid, stamp, rest)
        for pid, (front, stamp) in begun.items():
            name, arguments = front.split("(", 1)
            yield Call(pid, name, arguments, None, stamp, stamp)


def _whole(pid: int, stamp: int, text: str) -> Call:
    found = WHOLE.fullmatch(text)
    assert found is not None, text
    took = int(found["took"].replace(".", "")) if found["took"] else 0
    return Call(pid, found["name"], found["args"], found["result"], stamp, stamp + took)
