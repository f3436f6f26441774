"""Files made to do harm: never a crash, never unbounded memory or time.

Most run under AddressSanitizer and UndefinedBehaviorSanitizer, many packets to
a file; random choices come from fixed seeds.
"""

from __future__ import annotations

import json
import random
import struct
import subprocess
from pathlib import Path
from typing import Callable, Sequence

import pytest
from calls import DEADLINE, SANITIZED_DEADLINE, Argument, Json, Labcap, ReadOne
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw
from trace_files import ETHERNET, LINKS, RAW, SLL2, Frame, Link, ethernet, write_pcap, write_pcapng
from traces import START_NS, Conversation, echo_conversation, fragments_of, ipv6_conversation

COMMANDS = [["flows", "--json"], ["flows"], ["check"], ["show"]]
MEMORY_LIMIT_KIB = 200 * 1024  # of address space, so more than is resident
MANY = 20_000
FIRST_BYTE = 1_000_001

Survives = Callable[..., list[Json]]


@pytest.fixture(scope="session")
def survives(labcap_sanitized: Path) -> Survives:
    """Read a file with every command under the sanitizers; the JSON of flows.

    The exit status must be 0 or 3 (for check also 1: not met), stderr without
    a sanitizer's report, JSON whole.
    """

    def read(path: Path, commands: Sequence[list[str]] = COMMANDS) -> list[Json]:
        told: list[Json] = []
        for command in commands:
            extra = ["connections<=9"] if command == ["check"] else []
            done = subprocess.run(
                [labcap_sanitized, *command, path, *extra],
                capture_output=True, timeout=SANITIZED_DEADLINE, check=False,
            )  # fmt: skip
            allowed = (0, 1, 3) if command == ["check"] else (0, 3)
            assert done.returncode in allowed, (command, done.returncode, done.stderr[-3000:])
            assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr
            if done.returncode == 3:
                assert done.stderr != b""
            if command == ["flows", "--json"]:
                told = [json.loads(line) for line in done.stdout.splitlines()]
        return told

    return read


def varied() -> Conversation:
    """A few packets of every kind."""
    talk = echo_conversation()
    talk.datagram("client", b"hello")
    for piece in fragments_of(talk.udp_packet("client", b"u" * 200), 104):
        talk.add(piece)
    six = ipv6_conversation().handshake()
    for piece in fragments_of(six.udp_packet("server", b"u" * 200), 104):
        six.add(piece)
    talk.packets += six.packets
    return talk


@pytest.mark.parametrize("write", [write_pcap, write_pcapng], ids=["pcap", "pcapng"])
def test_a_file_cut_at_any_length(
    tmp_path: Path, survives: Survives, write: Callable[..., Path]
) -> None:
    path = write(tmp_path / "t", ETHERNET.frames(varied().packets[:5]))
    whole = path.read_bytes()
    lengths = [*range(0, 140), *range(140, len(whole), 7)]
    for length in lengths[::2]:
        path.write_bytes(whole[:length])
        told = survives(path, COMMANDS[:1])
        assert told == [] or told[-1]["type"] == "capture"


@pytest.mark.parametrize("write", [write_pcap, write_pcapng], ids=["pcap", "pcapng"])
@pytest.mark.parametrize("seed", range(4))
def test_bytes_of_a_file_changed_at_random(
    tmp_path: Path, survives: Survives, write: Callable[..., Path], seed: int
) -> None:
    dice = random.Random(seed)
    path = write(tmp_path / "t", ETHERNET.frames(varied().packets))
    whole = path.read_bytes()
    for _ in range(25):
        changed = bytearray(whole)
        for _ in range(dice.randint(1, 12)):
            changed[dice.randrange(len(changed))] = dice.getrandbits(8)
        path.write_bytes(changed)
        survives(path, [dice.choice(COMMANDS)])


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_packets_changed_at_random(trace: Path, survives: Survives, link: Link) -> None:
    dice = random.Random(link.name)
    frames = []
    for _ in range(30):
        for frame in link.frames(varied().packets):
            data = bytearray(frame.data)
            for _ in range(dice.randint(0, 4)):
                data[dice.randrange(min(90, len(data)))] = dice.getrandbits(8)
            kept = dice.choice([len(data)] * 4 + [dice.randrange(len(data) + 1)])
            frames.append(Frame(bytes(data), frame.time_ns).cut(kept))
    write_pcap(trace, frames, link.linktype)
    told = survives(trace)
    assert told[-1]["packets"] == len(frames)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_junk_packets(trace: Path, survives: Survives, link: Link) -> None:
    dice = random.Random(link.name)
    frames = []
    for number in range(400):
        junk = dice.randbytes(dice.choice([0, 1, 3, 13, 14, 20, 39, 40, 60, 200]))
        if number % 2:
            junk = link.wrap(dice.choice([b"\x45\0", b"\x60\0", b"\x4f\0"]) + junk)
        frames.append(Frame(junk, START_NS + number))
    write_pcap(trace, frames, link.linktype)
    told = survives(trace)
    assert told[-1]["packets"] == 400


