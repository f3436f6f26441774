"""Traces that are packed, or come through a pipe: the same report, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random
from select import select
from typing import Callable, Iterator

import pytest
from calls import COMMANDS, DEADLINE, Json, Labcap, ReadAll, Survives
from journeys import TwoPoints, all_well
from trace_files import ETHERNET, pcap_header, write_pcapng
from traces import Conversation, echo_conversation

MORE_THAN_A_PIPE = 100_000  # bytes: Linux keeps 65,536
PACKERS = ["gzip", "zstd"]
READERS = {
    "flows": ["flows", "--json"],
    "check": ["check"],
    "show": ["show", "--all", "--ascii"],
}
Pack = Callable[[str, bytes], bytes]


@pytest.fixture
def pack() -> Pack:
    """What a program makes of bytes."""

    def packed(program: str, data: bytes) -> bytes:
        return subprocess.run([program, "-c"], input=data, capture_output=True, timeout=DEADLINE,
                              check=True).stdout

    return packed


def noise(packets: int) -> Conversation:
    """A connection whose bytes cannot be packed."""
    random, talk = Random(8), Conversation().handshake()
    for _ in range(packets):
        talk.client("A", random.randbytes(1400))
        talk.server()
    return talk


# ---- Packed


@pytest.mark.parametrize("program", PACKERS)
@pytest.mark.parametrize("reader", READERS)
def test_a_packed_trace_is_told_as_one_that_comes_through_a_pipe(
    tmp_path: Path, labcap: Labcap, pack: Pack, program: str, reader: str
) -> None:
    plain, packed = tmp_path / "a", tmp_path / "b"
    noise(400).write(plain)
    packed.write_bytes(pack(program, plain.read_bytes()))
    more = ["to_server.bytes=560000"] if reader == "check" else []
    expected = labcap(*READERS[reader], "-", *more, input=plain.read_bytes(), text=False)
    assert expected.returncode == 0
    with packed.open("rb") as file:
        told = [
            labcap(*READERS[reader], packed, *more, text=False),
            labcap(*READERS[reader], "-", *more, stdin=file, text=False),
            labcap(*READERS[reader], "-", *more, input=packed.read_bytes(), text=False),
        ]
    assert [done.returncode for done in told] == [0, 0, 0]
    name = b'"file":"%s"' % bytes(packed)
    texts = {done.stdout.replace(name, b'"file":"-"') for done in told}
    same = texts == {expected.stdout}  # not in the assertion: pytest would compare them at length
    assert same


@pytest.mark.parametrize("program", PACKERS)
@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_packed_trace_that_is_cut_is_not_trusted(
    tmp_path: Path, labcap: Labcap, pack: Pack, program: str, kept: float
) -> None:
    path = tmp_path / "t.pcap.packed"
    packed = pack(program, noise(400).write(tmp_path / "plain").read_bytes())
    path.write_bytes(packed[: int(len(packed) * kept)])
    done = labcap("flows", path)
    assert done.returncode == 3
    assert done.stderr.startswith(f"labcap: {path}: packet ")
    assert done.stderr.endswith("the packed file is cut or damaged\n")
    assert done.stderr.count("\n") == 1
    assert "the file is incomplete" in done.stdout


def test_a_checksum_that_is_missing_at_the_end_is_noticed(
    tmp_path: Path, labcap: Labcap, pack: Pack
) -> None:
    path = tmp_path / "t.pcap.gz"
    plain = echo_conversation().write(tmp_path / "plain").read_bytes()
    path.write_bytes(pack("gzip", plain)[:-8])
    done = labcap("flows", path)
    assert done.returncode == 3
    assert done.stderr == f"labcap: {path}: packet 11: the packed file is cut or damaged\n"


@pytest.mark.parametrize("program", PACKERS)
def test_a_packed_trace_that_is_damaged_does_no_harm(
    tmp_path: Path, survives: Survives, pack: Pack, program: str
) -> None:
    """Octets are inverted, in the header most of all, and the end is missing."""
    dice = Random(program)
    whole = pack(program, noise(20).write(tmp_path / "plain").read_bytes())
    for number in range(30):
        packed = bytearray(whole[: dice.randrange(4, len(whole)) if number % 3 == 0 else None])
        for _ in range(number % 4):
            packed[dice.randrange(min(dice.choice([4, 20, 2**20]), len(packed)))] ^= 0xFF
        path = tmp_path / str(number)
        path.write_bytes(packed)
        survives(path, COMMANDS[:1])


@pytest.mark.parametrize("program", PACKERS)
def test_what_is_packed_and_no_trace_is_said(
    tmp_path: Path, labcap: Labcap, pack: Pack, program: str
) -> None:
    path = tmp_path / "t"
    path.write_bytes(pack(program, b"192.168.0.1 said hello\n" * 9999))
    done = labcap("flows", path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == f"labcap: {path}: unknown file format\n"


@pytest.mark.parametrize("program", PACKERS)
def test_a_program_that_is_not_there_is_named(
    tmp_path: Path, labcap: Labcap, pack: Pack, program: str
) -> None:
    path = tmp_path / "t"
    path.write_bytes(pack(program, echo_conversation().write(tmp_path / "plain").read_bytes()))
    done = labcap("flows", path, env={"PATH": str(tmp_path)})
    assert done.returncode == 3
    assert done.stderr == (
        f"labcap: {path}: packed, and {program} does not start: No such file or directory\n"
    )


@pytest.fixture
def fed(labcap_binary: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start labcap with a pipe as its stdin, which stays open."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, path: str = os.environ["PATH"]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([labcap_binary, *arguments], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                                   env={**os.environ, "PATH": path})
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_wrong_filter_does_not_wait_for_the_end_of_a_packed_stream(
    fed: Callable[..., subprocess.Popen[bytes]], pack: Pack
) -> None:
    process = fed("flows", "-", "tcp prot")
    assert process.stderr is not None
    with suppress(BrokenPipeError):
        write_all(process, pack("gzip", pcap_header() + Random(8).randbytes(999_999))[:900_000])
    assert process.wait(DEADLINE) == 2
    assert b"tcp prot" in process.stderr.read()


def test_who_feeds_the_unpacking_program_does_not_outlive_it(
    fed: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, pack: Pack
) -> None:
    """Here it has handed on all there is, and waits for more, when nobody wants it any longer."""
    packed = pack("gzip", echo_conversation().write(tmp_path / "plain").read_bytes())
    header, unpacker = tmp_path / "header", tmp_path / "gzip"
    header.write_bytes(pcap_header())
    unpacker.write_text(
        f"#!/bin/sh\nhead -c {len(packed)} >/dev/null\ncat '{header}'\nexec cat\n"
    )
    unpacker.chmod(0o755)
    process = fed("flows", "-", "tcp prot", path=f"{tmp_path}:{os.environ['PATH']}")
    write_all(process, packed)
    assert process.wait(DEADLINE) == 2


# ---- Told as they end

SECOND = 10**9
BEYOND_POINTS = 80  # packets, until labcap looks for no second point in a trace any more


def piped(labcap: Labcap, trace: Path, *words: str) -> tuple[list[Json], str, int]:
    """All of a trace waits in a pipe that has no writer any more: what is told, in its order."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as pipe:
        with os.fdopen(writing, "wb") as file:
            file.write(trace.read_bytes())
        done = labcap("flows", "--json", "-", *words, stdin=pipe)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr, done.returncode


