"""The seeds of labcap's fuzz targets: small inputs of every kind that a target knows.

usage: fuzz_seeds.py FOLDER        writes FOLDER/TARGET/NAME for each target of labcap-replay

Most are made here, by kind. Some are what a fuzzer made of them (fuzz_learn.py): inputs that take
ways through labcap which no other seed takes.
"""

from __future__ import annotations

import base64
import struct
import sys
from pathlib import Path
from typing import Sequence

from journeys import TwoPoints, all_well
from strace_logs import CLIENT, SERVER, Log, sockaddr
from test_hostile_files import varied
from test_syscalls_hostile import varied as varied_log
from trace_files import ETHERNET, LINKS, RAW, SLL2, NgWriter, write_pcap, write_pcapng
from traces import echo_conversation, ipv6_conversation

TARGETS = ("file", "packet", "tcp", "ladder", "calls")
DOCS = Path(__file__).resolve().parents[3] / "docs" / "traces"
LEARNED = Path(__file__).resolve().parents[2] / "labcap" / "fuzz" / "learned"
SMALL = 4096  # bytes; a fuzzer learns little from a longer trace

# The link types of fuzz_packet.c, in its order.
PACKET_LINKS = [1, 113, 276, 0, 108, 12, 14, 101, 228, 229]

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SERVER_SIDE, IPV6, UDP, OTHER, TIMES_64, FAR = 1, 8, 32, 48, 64, 128
TOO_LONG, CUT, SAME_ID, NO_ID, VLAN, OPTIONS, DAMAGED, ARRIVES = (1 << bit for bit in range(8))


def step(
    flags: int, which: int = 0, *, seq: int = 0, ack: int = 0, length: int = 0, window: int = 9,
    after: int = 0, more: int = 0,
) -> bytes:  # fmt: skip
    """One packet in short; see fuzz/steps.h."""
    return struct.pack("!BBhhBBBB", flags, which, seq, ack, length, window, after, more)


def opened(flow: int = 0) -> list[bytes]:
    """The three packets of a handshake."""
    here, there = flow << 1, flow << 1 | SERVER_SIDE
    return [
        step(SYN, here, more=OPTIONS), step(SYN | ACK, there, more=OPTIONS), step(ACK, here),
    ]  # fmt: skip


CLOSED = [
    step(FIN | ACK), step(ACK, SERVER_SIDE), step(FIN | ACK, SERVER_SIDE), step(ACK),
]  # fmt: skip
DATA, REPLY = step(PSH | ACK, length=7), step(PSH | ACK, SERVER_SIDE, length=18)

# Both sides have sent data, all of it is acknowledged: the tracker's short way is open.
STEADY = [
    *opened(), DATA, step(ACK, SERVER_SIDE), REPLY, step(ACK),
    *[step(PSH | ACK, length=length) for length in (20, 20, 90)],
    step(ACK, SERVER_SIDE, ack=-90), *[step(ACK, SERVER_SIDE, ack=-90, window=9)] * 2,
    step(PSH | ACK, SERVER_SIDE, length=200, window=30), step(ACK, ack=-100), step(ACK),
]  # fmt: skip

THEN: dict[str, Sequence[bytes]] = {
    "closed": [step(ACK, length=30, which=TIMES_64), *CLOSED],
    "kept-alive": [step(ACK, seq=-1), step(ACK, SERVER_SIDE), DATA, REPLY],
    "lost": [step(ACK, seq=50, length=10), step(ACK, SERVER_SIDE, length=5, ack=-60),
             step(ACK, seq=-60, length=50), step(ACK, SERVER_SIDE), DATA, REPLY],
    "full": [step(ACK, SERVER_SIDE, window=255), step(ACK, length=1),
             step(ACK, SERVER_SIDE, window=255, ack=-1), step(ACK, SERVER_SIDE, ack=-1), DATA],
    "claimed": [step(ACK, length=60, more=TOO_LONG), step(ACK, SERVER_SIDE), DATA],
    "too-much": [step(ACK, SERVER_SIDE, ack=9), DATA, step(ACK, SERVER_SIDE)],
    "too-little": [step(ACK, ack=-300), REPLY, step(ACK)],
    "opened": [step(SYN), DATA, step(FIN | ACK, length=9), step(ACK, length=9), REPLY],
    "reset": [step(RST, seq=9), DATA, step(RST | ACK, SERVER_SIDE), DATA],
}  # fmt: skip