@pytest.mark.parametrize("linktype", [0, 1, 101, 108, 113, 276])
def test_empty_packets(trace: Path, survives: Survives, linktype: int) -> None:
    frames = [Frame(b"", START_NS, wire) for wire in (0, 1, 60, 2**31, 2**32 - 1)]
    write_pcap(trace, frames, linktype)
    told = survives(trace)
    assert (told[-1]["packets"], told[-1]["decoded"]) == (5, 0)


def test_lengths_that_lie_in_every_header(trace: Path, survives: Survives) -> None:
    talk = Conversation().handshake()
    for value in range(16):
        talk.client("A", b"x" * 40, ip={"ihl": value})
        talk.client("A", b"x" * 40, tcp={"dataofs": value})
    for value in (1, 19, 20, 21, 39, 40, 41, 79, 80, 81, 1500, 32768, 65535):
        talk.client("A", b"x" * 40, ip={"len": value})
        udp = UDP(sport=1, dport=2, len=value)
        talk.add(IP(src="10.0.0.1", dst="10.0.0.2") / udp / Raw(b"x" * 40))
        talk.add(IPv6(src="::1", dst="::1", plen=value) / TCP(flags="A") / Raw(b"x" * 40))
    for value in (0, 7, 8):
        udp = UDP(sport=1, dport=2, len=value)
        talk.add(IP(src="10.0.0.1", dst="10.0.0.2") / udp / Raw(b"x" * 40))
    told = survives(talk.write(trace, RAW))
    assert told[-1]["packets"] == len(talk.packets)


@pytest.mark.parametrize("options", ["0200", "0201", "02ff", "0300", "050105", "08ff00", "02"])
def test_tcp_options_of_length_0_1_and_too_much(
    trace: Path, survives: Survives, options: str
) -> None:
    talk = Conversation().handshake()
    field = bytes.fromhex(options)
    for padding in (b"\x01", b"\x00", b"\x02"):
        filled = field + padding * (40 - len(field))
        header = struct.pack("!HHIIBBHHH", 39870, 4321, 1_000_001, 2_000_001, 0xF0, 24, 9, 0, 0)
        talk.add(IP(src="10.0.0.1", dst="10.0.0.2", proto=6) / Raw(header + filled + b"data"))
    (told, _) = survives(talk.write(trace))
    assert told["to_server"]["bytes"] == 4


def ipv6_with(next_header: int, body: bytes) -> bytes:
    """An IPv6 packet of any next header and body."""
    head = struct.pack("!IHBB", 6 << 28, len(body) % 65536, next_header, 64)
    return head + bytes(15) + b"\1" + bytes(15) + b"\2" + body


def test_ipv6_extension_header_chains(trace: Path, survives: Survives) -> None:
    """Long ones, ones that end in the middle, ones that reach past the packet."""
    talk = Conversation()
    tcp = bytes(TCP(sport=1, dport=2, flags="S"))
    for kind in (0, 43, 44, 51, 60, 135, 139, 140, 50):
        for count in (1, 2, 100, 8000):
            chain = bytes([kind, 0, 0, 0, 0, 0, 0, 0]) * (count - 1)
            talk.add(ipv6_with(kind, chain + bytes([6]) + bytes(7) + tcp))
            talk.add(ipv6_with(kind, chain + bytes([kind, 255]) + bytes(6)))
            talk.add(ipv6_with(kind, chain + bytes([kind])))
            talk.add(ipv6_with(kind, chain))
    told = survives(talk.write(trace, RAW))
    assert told[-1]["packets"] == len(talk.packets)


