"""Records that labcap leaves to libpcap, among the ordinary ones that it reads itself; and traces
that are larger than its buffer."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import pytest
from calls import DEADLINE, Json, Labcap, ReadAll, ReadOne
from trace_files import ETHERNET, Frame, NgWriter, pcap_header, pcap_record, write_pcap
from traces import START_NS, Conversation, echo_conversation

UNTRUSTED = 3
TSRESOL, TSOFFSET = 9, 14
BUFFER = 384 * 1024


@pytest.fixture
def frames() -> list[Frame]:
    return ETHERNET.frames(echo_conversation().packets)


@pytest.fixture
def usual(tmp_path: Path, flow: ReadOne, frames: list[Frame]) -> Json:
    return flow(write_pcap(tmp_path / "usual.pcap", frames))


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("ns", [True, False], ids=["ns", "us"])
def test_an_older_version_of_the_format(
    trace: Path, flow: ReadOne, frames: list[Frame], usual: Json, order: str, ns: bool
) -> None:
    header = bytearray(pcap_header(order=order, ns=ns))
    header[6:8] = struct.pack(order + "H", 3)
    records = b"".join(pcap_record(frame, order=order, ns=ns) for frame in frames)
    trace.write_bytes(header + records)
    assert flow(trace) == usual


@pytest.mark.parametrize("at", range(10))
def test_a_record_above_the_snap_length(
    trace: Path, flow: ReadOne, frames: list[Frame], usual: Json, at: int
) -> None:
    whole = 200
    assert max(len(frame.data) for frame in frames) < whole
    frames[at] = Frame(frames[at].data + bytes(whole), frames[at].time_ns)  # padding
    header = pcap_header(snaplen=whole)
    trace.write_bytes(header + b"".join(pcap_record(frame) for frame in frames))
    assert flow(trace) == usual


@pytest.mark.parametrize("at", range(10))
def test_a_stamp_after_2038_and_one_of_many_fractions(
    trace: Path, flow: ReadOne, frames: list[Frame], usual: Json, at: int
) -> None:
    early = frames[0].time_ns
    late = [Frame(frame.data, frame.time_ns - early + 2**31 * 10**9) for frame in frames[:at]]
    odd = bytearray(pcap_record(Frame(frames[at].data, 0)))
    odd[4:8] = struct.pack("<I", frames[at].time_ns - early + 10**9)
    rest = [Frame(frame.data, frame.time_ns - early + 10**9) for frame in frames[at + 1:]]
    trace.write_bytes(pcap_header() + b"".join(map(pcap_record, late)) + odd +
                      b"".join(map(pcap_record, rest)))
    told = flow(trace)
    assert {**told, "start": 0, "duration": 0} == {**usual, "start": 0, "duration": 0}


def write_ng(path: Path, frames: list[Frame], options: list[tuple[int, bytes]],
             per_second: int, order: str = "<") -> Path:
    """Frames of one interface with these options and stamps of so many units a second."""
    writer = NgWriter(order)
    body = writer._pack("HHI", 1, 0, 0) + writer._options(options)
    writer.blocks.append(writer._block(1, body))
    for frame in frames:
        writer.packet(Frame(frame.data, frame.time_ns * per_second // 10**9))
    return writer.write(path)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("resolution, per_second", [(None, 10**6), (b"\x06", 10**6),
                                                    (b"\x09", 10**9), (b"\x07", 10**7),
                                                    (b"\x9e", 2**30)])
@pytest.mark.parametrize("offset", [0, 3600])
def test_stamps_of_any_resolution_and_offset(
    trace: Path, flow: ReadOne, frames: list[Frame], usual: Json, order: str,
    resolution: bytes, per_second: int, offset: int,
) -> None:
    options = [(TSRESOL, resolution)] if resolution else []
    if offset:
        options.append((TSOFFSET, struct.pack(order + "q", offset)))
    told = flow(write_ng(trace, frames, options, per_second, order))
    assert told["start"] == pytest.approx(usual["start"] + offset, abs=1e-6)
    assert told["duration"] == pytest.approx(usual["duration"], abs=2e-6)
    assert told["history"] == usual["history"]


def test_simple_packets_have_no_stamp(
    trace: Path, flow: ReadOne, frames: list[Frame], usual: Json
) -> None:
    writer = NgWriter()
    writer.interface(1)
    for frame in frames[:4]:
        writer.packet(frame)
    for frame in frames[4:]:
        body = writer._pack("I", len(frame.data)) + frame.data + bytes(-len(frame.data) % 4)
        writer.blocks.append(writer._block(3, body))
    told = flow(writer.write(trace))
    assert (told["history"], told["last_packet"]) == (usual["history"], usual["last_packet"])


DROPS = {
    "nothing": 7,
    "unknown block": 7,
    "second interface": 7,
    "counts of two interfaces": 10,
    "second section": 12,
    "counts before the interface": 8,
    "cut counts": 7,
    "other byte order": 12,
    "other link type": 7,
}
"""What a trace with drops has in its middle, and how many it tells of."""
BEYOND_LIBPCAP = ["other byte order", "other link type"]


def lossy_trace(frames: list[Frame], extra: str) -> bytes:
    """Counts in its middle and at its end; what comes between leaves the rest to libpcap, or not."""
    writer = NgWriter()
    if extra == "counts before the interface":
        writer.statistics(dropped=8)
    writer.interface(1)
    writer.packet(frames[0])
    writer.statistics(dropped=5)
    if extra in ("second interface", "counts of two interfaces"):
        writer.interface(1)
    elif extra == "unknown block":
        writer.blocks.append(writer._block(0x40000001, b"abcd"))
    elif extra == "other link type":
        writer.interface(101)
    elif extra in ("second section", "other byte order"):
        before, writer = writer, NgWriter(">" if extra == "other byte order" else "<")
        writer.blocks[:0] = before.blocks
        writer.interface(1)
    for frame in frames[1:]:
        writer.packet(frame)
    if extra == "counts of two interfaces":
        writer.statistics(dropped=5, interface=1)
        writer.statistics(dropped=3)
    else:
        writer.statistics(dropped=7)
    return b"".join(writer.blocks)[: -8 if extra == "cut counts" else None]


@pytest.mark.parametrize("extra", DROPS)
@pytest.mark.parametrize("way", ["file", "packed", "stdin", "pipe"])
def test_drops_are_told_however_a_trace_comes(
    trace: Path, labcap: Labcap, frames: list[Frame], way: str, extra: str
) -> None:
    trace.write_bytes(lossy_trace(frames, extra))
    if way == "packed":
        subprocess.run(["gzip", trace], check=True, timeout=DEADLINE)
        done = labcap("flows", "--json", f"{trace}.gz")
    elif way == "file":
        done = labcap("flows", "--json", trace)
    elif way == "stdin":
        with trace.open() as file:
            done = labcap("flows", "--json", "-", stdin=file)
    else:
        done = labcap("flows", "--json", "-", input=trace.read_bytes(), text=False)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == UNTRUSTED
    told = json.loads(done.stdout.splitlines()[-1])
    ends_early = way == "pipe" and extra in BEYOND_LIBPCAP  # nothing behind it is waited for
    whole = extra not in (*BEYOND_LIBPCAP, "cut counts")
    drops = 5 if ends_early else DROPS[extra]
    assert (told["drops"], told["complete"]) == (drops, whole)
    assert f"{drops} packets were lost when it was recorded" in done.stderr


PACKETS_TELL = {
    "packets": 7,
    "old packets": 9,
    "an old packet that does not know": 0,
    "two interfaces": 9,
    "larger statistics": 8,
    "smaller statistics": 7,
    "two sections": 12,
    "other options": 0,
    "options cut": 0,
    "a count of four octets": 0,
    "captured beyond the block": 0,
    "a block without room": 0,
}
"""How many drops a trace's packets tell of, by what is in them."""


