"""Trace files of every format, cut ones, and what is no trace at all."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from calls import Argument, Json, Labcap, ReadAll, ReadOne
from scapy.layers.l2 import Ether
from scapy.utils import PcapWriter
from trace_files import (
    ETHERNET,
    RAW,
    SLL,
    Frame,
    Link,
    NgWriter,
    pcap_header,
    pcap_record,
    write_pcap,
    write_pcapng,
)
from traces import START_NS, Conversation, echo_conversation

UNTRUSTED = 3
USAGE = 2


@pytest.fixture
def usual(tmp_path: Path, flow: ReadOne) -> Json:
    """What an echo looks like, its stamps in whole microseconds."""
    return flow(echo_conversation().write(tmp_path / "usual.pcap"))


def tool(*arguments: Argument) -> None:
    """Run one of Wireshark's tools."""
    subprocess.run(arguments, check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("ns", [True, False], ids=["ns", "us"])
def test_pcap_of_either_precision_and_byte_order(
    trace: Path, flow: ReadOne, usual: Json, order: str, ns: bool
) -> None:
    assert flow(echo_conversation().write(trace, order=order, ns=ns)) == usual


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
def test_pcapng_of_either_byte_order(
    tmp_path: Path, flow: ReadOne, usual: Json, order: str
) -> None:
    frames = ETHERNET.frames(echo_conversation().packets)
    assert flow(write_pcapng(tmp_path / "t.pcapng", frames, order=order)) == usual


def test_the_suffix_of_the_name_means_nothing(tmp_path: Path, flow: ReadOne, usual: Json) -> None:
    frames = ETHERNET.frames(echo_conversation().packets)
    assert flow(write_pcapng(tmp_path / "t.pcap", frames)) == usual


def scapy_packets() -> Iterator[Ether]:
    """The echo as scapy's own packets."""
    for frame in ETHERNET.frames(echo_conversation().packets):
        packet = Ether(frame.data)
        packet.time = frame.time_ns / 10**9
        yield packet


def test_a_pcap_that_scapy_wrote(trace: Path, flow: ReadOne, usual: Json) -> None:
    with PcapWriter(str(trace)) as writer:
        writer.write(list(scapy_packets()))
    told = flow(trace)
    assert told["to_client"] == usual["to_client"]
    assert told["history"] == usual["history"]


@pytest.mark.parametrize("kind", ["pcap", "nsecpcap", "pcapng"])
def test_a_file_that_editcap_wrote(tmp_path: Path, flow: ReadOne, usual: Json, kind: str) -> None:
    source = echo_conversation().write(tmp_path / "source.pcap")
    tool("editcap", "-F", kind, source, tmp_path / "t")
    assert flow(tmp_path / "t") == usual


@pytest.mark.parametrize("mode", ["none", "all"])
def test_traces_that_mergecap_joined(tmp_path: Path, flows: ReadAll, mode: str) -> None:
    first = echo_conversation().write(tmp_path / "1.pcap")
    later = echo_conversation(client_port=50002, start_ns=START_NS + 500_000)
    second = later.write(tmp_path / "2.pcap")
    merged = tmp_path / "t.pcapng"
    tool("mergecap", "-F", "pcapng", "-I", mode, "-w", merged, first, second)
    told = flows(merged)
    assert [each["client"]["port"] for each in told] == [39870, 50002]
    assert [each["history"] for each in told] == ["ShADadFf", "ShADadFf"]
    assert [each["last_packet"] for each in told] == [19, 20]


@pytest.mark.parametrize("first", [ETHERNET, RAW, SLL], ids=lambda link: link.name)
def test_interfaces_of_different_link_types_stop_the_reading(
    tmp_path: Path, report: ReadAll, labcap: Labcap, first: Link
) -> None:
    second = RAW if first is not RAW else ETHERNET
    talk = echo_conversation()
    writer = NgWriter()
    writer.interface(first.linktype)
    for frame in first.frames(talk.packets[:6]):
        writer.packet(frame, 0)
    writer.interface(second.linktype)
    for frame in second.frames(talk.packets[6:]):
        writer.packet(frame, 1)
    path = writer.write(tmp_path / "t.pcapng")
    told, capture = report(path, status=UNTRUSTED)
    assert told["history"] == "ShADad"
    assert told["last_packet"] == 6
    assert capture["packets"] == 6
    assert capture["complete"] is False
    assert len(labcap("flows", path).stderr.splitlines()) == 1


def test_two_interfaces_of_one_link_type_are_read(
    tmp_path: Path, flow: ReadOne, usual: Json
) -> None:
    writer = NgWriter()
    writer.interface(1)
    writer.interface(1)
    for number, frame in enumerate(ETHERNET.frames(echo_conversation().packets)):
        writer.packet(frame, number % 2)
    assert flow(writer.write(tmp_path / "t.pcapng")) == usual


def test_stdin_is_a_dash(trace: Path, labcap: Labcap) -> None:
    echo_conversation().write(trace)
    with trace.open("rb") as stream:
        done = labcap("flows", "--json", "-", stdin=stream)
    assert done.returncode == 0
    assert '"history":"ShADadFf"' in done.stdout
    assert '"file":"-"' in done.stdout


@pytest.mark.parametrize("suffix", ["pcap", "pcapng"])
def test_stdin_may_be_a_pipe(tmp_path: Path, labcap: Labcap, suffix: str) -> None:
    frames = ETHERNET.frames(echo_conversation().packets)
    path = tmp_path / "t"
    if suffix == "pcap":
        write_pcap(path, frames)
    else:
        write_pcapng(path, frames)
    done = labcap("flows", "--json", "-", input=path.read_bytes(), text=False)
    assert done.returncode == 0
    assert b'"history":"ShADadFf"' in done.stdout


def test_packets_are_numbered_before_the_filter(trace: Path, flow: ReadOne) -> None:
    talk = Conversation(client_port=50001).handshake()
    talk.then(client_port=50002).handshake()
    told = flow(talk.write(trace), "port 50002")
    assert told["id"] == 1
    assert (told["first_packet"], told["last_packet"]) == (4, 6)
    assert told["handshake"]["syn_ack"] == 5


def test_a_filter_may_leave_nothing(trace: Path, flows: ReadAll) -> None:
    assert flows(echo_conversation().write(trace), "udp") == []


def test_a_filter_that_libpcap_rejects_is_a_usage_error(trace: Path, labcap: Labcap) -> None:
    done = labcap("flows", echo_conversation().write(trace), "tcp prot 80")
    assert done.returncode == USAGE
    assert done.stdout == ""
    assert done.stderr.startswith("labcap")


def test_a_trace_without_packets_is_a_trace(trace: Path, report: ReadAll) -> None:
    write_pcap(trace, [])
    (capture,) = report(trace)
    assert (capture["packets"], capture["decoded"], capture["complete"]) == (0, 0, True)


RECORD = 16


@pytest.mark.parametrize("kept", [1, 15, RECORD, RECORD + 1, RECORD + 53])
def test_a_file_cut_in_a_record_gives_what_could_be_read(
    trace: Path, report: ReadAll, labcap: Labcap, kept: int
) -> None:
    frames = ETHERNET.frames(echo_conversation().packets)
    whole = pcap_header() + b"".join(pcap_record(frame) for frame in frames[:5])
    trace.write_bytes(whole + pcap_record(frames[5])[:kept])
    told, capture = report(trace, status=UNTRUSTED)
    assert told["last_packet"] == 5
    assert told["to_server"]["bytes"] == 7
    assert (capture["packets"], capture["complete"]) == (5, False)
    message = labcap("flows", trace).stderr
    assert "6" in message.replace(str(trace), "")
    assert len(message.splitlines()) == 1


def test_a_pcapng_cut_in_a_block_gives_what_could_be_read(tmp_path: Path, report: ReadAll) -> None:
    path = tmp_path / "t.pcapng"
    write_pcapng(path, ETHERNET.frames(echo_conversation().packets))
    path.write_bytes(path.read_bytes()[:-10])
    told, capture = report(path, status=UNTRUSTED)
    assert told["last_packet"] == 9
    assert (capture["packets"], capture["complete"]) == (9, False)


@pytest.mark.parametrize("length", [2**31, 2**32 - 1, 300_000])
def test_a_record_of_absurd_length_ends_the_reading(
    trace: Path, report: ReadAll, length: int
) -> None:
    frames = ETHERNET.frames(echo_conversation().packets)
    absurd = bytearray(pcap_record(frames[5]))
    absurd[8:12] = length.to_bytes(4, "little")
    whole = pcap_header() + b"".join(pcap_record(frame) for frame in frames[:5])
    trace.write_bytes(whole + absurd)
    told, capture = report(trace, status=UNTRUSTED)
    assert told["last_packet"] == 5
    assert capture["complete"] is False


def test_a_packet_cut_within_its_headers_is_counted(
    trace: Path, capture: ReadOne, labcap: Labcap
) -> None:
    talk = Conversation().handshake()
    frames = ETHERNET.frames(talk.packets)
    frames[2] = frames[2].cut(40)
    write_pcap(trace, frames)
    told = capture(trace, status=labcap("flows", trace).returncode, said=True)
    assert told["packets"] == 3
    assert told["decoded"] == 2
    assert told["skipped"]["cut"] == 1


@pytest.mark.parametrize(
    "data",
    [b"\x45" + bytes(10), b"\x42" + bytes(30), b"\x65", b"\x45\x00\x00\x08" + bytes(16)],
    ids=["short ipv4", "ihl 2", "short ipv6", "total length 8"],
)
def test_a_packet_that_makes_no_sense_is_malformed(
    trace: Path, capture: ReadOne, data: bytes
) -> None:
    talk = Conversation().handshake()
    frames = ETHERNET.frames([*talk.packets, Frame(data, START_NS)])
    write_pcap(trace, frames)
    told = capture(trace)
    assert told["decoded"] == 3
    assert told["skipped"]["malformed"] == 1


def no_trace(tmp_path: Path, kind: str) -> Path:
    """A path that cannot be read as a trace."""
    path = tmp_path / kind
    if kind == "text":
        path.write_text("192.168.0.1 said hello\n" * 50)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "short header":
        path.write_bytes(pcap_header()[:20])
    elif kind == "unknown version":
        path.write_bytes(b"\xd4\xc3\xb2\xa1" + b"\xff" * 20)
    elif kind == "directory":
        path.mkdir()
    elif kind == "unreadable":
        path.symlink_to("/proc/self/mem")
    elif kind == "dangling":
        path.symlink_to(tmp_path / "gone")
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "text", "empty", "short header", "unknown version", "directory", "missing",
        "unreadable", "dangling",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [["flows", "--json"], ["flows"]], ids=["json", "rows"])