def fragment_bytes(ident: int, offset: int, more: int, body: bytes, version: int) -> bytes:
    """A fragment of UDP at an offset of 8-byte units."""
    if version == 6:
        header = struct.pack("!BBHI", 17, 0, offset << 3 | more, ident)
        return ipv6_with(44, header + body)
    return bytes(
        IP(src="10.0.0.1", dst="10.0.0.2", proto=17, id=ident, frag=offset, flags=more) / Raw(body)
    )


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_that_overlap_and_reach_past_64_kib(
    trace: Path, survives: Survives, version: int
) -> None:
    dice = random.Random(version)
    talk = Conversation()
    udp = bytes(UDP(sport=1, dport=2, len=5000) / Raw(bytes(64)))
    teardrop = [(0, 1, udp), (4, 0, bytes(4)), (3, 1, bytes(48)), (0, 0, udp), (1, 0, b"")]
    far = [(0, 1, udp), (8191, 0, bytes(1400)), (8191, 1, bytes(1400)), (8100, 1, bytes(3000))]
    for ident, pieces in enumerate([teardrop, far, [(0, 1, b"\0")], [(0, 1, b"")]], start=1):
        for offset, more, body in pieces:
            talk.add(fragment_bytes(ident, offset, more, body, version))
    for ident in range(200):
        for _ in range(dice.randint(1, 8)):
            body = dice.randbytes(dice.choice([0, 1, 7, 8, 9, 64, 800]))
            offset = dice.choice([0, 0, 1, 2, 8, 100, 8191])
            talk.add(fragment_bytes(100 + ident, offset, dice.randint(0, 1), body, version))
    told = survives(talk.write(trace, RAW))
    assert told[-1]["packets"] == len(talk.packets)


def test_a_hundred_vlan_tags(trace: Path, survives: Survives) -> None:
    packet = Conversation().handshake().packets[0].data
    frames = []
    for depth in (1, 2, 3, 10, 100):
        data = ethernet(*[(0x8100, tag) for tag in range(depth)]).wrap(packet)
        frames += [Frame(data, START_NS), Frame(data[: 14 + 4 * depth], START_NS)]
        frames += [Frame(data[: 12 + 4 * depth - cut], START_NS) for cut in (1, 2, 3)]
    write_pcap(trace, frames)
    told = survives(trace)
    assert told[-1]["packets"] == len(frames)


def test_sll2_headers_cut_anywhere(trace: Path, survives: Survives) -> None:
    data = SLL2.wrap(Conversation().handshake().packets[0].data)
    frames = [Frame(data[:length], START_NS, len(data)) for length in range(len(data) + 1)]
    write_pcap(trace, frames, SLL2.linktype)
    told = survives(trace)
    assert told[-1]["packets"] == len(frames)


def test_times_that_no_clock_gives(trace: Path, survives: Survives) -> None:
    talk = Conversation().handshake()
    frames = ETHERNET.frames(talk.packets)
    write_pcap(trace, frames)
    whole = bytearray(trace.read_bytes())
    for offset, stamp in ((24, (2**32 - 1, 2**32 - 1)), (24 + 70, (0, 2**31)), (164, (0, 0))):
        whole[offset : offset + 8] = struct.pack("<II", *stamp)
    trace.write_bytes(whole)
    survives(trace)


def within_memory(*command: Argument) -> subprocess.CompletedProcess[str]:
    """Run a program that gets no more address space than the limit."""
    limited = ["sh", "-c", f'ulimit -v {MEMORY_LIMIT_KIB} && exec "$@"', "sh", *command]
    return subprocess.run(
        limited, capture_output=True, text=True, timeout=DEADLINE, check=False
    )