def two_that_end_the_other_way_round(
    trace: Path, silence_ns: int, before: int = 0
) -> Conversation:
    """Flow 1 has so many packets more, flow 2 ends, then there is nothing, then flow 1 goes on."""
    first = Conversation().handshake()
    for _ in range(before):
        first.client("A", b"x")
    second = echo_conversation(packets=first.packets, client_port=2, start_ns=first.now_ns)
    first.now_ns = second.now_ns
    first.client("A", b"still here", after_ns=silence_ns)
    first.write(trace)
    return second


@pytest.mark.parametrize("silence_ns, order", [(2 * SECOND, [2, 1]), (2 * SECOND - 1, [1, 2])])
def test_a_stream_is_told_in_the_order_of_ends_two_seconds_old(
    trace: Path, labcap: Labcap, flows: ReadAll, silence_ns: int, order: list[int]
) -> None:
    two_that_end_the_other_way_round(trace, silence_ns)
    (*told, last), errors, status = piped(labcap, trace)
    assert (status, errors, [flow["id"] for flow in told]) == (0, "", order)
    of_the_file = labcap("flows", "--json", trace).stdout.splitlines()
    assert sorted(told, key=lambda flow: flow["id"]) == [*map(json.loads, of_the_file[:-1])]
    assert last["packets"] == json.loads(of_the_file[-1])["packets"]