def test_what_is_no_trace_is_said_in_one_line(
    tmp_path: Path, labcap: Labcap, kind: str, form: list[str]
) -> None:
    path = no_trace(tmp_path, kind)
    done = labcap(*form, path)
    assert done.returncode == UNTRUSTED
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("labcap")
    assert str(path) in done.stderr


def test_an_unsupported_link_type_is_said(trace: Path, labcap: Labcap) -> None:
    write_pcap(trace, echo_conversation().packets, 105)
    done = labcap("flows", "--json", trace)
    assert done.returncode == UNTRUSTED
    assert len(done.stderr.splitlines()) == 1
    assert "link" in done.stderr.lower()


@pytest.mark.parametrize(
    "arguments",
    [["flows", "--json"], ["flows"], ["check"]],
    ids=lambda arguments: " ".join(arguments),
)
def test_a_full_disk_is_an_error(trace: Path, labcap: Labcap, arguments: list[str]) -> None:
    echo_conversation().write(trace)
    extra = ["state=SF"] if arguments == ["check"] else []
    with Path("/dev/full").open("w") as full:
        done = labcap(
            *arguments, trace, *extra,
            capture_output=False, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert done.returncode > 0
    assert len(done.stderr.splitlines()) == 1
    assert "No space left" in done.stderr


def test_a_closed_stdout_is_an_error(trace: Path, labcap_binary: Path) -> None:
    echo_conversation().write(trace)
    script = 'exec "$0" flows --json "$1" >&-'
    done = subprocess.run(
        ["sh", "-c", script, labcap_binary, trace],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode > 0
    assert done.stderr.startswith("labcap")
