"""report.html without a browser: what it is made of, what it holds, and what it costs a grade."""

from __future__ import annotations

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any, Optional

import pytest

import report_samples as samples
from labkit.feedback import Mismatch
from labkit.report import crop, evidence, rows, words
from labkit.report.crop import cropped
from labkit.report.evidence import numbers_in
from labkit.report.ladder import Ladder, ladder_of
from labkit.report.page import write_report
from labkit.report.rows import Call, Flow, Fold, Packet, Side, read_rows, row_of
from labkit.results import ERROR, FAILED, REPORT, Result
from small_suite import SmallSuite

NASTY = ('</noscript></style></script><script>x=1</script><img src=x onerror=x>'
         '&amp;"\'`\0\x1b[2J\u202e')
"""What would be markup, end an attribute, control a terminal or turn the text."""


def flows_of(tmp_path: Path, *lines: dict[str, Any]) -> list[Flow]:
    """What labcap's LINES are read as, with all their rows."""
    (tmp_path / "t").write_text(samples.told(*lines))
    flows = read_rows(tmp_path / "t").flows
    for flow in flows:
        flow.rows = [row for row in map(row_of, flow.lines) if row is not None]
    return flows


def written(out: Path, results: list[Result], text: Optional[str] = None) -> str:
    """The page of RESULTS, of whose traces labcap tells TEXT."""
    samples.leave(out, results, samples.told(*samples.echo()) if text is None else text)
    write_report(results, out, "a submission")
    return (out / REPORT).read_text("utf-8")


# -- What labcap tells ---------------------------------------------------------


def test_rows_are_read_with_all_that_is_told_of_them(tmp_path: Path, labcap: Path) -> None:
    [flow] = flows_of(tmp_path, *samples.echo())
    assert (flow.number, flow.client.address, flow.server.state) == (
        1, "127.0.0.1:42224", "CLOSED")
    assert Counter(type(row).__name__ for row in flow.rows) == {
        "Phase": 3, "Packet": 8, "Call": 11, "Fold": 1}
    packet = next(row for row in flow.rows if isinstance(row, Packet) and row.number == 4)
    assert (packet.payload, packet.to_server, packet.tone) == (b"hello\n", True, "data")
    assert (flow.start, packet.time, packet.gap) == (1700000000_123456789, 120000, 30000)
    assert flow.outcome.startswith("The client closed first")


def test_an_ipv6_address_stands_in_brackets(tmp_path: Path, labcap: Path) -> None:
    end = {"address": "::1", "port": 4321, "processes": []}
    [flow] = flows_of(tmp_path, samples.flow(client=end))
    assert flow.client.address == "[::1]:4321"


