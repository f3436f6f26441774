"""A great many connections, holes and fragments: never unbounded memory or time."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from calls import (
    COMMANDS,
    DEADLINE,
    SANITIZED_DEADLINE,
    Json,
    Labcap,
    Survives,
    within_memory,
)
from scapy.layers.inet import UDP
from trace_files import RAW, Frame, write_pcap
from traces import START_NS, Conversation, echo_conversation, fragment_bytes

MANY = 20_000
FIRST_BYTE = 1_000_001


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
    if "holes" in flood:
        assert done.returncode == 3 and "1024 holes or more at a time" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "")
    told = survives(trace, COMMANDS[:1])
    assert told == [json.loads(line) for line in done.stdout.splitlines()]
    assert told[-1]["packets"] >= MANY


def test_a_flood_of_connections_is_counted(trace: Path, labcap: Labcap) -> None:
    write_pcap(trace, syn_flood(), RAW.linktype)
    done = labcap("check", trace, f"connections={MANY}", timeout=DEADLINE)
    assert done.returncode == 0


def test_every_hole_of_a_flood_is_counted(trace: Path, labcap: Labcap) -> None:
    write_pcap(trace, holes(-1), RAW.linktype)
    done = labcap("flows", "--json", trace)
    assert done.returncode == 3
    assert json.loads(done.stdout.splitlines()[0])["to_server"]["bytes"] == MANY


# ---- Few connections in memory

FEW = 2048  # --max-flows
ROOM = ("--max-flows", str(FEW))


def short_connections(count: int = 4000, step_ns: int = 1000) -> list[Frame]:
    """Echoes, one after the other, during a connection that is not closed."""
    long = Conversation(client_port=1).handshake()
    long.client("PA", b"still here")
    one = echo_conversation(client_port=2)
    packets = [frame.data for frame in long.packets[:3]]
    for talk in range(count):
        port = struct.pack("!H", 1000 + talk)
        for frame in one.packets:
            place = 20 if frame.data[15] == 1 else 22
            packets.append(frame.data[:place] + port + frame.data[place + 2 :])
    packets.append(long.packets[3].data)
    return [Frame(data, START_NS + step_ns * n) for n, data in enumerate(packets)]


def told_of(done: subprocess.CompletedProcess[str]) -> list[Json]:
    """What was printed as JSON."""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("count, step_ns, early", [
    (4000, 1000, True),
    (1700, 1_000_000, True),  # there would be room, but they ended seconds ago
    (1700, 1000, False),
    (900, 10_000_000, False),
])  # fmt: skip
def test_connections_that_have_ended_make_room(
    trace: Path, labcap: Labcap, count: int, step_ns: int, early: bool
) -> None:
    write_pcap(trace, short_connections(count, step_ns), RAW.linktype)
    at_the_end = labcap("flows", "--json", trace, timeout=DEADLINE)
    done = labcap("flows", "--json", *ROOM, trace, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (0, "")
    *told, last = told_of(done)
    assert [*sorted(told, key=lambda flow: flow["id"]), last] == told_of(at_the_end)
    ids = [flow["id"] for flow in told]
    assert sorted(ids) == list(range(1, count + 2))
    assert ids.index(1) > FEW / 4 if early else ids[0] == 1
    assert told[ids.index(1)]["to_server"]["bytes"] == len("still here")


def test_expectations_hold_for_connections_that_were_forgotten(
    trace: Path, labcap: Labcap
) -> None:
    write_pcap(trace, short_connections(), RAW.linktype)
    wanted = ["connections=4001", "2:state=SF", "2:to_server.bytes=8", "4001:state=SF",
              "4002:state=SF", "state=SF"]  # fmt: skip
    done = labcap("check", *ROOM, trace, *wanted, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == labcap("check", trace, *wanted, timeout=DEADLINE).stdout
    assert done.stdout.splitlines() == [
        "met: connections=4001",
        "met: 2:state=SF",
        "NOT met: 2:to_server.bytes=8: was 7 in flow 2 (packets 4 to 13)",
        "met: 4001:state=SF",
        "NOT met: 4002:state=SF: there is no flow 4002",
        "NOT met: state=SF: was S1 in flow 1 (packets 1 to 40004)",
    ]


def test_more_open_connections_than_there_is_room_for_are_said(
    trace: Path, labcap: Labcap
) -> None:
    write_pcap(trace, syn_flood(), RAW.linktype)
    done = labcap("flows", "--json", *ROOM, trace, timeout=DEADLINE)
    assert done.returncode == 3
    *told, last = told_of(done)
    assert done.stderr.startswith(f"labcap: {trace}: packet {FEW}: more than {FEW} connections")
    said = int(done.stderr.split("at a time: ")[1].split()[0])
    assert MANY - FEW <= said <= MANY - FEW / 2
    assert "--max-flows" in done.stderr and done.stderr.count("\n") == 1
    assert [flow["id"] for flow in told] == list(range(1, MANY + 1))
    assert {flow["state"] for flow in told} == {"S0"}
    assert last["packets"] == last["decoded"] == MANY


def test_a_ladder_of_too_many_connections_leaves_some_out(trace: Path, labcap: Labcap) -> None:
    write_pcap(trace, syn_flood()[: FEW + 100], RAW.linktype)
    done = labcap("show", "--json", *ROOM, trace, timeout=DEADLINE)
    assert done.returncode == 3
    assert done.stderr == (f"labcap: {trace}: more than {FEW} connections and UDP flows: later "
                           "ones are left out, 100 packets in all (a filter, or --max-flows)\n")
    assert sum(told["type"] == "flow" for told in told_of(done)) == FEW


def test_a_datagram_whose_flow_is_forgotten_is_incomplete(
    trace: Path, labcap_sanitized: Path
) -> None:
    whole = bytes(UDP(sport=1, dport=2, len=1008)) + bytes(1000)
    first, last = (
        fragment_bytes(7, place, more, whole[place * 8 :][: 504 if more else None], 4)
        for place, more in ((0, 1), (63, 0))
    )
    frames = [stamped(first, 0), *syn_flood(), stamped(last, MANY)]
    write_pcap(trace, frames, RAW.linktype)
    done = subprocess.run(
        [labcap_sanitized, "flows", "--json", *ROOM, trace],
        capture_output=True, text=True, timeout=SANITIZED_DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr[-2000:]
    [datagram] = [told for told in told_of(done) if told["type"] == "udp"]
    assert (datagram["to_server"]["datagrams"], datagram["to_server"]["incomplete"]) == (0, 1)
    assert told_of(done)[-1]["skipped"]["fragment"] == 1


@pytest.mark.parametrize("late, counts", [("A", False), ("RA", False), ("FA", False), ("S", True)])
def test_what_comes_late_for_a_connection_that_was_forgotten_is_no_connection(
    trace: Path, labcap: Labcap, late: str, counts: bool
) -> None:
    """Unless it is a SYN, which begins a new one in any case."""
    talk = echo_conversation(client_port=1000)  # the first one of those that end
    talk.packets.clear()
    talk.client(late)
    frames = short_connections()
    again = [stamped(talk.packets[0].data, len(frames) + 2000 * n) for n in range(2)]
    write_pcap(trace, frames + again, RAW.linktype)
    done = labcap("flows", "--json", *ROOM, trace, timeout=DEADLINE)
    *told, last = told_of(done)
    assert sorted(flow["id"] for flow in told) == list(range(1, 4002 + counts))
    assert last["packets"] == last["decoded"] == len(frames) + 2
    if counts:
        assert (done.returncode, done.stderr) == (0, "")
        return
    assert (done.returncode, done.stderr) == (3, (
        f"labcap: {trace}: packet {len(frames) + 1}: came for a connection that had ended and "
        "was told before (2 in all)\n"))


PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
assert done.returncode in (0, 3)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_kib(*command: str | Path) -> int:
    """The most memory that a program has had resident; that of its parent, small here, counts."""
    done = subprocess.run([sys.executable, "-ISc", PEAK, *command], capture_output=True,
                          text=True, timeout=DEADLINE, check=True)
    return int(done.stdout)


@pytest.mark.parametrize("command", ["flows", "check"])
def test_memory_is_bounded_by_the_room(trace: Path, labcap_binary: Path, command: str) -> None:
    """40,000 connections need hardly more than 10,000, unless all are remembered."""
    flood = syn_flood() + two_connections_at_every_syn()
    words = ["connections>=1"] if command == "check" else []
    needed = []
    for count in (MANY // 2, 2 * MANY):
        write_pcap(trace, flood[:count], RAW.linktype)
        needed.append(peak_kib(labcap_binary, command, *ROOM, trace, *words))
    everything = peak_kib(labcap_binary, command, trace, *words)
    assert needed[1] - needed[0] < (everything - needed[1]) / 4


@pytest.mark.parametrize("command", ["flows", "check", "show", "annotate"])
@pytest.mark.parametrize("room", ["1023", "0", "-1", "1e6", "", "99999999999999999999"])
def test_room_for_too_few_is_wrong_usage(
    trace: Path, labcap: Labcap, command: str, room: str
) -> None:
    done = labcap(command, "--max-flows", room, trace)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--max-flows: a number of at least 1024 is needed" in done.stderr
