"""labcap show --syscalls on programs as they really ran: recorded here, in a private network."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Callable

import pytest
from call_order import Checked, check_order
from calls import Json, Labcap
from strace_logs import read_calls
from syscall_scenarios import PAIRS

SCENARIOS = Path(__file__).with_name("syscall_scenarios.py")
DEADLINE = 120
RESETS = {
    "unread": "the server closed with 2 bytes unread",
    "exit_unread": "the server ended with 2 bytes unread",
    "killed_unread": "the server was killed by SIGKILL with 2 bytes unread",
    "linger": "the server closed with SO_LINGER at 0 seconds",
    "closed": "data came after the server had closed",
}

Record = Callable[[str], "Recording"]


@dataclass(frozen=True)
class Recording:
    """What show tells of a recording, with numbers kept exact, and its files."""

    objects: list[Json]
    folder: Path

    @property
    def logs(self) -> list[Path]:
        """What strace wrote."""
        return [self.folder / "server.calls", self.folder / "client.calls"]

    def check(self) -> Checked:
        """The independent reading."""
        return check_order(self.folder / "t.pcapng", self.logs, self.objects)

    def calls(self, name: str) -> list[Json]:
        """The rows of calls with this name."""
        return [one for one in self.objects if one["type"] == "call" and one["name"] == name]

    @property
    def processes(self) -> set[str]:
        """Who called, in words."""
        return {one["process"] for one in self.objects if one["type"] == "call"}


@pytest.fixture(scope="module")
def record(
    labcap: Labcap, labcap_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Record:
    """Play a scenario, the first time that it is asked for."""

    @functools.lru_cache(maxsize=None)
    def run(scenario: str) -> Recording:
        folder = tmp_path_factory.mktemp(scenario)
        done = subprocess.run(
            ["unshare", "-Urn", sys.executable, SCENARIOS, scenario, labcap_binary, folder],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        logs = (folder / "server.calls", folder / "client.calls")
        options = [word for log in logs for word in ("--syscalls", log)]
        shown = labcap("show", "--json", "--all", *options, folder / "t.pcapng")
        assert (shown.returncode, shown.stderr) == (0, "")
        lines = shown.stdout.splitlines()
        return Recording([json.loads(line, parse_float=Decimal) for line in lines], folder)

    return run


@pytest.mark.parametrize("scenario", PAIRS)
def test_nothing_is_received_before_it_came_nor_on_the_wire_before_it_was_sent(
    record: Record, scenario: str
) -> None:
    found = record(scenario).check()
    assert found.wrong == []
    assert found.sends > 0 and found.receives > 0
    assert found.opened > 0 or scenario == "datagrams"


@pytest.mark.parametrize(
    "part, names, step", [("end", ("recv", "accept4", "connect"), -1), ("whole", ("send",), 1)]
)
def test_a_row_in_a_wrong_place_would_be_seen(
    record: Record, part: str, names: tuple[str, ...], step: int
) -> None:
    """The check itself: ends a packet too early, or sends a packet too late."""
    right = record("in_turn")
    numbers = [0, *sorted(one["packet"] for one in right.objects if one["type"] == "packet")]
    moved = []
    for one in right.objects:
        if one["type"] == "call" and one["part"] == part and one["name"] in names:
            place = numbers.index(one["after"]) + step
            one = {**one, "after": numbers[min(max(place, 0), len(numbers) - 1)]}
        moved.append(one)
    assert Recording(moved, right.folder).check().wrong


@pytest.mark.parametrize("scenario", ["in_turn", "forked", "threads", "polled", "six"])
def test_every_call_on_a_connection_has_its_row(record: Record, scenario: str) -> None:
    recording = record(scenario)
    drawn = Counter(
        (one["pid"], one["name"])
        for one in recording.objects
        if one["type"] == "call" and one["part"] != "end" and one["name"] in ("send", "recv")
    )
    made = Counter(
        (call.pid, {"sendto": "send", "recvfrom": "recv"}[call.name])
        for call in read_calls(recording.logs)
        if call.name in ("sendto", "recvfrom")
    )
    assert drawn == made and len(made) >= 2


@pytest.mark.parametrize("scenario", RESETS)
def test_a_reset_has_its_reason(record: Record, scenario: str) -> None:
    packets = [one for one in record(scenario).objects if one["type"] == "packet"]
    resets = [one for one in packets if "RST" in one["flags"]]
    assert RESETS[scenario] in resets[0]["note"]


def test_children_and_threads_are_told_apart(record: Record) -> None:
    assert record("forked").processes == {"", "child"}
    assert record("threads").processes == {"", "thread"}


def test_accept_waits_for_the_handshake(record: Record) -> None:
    begin, end = record("unread").calls("accept4")
    assert (begin["part"], begin["after"], end["part"]) == ("begin", 0, "end")
    assert end["after"] >= 3 and end["result"].startswith("= ")