@pytest.mark.parametrize("script, words_of_it", [
    ("exit 0", "does not tell"),
    ("echo 'labcap: t: the file is cut' >&2; exit 3", "the file is cut"),
    ("echo '{\"type\":\"trace\"}'; echo 'labcap: 3 packets were dropped' >&2; exit 3", "3 packets"),
    ("echo '{\"type\":\"tr'", "does not tell"),
    ("exec yes ''", "more to tell"),
    ("exec tail -f /dev/null", "within 0 seconds"),
])
def test_a_labcap_that_fails_is_told(
    tmp_path: Path, labcap: Path, script: str, words_of_it: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    labcap.write_text(f"#!/bin/sh\n{script}\n")
    monkeypatch.setattr(rows, "PATIENCE", 0.3)
    monkeypatch.setattr(rows, "OUTPUT_BYTES", 10**4)
    assert words_of_it in read_rows(tmp_path / "t").problem


def test_a_labcap_that_is_not_there_is_told(tmp_path: Path, labcap: Path) -> None:
    labcap.unlink()
    assert "No such file" in read_rows(tmp_path / "t").problem


def test_what_was_told_before_a_cut_is_kept(tmp_path: Path, labcap: Path) -> None:
    text = samples.told(*samples.echo())
    (tmp_path / "t").write_text(text[: len(text) // 2])
    told = read_rows(tmp_path / "t")
    [flow], _ = cropped(told.flows, ())
    assert 5 < len(flow.rows) < 20 and told.problem


def test_logs_are_handed_to_labcap(tmp_path: Path, labcap: Path) -> None:
    labcap.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >{tmp_path}/said\n')
    read_rows(tmp_path / "t", [tmp_path / "a.calls", tmp_path / "b.calls"])
    assert (tmp_path / "said").read_text().split() == [
        "show", "--json", "--syscalls", f"{tmp_path}/a.calls", "--syscalls",
        f"{tmp_path}/b.calls", f"{tmp_path}/t"]


ALL = """#!/bin/sh
while case $1 in show|--*|[0-9]*) ;; *) false;; esac; do shift; done
echo "$#" >>{said}
{before}
for file; do cat -- "$file"; done
exit ${{status:-0}}
"""


def of_many(out: Path, labcap: Path, before: str = "") -> tuple[str, list[str]]:
    """The page of five tests whose traces labcap tells, BEFORE in its script; and of how many
    it was asked each time."""
    results = [samples.result(number, calls=None) for number in range(5)]
    labcap.write_text(ALL.format(before=before, said=out / "said"))
    (out / "said").unlink(missing_ok=True)
    page = written(out, results)
    return re.sub("<time>.*?</time>", "", page), (out / "said").read_text().split()


def test_one_labcap_tells_of_many_traces(tmp_path: Path, labcap: Path) -> None:
    page, said = of_many(tmp_path, labcap)
    assert said == ["5"]
    assert page.count('<svg class="ladder"') == 5
    assert re.findall(r'id="(t\dp1)"', page) == ["t0p1", "t1p1", "t2p1", "t3p1", "t4p1"]


@pytest.mark.parametrize("before", [
    '[ "$#" = 1 ] || shift', '[ "$#" = 1 ] || exec head -c 900 "$1"',
    '[ "$#" = 1 ] || kill -KILL $$', "[ $# = 1 ] || echo '{\"type\":\"flow\",\"flow\":1}'",
    "[ $# = 1 ] || { echo '{\"type\":\"packet\",\"flow\":1}'; exit; }",
])
def test_where_it_fails_each_trace_is_told_by_itself(
    tmp_path: Path, labcap: Path, before: str
) -> None:
    page, _ = of_many(tmp_path, labcap)
    again, said = of_many(tmp_path, labcap, before)
    assert said == ["5"] + ["1"] * 5
    assert again == page


def test_what_is_wrong_with_one_of_many_is_told_of_that_one(tmp_path: Path, labcap: Path) -> None:
    page, said = of_many(tmp_path, labcap, (
        'case "$*" in *test_3*) echo "labcap: the file is cut" >&2; status=3;; esac'))
    assert said == ["5"] + ["1"] * 5
    assert page.count("the file is cut") == 1
    assert page.count('<svg class="ladder"') == 5


def test_of_a_test_that_passed_no_more_is_told_than_shown(tmp_path: Path, labcap: Path) -> None:
    results = [samples.result(0, calls=None), samples.result(1, calls=None, packets="packet 3"),
               samples.result(2, FAILED, calls=None), samples.result(3, FAILED, packets="")]
    samples.leave(tmp_path, results, samples.told(*samples.echo()))
    labcap.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{tmp_path}/said\n')
    written(tmp_path, results)
    limited = [line for line in (tmp_path / "said").read_text().splitlines() if "--rows" in line]
    [line] = limited
    assert f" --rows {crop.ROWS_OF_PASSED + 1} {tmp_path}/{results[0].trace}" in line
    assert line.count("pcapng") == 1


def test_what_labcap_leaves_out_would_not_be_shown() -> None:
    sizes = Random(7)
    for _ in range(500):
        flows = [Flow(number, "tcp", Side("", "", ()), Side("", "", ()), 0, 3, 0,
                      [b'{"type":"phase","flow":1,"name":"x"}'] * sizes.choice((1, 9, 40, 79, 130)))
                 for number in range(1, 1 + sizes.randrange(1, 40))]
        shown = [flow.number for flow in cropped(flows, (), crop.ROWS_OF_PASSED)[0]]
        told = 0
        for flow in flows:
            told, flow.lines = told + len(flow.lines), (
                flow.lines if told <= crop.ROWS_OF_PASSED else [])
        assert [flow.number for flow in cropped(flows, (), crop.ROWS_OF_PASSED)[0]] == shown


def test_a_log_of_another_name_is_handed_over_by_itself(tmp_path: Path, labcap: Path) -> None:
    results = [samples.result(0, calls="traces/other.calls"), samples.result(1, calls=None)]
    (tmp_path / "traces").mkdir()
    (tmp_path / str(results[1].trace)).with_suffix(".calls").write_text("of a worker that is gone")
    labcap.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{tmp_path}/said\n')
    written(tmp_path, results)
    said = (tmp_path / "said").read_text().splitlines()
    assert len(said) == 2 and not [line for line in said if "--syscalls-beside" in line]
    assert [line.count("other.calls") for line in sorted(said, key=len)] == [0, 1]


# -- In words ------------------------------------------------------------------


@pytest.mark.parametrize("nanoseconds, text", [
    (0, "0 ns"), (2, "2 ns"), (999, "999 ns"), (1000, "1.00 µs"), (30_000, "30.0 µs"),
    (408_000, "408 µs"), (999_990, "1.00 ms"), (495 * 10**6, "495 ms"), (9999900000, "10.0 s"),
    (75 * 10**9, "75.0 s"), (600 * 10**9, "600 s"), (-30_000, "-30.0 µs"),
])
def test_spans_have_three_digits(nanoseconds: int, text: str) -> None:
    assert words.span(nanoseconds) == text


def test_names_of_rows_are_plain_words(tmp_path: Path, labcap: Path) -> None:
    [flow] = flows_of(tmp_path, *samples.echo())
    packets = [row for row in flow.rows if isinstance(row, Packet)]
    assert words.name_of_packet(packets[0], False) == (
        "Packet 1, client to server, 1/3 SYN, sequence number 0, the client is now in SYN-SENT, "
        "the server is now in SYN-RECEIVED")
    assert words.name_of_packet(packets[1], True) == (
        "Packet 2, server to client, 2/3 SYN+ACK, sequence number 0, acknowledges up to 1, "
        "the client is now in ESTABLISHED, named in the feedback")
    assert "lost on the way, retransmission of packet 4" in words.name_of_packet(packets[5], False)
    calls = {(row.name, row.part): row for row in flow.rows if isinstance(row, Call)}
    assert words.name_of_call(calls["accept", "begin"]) == (
        "The server calls accept(3); the call has not yet returned")
    assert words.name_of_call(calls["accept", "end"]) == (
        "The server's call of accept returns after 495 ms: = 4")
    assert words.name_of_call(calls["close", "whole"]) == (
        "The server calls close(4) = 0, 3 bytes were unread")
    assert words.name_of_call(calls["listen", "whole"]) == (
        "The server calls listen(3, 4096) = 0, the server is now in LISTEN")
    [flow] = flows_of(tmp_path, samples.flow(packets=1), samples.call(
        0, "client", "", text="killed by SIGINT", result=None, process="child"))
    [killed] = [row for row in flow.rows if isinstance(row, Call)]
    assert words.name_of_call(killed) == "The client's child: killed by SIGINT"
    assert words.summary_of(flow).endswith("; 1 packet")


def test_names_of_folds_are_plain_words(tmp_path: Path, labcap: Path) -> None:
    [flow] = flows_of(tmp_path, *samples.echo())
    fold = next(row for row in flow.rows if isinstance(row, Fold))
    assert words.name_of_fold(fold) == (
        "Folded: 35 segments, 50,680 bytes to the server; 12 calls, packets 6 to 40")


def test_details_tell_how_much_of_a_payload_is_shown(tmp_path: Path, labcap: Path) -> None:
    [flow] = flows_of(tmp_path, *samples.echo(bytes(1448)))
    packet = next(row for row in flow.rows if isinstance(row, Packet) and row.number == 4)
    told = dict(words.details_of_packet(packet, flow))
    assert told["Payload"] == "1,448 bytes, of which 256 are shown"


@pytest.mark.parametrize("text, numbers", [
    ("", set()), ("packet 3", {3}), ("packets 3, 7", {3, 7}), ("packets 3 to 6", {3, 4, 5, 6}),
    ("ip6", {6}), ("packets 9 to 3", set()), ("packet 99999999999999999999", {99999, 10**15 - 1}),
])
def test_packet_numbers_in_feedback_are_found(text: str, numbers: set[int]) -> None:
    assert numbers_in(text) == numbers


def test_a_range_of_packets_is_no_way_to_fill_memory() -> None:
    assert len(numbers_in("packets 1 to 999999999999")) <= 10**6 + 1


def test_a_mismatch_keeps_its_parts_and_packets() -> None:
    mismatch = Mismatch("this", "that\nlikely cause: none", cause="byte-order", packets=[3, 7])
    assert mismatch.packets == "packets 3, 7"
    assert [label for label, _ in mismatch.parts()] == [
        "expected", "seen", "likely cause", "read on"]
    assert dict(mismatch.parts())["seen"] == "that\nlikely cause: none (packets 3, 7)"


# -- The drawing ---------------------------------------------------------------


@pytest.fixture
def ladder(tmp_path: Path, labcap: Path) -> Ladder:
    [flow] = flows_of(tmp_path, *samples.echo())
    return ladder_of(flow, 7, {4}, True)


def place(ladder: Ladder, text: str) -> float:
    """Where TEXT stands from left to right."""
    [x] = {label.x for row in ladder.rows for label in row.labels if label.text == text}
    return x


def test_the_bands_stand_side_by_side(ladder: Ladder) -> None:
    from_left = [place(ladder, "1"), place(ladder, "… connect = 0"),
                 place(ladder, "SYN-SENT"), ladder.client, place(ladder, "1/3 SYN seq 0"),
                 ladder.server, place(ladder, "SYN-RECEIVED"), place(ladder, "listen(3, 4096) = 0")]
    assert from_left == sorted(set(from_left))
    assert all(0 < x < ladder.width for x in from_left)


def test_rows_do_not_overlap_and_keep_their_order(ladder: Ladder) -> None:
    for above, below in zip(ladder.rows, ladder.rows[1:]):
        assert above.y + above.height == below.y
    assert ladder.rows[-1].y + ladder.rows[-1].height <= ladder.height


def test_a_call_that_waits_is_a_bar_from_its_beginning_to_its_end(ladder: Ladder) -> None:
    at = {row.name: row for row in ladder.rows}
    begin = next(row for name, row in at.items() if name.startswith("The server calls accept"))
    end = next(row for name, row in at.items() if "call of accept returns" in name)
    assert begin.dot is not None and end.dot is not None
    assert (begin.dot[1], end.dot[1] - begin.dot[1]) in {(b.y, b.height) for b in ladder.bars}


def test_a_call_that_never_returns_is_a_bar_to_the_bottom(tmp_path: Path, labcap: Path) -> None:
    [flow] = flows_of(tmp_path, samples.flow(),
                      samples.call(0, "server", "accept", part="begin", result=None),
                      samples.packet(1, True, "1/3 SYN"))
    drawn = ladder_of(flow, 0, (), True)
    [bar] = drawn.bars
    assert bar.y + bar.height == drawn.rows[-1].y + drawn.rows[-1].height


def test_processes_of_a_side_are_told_apart(tmp_path: Path, labcap: Path) -> None:
    calls = [samples.call(0, "server", "recv", part=part, pid=pid, process=f"child {pid}")
             for pid in (20, 21, 22, 23, 24) for part in ("begin", "end")]
    [flow] = flows_of(tmp_path, samples.flow(), *calls)
    drawn = ladder_of(flow, 0, (), True)
    assert len({bar.x for bar in drawn.bars}) == 3
    texts = [label.text for row in drawn.rows for label in row.labels]
    assert "[child 21] recv(3) …" in texts


def test_calls_say_as_much_as_there_is_room_for(tmp_path: Path, labcap: Path) -> None:
    waited = {"part": "end", "duration": 0.0053}
    [flow] = flows_of(
        tmp_path, samples.flow(),
        samples.call(0, "client", "poll", text="poll([3], -1)", result="= 1", note="can be read"),
        samples.call(0, "client", "recv", result="= 4", data=b'a"\n\x1b'.hex()),
        samples.call(0, "client", "recv", result="= 400", data=("早" * 100).encode().hex()),
        samples.call(0, "client", "accept", result="= 4", note="the note " * 4, **waited),
        samples.call(0, "client", "close", result="= -1 EBADF", note="the note " * 5))
    rows_of_calls = ladder_of(flow, 0, (), True).rows[1:]
    assert [[label.text for label in row.labels] for row in rows_of_calls] == [
        ["poll([3], -1) = 1, can be read"], ['recv(3) = 4 "a\\"\\n\\x1b"'],
        [f'recv(3) = 400 "{"早" * 14}"…'],
        ["… accept = 4, after 5.30 ms", "the note " * 4],
        ["close(3) = -1 EBADF", "the note " * 5]]


def test_a_state_that_a_call_changes_stands_in_its_row(ladder: Ladder) -> None:
    [row] = [row for row in ladder.rows if "listen(3" in row.name]
    assert [label.text for label in row.labels] == ["listen(3, 4096) = 0", "LISTEN"]
    assert row.path == ""  # which would go through the state


def test_a_lost_packet_ends_on_the_way(ladder: Ladder) -> None:
    [lost] = [row for row in ladder.rows if "lost" in row.kind]
    end = int(re.search(r"H(\d+)", lost.path)[1])  # type: ignore[index]
    assert ladder.client < end < ladder.server - 40


def test_addresses_of_any_length_have_room(tmp_path: Path, labcap: Path) -> None:
    end = {"address": "fe80:1234:1234:1234:1234:1234:1234:1234", "port": 54321, "processes": []}
    [flow] = flows_of(tmp_path, samples.flow(protocol="udp", client=end, server=end))
    drawn = ladder_of(flow, 0, (), True)
    half = len(flow.client.address) * 7.3 / 2
    assert drawn.client - half >= 0 and drawn.server + half <= drawn.width


def test_a_side_without_calls_has_no_room_for_them(tmp_path: Path, labcap: Path) -> None:
    [flow] = flows_of(tmp_path, samples.flow(), samples.call(0, "client", "connect"))
    assert [head.kind for head in ladder_of(flow, 0, (), True).heads if head.text == "calls"] == [
        "band left"]


def test_a_named_packet_and_a_fold_around_one_are_marked(tmp_path: Path, labcap: Path) -> None:
    [flow] = flows_of(tmp_path, *samples.echo())
    marked = [row.name.split(",")[0] for row in ladder_of(flow, 0, {4, 20}, True).rows
              if "named" in row.kind]
    assert marked == ["Packet 4", "Folded: 35 segments"]


def test_long_and_wide_texts_are_cut_in_the_drawing_and_whole_in_the_details(
    tmp_path: Path, labcap: Path
) -> None:
    text = f'write(3, "{"早上好" * 40}", 360)'
    [flow] = flows_of(tmp_path, samples.flow(), samples.call(0, "client", "write", text=text,
                                                             result="= 360"))
    drawn = ladder_of(flow, 0, (), True)
    [row] = [row for row in drawn.rows if row.kind.startswith("call")]
    assert row.labels[0].text.endswith("… = 360") and len(row.labels[0].text) < 40
    assert text in row.details
    assert drawn.width < 1100


# -- Bounds --------------------------------------------------------------------


def test_a_long_flow_keeps_its_ends_and_what_is_named(tmp_path: Path, labcap: Path) -> None:
    packets = [samples.packet(number, True, "ACK") for number in range(1, 5001)]
    flows = flows_of(tmp_path, samples.flow(packets=5000), *packets)
    [flow], left_out = cropped(flows, {2500})
    shown = [row.number for row in flow.rows if isinstance(row, Packet)]
    assert len(flow.rows) < 150 and left_out == ""
    assert {1, 2, 2500, 4999, 5000} <= set(shown)
    folds = [row for row in flow.rows if isinstance(row, Fold)]
    assert len(shown) + sum(fold.last_packet - fold.first_packet + 1 for fold in folds) == 5000
    assert "rows left out here" in folds[0].text


def test_many_named_packets_do_not_undo_the_bound(tmp_path: Path, labcap: Path) -> None:
    packets = [samples.packet(number, True, "ACK") for number in range(1, 5001)]
    flows = flows_of(tmp_path, samples.flow(), *packets)
    [flow], _ = cropped(flows, range(1, 5001))
    assert len(flow.rows) < 3 * crop.ROWS_OF_FLOW


def test_of_many_flows_the_first_and_the_named_are_shown(tmp_path: Path, labcap: Path) -> None:
    lines = [line for number in range(1, 101)
             for line in (samples.flow(number, packets=2),
                          {**samples.packet(number * 2, True, "ACK"), "flow": number})]
    flows = flows_of(tmp_path, *lines)
    shown, left_out = cropped(flows, {180})
    assert [flow.number for flow in shown] == [*range(1, crop.FLOWS_OF_TEST), 90]
    assert left_out == "76 more flows with 152 packets are left out here."


def test_a_test_that_passed_shows_less(tmp_path: Path, labcap: Path) -> None:
    lines = [line for number in range(1, 11)
             for line in (samples.flow(number, packets=30), *(
                 {**samples.packet(number * 100 + at, True, "ACK"), "flow": number}
                 for at in range(30)))]
    results = [samples.result(0), samples.result(1, FAILED)]
    page = written(tmp_path, results, samples.told(*lines))
    assert [len(re.findall(f'id="t{number}p', page)) for number in (0, 1)] == [60, 300]


def test_ladders_beyond_the_pages_size_are_left_out_of_passed_tests_first(
    tmp_path: Path, labcap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [samples.result(0), samples.result(1), samples.result(2, FAILED)]
    [size] = map(len, re.findall("<noscript>.*?</noscript>", written(tmp_path, results[2:]),
                                 re.S))
    monkeypatch.setattr(evidence, "PAGE_CHARACTERS", size)
    page = written(tmp_path, results)
    assert 'id="t2p4"' in page and 'id="t1p4"' not in page
    assert "left out here to keep the page small" in page


def test_payload_is_kept_up_to_a_bound(tmp_path: Path, labcap: Path) -> None:
    page = written(tmp_path, [samples.result(0)], samples.told(*samples.echo(b"\xff" * 100_000)))
    assert max(map(len, re.findall(r'data-b="(.*?)"', page))) == 344  # 256 bytes in base64


# -- The page ------------------------------------------------------------------


class _Tags(HTMLParser):
    """Counts elements and attributes as a browser without scripts sees them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)


def nasty_result(number: int) -> Result:
    """A failed test all of whose words are markup."""
    result = samples.result(number, FAILED, command=NASTY, output=NASTY, detail=NASTY,
                            parts=[(label, f"{NASTY} (packets 4, 43)")
                                   for label, _ in samples.FEEDBACK])
    result.test = type(result.test).from_json(
        {**result.test.to_json(), "title": NASTY, "programs": (NASTY,)})
    return result


def nasty_trace() -> str:
    def spoilt(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: item if key in ("type", "side", "part", "payload", "data", "protocol")
                    else spoilt(item) for key, item in value.items()}
        return NASTY if isinstance(value, str) else value

    return samples.told(*map(spoilt, samples.echo(NASTY.encode() + b"\xff\xfe")), calls=NASTY)


def test_no_word_from_outside_is_markup(tmp_path: Path, labcap: Path) -> None:
    plain = _Tags(written(tmp_path, [samples.result(0, FAILED, detail="x")]))
    page = written(tmp_path, [nasty_result(0)], nasty_trace())
    nasty = _Tags(page)
    assert nasty.tags["script"] == nasty.tags["style"] == nasty.tags["noscript"] == 1
    assert not nasty.tags - plain.tags - Counter({"text": 99, "p": 9, "summary": 9, "g": 9})
    assert nasty.attributes <= plain.attributes
    assert all(c.isprintable() or c in "\n\t" for c in page)
    assert "&lt;script&gt;" in page and "\\x1b[2J\\u202e" in page


def test_no_script_but_its_own_and_no_address_elsewhere_is_in_the_page(
    tmp_path: Path, labcap: Path
) -> None:
    page = written(tmp_path, [samples.result(0, FAILED)])
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page)
    assert policy and re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]{43}='; script-src 'sha256-[\w+/]{43}='; "
        "base-uri 'none'; form-action 'none'", policy[1])
    page = page.replace(policy[1], "")  # a hash may have // in it
    assert "//" not in re.sub(r"<script>.*</script>|<code>.*?</code>", "", page, flags=re.S)
    links = re.findall(r'(?:href|src)="(.*?)"', page)
    assert links and all(link.startswith(("#", "traces/")) for link in links)


def test_links_to_files_hold_any_name(tmp_path: Path, labcap: Path) -> None:
    page = written(tmp_path, [samples.result(0, trace="traces/a b%#?.pcapng")])
    assert 'href="traces/a%20b%25%23%3F.pcapng"' in page


def test_why_there_is_less_to_see_is_told(tmp_path: Path, labcap: Path) -> None:
    results = [samples.result(0, calls=None, no_calls="strace is not installed"),
               samples.result(1, trace=None, calls=None, no_calls="no program was started"),
               samples.result(2)]
    page = written(tmp_path, results[:2])
    assert "Without system calls: strace is not installed" in page
    assert "There is no trace of this test." in page
    page = written(tmp_path, results[2:], samples.told(calls="the log is of another run"))
    assert "No packet of a connection is in the trace." in page
    page = written(tmp_path, results[2:], samples.told(*samples.echo(), calls="it is empty"))
    assert "Without system calls: it is empty" in page


def test_a_trace_that_makes_no_sense_costs_its_own_ladder(tmp_path: Path, labcap: Path) -> None:
    results = [samples.result(0), samples.result(1)]
    samples.leave(tmp_path, results, samples.told(*samples.echo()))
    (tmp_path / str(results[0].trace)).write_text('{"type":"packet","flow":1}\n')
    write_report(results, tmp_path, None)
    page = (tmp_path / REPORT).read_text("utf-8")
    assert "The trace cannot be drawn: KeyError" in page and 'id="t1p4"' in page


def test_faults_stand_in_the_order_of_steps_and_the_graders_own_last(
    tmp_path: Path, labcap: Path
) -> None:
    page = written(tmp_path, [
        samples.result(0, ERROR, parts=()), samples.result(9, FAILED, cause="no-ipv6"),
        samples.result(5, FAILED), samples.result(6, FAILED, cause="other")])
    assert re.findall(r"<h3>(.*?) <span", page) == [
        "The connection was closed while bytes that had arrived were still unread",
        "The cause is not clear from the test alone.", "Only IPv4 works",
        "The grader could not do its work: this is no fault of the submission."]


# -- As part of a run ----------------------------------------------------------

FAILING = '''
@graded(step=1, points=1, programs=("server",))
def test_bad(trace):
    trace.write_text("")
    raise Mismatch("this", "that", cause="byte-order", packets=[3, 7])

@graded(step=2, points=1, programs=("server",))
def test_good():
    pass
'''


def test_a_run_leaves_a_report_and_says_where(small_suite: SmallSuite) -> None:
    small_suite.tests(FAILING)
    grade = small_suite.grade("-j1")
    assert (grade.status, grade.stderr) == (1, "")
    assert "Report:  out/grade/report.html\n" in grade.stdout
    page = (small_suite.out / REPORT).read_text("utf-8")
    assert "<title>1 of 2 points" in page and "that (packets 3, 7)" in page
    assert all(f"<dt>{part}</dt>" in page
               for part in ("Expected", "Seen", "Likely cause", "Read on"))


@pytest.mark.parametrize("spoil, words_of_it", [
    (lambda suite: (suite.harness / "labkit/report/files/page.html").unlink(), "TemplateNotFound"),
    (lambda suite: (suite.harness / "labkit/report/markup.py").write_text("import no_such_module"),
     "No module named 'no_such_module'"),
    (lambda suite: (suite.out / REPORT).mkdir(parents=True), "Is a directory"),
])
def test_a_report_that_fails_is_one_line_and_costs_no_point(
    small_suite: SmallSuite, spoil: Any, words_of_it: str
) -> None:
    small_suite.tests(FAILING)
    spoil(small_suite)
    grade = small_suite.grade("-j1")
    if "directory" in words_of_it:
        assert grade.status == 3  # that is an OUT that cannot be used
    else:
        assert grade.status == 1 and grade.results["score"] == 1
        assert "Score: 1 of 2" in grade.stdout and "Report:" not in grade.stdout
        assert not (small_suite.out / REPORT).exists()
    assert grade.stderr.count("\n") == 1 and words_of_it in grade.stderr


def test_an_old_report_does_not_outlive_a_run_without_one(small_suite: SmallSuite) -> None:
    small_suite.tests(FAILING)
    small_suite.grade("-j1")
    (small_suite.harness / "labkit/report/files/page.html").unlink()
    small_suite.grade("-j1")
    assert not (small_suite.out / REPORT).exists()


def test_plain_pytest_leaves_a_report_too(small_suite: SmallSuite) -> None:
    small_suite.tests(FAILING)
    done = small_suite.pytest("harness/tests")
    assert "out/grade/report.html" in done.stdout
    assert "that (packets 3, 7)" in (small_suite.out / REPORT).read_text("utf-8")


def test_results_say_nothing_more_because_of_the_report(small_suite: SmallSuite) -> None:
    small_suite.tests(FAILING)
    test = small_suite.grade("-j1").results["tests"][0]
    assert test["output"].split("\n")[1] == "seen: that (packets 3, 7)"
    assert not {"parts", "packets"} & {*test, *test["extra_data"]}
    assert json.dumps(test)
