"""tshark and tcptrace beside labcap: equal, but where docs/other-readers.md says why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Sequence

import corpus
import pytest
import reader_differences as known
from calls import ReadAll
from corpus_packets import COPY, SEEN
from corpus_truth import Truth
from reader_differences import Scene
from second_readers import Flow, tcptrace, tshark
from workbench import Benches, graded_tests

REPO = Path(__file__).resolve().parents[3]
PAGE = REPO / "docs" / "other-readers.md"
COMMITTED = sorted(path.name for path in (REPO / "docs" / "traces").glob("*.pcapng"))
CASES = 6500
LINKS = ("ethernet", "ethernet-7", "sll", "sll2", "raw", "null-little-endian-24")
TCPTRACE_LINKS = ("ethernet", "sll", "raw")


class Seen(NamedTuple):
    """A difference, its connection, and the reasons that there may be for it."""

    case: int
    what: str
    reasons: list[str]


def without_what_is_left_out(case: corpus.Case) -> corpus.Case:
    """The readers differ in what they make of broken packets: that is not the question."""
    return case._replace(records=[each for each in case.records if each.fate in (SEEN, COPY)])


def cases_of(link: int, count: int) -> list[corpus.Case]:
    """The cases of a link layer, without broken packets."""
    cases = [without_what_is_left_out(each) for each in corpus.chunk(corpus.SEED, count, link)]
    return [each for each in cases if each.records]


def scenes_of(case: corpus.Case, numbers: Sequence[int]) -> Iterator[tuple[Truth, Scene]]:
    """Each connection of a case as the truth has it, with what the reasons ask."""
    truths = corpus.truths(case, numbers)
    talks = [talk for talk, _ in truths]
    at = {number: index for index, number in enumerate(numbers)}
    first = {truth.numbers[0]: truth for _, truth in truths}
    owner: dict[int, list[int]] = {number: [] for number in first}
    for talk, truth in truths:
        later = [other.numbers[0] for each, other in truths
                 if each == talk and other.numbers[0] > truth.numbers[0]]
        owner[truth.numbers[0]] = [
            at[number] for number in numbers
            if case.records[at[number]].talk == talk
            and truth.numbers[0] <= number < min(later, default=2**62)]
    for talk, truth in truths:
        mine = owner[truth.numbers[0]]
        copies = [0, 0]
        for index in mine:
            copies[case.records[index].segment.sender] += corpus.is_copy(case, index)
        fins = max(side.fin_number for side in truth.sides)
        end = fins if truth.reset is None else truth.reset
        yield truth, Scene(
            [case.records[index].segment for index in mine], copies, case.dress,
            keep_alives=any(side.counts["keep_alives"] for side in truth.sides),
            twin=len(case.talks) > 1 and bool(case.talks[0].tags),
            nested=any(tpid == 0x88A8 for tpid, _ in case.talks[0].tags),
            again=len(talks) > len(set(talks)),
            ended=0 < end < truth.numbers[-1])


def parts_of(row: dict[str, Any]) -> set[str]:
    """What labcap has seen of a connection, as the bits of tcp.completeness."""
    handshake, teardown = row["handshake"], row["teardown"]
    seen = {
        "syn": handshake["syn"], "syn_ack": handshake["syn_ack"], "ack": handshake["ack"],
        "data": row["to_server"]["segments"] + row["to_client"]["segments"],
        "fin": teardown["client_fin"] or teardown["server_fin"], "rst": teardown["reset"],
    }  # fmt: skip
    return {part for part, value in seen.items() if value}


def sides_of(row: dict[str, Any]) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    """The address and port of each sender, with its counts."""
    for side, direction in (("client", "to_server"), ("server", "to_client")):
        yield (row[side]["address"], row[side]["port"]), row[direction]


def which(table: Any, scene: Scene) -> list[str]:
    """The reasons whose sign is there."""
    return [name for name, sign in table if sign(scene)]


def against_tshark(case: corpus.Case, numbers: Sequence[int], rows: dict[int, dict[str, Any]],
                   streams: dict[int, Flow]) -> Iterator[Seen]:
    """Every difference between labcap and tshark in the connections of a case."""
    scenes = list(scenes_of(case, numbers))
    starts = [number for number in numbers if number in streams]
    if starts != [truth.numbers[0] for truth, _ in scenes]:
        silent = case.dress.version == 6 and case.dress.no_ip_length and not starts
        reasons = ["tshark-no-ipv6-length"] if silent else sorted(
            {name for _, scene in scenes for name in which(known.TSHARK_GROUPS, scene)})
        yield Seen(case.number, f"connections at {starts}", reasons)
        return
    for truth, scene in scenes:
        row, its = rows[truth.numbers[0]], streams[truth.numbers[0]]
        if scene.twin and its.packets != {end: counts["packets"] for end, counts in sides_of(row)}:
            yield Seen(case.number, f"packets {its.packets}", ["tshark-vlans"])
            continue
        for at, (end, counts) in enumerate(sides_of(row)):
            copies = scene.copies[truth.client ^ at]
            assert its.packets.get(end, 0) == counts["packets"] + copies, case.number
            if copies:
                yield Seen(case.number, "packets", ["tshark-copies"])
            if its.bytes.get(end, 0) != counts["bytes"]:
                yield Seen(case.number, f"{its.bytes.get(end)} bytes, not {counts['bytes']}",
                           which(known.TSHARK_BYTES, scene))
        left_out = {"data"} if known.fast_open(scene) else set()
        assert its.parts - left_out == known.parts_by_flags(scene.segments) - left_out, case.number
        for part in sorted((its.parts ^ parts_of(row)) - left_out):
            who = "tshark" if part in its.parts else "labcap"
            yield Seen(case.number, f"{part}, says {who}", [known.PART_REASONS[part, who]])


def against_tcptrace(case: corpus.Case, numbers: Sequence[int], rows: dict[int, dict[str, Any]],
                     flows: dict[frozenset[tuple[str, int]], list[Flow]]) -> Iterator[Seen]:
    """Every difference between labcap and tcptrace in the connections of a case."""
    scenes = list(scenes_of(case, numbers))
    if not known.one_from_its_syn_on([scene for _, scene in scenes]):
        return
    truth, scene = scenes[0]
    row = rows[truth.numbers[0]]
    reasons = which(known.TCPTRACE, scene)
    found = flows.get(frozenset(end for end, _ in sides_of(row)), [])
    if len(found) != 1:
        yield Seen(case.number, f"{len(found)} connections, not 1", reasons)
        return
    for end, counts in sides_of(row):
        for name, its in (("packets", found[0].packets), ("bytes", found[0].bytes)):
            if its[end] != counts[name]:
                yield Seen(case.number, f"{its[end]} {name}, not {counts[name]}", reasons)


@pytest.fixture(scope="module")
def seen(labcap_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Seen]:
    """All differences in a part of the corpus, of both programs."""
    home = tmp_path_factory.mktemp("readers")
    found: list[Seen] = []
    for link, layer in enumerate(corpus.CORPUS_LINKS):
        if layer.name not in LINKS:
            continue
        cases = cases_of(link, CASES)
        trace = corpus.trace_of(cases)
        path = corpus.write(home / "t.pcap", trace.frames, layer.linktype, 0)
        told, _ = corpus.run_labcap(labcap_binary, path)
        rows = {row["first_packet"]: row for row in told[:-1]}
        streams = {flow.first: flow for flow in tshark(path, home)}
        flows: dict[frozenset[tuple[str, int]], list[Flow]] = {}
        if layer.name in TCPTRACE_LINKS:
            for flow in tcptrace(path):
                flows.setdefault(frozenset(flow.packets), []).append(flow)
        for case, numbers in zip(cases, trace.numbers):
            found += against_tshark(case, numbers, rows, streams)
            if flows:
                found += against_tcptrace(case, numbers, rows, flows)
    return found


def test_every_difference_has_a_reason_that_is_known(seen: list[Seen]) -> None:
    assert [each for each in seen if not each.reasons] == []


def listed() -> set[str]:
    """The names of the list."""
    return set(re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE.read_text(), re.MULTILINE))


def test_the_list_has_what_occurs_and_nothing_else(seen: list[Seen]) -> None:
    tables = [*known.TSHARK_GROUPS, *known.TSHARK_BYTES, *known.TCPTRACE]
    assert {name for each in seen for name in each.reasons} == listed()
    assert {name for name, _ in tables} | set(known.PART_REASONS.values()) <= listed()


def test_each_reason_explains_something_alone(seen: list[Seen]) -> None:
    """A reason that always stands beside another one may be no reason at all."""
    assert {each.reasons[0] for each in seen if len(each.reasons) == 1} == listed()


# ---- Traces that were recorded


def compare_with_tshark(path: Path, report: ReadAll, home: Path) -> int:
    """How many connections of a trace tshark and labcap agree about.

    Of a trace in which packets stand as they arrived, too, none: to tshark they are sent again.
    """
    *rows, whole = report(path)
    if whole["arrivals"] is not None:
        return 0
    streams = {flow.first: flow for flow in tshark(path, home)}
    connections = [row for row in rows if row["type"] == "tcp"]
    assert sorted(streams) == [row["first_packet"] for row in connections]
    for row in connections:
        its = streams[row["first_packet"]]
        for end, counts in sides_of(row):
            assert its.packets.get(end, 0) == counts["packets"]
            assert its.bytes.get(end, 0) == counts["bytes"]
        assert its.parts == known.parts_by_flags(its.rows)
        for part in its.parts ^ parts_of(row):
            assert (part, "tshark" if part in its.parts else "labcap") in USUAL
    return len(connections)


USUAL = {("ack", "tshark"), ("ack", "labcap"), ("rst", "tshark")}
"""Parts that tshark and labcap see otherwise in connections recorded whole: known.PART_REASONS."""


@pytest.mark.parametrize("name", COMMITTED)
def test_tshark_agrees_on_the_traces_of_the_documents(
    name: str, report: ReadAll, tmp_path: Path
) -> None:
    compare_with_tshark(REPO / "docs" / "traces" / name, report, tmp_path)


@pytest.mark.parametrize(("lab", "name"), [
    ("01-tcp-echo", "test_client_says_that_nobody_listens"),
    ("01-tcp-echo", "test_client_ends_with_status_1_when_it_is_reset"),
    ("01-tcp-echo", "test_client_half_closes_and_reads_on"),
    ("04-file-transfer", "test_pair_transfers_files_of_any_size[ipv6]"),
])  # fmt: skip
def test_tshark_agrees_on_the_traces_of_a_grading(
    lab: str, name: str, benches: Benches, report: ReadAll, tmp_path: Path
) -> None:
    bench = benches(lab)
    bench.run(graded_tests(lab)[name], bench.reference)
    assert compare_with_tshark(bench.reference / f"{name}.pcapng", report, tmp_path) > 0
