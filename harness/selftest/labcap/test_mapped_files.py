"""Files large enough to be mapped: they say what they say where they are read, also when they
change meanwhile.

labcap is held while it reads: it has told of connections, and its pipe is full. Then the file
changes; what labcap says in the end is what it says of the file as it is then."""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import struct
import subprocess
from pathlib import Path
from typing import Callable, Iterator, Sequence

import pytest
from calls import SANITIZED_DEADLINE, Argument, Completed, Labcap
from journeys import mark
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, IPv6
from scapy.packet import Raw
from trace_files import ETHERNET, Frame, NgWriter, pcap_header, pcap_record
from traces import (
    Conversation,
    echo_conversation,
    fragments_of,
    ipv6_conversation,
    port_unreachable,
)

UNTRUSTED = 3
CONNECTIONS = 3000
APART_NS = 10_000_000
PORTS_AT = 34  # behind the headers of Ethernet and IPv4
CLIENT_PORT = struct.pack("!H", 39870)
PAGE = 4096
FLOWS = ["flows", "--json", "--max-flows", "1024"]  # so that some are told before the end
SHOW = ["show", "--merge", "--max-flows", "4096"]
RECORD = 16
BLOCK_MAX = 384 * 1024  # what labcap reads without libpcap

F_SETPIPE_SZ = 1031  # as <fcntl.h> has it; Python does from 3.10 on

Records = list[bytes]
Hold = Callable[..., Completed]


def echoes() -> Iterator[Frame]:
    """One connection after the other, from as many ports."""
    frames = ETHERNET.frames(echo_conversation().packets)
    for number in range(CONNECTIONS):
        port = struct.pack("!H", 20_000 + number)
        for frame in frames:
            at = PORTS_AT + frame.data[PORTS_AT:].index(CLIENT_PORT)
            data = frame.data[:at] + port + frame.data[at + 2 :]
            yield Frame(data, frame.time_ns + number * APART_NS)


def pcap(order: str = "<", ns: bool = True) -> Records:
    return [pcap_header(order=order, ns=ns),
            *(pcap_record(frame, order=order, ns=ns) for frame in echoes())]


def pcapng(order: str = "<") -> Records:
    writer = NgWriter(order)
    writer.interface(1)
    for frame in echoes():
        writer.packet(frame)
    return writer.blocks


@pytest.fixture(scope="module")
def records(request: pytest.FixtureRequest) -> Records:
    """The file's header, and what follows, record by record."""
    formats: dict[str, Callable[[], Records]] = {"pcap": pcap, "pcapng": pcapng}
    return formats[request.param]()


both = pytest.mark.parametrize("records", ["pcap", "pcapng"], indirect=True)


@pytest.fixture
def hold(trace: Path) -> Hold:
    """Run a command on the trace, and do something once it waits for its reader."""

    def call(
        binary: Path, meanwhile: Callable[[], object], *arguments: Argument,
        words: Sequence[str] = FLOWS,
    ) -> Completed:
        command: list[Argument] = [binary, *words, trace, *arguments]
        reads, writes = os.pipe()
        fcntl.fcntl(writes, F_SETPIPE_SZ, PAGE)
        with subprocess.Popen(command, stdout=writes, stderr=subprocess.PIPE) as process:
            os.close(writes)
            with open(reads, "rb", buffering=0) as output:
                first = output.read(1)
                meanwhile()
                told = first + output.read()
            _, said = process.communicate(timeout=SANITIZED_DEADLINE)
        return subprocess.CompletedProcess(command, process.returncode, told, said)

    return call


def at_once(
    binary: Path, trace: Path, *arguments: Argument, words: Sequence[str] = FLOWS
) -> Completed:
    return subprocess.run([binary, *words, trace, *arguments],
                          capture_output=True, timeout=SANITIZED_DEADLINE, check=False)


def outcome(done: Completed) -> tuple[int, bytes, bytes]:
    return done.returncode, done.stdout, done.stderr


def place(records: Records, where: str) -> int:
    """How many octets are left: two thirds of the file, or a little more."""
    record = len(records) * 2 // 3
    start = sum(map(len, records[:record]))
    while (start + 100) // PAGE != start // PAGE:  # what is cut is all in a page
        start += len(records[record])
        record += 1
    return {"between two pages": start // PAGE * PAGE,
            "between two records": start,
            "in a record's header": start + 7,
            "behind a record's header": start + RECORD,
            "in a packet": start + RECORD + 25}[where]


PLACES = ["between two pages", "between two records", "in a record's header",
          "behind a record's header", "in a packet"]


@both
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("words", [FLOWS, SHOW], ids=["flows", "show"])
def test_a_file_that_is_cut_meanwhile_ends_there(
    trace: Path, labcap_binary: Path, hold: Hold, records: Records, where: str, words: list[str]
) -> None:
    trace.write_bytes(b"".join(records))
    left = place(records, where)
    held = hold(labcap_binary, lambda: os.truncate(trace, left), words=words)
    assert held.returncode == (0 if where == "between two records" else UNTRUSTED)
    assert outcome(held) == outcome(at_once(labcap_binary, trace, words=words))


