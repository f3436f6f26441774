"""What the graded tests of the echo programs, and of others like them, have in common.

Data to send, the marks of a rule that several servers obey, and what several tests do.
"""

from __future__ import annotations

import errno
from typing import Callable, Optional, Sequence

from labkit.feedback import Mismatch, counted
from labkit.grading import Test, graded_each
from labkit.kernel_sockets import ALL_STATES, LISTEN, TIME_WAIT
from labkit.peer import ESTABLISHED, Listener, Peer, tcp_state
from labkit.program import Program
from labkit.repeated import repeated
from labkit.scenario import Scenario

PORT = 4321
TEXT = b"hello, network\n"
BINARY = bytes([*range(128, 256), *range(128)]) * 8
BIG = repeated(bytes(i * 7 % 251 for i in range(251)), 1 << 20)
"""1 MiB: more than all buffers between two programs hold together."""

CONCURRENT_SERVERS = ("server_fork", "server_thread", "server_poll")
SERVERS = ("server", *CONCURRENT_SERVERS)

WRONG_PORTS = {"port-65536": ["-p", "65536"], "port--1": ["-p", "-1"], "port-80x": ["-p", "80x"],
               "port-2^32+4321": ["-p", "4294971617"], "port-empty": ["-p", ""],
               "port-0xb26f": ["-p", "0xb26f"], "port-+45998": ["-p", "+45998"]}


_FIN_WAIT_1 = 4
"""The state of tcp(7), TCP_INFO, in which a FIN has been sent and not acknowledged yet."""
_CONNECTED = [state for state in ALL_STATES if state not in (LISTEN, TIME_WAIT)]


# -- Which server a rule is for ----------------------------------------------


def for_every_server(
    *, step: int, points: int, fork: int = 20, thread: int = 23, poll: int = 26
) -> Callable[[Test], Test]:
    """A rule of all four echo servers: STEP and POINTS are those of `server`.

    fork, thread, poll: the steps of the other three, each of which has 1 point for it.
    """
    steps = {"server": step, "server_fork": fork, "server_thread": thread, "server_poll": poll}
    return graded_each(SERVERS, step=steps, points={**dict.fromkeys(steps, 1), "server": points})


def for_concurrent_servers(
    *, points: int, fork: int = 20, thread: int = 23, poll: int = 26
) -> Callable[[Test], Test]:
    """A rule of the three that serve many clients at once, worth POINTS for each of them."""
    steps = {"server_fork": fork, "server_thread": thread, "server_poll": poll}
    return graded_each(CONCURRENT_SERVERS, step=steps, points=points)


# -- What several tests do ---------------------------------------------------


def expect_usage_error(lab: Scenario, name: str, arguments: Sequence[str]) -> None:
    """The program prints a usage line to stderr, nothing to stdout, and exits with 2."""
    program = lab.start(name, *arguments, stdin=b"")
    lab.expect_exit(program, 2, cause="usage")
    lab.expect_complaint(program, r"usage: ")
    lab.expect_silence(program)


def finish(lab: Scenario, client: Program) -> None:
    """The client exits with 0, and stdout has had the echo and nothing else."""
    lab.expect_exit(client, 0)
    lab.expect_silence(client)


def talk(peer: Peer, line: bytes = TEXT, cause: Optional[str] = None) -> None:
    """A line goes out and comes back; if it does not, CAUSE is why."""
    peer.send(line)
    peer.expect(line, cause=cause)


def leave(peer: Peer, cause: Optional[str] = None) -> None:
    """The client closes first, the server then; if it does not, CAUSE is why."""
    peer.half_close()
    peer.expect_eof(cause=cause)


def echo_once(peer: Peer, cause: Optional[str] = None) -> None:
    """A line goes out and comes back, then both sides close, the client first."""
    talk(peer, cause=cause)
    leave(peer, cause=cause)


def echo_after(lab: Scenario, cause: str) -> None:
    """The server still serves; if it does not, CAUSE is why."""
    peer = lab.connect(PORT, label="the next client", cause=cause)
    echo_once(peer, cause=cause)
    peer.close()


def half_close(peer: Peer) -> None:
    """PEER sends its FIN and reads on; where there was a reset, that is found later."""
    try:
        peer.half_close()
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise


def break_off(lab: Scenario, peer: Peer) -> None:
    """PEER sends a reset; when this returns, the other side's kernel has taken it in."""
    port = peer.port

    def connected() -> bool:
        return any(e.remote[1] == port for e in lab.network.sockets.tcp(_CONNECTED))

    peer.reset()
    lab.wait_for(lambda: not connected(), f"a reset of {peer.label} ends its connection",
                 lambda: "the connection is still there", poll=0.0005)


def vanish(lab: Scenario, peer: Peer) -> None:
    """PEER sends its FIN and then a reset; when this returns, both have been taken in.

    What it sent before can still be read. To send to it now fails with EPIPE, where a reset
    alone would first be told as ECONNRESET, which raises no SIGPIPE.
    """
    half_close(peer)
    lab.wait_for(lambda: tcp_state(peer.sock) not in (ESTABLISHED, _FIN_WAIT_1),
                 f"the FIN of {peer.label} is acknowledged", lambda: "it was not", poll=0.0005)
    break_off(lab, peer)


def is_answered(peer: Peer, line: bytes, cause: Optional[str] = None) -> bool:
    """Whether LINE, which was sent, comes back; False where the server refuses the client.

    It must do one or the other; CAUSE is why it does not.
    """
    try:
        peer.expect(line, cause=cause)
    except Mismatch:
        if peer.received or not (peer.eof or peer.was_reset):
            raise
        return False
    return True


def serve_once(
    lab: Scenario, listener: Listener, data: bytes, cause: Optional[str] = None
) -> None:
    """A scripted echo server for one client that sends DATA and half-closes."""
    peer = lab.accept(listener, cause=cause)
    peer.expect(data, cause=cause)
    peer.send(data)
    peer.expect_eof(cause="no-half-close")
    peer.close()
    listener.close()


def expect_arrivals(lab: Scenario, server: Program, peers: Sequence[Peer]) -> None:
    """Stdout has a line for each of PEERS, and no other, in whatever order.

    That the server listens was printed and read before.
    """
    wanted = sorted(f"connection from 127.0.0.1 port {peer.port}" for peer in peers)
    lab.wait_for(lambda: server.stdout.count(b"\n") >= len(wanted) or server.output_ended,
                 f"`{server.command}` prints {counted(len(wanted), 'line')}, one for each client",
                 lambda: f"{counted(server.stdout.count(10), 'line')} on stdout", "lines-lost")
    got = sorted(bytes(server.stdout).decode(errors="replace").splitlines())
    if got != wanted:
        wrong = next(line for line in [*got, "nothing"] if line not in wanted or
                     got.count(line) > 1)
        raise Mismatch(expected=f"`{server.command}` prints one line for each client",
                       seen=f"on stdout: `{wrong}`", cause="messages")
    server.stdout.clear()
