"""What the graded tests of hello_server and prompt_server, which close first, have in common."""

from __future__ import annotations

import re
from typing import Callable, NamedTuple, Optional

from labkit.feedback import Mismatch, counted
from labkit.grading import Test, graded_each
from labkit.peer import CLOSED, ESTABLISHED, Peer, describe, tcp_state
from labkit.program import Program
from labkit.repeated import repeated
from labkit.scenario import Scenario

MESSAGE = b"hello\n"
"""A message to hello_server; to prompt_server, all that one round can take."""
MORE = repeated(bytes(i * 7 % 251 for i in range(251)), 100_000)
"""More than either server asks for, and than a window holds that nobody reads."""

_CONNECTION = re.compile(rb"connection from \S+ port \d+\n")
_OPENING = b"connection from "


class Server(NamedTuple):
    """A server, and a whole conversation with it when it is started with OPTIONS."""

    name: str
    port: int
    options: tuple[str, ...]
    greeting: bytes
    answer: bytes
    """To MESSAGE; then comes the FIN."""
    prints: bytes
    """Of MESSAGE."""
    patience: float
    """Seconds that it waits for the client's FIN after its own."""

    @property
    def says(self) -> int:
        """Bytes it sends in the whole conversation."""
        return len(self.greeting + self.answer)


HELLO = Server("hello_server", 8000, (), b"", b"Hello, you are connected!\n",
               b"received: " + MESSAGE, 10.0)
PROMPT = Server("prompt_server", 55555, ("-n", "1"), b"welcome !!!\n", b"Please enter the data:",
                b"round 1: 6 bytes, 6 in all\n", 5.0)
SERVERS = {server.name: server for server in (HELLO, PROMPT)}


def for_both(*, hello: int, prompt: int = 31, points: int) -> Callable[[Test], Test]:
    """A rule of both servers, worth POINTS for each: a test with an argument `program`.

    hello, prompt: the step that it judges.
    """
    steps = {HELLO.name: hello, PROMPT.name: prompt}
    return graded_each(sorted(steps), step=steps, points=points)


# -- A conversation ------------------------------------------------------------


def start(lab: Scenario, server: Server, *args: str, cause: Optional[str] = None) -> Program:
    """Starts SERVER for conversations of one answer, at its own port."""
    return lab.start_server(server.name, *server.options, *args, port=server.port, cause=cause)


def connect(
    lab: Scenario, server: Server, label: str = "the test's client", cause: Optional[str] = None
) -> Peer:
    """A client of SERVER that has read its greeting; if none comes, CAUSE is why."""
    peer = lab.connect(server.port, label=label, cause=cause)
    expect_said(peer, server.greeting, cause)
    return peer


def expect_said(peer: Peer, data: bytes, cause: Optional[str] = None) -> None:
    """DATA is what the server says next; if it says nothing, CAUSE is why."""
    try:
        peer.expect(data, cause)
    except Mismatch as error:
        if not peer.received and not peer.eof:
            raise
        raise Mismatch(error.expected, error.seen, cause or "messages") from None


def converse(peer: Peer, server: Server, cause: Optional[str] = None) -> None:
    """The message, its answer and the server's FIN; where one does not come, CAUSE is why."""
    peer.send(MESSAGE)
    expect_said(peer, server.answer, cause)
    peer.expect_eof(cause or "first-closer")


def whole(
    lab: Scenario, server: Server, label: str = "the test's client", cause: Optional[str] = None
) -> None:
    """A client comes, has the whole conversation and leaves."""
    peer = connect(lab, server, label, cause)
    converse(peer, server, cause)
    peer.close()


def wait_for_the_fin(lab: Scenario) -> None:
    """Waits until a FIN, or a reset, has arrived in every connection; reads nothing."""
    lab.wait_for(lambda: not lab.network.sockets.tcp([ESTABLISHED]), "the server's FIN",
                 lambda: "it did not come", "first-closer", poll=0.001)


def wait_until_given_up(lab: Scenario, peer: Peer, server: Server) -> None:
    """The server closes in the end, however much PEER, which never closes, still says."""

    def given_up() -> bool:
        if tcp_state(peer.sock) != CLOSED:
            peer.start_sending(b"x")
        return tcp_state(peer.sock) == CLOSED

    lab.wait_for(given_up, f"{server.patience:.0f} s after its FIN the server waits no longer",
                 lambda: "it still takes what the client sends", "waits-for-ever", poll=0.1)


def send_after_the_fin(peer: Peer, data: bytes) -> None:
    """DATA, sent after the server's FIN: the server must take it, and not answer with a reset."""
    peer.send(data)
    peer.wait_acknowledged()
    if tcp_state(peer.sock) == CLOSED:
        raise Mismatch(
            expected="after its FIN the server still takes what the client sends",
            seen=f"{counted(len(data), 'byte')} sent after it were answered with a reset",
            cause="closes-both",
        )


# -- What is printed -----------------------------------------------------------


def expect_printed(
    lab: Scenario, program: Program, data: bytes, cause: Optional[str] = None
) -> None:
    """DATA is next on stdout, besides lines that tell of connections."""

    def told() -> bool:
        while found := _CONNECTION.match(program.stdout):
            del program.stdout[: found.end()]
        got = bytes(program.stdout[: len(data)])
        begun = data.startswith(got) or _OPENING.startswith(bytes(program.stdout[: len(_OPENING)]))
        return got == data or not begun

    def seen() -> str:
        return f"on stdout: {describe(bytes(program.stdout))}"

    expected = f"`{program.command}` prints {describe(data)}"
    lab.wait_for(lambda: told() or program.output_ended, expected, seen,
                 lambda: (cause or "messages") if program.stdout else "stdout-not-flushed")
    if not program.stdout.startswith(data):
        raise Mismatch(expected, seen(), cause or "messages")
    del program.stdout[: len(data)]
