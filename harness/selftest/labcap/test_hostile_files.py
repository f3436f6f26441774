"""Files made to do harm: never a crash.

Most run under AddressSanitizer and UndefinedBehaviorSanitizer, many packets to
a file; random choices come from fixed seeds.
"""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path
from typing import Callable, Sequence

import pytest
from calls import COMMANDS, SANITIZED_DEADLINE, Survives
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting
from scapy.packet import Raw
from trace_files import (
    ETHERNET,
    LINKS,
    NULLS,
    RAW,
    SLL,
    SLL2,
    Frame,
    Link,
    ethernet,
    vlan,
    write_pcap,
    write_pcapng,
)
from traces import (
    START_NS,
    Conversation,
    echo_conversation,
    fragment_bytes,
    fragments_of,
    ipv6_conversation,
    ipv6_with,
    port_unreachable,
)

SurvivesAll = Callable[[Sequence[Frame], Link], None]


def varied() -> Conversation:
    """A few packets of every kind."""
    talk = echo_conversation()
    stamps = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]
    talk.client("A", b"x", ip={"options": b"\x94\x04\x00\x00"}, tcp={"options": stamps})
    asked = talk.datagram("client", b"hello")
    talk.add(port_unreachable(talk.packets[asked - 1].data))
    for piece in fragments_of(talk.udp_packet("client", b"u" * 200), 104):
        talk.add(piece)
    six = ipv6_conversation().handshake()
    asked = six.datagram("client", b"hello")
    six.add(port_unreachable(six.packets[asked - 1].data))
    for piece in fragments_of(six.udp_packet("server", b"u" * 200), 104):
        six.add(piece)
    chain = IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting() / IPv6ExtHdrDestOpt() / TCP(flags="S")
    six.add(IPv6(src="::1", dst="::1") / chain)
    talk.packets += six.packets
    return talk


def write_tight(path: Path, frames: Sequence[Frame], link: Link) -> Path:
    """A pcap file whose snaplen is that of its longest packet.

    libpcap's buffer is then no longer than that packet, so that the sanitizer
    sees a read beyond it.
    """
    snaplen = max(len(frame.data) for frame in frames)
    return write_pcap(path, frames, link.linktype, snaplen=snaplen)


@pytest.fixture
def survives_all(trace: Path, survives: Survives) -> SurvivesAll:
    """Read packets together with every command, then those of each length alone."""

    def read(frames: Sequence[Frame], link: Link) -> None:
        told = survives(write_tight(trace, frames, link))
        assert told[-1]["packets"] == len(frames)
        lengths = {len(frame.data) for frame in frames} - {0}
        for length in sorted(lengths):
            alike = [frame for frame in frames if len(frame.data) == length]
            told = survives(write_tight(trace, alike, link), COMMANDS[:1])
            assert told[-1]["packets"] == len(alike)

    return read


HEADERS = [ETHERNET, vlan(7), SLL, SLL2, RAW, NULLS[0]]


@pytest.mark.parametrize("link", HEADERS, ids=lambda link: link.name)
def test_packets_cut_at_any_length(trace: Path, survives: Survives, link: Link) -> None:
    frames = link.frames(varied().packets)
    for length in range(1, 110):
        write_tight(trace, [frame.cut(length) for frame in frames], link)
        told = survives(trace, COMMANDS[:1])
        assert told[-1]["packets"] == len(frames)
        if length < len(link.wrap(b"\x45")) + 19:
            assert told[-1]["decoded"] == 0


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
    write_tight(trace, frames, link)
    told = survives(trace)
    assert told[-1]["packets"] == len(frames)


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.name)
def test_junk_packets(survives_all: SurvivesAll, link: Link) -> None:
    dice = random.Random(link.name)
    frames = []
    for number in range(400):
        junk = dice.randbytes(dice.choice([0, 1, 3, 13, 14, 20, 39, 40, 60, 200]))
        if number % 2:
            junk = link.wrap(dice.choice([b"\x45\0", b"\x60\0", b"\x4f\0"]) + junk)
        frames.append(Frame(junk, START_NS + number))
    survives_all(frames, link)


@pytest.mark.parametrize("linktype", [0, 1, 101, 108, 113, 276])
def test_empty_packets(trace: Path, survives: Survives, linktype: int) -> None:
    frames = [Frame(b"", START_NS, wire) for wire in (0, 1, 60, 2**31, 2**32 - 1)]
    write_pcap(trace, frames, linktype)
    told = survives(trace)
    assert (told[-1]["packets"], told[-1]["decoded"]) == (5, 0)


def test_lengths_that_lie_in_every_header(survives_all: SurvivesAll) -> None:
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
    survives_all(RAW.frames(talk.packets), RAW)


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


def test_ipv6_extension_header_chains(survives_all: SurvivesAll) -> None:
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
    survives_all(RAW.frames(talk.packets), RAW)


@pytest.mark.parametrize("version", [4, 6])
def test_fragments_that_overlap_and_reach_past_64_kib(
    survives_all: SurvivesAll, version: int
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
    survives_all(RAW.frames(talk.packets), RAW)


def test_a_hundred_vlan_tags(survives_all: SurvivesAll) -> None:
    packet = Conversation().handshake().packets[0].data
    frames = []
    for depth in (1, 2, 3, 10, 100):
        data = ethernet(*[(0x8100, tag) for tag in range(depth)]).wrap(packet)
        frames += [Frame(data, START_NS), Frame(data[: 14 + 4 * depth], START_NS)]
        frames += [Frame(data[: 12 + 4 * depth - cut], START_NS) for cut in (1, 2, 3)]
    survives_all(frames, ETHERNET)


def test_sll2_headers_cut_anywhere(survives_all: SurvivesAll) -> None:
    data = SLL2.wrap(Conversation().handshake().packets[0].data)
    frames = [Frame(data[:length], START_NS, len(data)) for length in range(len(data) + 1)]
    survives_all(frames, SLL2)


def test_times_that_no_clock_gives(trace: Path, survives: Survives) -> None:
    talk = Conversation().handshake()
    frames = ETHERNET.frames(talk.packets)
    write_pcap(trace, frames)
    whole = bytearray(trace.read_bytes())
    for offset, stamp in ((24, (2**32 - 1, 2**32 - 1)), (24 + 70, (0, 2**31)), (164, (0, 0))):
        whole[offset : offset + 8] = struct.pack("<II", *stamp)
    trace.write_bytes(whole)
    survives(trace)


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