@both
def test_payload_is_what_the_file_held(
    trace: Path, labcap_binary: Path, hold: Hold, records: Records
) -> None:
    trace.write_bytes(b"".join(records))
    words = [*SHOW, "--payload"]
    only = "tcp[tcpflags] & tcp-push != 0"
    whole = at_once(labcap_binary, trace, only, words=words)
    held = hold(labcap_binary, lambda: os.truncate(trace, 0), only, words=words)
    assert held.returncode == UNTRUSTED
    shown = [set(re.findall(rb'"[^"\n]*"', done.stdout)) for done in (held, whole)]
    assert shown[0] == shown[1] == {rb'"hello!\n"', rb'"you said: hello..\n"'}


@both
def test_the_sanitizers_have_nothing_to_say_of_a_file_that_is_cut_meanwhile(
    trace: Path, labcap_sanitized: Path, hold: Hold, records: Records
) -> None:
    trace.write_bytes(b"".join(records))
    held = hold(labcap_sanitized, lambda: os.truncate(trace, place(records, "in a packet")))
    assert outcome(held) == outcome(at_once(labcap_sanitized, trace))


@both
@pytest.mark.parametrize("filtered", ["tcp", "portrange 20000-21500", "tcp[tcpflags] = 2"])
def test_a_filter_sees_only_what_the_file_holds(
    trace: Path, labcap_binary: Path, hold: Hold, records: Records, filtered: str
) -> None:
    trace.write_bytes(b"".join(records))
    cut = place(records, "behind a record's header")
    held = hold(labcap_binary, lambda: os.truncate(trace, cut), filtered)
    assert held.returncode == UNTRUSTED
    assert outcome(held) == outcome(at_once(labcap_binary, trace, filtered))


@both
def test_a_file_that_ends_before_what_was_read_of_it(
    trace: Path, labcap_binary: Path, hold: Hold, records: Records
) -> None:
    trace.write_bytes(b"".join(records))
    whole = at_once(labcap_binary, trace)
    held = hold(labcap_binary, lambda: os.truncate(trace, 0))
    assert held.returncode == UNTRUSTED
    assert held.stderr.endswith(b": the file has become shorter\n")
    *told, capture = held.stdout.splitlines()
    assert b'"complete":false' in capture
    of_whole = whole.stdout.splitlines()
    assert 0 < len(told) < len(of_whole) - 1
    assert told[:-1] == of_whole[: len(told) - 1]  # the last one may have been open


@both
@pytest.mark.parametrize("where", PLACES)
def test_what_is_written_meanwhile_is_read(
    trace: Path, labcap_binary: Path, hold: Hold, records: Records, where: str
) -> None:
    whole = b"".join(records)
    cut = place(records, where)
    trace.write_bytes(whole[:cut])

    def go_on() -> None:
        with trace.open("ab") as file:
            file.write(whole[cut:])

    held = hold(labcap_binary, go_on)
    assert held.returncode == 0
    assert outcome(held) == outcome(at_once(labcap_binary, trace))


# A file that has its size, and cannot be read beyond a place: for fstat() it does not shrink.
UNREADABLE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>

