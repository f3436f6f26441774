"""Keeps a page from growing without bounds: which flows and rows of a trace it shows.

What the feedback points at stays; what is left out is counted, and is in the trace.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Optional

from labkit.report.rows import Fold, Flow, Packet, Row, packets_in, row_of
from labkit.report.words import count

ROWS_OF_FLOW = 120
FIRST_ROWS = 80
"""Of a flow that has more, so many from its beginning, and the rest from its end."""
ROWS_AROUND = 6
"""Shown before and after a packet that feedback points at."""
ROWS_OF_TEST, ROWS_OF_PASSED = 400, 80
"""A test that passed is looked at less closely."""
FLOWS_OF_TEST = 24


def cropped(
    flows: Sequence[Flow], named: Collection[int], most: int = ROWS_OF_TEST
) -> tuple[list[Flow], str]:
    """The flows to show, MOST rows of them, and what is left out, in words.

    named: numbers of packets that must stay.
    """
    chosen: set[int] = set()
    rows = 0
    for flow in sorted(flows, key=lambda flow: not (
            named and any(_is_named(line, named) for line in flow.lines))):
        size = min(len(flow.lines), ROWS_OF_FLOW)
        if chosen and (rows + size > most or len(chosen) == FLOWS_OF_TEST):
            break
        chosen.add(flow.number)
        rows += size
    shown = [flow for flow in flows if flow.number in chosen]
    for flow in shown:
        flow.rows = _rows(flow.lines, named)
    left = [flow for flow in flows if flow.number not in chosen]
    if not left:
        return shown, ""
    packets = count(sum(flow.packets for flow in left), "packet")
    return shown, f"{count(len(left), 'more flow')} with {packets} are left out here."


def is_named(row: Row, named: Collection[int]) -> bool:
    """ROW is one of the packets NAMED, or has one in its fold."""
    if isinstance(row, Packet):
        return row.number in named
    return isinstance(row, Fold) and _within(row.first_packet, row.last_packet, named)


def _is_named(line: bytes, named: Collection[int]) -> bool:
    packets = packets_in(line)
    return packets is not None and _within(*packets, named)


def _within(first: int, last: int, named: Collection[int]) -> bool:
    return first in named or any(first <= number <= last for number in named)


def _rows(lines: Sequence[bytes], named: Collection[int]) -> list[Row]:
    """The rows of LINES: all, or the first, the last and what is NAMED."""
    keep = _kept(lines, named)
    shown: list[Optional[Row]] = []
    left: list[bytes] = []
    for at, line in enumerate(lines):
        if at not in keep:
            left.append(line)
            continue
        if left:
            shown.append(_left_out(left))
            left = []
        shown.append(row_of(line))
    return [row for row in shown if row is not None]


def _kept(lines: Sequence[bytes], named: Collection[int]) -> Collection[int]:
    """Which of LINES are shown."""
    if len(lines) <= ROWS_OF_FLOW:
        return range(len(lines))
    keep = {*range(FIRST_ROWS), *range(len(lines) - (ROWS_OF_FLOW - FIRST_ROWS), len(lines))}
    for at, line in enumerate(lines if named else ()):
        if len(keep) < 2 * ROWS_OF_FLOW and _is_named(line, named):
            keep.update(range(max(0, at - ROWS_AROUND), min(len(lines), at + ROWS_AROUND + 1)))
    return keep


def _left_out(lines: Sequence[bytes]) -> Fold:
    """One row instead of LINES."""
    packets = [number for found in map(packets_in, lines) if found is not None for number in found]
    first, last = (min(packets), max(packets)) if packets else (0, 0)
    return Fold(f"{count(len(lines), 'row')} left out here", first, last)