def packets_tell(frames: list[Frame], case: str, order: str) -> list[bytes]:
    """The blocks of a trace whose packets tell of drops, or seem to."""
    writer = NgWriter(order)
    writer.interface(1)
    many, end = writer._pack("Q", 2**40), bytes(4)
    if case == "two interfaces":
        writer.interface(1)
        writer.lossy_packet(frames[0], 2, interface=1)
        writer.statistics(dropped=1, interface=1)
    odd = {
        "other options": [(1, b"drops"), (2, bytes(4)), (5, many), (36, many)],
        "options cut": [(1, b""), (4, b"")],
        "a count of four octets": [(4, b"\1\1\1\1")],
    }
    for number, frame in enumerate(frames):
        if number not in (2, 5) or "beyond" in case or "room" in case:
            writer.packet(frame)
        elif "old" in case:
            unknown = number == 5 or "not know" in case
            writer.old_packet(frame, 0xFFFF if unknown else 9)
        elif case in odd:
            writer.packet(frame, 0, odd[case])
        else:
            writer.lossy_packet(frame, 4 if number == 2 else 3)
        if case == "two sections" and number == 3:
            before, writer = writer, NgWriter(order)
            writer.blocks[:0] = before.blocks
            writer.interface(1)
            writer.statistics(dropped=8)
    if case == "captured beyond the block":
        fields = writer._pack("IIIII", 0, 0, 0, 2**32 - 1, 60)
        writer.blocks.append(writer._block(6, fields + writer._pack("HH", 4, 8) + many + end))
    elif case == "a block without room":
        writer.blocks += [writer._block(kind, bytes([1, 9] * 6)) for kind in (6, 2)]
    elif case == "options cut":
        body = writer.blocks[-1][8:-4] + writer._pack("HH", 4, 9) + many
        writer.blocks[-1] = writer._block(6, body)
    if "statistics" in case:
        writer.statistics(dropped=8 if "larger" in case else 6)
    return writer.blocks


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
@pytest.mark.parametrize("way", ["file", "pipe"])
@pytest.mark.parametrize("case", PACKETS_TELL)
def test_drops_that_packets_tell_of(
    trace: Path, labcap: Labcap, frames: list[Frame], case: str, way: str, order: str
) -> None:
    trace.write_bytes(b"".join(packets_tell(frames, case, order)))
    piped = {"input": trace.read_bytes(), "text": False} if way == "pipe" else {}
    done = labcap("flows", "--json", "-" if piped else trace, **piped)
    said = done.stderr.decode() if piped else done.stderr
    drops = PACKETS_TELL[case]
    damaged = case.startswith(("captured", "a block"))
    assert json.loads(done.stdout.splitlines()[-1])["drops"] == drops
    assert done.returncode == (UNTRUSTED if drops or damaged else 0)
    assert (f"{drops} packets were lost when it was recorded" in said) == (drops > 0)


