"""How fast lab 01's servers are, beside echo servers on libuv and on libev.

They all run in one private network (labkit.network), and echo_load is the clients of
all of them: it asks one server after the other, in short turns, and the others sleep
meanwhile. So whatever else the machine does meets all of them alike, and a ratio is one
of two turns of the same round.

A single client and its server never work at the same time. Where the scheduler happens
to put them, on one processor or on two that wake each other up, would matter five times
as much as anything a server does; so with one client all of them share one processor.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import statistics
from pathlib import Path
from typing import Callable, Iterator, NamedTuple, Sequence

from labkit.events import DeadlinePassed, EventLoop
from labkit.feedback import HarnessError
from labkit.network import PrivateNetwork
from labkit.paths import LABS, REPO

TURN_MS = {1: 10, 50: 20, 1000: 40}
"""By the number of clients: milliseconds of one server's turn."""
CLIENTS = tuple(TURN_MS)
CROWD = CLIENTS[-1]
OURS = "server_poll"
LAB_SERVERS = ("server", "server_fork", "server_thread", OURS)
RIVALS = ("echo_uv", "echo_ev")
ONE_AT_A_TIME = "server"

TOOLS = REPO / "bench"
LAB_PROGRAMS = LABS / "01-tcp-echo"
FIRST_PORT = 4321
SPARE_SECONDS = 30.0
"""What may pass besides measuring: to start, to connect the clients, to end."""

PSS = r"""cd /proc && cat $(printf '%s/smaps_rollup ' "$1" $(cat "$1"/task/*/children))"""
"""A shell script: the memory of process $1 and of its children."""


