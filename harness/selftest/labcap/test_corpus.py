"""Thousands of random connections of known truth, on every link layer labcap reads.

LABCAP_CORPUS is how many cases are made (10,000 when not set), LABCAP_CORPUS_SEED from which
seed. A case that differs is told as small as it gets, with the command that makes it alone.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import corpus
import pytest
from corpus_packets import FIN, Segment
from corpus_truth import Truth

MANY = int(os.environ.get("LABCAP_CORPUS", corpus.COUNT))
SEED = int(os.environ.get("LABCAP_CORPUS_SEED", corpus.SEED))
LINKS = range(len(corpus.CORPUS_LINKS))


@pytest.mark.parametrize("link", LINKS, ids=[link.name for link in corpus.CORPUS_LINKS])
def test_labcap_tells_the_truth_of_every_connection(
    trace: Path, labcap_binary: Path, link: int
) -> None:
    cases = corpus.chunk(SEED, MANY, link)
    found = corpus.compare(labcap_binary, trace, cases, link)
    if found:
        first = found[0]
        told = "\n".join(first.what) if first.number < 0 else corpus.explain(
            labcap_binary, trace, corpus.case(SEED, first.number))
        again = f"{Path(corpus.__file__).name} --seed {SEED} --only {first.number}"
        pytest.fail(f"{len(found)} of {len(cases)} cases differ\n{told}\n{again}", pytrace=False)


def test_labcap_tells_the_truth_of_segments_that_no_program_would_send(
    trace: Path, labcap_binary: Path
) -> None:
    cases = [corpus.wild_case(SEED, number) for number in range(MANY // 5)]
    found = corpus.compare(labcap_binary, trace, cases)
    if found:
        told = "\n".join(found[0].what) if found[0].number < 0 else corpus.explain(
            labcap_binary, trace, cases[found[0].number])
        pytest.fail(f"{len(found)} of {len(cases)} cases differ\n{told}", pytrace=False)


# ---- The corpus itself


@pytest.fixture(scope="module")
def part() -> list[tuple[corpus.Case, list[Truth]]]:
    """A sixth of the cases, with their truth."""
    cases = [corpus.case(corpus.SEED, number) for number in range(1700)]
    return [(each, [truth for _, truth in corpus.truths(each, range(1, len(each.records) + 1))])
            for each in cases]


def test_a_case_depends_on_nothing_but_seed_and_number() -> None:
    assert corpus.case(3, 77) == corpus.case(3, 77)
    assert corpus.case(3, 77) != corpus.case(4, 77)._replace(number=77)
    assert corpus.chunk(3, 100, 9)[4] == corpus.case(3, 9 + 4 * len(corpus.CORPUS_LINKS))


def test_every_state_letter_and_count_occurs(part: list[tuple[corpus.Case, list[Truth]]]) -> None:
    told = [truth.told((1, 2)) for _, truths in part for truth in truths]
    assert {each["state"] for each in told} == {
        "S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH",
    }  # fmt: skip
    letters = {letter for each in told for letter in each["history"]}
    assert letters >= set("SHADFRTWGIQ^" + "hadfrtwg")
    ends = [each["teardown"] for each in told]
    assert {end["kind"] for end in ends} == {"open", "half-closed", "fin", "reset"}
    assert {end["first_closer"] for end in ends} == {None, "client", "server", "both"}
    assert {end["segments"] for end in ends} == {None, 3, 4}
    for direction in ("to_server", "to_client"):
        assert {key for each in told for key, value in each[direction].items() if value} == set(
            told[0][direction])
    assert {each["handshake"]["complete"] for each in told} == {True, False}
    assert any(each["handshake"]["refused"] for each in told)
    assert any(each["handshake"]["syn_retransmissions"] for each in told)
    assert any(not each["client_known"] for each in told)


def test_every_rule_of_the_trace_is_mixed_in(part: list[tuple[corpus.Case, list[Truth]]]) -> None:
    cases = [each for each, _ in part]
    assert {each.link.name for each in cases} == {link.name for link in corpus.CORPUS_LINKS}
    assert {record.fate for each in cases for record in each.records} == {
        "seen", "copy", "cut", "fragment", "quoted", "malformed"}
    assert {each.dress.version for each in cases} == {4, 6}
    assert {each.dress.snap for each in cases} == {None, 20, 22, 32, 60, 100}
    assert all(any(each.dress[at] for each in cases) for at in range(1, 5))
    assert any(len(each.talks) > 1 and not each.talks[0].tags for each in cases), "ports used again"
    assert any(len(each.talks) > 1 and each.talks[0].tags for each in cases), "two VLANs"
    wraps = [
        record for each in cases for record in each.records
        if each.talks[record.talk].isns[record.segment.sender] + record.segment.place >= 2**32
    ]
    assert len(wraps) > 100
    assert max(record.segment.place for record in wraps) > 500_000_000, "a recorder that slept"


def test_a_wrong_word_is_noticed(trace: Path, labcap_binary: Path) -> None:
    """One number more in the truth of one connection, of which each is told of."""
    case = corpus.case(corpus.SEED, 0)
    want = corpus.expected(case, range(1, len(case.records) + 1), corpus.START_NS)[0]
    corpus.write(trace, corpus.trace_of([case]).frames, case.link.linktype, 0)
    got = corpus.run_labcap(labcap_binary, trace)[0][0]
    assert corpus.differences(want, got) == []
    for key, value in want.items():
        keys = [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
        for name in keys:
            changed = {**want, key: {**value, name[len(key) + 1 :]: "x"}
                       if isinstance(value, dict) else "x"}
            (told,) = corpus.differences(changed, got)
            assert re.match(rf"{re.escape(name)}: x, labcap says ", told)


def test_what_is_not_needed_for_a_difference_is_dropped(
    trace: Path, labcap_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a truth that takes every FIN for data, one packet is enough."""
    end = vars(Segment)["end"].fget
    monkeypatch.setattr(Segment, "end", property(lambda of: end(of) + (of.flags & FIN)))
    case = next(each for each in map(lambda n: corpus.case(corpus.SEED, n), range(100))
                if corpus.compare(labcap_binary, trace, [each]))
    small = corpus.shrunk(labcap_binary, trace, case)
    assert len(small.records) < len(case.records)
    assert corpus.compare(labcap_binary, trace, [small])
    told = corpus.explain(labcap_binary, trace, case)
    assert f"case {case.number} " in told and "labcap says" in told
