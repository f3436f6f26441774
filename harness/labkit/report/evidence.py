"""The evidence of each test, drawn: the ladders of its trace as markup.

Several processes draw at once; a trace that cannot be drawn costs its own ladder.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from labkit.feedback import clean_line
from labkit.forked import FORK
from labkit.report.crop import ROWS_OF_PASSED, ROWS_OF_TEST, cropped, is_named
from labkit.report.ladder import ladder_of
from labkit.report.rows import Told, read_all, read_rows
from labkit.report.svg import markup_of
from labkit.results import PASSED, Result

OPEN_FLOWS = 3
"""So many are unfolded from the beginning, and every one that feedback points at."""
PAGE_CHARACTERS = 48 * 1024 * 1024
"""Drawings that go beyond are left out, those of passed tests first."""
AT_ONCE = 16
"""Traces that a process, and a labcap, is given at a time."""
_LARGEST = 10**6
"""Of a range of packet numbers that is told in feedback."""


@dataclass
class Evidence:
    """What is shown beside a test's feedback."""

    markup: str = ""
    remarks: Sequence[str] = ()
    """Why there is less to see than one would expect."""
    whole: bool = True
    """All that the trace shows was read."""


def evidence_of(
    results: Sequence[Result], out: Path, done: Mapping[int, Evidence] = MappingProxyType({})
) -> list[Evidence]:
    """That of each of RESULTS, whose files are in OUT. DONE: what is drawn of them, by number."""
    left = [(number, result) for number, result in enumerate(results) if number not in done]
    parts = [left[first:first + AT_ONCE] for first in range(0, len(left), AT_ONCE)]
    drawn = dict(done)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)) + 1, FORK) as pool:  # labcap works, too
        for part, evidence in zip(parts, pool.map(of_some, parts, itertools.repeat(out))):
            drawn.update((number, each) for (number, _), each in zip(part, evidence))
    ordered = [drawn[number] for number in range(len(results))]
    _limit(results, ordered)
    return ordered


def of_some(results: Sequence[tuple[int, Result]], out: Path) -> list[Evidence]:
    """The evidence of RESULTS, each with its number on the page, drawn by this process."""
    told = _read_alike(results, out)
    return [_draw(number, result, told.get(number) or _read(result, out))
            for number, result in results]


def _read_alike(results: Sequence[tuple[int, Result]], out: Path) -> dict[int, Told]:
    """What the traces of RESULTS tell that one labcap can tell without a fault; by number."""
    alike: dict[bool, dict[int, Path]] = {True: {}, False: {}}
    for number, result in results:
        if result.trace is not None and _calls_beside(result, out):
            alike[_is_short(result)][number] = out / result.trace
    found: dict[int, Told] = {}
    for short, traces in alike.items():
        # What is wrong with one of them is told where each is read by itself.
        with contextlib.suppress(Exception):
            most = ROWS_OF_PASSED + 1 if short else 0
            told = read_all([*traces.values()], most) if traces else None
            found.update(zip(traces, told or ()))
    return found


def _is_short(result: Result) -> bool:
    """Of RESULT's trace no flow is shown that comes behind ROWS_OF_PASSED rows; see cropped()."""
    return result.status == PASSED and not result.packets


def _calls_beside(result: Result, out: Path) -> bool:
    """labcap will find the log of RESULT, or none where it has none."""
    assert result.trace is not None
    log = (out / result.trace).with_suffix(".calls")
    return log == out / result.calls if result.calls else not log.exists()


def _read(result: Result, out: Path) -> Told:
    if result.trace is None:
        return Told(problem="There is no trace of this test.")
    try:
        logs = [out / result.calls] if result.calls else []
        return read_rows(out / result.trace, logs)
    except Exception as error:
        return Told(problem=f"The trace cannot be drawn: {_line(error)}")


def _draw(number: int, result: Result, told: Told) -> Evidence:
    named = numbers_in(result.packets)
    remarks = [remark for remark in (told.problem, _no_calls(result, told)) if remark]
    whole = not told.problem
    if not told.flows:
        nothing = told.problem or "No packet of a connection is in the trace."
        return Evidence(remarks=[nothing], whole=whole)
    try:
        most = ROWS_OF_PASSED if result.status == PASSED else ROWS_OF_TEST
        flows, left_out = cropped(told.flows, named, most)
        ladders = [ladder_of(flow, number, named,
                             at < OPEN_FLOWS or any(is_named(row, named) for row in flow.rows))
                   for at, flow in enumerate(flows)]
        return Evidence(markup_of(ladders, left_out), remarks, whole)
    except Exception as error:
        return Evidence(remarks=[f"The trace cannot be drawn: {_line(error)}"])


def _no_calls(result: Result, told: Told) -> str:
    why = result.no_calls or told.no_calls
    if not why and not result.calls:
        why = "they were not recorded"
    return f"Without system calls: {clean_line(why)}" if why else ""


def _line(error: Exception) -> str:
    return clean_line(f"{type(error).__name__}: {error}", 200)


def _limit(results: Sequence[Result], drawn: Sequence[Evidence]) -> None:
    """Leaves out drawings, the last ones first, until the rest has room."""
    room = PAGE_CHARACTERS
    order = sorted(zip(results, drawn), key=lambda pair: pair[0].score > 0)
    for result, evidence in order:
        room -= len(evidence.markup)
        if room < 0 and evidence.markup:
            evidence.markup = ""
            evidence.remarks = ["The ladder is left out here to keep the page small."]


def numbers_in(packets: str) -> frozenset[int]:
    """The numbers that words like 'packets 3, 7' or 'packets 3 to 9' name."""
    numbers: set[int] = set()
    for first, last in _ranges(packets):
        numbers.update(range(first, min(last, first + _LARGEST) + 1))
    return frozenset(numbers)


def _ranges(packets: str) -> Iterator[tuple[int, int]]:
    for first, last in re.findall(r"(\d{1,15})(?: to (\d{1,15}))?", packets):
        yield int(first), int(last or first)
