"""What grading costs: one graded test against the bare cycle, and the whole run of all labs."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from labkit import sandbox
from labkit.paths import LABCAP, LABS, REPO
from labkit.scenario import Scenario

PROGRAMS = LABS / "01-tcp-echo"


def bare_cycle(folder: Path) -> float:
    """Milliseconds of one run of the pair, recorded and checked without the harness."""
    argv = [REPO / "bench" / "bare_cycle", LABCAP, PROGRAMS / "server", PROGRAMS / "client",
            folder / "bare.pcapng"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30)
    return float(done.stdout)


def graded_cycle(work: Path, folder: Path) -> float:
    """Milliseconds of the graded test of the pair, from its network to its end."""
    from test_01_client import test_pair_says_hello

    began = time.perf_counter()
    lab = Scenario(work, lambda name: PROGRAMS / name, folder / "graded.pcapng")
    try:
        test_pair_says_hello(lab)
    finally:
        lab.close()
    return (time.perf_counter() - began) * 1e3


def whole_run(out: Path) -> tuple[float, float]:
    """Seconds of wall clock and of processor time of `harness/grade`."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([REPO / "harness" / "grade", "-o", out], check=True,
                   stdout=subprocess.DEVNULL, timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, used


def row(what: str, value: str, target: str = "") -> None:
    print(f"{what:<46} {value:>9}  {target}".rstrip())


def report(rounds: int) -> None:
    """Measures in ROUNDS pairs and prints the result."""
    bare, graded = [], []
    with tempfile.TemporaryDirectory() as name, sandbox.workspace() as work:
        folder = Path(name)
        bare_cycle(folder), graded_cycle(work, folder)  # the first of each is not counted
        for _ in range(rounds):
            bare.append(bare_cycle(folder))
            graded.append(graded_cycle(work, folder))
        wall, used = zip(*(whole_run(folder / "out") for _ in range(3)))
    ratio = statistics.median(g / b for g, b in zip(graded, bare))
    row("bare cycle, median", f"{statistics.median(bare):.1f} ms")
    row("one graded test, median", f"{statistics.median(graded):.1f} ms")
    row("one graded test / bare cycle, median of pairs", f"{ratio:.2f}", "at most 1.5")
    row(f"all labs graded on {os.cpu_count()} cores, median of 3",
        f"{statistics.median(wall):.1f} s", "under 45 s on 2 cores")
    row("processor time of that", f"{statistics.median(used):.2f} s")
