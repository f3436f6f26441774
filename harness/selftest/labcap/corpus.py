"""Random connections whose truth is known, and labcap's word against it.

A case is one or a few connections between the same ports, made from a seed and its number
alone; case n is recorded on link layer n modulo their number. One trace holds all the cases
of a link layer, interleaved.

    usage: harness/python harness/selftest/labcap/corpus.py [--seed S] [--count N] [--only CASE]
               [--keep FILE]

Compares N cases (10,000 when not said) with labcap; of the first one of a link layer that
differs it says what, and drops packets from it as long as something differs. --only makes one
case by its number; --keep leaves in FILE the last trace that was compared, with --only the
smallest one that differs. Exit 0 nothing differs, 1 something.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional, Sequence

from corpus_packets import (
    ACK,
    COPY,
    FIN,
    RST,
    SEEN,
    SEQUENCE_SPACE,
    SYN,
    WINDOW,
    Dress,
    Ends,
    Record,
    Segment,
    packet_of,
)
from corpus_talks import CLIENT, LEFT_OUT, recorded, script
from corpus_truth import Truth
from trace_files import LINKS, RAW, Frame, Link, NgWriter, ethernet, pcap_header, pcap_record

SEED = 20
COUNT = 10_000
START_NS = 1_700_000_000_000_000_000
MICROSECOND = 1000
APART_NS = 3_000_000  # from the start of one case to that of the next

IPV4_ONLY, IPV6_ONLY = Link("ipv4", 228, RAW.wrap), Link("ipv6", 229, RAW.wrap)
CORPUS_LINKS = [*LINKS, IPV4_ONLY, IPV6_ONLY]
ISNS = [0, 1, SEQUENCE_SPACE - 1, SEQUENCE_SPACE - 700, SEQUENCE_SPACE // 2 - 300]


class Case(NamedTuple):
    """Connections between the same ports, and what was recorded of them, in its order."""

    number: int
    link: Link
    dress: Dress
    talks: list[Ends]
    records: list[Record]


# ---- Making cases


def dress_of(dice: random.Random, version: int) -> Dress:
    """Half of all cases wear nothing unusual."""
    if dice.random() < 0.5:
        return Dress(version, False, False, False, False, None)
    odd = dice.random() < 0.1
    return Dress(
        version,
        ip_options=dice.random() < 0.3,
        timestamps=dice.random() < 0.5,
        padded=not odd and dice.random() < 0.3,
        no_ip_length=odd,
        snap=dice.choice([None, 20, 22, 32, 60, 100]),
    )


def ends_of(dice: random.Random, number: int, version: int) -> Ends:
    """Addresses of which no other case has both."""
    hosts = [struct.pack("!BI", side, number) for side in (1, 2)]
    if version == 4:
        addresses = [bytes([10 * (host[0])]) + host[2:] for host in hosts]
    else:
        addresses = [bytes.fromhex("20010db8") + bytes(7) + host for host in hosts]
    ports = dice.sample([dice.randrange(1, 65536), 4321, 80, 39870, 20], 2)
    isns = [dice.choice(ISNS) if dice.random() < 0.3 else dice.getrandbits(32) for _ in hosts]
    return Ends((addresses[0], addresses[1]), (ports[0], ports[1]), (isns[0], isns[1]), ())


def case(seed: int, number: int) -> Case:
    """The case of this number: nothing but the two numbers decides what it is."""
    dice = random.Random(f"{seed}/{number}")
    link = CORPUS_LINKS[number % len(CORPUS_LINKS)]
    version = {228: 4, 229: 6}.get(link.linktype, 6 if dice.random() < 0.35 else 4)
    dress = dress_of(dice, version)
    first = ends_of(dice, number, version)
    talks = [first]
    kept = [recorded(script(dice), begins=True, ends=True)]
    twin = link.linktype == 1 and dice.random() < 0.1
    while dice.random() < 0.12 and (twin or tells_of_client(kept[-1])):
        isns = (dice.getrandbits(32), dice.getrandbits(32))
        talks.append(first._replace(isns=isns))
        kept.append(recorded(script(dice), begins=twin, ends=True))
    if twin:  # the same ports in two VLANs at the same time, in the inner tag or the outer one
        nested = dice.random() < 0.5
        tags = [((0x88A8, 8 + at), (0x8100, 7)) if nested else ((0x8100, 8 + at),)
                for at in range(len(talks))]
        talks = [ends._replace(tags=tag) for ends, tag in zip(talks, tags)]
    order = [at for at, records in enumerate(kept) for _, fate in records if fate != COPY]
    if twin:
        dice.shuffle(order)
    return Case(number, link, dress, talks, list(stamped(dice, kept, order, version)))


def wild_segment(dice: random.Random) -> Segment:
    """Any flags, near the beginning of the stream; its number is right only where it is a SYN's."""
    flags = dice.choice([ACK] * 9 + [ACK | FIN] * 4 + [SYN, SYN | ACK, RST, RST | ACK])
    return Segment(
        dice.randrange(2), flags,
        place=0 if flags & SYN else dice.randrange(1, 25),
        length=0 if flags & (SYN | RST) else dice.choice([0, 0, 1, 5, 10]),
        ack=dice.randrange(1, 45) if flags & ACK else None,
        window=dice.choice([0, WINDOW, WINDOW]),
    )  # fmt: skip