def stamped(data: bytes, number: int, *changes: tuple[int, bytes]) -> Frame:
    """A copy of a packet with other bytes at the offsets given, a microsecond each."""
    copy = bytearray(data)
    for offset, field in changes:
        copy[offset : offset + len(field)] = field
    return Frame(bytes(copy), START_NS + number * 1000)


def syn_flood() -> list[Frame]:
    """SYNs from as many ports and addresses."""
    talk = Conversation()
    talk.client("S")
    syn = talk.packets[0].data
    return [
        stamped(syn, n, (14, struct.pack("!H", n >> 8)), (20, struct.pack("!H", 1 + n % 65535)))
        for n in range(MANY)
    ]


def holes(step: int) -> list[Frame]:
    """One connection's bytes, every other one missing; step -1: from the last to the first."""
    talk = Conversation().handshake()
    talk.client("A", b"x")
    *opening, data = (frame.data for frame in talk.packets)
    frames = [stamped(packet, number) for number, packet in enumerate(opening)]
    for number, place in enumerate(range(MANY)[::step]):
        ip_id = struct.pack("!H", 1 + number)
        sequence = struct.pack("!I", FIRST_BYTE + 2 * place)
        frames.append(stamped(data, 10 + number, (4, ip_id), (24, sequence)))
    return frames


def unfinished_fragments() -> list[Frame]:
    """First fragments whose others never come."""
    first = fragment_bytes(1, 0, 1, bytes(UDP(sport=1, dport=2, len=60_000)) + bytes(1000), 4)
    return [
        stamped(first, n, (4, struct.pack("!H", n)), (14, struct.pack("!H", n)))
        for n in range(MANY)
    ]


def two_connections_at_every_syn() -> list[Frame]:
    """The same ports over and over, each SYN with another ISN."""
    talk = Conversation()
    talk.client("S")
    return [stamped(talk.packets[0].data, n, (24, struct.pack("!I", n))) for n in range(MANY)]


FLOODS = {
    "20,000 connections": syn_flood,
    "20,000 holes": lambda: holes(1),
    "20,000 holes backwards": lambda: holes(-1),
    "20,000 unfinished datagrams": unfinished_fragments,
    "20,000 SYNs on the same ports": two_connections_at_every_syn,
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_stays_within_memory(
    trace: Path, labcap_binary: Path, survives: Survives, flood: str
) -> None:
    write_pcap(trace, FLOODS[flood](), RAW.linktype)
    done = within_memory(labcap_binary, "flows", "--json", trace)
    assert (done.returncode, done.stderr) == (0, "")
    told = survives(trace, COMMANDS[:1])
    assert told == [json.loads(line) for line in done.stdout.splitlines()]
    assert told[-1]["packets"] >= MANY


def test_a_flood_of_connections_is_counted(trace: Path, labcap: Labcap) -> None:
    write_pcap(trace, syn_flood(), RAW.linktype)
    done = labcap("check", trace, f"connections={MANY}", timeout=DEADLINE)
    assert done.returncode == 0


def test_every_hole_of_a_flood_is_counted(trace: Path, flow: ReadOne) -> None:
    write_pcap(trace, holes(-1), RAW.linktype)
    told = flow(trace)
    assert told["to_server"]["bytes"] == MANY


def test_hostile_expectation_files(tmp_path: Path, trace: Path, labcap_sanitized: Path) -> None:
    echo_conversation().write(trace)
    dice = random.Random(1)
    wanted = tmp_path / "wanted"
    contents = [
        b"\0" * 100, b"\xff\xfe=\n", b"a" * 100_000, b"a=" + b"b" * 100_000, b"=" * 1000,
        b":" * 1000, b"1:" * 1000, dice.randbytes(5000), b"state=SF\0state=S1\n", b"\n" * 10_000,
    ]  # fmt: skip
    for content in contents:
        wanted.write_bytes(content)
        done = subprocess.run(
            [labcap_sanitized, "check", trace, "-e", wanted],
            capture_output=True, timeout=SANITIZED_DEADLINE, check=False,
        )  # fmt: skip
        assert done.returncode == 2, (content[:20], done.stderr[-500:])
        assert len(done.stderr) < 5000