@pytest.mark.parametrize("size", [1400, 40_000, 65_000])
@pytest.mark.parametrize("pipe", [False, True], ids=["file", "pipe"])
def test_a_trace_larger_than_the_buffer(
    trace: Path, flows: ReadAll, labcap: Labcap, size: int, pipe: bool
) -> None:
    talk = Conversation().handshake()
    sent = 0
    while sent < 3 * BUFFER:
        talk.client("PA", bytes(size))
        sent += size
    talk.close()
    talk.write(trace)
    (told,) = flows(trace)
    assert (told["to_server"]["bytes"], told["history"]) == (sent, "ShADFaf")
    if pipe:
        there = labcap("flows", "--json", trace).stdout
        done = labcap("flows", "--json", "-", input=trace.read_bytes(), text=False)
        assert done.stdout.decode().splitlines()[0] == there.splitlines()[0]


@pytest.mark.parametrize("minor", [4, 3], ids=["read by labcap", "read by libpcap"])
def test_the_payload_shown_is_each_packets_own_in_a_trace_larger_than_the_buffer(
    trace: Path, labcap: Labcap, minor: int
) -> None:
    talk, payload = Conversation().handshake(), [b"%07d\n" % number * 1000 for number in range(100)]
    for data in payload:
        talk.client("PA", data)
    talk.close()
    file = bytearray(talk.write(trace).read_bytes())
    assert len(file) > 2 * BUFFER
    file[6:8] = struct.pack("<H", minor)
    trace.write_bytes(file)
    told = map(json.loads, labcap("show", "--json", "--all", trace).stdout.splitlines())
    shown = [bytes.fromhex(one["payload"]) for one in told
             if one["type"] == "packet" and one["length"] > 0]
    assert [data[:8] for data in shown] == [data[:8] for data in payload]


@pytest.mark.parametrize("beyond", [0, 1])
def test_the_largest_packet_there_is(trace: Path, report: ReadAll, beyond: int) -> None:
    large = Frame(bytes(262_144 + beyond), START_NS)
    small = ETHERNET.frames(echo_conversation().packets)
    write_pcap(trace, [*small[:3], large, *small[3:]], snaplen=2**20)
    told, capture = report(trace, status=UNTRUSTED if beyond else 0)
    assert (capture["packets"], capture["complete"]) == ((3, False) if beyond else (11, True))
    assert told["handshake"]["complete"] is True