class Child:
    """A process in the private network, and what it writes to stdout."""

    def __init__(
        self, loop: EventLoop, network: PrivateNetwork, argv: Sequence[str], stdin: int
    ) -> None:
        self.name = os.path.basename(argv[0])
        self.said = bytearray()
        self._read_end, write_end = os.pipe()
        try:
            self.process = network.run(argv, [stdin, write_end, 2],
                                       env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"})
        except OSError as error:
            os.close(self._read_end)
            raise HarnessError(f"{argv[0]}: {error.strerror}") from error
        finally:
            os.close(write_end)
        self._loop = loop
        self._watching = True
        loop.watch(self._read_end, selectors.EVENT_READ, self._take)

    def _take(self, _: int) -> None:
        data = os.read(self._read_end, 1 << 16)
        self.said += data
        if not data:
            self.close()

    def wait_for_line(self) -> None:
        """Returns once it has written a line. Raises HarnessError where it does not."""
        self._wait(lambda: b"\n" in self.said or not self._watching)
        if b"\n" not in self.said:
            raise HarnessError(f"{self.name} did not write a line")

    def wait_for_end(self) -> str:
        """Its whole stdout. Raises HarnessError where it does not end with status 0."""
        self._wait(lambda: self.process.status is not None and not self._watching)
        if self.process.status != 0:
            code = os.waitstatus_to_exitcode(self.process.status or 0)
            raise HarnessError(f"{self.name} ended with status {code}, not 0")
        return self.said.decode("ascii", "replace")

    def _wait(self, done: Callable[[], bool]) -> None:
        try:
            self._loop.wait(done)
        except DeadlinePassed:
            raise HarnessError(f"{self.name} took too long") from None

    def close(self) -> None:
        """Reads no more."""
        if self._watching:
            self._watching = False
            self._loop.watch(self._read_end, 0, self._take)
            os.close(self._read_end)


class Stage:
    """A network with servers, and clients for them; all ends with the 'with' statement.

    seconds: what everything in it may take. Raises HarnessError where a program fails.
    """

    def __init__(self, servers: Sequence[Path], seconds: float) -> None:
        self.servers: list[Child] = []
        self.ports: list[str] = []
        with contextlib.ExitStack() as stack:
            self._loop = EventLoop(seconds)
            stack.callback(self._loop.close)
            self._network = PrivateNetwork(self._loop)
            self._children = stack.enter_context(contextlib.ExitStack())
            stack.callback(self._network.close)
            self._null = os.open(os.devnull, os.O_RDONLY)
            stack.callback(os.close, self._null)
            for port, server in enumerate(servers, FIRST_PORT):
                self.ports.append(str(port))
                self.servers.append(self._start([str(server), "-p", str(port)], self._null))
                self.servers[-1].wait_for_line()
            self._stack = stack.pop_all()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def speeds(self, clients: int, turn_ms: int, rounds: int) -> list[list[float]]:
        """For each round: the requests per second of each server."""
        return self.rates([str(TOOLS / "echo_load"), "-c", str(clients),
                           "-t", str(turn_ms), "-r", str(rounds), *self.ports])

    def rates(self, argv: Sequence[str]) -> list[list[float]]:
        """What the program ARGV measures: for each round a figure for each server."""
        return [[float(rate) for rate in line.split()]
                for line in self._output(argv).splitlines()]

    def memory(self) -> int:
        """Bytes that the servers have, with their children, each shared page counted once."""
        total = 0
        for server in self.servers:
            rollups = self._output(["sh", "-c", PSS, "sh", str(server.process.inner_pid)])
            total += 1024 * sum(map(int, re.findall(r"^Pss: +(\d+) kB$", rollups, re.M)))
        return total

    @contextlib.contextmanager
    def idle_clients(self, clients: int) -> Iterator[None]:
        """So many clients of each server, connected, and with one request answered."""
        theirs, ours = os.pipe()
        try:
            load = self._start([str(TOOLS / "echo_load"), "-i", "-c", str(clients),
                                *self.ports], theirs)
            load.wait_for_line()
            yield
        finally:
            os.close(theirs)
            os.close(ours)
        load.wait_for_end()

    def end_servers(self) -> None:
        """Ends them as their user would, and sees that they have been well until then."""
        for server in self.servers:
            server.process.send_signal(signal.SIGTERM)
            server.wait_for_end()

    def _start(self, argv: Sequence[str], stdin: int) -> Child:
        child = Child(self._loop, self._network, argv, stdin)
        self._children.callback(child.close)
        return child

    def _output(self, argv: Sequence[str]) -> str:
        return self._start(argv, self._null).wait_for_end()


class Results(NamedTuple):
    """What was measured: requests per second of each round, and bytes per client."""

    speeds: dict[tuple[str, int], list[float]]
    memory: dict[str, float]

    def ratios(self, server: str, to: str, clients: int) -> list[float]:
        """SERVER's speed in units of TO's, round by round; empty where it was not run."""
        return [a / b for a, b in zip(self.speeds.get((server, clients), []),
                                      self.speeds[to, clients])]


def measure(seconds: float, lab_programs: Path) -> Results:
    """Asks every server for so many SECONDS with each number of clients.

    Raises HarnessError where one is missing or fails.
    """
    servers = [*(lab_programs / name for name in LAB_SERVERS),
               *(TOOLS / name for name in RIVALS)]
    several = [server for server in servers if server.name != ONE_AT_A_TIME]
    results = Results({}, {})
    for server in several:
        results.memory[server.name] = memory_per_client(server)
    for clients, turn_ms in TURN_MS.items():
        asked = servers if clients == 1 else several
        place = one_processor() if clients == 1 else contextlib.nullcontext()
        with place, Stage(asked, 2 * seconds * len(asked) + SPARE_SECONDS) as stage:
            rates = stage.speeds(clients, turn_ms, max(1, round(seconds * 1e3 / turn_ms)))
            stage.end_servers()
        for server, of_server in zip(asked, zip(*rates)):
            results.speeds[server.name, clients] = list(of_server)
    return results


@contextlib.contextmanager
def one_processor() -> Iterator[None]:
    """Confines this process, and those it starts, to one processor."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def memory_per_client(server: Path) -> float:
    """Bytes (proportional set size, PSS) that each of CROWD idle clients costs SERVER."""
    with Stage([server], SPARE_SECONDS) as stage:
        before = stage.memory()
        with stage.idle_clients(CROWD):
            after = stage.memory()
        stage.end_servers()
    return (after - before) / CROWD


def _median(values: Sequence[float], form: Callable[[float], str]) -> str:
    return form(statistics.median(values)) if values else "–"


def _kib(size: float) -> str:
    return f"{size / 1024:.1f} KiB" if size >= 102.4 else "< 0.1 KiB"


def _table(results: Results, cell: Callable[[str, int], str]) -> list[list[str]]:
    """A row for each server: its name, CELL(server, clients) of each, memory."""
    return [
        [server, *(cell(server, clients) for clients in CLIENTS),
         _kib(results.memory[server]) if server in results.memory else "–"]
        for server in (*LAB_SERVERS, *RIVALS)
    ]


def _title(clients: int) -> str:
    return f"{clients:,} client{'s' if clients > 1 else ''}"


def print_markdown(results: Results) -> None:
    """The handout's table: speeds as parts of server_poll's."""
    head = ["program", *map(_title, CLIENTS), "memory per client"]
    rows = _table(results, lambda server, clients: _median(
        results.ratios(server, OURS, clients), "{:.2f}".format))
    rule = ["---", *["---:"] * (len(head) - 1)]
    for row in (head, rule, *([f"`{name}`", *cells] for name, *cells in rows)):
        print(f"| {' | '.join(row)} |")


def print_ratios(title: str, rows: dict[str, list[float]]) -> None:
    """Below TITLE, for each of ROWS: how the ratios of its rounds are spread."""
    print(f"{title:<36}"
          + "".join(f"{part:>8}" for part in ("min", "1/4", "median", "3/4", "max")))
    for name, unsorted in rows.items():
        ratios = sorted(unsorted)
        parts = (ratios[round(part * (len(ratios) - 1) / 4)] for part in range(5))
        print(f"{name:<36}" + "".join(f"{part:>8.2f}" for part in parts))


def print_report(results: Results) -> None:
    """Everything, for a terminal of 80 columns."""
    head = ["requests/s", *map(_title, CLIENTS), "memory/client"]
    rows = _table(results, lambda server, clients: _median(
        results.speeds.get((server, clients), []), "{:,.0f}".format))
    for name, *cells in (head, *rows):
        print(f"{name:<16}" + "".join(f"{cell:>15}" for cell in cells))
    print()
    print_ratios(f"{OURS} to others, in each round", {
        f"/ {rival}, {_title(clients)}": results.ratios(OURS, rival, clients)
        for rival in RIVALS for clients in CLIENTS})
    print("The medians are to be at least 1.00.")