def wild_case(seed: int, number: int) -> Case:
    """Segments that no program would send, as a rule behind a handshake."""
    dice = random.Random(f"wild {seed}/{number}")
    opening = [Segment(0, SYN, 0), Segment(1, SYN | ACK, 0, ack=1), Segment(0, ACK, 1, ack=1)]
    segments = opening[: dice.choice([0, 2, 3, 3])]
    segments += [wild_segment(dice) for _ in range(dice.randrange(1, 14))]
    kept = [[(segment, SEEN) for segment in segments]]
    return Case(number, RAW, Dress(4, False, False, False, False, None), [ends_of(dice, number, 4)],
                list(stamped(dice, kept, [0] * len(segments), 4)))


def tells_of_client(records: Sequence[tuple[Segment, str]]) -> bool:
    """Whether the numbers of the client are known: its next SYN is then seen to be another."""
    return any(fate == SEEN and not segment.flags & RST
               and (segment.sender == CLIENT or segment.ack is not None)
               for segment, fate in records)


def stamped(dice: random.Random, kept: list[list[tuple[Segment, str]]], order: list[int],
            version: int) -> Iterator[Record]:
    """The records, by the order of their talks, with times and IP ids.

    A copy that shows, by the id of its packet, follows that packet by half a microsecond:
    nothing comes between them, as every other time is in whole microseconds.
    """
    now, ip_id = 0, dice.randrange(65536)
    no_id = dice.random() < 0.1  # as with DF set: then no copy shows
    queues = [list(reversed(records)) for records in kept]
    for talk in order:
        segment, fate = queues[talk].pop()
        now += MICROSECOND * dice.choice([1, 7, 40, 300, 2000, 40_000])
        ip_id = 0 if no_id else ip_id % 65535 + 1
        yield Record(talk, segment, now, fate, ip_id)
        while queues[talk] and queues[talk][-1][1] == COPY:
            shows = version == 4 and not no_id
            now += 0 if shows else MICROSECOND
            segment, _ = queues[talk].pop()
            yield Record(talk, segment, now + shows * MICROSECOND // 2, COPY, ip_id)


# ---- Writing them


class Trace(NamedTuple):
    """A file, and where in it the records of each case stand."""

    frames: list[Frame]
    numbers: list[list[int]]  # by case, by record


def frame_of(of: Case, record: Record) -> Frame:
    """A record in its link layer's header."""
    ends = of.talks[record.talk]
    packet, kept, whole = packet_of(ends, record, of.dress)
    link = of.link if not ends.tags else ethernet(*ends.tags)
    data = link.wrap(packet)
    header = len(data) - len(packet)
    wire = header + whole
    if of.dress.padded and wire < 60 and kept == whole and link.linktype == 1:
        return Frame(data + b"\x55" * (60 - wire), record.time_ns)
    return Frame(data[: header + kept], record.time_ns, wire)


def trace_of(cases: Sequence[Case]) -> Trace:
    """The cases of one link layer in one file."""
    places = sorted(
        (START_NS + index * APART_NS + record.time_ns, index, at)
        for index, each in enumerate(cases)
        for at, record in enumerate(each.records)
    )
    numbers = [[0] * len(each.records) for each in cases]
    frames = []
    for number, (time_ns, index, at) in enumerate(places, 1):
        numbers[index][at] = number
        each = cases[index]
        frames.append(frame_of(each, each.records[at]._replace(time_ns=time_ns)))
    return Trace(frames, numbers)


def write(path: Path, frames: list[Frame], linktype: int, kind: int) -> Path:
    """A file of one of five kinds: pcap of either order and stamps, or pcapng."""
    if kind % 5 == 4:
        writer = NgWriter("<>"[kind // 5 % 2])
        writer.interface(linktype)
        for frame in frames:
            writer.packet(frame)
        return writer.write(path)
    order, ns = "<>"[kind % 2], kind % 5 < 2
    parts = [pcap_header(linktype, order=order, ns=ns)]
    parts += [pcap_record(frame, order=order, ns=ns) for frame in frames]
    path.write_bytes(b"".join(parts))
    return path


# ---- The truth, and labcap's word


def is_copy(of: Case, at: int) -> bool:
    """Whether a record is known as a copy: by an IP id that one before it had."""
    record = of.records[at]
    if record.fate != COPY or record.ip_id == 0 or of.dress.version != 4:
        return False
    return any((each.talk, each.ip_id) == (record.talk, record.ip_id)
               and each.fate in (SEEN, COPY) for each in of.records[:at])


def truths(of: Case, numbers: Sequence[int]) -> list[tuple[int, Truth]]:
    """The connections that a recording of the case shows, each with its talk."""
    found: list[tuple[int, Truth]] = []
    latest: dict[int, Truth] = {}
    for at, (record, number) in enumerate(zip(of.records, numbers)):
        if record.fate in LEFT_OUT or is_copy(of, at):
            continue
        truth = latest.get(record.talk)
        if truth is None or truth.starts_anew(record.segment):
            truth = latest[record.talk] = Truth()
            found.append((record.talk, truth))
        truth.see(record.segment, number, START_NS + record.time_ns)
    return found


def expected(of: Case, numbers: Sequence[int], start_ns: int) -> list[dict[str, Any]]:
    """What labcap should say of a case that starts at a time."""
    told = []
    for talk, truth in truths(of, numbers):
        each = truth.told(of.talks[talk].isns)
        each["start"] += start_ns - START_NS
        ends = of.talks[talk]
        each["ends"] = [(str(ipaddress.ip_address(ends.addresses[side])), ends.ports[side])
                        for side in (truth.client, truth.client ^ 1)]
        told.append(each)
    return told


def skipped(cases: Sequence[Case]) -> dict[str, int]:
    """What the closing object should count as left out."""
    counts = {"not_ip": 0, "fragment": 0, "cut": 0, "malformed": 0, "duplicates": 0}
    for each in cases:
        for at, record in enumerate(each.records):
            if record.fate in counts:
                counts[record.fate] += 1
            elif is_copy(each, at):
                counts["duplicates"] += 1
    return counts


def nanoseconds(text: str) -> int:
    """Seconds with nine digits behind the point, as a whole number."""
    return int(text.replace(".", ""))


def differences(want: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """What differs between two tellings of a connection, in words."""
    got = {**got, "start": nanoseconds(got["start"]), "duration": nanoseconds(got["duration"])}
    got["ends"] = [(got[name]["address"], got[name]["port"]) for name in ("client", "server")]
    found = []
    for key, value in want.items():
        pairs = (
            [(f"{key}.{name}", each, got[key].get(name)) for name, each in value.items()]
            if isinstance(value, dict) else [(key, value, got[key])]
        )  # fmt: skip
        found += [f"{name}: {mine}, labcap says {its}" for name, mine, its in pairs if mine != its]
    return found


def run_labcap(binary: Path, path: Path) -> tuple[list[dict[str, Any]], int]:
    """The objects of flows --json, and the exit status."""
    done = subprocess.run([binary, "flows", "--json", path], capture_output=True, text=True,
                          timeout=120, check=False)
    return [json.loads(line, parse_float=str) for line in done.stdout.splitlines()], done.returncode


class Difference(NamedTuple):
    """A case of which labcap says something else; -1 is the trace as a whole."""

    number: int
    what: list[str]


def compare(binary: Path, path: Path, cases: Sequence[Case], kind: int = 0) -> list[Difference]:
    """Write the cases of one link layer to a trace, and hold labcap's word against the truth."""
    trace = trace_of(cases)
    write(path, trace.frames, cases[0].link.linktype, kind)
    told, status = run_labcap(binary, path)
    by_first = {row["first_packet"]: row for row in told[:-1]}
    found = []
    for index, each in enumerate(cases):
        what = []
        wanted = expected(each, trace.numbers[index], START_NS + index * APART_NS)
        for want in wanted:
            got = by_first.pop(want["first_packet"], None)
            what += ["a connection is missing"] if got is None else differences(want, got)
        if what:
            found.append(Difference(each.number, what))
    counts = skipped(cases)
    whole = {"packets": len(trace.frames), "complete": True, "drops": 0, "skipped": counts,
             "decoded": len(trace.frames) - sum(counts.values())}
    what = [f"{key}: {value}, labcap says {told[-1][key]}" for key, value in whole.items()
            if told[-1][key] != value]
    what += [f"a connection that nobody made, at packet {number}" for number in by_first]
    wanted_status = 3 if counts["cut"] or counts["fragment"] else 0
    if status != wanted_status:
        what.append(f"exit status {wanted_status}, labcap gives {status}")
    return found + ([Difference(-1, what)] if what else [])


def shrunk(binary: Path, path: Path, of: Case) -> Case:
    """The case without the packets that are not needed for a difference."""
    at = 0
    while at < len(of.records):
        less = of._replace(records=of.records[:at] + of.records[at + 1 :])
        if less.records and compare(binary, path, [less]):
            of = less
        else:
            at += 1
    return of


def chunk(seed: int, count: int, link: int) -> list[Case]:
    """The cases below count of one link layer."""
    return [case(seed, number) for number in range(link, count, len(CORPUS_LINKS))]


def script_of(of: Case) -> str:
    """The records of a case, a line each."""
    lines = []
    for number, record in enumerate(of.records, 1):
        s = record.segment
        flags = "".join(letter for bit, letter in enumerate("FSRPA") if s.flags >> bit & 1)
        lines.append(f"  {number:3} talk {record.talk} {'<>'[s.sender == 0]} {flags:4} at {s.place}"
                     f" length {s.length} ack {s.ack} window {s.window}"
                     f"{' ' + record.fate if record.fate != 'seen' else ''}"
                     f"{' stale' if s.stale else ''}")
    return "\n".join(lines)


def explain(binary: Path, path: Path, of: Case) -> str:
    """A case that differs, as small as it gets."""
    small = shrunk(binary, path, of)
    what = [line for each in compare(binary, path, [small]) for line in each.what]
    return (f"case {of.number} ({of.link.name}, {of.dress}), {len(small.records)} of "
            f"{len(of.records)} packets:\n{script_of(small)}\n  " + "\n  ".join(what))


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; see the top of the file."""
    parser = argparse.ArgumentParser(description="Random connections against labcap.")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--only", type=int, metavar="CASE")
    parser.add_argument("--keep", type=Path, metavar="FILE")
    asked = parser.parse_args(arguments)
    binary = Path(__file__).resolve().parents[2] / "labcap" / "labcap"
    with tempfile.TemporaryDirectory() as folder:
        path = asked.keep or Path(folder) / "t.pcap"
        if asked.only is not None:
            of = case(asked.seed, asked.only)
            differs = bool(compare(binary, path, [of]))
            print(explain(binary, path, of) if differs
                  else f"case {asked.only}: nothing differs\n{script_of(of)}")
            return int(differs)
        status = 0
        for link in range(len(CORPUS_LINKS)):
            cases = chunk(asked.seed, asked.count, link)
            found = compare(binary, path, cases, link) if cases else []
            print(f"{CORPUS_LINKS[link].name}: {len(cases)} cases, {len(found)} differ",
                  flush=True)
            if found:
                status = 1
                first = found[0]
                print("\n".join(first.what) if first.number < 0 else
                      explain(binary, path, case(asked.seed, first.number)))
    return status


if __name__ == "__main__":
    sys.exit(main())
