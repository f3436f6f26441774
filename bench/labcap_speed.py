"""How fast labcap reads traces, beside a loop that only reads them and beside other analysers: two
million packets in 8 connections and in a hundred thousand, in processor seconds, one after the
other in every round, so that both sides of each ratio come from the same moments."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Optional, Union

from labkit.feedback import HarnessError
from labkit.paths import LABCAP

HERE = Path(__file__).resolve().parent
REPO = HERE.parent
PEER_ARGUS = REPO / "out" / "peers" / "argus-server" / "usr" / "sbin" / "argus"
SAMPLE_S = 0.002
MIB = 1 << 20

Argument = Union[str, Path]


class Trace(NamedTuple):
    """`kind` as make_trace has it; the most that flows may take of the bare loop."""

    kind: str
    what: str
    most: float


class Peer(NamedTuple):
    """Another analyser: how often it is run, and the least that it takes of flows."""

    name: str
    command: list[Argument]
    runs: int
    least: int


TRACES = [Trace("long", "2,000,000 packets in 8 connections", 1.0),
          Trace("short", "2,000,000 packets in 100,000 connections", 2.0)]
CHECKS = ["teardown.kind=fin", "handshake.complete=true", "to_server.missing_bytes=0"]
MEMORY_MOST = 64


def processor_seconds(command: list[Argument]) -> float:
    """User and system time of a command whose output nobody reads."""
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
    if process.returncode != 0:
        raise HarnessError(f"{' '.join(map(str, command))}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def anonymous_bytes(pid: int) -> int:
    """What the process has now, without pages of files; 0 when it has gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(sizes[0]) * 1024 if sizes else 0


def most_memory(command: list[Argument]) -> int:
    """The most anonymous bytes that a look every SAMPLE_S seconds has seen."""
    most = 0
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, anonymous_bytes(process.pid))
            time.sleep(SAMPLE_S)  # between two looks; nothing tells when memory grows
    return most


def find_argus() -> Optional[Path]:
    found = shutil.which("argus")
    return Path(found) if found else PEER_ARGUS if PEER_ARGUS.exists() else None


def peers(path: Path) -> list[Peer]:
    return [Peer("argus", [find_argus() or "argus", "-X", "-r", path, "-w", "-"], 3, 10),
            Peer("tcptrace", ["tcptrace", "-n", path], 2, 30),
            Peer("tshark -z conv,tcp", ["tshark", "-n", "-q", "-z", "conv,tcp", "-r", path], 1,
                 100)]


def row(what: str, value: str, target: str = "") -> None:
    print(f"  {what:<50} {value:>9}  {target}".rstrip())


def ratio(these: list[float], those: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(these, those))


def report_labcap(trace: Trace, path: Path, rounds: int) -> list[Argument]:
    flows: list[Argument] = [LABCAP, "flows", "--json", path]
    commands: dict[str, list[Argument]] = {
        "bare": [HERE / "bare_loop", path],
        "flows": flows,
        "check": [LABCAP, "check", path, *CHECKS],
        "show": [LABCAP, "show", "--max-flows", "200000", path]}  # it forgets none
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            took[name].append(processor_seconds(command))
    row("bare pcap_next_ex loop", f"{statistics.median(took['bare']):.3f} s")
    row("flows --json", f"{statistics.median(took['flows']):.3f} s")
    row("flows --json / bare loop, median of rounds", f"{ratio(took['flows'], took['bare']):.2f}",
        f"at most {trace.most:.1f}")
    for name in ("check", "show"):
        row(f"{name} / flows --json", f"{ratio(took[name], took['flows']):.2f}", "at most 1.5")
    row("anonymous memory of flows --json", f"{most_memory(flows) / MIB:.0f} MiB",
        f"below {MEMORY_MOST}")
    return flows


def report_peer(peer: Peer, flows: list[Argument]) -> None:
    if shutil.which(str(peer.command[0])) is None:
        row(f"{peer.name} / flows --json", "not here")
        return
    theirs, ours = [], []
    for _ in range(peer.runs):
        ours.append(processor_seconds(flows))
        theirs.append(processor_seconds(peer.command))
    row(f"{peer.name} / flows --json", f"{ratio(theirs, ours):.0f}", f"at least {peer.least}")


def report(rounds: int) -> None:
    """Makes both traces, measures labcap in ROUNDS rounds and the others a few times, prints."""
    (REPO / "out").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=REPO / "out", prefix="bench-") as name:
        for trace in TRACES:
            path = Path(name) / f"{trace.kind}.pcap"
            subprocess.run([HERE / "make_trace", trace.kind, path], check=True)
            print(trace.what)
            flows = report_labcap(trace, path, rounds)
            for peer in peers(path):
                report_peer(peer, flows)
            path.unlink()