STORIES: dict[str, Sequence[bytes]] = {
    "echo": [*opened(), DATA, step(ACK, SERVER_SIDE), REPLY, *CLOSED],
    "refused": [step(SYN), step(RST | ACK, SERVER_SIDE)],
    "reset": [*opened(), DATA, step(RST, SERVER_SIDE)],
    "syn-again": [step(SYN), step(SYN, seq=-1), step(SYN | ACK, SERVER_SIDE)],
    "lost-and-found": [*opened(), step(ACK, seq=100, length=10), step(ACK, SERVER_SIDE, ack=-110),
                       step(ACK, seq=-110, length=100), step(ACK, SERVER_SIDE)],
    "sent-again": [*opened(), DATA, step(PSH | ACK, seq=-7, length=7),
                   step(PSH | ACK, seq=-3, length=7)],
    "zero-window": [*opened(), step(ACK, SERVER_SIDE, window=255), step(ACK, length=1),
                    step(ACK, seq=-1, length=1), step(ACK, SERVER_SIDE)],
    "both-open": [step(SYN), step(SYN, SERVER_SIDE), step(SYN | ACK, seq=-1),
                  step(SYN | ACK, SERVER_SIDE, seq=-1)],
    "both-close": [*opened(), step(FIN | ACK), step(FIN | ACK, SERVER_SIDE, ack=-1), step(ACK),
                   step(ACK, SERVER_SIDE)],
    "port-again": [*opened(), *CLOSED, step(SYN, seq=1000), step(SYN | ACK, SERVER_SIDE, seq=99)],
    "middle": [DATA, REPLY, step(ACK), step(FIN | ACK, SERVER_SIDE)],
    "claimed": [*opened(), step(ACK, length=200, more=TOO_LONG), step(ACK, SERVER_SIDE, ack=1),
                step(ACK, length=255, which=TIMES_64), step(FIN | ACK, more=TOO_LONG)],
    "two": [*opened(), *opened(1), DATA, step(PSH | ACK, 2, length=9), *CLOSED, step(RST, 2)],
    "far": [*opened(), step(ACK, FAR, seq=3000, length=9), step(ACK, SERVER_SIDE | FAR, ack=9)],
    "six": [step(SYN, IPV6), step(SYN | ACK, IPV6 | SERVER_SIDE), step(ACK, IPV6)],
    "twice": [*opened(), DATA, step(PSH | ACK, seq=-7, length=7, more=SAME_ID)],
    "udp": [step(0, UDP, length=5), step(0, UDP | SERVER_SIDE, length=5), step(0, OTHER, seq=3)],
    "pieces": [step(0, UDP, seq=1, length=24, ack=1), step(0, UDP, seq=8, length=8, more=SAME_ID)],
    "unreachable": [step(0, UDP, length=5), step(0, OTHER | SERVER_SIDE, seq=0x301)],
    "travels": [b for packet in (*opened(), DATA, *CLOSED)
                for b in (packet, step(0, length=0, window=0, more=ARRIVES))],
    "travels-badly": [DATA, step(0, window=0, more=ARRIVES | DAMAGED, seq=1), DATA, REPLY,
                      step(0, length=1, window=1, more=ARRIVES), DATA,
                      step(0, length=0, window=2, more=ARRIVES),
                      step(0, length=1, window=2, more=ARRIVES)],
    "keeps-alive": [*opened(), DATA, step(ACK, seq=-1), step(ACK, SERVER_SIDE),
                    *[step(ACK, SERVER_SIDE, ack=-7)] * 4, step(ACK, after=255)],
    **{f"steady-{name}": [*STEADY, *tail] for name, tail in THEN.items()},
}  # fmt: skip


def trace_seeds(folder: Path) -> None:
    """Whole files: each format, byte order, link type; cut ones; the traces of the docs."""
    talk = varied()
    for number, link in enumerate(LINKS):
        frames = link.frames(talk.packets)[: 12 if number else None]
        write_pcap(folder / f"{link.name}.pcap", frames, link.linktype)
    frames = ETHERNET.frames(echo_conversation().packets)
    for order in "<>":
        name = "little" if order == "<" else "big"
        write_pcap(folder / f"micro-{name}.pcap", frames, order=order, ns=False)
        write_pcap(folder / f"nano-{name}.pcap", frames, order=order, snaplen=60)
        write_pcapng(folder / f"{name}.pcapng", frames, order=order)
        writer = NgWriter(order)
        writer.interface(1)
        writer.interface(1, snaplen=96)
        for number, frame in enumerate(frames):
            writer.packet(frame, number % 2)
        writer.lossy_packet(frames[0], 2, interface=1)
        writer.old_packet(frames[0], 2)
        writer.statistics(dropped=3, interface=1)
        writer.write(folder / f"lossy-{name}.pcapng")
    whole = (folder / "little.pcapng").read_bytes()
    (folder / "cut.pcapng").write_bytes(whole[: len(whole) - 30])
    (folder / "two-sections.pcapng").write_bytes(whole + (folder / "big.pcapng").read_bytes())
    TwoPoints().go(echo_conversation(), all_well(10)).write(folder / "travels.pcap")
    TwoPoints(SLL2).go(echo_conversation(), "s1 a1 s2 s3 a3* a2 a1").write(folder / "hurt.pcap")
    for path in sorted(DOCS.glob("*.pcapng")):
        if path.stat().st_size <= SMALL:
            (folder / path.name).write_bytes(path.read_bytes())


