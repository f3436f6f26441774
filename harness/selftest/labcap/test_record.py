"""labcap record: when it says ready nothing is missed, when it is stopped nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Callable

import pytest
from record_scenarios import BURST, Outcome
from scapy.layers.inet import UDP
from scapy.utils import PcapNgReader, RawPcapNgReader

SCENARIOS = Path(__file__).with_name("record_scenarios.py")
DEADLINE = 60
OWN_NETWORK = ("unshare", "-Urn")
OWN_NETWORK_AND_MOUNTS = ("unshare", "-Urnm")
WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")

Run = Callable[..., Outcome]


@pytest.fixture
def run(labcap_binary: Path, tmp_path: Path) -> Run:
    """Play a scenario in a network of its own; what came of it."""

    def play(
        scenario: str,
        *wrap: str,
        inside: tuple[str, ...] = OWN_NETWORK,
    ) -> Outcome:
        done = subprocess.run(
            [*inside, *wrap, sys.executable, SCENARIOS, scenario, labcap_binary, tmp_path],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Outcome(**json.loads(done.stdout))

    return play


def records_of(file: str) -> list[tuple[bytes, Any]]:
    """The frames of a pcapng file and what stands beside each, as scapy reads it."""
    with closing(RawPcapNgReader(file)) as reader:
        return list(reader)


def packets_in(file: str) -> list[bytes]:
    """The frames of a pcapng file."""
    return [frame for frame, _ in records_of(file)]


def only(outcome: Outcome, packets: int, drops: int = 0, status: int = 0) -> str:
    """Check that one recorder ended so, and that its file agrees; the file."""
    assert outcome.errors == [f"{packets} packets, {drops} drops\n"]
    assert outcome.statuses == [status]
    assert len(packets_in(outcome.files[0])) == packets
    return outcome.files[0]


# ---- Nothing is missed


def test_a_burst_between_ready_and_sigterm_is_recorded_whole_each_time(run: Run) -> None:
    outcome = run("burst_then_stop")
    assert outcome.errors == ["300 packets, 0 drops\n"] * 20
    assert outcome.statuses == [0] * 20
    for file in outcome.files:
        numbers = [int.from_bytes(frame[42:46], "big") for frame in packets_in(file)]
        assert numbers == list(range(BURST))


def test_packets_still_in_the_ring_at_the_signal_are_recorded(run: Run) -> None:
    only(run("stop_before_it_looks"), BURST)


def test_an_interrupt_stops_it_like_a_sigterm(run: Run) -> None:
    only(run("stop_by_interrupt"), BURST)


def test_the_end_of_stdin_stops_it_if_asked(run: Run) -> None:
    only(run("end_of_stdin"), BURST)


def test_traffic_without_end_does_not_keep_it_from_stopping(run: Run) -> None:
    outcome = run("endless_traffic")
    packets, drops = (int(word) for word in outcome.errors[0].split() if word.isdigit())
    assert 2000 <= packets < outcome.sent < 12_000
    assert (drops, outcome.statuses) == (0, [0])


def test_a_connection_is_recorded_to_its_last_ack(
    run: Run, labcap: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    file = only(run("echo"), 10)
    expectations = ["handshake.complete=true", "teardown.kind=fin", "to_server.bytes=7"]
    checked = labcap("check", file, "connections=1", *expectations, "to_client.bytes=7")
    assert checked.returncode == 0, checked.stdout


# ---- What is recorded


def test_a_filter_of_several_words_is_one_filter(run: Run) -> None:
    only(run("filtered"), 7)


def test_a_snaplen_cuts_packets_and_keeps_their_length(run: Run) -> None:
    file = only(run("short_snaplen"), 10)
    sizes = {(len(frame), fields.wirelen) for frame, fields in records_of(file)}
    assert sizes == {(60, 1442)}


def test_scapy_and_tshark_read_the_file(run: Run) -> None:
    file = only(run("end_of_stdin"), BURST)
    with closing(PcapNgReader(file)) as reader:
        assert sum(UDP in packet for packet in reader) == BURST
    seen = subprocess.run(
        ["tshark", "-r", file, "-c", "1", "-T", "fields", "-e", "frame.interface_name"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "lo"


def test_stamps_are_nanoseconds_of_the_wall_clock(run: Run) -> None:
    before = time.time_ns()
    file = only(run("end_of_stdin"), BURST)
    stamps = [stamp_ns(fields) for _, fields in records_of(file)]
    assert before < min(stamps) <= max(stamps) < time.time_ns()
    assert stamps == sorted(stamps)
    assert any(stamp % 1000 for stamp in stamps)


def stamp_ns(fields: Any) -> int:
    """A packet's stamp in ns since 1970, from scapy's reading of its block."""
    assert fields.tsresol == 10**9
    return int(fields.tshigh << 32 | fields.tslow)


def test_a_dash_writes_to_stdout(run: Run, tmp_path: Path) -> None:
    outcome = run("to_stdout")
    assert (outcome.errors, outcome.statuses) == (["5 packets, 0 drops\n"], [0])
    assert len(packets_in(str(tmp_path / "stdout.pcapng"))) == 5


def test_what_it_writes_to_a_pipe_is_told_when_it_ends(run: Run, tmp_path: Path) -> None:
    outcome = run("into_flows")
    assert outcome.errors == [f"{BURST} packets, 0 drops\n", ""]
    assert outcome.statuses == [0, 0]
    flow, capture = map(json.loads, (tmp_path / "flows.json").read_text().splitlines())
    assert flow["to_server"] == flow["to_server"] | {"datagrams": BURST, "bytes": BURST * 1400}
    assert (capture["packets"], capture["complete"]) == (BURST, True)


# ---- A trace that cannot be trusted


def test_lost_packets_are_counted_and_make_it_exit_3(
    run: Run, labcap: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    outcome = run("overrun")
    packets = len(packets_in(outcome.files[0]))
    drops = outcome.sent - packets
    assert drops > 0
    only(outcome, packets, drops, status=3)
    flows = labcap("flows", "--json", outcome.files[0])
    assert flows.returncode == 3
    assert json.loads(flows.stdout.splitlines()[-1])["drops"] == drops


@pytest.mark.parametrize("scenario", ["interface_vanishes", "interface_goes_down"])
def test_an_interface_that_goes_away_leaves_what_was_seen(run: Run, scenario: str) -> None:
    outcome = run(scenario)
    why, summary = outcome.errors[0].splitlines()
    assert why in (
        "labcap: near: the interface went down or away",
        "labcap: near: The interface disappeared",  # libpcap noticed first
    )
    assert summary == "3 packets, 0 drops"
    assert outcome.statuses == [3]
    assert len(packets_in(outcome.files[0])) == 3


def test_a_full_disk_leaves_no_file(run: Run, tmp_path: Path) -> None:
    outcome = run("full_disk", inside=OWN_NETWORK_AND_MOUNTS)
    assert outcome.errors == [f"labcap: {tmp_path}/t.pcapng: No space left on device\n"]
    assert outcome.statuses == [3]
    assert outcome.files == []


def test_an_output_that_takes_nothing_is_never_ready(run: Run) -> None:
    outcome = run("dev_full")
    assert outcome.errors == ["labcap: /dev/full: No space left on device\n"]
    assert (outcome.statuses, outcome.ready) == ([3], [False])


def test_a_reader_of_stdout_that_goes_away_ends_it(run: Run) -> None:
    outcome = run("reader_gone")
    assert outcome.errors == ["labcap: standard output: Broken pipe\n"]
    assert outcome.statuses == [3]


# ---- It cannot begin


def test_without_the_capability_it_says_what_to_do(run: Run, tmp_path: Path) -> None:
    outcome = run("plain", *WITHOUT_CAPABILITIES)
    assert (outcome.statuses, outcome.ready) == ([3], [False])
    assert outcome.errors[0].count("\n") == 1
    for advice in ("CAP_NET_RAW", "unshare -Urn", "sudo setcap cap_net_raw+ep"):
        assert advice in outcome.errors[0]
    assert not (tmp_path / "t.pcapng").exists()


@pytest.mark.parametrize(
    ("interface", "message"),
    [
        ("nolo", "labcap: record: nolo: no such interface\n"),
        ("lo", "labcap: record: lo: the interface is down: `ip link set lo up` turns it on\n"),
    ],
)
def test_an_interface_that_cannot_be_captured_is_named(
    labcap_binary: Path, tmp_path: Path, interface: str, message: str
) -> None:
    file = tmp_path / "t.pcapng"
    done = subprocess.run(
        [*OWN_NETWORK, labcap_binary, "record", "-i", interface, "-w", file],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.stderr, done.returncode) == (message, 3)
    assert not file.exists()


def test_a_wrong_filter_is_a_usage_error_and_spares_an_old_file(run: Run, tmp_path: Path) -> None:
    outcome = run("bad_filter_over_old_file")
    assert (outcome.statuses, outcome.ready) == ([2], [False])
    assert outcome.errors[0].startswith("labcap record: filter 'no such filter': ")
    assert (tmp_path / "t.pcapng").read_text() == "precious"


def test_a_file_that_cannot_be_made_is_said_before_ready(
    labcap_binary: Path, tmp_path: Path
) -> None:
    file = tmp_path / "missing" / "t.pcapng"
    script = 'ip link set lo up && exec "$0" record -i lo -w "$1"'
    done = subprocess.run(
        [*OWN_NETWORK, "sh", "-c", script, labcap_binary, file],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.stderr == f"labcap: {file}: No such file or directory\n"
    assert done.returncode == 3


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-i", "lo"),
        ("-w", "FILE"),
        ("-i", "", "-w", "FILE"),
        ("-i", "lo", "-w", ""),
        ("-i", "lo", "-w", "FILE", "-s", "0"),
        ("-i", "lo", "-w", "FILE", "-s", "262145"),
        ("-i", "lo", "-w", "FILE", "-s", "9x"),
        ("-i", "lo", "-w", "FILE", "-B", "0"),
        ("-i", "lo", "-w", "FILE", "-B", "2048"),
        ("-i", "lo", "-w", "FILE", "-B", ""),
        ("-i", "lo", "-w", "FILE", "--ready-fd", "77"),
        ("-i", "lo", "-w", "FILE", "--ready-fd", "-1"),
        ("-i", "lo", "-w", "FILE", "--unknown"),
    ],
)
def test_wrong_arguments_are_usage_errors(
    labcap: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    arguments: tuple[str, ...],
) -> None:
    file = tmp_path / "t.pcapng"
    done = labcap("record", *(str(file) if a == "FILE" else a for a in arguments))
    assert done.returncode == 2
    assert "usage: labcap record " in done.stderr
    assert not file.exists()
