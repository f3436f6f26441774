"""How fast labcap reads traces, beside a loop that only reads them and beside other analysers: two
million packets in 8 connections and in a hundred thousand, one after the other in every round, so
that both sides of each ratio come from the same moments.

The targets are for elapsed time, which is what somebody waits for. Processor time stands beside
it: it says the same, as long as nothing else runs, with less noise."""

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


class Took(NamedTuple):
    """Seconds."""

    elapsed: float
    processor: float


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


def run(command: list[Argument]) -> Took:
    """How long a command takes whose output nobody reads; processor time is of user and system."""
    begin = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.monotonic() - begin
    process.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
    if process.returncode != 0:
        raise HarnessError(f"{' '.join(map(str, command))}: exit status {process.returncode}")
    return Took(elapsed, usage.ru_utime + usage.ru_stime)


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


def row(what: str, elapsed: str, processor: str = "", target: str = "") -> None:
    print(f"  {what:<46} {elapsed:>9} {processor:>9}  {target}".rstrip())


def row_of_medians(what: str, these: list[Took]) -> None:
    row(what, f"{statistics.median(took.elapsed for took in these):.3f} s",
        f"{statistics.median(took.processor for took in these):.3f} s")


def row_of_ratios(what: str, these: list[Took], those: list[Took], target: str,
                  digits: int = 2) -> None:
    elapsed = statistics.median(a.elapsed / b.elapsed for a, b in zip(these, those))
    processor = statistics.median(a.processor / b.processor for a, b in zip(these, those))
    row(what, f"{elapsed:.{digits}f}", f"{processor:.{digits}f}", target)


def report_labcap(trace: Trace, path: Path, rounds: int) -> list[Argument]:
    flows: list[Argument] = [LABCAP, "flows", "--json", path]
    commands: dict[str, list[Argument]] = {
        "bare": [HERE / "bare_loop", path],
        "flows": flows,
        "check": [LABCAP, "check", path, *CHECKS],
        "show": [LABCAP, "show", "--max-flows", "200000", path]}  # it forgets none
    took: dict[str, list[Took]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            took[name].append(run(command))
    row_of_medians("bare pcap_next_ex loop", took["bare"])
    row_of_medians("flows --json", took["flows"])
    row_of_ratios("flows --json / bare loop, median of rounds", took["flows"], took["bare"],
                  f"at most {trace.most:.1f}")
    for name in ("check", "show"):
        row_of_ratios(f"{name} / flows --json", took[name], took["flows"], "at most 1.5")
    row("anonymous memory of flows --json", f"{most_memory(flows) / MIB:.0f} MiB", "",
        f"below {MEMORY_MOST}")
    return flows


def report_peer(peer: Peer, flows: list[Argument]) -> None:
    if shutil.which(str(peer.command[0])) is None:
        row(f"{peer.name} / flows --json", "not here")
        return
    theirs, ours = [], []
    for _ in range(peer.runs):
        ours.append(run(flows))
        theirs.append(run(peer.command))
    row_of_ratios(f"{peer.name} / flows --json", theirs, ours, f"at least {peer.least}", digits=0)


def report(rounds: int) -> None:
    """Makes both traces, measures labcap in ROUNDS rounds and the others a few times, prints."""
    (REPO / "out").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=REPO / "out", prefix="bench-") as name:
        for trace in TRACES:
            path = Path(name) / f"{trace.kind}.pcap"
            subprocess.run([HERE / "make_trace", trace.kind, path], check=True)
            row(trace.what, "elapsed", "processor")
            flows = report_labcap(trace, path, rounds)
            for peer in peers(path):
                report_peer(peer, flows)
            path.unlink()