def packet_seeds(folder: Path) -> None:
    """A packet of every kind in every link layer."""
    six = ipv6_conversation().handshake()
    packets = varied().packets + six.packets
    for link in LINKS:
        for number, frame in enumerate(link.frames(packets)):
            index = PACKET_LINKS.index(link.linktype)
            more = frame.on_wire - len(frame.data)
            head = struct.pack("!I", index << 24 | more)
            if link is RAW or number % 5 == 0:
                (folder / f"{link.name}-{number}").write_bytes(head + frame.data)


def step_seeds(folder: Path, *fronts: bytes) -> None:
    """Each story behind each of these."""
    for number, front in enumerate(fronts):
        for name, story in STORIES.items():
            (folder / f"{name}-{number}").write_bytes(front + b"".join(story))


def calls_of_a_client() -> Log:
    """A client that is refused, calls again, and is killed."""
    log = Log(pid=300)
    log.connect(-20, 30)
    own = f"3<TCP:[{CLIENT}->{SERVER}]>"
    log.send(29, own, "hello")
    log.recv(31, own, "hello", 12)
    log.call(48, f"shutdown({own}, SHUT_WR)")
    log.call(49, f"close({own})")
    log.connect(68, 25, result="-1 ECONNREFUSED (Connection refused)")
    log.call(129, f'sendto(5<UDP:[0.0.0.0:39872]>, "hello", 5, 0, {sockaddr(SERVER)}, 16)', "5")
    log.line(150, "+++ killed by SIGKILL +++")
    return log


def log_seeds(folder: Path) -> None:
    """Logs in strace's different forms, and those of the docs."""
    (folder / "every-call").write_bytes(varied_log())
    calls_of_a_client().write(folder / "client")
    for name, options in (
        ("no-yy", {"yy": False}), ("no-durations", {"durations": False}), ("ff", {"pids": False}),
        ("of-day", {"stamp": "22:13:20.{microseconds:06}"}),
    ):  # fmt: skip
        log = Log(pid=200, **options)  # type: ignore[arg-type]
        log.listen(-300)
        log.accept(-200, 222)
        log.recv(31, log.fd(4, f"TCP:[{SERVER}->{CLIENT}]"), "hello")
        log.send(38, log.fd(4, f"TCP:[{SERVER}->{CLIENT}]"), "hello")
        log.call(58, "close(4)")
        log.write(folder / name)
    for path in sorted(DOCS.glob("*.calls")):
        if path.stat().st_size <= 2 * SMALL:
            (folder / path.name).write_bytes(path.read_bytes())


def learned_seeds(folder: Path) -> None:
    """What fuzz_learn.py has kept for the target of this folder: an input a line, in base64."""
    kept = LEARNED / folder.name
    for number, line in enumerate(kept.read_text().split() if kept.exists() else [], 1):
        (folder / f"learned-{number:03}").write_bytes(base64.b64decode(line))


def made_seeds(folder: Path) -> None:
    """The seeds of every target that are made here."""
    for target in TARGETS:
        (folder / target).mkdir(parents=True, exist_ok=True)
    trace_seeds(folder / "file")
    packet_seeds(folder / "packet")
    step_seeds(folder / "tcp", b"\0", b"\x81")
    step_seeds(folder / "ladder", b"\x01\x28\0", b"\x1d\x50\1", b"\x30\x00\1", b"\x84\x00\0")
    log_seeds(folder / "calls")


def write_seeds(folder: Path) -> None:
    """The seeds of every target, each in a folder of its own."""
    made_seeds(folder)
    for target in TARGETS:
        learned_seeds(folder / target)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: fuzz_seeds.py FOLDER")
    write_seeds(Path(sys.argv[1]))
