"""Several traces in one command: each by itself, and the highest status of all."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from calls import Argument, Labcap
from test_show_calls import server_log, talk_on_loopback
from traces import Conversation, echo_conversation


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A trace with one connection to port 4321, and one with two that are only opened."""
    first, second = tmp_path / "a.pcap", tmp_path / "b.pcap"
    echo_conversation().write(first)
    talk = Conversation(client_port=50001).handshake()
    talk.then(client_port=50002).handshake()
    talk.write(second)
    return first, second


def test_each_file_ends_with_its_capture(labcap: Labcap, pair: tuple[Path, Path]) -> None:
    done = labcap("flows", "--json", *pair)
    assert (done.returncode, done.stderr) == (0, "")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["type"] for one in told] == ["tcp", "capture", "tcp", "tcp", "capture"]
    assert [one["file"] for one in told if one["type"] == "capture"] == list(map(str, pair))
    assert [one["id"] for one in told if one["type"] == "tcp"] == [1, 1, 2]


@pytest.mark.parametrize("command", ["flows", "show"])
def test_a_line_with_its_name_stands_before_each(
    labcap: Labcap, pair: tuple[Path, Path], command: str
) -> None:
    alone = [labcap(command, file).stdout for file in pair]
    together = labcap(command, *pair).stdout
    assert together == (f"==> {pair[0]} <==\n{alone[0]}\n==> {pair[1]} <==\n{alone[1]}")


def test_a_name_cannot_control_the_terminal(labcap: Labcap, tmp_path: Path) -> None:
    file = tmp_path / "\x1b[2J.pcap"
    echo_conversation().write(file)
    assert "\x1b" not in labcap("flows", file, file).stdout


def test_the_filter_behind_them_is_for_all(labcap: Labcap, pair: tuple[Path, Path]) -> None:
    done = labcap("flows", "--json", *pair, "port", "50002")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["type"] for one in told] == ["capture", "tcp", "capture"]


def test_a_word_is_a_file_by_how_it_ends_and_not_by_what_is_there(
    labcap: Labcap, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "tcp").write_bytes(pair[1].read_bytes())
    done = labcap("flows", "--json", pair[0], "tcp", cwd=tmp_path)
    assert done.stdout.count('"type":"capture"') == 1
    for name in ("gone.pcap", "gone.pcapng", "gone.cap", "gone.pcap12", "gone.pcapng.gz",
                 "gone.pcap3.zst"):  # fmt: skip
        done = labcap("flows", pair[0], name, cwd=tmp_path)
        assert done.returncode == 3
        assert f"labcap: {name}: No such file or directory\n" == done.stderr


def test_with_a_filter_option_every_word_is_a_file(
    labcap: Labcap, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "tcp").write_bytes(pair[1].read_bytes())
    done = labcap("flows", "--filter", "port 50001", "--json", pair[0], "tcp", cwd=tmp_path)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["type"] for one in told] == ["capture", "tcp", "capture"]
    done = labcap("check", pair[0], "tcp", "--filter", "port 50001", "connections<=1", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("met: ") == 2


def test_the_highest_status_counts(
    labcap: Labcap, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    assert labcap("check", *pair, "connections>=1").returncode == 0
    assert labcap("check", *pair, "connections=1").returncode == 1
    assert labcap("check", *reversed(pair), "connections=1").returncode == 1
    gone = tmp_path / "gone.pcap"
    done = labcap("check", pair[1], gone, pair[0], "connections=1")
    assert done.returncode == 3
    assert "NOT met: connections=1" in done.stdout
    assert done.stdout.endswith("\nmet: connections=1\n")


def test_logs_of_calls_belong_to_one_trace(
    labcap: Labcap, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    done = labcap("show", "--syscalls", tmp_path / "log", *pair)
    assert done.returncode == 2
    assert done.stderr.startswith("labcap show: --syscalls goes with one FILE\n")


def test_each_file_may_have_its_log_beside_it(labcap: Labcap, tmp_path: Path) -> None:
    names = {"a.b": ".pcap", "c": ".pcapng", "d": ".pcap2", "e": ".pcap.gz"}
    traces = [tmp_path / (name + ending) for name, ending in names.items()]
    for trace in traces:
        talk_on_loopback().write(trace)
    traces[3].write_bytes(gzip.compress(traces[3].read_bytes()))
    chosen: list[list[Argument]] = [
        [] if name == "c" else ["--syscalls", server_log().write(tmp_path / f"{name}.calls")]
        for name in names]
    alone = [labcap("show", "--json", *words, trace).stdout
             for words, trace in zip(chosen, traces)]
    together = labcap("show", "--json", "--syscalls-beside", *traces)
    assert (together.returncode, together.stderr) == (0, "")
    assert together.stdout == "".join(alone)
    assert ['"type":"call"' in text for text in alone] == [True, False, True, True]


def test_a_log_beside_that_is_of_no_use_is_told_and_costs_its_own_calls(
    labcap: Labcap, pair: tuple[Path, Path]
) -> None:
    logs = [file.with_suffix(".calls") for file in pair]
    logs[0].write_text("no log\n")
    server_log().write(logs[1])
    done = labcap("show", "--json", "--syscalls-beside", *pair)
    assert done.returncode == 0
    told = [json.loads(line) for line in done.stdout.splitlines()]
    why = [one["calls"] for one in told if one["type"] == "trace"]
    assert [line.partition(": ")[0] for line in why] == list(map(str, logs))
    assert "no call in it touches a connection" in why[1]
    assert done.stderr == "".join(f"labcap show: {line}\n" for line in why)


def test_standard_input_has_no_log_beside_it(
    labcap: Labcap, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / ".calls").write_text("no log\n")
    done = labcap("show", "--syscalls-beside", "-", input=pair[0].read_bytes(), text=False,
                  cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")


def test_logs_are_named_or_stand_beside(labcap: Labcap, pair: tuple[Path, Path]) -> None:
    done = labcap("show", "--syscalls", "log", "--syscalls-beside", pair[0])
    assert done.returncode == 2
    assert done.stderr.startswith("labcap show: --syscalls or --syscalls-beside, not both\n")


def test_a_broken_output_is_said_once(labcap: Labcap, pair: tuple[Path, Path]) -> None:
    with Path("/dev/full").open("w") as full:
        done = labcap("flows", *pair, *pair, capture_output=False, stdout=full, stderr=-1)
    assert (done.returncode, done.stderr) == (
        3, "labcap: standard output: No space left on device\n",
    )  # fmt: skip
