"""What `labcap record` takes from a transfer that saturates a loopback, and what it loses of it,
beside dumpcap and tcpdump.

Every transfer has a private network of its own. In each round it is made once without a recorder
and once with each, so that a ratio is one of two transfers of the same round."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple, Optional

from labkit.feedback import HarnessError
from labkit.paths import LABCAP
from live_transfer import Transfer

TRANSFER = Path(__file__).with_name("live_transfer.py")
DEADLINE = 60  # seconds of one transfer
OURS, NOBODY = "labcap record", "nobody"
KEPT = re.compile(r"(\d+) packets(?:, \d+ drops| captured)|Packets captured: (\d+)")


class Load(NamedTuple):
    """A transfer: its size in MiB, and how many bytes of each packet are kept (None: all)."""

    title: str
    mtu: int
    offload: bool
    mib: int
    snaplen: Optional[int]


LOADS = [
    Load("MTU 65536, 128 bytes of each packet", 65536, True, 4096, 128),
    Load("MTU 1500, 128 bytes of each packet", 1500, False, 512, 128),
    Load("MTU 1500, whole packets", 1500, False, 512, None),
]


class Recorded(NamedTuple):
    transfer: Transfer
    kept: float  # the part of the packets that is in the file


def private_network() -> list[str]:
    """tcpdump captures as root, or with capabilities that it inherits; as root of a user namespace
    it does not."""
    if os.geteuid() == 0:
        return ["unshare", "-n"]
    return ["unshare", "-Un", "--map-current-user", "--keep-caps"]


def recorders(snaplen: Optional[int], file: Path) -> dict[str, list[str]]:
    """The commands, by name; those that this machine has."""
    short = ["-s", str(snaplen)] if snaplen is not None else []
    commands: dict[str, list[str]] = {
        NOBODY: [],
        OURS: [str(LABCAP), "record", "-i", "lo", "-w", str(file), *short],
        "dumpcap": ["dumpcap", "-q", "-i", "lo", "-w", str(file), *short],
        "tcpdump": ["tcpdump", "-i", "lo", "-w", str(file), *short],
    }
    return {name: command for name, command in commands.items()
            if not command or shutil.which(command[0])}


def transfer(load: Load, recorder: list[str]) -> Recorded:
    """Raises HarnessError where it cannot be made."""
    command = [*private_network(), sys.executable, TRANSFER, load.mtu, int(load.offload), load.mib]
    done = subprocess.run([*map(str, command), *recorder], capture_output=True, text=True,
                          timeout=DEADLINE, check=False)
    if done.returncode != 0:
        raise HarnessError(f"{' '.join(recorder) or 'transfer'}: {done.stderr.strip()}")
    result = Transfer(*json.loads(done.stdout))
    kept = KEPT.search(result.said)
    packets = int(kept[1] or kept[2]) if kept is not None else 0
    return Recorded(result, packets / max(result.packets, 1))


def measure(load: Load, rounds: int, folder: Path) -> dict[str, list[Recorded]]:
    """By recorder, the transfers of all rounds."""
    results: dict[str, list[Recorded]] = {}
    file = folder / "t.pcap"
    for _ in range(rounds):
        for name, command in recorders(load.snaplen, file).items():
            results.setdefault(name, []).append(transfer(load, command))
            file.unlink(missing_ok=True)
    return results


def print_load(load: Load, results: dict[str, list[Recorded]]) -> None:
    alone = [one.transfer.seconds for one in results[NOBODY]]
    gib = load.mib / 1024
    print(f"{load.title}: {gib / statistics.median(alone):.2f} GiB/s with nobody recording")
    print(f"  {'':<16}{'time / nobody':>14}{'processor s/GiB':>17}{'kept':>9}{'least':>9}")
    for name, recorded in results.items():
        if name == NOBODY:
            continue
        ratios = [one.transfer.seconds / without for one, without in zip(recorded, alone)]
        work = statistics.median(one.transfer.recorder_cpu for one in recorded) / gib
        kept = [100 * one.kept for one in recorded]
        print(f"  {name:<16}{statistics.median(ratios):>14.2f}{work:>17.3f}"
              f"{statistics.median(kept):>8.1f}%{min(kept):>8.1f}%")


def report(rounds: int) -> None:
    """Measures all loads in ROUNDS rounds and prints the result."""
    with tempfile.TemporaryDirectory() as name:
        for load in LOADS:
            print_load(load, measure(load, rounds, Path(name)))
    print("labcap is to keep 100 % of the first and at least as much as the others of the rest,\n"
          "and its first ratio is not to be above both of theirs.")
