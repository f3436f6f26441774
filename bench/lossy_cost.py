"""What a network that loses packets costs: each lossy graded test, and the relay itself."""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Iterator, NamedTuple, Optional

from grading_cost import row
from labkit import sandbox
from labkit.feedback import HarnessError, Mismatch
from labkit.grading import test_files
from labkit.paths import HARNESS, LABS
from labkit.scenario import Scenario

sys.path.append(str(HARNESS / "selftest"))

from workbench import LABS_THERE, GradedTest, graded_tests  # noqa: E402

PING_PONGS = 20_000


class Cost(NamedTuple):
    """One graded test on a disturbed network."""

    lab: str
    name: str
    rules: tuple[str, ...]
    seconds: float


def run(lab: str, test: GradedTest, work: Path, trace: Path) -> Cost:
    """One graded test of LAB's own programs, from its network to its end."""
    began = time.perf_counter()
    scenario = Scenario(work, lambda name: LABS / lab / name, trace, hosts=test.hosts)
    try:
        test.run(scenario)
    except Mismatch as wrong:
        raise HarnessError(f"{test.name} failed: {wrong}") from wrong
    finally:
        scenario.close()
    return Cost(lab, test.name, scenario.rules, time.perf_counter() - began)


def lossy(folder: Path) -> Iterator[Cost]:
    """All lossy tests of all labs: those of files that disturb, as far as they do."""
    with sandbox.workspace() as work:
        for lab in LABS_THERE:
            if not any("disturb(" in file.read_text() for file in test_files(lab)):
                continue
            for test in graded_tests(lab).values():
                file = Path(test.function.__code__.co_filename)
                if "disturb(" in file.read_text():
                    cost = run(lab, test, work, folder / "lossy.pcapng")
                    if cost.rules:
                        yield cost


def ping_pongs(folder: Path, rule: Optional[str]) -> float:
    """How many a second, over UDP on the loopback, with RULE or without labwire."""
    with sandbox.workspace() as work:
        lab = Scenario(work, lambda name: work / name, folder / "pings.pcapng", snaplen=64)
        try:
            if rule is not None:
                lab.disturb(rule)
            lab.ready()
            with lab.network.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, \
                    lab.network.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                for sock, port, to in ((one, 6000, 6001), (other, 6001, 6000)):
                    sock.bind(("127.0.0.1", port))
                    sock.connect(("127.0.0.1", to))
                began = time.perf_counter()
                for _ in range(PING_PONGS):
                    one.send(b"ping")
                    other.send(other.recv(64))
                    one.recv(64)
                return PING_PONGS / (time.perf_counter() - began)
        finally:
            lab.close()


def report() -> None:
    """Measures and prints the result."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        costs = list(lossy(folder))
        bare, relayed = ping_pongs(folder, None), ping_pongs(folder, "drop udp to 9 1")
    for cost in costs:
        print(f"{cost.seconds:6.2f} s  {cost.lab[:2]}  {cost.name}")
        print(f"{'':14}{'; '.join(cost.rules)}")
    total = sum(cost.seconds for cost in costs)
    row(f"{len(costs)} lossy tests, one after the other", f"{total:.1f} s")
    row("UDP ping-pongs a second, bare loopback", f"{bare:,.0f}")
    row("through labwire", f"{relayed:,.0f}", "at least 10,000")