int fstat(int fd, struct stat *status)
{
    static off_t largest;
    int (*real)(int, struct stat *) = dlsym(RTLD_NEXT, "fstat");
    int result = real(fd, status);

    if (result == 0 && S_ISREG(status->st_mode)) {
        largest = status->st_size > largest ? status->st_size : largest;
        status->st_size = largest;
    }
    return result;
}
"""


@both
def test_a_file_that_cannot_be_read_any_further_ends_there(
    trace: Path, tmp_path: Path, labcap_binary: Path, hold: Hold, records: Records,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace.write_bytes(b"".join(records))
    preloaded = tmp_path / "unreadable.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", preloaded, "-", "-ldl"],
                   input=UNREADABLE, text=True, check=True)
    monkeypatch.setenv("LD_PRELOAD", str(preloaded))
    held = hold(labcap_binary, lambda: os.truncate(trace, place(records, "between two pages")))
    assert held.returncode == UNTRUSTED
    assert outcome(held) == outcome(at_once(labcap_binary, trace))


# ---- What is no ordinary packet ----


def with_statistics() -> Records:
    """Blocks of statistics among the packets; the last one counts."""
    writer = NgWriter()
    writer.blocks = pcapng()
    for dropped in (3, 4):
        writer.statistics(dropped=dropped)
    late = [writer.blocks.pop(), writer.blocks.pop()]
    for part in (3, 4):
        writer.blocks.insert(len(writer.blocks) * part // 5, late.pop())
    return writer.blocks


def with_lossy_packets(order: str = "<") -> Records:
    """Two packets that tell of drops before them, 7 in all, and one with a comment."""
    writer = NgWriter(order)
    writer.interface(1)
    for number, frame in enumerate(echoes()):
        if number in (5000, 5100):
            writer.lossy_packet(frame, 3 if number == 5000 else 4)
        else:
            writer.packet(frame, 0, [(1, b"no drops")] if number == 4000 else ())
    return writer.blocks


def with_block(kind: int, size: int) -> Callable[[], Records]:
    def make() -> Records:
        blocks = pcapng()
        body = bytes(size)
        length = struct.pack("<I", 12 + size)
        blocks.insert(len(blocks) // 2, struct.pack("<I", kind) + length + body + length)
        return blocks

    return make


def with_mark() -> Records:
    """Late, the mark of a wire between two points."""
    records = pcap()
    at = len(records) // 2
    (stamp,) = struct.unpack("<I", records[at][:4])
    records.insert(at, pcap_record(Frame(mark(ETHERNET), stamp * 10**9)))
    return records


def with_other_packets() -> Records:
    """ICMP and UDP of both versions of IP."""
    talk = Conversation()
    asked = talk.datagram("client", b"asked")
    talk.add(port_unreachable(talk.packets[asked - 1].data))
    for piece in fragments_of(talk.udp_packet("client", b"u" * 200), 104):
        talk.add(piece)
    six = ipv6_conversation()
    asked = six.datagram("client", b"asked")
    six.add(port_unreachable(six.packets[asked - 1].data))
    echo = IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=8) / Raw(b"echo")
    talk.add(echo)
    talk.add(IP(src="10.0.0.2", dst="10.0.0.1") / ICMP(type=0) / Raw(b"echo"))
    six.add(IPv6(src="::1", dst="::2") / ICMPv6EchoRequest())
    six.add(IPv6(src="::1", dst="::2") / ICMPv6ND_NS())
    records = pcap()
    for frame in ETHERNET.frames(talk.packets + six.packets):
        records.insert(len(records) * 2 // 3, pcap_record(frame))
    return records


def with_odd_record() -> Records:
    """A fraction of more than a second."""
    records = pcap()
    at = len(records) // 2
    records[at] = records[at][:4] + struct.pack("<I", 10**9) + records[at][8:]
    return records


def cut_short() -> Records:
    records = pcap()
    return [*records[:-1], records[-1][:-1]]


KINDS: dict[str, Callable[[], Records]] = {
    "pcap": pcap,
    "pcap, us": lambda: pcap(ns=False),
    "pcap, big-endian": lambda: pcap(">"),
    "pcapng": pcapng,
    "pcapng, big-endian": lambda: pcapng(">"),
    "statistics": with_statistics,
    "packets that tell of drops": with_lossy_packets,
    "packets that tell of drops, big-endian": lambda: with_lossy_packets(">"),
    "a block that nobody knows": with_block(0x0BAD, 64),
    "a large block that nobody knows": with_block(0x0BAD, BLOCK_MAX + 4),
    "a block too large for libpcap": with_block(0x0BAD, 17 << 20),
    "a second interface": with_block(1, 8),
    "a second section": lambda: pcapng() + pcapng(),
    "a mark": with_mark,
    "other packets": with_other_packets,
    "an odd record": with_odd_record,
    "the last packet is cut": cut_short,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", [["flows", "--json"], ["flows", "--json", "-", "port 20007"],
                                     ["check", "--json", "-", "connections=3000"],
                                     ["show"], ["show", "--payload"], ["show", "--json"]],
                         ids=["all", "a filter", "check", "show", "payload", "show, as JSON"])
def test_a_mapped_file_says_what_an_unpacked_one_says(
    tmp_path: Path, labcap: Labcap, kind: str, command: list[str]
) -> None:
    whole = b"".join(KINDS[kind]())
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(whole)
    packed.write_bytes(gzip.compress(whole, 1))
    arguments = command if "-" in command else [*command, "-"]
    told = []
    for path in (plain, packed):
        with path.open("rb") as stream:
            done = labcap(*arguments, stdin=stream)
        told.append((done.returncode, done.stdout, done.stderr))
    assert told[0] == told[1]


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
def test_drops_are_counted_once(trace: Path, labcap: Labcap, order: str) -> None:
    trace.write_bytes(b"".join(with_lossy_packets(order)))
    done = labcap("flows", "--json", trace)
    assert done.returncode == UNTRUSTED
    assert done.stderr == f"labcap: {trace}: 7 packets were lost when it was recorded\n"


@both
def test_stdin_is_mapped_from_where_it_is(
    trace: Path, tmp_path: Path, labcap: Labcap, records: Records
) -> None:
    whole = b"".join(records)
    trace.write_bytes(whole)
    behind = tmp_path / "behind"
    behind.write_bytes(b"something else\n" * 1000 + whole)
    told = []
    for path, skipped in ((trace, 0), (behind, 15_000)):
        with path.open("rb") as stream:
            stream.seek(skipped)
            told.append(labcap("flows", "--json", "-", stdin=stream).stdout)
            assert os.lseek(stream.fileno(), 0, os.SEEK_CUR) == path.stat().st_size
    assert told[0] == told[1]
    assert told[0].count('"history"') == CONNECTIONS
