"""Programs under strace and a recorder, inside a private network.

Run as a program: `unshare -Urn python3 syscall_scenarios.py SCENARIO LABCAP FOLDER`, which leaves
t.pcapng, server.calls and client.calls in FOLDER. A server says `ready` when it can be called,
and each program ends by itself; nothing is waited for but that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from record_scenarios import Outcome, Recorder
from strace_logs import RECORDED

DEADLINE = 30  # seconds

SERVE = """
import os, select, socket, struct, sys, threading
listener = socket.create_server(("127.0.0.1", 4321))
print("ready", flush=True)
"""
CALL = """
import select, socket
own = socket.create_connection(("127.0.0.1", 4321))
"""
ECHO = """
def echo(conn):
    while data := conn.recv(4096):
        conn.sendall(data)
    conn.close()
"""
THREE_CALLS = """
import socket
for number in range(3):
    own = socket.create_connection(("127.0.0.1", 4321))
    for part in (b"one", b"two and more", b"three" * 100):
        own.sendall(part)
        got = b""
        while len(got) < len(part):
            got += own.recv(64)
    own.shutdown(socket.SHUT_WR)
    assert own.recv(1) == b""
    own.close()
"""


class Pair(NamedTuple):
    """Two programs in Python."""

    server: str
    client: str


PAIRS = {
    "in_turn": Pair(SERVE + ECHO + "for _ in range(3): echo(listener.accept()[0])", THREE_CALLS),
    "forked": Pair(
        SERVE + ECHO + """
children = []
for _ in range(3):
    conn, _ = listener.accept()
    if (child := os.fork()) == 0:
        listener.close()
        echo(conn)
        os._exit(0)
    conn.close()
    children.append(child)
for child in children:
    os.waitpid(child, 0)
""",
        THREE_CALLS,
    ),
    "threads": Pair(
        SERVE + ECHO + """
threads = [threading.Thread(target=echo, args=(listener.accept()[0],)) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
""",
        """
import socket
ends = [socket.create_connection(("127.0.0.1", 4321)) for _ in range(3)]
for own in ends:
    own.sendall(b"hello")
for own in ends:
    assert own.recv(5) == b"hello"
    own.close()
""",
    ),
    "polled": Pair(
        SERVE + """
poll, open_ = select.epoll(), {}
poll.register(listener, select.EPOLLIN)
served = 0
while served < 3:
    for fd, _ in poll.poll():
        if fd == listener.fileno():
            conn, _ = listener.accept()
            open_[conn.fileno()] = conn
            poll.register(conn, select.EPOLLIN)
        elif data := open_[fd].recv(4096):
            open_[fd].sendall(data)
        else:
            poll.unregister(fd)
            open_.pop(fd).close()
            served += 1
""",
        THREE_CALLS,
    ),
    "both_ways": Pair(
        SERVE + """
conn, _ = listener.accept()
got = 0
while data := conn.recv(65536):
    got += len(data)
conn.sendall(b"x" * got)
conn.close()
""",
        """
import select, socket
own = socket.socket()
own.setblocking(False)
assert own.connect_ex(("127.0.0.1", 4321)) in (0, 115)
poll = select.poll()
poll.register(own, select.POLLOUT)
poll.poll()
own.setblocking(True)
own.sendall(b"y" * 1_000_000)
own.shutdown(socket.SHUT_WR)
got = 0
while data := own.recv(10_000):
    got += len(data)
assert got == 1_000_000
""",
    ),
    "unread": Pair(
        SERVE + "conn, _ = listener.accept()\nconn.recv(3)\nconn.close()",
        CALL + "own.sendall(b'hello')\ntry: own.recv(9)\nexcept ConnectionResetError: pass",
    ),
    "exit_unread": Pair(
        SERVE + "conn, _ = listener.accept()\nconn.recv(3)\nos._exit(0)",
        CALL + "own.sendall(b'hello')\ntry: own.recv(9)\nexcept ConnectionResetError: pass",
    ),
    "killed_unread": Pair(
        SERVE + "conn, _ = listener.accept()\nconn.recv(3)\nos.kill(os.getpid(), 9)",
        CALL + "own.sendall(b'hello')\ntry: own.recv(9)\nexcept ConnectionResetError: pass",
    ),
    "linger": Pair(
        SERVE + """
conn, _ = listener.accept()
conn.recv(5)
conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
conn.close()
""",
        CALL + "own.sendall(b'hello')\ntry: own.recv(9)\nexcept ConnectionResetError: pass",
    ),
    "closed": Pair(
        SERVE + "conn, _ = listener.accept()\nconn.close()\nlistener.accept()",
        CALL + "assert own.recv(9) == b''\nown.sendall(b'hello')\n"
        "socket.create_connection(('127.0.0.1', 4321))",
    ),
    "six": Pair(
        """
import socket
listener = socket.create_server(("::", 4321), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
for _ in range(2):
    conn, _ = listener.accept()
    conn.sendall(conn.recv(99))
    conn.close()
""",
        """
import socket
for address in ("127.0.0.1", "::1"):
    own = socket.create_connection((address, 4321))
    own.sendall(b"hello")
    assert own.recv(9) == b"hello"
    own.close()
""",
    ),
    "datagrams": Pair(
        """
import socket
own = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
own.bind(("::", 4321))
print("ready", flush=True)
for _ in range(9):
    data, peer = own.recvfrom(99)
    own.sendto(data, peer)
""",
        """
import socket
for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    own = socket.socket(family, socket.SOCK_DGRAM)
    for number in range(3):
        own.sendto(b"number %d" % number, (address, 4321))
        assert own.recvfrom(99)[0] == b"number %d" % number
own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
own.connect(("127.0.0.1", 4321))
for number in range(3):
    own.sendmsg([b"connected %d" % number])
    assert own.recvmsg(99)[0] == b"connected %d" % number
""",
    ),
}


def traced(program: str, log: Path) -> subprocess.Popen[str]:
    """A program in Python under strace."""
    interpreter = [sys.executable, "-I", "-S", "-c", program]
    return subprocess.Popen(
        [*RECORDED, "-qq", "-o", log, *interpreter], stdout=subprocess.PIPE, text=True
    )


def play(pair: Pair, labcap: Path, folder: Path) -> Outcome:
    """The server, then the client; the recorder stops when both have ended."""
    outcome = Outcome()
    recorder = Recorder(labcap, str(folder / "t.pcapng"))
    server = traced(pair.server, folder / "server.calls")
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    client = traced(pair.client, folder / "client.calls")
    assert client.wait(DEADLINE) == 0
    server.wait(DEADLINE)
    recorder.stop(outcome)
    return outcome


def main() -> None:
    """Play the scenario that the command line names."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    outcome = play(PAIRS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3]))
    assert outcome.statuses == [0], outcome


if __name__ == "__main__":
    main()