def test_time_passes_with_packets_that_a_filter_leaves_out(
    trace: Path, labcap: Labcap
) -> None:
    second = two_that_end_the_other_way_round(trace, SECOND, before=BEYOND_POINTS)
    other = Conversation(packets=second.packets, client_port=3, start_ns=second.now_ns)
    other.client("S", after_ns=2 * SECOND)
    other.write(trace)
    (*told, _), errors, status = piped(labcap, trace, "not port 3")
    assert (status, errors, [flow["id"] for flow in told]) == (0, "", [2, 1])


def next_line(process: subprocess.Popen[bytes]) -> bytes:
    """What it prints next; an assertion fails if that is nothing."""
    assert process.stdout is not None
    assert select([process.stdout], [], [], DEADLINE)[0]
    return process.stdout.readline()


def test_each_connection_of_a_pipe_is_told_when_it_has_ended(
    fed: Callable[..., subprocess.Popen[bytes]], trace: Path
) -> None:
    """Nothing else comes, and the pipe stays open; a second one is told while a third goes on."""
    process = fed("flows", "-")
    talk = echo_conversation()
    write_all(process, talk.write(trace).read_bytes())
    assert b"CLIENT > SERVER" in next_line(process)
    assert b"FIN client" in next_line(process)
    before = trace.stat().st_size
    talk = talk.then(client_port=2).handshake()
    talk.client("R")
    later = talk.then(client_port=3).handshake()
    later.client("A", b"x", after_ns=2 * SECOND)
    write_all(process, talk.write(trace).read_bytes()[before:])
    assert b"RST client" in next_line(process)
    rest, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, errors) == (0, b"")
    assert b"10.0.0.1:3 > " in rest and rest.endswith(b"\n%d packets\n" % len(talk.packets))


def test_what_comes_behind_a_connection_that_was_told_is_said(
    trace: Path, labcap: Labcap
) -> None:
    second = two_that_end_the_other_way_round(trace, 3 * SECOND)
    number = second.client("R", after_ns=8 * SECOND)
    second.write(trace)
    (*told, last), errors, status = piped(labcap, trace)
    assert (status, [flow["id"] for flow in told]) == (3, [2, 1])
    assert errors == (f"labcap: -: packet {number}: came for a connection that had ended and was "
                      "told before (1 in all)\n")
    assert last["decoded"] == number
    assert labcap("flows", trace).returncode == 0


def test_two_points_are_told_at_the_end_of_a_stream(trace: Path, labcap: Labcap) -> None:
    """What has arrived of a connection that ended may be recorded later."""
    later = echo_conversation(client_port=2)
    TwoPoints().go(echo_conversation(), all_well(10)).go(later, "+3000 s1 a1").write(trace)
    assert piped(labcap, trace)[0][:-1] == [
        json.loads(line) for line in labcap("flows", "--json", trace).stdout.splitlines()[:-1]]


# ---- Ctrl-C


def write_all(process: subprocess.Popen[bytes], data: bytes) -> None:
    """Returns when so much of it was read that the rest fits into the pipe."""
    assert process.stdin is not None
    view = memoryview(data)
    while view:
        view = view[os.write(process.stdin.fileno(), view):]


@pytest.mark.parametrize("program", ["", *PACKERS])
def test_an_interrupt_of_a_pipeline_leaves_the_end_to_who_writes(
    fed: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, pack: Pack, program: str
) -> None:
    trace = write_pcapng(tmp_path / "t", ETHERNET.frames(noise(400).packets)).read_bytes()
    data = pack(program, trace) if program else trace
    process = fed("flows", "--json", "-")
    write_all(process, data[:MORE_THAN_A_PIPE])
    process.send_signal(signal.SIGINT)
    write_all(process, data[MORE_THAN_A_PIPE:])
    told, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, errors) == (0, b"")
    assert b'"bytes":560000' in told


def test_a_second_interrupt_ends_it(
    fed: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    trace = noise(400).write(tmp_path / "t").read_bytes()
    process = fed("flows", "-")
    write_all(process, trace[:MORE_THAN_A_PIPE])
    process.send_signal(signal.SIGINT)
    write_all(process, trace[MORE_THAN_A_PIPE: 3 * MORE_THAN_A_PIPE])
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE) == -signal.SIGINT
