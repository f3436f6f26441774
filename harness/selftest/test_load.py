"""The lab's servers under load: thousands of clients, resets in the middle, slow readers.

The clients are load.c; what they did not hear right ends them. The packets are counted by
labcap alone: to have them read by scapy too would take longer than the load itself.
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from typing import Callable, Iterator, NamedTuple

import pytest
from workbench import Workbench

from labkit import capture, closing_first, echo
from labkit.peer import ESTABLISHED
from labkit.program import Program
from labkit.scenario import Scenario
from labkit.verdict import orderly

SHORT = 10_000
"""Connections in a row; the port numbers of a network are enough for twice as many."""
RUDE, EVERY, SEED = 1000, 7, 20_240_229
"""Clients of which every seventh resets its connection, at moments that the seed decides."""
SLOW, QUICK = 16, 400
SNAPLEN = 96
"""Bytes kept of a packet: all its headers. What it carries is counted by their lengths."""
MEMORY = 256 * 1024
"""Bytes that a server may have grown by, after so many clients."""


class Server(NamedTuple):
    """A server, and what load.c does to it."""

    name: str
    port: int = echo.PORT
    options: tuple[str, ...] = ()
    talk: str = "echo"
    hears: int = len(echo.TEXT)
    says: int = len(echo.TEXT)
    first_closer: str = "client"


def closing_server(server: closing_first.Server, talk: str) -> Server:
    return Server(server.name, server.port, server.options, talk, len(closing_first.MESSAGE),
                  server.says, "server")


ECHOES = [Server(name) for name in echo.SERVERS]
CONCURRENT = [Server(name) for name in echo.CONCURRENT_SERVERS]
EVERYONE = [*ECHOES, closing_server(closing_first.HELLO, "hello"),
            closing_server(closing_first.PROMPT, "prompt")]

Room = Callable[[Path], contextlib.AbstractContextManager[Scenario]]


@pytest.fixture(scope="module")
def load(bench: Workbench) -> Path:
    program = bench.folder("load") / "load"
    source = Path(__file__).parent / "load.c"
    subprocess.run(["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread",
                    "-o", program, source], check=True)
    return program


@pytest.fixture
def room(bench: Workbench, load: Path) -> Room:
    """Makes a scenario of the reference programs and `load`; its trace is whole after it."""
    @contextlib.contextmanager
    def make(trace: Path) -> Iterator[Scenario]:
        with contextlib.closing(Scenario(
            bench.work, lambda name: load if name == "load" else bench.reference / name, trace,
            SNAPLEN,
        )) as lab:
            yield lab
            lab.settle()

    return make


def start(lab: Scenario, server: Server) -> Program:
    return lab.start_server(server.name, *server.options, port=server.port)


def start_load(lab: Scenario, server: Server, clients: int, *options: str) -> Program:
    return lab.start("load", *options, str(server.port), server.talk, str(clients))


def finish(lab: Scenario, load: Program, whole: int, reset: int = 0) -> None:
    """All the clients have heard everything but those that reset."""
    lab.expect_exit(load, 0)
    assert load.stdout.decode() == f"{whole} whole, {reset} reset\n"


def every(servers: list[Server]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("server", servers, ids=[server.name for server in servers])


@every(EVERYONE)
def test_ten_thousand_short_connections(room: Room, tmp_path: Path, server: Server) -> None:
    with room(tmp_path / "trace.pcapng") as lab:
        program = start(lab, server)
        finish(lab, start_load(lab, server, 100), 100)
        before, memory = lab.footprint(program), program.memory().private
        finish(lab, start_load(lab, server, SHORT), SHORT)
        lab.expect_back_to(program, before)
        assert program.memory().private - memory < MEMORY
        assert program.stderr == b""
    assert not capture.check(tmp_path / "trace.pcapng", [
        f"connections={SHORT + 100}", *orderly(server.first_closer),
        f"to_server.bytes={server.hears}", f"to_client.bytes={server.says}",
    ])


@every(EVERYONE)
def test_resets_in_the_middle(room: Room, tmp_path: Path, server: Server) -> None:
    resets = len(range(0, RUDE, EVERY))
    with room(tmp_path / "trace.pcapng") as lab:
        program = start(lab, server)
        before = lab.footprint(program)
        load = start_load(lab, server, RUDE, "-t8", "-b20000", "-r", str(SEED))
        finish(lab, load, RUDE - resets, resets)
        lab.expect_back_to(program, before)
    *flows, _ = capture.flows(tmp_path / "trace.pcapng")
    teardowns = [flow["teardown"] for flow in flows]
    assert len(flows) == RUDE
    assert {teardown["kind"] for teardown in teardowns} == {"fin", "reset"}
    assert {teardown["reset_by"] for teardown in teardowns} == {None, "client"}
    assert RUDE / EVERY / 2 < sum(t["reset_by"] == "client" for t in teardowns) <= resets


@every(ECHOES)
def test_slow_readers(room: Room, tmp_path: Path, server: Server) -> None:
    """Each has a megabyte echoed through a window of a few kilobytes, and others come and go.

    Where clients are served at the same time, the slow ones read nothing before that.
    """
    with room(tmp_path / "trace.pcapng") as lab:
        program = start(lab, server)
        before = lab.footprint(program)
        slow = start_load(lab, server, SLOW, f"-t{SLOW}", "-w4096", "-b1000000", "-e")
        if server in CONCURRENT:
            lab.wait_for(lambda: connected(lab) == SLOW, f"{SLOW} slow readers",
                         lambda: f"{connected(lab)} of them", poll=0.001)
            lab.wait_blocked(slow)
        else:
            slow.close_stdin()
        finish(lab, start_load(lab, server, QUICK, "-t4"), QUICK)
        slow.close_stdin()
        finish(lab, slow, SLOW)
        lab.expect_back_to(program, before)
        assert program.stderr == b""
    assert not capture.check(tmp_path / "trace.pcapng", [
        f"connections={SLOW + QUICK}", *orderly(server.first_closer)])


def connected(lab: Scenario) -> int:
    """How many connections there are: each has two ends here."""
    return len(lab.network.sockets.tcp([ESTABLISHED])) // 2
